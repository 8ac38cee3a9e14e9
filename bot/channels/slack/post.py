"""Posting: each thing once, in order, at Slack's pace.

Slack has no idempotency key. So the first block of every message carries our own mark (its ``block_id``), and whenever
an answer was lost, or this process is new and a former one may have died between posting and writing it down, we look
whether the mark stands in the conversation before posting.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from bot.channels.base import UndeliverableError
from bot.channels.slack.blocks import Block, Part
from bot.channels.slack.lane import Clock, Lane, RealClock, Turn
from bot.channels.slack.limits import BLOCK_ID_MAX
from bot.channels.slack.wire import UNSHOWABLE, BusyError, DoubtfulError, RefusedError, Wire, logger

T = TypeVar("T")

MARK = "solo/"
REDELIVERY_S = 600  # a former process may have posted up to this long before we started
LOOK_BACK = 999  # messages looked through for a mark: Slack gives at most this many at once
SKEW_S = 60  # how far our clock may be ahead of Slack's
PATIENCE_S = 90.0  # how long one message is tried before the caller hears "not now"
BACKOFF_S = (1.0, 2.0, 5.0, 10.0, 20.0)
TROUBLE_RETRY_S = 60.0  # when a token or scope is wrong, somebody has to act first
REMEMBERED_MAX = 2_000

Where = tuple[str, str]  # conversation, thread


class UnshowableError(UndeliverableError):
    """Slack does not take what we made. ``stub`` is what to show instead."""

    def __init__(self, refused: RefusedError) -> None:
        super().__init__(str(refused), forever=True)
        text = (
            f"Slack would not show something I have for you ({refused.code}). It is not lost: see it in another "
            "channel or in the local console. This is a mistake of mine; the log has more."
        )
        logger.error("Slack refused what we made (%s). Nothing is lost, but it is not shown there.", refused.code)
        block = {"type": "section", "text": {"type": "plain_text", "text": text, "emoji": False}}
        self.stub = Part(text, (block,))


class Poster:
    """Everything that goes out. ``us`` returns our own user id once it is known; ``note`` hears what only the operator mends."""

    def __init__(
        self,
        wire: Wire,
        us: Callable[[], Awaitable[str]],
        clock: Clock | None = None,
        wall: Callable[[], float] = time.time,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._wire = wire
        self._us = us
        self._note = note
        self._clock: Clock = clock or RealClock()
        self._wall = wall
        self._started = wall()
        self._lanes: dict[str, Lane] = {}
        self._shelves: dict[Where, dict[str, str]] = {}  # mark → ts, of messages a former process may have posted
        self._doubts: OrderedDict[tuple[Where, str], float] = OrderedDict()  # marks whose answer was lost, and since

    def lane(self, conversation: str) -> Lane:
        """Return the line before one conversation."""
        return self._lanes.setdefault(conversation, Lane(self._clock))

    async def part(self, turn: Turn, where: Where, part: Part, mark: str) -> str:
        """Post one message and return its ``ts``, or that of the copy that already stands there.

        Raises:
            UndeliverableError: not now, or never.
        """
        mark = f"{MARK}{mark}"[:BLOCK_ID_MAX]
        conversation, thread = where
        blocks = [{**part.blocks[0], "block_id": mark}, *part.blocks[1:]]

        async def send() -> str:
            if standing := await self._standing(where, mark):
                return standing
            await turn.ready()
            self._doubts[where, mark] = self._wall()
            try:
                sent = await self._wire.call(
                    "chat_postMessage",
                    channel=conversation,
                    text=part.text,
                    blocks=blocks,
                    thread_ts=thread or None,
                    unfurl_links=False,
                    unfurl_media=False,
                    parse="none",
                    link_names=False,
                )
            except (BusyError, RefusedError):
                del self._doubts[where, mark]  # it certainly does not stand there
                raise
            del self._doubts[where, mark]
            return str(sent["ts"])

        try:
            ts = await self.persist(turn, send)
        except UnshowableError as error:
            # Better a line that says so than a card nobody hears of, or one that stops all others behind it.
            blocks, part = list(error.stub.blocks), error.stub
            blocks[0] = {**blocks[0], "block_id": mark}
            ts = await self.persist(turn, send)
        while len(self._doubts) > REMEMBERED_MAX:
            self._doubts.popitem(last=False)
        return ts

    async def find(self, where: Where, mark: str) -> str:
        """Return the ``ts`` of a message that a former process may have posted under a mark, whatever it said.

        Raises:
            UndeliverableError: not now.
        """
        mark = f"{MARK}{mark}"
        try:
            shelf = await self._shelf(where)
        except (BusyError, DoubtfulError) as error:
            raise UndeliverableError(str(error), getattr(error, "retry_after_s", None)) from error
        return next((shelf.pop(each) for each in list(shelf) if each == mark or each.startswith(f"{mark}/")), "")

    async def update(self, turn: Turn, conversation: str, ts: str, part: Part, mark: str = "") -> None:
        """Make a message show something else; the same twice is the same.

        Raises:
            UndeliverableError: not now, or the message is gone.
        """
        first = {**part.blocks[0], "block_id": f"{MARK}{mark}"[:BLOCK_ID_MAX]} if mark else part.blocks[0]

        async def send() -> None:
            await turn.ready("update")
            await self._wire.call(
                "chat_update",
                channel=conversation,
                ts=ts,
                text=part.text,
                blocks=[first, *part.blocks[1:]],
                parse="none",
                link_names=False,
            )

        await self.persist(turn, send)

    async def file(self, turn: Turn, where: Where, name: str, content: bytes) -> None:
        """Share a file; the same name and size just before a restart counts as shared.

        Raises:
            UndeliverableError: not now, or never.
        """
        mark = f"{MARK}file/{name}/{len(content)}"
        shared: list[str] = []

        async def send() -> None:
            if mark in await self._shelf(where):
                return
            if shared and await self._is_shared(shared[-1], where[0]):
                return
            await turn.ready()
            given = await self._wire.call("files_getUploadURLExternal", filename=name, length=len(content))
            await self._wire.upload(str(given["upload_url"]), content)
            shared.append(str(given["file_id"]))
            await self._wire.call(
                "files_completeUploadExternal",
                files=[{"id": shared[-1], "title": name}],
                channel_id=where[0],
                thread_ts=where[1] or None,
            )

        await self.persist(turn, send)

    async def persist(self, turn: Turn, send: Callable[[], Awaitable[T]]) -> T:
        """Do one thing until it is done, Slack says no, or patience ends; then everybody behind hears it too.

        Raises:
            UndeliverableError: not now, or never.
        """
        began = self._clock.now()
        for attempt in range(1_000):
            try:
                done = await send()
            except BusyError as busy:
                wait, why = busy.retry_after_s, str(busy)
            except DoubtfulError as doubt:
                wait, why = BACKOFF_S[min(attempt, len(BACKOFF_S) - 1)], str(doubt)
            except RefusedError as refused:
                if refused.code in UNSHOWABLE:
                    raise UnshowableError(refused) from refused
                if refused.forever:
                    raise UndeliverableError(str(refused), forever=True) from refused
                self._note(str(refused))
                raise self._not_now(turn, str(refused), TROUBLE_RETRY_S) from refused
            else:
                self._note("")
                return done
            if self._clock.now() + wait - began > PATIENCE_S:
                raise self._not_now(turn, why, wait)
            await turn.pause(wait)
        raise self._not_now(turn, "Slack kept refusing", TROUBLE_RETRY_S)

    def _not_now(self, turn: Turn, why: str, wait: float) -> UndeliverableError:
        """Everything behind this one hears the same: else it would overtake, and words would come out of order."""
        error = UndeliverableError(why, wait)
        turn.lane.hold(wait)
        turn.lane.refuse_waiting(error)
        return error

    # ── what already stands there ─────────────────────────────────────────────────────────────────────────────────

    async def _standing(self, where: Where, mark: str) -> str:
        shelf = await self._shelf(where)
        if mark in shelf:
            return shelf.pop(mark)  # once: saying it again on purpose later is saying it again
        if (where, mark) not in self._doubts:
            return ""
        return (await self._look(where, self._doubts[where, mark] - SKEW_S)).get(mark, "")

    async def _shelf(self, where: Where) -> dict[str, str]:
        """Return the marks that a former process may have left here; looked up once."""
        if where not in self._shelves:
            conversation, thread = where
            fresh = bool(thread) and _seconds(thread) > self._started
            addressable = conversation[:1] in {"C", "D", "G"}
            try:
                found = {} if fresh or not addressable else await self._look(where, self._started - REDELIVERY_S)
            except RefusedError:
                found = {}  # no right to read here: then at least once is what we can promise
            self._shelves[where] = found
        return self._shelves[where]

    async def _look(self, where: Where, since: float) -> dict[str, str]:
        conversation, thread = where
        us = await self._us()
        oldest = f"{since:.6f}"
        if thread:
            answer = await self._wire.call(
                "conversations_replies", channel=conversation, ts=thread, oldest=oldest, limit=LOOK_BACK
            )
        else:
            answer = await self._wire.call(
                "conversations_history", channel=conversation, oldest=oldest, limit=LOOK_BACK
            )
        found: dict[str, str] = {}
        for message in answer.get("messages") or ():
            ts = str(message.get("ts", ""))
            if message.get("user") == us and _seconds(ts) >= since:
                found |= dict.fromkeys(_marks(message), ts)
        return found

    async def _is_shared(self, file_id: str, conversation: str) -> bool:
        about = await self._wire.call("files_info", file=file_id)
        shares = (about.get("file") or {}).get("shares") or {}
        return any(conversation in kind for kind in shares.values())


def _marks(message: dict[str, Any]) -> list[str]:
    blocks: Sequence[Block] = message.get("blocks") or ()
    found = [str(blocks[0].get("block_id", ""))] if blocks else []
    found += [f"{MARK}file/{file.get('name')}/{file.get('size')}" for file in message.get("files") or ()]
    return [mark for mark in found if mark.startswith(MARK)]


def _seconds(ts: str) -> float:
    try:
        return float(ts)
    except ValueError:
        return 0.0
