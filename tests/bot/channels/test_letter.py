"""What is the same on every channel: how a letter is set, and which words stand on a card in which order."""

from __future__ import annotations

import pytest

from bot.channels.base import Card, Message, is_letter
from bot.channels.console import card_lines
from bot.channels.slack import blocks
from bot.channels.telegram.cards import show
from bot.channels.telegram.channel import _said

LETTER = "Monday, 2 March 2026\n\nDone\n- Invoice 2026-0001 is issued.\n\nStuck\n- Nothing is stuck."
LIST = "1 waiting for you:\n- 6.1: Send an e-mail\n\napprove 6.1, reject 6.1"


@pytest.mark.parametrize("kind", ["digest", "answer"])
def test_a_letter_has_a_title_and_headings_also_when_it_was_asked_for(kind: str) -> None:
    said = Message("1.m1", LETTER, kind)  # type: ignore[arg-type]
    assert is_letter(said)
    [part] = blocks.message(said)
    assert part.blocks[0]["type"] == "header"
    assert "*Stuck*" in [text for block in part.blocks for text in blocks.texts(block)]
    assert "<b>Monday, 2 March 2026</b>" in _said(said, [])[0]
    assert "<b>Stuck</b>" in _said(said, [])[0]


@pytest.mark.parametrize(
    ("text", "kind"), [(LIST, "answer"), (LETTER, "question"), ("Hello", "answer"), ("", "answer")]
)
def test_a_list_or_a_question_is_none(text: str, kind: str) -> None:
    assert not is_letter(Message("1.m1", text, kind))  # type: ignore[arg-type]


def test_the_words_of_a_card_stand_in_one_order_everywhere() -> None:
    card = Card(
        "12.1", 2, "Send an e-mail", "pending", body="Hello", note="She asked.", changes=("To: a → b",), warnings=("Look out.",),
        reasons=("It is due", "Nobody objected."), sources=("Acme", "Contract"), confidence_pct=90, footer=("Asked because mail asks",),
    )  # fmt: skip
    order = (
        "version 2", "Look out.", "What changed", "To: a → b", "Hello", "The agent says (its words, not facts)", "She asked.",
        "Because: ", "It is due. Nobody objected.", "From memory: ", "Acme; Contract", "90 % sure", "Asked because mail asks",
    )  # fmt: skip
    in_slack = "\n".join(
        text for part in blocks.sheet(card).parts for block in part.blocks for text in blocks.texts(block)
    )
    for shown in (in_slack, "\n".join(show(card).texts), "\n".join(card_lines(card))):
        at = -1
        for words in order:
            assert words in shown, (words, shown)
            found = shown.index(words)
            assert found > at, (words, shown)
            at = found
