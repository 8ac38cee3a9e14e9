"""No two values may look like one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.channels.telegram.reveal import one_line, prose, strict

anything = st.text(max_size=30)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("anna@acme.example", "anna@acme.example"),
        ("1,200.00 EUR", "1,200.00 EUR"),
        ("pay@acme.example\u200b", "pay@acme.example⟨U+200B⟩"),
        ("\u202eelpmaxe", "⟨U+202E⟩elpmaxe"),
        ("аcme", "а⟨U+0430⟩cme"),
        ("Счёт", "Счёт ⟨cyrillic⟩"),
        ("März.pdf", "März.pdf"),
        ("发票.pdf", "发票.pdf"),
        ("a  b ", "a␠␠b␠"),
        ("ｐａｙ", "ｐ⟨U+FF50⟩ａ⟨U+FF41⟩ｙ⟨U+FF59⟩"),
        ("⟨U+200B⟩", "⟨U+27E8⟩U+200B⟨U+27E9⟩"),
        ("\u00a01", "⟨U+00A0⟩1"),
        ("1200 €", "1200 €"),
        ("a.pdf (21 kB, sha256 ab12…): 2 × 100.00", "a.pdf (21 kB, sha256 ab12…): 2 × 100.00"),
    ],
)
def test_values_are_spelled_where_an_eye_could_be_fooled(value: str, shown: str) -> None:
    assert strict(value) == shown


def test_an_address_has_no_letter_beyond_ascii_unspelled() -> None:
    assert strict("märz@acme.example", address=True) == "mä⟨U+00E4⟩rz@acme.example"
    assert strict("асме", address=True) == "а⟨U+0430⟩с⟨U+0441⟩м⟨U+043C⟩е⟨U+0435⟩"


def test_prose_keeps_what_people_write() -> None:
    text = "Grüße, Zoë 👩‍👩‍👧 ❤️\n  - नमस्ते, می‌خواهم\n\nBest"
    assert prose(text) == text
    assert prose("a\u200bb \nc\n") == "a⟨U+200B⟩b␠\nc⏎"
    assert one_line("a\nb") == "a⏎b"


@given(anything, anything)
@settings(max_examples=300, derandomize=True)
def test_different_texts_stay_different(one: str, other: str) -> None:
    if one != other:
        assert strict(one) != strict(other)
        assert strict(one, address=True) != strict(other, address=True)
        assert prose(one) != prose(other)


@given(anything)
@settings(max_examples=300, derandomize=True)
def test_what_is_shown_has_nothing_invisible_in_it(text: str) -> None:
    assert strict(text).replace(" ", "").isprintable()
    assert strict(strict(text)) != strict(text) or strict(text) == text
