"""What a channel is, and the neutral things it shows.

A channel turns a platform's payloads into calls of `Ear`, and `Message` and `Card` into the platform's own shapes.
It decides nothing. A third channel is one file: three methods and a loop.

What every channel owes:

- It acknowledges to the platform only after the `Ear` call has returned: by then the input is on disk. When the call
  raises `NotWrittenError`, it does not acknowledge (HTTP: 503), so that the platform sends again.
- It passes on the platform's stable event id. A redelivery is then one row, whatever the platform does.
- It shows a card whole. When recipients, amount or attachments cannot be in full view in one message, it splits, and
  puts the buttons under the last part.
- Link previews are off on every send.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

from connectors.base import Role
from memory.events import Actor, Attachment, Place


@dataclass(frozen=True)
class Row:
    """One fact on a card. ``vital`` rows (recipients, amount, attachments) may be split, never shortened."""

    label: str
    value: str
    role: Role = Role.DETAIL
    vital: bool = False
    mark: str = ""  # "NEW" behind a recipient nobody has written to


@dataclass(frozen=True)
class Button:
    """What can be pressed. ``handle`` is what the platform carries: a locator of at most 40 bytes, never authority."""

    label: str
    verb: str  # approve | reject | edit | snooze | like | undo | arrived | again | drop | agree | disagree | say
    handle: str
    style: Literal["", "primary", "danger"] = ""
    confirm: str = ""  # asked again by the platform before it counts
    text: str = ""  # for verb "say": what it types
    until: datetime | None = None  # it stands until then (an undo window); a channel that can counts down


@dataclass(frozen=True)
class EditField:
    """A field the operator may change on a card."""

    name: str  # "mail.send.body": call and argument
    label: str
    value: str
    long: bool = False


@dataclass(frozen=True)
class Card:
    """One approval as every channel shows it, rendered by code from the canonical action.

    Attributes:
        id: ``"12.1"``; what the operator types in ``approve 12.1``.
        rows: The facts, in the order of reading.
        body: The long text that would go out, whole.
        note: The agent's words. Shown below the facts and labelled as the agent's.
        changes: What differs from the revision before.
        footer: Which rule asked; the point of no return; when it runs out.
        outcome: One sentence once it is settled; then there are no buttons.
        undo: A button that may stand beside the outcome while the undo window is open.
    """

    id: str
    revision: int
    title: str
    state: Literal["pending", "approved", "denied", "expired", "cancelled", "superseded", "snoozed", "shadow"]
    rows: tuple[Row, ...] = ()
    body: str = ""
    note: str = ""
    warnings: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    confidence_pct: int = 0
    files: tuple[Attachment, ...] = ()
    footer: tuple[str, ...] = ()
    buttons: tuple[Button, ...] = ()
    fields: tuple[EditField, ...] = ()
    reject_reasons: tuple[str, ...] = ()
    outcome: str = ""
    kind: Literal["approval", "unknown", "shadow", "stuck"] = "approval"


@dataclass(frozen=True)
class Message:
    """Something to say. ``text`` is plain; a channel escapes it. Lines starting with "- " may become bullets."""

    id: str
    text: str
    kind: Literal["answer", "receipt", "question", "problem", "digest", "notice"] = "answer"
    buttons: tuple[Button, ...] = ()
    files: tuple[Attachment, ...] = ()
    reply_to: str = ""  # the platform's id of the message this answers
    instead: str = ""  # the reference of what stands there and is edited to say this, also after a restart


def is_heading(lines: Sequence[str], at: int) -> bool:
    """Whether a line of a digest heads others: the first one, and each above a line that starts with "- "."""
    below = lines[at + 1] if at + 1 < len(lines) else ""
    return bool(lines[at].strip()) and not lines[at].startswith("- ") and (at == 0 or below.startswith("- "))


def is_letter(message: Message) -> bool:
    """Whether words are set like a letter: the digest, and what has a title of its own and two sections or more."""
    lines = message.text.split("\n")
    sections = sum(is_heading(lines, at) for at in range(1, len(lines)))
    return message.kind == "digest" or (message.kind == "answer" and lines[1:2] == [""] and sections > 1)


def because(reasons: Sequence[str]) -> str:
    """Return reasons as one line: each a sentence, or a part of one."""
    return " ".join(reason if reason.endswith((".", "!", "?")) else f"{reason}." for reason in reasons)


FIRST_COUNTS = "I go by the first version of a message. Please send the new one as a message of its own."
"""Told to whoever changes a message after it was sent: it is heard once, as it was."""


class NotWrittenError(Exception):
    """The input could not be put on disk. Do not acknowledge it: the platform must send again."""


class RefusedPressError(Exception):
    """The press or message does not count; the message is what to tell whoever pressed."""


class Ear(Protocol):
    """The one door for everything people do. Each method returns once it is on disk.

    ``event_id`` is the platform's own, unique within (platform, account); the second time it is a no-op.
    """

    async def heard(
        self,
        event_id: str,
        text: str,
        actor: Actor,
        place: Place,
        *,
        files: tuple[Attachment, ...] = (),
        reply_to: str = "",
    ) -> str:
        """Take in a message; returns the task's id (the same one for a redelivery).

        Raises:
            NotWrittenError: Nothing was kept; do not acknowledge.
            RefusedPressError: The speaker is not somebody this house answers to.
        """
        ...

    async def pressed(
        self,
        event_id: str,
        handle: str,
        verb: str,
        actor: Actor,
        place: Place,
        *,
        reason: str = "",
        edits: dict[str, Any] | None = None,
        until: datetime | None = None,
    ) -> str:
        """Take in a button; returns one sentence for whoever pressed ("Approved.", "Anna approved this at 09:12.").

        Raises:
            NotWrittenError: as above.
            RefusedPressError: unknown handle, or not somebody who may press. The card is still pending.
        """
        ...

    def card(self, card_id: str) -> Card | None:
        """Return the card as it is now, e.g. to open an edit form."""
        ...

    def card_of(self, channel: str, conversation: str, ref: str) -> str | None:
        """Return the id of the card that this message shows, for platforms where one replies to a card."""
        ...

    def file(self, attachment: Attachment) -> bytes:
        """Return a file's bytes."""
        ...

    def keep(self, content: bytes, name: str, media_type: str) -> Attachment:
        """Keep bytes that arrived with a message."""
        ...


@dataclass(frozen=True)
class Home:
    """What App Home and the console's side panel show: the single pane."""

    waiting: tuple[Card, ...] = ()
    stuck: tuple[str, ...] = ()
    money: tuple[str, ...] = ()
    budget: tuple[str, ...] = ()
    next: tuple[str, ...] = ()
    paused: tuple[str, ...] = ()


class UndeliverableError(Exception):
    """The platform will not take it now; ``retry_after_s`` when it said when. Kept, and tried again later."""

    def __init__(self, message: str, retry_after_s: float | None = None, *, forever: bool = False) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.forever = forever  # it will never take it (chat gone, message deleted)


@runtime_checkable
class Onlooker(Protocol):
    """A channel that also shows what was said elsewhere, as the console does. Nothing is owed to it."""

    async def overhear(self, task: str, text: str, files: tuple[Attachment, ...], place: Place) -> None:
        """Show words that somebody said in another channel."""
        ...


@runtime_checkable
class Finder(Protocol):
    """A channel that can look for words of ours whose sending was begun, and was never written down as done."""

    async def find(self, place: Place, message: Message, apart: Collection[str]) -> str:
        """Return the reference of a message as `Channel.say` would, "" when it does not stand there.

        Args:
            place: Where; ``message`` is what was written there before it, where that is known.
            message: Its id and, where it is found by its words, what it says from now on.
            apart: References of what stands there and is something else.

        Raises:
            UndeliverableError: not now.
        """
        ...


class Channel(Protocol):
    """A place where the operator is.

    One whose messages can be edited says how often, in seconds, as ``edit_every_s``: then the operator can watch a model
    write (`bot.writing`). Without it there is nothing to watch.
    """

    name: str

    async def say(self, place: Place, message: Message) -> str:
        """Show words and files; return the platform's reference of what now stands there.

        Raises:
            UndeliverableError: not now.
        """
        ...

    async def ask(self, place: Place, card: Card) -> str:
        """Show a card with its buttons; return its reference. Called again for a new revision."""
        ...

    async def settle(self, place: Place, ref: str, card: Card) -> None:
        """Make the copy at ``ref`` show the card as it is now. Doing it twice changes nothing."""
        ...

    def home(self) -> Place | None:
        """Return where the operator is reached when nobody has spoken first (a DM), or None when unknown yet."""
        ...

    async def run(self, ear: Ear) -> None:
        """Listen until cancelled. Comes back by itself after the platform or the network was gone."""
        ...
