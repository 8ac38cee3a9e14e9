"""Billing: invoices, once or again and again, the credit notes that take them back, and what was earned.

Proposes what our books would say (``books.issue``, ``books.write``) and the mails that go with it. How an invoice is
drawn up stands in ``invoicing.py``, the arithmetic in ``bill.py``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
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
    local_now,
    parse_money,
)
from agents.debts import meant, not_open
from agents.directory import (
    cited,
    free_key,
    named,
    the_client,
)
from agents.edits import with_edits
from agents.invoicing import asked_amount, credited, draw_up
from agents.letter import (
    amount_words,
    day_words,
    every_words,
    in_the_morning,
    pinned,
    total_words,
)
from agents.slots import ClientName, Day, Email, Every, InvoiceNumber, Money, Period, Terms, find_spans
from agents.subscription import PAYING, price_words, recurring
from memory.events import Json

_MONTH_FIRST = 7  # the length of "2026-11"
Sums = defaultdict[str, defaultdict[str, Decimal]]


class Invoice(Intent):
    """Write an invoice, number it, send it."""

    effect: ClassVar[Risk] = Risk.MONEY
    may: ClassVar[tuple[str, ...]] = ("books.issue", "mail.send")
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
        "inv {client} {amount} for {what}",
        "inv {client} {amount}, {terms}",
        "inv {client} {amount}",
        "charge {client} {amount} for {what}",
        "charge {client} {amount}",
        "invoice to {client} over {amount}",
        "send {client} an invoice for {amount}",
        "send {client} a bill for {amount}",
        "send {client} an invoice over {amount}",
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
    vat: str = ""


class CancelInvoice(Intent):
    """Take an unpaid invoice back with a credit note."""

    effect: ClassVar[Risk] = Risk.MONEY
    may: ClassVar[tuple[str, ...]] = ("books.issue", "mail.send")
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
        "credit {number}",
        "take back {number}",
        "storno {number}",
        "void invoice {number}",
        "reverse {number}",
        "credit note for {client}",
        "cancel the invoice to {client}",
        "void the invoice to {client}",
    )
    asks: ClassVar[Mapping[str, str]] = {"number": "Which invoice shall I cancel? Its number, please."}

    number: InvoiceNumber | None = None
    client: ClientName | None = None


class RecurringInvoice(Intent):
    """Write an invoice again and again; each one still comes as a card."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
    may: ClassVar[tuple[str, ...]] = ("books.write",)
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
    patterns: ClassVar[tuple[str, ...]] = (
        "revenue",
        "revenue {period}",
        "revenue in {period}",
        "turnover",
        "income",
        "turnover {period}",
        "income {period}",
        "how much did i earn {period}",
        "how much did we earn {period}",
        "how much did i make {period}",
        "how much did we make {period}",
        "revenue from {client}",
        "revenue from {client} {period}",
    )
    at_once: ClassVar[bool] = True
    command: ClassVar[str] = "revenue"

    period: Period | None = None
    client: ClientName | None = None


class Billing(Agent):
    """Proposes invoices and credit notes, and never makes one."""

    intents = (Invoice, CancelInvoice, RecurringInvoice, Revenue)
    proposes = ("books.issue", "books.write", "mail.send")

    @with_edits
    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Do the books' part of one request."""
        match task.intent:
            case Invoice() as wish:
                return await draw_up(wish, task, desk)
            case CancelInvoice() as wish:
                return await _cancel(wish, task, desk)
            case RecurringInvoice() as wish:
                return _recurring(wish, task, desk)
            case Revenue() as wish:
                return _revenue(wish, task, desk)
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
    if part := _named_part(found, task, desk):
        return Proposal(
            ask=f"I take back whole invoices, not a part: {found.key} is over {amount_words(found.data['total'])}, and you said {part}. "
            "All of it?",
            choices=(Choice(label=f"All of {found.key}", text=f"cancel {found.key}"),),
        )
    return await credited(found, task, desk, status="cancelled")


def _named_part(invoice: Record, task: Task, desk: Desk) -> str:
    """Return a sum in the operator's words that is not the invoice's: "credit Acme 200"."""
    sums = {parse_money(invoice.data[name])[0] for name in ("net", "total")}
    for slot in find_spans(task.text, desk.now, desk.zone, desk.company.get("locale", "en")):
        said = slot.value.amount if isinstance(slot.value, Money) else slot.value
        if slot.kind in {"money", "number"} and isinstance(said, Decimal) and said not in sums:
            return slot.text.strip()
    return ""


def _recurring(wish: RecurringInvoice, task: Task, desk: Desk) -> Proposal:
    client = the_client(wish.client, task, desk)
    if isinstance(client, Proposal):
        return client
    reasons: list[str] = []
    amount = asked_amount(wish.amount, desk, client, reasons)
    if amount is None:
        return Proposal(ask=f"How much shall I invoice {named(client)} each time, before VAT?")
    every = in_the_morning(wish.every)
    following = every.next(local_now(desk))
    if following is None:
        return Proposal(ask="How often shall I invoice? For example: every month, every first Monday.")
    key = free_key(desk, "schedule", f"invoice-{client.key}")
    what = wish.what or "Retainer"
    what = what if "{month}" in what else f"{what} {{month}}"  # the period it is for tells one from the next
    slots = {"client": client.key, "amount": str(amount), "what": what}
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


def _revenue(wish: Revenue, task: Task, desk: Desk) -> Proposal:
    today = local_day(desk)
    period = wish.period or Period(today.replace(month=1, day=1), today)
    where: dict[str, Json] = {}
    if wish.client:
        client = the_client(wish.client, task, desk)
        if isinstance(client, Proposal):
            return client
        where = {"client": client.key}
    billed, received = _by_month(desk, period, where)
    months = sorted({*billed, *received})
    span = f"{day_words(period.first)} to {day_words(period.last)}"
    if not months:
        nothing = f"Nothing was invoiced or received from {span}."
        return Proposal(say="\n".join([nothing, *(_subscriptions(desk, where) if today in period else ())]))
    rows = [
        f"Revenue, {span}: {total_words(_all(billed))} invoiced before VAT, {total_words(_all(received))} received."
    ]
    for month in months:
        title = f"{date.fromisoformat(month + '-01'):%B %Y}"
        rows.append(f"- {title}: {total_words(billed[month])} invoiced, {total_words(received[month])} received")
    if today in period:
        rows += _subscriptions(desk, where)
    results: dict[str, Json] = {
        "months": {month: {ccy: str(value) for ccy, value in billed[month].items()} for month in months}
    }
    return Proposal(say="\n".join(rows), results=results)


def _subscriptions(desk: Desk, where: Mapping[str, Json]) -> list[str]:
    """Say what subscriptions bring in each month, a yearly one as a twelfth; nothing where there are none."""
    paying = [each for each in desk.records("subscription", **where) if each.data.get("status") in PAYING]
    if not paying:
        return []
    sums, unknown = recurring(paying)
    counted = [each for each in paying if each not in unknown]
    how = f"{len(counted)} subscription{'s' * (len(counted) != 1)}"
    rows = [f"Recurring: {total_words(sums)} a month from {how}."] if counted else []
    for each in counted:
        price = price_words(str(each.data["amount"]), str(each.data["interval"]))
        rows.append(
            f"- {whose(desk, each)}: {', '.join(part for part in (str(each.data.get('plan') or ''), price) if part)}"
        )
    if unknown:
        names = ", ".join(whose(desk, each) for each in unknown)
        rows.append(f"Not counted, because nobody told how much or how often: {names}.")
    return rows


def whose(desk: Desk, record: Record) -> str:
    """Return the name of the client a record is of."""
    key = str(record.data.get("client") or "")
    client = desk.record("client", key)
    return named(client) if client else key or record.key


def _by_month(desk: Desk, period: Period, where: Mapping[str, Json]) -> tuple[Sums, Sums]:
    """Return month → currency → sum of what was invoiced (net, less the credit notes of that month) and of what came in."""
    billed: Sums = defaultdict(lambda: defaultdict(Decimal))
    received: Sums = defaultdict(lambda: defaultdict(Decimal))
    for kind, sign in (("invoice", 1), ("credit", -1)):
        for record in desk.records(kind, **where):
            # A credit note counts where it was issued: a month that was told once does not change afterwards.
            if date.fromisoformat(record.data["issued"]) in period:
                net, currency = parse_money(record.data["net"])
                billed[record.data["issued"][:_MONTH_FIRST]][currency] += sign * net
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
