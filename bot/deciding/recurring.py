"""What comes again: schedules and reminders, each moved on in the transaction that counts it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from bot import schedules
from bot.deciding import progress
from bot.deciding.house import House
from bot.deciding.saying import say
from bot.effects import Effect, Record, Wake
from bot.state import TaskState
from connectors.base import Json
from memory.events import ActionCall, Ended, HourStruck, Planned, Recorded, WokeUp, Write


def fell_due(event: HourStruck, house: House) -> list[Effect]:
    """Do what a schedule asks for, and move it on to its next period: both in the transaction that counts this one."""
    key = event.name.removeprefix(schedules.PREFIX)
    standing = house.ledgers.standing(schedules.KIND, key)
    if standing is None or standing.data.get("next") != event.period:
        return [Record(event=Ended(how="done", summary="this schedule was changed in the meantime"))]
    moved = schedules.advanced(key, standing.data, event.period, house.zone)
    step = schedules.step_of(key, standing.data)
    goal = str(standing.data.get("text") or key)
    return [
        Record(event=Recorded(write=moved, version=standing.version + 1)),
        Record(event=Planned(goal=goal, steps=(step,), source=event.name)),
    ]


def ordered(effect: str, call: ActionCall) -> list[Effect]:
    """Return what rings for a call that was confirmed: a reminder, or a note in the calendar that is kept as one."""
    args = call.args
    if call.name == "books.remind":
        due = datetime.fromisoformat(str(args["when"]))
        return [reminder(effect, str(args["text"]), due, str(args.get("every") or ""))]
    if call.name == "calendar.note" and any(write.kind == "reminder" for write in call.writes):
        return [reminder(effect, str(args["title"]), datetime.fromisoformat(str(args["when"])), "")]
    return []


def reminder(effect: str, text: str, due: datetime, every: str) -> Wake:
    """Return the order to come back with a reminder."""
    data: dict[str, Json] = {"effect": effect, "text": text, "when": due.isoformat(), "every": every}
    return Wake(reason="reminder", due=due, data=data)


def remind(state: TaskState, event: WokeUp, house: House) -> list[Effect]:
    """Say it, and come again when it has a rule; what the machine slept through is said once."""
    told = say(state, f"Reminder: {event.data.get('text')}", kind="notice", home=True, at_once=True)
    effect, rule = state.effects.get(str(event.data.get("effect", ""))), str(event.data.get("every") or "")
    if effect is not None and _settled(effect.prepared.call.writes, house):
        return progress.end_if_over(state)
    if effect is None or "when" not in event.data:  # ordered by an older version
        return [*told, *progress.end_if_over(state)]
    last = datetime.fromisoformat(str(event.data["when"]))
    again = schedules.following_after(rule, last, house.now, house.zone)
    moved: list[Effect] = []
    for write in effect.prepared.call.writes:
        standing = house.ledgers.standing(write.kind, write.key)
        if standing is not None and write.kind == "reminder":
            change = {"when": again.isoformat()} if again else {"status": "done"}
            after = msgspec.structs.replace(write, data={**standing.data, **change})
            moved.append(Record(event=Recorded(write=after, version=standing.version + 1)))
    if again is None:
        return [*told, *moved, *progress.end_if_over(state)]
    return [*told, *moved, reminder(effect.prepared.effect, str(event.data.get("text")), again, rule)]


def _settled(writes: Iterable[Write], house: House) -> bool:
    """Whether the books say of a reminder that what it is about was done meanwhile, or is off or forgotten."""
    kept = [house.ledgers.standing(write.kind, write.key) for write in writes if write.kind == "reminder"]
    return any(each is None or each.data.get("status", "waiting") != "waiting" for each in kept)
