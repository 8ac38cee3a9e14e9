"""A language is one file in `agents/slots/words`: its values, its small words, and how requests are said in it.

To add one, write ``words/xx.py`` with a `LANGUAGE`, from `words/de.py`, and a line for each request to `SAID` below.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from agents.slots import find_spans
from agents.slots.language import codes, language, spoken
from agents.slots.words import de, en
from bot.intents import Reading, Understanding
from bot.reading.manners import is_conditional, is_negated
from bot.testing import understanding

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 19, 10, 0, tzinfo=ZONE)  # a Thursday
CLIENTS = [("acme", "Acme GmbH"), ("initech", "Initech Ltd")]

SAID = {
    "de": [
        (
            "Rechnung an Acme über 1.200 Euro für den März",
            "invoice",
            {"client": "Acme", "amount": "1200.00 EUR", "what": "März"},
        ),
        (
            "stell Acme 1.500,50 € für die Beratung in Rechnung",
            "invoice",
            {"client": "Acme", "amount": "1500.50 EUR", "what": "Beratung"},
        ),
        (
            "Rechnung an Acme 900 Euro, zahlbar in 30 Tagen",
            "invoice",
            {"client": "Acme", "amount": "900.00 EUR", "terms": "net 30"},
        ),
        (
            "stell Acme jeden Monat 500 Euro in Rechnung",
            "recurring_invoice",
            {"client": "Acme", "every": "FREQ=MONTHLY", "amount": "500.00 EUR"},
        ),
        ("storniere 2026-0001", "cancel_invoice", {"number": "2026-0001"}),
        ("schick Acme die Rechnung nochmal", "resend_invoice", {"client": "Acme"}),
        ("zeig mir die letzte Rechnung an Acme", "show_invoice", {"client": "Acme"}),
        ("was ist noch offen?", "unpaid", {}),
        ("wer hat noch nicht bezahlt?", "unpaid", {}),
        ("Acme hat 500 Euro überwiesen", "mark_paid", {"client": "Acme", "amount": "500.00 EUR"}),
        ("schick Initech eine Mahnung", "remind_debtor", {"client": "Initech"}),
        ("wie viel habe ich letzten Monat verdient?", "revenue", {"period": "2026-10-01/2026-10-31"}),
        (
            "Angebot an Acme über 800 Euro für ein Logo",
            "send_proposal",
            {"client": "Acme", "amount": "800.00 EUR", "what": "Logo"},
        ),
        ("welche Angebote sind noch offen?", "offers", {}),
        (
            "erinnere mich morgen um 9 an den Anruf",
            "remind_me",
            {"what": "den Anruf", "when": "2026-11-20T09:00:00+01:00"},
        ),
        (
            "erinner mich jeden Freitag an die Zeiterfassung, bitte",
            "remind_me",
            {"what": "die Zeiterfassung", "every": "FREQ=WEEKLY;BYDAY=FR"},
        ),
        ("was steht morgen an?", "agenda", {"day": "2026-11-20"}),
        ("wann habe ich am Freitag Zeit?", "find_time", {"day": "2026-11-20"}),
        (
            "Termin mit Acme am Freitag um 10 Uhr",
            "book_meeting",
            {"client": "Acme", "when": "2026-11-20T10:00:00+01:00"},
        ),
        (
            "verschieb den Termin mit Acme auf Montag um 14 Uhr",
            "move_meeting",
            {"client": "Acme", "when": "2026-11-23T14:00:00+01:00"},
        ),
        ("sag den Termin mit Acme ab", "cancel_meeting", {"client": "Acme"}),
        (
            "schreib Acme, dass der Entwurf fertig ist",
            "write_mail",
            {"client": "Acme", "what": "der Entwurf fertig ist"},
        ),
        (
            "neuer Kunde Zedler GmbH, info@zedler.example",
            "add_client",
            {"name": "Zedler GmbH", "email": "info@zedler.example"},
        ),
        ("wer ist Initech?", "who_is", {"client": "Initech"}),
        ("merk dir, dass Acme keine Anrufe mag", "remember", {"what": "Acme keine Anrufe mag"}),
        ("was wartet auf mich?", "approvals", {}),
        ("2.1 freigeben", "approve", {"card": "2.1"}),
        ("2.1 ablehnen", "reject", {"card": "2.1"}),
        ("guten Morgen", "digest", {}),
        ("Hilfe", "help", {}),
    ],
}


@pytest.fixture(scope="module")
def ready() -> Understanding:
    assert understanding().ready(300)
    return understanding()


def read(understanding: Understanding, text: str, locale: str = "en") -> Reading:
    return understanding.read(text, now=NOW, zone=ZONE, locale=locale, currency="EUR", clients=CLIENTS)


@pytest.mark.parametrize(
    ("code", "said"), [(code, said) for code, rows in SAID.items() for said in rows], ids=lambda each: each[0]
)
@pytest.mark.parametrize("locale", ["en", "de_DE"])
def test_requests_are_read_in_it_wherever_the_operator_lives(
    ready: Understanding, code: str, said: tuple[str, str, dict[str, str]], locale: str
) -> None:
    text, intent, slots = said
    reading = read(ready, text, locale)

    assert (reading.intent, reading.slots) == (intent, slots)
    assert spoken(text, locale)[:2] == code or not find_spans(text, NOW, ZONE, locale)


@pytest.mark.parametrize("code", [code for code in codes() if code != "en"])
def test_a_language_says_at_least_twenty_intents_that_there_are(ready: Understanding, code: str) -> None:
    said = language(code).said

    assert set(said) <= set(ready.intents)
    assert len(said) >= 20
    assert {intent for _, intent, _ in SAID[code]} <= set(said)


@pytest.mark.parametrize("code", [code for code in codes() if code != "en"])
def test_no_form_is_said_by_two_intents(code: str) -> None:
    forms = [form for forms in language(code).said.values() for form in forms]

    assert sorted(form for form in forms if forms.count(form) > 1) == []


def test_what_turns_a_request_round_does_so_wherever_it_stands(ready: Understanding) -> None:
    for said in (
        "Rechnung an Acme noch nicht schicken",
        "bitte keine Mahnung an Acme",
        "schick Acme keine Rechnung über 300 Euro",
    ):
        assert is_negated(said), said
        assert not read(ready, said).intent, said
    for said in ("wer hat noch nicht bezahlt?", "vergiss nicht: Miete am Freitag", "wenn Acme nicht zahlt, mahne sie"):
        assert not is_negated(said), said
    assert is_conditional("wenn Acme nicht zahlt, mahne sie")


def test_a_message_is_read_by_the_language_it_is_written_in_and_english_by_the_operators_numbers() -> None:
    assert spoken("was ist noch offen", "en_GB") == "de"
    assert spoken("what is still open", "de_DE") == "en"
    assert spoken("invoice Acme 1.200,50", "de_DE") == "en"
    assert spoken("Acme 1.200,50", "de_DE") == "de_DE"
    [amount] = find_spans("Rechnung an Acme über 1.200 Euro", NOW, ZONE, "en_US")
    assert str(amount.value) == "1200.00 EUR"
    [amount] = find_spans("invoice Acme 1.200,50 euros please", NOW, ZONE, "de_DE")
    assert str(amount.value) == "1200.50 EUR"


def test_a_choice_in_a_form_is_spelled_out() -> None:
    made = replace(en.LANGUAGE, requests={"help": ("[hjälp|hjälp mig] [nu|]",)})

    assert made.said == {"help": ("hjälp nu", "hjälp", "hjälp mig nu", "hjälp mig")}
    assert de.LANGUAGE.said["approve"] == (
        "{card} freigeben",
        "gib {card} frei",
        "genehmige {card}",
        "{card} genehmigen",
    )
