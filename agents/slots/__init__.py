"""Typed slots: what an operator's words can mean, as pydantic fields, and the grammar that finds them.

::

    class Invoice(Intent):
        client: ClientName
        amount: Money
        terms: Terms | None = None

    find_spans("invoice Acme 1,200 net 14", now, zone, "en_GB")  # → Slot("money", ...), Slot("terms", ...)

Every type has one canonical string (see `written`), so slots travel in events as plain JSON. A new language is one
file in ``words/``.
"""

from agents.slots.addresses import ClientName, Email, Iban, InvoiceNumber
from agents.slots.dates import Day, Moment, Period
from agents.slots.every import Every
from agents.slots.grammar import find_spans, morning_of
from agents.slots.money import Money
from agents.slots.slot import Slot
from agents.slots.span import Span
from agents.slots.terms import Terms
from agents.slots.written import Kind, Written

__all__ = [
    "ClientName", "Day", "Email", "Every", "Iban", "InvoiceNumber", "Kind", "Moment", "Money", "Period", "Slot", "Span",
    "Terms", "Written", "find_spans", "morning_of",
]  # fmt: skip
