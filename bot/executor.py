"""Touches the world: one attempt of one effect, and what its answer, or its silence, means by the effect's class."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from bot.channels.base import NotWrittenError
from bot.chronicle import Chronicle
from bot.deciding.fortunes import MEMORY_MAX_S
from bot.effects import Perform
from bot.staff import Catalogue, Staff
from connectors.base import (
    Action,
    Connector,
    ConnectorError,
    EffectClass,
    Json,
    OutcomeUnknownError,
    Receipt,
    TryLaterError,
)
from memory.events import BecameUnknown, Confirmed, Event, Failed, WokeUp, fingerprint

log = logging.getLogger("soloist.executor")

RETRY_FIRST_S, RETRY_MAX_S = 5.0, 3600.0
WRITE_AGAIN_S = 2.0
LOOK_AGAIN_S = 900.0  # where a look failed because the service was away
LOOKED_FOR = timedelta(days=1)  # after the first attempt; then only the operator can say


class Executor:
    """Carries out `Perform`, at once: what waits for its turn waits before `Sending` is written (``deciding/starting.py``).

    The intent is on disk before it is called; so is the answer before it returns.
    """

    def __init__(self, staff: Staff, catalogue: Catalogue, chronicle: Chronicle) -> None:
        self._staff = staff
        self._catalogue = catalogue
        self._chronicle = chronicle

    async def perform(self, task: int, key: str, order: Perform) -> None:
        """Touch the world once. The intent is on disk; so will the answer be."""
        effect = self._chronicle.state(task).effects[order.effect]
        prepared, call = effect.prepared, effect.prepared.call
        if fingerprint(call) != prepared.fingerprint:
            reason = "its content is not what was approved, so it was not sent"
            await self._chronicle.answer(task, Failed(effect=order.effect, order=key, reason=reason))
            return
        action = self._catalogue.actions.get(call.name)
        connector = self._staff.connectors.get(call.name.partition(".")[0])
        if action is None or connector is None:
            reason = f"{call.name} is not set up any more. Set it up again, then press Try again."
            await self._chronicle.answer(task, Failed(effect=order.effect, order=key, reason=reason))
            return
        event = await self._touch(order, key, action, connector, effect.prepared.key, call.args, effect.first_sent_at)
        event = self._redacted(event)
        if isinstance(event, Failed) and effect.maybe and event.again_at is None and not order.look:
            # This attempt did nothing, but an earlier one may have.
            event = BecameUnknown(effect=order.effect, order=key, reason=event.reason)
        await self._write_for_sure(task, event, actor=f"connector:{connector.service}")

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

    async def _write_for_sure(self, task: int, event: Event, actor: str) -> None:
        """Write down what came of an effect, however long the disk is full: touching the world again is no remedy."""
        while True:
            try:
                await self._chronicle.answer(task, event, actor=actor)
            except NotWrittenError as error:
                log.warning(
                    "task %s: %s What came of an effect is kept in memory until it can be written.", task, error
                )
                await asyncio.sleep(WRITE_AGAIN_S)
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
                again = self._look_again(error, first_sent_at)
                return BecameUnknown(effect=order.effect, order=key, reason=reason, look_at=again)
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

    def _look_again(self, error: ConnectorError, first_sent_at: datetime | None) -> datetime | None:
        """When a further look may tell what this one could not; None: only the operator can."""
        now = self._staff.now()
        match error:
            case OutcomeUnknownError():
                wait_s = error.look_again_s
            case TryLaterError() if first_sent_at and now - first_sent_at < LOOKED_FOR:
                wait_s = max(LOOK_AGAIN_S, error.retry_after_s or 0.0)
            case _:
                wait_s = None
        return None if wait_s is None else now + timedelta(seconds=wait_s)

    def _not_known(
        self, order: Perform, key: str, action: Action, reason: str, first_sent_at: datetime | None
    ) -> Event:
        """What follows an unknown outcome is the effect's class: the same key again, a look, or the operator."""
        now = self._staff.now()
        window = timedelta(seconds=min(action.key_window_s, MEMORY_MAX_S))
        in_window = first_sent_at is None or now - first_sent_at < window
        if action.effect is EffectClass.KEYED and in_window and order.attempt < action.attempts_max:
            again = now + timedelta(seconds=self._pause(order.attempt, None))
            text = f"{reason} Asking again with the same key, which cannot do it twice."
            return Failed(effect=order.effect, order=key, reason=text, again_at=again, maybe=True)
        if action.find and not order.look:
            return WokeUp(order=key, reason="interrupted", data={"effect": order.effect})
        return BecameUnknown(effect=order.effect, order=key, reason=reason)

    def _pause(self, attempt: int, retry_after_s: float | None) -> float:
        """Exponential backoff with full jitter above half; never sooner than the service asked for."""
        span = min(RETRY_MAX_S, RETRY_FIRST_S * 2 ** (attempt - 1))
        return float(max(retry_after_s or 0.0, span / 2 + self._staff.chance.uniform(0, span / 2)))
