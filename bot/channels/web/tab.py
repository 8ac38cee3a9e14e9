"""One open page, as the server sees it."""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import WSCloseCode, web

from bot.channels.web import frames

BEHIND_MAX = 500  # frames a slow tab may lag behind before it is asked to start over
TICK_S = 20.0  # a tab that hears nothing for longer than twice this knows the connection is dead


class Tab:
    """One open page: its socket, and what still has to go there."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self._frames: asyncio.Queue[str | None] = asyncio.Queue(BEHIND_MAX)

    def push(self, frame: str) -> None:
        """Queue a frame. A tab too far behind is closed: it comes back by itself and starts from a snapshot."""
        try:
            self._frames.put_nowait(frame)
        except asyncio.QueueFull:
            self.end()

    def end(self) -> None:
        """Forget what is queued and close."""
        while not self._frames.empty():
            self._frames.get_nowait()
        self._frames.put_nowait(None)

    async def write(self) -> None:
        """Send what is queued until the socket closes."""
        with contextlib.suppress(ConnectionError):
            while (frame := await self._next()) is not None:
                await self.socket.send_str(frame)
        await self.socket.close(code=WSCloseCode.GOING_AWAY, message=b"start over")

    async def _next(self) -> str | None:
        try:
            async with asyncio.timeout(TICK_S):
                return await self._frames.get()
        except TimeoutError:
            return frames.write("tick")
