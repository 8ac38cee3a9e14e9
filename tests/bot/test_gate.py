"""What becomes of a proposal, where it is decided: a plan of two steps is shown whole once, a call nobody may make never."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agents.base import Proposal, Task
from bot.policy import Rule, Ruling
from memory.events import ActionCall, Step
from tests.torture.bare import BareHouse, Willing, no_delay


class Planning(Willing):
    """Answers with a plan of so many steps."""

    steps = 2

    async def work(self, task: Task, desk: Any) -> Proposal:
        if self.steps:
            count, self.steps = self.steps, 0
            plan = tuple(Step(id=f"p{n}", agent="paper", intent="ask", inputs={"verb": "post"}) for n in range(count))
            return Proposal(say="A plan.\nEach step in words, once more.", plan=plan)
        return await super().work(task, desk)


@pytest.mark.parametrize(("steps", "whole"), [(1, True), (2, False)])
async def test_a_plan_that_is_shown_below_is_not_told_twice(tmp_path: Path, steps: int, *, whole: bool) -> None:
    house = BareHouse(tmp_path / "home", policy=no_delay())
    house.agent = Planning()
    house.agent.steps = steps
    async with house:
        await house.operator("ask post body=x")
        assert ("once more" in "\n".join(house.channel.words)) is whole


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (ActionCall(name="nobody.knows", args={}), "is not set up"),
        (ActionCall(name="mail.discard", args={"message_id": "x"}), "is not allowed to propose"),
        (ActionCall(name="paper.send", args={"to": ["a@b.example"]}), "without body"),
        (ActionCall(name="paper.pay", args={"payee": "x", "amount": "NaN EUR"}), "which no limit could count"),
    ],
)
async def test_a_call_that_may_not_be_made_becomes_a_sentence_and_no_card(
    tmp_path: Path, call: ActionCall, words: str
) -> None:
    async with BareHouse(tmp_path / "home", policy=no_delay()) as house:
        house.agent.next.append((ActionCall(name="paper.send", args={"to": ["a@b.example"], "body": "fine"}), call))
        await house.operator("ask send body=x")
        house.expects(words)
        assert not house.channel.cards
        assert house.provider.accepted == []
        await house.operator("ask send body=x")
        await house.press("Approve")
        assert house.done("x") == 1


class Gated(Willing):
    """Answers with plans first, then with what it is asked for; each step has its gate."""

    gate: str = ""
    plans = 1
    asked = 0

    async def work(self, task: Task, desk: Any) -> Proposal:
        self.asked += 1
        if self.plans:
            self.plans -= 1
            step = Step(id=f"p{self.plans}", agent="paper", intent="ask", inputs={"verb": "post"}, gate=self.gate)  # type: ignore[arg-type]
            return Proposal(say="A plan.", plan=(step,))
        return await super().work(task, desk)


@pytest.mark.parametrize(
    ("gate", "then", "state", "why"),
    [
        ("", "do", None, ""),
        ("ask", "do", "pending", "the plan asks here"),
        ("ask", "ask", "pending", "policy.toml: ask"),
        ("shadow", "do", "shadow", "you asked for a rehearsal"),
        ("shadow", "ask", "shadow", "you asked for a rehearsal"),
    ],
)
async def test_a_step_of_a_plan_may_ask_for_more_care_than_the_rules(
    tmp_path: Path, gate: str, then: Ruling, state: str | None, why: str
) -> None:
    known = Rule("paper.post", then)
    house = BareHouse(tmp_path / "home", policy=no_delay(rules=(known,)))
    house.agent = Gated()
    house.agent.gate = gate
    async with house:
        await house.operator("ask post to=anna@acme.example body=x")
        if state is None:
            assert not house.channel.cards
            assert len(house.provider.accepted) == 1
            return
        assert house.card().state == state
        assert why in house.runner.state_now(1).cards["1.1"].opened.rule
        assert house.provider.accepted == []


async def test_a_refusal_is_stronger_than_a_rehearsal(tmp_path: Path) -> None:
    house = BareHouse(tmp_path / "home", policy=no_delay(rules=(Rule("paper.post", "refuse"),)))
    house.agent = Gated()
    house.agent.gate = "shadow"
    async with house:
        await house.operator("ask post body=x")
        house.expects("I will not do this: policy.toml: never paper.post")
        assert not house.channel.cards


async def test_a_plan_that_becomes_another_plan_counts_its_revisions(tmp_path: Path) -> None:
    house = BareHouse(tmp_path / "home", policy=no_delay())
    house.agent = Gated()
    house.agent.plans = 2
    async with house:
        task = int(await house.operator("ask post body=x"))
        planned = house.runner.state_now(task).planned
        assert planned is not None
        assert planned.revision == 3, "what was asked for was the first"


async def test_as_whom_a_call_is_done_is_said_by_its_connector_and_by_nobody_else(tmp_path: Path) -> None:
    async with BareHouse(tmp_path / "home", policy=no_delay()) as house:
        args = {"to": ["a@b.example"], "body": "x"}
        for account in ("", "me@paper.example", "somebody@else.example"):
            house.agent.next.append((ActionCall(name="paper.send", args=args, account=account),))
            task = await house.operator("ask it")
            (call,) = house.runner.state_now(int(task)).cards[f"{task}.1"].opened.calls
            assert call.account == "me@paper.example"
            assert ("As", "me@paper.example") in [(row.label, row.value) for row in house.card(f"{task}.1").rows]


async def test_what_the_verifier_warns_of_asks_where_a_rule_says_do(tmp_path: Path) -> None:
    async with BareHouse(tmp_path / "home", policy=no_delay(rules=(Rule("mail.send", "do"),))) as house:
        args = {"to": ["me@paper.example"], "subject": "s", "body": "Dear [name], hello"}
        house.agent.next.append((ActionCall(name="mail.send", args=args),))
        task = await house.operator("ask it")
        opened = house.runner.state_now(int(task)).cards[f"{task}.1"].opened
        assert opened.warnings
        assert opened.rule == "a check found something"
