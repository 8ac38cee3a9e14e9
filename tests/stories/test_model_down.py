"""A model that is down, refused, nowhere or used up: the letter is the template's, and the card says why."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.testing import PaperHouse
from tests.counterparts.models import ModelServer
from tests.stories.company import _no_pause, ends_well, model_calls, node

NOWHERE = "http://127.0.0.1:9/v1"

DOWN: dict[str, tuple[Callable[[ModelServer], None], dict[str, str], str]] = {
    "a wrong key": (lambda server: server.fails("", 401), {}, "refused the key"),
    "no route": (lambda server: None, {"OPENAI_BASE_URL": NOWHERE}, "the connection failed"),
    "500": (lambda server: server.fails("", 500), {}, "No model could answer"),
}


def home(tmp_path: Path, server: ModelServer, **more: str) -> PaperHouse:
    return PaperHouse(tmp_path / "home", environment={"REDIS_URL": "none"} | server.settings(**more))


@pytest.mark.parametrize("fault", [pytest.param(name, marks=node) for name in DOWN])
async def test_the_card_has_the_template_and_says_why(tmp_path: Path, fault: str) -> None:
    prepare, settings, told = DOWN[fault]
    with ModelServer.started() as server:
        prepare(server)
        async with home(tmp_path, server, **settings) as house:
            gateway = house.machine.gateway
            assert gateway is not None
            gateway._sleep = _no_pause
            await house.operator("write Acme that the draft is ready")
            card = house.card()
            assert "The draft is ready." in card.body
            (why,) = [reason for reason in card.reasons if reason.startswith("Worded from my template.")]
            assert told in why
            assert "key-of-openai" not in house.transcript()
            ends_well(house)
            await gateway.close()


@pytest.mark.parametrize("_", [pytest.param("", marks=node)])
async def test_a_refused_key_is_told_once_with_the_setting_to_mend_and_stays_in_budget_and_digest(
    tmp_path: Path, _: str
) -> None:
    with ModelServer.started() as server:
        server.fails("", 401)
        async with home(tmp_path, server) as house:
            await house.operator("write Acme that the draft is ready")
            await house.operator("write Acme that the files are online")
            async with asyncio.timeout(120):
                while not [text for text in house.channel.words if "OPENAI_API_KEY" in text]:  # noqa: ASYNC110
                    await asyncio.sleep(0)
            (told,) = [text for text in house.channel.words if "OPENAI_API_KEY" in text]
            assert "refused the key in OPENAI_API_KEY" in told
            assert "start me again" in told
            assert len(server.calls()) == 1
            for question in ("/budget", "/digest"):
                await house.operator(question)
                assert told in house.channel.words[-1]
            assert "Models today: 0.00 of 2.00 USD" in house.channel.words[-2]
            assert house.machine.gateway is not None
            await house.machine.gateway.close()


async def test_that_there_is_no_model_is_no_news(tmp_path: Path) -> None:
    async with PaperHouse(tmp_path / "home", environment={"REDIS_URL": "none"}) as house:
        await house.operator("write Acme that the draft is ready")
        assert not [reason for reason in house.card().reasons if "template" in reason]


@pytest.mark.parametrize("_", [pytest.param("", marks=node)])
async def test_a_budget_that_runs_low_is_told_and_one_that_is_used_up_ends_in_the_template(
    tmp_path: Path, _: str
) -> None:
    home_ = tmp_path / "home"
    home_.mkdir()
    (home_ / "policy.toml").write_text('[models]\nday = "0.01 USD"\n')
    with ModelServer.started() as server:
        server.says("", "Hello Anna,\n\nThe draft is ready.\n\nBest regards\nNora Lind\nLind Studio",
                    usage={"prompt_tokens": 22000, "completion_tokens": 500, "total_tokens": 22500})  # fmt: skip
        async with home(tmp_path, server) as house:
            await house.operator("write Acme that the draft is ready")
            async with asyncio.timeout(120):
                while "of the model budget for today is used" not in house.transcript():  # noqa: ASYNC110
                    await asyncio.sleep(0)
            await house.operator("write Acme that the files are online")
            (why,) = [reason for reason in house.card().reasons if reason.startswith("Worded from my template.")]
            assert "The model budget for today does not allow another call" in why
            assert len(model_calls(house)) == 1
            for command, says in (
                ("/budget", "Models today: 0.01 of 0.01 USD, 22,500 tokens"),
                ("/digest", "Models: 0.01 USD"),
                ("/help", "/approvals"),  # the operator's own commands do not ask the budget
            ):
                await house.operator(command)
                assert says in house.channel.words[-1]
            assert house.machine.gateway is not None
            await house.machine.gateway.close()


@pytest.mark.parametrize("_", [pytest.param("", marks=node)])
async def test_a_plan_tells_what_its_steps_may_cost_and_ends_well_when_the_budget_does_not_last(
    tmp_path: Path, _: str
) -> None:
    home_ = tmp_path / "home"
    home_.mkdir()
    (home_ / "policy.toml").write_text('[models]\nday = "0.01 USD"\n')
    plan = "first send Acme a proposal for the website, 4,500 EUR, then write Acme that the files are online"
    with ModelServer.started() as server:
        server.says("", "Hello Anna,\n\nThe files are online.\n\nBest regards\nNora Lind\nLind Studio",
                    usage={"prompt_tokens": 22000, "completion_tokens": 500, "total_tokens": 22500})  # fmt: skip
        async with home(tmp_path, server) as house:
            await house.operator(plan)
            assert house.channel.words[-1].count("no way back · model up to 7,000 tokens") == 2, house.transcript()
            await house.operator("go")
            await house.press("Approve")
            await house.later(seconds=20)
            (why,) = [reason for reason in house.card().reasons if reason.startswith("Worded from my template.")]
            assert "The model budget for today does not allow another call" in why
            assert len(model_calls(house)) == 1
            await house.operator("/approvals")
            assert house.card().id in house.channel.words[-1], "the operator's own commands ask no budget"
            await house.press("Approve")
            await house.later(seconds=20)
            assert len(house.outbox()) == 2
            ends_well(house)
            assert house.machine.gateway is not None
            assert house.machine.gateway.at_most("small").endswith(" USD"), "the price list is loaded by now"
            assert house.machine.gateway.at_most("local") == ""
            await house.machine.gateway.close()


@pytest.mark.parametrize("_", [pytest.param("", marks=node)])
async def test_a_week_in_which_nobody_asks_is_a_week_without_a_call(tmp_path: Path, _: str) -> None:
    with ModelServer.started() as server:
        async with home(tmp_path, server) as house:
            await house.operator("invoice Acme 1,200 for the March retainer")
            await house.operator("remind me every Friday to back up the laptop")
            for _day in range(7):
                await house.later(days=1)
            assert any("Done" in text for text in house.channel.words), "the digests came all the same"
            assert server.calls() == []
            assert model_calls(house) == []


def test_the_house_is_imported_without_litellm() -> None:
    code = "import sys, bot.wiring, bot.testing; print('litellm' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


BETTER = "Hello Anna,\n\nThe draft is ready for you.\n\nBest regards\nNora Lind\nLind Studio"


@pytest.mark.parametrize(
    ("model", "path"),
    [
        pytest.param("openai/gpt-4.1-mini", "/v1/chat/completions", marks=node),
        pytest.param("anthropic/claude-haiku-4-5", "/v1/messages", marks=node),
        pytest.param("ollama/llama3.2", "/api/chat", marks=node),
        pytest.param("compatible/tiny", "/v1/chat/completions", marks=node),
    ],
)
async def test_a_letter_is_worded_by_whichever_provider_the_settings_name(
    tmp_path: Path, model: str, path: str
) -> None:
    with ModelServer.started() as server:
        server.says("", BETTER)
        async with home(tmp_path, server, MODEL_SMALL=model, MODEL_LARGE="") as house:
            await house.operator("write Acme that the draft is ready")
            assert house.card().body == BETTER
            assert any(reason.startswith(f"Wording by {model};") for reason in house.card().reasons)
            assert {call.path for call in server.calls()} == {path}
            (spent,) = model_calls(house)
            assert (spent.cost_usd == "0") is model.startswith("ollama/")
            assert house.machine.gateway is not None
            await house.machine.gateway.close()


@pytest.mark.parametrize("_", [pytest.param("", marks=node)])
async def test_when_one_provider_is_down_the_next_writes_and_the_first_rests(tmp_path: Path, _: str) -> None:
    both = "openai/gpt-4.1-mini,anthropic/claude-haiku-4-5"
    with ModelServer.started() as server:
        server.says("", BETTER, model="claude-haiku-4-5")
        server.fails("", 503)
        async with home(tmp_path, server, MODEL_SMALL=both) as house:
            gateway = house.machine.gateway
            assert gateway is not None
            gateway._sleep = _no_pause
            await house.operator("write Acme that the draft is ready")
            assert any(each.startswith("Wording by anthropic/claude-haiku-4-5;") for each in house.card().reasons)
            before = len(server.calls())
            await house.operator("write Initech that the draft is ready")
            assert {call.path for call in server.calls()[before:]} == {"/v1/messages"}, "who failed is left in peace"
            await house.operator("/budget")
            assert "openai/gpt-4.1-mini: it failed a moment ago" in house.channel.words[-1]
            await gateway.close()
