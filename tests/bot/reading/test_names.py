"""Client names in a message."""

from __future__ import annotations

import pytest

from bot.reading.names import Directory, proper_names

PAIRS = [
    ("acme", "Acme GmbH"),
    ("north", "North Star Ltd"),
    ("north-2", "North Sea Ltd"),
    ("lindqvist", "Lindqvist AB"),
    ("the", "The Studio"),
]
NAMES = Directory.of(PAIRS)


def found(text: str) -> list[str]:
    return [slot.text for slot in NAMES.find(text)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("invoice acme 500", ["acme"]),
        ("Acme GmbH's invoice", ["Acme GmbH"]),
        ("Acme's last payment", ["Acme"]),
        ("call north star ltd", ["north star ltd"]),
        ("acmeville is far", []),
        ("the invoice", ["the"]),
    ],
)
def test_names_keys_and_first_words_are_found_whole(text: str, names: list[str]) -> None:
    assert found(text) == names


def test_a_first_word_that_two_share_is_nobodys() -> None:
    assert Directory.of([("a", "North Star"), ("b", "North Sea")]).find("call north") == []


def test_a_slip_is_found_as_it_was_typed() -> None:
    assert found("invoice lindqist 500") == ["lindqist"]
    assert found("the lindens are green") == ["the"]


def test_an_empty_directory_finds_nothing() -> None:
    assert Directory.of(()).find("Acme") == []


def test_capitalised_words_are_names_of_the_unknown() -> None:
    assert [slot.text for slot in proper_names("please invoice Pixel Bakery 500 EUR")] == ["Pixel Bakery"]
    assert proper_names("Invoice the usual on Friday") == []
