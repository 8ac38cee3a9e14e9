"""An echo through Soloist in Slack with durability on, beside a bare Bolt echo, on workspaces of the same kind.

``python -m tests.bench.slack_echo [--quick]``: one message to each in turn, now the one first and now the other, so that
neither a busy second of the machine nor what the one leaves behind hits one alone. *ack* is from a person's Enter to the
acknowledgement, *echo* to the answer standing in the conversation; *x* is the echo's p50 by that of bare Bolt in the same
rows. The bar: at most 2, and acknowledged in 300 ms (p99) with 500 tasks behind, each of which writes to the database and
computes about once a second.

- *soloist*: our channel alone; it writes each message to SQLite (``synchronous=FULL``) before it acknowledges. "No disk"
  is the same with an ear that only remembers, so the difference is the disk's.
- *the whole house*: all of it. The words are clear at a glance, and the agent says that it waits for nothing
  (`Intent.at_once`): message, reading, plan and answer are one commit, and the answer leaves after it.
- *two commits*: the same house and an agent that is asked after the first commit, as those are who read, draw or ask a model.
- *read by the classifier*: no pattern fits, so the words are read on another thread after the first commit, with an embedding
  where the model is there (`.models/`).

How long the disk takes for 4 kB stands below: no durable echo can be faster. Slack allows about one message a second and
conversation, and our channel keeps to it; so a crowd writes, a few each.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import Column, Integer, Table, Text, insert

from bot import wiring
from bot.channels.base import Message
from bot.channels.slack import Person, Slack
from memory.database import Database, metadata
from memory.events import Actor, Attachment, Place
from tests.bench import house
from tests.counterparts.ports import free_port
from tests.counterparts.slack import APP_TOKEN, BOT_TOKEN, SECRET, TEAM, LocalSlack, Window, local_slack

CROWD = 100
EACH = 3  # measured messages a person, after one that warms up
BEHIND = 500
PATIENCE_S = 30.0  # for an answer; without one there is nothing to measure
HOUSE, BARE = "the whole house", "bare bolt"
BAR = 2.0  # times the echo of bare Bolt
ACK_BAR_MS = 300.0
WAYS = {"": "echo: ", "two commits": "later: ", "read by the classifier": "repeat after me: "}
"""What is said to the house beside what is measured of all: → how it begins."""

heard_table = Table("bench_heard", metadata, Column("id", Integer, primary_key=True), Column("text", Text))


class DurableEar:
    """Writes, then answers from a task, as the house does; without a database it only remembers."""

    def __init__(self, database: Database | None, group: asyncio.TaskGroup) -> None:
        self.database = database
        self.group = group
        self.channel: Slack | None = None
        self.answers = 0

    async def heard(
        self,
        event_id: str,
        text: str,
        actor: Actor,
        place: Place,
        *,
        files: tuple[Attachment, ...] = (),
        reply_to: str = "",
    ) -> str:
        if self.database is not None:
            await self.database.write(lambda tx: tx.execute(insert(heard_table).values(text=event_id + text)))
        self.group.create_task(self.answer(place, text))
        return "1"

    async def answer(self, place: Place, text: str) -> None:
        assert self.channel is not None
        self.answers += 1
        await self.channel.say(place, Message(f"bench.{self.answers}", text))

    def card_of(self, channel: str, conversation: str, ref: str) -> None:
        return None


async def soloist(slack: LocalSlack, port: int, database: Database | None, group: asyncio.TaskGroup) -> None:
    """Run our channel."""
    ear = DurableEar(database, group)
    people = [Person(TEAM, f"U{1000 + n}") for n in range(CROWD)]
    way: dict[str, Any] = (
        {"signing_secret": SECRET, "listen": f"127.0.0.1:{port}"} if port else {"app_token": APP_TOKEN}
    )
    ear.channel = Slack(BOT_TOKEN, people=people, base_url=f"{slack.base}/api/", **way)
    await ear.channel.run(ear)  # type: ignore[arg-type]


def whole_house(slack: LocalSlack, port: int, folder: Path) -> wiring.Machine:
    """Build all of it: each echo is understood, planned and worked on."""
    people = [f"{TEAM}:U{1000 + n}" for n in range(CROWD)]
    way = (
        {"SLACK_SIGNING_SECRET": SECRET, "SLACK_ADDRESS": f"127.0.0.1:{port}"}
        if port
        else {"SLACK_APP_TOKEN": APP_TOKEN}
    )
    return house.whole_house(
        folder,
        {
            "SLACK_BOT_TOKEN": BOT_TOKEN, "SLACK_API_BASE": f"{slack.base}/api/",
            "SLACK_OPERATOR": people[0], "SLACK_DELEGATES": ",".join(people[1:]), **way,
        },
    )  # fmt: skip


async def bare_bolt(slack: LocalSlack, port: int) -> None:
    """Run what Bolt's own first page shows."""
    app = AsyncApp(client=AsyncWebClient(BOT_TOKEN, f"{slack.base}/api/"), signing_secret=SECRET)

    @app.event("message")
    async def echo(event: dict[str, Any], say: Any) -> None:
        await say(event["text"])

    @app.command("/solo")
    async def command(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        await client.chat_postMessage(channel=body["user_id"], text=body["text"])

    if port:
        runner = web.AppRunner(app.web_app(), access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()
    web_client = AsyncWebClient(APP_TOKEN, f"{slack.base}/api/")
    handler = AsyncSocketModeHandler(app, APP_TOKEN, web_client=web_client)
    await handler.connect_async()
    try:
        await asyncio.Event().wait()
    finally:
        await handler.close_async()


async def busy(database: Database) -> None:
    """One of the tasks behind."""
    chance = random.Random()
    while True:
        await asyncio.sleep(chance.uniform(0.5, 1.5))
        sum(range(5_000))
        # Shielded: a write that is cancelled while it waits must not reach the writer.
        await asyncio.shield(database.write(lambda tx: tx.execute(insert(heard_table).values(text="behind"))))


async def reached(slack: LocalSlack, port: int) -> None:
    """Wait until the workspace has somebody to send to."""
    if port:
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.02)
    while not any("hello" in entry.get("summary", "") for entry in await slack.log()):  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.02)


async def one(slack: LocalSlack, window: Window, user: str, kind: str, begins: str = WAYS[""]) -> tuple[float, float]:
    """Let somebody write; return seconds to the acknowledgement and to the echo."""
    room = await slack.dm(user)
    words = f"{user}-{time.monotonic_ns()}"
    began = time.perf_counter()
    seen = asyncio.ensure_future(standing(window, words))
    if kind == "/solo":
        await slack.control("command", channel=room, user=user, command="/solo", text=begins + words)
    else:
        await slack.control("message", channel=room, user=user, text=begins + words)
    return time.perf_counter() - began, await seen - began


async def standing(window: Window, text: str) -> float:
    """Return when the bot's answer stands in the conversation."""
    async with asyncio.timeout(PATIENCE_S):
        async for raw in window.ws:
            event = json.loads(raw.data)
            message = event.get("message") or {}
            if (
                event["t"] == "message"
                and message.get("bot_id")
                and message.get("subtype") != "ephemeral"
                and text in raw.data
            ):
                return time.perf_counter()
    raise AssertionError(text)


def ms(values: list[float], percent: int) -> float:
    """Return a percentile in milliseconds."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1] * 1000


Spans = list[tuple[float, float]]


async def compare(sides: Mapping[str, LocalSlack], kind: str, begins: str, each: int) -> dict[str, Spans]:
    """Let the crowd write to each workspace in turn, there and back."""
    found: dict[str, Spans] = {side: [] for side in sides}
    async with contextlib.AsyncExitStack() as stack:
        windows = {side: await stack.enter_async_context(slack.window()) for side, slack in sides.items()}
        for turn in range(each + 1):
            for number in range(CROWD):
                for side in [*sides][:: 1 if number % 2 else -1]:
                    way = WAYS[""] if side == BARE else begins
                    spans = await one(sides[side], windows[side], f"U{1000 + number}", kind, way)
                    if turn:
                        found[side].append(spans)
    return found


def told(behind: int, mode: str, kind: str, way: str, found: Mapping[str, Spans]) -> list[str]:
    """Print the rows; return the bars that were missed."""
    missed = []
    bare = ms([echo for _, echo in found[BARE]], 50)
    for side, spans in found.items():
        acks, echoes = [ack for ack, _ in spans], [echo for _, echo in spans]
        times = ms(echoes, 50) / bare
        name = way or side if side != BARE else side
        print(
            f"{mode:7}{behind:6}  {kind:9}{name:24}{len(spans):5}{ms(acks, 50):9.1f}{ms(acks, 99):8.1f}"
            f"{ms(echoes, 50):9.1f}{ms(echoes, 99):8.1f}{times:7.2f}",
            flush=True,
        )
        if not behind and not way and side in {"soloist", HOUSE} and times > BAR:
            missed.append(f"{mode} {kind} {side}: {times:.2f} times {BARE}, the bar is {BAR:.2f}")
        if behind and side != BARE and ms(acks, 99) > ACK_BAR_MS:
            missed.append(f"{mode} {kind} {side}: acknowledged in {ms(acks, 99):.0f} ms, the bar is {ACK_BAR_MS:.0f}")
    return missed


async def run(mode: str, behind: int, names: tuple[str, ...], ways: Iterable[str], each: int) -> list[str]:
    """Start everything, measure, print. The house has a run of its own: what it does afterwards is not the others'."""
    missed: list[str] = []
    with contextlib.ExitStack() as stack:
        ports = {name: free_port() if mode == "events" else 0 for name in names}
        sides = {
            name: stack.enter_context(
                local_slack(mode, f"http://127.0.0.1:{ports[name]}/slack/events" if ports[name] else "", crowd=CROWD)
            )
            for name in names
        }
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        machine = None
        if HOUSE in names:
            machine = whole_house(sides[HOUSE], ports[HOUSE], folder)
            stack.callback(machine.close)
            database = machine.database
        else:
            database = stack.enter_context(Database.open(folder))
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            for slack in sides.values():
                slack.http = session
            starts: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
                BARE: lambda: bare_bolt(sides[BARE], ports[BARE]),
                "soloist, no disk": lambda: soloist(sides["soloist, no disk"], ports["soloist, no disk"], None, group),
                "soloist": lambda: soloist(sides["soloist"], ports["soloist"], database, group),
            }
            if machine is not None:
                starts[HOUSE] = machine.runner.run
            tasks = [group.create_task(starts[name]()) for name in names]
            tasks += [group.create_task(busy(database)) for _ in range(behind)]
            for name, slack in sides.items():
                await reached(slack, ports[name])
            if machine is not None and machine.remembering is not None:
                await (
                    machine.remembering.caught_up()
                )  # its model is loaded: what a house does once is no part of an echo
            for way in ways:
                for kind in ("message", "/solo"):
                    missed += told(behind, mode, kind, way, await compare(sides, kind, WAYS[way], each))
            print(
                f"{'':15} one fsync of this disk, p50 ms: {statistics.median(one_fsync(folder) for _ in range(50)):.2f}"
            )
            for task in tasks:
                task.cancel()
    return missed


def one_fsync(folder: Path) -> float:
    """Return how many milliseconds this disk takes now to make 4 kB durable."""
    with (folder / "fsync.probe").open("ab") as file:
        file.write(bytes(4096))
        file.flush()
        began = time.perf_counter()
        os.fsync(file.fileno())
        return (time.perf_counter() - began) * 1000


async def main(*, quick: bool) -> int:
    """Measure with nothing behind, and with the tasks."""
    print(f"{'':7}{'behind':>6}  {'':33}{'n':>5}{'ack p50':>9}{'p99':>8}{'echo p50':>9}{'p99':>8}{'x':>7}   ms")
    alone, whole, each = (BARE, "soloist, no disk", "soloist"), (BARE, HOUSE), 1 if quick else EACH
    missed = await run("socket", 0, alone, [""], each)
    missed += await run("socket", 0, whole, WAYS, each)
    missed += await run("events", 0, whole, [""], each)
    for names in (alone, whole):
        missed += await run("socket", BEHIND, names, [""], each)
    for miss in missed:
        print(f"MISSED  {miss}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(quick="--quick" in sys.argv[1:])))
