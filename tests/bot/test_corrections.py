"""A correction is an example at once, and still is after a restart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot import cli, wiring
from bot.testing import PaperHouse
from memory.events import Understood, Write


def readings(house: PaperHouse) -> list[str]:
    return [line.event.intent for line in house.machine.log.lines() if isinstance(line.event, Understood)]


async def test_no_i_meant_teaches_the_sentence_before(house: PaperHouse) -> None:
    await house.operator("blorp the wizzle gromp")
    assert readings(house)[-1] == ""
    await house.operator("no, I meant what is stuck?")
    assert readings(house)[-1] == "stuck"
    await house.operator("blorp the wizzle gromp")
    assert readings(house)[-1] == "stuck"


def last(house: PaperHouse) -> Understood:
    return [line.event for line in house.machine.log.lines() if isinstance(line.event, Understood)][-1]


async def test_what_was_taught_is_said_and_listed_and_taken_back(house: PaperHouse) -> None:
    await house.operator("glarb the frimble")
    await house.operator("no, I meant what is stuck?")
    assert last(house).assumed[-1].startswith("From now on “glarb the frimble” means stuck.")

    await house.operator("what did I teach you?")
    lesson = next(line for line in last(house).ask.splitlines() if "“glarb the frimble” means stuck." in line)
    await house.operator(f"unteach {lesson.partition('.')[0]}")
    assert last(house).ask == "“glarb the frimble” no longer means stuck."

    await house.operator("glarb the frimble")
    assert readings(house)[-1] == ""
    await house.restart()
    assert "glarb the frimble" not in dict(wiring.learned(house.machine.database)) or (
        dict(wiring.learned(house.machine.database))["glarb the frimble"] == ""
    )


async def test_a_lesson_that_does_not_exist_is_said(house: PaperHouse) -> None:
    await house.operator("unteach 9999")
    assert "no lesson 9999" in last(house).ask


async def test_a_correction_of_a_correction_is_about_the_first_sentence(house: PaperHouse) -> None:
    await house.operator("smurgle all the flumps")
    await house.operator("no, I meant what is stuck?")
    await house.operator("no, I meant help")
    await house.operator("smurgle all the flumps")
    assert readings(house)[-1] == "help"


async def test_an_exact_form_cannot_be_taught_to_mean_something_else(house: PaperHouse) -> None:
    """Whoever corrects the wish after "invoice Acme 5" must not lose the words for an invoice."""
    await house.operator("what's unpaid?")
    await house.operator("no, I meant what is stuck?")
    assert last(house).assumed == ()
    await house.operator("what's unpaid?")
    assert readings(house)[-1] == "unpaid"


async def test_nothing_can_be_taught_to_press_a_button(house: PaperHouse) -> None:
    await house.operator("ask post to=anna@acme.example body=Hello")
    await house.operator("frobnicate the quux snarf")
    await house.operator("no, I meant approve 2.1")
    before = len(house.provider.accepted)
    await house.operator("ask post to=anna@acme.example body=Again")
    await house.operator("frobnicate the quux snarf")
    assert readings(house)[-1] == ""
    assert len(house.provider.accepted) == before


async def test_what_was_learned_lasts_over_a_restart(house: PaperHouse) -> None:
    house.runner.jot(Write(kind="phrase", key="a", data={"mask": "zap it", "intent": "stuck"}))
    house.runner.jot(Write(kind="phrase", key="a", data={"mask": "zap it", "intent": "help"}))
    await house.restart()
    assert wiring.learned(house.machine.database) == [("zap it", "help")]
    assert list(house.machine.log.verify()) == []


def test_the_classifier_is_measured_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lines(name: str, rows: list[tuple[str, str]]) -> str:
        path = tmp_path / name
        path.write_text("\n".join(json.dumps({"text": text, "intent": intent}) for text, intent in rows))
        return str(path)

    verbs = ["open", "show", "list", "print", "fetch", "display"]
    train = [(f"{verb} the bills", "bills") for verb in verbs] + [(f"{verb} my mail", "mail") for verb in verbs]
    test = [("show bills please", "bills"), ("list the mail", "mail"), ("how tall is a giraffe", "oos")]
    monkeypatch.setattr(wiring, "models_folder", lambda: tmp_path / "none")
    with pytest.raises(SystemExit) as end:
        cli.main(["intents", "eval", "--train", lines("a", train), "--test", lines("b", test)])
    out = capsys.readouterr().out
    assert end.value.code == 0
    assert "accuracy: 1.0000" in out
    with pytest.raises(SystemExit) as end:
        cli.main(["intents", "eval", "--train", str(tmp_path / "nowhere"), "--test", str(tmp_path / "b")])
    assert end.value.code == 2
