"""What Stripe tells beside payments: a dispute with its deadline, a subscription that ended, money given back elsewhere. Pure.

Stripe tells of dozens of things. Those that no operator could act on are let pass without a word; what is not known here is
shown as it came.

Source: https://docs.stripe.com/api/events/types, https://docs.stripe.com/api/disputes/object
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from typing import Any

from agents.base import Choice, Desk, Proposal, Record, Step, decimals
from agents.directory import look_up, named
from agents.letter import amount_words, day_words
from agents.percept import line
from memory.events import Json

QUIET = (
    "stripe.payout.created", "stripe.payout.paid", "stripe.payout.updated", "stripe.payout.reconciliation_completed",
    "stripe.balance.*", "stripe.charge.updated", "stripe.charge.pending", "stripe.charge.captured", "stripe.payment_intent.created",
    "stripe.payment_intent.processing", "stripe.payment_intent.amount_capturable_updated", "stripe.customer.created",
    "stripe.customer.updated", "stripe.customer.source.*", "stripe.product.*", "stripe.price.*", "stripe.plan.*",
    "stripe.payment_method.*", "stripe.payment_link.*", "stripe.setup_intent.*", "stripe.mandate.*", "stripe.application_fee.*",
    "stripe.topup.*", "stripe.invoice.created", "stripe.invoice.finalized", "stripe.invoice.updated", "stripe.invoice.upcoming",
    "stripe.invoiceitem.*", "stripe.charge.dispute.funds_*", "stripe.charge.dispute.updated", "stripe.refund.*",
    "stripe.charge.refund.updated", "stripe.reporting.*",
)  # fmt: skip
"""Kinds that nobody could act on: Stripe paying out to our bank, things being created on the way to a payment."""
ENDED = frozenset({"canceled", "incomplete_expired"})  # https://docs.stripe.com/api/subscriptions/object#status


def news(kind: str, item: Mapping[str, Json], desk: Desk) -> Proposal | None:
    """Return what is to be said or done about an event of Stripe's; None when it is not known here.

    Args:
        kind: As the connector set it after checking the signature.
        item: The event: what was told, and how its object stands now.
        desk: For the invoice and the client that it is about.
    """
    told = item.get("current") or item.get("told")
    current: Mapping[str, Any] = told if isinstance(told, dict) else {}
    if any(fnmatchcase(kind, pattern) for pattern in QUIET):
        return Proposal()
    match kind.removeprefix("stripe."):
        case "customer.subscription.deleted":
            return _ended(current, desk)
        case "customer.subscription.updated":
            return _ended(current, desk) if current.get("status") in ENDED else _changed(current, item, desk)
        case "customer.subscription.created" if current.get("status") in ENDED:
            return Proposal(say="Stripe tells late of a subscription that has ended since; nothing is begun.")
        case "charge.dispute.created":
            return _disputed(current, item, desk)
        case "charge.dispute.closed":
            return _decided(current, item, desk)
        case "charge.refunded":
            return _refunded(current, desk)
        case "payout.failed" | "payout.canceled":
            why = line(str(current.get("failure_message") or "It does not say why."), 200).rstrip(".")
            return Proposal(say=f"Stripe could not pay {_sum(item)} out to your bank: {why}. Look at Stripe's payouts.")
    return None


def _ended(current: Mapping[str, Any], desk: Desk) -> Proposal | None:
    """Plan to note the end of a subscription, with the day that Stripe names."""
    number = current.get("id")
    if not isinstance(number, str):
        return None
    inputs: dict[str, Json] = {"subscription": line(number, 80)}
    if day := _day(current.get("ended_at") or current.get("canceled_at"), desk):
        inputs["day"] = day.isoformat()
    step = Step(
        id="ended", agent="subscriptions", intent="end_subscription", inputs=inputs, why="Stripe says that it ended"
    )
    return Proposal(plan=(step,))


def _changed(current: Mapping[str, Any], item: Mapping[str, Json], desk: Desk) -> Proposal:
    """Say what an operator should know of a subscription that goes on: its end to come, its price, its late payment."""
    known = desk.record("subscription", str(current.get("id") or "").casefold().replace("_", "-"))
    whose = _client(desk, known)
    if current.get("cancel_at_period_end") is True:
        day = _day(current.get("cancel_at") or current.get("current_period_end"), desk)
        return Proposal(
            say=f"The subscription{whose} is cancelled and runs out{f' on {day_words(day)}' if day else ''}."
        )
    if current.get("status") in {"past_due", "unpaid"}:
        return Proposal(
            say=f"The subscription{whose} is {str(current['status']).replace('_', ' ')}: Stripe could not take the money."
        )
    recurring = item.get("recurring")
    amount = str(recurring.get("amount") or "") if isinstance(recurring, dict) else ""
    if known and amount and known.data.get("amount") and amount != known.data["amount"]:
        return Proposal(
            say=f"The subscription{whose} costs {amount_words(amount)} now; my books say {amount_words(known.data['amount'])}."
        )
    return Proposal()


def _disputed(current: Mapping[str, Any], item: Mapping[str, Json], desk: Desk) -> Proposal:
    details = current.get("evidence_details")
    due = _day(details.get("due_by"), desk) if isinstance(details, dict) else None
    number = _invoice(current, desk)
    about = f"the payment of {number}" if number else f"charge {line(str(current.get('charge') or ''), 60)}"
    reason = line(str(current.get("reason") or "").replace("_", " "), 60)
    until = (
        f"Answer at Stripe by {day_words(due)}; unanswered, it is lost."
        if due
        else "Answer at Stripe; unanswered, it is lost."
    )
    remind = f"remind me on {day_words(due)} to answer the dispute about {number or 'the charge'}" if due else ""
    return Proposal(
        say=f"DISPUTE: {about} over {_sum(item)} is disputed{f' ({reason})' if reason else ''}. Stripe has taken the money back "
        f"meanwhile, and a fee. {until}",
        choices=(Choice(label="Remind me that day", text=remind),) if remind else (),
        results={"dispute": str(current.get("id") or ""), "due": due.isoformat() if due else ""},
    )


def _decided(current: Mapping[str, Any], item: Mapping[str, Json], desk: Desk) -> Proposal:
    number = _invoice(current, desk)
    about = f"about {number}" if number else f"about charge {line(str(current.get('charge') or ''), 60)}"
    how = {
        "won": "is won: the money comes back",
        "lost": "is lost: the money stays with the payer",
        "warning_closed": "is closed",
    }
    said = how.get(
        str(current.get("status")), f"is closed ({line(str(current.get('status') or 'no outcome told'), 40)})"
    )
    books = f" My books still say that {number} is paid." if number and current.get("status") == "lost" else ""
    return Proposal(say=f"The dispute {about} over {_sum(item)} {said}.{books}")


def _refunded(current: Mapping[str, Any], desk: Desk) -> Proposal | None:
    """Say that money was given back elsewhere; what went through our own card is known."""
    charge = str(current.get("id") or "")
    ours = [each for each in desk.records("payment", charge=charge) if "-refund" in each.key]
    if ours:
        return Proposal()
    number = _invoice({"charge": charge}, desk)
    if not number:
        return None
    back = _units(current.get("amount_refunded"), str(current.get("currency") or ""))
    return Proposal(
        say=f"{back or 'Money'} of the payment of {number} was given back at Stripe, and not by me: my books still say that it is paid. "
        f"A credit note has to follow.",
    )


def _invoice(current: Mapping[str, Any], desk: Desk) -> str:
    """Return the invoice that a charge paid, by our own record of the payment."""
    for name in ("charge", "payment_intent"):
        if (charge := current.get(name)) and (paid := desk.records("payment", charge=charge)):
            return str(paid[0].data["invoice"])
    return ""


def _client(desk: Desk, known: Record | None) -> str:
    client = look_up(desk, str(known.data.get("client") or "")).record if known else None
    return f" of {named(client)}" if client else ""


def _sum(item: Mapping[str, Json]) -> str:
    return amount_words(str(item["amount"])) if item.get("amount") else "an unknown sum"


def _units(units: object, currency: str) -> str:
    try:
        return amount_words(f"{Decimal(int(str(units))).scaleb(-decimals(currency.upper()))} {currency.upper()}")
    except (ValueError, InvalidOperation):
        return ""


def _day(seconds: object, desk: Desk) -> date | None:
    """Return the day, on the operator's clock, of a moment as Stripe writes it."""
    if type(seconds) is not int or not 0 < seconds < 1 << 40:
        return None
    return datetime.fromtimestamp(seconds, UTC).astimezone(desk.zone).date()
