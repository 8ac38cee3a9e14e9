"""The durable core beside DBOS and LangGraph: the same three-step flow, every commit durable, in one run.

    python -m tests.bench.core            the table, and whether the bars hold
    python -m tests.bench.core --quick    a tenth of the work, to see that it runs
    python -m tests.bench.core --fsync-ms 4    the same on a disk whose fsync takes 4 ms (cc is needed)

Ours is the whole house with policy, fingerprint, limits, hash chain and long-term memory on, and once more without the
memory, which no peer has. What was said is remembered during the run; vectors are made in lulls, and how long that takes
after the last of the waiting cards has a row of its own. The peers run in an environment of their own (``make bench``
sets it up), each in its fair best: SQLite with WAL and synchronous=FULL,
DBOS once as one workflow that waits in ``recv`` with 50 ms polling and once in its best form, where the click starts a
new workflow; LangGraph with the asynchronous saver. Each phase of each contestant runs alone, one after the other.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot import settings, wiring
from bot.approvals import Person
from bot.channels.base import Card, Ear, Message
from bot.remembering import Remembering
from bot.testing import PaperAgent, PaperProvider, PaperReader, PaperService
from connectors.base import Json, Receipt
from memory.events import Actor, Place
from tests.bench.measure import database_bytes, idle_cpu_pct, measure, report

ROOT = Path(__file__).resolve().parent.parent.parent
PEERS = ROOT / ".venv" / "peers" / "bin" / "python"
CONTESTANTS = ("ours", "ours, without memory", "dbos, click starts a workflow", "dbos, one workflow waits", "langgraph")
PLACE = Place(channel="wire", conversation="main")
OPERATOR = Actor(platform="wire", user="operator", account="bot")


class Wire:
    """A platform without a network: what is measured is the house."""

    name = "wire"

    def __init__(self) -> None:
        self.shown: dict[str, asyncio.Future[Card]] = {}
        self.over: dict[str, asyncio.Event] = {}

    async def say(self, place: Place, message: Message) -> str:
        del place
        if message.kind == "receipt":  # written in the transaction that ended the task
            self.over.setdefault(message.id.partition(".")[0], asyncio.Event()).set()
        return message.id

    async def ask(self, place: Place, card: Card) -> str:
        del place
        future = self.shown.get(card.body)
        if future is not None and not future.done():
            future.set_result(card)
        return card.id

    async def settle(self, place: Place, ref: str, card: Card) -> None:
        del place, ref, card

    def home(self) -> Place | None:
        return PLACE

    async def run(self, ear: Ear) -> None:
        await asyncio.Event().wait()


class Provider(PaperProvider):
    """Tells when it is called; keeps no ledger, for a bench needs none."""

    def __init__(self) -> None:
        super().__init__()
        self.acted: dict[str, asyncio.Event] = {}

    def accept(self, key: str, args: dict[str, Json], *, once: bool) -> Receipt:
        self.acted[args["body"]].set()
        return Receipt(ref=key, text=f"Done {args['body']}.")


class Ours:
    """The real house."""

    def __init__(self, machine: wiring.Machine, wire: Wire, provider: Provider) -> None:
        self.machine, self.wire, self.provider = machine, wire, provider
        self.tasks: dict[int, int] = {}
        self.cards: dict[int, Card] = {}

    async def message(self, number: int) -> None:
        body = f"hello-{number}"
        self.wire.shown[body] = asyncio.get_running_loop().create_future()
        self.provider.acted[body] = asyncio.Event()
        text = f"ask post to=anna@acme.example body={body}"
        self.tasks[number] = int(await self.machine.runner.heard(f"e{number}", text, OPERATOR, PLACE))
        self.cards[number] = await self.wire.shown[body]
        del self.wire.shown[body]

    async def click(self, number: int) -> None:
        handle = self.cards.pop(number).buttons[0].handle
        pressing = asyncio.ensure_future(self.machine.runner.pressed(f"p{number}", handle, "approve", OPERATOR, PLACE))
        await self.provider.acted[f"hello-{number}"].wait()
        await pressing

    async def done(self, number: int) -> None:
        task = str(self.tasks.pop(number))
        await self.wire.over.setdefault(task, asyncio.Event()).wait()
        del self.wire.over[task]
        del self.provider.acted[f"hello-{number}"]

    def commits(self) -> int:
        return self.machine.database.commits

    def bytes_on_disk(self) -> int:
        return database_bytes(self.machine.settings.home / "soloist.db")


def _build(home: Path, *, remembers: bool) -> Ours:
    given = settings.read(wiring.declared_settings(), environment={"SOLOIST_HOME": str(home)}, folder=home)
    wire, provider = Wire(), Provider()
    machine = wiring.build(
        given,
        live=[],
        channels={"wire": wire},
        reader=PaperReader(),
        extra={"paper": PaperService(provider)},
        only={"paper": PaperAgent()},
        people=(Person("wire", "operator", "bot"),),
        now=lambda: datetime.now(UTC),
        chance=random.Random(1),
    )
    if not remembers:
        staff = machine.runner._staff
        staff.seen, staff.beside = None, {}
    return Ours(machine, wire, provider)


async def _loaded(memory: Remembering) -> None:
    while memory.loading:  # noqa: ASYNC110 - a thread loads the model, and tells nobody
        await asyncio.sleep(0.05)


async def ours(plan: dict[str, Any]) -> dict[str, Any]:
    """Our side of the run; called in a process of its own, like the peers'."""
    home = Path(plan["folder"]) / ("ours" if plan.get("remembers") else "without-memory")
    home.mkdir(exist_ok=True)
    began = time.perf_counter()
    remembers = bool(plan.get("remembers"))
    one = _build(home, remembers=remembers)
    memory = one.machine.remembering
    assert memory is not None
    ready = asyncio.Event()
    running = asyncio.ensure_future(one.machine.runner.run(ready.set))
    await ready.wait()
    try:
        if plan.get("start"):
            await one.message(990_000_000 + int(time.time()) % 100_000)
            started = time.perf_counter() - began
            if remembers:
                await _loaded(memory)
                await memory.caught_up()
            return {
                "start s": started,
                "idle after s": time.perf_counter() - began,
                "idle cpu %": await idle_cpu_pct(),
            }
        if remembers:
            await _loaded(memory)
        found = await measure(one, alone=plan["alone"], together=plan["together"], crowds=tuple(plan["crowds"]))
        # Ours need no copying: they are asked for, one by one, like any.
        numbers = iter(range(1_000_000, 1_000_000 + plan["waiting"]))

        async def fill() -> None:
            for number in numbers:
                await one.message(number)

        await asyncio.gather(*(fill() for _ in range(64)))
        began = time.perf_counter()
        if remembers:
            await memory.caught_up()
        return {**found, "all remembered after s": time.perf_counter() - began}
    finally:
        running.cancel()


def _fsync_ms() -> float:
    """The median time of one small durable write here: the figure that most others follow from."""
    times = []
    with tempfile.NamedTemporaryFile() as file:
        for _ in range(51):
            at = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - at)
    return sorted(times)[25] * 1000


def _slow_disk(folder: Path, fsync_ms: float) -> dict[str, str]:
    """Return what makes a contestant's disk slow; nothing for 0."""
    if not fsync_ms:
        return {}
    library = folder / "slow_fsync.so"
    source = Path(__file__).with_name("slow_fsync.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
    return {"LD_PRELOAD": str(library), "FSYNC_MS": str(fsync_ms)}


def _run(name: str, plan: dict[str, Any]) -> dict[str, Any]:
    if name.startswith("ours"):
        remembers = name == "ours"
        command = [sys.executable, "-m", "tests.bench.core", json.dumps({**plan, "remembers": remembers})]
    elif name.startswith("dbos"):
        form = "clicked" if "click" in name else "waits"
        command = [str(PEERS), "-m", "tests.bench.peers.dbos_flow", json.dumps({**plan, "form": form})]
    else:
        command = [str(PEERS), "-m", "tests.bench.peers.langgraph_flow", json.dumps(plan)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", **plan.get("environment", {})}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False)
    if ended.returncode or not ended.stdout.strip():
        return {"failed": (ended.stderr or ended.stdout).strip().splitlines()[-1:]}
    return dict(json.loads(ended.stdout.strip().splitlines()[-1]))


def table(found: dict[str, dict[str, Any]]) -> str:
    """One table, a column a contestant."""
    rows = list(dict.fromkeys(name for figures in found.values() for name in figures))
    lines = [f"{'':28}" + "".join(f"{name:>32}" for name in found)]
    for row in rows:
        cells = [figures.get(row, "") for figures in found.values()]
        lines.append(
            f"{row:28}" + "".join(f"{cell:>32.2f}" if isinstance(cell, float) else f"{cell!s:>32}" for cell in cells)
        )
    return "\n".join(lines)


def bars(found: dict[str, dict[str, Any]]) -> list[tuple[bool, str]]:
    """The bars of the core: (holds, in words)."""
    mine, dbos, graph = found["ours"], found["dbos, click starts a workflow"], found["langgraph"]
    judged = []
    if "tasks/s at 16" in dbos:
        ratio = mine["tasks/s at 16"] / dbos["tasks/s at 16"]
        judged.append((ratio >= 4, f"tasks/s at 16: {ratio:.1f} times DBOS's best form (at least 4)"))
        click = mine["click to effect p50 ms"] / dbos["click to effect p50 ms"]
        judged.append((click <= 0.8, f"click to effect p50: {click:.2f} of DBOS's best (at most 0.8)"))
    if "tasks/s at 16" in graph:
        ratio = mine["tasks/s at 16"] / graph["tasks/s at 16"]
        judged.append((ratio >= 12, f"tasks/s at 16: {ratio:.1f} times LangGraph (at least 12)"))
    judged.append((mine["start s"] <= 2, f"start with waiting cards: {mine['start s']:.2f} s (at most 2)"))
    judged.append((mine["idle cpu %"] < 0.5, f"idle: {mine['idle cpu %']:.2f} % of a core (under 0.5)"))
    return judged


def main(argv: Sequence[str] | None = None) -> int:
    """Run every contestant and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.core", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    parser.add_argument("--fsync-ms", type=float, default=0.0, help="make every fsync take at least this long")
    parser.add_argument("--only", default="", help="contestants whose name holds this")
    options = parser.parse_args(argv)
    scale = 0.1 if options.quick else 1.0
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        plan = {
            "folder": folder, "alone": int(200 * scale), "together": int(640 * scale), "crowds": [16, 128],
            "waiting": int(10_000 * scale), "environment": _slow_disk(Path(folder), options.fsync_ms),
        }  # fmt: skip
        for name in CONTESTANTS:
            if options.only not in name:
                continue
            print(f"{name} ...", file=sys.stderr, flush=True)
            figures = _run(name, plan)
            if "failed" not in figures:
                figures |= _run(name, {**plan, "start": True})
            found[name] = figures
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, one fsync {_fsync_ms() + options.fsync_ms:.2f} ms; "
        f"start with {plan['waiting']} waiting cards"
    )
    print(table(found))
    if len(found) < len(CONTESTANTS):
        return 0
    judged = bars(found)
    for holds, words in judged:
        print(("ok   " if holds else "MISS ") + words)
    return 0 if all(holds for holds, _ in judged) else 1


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):
        report(ours)
    sys.exit(main())
