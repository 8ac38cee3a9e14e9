"""What people do in Slack → the house's one Ear. Decides nothing but who is heard at all.

Every method returns only when the input is on disk; `NotWrittenError` travels up, and Slack gets no answer and sends
again. Whatever may take longer (a form, a notice, App Home) happens after the acknowledgement.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from bot.channels import snooze
from bot.channels.base import FIRST_COUNTS, Ear, Home, NotWrittenError, RefusedPressError, UndeliverableError
from bot.channels.slack import payloads, plain, views
from bot.channels.slack.lane import URGENT
from bot.channels.slack.payloads import Click, Heard
from bot.channels.slack.people import People, Person, actor, stranger
from bot.channels.slack.post import Poster
from bot.channels.slack.received import FILES_MAX, Received, UnfetchedError
from bot.channels.slack.wire import BusyError, DoubtfulError, RefusedError, Wire
from memory.events import Actor, Attachment, Place

logger = logging.getLogger("soloist.slack")

SPOKEN = frozenset({"", "file_share", "thread_broadcast", "me_message"})  # subtypes that are a person's own words
TOLD_AGAIN_S = 3600  # a stranger is answered once an hour, and the operator told as often
TOLD_MAX = 1_000
ECHO_MAX = 200
REFS_MAX = 1_000
VERBS = frozenset({
    "approve", "reject", "edit", "revise", "snooze", "like", "undo", "arrived", "again", "drop", "agree", "disagree", "say",
})  # fmt: skip
NO_CARD = "That card is not here any more."
NO_FORM = (
    "Slack did not open the form ({}). Press Edit again, or reply in the card's thread with what should be different."
)


@dataclass(frozen=True)
class Refusal:
    """Somebody who does not count tried something. For the operator's eyes."""

    actor: Actor
    place: Place
    what: str  # "a message", "a button", "a form", "a command", "a pairing code"
    reason: str


class Hearing:
    """The inbound half of the channel."""

    def __init__(
        self,
        *,
        wire: Wire,
        poster: Poster,
        people: People,
        received: Received,
        home_view: Callable[[], Home] | None,
        refused: Callable[[Refusal], Awaitable[None]] | None,
        zone: tzinfo,
        commands: Collection[str] = (),
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._commands = frozenset(command.lstrip("/") for command in commands)
        self._wire = wire
        self._poster = poster
        self._people = people
        self._received = received
        self._home_view = home_view
        self.has_home = home_view is not None
        self._on_refused = refused
        self._zone = zone
        self._wall = wall
        self._told: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._dms: dict[str, str] = {}
        self._refs: OrderedDict[tuple[str, str], str] = OrderedDict()
        self.at_home: OrderedDict[str, str] = OrderedDict()  # whose App Home is kept up to date: user → team
        self._at_home_now: dict[str, dict[str, Any]] = {}  # user → what it shows
        self.us = ""
        self.ear: Ear | None = None
        self.group: asyncio.TaskGroup | None = None

    # ── words ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def message(self, body: dict[str, Any]) -> None:
        """Take in a message or a mention."""
        said = payloads.heard(body)
        if said.subtype == "message_changed":
            self._changed(body)
            return
        if said.user == self.us or said.subtype not in SPOKEN | {"bot_message"}:
            return
        place = self._place(said)
        text = self._addressed(said)
        reply_to = self._card_under(said) if said.thread else None
        if text is None and reply_to is None:
            return  # talk among people
        person = self._people.find(said.team, said.user)
        if said.bot or person is None:
            called = said.direct or said.kind == "app_mention"
            if said.direct and not said.bot and (code := _code(text or "")):
                await self._pair(said.team, said.user, code, place)
            elif called:
                await self._refuse(said.team, said.user or said.bot, place, "a message", answer=not said.bot)
            return
        if said.direct:
            self._dms[said.user] = said.channel
        files, missing = await self._files(said)
        words = plain.typed(said.raw).strip() if text is None else text
        if words or files:
            await self._hear(said.event_id, words, person, place, files=files, reply_to=reply_to or "")
        for problem in missing:
            self.later(self._tell(place, said.user, problem))

    def _changed(self, body: dict[str, Any]) -> None:
        """Say that what was sent first counts; a link that Slack unfolds, and our own edits, change no words."""
        changed = payloads.changed(body)
        if changed is None or (person := self._people.find(changed.team, changed.user)) is None:
            return
        if changed.direct or f"<@{self.us}" in changed.raw or changed.raw.startswith("!"):
            place = Place(channel="slack", conversation=changed.channel, thread=changed.thread, message=changed.ts)
            self.later(self._tell(place, person.user, FIRST_COUNTS))

    async def command(self, body: dict[str, Any]) -> str:
        """Take in a slash command; return what only the person who typed it sees."""
        typed = payloads.command(body)
        person = self._people.find(typed.team, typed.user)
        code = None if person and self._people.operator() else _code(typed.text)
        if code is None and person is not None:
            # What is said about the company stays between us: commands are answered in the direct messages.
            dm = await self._dm(typed.user)
            try:
                await self._ear().heard(
                    typed.event_id,
                    self._as_command(typed.text or "help"),
                    actor(person, typed.name),
                    Place(channel="slack", conversation=dm),
                )
            except RefusedPressError as refused:
                return plain.mrkdwn(str(refused))
            where = "" if typed.channel == dm else " The answer comes in our direct messages."
            return f"Taken in: {plain.mrkdwn(plain.cut(plain.prose(typed.text or 'help'), ECHO_MAX))}{where}"
        place = Place(channel="slack", conversation=typed.user)
        if code is not None:
            return await self._pair(typed.team, typed.user, code, place, answer=False)
        return await self._refuse(typed.team, typed.user, place, "a command", answer=False)

    async def _pair(self, team: str, user: str, code: str, place: Place, *, answer: bool = True) -> str:
        paired, sentence = await self._people.pair(team, user, code)
        if paired:
            await self._dm(user)  # cards go there from now on
        else:
            await self._refuse(team, user, place, "a pairing code", answer=False)
        if answer:
            self.later(self._tell(place, user, sentence))
        return plain.mrkdwn(sentence)

    async def _hear(
        self,
        event_id: str,
        text: str,
        person: Person,
        place: Place,
        *,
        files: tuple[Attachment, ...],
        reply_to: str,
    ) -> None:
        try:
            await self._ear().heard(event_id, text, actor(person), place, files=files, reply_to=reply_to)
        except RefusedPressError as refused:
            self.later(self._tell(place, person.user, str(refused)))

    def _addressed(self, said: Heard) -> str | None:
        """Return what is said to us, or None when it is not."""
        mentioned = bool(self.us) and f"<@{self.us}" in said.raw
        if said.kind == "app_mention":
            # A mention in a direct message comes as a message as well, and a bot's channel post is one anyway.
            return None if said.direct else payloads.without_mention(said.raw, self.us) or "help"
        if said.direct:
            text = payloads.without_mention(said.raw, self.us) if mentioned else said.text.strip()
            return self._as_command(text[1:].strip()) if text.startswith("!") else text
        if mentioned:
            return None  # the same words come as app_mention, under their own event id
        text = said.text.strip()
        if text.startswith("!") and len(text) > 1 and text[1].isalpha():
            return self._as_command(text[1:].strip())
        return None

    def _as_command(self, text: str) -> str:
        """Return "/back" for the "back" of "/solo back" and "!back": as a sentence it could mean anything."""
        word = text.partition(" ")[0].partition("\n")[0].casefold()
        return f"/{text}" if word in self._commands else text

    def _card_under(self, said: Heard) -> str | None:
        mentioned = bool(self.us) and f"<@{self.us}" in said.raw
        if said.kind != "app_mention" and mentioned and not said.direct:
            return None
        ref = self._refs.get((said.channel, said.thread), said.thread)
        found = self._ear().card_of("slack", said.channel, ref)
        # A card that went to the person before their conversation was known is kept under the person's id.
        return found or (self._ear().card_of("slack", said.user, ref) if said.direct else None)

    def know_card(self, conversation: str, main: str, ref: str) -> None:
        """Remember the whole reference of a card by the message whose thread it has."""
        self._refs[conversation, main] = ref
        while len(self._refs) > REFS_MAX:
            self._refs.popitem(last=False)

    def _place(self, said: Heard) -> Place:
        thread = said.thread or ("" if said.direct else said.ts)
        return Place(channel="slack", conversation=said.channel, thread=thread, message=said.ts)

    async def _files(self, said: Heard) -> tuple[tuple[Attachment, ...], list[str]]:
        files: list[Attachment] = []
        missing: list[str] = []
        for sent in said.files[:FILES_MAX]:
            try:
                content = await self._received.fetch(sent, self._group())
            except UnfetchedError as problem:
                missing.append(str(problem))
            else:
                files.append(self._ear().keep(content, sent.name, sent.media_type))
        if len(said.files) > FILES_MAX:
            missing.append(f"I take up to {FILES_MAX} files with one message; send the others again.")
        return tuple(files), missing

    # ── buttons and forms ─────────────────────────────────────────────────────────────────────────────────────────

    async def click(self, body: dict[str, Any]) -> None:
        """Take in a press."""
        pressed = payloads.click(body)
        place = Place(channel="slack", conversation=pressed.channel, thread=pressed.thread, message=pressed.ts)
        person = self._people.find(pressed.team, pressed.user)
        ours = pressed.ours and pressed.verb in VERBS
        if person is None or not ours:
            reason = "" if ours else "That is not a button of mine."
            sentence = await self._refuse(pressed.team, pressed.user, place, "a button", reason=reason, answer=False)
            self.later(self._respond(pressed, sentence))
            return
        if pressed.at_home:
            place = Place(channel="slack", conversation=await self._dm(pressed.user))
        if pressed.verb == "edit":
            self.later(self._open_form(pressed, place))
            return
        try:
            sentence = await self._press(pressed, person, place)
        except RefusedPressError as refused:
            sentence = str(refused)
        self.later(self._respond(pressed, sentence))

    async def _press(self, pressed: Click, person: Person, place: Place) -> str:
        who = actor(person, pressed.name)
        if pressed.verb == "say" and pressed.handle.startswith("say "):
            await self._ear().heard(pressed.event_id, pressed.handle.removeprefix("say "), who, place)
            return ""
        reason, until = "", None
        if pressed.verb == "snooze":
            until = snooze.until(pressed.key, datetime.fromtimestamp(self._wall(), self._zone), self._zone)
        elif pressed.verb == "reject" and pressed.key.isdigit():
            card = self._ear().card(pressed.card)
            reasons = card.reject_reasons if card else ()
            reason = reasons[int(pressed.key)] if int(pressed.key) < len(reasons) else ""
        return await self._ear().pressed(
            pressed.event_id, pressed.handle, pressed.verb, who, place, reason=reason, until=until
        )

    async def _open_form(self, pressed: Click, place: Place) -> None:
        card = self._ear().card(pressed.card)
        if card is None or card.state not in {"pending", "snoozed"}:
            await self._respond(pressed, card.outcome if card and card.outcome else NO_CARD)
            return
        ticket = views.Ticket(card.id, pressed.handle, place.conversation, place.thread, place.message)
        try:
            await self._wire.call("views_open", trigger_id=pressed.trigger, view=views.form(card, ticket))
        except (BusyError, DoubtfulError, RefusedError) as error:
            # Slack waits 3 s for a form, and on a slow line they are over.
            logger.warning("A form was not opened: %s", error)
            await self._respond(pressed, NO_FORM.format(getattr(error, "code", "") or "no answer"))

    async def submission(self, body: dict[str, Any]) -> dict[str, Any] | None:
        """Take in a form; return what Slack shall do with it (None: close it)."""
        form = payloads.submission(body)
        ticket = form.ticket
        place = Place(channel="slack", conversation=ticket.conversation, thread=ticket.thread, message=ticket.message)
        person = self._people.find(form.team, form.user)
        if person is None:
            sentence = await self._refuse(form.team, form.user, place, "a form", answer=False)
            return _error(form.first_field, sentence)
        changed = views.edits(form.values, self._ear().card(ticket.card))
        if not changed:
            return _error(form.first_field, "Nothing is changed yet.")
        try:
            sentence = await self._ear().pressed(
                form.event_id, ticket.handle, "edit", actor(person, form.name), place, edits=changed
            )
        except RefusedPressError as refused:
            return _error(form.first_field, str(refused))
        if sentence:
            self.later(self._tell(place, form.user, sentence))
        return None

    # ── App Home ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def home_opened(self, body: dict[str, Any]) -> None:
        """Show App Home after the acknowledgement; nothing is taken in."""
        event = body.get("event") or {}
        user = payloads.text_at(event, "user")
        if payloads.text_at(event, "tab") in {"", "home"} and user:
            self.later(self.publish(payloads.text_at(body, "team_id"), user))

    async def publish(self, team: str, user: str, notice: str = "", *, again: bool = True) -> None:
        """Show App Home as it is now; not ``again`` what it shows already."""
        if self._people.find(team, user) is None:
            self.at_home.pop(user, None)
            view = views.door(self._people.refusal())
        else:
            self.at_home[user] = team
            view = views.home(self._home_view() if self._home_view else Home(), notice)
        if again or self._at_home_now.get(user) != view:
            await self._wire.call("views_publish", user_id=user, view=view)
            self._at_home_now[user] = view

    # ── answers that are no part of the history ───────────────────────────────────────────────────────────────────

    async def _respond(self, pressed: Click, sentence: str) -> None:
        """Tell whoever pressed, and nobody else."""
        if not sentence:
            return
        if pressed.at_home:
            await self.publish(pressed.team, pressed.user, sentence)
        else:
            place = Place(channel="slack", conversation=pressed.channel, thread=pressed.thread)
            await self._tell(place, pressed.user, sentence)

    async def _tell(self, place: Place, user: str, sentence: str) -> None:
        """Say a line that only this person sees."""
        async with self._poster.lane(place.conversation).turn(URGENT) as turn:
            await turn.ready("aside")
            to_person = place.conversation == user
            await self._wire.call(
                "chat_postMessage" if to_person else "chat_postEphemeral",
                channel=place.conversation,
                text=plain.mrkdwn(sentence),
                thread_ts=place.thread or None,
                parse="none",
                link_names=False,
                **({"unfurl_links": False, "unfurl_media": False} if to_person else {"user": user}),
            )

    async def _refuse(self, team: str, user: str, place: Place, what: str, *, answer: bool, reason: str = "") -> str:
        sentence = reason or self._people.refusal()
        now = self._wall()
        last = self._told.get((team, user))
        if last is None or not 0 <= now - last < TOLD_AGAIN_S:
            self._told[team, user] = now
            while len(self._told) > TOLD_MAX:
                self._told.popitem(last=False)
            if self._on_refused is not None:
                self.later(self._on_refused(Refusal(stranger(team, user), place, what, sentence)))
            if answer:
                self.later(self._tell(place, user, sentence))
        return sentence

    async def dm(self, user: str) -> str:
        """Return the conversation with one person; the user's id, which Slack takes too, when it cannot be asked."""
        return await self._dm(user)

    def known_dm(self, user: str) -> str:
        """Return the conversation with one person as far as it is known."""
        return self._dms.get(user, user)

    async def _dm(self, user: str) -> str:
        if user not in self._dms:
            try:
                async with asyncio.timeout(1.0):
                    opened = await self._wire.call("conversations_open", users=user)
                self._dms[user] = str(opened["channel"]["id"])
            except (BusyError, DoubtfulError, RefusedError, TimeoutError, KeyError, TypeError):
                return user
        return self._dms[user]

    def later(self, work: Coroutine[Any, Any, None] | Awaitable[None]) -> None:
        """Do something after the acknowledgement; when it fails, the history does not depend on it."""
        self._group().create_task(_calmly(work))

    def _ear(self) -> Ear:
        if self.ear is None:
            raise NotWrittenError("Soloist is starting.")
        return self.ear

    def _group(self) -> asyncio.TaskGroup:
        if self.group is None:
            raise NotWrittenError("Soloist is starting.")
        return self.group


def _code(text: str) -> str | None:
    word, _, rest = text.strip().partition(" ")
    return rest.strip() if word.lower() == "pair" else None


def _error(block: str, sentence: str) -> dict[str, Any]:
    return {"response_action": "errors", "errors": {block: sentence}}


async def _calmly(work: Awaitable[None]) -> None:
    try:
        await work
    except (BusyError, DoubtfulError, RefusedError, UndeliverableError) as error:
        logger.warning("Slack did not show something that is not kept: %s", error)
    except Exception:
        # The outer rim: a notice that fails must not take the channel down with it.
        logger.exception("Something after an acknowledgement failed.")
