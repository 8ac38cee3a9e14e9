"""An invoice is drawn up from words and records; what is assumed is said, what is missing is asked."""

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from agents.base import Thought
from agents.billing import CancelInvoice
from agents.invoicing import asked_amount
from agents.slots import Money, Terms
from agents.slots.grammar import find_spans
from connectors.base import TryLaterError
from tests.agents.desk import NOW, PaperDesk, answered, assert_balanced, client
from tests.agents.test_billing import MARCH, invoiced, wish


async def test_an_invoice_is_issued_and_mailed_with_its_pdf() -> None:
    desk = PaperDesk()
    proposal = await answered(desk, wish(terms=Terms(days=14)), MARCH)
    issue, mail = proposal.calls
    assert issue.name == "books.issue"
    assert {key: issue.args[key] for key in ("client", "number", "kind", "amount", "net", "tax", "due")} == {
        "client": "Acme GmbH", "number": "2026-0001", "kind": "invoice", "amount": "1428.00 EUR",
        "net": "1200.00 EUR", "tax": "19 % · 228.00 EUR", "due": "2026-12-05",
    }  # fmt: skip
    assert issue.args["lines"] == [
        {"text": "March retainer", "quantity": "1", "unit_price": "1200.00 EUR", "total": "1200.00 EUR"}
    ]
    assert [(e.account, e.amount) for e in issue.entries] == [
        ("assets:receivable:acme", "1428.00 EUR"),
        ("income:services", "-1200.00 EUR"),
        ("liabilities:vat", "-228.00 EUR"),
    ]
    assert issue.needs == {"client:acme": 1, "number:invoice:2026-0001": 0}
    assert mail.args["to"] == ["billing@acme.example"]
    assert "1,428.00 EUR (1,200.00 EUR plus 19 % VAT), due on 5 December 2026" in mail.args["body"]
    assert mail.args["attachments"] == issue.args["attachments"]
    assert desk.files.get(mail.args["attachments"][0]["sha256"]).startswith(b"%PDF")
    desk.confirm(proposal)
    assert desk.record("invoice", "2026-0001").data["status"] == "sent"
    assert desk.balance("assets:receivable") == {"EUR": Decimal("1428.00")}


async def test_what_was_assumed_stands_in_the_reasons() -> None:
    proposal = await answered(PaperDesk(), wish(), MARCH)
    assert any("EUR, Acme GmbH's currency" in reason for reason in proposal.reasons)
    assert any("taken as net" in reason for reason in proposal.reasons)
    assert any("company's usual terms, net 14" in reason for reason in proposal.reasons)


async def test_a_typed_currency_is_not_an_assumption() -> None:
    proposal = await answered(PaperDesk(), wish(amount=Money(Decimal(10), "USD"), terms=Terms(days=7)), "invoice")
    assert proposal.calls[0].args["amount"] == "11.90 USD"
    assert not any("currency" in reason for reason in proposal.reasons)


@pytest.mark.parametrize("text", ["invoice Acme 119 incl. VAT", "bill Acme 119 gross", "119 including VAT to Acme"])
async def test_an_amount_including_vat_is_split(text: str) -> None:
    proposal = await answered(PaperDesk(), wish(amount=Money(Decimal(119))), text)
    assert proposal.calls[0].args["net"] == "100.00 EUR"
    assert proposal.calls[0].args["amount"] == "119.00 EUR"


async def test_a_gross_amount_that_no_net_gives_is_asked_about() -> None:
    proposal = await answered(PaperDesk(), wish(amount=Money(Decimal("0.03"))), "invoice Acme 0.03 incl. VAT")
    assert proposal.ask
    assert [choice.label for choice in proposal.choices] == ["0.02 EUR", "0.04 EUR"]
    assert proposal.choices[1].text == "invoice Acme 0.04 EUR incl. VAT"


async def test_days_times_rate_is_not_billed_as_one_day() -> None:
    said = "bill Acme for 3 days at 800"
    amount = next(slot.value for slot in find_spans(said, NOW, ZoneInfo("Europe/Berlin")) if slot.kind == "money")
    proposal = await answered(PaperDesk(), wish(amount=amount, what=""), said)
    assert proposal.calls[0].args["net"] == "2400.00 EUR"
    assert proposal.calls[0].args["lines"][0]["quantity"] == "3"


async def test_an_unknown_client_is_asked_for_and_never_guessed() -> None:
    proposal = await answered(PaperDesk(), wish(client="Globex"), "invoice Globex 1,200")
    assert "no client called 'Globex'" in proposal.ask
    assert not proposal.calls


async def test_a_slip_of_the_pen_offers_the_right_name_as_a_button() -> None:
    proposal = await answered(PaperDesk(), wish(client="Acmee"), "invoice Acmee 1,200")
    assert not proposal.calls
    assert [(c.label, c.text) for c in proposal.choices] == [("Acme GmbH", "invoice Acme GmbH 1,200")]


async def test_two_clients_of_one_name_are_asked_about() -> None:
    desk = PaperDesk(clients={"acme": client("Acme GmbH"), "acme-inc": client("Acme Inc.")})
    proposal = await answered(desk, wish(client="acme gmbh"), MARCH)
    assert proposal.calls
    proposal = await answered(PaperDesk(clients={"a": client("Acme North"), "b": client("Acme South")}), wish(), MARCH)
    assert {choice.label for choice in proposal.choices} == {"Acme North", "Acme South"}


async def test_a_client_without_an_address_is_asked_about() -> None:
    proposal = await answered(PaperDesk(clients={"acme": {"name": "Acme"}}), wish(), MARCH)
    assert "no e-mail address for Acme" in proposal.ask


async def test_a_newcomer_with_an_address_is_written_down_with_the_invoice() -> None:
    desk = PaperDesk()
    proposal = await answered(desk, wish(client="Globex", email="pay@globex.example"), "invoice Globex 1,200")
    assert proposal.calls[0].needs["client:globex"] == 0
    desk.confirm(proposal)
    assert desk.record("client", "globex").data["email"] == "pay@globex.example"
    assert proposal.calls[1].args["to"] == ["pay@globex.example"]


@pytest.mark.parametrize(
    ("vat", "more"), [("exempt", {}), ("export", {"country": "US"}), ("reverse charge", {"country": "FR", "vat_id": "FR32123456789"})]
)  # fmt: skip
async def test_a_client_without_vat_is_billed_without_and_told_why(vat: str, more: dict[str, str]) -> None:
    desk = PaperDesk(clients={"acme": client("Acme", vat=vat, **more)})
    proposal = await answered(desk, wish(), MARCH)
    assert proposal.calls, proposal
    assert proposal.calls[0].args["amount"] == "1200.00 EUR"
    assert proposal.calls[0].args["tax"] == f"none · {vat}"
    assert not any(entry.account == "liabilities:vat" for entry in proposal.calls[0].entries)
    assert_balanced(proposal.calls[0])


async def test_no_vat_without_a_reason_is_asked_about() -> None:
    proposal = await answered(PaperDesk(), wish(), "invoice Acme 1,200 no VAT")
    assert "Why does Acme GmbH pay no VAT?" in proposal.ask
    assert "update Acme GmbH vat reverse charge" in [choice.text for choice in proposal.choices]


async def test_a_company_without_a_rate_adds_no_vat_and_says_so() -> None:
    proposal = await answered(PaperDesk(vat_rate="", vat_id=""), wish(), MARCH)
    assert proposal.calls[0].args["amount"] == "1200.00 EUR"
    assert any("no rate is set" in reason for reason in proposal.reasons)


async def test_the_retainer_is_the_amount_when_none_is_said() -> None:
    proposal = await answered(PaperDesk(), wish(amount=None), "invoice the Acme retainer")
    assert proposal.calls[0].args["net"] == "1200.00 EUR"
    bare = PaperDesk(clients={"acme": client("Acme")})
    assert (await answered(bare, wish(amount=None), "invoice Acme")).ask == "How much shall I invoice Acme, before VAT?"


async def test_the_purpose_is_read_from_the_words_when_the_slot_is_empty() -> None:
    proposal = await answered(PaperDesk(), wish(what=""), MARCH)
    assert proposal.calls[0].args["lines"][0]["text"] == "March retainer"
    proposal = await answered(PaperDesk(), wish(what=""), "an invoice for Acme, 1200")
    assert proposal.calls[0].args["lines"][0]["text"] == "Services, November 2026"
    proposal = await answered(PaperDesk(), wish(what="the March retainer"))
    assert proposal.calls[0].args["lines"][0]["text"] == "March retainer"
    proposal = await answered(PaperDesk(), wish(what="3 days at 800"))
    assert proposal.calls[0].args["lines"][0]["text"] == "Services, November 2026"


async def test_the_same_bill_twice_is_pointed_out() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    again = await answered(desk, wish(), MARCH)
    assert any("2026-0001 already bills the same" in reason for reason in again.reasons)
    assert again.calls[0].args["number"] == "2026-0002"


async def test_an_edited_amount_changes_every_figure() -> None:
    proposal = await answered(PaperDesk(), wish(), MARCH, edits={"amount": "1000.00 EUR", "terms": "net 30"})
    assert proposal.calls[0].args["amount"] == "1190.00 EUR"
    assert proposal.calls[0].args["due"] == "2026-12-21"
    assert "1,190.00 EUR" in proposal.calls[1].args["body"]
    typed = await answered(PaperDesk(), wish(), MARCH, edits={"amount": "1,000"})
    assert typed.calls[0].args["amount"] == "1190.00 EUR"


async def test_an_edit_that_cannot_be_read_is_asked_about() -> None:
    proposal = await answered(PaperDesk(), wish(), MARCH, edits={"amount": "a lot"})
    assert "cannot read 'a lot' as amount" in proposal.ask


async def test_nothing_is_prepared_when_the_page_cannot_be_drawn() -> None:
    desk = PaperDesk()
    desk.answers["invoices.render"] = TryLaterError("The renderer is away.")
    proposal = await answered(desk, wish(), MARCH)
    assert "could not be drawn" in proposal.problem
    assert not proposal.calls


async def test_guidance_rewords_the_mail_but_no_figure() -> None:
    desk = PaperDesk()
    desk.thoughts = [Thought(text="Hi Anna, 9,999.00 EUR please.", model="m")]
    proposal = await answered(desk, wish(), MARCH, guidance="friendlier")
    assert "1,428.00 EUR" in proposal.calls[1].args["body"]
    assert any("Kept my own wording" in reason for reason in proposal.reasons)
    proposal = await answered(PaperDesk(), wish(), MARCH, guidance="friendlier")
    assert any("could not follow “friendlier”" in reason for reason in proposal.reasons)


async def test_no_model_is_asked_for_an_ordinary_invoice() -> None:
    desk = PaperDesk()
    await answered(desk, wish(), MARCH)
    assert desk.asked == []


@pytest.mark.parametrize(
    ("said", "record", "amount", "reason"),
    [
        (Money(Decimal(5), "USD"), {}, "5.00 USD", ""),
        (Money(Decimal(5)), {"currency": "CHF"}, "5.00 CHF", "CHF, Acme's currency"),
        (Money(Decimal(5)), {}, "5.00 EUR", "EUR, the company's currency"),
        (None, {"retainer": "9.00 EUR"}, "9.00 EUR", "Amount from Acme's retainer"),
        (None, {}, "None", ""),
    ],
)
def test_an_amount_is_said_or_on_the_record(
    said: Money | None, record: dict[str, str], amount: str, reason: str
) -> None:
    desk, reasons = PaperDesk(clients={"acme": client("Acme", **record)}), []
    assert str(asked_amount(said, desk, desk.record("client", "acme"), reasons)) == amount
    assert reason in " ".join(reasons)
    assert bool(reason) == bool(reasons)


async def test_yen_have_no_cents_and_dinars_have_three_decimals_on_paper_and_in_the_books() -> None:
    yen = await answered(PaperDesk(), wish(amount=Money(Decimal(1234), "JPY")), "invoice Acme 1234 yen")
    assert (yen.calls[0].args["net"], yen.calls[0].args["tax"]) == ("1234 JPY", "19 % · 234 JPY")
    assert_balanced(yen.calls[0])
    desk = PaperDesk()
    dinar = await answered(desk, wish(amount=Money(Decimal("1.234"), "KWD")), "invoice Acme 1.234 KWD")
    assert (dinar.calls[0].args["net"], dinar.calls[0].args["tax"]) == ("1.234 KWD", "19 % · 0.234 KWD")
    assert_balanced(dinar.calls[0])
    desk.confirm(dinar)
    data = desk.record("invoice", "2026-0001").data
    assert (data["total"], data["paid"], data["lines"][0]["total"]) == ("1.468 KWD", "0.000 KWD", "1.234 KWD")
    assert desk.balance("assets:receivable:acme") == {"KWD": Decimal("1.468")}
    taken_back = await answered(desk, CancelInvoice(number="2026-0001"), "cancel invoice 2026-0001")
    assert_balanced(taken_back.calls[0])


async def test_euros_are_written_as_ever() -> None:
    euro = await answered(PaperDesk(), wish(amount=Money(Decimal(1200), "EUR")), "invoice Acme 1200 EUR")
    assert (euro.calls[0].args["net"], euro.calls[0].args["tax"]) == ("1200.00 EUR", "19 % · 228.00 EUR")
    assert [entry.amount for entry in euro.calls[0].entries] == ["1428.00 EUR", "-1200.00 EUR", "-228.00 EUR"]
