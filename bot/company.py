"""Who the operator's company is, as it stands on invoices and under letters: ``company.toml`` in the home folder.

A value that makes no sense stops the start with a sentence that names it. What is missing is told by `wanting`: an
invoice can be drawn without it, and would be worth less, or be none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.numbers import is_currency

from agents.slots import Terms

RATE_MAX = 100  # per cent


@dataclass(frozen=True)
class Fact:
    """One line of ``company.toml``; ``check`` returns the value as it is kept, or raises ValueError."""

    name: str
    help: str
    default: str = ""
    sample: str = ""
    check: Callable[[str], str] = str.strip


def _email(text: str) -> str:
    if not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+\.[^@\s<>]+", text.strip()):
        raise ValueError("is not an e-mail address, like you@your-domain.example")
    return text.strip()


def _country(text: str) -> str:
    code = text.strip().upper()
    if not re.fullmatch(r"[A-Z]{2}", code) or code in {"EU", "EZ", "UN", "ZZ"} or code not in Locale("en").territories:
        raise ValueError("is not a country's two letters, like DE or GB")
    return code


def _currency(text: str) -> str:
    if not is_currency(text.strip().upper()):
        raise ValueError("is not a currency's three letters, like EUR or USD")
    return text.strip().upper()


def _rate(text: str) -> str:
    try:
        rate = Decimal(text.strip().removesuffix("%").strip())
    except InvalidOperation:
        rate = Decimal(-1)
    if not (rate.is_finite() and 0 <= rate < RATE_MAX):
        raise ValueError("is not a rate in per cent, like 19 or 7.7")
    return f"{rate.normalize():f}"


def _iban(text: str) -> str:
    """ISO 13616: the first four to the end, letters as 10 to 35, and the number leaves 1 over after 97."""
    iban = re.sub(r"\s", "", text).upper()
    turned = iban[4:] + iban[:4]
    if (
        not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{10,30}", iban)
        or int("".join(str(int(c, 36)) for c in turned)) % 97 != 1
    ):
        raise ValueError("is not an IBAN: a digit is missing or wrong")
    return iban


def _truth(text: str) -> str:
    if text.strip().casefold() not in {"true", "false"}:
        raise ValueError("is true or false")
    return text.strip().casefold()


def _locale(text: str) -> str:
    try:
        Locale.parse(text.strip(), sep="-" if "-" in text else "_")
    except (ValueError, UnknownLocaleError) as error:
        raise ValueError("is not a locale, like en_GB or de_DE") from error
    return text.strip()


def _zone(text: str) -> str:
    try:
        ZoneInfo(text.strip())
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("is not a time zone, like Europe/Berlin") from error
    return text.strip()


def _terms(text: str) -> str:
    try:
        return str(Terms.read(text.strip()))
    except ValueError as error:
        raise ValueError("are not terms of payment, like 'net 14' or 'on receipt'") from error


FACTS = (
    Fact("name", "As it is registered, or your own name.", sample="Lind Studio"),
    Fact("signatory", "Who signs letters.", sample="Nora Lind"),
    Fact("email", "Where answers go; letters come from here.", sample="nora@lind-studio.example", check=_email),
    Fact("phone", "For invoices, if you like.", sample="+49 30 901820"),
    Fact("website", "For letters, if you like.", sample="lind-studio.example"),
    Fact("address", "Street, post code and town; \\n begins a new line.", sample="Uferweg 1\\n10115 Berlin"),
    Fact("country", "Two letters; decides whose VAT rules hold.", "DE", "DE", _country),
    Fact("vat_id", "Your VAT id; without one no reverse charge.", sample="DE123456789"),
    Fact("tax_id", "The number of your tax office, where you have no VAT id.", sample="30/123/45678"),
    Fact("vat_rate", "Per cent on invoices at home.", "19", "19", _rate),
    Fact("small_business", "true: no VAT is charged, and the invoice says why.", sample="false", check=_truth),
    Fact("iban", "Where clients pay.", sample="DE02120300000000202051", check=_iban),
    Fact("bic", "Only where clients abroad need it.", sample="BYLADEM1001"),
    Fact("currency", "Of amounts without one.", "EUR", "EUR", _currency),
    Fact("locale", "How you write dates and amounts: en_GB, en_US, de_DE.", "en", "en", _locale),
    Fact("zone", "Your time zone.", "UTC", "Europe/Berlin", _zone),
    Fact("terms", "When invoices fall due.", "net 14", "net 14", _terms),
)
_BY_NAME = {fact.name: fact for fact in FACTS}


def facts_in(table: Mapping[str, Any]) -> dict[str, str]:
    """Return every fact as text, by name; what the table leaves out has its default.

    Raises:
        ValueError: Names every line that makes no sense and says what it should be.
    """
    faults = [f"{name} is not known; known are {', '.join(_BY_NAME)}" for name in table if name not in _BY_NAME]
    kept = {fact.name: fact.default for fact in FACTS}
    for name in table.keys() & _BY_NAME.keys():
        value = table[name]
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if not text.strip():
            continue  # left empty on purpose
        try:
            kept[name] = _BY_NAME[name].check(text)
        except ValueError as error:
            faults.append(f"{name} = {text!r} {error}")
    if faults:
        raise ValueError("; ".join(sorted(faults)))
    return kept


def wanting(company: Mapping[str, str]) -> Iterator[str]:
    """Yield what an invoice would lack, a sentence each."""
    if not company.get("name"):
        yield "name: no invoice can be drawn without it"
    if not company.get("address"):
        yield "address: an invoice needs it by law almost everywhere"
    if not company.get("email"):
        yield "email: letters cannot say where answers go"
    if not company.get("vat_id") and not company.get("tax_id"):
        yield "vat_id or tax_id: an invoice needs one of them"
    if not company.get("iban"):
        yield "iban: clients are not told where to pay"


def form() -> str:
    """Return a ``company.toml`` to be filled in: every fact, what it is for, an example."""
    lines = ["# Your company, as it stands on invoices and under letters. Fill in, take away the #, and restart."]
    for fact in FACTS:
        lines += ["", f"# {fact.help}", f'#{fact.name} = "{fact.sample}"']
    return "\n".join(lines) + "\n"
