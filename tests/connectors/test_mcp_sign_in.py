"""Signing in to an MCP server: the SDK's own authorisation server on loopback, and a person with a browser."""

from __future__ import annotations

import asyncio
import json
import os
import re
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from connectors.base import RefusedError, TryLaterError, Workshop
from connectors.mcp_servers import Server, read_servers
from connectors.mcp_sign_in import Kept, guard
from connectors.mcp_tools import Mcp, sign_in
from tests.connectors.test_oauth_sign_in import Screen, nobody
from tests.counterparts.mcp_login import behind_login

ROOT = Path(__file__).parents[2]


class Home:
    """A home whose connectors.toml names one server that wants a sign-in."""

    def __init__(self, folder, url, login):
        self.home, self.url, self.login = folder / "home", url, login
        self.home.mkdir()
        self.ledger = folder / "ledger"
        self.now = datetime.now(UTC)
        self.workshop = Workshop(self.home, None, lambda: self.now)
        self.write()

    def write(self, more=""):
        (self.home / "connectors.toml").write_text(f'[mcp.notes]\nurl = "{self.url}"\n{more}')

    @property
    def server(self):
        return read_servers(self.home / "connectors.toml")["notes"]

    @property
    def note(self):
        return self.home / "oauth" / "mcp-notes.json"

    @property
    def kept(self):
        return json.loads(self.note.read_text())

    async def signs_in(self):
        screen = Screen()
        waiting = asyncio.ensure_future(sign_in(self.server, self.workshop, screen, nobody))
        browsing = asyncio.ensure_future(screen.browses())
        await asyncio.wait({waiting, browsing}, return_when=asyncio.FIRST_COMPLETED)
        return await waiting

    async def opens(self):
        return await asyncio.to_thread(Mcp.open, {}, self.workshop)

    def notes(self):
        return self.ledger.read_text().splitlines() if self.ledger.exists() else []


@pytest.fixture
async def there(tmp_path):
    async with behind_login(tmp_path / "ledger") as (url, login):
        yield Home(tmp_path, url, login)


async def jot(mcp, text="milk"):
    return await getattr(mcp, type(mcp).actions()["mcp.notes.jot"].method)(text=text)


async def test_once_signed_in_its_tools_are_used_and_the_tokens_lie_with_the_others(there):
    assert not type(await there.opens()).actions(), "who is not signed in sees no tool"
    assert await there.signs_in() == 11
    assert stat.S_IMODE(there.note.stat().st_mode) == 0o600
    mcp = await there.opens()
    await jot(mcp)
    assert there.notes() == ["- milk"]
    assert (await mcp.health()).ok
    assert there.login.asked == ["register", "authorize", "code"], "each is asked once"


async def test_a_server_that_wants_a_sign_in_says_how_and_nothing_is_called(there):
    health = await (await there.opens()).health()
    assert not health.ok
    assert health.remedy == "notes wants you to sign in: python -m bot sign-in notes"
    await there.signs_in()
    there.note.unlink()
    with pytest.raises(RefusedError, match="python -m bot sign-in notes"):
        await jot(await there.opens())
    assert there.notes() == []


async def test_a_token_that_ends_is_renewed_before_the_call_also_after_a_restart(there):
    await there.signs_in()
    first = there.kept["tokens"]
    there.now += timedelta(hours=2)
    there.login.revoke()
    note = there.kept | {"until": (datetime.now(UTC) - timedelta(minutes=1)).isoformat()}
    there.note.write_text(json.dumps(note))
    await jot(await there.opens())
    assert there.notes() == ["- milk"]
    assert there.login.asked[3:] == ["refresh"]
    assert there.kept["tokens"]["refresh_token"] not in first.values(), "the newest is kept: the old one is void"
    await jot(await there.opens(), "bread")
    assert there.notes() == ["- milk", "- bread"]


async def test_a_token_that_is_turned_down_before_its_time_is_renewed_once_for_all_who_call(there):
    await there.signs_in()
    mcp = await there.opens()
    there.login.revoke()
    await asyncio.gather(*(jot(mcp, f"note{number}") for number in range(3)))
    assert sorted(there.notes()) == ["- note0", "- note1", "- note2"]
    assert there.login.asked.count("refresh") == 1
    assert there.login.asked.count("authorize") == 1


async def test_a_sign_in_that_is_over_is_said_and_nobody_is_registered_again(there):
    await there.signs_in()
    mcp = await there.opens()
    there.login.forget()
    for _ in range(2):
        with pytest.raises(RefusedError, match="python -m bot sign-in notes"):
            await jot(mcp)
    assert there.notes() == []
    assert there.login.asked.count("register") == 1
    assert await there.signs_in() == 11
    await jot(mcp)  # also for who has been running all the time
    assert there.notes() == ["- milk"]


async def test_who_says_no_changes_nothing(there):
    await there.signs_in()
    before = there.note.read_text()
    there.login.says_no = True
    with pytest.raises(RefusedError, match="did not let Soloist in: access_denied"):
        await there.signs_in()
    assert there.note.read_text() == before


async def test_a_code_with_another_state_is_nobodys(there):
    screen = Screen()
    waiting = asyncio.ensure_future(sign_in(there.server, there.workshop, screen, nobody))
    link = httpx.URL(await screen.link())
    assert link.params["code_challenge_method"] == "S256"
    async with httpx.AsyncClient(trust_env=False) as browser:
        for query in ("code=evil&state=guess", "code=evil", "code=evil&state="):
            assert (await browser.get(f"{link.params['redirect_uri']}?{query}")).status_code == 404
    await screen.browses()
    assert await waiting == 11


async def test_a_pasted_address_serves_where_the_browser_is_elsewhere(there):
    screen, pasted = Screen(), asyncio.get_running_loop().create_future()

    async def paste():
        return await pasted

    waiting = asyncio.ensure_future(sign_in(there.server, there.workshop, screen, paste))
    pasted.set_result(str(await screen.browses(loads=False)))
    assert await waiting == 11


async def test_the_tokens_are_for_this_address_alone(there):
    await there.signs_in()
    moved = Server("notes", url="https://elsewhere.example/mcp")
    assert not Kept(moved, there.workshop).there
    assert Kept(there.server, there.workshop).there


async def test_no_token_comes_back_in_an_answer(there):
    await there.signs_in()
    mcp = await there.opens()
    token = there.kept["tokens"]["access_token"]
    receipt = await jot(mcp, f"my token is {token}")
    assert token in there.notes()[0]
    assert token not in str(receipt)


async def test_a_login_service_that_is_away_means_that_nothing_was_called(there, monkeypatch):
    await there.signs_in()
    note = there.kept | {"until": (datetime.now(UTC) - timedelta(minutes=1)).isoformat()}
    there.note.write_text(json.dumps(note))

    async def away(self, client, refresh_token):
        raise RuntimeError("down")

    monkeypatch.setattr(type(there.login), "load_refresh_token", away)
    with pytest.raises(TryLaterError, match="login service of notes answered 500"):
        await jot(await there.opens())
    assert there.notes() == []


@pytest.mark.parametrize(
    ("server", "request_to", "words"),
    [
        ("https://mcp.acme.example/mcp", "https://login.acme.example/token", ""),
        ("https://mcp.acme.example/mcp", "http://login.acme.example/token", "not encrypted"),
        ("https://mcp.acme.example/mcp", "https://127.0.0.1/token", "local network"),
        ("https://mcp.acme.example/mcp", "https://192.168.1.1/.well-known/x", "local network"),
        ("https://mcp.acme.example/mcp", "https://[::1]/x", "local network"),
        ("https://mcp.acme.example/mcp", "https://169.254.169.254/latest", "local network"),
        ("http://127.0.0.1:9/mcp", "http://127.0.0.1:9/token", ""),
        ("https://192.168.1.5/mcp", "https://192.168.1.5/token", ""),
    ],
)
def test_a_token_travels_encrypted_and_never_from_the_internet_into_the_local_network(server, request_to, words):
    request = SimpleNamespace(url=httpx.URL(request_to))
    if not words:
        guard(Server("notes", url=server), request)
        return
    with pytest.raises(RefusedError, match=words):
        guard(Server("notes", url=server), request)


@pytest.mark.parametrize("more", ['headers = { Authorization = "Bearer x" }', 'headers = { authorization = "x" }'])
async def test_where_a_fixed_header_lets_us_in_there_is_nothing_to_sign_in_to(there, more):
    there.write(more)
    with pytest.raises(RefusedError, match="nothing to sign in to"):
        await sign_in(there.server, there.workshop, Screen(), nobody)


@pytest.mark.parametrize("more", ['oauth = { id = "x" }', 'oauth = { secret = "x" }', "oauth = { client = 5 }"])
def test_an_app_that_makes_no_sense_is_refused(tmp_path, more):
    (tmp_path / "connectors.toml").write_text(f'[mcp.notes]\nurl = "https://x.example"\n{more}\n')
    with pytest.raises(RefusedError, match=r"connectors\.toml"):
        read_servers(tmp_path / "connectors.toml")


async def test_twin_without_the_newest_token_kept_the_next_start_is_turned_away(there, monkeypatch):
    await there.signs_in()
    monkeypatch.setattr(Kept, "_write", lambda self, **parts: None)
    there.login.revoke()
    await jot(await there.opens())
    there.login.revoke()
    with pytest.raises(RefusedError, match="sign-in notes"):
        await jot(await there.opens())


async def commanded(home, *arguments):
    surroundings = {"PATH": os.environ["PATH"], "SOLOIST_HOME": str(home)}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "sign-in", *arguments, cwd=ROOT, env=surroundings,
        stdin=subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip


async def test_the_command_shows_a_link_and_says_what_came_of_it(there):
    process, said = await commanded(there.home, "notes"), b""
    async with asyncio.timeout(120):
        while not (found := re.search(rb"http://\S+/authorize\S+\n", said)):
            said += await process.stdout.readline()
            assert not process.stdout.at_eof(), said
        async with httpx.AsyncClient(trust_env=False, follow_redirects=True) as browser:
            assert "You are signed in" in (await browser.get(found[0].decode().strip())).text
        said += await process.stdout.read()
        assert await process.wait() == 0, said
    assert b"Signed in; notes has 11 tools" in said
    assert there.kept["tokens"]["refresh_token"].encode() not in said
    other = await commanded(there.home, "nowhere")
    told, _ = await other.communicate()
    assert other.returncode == 2
    assert b"there is calendar, mail, notes" in told
