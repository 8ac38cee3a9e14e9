"""Customer onboarding: a subscription is bought; record, welcome mail and check-ins come as one card."""

from __future__ import annotations

from pathlib import Path

import pytest

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
    recurring = {"items": {"data": [{"price": {"recurring": {"interval": "month"}}}]}}
    made = {"told": recurring | {"id": "sub_1Q"}, "customer_email": "h@globex.example", "plan": "Pro"}
    async with company(tmp_path, "no model") as house:
        await arrives(house, "stripe", EVENT, paid)
        assert ("Subscription", "49.00 EUR · sub_1Q") in [(row.label, row.value) for row in house.card().rows]
        assert records(house, "subscription") == []
        await approve(house)
        (first,) = records(house, "subscription")
        assert (first["client"], first["plan"], first["amount"]) == ("globex", "Pro", "49.00 EUR")
        assert (first["status"], first["source"]) == ("active", "sub_1Q")
        await arrives(house, "stripe", "stripe.customer.subscription.created", made)
        await approve(house)
        (again,) = records(house, "subscription")
        assert again == {**first, "interval": "month"}
        await house.operator("who is Globex?")
        house.expects("Subscription sub-1q: Pro, 49.00 EUR, month, active since")


async def test_what_the_playbook_cannot_know_waits_for_the_operator(tmp_path: Path) -> None:
    async with company(tmp_path, "no model") as house:
        await arrives(house, "stripe", EVENT, {"told": {}, "plan": "Pro", "reference": ""})
        house.expects("it does not say")
        assert not house.channel.cards
        ends_well(house)
