"""Taking the bytes of what was forgotten out of the files.

A plain DELETE leaves a word in an older segment of the full-text index until that is merged, and a page in the
write-ahead log until it is checkpointed. ``secure_delete`` overwrites the rest (`memory.database`).
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable
from functools import partial

from sqlalchemy import Connection

from memory import recollections as rows_of
from memory.database import Database

MERGE_PAGES = 2_000  # of the full-text index in one write, so that other writes come in between
CHECKPOINT_TRIES = 50  # 0.1 s apart: a reader in the way is gone by then


def scrub(database: Database, step: Callable[[str], None] = lambda _: None) -> bool:
    """Overwrite what `memory.burial.bury` deleted; return False when a reader kept the log open: due again.

    Args:
        database: Where it was.
        step: Called before each step; tests kill the process there.
    """
    while mark := _due(database):
        step("scrub: merge")
        pages = -MERGE_PAGES  # the first one gathers all segments, the others go on with it
        while database.write_now(partial(_merge, pages=pages)):
            pages = MERGE_PAGES
        database.write_now(_optimize)
        step("scrub: checkpoint")
        if not _checkpoint(database):
            return False
        step("scrub: done")
        database.write_now(partial(_scrubbed, mark=mark))
    return True


def _due(database: Database) -> bytes:
    with database.read() as tx:
        return rows_of.setting(tx, "scrub")


def _optimize(tx: Connection) -> None:
    tx.exec_driver_sql("INSERT INTO recollections_fts(recollections_fts) VALUES ('optimize')")


def _scrubbed(tx: Connection, mark: bytes) -> None:
    # Only what was due when this scrub began: pages that were spent meanwhile are another mark, and another round.
    tx.exec_driver_sql("DELETE FROM recollection_settings WHERE name = 'scrub' AND value = ?", (mark,))


def _merge(tx: Connection, pages: int) -> bool:
    """Merge a little of the full-text index; return whether there is more to do."""
    before = tx.exec_driver_sql("SELECT total_changes()").scalar() or 0
    tx.exec_driver_sql("INSERT INTO recollections_fts(recollections_fts, rank) VALUES ('merge', ?)", (pages,))
    after = tx.exec_driver_sql("SELECT total_changes()").scalar() or 0
    # One change is the command itself (FTS5 documentation, "The 'merge' Command").
    return bool(after - before > 1)


def _checkpoint(database: Database) -> bool:
    # Outside any transaction, which the writer never is; a truncated log holds no page of before.
    connection = database.engine.raw_connection()
    try:
        for _ in range(CHECKPOINT_TRIES):
            with contextlib.suppress(sqlite3.OperationalError):
                busy = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                if not busy:
                    return True
            time.sleep(0.1)
    finally:
        connection.close()
    return False
