"""Looks at a service again and again, less and less often while it is away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from connectors.base import OutcomeUnknownError, TryLaterError
from connectors.client import Pause

EVERY_S = 300.0
AGAIN_MAX_S = 3_600.0  # between two looks while the service is away
DOUBLED_MAX = 4  # times until that: a service that stays away for months must not count itself out of all numbers


async def keep_looking(look_once: Callable[[], Awaitable[None]], pause: Pause) -> None:
    """Look until cancelled.

    Raises:
        RefusedError: The service does not let us in; trying on would not help.
    """
    failures = 0
    while True:
        try:
            await look_once()
            failures = 0
        except (TryLaterError, OutcomeUnknownError):
            failures = min(DOUBLED_MAX, failures + 1)
        await pause(min(AGAIN_MAX_S, EVERY_S * 2**failures))
