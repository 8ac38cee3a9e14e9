"""Sets the house up: settings, company, sign-ins, pairings, the Slack app, what messages mean."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import sys
import threading
import time
from datetime import UTC, datetime

import agents
from bot import company, settings, wiring
from bot.channels.base import NotWrittenError
from bot.channels.console import stdin_lines
from bot.commands import EXIT_BAD, EXIT_USAGE, settings_given
from connectors import mcp_tools
from connectors.base import Workshop
from connectors.mcp_servers import read_servers
from connectors.oauth import Lasts
from connectors.oauth_sign_in import PREFIXES, SignIn
from memory.files import FileStore

TRAINING_MAX_S = 1800.0  # a small machine; two quick cores take fifteen seconds


def print_settings(_: argparse.Namespace) -> int:
    """Print what .env.example holds."""
    print(settings.example(wiring.declared_settings()), end="")
    return 0


def print_manifest(arguments: argparse.Namespace) -> int:
    """Print the manifest of the Slack app."""
    from bot.channels.slack import manifest

    try:
        print(manifest(address=arguments.address))
    except ValueError as error:
        print(f"soloist: {error}", file=sys.stderr)
        return EXIT_USAGE
    return 0


def sign_in(arguments: argparse.Namespace) -> int:
    """Sign in to an account and keep what it gives."""
    given = settings_given()
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


def forget_pairing(arguments: argparse.Namespace) -> int:
    """Forget who was paired on a channel."""
    from bot.pairings import unpair

    try:
        print(unpair(settings_given(), arguments.platform))
    except NotWrittenError as error:
        print(f"soloist: {error}", file=sys.stderr)
        return EXIT_BAD
    return 0


def measure(arguments: argparse.Namespace) -> int:
    """Learn or measure what messages mean."""
    from bot import intents_eval

    if arguments.what == "train":
        return _train()
    folder = wiring.models_folder()
    return intents_eval.main(arguments.rest, model=folder if folder.exists() else None)


def _train() -> int:
    started = time.perf_counter()
    understanding = wiring.understanding_of(agents.discover(), settings_given().home)
    if not understanding.ready(TRAINING_MAX_S):
        print("soloist: the classifier could not be made; commands are understood all the same.", file=sys.stderr)
        return 1
    sentences, intents = understanding.training()
    print(f"{len(sentences)} sentences of {len(set(intents))} intents, {time.perf_counter() - started:.0f} s.")
    return 0


def print_company(_: argparse.Namespace) -> int:
    """Print who you are on an invoice, and what is missing."""
    given = settings_given()
    path = given.home / "company.toml"
    known = {name: value for name, value in given.company.items() if value}
    print(f"{path}{'' if path.exists() else ' does not exist yet; these are the defaults'}")
    for name, value in known.items():
        print(f"  {name:<15} {', '.join(value.splitlines())}")
    for what in company.wanting(given.company):
        print(f"  missing: {what}")
    print(f"\n{company.form()}", end="")
    return 0
