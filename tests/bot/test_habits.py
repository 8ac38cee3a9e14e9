"""What the operator changes the same way twice is offered with its evidence, kept by a button, told, and ended by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import habits
from bot.approvals import Person
from bot.testing import PaperHouse
from memory.events import Actor, Origin
from memory.projections import Books

ALWAYS = "Always terms net 30 in invoice for Acme GmbH"


def rows(house: PaperHouse) -> dict[str, str]:
    return {row.label: row.value for row in house.card().rows}


async def edited_invoice(house: PaperHouse, terms: str = "net 30", *, actor: Actor | None = None) -> str:
    """An invoice to Acme whose terms are changed by hand before it is approved."""
    await house.operator("invoice Acme 100 for hosting, net 14")
    card = house.card().id
    if terms:
        await house.press("Edit", card, edits={"terms": terms})
    await (house.press("Approve", card, actor=actor) if actor else house.press("Approve", card))
    await house.later(seconds=20)
    return card


def offered(house: PaperHouse) -> list[str]:
    return [
        button.label for message in house.channel.said for button in message.buttons if button.label[:6] == "Always"
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [("/habits", "list"), ("my habits", "list"), ("keep habit invoice:acme:terms = net 30", "keep"),
     ("end habit invoice:acme:terms", "end"), ("keep habits", None), ("I have a bad habit", None)],
)  # fmt: skip
def test_the_words_are_exact(text: str, what: str | None) -> None:
    word = habits.said(text)
    assert (word.what if word else None) == what


def test_what_was_had_otherwise_in_between_counts_from_one_again() -> None:
    counts = habits.counted({}, {"terms": "net 30", "0.body": "Hi"}, "1.1")
    assert counts == {"terms": {"value": "net 30", "cards": ["1.1"]}}
    counts = habits.counted(counts, {"terms": "Net 30 "}, "2.1")
    assert list(habits.ripe(counts)) == ["terms"]
    assert habits.counted(counts, {}, "3.1") == {}
    assert not habits.ripe(habits.counted(counts, {"terms": "net 7"}, "3.1"))


async def test_twice_the_same_edit_is_offered_and_nothing_follows_before_the_press(house: PaperHouse) -> None:
    first = await edited_invoice(house)
    assert offered(house) == []
    second = await edited_invoice(house)
    house.expects(
        f"The last 2 times you had it like this: terms net 30 in invoice for Acme GmbH ({first}, {second}). Shall I"
    )
    await house.operator("invoice Acme 50 for hosting")
    before = rows(house)["Due"]
    await house.press(ALWAYS)
    house.expects("From now on: terms net 30 in invoice for Acme GmbH.")
    await house.restart()
    await house.operator("invoice Acme 60 for hosting")
    assert rows(house)["Due"] != before
    assert rows(house)["Due"] == "Wed 1 April 2026"  # 30 days from 2 March
    why = next(reason for reason in house.card().reasons if "as you always have it" in reason)
    assert why == "terms net 30, as you always have it for Acme GmbH; end habit invoice:acme:terms"


async def test_the_request_and_the_hand_win_over_a_habit(house: PaperHouse) -> None:
    await edited_invoice(house)
    await edited_invoice(house)
    await house.press(ALWAYS)
    await house.operator("invoice Acme 70 for hosting, net 7")
    assert rows(house)["Due"] == "Mon 9 March 2026"
    await house.operator("invoice Acme 80 for hosting")
    await house.press("Edit", house.card().id, edits={"terms": "net 7"})
    assert rows(house)["Due"] == "Mon 9 March 2026"
    assert not any("as you always have it" in reason for reason in house.card().reasons)
    await house.operator("invoice Globex 80 for hosting")
    assert not any("as you always have it" in reason for reason in house.card().reasons), "another client"


async def test_a_habit_is_listed_and_ended_and_then_asked_for_afresh(house: PaperHouse) -> None:
    await house.operator("/habits")
    house.expects("No habits yet.")
    first = await edited_invoice(house)
    second = await edited_invoice(house)
    await house.press(ALWAYS)
    await house.operator("/habits")
    house.expects(f"Because you always had it so:\n- terms net 30 in invoice for Acme GmbH (from {first}, {second})")
    await house.press("End: terms net 30 in invoice for Acme GmbH")
    house.expects("Ended. I draft it as before.")
    await house.operator("invoice Acme 60 for hosting")
    assert not any("as you always have it" in reason for reason in house.card().reasons)
    await house.press("Reject")
    await edited_invoice(house)
    assert len(offered(house)) == 1
    await edited_invoice(house)
    assert len(offered(house)) == 2


async def test_a_habit_that_was_broken_since_is_not_kept(house: PaperHouse) -> None:
    await edited_invoice(house)
    await edited_invoice(house)
    await edited_invoice(house, "")  # approved as drafted
    await house.press(ALWAYS)
    house.expects("You have had it otherwise since")
    await house.operator("/habits")
    house.expects("No habits yet.")


async def test_only_the_operators_edits_teach_and_only_the_operator_keeps(tmp_path: Path) -> None:
    anna = Person("web", "anna", "local", role=Origin.DELEGATE, actions=("*",), amount_max="500.00 EUR")
    actor = Actor(platform="web", user="anna", account="local")
    async with PaperHouse(tmp_path / "home", people=(anna,)) as house:
        await edited_invoice(house, actor=actor)
        await edited_invoice(house, actor=actor)
        assert offered(house) == []
        await edited_invoice(house)
        await edited_invoice(house)
        await house.operator("keep habit invoice:acme:terms = net 30", actor=actor)
        house.expects("Only the operator says what I learn.")
        await house.operator("/habits")
        house.expects("No habits yet.")


async def test_a_refused_edit_is_in_no_later_draft(tmp_path: Path) -> None:
    """A delegate who may not decide about a card cannot leave words in it either."""
    bob = Person("web", "bob", "local", role=Origin.DELEGATE, actions=("mail.*",))
    async with PaperHouse(tmp_path / "home", people=(bob,)) as house:
        await house.operator("invoice Acme 100 for hosting, net 14")
        card = house.card().id
        reply = await house.press(
            "Edit", card, edits={"amount": "9000.00 EUR"}, actor=Actor(platform="web", user="bob", account="local")
        )
        assert "may not decide" in reply
        await house.press("Edit", card, edits={"terms": "net 30"})
        assert rows(house)["Net"] == "100.00 EUR"
        assert house.runner.state_now(int(card.partition(".")[0])).edits[card] == {"terms": "net 30"}


# ── playbooks ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def without_publishing(house: PaperHouse) -> None:
    await house.operator("run the playbook post about our new service")
    await house.operator("drop step 2")
    await house.operator("go")


async def test_a_step_left_out_twice_is_offered_to_be_left_out(house: PaperHouse) -> None:
    await without_publishing(house)
    await without_publishing(house)
    house.expects("The last 2 times you had it like this: playbook post without publish")
    await house.operator("run the playbook post about our third service")
    house.expects("publish post")
    await house.operator("drop the plan")
    await house.press("Always playbook post without publish")
    await house.operator("run the playbook post about our other service")
    house.expects("Without publish, as you had it before.")
    await house.operator("drop the plan")
    await house.operator("/habits")
    await house.press("End: playbook post without publish")
    with house.machine.database.read() as connection:
        assert Books(connection).standing("preference", "playbook-post") is None


async def test_a_step_that_is_always_to_ask_is_offered_to_ask(house: PaperHouse) -> None:
    for topic in ("our new service", "our other service"):
        await house.operator(f"run the playbook post about {topic}")
        await house.operator("please ask before step 1")
        house.expects("Changed:\n- 1. asks before")
        await house.operator("go")
        await house.press("Approve")
    await house.press("Always playbook post with draft asking first")
    await house.operator("run the playbook post about our third service")
    house.expects("As you always have it: draft asks first.")
    await house.operator("drop the plan")
    await house.operator("/habits")
    await house.press("End: playbook post with draft asking first")
    await house.operator("run the playbook post about our last service")
    assert "As you always" not in house.channel.words[-2]


async def test_an_amount_that_is_always_changed_in_the_plan_counts_as_an_edit_of_its_card(house: PaperHouse) -> None:
    for _ in range(2):
        await house.operator("first invoice Acme 50, then remind me on Friday to call Acme")
        await house.operator("step 1: terms net 30")
        await house.operator("go")
        await house.press("Approve")
        await house.later(seconds=20)
        await house.press("Reject")
    assert offered(house) == ["Always terms net 30 in invoice for Acme GmbH"]
