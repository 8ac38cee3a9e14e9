"""Support: a mail that came in, who wrote it, which playbook it fits, and a reply to look at.

The reply goes to the sender alone, in the same thread. Its text is the playbook's; a model may improve the wording and
may not bring a fact. Machines are not answered (RFC 3834), and one thread gets only so many replies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from agents.base import ActionCall, Agent, Choice, Desk, Intent, Proposal, Record, Risk, Source, Task, Write, money
from agents.bill import OPEN, outstanding
from agents.demand import brought
from agents.directory import address, cited, contact, named, slug, the_client
from agents.edits import with_edits
from agents.letter import amount_words, body, day_words, letter, polish, signature
from agents.percept import Percept, line, memory_of, perceive
from agents.playbook import Playbook, playbooks, suggested
from agents.slots import ClientName
from agents.tone import manner_of
from memory.events import Json, Origin

REPLIES_PER_THREAD_MAX = 3  # two machines writing to each other must come to an end
QUOTED_LINES_MAX = 12  # of the mail, as shown to the operator
HISTORY_MAX = 4  # remembered lines about the client
ADVICE_MAX = 300  # characters of a playbook's own words on a card
HISTORY_LINE_MAX = 160  # characters of each

_YES = re.compile(
    r"\b(we|i) (gladly |happily |hereby )?accept\b|\bgo ahead\b|\bsounds good\b|\bit.s a deal\b"
    r"|\blet.s do it\b|\bagreed\b"
    r"|\b(wir|ich) nehme?n? (das|ihr|dein) angebot an\b|\beinverstanden\b|\bangenommen\b|\blegen sie los\b",
    re.IGNORECASE,
)
_QUOTE_HEAD = re.compile(
    r"^(?:on [^\n]{5,120}\n?[^\n]{0,80}wrote:|am [^\n]{5,120}\n?[^\n]{0,80}schrieb[^\n]{0,80}:)[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_FORWARDED = re.compile(
    r"^(?:-{2,} ?(?:original message|forwarded message|ursprüngliche nachricht|weitergeleitete nachricht) ?-{2,}|(?:from|von): [^\n]+@)",
    re.IGNORECASE | re.MULTILINE,
)
CLOSINGS = {"de": "Viele Grüße"}  # where the operator's letters show no other; English has its own
_NO = re.compile(r"\b(not|cannot|can.t|decline|before we|unless|if you|nicht|leider|sofern|bevor wir)\b", re.IGNORECASE)


class Triage(Intent):
    """Look at a mail that came in: who wrote it, what it is about, and what to answer."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    thinks: ClassVar[str] = "small"
    examples: ClassVar[tuple[str, ...]] = (
        "triage my inbox",
        "go through the new mail",
        "what came in today by mail?",
        "sort the support requests",
        "check the inbox",
        "any new support mails?",
        "look at the latest tickets",
        "process the incoming mails",
        "what do customers want?",
        "handle the support queue",
        "any mail that needs an answer?",
        "deal with the open tickets",
        "see what's in the mailbox",
        "did anybody write?",
        "triag the inbox pls",
        "is there any new mail?",
        "who has written to us?",
        "sort the tickets of today",
        "new messages in the inbox?",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "go through my inbox",
        "are there new mails?",
        "sort today's tickets",
        "work through the support mails",
        "who wrote to us?",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "write Acme a mail",
        "reply to Anna that we are on it",
        "what's unpaid?",
        "summarise this page",
        "what's on today?",
        "clean up my desk",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "triage my inbox",
        "check the inbox",
        "go through the new mail",
        "any new mail",
        "any new mails",
        "inbox",
        "my inbox",
        "new mail",
        "check my inbox",
        "check the mail",
        "check my mail",
        "what's in the inbox",
        "what's in my inbox",
        "any mail",
    )


class ReplyMail(Intent):
    """Answer a client's mail."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    thinks: ClassVar[str] = "small"
    examples: ClassVar[tuple[str, ...]] = (
        "reply to Acme that we fix it today",
        "answer Globex: yes, Tuesday works",
        "reply to Anna's mail that the invoice is attached",
        "respond to Initech and say thanks",
        "answer the support mail from Hooli",
        "write back to Stark that we are looking into it",
        "reply yes to Umbrella",
        "tell Wayne in reply that the price stands",
        "send an answer to Tyrell's question",
        "get back to Cyberdyne's mail: next week is fine",
        "answer the ticket of Wonka: please restart it",
        "respond to Duff that the refund is on its way",
        "reply to the last mail with a thank you",
        "answer anna@acme.example that I agree",
        "replay to globex that its done",
        "respond to Hooli: thanks for the feedback",
        "respond to Wayne: we received it",
        "reply to Stark: all good",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "reply to Hooli that the bug is fixed",
        "answer Stark's mail: we start Monday",
        "write back to Umbrella that it ships today",
        "respond to Acme: thanks for the files",
        "reply to the ticket from Wayne",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "write Acme that the draft is ready",
        "follow up with Globex",
        "did Initech reply?",
        "check the inbox",
        "send a reminder to Hooli",
        "forward the mail to my accountant",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "reply to {client} that {what}",
        "answer {client}: {what}",
        "reply to {client}: {what}",
        "write back to {client} that {what}",
        "write {client} back that {what}",
        "write {client} back: {what}",
        "reply to {client} {what}",
        "answer {client} that {what}",
        "answer {client} {what}",
        "get back to {client}: {what}",
        "respond to {client}: {what}",
        "respond to {client} that {what}",
        "reply: {what}",
    )
    asks: ClassVar[Mapping[str, str]] = {"what": "What shall I answer?"}

    client: ClientName | None = None
    what: str = ""


class Support(Agent):
    """Reads what clients write, and drafts what they hear back."""

    intents = (Triage, ReplyMail)
    proposes = ("mail.send",)

    @with_edits
    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Look at a mail, or answer one."""
        match task.intent:
            case Triage():
                return await _triage(task, desk) if task.item else _tickets(desk)
            case ReplyMail() as wish:
                return await _reply(wish, task, desk)
        raise NotImplementedError(f"support does not know {task.intent.id()!r}")


async def _triage(task: Task, desk: Desk) -> Proposal:
    item = task.item or {}
    percept = perceive(item, task.item_text, desk, task.item_kind)
    kept = memory_of(percept, f"mail:{item.get('message_id') or ''}", str(item.get("thread") or ""))
    looked = await _looked_at(percept, item, task, desk)
    if bill := await brought(item, task.item_text, percept, desk):
        choices = () if looked.calls else (bill.choice, *looked.choices)
        looked = replace(looked, say=f"{looked.say}\n{bill.words}", choices=choices)
        kept = (*kept, *bill.remember)
    return replace(looked, remember=kept)


async def _looked_at(percept: Percept, item: Mapping[str, Json], task: Task, desk: Desk) -> Proposal:
    shown = _shown(percept)
    if quiet := _not_answered(percept, item, desk):
        return Proposal(say=f"{shown}\n{quiet}")
    client = percept.client
    said = own_words(percept.quote)
    history, sources = await _history(client, said, percept, desk)
    if client and (accepted := _acceptance(client, said, desk)):
        return Proposal(say=f"{shown}\n{accepted[0]}", choices=accepted[1], sources=cited(client))
    fitting = suggested(f"{percept.facts.get('need', '')}\n{said}", playbooks(desk.playbooks))
    invoice = _newest(client, desk) if client else None
    known = _known(client, invoice, item, desk)
    if book := next((each for each in fitting if set(_PLACE.findall(each.reply)) <= known.keys()), None):
        return await _answered(book, known, percept, item, task, desk, sources, invoice)
    why = "No playbook fits, so nothing is drafted."
    if fitting:
        lacks = ", ".join(LACKING[name] for name in _PLACE.findall(fitting[0].reply) if name not in known)
        why = f"It fits {fitting[0].title!r}, but {lacks}."
    return Proposal(say="\n".join([shown, *history, why]), choices=_by_hand(client, percept), sources=sources)


def _by_hand(client: Record | None, percept: Percept) -> tuple[Choice, ...]:
    """Return what can be said where nothing is drafted; what it says is on the card that comes of it."""
    if client is None:
        return (Choice(label="Write to them", text=f"mail {percept.sender} that "),)
    seen = "I have your mail and come back to you within two working days"
    return (
        Choice(label="Reply", text=f"reply to {named(client)} that "),
        Choice(label="Say I have it", text=f"reply to {named(client)} that {seen}"),
    )


_PLACE = re.compile(r"\{(invoice|number|owed|project|files)\}")
LACKING = {
    "invoice": "no invoice to this sender is on the books",
    "number": "no invoice to this sender is on the books",
    "owed": "nothing is open that could be told of",
    "project": "no project of theirs is running",
    "files": "no file came with it",
}


def _known(client: Record | None, invoice: Record | None, item: Mapping[str, Json], desk: Desk) -> dict[str, str]:
    """Return what our books say for a reply: of the client who wrote and of nobody else."""
    known = {}
    names = [line(str(each.get("name") or ""), 80) for each in item.get("attachments") or () if isinstance(each, dict)]
    if any(names):
        known["files"] = ", ".join(filter(None, names))
    if client is None:
        return known
    if invoice:
        known |= {"number": invoice.key, "invoice": f"invoice {invoice.key} over {amount_words(invoice.data['total'])}"}
    open_ = [each for each in desk.records("invoice", client=client.key) if each.data["status"] in OPEN]
    if open_:
        known["owed"] = "\n".join(
            f"- {each.key}: {amount_words(money(*outstanding(each)))}, due on {day_words(each.data['due'])}"
            for each in open_
        )
    running = desk.records("project", client=client.key, status="running")
    if running:
        known["project"] = "\n".join(map(_progress, running))
    return known


def _progress(project: Record) -> str:
    points = project.data["checkpoints"]
    left = [point for point in points if not point["done"]]
    coming = f", next is {left[0]['name']}, planned for {day_words(left[0]['day'])}" if left else ""
    return f"- {project.data['name']}: {len(points) - len(left)} of {len(points)} steps done{coming}"


def own_words(text: str) -> str:
    """Return what somebody wrote in this mail, without what it quotes; all of it when nothing else is there."""
    cut = _FORWARDED.search(text)
    head = _QUOTE_HEAD.sub("", text[: cut.start()] if cut else text)
    own = "\n".join(row for row in head.splitlines() if not row.startswith(">")).strip()
    return own or text


async def _answered(
    book: Playbook,
    known: Mapping[str, str],
    percept: Percept,
    item: Mapping[str, Json],
    task: Task,
    desk: Desk,
    sources: tuple[Source, ...],
    invoice: Record | None,
) -> Proposal:
    client = percept.client
    needs_invoice = bool({"invoice", "number"} & set(_PLACE.findall(book.reply)))
    first = (contact(client) if client else percept.facts.get("name", "")).split(maxsplit=1)
    text = book.reply.replace(" {name}", f" {first[0]}" if first else "")
    text = _PLACE.sub(lambda found: known[found[1]], text)
    key = client.key if client else ""
    draft, worded = await polish(
        desk,
        "support",
        f"{text}\n\n{signature(desk, manner_of(desk, key).sign_off or CLOSINGS.get(book.language, ''))}",
        guidance=task.guidance,
        material=[(Origin.CLIENT if client else Origin.STRANGER, percept.quote)],
        client=key,
    )
    low = book.risk == "low" and client is not None
    mail = _mail(percept, item, draft, book, desk, [invoice.data["pdf"]] if needs_invoice and invoice else [])
    reasons = (
        f"Fits the playbook {book.title!r}, risk {book.risk}.",
        f"From {named(client)}, on the books." if client else f"{percept.sender} is not on the books.",
        *_advice(book),
        *worded,
    )
    return Proposal(
        say=_shown(percept),
        calls=(mail,),
        results={"playbook": book.name, "risk": "low" if low else "high", "client": client.key if client else ""},
        confidence_pct=90 if low else 60,
        reasons=reasons,
        sources=sources,
    )


def _advice(book: Playbook) -> tuple[str, ...]:
    """Return what a playbook says to the operator below its heading: what the reply does not do by itself."""
    words = line(re.sub(r"^#[^\n]*$", "", book.prose, flags=re.MULTILINE), ADVICE_MAX)
    return (words,) if words else ()


def _mail(
    percept: Percept, item: Mapping[str, Json], text: str, book: Playbook, desk: Desk, files: list[Json]
) -> ActionCall:
    client = percept.client
    thread = _thread(item, percept)
    before = desk.record("ticket", thread)
    subject = percept.facts.get("need", "")
    ticket: dict[str, Json] = {
        "client": client.key if client else "", "from": percept.sender, "subject": subject, "status": "answered",
        "playbook": book.name, "message_id": str(item.get("message_id") or ""),
        "references": list(item.get("references") or []),
        "replies": int(before.data.get("replies", 0)) + 1 if before else 1,
    }  # fmt: skip
    return letter(
        to=[percept.sender],
        subject=subject if subject.casefold().startswith("re:") else f"Re: {subject or 'your mail'}",
        text=text,
        client=client,
        attachments=files,
        reply_to=item,
        writes=(Write(kind="ticket", key=thread, data=ticket),),
    )


def _not_answered(percept: Percept, item: Mapping[str, Json], desk: Desk) -> str:
    """Return why nobody answers this, or nothing."""
    if not percept.sender:
        return "It names no sender that could be answered."
    if percept.automatic:
        return "A machine wrote it, so it is not answered."
    if percept.sender.casefold() == desk.company.get("email", "").casefold():
        return "It comes from our own address, so it is not answered."
    ticket = desk.record("ticket", _thread(item, percept))
    if ticket and int(ticket.data.get("replies", 0)) >= REPLIES_PER_THREAD_MAX:
        return f"This thread had {REPLIES_PER_THREAD_MAX} replies from a playbook; the next one is yours."
    return ""


def _thread(item: Mapping[str, Json], percept: Percept) -> str:
    root = str(item.get("thread") or item.get("message_id") or percept.facts.get("need") or "mail")
    return slug(f"{percept.sender} {root}")[:80]


def _acceptance(client: Record, said: str, desk: Desk) -> tuple[str, tuple[Choice, ...]] | None:
    """A yes to an open proposal is shown with a button; the words of a mail never start anything by themselves."""
    offers = [p for p in desk.records("proposal", client=client.key) if p.data.get("status") == "sent"]
    if not offers or not _YES.search(said) or _NO.search(said):
        return None
    name = named(client)
    text = f"This reads like a yes to the proposal {offers[-1].data['text']!r}."
    return text, (
        Choice(label="Start the engagement", text=f"{name} accepted the proposal"),
        Choice(label="Just reply", text=f"reply to {name} that "),
    )


async def _history(
    client: Record | None, said: str, percept: Percept, desk: Desk
) -> tuple[list[str], tuple[Source, ...]]:
    if client is None:
        return [f"{percept.sender or 'The sender'} is not on the books."], ()
    rows = [f"{named(client)}, {client.data.get('status') or 'client'}."]
    for invoice in desk.records("invoice", client=client.key):
        if invoice.data["status"] in OPEN:
            left, currency = outstanding(invoice)
            rows.append(f"- {invoice.key}: {amount_words(money(left, currency))} open")
    recalled = await desk.recall(said[:400], client=client.key, k=HISTORY_MAX)
    rows += [f"- {line(found.text, HISTORY_LINE_MAX)}" for found in recalled]
    return rows, (*cited(client), *(Source(ref=f.ref, text=f.text, origin=f.origin) for f in recalled))


def _newest(client: Record, desk: Desk) -> Record | None:
    known = [
        r for r in desk.records("invoice", client=client.key) if r.data.get("pdf") and r.data["status"] != "cancelled"
    ]
    return max(known, key=lambda record: (str(record.data["issued"]), record.key), default=None)


def _tickets(desk: Desk) -> Proposal:
    tickets = sorted(desk.records("ticket"), key=lambda record: record.at, reverse=True)[:QUOTED_LINES_MAX]
    if not tickets:
        return Proposal(say="No mail has been answered yet. New mail is looked at as it comes in.")
    rows = [f"- {t.data['from']}: {t.data['subject'] or 'no subject'} ({t.data['status']})" for t in tickets]
    return Proposal(say="\n".join(["Mail answered lately:", *rows]), sources=cited(*tickets))


async def _reply(wish: ReplyMail, task: Task, desk: Desk) -> Proposal:
    if not wish.client:
        return Proposal(ask="Whose mail shall I answer?")
    client = the_client(wish.client, task, desk)
    if isinstance(client, Proposal):
        return client
    said = wish.what or _after(task.text)
    if not said:
        return Proposal(ask=f"What shall I answer {named(client)}?")
    if not (to := address(client)):
        return Proposal(ask=f"I have no e-mail address for {named(client)}.")
    tickets = list(desk.records("ticket", client=client.key))
    last = max(tickets, key=lambda record: record.at, default=None)
    sentence = said[0].upper() + said[1:] + ("" if said[-1] in ".!?" else ".")
    draft = body(desk, contact(client), (sentence,), client.key)
    text, worded = await polish(desk, "support", draft, guidance=task.guidance) if task.guidance else (draft, ())
    subject = str(last.data["subject"]) if last else ""
    mail = letter(
        to=[str(last.data["from"]) if last else to],
        subject=subject if subject.casefold().startswith("re:") else f"Re: {subject or said[:60]}",
        text=text,
        client=client,
        reply_to={"message_id": last.data["message_id"], "references": last.data["references"]} if last else None,
    )
    reasons = () if last else ("No mail of theirs is at hand, so this begins a new thread.",)
    return Proposal(calls=(mail,), results={"client": client.key}, reasons=(*reasons, *worded), sources=cited(client))


def _after(text: str) -> str:
    found = re.search(r"(?:\bthat\b|\bsay(?:ing)?\b|:)\s*(.+)$", text, re.IGNORECASE | re.DOTALL)
    return found[1].strip() if found else ""


def _shown(percept: Percept) -> str:
    who = named(percept.client) if percept.client else percept.facts.get("name") or percept.sender or "somebody"
    head = f"Mail from {who}" + (f": {percept.facts['need']}" if percept.facts.get("need") else "")
    return "\n".join([head, *(f"> {line}" for line in percept.quote.splitlines()[:QUOTED_LINES_MAX])])
