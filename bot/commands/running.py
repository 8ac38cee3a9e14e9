"""Runs the house: with its channels, or as lines in this terminal."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys

from bot import company, demo, wiring
from bot.channels.console import Console, stdin_lines
from bot.commands import settings_given
from bot.redaction import RedactingFormatter
from bot.runner import Runner
from bot.settings import Settings, SettingsError


def _move_in(*, demo_company: bool) -> tuple[Settings, bool]:
    """Return the settings of a home that is there, and whether a demo company moved into it just now."""
    home = settings_given().home
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
    return settings_given(), fresh


def run(arguments: argparse.Namespace) -> int:
    """Start Soloist and serve until it is stopped."""
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


def chat(_: argparse.Namespace) -> int:
    """Talk here, lines in and lines out, until the input ends."""
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


def _log_to_stderr(given: Settings) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s", wiring.redactor(given)))
    logging.basicConfig(level=given.log_level, handlers=[handler])
    # These write addresses with keys in them at INFO.
    for noisy in ("httpx", "httpcore", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
