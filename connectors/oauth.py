"""OAuth 2: the short-lived access token that stands behind a refresh token, for whoever logs in with one.

A `Bearer` belongs to one account. It asks the provider's token endpoint when the token at hand is about to run out, or
when a service has turned it down, once for all who wait. A provider may hand out a new refresh token with an answer
and forget the old one (Microsoft does); the newest is kept in ``<home>/oauth/<account>.json``, readable by its owner
alone, beside the digest of the one in the settings: when the operator sets another, that one counts again. Without one in
the settings, the one counts that ``python -m bot sign-in`` has brought (``oauth_sign_in.py``).

Any connector may import this file, as it may `connectors.client`.

Source: RFC 6749, 5 and 6 (token endpoint); https://developers.google.com/identity/protocols/oauth2/web-server#offline,
https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from connectors.base import OutcomeUnknownError, RefusedError, Setting, TryLaterError, Workshop
from connectors.client import Answer, Client, Pause, Redactor
from connectors.durable import keep_note

EARLY = timedelta(seconds=60)  # a token that ends while a call is under way is no good
LASTS_S = 3_600  # where the provider does not say (RFC 6749, 5.1 only recommends that it does)
SOON = timedelta(days=7)  # before a sign-in ends it is asked to be renewed
ACCOUNTS = {"MAIL": "mail", "CALDAV": "calendar"}  # as the operator calls them
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def settings(prefix: str, what: str) -> tuple[Setting, ...]:
    """Return what the operator may set to log in with OAuth 2 instead of a password; ``prefix`` is like ``MAIL``."""
    return (
        Setting(f"{prefix}_OAUTH_REFRESH_TOKEN", f"OAuth 2 for {what}, instead of a password: the refresh token; empty: from python -m bot sign-in", secret=True),
        Setting(f"{prefix}_OAUTH_URL", f"OAuth 2 for {what}: the provider's token endpoint, such as https://oauth2.googleapis.com/token"),
        Setting(f"{prefix}_OAUTH_CLIENT", f"OAuth 2 for {what}: the client id of the app you registered there"),
        Setting(f"{prefix}_OAUTH_CLIENT_SECRET", f"OAuth 2 for {what}: its client secret, where it has one", secret=True),
        Setting(f"{prefix}_OAUTH_SCOPE", f"OAuth 2 for {what}: the scope to ask for, where the provider wants it named again"),
        Setting(f"{prefix}_OAUTH_SIGN_IN_URL", f"OAuth 2 for {what}: the provider's sign-in page; empty: known for Google and Microsoft"),
    )  # fmt: skip


class Bearer:
    """The right to act as one account, renewed when it runs out."""

    def __init__(
        self, prefix: str, values: Mapping[str, str], workshop: Workshop, pause: Pause = asyncio.sleep
    ) -> None:
        self._name = f"{prefix}_OAUTH"
        self._account = ACCOUNTS.get(prefix, prefix.lower())
        self._given = values[f"{self._name}_REFRESH_TOKEN"].strip()
        self._form = {
            "grant_type": "refresh_token",
            "client_id": values[f"{self._name}_CLIENT"].strip(),
            "client_secret": values[f"{self._name}_CLIENT_SECRET"].strip(),
            "scope": values[f"{self._name}_SCOPE"].strip(),
        }
        self._now = workshop.now
        self._note = _note(workshop.home, prefix)
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
        """Return the account's bearer, None when there is no refresh token: neither set, nor brought by signing in.

        Raises:
            RefusedError: The settings make no sense, or would send the refresh token in the clear.
        """
        name = f"{prefix}_OAUTH"
        given = values[f"{name}_REFRESH_TOKEN"].strip()
        if not given and not _kept(_note(workshop.home, prefix), given):
            return None
        check(prefix, values)
        return cls(prefix, values, workshop, pause)

    def lasts(self) -> Lasts:
        """Return until when the refresh token holds, as far as the provider has said so."""
        kept = _read(self._note, self._given)
        until = datetime.fromisoformat(str(kept["until"])) if kept.get("until") else None
        return Lasts(self._account, until, self._now())

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
        facts = facts_of(answer)
        token = facts.get("access_token")
        if answer.status in no or not isinstance(token, str) or not token:
            raise RefusedError(self.redact(self._complaint(answer.status, facts)))
        lasts = str(facts.get("expires_in"))  # some providers send the number as text; RFC 6749 wants a number
        seconds = int(lasts[:8]) if lasts.isdecimal() else LASTS_S
        self._token, self._until = token, self._now() + timedelta(seconds=seconds) - EARLY
        newer = facts.get("refresh_token")
        until = ends(facts, self._now())
        if isinstance(newer, str) and newer and newer != self._refresh:
            self._refresh = newer
            keep(self._note, self._given, newer, until)
        elif until:
            keep(self._note, self._given, self._refresh, until)

    def _complaint(self, status: int, facts: Mapping[str, object]) -> str:
        error, words = str(facts.get("error") or ""), str(facts.get("error_description") or "")
        if error == "invalid_grant":
            return (
                f"The provider no longer takes the refresh token ({words or error}). Sign in anew: python -m bot sign-in "
                f"{self._account}, or set {self._name}_REFRESH_TOKEN."
            )
        if error in {"invalid_client", "unauthorized_client"}:
            return (
                f"The provider does not know the app ({words or error}). Check {self._name}_CLIENT and "
                f"{self._name}_CLIENT_SECRET."
            )
        said = words or error or "no token and no reason"
        return f"The token endpoint answered {status}: {said[:300]}. Check {self._name}_URL and {self._name}_SCOPE."


@dataclass(frozen=True)
class Lasts:
    """Until when a sign-in holds."""

    account: str  # as ``python -m bot sign-in`` takes it
    until: datetime | None  # None: the provider has named no end
    now: datetime

    @property
    def soon(self) -> bool:
        """Whether it is time to sign in again."""
        return self.until is not None and self.until - self.now < SOON

    def __str__(self) -> str:
        if self.until is None:
            return ""
        return f"The sign-in ends on {self.until:%d %B %Y}; renew it before: python -m bot sign-in {self.account}."


def check(prefix: str, values: Mapping[str, str]) -> None:
    """Refuse settings that are not whole, or would send a token in the clear.

    Raises:
        RefusedError: The message says which setting, and why.
    """
    name = f"{prefix}_OAUTH"
    parts = urlsplit(values[f"{name}_URL"].strip())
    if not parts.hostname or not values[f"{name}_CLIENT"].strip():
        raise RefusedError(
            f"To log in with OAuth 2, {name}_URL (the token endpoint, such as https://oauth2.googleapis.com/token) and "
            f"{name}_CLIENT (the id of the app you registered with the provider) are needed."
        )
    for setting in (f"{name}_URL", f"{name}_SIGN_IN_URL"):
        there = urlsplit(values.get(setting, "").strip())
        if there.hostname and there.scheme != "https" and there.hostname not in LOOPBACK:
            raise RefusedError(f"{setting} must begin with https://, or the refresh token would travel in the clear.")


def oauthbearer(user: str, host: str, port: int, token: str) -> bytes:
    """Return what a client says by SASL's OAUTHBEARER (RFC 7628, 3.1)."""
    name = user.replace("=", "=3D").replace(",", "=2C")
    return f"n,a={name},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01".encode()


def ends(facts: Mapping[str, object], now: datetime) -> datetime | None:
    """Return when the refresh token of an answer ends, None where the provider does not say."""
    lasts = str(facts.get("refresh_token_expires_in"))
    return now + timedelta(seconds=int(lasts[:10])) if lasts.isdecimal() and int(lasts) else None


def note_of(workshop: Workshop, prefix: str) -> Path:
    """Return where the newest refresh token of an account is kept."""
    return _note(workshop.home, prefix)


def facts_of(answer: Answer) -> Mapping[str, object]:
    """Return a token endpoint's JSON, empty when it is none."""
    try:
        found = json.loads(answer.content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _note(home: Path, prefix: str) -> Path:
    return home / "oauth" / f"{prefix.lower()}.json"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _read(note: Path, given: str) -> Mapping[str, object]:
    try:
        found = json.loads(note.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and found.get("of") == _digest(given) else {}


def _kept(note: Path, given: str) -> str:
    """Return the refresh token that followed the one in the settings, "" when there is none."""
    return str(_read(note, given).get("refresh_token", ""))


def keep(note: Path, given: str, newest: str, until: datetime | None = None) -> None:
    """Write the newest refresh token so that after a power cut it is there whole: without it nobody could log in.

    Args:
        note: See `note_of`.
        given: The one in the settings, as long as which the newest counts.
        newest: The one to use from now on.
        until: When it ends, where the provider says so.
    """
    keep_note(note, {"of": _digest(given), "refresh_token": newest, **({"until": until.isoformat()} if until else {})})
