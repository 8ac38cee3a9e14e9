"""The command line: run, chat, and everything one wants to look at or carry away.

Commands that only look (digest, why, timeline, stuck, export, backup, replay, doctor) work beside a running Soloist.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import gc
import json
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import agents
from bot import company, demo, doctor, papers, settings, wiring
from bot.channels.base import NotWrittenError
from bot.channels.console import Console, stdin_lines
from bot.chronicle import replayed
from bot.digest import compose
from bot.explaining import ExplainLog
from bot.history import History
from bot.librarian import as_json, told
from bot.policy import PolicyError, zone_of
from bot.redaction import RedactingFormatter
from bot.remembering import Remembering
from bot.runner import Runner
from bot.settings import Settings, SettingsError
from bot.terminal import shown
from connectors import mcp_tools
from connectors.base import ConnectorError, Workshop
from connectors.mcp_servers import read_servers
from connectors.oauth import Lasts
from connectors.oauth_sign_in import PREFIXES, SignIn
from memory.archive import BackupError, backup, export, restore
from memory.context import Context
from memory.database import Database, HomeInUseError, StorageError
from memory.documents import DocumentError
from memory.events import UnknownEventError
from memory.files import FileStore
from memory.log import Log
from memory.recall import Memory, Scope
from memory.replay import compare, mend

EXIT_BAD, EXIT_USAGE = 1, 2
EXAMPLES = {
    "run": ("{} run", "SOLOIST_HOME=~/company {} run --no-demo"),
    "chat": ("{} chat", 'echo "what\'s unpaid?" | {} chat'),
    "digest": ("{} digest",),
    "why": ("{} why", "{} why 12.1"),
    "timeline": ("{} timeline", "{} timeline 12"),
    "stuck": ("{} stuck",),
    "replay": ("{} replay", "{} replay --mend      with Soloist stopped"),
    "export": ("{} export", "{} export ~/Desktop/company"),
    "recall": ('{} recall "what did Acme want?"', '{} recall --client acme --at 2026-03-02 -k 3 "price"'),
    "import": ("{} import ~/Documents/contracts", "{} import --client acme offer.pdf"),
    "backup": ("{} backup", "{} backup /mnt/usb"),
    "restore": ("{} restore ~/.soloist/backups/FILE      with Soloist stopped",),
    "slack": ("{} slack manifest", "{} slack manifest --address https://soloist.example.org"),
    "unpair": ("{} unpair telegram",),
    "sign-in": ("{} sign-in mail", "{} sign-in calendar", "{} sign-in linear"),
    "intents": ("{} intents eval --train train.jsonl --test test.jsonl", "{} intents train"),
    "settings": ("{} settings", "{} settings > .env"),
    "company": ("{} company",),
    "doctor": ("{} doctor",),
}
"""What is typed, by command; ``{}`` is how Soloist was called."""

TRAINING_MAX_S = 1800.0  # a small machine; two quick cores take fifteen seconds


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command; an error the operator can act on is one sentence and exit status 1, never a traceback."""
    arguments = _parser().parse_args(argv)
    try:
        code = arguments.run(arguments)
    except (
        StorageError, SettingsError, PolicyError, BackupError, ConnectorError, UnknownEventError, DocumentError,
        wiring.WrongRoomsError,
    ) as error:  # fmt: skip
        print(shown(f"soloist: {error}"), file=sys.stderr)
        code = EXIT_BAD
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    called = "python -m bot" if Path(sys.argv[0]).parts[-2:] == ("bot", "__main__.py") else "soloist"
    parser = argparse.ArgumentParser(
        prog=called,
        description="The operating system of a one-person company.",
        epilog=f"Begin with: {called} run. When something is wrong: {called} doctor.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[argparse.Namespace], int], words: str) -> argparse.ArgumentParser:
        examples = "\n".join(
            ["examples:", *(f"  {example.format(called)}" for example in EXAMPLES.get(name, ("{} " + name,)))]
        )
        one = commands.add_parser(
            name, help=words, description=words, epilog=examples, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        one.set_defaults(run=run)
        return one

    running = add("run", _run, "Start Soloist: the local console, and Slack and Telegram where their tokens are set.")
    running.add_argument("--no-demo", action="store_true", help="do not put a demo company into an empty home")
    add("chat", _chat, "Talk to Soloist here: lines in, lines out. 'approve 2.1' presses the button.")
    add("digest", _digest, "Print the morning letter as it would be now.")
    for name, words in (
        ("why", "Explain what led to what in a task."),
        ("timeline", "Show what happened in a task, line by line."),
    ):
        one = add(name, _about, words)
        one.add_argument(
            "task", nargs="?", default="", help="task or card number; default: the newest that did something"
        )
        one.set_defaults(question=name)
    add("stuck", _stuck, "List what does not go on by itself.")
    replaying = add("replay", _replay, "Rebuild everything derived from history and compare.")
    replaying.add_argument("--mend", action="store_true", help="replace what differs by what history says")
    exporting = add("export", _export, "Write everything as JSONL, Markdown, CSV and plain-text accounting.")
    exporting.add_argument("folder", nargs="?", help="where; default: exports in the home folder")
    recalling = add("recall", _recall, "Find what was said and noted before, best first, with sources and scores.")
    recalling.add_argument("query", help="a question, or a few words")
    recalling.add_argument("--json", action="store_true", help="one JSON object: hits with text, source, score, terms")
    recalling.add_argument("--client", help="only this client's namespace")
    recalling.add_argument("--at", help="as of then: an ISO date or date-time")
    recalling.add_argument("-k", type=int, default=10, help="how many at most")
    importing = add("import", _import, "Read PDF, Markdown, text, CSV, mail archives, or an exported memory.jsonl.")
    importing.add_argument("path", help="a file, or a folder of files")
    importing.add_argument("--client", default="", help="whose it is; default: found in the words")
    backing = add("backup", _backup, "Write a verified backup.")
    backing.add_argument("target", nargs="?", help="file or folder; default: backups in the home folder")
    restoring = add("restore", _restore, "Put a verified backup in place of the home; the old home is kept.")
    restoring.add_argument("backup", help="the backup file")
    slack = add(
        "slack", _slack, "Print the manifest from which Slack creates the whole app: paste it at api.slack.com/apps."
    )
    slack.add_argument("what", choices=["manifest"], metavar="manifest", help="the one thing there is to print")
    slack.add_argument("--address", default="", help="your public https address, for signed HTTP; default: Socket Mode")
    signing = add(
        "sign-in",
        _sign_in,
        "Sign in to Google, Microsoft or the like, or to an MCP server, so that it needs no password.",
    )
    signing.add_argument("account", help=f"{', '.join(sorted(PREFIXES))}, or the name of a server in connectors.toml")
    signing.add_argument(
        "--device", nargs="?", const="", metavar="URL", help="with a code to type elsewhere; URL where it is not known"
    )
    unpairing = add("unpair", _unpair, "Forget who was paired on a channel, e.g. after a phone was lost.")
    unpairing.add_argument("platform", choices=["telegram", "slack"], help="where")
    reading = add("intents", _intents, "Measure how well messages are read: intents eval --train F --test F.")
    reading.add_argument(
        "what", choices=["eval", "train"], help="train learns now what a start would learn; make run does it"
    )
    reading.add_argument("rest", nargs=argparse.REMAINDER, help="--train F --test F [--model FOLDER]")
    add("settings", _env_example, "Print every setting with where to get it: the content of .env.example.")
    add("company", _company, "Print who you are on invoices, what is missing, and every line company.toml can have.")
    add("doctor", _doctor, "Look at everything and say what is wrong and what to do.")
    return parser


def _settings() -> Settings:
    return settings.read(wiring.declared_settings())


def _log_to_stderr(given: Settings) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s", wiring.redactor(given)))
    logging.basicConfig(level=given.log_level, handlers=[handler])
    # These write addresses with keys in them at INFO.
    for noisy in ("httpx", "httpcore", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


# ── running ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _move_in(*, demo_company: bool) -> tuple[Settings, bool]:
    """Return the settings of a home that is there, and whether a demo company moved into it just now."""
    home = _settings().home
    fresh = False
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)  # letters, invoices, clients: nobody else's business
        if demo_company:
            fresh = demo.move_in(home)
        elif not (home / "company.toml").exists():
            (home / "company.toml").write_text(company.form(), encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"{home} cannot be written: {error.strerror}. Set SOLOIST_HOME to a folder of yours."
        ) from error
    return _settings(), fresh


def _run(arguments: argparse.Namespace) -> int:
    given, fresh = _move_in(demo_company=not arguments.no_demo)
    _log_to_stderr(given)
    machine = wiring.build(given, context=wiring.short_memory(given))
    try:
        if fresh:
            wiring.seed(machine, demo.CLIENTS, "A demo company moved in")
        _ask_for(given.host, given.port)
        # What was built is here to stay: without this each full collection looks through it all, 40 ms at a time.
        gc.collect()
        gc.freeze()
        asyncio.run(_serve(machine, demo_company=fresh))
    finally:
        machine.close()
    return 0


def _ask_for(host: str, port: int) -> None:
    """Stop the start in one sentence when the console's address is taken.

    Raises:
        SettingsError: It is.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as asking:
            asking.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            asking.bind(address)
    except OSError as error:
        raise SettingsError(
            f"The console cannot listen on {host}:{port}: {error.strerror}. Another program, or another Soloist, is there: "
            f"stop it, or put another number into .env, like SOLOIST_PORT={port + 1}."
        ) from None


async def _serve(machine: wiring.Machine, *, demo_company: bool) -> None:
    running = asyncio.ensure_future(machine.runner.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, running.cancel)
    greeting = asyncio.ensure_future(_greet(machine, demo_company=demo_company))
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await running
    finally:
        greeting.cancel()


async def _greet(machine: wiring.Machine, *, demo_company: bool) -> None:
    assert machine.console is not None
    await machine.console.ready.wait()
    machine.warm()
    name = machine.settings.company["name"] or "a company without a name"
    print(f"Soloist is running for {name}{' (a demo; see company.toml)' if demo_company else ''}.")
    print(f"  console   {machine.console.url}")
    print(f"  home      {machine.settings.home}")
    lacks = [what.partition(":")[0] for what in company.wanting(machine.settings.company)]
    if lacks:
        print(f"  missing   {', '.join(lacks)}: fill in {machine.settings.home / 'company.toml'} and start again")
    redis = await wiring.examine_short_memory(machine.settings)
    for notice in (*machine.notices, *([] if redis.ok else [f"{redis.what} {redis.remedy}"])):
        print(f"  {notice}")
    print("Try: invoice Acme 1,200 for the March retainer, net 14        Stop: Ctrl-C", flush=True)


def _chat(_: argparse.Namespace) -> int:
    given, fresh = _move_in(demo_company=True)
    _log_to_stderr(given)
    terminal = Console(stdin_lines(sys.stdin), sys.stdout)
    machine = wiring.build(given, live=[terminal], context=wiring.short_memory(given))
    terminal.idle = machine.runner.settled
    try:
        if fresh:
            wiring.seed(machine, demo.CLIENTS, "A demo company moved in")
        asyncio.run(_talk(machine.runner, terminal))
    finally:
        machine.close()
    return 0


async def _talk(runner: Runner, terminal: Console) -> None:
    ready = asyncio.Event()
    running = asyncio.ensure_future(runner.run(ready.set))
    over = asyncio.ensure_future(terminal.over.wait())
    await asyncio.wait({running, over}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        over.cancel()
        running.result()
        return
    await runner.settled(windows=True)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


# ── looking ───────────────────────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def _looking(given: Settings):  # type: ignore[no-untyped-def]  # noqa: ANN202
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
            now=_now,
            actions=wiring.actions_of(wiring.connector_kinds()),
        )
        history.explained = ExplainLog(given.home, _now).of_task
        yield database, log, history
    finally:
        database.close()


def _now() -> datetime:
    return datetime.now(UTC)


def _digest(_: argparse.Namespace) -> int:
    with _looking(_settings()) as (_database, _log, history):
        print(shown(compose(history.day())))
    return 0


def _about(arguments: argparse.Namespace) -> int:
    with _looking(_settings()) as (_database, _log, history):
        print(shown(history.about_task(arguments.question, arguments.task)))
    return 0


def _stuck(_: argparse.Namespace) -> int:
    with _looking(_settings()) as (_database, _log, history):
        lines = history.stuck_lines()
    print(shown("\n".join(lines)) or "Nothing is stuck.")
    return 0


def _replay(arguments: argparse.Namespace) -> int:
    given = _settings()
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


def _export(arguments: argparse.Namespace) -> int:
    given = _settings()
    folder = Path(arguments.folder) if arguments.folder else given.home / "exports" / f"{_now():%Y-%m-%d}"
    with _looking(given) as (database, _log, _history):
        for path in export(database, folder):
            print(path)
    return 0


def _recall(arguments: argparse.Namespace) -> int:
    given = _settings()
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


def _import(arguments: argparse.Namespace) -> int:
    given, path = _settings(), Path(arguments.path)
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
            now=_now,
        )
        remembering.load()
        for file in files:
            try:
                kept = papers.take_in(remembering, file, _now(), client=arguments.client, progress=_progress(file.name))
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


def _backup(arguments: argparse.Namespace) -> int:
    given = _settings()
    target = Path(arguments.target) if arguments.target else given.home / "backups"
    with _looking(given) as (database, _log, _history):
        print(backup(database, given.home, target, _now()))
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    given = _settings()
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


def _env_example(_: argparse.Namespace) -> int:
    print(settings.example(wiring.declared_settings()), end="")
    return 0


def _slack(arguments: argparse.Namespace) -> int:
    from bot.channels.slack import manifest

    try:
        print(manifest(address=arguments.address))
    except ValueError as error:
        print(f"soloist: {error}", file=sys.stderr)
        return EXIT_USAGE
    return 0


def _sign_in(arguments: argparse.Namespace) -> int:
    given = _settings()
    given.home.mkdir(parents=True, exist_ok=True)
    workshop = Workshop(given.home, FileStore(given.home / "files"), lambda: datetime.now(UTC))
    say = functools.partial(print, flush=True)
    servers = read_servers(given.home / "connectors.toml")
    if arguments.account in servers and arguments.account not in PREFIXES:
        tools = asyncio.run(mcp_tools.sign_in(servers[arguments.account], workshop, say, _a_line))
        print(f"Signed in; {arguments.account} has {tools} tools, which Soloist uses from its next start on.")
        return 0
    if arguments.account not in PREFIXES:
        known = ", ".join(sorted({*PREFIXES, *servers}))
        print(f"soloist: there is no account {arguments.account!r} to sign in to; there is {known}.", file=sys.stderr)
        return EXIT_USAGE

    async def signed() -> Lasts:
        one = SignIn(PREFIXES[arguments.account], given.values, workshop)
        try:
            if arguments.device is not None:
                return await one.by_code(say, arguments.device)
            return await one.by_browser(say, _a_line)
        finally:
            await one.close()

    lasts = asyncio.run(signed())
    print(f"Signed in; {arguments.account} uses it from its next start on. {lasts}".strip())
    return 0


async def _a_line() -> str:
    """Wait for a line that is pasted; for ever where there is nobody to paste one."""
    loop = asyncio.get_running_loop()
    pasted: asyncio.Future[str] = loop.create_future()

    def take(line: str) -> None:
        if not pasted.done():
            pasted.set_result(line.strip())

    def read() -> None:
        if line := stdin_lines(sys.stdin)():
            with contextlib.suppress(RuntimeError):  # it came after the end
                loop.call_soon_threadsafe(take, line)

    # A thread of its own that nobody waits for: reading a terminal cannot be called off.
    threading.Thread(target=read, daemon=True).start()
    return await pasted


def _unpair(arguments: argparse.Namespace) -> int:
    from bot.pairings import unpair

    try:
        print(unpair(_settings(), arguments.platform))
    except NotWrittenError as error:
        print(f"soloist: {error}", file=sys.stderr)
        return EXIT_BAD
    return 0


def _intents(arguments: argparse.Namespace) -> int:
    from bot import intents_eval

    if arguments.what == "train":
        return _train()
    folder = wiring.models_folder()
    return intents_eval.main(arguments.rest, model=folder if folder.exists() else None)


def _train() -> int:
    started = time.perf_counter()
    understanding = wiring.understanding_of(agents.discover(), _settings().home)
    if not understanding.ready(TRAINING_MAX_S):
        print("soloist: the classifier could not be made; commands are understood all the same.", file=sys.stderr)
        return 1
    sentences, intents = understanding.training()
    print(f"{len(sentences)} sentences of {len(set(intents))} intents, {time.perf_counter() - started:.0f} s.")
    return 0


def _company(_: argparse.Namespace) -> int:
    given = _settings()
    path = given.home / "company.toml"
    known = {name: value for name, value in given.company.items() if value}
    print(f"{path}{'' if path.exists() else ' does not exist yet; these are the defaults'}")
    for name, value in known.items():
        print(f"  {name:<15} {', '.join(value.splitlines())}")
    for what in company.wanting(given.company):
        print(f"  missing: {what}")
    print(f"\n{company.form()}", end="")
    return 0


def _doctor(_: argparse.Namespace) -> int:
    given = _settings()
    findings = list(doctor.examine_home(given))
    if given.home.exists():
        findings += doctor.examine_company(given)
    if (given.home / "soloist.db").exists() and all(finding.ok for finding in doctor.examine_home(given)):
        with _looking(given) as (database, log, _history):
            findings += doctor.examine_history(database, log, replayed)
            findings.append(doctor.examine_clock(database, _now()))
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
