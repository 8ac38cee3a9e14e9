"""Memory that was used once and is free again goes back to the system, so that the process stays as small as it is.

glibc keeps what a model's load or a million vectors took and gave back; ``malloc_trim(3)`` lets go of it. Elsewhere
nothing needs doing, and nothing is done.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any


def give_back() -> None:
    """Let go of free memory: a few milliseconds, so only after something large."""
    if (trim := _trim()) is not None:
        trim(0)


@cache
def _trim() -> Any:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # musl, macOS
        return None
