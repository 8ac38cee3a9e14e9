"""The mails that went out teach how the operator writes: as they were sent, changed by hand or not."""

from bot.letters import sent_letters
from bot.testing import PaperHouse


async def send(house: PaperHouse, what: str, body: str = "") -> None:
    await house.operator(f"write Acme that {what}")
    if body:
        await house.press("Edit", edits={"0.body": body})
    assert await house.press("Approve") == "Approved."
    await house.later(minutes=5)


async def test_a_letter_is_kept_as_it_went_out_and_who_worded_it(house: PaperHouse) -> None:
    await send(house, "the draft is ready")
    await send(house, "the files are online", "Hi Anna,\n\nfiles are up.\n\nCheers\nNora")
    await house.operator("write Acme that this one is never sent")
    letters = sent_letters(house.machine.database, 10)
    assert [(letter.client, letter.edited) for letter in letters] == [("acme", True), ("acme", False)]
    assert letters[0].text == "Hi Anna,\n\nfiles are up.\n\nCheers\nNora"
    assert "The draft is ready." in letters[1].text
    assert len(sent_letters(house.machine.database, 1)) == 1


async def test_what_the_operator_changes_by_hand_becomes_the_templates_manner(house: PaperHouse) -> None:
    for number in range(5):
        await send(house, f"part {number} is ready", f"Hi Anna,\n\npart {number} is ready.\n\nCheers\nNora")
    await house.operator("write Acme that the last part is ready")
    body = house.card().body
    assert body.startswith("Hi Anna,")
    assert "\n\nCheers\n" in body
    await house.operator("/tone")
    house.expects("measured on the last 5, 5 of them changed by you")
    assert "closes with Cheers (100 %)" in house.channel.words[-1]


async def test_a_rule_that_was_said_is_listed_held_and_forgotten(house: PaperHouse) -> None:
    await house.operator("/tone never say kindly")
    await house.operator("/memory")
    house.expects("Never say kindly")
    await house.operator("write Acme that this is kindly meant")
    assert any("it says kindly" in each for each in house.card().warnings), house.transcript()
