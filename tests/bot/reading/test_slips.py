"""A slip of the finger is put right in the words of a request; a name, a value or a real word never is."""

from __future__ import annotations

import pytest

from agents.slots import Slot
from bot.reading.slips import Spelling, as_typed, mended

SPELLING = Spelling.of(
    [
        "invoice {client} {amount}",
        "approve {card}",
        "remember that {what}",
        "schedule {post} for {day}",
        "send {client} a reminder",
    ],
    ["the proposal for Acme"] * 3,
    ["build a landing page", "what did I spend"],
)


def right(text: str, taken: tuple[Slot, ...] = ()) -> str:
    return mended(text, SPELLING.slips(text, taken))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("invocie Acme 1200", "invoice Acme 1200"),
        ("scheudle it for Friday", "schedule it for Friday"),
        ("remmeber that", "remember that"),
        ("rember that", "remember that"),
        ("aprove 2.1", "approve 2.1"),
        ("sned acme a rimender", "send acme a reminder"),
        ("a propsal", "a proposal"),
    ],
)
def test_letters_swapped_lost_or_wrong_are_put_right(typed: str, meant: str) -> None:
    assert right(typed) == meant


@pytest.mark.parametrize(
    "typed",
    [
        "spend it",
        "build it",
        "approved 2.1",
        "unapprove 2.1",
        "disapprove 2.1",
        "inv it",
        "“invocie” it",
        "mail a@invocie.example",
        "bill Invocie",
    ],
)
def test_what_is_a_word_a_name_or_far_from_any_stays(typed: str) -> None:
    assert right(typed) == typed


def test_what_is_a_value_or_a_clients_name_stays() -> None:
    assert right("bill invocie 200", (Slot("client", "invocie", 5, 12, "invocie"),)) == "bill invocie 200"


def test_what_is_near_to_two_words_stays() -> None:
    both = Spelling.of(["quota {what}", "quote {what}"], [], [])

    assert both.slips("quotx it", ()) == []
    assert both.slips("uqote it", ())[0].meant == "quote"


def test_a_message_of_slips_is_asked_about() -> None:
    assert SPELLING.slips("invocie aprove remmeber scheudle", ()) == []


def test_a_day_is_not_lost_by_a_slip_and_is_spelled_as_it_should_be() -> None:
    slips = SPELLING.slips_of_time("on wendesday, tommorow and in febuary; a sunny day")

    assert [slip.meant for slip in slips] == ["wednesday", "tomorrow", "february"]


def test_words_for_somebody_else_are_given_back_as_they_were_typed() -> None:
    slips = SPELLING.slips("remmeber the propsal", ())

    assert as_typed("the proposal", slips[1:]) == "the propsal"
