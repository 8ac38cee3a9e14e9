"""A service that does not let us in is told of once, and is not asked again and again: accounts are locked for less."""

import asyncio
from pathlib import Path

from bot import runner
from connectors.base import Connector, Deliver, RefusedError
from tests.torture.bare import BareHouse

WORDS = "The password is wrong. Correct IMAP_PASSWORD."


class Locked(Connector):
    """A mailbox with another password."""

    service = "mail"

    def __init__(self) -> None:
        self.tries = 0

    async def listen(self, deliver: Deliver) -> None:
        """Try to log in."""
        self.tries += 1
        raise RefusedError(WORDS)


async def until(holds) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - a house tells nobody
            await asyncio.sleep(0.001)


async def test_a_wrong_password_is_told_once_and_not_tried_again_by_the_minute(tmp_path: Path) -> None:
    locked = Locked()
    async with BareHouse(tmp_path, connectors={"mail": locked}) as house:
        await until(lambda: "I hear nothing from mail any more: " + WORDS in house.transcript())
        assert locked.tries == 1
        assert runner.REFUSED_AGAIN_S >= 3_600, "once an hour locks no account"


async def test_it_is_said_once_however_often_it_is_tried(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(runner, "REFUSED_AGAIN_S", 0.0)
    locked = Locked()
    async with BareHouse(tmp_path, connectors={"mail": locked}) as house:
        await until(lambda: locked.tries > 5 and WORDS in house.transcript())
        assert house.transcript().count(WORDS) == 1


async def test_twin_that_takes_a_no_for_a_breakdown_says_nothing(tmp_path: Path, monkeypatch) -> None:
    class OtherError(Exception):
        pass

    monkeypatch.setattr(runner, "RefusedError", OtherError)
    locked = Locked()
    async with BareHouse(tmp_path, connectors={"mail": locked}) as house:
        await until(lambda: locked.tries >= 1)
        await house.runner.settled()
        assert WORDS not in house.transcript()
