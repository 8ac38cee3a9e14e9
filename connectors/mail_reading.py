"""A message as it came in: bytes → facts. Pure, and never raises: a message nobody can read is still a message.

What is read here is material. The From line can be forged, the text can say anything; only the server's envelope and
our own Message-IDs are worth something, and even those only as evidence.

Source: RFC 5322 (format), RFC 3834 (automatic mail), RFC 2919 and 2369 (lists), RFC 3464 (bounces).
"""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from email.utils import getaddresses, parsedate_to_datetime
from typing import TypeVar

from connectors import mail_reports, web_text
from connectors.base import Json, RefusedError

TEXT_MAX = 200_000  # characters kept of a body
PARTS_MAX = 60  # of one message; beyond that it is an attack on whoever reads it
PEOPLE_MAX = 200
HEADER_MAX = 2_000  # characters of one value
RAW_MAX = 20_000  # characters of one line, before it is taken apart
REFERENCES_MAX = 100

T = TypeVar("T")

_MEANT = {
    "us-ascii": "", "ascii": "", "iso-8859-1": "cp1252", "latin-1": "cp1252", "latin1": "cp1252", "gb2312": "gb18030",
    "gbk": "gb18030", "ks_c_5601-1987": "cp949", "euc-kr": "cp949", "shift_jis": "cp932",
}  # fmt: skip
"""What programs mean by a charset's name, as browsers read it (https://encoding.spec.whatwg.org/#names-and-labels)."""
_NO_CHARSETS = frozenset({"punycode", "idna", "unicode_escape", "raw_unicode_escape"})
"""What Python would take for one, and no mail program does."""


@dataclass(frozen=True)
class Part:
    """An attachment as it came."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Letter:
    """What a message says about itself, and its text."""

    facts: dict[str, Json]
    text: str
    parts: tuple[Part, ...]
    fingerprint: str  # of sender, date, subject and content: the same for two deliveries of one message


def read(raw: bytes, *, ours: Collection[str] = (), whole: bool = True) -> Letter:
    """Read a message.

    Args:
        raw: As the server gave it.
        ours: Our own addresses, lower case.
        whole: False when only the headers were fetched because it was too large.

    Returns:
        ``facts``: message_id, from {"name", "address"}, reply_to, to, cc, subject, date, in_reply_to, references,
        thread (the Message-ID it began with), auto_submitted, automatic, list, bulk, bounce, bounced (the
        Message-ID it is about), undelivered and answer (see `mail_reports`), from_ourselves, whole.
    """
    mail = BytesParser(_class=EmailMessage, policy=default).parsebytes(raw)
    sender = next(iter(_people(mail, "From")), {"name": "", "address": ""})
    message_id, in_reply_to = _ids(mail, "Message-ID")[:1], _ids(mail, "In-Reply-To")[:1]
    references = _ids(mail, "References")[-REFERENCES_MAX:]
    text, parts, cut = _content(mail) if whole else ("", (), False)
    facts: dict[str, Json] = {
        "message_id": "".join(message_id),
        "from": sender,
        "reply_to": _people(mail, "Reply-To"),
        "to": _people(mail, "To"),
        "cc": _people(mail, "Cc"),
        "subject": _header(mail, "Subject"),
        "date": _date(mail),
        "in_reply_to": "".join(in_reply_to),
        "references": references,
        "thread": next(iter([*references, *in_reply_to, *message_id]), ""),
        **_guards(mail, sender["address"]),
        "bounced": _bounced(mail),
        "undelivered": _try(lambda: mail_reports.undelivered(_walked(mail)), []),
        "answer": _try(lambda: mail_reports.answer(_walked(mail)), dict[str, Json]()),
        "from_ourselves": sender["address"].lower() in ours,
        "whole": whole and not cut,
    }
    said = "\n".join((sender["address"], _header(mail, "Date"), _header(mail, "Subject"), text[:TEXT_MAX]))
    digest = hashlib.sha256(said.encode(errors="replace"))
    for part in parts:
        digest.update(part.content)
    return Letter(facts, text, parts, digest.hexdigest()[:16])


def _guards(mail: EmailMessage, sender: str) -> dict[str, Json]:
    """The facts of RFC 3834 that say whether a machine wrote this; who answers machines talks to himself for ever."""
    submitted = _header(mail, "Auto-Submitted").lower().partition(";")[0].strip()
    precedence = _header(mail, "Precedence").lower()
    listed = any(_header(mail, name) for name in ("List-Id", "List-Post", "List-Unsubscribe"))
    bulk = precedence in {"bulk", "list", "junk"} or bool(_header(mail, "Feedback-ID"))
    null_sender = _header(mail, "Return-Path").strip() == "<>"
    bounce = null_sender or bool(re.match(r"(?i)(mailer-daemon|postmaster)@", sender))
    bounce = bounce or _try(mail.get_content_type, "") == "multipart/report"
    robot = bool(re.match(r"(?i)(no-?reply|do-?not-?reply|bounces?|notifications?)\b", sender))
    away = any(_header(mail, name) for name in ("X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress"))
    return {
        "auto_submitted": submitted,
        "list": listed,
        "bulk": bulk,
        "bounce": bounce,
        "automatic": submitted not in {"", "no"} or listed or bulk or bounce or robot or away,
    }


def _bounced(mail: EmailMessage) -> str:
    """Return the Message-ID of the message that a bounce says it is about, as far as the bounce can be believed."""
    if _try(mail.get_content_type, "") != "multipart/report":
        return ""
    inside: list[bytes] = []
    for part in _walked(mail):
        kind = _try(part.get_content_type, "")
        if kind in {"message/rfc822", "text/rfc822-headers"}:
            inside += re.findall(rb"(?im)^message-id:\s*(<[^\s<>]{1,250}>)", _bytes(part))[:1]
    return inside[0].decode("ascii", "replace") if inside else ""


def _walked(mail: EmailMessage) -> list[EmailMessage]:
    """Return its parts, as many as are looked at."""
    walked: list[EmailMessage] = _try(lambda: list(mail.walk()), [])
    return walked[:PARTS_MAX]


def _try(look: Callable[[], T], otherwise: T) -> T:
    """Strangers' mail breaks the parser in ways nobody can list; one bad header must not hide the rest."""
    try:
        return look()
    except Exception:  # noqa: BLE001 - the standard library raises IndexError, AttributeError, LookupError and more here
        return otherwise


def _raw(mail: EmailMessage, name: str) -> list[str]:
    """The header's lines as they came, unfolded. The library's own parsing mangles long ones and takes its time."""
    lines: list[str] = _try(lambda: [str(value) for key, value in mail.raw_items() if key.lower() == name.lower()], [])
    cut = [line[:RAW_MAX] for line in lines[:PARTS_MAX]]
    utf8 = [_text(line.encode("utf-8", "surrogateescape")) for line in cut]
    return [re.sub(r"\s+", " ", line).strip() for line in utf8]


def _decoded(text: str) -> str:
    words = _try(lambda: str(make_header(decode_header(text))), text) if "=?" in text else text
    return _clean(words)


def _header(mail: EmailMessage, name: str) -> str:
    return _decoded(next(iter(_raw(mail, name)), ""))


def _people(mail: EmailMessage, name: str) -> list[dict[str, str]]:
    found: list[tuple[str, str]] = _try(lambda: getaddresses(_raw(mail, name)), [])
    return [{"name": _decoded(who), "address": _clean(spec)} for who, spec in found[:PEOPLE_MAX] if "@" in spec]


def _clean(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f]", "", text.encode(errors="replace").decode())[:HEADER_MAX]


def _ids(mail: EmailMessage, name: str) -> list[str]:
    return re.findall(r"<[^\s<>]{1,250}>", " ".join(_raw(mail, name)))


def _date(mail: EmailMessage) -> str:
    when = _try(lambda: parsedate_to_datetime(_header(mail, "Date")), None)
    if when is None:
        return ""
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return _try(lambda: aware.astimezone(UTC).isoformat(), "")


def _content(mail: EmailMessage) -> tuple[str, tuple[Part, ...], bool]:
    plain: list[str] = []
    rich: list[str] = []
    parts: list[Part] = []
    walked: list[EmailMessage] = _try(lambda: list(mail.walk()), [])
    for part in walked[:PARTS_MAX]:
        kind = _try(part.get_content_type, "application/octet-stream")
        name = _try(part.get_filename, None)
        attached = name is not None or _try(part.get_content_disposition, None) == "attachment"
        if kind.startswith("multipart/"):
            continue
        if not attached and kind == "text/plain":
            plain.append(_words(part))
        elif not attached and kind == "text/html":
            rich.append(_words(part))
        else:
            content = _bytes(part)
            if content:
                parts.append(Part(_clean(name or kind.replace("/", "."))[:200], kind, content))
    text = "\n".join(plain) if any(each.strip() for each in plain) else _without_markup("\n".join(rich))
    cut = len(text) > TEXT_MAX or len(walked) > PARTS_MAX
    return text[:TEXT_MAX], tuple(parts), cut


def _bytes(part: EmailMessage) -> bytes:
    payload = _try(lambda: part.get_payload(decode=True), None)
    if isinstance(payload, bytes):
        return payload
    return _try(lambda: b"".join(each.as_bytes() for each in part.get_payload()), b"")  # type: ignore[union-attr]


def _words(part: EmailMessage) -> str:
    charset = _try(lambda: part.get_content_charset() or "", "")
    return _text(_bytes(part), charset).replace("\r\n", "\n").replace("\x00", "")


def _text(raw: bytes, charset: str = "") -> str:
    """Return bytes as text. Where no charset is named, or none that fits, they are UTF-8 if they can be, else Windows'."""
    named = _MEANT.get(charset.lower(), charset)
    if _try(lambda: codecs.lookup(named).name, "") in _NO_CHARSETS:
        named = ""
    for each in (named, "utf-8"):
        with contextlib.suppress(LookupError, ValueError):
            if each:
                return raw.decode(each)
    # A few broken letters in what is otherwise its charset are no reason to read it as another.
    broken = _try(lambda: raw.decode(named, "replace"), "")
    return broken if broken.count("\ufffd") * 20 < len(broken) else raw.decode("cp1252", "replace")


def _without_markup(html: str) -> str:
    """Return what a person would read of HTML: what is hidden from people may be meant for a machine."""
    if not html.strip():
        return ""
    try:
        return web_text.page(html[: TEXT_MAX * 5].encode(errors="replace"), "utf-8")[1]
    except RefusedError:
        return ""
