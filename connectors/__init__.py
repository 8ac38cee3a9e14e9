"""The hands: one file per outside service, found by being here."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from importlib.metadata import entry_points

from connectors.base import Connector


def discover() -> dict[str, type[Connector]]:
    """Return every connector class by service: ours from this folder, strangers' from ``soloist.connectors``.

    Raises:
        ValueError: Two connectors claim one service; the message names both.
    """
    return dict(_discovered())


@functools.cache  # reading every distribution's entry points takes 10 ms, and they do not change while we run
def _discovered() -> dict[str, type[Connector]]:
    classes: list[type[Connector]] = []
    for module in sorted(info.name for info in pkgutil.iter_modules(__path__) if info.name not in {"base", "client"}):
        loaded = importlib.import_module(f"connectors.{module}")
        classes += [
            member
            for _, member in inspect.getmembers(loaded, inspect.isclass)
            if issubclass(member, Connector) and member.__module__ == loaded.__name__ and hasattr(member, "service")
        ]
    classes += [entry.load() for entry in entry_points(group="soloist.connectors")]
    found: dict[str, type[Connector]] = {}
    for each in classes:
        if each.service in found:
            raise ValueError(f"Two connectors call themselves {each.service!r}: {found[each.service]} and {each}.")
        found[each.service] = each
    return found
