"""From typed spans to the slots of one intent. What is ambiguous or missing becomes a question, never a guess."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from agents.base import Intent, Risk
from agents.slots import Money, Period, Slot, Span, Terms, morning_of
from agents.slots.language import codes, language
from agents.slots.terms import DAYS_MAX
from bot.reading.hours import is_lone
from bot.reading.names import proper_names
from bot.reading.slotkinds import WIDER, choices_of, slots_of
from memory.events import Json

_CARD = re.compile(r"(?<![\w.])#?(\d+\.\d+(?:\.\d+)?|\d+)(?![\w.]|\.\d)")
_QUOTED = re.compile(r"[\"“”„«]([^\"“”„«»]+)[\"“”»]|(?<!\w)'([^']{3,})'(?!\w)")
_LEAD = {
    "reason": r"(?:because|since|reason:?|as)\s+(.+)",
    "scope": r"(?:pause|resume|stop|hold|halt|suspend|continue|unpause|freeze)\s+(?:all |the |sending )?(.+)",
}
_FREE = frozenset({"what", "query", "topic", "text", "goal", "question"})
_TIMES = frozenset({"day", "moment", "every", "span"})
_NO_THING = re.compile(
    r"^(?:(?:the|an?)|(?:with|and|about|to|over|in|by|paid|has|have|owes|sent|transferred|wants|gets?)\b.*)?$|^\W*$",
    re.IGNORECASE,
)
"""What stands there and is no thing that is sold."""
_PAPER = re.compile(
    r"^(?:(?:an?|the|another)?\s*(?:invoice|bill|proposal|quote|offer|estimate|refund|payment link|link|reminder)\b)?\s*(?:(?:for|over|of|on|about)\b|:)?",
    re.IGNORECASE,
)
"""The paper that is asked for, before what it is about: "an invoice for the logo"."""
_JOINTS = "|".join(re.escape(word) for code in codes() for word in language(code).small) or "(?!)"
_ARTICLE = re.compile(
    rf"^(?:{'|'.join(filter(None, (language(code).articles for code in codes()))) or '(?!)'})\s+(?=\S)", re.IGNORECASE
)
_PRICES = frozenset({"money", "number", "terms"})
_LISTED = _PRICES | {"email", "url", "vat", "every"}
_LEFT_OVER = re.compile(r"\s+(?:starting|beginning|due|from|by|on|until|for|at|to|with|of)$", re.IGNORECASE)
_EDGES = " .,!?:;\n"
_LEAD_WORDS = 3  # words before a time that is still at the edge of a request
_FOR_WORDS = re.compile(
    r"(?:\b(?:to|that|about|on|regarding|saying|called|named|for|of)\b|:)\s+(?=(.+))",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Fitted:
    """Slots as canonical JSON, what had to be assumed, and what must still be asked."""

    slots: dict[str, Json] = field(default_factory=dict)
    assumed: tuple[str, ...] = ()
    ask: str = ""
    missing: str = ""  # the slot that the question is about


@dataclass
class _Work:
    """One message being fitted to one intent; spans are used up as slots are filled."""

    intent: type[Intent]
    text: str
    spans: list[Slot]
    zone: ZoneInfo
    currency: str
    today: date
    values: tuple[Slot, ...] = ()  # every span, used up or not
    times: tuple[Slot, ...] = ()  # those of time
    slots: dict[str, Json] = field(default_factory=dict)
    assumed: list[str] = field(default_factory=list)
    ask: str = ""
    missing: str = ""

    def question(self, slot: str, words: str) -> None:
        if not self.ask:
            self.ask, self.missing = words, slot


def fit(
    intent: type[Intent],
    text: str,
    spans: Sequence[Slot],
    now: datetime,
    zone: ZoneInfo,
    currency: str,
    said: dict[str, str] | None = None,
) -> Fitted:
    """Fill an intent's slots.

    Args:
        intent: Whose slots.
        text: The message, without the command word.
        spans: Its typed spans and client names, by position in ``text``.
        now: An aware moment.
        zone: Where the operator lives.
        currency: What an amount without a currency is in.
        said: Slot → the words a template put there; they win.
    """
    ordered = sorted(spans, key=lambda slot: slot.start)
    times = tuple(slot for slot in ordered if slot.kind in _TIMES)
    kinds = slots_of(intent)
    # "for March" says what is billed, not when it is to be paid
    held = [words for slot, words in (said or {}).items() if kinds.get(slot) == "text"]
    free = [slot for slot in ordered if slot.kind != "period" or not any(_holds(words, slot) for words in held)]
    work = _Work(intent, text, free, zone, currency, now.astimezone(zone).date(), tuple(ordered), times)
    given = _homed(kinds, said or {}, times)
    for exactly in (True, False):
        for name, kind in kinds.items():
            if kind in WIDER and name not in work.slots and name != work.missing:
                _typed(work, name, WIDER[kind][:1] if exactly else WIDER[kind], given.get(name))
    _terms_of_span(work)
    for name, kind in kinds.items():
        if name in work.slots or kind in WIDER:
            continue
        if name in {"card", "task"}:
            _card(work, name)
        elif kind == "choice":
            _choice(work, name)
        elif kind == "text":
            _words(work, name, given.get(name))
    return _checked(work)


def _holds(words: str, slot: Slot) -> bool:
    return any(part and part.strip() in words for part in _spellings(slot))


def _homed(kinds: dict[str, str], said: dict[str, str], times: Sequence[Slot]) -> dict[str, str]:
    """Words that are a day go to the slot for days, where a template only knew one for moments."""
    homes = [name for name, kind in kinds.items() if kind == "day" and name not in said]
    moved = {}
    for name, words in said.items():
        is_day = any(slot.kind == "day" and slot.text.strip() == words.strip() for slot in times)
        moved[homes[0] if kinds[name] == "moment" and homes and is_day else name] = words
    return moved


def _typed(work: _Work, name: str, wider: Sequence[str], said: str | None) -> None:
    kind = slots_of(work.intent)[name]
    if kind == "client" and said:
        work.slots[name] = re.split(r"['’]s\s", said)[0].strip(" ,.'’")  # "Acme's mail" names Acme
        work.spans = [slot for slot in work.spans if slot.kind != "client" or slot.text not in said]
        return
    found = _candidates(work, kind, wider, said)
    if kind == "client" and not found:
        _unknown(work, name)
        return
    if not found:
        return
    if kind == "money" and len({str(slot.value) for slot in found}) > 1:
        listed = " or ".join(slot.text.strip() for slot in found[:3])
        work.question(name, f"Which amount is it: {listed}?")
        return
    slot = _with_day(work, kind, _best(work, name, found))
    work.spans = [other for other in work.spans if other.start != slot.start]
    if slot.value is None:
        work.question(name, slot.ask)
        return
    value, assumed = _converted(slot, kind, work)
    if name == "due" and str(value) < work.today.isoformat():
        return  # "for the shoot yesterday" says what is billed, not when it is to be paid
    if name == "past_day" and (str(value) >= work.today.isoformat() or _SINCE.search(work.text[: slot.end])):
        return  # "good morning", "today" and "since yesterday" ask for the letter, which looks back by itself
    if value is not None:
        work.slots[name] = value
        work.assumed += [*slot.assumed, *assumed]


def _unknown(work: _Work, name: str) -> None:
    """Fill a client slot with a name that is on no book: written like one, or what a required one must stand for."""
    proper = [slot for slot in proper_names(work.text, work.spans) if not _CLOSING.search(work.text[: slot.start])]
    proper = [slot for slot in proper if not _CLOSING.fullmatch(slot.text)]
    if proper:
        work.slots[name] = proper[0].text
        work.spans.append(proper[0])
    elif work.intent.model_fields[name].is_required():
        ends = min((slot.start for slot in work.values if slot.start), default=len(work.text))
        match = _FOR_WHOM.search(work.text[:ends].rstrip(_EDGES))
        if match and len(match[1].split()) <= _NAME_WORDS_MAX:
            work.slots[name] = match[1].strip()


def _terms_of_span(work: _Work) -> None:
    """A number of days after a comma says when to pay ("18,000, 30 days"); "3 days at 800" says what was done."""
    kinds = slots_of(work.intent)
    for name, kind in kinds.items():
        if kind != "terms" or name in work.slots or "span" in kinds.values():
            continue
        for slot in work.spans:
            at_end = work.text[: slot.start].rstrip().endswith(",") and not work.text[slot.end :].strip(_EDGES)
            if at_end and (days := _whole_days(slot)):
                work.slots[name] = str(Terms(days))


def _whole_days(slot: Slot) -> int:
    """Return how many days a span is that could be terms, 0 for none."""
    span = slot.value
    is_days = isinstance(span, Span) and not span.months and not span.minutes
    return span.days if is_days and isinstance(span, Span) and span.days <= DAYS_MAX else 0


def _candidates(work: _Work, kind: str, kinds: Sequence[str], said: str | None) -> list[Slot]:
    for wider in kinds:
        found = [slot for slot in work.spans if slot.kind == wider and (said is None or slot.text.strip() in said)]
        if wider == "number":
            found = [slot for slot in found if _is_bare_value(work, slot, kind)]
            if len(found) == 1 and _STREET.search(work.text[: found[0].start]):
                found = []  # a house's
            if kind == "money" and len(found) > 1:
                found = [max(found, key=lambda slot: slot.value if isinstance(slot.value, Decimal) else Decimal(0))]
                if len([s for s in work.spans if s.kind == "number" and _is_bare_value(work, s, kind)]) > 1:
                    found = [replace(found[0], value=None, ask="Which number is the amount?")]
        if wider == "period" and kind in {
            "day",
            "moment",
        }:  # "next week" has a first day; "the March retainer" is no date
            found = [slot for slot in found if isinstance(slot.value, Period) and slot.value.first > work.today]
        if wider == "terms" and kind == "day":
            found = [
                slot for slot in found if isinstance(slot.value, Terms) and (slot.value.day or _is_month_end(slot))
            ]
            if "terms" in slots_of(work.intent).values():
                found = []
        if found:
            return found
    return []


def _is_month_end(slot: Slot) -> bool:
    """Whether it is a bare "eom", which is a day where nothing is to be paid."""
    return slot.text.strip().lower() == "eom"


_COUNTED = re.compile(
    r"\s*(?:x\b|×|times|items?|people|persons?|clients?|posts?|pages?|hours?|units?|pcs|licen[cs]es)", re.IGNORECASE
)
_NUMBERED = re.compile(
    r"(?:invoice|inv|no\.?|nr\.?|number|#|task|card|phase|version|part|room|milestone|week)\s*$", re.IGNORECASE
)
_STREET = re.compile(
    r"\w*(?:street|road|lane|avenue|square|strasse|straße|str\.|weg|platz|allee|gasse)\s*$", re.IGNORECASE
)
_POSTCODE = re.compile(r"\d{4,5}\s+[A-ZÄÖÜ]\w+")
_TOWN = re.compile(r"(?:,|\d|\bin|\bto|\baddress\b.*)\s*$")
_SINCE = re.compile(r"\bsince\b", re.IGNORECASE)
_CLOSING = re.compile(r"\b(?:best|cheers|regards|wishes|thanks|love|yours|sincerely)\b,?\s*$", re.IGNORECASE)
_FOR_WHOM = re.compile(
    r"\b(?:for|to|with|of|at)\s+(?!(?:the|a|an|my|our|all|every\w*|me|us|it|this|that)\b)([^\W\d_][\w&'’ -]*)$",
    re.IGNORECASE,
)
_NAME_WORDS_MAX = 3
_SO_FAR = re.compile(r"\s*,?\s*so far\b", re.IGNORECASE)


def _is_bare_value(work: _Work, slot: Slot, kind: str) -> bool:
    """Whether a plain number can be an amount, or an invoice's number; "3 licences" and "phase 2" are neither."""
    before, after = work.text[: slot.start], work.text[slot.end :]
    if _STREET.search(before) or (_POSTCODE.match(slot.text.strip() + after) and _TOWN.search(before)):
        return False
    if kind == "invoice":
        return re.search(r"(?:invoice|inv|bill|no\.?|nr\.?|number|#)\s*$", before, re.IGNORECASE) is not None
    if kind == "int":
        return True
    if "invoice" not in slots_of(work.intent).values():
        before = re.sub(r"(?:invoice|inv|bill)\s*$", "", before, flags=re.IGNORECASE)
    return _COUNTED.match(after) is None and _NUMBERED.search(before) is None


def _best(work: _Work, name: str, found: list[Slot]) -> Slot:
    """Several of one kind: for what is moved, the goal; else the first."""
    if len(found) > 1 and slots_of(work.intent)[name] in {"moment", "day"}:
        for slot in found:
            if re.search(
                r"\b(?:to|until|till|auf)\s+$", work.text[: slot.start], re.IGNORECASE
            ) or slot.text.lower().startswith("to "):
                return slot
    return found[0]


def _with_day(work: _Work, kind: str, slot: Slot) -> Slot:
    """Put an hour and a day together that stand apart in a request for a meeting: "3pm meeting with Bob on Tuesday"."""
    days = [each for each in work.spans if each.kind == "day" and isinstance(each.value, date)]
    if kind != "moment" or work.intent.effect is not Risk.OUTSIDE or len(days) != 1 or not is_lone(slot):
        return slot
    assert isinstance(slot.value, datetime)
    assert isinstance(days[0].value, date)
    clock = slot.value.astimezone(work.zone).time()
    work.spans = [each for each in work.spans if each is not days[0]]
    return replace(slot, value=datetime.combine(days[0].value, clock, tzinfo=work.zone), assumed=())


def _converted(slot: Slot, kind: str, work: _Work) -> tuple[Json, list[str]]:
    value = slot.value
    if kind == "money":
        money = value if isinstance(value, Money) else Money(Decimal(str(value)))
        if money.amount <= 0:
            return None, []
        said = [] if money.currency or not work.currency else [f"{slot.text.strip()} read as {work.currency}."]
        return str(money.in_currency(work.currency)), said
    if kind == "day":
        if isinstance(value, datetime):
            return value.astimezone(work.zone).date().isoformat(), []
        if isinstance(value, Period):
            return value.first.isoformat(), [f"{slot.text.strip()} read as {value.first.isoformat()}."]
        if isinstance(value, Terms):
            return value.due(work.today).isoformat(), []
    if kind == "moment" and isinstance(value, date | Period):
        if isinstance(value, datetime):
            return value.isoformat(), []
        day = value.first if isinstance(value, Period) else value
        return morning_of(day, work.zone).isoformat(), [f"{slot.text.strip()} read as 09:00 on {day.isoformat()}."]
    if kind == "period" and isinstance(value, Period) and work.today in value and _SO_FAR.match(work.text, slot.end):
        return str(Period(value.first, work.today)), []
    if kind == "period" and isinstance(value, date):
        day = value.date() if isinstance(value, datetime) else value
        return str(Period(day, day)), []
    if kind == "int":
        return (int(value), []) if isinstance(value, Decimal) and value == int(value) else (None, [])
    if isinstance(value, date):
        return value.isoformat(), []
    return str(value), []


def _card(work: _Work, name: str) -> None:
    for match in _CARD.finditer(work.text):
        hour = any(slot.start <= match.start(1) < slot.end for slot in work.times)
        if not hour or "." in match[1]:  # "until tomorrow at 9" names no card; "12.1" is one, and no day in January
            work.slots[name] = match[1]
            return


def _choice(work: _Work, name: str) -> None:
    for choice in choices_of(work.intent.model_fields[name]):
        if choice and re.search(rf"(?<!\w){re.escape(choice)}s?(?!\w)", work.text.replace("_", " "), re.IGNORECASE):
            work.slots[name] = choice
            return


def _words(work: _Work, name: str, said: str | None) -> None:
    """Fill a slot of plain words: a template's words, a quotation, or what follows "to", "about", ":"."""
    text = said or ""
    required = work.intent.model_fields[name].is_required()
    if text and name == "name":
        text = _before_values(work, text)
    if not text and name == "name":
        names = [*(slot for slot in work.spans if slot.kind == "client"), *proper_names(work.text, work.spans)]
        text = names[0].text if names else ""
    elif not text and name in _LEAD:
        match = re.search(_LEAD[name], work.text, re.IGNORECASE)
        text = match[1] if match else ""
    elif not text and (required or name in _FREE):
        quoted = _QUOTED.search(work.text)
        text = (quoted[1] or quoted[2]) if quoted else ""
        text = text or (_own(work, name) if required else "") or (_thing(work) if name == "what" else "")
        text = text or _LEFT_OVER.sub("", _rest(work, required=required))
    if name == "what" and "money" in slots_of(work.intent).values():
        text = _ARTICLE.sub("", text.strip(_EDGES))  # "den März" and "die Beratung" stand on no invoice so
    if text.strip(_EDGES):
        work.slots[name] = text.strip(_EDGES)


def _before_values(work: _Work, words: str) -> str:
    """A name without what was listed after it: "Pinehill Farm, hello@pinehill.example, net 30"."""
    listed = [words.find(slot.text) for slot in work.values if slot.kind in _LISTED and slot.text in words]
    return words[: min(listed, default=len(words))].strip(_EDGES) or words


def _own(work: _Work, name: str) -> str:
    """What follows the words that a request of this kind begins with: "remember *Globex wants paper to be sent to ...*"."""
    leads = [
        p.removesuffix(f"{{{name}}}") for p in work.intent.patterns if p.endswith(f"{{{name}}}") and p.count("{") == 1
    ]
    said = work.text.casefold()
    fitting = [lead for lead in leads if lead and said.startswith(lead.casefold())]
    return work.text[len(max(fitting, key=len)) :].strip() if fitting else ""


def _rest(work: _Work, *, required: bool) -> str:
    """What is left of the request without its first words and the times at its edges."""
    text = work.text
    timed = _TIMES & set(slots_of(work.intent).values())
    for slot in sorted(work.times if timed or not required else (), key=lambda slot: slot.start, reverse=True):
        before, after = text[: slot.start], text[slot.end :]
        if not after.strip(_EDGES) or len(before.split()) <= _LEAD_WORDS:  # "remind me on Friday to"
            text = f"{before.rstrip(' ,')} {after.lstrip(' ,')}".strip()
    for match in _FOR_WORDS.finditer(text):
        if not required and (_is_price(work, match[1]) or _in_price(work, match[0] + match[1].split()[0])):
            continue  # "a website for 4,000", "30% of 10k": for how much, not for what
        words = match[1].strip() if required else _clause(work, match[1])
        if words:
            return words
    return text.split(None, 1)[1] if required and len(text.split()) > 1 else ""


def _thing(work: _Work) -> str:
    """What is between whom and how much, or before whom: "propose Acme *a website* for 4,000", "*a logo* to Acme, 500"."""
    named = next((slot for slot in work.values if slot.kind == "client"), None)
    ends = [slot.start for slot in work.values if slot.kind in _PRICES and named and slot.start >= named.start]
    if named is None or not ends:
        return ""
    before = work.text[: named.start]
    if match := re.fullmatch(r"\W*\w+\s+(.+?)\s+(?:to|for)\s+", before):
        words = match[1]
    elif re.fullmatch(r"\W*\w+(?:\s+\w+)?\s+", before) and not re.search(r"\b(?:to|for|from|by|of|with)\s+$", before):
        words = work.text[named.end : min(ends)]
    else:
        return ""
    words = _PAPER.sub("", re.sub(r"^['’]s\b", "", words).strip(_EDGES)).strip(_EDGES)
    words = re.sub(rf"(?:\b(?:for|at|over|of|is|=|{_JOINTS})|[,:;-])\s*$", "", words, flags=re.IGNORECASE).strip(_EDGES)
    is_time = any(slot.text.strip() == words for slot in work.times)
    return "" if is_time or _NO_THING.search(words) else words


def _in_price(work: _Work, words: str) -> bool:
    return any(slot.kind in _PRICES and words in slot.text for slot in work.values)


def _is_price(work: _Work, words: str) -> bool:
    return any(slot.kind in _PRICES and words.startswith(slot.text.strip()) for slot in work.values)


def _clause(work: _Work, words: str) -> str:
    """What stands before the next value or comma; nothing when that is a name: "for Acme" says for whom, not what."""
    ends = [part for slot in work.values if not _modifies(work, slot) for part in _spellings(slot) if part]
    stops = [words.find(part) for part in ends if part in words]
    return re.split(r"[,;]", words[: min(stops, default=len(words))])[0].strip()


def _spellings(slot: Slot) -> tuple[str, str]:
    """A value may begin with the word before: "of last month"."""
    return slot.text, slot.text.partition(" ")[2]


def _modifies(work: _Work, slot: Slot) -> bool:
    """Whether a time or a client is part of a thing's name: "the March retainer", "the Acme site"."""
    before = work.text[: slot.start]
    return (
        slot.kind in {"period", "client"}
        and re.search(r"\b(?:the|our|my|an?|this)\s+$", before, re.IGNORECASE) is not None
    )


def _checked(work: _Work) -> Fitted:
    """Hold the slots to the intent's own types; a missing required one is asked for."""
    for name, info in work.intent.model_fields.items():
        if info.is_required() and name not in work.slots:
            work.question(name, work.intent.asks.get(name) or f"What is the {name.replace('_', ' ')}?")
    slots = dict(work.slots)
    if not work.ask:
        try:
            slots = work.intent.model_validate(slots).model_dump(mode="json", exclude_defaults=True)
        except ValidationError as error:
            name = str(error.errors()[0]["loc"][0])
            slots.pop(name, None)
            work.question(
                name, work.intent.asks.get(name) or f"I could not read the {name.replace('_', ' ')}. What is it?"
            )
    return Fitted(slots, tuple(dict.fromkeys(work.assumed)), work.ask, work.missing)
