"""Signing in: by a browser with PKCE on a way back of our own, or by a code; the double is as strict as the RFCs."""

import asyncio
import json
import os
import re
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from connectors.base import RefusedError, TryLaterError, Workshop
from connectors.oauth import Bearer
from connectors.oauth_sign_in import KNOWN, SignIn
from tests.connectors.test_contract import NoFiles
from tests.counterparts.oauth import CLIENT, SECRET, provider

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 3, 31, 9, 30, tzinfo=UTC)


@pytest.fixture
def workshop(tmp_path) -> Workshop:
    return Workshop(home=tmp_path, files=NoFiles(), now=lambda: NOW)


@pytest.fixture
def login():
    with provider() as made:
        yield made


def values(login, **changes) -> dict[str, str]:
    return {
        "MAIL_OAUTH_REFRESH_TOKEN": "", "MAIL_OAUTH_URL": login.url, "MAIL_OAUTH_CLIENT": CLIENT,
        "MAIL_OAUTH_CLIENT_SECRET": SECRET, "MAIL_OAUTH_SCOPE": "mail", "MAIL_OAUTH_SIGN_IN_URL": login.page,
    } | changes  # fmt: skip


async def no_pause(seconds: float) -> None:
    del seconds
    await asyncio.sleep(0)


async def nobody() -> str:
    return await asyncio.get_running_loop().create_future()


class Screen:
    """What the operator sees, and the browser they open the link with."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.shown = asyncio.Event()

    def __call__(self, words: str) -> None:
        self.said.append(words)
        if "http" in words:
            self.shown.set()

    async def link(self) -> str:
        await self.shown.wait()
        return re.search(r"https?://\S+", "\n".join(self.said))[0]

    async def browses(self, *, loads: bool = True) -> httpx.URL:
        """Open the link; with ``loads`` the way back is gone as well. Returns the last address."""
        link = await self.link()
        async with httpx.AsyncClient(trust_env=False) as browser:
            answer = await browser.get(link)
            back = httpx.URL(answer.headers["location"])
            if loads:
                page = await browser.get(back)
                assert page.status_code == 200
        return back


async def signed_in(login, workshop, *, loads=True, **changes):
    one, screen = SignIn("MAIL", values(login, **changes), workshop, no_pause), Screen()
    pasted: asyncio.Queue[str] = asyncio.Queue()
    waiting = asyncio.ensure_future(one.by_browser(screen, pasted.get))
    back = await screen.browses(loads=loads)
    if not loads:
        await pasted.put("something else")
        await pasted.put(str(back.copy_set_param("state", "forged")))
        await pasted.put(str(back))
    try:
        return await waiting
    finally:
        await one.close()


@pytest.mark.parametrize("loads", [True, False], ids=["the browser is here", "the address is pasted"])
async def test_signing_in_by_browser_brings_a_token_that_logs_in_and_that_nobody_else_reads(login, workshop, loads):
    lasts = await signed_in(login, workshop, loads=loads)
    assert (lasts.until, lasts.soon, str(lasts)) == (None, False, "")
    note = workshop.home / "oauth" / "mail.json"
    assert stat.S_IMODE(note.stat().st_mode) == 0o600
    assert json.loads(note.read_text())["refresh_token"] == login.refresh
    bearer = Bearer.of("MAIL", values(login), workshop, no_pause)
    assert login.known(await bearer.token())
    await bearer.close()
    query = login.codes or login.asked
    assert query, "the provider was asked"


async def test_a_forged_way_back_is_turned_away_and_the_real_one_still_counts(login, workshop):
    one, screen = SignIn("MAIL", values(login), workshop, no_pause), Screen()
    waiting = asyncio.ensure_future(one.by_browser(screen, nobody))
    link = httpx.URL(await screen.link())
    async with httpx.AsyncClient(trust_env=False) as browser:
        for forged in ("?code=evil&state=guess", "?code=evil", "?error=access_denied&state=x", ""):
            assert (await browser.get(f"{link.params['redirect_uri']}{forged}")).status_code == 404
        assert (
            await browser.post(link.params["redirect_uri"], data={"state": link.params["state"]})
        ).status_code == 404
    assert not waiting.done()
    await screen.browses()
    await waiting
    await one.close()


async def test_twin_without_the_state_a_forged_code_would_be_taken(login, workshop, monkeypatch):
    monkeypatch.setattr("connectors.oauth_way_back.hmac.compare_digest", lambda *_: True)
    one, screen = SignIn("MAIL", values(login), workshop, no_pause), Screen()
    waiting = asyncio.ensure_future(one.by_browser(screen, nobody))
    link = httpx.URL(await screen.link())
    async with httpx.AsyncClient(trust_env=False) as browser:
        await browser.get(f"{link.params['redirect_uri']}?code=evil&state=guess")
    with pytest.raises(RefusedError, match="no such code"):
        await waiting
    await one.close()


async def test_a_person_who_says_no_changes_nothing(login, workshop):
    login.answers = {"error": "access_denied", "error_description": "The user said no"}
    with pytest.raises(RefusedError, match="The user said no"):
        await signed_in(login, workshop)
    assert not (workshop.home / "oauth").exists()


async def test_a_provider_that_gives_no_lasting_token_says_what_to_do(login, workshop):
    login.no_refresh = True
    with pytest.raises(RefusedError, match="offline access"):
        await signed_in(login, workshop)


async def test_a_wrong_secret_is_told_and_not_shown(login, workshop):
    with pytest.raises(RefusedError, match="unknown app") as told:
        await signed_in(login, workshop, MAIL_OAUTH_CLIENT_SECRET="not-the-secret-77")
    assert "not-the-secret-77" not in str(told.value)


async def by_code(login, workshop, *, typed_after: int) -> tuple[object, list[float], list[str]]:
    paused: list[float] = []
    screen = Screen()

    async def pause(seconds: float) -> None:
        paused.append(seconds)
        if len(paused) == typed_after:
            login.typed.add(re.search(r"[A-Z]{4}-\d{4}", "\n".join(screen.said))[0])
        await asyncio.sleep(0)

    one = SignIn("MAIL", values(login), workshop, pause)
    try:
        return await one.by_code(screen, login.device), paused, screen.said
    finally:
        await one.close()


async def test_a_code_is_shown_asked_for_as_slowly_as_the_provider_wants_and_kept(login, workshop):
    login.slow, login.keeps_s = 1, 3 * 86_400
    lasts, paused, said = await by_code(login, workshop, typed_after=3)
    assert said == ["Open https://login.example/device on any device and type:  ABCD-0001"]
    assert paused == [5.0, 10.0, 10.0]
    assert lasts.until == NOW + timedelta(days=3)
    assert lasts.soon
    assert str(lasts) == "The sign-in ends on 03 April 2026; renew it before: python -m bot sign-in mail."
    bearer = Bearer.of("MAIL", values(login), workshop, no_pause)
    assert bearer.lasts() == lasts
    await bearer.close()


async def test_a_code_that_nobody_types_or_that_is_refused_ends(login, workshop):
    with pytest.raises(TryLaterError, match="Nobody typed the code in time"):
        await by_code(login, workshop, typed_after=1_000)
    login.answers = {"error": "access_denied"}
    with pytest.raises(RefusedError, match="access_denied"):
        await by_code(login, workshop, typed_after=1)
    assert not (workshop.home / "oauth").exists()


async def test_what_is_not_set_is_named(login, workshop):
    with pytest.raises(RefusedError, match="MAIL_OAUTH_CLIENT"):
        SignIn("MAIL", values(login, MAIL_OAUTH_CLIENT=""), workshop)
    with pytest.raises(RefusedError, match="MAIL_OAUTH_SIGN_IN_URL must begin with https"):
        SignIn("MAIL", values(login, MAIL_OAUTH_SIGN_IN_URL="http://login.example/"), workshop)
    one = SignIn("MAIL", values(login, MAIL_OAUTH_SIGN_IN_URL=""), workshop)
    with pytest.raises(RefusedError, match="MAIL_OAUTH_SIGN_IN_URL"):
        await one.by_browser(print, nobody)
    with pytest.raises(RefusedError, match="without --device"):
        await one.by_code(print)
    await one.close()


async def test_googles_and_microsofts_pages_are_known(workshop, login):
    for url, page, asks in (
        ("https://oauth2.googleapis.com/token", "https://accounts.google.com/o/oauth2/v2/auth", "access_type=offline"),
        (
            "https://login.microsoftonline.com/common/oauth2/v2.0/token",
            "https://login.microsoftonline.com",
            "localhost",
        ),
    ):
        changes = {"MAIL_OAUTH_URL": url, "MAIL_OAUTH_SIGN_IN_URL": "", "MAIL_OAUTH_SCOPE": ""}
        one, screen = SignIn("MAIL", values(login, **changes), workshop), Screen()
        waiting = asyncio.ensure_future(one.by_browser(screen, nobody))
        link = await screen.link()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await one.close()
        assert link.startswith(page)
        assert asks in link
        assert KNOWN[httpx.URL(url).host].scopes["MAIL"].split()[0] in httpx.URL(link).params["scope"]


async def test_a_token_in_the_settings_that_is_another_counts_again(login, workshop):
    await signed_in(login, workshop)
    bearer = Bearer.of("MAIL", values(login, MAIL_OAUTH_REFRESH_TOKEN="one-of-my-own"), workshop, no_pause)
    with pytest.raises(RefusedError, match="python -m bot sign-in mail"):
        await bearer.token()
    await bearer.close()


async def test_the_command_signs_in_and_says_so_and_never_shows_the_token(login, tmp_path):
    login.keeps_s = 90 * 86_400
    home = tmp_path / "home"
    surroundings = {"PATH": os.environ["PATH"], "SOLOIST_HOME": str(home), **values(login)}
    command = [sys.executable, "-m", "bot", "sign-in", "mail"]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=surroundings, stdin=subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )  # fmt: skip
    said = b""
    async with asyncio.timeout(120):
        while not (found := re.search(rb"http://\S+/authorize\S+\n", said)):
            said += await process.stdout.readline()
            assert not process.stdout.at_eof(), said
        async with httpx.AsyncClient(trust_env=False, follow_redirects=True) as browser:
            assert "You are signed in" in (await browser.get(found[0].decode().strip())).text
        said += await process.stdout.read()
        assert await process.wait() == 0, said
    assert b"Signed in; mail uses it from its next start on. The sign-in ends on" in said
    assert login.refresh.encode() not in said
    assert stat.S_IMODE((home / "oauth" / "mail.json").stat().st_mode) == 0o600
