"""Invoices and credit notes as PDF/A-3b with the EN 16931 XML inside (Factur-X). Nothing leaves the house here.

``invoices.render`` turns canonical facts into one PDF in `Workshop.files` and says its digest; the same facts give the
same bytes, so what the card shows is what ``mail.send`` attaches. The figures come from ``invoice_totals.py``, the XML
from ``invoice_xml.py``, the words from ``invoice_page.py``, the layout from ``invoice.typ``.

Fonts are those inside Typst, and DejaVu Sans out of matplotlib, so the bytes do not depend on the machine. Only where a
name needs other letters (Chinese, Arabic ...) the machine's own fonts are taken as well.

Source: Factur-X 1.0.07 (XMP and attachment), ISO 13616 (IBAN), ISO 32000-1 and 19005-3 (PDF).
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Self

from babel import Locale
from babel.core import get_global

from connectors.base import (
    Connector,
    Detail,
    EffectClass,
    Json,
    Lines,
    Receipt,
    Reference,
    RefusedError,
    Risk,
    Role,
    When,
    Workshop,
    action,
)
from connectors.invoice_page import page
from connectors.invoice_totals import exponent, money, totals
from connectors.invoice_xml import (
    CREDIT_NOTE,
    INVOICE,
    Invoice,
    Party,
    reason_for,
    refuse_what_the_norm_refuses,
    representable,
)

__all__ = ["Invoices", "totals"]

PartyFacts = Annotated[dict[str, Json], Role.DETAIL]

TEXT_MAX = 5_000  # characters of one field; more is not an invoice
_TEMPLATE = Path(__file__).with_name("invoice.typ")


class Invoices(Connector):
    """Invoices and credit notes on paper that machines can read."""

    service = "invoices"

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    @classmethod
    def open(cls, values: Mapping[str, str], workshop: Workshop) -> Self:
        """Return the connector; there is nothing to set up."""
        del values
        return cls(workshop)

    @action(Risk.READS, EffectClass.KEYED, says="lay out an invoice", rate_per_minute=600)
    async def render(
        self,
        *,
        number: Reference,
        issue_date: When,
        seller: PartyFacts,
        buyer: PartyFacts,
        currency: Detail,
        lines: Lines,
        kind: Detail = "invoice",
        due_date: When = "",
        delivery_date: When = "",
        note: Detail = "",
        zero_tax: Detail = "",
        zero_tax_reason: Detail = "",
        refers_to: Reference = "",
        refers_date: When = "",
        pay_url: Detail = "",
        locale: Detail = "en",
    ) -> Receipt:
        """Lay out an invoice or credit note and keep the PDF.

        Args:
            number: The number on it, such as ``2026-0001``.
            issue_date: ISO date; also the date inside the file.
            seller: ``name``, ``address`` (lines), ``country``, ``email``, ``phone``, ``vat_id``, ``tax_id``, ``iban``.
            buyer: The same for the client, with ``reference`` for their own order number.
            currency: ISO 4217.
            lines: ``{"text", "quantity", "unit_price", "tax_pct"}``; also ``unit``, ``tax_kind``, ``total`` (checked).
            kind: ``invoice`` or ``credit note``; a credit note has positive amounts, too.
            due_date: ISO date; empty means on receipt.
            delivery_date: ISO date of delivery; empty means the issue date.
            note: A few lines below the sums.
            zero_tax: Why 0 %: zero rated, exempt, reverse charge, intra-community, export, not subject.
            zero_tax_reason: The operator's own words for that.
            refers_to: The number of the invoice that a credit note takes back.
            refers_date: Its ISO date.
            pay_url: Where it can be paid online.
            locale: Language and format, such as ``en``, ``de_DE``; words exist in English, German and French.

        Returns:
            ``data``: ``pdf`` {"name", "sha256", "size"}, ``number``, ``net``, ``tax``, ``total`` (``"1428.00 EUR"``),
            ``taxes``, ``lines`` with their totals, ``e_invoice`` ("EN 16931", or empty with the reason in
            ``warnings``), ``warnings``.

        Raises:
            RefusedError: The facts make no valid invoice; the message says which one and what to do.
        """
        warnings: list[str] = []
        our = _party(seller, "your company", "", warnings)
        their = _party(buyer, "the client", our.country, warnings)
        zero = zero_tax or ("" if our.vat_id or our.tax_id else "not subject")
        sums = totals(lines, currency, zero_tax=zero)
        invoice = Invoice(
            number=_one_line(number, "the number"),
            type_code=_type_code(kind),
            issued=_date(issue_date, "the issue date"),
            due=_date(due_date, "the due date") if due_date else None,
            delivered=_date(delivery_date or issue_date, "the delivery date"),
            seller=our,
            buyer=their,
            currency=currency,
            totals=sums,
            note=_text(note, "the note"),
            zero_tax_reason=_one_line(zero_tax_reason, "the reason") if zero_tax_reason else "",
            refers_to=_one_line(refers_to, "the invoice it refers to") if refers_to else "",
            refers_date=_date(refers_date, "the date of the invoice it refers to") if refers_date else None,
            pay_url=pay_url,
        )
        _refuse_nonsense(invoice)
        refuse_what_the_norm_refuses(invoice)
        if not representable(invoice):
            warnings.append(
                f"No e-invoice inside: EN 16931 allows two decimals, and {currency} has {exponent(currency)}."
            )
        content = await asyncio.to_thread(_pdf, invoice, locale)
        sha256 = self._workshop.files.put(content)
        name = f"{'invoice' if invoice.type_code == INVOICE else 'credit-note'}-{_safe(number)}.pdf"
        total = money(sums.total, currency)
        return Receipt(
            ref="",
            text=f"Laid out {kind} {number} over {total} as {name}.",
            data={
                "pdf": {"name": name, "sha256": sha256, "size": len(content)},
                "number": number,
                "total": total,
                "net": money(sums.net, currency),
                "tax": money(sums.tax, currency),
                "taxes": [
                    {
                        "kind": group.kind,
                        "pct": _plain(group.pct),
                        "basis": money(group.basis, currency),
                        "tax": money(group.tax, currency),
                        "reason": reason_for(group.kind, invoice.zero_tax_reason),
                    }
                    for group in sums.groups
                ],
                "lines": [
                    {
                        "text": line.text,
                        "quantity": _plain(line.quantity),
                        "unit": line.unit,
                        "unit_price": f"{_plain(line.unit_price, exponent(currency))} {currency}",
                        "tax_pct": _plain(line.tax_pct),
                        "total": money(line.net, currency),
                    }
                    for line in sums.lines
                ],
                "e_invoice": "EN 16931" if representable(invoice) else "",
                "warnings": warnings,
            },
        )


# ── reading the facts ─────────────────────────────────────────────────────────────────────────────────────────────


def _party(facts: Mapping[str, Json], who: str, fallback: str, warnings: list[str]) -> Party:
    get = {
        key: _text(value, f"{who}'s {key}") for key, value in facts.items() if key != "address" and value is not None
    }
    name = get.get("name", "")
    if not name:
        where = " It stands in company.toml; fill it in and start again." if who == "your company" else ""
        raise RefusedError(f"The name of {who} is missing.{where}")
    address = facts.get("address") or ""
    raw = address if isinstance(address, list) else str(address).replace(", ", "\n").splitlines()
    rows = [_text(row, f"{who}'s address") for row in raw if str(row).strip()]
    party = Party(
        name=name,
        address=tuple(rows),
        email=get.get("email", ""),
        phone=get.get("phone", ""),
        vat_id=re.sub(r"[ .-]", "", get.get("vat_id", "")).upper(),
        tax_id=get.get("tax_id", ""),
        iban=_iban(get.get("iban", "")),
        bic=get.get("bic", "").replace(" ", "").upper(),
        reference=get.get("reference", ""),
    )
    return _with_country(party, get.get("country", ""), who, fallback, warnings)


def _with_country(party: Party, said: str, who: str, fallback: str, warnings: list[str]) -> Party:
    """Find the country: said, on the last line of the address, in the VAT id, in the IBAN; never silently assumed."""
    if said:
        code = _country(said)
        if not code:
            raise RefusedError(f"{said!r} is not a country: write two letters such as DE, or its English name.")
        return replace(party, country=code)
    last = _country(party.address[-1]) if party.address else ""
    if last:
        return replace(party, country=last, address=party.address[:-1])
    for prefix in (party.vat_id[:2], party.iban[:2]):
        code = _country("GR" if prefix == "EL" else prefix)
        if code:
            return replace(party, country=code)
    if fallback:
        warnings.append(
            f"{party.name} has no country; the e-invoice says {fallback}, like yours. Add it to the client."
        )
        return replace(party, country=fallback)
    raise RefusedError(f"The country of {who} is missing: add a country (two letters) or end the address with it.")


def _country(text: str) -> str:
    wanted = text.strip()
    names = {code: name for code, name in Locale("en").territories.items() if re.fullmatch("[A-Z]{2}", code)}
    if wanted in names and wanted in get_global("territory_currencies"):
        return wanted
    for language in ("en", "de", "fr"):
        for code, name in Locale(language).territories.items():
            if code in names and str(name).casefold() == wanted.casefold():
                return str(code)
    return ""


def _iban(text: str) -> str:
    iban = re.sub(r"\s", "", text).upper()
    if not iban:
        return ""
    digits = "".join(str(int(letter, 36)) for letter in iban[4:] + iban[:4] if letter.isascii() and letter.isalnum())
    if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}", iban) or int(digits) % 97 != 1:
        raise RefusedError(f"{text!r} is not an IBAN (its check digits do not fit). Money would go astray: correct it.")
    return iban


def _type_code(kind: str) -> str:
    codes = {"invoice": INVOICE, "credit note": CREDIT_NOTE}
    if kind not in codes:
        raise RefusedError(f"{kind!r} is neither 'invoice' nor 'credit note'.")
    return codes[kind]


def _date(text: str, what: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise RefusedError(f"{what.capitalize()} is {text!r}; write it like 2026-03-31.") from None


def _text(value: Json, what: str) -> str:
    """Return the text without what no page and no XML can hold."""
    text = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff￾￿]", "", str(value)).strip()
    if len(text) > TEXT_MAX:
        raise RefusedError(f"{what.capitalize()} has {len(text)} characters; {TEXT_MAX} is the most an invoice takes.")
    return text


def _one_line(value: str, what: str) -> str:
    text = _text(value, what)
    if not text or "\n" in text or "\r" in text:
        raise RefusedError(f"{what.capitalize()} must be one line of text, not {value!r}.")
    return text


def _refuse_nonsense(invoice: Invoice) -> None:
    if invoice.type_code == CREDIT_NOTE and not invoice.refers_to:
        raise RefusedError("A credit note must say which invoice it takes back (refers_to).")
    if invoice.totals.total < 0:
        raise RefusedError("The total is below zero. To give money back, make a credit note with positive amounts.")
    if invoice.due and invoice.due < invoice.issued:
        raise RefusedError(f"It would be due on {invoice.due}, before it is written on {invoice.issued}.")
    if invoice.pay_url and not re.fullmatch(r"https?://[^\s<>\"]{3,500}", invoice.pay_url):
        raise RefusedError(f"{invoice.pay_url!r} is not a web address to pay at.")


# ── the page ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _pdf(invoice: Invoice, locale: str) -> bytes:
    data = page(invoice, locale)
    return _with_xmp(_typeset(data)) if data["xml"] else _typeset(data)


def _typeset(data: Mapping[str, Any]) -> bytes:
    import matplotlib as mpl  # only for the fonts it carries
    import typst

    inputs = {"data": json.dumps(data, ensure_ascii=False)}
    carried = [str(Path(mpl.get_data_path()) / "fonts" / "ttf")]
    missing = ""
    for fallback, fonts in (("no", carried), ("yes", [])):
        try:
            return bytes(
                typst.compile(
                    str(_TEMPLATE),
                    root=str(_TEMPLATE.parent),
                    font_paths=fonts,
                    ignore_system_fonts=fallback == "no",
                    format="pdf",
                    pdf_standards="a-3b",
                    sys_inputs=inputs | {"fallback": fallback},
                )
            )
        except typst.TypstError as error:
            if "could not be displayed" not in str(error):
                raise
            missing = str(error).splitlines()[0]
    raise RefusedError(
        f"No font on this machine has all the letters of this invoice ({missing}). "
        "Install one that does, such as the package fonts-noto-core or fonts-noto-cjk, or leave those letters out."
    )


def _with_xmp(pdf: bytes) -> bytes:
    """Add the Factur-X words to the XMP metadata, which Typst cannot.

    As an update behind the file (ISO 32000-1, 7.5.6): the metadata's object once more, and where it now is. All else
    stays byte for byte as Typst made it, and in the form that ISO 19005-3, 6.1 wants.
    """
    from pypdf import PdfReader

    root: Any = PdfReader(io.BytesIO(pdf)).root_object
    old = root["/Metadata"].get_data().decode()
    new = old.replace("</rdf:Bag></pdfaExtension:schemas>", _XMP_SCHEMA + "</rdf:Bag></pdfaExtension:schemas>")
    new = new.replace("</rdf:RDF>", _XMP_FACTS + "</rdf:RDF>")
    assert _XMP_SCHEMA in new
    assert _XMP_FACTS in new
    end = re.search(rb"trailer\s*<<(?P<facts>.*)>>\s*startxref\s*(?P<table>\d+)\s*%%EOF\s*$", pdf, re.DOTALL)
    assert end is not None, "Typst writes PDF in another form now"
    number, content = root.raw_get("/Metadata").idnum, new.encode()
    start = len(pdf) + 1
    update = b"%d 0 obj\n<</Type/Metadata/Subtype/XML/Length %d>>\nstream\n%b\nendstream\nendobj\n" % (
        number,
        len(content),
        content,
    )
    table = b"xref\n%d 1\n%010d 00000 n\r\ntrailer\n<<%b/Prev %b>>\nstartxref\n%d\n%%%%EOF\n" % (
        number,
        start,
        end["facts"],
        end["table"],
        start + len(update),
    )
    return pdf + b"\n" + update + table


_FX = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
_XMP_SCHEMA = (
    '<rdf:li rdf:parseType="Resource"><pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>'
    f"<pdfaSchema:namespaceURI>{_FX}</pdfaSchema:namespaceURI><pdfaSchema:prefix>fx</pdfaSchema:prefix>"
    "<pdfaSchema:property><rdf:Seq>"
    + "".join(
        '<rdf:li rdf:parseType="Resource">'
        f"<pdfaProperty:category>external</pdfaProperty:category><pdfaProperty:description>{words}"
        f"</pdfaProperty:description><pdfaProperty:name>{name}</pdfaProperty:name>"
        "<pdfaProperty:valueType>Text</pdfaProperty:valueType></rdf:li>"
        for name, words in (
            ("DocumentFileName", "The name of the embedded XML document"),
            ("DocumentType", "The type of the hybrid document in capital letters"),
            ("Version", "The version of the standard applying to the embedded XML document"),
            ("ConformanceLevel", "The conformance level of the embedded XML document"),
        )
    )
    + "</rdf:Seq></pdfaSchema:property></rdf:li>"
)
_XMP_FACTS = (
    f'<rdf:Description rdf:about="" xmlns:fx="{_FX}"><fx:DocumentType>INVOICE</fx:DocumentType>'
    "<fx:DocumentFileName>factur-x.xml</fx:DocumentFileName><fx:Version>1.0</fx:Version>"
    "<fx:ConformanceLevel>EN 16931</fx:ConformanceLevel></rdf:Description>"
)


def _plain(value: Decimal, least: int = 0) -> str:
    """``Decimal("1.50")`` → ``"1.5"``, with at least so many decimals."""
    finest = max(least, -int(value.normalize().as_tuple().exponent))
    return f"{value:.{max(finest, 0)}f}"


def _safe(number: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", number).strip(".-") or hashlib.sha256(number.encode()).hexdigest()[:12]
