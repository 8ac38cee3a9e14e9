import json
import os
import signal
import ssl
import subprocess
import sys
from contextlib import suppress

import aiosmtplib
import pytest

from connectors import mail_delivery
from connectors.base import OutcomeUnknownError, RefusedError, TryLaterError
from connectors.mail_delivery import Server, deliver, greet
from connectors.mail_message import Message
from tests.counterparts.smtp import POINTS, Fault, PostOffice

LETTER = Message(
    "<1@me.example>",
    "me@me.example",
    ("a@acme.example", "b@acme.example"),
    b"Message-ID: <1@me.example>\r\nSubject: x\r\n\r\n.a line with a dot\r\nend\r\n",
    utf8=False,
)


@pytest.fixture
async def post():
    async with PostOffice() as office:
        yield office


def server(post: PostOffice, **changes) -> Server:
    facts = {"host": "127.0.0.1", "port": post.port, "security": "none", "command_timeout_s": 5, "dot_timeout_s": 5}
    return Server(**(facts | changes))


async def test_a_taken_message_is_told_in_the_servers_own_words(post):
    taken = await deliver(server(post), LETTER)

    assert taken.answer == "250 2.0.0 Ok: queued as Q0001"
    assert taken.queue_id == "Q0001"
    assert post.accepted == {"<1@me.example>": 1}
    assert post.taken[0].recipients == ["a@acme.example", "b@acme.example"]
    assert post.taken[0].content == LETTER.content


def impatient(point: str) -> dict[str, float]:
    """Time-outs for a server that hangs at this point: short there, long before, so that a busy machine is no fault."""
    return {"dot_timeout_s" if point in {"dot", "kept"} else "command_timeout_s": 0.2}


LATER, NO, UNKNOWN = TryLaterError, RefusedError, OutcomeUnknownError

FAULTS = [
    # point, what goes wrong, what it means, how many messages the server has
    ("connect", Fault("421 4.3.2 Too busy", drop=True), LATER, 0),
    ("connect", Fault("554 5.7.1 Go away", drop=True), NO, 0),
    ("connect", Fault(drop=True), LATER, 0),
    ("connect", Fault(hang=True), LATER, 0),
    ("ehlo", Fault("421 4.3.2 Closing", drop=True), LATER, 0),
    ("ehlo", Fault(drop=True), LATER, 0),
    ("ehlo", Fault(hang=True), LATER, 0),
    ("mail", Fault("421 4.7.0 Slow down"), LATER, 0),
    ("mail", Fault("451 4.3.0 Try again"), LATER, 0),
    ("mail", Fault("550 5.7.1 Sender refused"), NO, 0),
    ("mail", Fault(drop=True), LATER, 0),
    ("mail", Fault(hang=True), LATER, 0),
    ("rcpt", Fault("450 4.2.0 Greylisted"), LATER, 0),
    ("rcpt", Fault("550 5.1.1 No such user"), NO, 0),
    ("rcpt", Fault(drop=True), LATER, 0),
    ("rcpt", Fault(hang=True), LATER, 0),
    ("data", Fault("451 4.3.0 No room"), LATER, 0),
    ("data", Fault("554 5.7.1 No valid recipients"), NO, 0),
    ("data", Fault(drop=True), LATER, 0),
    ("data", Fault(hang=True), LATER, 0),
    ("dot", Fault("421 4.3.2 Closing"), LATER, 0),
    ("dot", Fault("451 4.3.0 Queue full"), LATER, 0),
    ("dot", Fault("550 5.7.1 Spam"), NO, 0),
    ("dot", Fault("299 Perhaps"), UNKNOWN, 0),
    ("dot", Fault("gibberish"), UNKNOWN, 0),
    ("dot", Fault(drop=True), UNKNOWN, 0),
    ("dot", Fault(hang=True), UNKNOWN, 0),
    ("kept", Fault(drop=True), UNKNOWN, 1),
    ("kept", Fault(hang=True), UNKNOWN, 1),
]


@pytest.mark.parametrize(
    ("point", "fault", "meaning", "taken"),
    [pytest.param(*row, id=f"{row[0]} {row[1].reply or ('drop' if row[1].drop else 'hang')}") for row in FAULTS],
)
async def test_every_failure_is_one_of_three_facts(post, point, fault, meaning, taken):
    post.at(point, fault)

    patience = impatient(point) if fault.hang else {}
    with pytest.raises((LATER, NO, UNKNOWN)) as failure:
        await deliver(server(post, **patience), LETTER)

    assert failure.type is meaning
    assert len(post.taken) == taken
    if fault.reply and meaning is not UNKNOWN:
        assert fault.reply in str(failure.value)
    said = "may have been sent" if meaning is UNKNOWN else "Nothing was sent"
    assert (
        said in str(failure.value)
        or "neither yes nor no" in str(failure.value)
        or "went to nobody" in str(failure.value)
    )


async def test_a_break_in_the_middle_of_the_text_is_before_the_dot(post):
    post.at("body", Fault(drop=True))
    long = Message(
        "<1@me.example>",
        "me@me.example",
        ("a@acme.example",),
        b"x: y\r\n\r\n" + b"z" * 70 + b"\r\n" * 9_000_000,
        utf8=False,
    )

    with pytest.raises(TryLaterError, match="Nothing was sent"):
        await deliver(server(post), long)
    assert post.taken == []


async def test_what_the_server_does_after_its_answer_changes_nothing(post):
    post.at("answered", Fault(drop=True))

    assert (await deliver(server(post), LETTER)).queue_id == "Q0001"


async def test_nobody_listening_is_a_reason_to_try_later(post):
    await post.stop()

    with pytest.raises(TryLaterError, match=r"could not be used .* Nothing was sent"):
        await deliver(server(post), LETTER)


async def test_one_refused_recipient_means_that_nobody_gets_it_and_says_who(post):
    post.at("rcpt", Fault("550 5.1.1 No such user", only="b@acme.example"))

    with pytest.raises(
        RefusedError, match=r"refused b@acme.example: 550 5.1.1 No such user. The message went to nobody"
    ):
        await deliver(server(post), LETTER)
    assert post.taken == []
    post.heal()
    await deliver(server(post), LETTER)
    assert post.taken[0].recipients == ["a@acme.example", "b@acme.example"]


async def test_a_recipient_greylisted_beside_one_refused_for_good_is_a_refusal(post):
    post.at("rcpt", Fault("450 4.2.0 Greylisted", only="a@acme.example"))
    post.at("rcpt", Fault("550 5.1.1 No such user", only="b@acme.example"))

    with pytest.raises(RefusedError, match=r"a@acme.example: 450.*b@acme.example: 550"):
        await deliver(server(post), LETTER)


async def test_a_wrong_password_is_refused_and_never_told(post):
    post.users = {"me": "right"}

    with pytest.raises(RefusedError, match="did not accept the login of me") as failure:
        await deliver(server(post, user="me", password="wrong-secret"), LETTER)
    assert "wrong-secret" not in str(failure.value)
    assert (await deliver(server(post, user="me", password="right"), LETTER)).queue_id


async def test_a_server_that_quotes_the_password_does_not_get_it_onto_a_card(post):
    post.users = {"me": "right"}
    post.at("auth", Fault("535 5.7.8 AUTH PLAIN AG1lAGh1bnRlci0yLXNlY3JldA== hunter-2-secret is wrong"))

    with pytest.raises(RefusedError) as failure:
        await deliver(server(post, user="me", password="hunter-2-secret"), LETTER)
    assert "hunter-2" not in str(failure.value)
    assert "[secret]" in str(failure.value)
    assert "hunter-2" not in repr(server(post, password="hunter-2-secret"))


async def test_a_login_that_fails_for_now_is_tried_later(post):
    post.users = {"me": "right"}
    post.at("auth", Fault("454 4.7.0 Temporary failure"))

    with pytest.raises(TryLaterError, match="454"):
        await deliver(server(post, user="me", password="right"), LETTER)


async def test_starttls_is_not_given_up_when_the_server_has_none(post):
    with pytest.raises(RefusedError, match="check SMTP_SECURITY"):
        await deliver(server(post, security="starttls"), LETTER)
    assert post.seen["mail"] == 0


async def test_starttls_needs_a_certificate_that_holds(tmp_path, monkeypatch):
    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with PostOffice(tls=context) as post:
        with pytest.raises(RefusedError, match=r"certificate of 127.0.0.1 does not hold"):
            await deliver(server(post, security="starttls"), LETTER)
        assert post.seen["mail"] == 0
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert (await deliver(server(post, security="starttls"), LETTER)).queue_id


async def test_a_message_larger_than_the_server_says_is_refused_before_it_is_sent():
    async with PostOffice(size_max=50) as post:
        with pytest.raises(RefusedError, match="takes 50 at most"):
            await deliver(server(post), LETTER)
        assert post.seen["mail"] == 0


async def test_an_address_beyond_ascii_needs_a_server_that_can_carry_it():
    unicode = Message("<1@me.example>", "me@me.example", ("jürgen@acme.example",), LETTER.content, utf8=True)
    async with PostOffice() as post:
        await deliver(server(post), unicode)
        assert post.taken[0].recipients == ["jürgen@acme.example"]
    async with PostOffice(utf8=False) as post:
        with pytest.raises(RefusedError, match="SMTPUTF8"):
            await deliver(server(post), unicode)


async def test_a_greeting_changes_nothing_and_says_who_answers(post):
    assert "post.example" in await greet(server(post))
    assert post.seen["mail"] == 0
    with pytest.raises(RefusedError):
        await greet(server(post, security="starttls"))


async def send_until_sure(server, message, times=4):
    """What a runner may do: send again after TryLaterError, and after nothing else."""
    for _ in range(times):
        try:
            return await deliver(server, message)
        except TryLaterError:
            continue
        except (RefusedError, OutcomeUnknownError):
            return None
    return None


WAYS = [(point, how) for point in POINTS for how in ("drop", "451 4.3.0 later", "550 5.0.0 no")]
WAYS += [("dot", "hang"), ("kept", "hang")]
# A server that keeps a message and says "later" asks for a second copy; against that there is only the Message-ID.
WAYS.remove(("kept", "451 4.3.0 later"))


@pytest.mark.parametrize(("point", "how"), WAYS)
async def test_whatever_goes_wrong_nobody_gets_it_twice(post, point, how):
    post.users = {"me": "right"}
    post.at(point, Fault(**({how: True} if how in {"drop", "hang"} else {"reply": how}), times=2))

    patience = impatient(point) if how == "hang" else {}
    await send_until_sure(server(post, user="me", password="right", **patience), LETTER)
    assert post.accepted["<1@me.example>"] <= 1


async def test_twin_a_silence_taken_for_a_failure_sends_twice(post, monkeypatch):
    """The guard removed: what is unknown is called "try later". The count then shows it."""

    async def naive(protocol, server):
        try:
            return await verdict(protocol, server)
        except OutcomeUnknownError as error:
            raise TryLaterError(str(error)) from None

    verdict = mail_delivery._verdict
    monkeypatch.setattr(mail_delivery, "_verdict", naive)
    post.at("kept", Fault(drop=True, times=2))
    await send_until_sure(server(post), LETTER)
    assert post.accepted["<1@me.example>"] == 3


async def test_twin_a_library_that_writes_text_and_dot_together_cannot_tell_a_break_before_the_dot(post):
    """The guard removed: text and dot in one write. The break in the text then looks like any other."""
    post.at("body", Fault(drop=True))
    smtp = aiosmtplib.SMTP(hostname="127.0.0.1", port=post.port, start_tls=False, timeout=60)
    await smtp.connect()
    await smtp.mail("me@me.example")
    await smtp.rcpt("a@acme.example")
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await smtp.data(b"x: y\r\n\r\n" + b"z\r\n" * 500_000)
    smtp.close()


async def test_twin_without_the_guard_some_get_it_and_some_do_not(post, monkeypatch):
    async def careless(smtp, message):
        await smtp.mail(message.sender)
        for recipient in message.recipients:
            with suppress(aiosmtplib.SMTPRecipientRefused):
                await smtp.rcpt(recipient)

    monkeypatch.setattr(mail_delivery, "_envelope", careless)
    post.at("rcpt", Fault("550 5.1.1 No such user", only="b@acme.example"))
    await deliver(server(post), LETTER)
    assert post.taken[0].recipients == ["a@acme.example"]


VICTIM = """
import asyncio, sys
from connectors.mail_delivery import Server, deliver
from connectors.mail_message import Message
letter = Message("<1@me.example>", "me@me.example", ("a@acme.example",), b"Message-ID: <1@me.example>\\r\\n\\r\\n", False)
sys.stdin.readline()
asyncio.run(deliver(Server("127.0.0.1", int(sys.argv[1]), "none"), letter))
print("done")
"""


@pytest.mark.parametrize(
    ("point", "taken"), [("connect", 0), ("rcpt", 0), ("data", 0), ("dot", 0), ("kept", 1), ("answered", 1)]
)
def test_a_harness_can_kill_a_sender_at_any_point_and_count_what_was_taken(tmp_path, point, taken):
    with PostOffice(ledger=tmp_path / "ledger").in_thread() as post:
        victim = subprocess.Popen(
            [sys.executable, "-c", VICTIM, str(post.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        post.at(point, Fault(call=lambda *_: os.kill(victim.pid, signal.SIGKILL), hang=True))
        victim.communicate("go\n", timeout=120)
        assert victim.returncode == -signal.SIGKILL
    ledger = (tmp_path / "ledger").read_text().splitlines() if taken else []
    assert [json.loads(line)["message_id"] for line in ledger] == ["<1@me.example>"] * taken
    assert post.accepted["<1@me.example>"] == taken


def self_signed(folder):
    """A certificate for 127.0.0.1, good for an hour around now."""
    import ipaddress
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "post.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths
