"""Where our words stand in chats, so that what is forgotten can be overwritten there.

Not history: a message is shown at least once, and this is where. Rows that are due wait to be overwritten, over restarts
and for as long as a platform is away. The oldest rows go when there are many: what they stood for is then beyond reach,
and the card that asks before something is forgotten counts only what is within it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Column, Connection, Integer, PrimaryKeyConstraint, Table, Text, bindparam, func, select, update

from memory.database import metadata
from memory.projections import copies

BEGUN = "?"  # begins the reference of what is being sent: nobody knows yet where it stands, or whether it does
SHOWN_MAX = 100_000  # places; about 15 MB

shown = Table(
    "shown",
    metadata,
    Column("channel", Text, nullable=False),
    Column("conversation", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("thread", Text, nullable=False),
    Column("task", Integer, nullable=False),
    Column("what", Text, nullable=False),  # message or card id
    Column("due", Integer, nullable=False),  # 1: to be overwritten
    PrimaryKeyConstraint("channel", "conversation", "ref"),
    sqlite_with_rowid=False,
)


class Standing(NamedTuple):
    """One place where something of ours stands."""

    channel: str
    conversation: str
    ref: str
    thread: str
    task: int
    what: str


def places(tx: Connection, tasks: Iterable[int]) -> list[Standing]:
    """Return where the words and the cards of these tasks stand."""
    words = select(shown).where(shown.c.task == bindparam("t"))
    cards = select(copies).where(copies.c.task == bindparam("t"))
    found: dict[tuple[str, str, str], Standing] = {}
    for task in sorted(set(tasks)):
        for row in tx.execute(cards, {"t": task}):
            found[row.channel, row.conversation, row.ref] = Standing(
                row.channel, row.conversation, row.ref, "", task, row.what
            )
        for row in tx.execute(words, {"t": task}):
            if row.ref.startswith(BEGUN):
                continue
            found[row.channel, row.conversation, row.ref] = Standing(*row[:6])
    return list(found.values())


def beside(tx: Connection, channel: str, conversation: str) -> frozenset[str]:
    """Return the references of all that is known to stand in a conversation."""
    found = [
        tx.execute(select(each.c.ref).where(each.c.channel == channel, each.c.conversation == conversation)).scalars()
        for each in (shown, copies)
    ]
    return frozenset(ref for refs in found for ref in refs if not ref.startswith(BEGUN))


def make_due(tx: Connection, tasks: Iterable[int]) -> int:
    """Mark everything that stands of these tasks as to be overwritten; returns how many places."""
    standing = places(tx, tasks)
    for each in standing:
        row = each._asdict()
        there = (
            (shown.c.channel == each.channel) & (shown.c.conversation == each.conversation) & (shown.c.ref == each.ref)
        )
        if not tx.execute(update(shown).where(there).values(due=1)).rowcount:
            tx.execute(shown.insert().values(**row, due=1))
    return len(standing)


def due(tx: Connection) -> list[Standing]:
    """Return the places that wait to be overwritten."""
    return [Standing(*row[:6]) for row in tx.execute(select(shown).where(shown.c.due == 1))]


def done(tx: Connection, several: Sequence[Standing]) -> None:
    """Take places off the list: they say something else now, or are gone."""
    for each in several:
        there = (
            (shown.c.channel == each.channel) & (shown.c.conversation == each.conversation) & (shown.c.ref == each.ref)
        )
        tx.execute(shown.delete().where(there))
    _prune(tx)


def _prune(tx: Connection) -> None:
    if (tx.execute(select(func.count()).select_from(shown)).scalar() or 0) <= SHOWN_MAX:
        return
    last = tx.execute(select(shown.c.task).order_by(shown.c.task.desc()).limit(1).offset(SHOWN_MAX)).scalar() or 0
    tx.execute(shown.delete().where(shown.c.task <= last, shown.c.due == 0))
