"""What a message carries: words, a file, or something that cannot be taken. Pure."""

from __future__ import annotations

import mimetypes
import re
from dataclasses import dataclass

from telegram import Message

NO_EAR = "I cannot listen to that yet. Please type it, or send it as a document."
NO_STICKER = "Nice one. I only understand text, pictures and documents, though."
UNKNOWN = "I do not know what to do with that. I understand text, pictures and documents."

_COMMAND = re.compile(r"(/\w+)@\w+")


@dataclass(frozen=True)
class File:
    """A file as the platform announces it; its bytes are fetched by ``id``."""

    id: str
    name: str
    size: int
    media_type: str


def words(message: Message) -> str:
    """Return text or caption, commands without the bot's name, ``/start`` alone as ``/help``."""
    text = message.text or message.caption or ""
    if text.startswith("/"):
        text = _COMMAND.sub(r"\1", text, count=1)  # "/help@our_bot" is what some clients send
    return "/help" if text.strip() == "/start" else text


def file_of(message: Message) -> File | None:
    """Return the file a message carries, under a name without a path or anything unprintable."""
    if message.photo:
        photo = message.photo[-1]  # the last is the largest
        return File(photo.file_id, f"photo-{message.message_id}.jpg", photo.file_size or 0, "image/jpeg")
    for found, kind in ((message.document, "document"), (message.audio, "audio"), (message.video, "video")):
        if found is not None:
            guessed = mimetypes.guess_extension(found.mime_type or "") or ".bin"
            name = _clean_name(found.file_name or "") or f"{kind}-{message.message_id}{guessed}"
            return File(found.file_id, name, found.file_size or 0, found.mime_type or "application/octet-stream")
    return None


def _clean_name(name: str) -> str:
    bare = name.replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in bare if c.isprintable()).strip(". ")[:120]


def unheard(message: Message) -> str:
    """Return what to say about content that is neither text nor a file; nothing about Telegram's own notices."""
    if message.voice or message.video_note:
        return NO_EAR
    if message.sticker or message.dice or message.animation:
        return NO_STICKER
    return UNKNOWN if message.effective_attachment is not None or message.api_kwargs else ""
