"""An invoice as EN 16931 XML in the CII syntax of Factur-X 1.0, profile EN 16931. Pure: facts in, bytes out.

The bytes are checked against the schema on the way out; the business rules (Schematron) are checked by the tests, and
`refuse_what_the_norm_refuses` says the ones an operator can break in the operator's words.

Source: EN 16931-1 (terms BT-*, rules BR-*), Factur-X 1.0.07 / ZUGFeRD 2.3, UN/ECE Recommendation 20 for units.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from connectors.base import RefusedError
from connectors.invoice_totals import TAX_KINDS, Totals, exponent

INVOICE, CREDIT_NOTE = "380", "381"  # UNCL 1001

_UNITS = {
    "": "C62", "piece": "C62", "pieces": "C62", "pc": "C62", "unit": "C62", "units": "C62",
    "hour": "HUR", "hours": "HUR", "h": "HUR", "day": "DAY", "days": "DAY", "d": "DAY", "week": "WEE", "weeks": "WEE",
    "month": "MON", "months": "MON", "year": "ANN", "years": "ANN", "minute": "MIN", "minutes": "MIN", "min": "MIN",
    "km": "KMT", "m": "MTR", "m2": "MTK", "m²": "MTK", "kg": "KGM", "l": "LTR", "flat": "LS", "lump sum": "LS",
}  # fmt: skip

# Kind → (code, words) of the reason that EN 16931 wants beside a category without tax; zero rated may carry none.
_REASONS = {
    "exempt": ("", "Exempt from VAT"),
    "reverse charge": ("VATEX-EU-AE", "Reverse charge: the recipient accounts for the VAT"),
    "intra-community": ("VATEX-EU-IC", "VAT-exempt intra-community supply"),
    "export": ("VATEX-EU-G", "Export outside the EU, free of VAT"),
    "not subject": ("VATEX-EU-O", "Not subject to VAT"),
}


@dataclass(frozen=True)
class Party:
    """Seller or buyer. ``address`` is the envelope without the country; ``country`` is ISO 3166, two letters."""

    name: str
    address: tuple[str, ...] = ()
    country: str = ""
    email: str = ""
    phone: str = ""
    vat_id: str = ""
    tax_id: str = ""  # a national tax number
    iban: str = ""
    bic: str = ""
    reference: str = ""  # the buyer's own reference, e.g. an order or routing id


@dataclass(frozen=True)
class Invoice:
    """Everything on the page."""

    number: str
    type_code: str  # INVOICE or CREDIT_NOTE
    issued: date
    due: date | None
    delivered: date
    seller: Party
    buyer: Party
    currency: str
    totals: Totals
    note: str = ""
    zero_tax_reason: str = ""  # the operator's words instead of ours
    refers_to: str = ""
    refers_date: date | None = None
    pay_url: str = ""


def reason_for(kind: str, own: str = "") -> str:
    """Return why lines of this kind bear no tax, in words for the page; empty when there is nothing to say."""
    return (own or _REASONS[kind][1]) if kind in _REASONS else ""


def refuse_what_the_norm_refuses(invoice: Invoice) -> None:
    """Say in the operator's words which rule of EN 16931 this invoice would break.

    Raises:
        RefusedError: A tax number is missing or malformed, or kinds of tax are mixed that cannot be.
    """
    kinds = {group.kind for group in invoice.totals.groups}
    seller, buyer = invoice.seller, invoice.buyer
    for who, party in (("your", seller), (f"{buyer.name}'s", buyer)):
        if party.vat_id and not re.fullmatch(r"[A-Z]{2}[0-9A-Z+*.]{2,13}", party.vat_id):
            raise RefusedError(
                f"{party.vat_id!r} is not a VAT id: {who} should start with the country, like DE123456789."
            )
    if kinds & {"standard", "zero rated", "exempt"} and not (seller.vat_id or seller.tax_id):
        raise RefusedError(
            "An invoice with this tax needs your VAT id or tax number: add vat_id or tax_id to the company."
        )
    if kinds & {"reverse charge", "intra-community", "export"} and not seller.vat_id:
        raise RefusedError(
            f"An invoice for {' and '.join(sorted(kinds))} needs your VAT id: add vat_id to the company."
        )
    if kinds & {"reverse charge", "intra-community"} and not buyer.vat_id:
        raise RefusedError(
            f"{' and '.join(sorted(kinds)).capitalize()} needs the client's VAT id: add it to {buyer.name}."
        )
    if "not subject" in kinds and len(kinds) > 1:
        raise RefusedError("Lines that are not subject to VAT cannot stand beside taxed ones: make two invoices.")


def representable(invoice: Invoice) -> bool:
    """Return whether every amount fits the two decimals that EN 16931 allows (BR-DEC-*); KWD 1.234 does not."""
    if exponent(invoice.currency) <= 2:  # noqa: PLR2004 - BR-DEC-*
        return True
    sums = invoice.totals
    amounts = [
        *(line.net for line in sums.lines),
        *(amount for g in sums.groups for amount in (g.basis, g.tax)),
        sums.tax,
    ]
    return all(amount == amount.quantize(Decimal("0.01")) for amount in amounts)


def xml(invoice: Invoice) -> bytes:
    """Return the CII document, valid against the schema of Factur-X EN 16931.

    Raises:
        AssertionError: We built something the schema refuses, which is our own mistake.
    """
    from drafthorse.models.document import Document  # 0.2 CPU-seconds and lxml; only invoices pay for it

    document = Document()
    document.context.guideline_parameter.id = "urn:cen.eu:en16931:2017"
    document.header.id = invoice.number
    document.header.type_code = invoice.type_code
    document.header.issue_date_time = invoice.issued
    if invoice.note:
        document.header.notes.add(_note(invoice.note))
    plain = all(group.kind == "not subject" for group in invoice.totals.groups)
    agreement = document.trade.agreement
    if invoice.buyer.reference:
        agreement.buyer_reference = invoice.buyer.reference
    _party(agreement.seller, invoice.seller, seller=True, plain=plain)
    _party(agreement.buyer, invoice.buyer, seller=False, plain=plain)
    delivery = document.trade.delivery
    delivery.event.occurrence = invoice.delivered
    if any(group.kind == "intra-community" for group in invoice.totals.groups):
        delivery.ship_to.name = invoice.buyer.name
        _address(delivery.ship_to.address, invoice.buyer)
    for position, line in enumerate(invoice.totals.lines, start=1):
        document.trade.items.add(_item(position, line))
    _settle(document.trade.settlement, invoice)
    return bytes(document.serialize(schema="FACTUR-X_EN16931"))


def _note(text: str) -> Any:
    from drafthorse.models.note import IncludedNote

    note = IncludedNote()
    note.content = text
    return note


def _party(target: Any, party: Party, *, seller: bool, plain: bool) -> None:
    from drafthorse.models.party import TaxRegistration

    if seller and not (party.vat_id and not plain):
        # BR-CO-26 wants some identifier of the seller; without a VAT id the name or address for mail serves.
        target.id = party.tax_id or party.email or party.name
    target.name = party.name
    if seller and (party.email or party.phone):
        target.contact.person_name = party.name
        if party.phone:
            target.contact.telephone.number = party.phone
        if party.email:
            target.contact.email.address = party.email
    _address(target.address, party)
    if party.email:
        target.electronic_address.uri_ID = ("EM", party.email)
    # BR-O-02: not subject to VAT means that no VAT id is named, neither ours nor the buyer's.
    for scheme, value in (("FC", party.tax_id if seller else ""), ("VA", "" if plain else party.vat_id)):
        if value:
            registration = TaxRegistration()
            registration.id = (scheme, value)
            target.tax_registrations.add(registration)


def _address(target: Any, party: Party) -> None:
    lines = [*party.address[:2], ", ".join(party.address[2:])]
    for field, line in zip(("line_one", "line_two", "line_three"), lines, strict=False):
        if line:
            setattr(target, field, line)
    target.country_id = party.country


def _amount(amount: Decimal) -> Decimal:
    """At most two decimals (BR-DEC-*); `representable` has made sure that none is lost."""
    decimals = -int(amount.as_tuple().exponent)
    return amount.quantize(Decimal("0.01")) if decimals > 2 else amount  # noqa: PLR2004 - BR-DEC-*


def _item(position: int, line: Any) -> Any:
    from drafthorse.models.tradelines import LineItem

    unit = _UNITS.get(line.unit.strip().lower(), "C62")
    item = LineItem()
    item.document.line_id = str(position)
    name, _, rest = line.text.partition("\n")
    item.product.name = name
    if rest.strip():
        item.product.description = rest.strip()
    item.agreement.net.amount = line.unit_price
    item.delivery.billed_quantity = (line.quantity, unit)
    tax = item.settlement.trade_tax
    tax.type_code = "VAT"
    tax.category_code = TAX_KINDS[line.tax_kind]
    if line.tax_kind != "not subject":
        tax.rate_applicable_percent = line.tax_pct
    item.settlement.monetary_summation.total_amount = _amount(line.net)
    return item


def _settle(settlement: Any, invoice: Invoice) -> None:
    from drafthorse.models.accounting import ApplicableTradeTax
    from drafthorse.models.payment import PaymentMeans, PaymentTerms

    settlement.payment_reference = invoice.number
    settlement.currency_code = invoice.currency
    if invoice.seller.iban and invoice.type_code == INVOICE:
        means = PaymentMeans()
        means.type_code = "58" if invoice.currency == "EUR" else "30"  # UNCL 4461: SEPA, any credit transfer
        means.payee_account.iban = invoice.seller.iban
        means.payee_account.account_name = invoice.seller.name
        if invoice.seller.bic:
            means.payee_institution.bic = invoice.seller.bic
        settlement.payment_means.add(means)
    for group in invoice.totals.groups:
        tax = ApplicableTradeTax()
        tax.calculated_amount = _amount(group.tax)
        tax.type_code = "VAT"
        tax.basis_amount = _amount(group.basis)
        tax.category_code = TAX_KINDS[group.kind]
        if group.kind in _REASONS:
            tax.exemption_reason = reason_for(group.kind, invoice.zero_tax_reason)
            if _REASONS[group.kind][0]:
                tax.exemption_reason_code = _REASONS[group.kind][0]
        if group.kind != "not subject":
            tax.rate_applicable_percent = group.pct
        settlement.trade_tax.add(tax)
    terms = PaymentTerms()
    if invoice.type_code == CREDIT_NOTE:
        terms.description = "No payment is due; this credits the invoice named here."
    elif invoice.due is None:
        terms.description = "Payable on receipt."
    else:
        terms.due = invoice.due
    settlement.terms.add(terms)
    summation = settlement.monetary_summation
    sums = invoice.totals
    summation.line_total = _amount(sums.net)
    summation.tax_basis_total = (_amount(sums.net), None)
    summation.tax_total = (_amount(sums.tax), invoice.currency)
    summation.grand_total = (_amount(sums.total), None)
    summation.due_amount = _amount(sums.total)
    if invoice.refers_to:
        settlement.invoice_referenced_document.issuer_assigned_id = invoice.refers_to
        if invoice.refers_date:
            settlement.invoice_referenced_document.issue_date_time = invoice.refers_date
