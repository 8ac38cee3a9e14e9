"""What we believe of a task after each line, and what is projected of it: by values, one kind of line after the other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from bot.effects import Delegate, LookUp, Perform, Show, Wake, pack
from bot.state import TITLE_MAX, CardState, TaskState, apply, believe, reserved, rows, task_row, with_event
from memory.events import (
    ActionCall,
    Actor,
    BecameUnknown,
    CardOpened,
    Compensated,
    Confirmed,
    Delivered,
    Dropped,
    Ended,
    Entry,
    Event,
    Failed,
    GrantUsed,
    ItemArrived,
    MessageReceived,
    Origin,
    Paused,
    Place,
    Planned,
    Posted,
    Prepared,
    Pressed,
    Proposed,
    Queued,
    Recorded,
    Resumed,
    Said,
    Sending,
    Settled,
    Snoozed,
    Step,
    WokeUp,
    Write,
)
from memory.line import GENESIS, Line, Ordered, OrderRow, stamp

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ADA = Actor(platform="web", user="ada", origin=Origin.OPERATOR)
BEN = Actor(platform="web", user="ben", origin=Origin.DELEGATE)
HERE = Place(channel="web", conversation="main")
CALL = ActionCall(
    name="paper.pay",
    args={"payee": "x", "amount": "10.00 EUR"},
    client="acme",
    needs={"number:invoice:1": 0, "client:acme": 1},
)


def line(
    event: Event, seq: int = 1, at: datetime = NOW, given: dict[str, Any] | None = None, closed: tuple[str, ...] = ()
) -> Line:
    out = tuple(OrderRow(key, type(order).__name__, "", pack(order)) for key, order in (given or {}).items())
    return Line(7, seq, at, "web:ada", "", event, Ordered(out, closed), GENESIS)  # type: ignore[arg-type]


def after(*events: Event, state: TaskState | None = None) -> TaskState:
    state = state or TaskState(7)
    for number, event in enumerate(events, 1):
        state = apply(state, line(event, state.seq + 1, NOW + timedelta(minutes=number)))
    return state


def opened(**more: Any) -> CardOpened:
    fields: dict[str, Any] = {
        "card": "7.1",
        "revision": 1,
        "step": "s1",
        "title": "Pay",
        "calls": (CALL,),
        "fingerprint": "f1",
        "rule": "x",
        **more,
    }
    return CardOpened(**fields)


def settled(how: Any, card: str = "7.1", by: Actor = ADA) -> Settled:
    return Settled(card=card, revision=1, how=how, by=by)


def prepared(number: int = 1, **more: Any) -> Prepared:
    fields: dict[str, Any] = {
        "card": "7.1",
        "step": "s1",
        "call": CALL,
        "fingerprint": "f",
        "key": "k",
        "effect_class": "plain",
        **more,
    }
    return Prepared(effect=f"7.1.{number}", **fields)


def plan(*steps: str, gate: str = "", on_fail: str = "") -> Planned:
    more: dict[str, Any] = {name: value for name, value in (("gate", gate), ("on_fail", on_fail)) if value}
    return Planned(
        steps=tuple(Step(id=each, agent="a", intent="i", **more) for each in steps), source="fixed", goal="Pay them all"
    )


# ── a task ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_task_is_named_by_the_words_that_began_it() -> None:
    said = MessageReceived(text="pay\n  them   all", actor=ADA, place=HERE)
    state = after(said)
    assert (state.title, state.origin, state.place, state.seq, state.began) == (
        "pay them all",
        Origin.OPERATOR,
        HERE,
        1,
        NOW + timedelta(minutes=1),
    )
    assert TITLE_MAX == 80
    longest = "x" * TITLE_MAX
    assert after(replace(said, text=longest)).title == longest
    assert after(replace(said, text=longest + "y")).title == "x" * (TITLE_MAX - 1) + "…"
    item = ItemArrived(service="shop", kind="order", data={}, text="", actor=replace(ADA, origin=Origin.STRANGER))
    assert (after(item).title, after(item).origin) == ("shop: order", Origin.STRANGER)
    assert after(replace(item, text="Hello")).title == "Hello"
    assert after(plan("s1")).title == "Pay them all"
    assert after(said, plan("s1")).title == "pay them all"


def test_a_plan_made_anew_keeps_how_its_steps_stand() -> None:
    state = after(plan("s1", "s2"), Proposed(order="", step="s1", agent="a"), plan("s1", "s3"))
    assert (state.steps, state.status) == ({"s1": "done", "s3": "ready"}, "planned")


@pytest.mark.parametrize(
    ("event", "on_fail", "step"),
    [
        ({"ask": "Which?"}, "", "asked"), ({"problem": "No."}, "", "failed"), ({"problem": "No."}, "ask", "asked"),
        ({"calls": (CALL,)}, "", "acting"), ({}, "", "done"), ({}, "ask", "done"),
    ],
)  # fmt: skip
def test_a_step_stands_where_its_agent_has_left_it(event: dict[str, Any], on_fail: str, step: str) -> None:
    state = after(plan("s1", on_fail=on_fail), Proposed(order="", step="s1", agent="a", **event))
    assert (state.steps["s1"], state.drafts["s1"], state.status) == (step, 1, "running")
    assert after(Proposed(order="", step="s1", agent="a"), state=state).drafts["s1"] == 2


def test_edits_count_with_the_draft_that_was_made_of_them() -> None:
    bare = Proposed(order="", step="s1", agent="a", edits={"a": "1"})
    assert after(bare).edits == {}
    assert after(replace(bare, card="7.1")).edits == {"7.1": {"a": "1"}}
    assert after(replace(bare, card="7.1"), replace(bare, card="7.1", edits={})).edits == {"7.1": {"a": "1"}}


def test_an_answer_resumes_the_step_that_asked_and_no_other() -> None:
    asked = after(plan("s1", "s2"), Proposed(order="", step="s1", agent="a", ask="Which?"))
    woke = WokeUp(order="", reason="answer", data={"step": "s1"})
    assert after(woke, state=asked).steps == {"s1": "working", "s2": "ready"}
    assert after(replace(woke, data={"step": "s1", "skip": True}), state=asked).steps["s1"] == "skipped"
    assert after(replace(woke, data={"step": "s2"}), state=asked).steps == {"s1": "asked", "s2": "ready"}
    assert after(WokeUp(order="", reason="restored"), state=asked).restored


# ── a card ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_card_holds_its_step_and_what_is_only_rehearsed_is_left_out() -> None:
    def step(gate: str = "", **more: Any) -> str:
        return after(plan("s1", "s2", gate=gate), opened(**more)).steps["s1"]

    assert (step(), step(kind="shadow"), step(gate="shadow", kind="shadow")) == ("waiting", "skipped", "done")
    assert (step(kind="stuck"), step(kind="unknown"), step(compensates=("7.0.1",))) == ("ready", "ready", "ready")
    other = replace(
        plan("s1", "s2"),
        steps=(Step(id="s1", agent="a", intent="i"), Step(id="s2", agent="a", intent="i", gate="shadow")),
    )
    assert after(other, opened(kind="shadow")).steps["s1"] == "skipped"


def test_the_draft_before_is_kept_for_copies_that_show_it() -> None:
    state = after(opened(), opened(revision=2))
    former = state.cards["7.1"].former
    assert former is not None
    assert former.revision == 1
    assert after(opened()).cards["7.1"].former is None


def test_a_settled_card_moves_its_step_and_forgets_that_it_was_put_aside() -> None:
    for how, step in (("approved", "acting"), ("denied", "skipped"), ("expired", "skipped"), ("superseded", "waiting")):
        state = after(plan("s1"), opened(), Snoozed(card="7.1", until=LATER, by=ADA), settled(how))
        card = state.cards["7.1"]
        assert (state.steps["s1"], card.state, card.snoozed_until) == (step, how, None)
        assert card.settled_at == NOW + timedelta(minutes=4)
    assert after(plan("s1"), opened(kind="stuck"), settled("approved")).steps["s1"] == "ready"
    assert after(plan("s1"), opened(compensates=("x",)), settled("approved")).steps["s1"] == "ready"
    assert after(opened(), Snoozed(card="7.1", until=LATER, by=ADA)).cards["7.1"].snoozed_until == LATER


def test_a_yes_is_noted_for_the_version_that_was_shown() -> None:
    press = Pressed(card="7.1", revision=1, verb="approve", actor=ADA, place=HERE)
    state = after(opened(), press, replace(press, actor=BEN, revision=0))
    assert state.yeses == {"7.1/1": (ADA, BEN)}
    assert state.presses == 2
    for other in (
        replace(press, verb="reject"), replace(press, card="7.9"), replace(press, revision=2), replace(press, fingerprint="x"),
    ):  # fmt: skip
        assert after(opened(), other).yeses == {}
    assert after(opened(), replace(press, fingerprint="f")).yeses == {"7.1/1": (ADA,)}
    assert after(opened(), settled("denied"), press).yeses == {}


def test_copies_of_a_card_are_kept_once_each() -> None:
    shown = Delivered(order="", what="7.1", place=HERE, ref="m1")
    state = after(opened(), shown, replace(shown, ref="m2"), shown)
    assert state.copies == {"7.1": ((HERE, "m2"), (HERE, "m1"))}
    assert after(opened(), replace(shown, what="7.m3")).copies == {}


# ── an effect ─────────────────────────────────────────────────────────────────────────────────────────────────────


def lived(*events: Event) -> Any:
    return after(opened(), settled("approved"), prepared(), *events).effects["7.1.1"]


def test_an_effect_keeps_who_let_it_through_and_when_it_first_left() -> None:
    fresh = lived()
    assert (fresh.status, fresh.attempt, fresh.by, fresh.first_sent_at) == ("prepared", 0, ADA, None)
    assert after(prepared(card="")).effects["7.1.1"].by is None
    assert after(opened(), prepared()).effects["7.1.1"].by is None
    one, two = Sending(effect="7.1.1", attempt=1, at=NOW), Sending(effect="7.1.1", attempt=2, at=LATER)
    sent = lived(one, Failed(effect="7.1.1", reason="Busy.", again_at=LATER), two)
    assert (sent.status, sent.attempt, sent.first_sent_at, sent.again_at) == ("sending", 2, NOW, None)
    assert sent.at == NOW + timedelta(minutes=6)


def test_each_fortune_of_an_effect_is_a_status() -> None:
    one = Sending(effect="7.1.1", attempt=1, at=NOW)
    busy = Failed(effect="7.1.1", reason="Busy.", again_at=LATER)
    assert (lived(one, busy).status, lived(one, busy).again_at, lived(one, busy).text) == ("prepared", LATER, "Busy.")
    assert lived(one, replace(busy, again_at=None)).status == "failed"
    assert lived(one, BecameUnknown(effect="7.1.1", reason="?")).status == "unknown"
    assert lived(Dropped(effect="7.1.1", reason="x", by=ADA)).status == "dropped"
    done = lived(one, Confirmed(effect="7.1.1", ref="r", text="Paid.", data={"n": 1}))
    assert (done.status, done.ref, done.text, done.data) == ("confirmed", "r", "Paid.", {"n": 1})
    assert lived(one, Compensated(effect="7.1.1", by_effect="7.2.1")).status == "compensated"


def test_what_may_have_arrived_once_may_have_arrived_ever_after() -> None:
    one = Sending(effect="7.1.1", attempt=1, at=NOW)
    unsure = Failed(effect="7.1.1", reason="Cut.", again_at=LATER, maybe=True)
    assert lived(one, unsure).maybe
    assert lived(one, unsure, one, replace(unsure, maybe=False)).maybe
    assert not lived(one, replace(unsure, maybe=False)).maybe
    queued = Queued(effect="7.1.1", until=LATER, reason="Wait.")
    assert lived(one, BecameUnknown(effect="7.1.1", reason="?"), queued).maybe
    assert lived(one, unsure, queued).maybe
    assert not lived(one, replace(unsure, again_at=None, maybe=False), queued).maybe


def test_what_waits_for_its_turn_has_not_left() -> None:
    queued = Queued(effect="7.1.1", until=LATER, reason="Wait.")
    waiting = lived(queued)
    assert (waiting.status, waiting.turn_at, waiting.at, waiting.text, waiting.waits) == (
        "prepared",
        LATER,
        LATER,
        "Wait.",
        True,
    )
    sent = lived(queued, Sending(effect="7.1.1", attempt=1, at=NOW))
    assert (sent.turn_at, sent.waits, sent.at) == (None, False, NOW + timedelta(minutes=5))
    assert not lived().waits
    assert after(prepared(not_before=LATER)).effects["7.1.1"].waits


@pytest.mark.parametrize(
    ("ends", "step"),
    [
        (["Confirmed", "Confirmed"], "done"), (["Confirmed", "Failed"], "failed"), (["Confirmed", "Dropped"], "skipped"),
        (["Failed", "Dropped"], "failed"), (["Confirmed"], "acting"), (["Confirmed", "BecameUnknown"], "acting"),
    ],
)  # fmt: skip
def test_a_step_is_over_with_the_last_of_its_effects(ends: list[str], step: str) -> None:
    made: dict[str, Any] = {
        "Confirmed": lambda e: Confirmed(effect=e, text="x"), "Failed": lambda e: Failed(effect=e, reason="x"),
        "Dropped": lambda e: Dropped(effect=e, reason="x", by=ADA), "BecameUnknown": lambda e: BecameUnknown(effect=e, reason="x"),
    }  # fmt: skip
    events = [made[kind](f"7.1.{number}") for number, kind in enumerate(ends, 1)]
    other = replace(prepared(), effect="7.2.1", step="s2")
    state = after(plan("s1", "s2"), opened(), settled("approved"), prepared(1), prepared(2), other, *events)
    assert state.steps == {"s1": step, "s2": "ready"}
    assert after(prepared(1), Confirmed(effect="7.1.1", text="x")).steps == {}


# ── the house's own ───────────────────────────────────────────────────────────────────────────────────────────────


def test_stops_and_grants_are_counted() -> None:
    state = after(Paused(scope="mail", by=ADA), Paused(scope="paper.pay", by=ADA))
    assert state.paused == {"mail", "paper.pay"}
    assert after(Resumed(scope="mail", by=ADA), state=state).paused == {"paper.pay"}
    assert after(Resumed(scope="all", by=ADA), state=state).paused == frozenset()
    used = after(GrantUsed(grant="g1", effect="7.1.1"), GrantUsed(grant="g1", effect="7.1.2"))
    assert used.grant_uses == {"g1": 2}


# ── orders ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_order_is_open_until_it_is_answered_or_closed() -> None:
    begun = apply(
        TaskState(7), line(Ended(how="done", summary=""), given={"a": LookUp(question="x"), "b": LookUp(question="y")})
    )
    assert list(begun.open) == ["a", "b"]
    assert list(apply(begun, line(WokeUp(order="a", reason="x"), 2)).open) == ["b"]
    assert list(apply(begun, line(Ended(how="done", summary=""), 2, closed=("b",))).open) == ["a"]
    assert apply(begun, line(Ended(how="done", summary=""), 2)).open is begun.open


def test_what_is_only_shown_is_no_open_order_but_for_a_cards_first_time() -> None:
    there = after(opened())
    first, copy = Show(what="7.1", channel="web"), Show(what="7.1", channel="web", ref="m1")
    word, wake = Show(what="7.m2", channel="web"), Wake(reason="x", due=NOW)
    given = {"first": first, "copy": copy, "word": word, "wake": wake, "do": Perform(effect="7.1.1", attempt=1)}
    assert list(apply(there, line(Ended(how="done", summary=""), 2, given=given)).open) == ["first", "wake", "do"]


def test_an_edit_counts_once_a_draft_was_ordered_with_it() -> None:
    def ordered(order: Delegate) -> Any:
        return apply(after(opened()), line(Ended(how="done", summary=""), 2, given={"d": order})).edits

    assert ordered(Delegate(step="s1", card="7.1", edits={"a": "1"})) == {"7.1": {"a": "1"}}
    assert ordered(Delegate(step="s1", edits={"a": "1"})) == ordered(Delegate(step="s1", card="7.1")) == {}


def test_numbers_are_held_by_what_waits_and_by_what_is_not_over() -> None:
    held = {"invoice:1": "7.1"}
    assert reserved(after(opened())) == reserved(after(opened(kind="unknown"))) == held
    assert reserved(after(opened(kind="stuck"))) == reserved(after(opened(kind="shadow"))) == {}
    assert reserved(after(opened(), settled("denied"))) == {}
    let = after(opened(), settled("approved"), prepared())
    assert reserved(let) == held
    assert reserved(after(Confirmed(effect="7.1.1", text="x"), state=let)) == {}


def test_what_waits_is_yielded_and_rehearsals_are_not() -> None:
    assert [card.opened.card for card in after(opened()).pending()] == ["7.1"]
    assert list(after(opened(kind="shadow")).pending()) == list(after(opened(), settled("denied")).pending()) == []


# ── what is projected ─────────────────────────────────────────────────────────────────────────────────────────────


def projected(event: Event, before: TaskState | None = None) -> dict[str, list[dict[str, Any]]]:
    before = before or TaskState(7)
    made = line(event, before.seq + 1)
    found: dict[str, list[dict[str, Any]]] = {}
    for table, row in rows(before, apply(before, made), made):
        found.setdefault(table, []).append(row)
    return found


def test_a_task_is_a_row_as_it_stands_after_its_last_line() -> None:
    table, row = task_row(after(MessageReceived(text="pay", actor=ADA, place=HERE), Said(message="7.m2", text="x")))
    first, last = NOW + timedelta(minutes=1), NOW + timedelta(minutes=2)
    assert table == "tasks"
    assert row == {
        "id": 7, "status": "received", "title": "pay", "origin": "operator", "began": stamp(first), "at": stamp(last), "seq": 2,
    }  # fmt: skip


def test_what_was_said_and_asked_is_a_turn_and_a_new_version_is_not() -> None:
    assert projected(MessageReceived(text="pay", actor=ADA, place=HERE))["turns"][0]["kind"] == "heard"
    assert projected(Said(message="7.m1", text="x"))["turns"][0]["ref"] == "7.m1"
    assert projected(opened())["turns"][0]["kind"] == "card"
    assert "turns" not in projected(opened(revision=2), after(opened()))


def test_records_ledger_and_copies_are_rows() -> None:
    (record,) = projected(
        Recorded(write=Write(kind="client", key="a", data={"b": 1}, gone=True), version=3, effect="7.1.1")
    )["records"]
    assert (record["gone"], record["data"], record["version"]) == (1, '{"b":1}', 3)
    assert projected(Recorded(write=Write(kind="client", key="a", data={}), version=1))["records"][0]["gone"] == 0
    entries = (Entry(account="bank", amount="10.00 EUR", note="mine"), Entry(account="sales", amount="-10.00 EUR"))
    first, second = projected(Posted(entries=entries, note="all"))["ledger"]
    assert (first["line"], first["amount"], first["currency"], first["note"]) == (0, "10.00", "EUR", "mine")
    assert (second["line"], second["note"]) == (1, "all")
    assert projected(Delivered(order="", what="7.1", place=HERE, ref="m1"), after(opened()))["copies"][0]["ref"] == "m1"


def test_cards_and_effects_are_rows_when_they_change() -> None:
    (card,) = projected(opened())["cards"]
    assert (card["state"], card["client"], card["revision"]) == ("pending", "acme", 1)
    let = after(opened(), settled("approved"), prepared(1), prepared(2))
    found = projected(Confirmed(effect="7.1.1", ref="r", text="Paid."), let)
    (effect,) = found["effects"]
    assert (effect["id"], effect["status"], effect["amount"], effect["currency"], effect["undone"]) == (
        "7.1.1",
        "confirmed",
        "10.00",
        "EUR",
        0,
    )
    assert "cards" not in found
    assert projected(Compensated(effect="7.1.1", by_effect="7.2.1"), let)["effects"][0]["undone"] == 1
    odd = replace(prepared(1), call=replace(CALL, args={"amount": "ten"}))
    assert [projected(odd)["effects"][0][name] for name in ("amount", "currency")] == ["", ""]


def test_who_was_written_to_is_known_from_then_on() -> None:
    call = ActionCall(name="mail.send", args={"to": ["Anna@Acme.example"], "cc": None, "bcc": ["b@x.example", 7]})
    let = after(opened(), settled("approved"), prepared(1, call=call))
    assert [row["address"] for row in projected(Confirmed(effect="7.1.1", text="x"), let)["recipients"]] == [
        "anna@acme.example",
        "b@x.example",
    ]


@pytest.mark.parametrize(
    ("event", "opening", "how"),
    [
        (settled("approved"), {}, ["unchanged"]), (settled("approved"), {"revision": 2}, ["edited"]), (settled("denied"), {}, ["rejected"]),
        (settled("denied", by=BEN), {}, ["rejected"]), (settled("approved", by=BEN), {}, []), (settled("expired"), {}, []),
        (settled("approved"), {"kind": "shadow"}, ["unchanged"]), (settled("approved"), {"kind": "stuck"}, []),
        (settled("denied"), {"compensates": ("x",)}, []),
    ],
)  # fmt: skip
def test_what_the_operator_thought_of_a_draft_is_a_decision(
    event: Settled, opening: dict[str, Any], how: list[str]
) -> None:
    found = projected(event, after(opened(**opening)))
    assert [row["how"] for row in found.get("decisions", [])] == how


def test_what_was_taken_back_is_a_decision_and_what_was_let_go_later_is_none() -> None:
    let = after(opened(), settled("approved"), prepared())
    drop = Dropped(effect="7.1.1", reason="x", by=ADA)
    assert projected(drop, let)["decisions"][0]["ref"] == "7.1"
    assert projected(Compensated(effect="7.1.1", by_effect="x"), let)["decisions"][0]["how"] == "undone"
    assert projected(drop, after(prepared(card="")))["decisions"][0]["ref"] == "7.1.1"
    assert "decisions" not in projected(drop, after(BecameUnknown(effect="7.1.1", reason="?"), state=let))


def test_a_history_is_folded_line_by_line() -> None:
    lines = [line(opened(), 1), line(settled("denied"), 2)]
    assert believe(7, lines).cards["7.1"].state == "denied"
    assert with_event(TaskState(7), lines[0]).seq == 0
    assert believe(7, lines).seq == 2
    assert CardState(opened()).state == "pending"
