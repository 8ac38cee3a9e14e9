r"""Text as an eye cannot be fooled by it: what is invisible gets a visible sign, and no two texts become one.

Every function here is one-to-one: different texts in, different texts out. A character that would not be seen, or
would turn others around, is spelled ``⟨U+202E⟩``; the few signs used for that are themselves spelled when somebody
writes them::

    strict("pay@acme.example\u200b")  # "pay@acme.example⟨U+200B⟩"
    strict("аcme")                      # with a Cyrillic а: "а⟨U+0430⟩cme"

`strict` is for what decides (recipients, amounts, names of files), `prose` for what is read (bodies, notes).
Sources: Unicode UAX 9 (bidirectional controls), UTS 39 (mixed scripts, confusables).
"""

from __future__ import annotations

import re
import unicodedata

SPACE, NEWLINE, NO_BREAK, TAB, RETURN = "␠", "⏎", "⍽", "⇥", "␍"
OPEN, CLOSE = "⟨", "⟩"
SIGNS = frozenset(SPACE + NEWLINE + NO_BREAK + TAB + RETURN + OPEN + CLOSE)
STYLES = frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))  # variation selectors draw nothing
JOINERS = "\u200c\u200d"
EMOJI_STYLE = "\ufe0f"
# Latin letters people's names are made of. The rest of Latin holds look-alikes (ı, ɑ, ſ) and is spelled.
LATIN = frozenset(
    chr(code)
    for code in (
        *range(0xC0, 0xD7),
        *range(0xD8, 0xF7),
        *range(0xF8, 0x131),
        *range(0x132, 0x138),
        *range(0x139, 0x17F),
    )
)
PLAIN_SIGNS = frozenset("€£¥§°×…")  # in the fixed-width type of a card neither × nor … passes for anything else
# Scripts with letters that look like Latin ones. A value in one of them alone is named, in a mixture each is spelled.
LOOK_ALIKES = frozenset({"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "GEORGIAN", "LISU"})


def spelled(character: str) -> str:
    r"""``"\u200b"`` → ``"⟨U+200B⟩"``."""
    return f"{OPEN}U+{ord(character):04X}{CLOSE}"


def strict(text: str, *, address: bool = False) -> str:
    """Return a value on one line in which every character can be told from every other.

    Args:
        text: The value as it would be used.
        address: It is an address: no letter outside ASCII goes unspelled, because one is enough for another mailbox.
    """
    edges = len(text) - len(text.lstrip(" ")), len(text.rstrip(" "))
    scripts = {_script(c) for c in text if c.isalpha()}
    alike = sorted(scripts & LOOK_ALIKES)
    spell = address or (bool(alike) and len(scripts) > 1)
    shown = []
    for index, character in enumerate(text):
        if character == " ":
            lonely = edges[0] <= index < edges[1] and " " not in (text[index - 1 : index], text[index + 1 : index + 2])
            shown.append(character if lonely else SPACE)
        elif (
            (character.isascii() and character.isprintable())
            or (character in LATIN and not address)
            or character in PLAIN_SIGNS
        ):
            shown.append(character)
        elif _is_plain_letter(character):
            # One written from right to left is always spelled: between Latin signs it cannot turn anything around.
            turns = unicodedata.bidirectional(character) in ("R", "AL")
            shown.append(character + spelled(character) if spell or turns else character)
        elif character.isprintable() and unicodedata.category(character)[0] in "LNPS" and character not in SIGNS:
            shown.append(character + spelled(character))
        else:
            shown.append(spelled(character))
    named = f" {OPEN}{alike[0].lower()}{CLOSE}" if alike and not spell else ""
    return "".join(shown) + named


def prose(text: str) -> str:
    """Return text for reading: lines stay lines, and what is invisible or turns the line around is spelled."""
    ending = len(text) - len(text.rstrip("\n"))
    lines = text[: len(text) - ending].split("\n") if ending else text.split("\n")
    return "\n".join(_line(line) for line in lines) + NEWLINE * ending


def one_line(text: str) -> str:
    """`prose` on a single line, for titles and labels."""
    return prose(text).replace("\n", NEWLINE)


def _line(line: str) -> str:
    if line.isascii() and line.isprintable() and not line.endswith(" "):
        return line
    bare = line.rstrip(" ")
    return "".join(_seen(bare, index) for index in range(len(bare))) + SPACE * (len(line) - len(bare))


def _seen(line: str, index: int) -> str:
    character = line[index]
    if character in SIGNS:
        return spelled(character)
    if character == "\t":
        return TAB
    if character == "\r":
        return RETURN
    if character == "\u00a0":
        return NO_BREAK
    if character in JOINERS or character == EMOJI_STYLE:
        return character if _joins(line, index) else spelled(character)
    kind = unicodedata.category(character)
    if kind in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") or (kind == "Zs" and character != " "):
        return spelled(character)
    if character in _BLANKS or character in STYLES or (kind in ("Mn", "Me") and (index == 0 or line[index - 1] == " ")):
        return spelled(character)
    return character


_BLANKS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u17b4\u17b5\u034f")  # letters that draw nothing


def _joins(line: str, index: int) -> bool:
    """Return whether a joiner or style sign does its proper work: in an emoji, or in an Indic or Arabic word."""
    before, after = line[index - 1 : index] if index else "", line[index + 1 : index + 2]
    if line[index] == EMOJI_STYLE:
        return bool(before) and unicodedata.category(before) == "So"
    if not before or not after:
        return False
    pictures = before == EMOJI_STYLE or unicodedata.category(before) in ("So", "Sk")
    if line[index] == "\u200d" and pictures and unicodedata.category(after) == "So":
        return True
    return unicodedata.category(before) in ("Lo", "Mn", "Mc") and unicodedata.category(after) == "Lo"


def _is_plain_letter(character: str) -> bool:
    """Return whether it is an ordinary letter of some script, not a styled copy of another one."""
    if unicodedata.category(character) not in ("Ll", "Lu", "Lo") or character in _BLANKS:
        return False
    return unicodedata.normalize("NFKC", character) == character and _script(character) != "LATIN"


def _script(character: str) -> str:
    return re.split(r"[ -]", unicodedata.name(character, "UNNAMED"), maxsplit=1)[0]
