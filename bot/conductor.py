"""decide(state, event) → orders. Every opinion of the house stands here, and nothing here touches anything. Pure.

``state`` is what we believe of one task *after* the event, `House` is what holds everywhere. Both come from the same
transaction that appends the event, so there is no gap between belief and decision: two presses at one instant settle a
card once, because the second one is decided after the first.

The answers are orders (``bot/effects.py``). `Record` appends a further event in the same transaction and is decided
in turn, so a press, its effect and the start of it are one commit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal, Protocol, assert_never
from zoneinfo import ZoneInfo

import msgspec

from bot import approvals, batch, books, grants, plans, schedules
from bot.agreement import Agreement, agreed
from bot.approvals import Roster, View
from bot.effects import (
    Close,
    Delegate,
    Effect,
    LookUp,
    Perform,
    Press,
    Record,
    Remember,
    Reply,
    Rouse,
    Show,
    Start,
    Tally,
    Tell,
    Understand,
    Wake,
)
from bot.policy import Limit, Policy, Verdict, amount_of, judge, limits_for, odd_amount, over_limit
from bot.state import FINAL, CardState, EffectState, TaskState
from connectors.base import Action, EffectClass, Json, Risk
from memory.events import (
    ActionCall,
    Actor,
    Answered,
    BecameUnknown,
    CardOpened,
    Choice,
    Compensated,
    Confirmed,
    Delivered,
    Dropped,
    Ended,
    EpochRaised,
    Failed,
    Granted,
    GrantUsed,
    Happening,
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
    Write,
    fingerprint,
)

REDRAFTS_MAX = 8  # a number two drafts fight over must not become an endless loop
STEPS_MAX = 12  # of one plan
UNDO_DAYS = 30  # how long back "/undo" looks
MEMORY_MAX_S = 10 * 365 * 86400.0  # no service remembers a key for longer, whatever it declares

SOLOIST = Actor(platform="soloist", user="soloist", origin=Origin.SYSTEM)
CLOCK = Actor(platform="clock", user="clock", origin=Origin.SYSTEM)

QUESTIONS = frozenset({
    "help", "approvals", "digest", "stuck", "timeline", "why", "home", "budget", "tasks", "status",
    "grants", "settings",
})  # fmt: skip
"""Intents answered from our own history."""

ANSWER = "answer"
"""Not an intent anybody declares: the reader found that a message answers a question of a task that waits."""

OPERATOR_ONLY = frozenset({"resume", "forget", "undo", "remember", "grants"})
"""What a delegate cannot say. Anybody on the list may stop everything; only the operator lets it go on."""

PRESSES = frozenset({"approve", "reject", "undo", "snooze"})
"""Intents that press a button by name."""


class Standing(Protocol):
    """A record as it stands: `memory.projections.Version` serves."""

    @property
    def version(self) -> int:
        """Counted from 1, versions that ended the record among them."""
        ...

    @property
    def data(self) -> Mapping[str, Json]:
        """What it says."""
        ...


class Ledgers(Protocol):
    """What the conductor reads of the books inside the transaction; `memory.projections.Books` serves."""

    def version(self, kind: str, key: str) -> int:
        """Newest version, 0 for none."""
        ...

    def standing(self, kind: str, key: str) -> Standing | None:
        """Newest version that is not gone."""
        ...

    def decisions(self, action: str, client: str) -> list[str]:
        """How the cards for one action and client were decided, oldest first."""
        ...

    def reserved_for(self, name: str) -> str | None:
        """The card a number is held for."""
        ...

    def knows_recipient(self, address: str) -> bool:
        """Whether anybody has written there."""
        ...

    def spent(self, since: datetime, *, client: str = "", action: str = "") -> dict[str, Decimal]:
        """Money let through since."""
        ...

    def newer_than(self, effect: str, kind: str, key: str) -> bool:
        """Whether a record was written again after an effect wrote it."""
        ...

    def before(self, effect: str, kind: str, key: str) -> Mapping[str, Json] | None:
        """A record's data before an effect wrote it, None when there was none."""
        ...


@dataclass(frozen=True)
class House:
    """What holds everywhere, as of this transaction."""

    now: datetime
    zone: ZoneInfo
    policy: Policy
    actions: Mapping[str, Action]
    ledgers: Ledgers
    roster: Roster
    secret: bytes
    accounts: Mapping[str, str] = field(default_factory=dict)  # service → as whom
    agents: Mapping[str, str] = field(default_factory=dict)  # intent → agent
    proposes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # agent → actions
    hears: Mapping[str, str] = field(default_factory=dict)  # kind of outside item → agent
    homes: tuple[Place, ...] = ()  # where the operator is reached; only channels that need delivering to
    paused: frozenset[str] = frozenset()
    grants: Mapping[str, Granted] = field(default_factory=dict)

    def view(self) -> View:
        """Return what rendering a card needs."""
        return View(self.actions, self.secret, self.zone, self.now)


def decide(state: TaskState, event: Happening, house: House) -> list[Effect]:
    """Return what is to be done about an event. Total: every event has its row."""
    match event:
        case MessageReceived() if event.reply_to:
            press = Pressed(
                card=event.reply_to, revision=0, verb="revise", actor=event.actor, place=event.place, reason=event.text
            )
            return [Tell(task=int(event.reply_to.partition(".")[0]), event=press)]
        case MessageReceived() if batch.asks_for_all(event.text):
            return [LookUp(question="batch")]
        case MessageReceived() if wanted := grants.like(event.text):
            return [Press(verb="grant", card=wanted[0], reason=str(wanted[1]))]
        case MessageReceived() if grants.lists(event.text):
            return [LookUp(question="grants")]
        case MessageReceived() if revoked := grants.revoked(event.text):
            return _revoke(state, revoked, house)
        case MessageReceived() if batch.items_in(event.text):
            return [Press(verb="approve", card=event.text)]
        case MessageReceived():
            return [Understand(text=event.text)]
        case ItemArrived():
            return _item_arrived(state, event, house)
        case HourStruck() if event.name.startswith(schedules.PREFIX):
            return _fell_due(event, house)
        case HourStruck():
            return [LookUp(question=event.name, slots={"period": event.period})]
        case Understood():
            return _understood(state, event, house)
        case Planned() if plans.held(state):
            text = plans.shown(event.steps, house.zone)
            return _say(state, text, choices=plans.CHOICES, kind="question")
        case Planned():
            return _advance(state, house)
        case Proposed():
            return _proposed(state, event, house)
        case Answered():
            said = _say(state, event.text, files=event.files, choices=event.choices, kind=_answer_kind(state))
            return [*said, Record(event=Ended(how="done", summary=_first_line(event.text)))]
        case CardOpened():
            return _card_opened(state, event, house)
        case Pressed():
            return _pressed(state, event, house)
        case Settled():
            return _settled(state, event, house)
        case Snoozed():
            return [Wake(reason="snooze", due=event.until, data={"card": event.card}), *_mend(state, event.card)]
        case Prepared():
            return []  # started by whoever prepared it, or by the window's end
        case Sending():
            return [Perform(effect=event.effect, attempt=event.attempt)]
        case Confirmed():
            return _confirmed(state, event, house)
        case Failed():
            return _failed(state, event, house)
        case BecameUnknown():
            return [
                _unknown_card(state, event.effect, event.reason),
                *_mend(state, state.effects[event.effect].prepared.card),
            ]
        case Dropped():
            return _dropped(state, event)
        case Compensated():
            return _mend(state, state.effects[event.effect].prepared.card)
        case Said():
            return _show_message(event, house)
        case WokeUp():
            return _woke(state, event, house)
        case Paused():
            return [Reply(text=_paused_text(event.scope))]
        case Resumed():
            return [
                Rouse(scope=event.scope),
                Reply(text=f"Going on with {event.scope}." if event.scope != "all" else "Going on."),
            ]
        case Delivered() if event.what in state.cards and state.cards[event.what].state != "pending":
            # It was settled while this copy was on its way, and nobody has mended it yet.
            return _mend(state, event.what, only=event.ref)
        case Ended() | Recorded() | Posted() | Delivered() | ModelCalled():
            return []  # looked at, not acted on
        case Granted() | Revoked() | GrantUsed() | EpochRaised():
            return []
        case _:
            assert_never(event)


# ── understanding and planning ────────────────────────────────────────────────────────────────────────────────────


def _item_arrived(state: TaskState, event: ItemArrived, house: House) -> list[Effect]:
    agent = next(
        (
            house.hears[pattern]
            for pattern in (event.kind, f"{event.service}.*", event.service)
            if pattern in house.hears
        ),
        "",
    )
    if not agent:
        text = (
            f"Something came in from {event.service} ({event.kind}) that no agent takes. It is kept as task {state.id}."
        )
        return [*_say(state, text, kind="notice"), Record(event=Ended(how="done", summary="kept, nobody takes it"))]
    step = Step(id="s1", agent=agent, intent="item", why="it came from outside")
    return [Record(event=Planned(goal=state.title, steps=(step,), source="item"))]


def _fell_due(event: HourStruck, house: House) -> list[Effect]:
    """Do what a schedule asks for, and move it on to its next period: both in the transaction that counts this one."""
    key = event.name.removeprefix(schedules.PREFIX)
    standing = house.ledgers.standing(schedules.KIND, key)
    if standing is None or standing.data.get("next") != event.period:
        return [Record(event=Ended(how="done", summary="this schedule was changed in the meantime"))]
    moved = schedules.advanced(key, standing.data, event.period, house.zone)
    step = schedules.step_of(key, standing.data)
    goal = str(standing.data.get("text") or key)
    return [
        Record(event=Recorded(write=moved, version=standing.version + 1)),
        Record(event=Planned(goal=goal, steps=(step,), source=event.name)),
    ]


def _understood(state: TaskState, event: Understood, house: House) -> list[Effect]:
    place = state.place or Place(channel="")
    more: list[Effect] = [Start(text=text, place=place) for text in event.rest]
    if not event.intent:
        ask = event.ask or "I did not understand that. /help shows what I can do."
        said = _say(state, ask, choices=event.choices, kind="question")
        return [*more, *said, Record(event=Ended(how="done", summary="asked back"))]
    if event.intent == ANSWER:
        return [*more, *_answered(event)]
    if event.intent in OPERATOR_ONLY and state.origin is not Origin.OPERATOR:
        said = _say(state, "Only the operator can say that. You can ask, draft, and decide what was left to you.")
        return [*more, *said, Record(event=Ended(how="done", summary="not a delegate's to say"))]
    if event.intent in {"pause", "resume"}:
        return [*more, *_pause(state, event)]
    if event.intent in PRESSES:
        card = str(event.slots.get("card") or event.slots.get("task") or "")
        return [*more, Press(verb=event.intent, card=card, reason=str(event.slots.get("reason") or ""))]
    if event.intent in QUESTIONS:
        return [*more, LookUp(question=event.intent, slots=event.slots)]
    agent = house.agents.get(event.intent)
    if agent is None:
        said = _say(
            state, f"I know what you mean by {event.intent!r}, but nobody here does it. /help shows what I can do."
        )
        return [*more, *said, Record(event=Ended(how="failed", summary="nobody does it"))]
    step = Step(id="s1", agent=agent, intent=event.intent, inputs=event.slots)
    return [*more, Record(event=Planned(goal=state.title, steps=(step,), source="fixed"))]


def _pause(state: TaskState, event: Understood) -> list[Effect]:
    scope = str(event.slots.get("scope") or "all")
    actor = state.actor or SOLOIST
    if event.intent == "pause":
        text, told = _paused_text(scope), Paused(scope=scope, by=actor)
        return [
            Tell(task=0, event=told),
            *_say(state, text),
            Record(event=Ended(how="done", summary=f"paused {scope}")),
        ]
    return [
        Tell(task=0, event=Resumed(scope=scope, by=actor)),
        *_say(state, "Going on. What stood still starts now."),
        Record(event=Ended(how="done", summary=f"resumed {scope}")),
    ]


def _paused_text(scope: str) -> str:
    what = "Everything" if scope == "all" else scope
    return f"{what} is stopped: nothing leaves the house until /resume. You can still ask, draft and approve."


def _answered(event: Understood) -> list[Effect]:
    """The message answers a question of another task: it goes on there."""
    task = int(str(event.slots["task"]))
    told = WokeUp(order="", reason="answer", data={key: value for key, value in event.slots.items() if key != "task"})
    return [Tell(task=task, event=told), Record(event=Ended(how="done", summary=f"answered task {task}"))]


def _go_on(state: TaskState, event: WokeUp, house: House) -> list[Effect]:
    """The operator's answer came: to a plan that was shown, or to the question of one of its steps."""
    if state.status in FINISHED:
        return _say(state, "That question is settled in the meantime.", kind="notice")
    if plans.held(state):
        return _edit_plan(state, str(event.data.get("text") or ""), house)
    step = str(event.data.get("step") or "")
    under_way = any(isinstance(order, Delegate) and order.step == step for order in state.open.values())
    if state.steps.get(step) == "working" and not under_way:
        slots = event.data.get("slots") or {}
        guidance = "" if slots else str(event.data.get("text") or "")
        return [Delegate(step=step, guidance=guidance, edits=dict(slots))]
    if state.steps.get(step) == "skipped":
        return _advance(state, house)
    return _say(state, "That question is settled in the meantime.", kind="notice")


def _edit_plan(state: TaskState, text: str, house: House) -> list[Effect]:
    plan = state.planned
    assert plan is not None
    edit = plans.edited(text, plan.steps, house.now, house.zone)
    if edit.what in {"wrong", "unclear"}:
        return _say(state, edit.problem, choices=plans.CHOICES, kind="question")
    if edit.what == "end":
        return [
            *_say(state, "The plan is dropped. Nothing of it was done."),
            Record(event=Ended(how="cancelled", summary="the plan was dropped")),
        ]
    source = plans.APPROVED if edit.what == "go" else plans.EDITED
    fresh = Planned(goal=plan.goal, steps=edit.steps, source=source, revision=plan.revision + 1)
    return [*_preference(state, edit.dropped, house), Record(event=fresh)]


def _preference(state: TaskState, dropped: tuple[str, ...], house: House) -> list[Effect]:
    """Keep what was left out of a playbook, so that the planner proposes it that way the next time."""
    book = next((str(p.results["playbook"]) for p in state.proposed.values() if p.results.get("playbook")), "")
    if not book or not dropped:
        return []
    key = f"playbook-{book}"
    standing = house.ledgers.standing("preference", key)
    before = standing.data.get("dropped", []) if standing else []
    data: dict[str, Json] = {"playbook": book, "dropped": sorted({*before, *dropped}), "why": "you left it out"}
    write = Write(kind="preference", key=key, data=data)
    return [Record(event=Recorded(write=write, version=house.ledgers.version("preference", key) + 1))]


FINISHED = frozenset({"done", "failed", "cancelled"})


def _advance(state: TaskState, house: House) -> list[Effect]:
    """Delegate every step whose needs are done and whose time has come; end the task when nothing is left."""
    if state.planned is None or state.status in FINISHED or plans.held(state):
        return []
    orders: list[Effect] = []
    for step in state.planned.steps:
        if state.steps.get(step.id) != "ready" or not plans.met(step, state.planned.steps, state.steps):
            continue
        if any(isinstance(order, Delegate) and order.step == step.id for order in state.open.values()):
            continue
        due = datetime.fromisoformat(step.when) if step.when else house.now
        if due <= house.now:
            orders.append(Delegate(step=step.id))
        elif not any(isinstance(order, Wake) and order.data.get("step") == step.id for order in state.open.values()):
            orders.append(Wake(reason="step", due=due, data={"step": step.id}))
    if orders:
        return orders
    return _end_if_over(state)


def _end_if_over(state: TaskState) -> list[Effect]:
    steps = state.planned.steps if state.planned else ()
    busy = any(status in {"working", "asked", "waiting", "acting"} for status in state.steps.values())
    ready = any(state.steps.get(step.id) == "ready" and plans.met(step, steps, state.steps) for step in steps)
    live = any(effect.status not in FINAL for effect in state.effects.values())
    waiting = any(True for _ in state.pending())
    reminding = any(isinstance(order, Wake) and order.reason == "reminder" for order in state.open.values())
    if busy or ready or live or waiting or reminding or state.status in FINISHED:
        return []
    statuses = set(state.steps.values())
    texts = [effect.text for effect in state.effects.values() if effect.status == "confirmed"]
    if any(state.steps.get(step.id) == "failed" and step.on_fail != "skip" for step in steps):
        return [Record(event=Ended(how="failed", summary="a step failed"))]
    if "skipped" in statuses and "done" not in statuses:
        return [Record(event=Ended(how="cancelled", summary="left undone"))]
    return [Record(event=Ended(how="done", summary=" ".join(texts) or state.title))]


# ── proposals and the gate ────────────────────────────────────────────────────────────────────────────────────────


def _proposed(state: TaskState, event: Proposed, house: House) -> list[Effect]:
    remember: list[Effect] = [Remember(records=event.remember)] if event.remember else []
    if event.card and state.cards[event.card].state != "pending":
        return [*remember, Reply(text="The card was settled in the meantime, so this draft is put away.")]
    if event.ask:
        said = _say(state, event.ask, choices=event.choices, kind="question")
        if _in_a_plan(state):
            return [*remember, *said, *_advance(state, house)]  # the rest goes on, and the answer goes to this step
        return [*remember, *said, Record(event=Ended(how="done", summary="asked back"))]
    if event.problem:
        if state.steps.get(event.step) == "asked":
            choices = (Choice(label="Try again", text="again"), Choice(label="Leave it out", text="leave it out"))
            return [*remember, *_say(state, event.problem, choices=choices, kind="question")]
        said = _say(state, event.problem, kind="problem")
        return [*remember, *said, *_after_failure(state, event, house)]
    if event.plan:
        steps = event.plan[:STEPS_MAX]
        # A plan of several steps is shown whole below; see `plans.shown`.
        shown_below = len(steps) > 1 and isinstance(state.heard, MessageReceived)
        words = event.say.partition("\n")[0] if shown_below else event.say
        said = _say(state, words) if words else []
        revision = state.planned.revision + 1 if state.planned else 1
        plan = Planned(goal=state.title, steps=steps, source=f"agent:{event.agent}", revision=revision)
        return [*remember, *said, Record(event=plan)]
    if not event.calls:
        said = _say(state, event.say, choices=event.choices, files=event.files) if event.say else []
        return [*remember, *said, *_advance(state, house)]
    return [*remember, *_gate(state, event, house)]


def _in_a_plan(state: TaskState) -> bool:
    return state.planned is not None and len(state.planned.steps) > 1


def _after_failure(state: TaskState, event: Proposed, house: House) -> list[Effect]:
    if event.card:
        return []  # the card as it was still waits
    steps = state.planned.steps if state.planned else ()
    if any(step.id == event.step and step.on_fail == "skip" for step in steps):
        return _advance(state, house)
    return [Record(event=Ended(how="failed", summary=_first_line(event.problem)))]


def _gate(state: TaskState, event: Proposed, house: House) -> list[Effect]:
    """Every call of every proposal passes here: capability, freshness, limits, then the operator's rules."""
    calls = tuple(_with_account(call, house) for call in event.calls)
    refusal = _not_allowed(event.agent, calls, house)
    if refusal:
        return [
            *_say(state, refusal, kind="problem"),
            *_after_failure(state, msgspec.structs.replace(event, problem=refusal), house),
        ]
    if _stale(calls, event.card, house):
        if state.drafts.get(event.step, 0) >= REDRAFTS_MAX:
            text = "This kept changing while I drafted it. Please ask again in a moment."
            return [*_say(state, text, kind="problem"), Record(event=Ended(how="failed", summary=text))]
        return [Delegate(step=event.step, card=event.card, edits=dict(state.edits.get(event.card, {})))]
    newcomers = tuple(
        sorted(
            {address for call in calls for address in _recipients(call) if not house.ledgers.knows_recipient(address)}
        )
    )
    verdicts = [_judge(state, call, house, newcomers) for call in calls]
    step = next((step for step in (state.planned.steps if state.planned else ()) if step.id == event.step), None)
    worst = max(verdicts, key=lambda verdict: ("do", "shadow", "ask", "refuse").index(verdict.ruling))
    if step is not None and step.gate == "ask" and worst.ruling == "do":
        worst = Verdict("ask", "the plan asks here")
    if event.warnings and worst.ruling == "do":
        worst = Verdict("ask", "a check found something")
    if worst.ruling == "refuse":
        text = f"I will not do this: {worst.rule}."
        return [
            *_say(state, text, kind="problem"),
            *_after_failure(state, msgspec.structs.replace(event, problem=text), house),
        ]
    if worst.ruling == "do" and not event.card:
        broken = _broken_limit(calls, house) or _used_twice(verdicts)
        if not broken:
            watched = any(verdict.grant or verdict.earned for verdict in verdicts)
            return [
                *_prepare(state, calls, house, card="", step=event.step, rule=worst.rule, watched=watched),
                *_counted(state, event, calls, verdicts),
            ]
        worst = Verdict("ask", broken)
    return [Record(event=_open_card(state, event, calls, newcomers, worst, house))]


def _used_twice(verdicts: Iterable[Verdict]) -> str:
    """One proposal uses a grant once: the count that bounds it stands still until this is written."""
    used = [verdict.grant for verdict in verdicts if verdict.grant]
    return "it would use one grant twice at once" if len(used) != len(set(used)) else ""


def _counted(
    state: TaskState, event: Proposed, calls: tuple[ActionCall, ...], verdicts: Iterable[Verdict]
) -> list[Effect]:
    """Count every grant that was used, in this very transaction."""
    base = _base(state, "", event.step)
    return [
        Tally(
            event=GrantUsed(grant=verdict.grant, effect=f"{base}.{number}", amount=str(call.args.get("amount") or ""))
        )
        for number, (call, verdict) in enumerate(zip(calls, verdicts, strict=True), 1)
        if verdict.grant
    ]


def _with_account(call: ActionCall, house: House) -> ActionCall:
    account = house.accounts.get(call.name.partition(".")[0], "")
    return call if call.account == account else msgspec.structs.replace(call, account=account)


def _not_allowed(agent: str, calls: Iterable[ActionCall], house: House) -> str:
    for call in calls:
        if call.name not in house.actions:
            return f"{agent} wanted to use {call.name}, which is not set up here. `python -m bot doctor` says what is missing."
        if call.name not in house.proposes.get(agent, ()):
            return f"{agent} is not allowed to propose {call.name}; nothing was done."
        missing = [
            param.name for param in house.actions[call.name].params if param.required and param.name not in call.args
        ]
        if missing:
            return f"{agent} drafted {call.name} without {', '.join(missing)}; nothing was done."
        odd = odd_amount(call)
        if odd:
            return f"{agent} drafted {call.name} with the amount {odd!r}, which no limit could count; nothing was done."
        if call.name.startswith("books."):
            try:
                books.check(call)
            except books.UnbalancedError as error:
                return str(error)
        elif house.actions[call.name].risk is Risk.READS:
            return f"{call.name} only reads; {agent} should have used it at its desk."
    return ""


def _judge(state: TaskState, call: ActionCall, house: House, newcomers: tuple[str, ...]) -> Verdict:
    action = house.actions[call.name]
    verdict = judge(
        call,
        action,
        house.policy,
        newcomers=newcomers,
        grants=house.grants,
        streak=_agreement(call, house).streak if any(rule.earned for rule in house.policy.rules) else 0,
    )
    # Only a rule that says so by itself lets a stranger's mail lead to something without a look.
    by_default = verdict.rule.startswith("default:") or bool(verdict.grant) or verdict.earned
    if verdict.ruling == "do" and state.restored and not call.name.startswith("books."):
        return Verdict("ask", "this request comes from a restored backup and may have been done after it")
    if verdict.ruling == "do" and by_default and state.origin in {Origin.CLIENT, Origin.STRANGER}:
        return Verdict("ask", "it was started by somebody outside")
    return verdict


def _agreement(call: ActionCall, house: House) -> Agreement:
    return agreed(house.ledgers.decisions(call.name, call.client))


def _evidence(calls: Iterable[ActionCall], house: House) -> tuple[str, ...]:
    """Return what earlier decisions on the same action and client say, the least agreed with: one line."""
    found = [_agreement(call, house) for call in calls if call.client]
    weakest = min(found, key=lambda each: (each.streak, each.unchanged), default=Agreement())
    return (weakest.words,) if weakest.words else ()


def _recipients(call: ActionCall) -> list[str]:
    return [
        address for name in ("to", "cc", "bcc") for address in call.args.get(name) or () if isinstance(address, str)
    ]


def _stale(calls: Iterable[ActionCall], card: str, house: House) -> bool:
    """Whether something a draft stands on has changed since: a record's version, a number somebody else holds."""
    for call in calls:
        for need, version in call.needs.items():
            if need.startswith("number:"):
                name = need.removeprefix("number:")
                holder = house.ledgers.reserved_for(name)
                kind, _, number = name.partition(":")
                if (holder is not None and holder != card) or house.ledgers.version(kind, number) > 0:
                    return True
            else:
                kind, _, key = need.partition(":")
                standing = house.ledgers.standing(kind, key)
                # A record that is gone is as one that never was: added again, it needs version 0.
                if (standing.version if standing else 0) != version:
                    return True
    return False


def _broken_limit(calls: Iterable[ActionCall], house: House) -> str:
    """Return which limit these calls would break together, in words."""
    own: dict[Limit, Decimal] = {}  # what the calls before it on the same card take
    for call in calls:
        spent: dict[Limit, Decimal] = {}
        for limit in limits_for(call, house.policy):
            sums = house.ledgers.spent(
                house.now - timedelta(days=limit.days), client=call.client if limit.client else "", action=limit.action
            )
            spent[limit] = sums.get(limit.currency, Decimal(0)) + own.get(limit, Decimal(0))
            own[limit] = own.get(limit, Decimal(0)) + max(Decimal(0), amount_of(call)[0])
        broken = over_limit(call, house.policy, spent)
        if broken:
            return broken
    return ""


def _open_card(
    state: TaskState,
    event: Proposed,
    calls: tuple[ActionCall, ...],
    newcomers: tuple[str, ...],
    verdict: Verdict,
    house: House,
) -> CardOpened:
    before = state.cards.get(event.card)
    card = event.card or f"{state.id}.{len(state.cards) + 1}"
    return CardOpened(
        card=card,
        revision=before.opened.revision + 1 if before else 1,
        step=event.step,
        title=approvals.title(calls, house.actions),
        calls=calls,
        fingerprint=fingerprint(calls),
        rule=verdict.rule,
        kind="shadow" if verdict.ruling == "shadow" else "approval",
        expires_at=approvals.expires_at(calls, house.actions, house.policy, house.now),
        on_expiry=house.policy.on_expiry,
        say=event.say,
        no_return="; ".join(
            dict.fromkeys(house.actions[call.name].no_return for call in calls if house.actions[call.name].no_return)
        ),
        confidence_pct=event.confidence_pct,
        reasons=(*event.reasons, *_evidence(calls, house)),
        sources=event.sources,
        warnings=event.warnings,
        changes=approvals.changes(before.opened.calls, calls, house.actions) if before else (),
        files=event.files or approvals.attachments_of(calls),
        newcomers=newcomers,
    )


def _card_opened(state: TaskState, event: CardOpened, house: House) -> list[Effect]:
    orders: list[Effect] = [
        Close(order=key)
        for key, order in state.open.items()
        if isinstance(order, Wake) and order.reason in {"expire", "remind"} and order.data.get("card") == event.card
    ]
    # Copies of the draft before give up their buttons: there is one place to press, and it shows what would be done.
    orders += _mend(state, event.card, former=True)
    if event.kind == "shadow":
        return [*orders, *_show_card(state, event.card, house), *_end_if_over(state)]
    if event.expires_at and event.kind == "approval":
        orders.append(Wake(reason="expire", due=event.expires_at, data={"card": event.card}))
        early = event.expires_at - house.policy.remind_before
        if early > house.now:
            orders.append(Wake(reason="remind", due=early, data={"card": event.card}))
    return [*orders, *_show_card(state, event.card, house)]


# ── presses ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _pressed(state: TaskState, event: Pressed, house: House) -> list[Effect]:
    standing = state.cards.get(event.card)
    if standing is None and event.verb == "undo" and event.card in state.effects:
        return _undo_without_card(state, event, house)
    if standing is None:
        return [Reply(text=f"There is no card {event.card}.")]
    refusal = approvals.may_press(house.roster.find(event.actor), standing.opened)
    if refusal:
        told = f"{event.actor.platform} user {event.actor.user or '(nobody)'} tried to {event.verb} card {event.card} and was refused. It still waits for you."
        return [Reply(text=refusal), *_say(state, told, kind="notice", home=True)]
    if event.verb == "undo":
        return _undo(state, event, standing, house)
    if standing.state != "pending":
        return [Reply(text=f"That one is settled: {approvals.outcome(state, event.card, house.view())}")]
    if event.revision and event.revision != standing.opened.revision:
        return [Reply(text="This card has changed since; the newer version is below. Nothing was done.")]
    opened = standing.opened
    if event.fingerprint and not opened.fingerprint.startswith(event.fingerprint):
        return [Reply(text="This card has changed since it was listed. Nothing was done.")]
    if opened.kind == "shadow":
        return [Reply(text="This is a rehearsal: it shows what would have been done and does nothing.")]
    if opened.kind in {"unknown", "stuck"}:
        return _answer_for_effect(state, event, standing, house)
    match event.verb:
        case "approve":
            return _approve(state, event, standing, house)
        case "grant":
            return _grant(state, event, standing, house)
        case "reject":
            settled = Settled(
                card=event.card,
                revision=opened.revision,
                how="denied",
                by=event.actor,
                reason=event.reason,
                place=event.place,
            )
            return [Record(event=settled), Reply(text="Rejected. Nothing was done.")]
        case "edit" | "revise":
            edits = dict(state.edits.get(event.card, {}))
            return [
                Delegate(step=opened.step, guidance=event.reason, edits=edits, card=event.card),
                Reply(text="Changing the draft; the new card follows."),
            ]
        case "snooze":
            until = event.until or house.now + timedelta(hours=1)
            when = approvals.clock_text(until, house.view())
            return [Record(event=Snoozed(card=event.card, until=until, by=event.actor)), Reply(text=f"Back {when}.")]
        case _:
            return [Reply(text=f"A card cannot be told to {event.verb!r}.")]


def _approve(state: TaskState, event: Pressed, standing: CardState, house: House) -> list[Effect]:
    opened = standing.opened

    def settled(how: Literal["approved", "expired", "cancelled"], reason: str = "") -> Record:
        return Record(
            event=Settled(
                card=event.card, revision=opened.revision, how=how, by=event.actor, reason=reason, place=event.place
            )
        )

    if opened.expires_at and house.now >= opened.expires_at and opened.on_expiry == "cancel":
        return [settled("expired"), Reply(text="This card has run out. Nothing was done; ask again for a fresh one.")]
    if fingerprint(opened.calls) != opened.fingerprint:
        return [
            settled("cancelled", "its content is not what was shown"),
            Reply(text="This card's content is not what was shown, so nothing was done. Ask again."),
            *_say(
                state,
                f"Card {event.card} was changed after it was shown and is void. Run doctor.",
                kind="problem",
                home=True,
            ),
        ]
    gone = [call.name for call in opened.calls if call.name not in house.actions]
    if gone:
        return [Reply(text=f"{gone[0]} is not set up any more, so nothing was done. Set it up again; the card waits.")]
    if _stale(opened.calls, event.card, house):
        return [
            Delegate(step=opened.step, edits=dict(state.edits.get(event.card, {})), card=event.card),
            Reply(text="Something this stands on has changed since. A fresh card follows; nothing was done."),
        ]
    broken = _broken_limit(opened.calls, house)
    if broken:
        return [Reply(text=broken)]
    if _needs_second_channel(state, opened, house):
        return [Reply(text="A sum this large needs a second yes, from another of your channels. This one is counted.")]
    prepared = _prepare(
        state, opened.calls, house, card=event.card, step=opened.step, rule=f"approved on {event.actor.platform}"
    )
    return [settled("approved", event.reason), *prepared, Reply(text="Approved.")]


def _needs_second_channel(state: TaskState, opened: CardOpened, house: House) -> bool:
    """Whether a large sum was approved on fewer than two of the operator's channels: one stolen phone is not enough."""
    sums: dict[str, Decimal] = {}
    for call in opened.calls:
        amount, currency = amount_of(call)
        sums[currency] = sums.get(currency, Decimal(0)) + abs(amount)
    if not any(sums.get(currency, Decimal(-1)) >= least for currency, least in house.policy.step_up_from.items()):
        return False
    hands = state.yeses.get(f"{opened.card}/{opened.revision}", ())
    people = [(hand, house.roster.find(hand)) for hand in hands]
    return len({hand.platform for hand, person in people if person and person.role is Origin.OPERATOR}) < 2  # noqa: PLR2004


def _prepare(
    state: TaskState,
    calls: tuple[ActionCall, ...],
    house: House,
    *,
    card: str,
    step: str,
    rule: str,
    watched: bool = False,
) -> list[Effect]:
    """Write down every effect, then start the first, or wait out the undo window.

    Args:
        watched: It goes without a card because of what was approved before, so the window is told with an Undo.
    """
    delayed = house.policy.delay > timedelta(0) and any(house.actions[call.name].delayed for call in calls)
    not_before = house.now + house.policy.delay if delayed and (card or watched) else None
    base = _base(state, card, step)
    orders: list[Effect] = []
    for number, call in enumerate(calls, 1):
        effect = f"{base}.{number}"
        orders.append(
            Record(
                event=Prepared(
                    effect=effect,
                    card=card,
                    step=step,
                    call=call,
                    fingerprint=fingerprint(call),
                    key=stable_key(house.secret, effect),
                    effect_class=house.actions[call.name].effect.value,
                    not_before=not_before,
                    rule=rule,
                )
            )
        )
    if not_before:
        wake = Wake(reason="window", due=not_before, data={"effect": f"{base}.1", "card": card})
        if card:
            return [*orders, wake]
        told = f"{approvals.title(calls, house.actions)}, unless you take it back by {approvals.clock_text(not_before, house.view())} ({rule})."
        return [*orders, wake, *_say(state, told, kind="notice", undo=f"{base}.1")]
    return [*orders, *_start_now(calls[0], f"{base}.1", house)]


def _base(state: TaskState, card: str, step: str) -> str:
    return card or f"{state.id}.{step}.{state.drafts.get(step, 0)}"


def stable_key(secret: bytes, effect: str) -> str:
    """Return the key every attempt of one effect carries: derived from its row, so a restart finds the same."""
    return hashlib.sha256(secret + b"/effect/" + effect.encode()).hexdigest()[:40]


def _start_now(call: ActionCall, effect: str, house: House) -> list[Effect]:
    """Start an effect that was prepared in this very transaction."""
    if _is_paused(call, house):
        return []
    if call.name.startswith("books."):
        return _enter(call, effect)
    return [Record(event=Sending(effect=effect, attempt=1, at=house.now))]


def _is_paused(call: ActionCall, house: House) -> bool:
    return bool(house.paused & {"all", call.name, call.name.partition(".")[0]})


def _enter(call: ActionCall, effect: str) -> list[Effect]:
    return [
        Record(
            event=Confirmed(
                effect=effect, ref=str(call.args.get("number") or ""), text=books.text_of(call), how="books"
            )
        )
    ]


def _start(effect: EffectState, house: House) -> list[Effect]:
    """Start an effect that has waited: everything is checked again, for a night may have passed."""
    prepared = effect.prepared
    if _is_paused(prepared.call, house):
        return []
    if fingerprint(prepared.call) != prepared.fingerprint:
        return [Record(event=Failed(effect=prepared.effect, reason="its content is not what was approved"))]
    if effect.attempt == 0 and _stale((prepared.call,), prepared.card, house):
        return [Record(event=Failed(effect=prepared.effect, reason="something it stands on changed in the meantime"))]
    if prepared.call.name.startswith("books."):
        return _enter(prepared.call, prepared.effect)
    return [Record(event=Sending(effect=prepared.effect, attempt=effect.attempt + 1, at=house.now))]


def _grant(state: TaskState, event: Pressed, standing: CardState, house: House) -> list[Effect]:
    """Approve this card and, for a while, what is like it: the same action, the same client, no larger amount."""
    person = house.roster.find(event.actor)
    if person is None or person.role is not Origin.OPERATOR:
        return [Reply(text="Only the operator approves in advance.")]
    calls = standing.opened.calls
    if any(not call.client for call in calls):
        return [Reply(text="This card is for no client, so there is no telling what is like it. Approve it by itself.")]
    days = grants.span(event.reason).days
    told = msgspec.structs.replace(event, reason=f"and all like it for {days} day{'s' * (days != 1)}")
    orders = _approve(state, told, standing, house)
    if not any(
        isinstance(order, Record) and isinstance(order.event, Settled) and order.event.how == "approved"
        for order in orders
    ):
        return orders
    until = house.now + grants.span(event.reason)
    given: list[Effect] = []
    words: list[str] = []
    for number, call in enumerate(calls, 1):
        amount, currency = amount_of(call)
        cap = f"{amount} {currency}" if currency else ""
        granted = Granted(
            grant=f"{event.card}.g{number}", action=call.name, client=call.client, amount_max=cap,
            uses_max=grants.USES_MAX, expires_at=until, by=event.actor,
        )  # fmt: skip
        given.append(Tally(event=granted))
        words.append(f"{call.name} for {call.client}" + (f" up to {cap}" if cap else ""))
    reply = (
        f"Approved. Until {approvals.clock_text(until, house.view())}, and {grants.USES_MAX} times at most, I do the "
        f"same without asking: {'; '.join(words)}. /grants lists it, revoke {event.card}.g1 ends it."
    )
    return [*(order for order in orders if not isinstance(order, Reply)), *given, Reply(text=reply)]


def _revoke(state: TaskState, which: str, house: House) -> list[Effect]:
    actor = state.actor or SOLOIST
    if state.origin is not Origin.OPERATOR:
        text = "Only the operator ends a grant."
    elif ended := [key for key in house.grants if which in {"all", key}]:
        orders: list[Effect] = [Tally(event=Revoked(grant=key, by=actor)) for key in ended]
        text = f"Ended: {', '.join(ended)}. What it covered asks again."
        return [*orders, *_say(state, text), Record(event=Ended(how="done", summary=text))]
    else:
        text = "There is no such grant. /grants lists those in force."
    return [*_say(state, text), Record(event=Ended(how="done", summary=text))]


def _undo(state: TaskState, event: Pressed, standing: CardState, house: House) -> list[Effect]:
    opened = standing.opened
    effects = state.of_card(event.card)
    if any(effect.maybe and effect.status == "prepared" for effect in effects):
        return [Reply(text="An earlier attempt may have gone through, so this cannot be taken back from here.")]
    if approvals.undoable(state, event.card):
        drops: list[Effect] = [
            Record(
                event=Dropped(effect=effect.prepared.effect, reason="Taken back before it happened.", by=event.actor)
            )
            for effect in effects
        ]
        closing: list[Effect] = [
            Close(order=key)
            for key, order in state.open.items()
            if isinstance(order, Wake) and order.reason in {"window", "retry"} and order.data.get("card") == event.card
        ]
        said = _say(state, f"Taken back: {opened.title}. Nothing was sent.", kind="receipt")
        return [*closing, *drops, *said, Reply(text="Taken back. Nothing was done.")]
    if standing.state == "pending":
        return [Reply(text="Nothing has happened yet: reject the card instead.")]
    return _undo_done(state, event, [effect for effect in effects if effect.status == "confirmed"], house)


def _undo_without_card(state: TaskState, event: Pressed, house: House) -> list[Effect]:
    person = house.roster.find(event.actor)
    if person is None or person.role is not Origin.OPERATOR:
        return [Reply(text="Only the operator takes this back.")]
    effect = state.effects[event.card]
    group = _group(state, effect)
    if effect.prepared.not_before and all(other.status == "prepared" and not other.maybe for other in group):
        closing: list[Effect] = [
            Close(order=key)
            for key, order in state.open.items()
            if isinstance(order, Wake) and order.reason == "window" and order.data.get("effect") == event.card
        ]
        drops: list[Effect] = [
            Record(event=Dropped(effect=other.prepared.effect, reason="Taken back before it happened.", by=event.actor))
            for other in group
        ]
        said = _say(state, "Taken back before it happened. Nothing was sent.", kind="receipt")
        return [*closing, *drops, *said, Reply(text="Taken back. Nothing was done.")]
    return _undo_done(state, event, [effect] if effect.status == "confirmed" else [], house)


REVERSIBLE = frozenset({"books.write", "books.remind"})
MOVED_BY_CLOCK = frozenset({"schedule", "reminder"})
"""Records whose newer versions the clock writes: they can be taken back all the same."""


def _undo_done(state: TaskState, event: Pressed, done: list[EffectState], house: House) -> list[Effect]:
    if not done or any(effect.prepared.call.name not in REVERSIBLE for effect in done):
        return [Reply(text=_undo_advice(done, house))]
    for effect in done:
        for write in effect.prepared.call.writes:
            if write.kind in MOVED_BY_CLOCK and not house.ledgers.before(effect.prepared.effect, write.kind, write.key):
                continue  # only its next date has changed
            if house.ledgers.newer_than(effect.prepared.effect, write.kind, write.key):
                return [Reply(text=f"{write.kind} {write.key} was changed again since; take that back first.")]
    orders = [order for effect in reversed(done) for order in undo_books(state, effect, house, event.actor)]
    text = " ".join(f"Taken back: {effect.text}" for effect in done)
    return [*orders, *_say(state, text, kind="receipt"), Reply(text="Taken back.")]


def _undo_advice(done: list[EffectState], house: House) -> str:
    for effect in done:
        call = effect.prepared.call
        if call.name == "books.issue":
            return f"{call.args.get('number')} is issued. A credit note takes it back: cancel {call.args.get('number')}"
    if not done:
        return "There is nothing left to take back."
    names = ", ".join(dict.fromkeys(approvals.doing(effect.prepared.call, house.actions) for effect in done))
    return f"This cannot be taken back any more ({names})."


def undo_books(state: TaskState, effect: EffectState, house: House, actor: Actor) -> list[Effect]:
    """Take back an entry in our own books: the older versions return, in one transaction."""
    prepared = effect.prepared
    call = prepared.call
    before = {
        (write.kind, write.key): house.ledgers.before(prepared.effect, write.kind, write.key) for write in call.writes
    }
    back = books.reverse(call, before)
    new = f"{prepared.effect}.undo"
    closing: list[Effect] = [
        Close(order=key)
        for key, order in state.open.items()
        if isinstance(order, Wake) and order.data.get("effect") == prepared.effect
    ]
    return [
        *closing,
        Record(
            event=Prepared(
                effect=new,
                card="",
                step=prepared.step,
                call=back,
                fingerprint=fingerprint(back),
                key=stable_key(house.secret, new),
                effect_class="keyed",
                compensates=prepared.effect,
                rule=f"undo by {actor.platform}",
            )
        ),
        Record(event=Confirmed(effect=new, text=books.text_of(back), how="books")),
        Record(event=Compensated(effect=prepared.effect, by_effect=new)),
    ]


def _answer_for_effect(state: TaskState, event: Pressed, standing: CardState, house: House) -> list[Effect]:
    """The operator says what became of an effect nobody knows about, or of one that is stuck."""
    opened = standing.opened
    settled = Record(
        event=Settled(
            card=event.card,
            revision=opened.revision,
            how="approved",
            by=event.actor,
            reason=event.verb,
            place=event.place,
        )
    )
    effect = state.effects.get(opened.effect)
    if effect is None:  # a card found open in a restored backup
        return _answer_for_restored(state, event, standing, settled, house)
    match event.verb:
        case "arrived" if opened.kind == "unknown":
            text = f"{_says(effect, house)}: confirmed by you."
            confirmed = Confirmed(effect=opened.effect, text=text, how="operator")
            return [settled, Record(event=confirmed), Reply(text="Noted: it arrived.")]
        case "again":
            refusal = _not_again(effect, house)
            if refusal:
                return [Reply(text=refusal)]
            call = effect.prepared.call
            again = (
                _enter(call, opened.effect)
                if call.name.startswith("books.")
                else [Record(event=Sending(effect=opened.effect, attempt=effect.attempt + 1, at=house.now))]
            )
            return [settled, *again, Reply(text="Sending it again.")]
        case "drop" | "reject":
            dropped = Dropped(effect=opened.effect, reason="Let go by you.", by=event.actor)
            return [settled, Record(event=dropped), Reply(text="Dropped.")]
        case "snooze":
            until = event.until or house.now + timedelta(hours=1)
            return [Record(event=Snoozed(card=event.card, until=until, by=event.actor)), Reply(text="Put aside.")]
        case _:
            return [Reply(text="Say whether it arrived, should be sent again, or dropped.")]


def _not_again(effect: EffectState, house: House) -> str:
    """Return why an effect may not be tried again just now, "" when it may: a night or a limit may have passed."""
    call = effect.prepared.call
    if _is_paused(call, house):
        return "This is stopped by /pause. Nothing was sent; /resume, then press again."
    if effect.attempt == 0 and _stale((call,), effect.prepared.card, house):
        return "What this stands on has changed since. Nothing was done: drop it, and ask again for a fresh card."
    return _broken_limit((call,), house) if effect.status == "failed" else ""


def _answer_for_restored(
    state: TaskState, event: Pressed, standing: CardState, settled: Record, house: House
) -> list[Effect]:
    opened = standing.opened
    match event.verb:
        case "again":
            if fingerprint(opened.calls) != opened.fingerprint or _stale(opened.calls, event.card, house):
                return [Reply(text="What this stands on has changed since. Nothing was done: drop it, and ask afresh.")]
            broken = _broken_limit(opened.calls, house)
            if broken:
                return [Reply(text=broken)]
            prepared = _prepare(
                state, opened.calls, house, card=event.card, step=opened.step, rule="asked again after a restore"
            )
            return [settled, *prepared, Reply(text="Doing it now.")]
        case "arrived" | "drop" | "reject":
            word = "Noted: it had happened." if event.verb == "arrived" else "Dropped."
            return [settled, Reply(text=word), Record(event=Ended(how="cancelled", summary=word))]
        case _:
            return [Reply(text="Say whether it happened, should be done now, or dropped.")]


def _says(effect: EffectState, house: House) -> str:
    text = approvals.doing(effect.prepared.call, house.actions)
    return text[:1].upper() + text[1:]


def _settled(state: TaskState, event: Settled, house: House) -> list[Effect]:
    closing: list[Effect] = [
        Close(order=key)
        for key, order in state.open.items()
        if isinstance(order, Wake)
        and order.reason in {"expire", "remind", "snooze"}
        and order.data.get("card") == event.card
    ]
    mend = _mend(state, event.card)
    if event.how == "approved" or event.how == "superseded":  # noqa: PLR1714 - read as the two words
        return [*closing, *mend]
    if _in_a_plan(state):
        return [*closing, *mend, *_advance(state, house)]  # what does not depend on it goes on
    summary = {"denied": "rejected", "expired": "ran out", "cancelled": "cancelled"}[event.how]
    over = [] if any(True for _ in state.pending()) else [Record(event=Ended(how="cancelled", summary=summary))]
    return [*closing, *mend, *over]


# ── effects ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _confirmed(state: TaskState, event: Confirmed, house: House) -> list[Effect]:
    effect = state.effects[event.effect]
    call = effect.prepared.call
    orders: list[Effect] = [Record(event=entry) for entry in books.enter(call, event.effect, house.ledgers)]
    orders += _mend(state, effect.prepared.card)
    if effect.prepared.compensates:
        return orders
    if call.name == "books.remind":
        due = datetime.fromisoformat(str(call.args["when"]))
        orders.append(_reminder(event.effect, str(call.args["text"]), due, str(call.args.get("every") or "")))
    group = _group(state, effect)
    following = next((other for other in group if other.status == "prepared" and other.again_at is None), None)
    if following is not None:
        return [*orders, *_start(following, house)]
    if any(other.status not in FINAL for other in group):
        return orders
    texts = [other.text for other in group if other.status == "confirmed"]
    undo = event.effect if call.name in {"books.write", "books.remind"} else ""
    orders += _say(state, " ".join(texts), kind="receipt", undo=undo)
    return [*orders, *_advance(state, house)]


def _group(state: TaskState, effect: EffectState) -> list[EffectState]:
    """Return the effects that were approved together, in order."""
    if effect.prepared.card:
        return state.of_card(effect.prepared.card)
    prefix = effect.prepared.effect.rpartition(".")[0]
    return [other for other in state.effects.values() if other.prepared.effect.rpartition(".")[0] == prefix]


def _failed(state: TaskState, event: Failed, house: House) -> list[Effect]:
    effect = state.effects[event.effect]
    mend = _mend(state, effect.prepared.card)
    if event.again_at:
        data: dict[str, Json] = {"effect": event.effect, "card": effect.prepared.card}
        return [Wake(reason="retry", due=event.again_at, data=data), *mend]
    text = f"{_says(effect, house)} did not work: {event.reason}"
    card = CardOpened(
        card="",  # named when it is written
        revision=1,
        step=effect.step,
        title=f"Stuck: {_says(effect, house).lower()}",
        calls=(effect.prepared.call,),
        fingerprint=effect.prepared.fingerprint,
        rule="it failed and will not be tried again by itself",
        kind="stuck",
        effect=event.effect,
        say=text,
        warnings=(event.reason,),
    )
    return [Record(event=card), *mend]


def _unknown_card(state: TaskState, effect_id: str, reason: str) -> Record:
    effect = state.effects[effect_id]
    return Record(
        event=CardOpened(
            card="",  # named when it is written
            revision=1,
            step=effect.step,
            title="Did this go through?",
            calls=(effect.prepared.call,),
            fingerprint=effect.prepared.fingerprint,
            rule="nobody can know by looking, and sending again could do it twice",
            kind="unknown",
            effect=effect_id,
            say=reason,
            warnings=(reason,),
        )
    )


def _dropped(state: TaskState, event: Dropped) -> list[Effect]:
    effect = state.effects[event.effect]
    rest = [
        other
        for other in _group(state, effect)
        if other.status in {"prepared"} and other.prepared.effect != event.effect
    ]
    if rest and not effect.prepared.not_before:
        nxt = rest[0]
        return [
            Record(event=Dropped(effect=nxt.prepared.effect, reason="The step before it was let go.", by=event.by)),
            *_mend(state, effect.prepared.card),
        ]
    if any(other.status not in FINAL for other in _group(state, effect)):
        return []
    return [*_mend(state, effect.prepared.card), *_end_if_over(state)]


def _woke(state: TaskState, event: WokeUp, house: House) -> list[Effect]:
    card = state.cards.get(str(event.data.get("card", "")))
    effect = state.effects.get(str(event.data.get("effect", "")))
    match event.reason:
        case "expire" if card and card.state == "pending":
            return _expire(state, card, house)
        case "remind" if card and card.state == "pending":
            when = approvals.clock_text(card.opened.expires_at, house.view()) if card.opened.expires_at else "soon"
            return _say(
                state,
                f"Card {card.opened.card} still waits and runs out {when}: {card.opened.title}",
                kind="notice",
                home=True,
            )
        case "snooze" if card and card.state == "pending":
            return [
                *_show_card(state, card.opened.card, house),
                *_say(state, f"Back as you asked: card {card.opened.card}.", kind="notice"),
            ]
        case "window" | "retry" if effect and effect.status == "prepared":
            return _start(effect, house)
        case "answer":
            return _go_on(state, event, house)
        case "step":
            return _advance(state, house)
        case "resumed":
            return _resume(state, house)
        case "reminder":
            return _remind(state, event, house)
        case "interrupted" if effect and effect.status == "sending":
            return _interrupted(effect, house)
        case "restored":
            return _restored(state)
        case "told" | "started" | "remembered":
            over = state.status == "received"
            return [Record(event=Ended(how="done", summary="passed on"))] if over and event.reason == "told" else []
        case "refused" | "notice":
            # Told, and over: a notice is no work that could get stuck.
            said = _say(state, str(event.data.get("text", "")), kind="notice", home=True)
            return [*said, *([Record(event=Ended(how="done", summary="told"))] if state.status == "received" else [])]
        case _:
            return []  # what it was about is settled in the meantime


def _reminder(effect: str, text: str, due: datetime, every: str) -> Wake:
    data: dict[str, Json] = {"effect": effect, "text": text, "when": due.isoformat(), "every": every}
    return Wake(reason="reminder", due=due, data=data)


def _remind(state: TaskState, event: WokeUp, house: House) -> list[Effect]:
    """Say it, and come again when it has a rule; what the machine slept through is said once."""
    told = _say(state, f"Reminder: {event.data.get('text')}", kind="notice", home=True)
    effect, rule = state.effects.get(str(event.data.get("effect", ""))), str(event.data.get("every") or "")
    if effect is None or "when" not in event.data:  # ordered by an older version
        return [*told, *_end_if_over(state)]
    last = datetime.fromisoformat(str(event.data["when"]))
    again = schedules.following_after(rule, last, house.now, house.zone)
    moved: list[Effect] = []
    for write in effect.prepared.call.writes:
        standing = house.ledgers.standing(write.kind, write.key)
        if standing is not None and write.kind == "reminder":
            change = {"when": again.isoformat()} if again else {"status": "done"}
            after = msgspec.structs.replace(write, data={**standing.data, **change})
            moved.append(Record(event=Recorded(write=after, version=standing.version + 1)))
    if again is None:
        return [*told, *moved, *_end_if_over(state)]
    return [*told, *moved, _reminder(effect.prepared.effect, str(event.data.get("text")), again, rule)]


def _expire(state: TaskState, card: CardState, house: House) -> list[Effect]:
    opened = card.opened
    match opened.on_expiry:
        case "cancel":
            settled = Settled(card=opened.card, revision=opened.revision, how="expired", by=CLOCK)
            return [
                *_say(
                    state,
                    f"Card {opened.card} ran out without an answer: {opened.title}. Nothing was done.",
                    kind="notice",
                    home=True,
                ),
                Record(event=settled),
            ]
        case "remind":
            again = Wake(reason="expire", due=house.now + timedelta(days=1), data={"card": opened.card})
            return [
                again,
                *_say(state, f"Card {opened.card} is still waiting: {opened.title}", kind="notice", home=True),
            ]
        case _:
            return []


def _resume(state: TaskState, house: House) -> list[Effect]:
    """Start what fell due while everything stood still: of each group the first that is not done yet."""
    orders: list[Effect] = []
    reached: set[str] = set()
    for effect in state.effects.values():
        group = effect.prepared.effect.rpartition(".")[0]
        if group in reached or effect.status == "confirmed":
            continue
        reached.add(group)
        due = max(filter(None, (effect.prepared.not_before, effect.again_at)), default=house.now)
        if effect.status == "prepared" and due <= house.now:
            orders += _start(effect, house)
    return orders


def _interrupted(effect: EffectState, house: House) -> list[Effect]:
    """The process died while this was on its way. What may be done next is the effect's class."""
    prepared = effect.prepared
    match EffectClass(prepared.effect_class):
        case EffectClass.KEYED:
            action = house.actions.get(prepared.call.name)
            since = house.now - (effect.first_sent_at or house.now)
            if action is None or since < timedelta(seconds=min(action.key_window_s, MEMORY_MAX_S)):
                return [Perform(effect=prepared.effect, attempt=effect.attempt)]
            reason = "Soloist stopped while this was being sent, and the service has forgotten its key since."
            return [Record(event=BecameUnknown(effect=prepared.effect, reason=reason))]
        case EffectClass.RECONCILABLE:
            return [Perform(effect=prepared.effect, attempt=effect.attempt, look=True)]
        case EffectClass.PLAIN:
            reason = "Soloist stopped while this was being sent. Please look at the other side before you answer."
            return [Record(event=BecameUnknown(effect=prepared.effect, reason=reason))]


def _restored(state: TaskState) -> list[Effect]:
    """A backup is not the present: whatever was open in it may have happened since. Nothing goes out by itself."""
    reason = "This comes from a restored backup; it may have happened after the backup was made."
    orders: list[Effect] = []
    for order_id, order in state.open.items():
        if isinstance(order, Perform) or (isinstance(order, Wake) and order.reason in {"window", "retry"}):
            orders.append(Close(order=order_id))
    for effect in state.effects.values():
        if effect.status in {"prepared", "sending"}:
            orders.append(Record(event=BecameUnknown(effect=effect.prepared.effect, reason=reason)))
    for standing in list(state.pending()):
        opened = standing.opened
        settled = Settled(
            card=opened.card, revision=opened.revision, how="superseded", by=SOLOIST, reason="restored from a backup"
        )
        if opened.kind == "stuck" and opened.effect in state.effects:
            # "Try again" may have been pressed after the backup.
            orders += [Record(event=settled), Record(event=BecameUnknown(effect=opened.effect, reason=reason))]
        if opened.kind != "approval":
            continue
        fresh = msgspec.structs.replace(
            opened,
            card="",
            revision=1,
            kind="unknown",
            title="Did this happen after the backup?",
            say=reason,
            warnings=(reason,),
            rule="a restored backup cannot know",
            expires_at=None,
        )
        orders += [Record(event=settled), Record(event=fresh)]
    return orders


# ── words ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _say(
    state: TaskState,
    text: str,
    *,
    kind: str = "answer",
    choices: tuple[Choice, ...] = (),
    files: tuple = (),  # type: ignore[type-arg]
    undo: str = "",
    home: bool = False,
) -> list[Effect]:
    """Say something where the task was begun; ``home`` says it wherever the operator is."""
    said = Said(
        message="",  # named after its line when it is written
        text=text,
        place=None if home else state.place,
        choices=choices,
        files=files,
        kind=kind,  # type: ignore[arg-type]
        undo=undo,
    )
    return [Record(event=said)]


def _answer_kind(state: TaskState) -> str:
    return "digest" if isinstance(state.heard, HourStruck) else "answer"


def _show_message(event: Said, house: House) -> list[Effect]:
    reply_to = event.place.message if event.place else ""
    return [
        Show(
            what=event.message,
            channel=place.channel,
            conversation=place.conversation,
            thread=place.thread,
            reply_to=reply_to,
        )
        for place in _where(event.place, house, everywhere=False)
    ]


def _show_card(state: TaskState, card: str, house: House) -> list[Effect]:
    """Show a card in the place it belongs to and on every other channel of the operator."""
    delegated = state.actor is not None and state.actor.origin is Origin.DELEGATE
    return [
        Show(what=card, channel=place.channel, conversation=place.conversation, thread=place.thread)
        for place in _where(state.place, house, everywhere=True, delegated=delegated)
    ]


def _where(place: Place | None, house: House, *, everywhere: bool, delegated: bool = False) -> list[Place]:
    """Return the places that need delivering to; a channel that reads history by itself is not among the homes.

    Where the operator spoke is as good as the operator's home on that channel; where a delegate spoke is not.
    """
    served = {home.channel for home in house.homes}
    apart = {home.conversation for home in house.homes} - {place.conversation if place else ""} if delegated else set()
    if place is None or not place.channel:
        return list(house.homes)
    here = [place] if place.channel in served else []
    if not everywhere:
        return here
    return [*here, *(home for home in house.homes if home.channel != place.channel or home.conversation in apart)]


def _mend(state: TaskState, card: str, *, former: bool = False, only: str = "") -> list[Effect]:
    """Make every copy of a card show it as it is now; ``only`` one of them."""
    return [
        Show(
            what=card,
            channel=place.channel,
            conversation=place.conversation,
            thread=place.thread,
            ref=ref,
            former=former,
        )
        for place, ref in state.copies.get(card, ())
        if only in {"", ref}
    ]


def _first_line(text: str) -> str:
    return text.partition("\n")[0][:200]
