"""What comes from outside becomes facts: one line each, cleaned, and believed by nobody."""

import pytest

from agents.percept import NAME_MAX, NEED_MAX, perceive
from tests.agents.desk import PaperDesk

MAIL = {
    "message_id": "<1@acme.example>", "from": {"name": "Anna Berg", "address": "billing@ACME.example"},
    "reply_to": [{"name": "", "address": "evil@elsewhere.example"}], "subject": "Question", "references": [],
    "thread": "<1@acme.example>", "automatic": False, "from_ourselves": False,
}  # fmt: skip


def test_a_mail_is_answered_to_its_author_and_not_to_reply_to() -> None:
    percept = perceive(MAIL, "Hello", PaperDesk())
    assert percept.kind == "mail"
    assert percept.sender == "billing@acme.example"
    assert percept.client.key == "acme"
    assert "elsewhere" not in str(percept.facts)


def test_a_form_and_a_providers_event_give_the_same_facts() -> None:
    form = perceive({"Name": "Hank", "E-Mail": "x", "email": "h@globex.example", "Company": "Globex"}, "", PaperDesk())
    assert (form.kind, form.sender, form.facts["company"]) == ("form", "h@globex.example", "Globex")
    event = {
        "type": "checkout.session.completed",
        "data": {"object": {"customer_details": {"email": "h@globex.example", "name": "Hank"}, "plan": "Pro"}},
    }
    bought = perceive(event, "", PaperDesk(), "stripe.checkout.session.completed")
    assert (bought.kind, bought.facts["plan"]) == ("stripe.checkout.session.completed", "Pro")
    assert perceive(event, "", PaperDesk()).kind == "form"
    assert bought.client is None


@pytest.mark.parametrize(
    "address", ["not an address", "a@b", "a@x.example\nBcc: b@y.example", "", 7, None, ["x"], {"a": {}}]
)
def test_a_bad_address_is_no_address(address: object) -> None:
    percept = perceive({"email": address, "name": "X"}, "", PaperDesk())
    assert percept.sender == ""
    assert "email" not in percept.facts


def test_long_and_hidden_text_is_cut_and_cleaned() -> None:
    percept = perceive({"name": "A\u202eB\x00" + "x" * 500, "need": "n\n" * 500}, "q\u200b" * 5000, PaperDesk())
    assert len(percept.facts["name"]) == NAME_MAX
    assert percept.facts["name"].startswith("ABx")
    assert "\n" not in percept.facts["need"]
    assert len(percept.facts["need"]) <= NEED_MAX
    assert "\u200b" not in percept.quote


@pytest.mark.parametrize(
    "more",
    [
        {"automatic": True},
        {"from_ourselves": True},
        {"auto_submitted": "auto-replied"},
        {"precedence": "bulk"},
        {"list_id": "x"},
    ],
)
def test_a_machine_is_known_as_one(more: dict[str, object]) -> None:
    assert perceive({**MAIL, **more}, "", PaperDesk()).automatic
    assert not perceive({**MAIL, "auto_submitted": "no"}, "", PaperDesk()).automatic


def test_deep_json_is_not_followed_for_ever() -> None:
    deep: dict[str, object] = {}
    inner = deep
    for _ in range(500):
        inner["x"] = {}
        inner = inner["x"]  # type: ignore[assignment]
    inner["email"] = "h@globex.example"
    assert perceive(deep, "", PaperDesk()).sender == ""
