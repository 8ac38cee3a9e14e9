"""What only the operator can mend in Telegram is said once, with what to do, and nothing is lost meanwhile."""

from __future__ import annotations

import pytest

from bot.channels.base import Message, UndeliverableError
from memory.events import Place
from tests.bot.channels.telegram.stage import Stage, stage
from tests.counterparts.telegram import OPERATOR, ApiError, Json

CHAT = Place(channel="telegram", conversation=str(OPERATOR))


def refuses(on: Stage, words: str, status: int = 400) -> None:
    """Have Telegram refuse every message until `allows`."""

    async def refuse(_: Json) -> Json:
        raise ApiError(status, words)

    on.telegram._do_send_message = refuse  # type: ignore[method-assign,assignment]


@pytest.mark.parametrize(
    ("status", "reason", "todo"),
    [
        (403, "Forbidden: bot was blocked by the user", "Unblock it"),
        (400, "Bad Request: chat not found", "press Start"),
        (403, "Forbidden: bot can't initiate conversation with a user", "press Start"),
    ],
)
async def test_what_cannot_reach_the_operator_is_kept_and_told_elsewhere_once(
    status: int, reason: str, todo: str
) -> None:
    told: list[str] = []
    async with stage(troubled=told.append) as on:
        refuses(on, reason, status)
        for number in range(3):
            with pytest.raises(UndeliverableError) as undelivered:
                await on.channel.say(CHAT, Message(f"1.m{number}", "hello"))
            assert not undelivered.value.forever
            assert todo in str(undelivered.value)
        assert len(told) == 1
        del on.telegram._do_send_message
        assert await on.channel.say(CHAT, Message("1.m1", "hello"))


async def test_a_second_program_that_listens_is_named_with_what_to_do() -> None:
    told: list[str] = []
    async with stage(troubled=told.append) as on:
        listens = on.telegram._do_get_updates

        async def conflict(_: Json) -> list[Json]:
            raise ApiError(409, "Conflict: terminated by other getUpdates request; make sure that only one bot runs")

        for again in range(3):
            on.telegram._do_get_updates = conflict  # type: ignore[method-assign]
            on.telegram.user_says(f"hello {again}")  # an empty poll would take its 25 s
            await on.until(lambda: "Another program listens" in on.channel.problem)
            on.telegram._do_get_updates = listens  # type: ignore[method-assign]
            on.telegram.user_says(f"hello again {again}")
            await on.until(lambda: not on.channel.problem)
        assert "/revoke at @BotFather" in told[0]
        assert (len(told), len([said for said in on.announced if "Another program" in said])) == (1, 1)


async def test_a_webhook_that_another_program_sets_is_taken_away_again() -> None:
    async with stage() as on:
        on.telegram.webhook = {**on.telegram.webhook, "url": "https://other.example/hook"}
        on.telegram.user_says("how are you?")
        await on.until(lambda: not on.telegram.webhook["url"])
        on.telegram.user_says("hello")
        await on.until(lambda: on.ear.heard_all and on.ear.heard_all[-1].text == "hello")
        assert any("Another program has Telegram post" in said for said in on.announced)


async def test_the_operator_in_a_group_is_told_where_to_talk_and_is_no_stranger() -> None:
    async with stage() as on:
        for _ in range(3):
            on.telegram.user_says("hello", chat={"id": -100, "type": "group", "title": "Friends"})
        await on.quiet()
        await on.until(on.telegram.texts)
        assert on.telegram.texts() == ["I answer you here and nowhere else: in a group the others would read along."]
        assert on.refused == []
        assert on.ear.calls == 0
