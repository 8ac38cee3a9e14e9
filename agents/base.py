"""What every agent is: intents it answers, actions it may propose, and a desk from which nothing can be done.

An agent is one file with one class; nothing to register::

    class AddClient(Intent):
        "Put a new client on the books."

        effect = Risk.REVERSIBLE
        examples = ("add client Globex, billing@globex.example", ...)  # 15 or more
        checks = ("new customer Initech", ...)  # 5 or more, never trained on
        not_mine = ("who is Globex?", ...)  # 5 or more
        patterns = ("add client {name}, {email}",)

        name: str
        email: Email | None = None

    class Clients(Agent):
        "Knows everybody the company works with."

        intents = (AddClient,)
        proposes = ("books.write",)

        async def work(self, task: Task, desk: Desk) -> Proposal: ...

Agents read and think, then propose. The `Desk` has no way to act: it can look up records, recall, think, and use
actions declared `Risk.READS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import ClassVar, Protocol
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from connectors.base import Action, Files, Receipt, Risk
from memory.events import ActionCall, Attachment, Choice, Entry, Json, Origin, Source, Step, Write

__all__ = [
    "ActionCall", "Agent", "Attachment", "Choice", "Desk", "Entry", "Found", "Intent", "Letter", "Proposal", "Record", "Risk",
    "Source", "Step", "Task", "Thought", "Write",
]  # fmt: skip


class Intent(BaseModel):
    """One thing an operator can want, with typed slots as fields. The class's docstring is its line in the help.

    Slot types are those of `agents.slots` (money, dates, terms, e-mails, clients) or ``str``. A field without a
    default is required: when it is missing the operator is asked `asks`, and nothing is guessed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    effect: ClassVar[Risk] = Risk.READS  # the furthest it can lead to; decides how sure we must be to act
    may: ClassVar[
        tuple[str, ...]
    ] = ()  # the actions an answer may hold, what it is for first; empty: all of its agent's
    thinks: ClassVar[str] = ""  # tier of the model that may be asked for an answer; "": none ever is
    examples: ClassVar[tuple[str, ...]] = ()  # trained on
    checks: ClassVar[tuple[str, ...]] = ()  # never trained on; a lint holds every agent's to a point
    not_mine: ClassVar[tuple[str, ...]] = ()  # near, but somebody else's or nobody's
    patterns: ClassVar[tuple[str, ...]] = ()  # templates with ``{slot}``; exact, tried before the classifier
    command: ClassVar[str] = ""  # ``"invoice"``: also reachable as /invoice
    asks: ClassVar[Mapping[str, str]] = {}  # slot → the question when it is missing
    at_once: ClassVar[bool] = False  # answered from our own books alone: asked before the task has its number
    verbatim: ClassVar[frozenset[str]] = frozenset()  # slots a model's plan may only fill with the operator's own words

    @classmethod
    def leads_to(cls, inputs: Mapping[str, Json]) -> tuple[str, ...]:
        """Return which of `may` these slots lead to, where they decide it: a plan tells it beforehand."""
        del inputs
        return cls.may

    @classmethod
    def id(cls) -> str:
        """``AddClient`` → ``"add_client"``."""
        name = cls.__name__
        return "".join("_" + c.lower() if c.isupper() and i else c.lower() for i, c in enumerate(name))


@dataclass(frozen=True)
class Record:
    """One version of a canonical record: a client, an invoice, a project."""

    kind: str
    key: str
    version: int
    data: Mapping[str, Json]
    at: datetime
    task: str  # the task that wrote it
    gone: bool = False


@dataclass(frozen=True)
class Letter:
    """A mail that went out, as it was sent."""

    text: str
    client: str = ""  # the client's key
    edited: bool = False  # the operator changed its words by hand


@dataclass(frozen=True)
class Found:
    """One thing recalled from long-term memory, with why it was found."""

    ref: str
    text: str
    score: float
    terms: Mapping[str, float]  # the score, term by term
    origin: Origin
    at: datetime | None
    source: str = ""  # where the words stand: "file:terms.pdf#page=2", "mail:<id>"


@dataclass(frozen=True)
class Thought:
    """What a model answered; ``text`` is empty and ``problem`` says why when there is no model or no allowance."""

    text: str = ""
    data: Json = None  # when a schema was asked for: valid against it
    model: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Task:
    """What an agent is asked to do.

    Attributes:
        intent: The filled and validated slots.
        text: The operator's own words, where there were any.
        origin: Whose request this is. Less than operator or delegate means: material, not an order.
        results: What earlier steps of the plan found, by step id.
        guidance: The operator's words on an earlier draft ("friendlier, and mention the discount").
        edits: Fields the operator changed by hand on an earlier card; they win over everything.
        item: The outside item that started this, if one did.
    """

    id: str
    step: str
    intent: Intent
    text: str = ""
    origin: Origin = Origin.OPERATOR
    results: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    guidance: str = ""
    edits: Mapping[str, Json] = field(default_factory=dict)
    earlier: tuple[ActionCall, ...] = ()  # the calls of the draft that guidance or edits are about
    item: Mapping[str, Json] | None = None
    item_text: str = ""
    item_kind: str = ""  # as the connector set it ("stripe.invoice.paid"); the item's own words never say what it is


@dataclass(frozen=True)
class Proposal:
    """What an agent would do. Exactly one of `calls`, `ask`, `problem` or plain words in `say` carries the answer.

    Attributes:
        say: Words for the operator. Next to `calls` they stand below the facts, labelled as the agent's.
        calls: What would be done, in order; one card for all of them.
        results: Typed facts for later steps of the plan.
        confidence_pct: 0 to 100; with `reasons`, shown on the card.
        sources: Memories and records this rests on.
        remember: Records for long-term memory, see ``memory/recall.py``.
    """

    say: str = ""
    calls: tuple[ActionCall, ...] = ()
    results: Mapping[str, Json] = field(default_factory=dict)
    confidence_pct: int = 100
    reasons: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    files: tuple[Attachment, ...] = ()
    ask: str = ""
    choices: tuple[Choice, ...] = ()
    problem: str = ""
    plan: tuple[Step, ...] = ()  # a planner's answer: steps to validate, show and run
    remember: tuple[Mapping[str, Json], ...] = ()


class Desk(Protocol):
    """Everything an agent can reach. There is no door to the world here."""

    @property
    def now(self) -> datetime:
        """Aware UTC; the same throughout one piece of work."""
        ...

    @property
    def zone(self) -> ZoneInfo:
        """Where the operator lives."""
        ...

    @property
    def files(self) -> Files:
        """Content-addressed storage."""
        ...

    @property
    def playbooks(self) -> Path | None:
        """The folder of the operator's own playbooks; one of the same name stands in for ours."""
        ...

    @property
    def company(self) -> Mapping[str, str]:
        """The operator's own: name, email, address, iban, vat_id, vat_rate, currency, locale, ..."""
        ...

    def record(self, kind: str, key: str) -> Record | None:
        """Return the newest version of a canonical record, or None when there is none or it is gone."""
        ...

    def records(self, kind: str, **where: Json) -> Sequence[Record]:
        """Return the newest versions of a kind whose data has all these values, in key order."""
        ...

    def next_number(self, series: str) -> str:
        """Return the lowest number of a series (``"invoice:2026"`` → ``"2026-0007"``) that is free now.

        The card reserves it through `ActionCall.needs`; if somebody was faster, the agent is simply asked again.
        """
        ...

    def balance(self, account: str) -> Mapping[str, Decimal]:
        """Return currency → sum over a ledger account and those below it."""
        ...

    def letters(self, most: int) -> Sequence[Letter]:
        """Return the mails that went out last, the newest first: how the operator writes."""
        ...

    async def recall(self, query: str, *, client: str = "", k: int = 8) -> Sequence[Found]:
        """Return what long-term memory holds, within the client's namespace when one is named."""
        ...

    async def think(
        self,
        purpose: str,
        prompt: str,
        *,
        material: Sequence[tuple[Origin, str]] = (),
        schema: type[BaseModel] | None = None,
        tier: str = "small",
        client: str = "",
        about: str = "",
        recent: bool = False,
    ) -> Thought:
        """Ask a model; never raises for a model's sake.

        Args:
            purpose: One word for the bill.
            prompt: Our own or the operator's words.
            material: Everybody else's, quoted as such: it can never be instructions.
            schema: The answer is JSON that fits.
            tier: local, small or large.
            client: Whose matter it is: what names another client stays out of the prompt.
            about: What is asked about, in words: what memory holds on it goes into the prompt, within a budget.
            recent: The last turns of the conversation, and how the client stands on the books, go in as well.
        """
        ...

    def tools(self) -> Sequence[Action]:
        """Return what other people's servers offer here (``mcp.*``), by name; empty when none is set up."""
        ...

    async def use(self, name: str, **args: Json) -> Receipt:
        """Use an action declared `Risk.READS`.

        Raises:
            PermissionError: The action can change something; propose it instead.
            ConnectorError: The service could not answer.
        """
        ...


class Agent:
    """One specialist. Subclass, declare intents and what may be proposed, write ``work``."""

    name: ClassVar[str] = ""  # default: the module's name
    intents: ClassVar[tuple[type[Intent], ...]] = ()
    proposes: ClassVar[tuple[str, ...]] = ()  # names of actions; a call outside this list is refused by the conductor
    hears: ClassVar[
        tuple[str, ...]
    ] = ()  # kinds of outside items it takes ("mail", "stripe.*"): see agents/perception.py

    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Do the thinking. Pure in effect: the same task and desk give the same proposal, models aside."""
        raise NotImplementedError


def local_now(desk: Desk) -> datetime:
    """Return the desk's moment on the operator's clock."""
    return desk.now.astimezone(desk.zone)


def local_day(desk: Desk) -> date:
    """Return the operator's day."""
    return local_now(desk).date()


_DECIMALS = {
    currency: places
    for places, currencies in (
        (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
        (3, "BHD IQD JOD KWD LYD OMR TND"),
        (4, "CLF UYW"),
    )
    for currency in currencies.split()
}
"""ISO 4217, list one; every other currency has two. CLDR's figures are for shopping and differ (HUF, RSD, IQD ...)."""


def decimals(currency: str) -> int:
    """Return how many decimals a currency has: EUR 2, JPY 0, KWD 3; 2 while the currency is not known."""
    return _DECIMALS.get(currency, 2)


def smallest(currency: str) -> Decimal:
    """Return a currency's smallest unit: EUR 0.01, JPY 1, KWD 0.001."""
    return Decimal(1).scaleb(-decimals(currency))


def money(amount: Decimal, currency: str) -> str:
    """``Decimal("1200"), "EUR"`` → ``"1200.00 EUR"``: the one way money is written in calls, records and events.

    It has the currency's own decimals: ``"1200 JPY"``, ``"1200.000 KWD"``.
    """
    return f"{amount.quantize(smallest(currency))} {currency}"


def parse_money(text: str) -> tuple[Decimal, str]:
    """``"1200.00 EUR"`` → ``(Decimal("1200.00"), "EUR")``.

    Raises:
        ValueError: The text was not written by `money`.
    """
    amount, _, currency = text.partition(" ")
    if not currency:
        raise ValueError(f"{text!r} is not money as written in this house, like '1200.00 EUR'.")
    return Decimal(amount), currency
