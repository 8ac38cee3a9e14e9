"""Patterns with slots."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from zoneinfo import ZoneInfo

import pytest

from agents.base import Intent
from agents.slots import ClientName, Moment, Money, Terms, find_spans
from bot.reading.templates import coded, fits, templates

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 19, 10, tzinfo=ZONE)


class Bill(Intent):
    """Bill."""

    patterns: ClassVar[tuple[str, ...]] = (
        "bill {client} {amount} for {what}, {terms}", "bill {client} {amount} for {what}", "bill {client} {amount}",
        "ring {client} at {when}", "card {card}", "tell {client} that {what}",
    )  # fmt: skip
    client: ClientName = ""
    amount: Money | None = None
    what: str = ""
    terms: Terms | None = None
    when: Moment | None = None
    card: str = ""


def match(text: str) -> tuple[str, dict[str, str]] | None:
    message = coded(text, find_spans(text, NOW, ZONE, "en_GB"))
    for template in templates([Bill]):
        if (words := fits(template, message)) is not None:
            return template.pattern, words
    return None


def test_the_most_specific_pattern_wins_and_a_comma_ends_the_words() -> None:
    assert match("bill Acme 1,200 for the March retainer, net 14") == (
        "bill {client} {amount} for {what}, {terms}",
        {"client": "Acme", "amount": "1,200", "what": "the March retainer", "terms": "net 14"},
    )


@pytest.mark.parametrize(
    "text",
    [
        "bill Acme the usual",
        "bill Acme net 14",
        "please bill Acme 500",
        "bill the whole company 500",
        "bill Acme 500 or 600 maybe",
        "card twelve",
        "bill Acme about the site 500",
    ],
)
def test_a_typed_slot_takes_one_value_and_nothing_else(text: str) -> None:
    assert match(text) is None


def test_a_preposition_may_belong_to_the_value() -> None:
    assert match("ring Acme at 5pm") is not None
    assert match("ring Acme on Friday at 5pm") is not None


@pytest.mark.parametrize("text", ["card 12", "card 12.1", "card #12"])
def test_a_cards_number_is_no_amount(text: str) -> None:
    assert match(text) is not None


def test_somebodys_words_may_hold_any_value() -> None:
    assert match("tell Acme that we are closed on Friday") is not None
    assert match("bill Acme 500 for the talk on Friday") is None  # that Friday belongs to a slot, so look closer


def test_private_characters_in_a_message_are_nothing() -> None:
    assert match("bill \ue000 500") is None
