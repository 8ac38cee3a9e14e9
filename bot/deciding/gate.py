"""What becomes of a proposal: a question, a plan, words, or calls that pass the gate. Pure.

Every call of every proposal passes `_gate`; there is no other way to an effect.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from bot import grants
from bot.deciding import automatic, cards, guards, learning, progress, starting, verdicts
from bot.deciding.house import House
from bot.deciding.saying import say
from bot.effects import Delegate, Effect, Record, Remember, Reply, Tally
from bot.policy import Verdict
from bot.state import TaskState
from memory.events import ActionCall, Choice, Ended, GrantUsed, MessageReceived, Planned, Proposed, fingerprint

REDRAFTS_MAX = 50  # as many drafts may want the same number at once; more is an endless loop
STEPS_MAX = 12  # of one plan


def proposed(state: TaskState, event: Proposed, house: House) -> list[Effect]:
    """Tell the agents' answers apart; only calls go on to the gate."""
    remember: list[Effect] = [Remember(records=event.remember)] if event.remember else []
    if event.card and state.cards[event.card].state != "pending":
        return [*remember, Reply(text="The card was settled in the meantime, so this draft is put away.")]
    if event.ask:
        # What another step of the plan has asked already is asked once; the answer goes to both.
        again = any(state.proposed[step].ask == event.ask for step in _asked(state) if step != event.step)
        said = [] if again else say(state, event.ask, choices=event.choices, kind="question")
        if progress.in_a_plan(state):
            # The rest goes on, and the answer goes to this step.
            return [*remember, *said, *progress.advance(state, house)]
        return [*remember, *said, Record(event=Ended(how="done", summary="asked back"))]
    if event.problem:
        if state.steps.get(event.step) == "asked":
            choices = (Choice(label="Try again", text="again"), Choice(label="Leave it out", text="leave it out"))
            asked = say(state, event.problem, choices=choices, kind="question")
            return [*remember, *asked, *progress.advance(state, house)]
        said = say(state, event.problem, kind="problem")
        return [*remember, *said, *progress.after_failure(state, event, house)]
    if event.plan:
        steps = event.plan[:STEPS_MAX]
        # A plan of several steps is shown whole below; see `plans.shown`.
        several = len(steps) > 1 or any(step.only_if for step in steps)
        shown_below = several and isinstance(state.heard, MessageReceived)
        words = event.say.partition("\n")[0] if shown_below else event.say
        said = say(state, words) if words else []
        revision = state.planned.revision + 1 if state.planned else 1
        plan = Planned(goal=state.title, steps=steps, source=f"agent:{event.agent}", revision=revision)
        return [*remember, *said, Record(event=plan)]
    if habit := learning.missing(state, event, house):
        return [Delegate(step=event.step, card=event.card, edits={**event.edits, **habit})]
    if not event.calls:
        said = say(state, event.say, choices=event.choices, files=event.files) if event.say else []
        return [*remember, *said, *progress.advance(state, house)]
    if event.card and (same := _as_before(state, event, house)):
        return [*remember, *same]
    return [*remember, *_gate(state, event, house)]


def _as_before(state: TaskState, event: Proposed, house: House) -> list[Effect]:
    """A draft that came out as the one that waits is no new version: say so, and why."""
    opened = state.cards[event.card].opened
    calls = tuple(_with_account(call, house) for call in event.calls)
    if fingerprint(calls) != opened.fingerprint or guards.stale(calls, event.card, house):
        return []
    news = [reason for reason in event.reasons if reason not in opened.reasons]
    return say(state, " ".join([f"Card {event.card} stays as it is.", *news]))


def _gate(state: TaskState, event: Proposed, house: House) -> list[Effect]:
    """Every call of every proposal passes here: capability, freshness, limits, then the operator's rules."""
    calls = tuple(_with_account(call, house) for call in event.calls)
    refusal = guards.not_allowed(event.agent, calls, house, _intent(state, event.step))
    if refusal:
        return _refused(state, event, refusal, house)
    if guards.stale(calls, event.card, house):
        if state.drafts.get(event.step, 0) >= REDRAFTS_MAX:
            text = "This kept changing while I drafted it. Please ask again in a moment."
            return [*say(state, text, kind="problem"), Record(event=Ended(how="failed", summary=text))]
        return [Delegate(step=event.step, card=event.card, edits=dict(state.edits.get(event.card, {})))]
    newcomers = verdicts.newcomers(calls, house)
    new = verdicts.new_payees(calls, house)
    together = [call.name for call in calls]
    each = [verdicts.verdict_on(state, call, house, newcomers, together, new) for call in calls]
    worst = verdicts.worst(state, event, [*each, *_ahead(state, calls, house)])
    if worst.ruling == "refuse":
        return _refused(state, event, f"I will not do this: {worst.rule}.", house)
    if worst.ruling == "do" and not event.card:
        broken = guards.broken_limit(calls, house) or guards.used_twice(each) or automatic.too_many(state, calls, house)
        if not broken:
            watched = any(verdict.grant or verdict.earned for verdict in each)
            going = tuple(automatic.marked(state, call, house) for call in calls)
            return [
                *starting.prepare(state, going, house, card="", step=event.step, rule=worst.rule, watched=watched),
                *_counted(state, event, calls, each),
                *automatic.counted(state, calls, house),
            ]
        worst = Verdict("ask", broken)
    return [Record(event=cards.drawn(state, event, calls, newcomers, worst, house))]


def _asked(state: TaskState) -> list[str]:
    return [step for step, status in state.steps.items() if status == "asked" and step in state.proposed]


def _intent(state: TaskState, step: str) -> str:
    return next((each.intent for each in (state.planned.steps if state.planned else ()) if each.id == step), "")


def _refused(state: TaskState, event: Proposed, text: str, house: House) -> list[Effect]:
    """Say why a draft goes no further; where the plan asks at a failure, the rest of it goes on."""
    failed = msgspec.structs.replace(event, problem=text)
    steps = state.planned.steps if state.planned else ()
    if not event.card and any(step.id == event.step and step.on_fail == "ask" for step in steps):
        return [Record(event=msgspec.structs.replace(failed, order="", say="", calls=(), remember=()))]
    return [*say(state, text, kind="problem"), *progress.after_failure(state, failed, house)]


def _ahead(state: TaskState, calls: Iterable[ActionCall], house: House) -> list[Verdict]:
    """Judge now what a draft plans for later, so that the yes is asked for while the operator is there."""
    planned = [call for call, _ in grants.ahead(calls) if call.name in house.actions]
    new, to = verdicts.new_payees(planned, house), verdicts.newcomers(planned, house)
    found = [verdicts.verdict_on(state, call, house, to, [call.name], new) for call in planned]
    return [verdict for verdict in found if verdict.ruling in {"ask", "refuse"}]


def _counted(
    state: TaskState, event: Proposed, calls: tuple[ActionCall, ...], verdicts: Iterable[Verdict]
) -> list[Effect]:
    """Count every grant that was used, in this very transaction."""
    base = starting.base(state, "", event.step)
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
