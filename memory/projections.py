"""What can be rebuilt from the log at any time: tasks, cards, effects, turns, canonical records, the ledger.

Rows are written in the transaction of the event that changes them (``bot/state.py`` says which), read by everybody,
and compared with a fresh rebuild by ``python -m bot replay``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    and_,
    bindparam,
    func,
    or_,
    select,
    text,
)

from memory.database import metadata
from memory.line import stamp, unstamp
from memory.prepared import Prepared

tasks = Table(
    "tasks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("status", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("began", Text, nullable=False),
    Column("at", Text, nullable=False),  # of its newest line
    Column("seq", Integer, nullable=False),
    Index("tasks_status", "status"),
)
cards = Table(
    "cards",
    metadata,
    Column("id", Text, primary_key=True),
    Column("task", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("at", Text, nullable=False),
    Index("cards_state", "state"),
    sqlite_with_rowid=False,
)
effects = Table(
    "effects",
    metadata,
    Column("id", Text, primary_key=True),
    Column("task", Integer, nullable=False),
    Column("card", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("amount", Text, nullable=False),  # "" or "1200.00"
    Column("currency", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("undone", Integer, nullable=False),
    Index("effects_status", "status"),
    Index("effects_pace", "name", "at"),
    sqlite_with_rowid=False,
)
recipients = Table(
    "recipients",
    metadata,
    Column("address", Text, nullable=False),
    Column("effect", Text, nullable=False),
    PrimaryKeyConstraint("address", "effect"),
    sqlite_with_rowid=False,
)
payees = Table(
    "payees",
    metadata,
    # Keys first: SQLite 3.40's integrity check takes other orders of a table without rowid for damage.
    Column("account", Text, nullable=False),
    Column("effect", Text, nullable=False),
    Column("name", Text, nullable=False),  # as it is compared; "" where only the account is known
    Column("words", Text, nullable=False),  # as it was shown
    PrimaryKeyConstraint("account", "effect"),
    Index("payees_name", "name"),
    sqlite_with_rowid=False,
)
turns = Table(
    "turns",
    metadata,
    Column("n", Integer, primary_key=True),
    Column("task", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("at", Text, nullable=False),
    Column("kind", Text, nullable=False),  # heard | said | card
    Column("ref", Text, nullable=False),  # message or card id
)
copies = Table(
    "copies",
    metadata,
    Column("channel", Text, nullable=False),
    Column("conversation", Text, nullable=False),
    Column("ref", Text, nullable=False),
    Column("task", Integer, nullable=False),
    Column("what", Text, nullable=False),
    PrimaryKeyConstraint("channel", "conversation", "ref"),
    Index("copies_what", "what"),
    sqlite_with_rowid=False,
)
records = Table(
    "records",
    metadata,
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("task", Integer, nullable=False),
    Column("at", Text, nullable=False),
    Column("gone", Integer, nullable=False),
    Column("effect", Text, nullable=False),
    Column("data", Text, nullable=False),
    PrimaryKeyConstraint("kind", "key", "version"),
    sqlite_with_rowid=False,
)
ledger = Table(
    "ledger",
    metadata,
    Column("task", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("line", Integer, nullable=False),
    Column("at", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("amount", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("effect", Text, nullable=False),
    PrimaryKeyConstraint("task", "seq", "line"),
    Index("ledger_account", "account"),
    sqlite_with_rowid=False,
)
decisions = Table(
    "decisions",
    metadata,
    Column("ref", Text, nullable=False),  # the card, or the effect that went without one
    Column("action", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("how", Text, nullable=False),  # unchanged | edited | rejected | undone
    Column("n", Integer, nullable=False),  # the line that says so
    PrimaryKeyConstraint("ref", "action"),
    Index("decisions_about", "action", "client", "n"),
    sqlite_with_rowid=False,
)
reservations = Table(
    "reservations",
    metadata,
    Column("name", Text, primary_key=True),  # "invoice:2026-0001"
    Column("card", Text, nullable=False),
    sqlite_with_rowid=False,
)

PROJECTIONS: tuple[Table, ...] = (
    tasks,
    cards,
    effects,
    recipients,
    payees,
    turns,
    copies,
    records,
    ledger,
    decisions,
    reservations,
)
BY_NAME: Mapping[str, Table] = {table.name: table for table in PROJECTIONS}

TURN_TAKEN_WITHIN = timedelta(seconds=1)  # an effect begins a moment after its turn has come, not before
DECISIONS_MAX = 200  # of one action and client: what was thought of it years ago says little


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a canonical record."""

    kind: str
    key: str
    version: int
    data: dict[str, Any]
    at: datetime
    task: int
    gone: bool


_NEWEST = Prepared(
    select(records)
    .where(records.c.kind == bindparam("kind"), records.c.key == bindparam("key"))
    .order_by(records.c.version.desc())
    .limit(1)
)
_VERSION = Prepared(
    select(func.max(records.c.version)).where(records.c.kind == bindparam("kind"), records.c.key == bindparam("key"))
)
_LATEST = (
    select(records.c.key, func.max(records.c.version).label("version"))
    .where(records.c.kind == bindparam("kind"))
    .group_by(records.c.key)
    .subquery()
)
_ALL = Prepared(
    select(records)
    .join(_LATEST, (records.c.key == _LATEST.c.key) & (records.c.version == _LATEST.c.version))
    .where(records.c.kind == bindparam("kind"), records.c.gone == 0)
    .order_by(records.c.key)
)
_KNOWN = Prepared(select(recipients.c.effect).where(recipients.c.address == bindparam("address")).limit(1))
_HEARD = text(
    "SELECT body FROM events WHERE type = 'ItemArrived' AND at >= :since AND lower(body) LIKE '%' || :address || '%'"
)  # a wildcard in an address finds more, and `_author` looks at each
_RESERVED = Prepared(select(reservations.c.card).where(reservations.c.name == bindparam("name")))
_BEGUN = and_(effects.c.status != "prepared", effects.c.at <= bindparam("now"))
_TRIED = and_(effects.c.status == "prepared", effects.c.text != "")  # waits for its turn, or for its next attempt
_PACE = (
    select(effects.c.at)
    .where(
        effects.c.name == bindparam("name"),
        effects.c.at > bindparam("since"),
        effects.c.status != "dropped",
        effects.c.id != bindparam("effect"),
        or_(_BEGUN, _TRIED),
    )
    .order_by(effects.c.at.desc())
    .limit(1)
    .offset(bindparam("most"))
)
_UNDER_WAY = Prepared(select(effects.c.name).where(effects.c.status == "sending", effects.c.at > bindparam("since")))
_LAST_TURNS = Prepared(_PACE)
_LAST_BEGUN = Prepared(_PACE.where(effects.c.at <= bindparam("now")))


class Books:
    """Reads of our own books through one connection: a snapshot, or a unit of work that must see its own rows.

    Args:
        connection: Where to read.
        settle: Called before each query with its tables; `memory.log.Tx.settle` inside a unit of work.
    """

    def __init__(self, connection: Connection, settle: Callable[..., None] = lambda *_: None) -> None:
        self._connection = connection
        self._settle = settle

    def _run(self, table: Table, query: Any, values: dict[str, Any] | None = None) -> Any:
        self._settle(table)
        if isinstance(query, Prepared):
            return query.run(self._connection, values or {})
        return self._connection.execute(query, values or {})

    def record(self, kind: str, key: str) -> Version | None:
        """Return the newest version, a final one included."""
        row = self._run(records, _NEWEST, {"kind": kind, "key": key}).first()
        return _version(row) if row else None

    def version(self, kind: str, key: str) -> int:
        """Return the newest version's number, 0 when there never was one."""
        return self._run(records, _VERSION, {"kind": kind, "key": key}).scalar() or 0

    def standing(self, kind: str, key: str) -> Version | None:
        """Return the newest version, None when there never was one or the record is gone."""
        found = self.record(kind, key)
        return None if found is None or found.gone else found

    def versions(self, kind: str, key: str) -> list[Version]:
        """Return every version of one record, oldest first."""
        query = select(records).where(records.c.kind == kind, records.c.key == key).order_by(records.c.version)
        return [_version(row) for row in self._run(records, query)]

    def _written_by(self, effect: str, kind: str, key: str) -> list[int]:
        query = select(records.c.version).where(
            records.c.kind == kind, records.c.key == key, records.c.effect == effect
        )
        return [row.version for row in self._run(records, query.order_by(records.c.version))]

    def newer_than(self, effect: str, kind: str, key: str) -> bool:
        """Whether a record was written again after an effect wrote it."""
        mine = self._written_by(effect, kind, key)
        return bool(mine) and self.version(kind, key) > mine[-1]

    def before(self, effect: str, kind: str, key: str) -> dict[str, Any] | None:
        """Return a record's data before an effect wrote it, None when there was none or it was gone."""
        mine = self._written_by(effect, kind, key)
        older = [version for version in self.versions(kind, key) if mine and version.version < mine[0]]
        return older[-1].data if older and not older[-1].gone else None

    def all(self, kind: str) -> list[Version]:
        """Return the newest version of every record of a kind that is not gone, in key order."""
        return [_version(row) for row in self._run(records, _ALL, {"kind": kind})]

    def kinds(self) -> list[str]:
        """Return the kinds there are."""
        return [row.kind for row in self._run(records, select(records.c.kind).distinct().order_by(records.c.kind))]

    def decisions(self, action: str, client: str) -> list[str]:
        """Return how the cards for one action and client were decided, oldest first; the newest `DECISIONS_MAX`."""
        query = (
            select(decisions.c.how)
            .where(decisions.c.action == action, decisions.c.client == client)
            .order_by(decisions.c.n.desc())
            .limit(DECISIONS_MAX)
        )
        return [row.how for row in reversed(self._run(decisions, query).all())]

    def reserved_for(self, name: str) -> str | None:
        """Return the card a number is reserved for, or None when it is free."""
        card: str | None = self._run(reservations, _RESERVED, {"name": name}).scalar()
        return card

    def next_number(
        self, kind: str, series: str, prefix: str = "", *, card: str = "", beside_waiting: bool = True
    ) -> str:
        """Return the lowest free number of a series: neither used by a record nor reserved by a waiting card.

        Args:
            kind: Record kind whose keys are the numbers: ``"invoice"``.
            series: ``"2026"``.
            prefix: ``"CN-"``.
            card: A number that this card holds counts as free: a new draft of it keeps its number.
            beside_waiting: What cards hold that only wait for a press counts as used; else as free.

        Returns:
            ``"2026-0001"``, ``"CN-2026-0001"``; four digits, more when needed.
        """
        head = f"{prefix}{series}-"
        used = {
            row.key
            for row in self._run(
                records, select(records.c.key).distinct().where(records.c.kind == kind, records.c.key.startswith(head))
            )
        }
        held = select(reservations.c.name).where(
            reservations.c.name.startswith(f"{kind}:{head}"), reservations.c.card != card
        )
        if not beside_waiting:
            self._settle(cards)
            waiting = select(cards.c.id).where(cards.c.state == "pending", cards.c.kind == "approval")
            held = held.where(reservations.c.card.not_in(waiting))
        used |= {row.name.partition(":")[2] for row in self._run(reservations, held)}
        number = 1
        while f"{head}{number:04d}" in used:
            number += 1
        return f"{head}{number:04d}"

    def sent_as(self, message_id: str) -> tuple[int, str] | None:
        """Return the task that sent a mail, and its title, by the mail's Message-ID; None when none of ours is called so."""
        query = select(effects.c.task, tasks.c.title).join(tasks, tasks.c.id == effects.c.task)
        row = self._run(effects, query.where(effects.c.name == "mail.send", effects.c.ref == message_id)).first()
        return (row.task, row.title) if row else None

    def knows_recipient(self, address: str) -> bool:
        """Whether something was sent there before, or a client's record holds the address."""
        lowered = address.casefold()
        if self._run(recipients, _KNOWN, {"address": lowered}).first():
            return True
        return any(lowered in _addresses(client.data) for client in self.all("client"))

    def heard_from(self, address: str, since: datetime) -> bool:
        """Return whether a person has written from that address since; an automatic answer is nobody's word."""
        values = {"since": since.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), "address": address.casefold()}
        found = self._connection.execute(_HEARD, values).scalars()
        return any(_author(msgspec.json.decode(body)) == address.casefold() for body in found)

    def paid(self, account: str) -> list[str]:
        """Return who was paid on this account before, oldest first; what failed or is not known to be there is no payment."""
        return self._paid(payees.c.account == account)

    def paid_as(self, name: str) -> list[str]:
        """Return whom money went to under this name before, oldest first, each account as it was shown."""
        return self._paid(payees.c.name == name) if name else []

    def _paid(self, which: ColumnElement[bool]) -> list[str]:
        self._settle(effects)
        query = (
            select(payees.c.words)
            .join(effects, effects.c.id == payees.c.effect)
            .where(which, effects.c.status.in_(("confirmed", "compensated")))
            .order_by(effects.c.at, effects.c.id)
        )
        return list(dict.fromkeys(row.words for row in self._run(payees, query)))

    def spent(
        self, since: datetime, *, client: str = "", action: str = "", payee: str = "", apart: str = ""
    ) -> dict[str, Decimal]:
        """Return currency → money of effects let through since a time (all but failed and dropped ones).

        An unknown one counts: it may have happened. What is let through and has not left yet counts however old it is,
        so nothing saved up can go out on top of a day's limit. Money coming back makes no room for more. A payee is named by
        its account, or by its name as it is compared; ``apart`` is an effect that does not count.
        """
        query = select(effects.c.amount, effects.c.currency).where(
            or_(
                effects.c.at >= since.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                effects.c.status.in_(("prepared", "sending")),
            ),
            effects.c.amount != "",
            effects.c.status.not_in(("failed", "dropped")),
            effects.c.id != apart,
        )
        if client:
            query = query.where(effects.c.client == client)
        if payee:
            self._settle(payees)
            mine = select(payees.c.effect).where(or_(payees.c.account == payee, payees.c.name == payee))
            query = query.where(effects.c.id.in_(mine))
        if action:
            query = query.where(or_(effects.c.name == action, effects.c.name.startswith(action + ".")))
        sums: dict[str, Decimal] = {}
        for row in self._run(effects, query):
            sums[row.currency] = sums.get(row.currency, Decimal(0)) + max(Decimal(0), Decimal(row.amount))
        return sums

    def turn(
        self, action: str, now: datetime, *, most: int, span: timedelta, beside: int, waited: str
    ) -> datetime | None:
        """Return when the next turn comes, so that an action is begun so often in any span of time; None: at once.

        An attempt counts from when it began, an effect that waits from when its turn comes. A time to come that no
        effect waits for is that of a clock which was set back, and counts for nothing.

        Args:
            action: As `Action.name`.
            now: Aware.
            most: How often in a ``span``.
            span: Of time.
            beside: How many others begin at this moment and are not written down yet.
            waited: The effect whose turn has come: neither it nor those behind it in the queue count. "" for a new one.
        """
        if beside >= most:
            return now + span + TURN_TAKEN_WITHIN
        values = {
            "name": action, "effect": waited, "now": stamp(now), "since": stamp(now - span), "most": most - beside - 1,
        }  # fmt: skip
        if waited and not self._run(effects, _LAST_BEGUN, values).first():
            return None
        row = self._run(effects, _LAST_TURNS, values).first()
        return unstamp(row.at) + span + TURN_TAKEN_WITHIN if row else None

    def under_way(self, room: str, since: datetime) -> int:
        """Return how many effects of a room (``mail``, ``mcp.notes``) were begun since, and have not come to an end."""
        names = (row.name for row in self._run(effects, _UNDER_WAY, {"since": stamp(since)}))
        return sum(name.startswith(f"{room}.") for name in names)

    def balance(self, account: str) -> dict[str, Decimal]:
        """Return currency → sum over an account and those below it."""
        query = select(ledger.c.amount, ledger.c.currency).where(
            or_(ledger.c.account == account, ledger.c.account.startswith(account + ":"))
        )
        sums: dict[str, Decimal] = {}
        for row in self._run(ledger, query):
            sums[row.currency] = sums.get(row.currency, Decimal(0)) + Decimal(row.amount)
        return sums


def _version(row: Any) -> Version:
    return Version(
        row.kind, row.key, row.version, msgspec.json.decode(row.data), unstamp(row.at), row.task, bool(row.gone)
    )


def _author(item: Mapping[str, Any]) -> str:
    """Return whose mail it is, "" where a machine wrote it: who is out of office has not answered."""
    data = item.get("data", {})
    author = None if data.get("automatic") is True else data.get("from")
    return str(author.get("address") or "").casefold() if isinstance(author, dict) else ""


def _addresses(data: Mapping[str, Any]) -> Iterable[str]:
    for value in data.values():
        if isinstance(value, str) and "@" in value:
            yield value.casefold()
        elif isinstance(value, list):
            yield from (item.casefold() for item in value if isinstance(item, str) and "@" in item)
