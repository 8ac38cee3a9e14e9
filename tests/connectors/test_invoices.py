import hashlib
import io
import json
import re
from datetime import UTC, datetime

import pytest
from facturx import get_facturx_xml_from_pdf
from lxml import etree
from pypdf import PdfReader

from connectors.base import Receipt, RefusedError, Workshop
from connectors.invoices import Invoices

SELLER = {
    "name": "Mira Holt Consulting",
    "address": "Lindenstraße 12\n10969 Berlin\nGermany",
    "email": "mira@holt.example",
    "phone": "+49 30 1234567",
    "vat_id": "DE123456789",
    "tax_id": "12/345/67890",
    "iban": "DE89 3704 0044 0532 0130 00",
    "bic": "COBADEFFXXX",
}
UNREGISTERED = {key: value for key, value in SELLER.items() if key not in {"vat_id", "tax_id"}}
BUYER = {
    "name": "Acme Łódź Sp. z o.o.",
    "address": ["Piotrkowska 1", "90-001 Łódź"],
    "country": "PL",
    "vat_id": "PL1234567890",
}
RETAINER = {"text": "March retainer", "quantity": "1", "unit_price": "1200.00", "tax_pct": "19"}
UNTAXED = RETAINER | {"tax_pct": "0"}
CREDIT = {"kind": "credit note", "number": "2026-0002", "refers_to": "2026-0001", "refers_date": "2026-03-01"}

KINDS = {
    "plain": {},
    "several rates": {"lines": [RETAINER, RETAINER | {"tax_pct": "7"}, UNTAXED | {"tax_kind": "exempt"}]},
    "a price finer than a cent": {"lines": [RETAINER | {"unit_price": "0.3349", "quantity": "17.25", "unit": "hours"}]},
    "a discount": {"lines": [RETAINER, RETAINER | {"text": "Discount", "unit_price": "-200.00"}]},
    "credit note": CREDIT,
    "credit note without the date": CREDIT | {"refers_date": ""},
    "reverse charge": {"lines": [UNTAXED], "zero_tax": "reverse charge"},
    "intra-community": {"lines": [UNTAXED], "zero_tax": "intra-community"},
    "export": {"lines": [UNTAXED], "zero_tax": "export", "buyer": {"name": "Acme Inc.", "country": "US"}},
    "exempt in own words": {"lines": [UNTAXED], "zero_tax": "exempt", "zero_tax_reason": "§ 19 UStG"},
    "zero rated": {"lines": [UNTAXED], "zero_tax": "zero rated"},
    "not registered for tax": {"lines": [UNTAXED], "seller": UNREGISTERED},
    "not subject, though registered": {"lines": [UNTAXED], "zero_tax": "not subject"},
    "tax number only": {"seller": {k: v for k, v in SELLER.items() if k != "vat_id"}},
    "hardly any facts": {"lines": [UNTAXED], "seller": {"name": "Me", "country": "DE"}, "buyer": {"name": "You"}},
    "yen": {"currency": "JPY", "lines": [RETAINER | {"unit_price": "150000"}]},
    "dinars without fils": {"currency": "KWD", "lines": [RETAINER | {"unit_price": "100"}]},
    "dollars": {"currency": "USD"},
    "no due date": {"due_date": ""},
    "nothing to pay": {"lines": [RETAINER, RETAINER | {"quantity": "-1"}]},
    "other alphabets": {"buyer": {"name": "Ωμέγα Софья Ğüneş شركة", "vat_id": "EL123456789", "address": "Οδός 1, Αθήνα"}},
    "markup in every text": {
        "buyer": BUYER | {"name": '#panic("x") <b>&amp; $x$ \\ *_`'},
        "note": "]]> #import <!-- \" ' &\nsecond line",
        "lines": [RETAINER | {"text": '#read("/etc/passwd")\n</ram:Name>'}],
    },
    "a long list": {"lines": [RETAINER | {"text": f"Item {n}, " + "described at length " * 4} for n in range(120)]},
    "delivered earlier, with a link": {"delivery_date": "2026-02-28", "pay_url": "https://pay.example/2026-0001"},
}  # fmt: skip


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


def words_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def pdf_of(receipt: Receipt, shelf: Shelf) -> bytes:
    return shelf.get(receipt.data["pdf"]["sha256"])


def xml_of(receipt: Receipt, shelf: Shelf) -> bytes:
    name, xml = get_facturx_xml_from_pdf(pdf_of(receipt, shelf), check_xsd=True)
    assert name == "factur-x.xml"
    return xml


def term(xml: bytes, path: str) -> list[str]:
    names = {
        "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
        "rsm": "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100",
        "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
        "qdt": "urn:un:unece:uncefact:data:standard:QualifiedDataType:100",
    }
    return [node.text for node in etree.fromstring(xml).findall(f".//{path}", names)]


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_invoice_passes_the_schema_of_factur_x(invoices, shelf, kind):
    receipt = await render(invoices, **KINDS[kind])

    assert receipt.data["e_invoice"] == "EN 16931"
    assert xml_of(receipt, shelf)


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_invoice_keeps_the_business_rules_of_en_16931(invoices, shelf, kind):
    pytest.importorskip("saxonche", reason="the rules are XSLT 2, which needs the package saxonche")
    from tests.counterparts.schematron import broken_rules

    assert broken_rules(xml_of(await render(invoices, **KINDS[kind]), shelf)) == []


async def test_the_judge_of_the_rules_finds_a_wrong_total(invoices, shelf):
    pytest.importorskip("saxonche", reason="the rules are XSLT 2, which needs the package saxonche")
    from tests.counterparts.schematron import broken_rules

    xml = xml_of(await render(invoices), shelf).replace(b"1428.00", b"1429.00")

    assert "BR-CO-15" in broken_rules(xml)


async def test_page_and_xml_say_the_same_figures(invoices, shelf):
    receipt = await render(invoices, lines=[RETAINER, RETAINER | {"unit_price": "49.90", "tax_pct": "7"}])

    xml = xml_of(receipt, shelf)
    assert (receipt.data["net"], receipt.data["tax"], receipt.data["total"]) == (
        "1249.90 EUR",
        "231.49 EUR",
        "1481.39 EUR",
    )
    assert term(xml, "ram:GrandTotalAmount") == ["1481.39"]
    assert term(xml, "ram:SpecifiedTradeSettlementHeaderMonetarySummation/ram:TaxTotalAmount") == ["231.49"]
    page = words_of(pdf_of(receipt, shelf))
    assert all(figure in page for figure in ("€1,249.90", "€228.00", "€3.49", "€1,481.39", "2026-0001", "Łódź"))


async def test_a_credit_note_is_a_381_that_names_its_invoice_and_asks_for_no_money(invoices, shelf):
    receipt = await render(invoices, **CREDIT)

    xml, page = xml_of(receipt, shelf), words_of(pdf_of(receipt, shelf))
    assert term(xml, "rsm:ExchangedDocument/ram:TypeCode") == ["381"]
    assert term(xml, "ram:InvoiceReferencedDocument/ram:IssuerAssignedID") == ["2026-0001"]
    assert term(xml, "ram:InvoiceReferencedDocument/ram:FormattedIssueDateTime/qdt:DateTimeString") == ["20260301"]
    assert term(xml, "ram:IBANID") == []
    assert receipt.data["pdf"]["name"] == "credit-note-2026-0002.pdf"
    assert "2026-0001" in page
    assert "Pay by" not in page
    assert "€1,428.00" in page


async def test_the_same_facts_give_the_same_bytes_and_one_changed_fact_gives_others(invoices):
    first, second = await render(invoices), await render(invoices)

    assert first.data["pdf"] == second.data["pdf"]
    assert (await render(invoices, note="x")).data["pdf"]["sha256"] != first.data["pdf"]["sha256"]


async def test_the_file_says_that_it_is_pdf_a_3b_and_factur_x(invoices, shelf):
    root = PdfReader(io.BytesIO(pdf_of(await render(invoices), shelf))).root_object

    metadata = etree.fromstring(root["/Metadata"].get_data())
    said = {etree.QName(node).localname: node.text for node in metadata.iter() if node.text}
    assert (said["part"], said["conformance"]) == ("3", "B")
    assert said["DocumentFileName"] == "factur-x.xml"
    assert (said["DocumentType"], said["ConformanceLevel"]) == ("INVOICE", "EN 16931")
    assert root["/AF"][0].get_object()["/AFRelationship"] == "/Alternative"


async def test_the_factur_x_words_are_added_behind_the_file_in_the_form_of_pdf_a(invoices, shelf):
    pdf = pdf_of(await render(invoices), shelf)

    reader = PdfReader(io.BytesIO(pdf), strict=True)
    assert reader.metadata["/Title"] == "Invoice 2026-0001"
    before, _, update = pdf.partition(b"%%EOF")
    assert re.match(rb"\n\d+ 0 obj\n<<", update)
    table = int(re.findall(rb"startxref\s+(\d+)", update)[0])
    assert pdf[table:].startswith(b"xref\n")
    number, offset = re.match(rb"xref\n(\d+) 1\n(\d{10}) 00000 n\r\n", pdf[table:]).groups()
    assert pdf[int(offset) :].startswith(number + b" 0 obj\n")
    assert re.findall(rb"/ID\[.*?\]", before)[-1] in update
    assert pdf.endswith(b"%%EOF\n")


async def test_a_long_list_runs_over_pages_and_loses_no_line(invoices, shelf):
    receipt = await render(invoices, **KINDS["a long list"])

    pdf = pdf_of(receipt, shelf)
    pages = len(PdfReader(io.BytesIO(pdf)).pages)
    assert pages > 3
    page = words_of(pdf)
    assert re.findall(r"Item (\d+),", page) == [str(n) for n in range(120)]
    assert f"{pages} / {pages}" in page


async def test_text_is_never_markup(invoices, shelf):
    receipt = await render(invoices, **KINDS["markup in every text"])

    page = words_of(pdf_of(receipt, shelf))
    assert '#panic("x") <b>&amp; $x$ \\ *_`' in page
    assert '#read("/etc/passwd")' in page
    assert "root:" not in page


async def test_letters_that_no_font_has_are_refused_and_never_printed_as_boxes(invoices, shelf):
    with pytest.raises(RefusedError, match="No font on this machine"):
        await render(invoices, note="Private: \U0010fffd")
    assert not shelf


async def test_an_amount_the_norm_cannot_hold_comes_without_an_e_invoice_and_says_so(invoices, shelf):
    receipt = await render(invoices, currency="KWD", lines=[RETAINER | {"unit_price": "1.234"}])

    assert receipt.data["total"] == "1.468 KWD"
    assert receipt.data["e_invoice"] == ""
    assert "allows two decimals" in receipt.data["warnings"][0]
    assert "/AF" not in PdfReader(io.BytesIO(pdf_of(receipt, shelf))).root_object


async def test_the_payment_code_is_only_where_a_transfer_would_reach(invoices, shelf):
    def has_code(receipt):
        return "Scan to pay" in words_of(pdf_of(receipt, shelf))

    assert has_code(await render(invoices))
    assert not has_code(await render(invoices, currency="USD"))
    assert not has_code(await render(invoices, seller=SELLER | {"iban": ""}))
    assert not has_code(await render(invoices, **CREDIT))


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en", ("Invoice", "March 31, 2026", "€1,428.00")),
        ("en-GB", ("Invoice", "31 March 2026", "€1,428.00")),
        ("de_DE", ("Rechnung", "31. März 2026", "1.428,00")),
        ("fr", ("Facture", "31 mars 2026", "428,00")),
        ("sv_SE", ("Invoice", "31 March 2026")),
    ],
)
async def test_the_page_speaks_the_language_it_is_asked_for(invoices, shelf, locale, words):
    page = words_of(pdf_of(await render(invoices, locale=locale), shelf))

    assert all(word in page for word in words)


@pytest.mark.parametrize(
    ("party", "country"),
    [
        ({"name": "A", "address": "Street 1, Vienna, Austria"}, "AT"),
        ({"name": "A", "address": "Street 1\nWien\nÖsterreich"}, "AT"),
        ({"name": "A", "address": "Street 1\nFR"}, "FR"),
        ({"name": "A", "vat_id": "EL123456789"}, "GR"),
        ({"name": "A", "country": "Spain"}, "ES"),
    ],
)
async def test_a_country_is_read_from_what_is_there(invoices, shelf, party, country):
    receipt = await render(invoices, buyer=party)

    assert term(xml_of(receipt, shelf), "ram:BuyerTradeParty/ram:PostalTradeAddress/ram:CountryID") == [country]
    assert receipt.data["warnings"] == []


async def test_a_client_without_a_country_gets_ours_and_a_warning(invoices):
    receipt = await render(invoices, buyer={"name": "Globex"})

    assert receipt.data["warnings"] == [
        "Globex has no country; the e-invoice says DE, like yours. Add it to the client."
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seller": {"name": "Me", "address": "Somewhere"}}, "country of your company is missing"),
        ({"seller": SELLER | {"name": " "}}, "name of your company is missing"),
        ({"seller": SELLER | {"iban": "DE89 3704 0044 0532 0130 01"}}, "not an IBAN"),
        ({"seller": SELLER | {"iban": "DE٨٩370400440532013000"}}, "not an IBAN"),
        ({"seller": UNREGISTERED}, "needs your VAT id or tax number"),
        ({"buyer": BUYER | {"vat_id": "1234567890"}}, "not a VAT id"),
        ({"buyer": BUYER | {"country": "Atlantis"}}, "not a country"),
        ({"buyer": BUYER | {"vat_id": ""}, "lines": [UNTAXED], "zero_tax": "reverse charge"}, "the client's VAT id"),
        ({"lines": [UNTAXED]}, "Say why"),
        ({"lines": [RETAINER, UNTAXED | {"tax_kind": "not subject"}]}, "make two invoices"),
        ({"kind": "receipt"}, "neither 'invoice' nor 'credit note'"),
        ({"kind": "credit note"}, "must say which invoice"),
        ({"lines": [RETAINER | {"quantity": "-1"}]}, "make a credit note"),
        ({"due_date": "2026-03-30"}, "before it is written"),
        ({"issue_date": "31.03.2026"}, "write it like 2026-03-31"),
        ({"number": "1\n2"}, "one line of text"),
        ({"number": ""}, "one line of text"),
        ({"note": "x" * 5_001}, "5000 is the most"),
        ({"pay_url": "javascript:alert(1)"}, "not a web address"),
        ({"locale": "xx_YY"}, "not a language"),
        ({"currency": "EURO"}, "not a currency"),
    ],
)
async def test_facts_that_make_no_invoice_are_refused_with_what_to_do(invoices, shelf, changes, words):
    with pytest.raises(RefusedError, match=words):
        await render(invoices, **changes)
    assert not shelf


async def test_the_answer_is_canonical_json_without_floats(invoices):
    receipt = await render(invoices, lines=[RETAINER | {"quantity": "2.50", "unit": "days"}])

    def no_floats(text):
        raise AssertionError(text)

    assert json.loads(json.dumps(receipt.data), parse_float=no_floats) == receipt.data
    assert receipt.data["lines"][0] == {
        "text": "March retainer",
        "quantity": "2.5",
        "unit": "days",
        "unit_price": "1200.00 EUR",
        "tax_pct": "19",
        "total": "3000.00 EUR",
    }
