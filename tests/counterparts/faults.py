"""A front before any HTTP service on loopback that lets requests fail at a chosen point.

    async with faulty("http://127.0.0.1:5232") as front:
        front.fail("drop", after=True)  # the service has done it, and its answer is lost
        ...
        assert front.calls["PUT"] == 2

``before`` the service has seen it, or ``after`` it took effect: ``drop`` (the connection breaks), ``hang`` (no answer
until the front closes), or a status such as ``503``.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
from aiohttp import web

NOT_FORWARDED = {"host", "content-length", "transfer-encoding", "connection"}
READS = {"GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT"}


@dataclass
class Front:
    """The front, and what it has seen."""

    behind: str
    url: str = ""
    calls: Counter = field(default_factory=Counter)  # method → requests that came
    passed: Counter = field(default_factory=Counter)  # method → requests that the service took with 2xx
    took: Counter = field(default_factory=Counter)  # (method, path) → the same, one by one
    hook: object = None  # called with (method, path, when): "before" or "after"; "drop" from it cuts the line
    _faults: list = field(default_factory=list)
    _end: asyncio.Event = field(default_factory=asyncio.Event)

    def fail(self, how: str, *, after: bool = False, times: int = 1, reads: bool = False) -> None:
        """Let the next writes (or reads) fail."""
        self._faults += [(how, after, reads)] * times

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.calls[request.method] += 1
        how, after, _ = self._next(reads=request.method in READS)
        if self.hook is not None and self.hook(request.method, request.path, "before") == "drop":
            return await self._fault(request, "drop")
        if how and not after:
            return await self._fault(request, how)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in NOT_FORWARDED}
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
            answer = await http.request(request.method, self.behind + request.path_qs, content=body, headers=headers)
        if answer.is_success:
            self.passed[request.method] += 1
            self.took[request.method, request.path] += 1
        if self.hook is not None and self.hook(request.method, request.path, "after") == "drop":
            return await self._fault(request, "drop")
        if how:
            return await self._fault(request, how)
        kept = {n: v for n, v in answer.headers.items() if n.lower() not in NOT_FORWARDED | {"content-encoding"}}
        return web.Response(status=answer.status_code, body=answer.content, headers=kept)

    def _next(self, *, reads: bool) -> tuple[str, bool, bool]:
        for fault in self._faults:
            if fault[2] == reads:
                self._faults.remove(fault)
                return fault
        return "", False, False

    async def _fault(self, request: web.Request, how: str) -> web.StreamResponse:
        if how == "hang":
            await self._end.wait()
        if how in {"drop", "hang"}:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        return web.json_response({"error": {"message": f"told to answer {how}"}}, status=int(how))


@contextlib.asynccontextmanager
async def faulty(behind: str) -> AsyncIterator[Front]:
    """Serve the front before a running service."""
    front = Front(behind)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", front.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    front.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield front
    finally:
        front._end.set()
        await runner.cleanup()
        await asyncio.sleep(0)
