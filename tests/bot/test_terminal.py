"""Words from outside, printed: a terminal and a log obey none of them."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest

from bot.channels.base import Card, Message, Row
from bot.channels.console import PLACE, Console, card_lines
from bot.cli import main
from bot.redaction import RedactingFormatter, Redactor
from bot.terminal import one_line, shown
from bot.testing import PaperHouse

ATTACKS = (
    "\x1b[2J\x1b[H",  # clears the screen
    "\x1b]0;owned\x07",  # sets the title
    "\x1b]52;c;cm0gLXJmIC8=\x07",  # writes the clipboard
    "\x9b31m",  # the same in one byte of C1
    "Pay 10\rPay 99",  # overwrites its own line
    "a\x08b", "\x00", "\x7f",
    "txt.\u202efdp.exe",  # reads from the other end
    "\u2066hidden\u2069", "z\u200bero", "\u2028", "\ufeff", "\ud800",
)  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_a_terminal_would_obey_or_nobody_can_see_is_spelled(attack: str) -> None:
    told = shown(f"before {attack} after")
    assert told.isprintable()
    assert "⟨U+" in told
    told.encode()  # a lone surrogate would stop the command that prints it


@pytest.mark.parametrize(
    "text", ["", "Grüße aus Łódź, 1.200,00 €", "two\nlines\tand a tab", "日本語", "👩‍👩‍👧 ✔️", "می‌خواهم", "क्‍ष"]
)
def test_honest_words_are_shown_as_they_are(text: str) -> None:
    assert shown(text) == text


def test_windows_line_ends_are_line_ends_and_a_fact_stays_on_its_line() -> None:
    assert shown("one\r\ntwo") == "one\ntwo"
    assert one_line("Anna\nTo  eve@evil.example") == "Anna ⏎ To  eve@evil.example"


def test_no_fact_of_a_card_looks_like_the_next_one() -> None:
    rows = (Row(label="Client", value="Acme\n│ Amount  1.00 EUR"), Row(label="Amount", value="900.00 EUR"))
    card = Card(id="2.1", revision=1, state="pending", title="Pay\x1b[8m", rows=rows, body="Hi\x1b[2K\nthere")
    lines = card_lines(card)
    assert [line for line in lines if line.startswith("│ Amount")] == ["│ Amount  900.00 EUR"]
    assert lines[0] == "┌ [card 2.1] Pay⟨U+001B⟩[8m"
    assert "│ > Hi⟨U+001B⟩[2K" in lines
    assert all("\n" not in line for line in lines)


async def test_the_console_and_the_log_print_no_escape() -> None:
    out = io.StringIO()
    await Console(lambda: "", out).say(PLACE, Message(id="1", text="mail from \x1b]0;x\x07Bob\nsecond line"))
    assert out.getvalue() == "mail from ⟨U+001B⟩]0;x⟨U+0007⟩Bob\nsecond line\n"
    record = logging.LogRecord("x", logging.WARNING, "", 0, "from %s", ("\x1b[31mEve",), None)
    assert RedactingFormatter("%(message)s", Redactor()).format(record) == "from ⟨U+001B⟩[31mEve"


async def test_what_a_command_prints_of_a_task_holds_no_escape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with PaperHouse(tmp_path / "home") as house:
        await house.operator("ask send to=anna@acme.example body=\x1b]0;owned\x07")
    monkeypatch.setenv("SOLOIST_HOME", str(tmp_path / "home"))
    for command in (["why"], ["timeline"], ["digest"], ["stuck"]):
        with pytest.raises(SystemExit):
            main(command)
        assert "\x1b" not in (printed := capsys.readouterr().out), command
        assert printed.strip()
