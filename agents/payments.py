"""Payments: what is still open, what came in, reminders, refunds, and links to pay by.

What clients owe stands in ``debts.py``. Money moves only by a card.
"""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from agents import bill
from agents.base import (
    ActionCall,
    Agent,
    Choice,
    Desk,
    Intent,
    Proposal,
    Record,
    Risk,
    Task,
    Write,
    local_day,
    money,
    parse_money,
)
from agents.debts import meant, not_open, remind, settle, standing, two_entries, unknown_number, unpaid
from agents.directory import (
    look_up,
    named,
    the_client,
)
from agents.edits import with_edits
from agents.invoicing import credited
from agents.letter import (
    amount_words,
)
from agents.slots import ClientName, Day, InvoiceNumber, Money
from memory.events import Json


class Unpaid(Intent):
    """List what is still to be paid, overdue first."""

    examples: ClassVar[tuple[str, ...]] = (
        "what's unpaid?",
        "which invoices are open?",
        "who owes me money?",
        "show outstanding invoices",
        "anything overdue?",
        "list all unpaid invoices",
        "what does Acme still owe us?",
        "has Globex paid yet?",
        "open invoices please",
        "how much money is still out there?",
        "who hasn't paid",
        "what are my receivables",
        "is invoice 2026-0004 paid?",
        "late payers?",
        "unpaid",
        "are there any bills past due",
        "what is Initech's balance",
        "did the payment from Hooli come in?",
        "which clients are late paying?",
        "everything that is overdue, please",
        "open amounts",
        "whats still unpaid",
        "customers who are behind with payment",
        "what is outstanding right now",
        "who is behind on their bills?",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "who still has to pay me?",
        "outstanding amounts",
        "which customers are late with their payments",
        "does Stark owe anything?",
        "show me everything that's overdue",
        "whats unpayed",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "remind Acme to pay",
        "Acme paid 2026-0004",
        "which bills do I have to pay?",
        "how much did we make in March?",
        "invoice Acme 1,200",
        "how do I pay my taxes",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "what's unpaid",
        "what is unpaid",
        "unpaid",
        "what does {client} owe",
        "what do {client} owe",
        "who owes me",
        "who owes me money",
        "open invoices",
        "unpaid invoices",
        "overdue invoices",
        "anything overdue",
        "what's overdue",
        "has {client} paid",
        "has {client} paid yet",
        "did {client} pay",
        "did {client} pay yet",
        "what's outstanding",
        "is {number} paid",
        "has {number} been paid",
        "did {client} pay {number}",
    )
    at_once: ClassVar[bool] = True
    command: ClassVar[str] = "unpaid"

    client: ClientName | None = None
    number: InvoiceNumber | None = None


class MarkPaid(Intent):
    """Note that money came in."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
    may: ClassVar[tuple[str, ...]] = ("books.write",)
    examples: ClassVar[tuple[str, ...]] = (
        "Acme paid 2026-0001",
        "invoice 2026-0003 is paid",
        "mark 2026-0007 as paid",
        "Globex has paid",
        "the money from Initech arrived",
        "got 1,428 EUR from Acme today",
        "payment received from Hooli, 500",
        "Stark transferred 2,000 yesterday",
        "Acme paid half of 2026-0001, 714 euros",
        "2026-0012 came in this morning",
        "just received Umbrella's payment",
        "Wayne settled their invoice",
        "book a payment of 300 from Globex",
        "Initech sent 450 USD for INV-12",
        "tick off 2026-0009, it's paid",
        "paid: 2026-0002",
        "Acme payed the bill on Friday",
        "we have the money for invoice 2026-0005",
        "Stark has settled 2026-0014",
        "the 500 from Wayne is in the account",
        "2026-0008: money received",
        "Acme paid the bill",
        "Globex has paid our bill",
        "Initech paid the invoice",
        "Hooli has paid the bill by transfer",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "Hooli just paid their invoice",
        "set 2026-0011 to paid",
        "the 1,200 from Stark landed",
        "Globex wired us 850 on Monday",
        "we received part of 2026-0004, 200 euros",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "has Acme paid?",
        "remind Acme to pay 2026-0001",
        "I paid the electricity bill",
        "refund Acme's payment",
        "send Acme a payment link",
        "pay Acme 200",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "{client} paid {number}",
        "{client} paid {amount}",
        "{client} paid {amount} on {number}",
        "{number} is paid",
        "mark {number} as paid",
        "mark {number} paid",
        "{client} paid",
        "{client} has paid",
        "{client} paid {amount} {day}",
        "got {amount} from {client}",
        "received {amount} from {client}",
        "{number} was paid",
        "{number} has been paid",
        "{client} paid their invoice",
        "{client} paid the invoice",
        "{client} paid the bill",
        "{client} paid our bill",
        "{client} has paid {number}",
    )
    command: ClassVar[str] = "paid"

    number: InvoiceNumber | None = None
    client: ClientName | None = None
    amount: Money | None = None
    day: Day | None = None


class RemindDebtor(Intent):
    """Remind a client of an overdue invoice: friendly, then firm, then for the last time."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    may: ClassVar[tuple[str, ...]] = ("mail.send",)
    examples: ClassVar[tuple[str, ...]] = (
        "remind Acme to pay",
        "send Globex a payment reminder",
        "chase Initech for the money",
        "remind Hooli about 2026-0004",
        "dun Stark",
        "send reminders for all overdue invoices",
        "Acme is late, nudge them about the invoice",
        "please follow up on unpaid invoice 2026-0002",
        "second reminder to Umbrella",
        "final notice to Wayne",
        "chase all late payers",
        "poke Globex about their overdue bill",
        "write to Acme that their invoice is overdue",
        "ask Initech where the payment is",
        "send a dunning letter to Hooli",
        "remind everyone who hasn't paid",
        "remnd acme about the invoice",
        "nudge Wayne to pay 2026-0006",
        "tell Stark their invoice is overdue",
        "tell Initech they still have to pay 2026-0008",
        "get Globex to settle their bill",
        "Umbrella still owes us for 2026-0003, tell them",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "nudge Stark to settle 2026-0003",
        "chase up the overdue invoices",
        "payment reminder for Wayne please",
        "tell Umbrella they still owe us for 2026-0010",
        "send the last warning to Globex about the money",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "remind me to pay the rent",
        "remind me to call Acme",
        "which invoices are overdue?",
        "follow up with Acme on the proposal",
        "Acme paid 2026-0004",
        "remind Acme of the meeting tomorrow",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "remind {client} about {number}",
        "remind {client} to pay {number}",
        "remind {client} to pay",
        "chase {client}",
        "send reminders for all overdue invoices",
        "payment reminder for {client}",
        "payment reminder to {client}",
        "send {client} a payment reminder",
        "payment reminder for {number}",
        "chase {number}",
    )

    client: ClientName | None = None
    number: InvoiceNumber | None = None


class Refund(Intent):
    """Give money back for an invoice that was paid."""

    effect: ClassVar[Risk] = Risk.MONEY
    may: ClassVar[tuple[str, ...]] = ("books.issue", "mail.send", "stripe.refund")
    examples: ClassVar[tuple[str, ...]] = (
        "refund 2026-0001",
        "refund Acme's last payment",
        "give Globex their money back",
        "refund 49 to Initech",
        "pay back invoice 2026-0003",
        "Hooli wants a refund for 2026-0004",
        "return the payment of Stark",
        "reimburse Umbrella for the double payment",
        "refund half of 2026-0005",
        "send Wayne his 200 back",
        "we have to refund the client for 2026-0009",
        "issue a refund to Acme",
        "money back for Globex, please",
        "refund charge ch_9",
        "refnd 2026-0002",
        "return 75 EUR to Initech, they overpaid",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "please refund invoice 2026-0006",
        "Stark should get their money back",
        "pay Hooli back the 120",
        "process a refund for Umbrella",
        "full refund on 2026-0010",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "cancel 2026-0001",
        "what is our refund policy?",
        "a customer asks how refunds work",
        "credit note for 2026-0003",
        "did I get my tax refund?",
        "Acme paid 2026-0001",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "refund {number}",
        "refund {amount} on {number}",
        "refund {client}",
        "refund {client} {amount}",
        "give {client} {amount} back",
        "give {client} their money back",
        "pay {client} back {amount}",
    )

    number: InvoiceNumber | None = None
    client: ClientName | None = None
    amount: Money | None = None


class PaymentLink(Intent):
    """Make a link that a client can pay with."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    may: ClassVar[tuple[str, ...]] = ("stripe.payment_link",)
    examples: ClassVar[tuple[str, ...]] = (
        "send Acme a payment link",
        "payment link for 2026-0001",
        "create a payment link over 250 EUR",
        "can Globex pay by card? make a link",
        "Stripe link for Initech, 480",
        "I need a pay link for invoice 2026-0004",
        "make a checkout link for 99 dollars",
        "let Hooli pay online for 2026-0002",
        "generate a link so Stark can pay",
        "pay-by-link for Umbrella 300",
        "card payment link for Wayne please",
        "link to pay 2026-0010",
        "give me a link where Acme can pay the deposit of 500",
        "new payment link 1,200 for the workshop",
        "paymnt link for globex",
        "payment page for Hooli's invoice",
        "a url where Stark can pay",
        "pay link for Umbrella's bill",
        "online payment address for 2026-0011",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "make a Stripe payment link for 2026-0007",
        "link for paying 75 euros",
        "Acme would like to pay by credit card, send a link",
        "payment url for Initech's invoice",
        "checkout link for Hooli over 640",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "send Acme the meeting link",
        "invoice Acme 250",
        "Acme paid by card",
        "link to our blog post",
        "how do I set up Stripe?",
        "refund the card payment",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "payment link for {number}",
        "payment link for {client}",
        "payment link for {client}, {amount}",
        "pay link for {client}, {amount}",
        "payment link over {amount}",
        "payment link {amount}",
        "pay link for {number}",
        "pay link for {client}",
    )

    number: InvoiceNumber | None = None
    client: ClientName | None = None
    amount: Money | None = None
    what: str = ""


class Payments(Agent):
    """Answers who owes what; proposes reminders and refunds, and never makes one."""

    intents = (Unpaid, MarkPaid, RemindDebtor, Refund, PaymentLink)
    proposes = ("books.issue", "books.write", "mail.send", "stripe.refund", "stripe.payment_link")

    @with_edits
    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Do one request about money that is owed or was paid."""
        match task.intent:
            case Unpaid() as wish:
                return standing(wish.number, desk) if wish.number else unpaid(wish.client, task, desk)
            case MarkPaid() as wish:
                return settle(wish.number, wish.client, wish.amount, task, desk, day=wish.day)
            case RemindDebtor() as wish:
                return await remind(wish.number, wish.client, task, desk)
            case Refund() as wish:
                return await _refund(wish, task, desk)
            case PaymentLink() as wish:
                return _payment_link(wish, task, desk)
        raise NotImplementedError(f"payments does not know {task.intent.id()!r}")


async def _refund(wish: Refund, task: Task, desk: Desk) -> Proposal:
    found = _paid_invoice(wish, task, desk)
    if isinstance(found, Proposal):
        return found
    paid, currency = bill.received(found)
    if wish.amount and wish.amount.in_currency(currency) != Money(paid, currency):
        return Proposal(
            problem=f"I can give back all that was paid on {found.key} ({amount_words(money(paid, currency))}), not a "
            "part: the credit note covers the invoice. For a part, write the credit note by hand."
        )
    charged = _charged(found, desk)
    backs = tuple(
        _back(found, charge, Money(amount, currency), number, desk)
        for number, (charge, amount) in enumerate(charged.items(), 1)
    )
    by_hand = paid - sum(charged.values(), Decimal(0))
    return await credited(found, task, desk, status="refunded", paid=paid, owed=by_hand, more=backs)


def _charged(invoice: Record, desk: Desk) -> dict[str, Decimal]:
    """Return the charges an invoice was paid by → how much came by each: money goes back the way it came."""
    sums: dict[str, Decimal] = {}
    for payment in desk.records("payment", invoice=invoice.key):
        if charge := str(payment.data.get("charge") or ""):
            sums[charge] = sums.get(charge, Decimal(0)) + parse_money(payment.data["amount"])[0]
    return sums


def _back(invoice: Record, charge: str, sum_: Money, number: int, desk: Desk) -> ActionCall:
    key = f"{invoice.key}-refund" + (f"-{number}" if number > 1 else "")
    client = str(invoice.data["client"])
    data: dict[str, Json] = {
        "invoice": invoice.key, "client": client, "amount": money(-sum_.amount, sum_.currency),
        "day": local_day(desk).isoformat(), "charge": charge, "by": "stripe",
    }  # fmt: skip
    return ActionCall(
        name="stripe.refund",
        args={"charge": charge, "amount": str(sum_)},
        writes=(Write(kind="payment", key=key, data=data),),
        entries=two_entries(bill.refunds(client), "assets:bank", sum_, f"refund of {invoice.key}"),
        needs={f"payment:{key}": 0},
        client=client,
    )


def _paid_invoice(wish: Refund, task: Task, desk: Desk) -> Record | Proposal:
    if wish.number:
        found = desk.record("invoice", wish.number)
        if found is None:
            return unknown_number(wish.number, desk)
        if found.data["status"] not in {"paid", "partly_paid"}:
            return Proposal(
                problem=f"Invoice {found.key} is {str(found.data['status']).replace('_', ' ')}, so there is nothing to "
                f"give back. To take an open invoice back: cancel {found.key}"
            )
        return found
    if not wish.client:
        return Proposal(ask="Which invoice shall I refund? Its number, please.")
    client = the_client(wish.client, task, desk)
    if isinstance(client, Proposal):
        return client
    paid = [
        each for status in ("paid", "partly_paid") for each in desk.records("invoice", client=client.key, status=status)
    ]
    if not paid:
        return Proposal(problem=f"{named(client)} has no paid invoice, so there is nothing to refund.")
    if len(paid) == 1:
        return paid[0]
    return Proposal(
        ask="Which invoice shall I refund?",
        choices=tuple(Choice(label=f"{r.key} · {money(*bill.received(r))}", text=f"refund {r.key}") for r in paid[-6:]),
    )


def _payment_link(wish: PaymentLink, task: Task, desk: Desk) -> Proposal:
    if wish.amount and not wish.number:
        currency = str(desk.company.get("currency") or "EUR")
        asked, text, client = wish.amount.in_currency(currency), wish.what or "Payment", ""
        if wish.client and (record := look_up(desk, wish.client).record):
            client, text = record.key, wish.what or f"Payment by {named(record)}"
        reference = ""
    else:
        found = meant(wish.number, wish.client, None, task, desk)
        if isinstance(found, Proposal):
            return found
        left, currency = bill.outstanding(found)
        if not left:
            return not_open(found)
        asked, text, client, reference = (
            Money(left, currency),
            f"Invoice {found.key}",
            str(found.data["client"]),
            found.key,
        )
    args: dict[str, Json] = {"amount": str(asked), "description": text}
    if reference:
        args["reference"] = reference
    return Proposal(calls=(ActionCall(name="stripe.payment_link", args=args, client=client),))
