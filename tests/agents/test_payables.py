"""Payables: an order says whose words its account and amount are, and the same bill is not ordered twice by a slip."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from agents.base import Found
from agents.payables import BillPaid, Bills, PayBill
from agents.slots import Money
from memory.events import Origin
from tests.agents.desk import NOW, PaperDesk, answered
from tests.agents.test_demand import ENGLISH, IBAN

OTHER = "GB29NWBK60161331926819"
SHOWN = "Printer GmbH <DE89 3704 0044 0532 0130 00>"


def eur(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")


def paper(text: str = ENGLISH, source: str = "file:printer.pdf#page=1", number: int = 1) -> Found:
    return Found(f"memory:{number}", text, 0.9, {}, Origin.STRANGER, NOW, source)


def whole(**slots: object) -> PayBill:
    return PayBill(**{"payee": "Printer GmbH", "amount": eur("300"), "what": "the flyers", "account": IBAN, **slots})


async def test_what_is_said_whole_is_an_order_with_its_liability() -> None:
    desk = PaperDesk()
    proposal = await answered(desk, whole())
    (call,) = proposal.calls
    assert call.name == "bank.transfer"
    assert call.args == {
        "payee": SHOWN, "amount": "300.00 EUR", "text": "the flyers", "holder": "Nora Lind Studio",
        "from_account": "DE02 1203 0000 0000 2020 51",
    }  # fmt: skip
    assert proposal.reasons == ("The account is the one you typed.",)
    desk.confirm(proposal)
    assert desk.balance("liabilities:payable:printer") == {"EUR": Decimal("-300.00")}
    assert desk.balance("expenses:bills") == {"EUR": Decimal("300.00")}
    assert [record.data["status"] for record in desk.records("bill")] == ["ordered"]


async def test_a_paper_at_hand_fills_what_was_not_said_and_the_card_says_whose_words_it_is() -> None:
    desk = PaperDesk()
    desk.found = [paper()]
    proposal = await answered(desk, PayBill(payee="the Printer bill"), "pay the Printer bill")
    (call,) = proposal.calls
    assert (call.args["payee"], call.args["amount"], call.args["text"]) == (SHOWN, "300.00 EUR", "2026-118")
    assert "The account is the paper's (printer.pdf), not your words: compare it." in proposal.reasons
    assert "The amount is the paper's (printer.pdf)." in proposal.reasons
    assert "It is due on 5 December 2026." in proposal.reasons
    assert proposal.confidence_pct < 100
    said = await answered(desk, PayBill(payee="Printer", amount=eur("250")))
    assert "The paper says 300.00 EUR, you said 250.00 EUR." in said.reasons
    assert said.calls[0].args["amount"] == "250.00 EUR"


async def test_pieces_of_one_paper_are_read_together_and_two_papers_are_a_question() -> None:
    desk = PaperDesk()
    head, tail = ENGLISH[:120], ENGLISH[120:]
    desk.found = [paper(tail, "file:printer.pdf#page=2", 8), paper(head, "file:printer.pdf#page=1", 7)]
    assert (await answered(desk, PayBill(payee="Printer"))).calls
    second = ENGLISH.replace("2026-118", "2026-131").replace("300.00", "90.00")
    desk.found = [paper(), paper(second, "mail:<1@printer.example>", 3)]
    asked = await answered(desk, PayBill(payee="Printer"))
    assert [choice.text for choice in asked.choices] == [
        "pay the Printer GmbH bill 2026-118",
        "pay the Printer GmbH bill 2026-131",
    ]
    chosen = await answered(desk, PayBill(payee="Printer GmbH", what="2026-131"))
    assert chosen.calls[0].args["amount"] == "90.00 EUR"
    assert "(a mail)" in chosen.reasons[0]
    desk.confirm(chosen)
    assert (await answered(desk, PayBill(payee="Printer"))).calls[0].args["text"] == "2026-118", "the other is ordered"


async def test_the_same_bill_is_not_ordered_twice_by_a_slip() -> None:
    desk = PaperDesk()
    desk.confirm(await answered(desk, whole()))
    again = await answered(desk, whole())
    assert not again.calls
    assert "300.00 EUR to Printer GmbH for the flyers was ordered on 21 November 2026. Pay it once more?" in again.ask
    assert (await answered(desk, whole(), "pay Printer GmbH 300 for the flyers once more")).calls
    assert (await answered(desk, whole(what="the posters"))).calls, "another thing for the same sum is another bill"
    assert (await answered(desk, whole(amount=eur("301")))).calls


async def test_the_account_of_an_earlier_bill_is_known_and_said_to_be_that() -> None:
    desk = PaperDesk()
    desk.confirm(await answered(desk, whole()))
    proposal = await answered(desk, PayBill(payee="Printer GmbH", amount=eur("20")))
    assert proposal.calls[0].args["payee"] == SHOWN
    assert proposal.reasons == ("The account is the one of 21 November 2026.",)


@pytest.mark.parametrize(
    ("slots", "words"),
    [
        ({"account": None}, "On which account?"),
        ({"account": "DE02120300000000202051"}, "your own account"),
        ({"amount": Money(Decimal(300), "USD")}, "is in EUR"),
        ({"payee": None}, "Whom shall I pay?"),
    ],
)
async def test_what_is_missing_or_cannot_be_is_said(slots: dict[str, object], words: str) -> None:
    proposal = await answered(PaperDesk(), whole(**slots))
    assert not proposal.calls
    assert words in (proposal.ask or proposal.problem)


async def test_without_an_account_of_our_own_or_a_paper_nothing_is_guessed() -> None:
    assert "company.toml" in (await answered(PaperDesk(iban=""), whole())).problem
    assert "No bill of Hetzner is at hand" in (await answered(PaperDesk(), PayBill(payee="Hetzner"))).ask
    desk = PaperDesk()
    desk.found = [paper(ENGLISH.replace("Total 300.00 EUR", "Total 300.00 EUR, Total 310.00 EUR"))]
    assert "does not say it clearly" in (await answered(desk, PayBill(payee="Printer"))).ask


async def test_what_the_bank_has_done_is_noted_on_the_operators_word() -> None:
    desk = PaperDesk()
    desk.confirm(await answered(desk, whole()))
    noted = await answered(desk, BillPaid(payee="Printer"))
    assert noted.calls[0].args["summary"] == "Printer GmbH is paid: 300.00 EUR for the flyers"
    desk.confirm(noted)
    assert desk.balance("liabilities:payable") == {"EUR": Decimal(0)}
    assert desk.balance("assets:bank") == {"EUR": Decimal("-300.00")}
    assert "No order to Printer waits" in (await answered(desk, BillPaid(payee="Printer"))).problem
    desk.confirm(await answered(desk, BillPaid(payee="Plumber", amount=eur("80"))))
    assert desk.balance("expenses:bills") == {"EUR": Decimal("380.00")}
    assert "is paid. Pay it once more?" in (await answered(desk, whole())).ask


async def test_the_list_tells_orders_from_papers() -> None:
    desk = PaperDesk()
    assert "No bill is at hand" in (await answered(desk, Bills())).say
    desk.found = [paper()]
    desk.confirm(await answered(desk, whole(payee="Rosa", account=OTHER)))
    listed = await answered(desk, Bills())
    assert "- Rosa · 300.00 EUR · the flyers · ordered on 21 November 2026" in listed.say
    assert "- Printer GmbH · 300.00 EUR · 2026-118 · due 5 December 2026 · printer.pdf" in listed.say
    assert [choice.text for choice in listed.choices] == ["pay the Printer GmbH bill 2026-118"]


async def test_a_day_to_come_is_on_the_order_and_a_clients_limit_counts_a_client() -> None:
    desk = PaperDesk()
    day = date(2026, 11, 21) + timedelta(days=3)
    proposal = await answered(desk, whole(payee="Acme", day=day))
    assert proposal.calls[0].args["day"] == "2026-11-24"
    assert proposal.calls[0].client == "acme"
