"""One attempt to hand a message to an SMTP server, with an answer to the only question that matters: did it arrive?

Until the final dot has been written, nothing has happened, whatever breaks: `TryLaterError`, or `RefusedError` when the
server said 5xx. After it only the server's own line counts; a silence is `OutcomeUnknownError`, because servers are
known to have taken such messages (RFC 5321, 4.5.3.2.6). If one recipient is refused, nobody gets it: the message goes
to those on the card or to no one.

Source: RFC 5321 (SMTP), RFC 3207 (STARTTLS), RFC 4954 (AUTH), RFC 7628 (OAUTHBEARER), RFC 6531 (SMTPUTF8).
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aiosmtplib
from aiosmtplib import SMTPException, SMTPResponseException

from connectors.base import ConnectorError, OutcomeUnknownError, RefusedError, TryLaterError
from connectors.client import Redactor
from connectors.mail_message import Message
from connectors.oauth import Bearer, oauthbearer

FAREWELL_S = 2.0
_FINAL = 500  # replies from here on are for good
_TAKEN = 250
_GO_ON = 354
_CONTINUE, _AUTHENTICATED = 334, 235


@dataclass(frozen=True)
class Server:
    """Where mail is handed in, and as whom."""

    host: str
    port: int
    security: str  # "starttls" | "tls" | "none"
    user: str = ""
    password: str = ""
    command_timeout_s: float = 30.0
    dot_timeout_s: float = 120.0  # RFC 5321 allows a server ten minutes; after two a person is asked
    bearer: Bearer | None = None  # logs in with an access token (XOAUTH2, OAUTHBEARER) instead of the password

    def __repr__(self) -> str:
        """Without the password."""
        return f"Server({self.host}:{self.port}, {self.security}, {self.user})"

    def redact(self, text: str) -> str:
        """Return a server's words without what logs us in."""
        text = Redactor([self.password])(text)
        return self.bearer.redact(text) if self.bearer else text


@dataclass(frozen=True)
class Taken:
    """The server's own words on having taken the message."""

    answer: str  # "250 2.0.0 Ok: queued as 4F3A"
    queue_id: str  # "4F3A", empty when it named none


async def deliver(server: Server, message: Message) -> Taken:
    """Hand the message in, once.

    Raises:
        RefusedError: The server said no for good; its words are in the message.
        TryLaterError: Nothing happened, and it may work later.
        OutcomeUnknownError: The server had the whole message and gave no answer.
    """
    try:
        async with _session(server) as smtp:
            await _envelope(smtp, message)
            return await _content(smtp, server, message.content)
    except ConnectorError as error:
        raise type(error)(server.redact(str(error))) from None
    except (SMTPException, OSError, TimeoutError, ValueError) as error:
        # Everything that can happen behind the dot has been turned into a ConnectorError by _content.
        raise _before_the_dot(server, error) from None


async def greet(server: Server) -> str:
    """Connect, secure, log in and leave: what `health` wants to know. Returns the server's name for itself.

    Raises:
        RefusedError, TryLaterError: As `deliver`.
    """
    try:
        async with _session(server) as smtp:
            reply = smtp.last_ehlo_response
            return (reply.message if reply else "").split("\n")[0]
    except (SMTPException, OSError, TimeoutError, ValueError) as error:
        raise _before_the_dot(server, error) from None


@asynccontextmanager
async def _session(server: Server) -> AsyncIterator[aiosmtplib.SMTP]:
    smtp = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.security == "tls",
        start_tls=server.security == "starttls",
        username=None if server.bearer else server.user or None,
        password=None if server.bearer else server.password or None,
        timeout=server.command_timeout_s,
        local_hostname="localhost",  # what the machine is called is nobody's business
    )
    try:
        await smtp.connect()
        if smtp.is_ehlo_or_helo_needed:
            await smtp.ehlo()
        if server.bearer:
            await _show_token(smtp, server, server.bearer)
        yield smtp
        with suppress(SMTPException, OSError, TimeoutError):
            # The farewell is courtesy; what counts has been said before it.
            await smtp.quit(timeout=FAREWELL_S)
    finally:
        smtp.close()


async def _show_token(smtp: aiosmtplib.SMTP, server: Server, bearer: Bearer) -> None:
    way = next((each for each in ("xoauth2", "oauthbearer") if each in smtp.server_auth_methods), "")
    if not way:
        raise RefusedError(
            "This mail server takes no OAuth 2 login (XOAUTH2, OAUTHBEARER). Use a password, or another SMTP_HOST."
        )

    async def show(token: str) -> None:
        if way == "xoauth2":
            await smtp.auth_xoauth2(server.user, token)
            return
        said = base64.b64encode(oauthbearer(server.user, server.host, server.port, token))
        answer = await smtp.execute_command(b"AUTH", b"OAUTHBEARER", said)
        if (
            answer.code == _CONTINUE
        ):  # the server has said why it refuses, and waits for our "so be it" (RFC 7628, 3.2.3)
            answer = await smtp.execute_command(b"AQ==")
        if answer.code != _AUTHENTICATED:
            raise aiosmtplib.SMTPAuthenticationError(answer.code, answer.message)

    token = await bearer.token()
    try:
        await show(token)
    except aiosmtplib.SMTPAuthenticationError:
        # A token may end before its time; with a new one, a second no is a no.
        await show(await bearer.token(refused=token))


async def _envelope(smtp: aiosmtplib.SMTP, message: Message) -> None:
    options = []
    if message.utf8:
        if not smtp.supports_extension("smtputf8"):
            raise RefusedError(
                "An address has letters beyond ASCII, and this mail server cannot carry them (SMTPUTF8)."
            )
        options.append("SMTPUTF8")
    if smtp.supports_extension("size"):
        _refuse_too_large(smtp.esmtp_extensions["size"], len(message.content))
        options.append(f"size={len(message.content)}")
    encoding = "utf-8" if message.utf8 else "ascii"
    await smtp.mail(message.sender, options=options, encoding=encoding)
    refusals: list[tuple[str, SMTPResponseException]] = []
    for recipient in message.recipients:
        try:
            await smtp.rcpt(recipient, encoding=encoding)
        except aiosmtplib.SMTPRecipientRefused as error:
            refusals.append((recipient, error))
    if refusals:
        with suppress(SMTPException):
            await smtp.rset()
        words = "; ".join(f"{who}: {error.code} {_flat(error.message)}" for who, error in refusals)
        said = f"The mail server refused {words}. The message went to nobody."
        for_good = any(error.code >= _FINAL for _, error in refusals)
        raise RefusedError(said) if for_good else TryLaterError(said)


def _refuse_too_large(advertised: str, size: int) -> None:
    if advertised.isdigit() and 0 < int(advertised) < size:
        raise RefusedError(f"The message has {size} bytes, and this mail server takes {advertised} at most.")


async def _content(smtp: aiosmtplib.SMTP, server: Server, content: bytes) -> Taken:
    start = await smtp.execute_command(b"DATA")
    if start.code != _GO_ON:
        raise SMTPResponseException(start.code, start.message)
    protocol = smtp.protocol
    if protocol is None or protocol.transport is None:
        raise ConnectionResetError("the server hung up")
    # The library writes text and dot in one go, and then nobody could tell a break before the dot from one after it.
    # So: the text first, out of our hands entirely; then, as a step of its own, the dot.
    transport = protocol.transport
    assert isinstance(transport, asyncio.WriteTransport)
    transport.set_write_buffer_limits(high=0)
    async with asyncio.timeout(server.dot_timeout_s):
        protocol.write(_stuffed(content))
        await protocol._drain_helper()  # noqa: SLF001 - see above; the public way has no flow control
        await asyncio.sleep(0)  # lets a hang-up that has already arrived be seen
    protocol.write(b".\r\n")  # raises when the connection is gone, and then the dot was not written
    return await _verdict(protocol, server)


async def _verdict(protocol: aiosmtplib.protocol.SMTPProtocol, server: Server) -> Taken:
    try:
        reply = await protocol.read_response(timeout=server.dot_timeout_s)
    except (SMTPException, OSError, TimeoutError) as error:
        raise OutcomeUnknownError(
            f"{server.host} had the whole message and then fell silent ({_flat(str(error))}). "
            "It may have been sent. Look into the Sent folder or ask the recipient before sending it again."
        ) from None
    if reply.code == _TAKEN:
        return Taken(f"{reply.code} {_flat(reply.message)}", _queue_id(reply.message))
    if 400 <= reply.code < 600:  # noqa: PLR2004 - RFC 5321, 4.2.1
        raise SMTPResponseException(reply.code, reply.message)
    raise OutcomeUnknownError(
        f"{server.host} answered the whole message with {reply.code} {_flat(reply.message)}: neither yes nor no."
    )


def _stuffed(content: bytes) -> bytes:
    """Return the text with its dots doubled and its last line ended (RFC 5321, 4.5.2)."""
    lines = re.sub(rb"\r\n|\r|\n", b"\r\n", content)
    if not lines.endswith(b"\r\n"):
        lines += b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", lines)


def _before_the_dot(server: Server, error: Exception) -> ConnectorError:
    redact = server.redact
    words = redact(_flat(str(error)) or type(error).__name__)
    if isinstance(error, aiosmtplib.SMTPAuthenticationError) and error.code >= _FINAL:
        return RefusedError(
            f"{server.host} did not accept the login of {server.user} ({error.code} {redact(_flat(error.message))}). "
            f"Nothing was sent. Correct SMTP_USER and {'MAIL_OAUTH_...' if server.bearer else 'SMTP_PASSWORD'}."
        )
    if isinstance(error, SMTPResponseException) and error.code > 0:
        said = f"{server.host} answered {error.code} {redact(_flat(error.message))}. Nothing was sent."
        return RefusedError(said) if error.code >= _FINAL else TryLaterError(said)
    if isinstance(error, ssl.SSLCertVerificationError) or isinstance(error.__cause__, ssl.SSLCertVerificationError):
        return RefusedError(
            f"The certificate of {server.host} does not hold ({words}). Nothing was sent: check SMTP_HOST."
        )
    if isinstance(error, SMTPException) and "not supported" in str(error):
        return RefusedError(
            f"{server.host} does not offer what is set: {words}. Nothing was sent: check SMTP_SECURITY."
        )
    if isinstance(error, ValueError):
        return RefusedError(f"This message cannot be handed to {server.host}: {words}. Nothing was sent.")
    return TryLaterError(f"{server.host}:{server.port} could not be used ({words}). Nothing was sent.")


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()[:300]


def _queue_id(words: str) -> str:
    found = re.search(r"(?i)(?:queued as|queue id|id=|\bid\b)[ :=]*([A-Za-z0-9.-]{4,64})", words)
    return found[1].rstrip(".") if found else ""
