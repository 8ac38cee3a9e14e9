"""What an answer to a shown plan means: go, rehearse, end, or a change in words. Pure.

A step is named by its number ("step 2", "the last step") or by what it does ("the kickoff"). In any channel::

    go · rehearse · drop the plan
    drop step 2 · without the kickoff
    step 1 amount 900 · change the amount of the invoice to 900 · step 2 at 11:00 · start step 1 on Friday
    move step 3 before step 2 · swap 1 and 2 · step 3 first · step 3 after step 1 · steps 2 and 3 at the same time
    add: remind me on Thursday to call them · after step 2, send them a follow-up
    ask before step 3 · step 1 anyway (without its if)

Several changes stand on lines of their own, or with "and" between them. What reads as none of these is a request of its own.
What needs what stays true: a step never comes before the one whose findings it uses. `difference` says what an edit changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from agents.plan import STEPS_MAX, circle, reference, shown_value, slot_kinds, unfit
from agents.slots import find_spans
from memory.events import Step

CHANGES_MAX = 6  # in one answer; more is a new plan
HELP = (
    'Say "go", or change it: "drop step 2", "step 1 amount 900", "step 1 on Friday", "move step 3 before step 2", '
    '"add: ...", "ask before step 1". "rehearse" shows every card and does nothing; "drop the plan" ends it.'
)

_GO = re.compile(
    r"/?(?:yes,?\s*)?(?:go|go ahead|go on|do it|run it|start|ok(?:ay)?|yes|looks good)[.!]*", re.IGNORECASE
)
_REHEARSE = re.compile(r"/?(?:rehearse|dry run|try)(?: it| the plan)?[.!]*", re.IGNORECASE)
_END = re.compile(
    r"/?(?:no|drop (?:it|all|the plan|everything)|cancel(?: it| the plan)?|never mind|stop)[.!]*", re.IGNORECASE
)
_POLITE = re.compile(r"^(?:(?:please|but|and|can you|could you)[,:]?\s+|(?:ok|okay|yes|no|hm+)[,:]\s+)+", re.IGNORECASE)
_ONE = r"(?:the\s+)?(?:steps?\s*)?(?:#?\d+|first|second|third|fourth|fifth|last)(?:\s+step)?"
_NAME = r"(?:(?!and\b|or\b)[^\W\d]+)(?:[ -](?!and\b|or\b)[^\W\d]+){0,3}"
_REF = rf"(?:{_ONE}|the\s+[\w-]+(?:\s+[\w-]+){{0,3}}?)"
_REFS = rf"{_ONE}(?:\s*(?:,|and|&|,\s*and)\s*{_ONE})*"
_DROP = re.compile(
    rf"(?:drop|skip|leave out|remove|delete|without|no)\s+(?P<which>{_REFS}|(?:the\s+)?{_NAME})", re.IGNORECASE
)
_ASK = re.compile(rf"ask (?:me )?before\s+(?P<which>{_REFS}|{_REF}|(?:each|every)\s+step|everything)", re.IGNORECASE)
_ANYWAY = re.compile(rf"(?:do\s+)?(?P<which>{_REF})\s+(?:anyway|in any case|without the if)", re.IGNORECASE)
_SWAP = re.compile(
    rf"(?:swap|switch|exchange)\s+(?P<which>(?:steps?\s*)?{_REF})\s+(?:and|with)\s+(?P<other>{_REF})", re.IGNORECASE
)
_MOVE = re.compile(
    rf"(?:(?:move|put|do|run)\s+)?(?P<which>{_REF})\s+(?:to\s+)?(?P<side>before|after|behind|in front of)\s+(?P<other>{_REF})",
    re.IGNORECASE,
)
_EDGE = re.compile(
    rf"(?:(?:move|put|do|run)\s+)?(?P<which>{_REF})\s+(?:(?:to|at)\s+the\s+|go(?:es)?\s+)?(?P<edge>first|last|start|beginning|top|end|bottom)",
    re.IGNORECASE,
)
_BESIDE = re.compile(
    rf"(?:(?:do|run)\s+)?(?P<which>{_REFS})\s+(?:at the same time|in parallel|side by side|together)", re.IGNORECASE
)
_FREE = re.compile(rf"(?:do\s+)?(?P<which>{_REF})\s+(?:at once|right away|without waiting|immediately)", re.IGNORECASE)
_ADD = re.compile(
    rf"(?:(?:also\s+)?add(?:\s+(?:a|another|one more)?\s*step)?(?:\s+(?P<where>(?:before|after)\s+{_ONE}|first|last|at the end))?\s*[:,]?\s+(?:to\s+)?"
    rf"|(?P<side>before|after)\s+(?P<other>{_ONE})\s*[:,]?\s+)(?P<words>\S.*)",
    re.IGNORECASE | re.DOTALL,
)
_ALSO = re.compile(
    r"(?:and\s+)?(?:also|then|finally|after that|at the end)[,:]?\s+(?P<words>\S.*)", re.IGNORECASE | re.DOTALL
)
_BEGIN = re.compile(rf"(?:start|begin)\s+(?P<which>{_REF})\s+(?P<rest>\S.*)", re.IGNORECASE | re.DOTALL)
_OF = re.compile(
    rf"(?:change|set|make|put)\s+the\s+(?P<name>\w+(?: \w+)?)\s+(?:of|in|on|for)\s+(?P<which>{_REF})\s+(?:to|is|=)?\s*(?P<value>\S.*)",
    re.IGNORECASE | re.DOTALL,
)
_ANY = re.compile(r"(?:change|set|make)\s+the\s+(?P<name>\w+)\s+(?:to|=)?\s*(?P<value>\S.*)", re.IGNORECASE | re.DOTALL)
_STEP = re.compile(
    rf"(?:(?:do|make|change|set|move)\s+)?(?P<which>{_ONE}|the\s+[\w-]+)[:,]?\s+(?:to\s+)?(?P<rest>\S.*)",
    re.IGNORECASE | re.DOTALL,
)
_BARE = re.compile(r"(?P<which>[^\W\d]+(?:[ -][^\W\d]+)??)\s+(?P<rest>\S.*)", re.IGNORECASE | re.DOTALL)
"""Only a name and a value: "kickoff on Thursday"."""
_FIELD = re.compile(r"(?P<name>[a-z_]+)\s*(?::|=|\bto\b|\bis\b)?\s*(?P<value>\S.*)", re.IGNORECASE | re.DOTALL)
_CUT = re.compile(r"\s*(?:;|\n)\s*|,?\s+and\s+(?:then\s+)?|,\s+", re.IGNORECASE)
_CLOCK = re.compile(r"(?:at\s+)?\d{1,2}(?:[:.h]\d{2})?\s*(?:am|pm|o'clock|h|uhr)?", re.IGNORECASE)
_WORD_NUMBERS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5}
_TIMES = frozenset({"day", "moment"})


@dataclass(frozen=True)
class Added:
    """A step that is to be added: what it shall do, in words, and where it goes."""

    words: str
    side: Literal["before", "after", "end", ""] = ""  # "end": after all others; "": beside them
    other: str = ""  # id of the step it goes before or after
    exact: bool = True  # it was said to be for the plan ("add: ..."); "also ..." may be a request of its own


@dataclass(frozen=True)
class Edit:
    """What an answer does to a plan; ``problem`` says what is wrong with it."""

    what: Literal["go", "end", "change", "add", "wrong", "unclear"]
    steps: tuple[Step, ...] = ()
    problem: str = ""
    added: Added | None = None


UNCLEAR = Edit("unclear", problem=f"I cannot read that as a change of this plan. {HELP}")


def edited(text: str, steps: Sequence[Step], now: datetime, zone: ZoneInfo) -> Edit:
    """Return what an answer to a shown plan means.

    Args:
        text: The operator's words.
        steps: The plan as it was shown.
        now: For "tomorrow".
        zone: Where the operator lives.
    """
    said = text.strip()
    if _GO.fullmatch(said):
        return Edit("go", tuple(steps))
    if _REHEARSE.fullmatch(said):
        return Edit("go", tuple(replace(step, gate="shadow", when="", only_if=None) for step in steps))
    if _END.fullmatch(said):
        return Edit("end")
    said = said.rstrip(".! ")
    whole = _Answer(tuple(steps), now, zone).read(said)
    if whole.what in {"change", "add", "end"}:
        return whole
    parts = [part for part in _CUT.split(said) if part][: CHANGES_MAX + 1]
    if 1 < len(parts) <= CHANGES_MAX:
        together = _one_by_one(parts, tuple(steps), now, zone)
        if together.what != "unclear":
            return together
    return whole


def _one_by_one(parts: Sequence[str], steps: tuple[Step, ...], now: datetime, zone: ZoneInfo) -> Edit:
    """Return several changes as one; steps keep the numbers they were shown with."""
    shown, held = steps, steps
    for part in parts:
        edit = _Answer(held, now, zone, shown).read(part)
        if edit.what != "change":
            return edit if edit.what == "wrong" else UNCLEAR
        held = edit.steps
    return Edit("change", held)


@dataclass(frozen=True)
class _Answer:
    """One change, read against the plan it is about."""

    steps: tuple[Step, ...]
    now: datetime
    zone: ZoneInfo
    shown: tuple[Step, ...] = ()  # as the operator sees them numbered, where other changes came before this one

    def read(self, said: str) -> Edit:
        """Try each form in turn: exact ones first, "step 2 ..." last."""
        said = _POLITE.sub("", said) or said
        table: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Edit | None]], ...] = (
            (_ASK, self._ask),
            (_SWAP, self._swap),
            (_BESIDE, self._beside),
            (_MOVE, self._move),
            (_EDGE, self._edge),
            (_ANYWAY, lambda match: self._each(match["which"], only_if=None)),
            (_FREE, self._free),
            (_BEGIN, self._begin),
            (_OF, lambda match: self._field(match["which"], match["name"], match["value"])),
            (_ANY, self._any),
            (_STEP, self._at_or_field),
            (_BARE, self._at_or_field),
            (_DROP, self._drop),
            (_ADD, self._add),
            (_ALSO, lambda match: Edit("add", self.steps, added=Added(match["words"], "end", exact=False))),
        )
        for pattern, read in table:
            if (match := pattern.fullmatch(said)) and (edit := read(match)) is not None:
                return edit
        return UNCLEAR

    # ── which step ────────────────────────────────────────────────────────────────────────────────────────────────

    def _named(self, words: str) -> list[Step] | Edit | None:
        """Return the steps that words name, an edit that says what is wrong, None when they name none."""
        asked = words.strip().casefold()
        shown = self.shown or self.steps
        numbers = [int(each) for each in re.findall(r"\d+", asked)]
        numbers += [number for word, number in _WORD_NUMBERS.items() if re.search(rf"\b{word}\b", asked)]
        numbers += [len(shown)] if re.search(r"\blast\b", asked) else []
        if numbers:
            if wrong := [number for number in numbers if not 1 <= number <= len(shown)]:
                return Edit("wrong", problem=f"There is no step {wrong[0]}; the plan has {len(shown)}.")
            ids = {shown[number - 1].id for number in numbers}
            return [step for step in self.steps if step.id in ids]
        spoken = set(re.findall(r"\w+", asked)) - {"the", "step", "steps", "a"}
        fits = [step for step in self.steps if spoken and spoken <= _words_of(step)]
        return fits if len(fits) == 1 else None

    def _one(self, words: str) -> Step | Edit | None:
        found = self._named(words)
        return found[0] if isinstance(found, list) and len(found) == 1 else None if isinstance(found, list) else found

    def _number(self, step: Step) -> int:
        shown = self.shown or self.steps
        return next((number for number, each in enumerate(shown, 1) if each.id == step.id), 0)

    # ── the forms ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _ask(self, match: re.Match[str]) -> Edit | None:
        if re.search(r"each|every", match["which"], re.IGNORECASE):
            return Edit("change", tuple(replace(step, gate="ask") for step in self.steps))
        return self._each(match["which"], gate="ask")

    def _each(self, which: str, **change: object) -> Edit | None:
        found = self._named(which)
        if not isinstance(found, list):
            return found
        return self._with(*(replace(step, **change) for step in found))

    def _with(self, *changed: Step) -> Edit:
        by_id = {step.id: step for step in changed}
        return Edit("change", tuple(by_id.get(step.id, step) for step in self.steps))

    def _drop(self, match: re.Match[str]) -> Edit | None:
        found = self._named(match["which"])
        if not isinstance(found, list):
            return found
        gone = {step.id for step in found}
        for step in self.steps:
            if step.id not in gone and _uses(step) & gone:
                lost = next(each for each in found if each.id in _uses(step))
                return Edit(
                    "wrong",
                    problem=f"Step {self._number(step)} needs what step {self._number(lost)} finds. Drop both, or neither.",
                )
        kept = _without(self.steps, gone)
        return Edit("change", kept) if kept else Edit("end")

    def _swap(self, match: re.Match[str]) -> Edit | None:
        one, other = self._one(match["which"]), self._one(match["other"])
        for each in (one, other):
            if not isinstance(each, Step):
                return each
        assert isinstance(one, Step)
        assert isinstance(other, Step)
        names = {one.id: other.id, other.id: one.id}
        places = {step.id: step for step in self.steps}
        # Each takes the other's place in the order: what waited for one now waits for the other.
        turned = tuple(
            replace(places[names.get(step.id, step.id)], needs=tuple(names.get(need, need) for need in step.needs))
            for step in self.steps
        )
        return self._ordered(turned)

    def _move(self, match: re.Match[str]) -> Edit | None:
        step, other = self._one(match["which"]), self._one(match["other"])
        for each in (step, other):
            if not isinstance(each, Step):
                return each
        assert isinstance(step, Step)
        assert isinstance(other, Step)
        before = match["side"].casefold() in {"before", "in front of"}
        if step.id == other.id:
            return Edit("wrong", problem="A step cannot wait for itself.")
        rest = list(_without(self.steps, {step.id}, keep_uses=True))
        at = next(position for position, each in enumerate(rest) if each.id == other.id)
        if before:
            moved = replace(step, needs=_united(_uses(step), rest[at].needs))
            rest[at] = replace(rest[at], needs=_united(_uses(rest[at]), (*rest[at].needs, step.id)))
            rest.insert(at, moved)
        else:
            rest.insert(at + 1, replace(step, needs=_united(_uses(step), (other.id,))))
        return self._ordered(tuple(rest))

    def _edge(self, match: re.Match[str]) -> Edit | None:
        step = self._one(match["which"])
        if not isinstance(step, Step):
            return step
        rest = _without(self.steps, {step.id}, keep_uses=True)
        if not rest:
            return Edit("change", self.steps)
        if match["edge"].casefold() in {"first", "start", "beginning", "top"}:
            first = replace(step, needs=tuple(sorted(_uses(step))))
            others = tuple(replace(each, needs=(step.id,)) if not each.needs else each for each in rest)
            return self._ordered((first, *others))
        ends = [each.id for each in rest if not any(each.id in other.needs for other in rest)]
        return self._ordered((*rest, replace(step, needs=_united(_uses(step), ends))))

    def _beside(self, match: re.Match[str]) -> Edit | None:
        found = self._named(match["which"])
        if not isinstance(found, list) or len(found) < 2:  # noqa: PLR2004 - two are beside each other
            return found if isinstance(found, Edit) else None
        together = {step.id for step in found}
        before = [need for step in found for need in step.needs if need not in together]
        if any(_uses(step) & together for step in found):
            return Edit("wrong", problem="One of them needs what another one finds, so they cannot run side by side.")
        return self._with(*(replace(step, needs=_united(_uses(step), before)) for step in found))

    def _free(self, match: re.Match[str]) -> Edit | None:
        step = self._one(match["which"])
        if not isinstance(step, Step):
            return step
        return self._with(replace(step, needs=tuple(sorted(_uses(step))), when=""))

    def _begin(self, match: re.Match[str]) -> Edit | None:
        step = self._one(match["which"])
        if not isinstance(step, Step):
            return step
        return self._when(step, match["rest"])

    def _any(self, match: re.Match[str]) -> Edit | None:
        name = match["name"].casefold()
        takers = [step for step in self.steps if name in slot_kinds(step.intent)]
        given = [step for step in takers if name in step.inputs] or takers
        if not given:
            return None
        if len(given) > 1:
            which = " or ".join(str(self._number(step)) for step in given)
            return Edit("wrong", problem=f"Of which step, {which}? “step {self._number(given[0])} {name} ...”")
        return self._set(given[0], name, match["value"])

    def _field(self, which: str, name: str, value: str) -> Edit | None:
        step = self._one(which)
        if not isinstance(step, Step):
            return step
        slot = name.casefold().replace(" ", "_")
        if slot not in slot_kinds(step.intent):
            takes = ", ".join(slot_kinds(step.intent)) or "nothing"
            return Edit("wrong", problem=f"Step {self._number(step)} has no {name!r}; it takes {takes}.")
        return self._set(step, slot, value)

    def _at_or_field(self, match: re.Match[str]) -> Edit | None:
        step, rest = self._one(match["which"]), match["rest"].strip()
        if not isinstance(step, Step):
            return step
        kinds = slot_kinds(step.intent)
        named = _FIELD.fullmatch(rest)
        if named and named["name"].casefold() in kinds:
            return self._set(step, named["name"].casefold(), named["value"])
        spans = [slot for slot in find_spans(rest, self.now, self.zone, "en_GB") if slot.value is not None]
        if len(spans) == 1 and spans[0].text == rest:
            (only,) = spans
            if only.kind in _TIMES and (slot := _time_slot(step, kinds)):
                return self._set(step, slot, rest)
            fitting = [name for name, takes in kinds.items() if only.kind in takes]
            if len(fitting) == 1 and only.kind not in _TIMES:
                return self._set(step, fitting[0], rest)
            if only.kind == "number" and (priced := [name for name, takes in kinds.items() if "money" in takes]):
                return self._set(step, priced[0], rest) if len(priced) == 1 else None
        if when := self._when(step, rest, asked=match["which"]):
            return when
        return None

    def _when(self, step: Step, rest: str, asked: str = "") -> Edit | None:
        moments = [
            slot for slot in find_spans(rest, self.now, self.zone, "en_GB") if slot.kind in _TIMES and slot.value
        ]
        by_name = bool(asked) and not re.search(r"\d|step", asked)
        if by_name and (len(moments) != 1 or moments[0].text != rest):
            return None  # "the ... on Friday" may be anything
        if len(moments) == 1:
            when = _moment(moments[0].value, self.zone)
            if when <= self.now:
                return Edit("wrong", problem="That time has passed. When shall the step begin?")
            return self._with(replace(step, when=when.isoformat()))
        return Edit(
            "wrong", problem=f"I cannot read {rest!r} as a time or a detail of step {self._number(step)}. {HELP}"
        )

    def _set(self, step: Step, name: str, value: str) -> Edit:
        written = self._written(step, name, value.strip())
        changed = replace(step, inputs={**step.inputs, name: written})
        if fault := unfit(changed, name):
            return Edit("wrong", problem=f"Step {self._number(step)}, {name.replace('_', ' ')}: {fault}")
        return self._with(changed)

    def _written(self, step: Step, name: str, value: str) -> str:
        """Return a value as steps hold it: "900" for an amount is "900.00 EUR" where EUR stood before."""
        takes, before = slot_kinds(step.intent)[name], step.inputs.get(name)
        found = [slot for slot in find_spans(value, self.now, self.zone, "en_GB") if slot.value is not None]
        if len(found) != 1 or found[0].text != value:
            return value
        (only,) = found
        if "money" in takes and only.kind in {"money", "number"}:
            sum_, _, currency = str(only.value).partition(" ")
            usual = currency or str(before or "").partition(" ")[2]
            return f"{sum_ if '.' in sum_ else sum_ + '.00'} {usual}".strip()
        if "moment" in takes and only.kind in _TIMES:
            return _moved(only.value, value, str(before or ""), self.zone).isoformat()
        return str(only.value) if only.kind in takes else value

    def _add(self, match: re.Match[str]) -> Edit | None:
        if len(self.steps) >= STEPS_MAX:
            return Edit("wrong", problem=f"The plan has {len(self.steps)} steps; {STEPS_MAX} are the most.")
        where = (match["where"] or match["side"] or "").casefold()
        if not where.startswith(("before", "after")):
            if where == "first":
                return Edit("add", self.steps, added=Added(match["words"], "before", self.steps[0].id))
            return Edit("add", self.steps, added=Added(match["words"], "end" if where else ""))
        step = self._one(match["other"] or re.sub(r"^(?:before|after)\s+", "", where))
        if not isinstance(step, Step):
            return step
        side: Literal["before", "after"] = "before" if where.startswith("before") else "after"
        return Edit("add", self.steps, added=Added(match["words"], side, step.id))

    def _ordered(self, steps: tuple[Step, ...]) -> Edit:
        """Return the steps in an order that holds, each waiting only for what it must; or why there is none."""
        for step in steps:
            missing = _uses(step) - set(step.needs)
            steps = tuple(
                replace(each, needs=(*each.needs, *sorted(missing))) if each.id == step.id else each for each in steps
            )
        if stuck := circle(steps):
            wants = next((step for step in steps if step.id in stuck and _uses(step) & set(stuck)), None)
            if wants is not None:
                found = next(step for step in self.steps if step.id in _uses(wants) & set(stuck))
                return Edit(
                    "wrong",
                    problem=f"Step {self._number(wants)} needs what step {self._number(found)} finds, so it cannot come before it.",
                )
            return Edit("wrong", problem="Then these would wait for each other. Which shall come first?")
        return Edit("change", _lean(steps))


def with_step(steps: Sequence[Step], fresh: Step, added: Added) -> tuple[Step, ...]:
    """Return the plan with a step more, in its place: after the others, or before or after one of them."""
    name = fresh.id
    while any(step.id == name for step in steps):
        name = f"{name}-more"
    ends = [step.id for step in steps if not any(step.id in other.needs for other in steps)]
    at = next((number for number, step in enumerate(steps) if step.id == added.other), -1)
    if at < 0:
        return (*steps, replace(fresh, id=name, needs=tuple(ends) if added.side == "end" else ()))
    other = steps[at]
    if added.side == "before":
        first = replace(fresh, id=name, needs=other.needs)
        return (*steps[:at], first, replace(other, needs=(*sorted(_uses(other)), name)), *steps[at + 1 :])
    following = tuple(
        replace(step, needs=(*(need for need in step.needs if need != other.id or need in _uses(step)), name))
        if other.id in step.needs
        else step
        for step in steps[at + 1 :]
    )
    return (*steps[: at + 1], replace(fresh, id=name, needs=(other.id,)), *following)


def difference(before: Sequence[Step], after: Sequence[Step], zone: ZoneInfo) -> tuple[str, ...]:
    """Return what an edit changed, a line each, with the numbers of the new plan; what is gone has that of the old one."""
    old = {step.id: (number, step) for number, step in enumerate(before, 1)}
    new = {step.id: (number, step) for number, step in enumerate(after, 1)}
    lines = [f"Out: {number}. {doing(step)}" for name, (number, step) in old.items() if name not in new]
    for name, (number, step) in new.items():
        if name not in old:
            lines.append(f"New: {number}. {doing(step)}")
            continue
        was = old[name][1]
        for slot in dict.fromkeys((*was.inputs, *step.inputs)):
            if was.inputs.get(slot) != step.inputs.get(slot):
                lines.append(f"{number}. {slot.replace('_', ' ')}: {_value(was, slot)} → {_value(step, slot)}")
        if was.when != step.when:
            lines.append(f"{number}. begins {_at(step.when, zone)}")
        if was.gate != step.gate:
            lines.append(f"{number}. {'asks before' if step.gate == 'ask' else 'asks as the rules say'}")
        if was.only_if != step.only_if:
            lines.append(f"{number}. without its if")
    kept = [name for name in old if name in new]
    if kept != [name for name in new if name in old]:
        lines.append("Order: " + ", ".join(doing(step) for _, step in new.values()))
    elif len(old) == len(new):
        lines += [
            f"{new[name][0]}. waits for {', '.join(str(new[need][0]) for need in new[name][1].needs) or 'nothing'}"
            for name in kept
            if set(old[name][1].needs) != set(new[name][1].needs)
        ]
    return tuple(lines)


def doing(step: Step) -> str:
    """Return what a step does, in a few words: "send proposal"."""
    return step.intent.replace("_", " ")


def _value(step: Step, slot: str) -> str:
    value = step.inputs.get(slot)
    if (ref := reference(value)) is not None:
        return f"{ref[1]} of {ref[0]}"
    return "nothing" if value in (None, "") else shown_value(value)


def _at(when: str, zone: ZoneInfo) -> str:
    return f"{datetime.fromisoformat(when).astimezone(zone):%a %d %b %H:%M}" if when else "as soon as it may"


def _words_of(step: Step) -> set[str]:
    """Return the words by which a step is called: what it does, and the operator's own words for it."""
    said = f"{step.intent.replace('_', ' ')} {step.why if not step.why.startswith('playbook') else ''} {step.id}"
    return set(re.findall(r"\w+", said.casefold().replace("-", " ") + " " + said.casefold().replace("-", "")))


def _uses(step: Step) -> set[str]:
    """Return the steps whose findings a step uses: these it cannot go before."""
    return {ref[0] for value in step.inputs.values() if (ref := reference(value))}


def _united(uses: Iterable[str], needs: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*sorted(uses), *needs)))


def _without(steps: Sequence[Step], gone: set[str], *, keep_uses: bool = False) -> tuple[Step, ...]:
    """Return the other steps; what waited for one that is gone waits for what that one waited for."""
    needs = {step.id: step.needs for step in steps}

    def reached(step: Step) -> tuple[str, ...]:
        found: list[str] = []
        for need in step.needs:
            if need not in gone:
                found.append(need)
                continue
            found += [need] if keep_uses and need in _uses(step) else []
            found += [each for each in needs[need] if each not in gone]
        return tuple(dict.fromkeys(found))

    return tuple(replace(step, needs=reached(step)) for step in steps if step.id not in gone)


def _lean(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Leave out needs that follow from others; what a step uses stays written down."""
    needs = {step.id: set(step.needs) for step in steps}

    def above(name: str) -> set[str]:
        return needs[name].union(*(above(need) for need in needs[name])) if needs.get(name) else set()

    def least(step: Step) -> tuple[str, ...]:
        implied = set().union(*(above(need) for need in step.needs)) if step.needs else set()
        return tuple(need for need in step.needs if need not in implied or need in _uses(step))

    return tuple(replace(step, needs=least(step)) for step in steps)


def _time_slot(step: Step, kinds: dict[str, set[str]]) -> str:
    """Return the one time that a step is about and was given: of a meeting when it takes place."""
    given = [name for name, takes in kinds.items() if takes & _TIMES and isinstance(step.inputs.get(name), str)]
    return given[0] if len(given) == 1 else ""


def _moment(value: object, zone: ZoneInfo) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(f"{value}T09:00:00").replace(tzinfo=zone)


def _moved(value: object, words: str, before: str, zone: ZoneInfo) -> datetime:
    """Return a moment of which only the day, or only the time, was said: the other half stays as it was."""
    try:
        was = datetime.fromisoformat(before).astimezone(zone)
    except ValueError:
        return _moment(value, zone)
    if not isinstance(value, datetime):
        return datetime.combine(datetime.fromisoformat(str(value)).date(), time(was.hour, was.minute), zone)
    return datetime.combine(was.date(), value.timetz()) if _CLOCK.fullmatch(words.strip()) else value
