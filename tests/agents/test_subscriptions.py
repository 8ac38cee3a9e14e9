"""Subscriptions that end: noted once with their day, and no longer counted."""

from datetime import date

import pytest

from agents.clients import WhoIs
from agents.subscription import recurring
from agents.subscriptions import EndSubscription
from memory.events import Write
from tests.agents.desk import PaperDesk, answered

PRO = {
    "client": "acme",
    "plan": "Pro",
    "amount": "49.00 EUR",
    "interval": "month",
    "status": "active",
    "since": "2026-01-05",
}


@pytest.fixture
def desk() -> PaperDesk:
    made = PaperDesk()
    made.write(Write(kind="subscription", key="sub-1q", data={**PRO, "source": "sub_1Q"}))
    return made


@pytest.mark.parametrize("wish", [EndSubscription(client="Acme"), EndSubscription(subscription="sub_1Q")])
async def test_an_end_is_noted_with_its_day_and_stops_to_count(desk: PaperDesk, wish: EndSubscription) -> None:
    proposal = await answered(desk, wish.model_copy(update={"day": date(2026, 11, 20)}))
    assert proposal.calls[0].args["summary"] == (
        "The subscription of Acme GmbH (Pro, 49.00 EUR a month) ended on 20 November 2026"
    )
    assert proposal.calls[0].needs == {"subscription:sub-1q": 1}
    desk.confirm(proposal)
    record = desk.record("subscription", "sub-1q")
    assert record is not None
    assert (record.data["status"], record.data["ended"]) == ("ended", "2026-11-20")
    assert recurring([record]) == ({}, ())
    shown = (await answered(desk, WhoIs(client="Acme"))).say
    assert "Subscription sub-1q: Pro, 49.00 EUR a month, ended since 5 January 2026 until 20 November 2026" in shown
    again = await answered(desk, wish)
    assert not again.calls
    assert "ended on 20 November 2026" in (again.say or again.problem)


async def test_which_of_several_is_asked_and_the_button_says_it(desk: PaperDesk) -> None:
    desk.write(Write(kind="subscription", key="sub-2", data={**PRO, "plan": "Studio", "source": "sub_2"}))
    asked = await answered(desk, EndSubscription(client="Acme"))
    assert [choice.label for choice in asked.choices] == ["Pro, 49.00 EUR a month", "Studio, 49.00 EUR a month"]
    chosen = await answered(desk, EndSubscription(client=asked.choices[1].text.removeprefix("/end_subscription ")))
    assert chosen.calls[0].writes[0].key == "sub-2"


async def test_what_is_not_there_is_said(desk: PaperDesk) -> None:
    assert "never on my books" in (await answered(desk, EndSubscription(subscription="sub_9"))).say
    assert "Whose subscription" in (await answered(desk, EndSubscription())).ask
    assert "I know no client" in (await answered(desk, EndSubscription(client="Nobody"))).ask
    none = PaperDesk()
    assert "has no subscription" in (await answered(none, EndSubscription(client="Acme"))).problem
