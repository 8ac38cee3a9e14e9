"""Every action that changes the world, as a row: how a test does it, and how its provider's own ledger counts it.

A row is one situation of one action, for an action may promise more where its provider can be looked at: a mail with
nobody to ask is at most once and then UNKNOWN, a mail whose provider files copies is exactly once. `asks` holds the points
after which nobody but the operator can know; everywhere else the promise is exactly once, without a question.

A new action without a row here fails `test_t01_deeds`.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from memory.files import FileStore
from tests.counterparts.bluesky import COLLECTION as POSTS
from tests.counterparts.bluesky import DID
from tests.counterparts.caldav import COLLECTION
from tests.torture.town import Town, git

POINTS = ("sending", "during", "taken", "answered", "written")
OURS = ("sending", "answered", "written")
"""Points where there is no other process that could be reached: a folder on this machine."""
BOOKS = ("answered", "written")
"""Our own books: before and after the one commit that does it all."""

Report = Mapping[str, Any]
Call = dict[str, Any]


@dataclass(frozen=True)
class Deed:
    """One action in one situation. ``words`` is a name that is all its own; calls and ledgers find it by that."""

    action: str
    call: Callable[[Town, Path, str], Call]
    count: Callable[[Town, Path, str, Report], int]
    situation: str = ""
    points: tuple[str, ...] = POINTS
    asks: frozenset[str] = frozenset()
    evidence: str = ""  # what the UNKNOWN card says, among other things
    imap: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    where: str = ""
    gap_h: float = 1.0  # between two lives
    said: str = ""  # said before it, with the words in it

    @property
    def name(self) -> str:
        return f"{self.action} {self.situation}".strip()


# ── mail ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _mail(action: str) -> Callable[[Town, Path, str], Call]:
    def call(town: Town, home: Path, words: str) -> Call:
        del town, home
        return {"name": action, "args": {"to": ["anna@acme.example"], "subject": words, "body": f"Hello {words}"}}

    return call


def _own_draft(words: str) -> str:
    return f"<{hashlib.sha256(words.encode()).hexdigest()[:32]}@berg.example>"


def _discard(town: Town, home: Path, words: str) -> Call:
    raw = f"Message-ID: {_own_draft(words)}\r\nSubject: {words}\r\n\r\nHello\r\n".encode()
    if town.imap is not None:
        town.imap.deliver(raw, "Drafts")
    place = home / "outbox" / "drafts"
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{_own_draft(words)[1:33]}.eml").write_bytes(raw)
    return {"name": "mail.discard", "args": {"message_id": _own_draft(words)}}


def _in_folder(home: Path, folder: str, words: str) -> int:
    wanted = f"Subject: {words}".encode()
    return sum(wanted in path.read_bytes().splitlines() for path in (home / folder).glob("*.eml"))


# ── calendar ──────────────────────────────────────────────────────────────────────────────────────────────────────

START, END = "2026-04-01T10:00:00+02:00", "2026-04-01T11:00:00+02:00"
LATER, LATER_END = "2026-04-02T10:00:00+02:00", "2026-04-02T11:00:00+02:00"


def _event(words: str) -> str:
    lines = [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", "BEGIN:VEVENT", f"UID:{words}@soloist",
        "DTSTAMP:20260301T090000Z", "DTSTART:20260401T080000Z", "DTEND:20260401T090000Z", f"SUMMARY:{words}",
        "END:VEVENT", "END:VCALENDAR", "",
    ]  # fmt: skip
    return "\r\n".join(lines)


def _book(town: Town, home: Path, words: str) -> Call:
    del town, home
    return {"name": "calendar.book", "args": {"title": words, "start": START, "end": END}}


def _move(town: Town, home: Path, words: str) -> Call:
    del home
    town.calendar.put(f"{words}@soloist.ics", _event(words))
    args = {"event": f"{words}@soloist", "title": words, "start": LATER, "end": LATER_END}
    return {"name": "calendar.move", "args": args}


def _cancel(town: Town, home: Path, words: str) -> Call:
    del home
    town.calendar.put(f"{words}@soloist.ics", _event(words))
    return {"name": "calendar.cancel", "args": {"event": f"{words}@soloist", "title": words, "start": START}}


def _restore(town: Town, home: Path, words: str) -> Call:
    del town
    copy = FileStore(home / "files").put(_event(words).encode())
    args = {"event": f"{words}@soloist", "title": words, "start": START, "copy": copy}
    return {"name": "calendar.restore", "args": args}


def _note(town: Town, home: Path, words: str) -> Call:
    del town, home
    return {"name": "calendar.note", "args": {"title": words, "when": START}}


def _strike(town: Town, home: Path, words: str) -> Call:
    del home
    town.calendar.put(f"{words}@soloist.ics", _event(words))
    return {"name": "calendar.strike", "args": {"event": f"{words}@soloist", "title": words, "when": START}}


def _moved(town: Town, home: Path, words: str, report: Report) -> int:
    del home, report
    there = any("DTSTART:20260402T080000Z" in text for text in town.events(words))
    return town.calendar_front.took["PUT", f"{COLLECTION}{words}@soloist.ics"] if there else 0


def _cancelled(town: Town, home: Path, words: str, report: Report) -> int:
    del home, report
    return 0 if town.events(words) else town.calendar_front.took["DELETE", f"{COLLECTION}{words}@soloist.ics"]


# ── money ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _refund(town: Town, home: Path, words: str) -> Call:
    del home
    town.kept[words] = town.stripe.charge(5000)
    return {"name": "stripe.refund", "args": {"charge": town.kept[words], "amount": "5.00 EUR"}}


def _transfer(town: Town, home: Path, words: str) -> Call:
    del town, home
    args = {
        "payee": f"{words} GmbH <DE89370400440532013000>", "amount": "5.00 EUR", "text": words, "holder": "Lind Studio",
        "from_account": "DE02120300000000202051",
    }  # fmt: skip
    return {"name": "bank.transfer", "args": args}


def _order_id(words: str) -> str:
    return f"SOL{hashlib.sha256(words.encode()).hexdigest()[:24]}"


def _withdraw(town: Town, home: Path, words: str) -> Call:
    del town
    folder = home / "outbox" / "bank"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{words}-{_order_id(words)}.xml").write_text(words)
    return {"name": "bank.withdraw", "args": {"order": _order_id(words), "what": words}}


def _orders(home: Path, words: str) -> int:
    return sum(words in path.read_text() for path in (home / "outbox" / "bank").glob("*.xml"))


def _link(town: Town, home: Path, words: str) -> Call:
    del town, home
    args = {"amount": "49.00 EUR", "description": f"For {words}", "reference": words}
    return {"name": "stripe.payment_link", "args": args}


def _close(town: Town, home: Path, words: str) -> Call:
    del home
    made = {"id": f"plink_{words}", "object": "payment_link", "active": True, "url": "https://buy.stripe.example/x"}
    town.stripe._objects[f"/v1/payment_links/plink_{words}"] = made
    return {"name": "stripe.close_link", "args": {"link": f"plink_{words}"}}


# ── posts ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _publish(town: Town, home: Path, words: str) -> Call:
    del town, home
    return {"name": "blog.publish", "args": {"slug": words, "title": words, "body": f"About {words}."}}


def _by_hand(town: Town, words: str) -> Path:
    path = town.site / "posts" / f"{words}.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"About {words}.\n")
    git(town.site, "add", ".")
    git(town.site, "commit", "-q", "-m", f"Write {words}")
    git(town.site, "push", "-q", "origin", "main")
    return path


def _unpublish(town: Town, home: Path, words: str) -> Call:
    del home
    _by_hand(town, words)
    return {"name": "blog.unpublish", "args": {"slug": words}}


def _put_back(town: Town, home: Path, words: str) -> Call:
    del home
    path = _by_hand(town, words)
    commit = git(town.site, "rev-parse", "HEAD")
    git(town.site, "rm", "-q", str(path))
    git(town.site, "commit", "-q", "-m", f"Remove {words}")
    git(town.site, "push", "-q", "origin", "main")
    return {"name": "blog.put_back", "args": {"slug": words, "commit": commit}}


def _rkey(words: str) -> str:
    letters = "234567abcdefghijklmnopqrstuvwxyz"
    return "3" + "".join(letters[byte % 32] for byte in hashlib.sha256(words.encode()).digest()[:12])


def _reply(town: Town, home: Path, words: str) -> Call:
    del home
    asked = _rkey(f"asked {words}")
    record = {"$type": POSTS, "text": f"What is {words}?", "createdAt": "2026-03-01T09:00:00.000Z"}
    town.bluesky.repo[asked] = ("bafyreitwo", record)
    args = {"text": words, "uri": f"at://{DID}/{POSTS}/{asked}", "who": "@anna.bsky.example"}
    return {"name": "bluesky.reply", "args": args}


def _delete(town: Town, home: Path, words: str) -> Call:
    del home
    record = {"$type": POSTS, "text": words, "createdAt": "2026-03-01T09:00:00.000Z"}
    town.bluesky.repo[_rkey(words)] = ("bafyreione", record)
    return {"name": "bluesky.delete", "args": {"uri": f"at://{DID}/{POSTS}/{_rkey(words)}"}}


# ── our own books, and what we know ───────────────────────────────────────────────────────────────────────────────


def _entry(name: str, words: str, **args: Any) -> Call:
    entries = [
        {"account": "assets:a", "amount": "5.00 EUR", "note": words},
        {"account": "income:b", "amount": "-5.00 EUR", "note": ""},
    ]
    return {
        "name": name, "args": {"summary": words, **args}, "entries": entries if name != "books.remind" else [],
        "writes": [{"kind": "thing", "key": words, "data": {"v": 1}}],
    }  # fmt: skip


def _in_books(town: Town, home: Path, words: str, report: Report) -> int:
    del town, home
    books = report["books"]
    return max(int(books["things"].get(words, 0)), int(books["posted"].count(words)))


def _forget(town: Town, home: Path, words: str) -> Call:
    del town, home
    return {"name": "memory.forget", "args": {"what": words, "names": [words], "going": "What is known."}}


def _forgotten(town: Town, home: Path, words: str, report: Report) -> int:
    """Whether the words are gone from what was said; doing it twice is the same as once."""
    del town, report
    with sqlite3.connect(home / "soloist.db") as raw:
        heard = raw.execute("SELECT body FROM events WHERE type = 'MessageReceived'").fetchall()
    raw.close()
    met = [str(json.loads(body).get("text")) for (body,) in heard if "met" in str(body)]
    return 0 if any(words in text for text in met) else 1


SILENT = frozenset({"sending", "during", "taken", "answered"})

DEEDS = (
    Deed(
        "mail.send",
        _mail("mail.send"),
        lambda town, home, words, report: town.mails(words),
        "with nobody to ask",
        asks=SILENT,
        evidence="No IMAP is set up",
    ),
    Deed(
        "mail.send",
        _mail("mail.send"),
        lambda town, home, words, report: town.mails(words),
        "where the provider files copies",
        imap="files",
    ),
    Deed(
        "mail.send",
        _mail("mail.send"),
        lambda town, home, words, report: town.mails(words),
        "where we file the copy",
        imap="look",
        asks=frozenset({"sending", "during", "taken"}),
        evidence="There is no copy in Sent",
    ),
    Deed(
        "mail.send",
        _mail("mail.send"),
        lambda town, home, words, report: _in_folder(home, "outbox", words),
        "into a folder",
        points=OURS,
        settings={"SMTP_HOST": ""},
    ),
    Deed(
        "mail.draft",
        _mail("mail.draft"),
        lambda town, home, words, report: town.filed("Drafts", words),
        "in the mailbox",
        imap="look",
    ),
    Deed(
        "mail.draft",
        _mail("mail.draft"),
        lambda town, home, words, report: _in_folder(home, "outbox/drafts", words),
        "in a folder",
        points=OURS,
    ),
    Deed(
        "mail.discard",
        _discard,
        lambda town, home, words, report: 1 - town.filed("Drafts", words),
        "in the mailbox",
        imap="look",
    ),
    Deed(
        "mail.discard",
        _discard,
        lambda town, home, words, report: 1 - _in_folder(home, "outbox/drafts", words),
        "in a folder",
        points=OURS,
    ),
    Deed("calendar.book", _book, lambda town, home, words, report: len(town.events(words))),
    Deed("calendar.move", _move, _moved),
    Deed("calendar.cancel", _cancel, _cancelled),
    Deed("calendar.restore", _restore, lambda town, home, words, report: len(town.events(words))),
    Deed("calendar.note", _note, lambda town, home, words, report: len(town.events(words))),
    Deed("calendar.strike", _strike, _cancelled),
    Deed("stripe.refund", _refund, lambda town, home, words, report: len(town.stripe.refunds(town.kept[words]))),
    Deed(
        "stripe.refund",
        _refund,
        lambda town, home, words, report: len(town.stripe.refunds(town.kept[words])),
        "after the key is forgotten",
        gap_h=48,  # then it is looked for by its mark, and nobody is asked
    ),
    Deed(
        "stripe.payment_link",
        _link,
        lambda town, home, words, report: len(town.form(**{"metadata[reference]": words})),
        "at its price",
        where="prices",
    ),
    Deed(
        "stripe.payment_link",
        _link,
        lambda town, home, words, report: len(town.form(**{"metadata[reference]": words})),
        where="payment_links",
    ),
    Deed(
        "stripe.close_link",
        _close,
        lambda town, home, words, report: town.stripe.done[f"/v1/payment_links/plink_{words}"],
    ),
    Deed("bank.transfer", _transfer, lambda town, home, words, report: _orders(home, words), points=OURS),
    Deed("bank.withdraw", _withdraw, lambda town, home, words, report: 1 - _orders(home, words), points=OURS),
    Deed("blog.publish", _publish, lambda town, home, words, report: town.commits(f"Publish {words}")),
    Deed("blog.unpublish", _unpublish, lambda town, home, words, report: town.commits(f"Take {words} down")),
    Deed("blog.put_back", _put_back, lambda town, home, words, report: town.commits(f"Put {words} back")),
    Deed(
        "bluesky.post",
        lambda town, home, words: {"name": "bluesky.post", "args": {"text": words}},
        lambda town, home, words, report: sum(record["text"] == words for _, record in town.bluesky.repo.values()),
        where="Record$",
    ),
    Deed(
        "bluesky.reply",
        _reply,
        lambda town, home, words, report: sum(record["text"] == words for _, record in town.bluesky.repo.values()),
        where="Record$",
    ),
    Deed(
        "bluesky.delete",
        _delete,
        lambda town, home, words, report: 1 - sum(key == _rkey(words) for key in town.bluesky.repo),
        where="Record$",
    ),
    Deed(
        "mcp.keyed.add",
        lambda town, home, words: {"name": "mcp.keyed.add", "args": {"text": words}},
        lambda town, home, words, report: town.lines(words),
    ),
    Deed(
        "mcp.plain.add",
        lambda town, home, words: {"name": "mcp.plain.add", "args": {"text": words}},
        lambda town, home, words, report: town.lines(words),
        asks=SILENT,
        evidence="Please look at the other side",
    ),
    Deed("books.write", lambda town, home, words: _entry("books.write", words), _in_books, points=BOOKS),
    Deed(
        "books.issue",
        lambda town, home, words: _entry("books.issue", words, number=words, amount="5.00 EUR", kind="invoice"),
        _in_books,
        points=BOOKS,
    ),
    Deed(
        "books.remind",
        lambda town, home, words: _entry("books.remind", words, text=words, when="2027-01-01T09:00:00+00:00"),
        _in_books,
        points=BOOKS,
    ),
    Deed("memory.forget", _forget, _forgotten, points=OURS, said="I met {} yesterday"),
)

ANY_TOOL = "mcp."
"""Tools of MCP servers are the operator's; two rows stand for all: one with a key, one without."""
