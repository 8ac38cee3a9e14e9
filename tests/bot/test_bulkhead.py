"""The bulkhead: a service that hangs holds up its own actions and no others, and what finds no place has not left."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import connectors
from bot.testing import OPERATOR, PLACE, PaperProvider, PaperService
from connectors.base import AT_ONCE, EffectClass, Json, Receipt, Recipients, Risk, action
from connectors.client import Client
from memory.events import BecameUnknown, Queued, Sending
from memory.projections import Books
from tests.torture.bare import BareHouse, broken, no_delay


class Slow(PaperService):
    """A service whose calls last until somebody lets them end."""

    at_once = 4

    def __init__(self, provider: PaperProvider) -> None:
        super().__init__(provider)
        self.inside: list[str] = []
        self.opened = asyncio.Semaphore(0)

    @action(Risk.OUTSIDE, EffectClass.PLAIN, says="send it", no_return="at once", rate_per_minute=1_000_000)
    async def send(self, to: Recipients, body: str, amount: str = "", key: str = "") -> Receipt:
        """Send, in its own time."""
        self.inside.append(body)
        await self.opened.acquire()
        return self.provider.accept(key, {"to": to, "body": body, "amount": amount}, once=False)


@pytest.fixture
async def slow():
    return Slow(PaperProvider())


@pytest.fixture
async def house(tmp_path: Path, slow: Slow):
    async with BareHouse(tmp_path, policy=no_delay(), provider=slow.provider, connectors={"paper": slow}) as it:
        yield it
        for _ in range(100):
            slow.opened.release()


async def approved(house: BareHouse, number: int, verb: str = "send") -> None:
    """Approve a few, without waiting for what does not end."""
    seen = len(house.channel.cards)
    for each in range(number):
        await house.runner.heard(f"h{verb}{seen + each}", f"ask {verb} body=mail{seen + each}", OPERATOR, PLACE)
    await stands(house, lambda: len(house.channel.cards) == seen + number)
    for card in list(house.channel.cards)[seen:]:
        handle, press = house.button("Approve", card)
        await house.runner.pressed(f"p{card}", handle, press, OPERATOR, PLACE)


async def stands(house: BareHouse, holds) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - a house tells nobody
            await asyncio.sleep(0.001)


def sent(house: BareHouse) -> list[Json]:
    return [args["body"] for _, args in house.provider.accepted]


def events(house: BareHouse, kind: type) -> list:
    return [line.event for line in house.machine.log.lines() if isinstance(line.event, kind)]


def held(house: BareHouse) -> list[str]:
    """The cards of what waits for a place."""
    states = [house.runner.state_now(int(card.partition(".")[0])) for card in house.channel.cards]
    return [each.prepared.card for state in states for each in state.effects.values() if each.room]


async def test_what_finds_no_place_is_not_begun_and_comes_in_first_come_first_served(house, slow):
    await approved(house, 7)
    await stands(house, lambda: len(slow.inside) == 4 and len(held(house)) == 3)
    assert len(events(house, Sending)) == 4, "what waits is not said to be on its way"
    assert "as soon as there is room" in house.card(held(house)[0]).outcome
    for done in range(1, 8):
        slow.opened.release()
        await stands(house, lambda done=done: len(sent(house)) == done and len(slow.inside) == min(7, 4 + done))
        assert len(events(house, Sending)) == len(slow.inside)
    await house.runner.settled()
    assert sent(house) == slow.inside == [f"mail{each}" for each in range(7)]
    assert len(events(house, Queued)) == 3, "each waited once, and was let in when there was a place"
    assert not house.wrong()


async def test_a_service_that_hangs_holds_up_no_other(house, slow):
    await approved(house, 6)
    await stands(house, lambda: len(held(house)) == 2)
    mails = house.home / "outbox"
    await approved(house, 2, "mail")
    await stands(house, lambda: len(list(mails.glob("*.eml"))) == 2)
    assert sent(house) == []


async def test_what_waits_for_a_place_is_taken_back_for_free_and_the_next_comes_in(house, slow):
    await approved(house, 6)
    await stands(house, lambda: len(held(house)) == 2)
    first = held(house)[0]
    handle, press = house.button("Undo", first)
    await house.runner.pressed("u1", handle, press, OPERATOR, PLACE)
    await stands(house, lambda: len(held(house)) == 1)
    slow.opened.release()
    await stands(house, lambda: len(slow.inside) == 5)
    assert slow.inside[-1] == "mail5"
    for _ in range(5):
        slow.opened.release()
    await house.runner.settled()
    assert sorted(sent(house)) == ["mail0", "mail1", "mail2", "mail3", "mail5"]
    assert not house.wrong()


async def test_a_stop_holds_what_waits_for_a_place_and_its_end_lets_it_go_on(house, slow):
    await approved(house, 6)
    await stands(house, lambda: len(held(house)) == 2)
    await house.runner.heard("stop", "/pause", OPERATOR, PLACE)
    await stands(house, lambda: "all" in house.runner.state_now(0).paused)
    for _ in range(4):
        slow.opened.release()
    await house.runner.settled()
    assert len(sent(house)) == 4
    await house.runner.heard("go", "/resume", OPERATOR, PLACE)
    await stands(house, lambda: len(slow.inside) == 6)
    slow.opened.release()
    slow.opened.release()
    await house.runner.settled()
    assert sorted(sent(house)) == [f"mail{each}" for each in range(6)]
    assert not house.wrong()


async def test_after_a_restart_only_what_was_on_its_way_is_asked_about(house, slow):
    await approved(house, 9)
    await stands(house, lambda: len(slow.inside) == 4 and len(held(house)) == 5)
    again = asyncio.ensure_future(house.restart())
    await stands(house, lambda: len(slow.inside) == 8)
    for _ in range(5):
        slow.opened.release()
    await again
    assert sorted(sent(house)) == [f"mail{each}" for each in range(4, 9)], "what waited was sent, once"
    assert len(events(house, BecameUnknown)) == 4
    assert not house.wrong()


async def test_twin_without_the_bulkhead_everything_is_begun_and_asked_about(house, slow):
    with broken(Books, "under_way", lambda self, *_: 0):
        await approved(house, 9)
        await stands(house, lambda: len(slow.inside) == 9)
        await house.restart()
        await house.runner.settled()
    assert len(events(house, BecameUnknown)) == 9


async def test_a_place_that_nobody_ever_gave_back_is_free_again_after_a_while(house, slow):
    await approved(house, 5)
    await stands(house, lambda: len(held(house)) == 1)
    house.clock.at = house.clock.at.replace(hour=house.clock.at.hour + 1)
    await house.runner.tick()
    await stands(house, lambda: len(slow.inside) == 5)


@pytest.mark.parametrize("name", sorted(connectors.discover()))
def test_every_service_has_places_and_its_client_has_more(name):
    cls = connectors.discover()[name]
    assert 1 <= cls.at_once <= 16
    assert all(each.at_once == cls.at_once and each.room == name for each in cls.actions().values())
    room = Client(name)._room._value
    assert room > AT_ONCE >= cls.at_once, "who only looks never keeps an action waiting that has been begun"
