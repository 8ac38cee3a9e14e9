"""What comes again: recurring reminders, invoices, posts. Pure.

A schedule is a record of kind ``schedule``::

    {"agent": "billing", "intent": "invoice", "slots": {...}, "rule": "FREQ=MONTHLY;...", "next": "2026-04-01T09:00:00+02:00"}

``next`` is the period that falls due; (key, ``next``) is declared once and served once, whoever restarts or upgrades in
between. The clock fires it, and the firing writes the following ``next`` in the same transaction; a schedule without
a rule ends with its only period.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from agents.slots.every import Every
from memory.events import Json, Step, Write

KIND = "schedule"
PREFIX = "schedule:"  # of `HourStruck.name`
SKIPPED_MAX = 10_000  # periods of a reminder passed over in one go: 27 years of a daily one


def due(data: Mapping[str, Json], now: datetime) -> str:
    """Return the period that has fallen due, as it is written in ``next``; "" when none has."""
    period = str(data.get("next") or "")
    if not period:
        return ""
    try:
        moment = datetime.fromisoformat(period)
    except ValueError:
        return ""  # a record somebody wrote by hand
    return period if moment.tzinfo is not None and moment <= now else ""


def following(rule: str, after: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the next period of a rule on the operator's clock, None when there is none (or no rule)."""
    return Every.read(rule).next(after.astimezone(zone)) if rule else None


def following_after(rule: str, last: datetime, now: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the first period after now, counted from the last one, so that every second week stays the second."""
    moment = following(rule, last, zone)
    for _ in range(SKIPPED_MAX):
        if moment is None or moment > now:
            return moment
        moment = following(rule, moment, zone)
    return None


def step_of(key: str, data: Mapping[str, Json]) -> Step:
    """Return the one step that a schedule asks for; ``{month}`` is that of its period, however late it is served."""
    period = str(data.get("next") or "")
    month = f"{datetime.fromisoformat(period):%B %Y}" if period else "{month}"
    slots = dict(data.get("slots") or {})
    return Step(
        id="s1",
        agent=str(data["agent"]),
        intent=str(data["intent"]),
        inputs={n: v.replace("{month}", month) if isinstance(v, str) else v for n, v in slots.items()},
        why=f"schedule {key}",
    )


def advanced(key: str, data: Mapping[str, Json], period: str, zone: ZoneInfo) -> Write:
    """Return the schedule's next version, after a period was fired: what comes next, or its end."""
    coming = following(str(data.get("rule") or ""), datetime.fromisoformat(period), zone)
    after = {**data, "last": period, "next": coming.isoformat() if coming else ""}
    return Write(kind=KIND, key=key, data=after, gone=coming is None)
