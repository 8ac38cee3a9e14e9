"""Opens the channels that have tokens, and knows who may speak on them: who was named, and who was paired."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from bot.approvals import Person
from bot.channels.base import Channel, Home, NotWrittenError
from bot.settings import Settings, SettingsError
from memory.events import Actor

if TYPE_CHECKING:
    from bot.channels import slack

Refused = Callable[[Actor, str], Awaitable[None]]
"""Told of everybody who was turned away: who, and what they tried."""


class PairingsFile:
    """Who was paired, by platform: one small file in the home folder, read once, written durably.

    A damaged file is not taken for "nobody yet": that would let a stranger in.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._people: dict[str, list[dict[str, str]]] = {}
        try:
            self._people = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            pass
        except ValueError as error:
            raise SettingsError(f"{path} is damaged. Delete it, restart, and pair again with the new code.") from error

    def of(self, platform: str) -> list[dict[str, str]]:
        """Return what is kept of a platform's people."""
        return list(self._people.get(platform, ()))

    def add(self, platform: str, person: dict[str, str]) -> None:
        """Keep one more; returns when it is on disk.

        Raises:
            NotWrittenError: It is not.
        """
        people = {**self._people, platform: [*self.of(platform), person]}
        beside = self._path.with_suffix(".new")
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                json.dump(people, stream, indent=1)
                stream.flush()
                os.fsync(stream.fileno())
            beside.replace(self._path)
        except OSError as error:
            raise NotWrittenError(f"The pairing could not be kept: {error.strerror}. Try again.") from error
        self._people = people


class SlackPairings:
    """Serves `bot.channels.slack.PeopleStore`."""

    def __init__(self, file: PairingsFile) -> None:
        self._file = file

    def load(self) -> Iterable[slack.Person]:
        """Return everybody who was paired."""
        from bot.channels import slack

        return [slack.Person(kept["team"], kept["user"], name=kept.get("name", "")) for kept in self._file.of("slack")]

    async def save(self, person: slack.Person) -> None:
        """Add one."""
        self._file.add("slack", {"team": person.team, "user": person.user, "name": person.name})


class TelegramPairing:
    """Serves `bot.channels.telegram.PairingStore`."""

    def __init__(self, file: PairingsFile, operator: str) -> None:
        self._file = file
        self._operator = operator

    def load(self) -> tuple[int, int] | None:
        """Return (user id, chat id): a private chat has its user's id."""
        if self._operator:
            return int(self._operator), int(self._operator)
        kept = self._file.of("telegram")
        return (int(kept[0]["user"]), int(kept[0]["chat"])) if kept else None

    async def save(self, user_id: int, chat_id: int) -> None:
        """Keep the one operator."""
        self._file.add("telegram", {"user": str(user_id), "chat": str(chat_id)})


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
) -> Switchboard:
    """Open every channel whose token is set.

    Args:
        home_view: The single pane, for App Home.
        announce: Prints a sentence where the operator starts the bot.

    Raises:
        SettingsError: A setting makes no sense.
    """
    board = Switchboard()
    values = given.values
    if not (values["SLACK_BOT_TOKEN"] or values["TELEGRAM_TOKEN"]):
        return board
    board._pairings = PairingsFile(given.home / "pairings.json")  # noqa: SLF001 - its maker
    named: list[Person] = []
    if values["SLACK_BOT_TOKEN"]:
        board.channels["slack"] = _slack(given, board, named, zone, home_view, refused)
    if values["TELEGRAM_TOKEN"]:
        board.channels["telegram"] = _telegram(given, board, named, zone, refused, commands, announce)
    board._named = tuple(named)  # noqa: SLF001
    return board


def _slack(
    given: Settings,
    board: Switchboard,
    named: list[Person],
    zone: ZoneInfo,
    home_view: Callable[[], Home],
    refused: Refused,
) -> Channel:
    # Imported only where a token is set: the library costs a second of start.
    from bot.channels import slack

    values, pairings = given.values, board._pairings  # noqa: SLF001
    assert pairings is not None
    people = []
    if values["SLACK_OPERATOR"]:
        team, colon, user = values["SLACK_OPERATOR"].partition(":")
        if not colon or not user:
            raise SettingsError("SLACK_OPERATOR is your team and user id with a colon between: T0123:U0456.")
        people.append(slack.Person(team, user))
        named.append(Person("slack", user, team))
    code = "" if people or pairings.of("slack") else secrets.token_hex(4)
    if code:
        board.notices.append(f"Slack: type /solo pair {code} in your workspace; whoever does is the operator.")

    async def told(refusal: slack.Refusal) -> None:
        await refused(refusal.actor, refusal.what)

    return slack.Slack(
        values["SLACK_BOT_TOKEN"],
        app_token=values["SLACK_APP_TOKEN"],
        signing_secret=values["SLACK_SIGNING_SECRET"],
        people=people,
        store=SlackPairings(pairings),
        pairing_code=code,
        home_view=home_view,
        refused=told,
        zone=zone,
        base_url=values["SLACK_API_BASE"],
        listen=values["SLACK_ADDRESS"],
    )


def _telegram(
    given: Settings,
    board: Switchboard,
    named: list[Person],
    zone: ZoneInfo,
    refused: Refused,
    commands: Sequence[tuple[str, str]],
    announce: Callable[[str], None],
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
        webhook = telegram.Webhook(values["TELEGRAM_ADDRESS"], host=host or "127.0.0.1", port=int(port))
    return telegram.Telegram(
        values["TELEGRAM_TOKEN"],
        TelegramPairing(pairings, values["TELEGRAM_OPERATOR"]),
        announce=announce,
        base_url=f"{values['TELEGRAM_API_BASE'].rstrip('/')}",
        webhook=webhook,
        zone=zone,
        commands=[(command.lstrip("/"), words) for command, words in commands],
        refused=refused,
    )
