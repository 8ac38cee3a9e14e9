"""Sending through storms: nothing lost, nothing twice, order kept, cards first. Judged by what stands in the workspace."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest

from bot.channels.base import Message, UndeliverableError
from bot.channels.slack import Slack
from bot.channels.slack.lane import URGENT, USUAL, Lane
from memory.events import Place
from tests.bot.channels.slack_house import House, QuickClock, card, house
from tests.counterparts.slack import ALICE, APP_TOKEN, BOB, BOT_TOKEN, GENERAL, LocalSlack, local_slack

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def slack() -> Iterator[LocalSlack]:
    with local_slack("socket") as running:
        yield running


def stormy(seed: int):
    """Half of everything fails: 429, 503, cut before Slack saw it, cut after Slack did it."""
    chance = random.Random(seed)
    kinds = ["429", "429", "429", "503", "html", "drop", "reset", "reset", "error:internal_error"]
    return lambda method, _: chance.choice(kinds) if chance.random() < 0.5 else ""


async def outbox(home: House, place: Place, todo: list[Message | object]) -> None:
    """Send one after the other and try again when told "not now", as the house does."""
    for item in todo:
        for _ in range(200):
            try:
                await (home.channel.say(place, item) if isinstance(item, Message) else home.channel.ask(place, item))
                break
            except UndeliverableError as not_now:
                if not_now.forever or not_now.retry_after_s is None:
                    raise
                await home.channel._clock.sleep(not_now.retry_after_s)
        else:
            raise AssertionError("never sent")


def shown(messages: list[dict], what: str) -> list[str]:
    """Return the ids of what stands there, from the marks."""
    marks = [(message["blocks"][0].get("block_id") or "").split("/") for message in messages if message.get("blocks")]
    return [mark[2] for mark in marks if len(mark) > 2 and mark[1] == what]


async def storm(home: House, seed: int, count: int = 500) -> dict[str, list[str]]:
    """Send messages into five conversations while half of all calls fail; return what stands where."""
    places = [Place(channel="slack", conversation=GENERAL)]
    places += [Place(channel="slack", conversation=await home.slack.dm(user)) for user in (ALICE, BOB)]
    places += [Place(channel="slack", conversation=GENERAL, thread=f"{n}.000001") for n in (1, 2)]
    home.edge.fault = stormy(seed)
    lists = [[Message(f"{p}-{n}.m1", f"word {n}") for n in range(count // 5)] for p in range(len(places))]
    await asyncio.gather(*(outbox(home, place, todo) for place, todo in zip(places, lists, strict=True)))
    home.edge.fault = lambda *_: ""
    found: dict[str, list[str]] = {}
    for number, place in enumerate(places):
        ids = shown(await home.slack.messages(place.conversation), "say")
        found[str(number)] = [mark for mark in ids if mark.startswith(f"{number}-")]
    return found


async def test_500_sends_in_a_storm_arrive_once_and_in_order_t15(slack) -> None:
    async with house(slack) as home:
        found = await storm(home, seed=15)
        for number, marks in found.items():
            assert marks == [f"{number}-{n}.m1" for n in range(100)]
        assert len(home.edge.tried) > 900


async def test_with_the_librarys_own_retries_and_without_marks_they_would_double_t15_twin(slack, monkeypatch) -> None:
    async with house(slack) as home:

        async def never(where, mark) -> str:
            return ""

        monkeypatch.setattr(home.channel._poster, "_standing", never)
        found = await storm(home, seed=15)
        assert any(len(marks) > len(set(marks)) for marks in found.values())


async def test_cards_jump_the_queue_in_a_storm_t15(slack) -> None:
    async with house(slack) as home:
        dm = await slack.dm()
        place = Place(channel="slack", conversation=dm)
        gate, held = asyncio.Event(), asyncio.Event()
        await home.channel.say(place, Message("0.m1", "first"))

        async def hold(seconds: float) -> None:
            home.channel._clock.at += seconds
            held.set()
            await gate.wait()

        home.edge.fault = lambda method, number: "429" if method == "chat.postMessage" and not gate.is_set() else ""
        home.channel._clock.sleep = hold
        words = [asyncio.ensure_future(home.channel.say(place, Message(f"{n}.m1", f"word {n}"))) for n in range(1, 9)]
        await held.wait()
        asked = asyncio.ensure_future(home.channel.ask(place, card()))
        await asyncio.sleep(0)
        gate.set()
        home.channel._clock.sleep = QuickClock().sleep
        await asyncio.gather(asked, *words)
        marks = [mark["blocks"][0]["block_id"].split("/")[1:3] for mark in await slack.messages(dm)]
        assert marks == [["say", "0.m1"], ["card", "12.1"], *(["say", f"{n}.m1"] for n in range(1, 9))]


async def test_retry_after_is_waited_for(slack) -> None:
    async with house(slack) as home:
        home.edge.retry_after = "23"
        home.edge.fault = lambda method, n: (
            "429" if home.edge.tried.count("chat.postMessage") == 1 and method.startswith("chat") else ""
        )
        await home.channel.say(Place(channel="slack", conversation=GENERAL), Message("1.m1", "x"))
        assert 23.0 in home.channel._clock.slept


async def test_a_long_429_is_said_to_the_caller_and_to_everybody_behind(slack) -> None:
    async with house(slack) as home:
        home.edge.retry_after = "600"
        home.edge.fault = lambda method, _: "429" if method.startswith("chat") else ""
        place = Place(channel="slack", conversation=GENERAL)
        sends = [home.channel.say(place, Message(f"{n}.m1", "x")) for n in range(5)]
        errors = await asyncio.gather(*sends, return_exceptions=True)
        assert [error.retry_after_s for error in errors] == [600.0] * 5
        assert home.edge.tried.count("chat.postMessage") == 1
        assert await slack.messages(GENERAL) == []


async def test_what_slack_will_not_show_is_said_and_stops_nobody(slack) -> None:
    async with house(slack) as home:
        refusals = iter(["error:invalid_blocks"])
        home.edge.fault = lambda method, _: next(refusals, "") if method == "chat.postMessage" else ""
        place = Place(channel="slack", conversation=GENERAL)
        await home.channel.ask(place, card())
        await home.channel.say(place, Message("1.m1", "next"))
        first, second = [message["text"] for message in await slack.messages(GENERAL)]
        assert "would not show" in first
        assert second == "next"
        assert home.channel._clock.slept == []


async def test_what_a_killed_process_had_posted_is_not_posted_again(slack) -> None:
    async with house(slack) as home:
        place = Place(channel="slack", conversation=await slack.dm())
        first = [
            await home.channel.say(place, Message("1.m1", "hello")),
            await home.channel.ask(place, card(body="x" * 9_000)),
        ]
        # A second process, which never learnt that these had been delivered.
        again = Slack(BOT_TOKEN, app_token=APP_TOKEN, base_url=home.edge.api, clock=QuickClock())
        second = [await again.say(place, Message("1.m1", "hello")), await again.ask(place, card(body="x" * 9_000))]
        assert second == first
        ids = [message["ts"] for message in await slack.messages(place.conversation)]
        assert len(ids) == 3  # words, the card, its text
        # Said again on purpose, it is said again: a reminder shows the card once more.
        assert await again.ask(place, card(body="x" * 9_000)) not in first
        await again.close()


async def test_a_conversation_takes_no_more_than_slack_allows() -> None:
    clock = QuickClock()
    lane = Lane(clock)
    for _ in range(64):
        async with lane.turn(USUAL) as turn:
            await turn.ready()
    assert clock.at == pytest.approx(60.0)


async def test_a_turn_that_is_given_up_is_passed_on() -> None:
    lane = Lane(QuickClock())
    order: list[str] = []

    async def take(name: str, urgency: int) -> None:
        async with lane.turn(urgency):
            order.append(name)
            await asyncio.sleep(0)

    async with lane.turn(USUAL):
        tasks = [
            asyncio.ensure_future(take(name, urgency)) for name, urgency in (("a", USUAL), ("b", USUAL), ("c", URGENT))
        ]
        await asyncio.sleep(0)
        tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == ["c", "b"]
    async with lane.turn(USUAL):
        pass
