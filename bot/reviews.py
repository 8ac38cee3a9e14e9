"""Looks back on a stretch of time: a day that is over, a week, a month; and on what wants attention now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import select

from agents import analytics, monitor
from agents.monitor import Alarm
from bot.agreement import EDITED, REJECTED, UNCHANGED, UNDONE
from bot.approvals import doing_such
from bot.desk import WorkDesk, no_model, recall_nothing
from bot.digest import Span, looked_back, review
from bot.state import TaskState
from connectors.base import Action
from memory.database import Database
from memory.events import Attachment, ModelCalled, Origin
from memory.files import FileStore
from memory.line import stamp
from memory.log import events, read_line
from memory.projections import Books, decisions, effects


@dataclass(frozen=True)
class Reviews:
    """What was done, paid, decided and spent between two moments.

    Attributes:
        actions, company, state, troubles: Asked for when they are needed: the house has them once it is built.
    """

    database: Database
    files: FileStore
    zone: ZoneInfo
    now: Callable[[], datetime]
    actions: Callable[[], Mapping[str, Action]]
    company: Callable[[], Mapping[str, str]]
    state: Callable[[int], TaskState]
    troubles: Callable[[], Sequence[str]]

    def done(self, since: datetime, until: datetime) -> list[str]:
        """Return what was done in a time, in the words of its receipts."""
        query = select(effects).where(
            effects.c.status == "confirmed", effects.c.at >= stamp(since), effects.c.at <= stamp(until)
        )
        with self.database.read() as connection:
            return [row.text for row in connection.execute(query.order_by(effects.c.at, effects.c.id))]

    def received(self, since: datetime, until: datetime) -> dict[str, Decimal]:
        """Return what was paid in a time, by currency."""
        received: dict[str, Decimal] = {}
        with self.database.read() as connection:
            for payment in Books(connection).all("payment"):
                amount, _, currency = str(payment.data.get("amount", "")).partition(" ")
                if since <= payment.at <= until and currency:
                    received[currency] = received.get(currency, Decimal(0)) + Decimal(amount)
        return received

    def of_days(self, days: str) -> tuple[str, tuple[Attachment, ...]]:
        """Return what was done on a day, or in a stretch of days like ``"2026-03-01/2026-03-07"``: words and a chart."""
        first, _, last = days.partition("/")
        begin = datetime.fromisoformat(first).replace(tzinfo=self.zone)
        end = datetime.fromisoformat(last or first).replace(tzinfo=self.zone) + timedelta(days=1)
        now = self.now()
        if begin > now:
            return "That is still to come. /agenda tells what is planned.", ()
        one = f"{begin:%A}, {begin.day} {begin:%B %Y}"
        title = (
            one
            if end - begin <= timedelta(days=1)
            else f"{begin.day} {begin:%B} to {min(end, now) - timedelta(seconds=1):%-d %B %Y}"
        )
        if end - begin <= timedelta(days=1):
            return looked_back(title, self.done(begin, end), self.received(begin, end)), ()
        return review(self._between(title, begin, end)), self.picture()

    def attention(self) -> list[str]:
        """Return what wants attention, models that cannot be asked first."""
        return [*self.troubles(), *(alarm.text for alarm in self.alarms())]

    def models(self, begin: str, end: str) -> tuple[int, Decimal]:
        """Return how many answers models gave in a time, and what they cost in US dollars."""
        asked = select(events).where(events.c.type == "ModelCalled", events.c.at >= begin, events.c.at < end)
        with self.database.read() as connection:
            made = [read_line(row).event for row in connection.execute(asked)]
        costs = [Decimal(event.cost_usd) for event in made if isinstance(event, ModelCalled)]
        return len(costs), sum(costs, Decimal(0))

    def alarms(self) -> tuple[Alarm, ...]:
        """Return what wants attention, the most pressing first."""
        return monitor.alarms(self._desk())

    def picture(self) -> tuple[Attachment, ...]:
        """Return the chart below a letter, none where there is nothing to draw."""
        drawn = analytics.picture(self._desk())
        return (drawn,) if drawn else ()

    def _desk(self) -> WorkDesk:
        """The books as the monitor and the analyst see them; nobody thinks here."""
        return WorkDesk(
            now=self.now(), zone=self.zone, files=self.files, company=self.company(), database=self.database, actions={},
            connectors={}, recall_with=recall_nothing, think_with=no_model, task="", agent="monitor",
            origin=Origin.SYSTEM,
        )  # fmt: skip

    def span(self, name: str) -> Span:
        """Return what the review of a week or a month is made from: the one before now."""
        local = self.now().astimezone(self.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        until = local - timedelta(days=local.weekday()) if name == "week" else local.replace(day=1)
        since = until - timedelta(days=7) if name == "week" else (until - timedelta(days=1)).replace(day=1)
        week = f"Week {since.isocalendar().week} of {since.isocalendar().year}"
        return self._between(week if name == "week" else f"{since:%B %Y}", since, until)

    def _between(self, title: str, since: datetime, until: datetime) -> Span:
        begin, end = stamp(since), stamp(until)
        done: Counter[str] = Counter()
        decided: dict[str, int] = dict.fromkeys((UNCHANGED, EDITED, REJECTED, UNDONE), 0)
        troubled = 0
        calls, usd = self.models(begin, end)
        with self.database.read() as connection:
            for row in connection.execute(select(effects).where(effects.c.at >= begin, effects.c.at < end)):
                if row.status in {"confirmed", "compensated"}:
                    done[self._such(row.task, row.id)] += 1
                troubled += row.status in {"failed", "unknown"}
            inside = select(events.c.n).where(events.c.at >= begin, events.c.at < end)
            for row in connection.execute(select(decisions.c.how).where(decisions.c.n.in_(inside))):
                decided[row.how] += 1
            books = Books(connection)
            receivable = {currency: amount for currency, amount in books.balance("assets:receivable").items() if amount}
        return Span(
            title=title, done=done, troubled=troubled, decided=decided, receivable=receivable,
            received=self.received(since, until),
            model_calls=calls, model_usd=usd, attention=self.attention(),
        )  # fmt: skip

    def _such(self, task: int, effect: str) -> str:
        call = self.state(task).effects[effect].prepared.call
        return call.name if call.name == "books.write" else doing_such(call, self.actions())
