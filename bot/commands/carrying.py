"""Carries things in and out: documents, exports, backups and back."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from bot import papers, settings, wiring
from bot.commands import EXIT_BAD, now, settings_given
from bot.commands.looking import looked_at
from bot.remembering import Remembering
from memory.archive import backup, export, restore
from memory.context import Context
from memory.database import Database, HomeInUseError, StorageError
from memory.documents import DocumentError
from memory.files import FileStore
from memory.log import Log


def carry_out(arguments: argparse.Namespace) -> int:
    """Write everything in open formats."""
    given = settings_given()
    folder = Path(arguments.folder) if arguments.folder else given.home / "exports" / f"{now():%Y-%m-%d}"
    with looked_at(given) as (database, _log, _history):
        for path in export(database, folder):
            print(path)
    return 0


def take_in(arguments: argparse.Namespace) -> int:
    """Read documents into memory, or hand them to the Soloist that runs."""
    given, path = settings_given(), Path(arguments.path)
    files = list(papers.found(path))
    if others := papers.not_read(path):
        print(f"Left out, of no kind I read: {', '.join(others[:10])}{' …' * (len(others) > 10)}", file=sys.stderr)  # noqa: PLR2004
    try:
        database = Database.open(given.home, url=given.database_url)
    except HomeInUseError:
        folder = papers.hand_over(files, given.home, arguments.client)
        print(
            f"Soloist is running: it reads {len(files)} file{'s' * (len(files) != 1)} from {folder} and tells you there."
        )
        return 0
    bad = 0
    with database:
        remembering = Remembering(
            database,
            given.home,
            FileStore(given.home / "files"),
            Context("none", given.home),
            embedder=lambda: wiring.recall_embedder(given.home),
            now=now,
        )
        remembering.load()
        for file in files:
            try:
                kept = papers.take_in(remembering, file, now(), client=arguments.client, progress=_progress(file.name))
                print(f"{file.name}: {kept} record{'s' * (kept != 1)} kept.", flush=True)
            except DocumentError as error:
                bad += 1
                print(f"soloist: {error}", file=sys.stderr)
            except StorageError as error:
                # This command ends here, so nothing "goes on by itself": what was read is kept and is not read twice.
                print(f"soloist: {error}\nStopped in {file.name}. Then run the same import again.", file=sys.stderr)
                return EXIT_BAD
    return EXIT_BAD if bad else 0


def _progress(name: str) -> Callable[[int, int], None]:
    def show(done: int, whole: int) -> None:
        if done < whole:
            print(f"{name}: {done} of {whole}", flush=True)

    return show


def back_up(arguments: argparse.Namespace) -> int:
    """Write a verified backup."""
    given = settings_given()
    target = Path(arguments.target) if arguments.target else given.home / "backups"
    with looked_at(given) as (database, _log, _history):
        print(backup(database, given.home, target, now()))
    return 0


def put_back(arguments: argparse.Namespace) -> int:
    """Put a verified backup in place of the home."""
    given = settings_given()
    if (given.home / "soloist.db").exists():
        Database.open(given.home).close()  # refuses while a Soloist is running on it
    old = restore(Path(arguments.backup), given.home, _check_unpacked)
    machine = wiring.build(settings.read(wiring.declared_settings()), live=[])
    try:
        touched = machine.runner.restored(Path(arguments.backup).name)
    finally:
        machine.close()
    print(f"Restored to {given.home}." + (f" The old home is kept in {old}." if old else ""))
    if touched:
        print(f"{touched} task{'s' * (touched != 1)} had something open; each asks you before anything goes out.")
    else:
        print("No task had anything open.")
    return 0


def _check_unpacked(folder: Path) -> list[str]:
    database = Database.look(folder)
    try:
        return [str(error) for error in Log(database).verify()]
    finally:
        database.close()
