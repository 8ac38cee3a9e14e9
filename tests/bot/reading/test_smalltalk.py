"""What is said beside the work gets a sentence; what is work is never taken for it."""

import pytest

from bot.reading.smalltalk import BUTTONS_MAX, answered

CARDS = [("4.1", "Issue invoice 2026-0002"), ("3.1", "Send an e-mail")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("thx!", "You're welcome."),
        ("Danke schön", "You're welcome."),
        ("Hi there", "Hello."),
        ("Guten Tag", "Hello."),
        ("never mind", "Nothing was done."),
        ("good night", "Until then."),
        ("who are you?", "I am Soloist"),
        ("yes please", "Nothing waits for a yes"),
        ("nope", "Nothing was done."),
        ("make a backup", "python -m bot backup"),
        ("restore", "python -m bot restore FILE"),
        ("my IBAN has changed", "Your IBAN stands in company.toml"),
        ("drop the plan", "No plan waits"),
        ("👍", "Nothing waits for a yes"),
    ],
)
def test_small_talk_gets_a_sentence(text: str, said: str) -> None:
    answer = answered(text, ())
    assert answer is not None
    assert said in answer.text
    assert not answer.choices


@pytest.mark.parametrize(
    "text",
    [
        "hi, invoice Acme 1,200",
        "thanks, and invoice Acme 500",
        "ok, email Anna that we start",
        "no VAT please",
        "forget Bob Miller",
        "backup Acme's files to the drive",
        "my invoice to Acme",
        "tell Acme yes",
        "",
    ],
)
def test_a_request_is_never_taken_for_small_talk(text: str) -> None:
    assert answered(text, CARDS) is None


def test_a_bare_yes_presses_nothing_and_offers_the_one_card_that_waits() -> None:
    answer = answered("ok", CARDS[:1])
    assert answer is not None
    assert answer.text == "Do you mean card 4.1, Issue invoice 2026-0002?"
    assert [(choice.label, choice.text) for choice in answer.choices] == [("Approve 4.1", "approve 4.1")]


def test_a_bare_no_among_several_cards_asks_which_and_lists_few() -> None:
    answer = answered("no", [(f"{number}.1", "Send an e-mail") for number in range(9, 2, -1)])
    assert answer is not None
    assert answer.text.startswith("Which one do you mean?\n- 9.1: Send an e-mail")
    assert "4 more: /approvals" in answer.text
    assert [choice.text for choice in answer.choices] == ["reject 9.1", "reject 8.1", "reject 7.1"]
    assert len(answer.choices) == BUTTONS_MAX
