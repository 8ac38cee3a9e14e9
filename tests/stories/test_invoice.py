"""The first story: a message, a card, a button, an effect, a receipt."""

from __future__ import annotations

from bot.testing import PaperHouse


async def test_an_invoice_goes_out_once_and_only_after_the_button(house: PaperHouse) -> None:
    await house.operator("invoice Acme 1,200 for the March retainer, net 14")
    card = house.card()
    facts = {row.label: row.value for row in card.rows}
    assert facts["Number"] == "2026-0001"
    assert facts["Amount"] == "1,428.00 EUR"
    assert facts["To"] == "billing@acme.example"
    assert facts["Due"] == "Mon 16 March 2026"
    assert any("Point of no return" in line for line in card.footer)
    assert house.outbox() == []

    assert await house.press("Approve") == "Approved."
    assert house.outbox() == []  # the undo window is open
    await house.later(seconds=11)
    assert len(house.outbox()) == 1
    house.expects("Invoice 2026-0001 over 1,428.00 EUR is issued.")

    assert "settled" in await house.press_handle(card.buttons[0].handle, "approve")
    await house.later(hours=1)
    assert len(house.outbox()) == 1
