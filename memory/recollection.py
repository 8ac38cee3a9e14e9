"""One thing remembered, where it may be looked for, and the numbers it goes by. Pure.

`memory.recollections` keeps it; `memory.recall` finds it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from memory.events import Origin

TEXT_MAX = 20_000  # characters in one recollection: a longer document is cut into several by who reads it
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class RecordError(ValueError):
    """A record cannot be remembered as it stands."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"This cannot be remembered: {reason}")


@dataclass(frozen=True, slots=True)
class Record:
    """One thing to remember. Only ``text`` is needed; everything else makes it easier to find and to trust."""

    text: str
    client: str = ""  # the namespace; "" is the company's own
    project: str = ""
    task: str = ""
    speaker: str = ""  # who said it, as people name them
    thread: str = ""  # a conversation; neighbours are looked up by thread and position
    position: int | None = None
    at: datetime | None = None  # when it was said, aware
    tier: str = "long-term"  # session | working | long-term
    kind: str = "message"  # message | fact | preference | summary | document | ...
    origin: Origin = Origin.SYSTEM  # whose words: the authority comes from here, so it must be said
    author: str = ""  # the stable id behind ``speaker``
    key: str = ""  # what it is about: a newer one with the same key and client replaces it ("acme/terms")
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    source: str = ""  # where to look it up: "mail:<id>", "12:3", a file's name
    spans: tuple[tuple[int, int], ...] = ()  # characters in the source
    made_from: tuple[int, ...] = ()  # ids: a summary goes when one of its sources is forgotten


@dataclass(frozen=True, slots=True)
class Known(Record):
    """A record as it is kept, with its number and what became of it."""

    id: int = 0
    superseded_by: int | None = None
    contests: int | None = None  # what it disagrees with and was not allowed to replace


@dataclass(frozen=True, slots=True)
class Scope:
    """Where to look. A field that is None does not narrow; ``client`` is a wall, not a preference."""

    client: str | None = None
    shared: bool = False  # with a client: the company's own records (client "") too
    project: str | None = None
    task: str | None = None
    tier: str | None = None
    kind: str | None = None
    speaker: str | None = None
    thread: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def clients(self) -> tuple[str, ...] | None:
        """The namespaces that may be read; None is all of them."""
        if self.client is None:
            return None
        return (self.client, "") if self.shared and self.client else (self.client,)

    def narrows(self) -> bool:
        """Return whether anything but the client narrows it: then the rows are looked up first."""
        named = (self.project, self.task, self.tier, self.kind, self.speaker, self.thread)
        return any(value is not None for value in named) or self.since is not None or self.until is not None

    def where(self, *, of_rows: bool = False) -> tuple[str, dict[str, Any]]:
        """Return the SQL condition over alias ``r`` and its parameters.

        Args:
            of_rows: The rows are found by their ids, and only checked: no index of what is asked here is of use.
        """
        parts, r = ["1 = 1"], "+r" if of_rows else "r"  # SQLite leaves a column with a plus to itself
        values: dict[str, Any] = {}
        if (clients := self.clients) is not None:
            parts.append(f"{r}.client IN (" + ", ".join(f":client{n}" for n in range(len(clients))) + ")")
            values.update({f"client{n}": client for n, client in enumerate(clients)})
        for name in ("project", "task", "tier", "kind", "speaker", "thread"):
            if (value := getattr(self, name)) is not None:
                parts.append(f"{r}.{name} = :{name}")
                values[name] = value
        if self.since is not None:
            parts.append("r.at >= :since")
            values["since"] = micros(self.since)
        if self.until is not None:
            parts.append("r.at < :until")
            values["until"] = micros(self.until)
        return " AND ".join(parts), values


EVERYWHERE = Scope()


def micros(when: datetime | None) -> int | None:
    """Return µs since 1970.

    Raises:
        RecordError: The time has no zone.
    """
    if when is None:
        return None
    if when.tzinfo is None:
        raise RecordError(f"the time {when.isoformat()} has no zone. Give an aware datetime, best in UTC.")
    return (when - EPOCH) // MICROSECOND


def moment(value: int | None) -> datetime | None:
    """Return the time that `micros` numbered."""
    return None if value is None else EPOCH + value * MICROSECOND


@lru_cache(maxsize=4096)
def space_number(client: str) -> int:
    """Return the namespace as 32 bits: for the index, which may err by a collision because every row is checked."""
    return int.from_bytes(hashlib.blake2b(client.encode(), digest_size=4).digest(), "big")


@lru_cache(maxsize=4096)
def scope_token(client: str) -> str:
    """Return the FTS5 token of a namespace. Digits only: the stemmer leaves them alone."""
    digest = hashlib.blake2b(client.encode(), digest_size=8).digest()
    return f"0{int.from_bytes(digest, 'big'):020d}"


def number(record: Record, key: bytes) -> int:
    """Return the number that names this record for good: the same words, place and time give the same one."""
    parts = (
        record.source, record.client, record.thread, str(record.position), record.kind, record.key, record.speaker,
        str(micros(record.at)), record.text,
    )  # fmt: skip
    digest = hashlib.blake2b("\x00".join(parts).encode(errors="surrogatepass"), key=key, digest_size=8)
    return int.from_bytes(digest.digest(), "big", signed=True)
