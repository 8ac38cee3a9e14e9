"""An invoice or credit note, from the operator's words to the calls that issue and mail it.

Amounts come from the words or from records, never from a model. What was assumed stands in the reasons on the card, and
what cannot be known is asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Protocol

from agents import bill
from agents.base import (
    ActionCall,
    Choice,
    Desk,
    Proposal,
    Record,
    Task,
    Write,
    local_day,
    local_now,
    parse_money,
    smallest,
)
from agents.bill import Bill, Line
from agents.directory import address, cited, contact, first_written, look_up, named, newcomer, whom
from agents.letter import (
    amount_words,
    attached,
    body,
    day_words,
    letter,
    pinned,
    polish,
    topic,
)
from agents.slots import Money, Terms
from agents.slots.grammar import find_spans
from agents.slots.slot import Slot
from agents.vat import ZERO_TAX, Vat, rate, vat_of
from connectors.base import ConnectorError, Receipt
from memory.events import Json

TERMS_DEFAULT = Terms(days=14)
_PRODUCT = re.compile(r"([\d.]+) x ([\d.]+) = ")  # how the grammar says that a price was multiplied
_KIND = re.compile(r"\b(?:reverse[ -]charge|intra-community)\b|\bexport(?=,|\.|$)|\bvat[ -]exempt\b", re.IGNORECASE)
_FOR = re.compile(
    r"\bfor (?:the |our |my |a |an )?(.+?)"
    r"\s*(?:[,;]|\.(?:\s|$)|$|\bnet \d|\bdue\b|\bpayable\b|\bincl|\bexcl|\bplus\b|\bterms\b)",
    re.IGNORECASE,
)


class Order(Protocol):
    """What an invoice is asked to be; whatever is None or empty is looked up, and said so."""

    @property
    def client(self) -> str:
        """As the operator wrote it."""

    @property
    def amount(self) -> Money | None:
        """Before VAT, unless the words say otherwise."""

    @property
    def what(self) -> str:
        """What it is for; ``{month}`` stands for the month of issue."""

    @property
    def terms(self) -> Terms | None:
        """When it falls due, as a rule."""

    @property
    def due(self) -> date | None:
        """When it falls due, as a day."""

    @property
    def vat(self) -> str:
        """Which tax, where the operator decided on the card: a rate, or why none."""

    @property
    def email(self) -> str | None:
        """Where it goes, for a client nobody knows yet."""


async def draw_up(order: Order, task: Task, desk: Desk) -> Proposal:
    """Propose an invoice and the mail it goes out with, or ask for what is missing."""
    said = str(order.client)
    match = look_up(desk, said)
    if match.record is None and (match.nearby or not order.email):
        return whom(task, said, match.nearby)
    client = match.record or newcomer(said, str(order.email), desk, status="active")
    if not (to := address(client)):
        return Proposal(
            ask=f"I have no e-mail address for {named(client)}. Where does the invoice go? "
            f"Say: update {named(client)} email billing@their-domain"
        )
    worked = _bill(order, task, desk, client)
    if isinstance(worked, Proposal):
        return worked
    made, reasons = worked
    number = desk.next_number(f"invoice:{made.issued.year}")
    drawn = await _drawn(desk, made, number, "invoice", client)
    if isinstance(drawn, Proposal):
        return drawn
    pdf = drawn.data["pdf"]
    record = made.record(number, named(client), pdf)
    noted = _remembered(client, made.vat)
    issue = ActionCall(
        name="books.issue",
        args=_issue_args(made, number, "invoice", named(client), pdf),
        writes=(*noted, Write(kind="invoice", key=number, data=record)),
        entries=bill.entries(client.key, made.net, made.tax, made.currency, note=f"invoice {number}"),
        needs={f"client:{client.key}": client.version, f"number:invoice:{number}": 0},
        client=client.key,
    )
    text, worded = await worded_as_asked(
        desk, task, body(desk, contact(client), _invoice_paragraphs(desk, made, number), client.key)
    )
    mail = letter(
        to=[to],
        subject=f"Invoice {number} from {desk.company['name']}",
        text=text,
        # What the first call writes has another version afterwards, so the mail cannot pin it.
        client=None if noted else client,
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


def _bill(order: Order, task: Task, desk: Desk, client: Record) -> tuple[Bill, tuple[str, ...]] | Proposal:
    """Work out the amounts, or ask; every assumption is in the reasons."""
    reasons: list[str] = []
    issued = local_day(desk)
    asked = asked_amount(order.amount, desk, client, reasons)
    if asked is None:
        return Proposal(ask=f"How much shall I invoice {named(client)}, before VAT?")
    if asked.amount <= 0:
        return Proposal(ask=f"{asked} is nothing to invoice. How much is it, before VAT?")
    text = _what(order, task, desk, client, reasons)
    spoken = _spoken(f"{task.guidance}\n{task.text}", desk)
    said = next((str(slot.value) for slot in spoken if slot.kind == "vat"), "")
    vat = _vat(order.vat or _tax_in(task) or _charged(said, client), task, desk, client, asked.currency)
    if isinstance(vat, Proposal):
        return vat
    if said == "none" and vat.pct and not order.vat:
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
        noted = f" I note it for {named(client)}." if vat.remember else ""
        reasons.append(vat.because + noted)
    due = _due(order, desk, client, issued, reasons)
    return Bill(client.key, lines, asked.currency, vat, issued, due), tuple(reasons)


def asked_amount(said: Money | None, desk: Desk, client: Record, reasons: list[str]) -> Money | None:
    """Return an amount with its currency, or the client's retainer where none was said; None when there is neither."""
    if said is None and (retainer := client.data.get("retainer")):
        reasons.append(f"Amount from {named(client)}'s retainer.")
        return Money.read(retainer)
    if said is None or said.currency:
        return said
    currency = str(client.data.get("currency") or desk.company.get("currency") or "EUR")
    whose = f"{named(client)}'s" if client.data.get("currency") else "the company's"
    reasons.append(f"{currency}, {whose} currency, as none was named.")
    return said.in_currency(currency)


def _what(order: Order, task: Task, desk: Desk, client: Record, reasons: list[str]) -> str:
    month = f"{local_now(desk):%B %Y}"
    said = topic(order.what.replace("{month}", month))
    if any(slot.kind == "money" and slot.text.strip() == said for slot in _spoken(said, desk)):
        said = ""  # "for 3 days at 800" is a price and no purpose
    if not said:
        names = {named(client).casefold(), str(order.client).casefold(), client.key}
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


def _tax_in(task: Task) -> str:
    """Return why there is no tax, where the operator's words say it; the newest words first."""
    for words in (task.guidance, task.text):
        if found := _KIND.search(words):
            return found[0]
    return ""


def _charged(said: str, client: Record) -> str:
    """``plus VAT`` decides where we would only guess; what stands on the record it does not overrule."""
    return "standard" if said in {"plus", "included"} and not client.data.get("vat") else ""


def _vat(said: str, task: Task, desk: Desk, client: Record, currency: str) -> Vat | Proposal:
    try:
        found = vat_of(desk, client, currency, said)
    except ValueError as error:
        return Proposal(ask=str(error))
    if isinstance(found, Vat):
        return found
    pct = f"{rate(desk).normalize():f} % VAT"
    again = f"{task.text.rstrip(' .')}, plus VAT" if task.text else f"update {named(client)} vat standard"
    return Proposal(ask=found.question, choices=(Choice(label=f"Charge {pct}", text=again),))


def _why_no_vat(client: Record) -> Proposal:
    name = named(client)
    return Proposal(
        ask=f"Why does {name} pay no VAT? The invoice has to say it. Note it once, then ask me again.",
        choices=tuple(Choice(label=f"{kind.capitalize()}", text=f"update {name} vat {kind}") for kind in ZERO_TAX),
    )


def _due(order: Order, desk: Desk, client: Record, issued: date, reasons: list[str]) -> date:
    if order.due or order.terms:
        return max(order.due, issued) if order.due else (order.terms or TERMS_DEFAULT).due(issued)
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
            zero_tax_reason=made.vat.note,
            locale=str(client.data.get("language") or desk.company.get("locale") or "en"),
            **more,
        )
    except (ConnectorError, PermissionError) as error:
        return Proposal(problem=f"The {kind} could not be drawn, so nothing was prepared. {error}")
    drawn, _ = parse_money(str(receipt.data["total"]))
    if drawn != made.gross:
        return Proposal(
            problem=f"The {kind} would say {drawn} {made.currency}, the books {made.gross}; nothing was prepared."
        )
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


def _remembered(client: Record, vat: Vat) -> tuple[Write, ...]:
    """Put a newcomer on the books; note a tax that the operator chose for this client."""
    if not vat.remember:
        return first_written(client)
    return (Write(kind="client", key=client.key, data={**client.data, "vat": vat.kind}),)


def _twice(desk: Desk, client: str, made: Bill) -> tuple[str, ...]:
    same = [
        record.key
        for record in desk.records("invoice", client=client, net=made.money(made.net), text=made.lines[0].text)
        if record.data["status"] != "cancelled"
    ]
    return (f"Look twice: {', '.join(same)} already bills the same amount for the same thing.",) if same else ()


async def credited(
    invoice: Record,
    task: Task,
    desk: Desk,
    *,
    status: str,
    paid: Decimal = Decimal(0),
    owed: Decimal = Decimal(0),
    more: tuple[ActionCall, ...] = (),
) -> Proposal:
    """Propose the credit note over a whole invoice, its mail, and what belongs to it.

    Args:
        invoice: Which it takes back.
        task: Of the operator.
        desk: Where it is written.
        status: Of the invoice from then on.
        paid: What came in on it and goes back to the client.
        owed: As much of it as the operator gives back by hand.
        more: The calls that give the rest back.
    """
    client = desk.record("client", str(invoice.data["client"]))
    if client is None or not (to := address(client)):
        who = invoice.data["client_name"]
        return Proposal(
            ask=f"I have no e-mail address for {who}. Where does the credit note go? Say: update {who} email …"
        )
    made = _bill_of(invoice, local_day(desk))
    number = desk.next_number(f"credit:{made.issued.year}")
    drawn = await _drawn(
        desk, made, number, "credit note", client, refers_to=invoice.key, refers_date=invoice.data["issued"]
    )
    if isinstance(drawn, Proposal):
        return drawn
    pdf = drawn.data["pdf"]
    note = {
        **made.record(number, named(client), pdf), "invoice": invoice.key, "due": "", "status": "issued",
        **({"owed": made.money(owed)} if owed else {}),
    }  # fmt: skip
    issue = ActionCall(
        name="books.issue",
        args={**_issue_args(made, number, "credit note", named(client), pdf), "due": ""},
        writes=(
            Write(kind="credit", key=number, data=note),
            Write(kind="invoice", key=invoice.key, data={**invoice.data, "status": status, "credit_note": number}),
        ),
        entries=bill.entries(
            client.key, made.net, made.tax, made.currency, sign=-1, paid=paid, note=f"{number} for {invoice.key}"
        ),
        needs={**pinned(client, invoice), f"number:credit:{number}": 0},
        client=client.key,
    )
    total = amount_words(made.money(made.gross))
    paragraphs = (
        f"please find attached credit note {number} over {total}. It takes back invoice {invoice.key} in full.",
        f"You will receive back the {amount_words(made.money(paid))} that you have paid."
        if paid
        else "There is nothing left for you to pay on it.",
    )
    text, worded = await worded_as_asked(desk, task, body(desk, contact(client), paragraphs, client.key))
    mail = letter(
        to=[to], subject=f"Credit note {number} for invoice {invoice.key}", text=text, client=client, attachments=[pdf]
    )
    by_hand = (
        f"{amount_words(made.money(owed))} of it came by bank transfer, which I cannot send: transfer it back by hand, "
        f"then say: {number} is paid"
    )
    return Proposal(
        calls=(issue, *more, mail),
        results={"credit_note": number, "invoice": invoice.key, "client": client.key},
        reasons=(
            f"Invoice {invoice.key} was issued on {day_words(invoice.data['issued'])} over {total}.",
            *([by_hand] if owed else []),
            *worded,
        ),
        sources=cited(client, invoice),
        files=(attached(pdf),),
    )


def _bill_of(invoice: Record, issued: date) -> Bill:
    """Return what an invoice in our books was worked out from, dated anew."""
    currency = str(invoice.data["currency"])
    vat = Vat(
        Decimal(invoice.data["tax_pct"]),
        str(invoice.data.get("tax_kind") or "standard"),
        unit=smallest(currency),
        law=str(invoice.data.get("tax_note") or ""),
    )
    lines = tuple(_line(row) for row in invoice.data["lines"])
    return Bill(str(invoice.data["client"]), lines, currency, vat, issued, issued)


async def worded_as_asked(desk: Desk, task: Task, text: str) -> tuple[str, tuple[str, ...]]:
    """Money letters keep their template unless the operator asked for other words: a model costs, and adds nothing."""
    return await polish(desk, "billing", text, guidance=task.guidance) if task.guidance else (text, ())
