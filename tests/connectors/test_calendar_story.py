"""The calendar through the house itself: said in the chat, pressed on a card, judged by radicale's own files."""

import asyncio

import pytest

from bot.testing import PaperHouse
from tests.counterparts.caldav import COLLECTION, PASSWORD, USER, radicale
from tests.counterparts.faults import faulty


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    with radicale(tmp_path_factory.mktemp("radicale")) as server:
        yield server


def environment(url):
    return {
        "CALDAV_URL": url + COLLECTION,
        "CALDAV_USER": USER,
        "CALDAV_PASSWORD": PASSWORD,
        "CALDAV_ORGANIZER": "me@solo.example",
    }


async def hang_up(house):
    await house.machine.runner._staff.connectors["calendar"].close()


async def until(house, words):
    for _ in range(600):
        if words in house.transcript():
            return
        await asyncio.sleep(0.02)
    house.expects(words)


async def test_a_meeting_is_booked_by_a_sentence_and_a_press_and_its_guest_is_told(tmp_path, behind):
    behind.clear()
    async with PaperHouse(tmp_path / "home", environment=environment(behind.url)) as house:
        await house.operator("book a meeting with Acme on Thursday at 3")
        assert behind.kept() == {}
        await house.press("Approve")
        await house.later(minutes=10)
        await until(house, "Booked Meeting with")
        for _ in range(200):
            if house.outbox():
                break
            await asyncio.sleep(0.02)
        assert len(behind.kept()) == 1
        (letter,) = house.outbox()
        await hang_up(house)
    (text,) = behind.kept().values()
    assert "TZID=Europe/Berlin:20260305T150000" in text
    assert b"invitation.ics" in letter.read_bytes()


async def test_a_booking_whose_answers_were_lost_is_found_done_after_a_restart(tmp_path, behind):
    behind.clear()
    async with faulty(behind.url) as front:
        async with PaperHouse(tmp_path / "home", environment=environment(front.url)) as house:
            front.fail("drop", after=True, times=3)
            await house.operator("book a meeting with Acme on Thursday at 3")
            await house.press("Approve")
            await house.later(minutes=10)
            for _ in range(500):
                if behind.kept():
                    break
                await asyncio.sleep(0.02)
            first = house.machine.runner._staff.connectors["calendar"]
            await house.restart()
            await first.close()
            await house.later(minutes=20)
            await until(house, "Booked Meeting with")
            await hang_up(house)
        assert len(behind.kept()) == 1
        assert front.passed["PUT"] == 1


async def test_a_meeting_that_was_moved_on_the_phone_is_told_and_the_books_follow_a_press(tmp_path, behind):
    behind.clear()
    async with PaperHouse(tmp_path / "home", environment=environment(behind.url)) as house:
        await house.operator("book a meeting with Acme on Thursday at 3")
        await house.press("Approve")
        await house.later(minutes=10)
        await until(house, "Booked Meeting with")
        watch = house.machine.runner._staff.connectors["calendar"].watch
        watch._tag = ""  # the watch's own five minutes are the machine's, which stands still here
        await watch.look_once(house.machine.runner.arrived)
        ((name, text),) = behind.kept().items()
        behind.put(name, text.replace("T150000", "T170000").replace("T160000", "T180000"))
        await watch.look_once(house.machine.runner.arrived)
        await until(house, "Meeting with Acme GmbH is at Thu 5 March, 17:00 now")
        assert "was moved in your calendar: Thu 5 March, 17:00, before Thu 5 March, 15:00." in str(house.card())
        await house.press("Approve")
        await house.later(minutes=1)
        await house.operator("what's on 5 March?")
        house.expects("17:00")
        await hang_up(house)
