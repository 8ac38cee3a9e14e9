"""One line of history: an event in its place, what it led to, and the hash that chains it to the line before.

Values only; ``memory/log.py`` writes and reads them.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from memory.events import Happening

GENESIS = hashlib.sha256(b"soloist/1").digest()


@functools.lru_cache(maxsize=16)  # all lines of a unit of work have the same time
def stamp(moment: datetime) -> str:
    """Aware time → fixed-width UTC text that sorts as time: ``2026-03-02T09:12:00.000000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def unstamp(text: str) -> datetime:
    """The reverse of `stamp`."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


class OrderRow(msgspec.Struct, frozen=True, array_like=True):
    """One thing that must still be done, as the outbox holds it. ``due`` is "" or a `stamp`."""

    id: str
    kind: str
    due: str
    body: str  # JSON of the order, opaque here


class Ordered(msgspec.Struct, frozen=True, array_like=True):
    """What a line led to: orders given, and earlier ones that are answered or off."""

    given: tuple[OrderRow, ...] = ()
    closed: tuple[str, ...] = ()


NOTHING_ORDERED = msgspec.json.encode(Ordered()).decode()


class Line(msgspec.Struct, frozen=True):
    """One event in its place in history."""

    task: int
    seq: int
    at: datetime
    actor: str
    cause: str
    event: Happening
    ordered: Ordered
    hash: bytes
    n: int = 0  # position in the whole house's history


def link(before: bytes, row: Mapping[str, Any]) -> bytes:
    """Return the hash of a line: SHA-256 over the hash before it, its place and time, and the seal of its words."""
    placed = [_fed(str(row[column]).encode()) for column in ("task", "seq", "n", "type", "at")]
    return hashlib.sha256(b"".join([before, *placed, _fed(seal(row))])).digest()


SALT_BYTES, SEAL_BYTES = 16, 32


def seal(row: Mapping[str, Any]) -> bytes:
    """Return the salted digest of a line's words; of an erased line the one that stands where its salt was.

    Words can be taken out of history and the chain still holds: with the salt gone nobody can tell from the seal what
    they were (`memory.erased`).
    """
    salt = bytes(row["salt"])
    if len(salt) == SEAL_BYTES:
        return salt
    words = [_fed(str(row[column]).encode()) for column in ("actor", "cause", "body", "orders")]
    return hashlib.sha256(b"".join([salt, *words])).digest()


def _fed(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value
