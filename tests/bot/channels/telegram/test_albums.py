"""Pictures that were sent together are one message, however Telegram hands them out."""

from __future__ import annotations

import pytest

from bot.channels.base import NotWrittenError
from bot.channels.telegram import channel
from tests.bot.channels.telegram.stage import Stage, stage


def album(on: Stage, name: str = "a1", count: int = 3) -> None:
    for number in range(count):
        on.telegram.user_sends_photo(b"%d" % number, caption="receipts for March" if not number else "", album=name)


async def test_an_album_is_one_message_with_all_its_pictures() -> None:
    async with stage() as on:
        album(on)
        on.telegram.user_says("that is all")
        await on.until(lambda: len(on.ear.heard_all) == 2)
        await on.quiet()
        together = next(heard for heard in on.ear.heard_all if heard.files)
        assert together.text == "receipts for March"
        assert [on.ear.file(file) for file in together.files] == [b"0", b"1", b"2"]
        assert len(on.ear.heard_all) == 2


async def test_what_comes_while_the_first_picture_is_looked_at_belongs_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long poll answers with the first picture alone; nothing is confirmed before the others were asked for."""
    async with stage() as on:
        nap = on.clock.sleep

        async def sleep(seconds: float) -> None:
            if seconds == channel.ALBUM_S and not len(on.telegram.pending) > 1:
                album(on, count=2)
            await nap(seconds)

        monkeypatch.setattr(on.clock, "sleep", sleep)
        on.telegram.user_sends_photo(b"first", album="a1")
        await on.until(lambda: on.ear.heard_all)
        await on.quiet()
        [heard] = on.ear.heard_all
        assert len(heard.files) == 3


async def test_two_albums_are_two_messages_and_one_that_is_sent_again_is_none() -> None:
    async with stage() as on:
        album(on, "a1")
        album(on, "a2", 2)
        await on.until(lambda: len(on.ear.heard_all) == 2)
        await on.quiet()
        assert [len(heard.files) for heard in on.ear.heard_all] == [3, 2]
        ids = [heard.event_id for heard in on.ear.heard_all]
        await on.restart()
        assert len(set(ids)) == 2


async def test_an_album_that_could_not_be_written_comes_again_whole() -> None:
    async with stage() as on:
        full = True

        async def heard(*given: object, **more: object) -> str:
            if full:
                raise NotWrittenError("The disk is full.")
            return await taken(*given, **more)  # type: ignore[arg-type]

        taken, on.ear.heard = on.ear.heard, heard  # type: ignore[method-assign]
        album(on, count=2)
        await on.until(lambda: on.channel.problem)
        full = False
        await on.until(lambda: on.ear.heard_all)
        await on.quiet()
        assert [len(heard.files) for heard in on.ear.heard_all] == [2]


async def test_posted_one_by_one_each_picture_is_a_message_and_none_is_lost() -> None:
    async with stage("webhook") as on:
        album(on)
        await on.until(lambda: len(on.ear.heard_all) == 3)
        assert [len(heard.files) for heard in on.ear.heard_all] == [1, 1, 1]


async def test_twin_without_waiting_every_picture_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "album_of", lambda _: "")
    monkeypatch.setattr(channel, "albums", lambda updates: [[update] for update in updates])
    async with stage() as on:
        album(on)
        await on.until(lambda: len(on.ear.heard_all) == 3)
