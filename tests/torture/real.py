"""Real actions over real connectors, for rows that do many of them in one house: mail, calendar, money, links, posts.

Each is a `Deed` (``deeds.py``): how to ask for it, and how its provider's own ledger counts it. The house is bare, its agent
proposes what it is handed, and an edited draft is the draft before with the edits in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.base import Proposal, Task
from bot.approvals import overlay
from bot.policy import Policy
from memory.events import ActionCall
from tests.torture.bare import BareHouse, Willing
from tests.torture.deeds import DEEDS, Deed
from tests.torture.town import Town

ACTIONS = ("mail.send", "calendar.book", "stripe.refund", "stripe.payment_link", "blog.publish")
REAL = tuple(next(deed for deed in DEEDS if deed.action == name) for name in ACTIONS)


class Doer(Willing):
    """Proposes what it is handed, and takes up edits."""

    proposes = ACTIONS

    async def work(self, task: Task, desk: Any) -> Proposal:
        if task.edits and task.earlier:
            return Proposal(calls=overlay(task.earlier, task.edits))
        return await super().work(task, desk)


@dataclass(frozen=True)
class Wish:
    """One thing that was asked for."""

    deed: Deed
    words: str
    card: str

    def done(self, there: Town, home: Path) -> int:
        """How often it happened, by the provider's own ledger."""
        return self.deed.count(there, home, self.words, {})


def house_in(there: Town, home: Path, policy: Policy) -> BareHouse:
    """Return a house whose connectors speak to the town."""
    house = BareHouse(home, policy=policy, environment=there.environment())
    house.agent = Doer()
    return house


async def wished(house: BareHouse, there: Town, deed: Deed, words: str) -> Wish:
    """Ask for one thing; it waits on its card."""
    made = deed.call(there, house.home, words)
    house.agent.next.append((ActionCall(name=made["name"], args=made["args"], client="acme"),))
    return Wish(deed, words, f"{await house.operator('ask it')}.1")
