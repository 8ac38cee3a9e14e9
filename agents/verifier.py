"""The verifier: a draft against records, words and rules, before anybody is asked. Pure, and it only warns.

Each warning is one sentence for the card. A draft is compared with what can be known: the books, the operator's own
words, the calls beside it. What it cannot place it names; it never corrects::

    check(proposal.calls, task, desk)  # → ("The mail names 900.00 EUR, which ...",)
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation

from agents.base import ActionCall, Desk, Record, Task, local_day, parse_money, smallest
from agents.directory import common_name, contact, named
from agents.letter import WEEKDAYS as WEEKDAY_NAMES
from agents.letter import day_words
from agents.mentions import amounts, days, hosts, marks, number, papers, quotes
from agents.tone import Manner, manner_of, strays
from memory.events import Json

WEEKDAYS = frozenset(WEEKDAY_NAMES.values())
NAME_MIN = 4  # letters of a name; shorter ones are words, too
DUE_DAYS_MAX = 366  # a later due date is a typing slip
POSTS = frozenset({"bluesky.post", "blog.publish"})
OF_POSTS = frozenset(
    {"exclamation", "emoji", "contraction", "word"}
)  # what is said of letters and holds for posts, too
TEXT_MAX = 20_000  # characters looked at

_AHEAD = re.compile(r"\b(?:by|until|before|no later than)\s*(?:\w+day,? )?(?:the )?$", re.IGNORECASE)
# ISO 13616, as it is printed; in small letters only where nothing else looks like it.
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:\s?[A-Z\d]{4}){2,7}(?:\s?[A-Z\d]{1,3})?\b|\b[a-z]{2}\d{13,32}\b")
_GREETING = re.compile(r"\A\s*(?:hello|hi|dear|hey)\s+([^\s,!.]+)", re.IGNORECASE)
_PROMISE = re.compile(
    r"\b(guarantee[sd]?|free of charge|at no cost|for free|discount|refund(?:ed)?|money back|compensat\w+|we promise"
    r"|i promise|no obligation|unlimited|within \d+ (?:minutes|hours)|\d{1,3}\s?% off)\b",
    re.IGNORECASE,
)
_BLANK = re.compile(
    r"\{\w+\}|\[(?:name|client|date|amount|your [^\]]*|insert [^\]]*)\]|\bTODO\b|\bXXX+\b|\blorem ipsum\b",
    re.IGNORECASE,
)
_DUE = re.compile(r"\bdue (?:on|by) (?:\w+day,? )?(?:the )?$", re.IGNORECASE)


def check(calls: Sequence[ActionCall], task: Task, desk: Desk) -> tuple[str, ...]:
    """Return what does not fit, one sentence each, the gravest first; empty when nothing was found."""
    found: list[str] = []
    for call in calls:
        if call.name == "books.issue":
            found += _issue(call, desk)
        if call.args.get("to"):
            found += _recipients(call, task, desk)
            found += _greeting(call, desk)
        if text := _text(call):
            found += _blanks(text)
            found += _amounts(text, calls, task, desk)
            found += _numbers(text, calls, task, desk)
            found += _dates(text, desk)
            found += _due_days(text, calls, desk)
            found += _names(text, call, task, desk)
            found += _promises(text, task)
            found += _citations(text, calls, task, desk)
            found += _links(text, task, desk)
            found += _accounts(text, call, task, desk)
        found += _files(call, desk)
        found += _tone(call, desk)
    return tuple(dict.fromkeys(found))


def _text(call: ActionCall) -> str:
    parts = [str(call.args[key]) for key in ("subject", "body", "text", "title") if isinstance(call.args.get(key), str)]
    return "\n".join(parts)[:TEXT_MAX] if not call.name.startswith("books.") else ""


def _tone(call: ActionCall, desk: Desk) -> tuple[str, ...]:
    if call.name == "mail.send":
        return strays(str(call.args.get("body") or ""), manner_of(desk, call.client))
    if call.name in POSTS:
        manner = manner_of(desk)
        return strays(_text(call), Manner(rules=tuple(rule for rule in manner.rules if rule.topic in OF_POSTS)))
    return ()


# ── papers ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _issue(call: ActionCall, desk: Desk) -> Iterator[str]:
    number = call.args.get("number")
    gross, currency = parse_money(str(call.args["amount"]))
    net, _ = parse_money(str(call.args["net"]))
    lines = sum((parse_money(str(row["total"]))[0] for row in call.args.get("lines") or ()), Decimal(0))
    tax = _tax(str(call.args.get("tax", "")))
    if abs(net + tax - gross) >= smallest(currency):
        yield f"{number}: net and tax do not add up to {gross} {currency}."
    if lines and abs(lines - net) >= smallest(currency):
        yield f"{number}: the lines add up to {lines} {currency}, the net is {net} {currency}."
    if gross <= 0:
        yield f"{number} is over {gross} {currency}."
    claims = [parse_money(e.amount)[0] for e in call.entries if e.account.startswith("assets:receivable")]
    if claims and abs(claims[0]) != gross:
        yield f"{number}: the ledger would say {abs(claims[0])} {currency}, the paper {gross} {currency}."
    if due := str(call.args.get("due") or ""):
        today = desk.now.astimezone(desk.zone).date()
        days = (date.fromisoformat(due) - today).days
        if days < 0:
            yield f"{number} would be due on {day_words(due)}, which has passed."
        if days > DUE_DAYS_MAX:
            yield f"{number} would be due only on {day_words(due)}."
    if not call.args.get("attachments"):
        yield f"{number} has no document."


def _tax(text: str) -> Decimal:
    try:
        return parse_money(text.rpartition("· ")[2])[0]
    except (InvalidOperation, ValueError):
        return Decimal(0)


# ── people ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _recipients(call: ActionCall, task: Task, desk: Desk) -> Iterator[str]:
    clients = desk.records("client")
    for address in _addresses(call):
        owners = [record for record in clients if address.casefold() in _their(record)]
        written = {str(w.data.get("email", "")).casefold() for w in call.writes if w.kind == "client"}
        if call.client and owners and all(owner.key != call.client for owner in owners):
            yield f"{address} belongs to {named(owners[0])}, but this is about {call.client}."
        elif not owners and address.casefold() not in task.text.casefold() and address.casefold() not in written:
            wrote = address.casefold() in _from(task)
            yield f"{address} is not on the books" + (", but wrote to us." if wrote else " and you did not name it.")


def _addresses(call: ActionCall) -> list[str]:
    return [str(each) for key in ("to", "cc", "bcc", "attendees") for each in call.args.get(key) or ()]


def _their(client: Record) -> set[str]:
    held = [client.data.get("email"), client.data.get("billing_email"), *(client.data.get("emails") or [])]
    return {str(each).casefold() for each in held if each}


def _from(task: Task) -> str:
    return str(task.item).casefold() if task.item else ""


def _greeting(call: ActionCall, desk: Desk) -> Iterator[str]:
    client = desk.record("client", call.client) if call.client else None
    said = _GREETING.match(str(call.args.get("body") or ""))
    if client is None or said is None or not contact(client):
        return
    name = said[1].casefold()
    if name not in {part.casefold() for part in contact(client).split()} | {"there", "all", "team", "everyone"}:
        yield f"The mail greets {said[1]}, but {named(client)}'s contact is {contact(client)}."


# ── words ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _blanks(text: str) -> Iterator[str]:
    for match in _BLANK.finditer(text):
        yield f"{match[0]!r} was left to be filled in."


def _amounts(text: str, calls: Sequence[ActionCall], task: Task, desk: Desk) -> Iterator[str]:
    named_here = list(amounts(text))
    if not named_here:
        return
    known = {pair for source in _known_texts(calls, task, desk) for pair in amounts(source)}
    bare = {value for source in (task.text, task.guidance) for value in _bare_numbers(source)}
    for value, currency in named_here:
        if (value, currency) not in known and value not in bare:
            yield f"It names {value:,} {currency}, which is in no record of this client and not in your words."


def _bare_numbers(text: str) -> Iterator[Decimal]:
    for match in re.finditer(r"\d[\d.,’']*\d|\d", text):
        kilo = text[match.end() : match.end() + 1] == "k"
        with contextlib.suppress(InvalidOperation):
            yield (number(match[0]) * (1000 if kilo else 1))


def _known_texts(calls: Sequence[ActionCall], task: Task, desk: Desk) -> Iterator[str]:
    """Yield every text a figure of this letter may come from: the calls' facts, the client's records, the words."""
    yield task.text
    yield task.guidance
    keys = {call.client for call in calls if call.client}
    for call in calls:
        yield from _flat({name: value for name, value in call.args.items() if name not in {"body", "subject", "text"}})
        for write in call.writes:
            yield from _flat(write.data)
    for key in keys:
        if client := desk.record("client", key):
            yield from _flat(dict(client.data))
        for kind in ("invoice", "credit", "proposal", "payment"):
            for record in desk.records(kind, client=key):
                yield from _flat(dict(record.data))
                if kind == "invoice":
                    yield from _left(record)


def _left(invoice: Record) -> Iterator[str]:
    total, currency = parse_money(str(invoice.data["total"]))
    paid, _ = parse_money(str(invoice.data.get("paid") or f"0.00 {currency}"))
    yield f"{total - paid} {currency}"


def _flat(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _flat(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _flat(inner)
    elif value is not None:
        yield str(value)


def _numbers(text: str, calls: Sequence[ActionCall], task: Task, desk: Desk) -> Iterator[str]:
    fresh = {write.key for call in calls for write in call.writes} | {str(call.args.get("number")) for call in calls}
    for paper in papers(text):
        known = desk.record("invoice", paper) or desk.record("credit", paper)
        if known is None and paper not in fresh and paper not in task.text:
            yield f"It names {paper}, and there is no such paper."
        elif known is not None:
            keys = {call.client for call in calls if call.client}
            if keys and known.data.get("client") not in keys:
                owner = known.data.get("client_name") or known.data.get("client")
                yield f"It names {paper}, which belongs to {owner}."


def _dates(text: str, desk: Desk) -> Iterator[str]:
    today = local_day(desk)
    for named_day in days(text, today):
        day, words, before = named_day.day, named_day.words, text[: named_day.start]
        if day is None:
            yield f"There is no {words}."
            continue
        weekday = re.search(r"\b(\w+day),? (?:the )?$", before)
        if weekday and weekday[1] in WEEKDAYS and f"{day:%A}" != weekday[1]:
            yield f"{words} is a {day:%A}, not a {weekday[1]}."
        if day < today and _AHEAD.search(before):
            yield f"It sets a date that has passed: {words}."


def _due_days(text: str, calls: Sequence[ActionCall], desk: Desk) -> Iterator[str]:
    """A letter about an invoice names the day on which that invoice is due."""
    due = {str(call.args.get("due") or "") for call in calls if call.name == "books.issue"}
    due |= {str(record.data["due"]) for paper in papers(text) if (record := desk.record("invoice", paper))}
    if not due - {""}:
        return
    for named_day in days(text, local_day(desk)):
        if named_day.day and named_day.day.isoformat() not in due and _DUE.search(text[: named_day.start]):
            known = " or ".join(day_words(day) for day in sorted(due - {""}))
            yield f"It says due on {named_day.words}, and the invoice is due on {known}."


def _names(text: str, call: ActionCall, task: Task, desk: Desk) -> Iterator[str]:
    """What goes to one client names no other, unless the operator did."""
    said = f"{task.text} {task.guidance}".casefold()
    for client in desk.records("client") if call.client else ():
        if client.key == call.client:
            continue
        for name in (common_name(client), contact(client)):
            if (
                len(name) >= NAME_MIN
                and name.casefold() not in said
                and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)
            ):
                yield f"It names {name}, which is another client's."


def _citations(text: str, calls: Sequence[ActionCall], task: Task, desk: Desk) -> Iterator[str]:
    """What is quoted was written by somebody, and a source that is cited is listed."""
    for mark in marks(text):
        yield f"It cites [{mark}], and lists no such source."
    if quoted := list(quotes(text)):
        earlier = (str(call.args.get("body") or "") for call in task.earlier)
        known = _flat_words("\n".join([*_known_texts(calls, task, desk), task.item_text, *earlier, *_material(task)]))
        for each in quoted:
            if _flat_words(each) not in known:
                yield f"It quotes what nobody wrote: {each[:80]!r}."


def _material(task: Task) -> Iterator[str]:
    for found in task.results.values():
        yield from _flat(dict(found))


def _flat_words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _promises(text: str, task: Task) -> Iterator[str]:
    said = f"{task.text} {task.guidance}".casefold()
    for match in _PROMISE.finditer(text):
        if match[0].casefold() not in said:
            yield f"It promises something you did not say: {match[0]!r}."


def _links(text: str, task: Task, desk: Desk) -> Iterator[str]:
    own = {desk.company.get("website", ""), desk.company.get("email", "").rpartition("@")[2]} - {""}
    for host in hosts(text):
        if host not in task.text.casefold() and not any(host in each or host.endswith("." + each) for each in own):
            yield f"It links to {host}, which is not yours and which you did not name."


def _accounts(text: str, call: ActionCall, task: Task, desk: Desk) -> Iterator[str]:
    """A bank account that came with somebody's words is how money is led astray."""
    client = desk.record("client", call.client) if call.client else None
    said = [desk.company.get("iban", ""), task.text, task.guidance, *_flat(dict(client.data) if client else {})]
    known = [re.sub(r"\s", "", each).upper() for each in said]
    for match in _IBAN.finditer(text):
        account = re.sub(r"\s", "", match[0]).upper()
        if not any(account in each for each in known):
            yield f"It names the bank account {account}, which is not yours and which you did not name."


def _files(call: ActionCall, desk: Desk) -> Iterable[str]:
    for file in call.args.get("attachments") or ():
        try:
            content = desk.files.get(str(file["sha256"]))
        except KeyError:
            yield f"The attachment {file.get('name')} is not in the store any more."
            continue
        if len(content) != int(file.get("size", len(content))):
            yield f"The attachment {file.get('name')} is not as long as the card says."
    text = str(call.args.get("body") or "")
    if (
        call.name == "mail.send"
        and re.search(r"\battached\b|\battachment\b", text, re.IGNORECASE)
        and not call.args.get("attachments")
    ):
        yield "The mail speaks of an attachment and has none."
