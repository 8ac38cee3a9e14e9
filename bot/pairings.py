"""Who was paired with a code, by platform: one small file in the home folder."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bot.channels.base import NotWrittenError
from bot.settings import Settings, SettingsError
from memory.files import write_privately

if TYPE_CHECKING:
    from bot.channels import slack

PAIRINGS = "pairings.json"  # in the home folder
_PEOPLE = msgspec.json.Decoder(dict[str, list[dict[str, str]]])


class PairingsFile:
    """Who was paired, by platform: one small file in the home folder, read once, written durably.

    A damaged file is not taken for "nobody yet": that would let a stranger in.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._people: dict[str, list[dict[str, str]]] = {}
        try:
            self._people = _PEOPLE.decode(path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            pass
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise SettingsError(f"{path} is damaged. Delete it, restart, and pair again with the new code.") from error

    def of(self, platform: str) -> list[dict[str, str]]:
        """Return what is kept of a platform's people."""
        return list(self._people.get(platform, ()))

    def add(self, platform: str, person: dict[str, str]) -> None:
        """Keep one more; returns when it is on disk.

        Raises:
            NotWrittenError: It is not.
        """
        self._write({**self._people, platform: [*self.of(platform), person]})

    def forget(self, platform: str) -> int:
        """Forget everybody who was paired on a platform; returns how many that were.

        Raises:
            NotWrittenError: It could not be written; they are paired as before.
        """
        gone = len(self.of(platform))
        if gone:
            self._write({name: people for name, people in self._people.items() if name != platform})
        return gone

    def _write(self, people: dict[str, list[dict[str, str]]]) -> None:
        try:
            write_privately(self._path, json.dumps(people, indent=1).encode())
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


def unpair(given: Settings, platform: str) -> str:
    """Forget who was paired on a platform; return the sentence that says what follows.

    Raises:
        SettingsError: The file of pairings is damaged.
        NotWrittenError: It could not be written.
    """
    gone = PairingsFile(given.home / PAIRINGS).forget(platform)
    name = platform.capitalize()
    if given.values[f"{platform.upper()}_OPERATOR"]:
        return f"{name}: you are named by {platform.upper()}_OPERATOR. Take that line out and restart Soloist."
    if not gone:
        return f"{name}: nobody is paired."
    return f"{name}: unpaired. Restart Soloist if it is running: it prints a code to pair anew."
