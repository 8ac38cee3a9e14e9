"""A real SMTP server (aiosmtpd) on loopback, with its own ledger, that can be told to fail at any point of a session.

In the loop of a test::

    async with PostOffice() as post:
        post.at("rcpt", Fault("550 5.1.1 No such user"))
        ...
        assert post.accepted["<id@acme.example>"] == 1

In a thread, for a kill harness whose victim is another process (``post.port``, hooks may kill it)::

    with PostOffice(ledger=path).in_thread() as post:
        post.at("kept", Fault(call=lambda point, detail: os.kill(pid, SIGKILL), times=1))

As a process of its own: ``python -m tests.counterparts.smtp LEDGER`` prints its port. The ledger is a file of one JSON
line for each message that was taken, on disk before the server answers; judges read it, and never our own logs.

The points, in the order of a session: ``connect`` (before the greeting), ``ehlo``, ``auth``, ``mail``, ``rcpt`` (detail:
the address), ``data`` (before 354), ``body`` (after the first line of the text), ``dot`` (the whole message is there,
nothing is kept), ``kept`` (it is in the ledger, no answer yet), ``answered`` (the client has its 250).
"""

import asyncio
import base64
import contextlib
import email
import inspect
import json
import os
import ssl
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Self

from aiosmtpd.smtp import SMTP, AuthResult

POINTS = ("connect", "ehlo", "auth", "mail", "rcpt", "data", "body", "dot", "kept", "answered")


@dataclass
class Fault:
    """What goes wrong at a point. Without anything set, nothing does, and the call is merely counted."""

    reply: str = ""  # answered instead of the usual line
    drop: bool = False  # the connection is cut, after the reply if there is one
    hang: bool = False  # no answer, ever
    call: Callable[[str, str], Awaitable[None] | None] | None = None  # a hook, before anything else
    times: int = 1_000_000  # how often it applies; after that all is well
    only: str = ""  # applies when the detail contains this


@dataclass
class Taken:
    """One message in the ledger."""

    message_id: str
    sender: str
    recipients: list[str]
    content: bytes
    queue_id: str
    user: str = ""

    @property
    def message(self) -> EmailMessage:
        return email.message_from_bytes(self.content, policy=default)

    @property
    def text(self) -> str:
        """Its plain text, without headers and attachments: those hold digests, in which any three digits may stand."""
        body = self.message.get_body(("plain",))
        return body.get_content() if body is not None else ""


@dataclass
class PostOffice:
    """The server, its faults and its ledger."""

    ledger: Path | None = None
    users: dict[str, str] = field(default_factory=dict)  # with users, AUTH is asked for
    tokens: Callable[[str], bool] | None = None  # with it, OAuth 2 is offered, and this says whether a token is good
    ways: tuple[str, ...] = ("XOAUTH2", "OAUTHBEARER")  # by which a token may be shown
    tls: ssl.SSLContext | None = None  # offers STARTTLS
    utf8: bool = True
    size_max: int = 33_554_432
    port: int = 0
    taken: list[Taken] = field(default_factory=list)
    accepted: Counter = field(default_factory=Counter)  # Message-ID → how often it was taken
    seen: Counter = field(default_factory=Counter)  # point → how often it was reached
    sessions: list = field(default_factory=list)
    _faults: dict[str, list[Fault]] = field(default_factory=dict)
    _server: asyncio.Server | None = None

    def at(self, point: str, fault: Fault) -> None:
        """From now on, this goes wrong at this point."""
        assert point in POINTS, point
        self._faults.setdefault(point, []).append(fault)

    def heal(self) -> None:
        """All faults are gone."""
        self._faults.clear()

    def fault(self, point: str, detail: str) -> Fault | None:
        self.seen[point] += 1
        for fault in self._faults.get(point, []):
            if fault.times > 0 and fault.only in detail:
                fault.times -= 1
                return fault
        return None

    def keep(self, taken: Taken) -> None:
        self.taken.append(taken)
        self.accepted[taken.message_id] += 1
        if self.ledger is not None:
            line = {"message_id": taken.message_id, "recipients": taken.recipients, "queue_id": taken.queue_id}
            with self.ledger.open("a") as ledger:
                ledger.write(json.dumps(line) + "\n")
                ledger.flush()
                os.fsync(ledger.fileno())

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        handlers = [session.end() for session in self.sessions]
        await asyncio.gather(*(each for each in handlers if each), return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @contextlib.contextmanager
    def in_thread(self) -> Iterator["PostOffice"]:
        """Serve from a thread with a loop of its own, for tests whose own loop is busy or absent."""
        ready, loop = threading.Event(), asyncio.new_event_loop()
        done = asyncio.Event()

        async def serve() -> None:
            async with self:
                ready.set()
                await done.wait()

        thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="post-office", daemon=True)
        thread.start()
        assert ready.wait(10), "the post office did not open"
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(done.set)
            thread.join(10)
            loop.close()

    def _session(self) -> "_Session":
        session = _Session(self)
        self.sessions.append(session)
        return session


class _Session(SMTP):
    """aiosmtpd's session with our points in it."""

    def __init__(self, post: PostOffice) -> None:
        self.post = post
        self.never = asyncio.Event()
        super().__init__(
            _Keeper(post, self),
            hostname="post.example",
            ident="ESMTP",
            enable_SMTPUTF8=post.utf8,
            data_size_limit=post.size_max,
            tls_context=post.tls,
            require_starttls=post.tls is not None,
            auth_require_tls=False,
            auth_required=False,
            authenticator=self._login if post.users else None,
            auth_exclude_mechanism=[
                each for each in ("XOAUTH2", "OAUTHBEARER") if not post.tokens or each not in post.ways
            ],
            loop=asyncio.get_running_loop(),
        )

    def end(self) -> "asyncio.Task[None] | None":
        """Cut the connection; the task that served it ends soon."""
        if self.transport is not None:
            self.transport.abort()
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()
        return self._handler_coroutine

    async def reached(self, point: str, detail: str = "") -> bool:
        """Do what is set for this point; True when the session must not go on as usual."""
        fault = self.post.fault(point, detail)
        if fault is None:
            return False
        if fault.call is not None and inspect.isawaitable(outcome := fault.call(point, detail)):
            await outcome
        if fault.reply:
            await self.push(fault.reply)
        if fault.drop:
            if self.transport is not None:
                self.transport.close()
            await self.never.wait()  # until connection_lost cancels us
        if fault.hang:
            await self.never.wait()
        return bool(fault.reply)

    def _login(self, server, session, envelope, mechanism, data) -> AuthResult:
        user, password = data.login.decode(), data.password.decode()
        ok = self.post.users.get(user) == password
        session.user = user
        # handled=False makes the server answer 535 itself; with True the client would wait for ever.
        return AuthResult(success=ok, handled=False)

    async def _handle_client(self) -> None:
        if await self.reached("connect"):
            return
        await super()._handle_client()

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802 - aiosmtpd's names
        if not await self.reached("ehlo", hostname):
            await super().smtp_EHLO(hostname)

    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802
        if not await self.reached("auth", arg):
            await super().smtp_AUTH(arg)

    async def smtp_MAIL(self, arg: str) -> None:  # noqa: N802
        if (self.post.users or self.post.tokens) and not self.session.authenticated:
            await self.push("530 5.7.0 Authentication required")
        elif not await self.reached("mail", arg):
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg: str) -> None:  # noqa: N802
        if not await self.reached("rcpt", arg):
            await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        if await self.reached("data"):
            return
        if "body" in self.post._faults and self.envelope.rcpt_tos:
            await self.push("354 Go on")
            await self._reader.readline()
            await self.reached("body")
            return
        await super().smtp_DATA(arg)
        await self.reached("answered")


class _Keeper:
    """aiosmtpd's handler: where a message is taken."""

    def __init__(self, post: PostOffice, session: _Session) -> None:
        self.post = post
        self.session = session

    async def auth_XOAUTH2(self, server, args) -> AuthResult:  # noqa: N802
        """As Google describes it: a refused token gets a challenge with the reason, and 535 after the client's answer."""
        said = base64.b64decode(args[1]).decode()
        user, _, token = said.removeprefix("user=").removesuffix("\x01\x01").partition("\x01auth=Bearer ")
        if self.post.tokens(token):
            server.session.user = user
            return AuthResult(success=True, auth_data=user)
        await server.challenge_auth('{"status":"401","schemes":"bearer"}')
        return AuthResult(success=False, handled=False)

    async def auth_OAUTHBEARER(self, server, args) -> AuthResult:  # noqa: N802
        """RFC 7628: who, where and the token between bytes 1; a no gives its reason, and ends with the client's byte 1."""
        head, *pairs = base64.b64decode(args[1]).decode().split("\x01")
        facts = dict(pair.partition("=")[::2] for pair in pairs if pair)
        user, token = head.removeprefix("n,a=").removesuffix(","), facts["auth"].removeprefix("Bearer ")
        assert pairs[-2:] == ["", ""], "it ends with two bytes 1"
        assert facts["port"].isdigit()
        if self.post.tokens(token):
            server.session.user = user
            return AuthResult(success=True, auth_data=user)
        ended = await server.challenge_auth('{"status":"invalid_token"}')
        assert ended == b"\x01"
        return AuthResult(success=False, handled=False)

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802
        message = email.message_from_bytes(envelope.content, policy=default)
        message_id = str(message["Message-ID"] or "").strip()
        if await self.session.reached("dot", message_id):
            return await self._nothing()
        queue_id = f"Q{len(self.post.taken) + 1:04d}"
        user = getattr(session, "user", "")
        self.post.keep(Taken(message_id, envelope.mail_from, list(envelope.rcpt_tos), envelope.content, queue_id, user))
        if await self.session.reached("kept", message_id):
            return await self._nothing()
        return f"250 2.0.0 Ok: queued as {queue_id}"

    async def _nothing(self) -> str:
        """The answer has been given by the fault; the session ends here, as the library would answer once more."""
        self.session.transport.close()
        await self.session.never.wait()
        raise AssertionError("a closed session went on")


async def _main(ledger: Path) -> None:
    async with PostOffice(ledger=ledger) as post:
        print(post.port, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(Path(sys.argv[1])))
