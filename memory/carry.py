"""Memory in open formats: every record as one JSON object a line, and what holds as Markdown; and back.

``memory.jsonl`` has the fields of `memory.recollection.Record`, times in ISO 8601, with ``id`` and what replaced it for
reading. Reading it back gives the same records; one that was forgotten since is not kept (`Memory.remember`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from memory.events import Origin
from memory.recollection import Known, Record
from memory.recollections import COLUMNS, known

_FIELDS = [each.name for each in fields(Record) if each.name != "made_from"]


class NotOursError(Exception):
    """The line is no record of an export."""


def everything(tx: Connection) -> Iterator[Known]:
    """Yield every record, oldest first, those that hold no longer too."""
    query = text(f"SELECT {COLUMNS} FROM recollections r ORDER BY r.id")  # noqa: S608 - names of ours
    for row in tx.execution_options(yield_per=1000).execute(query):
        yield known(row)


def write_jsonl(tx: Connection, path: Path) -> None:
    """Write every record."""
    with path.open("w", encoding="utf-8") as stream:
        for record in everything(tx):
            row = {"id": record.id, **{name: getattr(record, name) for name in _FIELDS}}
            row |= {"superseded_by": record.superseded_by, "contests": record.contests}
            lean = {key: value for key, value in row.items() if value not in ("", None, ())}
            stream.write(json.dumps(lean, ensure_ascii=False, default=_plain) + "\n")


def write_markdown(tx: Connection, path: Path) -> None:
    """Write what holds now, by client: facts and preferences first, then what was said, with dates and sources."""
    by_client: dict[str, list[Known]] = {}
    for record in everything(tx):
        if record.superseded_by is None:
            by_client.setdefault(record.client, []).append(record)
    parts = ["# What is remembered"]
    for client in sorted(by_client):
        parts.append(f"\n## {client or 'the company'}\n")
        for record in sorted(by_client[client], key=lambda each: (each.kind == "message", each.id)):
            when = f"{record.at:%Y-%m-%d} " if record.at else ""
            who = f"{record.speaker or record.origin.value}: "
            parts.append(
                f"- {when}{who}{' '.join(record.text.split())} ({record.kind}, {record.source or f'memory:{record.id}'})"
            )
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def read_record(row: Mapping[str, Any]) -> Record:
    """Return the record of one line.

    Raises:
        NotOursError: It has no text.
        ValueError, TypeError: A field is not what it should be.
    """
    if not isinstance(row, Mapping) or not str(row.get("text", "")).strip():
        raise NotOursError("it has no text")
    values = {name: row[name] for name in _FIELDS if name in row}
    for name in ("at", "valid_from", "valid_to"):
        if values.get(name):
            values[name] = datetime.fromisoformat(values[name])
    values["origin"] = Origin(values.get("origin", Origin.SYSTEM))
    values["spans"] = tuple((int(start), int(end)) for start, end in values.get("spans", ()))
    return Record(**values)
