"""The emergency stop, by level, and going on after it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from bot.deciding import starting
from bot.deciding.house import SOLOIST, House
from bot.deciding.saying import say
from bot.effects import Effect, Record, Reply, Rouse, Tell
from bot.state import TaskState
from memory.events import Ended, Paused, Resumed, Understood

CALLED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("", "everything", "it", "it all", "alles", "work", "sending", "all sending", "the house"), ("all",)
    ),
    **dict.fromkeys(
        ("mails", "email", "emails", "e-mail", "e-mails", "outgoing mail", "outgoing mails", "letters"), ("mail",)
    ),
    **dict.fromkeys(("post", "posts", "posting", "publishing", "social"), ("bluesky", "blog")),
    **dict.fromkeys(("meetings", "bookings", "invitations"), ("calendar",)),
    **dict.fromkeys(("refunds", "payment links"), ("stripe",)),
}
"""What operators call the services that can be stopped by themselves."""


def asked(state: TaskState, event: Understood, house: House) -> list[Effect]:
    """Stop or go on, as the operator said it; the house's own history takes it down.

    What is no service and no action of ours is asked about: "Initech is stopped" would be a promise that nobody keeps.
    """
    said = str(event.slots.get("scope") or "all")
    found = scopes(said, house)
    actor = state.actor or SOLOIST
    if not found:
        services = ", ".join(sorted({name.partition(".")[0] for name in house.actions} - {"books"}))
        text = f"I cannot stop {said!r} by itself, so nothing is stopped. I can stop everything (/pause), or one of: {services}."
        return [*say(state, text), Record(event=Ended(how="done", summary=f"{said} is nothing that can be stopped"))]
    scope = " and ".join(found)
    if event.intent == "pause":
        return [
            *(Tell(task=0, event=Paused(scope=each, by=actor)) for each in found),
            *say(state, _words(scope)),
            Record(event=Ended(how="done", summary=f"paused {scope}")),
        ]
    return [
        *(Tell(task=0, event=Resumed(scope=each, by=actor)) for each in found),
        *say(state, "Going on. What stood still starts now."),
        Record(event=Ended(how="done", summary=f"resumed {scope}")),
    ]


def scopes(said: str, house: House) -> tuple[str, ...]:
    """Return what an emergency stop covers by the operator's word for it; nothing where it is no name of ours."""
    name = said.casefold().removeprefix("the ").removeprefix("all ").strip() if said != "all" else said
    known = {"all", *house.actions, *(action.partition(".")[0] for action in house.actions)}
    if name in known:
        return (name,)
    return tuple(each for each in CALLED.get(name, ()) if each in known)


def _words(scope: str) -> str:
    what = "Everything" if scope == "all" else scope
    return f"{what} is stopped: nothing leaves the house until /resume. You can still ask, draft and approve."


def paused(event: Paused) -> list[Effect]:
    """Tell whoever stopped it; what holds is asked of `House.paused` before each attempt."""
    return [Reply(text=_words(event.scope))]


def resumed(event: Resumed) -> list[Effect]:
    """Wake every task whose effects stood still."""
    return [
        Rouse(scope=event.scope),
        Reply(text=f"Going on with {event.scope}." if event.scope != "all" else "Going on."),
    ]


def resume(state: TaskState, house: House) -> list[Effect]:
    """Start what fell due while everything stood still: of each group the first that is not done yet."""
    orders: list[Effect] = []
    reached: set[str] = set()
    started: list[str] = []
    for effect in state.effects.values():
        group = effect.prepared.effect.rpartition(".")[0]
        if group in reached or effect.status == "confirmed":
            continue
        reached.add(group)
        turn = None if effect.room else effect.turn_at
        due = max(filter(None, (effect.prepared.not_before, effect.again_at, turn)), default=house.now)
        if effect.status == "prepared" and due <= house.now:
            orders += starting.start(effect, house, beside=started)
            started.append(effect.prepared.call.name)
    return orders
