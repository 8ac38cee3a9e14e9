"""What stands on the page of an invoice: every word and figure, ready to print, in the client's language. Pure.

``invoice.typ`` computes nothing; it sets what comes from here. A language is one entry of `_WORDS`; one we have no words
for gets English words with English figures, never a mixture.

Source: CLDR through babel (figures and dates), ISO 4217 (decimals), EPC069-12 (payment code).
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal

from connectors.base import RefusedError
from connectors.invoice_totals import Line, Totals, exponent
from connectors.invoice_xml import CREDIT_NOTE, INVOICE, Invoice, Party, reason_for, representable, xml

# fmt: off
_WORDS: dict[str, dict[str, Any]] = {
    "en": {
        INVOICE: "Invoice", CREDIT_NOTE: "Credit note", "to": "To", "issued": "Date", "due": "Due",
        "delivered": "Date of supply", "refers": "For invoice", "reference": "Your reference", "their_vat": "Your VAT id",
        "columns": ["", "Description", "Quantity", "Price", "Tax", "Amount"], "net": "Net",
        "tax": "VAT {pct} on {basis}", "total": "Total", "credit": "Credit", "payment": "Payment", "by": "Pay by",
        "iban": "IBAN", "bic": "BIC", "ref": "Reference", "online": "Online", "qr": "Scan to pay", "vat_id": "VAT id",
        "tax_id": "Tax no.", "receipt": "on receipt",
    },
    "de": {
        INVOICE: "Rechnung", CREDIT_NOTE: "Rechnungskorrektur", "to": "An", "issued": "Datum", "due": "Fällig",
        "delivered": "Leistungsdatum", "refers": "Zur Rechnung", "reference": "Ihre Referenz",
        "their_vat": "Ihre USt-IdNr.", "columns": ["", "Leistung", "Menge", "Preis", "USt.", "Betrag"], "net": "Netto",
        "tax": "USt. {pct} auf {basis}", "total": "Gesamt", "credit": "Gutschrift", "payment": "Zahlung",
        "by": "Zahlbar bis", "iban": "IBAN", "bic": "BIC", "ref": "Verwendungszweck", "online": "Online",
        "qr": "Mit der Bank-App scannen", "vat_id": "USt-IdNr.", "tax_id": "Steuernr.", "receipt": "sofort",
    },
    "fr": {
        INVOICE: "Facture", CREDIT_NOTE: "Avoir", "to": "À", "issued": "Date", "due": "Échéance",
        "delivered": "Livraison", "refers": "Facture d'origine", "reference": "Votre référence",
        "their_vat": "Votre n° TVA", "columns": ["", "Désignation", "Quantité", "Prix", "TVA", "Montant"],
        "net": "Total HT", "tax": "TVA {pct} sur {basis}", "total": "Total TTC", "credit": "Avoir",
        "payment": "Paiement", "by": "À payer avant", "iban": "IBAN", "bic": "BIC", "ref": "Référence",
        "online": "En ligne", "qr": "Scanner pour payer", "vat_id": "N° TVA", "tax_id": "N° fiscal",
        "receipt": "à réception",
    },
}
# fmt: on


def page(invoice: Invoice, locale: str) -> dict[str, Any]:
    """Every word and figure of the page, ready to print, in the operator's language."""
    try:
        where = Locale.parse(locale.replace("-", "_"))
    except (ValueError, UnknownLocaleError):
        raise RefusedError(f"{locale!r} is not a language such as en, de_DE or fr_FR.") from None
    words = _WORDS.get(where.language, _WORDS["en"])
    if words is _WORDS["en"] and where.language != "en":
        where = Locale("en", "GB")
    pays = invoice.type_code == INVOICE and invoice.totals.total > 0
    return {
        "title": f"{words[invoice.type_code]} {invoice.number}",
        "kind": words[invoice.type_code],
        "number": invoice.number,
        "language": where.language,
        "date": [invoice.issued.year, invoice.issued.month, invoice.issued.day],
        "words": {key: words[key] for key in ("to", "columns", "payment", "qr")},
        "seller": {"name": invoice.seller.name, "lines": _letterhead(invoice.seller, where)},
        "buyer": {"name": invoice.buyer.name, "lines": _envelope(invoice.buyer, where)},
        "facts": _facts(invoice, words, where),
        "lines": [
            _row(position, line, invoice.currency, where) for position, line in enumerate(invoice.totals.lines, 1)
        ],
        "sums": _sums(invoice.totals, invoice.currency, words, where),
        "total": [
            words["total"] if invoice.type_code == INVOICE else words["credit"],
            _money(invoice.totals.total, invoice.currency, where),
        ],
        "reasons": sorted({reason_for(g.kind, invoice.zero_tax_reason) for g in invoice.totals.groups} - {""}),
        "note": invoice.note,
        "payment": _payment(invoice, words, where) if pays else [],
        "qr": _payment_code(invoice) if pays else "",
        "footer": _footer(invoice.seller, words),
        "xml": xml(invoice).decode() if representable(invoice) else "",
    }


def _letterhead(seller: Party, where: Locale) -> list[str]:
    contact = [" · ".join(part for part in (seller.email, seller.phone) if part)]
    return [*_envelope(seller, where), *(row for row in contact if row)]


def _envelope(party: Party, where: Locale) -> list[str]:
    return [*party.address, *([where.territories[party.country]] if party.address else [])]


def _facts(invoice: Invoice, words: Mapping[str, Any], where: Locale) -> list[list[str]]:
    def day(when: date | None) -> str:
        return format_date(when, "long", where) if when else ""

    refers = f"{invoice.refers_to}, {day(invoice.refers_date)}" if invoice.refers_date else invoice.refers_to
    due = day(invoice.due) if invoice.type_code == INVOICE else ""
    rows = [
        (words["issued"], day(invoice.issued)),
        # Said on every invoice, also where it is the same day: § 14 (4) UStG wants it, Directive 2006/112/EC, Art. 226 (7).
        (words["delivered"], day(invoice.delivered) if invoice.type_code == INVOICE else ""),
        (words["due"], due),
        (words["refers"], refers),
        (words["reference"], invoice.buyer.reference),
        (words["their_vat"], invoice.buyer.vat_id),
    ]
    return [[label, value] for label, value in rows if value]


def _row(position: int, line: Line, currency: str, where: Locale) -> list[str]:
    quantity = format_decimal(line.quantity, "#,##0.########", where)
    return [
        str(position),
        line.text,
        f"{quantity} {line.unit}".strip(),
        format_decimal(line.unit_price, _pattern(line.unit_price, currency), where),
        _pct(line.tax_pct, where),
        _money(line.net, currency, where),
    ]


def _sums(sums: Totals, currency: str, words: Mapping[str, Any], where: Locale) -> list[list[str]]:
    taxes = [
        [
            words["tax"].format(pct=_pct(g.pct, where), basis=_money(g.basis, currency, where)),
            _money(g.tax, currency, where),
        ]
        for g in sums.groups
        if g.pct
    ]
    return [[words["net"], _money(sums.net, currency, where)], *taxes]


def _payment(invoice: Invoice, words: Mapping[str, Any], where: Locale) -> list[list[str]]:
    seller = invoice.seller
    if not (seller.iban or invoice.pay_url):
        return []
    rows = [
        (words["by"], format_date(invoice.due, "long", where) if invoice.due else words["receipt"]),
        (words["iban"], " ".join(seller.iban[i : i + 4] for i in range(0, len(seller.iban), 4))),
        (words["bic"], seller.bic),
        (words["ref"], invoice.number),
        (words["online"], invoice.pay_url),
    ]
    return [[label, value] for label, value in rows if value]


def _footer(seller: Party, words: Mapping[str, Any]) -> list[str]:
    ids = ((words["vat_id"], seller.vat_id), (words["tax_id"], seller.tax_id))
    return [seller.name, *(f"{label} {value}" for label, value in ids if value)]


def _payment_code(invoice: Invoice) -> str:
    """Return the SEPA payment code as SVG, or nothing where SEPA does not reach (other currency, no IBAN, too much)."""
    from segno import helpers

    total = invoice.totals.total
    if not invoice.seller.iban or invoice.currency != "EUR" or not Decimal("0.01") <= total <= Decimal("999999999.99"):
        return ""
    code = helpers.make_epc_qr(
        name=invoice.seller.name[:70],
        iban=invoice.seller.iban,
        amount=total,
        text=invoice.number[:140],
        bic=invoice.seller.bic or None,
        encoding="utf-8",
    )
    out = io.BytesIO()
    code.save(out, kind="svg", border=0, dark="#1c2430")
    return out.getvalue().decode()


def _money(amount: Decimal, currency: str, where: Locale) -> str:
    return format_currency(amount, currency, _currency_pattern(currency, where), where, currency_digits=False)


def _currency_pattern(currency: str, where: Locale) -> str:
    """The locale's own pattern with the decimals of ISO 4217, which are not always CLDR's."""
    decimals = "0." + "0" * exponent(currency) if exponent(currency) else "0"
    return str(where.currency_formats["standard"].pattern).replace("0.00", decimals)


def _pattern(amount: Decimal, currency: str) -> str:
    finest = max(exponent(currency), -int(amount.normalize().as_tuple().exponent))
    return "#,##0." + "0" * finest if finest else "#,##0"


def _pct(pct: Decimal, where: Locale) -> str:
    return f"{format_decimal(pct, '0.####', where)} %"
