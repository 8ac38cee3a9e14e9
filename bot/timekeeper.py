"""The clock: wake-ups, schedules, the digest's hour and the daily anchor, each once, also over restarts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import datetime, timedelta

from bot import schedules
from bot.channels.base import NotWrittenError
from bot.chronicle import Chronicle
from bot.effects import Wake, unpack
from bot.staff import Staff
from memory.events import HourStruck, WokeUp
from memory.line import stamp
from memory.projections import Books

log = logging.getLogger("soloist.timekeeper")

SCHEDULES_PER_TICK_MAX = 400  # periods of one schedule caught up with at once: a year of a daily one
SWEEP_S = 30.0  # finds what a wake-up missed, also after the clock jumped


class Timekeeper:
    """Does what falls due. `alarm` is set when something new may be due sooner than was thought."""

    def __init__(self, staff: Staff, chronicle: Chronicle) -> None:
        self._staff = staff
        self._chronicle = chronicle
        self._served = ""  # the day whose digest hour was seen to
        self.alarm = asyncio.Event()

    async def tick(self) -> None:
        """Do what has fallen due by now. The clock calls it; tests call it with a frozen one."""
        now = self._staff.now()
        for task, row in self._staff.log.due_orders(now):
            order = unpack(row.body)
            if isinstance(order, Wake):
                await self._chronicle.answer(
                    task, WokeUp(order=row.id, reason=order.reason, data=order.data), actor="clock"
                )
        await self._strike(now)

    async def _strike_schedules(self, now: datetime) -> None:
        """Fire every declared period that has fallen due, each once; what came while we were away comes one by one."""
        for _ in range(SCHEDULES_PER_TICK_MAX):
            with self._staff.database.read() as connection:
                standing = Books(connection).all(schedules.KIND)
            fired = [
                await self.struck(f"{schedules.PREFIX}{each.key}", period)
                for each in standing
                if (period := schedules.due(each.data, now))
            ]
            if not any(fired):
                return

    async def _strike(self, now: datetime) -> None:
        await self._strike_schedules(now)
        local = now.astimezone(self._staff.zone)
        if local.time() < self._staff.policy.digest_at:
            return
        period = local.date().isoformat()
        if self._served == period:
            return
        since = self._staff.log.fact("began")
        due = local.replace(
            hour=self._staff.policy.digest_at.hour, minute=self._staff.policy.digest_at.minute, second=0, microsecond=0
        )
        if since and since <= stamp(due):
            await self.struck("digest", period)
            await self._strike_reviews(since, local)
        self._staff.log.anchor(period)  # chains the heads of all tasks, so that a line cut off an end shows too
        self._served = period

    async def _strike_reviews(self, since: str, local: datetime) -> None:
        """The week's and the month's review, on the first day we are there; not of a week before there was a house."""
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        week, year = local.isocalendar().week, local.isocalendar().year
        if since <= stamp(midnight - timedelta(days=local.weekday())):
            await self.struck("week", f"{year}-W{week:02d}")
        if since <= stamp(midnight.replace(day=1)):
            await self.struck("month", f"{local:%Y-%m}")

    async def run(self) -> None:
        """Wait for the next thing that falls due, do it, and so on until cancelled."""
        while True:
            self.alarm.clear()
            due = self._staff.log.next_due(self._staff.now())
            wait = SWEEP_S if due is None else min(SWEEP_S, max(0.0, (due - self._staff.now()).total_seconds()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait + 0.001):
                    await self.alarm.wait()
            try:
                await self.tick()
            except NotWrittenError as error:
                log.warning("The clock could not write: %s", error)
                await asyncio.sleep(1.0)

    async def struck(self, name: str, period: str) -> bool:
        """A schedule fell due; returns False when this period was served before, also by an earlier process."""
        event = HourStruck(name=name, period=period)
        outcome = await self._chronicle.enter("clock", name, period, event, "clock")
        return outcome.fresh
