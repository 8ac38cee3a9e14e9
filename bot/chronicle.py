"""One unit of work: admit, append, believe, decide, order; all of it in one transaction of the one writer.

What is believed of a task is the fold of its lines, kept in memory for those at work. What was ordered stands in the line
that ordered it, and is handed to `Chronicle.committed` after the commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Table

from bot.channels.base import NotWrittenError
from bot.conductor import decide
from bot.deciding.house import House
from bot.effects import Close, Effect, Lasting, Record, Reply, Tally, Wake, pack
from bot.policy import grants_in_force
from bot.staff import Catalogue, Staff
from bot.state import TaskState, believe, reserved, rows, task_row, with_event, with_orders
from memory.database import StorageError
from memory.events import Actor, CardOpened, Event, Said
from memory.line import GENESIS, Line, Ordered, OrderRow, stamp
from memory.log import HOUSE, Tx
from memory.projections import BY_NAME, Books, reservations

STEPS_PER_EVENT_MAX = 200  # a conductor bug must not become an endless bill
STATES_KEPT = 4096  # beliefs in memory; the rest is folded again when it is needed


Ready = Callable[[TaskState, Lasting], tuple[Event, str] | None]
"""A task as it stands in the transaction, an order it gave → the event that answers it and whose word that is, or None."""


@dataclass(frozen=True)
class Outcome:
    """What one unit of work wrote, for whoever waits for its commit."""

    task: int
    lines: tuple[Line, ...] = ()
    orders: tuple[tuple[str, Lasting], ...] = ()
    replies: tuple[str, ...] = ()
    fresh: bool = True
    also: Outcome | None = None  # of another task, written in the same transaction


class Chronicle:
    """History as it is made. `committed` is called on the loop with each outcome, after its commit."""

    def __init__(self, staff: Staff, catalogue: Catalogue) -> None:
        self._staff = staff
        self._catalogue = catalogue
        self.states: OrderedDict[int, TaskState] = OrderedDict()
        self.committed: Callable[[Outcome], None] = lambda _: None
        self.loop: asyncio.AbstractEventLoop | None = None
        self._seen: tuple[Tx, TaskState, House] | None = None  # the house as one transaction, and its belief, saw it
        staff.database.after_rollback.append(self.states.clear)

    async def enter(
        self,
        platform: str,
        account: str,
        event_id: str,
        event: Event,
        actor: str,
        *,
        ready: Ready | None = None,
    ) -> Outcome:
        """Let an input begin a task, once for its (platform, account, event id); returns when it is on disk.

        Args:
            platform, account, event_id: Whose it is, and its own id there.
            event: What came in.
            actor: Who.
            ready: Answers the orders it gives where that can be done at once: they are written in the same transaction.

        Raises:
            NotWrittenError: It could not be put on disk.
        """
        event_id = writable(event_id)

        def work(tx: Tx) -> Outcome:
            task, fresh = tx.admit(platform, account, event_id, self._house_in(tx).now, tx.next_task)
            if not fresh:
                return Outcome(task, fresh=False)
            outcome = self.advance(tx, task, event, actor=actor, cause=event_id)
            return outcome if ready is None else self._answered(tx, outcome, ready)

        return await self.write(work)

    def _answered(self, tx: Tx, outcome: Outcome, ready: Ready) -> Outcome:
        """Answer what can be answered at once, and what follows from it, in the transaction that ordered it."""
        for key, order in outcome.orders:
            answer = ready(self.states[outcome.task], order)
            if answer is not None:
                event = msgspec.structs.replace(answer[0], order=key)
                more = self.advance(tx, outcome.task, event, actor=answer[1], cause=key)
                left = tuple(each for each in outcome.orders if each[0] != key)
                lines, replies = outcome.lines + more.lines, outcome.replies + more.replies
                return self._answered(tx, Outcome(outcome.task, lines, left + more.orders, replies), ready)
        return outcome

    async def write(self, work: Callable[[Tx], Outcome]) -> Outcome:
        """Run a unit of work, wait for its commit, and see that what it ordered gets done."""
        waiter: asyncio.Future[Outcome] = (self.loop or asyncio.get_running_loop()).create_future()
        queued = self.submit(work, waiter)
        try:
            return await waiter
        except StorageError as error:
            raise NotWrittenError(str(error)) from error
        except asyncio.CancelledError:
            queued.cancel()  # what is not being written yet is not written for nobody
            raise

    def submit(self, work: Callable[[Tx], Outcome], waiter: asyncio.Future[Outcome] | None = None) -> Future[Outcome]:
        """Run a unit of work in the writer thread; what it ordered is seen to after its commit, then whoever waits."""
        loop = self.loop or asyncio.get_running_loop()
        future = self._staff.log.transact(work)

        def committed(done: Future[Outcome]) -> None:
            # Dispatch hangs on the commit, not on whoever waits for it: a channel that was cut off in between must
            # not leave its order lying until the next sweep. Both in one call: each wakes the loop.
            with contextlib.suppress(RuntimeError):  # the loop is closed: the outbox keeps it for the next start
                loop.call_soon_threadsafe(self._landed, done, waiter)

        future.add_done_callback(committed)
        return future

    def _landed(self, done: Future[Outcome], waiter: asyncio.Future[Outcome] | None) -> None:
        error = None if done.cancelled() else done.exception()
        if not done.cancelled() and error is None:
            self.committed(done.result())
        if waiter is None or waiter.done():
            return
        if done.cancelled():
            waiter.cancel()
        elif error is not None:
            waiter.set_exception(error)
        else:
            waiter.set_result(done.result())

    def advance(self, tx: Tx, task: int, event: Event, *, actor: str, cause: str) -> Outcome:
        """Append an event and all that follows from it at once. Runs in the writer thread, inside the transaction."""
        state = self.believed(tx, task)
        house = self._house_in(tx)
        held = reserved(state)
        lines: list[Line] = []
        given: list[tuple[str, Lasting]] = []
        replies: list[str] = []
        tallied: list[tuple[int, Event, str]] = []
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
            tallied += [(order.task, order.event, f"{task}:{seq}") for order in decided if isinstance(order, Tally)]
            todo.extend((order.event, f"{task}:{seq}") for order in decided if isinstance(order, Record))
        if lines:
            table, row = task_row(state)
            tx.put(BY_NAME[table], row)
        self._hold(tx, held, reserved(state))
        self.states[task] = state
        self.states.move_to_end(task)
        while len(self.states) > STATES_KEPT:
            self.states.popitem(last=False)
        for other, counted, why in tallied:
            self.advance(tx, other, counted, actor=actor, cause=why)
        closed = {order for line in lines for order in line.ordered.closed}
        return Outcome(task, tuple(lines), tuple(order for order in given if order[0] not in closed), tuple(replies))

    def believed(self, tx: Tx, task: int) -> TaskState:
        """Return what is believed of a task inside a unit of work; a number that was just given has no history."""
        state = self.states.get(task)
        if state is None:
            state = TaskState(task) if tx.is_new(task) else believe(task, tx.history(task))
        return state

    def _hold(self, tx: Tx, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        for name in before.keys() - after.keys():
            tx.drop(reservations, name)
        for name, card in after.items():
            if before.get(name) != card:
                tx.put(reservations, {"name": name, "card": card})

    def _house_in(self, tx: Tx) -> House:
        """Return what holds for all that one transaction writes, at one time, until it changes the house itself."""
        seen = self._seen
        if seen is None or seen[0] is not tx or seen[1] is not self.states.get(HOUSE):
            house = self._house(tx)
            self._seen = seen = (tx, self.states[HOUSE], house)
        return seen[2]

    def _house(self, tx: Tx) -> House:
        staff = self._staff
        whole = self.states.get(HOUSE)
        if whole is None:
            whole = self.states[HOUSE] = believe(HOUSE, tx.history(HOUSE))
        now = staff.now()
        return House(
            now=now,
            zone=staff.zone,
            policy=staff.policy,
            actions=self._catalogue.actions,
            ledgers=Books(tx.connection, tx.settle),
            roster=staff.roster(),
            secret=staff.secret,
            accounts=self._catalogue.accounts,
            agents=self._catalogue.owners,
            proposes=self._catalogue.proposes,
            hears=self._catalogue.hears,
            homes=tuple(home for channel in staff.channels.values() if (home := channel.home()) is not None),
            paused=whole.paused,
            grants=grants_in_force(whole.grants, whole.grant_uses, now),
            thinking=staff.thinking,
        )

    def state(self, task: int) -> TaskState:
        """Return what we believe of a task, from memory or folded from what is on disk."""
        cached = self.states.get(task)
        return cached if cached is not None else believe(task, self._staff.log.lines(task))

    def record(self, events: Sequence[Event]) -> int:
        """Write events that are already settled as one finished task (a demo company, an import); returns its number."""

        def work(tx: Tx) -> int:
            task = tx.next_task()
            for event in events:
                self.advance(tx, task, event, actor="soloist", cause="")
            return task

        return self._staff.log.transact(work).result()

    def drop_beliefs(self) -> None:
        """Forget what is believed in memory: it is folded again from history. Called in the writer thread."""
        self.states.clear()

    async def answer(self, task: int, event: Event, actor: str = "soloist") -> Outcome:
        """Append what came of an order, and all that follows from it.

        Raises:
            NotWrittenError: It could not be put on disk; the order stays in the outbox.
        """
        return await self.write(
            lambda tx: self.advance(tx, task, event, actor=actor, cause=getattr(event, "order", ""))
        )


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
    if state is not None:
        name, row = task_row(state)
        yield BY_NAME[name], row, (state.id,)


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


def name_of(actor: Actor | None) -> str:
    """Return who did it, as a line of history names them: ``slack:U1``."""
    return f"{actor.platform}:{actor.user}" if actor else "soloist"
