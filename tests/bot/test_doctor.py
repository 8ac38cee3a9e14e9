"""``doctor`` on what never came: Slack says of what is switched off only by silence."""

from __future__ import annotations

from pathlib import Path

from bot import doctor
from bot.testing import PaperHouse


async def test_what_never_came_from_slack_is_named_with_its_switch(tmp_path: Path) -> None:
    async with PaperHouse(tmp_path) as house:

        def came(event_id: str) -> str:
            house.machine.log.transact(
                lambda tx: tx.admit("slack", "T1", event_id, house.clock.at, tx.next_task)
            ).result()
            return str(doctor.examine_arrivals(house.machine.database))

        assert "so far: messages (last 2026-03-02 09:00 UTC); no commands and no buttons yet." in came("Ev1")
        assert "Interactivity & Shortcuts (on)" in came("command:1")
        everything = came("click:1")
        assert "buttons (last" in everything
        assert "→" not in everything
