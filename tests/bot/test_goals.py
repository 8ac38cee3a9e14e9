"""Goals of several steps, or with an if, become the draft of a plan without a model; anything doubtful becomes none."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.goals import Goals
from bot.testing import understanding

SCENE: dict[str, Any] = {
    "now": datetime(2026, 3, 2, 9, tzinfo=UTC), "zone": ZoneInfo("Europe/Berlin"), "locale": "en_GB", "currency": "EUR",
    "clients": [("acme", "Acme GmbH"), ("initech", "Initech Ltd")],
}  # fmt: skip


def read(text: str) -> dict[str, Any] | None:
    """Return the draft, by id: what is done, with what, and what it hangs on."""
    found = Goals(understanding()).read(text, **SCENE)
    if found is None:
        return None
    assert found.intent == "make_plan"
    draft: dict[str, Any] = json.loads(str(found.slots["steps"]))
    return draft


@pytest.mark.parametrize(
    ("text", "steps", "hangs"),
    [
        ("if Acme has not paid by Friday, remind them and tell me", ["remind_debtor"], ("paid", False, "Friday")),
        ("remind Acme on Friday if they have not paid", ["remind_debtor"], ("paid", False, "on Friday")),
        ("unless Acme pays by Monday, remind them", ["remind_debtor"], ("paid", False, "Monday")),
        ("when Acme pays, send them a thank you", ["write_mail"], ("paid", True, "")),
        ("if Initech doesn't reply by Thursday, follow up", ["follow_up"], ("answered", False, "Thursday")),
        ("once Acme accepts the proposal invoice them 2,000", ["invoice"], ("accepted", True, "")),
        ("tell me when Acme pays", ["make_plan"], ("paid", True, "")),
        ("unless Acme pays by Monday, call them", ["make_plan"], ("paid", False, "Monday")),
        ("as soon as Initech accepts, plan the delivery and book a meeting on Friday at 10",
         ["plan_delivery", "book_meeting"], ("accepted", True, "")),
    ],
)  # fmt: skip
def test_an_if_becomes_steps_that_hang_on_it(text: str, steps: list[str], hangs: tuple[str, bool, str]) -> None:
    draft = read(text)
    assert draft is not None
    assert [step["intent"] for step in draft["steps"]] == steps
    for step in draft["steps"]:
        condition = step["only_if"]
        assert (condition["fact"], condition.get("holds", True), condition.get("by", "")) == hangs
        assert condition["who"] in {"Acme", "Initech"}


def test_what_is_not_understood_of_an_if_is_a_note_and_no_guess() -> None:
    draft = read("unless Acme pays by Monday, call them")
    assert draft is not None
    assert draft["steps"][0]["inputs"] == {"note": "call Acme"}


def test_a_list_of_steps_is_read_with_the_client_it_is_about() -> None:
    draft = read("onboard Globex: proposal, kickoff meeting next Tuesday, first invoice 50 %")
    assert draft is not None
    assert [step["intent"] for step in draft["steps"]] == ["send_proposal", "book_meeting", "invoice"]
    assert {step["inputs"]["client"] for step in draft["steps"]} == {"Globex"}
    assert "amount" not in draft["steps"][2]["inputs"]
    assert "50 % of what, you did not say" in draft["text"]
    assert not any(step.get("needs") for step in draft["steps"]), "what is only listed may be done side by side"


def test_one_after_the_other_is_a_chain_and_a_share_is_one_of_the_only_amount() -> None:
    draft = read(
        "first send Acme a proposal for the relaunch, 4,500 EUR, then book a kickoff next Tuesday at 10, then invoice 50 %"
    )
    assert draft is not None
    assert [step.get("needs", []) for step in draft["steps"]] == [[], ["s1"], ["s2"]]
    assert [step["inputs"].get("amount") for step in draft["steps"]] == ["4500.00 EUR", None, "2250.00 EUR"]


@pytest.mark.parametrize(
    "text",
    [
        "if it rains tomorrow, move the meeting with Acme to Friday",
        "as soon as the invoice is paid start the project",  # whose?
        "what is unpaid?",
        "Acme: nice people, good coffee, bad parking",
        "first do the dishes, then walk the dog",
        "if Acme or Globex pays, fine",
        "then, then, then",
        "",
    ],
)
def test_what_is_no_such_goal_is_left_to_the_question(text: str) -> None:
    assert read(text) is None
