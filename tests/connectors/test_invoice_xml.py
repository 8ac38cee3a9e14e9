from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from connectors.base import RefusedError
from connectors.invoice_totals import totals
from connectors.invoice_xml import INVOICE, Invoice, Party, refuse_what_the_norm_refuses, representable, xml


def invoice(**changes) -> Invoice:
    whole = Invoice(
        number="1",
        type_code=INVOICE,
        issued=date(2026, 3, 31),
        due=None,
        delivered=date(2026, 3, 31),
        seller=Party("Me", country="DE", vat_id="DE123456789"),
        buyer=Party("You", country="FR", vat_id="FR12345678901"),
        currency="EUR",
        totals=totals([{"text": "Work", "unit_price": "10", "tax_pct": "20"}], "EUR"),
    )
    return replace(whole, **changes)


def test_the_same_invoice_is_the_same_xml():
    assert xml(invoice()) == xml(invoice())


def test_an_address_of_many_lines_keeps_them_all():
    seller = Party("Me", address=("a", "b", "c", "d"), country="DE", vat_id="DE123456789")

    assert b"<ram:LineThree>c, d</ram:LineThree>" in xml(invoice(seller=seller))


def test_only_amounts_with_two_decimals_can_be_represented():
    def in_dinars(price: str) -> Invoice:
        return invoice(currency="KWD", totals=totals([{"text": "x", "unit_price": price, "tax_pct": "10"}], "KWD"))

    assert representable(in_dinars("10"))
    assert not representable(in_dinars("0.01"))
    assert b"<ram:GrandTotalAmount>11.00</ram:GrandTotalAmount>" in xml(in_dinars("10"))


def test_what_is_not_subject_to_tax_names_no_vat_id_of_anybody():
    free = totals([{"text": "x", "unit_price": "10", "tax_pct": "0"}], "EUR", zero_tax="not subject")

    assert b"DE123456789" not in xml(invoice(totals=free))
    assert b"DE123456789" in xml(invoice())


def test_an_export_needs_our_vat_id():
    export = totals([{"text": "x", "unit_price": "10", "tax_pct": "0"}], "EUR", zero_tax="export")
    refuse_what_the_norm_refuses(invoice(totals=export))

    with pytest.raises(RefusedError, match="needs your VAT id"):
        refuse_what_the_norm_refuses(invoice(totals=export, seller=Party("Me", country="DE", tax_id="1")))


def test_totals_carry_no_exponent_into_the_xml():
    many = totals([{"text": "x", "quantity": "1E3", "unit_price": Decimal("1E3"), "tax_pct": "20"}], "EUR")

    assert b"E+" not in xml(invoice(totals=many))
