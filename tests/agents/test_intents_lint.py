"""Declarations held together: every intent is declared well, and no agent costs another's checks more than a point.

Words alone decide here, without the embedding model, so that the lint runs everywhere and in seconds.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection, Sequence
from pathlib import Path

import pytest

from agents import discover
from agents.base import Intent
from bot.control import CONTROL, EXACT
from bot.intents import Understanding, sample_of
from bot.reading.router import NOBODY, Router
from bot.reading.sayings import NOBODYS, SAYINGS

EXAMPLES_MIN, CHECKS_MIN, NOT_MINE_MIN = 15, 5, 5
COST_MAX = 1.0  # points of the others' checks
CHECKS_RIGHT_MIN = 0.90
MESSAGES = Path(__file__).parents[1] / "bench" / "operator_messages"
WORDS_MIN = 3  # "undo" and "any problems" are what everybody says


@functools.cache
def owners() -> dict[str, tuple[type[Intent], ...]]:
    found = {name: tuple(agent.intents) for name, agent in discover().items() if agent.intents}
    return {**found, "the house": CONTROL}


@functools.cache
def everyone() -> tuple[type[Intent], ...]:
    return tuple(intent for intents in owners().values() for intent in intents)


@functools.cache
def trained() -> Router:
    samples, labels = Understanding(everyone()).training()
    return Router.train(samples, labels, None, calibrated=False)


def right(router: Router, checks: Sequence[tuple[str, str]], without: Collection[str] = ()) -> float:
    """Return the share of checks that are read right, where what is `without` cannot be chosen."""
    chances = router.chances([sample_of(text) for text, _ in checks])
    chances[:, [name == NOBODY or name in without for name in router.intents]] = -1.0
    return sum(
        router.intents[best] == name for best, (_, name) in zip(chances.argmax(axis=1), checks, strict=True)
    ) / len(checks)


def measured(part: str) -> set[str]:
    """Return the messages of a set, those aside that everybody says."""
    lines = (MESSAGES / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
    return {plain(row["text"]) for row in map(json.loads, lines) if len(row["text"].split()) >= WORDS_MIN}


def plain(text: str) -> str:
    return re.sub(r"[^\w ]", "", text.casefold()).strip()


def checks_of(intents: Sequence[type[Intent]]) -> list[tuple[str, str]]:
    return [(text, intent.id()) for intent in intents for text in intent.checks]


@pytest.mark.parametrize("intent", everyone(), ids=lambda intent: intent.id())
def test_an_intent_is_declared_with_enough_of_everything(intent: type[Intent]) -> None:
    assert intent.__doc__, "the help needs one line on what it does"
    assert len(set(intent.examples)) >= EXAMPLES_MIN
    assert len(set(intent.checks)) >= CHECKS_MIN
    assert len(set(intent.not_mine)) >= NOT_MINE_MIN
    assert not set(intent.examples) & set(intent.checks), "a check that is trained on proves nothing"
    assert not set(intent.examples) & set(intent.not_mine)
    assert set(intent.asks) <= set(intent.model_fields)


def test_no_sentence_is_declared_by_two() -> None:
    seen: dict[str, str] = {}
    for intent in everyone():
        for text in intent.examples:
            assert seen.setdefault(text.casefold(), intent.id()) == intent.id(), text


def test_more_sayings_are_nobodys_checks_and_belong_to_one() -> None:
    checks = {text.casefold() for intent in everyone() for text in intent.checks}
    said = [text.casefold() for texts in SAYINGS.values() for text in texts]

    assert not checks & set(said)
    assert len(said) == len(set(said)), sorted(text for text in said if said.count(text) > 1)


def test_nothing_that_is_learned_stands_in_a_set_that_measures() -> None:
    learned = {plain(text) for texts in SAYINGS.values() for text in texts} | set(map(plain, NOBODYS))
    examples = {plain(text) for intent in everyone() for text in intent.examples}

    assert not learned & {text for part in ("dev", "second", "third", "held_out") for text in measured(part)}
    assert not examples & measured("held_out")


def test_commands_are_unique_and_are_no_other_intents_name() -> None:
    words = [word for intent in everyone() for word in {intent.command, intent.id()} if word]
    assert len(words) == len(set(words)), sorted(word for word in words if words.count(word) > 1)


def test_what_presses_a_button_is_only_the_houses_own() -> None:
    assert {intent.id() for intent in CONTROL} >= EXACT


def test_the_checks_are_read_right() -> None:
    assert right(trained(), checks_of(everyone())) >= CHECKS_RIGHT_MIN


@pytest.mark.parametrize("name", owners())
def test_adding_an_agent_costs_the_others_no_more_than_a_point(name: str) -> None:
    own = {intent.id() for intent in owners()[name]}
    others = [(text, intent) for text, intent in checks_of(everyone()) if intent not in own]

    cost = 100 * (right(trained(), others, without=own) - right(trained(), others))

    assert cost <= COST_MAX, f"{name} takes {cost:.1f} points from the others: make its examples say more of their own."


def test_an_agent_with_somebody_elses_sentences_would_be_caught() -> None:
    class Grabber(Intent):
        """Take what is not its own."""

        examples = tuple(text for intent in owners()["billing"] for text in intent.checks)

    samples, labels = Understanding([*everyone(), Grabber]).training()
    greedy = Router.train(samples, labels, None, calibrated=False)
    others = checks_of(everyone())

    assert 100 * (right(trained(), others) - right(greedy, others)) > COST_MAX
