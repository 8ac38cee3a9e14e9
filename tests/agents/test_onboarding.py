"""Onboarding: the record, the welcome and the check-ins come on one card."""

from datetime import datetime

from agents.onboarding import Onboard
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
