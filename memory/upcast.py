"""Reads lines written by older versions: old JSON in, today's JSON out.

Each upcaster belongs to one event type and knows one step. They run in order on the raw line before it is decoded, so
a task that waited over an upgrade goes on with today's code. Never edit one that has shipped; add another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTERS: Mapping[str, tuple[Upcaster, ...]] = {}
"""Event type → steps, oldest first. A step sees every old line of its type and must leave a newer one alone."""


def upcast(kind: str, body: str, upcasters: Mapping[str, tuple[Upcaster, ...]] = UPCASTERS) -> bytes | str:
    """Return the line as today's version writes it; untouched (and unparsed) when its type never changed."""
    steps = upcasters.get(kind)
    if not steps:
        return body
    line = msgspec.json.decode(body)
    for step in steps:
        line = step(line)
    return msgspec.json.encode(line)
