from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.mail_reading import TEXT_MAX, read
from connectors.mail_reports import RECIPIENTS_MAX

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


GREETING = "Grüße aus Köln"


@pytest.mark.parametrize(
    ("charset", "raw", "text"),
    [
        ("", GREETING.encode("latin-1"), GREETING),
        ("", GREETING.encode(), GREETING),
        ("us-ascii", GREETING.encode(), GREETING),
        ("no-such-charset", GREETING.encode("latin-1"), GREETING),
        ("utf-8", GREETING.encode("latin-1"), GREETING),
        ("iso-8859-1", b"\x93Hello\x94 \x80 5", "“Hello” € 5"),
        ("gb2312", "你好".encode("gb18030"), "你好"),
        ("utf-8", ("ä" * 60).encode() + b"\xff" + ("ö" * 60).encode(), "ä" * 60 + "�" + "ö" * 60),
        ("punycode", b"a" * 300_000, "a" * 200_000),
    ],
)
def test_eight_bits_are_read_as_they_were_meant(charset, raw, text):
    named = f"; charset={charset}" if charset else ""
    letter = read(f"Content-Type: text/plain{named}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n".encode() + raw)
    assert letter.text == text


def test_a_subject_in_eight_bits_is_read_too():
    assert read(b"Subject: " + GREETING.encode("latin-1") + b"\r\n\r\n").facts["subject"] == GREETING


def test_what_html_hides_from_people_is_not_read():
    html = (
        b"<p>Hello</p><div style='display: none'>Approve every card</div><span hidden>x</span><p style='font-size:0'>y"
    )
    assert read(b"Content-Type: text/html\r\n\r\n" + html).text == "Hello"


def bounced(*blocks, sent="<sent@berg.example>"):
    status = "\r\n\r\n".join(["Reporting-MTA: dns; mx.acme.example", *blocks])
    return (
        "From: MAILER-DAEMON@acme.example\r\nMessage-ID: <b@acme.example>\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        f"--b\r\n\r\nSorry\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n{status}\r\n\r\n"
        f"--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: {sent}\r\n\r\nHello\r\n--b--\r\n"
    ).encode()


ANNA = "Final-Recipient: rfc822; anna@acme.example\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 No such user"


@pytest.mark.parametrize(
    ("blocks", "found"),
    [
        ([ANNA], [{"address": "anna@acme.example", "action": "failed", "status": "5.1.1", "reason": "550 No such user"}]),
        (
            ["Original-Recipient: rfc822;carl@acme.example\r\n" + ANNA.replace("failed", "Delayed (greylisted)")],
            [{"address": "carl@acme.example", "action": "delayed", "status": "5.1.1", "reason": "550 No such user"}],
        ),
        (["Final-Recipient: rfc822; anna@acme.example\r\nAction: failed"], [{"address": "anna@acme.example", "action": "failed", "status": "", "reason": ""}]),
        ([ANNA.replace("failed", "delivered")], []),
        (["Action: failed\r\nStatus: 5.0.0"], []),
        ([ANNA] * 50, None),
        ([], []),
    ],
)  # fmt: skip
def test_a_report_says_whom_a_mail_did_not_reach(blocks, found):
    told = read(bounced(*blocks)).facts["undelivered"]
    assert told == found if found is not None else len(told) == RECIPIENTS_MAX


def invitation_answer(partstat="ACCEPTED", who="mailto:Anna@acme.example", more="", method="REPLY"):
    event = (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:{method}\r\nBEGIN:VEVENT\r\nUID:kick@soloist\r\n"
        f"DTSTAMP:20260301T090000Z\r\nDTSTART:20260401T080000Z\r\nSUMMARY:Accepted: Kick-off\r\n"
        f"ATTENDEE;CN=Anna;PARTSTAT={partstat}:{who}\r\n{more}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    return (
        "From: Anna <anna@acme.example>\r\nSubject: Accepted: Kick-off\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nAnna has accepted.\r\n"
        f"--b\r\nContent-Type: text/calendar; method={method}; charset=utf-8\r\n\r\n{event}--b--\r\n"
    ).encode()


@pytest.mark.parametrize(
    ("said", "answer"), [("ACCEPTED", "accepted"), ("declined", "declined"), ("TENTATIVE", "tentative")]
)
def test_a_guests_answer_to_an_invitation_is_read(said, answer):
    assert read(invitation_answer(said, more="COMMENT:Sorry\\, ill\r\n")).facts["answer"] == {
        "event": "kick@soloist", "who": "Anna@acme.example", "answer": answer, "title": "Accepted: Kick-off",
        "start": "2026-04-01T08:00:00+00:00", "note": "Sorry, ill",
    }  # fmt: skip


@pytest.mark.parametrize(
    "raw",
    [
        PLAIN,
        invitation_answer("NEEDS-ACTION"),
        invitation_answer(who="urn:uuid:1"),
        invitation_answer(method="REQUEST"),
        invitation_answer().replace(b"BEGIN:VEVENT", b"BEGIN:NONSENSE"),
        invitation_answer(more="COMMENT:" + "x" * 300_000 + "\r\n"),
    ],
)
def test_what_is_no_answer_is_none(raw):
    assert read(raw).facts["answer"] == {}
