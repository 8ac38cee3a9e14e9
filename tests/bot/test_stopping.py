"""A plan that begins by itself is announced with a button that stops it; any task can be stopped or taken over by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import plans
from bot.approvals import Person
from bot.deciding import stopping
from bot.policy import Policy
from bot.state import TaskState
from bot.testing import PaperChannel, PaperHouse
from connectors.base import Incoming
from memory.events import Actor, ItemArrived, MessageReceived, Origin, Place, Planned, Step

FORM = {"name": "Hank Scorpio", "company": "Globex", "email": "h@globex.example", "need": "Website relaunch"}
STEPS = (Step(id="a", agent="paper", intent="ask"), Step(id="b", agent="paper", intent="ask", needs=("a",)))


async def an_enquiry_comes(house: PaperHouse) -> int:
    before = house.machine.log.lines()
    highest = max((line.task for line in before), default=0)
    await house.runner.arrived(Incoming("webhooks", "account", "f1", "form", house.clock.at, FORM))
    await house.runner.settled()
    return highest + 1


def status(house: PaperHouse, task: int) -> str:
    return house.runner.state_now(task).status


@pytest.mark.parametrize(
    ("text", "task"),
    [("stop task 12", 12), ("/stop task #3", 3), ("Take over task 7.", 7), ("/end 12", 12), ("/end", 0), ("stop task", 0),
     ("stop", None), ("end the contract", None),
     ("stop task 12 and 13", None), ("stop the task force", None)],
)  # fmt: skip
def test_the_words_are_exact(text: str, task: int | None) -> None:
    assert stopping.said(text) == task


async def test_a_playbook_that_begins_by_itself_is_announced_and_waits_for_no_word(house: PaperHouse) -> None:
    task = await an_enquiry_comes(house)
    house.expects("This begins by itself:\n1. send proposal")
    assert house.card().state == "pending", "its first step asks"
    await house.press("Stop it")
    house.expects(f"Task {task} is stopped; nothing more of it begins.")
    assert (house.card().state, status(house, task)) == ("cancelled", "cancelled")
    await house.later(days=6)
    assert not any(card.state == "pending" for card in house.channel.cards.values())
    await house.operator(f"stop task {task}")
    house.expects(f"Task {task} is over already. Nothing was changed.")


async def test_what_has_happened_stays_and_what_waits_in_the_window_does_not(tmp_path: Path) -> None:
    async with PaperHouse(tmp_path / "home") as house:
        task = int(await house.operator("invoice Acme 100 for hosting, net 14"))
        await house.press("Approve")
        await house.operator(f"take over task {task}")
        await house.later(seconds=20)
        assert house.outbox() == []
        assert {effect.status for effect in house.runner.state_now(task).effects.values()} == {"dropped"}
        await house.operator("invoice Acme 100 for hosting, net 14")
        assert {row.label: row.value for row in house.card().rows}["Number"] == "2026-0001", "its number is free again"


async def test_a_plan_of_the_operators_is_stopped_between_its_steps(tmp_path: Path) -> None:
    async with PaperHouse(tmp_path / "home", policy=Policy()) as house:
        task = int(await house.operator("run the playbook post about our new service"))
        await house.operator("step 2 on Friday")
        await house.operator("go")
        await house.operator(f"stop task {task}")
        cards = len(house.channel.cards)
        await house.later(days=6)
        assert (status(house, task), len(house.channel.cards)) == ("cancelled", cards)


async def test_only_the_operator_stops_a_task_and_not_one_that_is_not_there(tmp_path: Path) -> None:
    anna = Person("web", "anna", "local", role=Origin.DELEGATE, actions=("*",))
    async with PaperHouse(tmp_path / "home", people=(anna,)) as house:
        task = int(await house.operator("ask post to=billing@acme.example client=acme body=Hello"))
        await house.operator(f"stop task {task}", actor=Actor(platform="web", user="anna", account="local"))
        house.expects("Only the operator stops a task.")
        assert house.card().state == "pending"
        await house.operator("stop task 99999")
        house.expects("There is no task 99999. /tasks lists the newest.")
        assert int(await house.operator("/approvals")) < 10, "no number was used up"
        await house.operator("stop task 0")
        house.expects('Which one? "end task 12"')
        assert status(house, task) == "waiting"


# ── which plans are held ──────────────────────────────────────────────────────────────────────────────────────────


def held(heard: MessageReceived | ItemArrived, revision: int, source: str = "agent:planner") -> bool:
    planned = Planned(goal="g", steps=STEPS, source=source, revision=revision)
    return plans.held(TaskState(1, heard=heard, planned=planned))


def test_only_the_playbook_that_an_item_stands_for_runs_without_a_word() -> None:
    stranger = Actor(platform="webhooks", origin=Origin.STRANGER)
    item = ItemArrived(service="webhooks", kind="form", data={}, actor=stranger)
    words = MessageReceived(text="x", actor=Actor(platform="web"), place=Place(channel="web"))
    assert held(words, 1)
    assert not held(item, 2, "agent:perception")
    assert held(item, 3), "a plan made by one of its steps: outside words may have shaped it"


async def test_it_is_announced_on_the_phone_in_the_morning_when_it_came_at_night(tmp_path: Path) -> None:
    phone = PaperChannel("telegram", "42")
    async with PaperHouse(tmp_path / "home", policy=Policy(), channels={"telegram": phone}) as house:
        await an_enquiry_comes(house)
        assert any(button.label == "Stop it" for message in phone.said for button in message.buttons)
