"""Mail that goes out without a person: its header says so, and one thread gets only so many a day. Pure.

Two machines that answer each other must come to an end (RFC 3834). A mail that no hand pressed and no operator asked for
is automatic; what has gone out in a thread stands in a record of its own, so that a restart forgets nothing. Once there
were enough, the next one is a card.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from bot.deciding.house import House
from bot.effects import Effect, Record
from bot.state import TaskState
from memory.events import ActionCall, Origin, Recorded, Write

KIND = "automatic"
DAY = timedelta(days=1)
MARK = "automatic"  # the parameter of an action that says in the message itself that a machine wrote it


def is_automatic(state: TaskState, call: ActionCall, house: House) -> bool:
    """Whether a call would go to people without one of ours having asked for it or pressed anything."""
    asked = state.origin in {Origin.OPERATOR, Origin.DELEGATE}
    return not asked and any(param.name == MARK for param in house.actions[call.name].params)


def marked(state: TaskState, call: ActionCall, house: House) -> ActionCall:
    """Return the call with the header of automatic mail (RFC 3834, 5)."""
    if not is_automatic(state, call, house) or call.args.get(MARK):
        return call
    how = "auto-replied" if call.args.get("in_reply_to") else "auto-generated"
    return msgspec.structs.replace(call, args={**call.args, MARK: how})


def too_many(state: TaskState, calls: Iterable[ActionCall], house: House) -> str:
    """Return why a person should look at these first, in words; "" when the thread has room."""
    most = house.policy.automatic_per_thread
    asked: Counter[str] = Counter()
    for call in calls:
        if not is_automatic(state, call, house):
            continue
        for key, what in _threads(call):
            sent = len(_lately(key, house)) + asked[key]
            asked[key] += 1
            if sent >= most:
                return (
                    f"{sent} automatic mails went {what} within a day, and policy.toml lets {most} go "
                    "([mail] automatic_per_thread)"
                )
    return ""


def counted(state: TaskState, calls: Iterable[ActionCall], house: House) -> list[Effect]:
    """Write down, in the transaction that lets them go, that these went."""
    now = house.now.isoformat()
    sent: Counter[str] = Counter(key for call in calls if is_automatic(state, call, house) for key, _ in _threads(call))
    return [
        Record(
            event=Recorded(
                write=Write(kind=KIND, key=key, data={"sent": [*_lately(key, house), *[now] * count]}),
                version=house.ledgers.version(KIND, key) + 1,
            )
        )
        for key, count in sent.items()
    ]


def _threads(call: ActionCall) -> list[tuple[str, str]]:
    """What a mail belongs to: its thread, and whom it goes to, as a machine may begin a new thread with each answer."""
    references = call.args.get("references") or [call.args.get("in_reply_to")]
    found = [(_key("thread", str(references[0])), "out in this thread")] if references[0] else []
    for address in sorted({str(each).casefold() for each in call.args.get("to") or ()}):
        found.append((_key("to", address), f"to {address}"))
    return found


def _key(kind: str, what: str) -> str:
    """A digest: the record holds nothing of anybody, so nothing of it has to be forgotten."""
    return hashlib.sha256(f"{kind} {what}".encode()).hexdigest()[:32]


def _lately(key: str, house: House) -> list[str]:
    known = house.ledgers.standing(KIND, key)
    times = known.data.get("sent", ()) if known else ()
    return [str(each) for each in times if house.now - datetime.fromisoformat(str(each)) < DAY]
