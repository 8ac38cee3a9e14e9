"""Claims: what a text says of due days, meetings, deliveries, prices, shares and sources, against what the books say. Pure.

Each function yields one sentence for a claim that the books, the operator's words or the calls beside it do not bear.
`agents.verifier` puts them together; here nothing is known of recipients or papers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal

from agents.base import ActionCall, Desk, Record, Task, local_day
from agents.letter import day_words
from agents.mentions import amounts, days, papers, percents, sentence_at
from agents.slots import find_spans
from memory.events import Json

_WEEKDAY = r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch)"
_LEADS = rf"\s*(?:{_WEEKDAY},?\s*)?(?:the |den |dem )?$"
AHEAD = re.compile(
    rf"\b(?:by|until|before|no later than|bis(?: zum| spätestens)?|spätestens(?: am| zum)?|vor dem){_LEADS}",
    re.IGNORECASE,
)
"""What stands before a day that is still to come."""
_DUE = re.compile(rf"\b(?:due|payable|fällig|zahlbar)(?: (?:on|by|until|am|zum|bis(?: zum)?))?{_LEADS}", re.IGNORECASE)
_FALLS_DUE = re.compile(r"^\s*(?:fällig|zahlbar|zur zahlung)", re.IGNORECASE)
_TO_PAY = re.compile(r"\b(?:pay|settle|transfer|due|payable|zahl\w*|überweis\w*|begleich\w*|fällig)\b", re.IGNORECASE)
_WITHIN = re.compile(
    r"\b(?:within|in|innerhalb von|binnen|net|netto)\s+(\d{1,3})\s+(?:days|tagen?)\b|\b(?:net|netto)\s+(\d{1,3})\b",
    re.IGNORECASE,
)
_MEETS = re.compile(
    r"\b(?:our|the|unser(?:en|em)?|der|den|dem)\s+(?:meeting|call|review|kick-?off|appointment|termin|treffen|gespräch)\b",
    re.IGNORECASE,
)
_DELIVERS = re.compile(
    r"\b(?:will be (?:ready|done|finished|live|delivered)|go(?:es)? live|launch(?:es)?|we deliver|i deliver|hand over"
    r"|(?:ist|wird) (?:\w+ )?(?:fertig|geliefert)|liefer\w*|geht live)\b",
    re.IGNORECASE,
)
_OPEN = re.compile(
    r"\?|\b(?:could|would|propose|suggest|instead|move|moved|or|if|vorschlag\w*|verschieb\w*|statt|oder|falls)\b",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"\b(?:at|um)\s+(\d{1,2}):(\d{2})\b")
_RULE = re.compile(
    r"^(?:my|our|the)?\s*(?P<label>[a-zäöüß][\w äöüß-]{2,40}?)\s+(?:is|are|costs?|comes? to|=|beträgt|kostet|ist)\s+(?P<rest>.+)$",
    re.IGNORECASE,
)
_FIGURE = re.compile(r"(?<![\w.,])\d[\d.,]*\d|(?<![\w.,])\d(?![\w.])")
_UP = re.compile(
    r"\b(?:gr[eo]w\w*|rose|ris\w+|increas\w+|gain\w*|climb\w*|steig\w*|stieg\w*|w[au]chs\w*)\b", re.IGNORECASE
)
_DOWN = re.compile(
    r"\b(?:shr[aiu]nk\w*|f[ae]ll\w*|decreas\w+|declin\w+|dropp?\w*|sank|sink\w*|lost|fiel\w*|sank\w*|schrumpf\w*)\b",
    re.IGNORECASE,
)


def due(text: str, calls: Sequence[ActionCall], desk: Desk) -> Iterator[str]:
    """A letter about an invoice names the day on which that invoice is due, and no other."""
    named = [record for paper in papers(text) if (record := desk.record("invoice", paper))]
    known = {str(call.args.get("due") or "") for call in calls if call.name == "books.issue"}
    known |= {str(record.data["due"]) for record in named}
    known.discard("")
    if not known:
        return
    told = " or ".join(day_words(day) for day in sorted(known))
    for day in days(text, local_day(desk)):
        before, after = text[: day.start], text[day.start + len(day.words) :]
        to_pay = _TO_PAY.search(sentence_at(text, day.start)) and AHEAD.search(before)
        if day.day and day.day.isoformat() not in known and (_DUE.search(before) or _FALLS_DUE.match(after) or to_pay):
            yield f"It says due on {day.words}, and the invoice is due on {told}."
    for found in _WITHIN.finditer(text):
        said = int(found[1] or found[2])
        if _TO_PAY.search(sentence_at(text, found.start())) and said not in _terms(known, named, calls, desk):
            yield f"It asks to pay within {said} days, and the invoice is due on {told}."


def _terms(known: Iterable[str], named: Sequence[Record], calls: Sequence[ActionCall], desk: Desk) -> set[int]:
    begins = {local_day(desk), *(date.fromisoformat(str(r.data["issued"])) for r in named if r.data.get("issued"))}
    begins |= {date.fromisoformat(str(call.args["issued"])) for call in calls if call.args.get("issued")}
    return {(date.fromisoformat(day) - begin).days for day in known for begin in begins}


def appointed(text: str, calls: Sequence[ActionCall], task: Task, desk: Desk) -> Iterator[str]:
    """A meeting is named with the day and hour it is booked for, a delivery with the day it is planned for."""
    clients = {call.client for call in calls if call.client}
    free = _said_days(task, desk) | {day for call in calls for day in _days_in(dict(call.args))}
    meetings = [
        r for key in clients for r in desk.records("meeting", client=key) if r.data.get("status") != "cancelled"
    ]
    starts = {
        datetime.fromisoformat(str(r.data["start"])).astimezone(desk.zone) for r in meetings if r.data.get("start")
    }
    coming = {start for start in starts if start.date() >= local_day(desk)}
    projects = [r for key in clients for r in desk.records("project", client=key) if r.data.get("status") != "done"]
    planned = {day for record in projects for day in _days_in(dict(record.data))}
    for day in days(text, local_day(desk)):
        sentence = sentence_at(text, day.start)
        if day.day is None or day.day < local_day(desk) or day.day in free or _OPEN.search(sentence):
            continue
        if coming and _MEETS.search(sentence) and day.day not in {start.date() for start in coming}:
            yield f"It says {day.words}, and the meeting is on {_moments(coming)}."
        elif planned and _DELIVERS.search(sentence) and day.day not in planned:
            told = " or ".join(day_words(each.isoformat()) for each in sorted(planned) if each >= local_day(desk))
            yield f"It says {day.words}, and what is planned is {told or 'earlier'}."
        elif (at := _CLOCK.search(sentence)) and _MEETS.search(sentence):
            said = {(start.hour, start.minute) for start in coming if start.date() == day.day}
            if said and (int(at[1]), int(at[2])) not in said:
                yield f"It says {at[0].split()[-1]}, and the meeting is on {_moments(coming)}."


def _moments(starts: Iterable[datetime]) -> str:
    return " or ".join(f"{day_words(start.date().isoformat())}, {start:%H:%M}" for start in sorted(starts))


def _said_days(task: Task, desk: Desk) -> set[date]:
    spans = find_spans(f"{task.text}\n{task.guidance}", desk.now, desk.zone, desk.company.get("locale", "en"))
    values = [slot.value for slot in spans]
    return {value.date() if isinstance(value, datetime) else value for value in values if isinstance(value, date)}


def _days_in(value: Json) -> Iterator[date]:
    for each in flat(value):
        if re.match(r"\d{4}-\d\d-\d\d(?:T|$)", each):
            yield date.fromisoformat(each[:10])


def flat(value: Json) -> Iterator[str]:
    """Yield every value inside, as text."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from flat(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from flat(inner)
    elif value is not None:
        yield str(value)


def prices(text: str, client: str, task: Task, desk: Desk) -> Iterator[str]:
    """What a note of the operator's says something costs, it costs in the letter as well."""
    said = f"{task.text} {task.guidance}".casefold()
    own = [record for record in desk.records("fact") if str(record.data.get("client") or "") in {"", client}]
    for record in own:
        rule = str(record.data.get("text") or "").strip(" .")
        parts = _RULE.match(rule)
        label = parts["label"].casefold().strip() if parts else ""
        allowed = {*amounts(rule), *(share for share, _ in percents(rule))}
        theirs = any(
            str(r.data.get("client") or "") == client != "" for r in own if r is not record and label in str(r.data)
        )
        if not label or not allowed or label in said or (theirs and not record.data.get("client")):
            continue
        for found in re.finditer(rf"(?<!\w){re.escape(label)}(?!\w)", text, re.IGNORECASE):
            sentence = sentence_at(text, found.start())
            named = {*amounts(sentence), *(share for share, _ in percents(sentence))}
            if named and not named & allowed:
                yield f"Your note says: {rule}. The letter says: {sentence.strip()[:120]}"


def shares(text: str, known: Iterable[str], task: Task, desk: Desk) -> Iterator[str]:
    """A share of a hundred comes from a record, a note, a source or the operator's words."""
    found = list(percents(text))
    if not found:
        return
    allowed = {share for source in known for share, _ in percents(source)}
    allowed |= {Decimal(each).normalize() for each in re.findall(r"\d+(?:\.\d+)?", desk.company.get("vat_rate", ""))}
    allowed |= {share for share, _ in percents(f"{task.text} {task.guidance}")} | {Decimal(100), Decimal(0)}
    for share, words in found:
        if share not in allowed and f"{words} off" not in text:  # that is a promise, and told as one
            yield f"It says {words}, which no record, no note and no word of yours says."


def borne(text: str, sources: str) -> Iterator[str]:
    """A sentence with a mark, ``[1]``, says no figure that its source does not have, and does not turn it round."""
    if not sources.strip():
        return
    figures = set(_FIGURE.findall(sources))
    body = "\n".join(line for line in text.splitlines() if not re.match(r"\[\d{1,2}\] ", line))
    for mark in re.finditer(r"\[\d{1,2}\]", body):
        sentence = re.sub(r"\[\d{1,2}\]", "", sentence_at(body, mark.start()))
        said = set(_FIGURE.findall(sentence))
        if strange := sorted(said - figures):
            yield f"It cites {mark[0]} for {', '.join(strange)}, which the source does not say."
            continue
        there = [
            each for each in re.split(r"(?<=[.!?])\s+|\n", sources) if not said or said & set(_FIGURE.findall(each))
        ]
        turned = [(_UP, _DOWN), (_DOWN, _UP)]
        if any(
            one.search(sentence) and not other.search(sentence)
            and any(other.search(each) for each in there) and not any(one.search(each) for each in there)
            for one, other in turned
        ):  # fmt: skip
            yield f"It cites {mark[0]}, and the source says the opposite: {there[0].strip()[:120]}"
