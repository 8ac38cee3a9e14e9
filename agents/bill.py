"""What an invoice comes to and how it stands in the books. Pure; every figure is a `Decimal`. Which tax: ``vat.py``.

One tax rate an invoice, as a one-person company writes them. The tax is taken from the net total and rounded half up to
cents (EN 16931, BR-CO-17), so a gross amount that was typed cannot always be split; `gross_that_splits` says when.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from agents.base import Entry, Record, money, parse_money
from agents.vat import CENT, Vat
from memory.events import Json

OPEN = ("issued", "sent", "partly_paid")
"""The states of an invoice that is still to be paid."""


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
            "tax_note": self.vat.note,
            "total": self.money(self.gross),
            "paid": self.money(Decimal(0)),
            "reminders": [],
            "pdf": dict(pdf),
        }


def entries(
    client: str, net: Decimal, tax: Decimal, currency: str, *, sign: int = 1, paid: Decimal = Decimal(0), note: str = ""
) -> tuple[Entry, ...]:
    """Return the ledger lines of an invoice, or with ``sign=-1`` of the credit note that takes it back.

    What was ``paid`` on it is owed to the client from then on; the rest is owed by nobody.
    """
    rows = (
        (f"assets:receivable:{client}", sign * (net + tax - paid)),
        (refunds(client), sign * paid),
        ("income:services", -sign * net),
        ("liabilities:vat", -sign * tax),
    )
    return tuple(Entry(account=account, amount=money(value, currency), note=note) for account, value in rows if value)


def refunds(client: str) -> str:
    """Return the account of what is to be given back to a client."""
    return f"liabilities:refunds:{client}"


def received(invoice: Record) -> tuple[Decimal, str]:
    """Return what came in on an invoice, and its currency."""
    total, currency = parse_money(invoice.data["total"])
    if invoice.data["status"] == "paid":
        return total, currency
    return parse_money(invoice.data.get("paid") or money(Decimal(0), currency))


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
