"""Who is meant: from what the operator typed to one record, to several that could be meant, or to nobody.

An exact name, key, alias or e-mail decides; so does the only name that begins with what was typed ("Acme" for "Acme
GmbH"). A typing slip never decides, it only suggests: an invoice to the wrong company cannot be unsent::

    match = look_up(desk, "Acme")
    match.record   # the one, or None
    match.nearby   # those to offer as buttons
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rapidfuzz import fuzz

from agents.base import Choice, Desk, Proposal, Record, Source, Task, Write
from memory.events import Json

KEYS_MAX = 1000  # records of one name; the search for a free key ends somewhere
NEARBY_MAX = 4  # buttons under one question
SLIP_PCT = 80  # rapidfuzz ratio from which a name may be a typing slip of another; below it is another name
_LEGAL = re.compile(
    r"[\s,]+(gmbh( & co\.? kg)?|ag|kg|ug|ltd\.?|limited|llc|inc\.?|corp\.?|plc|oy|ab|aps"
    r"|s\.?a\.?s?|s\.?r\.?l\.?|b\.?v\.?)$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Match:
    """What the directory holds for a name. With `record` nobody else can be meant."""

    record: Record | None = None
    nearby: tuple[Record, ...] = ()


def look_up(desk: Desk, said: str, kind: str = "client") -> Match:
    """Return who or what is meant by ``said`` among the records of a kind."""
    wanted = _plain(said)
    if not wanted:
        return Match()
    known = desk.records(kind)
    if exact := [record for record in known if wanted in _names(record)]:
        return _decided(exact)
    if begun := [record for record in known if any(name.startswith(wanted + " ") for name in _names(record))]:
        return _decided(begun)
    close = sorted(
        ((max(fuzz.ratio(wanted, name) for name in _names(record)), record) for record in known),
        key=lambda pair: (-pair[0], pair[1].key),
    )
    return Match(nearby=tuple(record for score, record in close if score >= SLIP_PCT)[:NEARBY_MAX])


def slug(name: str) -> str:
    """``"Müller & Söhne GmbH"`` → ``"muller-sohne"``: the key of a new record. The legal form is left out."""
    bare = unicodedata.normalize("NFKD", _LEGAL.sub("", name.strip())).casefold()
    letters = "".join(c for c in bare if not unicodedata.combining(c))
    return re.sub(r"[\W_]+", "-", letters).strip("-")


def named(record: Record) -> str:
    """Return how a record is called when it is shown."""
    return str(record.data.get("name") or record.key)


def common_name(record: Record) -> str:
    """``"Acme GmbH"`` → ``"Acme"``: as people call it."""
    return _LEGAL.sub("", named(record)).strip()


def instead(text: str, said: str, name: str, fallback: str) -> str:
    """Return the operator's sentence with one name put in place of another, for a button that says it again."""
    if text and said and re.search(re.escape(said), text, re.IGNORECASE):
        return re.sub(re.escape(said), lambda _: name, text, count=1, flags=re.IGNORECASE)
    return fallback


def which(records: Sequence[Record], text: str, said: str, fallback: str) -> tuple[Choice, ...]:
    """Return one button for each record; pressing it says the same sentence with that name.

    Args:
        records: Who may be meant.
        text: The operator's own words.
        said: The name in them that was not clear.
        fallback: A sentence with ``{name}`` for when the words do not hold the name.
    """
    return tuple(
        Choice(label=named(record), text=instead(text, said, named(record), fallback.format(name=named(record))))
        for record in records[:NEARBY_MAX]
    )


def whom(task: Task, said: str, nearby: Sequence[Record]) -> Proposal:
    """Return the question who is meant, with a button for each who may be."""
    if nearby:
        fallback = task.intent.id().replace("_", " ") + " {name}"
        return Proposal(ask=f"Which client do you mean by {said!r}?", choices=which(nearby, task.text, said, fallback))
    unknown = f"I know no client called {said!r}."
    if "email" in type(task.intent).model_fields:
        return Proposal(ask=f"{unknown} Tell me their e-mail address, and I go on.")
    return Proposal(ask=f"{unknown} Add them first, for example: add client {said}, billing@their-domain.")


def the_client(said: str, task: Task, desk: Desk) -> Record | Proposal:
    """Return the one client that is meant, or the question which."""
    match = look_up(desk, said)
    return match.record or whom(task, said, match.nearby)


def recipient(said: str, email: str | None, task: Task, desk: Desk) -> Record | Proposal:
    """Return the client to write to, with an address, or a question; a newcomer when an address was typed along."""
    match = look_up(desk, said)
    if match.record is None:
        return newcomer(said, email, desk) if email and not match.nearby else whom(task, said, match.nearby)
    client = match.record
    if address(client):
        return client
    return replace(client, data={**client.data, "email": email}) if email else no_address(client)


def newcomer(name: str, email: str, desk: Desk, *, status: str = "lead") -> Record:
    """Return a client nobody knows yet, with the address that was typed; version 0 means it must not exist."""
    data: dict[str, Json] = {"name": name, "email": email, "status": status}
    return Record("client", slug(name) or slug(email), 0, data, desk.now, "")


def first_written(client: Record) -> tuple[Write, ...]:
    """Return the write that puts a newcomer on the books; nothing for anybody who is there."""
    return () if client.version else (Write(kind="client", key=client.key, data=dict(client.data)),)


def no_address(client: Record) -> Proposal:
    """Return the question for a client's address."""
    name = named(client)
    return Proposal(
        ask=f"I have no e-mail address for {name}. Tell me and I go on, or have me keep it: update {name} email their@address."
    )


def address(client: Record) -> str:
    """Return where a client's mail goes, or nothing."""
    return str(client.data.get("billing_email") or client.data.get("email") or "")


def contact(client: Record) -> str:
    """Return the person to greet, or nothing."""
    return str(client.data.get("contact") or "")


def cited(*records: Record) -> tuple[Source, ...]:
    """Return records as sources of a proposal."""
    return tuple(
        Source(ref=f"record:{r.kind}:{r.key}@{r.version}", text=str(r.data.get("name") or r.data.get("text") or r.key))
        for r in records
        if r.version
    )


def free_key(desk: Desk, kind: str, wanted: str) -> str:
    """Return ``wanted``, or with a number behind it the first key that no record has."""
    keys = (wanted, *(f"{wanted}-{i}" for i in range(2, KEYS_MAX)))
    return next(key for key in keys if desk.record(kind, key) is None)


def _decided(records: Sequence[Record]) -> Match:
    return Match(record=records[0]) if len(records) == 1 else Match(nearby=tuple(records[:NEARBY_MAX]))


def _names(record: Record) -> set[str]:
    name = named(record)
    said = [record.key, name, _LEGAL.sub("", name), record.data.get("email"), record.data.get("contact")]
    said += record.data.get("aliases") or []
    return {_plain(str(each)) for each in said if each} - {""}


def _plain(text: str) -> str:
    flat = unicodedata.normalize("NFKC", text).casefold().strip().rstrip(".")
    return re.sub(r"\s+", " ", re.sub(r"['’]s$", "", flat))
