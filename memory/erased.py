"""Taking somebody's words out of history without breaking its chain.

A line is chained by its *seal*, a salted digest of its words (`memory.line`). Erasing a line puts other words in their
place and keeps the seal where the salt was: the chain still proves that no line was added, removed or moved, and with
the salt gone the seal says nothing about what stood there::

    strike = Strike(("Bob Miller", "bob@acme.example"))
    gone = erase(tx, task, strike)      # inside a unit of `memory.log.Log`
    ErasedFile(folder).add(gone)        # so that a restored backup loses them again

What a line says now is kept beside the database, because a backup made before holds the old words: at the next start
`again` finds the same lines by their hash and erases them once more.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select

from memory.database import Database
from memory.files import write_privately
from memory.line import SEAL_BYTES, seal
from memory.log import Tx, events, inbox, orders
from memory.projections import ledger
from memory.recollections import scrub_due

MARK = "[forgotten]"
WORDS_MIN = 4  # of a sentence that is taken for somebody's own
_MONEY = re.compile(r"-?\d+(?:\.\d+)? [A-Z]{3}")
_PROSE = frozenset({"text", "body", "say", "subject", "title", "reason", "quote", "summary", "goal", "ask", "guidance"})
"""Fields that hold people's words even when it is one word."""


class Strike:
    """Finds names, addresses or sentences in text, whatever stands between their words, and takes them out."""

    def __init__(self, several: Iterable[str]) -> None:
        """Take what is to be found; case, accents of the search and punctuation between words do not count."""
        found = {tuple(re.findall(r"[^\W_]+", unicodedata.normalize("NFC", each))) for each in several}
        ways = sorted((words for words in found if words), key=len, reverse=True)
        parts = [r"[\W_]+".join(map(re.escape, words)) for words in ways]
        self._pattern = re.compile(rf"(?<![^\W_])(?:{'|'.join(parts) or '(?!)'})(?![^\W_])", re.IGNORECASE)

    def finds(self, words: str) -> bool:
        """Return whether something of it stands there."""
        return self._pattern.search(words) is not None

    def out_of(self, value: Any) -> Any:
        """Return JSON without it: a value that is nothing else becomes "", a line that has it goes whole.

        The whole line, because what stands beside a name is about its bearer.
        """
        match value:
            case str():
                if self._pattern.fullmatch(value.strip()):
                    return ""
                return "\n".join(MARK if self.finds(line) else line for line in value.split("\n"))
            case dict():
                return {self.out_of(key) or MARK: self.out_of(item) for key, item in value.items()}
            case list():
                return [self.out_of(item) for item in value]
            case _:
                return value


def blank(value: Any, name: str = "") -> Any:
    """Return JSON without anybody's words: sentences go, single words, numbers, money and times stay."""
    match value:
        case str():
            words = name in _PROSE or (" " in value.strip() and not _MONEY.fullmatch(value)) or "@" in value
            return MARK if value and words else value
        case dict():
            return {key: blank(item, key) for key, item in value.items()}
        case list():
            return [blank(item, name) for item in value]
        case _:
            return value


def tasks_with(database: Database, strike: Strike) -> Iterator[int]:
    """Yield every task in whose history something stands, ascending."""
    last = -1
    with database.read() as connection:
        for row in connection.execution_options(yield_per=1000).execute(
            select(events.c.task, events.c.actor, events.c.cause, events.c.body, events.c.orders).order_by(
                events.c.task, events.c.seq
            )
        ):
            if row.task != last and strike.finds(f"{row.actor} {row.cause} {row.body} {row.orders}"):
                last = row.task
                yield row.task


def on_the_books(database: Database) -> set[int]:
    """Return the tasks that entered something in the ledger: those are kept, because tax law wants them kept."""
    with database.read() as connection:
        return {row.task for row in connection.execute(select(ledger.c.task).distinct())}


def own_words(database: Database, tasks: Iterable[int], strike: Strike) -> list[str]:
    """Return the sentences of messages that came from whoever is struck: they may be quoted anywhere."""
    found: list[str] = []
    first = select(events.c.body).where(events.c.seq == 1, events.c.type == "ItemArrived")
    with database.read() as connection:
        for task in tasks:
            body = connection.execute(first.where(events.c.task == task)).scalar()
            if body is not None and strike.finds(body):
                found += sentences(str(json.loads(body).get("text", "")))
    return found


def sentences(words: str) -> list[str]:
    """Return the sentences that are long enough to be somebody's: a greeting is everybody's."""
    parts = re.split(r"[.!?\n]+", words)
    return [part.strip() for part in parts if len(part.split()) >= WORDS_MIN]


def erase(tx: Tx, task: int, strike: Strike, *, whole: bool = False) -> list[dict[str, Any]]:
    """Take words out of one task's history; return what its changed lines say now.

    What came from the person, and everything that was made of it, goes whole; in other tasks only what is struck goes.

    Args:
        tx: Inside a unit of work.
        task: Whose lines.
        strike: What goes.
        whole: All words of this task go, whoever began it.
    """
    tx.flush()
    rows = tx.connection.execute(select(events).where(events.c.task == task).order_by(events.c.seq)).all()
    theirs = whole or (bool(rows) and rows[0].type == "ItemArrived" and strike.finds(rows[0].body))
    changed = []
    for row in rows:
        body, ordered = json.loads(row.body), json.loads(row.orders)
        # A receipt is counts and numbers of ours: what it names goes, and that it happened stays to be read.
        told = row.type == "Said" and body.get("kind") == "receipt"
        given = [[*order[:3], _written(_without(json.loads(order[3]), strike, theirs))] for order in ordered[0]]
        now = {
            "task": task,
            "seq": row.seq,
            "hash": row.hash.hex(),
            "actor": strike.out_of(row.actor),
            "cause": strike.out_of(row.cause),
            "body": _written(_without(body, strike, theirs and not told)),
            "orders": _written([given, *ordered[1:]]),
            "seal": seal(row._asdict()).hex(),
        }
        if json.loads(now["body"]) != body or json.loads(now["orders"]) != ordered or now["cause"] != row.cause:
            _rewrite(tx, now)
            changed.append(now)
    return changed


def erase_on_the_books(tx: Tx, task: int, strike: Strike) -> list[dict[str, Any]]:
    """Take words out of what was *said* in a task that entered something in the ledger; what the law wants kept stays.

    Invoices, payments and their receipts stand in calls, records, entries and receipts, which are not touched.
    """
    tx.flush()
    query = select(events).where(events.c.task == task, events.c.type.in_(SAID)).order_by(events.c.seq)
    changed = []
    for row in tx.connection.execute(query).all():
        body = json.loads(row.body)
        ordered = json.loads(row.orders)
        struck = {name: strike.out_of(value) if name in SAID[row.type] else value for name, value in body.items()}
        given = [[*order[:3], _only_said(order[1], order[3], strike)] for order in ordered[0]]
        if struck != body or given != ordered[0]:
            now = {
                "task": task, "seq": row.seq, "hash": row.hash.hex(), "actor": row.actor, "cause": row.cause,
                "body": _written(struck), "orders": _written([given, *ordered[1:]]), "seal": seal(row._asdict()).hex(),
            }  # fmt: skip
            _rewrite(tx, now)
            changed.append(now)
    return changed


def _only_said(kind: str, body: str, strike: Strike) -> str:
    fields = {"Understand": {"text"}, "Start": {"text"}, "Press": {"reason"}, "Delegate": {"guidance"}}.get(kind)
    if fields is None:
        return body
    order = json.loads(body)
    return _written({name: strike.out_of(value) if name in fields else value for name, value in order.items()})


SAID: Mapping[str, frozenset[str]] = {
    "MessageReceived": frozenset({"text"}),
    "Understood": frozenset({"others", "evidence", "assumed", "ask", "choices", "rest"}),
    "Planned": frozenset({"goal"}),
    "Proposed": frozenset({"say", "reasons", "sources", "warnings", "ask", "choices", "remember"}),
    "CardOpened": frozenset({"say", "reasons", "sources", "warnings"}),
    "Pressed": frozenset({"reason"}),
    "Settled": frozenset({"reason"}),
    "Said": frozenset({"choices"}),
}
"""Which fields of an event are talk about a matter and not the matter itself."""


def hide_inputs(tx: Tx, strike: Strike, hidden: Callable[[str], str]) -> int:
    """Put digests in the place of input ids that hold what is struck; a second copy of an input is still known."""
    tx.flush()
    count = 0
    for row in tx.connection.execute(select(inbox)).all():
        if strike.finds(row.event_id):
            there = (inbox.c.platform == row.platform) & (inbox.c.account == row.account)
            there &= inbox.c.event_id == row.event_id
            tx.connection.execute(inbox.update().where(there).values(event_id=hidden(row.event_id)))
            count += 1
    return count


def _without(value: Any, strike: Strike, theirs: bool) -> Any:  # noqa: FBT001 - which of two ways, decided above
    return strike.out_of(blank(value)) if theirs else strike.out_of(value)


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _rewrite(tx: Tx, now: dict[str, Any]) -> None:
    tx.connection.execute(
        events.update()
        .where(events.c.task == now["task"], events.c.seq == now["seq"])
        .values(
            actor=now["actor"],
            cause=now["cause"],
            body=now["body"],
            orders=now["orders"],
            salt=bytes.fromhex(now["seal"]),
        )
    )
    for order in json.loads(now["orders"])[0]:
        tx.connection.execute(orders.update().where(orders.c.id == order[0]).values(body=order[3]))


def again(tx: Tx, kept: Sequence[dict[str, Any]]) -> set[int]:
    """Erase once more what a restored backup brought back; return the tasks that were touched."""
    tx.flush()
    touched = set()
    for now in kept:
        row = tx.connection.execute(
            select(events.c.hash, events.c.salt).where(events.c.task == now["task"], events.c.seq == now["seq"])
        ).first()
        if row is not None and row.hash.hex() == now["hash"] and len(row.salt) != SEAL_BYTES:
            _rewrite(tx, now)
            touched.add(int(now["task"]))
    return touched


def spent_pages(tx: Tx) -> None:
    """Mark that bytes of before may still lie in the files, so that the next scrub sees to them."""
    scrub_due(tx.connection)


class ErasedFile:
    """What erased lines say now, one JSON object a line; on disk when `add` returns."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "erased.jsonl"

    def lines(self) -> list[dict[str, Any]]:
        """Return every entry; a torn last one is passed over, its line is erased in the database or not at all."""
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_bytes().split(b"\n")[:-1] if line.strip()]

    def add(self, several: Sequence[dict[str, Any]]) -> None:
        """Keep what lines say now; what they said between two forgettings goes from the file too."""
        if not several:
            return
        newest = {(each["task"], each["seq"]): each for each in (*self.lines(), *several)}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_privately(self.path, b"".join(_written(each).encode() + b"\n" for each in newest.values()))


class GoneFiles:
    """Keyed digests of files that were forgotten, one a line, so that a restored backup loses them again."""

    def __init__(self, folder: Path, key: bytes) -> None:
        self.path = folder / "forgotten-files"
        self._key = hashlib.sha256(key).digest()

    def digests(self) -> list[str]:
        """Return the list; a torn last line is passed over, its file is still there or was listed again."""
        return self.path.read_text(encoding="ascii").split("\n")[:-1] if self.path.exists() else []

    def let_go(self, path: Path) -> None:
        """Put a file on the list, on disk, then delete it. Harmless when it is gone."""
        if not path.exists():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(self._digest(path).encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        path.unlink(missing_ok=True)

    def again(self, paths: Iterable[Path]) -> int:
        """Delete the files among these that are on the list; return how many."""
        listed = set(self.digests())
        back = [path for path in paths if listed and self._digest(path) in listed]
        for path in back:
            path.unlink(missing_ok=True)
        return len(back)

    def _digest(self, path: Path) -> str:
        return hashlib.blake2b(path.read_bytes(), key=self._key, digest_size=16).hexdigest()
