"""Freelance consultant: an intake form becomes a proposal, a yes, an invoice, and a project with checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stories.company import approve, arrives, company, ends_well, mail, records, sent, weather

FORM = {"name": "Hank Scorpio", "company": "Globex", "email": "h@globex.example", "need": "Website relaunch"}
WORDED = "Hello Hank, here is what I propose."  # loses the facts, so it is put away


@pytest.mark.parametrize("name", weather("a model"))
async def test_an_enquiry_ends_in_an_invoice_and_a_project(tmp_path: Path, name: str) -> None:
    async with company(tmp_path, name, WORDED) as house:
        await arrives(house, "webhooks", "form", FORM)
        assert house.card().state == "pending", "whatever came from outside, nothing goes out by itself"
        assert sent(house) == []
        await approve(house)
        assert [each["To"] for each in sent(house)] == ["h@globex.example"]
        await approve(house)  # the follow-up
        await house.operator("send Globex a proposal for the website relaunch, 4,500 EUR")
        assert "4,500.00 EUR" in house.card().body
        await approve(house)

        await arrives(house, "mail", "mail", mail("Hank", "h@globex.example", "Re: Proposal"), "We accept, go ahead!")
        house.expects("This reads like a yes")
        assert len(records(house, "invoice")) == 0
        await house.operator("Globex accepted the proposal")
        house.expects("1. invoice: client globex")
        await house.restart() if name == "no model" else None
        await house.operator("go")
        facts = {row.label: row.value for row in house.card().rows}
        assert (facts["Number"], facts["Amount"], facts["To"]) == ("2026-0001", "5,355.00 EUR", "h@globex.example")
        await approve(house)
        assert [each["status"] for each in records(house, "invoice")] == ["sent"]
        assert len(records(house, "project")) == 1
        assert "accepted" in {each["status"] for each in records(house, "proposal")}

        why = house.machine.history.why(5)
        for part in ("Globex accepted the proposal", "Playbook engagement", "19 % VAT", "approved it on web"):
            assert part in why
        await house.later(days=12)
        house.expects("Reminder: Follow up with Globex", "Reminder: First draft")
        ends_well(house)
