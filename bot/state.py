"""History of one task → what we believe now. Pure: `apply` folds one line into a belief, `rows` says what to project.

The belief is a frozen value; `apply` returns the next one. Nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, assert_never

import msgspec
from msgspec import field
from msgspec.structs import replace

from bot import payees
from bot.agreement import EDITED, REJECTED, UNCHANGED, UNDONE
from bot.effects import Delegate, Lasting, Show, unpack
from connectors.base import Json
from memory.events import (
    ActionCall,
    Actor,
    Answered,
    BecameUnknown,
    CardOpened,
    Compensated,
    Confirmed,
    Delivered,
    Dropped,
    Ended,
    EpochRaised,
    Failed,
    Granted,
    GrantUsed,
    HourStruck,
    ItemArrived,
    MessageReceived,
    ModelCalled,
    Origin,
    Paused,
    Place,
    Planned,
    Posted,
    Prepared,
    Pressed,
    Proposed,
    Queued,
    Recorded,
    Resumed,
    Revoked,
    Said,
    Sending,
    Settled,
    Snoozed,
    Step,
    Understood,
    WokeUp,
)
from memory.line import GENESIS, Line, stamp

TaskStatus = Literal["received", "understood", "planned", "running", "waiting", "done", "failed", "cancelled"]
EffectStatus = Literal["prepared", "sending", "confirmed", "failed", "unknown", "compensated", "dropped"]
StepStatus = Literal["ready", "working", "asked", "waiting", "acting", "done", "failed", "skipped"]

FINAL = frozenset({"confirmed", "failed", "compensated", "dropped"})


class CardState(msgspec.Struct, frozen=True):
    """A card and how it stands."""

    opened: CardOpened
    state: Literal["pending", "approved", "denied", "expired", "cancelled", "superseded"] = "pending"
    settled: Settled | None = None
    settled_at: datetime | None = None
    snoozed_until: datetime | None = None
    former: CardOpened | None = None  # the draft before this one, for copies that show it


class EffectState(msgspec.Struct, frozen=True):
    """An effect and how it stands."""

    prepared: Prepared
    step: str
    at: datetime  # when it was let through or last sent: the day it counts against a limit
    status: EffectStatus = "prepared"
    attempt: int = 0
    first_sent_at: datetime | None = None
    again_at: datetime | None = None
    turn_at: datetime | None = None  # it waits for its action's pace, or for a place
    room: str = ""  # where it waits for a place, until one is free
    ref: str = ""
    text: str = ""
    data: Mapping[str, Json] = field(default_factory=dict)
    by: Actor | None = None
    maybe: bool = False  # an earlier attempt may have arrived

    @property
    def waits(self) -> bool:
        """Whether it waits for a time, and nothing of it has left: for the end of its undo window, or for its turn."""
        return self.status == "prepared" and not self.maybe and bool(self.prepared.not_before or self.turn_at)


class TaskState(msgspec.Struct, frozen=True):
    """What we believe about one task."""

    id: int
    seq: int = 0
    head: bytes = GENESIS
    status: TaskStatus = "received"
    title: str = ""
    began: datetime | None = None
    at: datetime | None = None
    origin: Origin = Origin.SYSTEM
    actor: Actor | None = None
    place: Place | None = None
    heard: MessageReceived | ItemArrived | HourStruck | None = None
    understood: Understood | None = None
    planned: Planned | None = None
    steps: Mapping[str, StepStatus] = field(default_factory=dict)
    results: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    proposed: Mapping[str, Proposed] = field(default_factory=dict)
    edits: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)  # by card
    cards: Mapping[str, CardState] = field(default_factory=dict)
    effects: Mapping[str, EffectState] = field(default_factory=dict)
    said: Mapping[str, Said] = field(default_factory=dict)
    copies: Mapping[str, tuple[tuple[Place, str], ...]] = field(default_factory=dict)  # card → where it is shown
    open: Mapping[str, Lasting] = field(default_factory=dict)  # orders not yet answered
    presses: int = 0
    yeses: Mapping[str, tuple[Actor, ...]] = field(default_factory=dict)  # "card/revision" → whose hand approved it
    drafts: Mapping[str, int] = field(default_factory=dict)  # step → how often an agent has worked on it
    paused: frozenset[str] = frozenset()  # task 0 only
    grants: Mapping[str, Granted] = field(default_factory=dict)  # task 0 only
    grant_uses: Mapping[str, int] = field(default_factory=dict)
    yielded: frozenset[str] = frozenset()  # "card/revision/number" that a waiting card gave up to one that goes first
    restored: bool = False  # it was open in a backup that was put back: what follows may have happened already

    def pending(self) -> Iterator[CardState]:
        """Yield the cards that wait for somebody; a rehearsal waits for nobody."""
        return (card for card in self.cards.values() if card.state == "pending" and card.opened.kind != "shadow")

    def of_card(self, card: str) -> list[EffectState]:
        """Return the effects a card let through, in order."""
        return [effect for effect in self.effects.values() if effect.prepared.card == card]


def with_item(mapping: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    """Return a copy of a mapping with one item replaced, in place or at the end."""
    return {**mapping, key: value}


def apply(state: TaskState, line: Line) -> TaskState:
    """Return what we believe after this line."""
    return with_orders(with_event(state, line), line)


def with_orders(state: TaskState, line: Line) -> TaskState:
    """Return the state with the line in its place and its orders open: the second half of `apply`."""
    open_orders, edits = state.open, state.edits
    answered = getattr(line.event, "order", "")
    if answered or line.ordered.given or line.ordered.closed:
        gone = {answered, *line.ordered.closed}
        open_orders = {key: order for key, order in open_orders.items() if key not in gone}
        given = [(row.id, unpack(row.body)) for row in line.ordered.given]
        open_orders.update((key, order) for key, order in given if _is_answered(order, state))
        for _, order in given:
            # An edit counts once a draft was ordered with it: that of a press which was refused never does.
            if isinstance(order, Delegate) and order.card and order.edits:
                edits = with_item(edits, order.card, order.edits)
    return replace(
        state, seq=line.seq, head=line.hash, at=line.at, began=state.began or line.at, open=open_orders, edits=edits
    )


def _is_answered(order: Lasting, state: TaskState) -> bool:
    """Whether history answers this order: a message shown and a copy mended are taken off the outbox, no more."""
    return not isinstance(order, Show) or (not order.ref and order.what in state.cards)


def believe(task: int, lines: Iterable[Line]) -> TaskState:
    """Fold a whole history."""
    state = TaskState(task)
    for line in lines:
        state = apply(state, line)
    return state


def with_event(state: TaskState, line: Line) -> TaskState:  # noqa: PLR0915 - a table
    """Return what the event alone makes us believe: the first half of `apply`, enough to decide on."""
    event = line.event
    match event:
        case MessageReceived():
            return replace(
                state,
                heard=event,
                title=_title(event.text),
                actor=event.actor,
                origin=event.actor.origin,
                place=event.place,
            )
        case ItemArrived():
            title = _title(event.text) or f"{event.service}: {event.kind}"
            return replace(state, heard=event, title=title, actor=event.actor, origin=event.actor.origin)
        case HourStruck():
            return replace(state, heard=event, title=f"{event.name} {event.period}", origin=Origin.SYSTEM)
        case Understood():
            return replace(state, understood=event, status="understood")
        case Planned():
            planned: dict[str, StepStatus] = {step.id: state.steps.get(step.id, "ready") for step in event.steps}
            return replace(
                state, planned=event, steps=planned, status="planned", title=state.title or _title(event.goal)
            )
        case Proposed():
            asked: StepStatus = (
                "asked" if event.ask else "failed" if event.problem else "acting" if event.calls else "done"
            )
            if event.problem and any(s.id == event.step and s.on_fail == "ask" for s in _steps(state)):
                asked = "asked"
            return replace(
                state,
                status="running",
                steps=with_item(state.steps, event.step, asked),
                proposed=with_item(state.proposed, event.step, event),
                drafts=with_item(state.drafts, event.step, state.drafts.get(event.step, 0) + 1),
                results=with_item(state.results, event.step, event.results),
                edits=with_item(state.edits, event.card, event.edits) if event.card and event.edits else state.edits,
            )
        case CardOpened():
            steps = state.steps
            if event.kind in _STEP_OF and not event.compensates:
                # In a plan that is rehearsed as a whole, what follows is rehearsed with what this would have found.
                whole = any(each.id == event.step and each.gate == "shadow" for each in _steps(state))
                steps = with_item(steps, event.step, "done" if whole else _STEP_OF[event.kind])
            opened = CardState(event, former=_former(state, event.card))
            return replace(state, status="waiting", steps=steps, cards=with_item(state.cards, event.card, opened))
        case Pressed():
            return replace(state, presses=state.presses + 1, yeses=_with_yes(state, event))
        case Settled():
            card = state.cards[event.card]
            changed = replace(card, state=event.how, settled=event, settled_at=line.at, snoozed_until=None)
            steps = state.steps
            if card.opened.kind == "approval" and not card.opened.compensates and event.how != "superseded":
                steps = with_item(steps, card.opened.step, "acting" if event.how == "approved" else "skipped")
            return replace(state, steps=steps, cards=with_item(state.cards, event.card, changed))
        case Snoozed():
            card = replace(state.cards[event.card], snoozed_until=event.until)
            return replace(state, cards=with_item(state.cards, event.card, card))
        case Prepared():
            letting = state.cards.get(event.card)
            by = letting.settled.by if letting and letting.settled else None
            fresh = EffectState(event, step=event.step, at=line.at, by=by)
            return replace(state, status="running", effects=with_item(state.effects, event.effect, fresh))
        case Queued():
            return _effect(
                state,
                event.effect,
                status="prepared",
                text=event.reason,
                turn_at=event.until,
                room=event.room,
                again_at=None,
                at=line.at if event.room else event.until,  # who waits for a place has had its turn
                maybe=state.effects[event.effect].maybe or state.effects[event.effect].status == "unknown",
            )
        case Sending():
            return _effect(
                state,
                event.effect,
                status="sending",
                attempt=event.attempt,
                first_sent_at=state.effects[event.effect].first_sent_at or event.at,
                again_at=None,
                at=line.at,
            )
        case Confirmed():
            return _effect(state, event.effect, status="confirmed", ref=event.ref, text=event.text, data=event.data)
        case Failed():
            status: EffectStatus = "prepared" if event.again_at else "failed"
            maybe = event.maybe or state.effects[event.effect].maybe
            return _effect(state, event.effect, status=status, text=event.reason, again_at=event.again_at, maybe=maybe)
        case BecameUnknown():
            return _effect(state, event.effect, status="unknown", text=event.reason)
        case Dropped():
            return _effect(state, event.effect, status="dropped", text=event.reason)
        case Compensated():
            return _effect(state, event.effect, status="compensated")
        case Said():
            return replace(state, said=with_item(state.said, event.message, event))
        case Delivered():
            if event.what not in state.cards:
                return state
            place_ref = (event.place, event.ref)
            others = tuple(copy for copy in state.copies.get(event.what, ()) if copy != place_ref)
            return replace(state, copies=with_item(state.copies, event.what, (*others, place_ref)))
        case Ended():
            return replace(state, status=event.how)
        case Paused():
            return replace(state, paused=state.paused | {event.scope})
        case Resumed():
            kept = frozenset() if event.scope == "all" else state.paused - {event.scope}
            return replace(state, paused=kept)
        case Granted():
            return replace(state, grants=with_item(state.grants, event.grant, event))
        case Revoked():
            return replace(state, grants={key: value for key, value in state.grants.items() if key != event.grant})
        case GrantUsed():
            used = state.grant_uses.get(event.grant, 0) + 1
            return replace(state, grant_uses=with_item(state.grant_uses, event.grant, used))
        case WokeUp(reason="answer") if state.steps.get(str(event.data.get("step"))) == "asked":
            resumed: StepStatus = "skipped" if event.data.get("skip") else "working"
            return replace(state, steps=with_item(state.steps, str(event.data["step"]), resumed))
        case WokeUp(reason="yielded"):
            standing = state.cards.get(str(event.data.get("card")))
            given = f"{event.data.get('card')}/{standing.opened.revision if standing else 0}/{event.data.get('number')}"
            return replace(state, yielded=state.yielded | {given})
        case WokeUp(reason="restored"):
            return replace(state, restored=True)
        case WokeUp() | Answered() | Recorded() | Posted() | ModelCalled() | EpochRaised():
            return state
        case _:
            assert_never(event)


_STEP_OF: Mapping[str, StepStatus] = {"approval": "waiting", "shadow": "skipped"}
"""What a card makes of its step; cards about an effect change nothing, and what is only rehearsed is not done."""


def _with_yes(state: TaskState, event: Pressed) -> Mapping[str, tuple[Actor, ...]]:
    """Note who approved the card as it stands; whether that hand counts is asked when it matters."""
    card = state.cards.get(event.card)
    if event.verb != "approve" or card is None or card.state != "pending":
        return state.yeses
    opened = card.opened
    if event.revision not in {0, opened.revision} or not opened.fingerprint.startswith(event.fingerprint):
        return state.yeses
    key = f"{event.card}/{opened.revision}"
    return with_item(state.yeses, key, (*state.yeses.get(key, ()), event.actor))


def _steps(state: TaskState) -> tuple[Step, ...]:
    return state.planned.steps if state.planned else ()


def _effect(state: TaskState, effect: str, **changes: Any) -> TaskState:
    changed = replace(state.effects[effect], **{"turn_at": None, "room": "", **changes})
    effects = with_item(state.effects, effect, changed)
    statuses = [other.status for other in effects.values() if other.step == changed.step]
    step: StepStatus = "acting"
    if all(status in FINAL for status in statuses):
        step = "failed" if "failed" in statuses else "skipped" if "dropped" in statuses else "done"
    steps = with_item(state.steps, changed.step, step) if changed.step in state.steps else state.steps
    return replace(state, effects=effects, steps=steps)


TITLE_MAX = 80  # characters of the operator's words that name a task in lists


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TITLE_MAX else line[: TITLE_MAX - 1] + "…"


# ── projections ───────────────────────────────────────────────────────────────────────────────────────────────────


Row = tuple[str, dict[str, Any]]
"""Table name and row."""


def task_row(state: TaskState) -> Row:
    """Return the row of a task that has lines, as it stands after the last of them."""
    assert state.began is not None
    assert state.at is not None
    return (
        "tasks",
        {
            "id": state.id,
            "status": state.status,
            "title": state.title,
            "origin": state.origin.value,
            "began": stamp(state.began),
            "at": stamp(state.at),
            "seq": state.seq,
        },
    )


def rows(before: TaskState, after: TaskState, line: Line) -> Iterator[Row]:
    """Yield the other projection rows that this line changes. See ``memory/projections.py`` for the tables."""
    event = line.event
    match event:
        case MessageReceived():
            yield from _turn(line, "heard", str(line.task))
        case Said():
            yield from _turn(line, "said", event.message)
        case CardOpened() if event.revision == 1:
            yield from _turn(line, "card", event.card)
        case Delivered():
            place = event.place
            yield (
                "copies",
                {
                    "channel": place.channel,
                    "conversation": place.conversation,
                    "ref": event.ref,
                    "task": line.task,
                    "what": event.what,
                },
            )
        case Recorded():
            write = event.write
            yield (
                "records",
                {
                    "kind": write.kind,
                    "key": write.key,
                    "version": event.version,
                    "task": line.task,
                    "at": stamp(line.at),
                    "gone": int(write.gone),
                    "effect": event.effect,
                    "data": msgspec.json.encode(write.data, order="deterministic").decode(),
                },
            )
        case Posted():
            for number, entry in enumerate(event.entries):
                amount, _, currency = entry.amount.partition(" ")
                yield (
                    "ledger",
                    {
                        "task": line.task,
                        "seq": line.seq,
                        "line": number,
                        "at": stamp(line.at),
                        "account": entry.account,
                        "amount": amount,
                        "currency": currency,
                        "note": entry.note or event.note,
                        "effect": event.effect,
                    },
                )
        case Prepared():
            for text in event.payees:
                payee = payees.read(text)
                yield (
                    "payees",
                    {
                        "account": payee.account,
                        "name": payees.called(payee.name),
                        "words": payee.words,
                        "effect": event.effect,
                    },
                )
        case Confirmed():
            call = after.effects[event.effect].prepared.call
            for name in ("to", "cc", "bcc"):
                for address in call.args.get(name) or ():
                    if isinstance(address, str):
                        yield "recipients", {"address": address.casefold(), "effect": event.effect}
        case _:
            pass
    yield from _decisions(before, after, line)
    if after.cards is not before.cards:
        for key, card in after.cards.items():
            if before.cards.get(key) is not card:
                yield "cards", _card_row(after, key, card, line)
    if after.effects is not before.effects:
        for key, effect in after.effects.items():
            if before.effects.get(key) is not effect:
                yield "effects", _effect_row(after, key, effect)


def _decisions(before: TaskState, after: TaskState, line: Line) -> Iterator[Row]:
    """Yield what a line says about agreement with a draft. A delegate's yes is not the operator's; a no is a no."""
    match line.event:
        case Settled(how="approved" | "denied") as settled:
            opened = after.cards[settled.card].opened
            if (
                opened.compensates
                or opened.kind not in {"approval", "shadow"}
                or (settled.how == "approved" and settled.by.origin is not Origin.OPERATOR)
            ):
                return
            how = REJECTED if settled.how == "denied" else EDITED if opened.revision > 1 else UNCHANGED
            for call in opened.calls:
                yield _decision(settled.card, call, how, line)
        case Dropped() as dropped if before.effects[dropped.effect].status == "prepared":
            prepared = before.effects[dropped.effect].prepared
            yield _decision(prepared.card or prepared.effect, prepared.call, UNDONE, line)
        case Compensated() as compensated:
            prepared = before.effects[compensated.effect].prepared
            yield _decision(prepared.card or prepared.effect, prepared.call, UNDONE, line)
        case _:
            pass


def _decision(ref: str, call: ActionCall, how: str, line: Line) -> Row:
    return "decisions", {"ref": ref, "action": call.name, "client": call.client, "how": how, "n": line.n}


def _turn(line: Line, kind: str, ref: str) -> Iterator[Row]:
    yield "turns", {"n": line.n, "task": line.task, "seq": line.seq, "at": stamp(line.at), "kind": kind, "ref": ref}


def _card_row(state: TaskState, key: str, card: CardState, line: Line) -> dict[str, Any]:
    opened = card.opened
    return {
        "id": key,
        "task": state.id,
        "revision": opened.revision,
        "state": card.state,
        "kind": opened.kind,
        "title": opened.title,
        "client": next((call.client for call in opened.calls if call.client), ""),
        "fingerprint": opened.fingerprint,
        "at": stamp(line.at),
    }


def _effect_row(state: TaskState, key: str, effect: EffectState) -> dict[str, Any]:
    call = effect.prepared.call
    amount, _, currency = str(call.args.get("amount") or "").partition(" ")
    return {
        "id": key,
        "task": state.id,
        "card": effect.prepared.card,
        "name": call.name,
        "client": call.client,
        "amount": amount if currency else "",
        "currency": currency,
        "status": effect.status,
        "key": effect.prepared.key,
        "ref": effect.ref,
        "text": effect.text,
        "at": stamp(effect.at),
        "undone": int(effect.status == "compensated"),
    }


def reserved(state: TaskState) -> dict[str, str]:
    """Return name → card for the numbers this task holds back: those of waiting cards and unfinished effects."""
    held: dict[str, str] = {}
    for key, card in state.cards.items():
        live = card.state == "pending" and card.opened.kind in {"approval", "unknown"}
        unfinished = any(effect.status not in FINAL for effect in state.of_card(key))
        if live or unfinished:
            needs = [need for call in card.opened.calls for need in call.needs if need.startswith("number:")]
            names = [need.removeprefix("number:") for need in needs]
            given = "" if unfinished else f"{key}/{card.opened.revision}"
            held.update((name, key) for name in names if f"{given}/{name}" not in state.yielded)
    return held


def _former(state: TaskState, card: str) -> CardOpened | None:
    standing = state.cards.get(card)
    return standing.opened if standing else None
