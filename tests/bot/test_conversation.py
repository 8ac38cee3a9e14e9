"""In conversation: "make it 1,500", "and the same for Globex", "and Acme?". It always ends on a card or in an answer."""

from __future__ import annotations

from datetime import timedelta

from bot.testing import PaperHouse
from memory.events import Place, Understood


def readings(house: PaperHouse) -> list[str]:
    return [line.event.intent for line in house.machine.log.lines() if isinstance(line.event, Understood)]


def amount(house: PaperHouse, card: str) -> str:
    return next(row.value for row in house.channel.cards[card].rows if row.label == "Amount")


async def invoiced(house: PaperHouse) -> str:
    task = await house.operator("invoice Acme 1,200 for the March retainer, net 14")
    return f"{task}.1"


async def test_a_value_changes_the_card_just_shown_and_nothing_else(house: PaperHouse) -> None:
    card = await invoiced(house)
    assert amount(house, card) == "1,428.00 EUR"
    await house.operator("make it 1,500 instead")
    assert amount(house, card) == "1,785.00 EUR"
    await house.operator("what is stuck?")
    await house.operator("no, 1,600")
    assert amount(house, card) == "1,904.00 EUR"
    assert len(house.channel.cards) == 1
    assert house.channel.cards[card].state == "pending"


async def test_the_same_for_another_client_is_a_card_of_its_own_with_what_was_changed(house: PaperHouse) -> None:
    card = await invoiced(house)
    await house.operator("make it 1,500")
    await house.press("Approve", card)
    await house.operator("and the same for Initech")
    (other,) = [each for each in house.channel.cards.values() if each.id != card]
    assert other.state == "pending"
    assert "Initech" in str(other)
    assert "1,500.00" in str(other)
    assert "Acme" not in str(other.rows)
    why = house.machine.history.why(int(other.id.partition(".")[0]))
    assert "leans on 'invoice Acme 1,200 for the March retainer, net 14'" in why


async def test_a_client_that_is_on_no_book_is_asked_about(house: PaperHouse) -> None:
    await invoiced(house)
    await house.operator("the same for Globex")
    assert "Globex" in house.channel.words[-1]
    assert len(house.channel.cards) == 1


async def test_a_question_is_asked_about_another(house: PaperHouse) -> None:
    await house.operator("who is Acme?")
    await house.operator("and Initech?")
    assert readings(house)[-1] == readings(house)[-2]
    assert "Initech" in house.channel.words[-1]


async def test_after_the_press_there_is_no_card_to_change(house: PaperHouse) -> None:
    card = await invoiced(house)
    await house.press("Approve", card)
    await house.operator("make it 1,500")
    assert amount(house, card) == "1,428.00 EUR"
    assert "revise" not in readings(house)


async def test_elsewhere_or_after_another_request_or_half_a_day_later_nothing_is_guessed(
    house: PaperHouse,
) -> None:
    card = await invoiced(house)
    await house.operator("make it 1,500", place=Place(channel="web", conversation="elsewhere"))
    assert amount(house, card) == "1,428.00 EUR"
    await house.operator("remember that the logo is green")
    await house.operator("make it 1,500")
    assert amount(house, card) == "1,428.00 EUR", "what was said in between is what 'it' would be"
    house.clock.at += timedelta(hours=13)
    await house.operator("the same for Initech")
    assert len(house.channel.cards) == 1
    assert "revise" not in readings(house)


async def test_it_works_after_a_restart(house: PaperHouse) -> None:
    card = await invoiced(house)
    await house.restart()
    await house.operator("net 30 instead")
    await house.press("Approve", card)
    assert readings(house)[-1] == "revise"


async def test_the_negative_twin_without_the_conversation_it_is_asked_back(house: PaperHouse) -> None:
    card = await invoiced(house)
    house.reader._real._conversation.leans = lambda *_: None  # type: ignore[attr-defined]
    await house.operator("make it 1,500 instead")
    assert amount(house, card) == "1,428.00 EUR"


async def test_who_is_on_no_book_is_served_once_their_address_is_told(house: PaperHouse) -> None:
    await house.operator("invoice Bob 500 for the logo")
    assert "I know no client called 'Bob'. Tell me their e-mail address" in house.channel.words[-1]
    await house.operator("it's bob@bob.example")
    (card,) = house.channel.cards.values()
    assert "bob@bob.example" in str(card.rows)
    assert "595.00 EUR" in str(card.rows)
    assert "NEW" in str(card.rows)


async def test_an_address_nobody_asked_for_begins_nothing(house: PaperHouse) -> None:
    await house.operator("who is Acme?")
    await house.operator("bob@bob.example")
    assert not house.channel.cards
    await house.operator("invoice Bob 500 for the logo")
    await house.operator("remember that the logo is green")
    await house.operator("bob@bob.example")
    assert not house.channel.cards, "another request stands in between"
