"""What a promise in seconds counts, and what it leaves out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from tests.held_up import LOOK_S, HeldUp


async def waits() -> None:
    for _ in range(30):
        await asyncio.sleep(LOOK_S)


async def computes() -> None:
    began = time.thread_time()
    while time.thread_time() - began < 0.1:
        sum(range(1000))


async def stands_still() -> None:
    time.sleep(0.2)  # noqa: ASYNC251 - as if somebody else had the processor


async def promised(machine: HeldUp, work: Callable[[], Awaitable[None]]) -> None:
    with machine.within(0.05, work.__name__):
        await work()


async def test_what_is_waited_for_and_computed_counts_and_what_the_machine_takes_for_others_does_not() -> None:
    async with HeldUp() as machine:
        with pytest.raises(AssertionError, match="waits took"):
            await promised(machine, waits)
        with pytest.raises(AssertionError, match="computes took"):
            await promised(machine, computes)
        await promised(machine, stands_still)
        assert machine.seconds > 0.1
