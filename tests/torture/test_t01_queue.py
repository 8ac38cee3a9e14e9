"""T1, of what waits for its turn: thirty mails are approved at once, five go a minute, and the house is killed in the queue.

What waits has not left, so nobody is asked about it: the post office's own ledger holds each mail once.
"""

from __future__ import annotations

from pathlib import Path

from tests.torture.kill import Harness, Verdict, Wish

MAILS, PACE, STEP_S = 30, 5, 62
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
    harness.life_s = 30.0
    verdict = await harness.run(LIVES)
    assert verdict.faults == []
    assert not verdict.unknown
    assert verdict.effects == {"mail": MAILS}
    assert verdict.points == {"queue": LIVES, "idle": 1}, "each life was killed where it was meant to be"


async def test_twin_that_says_sending_before_it_waits_has_to_ask(tmp_path: Path) -> None:
    verdict = await Queue(tmp_path, 1, twin="queue", step_s=STEP_S, pace=PACE).run(2)
    assert verdict.unknown["mail"] >= PACE, verdict
