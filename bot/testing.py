"""PaperHouse: the real house with paper walls, for our tests and for plugin authors.

Log, conductor, runner, books, agents and cards are real; only the outside is paper: a channel that remembers what it
showed, a clock that stands still until it is told, and a service whose provider keeps its own ledger::

    async with PaperHouse(tmp_path) as house:
        await house.operator("invoice Acme 1,200 for the March retainer, net 14")
        await house.press("Approve")
        await house.later(minutes=1)
        house.expects("Invoice 2026-0001 over 1,428.00 EUR is issued.")

A restart is ``await house.restart()``: everything in memory is gone, everything on disk is not.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Self

import agents
from agents.base import ActionCall, Agent, Intent, Proposal, Task
from bot import demo, settings, wiring
from bot.approvals import Person
from bot.channels.base import Card, Channel, Ear, Message, RefusedPressError
from bot.intents import Understanding
from bot.policy import Policy, zone_of
from bot.reader import WordReader
from bot.runner import Runner
from bot.staff import Glancer, Reader
from bot.state import TaskState
from bot.switchboard import Pace
from connectors.base import (
    Amount,
    Body,
    Connector,
    ConnectorError,
    Detail,
    EffectClass,
    Json,
    Payee,
    Receipt,
    Recipients,
    Risk,
    action,
)
from memory import embed
from memory.context import Context
from memory.events import Actor, Attachment, MessageReceived, Origin, Place, Understood

MORNING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # a Monday, ten o'clock in Berlin
OPERATOR = Actor(platform="web", user="operator", account="local", origin=Origin.OPERATOR)
PLACE = Place(channel="web", conversation="main")
PATIENCE_S = 300.0  # for work in other threads: usually a second, on a busy machine minutes
AT_ANY_PACE = 1_000_000.0  # calls a minute: on paper nobody has to wait


class PaperClock:
    """A clock that moves only when it is told."""

    def __init__(self, at: datetime = MORNING) -> None:
        self.at = at

    def __call__(self) -> datetime:
        """Return the time."""
        return self.at


class PaperChannel:
    """A channel that remembers what it showed. Serves as a view of history, or as one that is delivered to."""

    def __init__(self, name: str = "web", conversation: str = "main") -> None:
        self.name = name
        self.place = Place(channel=name, conversation=conversation)
        self.said: list[Message] = []
        self.cards: dict[str, Card] = {}
        self.copies: dict[str, Card] = {}  # ref → what stands there
        self.fails: list[Exception] = []  # raised, first to last, instead of showing
        self._refs = itertools.count(1)

    def _may_fail(self) -> None:
        if self.fails:
            raise self.fails.pop(0)

    async def say(self, place: Place, message: Message) -> str:
        """Remember words."""
        del place
        self._may_fail()
        self.said.append(message)
        return f"m{next(self._refs)}"

    async def ask(self, place: Place, card: Card) -> str:
        """Remember a card."""
        del place
        self._may_fail()
        self.cards[card.id] = card
        ref = f"c{next(self._refs)}"
        self.copies[ref] = card
        return ref

    async def settle(self, place: Place, ref: str, card: Card) -> None:
        """Mend a copy."""
        del place
        self._may_fail()
        self.cards[card.id] = card
        if ref:
            self.copies[ref] = card

    def home(self) -> Place | None:
        """Return the one place there is."""
        return self.place

    async def run(self, ear: Ear) -> None:
        """Nobody types here by themselves."""
        del ear
        await asyncio.Event().wait()

    @property
    def words(self) -> list[str]:
        """Everything that was said, oldest first."""
        return [message.text for message in self.said]


class PaperProvider:
    """The other side of a paper service: it keeps its own ledger, which a judge can compare with ours."""

    def __init__(self) -> None:
        self.accepted: list[tuple[str, dict[str, Json]]] = []  # key, arguments
        self.plans: list[Callable[[], None]] = []  # what happens to the next calls: raise, or nothing
        self.after: list[Callable[[], None]] = []  # the same, after the call was accepted
        self.calls = 0

    def count(self, key: str) -> int:
        """Return how often the provider did the thing with this key."""
        return Counter(key for key, _ in self.accepted)[key]

    def accept(self, key: str, args: dict[str, Json], *, once: bool) -> Receipt:
        """Do the thing; ``once`` is a provider that deduplicates by key."""
        self.calls += 1
        if self.plans:
            self.plans.pop(0)()
        if not (once and self.count(key)):
            self.accepted.append((key, args))
        if self.after:
            self.after.pop(0)()
        return Receipt(ref=f"p{len(self.accepted)}", text=f"Done as {key[:6]}.", data={"n": len(self.accepted)})


def fails(error: ConnectorError | Exception) -> Callable[[], None]:
    """Return a plan that raises."""

    def plan() -> None:
        raise error

    return plan


class PaperService(Connector):
    """One action of each class, over one provider. Every kind of fact stands on its cards."""

    service = "paper"
    at_once = 1_000

    def __init__(self, provider: PaperProvider | None = None) -> None:
        self.provider = provider or PaperProvider()

    @property
    def account(self) -> str:
        """As whom."""
        return "me@paper.example"

    @action(
        Risk.OUTSIDE,
        EffectClass.KEYED,
        says="post it",
        no_return="at once",
        attempts_max=4,
        rate_per_minute=AT_ANY_PACE,
    )
    async def post(self, to: Recipients, body: Body, note: Detail = "", amount: Amount = "", key: str = "") -> Receipt:
        """Post with a key that the provider deduplicates."""
        return self.provider.accept(key, {"to": to, "body": body, "note": note, "amount": amount}, once=True)

    @action(
        Risk.OUTSIDE,
        EffectClass.RECONCILABLE,
        says="book it",
        no_return="at once",
        find="find",
        attempts_max=4,
        rate_per_minute=AT_ANY_PACE,
    )
    async def book(self, to: Recipients, body: Body, amount: Amount = "", key: str = "") -> Receipt:
        """Book; one can look whether it is there."""
        return self.provider.accept(key, {"to": to, "body": body, "amount": amount}, once=False)

    async def find(self, to: Recipients, body: Body, amount: Amount = "", key: str = "") -> Receipt | None:
        """Look for a booking by its key."""
        del to, body, amount
        return Receipt(ref="found", text="It is there.") if self.provider.count(key) else None

    @action(
        Risk.OUTSIDE,
        EffectClass.PLAIN,
        says="send it",
        no_return="once it is handed over",
        delayed=True,
        rate_per_minute=AT_ANY_PACE,
    )
    async def send(self, to: Recipients, body: Body, amount: Amount = "", key: str = "") -> Receipt:
        """Send; nobody can look, and nobody deduplicates."""
        return self.provider.accept(key, {"to": to, "body": body, "amount": amount}, once=False)

    @action(Risk.MONEY, EffectClass.KEYED, says="pay it", no_return="at once", rate_per_minute=AT_ANY_PACE)
    async def pay(self, payee: Payee, amount: Amount, key: str = "") -> Receipt:
        """Pay somebody."""
        return self.provider.accept(key, {"payee": payee, "amount": amount}, once=True)


class Ask(Intent):
    """Ask the paper agent for one action, in exact words."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    patterns: ClassVar[tuple[str, ...]] = ()

    verb: str = "send"
    to: str = "anna@acme.example"
    body: str = "Hello"
    amount: str = ""
    client: str = ""


class PaperAgent(Agent):
    """Proposes what it is told to."""

    name = "paper"
    intents = (Ask,)
    proposes = ("paper.post", "paper.book", "paper.send", "paper.pay", "mail.send")

    async def work(self, task: Task, desk: Any) -> Proposal:
        """Propose one call."""
        del desk
        wish = task.intent
        assert isinstance(wish, Ask)
        args: dict[str, Json] = {"amount": wish.amount} if wish.amount else {}
        if wish.verb == "pay":
            args |= {"payee": wish.to}
        else:
            args |= {"to": [part.strip() for part in wish.to.split(",")], "body": task.guidance or wish.body}
        if wish.verb == "mail":
            args |= {"subject": "A paper mail"}
        name = "mail.send" if wish.verb == "mail" else f"paper.{wish.verb}"
        return Proposal(calls=(ActionCall(name=name, args=args, client=wish.client, why="You asked."),))


class PaperReader:
    """Reads ``ask send to=a@b body=...`` for the paper agent, and gives everything else to the real understanding."""

    def __init__(self, real: Reader | None = None) -> None:
        self._real = real

    async def read(self, text: str, state: TaskState, now: datetime) -> Understood:
        """See `bot.staff.Reader.read`."""
        match = re.match(r"ask (\w+)(.*)", text, re.DOTALL)
        if not match:
            return await self._real.read(text, state, now) if self._real else Understood(order="", ask="What?")
        slots: dict[str, Json] = {"verb": match[1]}
        slots.update(re.findall(r"(\w+)=((?:[^=](?!\w+=))*)", match[2].strip()))
        return Understood(order="", intent="ask", slots=slots, confidence_pct=100, tier="pattern")

    def glance(self, heard: MessageReceived, now: datetime) -> Understood | None:
        """See `bot.staff.Glancer`; the paper agent's own words are read, not glanced at."""
        if not isinstance(self._real, Glancer) or heard.text.startswith("ask "):
            return None
        return self._real.glance(heard, now)

    def edits_in(self, words: str, intent: type[Intent], now: datetime) -> dict[str, Json]:
        """See `bot.staff.Reader.edits_in`."""
        return self._real.edits_in(words, intent, now) if self._real else {}


@functools.cache
def understanding() -> Understanding:
    """Return the one understanding that all paper houses of a process share: training it takes seconds."""

    def small() -> embed.OnnxEmbedder | None:
        with contextlib.suppress(embed.ModelMissingError):
            return embed.load(wiring.models_folder(), int8=True)
        return None

    made = Understanding.of(agents.discover(), embedder=small, cache=wiring.models_folder().parent / "intents")
    made.ready(PATIENCE_S)  # on paper nobody is told that the house is still warming up
    return made


class PaperHouse:
    """The real house with paper walls; see the module's example."""

    def __init__(
        self,
        home: Path,
        *,
        provider: PaperProvider | None = None,
        policy: Policy | None = None,
        channels: Mapping[str, Channel] | None = None,
        connectors: Mapping[str, Connector] | None = None,
        people: Sequence[Person] = (),
        environment: Mapping[str, str] | None = None,
        clock: PaperClock | None = None,
        pace: Pace | None = None,
        embedder: embed.Embedder | None = None,
        context: Context | None = None,
    ) -> None:
        self.home = home
        self._pace = pace
        self.provider = provider or PaperProvider()
        self.clock = clock or PaperClock()
        self.channel = PaperChannel()
        self.channels = dict(channels or {})
        self.announced: list[str] = []  # what was printed where the operator started the bot
        self._connectors = dict(connectors or {})
        self._policy = policy
        self._embedder = embedder
        self._context = context
        self._people = people
        self._environment = {"SOLOIST_HOME": str(home), **(environment or {})}
        self._machine: wiring.Machine | None = None
        self._running: asyncio.Future[None] | None = None
        self._ids = itertools.count(1)

    # ── open and close ────────────────────────────────────────────────────────────────────────────────────────────

    async def __aenter__(self) -> Self:
        fresh = demo.move_in(self.home)
        self._build()
        if fresh:
            wiring.seed(self.machine, demo.CLIENTS, "A demo company moved in")
        await self._run()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _build(self) -> None:
        given = settings.read(wiring.declared_settings(), environment=self._environment, folder=self.home)
        if self._policy is not None:
            given = replace(given, policy=self._policy)
        minds = {name: kind() for name, kind in agents.discover().items()}
        self._machine = wiring.build(
            given,
            now=self.clock,
            live=[self.channel],
            channels=self.channels if self._pace is None else None,
            pace=self._pace,
            announce=self.announced.append,
            reader=_Later(self),
            extra={"paper": PaperService(self.provider), **self._connectors},
            only={**minds, "paper": PaperAgent()},
            chance=random.Random(7),  # noqa: S311 - jitter that repeats
            people=self._people,
            embedder=lambda: self._embedder,
            context=self._context or Context("none", self.home / "valkey"),
        )
        real = WordReader(
            understanding(),
            self._machine.database,
            zone=settings_zone(given),
            company=given.company,
            state=self._machine.runner.state_now,
            model=wiring.small_model(self._machine.gateway) if self._machine.gateway else None,
            turns=self._machine.briefing.turns if self._machine.briefing else None,
        )
        self.reader: Reader = PaperReader(real)

    async def _run(self) -> None:
        ready = asyncio.Event()
        self._running = asyncio.ensure_future(self.runner.run(ready.set))
        waiting = asyncio.ensure_future(ready.wait())
        await asyncio.wait({waiting, self._running}, return_when=asyncio.FIRST_COMPLETED)
        if self._running.done():
            waiting.cancel()
            self._running.result()
        await self.runner.settled()

    async def stop(self) -> None:
        """Stop as a shutdown does."""
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
            self._running = None
        if self._machine is not None:
            self._machine.close()
            self._machine = None

    async def restart(self) -> None:
        """Forget everything in memory and come back from disk."""
        await self.stop()
        self._build()
        await self._run()

    @property
    def machine(self) -> wiring.Machine:
        """The machine, while it runs."""
        assert self._machine is not None, "the house is closed"
        return self._machine

    @property
    def runner(self) -> Runner:
        """The loop."""
        return self.machine.runner

    # ── what people do ────────────────────────────────────────────────────────────────────────────────────────────

    async def operator(self, text: str, *, event_id: str = "", actor: Actor = OPERATOR, place: Place = PLACE) -> str:
        """The operator says something; returns the task once all that follows at once is done."""
        task = await self.runner.heard(event_id or f"e{next(self._ids)}", text, actor, place)
        await self.runner.settled()
        return task

    async def press(
        self,
        label: str,
        card: str = "",
        *,
        actor: Actor = OPERATOR,
        place: Place = PLACE,
        event_id: str = "",
        **more: Any,
    ) -> str:
        """Somebody presses a button, by its label, on a card (default: the newest) or under a message."""
        handle, verb = self.button(label, card)
        return await self.press_handle(handle, verb, actor=actor, place=place, event_id=event_id, **more)

    async def press_handle(
        self, handle: str, verb: str, *, actor: Actor = OPERATOR, place: Place = PLACE, event_id: str = "", **more: Any
    ) -> str:
        """Somebody presses what they hold in their hands, which may be old or forged."""
        try:
            reply = await self.runner.pressed(event_id or f"p{next(self._ids)}", handle, verb, actor, place, **more)
        except RefusedPressError as refused:
            reply = f"refused: {refused}"
        await self.runner.settled()
        return reply

    def button(self, label: str, card: str = "") -> tuple[str, str]:
        """Return handle and verb of a button that can be seen now."""
        shown = [self.card(card)] if card else [*reversed(self.channel.cards.values())]
        for each in shown:
            for button in each.buttons:
                if button.label == label:
                    return button.handle, button.verb
        for message in reversed(self.channel.said):
            for button in message.buttons:
                if button.label == label:
                    return button.handle, button.verb
        raise AssertionError(f"No button {label!r} can be seen. {self.transcript()}")

    async def later(self, **span: float) -> None:
        """Time passes; what falls due is done."""
        self.clock.at += timedelta(**span)
        await self.runner.tick()
        await self.runner.settled()
        await self.runner.tick()
        await self.runner.settled()

    # ── what can be seen ──────────────────────────────────────────────────────────────────────────────────────────

    def card(self, card: str = "") -> Card:
        """Return a card as it is now; default: the newest one shown."""
        key = card or next(reversed(self.channel.cards), "")
        found = self.runner.card(key)
        assert found is not None, f"No card {key!r}. {self.transcript()}"
        return found

    def expects(self, *parts: str) -> None:
        """Assert that each of these was said, in this order."""
        words = iter(self.channel.words)
        for part in parts:
            assert any(part in text for text in words), f"Nobody said {part!r}. {self.transcript()}"

    def transcript(self) -> str:
        """Return everything that was shown, for a failing test."""
        cards = [f"[{card.id}] {card.title}: {card.state} {card.outcome}" for card in self.channel.cards.values()]
        return "\n".join(["Shown so far:", *self.channel.words, *cards])

    async def remembered(self) -> None:
        """Wait until long-term memory has followed history, and everything it led to is done."""
        assert self.machine.remembering is not None
        async with asyncio.timeout(PATIENCE_S):
            await self.machine.remembering.caught_up()
        await self.runner.settled()

    def outbox(self) -> list[Path]:
        """Return the mails that went out, as files, where no SMTP server is set."""
        return sorted((self.home / "outbox").glob("*.eml"))

    def keep(self, content: bytes, name: str) -> Attachment:
        """Hand in a file."""
        return self.runner.keep(content, name, "application/octet-stream")


def settings_zone(given: settings.Settings) -> Any:
    """Return the operator's zone."""
    return zone_of(given.company["zone"])


class _Later:
    """The reader needs the machine, and the machine a reader: this one looks it up when it is asked."""

    def __init__(self, house: PaperHouse) -> None:
        self._house = house

    async def read(self, text: str, state: TaskState, now: datetime) -> Understood:
        return await self._house.reader.read(text, state, now)

    def glance(self, heard: MessageReceived, now: datetime) -> Understood | None:
        reader = self._house.reader
        return reader.glance(heard, now) if isinstance(reader, Glancer) else None

    def edits_in(self, words: str, intent: type[Intent], now: datetime) -> dict[str, Json]:
        return self._house.reader.edits_in(words, intent, now)
