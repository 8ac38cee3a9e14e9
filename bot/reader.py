"""Hands the understanding what it needs to know: the clients on the books, and the question that was just asked."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec.structs import replace
from sqlalchemy import bindparam, select

from agents.base import Intent
from agents.slots import find_spans
from bot import plans, replanning
from bot.conversation import Conversation
from bot.deciding.hearing import ANSWER
from bot.goals import Goals
from bot.intents import Reading, Understanding
from bot.reading import smalltalk
from bot.reading.slotkinds import slots_of
from bot.state import TaskState
from connectors.base import Json
from memory.database import Database
from memory.events import MessageReceived, Origin, Place, Said, Step, Understood
from memory.prepared import Prepared
from memory.projections import Books, cards, turns

Material = Sequence[tuple[Origin, str]]
"""Quoted words for a model, each with whose they are."""
SURE_PCT = 85  # from which words that could answer a question are a request of their own
_LEAVE_OUT = re.compile(r"(?:leave (?:it|that) out|skip(?: it| that)?|drop (?:it|that))[.!]*", re.IGNORECASE)
_AGAIN = re.compile(r"(?:try )?(?:it )?again[.!]*|done[.!]*|i have[.!]*", re.IGNORECASE)
LOOK_BACK = 6  # turns in which an open question is looked for
_NEWEST = Prepared(
    select(turns.c.task, turns.c.ref)
    .where(turns.c.task != bindparam("task"), turns.c.kind == bindparam("kind"))
    .order_by(turns.c.n.desc())
    .limit(LOOK_BACK)
)
_PENDING = Prepared(
    select(cards.c.id, cards.c.title)
    .where(cards.c.state == "pending", cards.c.kind == bindparam("kind"))
    .order_by(cards.c.at.desc(), cards.c.task.desc())
)
LESSONS_SHOWN_MAX = 30
_LESSONS = re.compile(
    r"\s*(?:[/!]taught|what (?:did|have) i (?:teach|taught) you|list (?:my|the) lessons)\W*", re.IGNORECASE
)
_UNTEACH = re.compile(r"\s*[/!]?(?:unteach|forget lesson)(?: lesson)? #?(\d{1,4})\W*", re.IGNORECASE)
_PLANNED = re.compile(r"\s*(?:[/!]plan\s+|plan\s*:\s*)(?P<goal>\S.*)", re.IGNORECASE | re.DOTALL)
_CORRECTION = re.compile(
    r"\s*(?:no|nope|wrong|not that)\b[\s,.!;:–-]*(?:i|that)\s+(?:meant|mean)s?\b[\s,:]*(?P<meant>\S.*)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Waiting:
    """What waits for an answer: a shown plan (no step), or a step of a plan that asked."""

    task: TaskState
    step: str
    said: Said


class WordReader:
    """Serves `bot.staff.Reader`."""

    def __init__(
        self,
        understanding: Understanding,
        database: Database,
        *,
        zone: ZoneInfo,
        company: Mapping[str, str],
        state: Callable[[int], TaskState],
        model: Callable[..., Awaitable[Json]] | None = None,
        turns: Callable[..., Awaitable[Material]] | None = None,
    ) -> None:
        """Take what it reads with.

        Args:
            understanding: From words to intents.
            database: Where history is.
            zone: Where the operator lives.
            company: Its locale and currency.
            state: What is believed of a task.
            model: A small one: prompt, schema, material, task → JSON.
            turns: `bot.briefing.Briefing.turns`: the conversation so far, for the model.
        """
        self._understanding = understanding
        self._database = database
        self._zone = zone
        self._company = company
        self._state = state
        self._model = model
        self._turns = turns
        self._goals = Goals(understanding)
        self._conversation = Conversation(database, state, understanding.intents)

    def glance(self, heard: MessageReceived, now: datetime) -> Understood | None:
        """Return what `read` would, where that takes no waiting: commands and patterns that lean on nothing before.

        In the thread of the event loop and before the message has a task: a millisecond, and the first commit holds
        both. None means that it takes more.
        """
        state = TaskState(0, heard=heard)
        if _CORRECTION.match(heard.text) or self._waiting(state) or smalltalk.answered(heard.text, ()):
            return None
        if _PLANNED.match(heard.text):
            return None
        company = self._company
        scene = self._understanding.scene(now, self._zone, company["locale"], company["currency"], self._clients())
        reading = self._understanding.glance(heard.text, scene)
        if reading is None or self._conversation.leans(heard.text, state, scene):
            return None
        return reading.understood("")

    async def read(self, text: str, state: TaskState, now: datetime) -> Understood:
        """See `bot.staff.Reader.read`."""
        clients = self._clients()
        scene = {
            "now": now,
            "zone": self._zone,
            "locale": self._company["locale"],
            "currency": self._company["currency"],
            "clients": clients,
            "last": self._asked_about(state),
        }
        seen = self._understanding.scene(now, self._zone, self._company["locale"], self._company["currency"], clients)
        corrected = _CORRECTION.match(text)
        if corrected and (leaning := await asyncio.to_thread(self._conversation.leans, text, state, seen)):
            return leaning  # "no, I meant Globex" is about the card, not about the sentence
        if corrected:
            meant = await asyncio.to_thread(self._understanding.read, corrected["meant"], **{**scene, "last": ()})  # type: ignore[arg-type]
            if meant.intent:
                told = self._take_to_heart(meant.intent, state)
                return replace(meant.understood(""), assumed=(*meant.assumed, *told))
        if answer := self._about_lessons(text):
            return answer
        if (waiting := self._waiting(state)) and (answer := await self._answer(text, waiting, scene, now)):
            return answer
        if beside := smalltalk.answered(text, self._pending()):
            return Understood(order="", ask=beside.text, choices=beside.choices, evidence=("small talk",))

        def look() -> Understood | Reading:
            leaning = self._conversation.leans(text, state, seen)
            return leaning or self._understanding.read(text, **scene)  # type: ignore[arg-type]

        # In a thread, and all of it in one turn: a first message may wait for the classifier, and nobody else should.
        reading = await asyncio.to_thread(look)
        if isinstance(reading, Understood):
            return reading
        planned = _PLANNED.match(text)
        wish = planned["goal"] if planned else text
        if not planned and (goal := await asyncio.to_thread(self._goals.in_order, text, **scene)):
            return goal
        if (planned or not reading.intent) and (goal := await asyncio.to_thread(self._goals.read, wish, **scene)):
            return goal
        if reading.doubt and self._model is not None:
            said = await self._turns(state.place, "", unless=text, own=True) if self._turns is not None else []
            model = functools.partial(self._model, material=said, task=str(state.id))
            before = [words for origin, words in said if origin is Origin.OPERATOR]
            reading = await self._understanding.understand(text, model=model, before=before, **scene)
        return reading.understood("")

    def edits_in(self, words: str, intent: type[Intent], now: datetime) -> dict[str, Json]:
        """See `bot.staff.Reader.edits_in`: ``field: value`` lines first, then values that fit one slot only."""
        edits: dict[str, Json] = {}
        kinds = slots_of(intent)
        for line in words.splitlines():
            match = re.match(r"\s*(\w+)\s*[:=]\s*(.+)", line)
            if match and match[1].lower() in kinds:
                edits[match[1].lower()] = match[2].strip()
        if edits:
            return edits
        for slot in find_spans(words, now, self._zone, self._company["locale"]):
            fitting = [name for name, kind in kinds.items() if kind == slot.kind]
            if len(fitting) == 1 and slot.value is not None:
                edits[fitting[0]] = slot.text
        return edits

    def _pending(self) -> list[tuple[str, str]]:
        with self._database.read() as connection:
            return [(row.id, row.title) for row in _PENDING.run(connection, {"kind": "approval"}).all()]

    def _clients(self) -> list[tuple[str, str]]:
        with self._database.read() as connection:
            clients = Books(connection).all("client")
        return [(client.key, str(client.data.get("name") or client.key)) for client in clients]

    def _waiting(self, state: TaskState) -> Waiting | None:
        """Return the plan or the step of a plan that waits for an answer in this conversation, the newest first."""
        for row in self._database.look_up(_NEWEST, {"task": state.id, "kind": "said"}):
            before = self._state(row.task)
            said = before.said.get(row.ref)
            if said is None or not _same(before.place, state.place):
                continue
            if said.kind == "question" and before.status not in {"done", "failed", "cancelled"}:
                if plans.held(before):
                    return Waiting(before, "", said)
                asked = [step for step, status in before.steps.items() if status == "asked"]
                mine = [
                    step for step in asked if said.text in {before.proposed[step].ask, before.proposed[step].problem}
                ]
                if mine:
                    return Waiting(before, mine[-1], said)
        return None

    async def _answer(
        self, text: str, waiting: Waiting, scene: Mapping[str, object], now: datetime
    ) -> Understood | None:
        """Return the message as an answer to what waits; None when it is a request of its own."""
        plan = waiting.task.planned
        assert plan is not None
        slots: dict[str, Json] = {"task": str(waiting.task.id), "step": waiting.step, "text": text}
        found = Understood(order="", intent=ANSWER, slots=slots, confidence_pct=100, evidence=("answers a question",))
        chosen = next((choice for choice in waiting.said.choices if choice.text == text), None)
        if not waiting.step:
            edit = replanning.edited(text, plan.steps, now, self._zone)
            if edit.added is None:
                return found if edit.what != "unclear" else None
            whom = {str(step.inputs["client"]) for step in plan.steps if isinstance(step.inputs.get("client"), str)}
            part = await asyncio.to_thread(
                self._goals.part, edit.added.words, next(iter(whom)) if len(whom) == 1 else "", scene
            )
            if part is None:
                return found if edit.added.exact else None  # else it is a request of its own
            return replace(found, slots={**slots, "added": {"intent": part[0], "slots": dict(part[1])}})
        if chosen is None:
            alone = await asyncio.to_thread(self._understanding.read, text, **{**scene, "last": ()})  # type: ignore[arg-type]
            if alone.intent and (alone.tier != "local" or alone.confidence_pct >= SURE_PCT):
                return None
        if _LEAVE_OUT.fullmatch(text.strip()):
            return replace(found, slots={**slots, "skip": True})
        step = next(step for step in plan.steps if step.id == waiting.step)
        intent = self._understanding.intents.get(step.intent)
        if intent is not None and not _AGAIN.fullmatch(text.strip()):
            filled = self._filled(
                chosen.label if chosen else text, waiting.task.proposed[step.id].ask, step, intent, now
            )
            return replace(found, slots={**slots, "slots": filled})
        return found

    def _filled(self, text: str, question: str, step: Step, intent: type[Intent], now: datetime) -> dict[str, Json]:
        """Return the slot that an answer fills: the one that was asked for, or the one it fits."""
        kinds = slots_of(intent)
        for name, asked in intent.asks.items():
            if asked == question:
                return {name: text}
        if edits := self.edits_in(text, intent, now):
            return edits
        clients = [name for name, kind in kinds.items() if kind == "client"]
        if clients and any(text.casefold() in {key.casefold(), name.casefold()} for key, name in self._clients()):
            return {clients[0]: text}
        empty = [name for name, kind in kinds.items() if kind == "text" and name not in step.inputs]
        return {empty[0]: text} if empty else {}

    def _about_lessons(self, text: str) -> Understood | None:
        """Answer "what did I teach you?" and "unteach 2"; None for anything else."""
        lessons = self._understanding.taught()
        if _LESSONS.fullmatch(text):
            listed = [f"{number}. “{mask}” means {intent}." for number, (mask, intent) in enumerate(lessons, 1)]
            said = "You taught me:\n" + "\n".join(listed[-LESSONS_SHOWN_MAX:]) + "\nTo take one back: unteach 1."
            return Understood(order="", ask=said if listed else "You have not taught me anything yet.")
        if not (named := _UNTEACH.fullmatch(text)):
            return None
        if not 1 <= int(named[1]) <= len(lessons):
            return Understood(order="", ask=f"There is no lesson {named[1]}. “What did I teach you?” lists them.")
        mask, intent = lessons[int(named[1]) - 1]
        self._understanding.unlearn(mask)
        return Understood(order="", ask=f"“{mask}” no longer means {intent}.")

    def _take_to_heart(self, intent: str, state: TaskState) -> tuple[str, ...]:
        """Teach what the message before this one meant, unless no phrase may come to mean it; return what was taught."""
        query = select(turns).where(turns.c.task != state.id, turns.c.kind == "heard").order_by(turns.c.n.desc())
        with self._database.read() as connection:
            newest = connection.execute(query.limit(LOOK_BACK)).all()
        for row in newest:
            before = self._state(row.task)
            if not _same(before.place, state.place) or not isinstance(before.heard, MessageReceived):
                continue
            said = before.heard.text
            if _CORRECTION.match(said):
                continue  # a correction of a correction is about the sentence that both are about
            with contextlib.suppress(KeyError, ValueError):
                self._understanding.learn(said, intent, self._clients())
                return (
                    f"From now on “{said}” means {intent}. To see or take back what you taught: what did I teach you?",
                )
            return ()
        return ()

    def _asked_about(self, state: TaskState) -> Sequence[str]:
        """Return the request whose question stands last in this conversation, if one does."""
        query = select(turns).where(turns.c.task != state.id).order_by(turns.c.n.desc()).limit(LOOK_BACK)
        with self._database.read() as connection:
            newest = connection.execute(query).all()
        for row in newest:
            if row.kind != "said":
                continue
            before = self._state(row.task)
            if not _same(before.place, state.place):
                continue
            said = before.said.get(row.ref)
            asked = said is not None and said.kind == "question"
            return [before.heard.text] if asked and isinstance(before.heard, MessageReceived) else []
        return []


def _same(one: Place | None, other: Place | None) -> bool:
    return (
        one is not None and other is not None and (one.channel, one.conversation) == (other.channel, other.conversation)
    )
