"""Opens the channels that have tokens, and knows who may speak on them."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from zoneinfo import ZoneInfo

from bot import keys
from bot.approvals import Person
from bot.channels.base import Channel, Home
from bot.delegates import delegates
from bot.doctor import Finding
from bot.pairings import PAIRINGS, PairingsFile, SlackPairings, TelegramPairing
from bot.settings import Settings, SettingsError
from memory.events import Actor, Origin

if TYPE_CHECKING:
    from bot.channels import slack

NO_ADDRESS = "SLACK_SIGNING_SECRET is set and SLACK_ADDRESS is not: name the host:port to listen on, too."

Refused = Callable[[Actor, str], Awaitable[None]]
"""Told of everybody who was turned away: who, and what they tried."""


class Pace(Protocol):
    """Time for the channels: what hour it is, a stopwatch that never goes back, and a nap."""

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        ...

    def elapsed_s(self) -> float:
        """Return seconds since some fixed moment."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""
        ...


@dataclass
class Switchboard:
    """The open channels and the people on them."""

    channels: dict[str, Channel] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    _pairings: PairingsFile | None = None
    _named: tuple[Person, ...] = ()

    def people(self) -> tuple[Person, ...]:
        """Return who may speak now; asked at every input, so a pairing holds at once."""
        if self._pairings is None:
            return self._named
        paired = [Person("slack", kept["user"], kept["team"]) for kept in self._pairings.of("slack")]
        paired += [Person("telegram", kept["user"]) for kept in self._pairings.of("telegram")]
        return (*self._named, *paired)


def open_switchboard(
    given: Settings,
    *,
    zone: ZoneInfo,
    home_view: Callable[[], Home],
    refused: Refused,
    commands: Sequence[tuple[str, str]],
    announce: Callable[[str], None],
    troubled: Callable[[str], None] = lambda _: None,
    pace: Pace | None = None,
) -> Switchboard:
    """Open every channel whose token is set. One that cannot be opened is a notice, and the house goes on without it.

    Args:
        home_view: The single pane, for App Home.
        announce: Prints a sentence where the operator starts the bot.
        troubled: Tells the operator, on every channel, what only they can mend on one.
        pace: Time for the channels; default: the machine's.

    Raises:
        SettingsError: A setting makes no sense.
    """
    board = Switchboard()
    values = given.values
    if not (values["SLACK_BOT_TOKEN"] or values["TELEGRAM_TOKEN"]):
        return board
    board._pairings = PairingsFile(given.home / PAIRINGS)  # noqa: SLF001 - its maker
    named = list(delegates(given))
    if values["SLACK_BOT_TOKEN"]:
        try:
            board.channels["slack"] = _slack(given, board, named, zone, home_view, refused, commands, troubled, pace)
        except UnusableTokenError as error:
            board.notices.append(f"Slack is left out: {error}")
    if values["TELEGRAM_TOKEN"]:
        try:
            board.channels["telegram"] = _telegram(
                given, board, named, zone, refused, commands, announce, troubled, pace
            )
        except UnusableTokenError as error:
            board.notices.append(f"Telegram is left out: {error}")
    board._named = tuple(named)  # noqa: SLF001
    return board


class UnusableTokenError(Exception):
    """A token is missing or is none; the message says which, and where it comes from."""


async def examine(given: Settings) -> list[Finding]:
    """Ask Slack and Telegram whether tokens, scopes, ways in and people are right, and say where each is changed."""
    values, findings = given.values, []
    try:
        pairings = PairingsFile(given.home / PAIRINGS)
    except SettingsError as error:
        return [Finding(ok=False, what=f"pairings: {error}")]
    if values["SLACK_BOT_TOKEN"]:
        findings += await _examine_slack(values, pairings)
    else:
        findings.append(Finding(ok=True, what="slack: not set up. 'python -m bot slack manifest' is the first step."))
    if values["TELEGRAM_TOKEN"]:
        findings += await _examine_telegram(values, pairings)
    else:
        findings.append(Finding(ok=True, what="telegram: not set up. Talk to @BotFather, then set TELEGRAM_TOKEN."))
    return findings


async def _examine_slack(values: Mapping[str, str], pairings: PairingsFile) -> list[Finding]:
    from bot.channels import slack

    team, _, user = values["SLACK_OPERATOR"].partition(":")
    named = [slack.Person(team, user)] if team and user else []
    secret = values["SLACK_SIGNING_SECRET"] if values["SLACK_ADDRESS"] else ""
    if values["SLACK_SIGNING_SECRET"] and not (values["SLACK_ADDRESS"] or values["SLACK_APP_TOKEN"]):
        return [Finding(ok=False, what=f"slack: {NO_ADDRESS}")]
    checks = await slack.check(
        values["SLACK_BOT_TOKEN"],
        app_token=values["SLACK_APP_TOKEN"],
        signing_secret=secret,
        address=values["SLACK_ADDRESS"],
        people=slack.People(named, SlackPairings(pairings)),
        base_url=values["SLACK_API_BASE"],
    )
    return [Finding(ok=check.well, what=f"slack: {check.what}: {check.text}") for check in checks]


async def _examine_telegram(values: Mapping[str, str], pairings: PairingsFile) -> list[Finding]:
    from bot.channels.telegram import health

    if values["TELEGRAM_OPERATOR"] and not values["TELEGRAM_OPERATOR"].isdecimal():
        what = f"telegram: people: TELEGRAM_OPERATOR is {values['TELEGRAM_OPERATOR']!r}, which is no user id."
        return [Finding(ok=False, what=what, remedy="It is a number; @userinfobot in Telegram tells it.")]
    paired = TelegramPairing(pairings, values["TELEGRAM_OPERATOR"]).load()
    checks = await health.check(
        values["TELEGRAM_TOKEN"],
        values["TELEGRAM_API_BASE"],
        address=values["TELEGRAM_ADDRESS"],
        operator=paired[0] if paired else None,
    )
    return [
        Finding(ok=check.well, what=f"telegram: {check.what}: {check.text}", remedy=check.remedy) for check in checks
    ]


def _slack(
    given: Settings,
    board: Switchboard,
    named: list[Person],
    zone: ZoneInfo,
    home_view: Callable[[], Home],
    refused: Refused,
    commands: Sequence[tuple[str, str]],
    troubled: Callable[[str], None],
    pace: Pace | None,
) -> Channel:
    # Imported only where a token is set: the library costs a second of start.
    from bot.channels import slack

    values, pairings = given.values, board._pairings  # noqa: SLF001
    assert pairings is not None
    people = [slack.Person(each.account, each.user, each.role) for each in named if each.platform == "slack"]
    operator = bool(values["SLACK_OPERATOR"])
    if operator:
        team, colon, user = values["SLACK_OPERATOR"].partition(":")
        if not colon or not user:
            raise SettingsError("SLACK_OPERATOR is your team and user id with a colon between: T0123:U0456.")
        people.append(slack.Person(team, user))
        named.append(Person("slack", user, team))
    code = "" if operator or pairings.of("slack") else secrets.token_hex(4)
    _look_like_tokens(values)

    async def told(refusal: slack.Refusal) -> None:
        await refused(refusal.actor, f"tried {refusal.what}")

    times: dict[str, Any] = {}
    if pace is not None:
        times = {"clock": _Stopwatch(pace)}
        if not values["SLACK_ADDRESS"]:  # signed requests carry the platform's time
            times["wall"] = lambda: pace.now().timestamp()
    try:
        opened = slack.Slack(
            values["SLACK_BOT_TOKEN"],
            app_token=values["SLACK_APP_TOKEN"],
            signing_secret=values["SLACK_SIGNING_SECRET"] if values["SLACK_ADDRESS"] else "",
            people=people,
            store=SlackPairings(pairings),
            pairing_code=code,
            home_view=home_view,
            refused=told,
            troubled=troubled,
            zone=zone,
            base_url=values["SLACK_API_BASE"],
            listen=values["SLACK_ADDRESS"],
            commands=[command for command, _ in commands],
            **times,
        )
    except slack.NoTokenError as error:
        if values["SLACK_SIGNING_SECRET"] and not values["SLACK_ADDRESS"]:
            raise UnusableTokenError(NO_ADDRESS) from None
        raise UnusableTokenError(str(error)) from None
    if code:
        board.notices.append(f"Slack: type /solo pair {code} in your workspace; whoever does is the operator.")
    return opened


def _look_like_tokens(values: Mapping[str, str]) -> None:
    """Refuse what was pasted into the wrong line, before Slack is asked.

    Raises:
        UnusableTokenError: A token has not the form of one.
    """
    if values["SLACK_BOT_TOKEN"].startswith("xapp-") and values["SLACK_APP_TOKEN"].startswith("xoxb-"):
        raise UnusableTokenError(
            "the two tokens stand in each other's line: SLACK_BOT_TOKEN is xoxb-…, SLACK_APP_TOKEN is xapp-…."
        )
    if not values["SLACK_BOT_TOKEN"].startswith("xoxb-"):
        raise UnusableTokenError(
            "SLACK_BOT_TOKEN does not start with xoxb-. Copy the Bot User OAuth Token: api.slack.com/apps, your app, "
            "OAuth & Permissions."
        )
    make = "Make one with connections:write: api.slack.com/apps, your app, Basic Information, App-Level Tokens."
    if not values["SLACK_APP_TOKEN"] and not values["SLACK_SIGNING_SECRET"]:
        raise UnusableTokenError(f"SLACK_APP_TOKEN is empty. {make}")
    if values["SLACK_APP_TOKEN"] and not values["SLACK_APP_TOKEN"].startswith("xapp-"):
        raise UnusableTokenError(f"SLACK_APP_TOKEN does not start with xapp-. {make}")


class _Stopwatch:
    """The pace as `bot.channels.slack.lane.Clock` wants it."""

    def __init__(self, pace: Pace) -> None:
        self.now = pace.elapsed_s
        self.sleep = pace.sleep


def _telegram(
    given: Settings,
    board: Switchboard,
    named: list[Person],
    zone: ZoneInfo,
    refused: Refused,
    commands: Sequence[tuple[str, str]],
    announce: Callable[[str], None],
    troubled: Callable[[str], None],
    pace: Pace | None,
) -> Channel:
    from bot.channels import telegram

    values, pairings = given.values, board._pairings  # noqa: SLF001
    assert pairings is not None
    if values["TELEGRAM_OPERATOR"]:
        if not values["TELEGRAM_OPERATOR"].isdecimal():
            raise SettingsError("TELEGRAM_OPERATOR is your user id, a number; @userinfobot tells it.")
        named.append(Person("telegram", values["TELEGRAM_OPERATOR"]))
    webhook = None
    if values["TELEGRAM_ADDRESS"]:
        host, _, port = values["TELEGRAM_LISTEN"].rpartition(":")
        try:
            secret = keys.kept(given.home / "telegram.secret")
            webhook = telegram.Webhook(
                values["TELEGRAM_ADDRESS"], secret=secret, host=host or "127.0.0.1", port=int(port)
            )
        except ValueError as error:
            raise SettingsError(f"TELEGRAM_ADDRESS or TELEGRAM_LISTEN makes no sense: {error}") from None
    try:
        return telegram.Telegram(
            values["TELEGRAM_TOKEN"],
            TelegramPairing(pairings, values["TELEGRAM_OPERATOR"]),
            announce=announce,
            base_url=f"{values['TELEGRAM_API_BASE'].rstrip('/')}",
            delegates={int(each.user) for each in named if (each.platform, each.role) == ("telegram", Origin.DELEGATE)},
            clock=pace,
            webhook=webhook,
            zone=zone,
            commands=[(command.lstrip("/"), words) for command, words in commands],
            refused=refused,
            troubled=troubled,
        )
    except ValueError as error:
        raise UnusableTokenError(str(error)) from None
