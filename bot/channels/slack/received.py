"""Files that come with a message: fetched with the bot token, from Slack's own hosts and from nowhere else."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from urllib.parse import urlsplit

import aiohttp

from bot.channels.base import NotWrittenError
from bot.channels.slack.payloads import Sent
from bot.channels.slack.wire import Wire

FILE_MAX = 20 * 1024 * 1024  # bytes of one file; the same as Telegram gives a bot
FILES_MAX = 10  # of one message
WAIT_S = 2.0  # Slack wants its answer within 3 s; a slower file is there when Slack sends the event again
KEPT_MAX = 8  # slow files kept for that
HOSTS = ("slack.com", "slack-files.com")


class UnfetchedError(Exception):
    """A file that cannot be taken in; the message says why."""


class Received:
    """Fetches files, and keeps a slow one for the repeated event."""

    def __init__(self, wire: Wire, token: str) -> None:
        self._wire = wire
        self._token = token
        self._fetching: OrderedDict[str, asyncio.Task[bytes | UnfetchedError]] = OrderedDict()

    async def fetch(self, file: Sent, group: asyncio.TaskGroup) -> bytes:
        """Return a file's bytes.

        Raises:
            NotWrittenError: Not yet: Slack must send the event again.
            UnfetchedError: Never.
        """
        if file.size > FILE_MAX:
            raise UnfetchedError(f"{file.name} has {file.size:,} bytes; I take up to {FILE_MAX:,}.")
        if not self._safe(file.url):
            raise UnfetchedError(f"{file.name} does not lie at Slack, so I did not fetch it. Upload it here.")
        task = self._fetching.get(file.id)
        if task is None or task.cancelled():
            task = self._fetching[file.id] = group.create_task(self._get(file))
            while len(self._fetching) > KEPT_MAX:
                self._fetching.popitem(last=False)[1].cancel()
        done, _ = await asyncio.wait([task], timeout=WAIT_S)
        if not done:
            raise NotWrittenError(f"{file.name} is still being fetched.")
        self._fetching.pop(file.id, None)
        content = task.result()
        if isinstance(content, UnfetchedError):
            raise content
        return content

    def _safe(self, url: str) -> bool:
        """Whether our token may go there."""
        try:
            target, api = urlsplit(url), urlsplit(self._wire.base_url)
            host = target.hostname or ""
        except ValueError:
            return False
        if host and host == api.hostname:
            return target.scheme == api.scheme
        return target.scheme == "https" and any(host == name or host.endswith(f".{name}") for name in HOSTS)

    async def _get(self, file: Sent) -> bytes | UnfetchedError:
        try:
            async with self._wire.session().get(
                file.url, headers={"Authorization": f"Bearer {self._token}"}, allow_redirects=False
            ) as response:
                if response.status != 200 or _sign_in_page(response, file):  # noqa: PLR2004
                    return UnfetchedError(
                        f"{file.name} could not be fetched (HTTP {response.status}). Does the app have files:read?"
                    )
                content = await response.content.read(FILE_MAX + 1)
                while len(content) <= FILE_MAX and (more := await response.content.read(FILE_MAX + 1 - len(content))):
                    content += more
        except (TimeoutError, OSError, ValueError, aiohttp.ClientError) as error:
            return UnfetchedError(f"{file.name} could not be fetched ({type(error).__name__}). Send it again.")
        if len(content) > FILE_MAX:
            return UnfetchedError(f"{file.name} is larger than {FILE_MAX:,} bytes.")
        return content


def _sign_in_page(response: aiohttp.ClientResponse, file: Sent) -> bool:
    """Without the right scope Slack answers 200 with its sign-in page."""
    return response.content_type == "text/html" and "html" not in file.media_type
