"""Looks at a home, also beside a Soloist that runs: the letter, a task, what is stuck, memory, all that may be wrong."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from bot import doctor, wiring
from bot.chronicle import replayed
from bot.commands import EXIT_BAD, now, settings_given
from bot.digest import compose
from bot.explaining import ExplainLog
from bot.history import History
from bot.librarian import as_json, told
from bot.policy import zone_of
from bot.settings import Settings, SettingsError
from bot.terminal import shown
from memory.database import Database
from memory.files import FileStore
from memory.log import Log
from memory.recall import Memory, Scope
from memory.replay import compare, mend


@contextlib.contextmanager
def looked_at(given: Settings) -> Iterator[tuple[Database, Log, History]]:
    """Open a home for looking; a Soloist may be running on it."""
    database = Database.look(given.home, url=given.database_url)
    try:
        log = Log(database)
        history = History(
            database,
            log,
            FileStore(given.home / "files"),
            secret=bytes.fromhex(log.fact("secret") or ""),
            zone=zone_of(given.company["zone"]),
            policy=given.policy,
            now=now,
            actions=wiring.actions_of(wiring.connector_kinds()),
        )
        history.explained = ExplainLog(given.home, now).of_task
        yield database, log, history
    finally:
        database.close()


def digest(_: argparse.Namespace) -> int:
    """Print the morning letter as it would be now."""
    with looked_at(settings_given()) as (_database, _log, history):
        print(shown(compose(history.day())))
    return 0


def about(arguments: argparse.Namespace) -> int:
    """Print why, or the timeline, of a task."""
    with looked_at(settings_given()) as (_database, _log, history):
        print(shown(history.about_task(arguments.question, arguments.task)))
    return 0


def stuck(_: argparse.Namespace) -> int:
    """Print what does not go on by itself."""
    with looked_at(settings_given()) as (_database, _log, history):
        lines = history.stuck_lines()
    print(shown("\n".join(lines)) or "Nothing is stuck.")
    return 0


def replay(arguments: argparse.Namespace) -> int:
    """Rebuild everything derived from history and compare; with ``--mend`` replace what differs."""
    given = settings_given()
    opened = Database.open if arguments.mend else Database.look
    database = opened(given.home, url=given.database_url)
    try:
        log = Log(database)
        if arguments.mend:
            mend(database, log, replayed)
        different = compare(database, log, replayed)
        count = sum(1 for _ in log.lines())
    finally:
        database.close()
    for difference in different:
        print(shown(str(difference)))
    print(f"{count} lines of history replayed; {len(different)} differences.")
    return EXIT_BAD if different else 0


def recall(arguments: argparse.Namespace) -> int:
    """Print what memory finds, as lines or as one JSON object."""
    given = settings_given()
    at = _moment(arguments.at, zone_of(given.company["zone"])) if arguments.at else None
    database = Database.look(given.home, url=given.database_url)
    try:
        memory = Memory.look(database, given.home / "memory", wiring.recall_embedder(given.home))
        hits = memory.recall(arguments.query, Scope(client=arguments.client), at, max(1, arguments.k))
    finally:
        database.close()
    if arguments.json:
        print(
            json.dumps(
                {"query": arguments.query, "note": hits.note, "hits": [as_json(hit) for hit in hits]},
                ensure_ascii=False,
            )
        )
        return 0
    print(shown("\n".join(f"- {told(hit)}\n    {hit.why()}" for hit in hits)) or "Nothing was found.")
    if hits.note:
        print(hits.note)
    return 0


def _moment(words: str, zone: ZoneInfo) -> datetime:
    try:
        at = datetime.fromisoformat(words)
    except ValueError:
        raise SettingsError(f"--at is {words!r}, and should be a date like 2026-03-02.") from None
    return at if at.tzinfo else at.replace(tzinfo=zone)


def examine(_: argparse.Namespace) -> int:
    """Print what is well and what is not, each with what to do."""
    given = settings_given()
    findings = list(doctor.examine_home(given))
    if given.home.exists():
        findings += doctor.examine_company(given)
    if (given.home / "soloist.db").exists() and all(finding.ok for finding in doctor.examine_home(given)):
        with looked_at(given) as (database, log, _history):
            findings += doctor.examine_history(database, log, replayed)
            findings.append(doctor.examine_clock(database, now()))
            if given.values["SLACK_BOT_TOKEN"]:
                findings.append(doctor.examine_arrivals(database))
    findings.append(asyncio.run(wiring.examine_short_memory(given)))
    findings += asyncio.run(wiring.examine_services(given))
    findings += asyncio.run(wiring.examine_channels(given))
    redact = wiring.redactor(given)
    for finding in findings:
        print(shown(redact(str(finding))))
    bad = sum(not finding.ok for finding in findings)
    print(f"\n{bad} problem{'s' * (bad != 1)}." if bad else "\nAll well.")
    return EXIT_BAD if bad else 0
