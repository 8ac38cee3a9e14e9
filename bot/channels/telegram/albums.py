"""Pictures and documents that were sent together: an update each, of one album. Pure.

By polling they are asked for together. A webhook gets the next one of a chat only after the one before was answered, and
that is answered once it is on disk: there each stays a message of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from telegram import Update


def album_of(update: Update) -> str:
    """Return what names the album an update belongs to; "" for everything sent alone."""
    message = update.message
    return f"{message.chat.id} {message.media_group_id}" if message is not None and message.media_group_id else ""


def albums(updates: Iterable[Update]) -> Iterator[list[Update]]:
    """Yield updates in their order, those of one album that follow each other together."""
    together: list[Update] = []
    for update in updates:
        if together and not (album_of(update) and album_of(update) == album_of(together[0])):
            yield together
            together = []
        together.append(update)
    if together:
        yield together
