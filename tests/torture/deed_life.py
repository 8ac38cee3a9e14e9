"""One life of a Soloist that does one deed with a real connector and dies of it: ``python -m tests.torture.deed_life``.

The mother imports everything once and forks a child for each plan on her input. A child is the real machine with its real
connectors; it takes up what the life before left behind, answers what asks, does one new thing, and is killed at the
point that the plan names (``deeds.py``). What it saw is a line of JSON in the plan's report.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import traceback
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, cast

import msgspec

from agents.base import Agent, Intent, Proposal, Task
from bot import settings, wiring
from bot.channels.base import Card
from bot.chronicle import replayed
from bot.policy import Policy, Rule
from bot.state import TaskState
from bot.testing import OPERATOR, PLACE, PaperChannel
from connectors.base import Action, EffectClass, Risk
from memory.context import Context
from memory.events import ActionCall, Posted, Sending, Understood
from memory.projections import Books
from memory.replay import compare

BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
EVERYTHING_ASKS = Policy(rules=(Rule("*", "ask"),), delay=timedelta(0))


class Do(Intent):
    """Do what the plan says, in exact words."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    number: str = ""


class Doer(Agent):
    """Proposes what the plan of this life says."""

    name = "doer"
    intents = (Do,)

    def __init__(self, wish: dict[str, Any]) -> None:
        self.calls = tuple(msgspec.convert(each, ActionCall) for each in wish.get("calls", ()))
        type(self).proposes = tuple(call.name for call in self.calls)

    async def work(self, task: Task, desk: Any) -> Proposal:
        del task, desk
        return Proposal(calls=self.calls)


class Words:
    """Reads ``do 7``; everything else is noted and means nothing."""

    async def read(self, text: str, state: TaskState, now: datetime) -> Understood:
        del state, now
        if text.startswith("do "):
            return Understood(order="", intent="do", slots={"number": text[3:]}, confidence_pct=100)
        return Understood(order="", ask="Noted.")

    def edits_in(self, words: str, intent: type[Intent], now: datetime) -> dict[str, Any]:
        del words, intent, now
        return {}


class Life:
    """What one child does, in the order it does it."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.wish: dict[str, Any] = plan.get("wish") or {}
        self.channel = PaperChannel()
        self.now = BEGIN + timedelta(seconds=plan["offset_s"])
        home = Path(plan["home"])
        given = settings.read(
            wiring.declared_settings(), environment={"SOLOIST_HOME": str(home), **plan["environment"]}, folder=home
        )
        self.machine = wiring.build(
            replace(given, policy=EVERYTHING_ASKS),
            embedder=lambda: None,
            now=lambda: self.now,
            live=[self.channel],
            channels={},
            reader=Words(),
            only={"doer": Doer(self.wish)},
            chance=random.Random(plan["seed"]),
            context=Context("none", home / "valkey"),
        )
        self.runner = self.machine.runner
        self.presses = 0

    def without(self, twin: str) -> None:
        """Take a guard out: the negative twins of this row."""
        name = self.plan["action"]
        if twin == "class":  # everything is sent again, as if the service deduplicated it
            actions = cast("dict[str, Action]", self.runner.actions)
            actions[name] = replace(actions[name], effect=EffectClass.KEYED)
        elif twin == "key":  # a fresh key for every attempt
            connector = self.runner._staff.connectors[name.partition(".")[0]]
            method = self.runner.actions[name].method
            real = getattr(connector, method)

            async def fresh(*, key: str, **arguments: Any) -> Any:
                return await real(key=f"{key}{uuid.uuid4()}", **arguments)

            setattr(connector, method, fresh)

    async def run(self) -> None:
        ready = asyncio.Event()
        running = asyncio.ensure_future(self.runner.run(ready.set))
        waiting = asyncio.ensure_future(ready.wait())
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        await self.runner.settled()
        self.report("found")
        await self._answer()
        self.report("answered")
        if self.wish:
            await self._do()
        if self.plan.get("last"):
            self.report("end", wrong=self._wrong())
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        self.machine.close()

    async def _answer(self) -> None:
        """The operator comes back: approves what still waits, says what became of what nobody knows."""
        for card in self.machine.history.waiting():
            if card.kind == "approval":
                await self._press(card.id, "Approve")
            elif card.kind == "unknown":
                await self._press(card.id, self._answer_to(card))
        await self.runner.settled()

    def _answer_to(self, card: Card) -> str:
        whole = json.dumps([list(map(str, card.rows)), card.body, card.title])
        return next((answer for words, answer in self.plan["answers"].items() if words in whole), "It arrived")

    async def _press(self, card_id: str, label: str) -> None:
        card = self.runner.card(card_id)
        assert card is not None
        button = next(each for each in card.buttons if each.label == label)
        self.presses += 1
        event = f"{self.plan['offset_s']}-{self.presses}"
        await self.runner.pressed(event, button.handle, button.verb, OPERATOR, PLACE)

    async def _do(self) -> None:
        number = self.wish["number"]
        for text in self.wish.get("said", ()):
            await self.runner.heard(f"said-{number}", text, OPERATOR, PLACE)
        task = await self.runner.heard(f"do-{number}", f"do {number}", OPERATOR, PLACE)
        await self.runner.settled()
        self._arm(self.plan["die"])
        await self._press(f"{task}.1", "Approve")
        await self.runner.settled()
        self.report("survived")

    def _arm(self, point: str) -> None:
        if point in {"during", "taken"}:
            strike = Path(self.plan["strike"])
            strike.write_text(point)
            return
        call = self.wish["calls"][-1]
        if call["name"].startswith("books."):
            hooks = self.machine.database.before_commit if point == "answered" else self.machine.database.after_commit
            hooks.append(_die)
            return
        service = call["name"].partition(".")[0]
        connector = self.runner._staff.connectors[service]
        method = self.runner.actions[call["name"]].method
        real = getattr(connector, method)

        async def dying(**arguments: Any) -> Any:
            if point == "sending":
                _die()
            receipt = await real(**arguments)
            hooks = self.machine.database.before_commit if point == "answered" else self.machine.database.after_commit
            hooks.append(_die)
            return receipt

        setattr(connector, method, dying)

    def report(self, when: str, **more: Any) -> None:
        cards = [self.runner.card(card.id) for card in self.machine.history.waiting()]
        line = {
            "when": when,
            "cards": [
                {
                    "id": card.id, "kind": card.kind, "state": card.state, "title": card.title,
                    "rows": [[row.label, row.value] for row in card.rows], "body": card.body,
                    "warnings": list(card.warnings), "footer": list(card.footer),
                    "buttons": [button.label for button in card.buttons],
                }
                for card in cards if card is not None
            ],
            "effects": self._effects(),
            "books": self._books(),
            "said": self.channel.words,
            **more,
        }  # fmt: skip
        with Path(self.plan["report"]).open("a") as out:
            out.write(json.dumps(line, default=str) + "\n")

    def _effects(self) -> dict[str, dict[str, Any]]:
        found = {}
        with self.machine.database.read() as connection:
            rows = connection.exec_driver_sql("SELECT id, task, status FROM effects ORDER BY id").all()
        for effect, task, status in rows:
            state = self.runner.state_now(task).effects[effect]
            attempts = sum(
                isinstance(line.event, Sending) and line.event.effect == effect for line in self.machine.log.lines(task)
            )
            title = self.machine.runner.state_now(task).title
            found[effect] = {"status": status, "text": state.text, "title": title, "attempts": attempts}
        return found

    def _books(self) -> dict[str, Any]:
        with self.machine.database.read() as connection:
            books = Books(connection)
            things = {record.key: record.version for record in books.all("thing")}
        posted = [
            entry.note
            for line in self.machine.log.lines()
            if isinstance(line.event, Posted)
            for entry in line.event.entries
        ]
        return {"things": things, "posted": posted}

    def _wrong(self) -> list[str]:
        database, log = self.machine.database, self.machine.log
        return [*map(str, log.verify()), *map(str, compare(database, log, replayed))]


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def preload() -> None:
    """Import, once for all lives, what a connector would otherwise import when it is used."""
    wiring.declared_settings()
    import httpx2  # noqa: F401
    import mcp.client.streamable_http  # noqa: F401
    from mcp.client import Client  # noqa: F401


def main(live: Callable[[dict[str, Any]], Any]) -> None:
    """Fork a life for each plan on standard input; say how it ended on standard output."""
    preload()
    for line in sys.stdin:
        plan = json.loads(line)
        child = os.fork()
        if not child:
            Path(plan["pid"]).write_text(str(os.getpid()))
            log = os.open(plan["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 2)
            try:
                asyncio.run(live(plan))
            except BaseException as error:  # the harness reads it
                traceback.print_exc()
                os.write(2, f"life ended: {error!r}\n".encode())
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"ended": os.waitstatus_to_exitcode(status)}), flush=True)


async def live(plan: dict[str, Any]) -> None:
    """Be born on a plan, and live it."""
    life = Life(plan)
    life.without(plan.get("twin", ""))
    await life.run()


if __name__ == "__main__":
    main(live)
