"""What is asked of calls before anything is done with them, by values: rules, origins, newcomers, payees, limits, numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.approvals import Person, Roster
from bot.books import ACTIONS as BOOKS
from bot.deciding import guards, verdicts
from bot.deciding.house import House
from bot.payees import Payee
from bot.policy import Limit, Policy, Rule, Verdict
from bot.state import TaskState
from bot.testing import PaperService
from memory.events import ActionCall, Actor, CardOpened, Entry, Granted, Origin, Planned, Proposed, Step, fingerprint

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ACTIONS = {**PaperService.actions(), **BOOKS}
OPERATOR = Actor(platform="web", user="operator")
ONE, OTHER = "DE89370400440532013000", "DE02120300000000202051"


@dataclass(frozen=True)
class Record:
    """A record as it stands."""

    version: int
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Ledgers:
    """The books, as far as these questions read them."""

    known: set[str] = field(default_factory=set)
    decided: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    payments: list[str] = field(default_factory=list)
    standing_at: dict[tuple[str, str], Record] = field(default_factory=dict)
    versions: dict[tuple[str, str], int] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    sums: list[tuple[str, str, str, Decimal]] = field(default_factory=list)  # client, action, payee, EUR
    asked: list[tuple[datetime, str, str, str, str]] = field(default_factory=list)
    free: str = ""

    def knows_recipient(self, address: str) -> bool:
        return address in self.known

    def decisions(self, action: str, client: str) -> list[str]:
        return self.decided.get((action, client), [])

    def paid(self, account: str) -> list[str]:
        return [words for words in self.payments if account in words.replace(" ", "")]

    def paid_as(self, name: str) -> list[str]:
        return [words for words in self.payments if words.casefold().startswith(name)] if name else []

    def standing(self, kind: str, key: str) -> Record | None:
        return self.standing_at.get((kind, key))

    def version(self, kind: str, key: str) -> int:
        return self.versions.get((kind, key), 0)

    def reserved_for(self, name: str) -> str | None:
        return self.held.get(name)

    def next_number(
        self, kind: str, series: str, prefix: str = "", *, card: str = "", beside_waiting: bool = True
    ) -> str:
        assert (kind, prefix, card, beside_waiting) == ("invoice", "", "2.1", False)
        assert series in {"2026", "CN-2026"}
        return self.free

    def spent(
        self, since: datetime, *, client: str = "", action: str = "", payee: str = "", apart: str = ""
    ) -> dict[str, Decimal]:
        self.asked.append((since, client, action, payee, apart))
        fits = [
            amount
            for whose, what, whom, amount in self.sums
            if client in {"", whose} and what.startswith(action) and payee in {"", whom}
        ]
        return {"EUR": sum(fits, Decimal(0))} if fits else {}


def house(ledgers: Ledgers | None = None, *rules: Rule, **more: Any) -> House:
    policy = more.pop("policy", Policy(rules=rules))
    given: dict[str, Any] = {"proposes": {"paper": ("paper.*", "books.*")}, **more}
    return House(
        now=NOW, zone=ZoneInfo("UTC"), policy=policy, actions=ACTIONS, ledgers=ledgers or Ledgers(),  # type: ignore[arg-type]
        roster=given.pop("roster", Roster()), secret=b"s", **given,
    )  # fmt: skip


def send(*to: str, client: str = "", **args: Any) -> ActionCall:
    return ActionCall(name="paper.send", args={"to": list(to), "body": "x", **args}, client=client)


def pay(payee: str = ONE, amount: str = "10.00 EUR", client: str = "acme") -> ActionCall:
    return ActionCall(name="paper.pay", args={"payee": payee, "amount": amount}, client=client)


# ── rules, and who began it ───────────────────────────────────────────────────────────────────────────────────────

WRITE = ActionCall(name="books.write", args={"summary": "s"}, client="acme")
GRANT = Granted(
    grant="1.1.g1", action="paper.send", client="acme", amount_max="", uses_max=3, expires_at=NOW + timedelta(days=1), by=OPERATOR,
)  # fmt: skip
EARNED = Rule("paper.send", "do", earned=2)


@pytest.mark.parametrize(
    ("call", "rules", "state", "more", "ruling"),
    [
        (send(), (Rule("*", "do"),), {}, {}, "do"),
        (send(), (), {}, {}, "ask"),
        (send(), (Rule("*", "do"),), {"origin": Origin.STRANGER}, {}, "do"),  # a rule that says so by itself
        (WRITE, (), {"origin": Origin.OPERATOR}, {}, "do"),
        (WRITE, (), {"origin": Origin.SYSTEM}, {}, "do"),
        (WRITE, (), {"origin": Origin.CLIENT}, {}, "ask"),
        (WRITE, (), {"origin": Origin.STRANGER}, {}, "ask"),
        (send(client="acme"), (), {"origin": Origin.OPERATOR}, {"grants": {"1.1.g1": GRANT}}, "do"),
        (send(client="acme"), (), {"origin": Origin.CLIENT}, {"grants": {"1.1.g1": GRANT}}, "ask"),
        (send(client="acme"), (EARNED,), {"origin": Origin.OPERATOR}, {}, "do"),
        (send(client="globex"), (EARNED,), {"origin": Origin.OPERATOR}, {}, "ask"),
        (send(client="acme"), (EARNED,), {"origin": Origin.STRANGER}, {}, "ask"),
        (send(), (Rule("*", "do"),), {"restored": True}, {}, "ask"),
        (WRITE, (Rule("*", "do"),), {"restored": True}, {}, "do"),  # our own books are in the backup themselves
        (send(), (Rule("*", "refuse"),), {"restored": True, "origin": Origin.STRANGER}, {}, "refuse"),
        (send(), (Rule("*", "shadow"),), {"restored": True, "origin": Origin.STRANGER}, {}, "shadow"),
    ],
)
def test_rules_hold_for_whom_they_were_made(
    call: ActionCall, rules: tuple[Rule, ...], state: dict[str, Any], more: dict[str, Any], ruling: str
) -> None:
    ledgers = Ledgers(decided={("paper.send", "acme"): ["unchanged", "unchanged"]})
    verdict = verdicts.verdict_on(TaskState(id=1, **state), call, house(ledgers, *rules, **more), (), [call.name])
    assert verdict.ruling == ruling


def test_a_first_payment_reaches_the_rules() -> None:
    where = house(None, Rule("*", "do"))
    new = verdicts.new_payees([pay()], where)
    assert verdicts.verdict_on(TaskState(id=1), pay(), where, (), (), new).ruling == "ask"
    assert verdicts.verdict_on(TaskState(id=1), pay(), where, (), ()).ruling == "do"


DO, ASK, SHADOW, NEVER = (Verdict(ruling, ruling) for ruling in ("do", "ask", "shadow", "refuse"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("gate", "each", "warnings", "expected"),
    [
        ("", [DO, DO], (), DO),
        ("", [DO, SHADOW], (), SHADOW),
        ("", [SHADOW, ASK], (), ASK),
        ("", [ASK, NEVER], (), NEVER),
        ("", [DO], ("odd",), Verdict("ask", "a check found something")),
        ("", [SHADOW], ("odd",), SHADOW),
        ("ask", [DO], (), Verdict("ask", "the plan asks here")),
        ("ask", [ASK], (), ASK),
        ("ask", [SHADOW], (), SHADOW),
        ("shadow", [DO], (), Verdict("shadow", "you asked for a rehearsal of the plan")),
        ("shadow", [ASK], ("odd",), Verdict("shadow", "you asked for a rehearsal of the plan")),
        ("shadow", [NEVER], (), NEVER),
        ("other", [DO], (), DO),
    ],
)
def test_the_strictest_verdict_holds_and_a_plan_adds_care(
    gate: str, each: list[Verdict], warnings: tuple[str, ...], expected: Verdict
) -> None:
    gates: Any = {"other": "ask"}.get(gate, gate)
    step = Step(id="s2" if gate == "other" else "s1", agent="paper", intent="ask", gate=gates)
    state = TaskState(id=1, planned=Planned(goal="g", steps=(step,), source="x", revision=1))
    event = Proposed(order="", step="s1", agent="paper", warnings=warnings)
    assert verdicts.worst(state, event, each) == expected
    bare = TaskState(id=1)
    assert verdicts.worst(bare, Proposed(order="", step="s1", agent="paper"), each) == max(
        each, key=lambda v: RANK[v.ruling]
    )


RANK = {"do": 0, "shadow": 1, "ask": 2, "refuse": 3}


# ── who is new ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_newcomers_are_counted_over_all_calls_and_all_kinds_of_recipients() -> None:
    where = house(Ledgers(known={"old@x.example"}))
    calls = [send("old@x.example", "b@x.example", cc=["a@x.example"]), send("b@x.example", bcc=["c@x.example", 7])]
    assert verdicts.newcomers(calls, where) == ("a@x.example", "b@x.example", "c@x.example")
    assert verdicts.newcomers([send("old@x.example")], where) == ()


def test_payees_are_new_until_their_account_was_paid() -> None:
    where = house(Ledgers(payments=[f"Hetzner <{ONE}>"]))
    calls = [pay(f"Wayne <{ONE}>"), pay(OTHER), pay(f"Hetzner <{OTHER}>"), send()]
    assert verdicts.new_payees(calls, where) == (Payee("Hetzner", OTHER),)
    assert verdicts.new_payees([pay(ONE)], where) == ()


@pytest.mark.parametrize(
    ("payee", "words"),
    [
        (f"Hetzner <{OTHER}>", ("CHANGED ACCOUNT: Hetzner",)),
        (f"Wayne <{ONE}>", ("was paid before as Hetzner",)),
        (f"Hetzner <{ONE}>", ()),
        (ONE, ()),
        (f"Wayne <{OTHER}>", ()),
        (OTHER, ()),
    ],
)
def test_what_is_odd_about_a_payee_is_told(payee: str, words: tuple[str, ...]) -> None:
    found = verdicts.doubts([pay(payee), pay(payee)], house(Ledgers(payments=[f"Hetzner <{ONE}>"])))
    assert len(found) == len(words)
    assert all(part in text for part, text in zip(words, found, strict=True))


def test_an_account_known_under_no_name_is_nobody_elses() -> None:
    assert verdicts.doubts([pay(f"Wayne <{ONE}>")], house(Ledgers(payments=[ONE]))) == ()


# ── what may be proposed ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (send("a@b.example"), ""),
        (pay(), ""),
        (ActionCall(name="x.y"), "is not set up"),
        (ActionCall(name="paper.send", args={"to": []}), "without body"),
        (pay("DE88370400440532013000"), "is no IBAN"),
        (pay(amount=""), "without an amount"),
        (pay(amount="40 €"), "which no limit could count"),
        (ActionCall(name="books.write", entries=(Entry(account="a", amount="1.00 EUR", note=""),)), "are off by"),
        (ActionCall(name="books.write", args={"summary": "s"}), ""),
    ],
)
def test_what_an_agent_may_not_propose_is_a_sentence(call: ActionCall, words: str) -> None:
    assert words in guards.not_allowed("paper", [call], house())
    assert bool(guards.not_allowed("paper", [call], house())) is bool(words)
    assert "is not" in guards.not_allowed("nobody", [call], house())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "calendar.book",
            "No calendar is set up, so nothing was done. Put CALDAV_URL and what stands below it in .env.example",
        ),
        ("notes.add", "Notes is not set up, so nothing was done: python -m bot doctor says what it needs."),
    ],
)
def test_what_is_not_set_up_says_where_it_is_put(name: str, words: str) -> None:
    assert guards.absent(name).startswith(words)


def test_what_only_reads_is_used_at_the_desk() -> None:
    from connectors.base import Risk

    reads = replace(ACTIONS["paper.send"], name="paper.send", risk=Risk.READS)
    where = replace(house(), actions={**ACTIONS, "paper.send": reads})
    assert "only reads" in guards.not_allowed("paper", [send("a@b.example")], where)


@pytest.mark.parametrize(
    ("needs", "ledgers", "stale"),
    [
        ({}, Ledgers(), False),
        ({"client:acme": 3}, Ledgers(standing_at={("client", "acme"): Record(3)}), False),
        ({"client:acme": 3}, Ledgers(standing_at={("client", "acme"): Record(4)}), True),
        ({"client:acme": 3}, Ledgers(), True),
        ({"client:acme": 0}, Ledgers(), False),
        ({"client:acme": 0}, Ledgers(standing_at={("client", "acme"): Record(1)}), True),
        ({"number:invoice:2026-0001": 0}, Ledgers(), False),
        ({"number:invoice:2026-0001": 0}, Ledgers(held={"invoice:2026-0001": "2.1"}), False),
        ({"number:invoice:2026-0001": 0}, Ledgers(held={"invoice:2026-0001": "3.1"}), True),
        ({"number:invoice:2026-0001": 0}, Ledgers(versions={("invoice", "2026-0001"): 1}), True),
    ],
)
def test_what_a_draft_stands_on_is_asked_again(needs: dict[str, int], ledgers: Ledgers, *, stale: bool) -> None:
    calls = [send(), ActionCall(name="books.write", needs=needs)]
    assert guards.stale(calls, "2.1", house(ledgers)) is stale


@pytest.mark.parametrize(
    ("needs", "free", "lower"),
    [
        ("number:invoice:2026-0003", "2026-0001", "invoice:2026-0001"),
        ("number:invoice:2026-0003", "2026-0003", ""),
        ("number:invoice:2026-0003", "2026-0004", ""),
        ("number:invoice:2026-10000", "2026-9999", "invoice:2026-9999"),
        ("number:invoice:2026-9999", "2026-10000", ""),
        ("number:invoice:CN-2026-0002", "CN-2026-0001", "invoice:CN-2026-0001"),
        ("client:acme", "2026-0001", ""),
    ],
)
def test_a_lower_number_that_is_free_is_taken_first(needs: str, free: str, lower: str) -> None:
    call = ActionCall(name="books.issue", needs={needs: 0})
    assert guards.lower_number([send(), call], "2.1", house(Ledgers(free=free))) == lower


# ── limits ────────────────────────────────────────────────────────────────────────────────────────────────────────


def limited(*limits: Limit, sums: tuple[tuple[str, str, str, Decimal], ...] = ()) -> House:
    return house(Ledgers(sums=list(sums)), policy=Policy(limits=limits))


DAY, EACH_CLIENT, EACH_PAYEE = (
    Limit(Decimal(50), "EUR", days=2, **more) for more in ({}, {"client": "*"}, {"payee": "*"})
)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("limit", "sums", "calls", "broken"),
    [
        (DAY, (), [pay(amount="50.00 EUR")], False),
        (DAY, (), [pay(amount="50.01 EUR")], True),
        (DAY, (("x", "paper.pay", "y", Decimal(40)),), [pay(amount="10.00 EUR")], False),
        (DAY, (("x", "paper.pay", "y", Decimal(40)),), [pay(amount="10.01 EUR")], True),
        (DAY, (), [pay(amount="30.00 EUR"), pay(amount="20.00 EUR", client="globex")], False),
        (DAY, (), [pay(amount="30.00 EUR"), pay(amount="20.01 EUR", client="globex")], True),
        (DAY, (), [pay(amount="30.00 EUR"), pay(amount="-30.00 EUR"), pay(amount="30.00 EUR")], True),
        (DAY, (), [pay(amount="49.00 EUR"), pay(amount="0.50 EUR"), pay(amount="0.50 EUR")], False),
        (EACH_CLIENT, (), [pay(amount="50.00 EUR"), pay(amount="50.00 EUR", client="globex")], False),
        (EACH_CLIENT, (), [pay(amount="50.00 EUR"), pay(amount="0.01 EUR")], True),
        (EACH_CLIENT, (("acme", "paper.pay", "y", Decimal(50)),), [pay(amount="0.01 EUR", client="globex")], False),
        (EACH_CLIENT, (("acme", "paper.pay", "y", Decimal(50)),), [pay(amount="0.01 EUR")], True),
        (EACH_PAYEE, (), [pay(ONE, "50.00 EUR"), pay(OTHER, "50.00 EUR")], False),
        (EACH_PAYEE, (), [pay(ONE, "50.00 EUR"), pay(f"Wayne <{ONE}>", "0.01 EUR", "globex")], True),
        (EACH_PAYEE, (("x", "paper.pay", ONE, Decimal(50)),), [pay(ONE, "0.01 EUR")], True),
        (EACH_PAYEE, (("x", "paper.pay", ONE, Decimal(50)),), [pay(OTHER, "0.01 EUR")], False),
        (Limit(Decimal(50), "EUR", action="paper.pay"), (("x", "paper.send", "", Decimal(50)),), [pay()], False),
        (Limit(Decimal(50), "USD"), (), [pay(amount="51.00 EUR")], False),
    ],
)
def test_limits_count_what_went_and_what_goes_together(
    limit: Limit, sums: tuple[Any, ...], calls: list[ActionCall], *, broken: bool
) -> None:
    assert bool(guards.broken_limit(calls, limited(limit, sums=sums))) is broken


def test_a_limit_asks_for_its_own_span_client_action_and_payee() -> None:
    where = limited(Limit(Decimal(50), "EUR", days=7, client="*", action="paper", payee="*"))
    guards.broken_limit([pay()], where, apart="9.1.1")
    assert where.ledgers.asked == [(NOW - timedelta(days=7), "acme", "paper", ONE, "9.1.1")]  # type: ignore[attr-defined]
    one = limited(Limit(Decimal(50), "EUR", payee=ONE))
    guards.broken_limit([pay()], one)
    assert one.ledgers.asked == [(NOW - timedelta(days=1), "", "", ONE, "")]  # type: ignore[attr-defined]


def test_a_grant_is_used_once_by_one_proposal() -> None:
    assert guards.used_twice([Verdict("do", "x", grant="1.1.g1"), Verdict("do", "x", grant="1.1.g2"), DO, DO]) == ""
    assert guards.used_twice([Verdict("do", "x", grant="1.1.g1"), Verdict("do", "x", grant="1.1.g1")])


PHONE = Actor(platform="telegram", user="7")
GUEST = Actor(platform="slack", user="g")
PEOPLE = Roster(
    (
        Person("web", "operator"),
        Person("telegram", "7"),
        Person("slack", "g", role=Origin.DELEGATE, amount_max="9000.00 EUR"),
    )
)


@pytest.mark.parametrize(
    ("amounts", "new", "policy", "hands", "needed"),
    [
        (["99.99 EUR"], (), Policy(step_up_from={"EUR": Decimal(100)}), (OPERATOR,), False),
        (["100.00 EUR"], (), Policy(step_up_from={"EUR": Decimal(100)}), (OPERATOR,), True),
        (["60.00 EUR", "40.00 EUR"], (), Policy(step_up_from={"EUR": Decimal(100)}), (OPERATOR,), True),
        (["-100.00 EUR"], (), Policy(step_up_from={"EUR": Decimal(100)}), (OPERATOR,), True),
        (["100.00 USD"], (), Policy(step_up_from={"EUR": Decimal(100)}), (OPERATOR,), False),
        (["0.00 EUR"], (), Policy(step_up_from={"EUR": Decimal(0)}), (OPERATOR,), True),
        (["100.00 EUR"], (), Policy(step_up_from={"EUR": Decimal(100)}), (OPERATOR, PHONE), False),
        (["100.00 EUR"], (), Policy(step_up_from={"EUR": Decimal(100)}), (OPERATOR, GUEST), True),
        (
            ["100.00 EUR"],
            (),
            Policy(step_up_from={"EUR": Decimal(100)}),
            (OPERATOR, Actor(platform="x", user="y")),
            True,
        ),
        (["1.00 EUR"], (ONE,), Policy(), (OPERATOR,), False),
        (["1.00 EUR"], (ONE,), Policy(new_payee="second_channel"), (OPERATOR,), True),
        (["1.00 EUR"], (ONE,), Policy(new_payee="second_channel"), (OPERATOR, PHONE), False),
        (["1.00 EUR"], (), Policy(new_payee="second_channel"), (OPERATOR,), False),
    ],
)
def test_a_large_sum_or_a_first_payment_needs_two_of_the_operators_channels(
    amounts: list[str], new: tuple[str, ...], policy: Policy, hands: tuple[Actor, ...], *, needed: bool
) -> None:
    calls = tuple(pay(amount=amount) for amount in amounts)
    opened = CardOpened(
        card="2.1",
        revision=3,
        step="s1",
        title="t",
        calls=calls,
        fingerprint=fingerprint(calls),
        rule="r",
        new_payees=new,
    )
    state = TaskState(id=2, yeses={"2.1/3": hands, "2.1/2": (OPERATOR, PHONE)})
    assert guards.needs_second_channel(state, opened, house(policy=policy, roster=PEOPLE)) is needed


@pytest.mark.parametrize(
    ("paused", "stops"),
    [
        (set(), False),
        ({"all"}, True),
        ({"paper"}, True),
        ({"paper.pay"}, True),
        ({"paper.send"}, False),
        ({"mail"}, False),
    ],
)
def test_an_emergency_stop_covers_all_a_connector_or_an_action(paused: set[str], *, stops: bool) -> None:
    assert guards.is_paused(pay(), house(paused=frozenset(paused))) is stops


def test_a_card_shows_what_its_fingerprint_says() -> None:
    assert guards.as_shown((pay(),), fingerprint((pay(),)))
    assert not guards.as_shown((pay(OTHER),), fingerprint((pay(),)))
