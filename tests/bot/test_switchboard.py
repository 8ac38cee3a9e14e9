"""Who may speak: pairings kept and forgotten, delegates and what they may decide, a secret that stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot import settings
from bot.cli import main
from bot.delegates import delegates
from bot.doctor import examine_home
from bot.keys import NAMES, kept
from bot.pairings import PairingsFile, unpair
from bot.settings import Settings, SettingsError
from bot.wiring import redactor
from memory.events import Origin


def given(home: Path, **values: str) -> Settings:
    home.mkdir(exist_ok=True)
    return settings.read((), environment={"SOLOIST_HOME": str(home), **values}, folder=home)


async def test_who_was_paired_is_forgotten_on_one_platform_alone(tmp_path: Path) -> None:
    pairings = PairingsFile(tmp_path / "pairings.json")
    pairings.add("telegram", {"user": "7", "chat": "7"})
    pairings.add("slack", {"team": "T1", "user": "U1"})
    assert "unpaired. Restart Soloist" in unpair(given(tmp_path), "telegram")
    assert PairingsFile(tmp_path / "pairings.json").of("telegram") == []
    assert PairingsFile(tmp_path / "pairings.json").of("slack") == [{"team": "T1", "user": "U1"}]
    assert (tmp_path / "pairings.json").stat().st_mode & 0o777 == 0o600
    assert unpair(given(tmp_path), "telegram") == "Telegram: nobody is paired."
    assert "Take that line out" in unpair(given(tmp_path, SLACK_OPERATOR="T1:U1"), "slack")


def test_the_command_line_unpairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pairings.json").write_text(json.dumps({"telegram": [{"user": "7", "chat": "7"}]}))
    monkeypatch.setenv("SOLOIST_HOME", str(tmp_path))
    with pytest.raises(SystemExit) as ended:
        main(["unpair", "telegram"])
    assert ended.value.code == 0
    assert "Telegram: unpaired." in capsys.readouterr().out
    assert json.loads((tmp_path / "pairings.json").read_text()) == {}


def test_delegates_are_named_in_the_settings_and_limited_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "delegates.toml").write_text(
        '[[delegate]]\nname = "Bob"\nslack = "T1:U2"\ntelegram = "8"\nactions = ["mail.*"]\namount_max = "500 EUR"\n'
    )
    found = delegates(given(tmp_path, SLACK_DELEGATES="T1:U2, T1:U3", TELEGRAM_DELEGATES="9"))
    assert {(each.platform, each.account, each.user): (each.actions, each.amount_max) for each in found} == {
        ("slack", "T1", "U2"): (("mail.*",), "500.00 EUR"),
        ("slack", "T1", "U3"): (("*",), ""),
        ("telegram", "*", "9"): (("*",), ""),
        ("telegram", "*", "8"): (("mail.*",), "500.00 EUR"),
    }
    assert {each.role for each in found} == {Origin.DELEGATE}


@pytest.mark.parametrize(
    ("values", "file", "says"),
    [
        ({"SLACK_DELEGATES": "U2"}, "", "team:user"),
        ({"TELEGRAM_DELEGATES": "@bob"}, "", "a number"),
        ({}, '[[delegate]]\ntelegram = "8"\namount_max = "much"\n', "500.00 EUR"),
        ({}, '[[delegate]]\ntelegram = "8"\nmay = "all"\n', "may is not known"),
        ({}, '[[delegate]]\ntelegram = "8"\nactions = "all"\n', "a list"),
        ({}, 'delegate = "Bob"\n', "[[delegate]]"),
    ],
)
def test_a_delegate_that_makes_no_sense_stops_the_start_with_a_sentence(
    tmp_path: Path, values: dict[str, str], file: str, says: str
) -> None:
    (tmp_path / "delegates.toml").write_text(file)
    with pytest.raises(SettingsError, match=r"\w") as stopped:
        delegates(given(tmp_path, **values))
    assert says in str(stopped.value)


def test_a_key_is_the_same_after_a_restart_and_nobody_elses_to_read(tmp_path: Path) -> None:
    path = tmp_path / "telegram.secret"
    first = kept(path)
    assert len(first) >= 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert kept(path) == first
    assert [each.name for each in tmp_path.iterdir()] == ["telegram.secret"]


@pytest.mark.parametrize("torn", [b"", b"  \n", b"short", b"\xff" * 40, b"a" * 20 + b"\x00" * 20])
def test_a_key_that_was_cut_off_is_made_anew_because_an_empty_one_would_let_everybody_in(
    tmp_path: Path, torn: bytes
) -> None:
    path = tmp_path / "mcp.key"
    path.write_bytes(torn)
    made = kept(path)
    assert len(made) >= 32
    assert kept(path) == made


def test_a_key_that_cannot_be_written_stops_the_start_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"mcp\.key cannot be written: .+ mend its rights"):
        kept(tmp_path / "nowhere" / "mcp.key")


@pytest.mark.parametrize(
    "damaged", ["", "{", "[]", "null", '{"telegram": 7}', '{"telegram": [7]}', "\xff", "[" * 99_999]
)
def test_a_damaged_list_of_pairings_is_not_taken_for_nobody_yet(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "pairings.json").write_text(damaged, encoding="latin-1")
    with pytest.raises(SettingsError, match=r"is damaged\. Delete it, restart, and pair again"):
        PairingsFile(tmp_path / "pairings.json")


def test_the_keys_of_the_home_are_kept_out_of_logs_and_cards(tmp_path: Path) -> None:
    made = [kept(tmp_path / name) for name in NAMES]
    (tmp_path / "torn.key").write_bytes(b"\xff")
    told = redactor(given(tmp_path))(f"401 for http://127.0.0.1:8321/?key={made[0]} and {made[1]}, {made[2]}")
    assert told == "401 for http://127.0.0.1:8321/?key=[secret] and [secret], [secret]"


def test_the_doctor_says_which_folder_others_can_read(tmp_path: Path) -> None:
    home = tmp_path / "company"
    home.mkdir(mode=0o755)
    (home / ".env").write_text("SMTP_PASSWORD=x")
    for path, mode in ((home, 0o755), (home / ".env", 0o644)):
        path.chmod(mode)
    told = [str(finding) for finding in examine_home(given(home))]
    assert sum("other users of this machine" in line for line in told) == 2
    home.chmod(0o700)
    (home / ".env").chmod(0o600)
    assert not [line for line in map(str, examine_home(given(home))) if "other users" in line]
