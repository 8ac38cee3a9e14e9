"""Ifs about our own books: read from words, bound to records, and told in the same words everywhere."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from agents.base import Proposal, Task, Write
from agents.condition import SETTLED, Bound, Clause, bound, clause, fact, told
from agents.planner import MakePlan
from tests.agents.desk import ACME, NOW, PaperDesk

TASK = Task(id="1", step="s1", intent=MakePlan())


@pytest.mark.parametrize(
    ("words", "means"),
    [
        ("Acme has not paid by Friday", Clause(fact="paid", who="Acme", holds=False, by="Friday")),
        ("Acme hasn’t paid yet", Clause(fact="paid", who="Acme", holds=False)),
        ("Globex pays", Clause(fact="paid", who="Globex")),
        ("Acme does not pay invoice 2026-0004 within 10 days",
         Clause(fact="paid", who="2026-0004", holds=False, by="10 days")),
        ("invoice 2026-0004 is still unpaid on Friday", Clause(fact="paid", who="2026-0004", holds=False, by="Friday")),
        ("Acme accepts the proposal", Clause(fact="accepted", who="Acme")),
        ("Wayne does not sign by Friday", Clause(fact="accepted", who="Wayne", holds=False, by="Friday")),
        ("Hooli says yes", Clause(fact="accepted", who="Hooli")),
        ("Initech doesn't get back to me by Thursday",
         Clause(fact="answered", who="Initech", holds=False, by="Thursday")),
        ("they have not replied", Clause(fact="answered", who="they", holds=False)),
    ],
)  # fmt: skip
def test_an_if_about_our_books_is_read(words: str, means: Clause) -> None:
    assert clause(words) == means


@pytest.mark.parametrize(
    "words",
    [
        "it rains tomorrow", "Acme pays late", "the price is right", "Acme pays 500 of it",
        "the nice people whom I met at the fair in May pay", "Acme answers the phone", "",
    ],
)  # fmt: skip
def test_what_says_more_than_is_understood_is_no_condition(words: str) -> None:
    assert clause(words) is None


def desk(*invoices: tuple[str, str]) -> PaperDesk:
    made = PaperDesk(clients={"acme": ACME, "hooli": {"name": "Hooli", "status": "active"}})
    for number, status in invoices:
        data = {"client": "acme", "client_name": "Acme GmbH", "status": status, "due": "2026-12-01"}
        made.write(Write(kind="invoice", key=number, data=data))
    return made


def test_has_not_paid_by_friday_is_looked_at_when_friday_is_over() -> None:
    found = bound(Clause(fact="paid", who="Acme", holds=False, by="Friday"), TASK, desk(("2026-0001", "sent")))
    assert isinstance(found, Bound)
    assert found.when == "2026-11-27T17:00:00+01:00"
    assert (found.condition.keys, found.condition.status) == (("2026-0001",), SETTLED)
    assert told(found.condition) == "if 2026-0001 is not paid"
    assert fact(found.condition, so=False) == "2026-0001 is not open any more"


def test_once_they_pay_waits_for_all_that_is_open_and_not_for_ever() -> None:
    open_ = desk(("2026-0001", "sent"), ("2026-0002", "paid"), ("2026-0003", "issued"))
    found = bound(Clause(fact="paid", who="acme"), TASK, open_)
    assert isinstance(found, Bound)
    assert found.when == ""
    assert found.condition.keys == ("2026-0001", "2026-0003")
    assert 80 < (datetime.fromisoformat(found.condition.until) - NOW).days < 100
    assert told(found.condition) == "once 2026-0001 and 2026-0003 are paid"


def test_an_answer_is_a_mail_from_one_of_their_addresses() -> None:
    found = bound(Clause(fact="answered", who="Acme", holds=False, by="Friday"), TASK, desk())
    assert isinstance(found, Bound)
    assert found.condition.keys == ("billing@acme.example",)
    assert told(found.condition) == "if no mail has come from billing@acme.example"


@pytest.mark.parametrize(
    ("said", "invoices", "words"),
    [
        ({"who": "Acme"}, [], "no open invoice"),
        ({"who": "2026-0001"}, [("2026-0001", "paid")], "2026-0001 is paid already"),
        ({"who": ""}, [], "Whom do you mean"),
        ({"who": "Tyrell"}, [], "no client called 'Tyrell'"),
        ({"who": "Acme", "by": "the end of time"}, [("2026-0001", "sent")], "cannot read 'the end of time'"),
        ({"who": "Acme", "by": "yesterday"}, [("2026-0001", "sent")], "'yesterday' has passed"),
        ({"who": "Acme", "fact": "accepted"}, [], "no open proposal"),
        ({"who": "Hooli", "fact": "answered", "holds": False}, [], "no address of Hooli"),
        ({"who": "Acme", "fact": "answered"}, [], "comes to you as soon as it is here"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_guessed(
    said: dict[str, Any], invoices: list[tuple[str, str]], words: str
) -> None:
    found = bound(Clause(**({"fact": "paid"} | said)), TASK, desk(*invoices))
    assert isinstance(found, Proposal)
    assert words in found.ask + found.problem
