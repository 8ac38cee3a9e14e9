"""Correspondence: a mail says what the operator said, to somebody who has an address."""

from agents.correspondence import FollowUp, WriteMail
from agents.onboarding import Onboard
from agents.proposals import SendProposal
from tests.agents.desk import NOW, PaperDesk, answered, client


async def test_a_follow_up_is_written_now_or_remembered_for_later() -> None:
    desk = PaperDesk()
    desk.confirm(await answered(desk, SendProposal(client="Acme", what="the redesign")))
    now = await answered(desk, FollowUp(client="Acme"), "follow up with Acme")
    assert "I sent you my proposal on 21 November 2026." in now.calls[0].args["body"]
    assert now.calls[0].args["subject"] == "Following up: redesign"
    later = await answered(desk, FollowUp(client="Acme", when=NOW.replace(day=24)), "follow up with Acme on Tuesday")
    assert later.calls[0].name == "books.remind"
    assert later.calls[0].args == {"text": "Follow up with Acme GmbH", "when": "2026-11-24T10:00:00+01:00"}


async def test_a_mail_says_what_the_operator_said() -> None:
    said = "write Acme that the draft is ready on Friday"
    proposal = await answered(PaperDesk(), WriteMail(client="Acme"), said)
    assert proposal.calls[0].args["body"].split("\n\n")[:2] == ["Hello Anna,", "The draft is ready on Friday."]
    assert proposal.calls[0].args["subject"] == "The draft is ready on Friday"
    assert proposal.reasons == ()
    typed = await answered(PaperDesk(), WriteMail(email="bob@x.example", what="hello there"))
    assert typed.calls[0].args["to"] == ["bob@x.example"]
    assert (await answered(PaperDesk(), WriteMail(client="Acme"), "write Acme")).ask.startswith("What shall the mail")
    assert (await answered(PaperDesk(), WriteMail(what="hi"))).ask == "To whom shall I write?"


async def test_a_client_without_an_address_is_not_written_to() -> None:
    desk = PaperDesk(clients={"acme": {"name": "Acme"}})
    for wish in (WriteMail(client="Acme", what="hi"), FollowUp(client="Acme"), Onboard(client="Acme")):
        proposal = await answered(desk, wish)
        assert "no e-mail address for Acme" in proposal.ask
        assert not proposal.calls
    desk = PaperDesk(clients={"acme": client("Acme")})
    assert (await answered(desk, Onboard(client="Acme"))).calls
