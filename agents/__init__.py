"""The minds: one file per agent, found by being here."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from importlib.metadata import entry_points

from agents.base import Agent


def discover() -> dict[str, type[Agent]]:
    """Return every agent class by name: ours from this folder, strangers' from the group ``soloist.agents``.

    Raises:
        ValueError: Two agents share a name, or two agents claim one intent; the message names both.
    """
    classes: list[type[Agent]] = []
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__) if info.name != "base"):
        loaded = importlib.import_module(f"agents.{module}")
        for _, member in inspect.getmembers(loaded, inspect.isclass):
            if issubclass(member, Agent) and member.__module__ == loaded.__name__:
                member.name = member.name or module
                classes.append(member)
    classes += [entry.load() for entry in entry_points(group="soloist.agents")]
    found: dict[str, type[Agent]] = {}
    owner: dict[str, str] = {}
    for each in classes:
        if each.name in found:
            raise ValueError(f"Two agents call themselves {each.name!r}: {found[each.name]} and {each}.")
        found[each.name] = each
        for intent in each.intents:
            if intent.id() in owner:
                raise ValueError(f"Both {owner[intent.id()]} and {each.name} claim the intent {intent.id()!r}.")
            owner[intent.id()] = each.name
    return found
