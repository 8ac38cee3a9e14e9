import asyncio
import base64
import contextlib
from datetime import UTC, datetime, timedelta

import icalendar
import pytest

from connectors import caldav_events as events
from connectors.base import OutcomeUnknownError, RefusedError, TryLaterError, Workshop
from connectors.caldav_calendar import Calendar
from connectors.client import Client
from memory.files import FileStore
from tests.counterparts.caldav import COLLECTION, PASSWORD, USER, radicale
from tests.counterparts.faults import faulty

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MEETING = {
    "title": "Review with Acme",
    "start": "2026-03-03T10:00:00+01:00",
    "end": "2026-03-03T11:00:00+01:00",
    "attendees": ["anna@acme.example"],
}
WEEKLY = {
    "title": "Stand-up",
    "start": "2026-03-23T09:00:00+01:00",
    "end": "2026-03-23T09:30:00+01:00",
    "zone": "Europe/Berlin",
    "repeats": "FREQ=WEEKLY;COUNT=3",
}


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    with radicale(tmp_path_factory.mktemp("radicale")) as server:
        yield server


@pytest.fixture
async def front(behind):
    behind.clear()
    async with faulty(behind.url) as it:
        yield it


async def at_once(_):
    await asyncio.sleep(0)


def made(server, home, **changes):
    login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    client = Client("The calendar", headers={"Authorization": f"Basic {login}"}, pause=at_once, timeout_s=5)
    facts = {"url": server + COLLECTION, "user": USER, "organizer": "me@solo.example"} | changes
    return Calendar(Workshop(home, FileStore(home / "files"), lambda: NOW), client, **facts)


@pytest.fixture
async def calendar(front, tmp_path):
    it = made(front.url, tmp_path)
    yield it
    await it.close()


def day(number):
    return {"start": f"2026-03-{number:02}T00:00:00+01:00", "end": f"2026-03-{number + 1:02}T00:00:00+01:00"}


# ── booking ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_booked_meeting_stands_in_the_calendar(calendar, behind):
    receipt = await calendar.book(**MEETING, key="12.1.1", event="2026-03-03-review@soloist", where="Room 4; rear")

    (text,) = behind.kept().values()
    event = icalendar.Calendar.from_ical(text).walk("VEVENT")[0]
    assert receipt.ref == event["UID"] == "2026-03-03-review@soloist"
    assert receipt.text == "Booked Review with Acme, Tue 3 Mar 2026, 10:00 to 11:00."
    assert event["LOCATION"] == "Room 4; rear"
    assert event["DTSTART"].dt == datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
    assert event["ATTENDEE"].params["SCHEDULE-AGENT"] == "CLIENT"
    assert "12.1.1" not in text


async def test_the_same_key_is_one_meeting_and_another_key_another(calendar, behind):
    first = await calendar.book(**MEETING, key="12.1.1")

    assert await calendar.book(**MEETING, key="12.1.1") == first
    assert len(behind.kept()) == 1
    await calendar.book(**MEETING, key="12.1.2")
    assert len(behind.kept()) == 2


@pytest.mark.parametrize("how", ["drop", "500", "503", "429"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_an_answer_that_is_lost_books_nothing_twice(calendar, front, behind, how, after):
    front.fail(how, after=after)

    await calendar.book(**MEETING, key="12.1.1")
    assert len(behind.kept()) == 1
    assert front.calls["PUT"] == 2


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_what_stays_lost_is_unknown_until_the_same_key_is_sent_again(calendar, front, behind, after):
    front.fail("drop", after=after, times=3)

    with pytest.raises(OutcomeUnknownError):
        await calendar.book(**MEETING, key="12.1.1", event="a@soloist")
    assert len(behind.kept()) == int(after)
    await calendar.book(**MEETING, key="12.1.1", event="a@soloist")
    assert len(behind.kept()) == 1


async def test_somebody_elses_event_of_that_id_is_left_alone(calendar, behind):
    await calendar.book(**MEETING, key="1", event="a@soloist")
    before = behind.kept()

    with pytest.raises(RefusedError, match="Another event with the id"):
        await calendar.book(**(MEETING | {"title": "Other"}), key="2", event="a@soloist")
    assert behind.kept() == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"end": "2026-03-03T09:00:00+01:00"}, "would end before it begins"),
        ({"start": "2026-03-03T10:00:00"}, "in which time zone"),
        ({"start": "tomorrow"}, "no date and time"),
        ({"attendees": ["anna"]}, "no e-mail address"),
        ({"attendees": ["a@b.example\nATTENDEE:mailto:x@y.example"]}, "no e-mail address"),
        ({"title": "Hi\r\nATTENDEE:mailto:x@y.example"}, "one line"),
        ({"title": " "}, "needs a title"),
        ({"repeats": "FREQ=WEEKLY"}, "needs its time zone"),
        ({"repeats": "FREQ=SECONDLY", "zone": "Europe/Berlin"}, "no recurrence"),
        ({"repeats": "nonsense", "zone": "Europe/Berlin"}, "no recurrence"),
        ({"zone": "Berlin"}, "no time zone"),
        ({"zone": "../../etc/passwd"}, "no time zone"),
    ],
)
async def test_a_meeting_that_makes_no_sense_is_refused_before_anything_is_sent(calendar, front, changes, words):
    with pytest.raises(RefusedError, match=words):
        await calendar.book(**(MEETING | changes), key="k")
    assert front.calls["PUT"] == 0


async def test_nobody_is_invited_by_nobody(front, tmp_path):
    calendar = made(front.url, tmp_path, organizer="")
    with pytest.raises(RefusedError, match="CALDAV_ORGANIZER"):
        await calendar.book(**MEETING, key="k")
    await calendar.book(**(MEETING | {"attendees": []}), key="k")
    await calendar.close()


# ── moving, cancelling, and back ──────────────────────────────────────────────────────────────────────────────────


async def test_a_meeting_is_moved_and_moved_back(calendar):
    uid = (await calendar.book(**MEETING, key="1")).ref
    arguments = {
        "event": uid,
        "title": MEETING["title"],
        "start": "2026-03-05T14:00:00+01:00",
        "end": "2026-03-05T15:00:00+01:00",
        "attendees": MEETING["attendees"],
    }
    receipt = await calendar.move(**arguments, key="2")

    assert receipt.text == "Moved Review with Acme to Thu 5 Mar 2026, 14:00."
    assert (await calendar.free(**day(3))).data["busy"] == []
    name, back = Calendar.actions()["calendar.move"].undo(arguments, receipt)
    assert name == "calendar.move"
    await calendar.move(**back, key="3")
    (row,) = (await calendar.free(**day(3))).data["busy"]
    assert (row["start"], row["end"]) == (MEETING["start"], MEETING["end"])


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("times", [1, 3])
async def test_a_move_whose_answer_was_lost_is_found_done(calendar, front, behind, after, times):
    uid = (await calendar.book(**MEETING, key="1")).ref
    wish = {
        "event": uid,
        "title": "x",
        "start": "2026-03-05T14:00:00+01:00",
        "end": "2026-03-05T15:00:00+01:00",
        "key": "2",
    }
    front.fail("drop", after=after, times=times)
    if times == 3:
        with pytest.raises(OutcomeUnknownError):
            await calendar.move(**wish)
    receipt = await calendar.move(**wish)

    assert receipt.data["was_start"] == MEETING["start"]
    (text,) = behind.kept().values()
    assert text.count("SEQUENCE:1") == 1
    assert text.count(f"{events.DONE}:{events.digest('2')}") == 1


async def test_what_somebody_else_changed_at_that_moment_is_not_overwritten(calendar, front, behind):
    uid = (await calendar.book(**MEETING, key="1")).ref
    name = next(iter(behind.kept()))

    def meddle(method, path, when):
        if method == "PUT" and when == "before":
            front.hook = None
            behind.put(name, behind.kept()[name].replace("Review with Acme", "Review in room 5"))

    front.hook = meddle
    wish = {"event": uid, "title": "Review", "start": "2026-03-05T14:00:00+01:00", "end": "2026-03-05T15:00:00+01:00"}
    with pytest.raises(RefusedError, match="Somebody changed"):
        await calendar.move(**wish, key="2")
    assert "room 5" in behind.kept()[name]
    await calendar.move(**wish, key="3")
    assert "room 5" in behind.kept()[name]


async def test_a_meeting_is_cancelled_and_put_back_as_it_was(calendar, behind):
    uid = (await calendar.book(**MEETING, key="1", where="Room 4")).ref
    before = behind.kept()
    arguments = {
        "event": uid,
        "title": MEETING["title"],
        "start": MEETING["start"],
        "attendees": MEETING["attendees"],
    }
    receipt = await calendar.cancel(**arguments, key="2")

    assert behind.kept() == {}
    assert receipt.text == "Cancelled Review with Acme, Tue 3 Mar 2026, 10:00."
    name, back = Calendar.actions()["calendar.cancel"].undo(arguments, receipt)
    assert name == "calendar.restore"
    await calendar.restore(**back, key="3")
    await calendar.restore(**back, key="3")
    assert [events.meeting_of(text.encode()) for text in behind.kept().values()] == [
        events.meeting_of(text.encode()) for text in before.values()
    ]
    name, away = Calendar.actions()["calendar.restore"].undo(back, receipt)
    assert name == "calendar.cancel"
    await calendar.cancel(**away, key="4")
    assert behind.kept() == {}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("times", [1, 3])
async def test_a_cancellation_whose_answer_was_lost_still_knows_what_was_there(calendar, front, behind, after, times):
    uid = (await calendar.book(**MEETING, key="1")).ref
    wish = {"event": uid, "title": "Review", "start": MEETING["start"], "key": "2"}
    front.fail("drop", after=after, times=times)
    if times == 3:
        with pytest.raises(OutcomeUnknownError):
            await calendar.cancel(**wish)
    receipt = await calendar.cancel(**wish)

    assert behind.kept() == {}
    assert b"Review with Acme" in calendar._workshop.files.get(receipt.data["copy"])


async def test_what_never_was_there_cannot_be_cancelled_or_moved(calendar):
    with pytest.raises(RefusedError, match="nothing to cancel"):
        await calendar.cancel(event="x@soloist", title="Review", start=MEETING["start"], key="1")
    with pytest.raises(RefusedError, match="cannot be moved"):
        await calendar.move(event="x@soloist", title="Review", start=MEETING["start"], end=MEETING["end"], key="1")


async def test_an_event_that_another_program_wrote_is_found_by_its_id(calendar, behind):
    other = events.compose(
        events.Meeting("7F-3@phone & co", "Dentist", NOW + timedelta(days=1), NOW + timedelta(days=1, hours=1)), NOW
    )
    behind.put("some-name.ics", other.decode())
    await calendar.cancel(event="7F-3@phone & co", title="Dentist", start="2026-03-03T09:00:00+00:00", key="1")

    assert behind.kept() == {}


# ── recurrence and zones ──────────────────────────────────────────────────────────────────────────────────────────


async def test_a_recurring_meeting_keeps_its_hour_over_the_change_to_summer_time(calendar, behind):
    await calendar.book(**WEEKLY, key="1")
    (text,) = behind.kept().values()
    assert "BEGIN:VTIMEZONE" in text

    rows = (await calendar.agenda(start="2026-03-20T00:00:00+01:00", end="2026-04-20T00:00:00+02:00")).data["events"]
    starts = [datetime.fromisoformat(row["start"]).astimezone(UTC).hour for row in rows]
    assert starts == [8, 7, 7]
    assert all(row["recurring"] for row in rows)


async def test_one_of_many_is_moved_and_the_others_stay(calendar):
    uid = (await calendar.book(**WEEKLY, key="1")).ref
    arguments = {
        "event": uid,
        "title": "Stand-up",
        "start": "2026-03-31T15:00:00+02:00",
        "end": "2026-03-31T15:30:00+02:00",
        "occurrence": "2026-03-30T09:00:00+02:00",
    }
    receipt = await calendar.move(**arguments, key="2")
    assert await calendar.move(**arguments, key="2") == receipt

    stretch = {"start": "2026-03-20T00:00:00+00:00", "end": "2026-04-20T00:00:00+00:00"}
    starts = [row["start"] for row in (await calendar.free(**stretch)).data["busy"]]
    assert starts == ["2026-03-23T08:00:00+00:00", "2026-03-31T13:00:00+00:00", "2026-04-06T07:00:00+00:00"]
    _, back = Calendar.actions()["calendar.move"].undo(arguments, receipt)
    await calendar.move(**back, key="3")
    starts = [row["start"] for row in (await calendar.free(**stretch)).data["busy"]]
    assert starts[1] == "2026-03-30T07:00:00+00:00"


async def test_one_of_many_is_cancelled_and_put_back(calendar):
    uid = (await calendar.book(**WEEKLY, key="1")).ref
    at = "2026-03-30T09:00:00+02:00"
    arguments = {"event": uid, "title": "Stand-up", "start": at, "occurrence": at}
    receipt = await calendar.cancel(**arguments, key="2")
    assert (await calendar.cancel(**arguments, key="2")).text == receipt.text

    stretch = {"start": "2026-03-20T00:00:00+00:00", "end": "2026-04-20T00:00:00+00:00"}
    assert len((await calendar.free(**stretch)).data["busy"]) == 2
    _, back = Calendar.actions()["calendar.cancel"].undo(arguments, receipt)
    await calendar.restore(**back, key="3")
    assert len((await calendar.free(**stretch)).data["busy"]) == 3


async def test_a_time_at_which_nothing_recurs_cannot_be_taken_out(calendar):
    uid = (await calendar.book(**WEEKLY, key="1")).ref
    with pytest.raises(RefusedError, match="does not take place"):
        await calendar.cancel(
            event=uid, title="Stand-up", start=WEEKLY["start"], occurrence="2026-03-24T09:00:00+01:00", key="2"
        )


async def test_a_whole_day_is_taken_where_the_asker_lives_and_what_is_marked_free_is_free(calendar, behind):
    day_off = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:{0}\r\nDTSTAMP:20260301T000000Z\r\nSUMMARY:{0}\r\nDTSTART;VALUE=DATE:20260310\r\n{1}END:VEVENT\r\nEND:VCALENDAR\r\n"
    behind.put("a.ics", day_off.format("Holiday", ""))
    behind.put("b.ics", day_off.format("Birthday", "TRANSP:TRANSPARENT\r\n"))
    behind.put("c.ics", day_off.format("Called off", "STATUS:CANCELLED\r\n"))

    (busy,) = (await calendar.free(**day(10))).data["busy"]
    assert (busy["title"], busy["start"], busy["end"]) == ("Holiday", day(10)["start"], day(10)["end"])
    assert [row["title"] for row in (await calendar.agenda(**day(10))).data["events"]] == [
        "Birthday",
        "Called off",
        "Holiday",
    ]
    assert (await calendar.free(**day(11))).data["busy"] == []


async def test_a_stretch_that_is_none_is_refused(calendar):
    for start, end in [
        ("2026-03-03T10:00:00+01:00", "2026-03-03T09:00:00+01:00"),
        ("2026-01-01T00:00:00+00:00", "2028-01-01T00:00:00+00:00"),
    ]:
        with pytest.raises(RefusedError, match="no stretch"):
            await calendar.free(start=start, end=end)


# ── invitations ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_invitation_is_a_file_that_can_be_mailed(calendar):
    receipt = await calendar.invitation(event="a@soloist", **MEETING)

    (attachment,) = receipt.data["attachments"]
    content = calendar._workshop.files.get(attachment["sha256"])
    assert attachment["size"] == len(content)
    parsed = icalendar.Calendar.from_ical(content)
    event = parsed.walk("VEVENT")[0]
    assert parsed["METHOD"] == "REQUEST"
    assert (event["UID"], event["ORGANIZER"]) == ("a@soloist", "mailto:me@solo.example")
    assert event["ATTENDEE"] == "mailto:anna@acme.example"
    assert events.DONE not in event


async def test_calling_off_replaces_the_invitation(calendar):
    await calendar.book(**MEETING, key="1", event="a@soloist")
    receipt = await calendar.invitation(event="a@soloist", method="CANCEL")

    parsed = icalendar.Calendar.from_ical(calendar._workshop.files.get(receipt.data["attachments"][0]["sha256"]))
    event = parsed.walk("VEVENT")[0]
    assert (parsed["METHOD"], event["STATUS"], event["SEQUENCE"]) == ("CANCEL", "CANCELLED", 1)
    assert event["DTSTART"].dt == datetime(2026, 3, 3, 9, 0, tzinfo=UTC)


async def test_the_invitation_to_another_time_replaces_the_first(calendar):
    """Made before the card is pressed, it counts as far as the calendar will once the meeting is moved."""
    await calendar.book(**MEETING, key="1", event="a@soloist")
    later = {"start": "2026-03-05T14:00:00+01:00", "end": "2026-03-05T15:00:00+01:00"}
    receipt = await calendar.invitation(event="a@soloist", **(MEETING | later))
    await calendar.move(event="a@soloist", title="x", **later, key="2")

    content = calendar._workshop.files.get(receipt.data["attachments"][0]["sha256"])
    assert (
        events.sequence_of(content) == events.sequence_of((await calendar._collection.find("a@soloist")).content) == 1
    )
    assert events.meeting_of(content).start == events.moment(later["start"], "")


async def test_nobody_can_be_invited_to_nothing(calendar):
    with pytest.raises(RefusedError, match="not in the calendar"):
        await calendar.invitation(event="x@soloist")
    with pytest.raises(RefusedError, match="Nobody is invited"):
        await calendar.invitation(event="x", **(MEETING | {"attendees": []}))
    with pytest.raises(RefusedError, match="neither REQUEST nor"):
        await calendar.invitation(event="x", **MEETING, method="PUBLISH")


# ── set-up ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_calendar_is_found_from_the_servers_own_address(front, tmp_path):
    calendar = made(front.url, tmp_path, url=front.url + "/")

    health = await calendar.health()
    assert health.ok
    assert health.text == "The calendar Work answers."
    await calendar.book(**MEETING, key="1")
    await calendar.close()


async def test_a_wrong_password_is_said_and_not_shown(front, tmp_path):
    values = {setting.name: setting.default for setting in Calendar.settings} | {
        "CALDAV_URL": front.url + COLLECTION,
        "CALDAV_USER": USER,
        "CALDAV_PASSWORD": "hunter2-secret",
    }
    calendar = Calendar.open(values, Workshop(tmp_path, None, lambda: NOW))
    health = await calendar.health()

    assert not health.ok
    assert "CALDAV_PASSWORD" in health.remedy
    assert "hunter2" not in health.text
    assert calendar.account == f"{USER}@127.0.0.1"
    await calendar.close()


async def test_nobody_there_means_that_nothing_happened(tmp_path):
    calendar = made("http://127.0.0.1:1", tmp_path)
    with pytest.raises(TryLaterError, match="Nothing was sent"):
        await calendar.book(**MEETING, key="1")
    assert not (await calendar.health()).ok
    await calendar.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://dav.example.com/", "https://"),
        ("dav.example.com", "must be an address"),
        ("https://me:pw@dav.example.com/", "no password"),
    ],
)
def test_a_password_is_kept_from_the_wrong_hands(tmp_path, url, words):
    values = {setting.name: setting.default for setting in Calendar.settings} | {"CALDAV_URL": url}
    with pytest.raises(RefusedError, match=words):
        Calendar.open(values, Workshop(tmp_path, None, lambda: NOW))
    assert Calendar.open(values | {"CALDAV_URL": ""}, Workshop(tmp_path, None, lambda: NOW)) is None


HOSTILE = {
    "elsewhere": b'<multistatus xmlns="DAV:"><response><href>http://evil.example/x/</href></response></multistatus>',
    "doctype": b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
    "text": b"hello",
    "empty": b'<multistatus xmlns="DAV:"/>',
}


@pytest.mark.parametrize("which", HOSTILE)
async def test_a_server_that_misleads_gets_no_password(tmp_path, which):
    from aiohttp import web

    async def answer(request):
        return web.Response(status=207, body=HOSTILE[which])

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    calendar = made(f"http://127.0.0.1:{runner.addresses[0][1]}", tmp_path)
    with pytest.raises(RefusedError):
        await calendar.free(**day(3))
    await calendar.close()
    await runner.cleanup()


# ── twins ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_twin_without_its_conditions_overwrites(calendar, front, behind, monkeypatch):
    """The guard of `test_somebody_elses_event_of_that_id_is_left_alone`, taken away."""
    await calendar.book(**MEETING, key="1", event="a@soloist")
    request = calendar._client.request

    async def unconditional(method, path, *, headers=None, **rest):
        kept = {name: value for name, value in (headers or {}).items() if not name.startswith("If-")}
        return await request(method, path, headers=kept, **rest)

    monkeypatch.setattr(calendar._client, "request", unconditional)
    await calendar.book(**(MEETING | {"title": "Other"}), key="2", event="a@soloist")
    assert "Other" in next(iter(behind.kept().values()))


@pytest.mark.parametrize(
    ("start", "rule"),
    [
        ("20200303T100000Z", "FREQ=SECONDLY"),
        ("20200303T100000Z", "FREQ=HOURLY"),
        ("20200303T100000Z", "FREQ=DAILY;BYMINUTE=" + ",".join(map(str, range(60)))),
        ("00010303T100000Z", "FREQ=DAILY"),
    ],
    ids=["seconds", "hours", "minutes", "since the year 1"],
)
def test_a_rule_nobody_could_sit_through_is_its_first_time_only(start, rule):
    text = (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nBEGIN:VEVENT\r\nUID:odd\r\nDTSTAMP:20260301T080000Z\r\n"
        f"DTSTART:{start}\r\nDURATION:PT1H\r\nRRULE:{rule}\r\nSUMMARY:Odd\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )

    assert events.occurrences([text.encode()], NOW, NOW + timedelta(days=300)) == []


def test_a_birthday_of_long_ago_still_takes_place():
    text = (
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nBEGIN:VEVENT\r\nUID:born\r\nDTSTAMP:20260301T080000Z\r\n"
        b"DTSTART;VALUE=DATE:19500310\r\nRRULE:FREQ=YEARLY\r\nSUMMARY:Born\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )

    (one,) = events.occurrences([text], NOW, NOW + timedelta(days=30))
    assert one.start.day == 10


# ── notes on a day ────────────────────────────────────────────────────────────────────────────────────────────────

NOTE = {"title": "Check in with Acme", "when": "2026-03-03T09:00:00+01:00", "event": "check-in@soloist"}


async def test_a_note_stands_in_the_calendar_and_takes_no_time(calendar, behind):
    noted = await calendar.note(**NOTE, key="1.1.1")
    assert noted.text == "In your calendar: Check in with Acme, Tue 3 Mar 2026, 09:00."
    (text,) = behind.kept().values()
    assert "TRANSP:TRANSPARENT" in text
    span = {"start": "2026-03-03T00:00:00+01:00", "end": "2026-03-04T00:00:00+01:00"}
    assert (await calendar.free(**span)).data["busy"] == []
    assert [each["title"] for each in (await calendar.agenda(**span)).data["events"]] == ["Check in with Acme"]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("times", [1, 3])
async def test_a_note_whose_answer_was_lost_is_one_and_is_struck_once(calendar, front, behind, after, times):
    front.fail("drop", after=after, times=times)
    for _ in range(4):
        with contextlib.suppress(OutcomeUnknownError, TryLaterError):
            await calendar.note(**NOTE, key="1.1.1")
    assert len(behind.kept()) == 1
    front.fail("drop", after=after, times=times)
    for _ in range(4):
        with contextlib.suppress(OutcomeUnknownError, TryLaterError):
            await calendar.strike(**NOTE, key="1.1.2")
    assert behind.kept() == {}
    assert "not in your calendar any more" in (await calendar.strike(**NOTE, key="1.1.2")).text


async def test_what_takes_a_note_back_and_what_puts_it_back_is_declared(calendar, behind):
    done, does = await calendar.note(**NOTE, key="1.1.1"), "calendar.note"
    for back, key in (("calendar.strike", "1.1.2"), ("calendar.note", "1.1.3")):
        does, args = Calendar.actions()[does].undo(NOTE, done)
        assert does == back
        done = await getattr(calendar, does.partition(".")[2])(**args, key=key)
        assert len(behind.kept()) == (does == "calendar.note")


async def test_a_note_to_which_somebody_was_invited_is_no_note_any_more(calendar, behind):
    await calendar.note(**NOTE, key="1.1.1")
    ((name, text),) = behind.kept().items()
    behind.put(name, text.replace("END:VEVENT", "ATTENDEE:mailto:bob@acme.example\r\nEND:VEVENT"))
    with pytest.raises(RefusedError, match="Cancel it as a meeting"):
        await calendar.strike(**NOTE, key="1.1.2")
    assert len(behind.kept()) == 1
