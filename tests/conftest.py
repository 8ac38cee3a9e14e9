"""What every test gets: a fresh paper house on request, and no way to the network outside."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import hypothesis
import pytest
import pytest_asyncio

from bot.testing import PaperHouse

# Processes that tests start and kill must not leave a server behind; who tests Redis hands one in.
os.environ.setdefault("REDIS_URL", "none")

# The same examples in every run, also in two runs at once, however slow the machine is just now.
hypothesis.settings.register_profile(
    "steady", derandomize=True, database=None, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("steady")


class ForeignNetworkError(AssertionError):
    """A test tried to leave this machine."""


@pytest.fixture(autouse=True)
def stay_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections to anything but loopback and unix sockets."""
    real = socket.socket.connect

    def connect(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and str(address[0]) not in {"127.0.0.1", "::1", "localhost"}:
            raise ForeignNetworkError(f"A test wanted to connect to {address}.")
        real(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[PaperHouse]:
    """A house with the demo company in it, at ten on a Monday."""
    async with PaperHouse(tmp_path / "home") as made:
        yield made
