"""The grammar: one message → its typed spans, in order, none overlapping another.

::

    find_spans("invoice Acme 1,200 net 14", now, ZoneInfo("Europe/Berlin"), "en_GB")
    # money 1200.00 "1,200" · terms net 14 "net 14"

Bare dates point to the future, and to the past in a sentence about the past ("paid on Tuesday"); which one was taken
is in ``assumed``. What can mean two things has no value and a question in ``ask``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo

from agents.slots import days, lengths, repeats
from agents.slots.addresses import EMAIL, INVOICE, ibans
from agents.slots.amounts import amounts
from agents.slots.days import MORNING, Context, plus
from agents.slots.every import Every
from agents.slots.language import Customs, Language, customs, language, lowered, spoken
from agents.slots.money import Money
from agents.slots.slot import Slot
from agents.slots.terms import Terms

TEXT_MAX = 4000  # characters read: longer than either chat lets a person type, and it bounds every pattern

RULES = {**days.RULES, **lengths.RULES, **repeats.RULES}
_URL = re.compile(r"https?://[^\s<>\"']+|(?<![\w@])www\.[^\s<>\"']+", re.IGNORECASE)
_NUMERIC_DATE = re.compile(
    r"(?<![\w.,/-])(?:(?P<iso>(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2}))|(?P<a>\d{1,2})(?P<sep>[./-])(?P<b>\d{1,2})(?P=sep)(?P<c>\d{4}|\d{2})|(?P<e>\d{1,2})\.(?P<f>\d{1,2})\.)(?![\w/-]|[.,]\d)"
)
_SLASHED = re.compile(r"(?<![\w.,/-])(?P<a>\d{1,2})/(?P<b>\d{1,2})(?![\w/-]|[.,]\d)")
_PERCENT = re.compile(r"(?<![\w.,])(\d{1,3}(?:[.,]\d{1,2})?)\s?(?:%|percent|per cent|prozent)(?!\w)", re.IGNORECASE)
_CENT = Decimal("0.01")
_PRODUCT_MAX = 1_000_000  # units times price; more is a typing slip


def find_spans(
    text: str,
    now: datetime,
    zone: ZoneInfo,
    locale: str = "en",
    *,
    prefer: Literal["future", "past"] | None = None,
) -> list[Slot]:
    """Return the typed spans of a message by position.

    Args:
        text: What was typed; read up to `TEXT_MAX` characters.
        now: Any aware moment.
        zone: Where the operator lives; "tomorrow" is tomorrow there.
        locale: ``"en_GB"``, ``"de_DE"``: order of day and month, decimal sign, language.
        prefer: Which way bare dates point; None: as the sentence says.
    """
    text = text[:TEXT_MAX]
    said = spoken(text, locale)
    words, habits = language(said), customs(locale if said == "en" else said)
    past = prefer == "past" or (prefer is None and re.search(words.past, text, re.IGNORECASE) is not None)
    context = Context(now.astimezone(zone), words, habits, "past" if past else "future")
    home = [] if said == locale else _vat(text, language(locale))  # "invoice Acme 500 zzgl. MwSt"
    fixed = _chosen([*_exact(text, context), *home])
    free = [slot for slot in _phrases(text, context) if not any(slot.overlaps(other) for other in fixed)]
    money = [slot for slot in amounts(text, words, habits) if not any(slot.overlaps(other) for other in fixed)]
    spans = sorted([*fixed, *_chosen([*free, *money], strong=_said_currency)], key=lambda slot: slot.start)
    spans = _products(text, _shares(text, spans, words), words)
    spans = _doubts(text, spans, words)
    spans = _terms_by_day(text, spans, words)
    return _moments(text, spans, context)


def _said_currency(slot: Slot) -> bool:
    """Money with a mark of its own beats a longer phrase around its digits; a phrase beats a bare number."""
    return slot.kind == "money" and re.search(r"[^\d\s.,'’-]", slot.text) is not None


def _chosen(candidates: Iterable[Slot], strong: object = None) -> list[Slot]:
    """Return the longest of those that overlap, earlier rules first."""
    test = strong if callable(strong) else (lambda _: False)
    taken: list[Slot] = []
    for slot in sorted(candidates, key=lambda slot: (not test(slot), -(slot.end - slot.start))):
        if not any(slot.overlaps(other) for other in taken):
            taken.append(slot)
    return sorted(taken, key=lambda slot: slot.start)


def _slot(kind: str, value: object, match: re.Match[str], ask: str = "", assumed: tuple[str, ...] = ()) -> Slot:
    return Slot(kind, value, match.start(), match.end(), match[0], assumed, ask)  # type: ignore[arg-type]


def _exact(text: str, context: Context) -> Iterator[Slot]:
    """What no other rule may cut into: addresses, links, invoice numbers, percentages, dates in digits."""
    for match in _URL.finditer(text):
        yield _slot("url", match[0].rstrip(".,;)"), match)
    for match in EMAIL.finditer(text):
        yield _slot("email", match[0], match)
    for start, end, account in ibans(text):
        said = text[start:end]
        wrong = f"{said} is no IBAN: a digit is missing or wrong. Which account is it?"
        yield Slot("iban", account or None, start, end, said, (), "" if account else wrong)
    for match in INVOICE.finditer(text):
        yield _slot("invoice", match[0].upper().replace(" ", "-"), match)
    for match in _PERCENT.finditer(text):
        yield _slot("percent", Decimal(match[1].replace(",", ".")), match)
    yield from _vat(text, context.language)
    for match in _NUMERIC_DATE.finditer(text):
        if (slot := _digits_date(match, context)) is not None:
            yield slot
    for match in _SLASHED.finditer(text):
        if re.search(context.language.shy_before, text[: match.start()], re.IGNORECASE) and (
            slot := _digits_date(match, context)
        ):
            yield slot


def _vat(text: str, words: Language) -> Iterator[Slot]:
    for match in words.vat_phrase.finditer(lowered(text)):
        yield Slot("vat", words.vat[match[0]], *match.span(), text[slice(*match.span())])


def _digits_date(match: re.Match[str], context: Context) -> Slot | None:
    groups = match.groupdict()
    if groups.get("iso"):
        day = days.valid(int(match["y"]), int(match["m"]), int(match["d"]))
        return None if day is None else _slot("day", day, match)
    first, second = int(groups.get("a") or groups["e"]), int(groups.get("b") or groups["f"])
    dotted = bool(groups.get("e")) or groups.get("sep") == "."
    year = groups.get("c")
    readings = {
        order: _dated(*pair, year, context) for order, pair in (("day", (first, second)), ("month", (second, first)))
    }
    day_first = True if dotted else context.customs.day_first
    chosen = readings["day"] if day_first in {True, None} else readings["month"]
    other = readings["month"] if day_first in {True, None} else readings["day"]
    if chosen is None:
        if other is None or dotted:
            return None
        return _slot("day", other, match)
    if day_first is None and other is not None and other != chosen:
        return _slot("day", None, match, ask=f"{match[0]}: {days.named(chosen)} or {days.named(other)}?")
    assumed = () if year or chosen.year == context.today.year else (f"The year read as {chosen.year}.",)
    return _slot("day", chosen, match, assumed=assumed)


def _dated(day: int, month: int, year: str | None, context: Context) -> date | None:
    if year:
        return days.valid(int(year) + (2000 if len(year) == 2 else 0), month, day)  # noqa: PLR2004 - a short year
    if not 1 <= month <= 12:  # noqa: PLR2004 - months
        return None
    found = days.nearest(month, day, context)
    return found.value if isinstance(found.value, date) else None


def _phrases(text: str, context: Context) -> Iterator[Slot]:
    if context.language.any_phrase.search(lowered(text)) is None:
        return
    for rule, pattern in context.language.compiled:
        for match in pattern.finditer(text):
            if _is_shy(match, context.language):
                continue
            found = RULES[rule](match, context)
            if found is not None:
                yield Slot(found.kind, found.value, match.start(), match.end(), match[0], found.assumed, found.ask)


def _is_shy(match: re.Match[str], words: Language) -> bool:
    """Whether the match is only a word that usually means something else ("may", "sat"), without a sign of a date."""
    said = match[0].lower().strip(" .")
    if said not in words.shy:
        return False
    return not re.search(words.shy_before, match.string[: match.start()], re.IGNORECASE) and not days.proper(
        match, _named(match)
    )


def _named(match: re.Match[str]) -> str:
    return next((name for name, value in match.groupdict().items() if value), "month")


# ── what neighbours make of each other ────────────────────────────────────────────────────────────────────────────


def _shares(text: str, spans: list[Slot], words: Language) -> list[Slot]:
    """``30% of 10k`` and ``1/2 of 3000`` are what they come to, to the cent."""
    found: list[Slot] = []
    for slot in spans:
        price = _price(slot)
        share, start = _share_before(text, slot, found, words)
        if price is None or share is None or (price.amount * share).is_nan():
            found.append(slot)
            continue
        part = Money((price.amount * share).quantize(_CENT), price.currency)
        whole = text[start : slot.end]
        told = (*slot.assumed, f"{whole.strip()} = {part}.")
        found = [each for each in found if each.end <= start]
        found.append(Slot("money", part, start, slot.end, whole, told))
    return found


def _share_before(text: str, slot: Slot, found: Sequence[Slot], words: Language) -> tuple[Decimal | None, int]:
    before = found[-1] if found else None
    between = text[before.end : slot.start] if before is not None and before.kind == "percent" else ""
    if before is not None and isinstance(before.value, Decimal) and re.fullmatch(words.part_of, between, re.IGNORECASE):
        return before.value / 100, before.start
    match = re.search(rf"(?<![\w.,/])(\d{{1,2}})/(\d{{1,2}}){words.part_of}$", text[: slot.start], re.IGNORECASE)
    if match and 0 < int(match[1]) < int(match[2]):
        return Decimal(match[1]) / Decimal(match[2]), match.start()
    return None, 0


def _products(text: str, spans: list[Slot], words: Language) -> list[Slot]:
    """``12 hours at 90`` and ``3 x 400`` are what they come to; ``90/hour`` alone is a question."""
    found: list[Slot] = []
    for slot in spans:
        before = found[-1] if found else None
        price = _price(slot)
        if before is not None and price is not None and (count := _units(before)) is not None:
            between = text[before.end : slot.start]
            if re.fullmatch(rf"\s*(?:[a-z]+\s+)?{words.times}\s*", between, re.IGNORECASE) and _is_product(
                between, before
            ):
                total = count * price.amount
                if total <= _PRODUCT_MAX:
                    found[-1] = Slot(
                        "money",
                        Money(total, price.currency),
                        before.start,
                        slot.end,
                        text[before.start : slot.end],
                        (*slot.assumed, f"{count.normalize():f} x {price.amount} = {Money(total, price.currency)}."),
                    )
                    continue
        found.append(slot)
    return _rated(text, found, words)


def _is_total(slot: Slot) -> bool:
    """Whether it was worked out of a count and a price already."""
    return any(" x " in sentence for sentence in slot.assumed)


def _is_product(between: str, before: Slot) -> bool:
    """A count needs a real "times"; hours may also stand "at" or "for" a price."""
    return before.kind == "span" or re.search(r"[x×*]|times|mal", between, re.IGNORECASE) is not None


def _price(slot: Slot) -> Money | None:
    if slot.kind == "money" and isinstance(slot.value, Money):
        return slot.value
    return Money(slot.value) if slot.kind == "number" and isinstance(slot.value, Decimal) else None


def _units(slot: Slot) -> Decimal | None:
    """How many units a span before a price counts: hours, days, or a bare number."""
    if slot.kind == "number" and isinstance(slot.value, Decimal):
        return slot.value
    if slot.kind == "span" and (digits := re.search(r"\d+(?:[.,]\d+)?", slot.text)):
        return Decimal(digits[0].replace(",", "."))
    return None


@cache
def _rate_of(words: Language) -> re.Pattern[str]:
    hourly = "|".join(re.escape(name) for name, unit in words.units.items() if unit in {"hour", "day", "minute"})
    return re.compile(
        rf"{words.per}(?:{hourly})(?!\w)|\s(?:an hour|hourly|a day|per unit|each|pro stück)\b", re.IGNORECASE
    )


def _rated(text: str, spans: list[Slot], words: Language) -> list[Slot]:
    """A price per hour, day or piece is no total: ask for that."""
    found: list[Slot] = []
    rate_end = 0
    for slot in spans:
        if slot.start < rate_end:  # the "an hour" of "120 an hour" is no duration
            continue
        match = _rate_of(words).match(text, slot.end)
        if match is None or _price(slot) is None or _is_total(slot):
            found.append(slot)
            continue
        rate_end = match.end()
        found.append(
            replace(slot, kind="money", value=None, ask=f"{slot.text.strip()} is a rate. How much is it in total?")
        )
    return found


def _doubts(text: str, spans: list[Slot], words: Language) -> list[Slot]:
    """``about 500`` and ``500 to 800`` are no amounts: ask."""
    found: list[Slot] = []
    rough = re.compile(rf"(?<!\w){words.rough}$", re.IGNORECASE)
    for slot in spans:
        before = found[-1] if found else None
        if slot.kind in {"money", "number"} and rough.search(text[: slot.start]):
            found.append(replace(slot, kind="money", value=None, ask=f"{slot.text.strip()}: how much exactly?"))
        elif (
            before is not None
            and slot.kind == "money"
            and before.kind in {"money", "number"}
            and re.fullmatch(words.ranged, text[before.end : slot.start], re.IGNORECASE)
            and not re.fullmatch(r"\s*and\s*", text[before.end : slot.start])
        ):
            whole = text[before.start : slot.end]
            found[-1] = Slot("money", None, before.start, slot.end, whole, (), f"{whole.strip()}: how much exactly?")
        else:
            found.append(slot)
    return found


@cache
def _due(words: Language) -> re.Pattern[str]:
    return re.compile(words.due, re.IGNORECASE)


def _terms_by_day(text: str, spans: list[Slot], words: Language) -> list[Slot]:
    """``due Friday`` are terms: by that day."""
    found: list[Slot] = []
    for slot in spans:
        match = re.search(rf"(?<!\w)(?:{words.due})\s*$", text[: slot.start], re.IGNORECASE)
        if match and slot.kind == "day" and isinstance(slot.value, date) and _due(words):
            start = match.start()
            found.append(
                replace(slot, kind="terms", value=Terms(day=slot.value), start=start, text=text[start : slot.end])
            )
        else:
            found.append(slot)
    return found


def _moments(text: str, spans: list[Slot], context: Context) -> list[Slot]:
    """A day and a time side by side are one moment, a recurrence and a time one rule; a time alone is the next one."""
    found: list[Slot] = []
    for slot in spans:
        before = found[-1] if found else None
        joined = None
        if before is not None and re.fullmatch(context.language.join, text[before.end : slot.start], re.IGNORECASE):
            joined = _joined(before, slot, context)
        if joined is not None and before is not None:
            found[-1] = joined.at(before.start, text[before.start : slot.end])
        else:
            found.append(slot)
    return [_next_time(slot, context) if slot.kind == "time" else slot for slot in found]


def _joined(first: Slot, second: Slot, context: Context) -> Slot | None:
    clock = next((slot for slot in (first, second) if slot.kind == "time"), None)
    other = second if clock is first else first
    if clock is None or not isinstance(clock.value, time):
        if {first.kind, second.kind} == {"day", "moment"} and first.assumed and isinstance(second.value, date):
            return None
        return None
    assumed = (*first.assumed, *second.assumed)
    if other.kind == "day" and isinstance(other.value, date):
        return replace(other, kind="moment", value=context.moment(other.value, clock.value), assumed=assumed)
    if other.kind == "every" and isinstance(other.value, Every) and "BYHOUR" not in other.value.rule:
        rule = Every(f"{other.value.rule};BYHOUR={clock.value.hour};BYMINUTE={clock.value.minute}")
        return replace(other, value=rule, assumed=assumed)
    if (
        other.kind == "moment" and isinstance(other.value, datetime) and other.assumed
    ):  # "tonight at 8", "this evening at 7", and the other way round: "quarter past eight tomorrow morning"
        is_part = not re.search(r"\d", clock.text) and clock.assumed and other is first and second is clock
        hour = clock.value
        if is_part:
            later = other.value.hour < 12 <= hour.hour and other.value.hour >= 1  # noqa: PLR2004 - noon
            hour = other.value.timetz().replace(tzinfo=None, hour=other.value.hour + 12 * later)
            return replace(other, value=context.moment(other.value.date(), hour), assumed=())
        if other.value.hour >= 12 > hour.hour >= 1:  # noqa: PLR2004 - noon
            hour = hour.replace(hour=hour.hour + 12)
        return replace(other, value=context.moment(other.value.date(), hour), assumed=())
    if other.kind == "time" and other is not clock and isinstance(other.value, time):  # "8 in the morning"
        return None
    return None


def _next_time(slot: Slot, context: Context) -> Slot:
    assert isinstance(slot.value, time)
    today = context.moment(context.today, slot.value)
    moment = today if today > context.now else context.moment(plus(context.today, days=1), slot.value)
    said = f"{slot.text.strip()} read as {'today' if moment is today else 'tomorrow'} at {slot.value:%H:%M}."
    return replace(slot, kind="moment", value=moment, assumed=(said,))


def morning_of(day: date, zone: ZoneInfo) -> datetime:
    """Return when something "on Friday" is meant, for slots that need a time."""
    return datetime.combine(day, MORNING, tzinfo=zone)


__all__ = ["Customs", "Slot", "find_spans", "morning_of"]
