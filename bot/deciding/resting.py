"""What may wait while the operator rests: quiet hours and being away. Pure.

Whatever the operator did not ask for just now waits until the quiet is over: notices that go home, and cards of tasks that
the clock or somebody outside began. Answers, reminders and cards of one's own requests come at once. Nothing is lost:
each waits as a `Wake` of its own task, and ``/approvals`` lists a card from the moment it is open.
"""

from __future__ import annotations

from bot import absence, approvals
from bot.deciding.house import House
from bot.deciding.saying import say
from bot.effects import Effect, LookUp, Record, Rouse
from bot.state import TaskState
from memory.events import Ended, Origin, Recorded, Write


def heard(state: TaskState, word: absence.Word, house: House) -> list[Effect]:
    """Go away, come back, or ask until when."""
    if state.origin is not Origin.OPERATOR:
        text = "Only the operator can say that."
    elif word.what == "when" or (word.what == "away" and word.until is None):
        text = absence.ASK
    elif word.what == "back":
        return _back(house)
    else:
        return _away(state, word, house)
    return [*say(state, text), _ended(text)]


def _away(state: TaskState, word: absence.Word, house: House) -> list[Effect]:
    assert word.until is not None
    when = approvals.clock_text(word.until, house.view())
    delegates = [person for person in house.roster.people if person.role is Origin.DELEGATE]
    able = " What your delegates may decide goes to them as well." if delegates else ""
    text = (
        f"Away until {when}. Until then I send you nothing by myself; cards wait and do not run out, reminders still come."
        f"{able} What is approved in advance goes on; /grants lists it, /pause stops everything. /back ends it."
    )
    return [_noted(house, absence.record(house.now, word.until)), *say(state, text), _ended(f"away until {when}")]


def _back(house: House) -> list[Effect]:
    """Show at once what waited, and the letter."""
    away = house.absence()
    orders: list[Effect] = []
    if away is not None and away.covers(house.now):
        orders = [_noted(house, absence.record(away.since, house.now))]
    return [*orders, Rouse(scope="rest"), LookUp(question="home")]


def _noted(house: House, write: Write) -> Record:
    return Record(event=Recorded(write=write, version=house.ledgers.version(write.kind, write.key) + 1))


def _ended(summary: str) -> Record:
    return Record(event=Ended(how="done", summary=summary))
