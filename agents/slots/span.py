"""How long something takes, or how far away it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Self

from dateutil.relativedelta import relativedelta  # type: ignore[import-untyped, unused-ignore]

from agents.slots.written import Written

_ISO = re.compile(r"P(?=.)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?)?")


@dataclass(frozen=True)
class Span(Written):
    """A duration in calendar units, written as in ISO 8601: ``"PT45M"``, ``"P14D"``, ``"P3M"``.

    Months stay months: three months from 30 November is 28 February, and no number of days says that.
    """

    kind: ClassVar[str] = "span"
    example: ClassVar[str] = "PT45M"

    months: int = 0
    days: int = 0
    minutes: int = 0

    def __str__(self) -> str:
        hours, minutes = divmod(self.minutes, 60)
        day = (f"{self.months}M" if self.months else "") + (f"{self.days}D" if self.days else "")
        time = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
        return f"P{day}" + (f"T{time}" if time else "") if day or time else "PT0M"

    @classmethod
    def read(cls, text: str) -> Self:
        """Return an ISO 8601 duration as a span."""
        if text == "PT0M":
            return cls()
        match = _ISO.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a duration as written in this house, like 'PT45M' or 'P14D'.")
        years, months, weeks, days, hours, minutes = (int(part or 0) for part in match.groups())
        return cls(12 * years + months, 7 * weeks + days, 60 * hours + minutes)

    def after(self, moment: datetime) -> datetime:
        """Return the moment this much later; calendar parts by the calendar, on the clock of ``moment``'s zone."""
        later: datetime = moment + relativedelta(months=self.months, days=self.days) + timedelta(minutes=self.minutes)
        return later
