"""What may still be spent on models. Pure: no clock, no files, no network; time comes in as an argument.

Money has a limit before it has a use. Each call is *reserved* at its worst case before it leaves, and *settled* at what
it cost::

    refusal = judge(wanted, used, allowance)  # a value with a sentence, or None: it may go
    used_by(spent, held, wanted, now, zone)  # what counts against each limit

A limit stops model calls and nothing else. Commands, buttons, approvals, cancel and undo never ask this file; a refusal
is a value that callers turn into a template ("I go on without a model").

`MemoryLedger` keeps reservations in memory, for tests and for a house without a database; the durable one has the same
three methods and writes `memory.events.ModelCalled`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Protocol
from zoneinfo import ZoneInfo

from memory.events import ModelCalled, Origin

MILLION = Decimal(1_000_000)
TOKENS_PER_MESSAGE = 16  # what providers add around each message; generous, as a reservation must be


class UnpricedModelError(Exception):
    """A model has no known price. Taking it as zero would quietly unlock an endless bill."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"The price of {model} is not known, so it is not used. "
            f"Give it one in MODEL_PRICES, like: {model}=0.10:0.40 (USD a million tokens, in:out)."
        )


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens, read and written."""

    usd_in: Decimal
    usd_out: Decimal

    def cost(self, tokens_in: int, tokens_out: int) -> Decimal:
        """Return US dollars at full precision."""
        return (self.usd_in * tokens_in + self.usd_out * tokens_out) / MILLION


def tokens_worst(texts: Iterable[str]) -> int:
    """Return a number of tokens that these messages cannot exceed with any model.

    A tokenizer never makes more tokens than there are bytes, and loading each provider's would cost more than it saves.
    """
    return sum(len(text.encode()) + TOKENS_PER_MESSAGE for text in texts)


class Scope(StrEnum):
    """What a limit is counted over. Workflow and origin are counted per day, as the day's spending is shared out."""

    TASK = "task"
    WORKFLOW = "workflow"
    ORIGIN = "origin"
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True)
class Limit:
    """The most that may be used; None sets no limit."""

    usd: Decimal | None = None
    tokens: int | None = None


@dataclass(frozen=True)
class Allowance:
    """The operator's limits. The defaults suit a first month: two dollars a day, twenty a month.

    Strangers and clients have a share of their own, so that a flood of mail cannot use up the operator's day.
    """

    task: Limit = Limit(usd=Decimal("0.50"), tokens=200_000)
    workflow: Limit = Limit(usd=Decimal("1.00"))
    workflows: Mapping[str, Limit] = field(default_factory=dict)  # by name; instead of ``workflow``
    origins: Mapping[Origin, Limit] = field(
        default_factory=lambda: {Origin.STRANGER: Limit(usd=Decimal("0.30")), Origin.CLIENT: Limit(usd=Decimal("0.80"))}
    )
    day: Limit = Limit(usd=Decimal("2.00"))
    month: Limit = Limit(usd=Decimal("20.00"))
    warn_pct: tuple[int, ...] = (50, 80, 95)

    def limit(self, scope: Scope, wanted: Wanted) -> Limit:
        """Return the limit of one scope for one call."""
        match scope:
            case Scope.TASK:
                return self.task
            case Scope.WORKFLOW:
                return self.workflows.get(wanted.workflow, self.workflow) if wanted.workflow else Limit()
            case Scope.ORIGIN:
                return self.origins.get(wanted.origin, Limit())
            case Scope.DAY:
                return self.day
            case Scope.MONTH:
                return self.month


@dataclass(frozen=True)
class Wanted:
    """One call before it leaves, at its worst: all of the prompt, all of the longest answer."""

    task: str
    workflow: str
    origin: Origin
    model: str
    usd: Decimal
    tokens: int


@dataclass(frozen=True)
class Used:
    """What is spent and reserved in one scope."""

    usd: Decimal = Decimal(0)
    tokens: int = 0

    def plus(self, usd: Decimal, tokens: int) -> Used:
        """Return the sum."""
        return Used(self.usd + usd, self.tokens + tokens)


@dataclass(frozen=True)
class Reservation:
    """Room that is kept for one call. An empty ``id`` keeps none: an answer from the cache."""

    id: str
    wanted: Wanted


@dataclass(frozen=True)
class Refusal:
    """The call does not fit; ``text`` is for the operator."""

    scope: Scope
    text: str


@dataclass(frozen=True)
class Warned:
    """A warn level was reached."""

    scope: Scope
    pct: int
    text: str


@dataclass(frozen=True)
class Spent:
    """One call that was made, with when and for whom."""

    called: ModelCalled
    at: datetime  # aware UTC
    task: str = ""
    workflow: str = ""
    origin: Origin = Origin.SYSTEM


class Ledger(Protocol):
    """Where reservations and spending are kept. Each method is one step that no other call can come between."""

    async def reserve(self, wanted: Wanted) -> Reservation | Refusal:
        """Keep room for a call within every limit, counting what others have reserved; or say why not."""
        ...

    async def settle(self, reservation: Reservation, called: ModelCalled) -> Sequence[Warned]:
        """Put what it cost in place of the reservation; return the warn levels this reached."""
        ...

    async def release(self, reservation: Reservation) -> None:
        """Give the room back: provably nothing was charged."""
        ...


def usd_of(called: ModelCalled) -> Decimal:
    """Return what a call cost.

    Raises:
        UnpricedModelError: The line holds no price.
    """
    try:
        cost = Decimal(called.cost_usd)
    except InvalidOperation as error:
        raise UnpricedModelError(called.model) from error
    if not cost.is_finite() or cost < 0:
        raise UnpricedModelError(called.model)
    return cost


def used_by(
    spent: Iterable[Spent], held: Iterable[Wanted], wanted: Wanted, now: datetime, zone: ZoneInfo
) -> dict[Scope, Used]:
    """Return what counts against each limit of one call: what was spent, and what is reserved at this moment.

    Args:
        spent: History from the first of the operator's month on, and all of the task's, in any order.
        held: Open reservations.
        wanted: The call; its task, workflow and origin choose what counts.
        now: Aware UTC.
        zone: Where the operator lives; days and months are his.

    Raises:
        UnpricedModelError: A line of history has no price.
    """
    today = now.astimezone(zone).date()
    totals = dict.fromkeys(Scope, Used())
    for line in spent:
        day = line.at.astimezone(zone).date()
        amount = (usd_of(line.called), line.called.tokens_in + line.called.tokens_out)
        for scope in _counts(line, day, wanted, today):
            totals[scope] = totals[scope].plus(*amount)
    for other in held:
        for scope in _counts(other, today, wanted, today):
            totals[scope] = totals[scope].plus(other.usd, other.tokens)
    return totals


def judge(wanted: Wanted, used: Mapping[Scope, Used], allowance: Allowance) -> Refusal | None:
    """Return why the call must not leave, or None when its worst case fits every limit."""
    for scope in Scope:
        limit, now = allowance.limit(scope, wanted), used.get(scope, Used())
        after = now.plus(wanted.usd, wanted.tokens)
        if limit.usd is not None and after.usd > limit.usd:
            return Refusal(scope, _sentence(scope, wanted, f"{now.usd:.2f} of {limit.usd:.2f} USD"))
        if limit.tokens is not None and after.tokens > limit.tokens:
            return Refusal(scope, _sentence(scope, wanted, f"{now.tokens} of {limit.tokens} tokens"))
    return None


def levels_reached(
    before: Mapping[Scope, Used], after: Mapping[Scope, Used], wanted: Wanted, allowance: Allowance
) -> tuple[Warned, ...]:
    """Return one warning for each limit whose highest warn level lies between before and after."""
    found = []
    for scope in Scope:
        limit = allowance.limit(scope, wanted)
        was, now = (_share_pct(used.get(scope, Used()), limit) for used in (before, after))
        reached = [pct for pct in allowance.warn_pct if was < pct <= now]
        if reached:
            text = f"{max(reached)} % of the model budget for {_name(scope, wanted)} is used."
            found.append(Warned(scope, max(reached), text))
    return tuple(found)


class MemoryLedger:
    """A ledger that is forgotten with the process. ``now`` is handed in: aware UTC."""

    def __init__(self, allowance: Allowance, now: Callable[[], datetime], zone: ZoneInfo) -> None:
        self.allowance = allowance
        self.spent: list[Spent] = []
        self.held: dict[str, Wanted] = {}
        self._now = now
        self._zone = zone
        self._count = 0

    async def reserve(self, wanted: Wanted) -> Reservation | Refusal:
        """See `Ledger.reserve`. Nothing is awaited in here, so no other task can come between."""
        refusal = judge(wanted, self._used(wanted), self.allowance)
        if refusal is not None:
            return refusal
        self._count += 1
        self.held[str(self._count)] = wanted
        return Reservation(str(self._count), wanted)

    async def settle(self, reservation: Reservation, called: ModelCalled) -> Sequence[Warned]:
        """See `Ledger.settle`. A reservation that is no longer held is still counted: it was spent."""
        wanted = reservation.wanted
        self.held.pop(reservation.id, None)
        before = self._used(wanted)
        self.spent.append(Spent(called, self._now(), wanted.task, wanted.workflow, wanted.origin))
        return levels_reached(before, self._used(wanted), wanted, self.allowance)

    async def release(self, reservation: Reservation) -> None:
        """See `Ledger.release`."""
        self.held.pop(reservation.id, None)

    def _used(self, wanted: Wanted) -> dict[Scope, Used]:
        return used_by(self.spent, self.held.values(), wanted, self._now(), self._zone)


def _counts(line: Spent | Wanted, day: date, wanted: Wanted, today: date) -> list[Scope]:
    same_day = day == today
    applies = {
        Scope.TASK: line.task == wanted.task != "",
        Scope.WORKFLOW: same_day and line.workflow == wanted.workflow != "",
        Scope.ORIGIN: same_day and line.origin == wanted.origin,
        Scope.DAY: same_day,
        Scope.MONTH: (day.year, day.month) == (today.year, today.month),
    }
    return [scope for scope, counts in applies.items() if counts]


def _share_pct(used: Used, limit: Limit) -> Decimal:
    shares = [Decimal(0)]
    if limit.usd:
        shares.append(used.usd * 100 / limit.usd)
    if limit.tokens:
        shares.append(Decimal(used.tokens * 100) / limit.tokens)
    return max(shares)


def _name(scope: Scope, wanted: Wanted) -> str:
    match scope:
        case Scope.TASK:
            return "this task"
        case Scope.WORKFLOW:
            return f"{wanted.workflow!r} today"
        case Scope.ORIGIN:
            return f"requests from a {wanted.origin.value} today"
        case Scope.DAY:
            return "today"
        case Scope.MONTH:
            return "this month"


def _sentence(scope: Scope, wanted: Wanted, state: str) -> str:
    return (
        f"The model budget for {_name(scope, wanted)} does not allow another call ({state} used or reserved). "
        "I go on without a model; your commands and buttons work as always. The limit is in policy.toml."
    )
