import asyncio
import email
import hashlib
from contextlib import suppress
from datetime import UTC, datetime
from email.policy import default

import pytest

from connectors.base import OutcomeUnknownError, Receipt, RefusedError, TryLaterError, Workshop
from connectors.client import FAILURES_MAX, REST_S
from connectors.mail import SETTLES_AFTER, Mail
from connectors.mail_delivery import Server
from connectors.mail_folders import Account
from tests.counterparts.imap import dovecot, dovecot_or_skip
from tests.counterparts.smtp import Fault, PostOffice

NOW = datetime(2026, 3, 31, 9, 30, tzinfo=UTC)
SENDER = "Anna Berg <anna@berg.example>"
LETTER = {"to": ["bob@acme.example"], "subject": "Invoice 2026-0001", "body": "Hello Bob\n"}


class Shelf(dict[str, bytes]):
    """Content-addressed files in memory."""

    def put(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        self[digest] = content
        return digest

    def get(self, sha256: str) -> bytes:
        return self[sha256]


@pytest.fixture
def workshop(tmp_path) -> Workshop:
    return Workshop(home=tmp_path, files=Shelf(), now=lambda: NOW)


@pytest.fixture
async def post():
    async with PostOffice() as office:
        yield office


@pytest.fixture(scope="module")
def imap():
    dovecot_or_skip()
    with dovecot() as server:
        yield server


@pytest.fixture
def clean(imap):
    """An empty mailbox."""
    with imap.session() as session:
        for folder in ("INBOX", "Sent", "Drafts", "Archive"):
            session.select(folder)
            session.store("1:*", "+FLAGS", r"(\Deleted)") if session.response("EXISTS")[1] != [b"0"] else None
            session.expunge()
    return imap


def account(imap, **changes) -> Account:
    return Account(
        **(
            {"host": "127.0.0.1", "port": imap.port, "security": "none", "user": imap.user, "password": imap.password}
            | changes
        )
    )


def mail(workshop, post=None, box=None, dot_timeout_s=5.0, **changes) -> Mail:
    server = Server("127.0.0.1", post.port, "none", command_timeout_s=5, dot_timeout_s=dot_timeout_s) if post else None
    return Mail(workshop, sender=SENDER, server=server, box=box, **changes)


# ── out ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_receipt_is_printed_from_the_servers_answer(workshop, post):
    receipt = await mail(workshop, post).send(**LETTER, key="12.1.1")

    assert receipt.text == "Mailed to bob@acme.example. 127.0.0.1 said: 250 2.0.0 Ok: queued as Q0001."
    assert receipt.data["queue_id"] == "Q0001"
    assert post.accepted == {receipt.ref: 1}
    assert post.taken[0].message["Subject"] == "Invoice 2026-0001"


async def test_an_attempt_that_failed_and_its_repetition_carry_one_message_id(workshop, post):
    post.at("rcpt", Fault("450 4.2.0 Greylisted", times=1))
    out = mail(workshop, post)

    with pytest.raises(TryLaterError, match=r"450 4.2.0 Greylisted"):
        await out.send(**LETTER, key="12.1.1")
    receipt = await out.send(**LETTER, key="12.1.1")
    assert post.accepted == {receipt.ref: 1}


async def test_hidden_recipients_get_it_and_nobody_sees_them(workshop, post):
    await mail(workshop, post).send(**LETTER, cc=["c@acme.example"], bcc=["secret@acme.example"], key="k")

    assert post.taken[0].recipients == ["bob@acme.example", "c@acme.example", "secret@acme.example"]
    assert b"secret" not in post.taken[0].content


async def test_without_a_server_the_message_lands_in_the_outbox_and_says_so(workshop):
    receipt = await mail(workshop).send(**LETTER, bcc=["secret@acme.example"], key="12.1.1")

    assert receipt.text.startswith("Not sent")
    (path,) = (workshop.home / "outbox").iterdir()
    assert f"lies in outbox/{path.name}." in receipt.text
    assert str(path) == receipt.data["path"]
    assert path.suffix == ".eml"
    assert email.message_from_bytes(path.read_bytes(), policy=default)["Message-ID"] == receipt.ref
    assert b"secret" not in path.read_bytes()


async def test_writing_to_the_outbox_twice_is_once(workshop):
    out = mail(workshop)

    assert await out.send(**LETTER, key="12.1.1") == await out.send(**LETTER, key="12.1.1")
    await out.send(**LETTER, key="12.1.2")
    assert len(list((workshop.home / "outbox").iterdir())) == 2


async def test_an_outbox_that_cannot_be_written_keeps_nothing_and_is_tried_later(workshop):
    (workshop.home / "outbox").write_text("a file where the folder should be")

    with pytest.raises(TryLaterError, match="cannot be written"):
        await mail(workshop).send(**LETTER, key="12.1.1")


async def test_a_server_that_fails_in_a_row_is_left_alone_for_a_while(workshop, post):
    clock = [0.0]
    out = mail(workshop, post, monotonic=lambda: clock[0])
    post.at("connect", Fault("421 4.3.2 Busy", drop=True))
    for _ in range(FAILURES_MAX):
        with pytest.raises(TryLaterError, match="421"):
            await out.send(**LETTER, key="k")
    assert out.breaker.state == "open"
    with pytest.raises(TryLaterError, match="rests"):
        await out.send(**LETTER, key="k")
    assert post.seen["connect"] == FAILURES_MAX

    clock[0] += REST_S
    post.heal()
    await out.send(**LETTER, key="k")
    assert out.breaker.state == "closed"


# ── what became of it ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_in_the_outbox_is_proven_either_way(workshop):
    out = mail(workshop)

    assert await out.find_sent(**LETTER, key="12.1.1") is None
    receipt = await out.send(**LETTER, key="12.1.1")
    assert await out.find_sent(**LETTER, key="12.1.1") == receipt


async def test_without_imap_nobody_can_look(workshop, post):
    post.at("kept", Fault(hang=True))
    out = mail(workshop, post, dot_timeout_s=0.2)

    with pytest.raises(OutcomeUnknownError, match="fell silent"):
        await out.send(**LETTER, key="k")
    with pytest.raises(OutcomeUnknownError, match="No IMAP is set up"):
        await out.find_sent(**LETTER, key="k")


@pytest.mark.imap
async def test_twin_absence_taken_for_proof_would_send_a_mail_twice(workshop, post, clean):
    """A crash after the server took it and before our copy was filed: Sent is empty, and the mail is out."""
    crashed = mail(workshop, post, account(clean, sent="No such folder"))
    await crashed.send(**LETTER, key="12.1.1")
    again = mail(workshop, post, account(clean))

    with pytest.raises(OutcomeUnknownError):
        await again.find_sent(**LETTER, key="12.1.1")
    believing = mail(workshop, post, account(clean, server_files_sent=True))  # the guard removed
    assert await believing.find_sent(**LETTER, key="12.1.1") is None
    receipt = await believing.send(**LETTER, key="12.1.1")
    assert post.accepted[receipt.ref] == 2


@pytest.mark.imap
async def test_a_copy_in_sent_proves_that_it_was_sent(workshop, post, clean):
    out = mail(workshop, post, account(clean))
    receipt = await out.send(**LETTER, key="12.1.1")

    assert receipt.data["copy_in_sent"]
    assert len(clean.messages("Sent")) == 1
    assert b"Seen" in clean.flags("Sent")[0]
    found = await out.find_sent(**LETTER, key="12.1.1")
    assert found.ref == receipt.ref
    assert "a copy is in Sent" in found.text


@pytest.mark.imap
async def test_no_copy_proves_nothing_where_we_file_the_copy_ourselves(workshop, post, clean):
    with pytest.raises(OutcomeUnknownError, match="before the copy was filed"):
        await mail(workshop, post, account(clean)).find_sent(**LETTER, key="12.1.1")


@pytest.mark.imap
async def test_no_copy_proves_absence_where_the_server_files_it(workshop, post, clean):
    out = mail(workshop, post, account(clean, server_files_sent=True))

    assert await out.find_sent(**LETTER, key="12.1.1") is None
    await out.send(**LETTER, key="12.1.1")
    assert clean.messages("Sent") == []  # ours would be a second copy


@pytest.mark.imap
async def test_no_copy_proves_nothing_while_the_server_may_still_be_working_on_it(workshop, post, clean):
    time = [NOW]
    workshop = Workshop(workshop.home, workshop.files, lambda: time[0])
    out = mail(workshop, post, account(clean, server_files_sent=True), dot_timeout_s=0.2)
    post.at("dot", Fault(hang=True, times=1))
    with pytest.raises(OutcomeUnknownError):
        await out.send(**LETTER, key="12.1.1")

    with pytest.raises(OutcomeUnknownError, match="until 09:45 UTC"):
        await out.find_sent(**LETTER, key="12.1.1")
    time[0] += SETTLES_AFTER
    assert await out.find_sent(**LETTER, key="12.1.1") is None


@pytest.mark.imap
@pytest.mark.parametrize("answer", ["451 4.3.0 later", "550 5.7.1 no"])
async def test_a_sure_answer_needs_no_waiting(workshop, post, clean, answer):
    out = mail(workshop, post, account(clean, server_files_sent=True))
    post.at("dot", Fault(answer))
    with pytest.raises((TryLaterError, RefusedError)):
        await out.send(**LETTER, key="12.1.1")

    assert await out.find_sent(**LETTER, key="12.1.1") is None
    assert list((workshop.home / "mail" / "sending").iterdir()) == []


@pytest.mark.imap
async def test_a_message_id_that_merely_contains_ours_is_not_ours(workshop, post, clean):
    out = mail(workshop, post, account(clean, server_files_sent=True))
    ours = (await mail(workshop).send(**LETTER, key="12.1.1")).ref
    clean.deliver(f"Message-ID: <x.{ours[1:]}\r\n\r\n".encode(), "Sent")

    assert await out.find_sent(**LETTER, key="12.1.1") is None
    clean.deliver(f"Message-ID: {ours}\r\n\r\n".encode(), "Sent")
    assert (await out.find_sent(**LETTER, key="12.1.1")).ref == ours


async def test_a_mailbox_that_cannot_be_reached_leaves_it_unknown_until_a_later_look(workshop, post):
    gone = Account("127.0.0.1", 1, "none", "a", "b")

    with pytest.raises(TryLaterError, match="could not be looked at"):
        await mail(workshop, post, gone).find_sent(**LETTER, key="k")


async def test_a_copy_that_cannot_be_filed_does_not_undo_the_sending(workshop, post):
    receipt = await mail(workshop, post, Account("127.0.0.1", 1, "none", "a", "b")).send(**LETTER, key="k")

    assert receipt.data["copy_in_sent"] is False
    assert len(post.taken) == 1


# ── drafts ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.imap
async def test_a_draft_is_put_into_the_mailbox_once_and_can_be_taken_back(workshop, clean):
    box = mail(workshop, box=account(clean))
    assert await box.find_draft(**LETTER, key="d") is None

    receipt = await box.draft(**LETTER, key="d")
    await box.draft(**LETTER, key="d")
    assert len(clean.messages("Drafts")) == 1
    assert b"Draft" in clean.flags("Drafts")[0]
    assert (await box.find_draft(**LETTER, key="d")).ref == receipt.ref

    name, arguments = Mail.actions()["mail.draft"].undo(LETTER, receipt)
    assert name == "mail.discard"
    await box.discard(**arguments, key="u")
    await box.discard(**arguments, key="u")
    assert clean.messages("Drafts") == []


async def test_a_draft_without_a_mailbox_is_a_file_and_can_be_taken_back(workshop):
    box = mail(workshop)
    receipt = await box.draft(**LETTER, key="d")

    assert (await box.find_draft(**LETTER, key="d")).ref == receipt.ref
    await box.discard(message_id=receipt.ref, key="u")
    assert await box.find_draft(**LETTER, key="d") is None


@pytest.mark.parametrize("message_id", ["<../../etc/passwd@berg.example>", "<a@b.example>", "x", ""])
async def test_only_drafts_of_ours_are_removed(workshop, message_id):
    with pytest.raises(RefusedError, match="not a Message-ID of ours"):
        await mail(workshop).discard(message_id=message_id, key="u")


# ── in ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Inbox:
    """Where deliveries land, and a way to wait for them."""

    def __init__(self):
        self.items = []
        self.fails = 0
        self._came = asyncio.Event()

    async def __call__(self, item):
        if self.fails:
            self.fails -= 1
            raise OSError("disk full")
        self.items.append(item)
        self._came.set()

    async def holds(self, count):
        async with asyncio.timeout(120):
            while len(self.items) < count:
                self._came.clear()
                await self._came.wait()
        return self.items


class listening:  # noqa: N801 - reads as a word in ``async with``
    """Run ``listen`` beside the test until the block ends."""

    def __init__(self, box, inbox):
        self._task = asyncio.ensure_future(box.listen(inbox))

    async def __aenter__(self):
        return self._task

    async def __aexit__(self, *_):
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


def letter(number: int, words: str = "Hello") -> bytes:
    return f"From: Bob <bob@acme.example>\r\nSubject: {number}\r\nMessage-ID: <{number}@acme.example>\r\n\r\n{words}\r\n".encode()


async def no_pause(_):
    await asyncio.sleep(0)


async def begun(workshop, imap):
    """The folder has been looked at once, so that what comes now is news."""
    async with asyncio.timeout(120):
        while not list((workshop.home / "mail").glob("seen-*.json")):  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(0.01)


@pytest.mark.imap
async def test_new_mail_comes_in_while_we_wait_and_old_mail_does_not(workshop, clean):
    clean.deliver(letter(1))
    inbox = Inbox()
    async with listening(mail(workshop, box=account(clean), pause=no_pause), inbox):
        await begun(workshop, clean)
        clean.deliver(letter(2))
        (item,) = await inbox.holds(1)

    assert item.kind == "mail"
    assert item.data["message_id"] == "<2@acme.example>"
    assert item.data["from"] == {"name": "Bob", "address": "bob@acme.example"}
    assert item.text.strip() == "Hello"
    assert item.account == "anna@berg.example"
    assert all(b"Seen" not in flags for flags in clean.flags("INBOX"))


@pytest.mark.imap
async def test_after_any_gap_it_goes_on_where_it_was(workshop, clean):
    inbox = Inbox()
    async with listening(mail(workshop, box=account(clean)), inbox):
        await begun(workshop, clean)
    for number in range(5):
        clean.deliver(letter(number))
    async with listening(mail(workshop, box=account(clean)), inbox):
        await inbox.holds(5)
        clean.deliver(letter(5))
        items = await inbox.holds(6)
    assert [item.data["subject"] for item in items] == ["0", "1", "2", "3", "4", "5"]


@pytest.mark.imap
async def test_a_renumbered_folder_is_read_again_under_the_same_event_ids(workshop, clean):
    inbox = Inbox()
    workshop = Workshop(home=workshop.home, files=workshop.files, now=lambda: datetime.now(UTC))
    async with listening(mail(workshop, box=account(clean)), inbox):
        await begun(workshop, clean)
        clean.deliver(letter(1))
        await inbox.holds(1)
    clean.renumber()
    clean.deliver(letter(2))
    async with listening(mail(workshop, box=account(clean)), inbox):
        items = await inbox.holds(3)

    assert [item.data["subject"] for item in items] == ["1", "1", "2"]
    assert len({item.event_id for item in items}) == 2


@pytest.mark.imap
async def test_twin_without_the_bookmark_a_gap_swallows_mail(workshop, clean):
    """The guard removed: each start begins with what comes now. The gap then shows."""
    inbox = Inbox()
    async with listening(mail(workshop, box=account(clean)), inbox):
        await begun(workshop, clean)
    clean.deliver(letter(1))
    for note in (workshop.home / "mail").iterdir():
        note.unlink()
    async with listening(mail(workshop, box=account(clean)), inbox):
        await begun(workshop, clean)
        clean.deliver(letter(2))
        items = await inbox.holds(1)
    assert [item.data["subject"] for item in items] == ["2"]


@pytest.mark.imap
async def test_a_forged_message_id_hides_no_real_message_and_a_second_delivery_is_the_first(workshop, clean):
    inbox = Inbox()
    async with listening(mail(workshop, box=account(clean)), inbox):
        await begun(workshop, clean)
        clean.deliver(letter(1, "Please pay to another account"))
        clean.deliver(letter(1))
        clean.deliver(b"Received: by a second way\r\n" + letter(1))
        forged, real, again = await inbox.holds(3)
    assert forged.event_id != real.event_id == again.event_id


@pytest.mark.imap
async def test_what_could_not_be_written_down_is_brought_again(workshop, clean):
    inbox = Inbox()
    async with listening(mail(workshop, box=account(clean), pause=no_pause), inbox):
        await begun(workshop, clean)
        inbox.fails = 3
        clean.deliver(letter(1))
        items = await inbox.holds(1)
    assert [item.data["subject"] for item in items] == ["1"]


@pytest.mark.imap
async def test_a_server_that_restarts_is_found_again(workshop, clean):
    inbox = Inbox()
    async with listening(mail(workshop, box=account(clean), pause=no_pause), inbox):
        await begun(workshop, clean)
        clean.stop()
        clean.start()
        clean.deliver(letter(1))
        await inbox.holds(1)


@pytest.mark.imap
async def test_other_folders_are_looked_into_as_well(workshop, clean):
    inbox = Inbox()
    box = account(clean, folders=("INBOX", "Archive"))
    async with listening(mail(workshop, box=box), inbox):
        await begun(workshop, clean)
    clean.deliver(letter(1), "Archive")
    async with listening(mail(workshop, box=box), inbox):
        (item,) = await inbox.holds(1)
    assert item.data["folder"] == "Archive"


@pytest.mark.imap
async def test_attachments_are_kept_as_files(workshop, clean):
    raw = (
        b"Message-ID: <1@x>\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment\r\n\r\n%PDF"
    )
    inbox = Inbox()
    async with listening(mail(workshop, box=account(clean)), inbox):
        await begun(workshop, clean)
        clean.deliver(raw)
        (item,) = await inbox.holds(1)
    (kept,) = item.data["attachments"]
    assert workshop.files.get(kept["sha256"]).startswith(b"%PDF")
    assert kept["size"] == len(workshop.files.get(kept["sha256"]))


@pytest.mark.imap
async def test_a_message_too_large_comes_with_its_headers_only(workshop, clean, monkeypatch):
    monkeypatch.setattr("connectors.mail_folders.BYTES_MAX", 1_000)
    inbox = Inbox()
    async with listening(mail(workshop, box=account(clean)), inbox):
        await begun(workshop, clean)
        clean.deliver(letter(1, "x" * 2_000))
        (item,) = await inbox.holds(1)
    assert item.data["subject"] == "1"
    assert (item.text, item.data["whole"]) == ("", False)


@pytest.mark.imap
async def test_a_wrong_password_stops_the_listening_before_the_account_is_locked(workshop, clean):
    with pytest.raises(RefusedError, match="did not accept the login") as failure:
        await mail(workshop, box=account(clean, password="wrong-secret")).listen(Inbox())
    assert "wrong-secret" not in str(failure.value)


async def test_without_a_mailbox_there_is_nothing_to_listen_to(workshop):
    await mail(workshop).listen(Inbox())


# ── set-up and health ─────────────────────────────────────────────────────────────────────────────────────────────


def values(**changes) -> dict[str, str]:
    return {setting.name: setting.default for setting in Mail.settings} | changes


def test_without_any_setting_there_is_an_outbox(workshop):
    assert Mail.open(values(), workshop).account == "you@localhost"
    assert Mail.open(values(MAIL_FROM=SENDER), workshop).account == "anna@berg.example"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"SMTP_HOST": "smtp.acme.example"}, "set MAIL_FROM"),
        ({"MAIL_FROM": "Anna"}, "not one e-mail address"),
        ({"SMTP_HOST": "h", "MAIL_FROM": SENDER, "SMTP_PORT": "smtp"}, "SMTP_PORT is 'smtp'"),
        ({"SMTP_HOST": "h", "MAIL_FROM": SENDER, "SMTP_SECURITY": "ssl"}, "starttls, tls or none"),
        ({"SMTP_HOST": "h", "MAIL_FROM": SENDER, "SMTP_SECURITY": "none", "SMTP_PASSWORD": "p"}, "in the clear"),
        ({"IMAP_HOST": "h", "IMAP_PORT": "0"}, "IMAP_PORT is '0'"),
        ({"IMAP_HOST": "h", "IMAP_SECURITY": "none", "SMTP_PASSWORD": "p"}, "in the clear"),
    ],
)
def test_settings_that_make_no_sense_are_refused_with_what_to_do(workshop, changes, words):
    with pytest.raises(RefusedError, match=words):
        Mail.open(values(**changes), workshop)


def test_a_server_on_this_machine_may_go_without_tls(workshop):
    local = {"SMTP_HOST": "localhost", "SMTP_SECURITY": "none", "SMTP_PASSWORD": "p", "MAIL_FROM": SENDER}

    assert Mail.open(values(**local), workshop)


async def test_health_says_that_nothing_is_sent_without_a_server(workshop):
    health = await mail(workshop).health()

    assert health.ok
    assert "outbox" in health.text
    assert "SMTP_HOST" in health.remedy


@pytest.mark.imap
async def test_health_logs_in_to_both_servers(workshop, post, clean):
    good = await mail(workshop, post, account(clean)).health()
    assert good.ok, good
    assert good.text.count("Logged in") == 2

    assert "has no folder Gesendet" in (await mail(workshop, post, account(clean, sent="Gesendet")).health()).text
    assert not (await mail(workshop, post, account(clean, password="wrong")).health()).ok
    post.at("connect", Fault(drop=True))
    bad = await mail(workshop, post, account(clean)).health()
    assert not bad.ok
    assert bad.remedy


def test_the_card_sees_every_recipient_and_the_card_knows_the_point_of_no_return():
    declared = Mail.actions()["mail.send"]

    assert {param.name for param in declared.params if param.role == "recipients"} == {"to", "cc", "bcc"}
    assert declared.delayed
    assert declared.no_return
    assert isinstance(Receipt, type)
