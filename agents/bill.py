"""What an invoice comes to and how it stands in the books. Pure; every figure is a `Decimal`.

One tax rate an invoice, as a one-person company writes them. The tax is taken from the net total and rounded half up to
cents (EN 16931, BR-CO-17), so a gross amount that was typed cannot always be split; `gross_that_splits` says when.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from agents.base import Desk, Entry, Record, money, parse_money
from memory.events import Json

CENT = Decimal("0.01")
WHOLE = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"]
)
"""Currencies without cents (ISO 4217). Those with three decimals are refused: books here have two."""
OPEN = ("issued", "sent", "partly_paid")
"""The states of an invoice that is still to be paid."""

ZERO_TAX = {
    "exempt": "No VAT is charged: exempt.",
    "reverse charge": "Reverse charge: VAT is to be accounted for by the recipient.",
    "intra-community": "Intra-community supply, free of VAT; the recipient accounts for it.",
    "export": "Export, free of VAT.",
    "not subject": "Not subject to VAT.",
}
"""Why a client's invoices bear no tax, as the client's record says under ``vat`` → the note on the invoice."""


@dataclass(frozen=True)
class Vat:
    """The rate that applies, and why it is zero when it is."""

    pct: Decimal
    kind: str = "standard"  # or a key of ZERO_TAX
    because: str = ""  # for the card
    unit: Decimal = CENT  # the currency's smallest, to which the tax is rounded

    @property
    def note(self) -> str:
        """Return what the law wants to read on the invoice, if anything."""
        return ZERO_TAX.get(self.kind, "")

    def of(self, net: Decimal) -> Decimal:
        """Return the tax on a net total."""
        return (net * self.pct / 100).quantize(self.unit, ROUND_HALF_UP)

    def within(self, gross: Decimal) -> Decimal:
        """Return the net of a gross total; `of` of it may miss the gross by a cent."""
        return (gross / (1 + self.pct / 100)).quantize(self.unit, ROUND_HALF_UP)


@dataclass(frozen=True)
class Line:
    """What is charged for, and how much of it."""

    text: str
    unit_price: Decimal
    quantity: Decimal = Decimal(1)

    def total(self, unit: Decimal = CENT) -> Decimal:
        """Return the line's net, rounded to the currency's smallest unit."""
        return (self.quantity * self.unit_price).quantize(unit, ROUND_HALF_UP)


@dataclass(frozen=True)
class Bill:
    """An invoice, worked out."""

    client: str  # key of the record
    lines: tuple[Line, ...]
    currency: str
    vat: Vat
    issued: date
    due: date

    @property
    def net(self) -> Decimal:
        """Return the sum of the lines."""
        return sum((line.total(self.vat.unit) for line in self.lines), Decimal(0))

    @property
    def tax(self) -> Decimal:
        """Return the tax on the net total."""
        return self.vat.of(self.net)

    @property
    def gross(self) -> Decimal:
        """Return what is to be paid."""
        return self.net + self.tax

    def money(self, amount: Decimal) -> str:
        """Return an amount as the house writes it."""
        return money(amount, self.currency)

    @property
    def tax_words(self) -> str:
        """Return ``"19 % · 228.00 EUR"``, or ``"none · reverse charge"``."""
        if not self.vat.pct:
            return f"none · {self.vat.kind}"
        return f"{_number(self.vat.pct)} % · {self.money(self.tax)}"

    def shown_lines(self) -> list[Json]:
        """Return the lines as a card shows them."""
        return [
            {
                "text": line.text,
                "quantity": _number(line.quantity),
                "unit_price": self.money(line.unit_price),
                "total": self.money(line.total(self.vat.unit)),
            }
            for line in self.lines
        ]

    def rendered_lines(self) -> list[Json]:
        """Return the lines as the renderer of invoices wants them."""
        return [
            {
                "text": line.text,
                "quantity": _number(line.quantity),
                "unit_price": str(line.unit_price),
                "tax_pct": _number(self.vat.pct),
                "tax_kind": self.vat.kind,
            }
            for line in self.lines
        ]

    def record(self, number: str, client_name: str, pdf: Mapping[str, Json]) -> dict[str, Json]:
        """Return the invoice as our books keep it."""
        return {
            "number": number,
            "client": self.client,
            "client_name": client_name,
            "status": "issued",
            "issued": self.issued.isoformat(),
            "due": self.due.isoformat(),
            "text": self.lines[0].text,
            "lines": self.shown_lines(),
            "currency": self.currency,
            "net": self.money(self.net),
            "tax": self.money(self.tax),
            "tax_pct": _number(self.vat.pct),
            "tax_kind": self.vat.kind,
            "total": self.money(self.gross),
            "paid": self.money(Decimal(0)),
            "reminders": [],
            "pdf": dict(pdf),
        }


def vat_of(desk: Desk, client: Record | None, currency: str = "EUR") -> Vat:
    """Return the tax that a client's invoices bear; the client's record decides, then the company's rate."""
    unit = Decimal(1) if currency in WHOLE else CENT
    said = str((client.data.get("vat") if client else "") or "standard").replace("_", " ").replace("vat ", "")
    if said in ZERO_TAX:
        return Vat(Decimal(0), said, f"No VAT: {said}, as the client's record says.", unit)
    rate = Decimal((desk.company.get("vat_rate") or "0").rstrip(" %"))
    if not rate:
        # EN 16931, BR-E-02: exempt needs a registered seller; who has no number is not subject to the tax at all.
        registered = desk.company.get("vat_id") or desk.company.get("tax_id")
        return Vat(rate, "exempt" if registered else "not subject", "No VAT: no rate is set for the company.", unit)
    return Vat(rate, unit=unit)


def entries(
    client: str, net: Decimal, tax: Decimal, currency: str, *, sign: int = 1, against: str = "", note: str = ""
) -> tuple[Entry, ...]:
    """Return the ledger lines of an invoice, or with ``sign=-1`` of the credit note that takes it back.

    ``against`` is the account to use in place of what the client owes.
    """
    rows = (
        (against or f"assets:receivable:{client}", sign * (net + tax)),
        ("income:services", -sign * net),
        ("liabilities:vat", -sign * tax),
    )
    return tuple(Entry(account=account, amount=money(value, currency), note=note) for account, value in rows if value)


def outstanding(invoice: Record) -> tuple[Decimal, str]:
    """Return what is still to be paid on an invoice, and its currency; zero when it is not open."""
    total, currency = parse_money(invoice.data["total"])
    if invoice.data["status"] not in OPEN:
        return Decimal(0), currency
    return total - parse_money(invoice.data.get("paid") or money(Decimal(0), currency))[0], currency


def gross_that_splits(gross: Decimal, vat: Vat) -> tuple[Decimal, ...]:
    """Return the gross totals nearest to one that can be split into net and tax; just itself when it can."""
    net = vat.within(gross)
    if net + vat.of(net) == gross:
        return (gross,)
    around = sorted({n + vat.of(n) for n in (net - vat.unit, net, net + vat.unit)})
    below, above = [g for g in around if g < gross], [g for g in around if g > gross]
    return tuple(below[-1:] + above[:1])


def _number(value: Decimal) -> str:
    return f"{value.normalize():f}"
