"""Who gets into the console. Everything here is checked before anything else looks at a request.

1. The Host header must be a name of ours: a foreign name that resolves to this machine (DNS rebinding) is turned away.
2. A request that could change something, and the socket, must come from our own page: its Origin is its Host.
3. The cookie must be there. It is made once, from the key in the printed link, by a redirect that drops the key from
   the address bar; it is derived from the key, not the key, and a new key makes every old cookie worthless.

The cookie is HttpOnly and SameSite=Strict. Ports of one machine share cookies and count as one site, hence rule 2 and
the port in the cookie's name.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from aiohttp import web

KEY_MIN = 16  # characters; what `python -m bot run` makes has 43
COOKIE_DAYS = 30
HOST_SHAPE = re.compile(r"[A-Za-z0-9.\-\[\]:]{1,255}")  # nothing that could end a directive of the policy below

STYLE = (
    "body{font:16px/1.6 -apple-system,'Segoe UI',Roboto,Arial,sans-serif;background:#f6f5f1;color:#1f2421;"
    "display:grid;place-items:center;min-height:90vh;margin:0 24px}main{max-width:30rem}h1{font-size:1.3rem}"
    "code{background:#e9e7df;border-radius:6px;padding:2px 6px}"
    "@media(prefers-color-scheme:dark){body{background:#151816;color:#e6e8e4}code{background:#2a2f2c}}"
)
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()


class OpenDoorError(Exception):
    """The console would be open to anybody who can reach it."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"The console will not listen on {host!r} without a key of at least {KEY_MIN} characters: anybody who "
            "reaches it could approve payments. Give it a key, or let Soloist make one."
        )


class Door:
    """The checks, for one host, port and key."""

    def __init__(self, host: str, key: str, names: Sequence[str] = ()) -> None:
        if len(key) < KEY_MIN:
            raise OpenDoorError(host)
        self._key = key.encode()
        self._token = hmac.new(self._key, b"soloist console cookie 1", hashlib.sha256).hexdigest()
        self._names = {"localhost", "127.0.0.1", "::1", host.lower(), *(name.lower() for name in names)}
        # Bound to every address, any of the machine's own may be used; rebinding needs a name, and those are listed.
        self._any_address = host in {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound

    def refusal(self, request: web.Request) -> web.Response | None:
        """Return the answer to a request that must not come in, or None when it may."""
        if not self._is_ours(request.headers.get("Host", "")):
            return _sentence(403, "This address is not one of Soloist's names. Open the link that Soloist printed.")
        if not _from_own_page(request):
            return _sentence(403, "This request came from another page. Only the console itself may do that.")
        if not self.has_cookie(request):
            return _locked(request)
        return None

    def is_opened_by(self, request: web.Request) -> bool:
        """Whether the request brings the key of the printed link, under a name of ours."""
        key = request.query.get("key", "")
        # Takes as long for a near miss as for a far one.
        matches = hmac.compare_digest(key.encode(errors="replace"), self._key)
        return matches and self._is_ours(request.headers.get("Host", ""))

    def has_cookie(self, request: web.Request) -> bool:
        """Whether the request carries the cookie."""
        found = request.cookies.get(cookie_name(request), "")
        return hmac.compare_digest(found.encode(errors="replace"), self._token.encode())

    def welcome(self, request: web.Request) -> web.Response:
        """Return the redirect that turns the key into the cookie and drops it from the address."""
        answer = web.Response(status=303, headers={"Location": "/"})
        answer.set_cookie(
            cookie_name(request),
            self._token,
            max_age=COOKIE_DAYS * 86_400,
            httponly=True,
            samesite="Strict",
            secure=request.secure,
            path="/",
        )
        return answer

    def _is_ours(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        if name in self._names:
            return True
        return self._any_address and _is_address(name)


def cookie_name(request: web.Request) -> str:
    """``soloist_8765``: two Soloists on one machine must not take each other's cookie."""
    port = request.transport.get_extra_info("sockname")[1] if request.transport else 0
    return f"soloist_{port}"


def harden(request: web.Request, answer: web.StreamResponse) -> None:
    """Put on every answer what keeps a browser from doing more with it than we mean."""
    host = request.headers.get("Host", "")
    sockets = f" ws://{host} wss://{host}" if HOST_SHAPE.fullmatch(host) else ""
    for name, value in {
        # No inline script, nothing from elsewhere, and no way to turn a string into markup (trusted types).
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            f"connect-src 'self'{sockets}; form-action 'none'; base-uri 'none'; "
            "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
        ),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cache-Control": "no-store",
    }.items():
        answer.headers.setdefault(name, value)


def _from_own_page(request: web.Request) -> bool:
    origin = request.headers.get("Origin")
    if origin is None:
        # Browsers send it with every POST and every socket; whoever leaves it out is not our page.
        return request.method in {"GET", "HEAD"} and "Upgrade" not in request.headers
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and parts.netloc.lower() == request.headers.get("Host", "").lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _sentence(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text + "\n")


def _locked(request: web.Request) -> web.Response:
    """401 in words. A strict cookie is not sent along when a link in a mail led here, so such a page asks once more."""
    headers = {
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; frame-ancestors 'none'"
    }
    if request.path == "/" and request.headers.get("Sec-Fetch-Site") == "cross-site":
        headers["Refresh"] = "0; url=/"
    page = (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>Soloist</title><style>{STYLE}</style><main><h1>This console is locked</h1>"
        "<p>Open the link that Soloist printed when it started. It ends in <code>/?key=…</code> and signs this browser "
        "in for 30 days.</p><p>Lost it? Stop Soloist and start it again: the link is printed each time.</p></main>"
    )
    return web.Response(status=401, text=page, content_type="text/html", headers=headers)
