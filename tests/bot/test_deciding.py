"""The opinions about an effect's life, by their values: how it begins, what became of it, how it is taken back, who presses."""

from __future__ import annotations

from dataclasses import dataclass, field
from dataclasses import replace as changed
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from bot import habits
from bot.approvals import Person, Roster
from bot.books import ACTIONS as BOOKS
from bot.deciding import (
    answering,
    approving,
    cards,
    compensating,
    fortunes,
    gate,
    pausing,
    presses,
    restoring,
    starting,
    undoing,
)
from bot.deciding.house import House
from bot.effects import Close, Delegate, Perform, Record, Remember, Reply, Show, Tell, Wake
from bot.policy import Limit, Policy
from bot.state import CardState, EffectState, TaskState
from bot.testing import PaperService
from connectors.base import EffectClass
from connectors.mail import Mail
from memory.events import (
    ActionCall,
    Actor,
    BecameUnknown,
    CardOpened,
    Compensated,
    Confirmed,
    Dropped,
    Ended,
    Failed,
    MessageReceived,
    Origin,
    Paused,
    Place,
    Planned,
    Prepared,
    Pressed,
    Proposed,
    Queued,
    Resumed,
    Said,
    Sending,
    Settled,
    Snoozed,
    Step,
    Understood,
    Write,
    fingerprint,
)

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SOON, LATER = NOW + timedelta(seconds=10), NOW + timedelta(hours=1)
ACTIONS = {**PaperService.actions(), **Mail.actions(), **BOOKS}
ADA = Actor(platform="web", user="ada", origin=Origin.OPERATOR)
BEN = Actor(platform="web", user="ben", name="Ben", origin=Origin.DELEGATE)
EVE = Actor(platform="web", user="eve", origin=Origin.STRANGER)
ROSTER = Roster((Person("web", "ada"), Person("web", "ben", role=Origin.DELEGATE, amount_max="10.00 EUR")))
HERE = Place(channel="web", conversation="main")
SEND = ActionCall(name="paper.send", args={"to": ["anna@acme.example"], "body": "Hello"})
BOOK = ActionCall(name="paper.book", args={"to": ["anna@acme.example"], "body": "Hello"})
POST = ActionCall(name="paper.post", args={"to": ["anna@acme.example"], "body": "Hello"})
WRITE = ActionCall(name="books.write", args={"text": "Noted."})


@dataclass
class Ledgers:
    """The books, as little of them as is asked."""

    turn_at: datetime | None = None
    changed: bool = False
    newer: bool = False
    older: dict[str, Any] | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)

    def turn(self, action: str, now: datetime, **how: Any) -> datetime | None:
        self.asked.append({"action": action, **how})
        return self.turn_at

    def under_way(self, room: str, since: datetime) -> int:
        return 0

    def version(self, kind: str, key: str) -> int:
        return 0

    def standing(self, kind: str, key: str) -> Any:
        return changed_record if self.changed else None

    def reserved_for(self, name: str) -> str | None:
        return None

    def decisions(self, action: str, client: str) -> list[str]:
        return []

    def knows_recipient(self, address: str) -> bool:
        return True

    def spent(self, since: datetime, **what: str) -> dict[str, Decimal]:
        return {}

    def newer_than(self, effect: str, kind: str, key: str) -> bool:
        return self.newer

    def before(self, effect: str, kind: str, key: str) -> dict[str, Any] | None:
        return self.older


@dataclass
class changed_record:  # noqa: N801 - a value, not a kind
    version: int = 1


def house(**more: Any) -> House:
    fields: dict[str, Any] = {
        "now": NOW, "zone": ZoneInfo("Europe/Berlin"), "policy": Policy(delay=timedelta(0)), "actions": ACTIONS,
        "ledgers": Ledgers(), "roster": ROSTER, "secret": b"s" * 32, **more,
    }  # fmt: skip
    return House(**fields)


def effect(number: int = 1, call: ActionCall = SEND, *, card: str = "1.1", **more: Any) -> EffectState:
    kind = {"paper.book": "reconcilable", "paper.post": "keyed"}.get(call.name, "plain")
    prepared = Prepared(
        effect=f"{card or '1.s1.1'}.{number}", card=card, step="s1", call=call, fingerprint=fingerprint(call), key="k",
        effect_class=more.pop("effect_class", kind), not_before=more.pop("not_before", None),
        compensates=more.pop("compensates", ""),
    )  # fmt: skip
    return EffectState(prepared, "s1", NOW, **more)


def opened(*calls: ActionCall, **more: Any) -> CardOpened:
    calls = calls or (SEND,)
    fields = {"card": "1.1", "revision": 2, "step": "s1", "title": "Send it", "rule": "asks", **more}
    return CardOpened(calls=calls, fingerprint=fingerprint(calls), **fields)


def state(*effects: EffectState, card: CardState | None = None, **more: Any) -> TaskState:
    cards = {"1.1": card or CardState(opened(), state="approved")}
    return TaskState(1, cards=cards, effects={each.prepared.effect: each for each in effects}, place=HERE, **more)


def events(orders: list[Any], kind: type = object) -> list[Any]:
    return [order.event for order in orders if isinstance(order, Record) and isinstance(order.event, kind)]


def kinds(orders: list[Any]) -> list[type]:
    return [type(order.event) if isinstance(order, Record) else type(order) for order in orders]


def reply(orders: list[Any]) -> str:
    (found,) = [order.text for order in orders if isinstance(order, Reply)]
    return found


# ── how an effect begins ──────────────────────────────────────────────────────────────────────────────────────────


def prepare(*calls: ActionCall, card: str = "1.1", there: House | None = None, **more: Any) -> list[Any]:
    known = state(card=CardState(opened(*calls, **more.pop("opened", {})), state="approved"), drafts={"s1": 3})
    return starting.prepare(known, calls, there or house(), card=card, step="s1", rule="approved", **more)


def test_what_is_prepared_is_numbered_keyed_and_the_first_of_it_starts() -> None:
    orders = prepare(SEND, POST)
    first, second = events(orders, Prepared)
    assert (first.effect, second.effect) == ("1.1.1", "1.1.2")
    assert first.key != second.key
    assert len(first.key) == 40
    assert (first.effect_class, second.effect_class) == ("plain", "keyed")
    assert first.fingerprint == fingerprint(SEND)
    assert first.compensates == ""
    assert events(orders, Sending) == [Sending(effect="1.1.1", attempt=1, at=NOW)]


def test_what_takes_something_back_says_what_of_each_call() -> None:
    orders = prepare(SEND, POST, opened={"compensates": ("1.0.1", "1.0.2")})
    assert [each.compensates for each in events(orders, Prepared)] == ["1.0.1", "1.0.2"]


def test_what_goes_without_a_card_is_named_by_its_draft() -> None:
    (prepared,) = events(prepare(SEND, card=""), Prepared)
    assert (prepared.effect, prepared.not_before) == ("1.s1.3.1", None)


def test_only_what_is_declared_to_wait_waits_out_the_window() -> None:
    delayed = house(policy=Policy(delay=timedelta(seconds=10)))
    orders = prepare(SEND, POST, there=delayed)
    assert [each.not_before for each in events(orders, Prepared)] == [SOON, SOON]
    (wake,) = [order for order in orders if isinstance(order, Wake)]
    assert (wake.reason, wake.due, wake.data) == ("window", SOON, {"effect": "1.1.1", "card": "1.1"})
    assert not events(orders, Sending)
    assert not events(orders, Said)
    assert events(prepare(POST, there=delayed), Sending), "posting it is not declared to wait"
    assert events(prepare(SEND, card="", there=delayed), Sending), "nobody is told of it, so nobody could take it back"
    assert events(prepare(SEND, there=house(policy=Policy(delay=timedelta(0)))), Sending)


def test_what_goes_by_itself_is_told_while_it_can_be_taken_back() -> None:
    paid = replace(SEND, args={**SEND.args, "amount": "10.00 EUR"}, client="acme")
    there = house(policy=Policy(delay=timedelta(seconds=10)))
    (said,) = events(prepare(paid, paid, card="", there=there, watched=True), Said)
    assert said.text.startswith("Send it for ")
    assert said.text.endswith(" 10.00 EUR, unless you take it back by 10:00:10 (approved).")
    assert (said.kind, said.undo) == ("notice", "1.s1.3.1")
    (bare,) = events(prepare(SEND, card="", there=there, watched=True), Said)
    assert bare.text == "Send it, unless you take it back by 10:00:10 (approved)."


def test_a_stop_holds_what_would_start_and_our_own_books_are_entered_at_once() -> None:
    for scope in ("all", "paper", "paper.send"):
        assert kinds(prepare(SEND, there=house(paused=frozenset({scope})))) == [Prepared]
        assert starting.start(effect(), house(paused=frozenset({scope}))) == []
    (entered,) = events(prepare(WRITE), Confirmed)
    assert (entered.effect, entered.how) == ("1.1.1", "books")
    numbered = replace(WRITE, name="books.issue", args={"number": "2026-0001", "text": "x"})
    assert starting.enter(numbered, "1.1.1")[0].event.ref == "2026-0001"  # type: ignore[union-attr]
    assert starting.enter(WRITE, "1.1.1")[0].event.ref == ""  # type: ignore[union-attr]


def test_everything_is_asked_again_before_what_has_waited_starts() -> None:
    assert starting.start(effect(attempt=2), house()) == [Record(event=Sending(effect="1.1.1", attempt=3, at=NOW))]
    forged = effect()
    forged = replace(forged, prepared=replace(forged.prepared, fingerprint="another"))
    assert "not what was approved" in events(starting.start(forged, house()), Failed)[0].reason
    needing = replace(SEND, needs={"client:acme": 0})
    moved = house(ledgers=Ledgers(changed=True))
    assert "changed in the meantime" in events(starting.start(effect(1, needing), moved), Failed)[0].reason
    assert kinds(starting.start(effect(1, needing, attempt=1), moved)) == [Sending], (
        "a retry stands on what it stood on"
    )
    assert kinds(starting.start(effect(1, WRITE), house())) == [Confirmed]
    gone = house(actions={})
    assert kinds(starting.start(effect(), gone)) == [Sending], "the executor says that it is not set up any more"


def test_what_has_no_turn_waits_and_nothing_of_it_is_said_to_be_on_its_way() -> None:
    ledgers = Ledgers(turn_at=LATER)
    (waiting,) = events(
        starting.start(effect(), house(ledgers=ledgers), beside=["paper.send", "paper.send", "paper.post"])
    )
    assert waiting == Queued(effect="1.1.1", until=LATER, reason=waiting.reason)
    assert "paper.send goes 1e+06 times a minute at most" in waiting.reason
    assert ledgers.asked == [
        {"action": "paper.send", "most": 10**6, "span": timedelta(minutes=1), "beside": 2, "waited": ""}
    ]
    copies = {"1.1": ((HERE, "m7"),)}
    wake, shown = starting.queued(state(effect(), copies=copies), waiting)
    assert wake == Wake(reason="turn", due=LATER, data={"effect": "1.1.1", "card": "1.1"})
    assert isinstance(shown, Show)


@pytest.mark.parametrize(
    ("turn_at", "waited"), [(NOW, "1.1.1"), (NOW - timedelta(hours=1), "1.1.1"), (SOON, ""), (None, "")]
)
def test_whoever_has_waited_for_its_turn_goes_before_those_behind(turn_at: datetime | None, waited: str) -> None:
    ledgers = Ledgers()
    starting.start(effect(turn_at=turn_at), house(ledgers=ledgers))
    assert ledgers.asked[0]["waited"] == waited


@pytest.mark.parametrize(("rate", "most", "span_s"), [(0.5, 1, 120), (1, 1, 60), (2.5, 2, 48), (30, 30, 60)])
def test_a_pace_is_so_many_in_a_span(rate: float, most: int, span_s: float) -> None:
    ledgers = Ledgers()
    actions = {"paper.send": changed(ACTIONS["paper.send"], rate_per_minute=rate)}
    starting.start(effect(), house(ledgers=ledgers, actions=actions))
    assert (ledgers.asked[0]["most"], ledgers.asked[0]["span"]) == (most, timedelta(seconds=span_s))


def test_what_is_tried_once_more_is_the_next_attempt_or_an_entry() -> None:
    assert starting.again(effect(attempt=4), house()) == [Record(event=Sending(effect="1.1.1", attempt=5, at=NOW))]
    assert kinds(starting.again(effect(1, WRITE), house())) == [Confirmed]


def test_what_was_approved_together_belongs_together() -> None:
    one, two = effect(1), effect(2)
    alone, beside = effect(1, card=""), effect(2, card="")
    other = replace(effect(1, card=""), prepared=replace(alone.prepared, effect="1.s2.1.1"))
    known = state(one, two, alone, beside, other)
    assert starting.group(known, one) == [one, two]
    assert starting.group(known, beside) == [alone, beside]


def test_after_a_stop_the_first_of_each_group_starts_and_only_what_is_due() -> None:
    waiting = [
        effect(1), effect(2), effect(1, card="1.2"), effect(1, card="1.3", not_before=LATER),
        effect(1, card="1.4", turn_at=LATER), effect(1, card="1.5", again_at=LATER), effect(1, card="1.6", turn_at=NOW),
        effect(1, card="1.7", status="confirmed"), effect(2, card="1.7"),
    ]  # fmt: skip
    ledgers = Ledgers()
    started = events(pausing.resume(state(*waiting), house(ledgers=ledgers)), Sending)
    assert [each.effect for each in started] == ["1.1.1", "1.2.1", "1.6.1", "1.7.2"]
    assert [each["beside"] for each in ledgers.asked] == [0, 1, 2, 3]


# ── what became of it ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_receipt_starts_what_was_approved_with_it() -> None:
    known = state(effect(1, status="confirmed", text="One."), effect(2))
    orders = fortunes.confirmed(known, Confirmed(effect="1.1.1", text="One."), house())
    assert events(orders, Sending) == [Sending(effect="1.1.2", attempt=1, at=NOW)]
    assert not events(orders, Said)


@pytest.mark.parametrize(
    "second", [effect(2, again_at=LATER), effect(2, status="sending"), effect(2, status="unknown")]
)
def test_what_is_not_over_yet_is_waited_for_without_a_word(second: EffectState) -> None:
    known = state(effect(1, status="confirmed", text="One."), second)
    assert kinds(fortunes.confirmed(known, Confirmed(effect="1.1.1", text="One."), house())) == []


@pytest.mark.parametrize(
    ("texts", "said"),
    [(["One."], "One."), (["One.", "Two."], "One. Two."), (["One.", "Two.", "Six."], "One.\nTwo.\nSix.")],
)
def test_the_receipt_of_all_is_said_once_it_is_over(texts: list[str], said: str) -> None:
    known = state(
        *(effect(n, status="confirmed", text=text) for n, text in enumerate(texts, 1)), effect(9, status="dropped")
    )
    (told,) = events(fortunes.confirmed(known, Confirmed(effect="1.1.1", text="One."), house()), Said)
    assert (told.text, told.kind, told.undo) == (said, "receipt", "")


def test_a_receipt_has_an_undo_where_there_is_a_way_back() -> None:
    back = {**ACTIONS, "paper.send": changed(ACTIONS["paper.send"], undo=lambda args, receipt: ("paper.post", args))}
    known = state(effect(1, status="confirmed", text="One."))
    done = Confirmed(effect="1.1.1", text="One.")
    assert events(fortunes.confirmed(known, done, house(actions=back)), Said)[0].undo == "1.1.1"
    assert events(fortunes.confirmed(known, done, house()), Said)[0].undo == ""
    two = state(effect(1, status="confirmed", text="One."), effect(2, status="confirmed", text="Two."))
    assert events(fortunes.confirmed(two, done, house(actions=back)), Said)[0].undo == "1.1.1"
    taking = state(effect(1, status="confirmed", text="One.", compensates="1.0.1"))
    orders = fortunes.confirmed(taking, done, house(actions=back))
    assert events(orders, Said)[0].undo == ""
    assert events(orders, Compensated) == [Compensated(effect="1.0.1", by_effect="1.1.1")]


def test_what_failed_for_now_comes_back_and_what_failed_asks() -> None:
    known = state(effect(status="prepared"))
    (wake,) = fortunes.failed(known, Failed(effect="1.1.1", reason="Busy.", again_at=LATER), house())
    assert wake == Wake(reason="retry", due=LATER, data={"effect": "1.1.1", "card": "1.1"})
    (card,) = events(fortunes.failed(state(effect(status="failed")), Failed(effect="1.1.1", reason="No."), house()))
    assert (card.kind, card.revision, card.effect, card.card) == ("stuck", 1, "1.1.1", "")
    assert (card.title, card.say, card.warnings) == ("Stuck: send it", "Send it did not work: No.", ("No.",))
    assert card.fingerprint == fingerprint(SEND)


def asking(card: str = "1.2", effect_id: str = "1.1.1", kind: Any = "unknown", standing: Any = "pending") -> CardState:
    return CardState(opened(card=card, revision=1, kind=kind, effect=effect_id), state=standing)


def test_what_nobody_knows_is_asked_once_and_looked_for_where_that_may_tell() -> None:
    lost = BecameUnknown(effect="1.1.1", reason="The line broke.", look_at=LATER)
    card, wake = fortunes.unknown(state(effect(status="unknown")), lost)
    assert (card.event.kind, card.event.title, card.event.revision) == ("unknown", "Did this go through?", 1)
    assert (card.event.effect, card.event.say) == ("1.1.1", "The line broke.")
    assert wake == Wake(reason="look", due=LATER, data={"effect": "1.1.1"})
    asked = TaskState(1, cards={"1.2": asking()}, effects={"1.1.1": effect(status="unknown")})
    assert fortunes.unknown(asked, replace(lost, look_at=None)) == []
    for other in (asking(effect_id="1.1.2"), asking(kind="stuck"), asking(standing="approved")):
        known = TaskState(1, cards={"1.2": other}, effects={"1.1.1": effect(status="unknown")})
        assert len(fortunes.unknown(known, replace(lost, look_at=None))) == 1


def test_what_is_found_out_is_no_question_any_more() -> None:
    known = TaskState(1, cards={"1.2": asking()}, effects={"1.1.1": effect(status="confirmed", text="One.")})
    (settled,) = events(fortunes.confirmed(known, Confirmed(effect="1.1.1", text="One."), house()), Settled)
    assert (settled.card, settled.how, settled.reason) == ("1.2", "superseded", "It was found: it had arrived.")
    (settled,) = events(fortunes.failed(known, Failed(effect="1.1.1", reason="x", again_at=LATER), house()), Settled)
    assert settled.reason == "It had not arrived."


def test_looks_for_one_effect_are_called_off_and_nothing_else() -> None:
    orders = {
        "a": Perform(effect="1.1.1", attempt=1, look=True), "b": Perform(effect="1.1.1", attempt=1),
        "c": Perform(effect="1.1.2", attempt=1, look=True), "d": Wake(reason="look", due=NOW, data={"effect": "1.1.1"}),
        "e": Wake(reason="retry", due=NOW, data={"effect": "1.1.1"}), "f": Wake(reason="look", due=NOW, data={"effect": "x"}),
    }  # fmt: skip
    assert fortunes.looks_off(TaskState(1, open=orders), "1.1.1") == [Close(order="a"), Close(order="d")]


def test_a_link_let_go_takes_the_rest_of_the_chain_with_it() -> None:
    let = Dropped(effect="1.1.1", reason="x", by=ADA)
    chain = state(effect(1, status="dropped"), effect(2), effect(3))
    (dropped,) = events(fortunes.dropped(chain, let))
    assert (dropped.effect, dropped.reason, dropped.by) == ("1.1.2", "The step before it was let go.", ADA)
    window = state(effect(1, status="dropped", not_before=SOON), effect(2, not_before=SOON))
    assert fortunes.dropped(window, let) == [], "in a window each is let go by itself"
    assert fortunes.dropped(state(effect(1, status="dropped"), effect(2, status="sending")), let) == []
    assert events(fortunes.dropped(state(effect(1, status="dropped"), effect(2, status="confirmed")), let), Ended)


KEYED = changed(ACTIONS["paper.post"], key_window_s=100.0, attempts_max=3)
LOOKED = changed(KEYED, find="find")


@pytest.mark.parametrize(
    ("action", "attempt", "ago_s", "way"),
    [
        (KEYED, 1, 99, "again"), (KEYED, 9, 99, "again"), (KEYED, 1, 100, "ask"), (KEYED, 1, 10**9, "ask"), (None, 1, 10**9, "again"),
        (LOOKED, 2, 99, "again"), (LOOKED, 3, 99, "look"), (LOOKED, 1, 100, "look"),
        (changed(KEYED, key_window_s=float("inf")), 1, 10**8, "again"),
        (changed(KEYED, key_window_s=float("inf")), 1, 4 * 10**8, "ask"),
    ],
)  # fmt: skip
def test_what_a_crash_interrupted_goes_by_its_class(action: Any, attempt: int, ago_s: int, way: str) -> None:
    actions = {"paper.post": action} if action else {}
    cut = effect(1, POST, status="sending", attempt=attempt, first_sent_at=NOW - timedelta(seconds=ago_s))
    (order,) = fortunes.interrupted(cut, house(actions=actions))
    if way == "ask":
        assert "has forgotten its key since" in events([order], BecameUnknown)[0].reason
    else:
        assert order == Perform(effect="1.1.1", attempt=attempt, look=way == "look")


def test_what_can_be_looked_for_is_and_what_cannot_is_asked() -> None:
    cut = effect(1, BOOK, status="sending", attempt=2, first_sent_at=NOW)
    assert fortunes.interrupted(cut, house()) == [Perform(effect="1.1.1", attempt=2, look=True)]
    plain = effect(1, SEND, status="sending", attempt=1, first_sent_at=NOW)
    assert "look at the other side" in events(fortunes.interrupted(plain, house()), BecameUnknown)[0].reason
    assert set(EffectClass) == {EffectClass.KEYED, EffectClass.RECONCILABLE, EffectClass.PLAIN}


# ── taken back ────────────────────────────────────────────────────────────────────────────────────────────────────

PRESS = Pressed(card="1.1", revision=2, verb="undo", actor=ADA, place=HERE)
APPROVED = CardState(
    opened(), state="approved", settled=Settled(card="1.1", revision=2, how="approved", by=ADA), settled_at=NOW
)


def undo(*effects: EffectState, card: CardState = APPROVED, there: House | None = None, **more: Any) -> list[Any]:
    return undoing.undo(state(*effects, card=card, **more), PRESS, card, there or house())


WAKES = {
    "w": Wake(reason="window", due=SOON, data={"effect": "1.1.1", "card": "1.1"}),
    "t": Wake(reason="turn", due=SOON, data={"effect": "1.1.2", "card": "1.1"}),
    "r": Wake(reason="retry", due=SOON, data={"effect": "1.1.1", "card": "1.1"}),
    "o": Wake(reason="window", due=SOON, data={"effect": "1.2.1", "card": "1.2"}),
    "x": Wake(reason="expire", due=SOON, data={"effect": "1.1.1", "card": "1.1"}),
}


def test_inside_the_window_all_of_it_is_let_go_and_its_wake_ups_with_it() -> None:
    orders = undo(effect(1, not_before=SOON), effect(2, not_before=SOON), open=WAKES)
    assert [order.order for order in orders if isinstance(order, Close)] == ["w", "t", "r"]
    assert [each.effect for each in events(orders, Dropped)] == ["1.1.1", "1.1.2"]
    assert events(orders, Said)[0].text == "Taken back: Send it. Nothing was sent."
    assert reply(orders) == "Taken back. Nothing was done."


def test_without_a_window_the_first_that_waits_takes_the_rest_with_it() -> None:
    orders = undo(effect(1, turn_at=LATER), effect(2))
    assert [each.effect for each in events(orders, Dropped)] == ["1.1.1"]
    assert reply(orders) == "Taken back. Nothing was done."


def test_what_still_waits_is_let_go_also_where_a_part_was_done() -> None:
    orders = undo(effect(1, status="confirmed", text="One."), effect(2, turn_at=LATER), effect(3), open=WAKES)
    assert [order.order for order in orders if isinstance(order, Close)] == ["t"]
    assert [each.effect for each in events(orders, Dropped)] == ["1.1.2"]
    assert events(orders, Said)[0].text == "Taken back: what still waited of Send it. Done before: One."
    assert reply(orders) == "What still waited is taken back."


def test_what_may_have_gone_through_is_not_taken_back_from_here() -> None:
    assert "may have gone through" in reply(undo(effect(1, maybe=True, not_before=SOON)))
    assert "may have gone" not in reply(undo(effect(1, maybe=True, status="failed")))


def test_what_cannot_be_taken_back_says_why() -> None:
    assert reply(undo(card=CardState(opened()))) == "Nothing has happened yet: reject the card instead."
    assert reply(undo(effect(1, status="failed"))) == "There is nothing left to take back."
    assert reply(undo(effect(1, status="confirmed"))) == "This cannot be taken back any more (send it)."
    issue = ActionCall(name="books.issue", args={"number": "2026-0001"})
    assert reply(undo(effect(1, issue, status="confirmed"))).startswith("2026-0001 is issued. A credit note")


def test_without_a_card_only_the_operator_takes_back() -> None:
    alone = effect(1, card="", not_before=SOON)
    press = replace(PRESS, card=alone.prepared.effect)
    for nobody in (BEN, EVE):
        assert "Only the operator" in reply(
            undoing.undo_without_card(state(alone), replace(press, actor=nobody), house())
        )
    orders = undoing.undo_without_card(state(alone), press, house())
    assert [each.effect for each in events(orders, Dropped)] == [alone.prepared.effect]
    maybe = effect(2, card="", not_before=SOON, maybe=True)
    assert "nothing left" in reply(undoing.undo_without_card(state(alone, maybe), press, house()))
    gone = replace(alone, status="confirmed")
    assert "any more (send it)" in reply(undoing.undo_without_card(state(gone), press, house()))
    assert reply(undoing.undo_without_card(state(replace(alone, status="sending")), press, house()))


# ── buttons ───────────────────────────────────────────────────────────────────────────────────────────────────────


def press(
    verb: str, card: CardState | None = None, *, actor: Actor = ADA, there: House | None = None, **more: Any
) -> list[Any]:
    fields = {"card": "1.1", "revision": 2, "verb": verb, "actor": actor, "place": HERE, **more}
    return presses.pressed(state(card=card or CardState(opened())), Pressed(**fields), there or house())


def test_a_yes_settles_and_starts_and_a_no_settles_and_starts_nothing() -> None:
    orders = press("approve", reason="fine")
    assert kinds(orders) == [Settled, Prepared, Sending, Reply]
    settled = events(orders, Settled)[0]
    assert (settled.how, settled.revision, settled.by, settled.reason, settled.place) == (
        "approved",
        2,
        ADA,
        "fine",
        HERE,
    )
    orders = press("reject", reason="Not now")
    assert kinds(orders) == [Settled, Reply]
    assert (events(orders)[0].how, events(orders)[0].reason) == ("denied", "Not now")


def test_who_may_not_press_is_refused_and_the_operator_is_told() -> None:
    orders = press("approve", actor=EVE)
    assert kinds(orders) == [Reply, Said]
    assert "web user eve tried to approve card 1.1 and was refused" in events(orders)[0].text
    nobody = press("approve", actor=replace(EVE, user=""))
    assert "web user (nobody) tried" in events(nobody)[0].text


def test_a_press_counts_on_the_newest_version_and_what_was_listed() -> None:
    print_ = opened().fingerprint
    for revision in (0, 2):
        assert kinds(press("approve", revision=revision))[0] is Settled
    for revision in (1, 3):
        assert "changed since" in reply(press("approve", revision=revision))
    assert kinds(press("approve", fingerprint=print_[:12]))[0] is Settled
    assert "since it was listed" in reply(press("approve", fingerprint="f" * 12))
    assert "is settled: Approved by you" in reply(press("approve", APPROVED))


def test_an_edit_is_laid_over_the_edits_before_it() -> None:
    known = replace(state(card=CardState(opened())), edits={"1.1": {"a": "1", "b": "1"}})
    edit = Pressed(card="1.1", revision=2, verb="edit", actor=ADA, place=HERE, reason="shorter", edits={"b": "2"})
    order, said = presses.pressed(known, edit, house())
    assert order == Delegate(step="s1", guidance="shorter", edits={"a": "1", "b": "2"}, card="1.1")
    assert "the new card follows" in said.text


def test_a_card_is_put_aside_for_an_hour_or_until_it_is_asked_for() -> None:
    assert events(press("snooze")) == [Snoozed(card="1.1", until=LATER, by=ADA)]
    assert reply(press("snooze")) == "Back today 11:00."
    assert events(press("snooze", until=SOON))[0].until == SOON


def test_what_takes_something_back_is_approved_or_rejected_as_it_is() -> None:
    back = CardState(opened(compensates=("1.0.1",)))
    for verb in ("edit", "revise", "like", "grant"):
        assert "approve it, or reject it" in reply(press(verb, back))
    assert kinds(press("approve", back))[0] is Settled
    assert kinds(press("reject", back))[0] is Settled
    assert "cannot be told to 'sing'" in reply(press("sing"))


def test_a_rehearsal_takes_an_opinion_of_the_operators_and_does_nothing() -> None:
    shadow = CardState(opened(kind="shadow"))
    for verb, how in (("agree", "approved"), ("disagree", "denied")):
        orders = press(verb, shadow)
        assert kinds(orders) == [Settled, Reply]
        assert (events(orders)[0].how, events(orders)[0].reason) == (how, "rehearsal")
    assert "does nothing" in reply(press("approve", shadow))
    assert "Only the operator's opinion" in reply(press("agree", shadow, actor=BEN))


def test_an_undo_finds_its_card_or_its_effect() -> None:
    assert "reject the card instead" in reply(press("undo"))
    alone = effect(1, card="", not_before=SOON)
    known = TaskState(1, effects={"1.s1.1.1": alone}, place=HERE)
    there = Pressed(card="1.s1.1.1", revision=0, verb="undo", actor=ADA, place=HERE)
    assert events(presses.pressed(known, there, house()), Dropped)
    assert reply(presses.pressed(known, replace(there, verb="approve"), house())) == "There is no card 1.s1.1.1."
    assert reply(presses.pressed(known, replace(there, card="9.9"), house())) == "There is no card 9.9."


# ── the yes ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("expires_at", "on_expiry", "counts"),
    [
        (None, "cancel", True), (SOON, "cancel", True), (NOW, "cancel", False), (NOW - timedelta(1), "cancel", False),
        (NOW - timedelta(1), "hold", True), (NOW - timedelta(1), "remind", True),
    ],
)  # fmt: skip
def test_a_yes_that_comes_too_late_settles_the_card_and_does_nothing(
    expires_at: Any, on_expiry: str, *, counts: bool
) -> None:
    orders = press("approve", CardState(opened(expires_at=expires_at, on_expiry=on_expiry)))
    assert events(orders, Settled)[0].how == ("approved" if counts else "expired")
    assert bool(events(orders, Prepared)) is counts


def test_a_yes_to_what_was_changed_underneath_voids_the_card() -> None:
    forged = CardState(replace(opened(), calls=(POST,)))
    orders = press("approve", forged)
    assert kinds(orders) == [Settled, Reply, Said]
    assert events(orders, Settled)[0].how == "cancelled"


def test_a_yes_waits_where_it_cannot_be_done_and_asks_afresh_where_something_moved() -> None:
    assert "not set up any more" in reply(press("approve", there=house(actions={})))
    needing = CardState(opened(replace(SEND, needs={"client:acme": 0})))
    assert kinds(press("approve", needing, there=house(ledgers=Ledgers(changed=True)))) == [Delegate, Reply]
    large = {"EUR": Decimal(100)}
    paid = CardState(opened(replace(SEND, args={**SEND.args, "amount": "100.00 EUR"})))
    two = house(policy=Policy(delay=timedelta(0), step_up_from=large))
    assert "second yes" in reply(press("approve", paid, there=two))
    assert approving.approve(state(card=paid), replace(PRESS, verb="approve"), paid, house())[-1] == Reply(
        text="Approved."
    )


# ── answers, backups, ways back ───────────────────────────────────────────────────────────────────────────────────


def answer(
    verb: str, kind: Any = "unknown", status: Any = "unknown", there: House | None = None, **more: Any
) -> list[Any]:
    card = asking(kind=kind)
    known = TaskState(1, cards={"1.2": card}, effects={"1.1.1": effect(status=status, attempt=1, **more)}, place=HERE)
    said = Pressed(card="1.2", revision=1, verb=verb, actor=ADA, place=HERE)
    return answering.answer_for_effect(known, said, card, there or house())


def test_the_operator_says_what_became_of_it() -> None:
    arrived = answer("arrived")
    assert kinds(arrived) == [Settled, Confirmed, Reply]
    assert events(arrived, Confirmed)[0].how == "operator"
    assert events(answer("again"), Sending)[0].attempt == 2
    assert events(answer("again", there=house(ledgers=Ledgers(turn_at=LATER))), Queued)
    assert "stopped by /pause" in reply(answer("again", there=house(paused=frozenset({"paper"}))))
    for verb in ("drop", "reject"):
        assert events(answer(verb), Dropped)[0].by == ADA
    assert events(answer("snooze"), Snoozed)[0].until == LATER
    assert "Say whether" in reply(answer("approve"))
    assert "Say whether" in reply(answer("arrived", kind="stuck", status="failed"))


def test_a_restored_backup_lets_nothing_out_by_itself() -> None:
    known = TaskState(
        1,
        cards={"1.1": CardState(opened(expires_at=LATER)), "1.2": asking(kind="stuck"), "1.3": asking("1.3")},
        effects={e.prepared.effect: e for e in (effect(1, turn_at=LATER), effect(2, status="sending"), effect(3, status="failed"))},
        open={**WAKES, "p": Perform(effect="1.1.2", attempt=1), "d": Delegate(step="s1")},
    )  # fmt: skip
    orders = restoring.restored(known)
    assert [order.order for order in orders if isinstance(order, Close)] == ["w", "t", "r", "o", "p"]
    assert [each.effect for each in events(orders, BecameUnknown)] == ["1.1.1", "1.1.2", "1.1.1"]
    assert [each.card for each in events(orders, Settled)] == ["1.1", "1.2"]
    (fresh,) = events(orders, CardOpened)
    assert (fresh.kind, fresh.revision, fresh.card, fresh.expires_at) == ("unknown", 1, "", None)


def test_there_is_a_way_back_only_where_one_is_declared_and_the_receipt_says_enough() -> None:
    def back(args: Any, receipt: Any) -> tuple[str, dict[str, Any]]:
        return receipt.data["how"], {"ref": receipt.ref}

    there = house(actions={**ACTIONS, "paper.send": changed(ACTIONS["paper.send"], undo=back)})
    done = effect(1, replace(SEND, account="me"), status="confirmed", ref="r1", data={"how": "paper.post"})
    found = compensating.way_back(done, there)
    assert found is not None
    assert (found.name, found.args, found.account) == ("paper.post", {"ref": "r1"}, "me")
    assert compensating.way_back(replace(done, data={}), there) is None
    assert compensating.way_back(replace(done, data={"how": "nobody.knows"}), there) is None
    assert compensating.way_back(done, house()) is None
    assert compensating.way_back(done, house(actions={})) is None


# ── what mutants showed to be held by no test ─────────────────────────────────────────────────────────────────────


def test_a_limit_that_was_lowered_meanwhile_holds_the_first_attempt_and_no_retry() -> None:
    paid = replace(SEND, args={**SEND.args, "amount": "10.00 EUR"})
    low = house(policy=Policy(delay=timedelta(0), limits=(Limit(Decimal(5), "EUR"),)))
    (held,) = events(starting.start(effect(1, paid, turn_at=NOW), low), Failed)
    assert held.reason.startswith("a limit holds now that did not before: ")
    assert held.again_at is None
    assert events(starting.start(effect(1, paid, attempt=1), low), Sending)
    assert events(starting.start(effect(1, paid), house()), Sending)


def test_what_is_asked_again_after_a_restore_is_looked_for_first_under_its_old_key() -> None:
    (prepared, *_), fresh = events(prepare(BOOK, formerly="1.0"), Prepared), events(prepare(BOOK), Prepared)[0]
    assert prepared.key == starting.stable_key(b"s" * 32, "1.0.1") != fresh.key
    assert fresh.key == starting.stable_key(b"s" * 32, "1.1.1")
    (looked,) = events(prepare(BOOK, SEND, formerly="1.0"), BecameUnknown)
    assert (looked.effect, looked.look_at) == ("1.1.1", NOW)
    assert not events(prepare(BOOK), BecameUnknown)
    assert not events(prepare(SEND, BOOK, formerly="1.0"), BecameUnknown), "nobody can look for the first of them"


def test_a_first_draft_is_number_nought() -> None:
    assert starting.base(TaskState(1), "", "s1") == "1.s1.0"
    assert starting.base(TaskState(1, drafts={"s1": 2}), "", "s1") == "1.s1.2"
    assert starting.base(TaskState(1), "1.4", "s1") == "1.4"


@pytest.mark.parametrize(("years", "asks"), [(9.99, False), (10.01, True)])
def test_no_service_remembers_a_key_for_more_than_ten_years(years: float, *, asks: bool) -> None:
    ever = changed(ACTIONS["paper.post"], key_window_s=float("inf"))
    cut = effect(1, POST, status="sending", attempt=1, first_sent_at=NOW - timedelta(days=365 * years))
    assert bool(events(fortunes.interrupted(cut, house(actions={"paper.post": ever})), BecameUnknown)) is asks


def test_what_reverses_without_a_card_is_told_by_whoever_reversed_it() -> None:
    back = effect(1, WRITE, card="", status="confirmed", text="Back.", compensates="1.0.1")
    orders = fortunes.confirmed(state(back), Confirmed(effect=back.prepared.effect, text="Back."), house())
    assert not events(orders, Said)
    assert not events(orders, Compensated)


def test_what_was_taken_back_rings_no_more_and_others_do() -> None:
    bells = {
        "mine": Wake(reason="reminder", due=LATER, data={"effect": "1.0.1"}),
        "other": Wake(reason="reminder", due=LATER, data={"effect": "1.0.2"}),
        "retry": Wake(reason="retry", due=LATER, data={"effect": "1.0.1"}),
    }
    known = state(effect(1, status="confirmed", text="x", compensates="1.0.1"), open=bells)
    orders = fortunes.confirmed(known, Confirmed(effect="1.1.1", text="x"), house())
    assert [order.order for order in orders if isinstance(order, Close)] == ["mine"]


def test_what_is_issued_is_taken_back_by_a_paper_and_what_is_written_by_an_undo() -> None:
    issue = ActionCall(name="books.issue", args={"number": "1", "text": "Issued."})
    issued = effect(1, issue, status="confirmed", text="Issued.")
    written = effect(2, WRITE, status="confirmed", text="Noted.")
    mailed = effect(2, SEND, status="confirmed", text="Sent.")

    def offered(*effects: EffectState) -> str:
        last = effects[-1].prepared.effect
        return str(
            events(fortunes.confirmed(state(*effects), Confirmed(effect=last, text="x"), house()), Said)[-1].undo
        )

    assert offered(issued) == offered(issued, mailed) == ""
    assert offered(issued, written) == "1.1.2"
    assert offered(replace(written, prepared=replace(written.prepared, effect="1.1.1"))) == "1.1.1"


def test_what_was_issued_with_a_link_is_taken_back_by_its_paper_and_not_by_the_links_undo() -> None:
    linked = {**ACTIONS, "paper.send": changed(ACTIONS["paper.send"], undo=lambda *_: None)}
    issue = ActionCall(name="books.issue", args={"number": "1", "text": "Issued."})
    link = effect(2, SEND, status="confirmed", text="Linked.")

    def offered(*effects: EffectState) -> str:
        there, last = house(actions=linked), effects[-1].prepared.effect
        return str(events(fortunes.confirmed(state(*effects), Confirmed(effect=last, text="x"), there), Said)[-1].undo)

    assert offered(effect(1, issue, status="confirmed", text="Issued."), link) == ""
    assert offered(link) == "1.1.2"


def test_a_limit_is_asked_before_what_failed_is_tried_again_and_not_before_what_may_have_arrived() -> None:
    paid = replace(SEND, args={**SEND.args, "amount": "10.00 EUR"})
    low = house(policy=Policy(delay=timedelta(0), limits=(Limit(Decimal(5), "EUR"),)))
    assert "limit of at most 5 EUR" in answering.not_again(effect(1, paid, status="failed", attempt=1), low)
    assert answering.not_again(effect(1, paid, status="unknown", attempt=1), low) == "", "it is counted already"
    assert answering.not_again(effect(1, paid, status="failed", attempt=1), house()) == ""


def test_the_stop_stands_in_history_with_whoever_said_it() -> None:
    for intent, kind in (("pause", Paused), ("resume", Resumed)):
        orders = pausing.asked(state(actor=ADA), Understood(order="o", intent=intent, tier="command"), house())
        told: Any = next(order.event for order in orders if isinstance(order, Tell))
        assert (type(told), told.scope, told.by) == (kind, "all", ADA)


@pytest.mark.parametrize(
    ("said", "stopped"),
    [
        ("mails", ["mail"]), ("all mails", ["mail"]), ("mail.send", ["mail.send"]), ("everything", ["all"]), ("", ["all"]),
        ("the initech one", []), ("initech", []),
    ],
)  # fmt: skip
def test_a_stop_covers_what_its_words_name_and_promises_nothing_else(said: str, stopped: list[str]) -> None:
    orders = pausing.asked(state(actor=ADA), Understood(order="o", intent="pause", slots={"scope": said}), house())

    assert [
        order.event.scope for order in orders if isinstance(order, Tell) and isinstance(order.event, Paused)
    ] == stopped
    assert ("nothing is stopped" in str(orders)) is not bool(stopped)


def test_a_schedule_whose_next_date_moved_is_taken_back_and_one_that_was_changed_is_not() -> None:
    series = replace(WRITE, writes=(Write(kind="schedule", key="s", data={"next": "2026-04-01"}),))
    client = replace(WRITE, writes=(Write(kind="client", key="acme", data={"name": "Acme"}),))

    def said(call: ActionCall, *, older: dict[str, Any] | None) -> str:
        there = house(ledgers=Ledgers(newer=True, older=older))
        return reply(undo(effect(1, call, status="confirmed", text="Noted."), there=there))

    assert said(series, older=None) == "Taken back."
    assert "schedule s was changed again" in said(series, older={"next": "2026-03-01"})
    assert "client acme was changed again" in said(client, older=None)


def drafted(**more: Any) -> Proposed:
    return Proposed(order="o", step="s1", agent="mail", **more)


def test_what_an_agent_learned_is_remembered_whatever_else_it_has_to_say() -> None:
    known = ({"text": "Acme likes blue."},)
    for draft in (drafted(ask="Which one?", remember=known), drafted(problem="No.", remember=known)):
        assert [order.records for order in gate.proposed(state(), draft, house()) if isinstance(order, Remember)] == [
            known
        ]
    assert not [
        order for order in gate.proposed(state(), drafted(ask="Which?"), house()) if isinstance(order, Remember)
    ]


class Habits(Ledgers):
    """Books in which a habit stands: what this client is written is always in German."""

    def standing(self, kind: str, key: str) -> Any:
        kept = SimpleNamespace(version=1, data={"fields": {"language": {"value": "de", "cards": ["1.1"]}}})
        return kept if (kind, key) == (habits.DELTA, "write_mail:acme") else None


def test_a_draft_that_lacks_a_habit_is_drawn_up_again_with_it_and_only_once() -> None:
    step = Step(id="s1", agent="mail", intent="write_mail")
    planned = state(planned=Planned(goal="g", steps=(step,), source="fixed"))
    call = replace(SEND, client="acme")
    there = house(ledgers=Habits())
    assert gate.proposed(planned, drafted(calls=(call,)), there) == [
        Delegate(step="s1", card="", edits={"language": "de"})
    ]
    for known in (drafted(calls=(call,), edits={"language": "en"}), drafted(calls=(replace(call, client="globex"),))):
        assert not [order for order in gate.proposed(planned, known, there) if isinstance(order, Delegate)]


def test_only_what_asks_for_a_yes_and_has_a_time_runs_out() -> None:
    def bells(**more: Any) -> list[tuple[str, datetime]]:
        card = opened(**more)
        orders = cards.opened(state(card=CardState(card)), card, house())
        return [(order.reason, order.due) for order in orders if isinstance(order, Wake)]

    tomorrow = NOW + timedelta(days=1)
    early = tomorrow - house().policy.remind_before
    assert bells(expires_at=tomorrow) == [("expire", tomorrow), ("remind", early)]
    assert bells(expires_at=NOW + timedelta(minutes=1)) == [("expire", NOW + timedelta(minutes=1))], (
        "too late to remind"
    )
    assert bells(expires_at=tomorrow, kind="unknown") == bells() == []


def said_of(orders: list[Any]) -> list[str]:
    return [event.text for event in events(orders, Said)]


def test_a_draft_that_came_out_the_same_leaves_the_card_and_tells_what_is_new_of_it() -> None:
    waiting = state(card=CardState(opened(reasons=("It is Monday.",))))
    same = drafted(calls=(SEND,), card="1.1", reasons=("It is Monday.", "Anna was asked."))
    assert said_of(gate.proposed(waiting, same, house())) == ["Card 1.1 stays as it is. Anna was asked."]


def test_a_plan_that_is_shown_whole_below_is_announced_in_one_line() -> None:
    steps = tuple(Step(id=name, agent="mail", intent="write_mail") for name in ("a", "b"))
    heard = MessageReceived(text="x", actor=ADA, place=HERE)
    words = "Two things.\n1. a\n2. b"
    assert said_of(gate.proposed(state(heard=heard), drafted(plan=steps, say=words), house())) == ["Two things."]
    assert said_of(gate.proposed(state(heard=heard), drafted(plan=steps[:1], say=words), house())) == [words]


def test_where_a_plan_asks_at_a_failure_a_refused_draft_is_asked_about_and_elsewhere_it_is_told() -> None:
    def told(on_fail: Any, **more: Any) -> list[Any]:
        steps = (
            Step(id="s1", agent="mail", intent="write_mail", on_fail=on_fail),
            Step(id="s2", agent="mail", intent="x"),
        )
        planned = state(planned=Planned(goal="g", steps=steps, source="fixed"))
        draft = drafted(calls=(replace(SEND, name="nobody.does"),), **more)
        return gate.proposed(planned, draft, house(proposes={"mail": ("paper.*",)}))

    asked, stopped = told("ask"), told("stop")
    assert [type(event) for event in events(asked)] == [Proposed]
    assert events(asked)[0].problem
    assert not events(asked)[0].calls
    assert said_of(stopped)
    assert not events(stopped, Proposed)


class Numbers(Ledgers):
    """Books in which a lower number was given back since the card was drawn."""

    def next_number(self, kind: str, series: str, **_: object) -> str:
        return "2026-0001"


def test_a_yes_to_a_number_above_one_that_became_free_draws_a_fresh_card() -> None:
    def pressed(number: str) -> list[Any]:
        call = replace(SEND, needs={f"number:invoice:{number}": 0})
        return press("approve", CardState(opened(call)), there=house(ledgers=Numbers()))

    drawn = pressed("2026-0002")
    assert reply(drawn).startswith("2026-0001 has become free")
    assert kinds(drawn) == [Delegate, Reply]
    assert "has become free" not in reply(pressed("2026-0001"))
