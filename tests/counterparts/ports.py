"""Ports of this machine: one that is ours to listen on, and waiting until a counterpart listens.

port = free_port()
process = subprocess.Popen([..., str(port)])
listening(port, process, "radicale")
"""

from __future__ import annotations

import contextlib
import random
import socket
import subprocess
import time

# Below what Linux and macOS hand out for outgoing connections: such a connection would otherwise take the port between
# the question and the answer, or between two servers of one test.
FIRST, LAST = 20_000, 32_000
START_S = 120.0  # a busy machine; usually a second
TRIES_MAX = 1_000

_held: list[socket.socket] = []


def free_port() -> int:
    """Return a TCP port that is this process's as long as it lives: no other test of any process is given it.

    The UDP port of the same number stands for it, and is held.
    """
    for port in random.SystemRandom().sample(range(FIRST, LAST), TRIES_MAX):
        token = socket.socket(type=socket.SOCK_DGRAM)
        try:
            token.bind(("127.0.0.1", port))
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            token.close()
            continue
        _held.append(token)
        return port
    raise AssertionError(f"None of {TRIES_MAX} ports from {FIRST} to {LAST} is free on this machine.")


def listening(port: int, process: subprocess.Popen[bytes], name: str) -> None:
    """Wait until somebody listens on the port; raises AssertionError when the process ends first, or takes too long."""
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        assert process.poll() is None, f"{name} did not start"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(f"{name} did not listen on {port} within {START_S:.0f} s")
