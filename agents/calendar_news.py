"""Calendar news: what was done to the calendar elsewhere, told to the operator, and put right in our books.

The connector says what changed. Whether it is news is for the books: what they already say is none. The words in an
event are whoever's wrote it; they are shown, and decide nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import parseaddr

from agents.base import ActionCall, Agent, Choice, Desk, Proposal, Record, Task, Write
from agents.letter import moment_words, pinned
from agents.percept import NAME_MAX, line
from agents.reminder import reminder
from memory.events import Json


class CalendarNews(Agent):
    """Hears what was done to the calendar elsewhere."""

    hears = ("calendar.*", "mail.answer")
    proposes = ("books.write", "books.remind")

    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Say what changed, and propose that our books follow."""
        item = task.item or {}
        if task.item_kind == "mail.answer":
            return _answered(item, desk)
        title = line(str(item.get("title") or ""), NAME_MAX) or "an event without a title"
        event = str(item.get("event") or "")
        if event and (noted := next(iter(desk.records("reminder", event=event)), None)):
            return _note(title, task.item_kind, item, noted, desk)
        record = _meeting(event, desk)
        match task.item_kind:
            case "calendar.moved":
                return _moved(title, item, record, desk)
            case "calendar.cancelled":
                return _cancelled(title, item, record, desk)
            case "calendar.clash":
                return _clash(title, item, desk)
        return Proposal(say=f"Something happened to {title} in your calendar ({task.item_kind}).")


def _note(title: str, kind: str, item: Mapping[str, Json], noted: Record, desk: Desk) -> Proposal:
    """A follow-up that was moved is told on its new day, and one that was taken out is not told at all."""
    if noted.data["status"] != "waiting" or kind not in {"calendar.moved", "calendar.cancelled"}:
        return Proposal()  # our books know
    client = str(noted.data.get("client") or "")
    if kind == "calendar.moved":
        start = _at(item, "start", desk)
        if start == datetime.fromisoformat(str(noted.data["when"])):
            return Proposal()
        kept = {name: value for name, value in noted.data.items() if name not in {"text", "when", "status", "client"}}
        call = reminder(desk, str(noted.data["text"]), start, client, **kept)
        former = Write(kind="reminder", key=noted.key, data={**noted.data, "status": "moved", "event": ""})
        call = ActionCall(
            name=call.name,
            args=call.args,
            writes=(*call.writes, former),
            needs={**call.needs, **pinned(noted)},
            client=client,
        )
        return Proposal(say=f"{title} was moved in your calendar to {moment_words(start)}.", calls=(call,))
    call = ActionCall(
        name="books.write",
        args={"summary": f"No reminder of {noted.data['text']}"},
        writes=(Write(kind="reminder", key=noted.key, data={**noted.data, "status": "cancelled"}),),
        needs=pinned(noted),
        client=client,
    )
    return Proposal(say=f"{title} was taken out of your calendar.", calls=(call,))


def _meeting(event: str, desk: Desk) -> Record | None:
    return next(iter(desk.records("meeting", event=event)), None)


def _at(item: Mapping[str, Json], name: str, desk: Desk) -> datetime:
    return datetime.fromisoformat(str(item[name])).astimezone(desk.zone)


def _moved(title: str, item: Mapping[str, Json], record: Record | None, desk: Desk) -> Proposal:
    start, end, was = (_at(item, name, desk) for name in ("start", "end", "was_start"))
    said = f"{title} was moved in your calendar: {moment_words(start)}, before {moment_words(was)}."
    if record is None:
        return Proposal(say=said)
    stands = datetime.fromisoformat(str(record.data["start"]))
    if stands == start and record.data["status"] == "booked":
        return Proposal()  # our books know
    if stands != was:
        return Proposal(say=f"{said} My books have it at {moment_words(stands.astimezone(desk.zone))}.")
    data = {**record.data, "start": start.isoformat(), "end": end.isoformat()}
    return _followed(said, f"{title} is at {moment_words(start)} now", record, data)


def _cancelled(title: str, item: Mapping[str, Json], record: Record | None, desk: Desk) -> Proposal:
    start = _at(item, "start", desk)
    said = f"{title}, {moment_words(start)}, was taken out of your calendar."
    if record is None:
        return Proposal(say=said)
    if record.data["status"] != "booked":
        return Proposal()  # our books know
    if datetime.fromisoformat(str(record.data["start"])) != start:
        return Proposal(say=said)  # one time of a series: the rest of it stands
    return _followed(said, f"{title} does not take place", record, {**record.data, "status": "cancelled"})


def _followed(said: str, summary: str, record: Record, data: Mapping[str, Json]) -> Proposal:
    guests = [str(each) for each in record.data.get("attendees") or ()]
    reasons = (f"{', '.join(guests)} may not know; nobody is told by this.",) if guests else ()
    call = ActionCall(
        name="books.write",
        args={"summary": summary},
        writes=(Write(kind="meeting", key=record.key, data=dict(data)),),
        needs={f"meeting:{record.key}": record.version},
        client=str(record.data.get("client") or ""),
    )
    return Proposal(say=said, calls=(call,), reasons=reasons)


_SAYS = {"accepted": "accepted", "declined": "declined", "tentative": "may come to"}


def _answered(item: Mapping[str, Json], desk: Desk) -> Proposal:
    """A guest's answer is told, and where it comes from; it never changes when or whether the meeting is."""
    told = item.get("answer")
    sender = item.get("from")
    if not isinstance(told, dict) or not isinstance(sender, dict):
        return Proposal()
    record = _meeting(str(told["event"]), desk)
    who, said = line(str(told["who"]), NAME_MAX), str(told["answer"])
    title = str(record.data["title"]) if record else line(str(told["title"]), NAME_MAX) or "a meeting"
    when = _when(str(record.data["start"] if record else told["start"]), desk)
    note = line(str(told["note"]), NAME_MAX)
    words = f"{who} {_SAYS[said]} {title}{when}.{f' They write: {note}' if note else ''}"
    if record is None:
        return Proposal(say=f"{words} My books hold no such meeting.")
    guests = {parseaddr(str(each))[1].casefold() for each in record.data.get("attendees") or ()}
    author = line(str(sender.get("address")), NAME_MAX)
    if who.casefold() not in guests or author.casefold() != who.casefold():
        return Proposal(say=f"{author} says: {words} That is no guest's own word.")
    if record.data["status"] != "booked" or _for_another_time(told, record, desk):
        return Proposal(say=f"{words} That was said of a time it no longer has.")
    client = desk.record("client", str(record.data.get("client") or ""))
    name = str(client.data.get("name") or client.key) if client else ""
    choices = (
        Choice(label="Find another time", text=f"find a time for {name}"),
        Choice(label="Cancel it", text=f"cancel the meeting with {name}"),
    )
    return Proposal(say=words, choices=choices if name and said == "declined" else ())


def _for_another_time(told: Mapping[str, Json], record: Record, desk: Desk) -> bool:
    try:
        meant = datetime.fromisoformat(str(told["start"]))
    except ValueError:
        return False
    stands = datetime.fromisoformat(str(record.data["start"]))
    return meant.tzinfo is not None and meant != stands.astimezone(desk.zone) and not record.data.get("repeats")


def _when(text: str, desk: Desk) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return ""
    return f", {moment_words(moment.astimezone(desk.zone))}" if moment.tzinfo else f", {text}"


def _clash(title: str, item: Mapping[str, Json], desk: Desk) -> Proposal:
    mine = item.get("with")
    start = _at(item, "start", desk)
    said = f"New in your calendar: {title}, {moment_words(start)}."
    if not isinstance(mine, dict):
        return Proposal(say=said)
    record = _meeting(str(mine.get("event") or ""), desk)
    own = line(str(mine.get("title") or ""), NAME_MAX)
    said = f"{said} It overlaps with {own}, {moment_words(_at(mine, 'start', desk))}."
    client = desk.record("client", str(record.data.get("client") or "")) if record else None
    if client is None:
        return Proposal(say=said)
    name = str(client.data.get("name") or client.key)
    return Proposal(
        say=said,
        choices=(
            Choice(label="Find another time", text=f"find a time for {name}"),
            Choice(label="Cancel mine", text=f"cancel the meeting with {name}"),
        ),
    )
