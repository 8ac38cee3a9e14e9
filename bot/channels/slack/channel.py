"""Slack over Socket Mode or signed HTTP.

Bolt does the routing; what is durable before it is acknowledged, who counts and how fast we send is ours. In both modes
an acknowledgement leaves only after the `Ear` has returned: Bolt runs with ``process_before_response``.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, tzinfo
from typing import Any, TypeVar

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot.channels.base import Card, Ear, Home, Message, NotWrittenError, UndeliverableError
from bot.channels.slack import blocks, payloads, signature
from bot.channels.slack.blocks import Part
from bot.channels.slack.hearing import Hearing, Refusal
from bot.channels.slack.lane import URGENT, USUAL, Clock, RealClock, Turn
from bot.channels.slack.manifest import COMMAND, PATH
from bot.channels.slack.people import People, PeopleStore, Person
from bot.channels.slack.post import Poster, Where
from bot.channels.slack.received import Received
from bot.channels.slack.views import FORM
from bot.channels.slack.wire import (
    AppClient,
    BusyError,
    DoubtfulError,
    RefusedError,
    Wire,
    logger,
    quiet,
    sentence,
)
from memory.events import Place

T = TypeVar("T")

API = "https://slack.com/api/"
BODY_MAX = 2 * 1024 * 1024  # bytes of a request; a form has at most 250 kB, a message with 50 blocks less than 1 MB
BODY_WAIT_S = 0.8  # for a body to arrive; whoever is slower is not Slack
RETRY_S = 5.0  # between attempts to reach Slack at all
SAID_MAX = 500  # messages that can still be edited by saying them again
PING_S = 5.0
TOLD_AGAIN_S = 3600.0  # a request under another secret is said once an hour: anybody can send one
HOME_TRIES_MAX = 6  # each later than the one before, a quarter of an hour in all; the next event tries again anyway
HOME_PAUSE_S = 2.0  # after which App Home is shown anew: the answer itself goes first


SIGNED_OTHERWISE = (
    "A request came that has Slack's form and another signature, so it was refused. If Slack answers you nothing, "
    "SLACK_SIGNING_SECRET is not this app's: api.slack.com/apps → Basic Information → Signing Secret, restart."
)


class NoTokenError(Exception):
    """The channel cannot be made from these settings."""


def _typed(commands: Sequence[str]) -> re.Pattern[str] | None:
    """Return what finds "/approvals" in a sentence of ours: Slack takes it for a command of its own, "/solo approvals" works."""
    names = "|".join(sorted(re.escape(command.lstrip("/")) for command in commands))
    return re.compile(rf"(?<![^\s(“\"'])/({names})(?![\w/])") if names else None


class Slack:
    """The channel. See `bot.channels.base.Channel`.

    Saying a message again under the same id with other words edits it in place: that is how long work shows progress.

    Args:
        bot_token: ``xoxb-…``.
        app_token: ``xapp-…``, for Socket Mode.
        signing_secret: For signed HTTP, when this house has an address; a function is asked at every request, so a
            rotated secret holds at once. With one, the app must serve `routes`.
        people: Who may speak and press, besides those in ``store``.
        store: Where pairings are kept.
        pairing_code: The one-time code printed at start; needs a store.
        home_view: What App Home shows now.
        refused: Told of everybody who was turned away, at most once an hour for each.
        troubled: Told of what only the operator can mend in Slack: a token, a scope, a tab that is switched off.
        zone: Where the operator lives; "tomorrow morning" is in it.
        base_url: Of the Web API.
        listen: ``"127.0.0.1:3000"``: where `run` serves `routes` itself; empty when a web server of the house does.
        commands: Of the house, like ``"/approvals"``: what is said names them as they are typed here, "/solo approvals".
        clock, wall: Time, for pace and signatures.
        ping_s: How often the Socket Mode connection is tried.

    Raises:
        NoTokenError: A token is missing; the message says which and where it comes from.
    """

    name = "slack"
    edit_every_s = 1.5  # chat.update takes about 50 a minute, for all of a workspace

    def __init__(
        self,
        bot_token: str,
        *,
        app_token: str = "",
        signing_secret: str | Callable[[], str] = "",
        people: Iterable[Person] = (),
        store: PeopleStore | None = None,
        pairing_code: str = "",
        home_view: Callable[[], Home] | None = None,
        refused: Callable[[Refusal], Awaitable[None]] | None = None,
        troubled: Callable[[str], None] | None = None,
        zone: tzinfo = UTC,
        base_url: str = API,
        listen: str = "",
        commands: Sequence[str] = (),
        clock: Clock | None = None,
        wall: Callable[[], float] = time.time,
        ping_s: float = PING_S,
    ) -> None:
        if not bot_token:
            raise NoTokenError(sentence("not_authed"))
        if not app_token and not signing_secret:
            raise NoTokenError(
                f"{sentence('not_authed', app=True)} Or, when this house has a public address, put the app's signing "
                "secret (Basic Information) into SLACK_SIGNING_SECRET."
            )
        self._commands = _typed(commands)
        self._signed = bool(signing_secret)
        self._secret: Callable[[], str] = signing_secret if callable(signing_secret) else lambda: str(signing_secret)
        self._app_token = app_token
        self._listen_at = listen
        self._clock = clock or RealClock()
        self._wall = wall
        self._ping_s = ping_s
        self._bot_token = bot_token
        self._wire = Wire(bot_token, base_url)
        self._poster = Poster(self._wire, self._us, self._clock, wall, self._delivered)
        self.people = People(people, store, pairing_code)
        self._hearing = Hearing(
            wire=self._wire,
            poster=self._poster,
            people=self.people,
            received=Received(self._wire, bot_token),
            home_view=home_view,
            refused=refused,
            zone=zone,
            commands=commands,
            wall=wall,
        )
        self._said: OrderedDict[str, tuple[Where, str, tuple[str, ...]]] = OrderedDict()
        self._home_changed = self._renewing = False
        self._troubled = troubled
        self._signed_otherwise_at = -TOLD_AGAIN_S
        self._bot: AuthorizeResult | None = None
        self._bolt = self._routed()
        self.ready = asyncio.Event()  # set while we listen
        self._troubles: dict[str, str] = {}  # side → what is wrong there now

    # ── out ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def say(self, place: Place, message: Message) -> str:
        """Show words and files; see the class for saying again.

        Raises:
            UndeliverableError: not now, or never.
        """
        if self._commands is not None and "/" in message.text:
            message = replace(message, text=self._commands.sub(rf"{COMMAND} \1", message.text))
        parts = blocks.message(message)
        digest = _digest(parts)
        conversation = await self._conversation(place)
        where = (conversation, place.thread)
        async with self._poster.lane(conversation).turn(USUAL) as turn:
            before = self._said.get(message.id)
            before = before if before and before[0] == where else None
            if before and before[1] == digest:
                return ",".join(before[2])
            standing = before[2] if before else tuple(filter(None, message.instead.split(",")))
            refs = await self._edited(turn, conversation, standing, parts, f"say/{message.id}")
            for number in range(len(refs), len(parts)):
                mark = f"say/{message.id}/{number}/{digest}"
                refs.append(await self._poster.part(turn, where, parts[number], mark))
            for file in message.files if not before else ():
                await self._poster.file(turn, where, file.name, self._ear().file(file))
            self._said[message.id] = (where, digest, tuple(refs))
            while len(self._said) > SAID_MAX:
                self._said.popitem(last=False)
        self.home_is_old()
        return ",".join(refs)

    async def find(self, place: Place, message: Message, apart: Collection[str]) -> str:
        """See `bot.channels.base.Finder`: it is found by its mark.

        Raises:
            UndeliverableError: not now.
        """
        del apart
        return await self._poster.find((await self._conversation(place), place.thread), f"say/{message.id}")

    async def _edited(
        self, turn: Turn, conversation: str, standing: Sequence[str], parts: Sequence[Part], mark: str
    ) -> list[str]:
        """Make what stands there say the first parts; return the messages that do, none when somebody deleted them."""
        refs: list[str] = []
        for ts, part in zip(standing, parts, strict=False):
            try:
                await self._poster.update(turn, conversation, ts, part, mark)
            except UndeliverableError as error:
                if not error.forever:
                    raise
                return refs
            refs.append(ts)
        return refs

    async def ask(self, place: Place, card: Card) -> str:
        """Show a card whole; return its reference.

        That is ``"ts"``, or ``"ts,ts,…"`` when it took several messages: the one with buttons and thread first.

        Raises:
            UndeliverableError: not now, or never.
        """
        sheet = blocks.sheet(card)
        digest = _digest(sheet.parts)
        conversation = await self._conversation(place)
        aside = bool(sheet.thread or sheet.body)
        shown = blocks.waiting(sheet) if aside else sheet
        async with self._poster.lane(conversation).turn(URGENT) as turn:
            where = (conversation, place.thread)
            refs = []
            for number, part in enumerate(shown.parts):
                mark = f"card/{card.id}/{card.revision}/{number}/{digest}"
                refs.append(await self._poster.part(turn, where, part, mark))
            main = refs[-1]
            below = (conversation, place.thread or main)
            for number, part in enumerate(sheet.thread):
                mark = f"text/{card.id}/{card.revision}/{number}/{digest}"
                await self._poster.part(turn, below, part, mark)
            if sheet.body:
                await self._poster.file(turn, below, f"card-{card.id}-{card.revision}.txt", sheet.body)
            for file in card.files:
                await self._poster.file(turn, below, file.name, self._ear().file(file))
            if aside:
                # Only now does the text stand there whole, so only now may it be approved.
                mark = f"card/{card.id}/{card.revision}/{len(refs) - 1}/{digest}"
                await self._poster.update(turn, conversation, main, sheet.parts[-1], mark)
        ref = ",".join([main, *refs[:-1]])
        self._hearing.know_card(conversation, main, ref)
        self.home_is_old()
        return ref

    async def settle(self, place: Place, ref: str, card: Card) -> None:
        """Make the copy at ``ref`` show the card as it is now; twice is the same.

        Raises:
            UndeliverableError: not now; ``forever`` when the message is gone.
        """
        main, *others = ref.split(",")
        conversation = await self._conversation(place)
        sheet = blocks.sheet(card)
        if card.buttons and len(sheet.parts) != len(others) + 1:
            sheet = blocks.waiting(sheet)  # this copy cannot show it whole, so nothing is pressed here
        *firsts, last = sheet.parts
        async with self._poster.lane(conversation).turn(URGENT) as turn:
            await self._poster.update(turn, conversation, main, last, f"settled/{card.id}/{card.revision}")
            for ts, part in zip(others, firsts, strict=False):
                try:
                    await self._poster.update(turn, conversation, ts, part)
                except UndeliverableError as error:
                    if not error.forever:
                        raise
        self.home_is_old()

    def home(self) -> Place | None:
        """Return the operator's direct messages, or None before anybody is paired."""
        operator = self.people.operator()
        return Place(channel="slack", conversation=self._hearing.known_dm(operator.user)) if operator else None

    async def _refresh_home(self) -> float:
        """Show everybody who has opened App Home what it is now; return in how many seconds to try again, 0 when it is shown."""
        wait = 0.0
        for user, team in list(self._hearing.at_home.items()):
            try:
                await self._hearing.publish(team, user, again=False)
                self._note("", "home")
            except RefusedError as refused:
                self._note(str(refused), "home", mendable=True)
            except BusyError as busy:
                wait = max(wait, busy.retry_after_s)
            except DoubtfulError as error:
                logger.warning("App Home was not refreshed: %s", error)
                wait = max(wait, HOME_PAUSE_S)
        return wait

    def home_is_old(self) -> None:
        """Something happened, so App Home may have changed: show it anew soon, once for all that comes together."""
        self._home_changed = True
        if self._hearing.at_home and self._hearing.group is not None and not self._renewing:
            self._renewing = True
            self._hearing.later(self._renew_home())

    async def _renew_home(self) -> None:
        failed, wait = 0, HOME_PAUSE_S
        try:
            while self._home_changed:
                await self._clock.sleep(wait)
                self._home_changed = False
                late = await self._refresh_home()
                failed = failed + 1 if late else 0
                wait = max(late, HOME_PAUSE_S * 3**failed) if late else HOME_PAUSE_S
                self._home_changed |= 0 < failed < HOME_TRIES_MAX
        finally:
            self._renewing = False

    async def _conversation(self, place: Place) -> str:
        return (
            await self._hearing.dm(place.conversation) if place.conversation[:1] in {"U", "W"} else place.conversation
        )

    # ── in ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def run(self, ear: Ear) -> None:
        """Listen until cancelled. Comes back by itself after Slack, the token or the network was gone."""
        try:
            async with asyncio.TaskGroup() as group:
                self._hearing.ear, self._hearing.group = ear, group
                await self._reach(self._us)
                for person in self.people.all():
                    await self._hearing.dm(person.user)
                self._show_home()
                await (self._serve() if self._signed else self._listen())
        finally:
            self.ready.clear()
            self._hearing.ear = self._hearing.group = None
            await self._wire.close()

    def _delivered(self, refused: str) -> None:
        """Hear of each thing that went out (empty), and of each that Slack refuses until somebody mends it."""
        self._note(refused, "out", mendable=True)

    def _show_home(self) -> None:
        """Bring up to date what stands in the operator's App Home from before; who else opens it is shown it then."""
        operator = self.people.operator()
        if operator is not None and self._hearing.has_home:
            self._hearing.at_home[operator.user] = operator.team
            self.home_is_old()

    def routes(self) -> list[web.RouteDef]:
        """Return what the house's web server must serve for signed HTTP."""
        return [web.post(PATH, self._post)]

    async def close(self) -> None:
        """Let go of connections, for whoever sent without `run`."""
        await self._wire.close()

    async def _serve(self) -> None:
        """Answer signed HTTP, on our own address or on that of the house."""
        if not self._listen_at:
            self.ready.set()
            await asyncio.Event().wait()
        host, _, port = self._listen_at.rpartition(":")
        app = web.Application(client_max_size=BODY_MAX)
        app.add_routes(self.routes())
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, host or "127.0.0.1", int(port)).start()
            self.ready.set()
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    async def _listen(self) -> None:
        client = AppClient(self._app_token, self._wire.base_url, self._note, self._clock)
        handler = AsyncSocketModeHandler(
            self._bolt, self._app_token, web_client=client, ping_interval=self._ping_s, logger=quiet()
        )
        try:
            # Asked here first, so that a wrong token is one sentence and not a traceback every few seconds.
            answer = await self._reach(client.apps_connections_open_here)
            handler.client.wss_uri = answer
            await handler.connect_async()  # type: ignore[no-untyped-call]
            self.ready.set()
            await asyncio.Event().wait()
        finally:
            await handler.close_async()  # type: ignore[no-untyped-call]

    async def _reach(self, attempt: Callable[[], Awaitable[str]]) -> str:
        """Try until Slack answers."""
        while True:
            wait = RETRY_S
            try:
                done = await attempt()
            except BusyError as busy:
                wait = busy.retry_after_s
                self._note(str(busy))
            except RefusedError as refused:
                self._note(str(refused), mendable=True)
            except DoubtfulError as error:
                self._note(str(error))
            else:
                self._note("")
                return done
            await self._clock.sleep(wait)

    @property
    def trouble(self) -> str:
        """Why Slack cannot be reached now, or not all of it, in a sentence; empty when all is well."""
        return next(iter(self._troubles.values()), "")

    def _note(self, trouble: str, side: str = "in", *, mendable: bool = False) -> None:
        """Say what is wrong on one side (in, out, App Home) once, and that it is over.

        What only the operator can mend is told on the other channels as well: on this one it may not arrive.
        """
        if trouble == self._troubles.get(side, ""):
            return
        if not trouble:
            del self._troubles[side]
            logger.info("Slack is reached again.")
            return
        self._troubles[side] = trouble
        logger.error("Slack: %s", trouble)
        if mendable and self._troubled is not None:
            self._troubled(f"Slack: {trouble}")

    async def _us(self) -> str:
        if self._bot is None:
            about = await self._wire.call("auth_test")
            self._bot = AuthorizeResult(
                enterprise_id=None,
                team_id=str(about.get("team_id", "")),
                bot_user_id=str(about.get("user_id", "")),
                bot_id=str(about.get("bot_id", "")),
                bot_token=self._bot_token,
            )
            self._hearing.us = str(about.get("user_id", ""))
        return self._hearing.us

    async def _post(self, request: web.Request) -> web.Response:
        """Answer one request of signed HTTP: 401 unless it is Slack's, 503 unless it is on disk."""
        if not signature.headers_hold(request.headers, self._wall()):
            return web.Response(status=401)
        body = await _body(request)
        if body is None or not signature.genuine(request.headers, body, self._secret(), self._wall()):
            self._signed_otherwise()
            return web.Response(status=401)
        try:
            content = payloads.read(body, request.content_type)
        except payloads.MalformedError:
            return web.Response(status=400, headers={"X-Slack-No-Retry": "1"})
        if content.get("type") == "url_verification":
            return web.json_response({"challenge": payloads.text_at(content, "challenge")})
        if self._hearing.ear is None or self._bot is None:
            return web.Response(status=503)
        try:
            asked = AsyncBoltRequest(body=body.decode(), headers=dict(request.headers))
            answer = await self._bolt.async_dispatch(asked)
        except Exception:  # noqa: BLE001 - what ours raise ends in `_refusal`; Bolt chokes on shapes Slack never sends
            return web.Response(status=400, headers={"X-Slack-No-Retry": "1"})
        return await to_aiohttp_response(answer)

    def _signed_otherwise(self) -> None:
        now = self._clock.now()
        if now - self._signed_otherwise_at >= TOLD_AGAIN_S:
            self._signed_otherwise_at = now
            logger.error("Slack: %s", SIGNED_OTHERWISE)

    def _routed(self) -> AsyncApp:
        async def authorize() -> AuthorizeResult:
            assert self._bot is not None  # nothing is dispatched before we know ourselves
            return self._bot

        app = AsyncApp(
            name="soloist.slack.bolt",  # Bolt sets the level of the logger of this name
            logger=quiet(),
            authorize=authorize,
            process_before_response=True,
            request_verification_enabled=False,  # done by `signature` before Bolt sees anything
            ssl_check_enabled=False,
            # What these look at in every payload, `payloads` and `Hearing` look at themselves.
            ignoring_self_events_enabled=False,
            ignoring_self_assistant_message_events_enabled=False,
            url_verification_enabled=False,
            attaching_function_token_enabled=False,
            attaching_conversation_kwargs_enabled=False,
            signing_secret="",
        )
        hearing = self._hearing

        async def event(body: dict[str, Any]) -> None:
            match body["event"]["type"]:
                case "message" | "app_mention":
                    await _ours(hearing.message(body))
                case "app_home_opened":
                    await _ours(hearing.home_opened(body))

        async def command(body: dict[str, Any], ack: Callable[..., Awaitable[Any]]) -> None:
            await ack(text=await _ours(hearing.command(body)), response_type="ephemeral")

        async def click(body: dict[str, Any], ack: Callable[..., Awaitable[Any]]) -> None:
            await _ours(hearing.click(body))
            await ack()

        async def submission(body: dict[str, Any], ack: Callable[..., Awaitable[Any]]) -> None:
            answer = await _ours(hearing.submission(body))
            await (ack(**answer) if answer else ack())

        async def nothing(ack: Callable[..., Awaitable[Any]]) -> None:
            await ack()

        async def failed(error: Exception) -> BoltResponse:
            return _refusal(error)

        # Bolt asks its listeners one after the other, so there are few, and those that somebody waits for come first.
        app.event(re.compile(".*"))(event)
        app.command(COMMAND)(command)
        app.action(re.compile(".*"))(click)
        app.view(FORM)(submission)
        app.view_closed(re.compile(".*"))(nothing)
        app.error(failed)
        return app

    def _ear(self) -> Ear:
        if self._hearing.ear is None:
            raise UndeliverableError("Slack is not started yet, so its files cannot be read.", RETRY_S)
        return self._hearing.ear


class UnhandledError(Exception):
    """Our own mistake while handling a payload; Slack sends it again, perhaps to a newer version of us."""


async def _ours(work: Awaitable[T]) -> T:
    """Tell what our code raises from what Bolt raises on its way to it."""
    try:
        return await work
    except (NotWrittenError, payloads.MalformedError):
        raise
    except Exception as error:
        raise UnhandledError(str(error)) from error


def _refusal(error: Exception) -> BoltResponse:
    """Answer a failure: 503 makes Slack send again, and what was kept is found as kept."""
    match error:
        case NotWrittenError():
            logger.warning("Not acknowledged, Slack will send it again: %s", error)
        case UnhandledError():
            # The outer rim: our own mistake is logged whole, and the next message is served.
            logger.error("A payload of Slack could not be handled.", exc_info=error)
        case _:
            return BoltResponse(status=400, headers={"X-Slack-No-Retry": "1"}, body="")
    return BoltResponse(status=503, body="")


async def _body(request: web.Request) -> bytes | None:
    """Return the body, or None when it is too long or does not come."""
    chunks, size = [], 0
    try:
        async with asyncio.timeout(BODY_WAIT_S):
            async for chunk in request.content.iter_any():
                size += len(chunk)
                if size > BODY_MAX:
                    return None
                chunks.append(chunk)
    except (TimeoutError, ConnectionError, web.HTTPException, ValueError):
        return None
    return b"".join(chunks)


def _digest(parts: Iterable[Part]) -> str:
    return hashlib.sha256(json.dumps([part.blocks for part in parts]).encode()).hexdigest()[:12]
