"""The IMAP side: finding and filing our own copies, and following a folder without missing or repeating a message.

imap-tools blocks, so each connection has a thread of its own. Nothing here marks a message read.

Where we are in a folder is kept in ``<home>/mail/seen-*.json`` and moves only after a message is safely delivered.
When the server renumbers a folder (UIDVALIDITY changes, RFC 3501, 2.3.1.1), everything since the day before the last
message is delivered again; the inbox knows those by their event id.

Source: RFC 3501 (IMAP), RFC 2177 (IDLE); imap-tools 1.16.
"""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
import io
import json
import re
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from imap_tools import BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted
from imap_tools.errors import ImapToolsError, MailboxLoginError

from connectors.base import ConnectorError, Health, RefusedError, TryLaterError
from connectors.client import Redactor
from connectors.durable import write_whole
from connectors.oauth import Bearer, oauthbearer

IDLE_S = 240.0  # RFC 2177 allows 29 minutes; many routers forget a quiet connection after five
POLL_S = 60.0  # for the few servers that have no IDLE
TIMEOUT_S = 30.0
BYTES_MAX = 30_000_000  # of one message; of a larger one only the headers are read

T = TypeVar("T")


@dataclass(frozen=True)
class Account:
    """Where our mail lies."""

    host: str
    port: int
    security: str  # "tls" | "starttls" | "none"
    user: str
    password: str
    folders: tuple[str, ...] = ("INBOX",)  # the first is watched, the others are looked into
    sent: str = "Sent"
    drafts: str = "Drafts"
    server_files_sent: bool = False  # Gmail and Exchange put a copy into Sent themselves
    bearer: Bearer | None = None  # logs in with an access token (XOAUTH2, OAUTHBEARER) instead of the password

    def __repr__(self) -> str:
        """Without the password."""
        return f"Account({self.user}@{self.host}:{self.port})"

    def redact(self, text: str) -> str:
        """Return a server's words without what logs us in."""
        text = Redactor([self.password])(text)
        return self.bearer.redact(text) if self.bearer else text


@dataclass(frozen=True)
class Arrived:
    """A message the folder did not have before."""

    folder: str
    uid: int
    raw: bytes
    whole: bool  # False: too large, only its headers were read


@dataclass(frozen=True)
class Seen:
    """How far a folder has been read."""

    validity: int
    uid: int
    day: date


class Line:
    """One connection and the one thread that uses it."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="imap")
        self._box: BaseMailBox | None = None

    async def open(self) -> None:
        """Connect and log in."""
        bearer = self._account.bearer
        if bearer is None:
            await self._run(self._connect)
            await self._run(self._log_in)
            return
        token = await bearer.token()
        try:
            await self._show(token)
        except RefusedError:
            # A token may end before its time; with a new one, a second no is a no. A server may hang up on the first.
            self._thread.submit(self._close)
            await self._show(await bearer.token(refused=token))

    async def run(self, work: Callable[[BaseMailBox], T]) -> T:
        """Do something with the mailbox; errors come out as ours."""
        box = self._box
        assert box is not None
        return await self._run(lambda: work(box))

    def cut(self) -> None:
        """End it without a farewell. A thread that waits on the socket wakes up, and closes it only then.

        Closing it from here would free its number for another socket while the thread still waits on that number.
        """
        if self._box is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self._box.client.sock, socket.SHUT_RDWR)
        self._thread.submit(self._close)
        self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[], T]) -> T:
        with _translated(self._account):
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _show(self, token: str) -> None:
        await self._run(self._connect)
        await self._run(lambda: self._show_token(token))

    def _connect(self) -> None:
        account = self._account
        if account.security == "tls":
            self._box = MailBox(account.host, account.port, TIMEOUT_S, ssl_context=ssl.create_default_context())
        elif account.security == "starttls":
            self._box = MailBoxStartTls(account.host, account.port, TIMEOUT_S, ssl_context=ssl.create_default_context())
        else:
            self._box = MailBoxUnencrypted(account.host, account.port, TIMEOUT_S)

    def _log_in(self) -> None:
        assert self._box is not None
        self._box.login(self._account.user, self._account.password, initial_folder=None)

    def _show_token(self, token: str) -> None:
        assert self._box is not None
        account, box = self._account, self._box
        try:
            if "AUTH=XOAUTH2" in box.client.capabilities:
                box.xoauth2(account.user, token, initial_folder=None)
            elif "AUTH=OAUTHBEARER" in box.client.capabilities:
                said = oauthbearer(account.user, account.host, account.port, token)
                # A second challenge is the server's reason for its no; one byte ends it (RFC 7628, 3.2.3).
                box.client.authenticate("OAUTHBEARER", lambda challenge: b"\x01" if challenge else said)
            else:
                raise MailboxLoginError(("NO", [b"it takes no OAuth 2 login (XOAUTH2, OAUTHBEARER)"]), "OK")
        except imaplib.IMAP4.error as error:
            raise MailboxLoginError(("NO", [str(error).encode()]), "OK") from None

    def _close(self) -> None:
        if self._box is not None:
            with contextlib.suppress(OSError):
                self._box.client.shutdown()


@asynccontextmanager
async def opened(account: Account) -> AsyncIterator[Line]:
    """Log in, and cut the connection on the way out.

    Raises:
        RefusedError: The login is wrong, or the certificate is.
        TryLaterError: The server cannot be reached.
    """
    line = Line(account)
    try:
        await line.open()
        yield line
    finally:
        line.cut()


async def holds(account: Account, folder: str, message_id: str) -> bool:
    """Return whether a folder has a message with exactly this Message-ID."""
    async with opened(account) as line:
        return bool(await line.run(lambda box: _uids_of(box, folder, message_id)))


async def file(account: Account, folder: str, content: bytes, *, draft: bool = False) -> None:
    """Put a message into a folder, marked as read (and as a draft)."""
    flags = r"(\Seen \Draft)" if draft else r"(\Seen)"
    async with opened(account) as line:
        await line.run(lambda box: _said_ok(box.client.append(_quoted(folder), flags, "", content)))


async def remove(account: Account, folder: str, message_id: str) -> int:
    """Delete the messages with exactly this Message-ID from a folder; return how many there were."""

    def work(box: BaseMailBox) -> int:
        uids = _uids_of(box, folder, message_id)
        if uids:
            box.delete(uids)
        return len(uids)

    async with opened(account) as line:
        return await line.run(work)


async def look(account: Account) -> Health:
    """Return whether we can log in and find the folders; changes nothing."""
    try:
        async with opened(account) as line:
            there = await line.run(lambda box: {each.name for each in box.folder.list()})
    except ConnectorError as error:
        return Health(ok=False, text=str(error), remedy="Check IMAP_HOST, IMAP_PORT, IMAP_USER and IMAP_PASSWORD.")
    missing = [name for name in (*account.folders, account.sent, account.drafts) if name not in there]
    if missing:
        return Health(
            ok=False,
            text=f"{account.host} has no folder {', '.join(missing)}; it has {', '.join(sorted(there))}.",
            remedy="Set IMAP_FOLDERS, IMAP_SENT and IMAP_DRAFTS to names it has.",
        )
    return Health(ok=True, text=f"Logged in to {account.host} as {account.user}.")


async def arrivals(account: Account, bookmark: Bookmark, today: Callable[[], date]) -> AsyncGenerator[Arrived, None]:
    """Yield every new message of the watched folders, for ever; asking for the next one says that the last is safe.

    Raises:
        ConnectorError: The connection is gone; begin again, nothing is missed.
    """
    async with opened(account) as line:
        while True:
            # The watched folder comes last and stays selected: what arrives from here on wakes us.
            for folder in (*account.folders[1:], account.folders[0]):
                async for arrived in _new(line, folder, bookmark, today):
                    yield arrived
            await line.run(_wait)


class Bookmark:
    """How far each folder has been read, on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, folder: str) -> Seen | None:
        """Return the place in a folder, or None when it was never read (or the note cannot be read)."""
        note = self._notes().get(folder)
        try:
            return Seen(int(note["validity"]), int(note["uid"]), date.fromisoformat(note["day"])) if note else None
        except (KeyError, TypeError, ValueError):
            return None

    def put(self, folder: str, seen: Seen) -> None:
        """Remember the place; whole or not at all."""
        notes = {**self._notes(), folder: {"validity": seen.validity, "uid": seen.uid, "day": seen.day.isoformat()}}
        write_whole(self._path, json.dumps(notes, sort_keys=True).encode())

    def _notes(self) -> dict[str, Any]:
        try:
            notes = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        return notes if isinstance(notes, dict) else {}


# ── one folder ────────────────────────────────────────────────────────────────────────────────────────────────────


async def _new(line: Line, folder: str, bookmark: Bookmark, today: Callable[[], date]) -> AsyncIterator[Arrived]:
    while True:
        seen = bookmark.get(folder)
        validity, uids, newest = await line.run(partial(_unseen, folder=folder, seen=seen))
        if not uids and (seen is None or seen.validity != validity):
            bookmark.put(folder, Seen(validity, newest, today()))  # what was there before we came is not news
        for uid in uids:
            arrived = await line.run(partial(_fetch, folder=folder, uid=uid))
            if arrived is not None:
                yield arrived
            bookmark.put(folder, Seen(validity, uid, today()))
        if not uids and not await line.run(lambda box: "EXISTS" in box.client.untagged_responses):
            return  # nothing came while we were looking either, so waiting is safe


def _unseen(box: BaseMailBox, folder: str, seen: Seen | None) -> tuple[int, list[int], int]:
    """Return (UIDVALIDITY, new UIDs in order, the highest UID there can be)."""
    box.folder.set(folder)
    status = box.folder.status(folder, ["UIDVALIDITY", "UIDNEXT"])
    validity, newest = int(status["UIDVALIDITY"]), int(status["UIDNEXT"]) - 1
    box.client.untagged_responses.pop("EXISTS", None)
    if seen is None:
        return validity, [], newest
    if seen.validity != validity:
        since = seen.day - timedelta(days=1)
        return validity, sorted(int(uid) for uid in box.uids(f"SINCE {_imap_day(since)}")), newest
    found = (int(uid) for uid in box.uids(f"UID {seen.uid + 1}:*"))
    return validity, sorted(uid for uid in found if uid > seen.uid), newest  # "*" always matches the last one


def _fetch(box: BaseMailBox, folder: str, uid: int) -> Arrived | None:
    size = re.search(rb"RFC822\.SIZE (\d+)", _one(box.client.uid("FETCH", str(uid), "(RFC822.SIZE)")))
    if size is None:
        return None  # deleted meanwhile
    whole = int(size[1]) <= BYTES_MAX
    raw = _one(box.client.uid("FETCH", str(uid), "(BODY.PEEK[])" if whole else "(BODY.PEEK[HEADER])"))
    return Arrived(folder, uid, raw, whole) if raw else None


def _one(answer: tuple[str, list[Any]]) -> bytes:
    """The literal of a FETCH, or its line when there is none."""
    for item in _said_ok(answer):
        if isinstance(item, tuple):
            return bytes(item[1])
        if isinstance(item, bytes) and item != b")":
            return item
    return b""


def _wait(box: BaseMailBox) -> None:
    """Wait in IDLE until something happens in the selected folder, or `IDLE_S` are over; without IDLE, by the clock."""
    client = box.client
    if b"IDLE" not in b" ".join(_said_ok(client.capability())).upper():
        box.idle.poll(timeout=POLL_S)  # nothing will come, but a cut connection ends it
        return
    tag = client._command("IDLE")  # noqa: SLF001 - imap-tools' start() fails when news come before "+"
    while client._get_response() is not None:  # noqa: SLF001
        pass
    if "EXISTS" not in client.untagged_responses and not _has_buffered(client):
        box.idle.poll(timeout=IDLE_S)
    client.send(b"DONE\r\n")
    box.consume_until_tagged_response(tag)


def _has_buffered(client: imaplib.IMAP4) -> bool:
    """Whether a line came in one packet with the "+": it is in imaplib's buffer, and no poll of the socket sees it."""
    patience = client.sock.gettimeout()
    client.sock.settimeout(0)
    try:
        return bool(cast(io.BufferedReader, client.file).peek(1))
    except ssl.SSLWantReadError:
        return False
    finally:
        client.sock.settimeout(patience)


def _uids_of(box: BaseMailBox, folder: str, message_id: str) -> list[str]:
    box.folder.set(folder)
    found = box.uids(f'HEADER Message-ID "{message_id}"')
    # A search may match parts of words; only the very same id is ours.
    return [uid for uid in found if message_id.encode() in _own_id(box, uid)]


def _own_id(box: BaseMailBox, uid: str) -> bytes:
    return _one(box.client.uid("FETCH", uid, "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"))


# ── the connection ────────────────────────────────────────────────────────────────────────────────────────────────


@contextlib.contextmanager
def _translated(account: Account) -> Iterator[None]:
    redact = account.redact
    try:
        yield
    except MailboxLoginError as error:
        raise RefusedError(
            f"{account.host} did not accept the login of {account.user} ({redact(str(error))[:200]}). "
            f"Correct IMAP_USER and {'MAIL_OAUTH_...' if account.bearer else 'IMAP_PASSWORD'}."
        ) from None
    except ssl.SSLCertVerificationError as error:
        raise RefusedError(
            f"The certificate of {account.host} does not hold ({error.verify_message}): check IMAP_HOST."
        ) from None
    except (OSError, imaplib.IMAP4.error, ImapToolsError, ValueError, AttributeError) as error:
        # AttributeError: imaplib's own, when the socket is gone under it.
        raise TryLaterError(f"{account.host}: {redact(str(error))[:200] or type(error).__name__}") from None


def _said_ok(answer: tuple[str, list[Any]]) -> list[Any]:
    kind, data = answer
    if kind != "OK":
        raise imaplib.IMAP4.error(" ".join(str(each) for each in data)[:200])
    return data


def _quoted(folder: str) -> str:
    from imap_tools.imap_utf7 import utf7_encode

    name = utf7_encode(folder).decode().replace("\\", "\\\\").replace('"', '\\"')
    return f'"{name}"'


def _imap_day(day: date) -> str:
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{day.day}-{months[day.month - 1]}-{day.year}"
