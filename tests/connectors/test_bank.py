"""Orders for the bank, judged by the schema of ISO 20022: one effect is one file, and what is withdrawn stays so."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree
from sepaxml.validation import try_valid_xml

from connectors.bank import FOLDER, Bank
from connectors.bank_order import REACH, SCHEMA, latin
from connectors.base import OutcomeUnknownError, Receipt, RefusedError, TryLaterError, Workshop
from memory.files import FileStore

OURS = "DE02120300000000202051"
PRINTER = "Printer GmbH <DE89 3704 0044 0532 0130 00>"
FACTS = {
    "payee": PRINTER,
    "amount": "300.00 EUR",
    "text": "Flyers, 2026-118",
    "holder": "Lind Studio",
    "from_account": OURS,
}


class Desk:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.at = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
        self.files = FileStore(home / "files")
        self.bank = Bank.open({}, Workshop(home=home, files=self.files, now=lambda: self.at))

    async def order(self, key: str = "k1", **facts: str) -> Receipt:
        return await self.bank.transfer(**{**FACTS, **facts}, key=key)

    def lying(self) -> list[Path]:
        return sorted((self.home / FOLDER).glob("*.xml"))

    def read(self) -> dict[str, str]:
        """What another reader finds."""
        (path,) = self.lying()
        tree = etree.fromstring(path.read_bytes())
        space = {"p": tree.nsmap[None]}
        return {etree.QName(each).localname: each.text for each in tree.iterfind(".//p:*", space) if each.text.strip()}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_an_order_is_one_file_that_the_schema_takes(desk: Desk) -> None:
    receipt = await desk.order()
    try_valid_xml(desk.lying()[0].read_bytes(), SCHEMA)  # the library's own judge, another than the one we ask

    found = desk.read()
    assert (found["Cd"], found["InstdAmt"], found["CtrlSum"], found["NbOfTxs"]) == ("SEPA", "300.00", "300.00", "1")
    assert (found["MsgId"], found["EndToEndId"], found["PmtInfId"]) == (receipt.ref, receipt.ref, receipt.ref)
    assert (found["Ustrd"], found["Nm"], found["Dt"]) == ("Flyers, 2026-118", "Printer GmbH", "2026-11-21")
    assert found["Id"] == "NOTPROVIDED"
    assert found["CreDtTm"] == "2026-11-21T09:00:00Z"
    assert receipt.text.startswith(
        f"The order to pay Printer GmbH 300.00 EUR lies in {desk.lying()[0].relative_to(desk.home)}."
    )
    assert "Nothing is paid yet" in receipt.text


async def test_the_picture_on_the_receipt_is_the_code_in_the_folder(desk: Desk) -> None:
    (picture,) = (await desk.order()).data["pictures"]
    kept = desk.files.get(picture["sha256"])
    assert kept == (desk.home / FOLDER / picture["name"]).read_bytes()
    assert kept.startswith(b"\x89PNG")
    assert (picture["size"], picture["sha256"]) == (len(kept), hashlib.sha256(kept).hexdigest())


async def test_the_same_key_twice_is_one_file_and_another_key_is_another(desk: Desk) -> None:
    first = await desk.order()
    desk.at = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
    again = await desk.order()
    assert (first.ref, len(desk.lying())) == (again.ref, 1)
    assert desk.read()["CreDtTm"] == "2026-11-21T09:00:00Z", "what was written is not written over"
    assert (await desk.order("k2")).ref != first.ref
    assert len(desk.lying()) == 2


async def test_an_order_that_was_taken_away_is_not_written_again(desk: Desk) -> None:
    await desk.order()
    desk.lying()[0].unlink()
    with pytest.raises(OutcomeUnknownError, match="may be with the bank"):
        await desk.order()
    assert desk.lying() == []


async def test_an_order_changed_by_hand_is_not_passed_off_as_the_approved_one(desk: Desk) -> None:
    await desk.order()
    (path,) = desk.lying()
    path.write_bytes(path.read_bytes().replace(b"300.00", b"900.00"))
    with pytest.raises(RefusedError, match="changed by hand"):
        await desk.order()


async def test_an_order_is_withdrawn_once_and_lies_aside(desk: Desk) -> None:
    receipt = await desk.order()
    name, args = Bank.actions()["bank.transfer"].undo(FACTS, receipt)
    assert (name, args) == ("bank.withdraw", {"order": receipt.ref, "what": f"300.00 EUR to {PRINTER}"})
    gone = await desk.bank.withdraw(**args, key="k9")
    assert "Do not upload" in gone.text
    assert (await desk.bank.withdraw(**args, key="k9")).text == gone.text
    assert desk.lying() == []
    assert [path.suffix for path in sorted((desk.home / FOLDER / "withdrawn").iterdir())] == [".png", ".xml"]
    with pytest.raises(OutcomeUnknownError):
        await desk.order()


async def test_what_somebody_has_taken_from_the_folder_cannot_be_withdrawn(desk: Desk) -> None:
    receipt = await desk.order()
    desk.lying()[0].unlink()
    with pytest.raises(RefusedError, match="the bank may have it"):
        await desk.bank.withdraw(order=receipt.ref, what="x", key="k9")
    with pytest.raises(RefusedError, match="no order of ours"):
        await desk.bank.withdraw(order="../../secret", what="x", key="k9")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"payee": "Printer GmbH <DE88 3704 0044 0532 0130 00>"}, "digit is missing or wrong"),
        ({"payee": "Printer GmbH <US64 SVBK US6S 3300 9586 73>"}, "no IBAN|does not reach"),
        ({"payee": "Emirates <AE07 0331 2345 6789 0123 456>"}, "is in AE, which a SEPA transfer does not reach"),
        ({"payee": "DE89370400440532013000"}, "write Name <IBAN>"),
        ({"payee": "<DE89370400440532013000>"}, "write Name <IBAN>"),
        ({"from_account": ""}, "Your account"),
        ({"holder": ""}, "company.toml"),
        ({"text": " \n"}, "what is paid"),
        ({"amount": "300.00 USD"}, "is in EUR"),
        ({"amount": "0.00 EUR"}, "cannot be transferred"),
        ({"amount": "-3.00 EUR"}, "cannot be transferred"),
        ({"amount": "1.005 EUR"}, "whole cents"),
        ({"amount": "NaN EUR"}, "cannot be transferred"),
        ({"amount": "1000000000.00 EUR"}, "cannot be transferred"),
        ({"day": "soon"}, "no day"),
        ({"from_bic": "NOT A BIC"}, "schema refuses"),
    ],
)
async def test_what_is_no_transfer_is_refused_with_what_to_do(desk: Desk, facts: dict[str, str], words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        await desk.order(**facts)
    assert desk.lying() == []


async def test_a_full_disk_means_nothing_was_ordered(desk: Desk) -> None:
    (desk.home / "outbox").write_text("in the way")
    with pytest.raises(TryLaterError, match="Nothing was ordered"):
        await desk.order()


async def test_a_day_to_come_is_in_the_order_and_one_that_is_past_is_today(desk: Desk) -> None:
    receipt = await desk.order(day="2026-12-01")
    assert desk.read()["Dt"] == "2026-12-01"
    assert "on 2026-12-01" in receipt.text
    assert "scanned, it is paid at once" in receipt.text
    desk.lying()[0].unlink()
    await desk.order("k2", day="2026-11-01")
    assert desk.read()["Dt"] == "2026-11-21"


@pytest.mark.parametrize(
    "name", ["Müller & Söhne <i>", "Łódź Żółw S.A.", "漢字印刷", "O'Neil / Sons (2)", "x" * 300, "Tab\tle\u202e\x00"]
)
async def test_a_name_in_any_letters_becomes_one_that_every_bank_reads(desk: Desk, name: str) -> None:
    plain = latin(name, 70)
    await desk.order(payee=f"{name.replace('<', '').replace('>', '')} <DE89370400440532013000>", text=name)
    assert desk.read()["Nm"] == latin(name.replace("<", "").replace(">", ""), 70)
    assert plain.isascii()
    assert 0 < len(plain) <= 70


async def test_the_health_says_how_many_orders_lie_ready(desk: Desk) -> None:
    assert (await desk.bank.health()).text.startswith("outbox/bank is empty")
    await desk.order()
    assert (await desk.bank.health()).text.startswith("1 order lies in outbox/bank")
    assert not (desk.home / "other").exists()
    assert {"DE", "FR", "CH", "GB"} <= REACH
