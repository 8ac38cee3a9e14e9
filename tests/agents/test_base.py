"""Money as the house writes it: a currency has its own number of decimals."""

from decimal import Decimal

import pytest
from babel import Locale

from agents.base import decimals, money, parse_money, smallest
from agents.letter import amount_words, total_words
from agents.slots import Money
from connectors.invoice_totals import exponent


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        ("1234", "JPY", "1234 JPY"),
        ("1234.00", "JPY", "1234 JPY"),
        ("1.234", "KWD", "1.234 KWD"),
        ("1200", "KWD", "1200.000 KWD"),
        ("1200", "EUR", "1200.00 EUR"),
        ("-0.5", "EUR", "-0.50 EUR"),
    ],
)
def test_money_is_written_with_its_currencys_decimals(amount: str, currency: str, written: str) -> None:
    assert money(Decimal(amount), currency) == written
    assert parse_money(written) == (Decimal(amount), currency)


def test_our_books_and_the_paper_count_the_same_decimals_in_every_currency() -> None:
    codes = [str(code) for code in Locale("en").currencies]
    assert [(code, decimals(code)) for code in codes] == [(code, exponent(code)) for code in codes]
    assert [smallest(code) for code in ("EUR", "JPY", "KWD")] == [Decimal("0.01"), Decimal(1), Decimal("0.001")]


def test_words_for_people_keep_the_decimals() -> None:
    assert [amount_words(each) for each in ("1428.00 EUR", "178500 JPY", "1234.567 KWD")] == [
        "1,428.00 EUR",
        "178,500 JPY",
        "1,234.567 KWD",
    ]
    assert total_words({"JPY": Decimal(1200), "EUR": Decimal(5)}) == "5.00 EUR and 1,200 JPY"


def test_yen_kept_with_cents_by_an_older_version_are_read_as_the_same_yen() -> None:
    assert str(Money.read("1234.00 JPY")) == "1234 JPY"
