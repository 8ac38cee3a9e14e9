"""VAT: which tax a client's invoice bears, and why, in words for the card and for the invoice.

The operator's own words come first, then the client's record, then the ordinary case, which is for services: at home the
company's rate; to a business in another EU state reverse charge (Directive 2006/112/EC, Art. 44 and 196); outside the EU
none. What cannot be told from the record is a `Doubt`, with a question; nothing here is a lawyer's opinion, so every
guess stands in the reasons on the card and can be changed there::

    vat_of(desk, client, "EUR")                      # Vat(pct=0, kind="reverse charge", because="...")
    vat_of(desk, client, "EUR", said="standard")     # as the operator said
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cache

from babel import Locale

from agents.base import Desk, Record, smallest
from agents.directory import named

CENT = Decimal("0.01")

ZERO_TAX = {
    "exempt": "No VAT is charged: exempt.",
    "reverse charge": "Reverse charge: VAT is to be accounted for by the recipient.",
    "intra-community": "Intra-community supply, free of VAT; the recipient accounts for it.",
    "export": "Export, free of VAT.",
    "not subject": "Not subject to VAT.",
}
"""Why an invoice bears no tax → the note that the law wants on it (Directive 2006/112/EC, Art. 226)."""

SMALL_BUSINESS = {
    "AT": "No VAT is charged: small business (§ 6 Abs. 1 Z 27 UStG).",
    "BE": "Small business under the exemption scheme: no VAT is charged (Art. 56bis W.BTW / CTVA).",
    "DE": "No VAT is charged: small business (§ 19 UStG).",
    "FR": "TVA non applicable, art. 293 B du CGI.",
    "IT": "Operazione senza IVA ai sensi dell'art. 1, commi 54-89, L. 190/2014.",
    "NL": "Vrijgesteld van btw: kleineondernemersregeling (art. 25 Wet OB 1968).",
    "PT": "IVA - regime de isenção (art. 53.º do CIVA).",
}
SMALL_BUSINESS_ELSEWHERE = "No VAT is charged: small business exemption (Directive 2006/112/EC, Art. 284)."

VAT_IDS = {
    "AT": r"U\d{8}", "BE": r"[01]\d{9}", "BG": r"\d{9,10}", "CY": r"\d{8}[A-Z]", "CZ": r"\d{8,10}", "DE": r"\d{9}",
    "DK": r"\d{8}", "EE": r"\d{9}", "EL": r"\d{9}", "ES": r"[A-Z0-9]\d{7}[A-Z0-9]", "FI": r"\d{8}",
    "FR": r"[A-Z0-9]{2}\d{9}", "HR": r"\d{11}", "HU": r"\d{8}", "IE": r"\d[A-Z0-9+*]\d{5}[A-Z]{1,2}", "IT": r"\d{11}",
    "LT": r"\d{9}(\d{3})?", "LU": r"\d{8}", "LV": r"\d{11}", "MT": r"\d{8}", "NL": r"[A-Z0-9+*]{12}", "PL": r"\d{10}",
    "PT": r"\d{9}", "RO": r"\d{2,10}", "SE": r"\d{12}", "SI": r"\d{8}", "SK": r"\d{10}",
}  # fmt: skip
"""How the VAT id of each EU state looks behind its two letters. Source: the European Commission's VIES, FAQ."""

EU = frozenset("GR" if state == "EL" else state for state in VAT_IDS)
OTHERWISE = " To change it for them, answer: vat: standard"
_NOWHERE = frozenset({"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"})  # CLDR's codes that are no country's
_YES = frozenset({"1", "true", "yes"})


@dataclass(frozen=True)
class Vat:
    """The rate that applies, and why it is zero when it is."""

    pct: Decimal
    kind: str = "standard"  # or a key of ZERO_TAX
    because: str = ""  # for the card
    unit: Decimal = CENT  # the currency's smallest, to which the tax is rounded
    law: str = ""  # the note on the invoice where `ZERO_TAX` is not precise enough
    reduced: bool = False  # a rate of this one invoice
    remember: bool = False  # the operator said it of this client, and it is not what the record leads to

    @property
    def note(self) -> str:
        """Return what the law wants to read on the invoice, if anything."""
        return self.law or ZERO_TAX.get(self.kind, "")

    def of(self, net: Decimal) -> Decimal:
        """Return the tax on a net total."""
        return (net * self.pct / 100).quantize(self.unit, ROUND_HALF_UP)

    def within(self, gross: Decimal) -> Decimal:
        """Return the net of a gross total; `of` of it may miss the gross by a cent."""
        return (gross / (1 + self.pct / 100)).quantize(self.unit, ROUND_HALF_UP)


@dataclass(frozen=True)
class Doubt:
    """Which tax applies cannot be told from the record: what to ask."""

    question: str


def vat_of(desk: Desk, client: Record, currency: str = "EUR", said: str = "") -> Vat | Doubt:
    """Return the tax that an invoice to this client bears.

    Args:
        desk: Whose company it is.
        client: With ``vat`` where somebody decided, ``vat_id`` and ``country`` (or an address that names it).
        currency: Of the invoice.
        said: What the operator said of this invoice: a key of `ZERO_TAX`, "standard", or a rate like "7".

    Raises:
        ValueError: What was said is no VAT; the message says what would be.
    """
    unit = smallest(currency)
    usual = _usual(desk, client, unit)
    if not said:
        return usual
    told = _as_said(said, desk, unit)
    fresh = not isinstance(usual, Vat) or (usual.kind, usual.pct) != (told.kind, told.pct)
    return replace(told, because=told.because if fresh else "", remember=fresh and not told.reduced)


def _as_said(said: str, desk: Desk, unit: Decimal) -> Vat:
    kind = kind_of(said)
    if kind == "standard" and not rate(desk):
        return _at_home(desk, _home(desk), unit)
    if kind == "standard":
        return Vat(rate(desk), because="VAT is charged as you said.", unit=unit)
    if kind:
        return Vat(Decimal(0), kind, f"No VAT: {kind}, as you said.", unit)
    try:
        pct = Decimal(re.sub(r"\s*(%|per ?cent)$", "", said.strip().replace(",", ".")))
    except InvalidOperation:
        pct = Decimal(-1)
    if not 0 < pct < 100:  # noqa: PLR2004 - per cent
        raise ValueError(f"{said!r} is no VAT. Say a rate like 19, or standard, {', '.join(ZERO_TAX)}.")
    return Vat(pct, because=f"{pct.normalize():f} % VAT, as you said.", unit=unit, reduced=True)


def kind_of(said: str) -> str:
    """``"VAT reverse_charge"`` → ``"reverse charge"``; empty when the words name no kind."""
    flat = re.sub(r"[\s_]+", " ", said).strip(" .").casefold()
    flat = re.sub(r"^vat[: -]+| vat$", "", flat)
    return next((kind for kind in ("standard", *ZERO_TAX) if flat in {kind, kind.replace(" ", "-")}), "")


def rate(desk: Desk) -> Decimal:
    """Return the company's own rate in per cent; 0 where it charges none."""
    return Decimal(0) if small(desk) else Decimal((desk.company.get("vat_rate") or "0").rstrip(" %"))


def small(desk: Desk) -> bool:
    """Whether the company charges no VAT because it is small: ``small_business = true`` in company.toml."""
    return desk.company.get("small_business", "").casefold() in _YES


def _usual(desk: Desk, client: Record, unit: Decimal) -> Vat | Doubt:
    kind = kind_of(str(client.data.get("vat") or ""))
    if kind in ZERO_TAX:
        return Vat(Decimal(0), kind, f"No VAT: {kind}, as the client's record says.", unit)
    home, there = _home(desk), country_of(client)
    if kind != "standard" and there and home and there != home:
        abroad = _abroad(desk, client, home, there, unit)
        if abroad is not None:
            return abroad
    return _at_home(desk, home, unit)


def _at_home(desk: Desk, home: str, unit: Decimal) -> Vat:
    pct = rate(desk)
    if pct:
        return Vat(pct, unit=unit)
    # EN 16931, BR-E-02: exempt needs a registered seller; who has no number is not subject to the tax at all.
    kind = "exempt" if desk.company.get("vat_id") or desk.company.get("tax_id") else "not subject"
    if small(desk):
        law = SMALL_BUSINESS.get(home, SMALL_BUSINESS_ELSEWHERE)
        return Vat(pct, kind, "No VAT: small business, as company.toml says.", unit, law)
    return Vat(pct, kind, "No VAT: no rate is set for the company.", unit)


def _abroad(desk: Desk, client: Record, home: str, there: str, unit: Decimal) -> Vat | Doubt | None:
    """Return the tax over a border; None where the border changes nothing."""
    name, place = named(client), _name(there)
    if not (home in EU and there in EU):
        if not rate(desk):
            return None  # nothing to leave out
        return Vat(
            Decimal(0),
            "export",
            f"No VAT: {name} is in {place}, not in the EU, and taken as a business.{OTHERWISE}",
            unit,
        )
    number = vat_id(str(client.data.get("vat_id") or ""))
    if not number:
        if not rate(desk):
            return None
        return Doubt(
            f"{name} is in {place}. A business there pays no VAT to you (reverse charge), a private person does, and "
            f"I know no VAT id. Tell me the id: update {name} vat id {_prefix(there)}… Or charge VAT:"
        )
    if not looks_right(number):
        return Doubt(
            f"{number} does not look like a VAT id of {_name(number[:2])}. What is it? Say: update {name} vat id …"
        )
    if _country(number[:2]) == home:
        return None
    if not desk.company.get("vat_id"):
        if not rate(desk):
            return None
        return Doubt(
            f"{name} is a business in {place} (VAT id {number}), which is reverse charge, and that needs a VAT id of "
            "your own: add vat_id to company.toml. Or charge VAT:"
        )
    why = f"Reverse charge: {name} is a business in {place} by its VAT id {number}, which I did not check with VIES.{OTHERWISE}"
    return Vat(Decimal(0), "reverse charge", why, unit)


def vat_id(text: str) -> str:
    """``"ie 6388047 V"`` → ``"IE6388047V"``."""
    return re.sub(r"[\s.\-/]", "", text).upper()


def looks_right(number: str) -> bool:
    """Whether a VAT id has the form of its state; one from outside the EU is not judged."""
    shape = VAT_IDS.get("EL" if number[:2] == "GR" else number[:2])
    return shape is None or re.fullmatch(shape, number[2:]) is not None


def country_of(client: Record) -> str:
    """Return where a client is, as ISO 3166 letters: by its record, its address's last line, its VAT id; or nothing."""
    last = str(client.data.get("address") or "").strip().rpartition("\n")[2].rpartition(",")[2]
    number = vat_id(str(client.data.get("vat_id") or ""))
    return (
        country(str(client.data.get("country") or ""))
        or (country(last) if len(last.strip()) > 2 else "")  # noqa: PLR2004 - two letters may be anything there
        or (_country(number[:2]) if number[:2] in VAT_IDS else "")
    )


def country(text: str) -> str:
    """``"Ireland"``, ``"ie"`` → ``"IE"``; empty for what is no country."""
    flat = text.strip(" .").casefold()
    return flat.upper() if flat.upper() in _by_name().values() else _by_name().get(flat, "")


@cache
def _by_name() -> dict[str, str]:
    names = {"usa": "US", "uk": "GB", "england": "GB", "holland": "NL", "the netherlands": "NL", "great britain": "GB"}
    for language in ("en", "de"):
        territories = Locale(language).territories.items()
        names |= {name.casefold(): code for code, name in territories if code.isalpha() and code not in _NOWHERE}
    return names


def _home(desk: Desk) -> str:
    return country(desk.company.get("country", "")) or _country(vat_id(desk.company.get("vat_id", ""))[:2])


def _country(prefix: str) -> str:
    return {"EL": "GR", "XI": "GB"}.get(prefix, prefix)


def _prefix(code: str) -> str:
    return "EL" if code == "GR" else code


def _name(code: str) -> str:
    return str(Locale("en").territories.get(_country(code), code))
