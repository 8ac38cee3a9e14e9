"""The two surfaces beside messages: the form to edit a draft, and App Home as the single pane. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
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
    VIEW_METADATA_MAX,
    VIEW_TITLE_MAX,
)

FORM = "solo_edit"  # callback_id of the form
FIELD = "edit:"  # block_id of an input: this and the field's name
HOME_CARDS_MAX = 8  # a home tab is read at a glance
HOME_LINES_MAX = 15


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
    editable = False
    for field in card.fields:
        if _fits(field):
            blocks.append(_input(field))
            editable = True
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
        "title": _plain(plain.label(f"Edit {card.id}", VIEW_TITLE_MAX)),
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
    found: dict[str, str] = {}
    for block_id, actions in values.items():
        if not block_id.startswith(FIELD) or not isinstance(actions, dict):
            continue
        name = block_id.removeprefix(FIELD)
        for state in actions.values():
            if not isinstance(state, dict):
                continue
            value = str(state.get("value") or "").replace("\r\n", "\n")
            if before.get(name) != value:
                found[name] = value
    return found


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


def _fits(field: EditField) -> bool:
    return plain.length(field.value) <= INPUT_MAX and len(FIELD + field.name) <= BLOCK_ID_MAX


def _input(field: EditField) -> Block:
    element: Block = {"type": "plain_text_input", "action_id": "value", "multiline": field.long}
    if field.value:
        element["initial_value"] = field.value
    return {
        "type": "input",
        "block_id": FIELD + field.name,
        "label": _plain(plain.label(field.label, LABEL_MAX)),
        "optional": True,
        "element": element,
    }


def _by_reply(field: EditField) -> str:
    label = plain.label(field.label, 100)
    return (
        f"“{label}” has {len(field.value):,} characters and Slack's forms hold {INPUT_MAX:,}. "
        "Close this and reply in the card's thread: with the new text, or with what to change in it."
    )


def _heading(text: str) -> Block:
    return {"type": "header", "text": _plain(text)}


def _section(text: str) -> Block:
    return {"type": "section", "text": _plain(plain.cut(text if text.strip() else "…", SECTION_MAX))}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}
