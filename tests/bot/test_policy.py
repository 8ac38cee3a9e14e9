"""The operator's rules, by their values: what fits, what counts, where a span ends. No house is needed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from bot.books import ACTIONS
from bot.policy import (
    Limit,
    Policy,
    PolicyError,
    Rule,
    amount_of,
    grants_in_force,
    judge,
    limits_for,
    odd_amount,
    over_limit,
    parse,
    quiet_until,
    span,
    zone_of,
)
from bot.testing import PaperService
from connectors.base import Risk
from memory.events import ActionCall, Actor, Granted

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
PAPER = PaperService.actions()
OPERATOR = Actor(platform="web", user="operator", account="local")


def call(amount: str = "10.00 EUR", *, name: str = "paper.pay", client: str = "acme", **args: Any) -> ActionCall:
    given = {"amount": amount} if amount else {}
    return ActionCall(name=name, args={**given, **args}, client=client)


def granted(**changes: Any) -> Granted:
    plain = Granted(
        grant="1.1.g1", action="paper.pay", client="acme", amount_max="10.00 EUR", uses_max=3,
        expires_at=NOW + timedelta(days=1), by=OPERATOR,
    )  # fmt: skip
    return msgspec.structs.replace(plain, **changes)


def ruling(what: ActionCall, *rules: Rule, **more: Any) -> str:
    return judge(what, PAPER[what.name], Policy(rules=rules), **more).ruling


# ── rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("name", "wanted"), [("paper.pay", "ask"), ("paper.send", "ask")])
def test_without_a_rule_what_leaves_the_house_asks(name: str, wanted: str) -> None:
    assert ruling(call(name=name)) == wanted


def test_without_a_rule_what_can_be_put_back_is_done() -> None:
    assert judge(call("", name="books.write"), ACTIONS["books.write"], Policy()).ruling == "do"
    assert judge(call("", name="books.issue"), ACTIONS["books.issue"], Policy()).ruling == "ask"


def test_the_first_rule_that_fits_wins_and_is_quoted() -> None:
    rules = (Rule("mail.*", "refuse"), Rule("paper.*", "do", note="small things"), Rule("*", "refuse"))
    verdict = judge(call(), PAPER["paper.pay"], Policy(rules=rules))
    assert (verdict.ruling, verdict.rule) == ("do", "policy.toml: do paper.* (small things)")
    assert not verdict.earned


@pytest.mark.parametrize(
    ("rule", "what", "fits"),
    [
        (Rule("paper.pay", "do"), call(), True),
        (Rule("paper.pa", "do"), call(), False),
        (Rule("*", "do", client="acme"), call(), True),
        (Rule("*", "do", client="globex"), call(), False),
        (Rule("*", "do", amount_max=Decimal(10), currency="EUR"), call("10.00 EUR"), True),
        (Rule("*", "do", amount_max=Decimal(10), currency="EUR"), call("10.01 EUR"), False),
        (Rule("*", "do", amount_max=Decimal(10), currency="EUR"), call("1.00 USD"), False),
        (Rule("*", "do", amount_max=Decimal(10), currency="EUR"), call(""), False),
    ],
)
def test_a_rule_fits_by_action_client_and_amount(rule: Rule, what: ActionCall, *, fits: bool) -> None:
    assert (ruling(what, rule) == "do") is fits


def test_a_rule_for_known_recipients_fits_no_newcomer() -> None:
    rule = Rule("*", "do", known_recipients_only=True)
    assert ruling(call(), rule) == "do"
    assert ruling(call(), rule, newcomers=("a@b.example",)) == "ask"
    assert ruling(call(), Rule("*", "do"), newcomers=("a@b.example",)) == "do"


def test_what_is_earned_needs_the_whole_streak_a_client_and_no_newcomer() -> None:
    rule = Rule("*", "do", earned=3)
    assert ruling(call(), rule, streak=3) == "do"
    assert judge(call(), PAPER["paper.pay"], Policy(rules=(rule,)), streak=3).earned
    assert ruling(call(), rule, streak=2) == "ask"
    assert ruling(call(client=""), rule, streak=9) == "ask"
    assert ruling(call(), rule, streak=9, newcomers=("a@b.example",)) == "ask"


def test_the_words_of_a_rule_say_all_of_it() -> None:
    rule = Rule("mail.send", "refuse", client="acme", amount_max=Decimal(5), currency="EUR")
    assert rule.words == "never mail.send for acme up to 5 EUR"
    rule = Rule("mail.*", "do", known_recipients_only=True, earned=20)
    assert rule.words == "do mail.* to known recipients after 20 approved unchanged"


# ── grants ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("grant", "what", "holds"),
    [
        (granted(), call(), True),
        (granted(), call("10.01 EUR"), False),
        (granted(), call("1.00 USD"), False),
        (granted(amount_max=""), call(), False),
        (granted(amount_max=""), call(""), True),
        (granted(), call(""), True),
        (granted(), call(client="globex"), False),
        (granted(client=""), call(client=""), False),
        (granted(action="paper.post"), call(), False),
        (granted(kind="invoice"), call(kind="invoice"), True),
        (granted(kind="invoice"), call(kind="credit"), False),
        (granted(together=("paper.pay",)), call(), True),
        (granted(together=("paper.pay", "mail.send")), call(), False),
    ],
)
def test_a_grant_covers_what_is_like_it_and_no_more(grant: Granted, what: ActionCall, *, holds: bool) -> None:
    verdict = judge(what, PAPER["paper.pay"], Policy(), grants={"1.1.g1": grant}, together=("paper.pay",))
    assert (verdict.ruling == "do") is holds
    assert verdict.grant == ("1.1.g1" if holds else "")


def test_a_grant_opens_no_rule_that_says_never_and_greets_no_newcomer() -> None:
    given = {"1.1.g1": granted()}
    assert ruling(call(), Rule("*", "refuse"), grants=given) == "refuse"
    assert ruling(call(), Rule("*", "shadow"), grants=given) == "shadow"
    assert ruling(call(), grants=given, newcomers=("a@b.example",)) == "ask"


def test_a_grant_ends_by_its_hour_and_by_its_uses() -> None:
    given = {"g": granted()}
    end = granted().expires_at
    assert grants_in_force(given, {}, end - timedelta(seconds=1)) == given
    assert grants_in_force(given, {}, end) == {}
    assert grants_in_force(given, {"g": 2}, NOW) == given
    assert grants_in_force(given, {"g": 3}, NOW) == {}


# ── money ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_amount_has_its_currency_or_is_none() -> None:
    assert amount_of(call("12.50 EUR")) == (Decimal("12.50"), "EUR")
    assert amount_of(call("")) == (Decimal(0), "")
    assert amount_of(call("12.50")) == (Decimal(0), "")


@pytest.mark.parametrize(
    "text", ["40 €", "NaN EUR", "40", "40.00000 EUR", "1e9 EUR", "40 eur", "40  EUR", "1" * 16 + " EUR"]
)
def test_an_amount_that_no_limit_could_count_is_odd(text: str) -> None:
    assert odd_amount(call(text)) == text


@pytest.mark.parametrize("text", ["", "40 EUR", "-40.00 EUR", "0.0001 EUR", "9" * 15 + " EUR"])
def test_an_amount_that_can_be_counted_is_not_odd(text: str) -> None:
    assert odd_amount(call(text)) == ""


DAY = Limit(Decimal(100), "EUR")


@pytest.mark.parametrize(
    ("limit", "what", "counts"),
    [
        (DAY, call(), True),
        (DAY, call("1.00 USD"), False),
        (Limit(Decimal(1), "EUR", client="*"), call(), True),
        (Limit(Decimal(1), "EUR", client="acme"), call(), True),
        (Limit(Decimal(1), "EUR", client="globex"), call(), False),
        (Limit(Decimal(1), "EUR", action="paper"), call(), True),
        (Limit(Decimal(1), "EUR", action="paper.pay"), call(), True),
        (Limit(Decimal(1), "EUR", action="pap"), call(), False),
        (Limit(Decimal(1), "EUR", action="stripe"), call(), False),
    ],
)
def test_a_limit_counts_by_currency_client_and_action(limit: Limit, what: ActionCall, *, counts: bool) -> None:
    assert bool(limits_for(what, Policy(limits=(limit,)))) is counts


def test_a_limit_is_broken_by_a_cent_and_not_before() -> None:
    policy = Policy(limits=(DAY,))
    assert over_limit(call("100.00 EUR"), policy, {}) == ""
    assert "at most 100 EUR in 1 day" in over_limit(call("100.01 EUR"), policy, {})
    assert over_limit(call("40.00 EUR"), policy, {DAY: Decimal(60)}) == ""
    told = over_limit(call("40.01 EUR"), policy, {DAY: Decimal(60)})
    assert "60 EUR is already let through" in told


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (Limit(Decimal(5), "EUR", days=7), "at most 5 EUR in 7 days"),
        (Limit(Decimal(5), "EUR", client="*"), "at most 5 EUR in 1 day per client"),
        (Limit(Decimal(5), "EUR", payee="*"), "at most 5 EUR in 1 day per payee"),
        (
            Limit(Decimal(5), "EUR", payee="DE89370400440532013000"),
            "at most 5 EUR in 1 day to DE89 3704 0044 0532 0130 00",
        ),
        (Limit(Decimal(5), "EUR", client="acme", action="stripe"), "at most 5 EUR in 1 day for acme through stripe"),
    ],
)
def test_a_limit_says_what_it_is(limit: Limit, words: str) -> None:
    assert limit.words == words


# ── quiet hours ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("quiet", "local", "until"),
    [
        ((time(12), time(14)), "2026-03-02T11:59", None),
        ((time(12), time(14)), "2026-03-02T12:00", "2026-03-02T14:00"),
        ((time(12), time(14)), "2026-03-02T13:59", "2026-03-02T14:00"),
        ((time(12), time(14)), "2026-03-02T14:00", None),
        ((time(22, 30), time(7, 15)), "2026-03-02T22:29", None),
        ((time(22, 30), time(7, 15)), "2026-03-02T22:30", "2026-03-03T07:15"),
        ((time(22, 30), time(7, 15)), "2026-03-02T07:14", "2026-03-02T07:15"),
        ((time(22, 30), time(7, 15)), "2026-03-02T07:15", None),
        ((time(8), time(8)), "2026-03-02T08:00", None),  # from eight to eight is no time at all, and not the whole day
        (None, "2026-03-02T03:00", None),
    ],
)
def test_quiet_hours_end_at_their_hour_over_midnight_too(
    quiet: tuple[time, time] | None, local: str, until: str | None
) -> None:
    now = datetime.fromisoformat(local).replace(tzinfo=BERLIN)
    found = quiet_until(Policy(quiet=quiet), now.astimezone(UTC), BERLIN)
    assert found == (datetime.fromisoformat(until).replace(tzinfo=BERLIN) if until else None)


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_empty_file_is_the_careful_defaults() -> None:
    policy = parse({})
    assert policy == Policy()
    assert (policy.delay, policy.on_expiry, policy.quiet, policy.rules) == (timedelta(seconds=10), "cancel", None, ())
    days = {risk: span.days for risk, span in policy.expiry.items()}
    assert days == {"reversible": 7, "outside": 7, "money": 14}
    assert (policy.remind_before, policy.digest_at, policy.automatic_per_thread) == (timedelta(hours=12), time(8), 3)


@pytest.mark.parametrize(
    ("payee", "known"),
    [
        ("*", "*"),
        ("DE89 3704 0044 0532 0130 00", "DE89370400440532013000"),
        ("Hetzner Online GmbH", "hetzner online"),
        ("Hetzner <de89370400440532013000>", "DE89370400440532013000"),
        ("!!", "!!"),
    ],
)
def test_a_limit_names_its_payee_as_payments_are_compared(payee: str, known: str) -> None:
    (limit,) = parse({"limits": [{"amount": "0.00 EUR", "payee": payee, "days": 3660}]}).limits
    assert limit == Limit(Decimal(0), "EUR", 3660, payee=known)


def test_no_automatic_mail_at_all_is_a_number_too() -> None:
    assert parse({"mail": {"automatic_per_thread": 0}}).automatic_per_thread == 0
    for odd in ({"automatic_per_thread": -1}, {"automatic_per_thread": True}, {"per_thread": 3}):
        with pytest.raises(PolicyError, match="automatic_per_thread"):
            parse({"mail": odd})


@pytest.mark.parametrize("new", ["ask", "second_channel", "never"])
def test_what_a_first_payment_needs_is_one_word(new: str) -> None:
    assert parse({"payees": {"new": new}}).new_payee == new
    assert parse({"payees": {}}).new_payee == parse({}).new_payee == "ask"


def test_a_tool_of_somebody_elses_asks_whatever_it_says_of_itself() -> None:
    for risk, wanted in ((Risk.REVERSIBLE, "ask"), (Risk.OUTSIDE, "ask"), (Risk.READS, "do")):
        action = replace(PAPER["paper.send"], name="mcp.notes.add", risk=risk)
        verdict = judge(call("", name="mcp.notes.add"), action, Policy())
        assert verdict.ruling == wanted
        assert ("another server's tool" in verdict.rule) is (wanted == "ask")
    assert judge(call("", name="x.y"), replace(PAPER["paper.send"], risk=Risk.REVERSIBLE), Policy()).ruling == "do"


def test_every_word_of_a_file_is_read() -> None:
    policy = parse(
        {
            "rules": [
                {"action": "mail.*", "then": "never", "client": "acme", "note": "n"},
                {"action": "x.y", "then": "do", "up_to": "5.00 EUR", "known_recipients_only": True, "earned": 1},
            ],
            "limits": [{"amount": "9.00 EUR", "days": 7, "client": "*", "action": "stripe"}, {"amount": "1 USD"}],
            "undo": {"window": "1m"},
            "cards": {"expire": {"money": "2w"}, "on_expiry": "hold", "remind_before": "3h"},
            "digest": {"at": "07:30"},
            "quiet": {"from": "22:00", "until": "06:00"},
            "step_up": {"from": ["1000.00 EUR"]},
            "models": {"day": "2.00 USD"},
        }
    )
    assert policy.rules == (
        Rule("mail.*", "refuse", client="acme", note="n"),
        Rule("x.y", "do", amount_max=Decimal(5), currency="EUR", known_recipients_only=True, earned=1),
    )
    assert policy.limits == (Limit(Decimal(9), "EUR", 7, "*", "stripe"), Limit(Decimal(1), "USD"))
    assert (policy.delay, policy.on_expiry, policy.remind_before) == (timedelta(minutes=1), "hold", timedelta(hours=3))
    assert policy.expiry == {**Policy().expiry, "money": timedelta(weeks=2)}
    assert (policy.digest_at, policy.quiet) == (time(7, 30), (time(22), time(6)))
    assert policy.step_up_from == {"EUR": Decimal(1000)}
    assert policy.models_usd == {"day": Decimal(2)}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"rule": []}, "'rule' is not known"),
        ({"rules": [{"action": "x"}]}, "rule 1 needs an action"),
        ({"rules": [{"then": "do"}]}, "rule 1 needs an action"),
        ({"rules": [{"action": "x", "then": "yes"}]}, "rule 1 needs an action"),
        ({"rules": [{"action": "x", "then": "do"}, {"action": "x", "then": "do", "upto": 1}]}, "rule 2: 'upto'"),
        ({"rules": [{"action": "x", "then": "do", "up_to": "5"}]}, "'5' is not an amount"),
        ({"rules": [{"action": "x", "then": "do", "up_to": "NaN EUR"}]}, "is not an amount"),
        ({"rules": [{"action": "x", "then": "do", "up_to": "-1 EUR"}]}, "is not an amount"),
        ({"rules": [{"action": "x", "then": "do", "up_to": "1 EURO"}]}, "is not an amount"),
        ({"rules": [{"action": "x", "then": "do", "up_to": "1 eur"}]}, "is not an amount"),
        ({"rules": [{"action": "x", "then": "do", "earned": 0}]}, "earned is how many"),
        ({"rules": [{"action": "x", "then": "do", "earned": True}]}, "earned is how many"),
        ({"rules": [{"action": "x", "then": "ask", "earned": 5}]}, "earned is how many"),
        ({"limits": [{"days": 1}]}, "limit 1 needs an amount"),
        ({"limits": [{"amount": "1 EUR", "per": "day"}]}, "limit 1 needs an amount"),
        ({"limits": [{"amount": "1 EUR", "days": 0}]}, "days is a whole number from 1 to 3660, not 0"),
        ({"limits": [{"amount": "1 EUR", "days": 3661}]}, "not 3661"),
        ({"limits": [{"amount": "1 EUR", "days": "7"}]}, "not '7'"),
        ({"limits": [{"amount": "1 EUR", "days": True}]}, "not True"),
        ({"limits": [{"amount": "1 EUR", "payee": ""}]}, "'' is nobody who could be paid"),
        ({"limits": [{"amount": "1 EUR", "payee": 7}]}, "7 is nobody who could be paid"),
        ({"limits": [{"amount": "1 EUR", "payee": "DE88 3704 0044 0532 0130 00"}]}, "check digits fit"),
        ({"payees": {"new": "do"}}, "never silent"),
        ({"payees": {"old": "ask"}}, "never silent"),
        ({"payees": {"new": "ask", "old": "ask"}}, "never silent"),
        ({"cards": {"expire": {"mail": "7d"}}}, "'mail' is not one of"),
        ({"cards": {"on_expiry": "yes"}}, "never yes"),
        ({"undo": {"window": "10"}}, "is not a span"),
        ({"undo": {"window": "s"}}, "is not a span"),
        ({"digest": {"at": "25:00"}}, "is not a time"),
        ({"models": {"week": "1 USD"}}, "knows day, month, task"),
        ({"models": {"day": "1 EUR"}}, "paid in USD"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(document: dict[str, Any], words: str) -> None:
    with pytest.raises(PolicyError, match=words.replace("[", r"\[")):
        parse(document)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("2m", 120), ("12h", 43_200), ("7d", 604_800), ("1w", 604_800), (" 5s ", 5)]
)
def test_a_span_is_a_number_and_a_letter(text: str, seconds: int) -> None:
    assert span(text, "x") == timedelta(seconds=seconds)


def test_a_zone_that_is_none_says_where_to_set_it() -> None:
    assert zone_of("Europe/Berlin") == BERLIN
    for name in ("Mars/Olympus", "../etc/passwd"):
        with pytest.raises(PolicyError, match=r"company\.toml"):
            zone_of(name)
