"""Payables: bills that others send us, paid by an order for the operator's bank.

Nothing here pays. A card shows whom, how much and which account, and whose words those are; pressed, it writes an order
that the operator uploads or scans (`bank.transfer`). That a bank has executed it, only the operator can say.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import ClassVar

from agents import demand
from agents.base import (
    ActionCall,
    Agent,
    Choice,
    Desk,
    Found,
    Intent,
    Proposal,
    Record,
    Risk,
    Source,
    Task,
    Write,
    local_day,
)
from agents.debts import two_entries
from agents.demand import Demand
from agents.directory import cited, free_key, look_up, named, slug
from agents.edits import with_edits
from agents.letter import amount_words, day_words, total_words
from agents.slots import ClientName, Day, Iban, Money
from memory.events import Json

FOUND_MAX = 24  # pieces of memory that are looked through for one bill
CHOICES_MAX = 4
COST, OWED = "expenses:bills", "liabilities:payable"
_ANYWAY = re.compile(r"\banyway\b|\bonce more\b|\bagain\b|\btwice\b", re.IGNORECASE)
_WORDS = re.compile(r"^(?:the|my|our|that|this)\s+|(?:['’]s)?\s*\b(?:bill|invoice)s?\b.*$", re.IGNORECASE)

_BEFORE_ACCOUNT = re.compile(
    r"[\s,;]*\b(?:(?:his|her|its|their|the|to)\s+)*(?:iban|account)\b(?:\s+(?:is|no\.?|number))*\s*:?$", re.IGNORECASE
)


class PayBill(Intent):
    """Pay a bill that somebody sent us, by an order for your bank."""

    effect: ClassVar[Risk] = Risk.MONEY
    may: ClassVar[tuple[str, ...]] = ("bank.transfer",)
    verbatim: ClassVar[frozenset[str]] = frozenset({"payee", "account", "what"})
    examples: ClassVar[tuple[str, ...]] = (
        "pay Printer GmbH 300 for the flyers, DE89 3704 0044 0532 0130 00",
        "pay the Printer bill",
        "pay the printer's bill",
        "transfer 500 euros to Rosa Verde, DE89370400440532013000",
        "wire 2,000 to the supplier",
        "pay Initech's bill from us",
        "settle the hosting bill for me",
        "pay the invoice from the tax adviser",
        "pay the bill that came from Hetzner",
        "pay 84.90 to the web host for the server",
        "please pay the electricity bill",
        "send the landlord his 900 by bank transfer",
        "pay the freelancers",
        "bank transfer of 120 to Copy Shop Nord for prints",
        "prepare a transfer to the insurance, 240.50",
        "pay Bob's invoice, 450, to NL91 ABNA 0417 1643 00",
        "make a transfer order for the rent",
        "pay their invoice by bank",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "pay the Copyshop bill",
        "pay Hosting AG 59 for the domain",
        "transfer 75 to Rosa for the plants",
        "pay the translator's invoice, 320 euros",
        "wire the photographer 600",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "refund Acme's payment",
        "bill Acme 300 for the flyers",
        "did Acme pay?",
        "remind Acme to pay",
        "remind me to pay the rent",
        "I paid the Printer bill",
        "which bills do I have to pay?",
        "send Acme a payment link",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "pay {payee} {amount} for {what}, {account}",
        "pay {payee} {amount} for {what}, IBAN {account}",
        "pay {payee} {amount} for {what}, the IBAN is {account}",
        "pay {payee} {amount}, IBAN {account}",
        "pay {payee} {amount} for {what} to {account}",
        "pay {payee} {amount}, {account}",
        "pay {payee} {amount} to {account}",
        "pay {payee} {amount} for {what}",
        "pay {payee} {amount}",
        "pay {amount} to {payee} for {what}, {account}",
        "pay {amount} to {payee}, {account}",
        "pay {amount} to {payee} for {what}",
        "pay {amount} to {payee}",
        "transfer {amount} to {payee} for {what}, {account}",
        "transfer {amount} to {payee}, {account}",
        "transfer {amount} to {payee} for {what}",
        "transfer {amount} to {payee}",
        "pay the {payee} bill {what}",
        "pay the {payee} bill",
        "pay the {payee} invoice",
        "pay the {payee}'s bill",
        "pay the bill from {payee}",
        "pay the bill of {payee}",
        "pay the invoice from {payee}",
        "pay the invoice of {payee}",
        "pay {payee}'s bill",
        "pay {payee}'s invoice",
        "pay the bill",
        "pay {payee}",
    )
    command: ClassVar[str] = "pay"
    asks: ClassVar[dict[str, str]] = {"account": "On which account? Its IBAN, please."}

    payee: ClientName | None = None
    amount: Money | None = None
    what: str = ""
    account: Iban | None = None
    day: Day | None = None


class BillPaid(Intent):
    """Note that the bank has paid a bill of ours."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
    may: ClassVar[tuple[str, ...]] = ("books.write",)
    examples: ClassVar[tuple[str, ...]] = (
        "I paid the Printer bill",
        "the Printer bill is paid by me",
        "I have uploaded the transfer to Printer",
        "the bank has executed the order to Rosa Verde",
        "I paid the electricity bill",
        "the transfer to Hetzner went out",
        "I scanned the code for the Copyshop bill",
        "I settled the web host's bill",
        "I've paid the printer 300",
        "the order to the landlord was executed",
        "I paid the insurance 240.50 by hand",
        "the bank took the Copy Shop order",
        "bill of Printer GmbH: paid by me",
        "the payment to the translator has left our account",
        "I have just paid the tax adviser's invoice",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "I paid the Copyshop bill",
        "the hosting bill is paid now",
        "the transfer to the photographer is done",
        "I have paid the plumber's bill",
        "the bank executed the transfer to Rosa",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "Acme paid 2026-0001",
        "invoice 2026-0003 is paid",
        "pay the Printer bill",
        "has Acme paid?",
        "Acme paid the bill",
        "which bills are open?",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "I paid the {payee} bill",
        "I have paid the {payee} bill",
        "I paid {payee} {amount}",
        "I paid {payee} {amount} for {what}",
        "the {payee} bill is paid",
        "the bill from {payee} is paid",
        "the transfer to {payee} is done",
        "the transfer to {payee} went out",
        "the bank has executed the order to {payee}",
        "the order to {payee} was executed",
    )

    payee: ClientName | None = None
    amount: Money | None = None
    what: str = ""
    day: Day | None = None


class Bills(Intent):
    """List the bills we have to pay."""

    may: ClassVar[tuple[str, ...]] = ()
    examples: ClassVar[tuple[str, ...]] = (
        "which bills do I have to pay?",
        "what do we owe?",
        "bills to pay",
        "which transfers are prepared?",
        "what do I still have to pay?",
        "show me our payables",
        "any bills waiting?",
        "which suppliers are unpaid?",
        "list the bills that came in",
        "whom do we owe money?",
        "which orders lie ready for the bank?",
        "our open bills from suppliers",
        "incoming invoices",
        "which incoming bills are due?",
        "payables",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "which bills must I pay this week?",
        "what do we owe our suppliers?",
        "bills that I have to pay",
        "which transfer orders are waiting?",
        "list our payables",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "what's unpaid?",
        "who owes me money?",
        "which invoices are open?",
        "pay the Printer bill",
        "what does Acme owe us?",
        "how do I pay my taxes",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "which bills do I have to pay",
        "what do I have to pay",
        "what do we owe",
        "what do I owe",
        "bills to pay",
        "open bills",
        "show our payables",
    )
    command: ClassVar[str] = "bills"


class Payables(Agent):
    """Finds what we are asked to pay, and proposes the order for the bank."""

    intents = (PayBill, BillPaid, Bills)
    proposes = ("bank.transfer", "books.write")

    @with_edits
    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Do one request about bills that others sent."""
        match task.intent:
            case PayBill() as wish:
                return await _pay(wish, task, desk)
            case BillPaid() as wish:
                return _paid(wish, desk)
            case Bills():
                return await _bills(desk)
        raise NotImplementedError(f"payables does not know {task.intent.id()!r}")


# ── pay ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _pay(wish: PayBill, task: Task, desk: Desk) -> Proposal:
    if not desk.company.get("iban"):
        return Proposal(problem="Your own account is not known: put iban into company.toml, and start me again.")
    said = _name(wish.payee or "")
    if wish.account and wish.account.startswith(said.replace(" ", "").upper()):
        said = ""  # "pay 300 to DE89 3704 ...": an account is no name
    paper = None if wish.account and wish.amount and said else await _paper(wish, said, desk)
    if isinstance(paper, Proposal):
        return paper
    known = look_up(desk, said).record if said else None
    payee = (named(known) if known else said) if not paper or not paper.payee else paper.payee
    if not payee:
        return Proposal(
            ask="Whom shall I pay? Say it like: pay Printer GmbH 300 for the flyers, DE89 3704 0044 0532 0130 00"
        )
    account, whose = _account(wish, paper, payee, desk)
    if not account:
        return Proposal(ask="On which account? Its IBAN, please.")
    if account == desk.company["iban"].replace(" ", ""):
        return Proposal(problem="That is your own account: nothing was ordered. Which account is theirs?")
    amount = wish.amount or (paper.amount if paper else None)
    if amount is None:
        return Proposal(ask=f"How much shall I pay {payee}? {_left_open(paper)}".strip())
    sum_ = amount.in_currency("EUR")
    if sum_.currency != "EUR" or sum_.amount <= 0:
        return Proposal(
            problem=f"A transfer order is in EUR and above zero, and this is {amount}. Pay it at your bank."
        )
    number = paper.number if paper else ""
    wanted = Demand(payee, account, sum_, number, paper.due if paper else None, paper.source if paper else "")
    if (before := _ordered_before(wanted, wish.what, desk)) and not _ANYWAY.search(task.text):
        return _twice(before)
    reasons = [whose, *_compared(wish, paper, desk)]
    return _order(wanted, wish, known, reasons, desk)


def _order(wanted: Demand, wish: PayBill, known: Record | None, reasons: Sequence[str], desk: Desk) -> Proposal:
    assert wanted.amount is not None
    today = local_day(desk)
    text = _BEFORE_ACCOUNT.sub("", wish.what) or wanted.number or f"Payment of {day_words(today)}"
    if wanted.number and wanted.number not in text:
        text = f"{wanted.number} {text}"
    payee = f"{_plain(wanted.payee)} <{_grouped(wanted.account)}>"
    key = free_key(
        desk, "bill", slug(f"{wanted.payee} {wanted.number or wish.what or today}")[:80] or today.isoformat()
    )
    data: dict[str, Json] = {
        "payee": wanted.payee, "account": wanted.account, "amount": str(wanted.amount), "number": wanted.number, "text": text,
        "due": wanted.due.isoformat() if wanted.due else "", "ordered": today.isoformat(), "status": "ordered",
        "source": wanted.source,
    }  # fmt: skip
    args: dict[str, Json] = {
        "payee": payee, "amount": str(wanted.amount), "text": text, "holder": desk.company.get("name", ""),
        "from_account": _grouped(desk.company["iban"]),
    }  # fmt: skip
    if bic := desk.company.get("bic"):
        args["from_bic"] = bic
    if wish.day and wish.day > today:
        args["day"] = wish.day.isoformat()
    call = ActionCall(
        name="bank.transfer",
        args=args,
        writes=(Write(kind="bill", key=key, data=data),),
        entries=two_entries(COST, f"{OWED}:{slug(wanted.payee) or 'others'}", wanted.amount, f"{wanted.payee}: {text}"),
        needs={f"bill:{key}": 0},
        client=known.key if known else "",
    )
    say = (
        "Your bank pays it once you have uploaded the order or scanned its code. "
        f"Then tell me: the {wanted.payee} bill is paid."
    )
    source = (Source(ref=wanted.source, text=f"bill {wanted.number} of {wanted.payee}"),) if wanted.source else ()
    return Proposal(
        say=say,
        calls=(call,),
        results={"bill": key, "payee": wanted.payee, "amount": str(wanted.amount)},
        confidence_pct=100 if not wanted.source else 70,
        reasons=tuple(reasons),
        sources=(*source, *(cited(known) if known else ())),
    )


def _account(wish: PayBill, paper: Demand | None, payee: str, desk: Desk) -> tuple[str, str]:
    """Return the account to pay to and whose words it is: the operator's, an earlier bill's, or the paper's."""
    if wish.account:
        return wish.account, "The account is the one you typed."
    if paper and paper.account:
        return paper.account, f"The account is the paper's ({_where(paper.source)}), not your words: compare it."
    for bill in sorted(desk.records("bill"), key=lambda record: record.at, reverse=True):
        if bill.data["account"] and slug(str(bill.data["payee"])) == slug(payee):
            return str(bill.data["account"]), f"The account is the one of {day_words(bill.data['ordered'])}."
    return "", ""


def _compared(wish: PayBill, paper: Demand | None, desk: Desk) -> list[str]:
    """Return what the operator should know of the paper that the order rests on."""
    if paper is None:
        return []
    rows = []
    if wish.amount is None:
        rows.append(f"The amount is the paper's ({_where(paper.source)}).")
    elif paper.amount and paper.amount.in_currency("EUR") != wish.amount.in_currency("EUR"):
        rows.append(f"The paper says {paper.amount}, you said {wish.amount.in_currency('EUR')}.")
    if paper.due:
        late = paper.due < local_day(desk)
        rows.append(f"It {'was' if late else 'is'} due on {day_words(paper.due)}.")
    return rows


def _left_open(paper: Demand | None) -> str:
    return f"The paper ({_where(paper.source)}) does not say it clearly." if paper else ""


def _where(source: str) -> str:
    """``"file:printer.pdf"`` → ``"printer.pdf"``; a mail is a mail."""
    kind, _, name = source.partition(":")
    return name if kind == "file" else "a mail"


def _ordered_before(wanted: Demand, what: str, desk: Desk) -> Record | None:
    """Return the order that this one would repeat: the same bill, or the same sum to the same account for the same."""
    for bill in desk.records("bill", account=wanted.account):
        same_sum = bill.data["amount"] == str(wanted.amount) and (not what or str(bill.data["text"]).endswith(what))
        if (wanted.number and bill.data["number"] == wanted.number) or (not wanted.number and same_sum):
            return bill
    return None


def _twice(before: Record) -> Proposal:
    data = before.data
    return Proposal(
        ask=f"{amount_words(data['amount'])} to {data['payee']} for {data['text']} was ordered on {day_words(data['ordered'])}"
        f"{' and is paid' if data['status'] == 'paid' else ''}. Pay it once more?",
        choices=(
            Choice(
                label="Pay it again",
                text=f"pay {data['payee']} {data['amount']} for {data['text']} once more, {_grouped(str(data['account']))}",
            ),
        ),
    )


# ── papers ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _paper(wish: PayBill, said: str, desk: Desk) -> Demand | Proposal | None:
    """Return the bill that is meant, a question which, or None where no paper is at hand and none is needed."""
    known = look_up(desk, said).record if said else None
    papers = await papers_in_memory(
        f"{said} {wish.what} bill invoice IBAN amount due", desk, known.key if known else ""
    )
    mine = [paper for paper in papers if not said or demand.mentions(paper, said)]
    if wish.what:
        mine = [paper for paper in mine if wish.what.casefold() in paper.text.casefold()] or mine
    if wish.amount and (
        fitting := [p for p in mine if p.amount and p.amount.in_currency("EUR") == wish.amount.in_currency("EUR")]
    ):
        mine = fitting
    if len(mine) > 1:
        fresh = [paper for paper in mine if not _ordered_before(paper, "", desk)]
        mine = fresh or mine
    if len(mine) == 1:
        return replace(mine[0], payee=mine[0].payee or said)
    if len(mine) > 1:
        return Proposal(ask="Which bill?", choices=_which(mine, said))
    if wish.amount or (said and any(slug(str(bill.data["payee"])) == slug(said) for bill in desk.records("bill"))):
        return None
    whose = f"No bill of {said} is" if said else "No bill is"
    return Proposal(
        ask=f"{whose} at hand. Drop its PDF into the chat or the folder inbox-files, or say it whole: pay {said or 'Printer GmbH'} 84.90 "
        "for the prints, DE89 3704 0044 0532 0130 00",
        choices=_which(papers[:CHOICES_MAX], ""),
    )


def _which(papers: Iterable[Demand], said: str) -> tuple[Choice, ...]:
    """Return a button for each paper; it says whose it is and its number, and the paper is read again."""
    return tuple(
        Choice(
            label=" · ".join(filter(None, (paper.payee or said, paper.number, str(paper.amount or "")))),
            text=f"pay the {paper.payee or said} bill {paper.number}".strip(),
        )
        for paper in [each for each in papers if each.payee or said][:CHOICES_MAX]
    )


async def papers_in_memory(query: str, desk: Desk, client: str = "") -> list[Demand]:
    """Return the bills that memory holds on something, the likeliest first; pieces of one paper are read together."""
    scopes = dict.fromkeys((client, "", demand.APART))
    found = {each.ref: each for scope in scopes for each in await desk.recall(query, client=scope, k=FOUND_MAX)}
    pieces: dict[str, list[Found]] = defaultdict(list)
    for each in found.values():
        pieces[each.source.partition("#")[0] or each.ref].append(each)
    papers = []
    for source, parts in pieces.items():
        text = "\n".join(each.text for each in sorted(parts, key=lambda each: (len(each.ref), each.ref)))
        paper = demand.read(
            text, desk.now, locale=desk.company.get("locale", "en"), ours=desk.company.get("iban", "").replace(" ", ""),
            us=desk.company.get("name", ""), source=source,
        )  # fmt: skip
        if paper:
            papers.append(paper)
    return papers


# ── paid, and the list ────────────────────────────────────────────────────────────────────────────────────────────


def _paid(wish: BillPaid, desk: Desk) -> Proposal:
    said = _name(wish.payee or "")
    ordered = [
        bill
        for bill in desk.records("bill", status="ordered")
        if not said or slug(said) in slug(str(bill.data["payee"]))
    ]
    if wish.amount:
        ordered = [bill for bill in ordered if bill.data["amount"] == str(wish.amount.in_currency("EUR"))]
    if len(ordered) > 1:
        return Proposal(
            ask="Which bill is paid?",
            choices=tuple(
                Choice(label=_row(bill), text=f"I paid {bill.data['payee']} {bill.data['amount']}")
                for bill in ordered[:CHOICES_MAX]
            ),
        )
    day = wish.day or local_day(desk)
    if ordered:
        return _executed(ordered[0], day)
    if said and wish.amount:
        return _by_hand(said, wish.amount.in_currency("EUR"), wish.what, day, desk)
    whom = f" to {said}" if said else ""
    return Proposal(
        problem=f"No order{whom} waits for the bank. If you paid it by hand, say the sum: I paid {said or 'Printer GmbH'} 300"
    )


def _executed(bill: Record, day: date) -> Proposal:
    payee, amount = str(bill.data["payee"]), str(bill.data["amount"])
    summary = f"{payee} is paid: {amount_words(amount)} for {bill.data['text']}"
    call = ActionCall(
        name="books.write",
        args={"summary": summary},
        writes=(Write(kind="bill", key=bill.key, data={**bill.data, "status": "paid", "paid_on": day.isoformat()}),),
        entries=two_entries(f"{OWED}:{slug(payee) or 'others'}", "assets:bank", Money.read(amount), summary),
        needs={f"bill:{bill.key}": bill.version},
    )
    return Proposal(
        calls=(call,), results={"bill": bill.key, "paid": amount}, reasons=("You said so.",), sources=cited(bill)
    )


def _by_hand(payee: str, sum_: Money, what: str, day: date, desk: Desk) -> Proposal:
    key = free_key(desk, "bill", slug(f"{payee} {day.isoformat()}")[:80])
    data: dict[str, Json] = {
        "payee": payee, "account": "", "amount": str(sum_), "number": "", "text": what or "paid by hand", "due": "",
        "ordered": day.isoformat(), "status": "paid", "paid_on": day.isoformat(), "source": "",
    }  # fmt: skip
    summary = f"{payee} is paid: {amount_words(str(sum_))}" + (f" for {what}" if what else "")
    call = ActionCall(
        name="books.write",
        args={"summary": summary},
        writes=(Write(kind="bill", key=key, data=data),),
        entries=two_entries(COST, "assets:bank", sum_, summary),
        needs={f"bill:{key}": 0},
    )
    return Proposal(calls=(call,), results={"bill": key, "paid": str(sum_)}, reasons=("No order of mine was for it.",))


async def _bills(desk: Desk) -> Proposal:
    ordered = desk.records("bill", status="ordered")
    papers = await papers_in_memory("bill invoice IBAN amount due please pay", desk)
    fresh = [paper for paper in papers if not _ordered_before(paper, "", desk)]
    rows = [f"Ordered, and not yet told to be paid, {_sums(ordered)}:", *map(_listed, ordered)] if ordered else []
    if fresh:
        rows += ["Papers at hand that ask for money, as they say it:", *map(_asked, fresh)]
    if not rows:
        return Proposal(
            say="No bill is at hand and no order waits. A PDF dropped here, or a bill by mail, is read and shown."
        )
    return Proposal(say="\n".join(rows), choices=_which(fresh, ""), sources=cited(*ordered))


def _sums(bills: Sequence[Record]) -> str:
    return total_words(
        {"EUR": sum((Money.read(str(bill.data["amount"])).amount for bill in bills), Money.read("0.00 EUR").amount)}
    )


def _row(bill: Record) -> str:
    return f"{bill.data['payee']} · {amount_words(bill.data['amount'])} · {bill.data['text']}"


def _listed(bill: Record) -> str:
    return f"- {_row(bill)} · ordered on {day_words(bill.data['ordered'])}"


def _asked(paper: Demand) -> str:
    due = f"due {day_words(paper.due)}" if paper.due else ""
    parts = (paper.payee or "somebody", str(paper.amount or "no clear sum"), paper.number, due, _where(paper.source))
    return "- " + " · ".join(filter(None, parts))


# ── words ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _name(said: str) -> str:
    """``"the Printer bill"`` → ``"Printer"``."""
    return _WORDS.sub("", _WORDS.sub("", said)).strip(" ,.'’")


def _plain(name: str) -> str:
    return " ".join(re.sub(r"[<>]", " ", name).split())


def _grouped(account: str) -> str:
    return " ".join(re.findall(".{1,4}", account.replace(" ", "")))
