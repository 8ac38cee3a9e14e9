"""Being away: "away until 3 August", "I'm on holiday for two weeks", "I'm back". The words and the dates; pure.

An absence is a record in the books (kind ``absence``), so it is versioned, exported and stands over a restart. While it
lasts, what comes by itself waits (`bot.deciding.resting`), cards of delegates reach the delegates, and no card runs out:
what would have gets a day after the return.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from agents.slots import Period, Span, find_spans
from connectors.base import Json
from memory.events import Write

KIND, KEY = "absence", "operator"
DAYS_MAX = 180  # who is away for longer closes the company, and says so in policy.toml
GRACE = timedelta(days=1)  # for what would have run out meanwhile
ASK = 'Until when? Say it with a day: "away until Monday", "away for two weeks". /back ends it at any time.'

_AWAY = re.compile(
    r"(?:/(?:away|holiday)|(?:i(?:'m| am|’m)\s+)?(?:away|out of office|on (?:holiday|vacation|leave))|(?:holiday|vacation)(?=\s+(?:until|till|for)\s))"
    r"(?:[,:]?\s+(?P<when>\S.*))?",
    re.IGNORECASE,
)
_BACK = re.compile(r"/back|i(?:'m| am|’m) back(?: again| now)?[.!]*", re.IGNORECASE)


@dataclass(frozen=True)
class Word:
    """What somebody said about being away; ``when`` asks back, because no time could be read."""

    what: Literal["away", "back", "when"]
    until: datetime | None = None


@dataclass(frozen=True)
class Absence:
    """From when until when the operator is, or was, away."""

    since: datetime
    until: datetime

    def covers(self, moment: datetime) -> bool:
        """Whether the operator was away at a moment."""
        return self.since <= moment < self.until

    def postponed(self, moment: datetime) -> datetime:
        """Return when a card that would run out at a moment does: not while nobody is there."""
        return self.until + GRACE if self.covers(moment) else moment


def said(text: str, now: datetime, zone: ZoneInfo, morning: time) -> Word | None:
    """Return what exact words say, None for all others ("Anna is away until Monday" is no such thing).

    Args:
        morning: The hour at which a day begins that is named without one.
    """
    words = text.strip()
    if _BACK.fullmatch(words):
        return Word("back")
    match = _AWAY.fullmatch(words.rstrip(".! "))
    if match is None or (not match["when"] and not words.startswith(("/", "I", "i"))):
        return None
    until = _until(match["when"] or "", now, zone, morning)
    if until is None and not words.startswith("/") and match["when"]:
        return None  # "away with the fairies" is for the reader
    return Word("away", until) if until else Word("when")


def _until(words: str, now: datetime, zone: ZoneInfo, morning: time) -> datetime | None:
    ends = [end for slot in find_spans(words, now, zone, "en_GB") if (end := _end(slot.value, now, zone, morning))]
    if len(ends) != 1 or words.lower().startswith("from "):
        return None  # it begins now or not at all: a beginning later is for a reminder
    return ends[0] if now < ends[0] <= now + timedelta(days=DAYS_MAX) else None


def _end(value: object, now: datetime, zone: ZoneInfo, morning: time) -> datetime | None:
    match value:
        case datetime():
            return value
        case date():
            return datetime.combine(value, morning, zone)
        case Period() if value.last is not None:
            return datetime.combine(value.last + timedelta(days=1), morning, zone)
        case Span() if value.days:
            return datetime.combine(now.astimezone(zone).date() + timedelta(days=value.days), morning, zone)
        case _:
            return None


def record(since: datetime, until: datetime) -> Write:
    """Return what the books say of an absence."""
    return Write(kind=KIND, key=KEY, data={"since": since.isoformat(), "until": until.isoformat()})


def of(data: Mapping[str, Json]) -> Absence:
    """The reverse of `record`'s data."""
    return Absence(datetime.fromisoformat(str(data["since"])), datetime.fromisoformat(str(data["until"])))
