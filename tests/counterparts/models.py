"""A model server on loopback: OpenAI's, Anthropic's and Ollama's formats, by npm's aimock, over real HTTP.

::

    with ModelServer.started() as server:
        server.says("Acme", "They owe 49.00.")  # when the task holds these words
        server.fails("limit", 429, retry_after_s=2)
        tiers = Tiers.read(server.settings())
        server.calls()  # what was asked, and what was answered

Set up once with ``npm ci`` in this folder. Where Node or the package is missing, `missing` says what to do and tests
are skipped with that reason.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

FOLDER = Path(__file__).parent
SERVER = FOLDER / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
QUIET = (
    # litellm looks at every field of a streamed chunk, pydantic's own among them. Gone when it no longer does.
    "ignore:Accessing the 'model_:DeprecationWarning",
)
"""For ``pytest.mark.filterwarnings``, wherever litellm really runs."""

START_S = 120.0  # a busy machine; usually 0.3 s


def missing() -> str:
    """Return why there can be no server, or an empty string."""
    if shutil.which("node") is None:
        return "Node.js 20 is not installed, and the model server needs it"
    if not SERVER.exists():
        return f"aimock is not set up: run 'npm ci' in tests/counterparts ({SERVER.name} is not there)"
    return ""


@dataclass(frozen=True)
class Call:
    """One request that arrived: where, what, and the status it was answered with (0: cut off)."""

    path: str
    body: dict[str, Any]
    status: int

    @property
    def text(self) -> str:
        """All the messages' words, one after the other."""
        return "\n".join(_words(message["content"]) for message in self.body["messages"])


class ModelServer:
    """One running server. What it says is decided by the last message's words; the first that fits wins."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=f"{url}/__aimock", timeout=10, trust_env=False)

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[ModelServer]:
        """Start it on a free port of 127.0.0.1 and stop it at the end.

        Raises:
            RuntimeError: It did not come up; its own words are the message.
        """
        script = FOLDER / "models.json"  # empty: tests say what they want while it runs
        command = ["node", str(SERVER), "--port", "0", "--host", "127.0.0.1", "--fixtures", str(script)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={"PATH": os.environ["PATH"]}
        )
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        assert process.stdout is not None
        reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
        reader.start()
        server = None
        try:
            server = cls(_address(lines))
            yield server
        finally:
            if server is not None:
                server._http.close()
            process.terminate()
            process.wait()
            reader.join()
            process.stdout.close()

    def says(self, words: str, answer: str | dict[str, Any], *, times: int | None = None, **more: Any) -> None:
        """Answer tasks that hold these words.

        Args:
            words: Part of the last message.
            answer: Text, or an object that is sent as JSON text.
            times: Which time (0 first) this answer is for; None: always.
            more: aimock's own words beside the answer: ``chunkSize``, ``truncateAfterChunks``, ``chaos``, or ``usage``
                and ``finishReason``, which go into the answer.
        """
        response = {"content": answer, **{key: more.pop(key) for key in ("usage", "finishReason") if key in more}}
        self._add(words, response, times, more)

    def fails(
        self,
        words: str,
        status: int,
        message: str = "no",
        *,
        times: int | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        """Answer with an HTTP status."""
        response: dict[str, Any] = {"error": {"message": message, "type": "error"}, "status": status}
        if retry_after_s is not None:
            response["retryAfter"] = retry_after_s
        self._add(words, response, times, {})

    def calls(self) -> list[Call]:
        """Return every request since the last `reset`, oldest first."""
        entries = self._http.get("/journal").raise_for_status().json()
        return [Call(entry["path"], entry["body"] or {}, entry["response"]["status"]) for entry in entries]

    def reset(self) -> None:
        """Forget what to say and what was asked."""
        self._http.post("/reset").raise_for_status()

    def settings(self, **more: str) -> dict[str, str]:
        """Return settings under which every provider is this server, with a price for ``compatible/tiny``."""
        return {
            "MODEL_LOCAL": "",
            "MODEL_SMALL": "openai/gpt-4.1-mini",
            "MODEL_LARGE": "openai/gpt-4.1",
            "OPENAI_API_KEY": "key-of-openai",
            "OPENAI_BASE_URL": f"{self.url}/v1",
            "ANTHROPIC_API_KEY": "key-of-anthropic",
            "ANTHROPIC_BASE_URL": self.url,
            "OLLAMA_BASE_URL": self.url,
            "COMPATIBLE_BASE_URL": f"{self.url}/v1",
            "MODEL_PRICES": "compatible/tiny=0.10:0.40",
        } | more

    def _add(self, words: str, response: dict[str, Any], times: int | None, more: dict[str, Any]) -> None:
        match: dict[str, Any] = {"userMessage": words}
        if "model" in more:
            match["model"] = more.pop("model")
        if times is not None:
            match["sequenceIndex"] = times
        fixture = {"match": match, "response": response, **more}
        self._http.post("/fixtures", json={"fixtures": [fixture]}).raise_for_status()


def _words(content: Any) -> str:
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def _read(stream: Any, lines: queue.SimpleQueue[str]) -> None:
    for line in stream:
        lines.put(line)
    lines.put("")


def _address(lines: queue.SimpleQueue[str]) -> str:
    heard = ""
    while True:
        line = lines.get(timeout=START_S)
        heard += line
        if "listening on " in line:
            return line.rpartition("listening on ")[2].strip()
        if not line:
            raise RuntimeError(f"The model server did not start. It said:\n{heard}")
