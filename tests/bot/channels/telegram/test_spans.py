"""Messages that fit, and lose nothing."""

from __future__ import annotations

import random

from bot.channels.telegram.spans import ENTITIES_MAX, TEXT_MAX, Span, cut, html, length, pack, tame, units
from tests.bot.channels.telegram.stage import noise
from tests.counterparts.telegram_html import detected, parse


def test_length_is_counted_as_the_platform_counts() -> None:
    assert units("a😀é") == 4
    assert length([Span("<b>"), Span("&amp;", "code")]) == 8
    assert html([Span("<b>"), Span("&", "code"), Span(" ", "b")]) == "&lt;b&gt;<code>&amp;</code> "
    assert html([Span("half \ud800")]) == "half ?"


def test_a_cut_is_made_where_reading_allows_and_loses_nothing() -> None:
    assert cut("one two three", 9) == ("one two ", "three")
    assert cut("First line.\nSecond line.", 20) == ("First line.\n", "Second line.")
    assert cut("x" * 10, 4) == ("xxxx", "xxxxxx")
    assert cut("😀" * 4, 5) == ("😀😀", "😀😀")
    family = "👩‍👩‍👧"
    head, tail = cut("aaaa" + family, 7)
    assert (head, tail) == ("aaaa", family)


def test_whatever_is_packed_comes_out_whole_and_fits() -> None:
    dice = random.Random(1)
    for _ in range(300):
        blocks = [tame(noise(dice, 30)) for _ in range(dice.randint(1, 12))]
        room = dice.choice((100, 500, TEXT_MAX))
        parts = pack(blocks, room)
        assert all(length(part) <= room for part in parts)
        assert all(sum(1 for span in part if span.style) <= ENTITIES_MAX for part in parts)
        together = "".join(span.text for part in parts for span in part)
        assert together.replace("\n", "") == "".join(s.text for b in blocks for s in b).replace("\n", "")


def test_nothing_in_tamed_text_can_be_tapped() -> None:
    wild = "see http://evil.example/x, evil.example and /approve_all (t.me/x) or a@b.example; 1.200,00 e.g. at 9.30"
    tamed = parse(html(tame(wild)))
    assert tamed.text == wild
    assert detected(tamed) == []
    assert detected(parse(wild)) != []
    assert [e["type"] for e in detected(parse(html(tame("/help me\n/stuck", commands=True))))] == ["bot_command"] * 2


def test_a_very_long_word_is_tamed_in_no_time() -> None:
    assert len(tame("x" * 2_000_000)) == 1
    assert len(pack([tame("x." * 500_000)])) > 200
