"""Logging in with OAuth 2: one token endpoint, and the servers that ask it whether a token is good."""

import asyncio
import json
import stat
from datetime import UTC, datetime, timedelta

import pytest

from connectors import mail_folders
from connectors.base import OutcomeUnknownError, RefusedError, TryLaterError, Workshop
from connectors.caldav_calendar import Calendar
from connectors.mail import Mail
from connectors.oauth import Bearer, oauthbearer
from tests.connectors.test_contract import NoFiles, default_values
from tests.counterparts.imap import dovecot, dovecot_or_skip
from tests.counterparts.oauth import CLIENT, REFRESH, SECRET, provider
from tests.counterparts.smtp import PostOffice

NOW = datetime(2026, 3, 31, 9, 30, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def workshop(tmp_path, clock) -> Workshop:
    return Workshop(home=tmp_path, files=NoFiles(), now=clock)


@pytest.fixture
def login():
    with provider() as made:
        yield made


def oauth(prefix, login, **changes) -> dict[str, str]:
    return {
        f"{prefix}_OAUTH_REFRESH_TOKEN": REFRESH, f"{prefix}_OAUTH_URL": login.url if login else "",
        f"{prefix}_OAUTH_CLIENT": CLIENT, f"{prefix}_OAUTH_CLIENT_SECRET": SECRET, f"{prefix}_OAUTH_SCOPE": "",
    } | changes  # fmt: skip


async def no_pause(seconds: float) -> None:
    del seconds


def bearer(login, workshop, **changes) -> Bearer:
    made = Bearer.of("MAIL", oauth("MAIL", login, **changes), workshop, no_pause)
    assert made is not None
    return made


# ── the token ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_one_token_serves_everybody_until_a_minute_before_it_ends(login, workshop, clock):
    right = bearer(login, workshop)

    first = await asyncio.gather(*(right.token() for _ in range(8)))
    clock.now += timedelta(seconds=3_539)
    assert {*first, await right.token()} == set(login.issued)
    assert len(login.issued) == 1
    clock.now += timedelta(seconds=2)
    assert await right.token() == login.issued[1]
    await right.close()


async def test_a_token_that_was_turned_down_is_renewed_once_for_all_who_held_it(login, workshop):
    right = bearer(login, workshop)
    old = await right.token()

    newer = await asyncio.gather(*(right.token(refused=old) for _ in range(5)))

    assert newer == [login.issued[1]] * 5
    assert len(login.issued) == 2
    await right.close()


async def test_a_new_refresh_token_outlives_a_restart_and_is_readable_by_its_owner_alone(login, workshop):
    login.rotates = True
    right = bearer(login, workshop)
    await right.token()
    await right.token(refused=login.issued[-1])
    await right.close()

    (note,) = (workshop.home / "oauth").iterdir()
    assert stat.S_IMODE(note.stat().st_mode) == 0o600
    assert json.loads(note.read_text())["refresh_token"] == login.refresh
    again = bearer(login, workshop)
    assert await again.token() == login.issued[-1]
    await again.close()


async def test_a_refresh_token_that_the_operator_sets_anew_counts_again(login, workshop):
    login.rotates = True
    right = bearer(login, workshop)
    await right.token()
    await right.close()
    login.refresh = "refresh-token-by-hand"

    again = bearer(login, workshop, MAIL_OAUTH_REFRESH_TOKEN="refresh-token-by-hand")

    assert await again.token() in login.good
    await again.close()


@pytest.mark.parametrize("lasts", ["120", None, "soon"])
async def test_an_odd_life_span_is_no_reason_to_fail(login, workshop, lasts):
    login.lasts_s = lasts
    right = bearer(login, workshop)

    assert await right.token() in login.good
    await right.close()


async def test_a_revoked_refresh_token_is_refused_with_what_to_do_and_without_itself(login, workshop):
    login.refresh = "another"
    right = bearer(login, workshop)

    with pytest.raises(RefusedError, match="sign-in mail, or set MAIL_OAUTH_REFRESH_TOKEN") as told:
        await right.token()

    assert REFRESH not in str(told.value)
    await right.close()


async def test_an_unknown_app_is_told_apart_from_a_revoked_token(login, workshop):
    right = bearer(login, workshop, MAIL_OAUTH_CLIENT_SECRET="wrong-secret")

    with pytest.raises(RefusedError, match="does not know the app"):
        await right.token()
    await right.close()


async def test_a_provider_that_is_away_is_tried_later(login, workshop):
    login.status = 503
    right = bearer(login, workshop)

    with pytest.raises(TryLaterError):
        await right.token()
    assert len(login.asked) == 3
    login.status = 200
    assert await right.token() in login.good
    await right.close()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"MAIL_OAUTH_URL": ""}, "MAIL_OAUTH_URL .* and MAIL_OAUTH_CLIENT .* are needed"),
        ({"MAIL_OAUTH_CLIENT": ""}, "MAIL_OAUTH_URL .* and MAIL_OAUTH_CLIENT .* are needed"),
        ({"MAIL_OAUTH_URL": "http://login.example.com/token"}, "in the clear"),
    ],
)
def test_settings_that_make_no_sense_stop_the_start(login, workshop, changes, words):
    with pytest.raises(RefusedError, match=words):
        Bearer.of("MAIL", oauth("MAIL", login, **changes), workshop)


def test_without_a_refresh_token_passwords_are_used(workshop):
    assert Bearer.of("MAIL", oauth("MAIL", None, MAIL_OAUTH_REFRESH_TOKEN=""), workshop) is None


# ── mail ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def mailbox(workshop, login, smtp: int = 0, imap: int = 0) -> Mail:
    values = default_values(
        Mail, SMTP_HOST="127.0.0.1" if smtp else "", SMTP_PORT=str(smtp or 1), SMTP_SECURITY="none",
        SMTP_USER="anna@berg.example", IMAP_HOST="127.0.0.1" if imap else "", IMAP_PORT=str(imap or 1),
        IMAP_SECURITY="none", **oauth("MAIL", login),
    )  # fmt: skip
    return Mail.open(values, workshop)


LETTER = {"to": ["bob@acme.example"], "subject": "Hello", "body": "Hello Bob\n"}


async def test_mail_is_sent_with_a_token_instead_of_a_password(login, workshop):
    async with PostOffice(tokens=login.known) as post:
        mail = mailbox(workshop, login, smtp=post.port)
        await mail.send(**LETTER, key="1")
        await mail.send(**LETTER, key="2")
        await mail.close()

    assert [taken.user for taken in post.taken] == ["anna@berg.example"] * 2
    assert len(login.issued) == 1


async def test_a_token_that_ends_before_its_time_is_renewed_and_the_mail_goes_out_once(login, workshop):
    async with PostOffice(tokens=login.known) as post:
        mail = mailbox(workshop, login, smtp=post.port)
        await mail.send(**LETTER, key="1")
        login.revoke()
        await mail.send(**LETTER, key="2")
        await mail.close()

    assert sorted(post.accepted.values()) == [1, 1]
    assert len(login.issued) == 2


async def test_a_server_that_takes_no_token_of_ours_is_a_refusal_and_nobody_reads_the_token(login, workshop):
    async with PostOffice(tokens=lambda token: False) as post:
        mail = mailbox(workshop, login, smtp=post.port)
        with pytest.raises(RefusedError, match="MAIL_OAUTH") as told:
            await mail.send(**LETTER, key="1")
        health = await mail.health()
        await mail.close()

    assert not health.ok
    assert not post.taken
    assert all(token not in f"{told.value} {health.text}" for token in login.issued)


async def test_a_server_without_oauth_says_so(login, workshop):
    async with PostOffice(users={"anna@berg.example": "x"}) as post:
        mail = mailbox(workshop, login, smtp=post.port)
        with pytest.raises(RefusedError, match="XOAUTH2"):
            await mail.send(**LETTER, key="1")
        await mail.close()

    assert not login.issued


async def test_a_provider_that_is_away_keeps_the_mail_from_going_and_leaves_no_doubt(login, workshop):
    login.status = 503
    async with PostOffice(tokens=login.known) as post:
        mail = mailbox(workshop, login, smtp=post.port)
        mail._bearer._client._pause = no_pause
        with pytest.raises(TryLaterError):
            await mail.send(**LETTER, key="1")
        await mail.close()

    assert not post.taken


@pytest.fixture(scope="module")
def box():
    dovecot_or_skip()
    with provider() as login, dovecot(login.introspection) as server:
        yield login, server


@pytest.mark.imap
async def test_dovecot_lets_us_in_with_a_token_that_the_provider_vouches_for(box, workshop):
    login, server = box
    mail = mailbox(workshop, login, imap=server.port)

    draft = await mail.draft(**LETTER, key="1")
    login.revoke()
    found = await mail.find_draft(**LETTER, key="1")
    health = await mail.health()
    await mail.close()

    assert found is not None
    assert found.ref == draft.ref
    assert health.ok, health.text
    assert any(draft.ref.encode() in message for message in server.messages("Drafts"))
    assert len(login.issued) == 2


@pytest.mark.imap
async def test_dovecot_turns_a_token_down_that_the_provider_does_not_know(box, workshop):
    login, server = box
    mail = mailbox(workshop, login, imap=server.port)
    real, login.known = login.known, lambda token: False
    try:
        with pytest.raises((RefusedError, OutcomeUnknownError), match="MAIL_OAUTH") as told:
            await mail.find_draft(**LETTER, key="2")
    finally:
        login.known = real
        await mail.close()

    assert all(token not in str(told.value) for token in login.issued)


# ── calendar ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_calendar_shows_its_token_and_renews_it_when_it_is_turned_down(login, workshop):
    from aiohttp import web
    from aiohttp.test_utils import TestServer

    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        seen.append(token)
        if not login.known(token):
            return web.Response(status=401)
        text = (
            '<multistatus xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><response><href>/me/</href><propstat>'
            "<prop><displayname>Me</displayname><resourcetype><collection/><C:calendar/></resourcetype></prop>"
            "</propstat></response></multistatus>"
        )
        return web.Response(status=207, text=text, content_type="application/xml")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app, host="127.0.0.1") as server:
        values = default_values(
            Calendar, CALDAV_URL=str(server.make_url("/me/")), CALDAV_USER="anna@berg.example", **oauth("CALDAV", login)
        )
        calendar = Calendar.open(values, workshop)
        assert calendar is not None
        first = await calendar.health()
        login.revoke()
        second = await calendar.health()
        await calendar.close()

    assert first.ok
    assert second.ok
    assert len(login.issued) == 2
    assert set(seen) == set(login.issued)


# ── OAUTHBEARER, where there is no XOAUTH2 ────────────────────────────────────────────────────────────────────────


async def test_mail_is_sent_by_oauthbearer_where_that_is_all_there_is_and_a_refused_token_is_renewed(login, workshop):
    async with PostOffice(tokens=login.known, ways=("OAUTHBEARER",)) as post:
        mail = mailbox(workshop, login, smtp=post.port)
        await mail.send(**LETTER, key="1")
        login.revoke()
        await mail.send(**LETTER, key="2")
        health = await mail.health()
        await mail.close()

    assert health.ok
    assert [taken.user for taken in post.taken] == ["anna@berg.example"] * 2
    assert len(login.issued) == 2


async def test_oauthbearer_that_is_refused_is_a_refusal(login, workshop):
    async with PostOffice(tokens=lambda token: False, ways=("OAUTHBEARER",)) as post:
        mail = mailbox(workshop, login, smtp=post.port)
        with pytest.raises(RefusedError, match="MAIL_OAUTH") as told:
            await mail.send(**LETTER, key="1")
        await mail.close()

    assert not post.taken
    assert all(token not in str(told.value) for token in login.issued)


def test_oauthbearer_escapes_what_would_end_the_name():
    said = oauthbearer("a=b,c@berg.example", "mail.example", 587, "tok")
    assert said == b"n,a=a=3Db=2Cc@berg.example,\x01host=mail.example\x01port=587\x01auth=Bearer tok\x01\x01"


@pytest.mark.imap
async def test_dovecot_lets_us_in_by_oauthbearer_and_turns_an_unknown_token_down(box, workshop, monkeypatch):
    login, server = box
    monkeypatch.setattr(mail_folders.Line, "_connect", without_xoauth2(mail_folders.Line._connect))
    mail = mailbox(workshop, login, imap=server.port)
    assert (await mail.health()).ok
    await mail.draft(**LETTER, key="bearer-1")
    login.revoke()
    monkeypatch.setattr(login, "known", lambda token: False)
    with pytest.raises(RefusedError, match="MAIL_OAUTH"):
        await mail.draft(**LETTER, key="bearer-2")
    await mail.close()


def without_xoauth2(connect):
    def connected(line):
        connect(line)
        client = line._box.client
        client.capabilities = tuple(each for each in client.capabilities if each != "AUTH=XOAUTH2")

    return connected
