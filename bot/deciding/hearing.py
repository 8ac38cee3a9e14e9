"""What came in, and where it goes: the operator's words and items from outside. Pure."""

from __future__ import annotations

import re
from datetime import datetime

import msgspec

from bot import absence, batch, grants, habits
from bot.deciding import granting, halfway, learning, pausing, resting, stopping
from bot.deciding.house import House
from bot.deciding.saying import SHOWN, say
from bot.effects import Effect, LookUp, Press, Record, Start, Tell, Understand
from bot.state import TaskState
from memory.events import Ended, ItemArrived, MessageReceived, Origin, Place, Planned, Pressed, Step, Understood, WokeUp

QUESTIONS = frozenset({
    "help", "approvals", "digest", "stuck", "timeline", "why", "home", "budget", "tasks", "status",
    "grants", "settings",
})  # fmt: skip
"""Intents answered from our own history."""

ANSWER = "answer"
"""Not an intent anybody declares: the reader found that a message answers a question of a task that waits."""

COMMANDS = (
    ("/grants", "List what is approved in advance, and end it."),
    ("/tasks", "List the newest tasks."),
    ("/end", 'Stop one task, or take it over by hand: "end task 12". Nothing more of it begins.'),
    ("/habits", "List what I do because you always had it so, and end it."),
    ("/away", 'Rest: "away until Monday". Nothing is sent to you by itself, and no card runs out.'),
    ("/back", "End the rest; what waited comes now."),
)
"""What is taken here from exact words alone, for `/help`."""

OPERATOR_ONLY = frozenset({"resume", "forget", "undo", "remember", "grants"})
"""What a delegate cannot say. Anybody on the list may stop everything; only the operator lets it go on."""

PRESSES = frozenset({"approve", "reject", "undo", "snooze", "revise"})
"""Intents that press a button by name; "revise" is nobody's: a follow-up is new words on a card (`bot.conversation`)."""


_OPINION = re.compile(r"/?(?P<verb>agree|disagree)\s+(?P<card>\d+\.\d+)[.!]?", re.IGNORECASE)
"""What is typed for the buttons of a rehearsal."""


_SHOW = re.compile(r"/?(?:show|open|see)?\s*(?:me\s+)?(?:card\s+)?#?(?P<card>\d{1,9}\.\d{1,4})[.!?]?", re.IGNORECASE)
"""What is typed to see a card again that has scrolled away."""


def message(state: TaskState, event: MessageReceived, house: House) -> list[Effect]:
    """Return where the operator's words go: what is exact is taken here, the rest is read."""
    if event.reply_to:
        press = Pressed(
            card=event.reply_to, revision=0, verb="revise", actor=event.actor, place=event.place, reason=event.text
        )
        return [Tell(task=int(event.reply_to.partition(".")[0]), event=press)]
    if batch.asks_for_all(event.text):
        return [LookUp(question="batch")]
    if cards := batch.named(event.text):
        return [LookUp(question="batch", slots={"cards": list(cards)})]
    if event.text.strip().lower() == "/tasks":
        return [LookUp(question="tasks")]
    if wanted := grants.like(event.text):
        card, days = wanted
        return [Press(verb="grant", card=card, reason=str(days)) if days else Press(verb="like", card=card)]
    if grants.lists(event.text):
        return [LookUp(question="grants")]
    if revoked := grants.revoked(event.text):
        return granting.revoke(state, revoked, house)
    if opinion := _OPINION.fullmatch(event.text.strip()):
        return [Press(verb=opinion["verb"].lower(), card=opinion["card"])]
    if shown := _SHOW.fullmatch(event.text.strip()):
        place = msgspec.to_builtins(event.place)
        again = WokeUp(order="", reason=SHOWN, data={"card": shown["card"], "place": place})
        return [Tell(task=int(shown["card"].partition(".")[0]), event=again)]
    if (task := stopping.said(event.text)) is not None:
        return stopping.asked(state, task)
    if (task := halfway.said(event.text)) is not None:
        return halfway.asked(state, task)
    if habit := habits.said(event.text):
        return learning.heard(state, habit, house)
    if word := absence.said(event.text, house.now, house.zone, house.policy.digest_at):
        return resting.heard(state, word, house)
    if batch.items_in(event.text):
        return [Press(verb="approve", card=event.text)]
    return [Understand(text=event.text)]


def item(state: TaskState, event: ItemArrived, house: House) -> list[Effect]:
    """Hand an item from outside to the agent that declared its kind; it never chooses an action."""
    if event.kind == "mail.bounce" and (sent := house.ledgers.sent_as(str(event.data.get("bounced")))):
        task, title = sent
        told = WokeUp(
            order="", reason="notice", data={"text": f"{_came_back(event)}\nIt was sent by task {task}: {title}"}
        )
        return [Tell(task=task, event=told)]
    agent = next(
        (
            house.hears[pattern]
            for pattern in (event.kind, f"{event.service}.*", event.service)
            if pattern in house.hears
        ),
        "",
    )
    if not agent:
        text = (
            f"Something came in from {event.service} ({event.kind}) that no agent takes. It is kept as task {state.id}."
        )
        return [*say(state, text, kind="notice"), Record(event=Ended(how="done", summary="kept, nobody takes it"))]
    step = Step(id="s1", agent=agent, intent="item", why="it came from outside")
    return [Record(event=Planned(goal=state.title, steps=(step,), source="item"))]


def _came_back(event: ItemArrived) -> str:
    """Return what a server says of a mail of ours; anybody could have written that, so it is said and no more."""
    rows = []
    for each in event.data.get("undelivered") or ():
        why = " ".join(filter(None, (str(each["status"]), f"“{each['reason']}”" if each["reason"] else "")))
        late = each["action"] == "delayed"
        what = "has not arrived yet; their server goes on trying" if late else "bounced: it did not arrive"
        rows.append(f"Your mail to {each['address']} {what}{f' ({why})' if why else ''}.")
    return "\n".join(rows)


def understood(state: TaskState, event: Understood, house: House) -> list[Effect]:
    """Turn an intent into a press, a look-up, or a plan of one step."""
    place = state.place or Place(channel="")
    more: list[Effect] = [Start(text=text, place=place) for text in event.rest]
    if not event.intent:
        ask = event.ask or "I did not understand that. /help shows what I can do."
        asks = "question" if event.choices or "?" in ask else "answer"
        return [*more, *say(state, ask, choices=event.choices, kind=asks), _over("asked back")]
    if event.intent == ANSWER:
        return [*more, *_answered(event)]
    if event.intent in OPERATOR_ONLY and state.origin is not Origin.OPERATOR:
        said = say(state, "Only the operator can say that. You can ask, draft, and decide what was left to you.")
        return [*more, *said, Record(event=Ended(how="done", summary="not a delegate's to say"))]
    if event.intent in {"pause", "resume"}:
        return [*more, *pausing.asked(state, event, house)]
    if event.intent in PRESSES:
        card = str(event.slots.get("card") or event.slots.get("task") or "")
        until = datetime.fromisoformat(str(event.slots["until"])) if event.slots.get("until") else None
        return [*more, Press(verb=event.intent, card=card, reason=str(event.slots.get("reason") or ""), until=until)]
    if event.intent in QUESTIONS:
        return [*more, LookUp(question=event.intent, slots=event.slots)]
    agent = house.agents.get(event.intent)
    if agent is None:
        said = say(
            state, f"I know what you mean by {event.intent!r}, but nobody here does it. /help shows what I can do."
        )
        return [*more, *said, Record(event=Ended(how="failed", summary="nobody does it"))]
    step = Step(id="s1", agent=agent, intent=event.intent, inputs=event.slots)
    return [*more, Record(event=Planned(goal=state.title, steps=(step,), source="fixed"))]


def _over(summary: str) -> Record:
    return Record(event=Ended(how="done", summary=summary))


def _answered(event: Understood) -> list[Effect]:
    """The message answers a question of another task: it goes on there."""
    task = int(str(event.slots["task"]))
    told = WokeUp(order="", reason="answer", data={key: value for key, value in event.slots.items() if key != "task"})
    return [Tell(task=task, event=told), Record(event=Ended(how="done", summary=f"answered task {task}"))]
