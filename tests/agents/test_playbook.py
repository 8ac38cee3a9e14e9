"""Playbooks: Markdown with a typed header; ours can all be read, filled and run."""

from pathlib import Path

import pytest

from agents.plan import faults, staff
from agents.playbook import PlaybookError, broken, fill, for_goal, for_item, playbooks, read, suggested
from tests.agents.desk import PaperDesk

BOOKS = playbooks()
KNOWN = {
    "client": "acme", "email": "a@acme.example", "need": "A website", "amount": "900.00 EUR", "topic": "our fair",
    "plan": "Pro",
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name, book in BOOKS.items() if book.steps])
def test_every_playbook_of_ours_is_a_sound_plan(name: str) -> None:
    filled = fill(BOOKS[name], KNOWN, PaperDesk())
    assert filled.missing == ()
    assert faults(filled.steps, staff()) == ()


@pytest.mark.parametrize("name", BOOKS)
def test_a_playbook_has_steps_or_a_reply(name: str) -> None:
    assert bool(BOOKS[name].steps) != bool(BOOKS[name].reply)
    assert BOOKS[name].prose


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ("no header at all", "does not begin with a header"),
        ("+++\ntitle = \n+++\n", "no TOML"),
        ("+++\nname = 'x'\n+++\n", "title: Field required"),
        ("+++\ntitle = 'x'\nbudget = 3\n+++\n", "budget: Extra inputs"),
        ("+++\ntitle = 'x'\n[[steps]]\nid = 'a'\nagent = 'b'\nintent = 'c'\ngate = 'never'\n+++\n", "steps.0.gate"),
    ],
)
def test_a_faulty_header_names_file_and_fault(tmp_path: Path, header: str, fault: str) -> None:
    path = tmp_path / "mine.md"
    path.write_text(header)
    with pytest.raises(PlaybookError, match=r"mine\.md") as caught:
        read(path)
    assert fault in str(caught.value)


def test_a_new_playbook_is_found_by_being_there(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("For people.")
    (tmp_path / "mine.md").write_text("+++\ntitle = 'Mine'\ngoals = ['water the plants']\n+++\nText.")
    assert for_goal("please water the plants", playbooks(tmp_path))[0].name == "mine"
    assert for_goal("buy a car", playbooks(tmp_path)) == ()
    assert set(BOOKS) < set(playbooks(tmp_path))


def test_the_operators_playbook_stands_in_for_ours(tmp_path: Path) -> None:
    (tmp_path / "reply-hours.md").write_text("+++\ntitle = 'Hours'\nwords = ['open']\nreply = 'Never.'\n+++\nOurs.")
    assert playbooks(tmp_path)["reply-hours"].reply == "Never."
    assert playbooks()["reply-hours"].reply != "Never."


def test_a_slip_of_the_pen_in_an_own_playbook_stops_nothing_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "reply-hours.md").write_text("+++\ntitle = \n+++\n")
    (tmp_path / "other.md").write_bytes(b"\xff\xfe")
    assert playbooks(tmp_path) == BOOKS
    assert [sentence.split(" cannot")[0] for sentence in broken(tmp_path)] == [
        "The playbook other.md",
        "The playbook reply-hours.md",
    ]
    assert broken(tmp_path / "nowhere") == []


def test_what_is_not_known_is_asked_or_left_out() -> None:
    filled = fill(BOOKS["engagement"], {**KNOWN, "amount": ""}, PaperDesk())
    assert filled.missing == ("amount",)
    without = fill(BOOKS["intake"], {**KNOWN, "email": ""}, PaperDesk())
    assert "email" not in without.steps[0].inputs
    assert without.steps[1].inputs["when"] == "2026-11-26T09:00:00+01:00"


def test_an_items_kind_picks_the_playbook_and_its_words_do_not() -> None:
    assert for_item("form.contact", BOOKS).name == "intake"
    assert for_item("stripe.checkout.session.completed", BOOKS).name == "onboarding"
    assert for_item("stripe.invoice.paid", BOOKS) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Could you resend the invoice please?", "reply-receipt"),
        ("What are your opening hours?", "reply-hours"),
        ("Thank you so much, great work!", "reply-thanks"),
        ("I want my money back now", "reply-refund"),
        ("The site is down since noon", "reply-trouble"),
        ("Can you resend the invoice? It is wrong, I want a refund", "reply-refund"),
        ("Shall we have lunch?", ""),
        ("Thanks, but where is my refund?", "reply-refund"),
        ("Nobody answers my mails, this is unacceptable", "reply-complaint"),
        ("I have been waiting for three weeks now", "reply-complaint"),
        ("Ich warte seit zwei Wochen, das ist eine Frechheit", "reply-beschwerde"),
        ("Die Rechnung wurde zweimal abgebucht", "reply-erstattung"),
        ("Könnten Sie mir die Rechnung bitte noch einmal schicken?", "reply-rechnung"),
        ("Die Seite funktioniert seit heute nicht mehr", "reply-stoerung"),
        ("Vielen Dank, alles angekommen!", "reply-danke"),
        ("Re: Logo\nPerfect, thanks!", "reply-thanks"),
        ("We have transferred the amount today", "reply-payment"),
        ("Der Betrag ist überwiesen", "reply-zahlung"),
        ("When is our invoice due?", "reply-due"),
        ("Can we pay in two instalments?", "reply-instalments"),
        ("Can we move our call on Tuesday to Wednesday?", "reply-move"),
        ("What would a new website cost?", "reply-quote"),
        ("Was würde ein neuer Webauftritt kosten?", "reply-anfrage"),
        ("Please cancel our retainer as of next month", "reply-cancel"),
        ("Hiermit kündige ich den Vertrag zum Monatsende", "reply-kuendigung"),
        ("Please find attached the logo files", "reply-files"),
        ("How far is the website?", "reply-status"),
        ("Wann können wir den Entwurf sehen?", "reply-stand"),
        ("Wann sind Sie am Freitag erreichbar?", "reply-zeiten"),
        ("Thanks, but the colours are wrong. Could you make the blue darker?", "reply-change"),
        ("I have 10,000,000 USD for you, my dear friend", ""),
        ("Here is the address of the venue: Ring 2, Hamburg", ""),
        ("See you on Tuesday!", ""),
        ("Hi, is that still on?", ""),
        ("Our phone number is 040 123456", ""),
        ("Let us meet for lunch on Thursday", ""),
        ("Die neue Adresse lautet Ring 2 in Hamburg", ""),
    ],
)
def test_a_mail_finds_its_reply(text: str, name: str) -> None:
    found = suggested(text, BOOKS)
    assert (found[0].name if found else "") == name
