"""What the operator's rules say about one call, with what is known of who began it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot import payees
from bot.agreement import Agreement, agreed
from bot.deciding.house import House
from bot.payees import Payee
from bot.policy import Verdict, judge
from bot.state import TaskState
from memory.events import ActionCall, HourStruck, Origin, Proposed


def verdict_on(
    state: TaskState,
    call: ActionCall,
    house: House,
    newcomers: tuple[str, ...],
    together: Sequence[str] = (),
    new: Sequence[Payee] = (),
) -> Verdict:
    """Return the verdict of the operator's rules on one call, held back where somebody outside began it.

    Args:
        newcomers: Recipients of the whole proposal that nobody has written to.
        new: Who of the whole proposal would be paid for the first time.
        together: The actions of the whole proposal; a grant holds for the same ones only.
    """
    action = house.actions[call.name]
    verdict = judge(
        call,
        action,
        house.policy,
        newcomers=newcomers,
        new_payees=new,
        # What was approved for its hour is no leave to do it at another.
        grants={
            key: each for key, each in house.grants.items() if not each.exactly or isinstance(state.heard, HourStruck)
        },
        together=together,
        streak=agreement(call, house).streak if any(rule.earned for rule in house.policy.rules) else 0,
    )
    # Only a rule that says so by itself lets a stranger's mail lead to something without a look.
    by_default = verdict.rule.startswith("default:") or bool(verdict.grant) or verdict.earned
    if verdict.ruling == "do" and state.restored and not call.name.startswith("books."):
        return Verdict("ask", "this request comes from a restored backup and may have been done after it")
    if verdict.ruling == "do" and by_default and state.origin in {Origin.CLIENT, Origin.STRANGER}:
        return Verdict("ask", "it was started by somebody outside")
    return verdict


def worst(state: TaskState, event: Proposed, verdicts: Iterable[Verdict]) -> Verdict:
    """Return the strictest of a proposal's verdicts; where the plan or a check says so, what would be done asks."""
    strictest = max(verdicts, key=lambda verdict: ("do", "shadow", "ask", "refuse").index(verdict.ruling))
    gates = {step.gate for step in (state.planned.steps if state.planned else ()) if step.id == event.step}
    if "shadow" in gates and strictest.ruling != "refuse":
        return Verdict("shadow", "you asked for a rehearsal of the plan")
    if strictest.ruling != "do":
        return strictest
    if "ask" in gates:
        return Verdict("ask", "the plan asks here")
    return Verdict("ask", "a check found something") if event.warnings else strictest


def newcomers(calls: Iterable[ActionCall], house: House) -> tuple[str, ...]:
    """Return the recipients nobody here has ever written to."""
    addresses = {address for call in calls for address in _recipients(call)}
    return tuple(sorted(address for address in addresses if not house.ledgers.knows_recipient(address)))


def new_payees(calls: Iterable[ActionCall], house: House) -> tuple[Payee, ...]:
    """Return who would receive money and was never paid before, each account once."""
    every = {payee.account: payee for call in calls for payee in payees.of(call, house.actions[call.name])}
    return tuple(payee for account, payee in every.items() if not house.ledgers.paid(account))


def doubts(calls: Iterable[ActionCall], house: House) -> tuple[str, ...]:
    """Return what is odd about who would be paid: a known name with another account, a known account's other name."""
    found = []
    for payee in {payee: None for call in calls for payee in payees.of(call, house.actions[call.name])}:
        known, name = house.ledgers.paid(payee.account), payees.called(payee.name)
        before = [words for words in house.ledgers.paid_as(name) if payees.read(words).account != payee.account]
        if before and not known:
            found.append(
                f"CHANGED ACCOUNT: {payee.name} is to be paid to {payees.grouped(payee.account)}; until now money went to "
                f"{', '.join(before)}. This is how invoices are forged: ask them on a number you know, not by replying."
            )
        others = [words for words in known if payees.called(payees.read(words).name) not in {"", name}]
        if name and others:
            found.append(f"The account {payees.grouped(payee.account)} was paid before as {', '.join(others)}.")
    return tuple(found)


def _recipients(call: ActionCall) -> list[str]:
    return [
        address for name in ("to", "cc", "bcc") for address in call.args.get(name) or () if isinstance(address, str)
    ]


def agreement(call: ActionCall, house: House) -> Agreement:
    """Return how earlier cards for the same action and client were decided."""
    return agreed(house.ledgers.decisions(call.name, call.client))
