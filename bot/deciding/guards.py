"""What is asked of calls before anything is done with them, each question by itself. Pure.

They are asked when a draft comes in, again at the press, and again before the first attempt: a night may lie between.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from fnmatch import fnmatchcase

from agents.plan import staff
from bot import books, payees
from bot.deciding.house import House
from bot.payees import Payee
from bot.policy import Limit, Verdict, amount_of, limits_for, odd_amount, over_limit
from bot.state import TaskState
from connectors.base import Risk
from memory.events import ActionCall, CardOpened, Origin, fingerprint

SET_UP = {
    "calendar": ("No calendar is set up", "CALDAV_URL"),
    "bluesky": ("Bluesky is not set up", "BLUESKY_HANDLE"),
    "blog": ("No blog is set up", "BLOG_FOLDER"),
    "stripe": ("Stripe is not set up", "STRIPE_API_KEY"),
}
"""Service → that it is absent, and the setting it begins with."""


def absent(name: str) -> str:
    """Say of an action that is not there what is missing, and where it is put."""
    service = name.partition(".")[0]
    if service not in SET_UP:
        return f"{service.capitalize()} is not set up, so nothing was done: python -m bot doctor says what it needs."
    what, setting = SET_UP[service]
    return (
        f"{what}, so nothing was done. Put {setting} and what stands below it in .env.example into .env, "
        "then start me again: python -m bot doctor checks it."
    )


def not_allowed(agent: str, calls: Iterable[ActionCall], house: House, intent: str = "") -> str:
    """Return why an agent may not propose these calls, in words; "" when it may.

    Args:
        intent: What it was asked for: an answer holds only what that intent declares (`agents.base.Intent.may`).
    """
    duty = staff().get(intent)
    for call in calls:
        if call.name not in house.actions:
            return absent(call.name)
        if duty and duty.agent == agent and not any(fnmatchcase(call.name, name) for name in duty.may):
            return f"{intent.replace('_', ' ')} does not lead to {call.name}, so {agent} may not propose it; nothing was done."
        if not any(fnmatchcase(call.name, name) for name in house.proposes.get(agent, ())):
            return f"{agent} is not allowed to propose {call.name}; nothing was done."
        missing = [
            param.name for param in house.actions[call.name].params if param.required and param.name not in call.args
        ]
        if missing:
            return f"{agent} drafted {call.name} without {', '.join(missing)}; nothing was done."
        wrong = [payee for payee in payees.of(call, house.actions[call.name]) if payees.is_wrong_iban(payee.account)]
        if wrong:
            return (
                f"{wrong[0].words} is no IBAN: its check digits do not fit, so money would go astray. Nothing was done."
            )
        if payees.pays(call, house.actions[call.name]) and not call.args.get("amount"):
            return f"{agent} drafted {call.name} without an amount, and no limit counts money it cannot see; nothing was done."
        odd = odd_amount(call)
        if odd:
            return f"{agent} drafted {call.name} with the amount {odd!r}, which no limit could count; nothing was done."
        if call.name.startswith("books."):
            try:
                books.check(call)
            except books.UnbalancedError as error:
                return str(error)
        elif house.actions[call.name].risk is Risk.READS:
            return f"{call.name} only reads; {agent} should have used it at its desk."
    return ""


def as_shown(calls: ActionCall | tuple[ActionCall, ...], shown: str) -> bool:
    """Whether calls are what their card showed, by its fingerprint."""
    return fingerprint(calls) == shown


def stale(calls: Iterable[ActionCall], card: str, house: House) -> bool:
    """Whether something a draft stands on has changed since: a record's version, a number somebody else holds."""
    for call in calls:
        for need, version in call.needs.items():
            if need.startswith("number:"):
                name = need.removeprefix("number:")
                holder = house.ledgers.reserved_for(name)
                kind, _, number = name.partition(":")
                if (holder is not None and holder != card) or house.ledgers.version(kind, number) > 0:
                    return True
            else:
                kind, _, key = need.partition(":")
                standing = house.ledgers.standing(kind, key)
                # A record that is gone is as one that never was: added again, it needs version 0.
                if (standing.version if standing else 0) != version:
                    return True
    return False


def lower_number(calls: Iterable[ActionCall], card: str, house: House) -> str:
    """Return the lowest number of the series that is not given out (``"invoice:2026-0001"``), "" when it is these calls'.

    One that another card only waits with is not given out: numbers go out in the order of the presses, so that no card that
    is rejected or runs out later, be it next year, leaves a gap below what was issued.
    """
    for need in (need for call in calls for need in call.needs if need.startswith("number:")):
        _, kind, number = need.split(":", 2)
        free = house.ledgers.next_number(kind, number.rpartition("-")[0], card=card, beside_waiting=False)
        if (len(free), free) < (len(number), number):
            return f"{kind}:{free}"
    return ""


def broken_limit(calls: Iterable[ActionCall], house: House, *, apart: str = "") -> str:
    """Return which limit these calls would break together, in words; ``apart`` is the effect they already are."""
    own: dict[tuple[Limit, str, str], Decimal] = {}  # what the calls before it on the same card take
    for call in calls:
        action = house.actions.get(call.name)  # one that is not set up any more pays nobody
        receive = payees.of(call, action) if action else ()
        spent: dict[Limit, Decimal] = {}
        for limit in limits_for(call, house.policy, receive):
            client = call.client if limit.client else ""
            for payee in _counted_apart(limit, receive):
                sums = house.ledgers.spent(
                    house.now - timedelta(days=limit.days),
                    client=client,
                    action=limit.action,
                    payee=payee,
                    apart=apart,
                )
                taken = sums.get(limit.currency, Decimal(0)) + own.get((limit, client, payee), Decimal(0))
                spent[limit] = max(taken, spent.get(limit, taken))
                own[limit, client, payee] = own.get((limit, client, payee), Decimal(0)) + max(
                    Decimal(0), amount_of(call)[0]
                )
        broken = over_limit(call, house.policy, spent, receive)
        if broken:
            return broken
    return ""


def _counted_apart(limit: Limit, receive: Iterable[Payee]) -> list[str]:
    """Return by what the sums of a limit are told apart: each account, the one payee it names, or nothing."""
    return [payee.account for payee in receive] if limit.payee == "*" else [limit.payee]


def used_twice(verdicts: Iterable[Verdict]) -> str:
    """One proposal uses a grant once: the count that bounds it stands still until this is written."""
    used = [verdict.grant for verdict in verdicts if verdict.grant]
    return "it would use one grant twice at once" if len(used) != len(set(used)) else ""


def needs_second_channel(state: TaskState, opened: CardOpened, house: House) -> bool:
    """Whether a large sum, or a first payment where the policy says so, was approved on fewer than two of the operator's channels: one stolen phone is not enough."""
    sums: dict[str, Decimal] = {}
    for call in opened.calls:
        amount, currency = amount_of(call)
        sums[currency] = sums.get(currency, Decimal(0)) + abs(amount)
    first = bool(opened.new_payees) and house.policy.new_payee == "second_channel"
    if not first and not any(
        sums.get(currency, Decimal(-1)) >= least for currency, least in house.policy.step_up_from.items()
    ):
        return False
    hands = state.yeses.get(f"{opened.card}/{opened.revision}", ())
    people = [(hand, house.roster.find(hand)) for hand in hands]
    return len({hand.platform for hand, person in people if person and person.role is Origin.OPERATOR}) < 2  # noqa: PLR2004


def is_paused(call: ActionCall, house: House) -> bool:
    """Whether an emergency stop covers a call: all, its connector, or its action."""
    return bool(house.paused & {"all", call.name, call.name.partition(".")[0]})
