"""Editing by sending back."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.channels.base import EditField
from bot.channels.telegram.drafts import draft, edits, fits
from tests.bot.channels.telegram.stage import MAIL

BODY = MAIL.fields[1].value


def test_what_comes_back_unchanged_changes_nothing() -> None:
    assert edits(MAIL, draft(MAIL)) == {}
    assert edits(MAIL, draft(MAIL).replace("\n", "\r\n") + "\n") == {}


def test_only_what_was_changed_is_an_edit() -> None:
    assert edits(MAIL, draft(MAIL).replace("March retainer", "April retainer")) == {
        "mail.send.subject": "April retainer"
    }
    assert edits(MAIL, "Subject: New") == {"mail.send.subject": "New"}


def test_a_label_inside_the_body_is_body() -> None:
    text = f"Subject: March retainer\nBody:\n{BODY}\nSubject: Mallory"
    assert edits(MAIL, text) == {"mail.send.body": BODY + "\nSubject: Mallory"}


def test_words_that_are_no_draft_are_guidance() -> None:
    assert edits(MAIL, "make it friendlier") is None


def test_a_single_field_is_only_its_text() -> None:
    card = replace(MAIL, fields=(EditField("blog.post.text", "Text", "Hello", long=True),))
    assert draft(card) == "Hello"
    assert edits(card, "Hello world") == {"blog.post.text": "Hello world"}
    assert not fits("")
    assert not fits("😀" * 2000)


@given(st.text(max_size=60), st.text(max_size=60))
@settings(max_examples=200, derandomize=True)
def test_a_draft_of_anything_comes_back_as_itself(subject: str, body: str) -> None:
    subject = " ".join(subject.split())
    body = body.replace("\r", "")
    card = replace(MAIL, fields=(EditField("s", "Subject", subject), EditField("b", "Body", body, long=True)))
    assert edits(card, draft(card)) == {}
