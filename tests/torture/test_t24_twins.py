"""T24: every guard has a broken twin, and the row that stands on the guard fails with the twin in its place.

A test that cannot fail proves nothing. Each entry breaks one guard and names the row that must notice it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot import approvals, chronicle, executor, redaction, runner
from bot.approvals import Person, Roster
from bot.deciding import answering, approving, fortunes, guards, presses, restoring
from bot.effects import Perform
from memory import database
from memory.log import Log, Tx
from memory.projections import Books
from tests.bot import test_runner
from tests.stories import test_rivals
from tests.torture import (
    test_t02_power_loss,
    test_t03_disk,
    test_t04_duplicates,
    test_t06_races,
    test_t07_mutation,
    test_t09_forgery,
    test_t13_malformed,
    test_t14_replay,
    test_t16_clock,
    test_t18_restore,
    test_t19_limits,
    test_t20_batch,
    test_t21_secrets,
    test_t25_simulation,
)
from tests.torture.bare import BareHouse, Found, broken, changed, no_delay

Row = Callable[[Path, int, int], Any]


@dataclass(frozen=True)
class Twin:
    """One guard without its check, and the row that must fail for it."""

    name: str
    where: object
    guard: str
    twin: Any
    row: Row
    count: int
    seed: int = 24


def without_mac(secret: bytes, text: str) -> tuple[str, int] | None:
    """Believe any button that looks like one."""
    what, _, rest = text.partition(":")
    number = rest.partition(":")[0]
    return (what, int(number)) if what.count(".") == 1 and number.isdecimal() and number.isascii() else None


def anybody(self: Roster, actor: Any) -> Person:
    """Know everybody."""
    return Person(actor.platform, actor.user)


def by_name(self: Roster, actor: Any) -> Person | None:
    """Know people by platform alone."""
    return next((person for person in self.people if person.platform == actor.platform), None)


def admit_all(
    self: Tx, platform: str, account: str, event_id: str, at: Any, task: Callable[[], int]
) -> tuple[int, bool]:
    """Find every input new."""
    return task(), True


def admit_by_memory(self: Tx, *key: Any) -> tuple[int, bool]:
    """Remember inputs until the process ends."""
    seen = self._log.__dict__.setdefault("_seen", {})
    platform, account, event_id, _, task = key
    if (platform, account, event_id) in seen:
        return seen[platform, account, event_id], False
    seen[platform, account, event_id] = task()
    return seen[platform, account, event_id], True


def by_length(calls: Any) -> str:
    """A fingerprint that looks at names alone."""
    several = calls if isinstance(calls, tuple) else (calls,)
    return "".join(call.name for call in several)


REAL_APPROVE, REAL_PRESSED = approving.approve, presses.pressed


def settled_does_not_matter(state: Any, event: Any, house: Any) -> Any:
    """Let every press count, also on a card that is settled."""
    standing = state.cards.get(event.card)
    if standing is not None and event.verb == "approve" and house.roster.find(event.actor):
        return REAL_APPROVE(state, event, standing, house)
    return REAL_PRESSED(state, event, house)


def revision_does_not_matter(state: Any, event: Any, house: Any) -> Any:
    return REAL_PRESSED(state, changed(event, revision=0), house)


def print_does_not_matter(state: Any, event: Any, house: Any) -> Any:
    return REAL_PRESSED(state, changed(event, fingerprint=""), house)


def never_late(state: Any, event: Any, standing: Any, house: Any) -> Any:
    opened = changed(standing.opened, expires_at=None)
    return REAL_APPROVE(state, event, changed(standing, opened=opened), house)


def send_again(effect: Any, house: Any) -> Any:
    """After a crash: simply once more, whatever its class."""
    return [Perform(effect=effect.prepared.effect, attempt=effect.attempt)]


def retry_the_lot(self: Any, order: Any, key: str, action: Any, reason: str, first_sent_at: Any) -> Any:
    """An outcome that nobody knows counts as a failure."""
    from memory.events import Failed

    again = self._staff.now() + timedelta(seconds=5)
    return Failed(effect=order.effect, order=key, reason=reason, again_at=again)


def each_alone(calls: Any, house: Any) -> str:
    """Measure every call as if it were alone."""
    return next((words for call in calls if (words := REAL_LIMIT((call,), house))), "")


REAL_LIMIT = guards.broken_limit


def only_what_was_done(self: Books, since: Any, *, client: str = "", action: str = "") -> Any:
    """Count money when it has gone, not when it is let through."""
    from decimal import Decimal

    from sqlalchemy import or_, select

    from memory.line import stamp
    from memory.projections import effects

    query = select(effects.c.amount, effects.c.currency).where(
        effects.c.at >= stamp(since), effects.c.amount != "", effects.c.status == "confirmed"
    )
    query = query.where(effects.c.client == client) if client else query
    query = query.where(or_(effects.c.name == action, effects.c.name.startswith(action + "."))) if action else query
    sums: dict[str, Decimal] = {}
    for row in self._run(effects, query):
        sums[row.currency] = sums.get(row.currency, Decimal(0)) + Decimal(row.amount)
    return sums


def restored_asks_nothing(state: Any, house: Any) -> list[Any]:
    return []


def no_gap(self: Log, count: int) -> None:
    """Go on with the next number, as if nothing were lost."""


async def answer_once(self: Any, task: int, event: Any, actor: str) -> None:
    """Write down what came of an effect once; when the disk is full, the order is carried out again."""
    await self._chronicle.answer(task, event, actor=actor)


def acknowledge_first(self: Any, work: Any) -> Any:
    """Tell the platform before it is on disk."""
    from bot.chronicle import Outcome

    self.submit(work)
    done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    done.set_result(Outcome(1))
    return done


def story(test: Callable[[BareHouse], Any]) -> Row:
    """Let a test of one house stand as a row."""

    async def row(folder: Path, _count: int, seed: int) -> Found:
        found = Found(seed)
        async with BareHouse(folder / "home", policy=no_delay()) as house:
            try:
                await test(house)
            except (AssertionError, pytest.fail.Exception) as error:
                found.faults.append(f"{test.__name__}: {error}"[:300])
        return found

    return row


async def large_sums(folder: Path, _count: int, seed: int) -> Found:
    found = Found(seed)
    try:
        await test_t09_forgery.test_a_large_sum_needs_a_yes_on_two_of_the_operators_channels(folder)
    except AssertionError as error:
        found.faults.append(f"large sums: {error}"[:300])
    return found


async def recover_nothing(self: Any) -> None:
    """Start as if nothing had been promised."""


def owned_by_anybody(home: Path) -> int:
    """Take no lock."""
    return os.open(os.devnull, os.O_RDONLY)


TWINS = (
    Twin("gate: one channel is enough for any sum", guards, "needs_second_channel", lambda *_: False,
         large_sums, 1),
    Twin("gate: an agent may propose anything", guards, "not_allowed", lambda *_: "", test_t09_forgery.torture, 1),
    Twin("gate: amounts no limit can count", guards, "odd_amount", lambda _: "", test_t09_forgery.torture, 1),
    Twin("gate: what a card stands on may change", guards, "stale", lambda *_: False, test_t07_mutation.torture, 1),
    Twin("gate: a pause stops nothing", guards, "is_paused", lambda *_: False, test_t07_mutation.torture, 1),
    Twin("fingerprint: not compared at the last moment", executor, "fingerprint", by_length, test_t07_mutation.torture, 1),
    Twin("effects: nothing is recovered", runner.Runner, "recover", recover_nothing, test_t25_simulation.torture, 40),
    Twin("identity: every recipient is known", Books, "knows_recipient", lambda *_: True,
         story(test_rivals.test_r15_a_recipient_nobody_has_written_to_is_marked_until_somebody_has), 1),
    Twin("effects: a key lives for ever", fortunes, "interrupted", send_again,
         story(test_rivals.test_r10_a_key_that_the_service_has_forgotten_is_not_used_again), 1),
    Twin("log: the chain is not looked at", Log, "verify", lambda _: iter(()),
         story(test_runner.test_what_was_approved_is_what_is_done_or_nothing), 1),
    Twin("log: two processes on one home", database, "_own", owned_by_anybody,
         story(test_runner.test_a_second_process_on_the_same_home_says_so), 1),
    Twin("identity: anybody may press", Roster, "find", anybody, test_t09_forgery.torture, 2),
    Twin("identity: by platform, not by id", Roster, "find", by_name, test_t09_forgery.torture, 2),
    Twin("approvals: no limits on delegates", approvals, "may_press", lambda *_: "", test_t09_forgery.torture, 2),
    Twin("approvals: handles without a seal", runner, "read_handle", without_mac, test_t09_forgery.torture, 4),
    Twin("approvals: handles without a seal, rotated", runner, "read_handle", without_mac, test_t14_replay.torture, 3),
    Twin("gate: an old revision counts", presses, "pressed", revision_does_not_matter, test_t09_forgery.torture, 2),
    Twin("gate: a settled card counts again", presses, "pressed", settled_does_not_matter, test_t06_races.torture, 30),
    Twin("gate: a settled card, replayed", presses, "pressed", settled_does_not_matter, test_t14_replay.torture, 60),
    Twin("gate: a settled card after the clock jumped", presses, "pressed", settled_does_not_matter, test_t16_clock.torture, 20),
    Twin("gate: what ran out may be approved", approving, "approve", never_late, test_t09_forgery.torture, 1),
    Twin("fingerprint: content is not looked at", test_t07_mutation, "fingerprint", by_length, test_t07_mutation.torture, 1),
    Twin("fingerprint: not compared at the press", guards, "as_shown", lambda *_: True, test_t07_mutation.torture, 1),
    Twin("dedup: every delivery is new", Tx, "admit", admit_all, test_t04_duplicates.torture, 30),
    Twin("dedup: only until the restart", Tx, "admit", admit_by_memory, test_t04_duplicates.torture, 500),
    Twin("effects: sent again after a crash", fortunes, "interrupted", send_again, test_t25_simulation.torture, 60),
    Twin("effects: unknown counts as failed", executor.Executor, "_not_known", retry_the_lot, test_t25_simulation.torture, 40),
    Twin("effects: carried out again when the disk is full", executor.Executor, "_write_for_sure", answer_once, test_t03_disk.torture, 25),
    Twin("log: acknowledged before it is on disk", chronicle.Chronicle, "write", acknowledge_first, test_t03_disk.torture, 10),
    Twin("limits: each call alone", guards, "broken_limit", each_alone, test_t19_limits.torture, 40),
    Twin("limits: none", guards, "broken_limit", lambda *_: "", test_t19_limits.torture, 5),
    Twin("limits: counted when it is gone", Books, "spent", only_what_was_done, test_t19_limits.torture, 40),
    Twin("limits: not asked when tried again", answering, "not_again", lambda *_: "", test_t19_limits.torture, 60),
    Twin("restore: what was open goes on", restoring, "restored", restored_asks_nothing, test_t18_restore.torture, 3),
    Twin("restore: numbers are used again", Log, "skip_tasks", no_gap, test_t18_restore.torture, 2),
    Twin("batch: fingerprints are not compared", presses, "pressed", print_does_not_matter, test_t20_batch.torture, 10),
    Twin("batch: limits are not asked", guards, "broken_limit", lambda *_: "", test_t20_batch.torture, 10),
    Twin("secrets: nothing is redacted", redaction.Redactor, "__call__", lambda _, text: text, test_t21_secrets.torture, 50),
    Twin("input: half characters are written", runner, "writable", lambda value: value, test_t13_malformed.torture, 60),
)  # fmt: skip


async def found_by(twin: Twin, folder: Path) -> Found:
    """Run a row with a guard broken. That it cannot go on at all is noticing, too."""
    found = Found(twin.seed)
    with broken(twin.where, twin.guard, twin.twin):
        try:
            async with asyncio.timeout(60):
                found = await twin.row(folder, twin.count, twin.seed)
        except Exception as error:
            found.faults.append(f"broke: {type(error).__name__}: {error}"[:300])
    return found


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.name)
async def test_a_guard_that_is_taken_away_is_missed(twin: Twin, yard: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")
    found = await found_by(twin, yard)
    assert found.faults, f"{twin.name}: nobody noticed. {found}"


def torn_before_the_promise(photo: Any, _following: Any, _chance: Any) -> str:
    """A disk that lies about what is safe."""
    path = photo.folder / test_t02_power_loss.WAL
    size = path.stat().st_size if path.exists() else 0
    with path.open("r+b") as stream:
        stream.truncate(size // 2)
    return "lied"


async def test_a_disk_that_lies_about_what_is_safe_is_noticed(yard: Path) -> None:
    with broken(test_t02_power_loss, "_tear", torn_before_the_promise):
        found = await test_t02_power_loss.torture(yard, 12, 24)
    assert any("lost" in fault for fault in found.faults), found


async def torture(folder: Path, count: int, seed: int) -> Found:
    """Run every twin once; a fault is a twin that nobody noticed."""
    found = Found(seed)
    for number, twin in enumerate(TWINS):
        seen = await found_by(twin, folder / f"twin{number}")
        found.counts["twins"] += 1
        found.expect(seen.faults, f"{twin.name}: nobody noticed. {seen}")
    return found
