"""Another server's tool, on the operator's word: a card, one call, a receipt; what only reads answers at once."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from bot.testing import PaperHouse
from tests.stories.company import ends_well

ROOT = Path(__file__).parents[2]


def house_with_notes(tmp_path: Path, ledger: Path, tools: str) -> PaperHouse:
    home = tmp_path / "home"
    home.mkdir()
    command = json.dumps([sys.executable, "-m", "tests.counterparts.mcp_notes", str(ledger)])
    path = json.dumps({"PYTHONPATH": str(ROOT), "PATH": ""}).replace(":", " =")
    (home / "connectors.toml").write_text(f"[mcp.notes]\ncommand = {command}\nenv = {path}\n[mcp.notes.tools]\n{tools}")
    return PaperHouse(home, environment={"REDIS_URL": "none"})


async def test_a_tool_is_a_card_unless_the_operator_declared_that_it_reads(tmp_path: Path) -> None:
    ledger = tmp_path / "notes.txt"
    tools = 'search = "reads"\nadd = { risk = "reversible", key = "request_id" }\nwipe = "off"\n'
    async with house_with_notes(tmp_path, ledger, tools) as house:
        await house.operator("which tools do you have?")
        house.expects("notes.add: takes text, weight?; asks first")
        assert "wipe" not in house.channel.words[-1], "what is off is not there"
        await house.operator("use the tool notes.add with text buy milk")
        card = house.card()
        assert card.state == "pending", "what may be put back asks too: nobody here can put it back"
        assert any("another server's tool" in line for line in card.footer), card
        assert not ledger.exists()
        assert await house.press("Approve") == "Approved."
        await house.later(minutes=1)
        assert [line.split(maxsplit=1)[1] for line in ledger.read_text().splitlines()] == ["buy milk 1.0"]
        house.expects("Called add of notes")
        await house.operator("/tool notes.search query=milk")
        assert "> " in house.channel.words[-1]
        assert "buy milk" in house.channel.words[-1]
        assert len(house.channel.cards) == 1, "reading asks nobody"
        ends_well(house)


async def test_what_a_tool_did_is_taken_back_by_the_tool_that_is_declared_for_it(tmp_path: Path) -> None:
    ledger = tmp_path / "notes.txt"
    tools = 'jot = { undo = { tool = "strike", with = { number = "result.id" } } }\n'
    async with house_with_notes(tmp_path, ledger, tools) as house:
        await house.operator("use the tool notes.jot with text buy milk")
        assert any(line.startswith("Undo: afterwards too") for line in house.card().footer)
        await house.press("Approve")
        await house.later(minutes=1)
        assert ledger.read_text() == "- buy milk\n"
        await house.operator("undo")
        back = house.card()
        assert back.title == "Take back: use the tool strike of notes"
        assert [(row.label, row.value) for row in back.rows] == [("Number", "1"), ("As", "notes")]
        assert any("Point of no return" in line for line in back.footer)
        assert ledger.read_text() == "- buy milk\n", "nothing is taken back before the button"
        await house.press("Approve")
        await house.later(minutes=1)
        assert ledger.read_text() == ""
        house.expects("Called strike of notes")
        ends_well(house)
