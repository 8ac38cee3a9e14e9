"""Forms that must not count, files that are slow, large or not what they seem, and acknowledgements that came too early."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from bot.channels.base import Message, RefusedPressError
from bot.channels.slack import received, views
from memory.events import Place
from tests.bot.channels.slack_house import House, card, house
from tests.counterparts.ports import free_port
from tests.counterparts.slack import ALICE, BOB, GENERAL, TEAM, LocalSlack, local_slack

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def slack() -> Iterator[LocalSlack]:
    with local_slack("socket") as running:
        yield running


def form(user: str = ALICE, value: str = "Dear Acme, shorter.", **view) -> dict:
    ticket = views.Ticket("12.1", "aGFuZGxlMTIzNDU2", "D1", message="5.1")
    shown = {
        "id": "V1", "type": "modal", "callback_id": views.FORM, "private_metadata": ticket.to_json(),
        "blocks": [{"type": "input", "block_id": "edit:0.body"}],
        "state": {"values": {"edit:0.body": {"value": {"type": "plain_text_input", "value": value}}}},
    }  # fmt: skip
    person = {"id": user, "team_id": TEAM}
    return {"type": "view_submission", "team": {"id": TEAM}, "user": person, "view": shown | view}


async def submit(home: House, body: dict, name: str) -> dict:
    await home.edge.envelope("interactive", body, name)
    return await home.edge.ack(name)


async def test_a_form_of_a_stranger_is_refused_in_the_form(slack) -> None:
    async with house(slack) as home:
        home.ear.cards["12.1"] = card()
        answer = await submit(home, form(BOB), "f1")
        assert "answers only to its operator" in answer["errors"]["edit:0.body"]
        assert [refusal.what for refusal in home.refusals] == ["a form"]
        assert home.ear.presses == []


async def test_a_form_without_a_change_stays_open(slack) -> None:
    async with house(slack) as home:
        home.ear.cards["12.1"] = card()
        same = card().fields[2].value
        assert (await submit(home, form(value=same), "f1"))["errors"] == {"edit:0.body": "Nothing is changed yet."}
        assert home.ear.presses == []


async def test_a_form_sent_twice_counts_once_and_a_late_one_says_why(slack) -> None:
    async with house(slack) as home:
        home.ear.cards["12.1"] = card()
        for name in ("f1", "f2"):
            assert await submit(home, form(), name) is None
        assert len(home.ear.presses) == 1
        home.ear.handles = set()
        answer = await submit(home, form(value="another"), "f3")
        assert answer["errors"]["edit:0.body"] == str(RefusedPressError("I do not know that button."))


async def test_a_form_that_cannot_be_kept_is_not_acknowledged(slack) -> None:
    async with house(slack) as home:
        home.ear.cards["12.1"] = card()
        home.ear.full = lambda: True
        await home.edge.envelope("interactive", form(), "f1")
        with pytest.raises(TimeoutError):
            await home.edge.ack("f1", 0.3)


async def test_with_bolts_own_order_it_would_be_acknowledged_twin(slack) -> None:
    async with house(slack) as home:
        home.channel._bolt.listener_runner.process_before_response = False
        home.ear.full = lambda: True
        event = {"type": "message", "channel": "D1", "channel_type": "im", "user": ALICE, "text": "hi", "ts": "5.1"}
        body = {"type": "event_callback", "team_id": TEAM, "event_id": "Ev1", "event": event}
        await home.edge.envelope("events_api", body, "e1")
        await home.edge.ack("e1")  # acknowledged, and lost
        assert home.ear.said == []


async def test_editing_a_settled_card_says_how_it_ended(slack) -> None:
    async with house(slack) as home:
        home.ear.cards["12.1"] = card(state="approved", outcome="Approved by you today 09:12.")
        there = Place(channel="slack", conversation=await slack.dm())
        await home.channel.ask(there, card())
        [message] = await slack.messages(there.conversation)
        action = {"type": "button", "action_id": "edit:1", "block_id": "card:12.1:1", "value": "h"}
        await slack.control("interact", channel=there.conversation, messageTs=message["ts"], user=ALICE, action=action)
        async with asyncio.timeout(120):
            while tasks := home.channel._hearing.group._tasks:
                await asyncio.wait(set(tasks))
        assert (await slack.messages(there.conversation))[-1]["text"] == "Approved by you today 09:12."


# ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def shelf(gate: asyncio.Event) -> AsyncIterator[str]:
    """Serve files on the API's own host; the slow one waits."""

    async def file(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer xoxb-test-token"
        match request.match_info["name"]:
            case "slow.txt":
                await gate.wait()
                return web.Response(body=b"slow")
            case "page.pdf":
                return web.Response(text="<html>Sign in</html>", content_type="text/html")
            case "moved.pdf":
                raise web.HTTPFound("https://evil.test/")
            case _:
                return web.Response(body=b"x" * (received.FILE_MAX + 1))

    app = web.Application()
    app.router.add_get("/{name}", file)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        gate.set()
        await runner.cleanup()


def with_file(event_id: str, url: str, channel: str) -> dict:
    event = {
        "type": "message", "subtype": "file_share", "channel": channel, "channel_type": "im", "user": ALICE, "text": "keep",
        "ts": "5.1", "files": [{"id": f"F{event_id}", "name": url.rpartition("/")[2], "url_private": url, "size": 4}],
    }  # fmt: skip
    return {"type": "event_callback", "team_id": TEAM, "event_id": event_id, "event": event}


async def test_a_slow_file_is_not_acknowledged_and_there_when_slack_sends_again(slack, monkeypatch) -> None:
    monkeypatch.setattr(received, "WAIT_S", 0.1)
    gate = asyncio.Event()
    async with house(slack) as home, shelf(gate) as base:
        body = with_file("Ev1", f"{base}/slow.txt", await slack.dm())
        await home.edge.envelope("events_api", body, "e1")
        with pytest.raises(TimeoutError):
            await home.edge.ack("e1", 0.4)
        monkeypatch.setattr(received, "WAIT_S", 120)
        gate.set()
        await home.edge.envelope("events_api", body, "e2")
        await home.edge.ack("e2")
        [said] = home.ear.said
        assert [home.ear.kept[file.sha256] for file in said.files] == [b"slow"]


@pytest.mark.parametrize("name", ["page.pdf", "moved.pdf", "huge.bin"])
async def test_a_file_that_cannot_be_had_is_said_and_the_words_are_kept(slack, name) -> None:
    async with house(slack) as home, shelf(asyncio.Event()) as base:
        dm = await slack.dm()
        await home.edge.envelope("events_api", with_file("Ev1", f"{base}/{name}", dm), "e1")
        await home.edge.ack("e1")
        async with asyncio.timeout(120):
            while tasks := home.channel._hearing.group._tasks:
                await asyncio.wait(set(tasks))
        assert [(said.text, said.files) for said in home.ear.said] == [("keep", ())]
        assert name in (await slack.messages(dm))[-1]["text"]


async def test_a_file_whose_answer_was_lost_is_not_shared_twice(slack) -> None:
    async with house(slack) as home:
        cut = iter(["reset"])
        home.edge.fault = lambda method, _: next(cut, "") if method == "files.completeUploadExternal" else ""
        pdf = home.ear.keep(b"%PDF", "invoice.pdf", "application/pdf")
        await home.channel.say(Place(channel="slack", conversation=GENERAL), Message("1.m1", "Here.", files=(pdf,)))
        assert json.dumps(await slack.messages(GENERAL)).count('"upload": true') == 1
