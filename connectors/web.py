"""The web, to read: one page, one feed. Nothing is ever sent but the request for it.

What is read is bounded (`BYTES_MAX`, `SECONDS_MAX`, `REDIRECTS_MAX`), of a kind that can be read, and lies on the open
internet; each redirect is checked like the first address (``web_address.py``). No cookie, login or referrer travels.

Source: RFC 9110; https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from email.message import Message
from http import HTTPStatus
from typing import Self

import httpx

from connectors import web_text
from connectors.base import (
    Connector,
    EffectClass,
    Health,
    Receipt,
    Reference,
    RefusedError,
    Risk,
    Setting,
    TryLaterError,
    Workshop,
    action,
)
from connectors.client import Pace, Pause
from connectors.web_address import Resolve, checked, look_up, url_of

BYTES_MAX = 3_000_000  # of one page, as it travels and unpacked
SECONDS_MAX = 20.0  # for one page with all its redirects
REDIRECTS_MAX = 5
AT_ONCE = 4
PER_MINUTE = 60.0

_HTML = frozenset({"text/html", "application/xhtml+xml"})
_TEXT = frozenset(
    {"text/plain", "text/markdown", "text/csv", "application/json", "text/xml", "application/xml", "text/calendar"}
)
_FEEDS = frozenset(
    {"application/rss+xml", "application/atom+xml", "application/rdf+xml", "text/xml", "application/xml"}
)
_HEADERS = {
    "User-Agent": "Soloist/0.1 (reads one page at a person's request)",
    "Accept": "text/html,application/xhtml+xml,application/rss+xml,application/atom+xml,text/plain,application/json;q=0.8",
    "Accept-Encoding": "gzip, deflate",
    "Accept-Language": "en, *;q=0.5",
}


@dataclass(frozen=True)
class Fetched:
    """What came, unpacked."""

    url: str
    media_type: str
    charset: str
    content: bytes


class Web(Connector):
    """Pages and feeds, read only."""

    service = "web"
    settings = (
        Setting("WEB_ALLOW_LOOPBACK", "yes lets pages of this very machine be read; only for tests", default="no"),
    )

    def __init__(
        self,
        workshop: Workshop,
        *,
        loopback: bool = False,
        resolve: Resolve = look_up,
        trust: ssl.SSLContext | None = None,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._workshop = workshop
        self._loopback = loopback
        self._resolve = resolve
        self._trust = trust
        self._pause = pause
        self._pace = Pace(PER_MINUTE)
        self._room = asyncio.Semaphore(AT_ONCE)

    @classmethod
    def open(cls, values: Mapping[str, str], workshop: Workshop) -> Self:
        """Build the connector; it needs no setting."""
        return cls(workshop, loopback=values["WEB_ALLOW_LOOPBACK"].strip().lower() == "yes")

    @action(Risk.READS, EffectClass.KEYED, says="read a web page", timeout_s=SECONDS_MAX + 5)
    async def fetch(self, *, url: Reference) -> Receipt:
        """Read one page as text.

        Args:
            url: Where it is, ``https://...``.

        Returns:
            ``data``: url (where it was found in the end), title, text, media_type, fetched_at.

        Raises:
            RefusedError: It may not or cannot be read: private address, unreadable kind, too large, 4xx.
            TryLaterError: It does not answer now.
        """
        came = await self._get(url)
        if came.media_type in _HTML:
            title, text = await asyncio.to_thread(web_text.page, came.content, came.charset)
        elif came.media_type in _FEEDS - _TEXT:
            raise RefusedError("This is a feed, not a page.")
        elif came.media_type in _TEXT:
            title, text = "", web_text.plain(came.content, came.charset)
        else:
            kind = came.media_type or "something unnamed"
            raise RefusedError(f"This is {kind}, which cannot be read as a page. Send me the file instead.")
        name = title or httpx.URL(came.url).host
        return Receipt(
            ref="",
            text=f"Read {name}.",
            data={
                "url": came.url, "title": name, "text": text, "media_type": came.media_type,
                "fetched_at": self._workshop.now().isoformat(),
            },
        )  # fmt: skip

    @action(Risk.READS, EffectClass.KEYED, says="read a feed", timeout_s=SECONDS_MAX + 5)
    async def feed(self, *, url: Reference) -> Receipt:
        """Read an RSS or Atom feed.

        Args:
            url: Where it is.

        Returns:
            ``data``: url, title, entries (id, title, link, published, text), fetched_at.

        Raises:
            RefusedError, TryLaterError: As `fetch`.
        """
        came = await self._get(url)
        title, entries = await asyncio.to_thread(web_text.feed, came.content)
        return Receipt(
            ref="",
            text=f"Read {len(entries)} entries of {title or httpx.URL(came.url).host}.",
            data={
                "url": came.url, "title": title, "entries": [asdict(each) for each in entries],
                "fetched_at": self._workshop.now().isoformat(),
            },
        )  # fmt: skip

    async def health(self) -> Health:
        """There is nothing to sign in to."""
        if self._loopback:
            remedy = "Set WEB_ALLOW_LOOPBACK to no; it is only for tests."
            return Health(ok=True, text="Pages are read, those of this machine as well.", remedy=remedy)
        return Health(ok=True, text="Pages on the open internet are read; private networks are not.")

    # ── small parts ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _get(self, text: str) -> Fetched:
        await self._pause(self._pace.wait_s())
        async with self._room:
            try:
                async with asyncio.timeout(SECONDS_MAX):
                    return await self._follow(url_of(text, loopback=self._loopback))
            except TimeoutError:
                raise TryLaterError(f"The page did not come within {SECONDS_MAX:.0f} s.") from None

    async def _follow(self, url: httpx.URL) -> Fetched:
        for _ in range(REDIRECTS_MAX + 1):
            found = await self._once(url)
            if isinstance(found, Fetched):
                return found
            if url.scheme == "https" and found.scheme == "http":
                raise RefusedError(f"{url.host} leads from https to http, so it was not followed.")
            url = found
        raise RefusedError(f"The page leads on and on (more than {REDIRECTS_MAX} times), so it was not read.")

    async def _once(self, url: httpx.URL) -> Fetched | httpx.URL:
        """Ask one server; return what came, or where it points."""
        address = await checked(url, self._resolve, loopback=self._loopback)
        host = url.netloc.decode("ascii")
        # The connection goes to the address that was checked; certificate and Host are those of the name.
        pinned = url.copy_with(host=address, fragment=None)
        name = {"sni_hostname": url.raw_host.decode("ascii")} if url.scheme == "https" else {}
        client = httpx.AsyncClient(
            timeout=SECONDS_MAX, follow_redirects=False, trust_env=False, verify=self._trust or True
        )
        try:
            async with (
                client,
                client.stream("GET", pinned, headers={**_HEADERS, "Host": host}, extensions=name) as response,
            ):
                if response.is_redirect:
                    return url_of(str(url.join(response.headers.get("location", ""))), loopback=self._loopback)
                _judge(response.status_code, url.host)
                return await _body(response, str(url))
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError):
            raise RefusedError(f"{url.host} leads to an address that cannot be read.") from None
        except httpx.HTTPError as error:
            raise TryLaterError(f"{url.host} could not be read ({type(error).__name__}).") from None


def _judge(status: int, host: str) -> None:
    if HTTPStatus(200) <= status < HTTPStatus(300):
        return
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise TryLaterError(f"{host} answered {status}; it may work later.")
    meaning = {401: "it wants a login", 403: "it lets nobody read it", 404: "there is no such page", 410: "it is gone"}
    raise RefusedError(f"{host} answered {status}: {meaning.get(status, 'it cannot be read')}.")


async def _body(response: httpx.Response, url: str) -> Fetched:
    raw = bytearray()
    async for piece in response.aiter_raw():
        raw += piece
        if len(raw) > BYTES_MAX:
            raise RefusedError(f"The page is larger than {BYTES_MAX // 1_000_000} MB, so it was not read.")
    header = Message()
    header["Content-Type"] = declared = response.headers.get("content-type", "").strip()
    return Fetched(
        url=url,
        media_type=header.get_content_type() if declared else "",
        charset=str(header.get_content_charset("")),
        content=_unpacked(bytes(raw), response.headers.get("content-encoding", "").strip().lower()),
    )


def _unpacked(raw: bytes, encoding: str) -> bytes:
    """Unpack with a bound: a few bytes may unpack to gigabytes."""
    if encoding in {"", "identity"}:
        return raw
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise RefusedError(f"The page is packed as {encoding!r}, which was not asked for.")
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        content = unpack.decompress(raw, BYTES_MAX + 1)
    except zlib.error:
        raise RefusedError("The page is packed in a way that cannot be unpacked.") from None
    if len(content) > BYTES_MAX:
        raise RefusedError(f"The page is larger than {BYTES_MAX // 1_000_000} MB, so it was not read.")
    return content
