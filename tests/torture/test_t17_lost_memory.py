"""T17: Redis or the index is lost at any moment. No effect is lost or done twice, answers come within 3 s and say so.

Fifty points, seeded: thirty in a house at work, where the judge is the provider's own ledger, and twenty in which the
files of the index are deleted, cut or overwritten, and what is rebuilt must find the same.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

from bot.testing import PaperHouse
from memory.context import AWAY, Context
from memory.database import Database
from memory.recall import Memory, Record
from tests.memory.paper_embedder import PaperEmbedder
from tests.torture.bare import Found

SEED = 17
REDIS_POINTS, INDEX_POINTS = 30, 20
ANSWER_S = 3.0
MOMENTS = ("before the request", "between card and press", "after the press", "before the question")


def patient(home: Path) -> Context:
    """Return one that takes nothing for away that is only slow: this machine may be busy."""
    return Context("", home / "valkey", timeout_s=60.0)


def in_time(spans: Mapping[str, Sequence[float]]) -> None:
    """Hold the answers of each moment to their promise; one alone may have met a busy machine."""
    for moment, taken in spans.items():
        assert median(taken) < ANSWER_S, (moment, taken)


def kill_redis(home: Path) -> bool:
    """Kill the server as a crash does; returns whether there was one."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, ChildProcessError):
        pid = int((home / "valkey" / "valkey.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return True
    return False


async def torture(folder: Path, count: int, seed: int) -> Found:
    """Lose Redis at three fifths of the points, and the index at the others."""
    found, chance = Found(seed), random.Random(seed)
    redis = count * 3 // 5
    for name, lose, points in (("redis", _lose_redis, redis), ("index", _lose_index, count - redis)):
        (folder / name).mkdir()
        try:
            await lose(folder / name, points, chance)
        except AssertionError as error:
            found.faults.append(f"{name}: {error}")
        found.counts[f"{name} lost"] = points
    return found


async def test_redis_may_be_lost_at_any_moment(tmp_path: Path) -> None:
    await _lose_redis(tmp_path, REDIS_POINTS, random.Random(SEED))


async def _lose_redis(tmp_path: Path, points: int, chance: random.Random) -> None:
    context = patient(tmp_path / "home")
    spans: dict[str, list[float]] = defaultdict(list)
    async with PaperHouse(tmp_path / "home", context=context) as house:
        assert await back(context)
        await house.operator("remember that the logo is green")
        await house.remembered()
        for point in range(points):
            moment = chance.choice(MOMENTS)

            def lose(now: str, moment: str = moment) -> None:
                if now == moment:
                    assert kill_redis(house.home)

            lose("before the request")
            await house.operator(f"ask post to=anna@acme.example body=Number {point}")
            lose("between card and press")
            assert await house.press("Approve") == "Approved."
            lose("after the press")
            await house.later(minutes=2)
            lose("before the question")
            began = time.monotonic()
            await house.operator("/recall which colour has the logo")
            spans[moment].append(time.monotonic() - began)
            answer = house.channel.words[-1]
            assert "the logo is green" in answer, moment
            if moment == "before the question":
                assert AWAY in answer
            await house.remembered()
            assert await back(context), moment
            if chance.random() < 0.1:
                await _restart(house)
                context = house._context  # type: ignore[assignment]
        in_time(spans)
        bodies = Counter(str(args["body"]) for _, args in house.provider.accepted)
        assert bodies == {f"Number {point}": 1 for point in range(points)}
        assert "/recall" not in house.machine.history.stuck_lines()


async def back(context: Context) -> bool:
    """Start it, patiently: on a busy machine its first answer may take longer than a house would wait."""
    return await context.start() or await context.start() or await context.start()


async def _restart(house: PaperHouse) -> None:
    await house.stop()
    house._context = patient(house.home)
    house._build()
    await house._run()
    assert await house._context.start()


DAMAGES: tuple[Callable[[Path, random.Random], None], ...] = (
    lambda folder, _: shutil.rmtree(folder),
    lambda folder, chance: _one(folder, chance).unlink(),
    lambda folder, chance: _cut(_one(folder, chance), chance),
    lambda folder, chance: _flip(_one(folder, chance), chance),
    lambda folder, chance: _one(folder, chance).write_bytes(b""),
)


def _one(folder: Path, chance: random.Random) -> Path:
    return chance.choice(sorted(path for path in folder.rglob("*") if path.is_file()))


def _cut(path: Path, chance: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: chance.randrange(max(1, path.stat().st_size))])


def _flip(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(bytes(content))


async def test_the_index_may_be_lost_or_torn_and_is_made_again_the_same(tmp_path: Path) -> None:
    await _lose_index(tmp_path, INDEX_POINTS, random.Random(SEED))


async def _lose_index(tmp_path: Path, points: int, chance: random.Random) -> None:
    spans: dict[str, list[float]] = {"rebuilding": []}
    with Database.open(tmp_path) as database:
        memory = Memory.open(database, tmp_path / "memory", PaperEmbedder(), exact_max=40)
        words = [f"w{number}" for number in range(60)]
        memory.remember([Record(" ".join(chance.sample(words, 6)), source=str(n)) for n in range(300)])
        memory.drain(1000)
        questions = [" ".join(chance.sample(words, 3)) for _ in range(5)]
        memory.rebuild()
        wanted = [found(memory, question) for question in questions]
        for point in range(points):
            damage = DAMAGES[point % len(DAMAGES)]
            damage(tmp_path / "memory" / "index", chance)
            began = time.monotonic()
            memory = Memory.open(database, tmp_path / "memory", PaperEmbedder(), exact_max=40)
            meanwhile = memory.recall(questions[0])
            spans["rebuilding"].append(time.monotonic() - began)
            assert meanwhile
            assert bool(meanwhile.note) == meanwhile.lexical_only
            memory.wait_ready()
            assert memory.ready
            assert [found(memory, question) for question in questions] == wanted, point
    in_time(spans)


def found(memory: Memory, question: str) -> list[tuple[int, float]]:
    """Return what is found, and how well."""
    return [(hit.record.id, round(hit.score, 4)) for hit in memory.recall(question)]


async def test_the_negative_twin_a_house_that_needs_redis_stops_answering(tmp_path: Path) -> None:
    """What the first test shows is a guard's work: a context that raises breaks the answer."""
    context = patient(tmp_path / "home")

    async def raising() -> bool:
        raise ConnectionError("Redis is gone")

    context.alive = raising  # type: ignore[method-assign]
    async with PaperHouse(tmp_path / "home", context=context) as house:
        await house.operator("/recall which colour has the logo")
        assert "Something broke in my own code" in house.channel.words[-1]
