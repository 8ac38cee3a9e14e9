"""What is learned from the operator's edits: counted at each yes, offered, and followed once it was accepted. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot import habits
from bot.deciding.house import House
from bot.deciding.saying import say
from bot.effects import Effect, LookUp, Record
from bot.state import TaskState
from connectors.base import Json
from memory.events import ActionCall, Ended, Origin, Proposed, Recorded, Settled, Step, Write


def from_card(state: TaskState, event: Settled, house: House) -> list[Effect]:
    """Count what the operator had changed on a card before approving it; offer what has become a habit."""
    opened = state.cards[event.card].opened
    step = _step(state, opened.step)
    client = next((call.client for call in opened.calls if call.client), "")
    by_operator = event.how == "approved" and event.by.origin is Origin.OPERATOR
    if not by_operator or opened.kind != "approval" or opened.compensates or step is None or not client:
        return []
    # What was changed in the plan before it ran is the operator's hand as well.
    edits = {**_in_the_plan(state, step), **state.edits.get(event.card, {})}
    return _counted(state, habits.key_of(step.intent, client), edits, event.card, house)


def _in_the_plan(state: TaskState, step: Step) -> dict[str, Json]:
    """Return the inputs of a step that the operator changed in the plan: slot → value."""
    drafted = next((each for each in _drafted(state) if each.id == step.id), step)
    return {
        name: value
        for name, value in step.inputs.items()
        if drafted.inputs.get(name) != value and isinstance(value, str | int)
    }


def _drafted(state: TaskState) -> tuple[Step, ...]:
    return next((proposed.plan for proposed in state.proposed.values() if proposed.plan), ())


def from_plan(state: TaskState, kept: Sequence[Step], house: House) -> list[Effect]:
    """Count what the operator changed of a playbook before letting it go; offer what has become a habit."""
    for proposed in state.proposed.values():
        if book := str(proposed.results.get("playbook") or ""):
            return _counted(state, f"{habits.PLAYBOOK}{book}", _changed(proposed.plan, kept), str(state.id), house)
    return []


def _changed(drafted: Sequence[Step], kept: Sequence[Step]) -> dict[str, Json]:
    """Return what is different of a playbook: a step left out, one that asks first, one that comes after others."""
    now = {step.id: step for step in kept}
    known = {step.id for step in drafted}
    found: dict[str, Json] = {step.id: habits.LEFT_OUT for step in drafted if step.id not in now}
    for step in drafted:
        if (other := now.get(step.id)) is None:
            continue
        if other.gate == "ask" and step.gate != "ask":
            found[f"{step.id}/{habits.ASKS}"] = habits.FIRST
        if set(other.needs) != set(step.needs) & set(now) and set(other.needs) <= known:
            found[f"{step.id}/{habits.AFTER}"] = ", ".join(sorted(other.needs)) or habits.NOTHING
    return found


def _counted(state: TaskState, key: str, edits: Mapping[str, Json], ref: str, house: House) -> list[Effect]:
    standing = house.ledgers.standing(habits.COUNT, key)
    before = standing.data["fields"] if standing else {}
    counts = habits.counted(before, edits, ref)
    if counts == before:
        return []
    orders: list[Effect] = [_written(Write(kind=habits.COUNT, key=key, data={"fields": counts}), house)]
    followed = _followed(key, house)
    for name, count in habits.ripe(counts).items():
        if not habits.same_value(followed.get(name), count["value"]):
            text, choices = habits.offer(key, name, count, house.client_name(key.partition(":")[2]))
            orders += say(state, text, choices=choices, kind="question")
    return orders


def _followed(key: str, house: House) -> dict[str, Json]:
    """Return what was accepted: field → value; of a playbook: step → left out."""
    if key.startswith(habits.PLAYBOOK):
        kept = house.ledgers.standing(habits.PREFERENCE, key)
        return habits.of_playbook(kept.data) if kept else {}
    delta = house.ledgers.standing(habits.DELTA, key)
    return {name: each["value"] for name, each in delta.data["fields"].items()} if delta else {}


def missing(state: TaskState, event: Proposed, house: House) -> dict[str, Json]:
    """Return the edits that a draft lacks: accepted habits about what neither the request nor a hand has named."""
    step = _step(state, event.step)
    if step is None or not event.calls:
        return {}
    known = {*step.inputs, *event.edits}
    found = _habits_for(step, event.calls, house)
    return {name: value for name, value in found.items() if name not in known}


def told(state: TaskState, event: Proposed, house: House) -> tuple[str, ...]:
    """Return the reasons for a card: which habits its draft follows, and how each is ended."""
    step = _step(state, event.step)
    if step is None:
        return ()
    by_hand = state.edits.get(event.card, {})
    key = habits.key_of(step.intent, _client(event.calls))
    return tuple(
        f"{name.replace('_', ' ')} {value}, as you always have it for {house.client_name(_client(event.calls))}; "
        f"end habit {key}:{name}"
        for name, value in _habits_for(step, event.calls, house).items()
        if habits.same_value(event.edits.get(name), value) and name not in step.inputs and name not in by_hand
    )


def _habits_for(step: Step, calls: Sequence[ActionCall], house: House) -> dict[str, Json]:
    client = _client(calls)
    return _followed(habits.key_of(step.intent, client), house) if client else {}


def _client(calls: Sequence[ActionCall]) -> str:
    return next((call.client for call in calls if call.client), "")


def _step(state: TaskState, name: str) -> Step | None:
    return next((step for step in (state.planned.steps if state.planned else ()) if step.id == name), None)


# ── the operator's word ───────────────────────────────────────────────────────────────────────────────────────────


def heard(state: TaskState, word: habits.Word, house: House) -> list[Effect]:
    """List the habits, keep one that was offered, or end one."""
    if word.what == "list":
        return [LookUp(question="habits")]
    if state.origin is not Origin.OPERATOR:
        return _over(state, "Only the operator says what I learn.")
    return _kept(state, word, house) if word.what == "keep" else _ended(state, word, house)


def _kept(state: TaskState, word: habits.Word, house: House) -> list[Effect]:
    standing = house.ledgers.standing(habits.COUNT, word.key)
    count = standing.data["fields"].get(word.name) if standing else None
    if count is None or not habits.same_value(count["value"], word.value):
        return _over(state, "You have had it otherwise since, so there is no such habit. /habits lists what I follow.")
    if word.key.startswith(habits.PLAYBOOK):
        write = _playbook(word.key, {**_followed(word.key, house), word.name: count["value"]})
    else:
        delta = house.ledgers.standing(habits.DELTA, word.key)
        fields = {**(delta.data["fields"] if delta else {}), word.name: count}
        write = Write(kind=habits.DELTA, key=word.key, data={"fields": fields})
    told = habits.words(word.key, word.name, count["value"], house.client_name(word.key.partition(":")[2]))
    text = f"From now on: {told}. The card says so each time, your own words win, and /habits ends it."
    return [_written(write, house), *_over(state, text)]


def _ended(state: TaskState, word: habits.Word, house: House) -> list[Effect]:
    followed = _followed(word.key, house)
    if word.name not in followed:
        return _over(state, "There is no such habit. /habits lists what I follow.")
    if word.key.startswith(habits.PLAYBOOK):
        write = _playbook(word.key, {name: value for name, value in followed.items() if name != word.name})
    else:
        delta = house.ledgers.standing(habits.DELTA, word.key)
        assert delta is not None
        fields = {name: each for name, each in delta.data["fields"].items() if name != word.name}
        write = Write(kind=habits.DELTA, key=word.key, data={"fields": fields}, gone=not fields)
    # What led to it is forgotten as well: it is offered again only after it was had so twice more.
    count = Write(kind=habits.COUNT, key=word.key, data={"fields": {}})
    return [_written(write, house), _written(count, house), *_over(state, "Ended. I draft it as before.")]


def _playbook(key: str, followed: Mapping[str, Json]) -> Write:
    """Return how a playbook is gone through from now on; ``dropped`` are the steps that are left out."""
    data: dict[str, Json] = {
        "playbook": key.removeprefix(habits.PLAYBOOK),
        "dropped": sorted(name for name, value in followed.items() if value == habits.LEFT_OUT),
        "changed": {name: value for name, value in sorted(followed.items()) if value != habits.LEFT_OUT},
        "why": "you had it so",
    }
    return Write(kind=habits.PREFERENCE, key=key, data=data, gone=not followed)


def _written(write: Write, house: House) -> Record:
    return Record(event=Recorded(write=write, version=house.ledgers.version(write.kind, write.key) + 1))


def _over(state: TaskState, text: str) -> list[Effect]:
    return [*say(state, text), Record(event=Ended(how="done", summary=text))]
