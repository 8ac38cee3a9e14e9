"""The pace of sending."""

from __future__ import annotations

import asyncio

import pytest

from bot.channels.base import UndeliverableError
from bot.channels.telegram.lanes import CHAT_BURST, ORDINARY, URGENT, WAITING_MAX, Lanes
from bot.channels.telegram.wire import FloodedError, UnreachableError
from tests.counterparts.telegram_ear import QuickClock


async def test_a_chat_gets_a_burst_and_then_one_message_a_second() -> None:
    clock = QuickClock()
    lanes = Lanes(clock)
    sent: list[float] = []

    async def call() -> None:
        sent.append(clock.elapsed_s())

    async with lanes.turn(1, ORDINARY):
        for _ in range(int(CHAT_BURST) + 10):
            await lanes.send(1, call)
    assert sent[: int(CHAT_BURST)] == [0.0] * int(CHAT_BURST)
    assert sent[-1] == pytest.approx(10.0)


async def test_one_hundred_chats_share_thirty_a_second() -> None:
    clock = QuickClock()
    lanes = Lanes(clock)

    async def call() -> None:
        return

    for chat in range(100):
        async with lanes.turn(chat, ORDINARY):
            await lanes.send(chat, call)
    assert clock.elapsed_s() == pytest.approx((100 - 30) / 30, abs=0.1)


async def test_urgent_ones_are_let_in_first_and_equals_in_their_order() -> None:
    lanes, order = Lanes(QuickClock()), list[str]()

    async def say(what: str, urgency: int) -> None:
        async with lanes.turn(1, urgency):
            order.append(what)

    async with asyncio.TaskGroup() as group, lanes.turn(1, ORDINARY):
        for number in range(3):
            group.create_task(say(f"word {number}", ORDINARY))
        for number in range(3):
            group.create_task(say(f"card {number}", URGENT))
        await asyncio.sleep(0)
    assert order == ["card 0", "card 1", "card 2", "word 0", "word 1", "word 2"]


async def test_who_gives_up_waiting_does_not_hold_up_the_others() -> None:
    lanes, order = Lanes(QuickClock()), list[str]()

    async def say(what: str) -> None:
        async with lanes.turn(1, ORDINARY):
            order.append(what)

    turn = lanes.turn(1, ORDINARY)
    await turn.__aenter__()
    waiting = [asyncio.ensure_future(say(what)) for what in ("a", "b", "c")]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await turn.__aexit__(None, None, None)
    waiting[1].cancel()  # after its turn was given to it
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result).__name__ for result in results] == ["CancelledError", "CancelledError", "NoneType"]
    assert order == ["c"]


async def test_a_lane_that_is_too_long_says_so() -> None:
    lanes = Lanes(QuickClock())

    async def wait() -> None:
        async with lanes.turn(1, ORDINARY):
            pass

    async with lanes.turn(1, ORDINARY):
        tasks = [asyncio.ensure_future(wait()) for _ in range(WAITING_MAX)]
        await asyncio.sleep(0)
        with pytest.raises(UndeliverableError, match="waiting"):
            await wait()
    await asyncio.gather(*tasks)


async def test_pauses_are_waited_out_and_faults_are_tried_again_up_to_a_bound() -> None:
    clock = QuickClock()
    lanes = Lanes(clock)
    fates: list[Exception | None] = [FloodedError(7), UnreachableError("502"), None]

    async def call() -> str:
        fate = fates.pop(0)
        if fate is not None:
            raise fate
        return "sent"

    async with lanes.turn(1, ORDINARY):
        assert await lanes.send(1, call) == "sent"
        assert clock.slept[:2] == [7, 0.5]
        fates[:] = [UnreachableError("gone")] * 9
        with pytest.raises(UndeliverableError, match="gone"):
            await lanes.send(1, call)
        assert len(fates) == 4
