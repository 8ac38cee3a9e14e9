"""Why a model did not answer, in our own words. Pure.

A provider's own words never go further than here: they may repeat the key or the prompt. What is read is the HTTP
status, ``Retry-After``, and whether there was an answer at all::

    failure = read_failure(error)  # error: whatever litellm raised
    failure.again, failure.charged, failure.blame
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any, Literal

WAIT_MAX_S = 8.0  # a longer "retry after" than this is somebody else's turn
RETRY_AFTER_S = 20.0  # when a provider says "wait" without saying how long
RETRY_AFTER_MAX_S = 3600.0
CLIENT_ERROR, SERVER_ERROR = 400, 500  # the first HTTP status of each kind
CAUSES_MAX = 10

Blame = Literal["model", "key", "wait", "request", "answer"]


class CallFailedError(Exception):
    """One call brought no answer.

    Attributes:
        what: Half a sentence after the model's name: "the provider answered 503".
        again: Worth another try with the same model.
        charged: It may be on the bill all the same.
        blame: Who has to rest: the model, every model behind the key, the model for as long as the provider said; or
            nobody, because the request was turned down or the answer was no use.
        retry_after_s: For blame "wait".
    """

    def __init__(
        self,
        what: str,
        *,
        again: bool = False,
        charged: bool = False,
        blame: Blame = "model",
        retry_after_s: float = RETRY_AFTER_S,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.again = again
        self.charged = charged
        self.blame = blame
        self.retry_after_s = retry_after_s


def broken_stream() -> CallFailedError:
    """Return the failure of an answer that stopped in the middle."""
    return CallFailedError("its stream broke off", again=True, charged=True)


def read_failure(error: BaseException) -> CallFailedError:
    """Return what an error of litellm, or of what lies below it, means for us."""
    causes = list(_chain(error))
    response = next((found for cause in causes if (found := _response(cause)) is not None), None)
    if response is None:
        names = {type(cause).__name__ for cause in causes}
        if names & {"Timeout", "APITimeoutError", "ReadTimeout"}:
            return CallFailedError("it took too long", charged=True)
        never_left = bool(names & {"ConnectError", "ConnectTimeout"})
        return CallFailedError("the connection failed", again=True, charged=not never_left)
    match response.status_code:
        case 402:
            return CallFailedError("the provider finds no credit behind the key (402)", blame="key")
        case 401 | 403 as status:
            return CallFailedError(f"the provider refused the key ({status})", blame="key")
        case 429:
            wait_s = _retry_after_s(response.headers.get("retry-after"))
            what = "the provider asked us to wait (429)"
            return CallFailedError(what, again=wait_s <= WAIT_MAX_S, blame="wait", retry_after_s=wait_s)
        case 400 | 422 as status:
            return CallFailedError(f"the provider did not take the request ({status})", blame="request")
        case status:
            what = f"the provider answered {status}"
            return CallFailedError(what, again=status >= SERVER_ERROR, charged=status < CLIENT_ERROR)


def _response(error: BaseException) -> Any:
    """Return the HTTP response behind an error; litellm makes up a 500 where there was none, so only others count."""
    genuine = type(error).__module__.partition(".")[0] in {"httpx", "openai"}
    response = getattr(error, "response", None) if genuine else None
    return response if hasattr(response, "status_code") else None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(CAUSES_MAX):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _retry_after_s(header: str | None) -> float:
    try:
        wait_s = float(header or "")
    except ValueError:
        return RETRY_AFTER_S
    return min(max(wait_s, 0.0), RETRY_AFTER_MAX_S) if isfinite(wait_s) else RETRY_AFTER_S
