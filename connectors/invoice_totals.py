"""The arithmetic of an invoice: lines → net, tax per rate, total. Pure; every figure is a `Decimal`.

Rounding, stated once: a line's net is quantity times unit price, rounded half up to the currency's smallest unit; the
tax of each (kind, rate) is taken from the *sum* of its line nets and rounded half up. So the columns on the page add
up, and the tax is what the law and EN 16931 (rules BR-CO-10 to BR-CO-17) compute.

Source: EN 16931-1, section 6.5 and rules BR-CO-*; ISO 4217 for the exponents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from babel import Locale

from connectors.base import RefusedError

# ISO 4217, list one. Everything else has two decimals. CLDR's figures are for shopping and differ (ISK, HUF, RSD ...).
_NO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DECIMALS = "CLF UYW"
_EXPONENTS = {
    currency: decimals
    for decimals, currencies in ((0, _NO_DECIMALS), (3, _THREE_DECIMALS), (4, _FOUR_DECIMALS))
    for currency in currencies.split()
}

LINES_MAX = 1_000  # what one page layout is asked to do; more is a mistake or an attack
DECIMALS_MAX = 8  # finer than any price list
DIGITS_MAX = 15  # before the point; an amount beyond this is a mistake in typing

TAX_KINDS = {
    "standard": "S",
    "zero rated": "Z",
    "exempt": "E",
    "reverse charge": "AE",
    "intra-community": "K",
    "export": "G",
    "not subject": "O",
}
"""Why a line bears the tax it bears → the category of EN 16931 (UNCL 5305)."""


@dataclass(frozen=True)
class Line:
    """One line with its net worked out."""

    text: str
    quantity: Decimal
    unit: str
    unit_price: Decimal
    tax_pct: Decimal
    tax_kind: str  # a key of TAX_KINDS
    net: Decimal


@dataclass(frozen=True)
class TaxGroup:
    """All lines of one kind and rate."""

    kind: str
    pct: Decimal
    basis: Decimal
    tax: Decimal


@dataclass(frozen=True)
class Totals:
    """What the invoice comes to."""

    lines: tuple[Line, ...]
    groups: tuple[TaxGroup, ...]  # highest rate first
    net: Decimal
    tax: Decimal
    total: Decimal


def exponent(currency: str) -> int:
    """Return how many decimals a currency has: EUR 2, JPY 0, KWD 3.

    Raises:
        RefusedError: It is no currency of ISO 4217.
    """
    if len(currency) != 3 or currency not in Locale("en").currencies:  # noqa: PLR2004 - ISO 4217 codes are three letters
        raise RefusedError(f"{currency!r} is not a currency code of ISO 4217, such as EUR, USD or JPY.")
    return _EXPONENTS.get(currency, 2)


def rounded(amount: Decimal, currency: str) -> Decimal:
    """Return the amount in the currency's smallest unit, half up."""
    return amount.quantize(Decimal(1).scaleb(-exponent(currency)), ROUND_HALF_UP)


def money(amount: Decimal, currency: str) -> str:
    """``Decimal("1200"), "EUR"`` → ``"1200.00 EUR"``, with as many decimals as the currency has."""
    return f"{rounded(amount, currency)} {currency}"


def totals(lines: Sequence[Mapping[str, Any]], currency: str, *, zero_tax: str = "") -> Totals:
    """Work out an invoice.

    Args:
        lines: ``{"text", "quantity", "unit_price", "tax_pct"}`` each, with ``"unit"``, ``"tax_kind"`` and ``"total"``
            (checked, never trusted) where wanted. Numbers are strings or ints; a price may carry its currency.
        currency: ISO 4217.
        zero_tax: The kind of lines with 0 % that do not say their own; a key of `TAX_KINDS`.

    Returns:
        Every figure, rounded as the module says.

    Raises:
        RefusedError: A line cannot be read, contradicts itself, or bears 0 % without a reason.
    """
    exponent(currency)
    if not lines:
        raise RefusedError("An invoice needs at least one line.")
    if len(lines) > LINES_MAX:
        raise RefusedError(f"This invoice has {len(lines)} lines; more than {LINES_MAX} do not fit one document.")
    worked = tuple(_line(number, line, currency, zero_tax) for number, line in enumerate(lines, start=1))
    bases: dict[tuple[str, Decimal], Decimal] = {}
    for line in worked:
        bases[line.tax_kind, line.tax_pct] = bases.get((line.tax_kind, line.tax_pct), Decimal(0)) + line.net
    groups = tuple(
        TaxGroup(kind, pct, basis, rounded(basis * pct / 100, currency))
        for (kind, pct), basis in sorted(bases.items(), key=lambda item: (-item[0][1], item[0][0]))
    )
    net = sum((line.net for line in worked), Decimal(0))
    tax = sum((group.tax for group in groups), Decimal(0))
    return Totals(worked, groups, net, tax, net + tax)


def number(value: Any, what: str) -> Decimal:
    """Read a decimal string or int; a float is refused, because it is already wrong.

    Raises:
        RefusedError: Not a finite number of a sane size.
    """
    try:
        result = Decimal("NaN") if isinstance(value, (float, bool)) else Decimal(str(value).strip())
    except InvalidOperation:
        result = Decimal("NaN")
    if not result.is_finite() or abs(result) >= Decimal(10) ** DIGITS_MAX or _decimals(result) > DECIMALS_MAX:
        raise RefusedError(f"{what} is {value!r}; write a number like 1200 or 0.50.")
    return Decimal(f"{result:f}")  # "1E3" is a number to us and none to XML


def _decimals(value: Decimal) -> int:
    return max(0, -int(value.as_tuple().exponent))


def _line(position: int, line: Mapping[str, Any], currency: str, zero_tax: str) -> Line:
    where = f"Line {position}"
    text = str(line.get("text", "")).strip()
    if not text:
        raise RefusedError(f"{where} has no text: say what was delivered.")
    quantity = number(line.get("quantity", "1"), f"{where}: the quantity")
    price = _price(line.get("unit_price"), currency, f"{where}: the unit price")
    pct = number(line.get("tax_pct", "0"), f"{where}: the tax rate")
    if not 0 <= pct <= 100:  # noqa: PLR2004 - per cent
        raise RefusedError(f"{where}: a tax rate of {pct} % does not exist; write 19 for 19 %.")
    if price < 0:
        # EN 16931, BR-27: a price is never negative; a discount is a negative quantity.
        price, quantity = -price, -quantity
    net = rounded(quantity * price, currency)
    if "total" in line and _price(line["total"], currency, f"{where}: the total") != net:
        raise RefusedError(f"{where} says {line['total']}, but {quantity} x {price} is {net} {currency}.")
    return Line(text, quantity, str(line.get("unit", "")), price, pct, _kind(where, line, pct, zero_tax), net)


def _kind(where: str, line: Mapping[str, Any], pct: Decimal, zero_tax: str) -> str:
    kind = str(line.get("tax_kind") or ("standard" if pct else zero_tax))
    if not kind:
        raise RefusedError(
            f"{where} bears no tax. Say why (zero_tax): {', '.join(k for k in TAX_KINDS if k != 'standard')}."
        )
    if kind not in TAX_KINDS:
        raise RefusedError(f"{where}: {kind!r} is no kind of tax; it is one of {', '.join(TAX_KINDS)}.")
    if (kind == "standard") != (pct != 0):
        raise RefusedError(f"{where} is {kind!r} with {pct} %: tax is charged on standard lines and on no others.")
    return kind


def _price(value: Any, currency: str, what: str) -> Decimal:
    text, _, named = str(value if value is not None else "").strip().partition(" ")
    if named and named != currency:
        raise RefusedError(f"{what} is in {named}, but the invoice is in {currency}.")
    return number(text if isinstance(value, str) else value, what)
