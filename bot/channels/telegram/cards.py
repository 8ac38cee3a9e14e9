"""A card as Telegram messages: the facts and the buttons in the last one, whatever is long in full before it.

How a card is cut depends on what it says and never on its state, so the copy in a chat can be mended in place: the
last message keeps `TAIL_MAX` units free for footer or outcome. Every message starts with the card's mark and id,
which is how a reply to any of them finds its card, also after a restart.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from bot.channels.base import Card, Row, because
from bot.channels.telegram.presses import Keyboard, card_keyboard, typed_only
from bot.channels.telegram.reveal import NEWLINE, one_line, prose, strict
from bot.channels.telegram.spans import TEXT_MAX, Block, Span, html, length, pack, styled, tame, units
from connectors.base import Role

CARD_MARK = "🗂"
DRAFT_MARK = "✏"
TAIL_MAX = 900  # kept free for what changes with the state, so that a settled card still fits where the open one stood
HEAD_MAX = 300  # mark, id, title, part
END = "⋯"  # ends every part: the platform trims white space at the end of a message, and a body's must not be lost
BODY_PARTS_MAX = 6  # a longer body comes as a file; more messages than that are a flood, not a view
VITAL_PARTS_MAX = 20  # more recipients than this cannot be read on a phone, so they cannot be approved there
LOUD_SPANS_MAX = 7  # head and tail together stay within what `ENTITIES_MAX` leaves of the platform's 100
VITAL_ROLES = (Role.RECIPIENTS, Role.AMOUNT, Role.ATTACHMENTS, Role.LINES)  # never cut, whoever made the row
VALUE_MAX = 1000  # of a row that is not vital; the rest is named by length and digest

STATES = {
    "pending": "", "snoozed": "💤 Put aside.", "approved": "✅ Approved.", "denied": "❌ Rejected.",
    "expired": "⌛ Ran out.", "cancelled": "🚫 Cancelled.", "superseded": "↪ Replaced by a newer one.",
    "shadow": "👁 Shadow mode: nothing will happen.",
}  # fmt: skip
KINDS = {"unknown": "❓ Nobody knows whether this happened.", "stuck": "⚠ This is stuck.", "approval": "", "shadow": ""}

_EMPTY_LINE: Block = (Span(""),)
_MARKED = re.compile(rf"^[{CARD_MARK}{DRAFT_MARK}]\ufe0f? (\S+) ·")


@dataclass(frozen=True)
class Shown:
    """What is sent: texts in order, the last one with the buttons, and before them a file when the body is too long."""

    texts: tuple[str, ...]  # HTML
    keyboard: Keyboard
    file: tuple[str, bytes] | None = None  # name, content
    caption: str = ""


def marked_card(text: str) -> str | None:
    """Return the id of the card that a message of ours shows, or None."""
    found = _MARKED.match(text)
    return found.group(1) if found else None


def is_draft(text: str) -> bool:
    """Return whether a message of ours is a draft to be sent back."""
    return text.startswith(DRAFT_MARK) and marked_card(text) is not None


def show(card: Card) -> Shown:
    """Return the card as messages. The same content gives the same number of messages in every state."""
    body, file = _body(card)
    facts, rest, footer = _facts(card), _rest(card), _footer(card)
    in_order = [block for _, block in facts]
    room = TEXT_MAX - HEAD_MAX - len(END) - 2
    whole = pack(_apart(in_order, body, [*rest, *footer]), room - TAIL_MAX)
    approvable = True
    if len(whole) == 1:
        parts = whole
    else:
        last = pack(_apart(in_order, footer), room - TAIL_MAX)
        if len(last) > 1:
            # What decides comes last, next to the buttons.
            last = _tail_heavy([*(block for _, block in sorted(facts, key=lambda fact: fact[0])), *footer], room)
        if len(last) > VITAL_PARTS_MAX:
            approvable, last = False, pack([_too_much(card)], room - TAIL_MAX)
        parts = [*(pack(body, room) if body else []), *(pack(rest, room) if rest else []), *last]
    texts = [_message(card, part, number, len(parts)) for number, part in enumerate(parts, start=1)]
    return Shown(
        tuple(html(text) for text in texts),
        card_keyboard(card) if approvable else _without_approval(card),
        file,
        f"{CARD_MARK} {card.id} · the whole text, {len(card.body)} characters",
    )


def _apart(*sections: list[Block]) -> list[Block]:
    """Join sections with an empty line between them: facts, the text, what speaks for it."""
    joined: list[Block] = []
    for section in filter(None, sections):
        joined += [_EMPTY_LINE, *section] if joined else section
    return joined


def ending(card: Card) -> str:
    """Return a settled card as one message: what it was about, and how it ended.

    For a copy that was cut in another way than `show` would cut it now; what stands above it stays as it is.
    """
    decisive = [block for vital, block in _facts(card) if vital]
    parts = pack(decisive, TEXT_MAX - HEAD_MAX - TAIL_MAX)
    return html(_message(card, parts[0] if len(parts) == 1 else (Span("(as shown above)"),), 1, 1))


def _tail_heavy(ordered: list[Block], room: int) -> list[tuple[Span, ...]]:
    """Pack facts that need several messages, the last of which has room for the tail."""
    parts = pack(ordered, room)
    if length(parts[-1]) > room - TAIL_MAX:
        parts = [*parts[:-1], *pack([parts[-1]], room - TAIL_MAX)]
    return parts


def _message(card: Card, part: tuple[Span, ...], number: int, count: int) -> tuple[Span, ...]:
    head: Block = (Span(f"{CARD_MARK} {card.id} · "), *_loud(_clipped(one_line(card.title), HEAD_MAX - 80)))
    if card.revision > 1:
        head = (*head, Span(f" · version {card.revision}"))
    if count > 1:
        head = (*head, Span(f" · part {number} of {count}"))
    if number < count:
        return (*head, Span("\n\n"), *part, Span(f"\n{END}"))
    return (*head, Span("\n\n"), *part, *_tail(card, count))


def _tail(card: Card, count: int) -> Block:
    """Return what changes with the state. Never longer than `TAIL_MAX`."""
    is_told = bool(card.outcome) and card.state not in ("snoozed", "shadow")  # the outcome says it better
    lines = (KINDS[card.kind], "" if is_told else STATES[card.state])
    spans = [Span(f"\n{line}", "b") for line in lines if line]
    if card.outcome:
        mark = STATES[card.state].partition(" ")[0]
        spans += [Span("\n"), *_loud(f"{mark} {_clipped(prose(card.outcome), 400)}".strip())]
    if card.state in ("pending", "snoozed", "shadow"):
        if count > 1:
            spans.append(Span("\nRead the parts above first."))
        typed = typed_only(card.buttons)
        if typed:
            spans += [Span("\nOr type: "), *_loud(_clipped(" · ".join(one_line(b.text) for b in typed), 200))]
    assert length(spans) < TAIL_MAX, "the tail of a card outgrew its room"
    return (Span("\n"), *spans) if spans else ()


def _loud(text: str) -> Block:
    """Return a line in bold, tamed; one with many links is code as a whole, so that no entity is left over."""
    spans = styled(tame(text), "b")
    return spans if len(spans) <= LOUD_SPANS_MAX else (Span(text, "code"),)


def _facts(card: Card) -> list[tuple[bool, Block]]:
    """Return what decides, each with whether it may never be cut."""
    facts: list[tuple[bool, Block]] = [(False, (Span("⚠ ", "b"), *tame(_named(warning)))) for warning in card.warnings]
    before = ""
    for row in card.rows:
        facts.append((_is_vital(row), _row(row, again=_is_vital(row) and row.label in ("", before))))
        before = row.label or before
    for number, change in enumerate(card.changes):
        facts.append((False, (Span("│ ") if number else Span("What changed: ", "b"), *tame(_named(change)))))
    return facts or [(False, (Span("(nothing to show)"),))]


def _footer(card: Card) -> list[Block]:
    # Not in the tail, which changes with the state: the point of no return may not be cut.
    return [styled(tame(_named(line)), "i") for line in card.footer]


def _is_vital(row: Row) -> bool:
    return row.vital or row.role in VITAL_ROLES


def _row(row: Row, *, again: bool = False) -> Block:
    """Return a row. A bar before a line stands for the label above it; no value can write one."""
    label = _label(row) if not again else (Span("│ "),)
    mark = (Span(f" {one_line(row.mark)}", "b"),) if row.mark else ()
    if _is_vital(row):
        address = row.role is Role.RECIPIENTS
        # A line end inside a value is drawn: a recipient with one in it must not pass for two.
        lines = f"{NEWLINE}\n  ".join(strict(line, address=address) for line in row.value.split("\n"))
        return (*label, Span(lines if row.value else "(none)", "code"), *mark)
    return (*label, *tame(_named(row.value)), *mark)


def _label(row: Row) -> Block:
    label = _loud(_clipped(one_line(row.label), 80))
    return (
        (Span(f"{label[0].text}: ", "b"),) if len(label) == 1 and label[0].style == "b" else (*label, Span(": ", "b"))
    )


def _rest(card: Card) -> list[Block]:
    blocks: list[Block] = []
    if card.note:
        blocks.append((Span("The agent says (its words, not facts): ", "b"), *tame(_named(card.note))))
    if card.reasons:
        blocks.append((Span("Because: ", "b"), *tame(_named(because(card.reasons)))))
    if card.sources:
        blocks.append((Span("From memory: ", "b"), *tame(_named("; ".join(card.sources)))))
    if card.confidence_pct:
        blocks.append((Span(f"{card.confidence_pct} % sure", "i"),))
    return blocks


def _body(card: Card) -> tuple[list[Block], tuple[str, bytes] | None]:
    """Return the body as one block, or its beginning, length and digest, and a file that holds all of it."""
    if not card.body:
        return [], None
    if units(card.body) <= BODY_PARTS_MAX * TEXT_MAX:
        shown = prose(card.body)
        if units(shown) <= BODY_PARTS_MAX * TEXT_MAX:
            return [(Span("Text", "b"),), (Span(shown, "pre"),)], None
    words = f"The text has {len(card.body)} characters (SHA-256 {_digest(card.body)}); all of it is in the file above."
    content = card.body.encode(errors="surrogatepass")
    return (
        [(Span(words, "b"),), (Span(prose(card.body[:VALUE_MAX]) + "…", "pre"),)],
        (f"card-{card.id}-r{card.revision}.txt", content),
    )


def _too_much(card: Card) -> Block:
    vital = "\n".join(f"{row.label}\t{row.value}" for row in card.rows if _is_vital(row))
    return (
        Span("Too much to show here. ", "b"),
        Span(
            f"Recipients, amounts and attachments fill more than {VITAL_PARTS_MAX} messages "
            f"({len(vital)} characters, SHA-256 {_digest(vital)}). Open the console to read and approve all of it."
        ),
    )


def _without_approval(card: Card) -> Keyboard:
    kept = (b for b in card.buttons if b.verb not in ("approve", "like", "again"))
    return card_keyboard(Card(**{**vars(card), "buttons": tuple(kept)}))


def _named(text: str) -> str:
    """Return prose of at most about `VALUE_MAX` characters; what was left out is named by length and digest."""
    if len(text) <= VALUE_MAX:
        return prose(text)
    return f"{prose(text[: VALUE_MAX - 100])}… ({len(text)} characters in all, SHA-256 {_digest(text)})"


def _clipped(text: str, room: int) -> str:
    if units(text) <= room:
        return text
    return text[: room // 2 - 40] + f"… ({_digest(text)})"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]
