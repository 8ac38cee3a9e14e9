"""Papers handed in: files in ``inbox-files`` of the home, or named on the command line, become memory with sources.

A folder in it is named like a client, and what lies there is that client's. What was read is moved to ``inbox-files/done``, what could not be read to ``inbox-files/failed``; the operator is told
either way. A file is taken once its size stands still, so that a half-copied one is left alone.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain, count
from pathlib import Path

from bot.remembering import Names, Remembering, within
from memory.database import StorageError
from memory.documents import KINDS, DocumentError, read_document
from memory.projections import Books
from memory.recall import RecordError
from memory.recollection import Record

FOLDER = "inbox-files"
DONE, FAILED = "done", "failed"
LOOK_S = 5.0  # between two looks into the folder: one system call each
BATCH = 256  # records in one write, between two lines of progress


def found(path: Path) -> Iterator[Path]:
    """Yield the files that can be read: the path itself, or all below a folder, in order of name.

    Raises:
        DocumentError: There is nothing there, or nothing of a kind that is read.
    """
    if path.is_file():
        yield path
        return
    several = [each for each in sorted(path.rglob("*")) if each.is_file() and each.suffix.lower() in KINDS]
    if not several:
        raise DocumentError(str(path), f"there is no such file, or no file in it that I read ({', '.join(KINDS)}).")
    yield from several


def not_read(path: Path) -> list[str]:
    """Return the names of files below a folder that are of no kind that is read; hidden ones are nobody's papers."""
    return [each.name for each in sorted(path.rglob("[!.]*")) if each.is_file() and each.suffix.lower() not in KINDS]


def take_in(
    remembering: Remembering,
    path: Path,
    now: datetime,
    *,
    client: str = "",
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> int:
    """Read one file into memory; returns how many of its records are held now. Blocks: call it in a thread.

    Args:
        remembering: The house's memory.
        path: The file.
        now: When it came.
        client: Whose it is; "" finds out from the words, record by record.
        progress: Called with how many records of how many are kept.

    Raises:
        DocumentError: It cannot be read; nothing of it was kept.
        StorageError: The disk would not take it; what was kept before is kept, and reading it again goes on there.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DocumentError(path.name, f"{error.strerror}.") from error
    records = read_document(path.name, content, at=now)
    with remembering.database.read() as tx:
        names = Names.of(Books(tx))
    records = [within(each, each.client or client or names.namespace(each.text)) for each in records]
    # A record is named by its time too, and a paper's is that of its coming: a second coming adds nothing.
    held = {each.thread: remembering.memory.held(each.thread) for each in _first_of_threads(records)}
    fresh = [each for each in records if (each.source, each.client, each.text) not in held.get(each.thread, ())]
    kept, records = len(records) - len(fresh), fresh
    for start in range(0, len(records), BATCH):
        try:
            ids = remembering.memory.remember(records[start : start + BATCH])
        except RecordError as error:
            raise DocumentError(path.name, str(error)) from error
        kept += sum(id_ > 0 for id_ in ids)
        remembering.memory.drain(BATCH)
        progress(min(start + BATCH, len(records)), len(records))
    remembering.wrote()
    return kept


def _first_of_threads(records: Sequence[Record]) -> Iterable[Record]:
    """Return one record of each file; mail in an archive carries its own time, and is known by that."""
    return {each.thread: each for each in records if each.kind == "document" and each.thread}.values()


def hand_over(files: Iterable[Path], home: Path, client: str = "") -> Path:
    """Copy files into the watched folder of a house that runs, two of one name as two; return where they are."""
    folder = home / FOLDER / client if client else home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copy2(file, _free(folder / file.name))
    return folder


def _free(target: Path) -> Path:
    numbered = (target.with_name(f"{target.stem}-{number}{target.suffix}") for number in count(2))
    return next(path for path in chain([target], numbered) if not path.exists())


class Inbox:
    """The watched folder."""

    def __init__(self, remembering: Remembering, home: Path, now: Callable[[], datetime]) -> None:
        """Take what it serves; the folder is made when the house runs."""
        self._remembering = remembering
        self._folder = home / FOLDER
        self._now = now
        self._sizes: dict[Path, int] = {}

    async def run(self, tell: Callable[[str], Awaitable[None]]) -> None:
        """Look, again and again, until cancelled."""
        self._folder.mkdir(parents=True, exist_ok=True)
        while True:
            await self.look(tell)
            await asyncio.sleep(LOOK_S)

    async def look(self, tell: Callable[[str], Awaitable[None]]) -> int:
        """Take every file whose size has not changed since the last look; returns how many."""
        there = [*self._folder.glob("[!.]*"), *self._folder.glob("[!.]*/[!.]*")]
        mine = [path for path in sorted(there) if path.is_file() and path.parent.name not in {DONE, FAILED}]
        waiting = {path: path.stat().st_size for path in mine}
        still = [path for path, size in waiting.items() if self._sizes.get(path) == size]
        self._sizes = waiting
        for path in still:
            try:
                client = "" if path.parent == self._folder else path.parent.name
                held = await asyncio.to_thread(take_in, self._remembering, path, self._now(), client=client)
            except DocumentError as error:
                self._move(path, FAILED)
                await tell(str(error))
            except StorageError as error:
                await tell(f"{path.name} waits in {FOLDER}: {error}")
                return 0
            else:
                self._move(path, DONE)
                await tell(f"I have read {path.name}: {held} record{'s' * (held != 1)}. Ask with /recall.")
        return len(still)

    def _move(self, path: Path, where: str) -> None:
        target = self._folder / where / path.name
        target.parent.mkdir(exist_ok=True)
        shutil.move(path, _free(target))
        self._sizes.pop(path, None)
