"""An invoice adds up to the cent, whatever its amounts."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.base import parse_money
from agents.bill import Bill, Line, entries, gross_that_splits
from agents.vat import CENT, Vat, vat_of
from tests.agents.desk import PaperDesk, day

CENTS = st.integers(1, 10**9).map(lambda cents: Decimal(cents) / 100)
RATES = st.sampled_from([Decimal(0), Decimal("2.6"), Decimal(7), Decimal("8.1"), Decimal(19), Decimal("25.5")])


def made(net: Decimal, rate: Decimal) -> Bill:
    return Bill("acme", (Line("x", net),), "EUR", Vat(rate), day("2026-11-21"), day("2026-12-05"))


@given(CENTS, RATES)
def test_entries_always_balance(net: Decimal, rate: Decimal) -> None:
    bill = made(net, rate)
    assert bill.net + bill.tax == bill.gross
    assert sum(parse_money(e.amount)[0] for e in entries("acme", bill.net, bill.tax, "EUR")) == 0
    back = entries("acme", bill.net, bill.tax, "EUR", sign=-1)
    both = [*back, *entries("acme", bill.net, bill.tax, "EUR")]
    assert sum(parse_money(e.amount)[0] for e in both if e.account == "liabilities:vat") == 0


@given(CENTS, RATES)
def test_a_gross_total_splits_or_its_neighbours_do(gross: Decimal, rate: Decimal) -> None:
    vat = Vat(rate)
    found = gross_that_splits(gross, vat)
    for total in found:
        net = vat.within(total)
        assert net + vat.of(net) == total
    assert found == (gross,) or all(abs(total - gross) <= 2 * CENT for total in found)
    assert gross not in found or found == (gross,)


def test_half_a_cent_goes_up() -> None:
    assert made(Decimal("0.50"), Decimal(19)).tax == Decimal("0.10")
    assert Line("x", Decimal("0.333"), Decimal("1.5")).total() == Decimal("0.50")


@pytest.mark.parametrize(
    ("rate", "vat_id", "kind"), [("19", "DE1", "standard"), ("", "DE1", "exempt"), ("0", "", "not subject"), ("19 %", "", "standard")]
)  # fmt: skip
def test_the_companys_rate_applies(rate: str, vat_id: str, kind: str) -> None:
    desk = PaperDesk(vat_rate=rate, vat_id=vat_id)
    vat = vat_of(desk, desk.records("client")[0])
    assert isinstance(vat, Vat)
    assert vat.kind == kind
