"""After a restore: a backup is not the present, so nothing that was open in it goes out by itself. Pure."""

from __future__ import annotations

import msgspec

from bot.deciding import starting
from bot.deciding.house import SOLOIST
from bot.effects import Close, Effect, Perform, Record, Wake
from bot.state import TaskState
from memory.events import BecameUnknown, Settled


def restored(state: TaskState) -> list[Effect]:
    """Take every effect that was open for one nobody knows about, and every card for one that may have been pressed."""
    reason = "This comes from a restored backup; it may have happened after the backup was made."
    orders: list[Effect] = []
    for order_id, order in state.open.items():
        if isinstance(order, Perform) or (isinstance(order, Wake) and order.reason in starting.WAITS):
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
            effect=f"{opened.card}.1",  # as it would be called: its key finds what was done in the lost time
            title="Did this happen after the backup?",
            say=reason,
            warnings=(reason,),
            rule="a restored backup cannot know",
            expires_at=None,
        )
        orders += [Record(event=settled), Record(event=fresh)]
    return orders
