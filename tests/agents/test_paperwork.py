"""A copy is the paper that was kept: no new number, to the client alone; and offers can be looked at and closed."""

from __future__ import annotations

from datetime import date

import pytest

from agents.billing import CancelInvoice, Invoice
from agents.paperwork import DeclineOffer, Offers, ResendInvoice, ShowInvoice
from agents.payments import MarkPaid
from agents.proposals import SendProposal
from agents.slots import Money, Period
from tests.agents.desk import ACME, PaperDesk, answered, client


@pytest.fixture
async def desk() -> PaperDesk:
    """Two invoices to Acme, one to Globex."""
    desk = PaperDesk(clients={"acme": ACME, "globex": client("Globex Ltd", country="DE")})
    for who, amount, what in (
        ("Acme", "1200.00 EUR", "March retainer"),
        ("Acme", "300.00 EUR", "Logo"),
        ("Globex", "850.00 EUR", "Workshop"),
    ):
        desk.confirm(await answered(desk, Invoice(client=who, amount=Money.read(amount), what=what)))
    return desk


async def test_a_copy_is_the_paper_that_was_kept_under_its_own_number(desk: PaperDesk) -> None:
    paper = desk.record("invoice", "2026-0001").data["pdf"]
    entries, drawn = list(desk.ledger), list(desk.used)
    proposal = await answered(desk, ResendInvoice(number="2026-0001"))
    [mail] = proposal.calls

    assert mail.name == "mail.send"
    assert (mail.args["to"], mail.args["attachments"]) == (["billing@acme.example"], [paper])
    assert "1,428.00 EUR" in mail.args["body"]
    desk.confirm(proposal)
    assert desk.used == drawn, "nothing is drawn again"
    assert desk.ledger == entries
    assert [record.key for record in desk.records("invoice")] == ["2026-0001", "2026-0002", "2026-0003"]
    assert (
        "a copy on 21 November 2026 to billing@acme.example"
        in (await answered(desk, ShowInvoice(number="2026-0001"))).say
    )


async def test_which_invoice_is_asked_where_several_may_be_meant(desk: PaperDesk) -> None:
    asked = await answered(desk, ResendInvoice(client="Acme"), "send Acme their invoice again")

    assert not asked.calls
    assert [choice.text for choice in asked.choices] == ["resend 2026-0002", "resend 2026-0001"]
    assert (await answered(desk, ResendInvoice(client="Globex"), "send Globex their invoice again")).results[
        "invoice"
    ] == "2026-0003"
    last = await answered(desk, ResendInvoice(client="Acme"), "resend the last invoice to Acme")
    assert last.results["invoice"] == "2026-0002"


async def test_the_one_that_is_open_is_meant_where_the_others_are_paid(desk: PaperDesk) -> None:
    desk.confirm(await answered(desk, MarkPaid(number="2026-0002")))

    assert (await answered(desk, ResendInvoice(client="Acme"))).results["invoice"] == "2026-0001"


async def test_one_clients_invoice_does_not_go_to_another(desk: PaperDesk) -> None:
    asked = await answered(desk, ResendInvoice(number="2026-0001", client="Globex"))

    assert not asked.calls
    assert "2026-0001 is Acme GmbH's invoice" in asked.ask


async def test_another_address_is_the_operators_and_is_said(desk: PaperDesk) -> None:
    proposal = await answered(desk, ResendInvoice(number="2026-0001", email="tax@adviser.example"))

    assert proposal.calls[0].args["to"] == ["tax@adviser.example"]
    assert any("Acme GmbH's own address is billing@acme.example" in reason for reason in proposal.reasons)


async def test_what_is_paid_asks_for_no_money_and_what_is_cancelled_does_not_go_out(desk: PaperDesk) -> None:
    desk.confirm(await answered(desk, MarkPaid(number="2026-0001")))
    desk.confirm(await answered(desk, CancelInvoice(number="2026-0003")))

    assert "nothing left to pay" in (await answered(desk, ResendInvoice(number="2026-0001"))).calls[0].args["body"]
    refused = await answered(desk, ResendInvoice(number="2026-0003"))
    assert not refused.calls
    assert "cancelled by CN-2026-0001" in refused.problem


async def test_one_invoice_is_shown_with_its_paper_and_what_can_be_done(desk: PaperDesk) -> None:
    shown = await answered(desk, ShowInvoice(number="2026-0001"))

    assert shown.say.splitlines() == [
        "Invoice 2026-0001 · Acme GmbH · 1,428.00 EUR",
        "For: March retainer",
        "Issued on 21 November 2026, due on 5 December 2026",
        "Mailed to billing@acme.example",
    ]
    assert [file.name for file in shown.files] == ["invoice-2026-0001.pdf"]
    assert [choice.text for choice in shown.choices] == ["resend 2026-0001"]


async def test_invoices_are_listed_by_client_by_time_and_by_state(desk: PaperDesk) -> None:
    desk.confirm(await answered(desk, MarkPaid(number="2026-0002")))

    assert (await answered(desk, ShowInvoice(), "list all invoices")).say.startswith("3 invoices, 2,796.50 EUR:")
    assert (await answered(desk, ShowInvoice(client="Acme"), "invoices for Acme")).results["invoices"] == [
        "2026-0002",
        "2026-0001",
    ]
    assert (await answered(desk, ShowInvoice(), "paid invoices")).results == {"invoice": "2026-0002"}
    october = Period(date(2026, 10, 1), date(2026, 10, 31))
    assert (
        "no invoice from 1 October 2026"
        in (await answered(desk, ShowInvoice(period=october), "invoices in October")).say
    )


async def test_an_offer_is_looked_at_and_closed_when_it_was_turned_down(desk: PaperDesk) -> None:
    desk.confirm(await answered(desk, SendProposal(client="Acme", what="Website", amount=Money.read("4500.00 EUR"))))
    shown = await answered(desk, Offers(), "which proposals are open")

    assert "Acme GmbH · Website · 4,500.00 EUR · sent on 21 November 2026" in shown.say
    proposal = await answered(desk, DeclineOffer(client="Acme"), "Acme declined the offer")
    assert proposal.calls[0].name == "books.write"
    desk.confirm(proposal)
    assert "No offer of that kind" not in (await answered(desk, Offers(), "which proposals are open")).say
    assert "declined" in (await answered(desk, Offers(), "all proposals")).say
    assert "No offer to Acme GmbH waits" in (await answered(desk, DeclineOffer(client="Acme"))).problem
