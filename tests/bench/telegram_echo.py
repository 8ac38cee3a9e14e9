"""A DM echoed through our channel with a durable write, beside the library's own echo, on the same double.

``python -m tests.bench.telegram_echo [messages]``

Time is from the moment the platform has the message to the moment it has the answer. Ours writes every message to a
real SQLite file (`synchronous=FULL`) before it is confirmed and answers after; the bare library confirms from memory.
Messages come 40 ms apart and from 100 people, in turns to the one and to the other, so that neither the flood limits
nor a busy second of the machine is measured on one side alone.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Column, Integer, String, Table, insert
from telegram import Update
from telegram.ext import Application, ContextTypes, MessageHandler, filters

from bot import wiring
from bot.channels.base import Message
from bot.channels.telegram import Telegram
from memory.database import Database, metadata
from memory.events import Actor, Attachment, Place
from tests.bench import house
from tests.counterparts.telegram import OPERATOR, TelegramDouble
from tests.counterparts.telegram_ear import PaperEar, PaperPairing

PEOPLE = range(9000, 9100)
APART_S = 0.04
BAR = 2.0  # times the echo of the bare library
WARM_UP = 20
NUMBERS = itertools.count(100_000)

inbox = Table(
    "bench_telegram_inbox",
    metadata,
    Column("event_id", String, primary_key=True),
    Column("text", String),
    Column("task", Integer),
)


@dataclass
class DurableEar(PaperEar):
    """Writes each message to disk before it returns, and answers it afterwards."""

    database: Database | None = None
    answer_it: Callable[[str, Place], None] = lambda text, place: None
    rows: int = field(default=0)

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
        assert self.database is not None
        self.rows += 1
        row = {"event_id": event_id, "text": text, "task": self.rows}
        await self.database.write(lambda tx: tx.execute(insert(inbox), row))
        self.answer_it(text, place)
        return str(self.rows)


async def round_trip(double: TelegramDouble, number: int) -> float:
    """Send one message and return the seconds until its echo arrived."""
    person = PEOPLE[number % len(PEOPLE)]
    text = f"echo: {next(NUMBERS)}"
    began = time.perf_counter()
    double.user_says(text, user=person)
    while text.removeprefix("echo: ") not in (double.texts(person) or [""])[-1]:
        double._changed.clear()
        await asyncio.wait_for(double._changed.wait(), 5)
    return time.perf_counter() - began


async def ours(double: TelegramDouble, home: Path) -> tuple[asyncio.Task[None], Database]:
    """Start our channel."""
    database = Database.open(home)
    channel = Telegram(
        double.token,
        PaperPairing((OPERATOR, OPERATOR)),
        announce=print,
        base_url=double.url,
        delegates=set(PEOPLE),
    )
    ear = DurableEar(database=database)
    answers: set[asyncio.Task[str]] = set()

    def answer(text: str, place: Place) -> None:
        task = asyncio.ensure_future(channel.say(place, Message(f"m{len(double.calls)}", text)))
        answers.add(task)
        task.add_done_callback(answers.discard)

    ear.answer_it = answer
    return asyncio.ensure_future(channel.run(ear)), database


def whole_house(double: TelegramDouble, home: Path) -> tuple[asyncio.Task[None], wiring.Machine]:
    """Start all of it: each echo is understood, planned and worked on."""
    people = ",".join(map(str, PEOPLE))
    machine = house.whole_house(
        home,
        {
            "TELEGRAM_TOKEN": double.token, "TELEGRAM_API_BASE": double.url, "TELEGRAM_OPERATOR": str(OPERATOR),
            "TELEGRAM_DELEGATES": people,
        },
    )  # fmt: skip
    return asyncio.ensure_future(machine.runner.run()), machine


async def bare(double: TelegramDouble) -> Application:  # type: ignore[type-arg]
    """Start the library's own echo."""

    async def echo(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
        assert update.message is not None
        await update.message.reply_text(update.message.text or "")

    app = (
        Application.builder().token(double.token).base_url(f"{double.url}/bot").base_file_url(f"{double.url}/file/bot")
    ).build()
    app.add_handler(MessageHandler(filters.TEXT, echo))
    await app.initialize()
    await app.start()
    assert app.updater is not None
    await app.updater.start_polling()
    return app


def row(name: str, times: list[float]) -> str:
    """Return one line of the table, in milliseconds."""
    ordered = sorted(times)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"{name:34} {statistics.median(times) * 1000:8.1f} {p99 * 1000:8.1f} {len(times):6d}"


def one_fsync(folder: Path) -> float:
    """Return how long this disk takes now to make 4 kB durable: what no durable echo can go below."""
    with (folder / "fsync.probe").open("ab") as file:
        file.write(bytes(4096))
        file.flush()
        began = time.perf_counter()
        os.fsync(file.fileno())
        return time.perf_counter() - began


async def main(messages: int) -> int:
    """Run both and print the table; return 1 when a bar is missed."""
    logging.disable(logging.CRITICAL)
    disk: list[float] = []
    times: dict[str, list[float]] = {name: [] for name in ("ours", "bare", "house", "bare beside it")}
    with tempfile.TemporaryDirectory() as home:
        async with (
            TelegramDouble(judging=False) as one,
            TelegramDouble(judging=False) as whole,
            TelegramDouble(judging=False) as other,
        ):
            for double in (one, whole, other):
                for person in PEOPLE:
                    double.person(person, f"Person {person}")
            app = await bare(other)
            running, database = await ours(one, Path(home))
            await turns({"ours": one, "bare": other}, times, messages, lambda: disk.append(one_fsync(Path(home))))
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            database.close()
            living, machine = whole_house(whole, Path(home) / "house")
            await turns({"house": whole, "bare beside it": other}, times, messages, lambda: None)
            living.cancel()
            await asyncio.gather(living, return_exceptions=True)
            machine.close()
            assert app.updater is not None
            await app.updater.stop()
            await app.stop()
            await app.shutdown()
    print(f"{'echo of a DM':34} {'p50 ms':>8} {'p99 ms':>8} {'n':>6}")
    print(row("Soloist, written to disk first", times["ours"]))
    print(row("python-telegram-bot, bare", times["bare"]))
    print(row("one fsync of this disk, alone", disk))
    print(row("the whole house", times["house"]))
    print(row("python-telegram-bot beside it", times["bare beside it"]))
    ours_s, bare_s, disk_s = (statistics.median(each) for each in (times["ours"], times["bare"], disk))
    house_s, beside_s = statistics.median(times["house"]), statistics.median(times["bare beside it"])
    missed = 0
    for name, took_s, base_s in (("channel alone", ours_s, bare_s), ("whole house", house_s, beside_s)):
        times_bare = took_s / base_s
        missed |= times_bare > BAR
        without = (took_s - disk_s) / base_s
        print(
            f"p50 of the {name}: {times_bare:.2f} times the bare library (bar: {BAR:.2f}); without one fsync {without:.2f}"
        )
    return int(missed)


async def turns(
    sides: dict[str, TelegramDouble], times: dict[str, list[float]], messages: int, after: Callable[[], None]
) -> None:
    """Write to each in turn, there and back."""
    for number in range(messages + WARM_UP):
        for name in [*sides][:: 1 if number % 2 else -1]:
            double = sides[name]
            took = await round_trip(double, number)
            if number >= WARM_UP:
                times[name].append(took)
            await asyncio.sleep(APART_S)
        after()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)))
