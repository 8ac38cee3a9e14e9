"""Clients: who they are, what was written to them, and what comes next with them.

The record is the truth about a client; what was said in passing comes from long-term memory and is shown as such. Mails
have a template that can be sent as it is; with a model they get better words and keep every fact.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import ClassVar

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
    money,
)
from agents.bill import OPEN, outstanding
from agents.directory import address, cited, contact, free_key, look_up, named, slug, which, whom
from agents.edits import UnreadableEditError, intent_of
from agents.letter import amount_words, body, day_words, letter, pinned, polish, topic
from agents.slots import ClientName, Day, Email, Moment, Money, Terms
from agents.slots.grammar import find_spans
from memory.events import Json, Origin

NOTES_SHOWN = 5  # remembered lines in one answer
PROPOSAL_VALID_DAYS = 30  # how long an offer stands when nothing else was said
CHECK_IN_DAYS = (3, 14)  # after onboarding: how is it going, and how was it
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
_SAYS = re.compile(r"(?:\bthat\b|\bsaying\b|:)\s*(.+)$", re.IGNORECASE | re.DOTALL)
_ABOUT = re.compile(r"\b(?:about|on|regarding|re)\b\s+(?:the |our |their )?(.+?)[.?!]?$", re.IGNORECASE)
_OFFER = re.compile(r"\b(?:for|about|on)\s+(?:the |a |an |our )?(.+?)\s*(?:[,;]|\bat\b|\bover\b|$)", re.IGNORECASE)


class AddClient(Intent):
    """Put a new client on the books."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
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
        "new client {name}, {email}",
        "new customer {name}, {email}",
        "new client {name}",
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
    )
    command: ClassVar[str] = "who"

    client: ClientName | None = None


class UpdateClient(Intent):
    """Change something in a client's record."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
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


class SendProposal(Intent):
    """Draft an offer and mail it."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    examples: ClassVar[tuple[str, ...]] = (
        "send Acme a proposal for the redesign, 4,500",
        "write an offer for Globex: three workshops, 3,600 EUR",
        "quote Initech 1,200 for the logo",
        "draft a proposal to Hooli about the app",
        "make Stark an offer over 10k for the audit",
        "Umbrella wants a quote for hosting, 99 a month",
        "send a quotation to Wayne for copy editing",
        "prepare an estimate for Tyrell, website relaunch, 8,000",
        "offer Cyberdyne two days of consulting at 900",
        "proposal for Wonka please: packaging design, 2,750",
        "can you send the new lead a proposal?",
        "put together a quote for Duff",
        "pitch Acme a retainer of 1,500",
        "send Globex our offer for phase two",
        "qoute acme 300 for the banner",
        "email a price offer to Initech for training, 1,800 dollars",
        "draft a quotation for the Hooli campaign",
        "work out an estimate for Initech's brochure",
        "price offer for Stark: training, 2,400",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "write Hooli a proposal for the mobile app, 12,000",
        "give Stark a quote for the training",
        "send an offer to Umbrella over 640 for photos",
        "please quote Wayne for 5 days of work",
        "draft an estimate for the Duff campaign",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "invoice Acme 4,500 for the redesign",
        "follow up with Acme on the proposal",
        "what did we propose to Globex?",
        "send Acme a famous quote",
        "did Acme accept the offer?",
        "propose a time for the meeting",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "send {client} a proposal for {what}, {amount}",
        "quote {client} {amount} for {what}",
        "send {client} a proposal for {what}",
    )
    asks: ClassVar[Mapping[str, str]] = {"client": "Who gets the proposal?"}

    client: ClientName
    what: str = ""
    amount: Money | None = None
    email: Email | None = None


class Onboard(Intent):
    """Welcome a new client and plan the first check-ins."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    examples: ClassVar[tuple[str, ...]] = (
        "onboard Globex",
        "start onboarding for Acme",
        "send Initech the welcome mail",
        "Hooli signed, start the onboarding",
        "welcome Stark as a new customer",
        "kick off the onboarding of Umbrella",
        "run the welcome sequence for Wayne",
        "begin onboarding our new client Tyrell",
        "new subscriber Cyberdyne, welcome them",
        "get Wonka started",
        "do the usual onboarding with Duff",
        "greet Globex and schedule the check-ins",
        "send the welcome pack to Acme",
        "set up Initech as an active client and welcome them",
        "onbord hooli",
        "Hooli is our new customer, begin with the welcome",
        "kick off the welcome for Umbrella",
        "new client Wayne: welcome and check-ins please",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "please onboard Stark Industries",
        "start the welcome sequence for Umbrella",
        "Wayne is on board, send them the welcome mail",
        "onboarding for Tyrell please",
        "kick off with our new customer Duff",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "add client Globex",
        "book a kick-off meeting with Acme",
        "what is our onboarding process?",
        "write a post about onboarding",
        "project status of Acme",
        "send Globex a proposal",
    )
    patterns: ClassVar[tuple[str, ...]] = ("onboard {client}", "start onboarding for {client}", "welcome {client}")
    asks: ClassVar[Mapping[str, str]] = {"client": "Whom shall I onboard?"}

    client: ClientName
    email: Email | None = None
    plan: str = ""


class FollowUp(Intent):
    """Ask a client how things stand, now or at a later time."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    examples: ClassVar[tuple[str, ...]] = (
        "follow up with Acme on the proposal",
        "check in with Globex",
        "ping Initech about the offer",
        "follow up with Hooli next Tuesday",
        "ask Stark whether they had time to look at the draft",
        "touch base with Umbrella",
        "nudge Wayne about the contract",
        "send a follow-up to Tyrell",
        "get back to Cyberdyne about the quote",
        "see how Wonka is doing",
        "follow up on the Duff proposal in a week",
        "chase Acme for feedback on the designs",
        "ask Globex if they are still interested",
        "no answer from Initech yet, follow up please",
        "folow up with hooli on friday",
        "check back with Stark in two weeks",
        "ping Wayne regarding the estimate",
        "ping Globex about our offer",
        "has Hooli looked at it? follow up",
        "drop Stark a line about where they are with the quote",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "send Umbrella a follow up about our quote",
        "check in on Wayne next Monday",
        "ask Tyrell for feedback on the mock-ups",
        "ping Duff regarding the proposal",
        "follow up with Cyberdyne tomorrow",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "remind Acme to pay",
        "remind me to call Acme",
        "send Acme a proposal",
        "did Globex answer?",
        "chase the unpaid invoices",
        "write Acme that we are late",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "follow up with {client} on {what}",
        "follow up with {client} {when}",
        "follow up with {client}",
        "check in with {client}",
    )
    asks: ClassVar[Mapping[str, str]] = {"client": "With whom shall I follow up?"}

    client: ClientName
    what: str = ""
    when: Moment | None = None
    day: Day | None = None


class WriteMail(Intent):
    """Write a mail to somebody."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    examples: ClassVar[tuple[str, ...]] = (
        "write Acme that the draft will be ready on Friday",
        "email Globex: the meeting room has changed",
        "send a mail to Initech saying thanks for the quick answer",
        "tell Hooli by mail that we start on Monday",
        "mail anna@acme.example that the files are online",
        "let Stark know I'm on holiday next week",
        "drop Umbrella a line that the order shipped",
        "write to Wayne and thank them for the visit",
        "compose an email to Tyrell about the delay",
        "message Cyberdyne that we need the logo files",
        "inform Wonka that prices go up in January",
        "send Duff a note: parcel arrives tomorrow",
        "ask Acme by e-mail for the login data",
        "write an apology to Globex for the late delivery",
        "mial initech that im running late",
        "shoot Hooli an email that version two is live",
        "e-mail Hooli that the site is online",
        "send jane@example.net a mail saying thank you",
        "tell Wayne by email that we got the documents",
        "e-mail Globex that the numbers are in",
        "let Umbrella know by mail we are closed on Friday",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "e-mail Stark that the report is done",
        "write Umbrella: we accept the terms",
        "let Wayne know that the workshop is moved",
        "send bob@example.com a mail saying hello",
        "tell Duff by email we received the contract",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "send Acme an invoice",
        "remind Acme to pay",
        "write a post about e-mail",
        "reply to Anna's mail",
        "did I get any mail from Globex?",
        "remind me to write to Hooli",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "write {client} that {what}",
        "email {client} that {what}",
        "email {client}: {what}",
        "let {client} know that {what}",
        "mail {email} that {what}",
        "write {client}: {what}",
    )
    asks: ClassVar[Mapping[str, str]] = {"what": "What shall the mail say?"}

    client: ClientName | None = None
    email: Email | None = None
    what: str = ""
    subject: str = ""


class Clients(Agent):
    """Knows everybody the company works with, and drafts what goes to them."""

    intents = (AddClient, WhoIs, UpdateClient, SendProposal, Onboard, FollowUp, WriteMail)
    proposes = ("books.write", "books.remind", "mail.send")

    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Do one request about a client."""
        try:
            wanted = intent_of(task, desk)
        except UnreadableEditError as error:
            return Proposal(ask=str(error))
        match wanted:
            case AddClient() as wish:
                return _add(wish, task, desk)
            case WhoIs() as wish:
                return await _who(wish, task, desk)
            case UpdateClient() as wish:
                return _update(wish, task, desk)
            case SendProposal() as wish:
                return await _propose(wish, task, desk)
            case Onboard() as wish:
                return await _onboard(wish, task, desk)
            case FollowUp() as wish:
                return await _follow_up(wish, task, desk)
            case WriteMail() as wish:
                return await _write_mail(wish, task, desk)
        raise NotImplementedError(f"clients does not know {task.intent.id()!r}")


# ── the record ────────────────────────────────────────────────────────────────────────────────────────────────────


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
    data: dict[str, Json] = {"name": name, "status": "active", "since": _today(desk).isoformat()}
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
    return {key.replace("_", " ").capitalize(): str(value) for key, value in data.items() if value}


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
    match = look_up(desk, wish.client)
    if match.record is None:
        return whom(task, wish.client, match.nearby)
    client = match.record
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
    call = ActionCall(
        name="books.write",
        args={"summary": f"{named(client)}: new {what}", "fields": fields},
        writes=(Write(kind="client", key=client.key, data={**client.data, **changed}),),
        needs=pinned(client),
        client=client.key,
    )
    return Proposal(calls=(call,), results={"client": client.key, **changed}, sources=cited(client))


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
    return {field: value} if field and value else {}


def _field_of(wish: UpdateClient, task: Task, client: Record) -> tuple[str, str]:
    if wish.field:
        return FIELDS.get(wish.field.casefold().removeprefix("new ").strip(), ""), wish.value.strip(" .")
    rest = task.text
    for name in (named(client), str(wish.client), client.key):
        rest = re.sub(rf"(?<![\w@)]){re.escape(name)}\b(?:'s|’s)?", " ", rest, count=1, flags=re.IGNORECASE)
    found = _SET.search(rest)
    return (FIELDS[found[1].casefold()], found[2].strip(" .\n")) if found else ("", "")


# ── letters ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def _propose(wish: SendProposal, task: Task, desk: Desk) -> Proposal:
    client = _recipient(wish.client, wish.email, task, desk)
    if isinstance(client, Proposal):
        return client
    reasons: list[str] = []
    what = (
        topic(wish.what)
        or _match(_OFFER, task.text, {named(client), str(wish.client)})
        or str(client.data.get("need") or "")
    )
    if not what:
        return Proposal(ask=f"What is the proposal to {named(client)} about?")
    price = ""
    if wish.amount:
        currency = str(client.data.get("currency") or desk.company.get("currency") or "EUR")
        price = str(wish.amount.in_currency(currency))
        if not wish.amount.currency:
            reasons.append(f"{currency}, as no currency was named.")
    else:
        reasons.append("No price was named, so the offer has none.")
    valid = _today(desk) + timedelta(days=PROPOSAL_VALID_DAYS)
    paragraphs = (
        f"thank you for your interest. Here is what I propose: {what}.",
        f"The price is {amount_words(price)} plus VAT where it applies."
        if price
        else "I will gladly name a price once we have spoken about the details.",
        f"This offer stands until {day_words(valid)}. A short reply to this mail is enough to accept it.",
    )
    needed = str(client.data.get("need_quote") or task.item_text)
    text, worded = await polish(
        desk,
        "clients",
        body(desk, contact(client), paragraphs),
        guidance=task.guidance,
        material=[(Origin.CLIENT, needed)] if needed else [],
    )
    key = free_key(desk, "proposal", f"{client.key}-{slug(what)[:24].strip('-') or 'offer'}")
    data: dict[str, Json] = {
        "client": client.key, "text": what, "amount": price, "status": "sent", "valid_until": valid.isoformat(),
        "sent": _today(desk).isoformat(),
    }  # fmt: skip
    mail = letter(
        to=[address(client)],
        subject=f"Proposal: {what}",
        text=text,
        client=client if client.version else None,
        key=client.key,
        writes=(*_first_written(client), Write(kind="proposal", key=key, data=data)),
        needs={f"proposal:{key}": 0},
    )
    return Proposal(
        calls=(mail,),
        results={"proposal": key, "client": client.key, "amount": price, "what": what},
        reasons=(*reasons, *worded),
        confidence_pct=90 if price else 75,
        sources=cited(client),
    )


async def _onboard(wish: Onboard, task: Task, desk: Desk) -> Proposal:
    client = _recipient(wish.client, wish.email, task, desk)
    if isinstance(client, Proposal):
        return client
    data = {**client.data, "status": "active", "onboarded": _today(desk).isoformat()}
    if wish.plan:
        data["plan"] = wish.plan
    note = ActionCall(
        name="books.write",
        args={
            "summary": f"{named(client)} is an active client",
            "fields": {"Status": "active", **({"Plan": wish.plan} if wish.plan else {})},
        },
        writes=(Write(kind="client", key=client.key, data=data),),
        needs={f"client:{client.key}": client.version},
        client=client.key,
    )
    paragraphs = (
        "welcome, and thank you for your trust." + (f" You have chosen {wish.plan}." if wish.plan else ""),
        (
            "Here is what happens next: I set everything up, and you hear from me within two working days. "
            "If there is anything I should know beforehand, just reply to this mail."
        ),
    )
    text, worded = await polish(desk, "clients", body(desk, contact(client), paragraphs), guidance=task.guidance)
    # The books' call before it writes the client anew, so the mail cannot pin the version it sees now.
    mail = letter(to=[address(client)], subject=f"Welcome to {desk.company['name']}", text=text, key=client.key)
    check_ins = [
        _reminder(desk, f"Check in with {named(client)}: {days} days since the start", _morning(desk, days), client.key)
        for days in CHECK_IN_DAYS
    ]
    return Proposal(
        calls=(note, mail, *check_ins),
        results={"client": client.key, "check_ins": [call.args["when"] for call in check_ins]},
        reasons=(f"Check-ins after {' and '.join(str(days) for days in CHECK_IN_DAYS)} days.", *worded),
        sources=cited(client),
    )


async def _follow_up(wish: FollowUp, task: Task, desk: Desk) -> Proposal:
    match = look_up(desk, wish.client)
    if match.record is None:
        return whom(task, wish.client, match.nearby)
    client = match.record
    what = wish.what or _match(_ABOUT, task.text, {named(client), str(wish.client)}, desk)
    when = wish.when or (_at_nine(wish.day, desk) if wish.day else None)
    if when and when > desk.now:
        text = f"Follow up with {named(client)}" + (f" on {what}" if what else "")
        call = _reminder(desk, text, when.astimezone(desk.zone), client.key)
        return Proposal(calls=(call,), results={"client": client.key, "when": call.args["when"]}, sources=cited(client))
    if not address(client):
        return _no_address(client)
    offer = next(
        (p for p in reversed(desk.records("proposal", client=client.key)) if p.data.get("status") == "sent"), None
    )
    subject = what or (str(offer.data["text"]) if offer else "our last conversation")
    opened = f"I sent you my proposal on {day_words(offer.data['sent'])}. " if offer and offer.data.get("sent") else ""
    paragraphs = (
        f"{opened}I wanted to ask how things stand with {subject}.",
        "If anything is unclear or has changed, tell me. A short answer is all I need.",
    )
    text, worded = await polish(desk, "clients", body(desk, contact(client), paragraphs), guidance=task.guidance)
    mail = letter(to=[address(client)], subject=f"Following up: {subject}", text=text, client=client)
    return Proposal(
        calls=(mail,),
        results={"client": client.key},
        reasons=worded,
        sources=cited(client, *([offer] if offer else [])),
    )


async def _write_mail(wish: WriteMail, task: Task, desk: Desk) -> Proposal:
    client: Record | None = None
    to = str(wish.email or "")
    if wish.client:
        match = look_up(desk, wish.client)
        if match.record is None and not to:
            return whom(task, wish.client, match.nearby)
        client = match.record
        if client and not to and not (to := address(client)):
            return _no_address(client)
    if not to:
        return Proposal(ask="To whom shall I write?")
    said = (wish.what or _match(_SAYS, task.text, set())).strip()
    if not said:
        return Proposal(ask=f"What shall the mail to {named(client) if client else to} say?")
    sentence = said[0].upper() + said[1:] + ("" if said[-1] in ".!?" else ".")
    draft = body(desk, contact(client) if client else "", (sentence,))
    wanted = task.guidance or (f"Write this mail. In the operator's own words: {task.text}" if task.text else "")
    text, worded = await polish(desk, "clients", draft, guidance=wanted) if wanted else (draft, ())
    if not task.guidance:
        # Nobody asked for another wording; that no model was there is no news.
        worded = tuple(reason for reason in worded if not reason.startswith("I could not follow"))
    subject = wish.subject or _headed(said)
    mail = letter(to=[to], subject=subject, text=text, client=client)
    return Proposal(calls=(mail,), results={"to": to}, reasons=worded, sources=cited(client) if client else ())


def _recipient(said: str, email: str | None, task: Task, desk: Desk) -> Record | Proposal:
    """Return the client to write to, with an address; a newcomer when one was typed along."""
    match = look_up(desk, said)
    if match.record is None:
        if not email or match.nearby:
            return whom(task, said, match.nearby)
        return Record("client", slug(said), 0, {"name": said, "email": email, "status": "lead"}, desk.now, "")
    client = match.record
    if address(client):
        return client
    if not email:
        return _no_address(client)
    return Record(client.kind, client.key, client.version, {**client.data, "email": email}, client.at, client.task)


def _first_written(client: Record) -> tuple[Write, ...]:
    return () if client.version else (Write(kind="client", key=client.key, data=dict(client.data)),)


def _no_address(client: Record) -> Proposal:
    name = named(client)
    return Proposal(
        ask=f"I have no e-mail address for {name}. Tell me: update {name} email their@address. Then ask again."
    )


def _reminder(desk: Desk, text: str, when: datetime, client: str) -> ActionCall:
    key = free_key(desk, "reminder", f"{when:%Y-%m-%d}-{slug(text)[:32].strip('-')}")
    data: dict[str, Json] = {"text": text, "when": when.isoformat(), "client": client, "status": "waiting"}
    return ActionCall(
        name="books.remind",
        args={"text": text, "when": when.isoformat()},
        writes=(Write(kind="reminder", key=key, data=data),),
        needs={f"reminder:{key}": 0},
        client=client,
    )


def _morning(desk: Desk, days: int) -> datetime:
    later = desk.now.astimezone(desk.zone) + timedelta(days=days)
    return later.replace(hour=9, minute=0, second=0, microsecond=0)


def _at_nine(day: object, desk: Desk) -> datetime:
    return datetime.fromisoformat(f"{day}T09:00:00").replace(tzinfo=desk.zone)


def _today(desk: Desk) -> Day:
    return desk.now.astimezone(desk.zone).date()


def _match(pattern: re.Pattern[str], text: str, names: set[str], desk: Desk | None = None) -> str:
    """Return what a pattern finds in the operator's words, unless it is only the client's name or a date."""
    found = pattern.search(text)
    said = found[1].strip(" .,") if found else ""
    if not said or said.casefold() in {name.casefold() for name in names}:
        return ""
    if desk:
        spans = find_spans(said, desk.now, desk.zone, desk.company.get("locale", "en"))
        if any(slot.start == 0 and slot.end >= len(said) - 1 for slot in spans):
            return ""
    return said


def _headed(said: str) -> str:
    """Return a subject: the first words of what is said."""
    words = said.split()
    head = " ".join(words[:8]).rstrip(",.;:!?")
    return head[0].upper() + head[1:] + ("…" if len(words) > 8 else "")  # noqa: PLR2004 - a subject's length
