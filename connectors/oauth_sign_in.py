"""Signing in once, so that mail and calendar work without a password: a page in the browser, or a code typed elsewhere.

In the browser the provider sends the operator back to a port of this machine (RFC 8252) with a code that only the process
that asked can use (PKCE, RFC 7636). Where Soloist runs on another machine than the browser, that page does not load, and its
address is pasted instead. With a device code (RFC 8628) nothing has to come back: a short code is typed on a page.

The refresh token lands beside the others of `connectors.oauth`, readable by its owner alone; it is never shown.

Source: RFC 6749 4.1, RFC 7636, RFC 8252 7.3, RFC 8628; https://developers.google.com/identity/protocols/oauth2/native-app,
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow, .../v2-oauth2-device-code
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlencode, urlsplit

from connectors import oauth
from connectors.base import OutcomeUnknownError, RefusedError, TryLaterError, Workshop
from connectors.client import Answer, Client, Pause
from connectors.oauth_way_back import OTHER_MACHINE, WAIT_S, Paste, WayBack

ASK_S = 5.0  # between two questions whether the code was typed, where the provider does not say (RFC 8628, 3.2)
PREFIXES = {name: prefix for prefix, name in oauth.ACCOUNTS.items()}  # "mail" → "MAIL"

Show = Callable[[str], None]


@dataclass(frozen=True)
class Provider:
    """What differs between providers, by the host of their token endpoint."""

    page: str
    scopes: Mapping[str, str]  # prefix → what to ask for
    device: str = ""  # where a device code is given out; "" where it may not read mail
    here: str = "127.0.0.1"  # how this machine is called in the way back
    more: Mapping[str, str] | None = None


_MICROSOFT = "https://login.microsoftonline.com/common/oauth2/v2.0"
KNOWN: Mapping[str, Provider] = {
    "oauth2.googleapis.com": Provider(
        page="https://accounts.google.com/o/oauth2/v2/auth",
        scopes={"MAIL": "https://mail.google.com/", "CALDAV": "https://www.googleapis.com/auth/calendar"},
        more={"access_type": "offline", "prompt": "consent"},  # else Google gives no refresh token a second time
    ),
    "login.microsoftonline.com": Provider(
        page=f"{_MICROSOFT}/authorize",
        scopes={
            "MAIL": "https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send offline_access"
        },
        device=f"{_MICROSOFT}/devicecode",
        here="localhost",  # Microsoft lets the port differ for this name alone
    ),
}


class SignIn:
    """One account's way to a refresh token."""

    def __init__(
        self, prefix: str, values: Mapping[str, str], workshop: Workshop, pause: Pause = asyncio.sleep
    ) -> None:
        """Read the settings.

        Raises:
            RefusedError: They are not whole.
        """
        oauth.check(prefix, values)
        name = f"{prefix}_OAUTH"
        self._prefix, self._workshop, self._pause = prefix, workshop, pause
        self._given = values[f"{name}_REFRESH_TOKEN"].strip()
        self._token_url = values[f"{name}_URL"].strip()
        known = KNOWN.get(str(urlsplit(self._token_url).hostname), Provider(page="", scopes={}))
        self._provider = known
        self._page = values[f"{name}_SIGN_IN_URL"].strip() or known.page
        self._app = {"client_id": values[f"{name}_CLIENT"].strip()}
        self._secret = {"client_secret": found} if (found := values[f"{name}_CLIENT_SECRET"].strip()) else {}
        self._scope = values[f"{name}_SCOPE"].strip() or known.scopes.get(prefix, "")
        self._client = Client("The login service", secrets=list(self._secret.values()))

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()

    async def by_browser(self, show: Show, paste: Paste) -> oauth.Lasts:
        """Show a link, wait for the way back, and keep the refresh token.

        Args:
            show: Puts words before the operator.
            paste: Waits for the address of the page that did not load.

        Raises:
            RefusedError: The operator or the provider said no; the settings are not whole.
            TryLaterError: Nobody signed in in time, or the provider cannot be asked.
        """
        if not self._page:
            raise RefusedError(f"This provider's sign-in page is not known: set {self._prefix}_OAUTH_SIGN_IN_URL.")
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(64)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        async with WayBack(self._provider.here) as back:
            back.expect(state)
            asked = {
                **self._app, "response_type": "code", "redirect_uri": back.address, "state": state,
                "code_challenge": challenge, "code_challenge_method": "S256",
                **({"scope": self._scope} if self._scope else {}), **(self._provider.more or {}),
            }  # fmt: skip
            show(f"Open this page and sign in:\n\n  {self._page}?{urlencode(asked)}\n")
            show(OTHER_MACHINE)
            code = (await back.came(paste)).code
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back.address,
            "code_verifier": verifier,
        }
        return self._keep(await self._ask(self._token_url, {**form, **self._app, **self._secret}))

    async def by_code(self, show: Show, page: str = "") -> oauth.Lasts:
        """Show a short code to be typed elsewhere, ask until it was, and keep the refresh token.

        Args:
            show: Puts words before the operator.
            page: The provider's device endpoint, where it is not known.

        Raises:
            RefusedError, TryLaterError: As `by_browser`.
        """
        endpoint = page or self._provider.device
        if not endpoint:
            raise RefusedError("This provider gives no device codes for this. Sign in by browser, without --device.")
        given = await self._ask(endpoint, {**self._app, **({"scope": self._scope} if self._scope else {})})
        where = given.get("verification_uri") or given.get("verification_url")  # Google's spelling
        if not (where and given.get("user_code") and given.get("device_code")):
            raise RefusedError("The provider answered without a code. Check the address of its device endpoint.")
        show(f"Open {where} on any device and type:  {given['user_code']}")
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": str(given["device_code"]),
            **self._app, **self._secret,
        }  # fmt: skip
        every, waited = _number(given.get("interval"), ASK_S), 0.0
        lasts = min(WAIT_S, _number(given.get("expires_in"), WAIT_S))
        while waited < lasts:
            await self._pause(every)
            waited += every
            answer = await self._post(self._token_url, form)
            facts = oauth.facts_of(answer)
            match facts.get("error"):
                case "authorization_pending":
                    continue
                case "slow_down":
                    every += ASK_S  # RFC 8628, 3.5
                case None if answer.status < HTTPStatus.BAD_REQUEST:
                    return self._keep(facts)
                case _:
                    raise RefusedError(self._client.redact(_complaint(answer.status, facts)))
        raise TryLaterError("Nobody typed the code in time. Nothing was changed; begin again when you are ready.")

    # ── small parts ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _ask(self, url: str, form: Mapping[str, str]) -> Mapping[str, object]:
        answer = await self._post(url, form)
        facts = oauth.facts_of(answer)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise RefusedError(self._client.redact(_complaint(answer.status, facts)))
        return facts

    async def _post(self, url: str, form: Mapping[str, str]) -> Answer:
        also = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
        try:
            return await self._client.request("POST", url, form=form, also=also)
        except OutcomeUnknownError as error:
            raise TryLaterError(f"{error} Nothing was changed; begin again.") from None

    def _keep(self, facts: Mapping[str, object]) -> oauth.Lasts:
        token = facts.get("refresh_token")
        if not isinstance(token, str) or not token:
            raise RefusedError(
                "The provider let you in, and gave no refresh token. Remove Soloist from the apps of your account there, "
                f"or ask for offline access in {self._prefix}_OAUTH_SCOPE, and sign in again."
            )
        now = self._workshop.now()
        until = oauth.ends(facts, now)
        oauth.keep(oauth.note_of(self._workshop, self._prefix), self._given, token, until)
        return oauth.Lasts(oauth.ACCOUNTS[self._prefix], until, now)


def _complaint(status: int, facts: Mapping[str, object]) -> str:
    words = str(facts.get("error_description") or facts.get("error") or "no reason")[:300]
    return f"The provider answered {status}: {words}. Nothing was changed."


def _number(said: object, otherwise: float) -> float:
    text = str(said)
    return float(text[:6]) if text.isdecimal() and int(text) else otherwise
