"""Money and times as people read them, and never two that look like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.figures import money_words, when_words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1428.00 EUR", "1,428.00 EUR"),
        ("-0.50 EUR", "-0.50 EUR"),
        ("1234567 JPY", "1,234,567 JPY"),
        ("1,428.00 EUR", "“1,428.00 EUR”"),
        ("01428.00 EUR", "01428.00 EUR"),
        ("a lot", "a lot"),
    ],
)
def test_money(text: str, shown: str) -> None:
    assert money_words(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-03-16", "Mon 16 March 2026"),
        ("2026-03-03T15:00:00+01:00", "Tue 3 March 2026, 15:00:00+01:00"),
        ("Mon 16 March 2026", "“Mon 16 March 2026”"),
        ("20260316", "20260316"),
        ("soon", "soon"),
    ],
)
def test_when(text: str, shown: str) -> None:
    assert when_words(text) == shown


FIGURES = st.one_of(
    st.from_regex(r"-?[0-9,]{1,12}(\.[0-9]{1,3})? [A-Z]{3}", fullmatch=True),
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.dates().map(lambda day: day.isoformat()),
    st.text(max_size=20),
)


@given(FIGURES, FIGURES)
def test_two_values_never_look_equal(one: str, other: str) -> None:
    for words in (money_words, when_words):
        assert (words(one) == words(other)) == (one == other)
