"""What comes again comes once a period, over restarts, upgrades and long sleeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bot import schedules
from bot.testing import PaperHouse
from memory.events import HourStruck, Write
from memory.projections import Books

BERLIN = ZoneInfo("Europe/Berlin")


def standing(house: PaperHouse, kind: str) -> list[dict[str, object]]:
    with house.machine.database.read() as connection:
        return [dict(record.data) for record in Books(connection).all(kind)]


def fired(house: PaperHouse) -> list[str]:
    lines = house.machine.log.lines()
    return [
        line.event.period
        for line in lines
        if isinstance(line.event, HourStruck) and line.event.name.startswith(schedules.PREFIX)
    ]


def test_a_period_that_is_served_late_is_invoiced_for_its_own_month() -> None:
    data = {
        "agent": "billing",
        "intent": "invoice",
        "slots": {"what": "Retainer {month}", "n": 1},
        "next": "2026-03-28T09:00:00+01:00",
    }
    assert schedules.step_of("x", data).inputs == {"what": "Retainer March 2026", "n": 1}
    assert schedules.step_of("x", {**data, "next": ""}).inputs["what"] == "Retainer {month}"


async def test_a_recurring_invoice_comes_as_a_card_each_month_and_once(house: PaperHouse) -> None:
    await house.operator("invoice Acme 1,200 every month")
    assert len(standing(house, "schedule")) == 1
    first = str(standing(house, "schedule")[0]["next"])
    assert not house.channel.cards
    await house.later(days=32)
    assert fired(house) == [first]
    card = house.card()
    assert {row.label: row.value for row in card.rows}["Amount"] == "1,428.00 EUR"
    assert card.state == "pending", "a schedule asks like everybody else"
    await house.restart()
    await house.later(hours=1)
    assert fired(house) == [first]
    assert str(standing(house, "schedule")[0]["next"]) > first


async def test_what_is_stopped_in_words_comes_no_more_and_can_be_taken_back(house: PaperHouse) -> None:
    await house.operator("invoice Acme 1,200 every month")
    await house.operator("stop the monthly one for acme")
    assert standing(house, "schedule") == []
    await house.later(days=32)
    assert not fired(house)
    await house.operator("invoice Acme 900 every month")
    await house.operator("cancel the recurring invoice for Acme")
    await house.operator("/undo")
    assert len(standing(house, "schedule")) == 1


async def test_a_period_of_an_upgrade_is_not_fired_again(house: PaperHouse) -> None:
    """An older `next` on the books, as after a restored or rewritten record: the period was served, and stays so."""
    await house.operator("invoice Acme 1,200 every month")
    await house.later(days=32)
    (period,) = fired(house)
    key = "schedule:invoice-acme"
    assert await house.runner.struck(key, period) is False
    await house.stop()
    house._build()
    await house._run()
    assert await house.runner.struck(key, period) is False
    assert fired(house) == [period]


async def test_a_month_of_sleep_catches_up_with_every_declared_period(house: PaperHouse) -> None:
    await house.operator("invoice Acme 1,200 every month")
    await house.later(days=95)
    assert len(fired(house)) == len(set(fired(house))) == 3
    assert len(house.channel.cards) == 3


async def test_a_schedule_taken_back_does_not_fire(house: PaperHouse) -> None:
    await house.operator("invoice Acme 1,200 every month")
    await house.later(days=32)
    await house.operator("undo 2")
    assert standing(house, "schedule") == []
    await house.later(days=60)
    assert len(fired(house)) == 1


async def test_a_client_added_taken_back_and_added_again_stands_on_the_books(house: PaperHouse) -> None:
    for _ in range(2):
        await house.operator("add client Tyrell, billing@tyrell.example")
        assert "tyrell" in {str(each.get("name", "")).lower() for each in standing(house, "client")}
        await house.operator("undo")
        assert "tyrell" not in {str(each.get("name", "")).lower() for each in standing(house, "client")}
    await house.operator("add client Tyrell, billing@tyrell.example")
    assert "tyrell" in {str(each.get("name", "")).lower() for each in standing(house, "client")}


async def test_a_recurring_reminder_comes_again_and_again(house: PaperHouse) -> None:
    await house.operator("remind me every Friday to back up the laptop")
    for _ in range(3):
        await house.later(days=7)
    told = [text for text in house.channel.words if text.startswith("Reminder:")]
    assert len(told) == 3
    await house.restart()
    await house.later(days=28)
    told = [text for text in house.channel.words if text.startswith("Reminder:")]
    assert len(told) == 4, "four weeks of sleep are one reminder"
    await house.later(days=7)
    assert len([text for text in house.channel.words if text.startswith("Reminder:")]) == 5
    await house.operator("undo 2")
    await house.later(days=14)
    assert len([text for text in house.channel.words if text.startswith("Reminder:")]) == 5


async def test_a_reminder_without_a_rule_comes_once(house: PaperHouse) -> None:
    await house.operator("remind me tomorrow at 9 to call Anna")
    await house.later(days=3)
    await house.later(days=3)
    assert len([text for text in house.channel.words if text.startswith("Reminder:")]) == 1
    assert [each["status"] for each in standing(house, "reminder")] == ["done"]


async def test_a_single_period_ends_its_schedule() -> None:
    data = {"agent": "content", "intent": "publish_post", "slots": {}, "rule": "", "next": "2026-03-06T09:00:00+01:00"}
    assert schedules.due(data, datetime(2026, 3, 6, 7, 59, tzinfo=UTC)) == ""
    assert schedules.due(data, datetime(2026, 3, 6, 8, 0, tzinfo=UTC)) == data["next"]
    assert schedules.advanced("post-x", data, str(data["next"]), BERLIN) == Write(
        kind="schedule", key="post-x", data={**data, "last": data["next"], "next": ""}, gone=True
    )


def test_every_second_week_stays_the_second_over_a_long_sleep_and_summer_time() -> None:
    last = datetime(2026, 3, 20, 9, 0, tzinfo=BERLIN)
    rule = "FREQ=WEEKLY;INTERVAL=2;BYDAY=FR"
    found = schedules.following_after(rule, last, last + timedelta(days=30), BERLIN)
    assert found == datetime(2026, 5, 1, 9, 0, tzinfo=BERLIN)
    assert found is not None
    assert found.hour == 9, "nine o'clock stays nine o'clock"


def test_a_next_that_is_no_time_is_never_due() -> None:
    assert schedules.due({"next": "soon"}, datetime(2030, 1, 1, tzinfo=UTC)) == ""
    assert schedules.due({"next": "2026-01-01"}, datetime(2030, 1, 1, tzinfo=UTC)) == ""
    assert schedules.due({}, datetime(2030, 1, 1, tzinfo=UTC)) == ""
