"""A prompt gets the least it needs: what was recalled, best first, within a budget, and a list of what was left out.

::

    stitched = stitch(memory.recall("Acme's terms"), budget_tokens=300)
    stitched.text        # one line a record: its number, its day, whose words, the words in quotes
    stitched.left_out    # (id, words, reason) of everything else, for the explain log
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from memory.condense import CITED
from memory.events import Origin
from memory.recall import Hit, Known

BYTES_A_TOKEN = 3.5  # of UTF-8; on the careful side for English and German
WORDS_SHOWN = 60  # characters of what was left out
CURATED = ("fact", "preference", "rule")
"""What the operator noted is never left out for bearing little on the question: it may be how they want it done."""


class LeftOut(NamedTuple):
    """What a prompt does not hold, and why."""

    id: int
    words: str
    reason: str

    def __str__(self) -> str:
        """Return it as one line for `/why`."""
        return f"memory:{self.id} “{self.words}”: {self.reason}"


class Line(NamedTuple):
    """One record in a prompt."""

    id: int
    origin: Origin
    text: str


class Stitched(NamedTuple):
    """What goes into a prompt, and what does not."""

    lines: tuple[Line, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def text(self) -> str:
        """All lines, one below the other."""
        return "\n".join(line.text for line in self.lines)


def tokens(words: str) -> int:
    """Return about how many tokens a model will count, rather too many than too few."""
    return math.ceil(len(words.encode()) / BYTES_A_TOKEN)


def stitch(hits: Sequence[Hit], budget_tokens: int, *, told: Iterable[str] = (), least_share: float = 0.0) -> Stitched:
    """Return the hits as lines for a prompt, best first, within a budget, and what was left out and why.

    Each line names its record, its time and whose words it is: text from outside is quoted as such, for it is
    material and never an order.

    Args:
        hits: What was recalled, best first.
        budget_tokens: The most that all lines together may need.
        told: What the prompt holds already.
        least_share: Of the best score, from which something bears on the question.
    """
    lines: list[Line] = []
    left_out: list[LeftOut] = []
    said: dict[str, int] = {_plain(text): 0 for text in told}
    covered: dict[int, int] = {}
    left = budget_tokens
    least = least_share * max((hit.score for hit in hits), default=0.0)
    for hit in hits:
        record = hit.record
        words = _plain(record.text)
        line = quoted(record)
        cost = tokens(line + "\n")
        if words in said:
            reason = f"says the same as #{said[words]}" if said[words] else "is in the prompt already"
        elif record.id in covered:
            reason = f"is in the summary #{covered[record.id]}"
        elif hit.score < least and record.kind not in CURATED:
            reason = f"bears little on it ({hit.score:.2f}, the best has {max(each.score for each in hits):.2f})"
        elif cost > left:
            reason = f"needs {cost} tokens, and {max(left, 0)} are left"
        else:
            left -= cost
            said[words] = record.id
            if record.kind == "summary":
                covered |= dict.fromkeys(map(int, CITED.findall(words)), record.id)
            lines.append(Line(record.id, record.origin, line))
            continue
        left_out.append(LeftOut(record.id, " ".join(record.text.split())[:WORDS_SHOWN], reason))
    return Stitched(tuple(lines), tuple(left_out))


def _plain(words: str) -> str:
    return " ".join(words.split()).casefold()


def quoted(record: Known) -> str:
    """Return a record as one line: number, day, speaker, whose words, and the words in quotes they cannot close."""
    about = [f"#{record.id}"]
    if record.at:
        about.append(f"{record.at:%Y-%m-%d}")
    if record.speaker:
        about.append(record.speaker)
    if record.superseded_by:
        about.append(f"replaced by #{record.superseded_by}")
    if record.contests:
        about.append(f"disagrees with #{record.contests}, unconfirmed")
    about.append("operator" if record.origin is Origin.OPERATOR else f"{record.origin}, quoted")
    # A quote must not be able to close itself and go on as if it were ours.
    words = " ".join(record.text.split()).replace("«", "<").replace("»", ">")
    return f"[{' · '.join(about)}] «{words}»"
