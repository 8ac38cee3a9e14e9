"""Keeps secrets out of everything that is written or shown: what a service echoes in an error must not reach a card.

Applied where outside words enter history (`bot.executor`) and where anything is logged (`bot.cli`).
"""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus

from bot.terminal import shown

SHORTEST = 6  # characters; a shorter "secret" is a word that would black out innocent text
INSTEAD = "[secret]"


class Redactor:
    """Replaces every known secret, also as it stands in an address, in JSON, or in base64."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret)}
        # The longest first: one secret may hold another.
        words = sorted((form for form in forms if len(form) >= SHORTEST), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, words))) if words else None

    def __call__(self, text: str) -> str:
        """Return the text without any secret."""
        return self._pattern.sub(INSTEAD, text) if self._pattern and text else text

    def all(self, value: Any) -> Any:
        """Return any JSON value without any secret, in its keys neither."""
        match value:
            case str():
                return self(value)
            case dict():
                return {self(key): self.all(item) for key, item in value.items()}
            case list() | tuple():
                return [self.all(item) for item in value]
            case _:
                return value


def _forms(secret: str) -> Iterable[str]:
    raw = secret.encode()
    yield from (secret, quote(secret, safe=""), quote(secret), quote_plus(secret), json.dumps(secret)[1:-1])
    yield repr(secret)[1:-1]
    # The whole of it in base64, without the ends that depend on its neighbours ("user:" + secret, padding).
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + raw).decode().rstrip("=")
        yield encoded[4 if shift else 0 : len(encoded) // 4 * 4 - (4 if len(encoded) % 4 == 0 else 0) or None]


class RedactingFormatter(logging.Formatter):
    """A log line, its traceback included, without any secret, and with nothing in it that a terminal would obey."""

    def __init__(self, fmt: str, redact: Redactor) -> None:
        super().__init__(fmt)
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Return the finished line."""
        return shown(self._redact(super().format(record)))
