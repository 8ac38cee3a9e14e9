"""Cards as Block Kit: within every limit, whole, and no two payloads look the same. Pure, so values are enough."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from bot.channels.base import Button, EditField, Home, Message, Row
from bot.channels.slack import blocks, manifest, plain, views
from connectors.base import Role
from memory.events import Attachment
from tests.bot.channels import slack_judge as judge
from tests.bot.channels.slack_house import card

HIDDEN = "\u200b\u200c\u200d\u2060\ufeff\u202e\u202d\u2066\u2069\u00ad\u200f\U000e0061\u3164\u034f\u00a0\u2028"
NAUGHTY = (
    "", " ", "<!channel>", "<@U01ALICE>", "<https://evil.test|your bank>", "*bold* _it_ ~no~ `code`", "> quote", "```",
    ":white_check_mark:", "&lt;script&gt;", "&amp;", "a\nTo: somebody@else.test", "\u202egnp.exe", "Ω≈ç√", "田中さん",
    "👩‍👩‍👧 ❤️", "{}[]\\\"'", "\x00\x07\x1b[31m", "ﷺ", "Z̷̡̛", "١٢٣", "⟨U+202E⟩", "⏎", "x" * 3_500, "&" * 3_000, "𝕏" * 400,
    "\n" * 4_000, "\ud800", "Approved by you today 09:12.",
)  # fmt: skip


def generated(chance: random.Random, number: int) -> blocks.Card:
    """Return a card of anything: naughty, long, many."""

    def words() -> str:
        piece = chance.choice(NAUGHTY)
        if chance.random() < 0.3:
            piece += "".join(
                chr(chance.choice([chance.randint(32, 126), chance.randint(160, 0x2FFF)])) for _ in range(30)
            )
        return piece * chance.choice([1, 1, 1, 2])

    roles = [Role.RECIPIENTS, Role.AMOUNT, Role.LINES, Role.ATTACHMENTS, Role.DETAIL, Role.WHEN]
    rows = tuple(
        Row(chance.choice(["To", "Amount", "Items", "", "*", words()[:40]]), words(), chance.choice(roles), vital=True)
        for _ in range(chance.choice([1, 2, 4]) if number % 20 else chance.choice([40, 200]))
    )
    padding = "x" * 1_000_000 if number % 500 == 10 else ""
    files = tuple(Attachment(name=words() or "f", sha256="ab" * 32, size=9) for _ in range(chance.randint(0, 3)))
    return card(
        rows=rows,
        title=words() or "Send",
        body=words() * chance.choice([0, 1, 5]) + padding,
        note=words() + padding,
        warnings=tuple(words() for _ in range(chance.randint(0, 3))),
        changes=tuple(words() for _ in range(chance.randint(0, 5))),
        reasons=tuple(words() for _ in range(chance.randint(0, 4))),
        sources=tuple(words() for _ in range(chance.randint(0, 4))),
        files=files,
        footer=tuple(words() for _ in range(chance.randint(0, 4))),
    )


def mutated(chance: random.Random, text: str, *, fact: bool) -> str:
    """Return a text that a hurried eye takes for the same, or that pretends to be more."""
    at = chance.randint(0, len(text))
    tricks = [
        lambda: text[:at] + chance.choice(HIDDEN) + text[at:],
        lambda: text[:at] + "\u202e" + text[at:] + "\u202c",
        lambda: text.replace("&", "&amp;", 1) if "&" in text else text + "&lt;",
    ]
    if fact:
        tricks += [
            lambda: text.replace("a", "а", 1) if "a" in text else text + "о0a",
            lambda: text.replace("é", "e\u0301", 1) if "é" in text else text + " ",
            lambda: text[:at] + "  " + text[at:],
            lambda: " " + text,
            lambda: text + "\n",
            lambda: text.replace("1", "１", 1) if "1" in text else text + "\u2800",
        ]
    return chance.choice(tricks)()


def pairs(count: int, seed: int = 8) -> list[tuple[blocks.Card, blocks.Card]]:
    """Return cards whose payloads differ in one place."""
    chance = random.Random(seed)
    found = []
    values = ["billing@acme.test", "café@acme.test", "1,200.00 EUR", "Smith & Co", "<b>1</b>", "March retainer a 1"]
    while len(found) < count:
        rows = tuple(Row(f"Row {n}", chance.choice(values), chance.choice(list(Role)), vital=True) for n in range(4))
        body = chance.choice(["Dear Acme & Co,\nthanks.", "x " * 3_000, "a<b>c"])
        one = card(rows=rows, body=body)
        if chance.random() < 0.6:
            place = chance.randrange(4)
            other = replace(one, rows=tuple(
                replace(row, value=mutated(chance, row.value, fact=True)) if n == place else row for n, row in enumerate(rows)
            ))  # fmt: skip
        else:
            other = replace(one, body=mutated(chance, body, fact=False))
        if (other.rows, other.body) != (one.rows, one.body):
            found.append((one, other))
    return found


def check(made: blocks.Card) -> None:
    """The promises of one card as messages.

    Raises:
        AssertionError: One is broken.
    """
    sheet = blocks.sheet(made)
    for part in judge.everything(sheet):
        judge.message(part)
    offered = [e for part in sheet.parts for b in part.blocks if b["type"] == "actions" for e in b["elements"]]
    if any(element["action_id"].startswith("approve") for element in offered):
        shown = judge.facts(sheet).replace("\n", "")
        for row in made.rows:
            value = plain.vital(row.value, strict=row.role is Role.RECIPIENTS)
            assert value.replace("\n", "") in shown, value[:80]
        for file in made.files:
            assert plain.vital(f"{file.name} (").replace("\n", "") in shown
        long = plain.length(plain.prose(made.body)) > blocks.BODY_ON_CARD_MAX
        assert bool(sheet.thread or sheet.body) == long
    for part in sheet.parts[:-1]:
        assert all(block["type"] != "actions" for block in part.blocks)


def check_views(made: blocks.Card) -> None:
    """The same facts in App Home, in the form to edit, and as words."""
    judge.view(views.home(Home(waiting=(made,), stuck=made.reasons, money=made.sources)))
    fields = tuple(EditField(f"0.f{n}", row.label or "x", row.value, long=True) for n, row in enumerate(made.rows[:20]))
    judge.view(views.form(replace(made, fields=fields), views.Ticket("12.1", "h" * 40, "D1")))
    for part in blocks.message(Message("1.m1", made.body[:50_000], buttons=made.buttons)):
        judge.message(part)


def check_no_deception(count: int, seed: int) -> None:
    """Payloads that differ in one place look different.

    Raises:
        AssertionError: Two look the same.
    """
    for one, other in pairs(count, seed):
        assert judge.seen(blocks.sheet(one)) != judge.seen(blocks.sheet(other)), (one.rows, other.rows, other.body[:50])


def test_2000_generated_cards_break_no_limit_and_hide_no_fact_t8() -> None:
    chance = random.Random(2)
    for number in range(2_000):
        made = generated(chance, number)
        check(made)
        if number % 10 == 0:
            check_views(made)


def test_1000_pairs_of_different_payloads_never_look_the_same_t8() -> None:
    check_no_deception(1_000, seed=8)


def test_without_writing_out_the_invisible_they_would_t8_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "vital", lambda text, *, strict=False: text)
    monkeypatch.setattr(plain, "prose", lambda text: text)
    same = [pair for pair in pairs(200) if judge.seen(blocks.sheet(pair[0])) == judge.seen(blocks.sheet(pair[1]))]
    assert len(same) > 50


def test_text_from_outside_never_stands_where_markup_is_read_t12() -> None:
    chance = random.Random(3)
    for number in range(1, 200):
        made = replace(
            generated(chance, number), rows=tuple(Row("To", trick, Role.RECIPIENTS, vital=True) for trick in NAUGHTY)
        )
        for part in judge.everything(blocks.sheet(made)):
            assert "<" not in part.text
            for block in part.blocks:
                for item in [block.get("text"), *block.get("fields", ()), *block.get("elements", ())]:
                    if isinstance(item, dict) and item.get("type") == "mrkdwn":
                        assert item["verbatim"] is True
                        assert "<" not in item["text"]
                    if isinstance(item, dict) and item.get("type") == "plain_text":
                        assert item["emoji"] is False


def test_an_everyday_card_is_one_message_and_reads_plainly() -> None:
    sheet = blocks.sheet(card(rows=(Row("To", "Jürgen Müller <j@müller.test>"), Row("Amount", "1,200.00 €"))))
    assert len(sheet.parts) == 1
    assert "⟨" not in judge.facts(sheet)
    assert plain.prose("Thanks ❤️ 👩‍👩‍👧 – see „you“\tsoon") == "Thanks ❤️ 👩‍👩‍👧 – see „you“\tsoon"


def test_what_is_invisible_or_imitates_is_written_out() -> None:
    assert plain.vital("a\u202eb") == "a⟨U+202E⟩b"
    assert plain.vital("p\u0430ypal") == "p\u0430⟨U+0430⟩ypal"
    assert plain.vital("счёт") == "счёт"
    assert plain.vital("müller@x.test", strict=True) == "mü⟨U+00FC⟩ller@x.test"
    assert plain.vital("a  b\n") == "a ⟨U+0020⟩b⏎\n"
    assert plain.vital("&lt;") == "⟨U+0026⟩lt;"
    assert plain.vital("⟨U+202E⟩") != plain.vital("\u202e")


def test_a_card_that_nobody_could_read_cannot_be_approved() -> None:
    rows = tuple(Row("To", f"{'x' * 2_500}{n}@a.test", Role.RECIPIENTS, vital=True) for n in range(100))
    sheet = blocks.sheet(card(rows=rows))
    verbs = {
        e["action_id"].split(":")[0] for b in sheet.parts[-1].blocks if b["type"] == "actions" for e in b["elements"]
    }
    assert "approve" not in verbs
    assert {"reject", "edit"} <= verbs
    assert "cannot be approved here" in judge.facts(sheet)
    assert len(sheet.parts) <= blocks.PARTS_MAX


def test_a_dangerous_button_asks_again_and_a_rehearsal_has_none() -> None:
    again = Button("Send again", "again", "h", "danger", confirm="It may arrive twice. Send again?")
    [element] = blocks.sheet(card(buttons=(again,))).parts[0].blocks[-1]["elements"]
    assert element["confirm"]["text"]["text"] == "It may arrive twice. Send again?"
    sheet = blocks.sheet(card(state="shadow", kind="shadow", buttons=()))
    assert all(block["type"] != "actions" for block in sheet.parts[0].blocks)
    assert "Rehearsal" in judge.facts(sheet)


def test_pieces_lose_nothing_and_fit() -> None:
    chance = random.Random(1)
    for _ in range(300):
        text = "".join(chance.choice("ab \n&<𝕏é") for _ in range(chance.randint(0, 400)))
        cut = plain.pieces(text, 50)
        assert "".join(cut) == text
        assert all(plain.length(piece) <= 50 for piece in cut)


def test_what_was_typed_is_read_back_from_slacks_form() -> None:
    assert plain.typed(
        "mail <mailto:a@b.test|a@b.test> see <http://acme.test|acme.test> &lt;5 &amp;amp; <@U1|bob>"
    ) == ("mail a@b.test see acme.test <5 &amp; @bob")
    assert plain.typed("<https://evil.test|your bank>") == "your bank (https://evil.test)"


def submitted(view: dict[str, Any], change: Callable[[str], str] = str) -> dict[str, Any]:
    """Return what Slack sends when a form is submitted: every input's value, without white space at its ends."""
    return {
        block["block_id"]: {"value": {"type": "plain_text_input", "value": change(block["element"].get("initial_value", "")).strip()}}
        for block in view["blocks"]
        if block["type"] == "input"
    }  # fmt: skip


def letter(chance: random.Random, size: int) -> str:
    """Return a text with paragraphs, lines, long words and characters that count double."""
    joints = (" ", " ", " ", " ", "\n", "\n\n", "\n\n\n")
    made = "word "
    while len(made) < size:
        made += chance.choice(("word", "<b>&amp;", "𝕏" * 30, "é", "x" * 400)) + chance.choice(joints)
    return made.strip()


def test_a_long_text_stands_whole_in_the_form_and_comes_back_whole() -> None:
    chance = random.Random(3)
    for size in (100, 2_400, 2_600, 9_000, 20_000):
        text = letter(chance, size)
        made = card(fields=(EditField("0.subject", "Subject", "Hello"), EditField("0.body", "Text", text, long=True)))
        view = views.form(made, views.Ticket("12.1", "h", "D1"))
        judge.view(view)
        assert len(json.dumps(view)) < 250_000
        assert views.edits(submitted(view), made) == {}
        changed = views.edits(submitted(view, lambda value: value.replace("word", "World", 1)), made)
        assert set(changed) == {"0.body"}
        assert changed["0.body"].replace("World", "word") == text


def test_a_part_of_a_long_text_that_is_emptied_leaves_no_gap() -> None:
    text = "\n\n".join(letter * 2_000 for letter in "abc")
    made = card(fields=(EditField("0.body", "Text", text, long=True),))
    values = submitted(views.form(made, views.Ticket("12.1", "h", "D1")))
    values[sorted(values)[1]]["value"]["value"] = None
    assert views.edits(values, made) == {"0.body": f"{'a' * 2_000}\n\n{'c' * 2_000}"}


def test_a_form_says_how_to_edit_what_it_cannot_hold() -> None:
    long = EditField("0.body", "Text", "x" * 400_000, long=True)
    view = views.form(card(fields=(long,)), views.Ticket("12.1", "h", "D1"))
    assert "submit" not in view
    assert "reply in the card's thread" in view["blocks"][0]["text"]["text"]


def test_the_manifest_is_the_whole_app() -> None:
    socket = json.loads(manifest())
    assert socket["settings"]["socket_mode_enabled"] is True
    assert socket["features"]["slash_commands"][0]["command"] == "/solo"
    assert socket["features"]["app_home"]["home_tab_enabled"] is True
    assert "request_url" not in json.dumps(socket)
    assert {"chat:write", "commands", "im:history", "files:write"} <= set(socket["oauth_config"]["scopes"]["bot"])
    http = json.loads(manifest(address="https://me.test/"))
    assert http["settings"]["interactivity"]["request_url"] == "https://me.test/slack/events"
    assert http["features"]["slash_commands"][0]["url"] == "https://me.test/slack/events"
    assert http["settings"]["socket_mode_enabled"] is False
    with pytest.raises(ValueError, match="https"):
        manifest(address="http://me.test")
    with pytest.raises(ValueError, match="35"):
        manifest(name="x" * 36)
