"""How a question is read, and that every score is the sum of its terms."""

from datetime import UTC, datetime

import pytest

from memory.ranking import DEFAULT, Day, Evidence, read, score

NAMES = ["Dana Whitlock", "Acme", "Rose Lang", "Will", "O'Brien & Sons"]
NOW = datetime(2026, 3, 18, 15, tzinfo=UTC)


def test_names_leave_the_question_and_are_asked_of_the_columns() -> None:
    question = read("What did Dana's team at Acme pay for the logo?", NAMES)
    assert question.names == ("Dana Whitlock", "Acme")
    assert question.words == ("team", "pay", "logo")
    assert "Dana" not in question.topic
    assert "logo" in question.topic


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        ("The price rose in spring", ()),
        ("What did Rose say?", ("Rose Lang",)),
        ("will it work", ()),
        ("ROSE LANG", ("Rose Lang",)),
        ("o'brien & sons owes us", ("O'Brien & Sons",)),
        ("", ()),
    ],
)
def test_a_word_is_a_name_only_when_it_looks_like_one(raw, names) -> None:
    assert read(raw, NAMES).names == names


def test_a_question_of_names_alone_keeps_its_words() -> None:
    assert read("Acme?", NAMES).topic == "Acme?"


@pytest.mark.parametrize(
    ("raw", "inside", "outside"),
    [
        ("in March", "2025-03-09", "2025-04-01"),
        ("in March 2026", "2026-03-31", "2025-03-31"),
        ("on 12 May 2026", "2026-05-12", "2026-05-13"),
        ("on May 12th", "2024-05-12", "2024-06-12"),
        ("on 2026-05-12", "2026-05-12", "2026-05-13"),
        ("in 2025", "2025-12-31", "2026-01-01"),
        ("in Q2 2026", "2026-06-30", "2026-07-01"),
        ("yesterday", "2026-03-17", "2026-03-18"),
        ("last week", "2026-03-15", "2026-03-16"),
        ("last month", "2026-02-28", "2026-03-01"),
        ("this year", "2026-12-31", "2025-12-31"),
    ],
)
def test_times_are_taken_as_far_as_they_were_said(raw, inside, outside) -> None:
    question = read(f"What was agreed {raw}?", [], NOW)
    assert question.holds(datetime.fromisoformat(inside).replace(tzinfo=UTC))
    assert not question.holds(datetime.fromisoformat(outside).replace(tzinfo=UTC))


@pytest.mark.parametrize("raw", ["We may march on", "the second offer", "call me may", "on 99 May", "version 3.14"])
def test_what_is_no_time_is_not_taken_for_one(raw) -> None:
    assert not any(isinstance(time, Day) and time.holds(NOW) for time in read(raw, [], NOW).times)


def test_without_a_now_relative_words_are_left_alone() -> None:
    assert read("yesterday", []).times == ()


@pytest.mark.parametrize(
    ("raw", "mode"), [("What was the rate originally?", "history"), ("What is the rate?", "current")]
)
def test_a_question_about_the_past_is_seen(raw, mode) -> None:
    assert read(raw, []).mode == mode


def test_the_terms_are_named_and_a_neighbour_lends_its_score() -> None:
    evidence = {
        1: Evidence(cosine=0.8, bm25=4.0, asks=True),
        2: Evidence(cosine=0.2, speaker=True),
        3: Evidence(cosine=-0.4, timely=True),
    }
    terms = score(evidence, {2: [1]}, read("rate", []), DEFAULT)
    assert terms[1]["meaning"] == DEFAULT.dense
    assert terms[1]["words"] == DEFAULT.lexical
    assert terms[1]["question"] == -DEFAULT.question
    assert terms[2]["neighbour"] == pytest.approx(DEFAULT.neighbour * (DEFAULT.dense + DEFAULT.lexical))
    assert terms[2]["who"] == DEFAULT.who
    assert terms[3] == {"when": DEFAULT.when}
    assert score({}, {}, read("rate", []), DEFAULT) == {}
