"""A process that forgets and is killed on the way: ``python -m tests.torture.forgetter``, driven by T22.

One process is started and imports everything once. For each line on its input, ``<home> <card> <step>``, it forks a child that
opens the house, approves the card, and is killed by SIGKILL before its ``step``-th touch of the disk: a
commit, an fsync, a rename, a deletion. -1 is never. It answers with the number of steps and how the child ended.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from bot.testing import PaperHouse, understanding
from tests.memory.paper_embedder import PaperEmbedder

TOUCHES = ("fsync", "replace", "rename", "unlink")


def _fork(home: Path, card: str, at: int) -> str:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        count = [0]

        def step() -> None:
            if count[0] == at:
                os.kill(os.getpid(), signal.SIGKILL)
            count[0] += 1

        try:
            asyncio.run(_life(home, card, step))
            os.write(writing, str(count[0]).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    status = os.waitpid(child, 0)[1]
    return f"{told or '-'} {'killed' if os.WIFSIGNALED(status) else 'ended'}"


async def _life(home: Path, card: str, step: Any) -> None:
    house = PaperHouse(home, embedder=PaperEmbedder())
    async with house:
        house.machine.database.before_commit.append(lambda _: step())
        for name in TOUCHES:
            setattr(os, name, _counted(getattr(os, name), step))
        await house.operator(f"approve {card}", event_id="yes")
        await house.remembered()


def _counted(real: Any, step: Any) -> Any:
    def touch(*args: Any, **more: Any) -> Any:
        step()
        return real(*args, **more)

    return touch


def main() -> None:
    """Serve until the input ends."""
    understanding().close()  # trained once, and no thread is left to be forked
    print("ready", flush=True)
    for line in sys.stdin:
        home, card, at = line.strip().rsplit(" ", 2)
        print(_fork(Path(home), card, int(at)), flush=True)


if __name__ == "__main__":
    main()
