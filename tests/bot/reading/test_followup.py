"""A follow-up is the request before with other values, word for word accounted for; anything more is none."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from agents.base import Intent
from agents.billing import Invoice
from agents.clients import AddClient
from agents.slots import find_spans
from bot.control import RecallFact
from bot.reading.followup import (
    Before,
    Heard,
    address_given,
    and_what,
    card_words,
    changes_card,
    may_lean,
    moved,
    same_for,
)
from bot.reading.names import Directory

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Berlin")
NAMES = Directory.of([("acme", "Acme GmbH"), ("globex", "Globex")])


def heard(text: str) -> Heard:
    found = find_spans(text, NOW, ZONE, "en_GB")
    names = NAMES.find(text, [slot for slot in found if slot.kind in {"email", "url", "invoice"}])
    return Heard(text, sorted([*found, *names], key=lambda slot: slot.start), NOW, ZONE, "EUR")


def before(intent: type[Intent] = Invoice, **slots: str) -> Before:
    given = slots or {"client": "Acme", "amount": "1200.00 EUR", "what": "Acme's March retainer", "terms": "net 14"}
    return Before(intent, given, "as it was said", "3.1")


@pytest.mark.parametrize(
    "text",
    ["make it 1,500", "make it 1,500 instead", "no, 1,500 please", "net 30 instead", "change the amount to 1,500",
     "set the due date to 5 December", "make it friendlier", "please make the text a bit shorter"],
)  # fmt: skip
def test_what_is_to_be_different_on_the_card(text: str) -> None:
    assert changes_card(heard(text), Invoice)


@pytest.mark.parametrize(
    "text",
    ["make it so", "make it 1,500 and pay Bob", "1,500", "should it be 1,500?", "make it public", "no",
     "change Acme's terms to net 30", "approve it with 1,500", "make it happen", "remind me on Friday instead"],
)  # fmt: skip
def test_what_says_more_or_less_than_that_is_none(text: str) -> None:
    assert not changes_card(heard(text), Invoice)


def test_the_same_for_somebody_else_takes_the_rest_over() -> None:
    leaning = same_for(heard("and the same for Globex, but 900"), before())
    assert leaning is not None
    assert leaning.slots == {
        "client": "Globex", "amount": "900.00 EUR", "what": "Globex's March retainer", "terms": "net 14",
    }  # fmt: skip


def test_a_name_that_is_on_no_book_is_taken_as_written() -> None:
    leaning = same_for(heard("the same for Initech"), before())
    assert leaning is not None
    assert leaning.slots is not None
    assert leaning.slots["client"] == "Initech"


@pytest.mark.parametrize(
    "text",
    ["same for April", "do the same for Globex and send it to everyone", "the same old story", "same",
     "the same for Globex and Acme", "same for Globex unless they have paid"],
)  # fmt: skip
def test_what_is_not_clear_is_not_guessed(text: str) -> None:
    assert same_for(heard(text), before()) is None


def test_only_a_question_is_asked_again_about_another() -> None:
    asked = before(RecallFact, query="Acme")
    leaning = and_what(heard("and Globex?"), asked)
    assert leaning is not None
    assert leaning.slots == {"query": "Globex"}
    assert and_what(heard("and Globex?"), before()) is None, "an invoice is no question"
    assert and_what(heard("and Globex is late?"), asked) is None


@pytest.mark.parametrize(
    "text",
    ["make it 1,500", "no, 1,500 please", "net 30 instead", "set the due date to 5 December", "please make the text a bit shorter",
     "change the subject to Hello there, all of you", "no, Globex", "not Acme, I meant Globex", "sorry, Initech",
     "move it to Friday", "on Friday instead please", "his email is bob@initech.example", "bob@initech.example",
     "and the same for Globex, but 900", "the same for Initech", "and Globex?", "what about Globex?"],
)  # fmt: skip
def test_what_is_found_to_lean_was_worth_a_look(text: str) -> None:
    said, asked = heard(text), before(RecallFact, query="Acme")
    reminder = Before(Invoice, {}, "remind me on Monday", reminds=True)
    waiting = Before(AddClient, {"name": "Bob"}, "add client Bob", asked=True)
    found = [
        card_words(said, before()), moved(said, reminder, heard("remind me on Monday").spans), address_given(said, waiting),
        same_for(said, before()), and_what(said, asked),
    ]  # fmt: skip
    assert any(found), "else this says nothing"
    assert may_lean(said)


@pytest.mark.parametrize(
    "text", ["remind me on Friday to call Bob", "paid Acme 1,500", "echo 12 times", "who owes me money?"]
)
def test_a_message_with_words_of_its_own_is_not_held_against_others(text: str) -> None:
    assert not may_lean(heard(text))
