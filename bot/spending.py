"""What models have cost, kept in history: every call is a line, and the day's sum survives a restart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import select

from agents.budget import Allowance, Limit, MemoryLedger, Reservation, Scope, Spent, Wanted, Warned
from memory.events import ModelCalled, Origin
from memory.line import stamp
from memory.log import Log, events, read_line
from memory.projections import tasks


class SpendingLedger(MemoryLedger):
    """`agents.budget.Ledger` over the log.

    Reservations live in memory: they bound what is under way in this process. What was spent is read back from history
    at start, so a crash can hide at most the calls that were in flight.
    """

    def __init__(
        self,
        allowance: Allowance,
        now: Callable[[], datetime],
        zone: ZoneInfo,
        log: Log,
        write: Callable[[int, ModelCalled], None],
    ) -> None:
        super().__init__(allowance, now, zone)
        self._write = write
        self.spent = _spent_since(log, now().astimezone(zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0))

    async def settle(self, reservation: Reservation, called: ModelCalled) -> Sequence[Warned]:
        """See `agents.budget.Ledger.settle`."""
        task = reservation.wanted.task
        self._write(int(task) if task.isdecimal() else 0, called)
        return await super().settle(reservation, called)

    def lines(self) -> list[str]:
        """Return what models have cost of what they may, for whoever asks how the budget stands."""
        nobody = Wanted("", "", Origin.SYSTEM, "", Decimal(0), 0)
        used = self._used(nobody)
        return [
            f"Models {name}: {used[scope].usd:.2f} of {_usd(limit)}, {used[scope].tokens:,} tokens"
            for name, scope, limit in (
                ("today", Scope.DAY, self.allowance.day),
                ("this month", Scope.MONTH, self.allowance.month),
            )
        ]


def _usd(limit: Limit) -> str:
    return "no limit" if limit.usd is None else f"{limit.usd:.2f} USD"


def _spent_since(log: Log, since: datetime) -> list[Spent]:
    query = (
        select(events, tasks.c.origin)
        .join(tasks, tasks.c.id == events.c.task, isouter=True)
        .where(events.c.type == "ModelCalled", events.c.at >= stamp(since))
    )
    found = []
    with log.database.read() as connection:
        for row in connection.execute(query):
            line = read_line(row)
            assert isinstance(line.event, ModelCalled)
            origin = Origin(row.origin) if row.origin else Origin.SYSTEM
            found.append(Spent(line.event, line.at, str(line.task), line.event.agent, origin))
    return found
