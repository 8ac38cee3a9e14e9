"""The command line as a newcomer meets it."""

from __future__ import annotations

import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

import agents
from bot import cli, doctor, settings, wiring
from bot.switchboard import open_switchboard
from bot.testing import PaperHouse, understanding
from memory.database import Database
from memory.projections import Books

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


def test_what_may_be_said_is_learned_before_the_first_message(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SOLOIST_HOME", str(tmp_path))
    assert understanding().ready()  # what every paper house of this run has learned, kept beside the model
    with pytest.raises(SystemExit) as over:
        cli.main(["intents", "train"])
    assert over.value.code == 0
    assert "sentences of" in capsys.readouterr().out
    assert wiring.understanding_of(agents.discover(), tmp_path).ready(), "the start found nothing learned"


def test_a_python_without_our_libraries_hands_over_to_the_one_that_was_set_up() -> None:
    bare = subprocess.run(
        [sys.executable, "-S", "-m", "bot", "stuck", "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if (ROOT / ".venv").exists():
        assert (bare.returncode, bare.stderr) == (0, "")
        assert "python -m bot stuck" in bare.stdout
    else:
        assert "run 'make setup'" in bare.stderr


def started(home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Start Soloist as an operator does, where it ends by itself."""
    keep = {"PATH": "/usr/bin:/bin", "SOLOIST_HOME": str(home), "REDIS_URL": "none", **environment}
    return subprocess.run(
        [sys.executable, "-m", "bot", "run"],
        cwd=ROOT,
        env=keep,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def test_a_port_that_is_taken_stops_the_start_in_one_sentence_and_the_demo_moves_in_whole(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        over = started(tmp_path / "home", SOLOIST_PORT=str(port))
    assert over.returncode == 1
    assert over.stderr.startswith(f"soloist: The console cannot listen on 127.0.0.1:{port}: Address already in use.")
    assert f"SOLOIST_PORT={port + 1}" in over.stderr
    assert "Traceback" not in over.stderr
    with Database.look(tmp_path / "home").read() as connection:
        assert [client.key for client in Books(connection).all("client")] == ["acme", "initech"]


def test_the_home_is_nobody_elses_business(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        started(tmp_path / "home", SOLOIST_PORT=str(taken.getsockname()[1]))
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700


def test_a_home_that_cannot_be_made_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    given = settings.read((), environment={"SOLOIST_HOME": str(tmp_path / "file" / "home")}, folder=tmp_path)
    [finding] = doctor.examine_home(given)
    assert not finding.ok
    assert "Set SOLOIST_HOME" in finding.remedy


async def test_a_clock_behind_history_is_a_finding(house: PaperHouse) -> None:
    await house.operator("who is Acme?")
    database = house.machine.database
    assert doctor.examine_clock(database, house.clock.at).ok
    behind = doctor.examine_clock(database, house.clock.at - timedelta(days=2))
    assert not behind.ok
    assert "timedatectl" in behind.remedy


async def test_a_redis_that_does_not_answer_is_a_finding_without_its_password(tmp_path: Path) -> None:
    given = settings.read(
        (), environment={"SOLOIST_HOME": str(tmp_path), "REDIS_URL": "redis://me:hush@127.0.0.1:1"}, folder=tmp_path
    )
    finding = await wiring.examine_short_memory(given)
    assert not finding.ok
    assert "127.0.0.1:1" in finding.what
    assert "hush" not in str(finding)


@pytest.mark.parametrize(
    ("tokens", "says"),
    [
        ({"SLACK_BOT_TOKEN": "xapp-1"}, "SLACK_BOT_TOKEN does not start with xoxb-"),
        ({"SLACK_BOT_TOKEN": "xoxb-1"}, "SLACK_APP_TOKEN is empty"),
        ({"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xoxb-1"}, "SLACK_APP_TOKEN does not start with xapp-"),
    ],
)
async def test_a_token_in_the_wrong_line_is_named_and_no_code_is_shown(
    tmp_path: Path, tokens: dict[str, str], says: str
) -> None:
    async with PaperHouse(tmp_path / "home", environment=tokens, pace=None) as house:
        given = settings.read(
            wiring.declared_settings(), environment={"SOLOIST_HOME": str(tmp_path / "home"), **tokens}
        )
        board = open_switchboard(
            given, zone=house.machine.runner._staff.zone, home_view=house.machine.history.home, refused=refused, commands=(),
            announce=house.announced.append,
        )  # fmt: skip
    assert [notice.partition(". ")[0] for notice in board.notices] == [f"Slack is left out: {says}"]


async def refused(actor: object, what: str) -> None:
    """Nobody is turned away here."""
