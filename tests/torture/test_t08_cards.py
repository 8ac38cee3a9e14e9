"""T8: a card shows what would be done, whatever somebody writes into it: on Slack, on Telegram, and no two look alike.

The channels' own tests hold the CI form, 2,000 payloads each, with their twins. Here the same judges are given as many
as the matrix says.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from tests.bot.channels import test_slack_blocks as slack
from tests.bot.channels.telegram import test_cards as telegram
from tests.torture.bare import Found

PAIRS_PER_ROUND = 15  # about, of Telegram's: each value with every trick


async def torture(folder: Path, count: int, seed: int) -> Found:
    """``count`` generated cards on each channel, and half as many pairs that differ by one trick."""
    del folder
    found = Found(seed)
    chance, dice = random.Random(seed), random.Random(seed)
    for number in range(count):
        made = slack.generated(chance, number)
        _hold(found, "Slack", lambda made=made: slack.check(made))  # type: ignore[misc]
        if number % 10 == 0:
            _hold(found, "Slack's forms", lambda made=made: slack.check_views(made))  # type: ignore[misc]
        card = telegram.random_card(dice)
        _hold(found, "Telegram", lambda card=card: telegram.check(card))  # type: ignore[misc]
    _hold(found, "pairs on Slack", lambda: slack.check_no_deception(count // 2, seed))
    rounds = max(1, count // 2 // PAIRS_PER_ROUND)
    _hold(found, "pairs on Telegram", lambda: telegram.check_no_deception(seed, rounds))
    return found


def _hold(found: Found, what: str, judge: Callable[[], object]) -> None:
    found.counts[what] += 1
    try:
        judge()
    except AssertionError as error:
        found.faults.append(f"{what}, number {found.counts[what]}: {str(error)[:300] or 'shown wrongly'}")


async def test_other_payloads_than_every_day_are_shown_as_they_are(yard: Path) -> None:
    found = await torture(yard, 60, 88)
    assert not found.faults, found
