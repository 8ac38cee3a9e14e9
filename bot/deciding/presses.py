"""Who pressed what, and whether it counts: the table of buttons. Pure."""

from __future__ import annotations

from datetime import timedelta

from bot import approvals
from bot.deciding import answering, approving, granting, undoing
from bot.deciding.house import House
from bot.deciding.saying import say
from bot.effects import Delegate, Effect, Record, Reply
from bot.state import CardState, TaskState
from memory.events import Origin, Pressed, Settled, Snoozed


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
        return _rehearsed(event, standing, house)
    if opened.kind in {"unknown", "stuck"}:
        return answering.answer_for_effect(state, event, standing, house)
    if opened.compensates and event.verb in {"edit", "revise", "like", "grant"}:
        return [Reply(text="This card takes something back as its connector declared it: approve it, or reject it.")]
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
            slots = state.understood.slots if state.understood else {}
            worded = approvals.worded_edits(event.reason, approvals.edit_fields(opened, house.actions, slots))
            edits = {**state.edits.get(event.card, {}), **worded, **event.edits}
            guidance = "" if worded else event.reason
            return [
                Delegate(step=opened.step, guidance=guidance, edits=edits, card=event.card),
                Reply(text="Changing the draft; the new card follows."),
            ]
        case "snooze":
            until = event.until or house.now + timedelta(hours=1)
            when = approvals.clock_text(until, house.view())
            return [Record(event=Snoozed(card=event.card, until=until, by=event.actor)), Reply(text=f"Back {when}.")]
        case _:
            return [Reply(text=f"A card cannot be told to {event.verb!r}.")]


def _rehearsed(event: Pressed, standing: CardState, house: House) -> list[Effect]:
    """What the operator thinks of a draft that nobody will carry out: it counts towards the agreement, and does nothing."""
    person = house.roster.find(event.actor)
    if event.verb not in {"agree", "disagree"}:
        return [Reply(text="This is a rehearsal: it shows what would have been done and does nothing.")]
    if person is None or person.role is not Origin.OPERATOR:
        return [Reply(text="Only the operator's opinion counts here.")]
    settled = Settled(
        card=event.card,
        revision=standing.opened.revision,
        how="approved" if event.verb == "agree" else "denied",
        by=event.actor,
        reason="rehearsal",
        place=event.place,
    )
    return [Record(event=settled), Reply(text="Noted. Nothing was done.")]
