"""Radicale, a real CalDAV server, in a process of its own on loopback; its ledger is its folder of files.

with radicale(tmp_path) as server:
    server.url, server.user, server.password
    server.kept()  # name of the file → iCalendar text
"""

import contextlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.counterparts.ports import free_port, listening

USER, PASSWORD = "anna", "open sesame 7"
COLLECTION = f"/{USER}/work/"
_MAKE = """<?xml version="1.0"?><mkcol xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop>
<resourcetype><collection/><C:calendar/></resourcetype><displayname>Work</displayname></prop></set></mkcol>"""


@dataclass
class Server:
    folder: Path
    url: str
    user: str = USER
    password: str = PASSWORD

    def kept(self) -> dict[str, str]:
        """What the server has on disk."""
        place = self.folder / "collection-root" / USER / "work"
        return {path.name: path.read_bytes().decode() for path in sorted(place.glob("*.ics"))}

    def put(self, name: str, text: str) -> None:
        """Somebody else writes an event."""
        answer = httpx.put(f"{self.url}{COLLECTION}{name}", content=text, auth=(USER, PASSWORD), trust_env=False)
        assert answer.is_success, answer.text

    def clear(self) -> None:
        for name in self.kept():
            httpx.delete(f"{self.url}{COLLECTION}{name}", auth=(USER, PASSWORD), trust_env=False)


@contextlib.contextmanager
def radicale(folder: Path):
    """Start radicale with one user and one calendar; ends that one process."""
    port = free_port()
    users = folder / "users"
    users.write_text(f"{USER}:{PASSWORD}\n")
    options = [
        f"--server-hosts=127.0.0.1:{port}", f"--storage-filesystem-folder={folder}", "--auth-type=htpasswd",
        f"--auth-htpasswd-filename={users}", "--auth-htpasswd-encryption=plain", "--auth-delay=0",
        "--logging-level=error",
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "radicale", "--config", "", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        listening(port, process, "radicale")
        server = Server(folder, f"http://127.0.0.1:{port}")
        made = httpx.request(
            "MKCOL", server.url + COLLECTION, content=_MAKE, auth=(USER, PASSWORD), trust_env=False, timeout=60
        )
        assert made.is_success, made.text
        yield server
    finally:
        process.terminate()
        process.wait()
