"""Reads our own history: what the console looks through, and the answers to /approvals, /stuck, /why and the like.

Nothing here changes anything, and everything said here comes from lines and projections on disk.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, or_, select

from agents import analytics, monitor
from agents.base import money
from agents.monitor import Alarm
from bot import approvals, batch, grants, guide, habits, plans
from bot.agreement import EDITED, REJECTED, UNCHANGED, UNDONE
from bot.approvals import View
from bot.channels.base import Card, Home
from bot.channels.web.window import TaskLine, TimelineLine, Turn
from bot.desk import WorkDesk, no_model, recall_nothing
from bot.digest import Day, Span, compose, looked_back, review
from bot.effects import Wake, unpack
from bot.explaining import why_lines
from bot.figures import money_words
from bot.policy import Policy, grants_in_force
from bot.state import TaskState, believe
from connectors.base import Action, Json, Role
from memory.database import Database
from memory.events import (
    Answered,
    Attachment,
    BecameUnknown,
    CardOpened,
    Choice,
    Compensated,
    Confirmed,
    Delivered,
    Dropped,
    Ended,
    Failed,
    Granted,
    HourStruck,
    ItemArrived,
    MessageReceived,
    ModelCalled,
    Origin,
    Planned,
    Posted,
    Prepared,
    Pressed,
    Proposed,
    Queued,
    Recorded,
    Said,
    Sending,
    Settled,
    Snoozed,
    Understood,
    WokeUp,
)
from memory.files import FileStore
from memory.line import Line, stamp, unstamp
from memory.log import HOUSE, Log, events, orders, read_line
from memory.projections import Books, cards, decisions, effects, tasks, turns

READ_BY = {
    "command": "its command",
    "phrasebook": "what you taught me",
    "pattern": "its exact form",
    "local": "likeness to sentences I know",
    "small": "a small model",
}
STANDS: Mapping[str, str] = {
    "prepared": "not begun",
    "sending": "on its way",
    "confirmed": "done",
    "failed": "failed",
    "unknown": "nobody knows whether it arrived",
    "dropped": "not done",
    "compensated": "done, and taken back",
}
"""How an effect stands, in words."""
ROUSED = {
    "window": "the undo window is over",
    "retry": "the time to try again has come",
    "expire": "the card's time is over",
    "remind": "time to remind of the card",
    "snooze": "the card is back",
    "resumed": "going on after a stop",
    "stopped": "the task was stopped",
    "reminder": "the reminder is due",
    "look": "time to look whether it arrived",
    "interrupted": "a restart came in between",
    "restored": "a backup was put in place",
    "answer": "an answer came",
}
"""Why a task woke up, in words."""
LISTED_MAX = 20
ALARMS_MAX = 3  # buttons under a digest
STUCK_AFTER = timedelta(minutes=5)


class History:
    """Everything that can be asked about what happened. One per process; safe from any thread."""

    def __init__(
        self,
        database: Database,
        log: Log,
        files: FileStore,
        *,
        secret: bytes,
        zone: ZoneInfo,
        policy: Policy,
        now: Callable[[], datetime],
        help_lines: Sequence[tuple[str, str]] = (),
        actions: Mapping[str, Action] | None = None,
    ) -> None:
        self._database = database
        self._log = log
        self._files = files
        self._secret = secret
        self._zone = zone
        self._policy = policy
        self._now = now
        self._help = tuple(help_lines)
        self.actions: Mapping[str, Action] = actions or {}
        self.company: Mapping[str, str] = {}
        self.examples: Mapping[str, Sequence[str]] = {}  # how a command is said in words
        self.message: Callable[[Said], Any] = lambda said: said
        self.state: Callable[[int], TaskState] = lambda task: believe(task, log.lines(task))
        self.explained: Callable[[str], Sequence[Mapping[str, Any]]] = lambda _: ()  # `ExplainLog.of_task`
        self.spending: Callable[[], Sequence[str]] = list  # what models have cost: `SpendingLedger.lines`
        self.troubles: Callable[[], Sequence[str]] = tuple  # models that cannot be asked: `Gateway.troubles`

    def _view(self) -> View:
        return View(self.actions, self._secret, self._zone, self._now())

    def _when(self, moment: datetime) -> str:
        return approvals.clock_text(moment, self._view())

    # ── the console's window ──────────────────────────────────────────────────────────────────────────────────────

    def history(self, limit: int, before: int | None = None) -> Sequence[Turn]:
        """See `bot.channels.web.window.Window.history`."""
        query = select(turns).order_by(turns.c.n.desc()).limit(limit)
        if before is not None:
            query = query.where(turns.c.n < before)
        with self._database.read() as connection:
            found = connection.execute(query).all()
        return [turn for row in reversed(found) if (turn := self._turn(row)) is not None]

    def _turn(self, row: Any) -> Turn | None:
        state = self.state(row.task)
        at, task = unstamp(row.at), str(row.task)
        if row.kind == "heard" and isinstance(state.heard, MessageReceived):
            heard = state.heard
            who = "operator" if heard.place.channel in {"web", "console"} else heard.place.channel
            return Turn(row.n, at, who, text=heard.text, files=heard.files, task=task)
        if row.kind == "said" and row.ref in state.said:
            return Turn(row.n, at, "soloist", message=self.message(state.said[row.ref]), task=task)
        if row.kind == "card" and row.ref in state.cards:
            return Turn(row.n, at, "soloist", card=approvals.render(state, row.ref, self._view()), task=task)
        return None

    def home(self) -> Home:
        """See `bot.channels.web.window.Window.home`."""
        day = self.day(ahead=timedelta(days=7))
        return Home(
            waiting=tuple(self.waiting()),
            stuck=tuple(day.stuck),
            money=tuple(_money_lines(day)),
            budget=tuple(self.budget_lines()),
            next=tuple(day.coming),
            paused=tuple(day.paused),
        )

    def tasks(self, limit: int) -> Sequence[TaskLine]:
        """See `bot.channels.web.window.Window.tasks`."""
        query = select(tasks).where(tasks.c.id != HOUSE).order_by(tasks.c.at.desc(), tasks.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            return [TaskLine(str(row.id), row.title, row.status, unstamp(row.at)) for row in connection.execute(query)]

    def timeline(self, task_id: str) -> Sequence[TimelineLine]:
        """See `bot.channels.web.window.Window.timeline`."""
        if not task_id.isdecimal():
            return []
        return [
            TimelineLine(line.at, _who(line), what, detail)
            for line in self._log.lines(int(task_id))
            for what, detail in _told(line, self.actions)
        ]

    def file(self, sha256: str) -> tuple[bytes, str, str]:
        """See `bot.channels.web.window.Window.file`."""
        content = self._files.get(sha256)
        pdf = content.startswith(b"%PDF-")
        return (
            content,
            f"{sha256[:12]}{'.pdf' if pdf else ''}",
            "application/pdf" if pdf else "application/octet-stream",
        )

    # ── lists ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def waiting(self) -> Iterator[Card]:
        """Yield the cards that wait for somebody, oldest first."""
        query = select(cards.c.id, cards.c.task).where(cards.c.state == "pending", cards.c.kind != "shadow")
        with self._database.read() as connection:
            found = connection.execute(query.order_by(cards.c.task, cards.c.at).limit(LISTED_MAX)).all()
        for row in found:
            yield approvals.render(self.state(row.task), row.id, self._view())

    def stuck_lines(self) -> list[str]:
        """Return what goes on by itself no more: failed, unknown, and sending or unread for too long."""
        late = stamp(self._now() - STUCK_AFTER)
        open_cards = select(cards.c.task).where(cards.c.state == "pending", cards.c.kind.in_(("unknown", "stuck")))
        stands = or_(
            effects.c.status == "unknown",
            and_(effects.c.status == "failed", effects.c.task.in_(open_cards)),
            and_(effects.c.status == "sending", effects.c.at < late),
        )
        lines = []
        with self._database.read() as connection:
            for row in connection.execute(select(effects).where(stands).order_by(effects.c.task).limit(LISTED_MAX)):
                word = {"unknown": "nobody knows whether it arrived", "failed": "failed", "sending": "still sending"}
                lines.append(f"task {row.task}: {row.name} {word[row.status]}. {row.text}".strip())
            idle = select(tasks).where(
                tasks.c.status.in_(("received", "understood", "planned")), tasks.c.at < late, tasks.c.id != HOUSE
            )
            lines += [
                f"task {row.id}: not worked on since {self._when(unstamp(row.at))}: {row.title}"
                for row in connection.execute(idle.limit(LISTED_MAX))
                if not _asks(self.state(row.id)) and not _waits(self.state(row.id))
            ]
        return lines

    def asking(self) -> list[tuple[str, str]]:
        """Return task and what it is about of every plan and question that waits for the operator's words."""
        idle = select(tasks.c.id).where(tasks.c.status.in_(("planned", "running")), tasks.c.id != HOUSE)
        with self._database.read() as connection:
            found = [row.id for row in connection.execute(idle.order_by(tasks.c.id).limit(LISTED_MAX))]
        return [(str(task), f"{what}: {self.state(task).title}") for task in found if (what := _asks(self.state(task)))]

    def budget_lines(self) -> list[str]:
        """Return what is let through today against each limit."""
        lines = []
        with self._database.read() as connection:
            books = Books(connection)
            for limit in self._policy.limits:
                spent = books.spent(self._now() - timedelta(days=limit.days), action=limit.action)
                used = money(spent.get(limit.currency, Decimal(0)), limit.currency).partition(" ")[0]
                lines.append(f"{Decimal(used):,} of {limit.words}")
        return [*lines, *self.spending(), *self.troubles()]

    def day(self, since: datetime | None = None, ahead: timedelta = timedelta(days=1)) -> Day:
        """Return what a digest is made from, since a time (default: 24 hours ago), looking so far ahead."""
        now = self._now()
        words = "since the last digest" if since else "in the last 24 hours"
        since = since or now - timedelta(days=1)
        today = now.astimezone(self._zone).date()
        with self._database.read() as connection:
            books = Books(connection)
            receivable = books.balance("assets:receivable")
            overdue = [
                f"{record.key} {record.data.get('client_name') or record.data.get('client', '')}, "
                f"due {record.data.get('due')}"
                for record in books.all("invoice")
                if record.data.get("status") in {"issued", "sent", "partly_paid", "overdue"}
                and str(record.data.get("due", "9999")) < today.isoformat()
            ]
            wakes = connection.execute(
                select(orders).where(orders.c.kind == "Wake", orders.c.due <= stamp(now + ahead))
            ).all()
        coming = []
        for row in wakes:
            order = unpack(row.body)
            if isinstance(order, Wake) and order.reason == "reminder":
                coming.append(f"{self._when(order.due)}: {order.data.get('text')}")
        return Day(
            day=today,
            since=words,
            done=self._done(since, now),
            waiting=[*((card.id, _headline(card)) for card in self.waiting()), *self.asking()],
            stuck=self.stuck_lines(),
            overdue=overdue,
            receivable={currency: amount for currency, amount in receivable.items() if amount},
            received=self._received(since, now),
            coming=sorted(coming),
            paused=sorted(self.state(HOUSE).paused),
            attention=self._attention(),
            model_usd=self._models(stamp(since), stamp(now + timedelta(seconds=1)))[1],
        )

    def _done(self, since: datetime, until: datetime) -> list[str]:
        """Return what was done in a time, in the words of its receipts."""
        query = select(effects).where(
            effects.c.status == "confirmed", effects.c.at >= stamp(since), effects.c.at <= stamp(until)
        )
        with self._database.read() as connection:
            return [row.text for row in connection.execute(query.order_by(effects.c.at, effects.c.id))]

    def _received(self, since: datetime, until: datetime) -> dict[str, Decimal]:
        """Return what was paid in a time, by currency."""
        received: dict[str, Decimal] = {}
        with self._database.read() as connection:
            for payment in Books(connection).all("payment"):
                amount, _, currency = str(payment.data.get("amount", "")).partition(" ")
                if since <= payment.at <= until and currency:
                    received[currency] = received.get(currency, Decimal(0)) + Decimal(amount)
        return received

    def _looked_back(self, days: str) -> Answered:
        """Answer what was done on a day, or in a stretch of days like ``"2026-03-01/2026-03-07"``."""
        first, _, last = days.partition("/")
        begin = datetime.fromisoformat(first).replace(tzinfo=self._zone)
        end = datetime.fromisoformat(last or first).replace(tzinfo=self._zone) + timedelta(days=1)
        now = self._now()
        if begin > now:
            return _answered("That is still to come. /agenda tells what is planned.")
        one = f"{begin:%A}, {begin.day} {begin:%B %Y}"
        title = (
            one
            if end - begin <= timedelta(days=1)
            else f"{begin.day} {begin:%B} to {min(end, now) - timedelta(seconds=1):%-d %B %Y}"
        )
        if end - begin <= timedelta(days=1):
            return _answered(looked_back(title, self._done(begin, end), self._received(begin, end)))
        return _answered(review(self._between(title, begin, end)), files=self._drawn())

    def _attention(self) -> list[str]:
        return [*self.troubles(), *(alarm.text for alarm in self.alarms())]

    def _models(self, begin: str, end: str) -> tuple[int, Decimal]:
        """Return how many answers models gave in a time, and what they cost in US dollars."""
        asked = select(events).where(events.c.type == "ModelCalled", events.c.at >= begin, events.c.at < end)
        with self._database.read() as connection:
            made = [read_line(row).event for row in connection.execute(asked)]
        costs = [Decimal(event.cost_usd) for event in made if isinstance(event, ModelCalled)]
        return len(costs), sum(costs, Decimal(0))

    def alarms(self) -> tuple[Alarm, ...]:
        """Return what wants attention, the most pressing first."""
        return monitor.alarms(self._desk())

    def _drawn(self) -> tuple[Attachment, ...]:
        drawn = analytics.picture(self._desk())
        return (drawn,) if drawn else ()

    def _desk(self) -> WorkDesk:
        """The books as the monitor and the analyst see them; nobody thinks here."""
        return WorkDesk(
            now=self._now(), zone=self._zone, files=self._files, company=self.company, database=self._database, actions={},
            connectors={}, recall_with=recall_nothing, think_with=no_model, task="", agent="monitor",
            origin=Origin.SYSTEM,
        )  # fmt: skip

    def span(self, name: str) -> Span:
        """Return what the review of a week or a month is made from: the one before now."""
        local = self._now().astimezone(self._zone).replace(hour=0, minute=0, second=0, microsecond=0)
        until = local - timedelta(days=local.weekday()) if name == "week" else local.replace(day=1)
        since = until - timedelta(days=7) if name == "week" else (until - timedelta(days=1)).replace(day=1)
        week = f"Week {since.isocalendar().week} of {since.isocalendar().year}"
        return self._between(week if name == "week" else f"{since:%B %Y}", since, until)

    def _between(self, title: str, since: datetime, until: datetime) -> Span:
        begin, end = stamp(since), stamp(until)
        done: Counter[str] = Counter()
        decided: dict[str, int] = dict.fromkeys((UNCHANGED, EDITED, REJECTED, UNDONE), 0)
        troubled = 0
        calls, usd = self._models(begin, end)
        with self._database.read() as connection:
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
            received=self._received(since, until),
            model_calls=calls, model_usd=usd, attention=self._attention(),
        )  # fmt: skip

    def _such(self, task: int, effect: str) -> str:
        call = self.state(task).effects[effect].prepared.call
        return call.name if call.name == "books.write" else approvals.doing_such(call, self.actions)

    # ── answers ───────────────────────────────────────────────────────────────────────────────────────────────────

    def answer(self, question: str, slots: Mapping[str, Json], now: datetime, state: TaskState) -> Answered:  # noqa: ARG002 - as asked
        """See `bot.staff.Answerer.answer`. Every question of the conductor's `QUESTIONS` has its row."""
        match question:
            case "help":
                return _answered(self.help_text(str(slots.get("about") or "")))
            case "approvals":
                return self._approvals()
            case "batch":
                return self._batch(list(slots.get("cards") or ()))
            case "digest" if isinstance(state.heard, MessageReceived) and (
                days := slots.get("period") or slots.get("past_day")
            ):
                return self._looked_back(str(days))
            case "digest" if isinstance(state.heard, MessageReceived) and (
                asked := re.search(r"\b(week|month)", state.heard.text, re.IGNORECASE)
            ):
                return _answered(review(self.span(asked[1].lower())), files=self._drawn())
            case "digest":
                buttons = tuple(Choice(label=alarm.label, text=alarm.do) for alarm in self.alarms()[:ALARMS_MAX])
                if ready := [card for card in self.waiting() if card.kind == "approval"]:
                    many = f"Approve these {len(ready)}…" if len(ready) > 1 else f"Approve {ready[0].id}…"
                    buttons = (Choice(label=many, text="approve all"), *buttons)
                return _answered(compose(self.day(self._last_digest(state))), buttons, self._drawn())
            case "week" | "month":
                return _answered(review(self.span(question)), files=self._drawn())
            case "stuck":
                lines = self.stuck_lines()
                return _answered(
                    "\n".join(["Stuck:", *(f"- {line}" for line in lines)]) if lines else "Nothing is stuck."
                )
            case "timeline":
                return _answered(self.about_task("timeline", str(slots.get("task") or slots.get("card") or "")))
            case "why":
                return _answered(self.about_task("why", str(slots.get("task") or slots.get("card") or "")))
            case "tasks":
                lines = [f"- {line.id}: {line.title} ({line.state})" for line in self.tasks(LISTED_MAX)]
                return _answered("\n".join(["The newest tasks:", *lines]))
            case "home" | "status":
                return _answered(compose(self.day()))
            case "grants":
                lines = self.grant_lines()
                text = (
                    "\n".join(["In force:", *(f"- {line}" for line in lines)]) if lines else "No grants are in force."
                )
                return _answered(text, grants.endings(list(self._grants_in_force())))
            case "habits":
                return self._habits()
            case "budget":
                lines = self.budget_lines()
                text = (
                    "\n".join(["Limits:", *(f"- {line}" for line in lines)])
                    if lines
                    else "No limits are set in policy.toml, and no model is set up that could cost anything."
                )
                return _answered(text)
            case _:
                return _answered(f"I cannot answer {question!r} yet. /help shows what I can.")

    def grant_lines(self) -> list[str]:
        """Return what is approved in advance, with its bounds and how often it was used."""
        house = self.state(HOUSE)
        return [
            f"{key}: {grant.action} for {grant.client}"
            + (f" up to {grant.amount_max}" if grant.amount_max else "")
            + f", {house.grant_uses.get(key, 0)} of {grant.uses_max} used, until {self._when(grant.expires_at)};"
            f" revoke {key} ends it"
            for key, grant in self._grants_in_force().items()
        ]

    def _grants_in_force(self) -> dict[str, Granted]:
        house = self.state(HOUSE)
        return grants_in_force(house.grants, house.grant_uses, self._now())

    def _habits(self) -> Answered:
        """Return what drafts follow because the operator always had it so, each with a button to end it."""
        with self._database.read() as connection:
            books = Books(connection)
            names = {each.key: str(each.data.get("name") or each.key) for each in books.all("client")}
            kept = [
                (
                    delta.key,
                    name,
                    habits.words(delta.key, name, each["value"], names.get(client, client)),
                    each["cards"],
                )
                for delta in books.all(habits.DELTA)
                for client in [delta.key.partition(":")[2]]
                for name, each in delta.data["fields"].items()
            ] + [
                (each.key, step, habits.words(each.key, step, habits.LEFT_OUT, ""), [])
                for each in books.all(habits.PREFERENCE)
                if each.key.startswith(habits.PLAYBOOK)
                for step in each.data.get("dropped", [])
            ]
        if not kept:
            return _answered("No habits yet. When you change drafts the same way twice, I ask whether to keep it.")
        lines = [f"- {told}" + (f" (from {', '.join(cards[-4:])})" if cards else "") for _, _, told, cards in kept]
        return _answered(
            "\n".join(["Because you always had it so:", *lines]), habits.endings(each[:3] for each in kept)
        )

    def help_text(self, command: str = "") -> str:
        """Return what can be said, on one screen, or all about one command."""
        return guide.about(command, self._help, self.examples) if command else guide.page(self._help)

    def _approvals(self) -> Answered:
        waiting, asking = list(self.waiting()), self.asking()
        if not waiting and not asking:
            return _answered("Nothing waits for you.")
        lines = [f"- {card.id}: {_headline(card)}" for card in waiting]
        lines += [f"- task {task}: {what}" for task, what in asking]
        how = ["", f"approve {waiting[0].id}, reject {waiting[0].id}"] if waiting else []
        return _answered("\n".join([f"{len(lines)} waiting for you:", *lines, *how]))

    def _batch(self, wanted: Sequence[str]) -> Answered:
        ready = [
            (card, self.state(int(card.id.partition(".")[0])).cards[card.id].opened)
            for card in self.waiting()
            if card.kind == "approval" and card.state == "pending" and (card.id in wanted or not wanted)
        ]
        waiting = {card.id for card, _ in ready}
        text, choices = batch.offer(
            [(card, opened.fingerprint) for card, opened in ready if not opened.new_payees],
            [card for card in wanted if card not in waiting],
            [card.id for card, opened in ready if opened.new_payees],
        )
        return _answered(text, choices)

    def about_task(self, question: str, words: str) -> str:
        """Answer "why" or "timeline" about a task or card; no number means the newest that did something."""
        number = words.strip().lstrip("#").partition(".")[0]
        if number.isdecimal():
            task = int(number)
        else:
            busy = (
                line for line in self.tasks(50) if self.state(int(line.id)).cards or self.state(int(line.id)).effects
            )
            newest = next(busy, None)
            if newest is None:
                return "There is no task yet that did something. /tasks lists them."
            task = int(newest.id)
        if not self.state(task).seq:
            return f"There is no task {task}. /tasks lists the newest."
        return self._timeline_text(task) if question == "timeline" else self.why(task)

    def _timeline_text(self, task: int) -> str:
        lines = [f"Task {task}: {self.state(task).title}"]
        for line in self._log.lines(task):
            lines += [
                f"- {line.at.astimezone(self._zone):%d %b %H:%M:%S} {_who(line)}: {what}"
                for what, _ in _told(line, self.actions)
            ]
        return "\n".join(lines)

    def why(self, task: int) -> str:
        """Return what led to what in a task: words, reading, draft, rule, hand, receipt."""
        state = self.state(task)
        lines = [f"Task {task}: {state.title}"]
        if isinstance(state.heard, MessageReceived):
            asked = approvals.who(state.heard.actor).lower()
            lines.append(f"- {asked} asked on {state.heard.place.channel}, {self._when(state.began or self._now())}")
        reading = state.understood
        if reading and reading.intent:
            how = f"read as {reading.intent.replace('_', ' ')!r} by {READ_BY.get(reading.tier, reading.tier)}"
            sure = "" if reading.confidence_pct == 100 else f", {reading.confidence_pct} % sure"  # noqa: PLR2004
            lines.append("- " + "; ".join([how + sure, *reading.evidence, *reading.assumed]))
        for proposed in state.proposed.values():
            lines += [f"- {proposed.agent}: {reason}" for reason in proposed.reasons]
            lines += [f"- it rests on {source.text} ({source.ref})" for source in proposed.sources]
        lines += [f"- {told}" for told in why_lines(self.explained(str(task)))]
        for card in state.cards.values():
            lines.append(f"- card {card.opened.card}: asked because {card.opened.rule}")
            said = {reason for proposed in state.proposed.values() for reason in proposed.reasons}
            lines += [f"- then: {reason}" for reason in card.opened.reasons if reason not in said]
            if card.settled:
                by = approvals.who(card.settled.by)
                lines.append(
                    f"- {by} {card.settled.how} it on {card.settled.by.platform}, {self._when(card.settled_at or self._now())}"
                )
        for effect in state.effects.values():
            rule = f" ({effect.prepared.rule})" if effect.prepared.rule else ""
            what = approvals.doing(effect.prepared.call, self.actions)
            lines.append(f"- {what}{rule}: {STANDS[effect.status]}. {effect.text}".rstrip())
        waiting = [card.opened.card for card in state.pending()]
        if waiting and not state.effects:
            lines.insert(1, f"- nothing was done yet: {_cards(waiting)} for you")
        return "\n".join(lines)

    def _last_digest(self, state: TaskState) -> datetime | None:
        if not isinstance(state.heard, HourStruck):
            return None
        query = select(func.max(tasks.c.began)).where(tasks.c.title.startswith("digest "), tasks.c.id != state.id)
        with self._database.read() as connection:
            last = connection.execute(query).scalar()
        return unstamp(last) if last else None

    # ── pressing by name ──────────────────────────────────────────────────────────────────────────────────────────

    def find_card(self, verb: str, words: str) -> tuple[str, int] | str:
        """See `bot.staff.Answerer.find_card`."""
        if verb == "undo":
            return self._find_undo(words)
        if verb in {"agree", "disagree"}:  # a rehearsal is not among what waits
            return words, int(words.partition(".")[0])
        waiting = list(self.waiting())
        if not waiting:
            return "Nothing waits for you."
        words = words.strip().lstrip("#")
        fits = [card for card in waiting if words in {card.id, card.id.partition(".")[0]}]
        if len(waiting) == 1 and words in {"", "1"}:
            fits = waiting  # the only one there is
        if len(fits) == 1:
            return fits[0].id, int(fits[0].id.partition(".")[0])
        if words and not fits:
            return f"No card {words} waits for you. /approvals lists what does."
        listed = "\n".join(f"- {verb} {card.id}: {card.title}" for card in (fits or waiting))
        return f"Which one?\n{listed}"

    def _find_undo(self, words: str) -> tuple[str, int] | str:
        number = words.strip().lstrip("#").partition(".")[0]
        newest = [int(number)] if number.isdecimal() else [int(line.id) for line in self.tasks(LISTED_MAX)]
        for task in newest:
            state = self.state(task)
            for card in reversed(list(state.cards)):
                if (
                    state.cards[card].state == "approved"
                    and not state.cards[card].opened.compensates
                    and (approvals.undoable(state, card) or any(e.status == "confirmed" for e in state.of_card(card)))
                ):
                    return card, task
            for key in reversed(list(state.effects)):
                effect = state.effects[key]
                if effect.status == "confirmed" and not effect.prepared.card and not effect.prepared.compensates:
                    return key, task
        return "There is nothing to take back."


def _answered(text: str, choices: tuple[Choice, ...] = (), files: tuple[Attachment, ...] = ()) -> Answered:
    return Answered(order="", text=text, choices=choices, files=files)


def _money_lines(day: Day) -> list[str]:
    lines = [f"Unpaid {money_words(money(amount, currency))}" for currency, amount in sorted(day.receivable.items())]
    lines += [f"Received {money_words(money(amount, currency))}" for currency, amount in sorted(day.received.items())]
    return [*lines, *(f"Overdue {line}" for line in day.overdue)]


def _waits(state: TaskState) -> bool:
    """Whether a task waits by itself: a step for its time, or for what it hangs on."""
    return any(isinstance(order, Wake) for order in state.open.values())


def _headline(card: Card) -> str:
    """Name a card in a list: what it does, over how much, for whom."""
    by_label = {row.label: row.value for row in reversed(card.rows)}
    amount = next((row.value for row in card.rows if row.role is Role.AMOUNT), "")
    return ", ".join(filter(None, [card.title, amount, by_label.get("Client") or by_label.get("To", "")]))


def _asks(state: TaskState) -> str:
    """Return what of a task waits for words of the operator, "" when nothing does."""
    if state.status not in {"done", "failed", "cancelled"} and plans.held(state):
        return "a plan waits for your go"
    return "a question waits for your answer" if "asked" in state.steps.values() else ""


def _who(line: Line) -> str:
    name = line.actor.partition(":")[0]
    if name == "agent":
        return line.actor.partition(":")[2]
    return {"web": "you", "console": "you", "slack": "you", "telegram": "you"}.get(name, name)


def _cards(waiting: Sequence[str]) -> str:
    return f"card {waiting[0]} waits" if len(waiting) == 1 else f"cards {', '.join(waiting)} wait"


def _told(line: Line, actions: Mapping[str, Action]) -> Iterator[tuple[str, str]]:  # noqa: PLR0915 - a table
    """Tell one line in words: what happened, and the detail. Plumbing yields nothing."""
    event = line.event
    match event:
        case MessageReceived():
            yield f"said: {event.text}", ""
        case ItemArrived():
            yield f"{event.kind} arrived from {event.service}", event.text
        case HourStruck():
            yield f"the hour of the {event.name} struck", event.period
        case Understood(intent=""):
            yield "not understood, asked back", event.ask
        case Understood():
            yield f"understood as {event.intent} ({event.tier}, {event.confidence_pct} %)", ", ".join(event.evidence)
        case Planned():
            yield f"planned {len(event.steps)} step{'s' * (len(event.steps) != 1)}", event.source
        case Proposed(problem=problem) if problem:
            yield f"could not: {problem}", ""
        case Proposed():
            yield "drafted" if event.calls else "looked it up", "\n".join(event.reasons)
        case CardOpened():
            yield f"card {event.card}, version {event.revision}: {event.title}", event.rule
        case Pressed():
            yield f"pressed {event.verb} on card {event.card} ({event.actor.platform})", event.reason
        case Settled():
            yield f"card {event.card} is {event.how}", event.reason
        case Snoozed():
            yield f"card {event.card} put aside", ""
        case Prepared():
            yield f"may happen: {approvals.doing(event.call, actions)}", event.rule
        case Queued():
            yield f"waits for its turn: {event.reason}", ""
        case Sending():
            yield f"begun: {event.effect}" + (f", attempt {event.attempt}" if event.attempt > 1 else ""), ""
        case Confirmed():
            yield f"done: {event.text}", f"{event.how} {event.ref}".strip()
        case Failed():
            yield ("failed for now: " if event.again_at else "failed: ") + event.reason, ""
        case BecameUnknown():
            yield f"unknown: {event.reason}", ""
        case Dropped():
            yield f"let go ({event.effect}): {event.reason}", ""
        case Compensated():
            yield f"{event.effect} was taken back", ""
        case Recorded():
            yield f"wrote {event.write.kind} {event.write.key}, version {event.version}", ""
        case Posted():
            yield "ledger: " + "; ".join(f"{entry.account} {entry.amount}" for entry in event.entries), ""
        case Said() if event.kind != "answer":
            yield f"told you: {event.text.partition(chr(10))[0]}", ""
        case Delivered():
            yield f"{event.what} shown on {event.place.channel}", ""
        case ModelCalled():
            yield (
                f"asked {event.model} for {event.purpose}",
                f"{event.tokens_in} + {event.tokens_out} tokens, {event.cost_usd} USD",
            )
        case WokeUp():
            yield ROUSED.get(event.reason, event.reason), ""
        case Ended():
            yield f"over: {event.how}", event.summary
        case _:
            return
