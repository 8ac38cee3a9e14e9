"""A Soloist in a process of its own, as an operator starts it, to be killed with -9 and started again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass
class Child:
    """``python -m bot run`` on a home, with nothing in its environment but what is given."""

    home: Path
    environment: dict[str, str]
    said: list[str] = field(default_factory=list)
    _process: asyncio.subprocess.Process | None = None
    _reader: asyncio.Task[None] | None = None
    _ready: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def surroundings(self) -> dict[str, str]:
        """The whole environment of the process."""
        return {
            "PATH": os.environ["PATH"],
            "OMP_NUM_THREADS": "1",
            "SOLOIST_HOME": str(self.home),
            "SOLOIST_PORT": "0",
            "REDIS_URL": "none",  # a killed house would leave its server behind
            **self.environment,
        }

    async def start(self) -> None:
        """Start it; returns once it has said that it runs."""
        self._ready.clear()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "run", cwd=ROOT, env=self.surroundings,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        self._reader = asyncio.ensure_future(self._read())
        async with asyncio.timeout(120):
            await self._ready.wait()
        assert self._process.returncode is None, "\n".join(self.said)

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.said.append(line.decode().rstrip())
            if "Ctrl-C" in self.said[-1]:
                self._ready.set()
        self._ready.set()

    async def kill(self) -> None:
        """Kill it with -9: no handler runs, nothing is flushed."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Ask it to stop."""
        await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> None:
        assert self._process is not None
        assert self._reader is not None
        if self._process.returncode is None:
            self._process.send_signal(number)
        await self._process.wait()
        await self._reader
