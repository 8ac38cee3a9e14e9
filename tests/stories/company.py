"""The company's stories, told in a paper house: with no model, with one that answers, and with one that misbehaves.

Outside is as real as it gets without a network: mails are files, the blog is a git repository, the model server speaks
HTTP to the real litellm.
"""

from __future__ import annotations

import contextlib
import itertools
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from bot.chronicle import replayed
from bot.testing import PaperHouse
from connectors.base import Incoming
from memory.events import ModelCalled
from memory.projections import Books
from memory.replay import compare
from tests.counterparts import models
from tests.counterparts.models import ModelServer

FAULTS: dict[str, Any] = {
    "429": lambda server: server.fails("", 429, "slow down", retry_after_s=1),
    "500": lambda server: server.fails("", 500, "boom"),
    "no JSON": lambda server: server.says("", "x", chaos={"malformedRate": 1}),
    "a hang": lambda server: server.says("", "late", chaos={"latencyMs": 20_000}),
    "a line that breaks": lambda server: server.says("", "x", chaos={"disconnectRate": 1}),
    "nonsense": lambda server: server.says("", "We guarantee 900.00 EUR, see https://evil.example"),
}

node = [
    pytest.mark.node,
    pytest.mark.skipif(bool(models.missing()), reason=models.missing() or "set up"),
    *map(pytest.mark.filterwarnings, models.QUIET),
]


def weather(*names: str) -> list[Any]:
    """The parameters of a story: no model, and one for each way a model server may be."""
    return [pytest.param("no model", id="no model"), *(pytest.param(name, marks=node, id=name) for name in names)]


@contextlib.asynccontextmanager
async def company(
    tmp_path: Path, name: str, says: str = "", environment: Mapping[str, str] | None = None
) -> AsyncIterator[PaperHouse]:
    """A house whose model server is as the weather says: ``no model``, ``a model`` (which says ``says``), or a fault."""
    environment = {"BLOG_FOLDER": str(blog(tmp_path / "site")), "REDIS_URL": "none", **(environment or {})}
    if name == "no model":
        async with PaperHouse(tmp_path / "home", environment=environment) as house:
            yield house
        return
    with ModelServer.started() as server:
        server.says("", says) if name == "a model" else FAULTS[name](server)
        home = PaperHouse(tmp_path / "home", environment=environment | server.settings())
        async with home as house, asked(house, name, server):
            yield house


@contextlib.asynccontextmanager
async def asked(house: PaperHouse, name: str, server: ModelServer) -> AsyncIterator[None]:
    """Pause for nothing, let a model that hangs do so for a moment only, and see to it that the story asked one."""
    gateway = house.machine.gateway
    assert gateway is not None
    gateway._sleep = _no_pause
    gateway._given_timeout_s = 0.2 if name == "a hang" else 120.0
    try:
        yield
        # A call that hung is in no server's journal, and on our bill all the same.
        assert server.calls() or model_calls(house), "the story never asked its model"
    finally:
        await gateway.close()


async def _no_pause(seconds: float) -> None:
    del seconds


def blog(folder: Path) -> Path:
    """Make a git repository with a first commit."""
    subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True)
    (folder / "README.md").write_text("A blog.\n")
    git = ["git", "-C", str(folder), "-c", "user.name=Anna", "-c", "user.email=anna@berg.example"]
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "Begin"], check=True)
    return folder


_ids = itertools.count(1)


async def arrives(house: PaperHouse, service: str, kind: str, data: dict[str, Any], text: str = "") -> None:
    """Something comes in from outside."""
    await house.runner.arrived(Incoming(service, "account", f"in-{next(_ids)}", kind, house.clock.at, data, text))
    await house.runner.settled()


def mail(name: str, address: str, subject: str) -> dict[str, Any]:
    """A mail as the mail connector hands it in."""
    number = f"<{next(_ids)}@outside.example>"
    return {
        "message_id": number, "thread": number, "from": {"name": name, "address": address}, "reply_to": [],
        "subject": subject, "references": [], "automatic": False, "from_ourselves": False,
    }  # fmt: skip


async def approve(house: PaperHouse) -> None:
    """Press Approve on the newest card that waits, and wait out the window."""
    waiting = [card for card in house.channel.cards.values() if card.state == "pending"]
    assert waiting, house.transcript()
    assert await house.press("Approve", waiting[-1].id) == "Approved."
    await house.later(seconds=15)


def sent(house: PaperHouse) -> list[EmailMessage]:
    """Every mail that went out, oldest first."""
    read = (message_from_bytes(path.read_bytes(), policy=policy.default) for path in house.outbox())
    return sorted(read, key=lambda each: str(each["Subject"]))  # type: ignore[arg-type]


def records(house: PaperHouse, kind: str) -> list[dict[str, Any]]:
    with house.machine.database.read() as connection:
        return [dict(record.data) for record in Books(connection).all(kind)]


def model_calls(house: PaperHouse) -> list[ModelCalled]:
    return [line.event for line in house.machine.log.lines() if isinstance(line.event, ModelCalled)]


def ends_well(house: PaperHouse) -> None:
    """Whatever the weather: nothing is stuck, no secret was said, and history tells the same story again."""
    assert house.machine.history.stuck_lines() == []
    assert not [text for text in house.channel.words if "broke in my own code" in text], house.transcript()
    assert list(house.machine.log.verify()) == []
    assert [str(each) for each in compare(house.machine.database, house.machine.log, replayed)] == []
    assert "key-of-openai" not in house.transcript()


def lines_of(folder: Path) -> Iterator[str]:
    """The subjects of a repository's commits, oldest first."""
    ran = subprocess.run(["git", "-C", folder, "log", "--reverse", "--format=%s"], capture_output=True, check=True)
    yield from ran.stdout.decode().splitlines()
