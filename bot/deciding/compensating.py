"""What takes back an effect outside: its own connector's declared undo, on a card of its own. Pure (a saga's way back).

The connector's author declares how an action is taken back (`connectors.base.Action.undo`), as another action. That one has a
reach of its own, a cancelled meeting is mailed to people, so it comes as a card; it is confirmed by a receipt like
anything else, and only then the first effect counts as compensated, with what our books say of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bot import approvals, books
from bot.deciding import verdicts
from bot.deciding.house import House
from bot.effects import Effect, Record, Reply
from bot.state import EffectState, TaskState
from connectors.base import Receipt
from memory.events import ActionCall, CardOpened, fingerprint


def way_back(effect: EffectState, house: House) -> ActionCall | None:
    """Return the call that takes a confirmed effect back, with our books as they were before; None where there is none."""
    prepared = effect.prepared
    call = prepared.call
    before = {
        (write.kind, write.key): house.ledgers.before(prepared.effect, write.kind, write.key) for write in call.writes
    }
    back = books.reverse(call, before)
    if call.name in books.REVERSIBLE:
        return back
    action = house.actions.get(call.name)
    if action is None or action.undo is None:
        return None
    try:
        name, args = action.undo(call.args, Receipt(ref=effect.ref, text=effect.text, data=effect.data))
    except (KeyError, TypeError, ValueError):
        return None  # the receipt does not say enough: it was confirmed by hand, or by an older version
    if name not in house.actions:
        return None
    return msgspec.structs.replace(back, name=name, args=dict(args), account=call.account)


def ask(state: TaskState, done: Sequence[EffectState], house: House) -> list[Effect]:
    """Ask whether to take back what can be, the newest first; say what cannot."""
    taken = {effect.prepared.effect for effect in done}
    if already := next((card for card in state.pending() if taken & set(card.opened.compensates)), None):
        return [Reply(text=f"Card {already.opened.card} asks that already.")]
    ways = [(effect, call) for effect in reversed(done) if (call := way_back(effect, house)) is not None]
    calls = tuple(call for _, call in ways)
    together = [call.name for call in calls]
    new = verdicts.new_payees(calls, house)
    for call in calls:
        verdict = verdicts.verdict_on(state, call, house, (), together, new)
        if verdict.ruling == "refuse":
            return [Reply(text=f"I will not take this back: {verdict.rule}.")]
    opened = CardOpened(
        card="",  # named when it is written
        revision=1,
        step=done[0].step,
        title=f"Take back: {approvals.title(calls, house.actions).lower()}",
        calls=calls,
        fingerprint=fingerprint(calls),
        rule="you asked to take it back",
        expires_at=approvals.expires_at(calls, house.actions, house.policy, house.there_from()),
        on_expiry=house.policy.on_expiry,
        no_return="; ".join(dict.fromkeys(found for call in calls if (found := house.actions[call.name].no_return))),
        reasons=tuple(f"Takes back: {effect.text}" for effect, _ in ways),
        warnings=(*verdicts.doubts(calls, house), *_lost(done, [effect for effect, _ in ways], house)),
        files=approvals.attachments_of(calls),
        newcomers=verdicts.newcomers(calls, house),
        new_payees=tuple(payee.words for payee in new),
        compensates=tuple(effect.prepared.effect for effect, _ in ways),
    )
    return [Record(event=opened), Reply(text="The card asks what would take it back. Nothing was done yet.")]


def _lost(done: Sequence[EffectState], ways: Sequence[EffectState], house: House) -> list[str]:
    kept = [effect for effect in done if effect not in ways]
    return [f"Cannot be taken back, and stays: {approvals.doing(e.prepared.call, house.actions)}" for e in kept]
