"""Whether the token works, for ``doctor``; changes nothing."""

from __future__ import annotations

from bot.channels.telegram.wire import Wire, WireError


async def check(token: str, base_url: str) -> tuple[bool, str, str]:
    """Return (well, what was found, what to do)."""
    remedy = "Set TELEGRAM_TOKEN to what @BotFather shows under /token."
    try:
        wire = Wire(token, base_url)
    except ValueError as error:
        return False, f"telegram: {error}", remedy
    try:
        await wire.open()
        number, name = await wire.me()
    except WireError as error:
        return False, f"telegram: {error}", remedy
    finally:
        await wire.close()
    return True, f"telegram: the bot is @{name} ({number}).", ""
