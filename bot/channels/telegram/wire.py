"""The door to python-telegram-bot: calls out, updates in, and the library's errors in our words.

The token is part of every address the library uses, so httpx would log it at INFO, and some of the library's errors
carry it. Nothing leaves this file with it: records of those loggers pass `Redacted`, errors are made anew.
Sources: docs.python-telegram-bot.org (22.8), core.telegram.org/bots/api.
"""

from __future__ import annotations

import json
import logging
import urllib.parse
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from telegram import (
    Bot,
    BotCommand,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputFile,
    LinkPreviewOptions,
    ReplyParameters,
    Update,
)
from telegram.constants import ParseMode
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, TelegramError
from telegram.request import HTTPXRequest

from bot.channels.telegram.presses import Keyboard

T = TypeVar("T")

ADDRESS = "https://api.telegram.org"
ALLOWED = ["message", "edited_message", "callback_query"]
DOWN_BYTES_MAX = 20 * 1000 * 1000  # core.telegram.org/bots/api#getfile
UP_BYTES_MAX = 50 * 1000 * 1000  # core.telegram.org/bots/api#senddocument
PHOTO_BYTES_MAX = 10 * 1000 * 1000  # core.telegram.org/bots/api#sendphoto
COMMANDS_MAX, COMMAND_MAX, DESCRIPTION_MAX = 100, 32, 256  # core.telegram.org/bots/api#botcommand
POLL_BATCH = 100
NUMBER_MAX = 2**53  # of an update; a larger one could not be asked for
CALL_TIMEOUT_S = 15.0
FILE_TIMEOUT_S = 120.0
LOGGERS = ("httpx", "httpcore", "telegram", "bot.channels.telegram")
NO_PREVIEW = LinkPreviewOptions(is_disabled=True)  # a preview fetches a page the operator never opened (R26)


class WireError(Exception):
    """Telegram did not do it."""


class FloodedError(WireError):
    """429: too many messages. Nothing happened; again after ``retry_after_s``."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"Telegram asked for a pause of {retry_after_s:.0f} s.")
        self.retry_after_s = retry_after_s


class UnreachableError(WireError):
    """The network or Telegram itself failed. Nobody knows whether the call arrived."""


class RefusedCallError(WireError):
    """400 or 403: Telegram will not do this one. The message is Telegram's own reason."""


ANOTHER_POLLS = (
    "Another program listens with this Telegram token, so each gets only some of your messages. Stop it (a second Soloist, "
    "perhaps on another machine?). If you know of none, get a new token: /revoke at @BotFather, then TELEGRAM_TOKEN."
)
ANOTHER_IS_POSTED_TO = (
    "Another program has Telegram post this bot's messages to an address of its own (a webhook). Soloist takes it away and "
    "listens again; stop that program, or make Soloist a bot of its own with /newbot at @BotFather."
)


class ConflictError(WireError):
    """409: somebody else listens with this token.

    Attributes:
        webhook: They are posted to; else they poll.
    """

    def __init__(self, reason: str) -> None:
        self.webhook = "webhook" in reason.lower()
        super().__init__(ANOTHER_IS_POSTED_TO if self.webhook else ANOTHER_POLLS)


class RevokedError(WireError):
    """401: the token is no good."""

    def __init__(self) -> None:
        super().__init__(
            "Telegram does not know this bot token (revoked, or copied wrongly). Get a new one from @BotFather with "
            "/token and put it into TELEGRAM_TOKEN; until then this is tried again once a minute."
        )


class Redacted(logging.Filter):
    """Takes one secret out of log records, tracebacks included."""

    def __init__(self, secret: str) -> None:
        super().__init__()
        self._secrets = tuple({secret, urllib.parse.quote(secret, safe=""), urllib.parse.quote(secret)})

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record where it holds the secret; always let it through."""
        text = record.getMessage()
        if record.exc_info:
            record.exc_text = self.clean(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        record.msg, record.args = self.clean(text), ()
        return True

    def clean(self, text: str) -> str:
        """Return text without the secret."""
        for secret in self._secrets:
            text = text.replace(secret, "<token>")
        return text


class _Calls(HTTPXRequest):
    """Answers 429 ourselves: the library's own error for it warns on being made (PTB_TIMEDELTA, 22.2)."""

    async def do_request(self, *args: Any, **named: Any) -> tuple[int, bytes]:
        code, payload = await super().do_request(*args, **named)
        if code == 429:  # noqa: PLR2004 - HTTP's own number
            raise _TooManyError(_retry_after_s(payload))
        return code, payload


class _TooManyError(TelegramError):
    def __init__(self, seconds: float) -> None:
        super().__init__("Too Many Requests")
        self.seconds = seconds


class _Updates(_Calls):
    """Only ever carries getUpdates. One update that cannot be read must not hold back all the others for ever."""

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        answer = HTTPXRequest.parse_json_payload(payload)
        if not isinstance(answer, dict):
            raise TelegramError("Invalid server response")
        if answer.get("ok"):
            items = answer.get("result")
            readable = [update for item in items if (update := _readable(item))] if isinstance(items, list) else []
            if items != [] and not readable:
                raise TelegramError("Invalid server response")  # nothing of it can be confirmed: wait, and ask again
            answer["result"] = readable
        return answer


def _readable(item: Any) -> dict[str, Any] | None:
    """Return the update, or its bare number when the rest makes no sense, or None when not even that does."""
    if read_update(item) is not None:
        return dict(item)
    number = item.get("update_id") if isinstance(item, dict) else None
    is_number = isinstance(number, int) and not isinstance(number, bool) and 0 <= number < NUMBER_MAX
    return {"update_id": number} if is_number else None


class _User(msgspec.Struct):
    id: int
    is_bot: bool
    first_name: str
    last_name: str | None = None


class _Chat(msgspec.Struct):
    id: int
    type: str


class _File(msgspec.Struct):
    file_id: str
    file_size: int | None = None
    file_name: str | None = None
    mime_type: str | None = None


class _Message(msgspec.Struct):
    message_id: int
    chat: _Chat
    from_user: _User | None = msgspec.field(default=None, name="from")
    text: str | None = None
    caption: str | None = None
    document: _File | None = None
    audio: _File | None = None
    video: _File | None = None
    photo: list[_File] | None = None
    reply_to_message: _Message | None = None


class _Query(msgspec.Struct):
    id: str
    from_user: _User = msgspec.field(name="from")
    message: _Message | None = None
    data: str | None = None


class _Update(msgspec.Struct):
    """The shape of what is used further on. The library takes any type for any field."""

    update_id: int
    message: _Message | None = None
    edited_message: _Message | None = None
    callback_query: _Query | None = None


def read_update(item: Any) -> Update | None:
    """Return an update as Telegram posted it, or None when it is not one."""
    try:
        if not 0 <= msgspec.convert(item, _Update).update_id < NUMBER_MAX:
            return None
        return Update.de_json(item, None)
    except Exception:  # noqa: BLE001 - whatever a parser of foreign JSON raises means: not readable
        return None


def _retry_after_s(payload: bytes) -> float:
    try:
        return max(1.0, float(json.loads(payload)["parameters"]["retry_after"]))
    except (ValueError, KeyError, TypeError):
        return 5.0  # a proxy's own 429 names no time


@dataclass(frozen=True)
class WebhookState:
    """What Telegram says of its posts."""

    address: str  # empty while none is set
    trouble: str  # of the last post that failed
    waiting: int  # updates


class Wire:
    """One bot's line to Telegram."""

    def __init__(self, token: str, base_url: str = ADDRESS) -> None:
        if ":" not in token or not token.isascii() or any(c.isspace() or c in "/?#%" for c in token):
            raise ValueError("TELEGRAM_TOKEN is not a bot token. Copy it from @BotFather: digits, a colon, letters.")
        self.redacted = Redacted(token)
        _redact(self.redacted)
        address = base_url.rstrip("/")
        self._updates = _Updates(connection_pool_size=1, read_timeout=CALL_TIMEOUT_S, connect_timeout=CALL_TIMEOUT_S)
        self._calls = _Calls(
            connection_pool_size=16,
            read_timeout=CALL_TIMEOUT_S,
            connect_timeout=CALL_TIMEOUT_S,
            pool_timeout=CALL_TIMEOUT_S,
            media_write_timeout=FILE_TIMEOUT_S,
        )
        self._bot = Bot(token, f"{address}/bot", f"{address}/file/bot", self._calls, self._updates)
        _redact(self.redacted)  # loggers are made when first used

    async def open(self) -> None:
        """Make ready again after `close`."""
        await self._calls.initialize()
        await self._updates.initialize()

    async def close(self) -> None:
        """Let go of connections."""
        await self._calls.shutdown()
        await self._updates.shutdown()

    # ── calls ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def me(self) -> tuple[int, str]:
        """Return the bot's stable id and its user name."""
        me = await self._do(self._bot.get_me())
        return me.id, me.username or ""

    async def register(self, commands: Sequence[tuple[str, str]]) -> None:
        """Show these commands in the client's menu."""
        known = [
            BotCommand(name, text[:DESCRIPTION_MAX] or name)
            for name, text in commands
            if 0 < len(name) <= COMMAND_MAX and name.isascii() and name.replace("_", "a").isalnum() and name.islower()
        ]
        await self._do(self._bot.set_my_commands(known[:COMMANDS_MAX]))

    async def poll(self, offset: int | None, wait_s: int) -> tuple[Update, ...]:
        """Return updates from ``offset`` on; asking for a higher offset is what confirms the ones before it."""
        return await self._do(
            self._bot.get_updates(offset=offset, limit=POLL_BATCH, timeout=wait_s, allowed_updates=ALLOWED)
        )

    async def webhook(self, address: str, secret: str) -> None:
        """Have updates posted to the address; an empty one ends that. Nothing that waits is thrown away."""
        if not address:
            await self._do(self._bot.delete_webhook(drop_pending_updates=False))
            return
        await self._do(
            self._bot.set_webhook(address, secret_token=secret, allowed_updates=ALLOWED, drop_pending_updates=False)
        )

    async def webhook_state(self) -> WebhookState:
        """Return where updates are posted to now, and how that goes."""
        info = await self._do(self._bot.get_webhook_info())
        trouble = self.redacted.clean(info.last_error_message or "")
        return WebhookState(info.url, trouble, info.pending_update_count)

    async def send(self, chat: int, html: str, keyboard: Keyboard = (), reply_to: int | None = None) -> int:
        """Send a message; return its id."""
        sent = self._bot.send_message(
            chat,
            html,
            parse_mode=ParseMode.HTML,
            link_preview_options=NO_PREVIEW,
            reply_markup=_markup(keyboard),
            reply_parameters=_reply(reply_to),
        )
        return (await self._do(sent)).message_id

    async def edit(self, chat: int, message: int, html: str, keyboard: Keyboard = ()) -> None:
        """Make a message say this; saying it already is success."""
        edited = self._bot.edit_message_text(
            html,
            chat,
            message,
            parse_mode=ParseMode.HTML,
            link_preview_options=NO_PREVIEW,
            reply_markup=_markup(keyboard),
        )
        await self._unless_same(edited)

    async def edit_keyboard(self, chat: int, message: int, keyboard: Keyboard) -> None:
        """Give a message other buttons."""
        await self._unless_same(self._bot.edit_message_reply_markup(chat, message, reply_markup=_markup(keyboard)))

    async def stands(self, chat: int, message: int, html: str, keyboard: Keyboard = ()) -> bool:
        """Return whether a message of ours says this; one that said something else says it now."""
        return await self._is_ours(self.edit(chat, message, html, keyboard))

    async def stands_with_file(self, chat: int, message: int, caption: str) -> bool:
        """Return whether a message of ours is a file with this caption."""
        edited = self._bot.edit_message_caption(chat, message, caption=caption or None)
        return await self._is_ours(self._unless_same(edited))

    async def answer(self, query: str, text: str, *, alert: bool = False) -> None:
        """Answer a press, so that the button stops spinning."""
        await self._do(self._bot.answer_callback_query(query, text, show_alert=alert))

    async def send_file(self, chat: int, content: bytes, name: str, media_type: str, caption: str = "") -> int:
        """Send a picture as a picture and anything else as a document; return the message's id."""
        # Shown raw by the clients, so nothing in a name may be invisible or turn it around.
        file = InputFile(content, filename="".join(c if c.isprintable() else "_" for c in name) or "file")
        if media_type in ("image/png", "image/jpeg") and len(content) <= PHOTO_BYTES_MAX:
            try:
                sent = await self._do(self._bot.send_photo(chat, file, caption=caption or None))
            except RefusedCallError:
                # Too wide, too tall, or not quite a picture: as a document it arrives whole.
                sent = await self._do(self._bot.send_document(chat, file, caption=caption or None))
            return sent.message_id
        sent = await self._do(
            self._bot.send_document(chat, file, caption=caption or None, disable_content_type_detection=True)
        )
        return sent.message_id

    async def download(self, file_id: str) -> bytes:
        """Return a file's bytes."""
        file = await self._do(self._bot.get_file(file_id))
        return bytes(await self._do(file.download_as_bytearray(read_timeout=FILE_TIMEOUT_S)))

    # ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _is_ours(self, edit: Awaitable[None]) -> bool:
        try:
            await edit
        except RefusedCallError:
            return False  # not there, not ours, or not of this kind
        return True

    async def _unless_same(self, call: Awaitable[Any]) -> None:
        try:
            await self._do(call)
        except RefusedCallError as refusal:
            if "message is not modified" not in str(refusal).lower():
                raise

    async def _do(self, call: Awaitable[T]) -> T:
        try:
            return await call
        except _TooManyError as error:
            raise FloodedError(error.seconds) from None
        except InvalidToken:
            raise RevokedError from None
        except Conflict as error:
            raise ConflictError(self.redacted.clean(error.message)) from None
        except (BadRequest, Forbidden) as error:
            raise RefusedCallError(self.redacted.clean(error.message)) from None
        except TelegramError as error:
            raise UnreachableError(f"Telegram cannot be reached: {self.redacted.clean(error.message)[:300]}") from None
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            # JSON, but not the Bot API's: a gateway, a page that asks to log in.
            raise UnreachableError(f"Telegram answered nonsense ({type(error).__name__}).") from None


def _redact(redacted: Redacted) -> None:
    names = [
        name
        for name in list(logging.root.manager.loggerDict)
        if name.split(".")[0] in ("httpx", "httpcore", "telegram")
    ]
    for name in {*LOGGERS, *names}:
        logger = logging.getLogger(name)
        if redacted not in logger.filters:
            logger.addFilter(redacted)


def _markup(keyboard: Keyboard) -> InlineKeyboardMarkup | None:
    if not keyboard:
        return None
    return InlineKeyboardMarkup(
        [
            [InlineKeyboardButton(key.label, callback_data=key.data, style=key.style or None) for key in row]
            for row in keyboard
        ]
    )


def _reply(message: int | None) -> ReplyParameters | None:
    # The message answered may be gone by now; then the words still have to arrive.
    return ReplyParameters(message, allow_sending_without_reply=True) if message else None
