"""Delivery: checkpoints on working days, and a status read from the record."""

from datetime import date, timedelta

from agents.base import Proposal
from agents.delivery import Delivery, PlanDelivery, ProjectStatus
from agents.slots import Span
from tests.agents.desk import PaperDesk, task


async def propose(desk: PaperDesk, intent: object, text: str = "") -> Proposal:
    return await Delivery().work(task(intent, text), desk)


async def planned(desk: PaperDesk) -> str:
    proposal = await propose(desk, PlanDelivery(client="Acme", what="website", day=date(2026, 12, 18)))
    desk.confirm(proposal)
    return str(proposal.results["project"])


async def test_a_delivery_has_checkpoints_and_a_reminder_each() -> None:
    desk = PaperDesk()
    proposal = await propose(desk, PlanDelivery(client="Acme", what="website", day=date(2026, 12, 18)))
    points = proposal.calls[0].writes[0].data["checkpoints"]
    assert [(p["name"], p["day"]) for p in points] == [
        ("Kick-off", "2026-11-23"), ("First draft", "2026-12-01"), ("Review with the client", "2026-12-09"),
        ("Hand-over", "2026-12-18"),
    ]  # fmt: skip
    assert all(date.fromisoformat(p["day"]).weekday() < 5 for p in points)
    assert [call.name for call in proposal.calls] == ["books.write"] + ["books.remind"] * 4
    desk.confirm(proposal)
    assert len(desk.records("reminder")) == 4


async def test_the_length_can_be_said_or_is_assumed_aloud() -> None:
    proposal = await propose(PaperDesk(), PlanDelivery(client="Acme", span=Span(days=14)))
    assert proposal.results["due"] == "2026-12-05"
    assumed = await propose(PaperDesk(), PlanDelivery(client="Acme"))
    assert "planned for 28 days" in assumed.reasons[0]
    past = await propose(PaperDesk(), PlanDelivery(client="Acme", day=date(2026, 11, 1)))
    assert "has passed" in past.ask


async def test_status_says_what_is_next_and_what_is_late() -> None:
    desk = PaperDesk()
    await planned(desk)
    answer = await propose(desk, ProjectStatus(client="Acme"), "how far is Acme?")
    assert answer.say.splitlines()[0] == "Website for Acme GmbH: 0 of 4 done, on track, due 18 December 2026"
    desk.now += timedelta(days=7)
    assert "- Kick-off: late since 23 November 2026" in (await propose(desk, ProjectStatus())).say


async def test_a_checkpoint_is_ticked_off_by_saying_so() -> None:
    desk = PaperDesk()
    key = await planned(desk)
    asked = await propose(desk, ProjectStatus(client="Acme"), "is the kick-off with Acme done?")
    assert asked.calls == ()
    for name in ("kick-off", "first draft", "review", "hand-over"):
        desk.confirm(await propose(desk, ProjectStatus(client="Acme"), f"the {name} for Acme is done"))
    assert desk.record("project", key).data["status"] == "done"
    assert "No project is running" in (await propose(desk, ProjectStatus())).say


async def test_a_project_is_called_by_what_is_delivered() -> None:
    for what in ("Delivery of the website", "the project for our website", "website"):
        proposal = await propose(PaperDesk(), PlanDelivery(client="Acme", what=what, day=date(2026, 12, 18)))
        assert proposal.calls[0].writes[0].data["name"] == "Website for Acme GmbH", what


async def test_a_project_is_not_called_after_its_client() -> None:
    proposal = await propose(PaperDesk(), PlanDelivery(client="Acme"), "new project for Acme")
    assert proposal.calls[0].writes[0].data["name"] == "Project for Acme GmbH"
