"""What somebody asks us to pay, as their paper says: to whom, how much, on which account, until when.

A bill comes as words: a mail, the text of its PDF, a file that was handed in. What is read here has no authority; it ends on
a card that says whose words they are. What the paper does not say, or says twice in different ways, is left open, and asked::

    found = read("Printer GmbH ... Invoice 2026-118 ... Total 300.00 EUR ... IBAN DE89 3704 0044 0532 0130 00", today)
    found.account   # "DE89370400440532013000"
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

from agents.base import Choice, Desk
from agents.letter import amount_words, day_words
from agents.percept import Percept
from agents.slots import Money, Slot, find_spans
from agents.slots.addresses import ibans
from memory.documents import DocumentError, read_document
from memory.events import Json, Origin

READ_MAX = 20_000  # characters of a paper; a bill says what it wants on its first pages
NAME_MAX = 70  # characters of a name, as a transfer takes it
PDF_MAX = 2_000_000  # bytes; larger is no bill, and a stranger's file is not to keep the house busy
PDFS_MAX = 3  # of one mail
APART = "(bills)"  # whose matter a stranger's bill is in memory: nobody's, so that it gets into no draft
KEPT_MAX = 4_000  # characters that memory keeps of one bill
PDF_S = 10.0  # of reading one
_NEAR = 60  # characters behind a label in which its value stands
_FORM = (
    r"(?:GmbH(?: & Co\.? KG)?|gGmbH|UG|AG|KG|OHG|GbR|e\.K\.|e\.V\.|Ltd\.?|Limited|LLC|Inc\.?|PLC|S\.?A\.?S\.?|S\.?A\.?R\.?L\.?"
    r"|S\.r\.l\.|S\.p\.A\.|B\.?V\.?|N\.V\.|A/S|ApS|AB|Oy)"
)
_FIRM = re.compile(
    rf"(?<![\w&])[^\W\d_a-z][\w&'’.-]*(?: (?:(?:&|und|and|et|du|des?|la|le|van|von|der|di) ){{0,2}}[^\W_a-z][\w&'’.-]*){{0,4}} {_FORM}(?!\w)"
)
_HOLDER = re.compile(
    r"(?:account holder|account name|beneficiary|payee|kontoinhaber(?:in)?|empf[äa]nger|b[ée]n[ée]ficiaire|titulaire)\s*:?[ \t]*"
    rf"(?P<name>[^\n:;,|]{{2,{NAME_MAX}}})",
    re.IGNORECASE,
)
_DUE_SUM = re.compile(
    r"\b(?:amount (?:due|payable|to (?:be )?pa(?:y|id))|total (?:due|amount|payable|to pay)|balance due|invoice (?:total|amount)|grand total"
    r"|please (?:pay|transfer|remit)|zahlbetrag|zu zahlen(?:der betrag)?|rechnungs(?:betrag|summe)|gesamt(?:betrag|summe)"
    r"|endbetrag|offener betrag|net à payer|montant (?:dû|total)|total ttc)\b",
    re.IGNORECASE,
)
_TOTAL = re.compile(
    r"(?<!sub)(?<!sub-)(?<!sub )(?<!net )\b(?:total|gesamt|summe|brutto|gross)\b(?! net)", re.IGNORECASE
)
_DUE_DAY = re.compile(
    r"\b(?:due(?: (?:date|by|on|until))?|pay(?:able|ment)? (?:by|until|before)|f[äa]llig(?:keit)?(?: (?:am|bis))?"
    r"|zahlbar bis(?: zum)?|bis (?:zum|sp[äa]testens)|[ée]ch[ée]ance)\s*:?\s*",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\b(?:invoice|bill|rechnung|facture|fatura|factura)s?(?:[ -]?(?:(?:no|nr|number|nummer|id)\b\.?|n°|#))?\s*[:#.]?\s*(?P<number>[A-Z0-9][\w/.-]{1,29})",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Demand:
    """What a paper asks for. What it leaves open is empty."""

    payee: str = ""
    account: str = ""  # an IBAN without spaces
    amount: Money | None = None
    number: str = ""  # the paper's own
    due: date | None = None
    source: str = ""  # where the words came from: "file:printer.pdf", "mail:<id>"
    text: str = ""


def read(
    text: str, now: datetime, *, locale: str = "en", ours: str = "", us: str = "", source: str = ""
) -> Demand | None:
    """Return what a paper asks for, None when it is no bill: it names no account that money could go to.

    Args:
        text: Its words.
        now: For days without a year.
        locale: How the operator writes amounts; a currency's mark decides first.
        ours: Our own account: a paper that names it is ours.
        us: Our own name.
        source: Where it came from.
    """
    text = text[:READ_MAX]
    accounts = {account for _, _, account in ibans(text) if account and account != ours}
    if not accounts:
        return None
    spans = _spans_by(now, locale)
    return Demand(
        payee=_payee(text, us),
        account=next(iter(accounts)) if len(accounts) == 1 else "",
        amount=_amount(text, spans),
        number=next((m["number"].rstrip(".-/") for m in _NUMBER.finditer(text) if re.search(r"\d", m["number"])), ""),
        due=next(_days(text, spans), None),
        source=source,
        text=text,
    )


@dataclass(frozen=True)
class Brought:
    """A bill that came by mail: what it asks for, and what memory keeps of it, so that it is found when it is to be paid."""

    demand: Demand
    name: str  # the file's, or ""
    remember: tuple[dict[str, Json], ...]

    @property
    def words(self) -> str:
        """What the operator is told."""
        asked = self.demand
        parts = (
            asked.payee, amount_words(str(asked.amount)) if asked.amount else "no clear sum", asked.number,
            f"due {day_words(asked.due)}" if asked.due else "",
            " ".join(re.findall(".{1,4}", asked.account)) or "several accounts",
        )  # fmt: skip
        where = f" ({self.name})" if self.name else ""
        return f"It asks for money{where}: {' · '.join(filter(None, parts))}. Nothing is paid by reading it."

    @property
    def choice(self) -> Choice:
        """The button that leads to a card; what is paid is read again from the paper."""
        return Choice(label="Pay this bill", text=f"pay the {self.demand.payee} bill {self.demand.number}".strip())


async def brought(item: Mapping[str, Json], text: str, percept: Percept, desk: Desk) -> Brought | None:
    """Return the bill that a mail brings, in a PDF or in its own words, or None."""
    papers = [(name, words) async for name, words in _pdfs(item, desk)]
    who = percept.facts.get("name") or percept.sender.partition("@")[0]
    source = f"mail:{item.get('message_id') or ''}"
    for name, words in [*papers, ("", text)]:
        whole = f"From {who} {percept.sender}\n{words}"
        found = read(
            whole, desk.now, locale=desk.company.get("locale", "en"), ours=desk.company.get("iban", "").replace(" ", ""),
            us=desk.company.get("name", ""), source=source,
        )  # fmt: skip
        if found is None or (found.amount is None and not found.number):
            continue  # an account below a signature asks for nothing
        row: dict[str, Json] = {
            "text": whole[:KEPT_MAX], "client": percept.client.key if percept.client else APART,
            "speaker": who, "author": percept.sender, "source": f"{source}#{name or 'words'}", "thread": f"{source}#bill",
            "origin": (Origin.CLIENT if percept.client else Origin.STRANGER).value,
        }  # fmt: skip
        return Brought(replace(found, payee=found.payee or who), name, (row,))
    return None


async def _pdfs(item: Mapping[str, Json], desk: Desk) -> AsyncIterator[tuple[str, str]]:
    """Yield name and words of the PDFs of a mail; what cannot be read is no bill."""
    files = [each for each in item.get("attachments") or () if isinstance(each, dict)]
    named = [each for each in files if str(each.get("name", "")).lower().endswith(".pdf")]
    for each in [file for file in named if int(file.get("size") or 0) <= PDF_MAX][:PDFS_MAX]:
        try:
            async with asyncio.timeout(PDF_S):
                records = await asyncio.to_thread(
                    read_document,
                    str(each["name"]),
                    desk.files.get(str(each["sha256"])),
                    at=desk.now,
                    origin=Origin.STRANGER,
                )
        except (DocumentError, KeyError, TimeoutError):
            continue
        yield str(each["name"]), "\n".join(record.text for record in records)[:READ_MAX]


def mentions(demand: Demand, said: str) -> bool:
    """Whether a paper is from whom the operator means: every word of the name stands in it, or in what it is called."""
    words = re.findall(r"\w+", re.sub(rf"\b{_FORM}(?!\w)", " ", said, flags=re.IGNORECASE).casefold())
    there = set(re.findall(r"[^\W_]+", f"{demand.text} {demand.source}".casefold()))
    return bool(words) and all(word in there for word in words)


def _spans_by(now: datetime, locale: str) -> Callable[[str], list[Slot]]:
    zone = now.tzinfo if isinstance(now.tzinfo, ZoneInfo) else ZoneInfo("UTC")

    def spans(words: str) -> list[Slot]:
        return find_spans(words, datetime.combine(now.date(), time(12), UTC), zone, locale, prefer="future")

    return spans


def _payee(text: str, us: str) -> str:
    named = [match["name"].strip(" .*_") for match in _HOLDER.finditer(text)]
    firms = [" ".join(match[0].split()) for match in _FIRM.finditer(text)]
    return next((name for name in [*named, *firms] if name and name.casefold() != us.casefold()), "")[:NAME_MAX]


def _amount(text: str, spans: Callable[[str], list[Slot]]) -> Money | None:
    """Return the one sum that a label calls the total; without a label, the one sum there is."""
    for label in (_DUE_SUM, _TOTAL):
        if found := {sum_ for match in label.finditer(text) if (sum_ := _sum_behind(text, match.end(), spans))}:
            return next(iter(found)) if len(found) == 1 else None
    every = {sum_ for slot in spans(text[:4000]) if slot.kind == "money" and (sum_ := _sum(slot)) and sum_.currency}
    return next(iter(every)) if len(every) == 1 else None


def _sum_behind(text: str, start: int, spans: Callable[[str], list[Slot]]) -> Money | None:
    near = text[start : start + _NEAR]
    return next((sum_ for slot in spans(near) if slot.kind in {"money", "number"} and (sum_ := _sum(slot))), None)


def _sum(slot: Slot) -> Money | None:
    """Return a slot as a sum of money; a bare number is one only with cents."""
    if isinstance(slot.value, Money):
        return slot.value if slot.value.currency or re.search(r"[.,]\d\d\b", slot.text) else None
    if isinstance(slot.value, Decimal) and re.search(r"[.,]\d\d\b", slot.text):
        return Money(slot.value, "")
    return None


def _days(text: str, spans: Callable[[str], list[Slot]]) -> Iterator[date]:
    for match in _DUE_DAY.finditer(text):
        for slot in spans(text[match.end() : match.end() + 30]):
            if slot.kind == "day" and isinstance(slot.value, date) and slot.start <= 3:  # noqa: PLR2004 - "the" at most
                yield slot.value
