"""What leans on the message before: "and the same for Globex", "make it 1,500 instead", "and last month?". Pure.

Every word must be accounted for: a value, a name, or one of the few words such a message is made of. Anything more and
it is no follow-up. What comes of it is the request before with other values, or new words on the card just shown: so it
is drafted again and stands on a card again, and nothing is done that the same words in full would not do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from agents.base import Intent, Risk
from agents.slots import Slot
from bot.reading.fit import fit
from bot.reading.names import proper_names
from bot.reading.slotkinds import WIDER, slots_of
from connectors.base import Json

WORDS_MAX = 14  # a longer message says what it wants itself
_SAME = re.compile(
    r"^(?:(?:and|also|now|then|ok|okay|please|do)\b[\s,]*)*(?:the\s+)?same(?:\s+(?:thing|again))?\s+(?:for|to|with|about)\s+",
    re.IGNORECASE,
)
_AND = re.compile(r"^(?:and|what about|how about|and what about|and how about)\s+(?P<rest>.+?)\s*\?$", re.IGNORECASE)
_NEVER_THE_SAME = frozenset({"invoice", "email"})
"""Kinds of values that belong to one client: another client's are asked for."""
_HERE_IT_IS = frozenset("it s its is here that the their his her address email e mail ok sure please".split())  # noqa: SIM905
_STYLE = re.compile(
    r"^(?:please\s+)?make (?:it|that|this|the (?:text|mail|letter|post|tone))\s+(?:(?:a (?:bit|little)|much|more|less|sound)\s+)*"
    r"(?:short|long|friendl|formal|inform|warm|polite|crisp|clear|casual|simple|simpler|direct|personal|sharp|soft|nic|kind)\w*"
    r"(?:\s+(?:please|and\s+\w+))?$",
    re.IGNORECASE,
)
_LABELLED = re.compile(
    r"\W*(?:please )?(?:change|set|make)\s+the\s+(?:subject|text|body|recipients?|amount|client|title|terms)\s+(?:to|into|:)\s+\S.*",
    re.IGNORECASE | re.DOTALL,
)
_NOT_THAT = re.compile(r"\W*(?:no|nope|not|sorry|wait|actually|wrong|rather|i meant)\b", re.IGNORECASE)
_MOVES = frozenset(
    [
        "move",
        "push",
        "shift",
        "reschedule",
        "postpone",
        "make",
        "change",
        "set",
        "no",
        "rather",
        "instead",
        "actually",
        "sorry",
        "not",
        "better",
        "wait",
    ]
)
_MOVING = _MOVES | frozenset("it that this to at on for the by reminder please i meant s until till ok okay".split())  # noqa: SIM905
_INSTEAD = frozenset("no nope not sorry wait actually wrong rather instead meant".split())  # noqa: SIM905
_CALLED = _INSTEAD | frozenset("i it s that the for to is be should client make please but of a oh".split())  # noqa: SIM905
_CHANGING = frozenset("make change set put instead rather actually no sorry wait should better".split())  # noqa: SIM905
_SMALL = _CHANGING | frozenset(
    (  # noqa: SIM905
        "it that this them to into at on be is the a for with of but and in please card invoice amount price sum total "
        "due date day terms payment ok okay just only by"
    ).split()
)


@dataclass(frozen=True)
class Before:
    """What the message before was taken to mean.

    Attributes:
        intent: Of that message.
        slots: As they stand now, changes made on its card included.
        text: Its words.
        card: The card that waits because of it, "" when none or several do.
        asked: Whether it was answered by a question.
        reminds: Whether a reminder was noted that still stands.
    """

    intent: type[Intent]
    slots: Mapping[str, Json]
    text: str
    card: str = ""
    asked: bool = False
    reminds: bool = False
    task: int = 0


@dataclass(frozen=True)
class Leaning:
    """What a follow-up comes to: new words on a card, or the request before with other slots."""

    card: str = ""
    slots: Mapping[str, Json] | None = None
    ask: str = ""  # what belongs to one client alone and must be said again


@dataclass(frozen=True)
class Heard:
    """The message, and what is known about reading it."""

    text: str
    spans: Sequence[Slot]
    now: datetime
    zone: ZoneInfo
    currency: str


_FEW = _SMALL | _MOVING | _HERE_IT_IS
"""All that a follow-up is made of beside values and names, unless it begins like one."""


def may_lean(heard: Heard) -> bool:
    """Whether a look at what was said before is worth it: without one, most messages stand by themselves."""
    if heard.spans and _FEW.issuperset(_words(heard.text, heard.spans)):
        return True
    return any(each.match(heard.text) for each in (_STYLE, _SAME, _AND, _LABELLED, _NOT_THAT))


def changes_card(heard: Heard, intent: type[Intent]) -> bool:
    """Whether the message says, and says nothing else, what is to be different on the card of such a request."""
    text = heard.text.strip()
    if _STYLE.match(text.rstrip(".!")):
        return any(kind == "text" for kind in slots_of(intent).values())
    words = _words(text, heard.spans)
    values = [slot for slot in heard.spans if slot.kind != "client"]
    if not values or len(values) != len(heard.spans):
        return False
    return bool(_CHANGING & set(words)) and set(words) <= _SMALL and "?" not in text


def card_words(heard: Heard, before: Before) -> str:
    """Return the words that a message has for the card of such a request, "" when it is about something else."""
    if changes_card(heard, before.intent) or _LABELLED.fullmatch(heard.text):
        return heard.text.strip()
    return client_instead(heard, before)


def client_instead(heard: Heard, before: Before) -> str:
    """Return ``"client: Globex"`` for "no, Globex" and "not Acme, Globex", "" for anything else."""
    slots = [slot for slot, kind in slots_of(before.intent).items() if kind == "client"]
    if not slots or not _NOT_THAT.match(heard.text) or "?" in heard.text:
        return ""
    known = [slot for slot in heard.spans if slot.kind == "client"]
    names = [*known, *proper_names(heard.text, list(heard.spans))]
    former = {str(before.slots.get(slot) or "").casefold() for slot in slots}
    fresh = [name for name in names if name.text.casefold() not in former and name.text.casefold() not in _CALLED]
    words = set(_words(heard.text, [name for name in names if name.text.casefold() not in _CALLED]))
    if len(fresh) != 1 or len(known) < len(heard.spans) or not words & _INSTEAD or words - _CALLED:
        return ""
    return f"{slots[0]}: {fresh[0].text}"


def moved(heard: Heard, before: Before, spans: Sequence[Slot]) -> str:
    """Return the reminder before in full words with another time ("move it to Friday"), "" when it is no such wish.

    Args:
        spans: What was found in the words before.
    """
    times = [slot for slot in heard.spans if slot.kind in {"moment", "day"} and slot.value]
    stood = [slot for slot in spans if slot.kind in {"moment", "day"}]
    words = set(_words(heard.text, times))
    if not before.reminds or len(times) != 1 or len(heard.spans) != 1 or len(stood) != 1 or not words & _MOVES:
        return ""
    if words - _MOVING or "?" in heard.text:
        return ""
    [old], [new] = stood, times
    said = new.text
    if new.kind == "day" and isinstance(old.value, datetime):
        said += f" at {old.value:%H:%M}"
    lead = "" if re.match(r"(?:on|at|in|by|to|tomorrow|today|tonight|next|this|the)\b", said, re.IGNORECASE) else "on "
    return f"{before.text[: old.start]}{lead}{said}{before.text[old.end :]}"


def address_given(heard: Heard, before: Before) -> Leaning | None:
    """Return the request that was asked about with the address that was missing, None when the message is more than one."""
    open_slots = [
        slot for slot, kind in slots_of(before.intent).items() if kind == "email" and slot not in before.slots
    ]
    found = [slot for slot in heard.spans if slot.kind == "email"]
    if not before.asked or len(open_slots) != 1 or len(found) != 1 or len(heard.spans) != 1:
        return None
    if set(_words(heard.text, found)) - _HERE_IT_IS:
        return None
    return Leaning(slots={**before.slots, open_slots[0]: found[0].text})


def same_for(heard: Heard, before: Before) -> Leaning | None:
    """Return the request before for somebody else ("and the same for Globex, but 900"), None when it is no such wish."""
    match = _SAME.match(heard.text)
    if match is None:
        return None
    rest = heard.text[match.end() :]
    who = _named(
        rest, [slot.at(slot.start - match.end(), slot.text) for slot in heard.spans if slot.start >= match.end()]
    )
    values = [slot for slot in heard.spans if slot.start >= match.end() and slot.kind != "client"]
    if who is None or not rest.startswith(who.text):
        return None
    over = _words(rest, [who, *(slot.at(slot.start - match.end(), slot.text) for slot in values)])
    if set(over) - _SMALL:
        return None
    return _for(who.text, before, _typed(heard, before.intent, values))


def and_what(heard: Heard, before: Before) -> Leaning | None:
    """Return the question before about something else ("and Acme?", "and last month?"), None when it is no such thing.

    Only where the one before merely looked something up.
    """
    match = _AND.match(heard.text.strip())
    if match is None or before.intent.effect is not Risk.READS:
        return None
    start = match.start("rest")
    spans = [slot.at(slot.start - start, slot.text) for slot in heard.spans if slot.start >= start]
    who = _named(match["rest"], spans)
    values = [slot for slot in heard.spans if slot.start >= start and slot.kind != "client"]
    if _words(match["rest"], [*spans, *([who] if who else [])]):
        return None
    typed = _typed(heard, before.intent, values)
    if who is not None:
        return _for(who.text, before, typed)
    return Leaning(slots={**before.slots, **typed}) if typed else None


def _for(name: str, before: Before, typed: Mapping[str, Json]) -> Leaning | None:
    kinds = slots_of(before.intent)
    clients = [slot for slot, kind in kinds.items() if kind == "client"]
    former = {str(before.slots[slot]) for slot in clients if before.slots.get(slot)}
    slots: dict[str, Json] = {}
    for slot, value in before.slots.items():
        if kinds.get(slot) in _NEVER_THE_SAME:
            continue
        slots[slot] = _renamed(value, former, name) if kinds.get(slot) == "text" and isinstance(value, str) else value
    if clients:
        slots |= {clients[0]: name}
    elif len(before.slots) == 1 and before.intent.effect is Risk.READS and kinds[next(iter(before.slots))] == "text":
        slots = {next(iter(before.slots)): name}
    else:
        return None
    slots |= typed
    for slot, field in before.intent.model_fields.items():
        if field.is_required() and slot not in slots:
            return Leaning(slots=slots, ask=before.intent.asks.get(slot, f"Which {slot} is it for {name}?"))
    return Leaning(slots=slots)


def _renamed(words: str, former: set[str], name: str) -> str:
    """What was said to one client by name is said to the other by theirs."""
    for old in former:
        words = re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", lambda _: name, words, flags=re.IGNORECASE)
    return words


def _typed(heard: Heard, intent: type[Intent], values: Sequence[Slot]) -> dict[str, Json]:
    """Return the slots that the values fill, each in the one place where it fits."""
    kinds = slots_of(intent)
    if not values:
        return {}
    fitted = fit(intent, heard.text, values, heard.now, heard.zone, heard.currency)
    return {slot: value for slot, value in fitted.slots.items() if kinds[slot] in WIDER and kinds[slot] != "client"}


def _named(text: str, spans: Sequence[Slot]) -> Slot | None:
    clients = [slot for slot in spans if slot.kind == "client"] or proper_names(text, list(spans))
    return clients[0] if len(clients) == 1 else None


def _words(text: str, spans: Sequence[Slot]) -> list[str]:
    """Return the words that no span accounts for."""
    left = list(text)
    for slot in spans:
        left[slot.start : slot.end] = " " * (slot.end - slot.start)
    return re.findall(r"[^\W_]+", "".join(left).casefold())
