"""A paper company behind the console: a small `Ear` and `Window` with realistic content, and the console served on it.

Nothing here decides anything worth testing; it answers like the house would, so that the console can be.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from bot.channels.base import Button, Card, EditField, Home, Message, NotWrittenError, RefusedPressError, Row
from bot.channels.web import TaskLine, TimelineLine, Turn, Web
from connectors.base import Role
from memory.events import Actor, Attachment, Place

KEY = "paper-key-0123456789abcdef"
NOW = datetime(2026, 3, 2, 9, 12, tzinfo=UTC)  # a Monday morning
COMMANDS = (
    ("approvals", "everything that waits for you"),
    ("digest", "today's letter, now"),
    ("help", "what I can do"),
    ("pause", "stop everything that reaches outside"),
    ("resume", "go on after a pause"),
    ("stuck", "what does not move, and why"),
    ("timeline", "what happened in a task"),
    ("undo", "take back the last thing that can be"),
    ("why", "why a task went as it did"),
)

LETTER = """Dear Jane,

please find attached invoice 2026-0001 over 1,428.00 EUR for the March retainer.
It is due on 16 March 2026; the payment details are on the invoice.

Thank you for the work together.

Kind regards
Robin Vale"""


def pdf(title: str) -> bytes:
    """A PDF of one page with one line, small enough to read here."""
    text = f"BT /F1 24 Tf 72 720 Td ({title}) Tj ET".encode()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(text), text),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    content, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(content))
        content += b"%d 0 obj%s endobj\n" % (number, body)
    start = len(content)
    content += b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    return content + b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % start


class PaperHouse:
    """Answers a few sentences, opens and settles cards, remembers what it was told. Also the `Window` on itself."""

    def __init__(self) -> None:
        self.web: Web | None = None
        self.turns: list[Turn] = []
        self.cards: dict[str, Card] = {}
        self.files: dict[str, tuple[bytes, str, str]] = {}
        self.heard_ids: dict[str, str] = {}
        self.heard_texts: list[tuple[str, Place, str]] = []
        self.presses: list[dict[str, Any]] = []
        self.press_ids: dict[str, str] = {}
        self.disk_full = ""
        self.broken = False
        self.gate: asyncio.Event | None = None  # when set, `heard` waits for it: a slow disk
        self.paused: tuple[str, ...] = ()
        self.stuck: tuple[str, ...] = ()
        self.changes = 0  # anything at all that a request changed
        self.talk: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {}
        self._task = 11

    # ── Ear ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def heard(
        self,
        event_id: str,
        text: str,
        actor: Actor,
        place: Place,
        *,
        files: tuple[Attachment, ...] = (),
        reply_to: str = "",
    ) -> str:
        if self.gate is not None:
            await self.gate.wait()
        if self.disk_full:
            raise NotWrittenError(self.disk_full)
        if self.broken:
            raise ZeroDivisionError("a mistake of ours")
        if event_id in self.heard_ids:
            return self.heard_ids[event_id]
        self.changes += 1
        self._task += 1
        task = str(self._task)
        self.heard_ids[event_id] = task
        self.heard_texts.append((text, place, reply_to))
        assert actor.user == "operator"
        self._turn(who="operator", text=text, files=files, task=task)
        answer = self.talk.get(text)
        if answer is not None:
            await answer()
        return task

    async def pressed(
        self,
        event_id: str,
        handle: str,
        verb: str,
        actor: Actor,
        place: Place,
        *,
        reason: str = "",
        edits: dict[str, Any] | None = None,
        until: datetime | None = None,
    ) -> str:
        if self.disk_full:
            raise NotWrittenError(self.disk_full)
        if event_id in self.press_ids:
            return self.press_ids[event_id]
        card = next((c for c in self.cards.values() if any(b.handle == handle for b in c.buttons)), None)
        if card is None:
            raise RefusedPressError("That button is from an older version of this card. Nothing was done.")
        self.changes += 1
        self.presses.append(
            {"id": event_id, "card": card.id, "verb": verb, "reason": reason, "edits": edits, "until": until}
        )
        sentence, after = self._after(card, verb, reason, edits, until)
        self.press_ids[event_id] = sentence
        await self.put(after, fresh=after.revision > card.revision)
        return sentence

    def card(self, card_id: str) -> Card | None:
        return self.cards.get(card_id)

    def card_of(self, channel: str, conversation: str, ref: str) -> str | None:
        return ref if ref in self.cards else None

    def file(self, what: Attachment | str) -> Any:
        """Both doors: the ear's, by attachment, and the window's, by digest."""
        if isinstance(what, Attachment):
            return self.files[what.sha256][0]
        return self.files[what]

    def keep(self, content: bytes, name: str, media_type: str) -> Attachment:
        self.changes += 1
        digest = hashlib.sha256(content).hexdigest()
        self.files[digest] = (content, name, media_type)
        return Attachment(name=name, sha256=digest, size=len(content), media_type=media_type)

    # ── Window ────────────────────────────────────────────────────────────────────────────────────────────────────

    def history(self, limit: int, before: int | None = None) -> list[Turn]:
        turns = [turn for turn in self.turns if before is None or turn.seq < before][-limit:]
        return [replace(turn, card=self.cards[turn.card.id]) if turn.card else turn for turn in turns]

    def home(self) -> Home:
        waiting = tuple(card for card in self.cards.values() if card.state in {"pending", "snoozed"})
        return Home(
            waiting=waiting,
            stuck=self.stuck,
            money=(
                "Unpaid: 2,856.00 EUR in 2 invoices",
                "Overdue: 1,428.00 EUR, Initech",
                "Paid this month: 3,120.00 EUR",
            ),
            budget=("Models today: 0.00 of 1.00 USD",),
            next=("Digest: tomorrow, 07:30", "Call the accountant: Tuesday, 15:00"),
            paused=self.paused,
        )

    def tasks(self, limit: int) -> list[TaskLine]:
        lines = (
            ("12", "invoice Acme 1,200 for the March retainer, net 14", "waiting", 0),
            ("11", "Acme paid 2025-0031", "done", 31),
            ("10", "Reminder to Initech for 2025-0029", "failed", 55),
            ("9", "add client Globex, billing@globex.example, 2k/month", "done", 60 * 17),
        )
        return [TaskLine(i, title, state, NOW - timedelta(minutes=ago)) for i, title, state, ago in lines[:limit]]

    def timeline(self, task_id: str) -> list[TimelineLine]:
        if task_id != "12":
            return []
        steps = (
            (0, "you, in the console", "Asked", "invoice Acme 1,200 for the March retainer, net 14"),
            (0, "phrasebook", "Understood as an invoice", "client Acme, amount 1,200.00 EUR, due in 14 days"),
            (0, "billing", "Drafted invoice 2026-0001", ""),
            (1, "policy", "Asked for approval", "Money and mail ask.\nrule: [[ask]] risk = money\nfingerprint 5f1c…9a"),
            (4, "you, in the console", "Approved", "revision 1"),
            (4, "mail", "Sent to billing@acme.example", "250 2.0.0 Ok: queued as 4F2A"),
        )
        return [TimelineLine(NOW + timedelta(minutes=m), who, what, detail) for m, who, what, detail in steps]

    # ── the company's doings ──────────────────────────────────────────────────────────────────────────────────────

    def _turn(self, **parts: Any) -> None:
        at = NOW + timedelta(seconds=10 * len(self.turns))
        self.turns.append(Turn(seq=len(self.turns) + 1, at=at, **parts))

    async def say(self, text: str, **parts: Any) -> None:
        message = Message(id=f"{self._task}.m{len(self.turns)}", text=text, **parts)
        self._turn(who="soloist", message=message)
        if self.web:
            await self.web.say(Place(channel="web", conversation="main"), message)

    async def put(self, card: Card, *, fresh: bool = True) -> None:
        known = card.id in self.cards
        self.cards[card.id] = card
        if not known:
            self._turn(who="soloist", card=card)
        if self.web:
            place = Place(channel="web", conversation="main")
            await (self.web.ask(place, card) if fresh else self.web.settle(place, card.id, card))

    def _after(
        self, card: Card, verb: str, reason: str, edits: dict[str, Any] | None, until: datetime | None
    ) -> tuple[str, Card]:
        if verb == "approve":
            undo = Button("Undo", "undo", f"{card.id}-undo", until=NOW + timedelta(seconds=28))
            done = replace(card, state="approved", outcome="Approved at 09:13. Goes to billing@acme.example in 30 s.")
            return "Approved.", replace(done, buttons=(undo,))
        if verb == "reject":
            words = f"Rejected at 09:13: {reason}." if reason else "Rejected at 09:13."
            return "Rejected. Nothing was sent.", replace(card, state="denied", outcome=words, buttons=())
        if verb == "snooze":
            assert until is not None
            return "Put aside.", replace(card, state="snoozed")
        if verb == "undo":
            return "Taken back.", replace(card, state="cancelled", outcome="Taken back before it went out.", buttons=())
        if verb == "edit":
            return "Changed.", revised(card, edits or {})
        return "Noted.", replace(card, state="approved", outcome=f"You said: {verb}.", buttons=())

    def invoice(self, number: str = "12.1") -> Card:
        file = self.keep(pdf("Invoice 2026-0001"), "Invoice-2026-0001.pdf", "application/pdf")
        return Card(
            id=number,
            revision=1,
            title="Send invoice 2026-0001 to Acme",
            state="pending",
            rows=(
                Row("To", "billing@acme.example", Role.RECIPIENTS, vital=True, mark="NEW"),
                Row("Total", "1,428.00 EUR", Role.AMOUNT, vital=True),
                Row(
                    "Items",
                    "March retainer\t1 × 1,200.00\t1,200.00 EUR\nVAT 19 %\t\t228.00 EUR\nTotal\t\t1,428.00 EUR",
                    Role.LINES,
                ),
                Row("Attached", f"{file.name} (48 kB, sha256 {file.sha256[:12]}…)", Role.ATTACHMENTS, vital=True),
                Row("Number", "2026-0001", Role.REFERENCE),
                Row("Due", "16 March 2026 (net 14)", Role.WHEN),
                Row("Subject", "Invoice 2026-0001: March retainer", Role.SUBJECT),
            ),
            body=LETTER,
            note="Acme’s earlier invoices went out on the first working day, so I dated this one today.",
            reasons=("The amount is Acme’s monthly retainer.", "Net 14 is what you said."),
            sources=("client Acme, version 3", "invoice 2025-0031"),
            confidence_pct=96,
            files=(file,),
            footer=(
                "Asked because your rules say that money and mail ask.",
                "Point of no return: 30 s after you approve, when the mail leaves. After that, a credit note.",
                "Runs out on 9 March at 09:12; nothing is sent then.",
            ),
            buttons=buttons(number, 1),
            fields=(
                EditField("mail.send.to", "To", "billing@acme.example"),
                EditField("books.issue.amount", "Amount", "1200.00 EUR"),
                EditField("mail.send.subject", "Subject", "Invoice 2026-0001: March retainer"),
                EditField("mail.send.body", "Letter", LETTER, long=True),
            ),
            reject_reasons=("Wrong amount", "Wrong client", "Not now"),
        )

    def unknown(self) -> Card:
        return Card(
            id="10.1",
            revision=1,
            title="Did the reminder to Initech go out?",
            state="pending",
            kind="unknown",
            rows=(
                Row("To", "ap@initech.example", Role.RECIPIENTS, vital=True),
                Row("Subject", "Reminder: invoice 2025-0029", Role.SUBJECT),
            ),
            warnings=("The connection broke after the mail was handed over. It may or may not have arrived.",),
            footer=("Nothing is sent again before you say so.",),
            buttons=(
                Button("It arrived", "arrived", "10.1-a", "primary"),
                Button(
                    "Send it again",
                    "again",
                    "10.1-g",
                    confirm="If it did arrive, Initech gets it twice. Send it again?",
                ),
                Button("Drop it", "drop", "10.1-d", "danger"),
            ),
        )

    def shadow(self) -> Card:
        return replace(
            self.invoice("13.1"),
            title="Reply to Hooli’s question about delivery",
            kind="shadow",
            state="shadow",
            rows=(Row("To", "ann@hooli.example", Role.RECIPIENTS, vital=True),),
            body="Hello Ann,\n\nthe draft is with you by Thursday.\n\nBest\nRobin",
            note="",
            files=(),
            # An executing button on a shadow card is a mistake upstream; the page must not show it (R19).
            buttons=(
                Button("Approve", "approve", "13.1-p", "primary"),
                Button("Good call", "say", "13.1-s", text="good call 13.1"),
            ),
            footer=("Shadow mode: replies to known clients are practised, not sent. 14 of 20 agreed so far.",),
        )

    def expired(self) -> Card:
        return replace(
            self.invoice("8.1"),
            title="Send proposal to Globex",
            state="expired",
            rows=(Row("To", "billing@globex.example", Role.RECIPIENTS, vital=True),),
            body="",
            note="",
            files=(),
            buttons=(),
            outcome="Ran out on Friday at 18:00 with nobody’s answer. Nothing was sent.",
            footer=(),
        )


def buttons(card: str, revision: int) -> tuple[Button, ...]:
    return (
        Button("Approve", "approve", f"{card}-{revision}-p", "primary"),
        Button("Edit", "edit", f"{card}-{revision}-e"),
        Button("Reject", "reject", f"{card}-{revision}-r", "danger"),
        Button("Snooze", "snooze", f"{card}-{revision}-z"),
    )


def revised(card: Card, edits: dict[str, Any]) -> Card:
    """The next revision with the edited fields, as the house would draft it anew."""
    values = {field.name: edits.get(field.name, field.value) for field in card.fields}
    old = {field.name: field for field in card.fields}
    changes = tuple(
        f"{old[name].label}: {old[name].value} → {value}" if not old[name].long else f"{old[name].label} was rewritten"
        for name, value in edits.items()
    )
    number = card.revision + 1
    return replace(
        card,
        revision=number,
        changes=changes,
        body=values.get("mail.send.body", card.body),
        rows=tuple(
            replace(row, value=values["mail.send.subject"]) if row.role is Role.SUBJECT and values else row
            for row in card.rows
        ),
        fields=tuple(replace(field, value=values[field.name]) for field in card.fields),
        buttons=buttons(card.id, number),
    )


class Served:
    """The console on a loop of its own thread, for tests that drive a browser. ``port`` 0 takes a free one."""

    def __init__(self, house: PaperHouse, port: int = 0) -> None:
        self.house = house
        self.web = Web("127.0.0.1", port, KEY, house, COMMANDS, now=lambda: NOW)
        house.web = self.web
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)
        self._started = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self._task = self.loop.create_task(self.web.run(self.house))
        self.loop.create_task(self._announce())
        try:
            self.loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        finally:
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()

    async def _announce(self) -> None:
        await self.web.ready.wait()
        self._started.set()


async def march(house: PaperHouse) -> None:
    """A Monday morning's conversation up to the invoice card."""
    await house.say(
        "Good morning. Monday, 2 March\n\n- Done since Friday: 3 tasks, 1 payment matched\n"
        "- Waits for you: nothing\n- Overdue: Initech, 1,428.00 EUR for 12 days",
        kind="digest",
        buttons=(Button("Remind Initech", "say", "", text="remind Initech about 2025-0029"),),
    )
    house._turn(who="operator", text="Acme paid 2025-0031")
    await house.say("Booked: 1,428.00 EUR from Acme, invoice 2025-0031 is paid.", kind="receipt")
    house._turn(who="operator", text="invoice Acme 1,200 for the March retainer, net 14", task="12")
    await house.put(house.invoice())
