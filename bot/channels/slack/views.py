"""The two surfaces beside messages: the form to edit a draft, and App Home as the single pane. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bot.channels.base import Card, EditField, Home
from bot.channels.slack import plain
from bot.channels.slack.blocks import Block, sheet
from bot.channels.slack.limits import (
    BLOCK_ID_MAX,
    BLOCKS_PER_VIEW,
    INPUT_MAX,
    LABEL_MAX,
    SECTION_MAX,
    VIEW_BYTES_MAX,
    VIEW_METADATA_MAX,
    VIEW_TITLE_MAX,
)

FORM = "solo_edit"  # callback_id of the form
FIELD = "edit:"  # block_id of an input: this and the field's name
ROOM_TO_WRITE = 500  # kept free in every input, so that a text can grow where it is edited
TEXTS_BYTES_MAX = VIEW_BYTES_MAX * 2 // 3  # of all inputs together, as sent; the rest is for labels and envelopes
HOME_CARDS_MAX = 8  # a home tab is read at a glance
HOME_LINES_MAX = 15


_BLOCK = re.compile(rf"{FIELD}(?P<name>.+?)(?:#(?P<number>[0-9]{{1,3}})#(?P<joint>(?:[0-9a-f]{{2}})*))?", re.DOTALL)
_JOINTS = tuple(re.compile(rf"(?<=\S){joint}(?=\S)") for joint in (r"\n{2,9}", r"\n", r" "))


@dataclass(frozen=True)
class Ticket:
    """What a form carries through Slack and back: where it was opened, and the locator of the card's revision."""

    card: str
    handle: str
    conversation: str
    thread: str = ""
    message: str = ""

    def to_json(self) -> str:
        """Return it for ``private_metadata``."""
        text = json.dumps(asdict(self))
        assert len(text) <= VIEW_METADATA_MAX
        return text

    @classmethod
    def from_json(cls, text: str) -> Ticket | None:
        """Read it back; None for anything that is not one."""
        try:
            return cls(**{key: str(value) for key, value in json.loads(text).items()})
        except (ValueError, TypeError, AttributeError):
            return None


def form(card: Card, ticket: Ticket) -> Block:
    """Return the form that edits a draft; what does not fit into an input says how to edit it instead."""
    blocks: list[Block] = []
    editable, spent = False, 0
    for field in card.fields:
        inputs = _inputs(field)
        size = len(json.dumps(inputs))
        if spent + size <= TEXTS_BYTES_MAX and len(blocks) + len(inputs) <= BLOCKS_PER_VIEW - len(card.fields):
            blocks += inputs
            editable, spent = True, spent + size
        else:
            blocks.append(_section(_by_reply(field)))
    if not card.fields:
        blocks.append(
            _section("Nothing on this card can be edited in a form. Reply in its thread with what to change.")
        )
    view: Block = {
        "type": "modal",
        "callback_id": FORM,
        "private_metadata": ticket.to_json(),
        "title": _plain(plain.label(f"Edit card {card.id}", VIEW_TITLE_MAX)),
        "close": _plain("Close"),
        "blocks": blocks[:BLOCKS_PER_VIEW],
    }
    if editable:
        view["submit"] = _plain("Make a new draft")
    return view


def edits(values: Mapping[str, Any], card: Card | None) -> dict[str, str]:
    """Return which fields a submitted form changes.

    Args:
        values: ``view.state.values`` as Slack sends it.
        card: The card as it is now, to leave out what stayed; None keeps everything.
    """
    # A form gives line ends back in its own way; that alone is no edit.
    before = {field.name: field.value.replace("\r\n", "\n") for field in card.fields} if card else {}
    return {name: value for name, value in _joined(values).items() if before.get(name) != value}


def _joined(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields of a submitted form, those that stood in several inputs whole again."""
    parts: dict[str, list[tuple[int, str, str]]] = {}
    for block_id, actions in values.items():
        block = _BLOCK.fullmatch(block_id)
        if block is None or not isinstance(actions, dict):
            continue
        joint = bytes.fromhex(block["joint"] or "").decode("utf-8", "replace")
        for state in actions.values():
            if isinstance(state, dict):
                value = str(state.get("value") or "").replace("\r\n", "\n")
                parts.setdefault(block["name"], []).append((int(block["number"] or 0), value, joint))
    return {name: _whole([each[1:] for each in sorted(found)]) for name, found in parts.items()}


def _whole(parts: Sequence[tuple[str, str]]) -> str:
    """Join pieces; one that was emptied takes its joint with it."""
    kept = [(text, joint) for text, joint in parts if text] if len(parts) > 1 else list(parts)
    return "".join(text + (joint if number < len(kept) else "") for number, (text, joint) in enumerate(kept, 1))


def home(shown: Home, notice: str = "") -> Block:
    """Return App Home for somebody this house answers to."""
    blocks: list[Block] = []
    if notice:
        blocks.append(_section(notice))
    blocks += [_section(f"⏸ {plain.prose(line)}") for line in shown.paused]
    blocks.append(_heading(f"Waiting for you: {len(shown.waiting)}"))
    blocks += _cards(shown)
    for title, lines in (
        ("Stuck", shown.stuck),
        ("Money", shown.money),
        ("Budget", shown.budget),
        ("Next", shown.next),
    ):
        if lines:
            blocks.append(_heading(title))
            blocks.append(_section("\n".join(_lines(lines))))
    return {"type": "home", "blocks": blocks[:BLOCKS_PER_VIEW]}


def door(text: str) -> Block:
    """Return App Home for somebody it does not answer to: no fact of the company on it."""
    return {"type": "home", "blocks": [_heading("Soloist"), _section(text)]}


def _cards(shown: Home) -> list[Block]:
    if not shown.waiting:
        return [_section("Nothing waits for you.")]
    blocks: list[Block] = []
    kept = 0
    for card in shown.waiting[:HOME_CARDS_MAX]:
        laid = _card(card)
        if len(blocks) + len(laid) > BLOCKS_PER_VIEW - 20:
            break
        blocks += [*laid, {"type": "divider"}]
        kept += 1
    if kept < len(shown.waiting):
        blocks.append(_section(f"And {len(shown.waiting) - kept} more, in our direct messages."))
    return blocks


def _card(card: Card) -> list[Block]:
    """Return a card whole with its buttons, or a line that says where it stands whole."""
    laid = sheet(card)
    if len(laid.parts) == 1 and not laid.thread and not laid.body:
        return list(laid.parts[0].blocks)
    title = plain.cut(plain.vital(card.title), 300)
    return [_section(f"{title}\nCard {card.id} is too long for this page; it stands whole in our direct messages.")]


def _lines(lines: tuple[str, ...]) -> list[str]:
    kept = [plain.cut(plain.prose(line), 180) for line in lines[:HOME_LINES_MAX]]
    return [*kept, f"… and {len(lines) - len(kept)} more"] if len(lines) > len(kept) else kept


def _inputs(field: EditField) -> list[Block]:
    """Return the field as one input, or a long text as several, cut where reading allows."""
    if len(FIELD + field.name) > BLOCK_ID_MAX - 60:
        return [_input(field.name, field.label, field.value[:INPUT_MAX], long=field.long)]
    if plain.length(field.value) <= INPUT_MAX - ROOM_TO_WRITE:
        return [_input(field.name, field.label, field.value, long=field.long)]
    parts = _cut(field.value.replace("\r\n", "\n"), INPUT_MAX - ROOM_TO_WRITE)
    return [
        _input(
            f"{field.name}#{number}#{joint.encode().hex()}",
            f"{field.label}, part {number} of {len(parts)}",
            text,
            long=True,
        )
        for number, (text, joint) in enumerate(parts, 1)
    ]


def _cut(text: str, room: int) -> list[tuple[str, str]]:
    """Return pieces, each with what joined it to the next: inputs lose the white space at their ends."""
    pieces: list[tuple[str, str]] = []
    while plain.length(text) > room:
        window = plain.fitting(text, room)
        for joint in _JOINTS:
            *_, last = [None, *joint.finditer(text, len(window) // 2, len(window))]
            if last is not None and last.end() < len(window):
                pieces.append((text[: last.start()], last[0]))
                text = text[last.end() :]
                break
        else:
            pieces.append((window, ""))
            text = text[len(window) :]
    return [*pieces, (text, "")]


def _input(name: str, label: str, value: str, *, long: bool) -> Block:
    element: Block = {"type": "plain_text_input", "action_id": "value", "multiline": long}
    if value:
        element["initial_value"] = value
    return {
        "type": "input",
        "block_id": FIELD + name,
        "label": _plain(plain.label(label, LABEL_MAX)),
        "optional": True,
        "element": element,
    }


def _by_reply(field: EditField) -> str:
    label = plain.label(field.label, 100)
    return (
        f"“{label}” has {len(field.value):,} characters, and that is more than a form of Slack's holds. "
        "Close this and reply in the card's thread: with the new text, or with what to change in it."
    )


def _heading(text: str) -> Block:
    return {"type": "header", "text": _plain(text)}


def _section(text: str) -> Block:
    return {"type": "section", "text": _plain(plain.cut(text if text.strip() else "…", SECTION_MAX))}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}
