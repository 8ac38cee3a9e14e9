"""Slips of the finger in the words a request is made of: "invocie Acme 1,200", "scheudle a post", "aprove 2.1".

Only words that nobody here knows are looked at, and only words that requests are made of are put in their place. Names,
values, quotations and what is written with a capital inside of a sentence stay as they were typed; so does what is near to
two words. Whoever reads the mended message says what was read as what.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz import process
from rapidfuzz.distance import OSA

from agents.slots import Slot
from agents.slots.language import codes, language

LETTERS_MIN = 4  # a shorter word is near to everything
SHORT, LONG = 4, 8  # letters: up to here only swapped or lost ones, from here two slips
TIME_MIN = 6  # letters of a word of time that a slip is put right to: "tuesday", and not "june"
OFTEN = 3  # sentences that a word stands in to be one that requests are made of
MENDED_MAX = 3  # words; a message with more slips is asked about
_WORD = re.compile(r"(?<![\w@./'’-])[^\W\d_]{4,}(?![\w@/'’-]|\.\w)")
_QUOTED = re.compile(r"[\"“”„«][^\"“”„«»]*[\"“”»]")
_ENDINGS = ("s", "d", "ed", "es", "ing", "n", "en", "er", "e", "t")


@dataclass(frozen=True)
class Slip:
    """One word that was read as another."""

    start: int
    said: str
    meant: str
    distance: int  # letters lost, added, replaced or swapped


@dataclass(frozen=True)
class Spelling:
    """The words that requests are made of, and all that are known."""

    keys: tuple[str, ...]
    known: frozenset[str]
    times: tuple[str, ...] = ()

    @classmethod
    def of(cls, exact: Iterable[str], sentences: Iterable[str], others: Iterable[str]) -> Spelling:
        """Build it.

        Args:
            exact: Patterns and commands; each of their words counts.
            sentences: What intents are learned from; a word counts that stands in several.
            others: What else is said: known, and nothing that a slip is put right to.
        """
        said = Counter(word for sentence in sentences for word in {*_words(sentence)})
        keys = {word for text in exact for word in _words(text)} | {
            word for word, count in said.items() if count >= OFTEN
        }
        known = (
            keys
            | {word for text in others for word in _words(text)}
            | {word for word, count in said.items() if count > 1}
        )
        languages = [language(code) for code in codes()]
        tables = [table for each in languages for table in (each.weekdays, each.months, each.day_words)]
        said_of_time = {word for table in tables for word in table}
        right = {word for table in tables for word in table if not _is_slip(word, table)}
        times = {word for word in right if len(word) >= TIME_MIN and " " not in word}
        small = {word for each in languages for word in each.common if len(word) >= SHORT}
        keys |= small  # "keine" is no slip of "meine", and a slip of it is near to both
        known |= (
            small
            | said_of_time
            | {word for each in languages for table in (each.numbers, each.units) for word in table}
        )
        return cls(tuple(sorted(word for word in keys if len(word) >= SHORT)), frozenset(known), tuple(sorted(times)))

    def slips_of_time(self, text: str) -> list[Slip]:
        """Return slips in words of time ("tommorow", "wendesday"): there a slip would lose a day, not a meaning."""
        return self._slips(text, (), self.times)

    def slips(self, text: str, taken: Sequence[Slot], is_word: Callable[[str], bool] = lambda _: False) -> list[Slip]:
        """Return the slips of a message from the left, outside of values and names; none where there are too many.

        Args:
            text: The message.
            taken: Its values and names.
            is_word: Says of a word that it is one ("contrast" is no slip of "contract").
        """
        found = [slip for slip in self._slips(text, taken, self.keys) if not is_word(slip.said.lower())]
        return found if len(found) <= MENDED_MAX else []

    def _slips(self, text: str, taken: Sequence[Slot], keys: Sequence[str]) -> list[Slip]:
        closed = [(slot.start, slot.end) for slot in taken] + [match.span() for match in _QUOTED.finditer(text)]
        found: list[Slip] = []
        for match in _WORD.finditer(text):
            inside = any(start < match.end() and match.start() < end for start, end in closed)
            if inside or (match[0] != match[0].lower() and text[: match.start()].strip() and not text.isupper()):
                continue
            if slip := self._slip(match, keys):
                found.append(slip)
        return found

    def _slip(self, match: re.Match[str], keys: Sequence[str]) -> Slip | None:
        word = match[0].lower()
        if word in self.known or any(word.endswith(end) and word.removesuffix(end) in self.known for end in _ENDINGS):
            return None
        near = process.extract(word, keys, scorer=OSA.distance, score_cutoff=2, limit=8)
        found = [(str(key), int(distance)) for key, distance, _ in near if _may_be(word, str(key), int(distance))]
        best = [key for key, distance in found if distance == found[0][1]]
        if len(best) != 1:
            return None  # near to two words, or to none
        return Slip(match.start(), match[0], best[0], found[0][1])


def _is_slip(word: str, table: Mapping[str, int]) -> bool:
    """Whether a table holds a word and, for the same, its right spelling: "tomorow"."""
    return any(
        table[other] == table[word] and OSA.distance(word, other) == 1 and len(other) > len(word) for other in table
    )


def _may_be(word: str, key: str, distance: int) -> bool:
    if word.startswith(key):
        return False  # "projector" is a word of its own
    if len(key) <= SHORT:
        return sorted(word) == sorted(key)
    if len(word) <= SHORT:
        return distance == 1 and (sorted(word) == sorted(key) or len(key) > len(word))
    return distance == 1 or (len(key) >= LONG and word[0] == key[0])


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]{2,}", re.sub(r"\{\w+\}", " ", text).lower())


def mended(text: str, slips: Sequence[Slip]) -> str:
    """Return the message with these words put right."""
    for slip in sorted(slips, key=lambda slip: -slip.start):
        text = text[: slip.start] + slip.meant + text[slip.start + len(slip.said) :]
    return text


def as_typed(words: str, slips: Sequence[Slip]) -> str:
    """Return words of a mended message as they were typed: what somebody is told, or remembered, is nobody's to correct."""
    for slip in slips:
        words = re.sub(rf"(?<!\w){re.escape(slip.meant)}(?!\w)", lambda _, said=slip.said: said, words, count=1)  # type: ignore[misc]
    return words
