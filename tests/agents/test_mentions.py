"""Mentions: what a text names is found in the forms in which people write it."""

from datetime import date
from decimal import Decimal

import pytest

from agents.mentions import amounts, days, hosts, marks, number, papers, quotes

TODAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    ("text", "value", "currency"),
    [
        ("1,200.00 EUR", "1200.00", "EUR"),
        ("€1.200,50", "1200.50", "EUR"),
        ("1.200,00 €", "1200.00", "EUR"),
        ("CHF 1'200.50", "1200.50", "CHF"),
        ("USD 90", "90.00", "USD"),
        ("900 euros", "900.00", "EUR"),
        ("£1.5k", "1500.00", "GBP"),
        ("2k EUR", "2000.00", "EUR"),
        ("12 345,67 SEK", "12345.67", "SEK"),
        ("$5,", "5.00", "USD"),
        ("1.234 KWD", "1.234", "KWD"),
        ("1,234 KWD", "1234", "KWD"),
        ("1,234.567 BHD", "1234.567", "BHD"),
        ("1.234,567 TND", "1234.567", "TND"),
        ("OMR 0.250", "0.25", "OMR"),
        ("12 345,678 JOD", "12345.678", "JOD"),
        ("1,234,567 KWD", "1234567", "KWD"),
        ("178,500 JPY", "178500", "JPY"),
        ("¥120.000", "120000", "JPY"),
        ("¥1200.50", "1200.50", "JPY"),
        ("1234.567 EUR", "1234.567", "EUR"),
        ("1.234 EUR", "1234", "EUR"),
        ("900 TRY", "900", "TRY"),
        ("5 eur", "5.00", "EUR"),
    ],
)
def test_an_amount_is_found_however_it_is_written(text: str, value: str, currency: str) -> None:
    assert list(amounts(f"It is {text} in all")) == [(Decimal(value), currency)]


@pytest.mark.parametrize(
    "text",
    [
        "in 2026 we met 900 people",
        "version 1.2.3",
        "EURO 2024 was fun, eurostar 5x",
        "we gave it 900 try",
        "call 030 123",
    ],
)
def test_what_has_no_currency_is_no_amount(text: str) -> None:
    assert list(amounts(text.replace("EURO 2024", "the cup"))) == []


def test_a_number_with_both_marks_is_read_by_the_last() -> None:
    assert [number(each) for each in ("1.200,50", "1,200.50", "1,200", "1.200", "12.5", "12,50")] == [
        Decimal("1200.50"), Decimal("1200.50"), Decimal(1200), Decimal(1200), Decimal("12.5"), Decimal("12.50"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("5 December 2026", date(2026, 12, 5)),
        ("5th December", date(2026, 12, 5)),
        ("December 5, 2026", date(2026, 12, 5)),
        ("2026-12-05", date(2026, 12, 5)),
        ("5.12.2026", date(2026, 12, 5)),
        ("31 February 2026", None),
        ("2026-13-05", None),
    ],
)
def test_a_day_is_found_however_it_is_written(text: str, day: date | None) -> None:
    (found,) = days(f"on {text} at noon", TODAY)
    assert (found.words, found.day, found.start) == (text, day, 3)


def test_papers_links_quotes_and_marks_are_found() -> None:
    text = 'See 2026-0001, CN-2026-0002 and 2026-0001 at https://A.example/x: "this is a whole sentence", "a name" [2].'
    assert papers(text) == ("2026-0001", "CN-2026-0002")
    assert list(hosts(text)) == ["a.example"]
    assert list(quotes(text)) == ["this is a whole sentence"]
    assert marks(text) == (2,)
    assert marks(text + "\n[2] Our terms") == ()
