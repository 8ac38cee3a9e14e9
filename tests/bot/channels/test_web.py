"""The console's server, over real HTTP and real sockets on loopback."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import bot.channels.web as web_module
from bot.channels.base import NotWrittenError
from bot.channels.web import Door, OpenDoorError, PortTakenError, Web
from memory.events import Place
from tests.bot.channels.paper_window import COMMANDS, KEY, NOW, PaperHouse, march

PAGE = Path(web_module.__file__).parent
READ_ONLY = ("/", "/page/console.js", "/page/console.css", "/history?before=9", "/tasks", "/timeline/12", "/socket")


def new_id() -> str:
    return str(uuid.uuid4())


@asynccontextmanager
async def serving(
    house: PaperHouse, *, key: str = KEY, host: str = "127.0.0.1", port: int = 0, **more: Any
) -> AsyncIterator[Web]:
    web = Web(host, port, key, house, COMMANDS, now=lambda: NOW, **more)
    house.web = web
    async with asyncio.TaskGroup() as group:
        running = group.create_task(web.run(house))
        starting = group.create_task(web.ready.wait())
        await asyncio.wait({running, starting}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            starting.cancel()
            await running
        try:
            yield web
        finally:
            running.cancel()


class Guest:
    """A browser's bare bones: cookies, an Origin, and a socket that speaks JSON."""

    def __init__(self, session: aiohttp.ClientSession, web: Web) -> None:
        self.session = session
        self.base = f"http://127.0.0.1:{web.port}"
        self.web = web

    async def sign_in(self) -> None:
        async with self.session.get(self.web.url, allow_redirects=False) as answer:
            assert answer.status == 303

    def request(self, method: str, path: str, **more: Any) -> Any:
        headers = {"Origin": self.base} if method == "POST" else {}
        return self.session.request(
            method, self.base + path, headers={**headers, **more.pop("headers", {})}, allow_redirects=False, **more
        )

    @asynccontextmanager
    async def tab(self, *, hello: bool = True) -> AsyncIterator[Tab]:
        async with self.session.ws_connect(f"{self.base}/socket", origin=self.base, max_msg_size=0) as socket:
            tab = Tab(socket)
            if hello:
                await tab.send({"type": "hello"})
                tab.snapshot = await tab.next("snapshot")
            yield tab


class Tab:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.snapshot: dict[str, Any] = {}
        self.seen: list[dict[str, Any]] = []

    async def send(self, frame: dict[str, Any]) -> None:
        await self.socket.send_str(json.dumps(frame))

    async def next(self, *kinds: str) -> dict[str, Any]:
        async with asyncio.timeout(120):
            while True:
                packet = await self.socket.receive()
                assert packet.type is aiohttp.WSMsgType.TEXT, packet
                frame = json.loads(packet.data)
                self.seen.append(frame)
                if frame["type"] in kinds:
                    return frame

    async def say(self, text: str, event: str = "", **more: Any) -> dict[str, Any]:
        await self.send({"type": "say", "id": event or new_id(), "text": text, **more})
        return await self.next("ack", "refused", "not_written", "error")

    async def press(self, handle: str, verb: str, event: str = "", **more: Any) -> dict[str, Any]:
        await self.send({"type": "press", "id": event or new_id(), "handle": handle, "verb": verb, **more})
        return await self.next("ack", "refused", "not_written", "error")


@asynccontextmanager
async def visiting(web: Web, *, signed_in: bool = True) -> AsyncIterator[Guest]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        guest = Guest(session, web)
        if signed_in:
            await guest.sign_in()
        yield guest


@pytest.fixture
def house() -> PaperHouse:
    return PaperHouse()


@pytest.fixture
async def web(house: PaperHouse) -> AsyncIterator[Web]:
    async with serving(house) as web:
        yield web


@pytest.fixture
async def guest(web: Web) -> AsyncIterator[Guest]:
    async with visiting(web) as guest:
        yield guest


# ── who gets in ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_printed_link_becomes_a_strict_cookie_and_leaves_the_address(web: Web) -> None:
    async with visiting(web, signed_in=False) as guest:
        async with guest.session.get(web.url, allow_redirects=False) as answer:
            cookie = answer.headers["Set-Cookie"]
            assert (answer.status, answer.headers["Location"]) == (303, "/")
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert KEY not in cookie
        async with guest.request("GET", "/") as answer:
            assert answer.status == 200
            assert "console.js" in await answer.text()


async def test_an_old_key_behind_the_address_of_a_signed_in_browser_is_dropped(guest: Guest) -> None:
    async with guest.request("GET", "/?key=old") as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/")


async def outsiders_let_in(web: Web) -> list[str]:
    """Try everything an outsider can; return what was not answered with 401 or 403."""
    let_in = []
    everywhere = [
        *((path, "GET") for path in READ_ONLY),
        ("/nowhere", "GET"),
        ("/files?name=a", "POST"),
        ("/", "DELETE"),
        ("/?key=wrong", "GET"),
    ]
    everywhere += [(f"/?key={KEY[:-1]}", "GET"), ("/?key=%ff%00", "GET"), ("/file/" + "a" * 64, "GET")]
    async with visiting(web, signed_in=False) as stranger, visiting(web) as owner:
        own = owner.base.removeprefix("http://")
        tries: list[tuple[str, Guest, str, str, dict[str, str]]] = [
            (f"no cookie, {method} {path}", stranger, method, path, {}) for path, method in everywhere
        ]
        name = f"soloist_{web.port}"
        forged = ("", "x", "Ä", "0" * 64, KEY)
        tries += [(f"forged cookie {c!r}", stranger, "GET", "/", {"Cookie": f"{name}={c}"}) for c in forged]
        for host in (
            "evil.example",
            f"evil.example:{web.port}",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "[",
            "",
            "169.254.1.1",
        ):
            tries.append((f"foreign host {host!r}", owner, "GET", "/", {"Host": host}))
            tries.append((f"key under foreign host {host!r}", stranger, "GET", f"/?key={KEY}", {"Host": host}))
        for origin in (
            "http://evil.example",
            "null",
            "http://127.0.0.1",
            f"http://127.0.0.1:{web.port + 1}",
            f"http://{own}.evil.example",
            f"file://{own}",
        ):
            tries.append((f"foreign origin {origin} posts", owner, "POST", "/files?name=a", {"Origin": origin}))
            tries.append((f"foreign origin {origin} listens", owner, "GET", "/socket", {"Origin": origin, **UPGRADE}))
        tries.append(("socket without origin", owner, "GET", "/socket", UPGRADE))
        for what, who, method, path, headers in tries:
            async with who.request(method, path, headers=headers, data=b"x" if method == "POST" else None) as answer:
                if answer.status not in {401, 403}:
                    let_in.append(f"{what}: {answer.status}")
                if answer.status == 101:
                    answer.close()
        async with owner.session.post(f"{owner.base}/files?name=a", data=b"x") as answer:
            if answer.status != 403:
                let_in.append(f"no origin posts: {answer.status}")
    return let_in


UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
}


async def test_outsiders_get_nothing_at_all(web: Web, house: PaperHouse) -> None:
    before = house.changes
    assert await outsiders_let_in(web) == []
    assert house.changes == before


@pytest.mark.parametrize(
    ("guard", "seen_by"),
    [("has_cookie", "no cookie"), ("_is_ours", "foreign host"), ("_from_own_page", "foreign origin")],
)
async def test_a_door_without_one_of_its_checks_is_noticed(
    house: PaperHouse, guard: str, seen_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = Door if hasattr(Door, guard) else web_module.door
    monkeypatch.setattr(where, guard, lambda *_: True)
    async with serving(house) as open_web:
        let_in = await outsiders_let_in(open_web)
    assert any(line.startswith(seen_by) for line in let_in)


async def test_any_address_is_a_name_of_ours_only_when_bound_to_all_of_them(house: PaperHouse) -> None:
    async with serving(house, host="0.0.0.0", names=("desk.example",)) as web, visiting(web) as guest:
        for host, status in (("192.168.1.5:80", 200), ("[fd00::5]", 200), ("desk.example", 200), ("evil.example", 403)):
            async with guest.request("GET", "/tasks", headers={"Host": host}) as answer:
                assert (host, answer.status) == (host, status)
        assert web.url.startswith("http://127.0.0.1:")


def test_without_a_key_worth_the_name_it_refuses_to_be_made() -> None:
    for host in ("127.0.0.1", "0.0.0.0"):
        with pytest.raises(OpenDoorError, match="approve payments"):
            Web(host, 0, "short", PaperHouse(), COMMANDS)
    assert Web("127.0.0.1", 0, KEY, PaperHouse(), COMMANDS).url.endswith(KEY)


async def test_a_restart_keeps_browsers_signed_in_and_a_new_key_locks_them_out(house: PaperHouse) -> None:
    async with serving(house) as web:
        port = web.port
        async with visiting(web) as guest:
            jar = guest.session.cookie_jar
    for key, status in ((KEY, 200), ("another-key-0123456789", 401)):
        async with (
            serving(house, key=key, port=port) as web,
            aiohttp.ClientSession(cookie_jar=jar) as session,
            Guest(session, web).request("GET", "/tasks") as answer,
        ):
            assert answer.status == status


async def test_a_link_followed_from_a_mail_asks_once_more_and_not_for_ever(web: Web) -> None:
    async with visiting(web, signed_in=False) as guest:
        async with guest.request("GET", "/", headers={"Sec-Fetch-Site": "cross-site"}) as answer:
            assert (answer.status, answer.headers["Refresh"]) == (401, "0; url=/")
        async with guest.request("GET", "/", headers={"Sec-Fetch-Site": "same-origin"}) as answer:
            assert answer.status == 401
            assert "Refresh" not in answer.headers


async def test_every_answer_forbids_framing_sniffing_and_foreign_script(guest: Guest, web: Web) -> None:
    async with visiting(web, signed_in=False) as stranger:
        for who, method, path in (
            *((guest, "GET", path) for path in READ_ONLY),
            (guest, "GET", "/nowhere"), (guest, "PUT", "/"), (stranger, "GET", "/"), (stranger, "GET", f"/?key={KEY}"),
        ):  # fmt: skip
            async with who.request(method, path) as answer:
                assert answer.headers["X-Frame-Options"] == "DENY"
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["Referrer-Policy"] == "no-referrer"
                assert answer.headers["Cache-Control"] == "no-store"
                policy = answer.headers["Content-Security-Policy"]
                assert policy.startswith("default-src 'none'")
                assert "frame-ancestors 'none'" in policy
                assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]


def test_the_page_loads_nothing_from_elsewhere_and_never_turns_text_into_markup() -> None:
    html = (PAGE / "index.html").read_text()
    assert re.findall(r'(?:src|href|action)="([^"]*)"', html)
    assert all(url.startswith(("/page/", "#")) for url in re.findall(r'(?:src|href|action)="([^"]*)"', html))
    assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*src=)", html)
    scripts = sorted(PAGE.glob("*.js"))
    assert len(scripts) == 7
    for script in scripts:
        words = script.read_text()
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc", words
        ), script
        assert set(re.findall(r"https?://[^\"'` $]+", words)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|url\(", (PAGE / "console.css").read_text())


async def test_no_get_changes_anything_ever(guest: Guest, house: PaperHouse) -> None:
    await march(house)
    handles = [button.handle for button in house.cards["12.1"].buttons]
    before = (house.changes, dict(house.cards))
    paths = [*READ_ONLY, f"/?key={KEY}", "/files?name=a", "/files"]
    paths += [f"/{word}/{handle}" for word in ("press", "approve", "card", "file", "socket") for handle in handles]
    paths += [f"/socket?type=press&verb=approve&handle={handle}" for handle in handles]
    for path in paths:
        for method in ("GET", "HEAD"):
            async with guest.request(method, path) as answer:
                assert answer.status < 500
    assert (house.changes, house.cards) == before
    async with guest.tab() as tab:
        assert (await tab.press(handles[0], "approve"))["type"] == "ack"
    assert (house.changes, house.cards) != before  # the count does notice


async def test_the_key_reaches_no_log(house: PaperHouse, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(house) as web, visiting(web) as guest, guest.tab() as tab:
        house.broken = True
        await tab.say("hello")
        async with guest.request("GET", f"/?key={KEY}x") as answer:
            assert answer.status == 303
    assert "Mistake" in caplog.text
    assert KEY not in caplog.text


async def test_a_taken_port_is_said_in_words(web: Web) -> None:
    with pytest.raises(PortTakenError, match="choose another port"):
        await Web("127.0.0.1", web.port, KEY, PaperHouse(), COMMANDS).run(PaperHouse())


# ── what is typed and pressed ─────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_typed_is_acknowledged_once_it_is_on_disk(guest: Guest, house: PaperHouse) -> None:
    house.gate = asyncio.Event()
    async with guest.tab() as tab:
        event = new_id()
        await tab.send({"type": "say", "id": event, "text": "invoice Acme 1,200", "reply_to": "12.1"})
        async with guest.request("GET", "/tasks") as answer:  # the server is alive, and has had its turn
            assert answer.status == 200
        assert event not in house.heard_ids
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await tab.socket.receive()
        house.gate.set()
        ack = await tab.next("ack")
        assert (ack["id"], ack["task"]) == (event, house.heard_ids[event])
    text, place, reply_to = house.heard_texts[0]
    assert (text, place.channel, place.conversation, reply_to) == ("invoice Acme 1,200", "web", "main", "12.1")


async def test_a_message_sent_again_after_a_lost_answer_is_one_message(guest: Guest, house: PaperHouse) -> None:
    event = new_id()
    async with guest.tab() as tab:
        first = await tab.say("Acme paid 2026-0001", event)
    async with guest.tab(hello=False) as tab:  # a page resends first and asks for everything after
        again = await tab.say("Acme paid 2026-0001", event)
        await tab.send({"type": "hello"})
        snapshot = await tab.next("snapshot")
    assert first["task"] == again["task"]
    assert [turn["text"] for turn in snapshot["turns"]] == ["Acme paid 2026-0001"]


async def test_what_could_not_be_written_is_not_acknowledged_and_may_come_again(
    guest: Guest, house: PaperHouse
) -> None:
    house.disk_full = "The disk is full. Free some space and try again."
    await march(house)
    event, press = new_id(), new_id()
    async with guest.tab() as tab:
        for answer, of in (
            (await tab.say("hello", event), event),
            (await tab.press("12.1-1-p", "approve", press), press),
        ):
            assert answer == {"type": "not_written", "id": of, "text": house.disk_full}
        async with guest.request("POST", "/files?name=a.txt", data=b"x") as refused:
            assert refused.status == 200
        house.disk_full = ""
        assert (await tab.say("hello", event))["type"] == "ack"
        assert (await tab.press("12.1-1-p", "approve", press))["type"] == "ack"
    assert len(house.heard_texts) == len(house.presses) == 1


async def test_a_press_settles_the_card_in_every_tab(guest: Guest, house: PaperHouse) -> None:
    await march(house)
    async with guest.tab() as desk, guest.tab() as phone:
        assert (await desk.press("12.1-1-p", "approve"))["text"] == "Approved."
        for tab in (desk, phone):
            shown = next((f for f in tab.seen if f["type"] == "card"), None) or await tab.next("card")
            assert (shown["card"]["id"], shown["card"]["state"], shown["fresh"]) == ("12.1", "approved", False)
            assert shown["card"]["buttons"][0]["until"] == "2026-03-02T09:12:28Z"
            assert (await tab.next("home"))["home"]["waiting"] == []
        late = await phone.press("12.1-1-p", "reject")
        assert late["type"] == "refused"
        assert "Nothing was done" in late["text"]


async def test_what_is_typed_in_one_tab_shows_in_the_others(guest: Guest) -> None:
    event = new_id()
    async with guest.tab() as desk, guest.tab() as phone:
        await desk.say("what's unpaid?", event)
        turn = await phone.next("turn")
        assert (turn["id"], turn["turn"]["text"]) == (event, "what's unpaid?")
        assert not [frame for frame in desk.seen if frame["type"] == "turn"]


async def test_what_is_typed_in_another_channel_shows_in_an_open_tab(guest: Guest) -> None:
    async with guest.tab() as tab:
        await guest.web.overhear("7", "from the phone", (), Place(channel="telegram", conversation="1"))
        turn = (await tab.next("turn"))["turn"]
        assert (turn["who"], turn["text"], turn["task"]) == ("telegram", "from the phone", "7")


async def test_edits_reasons_and_times_arrive_as_they_were_given(guest: Guest, house: PaperHouse) -> None:
    await march(house)
    async with guest.tab() as tab:
        await tab.press("12.1-1-e", "edit", edits={"mail.send.subject": "March\x00, at last\x1b[2J"})
        await tab.press("12.1-2-z", "snooze", until="2026-03-03T09:00:00+01:00")
        await tab.press("12.1-2-r", "reject", reason="Wrong amount")
    edit, snooze, reject = house.presses
    assert edit["edits"] == {"mail.send.subject": "March, at last[2J"}
    assert snooze["until"].isoformat() == "2026-03-03T09:00:00+01:00"
    assert reject["reason"] == "Wrong amount"
    assert house.cards["12.1"].revision == 2


async def test_a_time_without_a_zone_is_refused(guest: Guest, house: PaperHouse) -> None:
    await march(house)
    async with guest.tab() as tab:
        assert (await tab.press("12.1-1-z", "snooze", until="2026-03-03T09:00:00"))["type"] == "error"
        assert (await tab.press("12.1-1-z", "snooze", until="2026-03-03T09:00:00Z"))["type"] == "ack"


async def test_a_mistake_of_ours_is_logged_whole_and_the_line_goes_on(
    guest: Guest, house: PaperHouse, caplog: pytest.LogCaptureFixture
) -> None:
    house.broken = True
    async with guest.tab() as tab:
        answer = await tab.say("hello")
        house.broken = False
        assert (await tab.say("hello"))["type"] == "ack"
    assert answer["type"] == "not_written"
    number = re.search(r"under (\w{6})", answer["text"])
    assert number
    assert number[1] in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert "ZeroDivisionError" not in answer["text"]


async def test_an_empty_message_is_told_so(guest: Guest, house: PaperHouse) -> None:
    async with guest.tab() as tab:
        assert (await tab.say(" \n\x00"))["type"] == "refused"
    assert house.heard_texts == []


# ── the page is a view ────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_tab_opened_late_is_shown_everything(guest: Guest, house: PaperHouse) -> None:
    await march(house)
    async with guest.tab() as tab:
        kinds = [next(k for k in ("card", "message", "text") if turn[k]) for turn in tab.snapshot["turns"]]
        assert kinds == ["message", "text", "message", "text", "card"]
        assert [card["id"] for card in tab.snapshot["home"]["waiting"]] == ["12.1"]
        assert ["help", "what I can do"] in tab.snapshot["commands"]
        assert tab.snapshot["now"] == "2026-03-02T09:12:00Z"


async def test_words_and_cards_reach_an_open_tab_and_return_their_reference(
    guest: Guest, house: PaperHouse, web: Web
) -> None:
    async with guest.tab() as tab:
        await house.say("Booked.", kind="receipt")
        assert (await tab.next("message"))["message"]["text"] == "Booked."
        await house.put(house.invoice())
        assert (await tab.next("card"))["fresh"] is True
        place = web.home()
        assert place is not None
        assert await web.ask(place, house.cards["12.1"]) == "12.1"


async def test_earlier_turns_are_fetched_by_number(guest: Guest, house: PaperHouse) -> None:
    for number in range(80):
        await house.say(f"line {number}")
    async with guest.tab() as tab:
        assert (len(tab.snapshot["turns"]), tab.snapshot["has_more"]) == (60, True)
        first = tab.snapshot["turns"][0]["seq"]
    async with guest.request("GET", f"/history?before={first}") as answer:
        words = await answer.json()
        older = words["turns"]
        assert words["has_more"] is False
    assert [turn["message"]["text"] for turn in older] == [f"line {number}" for number in range(20)]


async def test_tasks_and_timelines_are_readable(guest: Guest) -> None:
    async with guest.request("GET", "/tasks") as answer:
        assert (await answer.json())["tasks"][0]["id"] == "12"
    async with guest.request("GET", "/timeline/12") as answer:
        assert (await answer.json())["lines"][0]["what"] == "Asked"
    async with guest.request("GET", "/timeline/nothing") as answer:
        assert answer.status == 404
        assert "no such task" in (await answer.json())["text"]


async def test_a_tab_that_cannot_keep_up_is_asked_to_start_over_and_holds_nobody_up() -> None:
    closed = []

    class Socket:
        async def send_str(self, frame: str) -> None:
            raise AssertionError("nothing old is sent to a tab that starts over")

        async def close(self, **_: Any) -> None:
            closed.append(True)

    tab = web_module.Tab(Socket())  # type: ignore[arg-type]
    for _ in range(web_module.tab.BEHIND_MAX + 1):
        tab.push("{}")
    await tab.write()
    assert closed == [True]


async def test_stopping_closes_open_tabs_at_once(house: PaperHouse) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with serving(house) as web:
            guest = Guest(session, web)
            await guest.sign_in()
            socket = await session.ws_connect(f"{guest.base}/socket", origin=guest.base)
        async with asyncio.timeout(120):
            packet = await socket.receive()
        assert packet.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}
        assert web._tabs == set()
        await socket.close()


# ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_files_are_served_by_digest_and_run_nothing(guest: Guest, house: PaperHouse) -> None:
    invoice = house.invoice().files[0]
    page = house.keep(b"<script>alert(1)</script>", 'evil".html', "text/html")
    svg = house.keep(b"<svg onload='alert(1)'/>", "a.svg", "image/svg+xml")
    async with guest.request("GET", f"/file/{invoice.sha256}") as answer:
        assert (answer.content_type, answer.status) == ("application/pdf", 200)
        assert answer.headers["Content-Disposition"].startswith("inline; filename*=UTF-8''Invoice-2026-0001.pdf")
        assert "sandbox" in answer.headers["Content-Security-Policy"]
    for file in (page, svg):
        async with guest.request("GET", f"/file/{file.sha256}") as answer:
            assert answer.content_type == "application/octet-stream"
            assert answer.headers["Content-Disposition"].startswith("attachment;")
            assert "sandbox" in answer.headers["Content-Security-Policy"]
    for nothing in ("b" * 64, "../../etc/passwd", "..%2f..%2fetc%2fpasswd", "B" * 64, "x"):
        async with guest.request("GET", f"/file/{nothing}") as answer:
            assert answer.status == 404


async def test_a_dropped_file_is_kept_and_goes_with_the_message(guest: Guest, house: PaperHouse) -> None:
    async with guest.request(
        "POST", "/files?name=../a%E2%80%AEfdp.txt", data=b"hello", headers={"Content-Type": "text/plain"}
    ) as answer:
        file = (await answer.json())["file"]
    assert (file["name"], file["size"], file["media_type"]) == ("afdp.txt", 5, "text/plain")
    async with guest.tab() as tab:
        told = {**file, "size": 1}
        assert (await tab.say("", files=[told]))["type"] == "ack"
        assert (await tab.say("", files=[{**file, "sha256": "c" * 64}]))[
            "text"
        ] == "afdp.txt is no longer here. Drop it again."
        assert (await tab.say("", files=[{**file, "sha256": "../x"}]))["type"] == "refused"
    assert [f.size for f in house.turns[-1].files] == [5]


async def test_a_file_that_cannot_be_taken_is_refused_in_words(
    guest: Guest, house: PaperHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with guest.request("POST", "/files?name=a", data=b"") as answer:
        assert (answer.status, (await answer.json())["text"]) == (400, "The file is empty.")
    monkeypatch.setattr(web_module.shelf, "FILE_BYTES_MAX", 10)
    async with guest.request("POST", "/files?name=a", data=b"x" * 11) as answer:
        assert answer.status == 413

    def full(*_: Any) -> Any:
        raise NotWrittenError("The disk is full.")

    monkeypatch.setattr(house, "keep", full)
    async with guest.request("POST", "/files?name=a", data=b"x") as answer:
        assert (answer.status, (await answer.json())["text"]) == (503, "The disk is full.")


# ── malformed input (T13) ─────────────────────────────────────────────────────────────────────────────────────────


def bent_frames(dice: random.Random) -> Callable[[], str]:
    """Frames that are no frames: wrong types, unknown kinds, forged fields, broken JSON, deep nesting."""
    good = {"type": "say", "id": "x", "text": "hi"}
    values: list[Any] = [
        None,
        1,
        -1.5,
        True,
        [],
        {},
        "",
        "x" * 5000,
        "\u202e",
        "\ud800",
        {"a": {"b": []}},
        [[[]]],
        "9" * 400,
    ]
    words = [
        "type",
        "id",
        "text",
        "files",
        "reply_to",
        "handle",
        "verb",
        "actor",
        "origin",
        "edits",
        "until",
        "__proto__",
    ]
    kinds = ["say", "press", "approve", "snapshot", "ack", "card", "", "SAY", None, 3]

    def bent() -> str:
        shape = dice.randrange(6)
        if shape == 0:
            return "".join(chr(dice.randrange(1, 0x300)) for _ in range(dice.randrange(40)))
        if shape == 1:
            whole = json.dumps({**good, "id": new_id()})
            return whole[: dice.randrange(len(whole))]
        if shape == 2:
            return "[" * dice.randrange(1, 3000)
        if shape == 3:
            return json.dumps(dice.choice(values))
        frame: dict[str, Any] = {"type": dice.choice(kinds)}
        for _ in range(dice.randrange(1, 6)):
            frame[dice.choice(words[1:])] = dice.choice(values)
        if shape == 4:  # valid in everything but one forged field
            frame = {
                **good,
                "id": str(uuid.UUID(int=dice.getrandbits(128))),
                dice.choice(["actor", "user", "place", "account"]): "x",
            }
        return json.dumps(frame)

    return bent


async def test_five_thousand_malformed_inputs_get_an_answer_and_change_nothing(guest: Guest, house: PaperHouse) -> None:
    seed = 20260302
    dice = random.Random(seed)
    bent = bent_frames(dice)
    before = house.changes
    async with guest.tab() as tab:
        for number in range(4000):
            frame = bent()
            if number % 50 == 0:
                await tab.socket.send_bytes(frame.encode(errors="replace"))
            else:
                await tab.socket.send_str(frame.encode(errors="replace").decode())
            answer = await tab.next("error", "ack", "refused", "not_written")
            assert answer["type"] == "error", (seed, number, frame)
            assert "Nothing was done" in answer["text"]
        statuses = {}
        for number in range(1000):
            path = dice.choice(
                ["/history?before=", "/timeline/", "/file/", "/page/", "/tasks?", "/files?name=", "/socket?", "/"]
            )
            path += "".join(dice.choice("%ax/.0\\?&=#;'\"é\u202e ") for _ in range(dice.randrange(30)))
            method = dice.choice(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
            if method == "POST" and path.startswith("/files"):
                method = "PUT"
            async with guest.request(method, path) as answer:
                assert answer.status < 500, (seed, number, method, path)
                statuses[answer.status] = statuses.get(answer.status, 0) + 1
        assert house.changes == before
        assert sum(frame["type"] == "error" for frame in tab.seen) == 4000
        assert sum(statuses.values()) == 1000
        assert (await tab.say("still here?"))["type"] == "ack"
    assert len(statuses) > 2


async def test_a_frame_too_large_closes_that_socket_alone(guest: Guest) -> None:
    async with guest.tab() as big, guest.tab() as other:
        await big.socket.send_str("x" * 1_100_000)
        packet = await big.socket.receive()
        assert packet.type is aiohttp.WSMsgType.CLOSE
        assert packet.data == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
        assert (await other.say("hello"))["type"] == "ack"
