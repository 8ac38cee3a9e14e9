"""What the conductor knows beside the task: time, rules, people and books. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol
from zoneinfo import ZoneInfo

from bot import absence
from bot.absence import Absence
from bot.approvals import Roster, View
from bot.policy import Policy, quiet_until
from connectors.base import Action, Json
from memory.events import Actor, CardOpened, Granted, Origin, Place

SOLOIST = Actor(platform="soloist", user="soloist", origin=Origin.SYSTEM)
CLOCK = Actor(platform="clock", user="clock", origin=Origin.SYSTEM)


class Standing(Protocol):
    """A record as it stands: `memory.projections.Version` serves."""

    @property
    def version(self) -> int:
        """Counted from 1, versions that ended the record among them."""
        ...

    @property
    def data(self) -> Mapping[str, Json]:
        """What it says."""
        ...


class Ledgers(Protocol):
    """What the conductor reads of the books inside the transaction; `memory.projections.Books` serves."""

    def version(self, kind: str, key: str) -> int:
        """Newest version, 0 for none."""
        ...

    def standing(self, kind: str, key: str) -> Standing | None:
        """Newest version that is not gone."""
        ...

    def decisions(self, action: str, client: str) -> list[str]:
        """How the cards for one action and client were decided, oldest first."""
        ...

    def reserved_for(self, name: str) -> str | None:
        """The card a number is held for."""
        ...

    def next_number(
        self, kind: str, series: str, prefix: str = "", *, card: str = "", beside_waiting: bool = True
    ) -> str:
        """The lowest number of a series that is free, or held by this card, or else by one that waits for a press."""
        ...

    def knows_recipient(self, address: str) -> bool:
        """Whether anybody has written there."""
        ...

    def heard_from(self, address: str, since: datetime) -> bool:
        """Whether something from that address has come in since."""
        ...

    def paid(self, account: str) -> list[str]:
        """Who was paid on this account before."""
        ...

    def paid_as(self, name: str) -> list[str]:
        """Whom money went to under this name before."""
        ...

    def spent(
        self, since: datetime, *, client: str = "", action: str = "", payee: str = "", apart: str = ""
    ) -> dict[str, Decimal]:
        """Money let through since, but for one effect."""
        ...

    def turn(
        self, action: str, now: datetime, *, most: int, span: timedelta, beside: int, waited: str
    ) -> datetime | None:
        """When the next effect may begin at its action's pace; None: now."""
        ...

    def sent_as(self, message_id: str) -> tuple[int, str] | None:
        """The task that sent a mail, and its title."""
        ...

    def under_way(self, room: str, since: datetime) -> int:
        """How many effects of a room were begun since, and have not come to an end."""
        ...

    def newer_than(self, effect: str, kind: str, key: str) -> bool:
        """Whether a record was written again after an effect wrote it."""
        ...

    def before(self, effect: str, kind: str, key: str) -> Mapping[str, Json] | None:
        """A record's data before an effect wrote it, None when there was none."""
        ...


@dataclass(frozen=True)
class House:
    """What holds everywhere, as of this transaction."""

    now: datetime
    zone: ZoneInfo
    policy: Policy
    actions: Mapping[str, Action]
    ledgers: Ledgers
    roster: Roster
    secret: bytes
    accounts: Mapping[str, str] = field(default_factory=dict)  # service → as whom
    agents: Mapping[str, str] = field(default_factory=dict)  # intent → agent
    proposes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # agent → actions
    hears: Mapping[str, str] = field(default_factory=dict)  # kind of outside item → agent
    homes: tuple[Place, ...] = ()  # where the operator is reached; only channels that need delivering to
    paused: frozenset[str] = frozenset()
    grants: Mapping[str, Granted] = field(default_factory=dict)
    thinking: Callable[[str], str] = lambda _: ""  # tier → what a question to its model costs at most; "" without one

    def view(self) -> View:
        """Return what rendering a card needs."""
        return View(self.actions, self.secret, self.zone, self.now)

    def absence(self) -> Absence | None:
        """Return the operator's newest absence, past or present."""
        known = self.ledgers.standing(absence.KIND, absence.KEY)
        return absence.of(known.data) if known else None

    def rests_until(self) -> datetime | None:
        """Return until when what can wait does, None when the operator is there: quiet hours, or away."""
        away, quiet = self.absence(), quiet_until(self.policy, self.now, self.zone)
        ends = [away.until] if away and away.covers(self.now) else []
        return max([*ends, *([quiet] if quiet else [])], default=None)

    def there_from(self) -> datetime:
        """Return from when on somebody can decide: now, or the return from an absence."""
        away = self.absence()
        return away.until if away and away.covers(self.now) else self.now

    def is_away(self) -> bool:
        """Whether the operator is away now."""
        away = self.absence()
        return away is not None and away.covers(self.now)

    def runs_out(self, card: CardOpened) -> datetime | None:
        """Return when a card runs out: not while the operator is away."""
        if card.expires_at is None:
            return None
        away = self.absence()
        return away.postponed(card.expires_at) if away else card.expires_at

    def client_name(self, key: str) -> str:
        """Return a client's name as the books have it, the key where they have none."""
        client = self.ledgers.standing("client", key) if key else None
        return str(client.data.get("name") or key) if client else key
