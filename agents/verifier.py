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

from rapidfuzz.distance import OSA

from agents import claims
from agents.base import ActionCall, Desk, Record, Task, local_day, parse_money, smallest
from agents.directory import common_name, contact, named
from agents.letter import day_words
from agents.mentions import addresses, amounts, days, hosts, marks, number, papers, quotes, sentences
from agents.slots.amounts import ISO
from agents.tone import Manner, manner_of, strays

WEEKDAYS = {
    name: day
    for names in (
        ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
    )
    for day, name in enumerate(names)
}
ALIKE = 2  # letters in which two addresses differ that a reader takes for one
NAME_MIN = 4  # letters of a name; shorter ones are words, too
DUE_DAYS_MAX = 366  # a later due date is a typing slip
POSTS = frozenset({"bluesky.post", "blog.publish"})
OF_POSTS = frozenset(
    {"exclamation", "emoji", "contraction", "word"}
)  # what is said of letters and holds for posts, too
TEXT_MAX = 20_000  # characters looked at

# ISO 13616, as it is printed; in small letters only where nothing else looks like it.
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:\s?[A-Z\d]{4}){2,7}(?:\s?[A-Z\d]{1,3})?\b|\b[a-z]{2}\d{13,32}\b")
_GREETING = re.compile(
    r"\A\s*(?:hello|hi|dear|hey|hallo|guten (?:tag|morgen|abend)|liebe[r]?|sehr geehrte[r]?)\s+"
    r"(?:(?:mr|mrs|ms|mx|dr|prof|herr|frau)\b\.?\s+)*(?P<name>[^\s,!.]+)",
    re.IGNORECASE,
)
_EVERYBODY = frozenset({"there", "all", "team", "everyone", "everybody", "zusammen", "alle", "damen"})
_PROMISE = re.compile(
    r"\b(guarantee[sd]?|free of charge|at no (?:extra |additional |further )?(?:cost|charge)|for free|discount"
    r"|refund(?:ed)?|money back|pay nothing|waive[sd]?|compensat\w+|we promise|i promise|no obligation|unlimited"
    r"|within \d+ (?:minutes|hours)|\d{1,3}\s?% off"
    r"|garantie\w*|kostenlos\w*|kostenfrei\w*|gratis|unentgeltlich\w*|umsonst|rabatt\w*|nachlass\w*|skonto"
    r"|erstatt(?:e|en|et)|rückerstatt\w*|geld zurück|verspreche\w*|unverbindlich\w*|unbegrenzt\w*"
    r"|innerhalb von \d+ (?:minuten|stunden))\b",
    re.IGNORECASE,
)
_BLANK = re.compile(
    r"\{\w+\}|\[(?:name|client|date|amount|your [^\]]*|insert [^\]]*)\]|\bTODO\b|\bXXX+\b|\blorem ipsum\b",
    re.IGNORECASE,
)


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
            found += claims.due(text, calls, desk)
            found += claims.appointed(text, calls, task, desk)
            found += claims.prices(text, call.client, task, desk)
            found += claims.shares(text, _sources(calls, task, desk), task, desk)
            found += _names(text, call, task, desk)
            found += _mailboxes(text, call, task, desk)
            found += _promises(text, task)
            found += _citations(text, calls, task, desk)
            found += claims.borne(text, "\n".join(_brought(task)))
            found += _links(text, task, desk)
            found += _accounts(text, call, task, desk)
        found += _files(call, desk)
        found += _tone(call, desk)
    return tuple(dict.fromkeys(found))


def _sources(calls: Sequence[ActionCall], task: Task, desk: Desk) -> list[str]:
    return [*_known_texts(calls, task, desk), *_notes(calls, desk), *_brought(task)]


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
            told = ", but wrote to us." if wrote else " and you did not name it."
            yield f"{address} is not on the books{told}{_like(address, clients)}"


def _like(address: str, clients: Iterable[Record]) -> str:
    """Return whose address this one could be mistaken for, as a sentence; "" for nobody's."""
    known = [(theirs, client) for client in clients for theirs in _their(client)]
    near = [(OSA.distance(address.casefold(), theirs, score_cutoff=ALIKE), theirs, client) for theirs, client in known]
    found = min((each for each in near if 0 < each[0] <= ALIKE), default=None, key=lambda each: each[0])
    return f" It looks like {found[1]} of {named(found[2])}, and is another." if found else ""


def _addresses(call: ActionCall) -> list[str]:
    return [str(each) for key in ("to", "cc", "bcc", "attendees") for each in call.args.get(key) or ()]


def _mailboxes(text: str, call: ActionCall, task: Task, desk: Desk) -> Iterator[str]:
    """An address in a letter is ours, theirs, or was named: answers and money go where it says."""
    own = desk.company.get("email", "").casefold()
    clients = desk.records("client")
    theirs = desk.record("client", call.client) if call.client else None
    hosts_known = {
        address.rpartition("@")[2] for address in (own, *(_their(theirs) if theirs else ()), *_addresses(call))
    }
    said = " ".join((task.text, task.guidance, task.item_text, _from(task), *_brought(task))).casefold()
    for address in addresses(text):
        if address in said or address.rpartition("@")[2] in hosts_known:
            continue
        owner = next((client for client in clients if address in _their(client)), None)
        if owner is not None:
            yield f"It names {address}, which belongs to {named(owner)}."
        else:
            yield f"It names {address}, which is nobody's here and which you did not name.{_like(address, clients)}"


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
    name = said["name"].casefold()
    if name not in {part.casefold() for part in contact(client).split()} | _EVERYBODY:
        yield f"The mail greets {said['name']}, but {named(client)}'s contact is {contact(client)}."


# ── words ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _blanks(text: str) -> Iterator[str]:
    for match in _BLANK.finditer(text):
        yield f"{match[0]!r} was left to be filled in."


def _amounts(text: str, calls: Sequence[ActionCall], task: Task, desk: Desk) -> Iterator[str]:
    if not any(True for _ in amounts(text)):
        return
    known = {pair for source in _known_texts(calls, task, desk) for pair in amounts(source)}
    bare = {value for source in (task.text, task.guidance) for value in _bare_numbers(source)}
    notes = list(_notes(calls, desk))
    for sentence in sentences(text):
        for value, currency in amounts(sentence):
            noted = (note for note in notes if (value, currency) in set(amounts(note)))
            if (value, currency) not in known and value not in bare and not any(_about(sentence, n) for n in noted):
                yield f"It names {value:,} {currency}, which is in no record of this client and not in your words."


def _about(sentence: str, note: str) -> bool:
    """Whether a sentence is about what a note is about: a day rate is no invoice's total."""
    words = {word for word in re.findall(r"[^\W\d]{4,}", note.casefold()) if word.upper() not in ISO}
    return any(word in sentence.casefold() for word in words)


def _notes(calls: Sequence[ActionCall], desk: Desk) -> Iterator[str]:
    keys = {"", *(call.client for call in calls)}
    for note in desk.records("fact"):
        if str(note.data.get("client") or "") in keys:
            yield str(note.data.get("text") or "")


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
        yield from claims.flat(
            {name: value for name, value in call.args.items() if name not in {"body", "subject", "text"}}
        )
        for write in call.writes:
            yield from claims.flat(write.data)
    for key in keys:
        if client := desk.record("client", key):
            yield from claims.flat(dict(client.data))
        for kind in ("invoice", "credit", "proposal", "payment", "project"):
            for record in desk.records(kind, client=key):
                yield from claims.flat(dict(record.data))
                if kind == "invoice":
                    yield from _left(record)


def _left(invoice: Record) -> Iterator[str]:
    total, currency = parse_money(str(invoice.data["total"]))
    paid, _ = parse_money(str(invoice.data.get("paid") or f"0.00 {currency}"))
    yield f"{total - paid} {currency}"


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
        weekday = re.search(r"\b(\w+),? (?:the |den |dem )?$", before)
        if weekday and WEEKDAYS.get(weekday[1], day.weekday()) != day.weekday():
            yield f"{words} is a {day:%A}, not a {weekday[1]}."
        if day < today and claims.AHEAD.search(before):
            yield f"It sets a date that has passed: {words}."


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
        known = _flat_words("\n".join([*_known_texts(calls, task, desk), *earlier, *_brought(task)]))
        for each in quoted:
            if _flat_words(each) not in known:
                yield f"It quotes what nobody wrote: {each[:80]!r}."


def _brought(task: Task) -> Iterator[str]:
    """Yield what came in and what earlier steps found: what may be quoted and cited."""
    yield task.item_text
    for found in task.results.values():
        yield from claims.flat(dict(found))


def _flat_words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def _promises(text: str, task: Task) -> Iterator[str]:
    said = f"{task.text} {task.guidance}".casefold()
    for match in _PROMISE.finditer(text):
        if match[0].casefold() not in said:
            yield f"It promises something you did not say: {match[0]!r}."


def _links(text: str, task: Task, desk: Desk) -> Iterator[str]:
    own = {desk.company.get("website", ""), desk.company.get("email", "").rpartition("@")[2]} - {""}
    said = " ".join((task.text, *(found for found in _brought(task) if "://" in found))).casefold()
    for host in hosts(text):
        if host not in said and not any(host in each or host.endswith("." + each) for each in own):
            yield f"It links to {host}, which is not yours and which you did not name."


def _accounts(text: str, call: ActionCall, task: Task, desk: Desk) -> Iterator[str]:
    """A bank account that came with somebody's words is how money is led astray."""
    client = desk.record("client", call.client) if call.client else None
    said = [desk.company.get("iban", ""), task.text, task.guidance, *claims.flat(dict(client.data) if client else {})]
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
        and re.search(
            r"\b(?:attached|attachment|enclosed|(?:im|als) Anhang|anbei|angehängt|beigefügt)\b", text, re.IGNORECASE
        )
        and not call.args.get("attachments")
    ):
        yield "The mail speaks of an attachment and has none."
