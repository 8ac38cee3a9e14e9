"""Builds every object once and joins them. Read this to see the whole machine."""

from __future__ import annotations

import contextlib
import hashlib
import random
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import BaseModel

import agents
import connectors
import memory
from agents.base import Agent, Intent
from agents.budget import Allowance
from agents.llm import Gateway
from agents.playbook import broken
from agents.tiers import SETTINGS as MODEL_SETTINGS
from agents.tiers import Tiers
from bot import control, keys, policy, settings
from bot.approvals import Person, Roster
from bot.books import ACTIONS as BOOKS_ACTIONS
from bot.briefing import Briefing
from bot.channels import web
from bot.channels.base import Channel
from bot.chronicle import replayed
from bot.copies import Copies
from bot.deciding.hearing import COMMANDS
from bot.doctor import Finding
from bot.explaining import ExplainLog, Masks
from bot.history import History
from bot.intents import Understanding
from bot.keeper import Keeper, erase_again, files_again
from bot.librarian import Librarian
from bot.papers import Inbox
from bot.providers import examine_models
from bot.reader import WordReader
from bot.redaction import Redactor
from bot.remembering import Remembering
from bot.runner import Runner
from bot.settings import HOUSE_SETTINGS, Settings
from bot.spending import SpendingLedger
from bot.staff import Glancer, Reader, Staff
from bot.state import TaskState
from bot.switchboard import Pace, Switchboard, examine, open_switchboard
from connectors.base import Action, Connector, ConnectorError, Json, Setting, Workshop
from connectors.stripe_payments import Stripe
from connectors.webhooks import Webhooks
from memory import embed
from memory.context import Context
from memory.database import Database
from memory.events import Actor, Ended, ModelCalled, Origin, Planned, Recorded, Understood, Write
from memory.files import FileStore
from memory.line import stamp
from memory.log import Log
from memory.projections import Books

KEY_BYTES = 32


class WrongRoomsError(Exception):
    """Another distribution's package of the same name was imported instead of ours."""

    def __init__(self, name: str, found: str, wanted: str) -> None:
        super().__init__(
            f"The package {name!r} was imported from {found}, not from {wanted}. Another distribution has one of that "
            "name: start Soloist as 'soloist', or with 'python -m bot' in its own folder."
        )


def check_rooms() -> None:
    """Stop with one sentence when `agents`, `memory` or `connectors` were imported from elsewhere.

    Raises:
        WrongRoomsError: naming what was found and where.
    """
    home = Path(settings.__file__).resolve().parent.parent
    for room in (agents, memory, connectors):
        found = Path(room.__file__ or "nowhere").resolve().parent.parent
        if found != home:
            raise WrongRoomsError(room.__name__, str(found), str(home))


def declared_settings() -> tuple[Setting, ...]:
    """Return every setting of connectors and models, in a stable order."""
    found: list[Setting] = []
    for connector in connectors.discover().values():
        found += connector.settings
    return (*found, *MODEL_SETTINGS)


@dataclass
class Machine:
    """The whole of it, built and joined, not yet running."""

    settings: Settings
    database: Database
    log: Log
    files: FileStore
    runner: Runner
    history: History
    console: web.Web | None = None
    notices: list[str] = field(default_factory=list)  # what the operator should know at start
    closers: list[Callable[[], None]] = field(default_factory=list)
    remembering: Remembering | None = None
    gateway: Gateway | None = None
    briefing: Briefing | None = None
    copies: Copies | None = None
    warm: Callable[[], None] = lambda: None  # gets slow things ready in the background

    def close(self) -> None:
        """Finish what is queued and let go of the file."""
        for closer in reversed(self.closers):
            closer()
        self.database.close()


def build(
    given: Settings,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    live: Sequence[Channel] | None = None,
    channels: Mapping[str, Channel] | None = None,
    reader: Reader | None = None,
    extra: Mapping[str, Connector] | None = None,
    only: Mapping[str, Agent] | None = None,
    chance: random.Random | None = None,
    people: Sequence[Person] = (),
    announce: Callable[[str], None] = print,
    pace: Pace | None = None,
    embedder: Callable[[], embed.Embedder | None] | None = None,
    context: Context | None = None,
) -> Machine:
    """Build the machine on a home.

    Args:
        given: The settings.
        now: The clock; tests hand in a frozen one.
        live: Channels that are a view of history; default: the web console.
        channels: Channels that must be delivered to; default: those with tokens.
        reader: Instead of the real understanding, for tests of other rooms.
        extra: Connectors instead of those the settings open, by service.
        only: Agents instead of all that are found.
        chance: Source of jitter.
        people: Who else may press.
        announce: Prints a sentence where the operator starts the bot: pairing codes.
        pace: Time for the channels with tokens; default: the machine's.
        embedder: Loads the model of long-term memory, in a thread; default: the exported one.
        context: The short-term memory; default: REDIS_URL's, or none. `short_memory` starts an embedded server.

    Raises:
        StorageError: The home cannot be used.
        ConnectorError: A connector's settings make no sense.
    """
    check_rooms()
    database = Database.open(given.home, url=given.database_url)
    try:
        remember = _Recollection(
            context or Context(given.redis_url or "none", given.home / "valkey"),
            embedder or (lambda: recall_embedder(given.home)),
        )
        return _build(
            given, database, now, live, channels, reader, extra, only, chance, people, announce, pace, remember
        )
    except BaseException:
        database.close()
        raise


def _build(
    given: Settings,
    database: Database,
    now: Callable[[], datetime],
    live: Sequence[Channel] | None,
    channels: Mapping[str, Channel] | None,
    reader: Reader | None,
    extra: Mapping[str, Connector] | None,
    only: Mapping[str, Agent] | None,
    chance: random.Random | None,
    people: Sequence[Person],
    announce: Callable[[str], None],
    pace: Pace | None,
    remember: _Recollection,
) -> Machine:
    log = Log(database)
    erase_again(log, given.home / "memory", replayed)
    secret = _secret(log, now())
    files_again(log, given.home)
    files = FileStore(given.home / "files")
    zone = policy.zone_of(given.company["zone"])
    workshop = Workshop(home=given.home, files=files, now=now)
    hands: dict[str, Connector] = {}
    for service, kind in connectors.discover().items():
        opened = kind.open(_values(given, kind), workshop)
        if opened is not None:
            hands[service] = opened
    hands.update(extra or {})
    letter_box, stripe = hands.get("webhooks"), hands.get("stripe")
    if isinstance(letter_box, Webhooks) and isinstance(stripe, Stripe):
        letter_box.accept("stripe", stripe.webhook)  # signed in Stripe's own way, so Stripe judges for itself
    minds = dict(only) if only is not None else {name: kind() for name, kind in agents.discover().items()}
    history = History(
        database,
        log,
        files,
        secret=secret,
        zone=zone,
        policy=given.policy,
        now=now,
        help_lines=help_lines(minds),
    )
    history.examples = {intent.command: intent.examples for intent in _said(minds) if intent.command}
    tell = _Tell()
    masks = Masks(given.home / "memory" / "forgotten-names", secret)
    explained = ExplainLog(given.home, now, redactor(given), masks)
    ledger = _ledger(given, log, zone, now, tell)
    gateway = _gateway(given, ledger, tell, remember.context, explained)
    remembering = Remembering(database, given.home, files, remember.context, embedder=remember.embedder, now=now)
    keeper = Keeper(remembering, log, files, given.home, replayed, lambda: runner.drop_beliefs())  # noqa: PLW0108 - made below
    remembering.close_own = keeper.close_own
    remembering.also_forget.append(explained.forget)
    keeper.mask = masks.add
    hands["memory"] = keeper
    briefing = Briefing(gateway.ask, gateway.has_models, remembering, lambda task: runner.state_now(task), explained)  # noqa: PLW0108 - made below
    understanding: Understanding | None = None
    if reader is None:
        kinds = {name: type(agent) for name, agent in minds.items()}
        understanding = understanding_of(kinds, given.home, phrases=learned(database), keep=tell.keep)
        reader = WordReader(
            understanding,
            database,
            zone=zone,
            company=given.company,
            state=lambda task: history.state(task),  # noqa: PLW0108 - the runner's beliefs, once there is a runner
            model=small_model(gateway),
            turns=briefing.turns,
        )
    board = Switchboard()
    if channels is None:
        board = open_switchboard(
            given,
            zone=zone,
            home_view=history.home,
            refused=tell.turned_away,
            commands=help_lines(minds),
            announce=announce,
            troubled=tell.notice,
            pace=pace,
        )
    page: web.Web | None = None
    if live is None:
        page = web.Web(
            given.host,
            given.port,
            keys.kept(given.home / "console.key"),
            history,
            help_lines(minds),
            names=given.names,
            now=now,
        )
        live = (page,)
    if address := given.values["SOLOIST_MCP"]:
        live = (*live, _programs(address, given.home, history, reader, now))
        people = (*people, PROGRAM)
    staff = Staff(
        database=database,
        log=log,
        files=files,
        now=now,
        zone=zone,
        policy=given.policy,
        roster=lambda: Roster((*LOCAL, *people, *board.people())),
        secret=secret,
        company=given.company,
        connectors=hands,
        agents={**minds, Librarian.name: Librarian(remembering, keeper)},
        reader=reader,
        glance=reader.glance if isinstance(reader, Glancer) else None,
        answerer=history,
        channels=board.channels if channels is None else dict(channels),
        live=live,
        think=briefing.ask,
        thinking=gateway.at_most,
        playbooks=given.home / "playbooks",
        recall=briefing.recall,
        remember=remembering.keep,
        seen=remembering.seen,
        beside={"memory": remembering.run, "papers": Inbox(remembering, given.home, now).run},
        redact=redactor(given),
        chance=chance or random.Random(),  # noqa: S311 - jitter
    )
    runner = tell.runner = Runner(staff)
    remembering.turn = runner.quiet
    history.explained = explained.of_task
    history.spending, history.troubles = ledger.lines if gateway.has_models() else list, gateway.troubles
    copies = Copies(database, staff.channels, runner.state_now, runner.courier.card)
    staff.beside = {**staff.beside, "copies": copies.run}
    keeper.overwrite = copies.poke
    history.actions = runner.actions
    history.company = given.company
    history.message = runner.message
    history.state = runner.state_now
    machine = Machine(given, database, log, files, runner, history, page, board.notices)
    machine.remembering = remembering
    machine.gateway, machine.briefing, machine.copies = gateway, briefing, copies
    machine.notices += broken(given.home / "playbooks")
    machine.closers.append(remember.context.close)
    if understanding is not None:
        machine.warm = understanding.warm
        machine.closers.append(understanding.close)
    return machine


LOCAL = (Person("web", "operator", "local"), Person("console", "operator", "local"))
"""Who sits at this machine: whoever holds the console's key, or has the terminal."""


PROGRAM = Person("mcp", "program", "local", role=Origin.DELEGATE, actions=())
"""A program that submits goals over MCP: it may ask, and decide about nothing."""


def _programs(address: str, home: Path, history: History, reader: Reader, now: Callable[[], datetime]) -> Channel:
    from bot.mcp_server import Programs  # a web framework comes with it, and few homes want one

    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise settings.SettingsError("SOLOIST_MCP must be host:port, like 127.0.0.1:8322.")

    async def read(text: str) -> Understood:
        return await reader.read(text, TaskState(id=0), now())

    return Programs(history, read, host=host, port=int(port), key=keys.kept(home / "mcp.key"))


@dataclass(frozen=True)
class _Recollection:
    """What long-term and short-term memory stand on."""

    context: Context
    embedder: Callable[[], embed.Embedder | None]


def _ledger(given: Settings, log: Log, zone: ZoneInfo, now: Callable[[], datetime], tell: _Tell) -> SpendingLedger:
    caps = given.policy.models_usd
    fresh = Allowance()
    allowance = replace(fresh, **{name: replace(getattr(fresh, name), usd=cap) for name, cap in caps.items()})
    return SpendingLedger(allowance, now, zone, log, tell.note)


def _gateway(given: Settings, ledger: SpendingLedger, tell: _Tell, cache: Context, explain: ExplainLog) -> Gateway:
    secrets_ = given.secrets((*HOUSE_SETTINGS, *declared_settings()))
    return Gateway(Tiers.read(given.values), ledger, secrets=secrets_, cache=cache, explain=explain, notice=tell.notice)


def small_model(gateway: Gateway) -> Callable[..., Awaitable[Json]]:
    """Return the model that is asked where reading leaves a doubt."""

    async def ask(
        prompt: str, schema: type[BaseModel], material: Sequence[tuple[Origin, str]] = (), task: str = ""
    ) -> Json:
        thought = await gateway.ask(
            "understand", prompt, material=material, schema=schema, tier="small", origin=Origin.OPERATOR, task=task
        )
        return thought.data

    return ask


class _Tell:
    """The channels want somebody to tell of strangers before there is a runner."""

    runner: Runner | None = None

    async def turned_away(self, actor: Actor, what: str) -> None:
        if self.runner is not None:
            await self.runner.turned_away(actor, what)

    def note(self, task: int, event: ModelCalled) -> None:
        if self.runner is not None:
            self.runner.note(task, event)

    def notice(self, text: str) -> None:
        if self.runner is not None and self.runner.courier.group is not None:
            self.runner.courier.group.create_task(self.runner.tell(text))

    def keep(self, mask: str, intent: str) -> None:
        if self.runner is not None:
            key = hashlib.sha256(mask.encode()).hexdigest()[:24]
            self.runner.jot(Write(kind="phrase", key=key, data={"mask": mask, "intent": intent}))


def learned(database: Database) -> list[tuple[str, str]]:
    """Return what corrections have taught, oldest first: (masked sentence, intent)."""
    with database.read() as connection:
        found = Books(connection).all("phrase")
    pairs = sorted((phrase.at, str(phrase.data["mask"]), str(phrase.data["intent"])) for phrase in found)
    return [(mask, intent) for _, mask, intent in pairs]


def redactor(given: Settings) -> Redactor:
    """Return what keeps this operator's secrets out of cards, logs and errors."""
    return Redactor([*given.secrets((*settings.HOUSE_SETTINGS, *declared_settings())), *keys.there(given.home)])


def models_folder() -> Path:
    """Return where `make setup` puts the exported embedding model: beside the rooms, shared by every home."""
    return Path(settings.__file__).resolve().parent.parent / ".models" / "minilm"


def understanding_of(kinds: Mapping[str, type[Agent]], home: Path, **options: object) -> Understanding:
    """Return what reads messages for these agents; what it learned before is found beside the embedding model."""
    embedder, cache = lambda: _small_embedder(home), _intents_folder(home)
    return Understanding.of(kinds, embedder=embedder, cache=cache, **options)


def _intents_folder(home: Path) -> Path:
    shared = models_folder().parent
    return shared / "intents" if shared.exists() else home / "intents"


def short_memory(given: Settings) -> Context:
    """Return the short-term memory of a house that runs: REDIS_URL's server, or one of its own."""
    return Context(given.redis_url, given.home / "valkey")


def recall_embedder(home: Path) -> embed.OnnxEmbedder | None:
    """Return the model of long-term memory, None when it was never exported: then words alone are searched."""
    for folder in (models_folder(), home / "models" / "minilm"):
        with contextlib.suppress(embed.ModelMissingError):
            return embed.load(folder)
    return None


def _small_embedder(home: Path) -> embed.OnnxEmbedder | None:
    for folder in (models_folder(), home / "models" / "minilm"):
        try:
            return embed.load(folder, int8=True)
        except embed.ModelMissingError:
            continue
    return None


def help_lines(minds: Mapping[str, Agent]) -> list[tuple[str, str]]:
    """Return command and help of everything that can be said with a slash, the house's own words first."""
    said = [
        (f"/{intent.command}", (intent.__doc__ or "").strip().partition("\n")[0])
        for intent in _said(minds)
        if intent.command
    ]
    return [*said[: len(control.CONTROL)], *COMMANDS, *said[len(control.CONTROL) :]]


def _said(minds: Mapping[str, Agent]) -> list[type[Intent]]:
    return [*control.CONTROL, *(intent for agent in minds.values() for intent in agent.intents)]


def connector_kinds() -> list[type[Connector]]:
    """Return every connector class there is."""
    return list(connectors.discover().values())


def actions_of(kinds: Iterable[type[Connector]]) -> dict[str, Action]:
    """Return every action by name, those of our own books among them."""
    found = dict(BOOKS_ACTIONS)
    for kind in kinds:
        found.update(kind.actions())
    return found


async def examine_services(given: Settings) -> list[Finding]:
    """Ask every connector that is set up how it is, without changing anything."""
    workshop = Workshop(home=given.home, files=FileStore(given.home / "files"), now=lambda: datetime.now(UTC))
    findings = []
    for service, kind in connectors.discover().items():
        try:
            connector = kind.open(_values(given, kind), workshop)
        except ConnectorError as error:
            findings.append(Finding(ok=False, what=f"{service}: {error}"))
            continue
        if connector is None:
            names = ", ".join(each.name for each in kind.settings) or "connectors.toml in the home folder"
            findings.append(Finding(ok=True, what=f"{service}: not set up ({names})."))
            continue
        try:
            health = await connector.health()
        finally:
            await connector.close()
        findings.append(Finding(ok=health.ok, what=f"{service}: {health.text}", remedy=health.remedy))
    return findings


async def examine_short_memory(given: Settings) -> Finding:
    """Ask the Redis of REDIS_URL whether it answers; without one, the house starts its own."""
    if given.redis_url in {"", "none"}:
        return Finding(ok=True, what="redis: not set up (REDIS_URL); one is started with the house.")
    context = Context(given.redis_url, given.home / "valkey")
    answers = await context.start()
    await context.disconnect()
    where = given.redis_url.rpartition("@")[2]  # what may stand before it is a password
    if answers:
        return Finding(ok=True, what=f"redis: {where} answers.")
    return Finding(
        ok=False,
        what=f"redis: REDIS_URL is {where}, and no Redis answers there. Everything works; models do not see the last turns.",
        remedy="Mend REDIS_URL in .env (redis://127.0.0.1:6379), or take it out: then one is started with the house.",
    )


async def examine_channels(given: Settings) -> list[Finding]:
    """Ask Slack, Telegram and the models whether tokens and settings are right, and say where each is changed."""
    return [*await examine(given), *await examine_models(Tiers.read(given.values))]


def _values(given: Settings, kind: type[Connector]) -> dict[str, str]:
    return {each.name: given.values.get(each.name, each.default) for each in kind.settings}


def seed(machine: Machine, writes: Sequence[Write], title: str) -> None:
    """Put records on the books of a new home, as a task of its own in history."""
    recorded = [Recorded(write=write, version=1) for write in writes]
    machine.runner.chronicle.record(
        [Planned(goal=title, steps=(), source="demo"), *recorded, Ended(how="done", summary=title)]
    )


def _secret(log: Log, now: datetime) -> bytes:
    found = log.fact("secret")
    if found is None:
        found = secrets.token_hex(KEY_BYTES)
        log.set_fact("secret", found)
        log.set_fact("began", stamp(now))
        log.set_fact("schema", "1")
        log.set_fact("epoch", "1")
    return bytes.fromhex(found)
