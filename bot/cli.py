"""The command line: run, chat, and everything one wants to look at or carry away.

Commands that only look (digest, why, timeline, stuck, export, backup, replay, doctor) work beside a running Soloist.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bot import wiring
from bot.commands import EXIT_BAD, carrying, looking, running, setting_up
from bot.policy import PolicyError
from bot.settings import SettingsError
from bot.terminal import shown
from connectors.base import ConnectorError
from connectors.oauth_sign_in import PREFIXES
from memory.archive import BackupError
from memory.database import StorageError
from memory.documents import DocumentError
from memory.events import UnknownEventError

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

    begin = add(
        "run", running.run, "Start Soloist: the local console, and Slack and Telegram where their tokens are set."
    )
    begin.add_argument("--no-demo", action="store_true", help="do not put a demo company into an empty home")
    add("chat", running.chat, "Talk to Soloist here: lines in, lines out. 'approve 2.1' presses the button.")
    add("digest", looking.digest, "Print the morning letter as it would be now.")
    for name, words in (
        ("why", "Explain what led to what in a task."),
        ("timeline", "Show what happened in a task, line by line."),
    ):
        one = add(name, looking.about, words)
        one.add_argument(
            "task", nargs="?", default="", help="task or card number; default: the newest that did something"
        )
        one.set_defaults(question=name)
    add("stuck", looking.stuck, "List what does not go on by itself.")
    replaying = add("replay", looking.replay, "Rebuild everything derived from history and compare.")
    replaying.add_argument("--mend", action="store_true", help="replace what differs by what history says")
    exporting = add("export", carrying.carry_out, "Write everything as JSONL, Markdown, CSV and plain-text accounting.")
    exporting.add_argument("folder", nargs="?", help="where; default: exports in the home folder")
    recalling = add(
        "recall", looking.recall, "Find what was said and noted before, best first, with sources and scores."
    )
    recalling.add_argument("query", help="a question, or a few words")
    recalling.add_argument("--json", action="store_true", help="one JSON object: hits with text, source, score, terms")
    recalling.add_argument("--client", help="only this client's namespace")
    recalling.add_argument("--at", help="as of then: an ISO date or date-time")
    recalling.add_argument("-k", type=int, default=10, help="how many at most")
    importing = add(
        "import", carrying.take_in, "Read PDF, Markdown, text, CSV, mail archives, or an exported memory.jsonl."
    )
    importing.add_argument("path", help="a file, or a folder of files")
    importing.add_argument(
        "--client", default="", help="whose it is, by its short name like acme; default: found in the words"
    )
    backing = add("backup", carrying.back_up, "Write a verified backup.")
    backing.add_argument("target", nargs="?", help="file or folder; default: backups in the home folder")
    restoring = add("restore", carrying.put_back, "Put a verified backup in place of the home; the old home is kept.")
    restoring.add_argument("backup", help="the backup file")
    slack = add(
        "slack",
        setting_up.print_manifest,
        "Print the manifest from which Slack creates the whole app: paste it at api.slack.com/apps.",
    )
    slack.add_argument("what", choices=["manifest"], metavar="manifest", help="the one thing there is to print")
    slack.add_argument("--address", default="", help="your public https address, for signed HTTP; default: Socket Mode")
    signing = add(
        "sign-in",
        setting_up.sign_in,
        "Sign in to Google, Microsoft or the like, or to an MCP server, so that it needs no password.",
    )
    signing.add_argument("account", help=f"{', '.join(sorted(PREFIXES))}, or the name of a server in connectors.toml")
    signing.add_argument(
        "--device", nargs="?", const="", metavar="URL", help="with a code to type elsewhere; URL where it is not known"
    )
    unpairing = add(
        "unpair", setting_up.forget_pairing, "Forget who was paired on a channel, e.g. after a phone was lost."
    )
    unpairing.add_argument("platform", choices=["telegram", "slack"], help="where")
    reading = add("intents", setting_up.measure, "Measure how well messages are read: intents eval --train F --test F.")
    reading.add_argument(
        "what", choices=["eval", "train"], help="train learns now what a start would learn; make run does it"
    )
    reading.add_argument("rest", nargs=argparse.REMAINDER, help="--train F --test F [--model FOLDER]")
    add("settings", setting_up.print_settings, "Print every setting with where to get it: the content of .env.example.")
    add(
        "company",
        setting_up.print_company,
        "Print who you are on invoices, what is missing, and every line company.toml can have.",
    )
    add("doctor", looking.examine, "Look at everything and say what is wrong and what to do.")
    return parser
