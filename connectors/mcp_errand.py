"""One errand at an MCP server: a connection, signed in where somebody has signed in, and in our words what became of it."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from connectors.base import ConnectorError, RefusedError, TryLaterError, Workshop
from connectors.client import Redactor
from connectors.mcp_servers import Server
from connectors.mcp_sign_in import Kept, guard, provider, wants_sign_in

CALL_S = 60.0
_UNKNOWN, _PARAMS = -32601, -32602  # JSON-RPC: no such method, arguments that do not fit: turned away before it runs
_SIGN_IN, _TOO_MANY, _THEIRS, _OURS = 401, 429, 500, 400


class Line:
    """What all errands at one server share."""

    def __init__(self, server: Server, workshop: Workshop) -> None:
        self.server = server
        self._kept = Kept(server, workshop)
        self._signs: Any = None  # one for all: two errands must not renew the same token at once

    def errand(self) -> Errand:
        """Begin one; a state that a server keeps between two is not to be relied on."""
        if self._signs is None and self.server.may_sign_in and self._kept.there:
            self._signs = provider(self.server, self._kept)
        return Errand(self.server, self.redact, self._signs)

    def redactor(self) -> Redactor:
        """Return what blanks out everything that lets us in, as of now."""
        return Redactor([*self.server.secrets, *self._kept.secrets])

    def redact(self, text: str) -> str:
        """Return a server's words without what lets us in."""
        return self.redactor()(text)


class Errand:
    """One connection."""

    def __init__(self, server: Server, redact: Any, signs: Any = None) -> None:
        self._server = server
        self._redact = redact
        self._signs = signs
        self._status = 0  # of the last HTTP answer that was an error
        self._trouble: ConnectorError | None = None  # what we know better than the library says

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Any]:
        """Open the connection."""
        from mcp import StdioServerParameters, stdio_client
        from mcp.client import Client
        from mcp.client.streamable_http import streamable_http_client

        async with AsyncExitStack() as stack:
            if self._server.command:
                silence = stack.enter_context(os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
                head, *rest = self._server.command
                program = StdioServerParameters(command=head, args=rest, env=dict(self._server.env))
                transport: Any = stdio_client(program, silence)
            else:
                http = await stack.enter_async_context(self._http())
                transport = streamable_http_client(self._server.url, http_client=http)
            yield await stack.enter_async_context(Client(transport))

    def why(self, error: BaseException) -> ConnectorError | None:
        """Return what went wrong where we know that nothing was done, else None: nobody knows."""
        if self._trouble is not None:
            return self._trouble
        root = _root(error)
        if isinstance(root, ConnectorError):
            return root
        words = self.words(error)
        if self._status == _SIGN_IN and self._server.may_sign_in:
            return RefusedError(wants_sign_in(self._server))
        if self._status == _TOO_MANY:
            return TryLaterError(f"{self._server.name} wants fewer calls: {words}")
        if _OURS <= self._status < _THEIRS or _turned_away(root):
            return RefusedError(f"{self._server.name} said no: {words}")
        return None

    def words(self, error: BaseException) -> str:
        """Return an error's own words, without what lets us in."""
        root = _root(error)
        return str(self._redact(str(root) or type(root).__name__))

    def _http(self) -> Any:
        import httpx2

        return httpx2.AsyncClient(
            headers=dict(self._server.headers),
            timeout=CALL_S,
            trust_env=False,
            auth=_noted(self._signs, self) if self._signs is not None else None,
            event_hooks={"request": [self._before], "response": [self._after]},
        )

    async def _before(self, request: Any) -> None:
        try:
            guard(self._server, request)
        except ConnectorError as error:
            self._trouble = error
            raise

    async def _after(self, response: Any) -> None:
        if response.request.method == "POST" and str(response.request.url) == self._server.url:
            self._status = response.status_code if response.status_code >= _OURS else 0

    def note(self, error: Exception) -> None:
        """Take down what went wrong while signing: the library wraps it, or only logs it."""
        from mcp.client.auth import OAuthFlowError

        if isinstance(error, ConnectorError):
            self._trouble = error
        elif isinstance(error, OAuthFlowError):
            words = self.words(error)
            self._trouble = RefusedError(f"{wants_sign_in(self._server)} (it said: {words})")


def _noted(signs: Any, errand: Errand) -> Any:
    import httpx2

    class Noted(httpx2.Auth):
        async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:
            flow = signs.async_auth_flow(request)
            try:
                outgoing = await anext(flow)
                while True:
                    outgoing = await flow.asend((yield outgoing))
            except StopAsyncIteration:
                return
            except Exception as error:
                errand.note(error)
                raise
            finally:
                await flow.aclose()

    return Noted()


def _turned_away(error: BaseException) -> bool:
    """Tell a no from a silence. The library makes other codes up, also for an answer that it could not read."""
    from mcp import MCPError

    return isinstance(error, MCPError) and error.error.code in {_UNKNOWN, _PARAMS}


def _root(error: BaseException) -> BaseException:
    """What went wrong in the first place: connections are task groups, which wrap what is raised in them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
