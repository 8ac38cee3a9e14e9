"""What the console looks through: read-only views of the house. Implemented on the database, by paper in tests.

Every method is called on the event loop and answers within milliseconds: what it returns is sent at once, so a page
can never be shown an older state after a newer one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.channels.base import Card, Home, Message
from memory.events import Attachment


@dataclass(frozen=True)
class Turn:
    """One thing in the conversation: words of the operator, a message, or a card as it is now.

    Attributes:
        seq: Rises through the conversation; what `Window.history` pages by.
        at: Aware UTC.
        who: ``"operator"`` (typed in the console), ``"soloist"``, or the channel it was said in (``"slack"``).
        task: The task it belongs to, so that its timeline is one press away; empty when there is none.
    """

    seq: int
    at: datetime
    who: str
    text: str = ""
    message: Message | None = None
    card: Card | None = None
    files: tuple[Attachment, ...] = ()
    task: str = ""


@dataclass(frozen=True)
class TaskLine:
    """One task in the list of tasks. ``state`` as in memory: ``"waiting"``, ``"done"``, ..."""

    id: str
    title: str
    state: str
    at: datetime


@dataclass(frozen=True)
class TimelineLine:
    """One thing that happened in a task. ``detail`` may be long or empty."""

    at: datetime
    who: str
    what: str
    detail: str = ""


class Window(Protocol):
    """Everything the console shows besides what is pushed to it."""

    def history(self, limit: int, before: int | None = None) -> Sequence[Turn]:
        """Return the newest ``limit`` turns (those with ``seq < before``), oldest first. A card appears once."""
        ...

    def home(self) -> Home:
        """Return the single pane."""
        ...

    def tasks(self, limit: int) -> Sequence[TaskLine]:
        """Return the tasks touched last, newest first."""
        ...

    def timeline(self, task_id: str) -> Sequence[TimelineLine]:
        """Return what happened in a task, oldest first; empty when there is no such task."""
        ...

    def file(self, sha256: str) -> tuple[bytes, str, str]:
        """Return a kept file's bytes, name and media type.

        Raises:
            KeyError: Nothing with this digest is kept.
        """
        ...
