"""A Telegram of our own on loopback: the Bot API as a bot meets it, and the people on the other side.

Judged by somebody else: every call is read by aiogram's method classes and every update and message by aiogram's
types; what they would not take stands in `TelegramDouble.complaints`, and is answered with 400. ::

    async with TelegramDouble() as telegram:
        ...  # a bot with telegram.token and telegram.url
        said = telegram.user_says("hello")
        await telegram.until(lambda: telegram.texts())
        telegram.user_presses(telegram.shown()[-1], "Approve")

Answers, limits and error texts as documented at core.telegram.org/bots/api and seen from the platform. Faults are
programmable: `fault` for the next calls, `storm` for a rule, `vanish` and `appear` for the network, `revoke` for the
token.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import itertools
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import aiogram.methods
import aiogram.types
import aiohttp
from aiohttp import web
from pydantic import BaseModel, ValidationError

from tests.counterparts.ports import free_port
from tests.counterparts.telegram_html import HtmlError, detected, parse, units

Json = dict[str, Any]

OPERATOR, STRANGER = 7001, 666
TEXT_MAX, CAPTION_MAX, ANSWER_MAX = 4096, 1024, 200
DOWN_MAX, UP_MAX = 20 * 1000 * 1000, 50 * 1000 * 1000
DATE = 1_770_000_000  # nothing here looks at the clock


class ApiError(Exception):
    """An answer with ``ok: false``."""

    def __init__(self, status: int, description: str, retry_after: int | None = None) -> None:
        super().__init__(description)
        self.status, self.description, self.retry_after = status, description, retry_after


@dataclass
class Fault:
    """What goes wrong: "429", "500", "502", "drop", "mute" (never answered); ``after`` the call was carried out, or before."""

    kind: str
    retry_after: int = 1
    after: bool = False


@dataclass
class Call:
    """One call as it arrived."""

    method: str
    params: Json
    carried_out: bool = False


@dataclass
class Pending:
    """An update that is not confirmed. Only what was served can be confirmed."""

    update: Json
    served: bool = False


@dataclass
class Query:
    """A press that waits for its answer."""

    id: str
    answer: Json | None = None
    stale: bool = False


@dataclass
class Upload:
    """A file as it came in."""

    name: str
    content: bytes
    media_type: str


@dataclass
class TelegramDouble:
    """One bot, its people, and all they said."""

    token: str = "1000001:AAdouble-token_canary"
    username: str = "soloist_double_bot"
    complaints: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    messages: dict[tuple[int, int], Json] = field(default_factory=dict)
    queries: dict[str, Query] = field(default_factory=dict)
    files: dict[str, Upload] = field(default_factory=dict)
    commands: list[Json] = field(default_factory=list)
    deliveries: list[tuple[int, int]] = field(default_factory=list)  # update id, HTTP status, in webhook mode
    storm: Callable[[str, Json], Fault | None] = lambda method, params: None
    nonsense: str = ""  # answered to every call instead, as a gateway or a log-in page does
    judging: bool = True  # off for benches

    def __post_init__(self) -> None:
        self.bot_id = int(self.token.split(":")[0])
        self.people: dict[int, Json] = {}
        self.blocked: set[int] = set()
        self.webhook: Json = {"url": ""}
        self.pending: list[Pending] = []
        self.sent_updates: list[Json] = []
        self.confirmed: list[int] = []  # by offset, or by a 200
        self._faults: list[tuple[str, Fault]] = []
        self._revoked = False
        self._polls = 0
        self._allowed: list[str] = []
        self._message_ids = itertools.count(1)
        self._update_ids = itertools.count(50_001)
        self._other_ids = itertools.count(1)
        self._changed = asyncio.Event()
        self._watchers: list[asyncio.Future[None]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._port = free_port()  # it may vanish, and must be found there again
        self._runner: web.AppRunner | None = None
        self.person(OPERATOR, "Ada")
        self.person(STRANGER, "Mallory")

    # ── the server ────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        await self.appear()
        self._tasks.append(asyncio.ensure_future(self._post_updates()))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.vanish()

    async def appear(self) -> None:
        """Be there, on the same port as before."""
        app = web.Application(client_max_size=64 * 1000 * 1000)
        app.router.add_route("*", "/bot{token}/{method}", self._call)
        app.router.add_get("/file/bot{token}/{path:.*}", self._download)
        # A bot that goes away in the middle of a long poll must not leave the poll behind.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()

    async def vanish(self) -> None:
        """Be gone: connections are refused."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def until(self, condition: Callable[[], Any], *, timeout_s: float = 120.0) -> Any:
        """Wait for something to become true, here or with whoever talks to us; its value is returned."""
        async with asyncio.timeout(timeout_s):
            while not (value := condition()):
                self._changed.clear()
                # What becomes true elsewhere does not stir us, so we also look by ourselves.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), 0.01)
        return value

    def stir(self) -> None:
        """Have whoever waits look again."""
        self._changed.set()
        for watcher in self._watchers:
            if not watcher.done():
                watcher.set_result(None)

    # ── people ────────────────────────────────────────────────────────────────────────────────────────────────────

    def person(self, user_id: int, name: str) -> None:
        """Let somebody start a chat with the bot."""
        self.people[user_id] = {"id": user_id, "is_bot": False, "first_name": name, "language_code": "en"}

    def user_says(
        self, text: str, *, reply_to: Json | None = None, user: int = OPERATOR, chat: Json | None = None, **more: Any
    ) -> Json:
        """Have a person write a message; ``more`` are further fields of it (``forward_origin``, ``sticker``, ...)."""
        message = self._message(user, chat, reply_to, **more)
        if text:
            message["text"] = text
        if text.startswith("/"):
            command = text.split(maxsplit=1)[0]
            message["entities"] = [{"type": "bot_command", "offset": 0, "length": units(command)}]
        return self._arrives("message", message)

    def user_sends_document(
        self, content: bytes, name: str, media_type: str = "application/pdf", *, caption: str = "",
        reply_to: Json | None = None, user: int = OPERATOR, size: int | None = None,
    ) -> Json:  # fmt: skip
        """Have a person send a file; ``size`` pretends another length."""
        message = self._message(user, None, reply_to)
        message["document"] = {
            **self._kept(content, name, media_type, size),
            "file_name": name,
            "mime_type": media_type,
        }
        if caption:
            message["caption"] = caption
        return self._arrives("message", message)

    def user_sends_photo(self, content: bytes, *, caption: str = "", album: str = "", user: int = OPERATOR) -> Json:
        """Have a person send a picture, in two sizes as the platform makes them; alone, or as one of an album."""
        message = self._message(user, None, None)
        if album:
            message["media_group_id"] = album
        message["photo"] = [
            {**self._kept(content[:10], "thumb.jpg", "image/jpeg"), "width": 90, "height": 60},
            {**self._kept(content, "photo.jpg", "image/jpeg"), "width": 900, "height": 600},
        ]
        if caption:
            message["caption"] = caption
        return self._arrives("message", message)

    def user_presses(
        self, message: Json, label: str = "", *, data: str | None = None, user: int = OPERATOR, old: bool = False,
        stale: bool = False,
    ) -> Query:  # fmt: skip
        """Have a person press a button by its label, or send any ``data`` as a modified client can.

        Args:
            message: A message of the bot; its present keyboard counts.
            label: The button.
            data: Instead of the button's own.
            user: Who.
            old: The platform no longer hands out the message's content (InaccessibleMessage).
            stale: The answer will come too late.
        """
        now = self.messages[message["chat"]["id"], message["message_id"]]
        if data is None:
            keys = [key for row in now.get("reply_markup", {}).get("inline_keyboard", []) for key in row]
            data = next((key["callback_data"] for key in keys if key["text"] == label), None)
            if data is None:
                raise AssertionError(f"There is no button {label!r}; there are {[key['text'] for key in keys]}.")
        query = Query(f"{next(self._other_ids):019d}", stale=stale)
        self.queries[query.id] = query
        shown = {"chat": now["chat"], "message_id": now["message_id"], "date": 0} if old else _bare(now)
        self._arrives(
            "callback_query",
            {"id": query.id, "from": self.people[user], "message": shown, "chat_instance": "42", "data": data},
        )
        return query

    def user_edits(self, message: Json, text: str) -> Json:
        """Have a person change what they wrote."""
        return self._arrives("edited_message", {**_bare(message), "text": text, "edit_date": DATE + 5})

    def sends_raw(self, update: Any) -> None:
        """Hand out anything at all as an update; nobody judges it."""
        self.pending.append(Pending(update))
        self.stir()

    def redeliver(self, *updates: Json) -> None:
        """Hand out updates once more, confirmed or not: the confirmation was lost. All of them, when none is named."""
        for update in updates or tuple(self.sent_updates):
            self.pending.append(Pending(copy.deepcopy(update)))
        self.stir()

    def block(self, user: int = OPERATOR, *, blocked: bool = True) -> None:
        """Have a person block the bot, or unblock it."""
        (self.blocked.add if blocked else self.blocked.discard)(user)

    def remove(self, message: Json) -> None:
        """Have a person delete a message on both sides."""
        del self.messages[message["chat"]["id"], message["message_id"]]

    # ── what can be seen ──────────────────────────────────────────────────────────────────────────────────────────

    def transcript(self, chat: int = OPERATOR) -> list[Json]:
        """Return all messages of a chat as they are now, in order."""
        return [message for (where, _), message in sorted(self.messages.items()) if where == chat]

    def shown(self, chat: int = OPERATOR) -> list[Json]:
        """Return the bot's messages alone."""
        return [message for message in self.transcript(chat) if message["from"]["id"] == self.bot_id]

    def texts(self, chat: int = OPERATOR) -> list[str]:
        """Return what the bot's messages say."""
        return [message.get("text", message.get("caption", "")) for message in self.shown(chat)]

    def labels(self, message: Json) -> list[str]:
        """Return the buttons of a message as it is now."""
        now = self.messages[message["chat"]["id"], message["message_id"]]
        return [key["text"] for row in now.get("reply_markup", {}).get("inline_keyboard", []) for key in row]

    def made(self, method: str) -> list[Json]:
        """Return the parameters of every call of a method that was carried out."""
        return [call.params for call in self.calls if call.method == method and call.carried_out]

    def waiting(self) -> int:
        """Return how many updates are not confirmed."""
        return len(self.pending)

    # ── faults ────────────────────────────────────────────────────────────────────────────────────────────────────

    def fault(self, method: str, kind: str, *, times: int = 1, retry_after: int = 1, after: bool = False) -> None:
        """Let the next calls of a method ("*": any but getUpdates) fail."""
        self._faults += [(method, Fault(kind, retry_after, after))] * times

    def revoke(self, *, revoked: bool = True) -> None:
        """Revoke the token, or give it back."""
        self._revoked = revoked
        self.stir()

    def _next_fault(self, method: str, params: Json) -> Fault | None:
        for number, (wanted, fault) in enumerate(self._faults):
            if wanted == method or (wanted == "*" and method != "getUpdates"):
                del self._faults[number]
                return fault
        return self.storm(method, params)

    # ── calls ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _call(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        if self.nonsense:
            return web.Response(text=self.nonsense, content_type="application/json")
        try:
            params = await _params(request)
            call = Call(method, params)
            self.calls.append(call)
            if request.match_info["token"] != self.token or self._revoked:
                return _refusal(ApiError(401, "Unauthorized"))
            fault = self._next_fault(method, params)
            if fault is not None and not fault.after:
                return self._fail(request, fault)
            result = await self._carry_out(call)
            self.stir()
            if fault is not None and fault.kind == "mute":
                await asyncio.Event().wait()  # until the caller is gone
            if fault is not None:
                return self._fail(request, fault)
            return web.json_response({"ok": True, "result": result})
        except ApiError as error:
            self.stir()
            return _refusal(error)

    async def _carry_out(self, call: Call) -> Any:
        handler = getattr(self, "_do_" + re.sub("([A-Z])", r"_\1", call.method).lower(), None)
        if handler is None:
            raise ApiError(404, "Not Found: method not found")
        self._judge_call(call.method, call.params)
        result = handler(call.params)
        result = await result if asyncio.iscoroutine(result) else result
        call.carried_out = True
        return result

    def _fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        self.stir()
        if fault.kind == "drop":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if fault.kind == "429":
            return _refusal(ApiError(429, f"Too Many Requests: retry after {fault.retry_after}", fault.retry_after))
        return web.Response(status=int(fault.kind), text="<html>Bad Gateway</html>")

    def _judge_call(self, method: str, params: Json) -> None:
        if not self.judging:
            return
        model = getattr(aiogram.methods, method[0].upper() + method[1:], None)
        if model is None:
            self.complaints.append(f"{method} is no method that aiogram knows")
            raise ApiError(404, "Not Found: method not found")
        named = {
            key: aiogram.types.BufferedInputFile(value.content, value.name) if isinstance(value, Upload) else value
            for key, value in params.items()
        }
        try:
            extra = _extra(model.model_validate(named))
        except ValidationError as error:
            self.complaints.append(f"{method}: {error}")
            raise ApiError(400, f"Bad Request: {error.error_count()} parameters make no sense") from None
        if extra:
            self.complaints.append(f"{method} has unknown fields {extra}")

    def _judged(self, kind: type[BaseModel], value: Json) -> Json:
        if not self.judging:
            return value
        try:
            if extra := _extra(kind.model_validate(value)):
                self.complaints.append(f"the double made a {kind.__name__} with unknown fields {extra}")
        except ValidationError as error:
            self.complaints.append(f"the double made a wrong {kind.__name__}: {error}")
        return value

    def _do_get_me(self, _: Json) -> Json:
        return {
            "id": self.bot_id, "is_bot": True, "first_name": "Soloist", "username": self.username,
            "can_join_groups": False, "can_read_all_group_messages": False, "supports_inline_queries": False,
        }  # fmt: skip

    def _do_set_my_commands(self, params: Json) -> bool:
        for command in params["commands"]:
            if not re.fullmatch(r"[a-z0-9_]{1,32}", command["command"]) or not 1 <= len(command["description"]) <= 256:
                raise ApiError(400, "Bad Request: BOT_COMMAND_INVALID")
        if len(params["commands"]) > 100:
            raise ApiError(400, "Bad Request: BOT_COMMANDS_TOO_MUCH")
        self.commands = params["commands"]
        return True

    def _do_set_webhook(self, params: Json) -> bool:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", params.get("secret_token", "none")):
            raise ApiError(400, "Bad Request: secret token contains unallowed characters")
        self.webhook = {"url": params["url"], "secret": params.get("secret_token", "")}
        self._allowed = params.get("allowed_updates", [])
        return True

    def _do_delete_webhook(self, params: Json) -> bool:
        if params.get("drop_pending_updates") in (True, "true"):
            self.pending.clear()
        self.webhook = {"url": ""}
        return True

    def _do_get_webhook_info(self, _: Json) -> Json:
        state = {"has_custom_certificate": False, "pending_update_count": len(self.pending)}
        if trouble := self.webhook.get("trouble"):
            state |= {"last_error_date": DATE, "last_error_message": trouble}
        return {"url": self.webhook["url"], **state}

    async def _do_get_updates(self, params: Json) -> list[Json]:
        if self.webhook["url"]:
            raise ApiError(
                409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook first"
            )
        self._polls += 1
        mine = self._polls
        self._allowed = params.get("allowed_updates", self._allowed)
        if "offset" in params:
            self._confirm_below(int(params["offset"]))
        deadline = time.monotonic() + float(params.get("timeout", 0))
        self.stir()
        while not self.pending and (left := deadline - time.monotonic()) > 0:
            changed = self._next_change()
            await asyncio.wait({changed}, timeout=left)
            if self._polls != mine:
                raise ApiError(
                    409, "Conflict: terminated by other getUpdates request; make sure that only one bot runs"
                )
            if self._revoked:
                raise ApiError(401, "Unauthorized")
        batch = self.pending[: int(params.get("limit", 100))]
        for entry in batch:
            entry.served = True
        return [entry.update for entry in batch]

    def _next_change(self) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watchers = [watcher for watcher in self._watchers if not watcher.done()]
        self._watchers.append(future)
        return future

    def _confirm_below(self, offset: int) -> None:
        kept = []
        for entry in self.pending:
            number = entry.update.get("update_id", 0) if isinstance(entry.update, dict) else 0
            if entry.served and isinstance(number, int) and number < offset:
                self.confirmed.append(number)
            else:
                kept.append(entry)
        self.pending = kept

    def _do_send_message(self, params: Json) -> Json:
        chat = self._chat(params)
        text, entities = self._text(params, "text", TEXT_MAX)
        if not text:
            raise ApiError(400, "Bad Request: message text is empty")
        return self._posted(chat, params, text=text, entities=entities)

    def _do_send_document(self, params: Json) -> Json:
        return self._file(params, "document")

    def _do_send_photo(self, params: Json) -> Json:
        upload: Upload = params["photo"]
        if not upload.content.startswith((b"\x89PNG", b"\xff\xd8\xff")):
            raise ApiError(400, "Bad Request: IMAGE_PROCESS_FAILED")
        return self._file(params, "photo")

    def _file(self, params: Json, kind: str) -> Json:
        chat = self._chat(params)
        upload: Upload = params[kind]
        if len(upload.content) > UP_MAX:
            raise ApiError(413, "Request Entity Too Large")
        kept = self._kept(upload.content, upload.name, upload.media_type)
        shown: Json = {"document": {**kept, "file_name": upload.name, "mime_type": upload.media_type}}
        if kind == "photo":
            shown = {"photo": [{**kept, "width": 900, "height": 600}]}
        if params.get("caption"):
            caption, entities = self._text(params, "caption", CAPTION_MAX)
            shown |= {"caption": caption} | ({"caption_entities": entities} if entities else {})
        return self._posted(chat, params, **shown)

    def _do_edit_message_text(self, params: Json) -> Json:
        message = self._editable(params)
        if "text" not in message:
            raise ApiError(400, "Bad Request: there is no text in the message to edit")
        text, entities = self._text(params, "text", TEXT_MAX)
        if not text:
            raise ApiError(400, "Bad Request: message text is empty")
        changed = {**message, "text": text}
        changed.pop("entities", None)
        changed |= {"entities": entities} if entities else {}
        return self._edited(message, changed, params)

    def _do_edit_message_caption(self, params: Json) -> Json:
        message = self._editable(params)
        if "document" not in message and "photo" not in message:
            raise ApiError(400, "Bad Request: there is no caption in the message to edit")
        caption, entities = self._text(params, "caption", CAPTION_MAX)
        changed = {key: value for key, value in message.items() if key not in ("caption", "caption_entities")}
        changed |= {"caption": caption} if caption else {}
        changed |= {"caption_entities": entities} if entities else {}
        return self._edited(message, changed, params)

    def _do_edit_message_reply_markup(self, params: Json) -> Json:
        message = self._editable(params)
        return self._edited(message, dict(message), params)

    def _editable(self, params: Json) -> Json:
        self._chat(params)
        message = self.messages.get((int(params["chat_id"]), int(params["message_id"])))
        if message is None:
            raise ApiError(400, "Bad Request: message to edit not found")
        if message["from"]["id"] != self.bot_id:
            raise ApiError(400, "Bad Request: message can't be edited")
        return message

    def _edited(self, message: Json, changed: Json, params: Json) -> Json:
        changed.pop("reply_markup", None)
        changed |= _keyboard(params)
        if changed == {key: value for key, value in message.items() if key != "edit_date"} | {
            key: value for key, value in changed.items() if key == "edit_date"
        }:
            raise ApiError(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are exactly the "
                "same as a current content and reply markup of the message",
            )
        changed["edit_date"] = DATE + 1
        self.messages[message["chat"]["id"], message["message_id"]] = self._judged(aiogram.types.Message, changed)
        return changed

    def _do_answer_callback_query(self, params: Json) -> bool:
        query = self.queries.get(str(params["callback_query_id"]))
        if query is None or query.stale or query.answer is not None:
            raise ApiError(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        if len(params.get("text", "")) > ANSWER_MAX:
            raise ApiError(400, "Bad Request: MESSAGE_TOO_LONG")
        query.answer = {"text": params.get("text", ""), "alert": str(params.get("show_alert", "")).lower() == "true"}
        return True

    def _do_get_file(self, params: Json) -> Json:
        file_id = str(params["file_id"])
        if file_id not in self.files:
            raise ApiError(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        if len(self.files[file_id].content) > DOWN_MAX:
            raise ApiError(400, "Bad Request: file is too big")
        path = f"documents/{file_id}"
        return {"file_id": file_id, "file_unique_id": f"u{file_id}", "file_path": path}

    async def _download(self, request: web.Request) -> web.StreamResponse:
        fault = self._next_fault("download", {})
        if fault is not None:
            return self._fail(request, fault)
        file = self.files.get(request.match_info["path"].rpartition("/")[2])
        if request.match_info["token"] != self.token or file is None:
            return _refusal(ApiError(404, "Not Found"))
        return web.Response(body=file.content)

    # ── parts ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _chat(self, params: Json) -> Json:
        chat_id = int(params["chat_id"])
        if chat_id not in self.people:
            raise ApiError(400, "Bad Request: chat not found")
        if chat_id in self.blocked:
            raise ApiError(403, "Forbidden: bot was blocked by the user")
        return {"id": chat_id, "type": "private", "first_name": self.people[chat_id]["first_name"]}

    def _text(self, params: Json, name: str, limit: int) -> tuple[str, list[Json]]:
        source = str(params.get(name, ""))
        if params.get("parse_mode") == "HTML":
            try:
                parsed = parse(source)
            except HtmlError as error:
                raise ApiError(400, f"Bad Request: {error}") from None
            text, entities = parsed.text, [*parsed.entities, *detected(parsed)]
        else:
            text, entities = source.strip(), []
        if units(text) > limit:
            what = "message is too long" if limit == TEXT_MAX else "message caption is too long"
            raise ApiError(400, f"Bad Request: {what}")
        return text, entities

    def _posted(self, chat: Json, params: Json, **content: Any) -> Json:
        reply = params.get("reply_parameters")
        answered = self.messages.get((chat["id"], int(reply["message_id"]))) if reply else None
        if reply and answered is None and not reply.get("allow_sending_without_reply"):
            raise ApiError(400, "Bad Request: message to be replied not found")
        me = self._do_get_me({})
        message = {
            "message_id": next(self._message_ids), "date": DATE, "chat": chat,
            "from": {key: me[key] for key in ("id", "is_bot", "first_name", "username")},
            **{key: value for key, value in content.items() if value},
            **_keyboard(params),
        }  # fmt: skip
        if answered is not None:
            message["reply_to_message"] = _bare(answered)
        self.messages[chat["id"], message["message_id"]] = self._judged(aiogram.types.Message, message)
        return message

    def _message(self, user: int, chat: Json | None, reply_to: Json | None, **more: Any) -> Json:
        person = self.people[user]
        where = chat or {"id": user, "type": "private", "first_name": person["first_name"]}
        message = {"message_id": next(self._message_ids), "date": DATE, "chat": where, "from": person, **more}
        if reply_to is not None:
            now = self.messages.get((reply_to["chat"]["id"], reply_to["message_id"]), reply_to)
            message["reply_to_message"] = _bare(now)
        return message

    def _kept(self, content: bytes, name: str, media_type: str, size: int | None = None) -> Json:
        file_id = f"file{next(self._other_ids)}"
        self.files[file_id] = Upload(name, content, media_type)
        return {"file_id": file_id, "file_unique_id": f"u{file_id}", "file_size": size or len(content)}

    def _arrives(self, kind: str, value: Json) -> Json:
        if kind == "message":
            self.messages[value["chat"]["id"], value["message_id"]] = value
        update = {"update_id": next(self._update_ids), kind: copy.deepcopy(value)}
        self._judged(aiogram.types.Update, update)
        if not self._allowed or kind in self._allowed:
            self.sent_updates.append(update)
            self.pending.append(Pending(update))
        self.stir()
        return value

    async def _post_updates(self) -> None:
        """Deliver by webhook, one at a time, again and again until it is taken."""
        async with aiohttp.ClientSession() as session:
            while True:
                if not self.pending or not self.webhook["url"]:
                    await self._next_change()
                    continue
                entry = self.pending[0]
                headers = {"X-Telegram-Bot-Api-Secret-Token": self.webhook["secret"]} if self.webhook["secret"] else {}
                try:
                    async with session.post(self.webhook["url"], json=entry.update, headers=headers) as answer:
                        status = answer.status
                except aiohttp.ClientError:
                    status = 0
                self.deliveries.append((entry.update.get("update_id", 0), status))
                if 200 <= status < 300:
                    self.confirmed.append(entry.update.get("update_id", 0))
                    self.pending = [other for other in self.pending if other is not entry]
                else:
                    await asyncio.sleep(0.01)
                self.stir()


async def _params(request: web.Request) -> Json:
    if request.content_type == "application/json":
        return dict(await request.json())
    found: Json = dict(request.query)
    for key, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            found[key] = Upload(value.filename, value.file.read(), value.content_type)
        else:
            found[key] = value
    for key, value in list(found.items()):
        if isinstance(value, str) and key not in ("text", "caption") and value[:1] in ("{", "["):
            found[key] = json.loads(value)
        if isinstance(value, str) and value.startswith("attach://"):
            found[key] = found.pop(value.removeprefix("attach://"))
    return found


def _keyboard(params: Json) -> Json:
    rows = (params.get("reply_markup") or {}).get("inline_keyboard", [])
    if sum(map(len, rows)) > 100 or any(len(row) > 8 for row in rows):
        raise ApiError(400, "Bad Request: BUTTON_COUNT_INVALID")
    for key in itertools.chain.from_iterable(rows):
        if not key.get("text", "").strip():
            raise ApiError(400, "Bad Request: Text buttons are unallowed in the inline keyboard")
        if "callback_data" in key and not 1 <= len(key["callback_data"].encode()) <= 64:
            raise ApiError(400, "Bad Request: BUTTON_DATA_INVALID")
    return {"reply_markup": {"inline_keyboard": rows}} if rows else {}


def _bare(message: Json) -> Json:
    """A message inside another update: without what it answered itself."""
    return copy.deepcopy({key: value for key, value in message.items() if key != "reply_to_message"})


def _refusal(error: ApiError) -> web.Response:
    answer: Json = {"ok": False, "error_code": error.status, "description": error.description}
    if error.retry_after is not None:
        answer["parameters"] = {"retry_after": error.retry_after}
    return web.json_response(answer, status=error.status)


def _extra(model: object, where: str = "") -> list[str]:
    """Return every field, however deep, that aiogram's models do not know."""
    if isinstance(model, (list, tuple)):
        return [found for item in model for found in _extra(item, f"{where}[]")]
    if not isinstance(model, BaseModel):
        return []
    found = [f"{where}.{name}" for name in (model.model_extra or {})]
    for name in type(model).model_fields:
        found += _extra(getattr(model, name, None), f"{where}.{name}")
    return found
