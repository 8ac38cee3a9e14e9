"""A mail of ours that came back is told where it was asked for; a guest's answer is told with who gave it."""

from __future__ import annotations

import email
from email.policy import default
from pathlib import Path

import pytest

from bot.testing import PaperHouse
from connectors.base import Workshop
from connectors.mail import Mail
from connectors.mail_folders import Arrived
from connectors.mail_message import Letter, compose
from memory.events import Said
from memory.files import FileStore
from memory.projections import Books
from tests.connectors.test_mail_reading import ANNA, bounced, invitation_answer
from tests.torture.bare import BareHouse, broken, no_delay


@pytest.fixture
async def house(tmp_path: Path):
    async with BareHouse(tmp_path, policy=no_delay()) as it:
        yield it


async def sent(house: BareHouse, to: str = "anna@acme.example") -> str:
    """Send a mail; returns its Message-ID."""
    await house.operator(f"ask mail to={to} body=Hello")
    await house.press("Approve")
    await house.runner.settled()
    (path,) = house.outbox()
    return str(email.message_from_bytes(path.read_bytes(), policy=default)["Message-ID"])


async def comes(house: PaperHouse, raw: bytes) -> str:
    """A mail comes in, as the mailbox brings it; returns its kind."""
    mail = house.machine.runner._staff.connectors["mail"]
    item = mail._incoming(Arrived("INBOX", 1, raw, whole=True))
    await house.runner.arrived(item)
    await house.runner.settled()
    return item.kind


async def test_a_mail_that_came_back_is_told_in_its_own_task(house: BareHouse) -> None:
    message_id = await sent(house)
    assert await comes(house, bounced(ANNA, sent=message_id)) == "mail.bounce"
    house.expects(
        "Your mail to anna@acme.example bounced: it did not arrive (5.1.1 “550 No such user”).\n"
        "It was sent by task 1: ask mail to=anna@acme.example body=Hello",
    )
    told = [line.event for line in house.machine.log.lines(1) if isinstance(line.event, Said)]
    assert "bounced" in told[-1].text, "it stands in the history of the task that sent it"
    assert house.runner.state_now(2).status == "done"
    assert not house.wrong()


async def test_it_comes_twice_and_is_told_once(house: BareHouse) -> None:
    message_id = await sent(house)
    for _ in range(2):
        await comes(house, bounced(ANNA, sent=message_id))
    assert house.transcript().count("bounced") == 1


async def test_what_is_only_late_is_told_as_that(house: BareHouse) -> None:
    message_id = await sent(house)
    await comes(house, bounced(ANNA.replace("failed", "delayed").replace("5.1.1", "4.4.1"), sent=message_id))
    house.expects("Your mail to anna@acme.example has not arrived yet; their server goes on trying (4.4.1")


@pytest.mark.parametrize("sent_as", ["<elsewhere@acme.example>", f"<{'0' * 32}@localhost>"])
async def test_a_report_on_a_mail_that_was_not_ours_touches_no_task(house: BareHouse, sent_as: str) -> None:
    await sent(house)
    before = len(list(house.machine.log.lines(1)))
    await comes(house, bounced(ANNA, sent=sent_as))
    assert len(list(house.machine.log.lines(1))) == before
    assert "bounced" not in house.transcript()


async def test_twin_that_believes_every_report_tells_of_a_mail_that_was_never_sent(house: BareHouse) -> None:
    await sent(house)
    with broken(Books, "sent_as", lambda self, message_id: (1, "ask mail")):
        await comes(house, bounced(ANNA, sent=f"<{'0' * 32}@localhost>"))
    house.expects("bounced")


def test_a_guests_answer_has_a_kind_of_its_own(tmp_path: Path) -> None:
    mail = Mail(Workshop(tmp_path, FileStore(tmp_path / "files"), lambda: None), sender="me@solo.example")
    assert mail._incoming(Arrived("INBOX", 1, invitation_answer(), whole=True)).kind == "mail.answer"
    assert mail._incoming(Arrived("INBOX", 1, bounced(ANNA), whole=True)).kind == "mail"


@pytest.mark.parametrize("method", ["REQUEST", "CANCEL"])
def test_an_invitation_goes_out_as_one_that_a_mail_program_can_answer(tmp_path: Path, method: str) -> None:
    content = f"BEGIN:VCALENDAR\r\nMETHOD:{method}\r\nEND:VCALENDAR\r\n".encode()
    files = FileStore(tmp_path)
    attachment = {"name": "invitation.ics", "sha256": files.put(content), "media_type": "text/calendar"}
    letter = Letter(to=["anna@acme.example"], subject="x", body="y", attachments=[attachment])
    from bot.testing import MORNING

    raw = compose(letter, sender="me@solo.example", key="k", at=MORNING, files=files).content
    part = next(
        each
        for each in email.message_from_bytes(raw, policy=default).walk()
        if each.get_content_type() == "text/calendar"
    )
    assert part.get_param("method") == method
    assert part.get_payload(decode=True) == content
    assert part.get_filename() == "invitation.ics"
