"""Rebuilds every projection from the log, beside the real ones, and names each difference.

The rules that turn a line into rows are handed in (they belong to ``bot/state.py``), so this file knows only tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select

from memory.database import Database
from memory.line import Line
from memory.log import Log, Tx
from memory.projections import PROJECTIONS, payees, recipients, tasks

Rows = Callable[[Iterable[Line]], Iterator[tuple[Table, dict[str, Any] | None, tuple[Any, ...]]]]
"""Lines of one task → (table, row or None for deleted, key) in the order they were written."""


@dataclass(frozen=True)
class Difference:
    """One row that is not what the log says."""

    table: str
    key: tuple[Any, ...]
    kept: dict[str, Any] | None  # in the database
    rebuilt: dict[str, Any] | None  # from the log

    def __str__(self) -> str:
        if self.kept is None:
            return f"{self.table} {self.key} is missing"
        if self.rebuilt is None:
            return f"{self.table} {self.key} should not be there"
        fields = [name for name, value in self.rebuilt.items() if self.kept.get(name) != value]
        return f"{self.table} {self.key} differs in {', '.join(fields)}"


def rebuild(log: Log, rows: Rows) -> dict[Table, dict[tuple[Any, ...], dict[str, Any]]]:
    """Return every projection as the log says it should be."""
    made: dict[Table, dict[tuple[Any, ...], dict[str, Any]]] = {table: {} for table in PROJECTIONS}
    for lines in _by_task(log.lines()):
        for table, row, key in rows(lines):
            if row is None:
                made[table].pop(key, None)
            else:
                made[table][key] = row
    return made


def _by_task(lines: Iterable[Line]) -> Iterator[list[Line]]:
    task: list[Line] = []
    for line in lines:
        if task and task[0].task != line.task:
            yield task
            task = []
        task.append(line)
    if task:
        yield task


def compare(database: Database, log: Log, rows: Rows) -> list[Difference]:
    """Return every difference between the projections and a fresh rebuild."""
    found: list[Difference] = []
    made = rebuild(log, rows)
    with database.read() as connection:
        for table in PROJECTIONS:
            kept = {
                tuple(row._mapping[column.name] for column in table.primary_key): dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
                for row in connection.execute(select(table))
            }
            found += [
                Difference(table.name, key, kept.get(key), made[table].get(key))
                for key in sorted(kept.keys() | made[table].keys(), key=repr)
                if kept.get(key) != made[table].get(key)
            ]
    return found


def mend_task(tx: Tx, task: int, rows: Rows) -> None:
    """Replace one task's rows by what its lines say, inside a unit of work: after its words were erased."""
    for table in PROJECTIONS:
        if table in {payees, recipients}:
            mine = table.c.effect.startswith(f"{task}.", autoescape=True)
        elif table is tasks:
            mine = table.c.id == task
        elif "task" in table.c:
            mine = table.c.task == task
        else:
            continue  # numbers and ids only
        tx.connection.execute(delete(table).where(mine))
    for table, row, key in rows(tx.history(task)):
        if row is None:
            tx.drop(table, *key)
        else:
            tx.put(table, row)
    tx.flush()


def mend(database: Database, log: Log, rows: Rows) -> None:
    """Replace every projection by what the log says, in one transaction."""
    made = rebuild(log, rows)

    def work(connection: Connection) -> None:
        for table in PROJECTIONS:
            connection.execute(delete(table))
            if made[table]:
                connection.execute(insert(table), list(made[table].values()))

    database.write_now(work)
