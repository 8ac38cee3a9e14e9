"""A card's life between the draft and the press: drawn, opened, put aside, run out, settled. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from bot import approvals, grants
from bot.agreement import Agreement
from bot.confidence import confidence
from bot.deciding import learning, progress, verdicts
from bot.deciding.house import CLOCK, House
from bot.deciding.saying import RESTED, mend, say, show_card
from bot.effects import Close, Effect, Record, Wake
from bot.policy import Verdict
from bot.state import CardState, TaskState
from memory.events import ActionCall, CardOpened, Ended, Proposed, Settled, Snoozed, fingerprint


def drawn(
    state: TaskState,
    event: Proposed,
    calls: tuple[ActionCall, ...],
    newcomers: tuple[str, ...],
    verdict: Verdict,
    house: House,
) -> CardOpened:
    """Return the card for a draft: a first revision, or the next one of `event.card` with what is different."""
    before = state.cards.get(event.card)
    card = event.card or f"{state.id}.{len(state.cards) + 1}"
    warnings = (*verdicts.doubts(calls, house), *event.warnings)
    sure = confidence(
        event.confidence_pct,
        reader=state.understood.tier if state.understood else "",
        read_pct=state.understood.confidence_pct if state.understood else 0,
        agreement=_agreement(calls, house),
        warnings=len(warnings),
    )
    return CardOpened(
        card=card,
        revision=before.opened.revision + 1 if before else 1,
        step=event.step,
        title=approvals.title(calls, house.actions),
        calls=calls,
        fingerprint=fingerprint(calls),
        rule=verdict.rule,
        kind="shadow" if verdict.ruling == "shadow" else "approval",
        expires_at=approvals.expires_at(calls, house.actions, house.policy, house.there_from()),
        on_expiry=house.policy.on_expiry,
        say=event.say,
        no_return="; ".join(
            dict.fromkeys(
                house.actions[call.name].no_return
                for call in (*calls, *(planned for planned, _ in grants.ahead(calls) if planned.name in house.actions))
                if house.actions[call.name].no_return
            )
        ),
        confidence_pct=sure.pct,
        reasons=(*event.reasons, *learning.told(state, event, house), *sure.reasons),
        sources=event.sources,
        warnings=warnings,
        changes=approvals.changes(before.opened.calls, calls, house.actions) if before else (),
        files=event.files or approvals.attachments_of(calls),
        newcomers=newcomers,
        new_payees=tuple(payee.words for payee in verdicts.new_payees(calls, house)),
    )


def _agreement(calls: Iterable[ActionCall], house: House) -> Agreement:
    """Return what earlier decisions on the same action and client say, the least agreed with."""
    found = [verdicts.agreement(call, house) for call in calls if call.client]
    return min(found, key=lambda each: (each.streak, each.unchanged), default=Agreement())


def opened(state: TaskState, event: CardOpened, house: House) -> list[Effect]:
    """Show the newest revision everywhere, and come back when it runs out."""
    orders: list[Effect] = [
        Close(order=key)
        for key, order in state.open.items()
        if isinstance(order, Wake)
        and order.reason in {"expire", "remind", RESTED}
        and order.data.get("card") == event.card
    ]
    # Copies of the draft before give up their buttons: there is one place to press, and it shows what would be done.
    orders += mend(state, event.card, former=True)
    if event.kind == "shadow":
        return [*orders, *show_card(state, event.card, house), *progress.advance(state, house)]
    if event.expires_at and event.kind == "approval":
        orders.append(Wake(reason="expire", due=event.expires_at, data={"card": event.card}))
        early = event.expires_at - house.policy.remind_before
        if early > house.now:
            orders.append(Wake(reason="remind", due=early, data={"card": event.card}))
    return [*orders, *show_card(state, event.card, house)]


def snoozed(state: TaskState, event: Snoozed) -> list[Effect]:
    """Come back when it was asked for; until then every copy says so."""
    return [Wake(reason="snooze", due=event.until, data={"card": event.card}), *mend(state, event.card)]


def settled(state: TaskState, event: Settled, house: House) -> list[Effect]:
    """Give up the wake-ups and the buttons of a card, and end the task where nothing else is left of it."""
    closing: list[Effect] = [
        Close(order=key)
        for key, order in state.open.items()
        if isinstance(order, Wake)
        and order.reason in {"expire", "remind", "snooze", RESTED}
        and order.data.get("card") == event.card
    ]
    mended = mend(state, event.card)
    if event.how == "approved" or event.how == "superseded":  # noqa: PLR1714 - read as the two words
        return [*closing, *mended, *learning.from_card(state, event, house)]
    if state.status in progress.FINISHED:
        return [*closing, *mended]
    if progress.in_a_plan(state) or state.cards[event.card].opened.compensates:
        return [*closing, *mended, *progress.advance(state, house)]  # what does not depend on it goes on
    summary = {"denied": "rejected", "expired": "ran out", "cancelled": "cancelled"}[event.how]
    over = [] if any(True for _ in state.pending()) else [Record(event=Ended(how="cancelled", summary=summary))]
    return [*closing, *mended, *over]


def expire(state: TaskState, card: CardState, house: House) -> list[Effect]:
    """A card that ran out is cancelled, reminded of or held, as the policy says; never approved."""
    opened = card.opened
    due = house.runs_out(opened)
    if due and due > house.now:  # nobody was there to decide
        return [Wake(reason="expire", due=due, data={"card": opened.card})]
    match opened.on_expiry:
        case "cancel":
            settled = Settled(card=opened.card, revision=opened.revision, how="expired", by=CLOCK)
            return [
                *say(
                    state,
                    f"Card {opened.card} ran out without an answer: {opened.title}. Nothing was done.",
                    kind="notice",
                    home=True,
                ),
                Record(event=settled),
            ]
        case "remind":
            again = Wake(reason="expire", due=house.now + timedelta(days=1), data={"card": opened.card})
            return [
                again,
                *say(state, f"Card {opened.card} is still waiting: {opened.title}", kind="notice", home=True),
            ]
        case _:
            return []
