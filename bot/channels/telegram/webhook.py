"""The webhook: updates posted by Telegram, each proven by the secret in its header, answered once it is on disk."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aiohttp import web
from telegram import Update

from bot.channels.base import NotWrittenError
from bot.channels.telegram.wire import read_update

HEADER = "X-Telegram-Bot-Api-Secret-Token"
BODY_BYTES_MAX = 1024 * 1024  # an update with a full message, entities and all, is below 100 kB
BODY_TIMEOUT_S = 0.8  # for a body to arrive; whoever is slower is not Telegram, and it would send again
_SECRET = re.compile(r"[A-Za-z0-9_-]{16,256}")  # core.telegram.org/bots/api#setwebhook; the lower bound is ours

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Webhook:
    """Where Telegram posts to.

    Attributes:
        address: The public address, ``https://bot.example.com/telegram``; its path is the route.
        secret: Proves that a post is Telegram's. A fresh one is made at every start when none is given.
        host, port: Where to listen, behind the operator's TLS proxy. Port None: somebody else serves `route`;
            port 0: any free one.
    """

    address: str
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    host: str = "127.0.0.1"
    port: int | None = 8443

    def __post_init__(self) -> None:
        if not _SECRET.fullmatch(self.secret):
            raise ValueError("The Telegram webhook's secret must be 16 to 256 of A-Z, a-z, 0-9, _ and -.")
        if urlsplit(self.address).scheme not in ("http", "https") or not urlsplit(self.address).netloc:
            raise ValueError(f"{self.address!r} is not an address that Telegram could post to: https://host/path.")

    @property
    def path(self) -> str:
        """The route, ``/telegram``."""
        return urlsplit(self.address).path or "/"


def route(webhook: Webhook, take: Callable[[Update], Awaitable[None]]) -> web.RouteDef:
    """Return the route that hands updates to ``take``.

    Answers 401 without the secret, 400 to what is not JSON, 413 to what is too long, 503 when it could not be
    written down (Telegram sends again), 200 otherwise. An update nobody can read is answered with 200: it will not
    become readable by being sent again.
    """

    async def posted(request: web.Request) -> web.Response:
        if not _is_telegram(request, webhook.secret):
            return web.Response(status=401, text="This address takes posts from Telegram alone.")
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                body = await _body(request)
            item = json.loads(body)
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413, text="Too long for an update.")
        except (ValueError, RecursionError, TimeoutError):
            return web.Response(status=400, text="Not JSON.")
        update = read_update(item)
        if update is None:
            _log.warning("Telegram posted an update that cannot be read; it was let go.")
            return web.Response()
        try:
            await take(update)
        except NotWrittenError:
            return web.Response(status=503, text="Not written down; send it again.")
        return web.Response()

    return web.post(webhook.path, posted)


def _is_telegram(request: web.Request, secret: str) -> bool:
    given = request.headers.getall(HEADER, [])
    return len(given) == 1 and hmac.compare_digest(given[0].encode(errors="surrogateescape"), secret.encode())


async def _body(request: web.Request) -> bytes:
    body = bytearray()
    async for chunk in request.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise web.HTTPRequestEntityTooLarge(max_size=BODY_BYTES_MAX, actual_size=len(body))
    return bytes(body)
