"""Money on the real path: said in the chat, pressed on cards, and judged by programs that are not ours."""

import asyncio
import csv
import random
import re
from decimal import Decimal

import pytest
from beancount import loader
from beancount.core import realization

from bot.chronicle import replayed
from bot.deciding import guards
from bot.testing import PaperHouse
from memory import journals, replay
from memory.archive import export
from tests.torture.bare import broken

WORK = (
    "workshop",
    "logo",
    "audit",
    "website",
    "training",
    "report",
    "poster",
    "review",
    "survey",
    "manual",
    "banner",
    "film",
)


@pytest.fixture
async def house(tmp_path):
    async with PaperHouse(tmp_path / "home") as it:
        yield it


async def says(house, text):
    """Say something, and approve what it leads to."""
    before = len(house.channel.cards)
    await house.operator(text)
    if len(house.channel.cards) > before:
        await house.press("Approve")
    await house.later(seconds=20)


def books(house, tmp_path):
    """Export, and let beancount read it."""
    folder = tmp_path / "export"
    export(house.machine.database, folder)
    entries, errors, _ = loader.load_file(str(folder / "ledger.beancount"))
    assert errors == []
    return realization.realize(entries), folder


def balance(books_, account):
    found = realization.get(books_, account)
    return {} if found is None else {pos.units.currency: pos.units.number for pos in realization.compute_balance(found)}


async def test_part_payments_a_credit_note_and_their_ledger_are_read_by_beancount(house, tmp_path):
    await says(house, "invoice Acme 1000 for the March retainer, net 14")
    await says(house, "Acme paid 400 on 2026-0001")
    open_then, _ = books(house, tmp_path)
    await says(house, "Acme paid 790 on 2026-0001")
    await says(house, "invoice Acme 200 for a workshop")
    await says(house, "cancel invoice 2026-0002")
    house.expects("Invoice 2026-0002", "CN-2026-0001")
    after, folder = books(house, tmp_path)

    assert balance(open_then, "Assets:Receivable:Acme") == {"EUR": Decimal("790.00")}
    assert balance(after, "Assets:Receivable:Acme") == {}
    assert balance(after, "Assets:Bank") == {"EUR": Decimal("1190.00")}
    assert balance(after, "Income") == {"EUR": Decimal("-1000.00")}
    with (folder / "ledger.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert sum(Decimal(row["amount"]) for row in rows) == 0
    journal = (folder / "ledger.journal").read_text()
    assert journal.count("assets:receivable:acme") == 5


async def test_a_year_of_an_exporter_is_read_by_beancount(house, tmp_path):
    """Home, reverse charge, dollars, a part payment, a credit note for the rest, money given back by hand."""
    await says(house, "invoice Acme 1000 for the March retainer")
    await says(house, "invoice Initech 300 for an audit")
    assert "Reverse charge" in str(house.card().reasons)
    await says(house, "invoice Acme 500 USD for a logo, export")
    await says(house, "Acme paid 400 on 2026-0001")
    await says(house, "Acme paid 500 USD on 2026-0003")
    await says(house, "refund 2026-0001")
    owed, _ = books(house, tmp_path)
    await says(house, "CN-2026-0001 is paid")
    after, folder = books(house, tmp_path)

    assert balance(owed, "Liabilities:Refunds:Acme") == {"EUR": Decimal("-400.00")}
    assert balance(owed, "Liabilities:Vat") == {}, "the credit note takes the tax back, and reverse charge has none"
    assert balance(after, "Liabilities") == {}
    assert balance(after, "Assets:Receivable") == {"EUR": Decimal("300.00")}
    assert balance(after, "Assets:Bank") == {"USD": Decimal("500.00")}
    assert balance(after, "Income") == {"EUR": Decimal("-300.00"), "USD": Decimal("-500.00")}
    with (folder / "ledger.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for currency in ("EUR", "USD"):
        assert sum(Decimal(row["amount"]) for row in rows if row["currency"] == currency) == 0


async def test_currencies_without_decimals_keep_their_sum(house, tmp_path):
    await says(house, "invoice Acme 150000 JPY for the Tokyo workshop")
    after, _ = books(house, tmp_path)

    assert balance(after, "Assets:Receivable:Acme") == {"JPY": Decimal(178500)}
    house.expects("178,500 JPY")
    assert "178,500.00" not in house.transcript()


async def test_a_dinars_third_decimal_reaches_the_books_and_a_payment_closes_it(house, tmp_path):
    await says(house, "invoice Acme 1.234 KWD for the logo")
    opened, folder = books(house, tmp_path)
    await says(house, "Acme paid 1.468 KWD on 2026-0001")
    after, _ = books(house, tmp_path)

    assert balance(opened, "Assets:Receivable:Acme") == {"KWD": Decimal("1.468")}
    assert balance(after, "Assets:Receivable:Acme") == {}
    assert balance(after, "Assets:Bank") == {"KWD": Decimal("1.468")}
    assert "1.468" in (folder / "ledger.csv").read_text()


async def test_numbers_have_no_gap_and_no_double_when_many_invoices_are_asked_for_at_once(house):
    await asyncio.gather(
        *(house.operator(f"invoice Acme {100 + each} for the {work}") for each, work in enumerate(WORK))
    )
    await house.runner.settled()
    while waiting := [key for key, each in house.channel.cards.items() if each.state == "pending"]:
        for card in waiting:
            await house.press("Approve", card)
        await house.later(seconds=30)
    issued = sorted(set(re.findall(r"2026-\d{4}", " ".join(house.channel.words))))
    numbers = [int(each[-4:]) for each in issued]

    assert len(numbers) == len(WORK), house.transcript()
    assert numbers == list(range(1, len(WORK) + 1))


async def three_drafts(house):
    """Three invoices wait as 2026-0001 to 2026-0003, and the first is not wanted."""
    for each, work in enumerate(WORK[:3]):
        await house.operator(f"invoice Acme {100 + each} for the {work}")
    first, second, third = house.channel.cards
    await house.press("Reject", first)
    return second, third


def issued(house):
    return sorted(set(re.findall(r"Invoice (2026-\d{4}) over", " ".join(house.channel.words))))


async def test_a_number_that_is_given_back_leaves_no_gap_below_what_is_issued(house):
    second, third = await three_drafts(house)
    assert "2026-0001 has become free" in await house.press("Approve", third)
    assert [row.value for row in house.card(third).rows if row.label == "Number"] == ["2026-0001"]
    assert await house.press("Approve", third) == "Approved."
    assert await house.press("Approve", second) == "Approved."
    await house.later(seconds=30)
    assert issued(house) == ["2026-0001", "2026-0002"]


async def test_numbers_go_out_in_the_order_of_the_presses_and_a_later_no_leaves_no_gap(house):
    for each, work in enumerate(WORK[:3]):
        await house.operator(f"invoice Acme {100 + each} for the {work}")
    first, second, third = house.channel.cards
    assert f"2026-0001, which card {first} waits with" in await house.press("Approve", third)
    assert await house.press("Approve", third) == "Approved."
    await house.later(seconds=30)
    assert "changed since" in await house.press("Approve", first), "its number went to who was first"
    assert "2026-0002" in await house.press("Approve", first)
    assert await house.press("Approve", first) == "Approved."
    await house.press("Reject", second)
    await house.later(days=400)

    assert issued(house) == ["2026-0001", "2026-0002"]
    assert replay.compare(house.machine.database, house.machine.log, replayed) == []


async def test_numbers_have_no_gap_at_any_moment_however_cards_are_pressed_and_rejected(house):
    chance = random.Random(11)
    for each, work in enumerate(WORK[:7]):
        await house.operator(f"invoice Acme {100 + each} for the {work}")
    while waiting := [key for key, each in house.channel.cards.items() if each.state == "pending"]:
        some = chance.sample(waiting, min(3, len(waiting)))
        verbs = ["Reject" if chance.random() < 0.1 else "Approve" for _ in some]
        await asyncio.gather(*(house.press(verb, card) for verb, card in zip(verbs, some, strict=True)))
        await house.runner.settled()
        await house.later(seconds=30)
        numbers = [int(each[-4:]) for each in issued(house)]
        assert numbers == list(range(1, len(numbers) + 1)), house.transcript()
    assert len(numbers) >= 3, house.transcript()


async def test_twin_without_the_look_below_a_gap_is_left(house):
    with broken(guards, "lower_number", lambda calls, card, house: ""):
        _, third = await three_drafts(house)
        assert await house.press("Approve", third) == "Approved."
    await house.later(seconds=30)
    assert issued(house) == ["2026-0003"]


class Row:
    def __init__(self, account, amount, note="", task=1, seq=1):
        self.at, self.account, self.amount, self.currency = "2026-03-02T09:00:00Z", account, amount, "EUR"
        self.note, self.task, self.seq = note, task, seq


def test_names_and_notes_nobody_would_choose_still_make_a_journal_that_is_read(tmp_path):
    note = 'quote " backslash \\ semicolon ; line\nbreak'
    rows = [Row("assets:receivable:ünïcode & söhne", "1.00", note), Row("odd root:日本", "-1.00")]
    path = tmp_path / "x.beancount"
    path.write_text(journals.beancount(rows), encoding="utf-8")
    entries, errors, _ = loader.load_file(str(path))

    assert errors == []
    assert entries[-1].narration == 'quote " backslash \\ semicolon ; line break'
    assert journals.beancount_account("assets:receivable:acme") == "Assets:Receivable:Acme"


def test_twin_a_journal_that_does_not_sum_to_zero_is_found_by_beancount(tmp_path):
    path = tmp_path / "x.beancount"
    path.write_text(journals.beancount([Row("assets:bank", "1.00"), Row("income:services", "-0.99")]))
    _, errors, _ = loader.load_file(str(path))

    assert errors
