"""What a button carries, and what may be chosen after the first press. No state: everything is in the button.

Telegram keeps 1 to 64 bytes of ``callback_data``, and a modified client can send any: it is a locator, never
authority. The forms, with a handle of at most 40 bytes::

    .a:HANDLE    press: approve                 .r2:HANDLE   press: reject, third reason
    ?a:HANDLE    ask again first (confirm)      .sm:HANDLE   press: snooze until tomorrow morning
    =r:HANDLE    open the second keyboard       <:HANDLE     back to the card's own buttons
    t:TEXT       type this text

Source: core.telegram.org/bots/api#inlinekeyboardbutton.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from bot.channels import snooze
from bot.channels.base import Button, Card

DATA_BYTES_MAX = 64  # core.telegram.org/bots/api#inlinekeyboardbutton
HANDLE_BYTES_MAX = 40  # bot/channels/base.py, Button
KEYS_MAX = 100
LABEL_MAX = 60  # longer ones are cut by the clients themselves, in the middle of a word
REASONS_MAX = 8  # one-tap reasons; more is a form

VERBS = {
    "a": "approve", "r": "reject", "e": "edit", "i": "revise", "s": "snooze", "u": "undo",
    "v": "arrived", "g": "again", "d": "drop", "t": "say", "l": "like", "y": "agree", "n": "disagree",
}  # fmt: skip
LETTERS = {verb: letter for letter, verb in VERBS.items()}
SNOOZES = {"h": "hour", "e": "evening", "m": "tomorrow", "w": "monday"}  # a button's letter → the choice

_FORM = re.compile(r"([.?=<])([a-z]?)([0-9a-z]?):([\x21-\x7e][\x20-\x7e]{0,39})")


@dataclass(frozen=True)
class Key:
    """One inline button."""

    label: str
    data: str
    style: Literal["", "primary", "danger"] = ""


Keyboard = tuple[tuple[Key, ...], ...]


@dataclass(frozen=True)
class Press:
    """A button's data, read. ``step`` is what the button does: press, confirm first, open, back, type."""

    step: Literal["press", "confirm", "open", "back", "type"]
    verb: str
    handle: str
    choice: str = ""


_STEPS: dict[str, Literal["press", "confirm", "open", "back"]] = {
    ".": "press",
    "?": "confirm",
    "=": "open",
    "<": "back",
}


def read(data: str) -> Press | None:
    """Return what a button means, or None for anything this channel did not make."""
    if len(data.encode(errors="surrogatepass")) > DATA_BYTES_MAX:
        return None
    if data.startswith("t:") and data[2:].strip():
        return Press("type", "say", "", data[2:])
    found = _FORM.fullmatch(data)
    if found is None:
        return None
    sign, letter, choice, handle = found.groups()
    step = _STEPS[sign]
    if step == "back":
        return None if letter or choice else Press("back", "", handle)
    if letter not in VERBS or not _choice_fits(step, VERBS[letter], choice):
        return None
    return Press(step, VERBS[letter], handle, choice)


def _choice_fits(step: str, verb: str, choice: str) -> bool:
    if not choice:
        return step != "press" or verb != "snooze"
    if step != "press":
        return False
    return (verb == "snooze" and choice in SNOOZES) or (verb == "reject" and choice.isdigit())


def data(sign: str, verb: str, handle: str, choice: str = "") -> str:
    """Return a button's data.

    Raises:
        ValueError: The handle is not 1 to 40 printable ASCII characters: our own mistake.
    """
    made = f"{sign}{LETTERS.get(verb, '')}{choice}:{handle}"
    if _FORM.fullmatch(made) is None:
        raise ValueError(f"A handle is 1 to {HANDLE_BYTES_MAX} printable ASCII characters; this one has {len(handle)}.")
    return made


def key(button: Button, *, has_reasons: bool = False) -> Key | None:
    """Return the inline button, or None when Telegram cannot carry it (see `typed_only`)."""
    label = label_of(button.label)
    if button.verb == "say" and not button.handle:
        typed = f"t:{button.text}"
        return Key(label, typed, button.style) if len(typed.encode()) <= DATA_BYTES_MAX else None
    if button.verb == "snooze" or (button.verb == "reject" and has_reasons):
        return Key(label, data("=", button.verb, button.handle), button.style)
    return Key(label, data("?" if button.confirm else ".", button.verb, button.handle), button.style)


def typed_only(buttons: tuple[Button, ...]) -> tuple[Button, ...]:
    """Return the choices that do not fit into a button and have to be written out for typing."""
    return tuple(button for button in buttons if button.verb == "say" and key(button) is None)


def keyboard(buttons: tuple[Button, ...], *, has_reasons: bool = False) -> Keyboard:
    """Return the buttons two in a row, choices with long labels each on a row of its own."""
    keys = [made for button in buttons if (made := key(button, has_reasons=has_reasons)) is not None][:KEYS_MAX]
    return _in_pairs(keys)


def _in_pairs(keys: Sequence[Key]) -> Keyboard:
    rows: list[tuple[Key, ...]] = []
    for made in keys:
        short = len(made.label) <= LABEL_MAX // 3
        if rows and len(rows[-1]) == 1 and short and len(rows[-1][0].label) <= LABEL_MAX // 3:
            rows[-1] = (rows[-1][0], made)
        else:
            rows.append((made,))
    return tuple(rows)


def card_keyboard(card: Card) -> Keyboard:
    """Return a card's own buttons: all while it waits, Undo alone once it is settled, none that acts in shadow."""
    if card.state in ("pending", "snoozed"):
        return keyboard(card.buttons, has_reasons=bool(card.reject_reasons))
    if card.state == "shadow":
        return keyboard(tuple(b for b in card.buttons if b.verb in ("reject", "say", "agree", "disagree")))
    return keyboard(tuple(b for b in card.buttons if b.verb == "undo"))


def reasons_keyboard(handle: str, reasons: tuple[str, ...]) -> Keyboard:
    """Return one-tap reasons for a rejection. The number of the reason is in the button, its words are its label."""
    keys = [
        Key(label_of(reason), data(".", "reject", handle, str(number)))
        for number, reason in enumerate(reasons[:REASONS_MAX])
    ]
    return (*_in_pairs(keys), (Key("No reason", data(".", "reject", handle), "danger"), _back(handle)))


def snooze_keyboard(handle: str, now: datetime, zone: ZoneInfo) -> Keyboard:
    """Return until when a card may be put aside."""
    offered = snooze.offered(now, zone)
    keys = [
        Key(snooze.CHOICES[choice], data(".", "snooze", handle, letter))
        for letter, choice in SNOOZES.items()
        if choice in offered
    ]
    rows = [tuple(keys[at : at + 2]) for at in range(0, len(keys), 2)]
    return (*rows, (_back(handle),))


def confirm_keyboard(handle: str, verb: str, label: str) -> Keyboard:
    """Return the second question before a press counts."""
    return ((Key(label_of(f"Yes: {label}"), data(".", verb, handle), "primary"), _back(handle)),)


def _back(handle: str) -> Key:
    return Key("‹ Back", data("<", "", handle))


def label_of(text: str) -> str:
    """Return one line that fits on a button."""
    line = " ".join(text.split()) or "…"
    return line if len(line) <= LABEL_MAX else line[: LABEL_MAX - 1].rstrip() + "…"
