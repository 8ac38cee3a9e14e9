"""Card and Message → Block Kit, within every limit. Pure.

Facts stand in ``plain_text`` (see `plain`), labels in mrkdwn, so a value can never draw a label. A card that is too
long for one message becomes several; its buttons stand under the last. A long text stands in the thread, whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.channels import snooze
from bot.channels.base import Button, Card, Message, Row, because, is_heading, is_letter
from bot.channels.slack import plain
from bot.channels.slack.limits import (
    ACTIONS_MAX,
    BLOCK_ID_MAX,
    BLOCKS_PER_MESSAGE,
    BUTTON_TEXT_MAX,
    BUTTON_VALUE_MAX,
    CONFIRM_BUTTON_MAX,
    CONFIRM_TEXT_MAX,
    CONFIRM_TITLE_MAX,
    FALLBACK_MAX,
    FIELD_MAX,
    FIELDS_MAX,
    HEADER_MAX,
    MESSAGE_TEXT_MAX,
    OPTION_TEXT_MAX,
    OPTION_VALUE_MAX,
    OPTIONS_MAX,
    PLACEHOLDER_MAX,
    SECTION_MAX,
)
from connectors.base import Role
from memory.events import Attachment

Block = dict[str, Any]

PIECE_MAX = SECTION_MAX - 100  # room for our own words in the same section
TEXT_MAX = MESSAGE_TEXT_MAX - 1_700  # the limit is undocumented, so stay well below
PARTS_MAX = 10  # messages one card may take: more than that nobody reads, so it cannot be approved
BODY_ON_CARD_MAX = 2_800  # a text up to here stands on the card itself
BODY_START = 600  # of a longer one the card shows the start
THREAD_PARTS_MAX = 6  # messages of text in the thread; a longer text goes there as a file
SHORT_VALUE_MAX = 200  # a value up to here stands beside its label
WORDS_MAX = 1_500  # of what may be shortened: the agent's words, reasons, sources
CHANGES_MAX = 2_800

PLAIN_WORDS = re.compile(r"[A-Za-z][A-Za-z0-9 ,.()/&'-]{0,60}")
STATES = {
    "pending": "Waiting for you",
    "approved": "Approved",
    "denied": "Rejected",
    "expired": "Ran out",
    "cancelled": "Cancelled",
    "superseded": "Replaced",
    "snoozed": "Put aside",
    "shadow": "Rehearsal: nothing here does anything",
}
DIVIDER: Block = {"type": "divider"}
NEEDS_WHOLE = frozenset({"approve", "like", "again"})  # verbs that let something happen: only under the whole card


@dataclass(frozen=True)
class Part:
    """One message."""

    text: str  # what a notification shows, and where blocks cannot be
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Sheet:
    """A card as messages.

    Attributes:
        parts: In order; the last one carries the buttons and the thread.
        thread: The long text, in order.
        body: The long text as a file, where it is too long even for the thread.
    """

    parts: tuple[Part, ...]
    thread: tuple[Part, ...] = ()
    body: bytes = b""


def sheet(card: Card) -> Sheet:
    """Return a card as messages that together show it whole."""
    body = plain.prose(card.body)
    on_card = plain.length(body) <= BODY_ON_CARD_MAX
    thread = () if on_card else _thread(card, body)
    whole = [*_head(card), *_facts(card), *_changes(card), *_text(card, body, on_card=on_card, in_file=not thread)]
    tail = [*_words(card), *_footer(card)]
    pages = _pages([*whole, *tail])
    buttons = card.buttons
    if len(pages) > PARTS_MAX:
        buttons = tuple(button for button in buttons if button.verb not in NEEDS_WHOLE)
        pages = [*pages[: PARTS_MAX - 1], [_section(_too_long(card, len(pages)))]]
    actions = _actions(card, buttons)
    if len(pages[-1]) + len(actions) > BLOCKS_PER_MESSAGE:
        pages.append([])
    pages[-1] += actions
    return Sheet(
        tuple(_page(card, page, number, len(pages)) for number, page in enumerate(pages, 1)),
        thread,
        card.body.encode("utf-8", "backslashreplace") if not on_card and not thread else b"",
    )


def waiting(sheet_: Sheet) -> Sheet:
    """Return the same card without its buttons, for as long as its text is not in the thread yet."""
    *first, last = sheet_.parts
    bare = tuple(block for block in last.blocks if block["type"] != "actions")
    note = _context(["The buttons appear as soon as the whole text is in the thread below."])
    return Sheet((*first, Part(last.text, (*bare, *note))), sheet_.thread, sheet_.body)


def message(said: Message) -> tuple[Part, ...]:
    """Return words as messages; buttons stand under the last."""
    blocks = _letter(said.text) if is_letter(said) else _paragraphs(said.text.split("\n"))
    pages = _pages(blocks)
    buttons = [_button(button, number) for number, button in enumerate(said.buttons[:ACTIONS_MAX])]
    if buttons:
        pages[-1].append({"type": "actions", "block_id": f"said:{said.id}"[:BLOCK_ID_MAX], "elements": buttons})
    title = {"problem": "⚠ ", "question": "? "}.get(said.kind, "")
    return tuple(Part(plain.cut(title + plain.mrkdwn(_joined(page)), FALLBACK_MAX), tuple(page)) for page in pages)


def _paragraphs(lines: Sequence[str]) -> list[Block]:
    text = plain.prose("\n".join(f"• {line[2:]}" if line.startswith("- ") else line for line in lines))
    return [_section(piece) for piece in _solid(plain.pieces(text, PIECE_MAX))] or [_section("…")]


def _letter(text: str) -> list[Block]:
    """Return a digest: its date as a heading, its sections with bold titles."""
    lines = text.split("\n")
    blocks: list[Block] = [{"type": "header", "text": _plain(plain.label(lines[0], HEADER_MAX))}]
    below: list[str] = []
    for at, line in enumerate(lines[1:], 1):
        if not is_heading(lines, at):
            below.append(line)
            continue
        blocks += _solid_paragraphs(below)
        blocks.append({"type": "section", "text": _label(line)})
        below = []
    return [*blocks, *_solid_paragraphs(below)]


def _solid_paragraphs(lines: Sequence[str]) -> list[Block]:
    return _paragraphs("\n".join(lines).strip("\n").split("\n")) if any(line.strip() for line in lines) else []


# ── the pieces of a card ──────────────────────────────────────────────────────────────────────────────────────────


def _head(card: Card) -> list[Block]:
    title = plain.vital(card.title)
    title = title if title.strip() else "Card"
    blocks: list[Block] = [{"type": "header", "text": _plain(plain.cut(title, HEADER_MAX))}]
    if plain.length(title) > HEADER_MAX:
        blocks += [_section(piece) for piece in plain.pieces(title, PIECE_MAX)]
    version = f" · version {card.revision}" if card.revision > 1 else ""
    blocks += _context([f"Card {card.id}{version} · {STATES[card.state]}"])
    if card.outcome:
        blocks += _labelled("Outcome", plain.vital(card.outcome))
    return blocks


def _facts(card: Card) -> list[Block]:
    """Return the rows, each with its label; short values stand beside it, long ones below it."""
    blocks: list[Block] = []
    fields: list[Block] = []
    label = ""
    for row in (*card.rows, *_unlisted(card)):
        label = row.label or label  # a row without one goes on with the one before
        value = plain.vital(row.value, strict=row.role is Role.RECIPIENTS) or "—"
        value += f"  ← {plain.vital(row.mark)}" if row.mark else ""
        short = plain.length(value) <= SHORT_VALUE_MAX
        fields += [_label(label), _plain(value)] if short else []
        if fields and (not short or len(fields) >= FIELDS_MAX):
            blocks.append({"type": "section", "fields": fields})
            fields = []
        blocks += [] if short else _labelled(label, value)
    if fields:
        blocks.append({"type": "section", "fields": fields})
    for warning in card.warnings:
        blocks += [_section(piece) for piece in plain.pieces(f"⚠ {plain.vital(warning)}", PIECE_MAX)]
    return blocks


def _unlisted(card: Card) -> list[Row]:
    """Return the files that no row names yet."""
    listed = [row.value for row in card.rows if row.role is Role.ATTACHMENTS]
    return [
        Row("Attached", _file(file), Role.ATTACHMENTS, vital=True)
        for file in card.files
        if not any(file.sha256[:12] in value and file.name in value for value in listed)
    ]


def _file(file: Attachment) -> str:
    return f"{file.name} ({file.size:,} bytes, {file.media_type}, sha256 {file.sha256[:16]}…)"


def _text(card: Card, body: str, *, on_card: bool, in_file: bool) -> list[Block]:
    if not card.body:
        return []
    if on_card:
        return [DIVIDER, *_labelled("Text", body), DIVIDER]
    start = plain.fitting(body, BODY_START)
    where = "as a file in this card's thread" if in_file else "in this card's thread"
    return [
        DIVIDER,
        *_labelled("Text", f"{start}…"),
        *_context([f"These are the first {len(start):,} of {len(body):,} characters. The whole text stands {where}."]),
    ]


def _thread(card: Card, body: str) -> tuple[Part, ...]:
    """Return the whole text as messages for the thread, or nothing when it has to be a file."""
    pages = _pages([_section(piece) for piece in _solid(plain.pieces(body, PIECE_MAX))])
    if len(pages) > THREAD_PARTS_MAX:
        return ()
    parts = []
    for number, page in enumerate(pages, 1):
        title = f"Text of card {card.id}, part {number} of {len(pages)}"
        parts.append(Part(title, (*_context([title]), *page)))
    return tuple(parts)


def _changes(card: Card) -> list[Block]:
    if not card.changes:
        return []
    lines = "\n".join(plain.prose(line) for line in card.changes)
    return _labelled("What changed", plain.cut(lines, CHANGES_MAX, "\n… (shortened: the facts above are whole)"))


def _words(card: Card) -> list[Block]:
    blocks: list[Block] = []
    if card.note:
        note = plain.cut(plain.prose(card.note), WORDS_MAX, "… (shortened)")
        blocks += _labelled("The agent says (its words, not facts)", note)
    why = []
    if card.reasons:
        why.append(plain.cut("Because: " + plain.prose(because(card.reasons)), WORDS_MAX))
    if card.sources:
        why.append(plain.cut("From memory: " + "; ".join(plain.prose(line) for line in card.sources), WORDS_MAX))
    if card.confidence_pct:
        why.append(f"{card.confidence_pct} % sure")
    return [*blocks, *_context(why)]


def _footer(card: Card) -> list[Block]:
    return _context([plain.cut(plain.prose(line), WORDS_MAX) for line in card.footer[:5]])


def _too_long(card: Card, pages: int) -> str:
    return (
        f"Card {card.id} would take {pages} messages, so it cannot be shown whole and cannot be approved here. "
        "Edit it, or reject it and ask for less."
    )


# ── buttons ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _actions(card: Card, buttons: Sequence[Button]) -> list[Block]:
    elements: list[Block] = []
    for number, button in enumerate(buttons):
        if button.verb == "snooze":
            elements.append(
                _menu(button, number, button.label + "…", [(words, key) for key, words in snooze.CHOICES.items()])
            )
            continue
        elements.append(_button(button, number))
        if button.verb == "reject" and card.reject_reasons:
            reasons = tuple((reason, str(place)) for place, reason in enumerate(card.reject_reasons))
            elements.append(_menu(button, number, f"{button.label} because…", reasons))
    if not elements:
        return []
    return [{"type": "actions", "block_id": f"card:{card.id}:{card.revision}", "elements": elements[:ACTIONS_MAX]}]


def _button(button: Button, number: int) -> Block:
    element: Block = {
        "type": "button",
        "action_id": f"{button.verb}:{number}",
        "text": _plain(plain.label(button.label, BUTTON_TEXT_MAX)),
    }
    # A button that says something carries its words when no handle stands for them.
    value = button.handle or f"say {button.text}"
    assert len(value) <= BUTTON_VALUE_MAX
    element["value"] = value
    if button.style:
        element["style"] = button.style
    if button.confirm:
        element["confirm"] = {
            "title": _plain(plain.label("Really?", CONFIRM_TITLE_MAX)),
            "text": _plain(plain.label(button.confirm, CONFIRM_TEXT_MAX)),
            "confirm": _plain(plain.label(button.label, CONFIRM_BUTTON_MAX)),
            "deny": _plain("Go back"),
        }
    return element


def _menu(button: Button, number: int, placeholder: str, options: Sequence[tuple[str, str]]) -> Block:
    """Return a menu whose options carry their short key and the handle: one tap, no form."""
    return {
        "type": "static_select",
        "action_id": f"{button.verb}-menu:{number}",
        "placeholder": _plain(plain.label(placeholder, PLACEHOLDER_MAX)),
        "options": [
            {
                "text": _plain(plain.label(words, OPTION_TEXT_MAX)),
                "value": f"{key} {button.handle}"[:OPTION_VALUE_MAX],
            }
            for words, key in options[:OPTIONS_MAX]
        ],
    }


# ── packing ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _pages(blocks: Sequence[Block]) -> list[list[Block]]:
    """Put blocks into as few messages as hold them, in order."""
    room = BLOCKS_PER_MESSAGE - 3  # a heading, a mark and the buttons
    pages: list[list[Block]] = [[]]
    filled = 0
    for block in blocks:
        size = plain.length(_joined([block]))
        if pages[-1] and (len(pages[-1]) >= room or filled + size > TEXT_MAX):
            pages.append([])
            filled = 0
        pages[-1].append(block)
        filled += size
    return pages


def _page(card: Card, blocks: Sequence[Block], number: int, of: int) -> Part:
    heading = _context([f"Card {card.id}, part {number} of {of}"]) if of > 1 else []
    words = plain.cut(plain.mrkdwn(plain.vital(card.title)), FALLBACK_MAX - 200)
    told = f"{words} · card {card.id} · {STATES[card.state]}" + (f" · part {number} of {of}" if of > 1 else "")
    return Part(told, (*heading, *blocks))


def _joined(blocks: Iterable[Block]) -> str:
    return "\n".join(text for block in blocks for text in texts(block))


def texts(block: Block) -> list[str]:
    """Return every text of a block that a person sees, in the order of reading."""
    found = [str(block["text"]["text"])] if isinstance(block.get("text"), dict) else []
    found += [str(field["text"]) for field in block.get("fields", ())]
    if block["type"] == "context":
        found += [str(element["text"]) for element in block["elements"]]
    return found


def _labelled(label: str, value: str) -> list[Block]:
    first = {"type": "section", "text": _label(label)}
    return [first, *(_section(piece) for piece in _solid(plain.pieces(value, PIECE_MAX)))]


def _solid(found: Iterable[str]) -> list[str]:
    """Slack refuses a text object of white space alone."""
    return [piece if piece.strip() else f"⟨{len(piece)} blank characters⟩" for piece in found]


def _section(text: str) -> Block:
    return {"type": "section", "text": _plain(text)}


def _context(lines: Sequence[str]) -> list[Block]:
    return [{"type": "context", "elements": [_plain(line)]} for line in lines if line.strip()]


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}


def _label(label: str) -> Block:
    """Labels are bold; one that holds anything Slack could read as markup stands in plain text like the values."""
    if PLAIN_WORDS.fullmatch(label):
        return {"type": "mrkdwn", "text": f"*{plain.mrkdwn(label)}*", "verbatim": True}
    return _plain(f"{plain.cut(plain.label(plain.vital(label), FIELD_MAX), FIELD_MAX - 2)} :")
