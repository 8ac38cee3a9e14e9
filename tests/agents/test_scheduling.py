"""Scheduling: a time is aware, lies ahead, and is never guessed; what cannot be looked up is said."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agents.base import Proposal
from agents.scheduling import Agenda, BookMeeting, CancelMeeting, FindTime, MoveMeeting, RemindMe, Scheduling
from agents.slots import Every, Span
from connectors.base import Receipt, TryLaterError
from memory.events import Write
from tests.agents.desk import NOW, PaperDesk, client, task

BERLIN = ZoneInfo("Europe/Berlin")
TUESDAY = datetime(2026, 11, 24, 15, 0, tzinfo=BERLIN)


async def propose(desk: PaperDesk, intent: object, text: str = "", **more: object) -> Proposal:
    return await Scheduling().work(task(intent, text, **more), desk)


async def booked(desk: PaperDesk, **slots: object) -> str:
    proposal = await propose(desk, BookMeeting(**{"client": "Acme", "when": TUESDAY} | slots))
    desk.confirm(proposal)
    return str(proposal.results["meeting"])


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("remind me to call the accountant on Tuesday at 3", "call the accountant"),
        ("remind me on Tuesday at 3 to call the accountant", "call the accountant"),
        ("please remind me about the tax return on Tuesday at 3pm", "the tax return"),
        ("remind me to invoice Globex on Tuesday at 3", "invoice Globex"),
        ("call mum on Tuesday at 3, remind me", "call mum"),
    ],
)
async def test_a_reminder_keeps_the_operators_words(said: str, text: str) -> None:
    proposal = await propose(PaperDesk(), RemindMe(when=TUESDAY), said)
    assert proposal.calls[0].name == "books.remind"
    assert proposal.calls[0].args == {"text": text, "when": "2026-11-24T15:00:00+01:00"}


async def test_a_reminder_is_one_record_even_when_set_twice() -> None:
    desk = PaperDesk()
    for _ in range(2):
        desk.confirm(await propose(desk, RemindMe(what="call the accountant", when=TUESDAY)))
    assert [r.key for r in desk.records("reminder")] == [
        "2026-11-24-call-the-accountant",
        "2026-11-24-call-the-accountant-2",
    ]


async def test_a_reminder_without_a_time_asks_when() -> None:
    proposal = await propose(PaperDesk(), RemindMe(), "remind me to call mum")
    assert proposal.ask == "When shall I remind you?"
    assert proposal.choices[1].text == "remind me to call mum tomorrow at 9:00"


async def test_a_time_that_has_passed_is_asked_about() -> None:
    past = NOW - timedelta(minutes=1)
    assert "has passed" in (await propose(PaperDesk(), RemindMe(what="x", when=past))).ask
    assert "has passed" in (await propose(PaperDesk(), BookMeeting(when=past))).ask
    assert (await propose(PaperDesk(), RemindMe(what="x", when=NOW + timedelta(minutes=1)))).calls


async def test_a_reminder_can_come_again() -> None:
    wish = RemindMe(what="back up", every=Every("FREQ=WEEKLY;BYDAY=FR"))
    proposal = await propose(PaperDesk(), wish)
    assert proposal.calls[0].args["when"] == "2026-11-27T09:00:00+01:00"
    assert proposal.calls[0].writes[0].data["rule"] == "FREQ=WEEKLY;BYDAY=FR;BYHOUR=9;BYMINUTE=0;BYSECOND=0"
    assert proposal.reasons == ("Fri 27 November, 09:00, then every week on Friday at 09:00.",)
    soon = await propose(PaperDesk(), RemindMe(what="oven", span=Span(minutes=20)))
    assert soon.calls[0].args["when"] == "2026-11-21T10:20:00+01:00"


async def test_a_meeting_invites_the_client_and_knows_its_own_id() -> None:
    proposal = await propose(
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
    proposal = await propose(desk, BookMeeting(client="Acme", when=TUESDAY))
    assert any("could not be read: It sleeps." in reason for reason in proposal.reasons)


async def test_a_meeting_that_overlaps_says_so() -> None:
    desk = PaperDesk()
    await booked(desk)
    proposal = await propose(desk, BookMeeting(client="Acme", when=TUESDAY + timedelta(minutes=30)))
    assert "Overlaps with Meeting with Acme GmbH at 15:00." in proposal.reasons
    clear = await propose(desk, BookMeeting(client="Acme", when=TUESDAY + timedelta(hours=1)))
    assert not any("Overlaps" in reason for reason in clear.reasons)


async def test_free_time_avoids_nights_weekends_and_what_is_taken() -> None:
    desk = PaperDesk()
    busy = [{"start": "2026-11-23T09:00:00+01:00", "end": "2026-11-23T11:00:00+01:00", "title": "Dentist"}]
    desk.answers["calendar.free"] = Receipt("", "", {"busy": busy})
    answer = await propose(desk, FindTime(client="Acme"), "find a time for Acme")
    assert answer.results["free"] == [
        "2026-11-23T11:00:00+01:00", "2026-11-23T13:00:00+01:00", "2026-11-24T09:00:00+01:00",
    ]  # fmt: skip
    assert answer.choices[0].text == "book a meeting with Acme GmbH on 2026-11-23 at 11:00"
    full = [{"start": "2026-11-24T00:00:00+01:00", "end": "2026-11-24T23:00:00+01:00"}]
    desk.answers["calendar.free"] = Receipt("", "", {"busy": full})
    assert "No 60 minutes are free on 24 November" in (await propose(desk, FindTime(day=date(2026, 11, 24)))).say


async def test_a_meeting_is_moved_with_its_length_and_guests() -> None:
    desk = PaperDesk()
    key = await booked(desk, span=Span(minutes=30))
    proposal = await propose(desk, MoveMeeting(client="Acme", when=TUESDAY + timedelta(days=1)))
    assert proposal.calls[0].args["end"] == "2026-11-25T15:30:00+01:00"
    assert proposal.calls[0].needs == {f"meeting:{key}": 1}
    desk.confirm(proposal)
    assert desk.record("meeting", key).data["start"] == "2026-11-25T15:00:00+01:00"
    later = await propose(desk, MoveMeeting(client="Acme", span=Span(minutes=60)))
    assert later.results["start"] == "2026-11-25T16:00:00+01:00"


async def test_which_meeting_is_asked_when_there_are_two() -> None:
    desk = PaperDesk()
    await booked(desk)
    await booked(desk, what="Review", when=TUESDAY + timedelta(days=2))
    proposal = await propose(desk, CancelMeeting(client="Acme"), "cancel the meeting with Acme")
    assert [choice.text for choice in proposal.choices] == ["cancel Meeting with Acme GmbH", "cancel Review"]
    by_day = await propose(desk, CancelMeeting(client="Acme", day=date(2026, 11, 26)))
    assert by_day.calls[0].args["title"] == "Review"
    assert "Nobody is told by this: no calendar is set up" in by_day.reasons[1]
    desk.confirm(by_day)
    assert (await propose(desk, CancelMeeting(client="Acme"))).calls[0].args["title"] == "Meeting with Acme GmbH"


async def test_who_is_invited_is_told_by_mail_on_the_same_card() -> None:
    desk = PaperDesk()
    attachment = {"name": "invitation.ics", "sha256": "0" * 64, "size": 3}
    desk.answers["calendar.invitation"] = Receipt("", "", {"attachments": [attachment]})
    proposal = await propose(desk, BookMeeting(client="Acme", when=TUESDAY))
    booking, mail = proposal.calls
    assert booking.args["zone"] == "Europe/Berlin"
    assert mail.name == "mail.send"
    assert mail.args["to"] == ["billing@acme.example"]
    assert mail.args["attachments"] == [attachment]
    assert mail.args["subject"] == "Invitation: Meeting with Acme GmbH"
    assert "billing@acme.example will be told by mail." in proposal.reasons
    assert desk.used[-1][1]["event"] == booking.args["event"]

    desk.confirm(proposal)
    cancelled = await propose(desk, CancelMeeting(client="Acme"))
    assert [call.name for call in cancelled.calls] == ["calendar.cancel", "mail.send"]
    assert desk.used[-1] == ("calendar.invitation", {"event": booking.args["event"], "method": "CANCEL"})
    moved = await propose(desk, MoveMeeting(client="Acme", when=TUESDAY + timedelta(days=1)))
    assert moved.calls[1].args["subject"] == "New time: Meeting with Acme GmbH"

    desk.answers["calendar.invitation"] = TryLaterError("It sleeps.")
    alone = await propose(desk, CancelMeeting(client="Acme"))
    assert len(alone.calls) == 1
    assert any("no invitation could be made: It sleeps." in reason for reason in alone.reasons)


async def test_an_unknown_meeting_is_not_cancelled() -> None:
    assert "no such meeting" in (await propose(PaperDesk(), CancelMeeting(client="Acme"))).problem
    assert (await propose(PaperDesk(), CancelMeeting(client="Globex"))).ask


async def test_the_agenda_shows_meetings_reminders_and_dues() -> None:
    desk = PaperDesk(clients={"acme": client("Acme")})
    await booked(desk)
    desk.confirm(await propose(desk, RemindMe(what="pay rent", when=TUESDAY - timedelta(hours=6))))
    desk.write(Write(kind="invoice", key="2026-0001", data={
        "status": "sent", "due": "2026-11-24", "client_name": "Acme", "total": "1.00 EUR",
    }))  # fmt: skip
    answer = await propose(desk, Agenda(day=date(2026, 11, 24)))
    assert answer.say.splitlines()[:4] == [
        "24 November 2026:",
        "- Tue 24 November, 15:00 to 16:00: Meeting with Acme",
        "- Tue 24 November, 09:00: reminder, pay rent",
        "- 24 November 2026: 2026-0001 of Acme falls due",
    ]
    assert (await propose(desk, Agenda())).say.startswith("Nothing is planned for 21 November 2026.")
