"""The one HTTP client for outside services: bounded, patient, polite, discreet.

What it adds to httpx, and a connector need not think about again:

- every failure is one of three facts: `RefusedError` (it said no), `TryLaterError` (provably nothing happened),
  `OutcomeUnknownError` (it may have happened). A call that is not *repeatable* is never sent twice;
- retries with exponential backoff and jitter inside one attempt of the runner, honouring ``Retry-After``;
- a breaker: after `FAILURES_MAX` failures in a row the service rests for `REST_S`, then one trial call decides;
- a pace (calls a minute) and a bulkhead (calls at once) for each service;
- no redirect is followed, no answer above `bytes_max` is read, no secret appears in an error.

A connector makes one of these and closes it::

    client = Client("stripe", base_url="https://api.stripe.com", headers={...}, secrets=[key])
    answer = await client.request("POST", "/v1/refunds", form={...}, headers={"Idempotency-Key": key}, repeatable=True)
    answer.json()["id"]

Sources: RFC 9110 (methods, Retry-After); https://www.python-httpx.org/exceptions/; Nygard, "Release It!" (breaker).
"""

from __future__ import annotations

import asyncio
import base64
import json as jsonlib
import re
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import quote, quote_plus

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from connectors.base import AT_ONCE, ConnectorError, Json, OutcomeUnknownError, RefusedError, TryLaterError

TRIES = 3  # within one attempt of the runner; the runner has patience of its own
WAIT_MAX_S = 8.0  # longer waits belong to the runner, which survives a restart
FAILURES_MAX = 5  # in a row, then the service rests
REST_S = 30.0
BYTES_MAX = 5_000_000  # of one answer; more is a mistake or an attack
WORDS_MAX = 300  # characters of a service's own error that a card can carry
READS = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT"})  # the last two: RFC 4918 and 3253 call them safe
SECRET_MIN = 6  # characters; shorter values would blank out ordinary words

Pause = Callable[[float], Awaitable[None]]
Monotonic = Callable[[], float]

# Of the word behind "bearer" or "basic", one with a digit, a "=" or mixed letters: "a basic subscription" is none.
_TELLTALE = re.compile(
    r"\b(?:(?i:bearer|basic)\s+(?=\S*(?:[0-9=]|[a-z][A-Z]))[A-Za-z0-9._~+/=-]{5,}[A-Za-z0-9_~+/=-]"
    r"|[srp]k_(?:live|test)_[A-Za-z0-9]{4,}|whsec_[A-Za-z0-9]{4,}|xox[abeprs]-[A-Za-z0-9-]{6,}|\d{6,}:[A-Za-z0-9_-]{30,})"
)
_USERINFO = re.compile(r"(?<=://)[^\s/@]+@")


class Bearer(Protocol):
    """Who may act for an account: `connectors.oauth.Bearer` serves."""

    async def token(self, refused: str = "") -> str:
        """Return an access token, another one than the one that was just turned down."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Redactor:
    """Blanks out secrets, however a service quotes them back: bare, percent-encoded, in base64, or by their shape."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets if len(secret) >= SECRET_MIN for form in _forms(secret)}
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        for form in self._forms:
            text = text.replace(form, "[secret]")
        return _USERINFO.sub("[secret]@", _TELLTALE.sub("[secret]", text))


def _forms(secret: str) -> set[str]:
    raw = secret.encode()
    # Base64 of a longer text has three alignments; the inner part of each is the same whatever surrounds it.
    shifted = {
        base64.b64encode(b"\0" * shift + raw).decode()[4 if shift else 0 :].rstrip("=")[:-2] for shift in range(3)
    }
    return {secret, quote(secret, safe=""), quote_plus(secret), base64.b64encode(raw).decode(), *shifted} - {""}


class Breaker:
    """Gives a failing service a rest, so that nobody waits for it and it is not hammered while it gets up."""

    def __init__(
        self,
        service: str,
        *,
        failures_max: int = FAILURES_MAX,
        rest_s: float = REST_S,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._service = service
        self._failures_max = failures_max
        self._rest_s = rest_s
        self._monotonic = monotonic
        self._failures = 0
        self._rests_until: float | None = None

    @property
    def state(self) -> str:
        """``closed`` (calls pass), ``open`` (it rests) or ``half-open`` (the next call is the trial)."""
        if self._rests_until is None:
            return "closed"
        return "open" if self._monotonic() < self._rests_until else "half-open"

    def check(self) -> None:
        """Let a call pass, or refuse it while the service rests. After the rest one call passes as the trial.

        Raises:
            TryLaterError: The service rests; nothing was sent.
        """
        if self._rests_until is None:
            return
        left = self._rests_until - self._monotonic()
        if left > 0:
            raise TryLaterError(
                f"{self._service} failed {self._failures} times in a row and rests for another {left:.0f} s. "
                "Nothing was sent; it is tried again by itself.",
                left,
            )
        self._rests_until = self._monotonic() + self._rest_s  # the others keep waiting while the trial runs

    def succeeded(self) -> None:
        """The service answered: close."""
        self._failures = 0
        self._rests_until = None

    def failed(self) -> None:
        """The service did not answer sensibly: count, and open at the limit."""
        self._failures += 1
        if self._failures >= self._failures_max:
            self._rests_until = self._monotonic() + self._rest_s


class Pace:
    """A token bucket: so many calls a minute, a few at once after a quiet time."""

    def __init__(self, per_minute: float, *, burst: int = 10, monotonic: Monotonic = time.monotonic) -> None:
        self._every_s = 60.0 / per_minute
        self._burst = burst
        self._monotonic = monotonic
        self._next = monotonic() - burst * self._every_s  # when the oldest token was due

    def wait_s(self) -> float:
        """Take a token and return how long to wait before using it; a token beyond `WAIT_MAX_S` is not given.

        Raises:
            TryLaterError: The queue is too long; nothing was sent.
        """
        now = self._monotonic()
        start = max(self._next, now - (self._burst - 1) * self._every_s)
        wait = max(0.0, start - now)
        if wait > WAIT_MAX_S:
            raise TryLaterError("Too many calls at once; this one waits its turn.", wait)
        self._next = start + self._every_s
        return wait


@dataclass(frozen=True)
class Answer:
    """What a service answered with 2xx."""

    service: str
    status: int
    headers: Mapping[str, str]
    content: bytes
    repeatable: bool

    def json(self) -> Json:
        """Return the body as JSON.

        Raises:
            TryLaterError: It is no JSON, and asking again is harmless.
            OutcomeUnknownError: It is no JSON, and something may have been done.
        """
        try:
            return jsonlib.loads(self.content)
        except ValueError:
            words = f"{self.service} answered {self.status} with something that is not JSON."
            raise (TryLaterError if self.repeatable else OutcomeUnknownError)(words) from None


class _Again(Exception):  # noqa: N818 - not an error yet: it says that the same call may be sent once more
    def __init__(self, error: ConnectorError) -> None:
        super().__init__(str(error))
        self.error = error


class Client:
    """HTTP to one service."""

    def __init__(
        self,
        service: str,
        *,
        base_url: str = "",
        headers: Mapping[str, str] | None = None,
        secrets: Iterable[str] = (),
        bearer: Bearer | None = None,
        timeout_s: float = 20.0,
        tries: int = TRIES,
        rate_per_minute: float = 120.0,
        at_once: int = 2 * AT_ONCE,  # the house begins half as many actions; the rest is for those who look
        bytes_max: int = BYTES_MAX,
        pause: Pause = asyncio.sleep,
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self.service = service
        self.redact = Redactor([*secrets, *_in_headers(headers or {})])
        self.breaker = Breaker(service, monotonic=monotonic)
        self._bearer = bearer
        self._pace = Pace(rate_per_minute, monotonic=monotonic)
        self._room = asyncio.Semaphore(at_once)
        self._tries = tries
        self._bytes_max = bytes_max
        self._pause = pause
        self._http = httpx.AsyncClient(
            base_url=base_url, headers=dict(headers or {}), timeout=timeout_s, follow_redirects=False, trust_env=False
        )

    async def close(self) -> None:
        """Let go of connections."""
        if self._bearer is not None:
            await self._bearer.close()
        await self._http.aclose()

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Json = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        also: Collection[int] = (),
    ) -> Answer:
        """Send one request and return its 2xx answer.

        Args:
            method: HTTP's.
            path: Below ``base_url``, or a whole address.
            params: Query.
            json: Body as JSON; or ``form``; or ``content``.
            form: Body as a form.
            content: Body as it is.
            headers: In addition to the client's.
            repeatable: Whether sending it twice is the same as once (a read, or a key the service deduplicates).
                Default: reads are.
            also: Further statuses that are an answer here and no error (412 behind If-Match, 404 behind DELETE).

        Raises:
            RefusedError: The service said no (4xx, redirect); its own words are in the message.
            TryLaterError: Nothing happened: not reachable, 429, 503, the service rests, or a read failed.
            OutcomeUnknownError: It may have been done: time-out, broken connection or 5xx on a write.
        """
        again = method in READS if repeatable is None else repeatable
        request = self._http.build_request(
            method, path, params=params, json=json, data=form, content=content, headers=headers
        )
        harmless = method in READS
        try:
            async for attempt in AsyncRetrying(
                stop=stop_after_attempt(self._tries),
                wait=_wait,
                retry=retry_if_exception_type(_Again),
                sleep=self._pause,
                reraise=True,
            ):
                with attempt:
                    return await self._once(request, repeatable=again, harmless=harmless, also=also)
        except _Again as last:
            raise last.error from None
        raise AssertionError("tenacity ended without an answer or an error")

    async def _once(self, request: httpx.Request, *, repeatable: bool, harmless: bool, also: Collection[int]) -> Answer:
        self.breaker.check()
        await self._pause(self._pace.wait_s())
        async with self._room:
            try:
                answer = await self._exchange(request, repeatable=repeatable, harmless=harmless, also=also)
            except RefusedError:
                self.breaker.succeeded()  # it is alive enough to say no
                raise
            except (ConnectorError, _Again):
                self.breaker.failed()
                raise
        self.breaker.succeeded()
        return answer

    async def _exchange(
        self, request: httpx.Request, *, repeatable: bool, harmless: bool, also: Collection[int]
    ) -> Answer:
        unsure = TryLaterError if harmless else OutcomeUnknownError
        await self._authorise(request)
        try:
            response = await self._http.send(request, stream=True)
            if response.status_code == HTTPStatus.UNAUTHORIZED and self._bearer is not None:
                # The token ended before its time. Nothing was done, so the request goes once more with a new one.
                await response.aclose()
                await self._authorise(request, refused=request.headers["authorization"].partition(" ")[2])
                response = await self._http.send(request, stream=True)
            try:
                content = await self._read(response, unsure)
            finally:
                await response.aclose()
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError) as error:
            raise RefusedError(self.redact(f"{self.service}: this request cannot be sent ({error}).")) from None
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            words = f"{self.service} cannot be reached ({_reason(error)}). Nothing was sent."
            raise _Again(TryLaterError(self.redact(words))) from None
        except httpx.HTTPError as error:
            words = f"{self.service} broke off before it had answered ({_reason(error)})."
            failure = unsure(self.redact(words))
            raise (_Again(failure) if repeatable else failure) from None
        if response.status_code in also:
            return Answer(self.service, response.status_code, dict(response.headers), content, repeatable)
        return self._judge(response, content, unsure, repeatable=repeatable)

    async def _authorise(self, request: httpx.Request, refused: str = "") -> None:
        if self._bearer is not None:
            request.headers["authorization"] = f"Bearer {await self._bearer.token(refused)}"

    async def _read(self, response: httpx.Response, unsure: type[ConnectorError]) -> bytes:
        content = bytearray()
        async for piece in response.aiter_bytes():
            content += piece
            if len(content) > self._bytes_max:
                raise unsure(f"{self.service} answered with more than {self._bytes_max} bytes; it was not read.")
        return bytes(content)

    def _judge(
        self, response: httpx.Response, content: bytes, unsure: type[ConnectorError], *, repeatable: bool
    ) -> Answer:
        status = response.status_code
        if response.is_success:
            return Answer(self.service, status, dict(response.headers), content, repeatable)
        words = self.redact(f"{self.service} answered {status}: {_words(content) or response.reason_phrase}")
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            raise _Again(TryLaterError(words, _retry_after_s(response)))
        if response.is_server_error:
            # 503 with Retry-After says in so many words that the request was not taken (RFC 9110, 15.6.4).
            not_taken = status == HTTPStatus.SERVICE_UNAVAILABLE and "retry-after" in response.headers
            failure = TryLaterError(words, _retry_after_s(response)) if not_taken else unsure(words)
            raise _Again(failure) if repeatable or not_taken else failure
        if status == HTTPStatus.CONFLICT and repeatable and unsure is OutcomeUnknownError:
            raise _Again(OutcomeUnknownError(words))  # the first copy of this very call may still be running there
        if response.is_redirect:
            raise RefusedError(f"{words}. It points elsewhere, and redirects are not followed: correct the address.")
        raise RefusedError(words)


def _wait(state: RetryCallState) -> float:
    outcome = state.outcome.exception() if state.outcome else None
    asked = getattr(getattr(outcome, "error", None), "retry_after_s", None)
    if asked is not None and asked > WAIT_MAX_S:
        assert isinstance(outcome, _Again)
        raise outcome.error  # the runner can wait that long, and survive a restart meanwhile
    return max(asked or 0.0, wait_random_exponential(multiplier=0.5, max=WAIT_MAX_S)(state))


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _in_headers(headers: Mapping[str, str]) -> list[str]:
    """Whatever authorises is a secret, with and without its scheme."""
    values = [value for name, value in headers.items() if re.search(r"(?i)auth|key|token|secret", name)]
    return [*values, *(value.partition(" ")[2] for value in values if " " in value)]


def _retry_after_s(response: httpx.Response) -> float | None:
    asked = response.headers.get("retry-after", "")
    if asked.isdigit():
        return float(asked[:6])
    try:
        return max(0.0, (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def _words(content: bytes) -> str:
    """Find the sentence in an error's body."""
    text = content[:20_000].decode(errors="replace")
    try:
        body: Any = jsonlib.loads(text)
    except ValueError:
        return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text)).strip()[:WORDS_MAX]
    for name in ("error", "message", "error_description", "detail", "title"):
        if isinstance(body, dict) and body.get(name):
            inner = body[name]
            return str(inner.get("message") or inner if isinstance(inner, dict) else inner)[:WORDS_MAX]
    return re.sub(r"\s+", " ", text).strip()[:WORDS_MAX]
