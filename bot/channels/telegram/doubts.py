"""Each message once, also when Telegram's answer to it was lost.

Telegram has no idempotency key, and a bot cannot read a chat back. But it can edit what it sent: so before something is
sent again whose answer was lost, the messages that may be it are edited to what it says. "Message is not modified"
means that it stands there already. Message ids of one bot's private chats are one rising series (seen, not documented),
so only the few after the newest one we knew come into question; those we know to be something else are left alone.

What stays open: a process that was killed between sending and writing it down knows no newest id. Its words may then
come twice, never a decision: a press counts once, wherever it is pressed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Protocol

from bot.channels.telegram.wire import UnreachableError

AHEAD = 5  # ids looked at beyond the newest known: what the operator and the delegates wrote meanwhile
LOOK_MAX = 40  # ids looked at for one message
KNOWN_MAX = 1000


class Stands(Protocol):
    """Whether a message of ours says exactly this; a message of ours that says something else is made to say it."""

    async def __call__(self, chat: int, message: int) -> bool:
        """Return False when there is no such message, or it is not ours."""
        ...


class Doubts:
    """What was sent and never answered, and which ids are known."""

    def __init__(self) -> None:
        self._newest = 0
        self._known: OrderedDict[tuple[int, int], None] = OrderedDict()
        self._since: OrderedDict[str, int] = OrderedDict()  # what is in doubt → the newest id before it was sent

    def saw(self, chat: int, message: int) -> None:
        """Take note of a message that stands in a chat, whoever wrote it."""
        self._newest = max(self._newest, message)
        self._known[chat, message] = None
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)

    async def once(self, chat: int, what: str, send: Callable[[], Awaitable[int]], stands: Stands) -> int:
        """Send, unless it stands there from an attempt whose answer was lost; return its id.

        Args:
            what: Names this message among all others, the same at every attempt.

        Raises:
            WireError: as ``send`` or ``stands`` does; after `UnreachableError` the doubt is remembered.
        """
        since = self._since.get(what)
        sent = None if since is None else await self._look(chat, since, stands)
        if sent is None:
            self._since.setdefault(what, self._newest)
            while len(self._since) > KNOWN_MAX:
                self._since.popitem(last=False)
            try:
                sent = await send()
            except UnreachableError:
                raise
            except BaseException:
                self._since.pop(what, None)  # Telegram said no, so it certainly does not stand there
                raise
        self._since.pop(what, None)
        self.saw(chat, sent)
        return sent

    async def _look(self, chat: int, since: int, stands: Stands) -> int | None:
        if not since:
            return None
        last = min(since + LOOK_MAX, max(since, self._newest) + AHEAD)
        for message in range(since + 1, last + 1):
            if (chat, message) not in self._known and await stands(chat, message):
                return message
        return None
