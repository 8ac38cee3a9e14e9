"""Money and times as people read them. Pure, and never two figures that look like one.

A text that is not written the house's way is shown as it is; one that already looks like our output stands in quotes,
so that two different values can never look equal on a card.
"""

from __future__ import annotations

import re
from datetime import datetime

_MONEY = re.compile(r"(-?)(0|[1-9]\d*)(\.\d+)? ([A-Z]{3})")
_LIKE_OURS = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d+)? [A-Z]{3}|[A-Z][a-z]{2} \d{1,2} [A-Z][a-z]+ \d{4}.*")


def money_words(text: str) -> str:
    """``"1428.00 EUR"`` → ``"1,428.00 EUR"``."""
    match = _MONEY.fullmatch(text)
    if match:
        return f"{match[1]}{int(match[2]):,}{match[3] or ''} {match[4]}"
    return f"“{text}”" if _LIKE_OURS.fullmatch(text) else text


def when_words(text: str) -> str:
    """``"2026-03-16"`` → ``"Mon 16 March 2026"``; a moment keeps its time and offset: ``"…, 15:00:00+01:00"``."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return f"“{text}”" if _LIKE_OURS.fullmatch(text) else text
    if moment.isoformat() != text and moment.date().isoformat() != text:
        return text  # another spelling of a moment is another text
    day = f"{moment:%a} {moment.day} {moment:%B} {moment.year}"
    return day if moment.date().isoformat() == text else f"{day}, {text[11:]}"


def moment_words(moment: datetime) -> str:
    """An aware moment in its own zone, to the minute: ``"Tue 24 November, 15:00"``."""
    return f"{moment:%a} {moment.day} {moment:%B}, {moment:%H:%M}"
