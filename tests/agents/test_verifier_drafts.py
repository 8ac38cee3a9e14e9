"""Lying drafts and their honest twins: every lie is named, and no honest draft is held up.

`drafts.txt` holds a lie and its twin a line. The same letter is judged both times, so whatever catches the lie would also have to
catch the truth; a check that is taken out lets lies of its kind through (the last test).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from agents import verifier
from agents.base import ActionCall, Task
from agents.correspondence import WriteMail
from agents.letter import letter
from memory.events import Origin, Write
from tests.agents.desk import PaperDesk, client, task

ROWS = [
    tuple(part.strip().replace("\\n", "\n") for part in line.split(" | "))
    for line in Path(__file__).with_name("drafts.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
SOURCE = "The market grew in 2025. Sales grew by 4 % against the year before."


def office() -> PaperDesk:
    """A company with three clients, two invoices, an offer, a meeting, a project and rules about prices."""
    desk = PaperDesk(website="https://lind.example")
    written = (
        ("client", "globex", client("Globex Ltd", contact="Tom Hart", email="tom@globex.example")),
        ("client", "initech", client("Initech", contact="Bill Lumbergh")),
        ("client", "acme", {**desk.record("client", "acme").data, "emails": ["anna@acme.example"]}),  # type: ignore[union-attr]
        ("invoice", "2026-0001", {"client": "acme", "client_name": "Acme GmbH", "status": "sent", "issued": "2026-11-21",
            "due": "2026-12-05", "net": "1200.00 EUR", "tax": "228.00 EUR", "total": "1428.00 EUR", "paid": "0.00 EUR"}),
        ("invoice", "2026-0002", {"client": "globex", "client_name": "Globex Ltd", "status": "sent", "issued": "2026-11-20",
            "due": "2026-12-04", "net": "500.00 EUR", "tax": "95.00 EUR", "total": "595.00 EUR", "paid": "0.00 EUR"}),
        ("proposal", "acme-site", {"client": "acme", "text": "the site", "amount": "4500.00 EUR", "status": "sent",
            "sent": "2026-11-10", "valid_until": "2026-12-10"}),
        ("meeting", "2026-11-24-review", {"title": "Review", "start": "2026-11-24T15:00:00+01:00", "client": "acme",
            "end": "2026-11-24T16:00:00+01:00", "attendees": ["billing@acme.example"], "status": "booked"}),
        ("project", "acme-website", {"name": "Website", "client": "acme", "status": "running", "started": "2026-11-01",
            "due": "2026-12-18", "checkpoints": [{"name": "Launch", "day": "2026-12-18", "done": ""}]}),
        ("fact", "day-rate", {"text": "my day rate is 900 EUR", "client": ""}),
        ("fact", "rush", {"text": "rush work costs 25 % more", "client": ""}),
        ("fact", "advance", {"text": "Acme pays 50 % in advance", "client": "acme"}),
    )  # fmt: skip
    for kind, key, data in written:
        desk.write(Write(kind=kind, key=key, data=data))
    return desk


DESK = office()
WORK: Task = task(
    WriteMail(client="Acme"),
    "write Acme about the website",
    item={"from": "anna@acme.example"},
    item_text="We need it by Friday, please. Anna",
    results={"look": {"text": SOURCE, "sources": ["https://press.example/report"]}},
)


def judged(body: str, *, to: str = "billing@acme.example") -> tuple[str, ...]:
    call = letter(to=[to], subject="The website", text=body, client=DESK.record("client", "acme"))
    return verifier.check((call,), WORK, DESK)


@pytest.mark.parametrize(("what", "lie", "_"), ROWS, ids=[f"{n} {row[0]}" for n, row in enumerate(ROWS, 1)])
def test_a_lie_is_named(what: str, lie: str, _: str) -> None:
    assert judged(lie), f"{what}: {lie}"


@pytest.mark.parametrize(("what", "_", "honest"), ROWS, ids=[f"{n} {row[0]}" for n, row in enumerate(ROWS, 1)])
def test_its_honest_twin_passes(what: str, _: str, honest: str) -> None:
    assert judged(honest) == (), what


@pytest.mark.parametrize(
    "to",
    [
        "billing@acrne.example",
        "billing@acme.example.co",
        "billing@аcme.example",
        "bi11ing@acme.example",
        "tom@globex.example",
    ],
)
def test_a_recipient_that_only_looks_like_theirs_is_named_with_whom_it_is_like(to: str) -> None:
    assert judged("All is well.") == ()
    (warning, *_) = judged("All is well.", to=to)
    assert to in warning


def test_the_books_are_enough_to_lie_about() -> None:
    assert len(ROWS) >= 60
    assert len(Counter(row[0] for row in ROWS)) >= 15
    assert Origin.OPERATOR is WORK.origin
    assert isinstance(letter(to=["a@b.example"], subject="x", text="y", client=None), ActionCall)
