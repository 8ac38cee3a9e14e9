"""Monitor: what needs the operator's eye before it becomes trouble. Rules over records; asks no model, sends nothing.

`alarms` is what the digest lists; the agent says the same when the clock's ``monitor`` item comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from agents.base import Agent, Choice, Desk, Proposal, Task, local_day, money
from agents.bill import OPEN, outstanding
from agents.directory import address, named
from agents.letter import amount_words, day_words

QUIET_DAYS = 5  # a proposal without an answer for so long wants a word
REMIND_AFTER_DAYS = 3  # grace before an overdue invoice is an alarm
AGAIN_AFTER_DAYS = 10  # and since the last reminder
RETAINER_DAY = 25  # of the month: from here on an unbilled retainer is an alarm
LISTED_MAX = 12


@dataclass(frozen=True)
class Alarm:
    """One thing to look at, and what to say to deal with it."""

    text: str
    do: str
    label: str
    weight: int  # the larger, the sooner


def alarms(desk: Desk) -> tuple[Alarm, ...]:
    """Return everything that wants attention, the most pressing first; always the same for the same books and day."""
    today = local_day(desk)
    found = [
        *_overdue(desk, today), *_late_work(desk, today), *_quiet(desk, today), *_unbilled(desk, today),
        *_unreachable(desk),
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda alarm: (-alarm.weight, alarm.text)))


class Monitor(Agent):
    """Watches the books for what is late, quiet or missing."""

    hears = ("monitor",)

    async def work(self, task: Task, desk: Desk) -> Proposal:  # noqa: ARG002 - the books say it all
        """Say what wants attention, with a button each; say nothing when all is well."""
        found = alarms(desk)[:LISTED_MAX]
        if not found:
            return Proposal(say="Nothing needs your attention.")
        return Proposal(
            say="\n".join(["This needs your attention:", *(f"- {alarm.text}" for alarm in found)]),
            choices=tuple(Choice(label=alarm.label, text=alarm.do) for alarm in found[:3]),
        )


def _overdue(desk: Desk, today: date) -> list[Alarm]:
    found = []
    for invoice in desk.records("invoice"):
        if invoice.data["status"] not in OPEN:
            continue
        late = (today - date.fromisoformat(invoice.data["due"])).days
        last = max((r["day"] for r in invoice.data.get("reminders") or []), default="")
        if late <= REMIND_AFTER_DAYS or (last and (today - date.fromisoformat(last)).days < AGAIN_AFTER_DAYS):
            continue
        left, currency = outstanding(invoice)
        name = invoice.data["client_name"]
        text = f"{invoice.key} of {name} is {late} days late, {amount_words(money(left, currency))} open"
        found.append(Alarm(text, f"remind {name} about {invoice.key}", f"Remind {name}", 100 + late))
    return found


def _late_work(desk: Desk, today: date) -> list[Alarm]:
    found = []
    for project in desk.records("project", status="running"):
        for point in project.data["checkpoints"]:
            day = date.fromisoformat(point["day"])
            if not point["done"] and day < today:
                text = f"{project.data['name']}: {point['name']} was due on {day_words(day)}"
                client = desk.record("client", str(project.data["client"]))
                name = named(client) if client else str(project.data["client"])
                found.append(Alarm(text, f"project status of {name}", "See the project", 80 + (today - day).days))
    return found


def _quiet(desk: Desk, today: date) -> list[Alarm]:
    found = []
    for offer in desk.records("proposal", status="sent"):
        sent = date.fromisoformat(offer.data["sent"])
        client = desk.record("client", str(offer.data["client"]))
        if client is None or today - sent < timedelta(days=QUIET_DAYS):
            continue
        text = f"{named(client)} has not answered the proposal {offer.data['text']!r} since {day_words(sent)}"
        found.append(Alarm(text, f"follow up with {named(client)} on the proposal", f"Ask {named(client)}", 50))
    return found


def _unbilled(desk: Desk, today: date) -> list[Alarm]:
    """Retainers that were not invoiced this month, once it is nearly over."""
    if today.day < RETAINER_DAY:
        return []
    month = today.isoformat()[:7]
    billed = {
        str(i.data["client"])
        for i in desk.records("invoice")
        if str(i.data["issued"]).startswith(month) and i.data["status"] != "cancelled"
    }
    return [
        Alarm(
            f"{named(client)}'s retainer of {amount_words(client.data['retainer'])} is not invoiced for {today:%B}",
            f"invoice {named(client)} {client.data['retainer']} for the {today:%B} retainer",
            f"Invoice {named(client)}",
            40,
        )
        for client in desk.records("client")
        if client.data.get("retainer") and client.data.get("status") == "active" and client.key not in billed
    ]


def _unreachable(desk: Desk) -> list[Alarm]:
    return [
        Alarm(
            f"{named(client)} has no e-mail address",
            f"update {named(client)} email ",
            f"Add {named(client)}'s address",
            10,
        )
        for client in desk.records("client", status="active")
        if not address(client)
    ]
