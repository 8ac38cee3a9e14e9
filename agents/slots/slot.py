"""A typed span: a stretch of a message and what it means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Literal

from agents.slots.dates import Period
from agents.slots.every import Every
from agents.slots.money import Money
from agents.slots.span import Span
from agents.slots.terms import Terms

Value = Money | date | datetime | time | Period | Terms | Span | Every | Decimal | str
SlotKind = Literal[
    "money", "day", "moment", "time", "period", "terms", "span", "every", "email", "invoice", "iban", "percent",
    "vat", "number", "url", "client",
]  # fmt: skip


@dataclass(frozen=True)
class Slot:
    """What was found, where, and what had to be assumed.

    Attributes:
        value: What it means; None when it can mean two things, and then `ask` is the question.
        assumed: Sentences for the operator, each one thing that was not said.
    """

    kind: SlotKind
    value: Value | None
    start: int
    end: int
    text: str
    assumed: tuple[str, ...] = ()
    ask: str = ""

    def at(self, start: int, text: str) -> Slot:
        """Return the same meaning over another stretch."""
        return replace(self, start=start, end=start + len(text), text=text)

    def overlaps(self, other: Slot) -> bool:
        """Whether the two share a character."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True)
class Found:
    """What a rule made of a match, before it is put in its place."""

    kind: SlotKind
    value: Value | None
    assumed: tuple[str, ...] = ()
    ask: str = ""
