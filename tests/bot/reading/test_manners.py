"""What stands around a request, and what turns it round."""

from __future__ import annotations

import pytest

from bot.reading.manners import bare, is_conditional, is_negated


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("Hi, can you please invoice Acme 500?", "invoice Acme 500"),
        ("could you show my cards, thanks!", "show my cards"),
        ("I need to book a call", "book a call"),
        ("please", "please"),
        ("?", "?"),
    ],
)
def test_politeness_is_taken_off_and_never_everything(text: str, inner: str) -> None:
    assert bare(text) == inner


@pytest.mark.parametrize(
    "text", ["don't invoice Acme", "Please do not send it", "dont pay", "never mail Globex", "hey, don't publish"]
)
def test_a_no_is_heard(text: str) -> None:
    assert is_negated(text)


@pytest.mark.parametrize(
    "text",
    [
        "don't forget to call Bob",
        "invoice Acme",
        "why don't we meet",
        "remember that Bob doesn't call",
        "do I have open cards",
    ],
)
def test_what_only_looks_like_a_no_is_none(text: str) -> None:
    assert not is_negated(text)


@pytest.mark.parametrize(
    "text", ["if Acme pays, thank them", "send it unless Bob says no", "as soon as it is paid, book the room"]
)
def test_an_if_is_heard(text: str) -> None:
    assert is_conditional(text)


def test_a_plain_order_has_no_if() -> None:
    assert not is_conditional("invoice Acme 500 for the gift shop")
