"""VAT: the operator's word, then the record, then the ordinary case; what cannot be told is asked, and never guessed."""

from decimal import Decimal

import pytest

from agents.base import Proposal
from agents.billing import Invoice
from agents.clients import UpdateClient
from agents.slots import Money
from agents.vat import EU, SMALL_BUSINESS, VAT_IDS, Doubt, Vat, country, country_of, looks_right, vat_id, vat_of
from memory.events import Json, Write
from tests.agents.desk import PaperDesk, answered, assert_balanced, client

IRISH: dict[str, Json] = {"country": "IE", "vat_id": "IE6388047V"}
WISH = Invoice(client="Globex", amount=Money(Decimal(1000)), what="Audit")


def house(company: dict[str, str] | None = None, **data: Json) -> PaperDesk:
    return PaperDesk(clients={"globex": client("Globex", **data)}, **(company or {}))


def found(desk: PaperDesk, said: str = "") -> Vat | Doubt:
    record = desk.record("client", "globex")
    assert record
    return vat_of(desk, record, "EUR", said)


@pytest.mark.parametrize(
    ("company", "data", "kind", "pct"),
    [
        ({}, {}, "standard", 19),
        ({}, {"country": "DE", "vat_id": "DE136695976"}, "standard", 19),
        ({}, IRISH, "reverse charge", 0),
        ({}, {"vat_id": "ie 6388047 v"}, "reverse charge", 0),
        ({}, {"address": "1 Quay\nDublin, Ireland", "vat_id": "IE6388047V"}, "reverse charge", 0),
        ({}, {**IRISH, "vat": "standard"}, "standard", 19),
        ({}, {"country": "DE", "vat": "exempt"}, "exempt", 0),
        ({}, {"country": "US"}, "export", 0),
        ({}, {"address": "5 Elm Street\nSpringfield\nUSA"}, "export", 0),
        ({}, {"country": "GB", "vat_id": "GB123456789"}, "export", 0),
        ({"country": "US", "vat_id": "", "vat_rate": ""}, IRISH, "not subject", 0),
        ({"small_business": "True"}, {"country": "DE"}, "exempt", 0),
        ({"small_business": "True", "vat_id": ""}, {"country": "DE"}, "not subject", 0),
        ({"small_business": "True"}, IRISH, "reverse charge", 0),
        ({"small_business": "True", "vat_id": ""}, {"country": "US"}, "not subject", 0),
        ({"country": "AT", "vat_id": "ATU12345678", "vat_rate": "20"}, {"country": "DE"} , "", 0),
    ],
)  # fmt: skip
def test_the_tax_follows_from_company_and_record(
    company: dict[str, str], data: dict[str, Json], kind: str, pct: int
) -> None:
    vat = found(house(company, **data))
    if not kind:
        assert isinstance(vat, Doubt)
        assert "Globex is in Germany" in vat.question
        return
    assert isinstance(vat, Vat)
    assert (vat.kind, vat.pct) == (kind, pct)
    assert bool(vat.note) == (kind != "standard")


@pytest.mark.parametrize(
    ("company", "data", "asked"),
    [
        ({}, {"country": "IE"}, "update Globex vat id IE…"),
        ({}, {"country": "GR"}, "update Globex vat id EL…"),
        ({}, {"country": "IE", "vat_id": "IE12"}, "IE12 does not look like a VAT id of Ireland"),
        ({"vat_id": "", "tax_id": "12/345/67890"}, IRISH, "needs a VAT id of your own"),
    ],
)
async def test_what_cannot_be_told_is_asked_with_the_usual_tax_as_a_button(
    company: dict[str, str], data: dict[str, Json], asked: str
) -> None:
    desk = house(company, **data)
    proposal = await answered(desk, WISH, "invoice Globex 1,000 for the audit")
    assert asked in proposal.ask
    assert not proposal.calls
    pressed = proposal.choices[0].text
    assert pressed == "invoice Globex 1,000 for the audit, plus VAT"
    again = await answered(desk, WISH, pressed)
    assert again.calls[0].args["tax"] == "19 % · 190.00 EUR"
    desk.confirm(again)
    assert (await answered(desk, WISH, "invoice Globex 1,000")).calls, "what was said once is remembered"


async def test_an_irish_business_is_billed_by_reverse_charge_and_told_so_on_card_and_paper() -> None:
    desk = house(**IRISH)
    proposal = await answered(desk, WISH, "invoice Globex 1,000")
    issue = proposal.calls[0]
    assert (issue.args["amount"], issue.args["tax"]) == ("1000.00 EUR", "none · reverse charge")
    assert any(r.startswith("Reverse charge: Globex is a business in Ireland") for r in proposal.reasons)
    assert any("did not check with VIES" in reason for reason in proposal.reasons)
    _, drawn = next(each for each in desk.used if each[0] == "invoices.render")
    assert drawn["zero_tax_reason"] == "Reverse charge: VAT is to be accounted for by the recipient."
    assert_balanced(issue)
    assert not [entry for entry in issue.entries if entry.account == "liabilities:vat"]


@pytest.mark.parametrize(
    ("edit", "tax", "kept"),
    [
        ("standard", "19 % · 190.00 EUR", "standard"),
        ("export", "none · export", "export"),
        ("7", "7 % · 70.00 EUR", None),
        ("reverse charge", "none · reverse charge", None),
    ],
)
async def test_an_edit_wins_and_is_remembered_for_the_client(edit: str, tax: str, kept: str | None) -> None:
    desk = house(**IRISH)
    proposal = await answered(desk, WISH, "invoice Globex 1,000", edits={"vat": edit})
    assert proposal.calls[0].args["tax"] == tax
    assert any("I note it for Globex" in reason for reason in proposal.reasons) == bool(kept)
    desk.confirm(proposal)
    record = desk.record("client", "globex")
    assert record
    assert record.data.get("vat") == kept


async def test_an_edit_that_is_no_vat_is_asked_about() -> None:
    proposal = await answered(house(), WISH, "invoice Globex 1,000", edits={"vat": "some"})
    assert "'some' is no VAT. Say a rate like 19, or standard, exempt" in proposal.ask


@pytest.mark.parametrize("words", ["invoice Globex 1,000, reverse charge", "bill Globex 1,000 (reverse-charge)"])
async def test_the_operators_words_decide(words: str) -> None:
    assert (await answered(house(**IRISH, vat="standard"), WISH, words)).calls[0].args["tax"] == "none · reverse charge"


async def test_plus_vat_does_not_overrule_what_stands_on_the_record() -> None:
    desk = house(vat="exempt")
    assert (await answered(desk, WISH, "invoice Globex 1,000 plus VAT")).calls[0].args["tax"] == "none · exempt"


@pytest.mark.parametrize(("home", "law"), [*SMALL_BUSINESS.items(), ("LU", "Art. 284")])
async def test_a_small_business_names_its_law_on_the_invoice(home: str, law: str) -> None:
    desk = house({"small_business": "true", "country": home})
    proposal = await answered(desk, WISH, "invoice Globex 1,000")
    assert law in next(args for name, args in desk.used if name == "invoices.render")["zero_tax_reason"]
    assert any("small business" in reason for reason in proposal.reasons)
    desk.confirm(proposal)
    record = desk.record("invoice", "2026-0001")
    assert record
    assert law in record.data["tax_note"]


def test_the_shape_of_every_states_vat_id_is_known() -> None:
    assert len(EU) == len(VAT_IDS) == 27
    for number in ("ATU12345678", "NL123456789B01", "EL123456789", "FR32123456789", "IE1234567FA", "ESX1234567R"):
        assert looks_right(number), number
    for number in ("ATU1234567", "DE12345678", "IE12", "GR12"):
        assert not looks_right(number), number
    assert looks_right("US-whatever"), "what is not the EU's is not judged"
    assert vat_id(" de 123.456-789 ") == "DE123456789"


def test_a_country_is_known_by_letters_name_address_or_id() -> None:
    assert [country(each) for each in ("ie", "Ireland", "Österreich", "UK", "Atlantis", "EU", "")] == [
        "IE", "IE", "AT", "GB", "", "", "",
    ]  # fmt: skip
    desk = house()
    for data, code in (
        ({"country": "Ireland"}, "IE"),
        ({"address": "Weg 1\n1010 Wien\nÖsterreich"}, "AT"),
        ({"address": "Weg 1\n10115 Berlin"}, ""),
        ({"vat_id": "EL123456789"}, "GR"),
        ({"vat_id": "not one"}, ""),
    ):
        assert country_of(desk.write(Write(kind="client", key="x", data={"name": "X", **data}))) == code


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("vat id", "ie 6388047 v", {"vat_id": "IE6388047V"}),
        ("country", "Ireland", {"country": "IE"}),
        ("vat", "reverse_charge", {"vat": "reverse charge"}),
        ("vat id", "IE12", None),
        ("country", "Atlantis", None),
        ("vat", "maybe", None),
    ],
)
async def test_what_decides_the_tax_is_read_before_it_is_written(
    field: str, value: str, kept: dict[str, str] | None
) -> None:
    proposal: Proposal = await answered(house(), UpdateClient(client="Globex", field=field, value=value))
    assert bool(proposal.ask) == (kept is None)
    if kept:
        assert kept.items() <= dict(proposal.calls[0].writes[0].data).items()
