"""Busy: what is taken of the operator's time, by our own books and by the calendar where one is set up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agents.base import (
    Desk,
    Record,
)
from agents.slots import Span
from connectors.base import ConnectorError

MEETING_DEFAULT = Span(minutes=60)
NO_CALENDAR = "No calendar is set up, so only our own books were looked at."


@dataclass(frozen=True)
class Busy:
    """A stretch of time that is taken."""

    start: datetime
    end: datetime
    title: str = ""


async def taken_between(desk: Desk, start: datetime, end: datetime) -> tuple[list[Busy], str]:
    """Return what is taken between two moments, by our books and the calendar, and what could not be looked up."""
    taken = {record.data["event"]: of_record(record, desk) for record in meetings(desk)}
    problem = ""
    try:
        receipt = await desk.use("calendar.free", start=start.isoformat(), end=end.isoformat())
    except PermissionError:
        problem = NO_CALENDAR
    except ConnectorError as error:
        problem = f"Only our own books were looked at; the calendar could not be read: {error}"
    else:
        for row in receipt.data.get("busy", ()):
            taken[str(row.get("event") or row["start"])] = Busy(
                datetime.fromisoformat(row["start"]), datetime.fromisoformat(row["end"]), str(row.get("title", ""))
            )
    inside = [busy for busy in taken.values() if busy.start < end and start < busy.end]
    return sorted(inside, key=lambda busy: busy.start), problem


def of_record(record: Record, desk: Desk) -> Busy:
    """Return when a meeting of our books is."""
    start, end = (datetime.fromisoformat(record.data[key]).astimezone(desk.zone) for key in ("start", "end"))
    return Busy(start, end, str(record.data["title"]))


def meetings(desk: Desk) -> list[Record]:
    """Return the meetings that are booked."""
    return [record for record in desk.records("meeting") if record.data["status"] == "booked"]
