from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import RefusedError
from connectors.invoice_totals import LINES_MAX, exponent, money, rounded, totals


def line(price="100.00", pct="19", quantity="1", **more):
    return {"text": "Work", "quantity": quantity, "unit_price": price, "tax_pct": pct, **more}


def test_tax_is_taken_from_the_sum_of_a_rate_and_not_line_by_line():
    sums = totals([line("0.03"), line("0.03"), line("0.03")], "EUR")

    assert sums.tax == Decimal("0.02")  # line by line it would be 3 x 0.01


def test_half_a_cent_is_rounded_up():
    assert totals([line("0.005", "0")], "EUR", zero_tax="exempt").net == Decimal("0.01")
    assert totals([line("2.50", "1")], "EUR").tax == Decimal("0.03")


def test_each_rate_has_its_own_group_highest_first():
    sums = totals([line("100", "7"), line("200", "19"), line("300", "7"), line("50", "0", tax_kind="exempt")], "EUR")

    assert [(g.kind, g.pct, g.basis, g.tax) for g in sums.groups] == [
        ("standard", Decimal(19), Decimal("200.00"), Decimal("38.00")),
        ("standard", Decimal(7), Decimal("400.00"), Decimal("28.00")),
        ("exempt", Decimal(0), Decimal("50.00"), Decimal("0.00")),
    ]
    assert (sums.net, sums.tax, sums.total) == (Decimal("650.00"), Decimal("66.00"), Decimal("716.00"))


def test_currencies_have_the_decimals_of_iso_4217():
    assert [exponent(code) for code in ("EUR", "USD", "HUF", "ISK", "JPY", "KWD", "CLF")] == [2, 2, 2, 0, 0, 3, 4]
    assert money(Decimal("1234.5"), "JPY") == "1235 JPY"
    assert money(Decimal("1.2345"), "KWD") == "1.235 KWD"
    assert money(Decimal(1200), "EUR") == "1200.00 EUR"


def test_a_discount_is_a_negative_quantity_because_a_price_is_never_negative():
    discount = totals([line("100"), line("-20")], "EUR").lines[1]

    assert (discount.quantity, discount.unit_price, discount.net) == (Decimal(-1), Decimal(20), Decimal("-20.00"))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "at least one line"),
        ([line()] * (LINES_MAX + 1), "do not fit"),
        ([line(text="")], "has no text"),
        ([line(1.1)], "write a number"),
        ([line("NaN")], "write a number"),
        ([line("1e40")], "write a number"),
        ([line("1e-40")], "write a number"),
        ([line("twelve")], "write a number"),
        ([line(None)], "write a number"),
        ([line(quantity=True)], "write a number"),
        ([line(pct="190")], "does not exist"),
        ([line(pct="-1")], "does not exist"),
        ([line(pct="0")], "bears no tax. Say why"),
        ([line(pct="0", tax_kind="gift")], "no kind of tax"),
        ([line(tax_kind="exempt")], "standard lines and on no others"),
        ([line(pct="0", tax_kind="standard")], "standard lines and on no others"),
        ([line("100.00 USD")], "is in USD, but the invoice is in EUR"),
        ([line("100.00 EUR", total="99.00 EUR")], "says 99.00 EUR"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused_with_the_reason(lines, words):
    with pytest.raises(RefusedError, match=words):
        totals(lines, "EUR")


def test_a_line_that_makes_sense_is_taken():
    assert totals([line("100.00 EUR", total="100.00 EUR")], "EUR").total == Decimal("119.00")
    assert totals([line("1E3")], "EUR").total == Decimal("1190.00")


@pytest.mark.parametrize("currency", ["EURO", "eur", "", "ZZZ", "E€R"])
def test_what_is_no_currency_is_refused(currency):
    with pytest.raises(RefusedError, match="not a currency"):
        totals([line()], currency)


_cents = st.integers(1, 10_000_000).map(lambda cents: str(Decimal(cents) / 100))


@given(
    st.lists(st.tuples(_cents, st.sampled_from(["19", "7", "5.5", "20"]), st.integers(1, 99)), min_size=1, max_size=12),
    st.sampled_from(["EUR", "JPY", "KWD"]),
)
def test_the_columns_always_add_up(rows, currency):
    sums = totals([line(price, pct, str(quantity)) for price, pct, quantity in rows], currency)

    assert sums.net == sum(each.net for each in sums.lines) == sum(group.basis for group in sums.groups)
    assert sums.total == sums.net + sum(group.tax for group in sums.groups)
    for group in sums.groups:
        exact = group.basis * group.pct / 100
        assert group.tax == rounded(exact, currency)
        assert abs(group.tax - exact) <= Decimal(5).scaleb(-exponent(currency) - 1)
        assert group.tax == exact.quantize(Decimal(1).scaleb(-exponent(currency)), ROUND_HALF_UP)
