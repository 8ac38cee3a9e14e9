"""The way back from a provider's sign-in page: a port of this machine, or an address that is pasted.

It takes one answer that carries our own state, and says so on the page. Any connector may import this file.

Source: RFC 8252, 7.3 (loopback); RFC 6749, 4.1.2; RFC 9207 (who answered)
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qs, urlsplit

from connectors.base import ConnectorError, RefusedError, TryLaterError

WAIT_S = 600.0  # for a person to sign in; RFC 8628 and the providers give their codes about as long
HEAD_MAX = 8_192  # bytes of what a browser asks of us
HEAD_S = 10.0
OTHER_MACHINE = (
    "If your browser is on another machine, the last page will not load: paste its address here and press Enter."
)

Paste = Callable[[], Awaitable[str]]
"""Waits for a line that the operator pastes; never returns where nobody can."""


@dataclass(frozen=True)
class Came:
    """What a provider sent the operator back with."""

    code: str
    issuer: str = ""  # who says so, where it says (RFC 9207)


class WayBack:
    """A port of this machine to which the provider sends the operator back."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.address = ""
        self._host = host  # as the provider wants this machine to be called
        self.expected = ""  # the state an answer must carry
        self._found: asyncio.Future[Came] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Self:
        """Open the port."""
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0, limit=HEAD_MAX)
        self.address = f"http://{self._host}:{self._server.sockets[0].getsockname()[1]}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        self._server.close()
        await self._server.wait_closed()

    def expect(self, state: str) -> None:
        """Take an answer with this state from now on, and no other."""
        self.expected = state

    async def came(self, paste: Paste) -> Came:
        """Wait until the operator is back, by the port or by a pasted address.

        Raises:
            RefusedError: The operator or the provider said no.
            TryLaterError: Nobody came in time.
        """
        tasks = [asyncio.ensure_future(self._by_port()), asyncio.ensure_future(self._pasted(paste))]
        try:
            done, _ = await asyncio.wait(tasks, timeout=WAIT_S, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                raise TryLaterError("Nobody signed in within ten minutes. Nothing was changed; begin again.")
            return next(iter(done)).result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _by_port(self) -> Came:
        return await self._found

    async def _pasted(self, paste: Paste) -> Came:
        while True:
            if found := _came(urlsplit(await paste()).query, self.expected):
                return found

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(HEAD_S):
                head = await reader.readuntil(b"\r\n\r\n")
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            writer.close()
            return
        status, words = self._judged(head.partition(b"\r\n")[0].decode("latin-1"))
        body = f"<!doctype html><title>Soloist</title><p>{words}".encode()
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
            "Referrer-Policy: no-referrer\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n".encode()
            + body
        )
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    def _judged(self, first_line: str) -> tuple[str, str]:
        method, _, rest = first_line.partition(" ")
        query = urlsplit(rest.partition(" ")[0]).query
        try:
            found = _came(query, self.expected) if method == "GET" else None
        except ConnectorError as error:
            if not self._found.done():
                self._found.set_exception(error)
            return "200 OK", "Nothing was changed. You can close this page."
        if found is None:
            return "404 Not Found", "This page waits for a sign-in that was begun by Soloist."
        if not self._found.done():
            self._found.set_result(found)
        return "200 OK", "You are signed in. You can close this page."


def _came(query: str, state: str) -> Came | None:
    """Return what a way back carries, None when it is not ours: without our state it is nobody's.

    Raises:
        RefusedError: It is ours, and says no.
    """
    said = {name: values[0] for name, values in parse_qs(query).items()}
    if not state or not hmac.compare_digest(said.get("state", "").encode(), state.encode()):
        return None
    if error := said.get("error"):
        reason = said.get("error_description") or error
        raise RefusedError(f"The provider did not let Soloist in: {reason[:300]}. Nothing was changed.")
    return Came(said["code"], said.get("iss", "")) if said.get("code") else None
