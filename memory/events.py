"""Everything that can happen, in the past tense. The language of the house.

An event is one frozen struct. It is written once, into the history of one *task* (or into the history called
``house``, for what concerns everything: pauses, grants), and never changed. Reading one back::

    line = encode(Settled(card="12.1", revision=1, how="approved", by=me))
    decode(line)  # the same event, or UnknownEventError with a sentence

Who else wants to know when you add an event: the closed union `Happening` below, ``bot/state.py`` (what we believe
afterwards), ``bot/conductor.py`` (what happens next), ``memory/README.md`` (one row). Mypy and
``tests/test_promises.py`` find whichever was forgotten. A changed event needs an upcaster in ``memory/upcast.py``.

Money is a string like ``"1200.00 EUR"`` here, `decimal.Decimal` in code; time is an aware UTC ``datetime``.
Nothing in this file knows what time it is.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, get_args

import msgspec

Json = Any  # str, int, bool, None, list, dict; never a float


class Origin(StrEnum):
    """Whose words these are. Authority comes from here and from nowhere else."""

    OPERATOR = "operator"
    DELEGATE = "delegate"
    CLIENT = "client"
    STRANGER = "stranger"
    SYSTEM = "system"


class Fact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A value inside an event. Unknown fields are refused: a newer line must not be half-read."""


class Event(Fact, frozen=True, kw_only=True, tag_field="type", tag=True):
    """One thing that happened."""


class Actor(Fact, frozen=True, kw_only=True):
    """Who did it. ``platform`` and ``user`` are the platform's stable ids, never a display name."""

    platform: str  # "web", "console", "slack", "telegram", "clock", "agent", "mail"
    user: str = ""
    account: str = ""  # the workspace or bot the user was seen in
    name: str = ""  # for reading only
    origin: Origin = Origin.SYSTEM


class Place(Fact, frozen=True, kw_only=True):
    """Where something was said, so that the answer goes there."""

    channel: str  # "web", "console", "slack", "telegram"
    conversation: str = ""  # a channel or chat id
    thread: str = ""
    message: str = ""


class Attachment(Fact, frozen=True, kw_only=True):
    """A file by its content."""

    name: str
    sha256: str
    size: int  # bytes
    media_type: str = "application/octet-stream"


class Write(Fact, frozen=True, kw_only=True):
    """One line for our own books: a new version of a canonical record. Old versions stay."""

    kind: str  # "client", "invoice", "payment", "project", "reminder", ...
    key: str  # unique within the kind: "acme", "2026-0001"
    data: dict[str, Json]
    gone: bool = False  # the record ends with this version


class Entry(Fact, frozen=True, kw_only=True):
    """One line of the ledger. The entries of one call sum to zero per currency."""

    account: str  # "assets:receivable:acme", "income:services", "liabilities:vat"
    amount: str  # "1200.00 EUR", signed
    note: str = ""


class ActionCall(Fact, frozen=True, kw_only=True):
    """Exactly what would be done. The fingerprint covers all of it but ``why``; the card is rendered from it.

    Attributes:
        name: ``"mail.send"``: a connector's action, or ``"books.write"`` / ``"books.issue"`` for our own books alone.
        account: As whom, from the connector.
        args: Canonical JSON by parameter name.
        writes: What our books will say once this is confirmed; written in the same transaction as the confirmation.
        entries: The ledger lines, likewise.
        needs: What must still be true when it is done: ``{"client:acme": 3}`` (record at version 3),
            ``{"number:invoice:2026-0001": 0}`` (reserved for this card).
        client: The key of the client it is for, for limits, grants and namespaces; empty for none.
        why: The agent's words, labelled as such on the card.
    """

    name: str
    account: str = ""
    args: dict[str, Json] = {}
    writes: tuple[Write, ...] = ()
    entries: tuple[Entry, ...] = ()
    needs: dict[str, int] = {}
    client: str = ""
    why: str = ""


class Condition(Fact, frozen=True, kw_only=True):
    """What must hold of our own books for a step to begin. It is looked at when the step's time has come.

    Attributes:
        kind: Of the records: ``"invoice"``, ``"proposal"``; or ``"mail"``, where ``keys`` are addresses somebody writes from.
        keys: All of them count.
        status: The records have one of these.
        holds: False: the step is wanted while it is *not* so.
        since: Mail that came from then on; ISO.
        until: How long to wait for it, ISO; empty: it is looked at once.
    """

    kind: str
    keys: tuple[str, ...]
    status: tuple[str, ...] = ()
    holds: bool = True
    since: str = ""
    until: str = ""


class Step(Fact, frozen=True, kw_only=True):
    """One step of a plan. ``inputs`` hold literals, or ``{"from": "step", "field": "name"}``."""

    id: str
    agent: str
    intent: str
    inputs: dict[str, Json] = {}
    needs: tuple[str, ...] = ()
    when: str = ""  # ISO date-time; empty: at once
    only_if: Condition | None = None
    gate: Literal["", "ask", "shadow"] = ""  # a plan may ask for more care than policy does, never for less
    on_fail: Literal["stop", "skip", "ask"] = "stop"
    why: str = ""


class Choice(Fact, frozen=True, kw_only=True):
    """A button that says something for the operator: pressing it is typing ``text``."""

    label: str
    text: str


class Source(Fact, frozen=True, kw_only=True):
    """A memory or record that was used, so that "why" has an answer."""

    ref: str  # "record:client:acme@3", "memory:8812"
    text: str
    origin: Origin = Origin.SYSTEM


class Reading(Fact, frozen=True, kw_only=True):
    """One way to understand a message."""

    intent: str
    confidence_pct: int  # 0 to 100, calibrated
    slots: dict[str, Json] = {}


# ── what arrives ──────────────────────────────────────────────────────────────────────────────────────────────────


class MessageReceived(Event, frozen=True, kw_only=True):
    """Somebody said something in a chat."""

    text: str
    actor: Actor
    place: Place
    files: tuple[Attachment, ...] = ()
    reply_to: str = ""  # the card it answers ("12.1"), when the platform knows


class ItemArrived(Event, frozen=True, kw_only=True):
    """Something came from outside through a connector. Its words are material, never an order."""

    service: str
    kind: str
    data: dict[str, Json]
    text: str = ""
    actor: Actor


class HourStruck(Event, frozen=True, kw_only=True):
    """A declared schedule fell due: ``name`` is its id, ``period`` the day or week it stands for."""

    name: str
    period: str


class WokeUp(Event, frozen=True, kw_only=True):
    """A wake-up that this task had ordered came."""

    order: str
    reason: str
    data: dict[str, Json] = {}


# ── understanding and planning ────────────────────────────────────────────────────────────────────────────────────


class Understood(Event, frozen=True, kw_only=True):
    """The message has a reading, or ``intent`` is empty and ``ask`` says what to ask back."""

    order: str
    intent: str = ""
    slots: dict[str, Json] = {}
    confidence_pct: int = 0
    tier: str = "command"  # command | phrasebook | pattern | local | small | large
    evidence: tuple[str, ...] = ()
    others: tuple[Reading, ...] = ()
    assumed: tuple[str, ...] = ()
    ask: str = ""
    choices: tuple[Choice, ...] = ()
    rest: tuple[str, ...] = ()  # further requests found in the same message, each to be handled as its own


class Planned(Event, frozen=True, kw_only=True):
    """There is a plan; it is data, so an upgrade never strands it."""

    goal: str
    steps: tuple[Step, ...]
    source: str  # "fixed", "playbook:onboarding", "model:small", "operator"
    revision: int = 1


class Proposed(Event, frozen=True, kw_only=True):
    """An agent has worked on a step: words, calls, or a question. It has done nothing."""

    order: str
    step: str
    agent: str
    say: str = ""
    calls: tuple[ActionCall, ...] = ()
    results: dict[str, Json] = {}  # what later steps may refer to
    confidence_pct: int = 0
    reasons: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    warnings: tuple[str, ...] = ()  # of the verifier; shown on the card
    files: tuple[Attachment, ...] = ()
    ask: str = ""
    choices: tuple[Choice, ...] = ()
    problem: str = ""  # it could not; the operator's sentence
    plan: tuple[Step, ...] = ()  # a planner's steps, validated, to be shown and run
    card: str = ""  # the card this is a new revision of
    edits: dict[str, Json] = {}  # what the operator changed, as it was understood
    remember: tuple[dict[str, Json], ...] = ()  # records for long-term memory


class Answered(Event, frozen=True, kw_only=True):
    """A question about our own history or books was looked up (``/stuck``, ``/why``)."""

    order: str
    text: str
    files: tuple[Attachment, ...] = ()
    choices: tuple[Choice, ...] = ()


# ── cards ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class CardOpened(Event, frozen=True, kw_only=True):
    """One approval is asked for. Committed before any button is shown anywhere."""

    card: str  # "12.1"
    revision: int
    step: str
    title: str
    calls: tuple[ActionCall, ...]
    fingerprint: str  # of calls, see `fingerprint`
    rule: str  # which rule asked, in the operator's words
    kind: Literal["approval", "unknown", "shadow", "stuck"] = "approval"
    effect: str = ""  # for kind "unknown" and "stuck": which effect this is about
    expires_at: datetime | None = None
    on_expiry: Literal["hold", "remind", "cancel"] = "cancel"
    say: str = ""
    no_return: str = ""
    confidence_pct: int = 0
    reasons: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    warnings: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()  # difference from the revision before
    files: tuple[Attachment, ...] = ()
    newcomers: tuple[str, ...] = ()  # recipients nobody has written to before
    new_payees: tuple[str, ...] = ()  # who receives money and was never paid before, as `bot.payees` writes them
    compensates: tuple[str, ...] = ()  # call by call the effect it would take back


class Pressed(Event, frozen=True, kw_only=True):
    """Somebody pressed a button, or tried to. A fact about fingers; whether it counts is decided under the lock."""

    card: str
    revision: int  # of the copy that was pressed; 0 when the platform cannot tell
    verb: str  # approve | reject | edit | revise | snooze | like | undo | arrived | again | drop
    actor: Actor
    place: Place
    reason: str = ""
    edits: dict[str, Json] = {}  # field → new value, see bot/approvals.py
    until: datetime | None = None
    step_up: bool = False  # kept for older lines; a second channel is counted from the presses themselves
    fingerprint: str = ""  # its first 16 digits at least, when the press was one of a batch


class Settled(Event, frozen=True, kw_only=True):
    """A card came to its end. "Expired" and "denied" are different things, and so are the people."""

    card: str
    revision: int
    how: Literal["approved", "denied", "expired", "cancelled", "superseded"]
    by: Actor
    reason: str = ""
    place: Place | None = None


class Snoozed(Event, frozen=True, kw_only=True):
    """A card was put aside until a time; it stays open."""

    card: str
    until: datetime
    by: Actor


# ── effects ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Prepared(Event, frozen=True, kw_only=True):
    """An effect may happen. This line is on disk before anything else is."""

    effect: str  # "12.1.1": card, position; "12.s1.1" without a card
    card: str
    step: str
    call: ActionCall
    fingerprint: str  # of this one call
    key: str  # stable, derived from the effect's id; the same on every attempt
    effect_class: Literal["keyed", "reconcilable", "plain"]
    not_before: datetime | None = None  # end of the undo window
    compensates: str = ""  # the effect this one takes back
    rule: str = ""  # which rule let it through
    payees: tuple[str, ...] = ()  # who receives money by it, ``"Name <account>"``


class Queued(Event, frozen=True, kw_only=True):
    """Its action has been begun as often as it may for now; it waits for its turn, and nothing of it has left."""

    effect: str
    until: datetime  # with a ``room``: when it is looked at again at the latest
    reason: str
    room: str = ""  # every place there is taken, and it comes in as soon as one is free


class Sending(Event, frozen=True, kw_only=True):
    """The attempt is about to leave the house. Committed before the first byte does."""

    effect: str
    attempt: int
    at: datetime


class Confirmed(Event, frozen=True, kw_only=True):
    """The provider says it is done. The only source of the word "done"."""

    effect: str
    order: str = ""
    ref: str = ""
    text: str
    data: dict[str, Json] = {}
    how: Literal["answered", "reconciled", "operator", "books"] = "answered"


class Failed(Event, frozen=True, kw_only=True):
    """It provably did not happen. ``again_at`` says when it will be tried again, None: it will not."""

    effect: str
    order: str = ""
    reason: str
    again_at: datetime | None = None
    maybe: bool = False  # this attempt may have arrived; asking again is safe only because the key is the same


class BecameUnknown(Event, frozen=True, kw_only=True):
    """Nobody knows whether it happened. ``look_at`` says when looking once more may tell."""

    effect: str
    order: str = ""
    reason: str
    look_at: datetime | None = None


class Dropped(Event, frozen=True, kw_only=True):
    """It was let go before it happened (undo in the window, or the operator's word on an unknown)."""

    effect: str
    reason: str
    by: Actor


class Compensated(Event, frozen=True, kw_only=True):
    """It happened, and another effect took it back."""

    effect: str
    by_effect: str


# ── books, words, endings ─────────────────────────────────────────────────────────────────────────────────────────


class Recorded(Event, frozen=True, kw_only=True):
    """A canonical record has a new version."""

    write: Write
    version: int  # 1 upwards
    effect: str = ""


class Posted(Event, frozen=True, kw_only=True):
    """The ledger has new lines, which sum to zero."""

    entries: tuple[Entry, ...]
    effect: str = ""
    note: str = ""


class Said(Event, frozen=True, kw_only=True):
    """Something to tell the operator. A view of the history, delivered at least once."""

    message: str  # "12.m3"
    text: str
    place: Place | None = None  # None: wherever the operator is
    choices: tuple[Choice, ...] = ()
    files: tuple[Attachment, ...] = ()
    kind: Literal["answer", "receipt", "question", "problem", "digest", "notice"] = "answer"
    undo: str = ""  # the effect an Undo button would take back
    at_once: bool = False  # also in quiet hours: the operator named this moment


class Delivered(Event, frozen=True, kw_only=True):
    """A channel shows it; ``ref`` is how to find that copy again."""

    order: str
    what: str  # message or card id
    place: Place
    ref: str


class ModelCalled(Event, frozen=True, kw_only=True):
    """A model was asked; counted before the next call is allowed."""

    model: str
    tier: str
    purpose: str
    tokens_in: int
    tokens_out: int
    cost_usd: str
    cached: bool = False
    agent: str = ""


class Ended(Event, frozen=True, kw_only=True):
    """The task is over."""

    how: Literal["done", "failed", "cancelled"]
    summary: str


# ── the house itself (history "house") ────────────────────────────────────────────────────────────────────────────


class Paused(Event, frozen=True, kw_only=True):
    """Emergency stop: ``scope`` is "all", a connector ("mail") or an action ("mail.send")."""

    scope: str
    by: Actor


class Resumed(Event, frozen=True, kw_only=True):
    """The stop is lifted."""

    scope: str
    by: Actor


class Granted(Event, frozen=True, kw_only=True):
    """Approval in advance, "all like this": scoped, expiring, counted, revocable."""

    grant: str
    action: str
    client: str
    amount_max: str = ""
    uses_max: int = 20
    expires_at: datetime
    by: Actor
    together: tuple[str, ...] = ()  # the actions of the card it was given on; () in older lines: any
    kind: str = ""  # of what is issued: an invoice is no credit note
    exactly: str = ""  # digest of the one call it is for, planned for an hour to come; nothing else counts then


class Revoked(Event, frozen=True, kw_only=True):
    """A grant ended early."""

    grant: str
    by: Actor


class GrantUsed(Event, frozen=True, kw_only=True):
    """A grant let one effect through."""

    grant: str
    effect: str
    amount: str = ""


class EpochRaised(Event, frozen=True, kw_only=True):
    """A backup was restored: what was not final in it may have happened since."""

    epoch: int
    backup: str


Happening = (
    MessageReceived | ItemArrived | HourStruck | WokeUp
    | Understood | Planned | Proposed | Answered
    | CardOpened | Pressed | Settled | Snoozed
    | Prepared | Queued | Sending | Confirmed | Failed | BecameUnknown | Dropped | Compensated
    | Recorded | Posted | Said | Delivered | ModelCalled | Ended
    | Paused | Resumed | Granted | Revoked | GrantUsed | EpochRaised
)  # fmt: skip
"""The closed union: a `match` over it ends in ``assert_never``, so mypy names the event nobody decided on."""

KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Happening)}


class UnknownEventError(Exception):
    """The log holds a line this version cannot read."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(
            f"Log line {where} cannot be read by this version ({reason}). "
            "It was written by a newer version, or the file is damaged: upgrade, or restore the backup."
        )


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder: msgspec.json.Decoder[Happening] = msgspec.json.Decoder(Happening)


def encode(event: Event) -> bytes:
    """Return the event as canonical JSON: keys in order, defaults left out, no floats."""
    return _encoder.encode(event)


def decode(line: bytes | str, where: str = "?") -> Happening:
    """Return the event that `encode` wrote.

    Args:
        line: JSON as `encode` made it, already upcast to this version.
        where: How to name the line in an error: ``"12:3"`` (task, sequence).

    Raises:
        UnknownEventError: Unknown kind, unknown field, wrong type.
    """
    try:
        return _decoder.decode(line)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise UnknownEventError(where, str(error)) from error


def fingerprint(calls: ActionCall | tuple[ActionCall, ...]) -> str:
    """Return SHA-256 in hex over everything that will be done; only ``why`` is left out, as it does nothing."""
    several = calls if isinstance(calls, tuple) else (calls,)
    bare = [msgspec.structs.replace(call, why="") for call in several]
    return hashlib.sha256(b"soloist/1\n" + _encoder.encode(bare)).hexdigest()
