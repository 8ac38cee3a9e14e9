"""Our own books as actions: what may be written in them, and what a call enters. Pure.

They have no connector: a call is carried out in the transaction that starts it, so its outcome is never unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from agents.letter import every_words
from agents.slots import Every
from bot.figures import moment_words, money_words
from connectors.base import Action, EffectClass, Param, Risk, Role
from memory.events import ActionCall, Entry, Json, Posted, Recorded, Write


class Versions(Protocol):
    """What entering needs to know of the books: `memory.projections.Books` serves."""

    def version(self, kind: str, key: str) -> int:
        """Return the newest version's number, 0 when there never was one."""
        ...


def _action(name: str, risk: Risk, says: str, no_return: str, *params: tuple[str, Role]) -> Action:
    return Action(
        name=name,
        method="",
        risk=risk,
        effect=EffectClass.KEYED,
        says=says,
        params=tuple(Param(param, role, required=False, doc="") for param, role in params),
        no_return=no_return,
        undo=None,
        delayed=False,
        find=None,
        key_window_s=float("inf"),
        timeout_s=0.0,
        attempts_max=1,
        rate_per_minute=float("inf"),
        takes_key=False,
    )


ACTIONS: Mapping[str, Action] = {
    action.name: action
    for action in (
        _action(
            "books.write",
            Risk.REVERSIBLE,
            "write down: {summary}",
            "",
            ("summary", Role.DETAIL),
            ("fields", Role.DETAIL),
        ),
        _action(
            "books.issue",
            Risk.MONEY,
            "issue {kind} {number}",
            "once issued, only a credit note takes it back",
            ("client", Role.DETAIL),
            ("kind", Role.PLUMBING),  # the card's title says it
            ("number", Role.REFERENCE),
            ("amount", Role.AMOUNT),
            ("net", Role.DETAIL),
            ("tax", Role.DETAIL),
            ("due", Role.WHEN),
            ("lines", Role.LINES),
            ("attachments", Role.ATTACHMENTS),
        ),
        _action(
            "books.remind",
            Risk.REVERSIBLE,
            "remind you",
            "",
            ("text", Role.DETAIL),
            ("when", Role.WHEN),
        ),
    )
}


class UnbalancedError(Exception):
    """A call's ledger lines do not sum to zero: a mistake of the agent that wrote it, and nothing was entered."""

    def __init__(self, call: ActionCall, sums: Mapping[str, Decimal]) -> None:
        off = ", ".join(f"{amount} {currency}" for currency, amount in sums.items() if amount)
        super().__init__(f"The ledger lines of {call.name} are off by {off}. Nothing was entered.")


def check(call: ActionCall) -> None:
    """Raise `UnbalancedError` unless the ledger lines of a call sum to zero in every currency."""
    sums: dict[str, Decimal] = {}
    for entry in call.entries:
        amount, _, currency = entry.amount.partition(" ")
        sums[currency] = sums.get(currency, Decimal(0)) + Decimal(amount)
    if any(sums.values()):
        raise UnbalancedError(call, sums)


def enter(call: ActionCall, effect: str, books: Versions) -> list[Recorded | Posted]:
    """Return the events that put a call's consequences on the books."""
    check(call)
    seen: Counter[tuple[str, str]] = Counter()
    events: list[Recorded | Posted] = []
    for write in call.writes:
        seen[write.kind, write.key] += 1
        version = books.version(write.kind, write.key) + seen[write.kind, write.key]
        events.append(Recorded(write=write, version=version, effect=effect))
    if call.entries:
        events.append(Posted(entries=call.entries, effect=effect))
    return events


def text_of(call: ActionCall) -> str:
    """Return the receipt's sentence for a call on our own books: what now stands in them."""
    args: Mapping[str, Json] = call.args
    match call.name:
        case "books.issue":
            kind = str(args.get("kind", "invoice"))
            amount = money_words(str(args.get("amount")))
            return f"{kind[:1].upper() + kind[1:]} {args.get('number')} over {amount} is issued."
        case "books.remind":
            when = moment_words(datetime.fromisoformat(str(args.get("when"))))
            again = f", then {every_words(Every(str(args['every'])))}" if args.get("every") else ""
            return f"I will remind you on {when}{again}: {args.get('text')}"
        case _:
            return str(args.get("summary") or "Written down.")


REVERSIBLE = frozenset({"books.write", "books.remind"})
"""Our own entries that are taken back by the versions before them."""


def reverse(call: ActionCall, before: Mapping[tuple[str, str], Mapping[str, Json] | None]) -> ActionCall:
    """Return the call that takes a `books.write` or `books.remind` back: older versions return, entries turn around.

    Args:
        before: (kind, key) → the data before the call, None where there was no record.
    """
    writes = tuple(
        Write(kind=write.kind, key=write.key, data=dict(before.get((write.kind, write.key)) or write.data),
              gone=before.get((write.kind, write.key)) is None)
        for write in reversed(call.writes)
    )  # fmt: skip
    entries = tuple(
        Entry(account=entry.account, amount=_negative(entry.amount), note=f"undo: {entry.note}")
        for entry in call.entries
    )
    summary = f"Undone: {text_of(call)}"
    return ActionCall(name="books.write", args={"summary": summary}, writes=writes, entries=entries, client=call.client)


def _negative(amount: str) -> str:
    number, _, currency = amount.partition(" ")
    return f"{-Decimal(number)} {currency}"
