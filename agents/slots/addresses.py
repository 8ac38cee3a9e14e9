"""Names and numbers of people and papers. A client's name stays as it was typed: who has the records resolves it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

from agents.slots.written import Kind

EMAIL = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9][A-Za-z0-9._%+'-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}(?![\w-]|\.\w)"
)
INVOICE = re.compile(
    r"(?<![\w-])(?:(?:INV|RE|R|CN)[-/ ]?(?:\d{4}[-/])?\d{1,6}|20\d\d[-/]\d{3,6})(?![\w-])", re.IGNORECASE
)


def _email(text: str) -> str:
    if not EMAIL.fullmatch(text):
        raise ValueError(f"{text!r} is not an e-mail address, like 'anna@example.com'.")
    local, _, domain = text.rpartition("@")
    return f"{local}@{domain.lower()}"


def _number(text: str) -> str:
    return text.strip().lstrip("#").upper().replace(" ", "-")


Email = Annotated[str, AfterValidator(_email), Kind("email")]
"""An address; the domain in lower case, because only that part does not distinguish."""

ClientName = Annotated[str, Kind("client")]
"""A client as the operator wrote it, or the key of the record when the reading recognised one."""

InvoiceNumber = Annotated[str, AfterValidator(_number), Kind("invoice")]
"""``"2026-0007"``, ``"INV-12"``: upper case, without ``#``."""
