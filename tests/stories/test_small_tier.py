"""A message that the classifier does not understand is understood by a small model, held to the operator's own words.

Over the real litellm and real HTTP. What the model says counts when it quotes the message and our own grammar reads the
same from the quote; a model that lies ends as a question, never as an act.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from agents.base import Risk
from bot.intents import Understanding
from bot.testing import PaperHouse
from tests.counterparts.models import ModelServer
from tests.stories.company import FAULTS, asked, ends_well, model_calls, node, records, sent

pytestmark = node

UNCLEAR = "that thing with Acme once more, 450 euros this time"
TRUE = {"intent": "invoice", "quotes": {"client": "Acme", "amount": "450 euros"}}
LIES: dict[str, dict[str, Any]] = {
    "another amount": {"intent": "invoice", "quotes": {"client": "Acme", "amount": "4,500 euros"}},
    "an amount with words around it": {"intent": "invoice", "quotes": {"client": "Acme", "amount": "450 euros this"}},
    "another client": {"intent": "invoice", "quotes": {"client": "Initech", "amount": "450 euros"}},
    "an intent of nobody": {"intent": "transfer_everything", "quotes": {}},
    "a button": {"intent": "approve", "quotes": {"card": "2.1"}},
    "the stop": {"intent": "pause", "quotes": {}},
    "an act in our books": {"intent": "mark_paid", "quotes": {"client": "Acme", "amount": "450 euros"}},
    "a record": {"intent": "add_client", "quotes": {"name": "that thing"}},
    "steps of its own": {"intent": "make_plan", "quotes": {"steps": '{"kind":"plan"}', "keep": "[]"}},
}


@contextlib.asynccontextmanager
async def house_with(
    tmp_path: Path, says: Callable[[ModelServer], object], name: str = "a model"
) -> AsyncIterator[Any]:
    with ModelServer.started() as server:
        says(server)
        environment = {"REDIS_URL": "none"} | server.settings()
        async with PaperHouse(tmp_path / "home", environment=environment) as house, asked(house, name, server):
            yield house, server


async def test_an_unclear_message_is_understood_and_stands_on_a_card(tmp_path: Path) -> None:
    async with house_with(tmp_path, lambda server: server.says("", TRUE)) as (house, server):
        task = await house.operator(UNCLEAR)
        facts = {row.label: row.value for row in house.card().rows}
        assert (facts["Client"], facts["Net"]) == ("Acme GmbH", "450.00 EUR")
        assert sent(house) == []
        (call, *_) = server.calls()
        assert call.body["model"] == "gpt-4.1-mini"
        assert UNCLEAR in call.text
        assert call.body["response_format"]["type"] == "json_schema"
        why = house.machine.history.why(int(task))
        assert re.search(r"read as 'invoice' by .*small.*80 % sure", why), why
        assert "openai/gpt-4.1-mini was asked for 'understand': answered" in why
        assert next(event.purpose for event in model_calls(house)) == "understand"
        ends_well(house)


async def test_what_the_classifier_knows_costs_nothing(tmp_path: Path) -> None:
    with ModelServer.started() as server:
        async with PaperHouse(tmp_path / "home", environment={"REDIS_URL": "none"} | server.settings()) as house:
            for text in ("what is unpaid?", "remind me on Friday to call Anna", "if Acme has not paid, remind them"):
                await house.operator(text)
            assert server.calls() == []


@pytest.mark.parametrize("lie", LIES)
async def test_a_model_that_lies_ends_as_a_question_and_never_as_an_act(tmp_path: Path, lie: str) -> None:
    async with house_with(tmp_path, lambda server: server.says("", LIES[lie])) as (house, _):
        before = {kind: records(house, kind) for kind in ("client", "payment", "invoice")}
        await house.operator(UNCLEAR)
        for card in house.channel.cards.values():  # what it may still come to is a card with the operator's own figures
            assert card.state == "pending"
            assert {row.value for row in card.rows if row.label == "Net"} <= {"450.00 EUR"}
            assert {row.value for row in card.rows if row.label == "Client"} <= {"Acme GmbH"}
        if not house.channel.cards:
            assert house.channel.said[-1].buttons or "?" in house.channel.words[-1], house.transcript()
        assert {kind: records(house, kind) for kind in before} == before
        assert sent(house) == []
        ends_well(house)


@pytest.mark.parametrize("fault", [name for name in FAULTS if name != "nonsense"])
async def test_a_model_that_is_down_leaves_the_three_buttons(tmp_path: Path, fault: str) -> None:
    async with house_with(tmp_path, FAULTS[fault], fault) as (house, _):
        await house.operator(UNCLEAR)
        assert "One of these?" in house.channel.words[-1]
        assert not house.channel.cards
        ends_well(house)


async def test_without_the_quotes_a_made_up_amount_stands_on_the_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def believes(self: Understanding, text: str, answer: Any, reading: Any, **more: Any) -> Any:
        told = "invoice Acme 4,500 euros" if "4,500" in str(answer) else text
        more.pop("before", None)
        return self.read(told, **more)

    monkeypatch.setattr(Understanding, "_from_model", believes)
    with pytest.raises(AssertionError):
        await test_a_model_that_lies_ends_as_a_question_and_never_as_an_act(tmp_path, "another amount")


async def test_without_the_question_a_model_writes_in_our_books(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.intents.Risk", type("NoRisk", (), {**vars(Risk), "REVERSIBLE": object()}))
    with pytest.raises(AssertionError):
        await test_a_model_that_lies_ends_as_a_question_and_never_as_an_act(tmp_path, "a record")
