"""T15: half of all sends are refused with 429 or 5xx, or cut off, some after the platform had done it.

Nothing lost, nothing twice, order kept in a chat, approvals ahead of words. The channels' own tests hold the CI form
and the twins. Judged by what stands in the workspace and in the chat.
"""

from __future__ import annotations

from pathlib import Path

from bot.channels.base import Message
from tests.bot.channels import test_slack_storm as slack
from tests.bot.channels import test_telegram as telegram
from tests.bot.channels.slack_house import house
from tests.bot.channels.telegram.stage import CHAT, stage
from tests.counterparts.slack import BINARY, local_slack
from tests.torture.bare import Found

WAVE = 500  # sends in one storm: no conversation is read further back


async def torture(folder: Path, count: int, seed: int) -> Found:
    """``count`` sends, half of them on each channel, in waves."""
    del folder
    found = Found(seed)
    for first in range(0, count // 2, WAVE):
        wave = min(WAVE, count // 2 - first)
        await _telegram(found, wave, seed + first)
        if BINARY.exists():
            await _slack(found, wave, seed + first)
        else:
            found.counts["Slack left out: no local-slack here"] += 1
    return found


async def _telegram(found: Found, count: int, seed: int) -> None:
    async with stage() as on:
        await on.channel.say(CHAT, Message("0.m0", "before the storm"))
        on.telegram.storm = telegram.stormy(seed, after=True)  # type: ignore[assignment]
        shown = await telegram.send_in_a_storm(on, count)
        found.counts["Telegram sends"] += count
        found.counts["Telegram calls"] += len(on.telegram.calls)
        said = [text for text in shown if text.startswith("message")]
        found.expect(said == [f"message {number:03d}" for number in range(count)], _difference("Telegram", said, count))
        cards = [place for place, text in enumerate(shown) if text.startswith("🗂")]
        found.expect(len(cards) == telegram.CARDS, f"Telegram: {len(cards)} cards")
        late = max(cards, default=0)
        found.expect(late < 3 * telegram.CARDS or count < late + 2, f"Telegram: a card waited behind {late} messages")


async def _slack(found: Found, count: int, seed: int) -> None:
    with local_slack("socket") as running:
        async with house(running) as home:
            stood = await slack.storm(home, seed, count)
            each = count // 5
            found.counts["Slack sends"] += each * len(stood)
            found.counts["Slack calls"] += len(home.edge.tried)
            for number, marks in stood.items():
                wanted = [f"{number}-{n}.m1" for n in range(each)]
                found.expect(marks == wanted, _difference(f"Slack {number}", marks, each))


def _difference(where: str, stands: list[str], count: int) -> str:
    return f"{where}: {count} sent, {len(stands)} stand there, {len(set(stands))} different, or out of order"


async def test_a_storm_loses_nothing_and_doubles_nothing(yard: Path) -> None:
    found = await torture(yard, 100, 51)
    assert not found.faults, found
