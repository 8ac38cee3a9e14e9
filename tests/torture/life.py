"""One life of a Soloist that is going to be killed: ``python -m tests.torture.life`` is the mother of many.

The mother imports everything once and forks a child for each line on its input, so that a life costs milliseconds. A
child is the real machine: SQLite, log, conductor, runner, mail connector over real SMTP, and a platform that delivers
again until it is acknowledged, over a socket to the harness (``kill.py``).
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import os
import random
import signal
import socket
import sys
import traceback
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from bot import settings, wiring
from bot.approvals import Person
from bot.channels.base import Card, Ear, Message, NotWrittenError, RefusedPressError
from bot.deciding import fortunes
from bot.effects import Perform
from bot.executor import Executor
from bot.testing import PaperAgent, PaperProvider, PaperReader, PaperService
from connectors.base import AT_ONCE, Json, OutcomeUnknownError, Receipt
from memory.events import Actor, Place
from memory.line import stamp
from memory.log import Tx
from memory.projections import Books

PLACE = Place(channel="wire", conversation="main")
OPERATOR = Actor(platform="wire", user="operator", account="bot")


class Wire:
    """A platform on a socket: JSON lines. It delivers an event again until it hears the acknowledgement."""

    name = "wire"

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def tell(self, **line: Any) -> None:
        self._writer.write(json.dumps(line).encode() + b"\n")

    async def say(self, place: Place, message: Message) -> str:
        del place
        self.tell(said=message.id, text=message.text, kind=message.kind)
        return message.id

    async def ask(self, place: Place, card: Card) -> str:
        del place
        buttons = {button.verb: button.handle for button in card.buttons}
        self.tell(card=card.id, kind=card.kind, body=card.body, buttons=buttons)
        return card.id

    async def settle(self, place: Place, ref: str, card: Card) -> None:
        del place, ref
        self.tell(settled=card.id, state=card.state)

    def home(self) -> Place | None:
        return PLACE

    async def run(self, ear: Ear) -> None:
        self.tell(ready=os.getpid())
        async with asyncio.TaskGroup() as group:
            while line := await self._reader.readline():
                group.create_task(self._take(ear, json.loads(line)))

    async def _take(self, ear: Ear, line: dict[str, Any]) -> None:
        try:
            if "hear" in line:
                await ear.heard(line["hear"], line["text"], OPERATOR, PLACE)
                self.tell(ack=line["hear"])
            else:
                reply = await ear.pressed(line["press"], line["handle"], line["verb"], OPERATOR, PLACE)
                self.tell(ack=line["press"], reply=reply)
        except (NotWrittenError, RefusedPressError) as error:
            self.tell(refused=line.get("hear") or line.get("press"), why=str(error))


class RemoteProvider(PaperProvider):
    """The provider lives in the harness, where its ledger outlives every life."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self._socket: socket.socket | None = None

    def _call(self, line: dict[str, Json]) -> Any:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=20)
            self._stream = self._socket.makefile("rwb")
        self._stream.write(json.dumps(line).encode() + b"\n")
        self._stream.flush()
        answer = self._stream.readline()
        if not answer:
            self._socket = None
            raise OutcomeUnknownError("The provider's line dropped.")
        return json.loads(answer)

    def count(self, key: str) -> int:
        return int(self._call({"count": key}))

    def accept(self, key: str, args: dict[str, Json], *, once: bool) -> Receipt:
        number = self._call({"accept": key, "once": once, "body": args.get("body", "")})
        return Receipt(ref=f"p{number}", text=f"Done, says the provider, as {number}.")


async def live(plan: dict[str, Any]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", plan["wire"])
    wire = Wire(reader, writer)
    offset = timedelta(seconds=plan["offset_s"])
    home = Path(plan["home"])
    environment = {
        "SOLOIST_HOME": str(home), "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(plan["smtp"]), "SMTP_SECURITY": "none",
        "MAIL_FROM": "me@soloist.example",
    }  # fmt: skip
    now = lambda: datetime.now(UTC) + offset  # noqa: E731
    given = settings.read(wiring.declared_settings(), environment=environment, folder=home)
    given = replace(given, policy=replace(given.policy, delay=timedelta(0)))
    machine = wiring.build(
        given,
        embedder=lambda: None,
        now=now,
        live=[],
        channels={"wire": wire},
        reader=PaperReader(),
        extra={"paper": PaperService(RemoteProvider(plan["provider"]))},
        only={"paper": PaperAgent()},
        chance=random.Random(plan["seed"]),
        people=(Person("wire", "operator", "bot"),),
    )
    _without(plan.get("twin", ""))
    _die_at(machine, plan.get("die"), plan.get("nth", 0))
    if plan.get("pace"):
        actions = machine.runner.catalogue.actions
        actions["mail.send"] = replace(actions["mail.send"], rate_per_minute=plan["pace"])
    async with asyncio.TaskGroup() as group:
        if plan.get("die") in {"queue", "peace"}:
            group.create_task(_die_in_the_queue(machine, plan["wishes"], now))
        elif plan.get("die") in {"places", "over"}:
            taken = AT_ONCE if plan["die"] == "places" else 0
            group.create_task(_die_with_places_taken(machine, plan["wishes"], taken))
        await machine.runner.run()


async def _die_in_the_queue(machine: wiring.Machine, wishes: int, now: Callable[[], datetime]) -> None:
    """Die once everything was let through and nothing is on its way or about to be: all that is left waits for its turn."""
    busy = (
        "SELECT 1 FROM effects WHERE status = 'sending' UNION ALL "
        "SELECT 1 FROM orders WHERE kind IN ('Perform', 'Wake') AND due <= ?"
    )

    def idle(connection: Connection) -> bool:
        (found,) = connection.exec_driver_sql("SELECT count(*) FROM effects").one()
        return found >= wishes and connection.exec_driver_sql(busy, (stamp(now()),)).first() is None

    def die(connection: Connection) -> None:
        if idle(connection):
            os.kill(os.getpid(), signal.SIGKILL)

    while True:
        await asyncio.sleep(0.05)
        with machine.database.read() as connection:
            quiet = idle(connection)
        if quiet:  # looked at once more as the only writer: nothing can begin between the look and the end
            await asyncio.to_thread(machine.database.write_now, die)


async def _die_with_places_taken(machine: wiring.Machine, wishes: int, taken: int) -> None:
    """Die once everything was let through and so many are on their way; with none taken, once all have come to an end."""
    while True:
        await asyncio.sleep(0.05)
        with machine.database.read() as connection:
            found = [status for (status,) in connection.exec_driver_sql("SELECT status FROM effects")]
        under_way = found.count("sending") + (0 if taken else found.count("prepared"))
        if len(found) == wishes and (under_way >= taken if taken else not under_way):
            os.kill(os.getpid(), signal.SIGKILL)


def _without(twin: str) -> None:
    """Take a guard out: the negative twins of T1."""
    if twin == "unknown":  # send again blindly what was on its way
        fortunes.interrupted = lambda effect, _: [Perform(effect=effect.prepared.effect, attempt=effect.attempt)]
    elif twin == "queue":  # say that it is on its way, and only then wait for its turn
        perform, gone = Executor.perform, [0]

        async def late(self: Executor, task: int, key: str, order: Perform) -> None:
            gone[0] += 1
            if gone[0] > 5:
                await asyncio.sleep(3600)
            await perform(self, task, key, order)

        Executor.perform = late  # type: ignore[method-assign]
        Books.turn = lambda self, *_, **__: None  # type: ignore[method-assign]
    elif twin == "places":  # begin everything, however many are under way
        Books.under_way = lambda self, *_: 0  # type: ignore[method-assign]
    elif twin == "inbox":  # take every delivery for a new one
        admit = Tx.admit
        Tx.admit = lambda self, platform, account, event_id, at, task: (  # type: ignore[method-assign]
            admit(self, platform, account, f"{event_id}:{uuid.uuid4()}", at, task)
        )


def _die_at(machine: wiring.Machine, point: str | None, nth: int) -> None:
    """Arrange for this process to kill itself around its nth commit: as good as any kill -9 from outside."""
    left = [nth]

    def count(*_: object) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    if point == "before_commit":
        machine.database.before_commit.append(count)
    elif point == "after_commit":
        machine.database.after_commit.append(count)


def main() -> None:
    """Fork a life for each plan on standard input; say how it ended on standard output."""
    wiring.declared_settings()  # imports every connector, once for all lives
    for line in sys.stdin:
        plan = json.loads(line)
        child = os.fork()
        if not child:
            log = os.open(plan["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 2)
            faulthandler.enable()  # to the log: a crash of the interpreter says where
            try:
                asyncio.run(live(plan))
            except BaseException as error:  # the harness reads it
                traceback.print_exc()
                os.write(2, f"life ended: {error!r}\n".encode())
            os._exit(1)
        print(json.dumps({"born": child}), flush=True)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"ended": os.waitstatus_to_exitcode(status)}), flush=True)


if __name__ == "__main__":
    main()
