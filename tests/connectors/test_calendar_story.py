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
