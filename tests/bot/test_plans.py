"""A plan is shown, edited in words, and waits; a question in the middle of it waits too."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agents.base import ActionCall, Agent, Choice, Intent, Proposal, Step, Task
from bot import plans, replanning
from bot.testing import PaperHouse
from memory.projections import Books

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
STEPS = (
    Step(id="draft", agent="content", intent="write_post", inputs={"topic": "cakes"}),
    Step(id="publish", agent="content", intent="publish_post", inputs={"post": {"from": "draft", "field": "post"}}, needs=("draft",)),
    Step(id="tell", agent="paper", intent="ask", inputs={"verb": "post"}, needs=("publish",)),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("go", "go"), ("Go ahead!", "go"), ("yes, do it", "go"), ("drop the plan", "end"), ("no", "end"),
        ("drop step 3", "change"), ("skip step 2 and 3", "change"), ("ask before step 1", "change"),
        ("step 1 on Friday", "change"), ("step 1: topic bread", "change"), ("drop step 9", "wrong"),
        ("step 1 on the moon", "wrong"), ("step 1 yesterday", "wrong"), ("what is stuck?", "unclear"),
        ("going on holiday", "unclear"),
    ],
)  # fmt: skip
def test_an_answer_to_a_plan_is_read_exactly(text: str, what: str) -> None:
    assert replanning.edited(text, STEPS, NOW, BERLIN).what == what


def test_what_another_step_rests_on_is_not_dropped_alone() -> None:
    edit = replanning.edited("drop step 1", STEPS, NOW, BERLIN)
    assert edit.what == "wrong"
    assert "Step 2 needs what step 1 finds" in edit.problem
    assert [step.id for step in replanning.edited("drop steps 1 and 2", STEPS, NOW, BERLIN).steps] == ["tell"]
    assert replanning.edited("drop steps 1 and 2", STEPS, NOW, BERLIN).steps[0].needs == ()


def test_a_failed_step_holds_the_next_unless_the_plan_says_skip() -> None:
    steps = (Step(id="a", agent="x", intent="y", on_fail="skip"), Step(id="b", agent="x", intent="y", needs=("a",)))
    assert plans.met(steps[1], steps, {"a": "failed"})
    assert not plans.met(steps[1], (Step(id="a", agent="x", intent="y"), steps[1]), {"a": "failed"})


async def test_a_plan_is_shown_edited_and_run_only_then(house: PaperHouse) -> None:
    await house.operator("run the playbook post about our new service")
    house.expects("1. write post: topic our new service")
    assert house.machine.history.day().done == []
    await house.operator("step 1 on Friday")
    house.expects("not before Fri 06 Mar 09:00")
    await house.operator("drop step 2")
    await house.restart()
    await house.operator("go")
    assert house.machine.history.day().done == [], "it is not Friday yet"
    await house.later(days=4)
    house.expects("Draft for bluesky: Our new service.")


async def test_a_plan_is_rehearsed_whole_and_nothing_of_it_is_done(house: PaperHouse) -> None:
    await house.operator("send Acme a proposal for the website relaunch, 4,500 EUR")
    await house.press("Approve")
    await house.later(seconds=20)
    sent = len(house.outbox())
    task = int(await house.operator("Acme accepted the proposal"))
    house.expects('"rehearse" shows every card and does nothing')
    before = set(house.channel.cards)
    await house.press("Rehearse")
    titles = [card.title for card in house.channel.cards.values() if card.id not in before]
    assert len(titles) == 2, "the second step is rehearsed with what the first would have found"
    assert titles[0].startswith("Issue invoice 2026-0001")
    assert {card.state for key, card in house.channel.cards.items() if key not in before} == {"shadow"}
    assert house.runner.state_now(task).status == "done"
    await house.later(days=1)
    with house.machine.database.read() as connection:
        assert Books(connection).all("invoice") == []
        assert Books(connection).all("project") == []
    assert len(house.outbox()) == sent


async def test_another_request_in_between_is_not_an_answer(house: PaperHouse) -> None:
    await house.operator("run the playbook post about our new service")
    await house.operator("what is stuck?")
    house.expects("Nothing is stuck.")
    assert await house.press("Drop the plan") == "Drop the plan"
    house.expects("The plan is dropped. Nothing of it was done.")


# ── a question in the middle ──────────────────────────────────────────────────────────────────────────────────────


class Dig(Intent):
    """Dig somewhere."""

    where: str = ""


class Paint(Intent):
    """Paint it."""


class Fence(Intent):
    """Plan a fence."""


class Builder(Agent):
    """Plans two steps; the first asks where."""

    name = "builder"
    intents = (Dig, Paint, Fence)
    proposes = ("paper.post",)

    def __init__(self, on_fail: str = "stop") -> None:
        self.on_fail = on_fail
        self.asked = 0

    async def work(self, task: Task, desk: Any) -> Proposal:
        del desk
        match task.intent:
            case Fence():
                return Proposal(say="A fence.", plan=(
                    Step(id="dig", agent="builder", intent="dig", on_fail=self.on_fail),  # type: ignore[arg-type]
                    Step(id="paint", agent="builder", intent="paint", needs=("dig",)),
                ))  # fmt: skip
            case Dig() if self.on_fail != "stop" and self.asked == 0:
                self.asked += 1
                return Proposal(problem="The spade broke.")
            case Dig(where=where):
                chosen = task.edits.get("where") or where or task.guidance
                if not chosen and self.on_fail == "stop":
                    self.asked += 1
                    return Proposal(
                        ask="Where shall I dig?", choices=(Choice(label="North", text="dig it in the north"),)
                    )
                return Proposal(say=f"Dug: {chosen or 'here'}.")
            case _:
                args = {"to": ["billing@acme.example"], "body": "Painted"}
                return Proposal(calls=(ActionCall(name="paper.post", args=args),))


async def begun(house: PaperHouse, builder: Builder) -> None:
    runner = house.runner
    runner._staff.agents = {**runner._staff.agents, "builder": builder}
    for intent in builder.intents:
        runner.catalogue.intents[intent.id()] = ("builder", intent)
        runner.catalogue.owners[intent.id()] = "builder"
    runner.catalogue.proposes["builder"] = builder.proposes
    reader = house.reader
    real = reader.read

    async def read(text: str, state: Any, now: Any) -> Any:
        from memory.events import Understood

        return Understood(order="", intent="fence") if text == "build a fence" else await real(text, state, now)

    reader.read = read  # type: ignore[method-assign]
    await house.operator("build a fence")
    await house.operator("go")


async def test_a_question_in_a_plan_waits_and_its_answer_goes_on(house: PaperHouse) -> None:
    builder = Builder()
    await begun(house, builder)
    house.expects("Where shall I dig?")
    await house.operator("what is stuck?")
    await house.operator("behind the barn")
    house.expects("Dug: behind the barn.")
    assert builder.asked == 1
    assert house.card().state == "pending", "the step after it goes on by itself"
    await house.press("Approve")
    assert house.machine.history.tasks(20)[-1].state != "running"
    await house.operator("behind the house")
    assert len(house.channel.cards) == 1, "a question is answered once"


async def test_a_button_under_the_question_answers_it(house: PaperHouse) -> None:
    await begun(house, Builder())
    await house.press("North")
    house.expects("Dug: ")
    assert house.card().state == "pending"


async def test_a_step_that_may_ask_when_it_fails_is_tried_again(house: PaperHouse) -> None:
    await begun(house, Builder("ask"))
    house.expects("The spade broke.")
    assert not house.channel.cards
    await house.press("Try again")
    house.expects("Dug: ")
    assert house.card().state == "pending"


async def test_a_step_that_may_be_skipped_holds_nobody_up(house: PaperHouse) -> None:
    await begun(house, Builder("skip"))
    house.expects("The spade broke.")
    assert house.card().state == "pending"


async def test_a_step_that_stops_the_plan_stops_it(house: PaperHouse) -> None:
    class Broken(Builder):
        async def work(self, task: Task, desk: Any) -> Proposal:
            return Proposal(problem="No spade.") if isinstance(task.intent, Dig) else await super().work(task, desk)

    await begun(house, Broken())
    house.expects("No spade.")
    assert not house.channel.cards


async def test_a_plan_that_waited_is_worked_on_by_whoever_answers_the_intent_today(house: PaperHouse) -> None:
    builder = Builder(on_fail="ask")
    builder.asked = 1
    house.runner._staff.agents = {**house.runner._staff.agents, "mason": builder}
    await begun(house, builder)
    house.runner._staff.agents = {n: a for n, a in house.runner._staff.agents.items() if n != "builder"}
    for intent in ("dig", "paint"):  # its plan says "builder" all the same
        house.runner.catalogue.owners[intent] = "mason"
    house.runner.catalogue.proposes["mason"] = builder.proposes
    house.expects("Dug: here.")
