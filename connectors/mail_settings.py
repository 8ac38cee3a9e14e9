"""How the operator wants mail sent and read: the settings, and what they come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connectors import oauth
from connectors.base import RefusedError, Setting, Workshop
from connectors.mail_delivery import Server
from connectors.mail_folders import Account
from connectors.mail_message import address
from connectors.oauth import Bearer

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

SETTINGS = (
    Setting("SMTP_HOST", "Mail server for sending, from your provider; empty: messages land in the outbox folder"),
    Setting("SMTP_PORT", "Its port: 587 for starttls, 465 for tls", default="587"),
    Setting("SMTP_SECURITY", "starttls, tls, or none (only for a server on this machine)", default="starttls"),
    Setting("SMTP_USER", "Login for sending, often the whole address"),
    Setting("SMTP_PASSWORD", "Its password; most providers want an app password", secret=True),
    Setting("MAIL_FROM", "The address your mail comes from: Anna Berg <anna@berg.example>"),
    Setting("IMAP_HOST", "Mail server for reading; empty: no mail comes in, and Sent cannot be looked at"),
    Setting("IMAP_PORT", "Its port: 993 for tls, 143 for starttls", default="993"),
    Setting("IMAP_SECURITY", "tls, starttls, or none (only for a server on this machine)", default="tls"),
    Setting("IMAP_USER", "Login for reading; empty: as SMTP_USER"),
    Setting("IMAP_PASSWORD", "Its password; empty: as SMTP_PASSWORD", secret=True),
    Setting("IMAP_FOLDERS", "Folders to read, separated by commas; the first is watched", default="INBOX"),
    Setting("IMAP_SENT", "The folder of sent mail", default="Sent"),
    Setting("IMAP_DRAFTS", "The folder of drafts", default="Drafts"),
    Setting("IMAP_FILES_SENT", "yes if the provider files sent mail by itself, as Gmail does", default="no"),
    *oauth.settings("MAIL", "sending and reading mail"),
)


@dataclass(frozen=True)
class Wanted:
    """Settings that make sense together."""

    sender: str
    server: Server | None  # None: messages land in the outbox folder
    box: Account | None  # None: no mail comes in
    bearer: Bearer | None


def read(values: Mapping[str, str], workshop: Workshop) -> Wanted:
    """Return what the settings come to.

    Raises:
        RefusedError: One makes no sense, or would send a password in the clear.
    """
    host = values["SMTP_HOST"].strip()
    sender = values["MAIL_FROM"].strip() or (values["SMTP_USER"] if "@" in values["SMTP_USER"] else "")
    if host and not sender:
        raise RefusedError("SMTP_HOST is set, but not whom the mail comes from: set MAIL_FROM.")
    address(sender or "you@localhost")
    server = box = None
    bearer = Bearer.of("MAIL", values, workshop)
    right = "a token" if bearer else ""
    if host:
        security = _security("SMTP", values, host, values["SMTP_PASSWORD"] or right)
        user, password = values["SMTP_USER"], values["SMTP_PASSWORD"]
        server = Server(host, _port("SMTP", values), security, user, password, bearer=bearer)
    if at := values["IMAP_HOST"].strip():
        password = values["IMAP_PASSWORD"] or values["SMTP_PASSWORD"]
        box = Account(
            host=at,
            port=_port("IMAP", values),
            security=_security("IMAP", values, at, password or right),
            user=values["IMAP_USER"] or values["SMTP_USER"],
            password=password,
            folders=tuple(each.strip() for each in values["IMAP_FOLDERS"].split(",") if each.strip()) or ("INBOX",),
            sent=values["IMAP_SENT"],
            drafts=values["IMAP_DRAFTS"],
            server_files_sent=values["IMAP_FILES_SENT"].strip().lower() in {"yes", "true", "1"},
            bearer=bearer,
        )
    return Wanted(sender or "you@localhost", server, box, bearer)


def _port(prefix: str, values: Mapping[str, str]) -> int:
    text = values[f"{prefix}_PORT"].strip()
    if not text.isdigit() or not 0 < int(text) < 65_536:  # noqa: PLR2004 - ports
        raise RefusedError(f"{prefix}_PORT is {text!r}; it is a number such as 587 or 993.")
    return int(text)


def _security(prefix: str, values: Mapping[str, str], host: str, password: str) -> str:
    security = values[f"{prefix}_SECURITY"].strip().lower()
    if security not in {"starttls", "tls", "none"}:
        raise RefusedError(f"{prefix}_SECURITY is {security!r}; it is starttls, tls or none.")
    if security == "none" and password and host not in LOOPBACK:
        raise RefusedError(
            f"{prefix}_SECURITY is none: the login would go to {host} in the clear. Use starttls or tls."
        )
    return security
