import email
import hashlib
from datetime import UTC, datetime
from email.policy import default

import pytest

from connectors.base import RefusedError
from connectors.mail_message import RECIPIENTS_MAX, REFERENCES_MAX, Letter, address, compose, message_id

NOW = datetime(2026, 3, 31, 9, 30, tzinfo=UTC)
PDF = b"%PDF-1.7 pretend"
DIGEST = hashlib.sha256(PDF).hexdigest()


class Shelf(dict[str, bytes]):
    def get(self, sha256):
        if sha256 not in self:
            raise KeyError(f"There is no file {sha256[:8]}.")
        return self[sha256]

    def put(self, content):
        raise NotImplementedError


SHELF = Shelf({DIGEST: PDF})


def composed(key="12.1.1", at=NOW, files=SHELF, sender="Anna Berg <anna@berg.example>", **changes):
    facts = {"to": ["bob@acme.example"], "subject": "Invoice 2026-0001", "body": "Hello\n"}
    return compose(Letter(**(facts | changes)), sender=sender, key=key, at=at, files=files)


def parsed(message):
    return email.message_from_bytes(message.content, policy=default)


def test_the_message_id_is_the_same_on_every_attempt_and_another_for_another_effect():
    later = datetime(2026, 4, 1, tzinfo=UTC)

    assert composed().message_id == composed(at=later).message_id == message_id("12.1.1", "anna@berg.example")
    assert composed(key="12.1.2").message_id != composed().message_id
    assert composed(sender="eve@berg.example").message_id != composed().message_id
    assert composed().message_id.endswith("@berg.example>")
    assert parsed(composed())["Message-ID"] == composed().message_id


def test_the_same_letter_at_the_same_time_is_the_same_bytes():
    assert composed().content == composed().content


def test_headers_say_who_when_and_what():
    mail = parsed(composed(to=["Bob Ø <bob@acme.example>", "c@acme.example"], cc=["d@acme.example"], subject="Grüße ✓"))

    assert mail["From"] == "Anna Berg <anna@berg.example>"
    assert mail["To"] == "Bob Ø <bob@acme.example>, c@acme.example"
    assert mail["Cc"] == "d@acme.example"
    assert mail["Subject"] == "Grüße ✓"
    assert mail["Date"].datetime == NOW
    assert mail["Auto-Submitted"] is None


def test_hidden_recipients_are_in_the_envelope_and_nowhere_else():
    message = composed(bcc=["hidden@acme.example"])

    assert "hidden@acme.example" in message.recipients
    assert b"hidden" not in message.content
    assert b"bcc" not in message.content.lower()


def test_somebody_named_twice_gets_it_once():
    assert composed(cc=["Bob <bob@acme.example>"]).recipients == ("bob@acme.example",)


@pytest.mark.parametrize("break_", ["\r\n", "\n", "\r", "\x00", "\x0b", "\u2028", "\x85"])
@pytest.mark.parametrize("field", ["subject", "to", "cc", "bcc", "in_reply_to", "references", "sender", "name"])
def test_no_line_break_gets_into_a_header(field, break_):
    evil = f"x{break_}Bcc: eve@evil.example"
    changes = {
        "subject": {"subject": evil},
        "to": {"to": [f"bob@acme.example{break_}Bcc: eve@evil.example"]},
        "cc": {"cc": [f"{evil} <bob@acme.example>"]},
        "bcc": {"bcc": [f"bob@acme.example{break_}"[:-1] + f"{break_}x@y.example"]},
        "in_reply_to": {"in_reply_to": f"<a{break_}b@x>"},
        "references": {"references": [f"<a@x>{break_}Bcc: eve@evil.example"]},
        "sender": {"sender": f"Anna{break_}Bcc: eve@evil.example <anna@berg.example>"},
        "name": {"attachments": [{"name": f"a{break_}b.pdf", "sha256": DIGEST, "size": 1}]},
    }[field]

    with pytest.raises(RefusedError):
        composed(**changes)


def test_what_would_be_refused_with_a_break_goes_out_without_it():
    mail = parsed(composed(subject="x Bcc: eve@evil.example", in_reply_to="<ab@x>", references=["<a@x>"]))

    assert mail["Bcc"] is None
    assert mail["References"] == "<a@x> <ab@x>"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bob",
        "@acme.example",
        "bob@",
        "bob@acme.example, eve@evil.example",
        "bob@acme.example eve@evil.example",
        "bob@acme.example;eve@evil.example",
        "<bob@acme.example> <eve@evil.example>",
        "bob@acme@evil.example",
        "Bob <bob@acme.example",
        "bob@acme..example",
        "bob@-",
        "bo\u200bb@acme.example",
        "\u202ebob@acme.example",
        "bob@acme.exam\u00adple",
        "group: bob@acme.example;",
        "bob@[127.0.0.1]",
        "bob@" + "a" * 300 + ".example",
    ],
)
def test_what_is_not_exactly_one_visible_address_is_refused(text):
    with pytest.raises(RefusedError):
        address(text)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("bob@acme.example", "bob@acme.example"),
        ("Bob O'Hara <bob+tag@acme.example>", "bob+tag@acme.example"),
        ('"Hara, Bob" <bob@acme.example>', "bob@acme.example"),
        ("info@bücher.example", "info@xn--bcher-kva.example"),
        ("jürgen@acme.example", "jürgen@acme.example"),
        ("root@localhost", "root@localhost"),
    ],
)
def test_addresses_as_people_write_them_are_read(text, spec):
    assert address(text).addr_spec == spec


def test_only_an_address_beyond_ascii_asks_for_smtputf8():
    assert not composed(to=["Jürgen <j@bücher.example>"]).utf8
    assert composed(to=["jürgen@acme.example"]).utf8


def test_an_attachment_goes_out_as_it_was_on_the_card():
    mail = parsed(composed(attachments=[{"name": "Räkning 1.pdf", "sha256": DIGEST, "size": len(PDF)}]))

    (part,) = mail.iter_attachments()
    assert (part.get_filename(), part.get_content_type(), part.get_content()) == (
        "Räkning 1.pdf",
        "application/pdf",
        PDF,
    )


@pytest.mark.parametrize(
    ("attachment", "words"),
    [
        ({"name": "a.pdf", "sha256": "0" * 64}, "is gone: There is no file"),
        ({"name": "../a.pdf", "sha256": DIGEST}, "without a folder"),
        ({"name": "", "sha256": DIGEST}, "without a folder"),
    ],
)
def test_an_attachment_that_cannot_go_out_is_refused(attachment, words):
    with pytest.raises(RefusedError, match=words):
        composed(attachments=[attachment])


def test_a_file_that_was_changed_after_the_card_is_refused():
    with pytest.raises(RefusedError, match="not the file that was on the card"):
        composed(files=Shelf({DIGEST: b"changed"}), attachments=[{"name": "a.pdf", "sha256": DIGEST}])


def test_an_attachment_cannot_pose_as_part_of_the_message():
    mail = parsed(composed(attachments=[{"name": "a", "sha256": DIGEST, "media_type": "message/rfc822"}]))

    assert next(mail.iter_attachments()).get_content_type() == "application/octet-stream"


def test_a_message_too_large_for_any_server_is_refused():
    large = b"x" * 20_000_000
    digest = hashlib.sha256(large).hexdigest()

    with pytest.raises(RefusedError, match="25 MB is the most"):
        composed(files=Shelf({digest: large}), attachments=[{"name": "a.bin", "sha256": digest}])


def test_too_many_recipients_are_a_mailing_and_refused():
    composed(to=[f"a{n}@acme.example" for n in range(RECIPIENTS_MAX)])
    with pytest.raises(RefusedError, match="is the most"):
        composed(to=[f"a{n}@acme.example" for n in range(RECIPIENTS_MAX + 1)])
    with pytest.raises(RefusedError, match="no recipient"):
        composed(to=[])


def test_a_thread_keeps_its_root_and_its_newest():
    chain = [f"<{n}@x.example>" for n in range(100)]

    said = parsed(composed(references=chain, in_reply_to=chain[-1]))["References"].split()
    assert (said[0], said[-1], len(said)) == (chain[0], chain[-1], REFERENCES_MAX)


def test_automatic_mail_says_so_and_never_answers_ourselves():
    assert parsed(composed(automatic="auto-generated"))["Auto-Submitted"] == "auto-generated"
    assert composed(automatic="auto-generated", to=["anna@berg.example"])  # a digest to oneself is fine
    with pytest.raises(RefusedError, match="round for ever"):
        composed(automatic="auto-replied", to=["Anna@Berg.example"])
    with pytest.raises(RefusedError, match="no kind of automatic mail"):
        composed(automatic="yes")


def test_a_text_with_control_characters_is_refused_and_line_ends_are_mended():
    with pytest.raises(RefusedError, match="control characters"):
        composed(body="a\x00b")
    assert parsed(composed(body="a\r\nb\rc")).get_content().splitlines() == ["a", "b", "c"]


def test_a_lone_dot_and_from_lines_survive():
    assert parsed(composed(body=".\n..\nFrom here\n")).get_content().splitlines() == [".", "..", "From here"]


def test_nothing_but_seven_bits_goes_out_and_no_line_is_too_long():
    message = composed(
        body="Grüße, Łukasz ✓ " * 400, subject="Grüße ✓", attachments=[{"name": "ä.pdf", "sha256": DIGEST}]
    )

    assert message.content.isascii()
    assert max(len(line) for line in message.content.splitlines()) <= 998
    assert parsed(message).get_body().get_content().strip() == ("Grüße, Łukasz ✓ " * 400).strip()
