"""A project's checkpoints come back as reminders, and one that was done before its day does not."""

from __future__ import annotations

from bot.testing import PaperHouse
from tests.stories.company import ends_well


async def test_a_checkpoint_that_is_done_is_not_reminded_of(house: PaperHouse) -> None:
    await house.operator("plan the delivery of the website for Acme")
    await house.operator("how far is Acme")
    await house.operator("/projects the first draft for Acme is done")
    for _ in range(40):
        await house.later(days=1)
    told = [text for text in house.channel.words if text.startswith("Reminder: ")]
    assert not any("First draft" in text for text in told), told
    assert any("Review with the client" in text for text in told)
    ends_well(house)
