"""Who else may decide, and what: the delegates that the operator has named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agents.base import money, parse_money
from bot.approvals import Person
from bot.settings import Settings, SettingsError, read_delegates
from memory.events import Origin


def delegates(given: Settings) -> tuple[Person, ...]:
    """Return the delegates: who is named in the settings, with the limits that ``delegates.toml`` sets.

    The file holds tables ``[[delegate]]`` with ``slack = "T0123:U0456"`` or ``telegram = "1234"`` or both, ``actions``
    (names or patterns like ``"mail.*"``; left out: all) and ``amount_max`` (``"500.00 EUR"``; left out: no money).

    Raises:
        SettingsError: An id, an amount or the file makes no sense.
    """
    found: dict[tuple[str, str, str], Person] = {}
    for platform, setting in (("slack", "SLACK_DELEGATES"), ("telegram", "TELEGRAM_DELEGATES")):
        for text in filter(None, (part.strip() for part in given.values[setting].split(","))):
            person = _delegate(platform, text, setting)
            found[person.platform, person.account, person.user] = person
    for table in read_delegates(given.home):
        for platform in ("slack", "telegram"):
            if text := str(table.get(platform, "")):
                person = _delegate(platform, text, "delegates.toml")
                found[person.platform, person.account, person.user] = replace(
                    person, actions=tuple(table.get("actions", ("*",))), amount_max=_amount(table)
                )
    return tuple(found.values())


def _delegate(platform: str, text: str, where: str) -> Person:
    if platform == "slack":
        team, colon, user = text.partition(":")
        if not (team and colon and user):
            raise SettingsError(f"{where} names {text!r}; a person in Slack is team:user, like T0123:U0456.")
        return Person("slack", user, team, role=Origin.DELEGATE)
    if not (text.isascii() and text.isdecimal()):
        raise SettingsError(f"{where} names {text!r}; a person in Telegram is a user id, a number.")
    return Person("telegram", text, role=Origin.DELEGATE)


def _amount(table: Mapping[str, Any]) -> str:
    text = str(table.get("amount_max", ""))
    if text:
        try:
            amount, currency = parse_money(text)
        except (ValueError, ArithmeticError):
            raise SettingsError(f"delegates.toml: amount_max is {text!r}, and should be like '500.00 EUR'.") from None
        return money(amount, currency)
    return ""
