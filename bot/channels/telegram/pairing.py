"""Who the operator is: whoever sends the one-time code that was printed on the machine the bot runs on.

Before that nobody is listened to, and afterwards nobody else ever is. The code is 8 letters and digits (40 bits),
runs out after an hour, and is thrown away after too many wrong guesses; then a new one is printed.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # 32, none of which is read as another
CODE_LENGTH = 8
CODE_LIFE = timedelta(hours=1)
TRIES_EACH_MAX = 5  # wrong guesses of one person before that person is no longer listened to
TRIES_ALL_MAX = 50  # of all persons, before the code is thrown away

_CODE = re.compile(rf"(?:/start(?:@\w+)?\s+)?([{CODE_LETTERS}]{{4}})-?([{CODE_LETTERS}]{{4}})", re.IGNORECASE)


class PairingStore(Protocol):
    """Remembers who the operator is, over restarts."""

    def load(self) -> tuple[int, int] | None:
        """Return (user id, chat id), or None while nobody is paired."""
        ...

    async def save(self, user_id: int, chat_id: int) -> None:
        """Keep it durably before returning.

        Raises:
            NotWrittenError: It could not be kept; the code stays good.
        """
        ...


class Pairing:
    """The code of the moment, and who has tried."""

    def __init__(self, store: PairingStore, now: Callable[[], datetime], announce: Callable[[str], None]) -> None:
        self._store = store
        self._now = now
        self._announce = announce
        self._paired = store.load()
        self._code = ""
        self._expires_at = now()
        self._tries: dict[int, int] = {}

    @property
    def user_id(self) -> int | None:
        """The operator's stable id, None while nobody is paired."""
        return self._paired[0] if self._paired else None

    @property
    def chat_id(self) -> int | None:
        """The chat with the operator."""
        return self._paired[1] if self._paired else None

    def code(self) -> str | None:
        """Return the code that is good now, printing a new one when the old one ran out; None once paired."""
        if self._paired:
            return None
        if not self._code or self._now() >= self._expires_at:
            self._renew()
        return f"{self._code[:4]}-{self._code[4:]}"

    async def attempt(self, text: str, user_id: int, chat_id: int) -> bool:
        """Return whether the text is the code; then its sender is the operator from now on.

        Raises:
            NotWrittenError: It is, and could not be kept; the code is still good.
        """
        found = _CODE.fullmatch(text.strip())
        if self._paired or found is None or self._tries.get(user_id, 0) >= TRIES_EACH_MAX:
            return False
        self.code()
        guess = (found.group(1) + found.group(2)).upper()
        if not hmac.compare_digest(guess, self._code):
            self._miss(user_id)
            return False
        await self._store.save(user_id, chat_id)
        self._paired = (user_id, chat_id)
        self._code = ""
        return True

    def _miss(self, user_id: int) -> None:
        self._tries[user_id] = self._tries.get(user_id, 0) + 1
        if sum(self._tries.values()) >= TRIES_ALL_MAX:
            self._tries.clear()
            self._renew()

    def _renew(self) -> None:
        self._code = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
        self._expires_at = self._now() + CODE_LIFE
        self._announce(
            f"Telegram: send {self._code[:4]}-{self._code[4:]} to your bot to pair it with you. "
            f"The code is good for {int(CODE_LIFE.total_seconds()) // 60} minutes."
        )
