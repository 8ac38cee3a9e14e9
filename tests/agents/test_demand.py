"""Demands: what a paper asks for is read as it says it, and what it leaves open stays open."""

from datetime import UTC, date, datetime

import pytest

from agents.demand import mentions, read

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
OURS = "DE02120300000000202051"
IBAN = "DE89370400440532013000"
ENGLISH = """Printer GmbH
Hafenstr. 5, 20457 Hamburg
Nora Lind Studio, Uferweg 1
Invoice 2026-118                     20 November 2026
1000 flyers A5      252.10 EUR
Subtotal 252.10 EUR
VAT 19 %  47.90 EUR
Total 300.00 EUR
Please pay by 5 December 2026 to IBAN DE89 3704 0044 0532 0130 00, BIC COBADEFFXXX.
"""
GERMAN = """Druckerei Müller & Söhne GmbH · Ring 2 · Köln
Rechnung Nr. RE-4711   Datum: 20.11.2026
Nettobetrag 1.000,00 €
19% USt 190,00 €
Gesamtbetrag 1.190,00 €
Zahlbar bis 04.12.2026 auf unser Konto, IBAN: DE89 3704 0044 0532 0130 00
"""
FRENCH = """Imprimerie du Port SARL
Facture n° F-2026-77
Total HT 200,00 €
TVA 40,00 €
Net à payer 240,00 €
Échéance : 05/12/2026
IBAN FR76 3000 6000 0112 3456 7890 189
"""


@pytest.mark.parametrize(
    ("paper", "expected"),
    [
        (ENGLISH, ("Printer GmbH", IBAN, "300.00 EUR", "2026-118", date(2026, 12, 5))),
        (GERMAN, ("Druckerei Müller & Söhne GmbH", IBAN, "1190.00 EUR", "RE-4711", date(2026, 12, 4))),
        (
            FRENCH,
            ("Imprimerie du Port SARL", "FR7630006000011234567890189", "240.00 EUR", "F-2026-77", date(2026, 12, 5)),
        ),
        (f"Please transfer 85 euros for the plants to {IBAN}, Rosa", ("", IBAN, "85.00 EUR", "", None)),
        (f"Kontoinhaber: Rosa Verde\nBetrag 85,00 €\n{IBAN}", ("Rosa Verde", IBAN, "85.00 EUR", "", None)),
    ],
)
def test_a_bill_is_read_in_three_languages(paper: str, expected: tuple[object, ...]) -> None:
    found = read(paper, NOW, ours=OURS, us="Nora Lind Studio", locale="en_GB")
    assert found is not None
    assert (found.payee, found.account, str(found.amount), found.number, found.due) == expected


@pytest.mark.parametrize(
    ("paper", "account", "amount"),
    [
        (f"Total 300.00 EUR. {IBAN} or GB29 NWBK 6016 1331 9268 19", "", "300.00 EUR"),
        (f"Total 300.00 EUR ... Total 350.00 EUR, {IBAN}", IBAN, "None"),
        (f"first 20 EUR, then 30 EUR, {IBAN}", IBAN, "None"),
        (f"3 flyers, page 2 of 7, {IBAN}", IBAN, "None"),
        (f"Total USD 300.00, {IBAN}", IBAN, "300.00 USD"),
    ],
)
def test_what_a_paper_says_in_two_ways_or_not_at_all_stays_open(paper: str, account: str, amount: str) -> None:
    found = read(paper, NOW)
    assert found is not None
    assert (found.account, str(found.amount)) == (account, amount)


@pytest.mark.parametrize(
    "paper", ["Hello, how are you?", f"Invoice 1, Total 5.00 EUR, {OURS}", "Total 5 EUR, DE88370400440532013000"]
)
def test_a_paper_that_names_no_account_of_others_is_no_bill(paper: str) -> None:
    assert read(paper, NOW, ours=OURS) is None


def test_whose_paper_it_is_goes_by_every_word_of_the_name() -> None:
    found = read(ENGLISH, NOW, source="file:2026-11-flyers.pdf")
    assert found is not None
    assert all(mentions(found, said) for said in ("Printer", "printer gmbh", "Printer Ltd", "flyers"))
    assert not any(mentions(found, said) for said in ("Printer Nord", "Hetzner", "", "GmbH"))
