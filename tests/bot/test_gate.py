"""What becomes of a proposal, where it is decided: a plan of two steps is shown whole once, a call nobody may make never."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agents.base import Proposal, Task
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
        (ActionCall(name="nobody.knows", args={}), "is not set up here"),
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
