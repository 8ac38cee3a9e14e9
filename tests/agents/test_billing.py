"""Billing takes invoices back, counts revenue, and plans what comes again; the books are checked to the cent."""

from decimal import Decimal

from agents.base import Proposal
from agents.billing import (
    Billing,
    CancelInvoice,
    Invoice,
    MarkPaid,
    PaymentLink,
    RecurringInvoice,
    Refund,
    Revenue,
)
from agents.slots import Every, Money, Period
from memory.events import Write
from tests.agents.desk import PaperDesk, day, task

MARCH = "invoice Acme 1,200 for the March retainer, net 14"


def wish(**slots: object) -> Invoice:
    return Invoice(**{"client": "Acme", "amount": Money(Decimal(1200)), "what": "March retainer"} | slots)


async def propose(desk: PaperDesk, intent: object, text: str = "", **more: object) -> Proposal:
    return await Billing().work(task(intent, text, **more), desk)


async def invoiced(desk: PaperDesk, **slots: object) -> str:
    proposal = await propose(desk, wish(**slots), MARCH)
    desk.confirm(proposal)
    return str(proposal.results["invoice"])


async def overdue(desk: PaperDesk, number: str, due: str = "2026-11-01") -> None:
    desk.write(Write(kind="invoice", key=number, data={**desk.record("invoice", number).data, "due": due}))


async def test_cancelling_writes_a_credit_note_with_its_own_number() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    proposal = await propose(desk, CancelInvoice(number="2026-0001"), "cancel 2026-0001")
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
    assert "is cancelled" in (await propose(desk, CancelInvoice(number="2026-0001"))).problem


async def test_a_paid_invoice_is_not_cancelled_but_refunded() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    desk.confirm(await propose(desk, MarkPaid(number="2026-0001")))
    proposal = await propose(desk, CancelInvoice(number="2026-0001"))
    assert not proposal.calls
    assert "refund 2026-0001" in proposal.problem
    desk.confirm(refund := await propose(desk, Refund(number="2026-0001")))
    assert any("by bank transfer, which I cannot send" in reason for reason in refund.reasons)
    assert desk.record("invoice", "2026-0001").data["status"] == "refunded"
    assert desk.balance("liabilities:refunds:acme") == {"EUR": Decimal("-1428.00")}


async def test_a_card_payment_is_refunded_where_it_came_from() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    desk.confirm(await propose(desk, MarkPaid(number="2026-0001")))
    paid = desk.record("payment", "2026-0001-1")
    desk.write(Write(kind="payment", key=paid.key, data={**paid.data, "charge": "ch_9"}))
    proposal = await propose(desk, Refund(client="Acme"), "refund Acme's last payment")
    assert [call.name for call in proposal.calls] == ["books.issue", "stripe.refund", "mail.send"]
    assert proposal.calls[1].args == {"charge": "ch_9", "amount": "1428.00 EUR"}
    desk.confirm(proposal)
    assert desk.balance("assets:bank") == {"EUR": Decimal(0)}
    assert desk.balance("liabilities:refunds:acme") == {"EUR": Decimal(0)}


async def test_an_open_invoice_cannot_be_refunded() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    assert "cancel 2026-0001" in (await propose(desk, Refund(number="2026-0001"))).problem


async def test_revenue_counts_what_was_invoiced_and_what_came_in() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    await invoiced(desk, amount=Money(Decimal(300)))
    desk.confirm(await propose(desk, MarkPaid(number="2026-0001")))
    desk.confirm(await propose(desk, CancelInvoice(number="2026-0002")))
    answer = await propose(desk, Revenue())
    assert answer.say.endswith("- November 2026: 1,200.00 EUR invoiced, 1,428.00 EUR received")
    quiet = await propose(desk, Revenue(period=Period(day("2026-01-01"), day("2026-01-31"))))
    assert quiet.say.startswith("Nothing was invoiced")


async def test_a_recurring_invoice_is_a_schedule_that_asks_each_time() -> None:
    desk = PaperDesk()
    wanted = RecurringInvoice(client="Acme", every=Every("FREQ=MONTHLY;BYMONTHDAY=1"), amount=Money(Decimal(2000)))
    proposal = await propose(desk, wanted, "invoice Acme 2,000 on the first of every month")
    desk.confirm(proposal)
    schedule = desk.record("schedule", "invoice-acme").data
    assert schedule["next"] == "2026-12-01T09:00:00+01:00"
    assert schedule["slots"]["amount"] == "2000.00 EUR"
    first = await propose(desk, Invoice(**schedule["slots"]))
    assert first.calls[0].args["lines"][0]["text"] == "Retainer November 2026"


async def test_a_payment_link_asks_for_what_is_open() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    proposal = await propose(desk, PaymentLink(number="2026-0001"))
    assert proposal.calls[0].name == "stripe.payment_link"
    assert proposal.calls[0].args["amount"] == "1428.00 EUR"
    free = await propose(desk, PaymentLink(amount=Money(Decimal(250))), "payment link over 250")
    assert free.calls[0].args["amount"] == "250.00 EUR"
