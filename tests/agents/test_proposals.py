"""Proposals: a price is the operator's, and a model may reword but not reprice."""

from decimal import Decimal

from agents.base import Thought
from agents.proposals import SendProposal
from agents.slots import Money
from tests.agents.desk import PaperDesk, answered


async def test_a_proposal_is_mailed_and_recorded() -> None:
    desk = PaperDesk()
    wish = SendProposal(client="Acme", what="the redesign", amount=Money(Decimal(4500)))
    proposal = await answered(desk, wish, "send Acme a proposal for the redesign, 4,500")
    (mail,) = proposal.calls
    assert mail.args["to"] == ["billing@acme.example"]
    assert "4,500.00 EUR plus VAT" in mail.args["body"]
    assert "until 21 December 2026" in mail.args["body"]
    desk.confirm(proposal)
    assert desk.record("proposal", "acme-redesign").data["status"] == "sent"
    assert proposal.remember == (), "nothing was sent yet, so there is nothing to remember"


async def test_a_model_may_reword_but_not_reprice() -> None:
    wish = SendProposal(client="Acme", what="the redesign", amount=Money(Decimal(4500)))
    desk = PaperDesk()
    draft = (await answered(desk, wish)).calls[0].args["body"]
    desk.thoughts = [Thought(text=draft.replace("Thank you", "Many thanks"), model="m")]
    better = await answered(desk, wish)
    assert "Many thanks" in better.calls[0].args["body"]
    assert any("unchanged" in reason for reason in better.reasons)
    desk.thoughts = [Thought(text=draft.replace("4,500.00", "4,000.00"), model="m")]
    worse = await answered(desk, wish)
    assert worse.calls[0].args["body"] == draft
    assert any("4,000.00, 4,500.00" in reason for reason in worse.reasons)


async def test_a_lead_with_an_address_gets_a_proposal_and_a_record() -> None:
    desk = PaperDesk()
    wish = SendProposal(client="Globex", email="h@globex.example", what="the app")
    desk.confirm(await answered(desk, wish))
    assert desk.record("client", "globex").data["status"] == "lead"
    assert (await answered(desk, SendProposal(client="Hooli", what="x"), "quote Hooli")).ask
