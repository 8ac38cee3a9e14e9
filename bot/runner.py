"""The loop: write down, decide, write down what was decided, do, write down what came of it. And recovery.

All that happens enters by `heard`, `pressed`, `arrived` or the clock, becomes one event in the history of one task, and is
decided in the transaction that appends it (`chronicle.py`). What was ordered is done after that commit, each kind of order by one
colleague, and its answer enters the same way. Nothing else in the house has consequences.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, assert_never

import msgspec
from sqlalchemy import select

from bot import approvals
from bot.approvals import read_handle
from bot.bulkhead import Bulkhead
from bot.channels.base import Card, Message, NotWrittenError, RefusedPressError
from bot.chronicle import Chronicle, Outcome, name_of, writable
from bot.courier import Courier
from bot.delegation import Delegation
from bot.effects import (
    Delegate,
    Lasting,
    LookUp,
    Perform,
    Press,
    Remember,
    Rouse,
    Show,
    Start,
    Tell,
    Understand,
    Wake,
    unpack,
)
from bot.epoch import begin_epoch
from bot.executor import Executor
from bot.foresight import Foresight
from bot.liaison import Liaison
from bot.remembering import RememberError
from bot.staff import Catalogue, Staff
from bot.state import TaskState
from bot.timekeeper import Timekeeper
from connectors.base import Action, Incoming, RefusedError
from memory.events import (
    Actor,
    Answered,
    Attachment,
    BecameUnknown,
    Event,
    ItemArrived,
    MessageReceived,
    Origin,
    Place,
    Pressed,
    Proposed,
    Recorded,
    Said,
    Understood,
    WokeUp,
    Write,
)
from memory.log import HOUSE, Tx
from memory.projections import Books, copies

log = logging.getLogger("soloist.runner")

DRAWN = frozenset({"digest", "week", "month"})  # answers with a picture
LAUNCH_AGAIN_S = 2.0  # an order that could not be written down is carried out again
REFUSED_AGAIN_S = 3_600.0  # a service that does not let us in: seldom enough that it locks no account
REFUSALS_TOLD_PER_HOUR = 3  # a stranger who presses for fun must not flood the operator
_CARD = re.compile(r"\d{1,12}\.\d{1,6}")


class Runner:
    """One process's loop. `bot.channels.base.Ear` for every channel."""

    def __init__(self, staff: Staff) -> None:
        self._staff = staff
        self.catalogue = Catalogue.of(staff)
        self.chronicle = Chronicle(staff, self.catalogue)
        self.chronicle.committed = self.dispatch
        self.courier = Courier(staff, self.catalogue, self.chronicle)
        self.executor = Executor(staff, self.catalogue, self.chronicle)
        self.delegation = Delegation(staff, self.catalogue, self.chronicle, self.courier.writing)
        self._foresight = Foresight(staff, self.catalogue, self.delegation)
        self._liaison = Liaison(staff, self.chronicle)
        self._timekeeper = Timekeeper(staff, self.chronicle)
        self._bulkhead = Bulkhead(staff, self.chronicle)
        self._group: asyncio.TaskGroup | None = None
        self._refusals: dict[str, list[datetime]] = {}
        self._busy = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    # ── the doors ─────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def actions(self) -> Mapping[str, Action]:
        """Every action there is, by name."""
        return self.catalogue.actions

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
        outcome = await self.chronicle.enter(
            actor.platform, actor.account, event_id, event, name_of(actor), ready=self._foresight.of(event)
        )
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
        outcome = await self._liaison.press(event_id, press)
        if not outcome.fresh:
            return "I have that already."
        reply = outcome.replies[0] if outcome.replies else "Noted."
        if person is None:
            raise RefusedPressError(reply)
        return reply

    async def _chosen(self, event_id: str, message: str, number: int, actor: Actor, place: Place) -> str:
        task = int(message.partition(".")[0])
        said = self.chronicle.state(task).said.get(message)
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
        await self.chronicle.enter(item.service, item.account, item.event_id, event, item.service)

    async def struck(self, name: str, period: str) -> bool:
        """A schedule fell due; returns False when this period was served before, also by an earlier process."""
        return await self._timekeeper.struck(name, period)

    def note(self, task: int, event: Event) -> None:
        """Append something that is only counted (a model's call) to a task, without waiting for the commit."""
        self.chronicle.submit(lambda tx: self.chronicle.advance(tx, task, event, actor="soloist", cause=""))

    def jot(self, write: Write) -> None:
        """Put a record of the house's own on the books (what was learned, a preference), without waiting for it."""

        def work(tx: Tx) -> Outcome:
            version = Books(tx.connection, tx.settle).version(write.kind, write.key) + 1
            return self.chronicle.advance(tx, HOUSE, Recorded(write=write, version=version), actor="soloist", cause="")

        self.chronicle.submit(work)

    async def turned_away(self, actor: Actor, what: str) -> None:
        """Tell the operator of somebody who does not count; a few times an hour, and without the stranger's words."""
        now = self._staff.now()
        told = [at for at in self._refusals.get(actor.platform, ()) if now - at < timedelta(hours=1)]
        if len(told) >= REFUSALS_TOLD_PER_HOUR:
            return
        # Only what is told is kept: the last press of a flood must cost as little as the first.
        self._refusals[actor.platform] = [*told, now]
        known = self._staff.roster().find(actor) is not None
        who = "Somebody with your own account" if known else "Somebody who is not on your list"
        text = f"{who} ({actor.platform} user {actor.user or 'unknown'}) {what}. Refused."
        event = WokeUp(order="", reason="refused", data={"text": text})

        def work(tx: Tx) -> Outcome:
            return self.chronicle.advance(tx, tx.next_task(), event, actor=name_of(actor), cause="")

        with contextlib.suppress(NotWrittenError):
            await self.chronicle.write(work)

    async def tell(self, text: str) -> None:
        """Tell the operator something of the house itself, wherever they are. Lost when it cannot be written."""
        event = WokeUp(order="", reason="notice", data={"text": text})
        with contextlib.suppress(NotWrittenError):
            await self.chronicle.write(
                lambda tx: self.chronicle.advance(tx, tx.next_task(), event, actor="soloist", cause="")
            )

    def drop_beliefs(self) -> None:
        """Forget what is believed in memory: it is folded again from history. Called in the writer thread."""
        self.chronicle.drop_beliefs()

    def card(self, card_id: str) -> Card | None:
        """See `bot.channels.base.Ear.card`."""
        return self.courier.card(card_id)

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
        return self.courier.message(said)

    def state_now(self, task: int) -> TaskState:
        """Return what we believe of a task, from memory or folded from what is on disk."""
        return self.chronicle.state(task)

    # ── doing what was ordered ────────────────────────────────────────────────────────────────────────────────────

    def dispatch(self, outcome: Outcome) -> None:
        """See to what a unit of work ordered, now that it is on disk."""
        for key, order in outcome.orders:
            if isinstance(order, Wake):
                self._timekeeper.alarm.set()
            else:
                self._launch(outcome.task, key, order)
        for room in self._bulkhead.heed(outcome):
            self._let_in(room)
        self.courier.push(outcome)
        if self._staff.seen is not None and outcome.lines:
            self._staff.seen(outcome.lines)
        if outcome.also is not None:
            self.dispatch(outcome.also)

    def _launch(self, task: int, key: str, order: Lasting) -> None:
        if self._group is None:
            return  # not running: the outbox keeps it
        self._busy += 1
        self._quiet.clear()
        self._group.create_task(self._carry_out(task, key, order))

    def _let_in(self, room: str) -> None:
        if self._group is None:
            return  # not running: the outbox keeps who waits
        self._busy += 1
        self._quiet.clear()
        self._group.create_task(self._counted(self._bulkhead.let_in(room)))

    async def _counted(self, work: Awaitable[None]) -> None:
        try:
            await work
        finally:
            self._done()

    def _done(self) -> None:
        self._busy -= 1
        if not self._busy:
            self._quiet.set()

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
            self._done()

    async def _again_later(self, task: int, key: str, order: Lasting) -> None:
        await asyncio.sleep(LAUNCH_AGAIN_S)
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
                await self.chronicle.answer(task, event)

    async def _do(self, task: int, key: str, order: Lasting) -> None:
        match order:
            case Understand():
                reading = await self._staff.reader.read(order.text, self.chronicle.state(task), self._staff.now())
                await self.chronicle.answer(task, msgspec.structs.replace(reading, order=key))
            case Delegate():
                hint = asyncio.get_running_loop().call_later(
                    self._staff.patience_s, self.courier.tell_of_work, task, key
                )
                try:
                    await self.delegation.delegate(task, key, order)
                finally:
                    hint.cancel()
            case LookUp():
                state, asked = self.chronicle.state(task), self._staff.answerer.answer
                if order.question in DRAWN:  # a picture takes most of a second, and nobody should wait for it
                    answer = await asyncio.to_thread(asked, order.question, order.slots, self._staff.now(), state)
                else:
                    answer = asked(order.question, order.slots, self._staff.now(), state)
                await self.chronicle.answer(task, msgspec.structs.replace(answer, order=key))
            case Press():
                await self._liaison.press_by_name(task, key, order)
            case Perform():
                await self.executor.perform(task, key, order)
            case Show():
                await self.courier.show(task, key, order)
            case Tell():
                await self._liaison.tell(task, key, order)
            case Start():
                await self._liaison.start(task, key, order)
            case Rouse():
                await self._liaison.rouse(task, key, order)
            case Remember():
                if self._staff.remember is not None:
                    try:
                        await self._staff.remember(order.records)
                    except RememberError as error:
                        await self.tell(str(error))
                await self.chronicle.answer(task, WokeUp(order=key, reason="remembered"))
            case Wake():
                self._timekeeper.alarm.set()
            case _:
                assert_never(order)

    # ── running and recovery ──────────────────────────────────────────────────────────────────────────────────────

    async def run(self, ready: Callable[[], None] | None = None) -> None:
        """Recover, then serve until cancelled."""
        self.chronicle.loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = self.courier.group = group
                try:
                    await self.recover()
                    if ready is not None:
                        ready()
                    self._open_ears(group)
                    await self._timekeeper.run()
                finally:
                    self._group = self.courier.group = None
        finally:
            for connector in self._staff.connectors.values():  # nobody listens any more
                with contextlib.suppress(Exception):  # it is over; a connection that will not close harms nobody
                    await connector.close()

    def _open_ears(self, group: asyncio.TaskGroup) -> None:
        """Let every channel, connector and server listen, each behind an outer rim of its own."""
        for channel in {id(each): each for each in (*self._staff.channels.values(), *self._staff.live)}.values():
            group.create_task(self._attend(channel.name, lambda each=channel: each.run(self)))  # type: ignore[misc]
        for connector in self._staff.connectors.values():
            group.create_task(
                self._attend(connector.service, lambda each=connector: each.listen(self.arrived))  # type: ignore[misc]
            )
        for name, serve in self._staff.beside.items():
            group.create_task(self._attend(name, lambda each=serve: each(self.tell)))  # type: ignore[misc]

    async def _attend(self, name: str, serve: Callable[[], Awaitable[None]]) -> None:
        """The outer rim of a channel or connector: it may break, the house goes on and starts it again.

        One that is turned away for good is told of, and tried again so seldom that no account is locked for it.
        """
        pause, told = 1.0, ""
        while True:
            try:
                await serve()
            except RefusedError as refused:
                if told != str(refused):
                    told = str(refused)
                    await self.tell(f"I hear nothing from {name} any more: {self._staff.redact(told)}")
                await asyncio.sleep(REFUSED_AGAIN_S)
            except Exception:
                log.exception("%s stopped; starting it again in %.0f s", name, pause)
                await asyncio.sleep(pause)
                pause = min(60.0, pause * 2)
            else:
                return

    async def recover(self) -> None:
        """Take up what an earlier process had promised: unanswered orders first, then whatever is due."""
        now = self._staff.now()
        owed = [(task, row, unpack(row.body)) for task, row in self._staff.log.due_orders(now, limit=100_000)]
        self.courier.take_up({task for task, _, order in owed if _brings_an_answer(order)})
        for task, row, order in owed:
            if isinstance(order, Wake):
                continue
            if isinstance(order, Perform):
                # The process died with this on its way. Nobody knows; the conductor decides by its class.
                await self.chronicle.answer(
                    task, WokeUp(order=row.id, reason="interrupted", data={"effect": order.effect}), actor="recovery"
                )
            else:
                self._launch(task, row.id, order)
        for room in self._bulkhead.take_up():
            self._let_in(room)
        await self._timekeeper.tick()

    def restored(self, backup: str) -> int:
        """Begin a new epoch after a restore; returns how many tasks had something open."""
        return begin_epoch(self._staff, self.catalogue, self.chronicle, backup)

    async def tick(self) -> None:
        """Do what has fallen due by now. The clock calls it; tests call it with a frozen one."""
        await self._timekeeper.tick()

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


def _brings_an_answer(order: Lasting) -> bool:
    """Whether something will yet be shown in the place where the operator asked."""
    return isinstance(order, Understand | Delegate | LookUp | Press) or (isinstance(order, Show) and not order.ref)
