"""A message as it goes out: addresses read strictly, headers that cannot be injected, a Message-ID that stays the same.

Pure but for the clock that is handed in: the same letter with the same key has the same Message-ID on every attempt,
which is how a copy is found again and how a receiver throws a second one away.

Source: RFC 5322 (format), RFC 6532 (unicode addresses), RFC 2047 (names), RFC 3834 (automatic mail).
"""

from __future__ import annotations

import hashlib
import mimetypes
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8

from connectors.base import Files, Json, RefusedError

SUBJECT_MAX = 255  # characters; far below the 998 bytes of a line once encoded
RECIPIENTS_MAX = 50  # of one message; more is a mailing, which wants another tool
BYTES_MAX = 25_000_000  # what most servers take, base64 included
REFERENCES_MAX = 40  # of a thread; the root and the newest are kept

AUTOMATIC = ("", "auto-generated", "auto-replied")
_ADDRESS = re.compile(r"(?:(?P<name>[^<>]*)<(?P<inner>[^<>]*)>|(?P<bare>[^<>]*))")
_SPEC = re.compile(r"[^\s<>()\[\]\\,;:@\"]+@(?P<domain>[^\s<>()\[\]\\,;:@\"]+)")
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,250}>")  # visible ASCII without the brackets
_DOMAIN = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")


@dataclass(frozen=True)
class Letter:
    """What is to be sent."""

    to: Sequence[str]
    subject: str
    body: str
    attachments: Sequence[Mapping[str, Json]] = ()
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    in_reply_to: str = ""
    references: Sequence[str] = ()
    automatic: str = ""  # of AUTOMATIC


@dataclass(frozen=True)
class Message:
    """What goes over the wire: the bytes, and an envelope that names everybody, the hidden ones too."""

    message_id: str
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    utf8: bool  # the server must speak SMTPUTF8


def address(text: str) -> Address:
    """Read exactly one address, ``a@b.example`` or ``Name <a@b.example>``.

    Raises:
        RefusedError: None, several, or one with invisible or control characters; nobody but the one shown may get it.
    """
    if any(unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} for letter in text):
        raise RefusedError(f"{text!r} holds invisible characters. Type the address anew.")
    match = _ADDRESS.fullmatch(text.strip())
    spec = (match["inner"] or match["bare"] or "").strip() if match else ""
    found = _SPEC.fullmatch(spec)
    if match is None or found is None:
        raise RefusedError(f"{text!r} is not one e-mail address, such as anna@acme.example.")
    local, _, domain = spec.rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode()
        if not _DOMAIN.fullmatch(ascii_domain):
            raise RefusedError(f"{text!r}: {domain!r} is not a domain, such as acme.example.")
        name = (match["name"] or "").strip().strip('"').strip()
        return Address(display_name=name, username=local, domain=ascii_domain)
    except (UnicodeError, HeaderParseError, ValueError, IndexError):
        raise RefusedError(f"{text!r} is not an e-mail address, such as anna@acme.example.") from None


def message_id(key: str, sender: str) -> str:
    """Return the Message-ID of an effect: the same key from the same sender is the same message, for ever."""
    digest = hashlib.sha256(f"{sender}\n{key}".encode()).hexdigest()[:32]
    return f"<{digest}@{sender.rpartition('@')[2] or 'localhost'}>"


def compose(letter: Letter, *, sender: str, key: str, at: datetime, files: Files) -> Message:
    """Build the message.

    Args:
        letter: What is to be sent.
        sender: The From address, with or without a name.
        key: Stable key of the effect; decides the Message-ID.
        at: The Date header.
        files: Where attachments are fetched by digest.

    Raises:
        RefusedError: A header, address or attachment cannot go out; nothing was sent.
    """
    from_ = address(sender)
    to, cc, bcc = ([address(each) for each in each_list] for each_list in (letter.to, letter.cc, letter.bcc))
    everybody = list(dict.fromkeys(each.addr_spec for each in (*to, *cc, *bcc)))
    if not to:
        raise RefusedError("The message has no recipient: name at least one address.")
    if len(everybody) > RECIPIENTS_MAX:
        raise RefusedError(f"The message has {len(everybody)} recipients; {RECIPIENTS_MAX} is the most.")
    _guard_automatic(letter.automatic, from_.addr_spec, everybody)
    utf8 = not all(spec.isascii() for spec in (*everybody, from_.addr_spec))
    # 7 bit throughout: it passes every server on the way, and no signature breaks by being re-encoded.
    mail = EmailMessage(policy=(SMTPUTF8 if utf8 else SMTP).clone(cte_type="7bit"))
    mail["From"] = from_
    mail["To"] = to
    if cc:
        mail["Cc"] = cc  # and never Bcc: those are in the envelope alone
    mail["Subject"] = _one_line(letter.subject, "The subject", SUBJECT_MAX)
    mail["Date"] = at
    own_id = message_id(key, from_.addr_spec)
    mail["Message-ID"] = own_id
    _thread(mail, letter)
    if letter.automatic:
        mail["Auto-Submitted"] = letter.automatic
    mail.set_content(_text(letter.body))
    for attachment in letter.attachments:
        _attach(mail, attachment, files)
    content = mail.as_bytes()
    if len(content) > BYTES_MAX:
        raise RefusedError(
            f"The message has {len(content) // 1_000_000} MB; {BYTES_MAX // 1_000_000} MB is the most servers take. "
            "Share the files by a link instead."
        )
    return Message(own_id, from_.addr_spec, tuple(everybody), content, utf8)


def _guard_automatic(automatic: str, sender: str, everybody: Sequence[str]) -> None:
    if automatic not in AUTOMATIC:
        raise RefusedError(f"{automatic!r} is no kind of automatic mail; it is one of {AUTOMATIC[1:]} or empty.")
    if automatic == "auto-replied" and sender.casefold() in {each.casefold() for each in everybody}:
        raise RefusedError("An automatic reply to ourselves would go round for ever, so it was not sent.")


def _thread(mail: EmailMessage, letter: Letter) -> None:
    ids = [*letter.references, *([letter.in_reply_to] if letter.in_reply_to else [])]
    for each in ids:
        if not _MESSAGE_ID.fullmatch(each):
            raise RefusedError(
                f"{each!r} is not a Message-ID such as <abc@acme.example>, so no thread can be named by it."
            )
    if letter.in_reply_to:
        mail["In-Reply-To"] = letter.in_reply_to
    chain = list(dict.fromkeys(ids))
    if len(chain) > REFERENCES_MAX:
        chain = [chain[0], *chain[1 - REFERENCES_MAX :]]
    if chain:
        mail["References"] = " ".join(chain)


def _one_line(text: str, what: str, longest: int) -> str:
    if any(unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} for letter in text):
        raise RefusedError(f"{what} must be one line without control characters, not {text!r}.")
    if len(text) > longest:
        raise RefusedError(f"{what} has {len(text)} characters; {longest} is the most.")
    return text


def _text(body: str) -> str:
    clean = body.replace("\r\n", "\n").replace("\r", "\n")
    if any(unicodedata.category(letter) in {"Cc", "Cs"} and letter not in "\n\t" for letter in clean):
        raise RefusedError("The text holds control characters, which mail cannot carry. Remove them.")
    return clean


def _attach(mail: EmailMessage, attachment: Mapping[str, Json], files: Files) -> None:
    name, digest = str(attachment.get("name", "")), str(attachment.get("sha256", ""))
    _one_line(name, "The name of an attachment", SUBJECT_MAX)
    if not name or "/" in name or "\\" in name:
        raise RefusedError(f"{name!r} is not a name for an attachment: give it one without a folder.")
    try:
        content = files.get(digest)
    except KeyError as gone:
        raise RefusedError(f"The attachment {name} is gone: {gone.args[0] if gone.args else digest}") from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise RefusedError(f"The attachment {name} is not the file that was on the card, so nothing was sent.")
    kind = str(attachment.get("media_type") or mimetypes.guess_type(name)[0] or "application/octet-stream")
    main, _, sub = kind.partition("/")
    if not re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", kind) or main in {"multipart", "message"}:
        main, sub = "application", "octet-stream"
    said = re.search(rb"(?m)^METHOD:([A-Z]+)\r?$", content) if kind == "text/calendar" else None
    # RFC 6047, 2.4: without it a mail program shows a file, and not an invitation to be answered.
    more = {"method": said[1].decode(), "charset": "utf-8"} if said else {}
    mail.add_attachment(content, maintype=main, subtype=sub, filename=name, params=more)
