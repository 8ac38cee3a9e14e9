"""OAuth 2: the short-lived access token that stands behind a refresh token, for whoever logs in with one.

A `Bearer` belongs to one account. It asks the provider's token endpoint when the token at hand is about to run out, or
when a service has turned it down, once for all who wait. A provider may hand out a new refresh token with an answer
and forget the old one (Microsoft does); the newest is kept in ``<home>/oauth/<account>.json``, readable by its owner
alone, beside the digest of the one in the settings: when the operator sets another, that one counts again.

Any connector may import this file, as it may `connectors.client`.

Source: RFC 6749, 5 and 6 (token endpoint); https://developers.google.com/identity/protocols/oauth2/web-server#offline,
https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from connectors.base import OutcomeUnknownError, RefusedError, Setting, TryLaterError, Workshop
from connectors.client import Answer, Client, Pause, Redactor

EARLY = timedelta(seconds=60)  # a token that ends while a call is under way is no good
LASTS_S = 3_600  # where the provider does not say (RFC 6749, 5.1 only recommends that it does)
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def settings(prefix: str, what: str) -> tuple[Setting, ...]:
    """Return what the operator may set to log in with OAuth 2 instead of a password; ``prefix`` is like ``MAIL``."""
    return (
        Setting(f"{prefix}_OAUTH_REFRESH_TOKEN", f"OAuth 2 for {what}, instead of a password: the refresh token", secret=True),
        Setting(f"{prefix}_OAUTH_URL", f"OAuth 2 for {what}: the provider's token endpoint, such as https://oauth2.googleapis.com/token"),
        Setting(f"{prefix}_OAUTH_CLIENT", f"OAuth 2 for {what}: the client id of the app you registered there"),
        Setting(f"{prefix}_OAUTH_CLIENT_SECRET", f"OAuth 2 for {what}: its client secret, where it has one", secret=True),
        Setting(f"{prefix}_OAUTH_SCOPE", f"OAuth 2 for {what}: the scope to ask for, where the provider wants it named again"),
    )  # fmt: skip


class Bearer:
    """The right to act as one account, renewed when it runs out."""

    def __init__(
        self, prefix: str, values: Mapping[str, str], workshop: Workshop, pause: Pause = asyncio.sleep
    ) -> None:
        self._name = f"{prefix}_OAUTH"
        self._given = values[f"{self._name}_REFRESH_TOKEN"].strip()
        self._form = {
            "grant_type": "refresh_token",
            "client_id": values[f"{self._name}_CLIENT"].strip(),
            "client_secret": values[f"{self._name}_CLIENT_SECRET"].strip(),
            "scope": values[f"{self._name}_SCOPE"].strip(),
        }
        self._now = workshop.now
        self._note = workshop.home / "oauth" / f"{prefix.lower()}.json"
        self._url = values[f"{self._name}_URL"].strip()
        self._client = Client("The login service", pause=pause)
        self._door = asyncio.Lock()
        self._token = ""
        self._until: datetime | None = None
        self._refresh = _kept(self._note, self._given) or self._given

    @classmethod
    def of(
        cls, prefix: str, values: Mapping[str, str], workshop: Workshop, pause: Pause = asyncio.sleep
    ) -> Bearer | None:
        """Return the account's bearer, None when no refresh token is set.

        Raises:
            RefusedError: The settings make no sense, or would send the refresh token in the clear.
        """
        name = f"{prefix}_OAUTH"
        if not values[f"{name}_REFRESH_TOKEN"].strip():
            return None
        parts = urlsplit(values[f"{name}_URL"].strip())
        if not parts.hostname or not values[f"{name}_CLIENT"].strip():
            raise RefusedError(f"{name}_REFRESH_TOKEN is set; {name}_URL and {name}_CLIENT are needed as well.")
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise RefusedError(f"{name}_URL must begin with https://, or the refresh token would travel in the clear.")
        return cls(prefix, values, workshop, pause)

    def redact(self, text: str) -> str:
        """Return the text without any token of this account, the renewed ones too."""
        return Redactor([self._given, self._refresh, self._token, self._form["client_secret"]])(text)

    async def token(self, refused: str = "") -> str:
        """Return an access token that is good for now.

        Args:
            refused: One that a service has just turned down; a newer one is wanted.

        Raises:
            RefusedError: The provider no longer takes the refresh token; the operator signs in anew.
            TryLaterError: The token endpoint cannot be asked now.
        """
        async with self._door:
            if not self._token or self._token == refused or (self._until and self._now() >= self._until):
                await self._renew()
            return self._token

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()

    async def _renew(self) -> None:
        form = {name: value for name, value in {**self._form, "refresh_token": self._refresh}.items() if value}
        no = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED)
        try:
            answer = await self._client.request("POST", self._url, form=form, repeatable=True, also=no)
        except OutcomeUnknownError as error:
            raise TryLaterError(self.redact(str(error))) from None  # a token nobody received does nothing
        except (RefusedError, TryLaterError) as error:
            raise type(error)(self.redact(str(error))) from None
        facts = _facts(answer)
        token = facts.get("access_token")
        if answer.status in no or not isinstance(token, str) or not token:
            raise RefusedError(self.redact(self._complaint(answer.status, facts)))
        lasts = str(facts.get("expires_in"))  # some providers send the number as text; RFC 6749 wants a number
        seconds = int(lasts[:8]) if lasts.isdecimal() else LASTS_S
        self._token, self._until = token, self._now() + timedelta(seconds=seconds) - EARLY
        newer = facts.get("refresh_token")
        if isinstance(newer, str) and newer and newer != self._refresh:
            self._refresh = newer
            _keep(self._note, self._given, newer)

    def _complaint(self, status: int, facts: Mapping[str, object]) -> str:
        error, words = str(facts.get("error") or ""), str(facts.get("error_description") or "")
        if error == "invalid_grant":
            return (
                f"The provider no longer takes the refresh token ({words or error}). Sign in there anew and set "
                f"{self._name}_REFRESH_TOKEN."
            )
        if error in {"invalid_client", "unauthorized_client"}:
            return (
                f"The provider does not know the app ({words or error}). Check {self._name}_CLIENT and "
                f"{self._name}_CLIENT_SECRET."
            )
        said = words or error or "no token and no reason"
        return f"The token endpoint answered {status}: {said[:300]}. Check {self._name}_URL and {self._name}_SCOPE."


def _facts(answer: Answer) -> Mapping[str, object]:
    try:
        found = json.loads(answer.content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _kept(note: Path, given: str) -> str:
    """Return the refresh token that followed the one in the settings, "" when there is none."""
    try:
        found = json.loads(note.read_bytes())
    except (OSError, ValueError):
        return ""
    return str(found.get("refresh_token", "")) if isinstance(found, dict) and found.get("of") == _digest(given) else ""


def _keep(note: Path, given: str, newest: str) -> None:
    """Write the newest refresh token so that after a power cut it is there whole: without it nobody could log in."""
    try:
        note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = note.with_suffix(".part")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
            json.dump({"of": _digest(given), "refresh_token": newest}, out)
            out.flush()
            os.fsync(out.fileno())
        beside.replace(note)
    except OSError as error:
        # The token at hand works until the next start; then the operator has to sign in, and this says why.
        raise TryLaterError(f"{note} cannot be written ({error.strerror}). Make room for it.") from None
