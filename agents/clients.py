"""Clients: who they are, as the record says, and what was said in passing, shown as such.

The record is the truth about a client; what else was heard comes from long-term memory, with its date and whose words
they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar

from agents import vat
from agents.base import (
    ActionCall,
    Agent,
    Choice,
    Desk,
    Found,
    Intent,
    Proposal,
    Record,
    Risk,
    Source,
    Task,
    Write,
    local_day,
    money,
)
from agents.bill import OPEN, outstanding
from agents.directory import (
    address,
    cited,
    look_up,
    named,
    slug,
    the_client,
    which,
)
from agents.edits import with_edits
from agents.follow_ups import called_off
from agents.letter import (
    amount_words,
    day_words,
    pinned,
)
from agents.slots import ClientName, Email, Money, Terms
from agents.subscription import price_words
from memory.events import Json, Origin

NOTES_SHOWN = 5  # remembered lines in one answer
FIELDS = {
    "email": "email", "e-mail": "email", "mail": "email", "billing email": "billing_email", "contact": "contact",
    "address": "address", "country": "country", "currency": "currency", "terms": "terms", "payment terms": "terms",
    "vat": "vat", "vat id": "vat_id", "retainer": "retainer", "phone": "phone", "phone number": "phone",
    "language": "language", "note": "notes", "notes": "notes", "status": "status", "name": "name", "website": "website",
}  # fmt: skip
"""What may be changed in a client's record, by the words for it."""

_FIELD = "|".join(sorted(map(re.escape, FIELDS), key=len, reverse=True))
_SET = re.compile(
    rf"\b({_FIELD})\b(?:\s+address)?\s*(?:to|is now|is|=|:|changed to)?\s*(.+)$", re.IGNORECASE | re.DOTALL
)

_STANDS = re.compile(r"\b(?:as|is|are|to)\s+(?:an?\s+)?(active|inactive|former|lead)\b", re.IGNORECASE)
GONE = frozenset({"inactive", "former", "left", "gone", "lost", "cancelled"})
"""What the status says of a client who has left."""


class AddClient(Intent):
    """Put a new client on the books."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
    may: ClassVar[tuple[str, ...]] = ("books.write",)
    examples: ClassVar[tuple[str, ...]] = (
        "add client Globex, billing@globex.example, 2k/month",
        "new client Initech, bill@initech.example",
        "create a customer called Hooli",
        "add Stark Industries as a client, pepper@stark.example",
        "we have a new customer: Umbrella Ltd, office@umbrella.example",
        "put Wayne Enterprises in the client list",
        "please add a client, name Tyrell, mail deckard@tyrell.example",
        "save Cyberdyne as new client with e-mail miles@cyberdyne.example",
        "I just won a new client, Wonka Inc, willy@wonka.example",
        "register customer Duff, duff@beer.example, 500 a month",
        "set up a client record for Vandelay",
        "add lead Pied Piper, richard@piedpiper.example",
        "new contact: Soylent, info@soylent.example, pays in dollars",
        "onto the books with Monsters Inc., sully@monsters.example",
        "ad client Gringotts billing@gringotts.example",
        "Dunder Mifflin is a client now, jim@dunder.example",
        "new client Pied Piper, 800 EUR monthly retainer",
        "create customer Initrobe, retainer 1,500 per month",
        "put Wernham Hogg on our client list",
        "start a record for Prestige Worldwide",
        "begin a file for the new customer Sterling Cooper",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "new customer Initrode, hello@initrode.example",
        "create client Aperture, 1,000 EUR monthly retainer",
        "please put Black Mesa on the client list",
        "add a new client named Oscorp with email norman@oscorp.example",
        "start a record for our new customer Massive Dynamic",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "who is Globex?",
        "change Acme's e-mail address",
        "invoice the new client 500",
        "how many clients do we have?",
        "add a meeting with Acme",
        "onboard Globex",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "add client {name}, {email}, {retainer}",
        "add client {name}, {email}, {retainer}/month",
        "add client {name}, {email}, {retainer} a month",
        "add client {name}, {email}",
        "add client {name}",
        "new lead {name}, {email}",
        "new lead {name}",
        "new client {name}, {email}",
        "new customer {name}, {email}",
        "new client {name}",
        "add {name} as a client",
        "add {name} as client",
        "create client {name}",
        "create a client {name}",
        "add customer {name}",
        "register {name} as a client",
        "add the client {name}",
    )
    command: ClassVar[str] = "client"
    asks: ClassVar[Mapping[str, str]] = {"name": "What is the new client called?"}

    name: str
    email: Email | None = None
    retainer: Money | None = None
    contact: str = ""
    terms: Terms | None = None


class WhoIs(Intent):
    """Tell what we know about a client."""

    examples: ClassVar[tuple[str, ...]] = (
        "who is Globex?",
        "tell me about Acme",
        "what do we know about Initech?",
        "show me the client Hooli",
        "Acme's e-mail address?",
        "pull up Stark",
        "what's the story with Umbrella",
        "who is the contact at Wayne?",
        "client info Globex",
        "give me everything on Acme",
        "details for Initech please",
        "remind me who Tyrell is",
        "how do I reach Cyberdyne?",
        "open the record of Wonka",
        "what did we agree with Acme?",
        "history with Globex",
        "who are our clients?",
        "list all clients",
        "whois hooli",
        "what do you have about Globex?",
        "background on Hooli please",
        "which clients do we serve?",
        "what customers are there?",
        "our customers",
        "what info is there on Wayne",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "what do you have on Stark?",
        "show the Umbrella record",
        "who's our contact at Duff?",
        "background on Wayne Enterprises",
        "which customers do we have?",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "who owes me money?",
        "add client Globex",
        "who is the president of France?",
        "what does Acme owe?",
        "look up Acme's latest press release",
        "write to Globex",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "who is {client}",
        "who's {client}",
        "tell me about {client}",
        "what do we know about {client}",
        "who are our clients",
        "list clients",
        "{client}'s email",
        "{client}'s address",
        "{client}'s phone number",
        "{client}'s contact details",
        "email of {client}",
        "address of {client}",
        "phone number of {client}",
        "contact details of {client}",
        "show all clients",
        "list my clients",
        "all clients",
        "how many clients do i have",
    )
    command: ClassVar[str] = "who"

    client: ClientName | None = None


class UpdateClient(Intent):
    """Change something in a client's record."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
    may: ClassVar[tuple[str, ...]] = ("books.write", "calendar.strike")
    examples: ClassVar[tuple[str, ...]] = (
        "update Acme email new@acme.example",
        "change Globex's address to 5 Elm Street, Springfield",
        "Initech's new e-mail is ap@initech.example",
        "set the terms for Hooli to net 30",
        "Stark moved to Malibu, update the address",
        "the contact at Umbrella is now Alice Wesker",
        "correct Wayne's phone number to 555 0199",
        "note on Acme: prefers short mails",
        "Globex pays 2,500 a month from now on",
        "raise Acme's retainer to 1,400",
        "update Initech vat reverse charge",
        "Hooli's VAT id is FR32123456789",
        "mark Tyrell as inactive",
        "rename Wonka Inc to Wonka International",
        "switch Duff's currency to USD",
        "chnage acme email to pay@acme.example",
        "put net 7 as payment terms for Cyberdyne",
        "Globex has a new phone number",
        "Initech has moved, change the address please",
        "change the contact at Hooli to Laura",
        "edit Stark's record: currency USD",
        "in Wayne's record set the country to FR",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "Acme has a new billing address, please change it",
        "set Globex email to accounts@globex.example",
        "change the contact person of Initech to Peter",
        "Stark's retainer is now 3,000",
        "edit Umbrella's record: country US",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "add client Globex",
        "remember that I prefer mornings",
        "change the meeting with Acme to Friday",
        "edit the invoice for Acme",
        "change my own address",
        "who is Acme?",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "update {client} email {email}",
        "update {client} {field} to {value}",
        "set {client} {field} to {value}",
        "{client}'s new {field} is {value}",
        "change {client}'s {field} to {value}",
    )
    asks: ClassVar[Mapping[str, str]] = {"client": "Whose record shall I change?"}

    client: ClientName
    field: str = ""
    value: str = ""
    email: Email | None = None
    amount: Money | None = None
    terms: Terms | None = None


class Clients(Agent):
    """Knows everybody the company works with."""

    intents = (AddClient, WhoIs, UpdateClient)
    proposes = ("books.write", "calendar.strike")

    @with_edits
    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Add, show or change a client."""
        match task.intent:
            case AddClient() as wish:
                return _add(wish, task, desk)
            case WhoIs() as wish:
                return await _who(wish, task, desk)
            case UpdateClient() as wish:
                return _update(wish, task, desk)
        raise NotImplementedError(f"clients does not know {task.intent.id()!r}")


def _add(wish: AddClient, task: Task, desk: Desk) -> Proposal:
    name = _only_name(wish.name)
    key = slug(name)
    if not key:
        return Proposal(ask="What is the new client called?")
    if same := _already(desk, name, key, wish.email):
        return Proposal(
            ask=f"{named(same)} is already on the books"
            + (f" with {same.data['email']}" if same.data.get("email") else "")
            + ". Is that the one, or somebody else of the same name? For somebody else, add a word to the name.",
            choices=(Choice(label=f"Show {named(same)}", text=f"who is {named(same)}"),),
        )
    data: dict[str, Json] = {"name": name, "status": "active", "since": local_day(desk).isoformat()}
    reasons: list[str] = []
    if wish.email:
        data["email"] = wish.email
    else:
        reasons.append("No e-mail address yet; mails and invoices will ask for it.")
    if wish.contact:
        data["contact"] = wish.contact
    if wish.terms:
        data["terms"] = str(wish.terms)
    if wish.retainer:
        currency = desk.company.get("currency") or "EUR"
        retainer = wish.retainer.in_currency(currency)
        if not wish.retainer.currency:
            reasons.append(f"{currency}, the company's currency, as none was named.")
        data |= {"retainer": str(retainer), "currency": retainer.currency}
    close = look_up(desk, name).nearby
    if close:
        reasons.append(f"Similar names on the books: {', '.join(named(each) for each in close)}.")
    if task.origin not in {Origin.OPERATOR, Origin.DELEGATE}:
        data["status"] = "lead"
        reasons.append("Name and address come from outside and were not checked.")
    call = ActionCall(
        name="books.write",
        args={"summary": f"New client {name}", "fields": _shown(data)},
        writes=(Write(kind="client", key=key, data=data),),
        needs={f"client:{key}": 0},
        client=key,
    )
    results: dict[str, Json] = {"client": key, "name": name, "email": wish.email or ""}
    return Proposal(calls=(call,), results=results, reasons=tuple(reasons))


def _only_name(said: str) -> str:
    """``"Globex, billing@globex.example, 2k/month"`` → ``"Globex"``; a legal form behind the comma stays."""
    name = re.split(r"\s*[;(]|\s+with\s|\s+as a (?:client|customer)\b|\s*<|,?\s*\S+@\S+", said, maxsplit=1)[0]
    head, _, tail = name.partition(",")
    keep = re.match(r"\s*(?:inc|llc|ltd|gmbh|plc|corp|s\.?a)\b", tail, re.IGNORECASE)
    return (name if keep else head).strip(" ,.;:'\"")


def _already(desk: Desk, name: str, key: str, email: str | None) -> Record | None:
    if found := desk.record("client", key) or look_up(desk, name).record:
        return found
    return next((r for r in desk.records("client") if email and address(r).casefold() == email.casefold()), None)


def _shown(data: Mapping[str, Json]) -> dict[str, Json]:
    return {
        LABELS.get(key, key.replace("_", " ").capitalize()): _words(str(value)) for key, value in data.items() if value
    }


LABELS = {"email": "E-mail", "vat_id": "VAT id", "iban": "IBAN"}


def _words(value: str) -> str:
    """Write a value for a person: money with its thousands, an address on one line."""
    if re.fullmatch(r"\d+(?:\.\d+)? [A-Z]{3}", value):
        return amount_words(value)
    return ", ".join(value.splitlines())


async def _who(wish: WhoIs, task: Task, desk: Desk) -> Proposal:
    if not wish.client:
        return _everybody(desk)
    match = look_up(desk, wish.client)
    if match.record is None:
        return await _stranger(wish.client, match.nearby, task, desk)
    client = match.record
    rows = [_headline(client)]
    rows += [
        f"- {label}: {value}"
        for label, value in _shown(client.data).items()
        if label not in {"Name", "Status", "Since", "Aliases", "Notes"}
    ]
    if client.data.get("notes"):
        rows.append(f"- Notes: {client.data['notes']}")
    rows += _money_rows(desk, client.key)
    rows += [
        f"- Project: {p.data.get('name', p.key)}, {p.data.get('status', 'open')}"
        for p in desk.records("project", client=client.key)
    ]
    rows += [
        f"- Proposal {p.key}: {p.data.get('text', '')}, {p.data.get('status', '')}"
        for p in desk.records("proposal", client=client.key)
    ]
    rows += [_subscription(each) for each in desk.records("subscription", client=client.key)]
    recalled = await desk.recall(f"{named(client)} {task.text}", client=client.key, k=NOTES_SHOWN)
    if recalled:
        rows.append("From memory:")
        rows += [f"- {found.text}{_whose(found)}" for found in recalled]
    sources = tuple(Source(ref=found.ref, text=found.text, origin=found.origin) for found in recalled)
    return Proposal(say="\n".join(rows), sources=(*cited(client), *sources), results={"client": client.key})


def _whose(found: Found) -> str:
    """Words from outside are marked as such wherever they are shown."""
    outside = f", words of a {found.origin.value}" if found.origin in {Origin.CLIENT, Origin.STRANGER} else ""
    marks = (day_words(found.at) if found.at else "") + outside
    return f" ({marks.removeprefix(', ')})" if marks else ""


def _headline(client: Record) -> str:
    since = f" since {day_words(client.data['since'])}" if client.data.get("since") else ""
    return f"{named(client)}: {client.data.get('status') or 'client'}{since}."


def _money_rows(desk: Desk, key: str) -> list[str]:
    rows = []
    for invoice in desk.records("invoice", client=key):
        if invoice.data["status"] in OPEN:
            left, currency = outstanding(invoice)
            rows.append(
                f"- Open: {invoice.key}, {amount_words(money(left, currency))}, due {day_words(invoice.data['due'])}"
            )
    return rows


def _subscription(record: Record) -> str:
    plan, amount, every, status = (
        str(record.data.get(name) or "") for name in ("plan", "amount", "interval", "status")
    )
    told = [part for part in (plan, price_words(amount, every), status) if part]
    since = f" since {day_words(record.data['since'])}" if record.data.get("since") else ""
    ended = f" until {day_words(record.data['ended'])}" if record.data.get("ended") else ""
    return f"- Subscription {record.key}: {', '.join(told)}{since}{ended}"


def _everybody(desk: Desk) -> Proposal:
    clients = desk.records("client")
    if not clients:
        return Proposal(say="There are no clients yet. For example: add client Globex, billing@globex.example")
    rows = [f"{len(clients)} client{'' if len(clients) == 1 else 's'}:"]
    for client in clients:
        extra = [str(client.data[key]) for key in ("status", "email", "retainer") if client.data.get(key)]
        rows.append(f"- {' · '.join([named(client), *extra])}")
    return Proposal(say="\n".join(rows), sources=cited(*clients[:NOTES_SHOWN]))


async def _stranger(said: str, nearby: tuple[Record, ...], task: Task, desk: Desk) -> Proposal:
    if nearby:
        return Proposal(
            ask=f"Which client do you mean by {said!r}?", choices=which(nearby, task.text, said, "who is {name}")
        )
    recalled = await desk.recall(said, k=NOTES_SHOWN)
    mentions = [found for found in recalled if said.casefold() in found.text.casefold()]
    if not mentions:
        return Proposal(say=f"I know nobody called {said!r}. To add them: add client {said}, their@address")
    rows = [f"{said!r} is not on the books, but was mentioned:", *(f"- {found.text}" for found in mentions)]
    sources = tuple(Source(ref=found.ref, text=found.text, origin=found.origin) for found in mentions)
    return Proposal(say="\n".join(rows), sources=sources)


def _update(wish: UpdateClient, task: Task, desk: Desk) -> Proposal:
    client = the_client(wish.client, task, desk)
    if isinstance(client, Proposal):
        return client
    changed = _changes(wish, task, client)
    if isinstance(changed, Proposal):
        return changed
    if not changed:
        return Proposal(
            ask=f"What shall I change in {named(client)}'s record? "
            f"For example: update {named(client)} email new@their-domain"
        )
    fields = {
        name.replace("_", " ").capitalize(): f"{client.data.get(name) or 'nothing'} → {value}"
        for name, value in changed.items()
    }
    what = " and ".join(name.replace("_", " ") for name in changed)
    writes, notes, told = _left_behind(client, changed, desk)
    call = ActionCall(
        name="books.write",
        args={"summary": f"{named(client)}: new {what}", "fields": fields},
        writes=(Write(kind="client", key=client.key, data={**client.data, **changed}), *writes),
        needs=pinned(client),
        client=client.key,
    )
    results = {"client": client.key, **changed}
    return Proposal(calls=(call, *notes), results=results, reasons=told, sources=cited(client))


def _left_behind(
    client: Record, changed: Mapping[str, Json], desk: Desk
) -> tuple[tuple[Write, ...], tuple[ActionCall, ...], tuple[str, ...]]:
    """A client who has left needs no following up: return what ends it, here and in the calendar, and what is said."""
    if str(changed.get("status") or "").casefold() not in GONE:
        return (), (), ()
    waiting = desk.records("reminder", client=client.key, status="waiting")
    texts = ", ".join(str(each.data["text"]) for each in waiting)
    return *called_off(desk, waiting, "cancelled"), ((f"No longer to come: {texts}.",) if waiting else ())


def _changes(wish: UpdateClient, task: Task, client: Record) -> dict[str, Json] | Proposal:
    """Return field → new value; a typed slot wins over words."""
    field, value = _field_of(wish, task, client)
    if wish.email:
        return {"billing_email" if field == "billing_email" else "email": wish.email}
    if wish.terms:
        return {"terms": str(wish.terms)}
    if wish.amount and field in {"", "retainer"}:
        currency = str(client.data.get("currency") or "")
        if not (wish.amount.currency or currency):
            return Proposal(ask=f"{wish.amount}: in which currency?")
        return {"retainer": str(wish.amount.in_currency(currency))}
    if field in {"email", "billing_email", "terms", "retainer"}:
        # These must be typed values: a mail to half an address, or half an amount, is worse than a question.
        return Proposal(ask=f"I cannot read {value!r} as {field.replace('_', ' ')}. What is it?") if value else {}
    return _read_tax(field, value, client) if field and value else {}


def _read_tax(field: str, value: str, client: Record) -> dict[str, Json] | Proposal:
    """What decides the tax on invoices is written as it is read there; anything else as it was said."""
    if field == "vat" and not vat.kind_of(value):
        return Proposal(ask=f"{value!r} is no kind of VAT. Say: standard, {', '.join(vat.ZERO_TAX)}.")
    if field == "country" and not vat.country(value):
        return Proposal(ask=f"I know no country {value!r}. Its name or two letters, like Ireland or IE?")
    if field == "vat_id" and not vat.looks_right(vat.vat_id(value)):
        return Proposal(
            ask=f"{value} does not look like a VAT id: those begin with the country, like IE6388047V. "
            f"What is {named(client)}'s?"
        )
    read = {"vat": vat.kind_of, "country": vat.country, "vat_id": vat.vat_id}.get(field, str)
    return {field: read(value)}


def _field_of(wish: UpdateClient, task: Task, client: Record) -> tuple[str, str]:
    if wish.field:
        return FIELDS.get(wish.field.casefold().removeprefix("new ").strip(), ""), wish.value.strip(" .")
    rest = task.text
    for name in (named(client), str(wish.client), client.key):
        rest = re.sub(rf"(?<![\w@)]){re.escape(name)}\b(?:'s|’s)?", " ", rest, count=1, flags=re.IGNORECASE)
    found = _SET.search(rest)
    if found is None and (stands := _STANDS.search(rest)):
        return "status", stands[1].casefold()
    return (FIELDS[found[1].casefold()], found[2].strip(" .\n")) if found else ("", "")
