"""Paperwork: what was written before. An invoice shown or sent once more, offers and how they stand.

A copy is the paper that was kept when the invoice was issued: no new number, nothing drawn again. It goes to the client's
address, or to the one the operator typed, and only from a card.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
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
    money,
    parse_money,
)
from agents.debts import unknown_number
from agents.directory import address, cited, contact, named, no_address, the_client
from agents.edits import with_edits
from agents.invoicing import worded_as_asked
from agents.letter import amount_words, attached, body, day_words, letter, pinned, total_words
from agents.slots import ClientName, Email, InvoiceNumber, Money, Period
from memory.events import Json

LISTED_MAX = 30  # papers in one answer
CHOICES_MAX = 4  # buttons under "which invoice?"
_LAST = re.compile(
    r"\b(?:last|latest|newest|most recent|letzte\w*|neueste\w*)\b(?! (?:week|month|quarter|year))", re.IGNORECASE
)
_ALL = re.compile(r"\b(?:all|list|every|invoices|bills|how many|rechnungen)\b", re.IGNORECASE)
_STATE = re.compile(r"\b(paid|cancelled|refunded)\b", re.IGNORECASE)
_WAITING = re.compile(r"\b(?:open|pending|waiting|unanswered|outstanding|offen\w*)\b", re.IGNORECASE)


class ResendInvoice(Intent):
    """Send an invoice once more: the same paper, under the same number."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    examples: ClassVar[tuple[str, ...]] = (
        "resend 2026-0001", "send Acme their invoice again", "resend the invoice to Globex", "send 2026-0004 once more",
        "send invoice 2026-0002 to Initech again", "Hooli lost the invoice, send it again", "can you resend the last invoice to Stark",
        "mail Umbrella a copy of 2026-0003", "send a copy of the invoice to Wayne", "re-send the bill to Tyrell",
        "Globex says they never got the invoice, send it once more", "forward 2026-0007 to billing@globex.example",
        "send Acme another copy of their bill", "email the invoice to Initech again", "Wonka can't find our invoice, send a copy",
        "Stark wants the invoice again", "resend invoice INV-12", "send Cyberdyne the March invoice again", "the invoice to Hooli bounced, resend it",
        "please send the invoice again to Müller", "copy of 2026-0009 to Wayne please", "resend the invoice",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "send 2026-0006 to Acme once more", "resend Globex the bill", "Initech needs a copy of their invoice",
        "mail the last invoice to Hooli again", "Wayne did not get the invoice, please resend",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "send Acme an invoice for 900", "remind Acme of their invoice", "invoice Globex the same again", "show me 2026-0004",
        "send the report again", "take back 2026-0004", "resend my newsletter",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "resend {number}", "resend invoice {number}", "resend {number} to {client}", "resend {number} to {email}",
        "resend invoice {number} to {client}", "resend invoice {number} to {email}", "send {number} again", "send invoice {number} again",
        "send {number} to {client} again", "send {number} once more", "send {client} their invoice again",
        "send {client} the invoice again", "send the invoice to {client} again", "resend the invoice to {client}",
        "resend {client} the invoice", "resend {client} their invoice", "resend the last invoice to {client}", "resend the invoice",
        "send a copy of {number} to {client}", "send a copy of {number} to {email}", "send {number} to {email}",
        "send invoice {number} to {email}", "forward {number} to {email}", "send {client} a copy of {number}",
        "send {client} invoice {number} again", "resend the last invoice",
    )  # fmt: skip
    command: ClassVar[str] = "resend"

    number: InvoiceNumber | None = None
    client: ClientName | None = None
    email: Email | None = None
    amount: Money | None = None
    period: Period | None = None


class ShowInvoice(Intent):
    """Show an invoice and how it stands, or list those of a client or a time."""

    examples: ClassVar[tuple[str, ...]] = (
        "show me invoice 2026-0004", "what is 2026-0006", "list all invoices", "which invoices does Acme have", "pull up the last invoice for Globex",
        "show the pdf of 2026-0001", "when is 2026-0002 due", "what's the status of 2026-0005", "did Acme get the invoice",
        "when did I send 2026-0003", "what did I bill Initech for", "how much was the Hooli invoice", "all invoices from March",
        "invoices I sent last month", "find the invoice to Stark", "show me my last invoice", "open invoice 2026-0010",
        "list the paid invoices", "which invoices did I write this year", "how many invoices did I send in October",
        "let me see the bill for Umbrella", "was 2026-0008 sent", "invoice history of Tyrell", "cancelled invoices this year",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "show me the invoice for Wayne", "what's on 2026-0007", "list the invoices of last quarter", "when was 2026-0012 issued",
        "which invoices went to Stark", "did Globex receive the invoice", "the last invoice to Hooli please",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "which invoices are unpaid?", "resend 2026-0004", "invoice Acme 1,200", "recurring invoices", "is 2026-0004 paid?", "cancel 2026-0004",
        "how much did we make in March?", "show me the last proposal", "I got an invoice from the printer",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "show {number}", "show me {number}", "show invoice {number}", "show me invoice {number}", "send me invoice {number}", "send me {number}",
        "open {number}", "{number}", "invoice {number}", "status of {number}", "what's the status of {number}", "what is {number}",
        "what's {number}", "when is {number} due", "when did i send {number}", "was {number} sent", "pdf of {number}",
        "show me the pdf of {number}", "show the pdf of {number}", "invoices", "all invoices", "list invoices", "list all invoices",
        "show invoices", "show all invoices", "show me all invoices", "my invoices", "invoices {period}", "invoices from {period}",
        "list invoices from {period}", "all invoices from {period}", "show me all invoices from {period}", "invoices for {client}",
        "invoices to {client}", "invoices of {client}", "all invoices for {client}", "all invoices to {client}", "list invoices for {client}",
        "last invoice", "the last invoice", "last invoice for {client}", "last invoice to {client}", "show me the last invoice",
        "show me the last invoice for {client}", "show me the last invoice to {client}", "pull up the last invoice for {client}",
        "pull up {number}", "what invoices does {client} have", "which invoices does {client} have", "did {client} get the invoice",
        "what did i bill {client} for", "what did i invoice {client} for",
    )  # fmt: skip
    at_once: ClassVar[bool] = True
    command: ClassVar[str] = "invoices"

    number: InvoiceNumber | None = None
    client: ClientName | None = None
    period: Period | None = None


class Offers(Intent):
    """Show which offers went out, and how they stand."""

    examples: ClassVar[tuple[str, ...]] = (
        "which proposals are open", "list my offers", "what happened with the proposal to Acme", "show me the quotes I sent",
        "any answer to the offer to Globex?", "which quotes are still waiting", "when did I send the proposal to Initech",
        "did Hooli accept the offer", "how much did I quote Stark", "all proposals", "what did I offer Umbrella", "open quotes",
        "which offers run out soon", "show me the last proposal", "proposals of this month", "what became of the quote for Wayne",
        "has Tyrell answered our proposal", "list the pending proposals", "how do my offers stand",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "which offers are still open", "show the proposal to Wayne", "what did I quote Globex", "list all my quotes",
        "did Stark say yes to the proposal",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "send Acme a proposal for 900", "follow up on the proposal to Globex", "Acme accepted the proposal", "which invoices are open",
        "what offers does the shop have", "show me the last invoice",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "proposals", "offers", "quotes", "open proposals", "open offers", "open quotes", "list proposals", "list all proposals",
        "list offers", "list quotes", "which proposals are open", "which offers are open", "which quotes are open", "my proposals",
        "proposals for {client}", "proposals to {client}", "offers to {client}", "quotes for {client}",
        "what happened with the proposal to {client}", "show me the proposal to {client}", "show the proposal to {client}",
        "show me the offer to {client}", "did {client} accept the proposal", "did {client} accept the offer", "did {client} accept the quote",
    )  # fmt: skip
    at_once: ClassVar[bool] = True
    command: ClassVar[str] = "offers"

    client: ClientName | None = None


class DeclineOffer(Intent):
    """Note that an offer was turned down, so that nobody is asked about it again."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
    examples: ClassVar[tuple[str, ...]] = (
        "Acme declined the offer", "Globex turned down the proposal", "Initech said no to the quote", "Hooli does not want our offer",
        "we lost the Stark proposal", "the offer to Wayne was rejected", "Umbrella went with somebody else, close the proposal",
        "Tyrell rejected our quote", "mark the proposal to Wonka as declined", "Cyberdyne won't take the offer", "close the offer to Müller, they said no",
        "no deal with Acme, the proposal is off", "Globex decided against our proposal", "withdraw the offer to Initech",
        "the quote for Hooli is dead", "Stark passed on the proposal",
    )  # fmt: skip
    checks: ClassVar[tuple[str, ...]] = (
        "Wayne declined our quote", "Umbrella said no to the proposal", "set the offer to Globex to declined", "Tyrell turned our offer down",
        "the proposal to Acme was refused",
    )  # fmt: skip
    not_mine: ClassVar[tuple[str, ...]] = (
        "Acme accepted the proposal", "reject 2.1", "decline the meeting with Globex", "which proposals are open", "cancel the invoice to Stark",
    )  # fmt: skip
    patterns: ClassVar[tuple[str, ...]] = (
        "{client} declined", "{client} declined the offer", "{client} declined the proposal", "{client} declined the quote",
        "{client} rejected the offer", "{client} rejected the proposal", "{client} rejected the quote", "{client} turned down the offer",
        "{client} turned down the proposal", "{client} said no to the proposal", "{client} said no to the offer", "{client} said no to the quote",
    )  # fmt: skip
    asks: ClassVar[Mapping[str, str]] = {"client": "Whose offer was turned down?"}

    client: ClientName


class Paperwork(Agent):
    """Finds what was written, and sends it once more."""

    intents = (ResendInvoice, ShowInvoice, Offers, DeclineOffer)
    proposes = ("books.write", "mail.send")

    @with_edits
    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Answer from the books, or propose the mail that carries a copy."""
        match task.intent:
            case ResendInvoice() as wish:
                return await _resent(wish, task, desk)
            case ShowInvoice() as wish:
                return _shown(wish, task, desk)
            case Offers() as wish:
                return _offers(wish, task, desk)
            case DeclineOffer() as wish:
                return _declined(wish, task, desk)
        raise NotImplementedError(f"paperwork does not know {task.intent.id()!r}")


# ── once more ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _resent(wish: ResendInvoice, task: Task, desk: Desk) -> Proposal:
    invoice = _the_one(wish, task, desk)
    if isinstance(invoice, Proposal):
        return invoice
    client = desk.record("client", str(invoice.data["client"]))
    whose = _not_theirs(wish, invoice, task, desk)
    if whose is not None:
        return whose
    if invoice.data["status"] == "cancelled":
        note = invoice.data.get("credit_note")
        return Proposal(
            problem=f"{invoice.key} is cancelled{f' by {note}' if note else ''}, so no copy of it goes out. To bill again: "
            f"invoice {invoice.data['client_name']} {invoice.data['net']} for {invoice.data['text']}"
        )
    pdf = invoice.data.get("pdf")
    if not pdf:
        return Proposal(problem=f"The paper of {invoice.key} is not kept here, so there is nothing to send again.")
    if client is None:
        return Proposal(
            problem=f"{invoice.data['client_name']} is no longer on the books, so nobody can be written to."
        )
    if not (to := str(wish.email or address(client))):
        return no_address(client)
    text, worded = await worded_as_asked(
        desk, task, body(desk, contact(client), _copy_paragraphs(desk, invoice), client.key)
    )
    copies = [*(invoice.data.get("copies") or []), {"day": local_day(desk).isoformat(), "to": to}]
    status = "sent" if invoice.data["status"] == "issued" else invoice.data["status"]
    mail = letter(
        to=[to],
        subject=f"Invoice {invoice.key} from {desk.company['name']}: a copy",
        text=text,
        client=client,
        attachments=[pdf],
        writes=(Write(kind="invoice", key=invoice.key, data={**invoice.data, "status": status, "copies": copies}),),
        needs=pinned(invoice),
    )
    reasons = [f"The paper of {day_words(invoice.data['issued'])}, under its own number; nothing is issued again."]
    if wish.email and wish.email.casefold() != address(client).casefold():
        reasons.append(
            f"To {wish.email} as you said; {named(client)}'s own address is {address(client) or 'not known'}."
        )
    return Proposal(
        calls=(mail,),
        results={"invoice": invoice.key, "client": client.key},
        reasons=(*reasons, *worded),
        sources=cited(client, invoice),
        files=(attached(pdf),),
    )


def _copy_paragraphs(desk: Desk, invoice: Record) -> tuple[str, ...]:
    left, currency = bill.outstanding(invoice)
    total = amount_words(invoice.data["total"])
    first = f"here is invoice {invoice.key} for {invoice.data['text']} once more: {total}, due on {day_words(invoice.data['due'])}."
    if invoice.data["status"] not in bill.OPEN or not left:
        return (first, "This copy is for your files; there is nothing left to pay on it.")
    iban = desk.company.get("iban")
    how = f"transfer it to {iban}, quoting {invoice.key}" if iban else f"quote {invoice.key} with your payment"
    part = (
        f"{amount_words(money(left, currency))} of it is still open. "
        if money(left, currency) != invoice.data["total"]
        else ""
    )
    return (first, f"{part}Please {how}; if it is already on its way, thank you.")


def _not_theirs(wish: ResendInvoice, invoice: Record, task: Task, desk: Desk) -> Proposal | None:
    """One client's invoice goes to another only by an address that the operator typed."""
    if not (wish.client and wish.number):
        return None
    client = the_client(wish.client, task, desk)
    if isinstance(client, Proposal):
        return client
    if client.key == invoice.data["client"]:
        return None
    owner = invoice.data["client_name"]
    return Proposal(
        ask=f"{invoice.key} is {owner}'s invoice, and {named(client)} is somebody else. Whom shall I send it to?",
        choices=(Choice(label=f"To {owner}", text=f"resend {invoice.key}"),),
    )


def _the_one(wish: ResendInvoice, task: Task, desk: Desk) -> Record | Proposal:
    """Return the invoice that is meant: by number, or the one that fits client, time and sum; else ask which."""
    if wish.number:
        return desk.record("invoice", wish.number) or unknown_number(wish.number, desk)
    found = _known(wish.client, wish.period, task, desk)
    if isinstance(found, Proposal):
        return found
    found = [each for each in found if each.data["status"] != "cancelled"]
    if wish.amount and (fitting := [each for each in found if wish.amount.amount in _sums(each)]):
        found = fitting
    if not found:
        return Proposal(problem="There is no invoice that could be sent again. 'invoices' lists what there is.")
    if len(found) == 1 or (_LAST.search(task.text) and (wish.client or len(found) > 0)):
        return found[0]
    still = [each for each in found if each.data["status"] in bill.OPEN]
    if len(still) == 1 and wish.client:
        return still[0]
    return Proposal(
        ask="Which invoice shall I send again?",
        choices=tuple(Choice(label=_label(each), text=f"resend {each.key}") for each in found[:CHOICES_MAX]),
    )


def _sums(invoice: Record) -> set[Decimal]:
    return {parse_money(invoice.data[name])[0] for name in ("net", "total")}


# ── shown ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _known(said: str | None, period: Period | None, task: Task, desk: Desk) -> list[Record] | Proposal:
    """Return the invoices of a client and a time, the newest first."""
    where: dict[str, Json] = {}
    if said:
        client = the_client(said, task, desk)
        if isinstance(client, Proposal):
            return client
        where = {"client": client.key}
    found = sorted(
        desk.records("invoice", **where), key=lambda each: (str(each.data["issued"]), each.key), reverse=True
    )
    if period:
        found = [each for each in found if period.first <= date.fromisoformat(each.data["issued"]) <= period.last]
    return found


def _shown(wish: ShowInvoice, task: Task, desk: Desk) -> Proposal:
    if wish.number:
        paper = desk.record("invoice", wish.number) or desk.record("credit", wish.number)
        return unknown_number(wish.number, desk) if paper is None else _one(paper, desk)
    found = _known(wish.client, wish.period, task, desk)
    if isinstance(found, Proposal):
        return found
    state = _STATE.search(task.text)
    if state:
        found = [each for each in found if each.data["status"] == state[1].casefold()]
    which = f"{state[1].casefold()} " if state else ""
    where = _where(wish.client, wish.period, found)
    if not found:
        return Proposal(say=f"There is no {which}invoice{where}.")
    if len(found) == 1 or _LAST.search(task.text):
        return _one(found[0], desk)
    still = [each for each in found if each.data["status"] in bill.OPEN]
    if wish.client and not wish.period and not _ALL.search(task.text) and len(still) == 1:
        return _one(still[0], desk)
    rows = [
        f"{len(found)} {which}invoices{where}, {_total(found)}:",
        *(f"- {_row(each, desk)}" for each in found[:LISTED_MAX]),
    ]
    if len(found) > LISTED_MAX:
        rows.append("The list is cut; name a client or a month to see fewer.")
    return Proposal(
        say="\n".join(rows), results={"invoices": [each.key for each in found]}, sources=cited(*found[:LISTED_MAX])
    )


def _where(client: str | None, period: Period | None, found: Sequence[Record]) -> str:
    who = f" to {found[0].data['client_name'] if found else client}" if client else ""
    when = f" from {day_words(period.first)} to {day_words(period.last)}" if period else ""
    return who + when


def _total(found: Sequence[Record]) -> str:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for amount, currency in (parse_money(each.data["total"]) for each in found):
        sums[currency] += amount
    return total_words(sums)


def _label(invoice: Record) -> str:
    return f"{invoice.key} · {invoice.data['client_name']} · {amount_words(invoice.data['total'])}"


def _row(invoice: Record, desk: Desk) -> str:
    return f"{_label(invoice)} · {invoice.data['text']} · {_standing(invoice, desk)}"


def _standing(invoice: Record, desk: Desk) -> str:
    """Return how it stands in a few words: ``"7 days late"``, ``"paid on 2 March 2026"``."""
    status = str(invoice.data["status"])
    if status not in bill.OPEN:
        on = f" on {day_words(invoice.data['paid_on'])}" if invoice.data.get("paid_on") else ""
        return status.replace("_", " ") + on
    left, currency = bill.outstanding(invoice)
    late = (local_day(desk) - date.fromisoformat(invoice.data["due"])).days
    when = f"{late} {'day' if late == 1 else 'days'} late" if late > 0 else f"due on {day_words(invoice.data['due'])}"
    part = f"{amount_words(money(left, currency))} left, " if status == "partly_paid" else ""
    return part + when


def _one(paper: Record, desk: Desk) -> Proposal:
    """Show one paper with everything an operator asks about it, and the paper itself."""
    is_credit = paper.kind == "credit"
    data = paper.data
    rows = [f"{'Credit note' if is_credit else 'Invoice'} {_label(paper)}", f"For: {data['text']}"]
    if is_credit:
        rows.append(f"Issued on {day_words(data['issued'])}, takes back {data['invoice']}")
    else:
        due = f", due on {day_words(data['due'])}" if not (how := _standing(paper, desk)).startswith("due") else ""
        rows.append(f"Issued on {day_words(data['issued'])}{due}, {how}")
        rows.append(_sent(data))
    if reminders := data.get("reminders"):
        rows.append(
            f"Reminded {len(reminders)} {'time' if len(reminders) == 1 else 'times'}, last on {day_words(reminders[-1]['day'])}"
        )
    pdf = data.get("pdf")
    choices = (
        []
        if is_credit or data["status"] == "cancelled"
        else [Choice(label="Send it again", text=f"resend {paper.key}")]
    )
    if not is_credit and data["status"] in bill.OPEN and date.fromisoformat(data["due"]) < local_day(desk):
        choices.append(Choice(label="Remind them", text=f"remind {data['client_name']} about {paper.key}"))
    return Proposal(
        say="\n".join(rows),
        choices=tuple(choices),
        files=(attached(pdf),) if pdf else (),
        results={"invoice": paper.key},
        sources=cited(paper),
    )


def _sent(data: Mapping[str, Json]) -> str:
    copies = [f"a copy on {day_words(each['day'])} to {each['to']}" for each in data.get("copies") or ()]
    first = f"Mailed to {data['sent_to']}" if data.get("sent_to") else "Not mailed yet" if not copies else "Mailed"
    return ", ".join([first, *copies])


# ── offers ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _offers(wish: Offers, task: Task, desk: Desk) -> Proposal:
    where: dict[str, Json] = {}
    if wish.client:
        client = the_client(wish.client, task, desk)
        if isinstance(client, Proposal):
            return client
        where = {"client": client.key}
    found = sorted(
        desk.records("proposal", **where), key=lambda each: (str(each.data.get("sent", "")), each.key), reverse=True
    )
    waiting = [each for each in found if each.data.get("status") == "sent"]
    if _WAITING.search(task.text):
        found = waiting
    if not found:
        return Proposal(
            say=f"No offer{' of that kind' if waiting else ''} is on the books{' for them' if wish.client else ''}."
        )
    rows = [f"{len(found)} offer{'' if len(found) == 1 else 's'}, {len(waiting)} without an answer:"]
    rows += [f"- {_offer(each, desk)}" for each in found[:LISTED_MAX]]
    names = {each.key: _client_name(each, desk) for each in waiting[:2]}
    choices = tuple(
        Choice(label=f"Ask {name}", text=f"follow up with {name} on the proposal")
        for name in dict.fromkeys(names.values())
    )
    return Proposal(
        say="\n".join(rows),
        choices=choices,
        results={"offers": [each.key for each in found]},
        sources=cited(*found[:LISTED_MAX]),
    )


def _client_name(offer: Record, desk: Desk) -> str:
    client = desk.record("client", str(offer.data.get("client")))
    return named(client) if client else str(offer.data.get("client"))


def _offer(offer: Record, desk: Desk) -> str:
    data = offer.data
    parts = [
        _client_name(offer, desk),
        str(data["text"]),
        amount_words(data["amount"]) if data.get("amount") else "no price",
    ]
    if data.get("sent"):
        parts.append(f"sent on {day_words(data['sent'])}")
    status = str(data.get("status") or "sent")
    until = str(data.get("valid_until") or "")
    if status != "sent":
        parts.append(status)
    elif until:
        over = date.fromisoformat(until) < local_day(desk)
        parts.append(f"{'ran out on' if over else 'stands until'} {day_words(until)}")
    return " · ".join(parts)


def _declined(wish: DeclineOffer, task: Task, desk: Desk) -> Proposal:
    client = the_client(wish.client, task, desk)
    if isinstance(client, Proposal):
        return client
    found = [each for each in desk.records("proposal", client=client.key) if each.data.get("status") == "sent"]
    about = [each for each in found if str(each.data["text"]).casefold() in task.text.casefold()]
    found = about or found
    if not found:
        return Proposal(problem=f"No offer to {named(client)} waits for an answer. 'offers' lists them.")
    if len(found) > 1:
        return Proposal(
            ask=f"Which offer did {named(client)} turn down?",
            choices=tuple(
                Choice(label=_offer(each, desk), text=f"/decline_offer {named(client)} declined {each.data['text']}")
                for each in found[:CHOICES_MAX]
            ),
        )
    [offer] = found
    summary = f"{named(client)} declined: {offer.data['text']}"
    call = ActionCall(
        name="books.write",
        args={"summary": summary, "fields": {"Client": named(client), "Offer": str(offer.data["text"])}},
        writes=(Write(kind="proposal", key=offer.key, data={**offer.data, "status": "declined"}),),
        needs=pinned(offer),
        client=client.key,
    )
    return Proposal(calls=(call,), results={"proposal": offer.key}, sources=cited(client, offer))
