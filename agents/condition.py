"""Ifs: "if Acme has not paid by Friday" as a typed condition over our own books. Pure.

`clause` reads the words and knows nobody; `bound` finds the records that are meant, or says what is missing::

    clause("Acme has not paid by Friday")   # Clause(fact="paid", who="Acme", holds=False, by="Friday")
    bound(clause, task, desk)               # Bound(condition, when) or a Proposal that asks

What can be looked up without a model is a condition here: an invoice is paid, a proposal is accepted, a client has
written. Anything else ("if it rains") is none, and the operator is asked back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from pydantic import BaseModel, Field

from agents.base import Desk, Proposal, Record, Task, local_now
from agents.bill import OPEN
from agents.directory import named, the_client
from agents.slots import Span, find_spans
from memory.events import Condition

Fact = Literal["paid", "accepted", "answered"]
WAIT_DAYS = 90  # for something that may never come
EVENING = time(17)  # "by Friday": looked at when that working day is over
SETTLED = ("paid", "refunded", "cancelled")  # nobody is reminded of these
_VERBS: dict[Fact, str] = {
    "paid": r"pay(?:s|ed)?|paid|settle[sd]?|transfer(?:s|red)?|overdue|unpaid|open",
    "accepted": r"accept(?:s|ed)?|sign(?:s|ed)?|agree[sd]?|sa(?:ys?|id) yes",
    "answered": r"repl(?:y|ies|ied)|answer(?:s|ed)?|respond(?:s|ed)?|wr(?:ites?|itten|ote) back|g[eo]ts? back(?: to (?:me|us))?",
}
_TURNED = frozenset({"overdue", "unpaid", "open"})  # say that it is *not* paid
_CLAUSE = {
    fact: re.compile(
        rf"(?P<who>.+?)\s+(?:(?:has|have|had|does|do|did|is|are|was|will)(?P<not>\s+not|n['’]?t|nt)?\s+)?"
        rf"(?:(?:yet|still|already|been|ever)\s+)*(?P<verb>{verbs})\b(?P<rest>.*)",
        re.IGNORECASE | re.DOTALL,
    )
    for fact, verbs in _VERBS.items()
}
_BY = re.compile(r"\b(?:by|until|till|before|within|on|in)\s+(?P<by>\S.*)$", re.IGNORECASE | re.DOTALL)
_NUMBER = re.compile(r"\b(?:[A-Z]{2,4}-)?\d{4}-\d{2,5}\b")
_ASIDE = re.compile(
    r"(?:[\s,.]+|\b(?:the|our|their|my|his|her|invoice|bill|money|proposal|offer|quote|it|us|me|to|for|that|yet|still|in full)\b)*",
    re.IGNORECASE,
)
"""Words beside the verb that change nothing; any other, and the clause says more than is understood."""
WHO_WORDS_MAX = 5
_ARTICLE = re.compile(r"^(?:the|that|this|their|our)\s+", re.IGNORECASE)


class Clause(BaseModel):
    """An if as it was said, or as a model writes it; who and when are still words."""

    fact: Fact
    who: str = Field(default="", description="the client, or the number of the invoice, in the operator's words")
    holds: bool = Field(default=True, description="false for 'has not'")
    by: str = Field(
        default="", description="the day or time until when, in the operator's words; empty when none was said"
    )


@dataclass(frozen=True)
class Bound:
    """A condition over records, and when a step that hangs on it is looked at: ISO, "" for at once."""

    condition: Condition
    when: str


def clause(words: str) -> Clause | None:
    """Return what an if says, None when it is about nothing that our books know."""
    said = words.strip(" ,.")
    for fact, pattern in _CLAUSE.items():
        if match := pattern.fullmatch(said):
            rest, by = match["rest"], ""
            if found := _BY.search(rest):
                rest, by = rest[: found.start()], found["by"].strip(" ,.")
            if not _ASIDE.fullmatch(_NUMBER.sub("", rest)) or not _is_one(match["who"]):
                return None
            number = _NUMBER.search(f"{match['who']} {rest}")
            negated = bool(match["not"]) != (match["verb"].casefold() in _TURNED)
            who = number[0] if number else _ARTICLE.sub("", match["who"]).strip()
            return Clause(fact=fact, who=who, holds=not negated, by=by)
    return None


def _is_one(who: str) -> bool:
    words = who.casefold().split()
    return len(words) <= WHO_WORDS_MAX and "or" not in words


def bound(said: Clause, task: Task, desk: Desk) -> Bound | Proposal:
    """Return the condition over the records that are meant, or the question or sentence that says what is missing."""
    by = _moment(said.by, desk)
    if said.by and by is None:
        return Proposal(ask=f"By when? I cannot read {said.by!r} as a day or a time.")
    if by is not None and by <= desk.now:
        return Proposal(ask=f"{said.by!r} has passed. By when?")
    found = _papers(said, task, desk) if said.fact != "answered" else _letters(said, task, desk)
    if isinstance(found, Proposal):
        return found
    if said.holds:
        until = by or local_now(desk) + timedelta(days=WAIT_DAYS)
        return Bound(_with(found, until=until.isoformat()), "")
    return Bound(_with(found, holds=False), by.isoformat() if by else "")


def told(condition: Condition) -> str:
    """Return a condition as a plan shows it: ``"if 2026-0001 is not paid"``, ``"once 2026-0001 is paid"``."""
    return f"{'once' if condition.until else 'if'} {fact(condition, so=True)}"


def fact(condition: Condition, *, so: bool) -> str:
    """Return what is so when a condition holds, or what is so when it does not."""
    names, is_ = " and ".join(condition.keys), condition.holds == so
    if condition.kind == "mail":
        return f"{'mail' if is_ else 'no mail'} has come from {names}"
    what = names if condition.kind == "invoice" else f"the {condition.kind} {names}"
    be = "is" if len(condition.keys) == 1 else "are"
    if condition.status == SETTLED and is_:
        return f"{what} {be} not open any more"
    return f"{what} {be}{'' if is_ else ' not'} {condition.status[0]}"


def _with(condition: Condition, *, holds: bool = True, until: str = "") -> Condition:
    status = condition.status if holds or condition.kind != "invoice" else SETTLED
    return Condition(
        kind=condition.kind, keys=condition.keys, status=status, since=condition.since, holds=holds, until=until
    )


def _papers(said: Clause, task: Task, desk: Desk) -> Condition | Proposal:
    kind, wanted = ("invoice", OPEN) if said.fact == "paid" else ("proposal", ("sent",))
    if (record := desk.record(kind, said.who)) is not None:
        if record.data.get("status") not in wanted:
            return Proposal(
                problem=f"{record.key} is {record.data.get('status')} already, so there is nothing to wait for."
            )
        return Condition(kind=kind, keys=(record.key,), status=(said.fact,))
    client = _client(said, task, desk)
    if isinstance(client, Proposal):
        return client
    waiting = [each.key for each in desk.records(kind, client=client.key) if each.data.get("status") in wanted]
    if not waiting:
        return Proposal(problem=f"{named(client)} has no open {kind}, so there is nothing to wait for.")
    return Condition(kind=kind, keys=tuple(waiting if said.fact == "paid" else waiting[-1:]), status=(said.fact,))


def _letters(said: Clause, task: Task, desk: Desk) -> Condition | Proposal:
    client = _client(said, task, desk)
    if isinstance(client, Proposal):
        return client
    held = [client.data.get("email"), client.data.get("billing_email"), *(client.data.get("emails") or [])]
    addresses = tuple(dict.fromkeys(str(each) for each in held if each))
    if not addresses:
        return Proposal(problem=f"I know no address of {named(client)}, so I cannot tell whether they wrote.")
    if said.holds:
        return Proposal(
            problem=f"What {named(client)} writes comes to you as soon as it is here; ask for the rest then."
        )
    return Condition(kind="mail", keys=addresses, since=desk.now.isoformat())


def _client(said: Clause, task: Task, desk: Desk) -> Record | Proposal:
    if not said.who:
        return Proposal(ask="Whom do you mean? Name the client, or the number of the invoice.")
    return the_client(said.who, task, desk)


def _moment(words: str, desk: Desk) -> datetime | None:
    if not words:
        return None
    for span in find_spans(words, desk.now, desk.zone, desk.company.get("locale", "en")):
        if span.kind == "moment" and isinstance(span.value, datetime):
            return span.value
        if span.kind == "day" and isinstance(span.value, date):
            return datetime.combine(span.value, EVENING, tzinfo=desk.zone)
        if isinstance(span.value, Span):
            return span.value.after(local_now(desk))
    return None
