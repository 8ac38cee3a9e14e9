"""What every connector owes, ours and strangers': one list of problems, empty for each connector that is found.

`problems` is the contract of what is declared. Its negative twins below break one promise each and must be caught. Then
every action that is found is tried: rehearsed, previewed, answered with malice. That each happens once, or is asked about,
when it is killed in the middle is held by ``tests/torture/test_t01_deeds.py``, which fails for an action it does not know.
"""

import ast
import asyncio
import functools
import inspect
import re
import typing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import connectors
from bot.channels.base import Card
from bot.policy import Policy, Rule
from connectors.base import (
    Amount,
    Connector,
    ConnectorError,
    Detail,
    EffectClass,
    OutcomeUnknownError,
    Receipt,
    RefusedError,
    Risk,
    Role,
    Setting,
    TryLaterError,
    Workshop,
    action,
)
from connectors.client import FAILURES_MAX, Breaker, Client, Pace
from memory.events import ActionCall
from tests.torture.bare import BareHouse

FOUND = connectors.discover()
CANARY = "canary-7f3a9c-do-not-leak"
SECRETIVE = re.compile(r"PASSWORD|SECRET|TOKEN|_KEY$|APP_KEY|CREDENTIAL")

every_connector = pytest.mark.parametrize("cls", FOUND.values(), ids=FOUND.keys())
every_action = pytest.mark.parametrize(
    ("cls", "name"), [pytest.param(cls, name, id=name) for cls in FOUND.values() for name in cls.actions()]
)


def problems(cls: type[Connector]) -> list[str]:
    """Return what a connector's declaration owes and does not give, a sentence each."""
    found = [] if re.fullmatch(r"[a-z][a-z0-9_]*", cls.service) else [f"{cls.service!r} is no name for a service"]
    if not (cls.__doc__ or "").strip():
        found.append("the class says nothing about itself")
    module = inspect.getdoc(inspect.getmodule(cls)) or ""
    if not re.search(r"(?m)^Sources?: \S+", module):
        found.append("the module names no source")
    for setting in cls.settings:
        found += [f"setting {setting.name}: {each}" for each in _setting_problems(setting)]
    for name, declared in cls.actions().items():
        found += [f"{name}: {each}" for each in _action_problems(cls, declared)]
    return found


def _setting_problems(setting: Setting) -> list[str]:
    found = []
    if not re.fullmatch(r"[A-Z][A-Z0-9_]+", setting.name):
        found.append("is not written like an environment variable")
    if len(setting.help) < 10 or "\n" in setting.help:
        found.append("does not say in one line what it is")
    if SECRETIVE.search(setting.name) and not setting.secret:
        found.append("looks like a secret and is not marked as one")
    if setting.secret and setting.default:
        found.append("is a secret with a default")
    return found


def _action_problems(cls: type[Connector], declared) -> list[str]:
    method = getattr(cls, declared.method)
    doc = inspect.getdoc(method) or ""
    found = []
    if not inspect.iscoroutinefunction(method):
        found.append("is not async")
    # The dry run, the card and the log all say "would <says>".
    if not re.fullmatch(r"[a-z][^.\n]{3,60}", declared.says):
        found.append(f"'I would {declared.says}' is no sentence")
    if not doc or len(doc.splitlines()[0]) < 10:
        found.append("has no first line")
    if declared.risk is not Risk.READS and "Raises:" not in doc:
        found.append("does not say how it fails")
    hints = typing.get_type_hints(method, include_extras=True)
    for param in declared.params:
        if not param.doc:
            found.append(f"argument {param.name} is not explained")
        roles = [extra for extra in getattr(hints.get(param.name), "__metadata__", ()) if isinstance(extra, Role)]
        inner = [
            extra for part in typing.get_args(hints.get(param.name)) for extra in getattr(part, "__metadata__", ())
        ]
        if hints.get(param.name) is not bool and not roles and not inner:
            found.append(f"argument {param.name} has no role on the card")
    if hints.get("return") is not Receipt:
        found.append("does not return a receipt")
    found += _effect_problems(cls, declared)
    return found


def _effect_problems(cls: type[Connector], declared) -> list[str]:
    found = []
    changes = declared.risk is not Risk.READS
    if changes and declared.effect is EffectClass.KEYED and not (declared.takes_key and declared.key_window_s > 0):
        found.append("is keyed and takes no key")
    if declared.effect is EffectClass.RECONCILABLE or declared.find:
        look = getattr(cls, declared.find or "", None)
        if look is None or not inspect.iscoroutinefunction(look):
            found.append("names a way to look that is not there")
        elif _names(look) != _names(getattr(cls, declared.method)):
            found.append("is looked for with other arguments than it is done with")
    if declared.risk in {Risk.OUTSIDE, Risk.MONEY} and declared.undo is None and not declared.no_return:
        found.append("cannot be undone and does not say from when on")
    if declared.risk is Risk.REVERSIBLE and declared.no_return:
        found.append("is reversible and has a point of no return")
    if declared.risk is Risk.MONEY and Role.AMOUNT not in {param.role for param in declared.params}:
        found.append("moves money and shows no amount")
    if not 0 < declared.timeout_s <= 600 or not 1 <= declared.attempts_max <= 20:
        found.append("waits or tries without a sane bound")
    if not 0 < declared.rate_per_minute <= 1_000 or (declared.risk is Risk.MONEY and declared.rate_per_minute > 60):
        found.append("has no sane rate limit")
    return found


def _names(method) -> set[str]:
    return set(inspect.signature(method).parameters)


@every_connector
def test_a_connector_declares_what_policy_card_and_recovery_need(cls):
    assert problems(cls) == []


def test_settings_are_named_once_in_the_whole_house():
    names = [setting.name for cls in FOUND.values() for setting in cls.settings]

    assert sorted(names) == sorted(set(names))


class Anything(dict):
    """A receipt's data of whatever shape: every fact that is asked for is there."""

    def __missing__(self, key: str) -> str:
        return "x"

    def get(self, key: str, default: object = None) -> str:
        return "x"


@every_action
def test_what_takes_an_action_back_is_an_action_itself(cls, name):
    declared = cls.actions()[name]
    if declared.undo is None:
        return
    facts = dict.fromkeys((param.name for param in declared.params), "x")
    other, arguments = declared.undo(facts, Receipt("ref-1", "Done.", Anything()))

    undoing = cls.actions()[other]
    assert set(arguments) <= {param.name for param in undoing.params}
    assert {param.name for param in undoing.params if param.required} <= set(arguments)


# ── set up, or not ────────────────────────────────────────────────────────────────────────────────────────────────


class NoFiles:
    def get(self, sha256: str) -> bytes:
        raise KeyError(f"There is no file {sha256[:8]}.")

    def put(self, content: bytes) -> str:
        raise AssertionError("nothing is kept before anything happened")


@pytest.fixture
def workshop(tmp_path) -> Workshop:
    return Workshop(home=tmp_path, files=NoFiles(), now=lambda: datetime(2026, 3, 31, tzinfo=UTC))


def default_values(cls, **changes) -> dict[str, str]:
    return {setting.name: setting.default for setting in cls.settings} | changes


def values_at(cls, port: int, *, oauth: bool = False) -> dict[str, str]:
    """Settings that lead every connector to one port of this machine, with canaries for secrets."""
    values = default_values(cls)
    for setting in cls.settings:
        if "_OAUTH_" in setting.name and not oauth:
            continue
        if setting.secret:
            prefix = "sk_test_" if setting.name == "STRIPE_API_KEY" else ""
            values[setting.name] = prefix + CANARY.replace("-", "_" if prefix else "-")
        elif setting.name.endswith("_HOST"):
            values[setting.name] = "127.0.0.1"
        elif setting.name.endswith("_PORT"):
            values[setting.name] = str(port)
        elif setting.name.endswith(("_URL", "_BASE")):
            values[setting.name] = f"http://127.0.0.1:{port}"
        elif setting.name.endswith("_SECURITY"):
            values[setting.name] = "none"
        elif setting.name.endswith(("_USER", "_HANDLE", "_FROM", "_CLIENT")):
            values[setting.name] = "anna@berg.example"
    return values


@every_connector
async def test_without_settings_it_is_absent_or_works_without_them(cls, workshop):
    opened = cls.open(default_values(cls), workshop)
    if opened is None:
        return
    health = await opened.health()
    assert health.text
    assert health.ok or health.remedy
    await opened.close()


async def hostile(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Refuse whatever comes and quote every byte of it, as badly written services do."""
    try:
        async with asyncio.timeout(0.1):
            said = await reader.read(65_536)
    except TimeoutError:
        writer.write(b"535 go away\r\n")  # a client that waits to be greeted
    else:
        body = b'{"error": {"message": "no: ' + said.replace(b"\r\n", b" ").replace(b'"', b"'")[:2_000] + b'"}}'
        writer.write(b"HTTP/1.1 401 No\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
    await writer.drain()
    writer.close()


@pytest.mark.parametrize("oauth", [False, True], ids=["password", "oauth"])
@every_connector
async def test_no_secret_gets_into_health_errors_or_names(cls, workshop, oauth):
    server = await asyncio.start_server(hostile, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    said: list[str] = []
    try:
        opened = cls.open(values_at(cls, port, oauth=oauth), workshop)
    except ConnectorError as error:
        opened, said = None, [str(error)]
    if opened is not None:
        async with asyncio.timeout(120):
            health = await opened.health()
        said += [health.text, health.remedy, opened.account, repr(opened)]
        await opened.close()
    server.close()
    await server.wait_closed()
    leaked = [text for text in said if CANARY in text or CANARY.replace("-", "_") in text]
    assert leaked == []


def parts_of(whole: object, kind: type, seen: set[int] | None = None) -> list:
    """Return everything of a kind inside a connector, however deep it lies."""
    seen = set() if seen is None else seen
    if id(whole) in seen or isinstance(whole, str | bytes | int | float | type):
        return []
    seen.add(id(whole))
    if isinstance(whole, kind):
        return [whole, *(part for each in vars(whole).values() for part in parts_of(each, kind, seen))]
    inner = whole.values() if isinstance(whole, dict) else getattr(whole, "__dict__", {}).values()
    return [part for each in inner for part in parts_of(each, kind, seen)]


GIVEN = {
    "charge": "ch_1abcdef", "link": "plink_1abcdef", "id": "ch_1abcdef", "message_id": f"<{'0' * 32}@berg.example>",
    "uri": "at://did:plc:x/app.bsky.feed.post/3k2aaaaaaaaa2", "url": "http://127.0.0.1:1/", "end": "2026-03-31T11:00:00+02:00",
    "method": "REQUEST", "slug": "a-post", "path": "a-post.md",
}  # fmt: skip
BY_ROLE = {
    Role.RECIPIENTS: ["bob@acme.example"], Role.AMOUNT: "10.00 EUR", Role.WHEN: "2026-03-31T10:00:00+02:00",
    Role.SUBJECT: "Words", Role.BODY: "Words of a body.", Role.REFERENCE: "ref-1", Role.PLUMBING: "event-1@soloist",
    Role.ATTACHMENTS: [], Role.LINES: [], Role.DETAIL: "", Role.PAYEE: "Printer <DE89370400440532013000>",
}  # fmt: skip


def arguments(declared) -> dict:
    """Return arguments that make sense for an action, by the roles it declares."""
    given = {each.name: GIVEN.get(each.name, BY_ROLE[each.role]) for each in declared.params if each.required}
    return given | ({"key": "12.1.1"} if declared.takes_key else {})


async def no_pause(_: float) -> None:
    await asyncio.sleep(0)


def impatient(opened: Connector, monotonic) -> list[Breaker]:
    """Let a connector try once and wait for nothing, by a clock of ours; return its breakers."""
    for client in parts_of(opened, Client):
        client._tries, client._pause = 1, no_pause
        client._pace = Pace(1_000_000, monotonic=monotonic)
    breakers = parts_of(opened, Breaker)
    for each in breakers:
        each._monotonic = monotonic
    return breakers


async def what_it_says(opened: Connector, declared) -> ConnectorError | None:
    async with asyncio.timeout(120):
        try:
            await getattr(opened, declared.method)(**arguments(declared))
        except ConnectorError as error:
            return error
    return None


# Read strangers' pages, each on another site; hear, and call nobody; work on this machine alone.
WITHOUT_A_BREAKER = {"web", "webhooks", "invoices", "bank", "blog", "mcp"}


@every_connector
async def test_a_dead_service_is_left_alone_after_a_few_failures_and_tried_again_after_a_rest(cls, workshop):
    opened = cls.open(values_at(cls, 1), workshop)
    if opened is None or cls.service in WITHOUT_A_BREAKER:
        assert opened is None or not parts_of(opened, Breaker) or cls.service == "web"
        return
    clock = [0.0]
    breakers = impatient(opened, lambda: clock[0])
    assert breakers, "it talks to a service, and nothing lets that service rest"
    declared = next(iter(cls.actions().values()))
    said = [str(await what_it_says(opened, declared)) for _ in range(FAILURES_MAX + 2)]
    assert "rests" not in said[0]
    assert "rests" in said[-1]
    clock[0] += 3_600
    assert "rests" not in str(await what_it_says(opened, declared))
    await opened.close()


async def test_twin_without_a_breaker_a_dead_service_is_asked_every_time(workshop):
    cls = FOUND["stripe"]
    opened = cls.open(values_at(cls, 1), workshop)
    for each in impatient(opened, lambda: 0.0):
        each._failures_max = 1_000_000
    declared = next(iter(cls.actions().values()))
    said = [str(await what_it_says(opened, declared)) for _ in range(FAILURES_MAX + 2)]
    assert not any("rests" in each for each in said)
    await opened.close()


@every_action
async def test_a_hostile_answer_is_one_of_three_errors_in_a_sentence_without_a_secret(cls, name, workshop):
    declared = cls.actions()[name]
    server = await asyncio.start_server(hostile, "127.0.0.1", 0)
    try:
        opened = cls.open(values_at(cls, server.sockets[0].getsockname()[1]), workshop)
        if opened is None or cls.service == "invoices":  # it works on this machine alone
            return
        impatient(opened, lambda: 0.0)
        error = await what_it_says(opened, declared)
        await opened.close()
    finally:
        server.close()
        await server.wait_closed()
    if error is None:  # it needs nobody, or reads a page of strangers
        return
    assert type(error) in {RefusedError, TryLaterError, OutcomeUnknownError}
    assert CANARY not in str(error)
    assert CANARY.replace("-", "_") not in str(error)
    assert re.match(r"\S.{15,}", str(error))
    assert "Traceback" not in str(error)


class Wires:
    """The connectors of this folder with their hands cut off: whatever is called is counted, and nothing is done."""

    def __init__(self) -> None:
        self.called: list[str] = []
        self.connectors = {service: self._wired(cls)() for service, cls in FOUND.items() if cls.actions()}

    def _wired(self, cls: type[Connector]) -> type[Connector]:
        methods = {each.method: self._trip(getattr(cls, each.method), each.name) for each in cls.actions().values()}
        return type(f"Wired{cls.__name__}", (Connector,), {"service": cls.service, **methods})

    def _trip(self, method, name):
        @functools.wraps(method)
        async def tripped(*_, **__):
            self.called.append(name)
            return Receipt(ref="r", text="Done.")

        return tripped


CHANGES = [name for cls in FOUND.values() for name, each in cls.actions().items() if each.risk is not Risk.READS]


async def proposed(tmp_path: Path, then: str) -> tuple[Wires, dict[str, Card]]:
    """Propose every action that changes something under one rule; return what was called and every card."""
    wires = Wires()
    policy = Policy(delay=timedelta(0), rules=(Rule("*", then),))
    house = BareHouse(tmp_path, policy=policy, connectors=wires.connectors)
    house.agent.proposes = tuple(CHANGES)
    cards = {}
    async with house:
        for name in CHANGES:
            declared = house.machine.runner.actions[name]
            args = {key: value for key, value in arguments(declared).items() if key != "key"}
            house.agent.next = [(ActionCall(name=name, args=args),)]
            await house.operator("ask it")
            cards[name] = house.card()
    return wires, cards


async def test_a_dry_run_of_every_action_shows_what_it_would_do_and_does_nothing(tmp_path):
    wires, cards = await proposed(tmp_path, "shadow")

    assert wires.called == []
    for name in CHANGES:
        declared = next(cls.actions()[name] for cls in FOUND.values() if name in cls.actions())
        card = cards[name]
        assert card.kind == "shadow", name
        assert not {"approve", "again"} & {button.verb for button in card.buttons}, name
        assert declared.says.split()[0].casefold() in card.title.casefold(), name
        shown = f"{card.title} {card.body} {[row.value for row in card.rows]}"
        for param in declared.params:
            if param.required and param.role in {Role.RECIPIENTS, Role.BODY, Role.SUBJECT}:
                assert arguments(declared)[param.name][0] in shown, (name, param.name)
            if param.required and param.role is Role.AMOUNT:
                assert "10.00" in shown, name


async def test_a_preview_of_every_action_names_its_point_of_no_return_before_anything_is_done(tmp_path):
    wires, cards = await proposed(tmp_path, "ask")

    assert wires.called == []
    for name in CHANGES:
        declared = next(cls.actions()[name] for cls in FOUND.values() if name in cls.actions())
        assert "approve" in {button.verb for button in cards[name].buttons}, name
        assert declared.no_return in " ".join(cards[name].footer), name


# Beside the client itself: reading strangers' pages needs a transport that connects only to the address it has checked.
OWN_HTTP = {"client.py", "web.py", "web_address.py"}


def test_http_goes_through_the_one_client():
    importers = []
    for path in Path(connectors.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(each.split(".")[0] in {"httpx", "requests", "urllib3"} for each in names):
                importers.append(path.name)

    assert set(importers) <= OWN_HTTP


# ── the negative twins ────────────────────────────────────────────────────────────────────────────────────────────


class Good(Connector):
    """A connector that owes nothing."""

    service = "good"
    settings = (Setting("GOOD_TOKEN", "A token from the page of tokens", secret=True),)

    @action(Risk.MONEY, EffectClass.KEYED, says="give money away", no_return="at once", rate_per_minute=10)
    async def give(self, *, amount: Amount, key: str, note: Detail = "") -> Receipt:
        """Give money away.

        Args:
            amount: How much.
            note: Why.

        Raises:
            ConnectorError: It could not.
        """
        raise NotImplementedError


def twin(**changes):
    """The good connector with one thing about its action changed."""
    declared = {**Good.give.__soloist_action__, **changes.pop("declared", {})}

    class Twin(Good):
        """A copy."""

    method = changes.pop("method", None)
    if method is None:

        async def method(self, *, amount: Amount, key: str, note: Detail = "") -> Receipt:
            raise NotImplementedError

        method.__doc__ = changes.pop("doc", Good.give.__doc__)
    method.__soloist_action__ = declared
    Twin.give = method
    for name, value in changes.items():
        setattr(Twin, name, value)
    return Twin


async def no_roles(self, *, amount: str, key: str) -> Receipt:
    """Give money away.

    Args:
        amount: How much.

    Raises:
        ConnectorError: It could not.
    """


async def no_receipt(self, *, amount: Amount, key: str, note: Detail = "") -> str:
    """Give money away.

    Args:
        amount: How much.
        note: Why.

    Raises:
        ConnectorError: It could not.
    """


def not_async(self, *, amount: Amount, key: str) -> Receipt:
    """Give money away.

    Args:
        amount: How much.

    Raises:
        ConnectorError: It could not.
    """


BROKEN = [
    (twin(service="Not Good"), "no name for a service"),
    (twin(__doc__=""), "nothing about itself"),
    (twin(settings=(Setting("GOOD_TOKEN", "A token from the page of tokens"),)), "not marked as one"),
    (twin(settings=(Setting("GOOD_TOKEN", "A token of tokens", secret=True, default="x"),)), "secret with a default"),
    (twin(settings=(Setting("good", "A name of the page of names"),)), "environment variable"),
    (twin(settings=(Setting("GOOD_NAME", "Name"),)), "what it is"),
    (twin(declared={"says": "Gives money away."}), "is no sentence"),
    (twin(doc="Give money away.\n\nArgs:\n    amount: How much.\n    note: Why."), "how it fails"),
    (twin(doc="Give money away.\n\nArgs:\n    amount: How much.\n\nRaises:\n    X: y."), "note is not explained"),
    (twin(method=no_roles), "amount has no role"),
    (twin(method=no_roles), "shows no amount"),
    (twin(method=no_receipt), "does not return a receipt"),
    (twin(method=not_async), "is not async"),
    (twin(declared={"takes_key": False}), "takes no key"),
    (twin(declared={"effect": EffectClass.RECONCILABLE, "find": "look"}), "not there"),
    (twin(declared={"effect": EffectClass.RECONCILABLE, "find": "health"}), "other arguments"),
    (twin(declared={"find": "look"}), "not there"),
    (twin(declared={"no_return": ""}), "from when on"),
    (twin(declared={"risk": Risk.REVERSIBLE}), "reversible and has a point"),
    (twin(declared={"timeout_s": 0}), "without a sane bound"),
    (twin(declared={"attempts_max": 1_000}), "without a sane bound"),
    (twin(declared={"rate_per_minute": 600}), "rate limit"),
]


@pytest.mark.parametrize(("cls", "words"), BROKEN, ids=[words for _, words in BROKEN])
def test_a_broken_promise_is_found(cls, words):
    assert any(words in each for each in problems(cls)), problems(cls)


def test_a_connector_without_a_source_is_found():
    """This file names none, and so the good twin has exactly that one problem."""
    assert problems(Good) == ["the module names no source"]


async def test_a_connector_that_leaks_is_found(workshop):
    class Leaky(Good):
        """It repeats its token."""

        def __init__(self, token: str) -> None:
            self.token = token

        @classmethod
        def open(cls, values, workshop):
            return cls(values["GOOD_TOKEN"])

        @property
        def account(self) -> str:
            return self.token

    with pytest.raises(AssertionError):
        await test_no_secret_gets_into_health_errors_or_names(Leaky, workshop, oauth=False)
