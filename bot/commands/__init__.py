"""What the command line does, by what it is for; `bot.cli` says how each is typed.

A command takes the parsed arguments and returns the exit status.
"""

from __future__ import annotations

from datetime import UTC, datetime

from bot import settings, wiring
from bot.settings import Settings

EXIT_BAD, EXIT_USAGE = 1, 2


def settings_given() -> Settings:
    """Return the settings as they are now."""
    return settings.read(wiring.declared_settings())


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)
