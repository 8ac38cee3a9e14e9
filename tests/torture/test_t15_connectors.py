"""T15B: the services behind the connectors in a storm: 429, 5xx, lines cut before and after the provider has done it.

Half of all calls fail, several in a row, while mails, meetings, payment links and posts go out, with real connectors against
real counterparts. What is keyed happens exactly once. A mail happens at most once, and where nobody can know the operator is
asked, and answers what the mail server's own ledger says. Nothing is lost: at the end everything is done.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from bot.policy import Policy, Rule
from connectors.client import Client
from memory.events import ActionCall
from tests.counterparts.faults import Front
from tests.counterparts.smtp import Fault
from tests.torture.bare import BareHouse, Found, without_queue
from tests.torture.town import Town, town

START, END = "2026-04-01T10:00:00+02:00", "2026-04-01T11:00:00+02:00"
AT_ONCE = 8
HOURS_MAX = 200  # until everything is done: several rounds of every retry

DOES: dict[str, Callable[[str], dict[str, Any]]] = {
    "mail.send": lambda words: {"to": ["anna@acme.example"], "subject": words, "body": "Hello"},
    "calendar.book": lambda words: {"title": words, "start": START, "end": END},
    "stripe.payment_link": lambda words: {"amount": "5.00 EUR", "description": words, "reference": words},
    "bluesky.post": lambda words: {"text": words},
}


def done(there: Town, name: str, words: str) -> int:
    """How often it happened, by the provider's own ledger."""
    match name:
        case "mail.send":
            return there.mails(words)
        case "calendar.book":
            return len(there.events(words))
        case "stripe.payment_link":
            return len(there.form(**{"metadata[reference]": words}))
        case _:
            return sum(record["text"] == words for _, record in there.bluesky.repo.values())


class Storm:
    """Lets half of what comes fail, in one of the ways a service fails."""

    def __init__(self, there: Town, chance: random.Random) -> None:
        self.there, self.chance, self.calm = there, chance, False
        self.fierce = False  # every answer is lost, as often as one attempt asks
        self.blown = 0

    def before(self, name: str) -> None:
        """Arrange what happens to the next call."""
        if self.calm or (not self.fierce and self.chance.random() < 0.5):
            return
        self.blown += 1
        fronts = {
            "calendar.book": self.there.calendar_front, "stripe.payment_link": self.there.stripe_front,
            "bluesky.post": self.there.bluesky_front,
        }  # fmt: skip
        if name in fronts:
            self._front(fronts[name])
        else:
            self._post()

    def _front(self, front: Front) -> None:
        if self.fierce:
            front.fail("drop", after=True, times=3)
            return
        after = self.chance.random() < 0.4
        # A service that says 429 has done nothing; one that breaks may have.
        how = self.chance.choice(("drop", "500", "502") if after else ("drop", "429", "429", "500", "503"))
        front.fail(how, after=after, times=self.chance.randint(1, 4), reads=self.chance.random() < 0.2)

    def _post(self) -> None:
        point, fault = self.chance.choice(
            [
                ("rcpt", Fault("451 4.3.0 Try again later", times=1)),
                ("mail", Fault("421 4.7.0 Too many connections", drop=True, times=1)),
                ("connect", Fault(drop=True, times=1)),
                ("dot", Fault("452 4.2.2 No room", times=1)),
                ("dot", Fault(drop=True, times=1)),
                ("kept", Fault(drop=True, times=1)),
            ]
        )
        self.there.post.at(point, fault)

    def passes(self) -> None:
        self.calm = True
        self.there.post.heal()
        for front in (self.there.calendar_front, self.there.stripe_front, self.there.bluesky_front):
            front._faults.clear()


def _hurry(house: BareHouse) -> None:
    """Waits within one attempt pass at once; those between two attempts are the house's, on its own clock."""
    ticks = itertools.count(time.monotonic() + 3_600, 20)  # each look is twenty seconds later: no queue, short rests

    async def at_once(_: float) -> None:
        await asyncio.sleep(0)

    without_queue(house)
    for connector in house.runner._staff.connectors.values():
        for each in vars(connector).values():
            if isinstance(each, Client):
                each._pause = at_once
                each.breaker._monotonic = each._pace._monotonic = lambda: float(next(ticks))
        breaker = getattr(connector, "breaker", None)
        if breaker is not None:
            breaker._monotonic = lambda: float(next(ticks))


async def torture(folder: Path, count: int, seed: int, twin: str = "") -> Found:
    """``count`` sends; ``twin`` loses every first answer, and "key" makes every attempt's key another."""
    found, chance = Found(seed), random.Random(seed)
    async with town(folder / "town", imap=False) as there:
        there.post.heal()  # no kills here
        storm = Storm(there, chance)
        storm.fierce = bool(twin)
        policy = Policy(rules=(Rule("*", "do"),), delay=timedelta(0))
        house = BareHouse(folder / "home", policy=policy, environment=there.environment())
        house.agent.proposes = tuple(DOES)  # type: ignore[misc]
        async with house:
            _hurry(house)
            if twin == "key":
                _without_keys(house)
            sent: dict[str, str] = {}
            while len(sent) < count:
                batch = []
                for _ in range(min(AT_ONCE, count - len(sent))):
                    name, words = chance.choice(tuple(DOES)), f"w{chance.randrange(16**9):09x}"
                    sent[words] = name
                    storm.before(name)
                    house.agent.next.append((ActionCall(name=name, args=DOES[name](words)),))
                    batch.append(house.operator(f"ask send body={words}"))
                await asyncio.gather(*batch)
                await _operator(house, there, sent)
                await house.later(minutes=chance.choice((1, 10, 90)))
            storm.passes()
            for _ in range(HOURS_MAX):
                await _operator(house, there, sent)
                if not _unfinished(house):
                    break
                await house.later(hours=2)
            _judge(house, there, sent, found)
            found.counts["storms"] = storm.blown
            found.faults += house.wrong()
    return found


def _without_keys(house: BareHouse) -> None:
    """The twin: every attempt has a key of its own."""
    number = itertools.count()
    for service in ("calendar", "stripe", "bluesky"):
        connector = house.runner._staff.connectors[service]
        for name in DOES:
            if name.startswith(service):
                method = name.partition(".")[2]
                real = getattr(connector, method)

                async def fresh(*, key: str, real: Any = real, **more: Any) -> Any:
                    return await real(key=f"{key}{next(number)}", **more)

                setattr(connector, method, fresh)


async def _operator(house: BareHouse, there: Town, sent: dict[str, str]) -> None:
    """Answers what asks: of what nobody knows the truth, of what is stuck to try again."""
    for card in house.machine.history.waiting():
        whole = f"{card.rows} {card.body}"
        words = next((each for each in sent if each in whole), "")
        match card.kind:
            case "unknown":
                await house.press("It arrived" if done(there, sent[words], words) else "Send again", card.id)
            case "stuck":
                await house.press("Try again", card.id)
            case _:  # a check found something, such as an address that is not on the books
                await house.press("Approve", card.id)


def _unfinished(house: BareHouse) -> int:
    with house.machine.database.read() as connection:
        query = "SELECT count(*) FROM effects WHERE status NOT IN ('confirmed', 'dropped')"
        return int(connection.exec_driver_sql(query).scalar() or 0)


def _judge(house: BareHouse, there: Town, sent: dict[str, str], found: Found) -> None:
    found.expect(not _unfinished(house), f"{_unfinished(house)} effects are not done")
    for words, name in sent.items():
        count = done(there, name, words)
        found.counts[name] += 1
        found.expect(count == 1, f"{name} {words} happened {count} times")
    with house.machine.database.read() as connection:
        found.counts["effects"] = int(connection.exec_driver_sql("SELECT count(*) FROM effects").scalar() or 0)
    found.expect(found.counts["effects"] == len(sent), f"{found.counts['effects']} effects for {len(sent)} wishes")


async def test_five_hundred_sends_in_a_storm_happen_once_each(yard: Path) -> None:
    found = await torture(yard, 500, 15)
    assert not found.faults, found
    assert found.counts["storms"] > 150, found


async def test_when_every_answer_is_lost_the_same_key_still_does_it_once(yard: Path) -> None:
    """The twin's own set-up without the twin, so that it cannot fail for another reason."""
    found = await torture(yard, 12, 15, twin="none")
    assert not found.faults, found


async def test_t15b_sees_keys_that_change(yard: Path) -> None:
    found = await torture(yard, 12, 15, twin="key")
    assert any(f"happened {n} times" in fault for fault in found.faults for n in (2, 3)), found
