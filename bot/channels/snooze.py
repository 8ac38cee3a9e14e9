"""Until when a card can be put aside with a tap: the same on every channel, in the operator's own hours. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo

CHOICES = {
    "hour": "In an hour",
    "evening": "This evening",
    "tomorrow": "Tomorrow morning",
    "monday": "Monday morning",
}
MORNING, EVENING = time(9), time(18)
EVENING_UNTIL = time(17)  # later than this the evening is about to begin, and an hour says it better


def offered(now: datetime, zone: tzinfo) -> list[str]:
    """Return the choices that make sense now."""
    return [choice for choice in CHOICES if choice != "evening" or now.astimezone(zone).time() < EVENING_UNTIL]


def until(choice: str, now: datetime, zone: tzinfo) -> datetime:
    """Return the moment a choice means, in UTC, whatever the season does; one that is unknown or over is an hour."""
    here = now.astimezone(zone)
    if choice == "evening" and here.time() < EVENING_UNTIL:
        return _at(here, 0, EVENING)
    if choice == "tomorrow":
        return _at(here, 1, MORNING)
    if choice == "monday":
        return _at(here, 7 - here.weekday(), MORNING)
    return now.astimezone(UTC) + timedelta(hours=1)


def _at(here: datetime, days: int, hour: time) -> datetime:
    return datetime.combine(here.date() + timedelta(days=days), hour, here.tzinfo).astimezone(UTC)
