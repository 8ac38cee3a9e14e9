"""Long-term memory inside the house: what was said becomes records, agents recall within a client, a loss is told.

The event log is the truth and memory follows it: each line of history that is worth remembering becomes records in one
write with the *bookmark*, the position up to which history was read, so that a killed process goes on where it was and
nothing is kept twice. The house never waits for any of this: the model is loaded beside, words answer meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from agents.base import Found
from connectors.base import Json
from memory import recollections as rows_of
from memory.condense import condense_old
from memory.context import AWAY, Context, Turn
from memory.database import Database, StorageError
from memory.documents import DocumentError, read_document
from memory.embed import Embedder
from memory.events import Attachment, Confirmed, MessageReceived, Origin, Recorded, Said
from memory.files import FileGoneError, FileStore
from memory.line import Line
from memory.log import events, read_line
from memory.projections import Books, effects
from memory.recall import Hit, Hits, Known, Memory, Record, RecordError, Scope

log = logging.getLogger("soloist.remembering")

SEVERAL = "(several clients)"
"""The namespace of what names more than one client: the operator finds it, no draft for a client does."""

CHUNK_MAX = 4000  # characters of one record; a longer message becomes several
START_AGAIN = timedelta(seconds=30)  # after the short-term memory was lost, and not while nobody says anything
CONDENSE_AFTER = timedelta(days=30)  # since the last word of a thread
RETRY_S = 30.0  # after a write that failed
TURN_MAX_S = 5.0  # what was said is remembered this soon also while the house is busy
QUEUE_MAX = 2000  # lines that wait in memory; what is beyond is read from history again
CACHE_TTL_S = 300.0
CURATED = ("fact", "preference", "playbook", "rule")
"""Kinds that only the operator's word makes: nothing from outside may become one."""
FACT = "fact"
_ORDER = re.compile(r"\s*(?:please\s+)?(?:[/!]|forget\b|erase\b|approve\b|reject\b|undo\b|remember\b)", re.IGNORECASE)
_PART = re.compile(r"\d+\.\d+\.\d+")  # the id of an order
_FIELDS = {each.name for each in fields(Record)}


class RememberError(Exception):
    """Something could not be remembered; the message is for the operator."""

    def __init__(self, reason: object) -> None:
        super().__init__(f"I could not keep something in long-term memory: {reason} The history itself is complete.")


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


async def _at_once() -> None:
    """The default turn: now."""


class Remembering:
    """Memory, wired. One a house; `run` follows history, `recall` and `keep` serve the agents' desks."""

    def __init__(
        self,
        database: Database,
        home: Path,
        files: FileStore,
        context: Context,
        *,
        embedder: Callable[[], Embedder | None],
        now: Callable[[], datetime],
    ) -> None:
        """Open the memory with words alone; `run` loads the model.

        Raises:
            StorageError: The database cannot be written.
            ForeignTombstonesError: The folder belongs to another database.
        """
        self.database = database
        self.folder = home / "memory"
        self.context = context
        self.memory = Memory.open(database, self.folder, None)
        self.problem = ""
        self.loading = True
        self._start_again = now()
        self._condensed = date.min
        self.close_own: Callable[[int], None] = lambda _: None  # `bot.keeper.Keeper.close_own`
        self.also_forget: list[Callable[[], None]] = []  # what else holds words for a short while
        self._files = files
        self._load = embedder
        self._now = now
        self._lines: list[Line] = []
        self._rescan = True
        self._poke = asyncio.Event()
        self.turn: Callable[[], Awaitable[None]] = _at_once
        self._idle = asyncio.Event()
        self._generation = secrets.token_hex(4)
        self._writes = 0

    # ── the agents' desks ─────────────────────────────────────────────────────────────────────────────────────────

    async def recall(self, query: str, client: str, k: int) -> Sequence[Found]:
        """Return what bears on a question. Of a client only what is theirs, and what the operator noted for all.

        What was merely said where no client is named stays out: it may be about another one.
        """
        key = json.dumps(["recall", self._generation, self._writes, query, client, k])
        if (kept := await self.context.get(key)) is not None:
            return [_found(json.loads(row)) for row in json.loads(kept)]
        try:
            hits = await asyncio.to_thread(self._for_draft, query, client, k)
        except StorageError as error:
            log.warning("Recall failed: %s", error)
            return ()
        rows = [_row(hit) for hit in hits]
        await self.context.put(key, json.dumps(rows), CACHE_TTL_S)
        return [_found(json.loads(row)) for row in rows]

    async def bearing(self, query: str, client: str, k: int) -> Sequence[Hit]:
        """Return the same as `recall`, as whole hits: for a prompt, which says of each whose words it is."""
        try:
            return await asyncio.to_thread(self._for_draft, query, client, k)
        except StorageError as error:
            log.warning("Recall failed: %s", error)
            return ()

    def _for_draft(self, query: str, client: str, k: int) -> list[Any]:
        own = self.memory.recall(query, Scope(client=client), k=k) if client else Hits()
        shared = [hit for kind in CURATED for hit in self.memory.recall(query, Scope(client="", kind=kind), k=k)]
        said = [] if client else self.memory.recall(query, Scope(client="", kind="document"), k=k)
        hits = sorted([*own, *shared, *said], key=lambda hit: (-hit.score, hit.record.id))[:k]
        seen = {hit.record.id for hit in hits}
        noted = [each for each in self._noted(client, k) if each.id not in seen] if client else []
        return [*hits, *(Hit(record, 0.0, {"noted about them": 0.0}) for record in noted[: k - len(hits)])]

    def _noted(self, client: str, k: int) -> list[Known]:
        """Return what the operator noted about a client and still holds, newest first: it matters to any question."""
        kinds = ", ".join(f"'{kind}'" for kind in CURATED)
        query = (
            f"SELECT id FROM recollections WHERE client = ? AND kind IN ({kinds}) AND superseded_by IS NULL "  # noqa: S608 - words of ours
            "AND contests IS NULL AND valid_to IS NULL ORDER BY id DESC LIMIT ?"
        )
        with self.database.read() as tx:
            ids = [row[0] for row in tx.exec_driver_sql(query, (client, k))]
        return self.memory.get(ids, Scope(client=client))

    async def ask(self, query: str, scope: Scope, k: int = 8) -> Hits:
        """Return hits for the operator, who may see everything."""
        return await asyncio.to_thread(self.memory.recall, query, scope, None, k)

    async def keep(self, records: Sequence[Mapping[str, Json]]) -> None:
        """Keep what an agent proposed to remember.

        Raises:
            RememberError: It cannot be kept; the operator is to be told.
        """
        try:
            await asyncio.to_thread(self.memory.remember, [record_of(each) for each in records])
        except (StorageError, RecordError, ValueError, TypeError) as error:
            raise RememberError(error) from error
        self._writes += 1

    # ── following history ─────────────────────────────────────────────────────────────────────────────────────────

    def seen(self, lines: Iterable[Line]) -> None:
        """Take lines that were just committed; returns at once."""
        if self._rescan:
            pass  # they are read from history with the rest
        elif len(self._lines) < QUEUE_MAX:
            self._lines += lines
        else:
            self._rescan = True
        self._idle.clear()
        self._poke.set()

    async def caught_up(self) -> None:
        """Wait until everything that was committed so far is remembered."""
        await self._idle.wait()

    async def run(self, tell: Callable[[str], Awaitable[None]]) -> None:
        """Load the model, then follow history until cancelled. A failure is told once, and tried again."""
        starting = asyncio.ensure_future(self._open())
        try:
            while True:
                # Remembering waits its turn: what the operator waits for comes first, and a burst is taken in at once.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TURN_MAX_S):
                        await self.turn()
                self._poke.clear()
                if not await self._catch_up(tell):
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(RETRY_S):
                            await self._poke.wait()
                    continue
                if not self._poke.is_set():
                    self._idle.set()
                await self._poke.wait()
        finally:
            starting.cancel()
            await self.context.disconnect()

    async def _open(self) -> None:
        await self.context.start()
        await asyncio.to_thread(self.load)
        await asyncio.to_thread(self._drain)

    def load(self) -> None:
        """Load the model, and recall by meaning from here on. Blocks."""
        self.memory = self._with_model()
        self.loading = False
        self._writes += 1

    def _with_model(self) -> Memory:
        embedder = self._load()
        return self.memory if embedder is None else Memory.open(self.database, self.folder, embedder)

    def _drain(self) -> None:
        while self.memory.drain():
            pass

    async def _catch_up(self, tell: Callable[[str], Awaitable[None]]) -> bool:
        rescan, lines = self._rescan, self._lines
        self._lines, self._rescan = [], False
        try:
            if rescan:
                lines = await asyncio.to_thread(self._unread)
            if lines:
                await asyncio.to_thread(self._take_in, lines)
                await asyncio.to_thread(self._drain)
        except (StorageError, RecordError) as error:
            self._rescan = True
            if self.problem != str(error):
                self.problem = str(error)
                await tell(str(RememberError(error)))
            return False
        self.problem = ""
        if not rescan:  # what is read again at a start is no conversation of now
            for line in lines:
                await self._hear(line)
        await asyncio.to_thread(self._condense)
        if self.context.note == AWAY and self._now() >= self._start_again:
            self._start_again = self._now() + START_AGAIN
            await self.context.start()
        return True

    def _condense(self) -> None:
        """Once a day: make timelines of threads that ended long ago. The originals stay."""
        today = self._now().date()
        if self._condensed != today:
            self._condensed = today
            condense_old(self.memory, self._now() - CONDENSE_AFTER)

    def _unread(self) -> list[Line]:
        with self.database.read() as tx:
            mark = int(rows_of.setting(tx, "bookmark") or b"0")
            return [read_line(row) for row in tx.execute(select(events).where(events.c.n > mark).order_by(events.c.n))]

    def _take_in(self, lines: Sequence[Line]) -> None:
        for task in self._forgettings(lines):
            self.close_own(task)
        with self.database.read() as tx:
            names = Names.of(Books(tx))
            clients = {
                line.event.effect: _client_of(tx, line.event.effect)
                for line in lines
                if isinstance(line.event, Confirmed)
            }
        several = [(line, self._records(line, names, clients)) for line in lines]

        def work(tx: Connection) -> None:
            for line, records in several:
                self.memory.enlist(tx, _placed(tx, records))
                event = line.event
                if isinstance(event, Recorded) and event.write.kind == FACT and event.write.gone:
                    self.memory.retire(tx, str(event.write.data.get("client", "")), event.write.key, line.at)
            rows_of.keep_setting(tx, "bookmark", str(max(line.n for line in lines)).encode())

        self.database.write_now(work)
        self._writes += 1

    def _forgettings(self, lines: Sequence[Line]) -> list[int]:
        """Return the tasks in which something was forgotten just now: their own words go last, after the receipt."""
        done = [line.event.effect for line in lines if isinstance(line.event, Confirmed)]
        query = select(effects.c.task).where(effects.c.id.in_(done), effects.c.name == "memory.forget").distinct()
        with self.database.read() as tx:
            return [row.task for row in tx.execute(query)]

    def _records(self, line: Line, names: Names, clients: Mapping[str, str]) -> list[Record]:
        event, source = line.event, f"{line.task}:{line.seq}"
        match event:
            case MessageReceived():
                # A question tells nothing, and an order to memory is carried out, not remembered.
                # Nor is a part of a message, begun by the task that took it apart, a message of its own.
                part = _PART.fullmatch(line.cause)
                plain = not (part or _ORDER.match(event.text) or event.text.rstrip().endswith("?"))
                said = _chunks(event.text) if plain else []
                who, place = event.actor, event.place
                thread = ":".join(filter(None, (place.channel, place.conversation, place.thread)))
                records = [
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
                    for text in said
                ]
                return records + [each for file in event.files for each in self._document(file, line, event, names)]
            case Recorded() if event.write.kind == FACT and not event.write.gone:
                return [_fact(event, line)] if event.write.data.get("text") else []
            case Confirmed() if not event.effect.endswith(".undo") and event.how != "books":
                client = clients[event.effect]
                return [
                    Record(text, client=client, kind="receipt", at=line.at, origin=Origin.SYSTEM, source=source)
                    for text in _chunks(event.text)
                ]
            case _:
                return []

    def _document(self, file: Attachment, line: Line, event: MessageReceived, names: Names) -> list[Record]:
        try:
            records = read_document(file.name, self._files.get(file.sha256), at=line.at, origin=event.actor.origin)
        except (DocumentError, FileGoneError) as error:
            log.info("The file %s was not read: %s", file.name, error)
            return []
        client = names.namespace(event.text)
        return [within(record, client or names.namespace(record.text)) for record in records]

    async def _hear(self, line: Line) -> None:
        event = line.event
        if isinstance(event, MessageReceived | Said) and event.place is not None and event.text:
            speaker = event.actor.origin.value if isinstance(event, MessageReceived) else "soloist"
            place = event.place
            await self.context.heard(f"{place.channel}:{place.conversation}", Turn(speaker, event.text, line.at))

    # ── forgetting ────────────────────────────────────────────────────────────────────────────────────────────────

    def wrote(self) -> None:
        """Something was written past this object: answers kept for a while are old."""
        self._writes += 1

    async def forgotten(self) -> bool:
        """Let go of everything short-lived after something was forgotten; returns whether that is certain."""
        self._writes += 1
        self._generation = secrets.token_hex(4)
        for forget in self.also_forget:
            forget()
        return await self.context.flush()


def record_of(given: Mapping[str, Json]) -> Record:
    """Return the record an agent wrote as JSON. Text from outside cannot become a fact or a rule, whatever it says.

    Raises:
        ValueError, TypeError: It is not laid out like `memory.recollections.Record`.
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


def _client_of(tx: Connection, effect: str) -> str:
    return str(tx.execute(select(effects.c.client).where(effects.c.id == effect)).scalar() or "")


def _placed(tx: Connection, records: Sequence[Record]) -> list[Record]:
    """Give turns of a conversation their places in it, one after the other; what is read again keeps its place."""
    placed: list[Record] = []
    for record in records:
        if record.thread and record.position is None:
            there = (record.thread, record.source, record.text)
            query = "SELECT position FROM recollections WHERE thread = ? AND source = ? AND text = ?"
            position = tx.exec_driver_sql(query, there).scalar()
            if position is None:
                last = tx.exec_driver_sql("SELECT MAX(position) FROM recollections WHERE thread = ?", (record.thread,))
                position = (last.scalar() or 0) + 1 + sum(each.thread == record.thread for each in placed)
            placed.append(_with(record, position=position))
        else:
            placed.append(record)
    return placed


def within(record: Record, client: str) -> Record:
    """Return the record in a client's namespace."""
    return _with(record, client=client)


def _with(record: Record, **changes: Any) -> Record:
    return Record(**{**{name: getattr(record, name) for name in _FIELDS}, **changes})


def _chunks(text: str) -> list[str]:
    return [text[start : start + CHUNK_MAX] for start in range(0, len(text), CHUNK_MAX) if text[start:].strip()]


def _row(hit: Any) -> str:
    record = hit.record
    return json.dumps({
        "ref": f"memory:{record.id}", "text": record.text, "score": round(hit.score, 4), "terms": {k: round(v, 4) for k, v in hit.terms.items()},
        "origin": record.origin.value, "at": record.at.isoformat() if record.at else None,
    })  # fmt: skip


def _found(row: Mapping[str, Any]) -> Found:
    at = datetime.fromisoformat(row["at"]) if row["at"] else None
    return Found(row["ref"], row["text"], row["score"], row["terms"], Origin(row["origin"]), at)
