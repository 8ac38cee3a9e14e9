"""Money as a slot: an exact amount and a currency, or an amount whose currency nobody said."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Self

from agents.base import money
from agents.slots.written import Written

_CANONICAL = re.compile(r"(-?\d{1,15}(?:\.\d{1,4})?)(?: ([A-Z]{3}))?")


@dataclass(frozen=True)
class Money(Written):
    """``Money(Decimal("1200"), "EUR")``, written ``"1200.00 EUR"``; without a currency ``"1200.00"``.

    An unknown currency is never guessed here: whoever has the operator's settings calls `in_currency`.
    """

    kind: ClassVar[str] = "money"
    example: ClassVar[str] = "1200.00 EUR"

    amount: Decimal
    currency: str = ""  # ISO 4217, or empty: not said

    def __str__(self) -> str:
        return money(self.amount, self.currency).strip()

    @classmethod
    def read(cls, text: str) -> Self:
        """Return ``"1200.00 EUR"`` or ``"1200.00"`` as money."""
        match = _CANONICAL.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not money as written in this house, like '1200.00 EUR' or '1200.00'.")
        return cls(Decimal(match[1]), match[2] or "")

    def in_currency(self, default: str) -> Money:
        """Return the same amount with ``default`` where no currency was said."""
        return self if self.currency else Money(self.amount, default)
