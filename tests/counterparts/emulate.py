"""Stripe on loopback a second time: npm's emulate, for checkouts, payment intents and charges.

It keeps the books of who paid what and signs its webhooks as Stripe does. It has no payment links, no refunds and no
idempotency: the front in ``stripe.py`` stands before it, as it does before localstripe. Its events come without an id
and a time, which Stripe's have; `enveloped` adds them, and only to an event whose signature holds.

Set up once with ``npm ci`` in this folder. Where Node or the package is missing, `missing` says what to do.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.counterparts.ports import free_port, listening

FOLDER = Path(__file__).parent
SERVER = FOLDER / "node_modules" / "emulate" / "dist" / "index.js"


def missing() -> str:
    """Return why there can be no server, or an empty string."""
    if shutil.which("node") is None:
        return "Node.js 20 is not installed, and emulate needs it"
    if not SERVER.exists():
        return "emulate is not set up: run 'npm ci' in tests/counterparts"
    return ""


@contextlib.contextmanager
def emulated(folder: Path, hook: str, secret: str) -> Iterator[str]:
    """Start emulate's Stripe; yields its address, ends that one process.

    Args:
        folder: Where its seed is written.
        hook: Where every event is sent, signed.
        secret: With which.
    """
    port = free_port()
    seed = folder / "emulate.json"
    seed.write_text(json.dumps({"stripe": {"webhooks": [{"url": hook, "events": ["*"], "secret": secret}]}}))
    command = ["node", "--require", str(FOLDER / "emulate_loopback.cjs"), str(SERVER)]
    process = subprocess.Popen(
        [*command, "start", "--service", "stripe", "--port", str(port), "--seed", str(seed)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        listening(port, process, "emulate")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def enveloped(body: bytes, signature: str, secret: str) -> tuple[bytes, str]:
    """Return an event as Stripe sends it, signed anew, from one of emulate's.

    Raises:
        AssertionError: Emulate did not sign it.
    """
    fields = dict(part.split("=", 1) for part in signature.split(","))
    assert hmac.compare_digest(fields["v1"], _signed(fields["t"], body, secret)), "emulate did not sign this"
    event = json.loads(body)
    whole = {
        "id": f"evt_{hashlib.sha256(body).hexdigest()[:24]}",
        "object": "event",
        "created": int(fields["t"]),
        **event,
    }
    sent = json.dumps(whole).encode()
    return sent, f"t={fields['t']},v1={_signed(fields['t'], sent, secret)}"


def _signed(stamp: str, body: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
