"""What people do in Telegram, handed to the `Ear`: who it was is settled here before a word is read.

Only the paired operator and the delegates are heard, in their private chat with the bot. Everybody else gets one
neutral sentence, once, and the operator is told, once. Text that somebody else wrote (forwarded, or sent by way of
another bot) is kept as a file: it is material, never an order.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from telegram import CallbackQuery, Chat, MaybeInaccessibleMessage, Message, Update, User

from bot.channels import snooze
from bot.channels.base import FIRST_COUNTS, Card, Ear, NotWrittenError, RefusedPressError
from bot.channels.telegram import drafts, presses
from bot.channels.telegram.cards import is_draft, marked_card
from bot.channels.telegram.clock import Clock
from bot.channels.telegram.contents import file_of, unheard, words
from bot.channels.telegram.pairing import Pairing
from bot.channels.telegram.presses import Keyboard, Press
from bot.channels.telegram.spans import units
from bot.channels.telegram.wire import DOWN_BYTES_MAX, FloodedError, RefusedCallError, UnreachableError, Wire, WireError
from memory.events import Actor, Attachment, Origin, Place

ANSWER_MAX = 200  # core.telegram.org/bots/api#answercallbackquery
PATIENCE_S = 1.5  # an unanswered button spins; 20 s was found to be too late, the limit is undocumented
STRANGERS_MAX = 500  # remembered, so that each is answered and reported once; later ones get silence
FETCHES_MAX = 3  # attempts at one file
REASONS = ("Wrong recipient", "Wrong amount", "Wrong tone", "Not now")  # where the card names none and is out of reach

PRIVATE = "This bot is private."
NOT_PAIRED = "This bot is not paired with anybody yet. Send it the code that it printed when it was started."
PAIRED = "Paired. From now on I answer you, and nobody else. Type /help to see what I can do."
ALONE_ONLY = "I answer you here and nowhere else: in a group the others would read along."
NOT_YOURS = "This button is not for you."
MEANINGLESS = "This button means nothing here. Nothing was done."
WORKING = "Writing it down…"
MAY_BE_CUT = "That is so long that Telegram may have cut it in two. Send it back as a .txt file, please."
REPLY_INSTEAD = "Reply to this card with what should be different."
OUR_FAULT = "Something went wrong on my side with your last message. It is in the log; please say it again."

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mouth:
    """How an answer leaves: each returns at once, and what cannot be delivered is only logged."""

    tell: Callable[[int, str, int | None], None]  # chat, text, message it answers
    rekey: Callable[[int, int, Keyboard], None]  # chat, message, buttons
    draft: Callable[[int, Card], None]  # chat, card whose fields are sent to be sent back


class Hearing:
    """Takes updates one by one; returns when the Ear has them on disk."""

    def __init__(
        self,
        wire: Wire,
        ear: Ear,
        pairing: Pairing,
        delegates: Collection[int],
        mouth: Mouth,
        *,
        bot_id: str,
        clock: Clock,
        zone: ZoneInfo,
        refused: Callable[[Actor, str], Awaitable[None]],
        spawn: Callable[[Coroutine[Any, Any, Any]], asyncio.Task[Any]],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._wire = wire
        self._ear = ear
        self._pairing = pairing
        self._delegates = delegates
        self._mouth = mouth
        self._bot_id = bot_id
        self._clock = clock
        self._zone = zone
        self._refused = refused
        self._spawn = spawn
        self._patience_s = patience_s
        self._reported: set[tuple[str, str]] = set()
        self._in_order = asyncio.Lock()

    async def take(self, update: Update, *others: Update) -> None:
        """Take in one update, or all of an album as one message. The outer rim: our own mistake costs one message.

        Raises:
            NotWrittenError: It is not on disk; Telegram must send it again.
        """
        try:
            if update.callback_query is not None:
                await self._press(update.update_id, update.callback_query)
            elif update.message is not None:
                async with self._in_order:
                    await self._message(update, *others)
            elif update.edited_message is not None:
                self._edited(update.edited_message)
        except NotWrittenError:
            raise
        except Exception:  # noqa: BLE001 - the outer rim, named above
            _log.exception("Telegram update %s could not be handled", update.update_id)
            self._apologise(update)

    def _apologise(self, update: Update) -> None:
        try:
            user, chat = update.effective_user, update.effective_chat
            if user and chat and self._actor(user, chat) is not None:
                self._mouth.tell(chat.id, OUR_FAULT, None)
        except Exception:  # noqa: BLE001 - an update broken enough to break this has nobody to apologise to
            _log.debug("nobody to tell", exc_info=True)

    # ── who ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _actor(self, user: User | None, chat: Chat | None) -> Actor | None:
        """Return who this is, or None for everybody this house does not answer to.

        Decided by the stable id alone, in a private chat alone: a group would show cards to its other members.
        """
        if user is None or chat is None or user.is_bot or chat.type != Chat.PRIVATE or chat.id != user.id:
            return None
        if user.id == self._pairing.user_id:
            return self._person(user, Origin.OPERATOR)
        if user.id in self._delegates:
            return self._person(user, Origin.DELEGATE)
        return None

    def _knows(self, user: User) -> bool:
        return user.id == self._pairing.user_id or user.id in self._delegates

    def _person(self, user: User, origin: Origin) -> Actor:
        name = str(user.full_name or "")[:128]
        return Actor(platform="telegram", user=str(user.id), account=self._bot_id, name=name, origin=origin)

    async def _stranger(self, user: User | None, chat: Chat | None, what: str) -> bool:
        """Report a stranger once; return whether this was the first time."""
        known = (str(user.id if user else chat.id if chat else 0), what)
        if known in self._reported or len(self._reported) >= STRANGERS_MAX:
            return False
        self._reported.add(known)
        actor = self._person(user, Origin.STRANGER) if user else Actor(platform="telegram", origin=Origin.STRANGER)
        await self._refused(actor, what)
        return True

    # ── messages ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _message(self, update: Update, *others: Update) -> None:
        messages = [each.message for each in (update, *others) if each.message is not None]
        message = messages[0]
        actor = self._actor(message.from_user, message.chat)
        if actor is None:
            await self._outsider(message)
            return
        place = Place(channel="telegram", conversation=str(message.chat.id), message=str(message.message_id))
        event_id = ".".join([f"u{update.update_id}", *(f"m{each.message_id}" for each in messages)])
        text = "\n".join(filter(None, map(words, messages)))
        foreign = any(each.forward_origin is not None or each.via_bot is not None for each in messages)
        files: tuple[Attachment, ...] = ()
        problems: list[str] = []
        for each in messages:
            kept, missing = await self._files(each)
            files, problems = (*files, *kept), [*problems, *missing]
        if foreign and text:
            # Somebody else's words in the operator's message: material, not an order.
            files = (*files, self._ear.keep(text.encode(errors="replace"), "forwarded.txt", "text/plain"))
            text = ""
        for problem in problems:
            self._mouth.tell(message.chat.id, problem, message.message_id)
        if not text and not files:
            if not problems and (sentence := unheard(message)):
                self._mouth.tell(message.chat.id, sentence, message.message_id)
            return
        try:
            if await self._is_sent_back(event_id, message, text, files, actor=actor, place=place):
                return
            await self._ear.heard(
                event_id, text, actor, place, files=files, reply_to=self._card_answered(message) or ""
            )
        except RefusedPressError as refusal:
            self._mouth.tell(message.chat.id, str(refusal), message.message_id)

    async def _outsider(self, message: Message) -> None:
        user, chat = message.from_user, message.chat
        if user is not None and not user.is_bot and self._knows(user) and chat.id != user.id:
            if ("group", str(user.id)) not in self._reported:
                self._reported.add(("group", str(user.id)))
                self._mouth.tell(user.id, ALONE_ONLY, None)
            return
        alone = user is not None and not user.is_bot and chat.type == Chat.PRIVATE and chat.id == user.id
        if user is not None and alone and await self._pairing.attempt(words(message), user.id, chat.id):
            self._mouth.tell(chat.id, PAIRED, None)
            return
        if await self._stranger(user, chat, "wrote to the bot") and alone:
            self._mouth.tell(chat.id, PRIVATE if self._pairing.user_id is not None else NOT_PAIRED, None)

    def _edited(self, message: Message) -> None:
        # A live location is edited every few seconds, without a word.
        if words(message) and self._actor(message.from_user, message.chat) is not None:
            self._mouth.tell(message.chat.id, FIRST_COUNTS, message.message_id)

    def _card_answered(self, message: Message) -> str | None:
        answered = message.reply_to_message
        return self._card_at(message.chat.id, answered.message_id, answered) if answered is not None else None

    def _card_at(self, chat: int, message_id: int, message: object) -> str | None:
        """Return the card a message shows: as recorded, else by the mark every message of a card starts with.

        The mark counts on our own messages alone, and a mark in somebody's words never stands first in one of them.
        """
        recorded = self._ear.card_of("telegram", str(chat), str(message_id))
        if recorded is not None and self._ear.card(recorded) is not None:
            return recorded
        marked = marked_card(self._own_text(message))
        return marked if marked is not None and self._ear.card(marked) is not None else None

    def _own_text(self, message: object) -> str:
        if not isinstance(message, Message) or message.from_user is None or str(message.from_user.id) != self._bot_id:
            return ""
        return message.text or message.caption or ""

    async def _is_sent_back(
        self, event_id: str, message: Message, text: str, files: tuple[Attachment, ...], *, actor: Actor, place: Place
    ) -> bool:
        """Take a draft that came back as the edit it is; return whether it was one."""
        own = self._own_text(message.reply_to_message)
        card = self._ear.card(marked_card(own) or "") if is_draft(own) else None
        if card is None:
            return False
        is_file = not text and len(files) == 1 and files[0].media_type.startswith("text/")
        if is_file:
            text = self._ear.file(files[0]).decode("utf-8-sig", errors="replace")
        if not is_file and units(text) >= drafts.SURELY_WHOLE_MAX:
            # Clients cut what is longer than a message in two, and half a letter is no edit.
            self._mouth.tell(message.chat.id, MAY_BE_CUT, message.message_id)
            return True
        changed = drafts.edits(card, text)
        edit = next((button for button in card.buttons if button.verb == "edit"), None)
        if changed is None or edit is None:
            return False
        if not changed:
            self._mouth.tell(message.chat.id, "Nothing in it was changed, so the card stays as it is.", None)
            return True
        sentence = await self._ear.pressed(event_id, edit.handle, "edit", actor, place, edits=dict(changed))
        if sentence:
            self._mouth.tell(message.chat.id, sentence, None)
        return True

    # ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _files(self, message: Message) -> tuple[tuple[Attachment, ...], list[str]]:
        """Return what came with a message, kept, and sentences about what could not be fetched."""
        file = file_of(message)
        if file is None:
            return (), []
        too_large = (
            f"Telegram lets a bot fetch files of up to 20 MB, and {file.name} has {file.size / 1e6:.0f} MB. "
            "Send a smaller one, or put it on the console."
        )
        if file.size > DOWN_BYTES_MAX:
            return (), [too_large]
        for attempt in range(FETCHES_MAX):
            try:
                content = await self._wire.download(file.id)
            except RefusedCallError as refusal:
                reason = (
                    too_large if "too big" in str(refusal).lower() else f"Telegram would not hand over {file.name}."
                )
                return (), [reason]
            except FloodedError as flood:
                await self._clock.sleep(flood.retry_after_s)
            except (UnreachableError, WireError):
                await self._clock.sleep(2.0**attempt)
            else:
                return (self._ear.keep(content, file.name, file.media_type),), []
        return (), [f"I could not fetch {file.name} from Telegram. Please send it again."]

    # ── presses ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _press(self, update_id: int, query: CallbackQuery) -> None:
        message = query.message
        chat = message.chat if message is not None else None
        actor = self._actor(query.from_user, chat)
        if actor is None or message is None or chat is None:
            await self._stranger(query.from_user, chat, "pressed a button")
            await self._answer(query.id, NOT_YOURS, alert=True)
            return
        press = presses.read(str(query.data or ""))
        if press is None or not self._is_ours(message):
            await self._stranger(query.from_user, chat, "sent a forged button")
            await self._answer(query.id, MEANINGLESS, alert=True)
            return
        event_id = f"u{update_id}.c{query.id}"
        place = Place(channel="telegram", conversation=str(chat.id), message=str(message.message_id))
        if press.step == "type":
            await self._result(query.id, chat.id, self._ear.heard(event_id, press.choice, actor, place), silent=True)
        elif press.step == "press" and press.verb != "edit":
            await self._result(query.id, chat.id, self._pressed(event_id, press, query, actor, place))
        else:
            await self._step(query.id, press, chat.id, message)

    def _is_ours(self, message: MaybeInaccessibleMessage) -> bool:
        """Return whether the buttons hang on a message of ours."""
        if not isinstance(message, Message) or message.date.timestamp() == 0:
            return True  # an old one comes with date 0, without its text and its sender; only the id of the chat counts
        return message.from_user is not None and str(message.from_user.id) == self._bot_id

    async def _pressed(self, event_id: str, press: Press, query: CallbackQuery, actor: Actor, place: Place) -> str:
        now = self._clock.now()
        until = snooze.until(presses.SNOOZES[press.choice], now, self._zone) if press.verb == "snooze" else None
        reason = self._reason(press, query) if press.verb == "reject" and press.choice else ""
        return await self._ear.pressed(event_id, press.handle, press.verb, actor, place, reason=reason, until=until)

    def _reason(self, press: Press, query: CallbackQuery) -> str:
        """Return the words of a one-tap reason: they stand on the button itself, in Telegram's copy of the keyboard."""
        message = query.message
        if isinstance(message, Message) and message.reply_markup is not None:
            for row in message.reply_markup.inline_keyboard:
                for button in row:
                    if button.callback_data == query.data:
                        return button.text
        card = self._shown(message) if message is not None else None
        reasons = card.reject_reasons if card is not None else ()
        return reasons[int(press.choice)] if int(press.choice) < len(reasons) else ""

    def _shown(self, message: object) -> Card | None:
        chat, message_id = getattr(message, "chat", None), getattr(message, "message_id", 0)
        card_id = self._card_at(chat.id, message_id, message) if isinstance(chat, Chat) else None
        return self._ear.card(card_id) if card_id is not None else None

    async def _step(self, query_id: str, press: Press, chat: int, message: object) -> None:
        """Do what changes nothing yet: open a second keyboard, go back, hand out the draft."""
        card = self._shown(message)
        message_id = int(getattr(message, "message_id", 0))
        if card is not None and card.state not in ("pending", "snoozed") and press.verb != "undo":
            await self._answer(query_id, card.outcome or "This card is settled already.", alert=True)
            self._mouth.rekey(chat, message_id, presses.card_keyboard(card))
            return
        if press.step == "press":
            await self._edit(query_id, chat, card)
            return
        button = (
            next((b for b in card.buttons if b.handle == press.handle and b.verb == press.verb), None) if card else None
        )
        if press.step == "back":
            keys = presses.card_keyboard(card) if card is not None else ()
            await self._answer(query_id, "" if card else "I cannot find this card any more.")
            if card is None:
                return
        elif press.step == "confirm":
            label = button.label if button else press.verb.capitalize()
            keys = presses.confirm_keyboard(press.handle, press.verb, label)
            await self._answer(query_id, button.confirm if button else "Are you sure?", alert=True)
        elif press.verb == "snooze":
            keys = presses.snooze_keyboard(press.handle, self._clock.now(), self._zone)
            await self._answer(query_id, "Until when?")
        elif press.verb == "reject":
            keys = presses.reasons_keyboard(press.handle, (card.reject_reasons if card else ()) or REASONS)
            await self._answer(query_id, "Why?")
        else:
            await self._answer(query_id, MEANINGLESS, alert=True)
            return
        self._mouth.rekey(chat, message_id, keys)

    async def _edit(self, query_id: str, chat: int, card: Card | None) -> None:
        if card is None or not card.fields:
            await self._answer(query_id, REPLY_INSTEAD, alert=True)
            return
        await self._answer(query_id, "Change the draft below and send it back.")
        self._mouth.draft(chat, card)

    async def _result(self, query_id: str, chat: int, work: Awaitable[str], *, silent: bool = False) -> None:
        """Answer with what the Ear says; when that takes long, answer first and say it after."""
        task: asyncio.Task[str | Exception] = self._spawn(_outcome(work))
        await asyncio.wait({task}, timeout=self._patience_s)
        late = not task.done()
        if late:
            await self._answer(query_id, WORKING)
        outcome = await task
        refused = isinstance(outcome, RefusedPressError)
        if isinstance(outcome, Exception) and not refused:
            raise outcome
        sentence = "" if silent and not refused else str(outcome)
        if late and sentence:
            self._mouth.tell(chat, sentence, None)
        if not late:
            await self._answer(query_id, sentence, alert=refused)

    async def _answer(self, query_id: str, text: str, *, alert: bool = False) -> None:
        text = text if len(text) <= ANSWER_MAX else text[: ANSWER_MAX - 1] + "…"
        try:
            await self._wire.answer(query_id, text, alert=alert)
        except WireError as error:
            # Too old, or the network: the press is on disk, and the card itself will show what became of it.
            _log.info("A button could not be answered: %s", error)


async def _outcome(work: Awaitable[str]) -> str | Exception:
    """Return the Ear's sentence, or what it raised: an error of one press must not end the task group."""
    try:
        return await work
    except Exception as error:  # noqa: BLE001 - raised again where the press is handled
        return error
