"""The short-term memory: kept for a while, lost without harm, and never in anybody's way."""

import asyncio
import contextlib
import os
import signal
from datetime import UTC, datetime, timedelta

import pytest_asyncio

from memory.context import AWAY, REST_S, STARTING, Context, Turn

PATIENCE_S = 60.0  # a server that is there answers; this machine may be busy
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Stopwatch:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def said(number):
    return Turn("operator", f"line {number}", AT + timedelta(minutes=number))


@pytest_asyncio.fixture
async def context(tmp_path):
    made = Context("", tmp_path / "valkey", clock=Stopwatch(), window=3, ttl_s=60, timeout_s=PATIENCE_S)
    assert await made.start()
    yield made
    await made.disconnect()
    made.close()


def pid_of(tmp_path):
    return int((tmp_path / "valkey" / "valkey.pid").read_text())


def kill(tmp_path):
    """As a crash does; returns once the process is gone."""
    pid = pid_of(tmp_path)
    os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


async def test_the_newest_turns_are_kept_in_order(context) -> None:
    for number in range(5):
        await context.heard("web:main", said(number))
    await context.heard("telegram:7", said(9))
    assert [turn.text for turn in await context.turns("web:main")] == ["line 2", "line 3", "line 4"]
    assert (await context.turns("web:main"))[0].at == said(2).at
    assert context.note == ""


async def test_everything_has_an_end(context) -> None:
    await context.heard("web:main", said(1))
    await context.put("answer", "42", ttl_s=30)
    async for key in context._client.scan_iter(match="*"):
        assert 0 < await context._client.ttl(key) <= 60, key


async def test_an_answer_is_kept_and_given_again(context) -> None:
    assert await context.get("what") is None
    await context.put("what", "that", ttl_s=30)
    assert await context.get("what") == "that"
    await context.put("long", "x" * 300_000, ttl_s=30)
    assert await context.get("long") is None


async def test_flushing_leaves_nothing(context) -> None:
    await context.heard("web:main", said(1))
    await context.put("what", "that", ttl_s=30)
    assert await context.flush()
    assert [key async for key in context._client.scan_iter(match="*")] == []
    assert await context.turns("web:main") == []


async def test_a_dead_server_costs_nothing_and_is_told(context, tmp_path) -> None:
    await context.put("what", "that", ttl_s=30)
    kill(tmp_path)
    assert await context.get("what") is None
    assert context.note == AWAY
    await context.heard("web:main", said(1))
    assert await context.turns("web:main") == []
    assert not await context.flush()


async def test_nobody_waits_for_a_dead_server_twice(context, tmp_path) -> None:
    kill(tmp_path)
    await context.get("first")
    asked = []
    context._client.get = asked.append
    await context.get("second")
    assert asked == []
    context._clock.seconds += REST_S
    await context.get("third")
    assert len(asked) == 1


async def test_it_comes_back(context, tmp_path) -> None:
    kill(tmp_path)
    await context.get("what")
    assert await context.start()
    await context.put("what", "that", ttl_s=30)
    assert (await context.get("what"), context.note) == ("that", "")


async def test_a_server_left_behind_is_taken_over_and_ended(context, tmp_path) -> None:
    await context.put("what", "that", ttl_s=30)
    pid = pid_of(tmp_path)
    second = Context("", tmp_path / "valkey", timeout_s=PATIENCE_S)
    assert await second.start()
    assert await second.get("what") == "that"
    assert pid_of(tmp_path) == pid
    await second.disconnect()
    await asyncio.to_thread(second.close)
    assert not (tmp_path / "valkey" / "valkey.pid").exists()
    assert await context.get("what") is None


async def test_before_it_is_started_it_holds_nothing_and_breaks_nothing(tmp_path) -> None:
    context = Context("", tmp_path)
    await context.put("what", "that", ttl_s=30)
    assert (await context.get("what"), context.note) == (None, STARTING)
    context.close()
    assert not await context.start()


async def test_an_address_where_nobody_answers_is_no_error(tmp_path) -> None:
    context = Context("redis://127.0.0.1:1/0", tmp_path)
    assert not await context.start()
    assert context.note == AWAY
    await context.disconnect()


async def test_the_negative_twin_a_server_that_is_asked_directly_does_raise(context, tmp_path) -> None:
    kill(tmp_path)
    with contextlib.suppress(Exception):
        await context._client.get("what")
        raise AssertionError("a dead server answered: the tests above prove nothing")
