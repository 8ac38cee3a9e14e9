"""Scheduling: a meeting lies ahead and is never guessed; who is invited is told; what cannot be looked up is said."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from agents.scheduling import BookMeeting, CancelMeeting, MoveMeeting
from agents.slots import Span
from connectors.base import Receipt, TryLaterError
from tests.agents.desk import PaperDesk, answered

BERLIN = ZoneInfo("Europe/Berlin")
TUESDAY = datetime(2026, 11, 24, 15, 0, tzinfo=BERLIN)


async def booked(desk: PaperDesk, **slots: object) -> str:
    proposal = await answered(desk, BookMeeting(**{"client": "Acme", "when": TUESDAY} | slots))
    desk.confirm(proposal)
    return str(proposal.results["meeting"])


async def test_a_meeting_invites_the_client_and_knows_its_own_id() -> None:
    proposal = await answered(
        PaperDesk(), BookMeeting(client="Acme", when=TUESDAY), "book a call with Acme about the site"
    )
    call = proposal.calls[0]
    assert call.name == "calendar.book"
    assert call.args["attendees"] == ["billing@acme.example"]
    assert (call.args["start"], call.args["end"]) == ("2026-11-24T15:00:00+01:00", "2026-11-24T16:00:00+01:00")
    assert call.args["title"] == "Site"
    assert call.args["event"] == call.writes[0].data["event"]
    assert "No calendar is set up, so only our own books were looked at." in proposal.reasons
    desk = PaperDesk()
    desk.answers["calendar.free"] = TryLaterError("It sleeps.")
    proposal = await answered(desk, BookMeeting(client="Acme", when=TUESDAY))
    assert any("could not be read: It sleeps." in reason for reason in proposal.reasons)


async def test_a_meeting_that_overlaps_says_so() -> None:
    desk = PaperDesk()
    await booked(desk)
    proposal = await answered(desk, BookMeeting(client="Acme", when=TUESDAY + timedelta(minutes=30)))
    assert "Overlaps with Meeting with Acme GmbH at 15:00." in proposal.reasons
    clear = await answered(desk, BookMeeting(client="Acme", when=TUESDAY + timedelta(hours=1)))
    assert not any("Overlaps" in reason for reason in clear.reasons)


async def test_a_meeting_is_moved_with_its_length_and_guests() -> None:
    desk = PaperDesk()
    key = await booked(desk, span=Span(minutes=30))
    proposal = await answered(desk, MoveMeeting(client="Acme", when=TUESDAY + timedelta(days=1)))
    assert proposal.calls[0].args["end"] == "2026-11-25T15:30:00+01:00"
    assert proposal.calls[0].needs == {f"meeting:{key}": 1}
    desk.confirm(proposal)
    assert desk.record("meeting", key).data["start"] == "2026-11-25T15:00:00+01:00"
    later = await answered(desk, MoveMeeting(client="Acme", span=Span(minutes=60)))
    assert later.results["start"] == "2026-11-25T16:00:00+01:00"


async def test_which_meeting_is_asked_when_there_are_two() -> None:
    desk = PaperDesk()
    await booked(desk)
    await booked(desk, what="Review", when=TUESDAY + timedelta(days=2))
    proposal = await answered(desk, CancelMeeting(client="Acme"), "cancel the meeting with Acme")
    assert [choice.text for choice in proposal.choices] == ["cancel Meeting with Acme GmbH", "cancel Review"]
    by_day = await answered(desk, CancelMeeting(client="Acme", day=date(2026, 11, 26)))
    assert by_day.calls[0].args["title"] == "Review"
    assert "Nobody is told by this: no calendar is set up" in by_day.reasons[1]
    desk.confirm(by_day)
    assert (await answered(desk, CancelMeeting(client="Acme"))).calls[0].args["title"] == "Meeting with Acme GmbH"


async def test_who_is_invited_is_told_by_mail_on_the_same_card() -> None:
    desk = PaperDesk()
    attachment = {"name": "invitation.ics", "sha256": "0" * 64, "size": 3}
    desk.answers["calendar.invitation"] = Receipt("", "", {"attachments": [attachment]})
    proposal = await answered(desk, BookMeeting(client="Acme", when=TUESDAY))
    booking, mail = proposal.calls
    assert booking.args["zone"] == "Europe/Berlin"
    assert mail.name == "mail.send"
    assert mail.args["to"] == ["billing@acme.example"]
    assert mail.args["attachments"] == [attachment]
    assert mail.args["subject"] == "Invitation: Meeting with Acme GmbH"
    assert "billing@acme.example will be told by mail." in proposal.reasons
    assert desk.used[-1][1]["event"] == booking.args["event"]

    desk.confirm(proposal)
    cancelled = await answered(desk, CancelMeeting(client="Acme"))
    assert [call.name for call in cancelled.calls] == ["calendar.cancel", "mail.send"]
    assert desk.used[-1] == ("calendar.invitation", {"event": booking.args["event"], "method": "CANCEL"})
    moved = await answered(desk, MoveMeeting(client="Acme", when=TUESDAY + timedelta(days=1)))
    assert moved.calls[1].args["subject"] == "New time: Meeting with Acme GmbH"

    desk.answers["calendar.invitation"] = TryLaterError("It sleeps.")
    alone = await answered(desk, CancelMeeting(client="Acme"))
    assert len(alone.calls) == 1
    assert any("no invitation could be made: It sleeps." in reason for reason in alone.reasons)


async def test_an_unknown_meeting_is_not_cancelled() -> None:
    assert "no such meeting" in (await answered(PaperDesk(), CancelMeeting(client="Acme"))).problem
    assert (await answered(PaperDesk(), CancelMeeting(client="Globex"))).ask
