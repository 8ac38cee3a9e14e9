"""Declarations held together: every intent is declared well, and no agent costs another's checks more than a point.

Words alone decide here, without the embedding model, so that the lint runs everywhere and in seconds.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import pytest

from agents import discover
from agents.base import Intent
from bot.control import CONTROL, EXACT
from bot.intents import Understanding, sample_of
from bot.reading.router import Router
from bot.reading.sayings import SAYINGS

EXAMPLES_MIN, CHECKS_MIN, NOT_MINE_MIN = 15, 5, 5
COST_MAX = 1.0  # points of the others' checks
CHECKS_RIGHT_MIN = 0.90


@functools.cache
def owners() -> dict[str, tuple[type[Intent], ...]]:
    found = {name: tuple(agent.intents) for name, agent in discover().items() if agent.intents}
    return {**found, "the house": CONTROL}


@functools.cache
def everyone() -> tuple[type[Intent], ...]:
    return tuple(intent for intents in owners().values() for intent in intents)


@functools.cache
def trained(without: str = "") -> Router:
    intents = [intent for name, own in owners().items() if name != without for intent in own]
    samples, labels = Understanding(intents).training()
    return Router.train(samples, labels, None, calibrated=False)


def right(router: Router, checks: Sequence[tuple[str, str]]) -> float:
    guesses = router.guesses([sample_of(text) for text, _ in checks])
    return sum(guess.ranked[0][0] == name for guess, (_, name) in zip(guesses, checks, strict=True)) / len(checks)


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


def test_commands_are_unique_and_are_no_other_intents_name() -> None:
    words = [word for intent in everyone() for word in {intent.command, intent.id()} if word]
    assert len(words) == len(set(words)), sorted(word for word in words if words.count(word) > 1)


def test_what_presses_a_button_is_only_the_houses_own() -> None:
    assert {intent.id() for intent in CONTROL} >= EXACT


def test_the_checks_are_read_right() -> None:
    assert right(trained(), checks_of(everyone())) >= CHECKS_RIGHT_MIN


@pytest.mark.parametrize("name", owners())
def test_adding_an_agent_costs_the_others_no_more_than_a_point(name: str) -> None:
    others = checks_of([intent for owner, intents in owners().items() if owner != name for intent in intents])

    cost = 100 * (right(trained(name), others) - right(trained(), others))

    assert cost <= COST_MAX, f"{name} takes {cost:.1f} points from the others: make its examples say more of their own."


def test_an_agent_with_somebody_elses_sentences_would_be_caught() -> None:
    class Grabber(Intent):
        """Take what is not its own."""

        examples = tuple(text for intent in owners()["billing"] for text in intent.checks)

    samples, labels = Understanding([*everyone(), Grabber]).training()
    greedy = Router.train(samples, labels, None, calibrated=False)
    others = checks_of(everyone())

    assert 100 * (right(trained(), others) - right(greedy, others)) > COST_MAX
