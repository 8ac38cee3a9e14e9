"""What is held against fewer patterns, or looked for once, is found as if all of them had been tried."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from agents import discover
from agents.slots import find_spans
from agents.slots.language import language, lowered
from bot.intents import Understanding, _example_scene
from bot.reading.templates import Shelf, fits, forms

UNDERSTANDING = Understanding.of(dict(discover()))
SAID = [
    said
    for intent in UNDERSTANDING.intents.values()
    for text in (*intent.examples, *intent.checks, *forms(intent))
    for said in (text, text.upper(), text.replace("{", "").replace("}", ""))
]


def test_no_pattern_that_fits_is_left_aside() -> None:
    scene, shelf = _example_scene(()), UNDERSTANDING._shelf
    for text in SAID:
        said = scene.coded(text)
        every = next((each for each in UNDERSTANDING._templates if fits(each, said) is not None), None)
        assert next((each for each in shelf.might_fit(said) if fits(each, said) is not None), None) is every, text


def test_a_shelf_without_the_patterns_that_begin_with_a_value_loses_some_twin() -> None:
    scene, whole = _example_scene([("acme", "Acme")]), UNDERSTANDING._shelf
    said = scene.coded("Acme paid 2026-0001")
    assert any(fits(each, said) is not None for each in whole.might_fit(said))
    poor = Shelf(dict.fromkeys(whole.by_lead, ()), ())
    assert not any(fits(each, said) is not None for each in poor.might_fit(said))


@pytest.mark.parametrize("locale", ["en_GB", "de_DE"])
def test_one_look_says_whether_any_phrase_is_there(locale: str) -> None:
    words = language(locale)
    odd = ["ſunday", "FRİDAY", "am frıtag", "NÄCHSTE WOCHE", "İn 3 days, ıf so"]
    for text in [*SAID, *odd, "tomorrow", "nächste Woche", "2k/month", "10:30", "3rd", "(friday)", "fridayish", ""]:
        one_by_one = any(pattern.search(text) for _, pattern in words.compiled)
        assert (words.any_phrase.search(lowered(text)) is not None) == one_by_one, text


def test_a_letter_that_only_looks_like_another_case_of_it_twin() -> None:
    assert language("en").any_phrase.search(lowered("ſunday"))
    assert not language("en").any_phrase.search("ſunday".lower())


@pytest.mark.parametrize("locale", ["en_GB", "de_DE"])
def test_what_is_said_of_vat_is_found_in_any_case_and_stands_as_it_was_typed(locale: str) -> None:
    for phrase, meaning in language(locale).vat.items():
        for said in (phrase, phrase.upper(), phrase.title()):
            found = find_spans(f"İ {said}, please", datetime(2026, 3, 2, tzinfo=UTC), ZoneInfo("UTC"), locale)
            assert [(slot.value, slot.text) for slot in found if slot.kind == "vat"] == [(meaning, said)], said
