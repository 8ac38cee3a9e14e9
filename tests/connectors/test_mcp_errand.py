"""What a broken way to an MCP server means: a no, not yet, or nobody knows; the server's own ledger says which was true."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from connectors.base import OutcomeUnknownError, RefusedError, TryLaterError, Workshop
from connectors.mcp_errand import Errand
from connectors.mcp_servers import Server
from connectors.mcp_tools import Mcp, Tool
from tests.connectors.test_mcp_tools import over_http


class Gateway:
    """Stands before a server over HTTP, as a provider's front does, and spoils the answer to a call of a tool."""

    def __init__(self, behind: str) -> None:
        self.behind = behind
        self.status, self.body, self.kind, self.before = 0, "", "text/html", False

    async def serve(self, request: web.Request) -> web.Response:
        content = await request.read()
        calls = b'"tools/call"' in content
        if calls and self.status and self.before:
            return web.Response(status=self.status, text=self.body, content_type=self.kind)
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        async with (
            ClientSession() as there,
            there.request(request.method, self.behind, data=content, headers=headers) as answer,
        ):
            whole = await answer.read()
            if calls and self.status:
                return web.Response(status=self.status, text=self.body, content_type=self.kind)
            kept = {
                name: value
                for name, value in answer.headers.items()
                if name.lower().startswith(("mcp", "content-type"))
            }
            return web.Response(status=answer.status, body=whole, headers=kept)


@pytest.fixture
async def gateway(tmp_path: Path):
    async with contextlib.AsyncExitStack() as stack:
        made = Gateway(await stack.enter_async_context(over_http(tmp_path / "ledger")))
        app = web.Application()
        app.router.add_route("*", "/mcp", made.serve)
        front = TestServer(app)
        await front.start_server()
        stack.push_async_callback(front.close)
        made.url = str(front.make_url("/mcp"))
        yield made


def behind(gateway: Gateway, home: Path) -> tuple[Mcp, Server]:
    server = Server("notes", url=gateway.url)
    schema = {
        "properties": {"text": {"title": "Text", "type": "string"}}, "required": ["text"], "title": "jotArguments",
        "type": "object",
    }  # fmt: skip
    seen = {"notes": {"jot": Tool("jot", "Write a note, and answer with its number.", schema)}}
    return Mcp(Workshop(home, None, None), {"notes": server}, seen), server


@pytest.mark.parametrize(
    ("status", "kind", "body", "before", "raised", "times"),
    [
        (0, "", "", False, None, 1),
        (502, "text/html", "<h1>Bad gateway</h1>", False, OutcomeUnknownError, 1),
        (504, "text/html", "", False, OutcomeUnknownError, 1),
        (500, "application/json", '{"jsonrpc": "2.0", "id": null, "error": {"code": -32603, "message": "x"}}', False, OutcomeUnknownError, 1),
        (200, "application/json", "{half an answ", False, OutcomeUnknownError, 1),
        (200, "text/html", "<h1>Welcome</h1>", False, OutcomeUnknownError, 1),
        (401, "text/plain", "", True, RefusedError, 0),
        (403, "text/plain", "", True, RefusedError, 0),
        (413, "text/plain", "", True, RefusedError, 0),
        (429, "text/plain", "", True, TryLaterError, 0),
    ],
)  # fmt: skip
async def test_a_gateway_that_spoils_the_answer_is_never_taken_for_a_no(
    gateway, tmp_path, status, kind, body, before, raised, times
):
    gateway.status, gateway.kind, gateway.body, gateway.before = status, kind, body, before
    mcp, server = behind(gateway, tmp_path)
    if raised is None:
        await mcp.call(server, "jot", "", {"text": "milk"})
    else:
        with pytest.raises(raised) as told:
            await mcp.call(server, "jot", "", {"text": "milk"})
        assert "notes" in str(told.value)
    ledger = tmp_path / "ledger"
    assert len(ledger.read_text().splitlines() if ledger.exists() else []) == times


async def test_twin_that_takes_every_code_of_the_library_for_a_no_says_that_nothing_happened(
    gateway, tmp_path, monkeypatch
):
    gateway.status = 502
    mcp, server = behind(gateway, tmp_path)
    monkeypatch.setattr(
        Errand, "why", lambda self, error: RefusedError(f"notes would not: {self.words(error)}") if error else None
    )
    with pytest.raises(RefusedError):
        await mcp.call(server, "jot", "", {"text": "milk"})
    assert (tmp_path / "ledger").read_text() == "- milk\n", "it had happened"
