"""What a terminal and a log may be shown: words from outside move no cursor, set no title and turn no line around. Pure.

A mail may hold anything, and `timeline`, `recall`, `chat` and the log print its words. What a terminal would act on, or
what cannot be seen, is spelled: ``⟨U+001B⟩``.

Source: ECMA-48 (control functions); Unicode Standard Annex 9, 2 (directional formatting characters)
"""

from __future__ import annotations

import re
import unicodedata

KEPT = frozenset("\n\t")
JOINERS = frozenset("\u200c\u200d")  # at their work in an emoji, or in a word of Persian or Hindi
RETURN = " ⏎ "
_LOOKED_AT = re.compile(r"[^\n\t\x20-\x7e\xa1-\xac\xae-\u024f]")  # most text has none of these, and is done


def shown(text: str) -> str:
    """Return a text in which everything is seen and nothing is obeyed; its lines stay lines."""
    return _LOOKED_AT.sub(_spelled, text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Return the same on one line: a fact of a card must not look like the next one."""
    return shown(text).replace("\n", RETURN)


def _spelled(found: re.Match[str]) -> str:
    character = found[0]
    if character in KEPT or (character in JOINERS and _joins(found.string, found.start())):
        return character
    hidden = unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return f"⟨U+{ord(character):04X}⟩" if hidden else character


def _joins(text: str, at: int) -> bool:
    around = text[at - 1 : at] if at else "", text[at + 1 : at + 2]
    return all(side and not side.isascii() for side in around)
