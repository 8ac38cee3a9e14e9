"""History in words: a line, a task's timeline, why it came so, a card in a list. Nothing is looked up here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bot.approvals import View, clock_text, doing
from bot.approvals import who as name_of
from bot.channels.base import Card
from bot.explaining import why_lines
from bot.state import TaskState
from connectors.base import Action, Role
from memory.events import (
    BecameUnknown,
    CardOpened,
    Compensated,
    Confirmed,
    Delivered,
    Dropped,
    Ended,
    Failed,
    HourStruck,
    ItemArrived,
    MessageReceived,
    ModelCalled,
    Planned,
    Posted,
    Prepared,
    Pressed,
    Proposed,
    Queued,
    Recorded,
    Said,
    Sending,
    Settled,
    Snoozed,
    Understood,
    WokeUp,
)
from memory.line import Line

READ_BY = {
    "command": "its command",
    "phrasebook": "what you taught me",
    "pattern": "its exact form",
    "local": "likeness to sentences I know",
    "small": "a small model",
}
STANDS: Mapping[str, str] = {
    "prepared": "not begun",
    "sending": "on its way",
    "confirmed": "done",
    "failed": "failed",
    "unknown": "nobody knows whether it arrived",
    "dropped": "not done",
    "compensated": "done, and taken back",
}
"""How an effect stands, in words."""
ROUSED = {
    "window": "the undo window is over",
    "retry": "the time to try again has come",
    "expire": "the card's time is over",
    "remind": "time to remind of the card",
    "snooze": "the card is back",
    "resumed": "going on after a stop",
    "stopped": "the task was stopped",
    "reminder": "the reminder is due",
    "look": "time to look whether it arrived",
    "interrupted": "a restart came in between",
    "restored": "a backup was put in place",
    "answer": "an answer came",
}
"""Why a task woke up, in words."""


def headline(card: Card) -> str:
    """Name a card in a list: what it does, over how much, for whom."""
    by_label = {row.label: row.value for row in reversed(card.rows)}
    amount = next((row.value for row in card.rows if row.role is Role.AMOUNT), "")
    return ", ".join(filter(None, [card.title, amount, by_label.get("Client") or by_label.get("To", "")]))


def timeline(state: TaskState, lines: Iterable[Line], view: View) -> str:
    """Return what happened in a task, line by line."""
    return "\n".join(
        [
            f"Task {state.id}: {state.title}",
            *(
                f"- {line.at.astimezone(view.zone):%d %b %H:%M:%S} {who(line)}: {what}"
                for line in lines
                for what, _ in told(line, view.actions)
            ),
        ]
    )


def why(state: TaskState, thoughts: Sequence[Mapping[str, Any]], view: View) -> str:
    """Return what led to what in a task: words, reading, draft, rule, hand, receipt.

    Args:
        state: The task.
        thoughts: What models were told and said in it: `bot.explaining.ExplainLog.of_task`.
        view: How things are shown, and when that is.
    """
    lines = [f"Task {state.id}: {state.title}"]
    if isinstance(state.heard, MessageReceived):
        asked = name_of(state.heard.actor).lower()
        lines.append(f"- {asked} asked on {state.heard.place.channel}, {clock_text(state.began or view.now, view)}")
    reading = state.understood
    if reading and reading.intent:
        how = f"read as {reading.intent.replace('_', ' ')!r} by {READ_BY.get(reading.tier, reading.tier)}"
        sure = "" if reading.confidence_pct == 100 else f", {reading.confidence_pct} % sure"  # noqa: PLR2004
        lines.append("- " + "; ".join([how + sure, *reading.evidence, *reading.assumed]))
    for proposed in state.proposed.values():
        lines += [f"- {proposed.agent}: {reason}" for reason in proposed.reasons]
        lines += [f"- it rests on {source.text} ({source.ref})" for source in proposed.sources]
    lines += [f"- {told}" for told in why_lines(thoughts)]
    for card in state.cards.values():
        lines.append(f"- card {card.opened.card}: asked because {card.opened.rule}")
        said = {reason for proposed in state.proposed.values() for reason in proposed.reasons}
        lines += [f"- then: {reason}" for reason in card.opened.reasons if reason not in said]
        if card.settled:
            by = name_of(card.settled.by)
            lines.append(
                f"- {by} {card.settled.how} it on {card.settled.by.platform}, {clock_text(card.settled_at or view.now, view)}"
            )
    for effect in state.effects.values():
        rule = f" ({effect.prepared.rule})" if effect.prepared.rule else ""
        what = doing(effect.prepared.call, view.actions)
        lines.append(f"- {what}{rule}: {STANDS[effect.status]}. {effect.text}".rstrip())
    waiting = [card.opened.card for card in state.pending()]
    if waiting and not state.effects:
        lines.insert(1, f"- nothing was done yet: {_cards(waiting)} for you")
    return "\n".join(lines)


def _cards(waiting: Sequence[str]) -> str:
    return f"card {waiting[0]} waits" if len(waiting) == 1 else f"cards {', '.join(waiting)} wait"


def who(line: Line) -> str:
    """Return whose doing a line was: you, an agent by its name, or what else ran."""
    name = line.actor.partition(":")[0]
    if name == "agent":
        return line.actor.partition(":")[2]
    return {"web": "you", "console": "you", "slack": "you", "telegram": "you"}.get(name, name)


def told(line: Line, actions: Mapping[str, Action]) -> Iterator[tuple[str, str]]:  # noqa: PLR0915 - a table
    """Tell one line in words: what happened, and the detail. Plumbing yields nothing."""
    event = line.event
    match event:
        case MessageReceived():
            yield f"said: {event.text}", ""
        case ItemArrived():
            yield f"{event.kind} arrived from {event.service}", event.text
        case HourStruck():
            yield f"the hour of the {event.name} struck", event.period
        case Understood(intent=""):
            yield "not understood, asked back", event.ask
        case Understood():
            yield f"understood as {event.intent} ({event.tier}, {event.confidence_pct} %)", ", ".join(event.evidence)
        case Planned():
            yield f"planned {len(event.steps)} step{'s' * (len(event.steps) != 1)}", event.source
        case Proposed(problem=problem) if problem:
            yield f"could not: {problem}", ""
        case Proposed():
            yield "drafted" if event.calls else "looked it up", "\n".join(event.reasons)
        case CardOpened():
            yield f"card {event.card}, version {event.revision}: {event.title}", event.rule
        case Pressed():
            yield f"pressed {event.verb} on card {event.card} ({event.actor.platform})", event.reason
        case Settled():
            yield f"card {event.card} is {event.how}", event.reason
        case Snoozed():
            yield f"card {event.card} put aside", ""
        case Prepared():
            yield f"may happen: {doing(event.call, actions)}", event.rule
        case Queued():
            yield f"waits for its turn: {event.reason}", ""
        case Sending():
            yield f"begun: {event.effect}" + (f", attempt {event.attempt}" if event.attempt > 1 else ""), ""
        case Confirmed():
            yield f"done: {event.text}", f"{event.how} {event.ref}".strip()
        case Failed():
            yield ("failed for now: " if event.again_at else "failed: ") + event.reason, ""
        case BecameUnknown():
            yield f"unknown: {event.reason}", ""
        case Dropped():
            yield f"let go ({event.effect}): {event.reason}", ""
        case Compensated():
            yield f"{event.effect} was taken back", ""
        case Recorded():
            yield f"wrote {event.write.kind} {event.write.key}, version {event.version}", ""
        case Posted():
            yield "ledger: " + "; ".join(f"{entry.account} {entry.amount}" for entry in event.entries), ""
        case Said() if event.kind != "answer":
            yield f"told you: {event.text.partition(chr(10))[0]}", ""
        case Delivered():
            yield f"{event.what} shown on {event.place.channel}", ""
        case ModelCalled():
            yield (
                f"asked {event.model} for {event.purpose}",
                "the same was asked before; nothing was spent"
                if event.cached
                else f"{event.tokens_in} + {event.tokens_out} tokens, {event.cost_usd} USD",
            )
        case WokeUp():
            yield ROUSED.get(event.reason, event.reason), ""
        case Ended():
            yield f"over: {event.how}", event.summary
        case _:
            return
