"""What clients owe: found by number or amount, paid in part or whole, reminded in steps."""

from decimal import Decimal

from agents.billing import Invoice
from agents.debts import STEPS
from agents.payments import MarkPaid, RemindDebtor, Unpaid
from agents.slots import Money
from tests.agents.desk import PaperDesk, answered, client
from tests.agents.test_billing import invoiced, overdue


async def test_unpaid_lists_overdue_first_with_sums_by_currency() -> None:
    desk = PaperDesk()
    first, second = await invoiced(desk), await invoiced(desk, amount=Money(Decimal(100), "USD"))
    await overdue(desk, second)
    answer = await answered(desk, Unpaid())
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
    assert (await answered(PaperDesk(), Unpaid())).say.startswith("Nothing is open")
    assert (await answered(PaperDesk(), Unpaid(client="Acme"))).say.startswith("Nothing is open by Acme GmbH")
    assert (await answered(PaperDesk(), Unpaid(client="Globex"))).ask


async def test_a_payment_closes_the_invoice_and_the_claim() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    proposal = await answered(desk, MarkPaid(number="2026-0001", client="Acme"), "Acme paid 2026-0001")
    assert proposal.calls[0].args["summary"] == "Acme GmbH paid 1,428.00 EUR on 2026-0001"
    desk.confirm(proposal)
    assert desk.record("invoice", "2026-0001").data["status"] == "paid"
    assert desk.record("payment", "2026-0001-1").data["amount"] == "1428.00 EUR"
    assert desk.balance("assets:receivable") == {"EUR": Decimal(0)}
    assert desk.balance("assets:bank") == {"EUR": Decimal("1428.00")}
    again = await answered(desk, MarkPaid(number="2026-0001"))
    assert "is paid since 21 November 2026" in again.problem


async def test_part_of_an_invoice_can_be_paid_twice() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    desk.confirm(await answered(desk, MarkPaid(number="2026-0001", amount=Money(Decimal(428))), ""))
    assert desk.record("invoice", "2026-0001").data["status"] == "partly_paid"
    assert "1,000.00 EUR left of 1,428.00 EUR" in (await answered(desk, Unpaid())).say
    desk.confirm(await answered(desk, MarkPaid(client="Acme"), "Acme paid the rest"))
    assert desk.record("invoice", "2026-0001").data["status"] == "paid"
    assert desk.record("payment", "2026-0001-2").data["amount"] == "1000.00 EUR"


async def test_more_than_is_open_is_asked_about() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    proposal = await answered(desk, MarkPaid(number="2026-0001", amount=Money(Decimal(2000))), "")
    assert "2,000.00 EUR does not fit" in proposal.ask
    other = await answered(desk, MarkPaid(number="2026-0001", amount=Money(Decimal(100), "USD")), "")
    assert "is in EUR" in other.ask


async def test_which_invoice_was_paid_is_asked_when_several_are_open() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    await invoiced(desk, amount=Money(Decimal(500)))
    proposal = await answered(desk, MarkPaid(client="Acme"), "Acme paid")
    assert [choice.text for choice in proposal.choices] == ["Acme GmbH paid 2026-0001", "Acme GmbH paid 2026-0002"]
    by_amount = await answered(desk, MarkPaid(client="Acme", amount=Money(Decimal(595))), "Acme paid 595")
    assert by_amount.results["invoice"] == "2026-0002"


async def test_an_unknown_number_is_not_taken_for_another() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    assert (
        "no invoice 2025-0001. Did you mean 2026-0001?" in (await answered(desk, MarkPaid(number="2025-0001"))).problem
    )


async def test_reminders_grow_firmer() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    await overdue(desk, "2026-0001")
    subjects = []
    for _ in range(3):
        proposal = await answered(desk, RemindDebtor(client="Acme"))
        subjects.append(proposal.calls[0].args["subject"])
        desk.confirm(proposal)
    assert subjects == [
        "Reminder: invoice 2026-0001",
        "Second reminder: invoice 2026-0001 is overdue",
        "Last reminder: invoice 2026-0001",
    ]
    assert "Two reminders have gone unanswered" in proposal.calls[0].args["body"]
    steps = [r["step"] for r in desk.record("invoice", "2026-0001").data["reminders"]]
    assert steps == ["friendly", "firm", "last"]


async def test_after_the_last_reminder_another_one_is_asked_about() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    await overdue(desk, "2026-0001")
    for _ in range(3):
        desk.confirm(await answered(desk, RemindDebtor(client="Acme")))
    asked = await answered(desk, RemindDebtor(client="Acme"))
    assert not asked.calls
    assert "The last reminder has gone out: 2026-0001 on" in asked.ask
    again = await answered(desk, RemindDebtor(number="2026-0001"), asked.choices[0].text)
    assert "Three reminders have gone unanswered" in again.calls[0].args["body"]
    desk.confirm(await answered(desk, Invoice(client="Acme", amount=Money(Decimal(50)))))
    await overdue(desk, "2026-0002")
    everyone = await answered(desk, RemindDebtor(), "remind everyone")
    assert [call.args["subject"] for call in everyone.calls] == ["Reminder: invoice 2026-0002"]
    assert "2026-0001 is left out: its last reminder has gone out." in everyone.reasons


async def test_a_reminder_thanks_for_what_has_come() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    await overdue(desk, "2026-0001")
    assert "Thank you for" not in (await answered(desk, RemindDebtor(client="Acme"))).calls[0].args["body"]
    desk.confirm(await answered(desk, MarkPaid(number="2026-0001", amount=Money(Decimal(400), "EUR"))))
    body = (await answered(desk, RemindDebtor(client="Acme"))).calls[0].args["body"]
    assert "Thank you for the 400.00 EUR that I have received." in body
    assert "1,028.00 EUR" in body


async def test_nobody_is_reminded_before_the_day_unless_told_to() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    proposal = await answered(desk, RemindDebtor(number="2026-0001"))
    assert "only due on 5 December 2026" in proposal.ask
    assert (await answered(desk, RemindDebtor(number="2026-0001"), proposal.choices[0].text)).calls


async def test_all_late_payers_come_on_one_card() -> None:
    desk = PaperDesk(clients={"acme": client("Acme"), "globex": client("Globex"), "silent": {"name": "Silent"}})
    for key in ("acme", "globex"):
        await overdue(desk, await invoiced(desk, client=key))
    proposal = await answered(desk, RemindDebtor(), "send reminders for all overdue invoices")
    assert [call.args["to"] for call in proposal.calls] == [["billing@acme.example"], ["billing@globex.example"]]
    assert (await answered(PaperDesk(), RemindDebtor())).say.startswith("Nothing is overdue")


async def test_every_reminder_says_number_sum_and_day() -> None:
    desk = PaperDesk()
    await invoiced(desk)
    await overdue(desk, "2026-0001")
    for _ in STEPS:
        proposal = await answered(desk, RemindDebtor(number="2026-0001"))
        assert all(fact in proposal.calls[0].args["body"] for fact in ("2026-0001", "1,428.00 EUR", "1 November 2026"))
        assert "{" not in proposal.calls[0].args["body"]
        desk.confirm(proposal)
