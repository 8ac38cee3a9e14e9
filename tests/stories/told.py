"""The stories themselves, told to whichever phone the operator has in hand: the same words, the same cards."""

from __future__ import annotations

import asyncio

from agents.base import Proposal
from tests.stories.street import Street, card, words

INVOICE = "invoice Acme 1,200 for the March retainer, net 14"


async def the_invoice_whole(there: Street) -> None:
    """A message, a card with its PDF, an edit, a new card with the difference, a press, a window, a mail, a receipt."""
    phone = there.phone
    await phone.says(INVOICE)
    first = await card(phone)
    for fact in (
        "2026-0001",
        "1,428.00 EUR",
        "billing@acme.example",
        "16 March 2026",
        "Point of no return",
        "Hello Anna",
    ):
        assert fact in first.text, fact
    assert {"Approve", "Edit", "Reject", "Snooze"} <= {label.rstrip("…") for label in first.labels}
    pdf = await phone.file("invoice-2026-0001.pdf")
    assert pdf.startswith(b"%PDF")

    await phone.edits("Subject", "Invoice 2026-0001", "Your invoice 2026-0001")
    old, new = [each for each in await phone.seen() if each.is_card and "Issue invoice" in each.text]
    assert not old.labels
    assert "Replaced" in old.text or "Changed. Version 2" in old.text
    assert "Subject: Invoice 2026-0001 from Lind Studio → Your invoice 2026-0001 from Lind Studio" in new.text
    assert "→ 2026-0002" not in new.text  # a new draft keeps its number

    assert await phone.presses("Approve", new) == "Approved."
    waiting = await card(phone, "Issue invoice")
    assert "unless you undo it" in waiting.text
    assert waiting.labels == ("Undo",)
    assert there.sent == 0

    await there.later(seconds=11)
    [mail] = there.post.taken
    assert mail.recipients == ["billing@acme.example"]
    assert mail.message["Subject"] == "Your invoice 2026-0001 from Lind Studio"
    [attached] = mail.message.iter_attachments()
    assert attached.get_content().startswith(b"%PDF")
    assert attached.get_content() == await phone.file("invoice-2026-0001.pdf")  # what was on the card is what went out
    assert "Mailed to billing@acme.example. 127.0.0.1 said: 250" in (await phone.seen())[-1].text
    for each in await phone.seen():
        assert "Approve" not in each.labels
    await there.later(hours=2)
    assert there.sent == 1


async def a_reply_to_the_card_edits_it(there: Street) -> None:
    """Words under a card are an edit of it."""
    phone = there.phone
    await phone.says(INVOICE)
    await phone.replies("make it 1,300, net 30")
    changed = await card(phone, "1,547.00 EUR")
    assert "Amount: 1,428.00 EUR → 1,547.00 EUR" in changed.text
    assert "Due: Mon 16 March 2026 → Wed 1 April 2026" in changed.text


async def every_command_answers(there: Street) -> None:
    """The console's commands, in the same words."""
    phone = there.phone

    async def answer(command: str) -> str:
        before = len(await phone.seen())
        await phone.commands(command)
        return "\n".join(each.text for each in (await phone.seen())[before:])

    help_ = await answer("/help")
    for command in ("/approvals", "/digest", "/stuck", "/timeline", "/why", "/undo", "/pause", "/resume"):
        assert (command.replace("/", "/solo ") if phone.name == "slack" else command) in help_
    assert "Nothing waits for you." in await answer("/approvals")
    assert "Nothing is stuck." in await answer("/stuck")

    await phone.says(INVOICE)
    waiting = await answer("/approvals")
    assert "Issue invoice 2026-0001 and send an e-mail, 1,428.00 EUR" in waiting
    number = waiting.partition("• ")[2].partition(":")[0] or waiting.partition("- ")[2].partition(":")[0]
    assert f"approve {number}" in waiting
    assert "asked because default: money asks" in await answer("/why")
    assert "shown on " + phone.name in await answer("/timeline")
    assert "Everything is stopped" in await answer("/pause")
    assert await phone.presses("Approve", await card(phone, "Issue invoice")) == "Approved."
    await there.later(minutes=5)
    assert there.sent == 0  # paused: the window is over, and nothing has left
    assert "Going on" in await answer("/resume")
    assert there.sent == 1
    assert "Mailed to billing@acme.example" in await answer("/digest")

    await phone.says("invoice Initech 300 for hosting")
    await phone.presses("Approve", await card(phone, "Initech"))
    assert "Taken back" in await answer("/undo")
    await there.later(minutes=5)
    assert there.sent == 1


async def everyday_words_are_understood(there: Street) -> None:
    """What the operator types between two meetings."""
    phone = there.phone

    async def answer(text: str) -> str:
        before = len(await phone.seen())
        await phone.says(text)
        return "\n".join(each.text for each in (await phone.seen())[before:])

    assert "Nothing is open" in await answer("what's unpaid?")
    assert "call the accountant" in await answer("remind me to call the accountant on Tuesday at 3")
    assert "New client Globex" in await answer("add client Globex, billing@globex.example, 2k/month")
    globex = await answer("who is Globex?")
    assert "billing@globex.example" in globex
    assert "2,000.00 EUR" in globex
    await phone.says(INVOICE)
    await phone.presses("Approve")
    await there.later(seconds=11)
    assert "2026-0001 · Acme GmbH · 1,428.00 EUR" in await answer("what's unpaid?")

    await phone.says("cancel 2026-0001")
    credit = await card(phone, "CN-2026-0001")
    assert "billing@acme.example" in credit.text
    await phone.rejects("Not now")
    assert "Acme GmbH paid 1,428.00 EUR on 2026-0001" in await answer("Acme paid 2026-0001")
    assert "Nothing is open" in await answer("what's unpaid?")
    await there.later(days=1, hours=6)
    assert "Reminder: call the accountant" in await words(phone)


async def one_tap_says_no_or_later(there: Street) -> None:
    """Reject with a reason on the button; put a card aside and see it come back with buttons that work."""
    phone = there.phone
    await phone.says("invoice Acme 500 for support")
    assert await phone.rejects("Wrong amount") == "Rejected. Nothing was done."
    gone = await card(phone)
    assert "Wrong amount" in gone.text
    assert gone.labels == ()

    await phone.says("invoice Acme 600 for support")
    assert await phone.snoozes("In an hour") == "Back today 11:00."
    await there.later(minutes=61)
    assert "Back as you asked" in await words(phone)
    assert await phone.presses("Approve") == "Approved."
    await there.later(seconds=11)
    assert there.sent == 1
    assert "Approve" not in {label for each in await phone.seen() for label in each.labels}


async def files_come_in(there: Street) -> None:
    """A document that was sent with a message is kept whole."""
    await there.phone.sends("terms.txt", b"net 14, always", "who is Acme?")
    assert "billing@acme.example" in await words(there.phone)
    heard = there.house.machine.history.history(50)
    [file] = [file for turn in heard for file in turn.files if file.name == "terms.txt"]
    assert there.house.runner.file(file) == b"net 14, always"


async def an_old_button_works_after_a_restart(there: Street) -> None:
    """R1, R2: the card waits over a restart and a night; the old button still does it, once, and a second says who won."""
    phone = there.phone
    await phone.says(INVOICE)
    await there.restart()
    await there.later(hours=14)
    standing = await card(phone)
    assert await phone.presses("Approve", standing) == "Approved."
    await there.restart()
    await there.later(seconds=11)
    assert there.sent == 1
    await there.restart()
    await there.later(hours=1)
    assert there.sent == 1
    assert "Mailed to billing@acme.example" in await words(phone)


async def long_work_becomes_its_answer(there: Street) -> None:
    """Work that takes a while says so, and its answer takes the place of that message."""
    phone, staff = there.phone, there.house.runner._staff
    staff.patience_s = 0.0
    stage = asyncio.Event()

    async def slow(task: object, desk: object) -> Proposal:
        await stage.wait()
        return Proposal(say="Found nothing.")

    staff.agents["paper"].work = slow  # type: ignore[method-assign,assignment]
    asking = asyncio.ensure_future(phone.says("ask send body=Hi"))
    async with asyncio.timeout(120):
        while "Working on it" not in await words(phone):  # noqa: ASYNC110 - the platform is another process
            await asyncio.sleep(0.01)
    [hint] = await phone.seen()
    stage.set()
    await asking
    [answer] = await phone.seen()
    assert answer.text == "Found nothing."
    assert phone.name == "telegram" or answer.ref == hint.ref


async def what_is_forgotten_is_overwritten_in_the_chat(there: Street) -> None:
    """The words that I showed go from the platform as well; what the operator wrote, and the receipt, stay."""
    phone = there.phone
    await phone.says("remember that Bob Miller prefers mornings")
    await phone.says("email Acme: Bob Miller starts on Monday, the plan is attached")
    await phone.presses("Reject", await card(phone, "Bob Miller"))
    await phone.says("/recall Bob Miller" if phone.name == "telegram" else "what do you remember about Bob Miller")
    ours = [each for each in await phone.seen() if "Bob Miller" in each.text]
    assert ours
    await phone.says("forget Bob Miller")
    asked = await card(phone, "GOES for good")
    assert f"in {phone.name.capitalize()}" in asked.text
    assert "STAYS" in asked.text
    assert await phone.presses("Approve", asked) == "Approved."
    await there.forgotten()
    left = [each.text for each in await phone.seen() if "Bob Miller" in each.text]
    assert not left, left
    assert "Forgotten: " in (await words(phone))


STORIES = (
    the_invoice_whole,
    a_reply_to_the_card_edits_it,
    every_command_answers,
    everyday_words_are_understood,
    one_tap_says_no_or_later,
    files_come_in,
    long_work_becomes_its_answer,
    an_old_button_works_after_a_restart,
    what_is_forgotten_is_overwritten_in_the_chat,
)
