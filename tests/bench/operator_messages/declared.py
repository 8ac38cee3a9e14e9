"""What is measured: every intent that an agent declares, and the house's own."""

from __future__ import annotations

from agents import discover
from agents.base import Intent
from bot.control import CONTROL


def everything() -> list[type[Intent]]:
    """Return every intent there is, the agents' first."""
    found = [intent for agent in discover().values() for intent in agent.intents]
    ids = {intent.id() for intent in found}
    return [*found, *(intent for intent in CONTROL if intent.id() not in ids)]
