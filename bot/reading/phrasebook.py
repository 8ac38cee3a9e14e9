"""Sentences whose meaning the operator has settled: exact after masking, and so at once and for every client."""

from __future__ import annotations

import re
from collections.abc import Iterable

PHRASES_MAX = 5000  # the oldest go first; an operator corrects a few a week


def folded(mask: str) -> str:
    """Return a masked sentence without what does not change its meaning: signs, and an s after a mask."""
    return re.sub(r"\s+", " ", re.sub(r"[^\w\s]", " ", mask)).strip()


class Phrasebook:
    """Masked sentence → intent. ``pairs`` are what was learned before, in order."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._known: dict[str, str] = {}
        for mask, intent in pairs:
            self.learn(mask, intent)

    def learn(self, mask: str, intent: str) -> None:
        """Keep one; the newest word on a sentence wins, and an empty intent takes back what was said of it."""
        key = folded(mask)
        if not key:
            return
        self._known.pop(key, None)
        if intent:
            self._known[key] = intent
        while len(self._known) > PHRASES_MAX:
            del self._known[next(iter(self._known))]

    def find(self, mask: str) -> str:
        """Return the intent of a masked sentence, or an empty string."""
        return self._known.get(folded(mask), "")

    def pairs(self) -> list[tuple[str, str]]:
        """Return what is known, the oldest first."""
        return list(self._known.items())
