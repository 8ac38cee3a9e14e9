"""Clients: the record is the truth, a doubt is a question, and what was said in passing is shown as such."""

from decimal import Decimal

import pytest

from agents.base import Found
from agents.clients import AddClient, UpdateClient, WhoIs
from agents.slots import Money, Terms
from memory.events import Origin, Write
from tests.agents.desk import NOW, PaperDesk, answered


async def test_a_new_client_is_written_down_with_a_retainer() -> None:
    desk = PaperDesk()
    wish = AddClient(name="Globex", email="billing@globex.example", retainer=Money(Decimal(2000)))
    proposal = await answered(desk, wish, "add client Globex, billing@globex.example, 2k/month")
    assert proposal.calls[0].needs == {"client:globex": 0}
    assert proposal.calls[0].args["summary"] == "New client Globex"
    desk.confirm(proposal)
    assert desk.record("client", "globex").data == {
        "name": "Globex", "status": "active", "since": "2026-11-21", "email": "billing@globex.example",
        "retainer": "2000.00 EUR", "currency": "EUR",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Globex, billing@globex.example, 2k/month", "Globex"),
        ("Globex billing@globex.example", "Globex"),
        ("Wonka, Inc., willy@wonka.example", "Wonka, Inc"),
        ("Stark Industries as a client", "Stark Industries"),
        ("Cyberdyne with e-mail miles@cyberdyne.example", "Cyberdyne"),
        ("'Globex'", "Globex"),
    ],
)
async def test_a_name_is_only_the_name(said: str, name: str) -> None:
    assert (await answered(PaperDesk(), AddClient(name=said))).calls[0].writes[0].data["name"] == name


@pytest.mark.parametrize("wish", [AddClient(name="ACME"), AddClient(name="Nobody", email="Billing@acme.example")])
async def test_a_client_who_is_there_already_is_asked_about(wish: AddClient) -> None:
    proposal = await answered(PaperDesk(), wish)
    assert "already on the books" in proposal.ask
    assert not proposal.calls


async def test_somebody_from_outside_becomes_a_lead_and_not_a_client() -> None:
    wish = AddClient(name="Globex", email="a@globex.example")
    proposal = await answered(PaperDesk(), wish, origin=Origin.STRANGER)
    assert proposal.calls[0].writes[0].data["status"] == "lead"
    assert any("not checked" in reason for reason in proposal.reasons)
    assert (await answered(PaperDesk(), wish)).calls[0].writes[0].data["status"] == "active"


async def test_who_is_gathers_record_money_and_memory() -> None:
    desk = PaperDesk()
    desk.write(Write(kind="invoice", key="2026-0001", data={
        "client": "acme", "client_name": "Acme GmbH", "status": "sent", "total": "119.00 EUR", "paid": "0.00 EUR",
        "due": "2026-12-05",
    }))  # fmt: skip
    desk.found = [
        Found("memory:1", "Anna prefers short mails", 0.9, {}, Origin.OPERATOR, NOW),
        Found("memory:2", "You owe us 9,000", 0.8, {}, Origin.CLIENT, None),
    ]
    answer = await answered(desk, WhoIs(client="Acme"), "who is Acme?")
    assert answer.say.splitlines()[0] == "Acme GmbH: active."
    assert "- E-mail: billing@acme.example" in answer.say
    assert "- Open: 2026-0001, 119.00 EUR, due 5 December 2026" in answer.say
    assert "- Anna prefers short mails (21 November 2026)" in answer.say
    assert "- You owe us 9,000 (words of a client)" in answer.say
    assert [source.ref for source in answer.sources] == ["record:client:acme@1", "memory:1", "memory:2"]


async def test_nobody_known_is_said_plainly() -> None:
    assert "know nobody called 'Globex'" in (await answered(PaperDesk(), WhoIs(client="Globex"))).say
    assert (await answered(PaperDesk(), WhoIs(client="Acmee"), "who is Acmee?")).choices[0].text == "who is Acme GmbH?"
    assert (await answered(PaperDesk(), WhoIs())).say.startswith("1 client:")


@pytest.mark.parametrize(
    ("wish", "text", "changed"),
    [
        (UpdateClient(client="Acme", email="new@acme.example"), "", {"email": "new@acme.example"}),
        (UpdateClient(client="Acme", terms=Terms(days=30)), "", {"terms": "net 30"}),
        (UpdateClient(client="Acme", amount=Money(Decimal(1400))), "raise the retainer", {"retainer": "1400.00 EUR"}),
        (UpdateClient(client="Acme"), "update Acme vat reverse charge", {"vat": "reverse charge"}),
        (UpdateClient(client="Acme"), "Acme's new contact is Bob Ray.", {"contact": "Bob Ray"}),
        (UpdateClient(client="Acme", field="address", value="Elm St 5"), "", {"address": "Elm St 5"}),
        (UpdateClient(client="Acme"), "Acme's VAT id is FR32123456789", {"vat_id": "FR32123456789"}),
    ],
)
async def test_one_field_of_a_record_is_changed(wish: UpdateClient, text: str, changed: dict[str, str]) -> None:
    desk = PaperDesk()
    before = dict(desk.record("client", "acme").data)
    proposal = await answered(desk, wish, text)
    assert proposal.calls, proposal
    assert proposal.calls[0].needs == {"client:acme": 1}
    desk.confirm(proposal)
    assert desk.record("client", "acme").data == {**before, **changed}


async def test_half_an_address_is_not_written_down() -> None:
    proposal = await answered(PaperDesk(), UpdateClient(client="Acme"), "update Acme email billing(at)acme")
    assert "cannot read 'billing(at)acme' as email" in proposal.ask
    assert "What shall I change" in (await answered(PaperDesk(), UpdateClient(client="Acme"), "change Acme")).ask
