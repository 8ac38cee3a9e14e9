"""Reads our own history: what the console looks through, and the answers to /approvals, /stuck, /why and the like.

Nothing here changes anything, and everything said here comes from lines and projections on disk.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, or_, select

from agents.base import money
from bot import approvals, batch, grants, guide, habits, plans
from bot.approvals import View
from bot.channels.base import Card, Home
from bot.channels.web.window import TaskLine, TimelineLine, Turn
from bot.digest import Day, compose, review
from bot.effects import Wake, unpack
from bot.figures import money_words
from bot.policy import Policy, grants_in_force
from bot.reviews import Reviews
from bot.state import TaskState, believe
from bot.telling import headline, timeline, told, who, why
from connectors.base import Action, Json
from memory.database import Database
from memory.events import (
    Answered,
    Attachment,
    Choice,
    Granted,
    HourStruck,
    MessageReceived,
    Said,
)
from memory.files import FileStore
from memory.line import stamp, unstamp
from memory.log import HOUSE, Log, orders
from memory.projections import Books, cards, effects, tasks, turns

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
        self._reviews = Reviews(
            database,
            files,
            zone,
            now,
            actions=lambda: self.actions,
            company=lambda: self.company,
            state=lambda task: self.state(task),  # noqa: PLW0108 - the house sets it later
            troubles=lambda: self.troubles(),  # noqa: PLW0108 - likewise
        )

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
            TimelineLine(line.at, who(line), what, detail)
            for line in self._log.lines(int(task_id))
            for what, detail in told(line, self.actions)
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
            coming = _meetings(books, now, now + ahead)
        for row in wakes:
            order = unpack(row.body)
            if isinstance(order, Wake) and order.reason == "reminder":
                coming.append((order.due, str(order.data.get("text"))))
        return Day(
            day=today,
            since=words,
            done=self._reviews.done(since, now),
            waiting=[*((card.id, headline(card)) for card in self.waiting()), *self.asking()],
            stuck=self.stuck_lines(),
            overdue=overdue,
            receivable={currency: amount for currency, amount in receivable.items() if amount},
            received=self._reviews.received(since, now),
            coming=[f"{self._when(at)}: {what}" for at, what in sorted(coming)],
            paused=sorted(self.state(HOUSE).paused),
            attention=self._reviews.attention(),
            model_usd=self._reviews.models(stamp(since), stamp(now + timedelta(seconds=1)))[1],
        )

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
                text, drawn = self._reviews.of_days(str(days))
                return _answered(text, files=drawn)
            case "digest" if isinstance(state.heard, MessageReceived) and (
                asked := re.search(r"\b(week|month)", state.heard.text, re.IGNORECASE)
            ):
                return _answered(review(self._reviews.span(asked[1].lower())), files=self._reviews.picture())
            case "digest":
                buttons = tuple(
                    Choice(label=alarm.label, text=alarm.do) for alarm in self._reviews.alarms()[:ALARMS_MAX]
                )
                if ready := [card for card in self.waiting() if card.kind == "approval"]:
                    many = f"Approve these {len(ready)}…" if len(ready) > 1 else f"Approve {ready[0].id}…"
                    buttons = (Choice(label=many, text="approve all"), *buttons)
                return _answered(compose(self.day(self._last_digest(state))), buttons, self._reviews.picture())
            case "week" | "month":
                return _answered(review(self._reviews.span(question)), files=self._reviews.picture())
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
            f"{key}: {grant.action} {f'for {grant.client}' if grant.client or not grant.exactly else 'as planned'}"
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
                (each.key, name, habits.words(each.key, name, value, ""), [])
                for each in books.all(habits.PREFERENCE)
                if each.key.startswith(habits.PLAYBOOK)
                for name, value in habits.of_playbook(each.data).items()
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
        lines = [f"- {card.id}: {headline(card)}" for card in waiting]
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
        if question == "timeline":
            return timeline(self.state(task), self._log.lines(task), self._view())
        return self.why(task)

    def why(self, task: int) -> str:
        """Return what led to what in a task."""
        return why(self.state(task), self.explained(str(task)), self._view())

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


def _meetings(books: Books, since: datetime, until: datetime) -> list[tuple[datetime, str]]:
    """Return the meetings on our books that begin in a time: when, and what."""
    booked = [
        each.data for each in books.all("meeting") if each.data.get("status") == "booked" and each.data.get("start")
    ]
    starts = [(datetime.fromisoformat(str(data["start"])), str(data.get("title", "meeting"))) for data in booked]
    return [(start, title) for start, title in starts if since <= start <= until]


def _waits(state: TaskState) -> bool:
    """Whether a task waits by itself: a step for its time, or for what it hangs on."""
    return any(isinstance(order, Wake) for order in state.open.values())


def _asks(state: TaskState) -> str:
    """Return what of a task waits for words of the operator, "" when nothing does."""
    if state.status not in {"done", "failed", "cancelled"} and plans.held(state):
        return "a plan waits for your go"
    return "a question waits for your answer" if "asked" in state.steps.values() else ""
