"""What every connector owes, ours and strangers': one list of problems, empty for each connector that is found.

`problems` is the contract. Its negative twins below break one promise each and must be caught.
"""

import ast
import asyncio
import inspect
import re
import typing
from datetime import UTC, datetime
from pathlib import Path

import pytest

import connectors
from connectors.base import (
    Amount,
    Connector,
    ConnectorError,
    Detail,
    EffectClass,
    Receipt,
    Risk,
    Role,
    Setting,
    TryLaterError,
    Workshop,
    action,
)
from connectors.client import FAILURES_MAX, Breaker, Client

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


def values_at(cls, port: int) -> dict[str, str]:
    """Settings that lead every connector to one port of this machine, with canaries for secrets."""
    values = default_values(cls)
    for setting in cls.settings:
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
        elif setting.name.endswith(("_USER", "_HANDLE", "_FROM")):
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


@every_connector
async def test_no_secret_gets_into_health_errors_or_names(cls, workshop):
    server = await asyncio.start_server(hostile, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    said: list[str] = []
    try:
        opened = cls.open(values_at(cls, port), workshop)
    except ConnectorError as error:
        opened, said = None, [str(error)]
    if opened is not None:
        async with asyncio.timeout(30):
            health = await opened.health()
        said += [health.text, health.remedy, opened.account, repr(opened)]
        await opened.close()
    server.close()
    await server.wait_closed()
    leaked = [text for text in said if CANARY in text or CANARY.replace("-", "_") in text]
    assert leaked == []


def clients_of(opened: Connector) -> list[Client]:
    return [each for each in vars(opened).values() if isinstance(each, Client)]


@every_connector
async def test_a_dead_service_is_left_alone_after_a_few_failures_and_tried_again_after_a_rest(cls, workshop):
    try:
        opened = cls.open(values_at(cls, 1), workshop)
    except ConnectorError:
        return
    for client in clients_of(opened) if opened else []:
        clock = [0.0]
        client.breaker = Breaker(client.service, monotonic=lambda: clock[0])  # noqa: B023 - used in this round only
        client._tries = 1
        for _ in range(FAILURES_MAX):
            with pytest.raises(TryLaterError, match="cannot be reached"):
                await client.request("GET", "http://127.0.0.1:1/")
        with pytest.raises(TryLaterError, match="rests"):
            await client.request("GET", "http://127.0.0.1:1/")
        clock[0] += 3_600
        with pytest.raises(TryLaterError, match="cannot be reached"):
            await client.request("GET", "http://127.0.0.1:1/")
    if opened:
        await opened.close()


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
        await test_no_secret_gets_into_health_errors_or_names(Leaky, workshop)
