"""Soloist as an MCP server: another program submits a goal, sees the cards, follows a task. It approves nothing.

Why it cannot approve, three times over: no tool does, and no answer holds a button's handle; a goal that reads as a
command to the house itself ("approve 12.1", "pause all") is turned away; and the program is a delegate who may decide
about no action at all, so a press that came in its name would be refused like any stranger's.

It is a channel that hears and shows nothing by itself: what a goal leads to is on the operator's own channels, and in
`list_cards` and `show_task`. It listens on this machine, and takes the key of ``<home>/mcp.key``.

Source: https://modelcontextprotocol.io/specification (tools, streamable HTTP, security)
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import socket
import uuid
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any, Protocol

import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from bot import control
from bot.channels.base import Card, Ear, Message, NotWrittenError, RefusedPressError
from memory.events import Actor, Origin, Place, Understood

GOAL_MAX = 4_000  # characters; a goal is a request, not a document
CARDS_MAX = 50
PLACE = Place(channel="mcp", conversation="programs")
PROGRAM = Actor(platform="mcp", user="program", account="local", origin=Origin.DELEGATE)
_HOUSE = frozenset(intent.id() for intent in control.CONTROL)

Read = Callable[[str], Awaitable[Understood]]
Scope = MutableMapping[str, Any]


class Views(Protocol):
    """What may be looked at: `bot.history.History` serves."""

    def waiting(self) -> Iterator[Card]:
        """Yield the cards that wait for somebody, oldest first."""
        ...

    def about_task(self, question: str, words: str) -> str:
        """Return the timeline of a task."""
        ...


class Programs:
    """The channel of other programs.

    Args:
        views: Cards and timelines.
        read: Text → what it means, to turn away what is meant for the house itself.
        host: Where to listen.
        port: 0 takes a free one.
        key: What a program must show.
    """

    name = "mcp"

    def __init__(self, views: Views, read: Read, *, host: str, port: int, key: str) -> None:
        self._views = views
        self._read = read
        self._host = host
        self.port = port
        self._key = key
        self.open_for_business = asyncio.Event()

    async def say(self, place: Place, message: Message) -> str:
        """Nothing is pushed to programs."""
        del place
        return message.id

    async def ask(self, place: Place, card: Card) -> str:
        """Nothing is pushed to programs."""
        del place
        return card.id

    async def settle(self, place: Place, ref: str, card: Card) -> None:
        """Nothing is pushed to programs."""

    def home(self) -> Place | None:
        """The operator is never reached here."""
        return None

    async def run(self, ear: Ear) -> None:
        """Serve until cancelled."""
        listener = socket.create_server((self._host, self.port))
        self.port = int(listener.getsockname()[1])
        app = self.server(ear).streamable_http_app(json_response=True, stateless_http=True, host=self._host)
        serving = _Serving(
            uvicorn.Config(
                _keyed(app, self._key),
                log_level="warning",
                ws="none",  # the key is asked for with a request; nothing here speaks any other way
                access_log=False,
                lifespan="on",
                timeout_graceful_shutdown=1,
            )
        )
        self.open_for_business.set()
        try:
            await serving.serve(sockets=[listener])
        finally:
            self.open_for_business.clear()
            listener.close()

    def server(self, ear: Ear) -> MCPServer:
        """Return the server with its three tools."""
        server = MCPServer("soloist", instructions="Submit goals; a person decides about what they lead to.")

        @server.tool()
        async def submit_goal(goal: str, request_id: str = "") -> dict[str, str]:
            """Ask for something in plain words, such as "invoice Acme 1,200 for March, net 14".

            Whatever reaches outside waits on a card for a person. The same request_id twice is one request.
            """
            return {"task": await self._submit(ear, goal, request_id)}

        @server.tool()
        def list_cards() -> list[dict[str, Any]]:
            """List what waits for a person's decision. It cannot be decided here."""
            return [_shown(card) for card, _ in zip(self._views.waiting(), range(CARDS_MAX), strict=False)]

        @server.tool()
        def show_task(task: str) -> str:
            """Show what has happened in a task, line by line."""
            if not task.isdecimal():
                raise ToolError("A task is named by its number, such as 12.")
            return self._views.about_task("timeline", task)

        return server

    async def _submit(self, ear: Ear, goal: str, request_id: str) -> str:
        text = goal.strip()
        if not text or len(text) > GOAL_MAX or len(request_id) > 200:  # noqa: PLR2004 - an id, not a text
            raise ToolError(f"A goal has between 1 and {GOAL_MAX} characters.")
        if await self._for_the_house(text):
            raise ToolError("Programs submit goals. Decisions, pauses and memory are the operator's own.")
        try:
            return await ear.heard(request_id or uuid.uuid4().hex, text, PROGRAM, PLACE)
        except NotWrittenError as error:
            raise ToolError(f"Not now, please submit it again: {error}") from None
        except RefusedPressError as error:
            raise ToolError(str(error)) from None

    async def _for_the_house(self, text: str) -> bool:
        """Tell whether any part of a text is meant for the house itself and not for an agent."""
        waiting = [text]
        for _ in range(10):  # requests in one message; more than that is not a goal
            if not waiting:
                return False
            part = waiting.pop()
            if part.startswith(("/", "!")):
                return True
            reading = await self._read(part)
            if reading.intent in _HOUSE:
                return True
            waiting += [each for each in reading.rest if each != part]
        return True


class _Serving(uvicorn.Server):
    """uvicorn without its signal handlers: when to stop is the house's decision."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave SIGINT and SIGTERM to whoever runs us."""
        yield


def _shown(card: Card) -> dict[str, Any]:
    """A card as facts: never its buttons, whose handles press."""
    return {
        "id": card.id,
        "title": card.title,
        "facts": {row.label: row.value for row in card.rows},
        "text": card.body,
        "warnings": list(card.warnings),
        "notes": list(card.footer),
    }


def _keyed(app: Callable[..., Awaitable[None]], key: str) -> Callable[..., Awaitable[None]]:
    """Let only requests through that show the key."""
    wanted = f"Bearer {key}".encode()

    async def checked(scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            given = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(given, wanted):
                await send({"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"0")]})
                await send({"type": "http.response.body", "body": b""})
                return
        await app(scope, receive, send)

    return checked
