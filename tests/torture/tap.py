"""A wire tap before an IMAP server: lines pass unchanged, and a hook is told when a write goes by.

    async with tap("127.0.0.1", dovecot.port, hook) as port:
        ...

``hook("during")`` is called when a command that writes has come and before the server has it, ``hook("taken")`` when the
server has said that it is done and before the client has heard it. When the hook returns True, the line is cut there.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable

WRITES = re.compile(rb"(?m)^(\S+) (?:UID )?(?:APPEND|STORE|EXPUNGE|MOVE)\b", re.IGNORECASE)

Hook = Callable[[str], bool]


async def _up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hook: Hook, tags: set[bytes]) -> None:
    while piece := await reader.read(65_536):
        if found := WRITES.search(piece):
            if hook("during"):
                return
            tags.add(found[1])
        writer.write(piece)
        await writer.drain()


async def _down(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hook: Hook, tags: set[bytes]) -> None:
    while piece := await reader.read(65_536):
        for tag in list(tags):
            if re.search(rb"(?m)^" + re.escape(tag) + rb" OK", piece):
                tags.discard(tag)
                if hook("taken"):
                    return
        writer.write(piece)
        await writer.drain()


@contextlib.asynccontextmanager
async def tap(host: str, port: int, hook: Hook) -> AsyncIterator[int]:
    """Listen on a port of its own before ``host:port``."""
    lines: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        lines.add(task)
        tags: set[bytes] = set()
        far_reader, far_writer = await asyncio.open_connection(host, port)
        both = [
            asyncio.ensure_future(_up(reader, far_writer, hook, tags)),
            asyncio.ensure_future(_down(far_reader, writer, hook, tags)),
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in both:
                each.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            for end in (writer, far_writer):
                end.close()
            lines.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(lines):
            task.cancel()
        await asyncio.gather(*lines, return_exceptions=True)
