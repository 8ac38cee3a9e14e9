"""Slack over signed HTTP: the real Bolt against a real workspace, and posts signed by hand for what it lacks."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import pytest

from bot.channels.base import Message
from bot.channels.slack import channel, signature
from memory.events import Place
from tests.bot.channels.slack_house import House, card, house
from tests.counterparts.ports import free_port
from tests.counterparts.slack import ALICE, GENERAL, SECRET, TEAM, LocalSlack, local_slack
from tests.held_up import HeldUp

pytestmark = pytest.mark.node


@dataclass
class Way:
    """A workspace that posts to our port."""

    slack: LocalSlack
    port: int


@pytest.fixture(scope="module")
def way() -> Iterator[Way]:
    port = free_port()
    with local_slack("events", f"http://127.0.0.1:{port}/slack/events") as running:
        yield Way(running, port)


def event(event_id: str, text: str = "hello", **more) -> bytes:
    inner = {"type": "message", "channel": "D1", "channel_type": "im", "user": ALICE, "text": text, "ts": "5.000001"}
    return json.dumps(
        {"type": "event_callback", "team_id": TEAM, "api_app_id": "A01APP", "event_id": event_id, "event": inner | more}
    ).encode()


async def test_messages_commands_and_presses_come_over_signed_http(way) -> None:
    async with house(way.slack, port=way.port) as home:
        dm = await way.slack.dm()
        await way.slack.control("message", channel=dm, user=ALICE, text="hello")
        await way.slack.control("command", channel=GENERAL, user=ALICE, command="/solo", text="stuck & more")
        await home.channel.ask(Place(channel="slack", conversation=dm), card())
        message = (await way.slack.messages(dm))[-1]
        button = message["blocks"][-1]["elements"][0]
        action = {
            "type": "button",
            "block_id": "card:12.1:1",
            "action_id": button["action_id"],
            "value": button["value"],
        }
        await way.slack.control("interact", channel=dm, messageTs=message["ts"], user=ALICE, action=action)

        assert [said.text for said in home.ear.said] == ["hello", "stuck & more"]
        assert [pressed.verb for pressed in home.ear.presses] == ["approve"]
        [echo] = await way.slack.messages(GENERAL)
        assert echo["text"].startswith("Taken in: stuck &amp; more")


async def test_slacks_question_whether_the_address_is_ours_is_answered_when_signed(way) -> None:
    async with house(way.slack, port=way.port) as home:
        body = json.dumps({"type": "url_verification", "challenge": "abc", "token": "x"}).encode()
        assert await home.post(body) == (200, '{"challenge": "abc"}')
        assert (await home.post(body, secret="0" * 32))[0] == 401


async def test_a_full_disk_is_503_and_the_retry_is_taken_in(way) -> None:
    async with house(way.slack, port=way.port) as home:
        home.ear.full = lambda: True
        press = urlencode({"payload": json.dumps(_press())}).encode()
        assert (await home.post(event("Ev1")))[0] == 503
        assert (await home.post(press, form=True))[0] == 503
        home.ear.full = lambda: False
        assert (await home.post(event("Ev1")))[0] == 200
        assert (await home.post(press, form=True))[0] == 200
        assert len(home.ear.said) == len(home.ear.presses) == 1


def _press(number: int = 1) -> dict:
    return {
        "type": "block_actions", "team": {"id": TEAM}, "user": {"id": ALICE, "team_id": TEAM}, "trigger_id": f"t{number}",
        "channel": {"id": "D1"}, "message": {"ts": "5.1"},
        "actions": [{"type": "button", "action_id": "approve:0", "value": "handle", "action_ts": str(number)}],
    }  # fmt: skip


async def copies(home: House, events: int, seed: int) -> int:
    """Deliver every event one to five times, in any order, some late; return how many deliveries."""
    chance = random.Random(seed)
    todo = [number for number in range(events) for _ in range(chance.randint(1, 5))]
    chance.shuffle(todo)
    gate = asyncio.Semaphore(24)

    async def deliver(number: int) -> None:
        async with gate:
            if number % 3 == 2:
                body = urlencode({"payload": json.dumps(_press(number))}).encode()
                status, _ = await home.post(body, form=True)
            else:
                status, _ = await home.post(event(f"Ev{number}"))
            assert status == 200

    await asyncio.gather(*map(deliver, todo))
    return len(todo)


async def test_1400_events_in_one_to_five_copies_count_once_t4(way) -> None:
    """With the 600 over Socket Mode in test_slack.py: 2,000."""
    async with house(way.slack, port=way.port) as home:
        sent = await copies(home, 1_400, seed=4)
        assert home.ear.calls == sent
        assert len(home.ear.said) + len(home.ear.presses) == 1_400
        assert len({said.event_id for said in home.ear.said}) == len(home.ear.said)


async def test_without_stable_ids_copies_would_count_again_t4_twin(way) -> None:
    async with house(way.slack, port=way.port) as home:
        home.ear.remembers = False
        await copies(home, 60, seed=4)
        assert len(home.ear.said) + len(home.ear.presses) > 60


# ── signatures ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_replays_have_no_second_effect_and_a_rotated_secret_holds_at_once_t14(way) -> None:
    """100 rounds: genuine, replayed, replayed too late, signed with the old secret, with the new one."""
    async with house(way.slack, port=way.port) as home:
        for number in range(100):
            now, old = time.time(), home.secret[0]
            assert (await home.post(event(f"Ev{number}"), at=now))[0] == 200
            assert (await home.post(event(f"Ev{number}"), at=now))[0] == 200
            assert (await home.post(event(f"Late{number}"), at=now - 301 - number))[0] == 401
            assert (await home.post(event(f"Early{number}"), at=now + 330 + number))[0] == 401
            home.secret[0] = f"{number:032x}"
            assert (await home.post(event(f"Old{number}"), secret=old))[0] == 401
        assert [said.event_id for said in home.ear.said] == [f"Ev{number}" for number in range(100)]
        assert home.secret[0] != SECRET


async def test_another_secret_is_said_once_with_where_the_right_one_is(way, caplog) -> None:
    async with house(way.slack, port=way.port) as home:
        for number in range(5):
            assert (await home.post(event(f"Other{number}"), secret="f" * 32))[0] == 401
        assert (await home.post(event("Ev1")))[0] == 200
        told = [record.getMessage() for record in caplog.records if "SLACK_SIGNING_SECRET" in record.getMessage()]
        assert len(told) == 1
        assert "Basic Information → Signing Secret" in told[0]


async def test_without_the_window_an_old_request_would_count_t14_twin(way, monkeypatch) -> None:
    monkeypatch.setattr(signature, "SIGNATURE_AGE_MAX_S", 10**9)
    async with house(way.slack, port=way.port) as home:
        assert (await home.post(event("Late"), at=time.time() - 4_000))[0] == 200


STAMPS = ["", "now", "1e9", "1.5", "-1", "9" * 5_000, "١٢٣", "0x10", " 1", "1 ", "NaN", "true", "12_000", "\t"]
SIGNATURES = [
    "",
    "v0=",
    "v1=" + "0" * 64,
    "v0=" + "g" * 64,
    "v0=" + "0" * 63,
    "v0=" + "0" * 65,
    "é" * 64,
    "v0=" + "A" * 64,
]


def malformed(chance: random.Random) -> tuple[dict[str, str], bytes]:
    """Return a request that nobody at Slack signed."""
    bodies = [
        b"", b"{", b"\xff\xfe\x00", b"[]" * 500, b'{"type":"url_verification","challenge":"x"}', b"ssl_check=1&token=x",
        b"payload=%7B", b"payload=" + b"%00" * 100, b"[" * 3_000, event("Ev1"), chance.randbytes(chance.randint(0, 300)),
    ]  # fmt: skip
    body = chance.choice(bodies)
    stamp = chance.choice([*STAMPS, str(int(time.time())), str(int(time.time()) + chance.randint(-900, 900))])
    signed = chance.choice([*SIGNATURES, signature.sign("wrong", stamp, body), f"v0={chance.randbytes(32).hex()}"])
    headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signed}
    for name in list(headers):
        if chance.random() < 0.1:
            del headers[name]
        elif any(sign in headers[name] for sign in "\r\n"):
            headers[name] = "x"
    kinds = [
        "application/json",
        "application/x-www-form-urlencoded",
        "text/plain",
        "application/json; charset=utf-7",
        "x",
    ]
    return headers | {"Content-Type": chance.choice(kinds)}, body


async def storm(home: House, count: int) -> list[int]:
    """Post malformed requests; return what they were answered, and hold each to a second."""
    chance = random.Random(13)
    gate = asyncio.Semaphore(16)
    statuses: list[int] = []

    async def one() -> None:
        headers, body = malformed(chance)
        async with gate:
            with machine.within(1.0, f"a post of {body[:100]!r}"):
                url = f"http://127.0.0.1:{home.port}/slack/events"
                async with home.session.post(url, data=body, headers=headers) as answer:
                    statuses.append(answer.status)

    async with HeldUp() as machine:
        await asyncio.gather(*(one() for _ in range(count)))
    return statuses


async def test_5000_malformed_posts_are_all_401_t13(way) -> None:
    async with house(way.slack, port=way.port) as home:
        statuses = await storm(home, 5_000)
        assert len(statuses) == 5_000
        assert set(statuses) == {401}
        assert home.ear.calls == 0


async def test_without_the_check_malformed_posts_would_get_in_t13_twin(way, monkeypatch) -> None:
    monkeypatch.setattr(channel.signature, "genuine", lambda *_: True)
    monkeypatch.setattr(channel.signature, "headers_hold", lambda *_: True)
    async with house(way.slack, port=way.port) as home:
        assert set(await storm(home, 200)) != {401}


async def test_what_is_signed_and_senseless_is_no_5xx_t13(way, caplog) -> None:
    chance = random.Random(7)
    senseless = ["x", 1, None, [], {}, [1], {"id": 1}, True, "C1", [{}], {"values": [1]}]
    async with house(way.slack, port=way.port) as home:
        base = [json.loads(event("Ev1")), _press(), {"type": "view_submission", "view": {"callback_id": "solo_edit"}}]
        base.append({"command": "/solo", "text": "x", "user_id": ALICE, "team_id": TEAM})
        for _ in range(600):
            body = json.loads(json.dumps(chance.choice(base)))
            for _ in range(chance.randint(1, 3)):
                where = body
                while isinstance(where, dict) and where:
                    key = chance.choice([*where, "event", "user", "view", "actions", "container"])
                    if isinstance(where.get(key), dict) and chance.random() < 0.6:
                        where = where[key]
                    else:
                        where[key] = chance.choice(senseless)
                        break
            raw = json.dumps(body).encode()
            form = chance.random() < 0.5
            status, _ = await home.post(urlencode({"payload": raw}).encode() if form else raw, form=form)
            assert status < 500, body
        for raw in (b"", b"{", b"[" * 100_000, b"\xff", b"payload=", b"payload=%7B%7D", b'{"event":{}}'):
            assert (await home.post(raw))[0] in {200, 400, 404}


async def test_a_body_that_never_comes_is_let_go_within_a_second(way) -> None:
    async with house(way.slack, port=way.port) as home, HeldUp() as machine:
        stamp = str(int(time.time()))
        reader, writer = await asyncio.open_connection("127.0.0.1", home.port)
        with machine.within(1.0, "a body that never comes"):
            writer.write(
                f"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nX-Slack-Request-Timestamp: {stamp}\r\n"
                f"X-Slack-Signature: v0={'0' * 64}\r\n\r\n{{".encode()
            )
            assert b" 401 " in await reader.readline()
        writer.close()
        await writer.wait_closed()


async def test_nothing_changes_on_get(way) -> None:
    async with house(way.slack, port=way.port) as home:
        async with home.session.get(f"http://127.0.0.1:{home.port}/slack/events?payload=x") as answer:
            assert answer.status == 405
        assert home.ear.calls == 0


async def test_it_acknowledges_in_time_while_500_tasks_run_behind(way) -> None:
    async with house(way.slack, port=way.port) as home:
        stop = asyncio.Event()

        async def task() -> None:
            while not stop.is_set():
                sum(range(500))
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            for _ in range(500):
                group.create_task(task())
            async with HeldUp() as machine:
                for number in range(20):
                    with machine.within(3.0, "an acknowledgement"):
                        assert (await home.post(event(f"Ev{number}")))[0] == 200
            stop.set()
        assert len(home.ear.said) == 20


async def test_it_serves_its_own_address_when_told_to(way) -> None:
    port = free_port()
    async with house(way.slack, port=free_port(), listen=f"127.0.0.1:{port}") as home:
        home.port = port
        assert (await home.post(event("Ev1")))[0] == 200
        await home.channel.say(Place(channel="slack", conversation=await way.slack.dm()), Message("1.m1", "hi"))
