"""Stripe: a link to be paid at, money back, and what happened, told by signed webhooks.

Amounts are decimal strings with their currency, ``"49.00 EUR"``; Stripe counts in smallest units, and which those are
is in `minor_units`. Every write carries an ``Idempotency-Key`` made from the effect's key, so it is safe to repeat for
a day; Stripe may forget keys after 24 hours, so we stop an hour before. The key is in the metadata as well: after that
hour a refund or a link is looked for by it, in Stripe's lists, which know what was just made (its search may be a minute behind).

A webhook is believed only with its signature, and only as a hint: what counts is fetched afresh, because webhooks come
late, twice and out of order. Register it for ``checkout.session.*``, ``charge.*``, ``customer.subscription.*``,
``payout.failed``.

Source: https://docs.stripe.com/api (refunds, prices, payment_links, errors, idempotent_requests),
https://docs.stripe.com/webhooks#verify-manually, https://docs.stripe.com/currencies#zero-decimal
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Self
from urllib.parse import urlsplit

from connectors.base import (
    Amount,
    Connector,
    ConnectorError,
    Detail,
    EffectClass,
    Health,
    Incoming,
    Json,
    OutcomeUnknownError,
    Receipt,
    Reference,
    RefusedError,
    Risk,
    Setting,
    Subject,
    TryLaterError,
    Workshop,
    action,
)
from connectors.client import Client

API_VERSION = "2024-06-20"  # pinned: an upgrade of the account must not change what we read
TOLERANCE_S = 300  # https://docs.stripe.com/webhooks#replay-attacks
KEY_WINDOW_S = 23 * 3600.0
BODY_MAX = 1_000_000  # of a webhook; Stripe's own are a few kilobytes
HEADER_MAX = 4_096
FOREVER = 10 * 365 * 24 * 3600.0
PAGES_MAX = 20  # of a list that is looked through, a hundred each
SIGNATURES_MAX = 20  # two during a rotation of the secret; more is noise

_NO_DECIMALS = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
)
_THREE_DECIMALS = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])

# Object → where its present state is read.
_PATHS = {
    "charge": "/v1/charges/{}",
    "checkout.session": "/v1/checkout/sessions/{}",
    "customer": "/v1/customers/{}",
    "invoice": "/v1/invoices/{}",
    "payment_intent": "/v1/payment_intents/{}",
    "payment_link": "/v1/payment_links/{}",
    "refund": "/v1/refunds/{}",
    "subscription": "/v1/subscriptions/{}",
}
_BY_PREFIX = {
    "ch": "charge", "cs": "checkout.session", "cus": "customer", "in": "invoice", "pi": "payment_intent",
    "plink": "payment_link", "py": "charge", "re": "refund", "sub": "subscription",
}  # fmt: skip


def _deactivate(arguments: Mapping[str, Json], receipt: Receipt) -> tuple[str, Mapping[str, Json]]:
    del arguments
    return "stripe.close_link", {"link": receipt.ref}


class Stripe(Connector):
    """Card payments."""

    service = "stripe"
    settings = (
        Setting("STRIPE_API_KEY", "A restricted key (rk_...) that may write refunds, prices and links", secret=True),
        Setting("STRIPE_WEBHOOK_SECRET", "Signing secret (whsec_...) of the webhook, from its page", secret=True),
        Setting("STRIPE_API_BASE", "Where the API is; another one only for tests", default="https://api.stripe.com"),
    )

    def __init__(self, workshop: Workshop, client: Client, *, account: str, webhook_secret: str = "") -> None:
        self._workshop = workshop
        self._client = client
        self._account = account
        self._webhook_secret = webhook_secret

    @classmethod
    def open(cls, values: Mapping[str, str], workshop: Workshop) -> Self | None:
        """Build the connector, or return None without a key.

        Raises:
            RefusedError: The key or the address makes no sense.
        """
        key, base = values["STRIPE_API_KEY"].strip(), values["STRIPE_API_BASE"].strip().rstrip("/")
        if not key:
            return None
        if not re.fullmatch(r"[sr]k_[A-Za-z0-9_]+", key):
            raise RefusedError("STRIPE_API_KEY is not a secret (sk_...) or restricted (rk_...) key.")
        parts = urlsplit(base)
        if parts.scheme != "https" and parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
            raise RefusedError("STRIPE_API_BASE must begin with https://, or the key would travel in the clear.")
        client = Client(
            "Stripe",
            base_url=base,
            headers={"Authorization": f"Bearer {key}", "Stripe-Version": API_VERSION},
            secrets=[key, values["STRIPE_WEBHOOK_SECRET"]],
        )
        # The key's digest tells two accounts apart, and the key itself stays out of fingerprints and the log.
        account = f"{'test' if '_test_' in key else 'live'}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
        return cls(workshop, client, account=account, webhook_secret=values["STRIPE_WEBHOOK_SECRET"])

    @property
    def account(self) -> str:
        """Which account, without naming its key."""
        return self._account

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()

    # ── money ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @action(
        Risk.MONEY,
        EffectClass.KEYED,
        says="refund a payment",
        no_return="once Stripe has taken it; a refund cannot be called back",
        find="find_refund",
        key_window_s=KEY_WINDOW_S,
        timeout_s=90.0,
        rate_per_minute=20,
    )
    async def refund(self, *, charge: Reference, amount: Amount, key: str, reason: Detail = "") -> Receipt:
        """Give back part or all of a payment.

        Args:
            charge: Stripe's id of the payment, ``ch_...`` or ``pi_...``.
            amount: How much, in the payment's own currency: ``"49.00 EUR"``.
            key: Stable key; Stripe makes one refund of it.
            reason: ``duplicate``, ``fraudulent``, ``requested_by_customer``, or empty.

        Raises:
            RefusedError: Stripe said no, or the payment is in another currency.
            TryLaterError: Nothing happened.
            OutcomeUnknownError: It may have happened; the same key may be sent again.
        """
        value, currency = _amount(amount)
        kind = _kind_of(charge, {"charge", "payment_intent"})
        paid = await self._get(charge)
        if str(paid.get("currency", "")).upper() != currency:
            raise RefusedError(
                f"{charge} was paid in {str(paid.get('currency')).upper()}, so {amount} cannot be given back."
            )
        form = {kind: charge, "amount": str(minor_units(value, currency)), "metadata[soloist_key]": key}
        if reason:
            form["reason"] = reason
        return _refunded(await self._post("/v1/refunds", form, key), charge, currency)

    async def find_refund(self, *, charge: Reference, amount: Amount, key: str, reason: Detail = "") -> Receipt | None:
        """Look for a refund by our key in its metadata; the arguments are those of `refund`.

        Raises:
            ConnectorError: Its list cannot be read, so nothing is proven.
        """
        del reason
        kind = _kind_of(charge, {"charge", "payment_intent"})
        made = await self._marked("/v1/refunds", {kind: charge}, key)
        return _refunded(made, charge, _amount(amount)[1]) if made else None

    @action(
        Risk.REVERSIBLE,
        EffectClass.KEYED,
        says="make a payment link",
        undo=_deactivate,
        find="find_link",
        key_window_s=KEY_WINDOW_S,
        timeout_s=90.0,
        rate_per_minute=20,
    )
    async def payment_link(
        self, *, amount: Amount, description: Subject, key: str, reference: Reference = "", once: bool = True
    ) -> Receipt:
        """Make a page at which somebody can pay; nobody knows of it until its address is sent.

        Args:
            amount: What is to be paid: ``"1428.00 EUR"``.
            description: What it is for, as the payer reads it.
            key: Stable key; Stripe makes one link of it.
            reference: Our own number, such as the invoice's; it comes back with the webhook.
            once: Whether the link closes after the first payment.

        Returns:
            ``ref`` the link's id; ``data``: id, url, amount, reference.

        Raises:
            RefusedError, TryLaterError, OutcomeUnknownError: As `refund`.
        """
        value, currency = _amount(amount)
        if not description.strip() or len(description) > 250 or "\n" in description:  # noqa: PLR2004 - Stripe's limit
            raise RefusedError("A payment link needs a description of one line and at most 250 characters.")
        price = await self._post(
            "/v1/prices",
            {
                "currency": currency.lower(),
                "unit_amount": str(minor_units(value, currency)),
                "product_data[name]": description,
            },
            f"{key}/price",
        )
        form = {
            "line_items[0][price]": str(price["id"]),
            "line_items[0][quantity]": "1",
            "metadata[soloist_key]": key,
            "metadata[reference]": reference,
            "payment_intent_data[metadata][reference]": reference,
        }
        if once:
            form["restrictions[completed_sessions][limit]"] = "1"
        link = await self._post("/v1/payment_links", form, f"{key}/link")
        return _linked(link, amount, description, reference)

    async def find_link(
        self, *, amount: Amount, description: Subject, key: str, reference: Reference = "", once: bool = True
    ) -> Receipt | None:
        """Look for a payment link by our key in its metadata; the arguments are those of `payment_link`.

        Raises:
            ConnectorError: The list cannot be read, or is too long, so nothing is proven.
        """
        del once
        link = await self._marked("/v1/payment_links", {}, key)
        return _linked(link, amount, description, reference) if link else None

    # Closing it again is harmless for ever, whatever Stripe remembers of the key.
    @action(Risk.REVERSIBLE, EffectClass.KEYED, says="close a payment link", key_window_s=FOREVER)
    async def close_link(self, *, link: Reference, key: str) -> Receipt:
        """Make a payment link refuse further payments; closing it twice is once.

        Args:
            link: ``plink_...``.
            key: Stable key.

        Raises:
            RefusedError, TryLaterError, OutcomeUnknownError: As `refund`.
        """
        _kind_of(link, {"payment_link"})
        closed = await self._post(f"/v1/payment_links/{link}", {"active": "false"}, key)
        return Receipt(str(closed["id"]), f"Closed the payment link {link}.", {"id": closed["id"], "active": False})

    @action(Risk.READS, EffectClass.KEYED, says="look up a payment at Stripe")
    async def state(self, *, id: Reference) -> Receipt:  # noqa: A002 - what Stripe calls it
        """Read how something stands at Stripe now.

        Args:
            id: A charge, payment, refund, checkout, invoice, subscription, customer or payment link.

        Raises:
            RefusedError: There is no such thing.
            TryLaterError: Stripe cannot be reached.
        """
        found = await self._get(id)
        return Receipt("", f"{id} is {found.get('status') or 'there'}.", {"object": _plain(found)})

    # ── webhooks ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def webhook(self, body: bytes, headers: Mapping[str, str]) -> Incoming:
        """Turn a signed webhook into an item for the inbox, with what its object looks like *now*.

        Args:
            body: The raw bytes; parsing and printing them again would break the signature.
            headers: The request's.

        Raises:
            RefusedError: Not signed by Stripe, too old, or no event: answer 400.
            TryLaterError: Its object could not be read now: answer 503, Stripe sends it again.
        """
        signature = next((value for name, value in headers.items() if name.lower() == "stripe-signature"), "")
        event = verify(body, signature, self._webhook_secret, self._workshop.now())
        told = event["data"]["object"]
        current = told
        if told.get("object") in _PATHS and not str(event["type"]).endswith(".deleted"):
            try:
                current = await self._get(str(told.get("id")))
            except RefusedError:
                current = told  # gone since, or not readable with this key: then the event is all there is
        return Incoming(
            service=self.service,
            account=self.account,
            event_id=event["id"],
            kind=f"stripe.{event['type']}",
            at=self._workshop.now(),
            data={
                "type": event["type"],
                "created": datetime.fromtimestamp(event["created"], UTC).isoformat(),
                "live": bool(event.get("livemode")),
                "told": _plain(told),
                "current": _plain(current),
                "reference": str((current.get("metadata") or {}).get("reference", "")),
                **_money_of(current),
                **await self._recurring(current),
            },
        )

    async def _recurring(self, current: Mapping[str, Any]) -> dict[str, Json]:
        """Say how often a subscription is paid: of itself, or of the one that a checkout began, which does not say it."""
        held = current
        if current.get("object") == "checkout.session" and isinstance(current.get("subscription"), str):
            try:
                held = await self._get(current["subscription"])
            except RefusedError:  # not readable with this key: what was paid is known, how often is not
                return {}
        return recurring_of(held) if held.get("object") == "subscription" else {}

    async def health(self) -> Health:
        """Read the balance, which every key may."""
        try:
            await self._client.request("GET", "/v1/balance")
        except RefusedError as error:
            return Health(ok=False, text=str(error), remedy="Check STRIPE_API_KEY; it may have been rolled.")
        except ConnectorError as error:
            return Health(ok=False, text=str(error), remedy="Check the network; it is tried again by itself.")
        missing = "" if self._webhook_secret else "Set STRIPE_WEBHOOK_SECRET to hear of payments."
        return Health(ok=True, text=f"Stripe answers ({self.account}).", remedy=missing)

    # ── small parts ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _get(self, id_: str) -> dict[str, Any]:
        path = _PATHS[_kind_of(id_, set(_PATHS))].format(id_)
        return _object((await self._client.request("GET", path)).json(), write=False)

    async def _marked(self, path: str, only: Mapping[str, str], key: str) -> dict[str, Any] | None:
        """Look through a list, newest first, for what carries our key; None when the whole list does not have it."""
        after: dict[str, str] = {}
        for _ in range(PAGES_MAX):
            page = (await self._client.request("GET", path, params={**only, **after, "limit": "100"})).json()
            rows = page.get("data") if isinstance(page, dict) else None
            if not isinstance(rows, list):
                raise TryLaterError(f"Stripe answered {path} with no list.")
            for row in rows:
                if (row.get("metadata") or {}).get("soloist_key") == key:
                    return _object(row, write=False)
            if not rows or not page.get("has_more"):
                return None
            after = {"starting_after": str(rows[-1]["id"])}
        raise OutcomeUnknownError(f"{path} has more than {PAGES_MAX * 100} entries. Look for {key} at Stripe yourself.")

    async def _post(self, path: str, form: Mapping[str, str], key: str) -> dict[str, Any]:
        # Stripe compares the parameters as well: the same key with others is its error, and rightly so.
        headers = {"Idempotency-Key": f"soloist-{hashlib.sha256(key.encode()).hexdigest()}"}
        answer = await self._client.request("POST", path, form=form, headers=headers, repeatable=True)
        return _object(answer.json(), write=True)


def _refunded(made: Mapping[str, Any], charge: str, currency: str) -> Receipt:
    status = str(made.get("status"))
    if status not in {"succeeded", "pending", "requires_action"}:
        raise RefusedError(f"Stripe did not refund {charge}: {made.get('failure_reason') or status}.")
    given = f"{major_units(int(made['amount']), currency)} {currency}"
    verb = "Refunded" if status == "succeeded" else "Began to refund"
    return Receipt(
        ref=str(made["id"]),
        text=f"{verb} {given} on {charge}. Stripe {made['id']}, {status}.",
        data={"id": made["id"], "charge": charge, "amount": given, "status": status},
    )


def _linked(link: Mapping[str, Any], amount: str, description: str, reference: str) -> Receipt:
    return Receipt(
        ref=str(link["id"]),
        text=f"Made a payment link over {amount} for {description!r}: {link['url']}",
        data={"id": link["id"], "url": link["url"], "amount": amount, "reference": reference},
    )


def verify(body: bytes, header: str, secret: str, now: datetime) -> dict[str, Any]:
    """Return the event of a webhook that Stripe signed within the last five minutes. Pure.

    Args:
        body: The raw bytes.
        header: ``Stripe-Signature``: ``t=1492774577,v1=5257a8...,v1=...``; several during a rotation of the secret.
        secret: ``whsec_...``.
        now: Aware time.

    Returns:
        The event, with ``id``, ``type``, ``created`` and ``data.object`` made sure of.

    Raises:
        RefusedError: Whatever is wrong with it; nothing else is ever raised.
    """
    if not secret:
        raise RefusedError("No STRIPE_WEBHOOK_SECRET is set, so no webhook can be believed.")
    if len(body) > BODY_MAX or len(header) > HEADER_MAX:
        raise RefusedError("This webhook is too large to be Stripe's.")
    stamp, signatures = _signature(header)
    signed = str(stamp).encode() + b"." + body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()
    # Every signature is compared, none is left out early: how long it takes tells nothing.
    if not any([hmac.compare_digest(expected, each) for each in signatures]):  # noqa: C419 - see above
        raise RefusedError("This webhook was not signed with STRIPE_WEBHOOK_SECRET. Is it Stripe's? Then correct it.")
    if abs(now.timestamp() - stamp) > TOLERANCE_S:
        raise RefusedError("This webhook was signed more than five minutes from now; check this machine's clock.")
    return _event(body)


def _signature(header: str) -> tuple[int, list[bytes]]:
    pairs = [part.strip().partition("=") for part in header.split(",")]
    stamps = [value for name, _, value in pairs if name == "t"]
    signatures = [value.encode(errors="replace") for name, _, value in pairs if name == "v1"][:SIGNATURES_MAX]
    if len(stamps) != 1 or not re.fullmatch(r"[0-9]{1,12}", stamps[0]) or not signatures:
        raise RefusedError("This webhook has no signature of Stripe's.")
    return int(stamps[0]), signatures


def _event(body: bytes) -> dict[str, Any]:
    try:
        event = json.loads(body)
        told = event["data"]["object"]
        shaped = (
            event["object"] == "event"
            and all(isinstance(event[name], str) and event[name] for name in ("id", "type"))
            and isinstance(event["created"], int)
            and 0 <= event["created"] < 1 << 40
            and isinstance(told, dict)
        )
        datetime.fromtimestamp(event["created"], UTC)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError, OSError):
        shaped = False
    if not shaped:
        raise RefusedError("This webhook is signed but is no event of Stripe's as we know them.")
    return dict(event)


def minor_units(value: Decimal, currency: str) -> int:
    """``Decimal("49.00"), "EUR"`` → 4900: what Stripe counts in.

    Raises:
        RefusedError: Not positive, or finer than the currency (or Stripe, for dinars) allows.
    """
    exponent = 0 if currency in _NO_DECIMALS else 3 if currency in _THREE_DECIMALS else 2
    units = value.scaleb(exponent)
    coarse = 10 if exponent == 3 else 1  # noqa: PLR2004 - Stripe takes dinars only in tens of their smallest unit
    if units <= 0 or units != units.to_integral_value() or int(units) % coarse:
        raise RefusedError(f"{value} {currency} is not an amount that Stripe can move.")
    return int(units)


def major_units(units: int, currency: str) -> Decimal:
    """``4900, "EUR"`` → ``Decimal("49.00")``."""
    return Decimal(units).scaleb(0 if currency in _NO_DECIMALS else -3 if currency in _THREE_DECIMALS else -2)


def _amount(text: str) -> tuple[Decimal, str]:
    number, _, currency = text.partition(" ")
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,4})?", number) or not re.fullmatch(r"[A-Z]{3}", currency):
        raise RefusedError(f"{text!r} is not an amount with its currency, such as '49.00 EUR'.")
    try:
        return Decimal(number), currency
    except InvalidOperation:
        raise RefusedError(f"{text!r} is not an amount.") from None


def _kind_of(id_: str, allowed: set[str]) -> str:
    match = re.fullmatch(r"([a-z]+)_[A-Za-z0-9_-]{1,200}", id_)
    kind = _BY_PREFIX.get(match[1], "") if match else ""
    if kind not in allowed:
        raise RefusedError(f"{id_!r} is not an id of Stripe's for a {' or '.join(sorted(allowed))}.")
    return kind


def _object(answer: Json, *, write: bool) -> dict[str, Any]:
    if not isinstance(answer, dict) or not isinstance(answer.get("id"), str):
        if write:
            raise OutcomeUnknownError("Stripe answered with no object. The same key may be sent again.")
        raise RefusedError("Stripe answered with something that is no object.")
    return answer


def _money_of(current: Mapping[str, Any]) -> dict[str, Json]:
    """What was paid, as money is written in this house, where the object says so."""
    units = next(
        (current[n] for n in ("amount_total", "amount_paid", "amount_received", "amount") if n in current), None
    )
    currency = str(current.get("currency") or "").upper()
    if not isinstance(units, int) or not currency:
        return {}
    return {"amount": f"{major_units(units, currency)} {currency}"}


def recurring_of(subscription: Mapping[str, Any]) -> dict[str, Json]:
    """Return what a subscription costs and how often: ``{"interval": "year", "count": 1, "amount": "490.00 EUR"}``. Pure.

    Prices of different intervals have no one answer, and none is given. Without an amount where a price has none of its
    own (tiers, usage). Source: https://docs.stripe.com/api/subscriptions/object (items.data.price.recurring)
    """
    rows = (subscription.get("items") or {}).get("data")
    prices = [_price(row) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    spans = {(price.get("interval"), price.get("interval_count") or 1) for price in prices}
    if len(spans) != 1:
        return {}
    ((interval, count),) = spans
    told: dict[str, Json] = {"interval": interval, "count": count}
    units = [price["units"] for price in prices]
    currencies = {str(price.get("currency") or "").upper() for price in prices}
    if all(type(each) is int for each in units) and len(currencies) == 1 and "" not in currencies:
        currency = currencies.pop()
        told["amount"] = f"{major_units(sum(units), currency)} {currency}"
    return {"recurring": told}


def _price(row: Mapping[str, Any]) -> dict[str, Any]:
    """Read one line of a subscription: its price, or the plan that older accounts have in place of one."""
    price = row.get("price") or row.get("plan") or {}
    unit, quantity = price.get("unit_amount", price.get("amount")), row.get("quantity", 1)
    units = unit * quantity if type(unit) is int and type(quantity) is int else None
    return {**price, **(price.get("recurring") or {}), "units": units}


def _plain(value: Any, depth: int = 0) -> Json:
    """Canonical JSON: floats as text, nothing too deep, no client secrets."""
    if isinstance(value, dict) and depth < 12:  # noqa: PLR2004 - deeper than any object of Stripe's
        return {str(k): _plain(v, depth + 1) for k, v in value.items() if not str(k).endswith("secret")}
    if isinstance(value, list) and depth < 12:  # noqa: PLR2004
        return [_plain(each, depth + 1) for each in value]
    return value if isinstance(value, (str, int, type(None))) else str(value)
