"""What was forgotten is overwritten where it stood in a chat: each part by itself, later when the platform is away."""

from __future__ import annotations

from pathlib import Path

from bot.channels.base import Card, Message, UndeliverableError
from bot.copies import Copies
from bot.testing import PaperChannel, PaperHouse
from memory import shown
from memory.events import Place
from memory.shown import Standing

CHAT = Place(channel="chat", conversation="c1")


class Wall(PaperChannel):
    """A chat that keeps what stands in it, by reference."""

    def __init__(self) -> None:
        super().__init__("chat", "c1")
        self.stands: dict[str, str] = {}

    async def say(self, place: Place, message: Message) -> str:
        ref = await super().say(place, message)
        self.stands[message.instead or ref] = message.text
        return message.instead or ref

    async def settle(self, place: Place, ref: str, card: Card) -> None:
        await super().settle(place, ref, card)
        self.stands[ref] = str(card)


def wall_of(house: PaperHouse) -> Wall:
    wall = house.channels["chat"]
    assert isinstance(wall, Wall)
    return wall


async def noted_and_asked(house: PaperHouse) -> None:
    for text in ("remember that Bob Miller is tall", "remember that the logo is green", "/recall Bob Miller"):
        await house.operator(text, place=CHAT)
    await house.remembered()
    assert any("Bob Miller" in text for text in wall_of(house).stands.values())


async def forget(house: PaperHouse) -> None:
    await house.operator("forget Bob Miller", place=CHAT)
    assert await house.press("Approve") == "Approved."
    await house.remembered()


async def test_words_are_overwritten_and_those_that_name_nobody_are_left(tmp_path: Path) -> None:
    async with PaperHouse(tmp_path / "home", channels={"chat": Wall()}) as house:
        await noted_and_asked(house)
        await forget(house)
        assert house.machine.copies is not None
        assert await house.machine.copies.overwrite() == 0
        stands = wall_of(house).stands
        assert not [text for text in stands.values() if "Bob Miller" in text]
        assert "Noted: the logo is green." in stands.values()
        assert [text for text in stands.values() if text.startswith("Forgotten: ")]
        with house.machine.database.read() as tx:
            assert shown.due(tx) == []


async def test_a_platform_that_is_away_is_tried_again_also_after_a_restart(tmp_path: Path) -> None:
    async with PaperHouse(tmp_path / "home", channels={"chat": Wall()}) as house:
        await noted_and_asked(house)
        copies = house.machine.copies
        assert copies is not None

        async def away(place: Standing) -> bool:
            del place
            return False

        copies._over = away  # type: ignore[method-assign]
        await forget(house)
        assert await copies.overwrite() > 0
        assert any("Bob Miller" in text for text in wall_of(house).stands.values()), (
            "the negative twin: nothing was done"
        )
        await house.restart()
        assert house.machine.copies is not None
        assert await house.machine.copies.overwrite() == 0
        assert not [text for text in wall_of(house).stands.values() if "Bob Miller" in text]


async def test_a_place_that_is_gone_is_let_go_of(house: PaperHouse) -> None:
    gone = Wall()
    gone.fails = [UndeliverableError("the chat was deleted", forever=True)]
    copies = Copies(house.machine.database, {"chat": gone}, house.runner.state_now, house.runner.card)

    def stands(tx: object) -> None:
        for ref in ("m1", "m2,m3"):
            tx.execute(shown.shown.insert().values(  # type: ignore[attr-defined]
                channel="chat", conversation="c1", ref=ref, thread="", task=1, what="1.m1", due=1))  # fmt: skip

    await house.machine.database.write(stands)
    assert await copies.overwrite() == 0
    assert gone.stands == {"m2": "[forgotten]", "m3": "[forgotten]"}, "each part of a long message by itself"
