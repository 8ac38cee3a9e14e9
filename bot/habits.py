"""What the operator changes the same way again and again: counted, offered, kept, listed and ended. Words; pure.

A *habit* is a count: for one intent and client, which fields of a draft were edited to which value, card after card; for
one playbook, which steps were left out. Once `TIMES` in a row say the same it is offered, with the cards as evidence.
Nothing follows from it before the operator presses. Then it is a *delta* (record ``policy_delta``; ``preference`` for a
playbook), which drafts follow, `/habits` lists and a button ends::

    keep habit invoice:acme:terms = net 30
    end habit invoice:acme:terms
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from connectors.base import Json
from memory.events import Choice

COUNT, DELTA, PREFERENCE = "habit", "policy_delta", "preference"
TIMES = 2  # in a row, before it is offered; refused by silence, it is offered again at 4, 8, 16
CARDS_MAX = 32  # kept as evidence
LEFT_OUT = "left out"
PLAYBOOK = "playbook-"
ASKS, FIRST = "asks", "first"  # "publish/asks": the step asks before it begins
AFTER, NOTHING = "after", "nothing"  # "publish/after": the steps it waits for, by id

_LIST = re.compile(r"/?(?:list\s+|show\s+)?(?:my\s+)?habits[.?]?", re.IGNORECASE)
_KEEP = re.compile(r"keep habit (?P<key>\S+):(?P<name>[\w/-]+) = (?P<value>\S.*)", re.IGNORECASE | re.DOTALL)
_END = re.compile(r"/?end habit (?P<key>\S+):(?P<name>[\w/-]+)[.!]?", re.IGNORECASE)


@dataclass(frozen=True)
class Word:
    """What somebody said about habits."""

    what: Literal["list", "keep", "end"]
    key: str = ""  # "invoice:acme", "playbook-post"
    name: str = ""  # a field, or a step
    value: str = ""


def said(text: str) -> Word | None:
    """Return what exact words say, None for all others."""
    words = text.strip()
    if _LIST.fullmatch(words):
        return Word("list")
    if match := _KEEP.fullmatch(words):
        return Word("keep", match["key"], match["name"], match["value"])
    if match := _END.fullmatch(words):
        return Word("end", match["key"], match["name"])
    return None


def key_of(intent: str, client: str) -> str:
    """Return where the habits for one intent and client are kept."""
    return f"{intent}:{client}"


def counted(before: Mapping[str, Json], edits: Mapping[str, Json], ref: str) -> dict[str, Json]:
    """Return the counts after one more decision: name → ``{"value", "cards"}``. What was not edited again is no habit.

    Args:
        before: The counts so far.
        edits: What was changed this time: fields of the request, not the words of one call (``"0.body"``).
        ref: The card or task that shows it.
    """
    after: dict[str, Json] = {}
    for name, value in edits.items():
        if "." in name or not isinstance(value, str | int):
            continue
        known = before.get(name, {})
        same = same_value(known.get("value"), value)
        cards = [*(known["cards"] if same else []), ref][-CARDS_MAX:]
        after[name] = {"value": value, "cards": cards}
    return after


def same_value(one: Json, other: Json) -> bool:
    """Whether two values say the same, as a person would read them."""
    return one is not None and str(one).strip().casefold() == str(other).strip().casefold()


def ripe(counts: Mapping[str, Json]) -> dict[str, Json]:
    """Return the counts at which a habit is offered: `TIMES` in a row, and each time that is doubled."""
    times = {TIMES << power for power in range(5)}
    return {name: count for name, count in counts.items() if len(count["cards"]) in times}


def offer(key: str, name: str, count: Mapping[str, Json], client: str) -> tuple[str, tuple[Choice, ...]]:
    """Return the evidence in words, and the button that keeps the habit.

    Args:
        client: The client's name; "" for a playbook.
    """
    cards: Sequence[str] = count["cards"]
    shown = ", ".join(cards[-TIMES * 4 :])
    told = words(key, name, count["value"], client)
    text = f"The last {len(cards)} times you had it like this: {told} ({shown}). Shall I do it so from now on?"
    label = f"Always {told}"
    return text, (Choice(label=label, text=f"keep habit {key}:{name} = {count['value']}"),)


def words(key: str, name: str, value: Json, client: str) -> str:
    """Return a habit as the operator reads it: "terms net 30 in invoice for Acme GmbH"."""
    if key.startswith(PLAYBOOK):
        return f"playbook {key.removeprefix(PLAYBOOK)} {_of_step(name, value)}"
    intent = key.partition(":")[0].replace("_", " ")
    return f"{name.replace('_', ' ')} {value} in {intent} for {client}"


def _of_step(name: str, value: Json) -> str:
    """``"publish/after", "draft"`` → ``"with publish after draft"``."""
    step, _, what = name.partition("/")
    return f"with {step} {'asking first' if what == ASKS else f'after {value}'}" if what else f"without {step}"


def of_playbook(kept: Mapping[str, Json]) -> dict[str, Json]:
    """Return what is followed of a playbook, as it is counted: step → left out, step and what → value."""
    return {**dict.fromkeys(kept.get("dropped", []), LEFT_OUT), **dict(kept.get("changed", {}))}


def endings(kept: Iterable[tuple[str, str, str]]) -> tuple[Choice, ...]:
    """Return a button to end each habit.

    Args:
        kept: Key, name and words of each.
    """
    return tuple(Choice(label=f"End: {told}", text=f"end habit {key}:{name}") for key, name, told in list(kept)[:10])
