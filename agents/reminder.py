"""A reminder as a call: one text at one moment, kept in our own books until it is due."""

from __future__ import annotations

from datetime import datetime

from agents.base import ActionCall, Desk, Write
from agents.directory import free_key, slug
from agents.slots import Every
from memory.events import Json

KEY_LENGTH_MAX = 32  # letters of the text in a key: enough to tell reminders of one day apart


def reminder(
    desk: Desk, text: str, when: datetime, client: str = "", *, every: Every | None = None, **more: Json
) -> ActionCall:
    """Return the call that notes a reminder.

    Args:
        desk: Where a free key is found.
        text: What to be reminded of.
        when: On the operator's clock.
        client: The key of the client it is about, if any.
        every: When it comes again.
        more: Further fields of the record, like the project it belongs to.
    """
    key = free_key(desk, "reminder", f"{when:%Y-%m-%d}-{slug(text)[:KEY_LENGTH_MAX].strip('-') or 'reminder'}")
    again = {"rule": str(every)} if every else {}
    about = {"client": client} if client else {}
    data: dict[str, Json] = {"text": text, "when": when.isoformat(), "status": "waiting", **about, **again, **more}
    return ActionCall(
        name="books.remind",
        args={"text": text, "when": when.isoformat(), **({"every": str(every)} if every else {})},
        writes=(Write(kind="reminder", key=key, data=data),),
        needs={f"reminder:{key}": 0},
        client=client,
    )
