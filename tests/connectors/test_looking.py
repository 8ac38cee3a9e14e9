"""A service that is away is asked less and less often, for as long as it stays away."""

from __future__ import annotations

import contextlib

from connectors.base import TryLaterError
from connectors.looking import AGAIN_MAX_S, EVERY_S, keep_looking


class OverError(Exception):
    """The test has seen enough."""


async def test_a_service_that_is_away_for_months_is_still_asked_every_hour() -> None:
    waits: list[float] = []

    async def away() -> None:
        raise TryLaterError("Nobody there.")

    async def pause(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2_000:  # hours: a float ends at 2**1024
            raise OverError

    with contextlib.suppress(OverError):
        await keep_looking(away, pause)
    assert waits[:3] == [2 * EVERY_S, 4 * EVERY_S, 8 * EVERY_S]
    assert set(waits[3:]) == {AGAIN_MAX_S}
    assert len(waits) == 2_000
