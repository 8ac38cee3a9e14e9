"""What comes again is listed, and ends with one record when the operator says which."""

from __future__ import annotations

import pytest

from agents.billing import RecurringInvoice
from agents.reminders import RemindMe
from agents.slots import Every, Money
from agents.standing import Standing, StopStanding
from tests.agents.desk import PaperDesk, answered

MONTHLY, WEEKLY = Every("FREQ=MONTHLY"), Every("FREQ=WEEKLY;BYDAY=FR")


@pytest.fixture
async def desk() -> PaperDesk:
    """A desk on which an invoice comes every month and two reminders every week."""
    desk = PaperDesk()
    wish = RecurringInvoice(client="Acme", every=MONTHLY, amount=Money.read("1200.00 EUR"))
    desk.confirm(await answered(desk, wish))
    for what in ("do the timesheets", "back up the laptop"):
        desk.confirm(await answered(desk, RemindMe(what=what, every=WEEKLY)))
    return desk


async def test_what_comes_again_is_listed_with_its_next_day(desk: PaperDesk) -> None:
    said = (await answered(desk, Standing())).say

    assert "Invoice Acme" in said
    assert "timesheets" in said
    assert "next on" in said


async def test_only_a_clients_own_is_listed(desk: PaperDesk) -> None:
    said = (await answered(desk, Standing(client="Acme"))).say

    assert "Invoice Acme" in said
    assert "timesheets" not in said


async def test_a_recurring_invoice_ends_with_a_last_version_of_its_record(desk: PaperDesk) -> None:
    proposal = await answered(desk, StopStanding(client="Acme"), "stop the monthly one for acme")
    write = proposal.calls[0].writes[0]

    assert (write.kind, write.gone) == ("schedule", True)
    assert proposal.calls[0].needs == {f"schedule:{write.key}": 1}  # what changed meanwhile is asked about again
    desk.confirm(proposal)
    assert desk.records("schedule") == []
    assert "nothing to stop" in (await answered(desk, StopStanding(client="Acme"), "stop the monthly invoice")).say


async def test_the_words_say_which_reminder_ends(desk: PaperDesk) -> None:
    wish = StopStanding(what="the timesheets")
    proposal = await answered(desk, wish, "stop reminding me about the timesheets")
    desk.confirm(proposal)

    assert [record.data["text"] for record in desk.records("reminder")] == ["back up the laptop"]
    assert len(desk.records("schedule")) == 1


async def test_several_that_could_be_meant_are_asked_about_and_none_ends(desk: PaperDesk) -> None:
    proposal = await answered(desk, StopStanding(), "stop the weekly reminder")

    assert not proposal.calls
    assert [choice.text for choice in proposal.choices] == [
        "/stop_standing back up the laptop", "/stop_standing do the timesheets",
    ]  # fmt: skip


async def test_a_reminder_that_comes_once_is_dropped_only_by_its_own_words() -> None:
    desk = PaperDesk()
    for what in ("call mum", "pay the rent"):
        desk.confirm(await answered(desk, RemindMe(what=what, when=desk.now.replace(hour=20))))

    assert not (await answered(desk, StopStanding(), "stop the monthly one")).calls
    assert not (await answered(desk, StopStanding(what="the dentist"), "cancel the reminder about the dentist")).calls
    desk.confirm(await answered(desk, StopStanding(what="rent"), "cancel the reminder about rent"))
    assert [record.data["text"] for record in desk.records("reminder")] == ["call mum"]


async def test_all_reminders_are_dropped_at_once_and_invoices_stay(desk: PaperDesk) -> None:
    proposal = await answered(desk, StopStanding(), "cancel all reminders")

    assert "do the timesheets" in str(proposal.calls[0].args["summary"])
    desk.confirm(proposal)
    assert desk.records("reminder") == []
    assert len(desk.records("schedule")) == 1
