"""Names and numbers of people, papers and accounts. A client's name stays as it was typed: who has the records resolves it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import AfterValidator

from agents.slots.written import Kind

EMAIL = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9][A-Za-z0-9._%+'-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}(?![\w-]|\.\w)"
)
INVOICE = re.compile(
    r"(?<![\w-])(?:(?:INV|RE|R|CN)[-/ ]?(?:\d{4}[-/])?\d{1,6}|20\d\d[-/]\d{3,6})(?![\w-])", re.IGNORECASE
)
_IBAN = re.compile(r"(?<![^\W_])[A-Z]{2}\d{2}[A-Z0-9 \u00a0.-]{11,50}(?![^\W_])", re.IGNORECASE)
IBAN_MIN, IBAN_MAX = 15, 34  # characters: Norway's, and the most that ISO 13616 allows
_LENGTHS = (
    "NO15 BE16 DK18 FI18 FO18 GL18 NL18 MK19 SI19 AT20 BA20 EE20 KZ20 LT20 LU20 XK20 CH21 HR21 LI21 LV21 BG22 DE22 GB22 GE22 IE22 "
    "ME22 RS22 VA22 AE23 GI23 IL23 AD24 CZ24 ES24 MD24 RO24 SA24 SE24 SK24 TN24 PT25 IS26 TR26 FR27 GR27 IT27 MC27 SM27 "
    "AL28 AZ28 CY28 HU28 LB28 PL28 BR29 UA29 QA29 MT31"
)
IBAN_LENGTHS = {entry[:2]: int(entry[2:]) for entry in _LENGTHS.split()}
"""Country → characters of its accounts: the IBAN registry of SWIFT, those that an operator here is likely to meet."""


def ibans(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and account of what is written like an IBAN; the account is empty where its check digits do not fit.

    Written in groups nobody can see where one ends ("BE68 5390 0754 7034 next"), so its country says how long it is;
    of a country not known here the longest stretch that is one is taken.
    """
    start = 0
    while match := _IBAN.search(text, start):
        start = match.end()
        tokens = [*re.finditer(r"[A-Z0-9]+", match[0], re.IGNORECASE)]
        whole = [token.end() for token in reversed(tokens) if is_iban(_tight(match[0][: token.end()]))]
        if whole or (like := _like_one(match[0], tokens)):
            start = match.start() + (whole[0] if whole else like)
            yield match.start(), start, _tight(match[0][: whole[0]]) if whole else ""


def _like_one(said: str, tokens: Sequence[re.Match[str]]) -> int:
    """Return where ends what was meant to be an account: groups with digits, the second may be a bank's letters."""
    end = 0
    for number, token in enumerate(tokens):
        if (number != 1 and not re.search(r"\d", token[0])) or len(_tight(said[: token.end()])) > IBAN_MAX:
            break
        end = token.end()
    return end if len(_tight(said[:end])) >= IBAN_MIN else 0


def is_iban(account: str) -> bool:
    """Whether an account without spaces, in capitals, is an IBAN: as long as its country's, its check digits right."""
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", account):
        return False
    if len(account) != IBAN_LENGTHS.get(account[:2], len(account)):
        return False
    turned = account[4:] + account[:4]
    return int("".join(str(int(letter, 36)) for letter in turned)) % 97 == 1  # ISO 7064, mod 97


def _tight(text: str) -> str:
    return re.sub(r"[\s.-]", "", text).upper()


def _iban(text: str) -> str:
    tight = _tight(text)
    if not is_iban(tight):
        raise ValueError(f"{text!r} is no IBAN: a digit is missing or wrong. Look at the paper it comes from.")
    return tight


def _email(text: str) -> str:
    if not EMAIL.fullmatch(text):
        raise ValueError(f"{text!r} is not an e-mail address, like 'anna@example.com'.")
    local, _, domain = text.rpartition("@")
    return f"{local}@{domain.lower()}"


def _number(text: str) -> str:
    return text.strip().lstrip("#").upper().replace(" ", "-")


Email = Annotated[str, AfterValidator(_email), Kind("email")]
"""An address; the domain in lower case, because only that part does not distinguish."""

ClientName = Annotated[str, Kind("client")]
"""A client as the operator wrote it, or the key of the record when the reading recognised one."""

InvoiceNumber = Annotated[str, AfterValidator(_number), Kind("invoice")]
"""``"2026-0007"``, ``"INV-12"``: upper case, without ``#``."""

Iban = Annotated[str, AfterValidator(_iban), Kind("iban")]
"""An account, without spaces, its check digits right: ``"DE89370400440532013000"``."""
