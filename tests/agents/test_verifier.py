"""The verifier warns of what no record and no word of the operator's covers, and is silent about a sound draft."""

from decimal import Decimal

import msgspec
import pytest

from agents.base import ActionCall, Task
from agents.billing import Billing, Invoice
from agents.correspondence import WriteMail
from agents.letter import letter
from agents.payments import MarkPaid, Payments, RemindDebtor
from agents.proposals import Proposals, SendProposal
from agents.slots import Money
from agents.verifier import check
from memory.events import Entry, Write
from tests.agents.desk import PaperDesk, client, task


def mail(desk: PaperDesk, body: str, *, to: str = "billing@acme.example", **more: object) -> ActionCall:
    return letter(to=[to], subject="Hello", text=body, client=desk.record("client", "acme"), **more)


def asked(text: str = "write Acme a mail", **more: object) -> Task:
    return task(WriteMail(client="Acme"), text, **more)


async def invoice(desk: PaperDesk) -> tuple[ActionCall, ...]:
    wish = Invoice(client="Acme", amount=Money(Decimal(1200)), what="March retainer")
    return (await Billing().work(task(wish, "invoice Acme 1,200"), desk)).calls


async def test_the_houses_own_drafts_pass() -> None:
    desk = PaperDesk()
    calls = await invoice(desk)
    assert check(calls, task(Invoice(client="Acme"), "invoice Acme 1,200"), desk) == ()
    for call in calls:
        for write in call.writes:
            desk.write(write)
    late = {**desk.record("invoice", "2026-0001").data, "due": "2026-11-01"}
    desk.write(Write(kind="invoice", key="2026-0001", data=late))
    part = MarkPaid(number="2026-0001", amount=Money(Decimal(428)))
    desk.confirm(await Payments().work(task(part), desk))
    reminder = (await Payments().work(task(RemindDebtor(client="Acme")), desk)).calls
    assert "1,000.00 EUR" in reminder[0].args["body"]
    assert check(reminder, task(RemindDebtor(client="Acme")), desk) == ()
    offer = task(SendProposal(client="Acme", what="site", amount=Money(Decimal(4500))), "quote Acme 4.5k for the site")
    assert check((await Proposals().work(offer, desk)).calls, offer, desk) == ()


@pytest.mark.parametrize(
    ("body", "warning"),
    [
        ("It costs 900.00 EUR.", "names 900.00 EUR"),
        ("It costs €950.", "names 950.00 EUR"),
        ("See 2026-0099.", "names 2026-0099, and there is no such paper"),
        ("We guarantee success.", "promises something you did not say: 'guarantee'"),
        ("You get 20% off.", "promises something"),
        ("Please pay by 3 March 2020.", "a date that has passed: 3 March 2020"),
        ("See you on Monday, 24 November 2026.", "24 November 2026 is a Tuesday, not a Monday"),
        ("Until 31 February 2027.", "There is no 31 February 2027"),
        ("Look at https://evil.example/x.", "links to evil.example"),
        ("Hello {name},", "'{name}' was left to be filled in"),
        ("Hello Bob,\n\nhi.", "greets Bob, but Acme GmbH's contact is Anna Berg"),
        ("The plan is attached.", "speaks of an attachment and has none"),
    ],
)
async def test_what_cannot_be_placed_is_named(body: str, warning: str) -> None:
    desk = PaperDesk()
    found = check((mail(desk, body),), asked(), desk)
    assert any(warning in each for each in found), found
    assert check((mail(desk, "Hello Anna,\n\nthe work goes on."),), asked(), desk) == ()


@pytest.mark.parametrize(
    ("what", "bad", "good"),
    [
        ("amounts", "It costs €1.200,50 now.", "It costs 1,200.00 EUR a month."),
        ("amounts", "That makes 900 euros.", "That makes EUR 1200."),
        ("dates", "See you on Monday, 24 November 2026.", "See you on Tuesday, 24 November 2026."),
        ("dates", "Until 31.02.2027 please.", "Until 28.02.2027 please."),
        ("dates", "Please answer by 2026-11-20.", "Please answer by 2026-11-28."),
        ("due days", "Invoice 2026-0001 is due on 1 December 2026.", "Invoice 2026-0001 is due on 5 December 2026."),
        ("papers", "See 2026-0009.", "See 2026-0001."),
        ("names", "We did the same for Globex.", "We did the same for others."),
        ("names", "Ask Tom Hart about it.", "Ask Anna Berg about it."),
        ("greetings", "Hello Tom,\n\nall is well.", "Hello Anna,\n\nall is well."),
        ("promises", "We guarantee it.", "We expect it."),
        ("prices", "You get 20% off.", "You get the usual price."),
        ("prices", "The second one is free of charge.", "The second one is as agreed."),
        ("quotes", "You wrote: “please cancel our whole order now”.", "You wrote: “we need it by Friday, please”."),
        ("citations", "Prices rise [1].", "Prices rise [1].\n\n[1] Our terms"),
        ("links", "See https://evil.example/x.", "See https://lind.example/x."),
        ("accounts", "Please pay to DE99 9999 9999 9999 9999 99.", "Please pay to DE02 1203 0000 0000 2020 51."),
        ("blanks", "The code is {code}.", "The code is 4711."),
        ("files", "The plan is attached.", "The plan follows."),
    ],
)
async def test_each_thing_that_is_checked_has_its_twin(what: str, bad: str, good: str) -> None:
    desk = PaperDesk()
    desk.write(Write(kind="client", key="globex", data=client("Globex Ltd", contact="Tom Hart")))
    for call in await invoice(desk):
        for write in call.writes:
            desk.write(write)
    work = asked(item={"from": "x"}, item_text="We need it by Friday, please. Anna")
    assert check((mail(desk, good),), work, desk) == (), what
    assert len(check((mail(desk, bad),), work, desk)) == 1, what


async def test_what_the_operator_said_of_somebody_may_be_repeated() -> None:
    desk = PaperDesk()
    desk.write(Write(kind="client", key="globex", data=client("Globex Ltd")))
    said = asked('write Acme that Globex said "we are very happy with it"')
    assert check((mail(desk, 'Globex said "we are very happy with it".'),), said, desk) == ()


async def test_what_the_operator_said_needs_no_record() -> None:
    desk = PaperDesk()
    said = asked("write Acme that it costs 900 and comes with a discount, see https://x.example")
    body = "It costs 900.00 EUR with a discount, see https://x.example/page"
    assert check((mail(desk, body),), said, desk) == ()


async def test_a_recipient_must_be_known_named_or_the_clients_own() -> None:
    desk = PaperDesk()
    desk.write(Write(kind="client", key="globex", data=client("Globex")))
    assert "belongs to Globex" in check((mail(desk, "Hi", to="billing@globex.example"),), asked(), desk)[0]
    assert "you did not name it" in check((mail(desk, "Hi", to="x@nowhere.example"),), asked(), desk)[0]
    assert check((mail(desk, "Hi", to="x@nowhere.example"),), asked("mail x@nowhere.example hi"), desk) == ()


@pytest.mark.parametrize(
    ("args", "warning"),
    [
        ({"amount": "1429.00 EUR"}, "do not add up"),
        ({"due": "2026-11-01"}, "has passed"),
        ({"due": "2036-11-01"}, "due only on"),
        ({"attachments": []}, "has no document"),
        ({"lines": [{"total": "1.00 EUR"}]}, "the lines add up to 1.00 EUR"),
    ],
)
async def test_a_paper_that_contradicts_itself_is_found(args: dict[str, object], warning: str) -> None:
    desk = PaperDesk()
    issue, _ = await invoice(desk)
    wrong = msgspec.structs.replace(issue, args={**issue.args, **args})
    assert any(warning in each for each in check((wrong,), asked(), desk))
    assert check((issue,), asked(), desk) == ()


async def test_ledger_and_files_are_held_to_the_paper() -> None:
    desk = PaperDesk()
    issue, letter_ = await invoice(desk)
    entries = (Entry(account="assets:receivable:acme", amount="1.00 EUR"),)
    found = check((msgspec.structs.replace(issue, entries=entries),), asked(), desk)
    assert any("the ledger would say 1.00 EUR" in each for each in found)
    desk.files.kept.clear()
    assert any("not in the store" in each for each in check((letter_,), asked("invoice Acme 1,200"), desk))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"due": "2026-11-21"}, ""),  # due today is late for nobody
        ({"due": "2026-11-20"}, "which has passed"),
        ({"due": "2027-11-22"}, ""),
        ({"due": "2027-11-23"}, "due only on"),
        ({"amount": "0.00 EUR"}, "is over 0.00 EUR"),
        ({"net": "1200.01 EUR"}, "do not add up"),
        ({"attachments": []}, "has no document"),
    ],
)
async def test_a_paper_is_checked_to_the_day_and_the_cent(changes: dict[str, object], words: str) -> None:
    desk = PaperDesk()
    (issue, *_) = await invoice(desk)
    assert desk.now.astimezone(desk.zone).date().isoformat() == "2026-11-21"
    found = check((msgspec.structs.replace(issue, args={**issue.args, **changes}),), asked(), desk)
    assert any(words in each for each in found) if words else not [each for each in found if "due" in each], found


async def test_a_client_of_four_letters_is_a_name_and_one_of_three_a_word() -> None:
    desk = PaperDesk()
    desk.write(Write(kind="client", key="duff", data=client("Duff", contact="Al")))
    assert any("Duff" in each for each in check((mail(desk, "We did the same for Duff."),), asked(), desk))
    assert check((mail(desk, "We met Al there."),), asked(), desk) == ()
