"""What waits for nothing is answered in the commit that takes it in; whatever else is answered as before."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from agents.payments import Payments, Unpaid
from bot.channels.base import NotWrittenError
from bot.effects import Delegate, LookUp, Understand
from bot.foresight import Foreseen, done_at_once
from bot.state import TaskState
from bot.testing import OPERATOR, PLACE, PaperHouse
from memory.events import Answered, Planned, Proposed, Step, Understood

STEP = Step(id="s1", agent="payments", intent="unpaid")


async def heard(house: PaperHouse, event_id: str, text: str) -> TaskState:
    """Return the task as it stands when the platform may be told that the message is on disk."""
    return house.runner.state_now(int(await house.runner.heard(event_id, text, OPERATOR, PLACE)))


@pytest.mark.parametrize("text", ["what's unpaid?", "/help", "/stuck"])
async def test_what_the_books_answer_is_answered_in_the_commit_that_takes_it_in(tmp_path: Path, text: str) -> None:
    async with PaperHouse(tmp_path / "home") as house:
        task = await heard(house, "1", text)
        assert task.status == "done"
        assert [*task.said.values()][-1].text
        assert await heard(house, "1", text) == task, "a second copy is answered by nobody"
        await house.runner.settled()
        assert len(house.channel.said) == 1


async def test_who_does_not_say_so_is_asked_after_the_commit_twin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Unpaid, "at_once", False)
    async with PaperHouse(tmp_path / "home") as house:
        task = await heard(house, "1", "what's unpaid?")
        assert (task.status, task.said) == ("planned", {})
        await house.runner.settled()
        assert house.runner.state_now(task.id).status == "done"


async def test_who_would_wait_is_asked_again_and_answers_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    work = Payments.work

    async def slow(self: Payments, task: Any, desk: Any) -> Any:
        asked.append(task.id)
        await asyncio.sleep(0)
        return await work(self, task, desk)

    monkeypatch.setattr(Payments, "work", slow)
    async with PaperHouse(tmp_path / "home") as house:
        task = await heard(house, "1", "what's unpaid?")
        assert task.said == {}
        await house.runner.settled()
        assert asked == ["", str(task.id)]
        assert len(house.channel.said) == 1


async def test_nothing_is_said_of_a_message_that_could_not_be_written(tmp_path: Path) -> None:
    async with PaperHouse(tmp_path / "home") as house:

        def broken(_: Connection) -> None:
            raise OSError("the disk is gone")

        hooks = house.runner._staff.database.before_commit
        hooks.append(broken)
        with pytest.raises((NotWrittenError, OSError)):
            await heard(house, "1", "what's unpaid?")
        await house.runner.settled()
        assert house.channel.said == []
        hooks.remove(broken)
        assert (await heard(house, "1", "what's unpaid?")).status == "done"
        await house.runner.settled()
        assert len(house.channel.said) == 1


def test_an_answer_is_used_for_the_order_that_was_foreseen_and_for_no_other() -> None:
    understood = Understood(order="", intent="unpaid")
    answer = Proposed(order="", step="s1", agent="payments", say="Nothing.")
    ready = Foreseen(understood, Delegate(step="s1"), answer, (STEP,), "agent:payments")
    planned = TaskState(1, planned=Planned(goal="", steps=(STEP,), source="fixed"))
    assert ready(planned, Understand(text="")) == (understood, "soloist")
    assert ready(planned, Delegate(step="s1")) == (answer, "agent:payments")
    assert ready(planned, Delegate(step="s1", guidance="friendlier")) is None
    assert ready(planned, Delegate(step="s2")) is None
    assert ready(TaskState(1), Delegate(step="s1")) is None, "there is no such plan"
    other = Planned(goal="", steps=(Step(id="s1", agent="payments", intent="refund"),), source="fixed")
    assert ready(TaskState(1, planned=other), Delegate(step="s1")) is None
    looked_up = Foreseen(understood, LookUp(question="help"), Answered(order="", text="Help."))
    assert looked_up(TaskState(1), LookUp(question="budget")) is None


def test_work_that_would_wait_goes_no_further() -> None:
    gone_on: list[int] = []

    async def waits() -> int:
        await asyncio.sleep(0)
        gone_on.append(1)
        return 1

    async def answers() -> int:
        return 2

    assert done_at_once(waits()) is None
    assert done_at_once(answers()) == 2
    assert gone_on == []
