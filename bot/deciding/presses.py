"""Who pressed what, and whether it counts: the table of buttons. Pure."""

from __future__ import annotations

from datetime import timedelta

from bot import approvals
from bot.deciding import answering, approving, granting, undoing
from bot.deciding.house import House
from bot.deciding.saying import say
from bot.effects import Delegate, Effect, Record, Reply
from bot.state import TaskState
from memory.events import Pressed, Settled, Snoozed


def pressed(state: TaskState, event: Pressed, house: House) -> list[Effect]:
    """Ask who pressed and whether the card still is what was shown; then each button has its row."""
    standing = state.cards.get(event.card)
    if standing is None and event.verb == "undo" and event.card in state.effects:
        return undoing.undo_without_card(state, event, house)
    if standing is None:
        return [Reply(text=f"There is no card {event.card}.")]
    refusal = approvals.may_press(house.roster.find(event.actor), standing.opened)
    if refusal:
        told = f"{event.actor.platform} user {event.actor.user or '(nobody)'} tried to {event.verb} card {event.card} and was refused. It still waits for you."
        return [Reply(text=refusal), *say(state, told, kind="notice", home=True)]
    if event.verb == "undo":
        return undoing.undo(state, event, standing, house)
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
        return answering.answer_for_effect(state, event, standing, house)
    match event.verb:
        case "approve":
            return approving.approve(state, event, standing, house)
        case "like":
            return granting.offer(state, event, standing, house)
        case "grant":
            return granting.grant(state, event, standing, house)
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
            edits = {**state.edits.get(event.card, {}), **event.edits}
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
