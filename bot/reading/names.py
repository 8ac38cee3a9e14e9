"""Whose names stand in a message: the clients on the books, as people type them in a hurry.

A name found here is masked, and fills a client slot *as it was typed*: who has the records resolves it, because a
typing slip may suggest a client and must never decide one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from agents.slots import Slot
from agents.slots.language import codes, language

SLIP_PCT = 86  # rapidfuzz ratio from which a word is a slip of a name, for masking only
SLIP_LETTERS_MIN = 5  # shorter words are too close to everything
_COMMON = (
    "the and for with from studio group design media digital services solutions consulting company limited ltd gmbh ag "
    "inc llc kg ug plc sa sas srl bv ab as oy co international global agency partners invoice client new my"
)
COMMON = frozenset(_COMMON.split())
_WORD = re.compile(r"[^\W_][\w'’&.-]*[^\W_]|[^\W_]")


@dataclass(frozen=True)
class Directory:
    """The names a message is searched for."""

    whole: re.Pattern[str] | None  # full names, keys, and first words that belong to one client alone
    singles: tuple[str, ...]  # one-word names, for slips

    @classmethod
    def of(cls, clients: Iterable[tuple[str, str]]) -> Directory:
        """Build it from (key, name) pairs."""
        pairs = list(clients)
        firsts = [name.split()[0].casefold() for _, name in pairs if name.split()]
        names: set[str] = set()
        for key, name in pairs:
            names.update({name.casefold().strip(), key.casefold()})
            first = name.split()[0].casefold() if name.split() else ""
            if firsts.count(first) == 1 and first not in COMMON and len(first) > 1:
                names.add(first)
        names.discard("")
        ordered = sorted(names, key=len, reverse=True)
        whole = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, ordered))})(?:['’]s?)?(?!\w)", re.IGNORECASE)
        return cls(whole if ordered else None, tuple(name for name in ordered if " " not in name))

    def find(self, text: str, taken: Sequence[Slot] = ()) -> list[Slot]:
        """Return the names that stand outside what is taken already, in order."""
        found: list[Slot] = []
        if self.whole is not None:
            found = [_name(match) for match in self.whole.finditer(text)]
        found = [slot for slot in found if not any(slot.overlaps(other) for other in taken)]
        if found or not self.singles:
            return found
        for match in _WORD.finditer(text):
            word = match[0].casefold().removesuffix("'s").removesuffix("’s")
            if len(word) < SLIP_LETTERS_MIN or any(match.start() < s.end and s.start < match.end() for s in taken):
                continue
            if process.extractOne(word, self.singles, scorer=fuzz.ratio, score_cutoff=SLIP_PCT):
                found.append(_name(match))
        return found


def _name(match: re.Match[str]) -> Slot:
    text = re.sub(r"['’]s?$", "", match[0])
    return Slot("client", text, match.start(), match.start() + len(text), text)


_PROPER = re.compile(r"(?<![\w.@/-])[A-ZÄÖÜ][\w&’-]*(?:\s+(?:&\s+)?[A-ZÄÖÜ][\w&’-]*){0,3}")
_CAPITALS = (
    "i i'm i've i'll i'd ok pdf vat ust mwst iban usd eur gbp chf crm ai faq gdpr seo csv url ceo api ui linkedin "
    "instagram bluesky twitter mastodon slack telegram stripe google github excel paypal netflix zoom english german "
    "french spanish christmas easter monday tuesday wednesday thursday friday saturday sunday january february march "
    "april may june july august september october november december q1 q2 q3 q4 can could please what who when where "
    "how why is are do does did the a an let send write invoice bill book remind show give tell"
)
CAPITAL_WORDS = frozenset(_CAPITALS.split()).union(
    *(language(code).marks for code in codes() if code != "en"),
    (
        word
        for code in codes()
        for forms in language(code).said.values()
        for form in forms
        for word in re.findall(r"\w+", form)
    ),
)
"""Words that are written with a capital and are nobody's name: in German every noun is."""


def proper_names(text: str, taken: Sequence[Slot] = ()) -> list[Slot]:
    """Return words written like names that nobody on the books has: a new client, or a person."""
    found = []
    for match in _PROPER.finditer(text):
        start, words = match.start(), match[0]
        while words and words.split()[0].casefold().rstrip(".,’'") in CAPITAL_WORDS:
            rest = words.split(None, 1)
            start += len(words) - len(rest[1]) if len(rest) > 1 else len(words)
            words = rest[1] if len(rest) > 1 else ""
        words = re.sub(r"[’'](?:s)?$|[-&\s]+$", "", words)
        if not words or (start == 0 and not text[:1].isupper()):
            continue
        slot = Slot("client", words, start, start + len(words), words)
        if not any(slot.overlaps(other) for other in taken):
            found.append(slot)
    return found
