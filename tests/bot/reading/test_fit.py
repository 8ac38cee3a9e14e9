"""Slots of an intent from the spans of a message."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import pytest

from agents.base import Intent
from agents.slots import ClientName, Day, Email, Every, InvoiceNumber, Moment, Money, Period, Span, Terms, find_spans
from bot.reading.fit import Fitted, fit
from bot.reading.names import Directory

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 19, 10, tzinfo=ZONE)
NAMES = Directory.of([("acme", "Acme")])


class Bill(Intent):
    """Bill."""

    client: ClientName
    amount: Money | None = None
    terms: Terms | None = None
    due: Day | None = None
    number: InvoiceNumber | None = None


class Meet(Intent):
    """Meet."""

    when: Moment
    day: Day | None = None
    span: Span | None = None
    email: Email | None = None


class Look(Intent):
    """Look."""

    period: Period | None = None
    every: Every | None = None
    how: Literal["", "table", "chart"] = ""
    count: int = 0
    query: str = ""


def fitted(intent: type[Intent], text: str, currency: str = "EUR") -> Fitted:
    spans = find_spans(text, NOW, ZONE, "en_GB")
    named = NAMES.find(text)
    kept = [slot for slot in spans if not any(slot.overlaps(name) for name in named)]
    return fit(intent, text, [*kept, *named], NOW, ZONE, currency)


def test_each_span_goes_where_its_kind_is_wanted() -> None:
    assert fitted(Bill, "bill Acme 900 for the logo, net 7").slots == {
        "client": "Acme", "amount": "900.00 EUR", "terms": "net 7",
    }  # fmt: skip


def test_a_currency_nobody_said_is_said_to_be_assumed() -> None:
    assert fitted(Bill, "bill Acme 900").assumed == ("900 read as EUR.",)
    assert fitted(Bill, "bill Acme 900 USD").assumed == ()
    assert fitted(Bill, "bill Acme 900", currency="").slots["amount"] == "900.00"


@pytest.mark.parametrize(
    "text",
    [
        "bill Acme 1.200",
        "bill Acme 900 eur or 950 eur",
        "bill Acme about 900",
        "bill Acme 90/hour",
        "bill Acme 500 600",
    ],
)
def test_an_amount_in_doubt_is_asked_for(text: str) -> None:
    found = fitted(Bill, text)

    assert found.ask
    assert found.missing == "amount"
    assert "amount" not in found.slots


@pytest.mark.parametrize("text", ["bill Acme for 3 licences", "bill Acme for phase 2", "bill Acme for card 12"])
def test_a_counted_or_numbered_thing_is_no_amount(text: str) -> None:
    assert "amount" not in fitted(Bill, text).slots


def test_an_invoices_number_is_no_amount() -> None:
    assert fitted(Bill, "credit Acme for invoice 12").slots == {"client": "Acme", "number": "12"}


def test_a_missing_required_slot_is_asked_for() -> None:
    found = fitted(Bill, "bill 900")

    assert (found.missing, found.slots) == ("client", {"amount": "900.00 EUR"})


def test_a_day_becomes_a_moment_in_the_morning_and_says_so() -> None:
    found = fitted(Meet, "meet on Friday")
    assert found.slots == {"day": "2026-11-20"} or found.slots["when"].startswith("2026-11-20")

    assert fitted(Meet, "meet on Friday at 3pm").slots == {"when": "2026-11-20T15:00:00+01:00"}


def test_what_is_moved_goes_to_its_goal() -> None:
    assert fitted(Meet, "move it from Monday 9am to Friday at 3pm").slots["when"].startswith("2026-11-20T15:00")


def test_a_past_month_is_no_due_date() -> None:
    assert "due" not in fitted(Bill, "bill Acme 900 for March").slots


def test_choices_and_counts_are_read_too() -> None:
    assert fitted(Look, "show 5 of last month as a chart").slots == {
        "period": "2026-10-01/2026-10-31", "how": "chart", "count": 5,
    }  # fmt: skip


def test_quoted_words_are_taken_as_they_stand() -> None:
    assert fitted(Look, 'look for "net 30 or so, maybe"').slots["query"] == "net 30 or so, maybe"


class Offer(Intent):
    """Offer."""

    client: ClientName
    what: str = ""
    amount: Money | None = None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("propose Acme a website relaunch for 4,000 EUR", "a website relaunch"),
        ("propose Acme a website relaunch, 4,000 EUR", "a website relaunch"),
        ("offer Acme two days of training at 900 euros", "two days of training"),
        ("propose a website relaunch to Acme for 4,000 EUR", "a website relaunch"),
        ("bill Acme for the logo, 900 euros", "the logo"),
        ("bill Acme 900 euros for the logo", "the logo"),
        ("bill Acme for 900 euros", ""),
        ("bill Acme 900 euros", ""),
        ("bill Acme the 900 euros", ""),
        ("send Acme an invoice for 900 euros", ""),
        ("send Acme an invoice for the logo, 900 euros", "the logo"),
        ("bill Acme for the March retainer 900 euros", "the March retainer"),
        ("bill Acme 900 euros for the March retainer, net 14", "the March retainer"),
        ("Acme paid 900 euros", ""),
        ("Acme wired us 900 euros", ""),
        ("send an invoice to Acme over 900 euros", ""),
    ],
)
def test_for_how_much_is_not_for_what(text: str, what: str) -> None:
    found = fitted(Offer, text)

    assert found.slots.get("what", "") == what
    assert found.slots["client"] == "Acme"
    assert str(found.slots["amount"]).startswith(("900", "4000"))


class Keep(Intent):
    """Keep."""

    patterns = ("keep {what}", "keep in mind that {what}")
    what: str


class New(Intent):
    """New."""

    name: str
    email: Email | None = None
    terms: Terms | None = None


class Post(Intent):
    """Post."""

    topic: str = ""


def test_what_is_kept_is_everything_after_the_word_that_keeps_it() -> None:
    assert fitted(Keep, "keep Globex wants paper to be sent to their office").slots == {
        "what": "Globex wants paper to be sent to their office"
    }
    assert fitted(Keep, "Keep in mind that Acme pays late").slots == {"what": "Acme pays late"}


def test_a_new_name_ends_where_values_are_listed() -> None:
    text = "Pinehill Farm, hello@pinehill.example, net 30"
    spans = find_spans(text, NOW, ZONE, "en_GB")

    found = fit(New, text, spans, NOW, ZONE, "EUR", {"name": text})

    assert found.slots == {"name": "Pinehill Farm", "email": "hello@pinehill.example", "terms": "net 30"}


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("draft a post about the Acme menu", "the Acme menu"),
        ("draft a post about the March sale", "the March sale"),
        ("draft a post about lamps starting tomorrow", "lamps"),
        ("draft a post about lamps for Acme", "lamps"),
    ],
)
def test_a_name_inside_a_thing_is_part_of_it_and_at_its_edge_is_not(text: str, topic: str) -> None:
    assert fitted(Post, text).slots.get("topic") == topic


def test_numbers_that_no_slot_wants_are_a_question_and_no_crash() -> None:
    assert "Which" in fitted(Bill, "bill Acme 5 maybe 7 for it").ask


def test_a_house_and_a_post_code_are_no_amounts() -> None:
    for said in ("Acme moved to Baker Street 5, 10115 Berlin", "Acme zieht um: Hafenstr. 5, 20457 Hamburg"):
        assert fitted(Bill, said).slots == {"client": "Acme"}


def test_somebodys_mail_names_somebody() -> None:
    spans = find_spans("reply to Acme's mail", NOW, ZONE, "en_GB")

    assert (
        fit(Bill, "reply to Acme's mail", spans, NOW, ZONE, "EUR", {"client": "Acme's mail"}).slots["client"] == "Acme"
    )


def test_what_lies_in_the_past_is_no_day_to_pay_by() -> None:
    assert "due" not in fitted(Bill, "bill Acme 350 for the shoot yesterday").slots
    assert fitted(Bill, "bill Acme 350 for the shoot tomorrow").slots["due"] == "2026-11-20"


def test_days_at_the_end_are_terms_and_days_of_work_are_not() -> None:
    assert fitted(Bill, "bill Acme 900 for the audit, 30 days").slots["terms"] == "net 30"
    assert "terms" not in fitted(Bill, "bill Acme for 3 days at 800").slots
    assert "terms" not in fitted(Bill, "bill Acme 900, 2 hours").slots


def test_a_house_number_is_no_amount() -> None:
    assert "amount" not in fitted(Bill, "Acme moved to Harbour Street 9").slots
    assert fitted(Bill, "bill Acme 9").slots["amount"] == "9.00 EUR"


def test_a_name_on_no_book_is_taken_from_where_it_must_stand() -> None:
    assert fitted(Bill, "a bill for tallgrass bikes, 300").slots["client"] == "tallgrass bikes"
    assert fitted(Bill, "a bill for the usual").ask
    assert "client" not in fitted(Bill, "sign off with Cheers, Sam").slots


def test_so_far_ends_today() -> None:
    assert fitted(Look, "numbers for november so far").slots["period"] == "2026-11-01/2026-11-19"
    assert fitted(Look, "numbers for november").slots["period"] == "2026-11-01/2026-11-30"
