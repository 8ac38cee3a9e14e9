"""What clients owe: the open invoices, money that came in, and reminders that grow firmer.

An invoice is found by number, or by client and amount; when more than one fits, the operator is asked.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

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
    money,
    parse_money,
    smallest,
)  # fmt: skip
from agents.directory import address, cited, contact, look_up, named, whom
from agents.invoicing import worded_as_asked
from agents.letter import (
    amount_words,
    attached,
    body,
    day_words,
    letter,
    pinned,
    total_words,
)
from agents.slots import Money
from memory.events import Entry, Json

REMINDERS_AT_ONCE_MAX = 10  # mails on one card: more cannot be read before a button is pressed
LISTED_MAX = 30  # invoices in one answer
REMIND_AGAIN_DAYS = 7  # sooner than this after the last reminder is worth a word on the card
_ANYWAY = re.compile(r"\banyway\b|\bearly\b|\bnonetheless\b", re.IGNORECASE)
_PART = re.compile(
    r"\b(?:half|a third|two thirds|a quarter|part(?:ly|ial(?:ly)?)?|some of|most of|a deposit|an? instal?lment|\d+ ?%)(?!\w)",
    re.IGNORECASE,
)
SHARES = {"half": Decimal(1) / 2, "two thirds": Decimal(2) / 3, "a third": Decimal(1) / 3, "a quarter": Decimal(1) / 4}
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
        "invoice {number} was due on {due}. {count} reminders have gone unanswered and {left} is still open.",
        "Please pay by {by}. After that day I will have to take further steps, which I would rather avoid.",
    ),
}
COUNTS = {2: "Two", 3: "Three", 4: "Four", 5: "Five"}
GRACE_DAYS = 7  # what a firm or last reminder gives


def unpaid(client: str | None, task: Task, desk: Desk) -> Proposal:
    """Answer what is open, overdue first, with sums by currency."""
    where: dict[str, Json] = {}
    if client:
        match = look_up(desk, client)
        if match.record is None:
            return whom(task, client, match.nearby)
        where = {"client": match.record.key}
    today = local_day(desk)
    opened = sorted(_open(desk, **where), key=lambda record: record.data["due"])
    whose = f" by {named(match.record)}" if client and match.record else ""
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


def standing(number: str, desk: Desk) -> Proposal:
    """Answer how one invoice stands, with its paper."""
    found = desk.record("invoice", number)
    if found is None:
        return unknown_number(number, desk)
    left, currency = bill.outstanding(found)
    status = str(found.data["status"])
    on = f" on {day_words(found.data['paid_on'])}" if found.data.get("paid_on") else ""
    how = _row(found, local_day(desk)).removeprefix("- ") if status in bill.OPEN else ""
    total = f"{found.key} · {found.data['client_name']} · {amount_words(found.data['total'])}"
    said = f"Still to be paid: {how}" if how and left else f"{total} · {status.replace('_', ' ')}{on}"
    pdf = found.data.get("pdf")
    return Proposal(
        say=said,
        files=(attached(pdf),) if pdf else (),
        results={"invoice": found.key, "left": money(left, currency)},
        sources=cited(found),
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


def settle(
    number: str | None, client: str | None, amount: Money | None, task: Task, desk: Desk, *, day: date | None = None
) -> Proposal:
    """Propose to note a payment, whole or in part, as of a day or today."""
    if number and (note := desk.record("credit", number)):
        return _given_back(note, amount, day or local_day(desk))
    found = meant(number, client, amount, task, desk)
    if isinstance(found, Proposal):
        return found
    left, currency = bill.outstanding(found)
    if not left:
        return not_open(found)
    if amount is None and (said := _PART.search(task.text)):
        return _which_part(said[0], found, left, currency)
    paid = amount.in_currency(currency) if amount else Money(left, currency)
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
    today = local_day(desk)
    charge = _charge(task) if task.item_kind.startswith("stripe.") else ""
    return _payment(found, paid, day or today, left, charge)


def _which_part(said: str, invoice: Record, left: Decimal, currency: str) -> Proposal:
    """A part was named and no sum: ask, with the sum that the word would come to."""
    total, _ = parse_money(str(invoice.data["total"]))
    share = next((share for word, share in SHARES.items() if word in said.casefold()), None)
    sums = [left] if share is None else [(total * share).quantize(smallest(currency)), left]
    name = invoice.data["client_name"]
    return Proposal(
        ask=f"How much of {invoice.key} was paid? {amount_words(money(left, currency))} is open.",
        choices=tuple(
            Choice(
                label=amount_words(money(each, currency)), text=f"{name} paid {money(each, currency)} on {invoice.key}"
            )
            for each in dict.fromkeys(each for each in sums if 0 < each <= left)
        ),
    )


def _charge(task: Task) -> str:
    """Return Stripe's id of the payment, by which it can be given back."""
    current = (task.item or {}).get("current")
    held = current if isinstance(current, dict) else {}
    charge = held.get("latest_charge") or held.get("id")
    found = charge.get("id") if isinstance(charge, dict) else charge  # an object where the account has it expanded
    return found if isinstance(found, str) else ""


def _payment(invoice: Record, paid: Money, day: date, left: Decimal, charge: str) -> Proposal:
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
    receipt = {"invoice": invoice.key, "client": client, "amount": str(paid), "day": day.isoformat()}
    receipt |= {"by": "stripe", "charge": charge} if charge else {"by": "bank"}
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
        entries=two_entries("assets:bank", f"assets:receivable:{client}", paid, summary),
        needs={f"invoice:{invoice.key}": invoice.version, f"payment:{key}": 0},
        client=client,
    )
    reasons = (f"{amount_words(money(left, currency))} was open on {invoice.key}.",)
    results = {"invoice": invoice.key, "client": client, "paid": str(paid), "left": rest}
    return Proposal(calls=(call,), results=results, reasons=reasons, sources=cited(invoice))


def _given_back(note: Record, amount: Money | None, day: date) -> Proposal:
    """Propose to note that the operator gave the money of a credit note back by hand."""
    owed, currency = parse_money(note.data.get("owed") or money(Decimal(0), str(note.data["currency"])))
    client, name = str(note.data["client"]), str(note.data["client_name"])
    if not owed:
        return Proposal(problem=f"Nothing is to be given back by hand on {note.key} to {name}.")
    sum_ = Money(owed, currency)
    if amount and amount.in_currency(currency) != sum_:
        return Proposal(ask=f"{amount_words(str(sum_))} is to be given back on {note.key}. Was it all of that?",
                        choices=(Choice(label=f"All of {sum_}", text=f"{note.key} is paid"),))  # fmt: skip
    summary = f"{name} got {amount_words(str(sum_))} back on {note.key}"
    key = f"{note.data['invoice']}-by-hand"
    data: dict[str, Json] = {
        "invoice": note.data["invoice"], "client": client, "amount": money(-owed, currency), "day": day.isoformat(), "by": "bank",
    }  # fmt: skip
    call = ActionCall(
        name="books.write",
        args={
            "summary": summary,
            "fields": {"Credit note": note.key, "Client": name, "Given back": str(sum_), "On": day_words(day)},
        },
        writes=(
            Write(kind="credit", key=note.key, data={**note.data, "owed": money(Decimal(0), currency)}),
            Write(kind="payment", key=key, data=data),
        ),
        entries=two_entries(bill.refunds(client), "assets:bank", sum_, summary),
        needs={f"credit:{note.key}": note.version, f"payment:{key}": 0},
        client=client,
    )
    return Proposal(calls=(call,), results={"credit_note": note.key, "client": client}, sources=cited(note))


def meant(number: str | None, client: str | None, amount: Money | None, task: Task, desk: Desk) -> Record | Proposal:
    """Return the one open invoice that is meant, or the question that finds it."""
    if number:
        return desk.record("invoice", number) or unknown_number(number, desk)
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
    match task.intent.id():
        case "mark_paid":
            return f"{name} paid{paid} {record.key}"
        case "cancel_invoice":
            return f"cancel {record.key}"
        case "payment_link":
            return f"payment link for {record.key}"
        case _:
            return f"remind {name} about {record.key}"


def _fits(record: Record, amount: Money) -> bool:
    left, currency = bill.outstanding(record)
    return amount.amount == left and amount.currency in {"", currency}


def unknown_number(number: str, desk: Desk) -> Proposal:
    """Say that there is no such invoice, and which one may be meant."""
    near = [record.key for record in desk.records("invoice") if record.key.endswith(number.rpartition("-")[2])]
    hint = f" Did you mean {near[0]}?" if near else ""
    return Proposal(problem=f"There is no invoice {number}.{hint} 'what's unpaid' lists the open ones.")


def not_open(invoice: Record) -> Proposal:
    """Say why nothing can be paid on an invoice."""
    status = str(invoice.data["status"]).replace("_", " ")
    on = f" since {day_words(invoice.data['paid_on'])}" if invoice.data.get("paid_on") else ""
    return Proposal(
        problem=f"Invoice {invoice.key} to {invoice.data['client_name']} is {status}{on}; nothing is open on it."
    )


def two_entries(debit: str, credit: str, sum_: Money, note: str) -> tuple[Entry, ...]:
    """Return a sum moved from one account to another."""
    back = Money(-sum_.amount, sum_.currency)
    return (
        Entry(account=debit, amount=str(sum_), note=note),
        Entry(account=credit, amount=str(back), note=note),
    )


async def remind(number: str | None, client: str | None, task: Task, desk: Desk) -> Proposal:
    """Propose reminders for one invoice, one client, or everything that is overdue."""
    today = local_day(desk)
    late = [record for record in _open(desk) if date.fromisoformat(record.data["due"]) < today]
    if number or client:
        found = _debts(number, client, task, desk, today)
        if isinstance(found, Proposal):
            return found
        late = found
    if not late:
        return Proposal(say="Nothing is overdue, so there is nobody to remind.")
    over = (
        []
        if _ANYWAY.search(task.text)
        else [each for each in late if len(each.data.get("reminders") or ()) >= len(STEPS)]
    )
    late = [each for each in late if each not in over]
    if not late:
        return _no_more(over)
    chosen = sorted(late, key=lambda record: record.data["due"])[:REMINDERS_AT_ONCE_MAX]
    calls: list[ActionCall] = []
    reasons = [f"{each.key} is left out: its last reminder has gone out." for each in over]
    for invoice in chosen:
        owner = desk.record("client", str(invoice.data["client"]))
        if owner is None or not address(owner):
            reasons.append(f"{invoice.key} is left out: no e-mail address for {invoice.data['client_name']}.")
            continue
        call, why = await _reminder(invoice, owner, task, desk, today)
        calls.append(call)
        reasons += why
    if not calls:
        return Proposal(problem=" ".join(reasons))
    if len(late) > len(chosen):
        reasons.append(f"{len(late) - len(chosen)} more are overdue; ask again once these are out.")
    return Proposal(calls=tuple(calls), reasons=tuple(reasons), sources=cited(*chosen))


def _no_more(over: Sequence[Record]) -> Proposal:
    """Ask before another mail says it is the last."""
    told = ", ".join(f"{each.key} on {day_words(each.data['reminders'][-1]['day'])}" for each in over)
    return Proposal(
        ask=f"The last reminder has gone out: {told}. What comes next is a formal notice, which I do not write. Send one more "
        "all the same?",
        choices=tuple(
            Choice(
                label=f"Remind {each.data['client_name']} again",
                text=f"remind {each.data['client_name']} about {each.key} anyway",
            )
            for each in over[:3]
        ),
    )


def _debts(number: str | None, said: str | None, task: Task, desk: Desk, today: date) -> list[Record] | Proposal:
    if number:
        found = desk.record("invoice", number)
        if found is None:
            return unknown_number(number, desk)
        mine = [found]
        if found.data["status"] not in bill.OPEN:
            return not_open(found)
    else:
        match = look_up(desk, said or "")
        if match.record is None:
            return whom(task, said or "", match.nearby)
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
            count=COUNTS.get(len(sent), f"{len(sent)}"),
        )
        for part in REMINDER[step]
    )
    came, _ = bill.received(invoice)
    thanks = f"Thank you for the {amount_words(money(came, currency))} that I have received." if came else ""
    iban = desk.company.get("iban")
    bank = f"My account is {iban}; please quote {invoice.key}." if iban else ""
    text, worded = await worded_as_asked(
        desk, task, body(desk, contact(client), (paragraphs[0], thanks, *paragraphs[1:], bank), client.key)
    )
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


def _invoices(count: int) -> str:
    return f"{count} invoice{'' if count == 1 else 's'}"
