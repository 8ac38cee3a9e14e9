"""Documents → records: PDF by page, Markdown by heading, text by paragraph, CSV by row, a mail archive by message.

Each record names its source, ``file:terms.pdf#page=2`` or ``file:notes.md#line=14``, so that an answer can be looked up.
An export of our own (``memory.jsonl``) comes back as the records it was::

    for record in read_document("terms.pdf", path.read_bytes(), at=now):
        ...
"""

from __future__ import annotations

import codecs
import csv
import email
import email.policy
import email.utils
import io
import json
import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import PurePath
from typing import Any

from memory.carry import NotOursError, read_record
from memory.events import Origin
from memory.recollection import Record

PART_MAX = 1200  # characters of one record: a few paragraphs; windows and neighbours give the rest
SIZE_MAX = 50_000_000  # bytes of one file
SEPARATORS = ",;\t|"  # between the columns of a table; the first where the headings hold none
PAGES_MAX, RECORDS_MAX = 2000, 200_000
KINDS = (".pdf", ".md", ".markdown", ".txt", ".text", ".csv", ".mbox", ".eml", ".jsonl")


class DocumentError(Exception):
    """A file cannot be read into memory; the message says why and what to do."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} was not read: {reason}")


def read_document(name: str, content: bytes, *, at: datetime, origin: Origin = Origin.OPERATOR) -> list[Record]:
    """Return what a file holds, in order.

    Args:
        name: Its file name; the ending says what it is.
        content: Its bytes.
        at: When it came, for what carries no time of its own.
        origin: Whose words it is; mail in an archive is always its sender's.

    Raises:
        DocumentError: Unknown kind, too large, damaged, or nothing in it.
    """
    if len(content) > SIZE_MAX:
        raise DocumentError(name, f"it has {len(content)} bytes, and {SIZE_MAX} is the most. Split it.")
    found: Iterable[tuple[str, str]]
    match PurePath(name).suffix.lower():
        case ".pdf":
            found = _pdf(name, content)
        case ".md" | ".markdown":
            found = _paragraphs(_text(name, content), headings=True)
        case ".txt" | ".text":
            found = _paragraphs(_text(name, content), headings=False)
        case ".csv":
            found = _rows(name, _text(name, content))
        case ".mbox" | ".eml":
            return _checked(name, list(_mails(name, content, at)))
        case ".jsonl":
            return _checked(name, _ours(name, content))
        case other:
            raise DocumentError(name, f"I do not read {other or 'files without an ending'}. I read {', '.join(KINDS)}.")
    return _checked(
        name,
        [
            Record(
                text,
                kind="document",
                thread=f"file:{name}",
                position=n,
                at=at,
                origin=origin,
                source=f"file:{name}#{where}",
            )
            for n, (where, text) in enumerate(found)
        ],
    )


def _checked(name: str, records: list[Record]) -> list[Record]:
    if not records:
        scanned = " A scanned page needs text recognition first." * name.lower().endswith(".pdf")
        raise DocumentError(name, f"there are no words in it.{scanned}")
    if len(records) > RECORDS_MAX:
        raise DocumentError(name, f"it would become {len(records)} records, and {RECORDS_MAX} is the most. Split it.")
    return records


def _text(name: str, content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # Excel's "Unicode text", and old notepads
        return content.decode("utf-16", errors="replace")
    if b"\0" in content[:4096]:
        raise DocumentError(name, "it holds no text, whatever its ending says.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _pdf(name: str, content: bytes) -> list[tuple[str, str]]:
    # Half a second of imports that most houses never need.
    from pypdf import PdfReader
    from pypdf.errors import DependencyError, PyPdfError

    # What it murmurs about a file ("EOF marker not found") names neither the file nor what to do: the error here does.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):  # many are locked against printing alone, with no password
            raise DocumentError(name, "the PDF is locked. Open it with its password, and print it to a new PDF.")
        if len(reader.pages) > PAGES_MAX:
            raise DocumentError(name, f"it has {len(reader.pages)} pages, and {PAGES_MAX} is the most.")
        pages = [page.extract_text() for page in reader.pages]
    except DependencyError as error:
        raise DocumentError(
            name, f"the PDF is locked in a way that I cannot read ({error}). Print it to a new PDF."
        ) from error
    except (PyPdfError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DocumentError(name, f"the PDF is damaged ({error}). Print it to a new PDF.") from error
    return [
        (f"page={number}", part)
        for number, page in enumerate(pages, 1)
        for part in _cut(re.sub(r"[ \t]+", " ", page).strip())
        if part
    ]


def _paragraphs(text: str, *, headings: bool) -> Iterator[tuple[str, str]]:
    """Yield (line, paragraph); in Markdown under the heading it stands below, so that it says what it is about."""
    heading = ""
    start, lines = 1, list[str]()
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if headings and line.startswith("#"):
            heading = line.lstrip("# ").strip()
            continue
        if line.strip():
            start = start if lines else number
            lines.append(line.strip())
            continue
        if lines:
            words = " ".join(lines)
            yield from ((f"line={start}", f"{heading}: {part}" if heading else part) for part in _cut(words))
        lines = []


def _rows(name: str, text: str) -> list[tuple[str, str]]:
    text, separator = _separator(text)
    try:
        reader = csv.DictReader(io.StringIO(text), delimiter=separator)
        return [
            (f"line={reader.line_num}", part)
            for row in reader
            for part in _cut("; ".join(f"{key}: {value}" for key, value in _cells(row)))
            if part
        ]
    except csv.Error as error:
        raise DocumentError(name, f"the table is damaged: {error}.") from error


def _separator(text: str) -> tuple[str, str]:
    """Return a table and what parts its columns: as its own ``sep=`` line says (Excel's), else what its headings hold most of."""
    head, _, rest = text.partition("\n")
    if said := re.fullmatch(r"sep=(.)", head.strip("\r"), re.IGNORECASE):
        return rest, said[1]
    plain = re.sub(r'"[^"]*"', "", head)
    return text, max(SEPARATORS, key=plain.count)


def _cells(row: dict[Any, Any]) -> Iterator[tuple[str, str]]:
    """Yield (heading, value) of what is filled in; a row may be longer than the headings."""
    more = row.pop(None, None) or []
    named = [*row.items(), *((f"column {number}", value) for number, value in enumerate(more, len(row) + 1))]
    yield from ((key, value) for key, value in named if key and isinstance(value, str) and value.strip())


def _mails(name: str, content: bytes, at: datetime) -> Iterator[Record]:
    parts = re.split(rb"(?m)^From (?=\S+ .*\d{4})[^\n]*\n", content) if name.lower().endswith(".mbox") else [content]
    for number, part in enumerate(part for part in parts if part.strip()):
        message = email.message_from_bytes(part, policy=email.policy.default)
        if not isinstance(message, EmailMessage):
            continue
        who, address = email.utils.parseaddr(str(message.get("From", "")))
        words = _body(message)
        subject = str(message.get("Subject", "")).strip()
        source = (
            f"mail:{str(message.get('Message-ID', '')).strip()}"
            if message.get("Message-ID")
            else f"file:{name}#mail={number + 1}"
        )
        for n, text in enumerate(_cut(f"{subject}\n{words}".strip())):
            yield Record(
                text, kind="message", speaker=who or address, author=address, origin=Origin.STRANGER,
                at=_when(message) or at, thread=f"mail:{_thread(subject)}", position=number * 100 + n, source=source,
            )  # fmt: skip


def _body(message: EmailMessage) -> str:
    part = message.get_body(("plain", "html"))
    if part is None:
        return ""
    with suppress(LookupError, ValueError, AttributeError):
        text = str(part.get_content())
        if part.get_content_type() == "text/html":
            text = re.sub(r"<[^>]+>", " ", re.sub(r"(?is)<(script|style).*?</\1>", " ", text))
        # What is quoted was said in an earlier mail, by somebody else.
        return "\n".join(line for line in text.splitlines() if not line.startswith(">")).strip()
    return ""


def _when(message: EmailMessage) -> datetime | None:
    with suppress(ValueError, TypeError):
        at = email.utils.parsedate_to_datetime(str(message.get("Date")))
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    return None


def _thread(subject: str) -> str:
    return re.sub(r"(?i)^(?:(?:re|fwd?|aw|wg)\s*:\s*)+", "", subject).strip().lower()


def _ours(name: str, content: bytes) -> list[Record]:
    records = []
    for number, line in enumerate(_text(name, content).splitlines(), 1):
        if not line.strip():
            continue
        try:
            records.append(read_record(json.loads(line)))
        except (ValueError, TypeError, KeyError, NotOursError) as error:
            raise DocumentError(name, f"line {number} is no record of an export ({error}).") from error
    return records


def _cut(words: str) -> Iterator[str]:
    """Yield pieces of at most `PART_MAX` characters, cut between sentences or words."""
    words, start = words.strip(), 0
    # By position: cutting the piece off the rest would copy the whole rest for each piece, and hold up the house.
    while len(words) - start > PART_MAX:
        last = start + PART_MAX
        end = max(words.rfind(". ", start, last) + 1, words.rfind("\n", start, last))
        if end < start + PART_MAX // 2:
            end = max(words.rfind(" ", start, last), start + PART_MAX // 2)
        yield words[start:end].strip()
        start = end
        while start < len(words) and words[start].isspace():
            start += 1
    if start < len(words):
        yield words[start:]
