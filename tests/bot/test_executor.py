"""One attempt of one effect, by its values: what each kind of answer, and each kind of silence, is taken for."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace as changed
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from bot import executor
from bot.channels.base import NotWrittenError
from bot.effects import Perform
from bot.executor import LOOK_AGAIN_S, RETRY_FIRST_S, RETRY_MAX_S, Executor
from bot.redaction import Redactor
from bot.state import EffectState, TaskState
from connectors.base import (
    Connector,
    OutcomeUnknownError,
    Param,
    Receipt,
    RefusedError,
    Risk,
    Role,
    TryLaterError,
    action,
)
from connectors.base import EffectClass as Kind
from memory.events import ActionCall, BecameUnknown, Confirmed, Event, Failed, Prepared, WokeUp, fingerprint

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CALL = ActionCall(name="shop.send", args={"body": "x"})


class Shop(Connector):
    """Does what it is told to."""

    service = "shop"

    def __init__(self) -> None:
        self.does: Any = Receipt(ref="r1", text="Sent.", data={"n": 1})
        self.finds: Any = None
        self.seen: list[dict[str, Any]] = []

    @property
    def account(self) -> str:
        return "me"

    @action(Risk.OUTSIDE, Kind.RECONCILABLE, says="send it", find="find", attempts_max=3, timeout_s=5)
    async def send(self, *, body: str, key: str = "") -> Receipt:
        self.seen.append({"body": body, "key": key})
        return self._come(self.does)  # type: ignore[no-any-return]

    async def find(self, *, body: str, key: str = "") -> Receipt | None:
        self.seen.append({"find": body, "key": key})
        return self._come(self.finds)  # type: ignore[no-any-return]

    def _come(self, what: Any) -> Any:
        if isinstance(what, Exception):
            raise what
        return what


class Desk:
    """An executor with everything around it on paper."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch | None = None, **declared: Any) -> None:
        self.shop = Shop()
        self.written: list[Event] = []
        self.full = 0
        declared = {"params": (Param("body", Role.BODY, required=True, doc=""),), **declared}
        self.actions = {"shop.send": changed(Shop.actions()["shop.send"], **declared)}
        self.effect = EffectState(
            Prepared(
                effect="1.1.1", card="1.1", step="s1", call=CALL, fingerprint=fingerprint(CALL), key="stable", effect_class="plain"
            ),
            "s1", NOW, status="sending", attempt=1, first_sent_at=NOW,
        )  # fmt: skip
        staff = SimpleNamespace(
            connectors={"shop": self.shop},
            now=lambda: NOW,
            chance=random.Random(1),
            redact=Redactor(["hush-hush-secret"]),
        )
        catalogue = SimpleNamespace(actions=self.actions)
        self.executor = Executor(staff, catalogue, self)  # type: ignore[arg-type]
        self.actors: list[str] = []

    def state(self, task: int) -> TaskState:
        return TaskState(task, effects={"1.1.1": self.effect})

    async def answer(self, task: int, event: Event, actor: str = "soloist") -> None:
        if self.full:
            self.full -= 1
            raise NotWrittenError("The disk is full.")
        self.actors.append(actor)
        self.written.append(event)

    async def tried(self, *, attempt: int = 1, look: bool = False) -> Event:
        await self.executor.perform(1, "1.7.0", Perform(effect="1.1.1", attempt=attempt, look=look))
        return self.written[-1]


# ── before it is touched ──────────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_not_what_was_approved_is_not_sent() -> None:
    desk = Desk()
    desk.effect = replace(desk.effect, prepared=replace(desk.effect.prepared, fingerprint="another"))
    said = await desk.tried()
    assert isinstance(said, Failed)
    assert (said.reason, said.order, said.effect, said.again_at) == (
        "its content is not what was approved, so it was not sent", "1.7.0", "1.1.1", None,
    )  # fmt: skip
    assert desk.shop.seen == []


@pytest.mark.parametrize("missing", ["action", "connector"])
async def test_what_is_not_set_up_any_more_says_what_to_do(missing: str) -> None:
    desk = Desk()
    desk.actions.clear() if missing == "action" else desk.executor._staff.connectors.clear()  # type: ignore[attr-defined]
    said = await desk.tried()
    assert isinstance(said, Failed)
    assert said.reason == "shop.send is not set up any more. Set it up again, then press Try again."


# ── what came back ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_receipt_confirms_and_carries_the_stable_key_where_it_is_asked_for() -> None:
    desk = Desk()
    said = await desk.tried()
    assert said == Confirmed(effect="1.1.1", order="1.7.0", ref="r1", text="Sent.", data={"n": 1}, how="answered")
    assert desk.shop.seen == [{"body": "x", "key": "stable"}]
    assert desk.actors == ["connector:shop"]
    bare = Desk(takes_key=False)
    await bare.tried()
    assert bare.shop.seen == [{"body": "x", "key": ""}]


async def test_our_secrets_are_not_repeated_by_a_service() -> None:
    desk = Desk()
    desk.shop.does = Receipt(ref="hush-hush-secret", text="hush-hush-secret", data={"a": ["hush-hush-secret"]})
    assert "hush-hush" not in repr(await desk.tried())
    for error in (RefusedError("hush-hush-secret"), OutcomeUnknownError("hush-hush-secret")):
        desk.shop.does, desk.shop.finds = error, error
        assert "hush-hush" not in repr(await desk.tried())
        assert "hush-hush" not in repr(await desk.tried(look=True))


async def test_a_no_is_final_unless_an_earlier_attempt_may_have_arrived() -> None:
    desk = Desk()
    desk.shop.does = RefusedError("Not with us.")
    assert await desk.tried() == Failed(effect="1.1.1", order="1.7.0", reason="Not with us.")
    desk.effect = replace(desk.effect, maybe=True)
    assert await desk.tried() == BecameUnknown(effect="1.1.1", order="1.7.0", reason="Not with us.")
    desk.shop.does = TryLaterError("Busy.")
    assert isinstance(await desk.tried(attempt=1), Failed), "it is tried again, so nothing is asked yet"


@pytest.mark.parametrize(("attempt", "again"), [(1, True), (2, True), (3, False)])
async def test_busy_is_tried_again_until_it_was_often_enough(attempt: int, *, again: bool) -> None:
    desk = Desk()
    desk.shop.does = TryLaterError("Busy.", 100.0)
    said = await desk.tried(attempt=attempt)
    assert isinstance(said, Failed)
    assert said.again_at == (NOW + timedelta(seconds=100) if again else None)
    assert said.reason == ("Busy." if again else "Busy. Tried 3 times; it is left to you.")


class Slow(Shop):
    """Never answers."""

    async def send(self, *, body: str, key: str = "") -> Receipt:
        await asyncio.sleep(60)
        raise AssertionError


@pytest.mark.parametrize("fault", [OutcomeUnknownError("Cut off."), RuntimeError("bug"), TimeoutError()])
async def test_silence_is_looked_into_where_one_can_look(fault: Exception) -> None:
    desk = Desk()
    desk.shop.does = fault
    assert await desk.tried() == WokeUp(order="1.7.0", reason="interrupted", data={"effect": "1.1.1"})
    blind = Desk(find=None, effect=Kind.PLAIN)
    blind.shop.does = fault
    said = await blind.tried()
    assert isinstance(said, BecameUnknown)
    assert said.look_at is None
    assert said.reason == {
        OutcomeUnknownError: "Cut off.", RuntimeError: "The shop connector broke (RuntimeError).",
        TimeoutError: "It did not answer in time.",
    }[type(fault)]  # fmt: skip


async def test_what_does_not_answer_is_given_up_after_its_time() -> None:
    desk = Desk(timeout_s=0.01, find=None, effect=Kind.PLAIN)
    desk.shop.__class__ = Slow
    said = await desk.tried()
    assert isinstance(said, BecameUnknown)
    assert said.reason == "It did not answer in time."


@pytest.mark.parametrize(
    ("attempt", "ago_s", "window_s", "again"),
    [
        (1, 0, 100, True),
        (2, 99, 100, True),
        (3, 0, 100, False),
        (1, 100, 100, False),
        (1, 4 * 10**8, float("inf"), False),
    ],
)
async def test_with_a_key_silence_is_asked_again_while_the_key_is_remembered(
    attempt: int, ago_s: int, window_s: float, *, again: bool
) -> None:
    desk = Desk(effect=Kind.KEYED, find=None, key_window_s=window_s)
    desk.effect = replace(desk.effect, first_sent_at=NOW - timedelta(seconds=ago_s))
    desk.shop.does = OutcomeUnknownError("Cut off.")
    said = await desk.tried(attempt=attempt)
    if again:
        assert isinstance(said, Failed)
        assert said.maybe
        assert said.again_at is not None
        assert said.reason == "Cut off. Asking again with the same key, which cannot do it twice."
    else:
        assert said == BecameUnknown(effect="1.1.1", order="1.7.0", reason="Cut off.")


async def test_a_key_never_sent_before_is_within_its_time() -> None:
    desk = Desk(effect=Kind.KEYED, find=None)
    desk.effect = replace(desk.effect, first_sent_at=None)
    desk.shop.does = OutcomeUnknownError("Cut off.")
    assert isinstance(await desk.tried(), Failed)


# ── a look ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_look_that_finds_confirms_and_one_that_finds_nothing_lets_it_be_sent_again() -> None:
    desk = Desk()
    desk.shop.finds = Receipt(ref="r9", text="It is there.")
    said = await desk.tried(look=True)
    assert isinstance(said, Confirmed)
    assert (said.how, said.ref) == ("reconciled", "r9")
    assert desk.shop.seen == [{"find": "x", "key": "stable"}]
    desk.shop.finds = None
    said = await desk.tried(look=True)
    assert isinstance(said, Failed)
    assert said.reason == "It had not arrived."
    assert said.again_at is not None
    assert NOW < said.again_at <= NOW + timedelta(seconds=RETRY_FIRST_S)
    said = await desk.tried(look=True, attempt=3)
    assert isinstance(said, Failed)
    assert (said.reason, said.again_at) == ("It did not arrive, and was tried often enough.", None)
    desk.effect = replace(desk.effect, maybe=True)
    assert isinstance(await desk.tried(look=True, attempt=3), Failed), "the look has proved that it is not there"


@pytest.mark.parametrize(
    ("error", "ago", "look_s", "words"),
    [
        (OutcomeUnknownError("Ask them."), timedelta(0), None, "Ask them."),
        (OutcomeUnknownError("Soon.", look_again_s=60), timedelta(days=3), 60, "Soon."),
        (TryLaterError("Away."), timedelta(0), LOOK_AGAIN_S, "Looking whether it arrived failed: Away."),
        (TryLaterError("Away.", 5000.0), timedelta(0), 5000, "Looking whether it arrived failed: Away."),
        (TryLaterError("Away."), timedelta(days=1), None, "Looking whether it arrived failed: Away."),
        (RefusedError("No."), timedelta(0), None, "Looking whether it arrived failed: No."),
    ],
)
async def test_a_look_that_fails_says_nothing_about_what_was_sent(
    error: Exception, ago: timedelta, look_s: float | None, words: str
) -> None:
    desk = Desk()
    desk.effect = replace(desk.effect, first_sent_at=NOW - ago)
    desk.shop.finds = error
    said = await desk.tried(look=True)
    at = None if look_s is None else NOW + timedelta(seconds=look_s)
    assert said == BecameUnknown(effect="1.1.1", order="1.7.0", reason=words, look_at=at)


async def test_a_look_that_breaks_is_not_followed_by_another_at_once() -> None:
    desk = Desk()
    desk.shop.finds = RuntimeError("bug")
    assert isinstance(await desk.tried(look=True), BecameUnknown)
    desk.effect = replace(desk.effect, first_sent_at=None)
    desk.shop.finds = TryLaterError("Away.")
    said = await desk.tried(look=True)
    assert isinstance(said, BecameUnknown)
    assert said.look_at is None


# ── how long ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_pauses_double_from_five_seconds_to_an_hour_with_jitter_above_the_half() -> None:
    desk = Desk()
    for attempt in range(1, 20):
        span = min(RETRY_MAX_S, RETRY_FIRST_S * 2 ** (attempt - 1))
        pauses = [desk.executor._pause(attempt, None) for _ in range(50)]
        assert span / 2 <= min(pauses) < max(pauses) <= span
        assert max(pauses) > span * 0.9
        assert min(pauses) < span * 0.6
    assert desk.executor._pause(1, 77.0) == 77.0
    assert (RETRY_FIRST_S, RETRY_MAX_S, LOOK_AGAIN_S) == (5.0, 3600.0, 900.0)


async def test_what_came_of_it_is_written_however_long_the_disk_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "WRITE_AGAIN_S", 0.0)
    desk = Desk()
    desk.full = 3
    assert isinstance(await desk.tried(), Confirmed)
    assert len(desk.shop.seen) == 1, "the world is not touched again"
