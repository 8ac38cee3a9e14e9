"""Cards by their values: whose press counts, what a handle proves, what stands on a card and what may not be cut."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.approvals import (
    HANDLE_MAX,
    Person,
    Roster,
    View,
    attachments_of,
    body_of,
    changes,
    clock_text,
    doing,
    edit_fields,
    expires_at,
    facts,
    handle,
    may_press,
    overlay,
    read_handle,
    title,
    who,
)
from bot.books import ACTIONS as BOOKS
from bot.policy import Policy
from bot.testing import PaperService
from connectors.mail import Mail
from memory.events import ActionCall, Actor, CardOpened, Origin, fingerprint

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ACTIONS = {**PaperService.actions(), **Mail.actions(), **BOOKS}
SECRET = b"s" * 32
VIEW = View(ACTIONS, SECRET, ZoneInfo("Europe/Berlin"), NOW)
ADA = Actor(platform="slack", user="U1", account="T1")


def pay(amount: str = "10.00 EUR", payee: str = "Acme") -> ActionCall:
    return ActionCall(name="paper.pay", args={"payee": payee, "amount": amount})


def mail(**args: Any) -> ActionCall:
    given = {"to": ["anna@acme.example"], "subject": "Hello", "body": "Dear Anna"}
    return ActionCall(name="mail.send", args={**given, **args})


def card(*calls: ActionCall) -> CardOpened:
    return CardOpened(
        card="1.1", revision=1, step="s1", title="x", calls=calls, fingerprint=fingerprint(calls), rule="money asks"
    )


# ── who may press ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("person", "found"),
    [
        (Person("slack", "U1", "T1"), True),
        (Person("slack", "U1"), True),
        (Person("slack", "U1", "T2"), False),
        (Person("slack", "U2", "T1"), False),
        (Person("telegram", "U1", "T1"), False),
    ],
)
def test_a_person_is_found_by_platform_account_and_user(person: Person, *, found: bool) -> None:
    assert (Roster((Person("x", "y"), person)).find(ADA) is person) is found


def test_nobody_is_found_in_an_empty_roster_or_without_an_id() -> None:
    assert Roster().find(ADA) is None
    assert Roster((Person("slack", ""),)).find(Actor(platform="slack", user="", account="T1")) is None


def delegate(**more: Any) -> Person:
    return Person("slack", "U1", role=Origin.DELEGATE, **more)


@pytest.mark.parametrize(
    ("person", "call", "refusal"),
    [
        (Person("slack", "U1"), pay("1000000.00 EUR"), ""),
        (None, pay(), "not on this company's list"),
        (Person("slack", "U1", role=Origin.CLIENT), pay(), "Only the operator and delegates"),
        (Person("slack", "U1", role=Origin.STRANGER), mail(), "Only the operator and delegates"),
        (delegate(), mail(), ""),
        (delegate(), pay(), "up to no amount; this is 10.00 EUR"),
        (delegate(amount_max="10.00 EUR"), pay(), ""),
        (delegate(amount_max="10.00 EUR"), pay("10.01 EUR"), "up to 10.00 EUR; this is 10.01 EUR"),
        (delegate(amount_max="10.00 USD"), pay(), "up to 10.00 USD"),
        (delegate(actions=("paper.*",), amount_max="99.00 EUR"), pay(), ""),
        (delegate(actions=("paper.*",)), mail(), "may not decide about mail.send"),
        (delegate(actions=()), mail(), "may not decide about mail.send"),
    ],
)
def test_the_operator_decides_all_and_a_delegate_what_was_left_to_them(
    person: Person | None, call: ActionCall, refusal: str
) -> None:
    told = may_press(person, card(call))
    assert (refusal in told) if refusal else told == ""


def test_one_call_a_delegate_may_not_decide_holds_the_whole_card() -> None:
    assert "mail.send" in may_press(delegate(actions=("paper.*",), amount_max="99.00 EUR"), card(pay(), mail()))


# ── handles ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("what", "number"), [("12.1", 1), ("12.m4", 0), ("undo 12.1.1", 0), ("999999.12", 99)])
def test_a_handle_says_what_it_is_about_and_fits_the_smallest_platform(what: str, number: int) -> None:
    made = handle(SECRET, what, number)
    assert read_handle(SECRET, made) == (what, number)
    assert len(made.encode()) <= HANDLE_MAX
    assert len(made.rpartition(":")[2]) >= 16


def test_a_handle_changed_anywhere_is_none_of_ours() -> None:
    made = handle(SECRET, "12.1", 3)
    assert read_handle(b"t" * 32, made) is None
    for at, letter in enumerate(made):
        other = "x" if letter != "x" else "y"
        assert read_handle(SECRET, made[:at] + other + made[at + 1 :]) is None, at
    for text in ("", ":", "12.1:3:", "12.1::x", ":3:x", "12.1:three:x", "12.1:٣:x", made + "x", made * 9, "\udcff:1:x"):
        assert read_handle(SECRET, text) is None, text


def test_a_handle_that_is_ours_and_too_long_is_refused() -> None:
    assert read_handle(SECRET, handle(SECRET, "1" * HANDLE_MAX, 1)) is None


# ── what stands on a card ─────────────────────────────────────────────────────────────────────────────────────────


def rows(*calls: ActionCall, newcomers: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    return [(row.label, row.value) for row in facts(calls, ACTIONS, newcomers)]


def test_every_argument_is_a_row_and_what_nobody_declared_as_well() -> None:
    found = rows(mail(cc=["c@x.example"], bcc=["b@x.example"], weird={"a": 1}, odd=["x", "y"]))
    assert ("Bcc", "b@x.example") in found
    assert ("Cc", "c@x.example") in found
    assert ("a", "1") in found
    assert ("Odd", "x, y") in found
    assert ("Text", "Dear Anna") not in found  # the body stands below, whole


def test_what_is_empty_is_no_row_and_the_account_is_one() -> None:
    call = ActionCall(name="mail.send", account="me@x.example", args={"to": ["a@x.example"], "cc": [], "subject": ""})
    assert rows(call) == [("To", "a@x.example"), ("As", "me@x.example")]


def test_a_newcomer_is_marked_and_nobody_else() -> None:
    found = facts([mail(to=["a@x.example", "b@x.example"])], ACTIONS, ("b@x.example",))
    assert [(row.value, row.mark) for row in found if row.label == "To"] == [
        ("a@x.example", ""),
        ("b@x.example", "NEW"),
    ]


def test_what_matters_is_vital_and_never_cut() -> None:
    file = {"name": "a.pdf", "sha256": "0123456789abcdef" * 4, "size": 2048}
    found = {row.label: row for row in facts([mail(attachments=[file]), pay()], ACTIONS)}
    assert found["To"].vital
    assert found["Amount"].vital
    assert found["Attached"].vital
    assert found["Attached"].value == "a.pdf (2 kB, sha256 0123456789ab…)"
    assert not found["Subject"].vital


def test_two_payments_of_one_sum_are_two_rows() -> None:
    once, twice = rows(pay()), rows(pay(), pay())
    assert once != twice
    assert [label for label, _ in twice].count("Amount") == 2


def test_what_two_actions_do_to_somebody_is_said_of_each() -> None:
    """Or a sum could hide behind another of the same height."""
    post = ActionCall(name="paper.post", args={"to": ["anna@acme.example"], "body": "x", "amount": "10.00 EUR"})
    assert [value for label, value in rows(pay(), post) if label == "Amount"] == ["10.00 EUR", "10.00 EUR"]
    assert [value for label, value in rows(mail(), post) if label == "To"] == ["anna@acme.example"] * 2


def test_what_two_different_calls_share_stands_there_once() -> None:
    file = {"name": "a.pdf", "sha256": "0" * 64, "size": 1}
    issue = ActionCall(name="books.issue", args={"number": "1", "amount": "5.00 EUR", "attachments": [file]})
    assert [label for label, _ in rows(issue, mail(attachments=[file]))].count("Attached") == 1


@pytest.mark.parametrize(("size", "words"), [(1023, "1023 B"), (1024, "1 kB"), (1024**2, "1.0 MB")])
def test_a_size_is_told_as_people_say_it(size: int, words: str) -> None:
    (row,) = [
        r
        for r in facts([mail(attachments=[{"name": "a", "sha256": "0" * 64, "size": size}])], ACTIONS)
        if r.label == "Attached"
    ]
    assert words in row.value


def test_long_texts_stand_whole_and_apart() -> None:
    assert body_of([mail(), mail(body="Second")], ACTIONS) == "Dear Anna\n\n———\n\nSecond"
    assert body_of([pay()], ACTIONS) == ""
    assert body_of([ActionCall(name="gone.away", args={"body": "x"})], ACTIONS) == ""


def test_a_title_says_each_thing_once_with_its_arguments() -> None:
    issue = ActionCall(name="books.issue", args={"kind": "invoice", "number": "2026-0001"})
    assert title([issue, mail(), mail()], ACTIONS) == "Issue invoice 2026-0001 and send an e-mail"
    assert doing(ActionCall(name="gone.away"), ACTIONS) == "gone.away"


def test_a_file_sent_twice_is_attached_once() -> None:
    file = {"name": "A.PDF", "sha256": "0" * 64, "size": 1}
    other = {"name": "b.bin", "sha256": "1" * 64, "size": 1}
    found = attachments_of([mail(attachments=[file]), mail(attachments=[file, other]), pay()])
    assert [(each.name, each.media_type) for each in found] == [
        ("A.PDF", "application/pdf"), ("b.bin", "application/octet-stream"),
    ]  # fmt: skip


# ── changes and edits ─────────────────────────────────────────────────────────────────────────────────────────────


def test_what_changed_is_told_fact_by_fact() -> None:
    told = changes([mail()], [mail(subject="Bye", cc=["c@x.example"], body="Dear Bob")], ACTIONS)
    assert told == ("Subject: Hello → Bye", "Cc: — → c@x.example", "Text - Dear Anna", "Text + Dear Bob")
    assert changes([mail()], [mail()], ACTIONS) == ()
    assert changes([mail(cc=["c@x.example"])], [mail()], ACTIONS) == ("Cc: c@x.example → —",)


def test_a_paper_that_was_made_anew_is_told_without_two_digests() -> None:
    first, second = ({"name": "a.pdf", "sha256": sign * 64, "size": 2048} for sign in "ab")
    told = changes([mail(attachments=[first])], [mail(attachments=[second])], ACTIONS)
    assert told == ("Attached: a.pdf, made anew",)
    other = changes([mail(attachments=[first])], [mail(attachments=[{**second, "name": "b.pdf"}])], ACTIONS)
    assert "→" in other[0]
    words = changes([mail(subject="x (1, sha256 a…)")], [mail(subject="x (1, sha256 b…)")], ACTIONS)
    assert "→" in words[0], "of words nothing is left out"


def test_the_operators_words_win_over_a_draft_and_touch_nothing_else() -> None:
    calls = (pay(), mail())
    edited = overlay(
        calls, {"1.body": "Mine", "1.to": "a@x.example, b@x.example,", "0.nothing": "x", "7.body": "x", "x": "y"}
    )
    assert edited[0] == calls[0]
    assert edited[1].args == {"to": ["a@x.example", "b@x.example"], "subject": "Hello", "body": "Mine"}
    assert overlay(calls, {"2.body": "x", "1.": "x", "-1.body": "x"}) == calls


def test_what_can_be_edited_are_recipients_words_and_the_requests_own_slots() -> None:
    fields = {each.name: each.value for each in edit_fields(card(mail(), pay()), ACTIONS, {"net_days": 14, "none": ""})}
    assert fields == {"net_days": "14", "0.to": "anna@acme.example", "0.subject": "Hello", "0.body": "Dear Anna"}
    issue = ActionCall(name="books.write", args={"summary": "x"})
    assert edit_fields(card(issue), ACTIONS, {}) == ()


# ── time, risk, names ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_card_runs_out_with_the_shortest_of_its_calls() -> None:
    policy = Policy(expiry={"outside": timedelta(days=3), "money": timedelta(days=5)})
    assert expires_at([pay()], ACTIONS, policy, NOW) == NOW + timedelta(days=5)
    assert expires_at([pay(), mail()], ACTIONS, policy, NOW) == NOW + timedelta(days=3)
    assert expires_at([], ACTIONS, policy, NOW) == NOW + timedelta(days=7)
    assert expires_at([ActionCall(name="books.write")], ACTIONS, policy, NOW) == NOW + timedelta(days=7)


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("2026-03-02T22:59", "today 23:59"),
        ("2026-03-02T23:00", "tomorrow 00:00"),
        ("2026-03-03T23:00", "Wed 4 Mar 00:00"),
        ("2026-03-01T22:59", "Sun 1 Mar 23:59"),
        ("2027-03-02T09:00", "Tue 2 Mar 10:00 2027"),
    ],
)
def test_a_time_is_said_where_the_operator_lives(moment: str, words: str) -> None:
    assert clock_text(datetime.fromisoformat(moment).replace(tzinfo=UTC), VIEW) == words


def test_the_operator_is_you_and_others_have_names() -> None:
    me = Actor(platform="web", user="operator", origin=Origin.OPERATOR)
    assert (who(me), who(me, first=False)) == ("You", "you")
    assert who(Actor(platform="slack", user="U2", name="Bea", origin=Origin.DELEGATE)) == "Bea"
    assert who(Actor(platform="slack", user="U2", origin=Origin.DELEGATE)) == "U2"
    assert who(Actor(platform="clock")) == "clock"


def test_decimals_are_no_floats_on_a_card() -> None:
    assert ("Amount", "1,428.00 EUR") in rows(pay("1428.00 EUR"))
    assert Decimal("1428.00") == 1428


def test_what_two_actions_share_stands_there_once_and_what_differs_or_is_done_twice_stands_twice() -> None:
    def memos(*calls: tuple[str, str]) -> list[str]:
        made = [ActionCall(name=name, args={"memo": memo}) for name, memo in calls]
        return [row.value for row in facts(made, ACTIONS)]

    assert memos(("paper.send", "March"), ("paper.post", "March")) == ["March"]
    assert memos(("paper.send", "March"), ("paper.post", "April")) == ["March", "April"]
    assert memos(("paper.send", "March"), ("paper.send", "March")) == ["March", "March"]
