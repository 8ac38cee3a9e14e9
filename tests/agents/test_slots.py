"""The grammar of amounts, dates, terms and recurrences, and the slot types intents are declared with."""

from __future__ import annotations

import functools
import itertools
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel, ValidationError

from agents.base import smallest
from agents.slots import (
    ClientName,
    Day,
    Email,
    Every,
    InvoiceNumber,
    Moment,
    Money,
    Period,
    Slot,
    Span,
    Terms,
    find_spans,
)

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 19, 10, 0, tzinfo=ZONE)


@functools.cache
def rows() -> list[tuple[str, str, str]]:
    lines = (Path(__file__).parent / "slot_phrases.txt").read_text().splitlines()
    cells = [
        tuple(cell.strip(" ") for cell in line.split(" | ")) for line in lines if line and not line.startswith("#")
    ]
    return [(row[0], row[1], row[2]) for row in cells]


def written(slot: Slot) -> str:
    value = slot.value
    if value is None:
        assert slot.ask, f"{slot.text!r} has neither a value nor a question"
        return f"{slot.kind} ?"
    if isinstance(value, datetime):
        return f"{slot.kind} {value.astimezone(ZONE):%Y-%m-%dT%H:%M}"
    if isinstance(value, Decimal):
        return f"{slot.kind} {value.normalize():f}"
    if isinstance(value, Money) and value.amount != value.amount.quantize(smallest(value.currency)):
        return f"{slot.kind} {value.amount}"
    return f"{slot.kind} {value}"


def seen(text: str, locale: str) -> str:
    return " + ".join(written(slot) for slot in find_spans(text, NOW, ZONE, locale)) or "-"


def test_the_table_has_three_hundred_phrases() -> None:
    assert len(rows()) >= 300
    assert len({(locale, text) for locale, text, _ in rows()}) == len(rows())


@pytest.mark.parametrize(("locale", "text", "expected"), rows())
def test_every_phrase_of_the_table_is_read_as_it_says(locale: str, text: str, expected: str) -> None:
    assert seen(text, locale) == expected


def test_a_reading_says_where_it_stands_and_none_overlap() -> None:
    for locale, text, _ in rows():
        spans = find_spans(text, NOW, ZONE, locale)
        assert all(text[slot.start : slot.end] == slot.text for slot in spans)
        assert all(first.end <= second.start for first, second in itertools.pairwise(spans))


def test_what_can_mean_two_amounts_is_a_question_with_both() -> None:
    (slot,) = find_spans("1.200 eur", NOW, ZONE, "en_GB")

    assert slot.value is None
    assert "1,200" in slot.ask
    assert "1.2" in slot.ask


def test_the_direction_of_a_bare_weekday_is_said() -> None:
    (past,) = find_spans("Acme paid on Tuesday", NOW, ZONE, "en_GB")

    assert past.value == date(2026, 11, 17)
    assert past.assumed == ("Tuesday read as the last one, Tue 17 Nov 2026.",)
    (ahead,) = find_spans("Tuesday", NOW, ZONE, "en_GB", prefer="past")
    assert ahead.value == date(2026, 11, 17)


def test_a_bare_hour_is_a_working_hour_and_says_so() -> None:
    (slot,) = find_spans("Tuesday at 3", NOW, ZONE, "en_GB")

    assert slot.assumed == ("3 read as 15:00.",)


def test_a_local_time_keeps_its_wall_clock_over_the_change_to_summer_time() -> None:
    (slot,) = find_spans("29 March 2027 at 9am", NOW, ZONE, "en_GB")

    assert isinstance(slot.value, datetime)
    assert slot.value.utcoffset() == timedelta(hours=2)
    assert slot.value.time() == time(9)


def test_the_clock_of_the_operator_decides_which_day_it_is() -> None:
    late = datetime(2026, 11, 19, 23, 30, tzinfo=ZoneInfo("UTC"))  # already Friday in Berlin

    (slot,) = find_spans("today", late, ZONE, "en_GB")

    assert slot.value == date(2026, 11, 20)


@pytest.mark.parametrize(
    "text",
    [
        "9" * 5000,
        "€" * 4000,
        "1," * 2000,
        "net " * 900,
        "every " * 700,
        "\x00\u202e1,200",
        " " * 4000,
        "a hundred " * 400,
    ],
)
def test_hostile_text_is_read_quickly_and_without_an_error(text: str) -> None:
    start = datetime.now()  # noqa: DTZ005 - a coarse bound, only to catch runaway patterns
    find_spans(text, NOW, ZONE, "en_GB")
    assert datetime.now() - start < timedelta(seconds=2)  # noqa: DTZ005


@pytest.mark.parametrize("space", ["\u00a0", "\u202f", "'"])
def test_a_space_that_can_only_group_groups_everywhere(space: str) -> None:
    (slot,) = find_spans(f"1{space}200 €", NOW, ZONE, "en_GB")

    assert slot.value == Money(Decimal(1200), "EUR")


def test_an_unknown_locale_is_an_error_that_names_one() -> None:
    with pytest.raises(ValueError, match="en_GB"):
        find_spans("1,200", NOW, ZONE, "xx_nowhere")


def test_a_language_without_a_file_is_read_as_english_with_its_own_numbers() -> None:
    (slot,) = find_spans("1.200 EUR", NOW, ZONE, "it_IT")

    assert slot.value == Money(Decimal(1200), "EUR")


class Everything(BaseModel):
    amount: Money
    day: Day
    at: Moment
    terms: Terms
    span: Span
    every: Every
    period: Period
    email: Email
    client: ClientName
    number: InvoiceNumber


FULL = {
    "amount": "1200.00 EUR", "day": "2026-12-01", "at": "2026-12-01T09:00:00+01:00", "terms": "net 30 eom",
    "span": "PT45M", "every": "FREQ=MONTHLY;BYDAY=+1MO", "period": "2026-03-01/2026-03-31",
    "email": "Anna@Globex.Example", "client": "Acme", "number": "#inv 12",
}  # fmt: skip


def test_every_slot_type_reads_back_what_it_wrote() -> None:
    first = Everything.model_validate(FULL)
    again = Everything.model_validate(first.model_dump(mode="json"))

    assert again == first
    assert first.amount == Money(Decimal("1200.00"), "EUR")
    assert first.email == "Anna@globex.example"
    assert first.number == "INV-12"


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("amount", "1,200"),
        ("amount", "1200.00 euros"),
        ("terms", "soon"),
        ("span", "P"),
        ("every", "always"),
        ("period", "2026-03-31/2026-03-01"),
        ("email", "anna@"),
        ("at", "2026-12-01T09:00:00"),
    ],
)
def test_a_slot_type_refuses_what_is_not_canonical(field: str, wrong: str) -> None:
    with pytest.raises(ValidationError):
        Everything.model_validate({**FULL, field: wrong})


def test_an_unknown_currency_stays_unknown_until_somebody_says_it() -> None:
    money = Money.read("1200.00")

    assert money.currency == ""
    assert str(money.in_currency("EUR")) == "1200.00 EUR"
    assert str(Money.read("5.00 USD").in_currency("EUR")) == "5.00 USD"


@pytest.mark.parametrize(
    ("terms", "due"),
    [
        ("net 14", date(2026, 12, 3)),
        ("on receipt", date(2026, 11, 19)),
        ("eom", date(2026, 11, 30)),
        ("net 30 eom", date(2026, 12, 31)),
        ("by 2026-12-24", date(2026, 12, 24)),
        ("by 2020-01-01", date(2026, 11, 19)),
    ],
)
def test_terms_say_when_an_invoice_falls_due(terms: str, due: date) -> None:
    assert Terms.read(terms).due(date(2026, 11, 19)) == due


def test_three_months_from_the_last_of_november_is_the_last_of_february() -> None:
    assert Span.read("P3M").after(datetime(2026, 11, 30, 9, tzinfo=ZONE)).date() == date(2027, 2, 28)


def test_a_recurrence_keeps_the_wall_clock_over_the_change_to_summer_time() -> None:
    every = Every.read("FREQ=DAILY;BYHOUR=9;BYMINUTE=0")
    after = every.next(datetime(2027, 3, 27, 12, 0, tzinfo=ZONE))

    assert after == datetime(2027, 3, 28, 9, 0, tzinfo=ZONE)
    assert after.utcoffset() == timedelta(hours=2)


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("30% of 10k", "3000.00"), ("1/2 of 3000", "1500.00"), ("1/3 of 1000 euros", "333.33 EUR"), ("10 percent of the 1,200", "120.00"),
        ("30 % von 10.000 Euro", "3000.00 EUR"),
    ],
)  # fmt: skip
def test_a_share_of_a_sum_is_what_it_comes_to_and_says_so(said: str, value: str) -> None:
    [slot] = [slot for slot in find_spans(f"Acme {said}", NOW, ZONE, "en") if slot.kind == "money"]

    assert (str(slot.value), slot.text) == (value, said)
    assert f"{said} = {value}." in slot.assumed


def test_a_discount_and_a_page_are_no_share_of_a_sum() -> None:
    for said in ("10% off 2000", "page 3/4 for 200", "2026/1 of 300"):
        assert not any("=" in told for slot in find_spans(said, NOW, ZONE, "en") for told in slot.assumed), said


def test_a_reminder_about_what_was_paid_lies_ahead() -> None:
    [friday] = [
        slot.value
        for slot in find_spans("remind me friday to check if they paid", NOW, ZONE, "en")
        if slot.kind == "day"
    ]
    assert friday == date(2026, 11, 20)
    [friday] = [slot.value for slot in find_spans("they paid on friday", NOW, ZONE, "en") if slot.kind == "day"]
    assert friday == date(2026, 11, 13)
