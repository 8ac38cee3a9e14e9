# ruff: noqa: S608 - what is put into SQL here are integers of ours and column names; texts go in as parameters
"""Forgetting in the tables of recollections: whose rows, what was made of them, and the tombstones in their place.

What is deleted here is still in the bytes of the files until `memory.erasure.scrub` has been there.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence

from sqlalchemy import (
    Connection,
)

from memory.recollections import listed, scrub_due


def with_what_follows(tx: Connection, ids: Iterable[int]) -> list[int]:
    """Return the ids and every summary made from them, however far: a summary would tell what was forgotten."""
    todo, found = list(ids), set(ids)
    while todo:
        rows = tx.exec_driver_sql(f"SELECT id FROM recollection_sources WHERE source IN ({listed(todo)})")
        todo = [row[0] for row in rows if row[0] not in found]
        found.update(todo)
    return sorted(found)


def about(tx: Connection, name: str) -> list[int]:
    """Return the ids of what a person said, wrote or is named in: by column, and by the words of the text.

    "Dana" finds Dana Whitlock too; the caller shows what is found before anything goes. Accents and case do not count,
    endings do: "Mark" is not found in "marked".
    """
    wanted = _plain_words(name)
    if not wanted:
        return []
    people = tx.exec_driver_sql("SELECT speaker FROM recollections UNION SELECT author FROM recollections").fetchall()
    meant = [row[0] for row in people if set(wanted) <= set(_plain_words(row[0]))]
    listed = json.dumps(meant)
    ids = tx.exec_driver_sql(
        "SELECT id FROM recollections WHERE speaker IN (SELECT value FROM json_each(?)) "
        "OR author IN (SELECT value FROM json_each(?))",
        (listed, listed),
    ).fetchall()
    phrase = 'text : "' + name.replace('"', '""') + '"'
    named = tx.exec_driver_sql(
        "SELECT id, text FROM recollections WHERE id IN "
        "(SELECT rowid FROM recollections_fts WHERE recollections_fts MATCH ?)",
        (phrase,),
    ).fetchall()
    spoken = f" {' '.join(wanted)} "
    found = {row[0] for row in ids} | {row[0] for row in named if spoken in f" {' '.join(_plain_words(row[1]))} "}
    return sorted(found)


def _plain_words(text_: str) -> list[str]:
    bare = "".join(c for c in unicodedata.normalize("NFKD", text_.casefold()) if not unicodedata.combining(c))
    return re.findall(r"[^\W_]+", bare)


def numbers_of(tx: Connection, ids: Sequence[int]) -> list[int]:
    """Return the numbers for the tombstones."""
    rows = tx.exec_driver_sql(f"SELECT uid FROM recollections WHERE id IN ({listed(ids)}) ORDER BY uid")
    return [row[0] for row in rows]


def ids_of(tx: Connection, numbers: Iterable[int]) -> list[int]:
    """Return which of these numbers are alive: after a restore, those must go again."""
    rows = tx.exec_driver_sql(
        "SELECT id FROM recollections WHERE uid IN (SELECT value FROM json_each(?))", (json.dumps(list(numbers)),)
    )
    return [row[0] for row in rows]


def bury(tx: Connection, ids: Sequence[int], numbers: Sequence[int]) -> None:
    """Delete rows, vectors, words and links, and put up their tombstones."""
    gone = listed(ids)
    tx.exec_driver_sql(
        f"UPDATE recollections SET superseded_by = NULL, valid_to = NULL WHERE superseded_by IN ({gone})"
    )
    tx.exec_driver_sql(f"UPDATE recollections SET contests = NULL WHERE contests IN ({gone})")
    tx.exec_driver_sql(f"DELETE FROM recollections WHERE id IN ({gone})")
    tx.exec_driver_sql(f"DELETE FROM recollection_vectors WHERE id IN ({gone})")
    tx.exec_driver_sql(f"DELETE FROM recollection_sources WHERE id IN ({gone}) OR source IN ({gone})")
    if numbers:
        tx.exec_driver_sql("INSERT OR IGNORE INTO recollection_tombstones(uid) VALUES (?)", [(uid,) for uid in numbers])
    scrub_due(tx)


def tombstone_count(tx: Connection) -> int:
    """Return how many were ever forgotten: an index made before the last one is not used."""
    return int(tx.exec_driver_sql("SELECT COUNT(*) FROM recollection_tombstones").scalar() or 0)


def tombstone_numbers(tx: Connection) -> set[int]:
    """Return the numbers of everything forgotten."""
    return {row[0] for row in tx.exec_driver_sql("SELECT uid FROM recollection_tombstones")}
