"""A day of history → a short letter. Pure: what happened comes in as values, words go out.

Four questions, always in this order: what was done, what waits for me, what is stuck, where is the money.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

LINES_MAX = 8  # per part; the rest is counted, not listed: a digest is read on a phone


@dataclass(frozen=True)
class Day:
    """What a digest is made from."""

    day: date
    name: str = ""
    done: Sequence[str] = ()  # sentences from receipts
    waiting: Sequence[tuple[str, str]] = ()  # card id, title
    stuck: Sequence[str] = ()
    overdue: Sequence[str] = ()
    receivable: Mapping[str, Decimal] = field(default_factory=dict)  # currency → unpaid
    received: Mapping[str, Decimal] = field(default_factory=dict)  # currency → paid since the last digest
    model_usd: Decimal = Decimal(0)
    coming: Sequence[str] = ()  # reminders and dates of today
    paused: Sequence[str] = ()


def compose(day: Day) -> str:
    """Return the letter as plain text, bullets as "- "."""
    parts = [f"{day.day:%A}, {day.day.day} {day.day:%B %Y}"]
    if day.paused:
        parts.append(f"⏸ Stopped: {', '.join(day.paused)}. /resume goes on.")
    parts.append(_part("Done", day.done, "Nothing since the last digest."))
    parts.append(
        _part("Waiting for you", [f"{card}: {title}" for card, title in day.waiting], "Nothing waits for you.")
    )
    parts.append(_part("Stuck", day.stuck, "Nothing is stuck."))
    parts.append(_part("Money", _money(day), "No open invoices."))
    if day.coming:
        parts.append(_part("Today", day.coming, ""))
    return "\n\n".join(parts)


def _part(title: str, lines: Sequence[str], none: str) -> str:
    shown = [f"- {line}" for line in lines[:LINES_MAX]]
    if len(lines) > LINES_MAX:
        shown.append(f"- and {len(lines) - LINES_MAX} more")
    return "\n".join([title, *(shown or [f"- {none}"])])


def _money(day: Day) -> list[str]:
    lines = [f"Received: {_sum(day.received)}"] if day.received else []
    if day.receivable:
        lines.append(f"Unpaid: {_sum(day.receivable)}")
    lines += [f"Overdue: {line}" for line in day.overdue]
    if day.model_usd:
        lines.append(f"Models: {day.model_usd:.2f} USD")
    return lines


def _sum(sums: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{amount:,.2f} {currency}" for currency, amount in sorted(sums.items()) if amount) or "0.00"
