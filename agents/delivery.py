"""Delivery: what was promised to a client, with checkpoints on the calendar, and how far it is.

A project is a record with dated checkpoints. Each is noted in the calendar where one is connected, and comes back as a
reminder (see ``follow_ups.py``); the status is read from the record and the date, never from
somebody's impression.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import ClassVar

from agents.base import ActionCall, Agent, Desk, Intent, Proposal, Record, Risk, Task, Write, local_day, local_now
from agents.directory import cited, free_key, look_up, named, slug, the_client, whom
from agents.edits import with_edits
from agents.follow_ups import called_off, follow_ups
from agents.letter import day_words, pinned, topic
from agents.slots import ClientName, Day, Span
from memory.events import Json

CHECKPOINTS = (("Kick-off", 0), ("First draft", 40), ("Review with the client", 70), ("Hand-over", 100))
"""What every delivery passes, and when, as a share of its length in per cent."""
LENGTH_DEFAULT_DAYS = 28
REMIND_AT = time(9)
WEEKEND = 5  # date.weekday() of Saturday

_LEAD = re.compile(
    r"^(?:the\s+)?(?:delivery|project|plan|work|timeline|milestones|checkpoints)\s+(?:of|on|for)\s+", re.IGNORECASE
)
_WHAT = re.compile(
    r"\b(?:of|for|about)\s+(?:the |a |an |our )?(.+?)(?:\s+(?:by|until|in|within)\b|[,.]|$)", re.IGNORECASE
)


class PlanDelivery(Intent):
    """Plan the delivery of a project with checkpoints."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
    may: ClassVar[tuple[str, ...]] = ("books.write", "books.remind", "calendar.note")
    examples: ClassVar[tuple[str, ...]] = (
        "plan the delivery for Acme",
        "set up the project plan for Globex, website, due 15 January",
        "schedule the work on the Initech audit",
        "create a project for Hooli: mobile app, 6 weeks",
        "plan the milestones for Stark",
        "start the project with Umbrella",
        "lay out the checkpoints for the Wayne redesign by March",
        "new project Tyrell: brochure, finished in three weeks",
        "plan work for Cyberdyne until 20 December",
        "break the Wonka order into checkpoints",
        "organise the delivery of the logo to Duff",
        "timeline for the Acme relaunch please",
        "set milestones for Globex",
        "get the Initech project on the rails, deadline end of January",
        "paln delivery hooli 4 weeks",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "plan the project for Stark, due 1 February",
        "create the delivery plan for Umbrella",
        "checkpoints for the Wayne website, five weeks",
        "set up a project for Tyrell",
        "schedule the delivery of the audit to Duff",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "how far is the Acme project?",
        "book a meeting with Globex",
        "make a plan for the launch",
        "invoice Acme for the project",
        "track my parcel",
        "when is the delivery of my order?",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "plan the {what} for {client} until {day}",
        "plan the {what} for {client} by {day}",
        "plan {what} for {client} until {day}",
        "plan the delivery for {client}",
        "plan the delivery of {what} for {client}",
        "plan the project for {client}",
        "start a project for {client}",
        "start the project {what} for {client}",
        "start a project {what} for {client}",
        "new project for {client}",
        "new project {what} for {client}",
    )
    asks: ClassVar[Mapping[str, str]] = {"client": "For which client is the project?"}

    client: ClientName
    what: str = ""
    day: Day | None = None
    span: Span | None = None


class ProjectStatus(Intent):
    """Say how far projects are, and note a checkpoint as done."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
    may: ClassVar[tuple[str, ...]] = ("books.write", "calendar.strike")
    examples: ClassVar[tuple[str, ...]] = (
        "project status of Acme",
        "how far is the Globex project?",
        "where do we stand with Initech?",
        "which projects are late?",
        "status of all projects",
        "what's next on the Hooli project?",
        "is Stark on track?",
        "the first draft for Umbrella is done",
        "kick-off with Wayne is done",
        "show me the open projects",
        "when is the hand-over for Tyrell?",
        "mark the review for Cyberdyne as done",
        "what are we working on?",
        "progress on Wonka?",
        "any deadlines in danger?",
        "projekt status duff",
        "are we on schedule with Hooli?",
        "are we late with Wayne?",
        "is everything on schedule for Umbrella?",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "how is the Acme project going?",
        "list our projects",
        "are we on schedule with Globex?",
        "the kick-off for Initech is done",
        "project status please",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "plan the delivery for Acme",
        "what's on today?",
        "weekly report",
        "what does Globex owe?",
        "write Acme a status mail",
        "who is Initech?",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "project status",
        "project status of {client}",
        "how far is {client}",
        "status of all projects",
        "projects",
        "projects overview",
        "project overview",
        "list my projects",
        "where are we with {client}",
    )
    command: ClassVar[str] = "projects"

    client: ClientName | None = None


class Delivery(Agent):
    """Keeps promises on a timeline."""

    intents = (PlanDelivery, ProjectStatus)
    proposes = ("books.write", "books.remind", "calendar.note", "calendar.strike")

    @with_edits
    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Plan a project, or say how far it is."""
        match task.intent:
            case PlanDelivery() as wish:
                return await _plan(wish, task, desk)
            case ProjectStatus() as wish:
                return _status(wish, task, desk)
        raise NotImplementedError(f"delivery does not know {task.intent.id()!r}")


async def _plan(wish: PlanDelivery, task: Task, desk: Desk) -> Proposal:
    client = the_client(wish.client, task, desk)
    if isinstance(client, Proposal):
        return client
    today = local_now(desk)
    reasons: list[str] = []
    if wish.day:
        end = wish.day
    elif wish.span:
        end = wish.span.after(today).date()
    else:
        end = today.date() + timedelta(days=LENGTH_DEFAULT_DAYS)
        reasons.append(f"No date was named, so it is planned for {LENGTH_DEFAULT_DAYS} days.")
    if end <= today.date():
        return Proposal(ask=f"{day_words(end)} has passed. By when shall it be delivered?")
    what = topic(_LEAD.sub("", re.sub(rf"\s+for {re.escape(wish.client)}$", "", wish.what, flags=re.IGNORECASE)))
    what = what or _purpose(task.text, named(client), wish.client) or "Project"
    title = f"{what[0].upper()}{what[1:]} for {named(client)}"
    points = _checkpoints(today.date(), end)
    key = free_key(desk, "project", f"{client.key}-{slug(what)[:24].strip('-') or 'project'}")
    data: dict[str, Json] = {
        "name": title, "client": client.key, "status": "running", "started": today.date().isoformat(),
        "due": end.isoformat(), "checkpoints": [{"name": n, "day": d.isoformat(), "done": ""} for n, d in points],
    }  # fmt: skip
    project = ActionCall(
        name="books.write",
        args={"summary": f"Project: {title}, due {day_words(end)}", "fields": {n: day_words(d) for n, d in points}},
        writes=(Write(kind="project", key=key, data=data), *_accepted(what, client, desk)),
        needs={**pinned(client), f"project:{key}": 0},
        client=client.key,
    )
    days = [
        (f"{name}: {title}", datetime.combine(day, REMIND_AT, tzinfo=desk.zone))
        for name, day in points
        if day > today.date()
    ]
    noted = await follow_ups(desk, days, client.key, project=key)
    return Proposal(
        calls=(project, *noted.calls),
        results={"project": key, "client": client.key, "due": end.isoformat()},
        reasons=(*reasons, *noted.reasons),
        sources=cited(client),
    )


def _accepted(what: str, client: Record, desk: Desk) -> tuple[Write, ...]:
    """Work on what was proposed means that the proposal was accepted."""
    return tuple(
        Write(kind="proposal", key=offer.key, data={**offer.data, "status": "accepted"})
        for offer in desk.records("proposal", client=client.key, status="sent")
        if str(offer.data["text"]).casefold() == what.casefold()
    )


def _checkpoints(start: date, end: date) -> list[tuple[str, date]]:
    length = (end - start).days
    points = [(name, _working_day(start + timedelta(days=length * share // 100), end)) for name, share in CHECKPOINTS]
    return [*points[:-1], (points[-1][0], end)]


def _working_day(day: date, end: date) -> date:
    """Return the day, or the Monday after when it is a weekend; never past the end."""
    late = day + timedelta(days=7 - day.weekday()) if day.weekday() >= WEEKEND else day
    return min(late, end)


def _status(wish: ProjectStatus, task: Task, desk: Desk) -> Proposal:
    projects = [record for record in desk.records("project") if record.data["status"] == "running"]
    if wish.client:
        match = look_up(desk, wish.client)
        if match.record is None:
            return whom(task, wish.client, match.nearby)
        projects = [record for record in projects if record.data["client"] == match.record.key]
        if len(projects) == 1 and (done := _finished(projects[0], task.text)):
            return _tick(projects[0], done, desk)
    if not projects:
        return Proposal(say="No project is running. For example: plan the delivery for Acme, due 15 January")
    today = local_day(desk)
    rows = [row for record in sorted(projects, key=lambda r: str(r.data["due"])) for row in _rows(record, today)]
    return Proposal(say="\n".join(rows), sources=cited(*projects))


def _finished(project: Record, text: str) -> str:
    """Return the checkpoint that the words say is done."""
    if not re.search(r"\b(done|finished|complete[d]?|ready|delivered)\b", text, re.IGNORECASE) or "?" in text:
        return ""
    flat = re.sub(r"\W+", " ", text.casefold())
    for point in project.data["checkpoints"]:
        name = re.sub(r"\W+", " ", str(point["name"]).casefold())
        if not point["done"] and (name in flat or name.removesuffix(" with the client") in flat):
            return str(point["name"])
    return ""


def _tick(project: Record, name: str, desk: Desk) -> Proposal:
    today = local_day(desk).isoformat()
    points = [{**p, "done": today} if p["name"] == name else p for p in project.data["checkpoints"]]
    whole = all(point["done"] for point in points)
    data = {**project.data, "checkpoints": points, "status": "done" if whole else "running"}
    writes, notes = called_off(desk, _waiting_for(project, name, desk), "done")
    call = ActionCall(
        name="books.write",
        args={"summary": f"{name} is done: {project.data['name']}", "fields": {"All done": "yes" if whole else "no"}},
        writes=(Write(kind="project", key=project.key, data=data), *writes),
        needs=pinned(project),
        client=str(project.data["client"]),
    )
    return Proposal(calls=(call, *notes), results={"project": project.key}, sources=cited(project))


def _waiting_for(project: Record, name: str, desk: Desk) -> list[Record]:
    """A checkpoint that is done needs no reminder."""
    waiting = desk.records("reminder", project=project.key, status="waiting")
    return [each for each in waiting if str(each.data["text"]).startswith(f"{name}: ")]


def _rows(project: Record, today: date) -> list[str]:
    points = project.data["checkpoints"]
    left = [point for point in points if not point["done"]]
    late = [point for point in left if date.fromisoformat(point["day"]) < today]
    state = f"{len(late)} late" if late else "on track"
    done = f"{len(points) - len(left)} of {len(points)} done"
    rows = [f"{project.data['name']}: {done}, {state}, due {day_words(project.data['due'])}"]
    rows += [
        f"- {point['name']}: {'late since' if point in late else 'next on'} {day_words(point['day'])}"
        for point in left[:2]
    ]
    return rows


def _purpose(text: str, *names: str) -> str:
    for name in names:
        text = re.sub(re.escape(name), "", text, flags=re.IGNORECASE)
    found = _WHAT.search(text)
    return found[1].strip() if found else ""
