"""What was settled once."""

from __future__ import annotations

from bot.reading import phrasebook
from bot.reading.phrasebook import Phrasebook


def test_a_phrase_is_found_whatever_its_signs() -> None:
    book = Phrasebook([("the usual for _client, _money", "invoice")])

    assert book.find("the usual for _client _money!") == "invoice"
    assert book.find("the usual for _client") == ""


def test_the_newest_word_wins_and_the_oldest_goes_first(monkeypatch) -> None:
    monkeypatch.setattr(phrasebook, "PHRASES_MAX", 2)
    book = Phrasebook([("a", "x"), ("b", "x"), ("a", "y"), ("c", "z")])

    assert (book.find("a"), book.find("b"), book.find("c")) == ("y", "", "z")
    assert book.pairs() == [("a", "y"), ("c", "z")]


def test_signs_alone_are_no_phrase() -> None:
    book = Phrasebook([("!?", "undo")])

    assert book.find("...") == ""
