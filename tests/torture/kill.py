"""T1: kill -9 at every step of every flow; the judge compares the providers' own ledgers, never our log.

Four flows run at once: an effect that the provider deduplicates (keyed), one that can be looked for (reconcilable), one
that is neither (plain), and a real mail over real SMTP. Lives are killed around commits, inside the provider before and
after it acts, at every point of the SMTP session, and at random moments.

The platform's side is honest: it delivers an event again until it is acknowledged, and never after.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.chronicle import replayed
from memory.database import Database
from memory.log import Log
from memory.replay import compare
from tests.counterparts.smtp import POINTS, Fault, PostOffice

VERBS = ("post", "book", "send", "mail")
CLASSES = {"post": "keyed", "book": "reconcilable", "send": "plain", "mail": "plain"}
OWN = frozenset({"queue", "places", "over", "peace"})  # a life that kills itself, by what has become of its effects
LIFE_S = 2.0  # a life that has nothing left to do, or hangs, is killed after this
PEACE_S = 60.0  # one in peace ends when nothing is due any more: usually a tenth, on a busy machine seconds
STEP_S = 7200  # between two lives the clock moves on, so that retries fall due


@dataclass
class Wish:
    """One thing the operator wants, and what the platform knows of it."""

    number: int
    verb: str
    heard: bool = False
    handle: str = ""
    pressed: bool = False

    @property
    def body(self) -> str:
        return f"wish-{self.number:05d}"

    @property
    def text(self) -> str:
        return f"ask {self.verb} to=anna@acme.example body={self.body}"


@dataclass
class Verdict:
    """What the judge found."""

    kills: int = 0
    points: Counter = field(default_factory=Counter)
    wishes: Counter = field(default_factory=Counter)
    unknown: Counter = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    effects: Counter = field(default_factory=Counter)


class Harness:
    """Runs lives, kills them, and judges."""

    def __init__(self, folder: Path, seed: int, twin: str = "", *, step_s: float = STEP_S, pace: float = 0) -> None:
        self.twin = twin
        self.step_s = step_s
        self.life_s = LIFE_S
        self.pace = pace  # mails a minute; 0: as declared
        self.home = folder / "home"
        self.log = folder / "lives.log"
        self.seed = seed
        self.chance = random.Random(seed)
        self.wishes: dict[int, Wish] = {}
        self.unknown: dict[str, dict[str, str]] = {}  # card → buttons
        self.provider: list[tuple[str, str]] = []  # the provider's own ledger: key, body
        self.post = PostOffice()
        self.verdict = Verdict()
        self._mother: asyncio.subprocess.Process | None = None
        self._pid = 0
        self._strike = ""  # where the provider kills
        self._wire: asyncio.StreamWriter | None = None
        self._ready = asyncio.Event()
        self._moved = asyncio.Event()
        self._lives = 0

    # ── the world outside ─────────────────────────────────────────────────────────────────────────────────────────

    async def _serve_provider(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await _line(reader):
            ask = json.loads(line)
            if "count" in ask:
                answer = sum(key == ask["count"] for key, _ in self.provider)
            else:
                self._hit("provider before")
                known = any(key == ask["accept"] for key, _ in self.provider)
                if not (ask["once"] and known):
                    self.provider.append((ask["accept"], ask["body"]))
                self._hit("provider after")
                answer = len(self.provider)
            writer.write(json.dumps(answer).encode() + b"\n")
        writer.close()

    def _hit(self, point: str) -> None:
        if self._strike == point and self._pid:
            self._strike = ""
            self._kill(point)

    def _kill(self, point: str) -> None:
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            self._pid = 0
            self.verdict.points[point] += 1

    async def _serve_wire(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._wire = writer
        while line := await _line(reader):
            self._heard(json.loads(line))
            self._moved.set()
        writer.close()

    def _heard(self, line: dict[str, Any]) -> None:
        if "ready" in line:
            self._ready.set()
        elif "ack" in line:
            kind, _, number = line["ack"].partition("-")
            wish = self.wishes.get(int(number))
            if wish and kind == "hear":
                wish.heard = True
            elif wish and kind == "press":
                wish.pressed = True
        elif "card" in line and line["kind"] == "unknown":
            self.unknown[line["card"]] = line["buttons"]
        elif "card" in line and line["kind"] == "approval":
            wish = self.wishes[int(line["body"].removeprefix("wish-"))]
            # Shown again after it was approved, it has no such button any more.
            wish.handle = line["buttons"].get("approve", wish.handle)

    def _send(self, **line: Any) -> None:
        if self._wire is not None and not self._wire.is_closing():
            self._wire.write(json.dumps(line).encode() + b"\n")

    # ── lives ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _live(self, death: str, nth: int, fresh: int) -> None:
        """One life: deliver what is not acknowledged, press what is shown, and die as planned."""
        for _ in range(fresh):
            number = len(self.wishes) + 1
            self.wishes[number] = Wish(number, VERBS[number % len(VERBS)])
        self._lives += 1
        self._ready.clear()
        self._strike = death if death.startswith("provider") else ""
        self.post.heal()
        if death.startswith("smtp "):
            hook = Fault(call=lambda *_: self._kill(death), times=1)
            self.post.at(death.removeprefix("smtp "), hook)
        plan = {
            "home": str(self.home), "wire": self._ports[0], "provider": self._ports[1], "smtp": self.post.port,
            "offset_s": self._lives * self.step_s, "seed": self.chance.random(), "log": str(self.log),
            "die": death if death.endswith("_commit") or death in OWN else None, "nth": nth, "twin": self.twin, "pace": self.pace, "wishes": len(self.wishes),
        }  # fmt: skip
        assert self._mother is not None
        assert self._mother.stdin is not None
        assert self._mother.stdout is not None
        self._mother.stdin.write(json.dumps(plan).encode() + b"\n")
        self._pid = json.loads(await self._mother.stdout.readline())["born"]
        ended = asyncio.ensure_future(self._mother.stdout.readline())
        driving = asyncio.ensure_future(self._drive(ended))
        clock = asyncio.get_running_loop().time() + (
            self.chance.uniform(0.0, 0.25) if death == "random" else self.life_s
        )
        while not ended.done():
            left = clock - asyncio.get_running_loop().time()
            if left <= 0 or (driving.done() and death not in {"random", *OWN}):
                self._kill(death if death == "random" else "idle")
            await asyncio.wait({ended}, timeout=min(0.02, max(0.001, left)))
        driving.cancel()
        code = json.loads(ended.result())["ended"]
        if self._pid and code == -signal.SIGKILL:
            self.verdict.points[death] += 1
        self._pid = 0
        self.verdict.kills += 1
        if code != -signal.SIGKILL:
            self.verdict.faults.append(f"life {self._lives} ended by itself with {code}; see {self.log}")

    async def _drive(self, ended: asyncio.Future[bytes]) -> None:
        """Be the platform and the operator until nothing is left to do."""
        waiting = asyncio.ensure_future(self._ready.wait())
        await asyncio.wait({waiting, ended}, return_when=asyncio.FIRST_COMPLETED)
        told: set[str] = set()
        while not ended.done():
            for wish in self.wishes.values():
                if not wish.heard and f"hear-{wish.number}" not in told:
                    told.add(f"hear-{wish.number}")
                    self._send(hear=f"hear-{wish.number}", text=wish.text)
                if wish.handle and not wish.pressed and f"press-{wish.number}" not in told:
                    told.add(f"press-{wish.number}")
                    self._send(press=f"press-{wish.number}", handle=wish.handle, verb="approve")
            if all(wish.pressed for wish in self.wishes.values()):
                await asyncio.sleep(0.05)  # let the effects get under way before the life may end
                return
            self._moved.clear()
            try:
                async with asyncio.timeout(0.05):
                    await self._moved.wait()
            except TimeoutError:
                continue

    def _death(self) -> tuple[str, int]:
        kinds = ["before_commit", "after_commit", "provider before", "provider after", "random"]
        kinds += [f"smtp {point}" for point in POINTS if point != "auth"]
        return self.chance.choice(kinds), self.chance.randint(1, 12)

    async def run(self, kills: int, quiet_lives: int = 4) -> Verdict:
        """Kill as often as told, then let it live in peace and judge."""
        self.home.mkdir(parents=True)
        wire = await asyncio.start_server(self._serve_wire, "127.0.0.1", 0)
        provider = await asyncio.start_server(self._serve_provider, "127.0.0.1", 0)
        self._ports = (wire.sockets[0].getsockname()[1], provider.sockets[0].getsockname()[1])
        await self.post.start()
        self._mother = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.torture.life",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            while self.verdict.kills < kills:
                death, nth = self._death()
                await self._live(death, nth, fresh=self.chance.randint(1, 3))
            if not self.twin:
                self.life_s = max(self.life_s, PEACE_S)
            for _ in range(quiet_lives):
                await self._live("peace", 0, fresh=0)
        finally:
            self._mother.stdin.close()  # type: ignore[union-attr]
            await self._mother.wait()
            await self.post.stop()
            for server in (wire, provider):
                server.close()
        return self.judge()

    # ── the judge ─────────────────────────────────────────────────────────────────────────────────────────────────

    def judge(self) -> Verdict:
        """Compare what the platform was promised with what the providers did."""
        found = self.verdict
        done = Counter(body for _, body in self.provider)
        mails = Counter(
            taken.text.strip()
            for taken in self.post.taken  # type: ignore[union-attr]
        )
        tasks, effects = self._beliefs()
        for wish in self.wishes.values():
            found.wishes[wish.verb] += 1
            count = mails[wish.body] if wish.verb == "mail" else done[wish.body]
            found.effects[wish.verb] += count
            status = effects.get(wish.body, "missing")
            if tasks[wish.text] != 1:
                found.faults.append(f"{wish.text}: acknowledged {wish.heard}, {tasks[wish.text]} tasks")
            if not wish.pressed:
                found.faults.append(f"{wish.text}: never pressed")
            if count > 1:
                found.faults.append(f"{wish.text}: happened {count} times, believed {status}")
            if CLASSES[wish.verb] != "plain" and count != 1:
                found.faults.append(f"{wish.text}: happened {count} times, believed {status}")
            if count == 0 and status == "confirmed":
                found.faults.append(f"{wish.text}: believed done, and was not")
            if status == "unknown":
                found.unknown[wish.verb] += 1
            elif status != "confirmed":
                found.faults.append(f"{wish.text}: ended as {status}, happened {count} times")
        if len(self.unknown) < sum(found.unknown.values()):
            found.faults.append(f"{sum(found.unknown.values())} unknown effects, {len(self.unknown)} cards asking")
        self._examine(found)
        return found

    def _beliefs(self) -> tuple[Counter, dict[str, str]]:
        with sqlite3.connect(self.home / "soloist.db") as raw:
            tasks = Counter(title for (title,) in raw.execute("SELECT title FROM tasks WHERE title LIKE 'ask %'"))
            bodies = {
                effect: json.loads(body)["call"]["args"]["body"]
                for effect, body in raw.execute(
                    "SELECT json_extract(body, '$.effect'), body FROM events WHERE type = 'Prepared'"
                )
            }
            effects = {bodies[effect]: status for effect, status in raw.execute("SELECT id, status FROM effects")}
        raw.close()
        return tasks, effects

    def _examine(self, found: Verdict) -> None:
        database = Database.look(self.home)
        log = Log(database)
        found.faults += [str(error) for error in log.verify()]
        found.faults += [str(each) for each in compare(database, log, replayed)]
        database.close()


async def _line(reader: asyncio.StreamReader) -> bytes:
    """The next line, or nothing once the other side is dead."""
    try:
        return await reader.readline()
    except ConnectionError:
        return b""


async def torture(folder: Path, kills: int, seed: int, twin: str = "") -> Verdict:
    """Run the whole test; see the module. ``twin`` names a guard that is taken out of every life."""
    return await Harness(folder, seed, twin).run(kills)


def main(argv: list[str]) -> int:
    """``python -m tests.torture.kill KILLS SEED FOLDER``."""
    kills, seed, folder = int(argv[0]), int(argv[1]), Path(argv[2])
    verdict = asyncio.run(torture(folder, kills, seed))
    print(json.dumps(dict(vars(verdict).items()), default=dict, indent=1))
    return 1 if verdict.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
