"""A desk on paper: the same `Desk` an agent sits at, over a dict of records. Nothing can be done from it either.

`PaperDesk.confirm` does to the books what the runner does once a call is confirmed, so that a test can go on from there.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from agents import discover
from agents.base import ActionCall, Found, Intent, Letter, Proposal, Record, Task, Thought, Write, parse_money
from agents.plan import staff
from connectors.base import Action, Receipt, Workshop
from connectors.invoices import Invoices
from memory.events import Json, Origin

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)  # a Saturday, 10:00 in Berlin
COMPANY = {
    "name": "Nora Lind Studio", "signatory": "Nora Lind", "email": "nora@lind.example", "address": "Weg 1\n10115 Berlin",
    "country": "DE", "iban": "DE02120300000000202051", "vat_id": "DE123456789", "vat_rate": "19", "currency": "EUR",
    "locale": "en_GB", "terms": "net 14",
}  # fmt: skip
ACME = {
    "name": "Acme GmbH", "email": "billing@acme.example", "contact": "Anna Berg", "currency": "EUR",
    "address": "Ring 2\n20095 Hamburg", "country": "DE", "retainer": "1200.00 EUR", "status": "active",
}  # fmt: skip
SERIES = {"invoice": "", "credit": "CN-"}


class PaperFiles:
    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def get(self, sha256: str) -> bytes:
        return self.kept[sha256]

    def put(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self.kept[digest] = content
        return digest


class PaperDesk:
    def __init__(self, *, clients: Mapping[str, Mapping[str, Json]] | None = None, **company: str) -> None:
        self.now = NOW
        self.zone = ZoneInfo("Europe/Berlin")
        self.playbooks: Path | None = None
        self.files = PaperFiles()
        self.company = {**COMPANY, **company}
        self.books: dict[tuple[str, str], Record] = {}
        self.ledger: list[tuple[str, Decimal, str]] = []
        self.sent: list[Letter] = []
        self.offered: list[Action] = []
        self.found: list[Found] = []
        self.thoughts: list[Thought] = []
        self.asked: list[tuple[str, str, Sequence[tuple[Origin, str]]]] = []
        self.used: list[tuple[str, dict[str, Json]]] = []
        self.answers: dict[str, Any] = {}
        self._invoices = Invoices.open({}, Workshop(home=Path(), files=self.files, now=lambda: self.now))
        for key, data in ({"acme": ACME} if clients is None else clients).items():
            self.write(Write(kind="client", key=key, data=dict(data)))

    # ── what an agent sees ────────────────────────────────────────────────────────────────────────────────────────

    def record(self, kind: str, key: str) -> Record | None:
        found = self.books.get((kind, key))
        return None if found is None or found.gone else found

    def records(self, kind: str, **where: Json) -> Sequence[Record]:
        return [
            record
            for (its_kind, _), record in sorted(self.books.items())
            if its_kind == kind and not record.gone and all(record.data.get(k) == v for k, v in where.items())
        ]

    def next_number(self, series: str) -> str:
        name, _, year = series.partition(":")
        prefix = f"{SERIES[name]}{year}-"
        taken = {key for _, key in self.books}
        return next(number for i in range(1, 10_000) if (number := f"{prefix}{i:04d}") not in taken)

    def balance(self, account: str) -> Mapping[str, Decimal]:
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for name, amount, currency in self.ledger:
            if name == account or name.startswith(account + ":"):
                sums[currency] += amount
        return dict(sums)

    def letters(self, most: int) -> Sequence[Letter]:
        return self.sent[:most]

    async def recall(self, query: str, *, client: str = "", k: int = 8) -> Sequence[Found]:
        return self.found[:k]

    async def think(
        self,
        purpose: str,
        prompt: str,
        *,
        material: Sequence[tuple[Origin, str]] = (),
        schema: Any = None,
        tier: str = "small",
        client: str = "",
        about: str = "",
        recent: bool = False,
    ) -> Thought:
        del client, about, recent
        self.asked.append((purpose, prompt, material))
        return self.thoughts.pop(0) if self.thoughts else Thought(problem="no model is set up")

    def tools(self) -> Sequence[Action]:
        return self.offered

    async def use(self, name: str, **args: Json) -> Receipt:
        self.used.append((name, args))
        if name == "invoices.render" and name not in self.answers:
            # The real one: what a card shows must be what the real renderer takes.
            return await self._invoices.render(**args)
        answer = self.answers.get(name)
        if answer is None:
            raise PermissionError(f"{name} is not set up here.")
        if isinstance(answer, Exception):
            raise answer
        return answer(**args) if callable(answer) else answer

    # ── what a test does with it ──────────────────────────────────────────────────────────────────────────────────

    def write(self, write: Write) -> Record:
        before = self.books.get((write.kind, write.key))
        version = before.version + 1 if before else 1
        record = Record(write.kind, write.key, version, write.data, self.now, "1", write.gone)
        self.books[write.kind, write.key] = record
        return record

    def confirm(self, proposal: Proposal) -> None:
        """Do to the books what the runner does when each call is confirmed; pins are held as it holds them."""
        assert proposal.calls, proposal
        for call in proposal.calls:
            for ref, version in call.needs.items():
                kind, _, key = ref.partition(":")
                if kind != "number":
                    held = self.books.get((kind, key))
                    assert (held.version if held else 0) == version, (ref, version, held)
            for write in call.writes:
                self.write(write)
            assert_balanced(call)
            for entry in call.entries:
                amount, currency = parse_money(entry.amount)
                self.ledger.append((entry.account, amount, currency))


def assert_balanced(call: ActionCall) -> None:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for entry in call.entries:
        amount, currency = parse_money(entry.amount)
        sums[currency] += amount
    assert not any(sums.values()), (call.name, call.entries)


def task(intent: Intent, text: str = "", **more: Any) -> Task:
    return Task(id="1", step="1", intent=intent, text=text, **more)


async def answered(desk: PaperDesk, intent: Intent, text: str = "", **more: Any) -> Proposal:
    """Ask whoever answers this intent."""
    return await discover()[staff()[intent.id()].agent]().work(task(intent, text, **more), desk)


def client(name: str, **data: Json) -> dict[str, Json]:
    return {"name": name, "email": f"billing@{name.split(maxsplit=1)[0].lower()}.example", "status": "active", **data}


def day(text: str) -> date:
    return date.fromisoformat(text)
