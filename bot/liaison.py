"""Orders of one task that reach another: press its card, tell it something, begin it, wake those that wait."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select

from bot import batch
from bot.chronicle import Chronicle, Outcome, name_of
from bot.deciding import conditions
from bot.deciding.saying import RESTED
from bot.effects import Delegate, Press, Rouse, Start, Tell, Wake, unpack
from bot.staff import Staff
from connectors.base import Json
from memory.events import Actor, Answered, MessageReceived, Place, Pressed, Said, WokeUp
from memory.log import HOUSE, Tx, orders
from memory.projections import effects


def _shows(outcome: Outcome, place: Place | None) -> bool:
    """Whether what a typed press led to is seen where it was typed: words, or a draft that is made anew."""
    said = [line.event for line in outcome.lines if isinstance(line.event, Said)]
    here = [each.place for each in said if each.place and place]
    redrawn = any(isinstance(order, Delegate) for _, order in outcome.orders)
    return redrawn or any((at.channel, at.conversation) == (place.channel, place.conversation) for at in here if place)


class Liaison:
    """Carries out `Press`, `Tell`, `Start` and `Rouse`; a crash in between does none of them twice."""

    def __init__(self, staff: Staff, chronicle: Chronicle) -> None:
        self._staff = staff
        self._chronicle = chronicle

    async def press(self, event_id: str, press: Pressed) -> Outcome:
        """Let a press count, once for its event id; returns when it is on disk."""
        task = int(press.card.partition(".")[0])

        def work(tx: Tx) -> Outcome:
            if task not in self._chronicle.states and not tx.history(task):
                # A button of a house before a restore: nothing is known, and nothing is begun, under that number.
                return Outcome(task, replies=(f"There is no card {press.card} here. Nothing was done.",))
            platform = f"press:{press.actor.platform}"
            _, fresh = tx.admit(platform, press.actor.account, event_id, self._staff.now(), lambda: task)
            if not fresh:
                return Outcome(task, fresh=False)
            return self._chronicle.advance(tx, task, press, actor=name_of(press.actor), cause=event_id)

        return await self._chronicle.write(work)

    async def press_by_name(self, task: int, key: str, order: Press) -> None:
        """Press the card, effect or list of cards that the operator named in words."""
        state = self._chronicle.state(task)
        items = batch.items_in(order.card)
        if items:
            await self._press_all(task, key, items)
            return
        named, at, print_ = order.card.partition("@")
        if at and not re.fullmatch(r"[0-9a-f]+", print_):
            named = order.card  # half of what a button says is not what was listed
        found = self._staff.answerer.find_card(order.verb, named)
        if isinstance(found, str):
            await self._chronicle.answer(task, Answered(order=key, text=found))
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
            until=order.until,
            fingerprint=print_,
        )
        outcome = await self.press(f"{key}:{order.verb}", press)
        reply = outcome.replies[0] if outcome.replies else "Noted."
        await self._chronicle.answer(task, Answered(order=key, text="" if _shows(outcome, state.place) else reply))

    async def _press_all(self, task: int, key: str, items: Sequence[batch.Item]) -> None:
        """Approve what was listed, one by one and each under its own lock; a crash in between presses nothing twice."""
        state = self._chronicle.state(task)
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
            outcome = await self.press(f"{key}:{item.card}", press)
            if not outcome.fresh:  # counted before a crash
                standing = self._chronicle.state(outcome.task).cards.get(item.card)
                told.append((item.card, "Approved." if standing and standing.state == "approved" else "Not approved."))
            else:
                told.append((item.card, outcome.replies[0] if outcome.replies else "Noted."))
        await self._chronicle.answer(task, Answered(order=key, text=batch.told(told)))

    async def tell(self, task: int, key: str, order: Tell) -> None:
        """Append an event to another task, and its reply to this one, in one transaction."""

        def work(tx: Tx) -> Outcome:
            state = self._chronicle.believed(tx, task)
            if key not in state.open:
                return Outcome(task)
            if order.task != HOUSE and order.task not in self._chronicle.states and not tx.history(order.task):
                # Nothing is begun under a number that nobody gave: the next task would find it taken.
                none = WokeUp(
                    order=key,
                    reason="notice",
                    data={"text": f"There is no task {order.task}. /tasks lists the newest."},
                )
                return self._chronicle.advance(tx, task, none, actor="soloist", cause=key)
            told = self._chronicle.advance(tx, order.task, order.event, actor=name_of(state.actor), cause=key)
            data: dict[str, Json] = {"reply": told.replies[0]} if told.replies else {}
            own = self._chronicle.advance(
                tx, task, WokeUp(order=key, reason="told", data=data), actor="soloist", cause=key
            )
            return replace(own, also=told)

        await self._chronicle.write(work)

    async def start(self, task: int, key: str, order: Start) -> None:
        """Begin another task with words of the operator's, in one transaction with the end of this order."""

        def work(tx: Tx) -> Outcome:
            state = self._chronicle.believed(tx, task)
            if key not in state.open:
                return Outcome(task)
            actor = state.actor or Actor(platform="soloist")
            event = MessageReceived(text=order.text, actor=actor, place=order.place, files=order.files)
            begun = self._chronicle.advance(tx, tx.next_task(), event, actor=name_of(actor), cause=key)
            own = self._chronicle.advance(tx, task, WokeUp(order=key, reason="started"), actor="soloist", cause=key)
            return replace(own, also=begun)

        await self._chronicle.write(work)

    async def rouse(self, task: int, key: str, order: Rouse) -> None:
        """Wake every task that waited for a pause, or for the operator's return, to end; or for our books to change."""
        if order.scope in {"rest", conditions.REASON}:
            await self._woken(RESTED if order.scope == "rest" else conditions.REASON)
            await self._chronicle.answer(task, WokeUp(order=key, reason="roused"))
            return
        query = select(effects.c.task).where(effects.c.status == "prepared").distinct()
        with self._staff.database.read() as connection:
            waiting = [row.task for row in connection.execute(query)]
        for other in waiting:
            await self._chronicle.answer(other, WokeUp(order="", reason="resumed"))
        await self._chronicle.answer(task, WokeUp(order=key, reason="roused"))

    async def _woken(self, reason: str) -> None:
        """Wake now what would have woken later, for the same reason: the end of a rest, a condition's last day."""
        query = select(orders).where(orders.c.kind == "Wake")
        with self._staff.database.read() as connection:
            rows = [(row.task, row.id, unpack(row.body)) for row in connection.execute(query)]
        for waiting, number, wake in rows:
            if isinstance(wake, Wake) and wake.reason == reason:
                await self._chronicle.answer(waiting, WokeUp(order=number, reason=reason, data=wake.data))
