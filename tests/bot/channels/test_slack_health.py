"""``doctor`` on Slack: every finding says what is wrong and where it is changed."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from aiohttp import web

from bot.channels.slack import NoTokenError, People, Slack, check
from bot.channels.slack.manifest import SCOPES
from tests.bot.channels.slack_house import OPERATOR, house
from tests.counterparts.slack import APP_TOKEN, BOT_TOKEN, SECRET, LocalSlack, local_slack

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def slack() -> Iterator[LocalSlack]:
    with local_slack("socket") as running:
        yield running


async def findings(home, **settings) -> dict[str, tuple[bool, str]]:
    looked = {"bot_token": BOT_TOKEN, "app_token": APP_TOKEN, "people": People([OPERATOR])} | settings
    token = looked.pop("bot_token")
    return {found.what: (found.well, found.text) for found in await check(token, base_url=home.edge.api, **looked)}


async def test_a_good_set_up_has_no_complaint(slack) -> None:
    async with house(slack) as home:
        home.edge.headers = {"x-oauth-scopes": ",".join(SCOPES)}
        found = await findings(home)
        assert all(well for well, _ in found.values()), found
        assert set(found) == {"bot token", "scopes", "clock", "app token", "people"}
        assert (await findings(home, app_token="", signing_secret=SECRET))["signing secret"][0]


async def test_a_missing_scope_is_named_with_its_use(slack) -> None:
    async with house(slack) as home:
        home.edge.headers = {"x-oauth-scopes": ",".join(set(SCOPES) - {"files:write"})}
        well, text = (await findings(home))["scopes"]
        assert not well
        assert "files:write (to send invoices and charts)" in text
        assert "Bot Token Scopes" in text


async def test_wrong_tokens_are_told_apart(slack) -> None:
    async with house(slack) as home:
        assert "does not start with xoxb-" in (await findings(home, bot_token="xapp-1"))["bot token"][1]
        assert "does not start with xapp-" in (await findings(home, app_token="xoxb-1"))["app token"][1]
        assert "32 hexadecimal" in (await findings(home, app_token="", signing_secret="short"))["signing secret"][1]
        assert "connections:write" in (await findings(home, app_token=""))["way in"][1]
        assert "a user's token" in (await findings(home, bot_token="xoxp-1"))["bot token"][1]
        assert "belongs into SLACK_BOT_TOKEN" in (await findings(home, app_token="xoxb-1"))["app token"][1]
        swapped = await findings(home, bot_token="xapp-1", app_token="xoxb-1")
        assert "in each other's line" in swapped["tokens"][1]
        home.edge.fault = lambda method, _: "error:invalid_auth" if method == "auth.test" else ""
        assert "bot token (invalid_auth)" in (await findings(home))["bot token"][1]
        home.edge.fault = lambda method, _: "error:invalid_auth" if method.startswith("apps") else ""
        assert "app-level token (invalid_auth)" in (await findings(home))["app token"][1]
        home.edge.fault = lambda method, _: "drop"
        assert "No answer from Slack" in (await findings(home))["bot token"][1]


async def test_our_own_address_is_knocked_at(slack) -> None:
    secret = {"app_token": "", "signing_secret": SECRET}
    async with house(slack) as home:
        nowhere = await findings(home, **secret, address="127.0.0.1:1")
        assert nowhere["address"] == (True, nowhere["address"][1])
        assert "/slack/events" in nowhere["address"][1]
        # The edge is some other program: it knows nothing of this path.
        other = (await findings(home, **secret, address=f"127.0.0.1:{home.edge.port}"))["address"]
        assert not other[0]
        assert "something else answers" in other[1]
        runner = web.AppRunner(_signed_only(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ours = (await findings(home, **secret, address=f"127.0.0.1:{runner.addresses[0][1]}"))["address"]
        await runner.cleanup()
        assert ours[0]
        assert "refuses what Slack has not signed" in ours[1]


def _signed_only() -> web.Application:
    app = web.Application()
    app.add_routes(Slack(BOT_TOKEN, signing_secret=SECRET).routes())
    return app


async def test_nobody_named_and_a_wrong_clock_are_found(slack) -> None:
    async with house(slack) as home:
        found = await findings(home, people=People(), wall=lambda: time.time() + 900)
        assert "/solo pair CODE" in found["people"][1]
        assert not found["clock"][0]
        assert "timedatectl" in found["clock"][1]


def test_a_channel_without_tokens_says_which_and_where_from() -> None:
    with pytest.raises(NoTokenError, match="SLACK_BOT_TOKEN"):
        Slack("")
    with pytest.raises(NoTokenError, match="SLACK_APP_TOKEN"):
        Slack(BOT_TOKEN)
