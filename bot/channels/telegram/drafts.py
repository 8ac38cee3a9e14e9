"""Editing without a form: a draft to copy, change and send back, and the reading of what comes back.

::

    ✏ 12.1 · Send this back with your changes, as a reply to this message.

    Subject: March retainer
    Body:
    Dear Anna, ...

A card with a single field is only that field's text.
"""

from __future__ import annotations

from bot.channels.base import Card, EditField
from bot.channels.telegram.cards import DRAFT_MARK
from bot.channels.telegram.spans import TEXT_MAX, units

HINT = "Copy this, change it, and send it back as a reply to this message."
DRAFT_MAX = TEXT_MAX - 1000  # a longer one goes as a file and comes back as one; this leaves room to write more
SURELY_WHOLE_MAX = TEXT_MAX - 200  # clients cut longer texts in two, at a word near the limit


def heading(card: Card) -> str:
    """Return the line by which the reply finds its card."""
    return f"{DRAFT_MARK} {card.id} · {HINT}"


def draft(card: Card) -> str:
    """Return the fields as text to be changed."""
    if len(card.fields) == 1:
        return card.fields[0].value
    return "\n".join(_laid_out(field) for field in sorted(card.fields, key=_is_long))


def fits(text: str) -> bool:
    """Return whether a draft goes into one message, and so does its answer."""
    return 0 < units(text) <= DRAFT_MAX


def edits(card: Card, text: str) -> dict[str, str] | None:
    """Return what was changed, by field name; empty when nothing was, None when the text is no such draft."""
    values = _read(card, text)
    if values is None:
        return None
    return {field.name: values[field.name] for field in card.fields if _differs(field, values.get(field.name))}


def _differs(field: EditField, value: str | None) -> bool:
    # Clients trim what they send, so an ending is no change.
    return value is not None and value.strip() != field.value.replace("\r\n", "\n").strip()


def _is_long(field: EditField) -> bool:
    return field.long or "\n" in field.value


def _laid_out(field: EditField) -> str:
    return f"{field.label}:\n{field.value}" if _is_long(field) else f"{field.label}: {field.value}"


def _read(card: Card, text: str) -> dict[str, str] | None:
    text = text.replace("\r\n", "\n").strip("\n")
    if len(card.fields) == 1:
        return {card.fields[0].name: text}
    found: dict[str, list[str]] = {}
    left = sorted(card.fields, key=_is_long)
    current: str | None = None
    for line in text.split("\n"):
        # A label counts once and in order; a body that says "Subject: ..." again is only a body.
        field = next((f for f in left if line.startswith(f"{f.label}:")), None)
        if field is not None:
            left = left[left.index(field) + 1 :]
            current = field.name
            rest = line[len(field.label) + 1 :].strip()
            found[current] = [rest] if rest else []
        elif current is None:
            return None
        else:
            found[current].append(line)
    return {name: "\n".join(lines) for name, lines in found.items()} or None
