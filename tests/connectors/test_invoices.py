import hashlib
from datetime import UTC, datetime

import pytest
from facturx import get_facturx_xml_from_pdf, xml_check_xsd

from connectors.base import Receipt, Workshop
from connectors.invoices import Invoices

SELLER = {
    "name": "Mira Holt Consulting",
    "address": "Lindenstraße 12\n10969 Berlin\nGermany",
    "email": "mira@holt.example",
    "vat_id": "DE123456789",
    "iban": "DE89 3704 0044 0532 0130 00",
}
BUYER = {"name": "Acme Łódź Sp. z o.o.", "address": ["Piotrkowska 1", "90-001 Łódź"], "country": "PL"}
RETAINER = {"text": "March retainer", "quantity": "1", "unit_price": "1200.00", "tax_pct": "19"}


class Shelf(dict[str, bytes]):
    """Content-addressed files in memory."""

    def put(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self[digest] = content
        return digest

    def get(self, sha256: str) -> bytes:
        return self[sha256]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def invoices(shelf: Shelf, tmp_path) -> Invoices:
    return Invoices(Workshop(home=tmp_path, files=shelf, now=lambda: datetime(2026, 3, 31, tzinfo=UTC)))


async def render(invoices: Invoices, **changes) -> Receipt:
    facts = {
        "number": "2026-0001",
        "issue_date": "2026-03-31",
        "due_date": "2026-04-14",
        "seller": SELLER,
        "buyer": BUYER,
        "currency": "EUR",
        "lines": [RETAINER],
    }
    return await invoices.render(**(facts | changes))


async def test_the_pdf_holds_the_invoice_twice_for_people_and_for_machines(invoices, shelf):
    receipt = await render(invoices)

    assert receipt.data["total"] == "1428.00 EUR"
    assert receipt.data["pdf"]["name"] == "invoice-2026-0001.pdf"
    pdf = shelf.get(receipt.data["pdf"]["sha256"])
    name, xml = get_facturx_xml_from_pdf(pdf, check_xsd=True)
    assert name == "factur-x.xml"
    assert xml_check_xsd(xml)


async def test_the_same_facts_give_the_same_bytes(invoices):
    first, second = await render(invoices), await render(invoices)

    assert first.data["pdf"] == second.data["pdf"]
