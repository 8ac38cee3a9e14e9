"""A plan is changed in words: what each answer means, what it changes, and what is left to be a request of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from agents.plan import circle
from bot import replanning
from bot.replanning import difference, edited
from bot.testing import PaperHouse
from memory.events import Step

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
LIST = (
    Step(id="s1", agent="proposals", intent="send_proposal", inputs={"client": "Acme", "amount": "4500.00 EUR"}, why="proposal 4,500"),
    Step(id="s2", agent="scheduling", intent="book_meeting", inputs={"client": "Acme", "when": "2026-03-06T10:00:00+01:00"}, why="kickoff on Friday at 10"),
    Step(id="s3", agent="billing", intent="invoice", inputs={"client": "Acme", "amount": "2250.00 EUR"}, why="first invoice 50 %"),
)  # fmt: skip
CHAIN = (LIST[0], *(Step(id=s.id, agent=s.agent, intent=s.intent, inputs=s.inputs, needs=(n,), why=s.why) for s, n in ((LIST[1], "s1"), (LIST[2], "s2"))))  # fmt: skip
POST = (
    Step(id="draft", agent="content", intent="write_post", inputs={"topic": "cakes"}),
    Step(id="publish", agent="content", intent="publish_post", inputs={"post": {"from": "draft", "field": "post"}}, needs=("draft",)),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("step 1 amount 4,000", ["1. amount: 4500.00 EUR → 4000.00 EUR"]),
        ("step 1 4.200,50 €", ["1. amount: 4500.00 EUR → 4200.50 EUR"]),
        ("change the amount of the invoice to 900", ["3. amount: 2250.00 EUR → 900.00 EUR"]),
        ("make the invoice 2,500", ["3. amount: 2250.00 EUR → 2500.00 EUR"]),
        ("the invoice net 30", ["3. terms: nothing → net 30"]),
        ("step 2 at 11:00", ["2. when: Fri 6 Mar 10:00 → Fri 6 Mar 11:00"]),
        ("can you move the kickoff to Thursday", ["2. when: Fri 6 Mar 10:00 → Thu 5 Mar 10:00"]),
        ("kickoff on Thursday at 4pm", ["2. when: Fri 6 Mar 10:00 → Thu 5 Mar 16:00"]),
        ("start step 1 on Friday", ["1. begins Fri 06 Mar 09:00"]),
        ("step 1 on Friday", ["1. begins Fri 06 Mar 09:00"]),
        ("drop the kickoff", ["Out: 2. book meeting"]),
        ("no kickoff", ["Out: 2. book meeting"]),
        ("without the proposal", ["Out: 1. send proposal"]),
        ("please drop 2 and 3", ["Out: 2. book meeting", "Out: 3. invoice"]),
        ("the last step first", ["Order: invoice, send proposal, book meeting"]),
        ("do the invoice first", ["Order: invoice, send proposal, book meeting"]),
        ("step 1 last", ["Order: book meeting, invoice, send proposal"]),
        ("move step 3 before step 2", ["Order: send proposal, invoice, book meeting"]),
        ("swap the proposal and the invoice", ["Order: invoice, book meeting, send proposal"]),
        ("step 3 after step 1", ["Order: send proposal, invoice, book meeting"]),
        ("ask before the invoice", ["3. asks before"]),
        ("drop the kickoff and make step 1 900", ["Out: 2. book meeting", "1. amount: 4500.00 EUR → 900.00 EUR"]),
        ("drop step 1\nstep 2 at 9am", ["Out: 1. send proposal", "1. when: Fri 6 Mar 10:00 → Fri 6 Mar 09:00"]),
    ],
)
def test_a_change_in_words_is_read_and_told(text: str, changed: list[str]) -> None:
    edit = edited(text, LIST, NOW, BERLIN)
    assert edit.what == "change", edit.problem
    assert list(difference(LIST, edit.steps, BERLIN)) == changed


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("drop step 9", "There is no step 9; the plan has 3."),
        ("step 1 amount red", "Step 1, amount: 'red' is not money"),
        ("change the colour of step 1 to red", "Step 1 has no 'colour'; it takes"),
        ("change the amount to 900", "Of which step, 1 or 3?"),
        ("start step 1 yesterday", "That time has passed."),
        ("step 2 after step 2", "A step cannot wait for itself."),
    ],
)
def test_what_cannot_be_done_to_a_plan_says_why(text: str, problem: str) -> None:
    edit = edited(text, LIST, NOW, BERLIN)
    assert edit.what == "wrong"
    assert problem in edit.problem


@pytest.mark.parametrize(
    "text",
    [
        "what is stuck?", "invoice Acme 500", "follow up with Acme on Friday", "book a meeting with Acme on Monday at 9",
        "is Acme paid?", "remind me tomorrow", "/help", "also", "the weather on Friday", "who is Acme?",
    ],
)  # fmt: skip
def test_a_request_of_its_own_is_left_alone(text: str) -> None:
    assert edited(text, LIST, NOW, BERLIN).what == "unclear"


@pytest.mark.parametrize(
    "text", ["step 2 first", "swap 1 and 2", "move step 2 before step 1", "steps 1 and 2 together"]
)
def test_a_step_never_comes_before_the_one_whose_findings_it_uses(text: str) -> None:
    edit = edited(text, POST, NOW, BERLIN)
    assert edit.what == "wrong", difference(POST, edit.steps, BERLIN)
    assert "needs what" in edit.problem


def waits(steps: tuple[Step, ...]) -> dict[str, tuple[str, ...]]:
    assert circle(steps) == []
    return {step.id: step.needs for step in steps}


def test_what_waited_for_a_step_that_moves_waits_for_what_that_one_waited_for() -> None:
    assert waits(edited("move step 3 before step 2", CHAIN, NOW, BERLIN).steps) == {
        "s1": (),
        "s3": ("s1",),
        "s2": ("s3",),
    }
    assert waits(edited("step 1 last", CHAIN, NOW, BERLIN).steps) == {"s2": (), "s3": ("s2",), "s1": ("s3",)}
    assert waits(edited("step 3 first", CHAIN, NOW, BERLIN).steps) == {"s3": (), "s1": ("s3",), "s2": ("s1",)}
    assert waits(edited("swap 1 and 3", CHAIN, NOW, BERLIN).steps) == {"s3": (), "s2": ("s3",), "s1": ("s2",)}
    assert waits(edited("drop step 2", CHAIN, NOW, BERLIN).steps) == {"s1": (), "s3": ("s1",)}
    assert waits(edited("step 2 and 3 at the same time", CHAIN, NOW, BERLIN).steps) == {
        "s1": (),
        "s2": ("s1",),
        "s3": ("s1",),
    }
    assert waits(edited("step 3 right away", CHAIN, NOW, BERLIN).steps) == {"s1": (), "s2": ("s1",), "s3": ()}


def test_a_step_is_added_beside_the_others_or_where_it_is_said_to_go() -> None:
    fresh = Step(id="added", agent="reminders", intent="remind_me")

    def added(text: str) -> dict[str, tuple[str, ...]]:
        edit = edited(text, CHAIN, NOW, BERLIN)
        assert edit.added is not None, edit
        assert "call" in edit.added.words
        return waits(replanning.with_step(CHAIN, fresh, edit.added))

    assert added("add: remind me to call them") == {**waits(CHAIN), "added": ()}
    assert added("then remind me to call them") == {**waits(CHAIN), "added": ("s3",)}
    assert added("add a step at the end: remind me to call them")["added"] == ("s3",)
    assert added("after step 1, remind me to call them") == {
        "s1": (),
        "added": ("s1",),
        "s2": ("added",),
        "s3": ("s2",),
    }
    assert added("before step 1 remind me to call them") == {
        "added": (),
        "s1": ("added",),
        "s2": ("s1",),
        "s3": ("s2",),
    }
    assert edited("add: call", (CHAIN[0],) * 12, NOW, BERLIN).what == "wrong"


# ── in the house ──────────────────────────────────────────────────────────────────────────────────────────────────

GOAL = "onboard Acme: proposal 4,500 EUR, kickoff on Friday at 10, first invoice 50 %"


async def test_each_edit_shows_what_is_different_and_the_plan_again(house: PaperHouse) -> None:
    await house.operator(GOAL)
    await house.operator("step 1 amount 4,000 EUR")
    house.expects(
        "Changed:\n- 1. amount: 4500.00 EUR → 4000.00 EUR\n\n1. send proposal: client Acme, amount 4000.00 EUR"
    )
    await house.operator("add: remind me on Thursday to call them")
    house.expects("- New: 4. remind me\n")
    assert "4. remind me: what call Acme, day 2026-03-05" in house.channel.words[-1]
    await house.operator("step 1 amount 4,000 EUR")
    house.expects("- nothing: it was so already")
    await house.operator("add: fly to the moon")
    house.expects("I do not know how to do “fly to the moon”.")
    await house.operator("drop the kickoff, step 1 last")
    await house.operator("go")
    assert "Issue invoice 2026-0001" in house.card().title
    assert any("remind" in words for words in house.channel.words[-2:]) or len(house.channel.cards) > 1


async def test_what_is_asked_by_two_steps_is_asked_once_and_answered_for_both(house: PaperHouse) -> None:
    await house.operator("onboard Globex: proposal 4,500 EUR, first invoice 50 %")
    await house.operator("go")
    asked = [words for words in house.channel.words if "I know no client called 'Globex'" in words]
    assert len(asked) == 1
    await house.operator("anna@globex.example")
    house.expects("What is the proposal to Globex about?")
    await house.operator("the website")
    assert len(house.channel.cards) == 2, house.transcript()


async def test_first_and_then_is_one_plan_in_that_order_and_not_two_requests_at_once(house: PaperHouse) -> None:
    await house.operator("first invoice Acme 500, then follow up with Acme in a week")
    house.expects("2. follow up: client Acme, day 2026-03-09 (asks first), after 1\n    can be undone")
    assert not house.channel.cards
    await house.operator("go")
    assert [card.title for card in house.channel.cards.values()] == ["Issue invoice 2026-0001 and send an e-mail"]
