"""The company's stories, agent by agent, with no model: what one finds is what the next one needs.

The plans are run here as the runner runs them: steps in the order of their needs, references from results.
"""

from typing import Any

from agents import discover
from agents.base import Intent, Proposal, Task
from agents.plan import reference, staff
from agents.verifier import check
from memory.events import Origin, Step
from tests.agents.desk import PaperDesk
from tests.agents.test_percept import MAIL

AGENTS = {name: agent() for name, agent in discover().items()}
STAFF = staff()


async def run(desk: PaperDesk, steps: tuple[Step, ...], **more: Any) -> list[Proposal]:
    """Carry out a plan; every call is confirmed, as if each card was approved."""
    results: dict[str, dict[str, Any]] = {}
    done: list[Proposal] = []
    for step in steps:
        assert all(need in results for need in step.needs)
        slots = {
            name: results[ref[0]].get(ref[1]) if (ref := reference(value)) else value
            for name, value in step.inputs.items()
        }
        intent = STAFF[step.intent].intent.model_validate(slots)
        work = Task(id="1", step=step.id, intent=intent, results=results, **more)
        proposal = await AGENTS[step.agent].work(work, desk)
        assert not proposal.problem, proposal.problem
        assert {call.name for call in proposal.calls} <= set(AGENTS[step.agent].proposes)
        assert not [w for w in check(proposal.calls, work, desk) if "not on the books" not in w]
        if proposal.calls:
            desk.confirm(proposal)
        results[step.id] = dict(proposal.results)
        done.append(proposal)
    return done


async def arrives(desk: PaperDesk, kind: str, item: dict[str, Any], text: str = "") -> list[Proposal]:
    outside: dict[str, Any] = {"item": item, "item_text": text, "item_kind": kind, "origin": Origin.STRANGER}
    heard = await AGENTS["perception"].work(Task(id="1", step="s1", intent=Intent(), **outside), desk)
    return await run(desk, heard.plan, **outside)


async def says(desk: PaperDesk, intent: str, text: str, **slots: Any) -> Proposal:
    duty = STAFF[intent]
    work = Task(id="1", step="s1", intent=duty.intent.model_validate(slots), text=text)
    return await AGENTS[duty.agent].work(work, desk)


async def test_a_consultants_enquiry_ends_in_an_invoice_and_a_project() -> None:
    desk = PaperDesk(clients={})
    form = {"name": "Hank Scorpio", "company": "Globex", "email": "h@globex.example", "need": "Website relaunch"}
    offer, later = await arrives(desk, "form", form)
    assert offer.calls[0].args["to"] == ["h@globex.example"]
    assert later.calls[0].args["text"] == "Follow up with Globex on the proposal"
    desk.confirm(
        await says(desk, "send_proposal", "quote Globex 4,500", client="Globex", what="Website", amount="4500.00")
    )

    yes = {**MAIL, "from": {"name": "Hank", "address": "h@globex.example"}}
    (answer,) = await arrives(desk, "mail", yes, "We accept, go ahead!")
    assert answer.calls == ()
    assert answer.choices[0].text == "Globex accepted the proposal"

    plan = await says(desk, "make_plan", answer.choices[0].text, client="Globex", amount="4500.00 EUR")
    bill, work = await run(desk, plan.plan)
    assert bill.calls[0].args["amount"] == "5355.00 EUR"
    assert work.calls[0].name == "books.write"
    assert [record.data["status"] for record in desk.records("invoice")] == ["sent"]
    assert len(desk.records("project")) == 1
    assert "accepted" in {record.data["status"] for record in desk.records("proposal")}


async def test_a_new_subscriber_is_welcomed_and_checked_in_on() -> None:
    desk = PaperDesk(clients={})
    item = {
        "told": {"customer_details": {"email": "h@globex.example", "name": "Globex"}},
        "plan": "Pro",
        "reference": "",
    }
    (welcome,) = await arrives(desk, "stripe.checkout.session.completed", item)
    assert [call.name for call in welcome.calls] == ["books.write", "mail.send", "books.remind", "books.remind"]
    client = desk.record("client", "globex").data
    assert (client["status"], client["plan"], client["email"]) == ("active", "Pro", "h@globex.example")


async def test_a_mail_is_enriched_matched_and_answered() -> None:
    desk = PaperDesk()
    desk.confirm(await says(desk, "invoice", "invoice Acme 100", client="Acme", amount="100.00", what="Logo"))
    (reply,) = await arrives(desk, "mail", MAIL, "Could you resend the invoice please?")
    assert reply.results["risk"] == "low"
    assert "invoice 2026-0001 over 119.00 EUR" in reply.calls[0].args["body"]
    (trouble,) = await arrives(desk, "mail", {**MAIL, "thread": "<9@x>"}, "The site is down!")
    assert trouble.results["risk"] == "high"


async def test_a_brief_becomes_a_draft_and_then_a_post() -> None:
    desk = PaperDesk()
    plan = await says(desk, "make_plan", "write and publish a post about our summer fair")
    draft, post = await run(desk, plan.plan)
    assert draft.calls[0].writes[0].data["status"] == "draft"
    assert post.calls[0].args["text"] == "Our summer fair."
    assert desk.records("post")[0].data["status"] == "published"
