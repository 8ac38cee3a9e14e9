"""An echo through Soloist's Slack channel with durability on, beside a bare Bolt echo, on the same workspace.

``python -m tests.bench.slack_echo``: workspaces side by side over Socket Mode, one message to each in turn, so
that a busy second of the machine hits all alike. *ack* is from a person's Enter to the acknowledgement, *echo* to the
answer standing in the conversation. Soloist writes each message to SQLite (``synchronous=FULL``) before it
acknowledges; "no disk" is the same channel with an ear that only remembers, so the difference is the disk's. "The whole
house" is all of it: understood, planned, done by an agent, told from the outbox, two commits until it leaves. Then all of it
again with 500 tasks running behind, each of which writes to the database and computes about once a second.

Slack allows about one message a second and conversation, and our channel keeps to it; so a crowd writes, a few each.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
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
from tests.counterparts.slack import APP_TOKEN, BOT_TOKEN, TEAM, LocalSlack, Window, local_slack

CROWD = 100
EACH = 3  # measured messages a person, after one that warms up
BEHIND = 500
HOUSE = "the whole house"

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


async def soloist(slack: LocalSlack, database: Database | None, group: asyncio.TaskGroup) -> None:
    """Run our channel."""
    ear = DurableEar(database, group)
    people = [Person(TEAM, f"U{1000 + n}") for n in range(CROWD)]
    ear.channel = Slack(BOT_TOKEN, app_token=APP_TOKEN, people=people, base_url=f"{slack.base}/api/")
    await ear.channel.run(ear)  # type: ignore[arg-type]


def whole_house(slack: LocalSlack, folder: Path) -> wiring.Machine:
    """Build all of it: each echo is understood, planned and worked on; two commits until the answer leaves."""
    people = [f"{TEAM}:U{1000 + n}" for n in range(CROWD)]
    return house.whole_house(
        folder,
        {
            "SLACK_BOT_TOKEN": BOT_TOKEN, "SLACK_APP_TOKEN": APP_TOKEN, "SLACK_API_BASE": f"{slack.base}/api/",
            "SLACK_OPERATOR": people[0], "SLACK_DELEGATES": ",".join(people[1:]),
        },
    )  # fmt: skip


async def bare_bolt(slack: LocalSlack) -> None:
    """Run what Bolt's own first page shows."""
    app = AsyncApp(client=AsyncWebClient(BOT_TOKEN, f"{slack.base}/api/"))

    @app.event("message")
    async def echo(event: dict[str, Any], say: Any) -> None:
        await say(event["text"])

    @app.command("/solo")
    async def command(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        await client.chat_postMessage(channel=body["user_id"], text=body["text"])

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


async def connected(slack: LocalSlack) -> None:
    """Wait until the workspace has somebody to send to."""
    while not any("hello" in entry.get("summary", "") for entry in await slack.log()):  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.02)


async def one(slack: LocalSlack, window: Window, room: str, user: str, kind: str) -> tuple[float, float]:
    """Let somebody write; return seconds to the acknowledgement and to the echo."""
    text = f"echo: {user}-{time.monotonic_ns()}"
    began = time.perf_counter()
    seen = asyncio.ensure_future(standing(window, text))
    if kind == "/solo":
        await slack.control("command", channel=room, user=user, command="/solo", text=text)
    else:
        await slack.control("message", channel=room, user=user, text=text)
    return time.perf_counter() - began, await seen - began


async def standing(window: Window, text: str) -> float:
    """Return when the bot's answer stands in the conversation."""
    async for raw in window.ws:
        event = json.loads(raw.data)
        message = event.get("message") or {}
        if (
            event["t"] == "message"
            and message.get("bot_id")
            and message.get("subtype") != "ephemeral"
            and text.removeprefix("echo: ") in raw.data
        ):
            return time.perf_counter()
    raise AssertionError(text)


def ms(values: list[float], percent: int) -> str:
    """Return a percentile in milliseconds."""
    return f"{statistics.quantiles(values, n=100, method='inclusive')[percent - 1] * 1000:.1f}"


async def compare(sides: dict[str, LocalSlack], kind: str) -> dict[str, list[tuple[float, float]]]:
    """Let the crowd write to each workspace in turn."""
    found: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
    async with contextlib.AsyncExitStack() as stack:
        windows = {side: await stack.enter_async_context(slack.window()) for side, slack in sides.items()}
        for turn in range(EACH + 1):
            for user in (f"U{1000 + n}" for n in range(CROWD)):
                for side, slack in sides.items():
                    spans = await one(slack, windows[side], await slack.dm(user), user, kind)
                    if turn:
                        found[side].append(spans)
    return found


async def run(behind: int, names: tuple[str, ...]) -> None:
    """Start everything, measure, print. The house has a run of its own: what it does afterwards is not the others'."""
    with contextlib.ExitStack() as stack:
        sides = {name: stack.enter_context(local_slack("socket", crowd=CROWD)) for name in names}
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        machine = None
        if HOUSE in names:
            machine = whole_house(sides[HOUSE], Path(folder))
            stack.callback(machine.close)
            database = machine.database
        else:
            database = stack.enter_context(Database.open(Path(folder)))
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            for slack in sides.values():
                slack.http = session
            starts: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
                "bare bolt": lambda: bare_bolt(sides["bare bolt"]),
                "soloist, no disk": lambda: soloist(sides["soloist, no disk"], None, group),
                "soloist": lambda: soloist(sides["soloist"], database, group),
            }
            if machine is not None:
                starts[HOUSE] = machine.runner.run
            tasks = [group.create_task(starts[name]()) for name in names]
            tasks += [group.create_task(busy(database)) for _ in range(behind)]
            for slack in sides.values():
                await connected(slack)
            for kind in ("message", "/solo"):
                for side, spans in (await compare(sides, kind)).items():
                    acks, echoes = [ack for ack, _ in spans], [echo for _, echo in spans]
                    line = (ms(acks, 50), ms(acks, 99), ms(echoes, 50), ms(echoes, 99))
                    print(
                        f"{behind:6} {kind:9}{side:20}{len(spans):5}{line[0]:>10}{line[1]:>8}{line[2]:>10}{line[3]:>8}"
                    )
            for task in tasks:
                task.cancel()


async def main() -> None:
    """Measure with nothing behind, and with the tasks."""
    print(f"{'behind':7}{'kind':9}{'':20}{'n':>5}{'ack p50':>10}{'p99':>8}{'echo p50':>10}{'p99':>8}  ms")
    for names in (("bare bolt", "soloist, no disk", "soloist"), ("bare bolt", HOUSE)):
        await run(0, names)
        await run(BEHIND, names)


if __name__ == "__main__":
    asyncio.run(main())
