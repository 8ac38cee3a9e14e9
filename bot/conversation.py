"""What was said last in a conversation, and what a message that leans on it comes to.

Read from history, so that it works with Redis away and after a restart. Only this conversation counts, and only its last
few messages: what was said elsewhere or long ago is nobody's "the same"::

    Conversation(database, state, intents).leans("and the same for Globex", task, scene)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select

from agents.base import Intent, Risk
from agents.slots import find_spans
from bot.control import CONTROL, EXACT
from bot.deciding.hearing import ANSWER
from bot.intents import Scene
from bot.reading.fit import fit
from bot.reading.followup import (
    WORDS_MAX,
    Before,
    Heard,
    Leaning,
    address_given,
    and_what,
    card_words,
    may_lean,
    moved,
    same_for,
)
from bot.state import TaskState
from connectors.base import Json
from memory.database import Database
from memory.events import MessageReceived, Place, Understood
from memory.prepared import Prepared
from memory.projections import turns

REVISE = "revise"
"""Not an intent anybody declares: the message is new words on a card that waits."""
BETWEEN = frozenset(
    {"", *(intent.id() for intent in CONTROL)} - {"remember", "recall_fact", "memory", "forget", "resume"}
)
"""What may stand between a request and what leans on it: a press, a question to the house, words nobody understood."""
LOOK_BACK = 6  # messages of this conversation
FRESH = timedelta(hours=12)  # an older message is not what "the same" means
AGO = 40  # messages of all conversations that are looked through for these
_NEWEST = Prepared(
    select(turns.c.task)
    .where(turns.c.task != bindparam("task"), turns.c.kind == "heard")
    .order_by(turns.c.n.desc())
    .limit(AGO)
)


class Conversation:
    """The last messages of each conversation. One for the house; safe from any thread."""

    def __init__(
        self,
        database: Database,
        state: Callable[[int], TaskState],
        intents: Mapping[str, type[Intent]],
    ) -> None:
        """Take what it reads from.

        Args:
            database: Where history is.
            state: What is believed of a task.
            intents: Everything an operator can want, by id.
        """
        self._database = database
        self._state = state
        self._intents = intents

    def leans(self, text: str, state: TaskState, scene: Scene) -> Understood | None:
        """Return what a follow-up means ("make it 1,500", "same for Globex"), None when the message stands by itself.

        Args:
            text: The message.
            state: Its task: where and when it was said.
            scene: How its values and names are read.
        """
        if not text.strip() or text.lstrip()[0] in "/!" or len(text.split()) > WORDS_MAX:
            return None
        heard = Heard(text.strip(), scene.spans(text.strip()), scene.now, scene.zone, scene.currency)
        if not may_lean(heard):
            return None
        for number, before in enumerate(self._before(state, scene)):
            if before.card and (words := card_words(heard, before)):
                slots: dict[str, Json] = {"card": before.card, "reason": words}
                return Understood(order="", intent=REVISE, slots=slots, confidence_pct=100, tier="pattern",
                                  evidence=(f"words on card {before.card}, the last one shown here",))  # fmt: skip
            if number == 0 and (fresh := moved(heard, before, scene.spans(before.text))):
                return Understood(order="", intent="undo", slots={"card": str(before.task)}, confidence_pct=100,
                                  tier="pattern", rest=(fresh,), evidence=(f"leans on {before.text[:80]!r}",))  # fmt: skip
            if number == 0 and (again := _again(heard, before)):
                name = before.intent.id()
                return Understood(order="", intent="" if again.ask else name, slots=dict(again.slots or {}), ask=again.ask,
                                  confidence_pct=100, tier="pattern", evidence=(f"leans on {before.text[:80]!r}",),
                                  assumed=(f"the rest is as in {before.text[:80]!r}",))  # fmt: skip
            if before.intent.effect is not Risk.READS:
                return None  # "make it 1,500" is about the last request, not about one before it
        return None

    def _before(self, state: TaskState, scene: Scene) -> Iterator[Before]:
        """Yield what the messages before were taken to mean, the newest first, as far as a question stands in between."""
        for task in self._heard(state, scene.now):
            said = self._state(task)
            if said.understood is None or not isinstance(said.heard, MessageReceived):
                return
            told = said.understood
            if told.intent == REVISE:
                said = self._state(int(str(told.slots["card"]).partition(".")[0]))
            elif told.intent == ANSWER:
                said = self._state(int(str(told.slots["task"])))
            meant = said.understood.intent if said.understood is not None else ""
            if meant in BETWEEN:
                continue
            intent = self._intents.get(meant)
            if intent is None or meant in EXACT or not isinstance(said.heard, MessageReceived):
                return
            last = [*said.said.values()][-1:]
            asked = any(each.kind == "question" for each in last)
            reminds = any(
                effect.status == "confirmed" and effect.prepared.call.name == "books.remind"
                for effect in said.effects.values()
            )
            slots = self._slots(said, intent, scene)
            yield Before(intent, slots, said.heard.text, _card(said), asked, reminds, task=said.id)

    def _heard(self, state: TaskState, now: datetime) -> Iterator[int]:
        rows = self._database.look_up(_NEWEST, {"task": state.id})
        mine = (row.task for row in rows if _here(self._state(row.task), state.place, now))
        for task, _ in zip(mine, range(LOOK_BACK), strict=False):
            yield task

    def _slots(self, said: TaskState, intent: type[Intent], scene: Scene) -> dict[str, Json]:
        """Return the slots of a request with what was changed on its card by hand."""
        assert said.understood is not None
        slots = dict(said.understood.slots)
        for edits in said.edits.values():
            for name, words in edits.items():
                if name in intent.model_fields and isinstance(words, str):
                    spans = find_spans(words, scene.now, scene.zone, scene.locale)
                    read = fit(intent, words, spans, scene.now, scene.zone, scene.currency, {name: words})
                    slots |= {name: read.slots[name]} if name in read.slots else {}
        return slots


def _again(heard: Heard, before: Before) -> Leaning | None:
    return address_given(heard, before) or same_for(heard, before) or and_what(heard, before)


def _here(said: TaskState, place: Place | None, now: datetime) -> bool:
    there = said.place
    same = (
        place is not None
        and there is not None
        and (there.channel, there.conversation) == (place.channel, place.conversation)
    )
    return same and said.began is not None and now - said.began < FRESH


def _card(said: TaskState) -> str:
    """Return the card of a request that waits, "" when none or more than one does."""
    waiting = [key for key, card in said.cards.items() if card.state == "pending" and card.opened.kind == "approval"]
    return waiting[0] if len(waiting) == 1 else ""
