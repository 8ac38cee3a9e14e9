"""A pretend company, so that the first minute needs no keys: written into an empty home by ``make run``."""

from __future__ import annotations

from pathlib import Path

from memory.events import Write

COMPANY = """\
# Your company, as it stands on invoices and under letters. This is the demo: change it, and restart.
name = "Lind Studio"
signatory = "Nora Lind"
email = "nora@lind-studio.example"
address = "Uferweg 1\\n10115 Berlin"
country = "DE"
iban = "DE02120300000000202051"
vat_id = "DE123456789"
vat_rate = "19"
currency = "EUR"
locale = "en"
zone = "Europe/Berlin"
terms = "net 14"
"""

CLIENTS = (
    Write(
        kind="client",
        key="acme",
        data={
            "name": "Acme GmbH",
            "email": "billing@acme.example",
            "contact": "Anna Berg",
            "address": "Ringstraße 2\n20095 Hamburg",
            "country": "DE",
            "currency": "EUR",
            "retainer": "1200.00 EUR",
            "status": "active",
        },
    ),
    Write(
        kind="client",
        key="initech",
        data={
            "name": "Initech Ltd",
            "email": "accounts@initech.example",
            "contact": "Bill Lumbergh",
            "address": "1 Office Park\nDublin",
            "country": "IE",
            "vat_id": "IE6388047V",
            "currency": "EUR",
            "status": "active",
        },
    ),
)


def move_in(home: Path) -> bool:
    """Write the demo company into an empty home; leave a home that is somebody's alone.

    Returns:
        Whether the demo was written: then its clients belong on the books too.
    """
    company = home / "company.toml"
    if company.exists() or (home / "soloist.db").exists():
        return False
    home.mkdir(parents=True, exist_ok=True)
    company.write_text(COMPANY, encoding="utf-8")
    return True
