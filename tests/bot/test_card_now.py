"""A card as it stands now, by its values: its state, its buttons, what it says of its end; and the edges of what is on it."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from bot import approvals, payees
from bot.approvals import View, doing_such, effect_line, outcome, render, render_former, undoable
from bot.books import ACTIONS as BOOKS
from bot.state import CardState, EffectState, TaskState
from bot.testing import PaperService
from connectors.base import Param, Role
from connectors.mail import Mail
from memory.events import ActionCall, Actor, CardOpened, Origin, Prepared, Settled, Understood, fingerprint

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # ten in Berlin
ACTIONS = {**PaperService.actions(), **Mail.actions(), **BOOKS}
VIEW = View(ACTIONS, b"s" * 32, ZoneInfo("Europe/Berlin"), NOW)
ADA = Actor(platform="slack", user="U1", name="Ada", origin=Origin.OPERATOR)
BEN = Actor(platform="telegram", user="7", name="Ben", origin=Origin.DELEGATE)
CLOCK = Actor(platform="clock", origin=Origin.SYSTEM)
MAIL = ActionCall(
    name="mail.send", args={"to": ["anna@acme.example"], "subject": "Hello", "body": "Dear Anna"}, why="asked for"
)


def opened(*calls: ActionCall, **more: Any) -> CardOpened:
    calls = calls or (MAIL,)
    fields: dict[str, Any] = {"revision": 2, "step": "s1", "title": "Send an e-mail", "rule": "money asks", **more}
    return CardOpened(card="1.1", calls=calls, fingerprint=fingerprint(calls), **fields)


def effect(number: int = 1, **more: Any) -> EffectState:
    fields = {name: more.pop(name) for name in ("not_before",) if name in more}
    prepared = Prepared(
        effect=f"1.1.{number}",
        card="1.1",
        step="s1",
        call=MAIL,
        fingerprint="f",
        key="k",
        effect_class="plain",
        **fields,
    )
    return EffectState(prepared, "s1", NOW, **more)


def state(standing: CardState, *effects: EffectState, slots: dict[str, Any] | None = None) -> TaskState:
    understood = Understood(order="", intent="ask", slots=slots, confidence_pct=100) if slots is not None else None
    return TaskState(
        1, cards={"1.1": standing}, effects={each.prepared.effect: each for each in effects}, understood=understood
    )


def settled(how: Any, by: Actor = ADA, reason: str = "", **more: Any) -> CardState:
    ended = Settled(card="1.1", revision=2, how=how, by=by, reason=reason)
    return CardState(opened(**more), state=how, settled=ended, settled_at=NOW - timedelta(minutes=5))


def labels(standing: CardState, *effects: EffectState) -> list[str]:
    return [button.label for button in render(state(standing, *effects), "1.1", VIEW).buttons]


# ── a card that waits ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_card_that_waits_has_its_footer_fields_and_reasons_and_no_outcome() -> None:
    waits = opened(no_return="once it is sent", expires_at=NOW + timedelta(hours=3))
    card = render(state(CardState(waits), slots={"client": "Acme", "n": 3, "empty": "", "list": []}), "1.1", VIEW)
    assert (card.state, card.outcome, card.note) == ("pending", "", "asked for")
    assert card.footer == (
        "Asked because money asks",
        "Point of no return: once it is sent",
        "Runs out today 13:00, and then: nothing is done",
    )
    assert [field.name for field in card.fields] == ["client", "n", "0.to", "0.subject", "0.body"]
    assert card.reject_reasons == approvals.REJECT_REASONS
    assert [row.label for row in card.rows] == ["To", "Subject"]
    assert card.body == "Dear Anna"


def test_a_footer_says_only_what_there_is_to_say() -> None:
    card = render(state(CardState(opened(rule="default: outside asks", expires_at=None))), "1.1", VIEW)
    assert card.footer == ("Asked because outside asks",)
    assert render(state(CardState(opened(rule=""))), "1.1", VIEW).footer == ()


def test_what_can_be_taken_back_says_so_where_there_is_no_point_of_no_return() -> None:
    back = {name: dataclasses.replace(each, undo=lambda *_: ("x", {})) for name, each in VIEW.actions.items()}
    view = dataclasses.replace(VIEW, actions=back)
    (_, undo) = render(state(CardState(opened(expires_at=None))), "1.1", view).footer
    assert undo.startswith("Undo: ")
    gone = opened(no_return="once it is sent", expires_at=None)
    assert not any(line.startswith("Undo") for line in render(state(CardState(gone)), "1.1", view).footer)


def test_what_an_agent_says_is_the_note_before_the_calls_own_why() -> None:
    assert render(state(CardState(opened(say="I looked twice."))), "1.1", VIEW).note == "I looked twice."
    bare = replace(MAIL, why="")
    assert render(state(CardState(opened(bare))), "1.1", VIEW).note == ""


def test_only_an_approval_of_its_own_can_be_edited_and_rejected_with_a_reason() -> None:
    for kind in ("unknown", "stuck", "shadow"):
        card = render(state(CardState(opened(kind=kind, effect="1.1.1"))), "1.1", VIEW)
        assert (card.fields, card.reject_reasons) == ((), ())
    back = render(state(CardState(opened(compensates=("1.0.1",)))), "1.1", VIEW)
    assert (back.fields, back.reject_reasons) == ((), approvals.REJECT_REASONS)
    done = render(state(settled("approved")), "1.1", VIEW)
    assert (done.fields, done.reject_reasons, done.footer, done.state) == ((), (), (), "approved")


def test_each_kind_of_card_has_its_buttons() -> None:
    plain = ["Approve", "Edit", "Reject", "Snooze", "Approve all like this"]
    assert labels(CardState(opened(replace(MAIL, client="acme")))) == plain
    assert labels(CardState(opened(compensates=("1.0.1",)))) == ["Approve", "Reject", "Snooze"]
    assert labels(CardState(opened(kind="unknown", effect="1.1.1"))) == ["It arrived", "Send again", "Drop it"]
    assert labels(CardState(opened(kind="stuck", effect="1.1.1"))) == ["Try again", "Drop it"]
    assert labels(CardState(opened(kind="shadow"))) == ["I would approve this", "I would not"]
    for how in ("approved", "denied", "expired", "cancelled", "superseded"):
        assert labels(settled(how)) == []


def test_a_rehearsal_and_a_card_put_aside_say_so() -> None:
    assert render(state(CardState(opened(kind="shadow"))), "1.1", VIEW).state == "shadow"
    aside = CardState(opened(), snoozed_until=NOW + timedelta(hours=1))
    assert render(state(aside), "1.1", VIEW).state == "snoozed"
    late = replace(settled("denied"), snoozed_until=NOW)
    assert render(state(late), "1.1", VIEW).state == "denied"


def test_an_older_draft_is_shown_without_a_way_to_press_it_while_the_newer_one_waits() -> None:
    former = opened(replace(MAIL, args={**MAIL.args, "subject": "Old"}), revision=1, title="The old one")
    standing = CardState(opened(), former=former)
    card = render_former(state(standing), "1.1", VIEW)
    assert (card.state, card.revision, card.title, card.buttons) == ("superseded", 1, "The old one", ())
    assert card.outcome == "Changed. Version 2 of this card is the one that counts."
    assert render_former(state(CardState(opened())), "1.1", VIEW).buttons
    after = replace(settled("denied"), former=former)
    assert render_former(state(after), "1.1", VIEW).state == "denied"


# ── a card that came to its end ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("standing", "words"),
    [
        (settled("denied"), "Rejected by you on slack today 09:55. Nothing was done."),
        (settled("denied", BEN, "too dear"), "Rejected by Ben on telegram today 09:55 (too dear). Nothing was done."),
        (settled("expired", CLOCK), "Ran out today 09:55 without an answer. Nothing was done."),
        (settled("cancelled", reason="you stopped it"), "Cancelled today 09:55 (you stopped it). Nothing was done."),
        (settled("superseded", CLOCK), "Replaced by a newer version today 09:55."),
        (
            settled("superseded", CLOCK, "It was found.", kind="unknown"),
            "No question any more, today 09:55 (It was found.).",
        ),
        (settled("superseded", CLOCK, kind="unknown"), "Replaced by a newer version today 09:55."),
        (settled("superseded", CLOCK, "a reason"), "Replaced by a newer version today 09:55 (a reason)."),
        (settled("approved", kind="shadow"), "Rehearsal: you would have approved this. Nothing was done."),
        (settled("denied", BEN, kind="shadow"), "Rehearsal: Ben would not have approved this. Nothing was done."),
        (settled("cancelled", kind="shadow"), "Cancelled today 09:55. Nothing was done."),
        (settled("approved", CLOCK), "Approved by Soloist today 09:55. "),
        (settled("approved", kind="unknown"), "Answered by you on slack today 09:55. "),
        (settled("approved", kind="stuck"), "Answered by you on slack today 09:55. "),
    ],
)
def test_the_end_of_a_card_is_one_sentence(standing: CardState, words: str) -> None:
    assert outcome(state(standing), "1.1", VIEW) == words


def test_an_end_without_a_time_is_now() -> None:
    standing = replace(settled("denied"), settled_at=None)
    assert outcome(state(standing), "1.1", VIEW).startswith("Rejected by you on slack today 10:00.")


@pytest.mark.parametrize(
    ("standing", "words"),
    [
        (effect(text="Busy.", again_at=NOW + timedelta(minutes=2)), "Busy. Trying again today 10:02."),
        (effect(not_before=NOW + timedelta(seconds=10)), "Will send an e-mail at 10:00:10 unless you undo it."),
        (effect(not_before=NOW), "Will send an e-mail next."),
        (effect(turn_at=NOW + timedelta(seconds=61), text="So it goes."), "Will send an e-mail at 10:01:01 unless you undo it: So it goes."),
        (effect(turn_at=NOW, text="So it goes."), "Will send an e-mail next."),
        (effect(), "Will send an e-mail next."),
        (effect(status="sending"), "Will send an e-mail now…"),
        (effect(status="confirmed", text="Mailed."), "Mailed."),
        (effect(status="failed", text="No."), "Not done: No."),
        (effect(status="unknown", text="Lost."), "Nobody knows yet whether it went through: Lost."),
        (effect(status="dropped", text="Let go."), "Not done: Let go."),
        (effect(status="compensated", text="Mailed."), "Mailed. Taken back since."),
    ],
)  # fmt: skip
def test_an_effect_is_told_from_what_is_known(standing: EffectState, words: str) -> None:
    assert effect_line(standing, VIEW) == words
    assert (
        outcome(state(settled("approved"), standing), "1.1", VIEW) == f"Approved by you on slack today 09:55. {words}"
    )


# ── undo ──────────────────────────────────────────────────────────────────────────────────────────────────────────

SOON = NOW + timedelta(seconds=10)


def test_what_waits_as_a_whole_can_be_undone_until_the_last_of_it_goes() -> None:
    both = (effect(1, not_before=SOON), effect(2, turn_at=NOW + timedelta(minutes=1)))
    (button,) = render(state(settled("approved"), *both), "1.1", VIEW).buttons
    assert (button.label, button.until) == ("Undo", NOW + timedelta(minutes=1))
    assert undoable(state(settled("approved"), effect(1, not_before=SOON), effect(2)), "1.1")


@pytest.mark.parametrize(
    "effects",
    [
        (),
        (effect(),),  # it waits for nothing
        (effect(1, not_before=SOON, status="sending"),),
        (effect(1, not_before=SOON, status="confirmed"), effect(2, not_before=SOON)),
        (effect(1, not_before=SOON, maybe=True),),
    ],
)
def test_what_does_not_wait_has_no_such_button(effects: tuple[EffectState, ...]) -> None:
    assert not undoable(state(settled("approved"), *effects), "1.1")
    assert labels(settled("approved"), *effects) == []
    assert labels(settled("denied"), effect(not_before=SOON)) == []


# ── the edges of what is on it ────────────────────────────────────────────────────────────────────────────────────


def test_a_call_nobody_declares_any_more_goes_by_its_name() -> None:
    gone = ActionCall(name="gone.act", args={"b": "2", "a": "1"})
    assert doing_such(gone, ACTIONS) == approvals.doing(gone, ACTIONS) == "gone.act"
    assert [(row.label, row.value) for row in approvals.facts((gone,), ACTIONS)] == [("A", "1"), ("B", "2")]
    assert approvals.body_of((gone,), ACTIONS) == ""


def test_what_such_calls_do_names_their_kind_and_nothing_else_of_them() -> None:
    said = replace_says("add the {kind} called {key}")
    add = ActionCall(name="mail.send", args={"kind": "client", "key": "acme"})
    assert doing_such(add, said) == "add the client called"
    assert approvals.doing(add, said) == "add the client called acme"


def replace_says(words: str) -> dict[str, Any]:
    from dataclasses import replace as changed

    return {"mail.send": changed(ACTIONS["mail.send"], says=words)}


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"text": "Design", "quantity": "2", "unit_price": "50.00 EUR", "total": "100.00 EUR"}, "Design: 2 × 50.00 EUR = 100.00 EUR"),
        ({"text": "Design", "quantity": "1.00", "unit_price": "50.00 EUR"}, "Design: 50.00 EUR"),
        ({"text": "Design", "quantity": "1", "total": "50.00 EUR"}, "Design: 50.00 EUR"),
        ({"quantity": "", "total": "7.00 EUR"}, ": 7.00 EUR"),
    ],
)  # fmt: skip
def test_an_item_says_how_many_only_where_there_are_several(item: dict[str, Any], words: str) -> None:
    assert approvals._line(item) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [(1023, "1023 B"), (1024, "1 kB"), (1024**2 - 1, "1024 kB"), (1024**2, "1.0 MB"), (1536 * 1024, "1.5 MB")],
)
def test_a_size_changes_its_unit_at_the_thousand_and_twentyfourth(size: int, words: str) -> None:
    assert approvals._size(size) == words


def test_a_handle_of_the_longest_that_is_read_is_read_and_one_longer_is_not() -> None:
    fits = "9" * 45
    whole = approvals.handle(b"s" * 32, fits, 1)
    assert len(whole) == approvals.HANDLE_MAX == 64
    assert approvals.read_handle(b"s" * 32, whole) == (fits, 1)
    assert approvals.read_handle(b"s" * 32, approvals.handle(b"s" * 32, "9" * 46, 1)) is None
    assert len(whole.rpartition(":")[2]) == 16, "ninety-six bits, no more and no less"


def test_what_matters_is_vital_whatever_shape_it_comes_in() -> None:
    lines = [{"text": "Design", "total": "5.00 EUR"}, {"text": "Build", "total": "7.00 EUR"}]
    issue = ActionCall(name="books.issue", args={"number": "1", "client": "acme", "lines": lines})
    rows = [row for row in approvals.facts((issue,), ACTIONS) if "EUR" in row.value]
    assert [(row.label, row.value, row.vital) for row in rows] == [
        ("Items", "Design: 5.00 EUR", True), ("", "Build: 7.00 EUR", True),
    ]  # fmt: skip
    for role in (Role.AMOUNT, Role.WHEN):
        (row,) = approvals._rows(Param("x", role, required=True, doc=""), "10.00 EUR", (), ())
        assert (row.vital, row.role) == (True, role)


def test_a_payee_is_vital_and_marked_when_it_is_new() -> None:
    param = Param("iban", Role.PAYEE, required=True, doc="")
    new = "Hetzner <DE89 3704 0044 0532 0130 00>"
    (known,) = approvals._rows(param, new, (), ())
    (marked,) = approvals._rows(param, [new], (), (new,))
    assert (known.vital, known.mark, known.value) == (True, "", new)
    assert (marked.vital, marked.mark) == (True, payees.NEW)
    assert len(approvals._rows(param, [new, "Else <x@y.example>"], (), (new,))) == 2


def test_what_two_calls_share_stands_once_and_what_each_says_of_itself_stays() -> None:
    one = ActionCall(name="paper.post", args={"to": ["a@b.example"], "body": "x", "note": "same"})
    other = ActionCall(name="paper.book", args={"to": ["a@b.example"], "body": "x", "note": "same"})
    assert [row.value for row in approvals.facts((one, other), ACTIONS)].count("same") == 1
    assert [row.value for row in approvals.facts((one, one), ACTIONS)].count("same") == 2
    assert approvals._size(100 * 1024**2) == "100.0 MB"
    assert approvals._size(500 * 1024) == "500 kB"
