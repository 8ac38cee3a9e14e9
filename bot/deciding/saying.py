"""What is said and shown, and where: the place a task was begun, the operator's homes, every copy of a card. Pure."""

from __future__ import annotations

import msgspec

from bot.approvals import may_press, outcome
from bot.deciding.house import House
from bot.effects import Effect, Record, Show, Wake
from bot.state import TaskState
from memory.events import Answered, Choice, Ended, HourStruck, MessageReceived, Origin, Place, Said, WokeUp

RESTED = "rested"
"""Why a task wakes when quiet hours or an absence are over."""
SHOWN = "shown"
"""Why a task wakes when one of its cards is to be seen again."""


def say(
    state: TaskState,
    text: str,
    *,
    kind: str = "answer",
    choices: tuple[Choice, ...] = (),
    files: tuple = (),  # type: ignore[type-arg]
    undo: str = "",
    home: bool = False,
    at: Place | None = None,
    at_once: bool = False,
) -> list[Effect]:
    """Say something where the task was begun.

    Args:
        home: Wherever the operator is, instead; this waits for the end of quiet hours unless it is to come ``at_once``.
        at: At this place, instead.
    """
    said = Said(
        message="",  # named after its line when it is written
        text=text,
        place=None if home else at or state.place,
        choices=choices,
        files=files,
        kind=kind,  # type: ignore[arg-type]
        undo=undo,
        at_once=at_once,
    )
    return [Record(event=said)]


def answered(state: TaskState, event: Answered) -> list[Effect]:
    """Say what was found in our own history, if it is not seen already; the task is over with it."""
    said = (
        say(state, event.text, files=event.files, choices=event.choices, kind=_answer_kind(state)) if event.text else []
    )
    return [*said, Record(event=Ended(how="done", summary=first_line(event.text)))]


def _answer_kind(state: TaskState) -> str:
    return "digest" if isinstance(state.heard, HourStruck) else "answer"


def first_line(text: str) -> str:
    """Return a summary: the first line, 200 characters at most."""
    return text.partition("\n")[0][:200]


def show_message(event: Said, house: House) -> list[Effect]:
    """Show a message where it belongs; what nobody waits for comes when the operator's rest is over."""
    until = None if event.place or event.at_once else house.rests_until()
    if event.kind == "digest":
        if house.is_away():
            return []  # coming back shows the letter of that day
    elif until:
        return [Wake(reason=RESTED, due=until, data={"message": event.message})]
    reply_to = event.place.message if event.place else ""
    return [
        Show(
            what=event.message,
            channel=place.channel,
            conversation=place.conversation,
            thread=place.thread,
            reply_to=reply_to,
        )
        for place in _where(event.place, house, everywhere=False)
    ]


def show_card(state: TaskState, card: str, house: House) -> list[Effect]:
    """Show a card in the place it belongs to and on every other channel of the operator.

    One that the operator did not ask for waits for the end of a rest; delegates who may decide it get it meanwhile.
    """
    until = None if isinstance(state.heard, MessageReceived) else house.rests_until()
    if until:
        waits = Wake(reason=RESTED, due=until, data={"card": card})
        return [waits, *_show_delegates(state, card, house)]
    delegated = state.actor is not None and state.actor.origin is Origin.DELEGATE
    return [
        Show(what=card, channel=place.channel, conversation=place.conversation, thread=place.thread)
        for place in _where(state.place, house, everywhere=True, delegated=delegated)
    ]


def _show_delegates(state: TaskState, card: str, house: House) -> list[Effect]:
    """While the operator is away: bring a card to every delegate who could settle it."""
    if not house.is_away():
        return []
    opened = state.cards[card].opened
    served = {home.channel for home in house.homes}
    return [
        Show(what=card, channel=person.platform, conversation=person.user)
        for person in house.roster.people
        if person.role is Origin.DELEGATE and person.platform in served and not may_press(person, opened)
    ]


def show_again(state: TaskState, event: WokeUp, house: House) -> list[Effect]:
    """Show a card again where somebody asked for it; one that is settled in a sentence."""
    place = msgspec.convert(event.data["place"], Place)
    key = str(event.data["card"])
    if key not in state.cards:
        return say(state, f"There is no card {key}. /approvals lists what waits.", at=place)
    standing = state.cards[key]
    if standing.state != "pending":
        return say(state, f"Card {key}, {standing.opened.title}: {outcome(state, key, house.view())}", at=place)
    if place.channel not in {home.channel for home in house.homes}:
        return say(state, f"Card {key} waits, with its buttons: {standing.opened.title}", at=place)
    return [Show(what=key, channel=place.channel, conversation=place.conversation, thread=place.thread)]


def mend(state: TaskState, card: str, *, former: bool = False, only: str = "") -> list[Effect]:
    """Make every copy of a card show it as it is now; ``only`` one of them."""
    return [
        Show(
            what=card,
            channel=place.channel,
            conversation=place.conversation,
            thread=place.thread,
            ref=ref,
            former=former,
        )
        for place, ref in state.copies.get(card, ())
        if only in {"", ref}
    ]


def _where(place: Place | None, house: House, *, everywhere: bool, delegated: bool = False) -> list[Place]:
    """Return the places that need delivering to; a channel that reads history by itself is not among the homes.

    Where the operator spoke is as good as the operator's home on that channel; where a delegate spoke is not.
    """
    served = {home.channel for home in house.homes}
    apart = {home.conversation for home in house.homes} - {place.conversation if place else ""} if delegated else set()
    if place is None or not place.channel:
        return list(house.homes)
    here = [place] if place.channel in served else []
    if not everywhere:
        return here
    return [*here, *(home for home in house.homes if home.channel != place.channel or home.conversation in apart)]
