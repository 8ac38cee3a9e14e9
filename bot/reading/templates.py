"""Patterns with ``{slot}``: exact, and so sure. A slot takes its kind of value or any words; nothing else matches.

``"invoice {client} {amount}"`` reads "invoice Acme 1,200" and not "invoice Acme the usual": a typed slot must be one
value and no more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from agents.base import Intent
from agents.slots import Slot
from agents.slots.language import codes, language, lowered
from bot.reading.mask import KINDS
from bot.reading.slotkinds import WIDER, kind_of, slots_of

WORDS_OF_NAME_MAX = 5
CARD = re.compile(r"#?\d+(?:\.\w+){0,2}")  # "12", "12.1", "12.1.1"
_NO_NAME = re.compile(
    r"^(?:the|my|our|a|an|me|it|that|this|them|him|her|us|all|every|each|any|some|to|for|about|up|on|with|and|when|what|who|how|why|if|did|has|is"
    r"|late|behind|overdue|free|next|i|we|you|he|she|they|nobody|everybody|everyone|anyone|somebody|someone|everything|anything|nothing|something)\b"
    r"|\b(?:about|on|for|to|that|with|because|the|from|again|their|his|her|my|regarding|asap|when|if|not|never|still|already|almost"
    r"|(?:has|have|did|does|was|were|is|are|wo|ca)n['’]?t)\b|[?:;,]",
    re.IGNORECASE,
)
_NO_NAMES = frozenset().union(*(language(code).common for code in codes() if code != "en"))
"""Small words of other languages: a name does not begin with one."""
_SLOT = re.compile(r"\{(\w+)\}")
_TOUCHING = re.compile(r"\{(\w+)\} \{(\w+)\}")
_JOINTS = sorted({word for code in codes() for word in language(code).small}, key=len, reverse=True)
_SMALL = rf"(?:{'|'.join(['on|at|by|for|in|until|till|from|since|every|over|of', *_JOINTS])})"
"""Words before a value that the value may have taken into itself."""
_FOR = re.compile(r"(?:for|für)\s+", re.IGNORECASE)
_FIRST = 0xE000  # private use: no message holds these, see `coded`
_CODES = {kind: chr(_FIRST + number) for number, kind in enumerate(KINDS)}
_CODE = re.compile(f"[{''.join(_CODES.values())}]")


@dataclass(frozen=True)
class Coded:
    """A message in which every value is one character of its kind, so that a pattern can ask for a kind."""

    text: str
    values: tuple[str, ...]  # the words behind those characters, in order

    def plain(self, start: int, end: int) -> str:
        """Return the words of a stretch of `text`."""
        values = iter(self.values[len(_CODE.findall(self.text, 0, start)) :])
        return _CODE.sub(lambda _: next(values), self.text[start:end])


def coded(text: str, spans: Sequence[Slot]) -> Coded:
    """Return a message with its values as single characters."""
    clean = _CODE.sub(" ", text)
    parts, values, end = [], [], 0
    for slot in sorted(spans, key=lambda slot: slot.start):
        lead = _FOR.match(slot.text) if slot.kind == "period" else None
        said = lead[0] if lead else ""  # "for March" is also what something is for
        parts += [clean[end : slot.start], said, _CODES[slot.kind]]
        values.append(slot.text.removeprefix(said))
        end = slot.end
    return Coded("".join([*parts, clean[end:]]), tuple(values))


@dataclass(frozen=True)
class Template:
    """One pattern of one intent."""

    intent: type[Intent]
    pattern: str
    regex: re.Pattern[str]
    kinds: Mapping[str, str]  # slot → kind; "text" for any words

    @property
    def weight(self) -> tuple[int, int]:
        """More literal words first, then more slots: "bill X Y monthly" before "bill X Y"."""
        return len(_SLOT.sub("", self.pattern).split()), len(self.kinds)

    @cached_property
    def word(self) -> str:
        """A word that no message of this form is without, "" where there is none."""
        words = re.findall(r"[a-z]{3,}", _SLOT.sub(" ", self.pattern).lower())
        return max((word for word in words if not re.fullmatch(_SMALL, word)), key=len, default="")

    @cached_property
    def is_loose(self) -> bool:
        """Whether it takes words that could be anything: "schedule {topic} for {when}"."""
        return any(
            kind == "text"
            and name not in {"card", "task"}
            and not _CONTENT.search(self.pattern.split(f"{{{name}}}")[0])
            for name, kind in self.kinds.items()
        )


def forms(intent: type[Intent]) -> tuple[str, ...]:
    """Return the patterns of an intent: those that it declares, and how it is said in each language there is a file for."""
    others = (form for code in codes() for form in language(code).said.get(intent.id(), ()))
    return tuple(dict.fromkeys((*intent.patterns, *others)))


def templates(intents: Iterable[type[Intent]]) -> list[Template]:
    """Return every pattern, the most specific first.

    Raises:
        ValueError: A pattern names a slot that its intent does not have.
    """
    found = []
    for intent in intents:
        for pattern in forms(intent):
            names = _SLOT.findall(pattern)
            unknown = [name for name in names if name not in intent.model_fields]
            if unknown:
                raise ValueError(f"The pattern {pattern!r} of {intent.id()} names {unknown[0]!r}, none of its slots.")
            kinds = {name: kind_of(intent.model_fields[name]) for name in names}
            found.append(Template(intent, pattern, _compiled(pattern, kinds), kinds))
    return sorted(found, key=lambda template: template.weight, reverse=True)


def _compiled(pattern: str, kinds: Mapping[str, str]) -> re.Pattern[str]:
    parts = []
    pieces = _SLOT.split(pattern)
    for index, piece in enumerate(pieces):
        if index % 2:
            parts.append(f"(?P<{piece}>{_taken(piece, kinds[piece])})")
            continue
        words = re.escape(piece).replace(r"\ ", r"\s+").replace("'", "['’]?").replace(",", r"\s*,?")
        if index + 1 < len(pieces) and kinds[pieces[index + 1]] in WIDER:
            words = re.sub(rf"({_SMALL}\\s\+)$", r"(?:\1)?", words)
        parts.append(words)
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)


def _taken(name: str, kind: str) -> str:
    """The regex of what a slot takes: one value of a kind that can fill it, a name, a card's number, or any words."""
    if name in {"card", "task"}:
        return rf"(?:(?:card|task)\s+)?(?:{CARD.pattern}|[{_CODES['number']}{_CODES['money']}{_CODES['invoice']}])"
    if kind == "client":
        return rf"{_CODES['client']}(?:['’]s)?|[^{_CODES['money']}-{_CODES['url']}{_CODES['client']}]+?"
    if kind in WIDER:
        return "[" + "".join(_CODES[wider] for wider in WIDER[kind]) + "]"
    return r"\S(?:.*?\S)?"


LEAD = 2  # letters: enough to leave nine of ten patterns aside


@dataclass(frozen=True)
class Shelf:
    """Patterns by the letters that they must begin with and a word they hold, so that a message is held against few of them."""

    by_lead: Mapping[str, tuple[Template, ...]]
    others: tuple[Template, ...]  # what any message may fit

    @classmethod
    def of(cls, found: Sequence[Template]) -> Shelf:
        """Return them in their order."""
        leads = [_lead(template) for template in found]
        shelves = {
            lead: tuple(template for template, own in zip(found, leads, strict=True) if own in {"", lead})
            for lead in {"", *leads}
        }
        return cls(shelves, shelves[""])

    def might_fit(self, message: Coded) -> list[Template]:
        """Return every pattern that the message may have the form of, the most specific first."""
        said = lowered(message.text)
        return [template for template in self.by_lead.get(said[:LEAD], self.others) if template.word in said]


def _lead(template: Template) -> str:
    """Return the letters that a message of this form begins with, "" where it may begin with anything."""
    begins = re.match(rf"[a-z]{{{LEAD}}}(?![?*+{{])", template.regex.pattern.lower())
    return begins[0] if begins else ""


def fits(template: Template, message: Coded) -> dict[str, str] | None:
    """Return slot → words when the whole message has this form, else None."""
    match = template.regex.fullmatch(message.text)
    if match is None:
        return None
    if any(_holds_values(template, name, match) for name, kind in template.kinds.items() if kind == "text"):
        return None
    words = {name: message.plain(*match.span(name)) for name in template.kinds}
    if _runs_together(template, words, message.text, match):
        return None
    for name, said in words.items():
        if name in {"card", "task"} and not CARD.fullmatch(re.sub(r"^(?:card|task)\s+", "", said)):
            return None
        if template.kinds[name] == "client" and (
            not 1 <= len(said.split()) <= WORDS_OF_NAME_MAX
            or _NO_NAME.search(said)
            or not _NO_NAMES.isdisjoint(said.lower().split())
        ):
            return None
    return words


def _runs_together(template: Template, words: Mapping[str, str], text: str, match: re.Match[str]) -> bool:
    """Whether nobody can say where an unknown name ends and what is said begins: "tell fernwood pottery we moved"."""
    touching = _TOUCHING.search(template.pattern)
    if touching is None or template.kinds[touching[1]] != "client" or template.kinds[touching[2]] != "text":
        return False
    is_known = text[match.end(touching[1]) - 1] == _CODES["client"]
    return not is_known and (not words[touching[1]].istitle() or words[touching[2]][:1].isupper())


_TIMES = frozenset(_CODES[kind] for kind in ("day", "moment", "every", "period"))
_CONTENT = re.compile(
    r"(?:\bthat|:|\bbecause|\bfyi|\bnow on|\bforget|\bmemory|\babout|\bto"
    + "".join(rf"|\b(?:{each})" for each in (language(code).content for code in codes()) if each)
    + r")\s*$",
    re.IGNORECASE,
)


def _holds_values(template: Template, name: str, match: re.Match[str]) -> bool:
    """Whether plain words end in a time or hold a client, which a better reading would put into a slot.

    What follows "that" or a colon is somebody's words and may hold anything.
    """
    words = match[name]
    if _CONTENT.search(template.pattern.split(f"{{{name}}}")[0]):
        return False
    names = (
        _CODES["client"] in words
        and "client" not in template.kinds.values()
        and "client" in slots_of(template.intent).values()
    )
    is_what = name == "what" and "period" not in slots_of(template.intent).values() and words[-1] == _CODES["period"]
    return (words[-1] in _TIMES and not is_what) or names
