"""The explain log holds what a model was given, without secrets, for a while, and goes when something is forgotten."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from agents.question import Explained
from bot import explaining
from bot.explaining import ExplainLog
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
