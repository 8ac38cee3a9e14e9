"""Letters: a model may change words, and no fact."""

import pytest

from agents.base import Thought
from agents.letter import (
    PROMPTS,
    amount_words,
    day_words,
    every_words,
    facts_changed,
    greeting,
    in_the_morning,
    letter,
    polish,
    prompt,
    topic,
)
from agents.slots import Every
from tests.agents.desk import PaperDesk

DRAFT = "Hello Anna,\n\n1,428.00 EUR is due on 5 December 2026, see https://x.example or write to a@x.example now."


@pytest.mark.parametrize(
    ("better", "changed"),
    [
        (DRAFT.replace("Hello", "Dear"), ""),
        (DRAFT.replace("1,428.00", "1,429.00"), "1,428.00, 1,429.00"),
        (DRAFT.replace("5 December", "6 December"), "5, 6"),
        (DRAFT.replace("a@x.example", "b@x.example"), "a@x.example, b@x.example"),
        (DRAFT + " https://evil.example", "https://evil.example"),
        ("Hello Anna.", "1,428.00, 2026, 5, a@x.example, https://x.example"),
    ],
)
def test_a_lost_or_new_fact_is_found(better: str, changed: str) -> None:
    assert facts_changed(DRAFT, better) == changed


def test_guidance_may_bring_a_fact_and_leave_one_out() -> None:
    assert facts_changed(DRAFT, "Pay 10 % less, Anna.", allowed="mention the 10 % discount") == ""
    assert facts_changed(DRAFT, "Pay 20 % less, Anna.", allowed="mention the 10 % discount") == "20"


async def test_without_a_model_the_draft_stays() -> None:
    assert await polish(PaperDesk(), "billing", DRAFT) == (DRAFT, ())
    text, reasons = await polish(PaperDesk(), "billing", DRAFT, guidance="shorter")
    assert text == DRAFT
    assert "I could not follow “shorter”. No model is set up. Press Edit" in reasons[0]


async def test_an_empty_answer_is_no_letter() -> None:
    desk = PaperDesk()
    desk.thoughts = [Thought(text="  ", model="m")]
    assert (await polish(desk, "billing", DRAFT))[0] == DRAFT


@pytest.mark.parametrize(
    ("said", "named"),
    [("the March retainer.", "March retainer"), ("the website for", "website"), ("the", ""), ("Logo", "Logo")],
)
def test_a_topic_is_named_without_its_article(said: str, named: str) -> None:
    assert topic(said) == named


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("FREQ=MONTHLY;BYDAY=+1MO", "every month on the first Monday at 09:00"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR", "every 2 weeks on Monday and Friday at 09:00"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1;BYHOUR=17;BYMINUTE=30", "every month on the last day at 17:30"),
        ("FREQ=HOURLY", "every hour"),
    ],
)
def test_a_recurrence_is_written_for_people(rule: str, words: str) -> None:
    assert every_words(in_the_morning(Every(rule))) == words


def test_a_subject_is_one_line() -> None:
    call = letter(to=["a@x.example"], subject="Hi\nBcc: b@x.example", text="x")
    assert call.args["subject"] == "Hi Bcc: b@x.example"


def test_amounts_and_days_are_written_for_people() -> None:
    assert amount_words("1234567.50 EUR") == "1,234,567.50 EUR"
    assert day_words("2026-03-01") == "1 March 2026"
    assert (greeting("Anna Berg"), greeting("")) == ("Hello Anna,", "Hello,")


@pytest.mark.parametrize("path", sorted(PROMPTS.glob("*.md")), ids=lambda path: path.stem)
def test_a_prompt_holds_no_place_for_outside_text(path: object) -> None:
    text = prompt(path.stem)
    assert "{" not in text.replace('{"from"', "")
    assert "aterial" in text or path.stem == "planner"
