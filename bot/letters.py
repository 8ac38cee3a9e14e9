"""The mails that went out last, as they were sent: what `agents.tone` measures."""

from __future__ import annotations

from sqlalchemy import select

from agents.base import Letter
from memory.database import Database
from memory.erased import MARK
from memory.events import Prepared, Pressed
from memory.log import events, read_line
from memory.projections import effects

MAIL = "mail.send"


def sent_letters(database: Database, most: int) -> tuple[Letter, ...]:
    """Return the newest mails that were confirmed, the newest first; one whose words were forgotten is left out."""
    sent = select(effects.c.id, effects.c.task, effects.c.client, effects.c.card).where(
        effects.c.name == MAIL, effects.c.status == "confirmed"
    )
    with database.read() as connection:
        rows = connection.execute(sent.order_by(effects.c.at.desc(), effects.c.id.desc()).limit(most)).all()
        tasks = {row.task for row in rows}
        lines = select(events).where(events.c.task.in_(tasks), events.c.type.in_(("Prepared", "Pressed")))
        found = [read_line(row).event for row in connection.execute(lines)] if tasks else []
    bodies = {e.effect: str(e.call.args.get("body") or "") for e in found if isinstance(e, Prepared)}
    edited = {e.card for e in found if isinstance(e, Pressed) and any(name.endswith("body") for name in e.edits)}
    return tuple(
        Letter(bodies[row.id], row.client, row.card in edited)
        for row in rows
        if bodies.get(row.id) and MARK not in bodies[row.id]
    )
