"""The command line as a newcomer meets it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bot import cli

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("command", sorted(cli.EXAMPLES))
def test_every_command_shows_how_it_is_typed(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/soloist"])
    with pytest.raises(SystemExit) as over:
        cli.main([command, "--help"])
    assert over.value.code == 0
    shown = capsys.readouterr().out
    assert f"examples:\n  {cli.EXAMPLES[command][0].format('soloist')}" in shown


def test_a_python_without_our_libraries_hands_over_to_the_one_that_was_set_up() -> None:
    bare = subprocess.run(
        [sys.executable, "-S", "-m", "bot", "stuck", "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if (ROOT / ".venv").exists():
        assert (bare.returncode, bare.stderr) == (0, "")
        assert "python -m bot stuck" in bare.stdout
    else:
        assert "run 'make setup'" in bare.stderr
