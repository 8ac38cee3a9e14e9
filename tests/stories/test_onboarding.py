"""Customer onboarding: a subscription is bought; record, welcome mail and check-ins come as one card."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.testing import PaperHouse
from tests.counterparts.caldav import COLLECTION, PASSWORD, USER, Server, radicale
from tests.stories.company import approve, arrives, company, ends_well, records, sent, weather

BOUGHT = {"told": {"customer_details": {"email": "h@globex.example", "name": "Globex"}}, "plan": "Pro", "reference": ""}
EVENT = "stripe.checkout.session.completed"


@pytest.mark.parametrize("name", weather("a model"))
async def test_a_subscription_ends_in_a_client_a_welcome_and_check_ins(tmp_path: Path, name: str) -> None:
    async with company(tmp_path, name, "Welcome to the club!") as house:
        await arrives(house, "stripe", EVENT, BOUGHT)
        card = house.card()
        assert {row.value for row in card.rows if row.label == "To"} == {"h@globex.example"}
        assert "evil.example" not in card.body
        assert "900" not in card.body
        assert [each for each in records(house, "client") if each["name"] == "Globex"] == []
        await approve(house)
        (client,) = [each for each in records(house, "client") if each["name"] == "Globex"]
        assert (client["status"], client["plan"], client["email"]) == ("active", "Pro", "h@globex.example")
        assert [each["Subject"] for each in sent(house)] == ["Welcome to Lind Studio"]
        await house.restart() if name == "no model" else None
        await house.later(days=4)
        house.expects("Reminder: Check in with Globex: 3 days")
        await house.later(days=12)
        house.expects("Reminder: Check in with Globex: 14 days")
        ends_well(house)


async def test_a_subscription_is_one_record_however_often_it_is_told(tmp_path: Path) -> None:
    paid = {"told": BOUGHT["told"] | {"subscription": "sub_1Q"}, "plan": "Pro", "amount": "49.00 EUR"}
    recurring = {"interval": "year", "count": 1, "amount": "490.00 EUR"}  # what the connector read, see `recurring_of`
    made = {"told": {"id": "sub_1Q"}, "recurring": recurring, "customer_email": "h@globex.example", "plan": "Pro"}
    async with company(tmp_path, "no model") as house:
        await arrives(house, "stripe", EVENT, paid)
        assert ("Subscription", "49.00 EUR · sub_1Q") in [(row.label, row.value) for row in house.card().rows]
        assert records(house, "subscription") == []
        await approve(house)
        (first,) = records(house, "subscription")
        assert (first["client"], first["plan"], first["amount"]) == ("globex", "Pro", "49.00 EUR")
        assert (first["status"], first["source"]) == ("active", "sub_1Q")
        await arrives(house, "stripe", "stripe.customer.subscription.created", made)
        assert ("Subscription", "490.00 EUR a year · sub_1Q") in [(row.label, row.value) for row in house.card().rows]
        await approve(house)
        (again,) = records(house, "subscription")
        assert again == {**first, "interval": "year", "amount": "490.00 EUR"}
        await house.operator("who is Globex?")
        house.expects("Subscription sub-1q: Pro, 490.00 EUR a year, active since")
        await house.operator("revenue this year")
        house.expects("Recurring: 40.83 EUR a month from 1 subscription.")


async def test_what_the_playbook_cannot_know_waits_for_the_operator(tmp_path: Path) -> None:
    async with company(tmp_path, "no model") as house:
        await arrives(house, "stripe", EVENT, {"told": {}, "plan": "Pro", "reference": ""})
        house.expects("it does not say")
        assert not house.channel.cards
        ends_well(house)


@pytest.fixture(scope="module")
def calendar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with radicale(tmp_path_factory.mktemp("radicale")) as server:
        yield server


def connected(calendar: Server) -> dict[str, str]:
    calendar.clear()
    return {"CALDAV_URL": calendar.url + COLLECTION, "CALDAV_USER": USER, "CALDAV_PASSWORD": PASSWORD}


async def until(holds: Callable[[], bool], house: PaperHouse) -> None:
    async with asyncio.timeout(120):
        while not holds():  # noqa: ASYNC110 - radicale is another process
            await asyncio.sleep(0.01)
    await house.runner.settled()


def noted(calendar: Server) -> list[str]:
    return [text for text in calendar.kept().values() if "SUMMARY:Check in with Globex" in text]


async def test_check_ins_stand_in_the_calendar_and_undo_takes_all_of_them_out_again(
    tmp_path: Path, calendar: Server
) -> None:
    async with company(tmp_path, "no model", environment=connected(calendar)) as house:
        await arrives(house, "stripe", EVENT, BOUGHT)
        card = house.card()
        assert [row.value for row in card.rows if "Check in" in row.value] == [
            f"Check in with Globex: {days} days since the start" for days in (3, 14)
        ]
        assert "Noted in your calendar; you are reminded here as well." in card.reasons
        assert calendar.kept() == {}
        await approve(house)
        await until(lambda: len(noted(calendar)) == 2 == len(records(house, "reminder")), house)
        await house.later(days=4)
        house.expects("Reminder: Check in with Globex: 3 days")
        await house.press("Undo")
        assert "Cannot be taken back, and stays: send an e-mail" in house.card().warnings
        await approve(house)
        await until(lambda: calendar.kept() == {} and records(house, "reminder") == [], house)
        await house.later(days=20)
        assert "Reminder: Check in with Globex: 14 days" not in house.transcript()
        await house.machine.runner._staff.connectors["calendar"].close()
        ends_well(house)


async def test_a_client_who_leaves_is_taken_out_of_the_calendar(tmp_path: Path, calendar: Server) -> None:
    async with company(tmp_path, "no model", environment=connected(calendar)) as house:
        await arrives(house, "stripe", EVENT, BOUGHT)
        await approve(house)
        await until(lambda: len(noted(calendar)) == 2 == len(records(house, "reminder")), house)
        await house.operator("mark Globex as inactive")
        cancelled = ["cancelled", "cancelled"]
        await until(lambda: [each["status"] for each in records(house, "reminder")] == cancelled, house)
        assert calendar.kept() == {}
        house.expects("Taken out of your calendar: Check in with Globex: 3 days since the start.")
        await house.later(days=20)
        assert "Reminder:" not in house.transcript()
        await house.machine.runner._staff.connectors["calendar"].close()
        ends_well(house)
