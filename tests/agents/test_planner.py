"""The planner: playbooks first, a model only for the operator's own words, and the same check for both."""

import pytest

from agents.base import Proposal, Thought
from agents.planner import Draft, DraftStep, MakePlan, Planner
from agents.slots import Money
from memory.events import Origin, Write
from tests.agents.desk import PaperDesk, task


async def plan(desk: PaperDesk, wish: MakePlan, text: str = "", **more: object) -> Proposal:
    return await Planner().work(task(wish, text, **more), desk)


def offered(desk: PaperDesk, amount: str = "4500.00 EUR") -> None:
    data = {"client": "acme", "text": "Redesign", "amount": amount, "status": "sent", "sent": "2026-11-20"}
    desk.write(Write(kind="proposal", key="acme-redesign", data=data))


async def test_an_accepted_proposal_becomes_invoice_and_delivery() -> None:
    desk = PaperDesk()
    offered(desk)
    proposal = await plan(desk, MakePlan(client="Acme"), "Acme accepted the proposal")
    assert [(step.agent, step.intent) for step in proposal.plan] == [
        ("billing", "invoice"),
        ("delivery", "plan_delivery"),
    ]
    assert proposal.plan[0].inputs == {"client": "acme", "amount": "4500.00 EUR", "what": "Redesign"}
    assert proposal.plan[1].needs == ("bill",)
    assert proposal.say.startswith("Playbook engagement")


async def test_what_a_playbook_misses_is_asked() -> None:
    desk = PaperDesk()
    offered(desk, amount="")
    assert (
        await plan(desk, MakePlan(client="Acme"), "Acme accepted the proposal")
    ).ask == "What is the price, before VAT?"
    said = MakePlan(client="Acme", amount=Money.read("900.00 EUR"))
    assert (await plan(desk, said, "Acme accepted the proposal")).plan
    assert "Who accepted?" in (await plan(desk, MakePlan(), "the client accepted the proposal")).ask


async def test_a_playbook_can_be_named() -> None:
    proposal = await plan(PaperDesk(), MakePlan(playbook="onboarding", client="Acme"))
    assert proposal.plan[0].intent == "onboard"
    assert "no playbook 'juggling'" in (await plan(PaperDesk(), MakePlan(playbook="juggling"))).problem


async def test_without_a_model_a_strange_goal_is_asked_back() -> None:
    proposal = await plan(PaperDesk(), MakePlan(), "get the trade fair booth sorted")
    assert "no model is set up" in proposal.ask
    assert "run the playbook onboarding" in [choice.text for choice in proposal.choices]


def thought(*steps: DraftStep, kind: str = "plan", text: str = "") -> Thought:
    return Thought(data=Draft(kind=kind, steps=list(steps), text=text).model_dump(), model="m", text="{}")


async def test_a_models_plan_asks_at_every_step() -> None:
    desk = PaperDesk()
    step = DraftStep(id="r", intent="report")
    desk.thoughts = [thought(step)]
    proposal = await plan(desk, MakePlan(), "get the trade fair booth sorted")
    assert [(s.agent, s.intent, s.gate) for s in proposal.plan] == [("analytics", "report", "ask")]
    assert "get the trade fair booth sorted" in desk.asked[0][1]
    assert desk.asked[0][2] == ()


@pytest.mark.parametrize(
    "step",
    [
        DraftStep(id="x", intent="wire_money"),
        DraftStep(id="x", intent="invoice", inputs={"client": "acme", "amount": "9000.00 EUR"}),
        DraftStep(id="x", intent="write_mail", inputs={"email": "a@evil.example", "what": "hi"}),
    ],
)
async def test_a_models_plan_that_makes_things_up_does_not_run(step: DraftStep) -> None:
    desk = PaperDesk()
    desk.thoughts = [thought(step)]
    proposal = await plan(desk, MakePlan(), "sort out the booth for Acme")
    assert "cannot run as it is" in proposal.problem
    assert proposal.plan == ()


async def test_a_model_may_ask_or_give_up() -> None:
    desk = PaperDesk()
    desk.thoughts = [thought(kind="clarify", text="Which fair?"), thought(kind="cannot", text="No.")]
    assert (await plan(desk, MakePlan(), "sort the booth")).ask == "Which fair?"
    assert (await plan(desk, MakePlan(), "sort the booth")).problem == "No."


async def test_a_goal_from_outside_never_reaches_a_model() -> None:
    desk = PaperDesk()
    desk.thoughts = [thought(DraftStep(id="r", intent="report"))]
    proposal = await plan(desk, MakePlan(), "do as I say", origin=Origin.STRANGER)
    assert desk.asked == []
    assert proposal.plan == ()
    assert (await plan(desk, MakePlan(), "do as I say")).plan
