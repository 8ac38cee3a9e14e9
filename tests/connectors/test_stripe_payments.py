import asyncio
import contextlib
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import OutcomeUnknownError, RefusedError, TryLaterError, Workshop
from connectors.client import Client
from connectors.stripe_payments import BODY_MAX, TOLERANCE_S, Stripe, major_units, minor_units, recurring_of, verify
from tests.counterparts.stripe import KEY, front, localstripe

NOW = datetime(2026, 3, 31, 9, 30, tzinfo=UTC)
SECRET = "whsec_loopback0123456789"
EVENT = {
    "id": "evt_1",
    "object": "event",
    "type": "charge.succeeded",
    "created": int(NOW.timestamp()),
    "data": {"object": {"id": "ch_1", "object": "charge", "amount": 4900, "currency": "eur"}},
}


@pytest.fixture(scope="module")
def behind():
    with localstripe() as address:
        yield address


@pytest.fixture
async def provider(behind):
    async with front(behind) as it:
        yield it


async def at_once(_):
    await asyncio.sleep(0)


@pytest.fixture
async def stripe(provider, tmp_path):
    client = Client("Stripe", base_url=provider.url, headers={"Authorization": f"Bearer {KEY}"}, pause=at_once)
    it = Stripe(Workshop(tmp_path, None, lambda: NOW), client, account="test-1", webhook_secret=SECRET)
    yield it
    await it.close()


# ── refunds ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_refund_is_told_from_stripes_answer(stripe, provider):
    charge = provider.charge(4900)
    receipt = await stripe.refund(charge=charge, amount="49.00 EUR", key="12.1.1")

    (refund,) = provider.refunds(charge)
    assert receipt.ref == refund["id"]
    assert receipt.text == f"Refunded 49.00 EUR on {charge}. Stripe {refund['id']}, succeeded."
    assert refund["amount"] == 4900
    assert refund["metadata"] == {"soloist_key": "12.1.1"}


async def test_the_same_key_is_one_refund_and_another_key_another(stripe, provider):
    charge = provider.charge(4900)
    first = await stripe.refund(charge=charge, amount="10.00 EUR", key="12.1.1")

    assert await stripe.refund(charge=charge, amount="10.00 EUR", key="12.1.1") == first
    assert len(provider.refunds(charge)) == 1
    await stripe.refund(charge=charge, amount="10.00 EUR", key="12.1.2")
    assert len(provider.refunds(charge)) == 2


@pytest.mark.parametrize("how", ["drop", "500", "503", "409", "429"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_an_answer_that_is_lost_doubles_nothing(stripe, provider, how, after):
    charge = provider.charge(4900)
    provider.fail(how, after=after)

    await stripe.refund(charge=charge, amount="49.00 EUR", key="12.1.1")
    assert len(provider.refunds(charge)) == 1
    assert provider.calls["/v1/refunds"] == 2


async def test_what_stays_lost_is_unknown_until_the_same_key_is_sent_again(stripe, provider):
    charge = provider.charge(4900)
    provider.fail("drop", after=True, times=3)

    with pytest.raises(OutcomeUnknownError, match="broke off"):
        await stripe.refund(charge=charge, amount="49.00 EUR", key="12.1.1")
    assert len(provider.refunds(charge)) == 1
    await stripe.refund(charge=charge, amount="49.00 EUR", key="12.1.1")
    assert len(provider.refunds(charge)) == 1


async def test_a_key_used_for_something_else_is_refused_by_stripe(stripe, provider):
    charge = provider.charge(4900)
    await stripe.refund(charge=charge, amount="10.00 EUR", key="12.1.1")

    with pytest.raises(RefusedError, match="same parameters"):
        await stripe.refund(charge=charge, amount="11.00 EUR", key="12.1.1")
    assert len(provider.refunds(charge)) == 1


async def test_when_stripe_has_forgotten_the_key_a_refund_is_found_by_its_mark(stripe, provider):
    charge = provider.charge(4900)
    provider.fail("drop", after=True, times=3)
    wish = {"charge": charge, "amount": "49.00 EUR", "key": "12.1.1"}
    with pytest.raises(OutcomeUnknownError):
        await stripe.refund(**wish)
    provider.forget_keys()

    found = await stripe.find_refund(**wish)

    (refund,) = provider.refunds(charge)
    assert found.ref == refund["id"]
    assert found.text.startswith("Refunded 49.00 EUR")


async def test_a_refund_that_was_never_made_is_provably_absent(stripe, provider):
    charge = provider.charge(4900)
    await stripe.refund(charge=charge, amount="10.00 EUR", key="another effect's")

    assert await stripe.find_refund(charge=charge, amount="49.00 EUR", key="12.1.1") is None


async def test_looking_proves_nothing_while_stripe_is_away(stripe, provider, behind):
    charge = provider.charge(4900)
    provider.behind = "http://127.0.0.1:1"
    with pytest.raises(TryLaterError):
        await stripe.find_refund(charge=charge, amount="49.00 EUR", key="12.1.1")


async def test_a_payment_link_is_found_by_its_mark_pages_away(stripe, provider):
    provider.page_max = 2
    wish = {"amount": "49.00 EUR", "description": "March retainer", "reference": "2026-0001"}
    made = await stripe.payment_link(**wish, key="12.1.1")
    for number in range(5):
        await stripe.payment_link(**wish, key=f"13.1.{number}")

    assert await stripe.find_link(**wish, key="12.1.1") == made
    assert await stripe.find_link(**wish, key="12.1.9") is None


async def test_twin_without_the_look_a_forgotten_key_is_two_refunds(stripe, provider):
    """What the look is for: a day later the same key is a new one at Stripe."""
    charge = provider.charge(4900)
    wish = {"charge": charge, "amount": "10.00 EUR", "key": "12.1.1"}
    await stripe.refund(**wish)
    provider.forget_keys()
    await stripe.refund(**wish)

    assert len(provider.refunds(charge)) == 2


async def test_twin_without_the_key_a_lost_answer_is_two_refunds(stripe, provider):
    """The guard removed: a key of its own for each attempt. The provider's books then show it."""
    charge = provider.charge(4900)
    provider.fail("drop", after=True, times=3)
    with pytest.raises(OutcomeUnknownError):
        await stripe.refund(charge=charge, amount="10.00 EUR", key="random-1")
    await stripe.refund(charge=charge, amount="10.00 EUR", key="random-2")
    assert len(provider.refunds(charge)) == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"amount": "49.00 USD"}, "was paid in EUR"),
        ({"amount": "49,00 EUR"}, "not an amount"),
        ({"amount": "49.001 EUR"}, "not an amount that Stripe can move"),
        ({"amount": "0.00 EUR"}, "not an amount that Stripe can move"),
        ({"amount": "-1.00 EUR"}, "not an amount"),
        ({"amount": "49.00"}, "not an amount"),
        ({"charge": "ch_nobody"}, "404"),
        ({"charge": "cus_1"}, "not an id"),
        ({"charge": "ch_1/../../v1/customers"}, "not an id"),
    ],
)
async def test_a_refund_that_makes_no_sense_moves_no_money(stripe, provider, changes, words):
    facts = {"charge": provider.charge(4900), "amount": "49.00 EUR", "key": "12.1.1"} | changes

    with pytest.raises(RefusedError, match=words):
        await stripe.refund(**facts)
    assert provider.done["/v1/refunds"] == 0


async def test_nobody_there_means_that_nothing_happened(tmp_path):
    client = Client("Stripe", base_url="http://127.0.0.1:1", pause=at_once)
    gone = Stripe(Workshop(tmp_path, None, lambda: NOW), client, account="test-1")

    with pytest.raises(TryLaterError, match="Nothing was sent"):
        await gone.refund(charge="ch_1", amount="1.00 EUR", key="k")
    assert not (await gone.health()).ok
    await gone.close()


# ── links ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_payment_link_is_made_once_and_knows_our_number(stripe, provider):
    facts = {"amount": "1428.00 EUR", "description": "Invoice 2026-0001", "reference": "2026-0001", "key": "7.1.1"}
    receipt = await stripe.payment_link(**facts)

    assert await stripe.payment_link(**facts) == receipt
    assert provider.done == {"/v1/prices": 1, "/v1/payment_links": 1}
    price, link = provider.forms
    assert (price["unit_amount"], price["currency"]) == ("142800", "eur")
    assert link["payment_intent_data[metadata][reference]"] == "2026-0001"
    assert link["restrictions[completed_sessions][limit]"] == "1"
    assert receipt.data["url"] in receipt.text


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lost", [0, 1], ids=["price", "link"])
async def test_a_link_whose_making_was_cut_short_is_still_one(stripe, provider, lost, after):
    provider._faults += [("", False)] * lost + [("drop", after)] * 3
    facts = {"amount": "5.00 EUR", "description": "x", "key": "7.1.1"}

    with pytest.raises(OutcomeUnknownError):
        await stripe.payment_link(**facts)
    await stripe.payment_link(**facts)
    assert provider.done == {"/v1/prices": 1, "/v1/payment_links": 1}


async def test_a_link_can_be_taken_back(stripe):
    receipt = await stripe.payment_link(amount="5.00 EUR", description="x", key="7.1.1")
    name, arguments = Stripe.actions()["stripe.payment_link"].undo({}, receipt)

    assert name == "stripe.close_link"
    assert (await stripe.close_link(**arguments, key="7.1.1u")).data["active"] is False
    assert (await stripe.state(id=receipt.ref)).data["object"]["active"] is False


async def test_the_state_of_a_payment_is_read_fresh(stripe, provider):
    charge = provider.charge(4900)

    assert (await stripe.state(id=charge)).data["object"]["amount"] == 4900
    with pytest.raises(RefusedError, match="not an id"):
        await stripe.state(id="x")


@given(st.integers(1, 10**9), st.sampled_from(["EUR", "USD", "JPY", "KRW", "HUF", "ISK"]))
def test_units_go_there_and_back(units, currency):
    assert minor_units(major_units(units, currency), currency) == units


def test_units_are_stripes():
    assert minor_units(Decimal("49.00"), "EUR") == 4900
    assert minor_units(Decimal(500), "JPY") == 500
    assert minor_units(Decimal("1.230"), "KWD") == 1230
    for value, currency in (("1.231", "KWD"), ("0.5", "JPY"), ("0.001", "EUR")):
        with pytest.raises(RefusedError):
            minor_units(Decimal(value), currency)


# ── webhooks ──────────────────────────────────────────────────────────────────────────────────────────────────────


def signed(body: bytes, *, at: datetime = NOW, secret: str = SECRET, scheme: str = "v1") -> str:
    stamp = int(at.timestamp())
    return f"t={stamp},{scheme}={hmac.new(secret.encode(), f'{stamp}.'.encode() + body, hashlib.sha256).hexdigest()}"


BODY = json.dumps(EVENT).encode()


def test_a_signed_event_is_believed():
    assert verify(BODY, signed(BODY), SECRET, NOW)["id"] == "evt_1"
    assert verify(BODY, signed(BODY), SECRET, NOW + timedelta(seconds=TOLERANCE_S))


def test_during_a_rotation_either_secret_holds():
    both = signed(BODY, secret="whsec_old") + "," + signed(BODY).partition(",")[2]

    assert verify(BODY, both, SECRET, NOW)
    assert verify(BODY, both, "whsec_old", NOW)


@pytest.mark.parametrize(
    ("body", "header", "secret", "now"),
    [
        (BODY, signed(BODY, secret="whsec_other"), SECRET, NOW),
        (BODY.replace(b"4900", b"4901"), signed(BODY), SECRET, NOW),
        (BODY, signed(BODY), SECRET, NOW + timedelta(seconds=TOLERANCE_S + 1)),
        (BODY, signed(BODY), SECRET, NOW - timedelta(seconds=TOLERANCE_S + 1)),
        (BODY, signed(BODY).replace("t=", "t=1"), SECRET, NOW),
        (BODY, signed(BODY), "", NOW),
        (BODY, signed(BODY, secret=""), "", NOW),
        (BODY, signed(BODY, scheme="v0"), SECRET, NOW),
        (BODY, signed(BODY) + f",t={int(NOW.timestamp())}", SECRET, NOW),
        (b"[]", signed(b"[]"), SECRET, NOW),
        (b"{}", signed(b"{}"), SECRET, NOW),
        (b"", signed(b""), SECRET, NOW),
        (b"[" * 100_000, signed(b"[" * 100_000), SECRET, NOW),
        (b"x" * (BODY_MAX + 1), signed(b"x" * (BODY_MAX + 1)), SECRET, NOW),
    ],
    ids=range(14),
)
def test_what_is_not_stripes_is_refused(body, header, secret, now):
    with pytest.raises(RefusedError):
        verify(body, header, secret, now)


def test_twin_without_the_comparison_a_forgery_would_be_believed(monkeypatch):
    forged = signed(BODY, secret="whsec_other")
    monkeypatch.setattr(hmac, "compare_digest", lambda *_: True)

    assert verify(BODY, forged, SECRET, NOW)


HEADERS = [
    "",
    "t=",
    "t=x,v1=y",
    "t=1.5,v1=a",
    "v1=a",
    "t=1,v1=",
    "t=" + "9" * 5_000 + ",v1=a",
    "t=1,v1=ü\ud800",
    ",,,=",
    "t=-1,v1=a",
]


@pytest.mark.parametrize("header", HEADERS, ids=range(len(HEADERS)))
def test_a_malformed_signature_is_refused_and_nothing_worse(header):
    with pytest.raises(RefusedError):
        verify(BODY, header, SECRET, NOW)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.text(max_size=200), st.booleans())
def test_nothing_ever_raises_anything_but_refused(body, header, sign):
    with pytest.raises(RefusedError):
        verify(body, signed(body) if sign else header, SECRET, NOW)


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["id", "object", "type", "created", "data"]), _json)
def test_an_event_with_one_wrong_field_is_refused_or_read_but_never_a_crash(name, value):
    body = json.dumps({**EVENT, name: value}).encode()
    with contextlib.suppress(RefusedError):
        assert verify(body, signed(body), SECRET, NOW)["data"]["object"] is not None


async def test_a_webhook_from_localstripe_is_verified_and_its_object_fetched_afresh(stripe, provider):
    """localstripe itself signs and sends; the charge is read again, because webhooks come late and out of order."""
    came: asyncio.Queue = asyncio.Queue()

    async def receive(request: web.Request) -> web.Response:
        came.put_nowait((await request.read(), dict(request.headers)))
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", receive)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider.hook(f"http://127.0.0.1:{runner.addresses[0][1]}/hook", SECRET)
    with provider.direct() as http:
        customer = http.post("/v1/customers", data={"name": "Acme"}).json()["id"]
        http.post(f"/v1/customers/{customer}", data={"name": "Acme Ltd", "metadata[reference]": "2026-0001"})
    async with asyncio.timeout(120):
        body, headers = await came.get()
        while json.loads(body)["data"]["object"]["id"] != customer:  # localstripe is a second late: an earlier test's
            body, headers = await came.get()
    await runner.cleanup()

    stripe._workshop = Workshop(stripe._workshop.home, None, lambda: datetime.now(UTC))
    incoming = await stripe.webhook(body, headers)
    assert incoming.kind.startswith("stripe.customer.")
    assert incoming.event_id == json.loads(body)["id"]
    assert incoming.data["current"]["name"] == "Acme Ltd"
    assert incoming.data["reference"] == "2026-0001"
    with pytest.raises(RefusedError):
        await stripe.webhook(body + b" ", headers)


async def test_a_webhook_tells_what_was_paid_as_we_write_money(stripe, provider):
    charge = provider.charge(4900, reference="2026-0001")
    body = json.dumps({**EVENT, "data": {"object": {"id": charge, "object": "charge", "amount": 1}}}).encode()

    incoming = await stripe.webhook(body, {"stripe-signature": signed(body)})
    assert incoming.data["amount"] == "49.00 EUR"
    assert incoming.data["reference"] == "2026-0001"
    assert incoming.data["told"]["amount"] == 1


def told_of(kind: str, about: dict) -> tuple[bytes, dict[str, str]]:
    body = json.dumps({**EVENT, "type": kind, "data": {"object": about}}).encode()
    return body, {"stripe-signature": signed(body)}


def subscribed(provider, interval: str, count: int = 1, quantity: int = 1) -> dict:
    """Let localstripe sell a subscription."""
    with provider.direct() as http:
        plan = {
            "amount": 49000,
            "currency": "eur",
            "interval": interval,
            "interval_count": count,
            "product[name]": "Pro",
        }
        plan_id = http.post("/v1/plans", data=plan).json()["id"]
        card = {"type": "card", "card[number]": "4242424242424242", "card[exp_month]": 12, "card[exp_year]": 2030}
        method = http.post("/v1/payment_methods", data={**card, "card[cvc]": 123}).json()["id"]
        customer = http.post("/v1/customers", data={"name": "Acme"}).json()["id"]
        http.post(f"/v1/payment_methods/{method}/attach", data={"customer": customer})
        http.post(f"/v1/customers/{customer}", data={"invoice_settings[default_payment_method]": method})
        wanted = {"customer": customer, "items[0][plan]": plan_id, "items[0][quantity]": quantity}
        made = http.post("/v1/subscriptions", data=wanted)
        assert made.is_success, made.text
        return made.json()


@pytest.mark.parametrize(
    ("interval", "count", "quantity", "amount"), [("year", 1, 1, "490.00 EUR"), ("month", 3, 2, "980.00 EUR")]
)
async def test_a_bought_subscription_says_how_often_it_is_paid(stripe, provider, interval, count, quantity, amount):
    made = subscribed(provider, interval, count, quantity)
    expected = {"interval": interval, "count": count, "amount": amount}
    told = await stripe.webhook(*told_of("customer.subscription.created", made))
    assert told.data["recurring"] == expected
    # A checkout does not say it: the subscription that it began is read.
    session = {
        "id": "cs_1",
        "object": "checkout.session",
        "subscription": made["id"],
        "amount_total": 100,
        "currency": "eur",
    }
    provider._objects["/v1/checkout/sessions/cs_1"] = session
    bought = await stripe.webhook(*told_of("checkout.session.completed", session))
    assert bought.data["recurring"] == expected
    assert bought.data["amount"] == "1.00 EUR", "the first payment is what it was"
    session["subscription"] = "sub_gone"
    assert "recurring" not in (await stripe.webhook(*told_of("checkout.session.completed", session))).data


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([], {}),
        (None, {}),
        ([{"price": {"recurring": {"interval": "month"}, "unit_amount": 900, "currency": "jpy"}, "quantity": 2}],
         {"recurring": {"interval": "month", "count": 1, "amount": "1800 JPY"}}),
        ([{"price": {"recurring": {"interval": "month"}, "unit_amount": None, "currency": "eur"}}],
         {"recurring": {"interval": "month", "count": 1}}),
        ([{"price": {"recurring": {"interval": "month"}, "unit_amount": 1, "currency": "eur"}},
          {"price": {"recurring": {"interval": "year"}, "unit_amount": 1, "currency": "eur"}}], {}),
        ([{"price": {"recurring": {"interval": "month"}, "unit_amount": 100, "currency": "eur"}},
          {"price": {"recurring": {"interval": "month"}, "unit_amount": 250, "currency": "eur"}}],
         {"recurring": {"interval": "month", "count": 1, "amount": "3.50 EUR"}}),
        ([{"price": {"recurring": {"interval": "month"}, "unit_amount": 100, "currency": "eur"}},
          {"price": {"recurring": {"interval": "month"}, "unit_amount": 250, "currency": "usd"}}],
         {"recurring": {"interval": "month", "count": 1}}),
    ],
)  # fmt: skip
def test_prices_add_up_where_they_can(items, expected):
    assert recurring_of({"items": {"data": items}}) == expected


async def test_a_webhook_whose_object_cannot_be_read_now_is_sent_again(tmp_path):
    client = Client("Stripe", base_url="http://127.0.0.1:1", pause=at_once)
    gone = Stripe(Workshop(tmp_path, None, lambda: NOW), client, account="test-1", webhook_secret=SECRET)

    with pytest.raises(TryLaterError):
        await gone.webhook(BODY, {"Stripe-Signature": signed(BODY)})
    await gone.close()


async def test_what_a_webhook_brings_is_canonical_json_without_secrets(stripe):
    told = {"id": "x_1", "object": "thing", "rate": 0.5, "client_secret": "pi_secret", "deep": [{"a": 1.5}]}
    body = json.dumps({**EVENT, "type": "thing.made", "data": {"object": told}}).encode()

    data = (await stripe.webhook(body, {"Stripe-Signature": signed(body)})).data
    assert data["told"] == {"id": "x_1", "object": "thing", "rate": "0.5", "deep": [{"a": "1.5"}]}


# ── set-up ────────────────────────────────────────────────────────────────────────────────────────────────────────


def values(**changes):
    return {setting.name: setting.default for setting in Stripe.settings} | changes


def test_without_a_key_there_is_no_stripe(tmp_path):
    assert Stripe.open(values(), Workshop(tmp_path, None, lambda: NOW)) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"STRIPE_API_KEY": "pk_test_123456"}, "not a secret"),
        ({"STRIPE_API_KEY": KEY, "STRIPE_API_BASE": "http://stripe.example"}, "https://"),
    ],
)
def test_a_key_is_kept_from_the_wrong_hands(tmp_path, changes, words):
    with pytest.raises(RefusedError, match=words):
        Stripe.open(values(**changes), Workshop(tmp_path, None, lambda: NOW))


async def test_the_account_is_told_apart_without_its_key(tmp_path, provider):
    it = Stripe.open(values(STRIPE_API_KEY=KEY, STRIPE_API_BASE=provider.url), Workshop(tmp_path, None, lambda: NOW))

    assert it.account.startswith("test-")
    assert KEY not in it.account
    health = await it.health()
    assert health.ok
    assert "STRIPE_WEBHOOK_SECRET" in health.remedy
    await it.close()
