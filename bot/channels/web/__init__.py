"""The local web console: a page and a socket on the bot's own event loop.

The page is a view. Everything on it comes from `Window` and is sent whole when a tab connects; `say`, `ask` and
`settle` push what is new to every tab that is open, and nothing is lost when none is::

    web = Web("127.0.0.1", 8765, key, window, commands=(("help", "what I can do"),))
    print(web.url)  # http://127.0.0.1:8765/?key=...
    await web.run(ear)

A page gives each message and each press an id of its own and sends it again until it is answered; the answer goes out
only after `Ear` has returned, so "sent" on the page means "on disk" here. GET changes nothing, ever. Who gets in is
`bot.channels.web.door`; what goes over the socket is `bot.channels.web.frames`; files are `bot.channels.web.shelf`.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from aiohttp import WSMsgType, web

from bot.channels.base import Card, Ear, Message, NotWrittenError, RefusedPressError
from bot.channels.web import frames, shelf
from bot.channels.web.answers import problem, words
from bot.channels.web.door import Door, OpenDoorError, harden
from bot.channels.web.tab import TICK_S, Tab
from bot.channels.web.window import TaskLine, TimelineLine, Turn, Window
from memory.events import Actor, Attachment, Origin, Place

__all__ = ["Door", "OpenDoorError", "PortTakenError", "TaskLine", "TimelineLine", "Turn", "Web", "Window"]

log = logging.getLogger("soloist.web")

HERE = Path(__file__).parent
PLACE = Place(channel="web", conversation="main")
OPERATOR = Actor(platform="web", user="operator", account="local", origin=Origin.OPERATOR)

HISTORY_PAGE = 60  # turns sent at a time: several screens, and well under a frame
TASKS_MAX = 100  # lines in the list of tasks
TABS_MAX = 50  # sockets open at once; nobody has more, and each costs memory
SEQ_DIGITS_MAX = 18  # a larger number is no 64-bit integer
HOME_EVERY_S = 0.25  # a burst of messages redraws the single pane once

SUGGESTIONS = (
    "invoice Acme 1,200 for the March retainer, net 14",
    "what's unpaid?",
    "add client Globex, billing@globex.example, 2k/month",
    "remind me to call the accountant on Tuesday at 3",
)

PAGE_FILES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


class PortTakenError(Exception):
    """The address is not free."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(
            f"The console cannot listen on {host}:{port} ({reason}). Most likely another program, or another Soloist, "
            "is there: stop it, or choose another port."
        )


class Web:
    """The console as a channel.

    Args:
        host: Where to listen; anything but this machine alone is the operator's explicit setting.
        port: 0 takes a free one; `port` says which once `ready` is set.
        key: The secret of the printed link, at least 16 characters.
        window: What the page shows.
        commands: ``(("help", "what I can do"), ...)`` for completion after a slash.
        names: Further host names it is reached by, e.g. behind a proxy.
        suggestions: What an empty conversation offers to try.
        now: The time of the server, which the page counts its undo windows by.
    """

    name = "web"
    edit_every_s = 0.25  # its own page: no faster than one can read along

    def __init__(
        self,
        host: str,
        port: int,
        key: str,
        window: Window,
        commands: Sequence[tuple[str, str]],
        *,
        names: Sequence[str] = (),
        suggestions: Sequence[str] = SUGGESTIONS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.host = host
        self.port = port
        self.ready = asyncio.Event()
        self._key = key
        self._door = Door(host, key, names)
        self._window = window
        self._commands = [(command.lstrip("/"), help_) for command, help_ in commands]
        self._suggestions = tuple(suggestions)
        self._now = now
        self._tabs: set[Tab] = set()
        self._home_is_stale = asyncio.Event()
        self._page = {path.name: path.read_bytes() for path in HERE.iterdir() if path.suffix in {".html", *PAGE_FILES}}

    @property
    def url(self) -> str:
        """The link to print. It holds the key: show it to the operator, never to a log."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - a name, not a bind
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.port}/?key={quote(self._key, safe='')}"

    # ── what the bot calls ────────────────────────────────────────────────────────────────────────────────────────

    async def say(self, place: Place, message: Message) -> str:
        """Show words in every open tab. A closed tab finds them in the window when it comes back."""
        del place  # there is one conversation
        self._push(frames.write("message", at=self._now(), message=message))
        self._home_is_stale.set()
        return message.id

    async def ask(self, place: Place, card: Card) -> str:
        """Show a card in every open tab; a new revision moves to the end of the conversation."""
        del place
        self._push(frames.write("card", at=self._now(), card=card, fresh=True))
        self._home_is_stale.set()
        return card.id

    async def settle(self, place: Place, ref: str, card: Card) -> None:
        """Make every copy of a card show it as it is now."""
        del place, ref
        self._push(frames.write("card", at=self._now(), card=card, fresh=False))
        self._home_is_stale.set()

    async def overhear(self, task: str, text: str, files: tuple[Attachment, ...], place: Place) -> None:
        """Show in every open tab what was typed in another channel; a closed one finds it in the window."""
        if place.channel == PLACE.channel:
            return  # the tab shows it already, and told the others
        turn = {"who": place.channel, "text": text, "files": files, "at": self._now(), "task": task}
        self._push(frames.write("turn", id=f"{place.channel}-{task}", turn=turn))
        self._home_is_stale.set()

    def home(self) -> Place | None:
        """There is always somewhere to reach the operator: what nobody sees now is there at the next look."""
        return PLACE

    async def run(self, ear: Ear) -> None:
        """Serve until cancelled; `ready` is set once the address answers.

        Raises:
            PortTakenError: The address is not free.
        """
        # The link with the key is a request line: an access log would keep it.
        runner = web.AppRunner(self._application(ear), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self.host, self.port)
            try:
                await site.start()
            except OSError as error:
                raise PortTakenError(self.host, self.port, error.strerror or str(error)) from error
            self.port = runner.addresses[0][1]
            self.ready.set()
            await self._keep_home_fresh()
        finally:
            self.ready.clear()
            for tab in tuple(self._tabs):
                tab.end()
            await runner.cleanup()

    # ── pages and files ───────────────────────────────────────────────────────────────────────────────────────────

    def _application(self, ear: Ear) -> web.Application:
        app = web.Application(middlewares=[self._guard], client_max_size=shelf.FILE_BYTES_MAX)
        app.on_response_prepare.append(_harden)
        app.add_routes(
            [
                web.get("/", self._get_page),
                web.get("/page/{name}", self._get_page_file),
                web.get("/favicon.ico", self._get_icon),
                web.get("/socket", _bound(self._socket, ear)),
                web.get("/history", self._get_history),
                web.get("/tasks", self._get_tasks),
                web.get("/timeline/{task}", self._get_timeline),
                web.get("/file/{sha256}", self._get_file),
                web.post("/files", _bound(shelf.taken, ear)),
            ]
        )
        return app

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.method == "GET" and request.path == "/" and self._door.is_opened_by(request):
            return self._door.welcome(request)
        refusal = self._door.refusal(request)
        if refusal is not None:
            return refusal
        try:
            return await handler(request)
        except web.HTTPException:
            raise
        except NotWrittenError as error:
            return problem(503, str(error))
        except Exception:  # noqa: BLE001 - the outer rim: our own mistake is logged whole, and the page hears of it
            return problem(500, _log_mistake("a request for the console"))

    async def _get_page(self, request: web.Request) -> web.Response:
        if request.query_string:
            # Signed in already, with an old or a wrong key behind the address: nothing but / is worth a bookmark.
            return web.Response(status=303, headers={"Location": "/"})
        return web.Response(body=self._page["index.html"], content_type="text/html", charset="utf-8")

    async def _get_page_file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        kind = PAGE_FILES.get(Path(name).suffix)
        if kind is None or name not in self._page:
            return problem(404, "There is no such page.")
        return web.Response(body=self._page[name], content_type=kind, charset="utf-8")

    async def _get_icon(self, _: web.Request) -> web.Response:
        # Browsers ask for it under this name when they show a file of ours on its own.
        return web.Response(body=self._page["icon.svg"], content_type=PAGE_FILES[".svg"])

    async def _get_history(self, request: web.Request) -> web.Response:
        before = request.query.get("before", "")
        if not before.isascii() or not before.isdigit() or len(before) > SEQ_DIGITS_MAX:
            return problem(400, "'before' must be the number of a turn, like /history?before=120.")
        turns = self._window.history(HISTORY_PAGE, int(before))
        return words(frames.write("history", turns=turns, has_more=len(turns) == HISTORY_PAGE))

    async def _get_tasks(self, _: web.Request) -> web.Response:
        return words(frames.write("tasks", tasks=self._window.tasks(TASKS_MAX)))

    async def _get_timeline(self, request: web.Request) -> web.Response:
        task = request.match_info["task"]
        lines = self._window.timeline(task) if len(task) <= 64 else ()  # noqa: PLR2004 - no task id is longer
        if not lines:
            return problem(404, "There is no such task.")
        return words(frames.write("timeline", task=task, lines=lines))

    async def _get_file(self, request: web.Request) -> web.Response:
        return shelf.served(self._window, request.match_info["sha256"])

    # ── the socket ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _socket(self, request: web.Request, ear: Ear) -> web.StreamResponse:
        if len(self._tabs) >= TABS_MAX:
            return problem(429, f"{TABS_MAX} consoles are open already. Close one.")
        socket = web.WebSocketResponse(heartbeat=TICK_S, max_msg_size=frames.FRAME_BYTES_MAX)
        if not socket.can_prepare(request).ok:
            return problem(400, "This address is the console's socket; open / in a browser instead.")
        await socket.prepare(request)
        tab = Tab(socket)
        self._tabs.add(tab)
        try:
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(tab.write())
                await self._listen(tab, ear)
                writer.cancel()
        finally:
            self._tabs.discard(tab)
        return socket

    async def _listen(self, tab: Tab, ear: Ear) -> None:
        """Take frames one after the other, so that what was typed first is written down first."""
        async for packet in tab.socket:
            if packet.type is WSMsgType.ERROR:
                return
            if packet.type is not WSMsgType.TEXT:
                tab.push(frames.write("error", id="", text=str(frames.UnreadableFrameError("not text"))))
                continue
            try:
                frame = frames.read(packet.data)
            except frames.UnreadableFrameError as error:
                tab.push(frames.write("error", id=error.event_id, text=str(error)))
                continue
            await self._take(tab, frame, ear)

    async def _take(
        self, tab: Tab, frame: frames.Hello | frames.Refresh | frames.Typed | frames.Press, ear: Ear
    ) -> None:
        event_id = getattr(frame, "id", "")
        try:
            match frame:
                case frames.Hello():
                    tab.push(self._snapshot())
                case frames.Refresh():
                    tab.push(frames.write("home", home=self._window.home()))
                case frames.Typed():
                    await self._hear(tab, frame, ear)
                case frames.Press():
                    await self._feel(tab, frame, ear)
        except RefusedPressError as error:
            tab.push(frames.write("refused", id=event_id, text=str(error)))
        except NotWrittenError as error:
            tab.push(frames.write("not_written", id=event_id, text=str(error)))
        except Exception:  # noqa: BLE001 - the outer rim: our own mistake is logged whole, and the page keeps what was typed
            tab.push(frames.write("not_written", id=event_id, text=_log_mistake("what you sent")))

    async def _hear(self, tab: Tab, frame: frames.Typed, ear: Ear) -> None:
        text = frames.plain(frame.text).strip()
        if not text and not frame.files:
            raise RefusedPressError("There is nothing in that message.")
        files = tuple(shelf.checked(file, ear) for file in frame.files)
        task = await ear.heard(frame.id, text, OPERATOR, PLACE, files=files, reply_to=frame.reply_to)
        tab.push(frames.write("ack", id=frame.id, task=task, text=""))
        turn = {"who": "operator", "text": text, "files": files, "at": self._now(), "task": task}
        self._push(frames.write("turn", id=frame.id, turn=turn), but=tab)
        self._home_is_stale.set()

    async def _feel(self, tab: Tab, frame: frames.Press, ear: Ear) -> None:
        answer = await ear.pressed(
            frame.id,
            frame.handle,
            frame.verb,
            OPERATOR,
            PLACE,
            reason=frames.plain(frame.reason),
            edits=None if frame.edits is None else {name: frames.plain(v) for name, v in frame.edits.items()},
            until=frame.until,
        )
        tab.push(frames.write("ack", id=frame.id, task="", text=answer))
        self._home_is_stale.set()

    def _snapshot(self) -> str:
        turns = self._window.history(HISTORY_PAGE)
        return frames.write(
            "snapshot",
            now=self._now(),
            turns=turns,
            has_more=len(turns) == HISTORY_PAGE,
            home=self._window.home(),
            commands=self._commands,
            suggestions=self._suggestions,
            text_max=frames.TEXT_MAX,
            file_bytes_max=shelf.FILE_BYTES_MAX,
        )

    def _push(self, frame: str, *, but: Tab | None = None) -> None:
        for tab in self._tabs:
            if tab is not but:
                tab.push(frame)

    async def _keep_home_fresh(self) -> None:
        while True:
            await self._home_is_stale.wait()
            self._home_is_stale.clear()
            if self._tabs:
                try:
                    self._push(frames.write("home", home=self._window.home()))
                except Exception:  # noqa: BLE001 - an unreadable pane must not take the conversation down with it
                    _log_mistake("the overview")
            await asyncio.sleep(HOME_EVERY_S)


async def _harden(request: web.Request, answer: web.StreamResponse) -> None:
    harden(request, answer)


def _bound(
    handler: Callable[[web.Request, Ear], Awaitable[web.StreamResponse]], ear: Ear
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await handler(request, ear)

    return handle


def _log_mistake(what: str) -> str:
    """Log the exception being handled, whole, and return the sentence for the page."""
    number = secrets.token_hex(3)
    log.exception("Mistake %s while taking in %s", number, what)  # noqa: LOG004 - called from the rims alone
    return (
        f"Something broke inside Soloist over {what}. It may not have been kept; sending it again is safe. "
        f"The log has the details under {number}."
    )
