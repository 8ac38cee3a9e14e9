"""Steps that hang on an if: is what they wait for so, not so, or still to come. Pure.

What a condition is about stands on our own books, so it is looked up in the transaction that decides. Whoever changes
the books wakes those that wait (`stirred`); until then nothing looks, and nothing is spent.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from bot.deciding.house import House
from bot.effects import Effect, Rouse
from memory.events import Condition, Recorded

REASON = "condition"
"""Why a task wakes when the books have changed, and the scope of the `Rouse` that wakes it."""
_STIRS = frozenset({("invoice", "paid"), ("proposal", "accepted")})


def verdict(condition: Condition, house: House) -> Literal["yes", "no", "wait"]:
    """Return whether a step is wanted now; records that are gone leave nothing to do."""
    if not all(condition.keys):
        return "no"  # forgotten
    if condition.kind == "mail":
        since = datetime.fromisoformat(condition.since)
        is_so = any(house.ledgers.heard_from(address, since) for address in condition.keys)
    else:
        standing = [house.ledgers.standing(condition.kind, key) for key in condition.keys]
        if not any(standing):
            return "no"  # gone
        is_so = all(each is None or each.data.get("status") in condition.status for each in standing)
    if is_so == condition.holds:
        return "yes"
    waits = condition.until and house.now < datetime.fromisoformat(condition.until)
    return "wait" if waits else "no"


def stirred(event: Recorded) -> list[Effect]:
    """Wake what may have waited for this record; most change nothing that anything waits for."""
    is_one = (event.write.kind, str(event.write.data.get("status", ""))) in _STIRS
    return [Rouse(scope=REASON)] if is_one else []
