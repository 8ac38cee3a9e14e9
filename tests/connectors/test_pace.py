"""An action's rate limit holds on the real path: what is too much waits its turn, and an emergency stop finds it there."""

import asyncio

import pytest
from aiolimiter import AsyncLimiter

import connectors
from bot.executor import Executor
from bot.testing import OPERATOR, PLACE, PaperHouse
from tests.torture.bare import BareHouse, broken, no_delay


async def until(condition, house):
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(house.transcript())


@pytest.fixture
async def house(tmp_path):
    async with BareHouse(tmp_path, policy=no_delay()) as it:
        yield it


def paced(house: PaperHouse, most: float, span_s: float):
    """Give one action a pace that a test can wait for; return what the executor made of the declared one."""
    house.machine.runner.executor._paces["paper.send"] = AsyncLimiter(most, span_s)


async def approved(house, number):
    for each in range(number):
        await house.operator(f"ask send body=mail{each}")
    for card in list(house.channel.cards):
        handle, verb = house.button("Approve", card)
        await house.runner.pressed(f"p{card}", handle, verb, OPERATOR, PLACE)


async def test_what_is_too_much_waits_its_turn_and_goes_out_once(house):
    paced(house, 2, 0.6)
    await approved(house, 4)
    await until(lambda: len(house.provider.accepted) == 2, house)
    assert len(house.provider.accepted) == 2
    await until(lambda: len(house.provider.accepted) == 4, house)
    assert sorted(args["body"] for _, args in house.provider.accepted) == [f"mail{each}" for each in range(4)]
    assert not house.wrong()


async def test_a_queue_behind_an_emergency_stop_stays_in_the_house_until_it_is_lifted(house):
    paced(house, 1, 0.5)
    await approved(house, 3)
    await until(lambda: len(house.provider.accepted) == 1, house)
    await house.runner.heard("stop", "/pause", OPERATOR, PLACE)
    await house.runner.settled()
    assert len(house.provider.accepted) <= 2
    stood = len(house.provider.accepted)
    await house.later(seconds=1)
    assert len(house.provider.accepted) == stood
    await house.operator("/resume")
    await house.later(seconds=1)
    await until(lambda: len(house.provider.accepted) == 3, house)
    assert not house.wrong()


async def test_twin_without_the_second_look_the_queue_goes_out_behind_the_stop(house):
    with broken(Executor, "_is_stopped", lambda self, name: False):
        paced(house, 1, 0.3)
        await approved(house, 3)
        await house.runner.heard("stop", "/pause", OPERATOR, PLACE)
        await until(lambda: len(house.provider.accepted) == 3, house)


async def test_the_pace_is_the_one_that_was_declared(house):
    await approved(house, 1)
    executor = house.machine.runner.executor
    declared = house.machine.runner.actions["paper.send"].rate_per_minute
    assert (executor._paces["paper.send"].max_rate, executor._paces["paper.send"].time_period) == (declared, 60)


@pytest.mark.parametrize("name", [name for cls in connectors.discover().values() for name in cls.actions()])
async def test_no_action_of_ours_goes_faster_than_it_declares(name):
    """The limiter itself, for each declared rate: so many at once, and the next one waits."""
    (rate,) = (cls.actions()[name].rate_per_minute for cls in connectors.discover().values() if name in cls.actions())
    pace = AsyncLimiter(rate, 60)
    for _ in range(int(rate)):
        assert pace.has_capacity()
        await pace.acquire()
    assert not pace.has_capacity()
