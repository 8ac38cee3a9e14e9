"""T1B: kill -9 before, in and after the call of every action that changes the world; the providers' ledgers judge.

A real child with the real connector is killed (a) when its intent is on disk and no byte has left, (b) in the middle of the
call, at the counterpart, (c) when the provider has done it and has not said so, (d) when the answer is there and not on disk,
(e) when it is. The next life takes it up. What is keyed or can be looked for happened exactly once, everything else at most
once; and where only the operator can know, an UNKNOWN card with what is known stands there, and each of its answers works.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import connectors
from bot.books import ACTIONS as BOOKS_ACTIONS
from bot.keeper import Keeper
from connectors.base import Connector, Risk
from tests.torture.bare import Found
from tests.torture.deeds import ANY_TOOL, DEEDS, POINTS, Deed
from tests.torture.town import Town, town

WAYS = ["It arrived", "Send again", "Drop it"]
QUIET_LIVES = 2
LIFE_S = 90.0


@dataclass
class Mother:
    """Forks lives; see ``deed_life.py``."""

    folder: Path
    _process: asyncio.subprocess.Process | None = None

    async def bear(self, plan: dict[str, Any]) -> int:
        """Let one life be lived; returns how it ended (-9 is what the plan wants)."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(plan).encode() + b"\n")
        async with asyncio.timeout(LIFE_S):
            return int(json.loads(await self._process.stdout.readline())["ended"])


@asynccontextmanager
async def mother(folder: Path) -> AsyncIterator[Mother]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.torture.deed_life", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    try:
        yield Mother(folder, process)
    finally:
        process.stdin.close()
        await process.wait()


@dataclass
class Row:
    """One deed in a home of its own, killed at each of its points in turn."""

    deed: Deed
    there: Town
    folder: Path
    found: Found
    chance: random.Random
    twin: str = ""
    words: dict[str, str] = field(default_factory=dict)  # point → words of the wish that died there
    told: dict[str, str] = field(default_factory=dict)  # words → what the operator answered
    died: list[str] = field(default_factory=list)  # words of the wishes that have had their death
    asked: set[str] = field(default_factory=set)  # words that an UNKNOWN card was about
    last: dict[str, Any] = field(default_factory=dict)
    lives: int = 0

    @property
    def home(self) -> Path:
        return self.folder / "home"

    async def run(self, mum: Mother, rounds: int) -> None:
        self.there.furnish(self.home)
        self.there.where, self.there.files_sent = self.deed.where, self.deed.imap == "files"
        for _ in range(rounds):
            points = list(self.deed.points)
            self.chance.shuffle(points)
            self.words, self.told, self.died, self.asked = {}, {}, [], set()
            calls = {}
            for point in points:
                self.words[point] = f"w{self.chance.randrange(16**9):09x}"
                calls[point] = await asyncio.to_thread(self.deed.call, self.there, self.home, self.words[point])
            for point in points:
                await self._live(mum, point, calls[point])
                self.died.append(self.words[point])
            for quiet in range(QUIET_LIVES):
                await self._live(mum, "", None, last=quiet == QUIET_LIVES - 1)
            self._judge()

    async def _live(self, mum: Mother, point: str, call: dict[str, Any] | None, *, last: bool = False) -> None:
        self.lives += 1
        report = self.folder / "report"
        report.unlink(missing_ok=True)
        self.there.gun.strike.unlink(missing_ok=True)
        number = f"{self.lives}"
        said = [self.deed.said.format(self.words[point])] if self.deed.said and point else []
        counts = await asyncio.to_thread(self._counts)
        plan = {
            "home": str(self.home), "environment": {**self.there.environment(imap=self.deed.imap), **self.deed.settings},
            "offset_s": self.lives * self.deed.gap_h * 3600, "seed": self.chance.random(),
            "strike": str(self.there.gun.strike), "pid": str(self.there.gun.pid), "report": str(report),
            "log": str(self.folder / "lives.log"), "die": point, "action": self.deed.action, "last": last,
            "answers": {self._shown(words): self._true_answer(words, count) for words, count in counts.items()},
            "twin": self.twin,
            "wish": {"number": number, "calls": [call], "said": said} if call else {},
        }  # fmt: skip
        ended = await mum.bear(plan)
        if point:
            self.found.counts[f"killed {point}"] += 1
        self.found.expect(
            ended == (-9 if point else 0),
            f"{self.deed.name}: a life at {point or 'peace'!r} ended with {ended}: {self._last_words()}",
        )
        reports = [json.loads(line) for line in report.read_text().splitlines()] if report.exists() else []
        self.found.expect(reports, f"{self.deed.name}: a life at {point or 'peace'!r} saw nothing")
        for each in reports:
            self._look(each)
            self.last = each

    def _last_words(self) -> str:
        log = self.folder / "lives.log"
        return log.read_text(errors="replace")[-1000:] if log.exists() else "it left no log"

    def _counts(self) -> dict[str, int]:
        return {words: self._count(words) for words in self.died}

    def _count(self, words: str) -> int:
        return self.deed.count(self.there, self.home, words, self.last)

    def _shown(self, words: str) -> str:
        """What a card about it says: the words, or what its provider calls it."""
        return self.there.kept.get(words, words)

    def _true_answer(self, words: str, count: int) -> str:
        """What an operator answers who has looked: the truth; and of what was not done, now and then to let it be."""
        point = next(point for point, each in self.words.items() if each == words)
        return self.told.setdefault(words, WAYS[0] if count else WAYS[2] if point == "during" else WAYS[1])

    def _look(self, report: dict[str, Any]) -> None:
        """An UNKNOWN card holds what is known, and its three answers."""
        for card in report["cards"]:
            if card["kind"] != "unknown":
                continue
            whole = json.dumps(card, ensure_ascii=False)
            self.found.counts["unknown cards seen"] += 1
            self.found.expect(card["buttons"] == WAYS, f"{self.deed.name}: an UNKNOWN card offers {card['buttons']}")
            self.found.expect(card["warnings"], f"{self.deed.name}: an UNKNOWN card without a reason")
            about = {words for words in self.words.values() if self._shown(words) in whole}
            self.asked |= about
            self.found.expect(about, f"{self.deed.name}: an UNKNOWN card does not show what it is about: {whole}")
            self.found.expect(
                self.deed.evidence and self.deed.evidence in " ".join(card["warnings"]),
                f"{self.deed.name}: an UNKNOWN card says {card['warnings']}, not {self.deed.evidence!r}",
            )

    def _judge(self) -> None:
        name = self.deed.name
        effects = self.last.get("effects", {})
        self.found.faults += [f"{name}: {each}" for each in self.last.get("wrong", ["no last look"])]
        self.found.expect(not self.last.get("cards"), f"{name}: still asks: {self.last.get('cards')}")
        done = [each for each in effects.values() if each["status"] not in {"confirmed", "dropped"}]
        self.found.expect(not done, f"{name}: ended as {done}")
        for point, words in self.words.items():
            count = self._count(words)
            asked = point in self.deed.asks
            expected = 0 if asked and self.told.get(words) == WAYS[2] else 1
            self.found.counts[f"done {count}"] += 1
            self.found.expect(
                count == expected, f"{name}: killed at {point}, happened {count} times, wanted {expected} ({words})"
            )
            self.found.expect(
                (words in self.asked) == asked,
                f"{name}: killed at {point}, {'nobody was asked' if asked else 'the operator was asked without need'}",
            )


async def torture(
    folder: Path, count: int, seed: int, *, deeds: Iterable[Deed] = DEEDS, twin: str = "", imap: bool | None = None
) -> Found:
    """``count`` is how often every point of every deed is died at."""
    found = Found(seed)
    chance = random.Random(seed)
    mailbox = shutil.which("dovecot") is not None if imap is None else imap
    deeds = [deed for deed in deeds if mailbox or not deed.imap]
    async with town(folder / "town", imap=any(deed.imap for deed in deeds)) as there, mother(folder) as mum:
        for number, deed in enumerate(deeds):
            place = folder / f"deed-{number}"
            place.mkdir()
            await Row(deed, there, place, found, random.Random(chance.random()), twin).run(mum, count)
            found.counts["situations"] += 1
    return found


def every_action() -> set[str]:
    """Every action that changes something, by name; tools of MCP servers aside."""
    kinds: list[type[Connector]] = [*connectors.discover().values(), Keeper]
    found = {name for kind in kinds for name, action in kind.actions().items() if action.risk is not Risk.READS}
    return found | set(BOOKS_ACTIONS)


def test_every_action_that_changes_something_has_a_row() -> None:
    named = {deed.action for deed in DEEDS}
    assert every_action() - named == set(), "a new action: add its row to tests/torture/deeds.py"
    assert {name for name in named if not name.startswith(ANY_TOOL)} - every_action() == set()


async def test_t1b_sees_a_house_that_takes_every_class_for_keyed(yard: Path) -> None:
    found = await torture(yard, 1, 1, deeds=[deed for deed in DEEDS if deed.action == "mcp.plain.add"], twin="class")
    assert any("happened 2 times" in fault for fault in found.faults), found
    assert any("nobody was asked" in fault for fault in found.faults), found


async def test_t1b_sees_a_house_whose_key_is_another_on_every_attempt(yard: Path) -> None:
    found = await torture(yard, 1, 1, deeds=[deed for deed in DEEDS if deed.action == "mcp.keyed.add"], twin="key")
    assert any("happened 2 times" in fault for fault in found.faults), found


async def test_killed_anywhere_every_action_keeps_what_its_class_promises(yard: Path) -> None:
    found = await torture(yard, 1, 1)
    assert not found.faults, found
    assert {point for point in POINTS if found.counts[f"killed {point}"] >= 20} == set(POINTS), found
    assert found.counts["unknown cards seen"] >= 10, found
