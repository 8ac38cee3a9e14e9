"""Agreement is a fold over decisions; autonomy is earned by it, off unless policy says so, and lost at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.agreement import Agreement, agreed
from bot.approvals import Person
from bot.chronicle import replayed
from bot.policy import Policy, PolicyError, Rule, parse
from bot.testing import PaperHouse
from memory.events import Actor, Origin
from memory.replay import compare

POST = "ask post to=billing@acme.example client=acme body=Hello"


def earning(count: int) -> Policy:
    return parse({"rules": [{"action": "paper.*", "then": "do", "earned": count}]})


def sent(house: PaperHouse) -> int:
    return len(house.provider.accepted)


@pytest.mark.parametrize(
    ("decisions", "expected"),
    [
        ([], Agreement(0, 0, 0)),
        (["unchanged"] * 3, Agreement(3, 3, 3)),
        (["unchanged", "edited", "unchanged"], Agreement(3, 2, 1)),
        (["unchanged", "unchanged", "rejected"], Agreement(3, 2, 0)),
        (["unchanged", "undone"], Agreement(2, 1, 0)),
    ],
)
def test_a_change_a_no_or_an_undo_ends_the_streak(decisions: list[str], expected: Agreement) -> None:
    assert agreed(decisions) == expected


def test_the_evidence_is_a_sentence_or_nothing() -> None:
    assert agreed([]).words == ""
    assert agreed(["edited", *["unchanged"] * 11]).words == "You approved 11 of 12 like this unchanged."
    assert "refused the last one" in agreed(["unchanged", "rejected"]).words


async def test_a_card_says_how_often_its_like_was_approved_and_so_does_why(house: PaperHouse) -> None:
    for number in range(3):
        await house.operator(POST)
        if number == 1:
            await house.press("Edit", edits={"0.body": "Hello again"})
        await house.press("Approve")
    await house.operator(POST)
    line = "You approved 2 of 3 like this unchanged."
    assert line in house.card().reasons
    assert line in house.machine.history.why(int(house.card().id.partition(".")[0]))
    await house.operator(POST.replace("acme", "globex"))
    assert not [reason for reason in house.card().reasons if "like this" in reason], "each client by itself"


async def test_without_a_rule_nothing_is_ever_earned(house: PaperHouse) -> None:
    for _ in range(5):
        await house.operator(POST)
        assert house.card().state == "pending"
        await house.press("Approve")
    assert sent(house) == 5


async def test_autonomy_is_earned_by_unchanged_approvals_and_lost_by_one_no(tmp_path: Path) -> None:
    async with PaperHouse(tmp_path / "home", policy=earning(3)) as house:
        for _ in range(3):
            await house.operator(POST)
            await house.press("Approve")
        await house.operator(POST)
        assert sent(house) == 4
        assert len(house.channel.cards) == 3, "done without asking"
        await house.operator(POST.replace("client=acme", "client=globex"))
        assert house.card().state == "pending", "earned for one client, not for the next"
        await house.operator(POST.replace("post", "pay").replace("body=Hello", "amount=5.00 EUR"))
        assert house.card().state == "pending", "earned for one action, not for the next"
        await house.press("Reject")
        assert sent(house) == 4


@pytest.mark.parametrize("verb", ["reject", "edit"])
async def test_one_edit_or_rejection_takes_it_away(tmp_path: Path, verb: str) -> None:
    async with PaperHouse(tmp_path / "home", policy=earning(2)) as house:
        await house.operator(POST)
        await house.press("Approve")
        await house.operator(POST)
        if verb == "reject":
            await house.press("Reject")
        else:
            await house.press("Edit", edits={"0.body": "Hello again"})
            await house.press("Approve")
        await house.operator(POST)
        assert house.card().state == "pending"
        await house.press("Approve")
        await house.operator(POST)
        assert house.card().state == "pending", "the count begins anew"
        await house.press("Approve")
        before = sent(house)
        await house.operator(POST)
        assert sent(house) == before + 1


async def test_what_goes_by_itself_waits_out_the_window_and_an_undo_takes_autonomy_away(tmp_path: Path) -> None:
    send = POST.replace("post", "send")
    async with PaperHouse(tmp_path / "home", policy=earning(1)) as house:
        await house.operator(send)
        await house.press("Approve")
        await house.later(seconds=11)
        assert sent(house) == 1
        await house.operator(send)
        assert sent(house) == 1, "the undo window is open"
        house.expects("unless you take it back")
        assert "Taken back" in await house.press("Undo")
        await house.later(minutes=1)
        assert sent(house) == 1
        await house.operator(send)
        assert house.card().state == "pending", "taken back once, asked again"


async def test_a_new_recipient_always_asks(tmp_path: Path) -> None:
    async with PaperHouse(tmp_path / "home", policy=earning(1)) as house:
        await house.operator(POST)
        await house.press("Approve")
        await house.operator(POST.replace("billing@acme.example", "new@nobody.example"))
        assert house.card().state == "pending"
        assert sent(house) == 1


async def test_a_shadow_card_decides_nothing_and_earns_nothing(tmp_path: Path) -> None:
    policy = Policy(rules=(Rule("paper.*", "do", earned=1), Rule("paper.*", "shadow")))
    async with PaperHouse(tmp_path / "home", policy=policy) as house:
        for _ in range(3):
            await house.operator(POST)
            card = house.card()
            assert card.kind == "shadow"
            await house.operator(f"approve {card.id}")
        assert sent(house) == 0


async def test_a_rehearsal_that_the_operator_agrees_with_earns(tmp_path: Path) -> None:
    policy = Policy(rules=(Rule("paper.*", "do", earned=2), Rule("paper.*", "shadow")))
    async with PaperHouse(tmp_path / "home", policy=policy) as house:
        task = int(await house.operator(POST))
        assert house.runner.state_now(task).status == "done", "a rehearsal waits for nobody"
        assert await house.press("I would approve this") == "Noted. Nothing was done."
        assert house.card().outcome == "Rehearsal: you would have approved this. Nothing was done."
        await house.operator(POST)
        assert "You approved 1 of 1 like this unchanged." in house.card().reasons
        await house.press("I would not")
        for _ in range(2):
            await house.operator(POST)
            await house.operator(f"agree {house.card().id}")
        assert sent(house) == 0
        assert [str(each) for each in compare(house.machine.database, house.machine.log, replayed)] == []
        await house.operator(POST)
        assert sent(house) == 1


async def test_only_the_operators_opinion_of_a_rehearsal_counts(tmp_path: Path) -> None:
    policy = Policy(rules=(Rule("paper.*", "do", earned=1), Rule("paper.*", "shadow")))
    anna = Person("web", "anna", "local", role=Origin.DELEGATE, actions=("*",))
    async with PaperHouse(tmp_path / "home", policy=policy, people=(anna,)) as house:
        await house.operator(POST)
        actor = Actor(platform="web", user="anna", account="local")
        assert await house.press("I would approve this", actor=actor) == "Only the operator's opinion counts here."
        await house.operator(POST)
        assert (house.card().state, sent(house)) == ("shadow", 0)


async def test_decisions_are_rebuilt_from_history(tmp_path: Path) -> None:
    async with PaperHouse(tmp_path / "home", policy=earning(2)) as house:
        for _ in range(3):
            await house.operator(POST)
            if house.card().state == "pending":
                await house.press("Approve")
        await house.operator("undo")
        assert [str(each) for each in compare(house.machine.database, house.machine.log, replayed)] == []
        await house.restart()
        await house.operator(POST)
        assert sent(house) == 4, "still earned after a restart"


@pytest.mark.parametrize("rule", [{"earned": 0}, {"earned": "20"}, {"earned": True}, {"earned": 5, "then": "ask"}])
def test_a_rule_that_makes_no_sense_is_refused(rule: dict[str, object]) -> None:
    with pytest.raises(PolicyError, match="earned"):
        parse({"rules": [{"action": "paper.*", "then": "do", **rule}]})
