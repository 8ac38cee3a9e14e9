from datetime import date

import pytest

from connectors.base import RefusedError
from connectors.invoice_page import _WORDS, page
from connectors.invoice_totals import totals
from connectors.invoice_xml import CREDIT_NOTE, INVOICE, Invoice, Party


def invoice(type_code=INVOICE, currency="EUR", price="1200.50", **changes) -> Invoice:
    facts = {
        "number": "2026-0001",
        "type_code": type_code,
        "issued": date(2026, 3, 31),
        "due": date(2026, 4, 14),
        "delivered": date(2026, 3, 31),
        "seller": Party("Me", ("Uferweg 1",), "DE", vat_id="DE123456789", iban="DE02120300000000202051"),
        "buyer": Party("You", ("1 Office Park",), "IE"),
        "currency": currency,
        "totals": totals([{"text": "Work", "unit_price": price, "tax_pct": "19"}], currency),
    }
    return Invoice(**(facts | changes))


def test_every_language_has_every_word():
    assert {language: set(words) for language, words in _WORDS.items()} == {key: set(_WORDS["en"]) for key in _WORDS}
    assert {len(words["columns"]) for words in _WORDS.values()} == {6}
    assert all("{pct}" in words["tax"] and "{basis}" in words["tax"] for words in _WORDS.values())


@pytest.mark.parametrize(
    ("locale", "total", "country"),
    [("en", "€1,428.60", "Ireland"), ("de_DE", "1.428,60\xa0€", "Irland"), ("fr", "1\u202f428,60\xa0€", "Irlande")],
)
def test_figures_and_places_are_written_as_the_reader_does(locale, total, country):
    made = page(invoice(), locale)

    assert made["total"][1] == total
    assert made["buyer"]["lines"] == ["1 Office Park", country]


def test_a_language_without_words_is_english_throughout():
    assert page(invoice(), "sv_SE")["total"] == ["Total", "€1,428.60"]


def test_decimals_are_those_of_iso_4217():
    assert page(invoice(currency="JPY", price="1200"), "en")["total"][1] == "¥1,428"
    assert page(invoice(currency="KWD", price="1.234"), "en")["total"][1].endswith("1.468")
    assert page(invoice(currency="HUF", price="1000"), "en")["total"][1].endswith("1,190.00")


def test_a_price_keeps_its_own_decimals():
    assert page(invoice(price="0.3349"), "en")["lines"][0][3] == "0.3349"
    assert page(invoice(price="5"), "en")["lines"][0][3] == "5.00"


def test_a_credit_note_has_no_due_date_and_asks_for_nothing():
    made = page(invoice(CREDIT_NOTE, refers_to="2026-0001"), "en")

    assert "Due" not in dict(made["facts"])
    assert dict(made["facts"])["For invoice"] == "2026-0001"
    assert (made["payment"], made["qr"]) == ([], "")
    assert page(invoice(), "en")["payment"]


@pytest.mark.parametrize("locale", ["", "xx_YY", "../de", "x" * 50])
def test_what_is_no_language_is_refused(locale):
    with pytest.raises(RefusedError, match="not a language"):
        page(invoice(), locale)
