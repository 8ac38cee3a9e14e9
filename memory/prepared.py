"""Statements that are compiled once and then handed to the driver as they are.

A task costs a dozen of the same few statements. SQLAlchemy still writes them, for both databases, and opens and ends every
transaction; between these the driver's own cursor runs them. Compiling, binding and wrapping the results anew each time
was three quarters of a commit's CPU.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.sql import ClauseElement


class Rows(list[Any]):
    """What a statement found: rows whose columns are attributes, as SQLAlchemy's are."""

    def first(self) -> Any:
        """Return the first row, None when nothing was found."""
        return self[0] if self else None

    def all(self) -> list[Any]:
        """Return every row."""
        return self

    def scalar(self) -> Any:
        """Return the first column of the first row, None when nothing was found."""
        return self[0][0] if self else None


class Prepared:
    """One statement; compiled at its first use for the dialect at hand.

    It raises what the driver raises: `memory.database.Database` knows these errors.

    Args:
        statement: Any Core statement.
        columns: For an insert: the columns that are given, in any order.
    """

    def __init__(self, statement: ClauseElement, columns: Sequence[str] | None = None) -> None:
        self._statement = statement
        self._columns = list(columns) if columns is not None else None
        self._dialect = ""
        self._sql = ""
        self._names: Sequence[str] | None = None
        self._defaults: Mapping[str, Any] = {}
        self._row: Callable[..., Any] | None = None

    def _compile(self, connection: Connection) -> None:
        if self._dialect == connection.dialect.name:
            return
        compiled = self._statement.compile(dialect=connection.dialect, column_keys=self._columns)
        self._sql = str(compiled)
        self._names = getattr(compiled, "positiontup", None)
        self._defaults = {name: value for name, value in compiled.params.items() if value is not None}
        self._dialect = connection.dialect.name

    def _bind(self, values: Mapping[str, Any]) -> Any:
        if self._names is None:
            return {**self._defaults, **values}
        if not self._defaults:
            return tuple([values[name] for name in self._names])
        return tuple([values[name] if name in values else self._defaults[name] for name in self._names])

    def many(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run it once for each row, in one call of the driver."""
        cursor = self._cursor(connection)
        cursor.executemany(self._sql, [self._bind(row) for row in rows])
        cursor.close()

    def run(self, connection: Connection, values: Mapping[str, Any]) -> Rows:
        """Run it once and return what it found."""
        return self._found(self._cursor(connection), values)

    def alone(self, connection: Connection, values: Mapping[str, Any]) -> Rows:
        """Run it once outside of any transaction, and return what it found."""
        self._compile(connection)
        driver = connection.connection
        found = self._found(driver.cursor(), values)
        driver.rollback()  # where the driver began a transaction by itself
        return found

    def _found(self, cursor: Any, values: Mapping[str, Any]) -> Rows:
        cursor.execute(self._sql, self._bind(values))
        if self._row is None:
            row: Any = namedtuple("Row", [name for name, *_ in cursor.description], rename=True)  # type: ignore[misc]  # noqa: PYI024 - by the query
            self._row = row._make
        found = Rows(map(self._row, cursor.fetchall()))
        cursor.close()
        return found

    def _cursor(self, connection: Connection) -> Any:
        self._compile(connection)
        if not connection.in_transaction():
            connection.begin()  # a reader's snapshot, as SQLAlchemy's own statements begin it
        return connection.connection.cursor()
