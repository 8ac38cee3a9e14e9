"""One call to Slack's Web API, and what each kind of failure means.

The library's own retries are off: on a broken connection they post again without looking, and Slack has no idempotency
key, so the operator would see everything twice.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.channels.slack.lane import Clock, RealClock

TIMEOUT_S = 15  # for one call; a file may take longer than a message
RETRY_AFTER_S = 30.0  # when Slack says 429 and not for how long
OPENED_MAX, OPENED_S, OPENED_PAUSE_S = (
    5,
    60.0,
    30.0,
)  # Socket Mode opened so often in this time is closed each time: then slower

logger = logging.getLogger("soloist.slack")
logger.addHandler(logging.NullHandler())

BOT_FIX = "Take the bot token (xoxb-…) from api.slack.com/apps → OAuth & Permissions into SLACK_BOT_TOKEN, restart."
APP_FIX = (
    "Make an app-level token (xapp-…) with the scope connections:write at api.slack.com/apps → Basic Information → "
    "App-Level Tokens, put it into SLACK_APP_TOKEN, restart."
)
CLOSED_AGAIN = (
    "Slack closes Socket Mode as soon as it is open. Is it switched on (api.slack.com/apps → Socket Mode), and do fewer "
    "than ten programs use this SLACK_APP_TOKEN? It is tried again every half minute."
)
SWITCHED_OFF = {
    "messages_tab_disabled": "Direct messages with the app are switched off in Slack, so nothing can be said there. Switch "
    "them on: api.slack.com/apps → App Home → Show Tabs → Messages Tab, and allow messages from there.",
    "not_enabled": "App Home is switched off in Slack, so it stays empty. Switch it on: api.slack.com/apps → App Home → "
    "Show Tabs → Home Tab.",
}
"""Tabs of the app that somebody switched off; the manifest has both on."""
TOKEN_ERRORS = frozenset(
    {"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "not_allowed_token_type"}
)
GONE = frozenset(
    {
        "message_not_found",
        "channel_not_found",
        "cant_update_message",
        "edit_window_closed",
        "is_archived",
        "user_not_found",
        "user_disabled",
        "cannot_dm_bot",
        "not_in_channel",
        "thread_not_found",
    }
)
"""Errors that no waiting mends: this place or message will never take it."""

UNSHOWABLE = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "no_text", "invalid_arguments"}
)
"""Errors about what we sent: our own mistake, which trying again does not mend."""

# 5xx in words: docs.slack.dev/reference/methods/chat.postMessage, "Errors". It may have been done all the same.
UNSURE = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"})


POSTED = {"chat_postMessage": "chat.postMessage", "chat_update": "chat.update"}
"""What takes JSON and is sent often."""


class BusyError(Exception):
    """429: Slack wants us to wait, and has not done it."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"Slack asks to wait {retry_after_s:g} s")
        self.retry_after_s = retry_after_s


class DoubtfulError(Exception):
    """No answer, or 5xx: it may have been done or not."""


class RefusedError(Exception):
    """Slack said no, for a reason that has a name."""

    def __init__(self, code: str, needed: str = "") -> None:
        super().__init__(sentence(code, needed))
        self.code = code
        self.needed = needed

    @property
    def forever(self) -> bool:
        """Whether this place will never take it."""
        return self.code in GONE


def sentence(code: str, needed: str = "", *, app: bool = False) -> str:
    """Say what Slack's error means and what to do."""
    if code in TOKEN_ERRORS:
        which, fix = ("app-level", APP_FIX) if app else ("bot", BOT_FIX)
        return f"Slack refuses our {which} token ({code}). {fix} Nothing is lost meanwhile."
    if code == "missing_scope":
        return (
            f"The Slack app lacks the scope {needed or '(not named)'}. Add it at api.slack.com/apps → OAuth & "
            "Permissions → Bot Token Scopes and install the app again, or paste what 'python -m bot slack manifest' prints "
            "into App Manifest."
        )
    if code == "not_in_channel":
        return "Soloist is not in that Slack channel. Type /invite @Soloist there, or write to it directly."
    if code in SWITCHED_OFF:
        return SWITCHED_OFF[code]
    if app:
        return (
            f"Slack does not open Socket Mode ({code}). Is it switched on? api.slack.com/apps → Socket Mode. {APP_FIX}"
        )
    if code in GONE:
        return f"Slack no longer has that conversation or message ({code})."
    return f"Slack refused it ({code}). If it keeps coming, run 'python -m bot doctor'."


class Wire:
    """The connection to the Web API. ``token`` never leaves it but to Slack."""

    def __init__(self, token: str, base_url: str) -> None:
        self.client = AsyncWebClient(token, base_url, TIMEOUT_S, retry_handlers=[], logger=quiet())
        self.base_url = self.client.base_url
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json; charset=utf-8"}
        self._session: aiohttp.ClientSession | None = None

    def session(self) -> aiohttp.ClientSession:
        """Return the one HTTP session, opened when first used."""
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
            self.client.session = self._session
        return self._session

    async def close(self) -> None:
        """Let go of the connection."""
        if self._session is not None:
            await self._session.close()

    async def call(self, method: str, **args: Any) -> Mapping[str, Any]:
        """Call a Web API method by its name in the library; return the answer.

        Raises:
            BusyError: 429.
            DoubtfulError: no usable answer.
            RefusedError: an error with a name.
        """
        self.session()
        if method in POSTED:
            return await self._post(POSTED[method], args)
        try:
            response = await getattr(self.client, method)(**args)
        except SlackApiError as error:
            raise _told(error) from error
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            raise DoubtfulError(f"No answer from Slack ({type(error).__name__}). It comes back by itself.") from error
        data: Mapping[str, Any] = response.data
        return data

    async def _post(self, method: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """Send what somebody waits for as the library would, without what it does around it: a third of the time."""
        body = json.dumps({name: value for name, value in args.items() if value is not None}).encode()
        way = {"proxy": self.client.proxy, "ssl": self.client.ssl if self.client.ssl is not None else True}
        try:
            async with self.session().post(self.base_url + method, data=body, headers=self._headers, **way) as answer:  # type: ignore[arg-type]
                data = _object(await answer.read())
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            raise DoubtfulError(f"No answer from Slack ({type(error).__name__}). It comes back by itself.") from error
        if answer.status == 200 and data.get("ok"):  # noqa: PLR2004
            return data
        raise _meaning(answer.status, answer.headers, data)

    async def headers(self, method: str) -> Mapping[str, str]:
        """Return an answer's headers: they name the token's scopes and the time in Slack."""
        self.session()
        try:
            return dict((await getattr(self.client, method)()).headers)
        except SlackApiError as error:
            raise _told(error) from error
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            raise DoubtfulError(f"No answer from Slack ({type(error).__name__}).") from error

    async def upload(self, url: str, content: bytes) -> None:
        """Send a file's bytes to the address Slack gave for them.

        Raises:
            BusyError, DoubtfulError: as `call`.
        """
        try:
            async with self.session().post(url, data=content) as response:
                if response.status == 429:  # noqa: PLR2004
                    raise BusyError(retry_after(response.headers))
                if response.status >= 400:  # noqa: PLR2004
                    raise DoubtfulError(f"Slack did not take the file (HTTP {response.status}).")
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            raise DoubtfulError(f"No answer from Slack ({type(error).__name__}).") from error


class AppClient(AsyncWebClient):
    """The Web API with the app-level token, which opens Socket Mode; says in a sentence why it cannot."""

    def __init__(self, token: str, base_url: str, note: Callable[[str], None], clock: Clock | None = None) -> None:
        super().__init__(token, base_url, TIMEOUT_S, retry_handlers=[], logger=quiet())
        self._note = note
        self._clock: Clock = clock or RealClock()
        self._opened: list[float] = []

    async def apps_connections_open(self, **kwargs: Any) -> Any:
        """Open Socket Mode for the library, which retries by itself, and at once when Slack closes it."""
        often = await self._slow_down()
        try:
            answer = await super().apps_connections_open(**kwargs)
        except SlackApiError as error:
            self._note(sentence(str(error.response.get("error", "")), app=True))
            raise
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            self._note(f"No answer from Slack ({type(error).__name__}). It comes back by itself.")
            raise
        if not often:
            self._note("")
        return answer

    async def _slow_down(self) -> bool:
        """Wait when Slack closes what was just opened, as with Socket Mode off; return whether it does."""
        now = self._clock.now()
        self._opened = [at for at in self._opened if now - at < OPENED_S]
        often = len(self._opened) >= OPENED_MAX
        if often:
            self._note(CLOSED_AGAIN)
            await self._clock.sleep(OPENED_PAUSE_S)
        self._opened.append(self._clock.now())
        return often

    async def apps_connections_open_here(self) -> str:
        """Open Socket Mode, with errors of ours."""
        try:
            return str((await super().apps_connections_open(app_token=self.token or ""))["url"])
        except SlackApiError as error:
            data = getattr(error.response, "data", None)
            code = str(data.get("error", "")) if isinstance(data, dict) else ""
            if not code:
                raise DoubtfulError("Slack is in trouble. It comes back by itself.") from error
            raise AppRefusedError(code) from error
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            raise DoubtfulError(f"No answer from Slack ({type(error).__name__}). It comes back by itself.") from error


class AppRefusedError(RefusedError):
    """Slack refused the app-level token."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.args = (sentence(code, app=True),)


def retry_after(headers: Mapping[str, str]) -> float:
    """Read ``Retry-After``; anything odd means the default."""
    try:
        return min(max(float(headers.get("Retry-After", RETRY_AFTER_S)), 0.0), 3600.0)
    except ValueError:
        return RETRY_AFTER_S


def _told(error: SlackApiError) -> Exception:
    response: Any = error.response
    status = int(getattr(response, "status_code", 0) or getattr(response, "status", 0))
    data = getattr(response, "data", None)
    return _meaning(status, response.headers, data if isinstance(data, dict) else {})


def _meaning(status: int, headers: Mapping[str, str], data: Mapping[str, Any]) -> Exception:
    code = str(data.get("error", ""))
    if status == 429 or code == "ratelimited":  # noqa: PLR2004
        return BusyError(retry_after(headers))
    if not code or code in UNSURE or status >= 500:  # noqa: PLR2004
        return DoubtfulError(f"Slack is in trouble (HTTP {status}{', ' + code if code else ''}).")
    return RefusedError(code, str(data.get("needed", "")))


def _object(body: bytes) -> dict[str, Any]:
    """Read an answer; what is no JSON object says nothing."""
    try:
        data = json.loads(body)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def quiet() -> logging.Logger:
    """Return the library's logger with only what an operator must see: its lower levels print whole payloads."""
    library = logging.getLogger("soloist.slack.library")
    library.setLevel(logging.CRITICAL)
    return library
