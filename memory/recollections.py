# ruff: noqa: S608 - what is put into SQL here are integers of ours and column names; texts go in as parameters
"""What was said and what we know, one row each: the tables under `memory.recall`, and the SQL that writes and finds.

`memory.recollection` is one of them as a value, `memory.burial` takes them away.

Six tables and one full-text index, all in the one database:

- ``recollections``: one short text with who, where, when, whose, and for how long it holds. ``pending`` is the
  embedding queue.
- ``recollection_vectors``: the vector of each, fp16. The index files are made from these and can be deleted.
- ``recollection_sources``: which recollections a summary was made from.
- ``recollection_tombstones``: what was forgotten, as a keyed number that says nothing about the text.
- ``recollection_settings``: the key of those numbers, the embedder's stamp, the centre of the bit codes.
- ``recollection_changes``: how often each namespace changed, for answers that are kept for a while.
- ``recollections_fts``: FTS5 over text and scope, without a second copy of the text.

Every function here takes a connection inside a transaction of `memory.database.Database`.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    event,
    text,
)

from memory.database import metadata
from memory.events import Origin
from memory.recollection import (
    EVERYWHERE,
    TEXT_MAX,
    Known,
    Record,
    RecordError,
    Scope,
    micros,
    moment,
    number,
    scope_token,
)

SCORED_MAX = 40_000  # records scored by words for one question: 25 ms
PASSED_MAX = 80_000  # records passed over to find those of one namespace: 13 ms

recollections = Table(
    "recollections",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uid", BigInteger, nullable=False),
    Column("text", String, nullable=False),
    Column("scope", String, nullable=False),  # the tokens of `scope_tokens`, as FTS5 sees them
    Column("tier", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("client", String, nullable=False),
    Column("project", String, nullable=False),
    Column("task", String, nullable=False),
    Column("speaker", String, nullable=False),
    Column("thread", String, nullable=False),
    Column("position", Integer),
    Column("at", BigInteger),  # µs since 1970, UTC: when it was said
    Column("valid_from", BigInteger),
    Column("valid_to", BigInteger),
    Column("origin", String, nullable=False),
    Column("author", String, nullable=False),
    Column("key", String, nullable=False),
    Column("source", String, nullable=False),
    Column("spans", String, nullable=False),  # JSON: [[start, end], ...] in the source
    Column("superseded_by", Integer),
    Column("contests", Integer),
    Column("pending", Integer, nullable=False),
    sqlite_autoincrement=True,  # an id is never given twice, so a dead one cannot come to life as another
)
Index("recollections_uid", recollections.c.uid, unique=True)
Index(
    "recollections_thread",
    recollections.c.thread,
    recollections.c.position,
    sqlite_where=recollections.c.thread != "",
    postgresql_where=recollections.c.thread != "",
)
Index("recollections_client", recollections.c.client, recollections.c.project)
Index(
    "recollections_speaker",
    recollections.c.speaker,
    sqlite_where=recollections.c.speaker != "",
    postgresql_where=recollections.c.speaker != "",
)
Index(
    "recollections_key",
    recollections.c.key,
    recollections.c.client,
    sqlite_where=recollections.c.key != "",
    postgresql_where=recollections.c.key != "",
)
Index(
    "recollections_pending",
    recollections.c.id,
    sqlite_where=recollections.c.pending == 1,
    postgresql_where=recollections.c.pending == 1,
)

vectors = Table(
    "recollection_vectors",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)
sources = Table(
    "recollection_sources",
    metadata,
    Column("id", Integer, primary_key=True),  # the summary
    Column("source", Integer, primary_key=True),  # what it was made from
)
Index("recollection_sources_source", sources.c.source)
tombstones = Table("recollection_tombstones", metadata, Column("uid", BigInteger, primary_key=True))
settings = Table(
    "recollection_settings",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

changes = Table(
    "recollection_changes",
    metadata,
    Column("scope", String, primary_key=True),  # the token of a namespace, which says nothing about its name
    Column("count", Integer, nullable=False),
)

# Without content of its own: the text is stored once. FTS5 is then told what to take out, which a trigger does. What to
# put in it is told by `insert`, for all records at once: a trigger would make it write to its tables for each of them,
# eight times the work.
_FULL_TEXT = """
CREATE VIRTUAL TABLE recollections_fts
USING fts5(text, scope, content='', tokenize='porter unicode61 remove_diacritics 2')
"""
_GONE = """
CREATE TRIGGER recollections_gone BEFORE DELETE ON recollections BEGIN
INSERT INTO recollections_fts(recollections_fts, rowid, text, scope)
VALUES ('delete', old.id, old.text, old.scope); END
"""
# A change in a namespace is counted in the transaction that makes it, whoever makes it.
_COUNTED = """
CREATE TRIGGER IF NOT EXISTS recollections_changed_{name} AFTER {what} ON recollections BEGIN
INSERT INTO recollection_changes(scope, count) VALUES ({row}.scope, 1)
ON CONFLICT(scope) DO UPDATE SET count = count + 1; END
"""
_CHANGES = (("in", "INSERT", "new"), ("on", "UPDATE", "new"), ("out", "DELETE", "old"))


@event.listens_for(recollections, "after_create")
def _create_full_text(_: Table, tx: Connection, **__: object) -> None:
    if tx.dialect.name == "sqlite":
        for statement in (_FULL_TEXT, _GONE):
            tx.exec_driver_sql(statement)


@event.listens_for(metadata, "after_create")
def _count_changes(_: MetaData, tx: Connection, **__: object) -> None:
    if tx.dialect.name == "sqlite":
        tx.exec_driver_sql("DROP TRIGGER IF EXISTS recollections_told")  # what `insert` does now
        for name, what, row in _CHANGES:
            tx.exec_driver_sql(_COUNTED.format(name=name, what=what, row=row))


# ── settings ──────────────────────────────────────────────────────────────────────────────────────────────────────


def setting(tx: Connection, name: str) -> bytes:
    """Return a setting, b"" when there is none."""
    row = tx.exec_driver_sql("SELECT value FROM recollection_settings WHERE name = ?", (name,)).first()
    return b"" if row is None else bytes(row[0])


def keep_setting(tx: Connection, name: str, value: bytes) -> None:
    """Write a setting."""
    tx.exec_driver_sql("INSERT OR REPLACE INTO recollection_settings(name, value) VALUES (?, ?)", (name, value))


def scrub_due(tx: Connection) -> None:
    """Mark that bytes of before may still lie in the files. The mark is another one each time: see `erasure.scrub`."""
    tx.execute(text("DELETE FROM recollection_settings WHERE name = 'scrub'"))
    tx.execute(
        text("INSERT INTO recollection_settings(name, value) VALUES ('scrub', :mark)"),
        {"mark": secrets.token_bytes(8)},
    )


def change_count(tx: Connection, clients: Iterable[str]) -> int:
    """Return how often these namespaces changed so far: an answer from them is old once this is another number."""
    tokens = json.dumps([scope_token(client) for client in clients])
    query = "SELECT SUM(count) FROM recollection_changes WHERE scope IN (SELECT value FROM json_each(?))"
    return int(tx.exec_driver_sql(query, (tokens,)).scalar() or 0)


def secret(tx: Connection) -> bytes:
    """Return the key of the record numbers, made once. Without it a tombstone says nothing about any text."""
    if not (key := setting(tx, "secret")):
        key = secrets.token_bytes(32)
        keep_setting(tx, "secret", key)
    return key


# ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────

_INSERT = (
    "INSERT INTO recollections(id, uid, text, scope, tier, kind, client, project, task, speaker, thread, position, at, "
    "valid_from, valid_to, origin, author, key, source, spans, superseded_by, contests, pending) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, ?)"
)
_TELL = "INSERT INTO recollections_fts(rowid, text, scope) SELECT id, text, scope FROM recollections WHERE id >= ? ORDER BY id"


def insert(tx: Connection, records: Sequence[Record], rows: npt.NDArray[np.float16] | None = None) -> list[int]:
    """Write records and return their ids; one that is there already gives its old id, a forgotten one 0.

    Args:
        tx: Inside a write.
        records: What to keep.
        rows: Their vectors, when known; else they wait in the queue.

    Raises:
        RecordError: Empty or much too long text, or a time without a zone.
    """
    key = secret(tx)
    numbers = [_checked(record, key) for record in records]
    known = _known_numbers(tx, numbers)
    last = tx.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = 'recollections'").scalar() or 0
    fresh: list[tuple[Any, ...]] = []
    kept: list[tuple[int, bytes]] = []
    ids: list[int] = []
    pending = 0 if rows is not None else 1
    for row, (record, uid) in enumerate(zip(records, numbers, strict=True)):
        if (there := known.get(uid)) is not None:
            ids.append(there)
            continue
        last += 1
        known[uid] = last
        ids.append(last)
        fresh.append(_values(last, uid, record, pending))
        if rows is not None:
            kept.append((last, rows[row].tobytes()))
    if fresh:
        tx.exec_driver_sql(_INSERT, fresh)
        tx.exec_driver_sql(_TELL, (fresh[0][0],))  # no id is higher than those of this write
    if kept:
        tx.exec_driver_sql("INSERT INTO recollection_vectors(id, vector) VALUES (?, ?)", kept)
    made = {(id_, source) for id_, record in zip(ids, records, strict=True) for source in record.made_from if id_}
    if made:
        tx.exec_driver_sql("INSERT OR IGNORE INTO recollection_sources(id, source) VALUES (?, ?)", sorted(made))
    return ids


def _checked(record: Record, key: bytes) -> int:
    if not record.text.strip():
        raise RecordError("its text is empty. Say what is to be remembered.")
    if len(record.text) > TEXT_MAX:
        raise RecordError(f"it has {len(record.text)} characters, and {TEXT_MAX} is the most. Cut it into several.")
    return number(record, key)


def _known_numbers(tx: Connection, numbers: Sequence[int]) -> dict[int, int]:
    wanted = json.dumps(numbers)
    found = tx.exec_driver_sql(
        "SELECT uid, id FROM recollections WHERE uid IN (SELECT value FROM json_each(?)) "
        "UNION ALL SELECT uid, 0 FROM recollection_tombstones WHERE uid IN (SELECT value FROM json_each(?))",
        (wanted, wanted),
    )
    return {row[0]: row[1] for row in found}


def _values(id_: int, uid: int, record: Record, pending: int) -> tuple[Any, ...]:
    at = micros(record.at)
    return (
        id_, uid, record.text, scope_token(record.client), record.tier, record.kind, record.client, record.project,
        record.task, record.speaker, record.thread, record.position, at,
        micros(record.valid_from) if record.valid_from else at, micros(record.valid_to), str(record.origin),
        record.author, record.key, record.source, json.dumps(record.spans) if record.spans else "", pending,
    )  # fmt: skip


def current(tx: Connection, client: str, key: str) -> Known | None:
    """Return what holds now under a key in a namespace."""
    row = tx.execute(
        text(
            f"SELECT {COLUMNS} FROM recollections r WHERE r.key = :key AND r.client = :client "
            "AND r.superseded_by IS NULL AND r.contests IS NULL ORDER BY r.id DESC LIMIT 1"
        ),
        {"key": key, "client": client},
    ).first()
    return None if row is None else known(row)


def replace(tx: Connection, old: int, new: int, when: int | None) -> None:
    """Close one record's validity in favour of another. Nothing is overwritten."""
    tx.execute(
        text("UPDATE recollections SET superseded_by = :new, valid_to = COALESCE(:when, valid_to) WHERE id = :old"),
        {"old": old, "new": new, "when": when},
    )


def contest(tx: Connection, new: int, old: int) -> None:
    """Mark a record as one that disagrees with another and may not replace it."""
    tx.execute(text("UPDATE recollections SET contests = :old WHERE id = :new"), {"old": old, "new": new})


def keep_vectors(tx: Connection, ids: Sequence[int], rows: npt.NDArray[np.float16]) -> list[int]:
    """Take records out of the queue with their vectors; return the ids that were still there."""
    alive = {row[0] for row in tx.exec_driver_sql(f"SELECT id FROM recollections WHERE id IN ({listed(ids)})")}
    done = [(id_, rows[n].tobytes()) for n, id_ in enumerate(ids) if id_ in alive]
    if done:
        tx.exec_driver_sql("INSERT OR REPLACE INTO recollection_vectors(id, vector) VALUES (?, ?)", done)
        tx.exec_driver_sql(f"UPDATE recollections SET pending = 0 WHERE id IN ({listed([d[0] for d in done])})")
    return [id_ for id_, _ in done]


def requeue(tx: Connection) -> None:
    """Put everything back into the queue: the vectors were another model's."""
    tx.exec_driver_sql("DELETE FROM recollection_vectors")
    tx.exec_driver_sql("UPDATE recollections SET pending = 1")


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────

COLUMNS = (
    "r.id, r.text, r.tier, r.kind, r.client, r.project, r.task, r.speaker, r.thread, r.position, r.at, r.valid_from, "
    "r.valid_to, r.origin, r.author, r.key, r.source, r.spans, r.superseded_by, r.contests"
)


def known(row: Row[Any]) -> Known:
    """Return a row of `COLUMNS` as a record."""
    return Known(
        id=row.id, text=row.text, tier=row.tier, kind=row.kind, client=row.client, project=row.project, task=row.task,
        speaker=row.speaker, thread=row.thread, position=row.position, at=moment(row.at),
        valid_from=moment(row.valid_from), valid_to=moment(row.valid_to), origin=Origin(row.origin), author=row.author,
        key=row.key, source=row.source, spans=tuple(tuple(span) for span in json.loads(row.spans or "[]")),
        superseded_by=row.superseded_by, contests=row.contests,
    )  # fmt: skip


def fetch(tx: Connection, ids: Sequence[int], scope: Scope = EVERYWHERE) -> dict[int, Row[Any]]:
    """Return the rows of these ids that lie inside the scope. Every hit passes here: this is the wall."""
    condition, values = scope.where(of_rows=True)
    rows = tx.execute(
        text(f"SELECT {COLUMNS} FROM recollections r WHERE r.id IN ({listed(ids)}) AND {condition}"), values
    )
    return {row.id: row for row in rows.fetchall()}


def in_scope(tx: Connection, scope: Scope) -> npt.NDArray[np.int64]:
    """Return the ids inside a scope, ascending."""
    condition, values = scope.where()
    rows = tx.execute(text(f"SELECT r.id FROM recollections r WHERE {condition} ORDER BY r.id"), values)
    return np.fromiter((row[0] for row in rows), np.int64)


def lexical(tx: Connection, words: Sequence[str], scope: Scope, limit: int) -> dict[int, float]:
    """Return id → BM25, best first: porter stems, any of the words, the scope as one more token."""
    # In a namespace only its own records are scored; the others are merely passed over.
    words = _rare(tx, words, SCORED_MAX if scope.clients is None else PASSED_MAX)
    if not words:
        return {}
    match = "text : (" + " OR ".join(f'"{word}"' for word in words) + ")"
    if (clients := scope.clients) is not None:
        match = "scope : (" + " OR ".join(f'"{scope_token(client)}"' for client in clients) + ") AND " + match
    condition, values = scope.where()
    if not scope.narrows():
        rows = tx.execute(
            text(
                "SELECT rowid AS id, -bm25(recollections_fts, 1.0, 0.0) AS score FROM recollections_fts "
                "WHERE recollections_fts MATCH :match ORDER BY bm25(recollections_fts, 1.0, 0.0), rowid LIMIT :limit"
            ),
            {"match": match, "limit": limit},
        )
    else:
        rows = tx.execute(
            text(
                "SELECT r.id AS id, -bm25(recollections_fts, 1.0, 0.0) AS score FROM recollections_fts "
                f"JOIN recollections r ON r.id = recollections_fts.rowid WHERE recollections_fts MATCH :match "
                f"AND {condition} ORDER BY bm25(recollections_fts, 1.0, 0.0), r.id LIMIT :limit"
            ),
            {"match": match, "limit": limit} | values,
        )
    return {row.id: row.score for row in rows.fetchall()}


def _rare(tx: Connection, words: Sequence[str], most: int) -> list[str]:
    """Return the words that tell most, as long as they do not stand in too many records altogether.

    Counting a record takes 25 ns, scoring it 600: a word that is everywhere costs most and says least.
    """
    counted = sorted((_count(tx, word, most + 1), word) for word in words)
    if counted and counted[0][0] > most:  # all of them are everywhere: the rarest will do
        counted = sorted((_count(tx, word, -1), word) for word in words)[:1]
    kept: list[str] = []
    total = 0
    for records, word in counted:
        total += records
        if kept and total > most:
            break
        if records:
            kept.append(word)
    return kept


def _count(tx: Connection, word: str, most: int) -> int:
    """Return how many records a word stands in, counting no further than ``most``; -1 is all of them."""
    few = "SELECT COUNT(*) FROM (SELECT 1 FROM recollections_fts WHERE recollections_fts MATCH ? LIMIT ?)"
    return tx.exec_driver_sql(few, (f'text : "{word}"', most)).scalar() or 0


def neighbours(tx: Connection, ids: Sequence[int], reach: int, scope: Scope) -> list[tuple[int, int, int]]:
    """Return (id, neighbour, distance) for what stands within ``reach`` turns in the same thread and scope."""
    condition, values = scope.where(of_rows=True)
    rows = tx.execute(
        text(
            "SELECT o.id, r.id, ABS(r.position - o.position) FROM recollections o JOIN recollections r "
            "ON r.thread = o.thread AND r.position BETWEEN o.position - :reach AND o.position + :reach "
            f"WHERE o.id IN ({listed(ids)}) AND o.thread != '' AND r.thread != '' AND r.id != o.id "
            f"AND {condition} ORDER BY o.id, r.id"
        ),
        values | {"reach": reach},
    )
    return [(row[0], row[1], row[2]) for row in rows.fetchall()]


def vectors_of(tx: Connection, ids: Sequence[int], dims: int) -> tuple[list[int], npt.NDArray[np.float32]]:
    """Return the ids that have a vector and those vectors, float32, shape (n, dims)."""
    rows = tx.exec_driver_sql(
        f"SELECT id, vector FROM recollection_vectors WHERE id IN ({listed(sorted(ids))})"
    ).fetchall()
    found = [row[0] for row in rows]
    data = np.frombuffer(b"".join(row[1] for row in rows), np.float16).reshape(len(rows), dims)
    return found, data.astype(np.float32)


def names(tx: Connection) -> list[str]:
    """Return the names people and clients go by."""
    found: set[str] = set()
    for column in ("speaker", "client"):
        # From one name to the next by the index: a million rows of a few names are a few steps.
        after = f"(SELECT MIN({column}) FROM recollections WHERE {column} != '' AND {column} > name)"
        rows = tx.exec_driver_sql(
            f"WITH RECURSIVE several(name) AS (SELECT MIN({column}) FROM recollections WHERE {column} != '' "
            f"UNION ALL SELECT {after} FROM several WHERE name IS NOT NULL) SELECT name FROM several"
        ).fetchall()
        found |= {row[0] for row in rows if row[0]}
    return sorted(found)


def listed(ids: Iterable[int]) -> str:
    """Return ids as they stand in SQL."""
    return ",".join(map(str, map(int, ids)))
