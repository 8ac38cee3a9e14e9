"""The orders: what the conductor wants done, in the imperative. Data only; ``runner.py`` sees to it that they are done.

An order stands in the outbox from the commit that gave it until the event that answers it. After a crash it is still
there, so nothing that was promised is forgotten. `Record` is the exception: it is carried out in the same transaction
and never stored, and `Close` takes an order back.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from memory.events import Attachment, Happening, Json, Place


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="do", tag=True):
    """Something to do outside the transaction; answered by an event that names it."""


class Understand(Order, frozen=True, kw_only=True):
    """Read a message. Answered by `Understood`."""

    text: str


class Delegate(Order, frozen=True, kw_only=True):
    """Let an agent work on a step. Answered by `Proposed`."""

    step: str
    guidance: str = ""
    edits: dict[str, Json] = {}
    card: str = ""  # the card this is a new revision of


class LookUp(Order, frozen=True, kw_only=True):
    """Answer a question about our own history. Answered by `Answered`."""

    question: str
    slots: dict[str, Json] = {}


class Perform(Order, frozen=True, kw_only=True):
    """Touch the world. Answered by `Confirmed`, `Failed` or `BecameUnknown`."""

    effect: str
    attempt: int
    look: bool = False  # reconcile: search only, send nothing


class Show(Order, frozen=True, kw_only=True):
    """Bring a message or a card to a channel, or mend a copy. Answered by `Delivered`."""

    what: str  # message or card id
    channel: str
    conversation: str = ""
    thread: str = ""
    ref: str = ""  # mend this copy
    former: bool = False  # that copy shows an earlier draft: say so, while the newer one waits
    reply_to: str = ""


class Wake(Order, frozen=True, kw_only=True):
    """Come back later. Answered by `WokeUp`."""

    reason: str
    due: datetime
    data: dict[str, Json] = {}


class Press(Order, frozen=True, kw_only=True):
    """Press a button that was named in words ("approve 12", "undo"). Answered by `Answered`."""

    verb: str
    card: str = ""  # as typed; "" is the newest that fits
    reason: str = ""
    until: datetime | None = None  # for "snooze"


class Tell(Order, frozen=True, kw_only=True):
    """Put an event into another task's history (an undo, a pause). Answered by `WokeUp` with reason "told"."""

    task: int
    event: Happening


class Start(Order, frozen=True, kw_only=True):
    """Begin another task with these words, on behalf of the same person. Answered by `WokeUp`."""

    text: str
    place: Place
    files: tuple[Attachment, ...] = ()


class Rouse(Order, frozen=True, kw_only=True):
    """A pause is over: wake every task whose effects stood still. Answered by `WokeUp`."""

    scope: str


class Remember(Order, frozen=True, kw_only=True):
    """Give records to long-term memory. Answered by `WokeUp`."""

    records: tuple[dict[str, Json], ...]


Lasting = Understand | Delegate | LookUp | Press | Perform | Show | Wake | Tell | Start | Rouse | Remember
"""Orders that are kept until they are answered."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Append this event right away, in the same transaction."""

    event: Happening


class Close(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier order is off: its card is settled, its window is over."""

    order: str


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What to tell whoever pressed, in the platform's own small way. Lost without harm."""

    text: str


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Append this event to the house's own history, or another task's, in the same transaction: it must not be late."""

    event: Happening
    task: int = 0  # the house


Effect = Lasting | Record | Close | Reply | Tally
"""The closed union that `decide` returns."""

_decoder: msgspec.json.Decoder[Lasting] = msgspec.json.Decoder(Lasting)
_encoder = msgspec.json.Encoder(order="deterministic")


def pack(order: Lasting) -> str:
    """Return the order as JSON for the outbox."""
    return _encoder.encode(order).decode()


def unpack(body: str) -> Lasting:
    """The reverse of `pack`; raises msgspec.ValidationError when a newer version wrote it."""
    return _decoder.decode(body)


__all__ = [
    "Close", "Delegate", "Effect", "Lasting", "LookUp", "Perform", "Press", "Record", "Remember", "Reply", "Rouse", "Show",
    "Start", "Tally", "Tell", "Understand", "Wake", "pack", "unpack",
]  # fmt: skip
