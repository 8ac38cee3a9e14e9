"""Calendar news: what was done elsewhere is told once, and the books follow on a card."""

import pytest

from agents.base import Intent, Proposal, Task
from agents.calendar_news import CalendarNews
from memory.events import Write
from tests.agents.desk import PaperDesk

EVENT = "2026-11-24-call@soloist"
MEETING = {
    "title": "Call with Acme", "start": "2026-11-24T15:00:00+01:00", "end": "2026-11-24T16:00:00+01:00",
    "attendees": ["anna@acme.example"], "where": "", "client": "acme", "event": EVENT, "status": "booked",
}  # fmt: skip
MOVED = {
    "event": EVENT, "title": "Call with Acme", "start": "2026-11-25T09:00:00+00:00", "end": "2026-11-25T10:00:00+00:00",
    "was_start": "2026-11-24T14:00:00+00:00", "was_end": "2026-11-24T15:00:00+00:00",
}  # fmt: skip
GONE = {
    "event": EVENT,
    "title": "Call with Acme",
    "start": "2026-11-24T14:00:00+00:00",
    "end": "2026-11-24T15:00:00+00:00",
}


@pytest.fixture
def desk():
    made = PaperDesk(clients={"acme": {"name": "Acme GmbH", "status": "active"}})
    made.write(Write(kind="meeting", key="call", data=MEETING))
    return made


def item(kind, data):
    return Task(id="1", step="s1", intent=Intent(), item=data, item_kind=kind, item_text=str(data["title"]))


async def test_a_meeting_moved_on_the_phone_is_told_and_the_books_follow(desk):
    proposal = await CalendarNews().work(item("calendar.moved", MOVED), desk)

    assert proposal.say == (
        "Call with Acme was moved in your calendar: Wed 25 November, 10:00, before Tue 24 November, 15:00."
    )
    assert "may not know" in proposal.reasons[0]
    (call,) = proposal.calls
    assert call.needs == {"meeting:call": 1}
    desk.confirm(proposal)
    (record,) = desk.records("meeting")
    assert record.data["start"] == "2026-11-25T10:00:00+01:00"
    assert await CalendarNews().work(item("calendar.moved", MOVED), desk) == type(proposal)()


async def test_a_meeting_taken_out_elsewhere_is_cancelled_in_the_books(desk):
    proposal = await CalendarNews().work(item("calendar.cancelled", GONE), desk)
    desk.confirm(proposal)

    assert "was taken out of your calendar" in proposal.say
    assert desk.records("meeting")[0].data["status"] == "cancelled"
    assert not (await CalendarNews().work(item("calendar.cancelled", GONE), desk)).say


async def test_one_time_of_a_series_leaves_the_record_alone(desk):
    later = GONE | {"start": "2026-12-01T14:00:00+00:00"}
    proposal = await CalendarNews().work(item("calendar.cancelled", later), desk)

    assert not proposal.calls
    assert "Tue 1 December" in proposal.say


async def test_what_the_books_have_elsewhere_is_told_and_not_overwritten(desk):
    odd = MOVED | {"was_start": "2026-11-20T14:00:00+00:00"}
    proposal = await CalendarNews().work(item("calendar.moved", odd), desk)

    assert not proposal.calls
    assert "My books have it at Tue 24 November, 15:00." in proposal.say


async def test_what_is_not_in_the_books_is_only_told(desk):
    proposal = await CalendarNews().work(item("calendar.moved", MOVED | {"event": "other"}), desk)

    assert not proposal.calls
    assert "was moved" in proposal.say


async def test_a_clash_names_both_and_offers_a_way_out(desk):
    clash = {
        "event": "x", "title": "Dentist\n\x1b[31m", "start": "2026-11-24T14:30:00+00:00", "end": "2026-11-24T15:30:00+00:00",
        "with": {"event": EVENT, "title": "Call with Acme", "start": MEETING["start"], "end": MEETING["end"]},
    }  # fmt: skip
    proposal = await CalendarNews().work(item("calendar.clash", clash), desk)

    assert proposal.say == (
        "New in your calendar: Dentist [31m, Tue 24 November, 15:30. "
        "It overlaps with Call with Acme, Tue 24 November, 15:00."
    )
    assert [choice.text for choice in proposal.choices] == [
        "find a time for Acme GmbH",
        "cancel the meeting with Acme GmbH",
    ]
    assert not proposal.calls


NOTE = {
    "text": "Check in with Acme", "when": "2026-11-24T15:00:00+01:00", "status": "waiting", "client": "acme", "event": EVENT,
}  # fmt: skip


async def test_a_follow_up_that_was_moved_on_the_phone_is_told_on_its_new_day():
    desk = PaperDesk()
    desk.write(Write(kind="reminder", key="old", data=NOTE))
    proposal = await CalendarNews().work(item("calendar.moved", MOVED), desk)
    assert [call.name for call in proposal.calls] == ["books.remind"]
    assert proposal.calls[0].args["when"] == "2026-11-25T10:00:00+01:00"
    desk.confirm(proposal)
    assert desk.record("reminder", "old").data["status"] == "moved"
    (standing,) = desk.records("reminder", event=EVENT)
    assert (standing.data["status"], standing.data["when"]) == ("waiting", "2026-11-25T10:00:00+01:00")
    assert await CalendarNews().work(item("calendar.moved", MOVED), desk) == Proposal()


async def test_a_follow_up_that_was_taken_out_is_not_told_of():
    desk = PaperDesk()
    desk.write(Write(kind="reminder", key="old", data=NOTE))
    desk.confirm(await CalendarNews().work(item("calendar.cancelled", GONE), desk))
    assert desk.record("reminder", "old").data["status"] == "cancelled"
    assert await CalendarNews().work(item("calendar.cancelled", GONE), desk) == Proposal()


ANSWER = {
    "from": {"name": "Anna", "address": "anna@acme.example"},
    "answer": {
        "event": EVENT, "who": "Anna@acme.example", "answer": "declined", "title": "Declined: Call",
        "start": "2026-11-24T14:00:00+00:00", "note": "I am ill",
    },
}  # fmt: skip


async def answered(desk, sender="anna@acme.example", **changes):
    data = {**ANSWER, "title": "", "from": {"address": sender}, "answer": {**ANSWER["answer"], **changes}}
    return await CalendarNews().work(item("mail.answer", data), desk)


async def test_a_guest_who_declines_is_told_of_with_what_can_be_done(desk):
    proposal = await answered(desk)
    assert proposal.say.startswith("Anna@acme.example declined Call with Acme, ")
    assert proposal.say.endswith("They write: I am ill")
    assert [choice.text for choice in proposal.choices] == [
        "find a time for Acme GmbH",
        "cancel the meeting with Acme GmbH",
    ]
    assert proposal.calls == (), "an answer changes nothing by itself"


async def test_a_guest_who_accepts_is_told_of(desk):
    proposal = await answered(desk, answer="accepted", note="")
    assert proposal.say.startswith("Anna@acme.example accepted Call with Acme, ")
    assert proposal.choices == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sender": "mallory@evil.example"}, "mallory@evil.example says: "),
        ({"who": "eve@acme.example", "sender": "eve@acme.example"}, "no guest's own word"),
        ({"event": "another@soloist"}, "My books hold no such meeting."),
        ({"start": "2026-11-20T14:00:00+00:00"}, "a time it no longer has"),
        ({"start": "tomorrow"}, "declined Call with Acme"),
    ],
)
async def test_an_answer_that_does_not_fit_says_why(desk, changes, words):
    assert words in (await answered(desk, **changes)).say


async def test_an_answer_to_a_meeting_that_was_cancelled_is_told_as_late(desk):
    desk.write(Write(kind="meeting", key="call", data={**MEETING, "status": "cancelled"}))
    assert "no longer has" in (await answered(desk, answer="accepted")).say
