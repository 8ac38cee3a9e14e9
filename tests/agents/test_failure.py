"""What a provider's failure means for us."""

import httpx
import pytest

from agents.failure import CAUSES_MAX, RETRY_AFTER_MAX_S, RETRY_AFTER_S, read_failure


def answered(status: int, **headers: str) -> Exception:
    request = httpx.Request("POST", "https://api.example/v1")
    response = httpx.Response(status, headers=headers, request=request, text="your key sk-canary is wrong")
    return httpx.HTTPStatusError("sk-canary", request=request, response=response)


def wrapped(cause: BaseException) -> Exception:
    error = RuntimeError("litellm made up a 500 around this")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("status", "blame", "again", "charged"),
    [
        (200, "model", False, True),
        (400, "request", False, False),
        (401, "key", False, False),
        (402, "key", False, False),
        (403, "key", False, False),
        (404, "model", False, False),
        (422, "request", False, False),
        (500, "model", True, False),
        (503, "model", True, False),
        (529, "model", True, False),
    ],
)
def test_the_status_says_what_may_be_done(status, blame, again, charged) -> None:
    failure = read_failure(wrapped(answered(status)))

    assert (failure.blame, failure.again, failure.charged) == (blame, again, charged)
    assert str(status) in failure.what
    assert "canary" not in failure.what


@pytest.mark.parametrize(
    ("header", "wait_s", "again"),
    [("3", 3, True), ("0.5", 0.5, True), ("-4", 0, True), ("60", 60, False), ("99999999", RETRY_AFTER_MAX_S, False)]
    + [(odd, RETRY_AFTER_S, False) for odd in ("soon", "nan", "inf", "", "Wed, 21 Oct 2026 07:28:00 GMT")],
)
def test_a_limit_says_how_long(header, wait_s, again) -> None:
    failure = read_failure(answered(429, **{"retry-after": header}))

    assert (failure.blame, failure.retry_after_s, failure.again) == ("wait", wait_s, again)


def test_a_call_that_never_left_is_not_charged_and_one_that_was_cut_may_be() -> None:
    assert not read_failure(wrapped(httpx.ConnectError("refused"))).charged
    assert read_failure(wrapped(httpx.RemoteProtocolError("gone"))).charged
    assert read_failure(wrapped(httpx.ReadTimeout("slow"))).charged
    assert not read_failure(wrapped(httpx.ReadTimeout("slow"))).again


def test_a_ring_of_causes_ends() -> None:
    error = RuntimeError("a")
    for _ in range(3 * CAUSES_MAX):
        error = wrapped(error)

    assert read_failure(error).what == "the connection failed"
