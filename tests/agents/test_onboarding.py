"""Onboarding: the record, the welcome and the check-ins come on one card."""

from datetime import datetime
from decimal import Decimal

from agents.base import Write
from agents.onboarding import Onboard
from agents.slots import Money
from tests.agents.desk import PaperDesk, answered


async def test_onboarding_welcomes_and_plans_the_check_ins() -> None:
    desk = PaperDesk()
    proposal = await answered(desk, Onboard(client="Acme", plan="Pro"))
    assert [call.name for call in proposal.calls] == ["books.write", "mail.send", "books.remind", "books.remind"]
    assert [call.args["when"][:10] for call in proposal.calls[2:]] == ["2026-11-24", "2026-12-05"]
    assert all(datetime.fromisoformat(call.args["when"]).tzinfo for call in proposal.calls[2:])
    assert "You have chosen Pro." in proposal.calls[1].args["body"]
    desk.confirm(proposal)
    assert desk.record("client", "acme").data["onboarded"] == "2026-11-21"


async def test_a_subscription_of_somebody_else_is_left_and_an_amount_alone_is_said_to_be_lost() -> None:
    desk = PaperDesk()
    mine = Onboard(client="Acme", plan="Pro", subscription="s-1", amount=Money(Decimal(900), "JPY"))
    desk.confirm(await answered(desk, mine))
    assert desk.record("subscription", "s-1").data["amount"] == "900 JPY"
    desk.write(Write(kind="subscription", key="s-1", data={"client": "globex"}))
    taken = await answered(desk, mine)
    assert [each.kind for each in taken.calls[0].writes] == ["client"]
    assert "is globex's; left as it is" in " ".join(taken.reasons)
    alone = await answered(desk, Onboard(client="Acme", amount=Money(Decimal(5), "EUR")))
    assert "5.00 EUR is in no record" in " ".join(alone.reasons)
