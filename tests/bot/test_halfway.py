"""A plan that ends before its end says what stands and offers to take it back: books at once, the outside on a card."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agents.base import ActionCall, Agent, Intent, Proposal, Step, Task, Write
from bot.chronicle import replayed
from bot.deciding import halfway
from bot.testing import PaperHouse, PaperProvider, fails
from connectors.base import RefusedError
from memory.events import Understood
from memory.projections import Books
from memory.replay import compare
from tests.bot.test_compensating import Bookings


class Chain(Intent):
    """Plan a chain of deeds."""


class Deed(Intent):
    """Do one."""

    what: str = ""


class Planner(Agent):
    """Plans a note, a booking, a mail and one more; each rests on the one before."""

    name = "chainer"
    intents = (Chain, Deed)
    proposes = ("books.write", "paper.book", "paper.send")

    def __init__(self, *whats: str, apart: bool = False) -> None:
        self.whats, self.apart = whats, apart

    async def work(self, task: Task, desk: Any) -> Proposal:
        del desk
        wish = task.intent
        if isinstance(wish, Chain):
            steps = [
                Step(id=what, agent=self.name, intent="deed", inputs={"what": what}, needs=(before,) if before else ())
                for what, before in zip(self.whats, ("", *self.whats), strict=False)
            ]
            apart = [Step(id=step.id, agent=step.agent, intent=step.intent, inputs=step.inputs) for step in steps]
            return Proposal(say="A chain.", plan=tuple(apart if self.apart else steps))
        assert isinstance(wish, Deed)
        match wish.what.rstrip("2"):
            case "note":
                write = Write(kind="fact", key=wish.what, data={"text": "noted"})
                call = ActionCall(name="books.write", args={"summary": f"a {wish.what}"}, writes=(write,))
            case "break":
                return Proposal(problem="The spade broke.")
            case "book":
                call = ActionCall(
                    name="paper.book", args={"to": ["billing@acme.example"], "body": wish.what}, client="acme"
                )
            case _:
                call = ActionCall(
                    name="paper.send", args={"to": ["billing@acme.example"], "body": wish.what}, client="acme"
                )
        return Proposal(calls=(call,))


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[PaperHouse]:
    provider = PaperProvider()
    async with PaperHouse(tmp_path / "home", provider=provider, connectors={"paper": Bookings(provider)}) as house:
        yield house


async def begun(house: PaperHouse, *whats: str, apart: bool = False, kind: type[Planner] = Planner) -> int:
    agent, runner = kind(*whats, apart=apart), house.runner
    runner._staff.agents = {**runner._staff.agents, "chainer": agent}
    for intent in agent.intents:
        runner.catalogue.intents[intent.id()] = ("chainer", intent)
        runner.catalogue.owners[intent.id()] = "chainer"
    runner.catalogue.proposes["chainer"] = agent.proposes
    real = house.reader.read

    async def read(text: str, state: Any, now: Any) -> Any:
        return Understood(order="", intent="chain") if text == "chain" else await real(text, state, now)

    house.reader.read = read  # type: ignore[method-assign]
    task = int(await house.operator("chain"))
    await house.operator("go")
    return task


def facts(house: PaperHouse) -> list[str]:
    with house.machine.database.read() as connection:
        return [record.key for record in Books(connection).all("fact")]


async def test_what_was_done_before_the_step_that_failed_is_told_and_taken_back(home: PaperHouse) -> None:
    task = await begun(home, "note", "book", "break", "send")
    assert facts(home) == ["note"]
    await home.press("Approve")
    home.expects(
        "The spade broke.",
        "The plan ends here: step 3 (deed) was not done, so step 4 (deed), which would have followed, was not begun.",
    )
    assert home.runner.state_now(task).status == "failed"
    assert await home.press("Take back what was done") == "Take back what was done"
    home.expects("The card asks about what reaches outside.")
    card = home.card()
    assert card.title == "Take back: cancel the booking"
    assert facts(home) == [], "our own books are put back at once: nothing stands that rests on them"
    await home.restart()
    await home.press("Approve", card.id)
    statuses = {key: effect.status for key, effect in home.runner.state_now(task).effects.items()}
    assert set(statuses.values()) == {"compensated", "confirmed"}
    assert home.provider.accepted[-1][1]["booking"] == "p1"
    assert [str(each) for each in compare(home.machine.database, home.machine.log, replayed)] == []


async def test_what_cannot_be_taken_back_stays_and_is_named(home: PaperHouse) -> None:
    task = await begun(home, "note", "send", "break")
    await home.press("Approve")
    await home.later(seconds=20)
    home.expects("The plan ends here: step 3 (deed) was not done.")
    await home.operator(f"take back task {task}")
    assert "Taken back: a note" in home.channel.words[-1]
    assert "Stays: " in home.channel.words[-1]
    await home.operator(f"take back task {task}")
    assert "Stays: " in home.channel.words[-1], "asked twice, nothing is taken back twice"
    assert facts(home) == []


async def test_an_effect_that_failed_and_is_let_go_ends_the_plan_with_the_same_offer(home: PaperHouse) -> None:
    home.provider.plans = [fails(RefusedError("550 no such user"))]
    await begun(home, "note", "book", "send")
    await home.press("Approve")
    await home.press("Drop it")
    home.expects("The plan ends here: step 2 (deed) was not done, so step 3 (deed)")
    assert home.button("Take back what was done", "")[1]


async def test_a_rejected_card_on_which_nothing_rests_is_a_decision_and_no_failure(home: PaperHouse) -> None:
    await begun(home, "note", "book", "send", apart=True)
    await home.press("Reject", "2.2")
    await home.press("Approve", "2.1")
    await home.later(seconds=20)
    assert not any("The plan ends here" in words for words in home.channel.words), home.transcript()


async def test_only_the_operator_takes_a_task_back_and_not_while_it_runs(home: PaperHouse) -> None:
    task = await begun(home, "note", "book")
    await home.operator(f"take back task {task}")
    home.expects("is not over yet")
    await home.operator("take back task 9999")
    home.expects("There is no task 9999")
    assert facts(home) == ["note"]


async def test_without_the_offer_a_broken_plan_would_end_in_silence(
    home: PaperHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(halfway, "ended", lambda _: [])
    await begun(home, "note", "break", "send")
    assert not any("stands" in words for words in home.channel.words)


# ── side by side ──────────────────────────────────────────────────────────────────────────────────────────────────


async def overlap(house: PaperHouse, *, apart: bool) -> int:
    """Return how many steps of a plan were at work at the same moment."""
    at_work, most, both = 0, 0, asyncio.Event()

    class Slow(Planner):
        async def work(self, task: Task, desk: Any) -> Proposal:
            nonlocal at_work, most
            if isinstance(task.intent, Chain):
                return await super().work(task, desk)
            at_work += 1
            most = max(most, at_work)
            if at_work > 1:
                both.set()
            if apart:
                async with asyncio.timeout(20):
                    await both.wait()
            at_work -= 1
            return Proposal(say="Done.")

    await begun(house, "note", "note2", apart=apart, kind=Slow)
    return most


async def test_steps_that_do_not_wait_for_each_other_are_at_work_at_the_same_moment(home: PaperHouse) -> None:
    assert await overlap(home, apart=True) == 2


async def test_steps_that_wait_for_each_other_are_not(home: PaperHouse) -> None:
    assert await overlap(home, apart=False) == 1
