"""A letter is set as one, whether it came by itself or was asked for; what changed on a card is said once."""

from __future__ import annotations

import pytest

from bot.channels.base import Message, is_letter
from bot.channels.slack import blocks
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
