"""A plan that a model made: shown, edited in words, gone through card by card, and kept for the next time."""

from __future__ import annotations

from pathlib import Path

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
