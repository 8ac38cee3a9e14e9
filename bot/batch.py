"""Approving several cards at once: a list of fingerprints, and nothing that is not on it. Pure.

"approve all" does nothing by itself. It answers with the list of what waits and one button, and that button carries
card and fingerprint of each item. What is late, changed or over a limit by then drops out, and is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.channels.base import Card
from connectors.base import Role
from memory.events import Choice

DIGITS = 16  # of a fingerprint: 64 bits, compared with the whole one, and whoever presses is checked besides
ITEMS_MAX = 50

_ASKS = re.compile(r"/?approve\s+(?:them\s+)?(?:all|everything)(?:\s+of\s+them)?[.!]?", re.IGNORECASE)
_SEVERAL = re.compile(
    r"/?approve\s+(?:cards?\s+)?(?P<cards>\d+\.\d+(?:(?:\s*,\s*|\s+)(?:(?:and|&)\s+)?\d+\.\d+)+)[.!]?", re.IGNORECASE
)
_NAMES = re.compile(rf"/?approve((?:\s+\d+\.\d+@[0-9a-f]{{{DIGITS}}})+)", re.IGNORECASE)


@dataclass(frozen=True)
class Item:
    """One card as it was when it was listed."""

    card: str
    fingerprint: str  # its first `DIGITS`


def asks_for_all(text: str) -> bool:
    """Whether somebody typed "approve all" and nothing else."""
    return _ASKS.fullmatch(text.strip()) is not None


def named(text: str) -> tuple[str, ...]:
    """Return the cards that ``"approve 2.1 and 3.1"`` names, two at least; nothing when it is anything else.

    Named from memory, not from a list: they are listed first, as "approve all" is.
    """
    match = _SEVERAL.fullmatch(text.strip())
    return tuple(dict.fromkeys(re.findall(r"\d+\.\d+", match["cards"]))) if match else ()


def items_in(text: str) -> tuple[Item, ...]:
    """Return the cards that ``"approve 2.1@0f3c… 3.1@77aa…"`` names, once each; nothing when it is anything else."""
    named = _NAMES.fullmatch(text.strip())
    if named is None:
        return ()
    pairs: dict[str, str] = {}
    for word in named[1].lower().split():
        card, _, digits = word.partition("@")
        pairs.setdefault(card, digits)
    return tuple(Item(card, digits) for card, digits in pairs.items())[:ITEMS_MAX]


def offer(
    cards: Sequence[tuple[Card, str]], gone: Sequence[str] = (), alone: Sequence[str] = ()
) -> tuple[str, tuple[Choice, ...]]:
    """Return the list to show, and the button that approves exactly what is on it.

    Args:
        cards: Waiting approvals with the fingerprint of each.
        gone: Cards that were named and do not wait.
        alone: Cards that wait and are approved by themselves only.
    """
    apart = f"Not among them, because they pay somebody for the first time; press each by itself: {', '.join(alone)}"
    if not cards:
        return "\n".join(["Nothing waits for you that could be approved together.", *([apart] if alone else [])]), ()
    listed = cards[:ITEMS_MAX]
    lines = [_line(card) for card, _ in listed]
    if len(cards) > len(listed):
        lines.append(f"- and {len(cards) - len(listed)} more, after these")
    if gone:
        lines.append(f"Not among them, because they do not wait for you: {', '.join(gone)}")
    if alone:
        lines.append(apart)
    text = "approve " + " ".join(f"{card.id}@{fingerprint[:DIGITS]}" for card, fingerprint in listed)
    label = f"Approve these {len(listed)}" if len(listed) > 1 else "Approve this one"
    return "\n".join(["These wait for you. One press approves exactly them:", *lines]), (
        Choice(label=label, text=text),
    )


def _line(card: Card) -> str:
    facts = [
        f"{row.value} ({row.mark})" if row.mark else row.value
        for row in card.rows
        if row.role in {Role.RECIPIENTS, Role.PAYEE, Role.AMOUNT, Role.ATTACHMENTS, Role.REFERENCE}
    ]
    warning = "".join(f" ! {warning}" for warning in card.warnings)
    return f"- {card.id}: {card.title}" + "".join(f", {fact}" for fact in facts) + warning


def told(outcomes: Iterable[tuple[str, str]]) -> str:
    """Return in words what became of a batch.

    Args:
        outcomes: Card and the answer its press got.
    """
    done: list[tuple[str, str]] = []
    out: list[tuple[str, str]] = []
    for card, answer in outcomes:
        (done if answer == "Approved." else out).append((card, answer))
    lines = [f"Approved {len(done)}: {', '.join(card for card, _ in done)}." if done else "Nothing was approved."]
    if out:
        lines += [f"Left out {len(out)}:", *(f"- {card}: {answer}" for card, answer in out)]
    return "\n".join(lines)
