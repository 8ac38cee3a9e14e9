"""Until when a card can be put aside with a tap: one list for Slack and Telegram, and the console's own says the same."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from bot.channels import snooze, web
from bot.channels.base import Button, Card
from bot.channels.slack import blocks
from bot.channels.telegram.presses import SNOOZES, snooze_keyboard

BERLIN = ZoneInfo("Europe/Berlin")
NOON, LATE = datetime(2026, 11, 20, 11, tzinfo=UTC), datetime(2026, 11, 20, 19, tzinfo=UTC)


def test_every_channel_offers_the_same_words() -> None:
    card = Card("12.1", 1, "Send", "pending", buttons=(Button("Snooze", "snooze", "h"),))
    menu = blocks.sheet(card).parts[0].blocks[-1]["elements"][0]
    in_slack = [option["text"]["text"] for option in menu["options"]]
    in_telegram = [key.label for row in snooze_keyboard("h", NOON, BERLIN) for key in row][:-1]
    script = (Path(web.__file__).parent / "card.js").read_text(encoding="utf-8")
    on_console = re.findall(r'\["([A-Z][^"]+)"(?=, (?:new Date|at\())', script.partition("function snoozePanel")[2])
    assert in_slack == in_telegram == on_console == list(snooze.CHOICES.values())
    assert list(SNOOZES.values()) == list(snooze.CHOICES)


def test_the_evening_is_offered_while_there_is_one_left() -> None:
    assert "evening" in snooze.offered(NOON, BERLIN)
    assert "evening" not in snooze.offered(LATE, BERLIN)
    assert snooze.until("evening", NOON, BERLIN) == datetime(2026, 11, 20, 17, tzinfo=UTC)
    assert snooze.until("evening", LATE, BERLIN) == datetime(2026, 11, 20, 20, tzinfo=UTC), (
        "a stale button means an hour"
    )


def test_the_morning_is_nine_by_the_wall_clock_when_the_hour_changes() -> None:
    before_summer = datetime(2027, 3, 27, 12, tzinfo=UTC)
    assert snooze.until("tomorrow", before_summer, BERLIN) == datetime(2027, 3, 28, 7, tzinfo=UTC)
    assert snooze.until("monday", datetime(2026, 11, 23, 9, tzinfo=UTC), BERLIN) == datetime(
        2026, 11, 30, 8, tzinfo=UTC
    )
