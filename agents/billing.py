"""Billing: invoices, payments, reminders, credit notes, refunds, and what is still open.

Proposes what our books would say (``books.issue``, ``books.write``) and the mails that go with it. Amounts come from
the operator's words or from records, never from a model; what was assumed stands in the reasons on the card.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
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
    money,
    parse_money,
)
from agents.bill import Bill, Line
from agents.directory import address, cited, contact, free_key, look_up, named, slug, whom
from agents.edits import UnreadableEditError, intent_of
from agents.letter import (
    amount_words,
    attached,
    body,
    day_words,
    every_words,
    in_the_morning,
    letter,
    pinned,
    polish,
    topic,
    total_words,
)
from agents.slots import ClientName, Day, Email, Every, InvoiceNumber, Money, Period, Terms
from agents.slots.grammar import find_spans
from agents.slots.slot import Slot
from connectors.base import ConnectorError, Receipt
from memory.events import Entry, Json

TERMS_DEFAULT = Terms(days=14)
REMINDERS_AT_ONCE_MAX = 10  # mails on one card: more cannot be read before a button is pressed
LISTED_MAX = 30  # invoices in one answer
REMIND_AGAIN_DAYS = 7  # sooner than this after the last reminder is worth a word on the card

_PRODUCT = re.compile(r"([\d.]+) x ([\d.]+) = ")  # how the grammar says that a price was multiplied
_FOR = re.compile(
    r"\bfor (?:the |our |my |a |an )?(.+?)"
    r"\s*(?:[,;]|\.(?:\s|$)|$|\bnet \d|\bdue\b|\bpayable\b|\bincl|\bexcl|\bplus\b|\bterms\b)",
    re.IGNORECASE,
)
_ANYWAY = re.compile(r"\banyway\b|\bearly\b|\bnonetheless\b", re.IGNORECASE)
_MONTH_FIRST = 7  # the length of "2026-11"


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
                return await _invoice(wish, task, desk)
            case Unpaid() as wish:
                return _unpaid(wish, task, desk)
            case MarkPaid() as wish:
                return _mark_paid(wish, task, desk)
            case CancelInvoice() as wish:
                return await _cancel(wish, task, desk)
            case RemindDebtor() as wish:
                return await _remind(wish, task, desk)
            case Revenue() as wish:
                return _revenue(wish, task, desk)
            case RecurringInvoice() as wish:
                return _recurring(wish, task, desk)
            case Refund() as wish:
                return await _refund(wish, task, desk)
            case PaymentLink() as wish:
                return _payment_link(wish, task, desk)
        raise NotImplementedError(f"billing does not know {task.intent.id()!r}")


# ── an invoice ────────────────────────────────────────────────────────────────────────────────────────────────────


async def _invoice(wish: Invoice, task: Task, desk: Desk) -> Proposal:
    said = str(wish.client)
    match = look_up(desk, said)
    if match.record is None and (match.nearby or not wish.email):
        return whom(task, said, match.nearby)
    client = match.record or _newcomer(desk, said, str(wish.email))
    if not (to := address(client)):
        return Proposal(
            ask=f"I have no e-mail address for {named(client)}. Where does the invoice go? "
            f"Say: update {named(client)} email billing@their-domain"
        )
    worked = _bill(wish, task, desk, client)
    if isinstance(worked, Proposal):
        return worked
    made, reasons = worked
    number = desk.next_number(f"invoice:{made.issued.year}")
    drawn = await _drawn(desk, made, number, "invoice", client)
    if isinstance(drawn, Proposal):
        return drawn
    pdf = drawn.data["pdf"]
    record = made.record(number, named(client), pdf)
    issue = ActionCall(
        name="books.issue",
        args=_issue_args(made, number, "invoice", named(client), pdf),
        writes=(*_first_written(client), Write(kind="invoice", key=number, data=record)),
        entries=bill.entries(client.key, made.net, made.tax, made.currency, note=f"invoice {number}"),
        needs={f"client:{client.key}": client.version, f"number:invoice:{number}": 0},
        client=client.key,
    )
    text, worded = await _worded(desk, task, body(desk, contact(client), _invoice_paragraphs(desk, made, number)))
    mail = letter(
        to=[to],
        subject=f"Invoice {number} from {desk.company['name']}",
        text=text,
        # The first call may have written this client, so a newcomer's version is not pinned a second time.
        client=client if client.version else None,
        key=client.key,
        attachments=[pdf],
        writes=(Write(kind="invoice", key=number, data={**record, "status": "sent", "sent_to": to}),),
    )
    return Proposal(
        calls=(issue, mail),
        results={"invoice": number, "client": client.key, "total": made.money(made.gross), "due": made.due.isoformat()},
        reasons=(*reasons, *_twice(desk, client.key, made), *drawn.data.get("warnings", ()), *worded),
        confidence_pct=max(60, 98 - 4 * len(reasons)),
        sources=cited(client) if client.version else (),
        files=(attached(pdf),),
    )


def _bill(wish: Invoice, task: Task, desk: Desk, client: Record) -> tuple[Bill, tuple[str, ...]] | Proposal:
    """Work out the amounts, or ask; every assumption is in the reasons."""
    reasons: list[str] = []
    issued = desk.now.astimezone(desk.zone).date()
    vat = bill.vat_of(desk, client)
    asked = _asked_amount(wish, desk, client, reasons)
    if asked is None:
        return Proposal(ask=f"How much shall I invoice {named(client)}, before VAT?")
    if asked.amount <= 0:
        return Proposal(ask=f"{asked} is nothing to invoice. How much is it, before VAT?")
    text = _what(wish, task, desk, client, reasons)
    spoken = _spoken(task.text, desk)
    said = next((str(slot.value) for slot in spoken if slot.kind == "vat"), "plus")
    if said == "none" and vat.pct:
        return _why_no_vat(client)
    if said == "included":
        split = bill.gross_that_splits(asked.amount, vat)
        if split != (asked.amount,):
            return _cannot_split(asked, split, task)
        lines = (Line(text, vat.within(asked.amount)),)
        reasons.append(f"{amount_words(str(asked))} taken as including VAT.")
    else:
        lines = (_counted(text, asked, spoken),)
        if vat.pct:
            reasons.append(f"{amount_words(str(asked))} taken as net; {vat.pct.normalize():f} % VAT comes on top.")
    if vat.because:
        reasons.append(vat.because)
    due = _due(wish, desk, client, issued, reasons)
    return Bill(client.key, lines, asked.currency, vat, issued, due), tuple(reasons)


def _asked_amount(wish: Invoice, desk: Desk, client: Record, reasons: list[str]) -> Money | None:
    said = wish.amount
    if said is None and (retainer := client.data.get("retainer")):
        reasons.append(f"Amount from {named(client)}'s retainer.")
        return Money.read(retainer)
    if said is None or said.currency:
        return said
    currency = str(client.data.get("currency") or desk.company.get("currency") or "EUR")
    whose = f"{named(client)}'s" if client.data.get("currency") else "the company's"
    reasons.append(f"{currency}, {whose} currency, as none was named.")
    return said.in_currency(currency)


def _what(wish: Invoice, task: Task, desk: Desk, client: Record, reasons: list[str]) -> str:
    month = f"{desk.now.astimezone(desk.zone):%B %Y}"
    said = topic(wish.what.replace("{month}", month))
    if any(slot.kind == "money" and slot.text.strip() == said for slot in _spoken(said, desk)):
        said = ""  # "for 3 days at 800" is a price and no purpose
    if not said:
        names = {named(client).casefold(), str(wish.client).casefold(), client.key}
        found = (match[1].strip() for match in _FOR.finditer(task.text))
        said = next((each for each in found if _is_purpose(each, names)), "")
    if said:
        return said[0].upper() + said[1:]
    reasons.append("No purpose was named, so the line says Services with the month.")
    return f"Services, {month}"


def _is_purpose(text: str, names: set[str]) -> bool:
    flat = text.casefold()
    return not any(flat.startswith(name) for name in names) and not re.match(r"[\d€$£]", flat)


def _spoken(text: str, desk: Desk) -> Sequence[Slot]:
    return find_spans(text, desk.now, desk.zone, desk.company.get("locale", "en"))


def _counted(text: str, asked: Money, spoken: Sequence[Slot]) -> Line:
    """Return the line, with quantity and price where the amount was said as ``3 days at 800``."""
    for slot in spoken:
        if isinstance(slot.value, Money) and slot.value.amount == asked.amount:
            for match in filter(None, map(_PRODUCT.match, slot.assumed)):
                return Line(text, Decimal(match[2]), Decimal(match[1]))
    return Line(text, asked.amount)


def _why_no_vat(client: Record) -> Proposal:
    name = named(client)
    return Proposal(
        ask=f"Why does {name} pay no VAT? The invoice has to say it. Note it once, then ask me again.",
        choices=tuple(Choice(label=f"{kind.capitalize()}", text=f"update {name} vat {kind}") for kind in bill.ZERO_TAX),
    )


def _due(wish: Invoice, desk: Desk, client: Record, issued: date, reasons: list[str]) -> date:
    if wish.due or wish.terms:
        return max(wish.due, issued) if wish.due else (wish.terms or TERMS_DEFAULT).due(issued)
    for said, whose in ((client.data.get("terms"), f"{named(client)}'s"), (desk.company.get("terms"), "the company's")):
        if said:
            reasons.append(f"Due by {whose} usual terms, {said}.")
            return Terms.read(str(said)).due(issued)
    reasons.append(f"Due {TERMS_DEFAULT}, as no terms are known.")
    return TERMS_DEFAULT.due(issued)


def _line(row: Mapping[str, Json]) -> Line:
    """Read a line as a card shows it."""
    price, _, _ = str(row["unit_price"]).replace(",", "").partition(" ")
    return Line(str(row["text"]), Decimal(price), Decimal(str(row.get("quantity", "1"))))


def _cannot_split(asked: Money, split: Sequence[Decimal], task: Task) -> Proposal:
    near = [Money(gross, asked.currency) for gross in split]
    return Proposal(
        ask=f"{amount_words(str(asked))} including VAT cannot be split into whole cents of net and VAT. "
        f"The nearest totals are {' and '.join(amount_words(str(each)) for each in near)}. Which one?",
        choices=tuple(Choice(label=str(each), text=_with_amount(task.text, str(each))) for each in near),
    )


def _with_amount(text: str, amount: str) -> str:
    """Put another amount into the operator's sentence, in place of the first number in it."""
    return re.sub(r"[€$£]?\d[\d.,]*k?(?:\s?(?:€|EUR|USD|GBP|euros?|dollars?))?", lambda _: amount, text, count=1)


async def _drawn(desk: Desk, made: Bill, number: str, kind: str, client: Record, **more: Json) -> Receipt | Proposal:
    """Have the PDF drawn; its total must be ours to the cent."""
    try:
        receipt = await desk.use(
            "invoices.render",
            number=number,
            kind=kind,
            issue_date=made.issued.isoformat(),
            due_date=made.due.isoformat(),
            seller=_seller(desk),
            buyer=_buyer(client),
            currency=made.currency,
            lines=made.rendered_lines(),
            note=made.vat.note,
            locale=str(client.data.get("language") or desk.company.get("locale") or "en"),
            **more,
        )
    except (ConnectorError, PermissionError) as error:
        return Proposal(problem=f"The {kind} could not be drawn, so nothing was prepared. {error}")
    drawn, _ = parse_money(str(receipt.data["total"]))
    assert drawn == made.gross, f"{kind} {number}: drawn {drawn}, worked out {made.gross}"
    return receipt


def _seller(desk: Desk) -> dict[str, Json]:
    return {
        key: desk.company[key]
        for key in ("name", "email", "address", "country", "iban", "bic", "vat_id", "tax_id", "phone")
        if desk.company.get(key)
    }


def _buyer(client: Record) -> dict[str, Json]:
    known = {key: client.data[key] for key in ("address", "country", "vat_id", "contact") if client.data.get(key)}
    return {"name": named(client), "email": address(client), **known}


def _issue_args(made: Bill, number: str, kind: str, client: str, pdf: Mapping[str, Json]) -> dict[str, Json]:
    return {
        "client": client,
        "number": number,
        "kind": kind,
        "amount": made.money(made.gross),
        "net": made.money(made.net),
        "tax": made.tax_words,
        "due": made.due.isoformat(),
        "lines": made.shown_lines(),
        "attachments": [dict(pdf)],
    }


def _invoice_paragraphs(desk: Desk, made: Bill, number: str) -> tuple[str, ...]:
    gross, net = amount_words(made.money(made.gross)), amount_words(made.money(made.net))
    parts = f" ({net} plus {made.vat.pct.normalize():f} % VAT)" if made.tax else ""
    iban = desk.company.get("iban")
    how = f"Please transfer it to {iban}, quoting {number}." if iban else f"Please quote {number} with your payment."
    return (
        (
            f"please find attached invoice {number} for {made.lines[0].text}: "
            f"{gross}{parts}, due on {day_words(made.due)}."
        ),
        how,
    )


def _newcomer(desk: Desk, name: str, email: str) -> Record:
    """A client nobody knows yet, with the address the operator gave; version 0 means it must not exist."""
    data: dict[str, Json] = {"name": name, "email": email, "status": "active"}
    return Record("client", slug(name) or slug(email), 0, data, desk.now, "")


def _first_written(client: Record) -> tuple[Write, ...]:
    return () if client.version else (Write(kind="client", key=client.key, data=dict(client.data)),)


def _twice(desk: Desk, client: str, made: Bill) -> tuple[str, ...]:
    same = [
        record.key
        for record in desk.records("invoice", client=client, net=made.money(made.net), text=made.lines[0].text)
        if record.data["status"] != "cancelled"
    ]
    return (f"Look twice: {', '.join(same)} already bills the same amount for the same thing.",) if same else ()


# ── what is open ──────────────────────────────────────────────────────────────────────────────────────────────────


def _unpaid(wish: Unpaid, task: Task, desk: Desk) -> Proposal:
    where: dict[str, Json] = {}
    if wish.client:
        match = look_up(desk, wish.client)
        if match.record is None:
            return whom(task, wish.client, match.nearby)
        where = {"client": match.record.key}
    today = desk.now.astimezone(desk.zone).date()
    opened = sorted(_open(desk, **where), key=lambda record: record.data["due"])
    whose = f" by {named(match.record)}" if wish.client and match.record else ""
    if not opened:
        return Proposal(say=f"Nothing is open{whose}: every invoice is paid or cancelled.")
    late = [record for record in opened if date.fromisoformat(record.data["due"]) < today]
    rows = [f"Unpaid{whose}: {_invoices(len(opened))}, {_sum(opened)}."]
    if late:
        rows += [f"Overdue, {_sum(late)}:", *(_row(record, today) for record in late[:LISTED_MAX])]
    if coming := [record for record in opened if record not in late]:
        rows += [f"Not yet due, {_sum(coming)}:", *(_row(record, today) for record in coming[:LISTED_MAX])]
    if len(opened) > LISTED_MAX:
        rows.append("The list is cut; name a client to see all of theirs.")
    return Proposal(
        say="\n".join(rows),
        choices=tuple(
            Choice(
                label=f"Remind {record.data['client_name']}",
                text=f"remind {record.data['client_name']} about {record.key}",
            )
            for record in late[:3]
        ),
        results={"open": [record.key for record in opened], "overdue": [record.key for record in late]},
        sources=cited(*opened[:LISTED_MAX]),
    )


def _row(record: Record, today: date) -> str:
    left, currency = bill.outstanding(record)
    late = (today - date.fromisoformat(record.data["due"])).days
    when = f"{late} {'day' if late == 1 else 'days'} late" if late > 0 else f"due {day_words(record.data['due'])}"
    part = f" left of {amount_words(record.data['total'])}" if record.data["status"] == "partly_paid" else ""
    return f"- {record.key} · {record.data['client_name']} · {amount_words(money(left, currency))}{part} · {when}"


def _sum(records: Sequence[Record]) -> str:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for record in records:
        left, currency = bill.outstanding(record)
        sums[currency] += left
    return total_words(sums)


def _open(desk: Desk, **where: Json) -> list[Record]:
    return [record for record in desk.records("invoice", **where) if record.data["status"] in bill.OPEN]


# ── money that came in ────────────────────────────────────────────────────────────────────────────────────────────


def _mark_paid(wish: MarkPaid, task: Task, desk: Desk) -> Proposal:
    found = _meant(wish.number, wish.client, wish.amount, task, desk)
    if isinstance(found, Proposal):
        return found
    left, currency = bill.outstanding(found)
    if not left:
        return _not_open(found)
    paid = wish.amount.in_currency(currency) if wish.amount else Money(left, currency)
    if paid.currency != currency:
        return Proposal(
            ask=f"{found.key} is in {currency}, and you said {paid}. How much of the {currency} is paid by it?",
        )
    if paid.amount <= 0 or paid.amount > left:
        return Proposal(
            ask=f"{amount_words(str(paid))} does not fit: {amount_words(money(left, currency))} is open on "
            f"{found.key}. How much of it was paid?",
            choices=(Choice(label=f"All of {money(left, currency)}", text=f"{found.key} is paid"),),
        )
    today = desk.now.astimezone(desk.zone).date()
    return _payment(found, paid, wish.day or today, left)


def _payment(invoice: Record, paid: Money, day: date, left: Decimal) -> Proposal:
    before, currency = parse_money(invoice.data.get("paid") or money(Decimal(0), paid.currency))
    whole = paid.amount == left
    status = "paid" if whole else "partly_paid"
    payments = int(invoice.data.get("payments", 0)) + 1
    key = f"{invoice.key}-{payments}"
    client, name = str(invoice.data["client"]), str(invoice.data["client_name"])
    rest = money(left - paid.amount, currency)
    summary = f"{name} paid {amount_words(str(paid))} on {invoice.key}" + (
        "" if whole else f", {amount_words(rest)} left"
    )
    after = {**invoice.data, "status": status, "paid": money(before + paid.amount, currency), "payments": payments}
    if whole:
        after["paid_on"] = day.isoformat()
    receipt = {"invoice": invoice.key, "client": client, "amount": str(paid), "day": day.isoformat(), "by": "bank"}
    call = ActionCall(
        name="books.write",
        args={
            "summary": summary,
            "fields": {
                "Invoice": invoice.key,
                "Client": name,
                "Received": str(paid),
                "On": day_words(day),
                "Left": rest,
            },
        },
        writes=(Write(kind="invoice", key=invoice.key, data=after), Write(kind="payment", key=key, data=receipt)),
        entries=_two("assets:bank", f"assets:receivable:{client}", paid, summary),
        needs={f"invoice:{invoice.key}": invoice.version, f"payment:{key}": 0},
        client=client,
    )
    reasons = (f"{amount_words(money(left, currency))} was open on {invoice.key}.",)
    results = {"invoice": invoice.key, "client": client, "paid": str(paid), "left": rest}
    return Proposal(calls=(call,), results=results, reasons=reasons, sources=cited(invoice))


def _meant(number: str | None, client: str | None, amount: Money | None, task: Task, desk: Desk) -> Record | Proposal:
    """Return the one open invoice that is meant, or the question that finds it."""
    if number:
        return desk.record("invoice", number) or _unknown_number(number, desk)
    opened = _open(desk)
    if client:
        match = look_up(desk, client)
        if match.record is None:
            return whom(task, client, match.nearby)
        opened = [record for record in opened if record.data["client"] == match.record.key]
        if not opened:
            return Proposal(problem=f"No invoice to {named(match.record)} is open.")
    if amount and (fitting := [record for record in opened if _fits(record, amount)]):
        opened = fitting
    if len(opened) == 1 and (client or amount):
        return opened[0]
    if not opened:
        return Proposal(problem="No invoice is open.")
    paid = f" {amount} on" if amount and not any(_fits(record, amount) for record in opened) else ""
    return Proposal(
        ask="Which invoice?",
        choices=tuple(
            Choice(
                label=f"{record.key} · {record.data['client_name']} · {money(*bill.outstanding(record))}",
                text=_about(task, record, paid),
            )
            for record in opened[:6]
        ),
    )


def _about(task: Task, record: Record, paid: str) -> str:
    """Return the sentence that names the invoice, for the intent that is asked about."""
    name = record.data["client_name"]
    match task.intent:
        case MarkPaid():
            return f"{name} paid{paid} {record.key}"
        case CancelInvoice():
            return f"cancel {record.key}"
        case PaymentLink():
            return f"payment link for {record.key}"
        case _:
            return f"remind {name} about {record.key}"


def _fits(record: Record, amount: Money) -> bool:
    left, currency = bill.outstanding(record)
    return amount.amount == left and amount.currency in {"", currency}


def _unknown_number(number: str, desk: Desk) -> Proposal:
    near = [record.key for record in desk.records("invoice") if record.key.endswith(number.rpartition("-")[2])]
    hint = f" Did you mean {near[0]}?" if near else ""
    return Proposal(problem=f"There is no invoice {number}.{hint} 'what's unpaid' lists the open ones.")


def _not_open(invoice: Record) -> Proposal:
    status = str(invoice.data["status"]).replace("_", " ")
    on = f" since {day_words(invoice.data['paid_on'])}" if invoice.data.get("paid_on") else ""
    return Proposal(
        problem=f"Invoice {invoice.key} to {invoice.data['client_name']} is {status}{on}; nothing is open on it."
    )


def _two(debit: str, credit: str, sum_: Money, note: str) -> tuple[Entry, ...]:
    back = Money(-sum_.amount, sum_.currency)
    return (
        Entry(account=debit, amount=str(sum_), note=note),
        Entry(account=credit, amount=str(back), note=note),
    )


# ── taking back ───────────────────────────────────────────────────────────────────────────────────────────────────


async def _cancel(wish: CancelInvoice, task: Task, desk: Desk) -> Proposal:
    found = _meant(wish.number, wish.client, None, task, desk)
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
        return _not_open(found)
    return await _credited(found, task, desk, status="cancelled")


async def _credited(
    invoice: Record, task: Task, desk: Desk, *, status: str, against: str = "", more: tuple[ActionCall, ...] = ()
) -> Proposal:
    """Propose the credit note over a whole invoice, its mail, and what belongs to it."""
    client = desk.record("client", str(invoice.data["client"]))
    if client is None or not (to := address(client)):
        who = invoice.data["client_name"]
        return Proposal(
            ask=f"I have no e-mail address for {who}. Where does the credit note go? Say: update {who} email …"
        )
    made = _bill_of(invoice, desk.now.astimezone(desk.zone).date())
    number = desk.next_number(f"credit:{made.issued.year}")
    drawn = await _drawn(
        desk, made, number, "credit note", client, refers_to=invoice.key, refers_date=invoice.data["issued"]
    )
    if isinstance(drawn, Proposal):
        return drawn
    pdf = drawn.data["pdf"]
    note = {
        **made.record(number, named(client), pdf), "invoice": invoice.key, "due": "", "status": "issued",
    }  # fmt: skip
    issue = ActionCall(
        name="books.issue",
        args={**_issue_args(made, number, "credit note", named(client), pdf), "due": ""},
        writes=(
            Write(kind="credit", key=number, data=note),
            Write(kind="invoice", key=invoice.key, data={**invoice.data, "status": status, "credit_note": number}),
        ),
        entries=bill.entries(
            client.key, made.net, made.tax, made.currency, sign=-1, against=against, note=f"{number} for {invoice.key}"
        ),
        needs={**pinned(client, invoice), f"number:credit:{number}": 0},
        client=client.key,
    )
    total = amount_words(made.money(made.gross))
    paragraphs = (
        f"please find attached credit note {number} over {total}. It takes back invoice {invoice.key} in full.",
        "There is nothing left for you to pay on it." if status == "cancelled" else "You will receive the money back.",
    )
    text, worded = await _worded(desk, task, body(desk, contact(client), paragraphs))
    mail = letter(
        to=[to], subject=f"Credit note {number} for invoice {invoice.key}", text=text, client=client, attachments=[pdf]
    )
    return Proposal(
        calls=(issue, *more, mail),
        results={"credit_note": number, "invoice": invoice.key, "client": client.key},
        reasons=(f"Invoice {invoice.key} was issued on {day_words(invoice.data['issued'])} over {total}.", *worded),
        sources=cited(client, invoice),
        files=(attached(pdf),),
    )


def _bill_of(invoice: Record, issued: date) -> Bill:
    """Return what an invoice in our books was worked out from, dated anew."""
    vat = bill.Vat(Decimal(invoice.data["tax_pct"]), str(invoice.data.get("tax_kind") or "standard"))
    lines = tuple(_line(row) for row in invoice.data["lines"])
    return Bill(str(invoice.data["client"]), lines, str(invoice.data["currency"]), vat, issued, issued)


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
        proposal = await _credited(found, task, desk, status="refunded", against=owed)
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
        entries=_two(owed, "assets:bank", Money(total, currency), f"refund of {found.key}"),
        needs={f"payment:{found.key}-refund": 0},
        client=str(found.data["client"]),
    )  # fmt: skip
    return await _credited(found, task, desk, status="refunded", against=owed, more=(back,))


def _paid_invoice(wish: Refund, task: Task, desk: Desk) -> Record | Proposal:
    if wish.number:
        found = desk.record("invoice", wish.number)
        if found is None:
            return _unknown_number(wish.number, desk)
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
    return Proposal(**{**proposal.__dict__, "reasons": (*proposal.reasons, reason), "say": reason})


# ── reminders ─────────────────────────────────────────────────────────────────────────────────────────────────────

STEPS = ("friendly", "firm", "last")

REMINDER = {
    "friendly": (
        "Reminder: invoice {number}",
        (
            "perhaps it slipped through: invoice {number} over {total} was due on {due}, "
            "and I have not seen {left} arrive yet."
        ),
        "If it is already on its way, please ignore this note. A copy is attached.",
    ),
    "firm": (
        "Second reminder: invoice {number} is overdue",
        "invoice {number} was due on {due} and {left} is still open, in spite of my earlier reminder.",
        "Please transfer it by {by}, or tell me what keeps you from it.",
    ),
    "last": (
        "Last reminder: invoice {number}",
        "invoice {number} was due on {due}. Two reminders have gone unanswered and {left} is still open.",
        "Please pay by {by}. After that day I will have to take further steps, which I would rather avoid.",
    ),
}
GRACE_DAYS = 7  # what a firm or last reminder gives


async def _remind(wish: RemindDebtor, task: Task, desk: Desk) -> Proposal:
    today = desk.now.astimezone(desk.zone).date()
    late = [record for record in _open(desk) if date.fromisoformat(record.data["due"]) < today]
    if wish.number or wish.client:
        found = _debts(wish, task, desk, today)
        if isinstance(found, Proposal):
            return found
        late = found
    if not late:
        return Proposal(say="Nothing is overdue, so there is nobody to remind.")
    chosen = sorted(late, key=lambda record: record.data["due"])[:REMINDERS_AT_ONCE_MAX]
    calls: list[ActionCall] = []
    reasons: list[str] = []
    for invoice in chosen:
        client = desk.record("client", str(invoice.data["client"]))
        if client is None or not address(client):
            reasons.append(f"{invoice.key} is left out: no e-mail address for {invoice.data['client_name']}.")
            continue
        call, why = await _reminder(invoice, client, task, desk, today)
        calls.append(call)
        reasons += why
    if not calls:
        return Proposal(problem=" ".join(reasons))
    if len(late) > len(chosen):
        reasons.append(f"{len(late) - len(chosen)} more are overdue; ask again once these are out.")
    return Proposal(calls=tuple(calls), reasons=tuple(reasons), sources=cited(*chosen))


def _debts(wish: RemindDebtor, task: Task, desk: Desk, today: date) -> list[Record] | Proposal:
    if wish.number:
        found = desk.record("invoice", wish.number)
        if found is None:
            return _unknown_number(wish.number, desk)
        mine = [found]
        if found.data["status"] not in bill.OPEN:
            return _not_open(found)
    else:
        match = look_up(desk, wish.client or "")
        if match.record is None:
            return whom(task, wish.client or "", match.nearby)
        mine = _open(desk, client=match.record.key)
        if not mine:
            return Proposal(problem=f"{named(match.record)} owes nothing: no invoice of theirs is open.")
    late = [record for record in mine if date.fromisoformat(record.data["due"]) < today]
    if late or _ANYWAY.search(task.text):
        return late or mine
    first = min(mine, key=lambda record: record.data["due"])
    return Proposal(
        ask=f"{first.key} is only due on {day_words(first.data['due'])}. "
        f"Remind {first.data['client_name']} all the same?",
        choices=(Choice(label="Remind anyway", text=f"remind {first.data['client_name']} about {first.key} anyway"),),
    )


async def _reminder(
    invoice: Record, client: Record, task: Task, desk: Desk, today: date
) -> tuple[ActionCall, tuple[str, ...]]:
    sent: list[Json] = list(invoice.data.get("reminders") or [])
    step = STEPS[min(len(sent), len(STEPS) - 1)]
    left, currency = bill.outstanding(invoice)
    subject, *paragraphs = (
        part.format(
            number=invoice.key,
            total=amount_words(invoice.data["total"]),
            left=amount_words(money(left, currency)),
            due=day_words(invoice.data["due"]),
            by=day_words(today + timedelta(days=GRACE_DAYS)),
        )
        for part in REMINDER[step]
    )
    iban = desk.company.get("iban")
    bank = f"My account is {iban}; please quote {invoice.key}." if iban else ""
    text, worded = await _worded(desk, task, body(desk, contact(client), (*paragraphs, bank)))
    after = {**invoice.data, "reminders": [*sent, {"step": step, "day": today.isoformat()}]}
    pdf = invoice.data.get("pdf")
    call = letter(
        to=[address(client)],
        subject=subject,
        text=text,
        client=client,
        attachments=[pdf] if pdf else [],
        writes=(Write(kind="invoice", key=invoice.key, data=after),),
        needs=pinned(invoice),
    )
    why = [f"{invoice.key}: reminder {len(sent) + 1}, {step}."]
    if sent and (today - date.fromisoformat(sent[-1]["day"])).days < REMIND_AGAIN_DAYS:
        why.append(f"The last reminder for {invoice.key} went out on {day_words(sent[-1]['day'])}.")
    return call, (*why, *worded)


# ── revenue, schedules, links ─────────────────────────────────────────────────────────────────────────────────────


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


Sums = defaultdict[str, defaultdict[str, Decimal]]


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
    once = Invoice(client=client.key, amount=wish.amount, what=wish.what, terms=wish.terms)
    amount = _asked_amount(once, desk, client, reasons)
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
        found = _meant(wish.number, wish.client, None, task, desk)
        if isinstance(found, Proposal):
            return found
        left, currency = bill.outstanding(found)
        if not left:
            return _not_open(found)
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


# ── small words ───────────────────────────────────────────────────────────────────────────────────────────────────


async def _worded(desk: Desk, task: Task, text: str) -> tuple[str, tuple[str, ...]]:
    """Money letters keep their template unless the operator asked for other words: a model costs, and adds nothing."""
    return await polish(desk, "billing", text, guidance=task.guidance) if task.guidance else (text, ())


def _invoices(count: int) -> str:
    return f"{count} invoice{'' if count == 1 else 's'}"
