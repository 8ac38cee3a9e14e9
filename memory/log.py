"""The append-only event log, the inbox and the outbox: the only truth in the house.

Every write happens inside a unit of work in the one writer thread (`Log.transact`). A unit sees `Tx`: it may admit an
input, append lines and order work; lines, orders and projection rows of a whole group commit go to the disk as a few
batched statements just before the commit. Nothing a unit promised leaves the house before that commit. A unit that
raises makes the group start over without it, so a unit must touch nothing but its `Tx`.

The lines of one task are chained by SHA-256, so that a changed, missing or reordered line shows; `anchor` chains the
heads of all tasks once a day. Task 0 is the house itself.

What else to change with this file: ``memory/upcast.py`` when a line's shape changes, ``memory/migrations.py`` when a
table's does.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy.dialects.postgresql import insert as postgres_upsert
from sqlalchemy.dialects.sqlite import insert as sqlite_upsert

from memory import upcast
from memory.database import Database, metadata
from memory.events import Happening, decode, encode
from memory.line import GENESIS, NOTHING_ORDERED, SALT_BYTES, Line, Ordered, OrderRow, link, stamp, unstamp
from memory.prepared import Prepared

T = TypeVar("T")

HIDDEN = "forgotten:"
"""Begins an id in the inbox whose words were forgotten; the rest is a keyed digest."""
HOUSE = 0
"""The task that is not a task: pauses, grants, restores."""

events = Table(
    "events",
    metadata,
    Column("task", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("n", Integer, nullable=False),  # position in the whole house's history; gaps are harmless
    Column("type", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("orders", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("salt", LargeBinary, nullable=False),  # of the line's seal; once the line is erased, the seal itself
    PrimaryKeyConstraint("task", "seq"),
    sqlite_with_rowid=False,
)
inbox = Table(
    "inbox",
    metadata,
    Column("platform", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("task", Integer, nullable=False),
    Column("at", Text, nullable=False),
    PrimaryKeyConstraint("platform", "account", "event_id"),
    sqlite_with_rowid=False,
)
orders = Table(
    "orders",
    metadata,
    Column("id", Text, primary_key=True),
    Column("task", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("due", Text, nullable=False),  # "" is at once
    Column("body", Text, nullable=False),
    Index("orders_due", "due"),
    sqlite_with_rowid=False,
)
anchors = Table(
    "anchors",
    metadata,
    Column("day", Text, primary_key=True),
    Column("lines", Integer, nullable=False),
    Column("digest", Text, nullable=False),
    Column("heads", Text, nullable=False),
)
meta = Table("meta", metadata, Column("name", Text, primary_key=True), Column("value", Text, nullable=False))


class ChainBrokenError(Exception):
    """History was changed after it was written."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(
            f"History is broken at {where}: {what}. Somebody or something changed the database file. "
            "Stop Soloist and restore the last good backup: python -m bot restore FILE."
        )


def read_line(row: Any) -> Line:
    """Turn a row of `events` into a line, through the upcasters.

    Raises:
        UnknownEventError: This version cannot read it.
    """
    where = f"{row.task}:{row.seq}"
    return Line(
        task=row.task,
        seq=row.seq,
        at=unstamp(row.at),
        actor=row.actor,
        cause=row.cause,
        event=decode(upcast.upcast(row.type, row.body), where),
        ordered=msgspec.json.decode(row.orders, type=Ordered),
        hash=row.hash,
        n=row.n,
    )


class Tx:
    """What units of work may do. One for a whole group commit, used in the writer thread only."""

    def __init__(self, connection: Connection, log: Log) -> None:
        self.connection = connection
        self._log = log
        self._events: list[dict[str, Any]] = []
        self._new: set[int] = set()
        self._orders: dict[str, dict[str, Any]] = {}
        self._closed: list[str] = []
        self._rows: dict[Table, dict[tuple[Any, ...], dict[str, Any]]] = {}
        self._gone: dict[Table, dict[tuple[Any, ...], None]] = {}

    # ── input ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def admit(
        self, platform: str, account: str, event_id: str, at: datetime, task: Callable[[], int]
    ) -> tuple[int, bool]:
        """Write down that an input arrived; return the task it belongs to, and whether it is new.

        Args:
            task: Called for a task number only when the input was never seen.
        """
        key = (platform, account, event_id)
        seen = self._rows.get(inbox, {}).get(key)
        if seen is not None:
            return int(seen["task"]), False
        row = _FIND_INPUT.run(self.connection, {"p": platform, "a": account, "e": event_id}).first()
        if row is None and self._log.forgot_inputs:
            hidden = {"p": platform, "a": account, "e": self._log.hidden_id(self.connection, event_id)}
            row = _FIND_INPUT.run(self.connection, hidden).first()
        if row is not None:
            return int(row.task), False
        number = task()
        self.put(
            inbox,
            {"platform": platform, "account": account, "event_id": event_id, "task": number, "at": stamp(at)},
        )
        return number, True

    def next_task(self) -> int:
        """Return a task number that was never used."""
        number = self._log.next_task()
        self._new.add(number)
        return number

    def is_new(self, task: int) -> bool:
        """Whether this number was given in this very group, so that there is nothing to read."""
        return task in self._new

    # ── lines ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def history(self, task: int) -> list[Line]:
        """Return the lines of a task, oldest first, those of this group included."""
        self.flush()
        return [read_line(row) for row in self.connection.execute(_HISTORY, {"t": task})]

    def append(
        self,
        task: int,
        seq: int,
        before: bytes,
        event: Happening,
        *,
        at: datetime,
        actor: str,
        cause: str,
        ordered: Ordered,
    ) -> Line:
        """Write a line at ``seq``; ``before`` is the hash of the line at ``seq - 1`` (`GENESIS` for the first)."""
        given = ordered.given or ordered.closed
        row: dict[str, Any] = {
            "task": task,
            "seq": seq,
            "n": self._log.next_position(),
            "type": type(event).__name__,
            "at": stamp(at),
            "actor": actor,
            "cause": cause,
            "body": encode(event).decode(),
            "orders": msgspec.json.encode(ordered).decode() if given else NOTHING_ORDERED,
        }
        row["salt"] = os.urandom(SALT_BYTES)
        row["hash"] = link(before, row)
        self._events.append(row)
        for order in ordered.given:
            self._orders[order.id] = {
                "id": order.id,
                "task": task,
                "kind": order.kind,
                "due": order.due,
                "body": order.body,
            }
        for closed in ordered.closed:
            self.close(closed)
        return Line(task, seq, at, actor, cause, event, ordered, row["hash"], row["n"])

    # ── projections ───────────────────────────────────────────────────────────────────────────────────────────────

    def put(self, table: Table, row: dict[str, Any]) -> None:
        """Insert or replace a projection row by its primary key."""
        key = tuple([row[name] for name in _key_names(table)])
        self._rows.setdefault(table, {})[key] = row
        self._gone.get(table, {}).pop(key, None)

    def drop(self, table: Table, *key: Any) -> None:
        """Delete a projection row by its primary key."""
        self._rows.get(table, {}).pop(key, None)
        self._gone.setdefault(table, {})[key] = None

    def close(self, order: str) -> None:
        """Take an order off the outbox."""
        if self._orders.pop(order, None) is None:
            self._closed.append(order)

    def settle(self, *tables: Table) -> None:
        """Make a query of these tables see what is buffered; costs nothing when nothing of theirs is."""
        if any(self._rows.get(table) or self._gone.get(table) for table in tables):
            self.flush()

    def flush(self) -> None:
        """Send what is buffered to the database, so that a query of this unit sees it. Not a commit."""
        if self._events:
            _INSERT_EVENT.many(self.connection, self._events)
            self._events = []
        if self._orders:
            _INSERT_ORDER.many(self.connection, list(self._orders.values()))
            self._orders = {}
        if self._closed:
            _CLOSE_ORDER.many(self.connection, [{"b": closed} for closed in self._closed])
            self._closed = []
        for table, rows in self._rows.items():
            if rows:
                _upsert(table, self.connection.dialect.name).many(self.connection, list(rows.values()))
        self._rows = {}
        for table, keys in self._gone.items():
            if keys:
                names = [column.name for column in table.primary_key]
                _remove(table).many(
                    self.connection, [dict(zip(("k_" + n for n in names), key, strict=True)) for key in keys]
                )
        self._gone = {}


_FIND_INPUT = Prepared(
    select(inbox.c.task).where(
        inbox.c.platform == bindparam("p"), inbox.c.account == bindparam("a"), inbox.c.event_id == bindparam("e")
    )
)
_INSERT_EVENT = Prepared(insert(events), events.c.keys())
_INSERT_ORDER = Prepared(insert(orders), orders.c.keys())
_HISTORY = select(events).where(events.c.task == bindparam("t")).order_by(events.c.seq)
_CLOSE_ORDER = Prepared(delete(orders).where(orders.c.id == bindparam("b")))
_upserts: dict[tuple[str, str], Prepared] = {}
_removes: dict[str, Prepared] = {}


def _upsert(table: Table, dialect: str) -> Prepared:
    made = _upserts.get((table.name, dialect))
    if made is None:
        statement = (sqlite_upsert if dialect == "sqlite" else postgres_upsert)(table)
        keys = [column.name for column in table.primary_key]
        rest = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
        made = Prepared(
            statement.on_conflict_do_update(index_elements=keys, set_=rest)
            if rest
            else statement.on_conflict_do_nothing(index_elements=keys),
            table.c.keys(),
        )
        _upserts[(table.name, dialect)] = made
    return made


def _remove(table: Table) -> Prepared:
    made = _removes.get(table.name)
    if made is None:
        statement = delete(table)
        for column in table.primary_key:
            statement = statement.where(column == bindparam("k_" + column.name))
        made = _removes[table.name] = Prepared(statement)
    return made


@functools.cache
def _key_names(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.primary_key)


class Log:
    """The door to history. One per process."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._group: Tx | None = None
        self._task = 0
        with database.read() as connection:
            self._task = connection.execute(select(func.max(events.c.task))).scalar() or 0
            known = connection.execute(select(func.max(inbox.c.task))).scalar() or 0
            floor = connection.execute(select(meta.c.value).where(meta.c.name == "task_floor")).scalar()
            self._task = max(self._task, known, int(floor or 0))
            self._position = connection.execute(select(func.max(events.c.n))).scalar() or 0
            hidden = select(inbox.c.task).where(inbox.c.event_id.startswith(HIDDEN, autoescape=True)).limit(1)
            self.forgot_inputs = connection.execute(hidden).first() is not None
        database.before_commit.append(self._flush_group)
        database.after_rollback.append(self._drop_group)

    def hidden_id(self, connection: Connection, event_id: str) -> str:
        """Return what stands in the inbox for the id of an input that was forgotten: a second copy still finds it."""
        secret = connection.execute(select(meta.c.value).where(meta.c.name == "secret")).scalar()
        key = hashlib.sha256(str(secret).encode()).digest()
        return HIDDEN + hashlib.blake2b(event_id.encode(), key=key, digest_size=16).hexdigest()

    def next_task(self) -> int:
        """Called in the writer thread only. A number whose unit failed is never used: gaps are harmless."""
        self._task += 1
        return self._task

    def skip_tasks(self, count: int) -> None:
        """Leave a gap in the numbers, up to the next thousand, and remember it. Only before serving.

        After a restore the tasks that were lost keep their numbers: no button, key or Message-ID that went out for one
        of them can fit a new one.
        """
        floor = -(-(self._task + count) // 1000) * 1000
        self.set_fact("task_floor", str(floor))
        self._task = floor

    def next_position(self) -> int:
        """Called in the writer thread only."""
        self._position += 1
        return self._position

    def transact(self, work: Callable[[Tx], T]) -> Future[T]:
        """Queue a unit of work; the future resolves after its commit.

        Raises (through the future):
            StorageError: nothing of it was kept.
        """

        def unit(connection: Connection) -> T:
            if self._group is None:
                self._group = Tx(connection, self)
            return work(self._group)

        return self.database.submit(unit)

    def _flush_group(self, connection: Connection) -> None:
        if self._group is not None:
            group, self._group = self._group, None
            assert group.connection is connection
            group.flush()

    def _drop_group(self) -> None:
        self._group = None

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────

    def lines(self, task: int | None = None) -> Iterator[Line]:
        """Yield lines in order of task and sequence, from one snapshot."""
        query = select(events).order_by(events.c.task, events.c.seq)
        if task is not None:
            query = query.where(events.c.task == task)
        with self.database.read() as connection:
            for row in connection.execution_options(yield_per=1000).execute(query):
                yield read_line(row)

    def due_orders(self, now: datetime, limit: int = 1000) -> list[tuple[int, OrderRow]]:
        """Return ordered work whose time has come, oldest task first."""
        query = select(orders).where(orders.c.due <= stamp(now)).order_by(orders.c.task, orders.c.id).limit(limit)
        with self.database.read() as connection:
            return [(row.task, OrderRow(row.id, row.kind, row.due, row.body)) for row in connection.execute(query)]

    def next_due(self, now: datetime) -> datetime | None:
        """Return when the next order after now falls due."""
        query = select(func.min(orders.c.due)).where(orders.c.due > stamp(now))
        with self.database.read() as connection:
            due = connection.execute(query).scalar()
        return unstamp(due) if due else None

    def verify(self) -> Iterator[ChainBrokenError]:
        """Yield every break in any chain: a changed line, a hole, a head that an anchor knew otherwise."""
        heads: dict[int, list[str]] = {}
        with self.database.read() as connection:
            before, last, task = GENESIS, 0, None
            for row in connection.execution_options(yield_per=1000).execute(
                select(events).order_by(events.c.task, events.c.seq)
            ):
                if row.task != task:
                    before, last, task = GENESIS, 0, row.task
                if row.seq != last + 1:
                    yield ChainBrokenError(f"task {row.task}", f"line {last + 1} is missing")
                if link(before, row._asdict()) != row.hash:
                    yield ChainBrokenError(f"task {row.task}, line {row.seq}", "its content is not what was written")
                before, last = row.hash, row.seq
                heads.setdefault(row.task, []).append(row.hash.hex())
            digest = ""
            for anchor in connection.execute(select(anchors).order_by(anchors.c.day)):
                digest = hashlib.sha256((digest + anchor.heads).encode()).hexdigest()
                if digest != anchor.digest:
                    yield ChainBrokenError(f"the anchor of {anchor.day}", "it is not what was written")
                for number, (length, head) in msgspec.json.decode(anchor.heads).items():
                    chain = heads.get(int(number), [])
                    if len(chain) < length or chain[length - 1] != head:
                        yield ChainBrokenError(f"task {number}", f"it is not what it was on {anchor.day}")

    def anchor(self, day: str) -> None:
        """Chain the heads of all tasks that moved since the last anchor; once a day, queued like any write."""

        def work(connection: Connection) -> None:
            if connection.execute(select(anchors.c.day).where(anchors.c.day >= day)).first():
                return
            last = connection.execute(select(anchors).order_by(anchors.c.day.desc()).limit(1)).first()
            since = f"{last.day}T00:00:00.000000Z" if last else ""
            newest = (
                select(events.c.task, func.max(events.c.seq).label("seq"))
                .where(events.c.at >= since)
                .group_by(events.c.task)
                .subquery()
            )
            rows = connection.execute(
                select(events.c.task, events.c.seq, events.c.hash).join(
                    newest, (newest.c.task == events.c.task) & (newest.c.seq == events.c.seq)
                )
            ).all()
            heads = msgspec.json.encode(
                {str(row.task): [row.seq, row.hash.hex()] for row in rows}, order="deterministic"
            ).decode()
            digest = hashlib.sha256(((last.digest if last else "") + heads).encode()).hexdigest()
            connection.execute(insert(anchors), {"day": day, "lines": len(rows), "digest": digest, "heads": heads})

        self.database.submit(work)

    def close_order(self, order: str) -> None:
        """Take an order off the outbox that needs no line in history (a message was shown). Queued like any write."""
        self.transact(lambda tx: tx.close(order))

    def set_fact(self, name: str, value: str) -> None:
        """Write a value of `meta`, and wait for it. At start only."""
        statement = _upsert(meta, self.database.engine.dialect.name)
        self.database.write_now(lambda connection: statement.many(connection, [{"name": name, "value": value}]))

    def fact(self, name: str) -> str | None:
        """Return a value of `meta`: the epoch, the schema's version."""
        with self.database.read() as connection:
            return connection.execute(select(meta.c.value).where(meta.c.name == name)).scalar()


def in_order(lines: Iterable[Line]) -> list[Line]:
    """Return lines in the order of their time, then task and sequence: how a person reads history."""
    return sorted(lines, key=lambda line: (line.at, line.task, line.seq))
