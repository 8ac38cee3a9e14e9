"""How sure a draft is, and why: what its agent says of it, held against how it was read and how its like was judged. Pure.

The weakest evidence counts. Nothing is decided by this figure: what runs and what asks is policy's to say. It tells the
operator where to look twice, and each thing that lowers it is a sentence on the card.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.agreement import Agreement

READERS = {"local": "by what it is like", "small": "by a small model"}
"""Tiers of understanding that may be wrong; commands, patterns and what was taught are the operator's own words."""
DOUBT_PCT = 15  # that each warning of the verifier takes away
LEAST_PCT = 5
PRIOR = 2  # decisions that count as approvals before there were any: one change in three is no pattern yet


@dataclass(frozen=True)
class Confidence:
    """A percentage, and what it rests on beside the agent's own reasons."""

    pct: int
    reasons: tuple[str, ...] = ()


def confidence(agent_pct: int, *, reader: str, read_pct: int, agreement: Agreement, warnings: int) -> Confidence:
    """Return how sure a draft is.

    Args:
        agent_pct: What the agent said of its draft.
        reader: The tier that understood the request; "" when nobody had to.
        read_pct: How sure it was.
        agreement: How drafts of this action for this client were decided.
        warnings: How many things the verifier found.
    """
    pct, reasons = agent_pct, []
    if reader in READERS and read_pct < 100:  # noqa: PLR2004 - per cent
        pct = min(pct, read_pct)
        reasons.append(f"Your words were understood {READERS[reader]}, {read_pct} % sure.")
    if agreement.total:
        pct = min(pct, round(100 * (agreement.unchanged + PRIOR) / (agreement.total + PRIOR)))
        reasons.append(agreement.words)
    return Confidence(max(pct - DOUBT_PCT * warnings, LEAST_PCT), tuple(reasons))
