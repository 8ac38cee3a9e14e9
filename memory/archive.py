"""Backup, verified restore, and export in open formats.

A backup is one ``.tar.gz``, readable by its owner alone: a consistent copy of the database (SQLite's own backup), the
operator's files, and a manifest with the SHA-256 of each. What lets somebody in stays out of it. A restore unpacks beside
the home, checks every digest, the database's integrity and the whole hash chain, and only then swaps the folders; the old
home is kept. A restored house is in a new *epoch*: what was open in the backup may have happened since, so nothing in it
goes out by itself (see `bot.runner.Runner.recover`).
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import IO, Any

from sqlalchemy import select

from memory import journals
from memory.carry import write_jsonl, write_markdown
from memory.database import Database
from memory.line import stamp
from memory.log import events
from memory.projections import ledger, records

DATABASE = "soloist.db"
MANIFEST = "manifest.json"
MANIFEST_BYTES_MAX = 64_000_000  # some 400,000 files
SECRETS = ("console.key", "mcp.key", "telegram.secret", "oauth", ".env")
"""What lets somebody in, or lets us in elsewhere: it belongs to this machine, and an old one may open nothing any more."""
STAYS = (*SECRETS, "pairings.json")
"""What a restore leaves as it is in a home that is there. Who was unpaired (a lost phone) is not let in again by an old
backup; on a new machine the backup's own pairings count."""
LEFT_OUT = frozenset({"soloist.lock", "soloist.db-wal", "soloist.db-shm", DATABASE, "explain.jsonl", *SECRETS})
"""Not in a backup: the lock, the running database (its copy is), secrets, and what models were told (for looking after
something odd, not for ever)."""
FOLDERS_LEFT_OUT = frozenset({"models", "index", "valkey", "backups", "exports", *SECRETS})
"""Can be made again, is a backup itself, or a secret."""


class BackupError(Exception):
    """The backup cannot be made or is not to be trusted; nothing was changed. The message says why."""


def backup(database: Database, home: Path, target: Path, now: datetime) -> Path:
    """Write a backup and read it back.

    Args:
        target: A file, or a folder in which a file named by the time is made.

    Returns:
        The file written.

    Raises:
        BackupError: The disk would not take it, or what was written does not verify.
    """
    if target.is_dir() or not target.suffix:
        target = target / f"soloist-{stamp(now)[:19].replace(':', '')}.tar.gz"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            copy = Path(folder) / DATABASE
            _copy_database(database, copy)
            _pack(home, copy, target, now)
        verify(target)
    except (OSError, sqlite3.Error) as error:
        # Half an archive on a full disk would only keep it full.
        with suppress(OSError):
            target.with_suffix(".part").unlink(missing_ok=True)
        raise BackupError(
            f"The backup {target} could not be written: {getattr(error, 'strerror', None) or error}. "
            "Make room there, or name another folder."
        ) from error
    return target


def _copy_database(database: Database, target: Path) -> None:
    with database.engine.connect() as connection:
        source = connection.connection.driver_connection
        if not isinstance(source, sqlite3.Connection):
            raise BackupError("This house lives on PostgreSQL: back it up with pg_dump, and export with 'export'.")
        connection.exec_driver_sql("ROLLBACK")
        with sqlite3.connect(target) as copy:
            source.backup(copy)
        copy.close()


def _pack(home: Path, copy: Path, target: Path, now: datetime) -> None:
    digests: dict[str, str] = {}
    partial = target.with_suffix(".part")
    with (
        os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as raw,
        tarfile.open(fileobj=raw, mode="w:gz", dereference=True) as archive,
    ):
        for path, name in ((copy, DATABASE), *_files(home)):
            with suppress(FileNotFoundError):  # taken away since the folder was read: the house may be running
                digests[name] = _add(archive, path, name)
        manifest = json.dumps({"soloist": 1, "made": stamp(now), "files": digests}, indent=1).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size = len(manifest)
        archive.addfile(info, io.BytesIO(manifest))
    partial.replace(target)


class _Digested(io.RawIOBase):
    """A file whose digest is that of the bytes that were read, also while somebody writes to it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size)
        self.digest.update(chunk)
        return chunk


def _add(archive: tarfile.TarFile, path: Path, name: str) -> str:
    """Put the content of a file into the archive, also where the home holds but a link to it; return its SHA-256."""
    with path.open("rb") as stream:
        digested = _Digested(stream)
        archive.addfile(archive.gettarinfo(arcname=name, fileobj=stream), digested)
        return digested.digest.hexdigest()


def _files(home: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(home.rglob("*")):
        name = path.relative_to(home)
        made_again = name.parts[0] in FOLDERS_LEFT_OUT or name.parts[:2] == ("memory", "index")
        if path.is_file() and not made_again and name.as_posix() not in LEFT_OUT:
            yield path, name.as_posix()


def verify(source: Path, room: int | None = None) -> dict[str, str]:
    """Return the manifest's digests after checking every one of them.

    Args:
        source: The backup.
        room: How many bytes it may have when it is unpacked; None when nobody unpacks it.

    Raises:
        BackupError: It is not one of ours, is cut off, has no room, or a file in it is not what it was.
    """
    try:
        with tarfile.open(source, "r:gz") as archive:
            seen: dict[str, str] = {}
            manifest: dict[str, str] = {}
            size = 0
            for member in archive:
                size += member.size
                _refuse(source, member, too_much=room is not None and size > room)
                stream = archive.extractfile(member)
                assert stream is not None
                if member.name == MANIFEST:
                    manifest = dict(json.loads(stream.read())["files"])
                else:
                    seen[member.name] = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
    except (tarfile.TarError, OSError, EOFError, KeyError, ValueError, TypeError, RecursionError, zlib.error) as error:
        raise BackupError(f"{source} is not a whole Soloist backup ({error}). Take another one.") from error
    if not manifest or seen != manifest:
        wrong = sorted(name for name in seen.keys() | manifest.keys() if seen.get(name) != manifest.get(name))
        raise BackupError(f"{source} is damaged at {', '.join(wrong) or 'its manifest'}. Take another one.")
    if DATABASE not in manifest:
        raise BackupError(f"{source} holds no {DATABASE}, so it is no backup of a house. Take another one.")
    return manifest


def _refuse(source: Path, member: tarfile.TarInfo, *, too_much: bool) -> None:
    """Raise for what no backup of ours holds, before a byte of it is read."""
    outside = member.name.startswith(("/", "..")) or ".." in Path(member.name).parts
    huge = member.name == MANIFEST and member.size > MANIFEST_BYTES_MAX
    if outside or huge or not member.isfile() or member.issparse():
        raise BackupError(f"{source} holds {member.name!r}, which has no place in a backup.")
    if too_much:
        raise BackupError(f"{source} needs more room than there is where the home is. Free some, and restore again.")


def restore(source: Path, home: Path, check: Callable[[Path], list[str]]) -> Path | None:
    """Put a backup in place of a home; the old one is kept beside it.

    Args:
        source: The backup.
        home: Where it goes.
        check: Called with the unpacked folder before it is used; returns what is wrong with it.

    Returns:
        Where the old home is now, None when there was none.

    Raises:
        BackupError: The backup does not verify, or the disk would not take it; the home is as it was.
    """
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        verify(source, room=shutil.disk_usage(home.parent).free)
        fresh = Path(tempfile.mkdtemp(dir=home.parent, prefix=f".{home.name}-restoring-"))
        try:
            _unpack(source, fresh, check)
            return _swap(home, fresh)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)  # nothing is there once it is the home
    except OSError as error:
        raise BackupError(
            f"{source} was not restored: {error.strerror or error}. {home} is as it was. Make room there, or mend its rights, and try again."
        ) from error


def _unpack(source: Path, fresh: Path, check: Callable[[Path], list[str]]) -> None:
    with tarfile.open(source, "r:gz") as archive:
        archive.extractall(fresh, filter="data")
    (fresh / MANIFEST).unlink()
    problems = _integrity(fresh / DATABASE) or check(fresh)
    if problems:
        raise BackupError(f"{source} was not restored: {'; '.join(problems)}")


def _swap(home: Path, fresh: Path) -> Path | None:
    if not home.exists():
        fresh.rename(home)
        return None
    for name in STAYS:
        _take_over(home / name, fresh / name)
    _keep_forgotten(home / "memory", fresh / "memory")
    numbered = (home.with_name(f"{home.name}-before-restore-{number}") for number in count(1))
    old = next(folder for folder in numbered if not folder.exists())
    home.rename(old)
    try:
        fresh.rename(home)
    except OSError:
        old.rename(home)
        raise
    return old


def _take_over(ours: Path, theirs: Path) -> None:
    if ours.is_dir():
        shutil.copytree(ours, theirs, dirs_exist_ok=True)
    elif ours.exists():
        shutil.copy2(ours, theirs)


def _keep_forgotten(before: Path, fresh: Path) -> None:
    """Carry over what was forgotten since the backup was made, so that the next start forgets it again."""
    for name in ("forgotten", "erased.jsonl", "forgotten-files", "forgotten-names"):
        ours, theirs = before / name, fresh / name
        if not ours.exists():
            continue
        if name == "forgotten" and theirs.exists() and _first_line(ours) != _first_line(theirs):
            continue  # another house's list
        fresh.mkdir(exist_ok=True)
        had = theirs.read_bytes().splitlines(keepends=True) if theirs.exists() else []
        more = [line for line in ours.read_bytes().splitlines(keepends=True) if line not in set(had)]
        theirs.write_bytes(b"".join([*had, *more]))


def _first_line(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.readline()


def _integrity(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        answer = connection.execute("PRAGMA integrity_check").fetchall()
    except sqlite3.DatabaseError as error:
        return [f"the database is damaged: {error}"]
    finally:
        connection.close()
    return [] if answer == [("ok",)] else [f"the database is damaged: {answer[0][0]}"]


def export(database: Database, folder: Path) -> list[Path]:
    """Write everything in open formats: history as JSONL, records as JSONL and Markdown, the ledger as CSV, hledger and beancount.

    Returns:
        The files written. No secret is among them.

    Raises:
        BackupError: The disk would not take it; files written before are whole, the last one may be cut off.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _write_out(database, folder)
    except OSError as error:
        raise BackupError(
            f"The export in {folder} is not whole: {error.strerror or error}. "
            "Make room there, or name another folder, and export again."
        ) from error


def _write_out(database: Database, folder: Path) -> list[Path]:
    carried = [folder / "memory.jsonl", folder / "memory.md"]
    written = [
        folder / name
        for name in (
            "history.jsonl", "records.jsonl", "records.md", "ledger.csv", "ledger.journal", "ledger.beancount",
        )
    ]  # fmt: skip
    with database.read() as connection:
        with written[0].open("w", encoding="utf-8") as stream:
            for row in connection.execution_options(yield_per=1000).execute(
                select(events).order_by(events.c.task, events.c.seq)
            ):
                line = {"task": row.task, "seq": row.seq, "at": row.at, "actor": row.actor, "cause": row.cause}
                stream.write(json.dumps({**line, "event": json.loads(row.body), "hash": row.hash.hex()}) + "\n")
        versions = connection.execute(select(records).order_by(records.c.kind, records.c.key, records.c.version)).all()
        with written[1].open("w", encoding="utf-8") as stream:
            for row in versions:
                facts = {"kind": row.kind, "key": row.key, "version": row.version, "at": row.at, "gone": bool(row.gone)}
                stream.write(json.dumps({**facts, "data": json.loads(row.data)}, ensure_ascii=False) + "\n")
        newest = {(row.kind, row.key): row for row in versions}
        written[2].write_text(_markdown(newest), encoding="utf-8")
        entries = connection.execute(
            select(ledger).order_by(ledger.c.at, ledger.c.task, ledger.c.seq, ledger.c.line)
        ).all()
        write_jsonl(connection, carried[0])
        write_markdown(connection, carried[1])
    _table(entries, written[3])
    written[4].write_text(journals.hledger(entries), encoding="utf-8")
    written[5].write_text(journals.beancount(entries), encoding="utf-8")
    return [*written, *carried]


def _markdown(newest: Mapping[tuple[str, str], Any]) -> str:
    parts = ["# Records"]
    kind = ""
    for (kind_now, key), row in newest.items():
        if row.gone:
            continue
        if kind_now != kind:
            kind = kind_now
            parts.append(f"\n## {kind}")
        data = json.loads(row.data)
        parts.append(f"\n### {key} (version {row.version}, {row.at[:10]})\n")
        told = {name: " ".join(str(value).split()) for name, value in data.items() if value not in ("", None, [], {})}
        parts += [f"- {name}: {value}" for name, value in told.items()]
    return "\n".join(parts) + "\n"


def _table(entries: Sequence[Any], table: Path) -> None:
    with table.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("date", "account", "amount", "currency", "note", "task", "effect"))
        writer.writerows(
            (row.at[:10], row.account, row.amount, row.currency, _as_words(row.note), row.task, row.effect)
            for row in entries
        )


def _as_words(note: str) -> str:
    """A note that no spreadsheet takes for a formula: the name of a client may have come from outside."""
    return f"'{note}" if note.startswith(("=", "+", "-", "@", "\t", "\r")) else note
