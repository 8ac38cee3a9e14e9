"""Reminders: the operator's words are kept, and a time lies ahead and is never guessed."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from agents.reminders import MoveReminder, RemindMe
from agents.scheduling import BookMeeting
from agents.slots import Every, Span
from tests.agents.desk import NOW, PaperDesk, answered

TUESDAY = datetime(2026, 11, 24, 15, 0, tzinfo=ZoneInfo("Europe/Berlin"))


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
    proposal = await answered(PaperDesk(), RemindMe(when=TUESDAY), said)
    assert proposal.calls[0].name == "books.remind"
    assert proposal.calls[0].args == {"text": text, "when": "2026-11-24T15:00:00+01:00"}


async def test_a_reminder_is_one_record_even_when_set_twice() -> None:
    desk = PaperDesk()
    for _ in range(2):
        desk.confirm(await answered(desk, RemindMe(what="call the accountant", when=TUESDAY)))
    assert [r.key for r in desk.records("reminder")] == [
        "2026-11-24-call-the-accountant",
        "2026-11-24-call-the-accountant-2",
    ]


async def test_a_reminder_without_a_time_asks_when() -> None:
    proposal = await answered(PaperDesk(), RemindMe(), "remind me to call mum")
    assert proposal.ask == "When shall I remind you?"
    assert proposal.choices[1].text == "remind me to call mum tomorrow at 9:00"


async def test_a_time_that_has_passed_is_asked_about() -> None:
    past = NOW - timedelta(minutes=1)
    assert "has passed" in (await answered(PaperDesk(), RemindMe(what="x", when=past))).ask
    assert "has passed" in (await answered(PaperDesk(), BookMeeting(when=past))).ask
    assert (await answered(PaperDesk(), RemindMe(what="x", when=NOW + timedelta(minutes=1)))).calls


async def test_a_reminder_can_come_again() -> None:
    wish = RemindMe(what="back up", every=Every("FREQ=WEEKLY;BYDAY=FR"))
    proposal = await answered(PaperDesk(), wish)
    assert proposal.calls[0].args["when"] == "2026-11-27T09:00:00+01:00"
    assert proposal.calls[0].writes[0].data["rule"] == "FREQ=WEEKLY;BYDAY=FR;BYHOUR=9;BYMINUTE=0;BYSECOND=0"
    assert proposal.reasons == ("Fri 27 November, 09:00, then every week on Friday at 09:00.",)
    soon = await answered(PaperDesk(), RemindMe(what="oven", span=Span(minutes=20)))
    assert soon.calls[0].args["when"] == "2026-11-21T10:20:00+01:00"


async def test_a_reminder_is_moved_with_its_hour_and_the_old_one_goes() -> None:
    desk = PaperDesk()
    for what in ("the tax", "call mum"):
        desk.confirm(await answered(desk, RemindMe(what=what, when=TUESDAY)))
    friday = TUESDAY.replace(day=27, hour=9)
    desk.confirm(await answered(desk, MoveReminder(what="tax", day=friday.date()), "move the tax reminder to Friday"))

    left = {str(record.data["text"]): str(record.data["when"]) for record in desk.records("reminder")}
    assert left == {"the tax": "2026-11-27T15:00:00+01:00", "call mum": TUESDAY.isoformat()}
    later = await answered(
        desk, MoveReminder(what="tax", when=friday.replace(hour=17)), "move the tax reminder to Friday 17:00"
    )
    assert later.calls[1].args["when"] == "2026-11-27T17:00:00+01:00"


async def test_a_reminder_nobody_set_is_not_moved() -> None:
    desk = PaperDesk()
    for what in ("the tax", "call mum"):
        desk.confirm(await answered(desk, RemindMe(what=what, when=TUESDAY)))

    moved = await answered(
        desk, MoveReminder(what="dentist", when=TUESDAY), "move the dentist reminder to Tuesday at 3"
    )
    assert moved.problem == "I do not know which reminder you mean. What waits: call mum; the tax."
