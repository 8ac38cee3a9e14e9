"""Doctor asks each provider for its list: is it there, does it take the key, does it offer what the settings name?"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from agents.tiers import Tiers
from bot.providers import examine_models
from tests.counterparts.models import ModelServer
from tests.counterparts.ports import free_port
from tests.stories.company import node

OFFERED = {"id": "gpt-4.1-mini"}, {"id": "claude-haiku-4-5-20251001"}, {"name": "llama3.2:latest"}


class Shelf:
    """Lists of models as the providers give them, and who asked with which key."""

    def __init__(self) -> None:
        self.status = 200
        self.asked: list[tuple[str, str]] = []
        self.base = ""

    async def answer(self, request: web.Request) -> web.Response:
        key = request.headers.get("x-api-key") or request.headers.get("Authorization", "")
        self.asked.append((request.path, key))
        rows = "models" if request.path == "/api/tags" else "data"
        return web.json_response({rows: list(OFFERED)}, status=self.status)


@pytest_asyncio.fixture
async def shelf() -> AsyncIterator[Shelf]:
    made = Shelf()
    app = web.Application()
    app.router.add_get("/{tail:.*}", made.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    made.base = f"http://127.0.0.1:{port}"
    yield made
    await runner.cleanup()


def tiers(shelf: Shelf, small: str, **more: str) -> Tiers:
    return Tiers.read(
        {
            "MODEL_SMALL": small, "MODEL_LARGE": "", "OPENAI_API_KEY": "key-of-openai", "ANTHROPIC_API_KEY": "key-of-anthropic",
            "OPENAI_BASE_URL": f"{shelf.base}/v1", "ANTHROPIC_BASE_URL": shelf.base, "OLLAMA_BASE_URL": shelf.base,
            "COMPATIBLE_BASE_URL": f"{shelf.base}/v1", "MODEL_PRICES": f"{small}=0.1:0.4",
        } | more
    )  # fmt: skip


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        ("openai/gpt-4.1-mini", ("/v1/models", "Bearer key-of-openai")),
        ("anthropic/claude-haiku-4-5", ("/v1/models", "key-of-anthropic")),
        ("ollama/llama3.2", ("/api/tags", "")),
        ("compatible/gpt-4.1-mini", ("/v1/models", "")),
    ],
)
async def test_each_provider_is_asked_in_its_own_way_and_for_no_answer(
    shelf: Shelf, model: str, asked: tuple[str, str]
) -> None:
    (finding,) = await examine_models(tiers(shelf, model))
    assert finding.ok, finding
    assert "is there" in finding.what
    assert shelf.asked == [asked]


async def test_a_refused_key_is_said_with_its_setting_and_never_shown(shelf: Shelf) -> None:
    shelf.status = 401
    (finding,) = await examine_models(tiers(shelf, "openai/gpt-4.1-mini"))
    assert not finding.ok
    assert "refused the key in OPENAI_API_KEY" in finding.what
    assert "key-of-openai" not in str(finding)


async def test_a_model_that_is_not_offered_is_named_with_what_to_do(shelf: Shelf) -> None:
    _, absent = await examine_models(tiers(shelf, "ollama/mistral"))
    assert not absent.ok
    assert "does not offer 'mistral'" in absent.what
    assert "ollama pull mistral" in absent.remedy
    _, absent = await examine_models(tiers(shelf, "openai/gpt-9"))
    assert "MODEL_SMALL" in absent.remedy


async def test_a_server_without_a_list_or_without_an_answer_is_told_apart(shelf: Shelf) -> None:
    shelf.status = 404
    (finding,) = await examine_models(tiers(shelf, "compatible/mine"))
    assert finding.ok, "a server of one's own may have no list"
    (finding,) = await examine_models(tiers(shelf, "compatible/mine", COMPATIBLE_BASE_URL="http://127.0.0.1:9/v1"))
    assert not finding.ok
    assert "COMPATIBLE_BASE_URL" in finding.remedy


@pytest.mark.parametrize("_", [pytest.param("", marks=node)])
async def test_a_model_without_a_price_is_said_before_anybody_wonders(_: str) -> None:
    with ModelServer.started() as server:
        settings = server.settings(MODEL_SMALL="compatible/nobodys", MODEL_LARGE="", MODEL_PRICES="")
        findings = await examine_models(Tiers.read(settings))
        assert any("price of compatible/nobodys is not known" in finding.what for finding in findings)
        assert not [call for call in server.calls() if "completions" in call.path], "no model was asked anything"


async def test_that_none_is_set_up_is_no_fault() -> None:
    findings = await examine_models(Tiers.read({}))
    assert all(finding.ok for finding in findings)
    assert "none is set up" in findings[-1].what
