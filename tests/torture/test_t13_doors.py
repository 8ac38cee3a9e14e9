"""T13 over the wire: what nobody should send comes to every door of the house, signed and unsigned.

Real payloads with something wrong in them (a field of another kind, none, too deep, too long, bytes cut off), and plain
garbage. A door answers within a second and never with 5xx, who does not sign is told 401 or 403, and after it all an honest
message is still heard. What lies behind the doors is `test_t13_malformed`.
"""

from __future__ import annotations

import copy
import json
import random
import traceback
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import pytest

from connectors import webhooks
from connectors.base import Workshop
from connectors.webhooks import Webhooks
from memory.files import FileStore
from tests.bot.channels.paper_window import PaperHouse as PaperWindow
from tests.bot.channels.slack_house import house as slack_house
from tests.bot.channels.telegram.stage import OPERATOR, SECRET, stage
from tests.bot.channels.test_slack_http import _press, event
from tests.bot.channels.test_web import READ_ONLY, Guest, new_id, serving, visiting
from tests.connectors.test_webhooks import BOUGHT, FORM, NOW, WHSEC, Inbox, listening, plain, standard
from tests.connectors.test_webhooks import SECRET as HOOK_SECRET
from tests.counterparts.ports import free_port
from tests.counterparts.slack import ALICE, TEAM, local_slack
from tests.held_up import HeldUp
from tests.torture.bare import Found, broken
from tests.torture.test_t13_malformed import HANG_S, garbage

AWAY = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
Send = Callable[[bytes, bool], Awaitable[int]]
"""A body, and whether it is signed → the status of the answer."""


def deep(chance: random.Random) -> Any:
    value: Any = garbage(chance)
    for _ in range(chance.randint(1, 60)):
        value = [value] if chance.random() < 0.5 else {garbage(chance): value}
    return value


def odd(chance: random.Random) -> Any:
    return chance.choice(
        (None, True, 0, -1, 2**63, 10**30, 1e308, "", garbage(chance), [], {}, [None], {"type": "x"}, deep(chance))
    )


def mangled(value: Any, chance: random.Random) -> Any:
    """Return a payload with one to three things wrong, somewhere in it."""
    found = copy.deepcopy(value)
    for _ in range(chance.randint(1, 3)):
        here, path = found, []
        while isinstance(here, dict | list) and here and (not path or chance.random() < 0.7):
            key = chance.choice(list(here) if isinstance(here, dict) else range(len(here)))
            path.append((here, key))
            here = here[key]
        if not path:
            return odd(chance)
        inside, key = path[-1]
        match chance.randrange(4):
            case 0:
                del inside[key]
            case 1 if isinstance(inside, dict):
                inside[garbage(chance)] = inside[key]
            case _:
                inside[key] = odd(chance)
    return found


def body_of(payload: Any, chance: random.Random) -> bytes:
    """Return the bytes of a payload, now and then cut, doubled or not JSON at all."""
    whole = json.dumps(payload).encode()
    match chance.randrange(12):
        case 0:
            return whole[: chance.randrange(len(whole) + 1)]
        case 1:
            return whole + whole
        case 2:
            return garbage(chance).encode("utf-8", "surrogatepass")
        case 3:
            return chance.randbytes(chance.randint(0, 300))
        case _:
            return whole


async def _storm(
    door: str, send: Send, bodies: Callable[[], bytes], count: int, chance: random.Random, found: Found
) -> None:
    """Every fourth is not signed."""
    async with HeldUp() as machine:
        for number in range(count):
            signed, body = number % 4 != 0, bodies()
            with machine.within(HANG_S, f"{door}: {body[:300]!r}"):
                status = await send(body, signed)
            found.counts[f"{door} {status}"] += 1
            found.counts["over the wire"] += 1
            if signed:
                found.expect(status < HTTPStatus.INTERNAL_SERVER_ERROR, f"{door}: {status} for {body[:300]!r}")
            else:
                found.expect(status in AWAY, f"{door}: unsigned, {status} for {body[:300]!r}")


# ── Slack ─────────────────────────────────────────────────────────────────────────────────────────────────────────

COMMAND = {
    "command": "/solo", "text": "stuck", "user_id": ALICE, "team_id": TEAM, "channel_id": "C1", "trigger_id": "t1",
    "response_url": "http://127.0.0.1:9/none",
}  # fmt: skip
SUBMITTED = {
    "type": "view_submission", "team": {"id": TEAM}, "user": {"id": ALICE, "team_id": TEAM}, "trigger_id": "t9",
    "view": {
        "id": "V1", "callback_id": "edit", "private_metadata": '{"handle": "x"}', "hash": "h",
        "state": {"values": {"body": {"body": {"type": "plain_text_input", "value": "Hi"}}}},
    },
}  # fmt: skip


def _slack_payloads(chance: random.Random) -> tuple[str, Any]:
    """What Slack might send: its kind for Socket Mode, and the payload with something wrong."""
    kind = chance.choice(("events_api", "interactive", "slash_commands"))
    if kind == "events_api":
        text = chance.choice(("hello", garbage(chance)))
        return kind, mangled(json.loads(event(f"Ev{chance.random()}", text)), chance)
    if kind == "interactive":
        return kind, mangled(chance.choice((_press(chance.randrange(10**6)), SUBMITTED)), chance)
    return kind, mangled(COMMAND, chance)


async def slack_http(count: int, chance: random.Random, found: Found) -> None:
    port = free_port()
    with local_slack("events", f"http://127.0.0.1:{port}/slack/events") as running:
        async with slack_house(running, port=port) as home:
            kinds: list[str] = [""]

            def bodies() -> bytes:
                kinds[0], payload = _slack_payloads(chance)
                if kinds[0] == "slash_commands" and isinstance(payload, dict):
                    return urlencode({key: str(value) for key, value in payload.items()}, errors="replace").encode()
                body = body_of(payload, chance)
                return b"payload=" + quote(body).encode() if kinds[0] == "interactive" else body

            async def send(body: bytes, signed: bool) -> int:  # noqa: FBT001
                form = kinds[0] != "events_api"
                return (await home.post(body, form=form, secret=None if signed else "0" * 32))[0]

            await _storm("slack http", send, bodies, count, chance, found)
            found.expect((await home.post(event("EvLast", "still there?")))[0] == HTTPStatus.OK, "slack http: deaf")
            await home.ear.until(lambda: any(said.text == "still there?" for said in home.ear.said))


async def slack_socket(count: int, chance: random.Random, found: Found) -> None:
    with local_slack("socket") as running:
        async with slack_house(running) as home:
            for number in range(count):
                kind, payload = _slack_payloads(chance)
                socket = next(iter(home.edge._sockets), None)
                if socket is None or chance.random() < 0.1:
                    await home.edge.connected()
                    socket = next(iter(home.edge._sockets))
                if chance.random() < 0.2:
                    await socket.send_str(body_of(payload, chance).decode("utf-8", "replace"))
                else:
                    frame = {"envelope_id": f"g{number}", "type": kind, "payload": payload}
                    frame = mangled(frame, chance) if chance.random() < 0.3 else frame
                    if isinstance(frame, dict) and not isinstance(frame.get("envelope_id"), str):
                        frame["envelope_id"] = f"g{number}"  # the workspace of the test keeps its books by it
                    await socket.send_str(json.dumps(frame))
                found.counts["over the wire"] += 1
                if number % 50 == 49:
                    await _answered(home, f"alive{number}", found)
            await _answered(home, "last", found)


async def _answered(home: Any, name: str, found: Found) -> None:
    """An honest envelope gets its acknowledgement however much garbage came before it."""
    await home.edge.connected()
    payload = json.loads(event(f"Ev-{name}", f"still there, {name}?"))
    await home.edge.envelope("events_api", payload, name)
    try:
        await home.edge.ack(name)
    except TimeoutError:
        found.faults.append(f"slack socket: an honest envelope got no answer at {name}")
    found.counts["slack socket answered"] += 1


# ── Telegram ──────────────────────────────────────────────────────────────────────────────────────────────────────

PERSON = {"id": OPERATOR, "is_bot": False, "first_name": "Ada", "username": "ada"}
SAID = {
    "message_id": 7, "date": 1_772_442_000, "chat": {"id": OPERATOR, "type": "private", "first_name": "Ada"},
    "from": PERSON, "text": "hello", "entities": [{"type": "bot_command", "offset": 0, "length": 5}],
}  # fmt: skip
FILED = {
    **SAID,
    "document": {"file_id": "f1", "file_unique_id": "u1", "file_name": "a.pdf", "file_size": 5},
    "caption": "x",
}
ANSWERED = {**SAID, "reply_to_message": {**SAID, "message_id": 5, "from": {**PERSON, "is_bot": True}}}
PRESSED = {"id": "q1", "from": PERSON, "chat_instance": "1", "data": "12.1:1:abc|approve", "message": SAID}


def _update(number: int, chance: random.Random) -> Any:
    kind, value = chance.choice(
        (
            ("message", SAID),
            ("message", FILED),
            ("message", ANSWERED),
            ("edited_message", SAID),
            ("callback_query", PRESSED),
        )
    )
    whole = {"update_id": 1_000_000 + number, kind: value}
    return mangled(whole, chance)


async def telegram_webhook(count: int, chance: random.Random, found: Found) -> None:
    async with stage("webhook") as on, aiohttp.ClientSession() as session:
        assert on.webhook is not None
        address, numbers = on.webhook.address, iter(range(count))

        async def send(body: bytes, signed: bool) -> int:  # noqa: FBT001
            headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET if signed else chance.choice(("", "x", SECRET[:-1]))}
            async with session.post(
                address, data=body, headers={**headers, "Content-Type": "application/json"}
            ) as answer:
                return answer.status

        await _storm(
            "telegram webhook", send, lambda: body_of(_update(next(numbers), chance), chance), count, chance, found
        )
        on.telegram.user_says("still there?")
        await on.until(lambda: any(said.text == "still there?" for said in on.ear.heard_all))
        on.telegram.complaints.clear()  # garbage names chats and messages that are not there


async def telegram_polling(count: int, chance: random.Random, found: Found) -> None:
    async with stage("polling") as on:
        for number in range(count):
            update = _update(number, chance)
            if not isinstance(update, dict) or not isinstance(update.get("update_id"), int):
                update = {
                    **(update if isinstance(update, dict) else {"message": update}),
                    "update_id": 1_000_000 + number,
                }
            update["update_id"] = 1_000_000 + number  # Telegram's own counting is not what is tried here
            on.telegram.sends_raw(update)
            found.counts["over the wire"] += 1
            if number % 100 == 99:
                await on.quiet()
        on.telegram.sends_raw(
            {"update_id": 1_000_001 + count, "message": {**SAID, "text": "still there?", "entities": []}}
        )
        await on.until(lambda: any(said.text == "still there?" for said in on.ear.heard_all))
        found.counts["telegram polling heard"] += len(on.ear.heard_all)
        on.telegram.complaints.clear()


# ── web hooks and the console ─────────────────────────────────────────────────────────────────────────────────────


async def web_hooks(folder: Path, count: int, chance: random.Random, found: Found) -> None:
    shop = Workshop(folder, FileStore(folder / "files"), lambda: NOW)
    hooks = Webhooks(shop, host="127.0.0.1", port=0, secrets={"forms": (HOOK_SECRET,), "shop": (WHSEC,)})
    inbox = Inbox()
    async with listening(hooks, inbox.deliver) as http:

        async def send(body: bytes, signed: bool) -> int:  # noqa: FBT001
            source = chance.choice(("forms", "shop"))
            headers = (plain(body) if source == "forms" else standard(body, f"m{chance.random()}")) if signed else {}
            if not signed and chance.random() < 0.7:
                headers = plain(body, secret="not the secret of the forms")
            return (await http.post(f"/hooks/{source}", content=body, headers=headers)).status_code

        def bodies() -> bytes:
            return body_of(mangled(json.loads(chance.choice((FORM, BOUGHT))), chance), chance)

        await _storm("web hooks", send, bodies, count, chance, found)
        found.expect(
            (await http.post("/hooks/forms", content=FORM, headers=plain(FORM))).status_code == 200, "hooks: deaf"
        )
        big = b"x" * (webhooks.BODY_MAX + 1)
        status = (await http.post("/hooks/forms", content=big, headers=plain(big))).status_code
        found.expect(status in AWAY, f"hooks: {status} for what is too big to be looked at")


FRAMES = (
    {"type": "hello"}, {"type": "home"}, {"type": "say", "id": "x", "text": "hello", "files": [], "reply_to": "12.1"},
    {"type": "press", "id": "x", "handle": "12.1:1:abc", "verb": "approve", "reason": "", "edits": {"1.body": "x"}},
)  # fmt: skip


async def console(count: int, chance: random.Random, found: Found) -> None:
    async with serving(PaperWindow()) as web, visiting(web) as guest, visiting(web, signed_in=False) as stranger:

        async def send(_: bytes, signed: bool) -> int:  # noqa: FBT001
            path = chance.choice((*READ_ONLY, "/files", "/file/" + "a" * 64))
            tail = quote(garbage(chance)[:200], errors="replace") if chance.random() < 0.6 else ""
            method = "POST" if path == "/files" or chance.random() < 0.1 else "GET"
            who: Guest = guest if signed else stranger
            more = {"data": chance.randbytes(chance.randint(0, 2000))} if method == "POST" else {}
            async with who.request(method, path + chance.choice(("", "/", "?before=", "?")) + tail, **more) as answer:
                await answer.read()
                return int(answer.status)

        await _storm("console http", send, lambda: b"", count // 2, chance, found)
        for number in range(0, count // 2, 50):
            await _frames(guest, min(50, count // 2 - number), chance, found)


async def _frames(guest: Guest, count: int, chance: random.Random, found: Found) -> None:
    """Fifty frames on one socket, or fewer where the house hangs up; the next one is greeted again."""
    async with guest.tab() as tab:
        for _ in range(count):
            found.counts["over the wire"] += 1
            if tab.socket.closed:
                break
            frame = mangled({**chance.choice(FRAMES), "id": new_id()}, chance)
            try:
                if chance.random() < 0.1:
                    await tab.socket.send_bytes(chance.randbytes(50))
                else:
                    await tab.socket.send_str(body_of(frame, chance).decode("utf-8", "replace"))
            except ConnectionError:
                found.counts["console hung up"] += 1
                break
    async with guest.tab() as fresh:
        answer = await fresh.say("still there?")
        found.expect(answer["type"] == "ack", f"console: an honest line got {answer}")


async def torture(folder: Path, count: int, seed: int, *, only: str = "") -> Found:
    """``count`` at each of the six doors, or at one."""
    found, chance = Found(seed), random.Random(seed)
    doors: dict[str, Callable[[], Awaitable[None]]] = {
        "slack http": lambda: slack_http(count, chance, found),
        "slack socket": lambda: slack_socket(count, chance, found),
        "telegram webhook": lambda: telegram_webhook(count, chance, found),
        "telegram polling": lambda: telegram_polling(count, chance, found),
        "web hooks": lambda: web_hooks(folder, count, chance, found),
        "console": lambda: console(count, chance, found),
    }
    for door, knocked in doors.items():
        if only not in {"", door}:
            continue
        try:
            await knocked()
        except Exception as error:
            found.faults.append(f"{door} broke: {''.join(traceback.format_exception(error))}")
        found.counts["doors"] += 1
    return found


@pytest.mark.node
async def test_every_door_answers_what_nobody_should_send(tmp_path: Path) -> None:
    found = await torture(tmp_path, 60, 13)
    assert not found.faults, found
    assert found.counts["doors"] == 6


async def test_twin_a_door_that_believes_everybody_is_seen(tmp_path: Path) -> None:
    with broken(webhooks, "verify", lambda *_: "anybody"):
        found = await torture(tmp_path, 20, 13, only="web hooks")
    assert any("unsigned, 200" in fault for fault in found.faults), found


async def test_twin_a_door_that_falls_over_what_it_does_not_know_is_seen(tmp_path: Path) -> None:
    def falls(_: bytes) -> None:
        raise KeyError("type")

    with broken(webhooks.bodies, "read", falls):
        found = await torture(tmp_path, 20, 13, only="web hooks")
    assert any(": 500 for" in fault for fault in found.faults), found
