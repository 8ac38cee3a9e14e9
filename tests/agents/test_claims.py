"""What a text claims of due days, meetings, prices, shares and sources. Lies and twins by the dozen: test_verifier_drafts.py."""

from __future__ import annotations

import pytest

from agents import claims
from agents.base import ActionCall
from agents.correspondence import WriteMail
from memory.events import Write
from tests.agents.desk import PaperDesk, task
from tests.agents.test_verifier_drafts import office

SOURCE = "The market grew in 2025. Sales grew by 4 % against the year before. Costs fell by 3 %."
ASKED = task(WriteMail(client="Acme"), "write Acme")
ACME = (ActionCall(name="mail.send", client="acme"),)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("Sales grew by 4 % [1].", ""),
        ("Sales fell by 4 % [1].", "the source says the opposite"),
        ("Costs fell by 3 % [1].", ""),
        ("Costs rose by 3 % [1].", "the source says the opposite"),
        ("Sales grew by 40 % [1].", "for 40, which the source does not say"),
        ("Sales grew by 40 %.", ""),
    ],
)
def test_a_mark_stands_for_what_its_source_says(text: str, wrong: str) -> None:
    found = list(claims.borne(text, SOURCE))
    assert bool(found) == bool(wrong)
    assert all(wrong in each for each in found)
    assert list(claims.borne(text, "")) == [], "without a source there is nothing to hold it against"


@pytest.mark.parametrize(
    "text",
    [
        "Could our meeting be on 25 November 2026?", "I suggest to move the meeting to 25 November 2026.",
        "Our meeting was on 3 November 2026.", "The office is closed on 25 November 2026.",
        "We got your payment for 2026-0001 on 20 November 2026, thank you.", "In 30 days I am back.",
    ],
)  # fmt: skip
def test_what_claims_nothing_of_the_books_is_not_held_against_them(text: str) -> None:
    desk = office()
    assert [*claims.due(text, ACME, desk), *claims.appointed(text, ACME, ASKED, desk)] == []


def test_what_the_operator_said_of_a_day_may_be_said() -> None:
    said = task(WriteMail(client="Acme"), "write Acme that our meeting is on 25 November")
    text = "Our meeting is on 25 November 2026."
    assert list(claims.appointed(text, ACME, said, office())) == []
    assert len(list(claims.appointed(text, ACME, ASKED, office()))) == 1


def test_a_price_of_a_clients_own_goes_before_the_usual_one() -> None:
    desk = office()
    desk.write(Write(kind="fact", key="acme-rate", data={"text": "Acme's day rate is 800 EUR", "client": "acme"}))
    assert list(claims.prices("Your day rate is 800 EUR.", "acme", ASKED, desk)) == []
    assert len(list(claims.prices("Your day rate is 800 EUR.", "globex", ASKED, desk))) == 1
    assert (
        list(
            claims.prices(
                "The day rate is 800 EUR.", "globex", task(WriteMail(client="x"), "the day rate is 800"), desk
            )
        )
        == []
    )


def test_a_share_nobody_knows_is_named_and_the_tax_rate_is_known() -> None:
    desk = PaperDesk()
    assert list(claims.shares("Plus 19 % VAT, 100 % in advance.", (), ASKED, desk)) == []
    assert list(claims.shares("Plus 7 % VAT.", (), ASKED, desk)) == [
        "It says 7 %, which no record, no note and no word of yours says."
    ]
    assert list(claims.shares("Plus 7 % VAT.", ["7 % · 12.00 EUR"], ASKED, desk)) == []
