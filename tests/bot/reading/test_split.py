"""Where a message may be cut."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from agents.slots import find_spans
from bot.reading.split import cuts

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 19, 10, tzinfo=ZONE)


def parts(text: str) -> list[tuple[str, str, bool]]:
    return list(cuts(text, find_spans(text, NOW, ZONE, "en_GB")))


@pytest.mark.parametrize("mark", ["; ", ". ", ", and ", " then ", "\n", " and also "])
def test_a_clear_break_is_a_sure_cut(mark: str) -> None:
    assert ("invoice Acme", "call Bob", True) in parts(f"invoice Acme{mark}call Bob")


@pytest.mark.parametrize("mark", [" and ", ", ", " plus "])
def test_a_soft_break_is_an_unsure_cut(mark: str) -> None:
    assert ("invoice Acme", "call Bob", False) in parts(f"invoice Acme{mark}call Bob")


@pytest.mark.parametrize(
    "text", ["bill Acme two hundred and fifty euros", "call Bob every Monday and Thursday", "bill Acme 1,200"]
)
def test_a_value_is_never_cut(text: str) -> None:
    assert parts(text) == []


def test_one_word_is_no_request() -> None:
    assert parts("hello, world") == []
