"""What is typed to us in Slack, and what only looks like it: commands, words that were changed after they were sent."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from bot.channels.base import FIRST_COUNTS, Home, Message, UndeliverableError
from bot.channels.slack.hearing import Hearing
from tests.bot.channels.slack_house import House, card, house
from tests.bot.channels.test_slack import place, quiet
from tests.counterparts.slack import ALICE, BOB, GENERAL, TEAM, LocalSlack, local_slack

pytestmark = pytest.mark.node
COMMANDS = ("/help", "/tasks", "/back", "/report")


@pytest.fixture(scope="module")
def slack() -> Iterator[LocalSlack]:
    with local_slack("socket") as running:
        yield running


async def typed(home: House, text: str) -> str:
    await home.slack.control("command", channel=GENERAL, user=ALICE, command="/solo", text=text)
    return home.ear.said[-1].text


async def test_a_subcommand_is_the_houses_command_and_a_sentence_stays_one(slack) -> None:
    async with house(slack, commands=COMMANDS) as home:
        assert [await typed(home, text) for text in ("back", "Report for March", "", "invoice Acme 1,200", "/tasks")] == [
            "/back", "/Report for March", "/help", "invoice Acme 1,200", "/tasks",
        ]  # fmt: skip


async def test_twin_without_the_slash_a_command_is_any_sentence(slack, monkeypatch) -> None:
    monkeypatch.setattr(Hearing, "_as_command", lambda _, text: text)
    async with house(slack, commands=COMMANDS) as home:
        assert await typed(home, "back") == "back"


async def test_a_command_after_an_exclamation_mark_is_one_in_a_thread_and_in_direct_messages(slack) -> None:
    async with house(slack, commands=COMMANDS) as home:
        await slack.control("message", channel=GENERAL, user=ALICE, text="lunch?")
        first = (await slack.messages(GENERAL))[-1]
        for text in ("!tasks", "!make it 1,500"):
            await slack.control("message", channel=GENERAL, user=ALICE, text=text, thread_ts=first["ts"])
            await slack.control("message", channel=await slack.dm(), user=ALICE, text=text)
        assert [said.text for said in home.ear.said] == ["/tasks", "/tasks", "make it 1,500", "make it 1,500"]


# ── what was changed after it was sent ────────────────────────────────────────────────────────────────────────────


def changed(number: int, **message: object) -> dict[str, object]:
    """A change of a message as Slack tells it; by default the operator's, in direct messages."""
    now = {"type": "message", "user": ALICE, "text": "make it 1,500", "ts": "1.2", "edited": {"user": ALICE, "ts": "2"}}
    event = {
        "type": "message", "subtype": "message_changed", "hidden": True, "channel": "D1", "channel_type": "im",
        "ts": "1.3", "message": now | message, "previous_message": {"text": "make it 1,400"},
    }  # fmt: skip
    return {"type": "event_callback", "team_id": TEAM, "event_id": f"EvC{number}", "event": event}


async def told_after(home: House, *bodies: dict[str, object]) -> int:
    """Send them; return how often somebody was told that the first version counts."""
    before = home.edge.tried.count("chat.postEphemeral")
    for number, body in enumerate(bodies):
        await home.edge.envelope("events_api", body, f"c{number}")
        await home.edge.ack(f"c{number}")
    await quiet(home)
    return home.edge.tried.count("chat.postEphemeral") - before


async def test_a_message_that_was_changed_is_not_taken_twice_and_its_writer_is_told(slack) -> None:
    async with house(slack) as home:
        assert await told_after(home, changed(1)) == 1
        assert home.ear.said == []
        assert any(FIRST_COUNTS in str(call) for call in await slack.log())


async def test_what_is_no_change_of_words_is_let_pass(slack) -> None:
    """A link that was unfolded, our own card that was settled, a stranger's words, talk among people, a deletion."""
    deleted = changed(5)
    deleted["event"] |= {"subtype": "message_deleted"}  # type: ignore[operator]
    talk = changed(4)
    talk["event"] |= {"channel": GENERAL, "channel_type": "channel"}  # type: ignore[operator]
    async with house(slack) as home:
        unfolded, ours, bobs = changed(1, text="make it 1,400"), changed(2, bot_id="B1"), changed(3, user=BOB)
        assert await told_after(home, unfolded, ours, bobs, talk, deleted) == 0
        assert home.ear.said == []
        assert home.refusals == []


# ── what is switched off in Slack ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("method", "code", "where"),
    [("views.publish", "not_enabled", "Home Tab"), ("chat.postMessage", "messages_tab_disabled", "Messages Tab")],
)
async def test_a_tab_that_is_switched_off_is_said_with_where_it_is_switched_on(slack, method, code, where) -> None:
    told: list[str] = []
    async with house(slack, troubled=told.append, home_view=Home) as home:
        home.edge.fault = lambda called, _: f"error:{code}" if called == method else ""
        with contextlib.suppress(UndeliverableError):
            await home.channel.say(await place(home), Message("1.m1", "hello"))
        home.channel._hearing._at_home_now.clear()
        home.channel.home_is_old()
        await quiet(home)
        assert where in home.channel.trouble
        assert told == [f"Slack: {home.channel.trouble}"]
        home.edge.fault = lambda *_: ""
        await home.channel.say(await place(home), Message("1.m1", "hello again"))
        home.channel.home_is_old()
        await quiet(home)
        assert home.channel.trouble == ""


async def test_a_form_that_slack_did_not_open_says_what_to_do(slack) -> None:
    async with house(slack) as home:
        there = await place(home)
        home.ear.cards["12.1"] = card()
        ref = await home.channel.ask(there, card())
        home.edge.fault = lambda method, _: "error:expired_trigger_id" if method == "views.open" else ""
        action = {"type": "button", "action_id": "edit:1", "block_id": "card:12.1:1", "value": "h"}
        await slack.control("interact", channel=there.conversation, messageTs=ref, user=ALICE, action=action)
        await quiet(home)
        assert "expired_trigger_id" in str((await slack.messages(there.conversation))[-1])


async def test_socket_mode_that_closes_again_and_again_is_tried_slowly_and_said(slack) -> None:
    async with house(slack) as home:
        for opened in range(2, 9):
            await next(iter(home.edge._sockets)).send_json({"type": "disconnect", "reason": "link_disabled"})
            await home.edge.asked("socket", opened)
        assert "Is it switched on" in home.channel.trouble
        await slack.control("message", channel=await slack.dm(), user=ALICE, text="still there?")
        await home.ear.until(lambda: bool(home.ear.said))
