"""Statements that are compiled once and then handed to the driver as they are.

A task costs a dozen of the same few statements. SQLAlchemy still writes them, for both databases; only the work of
compiling, caching and binding them anew each time is saved, which was two thirds of a commit's CPU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult
from sqlalchemy.sql import ClauseElement


class Prepared:
    """One statement; compiled at its first use for the dialect at hand.

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
        self._compile(connection)
        connection.exec_driver_sql(self._sql, [self._bind(row) for row in rows])

    def run(self, connection: Connection, values: Mapping[str, Any]) -> CursorResult[Any]:
        """Run it once and return its result."""
        self._compile(connection)
        return connection.exec_driver_sql(self._sql, self._bind(values))
