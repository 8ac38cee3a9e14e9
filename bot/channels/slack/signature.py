"""Is this request Slack's? docs.slack.dev/authentication/verifying-requests-from-slack. Pure.

Written here because the library's verifier raises on most malformed input, and whoever is not Slack must get 401,
whatever they send. A request that is replayed inside the window verifies again: the event id makes it harmless.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping

from bot.channels.slack.limits import SIGNATURE_AGE_MAX_S

STAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
SIGNATURE = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)


def sign(secret: str, stamp: str, body: bytes) -> str:
    """Return the signature Slack would send."""
    return "v0=" + hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()


def headers_hold(headers: Mapping[str, str], now: float) -> bool:
    """Whether time and signature have the right form and the time is near. Asked before the body is read."""
    stamp = headers.get("X-Slack-Request-Timestamp", "")
    if not STAMP.fullmatch(stamp) or not SIGNATURE.fullmatch(headers.get("X-Slack-Signature", "")):
        return False
    return abs(now - int(stamp)) <= SIGNATURE_AGE_MAX_S


def genuine(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> bool:
    """Whether Slack signed this body with this secret, less than five minutes ago. An empty secret: never."""
    if not secret or not headers_hold(headers, now):
        return False
    expected = sign(secret, headers["X-Slack-Request-Timestamp"], body)
    return hmac.compare_digest(expected, headers["X-Slack-Signature"])
