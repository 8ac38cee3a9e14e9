"""Payment terms: when an invoice falls due, as a rule over its date of issue."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from typing import ClassVar, Self

from agents.slots.written import Written

DAYS_MAX = 365  # "net 1200" is an amount that lost its way, not a term

_NET = re.compile(r"net (\d{1,3})( eom)?")


@dataclass(frozen=True)
class Terms(Written):
    """``"net 14"``, ``"on receipt"``, ``"eom"`` (end of the month of issue), ``"net 30 eom"``, ``"by 2026-03-31"``.

    ``net 30 eom`` is thirty days, then the end of that month.
    """

    kind: ClassVar[str] = "terms"
    example: ClassVar[str] = "net 14"

    days: int = 0
    month_end: bool = False
    day: date | None = None  # a fixed due date; then the others do not count

    def __str__(self) -> str:
        if self.day is not None:
            return f"by {self.day.isoformat()}"
        if self.month_end:
            return f"net {self.days} eom" if self.days else "eom"
        return f"net {self.days}" if self.days else "on receipt"

    @classmethod
    def read(cls, text: str) -> Self:
        """Return terms from one of the five spellings above."""
        if text == "on receipt":
            return cls()
        if text == "eom":
            return cls(month_end=True)
        if match := _NET.fullmatch(text):
            return cls(days=int(match[1]), month_end=bool(match[2]))
        if text.startswith("by "):
            return cls(day=date.fromisoformat(text[3:]))
        raise ValueError(f"{text!r} are not terms as written in this house, like 'net 14', 'on receipt' or 'eom'.")

    def due(self, issued: date) -> date:
        """Return the day an invoice issued on ``issued`` falls due; never before it was issued."""
        if self.day is not None:
            return max(self.day, issued)
        day = issued + timedelta(days=self.days)
        return day.replace(day=monthrange(day.year, day.month)[1]) if self.month_end else day
