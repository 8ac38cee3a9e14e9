"""A provider's token endpoint on loopback, in a thread of its own, with a ledger of the tokens it handed out.

    with provider() as login:
        login.url, login.introspection  # for a client, and for a server that asks whether a token is good (RFC 7662)
        login.revoke()                  # every access token ends before its time
        login.rotates = True            # each answer carries a new refresh token, and the old one is void

It is as strict as RFC 6749 lets it be: an unknown client, grant or refresh token is an error in the RFC's own words.
"""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

CLIENT, SECRET, REFRESH = "soloist-app", "app-secret-5521", "refresh-token-first-77"


@dataclass
class Provider:
    """What the endpoint knows, and what it was asked."""

    url: str = ""
    introspection: str = ""
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
        if form.get("grant_type") != "refresh_token":
            return 400, {"error": "unsupported_grant_type"}
        if form.get("refresh_token") != self.refresh:
            return 400, {"error": "invalid_grant", "error_description": f"revoked: {form.get('refresh_token')}"}
        made = f"access-token-{len(self.issued) + 1:04d}-secret"
        self.issued.append(made)
        self.good.add(made)
        answer: dict[str, object] = {"access_token": made, "token_type": "Bearer", "expires_in": self.lasts_s}
        if self.rotates:
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
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            if self.path == "/token":
                status, answer = made.token(form)
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
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
