"""A day of history → a short letter. Pure: what happened comes in as values, words go out.

Four questions, always in this order: what was done, what waits for me, what is stuck, where is the money.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from agents.base import money
from bot.figures import money_words

LINES_MAX = 8  # per part; the rest is counted, not listed: a digest is read on a phone


@dataclass(frozen=True)
class Day:
    """What a digest is made from."""

    day: date
    since: str = "since the last digest"  # how far back it looks, in words
    done: Sequence[str] = ()  # sentences from receipts
    waiting: Sequence[tuple[str, str]] = ()  # card id, what it is about
    stuck: Sequence[str] = ()
    overdue: Sequence[str] = ()
    receivable: Mapping[str, Decimal] = field(default_factory=dict)  # currency → unpaid
    received: Mapping[str, Decimal] = field(default_factory=dict)  # currency → paid since the last digest
    model_usd: Decimal = Decimal(0)
    coming: Sequence[str] = ()  # reminders and dates of today
    paused: Sequence[str] = ()
    attention: Sequence[str] = ()  # what the monitor found, the most pressing first


@dataclass(frozen=True)
class Span:
    """What a weekly or monthly review is made from."""

    title: str  # "Week 10 of 2026"
    done: Mapping[str, int] = field(default_factory=dict)  # action → how often it was confirmed
    troubled: int = 0  # effects that failed or whose outcome nobody knows
    decided: Mapping[str, int] = field(default_factory=dict)  # unchanged, edited, rejected, undone → how often
    receivable: Mapping[str, Decimal] = field(default_factory=dict)
    received: Mapping[str, Decimal] = field(default_factory=dict)
    model_calls: int = 0
    model_usd: Decimal = Decimal(0)
    attention: Sequence[str] = ()


def review(span: Span) -> str:
    """Return the review of a week or a month as plain text."""
    done = [f"{name}: {count}" for name, count in sorted(span.done.items(), key=lambda pair: (-pair[1], pair[0]))]
    if span.troubled:
        done.append(f"failed or unknown: {span.troubled}")
    decided = [f"{count} {how}" for how, count in span.decided.items() if count]
    total = sum(span.decided.values())
    if total:
        decided.append(f"that is {100 * span.decided.get('unchanged', 0) // total} % as it was drafted")
    money = [f"Received: {_sum(span.received)}"] if span.received else []
    money += [f"Unpaid: {_sum(span.receivable)}"] if span.receivable else []
    money.append(f"Models: {span.model_calls} calls, {span.model_usd:.2f} USD")
    parts = [span.title, _part("Done", done, "Nothing."), _part("Your decisions", decided, "None were asked for.")]
    parts.append(_part("Money", money, ""))
    if span.attention:
        parts.append(_part("Needs a look", span.attention, ""))
    return "\n\n".join(parts)


def compose(day: Day) -> str:
    """Return the letter as plain text, bullets as "- "."""
    parts = [f"{day.day:%A}, {day.day.day} {day.day:%B %Y}"]
    if day.paused:
        parts.append(f"⏸ Stopped: {', '.join(day.paused)}. /resume goes on.")
    parts.append(_part("Done", day.done, f"Nothing {day.since}."))
    parts.append(
        _part("Waiting for you", [f"{card}: {title}" for card, title in day.waiting], "Nothing waits for you.")
    )
    parts.append(_part("Stuck", day.stuck, "Nothing is stuck."))
    if day.attention:
        parts.append(_part("Needs a look", day.attention, ""))
    parts.append(_part("Money", _money(day), "No open invoices."))
    if day.coming:
        parts.append(_part("Today", day.coming, ""))
    return "\n\n".join(parts)


def looked_back(title: str, done: Sequence[str], received: Mapping[str, Decimal]) -> str:
    """Return what was done in days that are over, as plain text: no more is asked by "what did you do yesterday?"."""
    if not done and not received:
        return f"{title}: nothing was done."
    lines = [*done, *([f"Received: {_sum(received)}"] if received else [])]
    return _part(title, lines, "")


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
    return (
        ", ".join(money_words(money(amount, currency)) for currency, amount in sorted(sums.items()) if amount) or "0.00"
    )
