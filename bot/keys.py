"""Secrets that this home makes for itself: the console's key, the programs' key, the webhook's secret.

Each is a file in the home folder, made once, readable by its owner alone, and left out of every backup
(`memory.archive.SECRETS`).
"""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path

from bot.settings import SettingsError
from memory.files import write_privately

NAMES = ("console.key", "mcp.key", "telegram.secret")
BYTES = 32
SHORTEST = 16  # characters; what is shorter was cut off, and an empty key would let everybody in


def there(home: Path) -> list[str]:
    """Return the secrets that this home has, to be kept out of logs and cards."""
    found = []
    for name in NAMES:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            found.append((home / name).read_text(encoding="ascii").strip())
    return found


def kept(path: Path) -> str:
    """Return the secret in a file: always the same, so that a bookmark and a registration hold; a damaged one is made anew.

    Raises:
        SettingsError: It can neither be read nor written.
    """
    try:
        there = path.read_text(encoding="ascii").strip() if path.exists() else ""
    except UnicodeDecodeError:
        there = ""
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}. Mend its rights, or delete it.") from None
    if len(there) >= SHORTEST and there.isprintable():
        return there
    made = secrets.token_urlsafe(BYTES)
    try:
        write_privately(path, made.encode())
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be written: {error.strerror}. Make room there, or mend its rights."
        ) from None
    return made
