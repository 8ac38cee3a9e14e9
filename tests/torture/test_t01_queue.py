"""T1, of what waits: for its turn, where thirty mails are approved and five go a minute; for a place, where the mail server hangs.

The house is killed while they wait. What waits has not left, so nobody is asked about it: the post office's own ledger holds
each mail once.
"""

from __future__ import annotations

from pathlib import Path

from connectors.base import AT_ONCE
from tests.counterparts.smtp import Fault
from tests.torture.kill import Harness, Verdict, Wish

MAILS, PACE, STEP_S = 30, 5, 62
MAILS_AT_ONCE = 11
LIVES = MAILS // PACE


class Queue(Harness):
    """Lives that are all killed when nothing is on its way any more; each is born a minute after the one before."""

    async def run(self, kills: int, quiet_lives: int = 1) -> Verdict:
        self.wishes = {number: Wish(number, "mail") for number in range(1, MAILS + 1)}
        return await super().run(kills, quiet_lives)

    async def _live(self, death: str, nth: int, fresh: int) -> None:
        await super()._live(death, nth, fresh * 0)

    def _death(self) -> tuple[str, int]:
        return "queue", 0


async def test_killed_in_the_queue_every_mail_leaves_once_and_nobody_is_asked(tmp_path: Path) -> None:
    harness = Queue(tmp_path, 1, step_s=STEP_S, pace=PACE)
    harness.life_s = 240.0  # a bound for a hang: a life ends when nothing is on its way any more
    verdict = await harness.run(LIVES)
    assert verdict.faults == []
    assert not verdict.unknown
    assert verdict.effects == {"mail": MAILS}
    assert verdict.points == {"queue": LIVES, "peace": 1}, "each life was killed where it was meant to be"


async def test_twin_that_says_sending_before_it_waits_has_to_ask(tmp_path: Path) -> None:
    verdict = await Queue(tmp_path, 1, twin="queue", step_s=STEP_S, pace=PACE).run(2)
    assert verdict.unknown["mail"] >= PACE, verdict


class Places(Harness):
    """A life that is killed with every place at the mail server taken by a mail it does not answer, and one that ends its work."""

    async def run(self, kills: int, quiet_lives: int = 1) -> Verdict:
        self.wishes = {number: Wish(number, "mail") for number in range(1, MAILS_AT_ONCE + 1)}
        self.life_s = 30.0
        return await super().run(kills, quiet_lives)

    async def _live(self, death: str, nth: int, fresh: int) -> None:
        heal = self.post.heal
        if death == "places":
            self.post.heal = lambda: (heal(), self.post.at("dot", Fault(hang=True)))  # type: ignore[method-assign,assign]
        try:
            await super()._live(death, nth, fresh * 0)
        finally:
            self.post.heal = heal  # type: ignore[method-assign]

    def _death(self) -> tuple[str, int]:
        return "over" if self._lives else "places", 0


async def test_killed_with_every_place_taken_only_those_that_had_one_are_asked_about(tmp_path: Path) -> None:
    verdict = await Places(tmp_path, 1, step_s=STEP_S).run(2)
    assert verdict.faults == []
    assert verdict.unknown == {"mail": AT_ONCE}
    assert verdict.effects == {"mail": MAILS_AT_ONCE - AT_ONCE}, "the server kept none of those it did not answer"
    assert verdict.points == {"places": 1, "over": 1, "peace": 1}


async def test_twin_that_begins_what_has_no_place_has_to_ask_about_it(tmp_path: Path) -> None:
    verdict = await Places(tmp_path, 1, twin="places", step_s=STEP_S).run(1)
    assert verdict.unknown["mail"] > AT_ONCE, verdict
