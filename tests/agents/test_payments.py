"""Payments: money goes back where it came from, whole, and a link asks for what is open."""

from decimal import Decimal

from agents.billing import CancelInvoice
from agents.payments import MarkPaid, PaymentLink, Refund
from agents.slots import Money
from memory.events import Write
from tests.agents.desk import PaperDesk, answered
from tests.agents.test_billing import invoiced


async def test_a_paid_invoice_is_not_cancelled_but_refunded() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    desk.confirm(await answered(desk, MarkPaid(number="2026-0001")))
    proposal = await answered(desk, CancelInvoice(number="2026-0001"))
    assert not proposal.calls
    assert "refund 2026-0001" in proposal.problem
    desk.confirm(refund := await answered(desk, Refund(number="2026-0001")))
    assert any("by bank transfer, which I cannot send" in reason for reason in refund.reasons)
    assert desk.record("invoice", "2026-0001").data["status"] == "refunded"
    assert desk.balance("liabilities:refunds:acme") == {"EUR": Decimal("-1428.00")}


async def test_a_card_payment_is_refunded_where_it_came_from() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    desk.confirm(await answered(desk, MarkPaid(number="2026-0001")))
    paid = desk.record("payment", "2026-0001-1")
    desk.write(Write(kind="payment", key=paid.key, data={**paid.data, "charge": "ch_9"}))
    proposal = await answered(desk, Refund(client="Acme"), "refund Acme's last payment")
    assert [call.name for call in proposal.calls] == ["books.issue", "stripe.refund", "mail.send"]
    assert proposal.calls[1].args == {"charge": "ch_9", "amount": "1428.00 EUR"}
    desk.confirm(proposal)
    assert desk.balance("assets:bank") == {"EUR": Decimal(0)}
    assert desk.balance("liabilities:refunds:acme") == {"EUR": Decimal(0)}


async def paid_in_parts(desk: PaperDesk) -> None:
    """400.00 by card, 100.00 by bank transfer, 928.00 still open."""
    await invoiced(desk)
    desk.confirm(await answered(desk, MarkPaid(number="2026-0001", amount=Money(Decimal(400), "EUR"))))
    paid = desk.record("payment", "2026-0001-1")
    desk.write(Write(kind="payment", key=paid.key, data={**paid.data, "charge": "ch_9", "by": "stripe"}))
    desk.confirm(await answered(desk, MarkPaid(number="2026-0001", amount=Money(Decimal(100), "EUR"))))


async def test_what_was_paid_in_part_goes_back_each_the_way_it_came_and_the_rest_is_owed_no_more() -> None:
    desk = PaperDesk()
    await paid_in_parts(desk)
    assert "refund 2026-0001" in (await answered(desk, CancelInvoice(number="2026-0001"))).problem
    proposal = await answered(desk, Refund(number="2026-0001"))
    assert [call.name for call in proposal.calls] == ["books.issue", "stripe.refund", "mail.send"]
    assert proposal.calls[1].args == {"charge": "ch_9", "amount": "400.00 EUR"}
    assert "You will receive back the 500.00 EUR that you have paid." in proposal.calls[2].args["body"]
    assert any(reason.startswith("100.00 EUR of it came by bank transfer") for reason in proposal.reasons)
    desk.confirm(proposal)
    assert desk.balance("assets:receivable:acme") == {"EUR": Decimal(0)}
    assert desk.balance("liabilities:refunds:acme") == {"EUR": Decimal("-100.00")}
    assert desk.balance("income") == {"EUR": Decimal(0)}
    for amount in (Decimal(400), Decimal(1428)):
        part = await answered(desk, Refund(number="2026-0001", amount=Money(amount, "EUR")))
        assert not part.calls


async def test_what_was_given_back_by_hand_is_noted_once() -> None:
    desk = PaperDesk()
    await paid_in_parts(desk)
    desk.confirm(await answered(desk, Refund(number="2026-0001")))
    part = await answered(desk, MarkPaid(number="CN-2026-0001", amount=Money(Decimal(50), "EUR")))
    assert "100.00 EUR is to be given back on CN-2026-0001" in part.ask
    noted = await answered(desk, MarkPaid(number="CN-2026-0001"), "CN-2026-0001 is paid")
    assert noted.calls[0].args["summary"] == "Acme GmbH got 100.00 EUR back on CN-2026-0001"
    desk.confirm(noted)
    assert desk.balance("liabilities:refunds:acme") == {"EUR": Decimal(0)}
    assert desk.balance("assets:bank") == {"EUR": Decimal(0)}
    assert "Nothing is to be given back" in (await answered(desk, MarkPaid(number="CN-2026-0001"))).problem


async def test_an_open_invoice_cannot_be_refunded() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    assert "cancel 2026-0001" in (await answered(desk, Refund(number="2026-0001"))).problem


async def test_a_payment_link_asks_for_what_is_open() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    proposal = await answered(desk, PaymentLink(number="2026-0001"))
    assert proposal.calls[0].name == "stripe.payment_link"
    assert proposal.calls[0].args["amount"] == "1428.00 EUR"
    free = await answered(desk, PaymentLink(amount=Money(Decimal(250))), "payment link over 250")
    assert free.calls[0].args["amount"] == "250.00 EUR"
