"""What is done to the calendar elsewhere: seen at a real server, told once, and our own doing never.

The watch is `connectors.caldav_watch`; how often it looks, `connectors.looking`.
"""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from connectors.base import RefusedError, TryLaterError, Workshop
from connectors.caldav_calendar import Calendar
from connectors.caldav_changes import look
from connectors.caldav_collection import Kept
from connectors.looking import EVERY_S
from tests.connectors.test_contract import default_values
from tests.counterparts.caldav import COLLECTION, PASSWORD, USER, radicale
from tests.counterparts.faults import faulty

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ACME = {"title": "Call with Acme", "start": "2026-03-05T15:00:00+01:00", "end": "2026-03-05T16:00:00+01:00"}
WEEKLY = ACME | {"title": "Weekly", "repeats": "FREQ=WEEKLY;COUNT=4", "zone": "Europe/Berlin"}


class Shelf(dict[str, bytes]):
    def put(self, content: bytes) -> str:
        self["copy"] = content
        return "copy"

    def get(self, sha256: str) -> bytes:
        return self[sha256]


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    with radicale(tmp_path_factory.mktemp("radicale")) as server:
        yield server


@pytest.fixture
async def front(behind):
    behind.clear()
    async with faulty(behind.url) as it:
        yield it


class House:
    """A calendar that is looked at when the test says so, and what it brought."""

    def __init__(self, url, home):
        self.now = NOW
        self.brought = []
        self.full = False
        self.workshop = Workshop(home=home, files=Shelf(), now=lambda: self.now)
        self.url = url
        self.open()

    def open(self):
        values = default_values(Calendar, CALDAV_URL=self.url + COLLECTION, CALDAV_USER=USER, CALDAV_PASSWORD=PASSWORD)
        self.calendar = Calendar.open(values, self.workshop)

    async def restart(self):
        await self.calendar.close()
        self.open()

    async def deliver(self, item):
        if self.full:
            raise OSError("disk full")
        self.brought.append(item)

    async def look(self):
        """Return what one look brought: (kind, title, hour)."""
        before = len(self.brought)
        await self.calendar.watch.look_once(self.deliver)
        return [(each.kind, each.text, each.data["start"][:16]) for each in self.brought[before:]]


@pytest.fixture
async def house(front, tmp_path):
    it = House(front.url, tmp_path)
    yield it
    await it.calendar.close()


def stranger(uid, start, end, extra=""):
    return (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Phone//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260301T080000Z\r\n"
        f"DTSTART:{start}\r\nDTEND:{end}\r\nSUMMARY:Dentist\r\n{extra}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )


def elsewhere(behind, change):
    """Somebody changes the one event that is there, as a phone does: the rest of it stays as it is."""
    ((name, text),) = behind.kept().items()
    behind.put(name, change(text))


async def test_the_first_look_only_remembers(house, behind):
    behind.put("d.ics", stranger("d", "20260305T140000Z", "20260305T150000Z"))
    await house.calendar.book(**ACME, key="1")

    assert await house.look() == []
    assert await house.look() == []


async def test_a_meeting_of_ours_that_was_moved_on_a_phone_is_told_once_with_both_times(house, behind):
    booked = await house.calendar.book(**ACME, key="1")
    await house.look()
    elsewhere(behind, lambda text: text.replace("T140000Z", "T170000Z").replace("T150000Z", "T180000Z"))

    assert await house.look() == [("calendar.moved", "Call with Acme", "2026-03-05T17:00")]
    (item,) = house.brought
    assert item.data["event"] == booked.ref
    assert item.data["was_start"] == "2026-03-05T14:00:00+00:00"
    assert await house.look() == []
    await house.restart()
    assert await house.look() == []


async def test_moved_there_and_back_and_there_again_is_three_items(house, behind):
    await house.calendar.book(**ACME, key="1")
    await house.look()
    for there, back in (("T14", "T17"), ("T17", "T14"), ("T14", "T17")):
        elsewhere(behind, lambda text, a=there, b=back: text.replace(a, b).replace("T150000Z", "T190000Z"))
        await house.look()

    assert [item.kind for item in house.brought] == ["calendar.moved"] * 3
    assert len({item.event_id for item in house.brought}) == 3


async def test_a_meeting_of_ours_that_was_deleted_or_called_off_elsewhere_is_told(house, behind):
    await house.calendar.book(**ACME, key="1")
    await house.look()
    behind.clear()
    assert await house.look() == [("calendar.cancelled", "Call with Acme", "2026-03-05T14:00")]

    await house.calendar.book(**ACME, key="2")
    await house.look()
    elsewhere(behind, lambda text: text.replace("STATUS:CONFIRMED", "STATUS:CANCELLED"))
    assert await house.look() == [("calendar.cancelled", "Call with Acme", "2026-03-05T14:00")]


async def test_what_we_do_ourselves_is_no_news(house):
    booked = await house.calendar.book(**ACME, key="1")
    await house.look()
    later = {"start": "2026-03-06T15:00:00+01:00", "end": "2026-03-06T16:00:00+01:00"}
    await house.calendar.move(event=booked.ref, title="Call with Acme", **later, key="2")
    assert await house.look() == []
    gone = {"event": booked.ref, "title": "Call with Acme", "start": later["start"]}
    await house.calendar.cancel(**gone, key="3")
    assert await house.look() == []
    await house.calendar.restore(**gone, copy="copy", key="4")
    assert await house.look() == []


async def test_somebody_elses_event_is_news_only_where_it_takes_the_time_of_ours(house, behind):
    await house.calendar.book(**ACME, key="1")
    await house.look()
    behind.put("far.ics", stranger("far", "20260306T140000Z", "20260306T150000Z"))
    behind.put("free.ics", stranger("free", "20260305T140000Z", "20260305T150000Z", "TRANSP:TRANSPARENT\r\n"))
    assert await house.look() == []

    behind.put("d.ics", stranger("d", "20260305T143000Z", "20260305T153000Z"))
    assert await house.look() == [("calendar.clash", "Dentist", "2026-03-05T14:30")]
    assert house.brought[-1].data["with"]["title"] == "Call with Acme"
    assert await house.look() == []


async def test_one_time_of_a_series_that_is_left_out_elsewhere_is_the_only_one_told(house, behind):
    await house.calendar.book(**WEEKLY, key="1")
    await house.look()
    skip = "EXDATE;TZID=Europe/Berlin:20260312T150000\r\nEND:VEVENT"
    elsewhere(behind, lambda text: text.replace("END:VEVENT", skip))

    assert await house.look() == [("calendar.cancelled", "Weekly", "2026-03-12T14:00")]


async def test_time_that_passes_is_no_change(house):
    """What has begun, and what comes into sight, changed nothing."""
    await house.calendar.book(**WEEKLY, key="1")
    far = {"start": "2026-06-10T15:00:00+02:00", "end": "2026-06-10T16:00:00+02:00"}
    await house.calendar.book(title="Far", **far, key="2")
    await house.look()
    house.now += timedelta(days=12)
    await house.calendar.book(title="Near", start="2026-03-20T09:00:00Z", end="2026-03-20T10:00:00Z", key="3")

    assert await house.look() == []


async def test_a_meeting_that_was_moved_out_of_sight_is_moved_and_not_cancelled(house, behind):
    await house.calendar.book(**ACME, key="1")
    await house.look()
    elsewhere(behind, lambda text: text.replace("20260305T", "20261105T"))

    assert await house.look() == [("calendar.moved", "Call with Acme", "2026-11-05T14:00")]


async def test_a_change_that_cannot_be_written_down_is_brought_again(house, behind):
    await house.calendar.book(**ACME, key="1")
    await house.look()
    behind.clear()
    house.full = True
    with pytest.raises(TryLaterError, match="disk full"):
        await house.look()
    house.full = False
    await house.restart()

    assert len(await house.look()) == 1


async def test_a_quiet_calendar_costs_one_question(house, front):
    await house.calendar.book(**ACME, key="1")
    await house.look()
    before = dict(front.calls)
    await house.look()

    assert front.calls["REPORT"] == before["REPORT"]
    assert front.calls["PROPFIND"] == before["PROPFIND"] + 1


async def test_a_damaged_note_of_the_last_look_makes_the_next_one_the_first(house, behind):
    await house.calendar.book(**ACME, key="1")
    await house.look()
    for note in (house.workshop.home / "calendar").glob("seen-*"):
        note.write_text('{"until": 1}')
    await house.restart()
    behind.clear()

    assert await house.look() == []


def test_an_event_nobody_can_read_hides_no_other():
    good = stranger("d", "20260305T143000Z", "20260305T153000Z").encode()
    kept = [Kept("/a", "1", b"nonsense"), Kept("/b", "2", good)]

    assert list(look(kept, NOW, NOW + timedelta(days=9)).entries) == ["d"]


async def test_listening_is_patient_with_a_server_that_is_away_and_stops_at_a_wrong_login(house, front):
    waits = []

    async def pause(seconds):
        waits.append(seconds)
        if len(waits) == 3:
            raise asyncio.CancelledError
        await asyncio.sleep(0)

    async def at_once(seconds):
        del seconds

    house.calendar.watch._pause = pause
    house.calendar._client._pause = at_once
    front.fail("503", reads=True, times=3)
    with pytest.raises(asyncio.CancelledError):
        await house.calendar.listen(house.deliver)
    assert waits == [2 * EVERY_S, EVERY_S, EVERY_S]

    front.fail("401", reads=True)
    house.calendar.watch._tag = ""
    with pytest.raises(RefusedError):
        await house.calendar.listen(house.deliver)
