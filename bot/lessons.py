"""What a line of history teaches: the records that long-term memory keeps of it, most often none.

Whose words they are is read from the text (`Names`): a client's, nobody's, several clients'.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime

from sqlalchemy import Connection, select

from connectors.base import Json
from memory.documents import DocumentError, read_document
from memory.events import Attachment, Confirmed, MessageReceived, Origin, Recorded
from memory.files import FileGoneError, FileStore
from memory.line import Line
from memory.projections import Books, effects
from memory.recall import Record

log = logging.getLogger("soloist.remembering")

SEVERAL = "(several clients)"
"""The namespace of what names more than one client: the operator finds it, no draft for a client does."""

TEACHING = frozenset({MessageReceived, Recorded, Confirmed})
"""The events that may teach something; all others are passed over unread."""

CHUNK_MAX = 4000  # characters of one record; a longer message becomes several
CURATED = ("fact", "preference", "playbook", "rule")
"""Kinds that only the operator's word makes: nothing from outside may become one."""
FACT = "fact"
_ORDER = re.compile(r"\s*(?:please\s+)?(?:[/!]|forget\b|erase\b|approve\b|reject\b|undo\b|remember\b)", re.IGNORECASE)
_PART = re.compile(r"\d+\.\d+\.\d+")  # the id of an order
_FIELDS = {each.name for each in fields(Record)}


@dataclass(frozen=True)
class Names:
    """The clients on the books and what they are called."""

    by_client: Mapping[str, re.Pattern[str]]

    @classmethod
    def of(cls, books: Books) -> Names:
        """Read them: key, name, contact and addresses of each client."""
        found = {}
        for client in books.all("client"):
            data = client.data
            several = {
                client.key,
                *(str(data.get(name) or "") for name in ("name", "contact", "email", "billing_email")),
            }
            ways = "|".join(re.escape(name) for name in sorted(several, key=len, reverse=True) if len(name) > 1)
            found[client.key] = re.compile(rf"(?<!\w)(?:{ways})(?!\w)", re.IGNORECASE)
        return cls(found)

    def namespace(self, words: str) -> str:
        """Return whose words these are about: a client's key, "" for nobody's, `SEVERAL`."""
        named = [key for key, pattern in self.by_client.items() if pattern.search(words)]
        return named[0] if len(named) == 1 else SEVERAL if named else ""


@dataclass(frozen=True, slots=True)
class Done:
    """An effect that was confirmed: what it was, for whom, in which task."""

    task: int
    name: str
    client: str


def done_in(tx: Connection, lines: Iterable[Line]) -> dict[str, Done]:
    """Return what the lines confirm, by effect."""
    confirmed = [line.event.effect for line in lines if isinstance(line.event, Confirmed)]
    if not confirmed:
        return {}
    query = select(effects.c.id, effects.c.task, effects.c.name, effects.c.client).where(effects.c.id.in_(confirmed))
    return {row[0]: Done(row[1], row[2], row[3]) for row in tx.execute(query)}


def ends_a_fact(line: Line) -> bool:
    """Return whether a fact holds no longer from this line on."""
    return isinstance(line.event, Recorded) and line.event.write.kind == FACT and line.event.write.gone


def records(line: Line, names: Names, done: Mapping[str, Done], files: FileStore) -> list[Record]:
    """Return what a line teaches.

    Args:
        line: Any.
        names: The clients on the books.
        done: From `done_in`, of a stretch of history that holds the line.
        files: Where what was handed in lies.
    """
    event, source = line.event, f"{line.task}:{line.seq}"
    match event:
        case MessageReceived():
            handed_in = [each for file in event.files for each in _document(file, line, event, names, files)]
            return _said(line, event, names, source) + handed_in
        case Recorded() if event.write.kind == FACT and not event.write.gone:
            return [_fact(event, line)] if event.write.data.get("text") else []
        case Confirmed() if not event.effect.endswith(".undo") and event.how != "books":
            client = done[event.effect].client if event.effect in done else ""
            return [
                Record(text, client=client, kind="receipt", at=line.at, origin=Origin.SYSTEM, source=source)
                for text in _chunks(event.text)
            ]
        case _:
            return []


def _said(line: Line, event: MessageReceived, names: Names, source: str) -> list[Record]:
    # A question tells nothing, and an order to memory is carried out, not remembered.
    # Nor is a part of a message, begun by the task that took it apart, a message of its own.
    if _PART.fullmatch(line.cause) or _ORDER.match(event.text) or event.text.rstrip().endswith("?"):
        return []
    who, place = event.actor, event.place
    thread = ":".join(filter(None, (place.channel, place.conversation, place.thread)))
    return [
        Record(
            text,
            client=names.namespace(text),
            speaker=who.name or who.origin.value,
            author=f"{who.platform}:{who.user}",
            origin=who.origin,
            thread=thread,
            at=line.at,
            tier="working",
            source=source,
        )
        for text in _chunks(event.text)
    ]


def _document(file: Attachment, line: Line, event: MessageReceived, names: Names, files: FileStore) -> list[Record]:
    try:
        found = read_document(file.name, files.get(file.sha256), at=line.at, origin=event.actor.origin)
    except (DocumentError, FileGoneError) as error:
        log.info("The file %s was not read: %s", file.name, error)
        return []
    client = names.namespace(event.text)
    return [within(record, client or names.namespace(record.text)) for record in found]


def _fact(event: Recorded, line: Line) -> Record:
    data = event.write.data
    return Record(
        str(data["text"])[:CHUNK_MAX],
        client=str(data.get("client", "")),
        kind=str(data.get("kind", FACT)),
        key=event.write.key,
        speaker=str(data.get("by", "")),
        origin=Origin(data.get("origin", Origin.OPERATOR)),
        at=line.at,
        source=f"record:fact:{event.write.key}@{event.version}",
    )


def record_of(given: Mapping[str, Json]) -> Record:
    """Return the record an agent wrote as JSON. Text from outside cannot become a fact or a rule, whatever it says.

    Raises:
        ValueError, TypeError: It is not laid out like `memory.recollection.Record`.
    """
    values = dict(given)
    if unknown := sorted(set(values) - _FIELDS):
        raise ValueError(f"a record has no {', '.join(unknown)}.")
    origin = Origin(values.get("origin", Origin.SYSTEM))
    for name in ("at", "valid_from", "valid_to"):
        if isinstance(values.get(name), str):
            values[name] = datetime.fromisoformat(values[name])
    values["spans"] = tuple(tuple(span) for span in values.get("spans") or ())
    values["made_from"] = tuple(values.get("made_from") or ())
    if origin not in {Origin.OPERATOR, Origin.SYSTEM} and (values.get("kind") in CURATED or values.get("key")):
        values |= {"kind": "message", "key": ""}
    return Record(**{**values, "origin": origin})


def placed(tx: Connection, lessons: Sequence[Record], *, again: bool) -> list[Record]:
    """Give turns of a conversation their places in it, one after the other.

    Args:
        tx: Inside the write that will keep them.
        lessons: In the order they were said.
        again: History is read from its beginning: what has a place keeps it.
    """
    threads = {record.thread for record in lessons if record.thread and record.position is None}
    known = _places(tx, threads) if again else {}
    last = {thread: _last_place(tx, thread) for thread in threads}
    found: list[Record] = []
    for record in lessons:
        if record.thread not in threads or record.position is not None:
            found.append(record)
            continue
        position = known.get((record.thread, record.source, record.text))
        if position is None:
            position = last[record.thread] = last[record.thread] + 1
        found.append(replace(record, position=position))
    return found


# "thread != ''" lets SQLite use the index, which holds only turns of a thread; without it each look reads everything.
_LAST_PLACE = "SELECT MAX(position) FROM recollections WHERE thread = ? AND thread != ''"
_PLACES = "SELECT source, text, position FROM recollections WHERE thread = ? AND thread != '' AND position IS NOT NULL"


def _last_place(tx: Connection, thread: str) -> int:
    return tx.exec_driver_sql(_LAST_PLACE, (thread,)).scalar() or 0


def _places(tx: Connection, threads: Iterable[str]) -> dict[tuple[str, str, str], int]:
    return {(thread, row[0], row[1]): row[2] for thread in threads for row in tx.exec_driver_sql(_PLACES, (thread,))}


def within(record: Record, client: str) -> Record:
    """Return the record in a client's namespace."""
    return replace(record, client=client)


def _chunks(text: str) -> list[str]:
    return [text[start : start + CHUNK_MAX] for start in range(0, len(text), CHUNK_MAX) if text[start:].strip()]
