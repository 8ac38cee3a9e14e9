"""What buttons carry."""

from __future__ import annotations

import random
from zoneinfo import ZoneInfo

import pytest

from bot.channels.base import Button
from bot.channels.telegram import presses
from bot.channels.telegram.presses import Press, data, keyboard, read, reasons_keyboard
from tests.bot.channels.telegram.stage import NAUGHTY

BERLIN = ZoneInfo("Europe/Berlin")


def test_every_button_is_read_back_as_what_it_was() -> None:
    for verb in presses.LETTERS:
        made = keyboard((Button("x", verb, "h" * 40),), has_reasons=True)[0][0].data
        press = read(made)
        assert press is not None
        assert (press.verb, press.handle) == (verb, "h" * 40)
        assert len(made.encode()) <= presses.DATA_BYTES_MAX
    assert read("t:approve all") == Press("type", "say", "", "approve all")
    assert read("<:h") == Press("back", "", "h")


def test_handles_as_the_house_makes_them_are_carried() -> None:
    for handle in ("12.1:1:AbCd_-0123456789", "12345.m4:0:AbCd_-0123456789", "undo 12345.1.1:0:AbCd_-0123456789"):
        press = read(keyboard((Button("x", "undo", handle),))[0][0].data)
        assert press == Press("press", "undo", handle)


def test_a_forged_value_means_nothing() -> None:
    dice = random.Random(9)
    letters = ".?=<art0:9sm hé\u202e"
    for _ in range(2000):
        text = "".join(dice.choice(letters) for _ in range(dice.randint(0, 70)))
        press = read(text)
        if press is not None and press.step != "type":
            assert press.step == "back" or press.verb in presses.LETTERS
            assert press.verb != "snooze" or press.step != "press" or press.choice in presses.SNOOZES
    for text in NAUGHTY:
        assert read(text) is None or text.startswith("t:")
    assert read("t:" + "é" * 40) is None


def test_a_handle_that_would_not_fit_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="1 to 40"):
        data(".", "approve", "h" * 41)
    with pytest.raises(ValueError, match="1 to 40"):
        data(".", "approve", "hé")


def test_long_labels_stand_alone_and_are_cut_at_a_word() -> None:
    rows = keyboard(
        (Button("Approve", "approve", "a"), Button("Reject", "reject", "b"), Button("long " * 30, "say", "c"))
    )
    assert [len(row) for row in rows] == [2, 1]
    assert len(rows[1][0].label) <= presses.LABEL_MAX
    assert rows[1][0].label.endswith("…")
    assert sum(map(len, keyboard(tuple(Button("x", "say", f"h{n}") for n in range(200))))) == presses.KEYS_MAX


def test_reasons_carry_their_number_and_show_their_words() -> None:
    rows = reasons_keyboard("h", tuple(f"reason {n}" for n in range(20)))
    assert [len(row) for row in rows] == [2] * (presses.REASONS_MAX // 2 + 1)
    assert read(rows[1][0].data) == Press("press", "reject", "h", "2")
