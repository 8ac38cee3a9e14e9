"""Perception: hears what comes from outside and says which playbook it starts. It has no authority at all.

Which playbook starts is decided by the *kind* of item alone, which the connector has set after checking where it came
from. The item's words fill names and needs, cleaned and shown on a card; see `agents.percept`.
"""

from __future__ import annotations

from collections.abc import Mapping

from agents.base import Agent, Desk, Proposal, Step, Task
from agents.directory import slug
from agents.percept import NAME_MAX, NEED_MAX, Percept, line, memory_of, perceive
from agents.plan import faults, staff
from agents.playbook import fill, for_item, playbooks
from agents.slots import Money
from agents.stripe_news import news
from agents.subscription import interval
from memory.events import Json

QUOTED_LINES_MAX = 12  # of what is shown of an item that starts nothing


class Perception(Agent):
    """Hears what comes from outside and says which playbook it starts."""

    hears = (
        "mail", "mail.*", "form", "form.*", "webhook", "webhook.*", "subscription", "subscription.*", "stripe",
        "stripe.*",
    )  # fmt: skip

    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Plan what the item's kind asks for; say what came when nothing does."""
        percept = perceive(task.item or {}, task.item_text, desk, task.item_kind)
        if percept.kind.partition(".")[0] == "mail":
            steps: tuple[Step, ...] = (Step(id="triage", agent="support", intent="triage", why="a mail came in"),)
            return Proposal(plan=steps)
        if percept.kind.startswith("stripe.") and (told := news(percept.kind, task.item or {}, desk)):
            return told
        if paid := _payment(percept.kind, task.item or {}, desk):
            return paid
        book = for_item(percept.kind, playbooks(desk.playbooks))
        if book is None:
            return Proposal(say=_notice(percept), remember=memory_of(percept))
        filled = fill(book, {**known(percept), **_bought(percept.kind, task.item or {})}, desk)
        if filled.missing:
            what = " and ".join(filled.missing)
            return Proposal(
                say=f"{_notice(percept)}\nThe playbook {book.name} would start, but it does not say: {what}."
            )
        if wrong := faults(filled.steps, staff()):
            return Proposal(problem=f"The playbook {book.name} does not fit what came in: {' '.join(wrong)}")
        return Proposal(say=_notice(percept), plan=filled.steps, remember=memory_of(percept))


def _payment(kind: str, item: Mapping[str, Json], desk: Desk) -> Proposal | None:
    """Plan to note a payment that Stripe itself reports for one of our invoices; None when it is something else.

    One payment comes as several events. The intent's is the one that says that the money is there.
    """
    number = str(item.get("reference") or "")
    if not kind.startswith("stripe.") or not number or desk.record("invoice", number) is None:
        return None
    if kind != "stripe.payment_intent.succeeded":
        return Proposal(say=f"Stripe tells of {kind.removeprefix('stripe.')} for {number}.")
    inputs: dict[str, Json] = {"number": number}
    if amount := item.get("amount"):
        inputs["amount"] = amount
    step = Step(id="paid", agent="payments", intent="mark_paid", inputs=inputs, why="Stripe reports the payment")
    if wrong := faults((step,), staff()):
        return Proposal(problem=f"Stripe reports a payment for {number} that I cannot read: {' '.join(wrong)}")
    return Proposal(plan=(step,))


def known(percept: Percept) -> dict[str, Json]:
    """Return what a playbook may use: our own record where there is one, else the cleaned words."""
    facts = percept.facts
    name = facts.get("company") or facts.get("name") or percept.sender.partition("@")[0]
    client = percept.client.key if percept.client else name if slug(name) else ""
    need = facts.get("need") or line(percept.quote.partition("\n")[0], NEED_MAX)
    return {"client": client, "name": name, "email": percept.sender, "need": need, "plan": facts.get("plan", "")}


def _bought(kind: str, item: Mapping[str, Json]) -> dict[str, Json]:
    """Return what a service whose signature was checked says of a subscription: its id, what it costs, how often."""
    current = item.get("current") or item.get("told") or {}
    if not isinstance(current, dict):
        return {}
    if kind == "stripe.customer.subscription.created":
        number = current.get("id")
    elif kind.startswith("stripe."):
        number = current.get("subscription")
    elif kind.partition(".")[0] == "subscription":
        number = item.get("reference") or item.get("id")
    else:
        return {}
    if not isinstance(number, str) or not slug(number):
        return {}
    told = item.get("recurring")
    recurring = told if isinstance(told, dict) else {}
    try:
        # What the first payment came to may hold a set-up fee or a trial; what recurs is the price.
        amount = str(Money.read(str(recurring.get("amount") or item.get("amount") or "")))
    except ValueError:
        amount = ""
    every = interval(recurring.get("interval"), recurring.get("count", 1)) or interval(item.get("interval"))
    return {"subscription": line(number, NAME_MAX), "amount": amount, "interval": every}


def _notice(percept: Percept) -> str:
    who = percept.facts.get("company") or percept.facts.get("name") or percept.sender or "somebody"
    rows = [f"From outside ({percept.kind}), {who}:"]
    rows += [f"- {key}: {value}" for key, value in percept.facts.items()]
    if percept.quote:
        rows += [f"> {line}" for line in percept.quote.splitlines()[:QUOTED_LINES_MAX]]
    return "\n".join(rows)
