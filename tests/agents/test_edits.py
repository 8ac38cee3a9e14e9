"""Edits by hand win, are read as a message is, and are asked about when they cannot be read."""

import pytest

from agents.billing import Invoice
from agents.edits import UnreadableEditError, intent_of
from agents.slots import Money
from tests.agents.desk import PaperDesk, task

WISH = Invoice(client="Acme", amount=Money.read("10.00 EUR"), what="Logo")


@pytest.mark.parametrize(
    ("edits", "field", "value"),
    [
        ({"amount": "1200.00 EUR"}, "amount", "1200.00 EUR"),
        ({"amount": "1,200"}, "amount", "1200.00"),
        ({"amount": "€1.2k"}, "amount", "1200.00 EUR"),
        ({"terms": "net 30"}, "terms", "net 30"),
        ({"due": "2026-12-24"}, "due", "2026-12-24"),
        ({"what": "Two logos"}, "what", "Two logos"),
        ({"amount": ""}, "amount", "None"),
        ({"1.body": "x", "elsewhere": "y"}, "what", "Logo"),
    ],
)
def test_an_edit_changes_its_slot(edits: dict[str, str], field: str, value: str) -> None:
    assert str(getattr(intent_of(task(WISH, edits=edits), PaperDesk()), field)) == value


def test_what_cannot_be_read_says_what_could() -> None:
    with pytest.raises(UnreadableEditError, match=r"cannot read 'a lot' as amount.*1200\.00 EUR"):
        intent_of(task(WISH, edits={"amount": "a lot"}), PaperDesk())
