"""Mail: out by SMTP, in by IMAP; without a server, out into a folder of ``.eml`` files.

``mail.send`` is one attempt. What the server said is what the receipt says, and whether it arrived is decided in
``mail_delivery.py``. A silence behind the final dot is UNKNOWN; then `Mail.find_sent` looks into the Sent folder for
our own Message-ID. Finding it is proof. *Not* finding it is proof only where the server files the copy itself
(IMAP_FILES_SENT=yes) and has had time to; where we file it after sending, a crash in between leaves no copy of a mail that has gone out, so
the operator is asked. Without IMAP nobody can look, and the operator is asked as well.

Without SMTP_HOST a message lands in ``<home>/outbox`` under a name made from its Message-ID: sending it twice is once.

Source: RFC 5321, 5322, 3501, 3834.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import date, datetime, timedelta
from email.errors import MessageError
from pathlib import Path
from typing import Annotated, Self, TypeVar

from tenacity import AsyncRetrying, RetryCallState, wait_random_exponential

from connectors import mail_folders, mail_reading, mail_settings
from connectors.base import (
    Attachments,
    Body,
    Connector,
    ConnectorError,
    Deliver,
    Detail,
    EffectClass,
    Health,
    Incoming,
    Json,
    OutcomeUnknownError,
    Receipt,
    Recipients,
    Reference,
    RefusedError,
    Risk,
    Role,
    Subject,
    TryLaterError,
    Workshop,
    action,
)
from connectors.client import Breaker, Monotonic, Pause
from connectors.durable import write_whole
from connectors.mail_delivery import Server, deliver, greet
from connectors.mail_folders import Account, Arrived, Bookmark
from connectors.mail_message import Letter, Message, address, compose
from connectors.oauth import Bearer

Chain = Annotated[list[str], Role.PLUMBING]
T = TypeVar("T")

# A server may think for ten minutes behind the final dot (RFC 5321, 4.5.3.2.6), and still send it. Before that is over,
# an empty Sent folder proves nothing.
_LOGIN = "Check SMTP_HOST, SMTP_PORT, SMTP_USER, SMTP_PASSWORD; with OAuth 2: python -m bot sign-in mail."
SETTLES_AFTER = timedelta(minutes=15)
AGAIN_MAX_S = 300.0  # between two attempts to reach the mailbox


def _discard_draft(arguments: Mapping[str, Json], receipt: Receipt) -> tuple[str, Mapping[str, Json]]:
    del arguments
    return "mail.discard", {"message_id": receipt.ref}


class Mail(Connector):
    """The company's mail account."""

    service = "mail"
    settings = mail_settings.SETTINGS

    def __init__(
        self,
        workshop: Workshop,
        *,
        sender: str,
        server: Server | None = None,
        box: Account | None = None,
        bearer: Bearer | None = None,
        pause: Pause = asyncio.sleep,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._workshop = workshop
        self._sender = sender
        self._server = server
        self._box = box
        self._bearer = bearer
        self._pause = pause
        self._monotonic = monotonic
        self.breaker = Breaker("The mail server", monotonic=monotonic)
        self.box_breaker = Breaker("The mailbox", monotonic=monotonic)

    @classmethod
    def open(cls, values: Mapping[str, str], workshop: Workshop) -> Self:
        """Build the account; without any setting it writes into the outbox folder.

        Raises:
            RefusedError: A setting makes no sense, or would send a password in the clear.
        """
        wanted = mail_settings.read(values, workshop)
        return cls(workshop, sender=wanted.sender, server=wanted.server, box=wanted.box, bearer=wanted.bearer)

    @property
    def account(self) -> str:
        """The address mail comes from."""
        return address(self._sender).addr_spec

    async def close(self) -> None:
        """Let go of connections."""
        if self._bearer is not None:
            await self._bearer.close()

    # ── out ───────────────────────────────────────────────────────────────────────────────────────────────────────

    @action(
        Risk.OUTSIDE,
        EffectClass.RECONCILABLE,
        says="send an e-mail",
        no_return="once the mail server has taken it",
        delayed=True,
        find="find_sent",
        timeout_s=240.0,
        rate_per_minute=30,
    )
    async def send(
        self,
        *,
        to: Recipients,
        subject: Subject,
        body: Body,
        key: str,
        attachments: Attachments | None = None,
        cc: Recipients | None = None,
        bcc: Recipients | None = None,
        in_reply_to: Reference = "",
        references: Chain | None = None,
        automatic: Detail = "",
    ) -> Receipt:
        """Send a message, once, to everybody named or to nobody.

        Args:
            to: Addresses, one each: ``anna@acme.example`` or ``Anna <anna@acme.example>``.
            subject: One line.
            body: Plain text.
            key: Stable key; decides the Message-ID.
            attachments: ``{"name", "sha256", "size"}`` of files in the workshop.
            cc: Further addresses, seen by all.
            bcc: Further addresses, seen by nobody.
            in_reply_to: The Message-ID this answers.
            references: The Message-IDs of the thread, oldest first.
            automatic: ``auto-generated`` or ``auto-replied`` when no person wrote it; empty otherwise.

        Returns:
            ``ref`` the Message-ID; ``data``: message_id, recipients, answer (the server's line), queue_id, bytes,
            copy_in_sent, path (in the outbox, without a server).

        Raises:
            RefusedError: The server, or a rule of mail, said no; nobody got it.
            TryLaterError: Nothing happened.
            OutcomeUnknownError: The server had it all and said nothing.
        """
        letter = _letter(to, subject, body, attachments, cc, bcc, in_reply_to, references, automatic)
        message = self._compose(letter, key)
        if self._server is None:
            return self._into_outbox(message)
        self.breaker.check()
        self._note_beginning(message)
        try:
            taken = await deliver(self._server, message)
        except OutcomeUnknownError:
            self.breaker.failed()
            raise
        except ConnectorError as error:
            self._note(message).unlink(missing_ok=True)
            self.breaker.succeeded() if isinstance(error, RefusedError) else self.breaker.failed()
            raise
        self._note(message).unlink(missing_ok=True)
        self.breaker.succeeded()
        return Receipt(
            ref=message.message_id,
            text=f"Mailed to {', '.join(message.recipients)}. {self._server.host} said: {taken.answer}.",
            data={
                "message_id": message.message_id,
                "recipients": list(message.recipients),
                "answer": taken.answer,
                "queue_id": taken.queue_id,
                "bytes": len(message.content),
                "copy_in_sent": await self._file_copy(message),
            },
        )

    async def find_sent(
        self,
        *,
        to: Recipients,
        subject: Subject,
        body: Body,
        key: str,
        attachments: Attachments | None = None,
        cc: Recipients | None = None,
        bcc: Recipients | None = None,
        in_reply_to: Reference = "",
        references: Chain | None = None,
        automatic: Detail = "",
    ) -> Receipt | None:
        """Look whether a message of unknown fate was sent; the arguments are those of `send`.

        Returns:
            A receipt when it was, None when it provably was not.

        Raises:
            TryLaterError: The mailbox cannot be reached; looking later may tell.
            OutcomeUnknownError: Looking proves nothing here, or not yet, see the module; a person has to say.
        """
        letter = _letter(to, subject, body, attachments, cc, bcc, in_reply_to, references, automatic)
        message = self._compose(letter, key)
        if self._server is None:
            return self._in_outbox(message)
        if self._box is None:
            raise OutcomeUnknownError(
                "No IMAP is set up, so it cannot be looked up whether it was sent. Look into your Sent folder, or ask "
                "the recipient."
            )
        try:
            found = await self._at_the_box(mail_folders.holds, self._box, self._box.sent, message.message_id)
        except TryLaterError as error:
            raise TryLaterError(f"The Sent folder could not be looked at: {error}", error.retry_after_s) from None
        except ConnectorError as error:
            raise OutcomeUnknownError(f"The Sent folder could not be looked at: {error}") from None
        if found:
            return Receipt(
                ref=message.message_id,
                text=f"Mailed to {', '.join(message.recipients)}: a copy is in {self._box.sent}.",
                data={"message_id": message.message_id, "recipients": list(message.recipients), "copy_in_sent": True},
            )
        if self._box.server_files_sent:
            self._refuse_to_judge_too_early(message)
            return None
        raise OutcomeUnknownError(
            f"There is no copy in {self._box.sent}, but it may have left before the copy was filed. Ask the recipient."
        )

    @action(
        Risk.REVERSIBLE,
        EffectClass.RECONCILABLE,
        says="put a draft into the mailbox",
        undo=_discard_draft,
        find="find_draft",
        timeout_s=90.0,
    )
    async def draft(
        self,
        *,
        to: Recipients,
        subject: Subject,
        body: Body,
        key: str,
        attachments: Attachments | None = None,
        cc: Recipients | None = None,
        in_reply_to: Reference = "",
        references: Chain | None = None,
    ) -> Receipt:
        """Put a message into the Drafts folder, to be finished by hand; without IMAP, into a folder of files.

        Args:
            to: Addresses, one each.
            subject: One line.
            body: Plain text.
            key: Stable key; decides the Message-ID.
            attachments: ``{"name", "sha256", "size"}`` of files in the workshop.
            cc: Further addresses.
            in_reply_to: The Message-ID this answers.
            references: The Message-IDs of the thread, oldest first.

        Raises:
            RefusedError: It is no message, or the login is wrong.
            OutcomeUnknownError: The server broke off while it was being filed.
        """
        message = self._compose(_letter(to, subject, body, attachments, cc, None, in_reply_to, references, ""), key)
        if self._box is None:
            path = self._file_name(message, "outbox/drafts")
            write_whole(path, message.content)
            return Receipt(message.message_id, f"The draft lies in {path}.", {"message_id": message.message_id})
        if not await self._at_the_box(mail_folders.holds, self._box, self._box.drafts, message.message_id):
            try:
                await self._at_the_box(mail_folders.file, self._box, self._box.drafts, message.content, draft=True)
            except TryLaterError as error:
                raise OutcomeUnknownError(f"The draft may or may not be in {self._box.drafts}: {error}") from None
        text = f"Put a draft to {', '.join(message.recipients)} into {self._box.drafts}."
        return Receipt(message.message_id, text, {"message_id": message.message_id})

    async def find_draft(
        self,
        *,
        to: Recipients,
        subject: Subject,
        body: Body,
        key: str,
        attachments: Attachments | None = None,
        cc: Recipients | None = None,
        in_reply_to: Reference = "",
        references: Chain | None = None,
    ) -> Receipt | None:
        """Look whether a draft is there; the arguments are those of `draft`. Its folder is the whole truth."""
        message = self._compose(_letter(to, subject, body, attachments, cc, None, in_reply_to, references, ""), key)
        if self._box is None:
            found = self._file_name(message, "outbox/drafts").exists()
        else:
            found = await self._at_the_box(mail_folders.holds, self._box, self._box.drafts, message.message_id)
        return Receipt(message.message_id, "The draft is there.", {"message_id": message.message_id}) if found else None

    @action(Risk.REVERSIBLE, EffectClass.KEYED, says="remove a draft", timeout_s=90.0)
    async def discard(self, *, message_id: Reference, key: str) -> Receipt:
        """Remove a draft of ours; removing it twice is once.

        Args:
            message_id: As `draft` returned it.
            key: Not needed: the Message-ID is the key.

        Raises:
            RefusedError: The login is wrong.
            TryLaterError: The mailbox cannot be reached.
        """
        del key
        self._own(message_id)
        if self._box is None:
            self._eml("outbox/drafts", message_id).unlink(missing_ok=True)
        else:
            await self._at_the_box(mail_folders.remove, self._box, self._box.drafts, message_id)
        return Receipt(message_id, "The draft is gone.", {"message_id": message_id})

    # ── in ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def listen(self, deliver: Deliver) -> None:
        """Bring in new mail until cancelled; after any gap it goes on where it was.

        Raises:
            RefusedError: The login is wrong; trying on would lock the account.
        """
        if self._box is None:
            return
        name = hashlib.sha256(f"{self._box.user}@{self._box.host}".encode()).hexdigest()[:16]
        bookmark = Bookmark(self._workshop.home / "mail" / f"seen-{name}.json")
        failures = 0
        while True:
            since = self._monotonic()
            try:
                async with aclosing(mail_folders.arrivals(self._box, bookmark, self._today)) as arriving:
                    async for arrived in arriving:
                        await self._hand_over(arrived, deliver)
            except TryLaterError:
                # A connection that held for a while was a good one: its end is no reason for more patience.
                failures = 1 if self._monotonic() - since > AGAIN_MAX_S else failures + 1
                await self._pause(_patience(failures))

    def _today(self) -> date:
        return self._workshop.now().date()

    async def _hand_over(self, arrived: Arrived, deliver: Deliver) -> None:
        try:
            # In a thread: 20 MB take a second to be taken apart, and nobody else should wait for that.
            await deliver(await asyncio.to_thread(self._incoming, arrived))
        except Exception as error:
            # Whatever kept it from being written, the message stays where it is and is brought again.
            raise TryLaterError(f"A message could not be written down: {error}") from error

    def _incoming(self, arrived: Arrived) -> Incoming:
        letter = mail_reading.read(arrived.raw, ours={self.account.lower()}, whole=arrived.whole)
        kept = [
            {
                "name": part.name,
                "sha256": self._workshop.files.put(part.content),
                "size": len(part.content),
                "media_type": part.media_type,
            }
            for part in letter.parts
        ]
        # The Message-ID is the sender's to choose. With the content's digest a forged one hides no real message.
        event_id = f"{letter.facts['message_id']}#{letter.fingerprint}"
        return Incoming(
            service=self.service,
            account=self.account,
            event_id=event_id,
            kind=self._kind(letter.facts),
            at=self._workshop.now(),
            data={**letter.facts, "attachments": kept, "folder": arrived.folder, "uid": arrived.uid},
            text=letter.text,
        )

    def _kind(self, facts: Mapping[str, Json]) -> str:
        """Return what it is: one of ours that came back, a guest's answer to an invitation, or a mail."""
        if facts["undelivered"] and self._is_ours(str(facts["bounced"])):
            return "mail.bounce"
        return "mail.answer" if facts["answer"] else "mail"

    # ── health ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def health(self) -> Health:
        """Log in to both servers and leave again."""
        if self._server is None:
            out = Health(
                ok=True,
                text=f"No mail server is set up: messages land in {self._workshop.home / 'outbox'}.",
                remedy="Set SMTP_HOST, SMTP_USER, SMTP_PASSWORD and MAIL_FROM to send them.",
            )
        else:
            try:
                name = await greet(self._server)
                out = Health(ok=True, text=f"Logged in to {self._server.host} ({name}) as {self.account}.")
            except ConnectorError as error:
                return Health(ok=False, text=str(error), remedy=_LOGIN)
        lasts = self._bearer.lasts() if self._bearer else None
        out = Health(
            ok=True, text=f"{out.text} {lasts or ''}".strip(), remedy=str(lasts) if lasts and lasts.soon else out.remedy
        )
        if self._box is None:
            return out
        box = await mail_folders.look(self._box)
        return Health(ok=box.ok, text=f"{out.text} {box.text}", remedy=box.remedy or out.remedy)

    # ── small parts ───────────────────────────────────────────────────────────────────────────────────────────────

    def _compose(self, letter: Letter, key: str) -> Message:
        try:
            return compose(letter, sender=self._sender, key=key, at=self._workshop.now(), files=self._workshop.files)
        except (MessageError, ValueError) as error:
            raise RefusedError(f"This is no message that can be sent: {error}") from None

    async def _at_the_box(self, work: Callable[..., Awaitable[T]], *args: object, **more: object) -> T:
        """Do something with the mailbox, which is let rest when it has failed a few times in a row."""
        self.box_breaker.check()
        try:
            done = await work(*args, **more)
        except RefusedError:
            self.box_breaker.succeeded()  # it is alive enough to say no
            raise
        except ConnectorError:
            self.box_breaker.failed()
            raise
        self.box_breaker.succeeded()
        return done

    async def _file_copy(self, message: Message) -> bool:
        """File a copy in Sent. The mail is out, so a failure here is told in the receipt and nowhere else."""
        if self._box is None or self._box.server_files_sent:
            return self._box is not None
        try:
            await self._at_the_box(mail_folders.file, self._box, self._box.sent, message.content)
        except ConnectorError:
            return False
        return True

    def _note(self, message: Message) -> Path:
        return self._workshop.home / "mail" / "sending" / f"{self._own(message.message_id)}.txt"

    def _note_beginning(self, message: Message) -> None:
        """Note on disk when an attempt began, where that matters later; it goes away when the outcome is sure."""
        if self._box is None or not self._box.server_files_sent:
            return
        try:
            write_whole(self._note(message), self._workshop.now().isoformat().encode())
        except OSError as error:
            raise TryLaterError(f"{error.filename} cannot be written ({error.strerror}). Nothing was sent.") from None

    def _refuse_to_judge_too_early(self, message: Message) -> None:
        try:
            began = datetime.fromisoformat(self._note(message).read_text())
        except (OSError, ValueError):
            return
        left = began + SETTLES_AFTER - self._workshop.now()
        if left > timedelta(0):
            raise OutcomeUnknownError(
                f"There is no copy in Sent yet, but the server may still be working on it until "
                f"{began + SETTLES_AFTER:%H:%M} UTC. It is looked for again after that; or ask the recipient.",
                look_again_s=left.total_seconds(),
            )

    def _into_outbox(self, message: Message) -> Receipt:
        path = self._file_name(message, "outbox")
        try:
            if not path.exists():
                write_whole(path, message.content)
        except OSError as error:
            raise TryLaterError(
                f"{path} cannot be written ({error.strerror}). Nothing was sent; make room for it."
            ) from None
        receipt = self._in_outbox(message)
        assert receipt is not None
        return receipt

    def _in_outbox(self, message: Message) -> Receipt | None:
        path = self._file_name(message, "outbox")
        if not path.exists():
            return None
        return Receipt(
            ref=message.message_id,
            text=f"Not sent, as no mail server is set up: the message to {', '.join(message.recipients)} lies in "
            f"outbox/{path.name}.",
            data={
                "message_id": message.message_id,
                "recipients": list(message.recipients),
                "path": str(path),
                "bytes": path.stat().st_size,
            },
        )

    def _file_name(self, message: Message, folder: str) -> Path:
        return self._eml(folder, message.message_id)

    def _eml(self, folder: str, message_id: str) -> Path:
        return self._workshop.home / folder / f"{self._own(message_id)}.eml"

    def _own(self, message_id: str) -> str:
        """Return the local part of a Message-ID that we made, and of no other."""
        if not self._is_ours(message_id):
            raise RefusedError(f"{message_id!r} is not a Message-ID of ours, so it is left alone.")
        return message_id[1:33]

    def _is_ours(self, message_id: str) -> bool:
        domain = re.escape(self.account.rpartition("@")[2])
        return re.fullmatch(f"<[0-9a-f]{{32}}@{domain}>", message_id) is not None


def _letter(
    to: Sequence[str],
    subject: str,
    body: str,
    attachments: Sequence[Mapping[str, Json]] | None,
    cc: Sequence[str] | None,
    bcc: Sequence[str] | None,
    in_reply_to: str,
    references: Sequence[str] | None,
    automatic: str,
) -> Letter:
    return Letter(
        to=to,
        subject=subject,
        body=body,
        attachments=attachments or (),
        cc=cc or (),
        bcc=bcc or (),
        in_reply_to=in_reply_to,
        references=references or (),
        automatic=automatic,
    )


def _patience(failures: int) -> float:
    state = RetryCallState(AsyncRetrying(), None, (), {})
    state.attempt_number = failures
    return float(wait_random_exponential(multiplier=2, max=AGAIN_MAX_S)(state))
