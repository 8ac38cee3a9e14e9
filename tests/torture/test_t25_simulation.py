"""T25: a simulated world. From one seed: what the operator wants and presses, what providers do, when the clock moves,
when the process dies and where, when the disk refuses, who sends things twice. Every failure replays from its seed:

    python -m tests.torture --only T25 --seed 1234 --count 1
"""

from __future__ import annotations

import asyncio
import random
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from bot.channels.base import NotWrittenError
from bot.testing import OPERATOR, PLACE, fails
from connectors.base import OutcomeUnknownError, RefusedError, TryLaterError
from memory.database import StorageError
from tests.torture.bare import BareHouse, Found

STEPS = 11
VERBS = ("post", "book", "send")


def dies() -> None:
    """The process is killed here: nothing after this line happens in this life."""
    raise asyncio.CancelledError


BEFORE = (  # what happens to a call before the provider has acted
    lambda: fails(TryLaterError("busy")), lambda: fails(RefusedError("no")), lambda: fails(OutcomeUnknownError("lost")),
    lambda: fails(RuntimeError("bug")), lambda: dies,
)  # fmt: skip
AFTER = (lambda: fails(OutcomeUnknownError("lost")), lambda: fails(RuntimeError("bug")), lambda: dies)


@dataclass
class Wish:
    """What was asked for, and what hands did about it."""

    verb: str
    body: str
    event: str
    card: str = ""
    approved: bool = False
    rejected: bool = False
    undone: bool = False
    arrived: bool = False
    again: int = 0


@dataclass
class World:
    """One seed's world."""

    house: BareHouse
    chance: random.Random
    wishes: list[Wish] = field(default_factory=list)
    old: list[tuple[str, str]] = field(default_factory=list)  # handle, verb of buttons seen once
    trace: list[str] = field(default_factory=list)

    async def live(self) -> None:
        await self.ask()
        for step in range(STEPS):
            act = self.chance.choice((
                self.ask, self.ask, self.ask, self.press, self.press, self.press, self.press, self.press, self.press_old, self.fault,
                self.fault, self.wait, self.wait, self.die, self.pause, self.deliver_again, self.full_disk,
            ))  # fmt: skip
            self.trace.append(f"{step} {act.__name__}")
            await act()
        await self.heal()

    async def ask(self) -> None:
        number = len(self.wishes)
        wish = Wish(self.chance.choice(VERBS), f"wish-{number}", f"hear-{number}")
        self.wishes.append(wish)
        task = await self.house.operator(f"ask {wish.verb} body={wish.body}", event_id=wish.event)
        wish.card = f"{task}.1"

    async def deliver_again(self) -> None:
        if self.wishes:
            wish = self.chance.choice(self.wishes)
            await self.house.operator(f"ask {wish.verb} body={wish.body}", event_id=wish.event)

    async def press(self) -> None:
        """Press any button that can be seen."""
        buttons = [
            (wish, card, button)
            for wish in self.wishes
            for card in self._cards(wish)
            for button in (self.house.runner.card(card).buttons)  # type: ignore[union-attr]
        ]
        if not buttons:
            return
        wanted = [each for each in buttons if each[2].verb in {"approve", "again", "arrived"}]
        wish, card, button = self.chance.choice(wanted if wanted and self.chance.random() < 0.6 else buttons)
        self.trace.append(f"  {button.verb} {card}")
        edits = {"0.body": wish.body} if button.verb == "edit" else None
        reply = await self.house.press_handle(button.handle, button.verb, **({"edits": edits} if edits else {}))
        self.old.append((button.handle, button.verb))
        self._note(wish, button.verb, reply)

    def _cards(self, wish: Wish) -> list[str]:
        task = int(wish.card.partition(".")[0])
        return [card for card, standing in self.house.runner.state_now(task).cards.items() if standing]

    def _note(self, wish: Wish, verb: str, reply: str) -> None:
        wish.approved |= reply == "Approved."
        wish.rejected |= reply.startswith("Rejected")
        wish.undone |= reply.startswith("Taken back. Nothing")
        wish.arrived |= reply == "Noted: it arrived."
        wish.again += reply == "Sending it again."
        del verb

    async def press_old(self) -> None:
        if self.old:
            handle, verb = self.chance.choice(self.old)
            if verb in {"approve", "reject", "undo"}:
                reply = await self.house.press_handle(handle, verb)
                card = handle.partition(":")[0]
                for wish in self.wishes:
                    if card in self._cards(wish):
                        self._note(wish, verb, reply)

    async def fault(self) -> None:
        if self.chance.random() < 0.5:
            self.house.provider.plans.append(self.chance.choice(BEFORE)())
        else:
            self.house.provider.after.append(self.chance.choice(AFTER)())

    async def wait(self) -> None:
        await self.house.later(seconds=self.chance.choice((3, 11, 60, 3600, 30 * 3600)))

    async def die(self) -> None:
        """Stop dead: half the time after a commit whose orders nobody has begun."""
        if self.chance.random() < 0.5 and self.wishes:
            wish = self.chance.choice(self.wishes)
            self.house.runner.chronicle.committed = lambda _: None
            card = self.house.runner.card(wish.card)
            if card is not None and any(button.verb == "approve" for button in card.buttons):
                self._note(wish, "approve", await self.house.press("Approve", wish.card))
        await self.house.restart()

    async def pause(self) -> None:
        await self.house.operator(self.chance.choice(("/pause", "/resume", "/resume", "/pause paper")))

    async def full_disk(self) -> None:
        def full(_: object) -> None:
            hooks.remove(full)
            raise StorageError("The disk is full.")

        hooks = self.house.machine.database.before_commit
        hooks.insert(0, full)
        try:
            await self.house.runner.heard(f"full-{len(self.trace)}", "/stuck", OPERATOR, PLACE)
        except NotWrittenError:
            self.trace.append("  refused")
        await self.house.runner.settled()

    async def heal(self) -> None:
        """The world is well again; whatever is still owed is done."""
        self.house.provider.plans.clear()
        self.house.provider.after.clear()
        await self.house.restart()
        await self.house.operator("/resume")
        for _ in range(3):
            await self.house.later(hours=2)

    def end(self) -> list[str]:
        """Return what it all came to, for comparing two runs of one seed."""
        return [
            f"{wish.body} {wish.verb} {self.house.done(wish.body)} {self.house.card(wish.card).state} "
            + ",".join(effect.status for effect in self._effects(wish))
            for wish in self.wishes
        ]

    def _effects(self, wish: Wish):  # type: ignore[no-untyped-def]
        return self.house.runner.state_now(int(wish.card.partition(".")[0])).effects.values()

    def judge(self, seed: int, found: Found) -> None:
        for wish in self.wishes:
            done = self.house.done(wish.body)
            where = f"seed {seed}, {wish}: happened {done} times"
            statuses = [effect.status for effect in self._effects(wish)]
            found.counts.update(statuses)
            found.expect(len(statuses) <= 1, f"{where}, {len(statuses)} effects")
            status = statuses[0] if statuses else "none"
            found.expect(wish.approved or not done, f"{where}, never approved")
            found.expect(bool(statuses) == wish.approved, f"{where}, {statuses}")
            at_most = 1 if wish.verb == "post" else 1 + wish.again
            found.expect(done <= at_most, f"{where}, {status}, at most {at_most}")
            found.expect(status not in {"prepared", "sending"}, f"{where}, left {status}")
            if status == "confirmed":
                found.expect(done >= 1 or wish.arrived, f"{where}, believed done")
            if status == "failed" and not wish.again:
                found.expect(done == 0, f"{where}, believed not done: {self._effects(wish)}")
            if wish.rejected or wish.undone:
                found.expect(done == 0, f"{where}, though taken back or rejected")
        tasks = Counter(line.title for line in self.house.machine.history.tasks(10_000) if line.title.startswith("ask"))
        found.expect(set(tasks.values()) <= {1}, f"seed {seed}: a message became two tasks {tasks}")
        late = [line for line in self.house.machine.history.stuck_lines() if "not worked on" in line]
        found.expect(not late, f"seed {seed}: {late}")
        found.faults += [f"seed {seed}: {wrong}" for wrong in self.house.wrong()]


async def simulate(folder: Path, seed: int, found: Found) -> list[str]:
    async with BareHouse(folder) as house:
        world = World(house, random.Random(seed))
        before = len(found.faults)
        try:
            await world.live()
            world.judge(seed, found)
        except Exception as error:
            found.faults.append(f"seed {seed} broke: {error!r}"[:500])
        if len(found.faults) > before:
            found.faults.append(f"seed {seed} went: {'; '.join(world.trace)}")
        found.counts["seeds"] += 1
        found.counts["effects"] += len(house.provider.accepted)
        end = world.end()
    shutil.rmtree(folder, ignore_errors=True)
    return end


async def torture(folder: Path, count: int, seed: int) -> Found:
    found = Found(seed)
    for number in range(seed, seed + count):
        await simulate(folder / str(number), number, found)
    return found


async def test_three_hundred_worlds_keep_every_promise(yard: Path) -> None:
    found = await torture(yard, 300, 25_000)
    assert not found.faults, found
    assert found.counts["effects"] > 200, found


async def test_a_world_replays_from_its_seed(yard: Path) -> None:
    for seed in range(7, 12):
        ends = [await simulate(yard / f"{seed}-{turn}", seed, Found()) for turn in range(2)]
        assert ends[0] == ends[1]
