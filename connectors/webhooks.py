"""Webhooks in: somebody outside tells us that something happened, with a signature.

One small listener, by default on this machine alone, behind the reverse proxy that has the certificate. A source is a
name and a secret: ``POST /hooks/forms``. What is not signed gets 401, whatever else is right or wrong with it. What is
signed is on disk before it is answered 200; when it cannot be written the answer is 503, and the sender tries again.
The inbox knows each event by source and id, so a copy is one row.

A body of a known kind becomes ``form`` or ``subscription`` (``webhooks_bodies.py``); any other is kept in files as it
came and shown as ``unrecognised``.

Source: RFC 9110; ``webhooks_signature.py`` names those of the signatures.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address
from typing import Self

from aiohttp import ClientError, web

from connectors import webhooks_bodies as bodies
from connectors.base import (
    Connector,
    ConnectorError,
    Deliver,
    Health,
    Incoming,
    RefusedError,
    Setting,
    Workshop,
)
from connectors.webhooks_signature import verify

BODY_MAX = 512_000  # bytes; a form with its answers has a few thousand
READ_S = 10.0  # for a body to come
WRITE_S = 10.0  # for it to be on disk; senders give up after some 15 s
SECRET_MIN = 16  # characters
AT_ONCE = 32
SHOWN_MAX = 2_000  # characters of a body nobody recognises

log = logging.getLogger("soloist.webhooks")

Reader = Callable[[bytes, Mapping[str, str]], Awaitable[Incoming]]
"""Body and headers → an item; RefusedError when it is not authentic, TryLaterError when it cannot be judged now."""


class Webhooks(Connector):
    """A letter box for other services."""

    service = "webhooks"
    settings = (
        Setting("WEBHOOKS_ADDRESS", "host:port to listen on for webhooks, like 127.0.0.1:8330; empty: none come in"),
        Setting(
            "WEBHOOKS_SECRETS",
            "Sources and their secrets, like forms:abc...,shop:def...; during a rotation a source may stand twice",
            secret=True,
        ),
    )

    def __init__(self, workshop: Workshop, *, host: str, port: int, secrets: Mapping[str, tuple[str, ...]]) -> None:
        self._workshop = workshop
        self._host = host
        self.port = port
        self._secrets = dict(secrets)
        self._readers: dict[str, Reader] = {}
        self._room = asyncio.Semaphore(AT_ONCE)
        self.open_for_business = asyncio.Event()

    @classmethod
    def open(cls, values: Mapping[str, str], workshop: Workshop) -> Self | None:
        """Build the listener, or return None without an address.

        Raises:
            RefusedError: The address or a secret makes no sense.
        """
        address = values["WEBHOOKS_ADDRESS"].strip()
        if not address:
            return None
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65_535:  # noqa: PLR2004 - the highest port there is
            raise RefusedError("WEBHOOKS_ADDRESS must be host:port, like 127.0.0.1:8330.")
        return cls(workshop, host=host.strip("[]"), port=int(port), secrets=_secrets(values["WEBHOOKS_SECRETS"]))

    @property
    def account(self) -> str:
        """Where it listens."""
        return f"{self._host}:{self.port}"

    def accept(self, source: str, read: Reader) -> None:
        """Let another service check and read its own webhooks at ``/hooks/<source>`` (Stripe signs in its own way)."""
        self._readers[source] = read

    async def health(self) -> Health:
        """Say what is listened for; a listener cannot know whether anybody can reach it."""
        names = sorted({*self._secrets, *self._readers})
        if not names:
            remedy = "For forms and shops, set WEBHOOKS_SECRETS to a name and a secret: forms:" + "x" * SECRET_MIN
            return Health(ok=True, text=f"Webhooks come in at {self.account}, from no source of ours.", remedy=remedy)
        remedy = "" if _loopback(self._host) else "It listens to the network itself; put a proxy with TLS before it."
        return Health(ok=True, text=f"Webhooks from {', '.join(names)} come in at {self.account}.", remedy=remedy)

    async def listen(self, deliver: Deliver) -> None:
        """Serve until cancelled.

        Raises:
            RefusedError: The address is taken.
        """
        app = web.Application(client_max_size=BODY_MAX)

        async def answer(request: web.Request) -> web.Response:
            return await self._answer(request, deliver)

        app.router.add_route("*", "/{path:.*}", answer)
        # The signature is over the bytes as they travelled, so nothing is unpacked on the way.
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, auto_decompress=False)
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, self._host, self.port).start()
            except OSError as error:
                text = f"Webhooks cannot be listened for at {self.account}: {error.strerror}. Is it taken?"
                raise RefusedError(text) from None
            self.port = int(runner.addresses[0][1])
            self.open_for_business.set()
            await asyncio.Event().wait()
        finally:
            self.open_for_business.clear()
            await runner.cleanup()

    async def _answer(self, request: web.Request, deliver: Deliver) -> web.Response:
        source = re.fullmatch(r"/hooks/([a-z0-9_-]{1,40})", request.path)
        if source is None or request.method != "POST" or source[1] not in {*self._secrets, *self._readers}:
            return _no()  # before it takes a place that a body is waited for in
        async with self._room:
            body = await _body(request)
            if body is None:
                return _no()
            try:
                item = await self._item(
                    source[1], body, {name.lower(): value for name, value in request.headers.items()}
                )
            except RefusedError:
                return _no()
            except (ConnectorError, OSError):  # not to be judged now, or no room for a body to be kept
                return _later()
            return _no() if item is None else await _kept(item, deliver)

    async def _item(self, source: str, body: bytes, headers: Mapping[str, str]) -> Incoming | None:
        """Return what came, or None when nobody we know has signed it."""
        if source in self._readers:
            return await self._readers[source](body, headers)
        event_id = verify(body, headers, self._secrets.get(source, ()), self._workshop.now())
        if event_id is None:
            return None
        try:
            read = bodies.read(body)
        except bodies.UnfitError as error:
            return self._unrecognised(source, event_id, body, str(error))
        return Incoming(
            service=self.service,
            account=source,
            event_id=event_id,
            kind=bodies.kind_of(read),
            at=self._workshop.now(),
            data={"source": source, **bodies.facts(read)},
            text=bodies.words(read),
        )

    def _unrecognised(self, source: str, event_id: str, body: bytes, why: str) -> Incoming:
        return Incoming(
            service=self.service,
            account=source,
            event_id=event_id,
            kind="unrecognised",
            at=self._workshop.now(),
            data={"source": source, "why": why, "sha256": self._workshop.files.put(body), "size": len(body)},
            text=body.decode(errors="replace")[:SHOWN_MAX],
        )


async def _kept(item: Incoming, deliver: Deliver) -> web.Response:
    try:
        async with asyncio.timeout(WRITE_S):
            await deliver(item)
    except Exception:  # noqa: BLE001 - whatever it is, the sender must not hear that we have it
        log.warning("a webhook from %s could not be written down; its sender is told to come again", item.account)
        return _later()
    return web.Response(status=200, text="kept\n")


async def _body(request: web.Request) -> bytes | None:
    try:
        async with asyncio.timeout(READ_S):
            return await request.read()
    except (TimeoutError, ConnectionError, ValueError, ClientError, web.HTTPException):
        return None


def _no() -> web.Response:
    return web.Response(status=401, text="not signed by anybody we know\n")


def _later() -> web.Response:
    return web.Response(status=503, text="not now, please send it again\n", headers={"Retry-After": "60"})


def _secrets(text: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for each in filter(None, (part.strip() for part in text.split(","))):
        name, colon, secret = each.partition(":")
        if not colon or not re.fullmatch(r"[a-z0-9_-]{1,40}", name):
            raise RefusedError("WEBHOOKS_SECRETS must look like forms:abc...,shop:def..., with small letters in names.")
        if len(secret) < SECRET_MIN:
            raise RefusedError(f"The secret of {name} in WEBHOOKS_SECRETS has fewer than {SECRET_MIN} characters.")
        found[name] = (*found.get(name, ()), secret)
    return found


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
