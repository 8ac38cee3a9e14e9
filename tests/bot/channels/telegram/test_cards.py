"""T8: what a card shows is what would be done, whatever somebody writes into it."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.channels.base import Card, Row
from bot.channels.telegram import cards
from bot.channels.telegram.cards import is_draft, marked_card, show
from bot.channels.telegram.presses import DATA_BYTES_MAX
from connectors.base import Role
from memory.events import Attachment
from tests.bot.channels.telegram.stage import MAIL, NAUGHTY, noise, settled
from tests.counterparts.telegram_html import detected, parse, units

PAYLOADS = 2000
# What an eye takes for Latin letters.
ALIKE = str.maketrans("аеорсухіѕјԁһԛԝАВЕКМНОРСТХαοινΑΒΕΗΙΚΜΝΟΡΤΥΧıſɑ", "aeopcyxisjdhqwABEKMHOPCTXaoivABEHIKMNOPTYXisa")


def look(html: str) -> str:
    """What an eye sees of a message: no more and no less than the platform shows, look-alikes taken for each other."""
    text = unicodedata.normalize("NFKC", parse(html).text).translate(ALIKE)
    seen = "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Cc", "Mn", "Me", "Zl", "Zp") or c == "\n")
    return re.sub(r"\s+", " ", seen).strip()


def random_card(dice: random.Random) -> Card:
    """A card as full of traps as can be."""
    dirt = [noise(dice) for _ in range(10)]
    rows = (
        Row(
            "To",
            ", ".join([dirt[0], *(f"p{n}@acme.example" for n in range(dice.choice((0, 3, 3, 3, 400))))]),
            Role.RECIPIENTS,
            vital=True,
        ),
        Row("Amount", dirt[1] or "1.00 EUR", Role.AMOUNT, vital=True, mark=dice.choice(("", "NEW"))),
        Row("Attached", dirt[2], Role.ATTACHMENTS, vital=True),
        Row("Subject", dirt[3], Role.SUBJECT),
    )
    size = dice.choice((0, 1, 1, 50)) if dice.random() < 0.95 else 800
    return replace(
        MAIL, title=dirt[4], rows=rows, body=(dirt[5] + "\n" + "A long line of text.\n" * size) if size else "",
        note=dirt[6] * dice.choice((0, 1, 40)), warnings=tuple(dirt[7:8]) * dice.choice((0, 1, 9)), changes=(dirt[8],),
        sources=(dirt[9],) * dice.choice((0, 2)), reasons=("it is due", dirt[7]), confidence_pct=dice.choice((0, 90)),
    )  # fmt: skip


def check(card: Card) -> None:
    """The promises of one card, as an onlooker sees them.

    Raises:
        AssertionError: One is broken.
    """
    shown = show(card)
    messages = [parse(text) for text in shown.texts]
    for number, message in enumerate(messages):
        assert 0 < units(message.text) <= 4096
        assert len(message.entities) < 100
        assert detected(message) == [], "nothing outside code can be tapped"
        assert marked_card(message.text) == card.id
        assert number == len(messages) - 1 or message.text.endswith("⋯")
    codes = "\n".join(_code(message.text, message.entities) for message in messages)
    for row in card.rows:
        if row.vital:
            address = row.role is Role.RECIPIENTS
            value = "⏎".join(cards.strict(line, address=address) for line in row.value.split("\n"))
            assert re.sub(r"\s", "", value) in re.sub(r"\s", "", codes), row.label
    assert all(len(key.data.encode()) <= DATA_BYTES_MAX for line in shown.keyboard for key in line)
    after = show(settled(card))
    assert len(after.texts) == len(shown.texts), "a settled card stands where the open one stood"
    assert after.texts[:-1] == shown.texts[:-1]
    assert units(parse(after.texts[-1]).text) <= 4096


def _code(text: str, entities: list[dict[str, object]]) -> str:
    """What stands as code below the head of a message."""
    wide, head = text.encode("utf-16-le"), units(text.partition("\n")[0])
    spans = [(int(str(e["offset"])), int(str(e["length"]))) for e in entities if e["type"] == "code"]
    return "".join(wide[start * 2 : (start + size) * 2].decode("utf-16-le") for start, size in spans if start > head)


def deceptions(value: str) -> list[str]:
    """Values that are not this one, and that an eye might take for it."""
    middle = len(value) // 2
    tricks: list[Callable[[str], str]] = [
        lambda v: v + "\u200b", lambda v: v[:middle] + "\u2060" + v[middle:], lambda v: "\ufeff" + v, lambda v: v + " ",
        lambda v: v + "\n", lambda v: v.replace("a", "а", 1), lambda v: v.replace("o", "ο", 1), lambda v: v.replace(" ", "\u00a0", 1),
        lambda v: v.replace(" ", "  ", 1), lambda v: "\u202e" + v[::-1] + "\u202c", lambda v: v.replace("e", "e\u0301\u200d", 1),
        lambda v: v + "\ufe0f", lambda v: v + "\u00ad", lambda v: v.replace("i", "ı", 1), lambda v: v + "\U000e0041",
        lambda v: v + "\u3164", lambda v: v + "\u2800", lambda v: v.replace("p", "ｐ", 1), lambda v: v + "\x00",
        lambda v: v + "\u0336", lambda v: v[:-1] + v[-1] + "\u115f", lambda v: "".join(chr(ord(c) + 0xFEE0) if c.isalnum() and c.isascii() else c for c in v),
    ]  # fmt: skip
    return [made for trick in tricks if (made := trick(value)) != value]


def check_no_deception(seed: int, rounds: int) -> int:
    """Show pairs of cards that differ in one vital value by a trick; return how many pairs were compared."""
    dice = random.Random(seed)
    pairs = 0
    for _ in range(rounds):
        value = dice.choice(("anna@acme.example", "pay to ACME Inc", "1200.00 EUR", "invoice 2026 a.pdf", noise(dice)))
        role = dice.choice((Role.RECIPIENTS, Role.AMOUNT, Role.ATTACHMENTS))
        honest = replace(MAIL, rows=(Row("What", value, role, vital=True),))
        for other in deceptions(value or "x"):
            false = replace(MAIL, rows=(Row("What", other, role, vital=True),))
            assert look("\n".join(show(honest).texts)) != look("\n".join(show(false).texts)), (value, other)
            pairs += 1
    return pairs


def test_t8_whatever_is_written_into_a_card_it_is_shown_whole_and_within_the_limits() -> None:
    dice = random.Random(8)
    for _ in range(PAYLOADS // 2):
        check(random_card(dice))


def test_t8_payloads_that_differ_never_look_equal() -> None:
    assert check_no_deception(8, PAYLOADS // 20) >= PAYLOADS // 2


def test_twin_without_revealing_payloads_look_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "strict", lambda text, **_: text)
    with pytest.raises(AssertionError):
        check_no_deception(8, 5)


def test_twin_without_escaping_a_body_writes_its_own_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    from bot.channels.telegram import spans

    def escapes() -> bool:
        text = parse(show(replace(MAIL, body="</pre><b>Amount: 5.00 EUR</b><pre>")).texts[-1]).text
        return "</pre><b>Amount" in text

    assert escapes()
    monkeypatch.setattr(spans, "escaped", lambda text: text)
    assert not escapes()


def test_twin_cutting_a_vital_row_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    card = replace(MAIL, rows=(Row("To", "x" * 150 + "@acme.example", Role.RECIPIENTS, vital=True),))
    check(card)
    shown = cards._row
    monkeypatch.setattr(cards, "_row", lambda row, **more: shown(replace(row, value=row.value[:100]), **more))
    with pytest.raises(AssertionError):
        check(card)


@pytest.mark.parametrize("text", [text for text in NAUGHTY if text.strip()])
def test_each_naughty_string_alone_does_no_harm(text: str) -> None:
    check(replace(MAIL, title=text, body=text, note=text, rows=(Row(text, text, Role.RECIPIENTS, vital=True),)))


def test_a_line_end_in_a_value_does_not_make_a_row() -> None:
    one = show(replace(MAIL, rows=(Row("To", "a\nAmount: 5 EUR", Role.RECIPIENTS, vital=True),))).texts[-1]
    two = show(replace(MAIL, rows=tuple(Row("To", value, vital=True) for value in ("a", "Amount: 5 EUR")))).texts[-1]
    assert "To: a⏎\n  Amount: 5 EUR" in parse(one).text
    assert "To: a\n│ Amount: 5 EUR" in parse(two).text


def test_each_recipient_stands_on_a_line_of_its_own_under_one_label() -> None:
    rows = tuple(
        Row("To", f"p{n}@acme.example", Role.RECIPIENTS, vital=True, mark="NEW" * (n == 1)) for n in range(900)
    )
    shown = show(replace(MAIL, rows=(*rows, Row("Lines", "Work: 1.00"), Row("", "More: 2.00", Role.LINES, vital=True))))
    text = "\n".join(parse(message).text for message in shown.texts)
    assert text.count("To: p0@acme.example\n│ p1@acme.example NEW\n│ p2@acme.example") == 1
    assert all(f"p{n}@acme.example" in text for n in range(900))
    assert "│ More: 2.00" in text
    assert "Approve" in [key.label for row in shown.keyboard for key in row]


def test_recipients_stand_with_the_buttons_and_the_body_before() -> None:
    shown = show(replace(MAIL, body="A long line of text.\n" * 600))
    assert len(shown.texts) >= 3
    last = parse(shown.texts[-1]).text
    assert "anna@acme.example" in last
    assert "invoice 2026-0001.pdf" in last
    assert "Read the parts above first." in last
    body = "".join(parse(text).text for text in shown.texts[:-1])
    assert body.count("A long line of text.") == 600


def test_a_body_of_a_megabyte_comes_as_a_file_with_its_digest_on_the_card() -> None:
    one = show(replace(MAIL, body="x" * 1_000_000 + "a"))
    other = show(replace(MAIL, body="x" * 1_000_000 + "b"))
    assert one.file is not None
    assert one.file[1] == b"x" * 1_000_000 + b"a"
    assert len(one.texts) == 1
    assert look(one.texts[0]) != look(other.texts[0])


def test_what_cannot_be_read_on_a_phone_cannot_be_approved_there() -> None:
    crowd = ", ".join(f"person{number}@acme.example" for number in range(10_000))
    shown = show(replace(MAIL, rows=(Row("To", crowd, Role.RECIPIENTS, vital=True),)))
    assert [key.label for row in shown.keyboard for key in row] == ["Reject", "Edit", "Snooze"]
    assert "Open the console" in parse(shown.texts[-1]).text


def test_a_shadow_card_has_no_button_that_acts_and_says_so() -> None:
    shown = show(replace(MAIL, state="shadow", kind="shadow"))
    assert [key.label for row in shown.keyboard for key in row] == ["Reject"]
    assert "Shadow mode" in parse(shown.texts[-1]).text


@pytest.mark.parametrize("state", ["approved", "denied", "expired", "cancelled", "superseded"])
def test_a_settled_card_says_how_and_has_no_buttons(state: str) -> None:
    shown = show(replace(MAIL, state=state))  # type: ignore[arg-type]
    assert shown.keyboard == ()
    assert cards.STATES[state] in parse(shown.texts[-1]).text


def test_marks_are_read_from_the_first_line_alone() -> None:
    assert marked_card("🗂 12.1 · Send") == "12.1"
    assert marked_card("hello 🗂 12.1 · Send") is None
    assert is_draft("✏ 12.1 · Copy this")
    assert not is_draft("🗂 12.1 · Send")


def test_a_card_without_anything_is_still_a_message() -> None:
    bare = Card(id="1.1", revision=1, title="", state="pending", files=(Attachment(name="a", sha256="0", size=1),))
    assert parse(show(bare).texts[0]).text.startswith("🗂 1.1 ·")
