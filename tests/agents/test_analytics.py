"""Analytics: counted from records, with one picture; the same books give the same bytes."""

from agents.analytics import Analytics, Report, TimeSaved, _starts
from agents.base import Proposal
from agents.slots import Period
from memory.events import Write
from tests.agents.desk import PaperDesk, task


def books() -> PaperDesk:
    desk = PaperDesk()
    for number, status, issued in (
        ("2026-0001", "paid", "2026-11-02"),
        ("2026-0002", "sent", "2026-11-10"),
        ("2026-0003", "cancelled", "2026-11-11"),
    ):
        data = {
            "client": "acme", "client_name": "Acme", "status": status, "issued": issued, "due": "2026-11-15",
            "net": "100.00 EUR", "total": "119.00 EUR", "paid": "0.00 EUR",
        }  # fmt: skip
        desk.write(Write(kind="invoice", key=number, data=data))
    paid = {"invoice": "2026-0001", "client": "acme", "amount": "119.00 EUR", "day": "2026-11-12"}
    desk.write(Write(kind="payment", key="2026-0001-1", data=paid))
    return desk


async def ask(desk: PaperDesk, intent: object) -> Proposal:
    return await Analytics().work(task(intent), desk)


async def test_a_report_counts_money_and_draws_it() -> None:
    desk = books()
    answer = await ask(desk, Report())
    assert answer.say.splitlines()[1:5] == [
        "- Invoiced: 200.00 EUR before VAT on 2 invoices",
        "- Received: 119.00 EUR in 1 payment",
        "- Open now: 119.00 EUR, of which overdue 119.00 EUR",
        "- Largest client: Acme, 200.00 EUR",
    ]
    assert "- 1 new client" in answer.say
    picture = answer.files[0]
    assert desk.files.get(picture.sha256).startswith(b"\x89PNG")
    assert (await ask(books(), Report())).files[0].sha256 == picture.sha256


async def test_a_quiet_stretch_has_no_picture() -> None:
    answer = await ask(books(), Report(period=Period.read("2026-01-01/2026-01-31")))
    assert "Invoiced: nothing" in answer.say
    assert answer.files == ()


async def test_time_saved_shows_its_assumptions() -> None:
    answer = await ask(books(), TimeSaved())
    assert answer.results == {"minutes": 45, "counts": {"invoice": 3, "payment": 1, "client": 1}}
    assert "- 3 invoices of 12 min" in answer.say
    quiet = await ask(books(), TimeSaved(period=Period.read("2026-01-01/2026-01-31")))
    assert "nothing was saved" in quiet.say


async def test_a_report_says_what_the_same_stretch_before_was() -> None:
    desk = books()
    for number, status in (("2026-0004", "paid"), ("2026-0005", "refunded")):
        old = {**desk.record("invoice", "2026-0001").data, "issued": "2026-10-05", "status": status}  # type: ignore[union-attr]
        desk.write(Write(kind="invoice", key=number, data=old))
    said = (await ask(desk, Report())).say
    assert "in brackets the 30 days before" in said
    assert "- Invoiced: 200.00 EUR before VAT on 2 invoices (100.00 EUR)" in said, "what was taken back is not counted"
    assert "- Received: 119.00 EUR in 1 payment (nothing)" in said


async def test_what_the_picture_leaves_out_is_said() -> None:
    desk = books()
    desk.write(Write(kind="payment", key="p", data={"client": "acme", "amount": "5.00 USD", "day": "2026-11-12"}))
    assert "The picture shows EUR only, without USD." in (await ask(desk, Report())).say
    assert "The picture" not in (await ask(books(), Report())).say


def test_a_long_stretch_is_drawn_by_months_and_leaves_nothing_out() -> None:
    weeks = _starts(Period.read("2026-11-04/2026-11-21"))
    assert [str(each) for each in weeks] == ["2026-11-02", "2026-11-09", "2026-11-16"]
    months = _starts(Period.read("2025-11-04/2026-11-21"))
    assert [str(each) for each in (months[0], months[2], months[-1])] == ["2025-11-01", "2026-01-01", "2026-11-01"]
    assert len(months) == 13
