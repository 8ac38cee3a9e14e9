"""The explain log holds what a model was given, without secrets, for a while, and goes when something is forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agents.question import Explained
from agents.quoting import messages
from bot import briefing, explaining
from bot.explaining import ExplainLog, Masks, why_lines
from bot.redaction import Redactor
from bot.testing import PaperHouse
from memory.events import Origin
from tests.stories.company import company, node


def told(answer: str = "Fine.") -> Explained:
    return Explained(
        purpose="letter", task="12", workflow="clients", origin=Origin.OPERATOR, agent="clients", tier="small",
        messages=(("user", "Write to Anna with sk-secret-12345."),), refs=("memory:1",), steps=("openai/x: answered",),
        decision="answered", model="openai/x", answer=answer,
    )  # fmt: skip


def made(folder: Path) -> ExplainLog:
    return ExplainLog(folder, lambda: datetime(2026, 3, 2, tzinfo=UTC), Redactor(["sk-secret-12345"]))


def test_a_question_is_one_line_without_secrets_for_the_operator_alone(tmp_path: Path) -> None:
    log = made(tmp_path)
    log(told())
    (line,) = log.of_task("12")
    assert line["decision"] == "answered"
    assert line["refs"] == ["memory:1"]
    path = tmp_path / explaining.FILE
    assert "sk-secret" not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    assert log.of_task("13") == []


def test_the_file_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explaining, "BYTES_MAX", 4000)
    log = made(tmp_path)
    for number in range(100):
        log(told(f"answer {number}"))
    assert (tmp_path / explaining.FILE).stat().st_size < 5000
    assert log.of_task("12")[-1]["answer"] == "answer 99"


def test_a_disk_that_will_not_take_it_costs_a_line_and_no_answer(tmp_path: Path) -> None:
    made(tmp_path / "nowhere")(told())


async def test_forgetting_anything_takes_it_all(house: PaperHouse) -> None:
    log = ExplainLog(house.home, house.clock)
    log(told())
    await house.operator("remember that Acme prefers short mails")
    await house.operator("/forget Acme prefers short mails")
    waiting = [card for card in house.channel.cards.values() if card.state == "pending"]
    if waiting:
        await house.press("Approve", waiting[-1].id)
        await house.later(minutes=1)
    assert log.of_task("12") == []


@pytest.mark.parametrize("name", [pytest.param("a model", marks=node)])
async def test_what_the_house_asks_is_explained(tmp_path: Path, name: str) -> None:
    async with company(tmp_path, name, "Come to the fair.") as house:
        task = await house.operator("write a blog post about our summer fair")
        (line,) = ExplainLog(house.home, house.clock).of_task(task)
        assert line["agent"] == "content"
        assert line["answer"] == "Come to the fair."
        assert "key-of-openai" not in str(line)


async def test_who_was_forgotten_stands_in_no_later_line_either(tmp_path: Path) -> None:
    """Bytes, not words: a question that names them after they were forgotten leaves no name in the log."""
    home = tmp_path / "home"
    async with PaperHouse(home, environment={"REDIS_URL": "none"}) as house:
        await house.operator("remember that Bob Miller prefers mornings")
        await house.operator("remember that Acme likes short letters")
        await house.remembered()
        await house.operator("forget Bob Miller")
        await house.press("Approve")
        await house.later(minutes=1)
        for again in (False, True):
            if again:
                await house.restart()
            log = ExplainLog(home, house.clock, masks=masks(house))
            for words in ("Who is Bob Miller?", "BOB  MILLER's plan", "bob-miller", "Bob\nMiller writes"):
                log(told(words))
            log(replace(told(), refs=("memory:9 “Bob Miller prefers”",), left_out=("books “Bob Miller”: no room",)))
            bytes_ = (home / explaining.FILE).read_bytes().lower()
            for name in (b"bob miller", b"bob  miller", b"bob-miller", b"miller"):
                assert name not in bytes_, name
            assert b"[forgotten]" in bytes_
            assert b"anna" in bytes_, "who was not forgotten is still there"
        names = (home / "memory" / "forgotten-names").read_bytes().lower()
        assert b"miller" not in names


async def test_the_house_itself_masks_what_is_asked_about_somebody_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(briefing, "RECALL_TOKENS", 1)  # so that a question to memory leaves something out, and a line
    home = tmp_path / "home"
    async with PaperHouse(home, environment={"REDIS_URL": "none"}) as house:
        await house.operator("remember that Bob Miller prefers mornings")
        await house.operator("remember that mornings are for writing")
        await house.remembered()
        await house.operator("forget Bob Miller")
        await house.press("Approve")
        await house.later(minutes=1)
        assert house.machine.briefing is not None
        await house.machine.briefing.recall("What does Bob Miller say about mornings?", "", 5)
        bytes_ = (home / explaining.FILE).read_bytes()
        assert b"about mornings" in bytes_
        assert b"Miller" not in bytes_


async def test_without_the_masks_the_name_is_there_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Masks, "__call__", lambda _, text: text)
    with pytest.raises(AssertionError):
        await test_the_house_itself_masks_what_is_asked_about_somebody_forgotten(tmp_path, monkeypatch)


def masks(house: PaperHouse) -> Masks:
    return Masks(house.home / "memory" / "forgotten-names", bytes.fromhex(house.machine.log.fact("secret") or ""))


def test_a_mask_finds_the_words_whatever_stands_between_them_and_nothing_else(tmp_path: Path) -> None:
    mask = Masks(tmp_path / "names", b"key")
    assert mask("Bob Miller") == "Bob Miller"
    mask.add(["Bob Miller", "bob@acme.example", "Zoë"])
    mask.add(["Bob Miller"])
    assert mask("Ask Bob Miller's wife, not Bob or Miller.") == "Ask [forgotten]'s wife, not Bob or Miller."
    assert mask("BOB@ACME.EXAMPLE and ZOË and Zoe\u0308") == "[forgotten] and [forgotten] and [forgotten]"
    assert Masks(tmp_path / "names", b"key")("bob miller") == "[forgotten]"
    assert Masks(tmp_path / "names", b"another key")("bob miller") == "bob miller"
    assert (tmp_path / "names").read_text().count("\n") == 3
    assert (tmp_path / "names").stat().st_mode & 0o077 == 0


def test_why_says_which_sentences_are_the_models_and_what_it_was_given() -> None:
    template, letter = (
        "Hello Anna,\n\nThe draft is ready.\n\nBest regards",
        "Hello Anna,\n\nThe draft is ready for you. See you.\n\nBest regards",
    )
    asked = messages("Improve it.", [(Origin.SYSTEM, template), (Origin.CLIENT, "When is it ready?")])
    line = {
        "decision": "answered", "steps": ["m: answered"], "model": "m", "tier": "small", "purpose": "clients: wording",
        "refs": ["memory:1 “Acme likes short letters”"], "left_out": [], "answer": letter,
        "messages": [[each["role"], each["content"]] for each in asked],
    }  # fmt: skip
    assert why_lines([line]) == [
        "m was asked for 'clients: wording': answered; given memory:1 “Acme likes short letters”",
        "in place of my 'The draft is ready.' it wrote 'The draft is ready for you. See you.'",
    ]
    assert why_lines([{**line, "answer": template}])[1] == "it left my template as it was"
    refused = {**line, "decision": "no answer", "model": "", "answer": "", "steps": ["m: the provider answered 500"]}
    assert "no answer (m: the provider answered 500)" in why_lines([refused])[0]
