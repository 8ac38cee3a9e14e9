"""What Stripe tells beside payments: said where an operator can act on it, and silent where nobody can."""

import pytest

from agents.stripe_news import news
from memory.events import Json, Write
from tests.agents.desk import PaperDesk

SUB = {"id": "sub_1Q", "object": "subscription", "status": "active"}
DUE = 1796083200  # 1 December 2026, 00:00 UTC


def told(desk: PaperDesk, kind: str, current: dict[str, Json], **more: Json) -> str:
    found = news(f"stripe.{kind}", {"current": current, "told": current, **more}, desk)
    assert found is not None
    return found.say


@pytest.fixture
def desk() -> PaperDesk:
    made = PaperDesk()
    made.write(
        Write(kind="payment", key="2026-0001-1", data={"invoice": "2026-0001", "client": "acme", "charge": "ch_9"})
    )
    data = {"client": "acme", "plan": "Pro", "amount": "49.00 EUR", "interval": "month", "status": "active"}
    made.write(Write(kind="subscription", key="sub-1q", data=data))
    return made


def test_a_dispute_says_what_it_is_about_and_until_when(desk: PaperDesk) -> None:
    current = {"id": "dp_1", "charge": "ch_9", "reason": "product_not_received", "evidence_details": {"due_by": DUE}}
    found = news("stripe.charge.dispute.created", {"current": current, "amount": "1428.00 EUR"}, desk)
    assert found is not None
    assert found.say.startswith(
        "DISPUTE: the payment of 2026-0001 over 1,428.00 EUR is disputed (product not received)."
    )
    assert "Answer at Stripe by 1 December 2026" in found.say
    assert [choice.text for choice in found.choices] == [
        "remind me on 1 December 2026 to answer the dispute about 2026-0001"
    ]
    bare = news("stripe.charge.dispute.created", {"current": {"id": "dp_2", "charge": "ch_x"}}, desk)
    assert bare is not None
    assert "charge ch_x over an unknown sum" in bare.say
    assert not bare.choices


def test_how_a_dispute_ended_is_said(desk: PaperDesk) -> None:
    won = told(desk, "charge.dispute.closed", {"charge": "ch_9", "status": "won"}, amount="10.00 EUR")
    lost = told(desk, "charge.dispute.closed", {"charge": "ch_9", "status": "lost"}, amount="10.00 EUR")
    assert won == "The dispute about 2026-0001 over 10.00 EUR is won: the money comes back."
    assert lost.endswith("My books still say that 2026-0001 is paid.")


def test_a_subscription_that_ended_is_a_step_with_stripes_day(desk: PaperDesk) -> None:
    for kind in ("deleted", "updated"):
        item = {"current": {**SUB, "status": "canceled", "ended_at": DUE}}
        found = news(f"stripe.customer.subscription.{kind}", item, desk)
        assert found is not None
        (step,) = found.plan
        assert (step.agent, step.intent) == ("subscriptions", "end_subscription")
        assert step.inputs == {"subscription": "sub_1Q", "day": "2026-12-01"}


def test_one_that_is_told_of_late_begins_nothing(desk: PaperDesk) -> None:
    assert "nothing is begun" in told(desk, "customer.subscription.created", {**SUB, "status": "canceled"})
    assert news("stripe.customer.subscription.created", {"current": SUB}, desk) is None, "a living one is onboarding's"


def test_what_an_operator_should_know_of_one_that_goes_on_is_said(desk: PaperDesk) -> None:
    kind = "customer.subscription.updated"
    runs_out = told(desk, kind, {**SUB, "cancel_at_period_end": True, "cancel_at": DUE})
    assert runs_out == "The subscription of Acme GmbH is cancelled and runs out on 1 December 2026."
    assert "is past due" in told(desk, kind, {**SUB, "status": "past_due"})
    dearer = told(desk, kind, SUB, recurring={"amount": "59.00 EUR", "interval": "month"})
    assert dearer == "The subscription of Acme GmbH costs 59.00 EUR now; my books say 49.00 EUR."
    assert told(desk, kind, SUB, recurring={"amount": "49.00 EUR"}) == ""


def test_money_given_back_elsewhere_is_said_and_our_own_refund_is_known(desk: PaperDesk) -> None:
    charge = {"id": "ch_9", "amount_refunded": 4900, "currency": "eur"}
    assert told(desk, "charge.refunded", charge).startswith(
        "49.00 EUR of the payment of 2026-0001 was given back at Stripe"
    )
    desk.write(Write(kind="payment", key="2026-0001-refund", data={"invoice": "2026-0001", "charge": "ch_9"}))
    assert told(desk, "charge.refunded", charge) == ""
    assert news("stripe.charge.refunded", {"current": {"id": "ch_x"}}, desk) is None


@pytest.mark.parametrize(
    "kind", ["payout.paid", "balance.available", "invoice.finalized", "charge.dispute.funds_withdrawn"]
)
def test_what_nobody_could_act_on_passes_without_a_word(desk: PaperDesk, kind: str) -> None:
    assert told(desk, kind, {"object": "x"}) == ""


def test_a_payout_that_failed_is_said_and_the_unknown_is_left_to_others(desk: PaperDesk) -> None:
    said = told(desk, "payout.failed", {"failure_message": "The account is closed."}, amount="90.00 EUR")
    assert said == "Stripe could not pay 90.00 EUR out to your bank: The account is closed. Look at Stripe's payouts."
    assert news("stripe.radar.early_fraud_warning.created", {"current": {}}, desk) is None


@pytest.mark.parametrize(
    "current", [None, [], "x", {"id": 7}, {"evidence_details": "x", "charge": ["ch_9"]}, {"amount_refunded": "x"}]
)
@pytest.mark.parametrize(
    "kind", ["charge.dispute.created", "customer.subscription.deleted", "charge.refunded", "payout.failed"]
)
def test_nothing_in_an_event_breaks_anything(desk: PaperDesk, kind: str, current: Json) -> None:
    found = news(f"stripe.{kind}", {"current": current, "told": current}, desk)
    assert found is None or found.say or found.plan or found == type(found)()
