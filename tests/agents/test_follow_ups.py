"""Follow-ups stand in the calendar where there is one, in the books alone where there is none, and end in both."""

from datetime import date, datetime, timedelta

from agents.base import Proposal
from agents.clients import UpdateClient
from agents.correspondence import FollowUp
from agents.delivery import PlanDelivery, ProjectStatus
from agents.onboarding import Onboard
from connectors.base import Receipt, TryLaterError
from tests.agents.desk import PaperDesk, answered


def with_calendar() -> PaperDesk:
    desk = PaperDesk()
    desk.answers["calendar.free"] = Receipt("", "Nothing is taken.", {"busy": []})
    return desk


def names(proposal: Proposal) -> list[str]:
    return [call.name for call in proposal.calls]


async def test_check_ins_checkpoints_and_follow_ups_are_notes_in_the_calendar() -> None:
    desk = with_calendar()
    welcome = await answered(desk, Onboard(client="Acme"))
    desk.confirm(welcome)
    assert names(welcome) == ["books.write", "mail.send", "calendar.note", "calendar.note"]
    assert "Noted in your calendar" in " ".join(welcome.reasons)
    later = await answered(desk, FollowUp(client="Acme", day=date(2026, 12, 1)))
    assert names(later) == ["calendar.note"]
    project = await answered(desk, PlanDelivery(client="Acme", what="website", day=date(2026, 12, 18)))
    assert names(project) == ["books.write"] + ["calendar.note"] * 4
    for proposal in (later, project):
        desk.confirm(proposal)
    kept = desk.records("reminder")
    assert len({each.data["event"] for each in kept}) == 7
    assert {each.data["status"] for each in kept} == {"waiting"}


async def test_without_a_calendar_and_with_one_that_is_away_they_are_reminders_and_the_card_says_so() -> None:
    desk = PaperDesk()
    proposal = await answered(desk, Onboard(client="Acme"))
    assert names(proposal)[2:] == ["books.remind"] * 2
    assert "No calendar is connected, so you are reminded here only." in proposal.reasons
    desk.answers["calendar.free"] = TryLaterError("The calendar does not answer.")
    away = await answered(desk, Onboard(client="Acme"))
    assert names(away)[2:] == ["books.remind"] * 2
    assert "The calendar does not answer." in " ".join(away.reasons)


async def test_a_checkpoint_that_is_done_before_its_day_is_taken_out_and_one_of_the_past_stays() -> None:
    desk = with_calendar()
    desk.confirm(await answered(desk, PlanDelivery(client="Acme", what="website", day=date(2026, 12, 18))))
    done = await answered(desk, ProjectStatus(client="Acme"), "the kick-off for Acme is done")
    assert names(done) == ["books.write", "calendar.strike"]
    desk.confirm(done)
    desk.now += timedelta(days=30)
    late = await answered(desk, ProjectStatus(client="Acme"), "the first draft for Acme is done")
    assert names(late) == ["books.write"]
    desk.confirm(late)
    assert [each.data["status"] for each in desk.records("reminder")] == ["done", "done", "waiting", "waiting"]


async def test_a_client_who_leaves_is_not_followed_up_any_more() -> None:
    for desk, strikes in ((with_calendar(), 2), (PaperDesk(), 0)):
        desk.confirm(await answered(desk, Onboard(client="Acme")))
        stays = await answered(desk, UpdateClient(client="Acme", field="status", value="active"))
        assert names(stays) == ["books.write"]
        leaves = await answered(desk, UpdateClient(client="Acme"), "mark Acme as inactive")
        assert names(leaves) == ["books.write"] + ["calendar.strike"] * strikes
        assert "No longer to come: Check in with Acme GmbH: 3 days" in leaves.reasons[0]
        desk.confirm(leaves)
        assert desk.record("client", "acme").data["status"] == "inactive"
        assert {each.data["status"] for each in desk.records("reminder")} == {"cancelled"}


async def test_an_id_is_known_before_the_card_is_pressed_and_is_one_for_each_day() -> None:
    proposal = await answered(with_calendar(), Onboard(client="Acme"))
    notes = proposal.calls[2:]
    assert [call.args["event"] for call in notes] == [f"{call.writes[0].key}@soloist" for call in notes]
    assert all(datetime.fromisoformat(str(call.args["when"])).tzinfo for call in notes)
