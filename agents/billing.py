"""Billing: invoices, payments, reminders, credit notes, refunds, and what is still open.

Proposes what our books would say (``books.issue``, ``books.write``) and the mails that go with it. How an invoice is
drawn up stands in ``invoicing.py``, what clients owe in ``debts.py``, the arithmetic in ``bill.py``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import ClassVar

from agents import bill
from agents.base import ActionCall, Agent, Choice, Desk, Intent, Proposal, Record, Risk, Task, Write, money, parse_money
from agents.debts import meant, not_open, remind, settle, two_entries, unknown_number, unpaid
from agents.directory import cited, free_key, look_up, named, whom
from agents.edits import UnreadableEditError, intent_of
from agents.invoicing import asked_amount, credited, draw_up
from agents.letter import (
    amount_words,
    day_words,
    every_words,
    in_the_morning,
    pinned,
    total_words,
)
from agents.slots import ClientName, Day, Email, Every, InvoiceNumber, Money, Period, Terms
from memory.events import Json

_MONTH_FIRST = 7  # the length of "2026-11"
Sums = defaultdict[str, defaultdict[str, Decimal]]


class Invoice(Intent):
    """Write an invoice, number it, send it."""

    effect: ClassVar[Risk] = Risk.MONEY
    examples: ClassVar[tuple[str, ...]] = (
        "invoice Acme 1,200 for the March retainer, net 14",
        "bill Globex 850 EUR for the workshop",
        "send Initech an invoice for 3,400 dollars",
        "please invoice Hooli 2k for the landing page",
        "can you bill Acme for 3 days at 800?",
        "make an invoice for Umbrella, 450 euros, logo design",
        "charge Globex 99.50 incl. VAT for hosting",
        "write Acme up for the second milestone, 5000, due end of month",
        "invoice 1.2k to Stark for consulting, 30 days",
        "new invoice: Wayne Ltd, £640, copy editing, payable on receipt",
        "time to bill Initech for last month's work, 2,750",
        "I finished the audit for Hooli, bill them 4,000 USD",
        "create invoice acme 300 photo licence",
        "invoce Globex 1200 for teh april retainer",
        "Globex owes us 700 for the extra round, send them the bill",
        "put together a bill of 1.500,00 € for Müller, net 30",
        "invoice anna@acme.example 250 for the coaching session",
        "bill the Acme retainer",
        "please send Globex the bill for the flyer, 350",
        "Stark needs an invoice, 1,100 for the photo shoot",
        "could you write Initech their bill: 760",
        "get an invoice out to Wayne over 2,300 for coaching",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "could you send Acme their invoice, 900 for the banner set",
        "bill Wayne 12 hours at 95",
        "invoice Stark Industries 10,000 plus VAT for phase one",
        "draw up an invoice over 480 francs for Umbrella",
        "Hooli gets a bill for 1,150, net 7 please",
        "invoice Initech for the training, 600 euro gross",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "which invoices are unpaid?",
        "Acme paid the invoice",
        "cancel the invoice to Globex",
        "invoice Acme 2000 every month",
        "I got an invoice from my landlord",
        "what should I charge for a logo?",
        "send Acme a quote for 1,200",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "invoice {client} {amount} for {what}, {terms}",
        "invoice {client} {amount} for {what}",
        "invoice {client} {amount}, {terms}",
        "invoice {client} {amount}",
        "bill {client} {amount} for {what}, {terms}",
        "bill {client} {amount} for {what}",
        "bill {client} {amount}",
    )
    command: ClassVar[str] = "invoice"
    asks: ClassVar[Mapping[str, str]] = {
        "client": "Whom shall I invoice?",
        "amount": "How much shall I invoice, before VAT?",
    }

    client: ClientName
    amount: Money | None = None
    what: str = ""
    terms: Terms | None = None
    due: Day | None = None
    email: Email | None = None


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
    patterns: ClassVar[tuple[str, ...]] = ("what's unpaid", "what is unpaid", "unpaid", "what does {client} owe")
    command: ClassVar[str] = "unpaid"

    client: ClientName | None = None


class MarkPaid(Intent):
    """Note that money came in."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
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
    )
    command: ClassVar[str] = "paid"

    number: InvoiceNumber | None = None
    client: ClientName | None = None
    amount: Money | None = None
    day: Day | None = None


class CancelInvoice(Intent):
    """Take an unpaid invoice back with a credit note."""

    effect: ClassVar[Risk] = Risk.MONEY
    examples: ClassVar[tuple[str, ...]] = (
        "cancel 2026-0001",
        "cancel invoice 2026-0004",
        "void 2026-0002",
        "write a credit note for 2026-0003",
        "the invoice to Acme was wrong, take it back",
        "reverse invoice 2026-0010",
        "annul the Globex invoice",
        "credit note for Initech please",
        "I need to cancel the last invoice",
        "storno 2026-0006",
        "scrap invoice INV-12, wrong amount",
        "withdraw the bill I sent to Hooli",
        "that invoice should never have gone out, cancel it: 2026-0008",
        "credit Acme the full amount of 2026-0001",
        "cancle invoice 2026-0005",
        "issue a credit note to Stark",
        "undo invoice 2026-0009 with a credit note",
        "take 2026-0004 back",
        "I want to take back the invoice to Stark",
        "pull back 2026-0013, it was a mistake",
        "take back the Wayne invoice",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "please void the invoice for Wayne",
        "take back 2026-0007",
        "we need a credit note against 2026-0012",
        "kill invoice 2026-0003",
        "2026-0002 was a mistake, cancel that one",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "cancel the meeting with Acme",
        "refund 2026-0001",
        "cancel my subscription",
        "cancel the post",
        "Acme cancelled the contract",
        "stop the monthly invoice to Globex",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "cancel {number}",
        "cancel invoice {number}",
        "void {number}",
        "credit note for {number}",
    )
    asks: ClassVar[Mapping[str, str]] = {"number": "Which invoice shall I cancel? Its number, please."}

    number: InvoiceNumber | None = None
    client: ClientName | None = None


class RemindDebtor(Intent):
    """Remind a client of an overdue invoice: friendly, then firm, then for the last time."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
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
    )

    client: ClientName | None = None
    number: InvoiceNumber | None = None


class Revenue(Intent):
    """Say what was earned, month by month."""

    examples: ClassVar[tuple[str, ...]] = (
        "how much did we make in March?",
        "revenue this year",
        "what's our revenue",
        "turnover by month",
        "how much have I billed this month?",
        "sales in the last quarter",
        "what did I earn last month?",
        "income 2026",
        "how is business going, money-wise?",
        "show me the monthly revenue",
        "how much did Acme bring in this year?",
        "total invoiced so far",
        "revenue for October",
        "earnings this quarter",
        "how much came in last week",
        "compare revenue of the last three months",
        "reveneu last month",
        "income per month",
        "what have we earned with Hooli?",
        "what did we make from Acme?",
        "month by month income",
        "earned so far this year",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "what was our turnover in Q2?",
        "how much money did I make in September",
        "monthly income please",
        "billed total for this year",
        "what have we earned from Globex",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "which invoices are unpaid?",
        "how many clients do we have?",
        "how much is a logo?",
        "write a report about last week",
        "what did I spend on software?",
        "how many likes did the post get?",
    )
    patterns: ClassVar[tuple[str, ...]] = ("revenue", "revenue {period}", "revenue in {period}")
    command: ClassVar[str] = "revenue"

    period: Period | None = None
    client: ClientName | None = None


class RecurringInvoice(Intent):
    """Write an invoice again and again; each one still comes as a card."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
    examples: ClassVar[tuple[str, ...]] = (
        "invoice Acme 2,000 every month",
        "bill Globex 99 monthly for hosting",
        "set up a recurring invoice for Initech, 500 EUR on the first of each month",
        "every quarter, invoice Hooli 1,500 for maintenance",
        "charge Stark 2k each month for the retainer",
        "invoice Umbrella automatically on the 15th of every month, 300",
        "yearly invoice to Wayne for the domain, 20 euros",
        "put Acme on a monthly bill of 800",
        "from now on bill Globex 450 every two weeks",
        "recurring bill: Initech 1,000 weekly",
        "make the Acme retainer invoice repeat monthly",
        "repeat invoice for Hooli every month, 750",
        "schedule a monthly invoice to Stark over 1,250",
        "bill Umbrella every first Monday 200 for the newsletter",
        "standing invoice for Wayne, 90 a month",
        "auto-invoice Acme 1200 monthly, net 14",
        "recurring invoice Acme 200 each month for hosting",
        "invoice Hooli 900 once a year for the certificate",
        "invoice Stark 75 once a month",
        "each quarter bill Wayne 600",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "every month send Hooli an invoice of 640",
        "bill Stark quarterly, 3,000",
        "recurring invoice Globex 150 each month for support",
        "invoice Initech 2,400 once a year for the licence",
        "set Umbrella up with a weekly bill of 75",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "invoice Acme 2,000 for March",
        "remind me every month to write invoices",
        "stop the monthly report",
        "send the newsletter every Monday",
        "book a meeting with Acme every Friday",
        "what do we earn every month?",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "invoice {client} {amount} {every} for {what}",
        "invoice {client} {amount} {every}",
        "bill {client} {amount} {every} for {what}",
        "bill {client} {amount} {every}",
    )
    asks: ClassVar[Mapping[str, str]] = {
        "client": "Whom shall I invoice again and again?",
        "every": "How often: every month, every quarter?",
    }

    client: ClientName
    every: Every
    amount: Money | None = None
    what: str = ""
    terms: Terms | None = None


class Refund(Intent):
    """Give money back for an invoice that was paid."""

    effect: ClassVar[Risk] = Risk.MONEY
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
    patterns: ClassVar[tuple[str, ...]] = ("refund {number}", "refund {amount} on {number}", "refund {client}")

    number: InvoiceNumber | None = None
    client: ClientName | None = None
    amount: Money | None = None


class PaymentLink(Intent):
    """Make a link that a client can pay with."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
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
    patterns: ClassVar[tuple[str, ...]] = ("payment link for {number}", "payment link for {client}")

    number: InvoiceNumber | None = None
    client: ClientName | None = None
    amount: Money | None = None
    what: str = ""


class Billing(Agent):
    """Answers money questions; proposes invoices, reminders and refunds, and never makes one."""

    intents = (
        Invoice, Unpaid, MarkPaid, CancelInvoice, RemindDebtor, Revenue, RecurringInvoice, Refund, PaymentLink,
    )  # fmt: skip
    proposes = ("books.issue", "books.write", "mail.send", "stripe.refund", "stripe.payment_link")

    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Do the books' part of one request."""
        try:
            wanted = intent_of(task, desk)
        except UnreadableEditError as error:
            return Proposal(ask=str(error))
        match wanted:
            case Invoice() as wish:
                return await draw_up(wish, task, desk)
            case Unpaid() as wish:
                return unpaid(wish.client, task, desk)
            case MarkPaid() as wish:
                return settle(wish.number, wish.client, wish.amount, task, desk, day=wish.day)
            case CancelInvoice() as wish:
                return await _cancel(wish, task, desk)
            case RemindDebtor() as wish:
                return await remind(wish.number, wish.client, task, desk)
            case Revenue() as wish:
                return _revenue(wish, task, desk)
            case RecurringInvoice() as wish:
                return _recurring(wish, task, desk)
            case Refund() as wish:
                return await _refund(wish, task, desk)
            case PaymentLink() as wish:
                return _payment_link(wish, task, desk)
        raise NotImplementedError(f"billing does not know {task.intent.id()!r}")


async def _cancel(wish: CancelInvoice, task: Task, desk: Desk) -> Proposal:
    found = meant(wish.number, wish.client, None, task, desk)
    if isinstance(found, Proposal):
        return found
    paid, _ = parse_money(found.data.get("paid") or found.data["total"])
    if found.data["status"] in {"paid", "partly_paid"} or paid:
        return Proposal(
            problem=f"{amount_words(found.data['paid'])} was already paid on {found.key}, so cancelling it would leave "
            f"the money hanging. Give it back instead: refund {found.key}",
            choices=(Choice(label=f"Refund {found.key}", text=f"refund {found.key}"),),
        )
    if found.data["status"] not in bill.OPEN:
        return not_open(found)
    return await credited(found, task, desk, status="cancelled")


async def _refund(wish: Refund, task: Task, desk: Desk) -> Proposal:
    found = _paid_invoice(wish, task, desk)
    if isinstance(found, Proposal):
        return found
    total, currency = parse_money(found.data["total"])
    if wish.amount and wish.amount.in_currency(currency) != Money(total, currency):
        return Proposal(
            problem=f"I can give back the whole of {found.key} ({amount_words(found.data['total'])}), not a part: "
            "the credit note covers the invoice. For a part, write the credit note by hand."
        )
    owed = f"liabilities:refunds:{found.data['client']}"
    charge = next((p.data["charge"] for p in desk.records("payment", invoice=found.key) if p.data.get("charge")), "")
    if not charge:
        proposal = await credited(found, task, desk, status="refunded", against=owed)
        back_again = amount_words(found.data["total"])
        by_hand = f"It was paid by bank transfer, which I cannot send: transfer {back_again} back by hand."
        return _with_reason(proposal, by_hand)
    back = ActionCall(
        name="stripe.refund",
        args={"charge": charge, "amount": found.data["total"]},
        writes=(
            Write(
                kind="payment",
                key=f"{found.key}-refund",
                data={
                    "invoice": found.key, "client": found.data["client"], "amount": money(-total, currency),
                    "day": desk.now.astimezone(desk.zone).date().isoformat(), "charge": charge, "by": "stripe",
                },
            ),
        ),
        entries=two_entries(owed, "assets:bank", Money(total, currency), f"refund of {found.key}"),
        needs={f"payment:{found.key}-refund": 0},
        client=str(found.data["client"]),
    )  # fmt: skip
    return await credited(found, task, desk, status="refunded", against=owed, more=(back,))


def _paid_invoice(wish: Refund, task: Task, desk: Desk) -> Record | Proposal:
    if wish.number:
        found = desk.record("invoice", wish.number)
        if found is None:
            return unknown_number(wish.number, desk)
        if found.data["status"] != "paid":
            return Proposal(
                problem=f"Invoice {found.key} is {str(found.data['status']).replace('_', ' ')}, so there is nothing to "
                f"give back. To take an open invoice back: cancel {found.key}"
            )
        return found
    if not wish.client:
        return Proposal(ask="Which invoice shall I refund? Its number, please.")
    match = look_up(desk, wish.client)
    if match.record is None:
        return whom(task, wish.client, match.nearby)
    paid = desk.records("invoice", client=match.record.key, status="paid")
    if not paid:
        return Proposal(problem=f"{named(match.record)} has no paid invoice, so there is nothing to refund.")
    if len(paid) == 1:
        return paid[0]
    return Proposal(
        ask="Which invoice shall I refund?",
        choices=tuple(Choice(label=f"{r.key} · {r.data['total']}", text=f"refund {r.key}") for r in paid[-6:]),
    )


def _with_reason(proposal: Proposal, reason: str) -> Proposal:
    if not proposal.calls:
        return proposal
    return Proposal(**{**proposal.__dict__, "reasons": (*proposal.reasons, reason)})


def _revenue(wish: Revenue, task: Task, desk: Desk) -> Proposal:
    today = desk.now.astimezone(desk.zone).date()
    period = wish.period or Period(today.replace(month=1, day=1), today)
    where: dict[str, Json] = {}
    if wish.client:
        match = look_up(desk, wish.client)
        if match.record is None:
            return whom(task, wish.client, match.nearby)
        where = {"client": match.record.key}
    billed, received = _by_month(desk, period, where)
    months = sorted({*billed, *received})
    span = f"{day_words(period.first)} to {day_words(period.last)}"
    if not months:
        return Proposal(say=f"Nothing was invoiced or received from {span}.")
    rows = [
        f"Revenue, {span}: {total_words(_all(billed))} invoiced before VAT, {total_words(_all(received))} received."
    ]
    for month in months:
        title = f"{date.fromisoformat(month + '-01'):%B %Y}"
        rows.append(f"- {title}: {total_words(billed[month])} invoiced, {total_words(received[month])} received")
    results: dict[str, Json] = {
        "months": {month: {ccy: str(value) for ccy, value in billed[month].items()} for month in months}
    }
    return Proposal(say="\n".join(rows), results=results)


def _by_month(desk: Desk, period: Period, where: Mapping[str, Json]) -> tuple[Sums, Sums]:
    """Return month → currency → sum of what was invoiced (net, cancelled ones left out) and of what came in."""
    billed: Sums = defaultdict(lambda: defaultdict(Decimal))
    received: Sums = defaultdict(lambda: defaultdict(Decimal))
    for record in desk.records("invoice", **where):
        if (
            record.data["status"] not in {"cancelled", "refunded"}
            and date.fromisoformat(record.data["issued"]) in period
        ):
            net, currency = parse_money(record.data["net"])
            billed[record.data["issued"][:_MONTH_FIRST]][currency] += net
    for record in desk.records("payment", **where):
        if date.fromisoformat(record.data["day"]) in period:
            amount, currency = parse_money(record.data["amount"])
            received[record.data["day"][:_MONTH_FIRST]][currency] += amount
    return billed, received


def _all(sums: Sums) -> dict[str, Decimal]:
    whole: dict[str, Decimal] = defaultdict(Decimal)
    for month in sums.values():
        for currency, value in month.items():
            whole[currency] += value
    return whole


def _recurring(wish: RecurringInvoice, task: Task, desk: Desk) -> Proposal:
    match = look_up(desk, wish.client)
    if match.record is None:
        return whom(task, wish.client, match.nearby)
    client = match.record
    reasons: list[str] = []
    amount = asked_amount(wish.amount, desk, client, reasons)
    if amount is None:
        return Proposal(ask=f"How much shall I invoice {named(client)} each time, before VAT?")
    every = in_the_morning(wish.every)
    following = every.next(desk.now.astimezone(desk.zone))
    if following is None:
        return Proposal(ask="How often shall I invoice? For example: every month, every first Monday.")
    key = free_key(desk, "schedule", f"invoice-{client.key}")
    slots = {"client": client.key, "amount": str(amount), "what": wish.what or "Retainer {month}"}
    if wish.terms:
        slots["terms"] = str(wish.terms)
    first = day_words(following.date())
    summary = f"Invoice {named(client)} {amount_words(str(amount))} {every_words(every)}, first on {first}"
    data: dict[str, Json] = {
        "kind": "schedule", "agent": "billing", "intent": "invoice", "slots": slots, "client": client.key,
        "rule": str(every), "next": following.isoformat(), "text": summary,
    }  # fmt: skip
    call = ActionCall(
        name="books.write",
        args={
            "summary": summary,
            "fields": {"Client": named(client), "Amount": str(amount), "When": every_words(every)},
        },
        writes=(Write(kind="schedule", key=key, data=data),),
        needs={**pinned(client), f"schedule:{key}": 0},
        client=client.key,
    )
    reasons.append("Each invoice comes as a card of its own before it goes out.")
    return Proposal(calls=(call,), results={"schedule": key}, reasons=tuple(reasons), sources=cited(client))


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
