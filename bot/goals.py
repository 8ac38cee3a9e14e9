"""Goals of several steps, or with an if, read without a model: "if Acme has not paid by Friday, remind them and tell me".

The parts are read by the same understanding that reads single requests; what comes of it is a draft, which the planner
checks and shows. Nothing of it runs before the operator says "go", and a part of an if that is not understood becomes a
note to the operator in its place::

    Goals(understanding).read("onboard Globex: proposal, kickoff next Tuesday, first invoice 50 %", now=now, ...)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from agents.base import money
from agents.condition import Clause, clause
from agents.planner import Draft, DraftStep, MakePlan
from agents.slots import Money, Slot
from bot.control import CONTROL
from bot.intents import Reading, Understanding
from bot.reading.manners import bare
from bot.reading.names import proper_names
from connectors.base import Json
from memory.events import Understood

PARTS_MAX = 8  # more steps in one sentence are a list to be written down first
SURE_PCT = 70  # from which a part is taken for what it looks like: less than for a card, as the plan is shown first
_FRONT = re.compile(
    r"(?P<lead>if|when(?:ever)?|once|as soon as|in case|unless)\s+(?P<clause>[^,;:]+?)\s*(?:,\s*(?:then\s+)?|\s+then\s+|:\s*)"
    r"(?P<rest>\S.*)",
    re.IGNORECASE | re.DOTALL,
)
_BACK = re.compile(
    r"(?P<rest>\S.*?),?\s+(?:but )?(?:only )?(?P<lead>if|when|once|as soon as|in case|unless)\s+(?P<clause>\S.*)",
    re.IGNORECASE | re.DOTALL,
)
_LEAD = re.compile(r"(?P<lead>once|when|as soon as|if|unless)\s+(?P<words>\S.*)", re.IGNORECASE | re.DOTALL)
_LIST = re.compile(r"(?P<head>[^:]{3,80}):\s*(?P<rest>\S.*,.*)", re.DOTALL)
_THEN = re.compile(
    r"\s*(?:;|[,.]?\s+(?:and\s+)?(?:then|after that|afterwards|finally"
    r"|(?:once|when) (?:that|this|it)(?:['’]s| is) (?:done|sent|through))\s*,?\s+)\s*",
    re.IGNORECASE,
)
_LISTED = re.compile(r"\s*(?:;|,\s+(?:and\s+)?(?:then\s+)?|\s+then\s+|\s+and\s+)\s*", re.IGNORECASE)
_ORDERED = re.compile(
    r"^\s*(?:first(?:ly)?|to begin with)\b.*\bthen\b"
    r"|[,;.]?\s(?:after that|afterwards|(?:once|when) (?:that|this|it)(?:['’]s| is) (?:done|sent|through))\b",
    re.IGNORECASE | re.DOTALL,
)
"""Words that say what comes before what; "and then" alone may only be how people talk."""
_FIRST = re.compile(r"^\s*(?:first(?:ly)?|to begin with)[,:]?\s+", re.IGNORECASE)
_TELL = re.compile(
    r"(?:tell|ping|notify|alert) me(?: (?:about|of) (?:it|that))?|let me know(?: about (?:it|that))?", re.IGNORECASE
)
_ALSO_TELL = re.compile(rf"(?:^|,?\s+(?:and|then)\s+)(?:{_TELL.pattern})$", re.IGNORECASE)
_THEY = re.compile(r"\b(?:them|they|him|her|he|she)\b", re.IGNORECASE)
_IT = frozenset({"it", "they", "he", "she", "invoice", "bill", "proposal", "offer", "client", "customer"})
_THANKS = re.compile(r"\ba thank[- ]you\W*$", re.IGNORECASE)  # here it is what to send, and no politeness
_PERCENT = re.compile(r"\s*\b(\d{1,3})\s?(?:%|percent\b)", re.IGNORECASE)
_SHORT = (
    (r"(?:send )?(?:a |the |our )?(?:proposal|offer|quote)\b(?P<more>.*)", "/send_proposal {client}{more}"),
    (
        r"(?:book )?(?:a |the )?(?:kick-?off(?: meeting| call)?|meeting|(?:(?<=a )|(?<=the ))call)\b(?P<more>.*)",
        "/book_meeting with {client}{more}",
    ),
    (r"(?:send )?(?:a |the )?(?:(?:first|final|last) )?(?:invoice|bill)\b(?P<more>.*)", "/invoice {client}{more}"),
    (r"(?:a |the )?(?:welcome(?: mail)?|onboarding)", "/onboard {client}"),
    (r"(?:(?:start|begin) )?(?:a |the )?(?:delivery|project|work)(?: plan)?", "/plan_delivery for {client}"),
    (r"(?:a |the )?follow-?up\b(?P<more>.*)", "/follow_up with {client}{more}"),
)
"""Steps as a list names them, and what each stands for with the client that the whole is about."""
_SPELLED = tuple((re.compile(pattern, re.IGNORECASE), sentence) for pattern, sentence in _SHORT)
_NUDGE = re.compile(
    r"(?:send )?(?:a )?(?:remind(?:er)?|nudge|chase|poke|dun|follow up|ask|write)(?: (?:to|with))?(?: (?P<who>.+?))?(?: again)?",
    re.IGNORECASE,
)
_NUDGED = {
    "paid": "remind {client} to pay",
    "accepted": "follow up with {client} on the proposal",
    "answered": "follow up with {client}",
}
"""What "remind them" means, by what they have not done."""
_THANK = re.compile(
    r"(?:please )?(?:thank \S+(?: \S+)?|(?:send (?:\S+ ){0,2})?a thank[- ]you(?: mail| note)?)", re.IGNORECASE
)
_THANKED = {
    "paid": "write {client} that I thank you for the payment, which has arrived",
    "accepted": "write {client} that I thank you for the yes and look forward to the work",
}
"""What "thank them" means, by what they have done."""
_NO_STEPS = frozenset({intent.id() for intent in CONTROL}) | {MakePlan.id()}


@dataclass(frozen=True)
class _Parted:
    """An if, as it was said and as it is understood, and what hangs on it."""

    clause: Clause
    words: str
    rest: str


@dataclass
class _Read:
    """What was read so far."""

    client: str
    scene: Mapping[str, Any]
    whole: Decimal | None = None  # what a share ("50 %") is a share of: the one amount that is named
    currency: str = ""
    steps: list[DraftStep] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)

    def add(self, intent: str, inputs: Mapping[str, Json], why: str) -> None:
        self.steps.append(DraftStep(id=f"s{len(self.steps) + 1}", intent=intent, inputs=dict(inputs), why=why))


class Goals:
    """Reads goals. Holds nothing of its own; safe from any thread."""

    def __init__(self, understanding: Understanding) -> None:
        """Take what reads the parts."""
        self._understanding = understanding

    def read(self, text: str, **scene: Any) -> Understood | None:
        """Return the draft of a plan, None when this is no goal of several steps and has no if that can be looked up.

        Args:
            text: The operator's words.
            scene: As for `bot.intents.Understanding.read`.
        """
        said = text.strip(" .!") if _THANKS.search(text) else bare(text)
        alone = {**scene, "last": ()}
        ifs = [goal for each in _parted(said) if (goal := self._conditional(text, each, alone)) is not None]
        # Where nothing marks the end of the if, the reading counts whose rest is understood.
        understood = (goal for goal in ifs if '"note"' not in str(goal.slots["steps"]))
        return next(understood, ifs[0]) if ifs else self._several(text, said, alone)

    def in_order(self, text: str, **scene: Any) -> Understood | None:
        """Return the plan of words that say themselves what comes first ("first ..., then ..."), None for all others."""
        if not _ORDERED.search(text):
            return None
        found = self.read(text, **scene)
        return found if found is not None and '"needs"' in str(found.slots["steps"]) else None

    def part(self, words: str, client: str, scene: Mapping[str, Any]) -> tuple[str, Mapping[str, Json]] | None:
        """Return intent and slots of one step that is to be added to a plan about a client; None when it is none.

        Args:
            words: What the step shall do.
            client: Whom the plan is about, "" for several or none.
            scene: As for `bot.intents.Understanding.read`.
        """
        return self._reads(words.strip(" .!,"), _Read(client, {**scene, "last": ()}))

    # ── an if ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _conditional(self, text: str, parted: _Parted, scene: Mapping[str, Any]) -> Understood | None:
        found, rest = parted.clause, parted.rest
        spans = self._spans(text, scene)
        client = _client(text, spans)
        who = client if found.who.casefold() in _IT or not found.who else found.who
        if not client and not who:
            return None
        if not found.holds and not found.by:
            rest, found = self._with_its_time(rest, found, scene)
        found = found.model_copy(update={"who": who})
        read = _Read(client or who, scene)
        wanted = _ALSO_TELL.sub("", rest).strip(" ,")
        for part in self._parts(_THEY.sub(read.client, wanted), read):
            if not self._add(read, _meant(part, found, read.client)):
                read.add(MakePlan.id(), {"note": part}, part)
        if wanted != rest.strip(" ,"):
            if read.steps:
                read.assumed.append("You are told when it comes to that.")
            else:
                read.add(MakePlan.id(), {"note": parted.words}, rest)
        steps = [step.model_copy(update={"only_if": found}) for step in read.steps]
        return _understood(text, steps, read.assumed, f"an if about {who}, and {_several(len(steps))}")

    def _with_its_time(self, rest: str, found: Clause, scene: Mapping[str, Any]) -> tuple[str, Clause]:
        """Take the day out of "remind them on Friday", if they have not paid: that is when it is looked at."""
        times = [slot for slot in self._spans(rest, scene) if slot.kind in {"day", "moment"} and slot.value]
        if len(times) != 1:
            return rest, found
        (time,) = times
        before = re.sub(r"\s+(?:on|at|by|in)\s*$", " ", rest[: time.start])
        return (before + rest[time.end :]).strip(" ,"), found.model_copy(update={"by": time.text})

    def _parts(self, wanted: str, read: _Read) -> Iterator[str]:
        """Cut what is to be done where both sides are requests of their own."""
        cut = [part for part in _LISTED.split(wanted) if part]
        if len(cut) > 1 and all(self._reads(part, read) for part in cut):
            yield from cut[:PARTS_MAX]
        elif wanted:
            yield wanted

    # ── several ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _several(self, text: str, said: str, scene: Mapping[str, Any]) -> Understood | None:
        """Read a list of steps, like "first ..., then ..." or "onboard Globex: proposal, kickoff, invoice"."""
        spans = self._spans(said, scene)
        client, listed = _client(said, spans), _LIST.fullmatch(said)
        rest = _FIRST.sub("", listed["rest"] if listed else said)
        cut = _cut(_LISTED if listed else _THEN, rest, self._spans(rest, scene))
        if not client or not 1 < len(cut) <= PARTS_MAX:
            return None
        sums = [slot.value for slot in spans if isinstance(slot.value, Money)]
        read = _Read(client, scene)
        if len(sums) == 1:
            read.whole, read.currency = sums[0].amount, sums[0].currency or str(scene.get("currency") or "")
        if not all(self._add(read, part) for part in cut):
            return None
        if listed:  # what is only listed may be done side by side
            return _understood(text, read.steps, read.assumed, f"{_several(len(cut))} for {client}")
        steps = [read.steps[0]]
        for step in read.steps[1:]:
            steps.append(step.model_copy(update={"needs": [steps[-1].id]}))
        return _understood(text, steps, read.assumed, f"{_several(len(steps))} for {client}, one after the other")

    # ── one part ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _add(self, read: _Read, part: str) -> bool:
        """Add the step that a part asks for; returns whether there is one."""
        found = self._reads(part, read)
        if found is None:
            return False
        name, slots = found
        inputs = dict(slots)
        if (
            (share := _PERCENT.search(part))
            and "amount" not in inputs
            and "amount" in self._understanding.intents[name].model_fields
        ):
            if read.whole is not None:
                inputs["amount"] = money(read.whole * int(share[1]) / 100, read.currency)
            else:
                number = len(read.steps) + 1
                read.assumed.append(f"{share[0].strip()} of what, you did not say: “step {number} amount 900” tells me")
        read.add(name, inputs, part)
        return True

    def _reads(self, part: str, read: _Read) -> tuple[str, Mapping[str, Json]] | None:
        """Return intent and slots of a part; what it lacks is asked when its turn has come."""
        plain = _PERCENT.sub("", part)
        again = re.compile(rf"\s+(?:to |for |with )?{re.escape(read.client)}\b", re.IGNORECASE)
        ways = [
            sentence.format(client=read.client, more=again.sub("", fits.groupdict().get("more") or ""))
            for pattern, sentence in _SPELLED
            if read.client and (fits := pattern.fullmatch(plain)) is not None
        ]
        unnamed = bool(not ways and read.client and read.client.casefold() not in part.casefold())
        if unnamed:
            ways = [plain, f"{plain} for {read.client}", f"{plain} with {read.client}"]
        if read.client and _THEY.search(plain):
            ways = [_THEY.sub(read.client, plain), *ways]
        for words in ways or [plain]:
            reading = self._understanding.read(words, **read.scene)
            meant = _sure(reading)
            if meant and unnamed and words is plain and "client" in self._understanding.intents[meant[0]].model_fields:
                continue  # it is about the client, and does not say so yet
            if meant is not None:
                read.assumed += [each for each in reading.assumed if each not in read.assumed]
                return meant
        return None

    def _spans(self, text: str, scene: Mapping[str, Any]) -> Sequence[Slot]:
        seen = self._understanding.scene(
            scene["now"], scene["zone"], scene["locale"], scene["currency"], scene["clients"]
        )
        return seen.spans(text)


def _parted(said: str) -> Iterator[_Parted]:
    """Yield every way to part an if that our books can tell from what hangs on it, the likeliest first."""
    for pattern in (_FRONT, _BACK):
        if (match := pattern.fullmatch(said)) and (found := clause(match["clause"])):
            yield _Parted(_turned(found, match["lead"]), match["clause"], match["rest"])
            return
    if match := _LEAD.fullmatch(said):  # "once Acme accepts the proposal invoice them 2,000"
        words = match["words"].split()
        for end in range(len(words) - 1, 1, -1):
            if found := clause(" ".join(words[:end])):
                yield _Parted(_turned(found, match["lead"]), " ".join(words[:end]), " ".join(words[end:]))


def _turned(found: Clause, lead: str) -> Clause:
    return found.model_copy(update={"holds": not found.holds}) if lead.casefold() == "unless" else found


def _meant(part: str, found: Clause, client: str) -> str:
    match = _NUDGE.fullmatch(part)
    if match and not found.holds and (match["who"] or client).casefold() == client.casefold():
        return _NUDGED[found.fact].format(client=client)
    if found.holds and found.fact in _THANKED and _THANK.fullmatch(part):
        return _THANKED[found.fact].format(client=client)
    return part


def _sure(reading: Reading) -> tuple[str, Mapping[str, Json]] | None:
    name, slots, pct = reading.intent, reading.slots, reading.confidence_pct
    if not name and reading.others and reading.doubt in {"", "missing"}:
        first = reading.others[0]
        name, slots, pct = first.intent, first.slots, first.confidence_pct
    return None if not name or name in _NO_STEPS or pct < SURE_PCT or reading.rest else (name, slots)


def _client(text: str, spans: Sequence[Slot]) -> str:
    """Return the one client that is named, "" for none or several."""
    found = [slot.text for slot in spans if slot.kind == "client"] or [slot.text for slot in proper_names(text, spans)]
    return found[0] if len({name.casefold() for name in found}) == 1 else ""


def _cut(pattern: re.Pattern[str], text: str, spans: Sequence[Slot]) -> list[str]:
    """Cut a text, never inside a value."""
    ends = [
        m for m in pattern.finditer(text) if not any(slot.start < m.start() and m.end() < slot.end for slot in spans)
    ]
    starts = [0, *(match.end() for match in ends)]
    stops = [*(match.start() for match in ends), len(text)]
    return [part for start, stop in zip(starts, stops, strict=True) if (part := text[start:stop].strip(" ,.;"))]


def _understood(text: str, steps: Sequence[DraftStep], assumed: Sequence[str], evidence: str) -> Understood | None:
    if not steps:
        return None
    draft = Draft(kind="plan", steps=list(steps), text=" ".join(assumed))
    slots: dict[str, Json] = {"goal": text, "steps": draft.model_dump_json(exclude_defaults=True)}
    return Understood(
        order="", intent=MakePlan.id(), slots=slots, confidence_pct=SURE_PCT, tier="local", evidence=(evidence,),
        assumed=tuple(assumed),
    )  # fmt: skip


def _several(number: int) -> str:
    return f"{number} step{'s' * (number != 1)}"
