"""What comes again: a recurrence as a rule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Self

from dateutil.rrule import rrulestr  # type: ignore[import-untyped, unused-ignore]

from agents.slots.written import Written


@dataclass(frozen=True)
class Every(Written):
    """A recurrence, written as an RFC 5545 rule: ``"FREQ=MONTHLY;BYDAY=+1MO"`` is every first Monday.

    ``BYHOUR`` and ``BYMINUTE`` are the operator's clock, when a time was said.
    """

    kind: ClassVar[str] = "every"
    example: ClassVar[str] = "FREQ=MONTHLY;BYDAY=+1MO"

    rule: str

    def __str__(self) -> str:
        return self.rule

    @classmethod
    def read(cls, text: str) -> Self:
        """Return an RFC 5545 rule as a recurrence."""
        if not text.startswith("FREQ="):
            raise ValueError(f"{text!r} is not a recurrence as written in this house, like '{cls.example}'.")
        rrulestr(text)
        return cls(text)

    def next(self, after: datetime) -> datetime | None:
        """Return the first occurrence after an aware moment, on the clock of its zone; None when there is none."""
        wall = after.replace(tzinfo=None)  # rrule counts wall clocks; the zone goes back on afterwards
        found: datetime | None = rrulestr(self.rule, dtstart=wall.replace(microsecond=0)).after(wall)
        return None if found is None else found.replace(tzinfo=after.tzinfo)
