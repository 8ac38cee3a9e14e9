"""For ``doctor``: which token, scope or setting is wrong, and where it is changed. Changes nothing in Slack."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp

from bot.channels.slack.channel import API
from bot.channels.slack.limits import SIGNATURE_AGE_MAX_S
from bot.channels.slack.manifest import PATH, SCOPES
from bot.channels.slack.people import UNCONFIGURED, People
from bot.channels.slack.wire import (
    APP_FIX,
    BOT_FIX,
    AppClient,
    AppRefusedError,
    BusyError,
    DoubtfulError,
    RefusedError,
    Wire,
    sentence,
)

OTHERS = {
    "xapp-": "the app-level token, which belongs into SLACK_APP_TOKEN",
    "xoxp-": "a user's token, not the bot's",
    "xoxe": "a token that expires: switch Token Rotation off in the app (the manifest has it off)",
    "xoxb-": "the bot token, which belongs into SLACK_BOT_TOKEN",
}
"""How other tokens of Slack's begin, and what they are."""
KNOCK_S = 3.0  # for our own address to answer


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    well: bool
    text: str  # what it means and, when it is not well, what to do


async def check(
    bot_token: str,
    *,
    app_token: str = "",
    signing_secret: str = "",
    address: str = "",
    people: People | None = None,
    base_url: str = API,
    wall: Callable[[], float] = time.time,
) -> tuple[Finding, ...]:
    """Look at everything the channel needs; never raises for what is wrong in Slack."""
    if bot_token.startswith("xapp-") and app_token.startswith("xoxb-"):
        text = "they stand in each other's line: SLACK_BOT_TOKEN is the one with xoxb-, SLACK_APP_TOKEN the one with xapp-."
        return (Finding("tokens", well=False, text=text),)
    findings = await _bot(bot_token, base_url, wall)
    if signing_secret:
        findings.append(_secret(signing_secret))
        if address:
            findings.append(await _address(address))
    elif app_token:
        findings.append(await _socket(app_token, base_url))
    else:
        text = f"SLACK_APP_TOKEN is empty, so Slack has no way in. {APP_FIX}"
        findings.append(Finding("way in", well=False, text=text))
    if people is not None:
        operator = people.operator()
        text = f"{operator.user} in {operator.team} is the operator." if operator else UNCONFIGURED
        findings.append(Finding("people", operator is not None, text))
    return tuple(findings)


async def _bot(token: str, base_url: str, wall: Callable[[], float]) -> list[Finding]:
    if not token.startswith("xoxb-"):
        text = f"SLACK_BOT_TOKEN does not start with xoxb-, so it is not a bot token{_seems(token)}. {BOT_FIX}"
        return [Finding("bot token", well=False, text=text)]
    wire = Wire(token, base_url)
    try:
        headers = await wire.headers("auth_test")
    except (BusyError, DoubtfulError, RefusedError) as error:
        return [Finding("bot token", well=False, text=str(error))]
    finally:
        await wire.close()
    return [Finding("bot token", well=True, text="Slack knows it."), _scopes(headers), _time(headers, wall())]


def _scopes(headers: Mapping[str, str]) -> Finding:
    named = {key.lower(): value for key, value in headers.items()}
    if "x-oauth-scopes" not in named:
        return Finding("scopes", well=True, text="Slack did not say which scopes the token has; none was missed yet.")
    has = {scope.strip() for scope in named["x-oauth-scopes"].split(",")}
    if not (missing := sorted(set(SCOPES) - has)):
        return Finding("scopes", well=True, text="All are there.")
    needed = ", ".join(f"{scope} (to {SCOPES[scope]})" for scope in missing)
    return Finding("scopes", well=False, text=sentence("missing_scope", needed))


def _time(headers: Mapping[str, str], now: float) -> Finding:
    date = {key.lower(): value for key, value in headers.items()}.get("date", "")
    try:
        off = now - parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return Finding("clock", well=True, text="Slack did not say what time it is.")
    if abs(off) < SIGNATURE_AGE_MAX_S / 2:
        return Finding("clock", well=True, text=f"This machine is {abs(off):.0f} s off Slack's clock.")
    return Finding(
        "clock",
        well=False,
        text=f"This machine's clock is {off:+.0f} s off Slack's. From {SIGNATURE_AGE_MAX_S} s every request of Slack "
        "is refused as too old. Set the clock (timedatectl set-ntp true).",
    )


async def _socket(token: str, base_url: str) -> Finding:
    if not token.startswith("xapp-"):
        text = f"SLACK_APP_TOKEN does not start with xapp-, so it is not an app-level token{_seems(token)}. {APP_FIX}"
        return Finding("app token", well=False, text=text)
    client = AppClient(token, base_url, lambda _: None)
    try:
        await client.apps_connections_open_here()
    except (AppRefusedError, DoubtfulError) as error:
        return Finding("app token", well=False, text=str(error))
    return Finding("app token", well=True, text="Socket Mode opens.")


def _seems(token: str) -> str:
    return next((f" but {what}" for begins, what in OTHERS.items() if token.startswith(begins)), "")


async def _address(address: str) -> Finding:
    """Knock at our own address without Slack's signature: a Soloist that runs refuses that."""
    leads = f"The app's request URLs (events, interactivity, /solo) must lead there and end in {PATH}."
    host, _, port = address.rpartition(":")
    url, timeout = f"http://{host or '127.0.0.1'}:{port}{PATH}", aiohttp.ClientTimeout(total=KNOCK_S)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as http, http.post(url) as answer:
            status = answer.status
    except (TimeoutError, OSError, ValueError, aiohttp.ClientError):
        text = f"nothing answers at SLACK_ADDRESS {address}; Soloist does while it runs. {leads}"
        return Finding("address", well=True, text=text)
    if status == HTTPStatus.UNAUTHORIZED:
        return Finding("address", well=True, text=f"{address} refuses what Slack has not signed. {leads}")
    text = (
        f"something else answers at SLACK_ADDRESS {address} (HTTP {status}). Choose another port, and lead Slack there."
    )
    return Finding("address", well=False, text=text)


def _secret(secret: str) -> Finding:
    if re.fullmatch(r"[0-9a-f]{32}", secret):
        return Finding("signing secret", well=True, text="It has the right form.")
    return Finding(
        "signing secret",
        well=False,
        text="SLACK_SIGNING_SECRET is not 32 hexadecimal digits. Take it from api.slack.com/apps → Basic Information "
        "→ Signing Secret, restart.",
    )
