"""A card says how sure its draft is, and every reason for less; nothing is decided by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.agreement import Agreement
from bot.confidence import confidence
from bot.testing import PaperHouse
from tests.counterparts.slack import LocalSlack, local_slack
from tests.counterparts.telegram import TelegramDouble
from tests.stories.street import card, street

NONE = Agreement()


@pytest.mark.parametrize(
    ("agent", "reader", "read", "agreement", "warnings", "pct"),
    [
        (100, "pattern", 100, NONE, 0, 100),
        (100, "local", 82, NONE, 0, 82),
        (60, "local", 82, NONE, 0, 60),
        (100, "small", 80, NONE, 0, 80),
        (100, "", 0, NONE, 0, 100),
        (100, "pattern", 100, Agreement(total=1, unchanged=1, streak=1), 0, 100),
        (100, "pattern", 100, Agreement(total=2, unchanged=1), 0, 75),
        (100, "pattern", 100, Agreement(total=10, unchanged=2), 0, 33),
        (100, "pattern", 100, NONE, 2, 70),
        (40, "local", 50, Agreement(total=8), 9, 5),
    ],
)
def test_the_weakest_evidence_counts(
    agent: int, reader: str, read: int, agreement: Agreement, warnings: int, pct: int
) -> None:
    found = confidence(agent, reader=reader, read_pct=read, agreement=agreement, warnings=warnings)
    assert found.pct == pct


async def test_a_card_gets_less_sure_with_each_change_and_says_so(house: PaperHouse) -> None:
    sure = []
    for number in range(3):
        await house.operator(f"write Acme that draft {number} is ready")
        sure.append(house.card().confidence_pct)
        await house.press("Edit", house.card().id, edits={"0.body": f"Hello Anna, it is ready, {number}."})
        await house.press("Approve", house.card().id)
        await house.later(minutes=1)
    assert sure == [100, 67, 50]
    await house.operator("write Acme that draft 4 is ready")
    assert any("You approved 0 of 3 like this unchanged" in reason for reason in house.card().reasons)


@pytest.fixture(scope="module")
def slack() -> Iterator[LocalSlack]:
    with local_slack("socket") as running:
        yield running


@pytest.mark.node
async def test_figure_and_reasons_stand_on_every_face_of_a_shadowed_card(tmp_path: Path, slack: LocalSlack) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "policy.toml").write_text('[[rules]]\naction = "mail.send"\nthen = "shadow"\n')
    async with TelegramDouble() as telegram, street(tmp_path, slack=slack, telegram=telegram) as there:
        await there.phone.says("write Acme that the draft is ready")
        await there.phone.presses("I would not", await card(there.phone))
        await there.phone.says("write Acme that the files are online")
        standing = there.house.card()
        pct = standing.confidence_pct
        assert pct <= 67
        for phone in there.phones:
            shown = await card(phone)
            assert f"{pct} % sure" in shown.text, phone.name
            assert "You approved 0 of 1 like this unchanged" in shown.text, phone.name
            assert "nothing will happen" in shown.text or "nothing here does anything" in shown.text, phone.name
            assert set(shown.labels) == {"I would approve this", "I would not"}
        assert there.sent == 0
