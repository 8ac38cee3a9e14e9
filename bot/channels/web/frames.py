"""What goes over the console's socket. In: three kinds of frame, typed and bounded. Out: JSON with a ``type``.

In, from a page::

    {"type": "hello"}                                              → snapshot
    {"type": "home"}                                               → home
    {"type": "say", "id": UUID, "text": "...", "files": [...], "reply_to": "12.1"}  → ack | refused | not_written
    {"type": "press", "id": UUID, "handle": "...", "verb": "approve", ...}          → ack | refused | not_written

Out: ``snapshot``, ``home``, ``message``, ``card``, ``turn`` (somebody typed in another tab), ``tick`` (still here), and
the answers: ``ack`` (on disk), ``refused`` (it does not count; do not send again), ``not_written`` (nothing was kept;
the same frame may be sent again) and ``error`` (the frame made no sense).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from memory.events import Attachment, Json

TEXT_MAX = 20_000  # characters of one message; more than that is a file
FILES_MAX = 20  # files with one message
EDITS_MAX = 100  # fields of one card
FRAME_BYTES_MAX = 1_000_000  # an edit of a long letter fits; a film does not

EventId = Annotated[str, Meta(pattern=r"\A[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")]
"""A UUID that the page made: the same on every resend, so that a redelivery is one row."""


class UnreadableFrameError(Exception):
    """A frame that is no frame. ``event_id`` is the frame's own, when at least that could be read."""

    def __init__(self, reason: str, event_id: str = "") -> None:
        super().__init__(
            f"The page sent something that cannot be read ({reason}). Nothing was done. "
            "Reload the page; if it happens again, the page is older than the server or is not ours."
        )
        self.event_id = event_id


class Frame(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    """One thing a page says."""


class Hello(Frame, frozen=True, kw_only=True, tag="hello"):
    """Wants everything from the start."""


class Refresh(Frame, frozen=True, kw_only=True, tag="home"):
    """Wants the single pane anew."""


class Typed(Frame, frozen=True, kw_only=True, tag="say"):
    """The operator typed something."""

    id: EventId
    text: Annotated[str, Meta(max_length=TEXT_MAX)]
    files: Annotated[tuple[Attachment, ...], Meta(max_length=FILES_MAX)] = ()
    reply_to: Annotated[str, Meta(max_length=64)] = ""


class Press(Frame, frozen=True, kw_only=True, tag="press"):
    """The operator pressed a button."""

    id: EventId
    handle: Annotated[str, Meta(min_length=1, max_length=64)]
    verb: Literal[
        "approve", "reject", "edit", "snooze", "like", "undo", "arrived", "again", "drop", "agree", "disagree"
    ]
    reason: Annotated[str, Meta(max_length=2000)] = ""
    edits: Annotated[dict[Annotated[str, Meta(max_length=200)], str], Meta(max_length=EDITS_MAX)] | None = None
    until: Annotated[datetime, Meta(tz=True)] | None = None


_decoder: msgspec.json.Decoder[Hello | Refresh | Typed | Press] = msgspec.json.Decoder(Hello | Refresh | Typed | Press)
_id_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read(line: str | bytes) -> Hello | Refresh | Typed | Press:
    """Return the frame in a line of JSON.

    Raises:
        UnreadableFrameError: It is not one; the message is for the page to show.
    """
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise UnreadableFrameError(str(error)[:200], _id_of(line)) from error


def _id_of(line: str | bytes) -> str:
    """The id of a broken frame, so that the page knows which of its messages it was; empty when there is none."""
    try:
        return msgspec.json.decode(_id_decoder.decode(line)["id"], type=EventId)
    except (msgspec.DecodeError, UnicodeError, RecursionError, KeyError):
        return ""


def write(kind: str, **parts: Json) -> str:
    """Return a frame for the page. Dataclasses, facts and aware times are written as JSON; text stays text."""
    return msgspec.json.encode({"type": kind, **parts}).decode()


def plain(text: str) -> str:
    """The text without control characters, which no store and no screen wants; new lines and tabs stay."""
    return "".join(c for c in text.replace("\r\n", "\n") if c in "\n\t" or (c >= " " and c != "\x7f"))
