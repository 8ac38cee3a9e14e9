"""Phrases: what is left of the operator's sentence once names and times are taken out of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from agents.base import Desk
from agents.slots.grammar import find_spans

TIMES = frozenset({"moment", "day", "time", "every", "span"})
_JOINTS = re.compile(r"(?:^|\s)(?:on|at|by|in|for|from|to|until|every)?\s*$", re.IGNORECASE)


def said_about(pattern: re.Pattern[str], text: str, names: Iterable[str] = (), desk: Desk | None = None) -> str:
    """Return what a pattern finds in the operator's words, unless it is only one of the names or, with a desk, a date."""
    found = pattern.search(text)
    said = found[1].strip(" .,") if found else ""
    if not said or said.casefold() in {name.casefold() for name in names}:
        return ""
    if desk:
        spans = find_spans(said, desk.now, desk.zone, desk.company.get("locale", "en"))
        if any(slot.start == 0 and slot.end >= len(said) - 1 for slot in spans):
            return ""
    return said


def without_times(text: str, desk: Desk) -> str:
    """Return the sentence without its dates, times and recurrences, and the little words that joined them to it."""
    spans = find_spans(text, desk.now, desk.zone, desk.company.get("locale", "en"))
    for slot in sorted(spans, key=lambda slot: -slot.start):
        if slot.kind in TIMES:
            text = _JOINTS.sub(" ", text[: slot.start]) + " " + text[slot.end :]
    return text
