"""How often the operator agreed with a kind of draft: a fold over decisions, per action and client. Pure.

A decision is one card that somebody settled: ``unchanged`` (approved as it was drafted), ``edited`` (approved after a
change), ``rejected``, or ``undone`` (taken back afterwards). Cards that ran out say nothing about agreement.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

UNCHANGED, EDITED, REJECTED, UNDONE = "unchanged", "edited", "rejected", "undone"


@dataclass(frozen=True)
class Agreement:
    """What the decisions so far say; ``streak`` is how many of the newest were unchanged, without a break."""

    total: int = 0
    unchanged: int = 0
    streak: int = 0

    @property
    def words(self) -> str:
        """The evidence as a card quotes it; "" while there is none."""
        if not self.total:
            return ""
        lost = "" if self.streak else ", and changed or refused the last one"
        return f"You approved {self.unchanged} of {self.total} like this unchanged{lost}."


def agreed(decisions: Iterable[str]) -> Agreement:
    """Return the agreement of decisions, oldest first. One change, rejection or undo ends the streak."""
    total = unchanged = streak = 0
    for how in decisions:
        total += 1
        unchanged += how == UNCHANGED
        streak = streak + 1 if how == UNCHANGED else 0
    return Agreement(total, unchanged, streak)
