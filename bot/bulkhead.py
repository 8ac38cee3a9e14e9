"""Who waits for a place at a service, and is let in as soon as one is free.

How many actions of a service may be under way is declared (`connectors.base.Action.at_once`) and counted in the books;
whoever finds no place waits as a wake-up, before anything of it has left (``deciding/starting.py``). Here is only
remembered who that is. What a crash makes us forget is read from the outbox again.
"""

from __future__ import annotations

import logging
from collections import defaultdict, deque

from sqlalchemy import select

from bot.channels.base import NotWrittenError
from bot.chronicle import Chronicle, Outcome
from bot.deciding.starting import TURN
from bot.effects import Wake, unpack
from bot.staff import Staff
from connectors.base import AT_ONCE, room_of
from memory.events import BecameUnknown, Confirmed, Failed, Queued, Sending, WokeUp
from memory.log import orders

log = logging.getLogger("soloist.bulkhead")


class Bulkhead:
    """The queue before each service, first come, first served."""

    def __init__(self, staff: Staff, chronicle: Chronicle) -> None:
        self._staff = staff
        self._chronicle = chronicle
        self._waiting: defaultdict[str, deque[tuple[int, str, Wake]]] = defaultdict(deque)

    def heed(self, outcome: Outcome) -> list[str]:
        """Take down who waits since this commit; return the rooms in which it has made a place free for somebody."""
        for key, order in outcome.orders:
            if isinstance(order, Wake):
                self._take_down(outcome.task, key, order)
        if not self._waiting:
            return []
        ended = [
            each.event.effect for each in outcome.lines if isinstance(each.event, Confirmed | Failed | BecameUnknown)
        ]
        effects = self._chronicle.state(outcome.task).effects if ended else {}
        rooms = [room_of(effects[effect].prepared.call.name) for effect in ended]
        return [room for room in rooms if room in self._waiting]

    def take_up(self) -> list[str]:
        """Read from the outbox who waited when the process before this one ended; return a room for each free place."""
        query = select(orders).where(orders.c.kind == "Wake", orders.c.body.contains('"room"'))
        with self._staff.database.read() as connection:
            rows = [(row.task, row.id, unpack(row.body)) for row in connection.execute(query)]
        for task, key, order in rows:
            assert isinstance(order, Wake)
            self._take_down(task, key, order)
        return [room for room in self._waiting for _ in range(AT_ONCE)]

    async def let_in(self, room: str) -> None:
        """Begin what has waited longest; whoever is held up by something else makes way for the next."""
        while queue := self._waiting.get(room):
            task, key, wake = queue.popleft()
            if not queue:
                del self._waiting[room]
            try:
                outcome = await self._chronicle.answer(task, WokeUp(order=key, reason=TURN, data=wake.data))
            except NotWrittenError as error:
                log.warning("task %s: %s It goes on waiting.", task, error)
                self._waiting[room].appendleft((task, key, wake))
                return
            events = [line.event for line in outcome.lines]
            if any(isinstance(event, Sending) or (isinstance(event, Queued) and event.room) for event in events):
                return

    def _take_down(self, task: int, key: str, order: Wake) -> None:
        if order.reason == TURN and order.data.get("room"):
            self._waiting[str(order.data["room"])].append((task, key, order))
