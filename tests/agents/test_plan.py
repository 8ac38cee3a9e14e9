"""A plan is checked before anything of it runs, whoever wrote it."""

import pytest

from agents.base import Step
from agents.plan import STEPS_MAX, faults, staff, told

KNOWN = staff()


def invoice(**more: object) -> Step:
    inputs = more.pop("inputs", {"client": "acme", "amount": "1200.00 EUR"})
    return Step(**{"id": "bill", "agent": "billing", "intent": "invoice", "inputs": inputs} | more)


def deliver(**more: object) -> Step:
    given = {"id": "work", "agent": "delivery", "intent": "plan_delivery", "needs": ("bill",)}
    return Step(**given | {"inputs": {"client": {"from": "bill", "field": "client"}}} | more)


def test_a_sound_plan_has_no_faults() -> None:
    assert faults((invoice(), deliver()), KNOWN) == ()


@pytest.mark.parametrize(
    ("steps", "fault"),
    [
        ((), "no steps"),
        (tuple(invoice(id=f"s{i}") for i in range(STEPS_MAX + 1)), "13 steps"),
        ((invoice(), invoice()), "Two steps are called 'bill'"),
        ((invoice(intent="rob_bank"),), "nobody knows how to 'rob_bank'"),
        ((invoice(agent="clients"),), "belongs to billing, not to clients"),
        ((invoice(needs=("gone",)),), "waits for 'gone'"),
        ((invoice(on_fail="skip"),), "cannot be skipped in silence"),
        ((invoice(inputs={"client": "acme", "colour": "red"}),), "takes no 'colour'"),
        ((invoice(inputs={"amount": "1200.00 EUR"}),), "needs 'client'"),
        ((invoice(inputs={"client": "acme", "amount": "lots"}),), "not money as written"),
        ((invoice(), deliver(needs=())), "without waiting for it"),
        ((invoice(needs=("work",)), deliver()), "wait for each other: bill, work"),
    ],
)
def test_a_faulty_plan_does_not_run(steps: tuple[Step, ...], fault: str) -> None:
    assert any(fault in each for each in faults(steps, KNOWN)), faults(steps, KNOWN)


@pytest.mark.parametrize(
    "words", ["bill Acme 1,200 EUR", "bill acme 1200", "bill acme 1.2k", "invoice €1,200.00 to Acme"]
)
def test_a_model_may_use_an_amount_the_operator_said(words: str) -> None:
    assert faults((invoice(),), KNOWN, words=words) == ()


@pytest.mark.parametrize("words", ["bill Acme", "bill Acme 12", "bill Acme 120", "bill Acme 1300"])
def test_a_model_may_not_make_an_amount_up(words: str) -> None:
    assert "not what you said" in faults((invoice(),), KNOWN, words=words)[0]


def test_a_model_may_not_make_a_recipient_up() -> None:
    step = Step(id="m", agent="correspondence", intent="write_mail", inputs={"email": "a@evil.example", "what": "hi"})
    assert "may not make it up" in faults((step,), KNOWN, words="write to Anna")[0]
    assert faults((step,), KNOWN, words="write a@evil.example hi") == ()


def test_a_plan_can_be_read() -> None:
    assert told((invoice(gate="ask"), deliver())).splitlines() == [
        "1. invoice: client acme, amount 1200.00 EUR (asks first)",
        "2. plan delivery: client from bill",
    ]
