"""Telegram: the channel itself. What it says goes out through `Lanes`, what it hears comes in through `Hearing`.

::

    telegram = Telegram(token, TelegramPairing(PairingsFile(home / "pairings.json"), ""), announce=print)
    await telegram.run(ear)  # prints a pairing code the first time; listens until cancelled

Long polling by default, driven here: the library's own updater confirms an update before anything durable has seen
it. With a `Webhook` the platform posts instead, and gets its 200 once the update is on disk.

A reference (`say`, `ask`) is the ids of the messages that show the thing, joined by commas; the last has the buttons.
`Ear.card_of` is asked with the single id of the message that was answered.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from telegram import Update

from bot.channels.base import Card, Ear, Message, NotWrittenError, UndeliverableError, is_heading, is_letter
from bot.channels.telegram import drafts
from bot.channels.telegram.albums import album_of, albums
from bot.channels.telegram.cards import CARD_MARK, DRAFT_MARK, Shown, ending, show
from bot.channels.telegram.clock import Clock, WallClock
from bot.channels.telegram.doubts import AHEAD, Doubts, Stands
from bot.channels.telegram.hearing import PATIENCE_S, Hearing, Mouth
from bot.channels.telegram.lanes import ORDINARY, URGENT, Lanes
from bot.channels.telegram.pairing import Pairing, PairingStore
from bot.channels.telegram.presses import Keyboard, keyboard, typed_only
from bot.channels.telegram.reveal import one_line, prose
from bot.channels.telegram.spans import TEXT_MAX, Block, Span, html, pack, styled, tame
from bot.channels.telegram.webhook import Webhook, route
from bot.channels.telegram.wire import (
    ADDRESS,
    UP_BYTES_MAX,
    ConflictError,
    FloodedError,
    RefusedCallError,
    RevokedError,
    Wire,
    WireError,
)
from memory.events import Actor, Attachment, Place

ANSWER_FIRST_S = 0.01  # the next poll lets an answer that is about to leave go first; the update is on disk already
POLL_WAIT_S = 25  # an empty long poll; far below the minute after which routers forget a connection
PAUSE_MIN_S, PAUSE_MAX_S = 0.5, 60.0  # between attempts when Telegram or the disk is away
REVOKED_PAUSE_S = 60.0
ALBUM_S = 0.7  # pictures sent together are an update each, and come one after the other
WEBHOOK_CHECK_S = 300.0  # somebody may have taken the webhook away
TOLD_AGAIN_S = 3600.0
SAID_MAX = 500  # messages that can still be edited by saying them again
UNFINISHED_MAX = 1000  # messages of several parts that broke off, remembered so that a retry goes on where it stopped

# Telegram's own reasons (Bad Request, Forbidden) after which trying again can never help.
GONE = ("message to edit not found", "message can't be edited", "message_id_invalid", "deactivated")
SHUT = {
    "bot was blocked": "You have blocked the bot in Telegram. Unblock it there and this arrives.",
    "chat not found": "Telegram has no chat between you and the bot yet. Open the bot there and press Start; then this "
    "arrives. (TELEGRAM_OPERATOR must be your own user id.)",
    "can't initiate conversation": "You have not started the bot in Telegram yet. Open it there and press Start; then "
    "this arrives.",
}
"""Telegram's own reasons which the person in the chat can end, and how."""
SHUT_PAUSE_S = 600.0  # until it is looked whether they have

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Piece:
    """One message to send: words, or a file."""

    html: str = ""
    keyboard: Keyboard = ()
    file: tuple[str, bytes, str, str] | None = None  # name, content, media type, caption
    reply_to: int | None = None


class Telegram:
    """The operator's Telegram (`bot.channels.base.Channel`)."""

    name = "telegram"
    edit_every_s = 3.0  # 20 a minute where it is a group; 1 a second elsewhere, which its answers share

    def __init__(
        self,
        token: str,
        store: PairingStore,
        *,
        announce: Callable[[str], None],
        base_url: str = ADDRESS,
        delegates: Collection[int] = (),
        clock: Clock | None = None,
        webhook: Webhook | None = None,
        zone: ZoneInfo | None = None,
        commands: Sequence[tuple[str, str]] = (),
        refused: Callable[[Actor, str], Awaitable[None]] | None = None,
        troubled: Callable[[str], None] = lambda _: None,
        poll_wait_s: int = POLL_WAIT_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Join the channel together; nothing is sent or listened to before `run`.

        Args:
            token: The bot's token from @BotFather.
            store: Where the pairing is kept.
            announce: Prints a sentence where the operator starts the bot: pairing codes, a revoked token.
            base_url: Another Bot API server.
            delegates: User ids that are heard besides the operator; looked at on every update, so a removed one is out.
            clock: Time.
            webhook: Be posted to instead of polling.
            zone: Where the operator lives, for "tonight".
            commands: (name, one line) for the client's menu.
            refused: Is told of strangers and forged buttons; by default the operator gets a sentence in the chat.
            troubled: Is told, once, of what only the operator can mend: here it may not arrive.
            poll_wait_s: How long an empty poll waits.
            patience_s: How long a button may spin before it is answered provisionally.

        Raises:
            ValueError: The token is no token, or the stored pairing is damaged.
        """
        self._clock = clock or WallClock()
        self._wire = Wire(token, base_url)
        self._lanes = Lanes(self._clock)
        self._doubts = Doubts()
        self._pairing = Pairing(store, self._clock.now, announce)
        self._announce = announce
        self._delegates = delegates
        self._webhook = webhook
        self._zone = zone or ZoneInfo("UTC")
        self._commands = tuple(commands)
        self._refused = refused or self._tell_of_refusal
        self._troubled = troubled
        self._shut = ""  # why this chat takes nothing, for the operator to end
        self._poll_wait_s = poll_wait_s
        self._patience_s = patience_s
        self._bot_id = token.partition(":")[0]
        self._ear: Ear | None = None
        self._hearing: Hearing | None = None
        self._group: asyncio.TaskGroup | None = None
        self._unfinished: dict[str, list[int]] = {}
        self._said: dict[tuple[int, str], tuple[int, ...]] = {}  # chat, message → what stands there
        self._told: dict[str, float] = {}  # the last trouble that only the operator can mend, and when it was told
        self.problem = ""
        """Why nothing is heard or said now, in words for the operator; empty while all is well."""

    def home(self) -> Place | None:
        """Return the chat with the operator, or None while nobody is paired."""
        chat = self._pairing.chat_id
        return Place(channel=self.name, conversation=str(chat)) if chat is not None else None

    # ── saying ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def say(self, place: Place, message: Message) -> str:
        """Show words and files; return the ids of the messages, joined by commas.

        Said again under the same id they are edited in place: that is how long work shows progress.

        Raises:
            UndeliverableError: not now, or never.
        """
        chat = self._chat(place)
        reply_to = int(message.reply_to) if message.reply_to.isdecimal() else None
        files, sentences = self._file_pieces(message.files)
        texts = _said(message, sentences)
        keys = [keyboard(message.buttons) if number == len(texts) else () for number in range(1, len(texts) + 1)]
        before = self._said.get((chat, message.id))
        standing = before or tuple(int(part) for part in message.instead.split(",") if part.isdecimal())
        ids = await self._edited(chat, standing, list(zip(texts, keys, strict=True)))
        pieces = [] if before else files
        sent_with = len(pieces)
        pieces += [
            _Piece(text, keys[number], reply_to=reply_to if number == 0 else None)
            for number, text in enumerate(texts)
            if number >= len(ids)
        ]
        sent = await self._send(chat, f"say {message.id}", pieces, ORDINARY) if pieces else []
        self._said[chat, message.id] = (*ids, *sent[sent_with:])
        while len(self._said) > SAID_MAX:
            del self._said[next(iter(self._said))]
        return ",".join(map(str, [*ids, *sent]))

    async def find(self, place: Place, message: Message, apart: Collection[str]) -> str:
        """See `bot.channels.base.Finder`: the messages that may be it are made to say it (`doubts`).

        Raises:
            UndeliverableError: not now.
        """
        chat = self._chat(place)
        if not place.message.isdecimal():
            return ""  # nothing says where to look
        known = {int(part) for ref in apart for part in ref.split(",") if part.isdecimal()}
        text = _said(message, [])[0]
        async with self._lanes.turn(chat, ORDINARY):
            for number in range(int(place.message) + 1, int(place.message) + 1 + AHEAD):
                if number in known:
                    continue
                if await self._call(chat, partial(self._wire.stands, chat, number, text)):
                    self._doubts.saw(chat, number)
                    return str(number)
        return ""

    async def _edited(self, chat: int, standing: Sequence[int], parts: Sequence[tuple[str, Keyboard]]) -> list[int]:
        """Make what stands there say the first parts; return the messages that do, none when somebody deleted them."""
        ids: list[int] = []
        for message, (text, keys) in zip(standing, parts, strict=False):
            try:
                await self._edits(chat, [(message, text, keys)], ORDINARY)
            except UndeliverableError as error:
                if not error.forever:
                    raise
                break
            ids.append(message)
        return ids

    async def ask(self, place: Place, card: Card) -> str:
        """Show a card, ahead of words that wait; return the ids of its messages, the last with the buttons.

        Raises:
            UndeliverableError: not now, or never.
        """
        chat = self._chat(place)
        shown = show(card)
        pieces, sentences = self._file_pieces(card.files)
        pieces += [_Piece(html(tame(sentence))) for sentence in sentences]
        if shown.file is not None:
            name, content = shown.file
            pieces.append(_Piece(file=(name, content, "text/plain", shown.caption)))
        pieces += [_Piece(text, keys) for text, keys in _with_keys(shown)]
        ids = await self._send(chat, f"ask {card.id} {card.revision}", pieces, URGENT)
        return ",".join(map(str, ids[-len(shown.texts) :]))

    async def settle(self, place: Place, ref: str, card: Card) -> None:
        """Make the copy show the card as it is now, buttons first. Twice changes nothing.

        Raises:
            UndeliverableError: not now; forever when the messages are gone, or cannot hold the card any more.
        """
        chat = self._chat(place)
        shown = show(card)
        ids = [int(part) for part in ref.split(",") if part.isdecimal()]
        if not ids:
            raise UndeliverableError(f"{ref!r} is no reference of a message in Telegram.", forever=True)
        if len(ids) != len(shown.texts):
            # What the card says has changed, or another version cut it: what was read stays, the last part ends it.
            await self._edits(chat, [(ids[-1], ending(card), shown.keyboard if card.outcome else ())])
            if card.state in ("pending", "snoozed"):
                # Half a card must not keep its buttons.
                raise UndeliverableError("This copy cannot hold the card any more; show it again.", forever=True)
            return
        pairs = [(at, text, keys) for at, (text, keys) in zip(ids, _with_keys(shown), strict=True)]
        await self._edits(chat, pairs[::-1])

    async def _edits(self, chat: int, pairs: Sequence[tuple[int, str, Keyboard]], urgency: int = URGENT) -> None:
        async with self._lanes.turn(chat, urgency):
            for message, text, keys in pairs:
                await self._call(chat, partial(self._wire.edit, chat, message, text, keys), stands=True)

    async def _send(self, chat: int, what: str, pieces: list[_Piece], urgency: int) -> list[int]:
        """Send all pieces together; what broke off goes on where it stopped when it is sent again."""
        said = "\0".join(f"{piece.html}{piece.keyboard}{piece.file and piece.file[0]}" for piece in pieces)
        key = f"{chat} {what} {hashlib.sha256(said.encode(errors='surrogatepass')).hexdigest()}"
        done = self._unfinished.pop(key, [])
        async with self._lanes.turn(chat, urgency):
            try:
                for piece in pieces[len(done) :]:
                    once = partial(
                        self._doubts.once,
                        chat,
                        f"{key} {len(done)}",
                        partial(self._put, chat, piece),
                        self._stands(piece),
                    )
                    done.append(await self._call(chat, once))
            except UndeliverableError as error:
                if done and not error.forever:
                    self._unfinished[key] = done
                    while len(self._unfinished) > UNFINISHED_MAX:
                        self._unfinished.pop(next(iter(self._unfinished)))
                raise
        return done

    async def _put(self, chat: int, piece: _Piece) -> int:
        if piece.file is None:
            return await self._wire.send(chat, piece.html, piece.keyboard, piece.reply_to)
        name, content, media_type, caption = piece.file
        return await self._wire.send_file(chat, content, name, media_type, caption)

    def _stands(self, piece: _Piece) -> Stands:
        if piece.file is None:
            return lambda chat, message: self._wire.stands(chat, message, piece.html, piece.keyboard)
        return lambda chat, message: self._wire.stands_with_file(chat, message, piece.file[3] if piece.file else "")

    async def _call(self, chat: int, call: Callable[[], Awaitable[Any]], *, stands: bool = False) -> Any:
        """Make one call in its lane, with the errors of `UndeliverableError`.

        Args:
            stands: It changes what stands there; without its chat that is gone, while something new waits for a chat.
        """
        try:
            done = await self._lanes.send(chat, call)
        except RefusedCallError as refusal:
            reason = str(refusal).lower()
            shut = next((words for sign, words in SHUT.items() if sign in reason), "")
            if shut and not (stands and "chat not found" in reason):
                self._is_shut(chat, shut)
                raise UndeliverableError(shut, SHUT_PAUSE_S) from None
            if not shut and not any(gone in reason for gone in GONE):
                _log.error("Telegram refused what we sent, which is our mistake: %s", refusal)
            raise UndeliverableError(f"Telegram will not take this: {refusal}", forever=True) from None
        except RevokedError as revoked:
            raise UndeliverableError(str(revoked), REVOKED_PAUSE_S) from None
        except WireError as error:
            raise UndeliverableError(str(error), PAUSE_MIN_S) from None
        if chat == self._pairing.chat_id:
            self._shut = ""
        return done

    def _is_shut(self, chat: int, words: str) -> None:
        """Say on the other channels why nothing arrives in the operator's chat, once until something does."""
        if chat == self._pairing.chat_id and words != self._shut:
            self._shut = words
            _log.warning("%s", words)
            self._troubled(f"Telegram: {words}")

    def _chat(self, place: Place) -> int:
        """Return the chat to send to. Nothing ever goes to anybody but the operator and the delegates (R13)."""
        home = self._pairing.chat_id
        conversation = place.conversation or (str(home) if home is not None else "")
        if not conversation:
            raise UndeliverableError("Nobody is paired with the Telegram bot yet.", PAUSE_MAX_S)
        if conversation != str(home) and conversation not in map(str, self._delegates):
            raise UndeliverableError(f"Chat {conversation} is neither the operator's nor a delegate's.", forever=True)
        return int(conversation)

    def _file_pieces(self, files: tuple[Attachment, ...]) -> tuple[list[_Piece], list[str]]:
        """Return the files to send, and a sentence for each that cannot be."""
        pieces, sentences = [], []
        for file in files:
            if file.size > UP_BYTES_MAX:
                sentences.append(
                    f"{one_line(file.name)} has {file.size / 1e6:.0f} MB, and Telegram takes up to 50 MB from a bot. "
                    "Fetch it from the console."
                )
                continue
            if self._ear is None:
                raise UndeliverableError("Telegram is still starting.", PAUSE_MIN_S)
            try:
                content = self._ear.file(file)
            except KeyError:
                sentences.append(
                    f"{one_line(file.name)} is not in the house any more, or was changed; it was not sent."
                )
                continue
            pieces.append(_Piece(file=(file.name, content, file.media_type, "")))
        return pieces, sentences

    # ── listening ─────────────────────────────────────────────────────────────────────────────────────────────────

    def routes(self) -> list[web.RouteDef]:
        """Return the webhook's route, for a server that is somebody else's (`Webhook.port` None)."""
        return [route(self._webhook, self._take)] if self._webhook is not None else []

    async def run(self, ear: Ear) -> None:
        """Listen until cancelled. Comes back by itself after the platform, the network or the disk was gone."""
        self._ear = ear
        await self._wire.open()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._hearing = self._listen_with(ear)
                if self._webhook is None:
                    await self._poll()
                else:
                    await self._be_posted_to(self._webhook)
        finally:
            self._hearing = self._group = None
            await self._wire.close()

    def _listen_with(self, ear: Ear) -> Hearing:
        mouth = Mouth(
            tell=lambda chat, text, reply_to: self._later(self._tell(chat, text, reply_to)),
            rekey=lambda chat, message, keys: self._later(self._rekey(chat, message, keys)),
            draft=lambda chat, card: self._later(self._draft(chat, card)),
        )
        return Hearing(
            self._wire, ear, self._pairing, self._delegates, mouth, bot_id=self._bot_id, clock=self._clock,
            zone=self._zone, refused=self._refused, spawn=self._spawn, patience_s=self._patience_s,
        )  # fmt: skip

    async def _take(self, *updates: Update) -> None:
        """Take in an update, or all that make up an album."""
        if self._hearing is None:
            raise NotWrittenError("Telegram is still starting.")
        for update in updates:
            if update.message is not None:
                self._doubts.saw(update.message.chat.id, update.message.message_id)
        await self._hearing.take(*updates)

    async def _greet(self) -> None:
        """Check the token and register the commands."""
        await self._wire.me()
        if self._commands:
            await self._wire.register(self._commands)
        self._pairing.code()

    async def _poll(self) -> None:
        offset: int | None = None
        greeted, pause_s = False, PAUSE_MIN_S
        while True:
            try:
                if not greeted:
                    await self._greet()
                    await self._wire.webhook("", "")  # a webhook left from before would answer every poll with 409
                    greeted = True
                # The first poll after a trouble does not wait: it is to say that all is well again.
                updates = await self._wire.poll(offset, 0 if self.problem else self._poll_wait_s)
                if updates and album_of(updates[-1]):
                    # The rest of an album is still coming: it is asked for together, nothing is confirmed yet.
                    await self._clock.sleep(ALBUM_S)
                    updates = await self._wire.poll(offset, 0) or updates
            except WireError as error:
                # Whoever set a webhook keeps us from listening: it is taken away again.
                greeted = greeted and not (isinstance(error, ConflictError) and error.webhook)
                pause_s = await self._wait_out(error, pause_s)
                continue
            self._is_well()
            self._pairing.code()
            # An empty answer means that everything below the offset is confirmed. Without it we also hear updates
            # whose numbers start anew, as they do after a week of silence (core.telegram.org/bots/api#update).
            unwritten = await self._take_all(updates)
            if unwritten is None:
                if updates:
                    await self._clock.sleep(ANSWER_FIRST_S)
                offset = max(u.update_id for u in updates) + 1 if updates else None
                pause_s = PAUSE_MIN_S
            else:
                offset = unwritten
                await self._clock.sleep(pause_s)
                pause_s = min(pause_s * 2, PAUSE_MAX_S)

    async def _take_all(self, updates: Sequence[Update]) -> int | None:
        """Take updates in order, presses beside messages so that no button waits behind a download.

        Returns:
            The number of the first that is not on disk: it, and what follows, is asked for again. None when all are.
        """
        lanes = [[u for u in updates if u.callback_query is None], [u for u in updates if u.callback_query is not None]]
        async with asyncio.TaskGroup() as group:
            taken = [group.create_task(self._take_in_turn(lane)) for lane in lanes if lane]
        return min((left for task in taken if (left := task.result()) is not None), default=None)

    async def _take_in_turn(self, updates: Sequence[Update]) -> int | None:
        for together in albums(updates):
            try:
                await self._take(*together)
            except NotWrittenError as error:
                self._is_ill(f"What comes in from Telegram cannot be written down: {error}")
                return together[0].update_id
        return None

    async def _be_posted_to(self, webhook: Webhook) -> None:
        runner: web.AppRunner | None = None
        pause_s, greeted = PAUSE_MIN_S, False
        try:
            while True:
                try:
                    if runner is None and webhook.port is not None:
                        runner = await self._serve(webhook, webhook.port)
                    if not greeted:
                        await self._greet()
                    if not greeted or (await self._wire.webhook_state()).address != webhook.address:
                        await self._wire.webhook(webhook.address, webhook.secret)
                    greeted = True
                except (WireError, OSError) as error:
                    pause_s = await self._wait_out(error, pause_s)
                    continue
                self._is_well()
                self._pairing.code()
                pause_s = PAUSE_MIN_S
                await self._clock.sleep(WEBHOOK_CHECK_S)
        finally:
            if runner is not None:
                await runner.cleanup()

    async def _serve(self, webhook: Webhook, port: int) -> web.AppRunner:
        app = web.Application()
        app.add_routes(self.routes())
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=5.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, webhook.host, port).start()
        except OSError:
            await runner.cleanup()
            raise
        return runner

    async def _wait_out(self, error: Exception, pause_s: float) -> float:
        """Say once what is wrong, wait, and return how long to wait the next time."""
        self._is_ill(str(error), mendable=isinstance(error, RevokedError | ConflictError))
        if isinstance(error, RevokedError):
            await self._clock.sleep(REVOKED_PAUSE_S)
            return PAUSE_MIN_S
        await self._clock.sleep(max(pause_s, error.retry_after_s) if isinstance(error, FloodedError) else pause_s)
        return min(pause_s * 2, PAUSE_MAX_S)

    def _is_ill(self, problem: str, *, mendable: bool = False) -> None:
        if problem != self.problem:
            self.problem = problem
            _log.warning("%s", problem)
            if not mendable:
                self._announce(problem)
            elif self._clock.elapsed_s() - self._told.get(problem, -TOLD_AGAIN_S) >= TOLD_AGAIN_S:
                # Two programs that listen take turns in being well.
                self._told = {problem: self._clock.elapsed_s()}
                self._announce(problem)
                self._troubled(problem)

    def _is_well(self) -> None:
        if self.problem:
            self.problem = ""
            _log.info("Telegram is back.")

    # ── answers of our own ────────────────────────────────────────────────────────────────────────────────────────

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        assert self._group is not None, "nothing is answered before run()"
        return self._group.create_task(work)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        if self._group is None:
            work.close()
            return
        self._group.create_task(_logged(work))

    async def _tell(self, chat: int, text: str, reply_to: int | None) -> None:
        """Say one sentence of the channel's own; lost without harm."""
        parts = pack([tame(prose(text), commands=True)])
        async with self._lanes.turn(chat, ORDINARY):
            for part in parts:
                await self._call(chat, partial(self._wire.send, chat, html(part), (), reply_to))

    async def _rekey(self, chat: int, message: int, keys: Keyboard) -> None:
        async with self._lanes.turn(chat, URGENT):
            await self._call(chat, lambda: self._wire.edit_keyboard(chat, message, keys))

    async def _draft(self, chat: int, card: Card) -> None:
        """Send a card's fields to be changed and sent back; as a file when they would not fit into one message."""
        text, heading = drafts.draft(card), drafts.heading(card)
        if drafts.fits(text):
            spans: Block = (Span(f"{heading}\n\n"), Span(text, "pre"))
            pieces = [_Piece(html(spans))]
        else:
            pieces = [_Piece(file=(f"draft-{card.id}.txt", text.encode(errors="replace"), "text/plain", heading))]
        await self._send(chat, f"draft {card.id}", pieces, URGENT)

    async def _tell_of_refusal(self, actor: Actor, what: str) -> None:
        """Tell the operator about somebody who was refused."""
        home = self._pairing.chat_id
        if home is not None:
            who = f"{one_line(actor.name) or 'Somebody'} (Telegram id {actor.user or 'unknown'})"
            self._later(self._tell(home, f"{who} {what} and was refused. Nothing was done.", None))


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except UndeliverableError as error:
        _log.warning("An answer could not be delivered: %s", error)
    except Exception:  # noqa: BLE001 - the outer rim: logged whole, and the listening goes on
        _log.exception("An answer of the channel's own broke")


def _with_keys(shown: Shown) -> list[tuple[str, Keyboard]]:
    return [(text, ()) for text in shown.texts[:-1]] + [(shown.texts[-1], shown.keyboard)]


def _said(message: Message, sentences: Sequence[str]) -> list[str]:
    """Return the messages that say it; none when it is only files."""
    typed = [f"Or type: {button.text}" for button in typed_only(message.buttons)]
    text = "\n".join([message.text.strip(), *sentences, *typed]).strip()
    if not text:
        if not message.buttons and message.files:
            return []
        text = "…"
    # Money is set with no-break spaces, which need no sign in our own words.
    lines = text.replace("\u00a0", " ").replace("\u202f", " ").split("\n")
    blocks = [tame(prose(f"• {line[2:]}" if line.startswith("- ") else line), commands=True) for line in lines]
    if is_letter(message):
        blocks = [styled(block, "b") if is_heading(lines, at) else block for at, block in enumerate(blocks)]
    if text.startswith((CARD_MARK, DRAFT_MARK)):
        blocks[0] = (Span("· "), *blocks[0])  # only cards and drafts start with their mark
    return [html(part) for part in pack(blocks, TEXT_MAX)]
