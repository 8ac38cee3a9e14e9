"""One SEPA credit transfer: as the order a bank takes in online banking (pain.001), and as the code that its app scans. Pure.

The same order gives the same bytes. Names and texts are written in the letters that every SEPA bank reads; an order that
the schema refuses is not written.

Source: ISO 20022 pain.001.001.09; EPC132-08 (what banks of the SEPA take), EPC217-08 (letters), EPC069-12 (the code)
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from importlib import resources

SCHEMA = "pain.001.001.09"
_SPACE = f"{{urn:iso:std:iso:20022:tech:xsd:{SCHEMA}}}"
NAME_MAX, TEXT_MAX = 70, 140  # characters, EPC132-08 and EPC069-12
LEAST, MOST = Decimal("0.01"), Decimal("999999999.99")  # EUR, EPC132-08
_REACH = (
    "AD AL AT BE BG CH CY CZ DE DK EE ES FI FR GB GI GR HR HU IE IS IT LI LT LU LV MC MD ME MK MT NL NO PL PT RO RS SE SI SK "
    "SM VA"
)
REACH = frozenset(_REACH.split())
"""Countries whose accounts a SEPA transfer reaches (EPC409-09)."""


class OrderError(ValueError):
    """What is asked for is no SEPA transfer; the message says why."""


@dataclass(frozen=True)
class Order:
    """What is ordered. Accounts are IBANs without spaces; the amount is in EUR."""

    message_id: str  # at most 35 letters and digits; the bank refuses a second order with the same one
    made: datetime  # aware
    day: date  # when the bank is to execute it
    holder: str
    from_account: str
    from_bic: str
    payee: str
    account: str
    amount: Decimal
    text: str


def xml(order: Order) -> bytes:
    """Return the order as the file that is uploaded.

    Raises:
        OrderError: The schema refuses it.
    """
    # Imports that most houses never need.
    from lxml import etree  # type: ignore[import-untyped]
    from sepaxml import SepaTransfer  # type: ignore[import-untyped]

    own = {"name": latin(order.holder, NAME_MAX), "IBAN": order.from_account, "batch": False, "currency": "EUR"}
    written = SepaTransfer(own | ({"BIC": order.from_bic} if order.from_bic else {}), schema=SCHEMA, clean=False)
    written.add_payment({
        "name": latin(order.payee, NAME_MAX), "IBAN": order.account, "amount": int(order.amount * 100),
        "execution_date": order.day, "description": latin(order.text, TEXT_MAX), "endtoend_id": order.message_id,
    })  # fmt: skip
    root = ET.fromstring(written.export(validate=False))  # noqa: S314 - the library's own words, a moment old
    _made_ours(root, order)
    ET.indent(root)
    content: bytes = ET.tostring(root, "utf-8", xml_declaration=True)
    # The library's own check builds its schema anew each time, which takes a fifth of a second.
    schema = etree.XMLSchema(file=str(resources.files("sepaxml") / "schemas" / f"{SCHEMA}.xsd"))
    if not schema.validate(etree.fromstring(content)):
        raise OrderError(f"The bank's schema refuses this order: {schema.error_log.last_error.message}")
    return content


def _made_ours(root: ET.Element, order: Order) -> None:
    """Put in what the library takes from the clock and from chance, so that one order is one file, and once at the bank."""
    _at(root, "GrpHdr/MsgId").text = order.message_id
    _at(root, "GrpHdr/CreDtTm").text = order.made.strftime("%Y-%m-%dT%H:%M:%SZ")
    _at(root, "PmtInf/PmtInfId").text = order.message_id
    ours = _at(root, "PmtInf/DbtrAgt/FinInstnId")
    if not len(ours):  # no BIC: EPC132-08 wants that said
        ET.SubElement(ET.SubElement(ours, f"{_SPACE}Othr"), f"{_SPACE}Id").text = "NOTPROVIDED"


def read(content: bytes) -> tuple[str, str, str]:
    """Return message id, account and amount (``"300.00 EUR"``) of an order that was written.

    Raises:
        OrderError: It is none of ours.
    """
    try:
        root = ET.fromstring(content)  # noqa: S314 - a file in the operator's own folder
        paid = _at(root, "PmtInf/CdtTrfTxInf/Amt/InstdAmt")
        account = _at(root, "PmtInf/CdtTrfTxInf/CdtrAcct/Id/IBAN").text or ""
        return _at(root, "GrpHdr/MsgId").text or "", account, f"{paid.text} {paid.get('Ccy')}"
    except (ET.ParseError, KeyError) as error:
        raise OrderError("It is no order as written here.") from error


def _at(root: ET.Element, path: str) -> ET.Element:
    found = root.find(f"{_SPACE}CstmrCdtTrfInitn/" + "/".join(f"{_SPACE}{part}" for part in path.split("/")))
    if found is None:
        raise KeyError(path)
    return found


def code(order: Order) -> bytes:
    """Return the order as a PNG that a banking app scans. It holds no day: scanned and released, it is paid."""
    from segno import helpers

    made = helpers.make_epc_qr(
        name=latin(order.payee, NAME_MAX), iban=order.account, amount=order.amount, text=latin(order.text, TEXT_MAX),
        encoding="utf-8",
    )  # fmt: skip
    out = io.BytesIO()
    made.save(out, kind="png", scale=8, border=4)
    return out.getvalue()


def latin(text: str, most: int) -> str:
    """Return a text in the letters of EPC217-08: ``"Müller & Söhne"`` → ``"Muller + Sohne"``."""
    from text_unidecode import unidecode  # type: ignore[import-untyped]

    plain = re.sub(r"[^A-Za-z0-9/?:().,'+ -]", " ", unidecode(text.replace("&", "+")))
    return " ".join(plain.split())[:most].strip()
