"""A client pays at the link and gets the money back: words, card, paper, Stripe's own books, ours, and the export.

The payment is made and told by a counterpart that is not ours: localstripe, which gives refunds as well, and emulate,
which does not. Their webhooks are signed by themselves, with the real time, so the house lives in it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from beancount import loader
from beancount.core import realization
from facturx import get_xml_from_pdf

from bot.testing import PaperClock, PaperHouse
from connectors.base import Role
from memory.archive import export
from tests.counterparts import emulate
from tests.counterparts.stripe import KEY, Provider, front, localstripe

SECRET = "whsec_loopback0123456789"
node = [pytest.mark.node, pytest.mark.skipif(bool(emulate.missing()), reason=emulate.missing() or "set up")]


class Payer:
    """Somebody with a card, and the way the news of it takes."""

    def __init__(self, name: str, behind: str) -> None:
        self.name, self.behind = name, behind

    def pays(self, amount: int, currency: str, reference: str) -> str:
        """Pay as a payment link has it done: an intent that carries the link's reference. Returns its id."""
        with httpx.Client(base_url=self.behind, headers={"Authorization": f"Bearer {KEY}"}, trust_env=False) as http:
            facts = {"amount": amount, "currency": currency.lower(), "metadata[reference]": reference}
            card = {"type": "card", "card[number]": "4242424242424242", "card[exp_month]": 12, "card[exp_year]": 2040}
            if self.name == "localstripe":
                method = http.post("/v1/payment_methods", data={**card, "card[cvc]": 123}).json()["id"]
                facts["customer"] = http.post("/v1/customers", data={"name": "Acme"}).json()["id"]
                http.post(f"/v1/payment_methods/{method}/attach", data={"customer": facts["customer"]})
            else:
                method = "pm_card_visa"
            intent = http.post("/v1/payment_intents", data={**facts, "payment_method": method}).json()
            paid = http.post(f"/v1/payment_intents/{intent['id']}/confirm")
            assert paid.json()["status"] == "succeeded", paid.text
            return str(intent["id"])


@contextlib.asynccontextmanager
async def shop(name: str, folder: Path) -> AsyncIterator[tuple[PaperHouse, Provider, Payer]]:
    """A house, Stripe's counterpart, and the way from there back into the house."""

    async def passed_on(request: web.Request) -> web.Response:
        """Bring an event to the house as Stripe would, at the house's own door."""
        body, signature = await request.read(), request.headers["Stripe-Signature"]
        if name == "emulate":
            body, signature = emulate.enveloped(body, signature, SECRET)
        async with httpx.AsyncClient(trust_env=False) as http:
            address = f"http://127.0.0.1:{house.machine.runner._staff.connectors['webhooks'].port}/hooks/stripe"  # type: ignore[attr-defined]
            answer = await http.post(address, content=body, headers={"Stripe-Signature": signature})
        return web.Response(status=answer.status_code)

    app = web.Application()
    app.router.add_post("/hook", passed_on)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    opened = localstripe() if name == "localstripe" else emulate.emulated(folder, hook, SECRET)
    with opened as behind:
        async with front(behind) as provider:
            if name == "localstripe":
                provider.hook(hook, SECRET)
            environment = {
                "STRIPE_API_KEY": KEY, "STRIPE_API_BASE": provider.url, "STRIPE_WEBHOOK_SECRET": SECRET,
                "WEBHOOKS_ADDRESS": "127.0.0.1:0", "REDIS_URL": "none",
            }  # fmt: skip
            clock = PaperClock(datetime.now(UTC))
            async with PaperHouse(folder / "home", environment=environment, clock=clock) as house:
                yield house, provider, Payer(name, behind)
    await runner.cleanup()


async def until(holds: Callable[[], object], house: PaperHouse) -> None:
    async with asyncio.timeout(120):
        while not holds():  # noqa: ASYNC110 - the counterpart is another process
            await asyncio.sleep(0.02)
    await house.runner.settled()


async def says(house: PaperHouse, text: str) -> None:
    """Say something, and approve what it leads to."""
    before = len(house.channel.cards)
    await house.operator(text)
    if len(house.channel.cards) > before:
        await house.press("Approve")
    await house.later(seconds=20)


def invoice(house: PaperHouse, number: str) -> dict[str, Any]:
    with house.machine.database.read() as connection:
        from memory.projections import Books

        found = Books(connection).standing("invoice", number)
    assert found is not None
    return found.data


def balance(house: PaperHouse, folder: Path, account: str) -> dict[str, Decimal]:
    """Return what beancount says stands on an account of the export."""
    export(house.machine.database, folder)
    entries, errors, _ = loader.load_file(str(folder / "ledger.beancount"))
    assert errors == []
    found = realization.get(realization.realize(entries), account)
    return {} if found is None else {p.units.currency: p.units.number for p in realization.compute_balance(found)}


@pytest.mark.parametrize("name", ["localstripe", pytest.param("emulate", marks=node)])
async def test_a_yen_invoice_is_paid_at_its_link(tmp_path: Path, name: str) -> None:
    async with shop(name, tmp_path) as (house, provider, payer):
        number = f"{house.clock().year}-0001"
        await says(house, "invoice Acme 150000 JPY for the Tokyo workshop")
        assert [row.value for row in house.card().rows if row.role is Role.AMOUNT] == ["178,500 JPY"]
        (pdf,) = (file for file in house.card().files if file.name.endswith(".pdf"))
        _, xml = get_xml_from_pdf(house.machine.files.get(pdf.sha256), check_xsd=False)
        assert b"<ram:GrandTotalAmount>178500</ram:GrandTotalAmount>" in xml
        assert b"<ram:InvoiceCurrencyCode>JPY</ram:InvoiceCurrencyCode>" in xml

        await says(house, f"payment link for {number}")
        price, link = provider.forms[-2:]
        assert (price["currency"], price["unit_amount"]) == ("jpy", "178500"), "yen have no smaller coin"
        assert link["payment_intent_data[metadata][reference]"] == number

        cards = len(house.channel.cards)
        reference = link["payment_intent_data[metadata][reference]"]
        # Elsewhere, for emulate answers the payer only when its webhook was taken.
        await asyncio.to_thread(payer.pays, int(price["unit_amount"]), price["currency"], reference)
        await until(lambda: len(house.channel.cards) > cards, house)
        assert "178,500 JPY" in str(house.card().rows)
        assert invoice(house, number)["status"] == "sent", "what is told from outside waits for a press"
        await house.press("Approve")
        assert invoice(house, number)["status"] == "paid"
        assert balance(house, tmp_path / "export", "Assets:Bank") == {"JPY": Decimal(178500)}
        assert balance(house, tmp_path / "export", "Assets:Receivable") == {}

        await house.operator(f"refund {number}")
        assert [(row.label, row.value, row.mark) for row in house.card().rows if row.role is Role.PAYEE] == [
            ("Paid to", "client acme", "NEW PAYEE")
        ]
        if name == "emulate":
            return  # it gives nothing back
        charge = next(row.value for row in house.card().rows if row.label == "Charge")
        await house.press("Approve")
        await house.later(seconds=20)
        (given,) = provider.refunds(charge)
        assert (given["amount"], given["currency"]) == (178500, "jpy")
        assert invoice(house, number)["status"] == "refunded"
        assert balance(house, tmp_path / "export", "Assets:Bank") == {}
        assert balance(house, tmp_path / "export", "Liabilities") == {}
        assert balance(house, tmp_path / "export", "Income") == {}
