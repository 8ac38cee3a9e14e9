"""A web server on loopback with pages as they come, and TLS if wanted.

async with site({"/": page("<p>Hello")}) as it:
    it.url
"""

import contextlib
import ipaddress
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass
class Site:
    pages: dict = field(default_factory=dict)
    url: str = ""
    port: int = 0
    seen: list = field(default_factory=list)  # (path, Host, headers)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.path, request.headers.get("Host", ""), dict(request.headers)))
        found = self.pages.get(request.path)
        if found is None:
            return web.Response(status=404, text="nothing here")
        if callable(found):
            return await found(request)
        body, headers, status = found
        return web.Response(body=body, headers=headers, status=status)


def page(body: bytes | str, kind: str = "text/html; charset=utf-8", status: int = 200, **headers: str):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return (body.encode() if isinstance(body, str) else body, {"Content-Type": kind, **named}, status)


def to(location: str, status: int = 302):
    return (b"", {"Location": location}, status)


@contextlib.asynccontextmanager
async def site(pages: dict, tls: ssl.SSLContext | None = None):
    it = Site(pages)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", it.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    it.port = runner.addresses[0][1]
    it.url = f"http{'s' if tls else ''}://127.0.0.1:{it.port}"
    try:
        yield it
    finally:
        await runner.cleanup()


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the server's context for a certificate on this name, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    try:
        names: list = [x509.IPAddress(ipaddress.ip_address(name))]
    except ValueError:
        names = [x509.DNSName(name)]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "site.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    client = ssl.create_default_context(cafile=str(path))
    return server, client
