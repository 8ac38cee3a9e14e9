"""Follow-ups: what is to be looked at on a day to come, noted in the calendar where one is connected.

Each is a record of kind ``reminder``, and is told in the chat when its day has come. With a calendar it is an event there as
well, under an id of ours (``event`` in the record), so that it can be taken out again when nobody needs it any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agents.base import ActionCall, Desk, Record, Write
from agents.letter import pinned
from agents.reminder import reminder
from connectors.base import ConnectorError
from memory.events import Json

IN_CALENDAR = "Noted in your calendar; you are reminded here as well."
NO_CALENDAR = "No calendar is connected, so you are reminded here only."


@dataclass(frozen=True)
class FollowUps:
    """Calls for a card, and what the card says of them."""

    calls: tuple[ActionCall, ...] = ()
    reasons: tuple[str, ...] = ()  # where they will stand


async def follow_ups(desk: Desk, days: Sequence[tuple[str, datetime]], client: str, **more: Json) -> FollowUps:
    """Return one call for each text and its moment on the operator's clock.

    Args:
        desk: Where is found whether there is a calendar.
        days: What to look at, and when.
        client: The key of the client they are about.
        more: Further fields of the records, like the project they belong to.
    """
    calls = tuple(reminder(desk, text, when, client, **more) for text, when in days)
    if not calls:
        return FollowUps()
    first = min(when for _, when in days)
    try:
        await desk.use("calendar.free", start=first.isoformat(), end=(first + timedelta(days=1)).isoformat())
    except PermissionError:
        return FollowUps(calls, (NO_CALENDAR,))
    except ConnectorError as error:
        return FollowUps(calls, (f"You are reminded here only, as the calendar could not be read: {error}",))
    return FollowUps(tuple(map(_noted, calls)), (IN_CALENDAR,))


def _noted(call: ActionCall) -> ActionCall:
    """Return a reminder as a note in the calendar; the same record is kept of it, with the event's id."""
    (write,) = call.writes
    event = f"{write.key}@soloist"
    return ActionCall(
        name="calendar.note",
        args={"event": event, "title": call.args["text"], "when": call.args["when"]},
        writes=(Write(kind=write.kind, key=write.key, data={**write.data, "event": event}),),
        needs=call.needs,
        client=call.client,
    )


def called_off(desk: Desk, waiting: Iterable[Record], status: str) -> tuple[tuple[Write, ...], tuple[ActionCall, ...]]:
    """Return how follow-ups end that nobody needs any more: as entries in our books, and as notes to take out.

    Args:
        desk: For the time; a note of a day that has passed stays where it is.
        waiting: Records of kind ``reminder``.
        status: What they are from now on: ``done``, ``cancelled``.
    """
    writes: list[Write] = []
    calls: list[ActionCall] = []
    for record in waiting:
        write = Write(kind="reminder", key=record.key, data={**record.data, "status": status})
        if record.data.get("event") and datetime.fromisoformat(str(record.data["when"])) > desk.now:
            calls.append(_struck(record, write))
        else:
            writes.append(write)
    return tuple(writes), tuple(calls)


def _struck(record: Record, write: Write) -> ActionCall:
    return ActionCall(
        name="calendar.strike",
        args={"event": record.data["event"], "title": record.data["text"], "when": record.data["when"]},
        writes=(write,),
        needs=pinned(record),
        client=str(record.data.get("client") or ""),
    )
