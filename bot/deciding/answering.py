"""The operator's answer about an effect nobody knows about, one that is stuck, or one from a backup. Pure."""

from __future__ import annotations

from datetime import timedelta

from bot.deciding import fortunes, guards, starting
from bot.deciding.house import House
from bot.effects import Effect, Record, Reply
from bot.state import CardState, EffectState, TaskState
from memory.events import Confirmed, Dropped, Ended, Pressed, Settled, Snoozed


def answer_for_effect(state: TaskState, event: Pressed, standing: CardState, house: House) -> list[Effect]:
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
    off = fortunes.looks_off(state, opened.effect)
    match event.verb:
        case "arrived" if opened.kind == "unknown":
            text = f"{fortunes.says(effect, house)}: confirmed by you."
            confirmed = Confirmed(effect=opened.effect, text=text, how="operator")
            return [settled, *off, Record(event=confirmed), Reply(text="Noted: it arrived.")]
        case "again":
            refusal = not_again(effect, house)
            if refusal:
                return [Reply(text=refusal)]
            return [settled, *off, *starting.again(effect, house), Reply(text="Sending it again.")]
        case "drop" | "reject":
            dropped = Dropped(effect=opened.effect, reason="Let go by you.", by=event.actor)
            return [settled, *off, Record(event=dropped), Reply(text="Dropped.")]
        case "snooze":
            until = event.until or house.now + timedelta(hours=1)
            return [Record(event=Snoozed(card=event.card, until=until, by=event.actor)), Reply(text="Put aside.")]
        case _:
            return [Reply(text="Say whether it arrived, should be sent again, or dropped.")]


def not_again(effect: EffectState, house: House) -> str:
    """Return why an effect may not be tried again just now, "" when it may: a night or a limit may have passed."""
    call = effect.prepared.call
    if guards.is_paused(call, house):
        return "This is stopped by /pause. Nothing was sent; /resume, then press again."
    if effect.attempt == 0 and guards.stale((call,), effect.prepared.card, house):
        return "What this stands on has changed since. Nothing was done: drop it, and ask again for a fresh card."
    return guards.broken_limit((call,), house) if effect.status == "failed" else ""


def _answer_for_restored(
    state: TaskState, event: Pressed, standing: CardState, settled: Record, house: House
) -> list[Effect]:
    opened = standing.opened
    match event.verb:
        case "again":
            if not guards.as_shown(opened.calls, opened.fingerprint) or guards.stale(opened.calls, event.card, house):
                return [Reply(text="What this stands on has changed since. Nothing was done: drop it, and ask afresh.")]
            broken = guards.broken_limit(opened.calls, house)
            if broken:
                return [Reply(text=broken)]
            prepared = starting.prepare(
                state,
                opened.calls,
                house,
                card=event.card,
                step=opened.step,
                rule="asked again after a restore",
                formerly=opened.effect.rpartition(".")[0],
            )
            return [settled, *prepared, Reply(text="Doing it now.")]
        case "arrived" | "drop" | "reject":
            word = "Noted: it had happened." if event.verb == "arrived" else "Dropped."
            return [settled, Reply(text=word), Record(event=Ended(how="cancelled", summary=word))]
        case _:
            return [Reply(text="Say whether it happened, should be done now, or dropped.")]
