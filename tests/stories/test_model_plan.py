"""A plan that a model made: shown, edited in words, gone through card by card, and kept for the next time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.testing import PaperHouse
from tests.counterparts.models import ModelServer
from tests.stories.company import approve, ends_well, node, records

pytestmark = node

PLAN = {
    "kind": "plan",
    "steps": [
        {
            "id": "site",
            "intent": "plan_delivery",
            "inputs": {"client": "acme", "what": "booth"},
            "needs": [],
            "why": "",
        },
        {"id": "post", "intent": "write_post", "inputs": {"topic": "our booth"}, "needs": ["site"], "why": ""},
        {"id": "look", "intent": "report", "inputs": {}, "needs": ["site"], "why": ""},
    ],
    "text": "",
}


async def test_a_models_plan_is_gone_through_and_kept(tmp_path: Path) -> None:
    with ModelServer.started() as server:
        server.says("", PLAN)
        environment = {"REDIS_URL": "none"} | server.settings()
        async with PaperHouse(tmp_path / "home", environment=environment) as house:
            await house.operator("make a plan for the trade fair with acme")
            house.expects("4. keep this plan as a playbook (asks first)")
            assert "trade fair" in server.calls()[0].text
            await house.operator("drop step 2")
            await house.operator("go")
            await approve(house)
            assert [project["name"] for project in records(house, "project")] == ["Booth for Acme GmbH"]
            assert "Playbook" in str([row.value for row in house.card().rows]) + house.card().title, house.transcript()
            await approve(house)
            (kept,) = records(house, "playbook")
            assert [step["id"] for step in kept["steps"]] == ["site", "look"], "what was dropped is not kept"
            assert kept["steps"][0]["inputs"]["client"] == "$client"
            before = len(server.calls())
            await house.operator("make a plan for the trade fair with acme")
            assert len(server.calls()) == before, "the second time no model is asked"
            ends_well(house)
            assert house.machine.gateway is not None
            await house.machine.gateway.close()


HANGING = {
    "kind": "plan",
    "steps": [
        {"id": "s1", "intent": "plan_delivery", "inputs": {"client": "acme", "what": "booth"}, "needs": []},
        {
            "id": "s2",
            "intent": "remind_debtor",
            "inputs": {"client": "acme"},
            "only_if": {"fact": "paid", "who": "Acme", "holds": False, "by": "20 March"},
        },
    ],
}
GOAL = "/make_plan get the booth for Acme going, and chase them for the money unless it is there by 20 March"


async def test_a_models_plan_may_hang_on_an_if_that_our_books_can_tell(tmp_path: Path) -> None:
    with ModelServer.started() as server:
        server.says("", HANGING)
        environment = {"REDIS_URL": "none"} | server.settings()
        async with PaperHouse(tmp_path / "home", environment=environment) as house:
            await house.operator("invoice Acme 100 for the logo")
            await approve(house)
            await house.operator(GOAL)
            house.expects("2. remind debtor: client acme (asks first), if 2026-0001 is not paid on Fri 20 Mar 17:00")
            await house.operator("go")
            await approve(house)
            assert len(records(house, "project")) == 1, "a step named like the one it was thought of in is done as well"
            await house.later(days=19)
            house.expects("2026-0001 is not paid: I go on with what you planned for that.")
            assert "Reminder: invoice 2026-0001" in str([row.value for row in house.card().rows])
            ends_well(house)
            assert house.machine.gateway is not None
            await house.machine.gateway.close()


@pytest.mark.parametrize(
    ("lie", "told"),
    [
        ({"who": "Initech"}, "'Initech', which you did not say"),
        ({"by": "tomorrow"}, "'tomorrow', which you did not say"),
        ({"fact": "bankrupt"}, "cannot plan freely"),
    ],
)
async def test_an_if_that_a_model_made_up_is_not_used(tmp_path: Path, lie: dict[str, str], told: str) -> None:
    plan = json.loads(json.dumps(HANGING))
    plan["steps"][1]["only_if"] |= lie
    with ModelServer.started() as server:
        server.says("", plan)
        environment = {"REDIS_URL": "none"} | server.settings()
        async with PaperHouse(tmp_path / "home", environment=environment) as house:
            await house.operator(GOAL)
            assert told in house.transcript()
            assert not house.channel.cards
            ends_well(house)
            assert house.machine.gateway is not None
            await house.machine.gateway.close()


async def test_an_if_that_no_grammar_reads_is_planned_by_two_tiers(tmp_path: Path) -> None:
    """The small one says that it is a plan, the large one writes it, in the same typed steps."""
    alone = {"kind": "plan", "steps": [HANGING["steps"][1]]}  # type: ignore[index]
    with ModelServer.started() as server:
        server.says("Which one of these", {"intent": "make_plan", "quotes": {}})
        server.says("Intents:", alone)
        environment = {"REDIS_URL": "none"} | server.settings()
        async with PaperHouse(tmp_path / "home", environment=environment) as house:
            await house.operator("invoice Acme 100 for the logo")
            await approve(house)
            server.reset()
            server.says("Which one of these", {"intent": "make_plan", "quotes": {}})
            server.says("Intents:", alone)
            await house.operator("hunt Acme down for the money unless it is there by 20 March")
            house.expects("1. remind debtor: client acme (asks first), if 2026-0001 is not paid on Fri 20 Mar 17:00")
            assert [call.body["model"] for call in server.calls()] == ["gpt-4.1-mini", "gpt-4.1"]
            ends_well(house)
            assert house.machine.gateway is not None
            await house.machine.gateway.close()
