"""A provider's token endpoint on loopback, in a thread of its own, with a ledger of the tokens it handed out.

    with provider() as login:
        login.url, login.introspection  # for a client, and for a server that asks whether a token is good (RFC 7662)
        login.revoke()                  # every access token ends before its time
        login.rotates = True            # each answer carries a new refresh token, and the old one is void

A person signs in at ``login.page`` (RFC 6749, 4.1 with RFC 7636), or types a code that ``login.device`` gave out (RFC 8628)::

    login.answers = {"error": "access_denied"}  # the person says no
    login.typed.add(user_code)                  # the person types the code

It is as strict as RFC 6749 lets it be: an unknown client, grant or refresh token is an error in the RFC's own words.
"""

import base64
import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT, SECRET, REFRESH = "soloist-app", "app-secret-5521", "refresh-token-first-77"


@dataclass
class Provider:
    """What the endpoint knows, and what it was asked."""

    url: str = ""
    introspection: str = ""
    page: str = ""
    device: str = ""
    answers: dict[str, str] = field(default_factory=dict)  # said in the way back instead of a code
    codes: dict[str, dict[str, str]] = field(default_factory=dict)  # code → what the page was asked with
    devices: dict[str, str] = field(default_factory=dict)  # device code → user code
    typed: set[str] = field(default_factory=set)
    slow: int = 0  # so many questions are answered with slow_down
    keeps_s: int = 0  # how long a refresh token holds; 0: it does not say
    no_refresh: bool = False
    user: str = "anna@berg.example"
    refresh: str = REFRESH
    rotates: bool = False
    lasts_s: object = 3_600
    status: int = 200  # another one is answered instead
    good: set[str] = field(default_factory=set)  # access tokens in force
    issued: list[str] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)

    def revoke(self) -> None:
        self.good.clear()

    def token(self, form: dict[str, str]) -> tuple[int, dict[str, object]]:
        self.asked.append(form)
        if self.status != 200:
            return self.status, {"error": "temporarily_unavailable"}
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client", "error_description": "unknown app"}
        if form.get("grant_type") == "authorization_code":
            return self._by_code(form)
        if form.get("grant_type") == "urn:ietf:params:oauth:grant-type:device_code":
            return self._by_device(form)
        if form.get("grant_type") != "refresh_token":
            return 400, {"error": "unsupported_grant_type"}
        if form.get("refresh_token") != self.refresh:
            return 400, {"error": "invalid_grant", "error_description": f"revoked: {form.get('refresh_token')}"}
        return self._given(rotates=self.rotates)

    def asked_page(self, query: dict[str, str]) -> str:
        """A browser opens the page, and the person signs in; returns where it is sent."""
        assert (query["client_id"], query["response_type"], query["code_challenge_method"]) == (CLIENT, "code", "S256")
        back = query["redirect_uri"]
        assert back.startswith(("http://127.0.0.1:", "http://localhost:")), back
        code = f"code-{len(self.codes) + 1}"
        self.codes[code] = query
        return f"{back}?{urlencode({'state': query['state'], **(self.answers or {'code': code})})}"

    def _by_code(self, form: dict[str, str]) -> tuple[int, dict[str, object]]:
        query = self.codes.pop(form.get("code", ""), None)  # a code is good once
        proof = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=")
        if (
            query is None
            or query["redirect_uri"] != form.get("redirect_uri")
            or query["code_challenge"] != proof.decode()
        ):
            return 400, {"error": "invalid_grant", "error_description": "no such code"}
        return self._given(rotates=True)

    def asked_device(self, form: dict[str, str]) -> tuple[int, dict[str, object]]:
        if form.get("client_id") != CLIENT:
            return 401, {"error": "invalid_client"}
        number = len(self.devices) + 1
        self.devices[f"device-{number}"] = f"ABCD-{number:04d}"
        return 200, {
            "device_code": f"device-{number}", "user_code": f"ABCD-{number:04d}", "interval": 5, "expires_in": 60,
            "verification_uri": "https://login.example/device",
        }  # fmt: skip

    def _by_device(self, form: dict[str, str]) -> tuple[int, dict[str, object]]:
        if self.answers:
            return 400, dict(self.answers)
        if self.slow:
            self.slow -= 1
            return 400, {"error": "slow_down"}
        if self.devices.get(form.get("device_code", "")) not in self.typed:
            return 400, {"error": "authorization_pending"}
        return self._given(rotates=True)

    def _given(self, *, rotates: bool) -> tuple[int, dict[str, object]]:
        made = f"access-token-{len(self.issued) + 1:04d}-secret"
        self.issued.append(made)
        self.good.add(made)
        answer: dict[str, object] = {"access_token": made, "token_type": "Bearer", "expires_in": self.lasts_s}
        if self.keeps_s:
            answer["refresh_token_expires_in"] = self.keeps_s
        if rotates and not self.no_refresh:
            self.refresh = f"refresh-token-{len(self.issued) + 1:04d}"
            answer["refresh_token"] = self.refresh
        return 200, answer

    def known(self, token: str) -> bool:
        return token in self.good


@contextlib.contextmanager
def provider() -> Iterator[Provider]:
    """Serve one provider."""
    made = Provider()

    class Desk(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            self.send_response(302)
            self.send_header("Location", made.asked_page(query))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            if self.path == "/token":
                status, answer = made.token(form)
            elif self.path == "/device":
                status, answer = made.asked_device(form)
            else:
                ok = made.known(form.get("token", ""))
                status, answer = 200, {"active": ok, "email": made.user} if ok else {"active": False}
            words = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(words)))
            self.end_headers()
            self.wfile.write(words)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
    base = f"http://127.0.0.1:{server.server_address[1]}"
    made.url, made.introspection = f"{base}/token", f"{base}/introspect"
    made.page, made.device = f"{base}/authorize", f"{base}/device"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
