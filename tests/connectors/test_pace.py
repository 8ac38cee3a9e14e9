"""An action's rate limit holds on the real path: what is too much waits, undone and unsent, and a stop or an undo finds it there."""

from datetime import timedelta
from types import SimpleNamespace

import pytest

import connectors
from bot.deciding import guards, starting
from bot.testing import MORNING, OPERATOR, PLACE, PaperHouse, fails
from connectors.base import OutcomeUnknownError
from memory.events import ActionCall, BecameUnknown, Queued, Sending
from memory.projections import Books
from tests.torture.bare import BareHouse, broken, no_delay, paced

ACTIONS = {name: action for cls in connectors.discover().values() for name, action in cls.actions().items()}


@pytest.fixture
async def house(tmp_path):
    async with BareHouse(tmp_path, policy=no_delay()) as it:
        yield it


async def approved(house: PaperHouse, number: int, verb: str = "send") -> None:
    for each in range(number):
        await house.operator(f"ask {verb} body=mail{each}")
    for card in list(house.channel.cards):
        handle, press = house.button("Approve", card)
        await house.runner.pressed(f"p{card}", handle, press, OPERATOR, PLACE)
    await house.runner.settled()


def sent(house: PaperHouse) -> list[str]:
    return [args["body"] for _, args in house.provider.accepted]


def events(house: PaperHouse, kind: type) -> list:
    return [line.event for line in house.machine.log.lines() if isinstance(line.event, kind)]


async def drained(house: PaperHouse, *, minutes: int) -> list[int]:
    """Let minutes pass, ten seconds at a time; returns how many went out at each moment."""
    seen = []
    for _ in range(minutes * 6):
        before = len(sent(house))
        await house.later(seconds=10)
        seen.append(len(sent(house)) - before)
    return seen


async def test_what_is_too_much_waits_its_turn_and_goes_out_once_and_in_order(house):
    paced(house, **{"paper.send": 5})
    await approved(house, 13)
    assert sent(house) == [f"mail{each}" for each in range(5)]
    assert len(events(house, Sending)) == 5, "what waits is not said to be on its way"
    seen = await drained(house, minutes=4)
    assert sent(house) == [f"mail{each}" for each in range(13)]
    assert [each for each in seen if each] == [5, 3]
    assert not house.wrong()


async def test_no_minute_sees_more_than_the_pace_whatever_comes_when(house):
    paced(house, **{"paper.send": 4})
    for burst in (3, 9, 1, 6):
        house.channel.cards.clear()
        await approved(house, burst)
        await house.later(seconds=17)
    await drained(house, minutes=6)
    at = [event.at for event in events(house, Sending)]
    assert len(at) == len(sent(house)) == 19
    assert all(sum(moment <= other < moment + timedelta(minutes=1) for other in at) <= 4 for moment in at)


async def test_a_slow_pace_waits_for_longer_than_a_minute(house):
    paced(house, **{"paper.send": 0.5})
    await approved(house, 2)
    await drained(house, minutes=1)
    assert len(sent(house)) == 1
    await drained(house, minutes=2)
    assert len(sent(house)) == 2


async def test_each_action_has_a_pace_of_its_own(house):
    paced(house, **{"paper.send": 1, "paper.post": 1})
    await approved(house, 2)
    house.channel.cards.clear()
    await approved(house, 1, "post")
    assert len(sent(house)) == 2


async def test_a_queue_behind_an_emergency_stop_stays_in_the_house_until_it_is_lifted(house):
    paced(house, **{"paper.send": 1})
    await approved(house, 3)
    await house.operator("/pause")
    await drained(house, minutes=4)
    assert sent(house) == ["mail0"]
    await house.operator("/resume")
    await house.runner.settled()
    assert sent(house) == ["mail0", "mail1"], "one may go at once, the next a minute later"
    await drained(house, minutes=2)
    assert sent(house) == ["mail0", "mail1", "mail2"]
    assert not house.wrong()


async def test_twin_without_the_second_look_the_queue_goes_out_behind_the_stop(house):
    with broken(guards, "is_paused", lambda call, house: False):
        paced(house, **{"paper.send": 1})
        await approved(house, 3)
        await house.operator("/pause")
        await drained(house, minutes=4)
        assert len(sent(house)) == 3


async def test_what_waits_for_its_turn_is_taken_back_for_free(house):
    paced(house, **{"paper.send": 1})
    await approved(house, 3)
    second = list(house.channel.cards)[1]
    assert "unless you undo it" in house.card(second).outcome
    await house.press("Undo", second)
    house.expects("Nothing was sent")
    await drained(house, minutes=4)
    assert sent(house) == ["mail0", "mail2"]
    assert not house.wrong()


async def test_what_has_been_sent_has_no_such_undo(house):
    paced(house, **{"paper.send": 1})
    await approved(house, 2)
    await drained(house, minutes=2)
    assert [button.label for button in house.card(list(house.channel.cards)[1]).buttons] == []


async def test_a_task_that_is_stopped_lets_go_of_what_waits_for_its_turn(house):
    paced(house, **{"paper.send": 1})
    await approved(house, 2)
    await house.operator(f"stop task {list(house.channel.cards)[1].partition('.')[0]}")
    await drained(house, minutes=3)
    assert sent(house) == ["mail0"]


async def test_what_waits_for_its_turn_over_a_restart_is_sent_then_and_nobody_is_asked(house):
    paced(house, **{"paper.send": 2})
    await approved(house, 6)
    await house.restart()
    paced(house, **{"paper.send": 2})
    assert len(sent(house)) == 2, "a restart does not begin the minute afresh"
    await drained(house, minutes=3)
    assert sorted(sent(house)) == [f"mail{each}" for each in range(6)]
    assert not events(house, BecameUnknown)


async def test_a_clock_that_jumps_over_every_turn_lets_no_more_go_than_the_pace(house):
    paced(house, **{"paper.send": 2})
    await approved(house, 7)
    await house.later(hours=3)
    assert len(sent(house)) == 4
    await drained(house, minutes=4)
    assert sent(house) == [f"mail{each}" for each in range(7)]


async def test_a_clock_that_is_set_back_holds_nobody_up(house):
    paced(house, **{"paper.send": 2})
    await approved(house, 2)
    house.clock.at -= timedelta(hours=5)
    house.channel.cards.clear()
    await approved(house, 1)
    assert len(sent(house)) == 3


async def test_send_again_waits_for_its_turn_too_and_keeps_in_mind_that_it_may_have_arrived(house):
    paced(house, **{"paper.send": 1})
    house.provider.after.append(fails(OutcomeUnknownError("The line broke.")))
    await approved(house, 1)
    (unknown,) = [card for card, shown in house.channel.cards.items() if house.card(card).kind == "unknown"]
    await house.press("Send again", unknown)
    assert len(sent(house)) == 1
    (effect,) = house.runner.state_now(1).effects.values()
    assert (effect.status, effect.maybe, effect.waits) == ("prepared", True, False)
    await drained(house, minutes=2)
    assert len(sent(house)) == 2
    assert not house.wrong()


async def test_an_unused_turn_costs_one_line_and_no_wait(house):
    await approved(house, 4)
    assert not events(house, Queued)


async def test_twin_without_the_books_turn_all_go_at_once(house):
    with broken(Books, "turn", lambda self, *_, **__: None):
        paced(house, **{"paper.send": 1})
        await approved(house, 5)
        assert len(sent(house)) == 5


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_the_pace_that_is_held_is_the_one_that_is_declared(name):
    """What is asked of the books, for each action of ours."""
    asked = {}

    class Ledgers:
        def turn(self, action, now, **how):
            asked.update(how, action=action)

        def under_way(self, room, since):
            return 0

    house = SimpleNamespace(now=MORNING, paused=frozenset(), actions=ACTIONS, ledgers=Ledgers())
    (begun,) = starting._in_turn(ActionCall(name=name, args={}), "1.1.1", 1, house)
    assert isinstance(begun.event, Sending)
    assert asked["action"] == name
    assert asked["most"] / asked["span"].total_seconds() * 60 == pytest.approx(ACTIONS[name].rate_per_minute)
