"""For ``doctor``: whether token, way in and people are right, and where each is changed. Changes nothing in Telegram."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from bot.channels.telegram.webhook import Webhook
from bot.channels.telegram.wire import ADDRESS, Wire, WireError

PORTS = (443, 80, 88, 8443)  # core.telegram.org/bots/api#setwebhook: nowhere else does Telegram post to
ASK_BOTFATHER = "Set TELEGRAM_TOKEN to what @BotFather shows under /token."
PENDING_MANY = 100  # updates that wait at Telegram: more than anybody types while the bot is away for a moment


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    well: bool
    text: str  # what it means
    remedy: str = ""  # what to do


async def check(
    token: str, base_url: str = ADDRESS, *, address: str = "", operator: int | None = None
) -> tuple[Finding, ...]:
    """Look at everything the channel needs; never raises for what is wrong in Telegram.

    Args:
        token: From @BotFather.
        base_url: Another Bot API server.
        address: Where Telegram shall post to; empty for long polling.
        operator: Who is paired or named, None when nobody is.
    """
    try:
        wire = Wire(token, base_url)
    except ValueError as error:
        return (Finding("token", well=False, text=str(error), remedy=ASK_BOTFATHER),)
    try:
        await wire.open()
        number, name = await wire.me()
        findings = [Finding("token", well=True, text=f"the bot is @{name} ({number}).")]
        findings += await _way_in(wire, base_url, address)
    except WireError as error:
        return (Finding("token", well=False, text=str(error), remedy=ASK_BOTFATHER),)
    finally:
        await wire.close()
    return (*findings, _people(operator, name))


async def _way_in(wire: Wire, base_url: str, address: str) -> list[Finding]:
    if address:
        try:
            Webhook(address)
        except ValueError as error:
            remedy = (
                "Set TELEGRAM_ADDRESS to your public https address, or leave it out: then nothing has to be public."
            )
            return [Finding("webhook", well=False, text=str(error), remedy=remedy)]
        parts = urlsplit(address)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if base_url.rstrip("/") == ADDRESS and (parts.scheme != "https" or port not in PORTS):
            text = f"Telegram only posts to https on the ports {', '.join(map(str, PORTS))}, and TELEGRAM_ADDRESS is {address}."
            remedy = "Put a TLS proxy on one of these ports and name that address."
            return [Finding("webhook", well=False, text=text, remedy=remedy)]
    state = await wire.webhook_state()
    if state.trouble and address:
        text = f"Telegram's last post to {state.address} failed: {state.trouble}"
        remedy = (
            "The address must lead to TELEGRAM_LISTEN of a running Soloist, with a certificate that browsers trust."
        )
        return [Finding("webhook", well=False, text=text, remedy=remedy)]
    if state.address and not address:
        host = urlsplit(state.address).hostname or state.address
        text = f"Telegram posts this bot's messages to {host}: a webhook that another program set, or Soloist earlier."
        remedy = "The next start of Soloist takes it away; stop the other program, or make Soloist a bot of its own."
        return [Finding("way in", well=False, text=text, remedy=remedy)]
    if state.waiting > PENDING_MANY:
        text = f"{state.waiting} messages wait at Telegram, which keeps them for 24 hours."
        return [Finding("way in", well=False, text=text, remedy="Start Soloist: python -m bot run.")]
    if not address:
        return [Finding("way in", well=True, text="long polling; nothing has to be public.")]
    here = "" if state.address == address else " It is set at the next start."
    return [Finding("webhook", well=True, text=f"posts to {address}.{here}")]


def _people(operator: int | None, name: str) -> Finding:
    if operator is not None:
        return Finding("people", well=True, text=f"user {operator} is the operator.")
    text = "nobody is paired, so it answers nobody."
    return Finding(
        "people", well=False, text=text, remedy=f"Start Soloist and send the code that it prints to @{name}."
    )
