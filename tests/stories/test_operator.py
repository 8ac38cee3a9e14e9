"""What an operator says between two meetings: small words, corrections, questions. Each was a dead end once."""

from __future__ import annotations

import pytest

from bot.testing import PaperHouse, understanding

INVOICE = "invoice Acme 1,200 for the March retainer"


@pytest.fixture(autouse=True, scope="module")
def trained() -> None:
    """Wait for the classifier: on a busy machine its training takes longer than a first message waits for it."""
    assert understanding().ready(300)


async def answer(house: PaperHouse, text: str) -> str:
    """Say it; return what came back."""
    before = len(house.channel.said)
    await house.operator(text)
    return "\n".join(house.channel.words[before:])


async def issued(house: PaperHouse) -> None:
    await house.operator(INVOICE)
    await house.press("Approve")
    await house.later(seconds=11)
    house.expects("Invoice 2026-0001 over 1,428.00 EUR is issued.")


async def test_a_bare_yes_asks_with_the_button_and_presses_nothing(house: PaperHouse) -> None:
    await house.operator(INVOICE)
    assert "Do you mean card 2.1" in await answer(house, "ok")
    assert house.card("2.1").state == "pending"
    assert [button.text for button in house.channel.said[-1].buttons] == ["approve 2.1"]


async def test_a_typed_undo_says_one_thing(house: PaperHouse) -> None:
    await house.operator(INVOICE)
    await house.press("Approve")
    assert await answer(house, "undo") == "Taken back: Issue invoice 2026-0001 and send an e-mail. Nothing was sent."
    assert house.card("2.1").outcome.count("Taken back before it happened.") == 1


async def test_one_moment_for_two_effects_is_said_once(house: PaperHouse) -> None:
    await house.operator(INVOICE)
    await house.press("Approve")
    will = "Will issue invoice 2026-0001 and send an e-mail at 10:00:10 unless you undo it."
    assert house.card("2.1").outcome.endswith(will)


@pytest.mark.parametrize("words", ["is 2026-0001 paid?", "did Acme pay 2026-0001?"])
async def test_a_question_about_an_invoice_notes_no_payment(house: PaperHouse, words: str) -> None:
    await issued(house)
    said = await answer(house, words)
    assert said == "Still to be paid: 2026-0001 · Acme GmbH · 1,428.00 EUR · due 16 March 2026"
    assert [file.name for file in house.channel.said[-1].files] == ["invoice-2026-0001.pdf"]
    await house.operator("Acme paid 2026-0001")
    assert await answer(house, words) == "2026-0001 · Acme GmbH · 1,428.00 EUR · paid on 2 March 2026"


async def test_half_of_an_invoice_is_not_the_whole_of_it(house: PaperHouse) -> None:
    await issued(house)
    assert "How much of 2026-0001 was paid?" in await answer(house, "Acme paid half of 2026-0001")
    [half, whole] = house.channel.said[-1].buttons
    assert (half.label, whole.label) == ("714.00 EUR", "1,428.00 EUR")
    assert "714.00 EUR left" in await answer(house, half.text)


async def test_another_client_is_put_on_the_card_that_waits(house: PaperHouse) -> None:
    await house.operator(INVOICE)
    await house.operator("no, Initech")
    assert house.card("2.1").revision == 2
    assert "Client: Acme GmbH → Initech Ltd" in house.card("2.1").changes
    await house.operator("not Initech, Acme")
    assert "Client: Initech Ltd → Acme GmbH" in house.card("2.1").changes
    await house.operator("no, I meant Initech")
    assert house.card("2.1").revision == 4
    assert "“Acme" not in await answer(house, "what did I teach you?")  # it was no lesson


async def test_a_field_is_changed_by_its_label(house: PaperHouse) -> None:
    await house.operator(INVOICE)
    await house.operator("change the subject to Hosting in March")
    assert "Subject: Invoice 2026-0001 from Lind Studio → Hosting in March" in house.card("2.1").changes


async def test_words_that_change_nothing_make_no_new_version(house: PaperHouse) -> None:
    await house.operator(INVOICE)
    said = await answer(house, "make it shorter")
    assert said.startswith("Card 2.1 stays as it is. I could not follow “make it shorter”.")
    assert house.card("2.1").revision == 1
    await house.press("Approve", "2.1")  # the old button is the one that counts
    await house.later(seconds=11)
    house.expects("Invoice 2026-0001 over 1,428.00 EUR is issued.")


async def test_a_reminder_is_moved_in_a_few_words(house: PaperHouse) -> None:
    await house.operator("remind me to call the accountant on Tuesday at 3")
    await house.operator("move it to Friday")
    house.expects("Taken back: I will remind you on Tue 3 March", "I will remind you on Fri 6 March, 15:00")
    await house.operator("no, Wednesday at 4")
    said = await answer(house, "what reminders do I have?")
    assert said.count("call the accountant") == 1
    assert "Wed 4 March, 16:00: call the accountant (reminder)" in said


async def test_a_reminder_that_comes_again_says_so(house: PaperHouse) -> None:
    said = await answer(house, "remind me every friday at 16:00 to send timesheets")
    assert said == "I will remind you on Fri 6 March, 16:00, then every week on Friday at 16:00: send timesheets"


async def test_a_card_is_put_aside_until_the_moment_that_was_said(house: PaperHouse) -> None:
    await house.operator(INVOICE)
    assert await answer(house, "snooze until tomorrow at 9") == "Back tomorrow 09:00."
    assert await answer(house, "snooze 2.1 until Friday at 9") == "Back Fri 6 Mar 09:00."


async def test_a_card_can_be_asked_for_again(house: PaperHouse) -> None:
    await house.operator(INVOICE)
    assert (
        await answer(house, "show 2.1")
        == "Card 2.1 waits, with its buttons: Issue invoice 2026-0001 and send an e-mail"
    )
    await house.press("Reject")
    assert "Rejected by you on web" in await answer(house, "2.1")
    assert await answer(house, "card 99.1") == "There is no task 99. /tasks lists the newest."


async def test_yesterday_is_not_today(house: PaperHouse) -> None:
    await issued(house)
    assert "Sunday, 1 March 2026: nothing was done." in await answer(house, "what did you do yesterday?")
    await house.later(days=1)
    house.expects("Tuesday, 3 March 2026")
    said = await answer(house, "what did you do yesterday?")
    assert said.startswith("Monday, 2 March 2026\n- Invoice 2026-0001 over 1,428.00 EUR is issued.")


@pytest.mark.parametrize(
    "words", ["morning", "good morning", "what happened today", "what has happened since yesterday"]
)
async def test_today_and_what_is_to_come_are_the_letters(house: PaperHouse, words: str) -> None:
    assert "Waiting for you" in await answer(house, words)


async def test_the_letter_of_the_morning_names_client_and_amount(house: PaperHouse) -> None:
    await house.operator(INVOICE)
    assert "- 2.1: Issue invoice 2026-0001 and send an e-mail, 1,428.00 EUR, Acme GmbH" in await answer(house, "digest")


async def test_a_plan_that_waits_for_its_go_is_not_stuck(house: PaperHouse) -> None:
    await house.operator("quote Acme 4,000 for a website relaunch")
    await house.press("Approve")
    await house.later(seconds=11)
    task = await house.operator("Acme accepted the proposal")
    await house.later(minutes=10)
    assert await answer(house, "stuck") == "Nothing is stuck."
    assert f"- task {task}: a plan waits for your go: Acme accepted" in await answer(house, "/approvals")


async def test_why_of_a_card_that_waits_says_first_that_nothing_was_done(house: PaperHouse) -> None:
    await house.operator(INVOICE)
    assert (await answer(house, "why did you send that?")).splitlines()[
        1
    ] == "- nothing was done yet: card 2.1 waits for you"


async def test_an_invoice_is_shown_and_sent_once_more_with_the_paper_that_was_kept(house: PaperHouse) -> None:
    await issued(house)
    assert (await answer(house, "show me invoice 2026-0001")).startswith(
        "Invoice 2026-0001 · Acme GmbH · 1,428.00 EUR\n"
    )
    first = house.outbox()
    await house.operator("acme lost the invoice, send it again pls")
    card = house.card()
    assert card.title == "Send an e-mail"
    assert [file.name for file in card.files] == ["invoice-2026-0001.pdf"]
    assert house.outbox() == first, "nothing leaves before the press"
    await house.press("Approve")
    await house.later(minutes=1)
    assert len(house.outbox()) == len(first) + 1
    assert "a copy on 2 March 2026 to billing@acme.example" in await answer(house, "did acme get the invoice?")
    assert "There is no invoice 2026-0002" in await answer(house, "resend 2026-0002"), "no number was used up"


async def test_a_reminder_set_yesterday_is_found_moved_and_dropped(house: PaperHouse) -> None:
    await house.operator("remind me to file the tax return on Friday at 15:00")
    await house.operator("remind me end of next month to renew the domain")
    assert "Thu 30 April, 09:00: renew the domain" in await answer(house, "what reminders do I have?")
    await house.operator("move the tax reminder to Monday")
    assert "Mon 9 March, 15:00: file the tax return" in await answer(house, "what reminders do I have?")
    await house.operator("cancel the reminder about the domain")
    said = await answer(house, "what reminders do I have?")
    assert "domain" not in said
    assert "file the tax return" in said
