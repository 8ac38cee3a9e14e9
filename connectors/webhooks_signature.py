"""Who sent a webhook: a signature over its raw bytes, with a secret that only the two of us know. Pure.

Two ways are taken: Standard Webhooks (signed id and time: a copy older than five minutes is refused), and a plain
HMAC-SHA256 of the body, as form services sign it. A plain one says nothing of its age; a copy of it is the same body,
hence the same event id, hence one row in the inbox.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md (signature scheme),
https://www.typeform.com/developers/webhooks/secure-your-webhooks/, https://tally.so/help/webhooks,
https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from datetime import datetime

TOLERANCE_S = 300  # Standard Webhooks leaves the figure open; 5 minutes is what its libraries take
HEADER_MAX = 4_096
SIGNATURES_MAX = 20  # two during a rotation; more is noise

PLAIN = ("x-soloist-signature", "x-hub-signature-256", "x-signature-256", "typeform-signature", "tally-signature")

_ID = re.compile(r"[\x21-\x7e]{1,200}")


def verify(body: bytes, headers: Mapping[str, str], secrets: Iterable[str], now: datetime) -> str | None:
    """Return the event's id if the signature holds with one of the secrets, else None; nothing is ever raised.

    Args:
        body: The raw bytes.
        headers: By lower-case name.
        secrets: All that are valid now; two during a rotation.
        now: Aware time.

    Returns:
        The signed id of a Standard Webhook, or the digest of the body: what a copy cannot change.
    """
    keys = [_key(secret) for secret in secrets]
    if "webhook-signature" in headers:
        return _standard(body, headers, keys, now)
    given = next((headers[name] for name in PLAIN if name in headers), "")
    if not given or len(given) > HEADER_MAX:
        return None
    signature = _bytes(given.removeprefix("sha256=").strip())
    return f"sha256:{hashlib.sha256(body).hexdigest()}" if _holds(body, [signature], keys) else None


def _standard(body: bytes, headers: Mapping[str, str], keys: list[bytes], now: datetime) -> str | None:
    id_, stamp, given = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not _ID.fullmatch(id_) or not re.fullmatch(r"[0-9]{1,12}", stamp) or len(given) > HEADER_MAX:
        return None
    if abs(now.timestamp() - int(stamp)) > TOLERANCE_S:
        return None
    signatures = [_bytes(each[3:]) for each in given.split(" ")[:SIGNATURES_MAX] if each.startswith("v1,")]
    return id_ if _holds(f"{id_}.{stamp}.".encode() + body, signatures, keys) else None


def _holds(signed: bytes, signatures: list[bytes], keys: list[bytes]) -> bool:
    """Every pair is compared, none is left out early: how long it takes tells nothing."""
    expected = [hmac.new(key, signed, hashlib.sha256).digest() for key in keys]
    pairs = [hmac.compare_digest(one, other) for one in expected for other in signatures]
    return any(pairs)


def _bytes(text: str) -> bytes:
    """A digest in hex or base64; empty when it is neither, which no digest is equal to."""
    try:
        if re.fullmatch(r"[0-9a-fA-F]{64}", text):
            return bytes.fromhex(text)
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (ValueError, binascii.Error, UnicodeEncodeError):
        return b""


def _key(secret: str) -> bytes:
    """Standard Webhooks writes keys as ``whsec_`` and base64; everybody else takes the text itself."""
    if secret.startswith("whsec_"):
        try:
            return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except (ValueError, binascii.Error):
            pass
    return secret.encode()
