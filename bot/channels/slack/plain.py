"""Somebody else's text, shown as what it is. Pure.

A card may only be approved by somebody who sees what will happen, so two different payloads must never look the same:
what is invisible, turns the direction of reading, or imitates something else is written out as ``⟨U+202E⟩``. The text
then goes into ``plain_text`` objects, where Slack parses no markup, no mention and no link.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

HIDDEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})
# Letters and symbols by category, blanks to the eye: Hangul fillers, Braille blank, grapheme joiner, Khmer vowels.
BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f")
OPEN, RETURN = "⟨", "⏎"  # our own marks; as text they are written out too
# Slack decodes these three in any text object, so "&lt;" in a payload would look like "<".
ENTITY = re.compile(r"&(?=(?:amp|lt|gt);)")
ODD = re.compile(r"[^\x20-\x7e\n]")
SPACES = re.compile(r"^ +| +$|(?<= ) +", re.MULTILINE)
WORD = re.compile(r"\w+")


def mark(char: str) -> str:
    """Write a character out as its code point."""
    return f"{OPEN}U+{ord(char):04X}⟩"


def vital(text: str, *, strict: bool = False) -> str:
    """Return a fact so that no other fact looks like it.

    Args:
        text: As it will be sent.
        strict: An address: every character outside ASCII is followed by its code point.
    """
    shown = _per_word(text, strict=strict)
    shown = SPACES.sub(lambda found: mark(" ") * len(found[0]), shown)
    return ENTITY.sub(mark("&"), shown).replace("\n", f"{RETURN}\n")


def prose(text: str) -> str:
    """Return a long text with everything hidden made visible; line breaks, tabs and emoji stay as they are."""

    def written(found: re.Match[str]) -> str:
        char = found[0]
        return char if char == "\t" or _in_emoji(_before(found), char) else _seen(char, fact=False)

    return ENTITY.sub(mark("&"), ODD.sub(written, text.replace("\r\n", "\n")))


def _before(found: re.Match[str]) -> str:
    return found.string[found.start() - 1] if found.start() else ""


def _in_emoji(before: str, char: str) -> bool:
    """Whether a joiner or selector belongs to an emoji, where leaving it out would show another picture."""
    return (
        char in "\ufe0f\u200d" and before != "" and (unicodedata.category(before) in {"So", "Sk"} or before == "\ufe0f")
    )


def _per_word(text: str, *, strict: bool) -> str:
    foreign = frozenset() if strict or text.isascii() else _mixed(text)

    def written(found: re.Match[str]) -> str:
        char = found[0]
        shown = _seen(char, fact=True)
        odd = not char.isascii() and (strict or found.start() in foreign or _composes(_before(found), char))
        return shown + mark(char) if odd and shown == char else shown

    return ODD.sub(written, text)


@lru_cache(maxsize=4096)
def _seen(char: str, *, fact: bool) -> str:
    if char in {OPEN, RETURN}:
        return mark(char)
    if char == " " or (char.isascii() and char.isprintable()):
        return char
    if unicodedata.category(char) in HIDDEN or char in BLANK or _selector(char):
        return mark(char)
    return char + mark(char) if fact and _imitates(char) else char


def _imitates(char: str) -> bool:
    """Whether a character is another one in a different coat: full-width Ａ, the ligature ﬁ, the Ångström sign Å."""
    if unicodedata.normalize("NFKC", char) == char:
        return False
    coat, _, _ = unicodedata.decomposition(char).partition(" ")
    letter = unicodedata.category(char).startswith("L")
    return coat in {"<wide>", "<narrow>", "<font>"} or not coat.startswith("<") or (coat == "<compat>" and letter)


def _selector(char: str) -> bool:
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"


def _composes(before: str, char: str) -> bool:
    """Whether two characters look like one other: ``e`` and U+0301 like ``é``."""
    return (
        bool(before)
        and unicodedata.combining(char) != 0
        and (
            len(unicodedata.normalize("NFC", before + char)) == 1
            # A second mark of the same class, or one on nothing, hides just as well.
            or unicodedata.combining(before) != 0
        )
    )


def _mixed(text: str) -> frozenset[int]:
    """Return where a word of Latin letters holds a letter of another script (Cyrillic ``а`` in ``pаypal``)."""
    found: set[int] = set()
    for word in WORD.finditer(text):
        scripts = [_script(char) for char in word[0]]
        if "LATIN" in scripts:
            found |= {word.start() + i for i, script in enumerate(scripts) if script not in {"", "LATIN"}}
    return frozenset(found)


@lru_cache(maxsize=4096)
def _script(char: str) -> str:
    return unicodedata.name(char, "").partition(" ")[0] if char.isalpha() else ""


def mrkdwn(text: str) -> str:
    """Escape what Slack parses in mrkdwn; docs.slack.dev/messaging/formatting-message-text#escaping."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def length(text: str) -> int:
    """Return how long Slack may count a text: UTF-16 units, escaped."""
    bare = len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
    return bare + 4 * text.count("&") + 3 * (text.count("<") + text.count(">"))


def pieces(text: str, limit: int) -> list[str]:
    """Cut a text into pieces of at most ``limit``, at line ends and spaces where there are any; nothing is lost."""
    found: list[str] = []
    while text:
        piece = fitting(text, limit)
        if len(piece) < len(text):
            for end in ("\n", " "):
                at = piece.rfind(end)
                if at > len(piece) // 2:
                    piece = piece[: at + 1]
                    break
        found.append(piece)
        text = text[len(piece) :]
    return found


def fitting(text: str, limit: int) -> str:
    """Return the longest start (about) that fits."""
    piece = text[:limit]
    while (size := length(piece)) > limit:
        piece = piece[: min(len(piece) - 1, len(piece) * limit // size)]
    return piece


def cut(text: str, limit: int, more: str = "…") -> str:
    """Return a text that may be shortened, with a sign where it was."""
    return text if length(text) <= limit else fitting(text, limit - length(more)) + more


def label(text: str, limit: int) -> str:
    """Return words for a button, a menu or a heading: short, visible, never blank."""
    shown = cut(prose(text), limit)
    return shown if shown.strip() else "…"


INCOMING = re.compile(r"<([^<>]*)>")


def typed(text: str) -> str:
    """Return what a person typed, from Slack's form of it (``<mailto:a@b.c|a@b.c>``, ``&amp;``)."""
    return (
        INCOMING.sub(lambda found: _reference(found[1]), text)
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
    )


def _reference(inner: str) -> str:
    target, _, label = inner.partition("|")
    if target[:1] in {"@", "#", "!"}:
        sign = "@" if target[0] == "!" else target[0]
        return sign + (label.lstrip("@#") or target[1:])
    bare = target.removeprefix("mailto:").removeprefix("tel:")
    if not label or label == bare or bare.rstrip("/").endswith(label.rstrip("/")):
        return label or bare
    return f"{label} ({bare})"
