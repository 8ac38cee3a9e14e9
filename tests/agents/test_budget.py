"""Money has a limit before it has a use. Values in, values out."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.budget import (
    Allowance,
    Limit,
    MemoryLedger,
    Price,
    Refusal,
    Reservation,
    Scope,
    Spent,
    UnpricedModelError,
    Used,
    Wanted,
    judge,
    levels_reached,
    tokens_worst,
    used_by,
)
from memory.events import ModelCalled, Origin

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 3, 31, 12, tzinfo=UTC)
NONE = Limit()
OPEN = Allowance(task=NONE, workflow=NONE, origins={}, day=NONE, month=NONE)


def called(usd: str = "0.10", tokens: int = 100) -> ModelCalled:
    return ModelCalled(model="openai/a", tier="small", purpose="t", tokens_in=tokens, tokens_out=0, cost_usd=usd)


def spent(usd: str = "0.10", at: datetime = NOON, **whose) -> Spent:
    return Spent(called(usd), at, **({"task": "1", "workflow": "w", "origin": Origin.OPERATOR} | whose))


def wanted(usd: str = "0.10", tokens: int = 100, **whose) -> Wanted:
    whose = {"task": "1", "workflow": "w", "origin": Origin.OPERATOR} | whose
    return Wanted(**whose, model="openai/a", usd=Decimal(usd), tokens=tokens)


# ── what is left ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_day_is_the_operators_day() -> None:
    late = spent("0.30", datetime(2026, 3, 30, 22, 30, tzinfo=UTC))  # half past midnight of the 31st in Berlin

    def used(now: datetime) -> dict[Scope, Used]:
        return used_by([late], [], wanted(task="2"), now, BERLIN)

    assert used(datetime(2026, 3, 31, 9, tzinfo=UTC))[Scope.DAY].usd == Decimal("0.30")
    assert used(datetime(2026, 3, 30, 9, tzinfo=UTC))[Scope.DAY].usd == 0


@pytest.mark.parametrize("price", ["", "unknown", "NaN", "Infinity", "-1"])
def test_a_line_without_a_price_is_not_taken_as_zero(price: str) -> None:
    with pytest.raises(UnpricedModelError, match="MODEL_PRICES"):
        used_by([spent(price)], [], wanted(), NOON, BERLIN)


def test_calls_of_no_task_are_not_all_of_one_task() -> None:
    before = [spent("0.40", task="", workflow="")] * 3
    nobody = wanted("0.20", task="", workflow="")
    used = used_by(before, [], nobody, NOON, BERLIN)

    assert judge(nobody, used, Allowance()) is None
    assert used[Scope.DAY].usd == Decimal("1.20")


def test_fractions_of_a_cent_are_kept() -> None:
    assert Price(Decimal("0.15"), Decimal("0.60")).cost(7, 3) == Decimal("0.00000285")


# ── each limit ────────────────────────────────────────────────────────────────────────────────────────────────────

CASES = [
    (Scope.TASK, {"task": Limit(usd=Decimal(1))}, {"task": "2"}, "this task"),
    (Scope.WORKFLOW, {"workflow": Limit(usd=Decimal(1))}, {"workflow": "x"}, "'w' today"),
    (Scope.WORKFLOW, {"workflows": {"w": Limit(usd=Decimal(1))}}, {"workflow": "x"}, "'w' today"),
    (Scope.ORIGIN, {"origins": {Origin.OPERATOR: Limit(usd=Decimal(1))}}, {"origin": Origin.CLIENT}, "operator"),
    (Scope.DAY, {"day": Limit(usd=Decimal(1))}, {"at": NOON - timedelta(days=1)}, "today"),
    (Scope.MONTH, {"month": Limit(usd=Decimal(1))}, {"at": NOON - timedelta(days=31)}, "this month"),
]


@pytest.mark.parametrize(("scope", "limits", "elsewhere", "named"), CASES)
def test_each_limit_stops_the_call_that_would_pass_it(scope, limits, elsewhere, named) -> None:
    allowance = Allowance(**({"task": NONE, "workflow": NONE, "origins": {}, "day": NONE, "month": NONE} | limits))
    ours, others = spent("0.95"), spent("0.95", **elsewhere)

    refusal = judge(wanted(), used_by([ours], [], wanted(), NOON, BERLIN), allowance)
    assert isinstance(refusal, Refusal)
    assert refusal.scope is scope
    assert named in refusal.text
    assert "commands and buttons work as always" in refusal.text

    assert judge(wanted(), used_by([others], [], wanted(), NOON, BERLIN), allowance) is None, "that is somebody else's"
    assert judge(wanted("0.05"), used_by([ours], [], wanted(), NOON, BERLIN), allowance) is None, "to the cent"


@pytest.mark.parametrize(("scope", "limits", "elsewhere", "named"), CASES)
def test_what_is_reserved_counts_like_what_is_spent(scope, limits, elsewhere, named) -> None:
    allowance = Allowance(**({"task": NONE, "workflow": NONE, "origins": {}, "day": NONE, "month": NONE} | limits))

    assert judge(wanted(), used_by([], [wanted("0.95")], wanted(), NOON, BERLIN), allowance) is not None
    assert judge(wanted(), used_by([], [], wanted(), NOON, BERLIN), allowance) is None


def test_tokens_have_limits_too() -> None:
    allowance = Allowance(task=Limit(tokens=150), workflow=NONE, origins={}, day=NONE, month=NONE)

    refusal = judge(wanted("0", 100), {Scope.TASK: Used(Decimal(0), 51)}, allowance)
    assert refusal is not None
    assert "51 of 150 tokens" in refusal.text
    assert judge(wanted("0", 100), {Scope.TASK: Used(Decimal(0), 50)}, allowance) is None


def test_a_flood_of_strangers_leaves_the_operator_his_day() -> None:
    flood = [spent("0.01", origin=Origin.STRANGER, task=str(number), workflow="") for number in range(30)]
    stranger, operator = wanted(task="x", origin=Origin.STRANGER), wanted(task="y")

    assert judge(stranger, used_by(flood, [], stranger, NOON, BERLIN), Allowance()) is not None
    assert judge(operator, used_by(flood, [], operator, NOON, BERLIN), Allowance()) is None


def test_no_workflow_is_not_a_workflow() -> None:
    allowance = Allowance(task=NONE, workflow=Limit(usd=Decimal(1)), origins={}, day=NONE, month=NONE)
    lonely = wanted("0.50", workflow="")

    assert judge(lonely, used_by([spent("0.95", workflow="")], [], lonely, NOON, BERLIN), allowance) is None


def test_the_highest_level_that_was_passed_is_told_once() -> None:
    allowance = Allowance(task=NONE, workflow=NONE, origins={}, day=Limit(usd=Decimal(1)), month=NONE)

    def told(before: str, after: str) -> list[int]:
        usages = ({Scope.DAY: Used(Decimal(usd))} for usd in (before, after))
        return [warned.pct for warned in levels_reached(*usages, wanted(), allowance)]

    assert told("0.10", "0.49") == []
    assert told("0.49", "0.50") == [50]
    assert told("0.50", "0.60") == []
    assert told("0.10", "0.97") == [95]


def test_no_text_has_more_tokens_than_this() -> None:
    assert tokens_worst(["ab", "é"]) == 2 + 2 + 2 * 16
    assert tokens_worst([]) == 0


# ── the ledger ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_two_at_once_cannot_both_have_the_last_of_it() -> None:
    ledger = MemoryLedger(Allowance(task=NONE, workflow=NONE, day=Limit(usd=Decimal("0.15"))), lambda: NOON, BERLIN)

    first, second = await asyncio.gather(ledger.reserve(wanted()), ledger.reserve(wanted()))

    assert isinstance(first, Reservation)
    assert isinstance(second, Refusal)
    await ledger.release(first)
    assert isinstance(await ledger.reserve(wanted()), Reservation), "what is given back can be had again"


@given(
    st.lists(
        st.tuples(
            st.integers(1, 40),  # cents wanted
            st.integers(0, 100),  # of which are used in the end, in percent
            st.sampled_from(["settle", "release", "hold"]),
            st.sampled_from(["1", "2", "3"]),
            st.sampled_from(list(Origin)),
        ),
        max_size=60,
    )
)
def test_in_no_order_of_calls_is_any_cap_exceeded(calls) -> None:
    """Salami: any number of small calls, in any order, some never finished."""
    caps = {Scope.TASK: Decimal("0.70"), Scope.ORIGIN: Decimal("0.50"), Scope.DAY: Decimal("1.20")}
    allowance = Allowance(
        task=Limit(usd=caps[Scope.TASK]),
        workflow=NONE,
        origins=dict.fromkeys(Origin, Limit(usd=caps[Scope.ORIGIN])),
        day=Limit(usd=caps[Scope.DAY]),
        month=NONE,
    )
    ledger = MemoryLedger(allowance, lambda: NOON, BERLIN)

    async def live() -> None:
        for cents, used_pct, end, task, origin in calls:
            want = wanted(str(Decimal(cents) / 100), task=task, origin=origin)
            kept = await ledger.reserve(want)
            if isinstance(kept, Refusal) or end == "hold":
                continue
            if end == "settle":
                await ledger.settle(kept, called(str(want.usd * used_pct / 100)))
            else:
                await ledger.release(kept)

    asyncio.run(live())
    for task in "123":
        for origin in Origin:
            used = used_by(ledger.spent, ledger.held.values(), wanted(task=task, origin=origin), NOON, BERLIN)
            assert all(used[scope].usd <= cap for scope, cap in caps.items())


async def test_settling_twice_or_late_still_counts_what_was_spent() -> None:
    ledger = MemoryLedger(OPEN, lambda: NOON, BERLIN)
    kept = await ledger.reserve(wanted())
    assert isinstance(kept, Reservation)
    await ledger.release(kept)

    await ledger.settle(kept, called("0.10"))

    assert [line.called.cost_usd for line in ledger.spent] == ["0.10"]
    assert ledger.held == {}
