"""Signing in to an MCP server over HTTP, once: ``python -m bot sign-in notes`` for ``[mcp.notes]`` of ``connectors.toml``.

The reference SDK does the talking: it finds the authorisation server, registers Soloist there where the operator has not
(``oauth = { client = "...", secret = "..." }``), and shows a page whose way back only this process can use (PKCE). What comes
of it lies in ``<home>/oauth/mcp-<server>.json`` beside the other sign-ins, readable by its owner alone, and counts for that
very address: a server that moves is signed in to anew.

In the house nobody can be asked. A token that has ended, or was turned down, is renewed with the refresh token; where that is
turned down as well, the tools say that a sign-in is due. No token and no code leaves this machine unencrypted, and a server on
the internet sends us to no address of the local network by its number; which names it may use, nobody checks.

Source: https://modelcontextprotocol.io/specification (authorization); RFC 9728, RFC 8414, RFC 7591, RFC 7636, RFC 8707
"""

from __future__ import annotations

import ipaddress
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from connectors import oauth
from connectors.base import RefusedError, TryLaterError, Workshop
from connectors.durable import keep_note
from connectors.mcp_servers import LOOPBACK, Server
from connectors.oauth_sign_in import Show
from connectors.oauth_way_back import OTHER_MACHINE, Paste, WayBack

NOBODY = "http://127.0.0.1/"  # a way back that is never used: in the house nobody can be asked


class Kept:
    """One server's sign-in on disk; an `mcp.client.auth.TokenStorage`."""

    def __init__(self, server: Server, workshop: Workshop, *, fresh: bool = False) -> None:
        """Read what there is, or with ``fresh`` begin anew: then nothing is written before there are tokens."""
        self._server = server
        self._now = workshop.now
        self._note = workshop.home / "oauth" / f"mcp-{server.name}.json"
        self._new: dict[str, Any] | None = {} if fresh else None
        self.metadata: Any = None  # where the tokens come from, as the server's authorisation server describes itself

    @property
    def there(self) -> bool:
        """Whether somebody has signed in."""
        return bool(self._read().get("tokens"))

    @property
    def secrets(self) -> list[str]:
        """What must be shown nowhere."""
        kept = self._read()
        found = [kept.get("tokens", {}).get(name) for name in ("access_token", "refresh_token")]
        return [str(each) for each in (*found, kept.get("client", {}).get("client_secret")) if each]

    def until(self) -> datetime | None:
        """Return when the access token ends, as far as the server has said so."""
        until = self._read().get("until")
        return datetime.fromisoformat(until) if until else None

    def described(self) -> Any:
        """Return the authorisation server's description as it was when somebody signed in."""
        from mcp.shared.auth import OAuthMetadata

        kept = self._read().get("metadata")
        return OAuthMetadata.model_validate(kept) if kept else None

    async def get_tokens(self) -> Any:
        """See `TokenStorage`."""
        from mcp.shared.auth import OAuthToken

        kept = self._read().get("tokens")
        return OAuthToken.model_validate(kept) if kept else None

    async def set_tokens(self, tokens: Any) -> None:
        """See `TokenStorage`. A server that names no new refresh token means the old one."""
        tokens.refresh_token = tokens.refresh_token or self._read().get("tokens", {}).get("refresh_token")
        lasts = timedelta(seconds=tokens.expires_in) if tokens.expires_in else None
        more = {"metadata": self.metadata.model_dump(mode="json", exclude_none=True)} if self.metadata else {}
        self._write(
            tokens=tokens.model_dump(mode="json", exclude_none=True),
            until=(self._now() + lasts - oauth.EARLY).isoformat() if lasts else "",
            **more,
        )

    async def get_client_info(self) -> Any:
        """See `TokenStorage`: who we are there, as the operator says or as the server has registered us."""
        from mcp.shared.auth import OAuthClientInformationFull

        kept = self._read().get("client")
        if self._server.oauth.get("client"):
            secret = self._server.oauth.get("secret", "")
            method = "client_secret_post" if secret else "none"
            kept = {
                "client_id": self._server.oauth["client"],
                "client_secret": secret,
                "token_endpoint_auth_method": method,
            }
        return OAuthClientInformationFull.model_validate(kept) if kept else None

    async def set_client_info(self, client_info: Any) -> None:
        """See `TokenStorage`."""
        self._write(client=client_info.model_dump(mode="json", exclude_none=True))

    def _read(self) -> dict[str, Any]:
        if self._new is not None:
            return self._new
        try:
            found = json.loads(self._note.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) and found.get("url") == self._server.url else {}

    def _write(self, **parts: object) -> None:
        whole = {**self._read(), "url": self._server.url, **parts}
        if self._new is not None:
            self._new = whole
        if "tokens" in whole:
            keep_note(self._note, whole)


def provider(server: Server, kept: Kept, *, show: Any = None, back: Any = None, address: str = NOBODY) -> Any:
    """Return what signs each request (an `httpx2.Auth`): with somebody to ask (``show``, ``back``), or in the house.

    Args:
        server: Which one.
        kept: Where its sign-in lies.
        show: Brings the page's address before the operator.
        back: Waits for the operator to be back.
        address: Where they come back to.
    """
    from mcp.client.auth import OAuthClientProvider
    from mcp.shared.auth import OAuthClientMetadata

    class Provider(OAuthClientProvider):
        """The SDK's, with what it leaves out: a description that outlives the process, and a house with nobody to ask."""

        async def _initialize(self) -> None:
            await super()._initialize()
            self.context.oauth_metadata = self.context.oauth_metadata or kept.described()
            until = kept.until()
            self.context.token_expiry_time = until.timestamp() if until else None

        async def _handle_token_response(self, response: Any) -> None:
            kept.metadata = self.context.oauth_metadata
            self._initialized = False  # where it fails, the next request looks whether somebody has signed in meanwhile
            await super()._handle_token_response(response)
            self._initialized = True

        async def _handle_refresh_response(self, response: Any) -> bool:
            if response.status_code >= 500 or response.status_code == 429:  # noqa: PLR2004 - RFC 9110: not now
                raise TryLaterError(f"The login service of {server.name} answered {response.status_code}.")
            return await super()._handle_refresh_response(response)

        async def _perform_authorization(self) -> Any:
            if show is not None:
                return await super()._perform_authorization()
            if self.context.can_refresh_token():  # the token was turned down before its time
                return await self._refresh_token()
            self._initialized = False
            raise RefusedError(wants_sign_in(server))

    # It logs whole tracebacks, and they quote what a login service has answered.
    logging.getLogger("mcp.client.auth.oauth2").setLevel(logging.CRITICAL)
    names: Mapping[str, Any] = {"client_name": "Soloist", "redirect_uris": [address]}
    return Provider(server.url, OAuthClientMetadata.model_validate(names), kept, show, back)


def wants_sign_in(server: Server) -> str:
    """Return what the operator reads where a server lets nobody in unknown."""
    return f"{server.name} wants you to sign in: python -m bot sign-in {server.name}"


def guard(server: Server, request: Any) -> None:
    """Let a request go only where a token may travel: encrypted, and never from the internet into the local network.

    Raises:
        RefusedError: It would not.
    """
    host = str(request.url.host)
    if request.url.scheme != "https" and host not in LOOPBACK:
        raise RefusedError(f"{server.name} wants a request to {host} that is not encrypted, so nothing was sent there.")
    if _is_local(host) and not _is_local(str(urlsplit(server.url).hostname)):
        raise RefusedError(
            f"{server.name} points to {host}, an address of the local network, so nothing was sent there."
        )


def _is_local(host: str) -> bool:
    if host in LOOPBACK or host.endswith(".localhost"):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False


@asynccontextmanager
async def asking(server: Server, workshop: Workshop, show: Show, paste: Paste) -> AsyncIterator[Any]:
    """Yield what signs each request, and asks the operator to sign in at the first of them.

    Args:
        server: Which one.
        workshop: Whose home keeps what comes of it; until then an older sign-in stays.
        show: Puts words before the operator.
        paste: Waits for the address of the page that did not load.
    """
    from mcp.shared.auth import AuthorizationCodeResult

    async with WayBack() as back:

        async def open_page(page: str) -> None:
            parts = urlsplit(page)
            if parts.scheme != "https" and parts.hostname not in LOOPBACK:
                raise RefusedError(
                    f"The sign-in page of {server.name} is not encrypted ({parts.hostname}). Nothing was changed."
                )
            back.expect(_state(page))
            show(f"Open this page and sign in:\n\n  {page}\n")
            show(OTHER_MACHINE)

        async def came_back() -> AuthorizationCodeResult:
            came = await back.came(paste)
            return AuthorizationCodeResult(code=came.code, state=back.expected, iss=came.issuer or None)

        kept = Kept(server, workshop, fresh=True)
        yield provider(server, kept, show=open_page, back=came_back, address=back.address)


def _state(page: str) -> str:
    return parse_qs(urlsplit(page).query).get("state", [""])[0]
