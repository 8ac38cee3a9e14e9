"""Tone: a model's draft that is not as the operator writes goes back once; what strays again is told on the card."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.testing import PaperHouse
from tests.counterparts.models import ModelServer
from tests.stories.company import approve, ends_well, node

pytestmark = node

STRAYS = "Hello Anna,\n\nThe draft is ready!!\n\nBest regards\nNora Lind\nLind Studio"
FITS = STRAYS.replace("!!", ".")


@pytest.mark.parametrize(("second", "told"), [(FITS, False), (STRAYS, True)], ids=["put right", "strays again"])
async def test_a_draft_that_strays_is_sent_back_once(tmp_path: Path, second: str, *, told: bool) -> None:
    with ModelServer.started() as server:
        server.says("Put this right", second)
        server.says("", STRAYS)
        environment = {"REDIS_URL": "none"} | server.settings()
        async with PaperHouse(tmp_path / "home", environment=environment) as house:
            await house.operator("/tone never use exclamation marks")
            await house.operator("write Acme that the draft is ready")
            first, again = server.calls()
            assert "Never use exclamation marks (you said so)" in first.text
            assert "Put this right: Tone: it has 2 exclamation marks" in again.text
            assert ("!!" in house.card().body) is told
            assert any("Tone: it has 2 exclamation marks" in each for each in house.card().warnings) is told
            await approve(house)
            ends_well(house)
            assert house.machine.gateway
            await house.machine.gateway.close()
