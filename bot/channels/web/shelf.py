"""The console's files: served by digest, taken in from a drop. What came from outside runs nothing here."""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from bot.channels.base import Ear, RefusedPressError
from bot.channels.web import frames
from bot.channels.web.answers import problem, words
from bot.channels.web.window import Window
from memory.events import Attachment

FILE_BYTES_MAX = 25_000_000  # one dropped file; what mail providers commonly take
NAME_MAX = 120  # characters of a file name; longer ones are cut, the digest is what counts
DIGEST_DIGITS = 64  # SHA-256 in hex

UNKNOWN_TYPE = "application/octet-stream"
# Shown by the browser itself; everything else is handed over as a download that runs nothing.
INLINE_TYPES = {"application/pdf"}
KNOWN_TYPES = {
    "application/pdf", "application/xml", "text/plain", "text/csv", "text/calendar", "message/rfc822",
    "image/png", "image/jpeg", "image/gif", "image/webp", "application/zip",
}  # fmt: skip

# It reaches nothing and runs nothing, whatever it claims to be. Chromium's PDF viewer works inside this sandbox.
FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"


def served(window: Window, digest: str) -> web.Response:
    """Return a kept file: a PDF to look at, anything else to download."""
    if not _is_digest(digest):
        return problem(404, "Files are asked for by their SHA-256 in hex.")
    try:
        content, name, media_type = window.file(digest)
    except KeyError:
        return problem(404, "No file with this digest is kept here. It may have been forgotten at your request.")
    kind = media_type if media_type in KNOWN_TYPES else UNKNOWN_TYPE
    how = "inline" if kind in INLINE_TYPES else "attachment"
    return web.Response(
        body=content,
        headers={
            "Content-Type": kind,
            "Content-Disposition": f"{how}; filename*=UTF-8''{quote(file_name(name), safe='')}",
            "Content-Security-Policy": FILE_POLICY,
        },
    )


async def taken(request: web.Request, ear: Ear) -> web.Response:
    """Keep a dropped file and return how to name it in a message.

    Raises:
        NotWrittenError: It could not be kept.
    """
    too_large = problem(413, f"A file can have at most {FILE_BYTES_MAX // 1_000_000} MB.")
    if request.content_length is not None and request.content_length > FILE_BYTES_MAX:
        return too_large
    try:
        content = await request.read()
    except web.HTTPRequestEntityTooLarge:
        return too_large
    if not content:
        return problem(400, "The file is empty.")
    claimed = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    kind = claimed if claimed in KNOWN_TYPES else UNKNOWN_TYPE
    return words(frames.write("file", file=ear.keep(content, file_name(request.query.get("name", "")), kind)))


def checked(file: Attachment, ear: Ear) -> Attachment:
    """Return the file as we keep it: the page names it, the bytes and their size are ours.

    Raises:
        RefusedPressError: It is not kept here.
    """
    name = file_name(file.name)
    if not _is_digest(file.sha256):
        raise RefusedPressError(f"{name} is not a file that was dropped here. Drop it again.")
    kind = file.media_type if file.media_type in KNOWN_TYPES else UNKNOWN_TYPE
    try:
        size = len(ear.file(Attachment(name=name, sha256=file.sha256, size=file.size, media_type=kind)))
    except KeyError:
        raise RefusedPressError(f"{name} is no longer here. Drop it again.") from None
    return Attachment(name=name, sha256=file.sha256, size=size, media_type=kind)


def file_name(name: str) -> str:
    """A name without folders and without characters that hide or turn round what stands behind them."""
    base = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(c for c in base if c.isprintable()).strip(". ")[:NAME_MAX]
    return kept or "file"


def _is_digest(text: str) -> bool:
    return len(text) == DIGEST_DIGITS and all(c in "0123456789abcdef" for c in text)
