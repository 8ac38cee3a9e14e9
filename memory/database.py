"""The one database: a SQLite file in the operator's home, or PostgreSQL with ``DATABASE_URL``.

Everything durable goes through `Database.write`: a function of a connection, queued, run with all that is queued in
*one* transaction by one writer thread, and acknowledged after the commit (group commit). A write that raises leaves
nothing behind and fails alone: its neighbours are run again, so a write must touch nothing but its connection::

    with Database.open(home) as database:
        await database.write(lambda tx: tx.execute(insert(clients), {"key": "acme"}))
        with database.read() as connection:
            connection.execute(select(clients)).all()

FULL, not NORMAL: an approval must survive a power cut, and one fsync for a whole group is far below what a disk does.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine, MetaData, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, QueuePool
from sqlalchemy.schema import CreateIndex

from memory.prepared import Prepared, Rows

T = TypeVar("T")

GROUP_MAX = 256  # writes in one transaction: bounds the wait of the last one behind the first
READERS_MAX = 8  # read connections kept open

metadata = MetaData()
"""Every table of the house registers here; `Database.open` creates what is missing."""


class StorageError(Exception):
    """The database would not take it. Nothing of this write was kept; the message says why and what to do."""


class HomeInUseError(StorageError):
    """Another process owns the file."""

    def __init__(self, home: Path, pid: str) -> None:
        super().__init__(
            f"Another Soloist (process {pid or 'unknown'}) is already using {home}. "
            "One process owns the file: stop the other one, or give this one its own SOLOIST_HOME."
        )


def explain(error: BaseException, where: str) -> str:
    """Turn a driver's error into a sentence for the operator: what happened, and what to do."""
    text = str(getattr(error, "orig", error))
    lowered = text.lower()
    if "disk is full" in lowered or "no space left" in lowered:
        return f"The disk holding {where} is full. Nothing was lost; free some space and it goes on by itself."
    if "readonly" in lowered or "read-only" in lowered or "permission denied" in lowered:
        return f"{where} cannot be written. Make it writable for this user (check the folder's owner and mode)."
    if "malformed" in lowered or "not a database" in lowered:
        return f"{where} is damaged ({text}). Run 'python -m bot doctor', then 'python -m bot restore' with a backup."
    if "i/o error" in lowered:
        return f"Writing {where} broke off ({text}). Nothing of it was kept. Check the disk; it goes on by itself."
    if any(words in lowered for words in ("unable to open", "no such file", "not a directory", "file exists")):
        return f"{where} cannot be opened. Check that the folder exists and is writable for this user."
    return f"{where} would not take the write: {text}"


@dataclass
class _Unit:
    work: Callable[[Connection], Any]
    done: Future[Any] = field(default_factory=Future)


class Database:
    """The truth of the house. Reads from any thread; writes through the one writer."""

    def __init__(self, engine: Engine, where: str, lock: int | None) -> None:
        self.engine = engine
        self.where = where
        self._lock = lock
        self._queue: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._closed = False
        self.commits = 0
        self.before_commit: list[Callable[[Connection], None]] = []
        self.after_commit: list[Callable[[], None]] = []
        self.after_rollback: list[Callable[[], None]] = []
        self._driver_error: type[Exception] = engine.dialect.loaded_dbapi.Error
        self._idle: deque[Connection] = deque()  # readers' connections between two reads
        self._writing: Connection | None = None  # the writer's own, kept open: opening one costs as much as a commit
        self._thread = threading.Thread(target=self._write_loop, name="soloist-writer", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, home: Path, *, url: str = "", name: str = "soloist.db") -> Self:
        """Open and create what is missing.

        Args:
            home: The operator's folder; created when missing.
            url: A SQLAlchemy URL of a PostgreSQL database instead; then ``home`` only holds files.
            name: File name in ``home``.

        Raises:
            HomeInUseError: Another process owns the file.
            StorageError: It cannot be opened, written or read; the message says what to do.
        """
        try:
            home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(explain(error, str(home))) from error
        if url:
            engine = create_engine(url, pool_size=READERS_MAX)
            metadata.create_all(engine)
            return cls(engine, url.rpartition("@")[2], None)
        path = home / name
        lock = _own(home)
        try:
            engine = _sqlite(path)
            with engine.begin() as connection:
                metadata.create_all(connection)
                for table in metadata.tables.values():
                    for index in table.indexes:  # an index that came later than its table
                        connection.execute(CreateIndex(index, if_not_exists=True))
        except (DBAPIError, sqlite3.Error) as error:
            os.close(lock)
            raise StorageError(explain(error, str(path))) from error
        return cls(engine, str(path), lock)

    @classmethod
    def look(cls, home: Path, *, url: str = "", name: str = "soloist.db") -> Self:
        """Open for reading beside whoever owns the file; writes are refused.

        Raises:
            StorageError: There is nothing there, or it cannot be read.
        """
        path = home / name
        if not url and not path.exists():
            raise StorageError(
                f"There is no Soloist in {home} yet. Start one with 'python -m bot run', or set SOLOIST_HOME."
            )
        looking = cls(create_engine(url) if url else _sqlite(path), url.rpartition("@")[2] or str(path), None)
        looking._queue.put(None)
        looking._thread.join()
        looking._closed = True
        try:
            with looking.engine.connect() as connection:
                connection.exec_driver_sql("SELECT count(*) FROM events")
        except (DBAPIError, sqlite3.Error) as error:
            raise StorageError(explain(error, str(path))) from error
        return looking

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one committed snapshot. Never write through it.

        Raises:
            StorageError: The file is gone or damaged.
        """
        with self._borrowed() as connection:
            yield connection
            connection.rollback()  # the snapshot is over

    def look_up(self, statement: Prepared, values: Mapping[str, Any]) -> Rows:
        """Run one statement that reads, alone: half the cost of a snapshot for several.

        Raises:
            StorageError: The file is gone or damaged.
        """
        with self._borrowed() as connection:
            return statement.alone(connection, values)

    @contextlib.contextmanager
    def _borrowed(self) -> Iterator[Connection]:
        try:
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self.engine.connect()
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            if len(self._idle) < READERS_MAX and not self._closed:
                self._idle.append(connection)
            else:
                connection.close()
        except (DBAPIError, self._driver_error) as error:
            raise StorageError(explain(error, self.where)) from error

    def submit(self, work: Callable[[Connection], T]) -> Future[T]:
        """Queue a write; the future resolves after the commit that holds it, or with what ``work`` raised.

        Raises (through the future):
            StorageError: The disk would not take it; nothing of it was kept.
        """
        unit = _Unit(work)
        if self._closed:
            unit.done.set_exception(
                StorageError("This view of the database is closed for writing; nothing was written.")
            )
            return unit.done
        self._queue.put(unit)
        return unit.done

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Queue a write and wait for its commit. See `submit`."""
        return await asyncio.wrap_future(self.submit(work))

    def write_now(self, work: Callable[[Connection], T]) -> T:
        """The same for code without an event loop. Never call it from the loop's thread while serving."""
        return self.submit(work).result()

    def close(self) -> None:
        """Finish what is queued, then let go of the file."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        self._thread.join()
        while self._idle:
            self._idle.pop().close()
        self.engine.dispose()
        if self._lock is not None:
            os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ── the writer ────────────────────────────────────────────────────────────────────────────────────────────────

    def _write_loop(self) -> None:
        try:
            self._serve_writes()
        finally:
            self._drop_connection()

    def _serve_writes(self) -> None:
        while True:
            first = self._queue.get()
            if first is None:
                return
            group, stop = self._gather(first)
            # From here on nobody can cancel what is being written; who gave up before is passed over.
            group = [unit for unit in group if unit.done.set_running_or_notify_cancel()]
            if group:
                self._commit(group)
            if stop:
                return

    def _gather(self, first: _Unit) -> tuple[list[_Unit], bool]:
        group = [first]
        while len(group) < GROUP_MAX:
            try:
                unit = self._queue.get_nowait()
            except queue.Empty:
                return group, False
            if unit is None:
                return group, True
            group.append(unit)
        return group, False

    def _commit(self, group: list[_Unit]) -> None:
        try:
            if self._writing is None:
                self._writing = self.engine.connect()
            connection = self._writing
            with connection.begin():
                results = [unit.work(connection) for unit in group]
                for hook in self.before_commit:
                    hook(connection)
        except Exception as error:  # noqa: BLE001 - whatever a caller's work raised belongs to that caller
            self._drop_connection()  # whatever state it is in, the next write begins on a sound one
            for rollback in self.after_rollback:
                rollback()
            if len(group) > 1:
                # One bad write must not take its neighbours down: each gets a transaction of its own.
                for unit in group:
                    self._commit([unit])
                return
            if isinstance(error, DBAPIError | self._driver_error):
                failure = StorageError(explain(error, self.where))
                failure.__cause__ = error
                group[0].done.set_exception(failure)
            else:
                group[0].done.set_exception(error)
            return
        self.commits += 1
        for after in self.after_commit:
            after()
        for unit, result in zip(group, results, strict=True):
            unit.done.set_result(result)

    def _drop_connection(self) -> None:
        connection, self._writing = self._writing, None
        if connection is not None:
            with contextlib.suppress(DBAPIError, self._driver_error):
                connection.close()


def _own(home: Path) -> int:
    """Take the lock on a home, or say who has it. The lock dies with the process, whatever kills it."""
    path = home / "soloist.lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(explain(error, str(home))) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        pid = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        os.close(descriptor)
        raise HomeInUseError(home, pid) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def _sqlite(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=QueuePool if str(path) != ":memory:" else NullPool,
        pool_size=READERS_MAX,
        connect_args={"check_same_thread": False, "isolation_level": None},
    )

    @event.listens_for(engine, "connect")
    def _tune(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA busy_timeout=5000")
        # Forgetting must leave no bytes behind.
        connection.execute("PRAGMA secure_delete=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # The writer takes the lock at once; a reader's snapshot needs none. With isolation_level None the driver
        # begins nothing by itself (SQLAlchemy docs, "Serializable isolation / Savepoints" for pysqlite).
        writer = threading.current_thread().name == "soloist-writer"
        connection.connection.cursor().execute("BEGIN IMMEDIATE" if writer else "BEGIN")

    return engine
