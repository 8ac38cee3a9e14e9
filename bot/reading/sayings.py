"""More ways to say what agents already declare, by intent; an intent that is not in the house is passed over.

An agent's author writes what is special to it; in ``sayings.txt`` stands what operators say for the same thing in other
words, in a hurry, on a phone, kept together so that neighbours ("note" and "remind", "report" and "revenue") can be told
apart on one page. ``nobody.txt`` holds what people say to a bot that nobody here does: chatter, the world, skills that
this back office has not; the classifier learns from it what it must not take for an order.

Like an example each sentence is trained on, so none may be anybody's check, or stand in the sets that measure.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_FOLDER = Path(__file__).parent


def _read(name: str) -> dict[str, tuple[str, ...]]:
    """Return heading → sentences of a file with ``# heading`` lines and one sentence a line."""
    found: dict[str, list[str]] = {}
    heading = ""
    for line in (_FOLDER / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            heading = line[2:].strip()
        elif line.strip():
            found.setdefault(heading, []).append(line.strip())
    return {each: tuple(sentences) for each, sentences in found.items()}


SAYINGS: Mapping[str, tuple[str, ...]] = _read("sayings.txt")
NOBODYS: tuple[str, ...] = tuple(text for sentences in _read("nobody.txt").values() for text in sentences)
