"""Stripe on loopback: localstripe in a process of its own, behind a front that adds what it lacks, and faults.

localstripe has charges, refunds, customers and signed webhooks. The front adds idempotency as Stripe documents it (the
same key with the same parameters gives the first answer again, with others a 400), prices and payment links, and a
ledger of what was really done::

    with localstripe() as behind:
        async with front(behind) as provider:
            provider.fail("drop", after=True)  # the refund is made, and its answer is lost
            ...
            assert provider.done["/v1/refunds"] == 1
"""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import httpx
from aiohttp import web

from tests.counterparts.ports import free_port, listening

KEY = "sk_test_loopback0123456789"

_SERVE = """
import sys
import time
from aiohttp import web
from localstripe import resources, server
resources.Store.dump_to_disk = lambda self: None
web.run_app(server.app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
"""


@dataclass
class Provider:
    """The front, and what it has seen."""

    behind: str = ""
    url: str = ""
    done: Counter = field(default_factory=Counter)  # path → writes that took effect
    calls: Counter = field(default_factory=Counter)  # path → requests that came
    forms: list[dict] = field(default_factory=list)
    page_max: int = 100
    _kept: dict = field(default_factory=dict)  # idempotency key → (parameters, status, body)
    _faults: list = field(default_factory=list)
    _objects: dict = field(default_factory=dict)

    def fail(self, how: str, *, after: bool = False, times: int = 1) -> None:
        """Let the next writes fail: ``drop``, or a status such as ``500``; before or after they took effect."""
        self._faults += [(how, after)] * times

    def direct(self) -> httpx.Client:
        """Talk to localstripe as somebody else would, e.g. to make a charge."""
        return httpx.Client(base_url=self.behind, headers={"Authorization": f"Bearer {KEY}"}, trust_env=False)

    def charge(self, amount: int, currency: str = "eur", **metadata: str) -> str:
        """Let a customer pay; return the charge's id."""
        with self.direct() as http:
            card = {
                "type": "card",
                "card[number]": "4242424242424242",
                "card[exp_month]": 12,
                "card[exp_year]": 2030,
                "card[cvc]": 123,
            }
            method = http.post("/v1/payment_methods", data=card).json()["id"]
            facts = {f"metadata[{name}]": value for name, value in metadata.items()}
            customer = http.post("/v1/customers", data={"name": "Acme"}).json()["id"]
            http.post(f"/v1/payment_methods/{method}/attach", data={"customer": customer})
            answer = http.post(
                "/v1/charges",
                data={"amount": amount, "currency": currency, "source": method, "customer": customer, **facts},
            )
            assert answer.is_success, answer.text
            return answer.json()["id"]

    def refunds(self, charge: str) -> list[dict]:
        """What localstripe's own books say was given back."""
        with self.direct() as http:
            return http.get("/v1/refunds", params={"charge": charge}).json()["data"]

    def hook(self, url: str, secret: str) -> None:
        """Have every event sent there, signed."""
        with self.direct() as http:
            assert http.post("/_config/webhooks/one", json={"url": url, "secret": secret}).is_success

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.calls[request.path] += 1
        if request.method == "GET" and request.path == "/v1/payment_links":
            return web.json_response(self._page(request))
        if request.method == "GET" and request.path in self._objects:
            return web.json_response(self._objects[request.path])
        if request.method == "GET":
            return await self._forward(request, body)
        how, after = self._faults.pop(0) if self._faults else ("", False)
        if how and not after:
            return await self._fault(request, how)
        status, answer = await self._once(request, body)
        if how:
            return await self._fault(request, how)
        return web.Response(status=status, body=answer, content_type="application/json")

    def forget_keys(self) -> None:
        """A day has passed: the same idempotency key is a new one again."""
        self._kept.clear()

    def _page(self, request: web.Request) -> dict:
        """A list as Stripe documents it: newest first, at most so many, after a given one."""
        rows = [made for path, made in reversed(self._objects.items()) if made["object"] == "payment_link"]
        ids = [row["id"] for row in rows]
        start = ids.index(request.query["starting_after"]) + 1 if "starting_after" in request.query else 0
        end = start + min(int(request.query.get("limit", 10)), self.page_max)
        return {"object": "list", "data": rows[start:end], "has_more": end < len(rows)}

    async def _once(self, request: web.Request, body: bytes) -> tuple[int, bytes]:
        key = request.headers.get("Idempotency-Key", "")
        if key in self._kept:
            parameters, status, answer = self._kept[key]
            if parameters != (request.path, body):
                words = (
                    "Keys for idempotent requests can only be used with the same parameters they were first used with."
                )
                return 400, json.dumps({"error": {"type": "idempotency_error", "message": words}}).encode()
            return status, answer
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        self.forms.append(form)
        if made := self._made(request.path, form):
            status, answer = 200, json.dumps(made).encode()
        else:
            response = await self._forward(request, body)
            status, answer = response.status, response.body
        if status < 400:
            self.done[request.path] += 1
        if key:
            self._kept[key] = ((request.path, body), status, answer)
        return status, answer

    def _made(self, path: str, form: dict) -> dict | None:
        if path == "/v1/prices":
            made = {"id": f"price_{len(self.forms)}", "object": "price", "unit_amount": int(form["unit_amount"])}
        elif path == "/v1/payment_links":
            id_ = f"plink_{len(self.forms)}"
            marks = {name[9:-1]: value for name, value in form.items() if name.startswith("metadata[")}
            made = {"id": id_, "object": "payment_link", "active": True, "url": f"https://buy.stripe.example/{id_}"}
            made["metadata"] = marks
        elif path.startswith("/v1/payment_links/"):
            made = {**self._objects[path], "active": form["active"] == "true"}
        else:
            return None
        self._objects["/v1/payment_links/" + made["id"]] = made
        return made

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        headers = {name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers}
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.request(request.method, self.behind + request.path_qs, content=body, headers=headers)
        return web.Response(status=answer.status_code, body=answer.content, content_type="application/json")

    async def _fault(self, request: web.Request, how: str) -> web.StreamResponse:
        if how == "drop":
            request.transport.abort()
            return web.Response()
        return web.json_response({"error": {"message": f"told to answer {how}"}}, status=int(how))


@contextlib.contextmanager
def localstripe():
    """Start localstripe; yields its address, ends that one process."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        listening(port, process, "localstripe")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@contextlib.asynccontextmanager
async def front(behind: str) -> AsyncIterator[Provider]:
    """Serve the front before a running localstripe."""
    provider = Provider(behind=behind)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", provider.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield provider
    finally:
        await runner.cleanup()
        await asyncio.sleep(0)
