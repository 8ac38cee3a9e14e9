"""Overwrites our words in chats once they were forgotten: the same message, with what history says now.

Slack lets a bot change its own messages, Telegram too and without a limit of age (deleting has one of 48 hours), so they
are overwritten and not deleted. What the operator wrote there, and files that were sent, are out of a bot's reach: the
card that asks says so. A platform that is away is tried again, also after a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping

from bot.channels.base import Card, Channel, Message, UndeliverableError
from bot.state import TaskState
from memory import shown
from memory.database import Database, StorageError
from memory.erased import MARK
from memory.events import Place

log = logging.getLogger("soloist.copies")

AGAIN_S = 60.0  # between two rounds while a platform is away
GONE = MARK
WHOLE_MAX = 2000  # characters that stand in one message on every platform, so that one takes the place of one


class Copies:
    """What stands in chats. One a house; `run` overwrites what is due."""

    def __init__(
        self,
        database: Database,
        channels: Mapping[str, Channel],
        state: Callable[[int], TaskState],
        card: Callable[[str], Card | None],
    ) -> None:
        """Take what it overwrites, and what says what stands there now."""
        self._database = database
        self._channels = channels
        self._state = state
        self._card = card
        self._poke = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def poke(self) -> None:
        """Something is due. From any thread; before `run` it is found at the start."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._poke.set)

    async def run(self, tell: Callable[[str], Awaitable[None]]) -> None:
        """Overwrite what is due now and whenever something falls due, until cancelled."""
        del tell
        self._loop = asyncio.get_running_loop()
        while True:
            self._poke.clear()
            left = await self.overwrite()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_S if left else None):
                    await self._poke.wait()

    async def overwrite(self) -> int:
        """Overwrite every place that is due; return how many could not be reached."""
        try:
            with self._database.read() as tx:
                waiting = shown.due(tx)
            ended = [each for each in waiting if await self._over(each)]
            await self._database.write(lambda tx: shown.done(tx, ended))
        except StorageError as error:
            log.warning("What was forgotten still stands in chats: %s", error)
            return 1
        return len(waiting) - len(ended)

    async def _over(self, place: shown.Standing) -> bool:
        channel = self._channels.get(place.channel)
        if channel is None:
            return True  # the operator took the channel away: nobody can reach it any more
        where = Place(channel=place.channel, conversation=place.conversation, thread=place.thread)
        try:
            await self._say_over(channel, where, place)
        except UndeliverableError as error:
            return error.forever
        return True

    async def _say_over(self, channel: Channel, where: Place, place: shown.Standing) -> None:
        card = self._card(place.what)
        if card is not None and card.state in {"pending", "snoozed"}:
            await channel.settle(where, place.ref, card)
            return
        said = self._state(place.task).said.get(place.what)
        if said is not None and GONE not in said.text:
            return  # nothing of it was struck
        refs = place.ref.split(",")
        now = said.text if said is not None and len(refs) == 1 and len(said.text) < WHOLE_MAX else GONE
        for number, ref in enumerate(refs):
            # Each by itself: what was long is short now, and no part of what was read may stay.
            over = Message(f"{place.what}.over{number}", now, "notice", instead=ref)
            await channel.say(where, over)
