"""A goal with an if: shown, edited, waited for without a question to anybody, and done or called off when it is time."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.deciding import conditions
from bot.testing import PaperHouse
from memory.events import WokeUp
from tests.stories.company import approve, arrives, ends_well, mail, model_calls, sent

GOAL = "if Acme has not paid by 20 March, remind them and tell me"


async def an_invoice(house: PaperHouse) -> None:
    await house.operator("invoice Acme 1,200 for the March retainer, net 14")
    await approve(house)


async def test_whoever_has_not_paid_is_reminded_by_a_card_and_the_operator_is_told(house: PaperHouse) -> None:
    await an_invoice(house)
    await house.operator(GOAL)
    house.expects("1. remind debtor: client Acme (asks first), if 2026-0001 is not paid on Fri 20 Mar 17:00")
    await house.later(minutes=20)
    await house.operator("what is stuck?")
    assert house.channel.words[-1] == "Nothing is stuck.", "what waits for the operator is not stuck"
    await house.operator("go")
    house.expects("Noted. I come back to it by myself")
    await house.restart()
    await house.later(days=17)
    assert len(sent(house)) == 1
    assert house.machine.history.stuck_lines() == []
    await house.later(days=2)
    house.expects("2026-0001 is not paid: I go on with what you planned for that.")
    assert {row.value for row in house.card().rows if row.label == "To"} == {"billing@acme.example"}
    assert len(sent(house)) == 1, "the card asks first"
    await approve(house)
    assert [each["Subject"] for each in sent(house)][-1] == "Reminder: invoice 2026-0001"
    assert model_calls(house) == []
    ends_well(house)


async def test_whoever_paid_is_not_reminded_and_that_is_said(house: PaperHouse) -> None:
    await an_invoice(house)
    task = await house.operator(GOAL)
    await house.operator("go")
    await house.operator("Acme paid 2026-0001")
    await house.later(days=19)
    house.expects(f"2026-0001 is not open any more, so “{GOAL}” is not needed any more.")
    assert not [card for card in house.channel.cards.values() if card.state == "pending"]
    assert house.runner.state_now(int(task)).status == "done"
    ends_well(house)


async def test_once_they_pay_it_happens_at_once_and_nobody_looks_before(house: PaperHouse) -> None:
    await an_invoice(house)
    task = await house.operator("when Acme pays, send them a thank you")
    await house.operator("go")
    await house.later(days=6)
    await house.restart()
    woken = [line for line in house.machine.log.lines(int(task)) if isinstance(line.event, WokeUp)]
    assert len(woken) == 1, "the word to go, and nothing since"
    await house.operator("Acme paid 2026-0001")
    house.expects("2026-0001 is paid: I go on with what you planned for that.")
    assert "thank you for the payment" in house.card().body
    ends_well(house)


async def test_what_never_comes_is_given_up_on_the_last_day(house: PaperHouse) -> None:
    await an_invoice(house)
    await house.operator("when Acme pays, send them a thank you")
    await house.operator("go")
    await house.later(days=91)
    house.expects("2026-0001 is not paid, so “when Acme pays, send them a thank you” is not needed any more.")
    ends_well(house)


@pytest.mark.parametrize("they", ["write", "are silent", "are away"])
async def test_who_does_not_answer_is_asked_again_and_who_does_is_not(house: PaperHouse, they: str) -> None:
    await house.operator("if Initech doesn't reply by Thursday, follow up")
    await house.operator("go")
    if they == "write":
        told = mail("Bill", "accounts@initech.example", "Hi")
        await arrives(house, "mail", "mail", told, "We are thinking about it.")
    elif they == "are away":
        told = mail("Bill", "accounts@initech.example", "Out of office") | {"automatic": True}
        await arrives(house, "mail", "mail", told, "I am on holiday until Monday.")
    else:  # a mail of somebody else's that only names them
        await arrives(house, "mail", "mail", mail("X", "x@y.example", "accounts@initech.example"), "Hello")
    await house.later(days=4)
    if they == "write":
        house.expects("Mail has come from accounts@initech.example, so")
        assert not house.channel.cards
    else:
        assert {row.value for row in house.card().rows if row.label == "To"} == {"accounts@initech.example"}
    ends_well(house)


async def test_a_plan_with_an_if_is_edited_rehearsed_and_stopped_like_any_other(house: PaperHouse) -> None:
    await an_invoice(house)
    await house.operator(GOAL)
    await house.operator("step 1 on 23 March")
    house.expects("if 2026-0001 is not paid on Mon 23 Mar 09:00")
    await house.operator("step 1 anyway")
    assert "if 2026-0001" not in house.channel.words[-1]
    await house.operator("drop the plan")
    task = await house.operator(GOAL)
    await house.operator("go")
    await house.press("Stop it")
    await house.later(days=30)
    assert house.runner.state_now(int(task)).status == "cancelled"
    assert len(sent(house)) == 1
    ends_well(house)


async def test_without_the_look_at_the_books_a_client_who_paid_is_dunned(
    house: PaperHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conditions, "verdict", lambda *_: "yes")
    with pytest.raises(AssertionError):
        await test_whoever_paid_is_not_reminded_and_that_is_said(house)


async def test_without_the_rouse_nothing_happens_when_they_pay(
    house: PaperHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conditions, "stirred", lambda _: [])
    with pytest.raises(AssertionError):
        await test_once_they_pay_it_happens_at_once_and_nobody_looks_before(house)


async def test_a_list_of_steps_goes_on_where_one_of_them_cannot(tmp_path: Path) -> None:
    async with PaperHouse(tmp_path / "home", environment={"REDIS_URL": "none"}) as house:
        await house.operator("add client Globex, billing@globex.example")
        await house.operator("onboard Globex: proposal, kickoff meeting next Tuesday at 10, first invoice 50 %")
        house.expects("50 % of what, you did not say: “step 3 amount 900” tells me")
        await house.operator("step 3 amount 900 EUR")
        await house.operator("step 1 what Website relaunch")
        await house.operator("go")
        house.expects("No calendar is set up")
        amounts = {row.value for card in house.channel.cards.values() for row in card.rows if row.label == "Amount"}
        assert amounts == {"1,071.00 EUR"}
        assert len(house.channel.cards) == 2, "the proposal and the invoice wait all the same"
        await house.press("Leave it out")
        await approve(house)
        await approve(house)
        assert len(sent(house)) == 2
        ends_well(house)
