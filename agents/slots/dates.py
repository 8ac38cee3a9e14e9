"""Days, moments and periods. A day has no zone; a moment always has one; a period has a first and a last day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, ClassVar, Self

from pydantic import AwareDatetime

from agents.slots.written import Kind, Written

Day = Annotated[date, Kind("day")]
"""A calendar day where the operator lives; ISO in JSON (``"2026-03-31"``)."""

Moment = Annotated[AwareDatetime, Kind("moment")]
"""An aware point in time; a message that names only a day is given `agents.slots.grammar.MORNING` and says so."""


@dataclass(frozen=True)
class Period(Written):
    """A stretch of whole days, both ends included: ``"2026-03-01/2026-03-31"``."""

    kind: ClassVar[str] = "period"
    example: ClassVar[str] = "2026-03-01/2026-03-31"

    first: date
    last: date

    def __str__(self) -> str:
        return f"{self.first.isoformat()}/{self.last.isoformat()}"

    @classmethod
    def read(cls, text: str) -> Self:
        """Return ``"2026-03-01/2026-03-31"`` as a period."""
        first, slash, last = text.partition("/")
        try:
            period = cls(date.fromisoformat(first), date.fromisoformat(last))
        except ValueError:
            slash = ""
        if not slash or period.last < period.first:
            raise ValueError(f"{text!r} is not a period as written in this house, like '{cls.example}'.")
        return period

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.first <= day <= self.last
