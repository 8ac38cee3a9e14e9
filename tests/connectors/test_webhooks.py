import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import random
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import webhooks_bodies as bodies
from connectors.base import Incoming, RefusedError, TryLaterError, Workshop
from connectors.webhooks import AT_ONCE, BODY_MAX, SHOWN_MAX, Webhooks
from connectors.webhooks_signature import TOLERANCE_S, verify
from memory.files import FileStore

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECRET = "a-secret-of-the-forms"
WHSEC = "whsec_" + base64.b64encode(b"k" * 24).decode()
FORM = json.dumps({
    "type": "form.filled",
    "id": "f-1",
    "data": {"form": "contact", "fields": {"email": "anna@acme.example", "name": "Anna", "need": "A website", "ok": True}},
}).encode()  # fmt: skip
BOUGHT = json.dumps({
    "type": "subscription.bought",
    "id": "s-1",
    "data": {"email": "bo@globex.example", "plan": "Studio", "amount": "49.00 EUR"},
}).encode()  # fmt: skip


def plain(body, secret=SECRET, name="X-Soloist-Signature"):
    return {name: "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def standard(body, id_="msg_1", at=NOW, key=b"k" * 24):
    stamp = str(int(at.timestamp()))
    digest = hmac.new(key, f"{id_}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": id_,
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }


class Inbox:
    """What the house has written down: one row for each event, as the real inbox keeps it."""

    def __init__(self):
        self.rows = {}
        self.came = []
        self.fails = None

    async def deliver(self, item: Incoming) -> None:
        self.came.append(item)
        if self.fails:
            raise self.fails
        self.rows.setdefault((item.service, item.account, item.event_id), item)


@contextlib.asynccontextmanager
async def listening(hooks, deliver):
    async with asyncio.TaskGroup() as group:
        task = group.create_task(hooks.listen(deliver))
        await hooks.open_for_business.wait()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{hooks.port}", trust_env=False, timeout=20) as http:
            yield http
        task.cancel()


@pytest.fixture
def inbox():
    return Inbox()


@pytest.fixture
def hooks(tmp_path):
    secrets = {"forms": (SECRET,), "shop": (WHSEC, "an-older-secret-of-shop")}
    return Webhooks(
        Workshop(tmp_path, FileStore(tmp_path / "files"), lambda: NOW), host="127.0.0.1", port=0, secrets=secrets
    )


@pytest.fixture
async def post(hooks, inbox):
    async with listening(hooks, inbox.deliver) as http:

        async def send(body, headers, source="forms", method="POST"):
            return await http.request(method, f"/hooks/{source}", content=body, headers=headers)

        yield send


# ── what is believed ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_filled_form_becomes_a_fact(post, inbox):
    assert (await post(FORM, plain(FORM))).status_code == 200

    (item,) = inbox.rows.values()
    assert (item.service, item.account, item.kind) == ("webhooks", "forms", "form")
    assert item.data["fields"]["email"] == "anna@acme.example"
    assert item.text == "email: anna@acme.example\nname: Anna\nneed: A website\nok: yes"
    assert item.at == NOW


async def test_several_choices_of_a_form_are_read(post, inbox):
    body = FORM.replace(b'"A website"', b'["A website", "A shop"]').replace(b'"ok": true', b'"ok": []')
    assert (await post(body, plain(body))).status_code == 200
    (item,) = inbox.rows.values()
    assert "need: A website, A shop" in item.text


async def test_a_bought_subscription_becomes_a_fact(post, inbox):
    assert (await post(BOUGHT, standard(BOUGHT), "shop")).status_code == 200

    (item,) = inbox.rows.values()
    assert (item.kind, item.event_id) == ("subscription", "msg_1")
    assert item.data["plan"] == "Studio"
    assert item.text == "bo@globex.example bought Studio for 49.00 EUR."


async def test_a_copy_is_one_event(post, inbox):
    for _ in range(3):
        assert (await post(FORM, plain(FORM))).status_code == 200
        assert (await post(BOUGHT, standard(BOUGHT, at=NOW + timedelta(seconds=_)), "shop")).status_code == 200
    assert len(inbox.came) == 6
    assert len(inbox.rows) == 2


async def test_a_copy_with_other_headers_is_still_the_same_event(post, inbox):
    await post(FORM, plain(FORM))
    await post(FORM, {**plain(FORM), "webhook-id": "another", "X-Request-Id": "another"})
    assert len(inbox.rows) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"", b"not json", b"[]", b"{}", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000,
        b'{"type": "form.filled"}', b'{"type": "form.filled", "data": {"fields": {}}}',
        b'{"type": "form.filled", "data": {"fields": {"a": 1.5}}}',
        b'{"type": "form.filled", "data": {"fields": {"a": {"b": 1}}}}',
        b'{"type": "form.filled", "data": {"fields": {"a": NaN}}}',
        b'{"type": "invoice.paid", "data": {}}',
        b'{"type": "subscription.bought", "data": {"email": "anna", "plan": "Studio"}}',
        b'{"type": "subscription.bought", "data": {"email": "a@b.example", "plan": ""}}',
        b'{"type": "subscription.bought", "data": {"email": "a@b.example\\n", "plan": "x"}}',
        b'{"type": "subscription.bought", "data": {"email": "a@b.example", "plan": "x", "amount": 49}}',
        b'{"type": "subscription.bought", "data": {"email": "a@b.example", "plan": "x", "amount": "49,00 EUR"}}',
    ],
    ids=range(19),
)  # fmt: skip
async def test_a_body_that_fits_no_schema_is_kept_as_it_came_and_not_guessed(post, hooks, inbox, body):
    assert (await post(body, plain(body))).status_code == 200

    (item,) = inbox.rows.values()
    assert item.kind == "unrecognised"
    assert hooks._workshop.files.get(item.data["sha256"]) == body
    assert item.text == body.decode(errors="replace")[:SHOWN_MAX]
    assert set(item.data) == {"source", "why", "sha256", "size"}


# ── durable before acknowledged ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("error", [OSError("disk full"), RuntimeError("closed"), TimeoutError()])
async def test_what_could_not_be_written_is_not_acknowledged(post, inbox, error):
    inbox.fails = error
    answer = await post(FORM, plain(FORM))
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "60"

    inbox.fails = None
    assert (await post(FORM, plain(FORM))).status_code == 200
    assert len(inbox.rows) == 1


async def test_a_body_that_cannot_be_kept_is_not_acknowledged(post, hooks, monkeypatch):
    def full(content):
        raise OSError("no space left")

    monkeypatch.setattr(hooks._workshop.files, "put", full)
    assert (await post(b"what", plain(b"what"))).status_code == 503


async def test_writing_that_hangs_is_not_acknowledged(hooks, monkeypatch):
    monkeypatch.setattr("connectors.webhooks.WRITE_S", 0.05)
    end = asyncio.Event()

    async def hang(item):
        await end.wait()

    async with listening(hooks, hang) as http:
        assert (await http.post("/hooks/forms", content=FORM, headers=plain(FORM))).status_code == 503


async def test_the_house_itself_takes_a_copy_once_and_says_what_nobody_recognises(house, hooks):
    async with listening(hooks, house.runner.arrived) as http:
        for _ in range(3):
            assert (await http.post("/hooks/forms", content=b"what", headers=plain(b"what"))).status_code == 200
    await house.later(seconds=1)
    assert house.transcript().count("unrecognised") == 1


# ── who is not believed ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("body", "headers", "source", "method"),
    [
        (FORM, {}, "forms", "POST"),
        (FORM, plain(FORM, "another-secret-entirely"), "forms", "POST"),
        (FORM, plain(BOUGHT), "forms", "POST"),
        (FORM, plain(FORM), "shop", "POST"),
        (FORM, plain(FORM), "nobody", "POST"),
        (FORM, plain(FORM), "../forms", "POST"),
        (FORM, plain(FORM), "forms", "PUT"),
        (b"", {}, "forms", "GET"),
        (FORM, {"X-Soloist-Signature": "sha256="}, "forms", "POST"),
        (FORM, {"X-Soloist-Signature": "sha256=" + "0" * 64}, "forms", "POST"),
        (BOUGHT, standard(BOUGHT, key=b"j" * 24), "shop", "POST"),
        (BOUGHT, standard(BOUGHT, at=NOW - timedelta(seconds=TOLERANCE_S + 1)), "shop", "POST"),
        (BOUGHT, standard(BOUGHT, at=NOW + timedelta(seconds=TOLERANCE_S + 1)), "shop", "POST"),
        (BOUGHT, standard(BOUGHT) | {"webhook-id": "msg_2"}, "shop", "POST"),
        (b"x" * (BODY_MAX + 1), plain(b"x" * (BODY_MAX + 1)), "forms", "POST"),
    ],
    ids=range(15),
)
async def test_what_is_not_signed_is_not_let_in(post, inbox, body, headers, source, method):
    assert (await post(body, headers, source, method)).status_code == 401
    assert inbox.came == []


async def test_the_twin_that_believes_everybody_would_have_let_it_in(post, inbox, monkeypatch):
    monkeypatch.setattr("connectors.webhooks.verify", lambda *_: "id")
    assert (await post(FORM, {})).status_code == 200
    assert len(inbox.came) == 1


async def test_during_a_rotation_both_secrets_hold(post, inbox):
    assert (await post(FORM, plain(FORM, "an-older-secret-of-shop"), "shop")).status_code == 200
    assert (await post(BOUGHT, standard(BOUGHT), "shop")).status_code == 200
    assert len(inbox.rows) == 2


@pytest.mark.parametrize("name", ["X-Hub-Signature-256", "Typeform-Signature", "Tally-Signature", "X-Signature-256"])
@pytest.mark.parametrize("form", ["hex", "base64"])
def test_the_usual_ways_to_sign_a_body_are_known(name, form):
    digest = hmac.new(SECRET.encode(), FORM, hashlib.sha256)
    text = digest.hexdigest() if form == "hex" else base64.b64encode(digest.digest()).decode()
    for prefix in ("", "sha256="):
        assert verify(FORM, {name.lower(): prefix + text}, [SECRET], NOW)


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=100),
    st.dictionaries(
        st.sampled_from(
            ["webhook-id", "webhook-timestamp", "webhook-signature", "x-soloist-signature", "tally-signature"]
        ),
        st.text(max_size=80) | st.sampled_from(["v1,", "v1,é", "9" * 12, "sha256=", "sha256=" + "z" * 64, "-1", "1e9"]),
    ),
)
def test_no_header_at_all_is_believed_or_breaks_anything(body, headers):
    assert verify(body, headers, [SECRET, WHSEC, "whsec_not base64 at all"], NOW) is None


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([FORM, BOUGHT]), st.sampled_from(["type", "id", "data", "fields", "email", "plan"]), _json)
def test_a_body_with_one_wrong_field_is_read_or_unfit_and_never_a_crash(body, name, value):
    whole = json.loads(body)
    (whole["data"] if name in {"fields", "email", "plan"} else whole)[name] = value
    with contextlib.suppress(bodies.UnfitError):
        read = bodies.read(json.dumps(whole).encode())
        json.dumps(bodies.facts(read), allow_nan=False)
        assert isinstance(bodies.words(read), str)


async def test_five_thousand_malformed_posts_are_answered_without_a_5xx(post, inbox):
    """T13, the short form: unsigned ones are 401, signed ones are kept; nothing hangs and nothing breaks."""
    chance = random.Random(13)
    shapes = [FORM, BOUGHT, b"", b"{", b"\x00" * 50, b"[" * 500, "é".encode(), b'{"type": 1}', b"a=1&b=2"]
    kinds = [
        "application/json",
        "text/plain",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "a/b; charset=no",
        "",
        "x" * 99,
    ]
    wrong = 0

    async def one(number):
        nonlocal wrong
        body = bytearray(chance.choice(shapes) + str(number).encode())
        for _ in range(chance.randrange(4)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        body = bytes(body)
        signed = chance.random() < 0.3
        source = chance.choice(["forms", "shop", "x", "%00", "a%2f..%2f", "f" * 99])
        headers = {
            "Content-Type": chance.choice(kinds),
            "Content-Encoding": chance.choice(["identity", "gzip", "br", "x"]),
        }
        if signed:
            source = "forms"
            headers |= plain(body)
        elif chance.random() < 0.5:
            junk = chance.choice(["", "v1,", "sha256=", "\xff" * 9, "9" * 3_000, "t=1,v1=a"])
            headers |= {chance.choice(["webhook-signature", "X-Soloist-Signature", "Tally-Signature"]): junk}
        answer = await post(body, {name: value.encode("latin-1") for name, value in headers.items()}, source)
        wrong += answer.status_code != (200 if signed else 401)

    for start in range(0, 5_000, 100):
        await asyncio.gather(*(one(start + n) for n in range(100)))
    assert wrong == 0


@pytest.mark.parametrize(
    "raw",
    [
        b"GARBAGE\r\n\r\n",
        b"POST /hooks/forms HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /hooks/forms HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"POST /hooks/forms HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /hooks/forms HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_what_is_no_http_is_turned_away(post, hooks, inbox, raw):
    reader, writer = await asyncio.open_connection("127.0.0.1", hooks.port)
    writer.write(raw)
    writer.write_eof()
    async with asyncio.timeout(120):
        answer = await reader.read()
    writer.close()
    assert not answer or 400 <= int(answer.split()[1]) < 500
    assert inbox.came == []


async def test_a_body_that_does_not_come_is_not_waited_for(hooks, inbox, monkeypatch):
    monkeypatch.setattr("connectors.webhooks.READ_S", 0.05)
    async with listening(hooks, inbox.deliver):
        reader, writer = await asyncio.open_connection("127.0.0.1", hooks.port)
        writer.write(b"POST /hooks/forms HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
        async with asyncio.timeout(120):
            assert b" 401 " in await reader.readline()
        writer.close()


async def test_who_knocks_at_no_door_of_ours_holds_no_place_of_those_who_do(hooks, inbox, monkeypatch):
    monkeypatch.setattr("connectors.webhooks.READ_S", 3600.0)
    slow = []
    async with listening(hooks, inbox.deliver) as http:
        for number in range(AT_ONCE + 1):
            reader, writer = await asyncio.open_connection("127.0.0.1", hooks.port)
            door, way = (b"nobody", b"POST") if number % 2 else (b"forms", b"PUT")
            writer.write(way + b" /hooks/" + door + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
            slow.append((reader, writer))
        for reader, _ in slow:
            assert b" 401 " in await reader.readline()
        assert (await http.post("/hooks/forms", content=FORM, headers=plain(FORM))).status_code == 200
        for _, writer in slow:
            writer.close()


# ── other services' own webhooks ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("error", "status"), [(None, 200), (RefusedError("no"), 401), (TryLaterError("later"), 503)])
async def test_a_service_that_signs_in_its_own_way_judges_for_itself(hooks, inbox, error, status):
    seen = []

    async def read(body, headers):
        seen.append((body, headers["stripe-signature"]))
        if error:
            raise error
        return Incoming("stripe", "test", "evt_1", "stripe.charge.succeeded", NOW, {})

    hooks.accept("stripe", read)
    async with listening(hooks, inbox.deliver) as http:
        answer = await http.post("/hooks/stripe", content=b"{}", headers={"Stripe-Signature": "t=1"})
    assert answer.status_code == status
    assert seen == [(b"{}", "t=1")]
    assert len(inbox.rows) == (status == 200)


# ── set-up ────────────────────────────────────────────────────────────────────────────────────────────────────────


def values(address="127.0.0.1:8330", secrets=f"forms:{SECRET}"):
    return {"WEBHOOKS_ADDRESS": address, "WEBHOOKS_SECRETS": secrets}


def test_without_an_address_nothing_listens(tmp_path):
    assert Webhooks.open(values(address=""), Workshop(tmp_path, None, lambda: NOW)) is None


@pytest.mark.parametrize(
    "given",
    [
        values("8330"),
        values("x:y"),
        values("127.0.0.1:99999"),
        values(secrets="forms"),
        values(secrets="forms:short"),
        values(secrets="Forms:" + SECRET),
    ],
)
def test_settings_that_make_no_sense_are_refused_without_the_secret(tmp_path, given):
    with pytest.raises(RefusedError) as raised:
        Webhooks.open(given, Workshop(tmp_path, None, lambda: NOW))
    assert SECRET not in str(raised.value)


async def test_health_says_who_may_come_and_warns_of_an_open_door(tmp_path):
    workshop = Workshop(tmp_path, None, lambda: NOW)
    good = await Webhooks.open(values(secrets=f"forms:{SECRET},forms:{SECRET}2,shop:{WHSEC}"), workshop).health()
    assert good.ok
    assert "forms, shop" in good.text
    assert SECRET not in good.text
    assert good.remedy == ""
    assert "proxy" in (await Webhooks.open(values("0.0.0.0:8330"), workshop).health()).remedy
    assert "WEBHOOKS_SECRETS" in (await Webhooks.open(values(secrets=""), workshop).health()).remedy


async def test_a_taken_address_is_said(hooks, inbox, tmp_path):
    async with listening(hooks, inbox.deliver):
        second = Webhooks(hooks._workshop, host="127.0.0.1", port=hooks.port, secrets={})
        with pytest.raises(RefusedError, match="Is it taken"):
            await second.listen(inbox.deliver)


# ── what the house makes of it ────────────────────────────────────────────────────────────────────────────────────


async def test_a_filled_form_starts_the_intake_and_waits_on_a_card(house, hooks):
    form = FORM.replace(b"anna@acme.example", b"eva@newlead.example").replace(b'"Anna"', b'"Eva Novak"')
    async with listening(hooks, house.runner.arrived) as http:
        for _ in range(2):
            assert (await http.post("/hooks/forms", content=form, headers=plain(form))).status_code == 200
    await house.later(seconds=1)
    assert "eva@newlead.example" in str(house.card())
    assert house.outbox() == []
    assert house.transcript().count("From outside (form)") == 1


async def test_a_bought_subscription_starts_the_welcome_and_waits_on_a_card(house, hooks):
    async with listening(hooks, house.runner.arrived) as http:
        assert (await http.post("/hooks/shop", content=BOUGHT, headers=standard(BOUGHT))).status_code == 200
    await house.later(seconds=1)
    assert "bo@globex.example" in str(house.card())
    assert house.outbox() == []
