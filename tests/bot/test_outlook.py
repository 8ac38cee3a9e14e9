"""What is told of a step before it begins: asking, undo, cost, and what is not set up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from agents import discover as discover_agents
from bot.approvals import Roster
from bot.books import ACTIONS as BOOKS
from bot.deciding import guards
from bot.deciding.house import House
from bot.outlook import Outlook
from bot.policy import Policy, Rule
from connectors import discover
from memory.events import ActionCall, Step

ACTIONS = {**BOOKS, **{name: action for kind in discover().values() for name, action in kind.actions().items()}}
AT_HOME = {name: action for name, action in ACTIONS.items() if name.startswith(("books.", "mail."))}


@pytest.fixture
def known() -> House:
    return House(
        now=datetime(2026, 3, 2, tzinfo=UTC), zone=ZoneInfo("Europe/Berlin"), policy=Policy(), actions=ACTIONS,
        ledgers=cast("Any", None), roster=Roster(()), secret=b"", proposes={"billing": discover_agents()["billing"].proposes},
    )  # fmt: skip


def step(intent: str, **more: Any) -> Step:
    return Step(id="s1", agent="x", intent=intent, **more)


def outlook(*rules: Rule, delay_s: int = 10, **more: Any) -> Outlook:
    return Outlook(ACTIONS, Policy(rules=rules, delay=timedelta(seconds=delay_s)), **more)


@pytest.mark.parametrize(
    ("intent", "inputs", "told"),
    [
        ("invoice", {}, "10 s to stop it, then only a credit note takes it back"),
        ("write_mail", {}, "10 s to stop it, then no way back"),
        ("book_meeting", {}, "10 s to stop it, then taken back on a card"),
        ("publish_post", {}, "10 s to stop it, then taken back on a card"),
        ("remind_me", {}, "can be undone"),
        ("follow_up", {"day": "2026-03-09"}, "can be undone"),
        ("follow_up", {}, "10 s to stop it, then no way back"),
        ("unpaid", {}, ""),
        ("make_plan", {"note": "tell me"}, ""),
        ("nobody_knows", {}, ""),
    ],
)
def test_each_step_says_how_it_is_taken_back(intent: str, inputs: dict[str, str], told: str) -> None:
    assert outlook().below(step(intent, inputs=inputs)) == told


def test_without_a_window_there_is_no_time_to_stop_it() -> None:
    assert outlook(delay_s=0).back(step("write_mail")) == "no way back"
    assert outlook(delay_s=300).back(step("write_mail")) == "5 min to stop it, then no way back"


@pytest.mark.parametrize(
    ("rules", "intent", "gated", "told"),
    [
        ((), "invoice", "", "asks first"),
        ((), "remind_me", "", ""),
        ((), "remind_me", "ask", "asks first"),
        ((Rule("mail.*", "do"),), "write_mail", "", ""),
        ((Rule("mail.*", "do"),), "invoice", "", "asks first"),
        ((Rule("mail.*", "do", client="acme"),), "write_mail", "", "may ask"),
        ((Rule("mail.*", "do", amount_max=Decimal(50), currency="EUR"),), "write_mail", "", "may ask"),
        ((Rule("mail.*", "do", client="acme"),), "write_mail", "ask", "asks first"),
        ((Rule("books.*", "refuse"),), "invoice", "ask", "never, by your rules"),
    ],
)
def test_each_step_says_whether_it_will_ask(rules: tuple[Rule, ...], intent: str, gated: Any, told: str) -> None:
    assert outlook(*rules).asks(step(intent, gate=gated)) == told


def test_what_a_model_costs_at_most_stands_where_one_is_asked_and_nothing_where_none_is() -> None:
    seen = outlook(thinking={"small": "0.004 USD"}.get)
    assert seen.below(step("write_mail")) == "10 s to stop it, then no way back · model up to 0.004 USD"
    assert seen.cost(step("invoice")) == ""
    assert outlook(thinking=lambda _: "").cost(step("write_mail")) == ""


def test_a_step_that_cannot_be_done_yet_says_what_is_not_set_up() -> None:
    seen = Outlook(AT_HOME, Policy(), absent=guards.absent)
    assert seen.below(step("book_meeting")) == "No calendar is set up"
    assert seen.below(step("publish_post")) == "Bluesky is not set up"
    assert seen.below(step("invoice")) == "10 s to stop it, then only a credit note takes it back"


MAIL = ActionCall(name="mail.send", args={"to": ["a@b.example"], "subject": "x", "body": "y"})


def test_what_an_intent_does_not_declare_is_refused_though_its_agent_may(known: House) -> None:
    assert guards.not_allowed("billing", [MAIL], known, "invoice") == ""
    assert guards.not_allowed("billing", [MAIL], known) == "", "what came from outside is held to its agent"
    for intent in ("recurring_invoice", "revenue"):
        refused = guards.not_allowed("billing", [MAIL], known, intent)
        assert (
            refused
            == f"{intent.replace('_', ' ')} does not lead to mail.send, so billing may not propose it; nothing was done."
        )
