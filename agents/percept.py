"""What came from outside → typed facts, without believing any of it. Pure.

The words of a mail or form are material. They may fill a body or a name, always shown on a card; they never choose an
action, a recipient other than the sender, an amount, or a rule.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parseaddr

from pydantic import TypeAdapter, ValidationError

from agents.base import Desk, Record
from agents.directory import look_up
from agents.slots import Email
from memory.events import Json, Origin

NAME_MAX = 80  # characters of a name from outside: a longer one is not a name
NEED_MAX = 200  # of what somebody asks for, as it may stand in a subject
QUOTE_MAX = 2000  # of what is quoted to the operator
DEPTH_MAX = 5  # of the provider's JSON

FIELDS: Mapping[str, tuple[str, ...]] = {
    "email": ("customer_email", "email", "from_email", "from", "sender"),
    "company": ("company", "organisation", "organization", "business"),
    "name": ("customer_name", "name", "full_name", "from_name"),
    "need": ("need", "project", "service", "request", "subject"),
    "plan": ("plan", "product", "product_name", "nickname"),
}
"""Our word for a fact → the words of forms and providers for it, the most telling first."""


@dataclass(frozen=True)
class Percept:
    """What is known about an item, without believing any of it.

    Attributes:
        kind: ``"mail"``, ``"form"``, ``"stripe.checkout.session.completed"``.
        sender: Whose it says it is, an address or nothing.
        client: The client on the books with exactly that address.
        facts: Our word → one line of text, cleaned of control characters.
        quote: What a person would read, cut to `QUOTE_MAX`.
        automatic: A machine wrote it (RFC 3834), so nobody answers it.
    """

    kind: str
    sender: str = ""
    client: Record | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    quote: str = ""
    automatic: bool = False


def perceive(item: Mapping[str, Json], text: str, desk: Desk, kind: str = "") -> Percept:
    """Return the typed facts of an outside item; never raises for what stands in it.

    Args:
        item: As the connector brought it.
        text: What a person would read.
        desk: For the client with exactly the sender's address.
        kind: As the connector set it. Without one it is a mail or a form by its shape, and nothing that moves money.
    """
    found = {name: value for name, keys in FIELDS.items() if (value := _first(item, keys))}
    author = item.get("from")
    # A mail is answered to From, never to Reply-To: that would let a stranger choose the recipient of our words.
    written = f"{author.get('name', '')} <{author.get('address', '')}>" if isinstance(author, dict) else ""
    name, sender = _person(written or found.get("email", ""))
    if written:
        found |= {"name": name}
    facts = {
        key: line(value, NEED_MAX if key == "need" else NAME_MAX) for key, value in found.items() if key != "email"
    }
    if name and "name" not in facts:
        facts["name"] = line(name, NAME_MAX)
    if sender:
        facts["email"] = sender
    return Percept(
        kind=kind or _shape(item),
        sender=sender,
        client=look_up(desk, sender).record if sender else None,
        facts={key: value for key, value in facts.items() if value},
        quote=_clean(text)[:QUOTE_MAX],
        automatic=_automatic(item),
    )


def memory_of(percept: Percept, source: str = "", thread: str = "") -> tuple[dict[str, Json], ...]:
    """Return what long-term memory keeps of an item: its words, as somebody else's, in the client's namespace."""
    if not percept.quote or percept.automatic:
        return ()
    known = percept.client
    return (
        {
            "text": percept.quote,
            "client": known.key if known else "",
            "speaker": percept.facts.get("name") or percept.sender,
            "author": percept.sender,
            "origin": (Origin.CLIENT if known else Origin.STRANGER).value,
            "thread": thread,
            "source": source,
        },
    )


def _shape(item: Mapping[str, Json]) -> str:
    return "mail" if "message_id" in item and isinstance(item.get("from"), dict) else "form"


def _first(item: Mapping[str, Json], keys: tuple[str, ...]) -> str:
    flat = dict(reversed(list(_flat(item))))
    return next((flat[key] for key in keys if flat.get(key)), "")


def _flat(value: Json, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield every (field, text) of nested JSON, outer ones first."""
    if not isinstance(value, dict) or depth > DEPTH_MAX:
        return
    for key, inner in value.items():
        if isinstance(inner, str | int) and not isinstance(inner, bool):
            yield str(key).casefold().replace("-", "_").replace(" ", "_"), str(inner)
    for inner in value.values():
        for each in inner if isinstance(inner, list) else (inner,):
            yield from _flat(each, depth + 1)


def _person(text: str) -> tuple[str, str]:
    """``"Anna <a@x.example>"`` → name and address; an address that is none is left out."""
    name, address = parseaddr(text)
    if any(unicodedata.category(c)[0] == "C" for c in text):
        return name, ""
    try:
        return name, TypeAdapter(Email).validate_python(address)
    except ValidationError:
        return name, ""


def _automatic(item: Mapping[str, Json]) -> bool:
    """RFC 3834: anything but ``Auto-Submitted: no``; and lists and bulk mail."""
    if item.get("automatic") is True or item.get("from_ourselves") is True:
        return True
    flat = dict(_flat(item))
    submitted = flat.get("auto_submitted", "no").strip()
    bulk = flat.get("precedence", "").casefold() in {"bulk", "list", "junk", "auto_reply"}
    return bool(submitted and submitted.casefold() != "no") or bulk or "list_id" in flat


def _clean(text: str) -> str:
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c)[0] != "C").strip()


def line(text: str, limit: int) -> str:
    """Return words from outside as one line without control characters, cut to a length."""
    return re.sub(r"\s+", " ", _clean(text))[:limit].strip()
