"""Real connectors' declarations over a paper provider: what the core sees of an action is the real thing, what it does is not."""

from __future__ import annotations

import functools
from typing import Any

from bot.testing import PaperProvider
from connectors.base import Connector, EffectClass, Receipt, Risk


def stand_in(kind: type[Connector], provider: PaperProvider) -> Connector:
    """Return a connector with every action of a kind as it is declared; the provider does what changes something."""
    made: dict[str, Any] = {"account": property(lambda _: f"me@{kind.service}.example"), "__init__": lambda _: None}
    for name, action in kind.actions().items():
        if action.risk is not Risk.READS:
            real = getattr(kind, action.method)
            made[action.method] = _done_by(provider, real, name, once=action.effect is EffectClass.KEYED)
    return type(kind.__name__, (kind,), made)()  # type: ignore[no-any-return]


def _done_by(provider: PaperProvider, real: Any, name: str, *, once: bool) -> Any:
    @functools.wraps(real)
    async def method(self: Connector, *, key: str = "", **args: Any) -> Receipt:
        del self
        return provider.accept(key, {"action": name, **args}, once=once)

    return method
