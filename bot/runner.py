"""The loop: write down, decide, write down what was decided, do, write down what came of it. And recovery.

All that happens enters by `heard`, `pressed`, `arrived` or `tick`, becomes one event in the history of one task, and is
decided in the transaction that appends it. What was ordered is done after that commit, and its answer enters the same
way. Nothing else in the house has consequences.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import re
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, assert_never
from weakref import WeakValueDictionary
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Table, func, select

from agents import verifier
from agents.base import Agent, Desk, Intent, Proposal, Task, Thought
from bot import approvals, batch, schedules
from bot.approvals import Roster, read_handle
from bot.books import ACTIONS as BOOKS_ACTIONS
from bot.channels.base import (
    Button,
    Card,
    Channel,
    Message,
    NotWrittenError,
    Onlooker,
    RefusedPressError,
    UndeliverableError,
)
from bot.conductor import House, decide
from bot.desk import Recall, Think, WorkDesk, no_model, recall_nothing
from bot.effects import (
    Close,
    Delegate,
    Effect,
    Lasting,
    LookUp,
    Perform,
    Press,
    Record,
    Remember,
    Reply,
    Rouse,
    Show,
    Start,
    Tally,
    Tell,
    Understand,
    Wake,
    pack,
    unpack,
)
from bot.policy import Policy, grants_in_force
from bot.redaction import Redactor
from bot.remembering import RememberError
from bot.state import TaskState, believe, reserved, rows, with_event, with_orders
from connectors.base import (
    Action,
    Connector,
    ConnectorError,
    EffectClass,
    Incoming,
    Json,
    OutcomeUnknownError,
    Receipt,
    TryLaterError,
)
from memory.database import Database, StorageError
from memory.events import (
    Actor,
    Answered,
    Attachment,
    BecameUnknown,
    CardOpened,
    Confirmed,
    Delivered,
    EpochRaised,
    Event,
    Failed,
    HourStruck,
    ItemArrived,
    MessageReceived,
    Origin,
    Place,
    Pressed,
    Proposed,
    Recorded,
    Said,
    Step,
    Understood,
    WokeUp,
    Write,
    fingerprint,
)
from memory.files import FileStore
from memory.line import GENESIS, Line, Ordered, OrderRow, stamp, unstamp
from memory.log import HOUSE, Log, Tx
from memory.projections import BY_NAME, Books, cards, copies, effects, reservations, tasks

log = logging.getLogger("soloist.runner")

STEPS_PER_EVENT_MAX = 200  # a conductor bug must not become an endless bill
STATES_KEPT = 4096  # beliefs in memory; the rest is folded again when it is needed
RETRY_FIRST_S, RETRY_MAX_S = 5.0, 3600.0
DRAWN = frozenset({"digest", "week", "month"})  # answers with a picture
SCHEDULES_PER_TICK_MAX = 400  # periods of one schedule caught up with at once: a year of a daily one
SHOW_AGAIN_S = (1.0, 2.0, 5.0, 15.0, 60.0)  # a platform that is away is asked again; the order stays in the outbox
WORKING, WORKED = "Working on it…", "Here it is:"
SWEEP_S = 30.0  # finds what a wake-up missed, also after the clock jumped
DELIVERIES_AT_ONCE = 8
TASKS_A_DAY = 1000  # more than anybody begins; after a restore numbers go on beyond those that were lost
REFUSALS_TOLD_PER_HOUR = 3  # a stranger who presses for fun must not flood the operator


Tell_ = Callable[[str], Awaitable[None]]
"""`Runner.tell`: a sentence for the operator, wherever they are."""


class Answerer(Protocol):
    """Answers questions about our own history: ``bot/history.py``."""

    def answer(self, question: str, slots: Mapping[str, Json], now: datetime, state: TaskState) -> Answered:
        """Return an `Answered` whose ``order`` is filled in later."""
        ...

    def find_card(self, verb: str, words: str) -> tuple[str, int] | str:
        """Return what a press by name means (card or effect, task), or the sentence that says why nothing fits."""
        ...


class Reader(Protocol):
    """Turns words into an `Understood`: ``bot/intents.py`` behind ``bot/wiring.py``."""

    async def read(self, text: str, state: TaskState, now: datetime) -> Understood:
        """Return a reading whose ``order`` is filled in later."""
        ...

    def edits_in(self, words: str, intent: type[Intent], now: datetime) -> dict[str, Json]:
        """Return the slots that a reply to a card changes: "make it 1,300, net 30" → amount and terms."""
        ...


@dataclass(frozen=True)
class Outcome:
    """What one unit of work wrote, for whoever waits for its commit."""

    task: int
    lines: tuple[Line, ...] = ()
    orders: tuple[tuple[str, Lasting], ...] = ()
    replies: tuple[str, ...] = ()
    fresh: bool = True
    also: Outcome | None = None  # of another task, written in the same transaction


@dataclass
class Staff:
    """Everybody and everything a runner works with; built by ``wiring.py``."""

    database: Database
    log: Log
    files: FileStore
    now: Callable[[], datetime]
    zone: ZoneInfo
    policy: Policy
    roster: Callable[[], Roster]
    secret: bytes
    company: Mapping[str, str]
    connectors: Mapping[str, Connector]
    agents: Mapping[str, Agent]
    reader: Reader
    answerer: Answerer
    channels: Mapping[str, Channel] = field(default_factory=dict)
    live: Sequence[Channel] = ()  # channels that are a view of history: pushed after each commit, nothing is owed
    recall: Recall | None = None
    think: Think | None = None
    remember: Callable[[Sequence[Mapping[str, Json]]], Awaitable[None]] | None = None
    playbooks: Path | None = None  # the operator's own
    seen: Callable[[Sequence[Line]], None] | None = None  # told of every committed line; must return at once
    beside: Mapping[str, Callable[[Tell_], Awaitable[None]]] = field(default_factory=dict)  # serve while the house runs
    chance: random.Random = field(default_factory=random.Random)
    redact: Redactor = field(default_factory=Redactor)
    patience_s: float = 4.0  # work that takes longer is told of, where it was asked for


class Runner:
    """One process's loop. `bot.channels.base.Ear` for every channel."""

    def __init__(self, staff: Staff) -> None:
        self._staff = staff
        self._states: OrderedDict[int, TaskState] = OrderedDict()
        self._actions: dict[str, Action] = dict(BOOKS_ACTIONS)
        for connector in staff.connectors.values():
            self._actions.update(type(connector).actions())
        self._intents: dict[str, tuple[str, type[Intent]]] = {
            intent.id(): (name, intent) for name, agent in staff.agents.items() for intent in agent.intents
        }
        self._accounts = {service: connector.account for service, connector in staff.connectors.items()}
        self._proposes = {name: agent.proposes for name, agent in staff.agents.items()}
        self._hears = {pattern: name for name, agent in staff.agents.items() for pattern in agent.hears}
        self._owners = {intent: name for intent, (name, _) in self._intents.items()}
        self._group: asyncio.TaskGroup | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._alarm = asyncio.Event()
        self._lanes: WeakValueDictionary[tuple[str, str, str], asyncio.Lock] = WeakValueDictionary()
        self._working: dict[
            int, tuple[str, str]
        ] = {}  # task → where "Working on it…" stands, for its answer to replace
        self._refusals: dict[str, list[datetime]] = {}
        self._busy = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        staff.database.after_rollback.append(self._states.clear)

    @property
    def actions(self) -> Mapping[str, Action]:
        """Every action there is, by name."""
        return self._actions

    # ── the doors ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def heard(
        self,
        event_id: str,
        text: str,
        actor: Actor,
        place: Place,
        *,
        files: tuple[Attachment, ...] = (),
        reply_to: str = "",
    ) -> str:
        """See `bot.channels.base.Ear.heard`."""
        person = self._staff.roster().find(actor)
        if person is None:
            await self.turned_away(actor, "wrote to me")
            raise RefusedPressError("I work for one person, and you are not on the list.")
        actor = msgspec.structs.replace(actor, origin=person.role)
        card = reply_to if _CARD.fullmatch(reply_to) else ""
        event = MessageReceived(text=writable(text), actor=actor, place=place, files=files, reply_to=card)
        outcome = await self._enter(actor.platform, actor.account, event_id, event, _name(actor))
        return str(outcome.task)

    async def pressed(
        self,
        event_id: str,
        handle: str,
        verb: str,
        actor: Actor,
        place: Place,
        *,
        reason: str = "",
        edits: dict[str, Any] | None = None,
        until: datetime | None = None,
    ) -> str:
        """See `bot.channels.base.Ear.pressed`."""
        target = read_handle(self._staff.secret, handle)
        person = self._staff.roster().find(actor)
        if target is None or (verb != "say" and verb not in approvals.VERBS):
            await self.turned_away(actor, "pressed a button that this house never made")
            raise RefusedPressError("I do not know this button. Nothing was done.")
        what, number = target
        actor = msgspec.structs.replace(actor, origin=person.role if person else Origin.STRANGER)
        if ".m" in what:
            return await self._chosen(event_id, what, number, actor, place)
        card = what.removeprefix("undo ")
        press = Pressed(
            card=card,
            revision=number,
            verb=verb,
            actor=actor,
            place=place,
            reason=writable(reason),
            edits=writable(edits or {}),
            until=until,
        )
        outcome = await self._press(event_id, press)
        if not outcome.fresh:
            return "I have that already."
        reply = outcome.replies[0] if outcome.replies else "Noted."
        if person is None:
            raise RefusedPressError(reply)
        return reply

    async def _press(self, event_id: str, press: Pressed) -> Outcome:
        task = int(press.card.partition(".")[0])

        def work(tx: Tx) -> Outcome:
            if task not in self._states and not tx.history(task):
                # A button of a house before a restore: nothing is known, and nothing is begun, under that number.
                return Outcome(task, replies=(f"There is no card {press.card} here. Nothing was done.",))
            platform = f"press:{press.actor.platform}"
            _, fresh = tx.admit(platform, press.actor.account, event_id, self._staff.now(), lambda: task)
            if not fresh:
                return Outcome(task, fresh=False)
            return self._advance(tx, task, press, actor=_name(press.actor), cause=event_id)

        return await self._written(work)

    async def _chosen(self, event_id: str, message: str, number: int, actor: Actor, place: Place) -> str:
        task = int(message.partition(".")[0])
        said = (await self.state(task)).said.get(message)
        if said is None or number >= len(said.choices):
            raise RefusedPressError("This button is not there any more. Nothing was done.")
        await self.heard(event_id, said.choices[number].text, actor, said.place or place)
        return said.choices[number].label

    async def arrived(self, item: Incoming) -> None:
        """Take in something from outside (`connectors.base.Deliver`); returns once it is on disk.

        Raises:
            NotWrittenError: Do not acknowledge it to the service.
        """
        actor = Actor(platform=item.service, account=item.account, origin=Origin.STRANGER)
        data, text = writable(dict(item.data)), writable(item.text)
        event = ItemArrived(service=item.service, kind=writable(item.kind), data=data, text=text, actor=actor)
        await self._enter(item.service, item.account, item.event_id, event, item.service)

    async def struck(self, name: str, period: str) -> bool:
        """A schedule fell due; returns False when this period was served before, also by an earlier process."""
        event = HourStruck(name=name, period=period)
        outcome = await self._enter("clock", name, period, event, "clock")
        return outcome.fresh

    async def _enter(self, platform: str, account: str, event_id: str, event: Event, actor: str) -> Outcome:
        event_id = writable(event_id)

        def work(tx: Tx) -> Outcome:
            task, fresh = tx.admit(platform, account, event_id, self._staff.now(), tx.next_task)
            if not fresh:
                return Outcome(task, fresh=False)
            return self._advance(tx, task, event, actor=actor, cause=event_id)

        return await self._written(work)

    def note(self, task: int, event: Event) -> None:
        """Append something that is only counted (a model's call) to a task, without waiting for the commit."""
        self._submit(lambda tx: self._advance(tx, task, event, actor="soloist", cause=""))

    def jot(self, write: Write) -> None:
        """Put a record of the house's own on the books (what was learned, a preference), without waiting for it."""

        def work(tx: Tx) -> Outcome:
            version = Books(tx.connection, tx.settle).version(write.kind, write.key) + 1
            return self._advance(tx, HOUSE, Recorded(write=write, version=version), actor="soloist", cause="")

        self._submit(work)

    def chronicle(self, events: Sequence[Event]) -> int:
        """Write events that are already settled as one finished task (a demo company, an import); returns its number."""

        def work(tx: Tx) -> int:
            task = tx.next_task()
            for event in events:
                self._advance(tx, task, event, actor="soloist", cause="")
            return task

        return self._staff.log.transact(work).result()

    async def turned_away(self, actor: Actor, what: str) -> None:
        """Tell the operator of somebody who does not count; a few times an hour, and without the stranger's words."""
        now = self._staff.now()
        recent = [at for at in self._refusals.get(actor.platform, ()) if now - at < timedelta(hours=1)]
        self._refusals[actor.platform] = [*recent, now]
        if len(recent) >= REFUSALS_TOLD_PER_HOUR:
            return
        known = self._staff.roster().find(actor) is not None
        who = "Somebody with your own account" if known else "Somebody who is not on your list"
        text = f"{who} ({actor.platform} user {actor.user or 'unknown'}) {what}. Refused."
        event = WokeUp(order="", reason="refused", data={"text": text})

        def work(tx: Tx) -> Outcome:
            return self._advance(tx, tx.next_task(), event, actor=_name(actor), cause="")

        with contextlib.suppress(NotWrittenError):
            await self._written(work)

    async def tell(self, text: str) -> None:
        """Tell the operator something of the house itself, wherever they are. Lost when it cannot be written."""
        event = WokeUp(order="", reason="notice", data={"text": text})
        with contextlib.suppress(NotWrittenError):
            await self._written(lambda tx: self._advance(tx, tx.next_task(), event, actor="soloist", cause=""))

    def drop_beliefs(self) -> None:
        """Forget what is believed in memory: it is folded again from history. Called in the writer thread."""
        self._states.clear()

    # ── reading, for channels ─────────────────────────────────────────────────────────────────────────────────────

    def card(self, card_id: str) -> Card | None:
        """See `bot.channels.base.Ear.card`."""
        number = card_id.partition(".")[0]
        if not number.isdecimal():
            return None
        state = self.state_now(int(number))
        return approvals.render(state, card_id, self._view()) if card_id in state.cards else None

    def card_of(self, channel: str, conversation: str, ref: str) -> str | None:
        """See `bot.channels.base.Ear.card_of`."""
        # A card over several messages has all their references, separated by commas.
        among = ("," + copies.c.ref + ",").contains(f",{ref},", autoescape=True)
        query = select(copies.c.what).where(copies.c.channel == channel, copies.c.conversation == conversation, among)
        with self._staff.database.read() as connection:
            return connection.execute(query).scalar()

    def file(self, attachment: Attachment) -> bytes:
        """See `bot.channels.base.Ear.file`."""
        return self._staff.files.get(attachment.sha256)

    def keep(self, content: bytes, name: str, media_type: str) -> Attachment:
        """See `bot.channels.base.Ear.keep`."""
        sha256 = self._staff.files.put(content)
        return Attachment(name=name, sha256=sha256, size=len(content), media_type=media_type)

    def message(self, said: Said) -> Message:
        """Return a said thing as channels show it, its choices and its undo as buttons."""
        secret = self._staff.secret
        buttons = tuple(
            Button(choice.label, "say", approvals.handle(secret, said.message, number), text=choice.text)
            for number, choice in enumerate(said.choices)
        )
        if said.undo:
            buttons += (Button("Undo", "undo", approvals.handle(secret, f"undo {said.undo}", 0)),)
        reply_to = said.place.message if said.place else ""
        return Message(said.message, said.text, said.kind, buttons, said.files, reply_to)

    def state_now(self, task: int) -> TaskState:
        """Return what we believe of a task, from memory or folded from what is on disk."""
        cached = self._states.get(task)
        return cached if cached is not None else believe(task, self._staff.log.lines(task))

    async def state(self, task: int) -> TaskState:
        """The same; for code on the loop."""
        return self.state_now(task)

    def _view(self) -> approvals.View:
        return approvals.View(self._actions, self._staff.secret, self._staff.zone, self._staff.now())

    # ── one unit of work ──────────────────────────────────────────────────────────────────────────────────────────

    async def _written(self, work: Callable[[Tx], Outcome]) -> Outcome:
        """Run a unit of work, wait for its commit, and see that what it ordered gets done."""
        try:
            return await asyncio.wrap_future(self._submit(work))
        except StorageError as error:
            raise NotWrittenError(str(error)) from error

    def _submit(self, work: Callable[[Tx], Outcome]) -> Future[Outcome]:
        future = self._staff.log.transact(work)
        loop = self._loop or asyncio.get_running_loop()

        def committed(done: Future[Outcome]) -> None:
            # Dispatch hangs on the commit, not on whoever waits for it: a channel that was cut off in between must
            # not leave its order lying until the next sweep.
            if not done.cancelled() and done.exception() is None:
                with contextlib.suppress(RuntimeError):  # the loop is closed: the outbox keeps it for the next start
                    loop.call_soon_threadsafe(self._dispatch, done.result())

        future.add_done_callback(committed)
        return future

    def _advance(self, tx: Tx, task: int, event: Event, *, actor: str, cause: str) -> Outcome:
        """Append an event and all that follows from it at once. Runs in the writer thread, inside the transaction."""
        state = self._believed(tx, task)
        house = self._house(tx)
        held = reserved(state)
        lines: list[Line] = []
        given: list[tuple[str, Lasting]] = []
        replies: list[str] = []
        tallied: list[tuple[Event, str]] = []
        todo: deque[tuple[Event, str]] = deque([(event, cause)])
        while todo:
            if len(lines) >= STEPS_PER_EVENT_MAX:
                raise TooManyStepsError(event)
            happening, why = todo.popleft()
            answered = getattr(happening, "order", "")
            if answered and answered not in state.open:
                continue  # a late answer to an order that is off: a bystander's word
            seq = state.seq + 1
            if isinstance(happening, Said) and not happening.message:
                happening = msgspec.structs.replace(happening, message=f"{task}.m{seq}")
            if isinstance(happening, CardOpened) and not happening.card:
                happening = msgspec.structs.replace(happening, card=f"{task}.{len(state.cards) + 1}")
            line = Line(task, seq, house.now, actor, why, happening, Ordered(), GENESIS)  # type: ignore[arg-type]
            before, after = state, with_event(state, line)
            decided = decide(after, happening, house)  # type: ignore[arg-type]
            ordered = _ordered(task, seq, decided, answered)
            line = tx.append(
                task,
                seq,
                before.head,
                happening,  # type: ignore[arg-type]
                at=house.now,
                actor=actor,
                cause=why,
                ordered=ordered,
            )
            state = with_orders(after, line)
            lines.append(line)
            for table, row in rows(before, state, line):
                tx.put(BY_NAME[table], row)
            lasting = (order for order in decided if isinstance(order, Lasting))
            given += [(row.id, order) for row, order in zip(ordered.given, lasting, strict=True)]
            replies += [order.text for order in decided if isinstance(order, Reply)]
            tallied += [(order.event, f"{task}:{seq}") for order in decided if isinstance(order, Tally)]
            todo.extend((order.event, f"{task}:{seq}") for order in decided if isinstance(order, Record))
        self._hold(tx, held, reserved(state))
        self._states[task] = state
        self._states.move_to_end(task)
        while len(self._states) > STATES_KEPT:
            self._states.popitem(last=False)
        for counted, why in tallied:
            self._advance(tx, HOUSE, counted, actor=actor, cause=why)
        closed = {order for line in lines for order in line.ordered.closed}
        return Outcome(task, tuple(lines), tuple(order for order in given if order[0] not in closed), tuple(replies))

    def _believed(self, tx: Tx, task: int) -> TaskState:
        """Return what is believed of a task inside a unit of work; a number that was just given has no history."""
        state = self._states.get(task)
        if state is None:
            state = TaskState(task) if tx.is_new(task) else believe(task, tx.history(task))
        return state

    def _hold(self, tx: Tx, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        for name in before.keys() - after.keys():
            tx.drop(reservations, name)
        for name, card in after.items():
            if before.get(name) != card:
                tx.put(reservations, {"name": name, "card": card})

    def _house(self, tx: Tx) -> House:
        staff = self._staff
        whole = self._states.get(HOUSE)
        if whole is None:
            whole = self._states[HOUSE] = believe(HOUSE, tx.history(HOUSE))
        now = staff.now()
        return House(
            now=now,
            zone=staff.zone,
            policy=staff.policy,
            actions=self._actions,
            ledgers=Books(tx.connection, tx.settle),
            roster=staff.roster(),
            secret=staff.secret,
            accounts=self._accounts,
            agents=self._owners,
            proposes=self._proposes,
            hears=self._hears,
            homes=tuple(home for channel in staff.channels.values() if (home := channel.home()) is not None),
            paused=whole.paused,
            grants=grants_in_force(whole.grants, whole.grant_uses, now),
        )

    # ── doing what was ordered ────────────────────────────────────────────────────────────────────────────────────

    def _dispatch(self, outcome: Outcome) -> None:
        self._push(outcome)
        if self._staff.seen is not None and outcome.lines:
            self._staff.seen(outcome.lines)
        for key, order in outcome.orders:
            if isinstance(order, Wake):
                self._alarm.set()
            else:
                self._launch(outcome.task, key, order)
        if outcome.also is not None:
            self._dispatch(outcome.also)

    def _launch(self, task: int, key: str, order: Lasting) -> None:
        if self._group is None:
            return  # not running: the outbox keeps it
        self._busy += 1
        self._quiet.clear()
        self._group.create_task(self._carry_out(task, key, order))

    async def _carry_out(self, task: int, key: str, order: Lasting) -> None:
        """The inner rim: whatever goes wrong with one order is written down, told, and harms no other."""
        try:
            await self._do(task, key, order)
        except NotWrittenError as error:
            log.warning("task %s: %s. The order %s stays in the outbox.", task, error, key)
            self._group.create_task(self._again_later(task, key, order)) if self._group else None
        except Exception as error:
            log.exception("task %s: carrying out %s failed", task, key)
            await self._broke(task, key, order, error)
        finally:
            self._busy -= 1
            if not self._busy:
                self._quiet.set()

    async def _again_later(self, task: int, key: str, order: Lasting) -> None:
        await asyncio.sleep(SHOW_AGAIN_S[1])
        self._launch(task, key, order)

    async def _broke(self, task: int, key: str, order: Lasting, error: Exception) -> None:
        """Our own mistake: the operator gets a sentence and a number, the log has the rest."""
        text = f"Something broke in my own code ({type(error).__name__}, see the log at task {task}). Nothing was done."
        event: Event | None
        match order:
            case Understand():
                event = Understood(order=key, ask=text)
            case Delegate():
                event = Proposed(order=key, step=order.step, agent="", problem=text, card=order.card)
            case LookUp() | Press():
                event = Answered(order=key, text=text)
            case Perform():
                event = BecameUnknown(effect=order.effect, order=key, reason=text)
            case _:
                event = None
        if event is not None:
            with contextlib.suppress(NotWrittenError):
                await self._answer(task, event)

    async def _answer(self, task: int, event: Event, actor: str = "soloist") -> Outcome:
        return await self._written(
            lambda tx: self._advance(tx, task, event, actor=actor, cause=getattr(event, "order", ""))
        )

    async def _do(self, task: int, key: str, order: Lasting) -> None:
        match order:
            case Understand():
                reading = await self._staff.reader.read(order.text, self.state_now(task), self._staff.now())
                await self._answer(task, msgspec.structs.replace(reading, order=key))
            case Delegate():
                hint = asyncio.get_running_loop().call_later(self._staff.patience_s, self._tell_of_work, task, key)
                try:
                    await self._delegate(task, key, order)
                finally:
                    hint.cancel()
            case LookUp():
                state, asked = self.state_now(task), self._staff.answerer.answer
                if order.question in DRAWN:  # a picture takes most of a second, and nobody should wait for it
                    answer = await asyncio.to_thread(asked, order.question, order.slots, self._staff.now(), state)
                else:
                    answer = asked(order.question, order.slots, self._staff.now(), state)
                await self._answer(task, msgspec.structs.replace(answer, order=key))
            case Press():
                await self._press_by_name(task, key, order)
            case Perform():
                await self._perform(task, key, order)
            case Show():
                await self._show(task, key, order)
            case Tell():
                await self._tell(task, key, order)
            case Start():
                await self._start(task, key, order)
            case Rouse():
                await self._rouse(task, key)
            case Remember():
                if self._staff.remember is not None:
                    try:
                        await self._staff.remember(order.records)
                    except RememberError as error:
                        await self.tell(str(error))
                await self._answer(task, WokeUp(order=key, reason="remembered"))
            case Wake():
                self._alarm.set()
            case _:
                assert_never(order)

    # ── agents ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _delegate(self, task: int, key: str, order: Delegate) -> None:
        state = self.state_now(task)
        step = next(step for step in (state.planned.steps if state.planned else ()) if step.id == order.step)
        agent = self._staff.agents[step.agent]
        edits = dict(order.edits)
        if order.guidance and step.intent in self._intents:
            read = self._staff.reader.edits_in(order.guidance, self._intents[step.intent][1], self._staff.now())
            edits |= read
            if read:  # the words are used up: an agent need not puzzle over them again
                order = msgspec.structs.replace(order, guidance="")
        try:
            work = self._work(state, step, order, edits)
        except ValueError as error:
            text = f"I cannot use that: {_plain(error)}"
            await self._answer(task, Proposed(order=key, step=step.id, agent=step.agent, problem=text, card=order.card))
            return
        thoughts: list[Thought] = []
        desk = WorkDesk(
            now=self._staff.now(),
            zone=self._staff.zone,
            files=self._staff.files,
            company=self._staff.company,
            database=self._staff.database,
            actions=self._actions,
            connectors=self._staff.connectors,
            recall_with=self._staff.recall or recall_nothing,
            think_with=_noting(self._staff.think or no_model, thoughts),
            task=str(task),
            agent=step.agent,
            origin=state.origin,
            card=order.card,
            playbooks=self._staff.playbooks,
        )
        proposal, warnings = await _checked(agent, work, desk, thoughts)
        event = Proposed(
            order=key,
            step=step.id,
            agent=step.agent,
            say=proposal.say,
            calls=approvals.overlay(proposal.calls, edits),
            edits=edits,
            results=dict(proposal.results),
            confidence_pct=proposal.confidence_pct,
            reasons=proposal.reasons,
            sources=proposal.sources,
            warnings=warnings,
            files=proposal.files,
            ask=proposal.ask,
            choices=proposal.choices,
            problem=proposal.problem,
            plan=proposal.plan,
            card=order.card,
            remember=tuple(dict(record) for record in proposal.remember),
        )
        await self._answer(task, event, actor=f"agent:{step.agent}")

    def _work(self, state: TaskState, step: Step, order: Delegate, edits: Mapping[str, Json]) -> Task:
        heard = state.heard
        item = heard if isinstance(heard, ItemArrived) else None
        if step.intent == "item":
            intent: Intent = Intent()
        else:
            intent = self._intents[step.intent][1].model_validate(_resolved(step, state))
        before = state.cards.get(order.card)
        return Task(
            id=str(state.id),
            step=step.id,
            intent=intent,
            text=heard.text if isinstance(heard, MessageReceived) else "",
            origin=state.origin,
            results=state.results,
            guidance=order.guidance,
            edits=edits,
            earlier=before.opened.calls if before else (),
            item=item.data if item else None,
            item_text=item.text if item else "",
            item_kind=item.kind if item else "",
        )

    # ── presses by name, other tasks ──────────────────────────────────────────────────────────────────────────────

    async def _press_by_name(self, task: int, key: str, order: Press) -> None:
        state = self.state_now(task)
        items = batch.items_in(order.card)
        if items:
            await self._press_batch(task, key, items)
            return
        found = self._staff.answerer.find_card(order.verb, order.card)
        if isinstance(found, str):
            await self._answer(task, Answered(order=key, text=found))
            return
        card, _ = found
        actor = state.actor or Actor(platform="soloist")
        press = Pressed(
            card=card,
            revision=0,
            verb=order.verb,
            actor=actor,
            place=state.place or Place(channel=""),
            reason=order.reason,
        )
        outcome = await self._press(f"{key}:{order.verb}", press)
        await self._answer(task, Answered(order=key, text=outcome.replies[0] if outcome.replies else "Noted."))

    async def _press_batch(self, task: int, key: str, items: Sequence[batch.Item]) -> None:
        """Approve what was listed, one by one and each under its own lock; a crash in between presses nothing twice."""
        state = self.state_now(task)
        told: list[tuple[str, str]] = []
        for item in items:
            press = Pressed(
                card=item.card,
                revision=0,
                verb="approve",
                actor=state.actor or Actor(platform="soloist"),
                place=state.place or Place(channel=""),
                fingerprint=item.fingerprint,
            )
            outcome = await self._press(f"{key}:{item.card}", press)
            if not outcome.fresh:  # counted before a crash
                standing = self.state_now(outcome.task).cards.get(item.card)
                told.append((item.card, "Approved." if standing and standing.state == "approved" else "Not approved."))
            else:
                told.append((item.card, outcome.replies[0] if outcome.replies else "Noted."))
        await self._answer(task, Answered(order=key, text=batch.told(told)))

    async def _tell(self, task: int, key: str, order: Tell) -> None:
        def work(tx: Tx) -> Outcome:
            state = self._believed(tx, task)
            if key not in state.open:
                return Outcome(task)
            told = self._advance(tx, order.task, order.event, actor=_name(state.actor), cause=key)
            data: dict[str, Json] = {"reply": told.replies[0]} if told.replies else {}
            own = self._advance(tx, task, WokeUp(order=key, reason="told", data=data), actor="soloist", cause=key)
            return replace(own, also=told)

        await self._written(work)

    async def _start(self, task: int, key: str, order: Start) -> None:
        def work(tx: Tx) -> Outcome:
            state = self._believed(tx, task)
            if key not in state.open:
                return Outcome(task)
            actor = state.actor or Actor(platform="soloist")
            event = MessageReceived(text=order.text, actor=actor, place=order.place, files=order.files)
            begun = self._advance(tx, tx.next_task(), event, actor=_name(actor), cause=key)
            own = self._advance(tx, task, WokeUp(order=key, reason="started"), actor="soloist", cause=key)
            return replace(own, also=begun)

        await self._written(work)

    async def _rouse(self, task: int, key: str) -> None:
        query = select(effects.c.task).where(effects.c.status == "prepared").distinct()
        with self._staff.database.read() as connection:
            waiting = [row.task for row in connection.execute(query)]
        for other in waiting:
            await self._answer(other, WokeUp(order="", reason="resumed"))
        await self._answer(task, WokeUp(order=key, reason="roused"))

    # ── effects ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _perform(self, task: int, key: str, order: Perform) -> None:
        """Touch the world once. The intent is on disk; so will the answer be."""
        effect = self.state_now(task).effects[order.effect]
        prepared, call = effect.prepared, effect.prepared.call
        if fingerprint(call) != prepared.fingerprint:
            reason = "its content is not what was approved, so it was not sent"
            await self._answer(task, Failed(effect=order.effect, order=key, reason=reason))
            return
        action = self._actions.get(call.name)
        connector = self._staff.connectors.get(call.name.partition(".")[0])
        if action is None or connector is None:
            reason = f"{call.name} is not set up any more. Set it up again, then press Try again."
            await self._answer(task, Failed(effect=order.effect, order=key, reason=reason))
            return
        event = await self._touch(order, key, action, connector, effect.prepared.key, call.args, effect.first_sent_at)
        event = self._redacted(event)
        if isinstance(event, Failed) and effect.maybe and event.again_at is None:
            # This attempt did nothing, but an earlier one may have.
            event = BecameUnknown(effect=order.effect, order=key, reason=event.reason)
        await self._answer_for_sure(task, event, actor=f"connector:{connector.service}")

    def _redacted(self, event: Event) -> Event:
        """Return the service's words without any secret of ours that it may have echoed."""
        redact, change = self._staff.redact, msgspec.structs.replace
        match event:
            case Confirmed():
                return change(event, ref=redact(event.ref), text=redact(event.text), data=redact.all(event.data))
            case Failed() | BecameUnknown():
                return change(event, reason=redact(event.reason))
            case _:
                return event

    async def _answer_for_sure(self, task: int, event: Event, actor: str) -> None:
        """Write down what came of an effect, however long the disk is full: touching the world again is no remedy."""
        while True:
            try:
                await self._answer(task, event, actor=actor)
            except NotWrittenError as error:
                log.warning(
                    "task %s: %s What came of an effect is kept in memory until it can be written.", task, error
                )
                await asyncio.sleep(SHOW_AGAIN_S[1])
            else:
                return

    async def _touch(
        self,
        order: Perform,
        key: str,
        action: Action,
        connector: Connector,
        stable: str,
        args: Mapping[str, Json],
        first_sent_at: datetime | None,
    ) -> Event:
        extra = {"key": stable} if action.takes_key else {}
        method = getattr(connector, action.find if order.look and action.find else action.method)
        last = order.attempt >= action.attempts_max
        try:
            async with asyncio.timeout(action.timeout_s):
                receipt: Receipt | None = await method(**args, **extra)
        except ConnectorError as error:
            if order.look:  # that looking failed says nothing about what was sent
                reason = str(error)
                if not isinstance(error, OutcomeUnknownError):
                    reason = f"Looking whether it arrived failed: {reason}"
                return BecameUnknown(effect=order.effect, order=key, reason=reason)
            return self._did_not(order, key, action, error, first_sent_at)
        except TimeoutError as error:
            return self._not_known(order, key, action, str(error) or "It did not answer in time.", first_sent_at)
        except Exception as error:
            # A connector that breaks may have acted before it broke; only looking, or the operator, can tell.
            log.exception("connector %s broke in %s", connector.service, action.name)
            reason = f"The {connector.service} connector broke ({type(error).__name__})."
            return self._not_known(order, key, action, reason, first_sent_at)
        if receipt is None:
            # Looked, and it is provably not there: it may be sent again.
            if last:
                return Failed(effect=order.effect, order=key, reason="It did not arrive, and was tried often enough.")
            return Failed(
                effect=order.effect,
                order=key,
                reason="It had not arrived.",
                again_at=self._staff.now() + timedelta(seconds=self._pause(order.attempt, None)),
            )
        return Confirmed(
            effect=order.effect,
            order=key,
            ref=receipt.ref,
            text=receipt.text,
            data=dict(receipt.data),
            how="reconciled" if order.look else "answered",
        )

    def _did_not(
        self, order: Perform, key: str, action: Action, error: ConnectorError, first_sent_at: datetime | None
    ) -> Event:
        """The service said what became of it: nothing, nothing yet, or it does not know itself."""
        match error:
            case OutcomeUnknownError():
                return self._not_known(order, key, action, str(error), first_sent_at)
            case TryLaterError() if order.attempt < action.attempts_max:
                again = self._staff.now() + timedelta(seconds=self._pause(order.attempt, error.retry_after_s))
                return Failed(effect=order.effect, order=key, reason=str(error), again_at=again)
            case TryLaterError():
                reason = f"{error} Tried {order.attempt} times; it is left to you."
                return Failed(effect=order.effect, order=key, reason=reason)
            case _:
                return Failed(effect=order.effect, order=key, reason=str(error))

    def _not_known(
        self, order: Perform, key: str, action: Action, reason: str, first_sent_at: datetime | None
    ) -> Event:
        """What follows an unknown outcome is the effect's class: the same key again, a look, or the operator."""
        now = self._staff.now()
        in_window = first_sent_at is None or now - first_sent_at < timedelta(seconds=action.key_window_s)
        if action.effect is EffectClass.KEYED and in_window and order.attempt < action.attempts_max:
            again = now + timedelta(seconds=self._pause(order.attempt, None))
            text = f"{reason} Asking again with the same key, which cannot do it twice."
            return Failed(effect=order.effect, order=key, reason=text, again_at=again, maybe=True)
        if action.effect is EffectClass.RECONCILABLE and not order.look:
            return WokeUp(order=key, reason="interrupted", data={"effect": order.effect})
        return BecameUnknown(effect=order.effect, order=key, reason=reason)

    def _pause(self, attempt: int, retry_after_s: float | None) -> float:
        """Exponential backoff with full jitter above half; never sooner than the service asked for."""
        span = min(RETRY_MAX_S, RETRY_FIRST_S * 2 ** (attempt - 1))
        return float(max(retry_after_s or 0.0, span / 2 + self._staff.chance.uniform(0, span / 2)))

    # ── channels ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _show(self, task: int, key: str, order: Show) -> None:
        channel = self._staff.channels.get(order.channel)
        if channel is None:
            self._staff.log.close_order(key)  # the operator took the channel away
            return
        # Words of a conversation keep their order, also when one has to be tried again. A card waits for nothing but
        # itself: which goes first, cards or words, is for the channel's own queue.
        is_card = order.what in self.state_now(task).cards
        lane_key = (order.channel, order.conversation, f"{order.what}@{order.ref}" if is_card else "")
        lane = self._lanes.setdefault(lane_key, asyncio.Lock())
        async with lane:
            await self._show_in_turn(task, key, order, channel)

    async def _show_in_turn(self, task: int, key: str, order: Show, channel: Channel) -> None:
        place = Place(
            channel=order.channel, conversation=order.conversation, thread=order.thread, message=order.reply_to
        )
        for attempt in range(1_000_000):
            state = self.state_now(task)
            try:
                ref = await self._bring(channel, place, state, order)
            except UndeliverableError as error:
                if error.forever:
                    log.warning("task %s: %s will never take %s: %s", task, order.channel, order.what, error)
                    self._staff.log.close_order(key)
                    return
                pause = SHOW_AGAIN_S[min(attempt, len(SHOW_AGAIN_S) - 1)]
                await asyncio.sleep(max(pause, error.retry_after_s or 0.0))
                continue
            break
        if order.what in state.cards and not order.ref:
            await self._answer(task, Delivered(order=key, what=order.what, place=place, ref=ref))
            await self._work_is_over(task, channel, place)
            # It may have changed while it was being shown, before anybody knew of this copy.
            if self.state_now(task).cards[order.what] is not state.cards[order.what]:
                await self._converge(task, order.what, channel, place, ref)
        else:
            self._staff.log.close_order(key)
            if not order.ref:
                await self._work_is_over(task, channel, place)

    async def _converge(self, task: int, card: str, channel: Channel, place: Place, ref: str) -> None:
        for pause in (*SHOW_AGAIN_S, None):
            try:
                await channel.settle(place, ref, approvals.render(self.state_now(task), card, self._view()))
            except UndeliverableError as error:
                if error.forever or pause is None:
                    return  # its end mends every copy once more, by an order that is kept
                await asyncio.sleep(max(pause, error.retry_after_s or 0.0))
            else:
                return

    async def _bring(self, channel: Channel, place: Place, state: TaskState, order: Show) -> str:
        if order.what in state.cards:
            render = approvals.render_former if order.former else approvals.render
            card = render(state, order.what, self._view())
            if order.ref:
                await channel.settle(place, order.ref, card)
                return order.ref
            return await channel.ask(place, card)
        message = self.message(state.said[order.what])
        if self._working.get(task := state.id) == (order.channel, order.conversation) and not message.files:
            ref = await channel.say(place, replace(message, id=f"{task}.w"))
            del self._working[task]
            return ref
        return await channel.say(place, message)

    def _tell_of_work(self, task: int, key: str) -> None:
        if self._group is not None:
            self._group.create_task(self._say_working(task, key))

    async def _say_working(self, task: int, key: str) -> None:
        """Say that it takes a while; the answer takes the place of this message. Lost without harm."""
        place = self.state_now(task).place
        channel = self._staff.channels.get(place.channel) if place else None
        if place is None or channel is None:
            return
        async with self._lanes.setdefault((place.channel, place.conversation, ""), asyncio.Lock()):
            if key not in self.state_now(task).open:
                return
            with contextlib.suppress(UndeliverableError):
                await channel.say(place, Message(f"{task}.w", WORKING, "notice", reply_to=place.message))
                self._working[task] = (place.channel, place.conversation)

    async def _work_is_over(self, task: int, channel: Channel, place: Place) -> None:
        """The answer is a card, or has files: what said that it takes a while says where to look."""
        if self._working.get(task) == (place.channel, place.conversation):
            del self._working[task]
            with contextlib.suppress(UndeliverableError):
                await channel.say(place, Message(f"{task}.w", WORKED, "notice"))

    def _push(self, outcome: Outcome) -> None:
        """Let the channels that are views of history see what just became true. Losing a push loses nothing."""
        if not self._staff.live or self._group is None or not outcome.lines:
            return
        words: list[Said] = []
        changed: dict[str, bool] = {}  # card → whether it is new
        for line in outcome.lines:
            match line.event:
                case MessageReceived() as heard:
                    self._group.create_task(self._push_heard(outcome.task, heard))
                case Said() as said:
                    words.append(said)
                case CardOpened() as opened:
                    changed[opened.card] = True
                case Proposed() | Pressed():
                    pass
                case event:
                    effect = self.state_now(outcome.task).effects.get(getattr(event, "effect", ""))
                    card = getattr(event, "card", "") or (effect.prepared.card if effect else "")
                    if card:
                        changed.setdefault(card, False)
        self._group.create_task(self._push_all(outcome.task, words, changed))

    async def _push_all(self, task: int, words: Sequence[Said], changed: Mapping[str, bool]) -> None:
        for card, fresh in changed.items():
            await self._push_card(task, card, fresh=fresh)
        for said in words:
            await self._push_message(said)

    async def _push_heard(self, task: int, heard: MessageReceived) -> None:
        for channel in self._staff.live:
            if isinstance(channel, Onlooker):
                await channel.overhear(str(task), heard.text, heard.files, heard.place)

    async def _push_message(self, said: Said) -> None:
        message = self.message(said)
        for channel in self._staff.live:
            place = said.place or channel.home()
            if place is not None:
                with contextlib.suppress(UndeliverableError):
                    await channel.say(place, message)

    async def _push_card(self, task: int, card_id: str, *, fresh: bool) -> None:
        state = self.state_now(task)
        if card_id not in state.cards:
            return
        card = approvals.render(state, card_id, self._view())
        for channel in self._staff.live:
            place = channel.home()
            if place is None:
                continue
            with contextlib.suppress(UndeliverableError):
                if fresh and card.state in {"pending", "shadow"}:
                    await channel.ask(place, card)
                else:
                    await channel.settle(place, "", card)

    # ── running and recovery ──────────────────────────────────────────────────────────────────────────────────────

    async def run(self, ready: Callable[[], None] | None = None) -> None:
        """Recover, then serve until cancelled."""
        self._loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                await self.recover()
                if ready is not None:
                    ready()
                for channel in {
                    id(each): each for each in (*self._staff.channels.values(), *self._staff.live)
                }.values():
                    group.create_task(self._attend(channel.name, lambda each=channel: each.run(self)))  # type: ignore[misc]
                for connector in self._staff.connectors.values():
                    group.create_task(
                        self._attend(connector.service, lambda each=connector: each.listen(self.arrived))  # type: ignore[misc]
                    )
                for name, serve in self._staff.beside.items():
                    group.create_task(self._attend(name, lambda each=serve: each(self.tell)))  # type: ignore[misc]
                await self._keep_time()
            finally:
                self._group = None
                for connector in self._staff.connectors.values():
                    with contextlib.suppress(Exception):  # it is over; a connection that will not close harms nobody
                        await connector.close()

    async def _attend(self, name: str, serve: Callable[[], Awaitable[None]]) -> None:
        """The outer rim of a channel or connector: it may break, the house goes on and starts it again."""
        pause = 1.0
        while True:
            try:
                await serve()
            except Exception:
                log.exception("%s stopped; starting it again in %.0f s", name, pause)
                await asyncio.sleep(pause)
                pause = min(60.0, pause * 2)
            else:
                return

    async def recover(self) -> None:
        """Take up what an earlier process had promised: unanswered orders first, then whatever is due."""
        now = self._staff.now()
        for task, row in self._staff.log.due_orders(now, limit=100_000):
            order = unpack(row.body)
            if isinstance(order, Wake):
                continue
            if isinstance(order, Perform):
                # The process died with this on its way. Nobody knows; the conductor decides by its class.
                await self._answer(
                    task, WokeUp(order=row.id, reason="interrupted", data={"effect": order.effect}), actor="recovery"
                )
            else:
                self._launch(task, row.id, order)
        await self.tick()

    def restored(self, backup: str) -> int:
        """Begin a new epoch after a restore: everything open is asked about, nothing goes out by itself.

        Returns:
            How many tasks had something open.
        """
        epoch = int(self._staff.log.fact("epoch") or 1) + 1
        waiting = select(cards.c.task).where(cards.c.state == "pending")
        moving = select(effects.c.task).where(effects.c.status.in_(("prepared", "sending")))
        begun = select(tasks.c.id.label("task")).where(
            tasks.c.status.not_in(("done", "failed", "cancelled")), tasks.c.id != HOUSE
        )
        with self._staff.database.read() as connection:
            touched = {row.task for query in (waiting, moving) for row in connection.execute(query)}
            unfinished = {row.task for row in connection.execute(begun)}
            newest = connection.execute(select(func.max(tasks.c.at))).scalar()
        now = self._staff.now()
        gap = now - unstamp(newest) if newest else timedelta(0)
        self._staff.log.skip_tasks(TASKS_A_DAY * (1 + max(0, gap.days)))
        text = (
            f"Restored from {backup}. What happened between {approvals.clock_text(now - gap, self._view())} and now "
            f"is not in it: mails, invoices and payments of that time are unknown to me and will not be done again. "
            f"{len(touched)} task{'s' * (len(touched) != 1)} had something open and ask you below."
        )

        def work(tx: Tx) -> None:
            self._advance(tx, HOUSE, EpochRaised(epoch=epoch, backup=backup), actor="soloist", cause="restore")
            for task in sorted(touched | unfinished):
                self._advance(tx, task, WokeUp(order="", reason="restored"), actor="soloist", cause="restore")
            notice = WokeUp(order="", reason="notice", data={"text": text})
            self._advance(tx, tx.next_task(), notice, actor="soloist", cause="restore")

        self._staff.log.transact(work).result()
        self._staff.log.set_fact("epoch", str(epoch))
        return len(touched)

    async def tick(self) -> None:
        """Do what has fallen due by now. The clock calls it; tests call it with a frozen one."""
        now = self._staff.now()
        for task, row in self._staff.log.due_orders(now):
            order = unpack(row.body)
            if isinstance(order, Wake):
                await self._answer(task, WokeUp(order=row.id, reason=order.reason, data=order.data), actor="clock")
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

    _served = ""

    async def _keep_time(self) -> None:
        while True:
            self._alarm.clear()
            due = self._staff.log.next_due(self._staff.now())
            wait = SWEEP_S if due is None else min(SWEEP_S, max(0.0, (due - self._staff.now()).total_seconds()))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait + 0.001):
                    await self._alarm.wait()
            try:
                await self.tick()
            except NotWrittenError as error:
                log.warning("The clock could not write: %s", error)
                await asyncio.sleep(1.0)

    async def quiet(self) -> None:
        """Wait until nothing that was ordered is under way: the moment for what can wait."""
        await self._quiet.wait()

    async def settled(self, *, windows: bool = False) -> None:
        """Wait until everything that was ordered so far is done.

        Args:
            windows: Also wait out undo windows and retries that are due within a minute, as at the end of a script.
        """
        while True:
            await self._quiet.wait()
            for _ in range(3):
                await asyncio.sleep(0)
            if not self._quiet.is_set():
                continue
            due = self._staff.log.next_due(self._staff.now()) if windows else None
            if due is None or due - self._staff.now() > timedelta(minutes=1):
                return
            await asyncio.sleep(max(0.05, (due - self._staff.now()).total_seconds() + 0.05))


def replayed(lines: Iterable[Line]) -> Iterator[tuple[Table, dict[str, Any] | None, tuple[Any, ...]]]:
    """Yield what one task's lines write into the projections: `memory.replay.Rows`."""
    state: TaskState | None = None
    held: dict[str, str] = {}
    for line in lines:
        before = state or TaskState(line.task)
        state = with_orders(with_event(before, line), line)
        for name, row in rows(before, state, line):
            table = BY_NAME[name]
            yield table, row, tuple(row[column.name] for column in table.primary_key)
        holds = reserved(state)
        for name in held.keys() - holds.keys():
            yield reservations, None, (name,)
        for name, card in holds.items():
            yield reservations, {"name": name, "card": card}, (name,)
        held = holds


class TooManyStepsError(Exception):
    """The conductor went round in circles; nothing of it was kept."""

    def __init__(self, event: Event) -> None:
        super().__init__(f"Stopped after {STEPS_PER_EVENT_MAX} steps on {type(event).__name__}. Nothing was kept.")


def _ordered(task: int, seq: int, decided: Iterable[Effect], answered: str) -> Ordered:
    given: list[OrderRow] = []
    closed = [answered] if answered else []
    for order in decided:
        match order:
            case Close():
                closed.append(order.order)
            case Record() | Reply() | Tally():
                pass
            case _:
                due = stamp(order.due) if isinstance(order, Wake) else ""
                given.append(OrderRow(f"{task}.{seq}.{len(given)}", type(order).__name__, due, pack(order)))
    return Ordered(tuple(given), tuple(closed))


def _noting(think: Think, thoughts: list[Thought]) -> Think:
    """Return a way to think that notes each answer a model gave."""

    async def noted(*args: Any, **more: Any) -> Thought:
        thought = await think(*args, **more)
        if not thought.problem:
            thoughts.append(thought)
        return thought

    return noted


async def _checked(
    agent: Agent, work: Task, desk: Desk, thoughts: Sequence[Thought]
) -> tuple[Proposal, tuple[str, ...]]:
    """Let the verifier look at a draft; what fails goes back once, and what fails again goes to the operator."""
    proposal = await agent.work(work, desk)
    warnings = _faults(proposal, work, desk)
    if not warnings or not thoughts:
        return proposal, warnings  # a template would say the same again
    # A warning may quote the draft, and a draft may quote a stranger: quotes never become the agent's guidance.
    bare = " ".join(_QUOTED.sub("something", warning) for warning in warnings)[:GUIDANCE_MAX]
    guidance = f"{work.guidance}\nPut this right: {bare}".strip()
    again = await agent.work(replace(work, guidance=guidance, earlier=proposal.calls), desk)
    if not again.calls:
        return proposal, warnings
    # Judged by what the operator said: the guidance of the first check is nobody's word.
    left = _faults(again, work, desk)
    return (again, left) if len(left) < len(warnings) else (proposal, warnings)


def _faults(proposal: Proposal, work: Task, desk: Desk) -> tuple[str, ...]:
    try:
        return verifier.check(proposal.calls, work, desk)
    except (ArithmeticError, KeyError, TypeError, ValueError) as error:
        log.warning("task %s: the draft could not be checked: %r", work.id, error)
        return (f"This draft is not laid out as it should be, so it could not be checked ({type(error).__name__}).",)


def _resolved(step: Step, state: TaskState) -> dict[str, Json]:
    """Return a step's inputs with references to earlier results filled in."""
    values: dict[str, Json] = {}
    for name, value in step.inputs.items():
        if isinstance(value, dict) and set(value) == {"from", "field"}:
            values[name] = state.results.get(value["from"], {}).get(value["field"])
        else:
            values[name] = value
    return {name: value for name, value in values.items() if value is not None}


GUIDANCE_MAX = 2000  # characters of warnings handed back to an agent
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_CARD = re.compile(r"\d{1,12}\.\d{1,6}")
_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")  # halves of characters, and NUL, which no database keeps


def writable(value: Any) -> Any:
    """Return a JSON value as it can be written down: what is no text becomes U+FFFD, as a browser shows it."""
    match value:
        case str():
            return _UNWRITABLE.sub("\ufffd", value)
        case dict():
            return {writable(key): writable(item) for key, item in value.items()}
        case list() | tuple():
            return [writable(item) for item in value]
        case _:
            return value


def _name(actor: Actor | None) -> str:
    return f"{actor.platform}:{actor.user}" if actor else "soloist"


def _plain(error: ValueError) -> str:
    details = getattr(error, "errors", None)
    if callable(details):
        return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in details())
    return str(error)
