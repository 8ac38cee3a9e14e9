"""How a question is read, and how a record is scored against it. Pure: words, times and numbers in, numbers out.

Every score is a sum of named terms, each shown with its value. The weights are parameters; the defaults were tuned on
half of ``tests/bench/company`` and are reported on the other half (``python -m tests.bench.recall_quality``).

What measured best: words and vectors each count half; names are taken out of the question and asked of the columns
instead; a neighbour's score helps (the answer to "and the price?" does not name the price); no decay with age, for an
old promise is still a promise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

Mode = Literal["current", "history"]

WORDS_MAX = 32  # words of a question that are looked up: a pasted page is not a question

_STOP_WORDS = """
a about after again all also am an and any are as at be because been before being between both but by can could did do
does doing done down during each few for from further get give go going got had has have having he her here hers him
his how i if in into is it its itself just know let like long made make many may me might mine more most much must my
no nor not now of off on once one only or other our ours out over own please said say says shall she should since so
some such tell than that the their theirs them then there these they thing this those through time to told too under
until up us use very want wants was we well were what when where which while who whom whose why will with would you
your yours yet ago ever exactly anyone anything someone something still
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
HISTORY = re.compile(
    r"\b(history|originally|original|formerly|previous|previously|used to|earlier|at first|initially"
    r"|before (it|that|they|we|he|she)|changed?|changes|old|until (then|when)|over time"
    r"|first (say|said|ask|asked|want|wanted|quote|quoted)|when did)\b",
    re.IGNORECASE,
)
MONTHS = {
    name: number
    for number, several in enumerate(
        (
            "january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
            "september sept sep", "october oct", "november nov", "december dec",
        ),
        1,
    )
    for name in several.split()
}  # fmt: skip
_MONTH = "(" + "|".join(sorted(MONTHS, key=len, reverse=True)) + r")\.?"
_ISO = re.compile(r"\b(20\d\d|19\d\d)-(\d\d)(?:-(\d\d))?\b")
_DAY_MONTH = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? {_MONTH}(?:,? ((?:19|20)\d\d))?\b", re.IGNORECASE)
_MONTH_DAY = re.compile(rf"\b{_MONTH} (\d{{1,2}})(?:st|nd|rd|th)?\b(?:,? ((?:19|20)\d\d))?", re.IGNORECASE)
_MONTH_YEAR = re.compile(rf"\b{_MONTH},? (?:of )?((?:19|20)\d\d)\b", re.IGNORECASE)
# "may" and "march" alone are verbs as often as months: a preposition tells.
_IN_MONTH = re.compile(
    rf"\b(?:in|during|since|by|of|until|this|last|early|mid|late|end of|back in) {_MONTH}(?![a-z])", re.IGNORECASE
)
_YEAR = re.compile(r"\b(?:in|during|since|of|until) ((?:19|20)\d\d)\b", re.IGNORECASE)
_QUARTER = re.compile(r"\bq([1-4])(?:[ /-]?((?:19|20)\d\d))?\b", re.IGNORECASE)
_RELATIVE = re.compile(
    r"\b(today|yesterday|this week|last week|this month|last month|this year|last year)\b", re.IGNORECASE
)
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Weights:
    """What each term of a score is worth. Words and vectors are 1 at their best."""

    dense: float = 1.0
    lexical: float = 0.85
    window: float = 0.3  # the vector of a turn together with its neighbours
    window_share: float = 0.5  # how much each neighbour weighs in that vector
    neighbour: float = 0.4
    neighbour_reach: int = 2  # turns
    who: float = 0.7  # it was said by somebody the question names
    whose: float = 1.6  # it is about a client the question names
    named: float = 0.25  # a name of the question stands in the text
    when: float = 0.9
    question: float = 0.3  # taken away: a question is rarely the evidence
    operator: float = 0.05  # what the operator wrote, when nobody is named


DEFAULT = Weights()


@dataclass(frozen=True, slots=True)
class Day:
    """A date as far as it was said: "in March" has a month and nothing else."""

    year: int | None = None
    month: int | None = None
    day: int | None = None
    quarter: int | None = None

    def holds(self, when: datetime) -> bool:
        """Return whether a time lies in it."""
        return (
            self.year in (None, when.year)
            and self.month in (None, when.month)
            and self.day in (None, when.day)
            and self.quarter in (None, (when.month + 2) // 3)
        )


@dataclass(frozen=True, slots=True)
class Period:
    """From a time up to another."""

    start: datetime
    end: datetime

    def holds(self, when: datetime) -> bool:
        """Return whether a time lies in it."""
        return self.start <= when < self.end


@dataclass(frozen=True, slots=True)
class Question:
    """A question taken apart."""

    raw: str
    topic: str  # without the names: what the vector is made from
    words: tuple[str, ...]  # without stop words and names: what is looked up
    names: tuple[str, ...]  # the names of the house that occur in it, as they are written there
    times: tuple[Day | Period, ...]
    mode: Mode

    @property
    def asked(self) -> frozenset[str]:
        """The names in lower case."""
        return frozenset(name.lower() for name in self.names)

    def holds(self, when: datetime | None) -> bool:
        """Return whether a time lies in one that the question names."""
        return when is not None and any(time.holds(when) for time in self.times)


def read(raw: str, names: Iterable[str], now: datetime | None = None) -> Question:
    """Take a question apart.

    Args:
        raw: As it was asked.
        names: The names people and clients go by in this store.
        now: What "last week" counts from; None leaves such words alone.
    """
    tokens = [match.group().lower() for match in _WORD.finditer(raw)]
    meant, parts = _names_in(raw, tokens, names)
    words = tuple(dict.fromkeys(token for token in tokens if _counts(token) and token not in parts))
    topic = _without(raw, parts)
    mode: Mode = "history" if HISTORY.search(raw) else "current"
    return Question(raw, topic, words[:WORDS_MAX], meant, _times(raw, now), mode)


def _counts(token: str) -> bool:
    return token not in STOP_WORDS and (len(token) > 1 or token.isdigit())


def _names_in(raw: str, tokens: Sequence[str], names: Iterable[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the names that occur, and the words they occur as. A full name may be meant by any of its words."""
    present, capital = (
        set(tokens),
        {match.group().lower() for match in _WORD.finditer(raw) if match.group()[0].isupper()},
    )
    meant, parts = [], set()
    for name in names:
        words = [match.group().lower() for match in _WORD.finditer(name)]
        if not words:
            continue
        if all(word in present for word in words) and (len(words) > 1 or words[0] not in STOP_WORDS):
            meant.append(name)
            parts.update(words)
        # One word of several must look like a name: "rose" is no Rose Lang.
        elif used := [word for word in words if word in capital and len(word) > 2 and word not in STOP_WORDS]:  # noqa: PLR2004
            meant.append(name)
            parts.update(used)
    return tuple(meant), frozenset(parts)


def _without(raw: str, parts: frozenset[str]) -> str:
    if not parts:
        return raw
    bare = re.sub(r"\b(" + "|".join(sorted(map(re.escape, parts))) + r")\b(['’]s)?", " ", raw, flags=re.IGNORECASE)
    bare = " ".join(bare.split())
    return bare if any(_counts(match.group().lower()) for match in _WORD.finditer(bare)) else raw


def _times(raw: str, now: datetime | None) -> tuple[Day | Period, ...]:
    found: list[Day | Period] = []
    for year, month, day in _ISO.findall(raw):
        found.append(Day(int(year), int(month), int(day) if day else None))
    for day, month, year in _DAY_MONTH.findall(raw):
        found.append(Day(int(year) if year else None, MONTHS[month.lower()], int(day)))
    for month, day, year in _MONTH_DAY.findall(raw):
        found.append(Day(int(year) if year else None, MONTHS[month.lower()], int(day)))
    if not found:
        found = [Day(int(year), MONTHS[month.lower()]) for month, year in _MONTH_YEAR.findall(raw)]
    if not found:
        found = [Day(None, MONTHS[month.lower()]) for month in _IN_MONTH.findall(raw)]
    if not found:
        found = [Day(int(year) if year else None, quarter=int(quarter)) for quarter, year in _QUARTER.findall(raw)]
    if not found:
        found = [Day(int(year)) for year in _YEAR.findall(raw)]
    if now is not None:
        found += [_relative(words.lower(), now) for words in _RELATIVE.findall(raw)]
    return tuple(found)


def _relative(words: str, now: datetime) -> Period:
    now = now.astimezone(UTC)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    monday = today - timedelta(days=today.weekday())
    first = today.replace(day=1)
    year = first.replace(month=1)
    periods = {
        "today": (today, today + timedelta(days=1)),
        "yesterday": (today - timedelta(days=1), today),
        "this week": (monday, monday + timedelta(days=7)),
        "last week": (monday - timedelta(days=7), monday),
        "this month": (first, (first + timedelta(days=32)).replace(day=1)),
        "last month": ((first - timedelta(days=1)).replace(day=1), first),
        "this year": (year, year.replace(year=year.year + 1)),
        "last year": (year.replace(year=year.year - 1), year),
    }
    return Period(*periods[words])


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one candidate before it is scored."""

    cosine: float = 0.0
    bm25: float = 0.0
    window: float = 0.0  # cosine with the turn and its neighbours together
    speaker: bool = False  # who said it is named in the question
    client: bool = False  # whose it is, is
    named: bool = False  # its text has a name of the question
    timely: bool = False
    asks: bool = False
    operator: bool = False


def score(
    evidence: dict[int, Evidence], beside: dict[int, list[int]], question: Question, weights: Weights
) -> dict[int, dict[str, float]]:
    """Return each candidate's terms by name; their sum is its score.

    Args:
        evidence: By id.
        beside: The neighbours of an id, those in ``evidence`` only.
        question: What is asked.
        weights: What each term is worth.
    """
    top_cosine = max((e.cosine for e in evidence.values()), default=0.0)
    top_window = max((e.window for e in evidence.values()), default=0.0)
    top_bm25 = max((e.bm25 for e in evidence.values()), default=0.0)
    terms: dict[int, dict[str, float]] = {}
    base: dict[int, float] = {}
    for id_, e in evidence.items():
        own = {
            "meaning": weights.dense * _share(e.cosine, top_cosine),
            "words": weights.lexical * _share(e.bm25, top_bm25),
            "window": weights.window * _share(e.window, top_window),
        }
        terms[id_] = own
        base[id_] = sum(own.values())
    for id_, e in evidence.items():
        more = {
            "neighbour": weights.neighbour * max((base[other] for other in beside.get(id_, ())), default=0.0),
            "who": weights.who * e.speaker,
            "whose": weights.whose * e.client,
            "named": weights.named * e.named,
            "when": weights.when * e.timely,
            "question": -weights.question * e.asks,
            "operator": weights.operator * (e.operator and not question.names),
        }
        terms[id_].update(more)
    return {id_: {name: value for name, value in several.items() if value} for id_, several in terms.items()}


def _share(value: float, top: float) -> float:
    return max(value, 0.0) / top if top > 0 else 0.0
