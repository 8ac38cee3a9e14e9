"""Brings words and cards to the channels, in order, again until they are there; every copy comes to the same end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from weakref import WeakValueDictionary

from sqlalchemy import select

from agents.question import Stream
from bot import approvals
from bot.channels.base import Button, Card, Channel, Finder, Message, Onlooker, UndeliverableError
from bot.chronicle import Chronicle, Outcome
from bot.effects import Show
from bot.staff import Catalogue, Staff
from bot.state import TaskState
from bot.writing import Writing
from memory.database import StorageError
from memory.events import CardOpened, Delivered, MessageReceived, Origin, Place, Pressed, Proposed, Said
from memory.log import Tx
from memory.shown import BEGUN, Standing, beside, shown

log = logging.getLogger("soloist.courier")

SHOW_AGAIN_S = (1.0, 2.0, 5.0, 15.0, 60.0)  # a platform that is away is asked again; the order stays in the outbox
WORKING, WORKED = "Working on it…", "Here it is:"
WORK = ".w"  # what such a message is called, behind its task
MENDED_FOR_MIN = 24 * 60  # a platform that is away for longer keeps what an earlier process left there


class Courier:
    """Carries out `Show`, and lets the channels that are views of history see what just became true.

    Attributes:
        group: Where pushes run while the house runs; None before and after.
    """

    def __init__(self, staff: Staff, catalogue: Catalogue, chronicle: Chronicle) -> None:
        self._staff = staff
        self._catalogue = catalogue
        self._chronicle = chronicle
        self.group: asyncio.TaskGroup | None = None
        self.lanes: WeakValueDictionary[tuple[str, str, str], asyncio.Lock] = WeakValueDictionary()
        # task → where "Working on it…" stands, for its answer to replace; on disk too, so that a kill leaves none behind
        self._working: dict[int, Standing] = {}

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

    def card(self, card_id: str) -> Card | None:
        """Return a card as it stands now, or None: `bot.channels.base.Ear.card`."""
        number = card_id.partition(".")[0]
        if not number.isdecimal():
            return None
        state = self._chronicle.state(int(number))
        return approvals.render(state, card_id, self.view()) if card_id in state.cards else None

    def view(self) -> approvals.View:
        """Return what cards are rendered with."""
        return approvals.View(self._catalogue.actions, self._staff.secret, self._staff.zone, self._staff.now())

    async def show(self, task: int, key: str, order: Show) -> None:
        """Bring one message or card to one place, however long the platform is away."""
        channel = self._staff.channels.get(order.channel)
        if channel is None:
            self._staff.log.close_order(key)  # the operator took the channel away
            return
        # Words of a conversation keep their order, also when one has to be tried again. A card waits for nothing but
        # itself: which goes first, cards or words, is for the channel's own queue.
        is_card = order.what in self._chronicle.state(task).cards
        lane_key = (order.channel, order.conversation, f"{order.what}@{order.ref}" if is_card else "")
        lane = self.lanes.setdefault(lane_key, asyncio.Lock())
        async with lane:
            await self._show_in_turn(task, key, order, channel)

    async def _show_in_turn(self, task: int, key: str, order: Show, channel: Channel) -> None:
        place = Place(
            channel=order.channel, conversation=order.conversation, thread=order.thread, message=order.reply_to
        )
        for attempt in range(1_000_000):
            state = self._chronicle.state(task)
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
            await self._chronicle.answer(task, Delivered(order=key, what=order.what, place=place, ref=ref))
            # It may have changed while it was being shown, before anybody knew of this copy.
            if self._chronicle.state(task).cards[order.what] is not state.cards[order.what]:
                await self._converge(task, order.what, channel, place, ref)
            async with self._words_of(place):  # the last of what was being written may still be on its way
                await self._work_is_over(task, channel, place)
        else:
            standing = Standing(place.channel, place.conversation, ref, place.thread, task, order.what)
            taken = None
            if not order.ref and not state.said[order.what].files:
                taken = self._working_in(task, place)
                self._working.pop(task if taken else 0, None)
            self._staff.log.transact(lambda tx: _said(tx, key, None if order.ref else standing, taken))
            if not order.ref:
                await self._work_is_over(task, channel, place)

    async def _converge(self, task: int, card: str, channel: Channel, place: Place, ref: str) -> None:
        for pause in (*SHOW_AGAIN_S, None):
            try:
                await channel.settle(place, ref, approvals.render(self._chronicle.state(task), card, self.view()))
            except UndeliverableError as error:
                if error.forever or pause is None:
                    return  # its end mends every copy once more, by an order that is kept
                await asyncio.sleep(max(pause, error.retry_after_s or 0.0))
            else:
                return

    async def _bring(self, channel: Channel, place: Place, state: TaskState, order: Show) -> str:
        if order.what in state.cards:
            render = approvals.render_former if order.former else approvals.render
            card = render(state, order.what, self.view())
            if order.ref:
                await channel.settle(place, order.ref, card)
                return order.ref
            return await channel.ask(place, card)
        message = self.message(state.said[order.what])
        if (standing := self._working_in(state.id, place)) and not message.files:
            message = replace(message, id=standing.what, instead=standing.ref)
        return await channel.say(place, message)

    # ── work that takes a while ───────────────────────────────────────────────────────────────────────────────────

    def _words_of(self, place: Place) -> asyncio.Lock:
        """Return the lane in which the words of a conversation go, one after the other."""
        return self.lanes.setdefault((place.channel, place.conversation, ""), asyncio.Lock())

    def _working_in(self, task: int, place: Place) -> Standing | None:
        standing = self._working.get(task)
        here = standing and (standing.channel, standing.conversation) == (place.channel, place.conversation)
        return standing if here else None

    async def _say_of_work(self, task: int, channel: Channel, place: Place, text: str) -> None:
        """Say something in the place where the answer will stand.

        That it is begun is on disk before it is sent: killed in between, the next process looks for it (`_look_for`).

        Raises:
            StorageError: It could not be written down, so it was not sent.
            UndeliverableError: as the channel does.
        """
        begun = _begun(task, place)
        kept = place.channel in self._staff.channels  # on a channel that is a view of history nothing is kept
        if kept and self._working_in(task, place) is None:
            await asyncio.wrap_future(self._staff.log.transact(lambda tx: tx.put(shown, {**begun._asdict(), "due": 0})))
        standing = begun._replace(ref=await channel.say(place, self._work_message(task, text, place)))
        if self._working.get(task) != standing:
            self._working[task] = standing
            if kept:
                self._staff.log.transact(lambda tx: _found(tx, begun, standing))

    def take_up(self, at_work: Collection[int]) -> None:
        """Take up what an earlier process left saying that it takes a while; ``at_work`` are the tasks with an answer to come."""
        with self._staff.database.read() as connection:
            left = connection.execute(select(shown).where(shown.c.what.endswith(WORK), shown.c.due == 0)).all()
        for row in left:
            standing = Standing(*row[:6])
            channel = self._staff.channels.get(standing.channel)
            if not standing.ref.startswith(BEGUN):
                self._working[standing.task] = standing
            if channel is None or self.group is None:
                continue
            if standing.ref.startswith(BEGUN):
                self.group.create_task(self._look_for(channel, standing, over=standing.task not in at_work))
            elif standing.task not in at_work:
                self.group.create_task(self._mend(channel, standing))

    async def _look_for(self, channel: Channel, begun: Standing, *, over: bool) -> None:
        """Find what an earlier process was sending when it died; its answer waits until then, and takes its place."""
        before = self._chronicle.state(begun.task).place
        place = Place(
            channel=begun.channel,
            conversation=begun.conversation,
            thread=begun.thread,
            message=before.message if before else "",
        )
        async with self.lanes.setdefault((begun.channel, begun.conversation, ""), asyncio.Lock()):
            ref = await self._found_at(channel, begun, place)
            standing = begun._replace(ref=ref) if ref else None
            if standing is not None:
                self._working[begun.task] = standing
            self._staff.log.transact(lambda tx: _found(tx, begun, standing))
        if standing is not None and over:
            await self._mend(channel, standing)

    async def _found_at(self, channel: Channel, begun: Standing, place: Place) -> str:
        if not isinstance(channel, Finder):
            return ""
        with self._staff.database.read() as connection:
            apart = beside(connection, begun.channel, begun.conversation)
        message = Message(begun.what, WORKING, "notice")
        for pause in SHOW_AGAIN_S:
            try:
                return await channel.find(place, message, apart)
            except UndeliverableError as error:
                if error.forever:
                    return ""
                await asyncio.sleep(max(pause, error.retry_after_s or 0.0))
            except Exception:
                log.exception("task %s: what says that it takes a while could not be looked for", begun.task)
                return ""
        return ""

    async def _mend(self, channel: Channel, standing: Standing) -> None:
        place = Place(channel=standing.channel, conversation=standing.conversation, thread=standing.thread)
        try:
            for pause in (*SHOW_AGAIN_S, *[SHOW_AGAIN_S[-1]] * MENDED_FOR_MIN):
                if await self._work_is_over(standing.task, channel, place):
                    return
                await asyncio.sleep(pause)
        except Exception:
            log.exception("task %s: what said that it takes a while could not be mended", standing.task)

    def tell_of_work(self, task: int, key: str) -> None:
        """Let the operator know that this order takes a while."""
        if self.group is not None:
            self.group.create_task(self._say_working(task, key))

    async def _say_working(self, task: int, key: str) -> None:
        """Say that it takes a while; the answer takes the place of this message. Lost without harm."""
        place = self._chronicle.state(task).place
        channel = self._staff.channels.get(place.channel) if place else None
        if place is None or channel is None:
            return
        async with self._words_of(place):
            if key not in self._chronicle.state(task).open:
                return
            with contextlib.suppress(UndeliverableError, StorageError):
                await self._say_of_work(task, channel, place, WORKING)

    def writing(self, task: int, key: str) -> Stream | None:
        """Return what shows a model's words while this order is worked on, or None where nobody may watch.

        Only the operator's own chat sees it, on a channel that says how often it may be edited (``edit_every_s``).
        """
        state = self._chronicle.state(task)
        place = state.place
        channels = (*self._staff.channels.values(), *self._staff.live)
        channel = next((each for each in channels if place and each.name == place.channel), None)
        every_s: float | None = getattr(channel, "edit_every_s", None)
        home = channel.home() if channel else None
        own = home is not None and place is not None and home.conversation == place.conversation
        if not own or every_s is None or self.group is None or state.origin is not Origin.OPERATOR:
            return None
        assert channel is not None
        assert place is not None

        async def show(text: str) -> float | None:
            return await self._show_writing(task, key, text, channel, place)

        return Writing(show, every_s, self.group.create_task)

    async def _show_writing(self, task: int, key: str, text: str, channel: Channel, place: Place) -> float | None:
        async with self._words_of(place):
            if key not in self._chronicle.state(task).open:
                return None
            try:
                await self._say_of_work(task, channel, place, self._staff.redact(text))
            except UndeliverableError as error:
                return None if error.forever else (error.retry_after_s or 0.0)
            except StorageError:
                return None
        return 0.0

    def _work_message(self, task: int, text: str, place: Place) -> Message:
        standing = self._working_in(task, place)
        instead = standing.ref if standing else ""
        return Message(f"{task}{WORK}", text, "notice", reply_to=place.message, instead=instead)

    async def _work_is_over(self, task: int, channel: Channel, place: Place) -> bool:
        """The answer is a card, or has files: what said that it takes a while says where to look.

        Returns:
            Whether nothing says any more that it takes a while.
        """
        standing = self._working_in(task, place)
        if standing is None:
            return True
        try:
            await channel.say(place, self._work_message(task, WORKED, place))
        except UndeliverableError as error:
            if not error.forever:
                return False
        self._working.pop(task, None)
        self._staff.log.transact(lambda tx: tx.drop(shown, *standing[:3]))
        return True

    def push(self, outcome: Outcome) -> None:
        """Let the channels that are views of history see what just became true. Losing a push loses nothing."""
        if self.group is None or not outcome.lines:
            return
        for kept in self._staff.channels.values():
            if (stale := getattr(kept, "home_is_old", None)) is not None:
                stale()
        if not self._staff.live:
            return
        words: list[Said] = []
        changed: dict[str, bool] = {}  # card → whether it is new
        for line in outcome.lines:
            match line.event:
                case MessageReceived() as heard:
                    self.group.create_task(self._push_heard(outcome.task, heard))
                case Said() as said:
                    words.append(said)
                case CardOpened() as opened:
                    changed[opened.card] = True
                case Proposed() | Pressed():
                    pass
                case event:
                    effect = self._chronicle.state(outcome.task).effects.get(getattr(event, "effect", ""))
                    card = getattr(event, "card", "") or (effect.prepared.card if effect else "")
                    if card:
                        changed.setdefault(card, False)
        self.group.create_task(self._push_all(outcome.task, words, changed))

    async def _push_all(self, task: int, words: Sequence[Said], changed: Mapping[str, bool]) -> None:
        for card, fresh in changed.items():
            await self._push_card(task, card, fresh=fresh)
        for said in words:
            await self._push_message(task, said)

    async def _push_heard(self, task: int, heard: MessageReceived) -> None:
        for channel in self._staff.live:
            if isinstance(channel, Onlooker):
                await channel.overhear(str(task), heard.text, heard.files, heard.place)

    async def _push_message(self, task: int, said: Said) -> None:
        message = self.message(said)
        for channel in self._staff.live:
            place = said.place or channel.home()
            if place is not None:
                async with self._words_of(place):
                    with contextlib.suppress(UndeliverableError):
                        await channel.say(place, replace(message, id=self._in_place_of(task, channel) or message.id))

    def _in_place_of(self, task: int, channel: Channel) -> str:
        """Return the id of what was shown there while it was being written; it is over now."""
        standing = self._working.get(task)
        if standing is None or standing.channel != channel.name:
            return ""
        del self._working[task]
        return standing.what

    async def _push_card(self, task: int, card_id: str, *, fresh: bool) -> None:
        state = self._chronicle.state(task)
        if card_id not in state.cards:
            return
        card = approvals.render(state, card_id, self.view())
        for channel in self._staff.live:
            place = channel.home()
            if place is None:
                continue
            with contextlib.suppress(UndeliverableError):
                if fresh and card.state in {"pending", "shadow"}:
                    await channel.ask(place, card)
                    async with self._words_of(place):
                        if written := self._in_place_of(task, channel):
                            await channel.say(place, Message(written, WORKED, "notice"))
                else:
                    await channel.settle(place, "", card)


def _said(tx: Tx, key: str, standing: Standing | None, taken: Standing | None = None) -> None:
    """Close the order, and keep where the words stand: forgetting overwrites them there (`bot.copies`).

    ``taken`` is the message whose place they took: a kill finds all of it or nothing.
    """
    tx.close(key)
    if taken is not None:
        tx.drop(shown, *taken[:3])
    if standing is not None:
        tx.put(shown, {**standing._asdict(), "due": 0})


def _begun(task: int, place: Place) -> Standing:
    """Return what is about to stand there; where, nobody knows before it was sent."""
    return Standing(place.channel, place.conversation, f"{BEGUN}{task}", place.thread, task, f"{task}{WORK}")


def _found(tx: Tx, begun: Standing, standing: Standing | None) -> None:
    """Keep where it stands, or that it does not."""
    tx.drop(shown, *begun[:3])
    if standing is not None:
        tx.put(shown, {**standing._asdict(), "due": 0})
