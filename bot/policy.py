"""judge(call, action, rules) → do | ask | refuse | shadow, with the rule in the operator's words. Pure.

Rules come from ``policy.toml`` (see ``policy.example.toml``). The first rule that fits wins; where none fits, the
action's declared risk decides: what reads or can be put back is done, what leaves the house or moves money asks.
A missing or broken policy never means yes: `parse` raises, and the defaults ask.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from typing import Any, Literal, cast, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot import payees
from bot.grants import exactly
from bot.payees import Payee
from connectors.base import Action, Risk
from memory.events import ActionCall, Granted

Ruling = Literal["do", "ask", "refuse", "shadow"]
NewPayee = Literal["ask", "second_channel", "never"]
NEW_PAYEE = get_args(NewPayee)
RULINGS = {"do": "do", "ask": "ask", "never": "refuse", "shadow": "shadow"}


class PolicyError(Exception):
    """policy.toml cannot be used as it stands; the message says where and why. Soloist does not start on a guess."""


@dataclass(frozen=True)
class Rule:
    """One line of the operator's rules."""

    action: str  # a pattern: "mail.send", "mail.*", "*"
    then: Ruling
    client: str = "*"
    amount_max: Decimal | None = None  # applies only up to this amount, in `currency`
    currency: str = ""
    known_recipients_only: bool = False
    note: str = ""
    earned: int = 0  # applies only after so many approvals in a row, unchanged, of this action for this client

    @property
    def words(self) -> str:
        """The rule as the card quotes it."""
        parts = [{"refuse": "never"}.get(self.then, self.then), self.action]
        if self.client != "*":
            parts.append(f"for {self.client}")
        if self.amount_max is not None:
            parts.append(f"up to {self.amount_max} {self.currency}")
        if self.known_recipients_only:
            parts.append("to known recipients")
        if self.earned:
            parts.append(f"after {self.earned} approved unchanged")
        return " ".join(parts) + (f" ({self.note})" if self.note else "")


@dataclass(frozen=True)
class Limit:
    """A cap on money let through in a span of days; reserved before use."""

    amount: Decimal
    currency: str
    days: int = 1
    client: str = ""  # "" is everybody together; "*" is each client by itself
    action: str = ""  # "" is every action; "stripe" is a connector
    payee: str = ""  # "" is everybody together; "*" is each account by itself; or one account or name, as compared

    @property
    def words(self) -> str:
        """The limit as a refusal quotes it."""
        whom = "" if not self.client else " per client" if self.client == "*" else f" for {self.client}"
        whom += "" if not self.payee else " per payee" if self.payee == "*" else f" to {payees.grouped(self.payee)}"
        what = f" through {self.action}" if self.action else ""
        return f"at most {self.amount} {self.currency} in {self.days} day{'s' * (self.days != 1)}{whom}{what}"


@dataclass(frozen=True)
class Policy:
    """The operator's rules, parsed."""

    rules: tuple[Rule, ...] = ()
    limits: tuple[Limit, ...] = ()
    delay: timedelta = timedelta(seconds=10)
    expiry: Mapping[str, timedelta] = field(
        default_factory=lambda: {
            "reversible": timedelta(days=7),
            "outside": timedelta(days=7),
            "money": timedelta(days=14),
        }
    )
    on_expiry: Literal["hold", "remind", "cancel"] = "cancel"
    remind_before: timedelta = timedelta(hours=12)
    digest_at: time = time(8, 0)
    quiet: tuple[time, time] | None = None
    step_up_from: Mapping[str, Decimal] = field(default_factory=dict)  # currency → amount that needs a second channel
    models_usd: Mapping[str, Decimal] = field(default_factory=dict)  # "task", "day", "month" → at most so much
    new_payee: NewPayee = "ask"  # what a first payment to somebody needs
    automatic_per_thread: int = 3  # mails a day that no person has seen; the next one asks


LIMIT_DAYS_MAX = 3660  # ten years: longer is a slip
FOREIGN = "mcp."  # tools of servers that are not ours: what may be put back by its own word asks all the same
DEFAULTS: Mapping[Risk, tuple[Ruling, str]] = {
    Risk.READS: ("do", "reading is free"),
    Risk.REVERSIBLE: ("do", "it can be put back"),
    Risk.OUTSIDE: ("ask", "what leaves the house asks"),
    Risk.MONEY: ("ask", "money asks"),
}


@dataclass(frozen=True)
class Verdict:
    """What policy says about one call, and in which words."""

    ruling: Ruling
    rule: str
    grant: str = ""
    earned: bool = False  # the rule applies because of what was approved before


def judge(
    call: ActionCall,
    action: Action,
    policy: Policy,
    *,
    newcomers: Sequence[str] = (),
    new_payees: Sequence[Payee] = (),
    grants: Mapping[str, Granted] | None = None,
    together: Sequence[str] = (),
    streak: int = 0,
) -> Verdict:
    """Return what to do about a call.

    Args:
        newcomers: Recipients nobody has written to before.
        new_payees: Who would receive money and was never paid before. No rule, grant or streak lets that go unseen.
        grants: Grants in force: unexpired, with uses left; see `grants_in_force`.
        together: The actions of every call of the same proposal, this one's among them.
        streak: How many of the newest cards for this action and client were approved unchanged, without a break.
    """
    for rule in policy.rules:
        if _fits(rule, call, newcomers, streak):
            verdict = Verdict(rule.then, f"policy.toml: {rule.words}", earned=bool(rule.earned))
            break
    else:
        ruling, why = DEFAULTS[action.risk]
        if call.name.startswith(FOREIGN) and action.risk is not Risk.READS:
            ruling, why = "ask", "another server's tool, and only it knows what it does"
        verdict = Verdict(ruling, f"default: {why}")
    if new_payees and verdict.ruling != "refuse":
        first = f"{payees.NEW}: nothing was ever paid to {', '.join(payee.words for payee in new_payees)}"
        if policy.new_payee == "never":
            return Verdict("refuse", f'policy.toml: [payees] new = "never". {first}')
        return Verdict("ask", first) if verdict.ruling == "do" else verdict
    if verdict.ruling == "ask" and not newcomers:
        for key, grant in (grants or {}).items():
            if _granted(grant, call, together):
                words = f"approved in advance: {grant.action} for {grant.client}; revoke {key} ends it"
                if grant.exactly:
                    words = f"approved when it was planned, on card {key.rpartition('.')[0]}"
                return Verdict("do", words, grant=key)
    return verdict


def _fits(rule: Rule, call: ActionCall, newcomers: Sequence[str], streak: int) -> bool:
    if not fnmatchcase(call.name, rule.action) or not fnmatchcase(call.client, rule.client):
        return False
    if (rule.known_recipients_only or rule.earned) and newcomers:
        return False
    if rule.earned and (not call.client or streak < rule.earned):
        return False
    if rule.amount_max is None:
        return True
    amount, currency = amount_of(call)
    return currency == rule.currency and amount <= rule.amount_max


def _granted(grant: Granted, call: ActionCall, together: Sequence[str]) -> bool:
    if grant.exactly:
        return grant.exactly == exactly(call)
    if grant.action != call.name or not grant.client or grant.client != call.client:
        return False
    if grant.kind and grant.kind != call.args.get("kind"):
        return False
    # A yes to "issue it and mail it" is no yes to every mail to that client.
    if grant.together and sorted(grant.together) != sorted(together):
        return False
    amount, currency = amount_of(call)
    if not currency:
        return True
    cap, _, cap_currency = grant.amount_max.partition(" ")
    return bool(cap) and cap_currency == currency and amount <= Decimal(cap)


def grants_in_force(grants: Mapping[str, Granted], uses: Mapping[str, int], now: datetime) -> dict[str, Granted]:
    """Return the grants that still hold: not expired, uses left."""
    return {key: grant for key, grant in grants.items() if grant.expires_at > now and uses.get(key, 0) < grant.uses_max}


def amount_of(call: ActionCall) -> tuple[Decimal, str]:
    """Return amount and currency of a call, ``(0, "")`` when it has none."""
    amount, _, currency = str(call.args.get("amount") or "").partition(" ")
    if not currency:
        return Decimal(0), ""
    return Decimal(amount), currency


_AMOUNT = re.compile(r"-?\d{1,15}(\.\d{1,4})? [A-Z]{3}")


def odd_amount(call: ActionCall) -> str:
    """Return an amount that limits could not count ("40 €", "NaN EUR", a number without currency), "" when it can."""
    amount = call.args.get("amount")
    return "" if amount in (None, "") or _AMOUNT.fullmatch(str(amount)) else str(amount)


def over_limit(call: ActionCall, policy: Policy, spent: Mapping[Limit, Decimal], receive: Sequence[Payee] = ()) -> str:
    """Return which limit this call would break, in words, or "" when it fits.

    Args:
        spent: For each limit that `limits_for` names: what was let through in its span, this call not included.
        receive: Who receives the money, see `bot.payees.of`.
    """
    amount, _ = amount_of(call)
    for limit in limits_for(call, policy, receive):
        if spent.get(limit, Decimal(0)) + amount > limit.amount:
            return (
                f"This would go over your limit of {limit.words}: {spent.get(limit, Decimal(0))} {limit.currency} is "
                f"already let through. Raise it in policy.toml, or wait."
            )
    return ""


def limits_for(call: ActionCall, policy: Policy, receive: Sequence[Payee] = ()) -> list[Limit]:
    """Return the limits that a call counts against: same currency, fitting client, payee and action."""
    _, currency = amount_of(call)
    return [
        limit
        for limit in policy.limits
        if limit.currency == currency
        and (limit.client in {"", "*"} or limit.client == call.client)
        and (not limit.payee or any(counts_for(limit, payee) for payee in receive))
        and (not limit.action or call.name == limit.action or call.name.startswith(limit.action + "."))
    ]


def counts_for(limit: Limit, payee: Payee) -> bool:
    """Whether what a payee receives counts against a limit."""
    return limit.payee in {"*", payee.account} or (limit.payee == payees.called(payee.name) != "")


def quiet_until(policy: Policy, now: datetime, zone: ZoneInfo) -> datetime | None:
    """Return when quiet hours end, or None when it is not quiet now. Times are the operator's, over midnight too."""
    if policy.quiet is None:
        return None
    start, end = policy.quiet
    local = now.astimezone(zone)
    today_end = local.replace(hour=end.hour, minute=end.minute, second=0, microsecond=0)
    if start <= end:
        return today_end if start <= local.time() < end else None
    if local.time() >= start:
        return today_end + timedelta(days=1)
    return today_end if local.time() < end else None


# ── reading policy.toml ───────────────────────────────────────────────────────────────────────────────────────────

_KNOWN = {"rules", "limits", "payees", "undo", "cards", "digest", "quiet", "step_up", "models", "mail"}


def parse(document: Mapping[str, Any]) -> Policy:
    """Read the parsed TOML.

    Raises:
        PolicyError: An unknown key, an amount without a currency, a word that is not a ruling: with its place.
    """
    unknown = set(document) - _KNOWN
    if unknown:
        raise PolicyError(f"policy.toml: {sorted(unknown)[0]!r} is not known. Known are: {', '.join(sorted(_KNOWN))}.")
    defaults = Policy()
    cards = document.get("cards", {})
    quiet = document.get("quiet")
    expiry = dict(defaults.expiry)
    for risk, text in cards.get("expire", {}).items():
        if risk not in expiry:
            raise PolicyError(f"policy.toml [cards.expire]: {risk!r} is not one of {', '.join(expiry)}.")
        expiry[risk] = span(text, f"[cards.expire] {risk}")
    on_expiry = cards.get("on_expiry", defaults.on_expiry)
    if on_expiry not in {"hold", "remind", "cancel"}:
        raise PolicyError("policy.toml [cards] on_expiry is one of hold, remind, cancel; never yes.")
    return Policy(
        rules=tuple(_rule(table, number) for number, table in enumerate(document.get("rules", ()), 1)),
        limits=tuple(_limit(table, number) for number, table in enumerate(document.get("limits", ()), 1)),
        delay=span(document.get("undo", {}).get("window", "10s"), "[undo] window"),
        expiry=expiry,
        on_expiry=on_expiry,
        remind_before=span(cards.get("remind_before", "12h"), "[cards] remind_before"),
        digest_at=_time(document.get("digest", {}).get("at", "08:00"), "[digest] at"),
        quiet=(_time(quiet["from"], "[quiet] from"), _time(quiet["until"], "[quiet] until")) if quiet else None,
        step_up_from=dict(
            [_amount(text, "[step_up] from")[::-1] for text in document.get("step_up", {}).get("from", ())]
        ),
        models_usd=_models(document.get("models", {})),
        new_payee=_new_payee(document.get("payees", {})),
        automatic_per_thread=_automatic(document.get("mail", {})),
    )


def _new_payee(table: Mapping[str, Any]) -> NewPayee:
    said = table.get("new", Policy().new_payee)
    if set(table) - {"new"} or said not in NEW_PAYEE:
        raise PolicyError(
            f"policy.toml [payees] knows new, one of {', '.join(NEW_PAYEE)}: a first payment to somebody is never silent."
        )
    return cast(NewPayee, said)


def _automatic(table: Mapping[str, Any]) -> int:
    most = table.get("automatic_per_thread", Policy().automatic_per_thread)
    if set(table) - {"automatic_per_thread"} or type(most) is not int or most < 0:
        raise PolicyError(
            "policy.toml [mail] knows automatic_per_thread, a number of mails a day such as 3; 0 asks always."
        )
    return most


def _models(table: Mapping[str, Any]) -> dict[str, Decimal]:
    spans = {"task", "day", "month"}
    if set(table) - spans:
        raise PolicyError(f"policy.toml [models] knows {', '.join(sorted(spans))}, each like '2.00 USD'.")
    found = {}
    for name, text in table.items():
        amount, currency = _amount(text, f"[models] {name}")
        if currency != "USD":
            raise PolicyError(f"policy.toml [models] {name}: models are paid in USD, like '2.00 USD'.")
        found[name] = amount
    return found


def _rule(table: Mapping[str, Any], number: int) -> Rule:
    where = f"rule {number}"
    unknown = set(table) - {"action", "then", "client", "up_to", "known_recipients_only", "note", "earned"}
    if unknown:
        raise PolicyError(f"policy.toml {where}: {sorted(unknown)[0]!r} is not known.")
    if "action" not in table or table.get("then") not in RULINGS:
        raise PolicyError(f"policy.toml {where} needs an action and then = one of {', '.join(RULINGS)}.")
    amount, currency = _amount(table["up_to"], where) if "up_to" in table else (None, "")
    earned = table.get("earned", 0)
    if "earned" in table and (type(earned) is not int or earned < 1 or table["then"] != "do"):
        raise PolicyError(f'policy.toml {where}: earned is how many approvals earn then = "do", like earned = 20.')
    return Rule(
        action=str(table["action"]),
        then=RULINGS[table["then"]],  # type: ignore[arg-type]
        client=str(table.get("client", "*")),
        amount_max=amount,
        currency=currency,
        known_recipients_only=bool(table.get("known_recipients_only", False)),
        note=str(table.get("note", "")),
        earned=earned,
    )


def _limit(table: Mapping[str, Any], number: int) -> Limit:
    where = f"limit {number}"
    unknown = set(table) - {"amount", "days", "client", "action", "payee"}
    if unknown or "amount" not in table:
        raise PolicyError(f"policy.toml {where} needs an amount, and knows days, client, action and payee.")
    amount, currency = _amount(table["amount"], where)
    days = table.get("days", 1)
    if type(days) is not int or not 1 <= days <= LIMIT_DAYS_MAX:
        raise PolicyError(f"policy.toml {where}: days is a whole number from 1 to {LIMIT_DAYS_MAX}, not {days!r}.")
    return Limit(
        amount,
        currency,
        days,
        str(table.get("client", "")),
        str(table.get("action", "")),
        _payee(table["payee"], where) if "payee" in table else "",
    )


def _payee(text: Any, where: str) -> str:
    """Return a limit's payee as it is compared: ``"*"``, an account, or a name."""
    said = payees.read(text) if isinstance(text, str) else Payee("", "")
    if not said.account or payees.is_wrong_iban(said.account):
        raise PolicyError(
            f"policy.toml {where}: {text!r} is nobody who could be paid. payee is '*' for each by itself, an IBAN whose "
            "check digits fit, or a name."
        )
    known = said.account
    return known if known == "*" or payees.is_iban(known) else payees.called(known) or known


def _amount(text: Any, where: str) -> tuple[Decimal, str]:
    amount, _, currency = str(text).partition(" ")
    try:
        value = Decimal(amount)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0 or len(currency) != 3 or not currency.isupper():  # noqa: PLR2004 - ISO 4217
        raise PolicyError(f"policy.toml {where}: {text!r} is not an amount like '500.00 EUR'.")
    return value, currency


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def span(text: Any, where: str) -> timedelta:
    """Read ``"90s"``, ``"12h"``, ``"7d"``.

    Raises:
        PolicyError: it is something else.
    """
    word = str(text).strip()
    if word[:-1].isdigit() and word[-1:] in _UNITS:
        return timedelta(seconds=int(word[:-1]) * _UNITS[word[-1]])
    raise PolicyError(f"policy.toml {where}: {text!r} is not a span like '90s', '12h' or '7d'.")


def _time(text: Any, where: str) -> time:
    try:
        return time.fromisoformat(str(text))
    except ValueError:
        raise PolicyError(f"policy.toml {where}: {text!r} is not a time like '08:00'.") from None


def zone_of(name: str) -> ZoneInfo:
    """Return the operator's time zone.

    Raises:
        PolicyError: There is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise PolicyError(f"{name!r} is not a time zone like 'Europe/Berlin'. Set zone in company.toml.") from None
