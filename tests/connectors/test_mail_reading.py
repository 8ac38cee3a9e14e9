from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.mail_reading import TEXT_MAX, read

PLAIN = (
    b"From: Bob <Bob@acme.example>\r\nTo: anna@berg.example\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b"Date: Tue, 31 Mar 2026 11:30:00 +0200\r\nMessage-ID: <3@acme.example>\r\nIn-Reply-To: <2@acme.example>\r\n"
    b"References: <1@berg.example>\r\n <2@acme.example>\r\n\r\nHello\r\n"
)


def test_a_plain_message_is_read():
    letter = read(PLAIN)

    assert letter.text == "Hello\n"
    assert letter.facts["from"] == {"name": "Bob", "address": "Bob@acme.example"}
    assert letter.facts["subject"] == "Grüße"
    assert letter.facts["date"] == "2026-03-31T09:30:00+00:00"
    assert letter.facts["references"] == ["<1@berg.example>", "<2@acme.example>"]
    assert letter.facts["thread"] == "<1@berg.example>"
    assert not letter.facts["automatic"]


def test_a_message_that_answers_nothing_begins_a_thread():
    assert read(b"Message-ID: <9@x>\r\n\r\n").facts["thread"] == "<9@x>"
    assert read(b"Message-ID: <9@x>\r\nIn-Reply-To: <8@x>\r\n\r\n").facts["thread"] == "<8@x>"


@pytest.mark.parametrize(
    ("header", "fact"),
    [
        (b"Auto-Submitted: auto-replied", "automatic"),
        (b"Auto-Submitted: auto-generated (rejected)", "automatic"),
        (b"List-Id: <news.acme.example>", "list"),
        (b"List-Unsubscribe: <mailto:x@y>", "list"),
        (b"Precedence: bulk", "bulk"),
        (b"Precedence: junk", "bulk"),
        (b"Return-Path: <>", "bounce"),
        (b"From: MAILER-DAEMON@acme.example", "bounce"),
        (b"Content-Type: multipart/report; boundary=x", "bounce"),
        (b"From: no-reply@acme.example", "automatic"),
        (b"X-Autoreply: yes", "automatic"),
    ],
)
def test_machines_are_told_from_people(header, fact):
    facts = read(header + b"\r\n\r\n").facts

    assert facts[fact]
    assert facts["automatic"]


def test_auto_submitted_no_means_a_person():
    assert not read(b"Auto-Submitted: no\r\nFrom: a@b\r\n\r\n").facts["automatic"]


def test_our_own_mail_is_known():
    assert read(PLAIN, ours={"bob@acme.example"}).facts["from_ourselves"]
    assert not read(PLAIN, ours={"anna@berg.example"}).facts["from_ourselves"]


def test_html_becomes_words_and_hides_its_scripts():
    mail = EmailMessage()
    mail.set_content("<html><head><title>t</title></head><p>Hello &amp; <b>bye</b></p><script>evil()</script>", "html")

    assert read(mail.as_bytes()).text == "Hello & bye"


def test_the_plain_text_wins_over_the_html_and_attachments_are_kept():
    mail = EmailMessage()
    mail.set_content("plain")
    mail.add_alternative("<p>rich</p>", subtype="html")
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="räkning.pdf")
    mail.add_attachment(EmailMessage())

    letter = read(mail.as_bytes())
    assert letter.text.strip() == "plain"
    assert letter.parts[0].name == "räkning.pdf"
    assert letter.parts[0].content == b"%PDF"


def test_a_long_text_is_cut_and_says_so():
    letter = read(b"Subject: x\r\n\r\n" + b"x" * (TEXT_MAX + 1))

    assert len(letter.text) == TEXT_MAX
    assert not letter.facts["whole"]
    assert read(PLAIN).facts["whole"]


def test_two_deliveries_of_a_message_look_the_same_and_a_forged_one_does_not():
    again = b"Received: from elsewhere\r\n" + PLAIN

    assert read(PLAIN).fingerprint == read(again).fingerprint
    assert read(PLAIN).fingerprint != read(PLAIN.replace(b"Hello", b"Pay me")).fingerprint


@pytest.mark.parametrize("kind", ["message/rfc822", "text/rfc822-headers"])
def test_a_bounce_says_which_message_came_back(kind):
    report = (
        "From: MAILER-DAEMON@acme.example\r\nMessage-ID: <b@acme.example>\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\n\r\nNo such user\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nAction: failed\r\n"
        f"--b\r\nContent-Type: {kind}\r\n\r\nSubject: x\r\nMessage-ID: <sent@berg.example>\r\n\r\nHello\r\n--b--\r\n"
    ).encode()

    facts = read(report).facts
    assert facts["bounce"]
    assert facts["bounced"] == "<sent@berg.example>"
    assert read(PLAIN).facts["bounced"] == ""


HORRORS = [
    b"",
    b"\x00\xff\xfe",
    b"From: \xff\xfe <\x00@\x80>\r\nSubject: =?utf-8?b?////?=\r\n\r\n\xff",
    b"Content-Type: text/plain; charset=no-such-charset\r\n\r\nx",
    b"Content-Type: text/plain; charset=utf-7\r\n\r\n+AGE-",
    b"Content-Type: multipart/mixed\r\n\r\nno boundary",
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    + b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" * 200,
    b"Content-Transfer-Encoding: base64\r\n\r\n!!!!",
    b"Date: Tue, 99 Foo 20266 99:99:99 +9999\r\n\r\n",
    b"To: " + b"a@b," * 5000 + b"\r\n\r\n",
    b"References: " + b"<a@b> " * 5000 + b"\r\n\r\n",
    b"From: =?utf-8?q?" + b"=" * 999 + b"?=\r\n\r\n",
    b"Content-Type: message/rfc822\r\n\r\n" * 30,
    b'From: "\r\n\r\n',
    b"Message-ID: <[x>\r\nIn-Reply-To: []\r\n\r\n",
    b"Content-Disposition: attachment; filename*=utf-8''%ff%fe\r\n\r\nx",
]


@pytest.mark.parametrize("raw", HORRORS, ids=range(len(HORRORS)))
def test_no_message_is_so_broken_that_it_cannot_be_kept(raw):
    letter = read(raw)

    assert set(letter.facts) == set(read(PLAIN).facts)
    letter.text.encode()


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=600), st.sampled_from([b"From: ", b"To: a@b, ", b"Date: ", b"Content-Type: ", b"\r\n\r\n", b""])
)
def test_nothing_a_stranger_sends_raises(noise, header):
    read(header + noise)
    read(PLAIN[:200] + noise)
