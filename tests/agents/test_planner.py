"""The planner: playbooks first, a model only for the operator's own words, and the same check for both."""

import pytest

from agents.base import Proposal, Thought
from agents.planner import Draft, DraftStep, MakePlan, Planner
from agents.slots import Money
from memory.events import Origin, Write
from tests.agents.desk import PaperDesk, client, task


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


async def gone_through(desk: PaperDesk, *done: str) -> Proposal:
    """Plan two steps by a model, and ask for the last one, the keeping, after some of them were gone through."""
    desk.thoughts = [
        thought(
            DraftStep(
                id="offer", intent="send_proposal", inputs={"client": "acme", "what": "a booth", "amount": "900.00 EUR"}
            ),
            DraftStep(id="look", intent="report", needs=["offer"]),
        )
    ]
    goal = "sort out the fair for acme, a booth for 900"
    planned = await plan(desk, MakePlan(), goal)
    assert planned.say.endswith("3. keep this plan as a playbook (asks first)")
    keeping = planned.plan[-1]
    assert keeping.needs == ("offer", "look")
    wish = MakePlan.model_validate(keeping.inputs)
    return await plan(desk, wish, goal, results={step: {} for step in done})


async def test_a_plan_that_was_gone_through_is_kept_and_found_the_next_time() -> None:
    desk = PaperDesk(clients={"acme": client("Acme"), "globex": client("Globex")})
    proposal = await gone_through(desk, "offer", "look")
    assert proposal.calls[0].args["fields"] == {"Steps": "send proposal, report"}
    desk.confirm(proposal)
    (name,) = [record.key for record in desk.records("playbook")]
    again = await plan(desk, MakePlan(playbook=name, client="Globex"), "run it for Globex")
    assert again.ask.endswith("How much?"), "what differs is asked, and never taken from the last time"
    wish = MakePlan(playbook=name, client="Globex", amount=Money.read("700.00 EUR"))
    again = await plan(desk, wish, "run it for Globex, 700")
    assert again.plan[0].inputs == {"client": "globex", "what": "a booth", "amount": "700.00 EUR"}
    assert [step.id for step in again.plan] == ["offer", "look"]


async def test_only_what_was_gone_through_is_kept() -> None:
    desk = PaperDesk()
    proposal = await gone_through(desk, "look")
    (row,) = proposal.calls[0].writes[0].data["steps"]
    assert (row["id"], row["needs"]) == ("look", [])
    assert "so it is not kept" in (await gone_through(PaperDesk())).say


async def test_a_model_cannot_put_a_playbook_into_a_plan() -> None:
    desk = PaperDesk()
    desk.thoughts = [thought(DraftStep(id="x", intent="make_plan", inputs={"goal": "x", "keep": "[]"}))]
    assert "plan inside a plan" in (await plan(desk, MakePlan(), "sort the booth")).problem
    assert "make_plan" not in desk.asked[0][1]
