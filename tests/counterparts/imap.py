"""A real IMAP server (Debian's Dovecot) on loopback, as root or not, from a folder of its own; no system file is used.

    with dovecot() as server:
        server.deliver(b"Subject: x\\r\\n\\r\\nHello")
        ... "127.0.0.1", server.port, server.user, server.password

One process group with one master; ``stop`` ends exactly that master by its pid. Mail lies in a Maildir, so a test can
put a message into the mailbox as a delivery agent would, and look at what is there.
"""

import contextlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from imaplib import IMAP4
from pathlib import Path

import pytest

from tests.counterparts.ports import START_S, free_port

USER, PASSWORD = "anna@berg.example", "loopback-password"

CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_login_user = {login_user}
default_internal_user = {internal_user}
default_internal_group = {internal_group}
mail_location = maildir:{folder}/mail
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 0
first_valid_gid = 0
mail_max_userip_connections = 50
auth_mechanisms = plain login{more}
{tokens}
passdb {{
  driver = static
  mechanisms = plain login
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
auth_failure_delay = 0
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Sent {{
    auto = create
  }}
  mailbox Drafts {{
    auto = create
  }}
  mailbox Archive {{
    auto = create
  }}
}}
"""

TOKENS = """
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {folder}/oauth2.conf
}}
"""
# Dovecot asks the provider whether a token is good, and whose it is (RFC 7662).
ASKS = """
introspection_mode = post
introspection_url = {url}
username_attribute = email
active_attribute = active
active_value = true
"""


@dataclass
class Dovecot:
    """The server and its mailbox."""

    folder: Path
    port: int
    user: str = USER
    password: str = PASSWORD
    process: subprocess.Popen | None = None
    counter: int = field(default=0)

    def deliver(self, raw: bytes, folder: str = "INBOX") -> None:
        """Put a message into a folder by IMAP, as another program would."""
        with self.session() as imap:
            kind, answer = imap.append(folder, "", "", raw)
            assert kind == "OK", answer

    def messages(self, folder: str) -> list[bytes]:
        """Return all messages of a folder."""
        with self.session() as imap:
            imap.select(folder, readonly=True)
            _, found = imap.search(None, "ALL")
            return [imap.fetch(number, "(BODY.PEEK[])")[1][0][1] for number in found[0].decode().split()]

    def flags(self, folder: str) -> list[bytes]:
        with self.session() as imap:
            imap.select(folder, readonly=True)
            _, found = imap.search(None, "ALL")
            return [imap.fetch(number, "(FLAGS)")[1][0] for number in found[0].decode().split()]

    def renumber(self) -> None:
        """Give the inbox a new UIDVALIDITY, as a server does after repairs: its index is lost, its messages are not."""
        uids = self.folder / "mail" / "dovecot-uidlist"
        head, _, rest = uids.read_text().partition("\n")
        uids.write_text(re.sub(r"\bV(\d+)", lambda v: f"V{int(v[1]) + 1000}", head) + "\n" + rest)
        for path in (self.folder / "mail").glob("dovecot.index*"):
            path.unlink()

    @contextlib.contextmanager
    def session(self) -> Iterator[IMAP4]:
        imap = IMAP4("127.0.0.1", self.port, timeout=60)
        imap.login(self.user, self.password)
        try:
            yield imap
        finally:
            with contextlib.suppress(OSError, IMAP4.error):
                imap.logout()

    def start(self) -> None:
        self.process = subprocess.Popen(
            ["dovecot", "-F", "-c", str(self.folder / "dovecot.conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            with contextlib.suppress(OSError, IMAP4.error), self.session():
                return
            assert self.process.poll() is None, (self.folder / "dovecot.log").read_text()
            time.sleep(0.05)
        raise AssertionError((self.folder / "dovecot.log").read_text())

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()
            self.process = None


def dovecot_or_skip() -> None:
    if shutil.which("dovecot") is None:
        pytest.skip("Dovecot is not installed")


@contextlib.contextmanager
def dovecot(introspection: str = "") -> Iterator[Dovecot]:
    """Start a server whose everything lies in a fresh folder; stop it and remove the folder at the end.

    With ``introspection``, the address of a provider's, it takes OAuth 2 tokens as well.
    """
    dovecot_or_skip()
    port = free_port()
    root = os.geteuid() == 0
    # Dovecot never handles mail as root, so as root it does so as nobody, who must be able to walk to the folder.
    owner = pwd.getpwnam("nobody") if root else pwd.getpwuid(os.geteuid())
    folder = Path(tempfile.mkdtemp(prefix="dovecot-"))
    folder.chmod(0o755)
    for name in ("run", "state", "mail", "home"):
        (folder / name).mkdir()
    if root:
        for name in ("mail", "home"):
            os.chown(folder / name, owner.pw_uid, owner.pw_gid)
    (folder / "oauth2.conf").write_text(ASKS.format(url=introspection))
    (folder / "dovecot.conf").write_text(
        CONFIG.format(
            folder=folder,
            port=port,
            password=PASSWORD,
            more=" xoauth2 oauthbearer" if introspection else "",
            tokens=TOKENS.format(folder=folder) if introspection else "",
            uid=owner.pw_uid,
            gid=owner.pw_gid,
            login_user="dovenull" if root else owner.pw_name,
            internal_user="dovecot" if root else owner.pw_name,
            internal_group="dovecot" if root else owner.pw_name,
        )
    )
    server = Dovecot(folder, port)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
