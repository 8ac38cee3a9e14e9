"""An hour beside a day, a second time as an end, and room that is asked for: as they are typed on a phone."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from bot.reading.hours import values_of

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 19, 10, 0, tzinfo=ZONE)  # a Thursday


def read(text: str) -> list[tuple[str, str]]:
    found = values_of(text, NOW, ZONE, "en")
    return [
        (
            slot.kind,
            f"{slot.value.astimezone(ZONE):%m-%d %H:%M}" if isinstance(slot.value, datetime) else str(slot.value),
        )
        for slot in found
    ]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("lunch friday 1", [("moment", "11-20 13:00")]),
        ("remind me tomorrow 9 call bob", [("moment", "11-20 09:00")]),
        ("meet bob tomorrow 3pm-4.30", [("moment", "11-20 15:00"), ("span", "PT1H30M")]),
        ("meet bob friday 9-10", [("moment", "11-20 09:00"), ("span", "PT1H")]),
        ("block friday 2-4pm", [("moment", "11-20 14:00"), ("span", "PT2H")]),
        ("from 3 pm to 4", [("moment", "11-19 15:00"), ("span", "PT1H")]),
        ("she can't make it at 3, shift it to 5", [("moment", "11-19 15:00"), ("moment", "11-19 17:00")]),
        ("move acme from 3pm to 4", [("moment", "11-19 15:00"), ("moment", "11-19 16:00")]),
        ("move the 3pm call to 4", [("moment", "11-19 15:00"), ("moment", "11-19 16:00")]),
        ("when can i fit in two hours next week", [("span", "PT2H"), ("period", "2026-11-23/2026-11-29")]),
        ("remind me in two hours", [("moment", "11-19 12:00")]),
        ("friday 2 invoices", [("day", "2026-11-20"), ("number", "2")]),
        ("what is on now", []),
    ],
)
def test_hours_are_read_as_they_are_typed(said: str, found: list[tuple[str, str]]) -> None:
    assert read(said) == found
