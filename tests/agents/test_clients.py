"""Clients: the record is the truth, a doubt is a question, and a letter never depends on a model."""

from datetime import datetime
from decimal import Decimal

import pytest

from agents.base import Found, Proposal, Thought
from agents.clients import AddClient, Clients, FollowUp, Onboard, SendProposal, UpdateClient, WhoIs, WriteMail
from agents.slots import Money, Terms
from memory.events import Origin, Write
from tests.agents.desk import NOW, PaperDesk, client, task


async def propose(desk: PaperDesk, intent: object, text: str = "", **more: object) -> Proposal:
    return await Clients().work(task(intent, text, **more), desk)


async def test_a_new_client_is_written_down_with_a_retainer() -> None:
    desk = PaperDesk()
    wish = AddClient(name="Globex", email="billing@globex.example", retainer=Money(Decimal(2000)))
    proposal = await propose(desk, wish, "add client Globex, billing@globex.example, 2k/month")
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
    assert (await propose(PaperDesk(), AddClient(name=said))).calls[0].writes[0].data["name"] == name


@pytest.mark.parametrize("wish", [AddClient(name="ACME"), AddClient(name="Nobody", email="Billing@acme.example")])
async def test_a_client_who_is_there_already_is_asked_about(wish: AddClient) -> None:
    proposal = await propose(PaperDesk(), wish)
    assert "already on the books" in proposal.ask
    assert not proposal.calls


async def test_somebody_from_outside_becomes_a_lead_and_not_a_client() -> None:
    wish = AddClient(name="Globex", email="a@globex.example")
    proposal = await propose(PaperDesk(), wish, origin=Origin.STRANGER)
    assert proposal.calls[0].writes[0].data["status"] == "lead"
    assert any("not checked" in reason for reason in proposal.reasons)
    assert (await propose(PaperDesk(), wish)).calls[0].writes[0].data["status"] == "active"


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
    answer = await propose(desk, WhoIs(client="Acme"), "who is Acme?")
    assert answer.say.splitlines()[0] == "Acme GmbH: active."
    assert "- Email: billing@acme.example" in answer.say
    assert "- Open: 2026-0001, 119.00 EUR, due 5 December 2026" in answer.say
    assert "- Anna prefers short mails (21 November 2026)" in answer.say
    assert "- You owe us 9,000 (words of a client)" in answer.say
    assert [source.ref for source in answer.sources] == ["record:client:acme@1", "memory:1", "memory:2"]


async def test_nobody_known_is_said_plainly() -> None:
    assert "know nobody called 'Globex'" in (await propose(PaperDesk(), WhoIs(client="Globex"))).say
    assert (await propose(PaperDesk(), WhoIs(client="Acmee"), "who is Acmee?")).choices[0].text == "who is Acme GmbH?"
    assert (await propose(PaperDesk(), WhoIs())).say.startswith("1 client:")


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
    proposal = await propose(desk, wish, text)
    assert proposal.calls, proposal
    assert proposal.calls[0].needs == {"client:acme": 1}
    desk.confirm(proposal)
    assert desk.record("client", "acme").data == {**before, **changed}


async def test_half_an_address_is_not_written_down() -> None:
    proposal = await propose(PaperDesk(), UpdateClient(client="Acme"), "update Acme email billing(at)acme")
    assert "cannot read 'billing(at)acme' as email" in proposal.ask
    assert "What shall I change" in (await propose(PaperDesk(), UpdateClient(client="Acme"), "change Acme")).ask


async def test_a_proposal_is_mailed_and_recorded() -> None:
    desk = PaperDesk()
    wish = SendProposal(client="Acme", what="the redesign", amount=Money(Decimal(4500)))
    proposal = await propose(desk, wish, "send Acme a proposal for the redesign, 4,500")
    (mail,) = proposal.calls
    assert mail.args["to"] == ["billing@acme.example"]
    assert "4,500.00 EUR plus VAT" in mail.args["body"]
    assert "until 21 December 2026" in mail.args["body"]
    desk.confirm(proposal)
    assert desk.record("proposal", "acme-redesign").data["status"] == "sent"
    assert proposal.remember == (), "nothing was sent yet, so there is nothing to remember"


async def test_a_model_may_reword_but_not_reprice() -> None:
    wish = SendProposal(client="Acme", what="the redesign", amount=Money(Decimal(4500)))
    desk = PaperDesk()
    draft = (await propose(desk, wish)).calls[0].args["body"]
    desk.thoughts = [Thought(text=draft.replace("Thank you", "Many thanks"), model="m")]
    better = await propose(desk, wish)
    assert "Many thanks" in better.calls[0].args["body"]
    assert any("unchanged" in reason for reason in better.reasons)
    desk.thoughts = [Thought(text=draft.replace("4,500.00", "4,000.00"), model="m")]
    worse = await propose(desk, wish)
    assert worse.calls[0].args["body"] == draft
    assert any("4,000.00, 4,500.00" in reason for reason in worse.reasons)


async def test_a_lead_with_an_address_gets_a_proposal_and_a_record() -> None:
    desk = PaperDesk()
    wish = SendProposal(client="Globex", email="h@globex.example", what="the app")
    desk.confirm(await propose(desk, wish))
    assert desk.record("client", "globex").data["status"] == "lead"
    assert (await propose(desk, SendProposal(client="Hooli", what="x"), "quote Hooli")).ask


async def test_onboarding_welcomes_and_plans_the_check_ins() -> None:
    desk = PaperDesk()
    proposal = await propose(desk, Onboard(client="Acme", plan="Pro"))
    assert [call.name for call in proposal.calls] == ["books.write", "mail.send", "books.remind", "books.remind"]
    assert [call.args["when"][:10] for call in proposal.calls[2:]] == ["2026-11-24", "2026-12-05"]
    assert all(datetime.fromisoformat(call.args["when"]).tzinfo for call in proposal.calls[2:])
    assert "You have chosen Pro." in proposal.calls[1].args["body"]
    desk.confirm(proposal)
    assert desk.record("client", "acme").data["onboarded"] == "2026-11-21"


async def test_a_follow_up_is_written_now_or_remembered_for_later() -> None:
    desk = PaperDesk()
    desk.confirm(await propose(desk, SendProposal(client="Acme", what="the redesign")))
    now = await propose(desk, FollowUp(client="Acme"), "follow up with Acme")
    assert "I sent you my proposal on 21 November 2026." in now.calls[0].args["body"]
    assert now.calls[0].args["subject"] == "Following up: redesign"
    later = await propose(desk, FollowUp(client="Acme", when=NOW.replace(day=24)), "follow up with Acme on Tuesday")
    assert later.calls[0].name == "books.remind"
    assert later.calls[0].args == {"text": "Follow up with Acme GmbH", "when": "2026-11-24T10:00:00+01:00"}


async def test_a_mail_says_what_the_operator_said() -> None:
    said = "write Acme that the draft is ready on Friday"
    proposal = await propose(PaperDesk(), WriteMail(client="Acme"), said)
    assert proposal.calls[0].args["body"].split("\n\n")[:2] == ["Hello Anna,", "The draft is ready on Friday."]
    assert proposal.calls[0].args["subject"] == "The draft is ready on Friday"
    assert proposal.reasons == ()
    typed = await propose(PaperDesk(), WriteMail(email="bob@x.example", what="hello there"))
    assert typed.calls[0].args["to"] == ["bob@x.example"]
    assert (await propose(PaperDesk(), WriteMail(client="Acme"), "write Acme")).ask.startswith("What shall the mail")
    assert (await propose(PaperDesk(), WriteMail(what="hi"))).ask == "To whom shall I write?"


async def test_a_client_without_an_address_is_not_written_to() -> None:
    desk = PaperDesk(clients={"acme": {"name": "Acme"}})
    for wish in (WriteMail(client="Acme", what="hi"), FollowUp(client="Acme"), Onboard(client="Acme")):
        proposal = await propose(desk, wish)
        assert "no e-mail address for Acme" in proposal.ask
        assert not proposal.calls
    desk = PaperDesk(clients={"acme": client("Acme")})
    assert (await propose(desk, Onboard(client="Acme"))).calls
