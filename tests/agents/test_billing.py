"""Billing takes invoices back, counts revenue, and plans what comes again; the books are checked to the cent."""

from decimal import Decimal

from agents.billing import CancelInvoice, Invoice, RecurringInvoice, Revenue
from agents.payments import MarkPaid
from agents.slots import Every, Money, Period
from memory.events import Write
from tests.agents.desk import PaperDesk, answered, day

MARCH = "invoice Acme 1,200 for the March retainer, net 14"


def wish(**slots: object) -> Invoice:
    return Invoice(**{"client": "Acme", "amount": Money(Decimal(1200)), "what": "March retainer"} | slots)


async def invoiced(desk: PaperDesk, **slots: object) -> str:
    proposal = await answered(desk, wish(**slots), MARCH)
    desk.confirm(proposal)
    return str(proposal.results["invoice"])


async def overdue(desk: PaperDesk, number: str, due: str = "2026-11-01") -> None:
    desk.write(Write(kind="invoice", key=number, data={**desk.record("invoice", number).data, "due": due}))


async def test_cancelling_writes_a_credit_note_with_its_own_number() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    proposal = await answered(desk, CancelInvoice(number="2026-0001"), "cancel 2026-0001")
    note, mail = proposal.calls
    assert note.args["kind"] == "credit note"
    assert note.args["number"] == "CN-2026-0001"
    assert note.needs["number:credit:CN-2026-0001"] == 0
    assert mail.args["subject"] == "Credit note CN-2026-0001 for invoice 2026-0001"
    desk.confirm(proposal)
    assert desk.record("invoice", "2026-0001").data["status"] == "cancelled"
    assert desk.record("credit", "CN-2026-0001").data["invoice"] == "2026-0001"
    for account in ("assets:receivable", "income:services", "liabilities:vat"):
        assert desk.balance(account) == {"EUR": Decimal(0)}
    assert "is cancelled" in (await answered(desk, CancelInvoice(number="2026-0001"))).problem


async def test_revenue_counts_what_was_invoiced_and_what_came_in() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    await invoiced(desk, amount=Money(Decimal(300)))
    desk.confirm(await answered(desk, MarkPaid(number="2026-0001")))
    desk.confirm(await answered(desk, CancelInvoice(number="2026-0002")))
    answer = await answered(desk, Revenue())
    assert answer.say.endswith("- November 2026: 1,200.00 EUR invoiced, 1,428.00 EUR received")
    quiet = await answered(desk, Revenue(period=Period(day("2026-01-01"), day("2026-01-31"))))
    assert quiet.say.startswith("Nothing was invoiced")


async def test_a_credit_note_counts_in_its_own_month_and_leaves_the_month_of_the_invoice_as_it_was_told() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    october = desk.record("invoice", "2026-0001").data | {"issued": "2026-10-30"}
    desk.write(Write(kind="invoice", key="2026-0001", data=october))
    desk.confirm(await answered(desk, CancelInvoice(number="2026-0001")))
    said = (await answered(desk, Revenue())).say
    assert "- October 2026: 1,200.00 EUR invoiced, nothing received" in said
    assert "- November 2026: -1,200.00 EUR invoiced, nothing received" in said
    assert ": nothing invoiced before VAT" in said or ": 0.00 EUR invoiced before VAT" in said


async def test_a_recurring_invoice_is_a_schedule_that_asks_each_time() -> None:
    desk = PaperDesk()
    wanted = RecurringInvoice(client="Acme", every=Every("FREQ=MONTHLY;BYMONTHDAY=1"), amount=Money(Decimal(2000)))
    proposal = await answered(desk, wanted, "invoice Acme 2,000 on the first of every month")
    desk.confirm(proposal)
    schedule = desk.record("schedule", "invoice-acme").data
    assert schedule["next"] == "2026-12-01T09:00:00+01:00"
    assert schedule["slots"]["amount"] == "2000.00 EUR"
    first = await answered(desk, Invoice(**schedule["slots"]))
    assert first.calls[0].args["lines"][0]["text"] == "Retainer November 2026"


async def test_a_part_of_an_invoice_is_not_taken_back_as_the_whole() -> None:
    desk = PaperDesk()
    desk.confirm(await answered(desk, Invoice(client="Acme", amount=Money.read("1200.00 EUR"), what="Retainer")))

    asked = await answered(desk, CancelInvoice(client="Acme"), "credit Acme 200")
    assert not asked.calls
    assert "whole invoices, not a part: 2026-0001 is over 1,428.00 EUR, and you said 200" in asked.ask
    for said in ("credit Acme 1,428", "credit Acme the 1,200", "cancel the invoice to Acme"):
        assert (await answered(desk, CancelInvoice(client="Acme"), said)).calls, said
