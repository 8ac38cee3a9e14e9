"""Approving in advance: "approve all like 12.1 for a week", "/grants", "revoke 12.1". The words only; pure.

A grant is for one action, one client, up to the amount on the card it was given on, beside the same other actions as
there, for a time and a number of uses. It is a row in the house's history, so it is listed, counted and revocable, and
every limit counts what it lets through. A card's button "Approve all like this" asks how long first (`offer`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from memory.events import ActionCall, CardOpened, Choice, fingerprint

DAYS = 7  # when a press says no time: those of older versions
DAYS_MAX = 90  # what holds for longer is a rule, and belongs into policy.toml
USES_MAX = 20
OFFERED = (1, 7, 30)  # days that have a button
LISTED_MAX = 10  # cards whose grants get a button to end them
DIGITS = 16  # of the fingerprint, as in a batch

_LIKE = re.compile(
    r"/?approve\s+(?:all|everything)\s+like\s+#?(?P<card>\d+(?:\.\d+(?:@[0-9a-f]{16})?)?)"
    r"(?:\s+for\s+(?:the\s+next\s+)?(?:(?P<n>\d{1,3}|an?|one|two|three)\s+)?(?P<unit>day|week|month)s?)?[.!]?",
    re.IGNORECASE,
)
_LIST = re.compile(r"/?(?:list\s+|show\s+)?(?:my\s+)?grants[.?]?", re.IGNORECASE)
_REVOKE = re.compile(r"/?revoke\s+(?:grant\s+)?(?P<grant>all(?:\s+grants)?|\d+\.\d+(?:\.g\d+)?)[.!]?", re.IGNORECASE)
_WORDS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3}
_UNITS = {"day": 1, "week": 7, "month": 30}


def like(text: str) -> tuple[str, int] | None:
    """``"approve all like 12.1 for two weeks"`` → ``("12.1", 14)``: card and days, 0 when none were said; None else.

    A button's words name the draft as well: ``"12.1@0f3c…"``, 16 digits of its fingerprint.
    """
    match = _LIKE.fullmatch(text.strip())
    if match is None:
        return None
    if not match["unit"]:
        return match["card"], 0
    said = (match["n"] or "one").lower()
    count = int(said) if said.isdecimal() else _WORDS[said]
    return match["card"], max(1, min(DAYS_MAX, count * _UNITS[match["unit"].lower()]))


def lists(text: str) -> bool:
    """Whether somebody wants to see the grants."""
    return _LIST.fullmatch(text.strip()) is not None


def revoked(text: str) -> str:
    """``"revoke 12.1.g1"`` → ``"12.1.g1"``, ``"revoke 12.1"`` (a card's), ``"all"``; "" for anything else."""
    match = _REVOKE.fullmatch(text.strip())
    return "" if match is None else match["grant"].lower().partition(" ")[0]


def ended(which: str, given: Sequence[str]) -> list[str]:
    """Return which of the grants given ``"12.1.g1"``, ``"12.1"`` or ``"all"`` means."""
    return [key for key in given if which in {"all", key, key.rpartition(".g")[0]}]


def has_like(card: CardOpened) -> bool:
    """Whether "all like this" means something: every call is for a client, and nothing about it was out of the way."""
    return (
        card.kind == "approval"
        and not card.compensates
        and bool(card.calls)
        and all(call.client for call in card.calls)
        and not card.newcomers
        and not card.new_payees
        and not card.warnings
    )


def offer(card: CardOpened, covered: Sequence[str], until: Sequence[str]) -> tuple[str, tuple[Choice, ...]]:
    """Return what the button asks back, and a choice for each of `OFFERED`: nothing counts before one is pressed.

    Args:
        covered: What each call would be allowed again, in words.
        until: When each of `OFFERED` would be over, in words.
    """
    together = ", all of it together and no part alone" if len(covered) > 1 else ""
    text = [
        f"Approve {card.card} now, and then do without asking{together}:",
        *(f"- {line}" for line in covered),
        f"{USES_MAX} times at most, within your limits, never to somebody new. I tell you each time.",
        "/grants lists it and ends it.",
    ]
    print_ = card.fingerprint[:DIGITS]
    choices = [
        Choice(
            label=f"For {days} day{'s' * (days != 1)}, until {when}",
            text=f"approve all like {card.card}@{print_} for {days} day{'s' * (days != 1)}",
        )
        for days, when in zip(OFFERED, until, strict=True)
    ]
    only = Choice(label="Only this one", text=f"approve {card.card}@{print_}")
    return "\n".join(text), (*choices, only)


def endings(given: Sequence[str]) -> tuple[Choice, ...]:
    """Return a button to end the grants of each card among those given."""
    cards = dict.fromkeys(key.rpartition(".g")[0] for key in given)
    return tuple(Choice(label=f"End {card}", text=f"revoke {card}") for card in list(cards)[:LISTED_MAX])


LATE_MAX = timedelta(days=1)  # after its hour, what was planned asks again: the world may have changed


def ahead(calls: Iterable[ActionCall]) -> list[tuple[ActionCall, datetime]]:
    """Return what a draft plans to be done at an hour to come, with the hour: a schedule's record names the whole call."""
    found = []
    for call in calls:
        for write in call.writes:
            said, at = write.data.get("call"), write.data.get("next")
            if write.kind == "schedule" and not write.gone and isinstance(said, dict) and isinstance(at, str):
                planned = ActionCall(name=str(said.get("name")), args=dict(said.get("args") or {}), client=call.client)
                found.append((planned, datetime.fromisoformat(at)))
    return found


def exactly(call: ActionCall) -> str:
    """Return the digest by which a call that was planned is known again: what it does, and with what."""
    return fingerprint(ActionCall(name=call.name, args=call.args))


def span(days: str) -> timedelta:
    """Return how long a grant holds; the reason of a press carries the days."""
    return timedelta(days=int(days) if days.isdecimal() else DAYS)
