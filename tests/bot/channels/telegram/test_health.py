"""``doctor`` on Telegram: every finding says what is wrong and where it is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bot.channels.telegram.health import Finding, check
from bot.pairings import PAIRINGS, PairingsFile
from bot.settings import read
from bot.switchboard import examine
from bot.wiring import declared_settings
from tests.counterparts.telegram import OPERATOR, TelegramDouble


async def looked(telegram: TelegramDouble, **settings: Any) -> dict[str, Finding]:
    token, base = settings.pop("token", telegram.token), settings.pop("base_url", telegram.url)
    return {found.what: found for found in await check(token, base, **{"operator": OPERATOR} | settings)}


async def test_a_good_set_up_has_no_complaint() -> None:
    async with TelegramDouble() as telegram:
        found = await looked(telegram)
        assert {what: each.well for what, each in found.items()} == {"token": True, "way in": True, "people": True}
        assert "@soloist_double_bot" in found["token"].text
        assert {call.method for call in telegram.calls} == {"getMe", "getWebhookInfo"}, "it only looks"


async def test_a_wrong_token_a_revoked_one_and_no_network_are_told_apart() -> None:
    async with TelegramDouble() as telegram:
        assert "digits, a colon" in (await looked(telegram, token="12"))["token"].text
        telegram.revoke()
        found = (await looked(telegram))["token"]
        assert not found.well
        assert "revoked, or copied wrongly" in found.text
        assert "@BotFather" in found.remedy
        await telegram.vanish()
        assert "cannot be reached" in (await looked(telegram))["token"].text


async def test_nobody_paired_is_said_with_the_bot_to_write_to() -> None:
    async with TelegramDouble() as telegram:
        found = (await looked(telegram, operator=None))["people"]
        assert not found.well
        assert "send the code that it prints to @soloist_double_bot" in found.remedy


async def test_a_webhook_that_cannot_work_says_why() -> None:
    async with TelegramDouble() as telegram:
        assert "not an address" in (await looked(telegram, address="bot.example.com"))["webhook"].text
        telegram.webhook = {"url": "https://bot.example.com/t", "trouble": "Wrong response from the webhook: 502"}
        found = (await looked(telegram, address="https://bot.example.com/t"))["webhook"]
        assert not found.well
        assert "502" in found.text
        assert "TELEGRAM_LISTEN" in found.remedy
        telegram.webhook = {"url": ""}
        fine = (await looked(telegram, address="https://bot.example.com/t"))["webhook"]
        assert fine.well
        assert "set at the next start" in fine.text


async def test_much_that_waits_means_that_nobody_listens() -> None:
    async with TelegramDouble() as telegram:
        for number in range(101):
            telegram.user_says(f"hello {number}")
        assert "101 messages wait" in (await looked(telegram))["way in"].text


async def test_doctor_looks_at_the_settings_as_the_bot_will_use_them(tmp_path: Path) -> None:
    async with TelegramDouble() as telegram:
        values = {"TELEGRAM_TOKEN": telegram.token, "TELEGRAM_API_BASE": telegram.url, "TELEGRAM_OPERATOR": "@nora"}

        async def told() -> str:
            given = read(declared_settings(), environment={"SOLOIST_HOME": str(tmp_path), **values}, folder=tmp_path)
            return "\n".join(map(str, await examine(given)))

        assert "'@nora', which is no user id" in await told()
        values["TELEGRAM_OPERATOR"] = ""
        assert "BAD  telegram: people: nobody is paired" in await told()
        PairingsFile(tmp_path / PAIRINGS).add("telegram", {"user": "7001", "chat": "7001"})
        assert "ok   telegram: people: user 7001 is the operator." in await told()
        (tmp_path / PAIRINGS).write_text("{")
        assert "is damaged" in await told()
