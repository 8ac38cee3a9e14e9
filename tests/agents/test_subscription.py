"""What a subscription brings in a month: a year is a twelfth, and what nobody told is not guessed."""

from datetime import date
from decimal import Decimal

import pytest

from agents.base import Write
from agents.billing import Revenue
from agents.slots import Period
from agents.subscription import interval, monthly, price_words
from tests.agents.desk import PaperDesk, answered


@pytest.mark.parametrize(
    ("unit", "count", "words"),
    [
        ("month", 1, "month"), ("month", 3, "3 months"), ("year", 1, "year"), ("week", 2, "2 weeks"),
        ("fortnight", 1, ""), (None, 1, ""), ("month", 0, ""), ("month", True, ""), ("month", "3", ""), (["month"], 1, ""),
    ],
)  # fmt: skip
def test_an_interval_is_read_or_nothing(unit: object, count: object, words: str) -> None:
    assert interval(unit, count) == words


@pytest.mark.parametrize(
    ("amount", "every", "words"),
    [
        ("490.00 EUR", "year", "490.00 EUR a year"),
        ("1200 JPY", "3 months", "1,200 JPY every 3 months"),
        ("49.00 EUR", "", "49.00 EUR"),
        ("", "month", "every month"),
        ("", "", ""),
    ],
)
def test_a_price_says_how_often(amount: str, every: str, words: str) -> None:
    assert price_words(amount, every) == words


@pytest.mark.parametrize(
    ("every", "expected"),
    [("month", "120"), ("3 months", "40"), ("year", "10"), ("2 years", "5"), ("week", "521.43"), ("day", "3650.00")],
)
def test_what_comes_in_a_month(every: str, expected: str) -> None:
    value, currency = monthly("120.00 EUR", every) or (Decimal(0), "")
    assert (round(value, 2), currency) == (Decimal(expected), "EUR")
    assert monthly("120.00 EUR", "") is None
    assert monthly("", every) is None


def bought(desk: PaperDesk, key: str, amount: str, every: str, status: str = "active") -> None:
    data = {"client": "acme", "plan": "Pro", "amount": amount, "interval": every, "status": status}
    desk.write(Write(kind="subscription", key=key, data=data))


async def test_a_yearly_plan_is_not_counted_as_monthly_revenue() -> None:
    desk = PaperDesk()
    assert "Recurring" not in (await answered(desk, Revenue())).say
    bought(desk, "s1", "49.00 EUR", "month")
    bought(desk, "s2", "490.00 EUR", "year")
    bought(desk, "s3", "9000 JPY", "3 months")
    bought(desk, "s4", "99.00 EUR", "")
    bought(desk, "s5", "1000.00 EUR", "month", status="canceled")
    said = (await answered(desk, Revenue())).say
    assert "Recurring: 89.83 EUR and 3,000 JPY a month from 3 subscriptions." in said
    assert "Pro, 490.00 EUR a year" in said
    assert "Not counted, because nobody told how much or how often: Acme GmbH." in said
    assert "1,000.00" not in said
    past = Revenue(period=Period(date(2025, 1, 1), date(2025, 1, 31)))
    assert "Recurring" not in (await answered(desk, past)).say, "what stands now says nothing of then"
