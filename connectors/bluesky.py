"""Bluesky: short posts, taken back when asked, how they do, and what people answer (``bluesky_notices.py``).

Each post gets a record key made from its name (or the effect's key), and is written only where no record is, so posting
twice is posting once. A record key has the form of a timestamp; ours lies in a year before Bluesky was open to all, where
nobody's clock will ever make one.

Source: https://docs.bsky.app/docs/api (com.atproto.server.createSession, com.atproto.repo.putRecord, getRecord,
deleteRecord, app.bsky.feed.getPosts, app.bsky.notification.listNotifications), https://atproto.com/specs/record-key, https://atproto.com/specs/tid,
https://docs.bsky.app/docs/advanced-guides/post-richtext
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import urlsplit

from connectors.base import (
    Body,
    Connector,
    ConnectorError,
    Deliver,
    Detail,
    EffectClass,
    Health,
    Json,
    OutcomeUnknownError,
    Plumbing,
    Receipt,
    Reference,
    RefusedError,
    Risk,
    Setting,
    TryLaterError,
    Workshop,
    action,
)
from connectors.bluesky_notices import Notices
from connectors.client import Answer, Client, Pause

COLLECTION = "app.bsky.feed.post"
CHARACTERS_MAX, BYTES_MAX = 300, 3_000  # graphemes and UTF-8 bytes: the lexicon of app.bsky.feed.post
FOREVER = 10 * 365 * 24 * 3600.0  # the record key is the record's name as long as it stands
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

_LETTERS = "234567abcdefghijklmnopqrstuvwxyz"
_YEAR_FROM = int(datetime(2021, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
_YEAR_US = 365 * 24 * 3600 * 1_000_000
_URI = re.compile(r"at://([^/\s]+)/app\.bsky\.feed\.post/([234567a-z]{13})")
_LINK = re.compile(r"https?://[^\s<>\"]*[^\s<>\".,;:!?)\]']")
_TAG = re.compile(r"(?<![\w#])#(\w*[^\W\d]\w*)")


def record_key(name: str) -> str:
    """Return the record key that belongs to a name: thirteen letters that sort as a moment in 2021."""
    digest = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "big")
    number = (_YEAR_FROM + (digest >> 10) % _YEAR_US) << 10 | digest & 0x3FF
    return "".join(_LETTERS[number >> shift & 31] for shift in range(60, -1, -5))


def _delete(arguments: Mapping[str, Json], receipt: Receipt) -> tuple[str, Mapping[str, Json]]:
    del arguments
    return "bluesky.delete", {"uri": receipt.ref}


def _again(arguments: Mapping[str, Json], receipt: Receipt) -> tuple[str, Mapping[str, Json]]:
    del arguments
    return "bluesky.post", {"text": receipt.data.get("text", "")}


class Bluesky(Connector):
    """The company's Bluesky account."""

    service = "bluesky"
    settings = (
        Setting("BLUESKY_HANDLE", "Your handle, such as berg.bsky.social"),
        Setting("BLUESKY_APP_PASSWORD", "An app password, from Settings, Privacy and security", secret=True),
        Setting("BLUESKY_BASE", "Where your account lives", default="https://bsky.social"),
    )

    def __init__(
        self, workshop: Workshop, client: Client, *, handle: str, password: str, pause: Pause = asyncio.sleep
    ) -> None:
        self._workshop = workshop
        self._client = client
        self._handle = handle
        self._password = password
        self._session: dict[str, str] = {}
        self._door = asyncio.Lock()
        self.notices = Notices(self._noticed, workshop.home, handle, workshop.now, pause)

    @classmethod
    def open(cls, values: Mapping[str, str], workshop: Workshop, pause: Pause = asyncio.sleep) -> Self | None:
        """Build the connector, or return None without a handle.

        Raises:
            RefusedError: A setting makes no sense, or would send the password in the clear.
        """
        handle, password = values["BLUESKY_HANDLE"].strip().removeprefix("@"), values["BLUESKY_APP_PASSWORD"].strip()
        if not handle:
            return None
        if not password:
            raise RefusedError("BLUESKY_HANDLE is set without BLUESKY_APP_PASSWORD. Make an app password and set it.")
        base = values["BLUESKY_BASE"].strip().rstrip("/")
        parts = urlsplit(base)
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise RefusedError("BLUESKY_BASE must begin with https://, or the password would travel in the clear.")
        client = Client("Bluesky", base_url=base, secrets=[password], rate_per_minute=60, pause=pause)
        return cls(workshop, client, handle=handle, password=password, pause=pause)

    @property
    def account(self) -> str:
        """As whom it posts."""
        return self._handle

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()

    # ── actions ───────────────────────────────────────────────────────────────────────────────────────────────────

    @action(
        Risk.OUTSIDE,
        EffectClass.KEYED,
        says="post on Bluesky",
        undo=_delete,
        delayed=True,
        key_window_s=FOREVER,
        timeout_s=60.0,
        rate_per_minute=10,
    )
    async def post(self, *, text: Body, key: str, name: Plumbing = "", language: Detail = "") -> Receipt:
        """Post a short text; links and hashtags in it become ones that can be followed.

        Args:
            text: At most 300 characters.
            key: Stable key; without a name, Bluesky gets one post of it.
            name: Our own name of the post; under one name there is one post, and it can be found by it.
            language: Its language, such as en.

        Returns:
            ``ref`` the post's at:// address; ``data``: uri, cid, url, text, name.

        Raises:
            RefusedError: Bluesky said no, or another text stands under that name.
            TryLaterError: Nothing happened.
            OutcomeUnknownError: It may have happened; the same key may be sent again.
        """
        _check(text, language)
        rkey = record_key(name or key)
        found = await self._find(rkey) or await self._put(rkey, self._record(text, language))
        if found["value"].get("text") != text:
            raise RefusedError(
                f"Another text was posted as {name or 'this'} already: {found['uri']}. Delete that first."
            )
        url = f"https://bsky.app/profile/{self._handle}/post/{rkey}"
        data = {"uri": found["uri"], "cid": found["cid"], "url": url, "text": text, "name": name}
        return Receipt(str(found["uri"]), f"Posted on Bluesky: {url}", data)

    @action(
        Risk.OUTSIDE,
        EffectClass.KEYED,
        says="answer on Bluesky",
        undo=_delete,
        delayed=True,
        key_window_s=FOREVER,
        timeout_s=60.0,
        rate_per_minute=10,
    )
    async def reply(self, *, text: Body, uri: Reference, key: str, who: Detail = "", language: Detail = "") -> Receipt:
        """Answer somebody's post, below it and for all to read.

        Args:
            text: At most 300 characters.
            uri: The at:// address of the post that is answered.
            key: Stable key; Bluesky gets one answer of it.
            who: Whose post it is, for the card.
            language: Its language, such as en.

        Returns:
            ``ref`` the answer's at:// address; ``data``: uri, cid, url, text.

        Raises:
            RefusedError: Bluesky said no, or the post that is answered is gone.
            TryLaterError, OutcomeUnknownError: As `post`.
        """
        _check(text, language)
        rkey = record_key(key)
        found = await self._find(rkey)
        if found is None:
            record = {**self._record(text, language), "reply": await self._thread(uri)}
            found = await self._put(rkey, record)
        url = f"https://bsky.app/profile/{self._handle}/post/{rkey}"
        data = {"uri": found["uri"], "cid": found["cid"], "url": url, "text": text}
        return Receipt(str(found["uri"]), f"Answered {who or uri} on Bluesky: {url}", data)

    @action(
        Risk.OUTSIDE,
        EffectClass.KEYED,
        says="delete a post on Bluesky",
        undo=_again,
        key_window_s=FOREVER,
        timeout_s=60.0,
        rate_per_minute=20,
    )
    async def delete(self, *, uri: Reference, key: str) -> Receipt:
        """Delete a post of ours; posting it again makes a new one, without its likes and replies.

        Args:
            uri: Its at:// address, or the name it was posted under.
            key: Stable key.

        Raises:
            RefusedError: It is somebody else's.
            TryLaterError, OutcomeUnknownError: As `post`.
        """
        del key  # deleting what is gone is deleting it once
        rkey = await self._own(uri)
        found = await self._find(rkey)
        if found is not None:
            wanted = {"repo": await self._did(), "collection": COLLECTION, "rkey": rkey}
            await self._call("POST", "com.atproto.repo.deleteRecord", json=wanted)
        text = str(found["value"].get("text", "")) if found else ""
        return Receipt(
            rkey, "Deleted the post on Bluesky." if found else "That post is gone from Bluesky.", {"text": text}
        )

    @action(Risk.READS, EffectClass.KEYED, says="look up how a post does")
    async def numbers(self, *, uri: Reference) -> Receipt:
        """Read how often a post was liked, shared and answered.

        Args:
            uri: Its at:// address, or the name it was posted under.

        Returns:
            ``data["numbers"]``: likes, reposts, replies, quotes.

        Raises:
            RefusedError: There is no such post.
            TryLaterError: Bluesky cannot be asked now.
        """
        rkey = await self._own(uri)
        whole = f"at://{await self._did()}/{COLLECTION}/{rkey}"
        answer = await self._call("GET", "app.bsky.feed.getPosts", params={"uris": whole})
        posts = _object(answer, "posts", write=False)["posts"]
        if not posts:
            raise RefusedError("There is no such post on Bluesky, or it is too fresh to be counted.")
        counts = {
            ours: int(posts[0].get(theirs) or 0)
            for ours, theirs in (
                ("likes", "likeCount"), ("reposts", "repostCount"), ("replies", "replyCount"), ("quotes", "quoteCount"),
            )
        }  # fmt: skip
        return Receipt("", ", ".join(f"{count} {name}" for name, count in counts.items()) + ".", {"numbers": counts})

    async def listen(self, deliver: Deliver) -> None:
        """Bring what people answer and where they name us, as ``bluesky.reply``, ``.mention`` and ``.quote``."""
        await self.notices.run(deliver)

    async def health(self) -> Health:
        """Sign in, which changes nothing."""
        try:
            await self._did()
        except RefusedError as error:
            remedy = "Check BLUESKY_HANDLE and BLUESKY_APP_PASSWORD; it may have been revoked."
            return Health(ok=False, text=str(error), remedy=remedy)
        except ConnectorError as error:
            return Health(ok=False, text=str(error), remedy="Check the network; it is tried again by itself.")
        return Health(ok=True, text=f"Bluesky knows {self._handle}.")

    # ── records ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _find(self, rkey: str) -> dict[str, Any] | None:
        """Return the record under a key, or None when Bluesky says that there is none."""
        params = {"repo": await self._did(), "collection": COLLECTION, "rkey": rkey}
        try:
            answer = await self._call("GET", "com.atproto.repo.getRecord", params=params, absent="RecordNotFound")
        except _AbsentError:
            return None
        return _object(answer, "value", write=False)

    def _record(self, text: str, language: str) -> dict[str, Json]:
        at = self._workshop.now().astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
        record: dict[str, Json] = {"$type": COLLECTION, "text": text, "createdAt": at}
        if facets := facets_of(text):
            record["facets"] = facets
        if language:
            record["langs"] = [language]
        return record

    async def _thread(self, uri: str) -> dict[str, Json]:
        """Return what an answer to a post refers to: that post, and the one the conversation began with."""
        answer = await self._call("GET", "app.bsky.feed.getPosts", params={"uris": uri})
        posts = _object(answer, "posts", write=False)["posts"]
        if not posts:
            raise RefusedError("The post that was to be answered is gone from Bluesky.")
        parent = {"uri": str(posts[0]["uri"]), "cid": str(posts[0]["cid"])}
        above = (posts[0].get("record") or {}).get("reply") or {}
        root = above.get("root") or parent
        return {"root": {"uri": str(root["uri"]), "cid": str(root["cid"])}, "parent": parent}

    async def _put(self, rkey: str, record: dict[str, Json]) -> dict[str, Any]:
        """Write a record where none is; what our own earlier attempt wrote counts as written."""
        wanted = {
            "repo": await self._did(),
            "collection": COLLECTION,
            "rkey": rkey,
            "record": record,
            "swapRecord": None,
        }
        try:
            answer = await self._call("POST", "com.atproto.repo.putRecord", json=wanted, absent="InvalidSwap")
        except _AbsentError:
            found = await self._seen(rkey)
            if found is None:
                raise TryLaterError("Bluesky says that the post is there and not there; it is tried again.") from None
            return found
        return {**_object(answer, "uri", write=True), "value": record}

    async def _seen(self, rkey: str) -> dict[str, Any] | None:
        try:
            return await self._find(rkey)
        except TryLaterError as error:
            raise OutcomeUnknownError(str(error)) from None

    async def _own(self, uri: str) -> str:
        if not uri.startswith("at://"):
            return uri if re.fullmatch(r"[234567a-z]{13}", uri) and uri[0] in "234567abcdefghij" else record_key(uri)
        match = _URI.fullmatch(uri)
        if match is None or match[1] not in {await self._did(), self._handle}:
            raise RefusedError(f"{uri} is no post of {self._handle}.")
        return match[2]

    async def _noticed(self, cursor: str) -> Mapping[str, Json]:
        """Return one page of what happened to us on Bluesky, the newest first."""
        params = {"limit": "50"} | ({"cursor": cursor} if cursor else {})
        answer = await self._call("GET", "app.bsky.notification.listNotifications", params=params)
        return _object(answer, "notifications", write=False)

    # ── session ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _did(self) -> str:
        """Return who we are, signing in when needed."""
        async with self._door:
            if not self._session:
                self._session = await self._sign_in()
            return self._session["did"]

    async def _sign_in(self) -> dict[str, str]:
        try:
            answer = await self._client.request(
                "POST",
                "/xrpc/com.atproto.server.createSession",
                json={"identifier": self._handle, "password": self._password},
                repeatable=True,
                also=(HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED),
            )
        except OutcomeUnknownError as error:
            raise TryLaterError(str(error)) from None  # signing in changes nothing, whether it was heard or not
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise RefusedError(self._client.redact(f"Bluesky did not let {self._handle} in: {_error(answer)[1]}"))
        session = _object(answer, "accessJwt", write=False)
        if not str(session.get("did", "")).startswith("did:"):
            raise RefusedError("Bluesky let us in without saying who we are.")
        return {"did": str(session["did"]), "accessJwt": str(session["accessJwt"])}

    async def _call(
        self, method: str, name: str, *, params: Mapping[str, str] | None = None, json: Json = None, absent: str = ""
    ) -> Answer:
        """Call one procedure; a session that ran out is renewed once.

        Raises:
            _AbsentError: The error is the one called ``absent``.
            RefusedError, TryLaterError, OutcomeUnknownError: As the client says.
        """
        for fresh in (False, True):
            await self._did()
            headers = {"Authorization": f"Bearer {self._session['accessJwt']}"}
            # Each write here is the same twice as once: a key of ours on a record, or a record gone.
            answer = await self._client.request(
                method, f"/xrpc/{name}", params=params, json=json, headers=headers, repeatable=True,
                also=(HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND),
            )  # fmt: skip
            if answer.status < HTTPStatus.BAD_REQUEST:
                return answer
            error, words = _error(answer)
            if error in {"ExpiredToken", "InvalidToken", "AuthMissing"} and not fresh:
                self._session = {}
                continue
            if absent and error == absent:
                raise _AbsentError
            raise RefusedError(self._client.redact(f"Bluesky answered {answer.status}: {words}"))
        raise RefusedError("Bluesky lets us in and then does not know us. Check BLUESKY_APP_PASSWORD.")


class _AbsentError(Exception):
    """The one error that is an answer here: there is no record, or there is one already."""


def _check(text: str, language: str) -> None:
    shown = sum(1 for c in text if not unicodedata.combining(c) and c != "\u200d")
    if not text.strip() or shown > CHARACTERS_MAX or len(text.encode(errors="replace")) > BYTES_MAX:
        raise RefusedError(f"A post on Bluesky has between 1 and {CHARACTERS_MAX} characters; this one has {shown}.")
    if any(unicodedata.category(c) in {"Cc", "Cs"} and c != "\n" for c in text):
        raise RefusedError("This text holds control characters, so it was not posted.")
    if language and not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", language):
        raise RefusedError(f"{language!r} is no language such as en or de-AT.")


def facets_of(text: str) -> list[dict[str, Json]]:
    """Return what in a text can be followed, by its place in UTF-8 bytes as the lexicon wants it."""
    links = [
        (match, {"$type": "app.bsky.richtext.facet#link", "uri": match[0]})
        for match in _LINK.finditer(text)
        if len(match[0]) <= 2_000  # noqa: PLR2004 - longer than any browser takes
    ]
    tags = [
        (match, {"$type": "app.bsky.richtext.facet#tag", "tag": match[1]})
        for match in _TAG.finditer(text)
        if len(match[1]) <= 64 and not any(link.start() <= match.start() < link.end() for link, _ in links)  # noqa: PLR2004 - lexicon
    ]
    return [
        {
            "index": {"byteStart": _bytes(text, match.start()), "byteEnd": _bytes(text, match.end())},
            "features": [feature],
        }
        for match, feature in [*links, *tags]
    ]


def _bytes(text: str, at: int) -> int:
    return len(text[:at].encode())


def _error(answer: Answer) -> tuple[str, str]:
    try:
        body = answer.json()
    except ConnectorError:
        return "", f"an error of status {answer.status}"
    if not isinstance(body, dict):
        return "", f"an error of status {answer.status}"
    return str(body.get("error") or ""), str(body.get("message") or body.get("error") or "no reason")[:300]


def _object(answer: Answer, needed: str, *, write: bool) -> dict[str, Any]:
    body = answer.json()
    if not isinstance(body, dict) or needed not in body:
        words = f"Bluesky answered without {needed!r}."
        raise (OutcomeUnknownError if write else TryLaterError)(words)
    return body
