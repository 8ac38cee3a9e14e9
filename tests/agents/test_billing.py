"""Billing proposes invoices, payments, reminders and credit notes; the books it would leave are checked to the cent."""

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from agents.base import Proposal, Thought
from agents.billing import (
    Billing,
    CancelInvoice,
    Invoice,
    MarkPaid,
    PaymentLink,
    RecurringInvoice,
    Refund,
    RemindDebtor,
    Revenue,
    Unpaid,
)
from agents.slots import Every, Money, Period, Terms
from agents.slots.grammar import find_spans
from connectors.base import TryLaterError
from memory.events import Write
from tests.agents.desk import NOW, PaperDesk, assert_balanced, client, day, task

MARCH = "invoice Acme 1,200 for the March retainer, net 14"


def wish(**slots: object) -> Invoice:
    return Invoice(**{"client": "Acme", "amount": Money(Decimal(1200)), "what": "March retainer"} | slots)


async def propose(desk: PaperDesk, intent: object, text: str = "", **more: object) -> Proposal:
    return await Billing().work(task(intent, text, **more), desk)


async def invoiced(desk: PaperDesk, **slots: object) -> str:
    proposal = await propose(desk, wish(**slots), MARCH)
    desk.confirm(proposal)
    return str(proposal.results["invoice"])


async def overdue(desk: PaperDesk, number: str, due: str = "2026-11-01") -> None:
    desk.write(Write(kind="invoice", key=number, data={**desk.record("invoice", number).data, "due": due}))


# ── invoices ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_invoice_is_issued_and_mailed_with_its_pdf() -> None:
    desk = PaperDesk()
    proposal = await propose(desk, wish(terms=Terms(days=14)), MARCH)
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
    proposal = await propose(PaperDesk(), wish(), MARCH)
    assert any("EUR, Acme GmbH's currency" in reason for reason in proposal.reasons)
    assert any("taken as net" in reason for reason in proposal.reasons)
    assert any("company's usual terms, net 14" in reason for reason in proposal.reasons)


async def test_a_typed_currency_is_not_an_assumption() -> None:
    proposal = await propose(PaperDesk(), wish(amount=Money(Decimal(10), "USD"), terms=Terms(days=7)), "invoice")
    assert proposal.calls[0].args["amount"] == "11.90 USD"
    assert not any("currency" in reason for reason in proposal.reasons)


@pytest.mark.parametrize("text", ["invoice Acme 119 incl. VAT", "bill Acme 119 gross", "119 including VAT to Acme"])
async def test_an_amount_including_vat_is_split(text: str) -> None:
    proposal = await propose(PaperDesk(), wish(amount=Money(Decimal(119))), text)
    assert proposal.calls[0].args["net"] == "100.00 EUR"
    assert proposal.calls[0].args["amount"] == "119.00 EUR"


async def test_a_gross_amount_that_no_net_gives_is_asked_about() -> None:
    proposal = await propose(PaperDesk(), wish(amount=Money(Decimal("0.03"))), "invoice Acme 0.03 incl. VAT")
    assert proposal.ask
    assert [choice.label for choice in proposal.choices] == ["0.02 EUR", "0.04 EUR"]
    assert proposal.choices[1].text == "invoice Acme 0.04 EUR incl. VAT"


async def test_days_times_rate_is_not_billed_as_one_day() -> None:
    said = "bill Acme for 3 days at 800"
    amount = next(slot.value for slot in find_spans(said, NOW, ZoneInfo("Europe/Berlin")) if slot.kind == "money")
    proposal = await propose(PaperDesk(), wish(amount=amount, what=""), said)
    assert proposal.calls[0].args["net"] == "2400.00 EUR"
    assert proposal.calls[0].args["lines"][0]["quantity"] == "3"


async def test_an_unknown_client_is_asked_for_and_never_guessed() -> None:
    proposal = await propose(PaperDesk(), wish(client="Globex"), "invoice Globex 1,200")
    assert "no client called 'Globex'" in proposal.ask
    assert not proposal.calls


async def test_a_slip_of_the_pen_offers_the_right_name_as_a_button() -> None:
    proposal = await propose(PaperDesk(), wish(client="Acmee"), "invoice Acmee 1,200")
    assert not proposal.calls
    assert [(c.label, c.text) for c in proposal.choices] == [("Acme GmbH", "invoice Acme GmbH 1,200")]


async def test_two_clients_of_one_name_are_asked_about() -> None:
    desk = PaperDesk(clients={"acme": client("Acme GmbH"), "acme-inc": client("Acme Inc.")})
    proposal = await propose(desk, wish(client="acme gmbh"), MARCH)
    assert proposal.calls
    proposal = await propose(PaperDesk(clients={"a": client("Acme North"), "b": client("Acme South")}), wish(), MARCH)
    assert {choice.label for choice in proposal.choices} == {"Acme North", "Acme South"}


async def test_a_client_without_an_address_is_asked_about() -> None:
    proposal = await propose(PaperDesk(clients={"acme": {"name": "Acme"}}), wish(), MARCH)
    assert "no e-mail address for Acme" in proposal.ask


async def test_a_newcomer_with_an_address_is_written_down_with_the_invoice() -> None:
    desk = PaperDesk()
    proposal = await propose(desk, wish(client="Globex", email="pay@globex.example"), "invoice Globex 1,200")
    assert proposal.calls[0].needs["client:globex"] == 0
    desk.confirm(proposal)
    assert desk.record("client", "globex").data["email"] == "pay@globex.example"
    assert proposal.calls[1].args["to"] == ["pay@globex.example"]


@pytest.mark.parametrize(
    ("vat", "more"), [("exempt", {}), ("export", {"country": "US"}), ("reverse charge", {"country": "FR", "vat_id": "FR32123456789"})]
)  # fmt: skip
async def test_a_client_without_vat_is_billed_without_and_told_why(vat: str, more: dict[str, str]) -> None:
    desk = PaperDesk(clients={"acme": client("Acme", vat=vat, **more)})
    proposal = await propose(desk, wish(), MARCH)
    assert proposal.calls, proposal
    assert proposal.calls[0].args["amount"] == "1200.00 EUR"
    assert proposal.calls[0].args["tax"] == f"none · {vat}"
    assert not any(entry.account == "liabilities:vat" for entry in proposal.calls[0].entries)
    assert_balanced(proposal.calls[0])


async def test_no_vat_without_a_reason_is_asked_about() -> None:
    proposal = await propose(PaperDesk(), wish(), "invoice Acme 1,200 no VAT")
    assert "Why does Acme GmbH pay no VAT?" in proposal.ask
    assert "update Acme GmbH vat reverse charge" in [choice.text for choice in proposal.choices]


async def test_a_company_without_a_rate_adds_no_vat_and_says_so() -> None:
    proposal = await propose(PaperDesk(vat_rate="", vat_id=""), wish(), MARCH)
    assert proposal.calls[0].args["amount"] == "1200.00 EUR"
    assert any("no rate is set" in reason for reason in proposal.reasons)


async def test_the_retainer_is_the_amount_when_none_is_said() -> None:
    proposal = await propose(PaperDesk(), wish(amount=None), "invoice the Acme retainer")
    assert proposal.calls[0].args["net"] == "1200.00 EUR"
    bare = PaperDesk(clients={"acme": client("Acme")})
    assert (await propose(bare, wish(amount=None), "invoice Acme")).ask == "How much shall I invoice Acme, before VAT?"


async def test_the_purpose_is_read_from_the_words_when_the_slot_is_empty() -> None:
    proposal = await propose(PaperDesk(), wish(what=""), MARCH)
    assert proposal.calls[0].args["lines"][0]["text"] == "March retainer"
    proposal = await propose(PaperDesk(), wish(what=""), "an invoice for Acme, 1200")
    assert proposal.calls[0].args["lines"][0]["text"] == "Services, November 2026"
    proposal = await propose(PaperDesk(), wish(what="the March retainer"))
    assert proposal.calls[0].args["lines"][0]["text"] == "March retainer"
    proposal = await propose(PaperDesk(), wish(what="3 days at 800"))
    assert proposal.calls[0].args["lines"][0]["text"] == "Services, November 2026"


async def test_the_same_bill_twice_is_pointed_out() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    again = await propose(desk, wish(), MARCH)
    assert any("2026-0001 already bills the same" in reason for reason in again.reasons)
    assert again.calls[0].args["number"] == "2026-0002"


async def test_an_edited_amount_changes_every_figure() -> None:
    proposal = await propose(PaperDesk(), wish(), MARCH, edits={"amount": "1000.00 EUR", "terms": "net 30"})
    assert proposal.calls[0].args["amount"] == "1190.00 EUR"
    assert proposal.calls[0].args["due"] == "2026-12-21"
    assert "1,190.00 EUR" in proposal.calls[1].args["body"]
    typed = await propose(PaperDesk(), wish(), MARCH, edits={"amount": "1,000"})
    assert typed.calls[0].args["amount"] == "1190.00 EUR"


async def test_an_edit_that_cannot_be_read_is_asked_about() -> None:
    proposal = await propose(PaperDesk(), wish(), MARCH, edits={"amount": "a lot"})
    assert "cannot read 'a lot' as amount" in proposal.ask


async def test_nothing_is_prepared_when_the_page_cannot_be_drawn() -> None:
    desk = PaperDesk()
    desk.answers["invoices.render"] = TryLaterError("The renderer is away.")
    proposal = await propose(desk, wish(), MARCH)
    assert "could not be drawn" in proposal.problem
    assert not proposal.calls


async def test_guidance_rewords_the_mail_but_no_figure() -> None:
    desk = PaperDesk()
    desk.thoughts = [Thought(text="Hi Anna, 9,999.00 EUR please.", model="m")]
    proposal = await propose(desk, wish(), MARCH, guidance="friendlier")
    assert "1,428.00 EUR" in proposal.calls[1].args["body"]
    assert any("Kept my own wording" in reason for reason in proposal.reasons)
    proposal = await propose(PaperDesk(), wish(), MARCH, guidance="friendlier")
    assert any("could not follow 'friendlier' without a model" in reason for reason in proposal.reasons)


async def test_no_model_is_asked_for_an_ordinary_invoice() -> None:
    desk = PaperDesk()
    await propose(desk, wish(), MARCH)
    assert desk.asked == []


# ── open invoices and payments ────────────────────────────────────────────────────────────────────────────────────


async def test_unpaid_lists_overdue_first_with_sums_by_currency() -> None:
    desk = PaperDesk()
    first, second = await invoiced(desk), await invoiced(desk, amount=Money(Decimal(100), "USD"))
    await overdue(desk, second)
    answer = await propose(desk, Unpaid())
    assert answer.say.splitlines() == [
        "Unpaid: 2 invoices, 1,428.00 EUR and 119.00 USD.",
        "Overdue, 119.00 USD:",
        "- 2026-0002 · Acme GmbH · 119.00 USD · 20 days late",
        "Not yet due, 1,428.00 EUR:",
        "- 2026-0001 · Acme GmbH · 1,428.00 EUR · due 5 December 2026",
    ]
    assert answer.results == {"open": [second, first], "overdue": [second]}
    assert answer.choices[0].text == "remind Acme GmbH about 2026-0002"


async def test_unpaid_of_nobody_says_so() -> None:
    assert (await propose(PaperDesk(), Unpaid())).say.startswith("Nothing is open")
    assert (await propose(PaperDesk(), Unpaid(client="Acme"))).say.startswith("Nothing is open by Acme GmbH")
    assert (await propose(PaperDesk(), Unpaid(client="Globex"))).ask


async def test_a_payment_closes_the_invoice_and_the_claim() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    proposal = await propose(desk, MarkPaid(number="2026-0001", client="Acme"), "Acme paid 2026-0001")
    assert proposal.calls[0].args["summary"] == "Acme GmbH paid 1,428.00 EUR on 2026-0001"
    desk.confirm(proposal)
    assert desk.record("invoice", "2026-0001").data["status"] == "paid"
    assert desk.record("payment", "2026-0001-1").data["amount"] == "1428.00 EUR"
    assert desk.balance("assets:receivable") == {"EUR": Decimal(0)}
    assert desk.balance("assets:bank") == {"EUR": Decimal("1428.00")}
    again = await propose(desk, MarkPaid(number="2026-0001"))
    assert "is paid since 21 November 2026" in again.problem


async def test_part_of_an_invoice_can_be_paid_twice() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    desk.confirm(await propose(desk, MarkPaid(number="2026-0001", amount=Money(Decimal(428))), ""))
    assert desk.record("invoice", "2026-0001").data["status"] == "partly_paid"
    assert "1,000.00 EUR left of 1,428.00 EUR" in (await propose(desk, Unpaid())).say
    desk.confirm(await propose(desk, MarkPaid(client="Acme"), "Acme paid the rest"))
    assert desk.record("invoice", "2026-0001").data["status"] == "paid"
    assert desk.record("payment", "2026-0001-2").data["amount"] == "1000.00 EUR"


async def test_more_than_is_open_is_asked_about() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    proposal = await propose(desk, MarkPaid(number="2026-0001", amount=Money(Decimal(2000))), "")
    assert "2,000.00 EUR does not fit" in proposal.ask
    other = await propose(desk, MarkPaid(number="2026-0001", amount=Money(Decimal(100), "USD")), "")
    assert "is in EUR" in other.ask


async def test_which_invoice_was_paid_is_asked_when_several_are_open() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    await invoiced(desk, amount=Money(Decimal(500)))
    proposal = await propose(desk, MarkPaid(client="Acme"), "Acme paid")
    assert [choice.text for choice in proposal.choices] == ["Acme GmbH paid 2026-0001", "Acme GmbH paid 2026-0002"]
    by_amount = await propose(desk, MarkPaid(client="Acme", amount=Money(Decimal(595))), "Acme paid 595")
    assert by_amount.results["invoice"] == "2026-0002"


async def test_an_unknown_number_is_not_taken_for_another() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    assert (
        "no invoice 2025-0001. Did you mean 2026-0001?" in (await propose(desk, MarkPaid(number="2025-0001"))).problem
    )


# ── taking back ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_cancelling_writes_a_credit_note_with_its_own_number() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    proposal = await propose(desk, CancelInvoice(number="2026-0001"), "cancel 2026-0001")
    note, mail = proposal.calls
    assert note.args["kind"] == "credit note"
    assert note.args["number"] == "CN-2026-0001"
    assert note.needs["number:credit:CN-2026-0001"] == 0
    assert mail.args["subject"] == "Credit note CN-2026-0001 for invoice 2026-0001"
    desk.confirm(proposal)
    assert desk.record("invoice", "2026-0001").data["status"] == "cancelled"
    assert desk.record("credit", "CN-2026-0001").data["invoice"] == "2026-0001"
    for account in ("assets:receivable", "income:services", "liabilities:vat"):
        assert desk.balance(account) == {"EUR": Decimal(0)}
    assert "is cancelled" in (await propose(desk, CancelInvoice(number="2026-0001"))).problem


async def test_a_paid_invoice_is_not_cancelled_but_refunded() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    desk.confirm(await propose(desk, MarkPaid(number="2026-0001")))
    proposal = await propose(desk, CancelInvoice(number="2026-0001"))
    assert not proposal.calls
    assert "refund 2026-0001" in proposal.problem
    desk.confirm(refund := await propose(desk, Refund(number="2026-0001")))
    assert any("by bank transfer, which I cannot send" in reason for reason in refund.reasons)
    assert desk.record("invoice", "2026-0001").data["status"] == "refunded"
    assert desk.balance("liabilities:refunds:acme") == {"EUR": Decimal("-1428.00")}


async def test_a_card_payment_is_refunded_where_it_came_from() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    desk.confirm(await propose(desk, MarkPaid(number="2026-0001")))
    paid = desk.record("payment", "2026-0001-1")
    desk.write(Write(kind="payment", key=paid.key, data={**paid.data, "charge": "ch_9"}))
    proposal = await propose(desk, Refund(client="Acme"), "refund Acme's last payment")
    assert [call.name for call in proposal.calls] == ["books.issue", "stripe.refund", "mail.send"]
    assert proposal.calls[1].args == {"charge": "ch_9", "amount": "1428.00 EUR"}
    desk.confirm(proposal)
    assert desk.balance("assets:bank") == {"EUR": Decimal(0)}
    assert desk.balance("liabilities:refunds:acme") == {"EUR": Decimal(0)}


async def test_an_open_invoice_cannot_be_refunded() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    assert "cancel 2026-0001" in (await propose(desk, Refund(number="2026-0001"))).problem


# ── reminders ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_reminders_grow_firmer() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    await overdue(desk, "2026-0001")
    subjects = []
    for _ in range(4):
        proposal = await propose(desk, RemindDebtor(client="Acme"))
        subjects.append(proposal.calls[0].args["subject"])
        desk.confirm(proposal)
    assert subjects == [
        "Reminder: invoice 2026-0001",
        "Second reminder: invoice 2026-0001 is overdue",
        "Last reminder: invoice 2026-0001",
        "Last reminder: invoice 2026-0001",
    ]
    assert [r["step"] for r in desk.record("invoice", "2026-0001").data["reminders"]][:3] == [
        "friendly",
        "firm",
        "last",
    ]


async def test_nobody_is_reminded_before_the_day_unless_told_to() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    proposal = await propose(desk, RemindDebtor(number="2026-0001"))
    assert "only due on 5 December 2026" in proposal.ask
    assert (await propose(desk, RemindDebtor(number="2026-0001"), proposal.choices[0].text)).calls


async def test_all_late_payers_come_on_one_card() -> None:
    desk = PaperDesk(clients={"acme": client("Acme"), "globex": client("Globex"), "silent": {"name": "Silent"}})
    for key in ("acme", "globex"):
        await overdue(desk, await invoiced(desk, client=key))
    proposal = await propose(desk, RemindDebtor(), "send reminders for all overdue invoices")
    assert [call.args["to"] for call in proposal.calls] == [["billing@acme.example"], ["billing@globex.example"]]
    assert (await propose(PaperDesk(), RemindDebtor())).say.startswith("Nothing is overdue")


# ── revenue, schedules, links ─────────────────────────────────────────────────────────────────────────────────────


async def test_revenue_counts_what_was_invoiced_and_what_came_in() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    await invoiced(desk, amount=Money(Decimal(300)))
    desk.confirm(await propose(desk, MarkPaid(number="2026-0001")))
    desk.confirm(await propose(desk, CancelInvoice(number="2026-0002")))
    answer = await propose(desk, Revenue())
    assert answer.say.endswith("- November 2026: 1,200.00 EUR invoiced, 1,428.00 EUR received")
    quiet = await propose(desk, Revenue(period=Period(day("2026-01-01"), day("2026-01-31"))))
    assert quiet.say.startswith("Nothing was invoiced")


async def test_a_recurring_invoice_is_a_schedule_that_asks_each_time() -> None:
    desk = PaperDesk()
    wanted = RecurringInvoice(client="Acme", every=Every("FREQ=MONTHLY;BYMONTHDAY=1"), amount=Money(Decimal(2000)))
    proposal = await propose(desk, wanted, "invoice Acme 2,000 on the first of every month")
    desk.confirm(proposal)
    schedule = desk.record("schedule", "invoice-acme").data
    assert schedule["next"] == "2026-12-01T09:00:00+01:00"
    assert schedule["slots"]["amount"] == "2000.00 EUR"
    first = await propose(desk, Invoice(**schedule["slots"]))
    assert first.calls[0].args["lines"][0]["text"] == "Retainer November 2026"


async def test_a_payment_link_asks_for_what_is_open() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    proposal = await propose(desk, PaymentLink(number="2026-0001"))
    assert proposal.calls[0].name == "stripe.payment_link"
    assert proposal.calls[0].args["amount"] == "1428.00 EUR"
    free = await propose(desk, PaymentLink(amount=Money(Decimal(250))), "payment link over 250")
    assert free.calls[0].args["amount"] == "250.00 EUR"
