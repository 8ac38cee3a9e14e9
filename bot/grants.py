"""Approving in advance: "approve all like 12.1 for a week", "/grants", "revoke 12.1.g1". The words only; pure.

A grant is for one action, one client, up to the amount on the card it was given on, for a time and a number of uses. It
is a row in the house's history, so it is listed, counted and revocable, and every limit counts what it lets through.
"""

from __future__ import annotations

import re
from datetime import timedelta

DAYS = 7  # when no time is said
DAYS_MAX = 90  # what holds for longer is a rule, and belongs into policy.toml
USES_MAX = 20

_LIKE = re.compile(
    r"/?approve\s+(?:all|everything)\s+like\s+#?(?P<card>\d+(?:\.\d+)?)"
    r"(?:\s+for\s+(?:the\s+next\s+)?(?:(?P<n>\d{1,3}|an?|one|two|three)\s+)?(?P<unit>day|week|month)s?)?[.!]?",
    re.IGNORECASE,
)
_LIST = re.compile(r"/?(?:list\s+|show\s+)?(?:my\s+)?grants[.?]?", re.IGNORECASE)
_REVOKE = re.compile(r"/?revoke\s+(?:grant\s+)?(?P<grant>all(?:\s+grants)?|\d+\.\d+\.g\d+)[.!]?", re.IGNORECASE)
_WORDS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3}
_UNITS = {"day": 1, "week": 7, "month": 30}


def like(text: str) -> tuple[str, int] | None:
    """``"approve all like 12.1 for two weeks"`` → ``("12.1", 14)``: card and days; None for anything else."""
    match = _LIKE.fullmatch(text.strip())
    if match is None:
        return None
    if not match["unit"]:
        return match["card"], DAYS
    said = (match["n"] or "one").lower()
    count = int(said) if said.isdecimal() else _WORDS[said]
    return match["card"], max(1, min(DAYS_MAX, count * _UNITS[match["unit"].lower()]))


def lists(text: str) -> bool:
    """Whether somebody wants to see the grants."""
    return _LIST.fullmatch(text.strip()) is not None


def revoked(text: str) -> str:
    """``"revoke 12.1.g1"`` → ``"12.1.g1"``, ``"revoke all"`` → ``"all"``; "" for anything else."""
    match = _REVOKE.fullmatch(text.strip())
    return "" if match is None else match["grant"].lower().partition(" ")[0]


def span(days: str) -> timedelta:
    """Return how long a grant holds; the reason of a press carries the days."""
    return timedelta(days=int(days) if days.isdecimal() else DAYS)
