"""Several requests in one message: where it may be cut, for somebody else to say whether the parts make sense."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from agents.slots import Slot

PARTS_MAX = 5  # more wishes in one message are a list to go through, not an order
_SURE = re.compile(
    r"\s*(?:;|\n+|(?<=[\w)])[.!?]\s+(?=[A-Za-z])|,?\s+(?:and )?then\s+|,?\s+and also\s+|,?\s+also\s+|,\s+(?:and|und)\s+)\s*",
    re.IGNORECASE,
)
_MAYBE = re.compile(r"\s+(?:and|und|plus|&|\+)\s+|,\s+", re.IGNORECASE)
_WHOSE = re.compile(
    r"\b(?:(?P<whom>him|them|they(?!['’])|her(?=\W*$|\s+(?:a|an|the|that|to|for|on|at|in|about|with|my|our|i|i['’]m|we|it|if|when|what|how|"
    r"again|back|by|and|thanks|hello|some|one|two|another|more)\b|\s*[,:;]))|(?P<whose>their|his|her))\b",
    re.IGNORECASE,
)


def spelled_out(text: str, name: str) -> str:
    """Return a part with the name that it leans on: "tell her that ..." after "refund Petra 50" is "tell Petra that ..."."""
    return _WHOSE.sub(lambda match: name if match["whom"] else f"{name}'s", text)


def cuts(text: str, spans: Sequence[Slot]) -> Iterator[tuple[str, str, bool]]:
    """Yield (left, right, sure) for every place to cut, from the left; never inside a value.

    ``sure`` marks a cut that a writer makes on purpose ("; ", ". ", ", and", "then").
    """
    taken = [(match.start(), match.end(), True) for match in _SURE.finditer(text)]
    taken += [
        (match.start(), match.end(), False)
        for match in _MAYBE.finditer(text)
        if not any(start <= match.start() < end for start, end, _ in taken)
    ]
    for start, end, sure in sorted(taken):
        if any(slot.start < start and end < slot.end for slot in spans):
            continue
        left, right = text[:start].strip(" ,.;"), text[end:].strip(" ,.;")
        if len(left.split()) > 1 and right:
            yield left, right, sure
