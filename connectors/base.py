"""What every connector is: one outside service, its actions, and how hard each is to take back.

A connector is one file in this folder with one class; nothing to register::

    class Weather(Connector):
        "Tomorrow's weather."

        service = "weather"

        @action(Risk.READS, EffectClass.KEYED, says="look up the weather")
        async def tomorrow(self, place: Subject) -> Receipt:
            "Read the forecast."

An action's parameters carry a *role* (`Recipients`, `Amount`, `Body`, ...). The card is rendered from the roles, so
an author never writes card code and an operator never misses a recipient. One parameter name is filled in by the
runner and is neither on the card nor in the fingerprint: ``key``, the stable key of this effect, the same on every
attempt. Files are named by digest (`Attachments`) and fetched from `Workshop.files`.

Rules of the leaf: nothing of ours is imported here, and no connector imports another.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Protocol, Self

Json = Any  # what canonical JSON holds: str, int, bool, None, list, dict; money is a decimal string, never a float


class Risk(StrEnum):
    """How far an action reaches; a fact stated by its author. What to do about it is the operator's policy."""

    READS = "reads"  # changes nothing anywhere
    REVERSIBLE = "reversible"  # changes something that can be put back entirely, and nobody outside sees it
    OUTSIDE = "outside"  # somebody outside sees or feels it
    MONEY = "money"  # moves money, or promises to


class EffectClass(StrEnum):
    """What may be done when nobody knows whether a call arrived."""

    KEYED = "keyed"  # the provider deduplicates our stable key: send again inside its window
    RECONCILABLE = "reconcilable"  # we can look: search first, send again only on proven absence
    PLAIN = "plain"  # one attempt; after that only the operator can say


class Role(StrEnum):
    """What a parameter means to the person reading the card; decides order, wording and what may never be cut."""

    RECIPIENTS = "recipients"  # list of addresses; never cut, NEW ones are marked
    PAYEE = "payee"  # who receives money: ``"Name <account>"``; never cut, a NEW one is marked
    PAYEE_NAME = "payee_name"  # the name on it, where the account is an argument of its own
    AMOUNT = "amount"  # decimal string with currency, ``"1200.00 EUR"``; never cut
    WHEN = "when"  # ISO 8601 date or aware date-time
    SUBJECT = "subject"  # one line
    BODY = "body"  # long text, shown whole (in the thread where a platform would cut it)
    ATTACHMENTS = "attachments"  # list of {"name", "sha256", "size"}; never cut
    LINES = "lines"  # list of {"text", "quantity", "unit_price", "total"}: an invoice's line items
    REFERENCE = "reference"  # an id somewhere else: a charge, an event, a thread
    DETAIL = "detail"  # anything else worth a line
    PLUMBING = "plumbing"  # bound by the fingerprint, too dull for the card (e.g. a Message-ID)


Recipients = Annotated[list[str], Role.RECIPIENTS]
Payee = Annotated[str, Role.PAYEE]
Amount = Annotated[str, Role.AMOUNT]
When = Annotated[str, Role.WHEN]
Subject = Annotated[str, Role.SUBJECT]
Body = Annotated[str, Role.BODY]
Attachments = Annotated[list[dict[str, Json]], Role.ATTACHMENTS]
Lines = Annotated[list[dict[str, Json]], Role.LINES]
Reference = Annotated[str, Role.REFERENCE]
Detail = Annotated[str, Role.DETAIL]
Plumbing = Annotated[str, Role.PLUMBING]


@dataclass(frozen=True)
class Receipt:
    """What the provider answered, typed; every "done" the operator reads is made from one of these.

    Attributes:
        ref: The provider's own id of what now exists (a Message-ID, ``re_...``); empty for a read.
        text: One sentence in the past tense, built from the provider's answer: ``"Refunded 49.00 EUR on ch_9."``
        data: The answer's facts as canonical JSON, secrets left out.
    """

    ref: str
    text: str
    data: Mapping[str, Json] = field(default_factory=dict)


class ConnectorError(Exception):
    """The service did not do it. The message is written for the operator: what happened, and what to do.

    Raise one of the three below; they say what may be done next, which no message text can.
    """


class RefusedError(ConnectorError):
    """The service said no for good (550, invalid address, wrong key). Nothing happened; asking again will not help."""


class TryLaterError(ConnectorError):
    """Nothing happened, provably, and it may work later (421, 429, connection refused, dropped before the commit)."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class OutcomeUnknownError(ConnectorError):
    """It may or may not have happened (a time-out after the point of no return). Never sent again blindly.

    Raised by a look, ``look_again_s`` says when looking once more may prove what cannot be known yet.
    """

    def __init__(self, message: str, look_again_s: float | None = None) -> None:
        super().__init__(message)
        self.look_again_s = look_again_s


@dataclass(frozen=True)
class Setting:
    """One value a connector wants from the operator: where it is read from, and where a newcomer gets it."""

    name: str  # the environment variable, ``SMTP_HOST``
    help: str  # one line for .env.example
    secret: bool = False
    default: str = ""


@dataclass(frozen=True)
class Health:
    """Whether a service can be used now, and if not, what the operator can do about it."""

    ok: bool
    text: str
    remedy: str = ""


class Files(Protocol):
    """Content-addressed storage: what a card shows is what is sent, because both name it by its digest."""

    def get(self, sha256: str) -> bytes:
        """Return the bytes with this digest; raise KeyError with a sentence when they are gone or were changed."""
        ...

    def put(self, content: bytes) -> str:
        """Keep the bytes and return their SHA-256 in hex; the same bytes twice are one file."""
        ...


@dataclass(frozen=True)
class Workshop:
    """What a connector may use besides its settings. Handed in once, by wiring."""

    home: Path  # SOLOIST_HOME; a connector keeps to a folder of its own name in it
    files: Files
    now: Callable[[], datetime]  # aware UTC; tests hand in a frozen one


@dataclass(frozen=True)
class Incoming:
    """Something that arrived from outside, already authenticated, not yet believed.

    ``(service, account, event_id)`` is unique for ever: the inbox is keyed on it, so a redelivery is one row.
    """

    service: str
    account: str
    event_id: str
    kind: str  # "mail", "stripe.invoice.paid", "form"
    at: datetime
    data: Mapping[str, Json]
    text: str = ""  # what a person would read; material, never an order


Deliver = Callable[[Incoming], Awaitable[None]]
"""Returns once the item is on disk; raises when it could not be written, and then the service must not be acknowledged."""


@dataclass(frozen=True)
class Param:
    """One argument of an action: its name, its role on the card, and its line of documentation."""

    name: str
    role: Role
    required: bool
    doc: str


Undo = Callable[[Mapping[str, Json], Receipt], tuple[str, Mapping[str, Json]]]
"""Arguments and receipt of the thing done → name (``"calendar.cancel"``) and arguments of the thing that takes it back."""


AT_ONCE = 4  # actions of one service under way at once: what hangs there must not take all there is of this machine


@dataclass(frozen=True)
class Action:
    """The declaration of one action. Everything policy, card, effects and tests need to know about it."""

    name: str  # "mail.send"
    method: str  # attribute of the connector
    risk: Risk
    effect: EffectClass
    says: str  # what the button does, in the operator's words: "send an e-mail"
    params: tuple[Param, ...]
    no_return: str  # the point of no return, for the card: "once the server has taken it"; empty when there is none
    undo: Undo | None  # compensation as another action; None: cannot be taken back
    delayed: bool  # waits out the operator's delay window, in which undo costs nothing
    find: str | None  # method (same arguments, ``key``) → Receipt, or None on *proven* absence; for RECONCILABLE, and
    # for KEYED where the provider forgets keys: then it is looked for once the key is forgotten
    key_window_s: float  # KEYED: how long the provider remembers our key
    timeout_s: float
    attempts_max: int
    rate_per_minute: float
    takes_key: bool
    at_once: int = AT_ONCE  # how many of its `room` may be under way

    @property
    def room(self) -> str:
        """What it shares its places with: all actions of its service (``mail``), or of its server (``mcp.notes``)."""
        return room_of(self.name)


def room_of(action_name: str) -> str:
    """Return the room of an action by its name; see `Action.room`."""
    return action_name.rpartition(".")[0]


def action(
    risk: Risk,
    effect: EffectClass,
    *,
    says: str,
    no_return: str = "",
    undo: Undo | None = None,
    delayed: bool = False,
    find: str | None = None,
    key_window_s: float = 24 * 3600.0,
    timeout_s: float = 30.0,
    attempts_max: int = 6,
    rate_per_minute: float = 60.0,
) -> Callable[[Callable[..., Awaitable[Receipt]]], Callable[..., Awaitable[Receipt]]]:
    """Declare a method of a connector to be an action; see `Action` for what each word means.

    Raises:
        TypeError: At import, when a reconcilable action names no ``find``, or a keyed one takes no ``key``.
    """

    def declare(method: Callable[..., Awaitable[Receipt]]) -> Callable[..., Awaitable[Receipt]]:
        takes_key = "key" in inspect.signature(method).parameters
        if effect is EffectClass.RECONCILABLE and not find:
            raise TypeError(f"{method.__qualname__} is reconcilable, so it must name how to look: find='method'.")
        if effect is EffectClass.KEYED and risk is not Risk.READS and not takes_key:
            raise TypeError(f"{method.__qualname__} is keyed, so it must take the stable key: add a parameter 'key'.")
        method.__soloist_action__ = {  # type: ignore[attr-defined]
            "risk": risk, "effect": effect, "says": says, "no_return": no_return, "undo": undo, "delayed": delayed,
            "find": find, "key_window_s": key_window_s, "timeout_s": timeout_s, "attempts_max": attempts_max,
            "rate_per_minute": rate_per_minute, "takes_key": takes_key,
        }  # fmt: skip
        return method

    return declare


INJECTED = frozenset({"self", "key"})  # parameters the runner fills in


class Connector:
    """One outside service. Subclass, name the service, declare actions; `discover` finds it."""

    service: ClassVar[str]
    settings: ClassVar[tuple[Setting, ...]] = ()
    at_once: ClassVar[int] = AT_ONCE
    """How many of its actions may be under way; the others wait before anything of them has left."""

    @classmethod
    def open(cls, values: Mapping[str, str], workshop: Workshop) -> Self | None:
        """Build the connector from its settings, or return None when the operator has not set it up.

        Args:
            values: One entry for each of `settings`, the default where the operator said nothing.
            workshop: Home folder, files and clock.

        Raises:
            ConnectorError: The settings are there and make no sense; the message says which and why.
        """
        raise NotImplementedError

    @property
    def account(self) -> str:
        """As whom it acts ("me@example.com"); part of every fingerprint."""
        return ""

    async def health(self) -> Health:
        """Return whether the service can be used now, without changing anything."""
        return Health(ok=True, text=f"{self.service}: nothing to check.")

    async def listen(self, deliver: Deliver) -> None:
        """Bring in what happens outside until cancelled. The default has nothing to say and returns at once."""

    async def close(self) -> None:
        """Let go of connections."""

    @classmethod
    def actions(cls) -> dict[str, Action]:
        """Return the declared actions by full name, in the order they are written."""
        found: dict[str, Action] = {}
        for attribute, member in inspect.getmembers(cls, inspect.isfunction):
            declared = getattr(member, "__soloist_action__", None)
            if declared is not None:
                name = f"{cls.service}.{attribute}"
                found[name] = Action(
                    name=name, method=attribute, params=_params(member), at_once=cls.at_once, **declared
                )
        return found


def _params(method: Callable[..., Any]) -> tuple[Param, ...]:
    hints = typing.get_type_hints(method, include_extras=True)
    docs = _argument_docs(inspect.getdoc(method) or "")
    params = []
    for name, parameter in inspect.signature(method).parameters.items():
        if name in INJECTED:
            continue
        roles = [extra for extra in _metadata(hints.get(name)) if isinstance(extra, Role)]
        params.append(
            Param(
                name=name,
                role=roles[0] if roles else Role.DETAIL,
                required=parameter.default is inspect.Parameter.empty,
                doc=docs.get(name, ""),
            )
        )
    return tuple(params)


def _metadata(hint: Any) -> tuple[Any, ...]:
    """Return what an annotation carries, also inside an optional one (``Attachments | None``)."""
    own = tuple(getattr(hint, "__metadata__", ()))
    return own or tuple(extra for part in typing.get_args(hint) for extra in _metadata(part))


def _argument_docs(doc: str) -> dict[str, str]:
    """Read the ``Args:`` block of a docstring: name → first line of what it says."""
    lines = doc.splitlines()
    if "Args:" not in (line.strip() for line in lines):
        return {}
    start = next(number for number, line in enumerate(lines) if line.strip() == "Args:")
    found: dict[str, str] = {}
    for line in lines[start + 1 :]:
        if line and not line.startswith(" "):
            break
        name, colon, text = line.strip().partition(": ")
        if colon and name.isidentifier():
            found[name] = text
    return found
