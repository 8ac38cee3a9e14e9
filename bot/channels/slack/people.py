"""Who this house answers to in Slack: by workspace id and user id, never by name.

Nobody is known until the operator is: an empty list refuses everybody. The first person who types the one-time code
that stands on the operator's own terminal becomes the operator.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from memory.events import Actor, Origin

WRONG_CODES_MAX = 5  # guesses before a code is void; it has far more than a million values

UNCONFIGURED = (
    "This Soloist has no operator yet, so it answers nobody. If it is yours: read the pairing code on the terminal "
    "where it started, and type /solo pair CODE."
)
STRANGER = "This Soloist answers only to its operator and the people the operator named. The operator was told."


@dataclass(frozen=True)
class Person:
    """Somebody by Slack's stable ids: ``T…`` and ``U…``."""

    team: str
    user: str
    role: Origin = Origin.OPERATOR
    name: str = ""


class PeopleStore(Protocol):
    """Where pairings are kept. ``load`` is asked at every press, so a removed delegate is out at once."""

    def load(self) -> Iterable[Person]:
        """Return everybody."""
        ...

    async def save(self, person: Person) -> None:
        """Add one; returns when it is on disk.

        Raises:
            NotWrittenError: It is not.
        """
        ...


class NoStore:
    """No pairing: the constructor's list is all there is."""

    def load(self) -> Iterable[Person]:
        """Return nobody."""
        return ()

    async def save(self, person: Person) -> None:
        """Never called: without a store there is no code."""
        raise AssertionError(person)


class People:
    """The list and its one-time code."""

    def __init__(self, known: Iterable[Person] = (), store: PeopleStore | None = None, code: str = "") -> None:
        self._known = tuple(known)
        self._store: PeopleStore = store or NoStore()
        self._code = code if store else ""
        self._wrong = 0

    def all(self) -> tuple[Person, ...]:
        """Return everybody, the operator first."""
        return tuple(sorted(dict.fromkeys(self._listed()), key=lambda person: person.role is not Origin.OPERATOR))

    def find(self, team: str, user: str) -> Person | None:
        """Return who this is, or None for a stranger."""
        if not team or not user:
            return None
        found = [person for person in self._listed() if person.user == user and person.team == team]
        return next((person for person in found if person.role is Origin.OPERATOR), found[0] if found else None)

    def operator(self) -> Person | None:
        """Return the operator."""
        return next((person for person in self._listed() if person.role is Origin.OPERATOR), None)

    def _listed(self) -> tuple[Person, ...]:
        return (*self._known, *self._store.load())

    def refusal(self) -> str:
        """Return what a stranger is told."""
        return STRANGER if self.all() else UNCONFIGURED

    async def pair(self, team: str, user: str, code: str, name: str = "") -> tuple[bool, str]:
        """Try a one-time code; return whether it counted, and the sentence for whoever typed it.

        Raises:
            NotWrittenError: The code was right and could not be kept; it stays valid.
        """
        if self.operator():
            return False, "This Soloist has its operator already. Somebody new is named in its settings."
        if not self._code:
            return False, "No pairing code is open. Restart Soloist; it prints a new one."
        if not team or not user or not hmac.compare_digest(code.encode(), self._code.encode()):
            self._wrong += 1
            if self._wrong >= WRONG_CODES_MAX:
                self._code = ""
                return False, "Too many wrong codes, so this code is void. Restart Soloist; it prints a new one."
            return False, "That is not the code. It stands on the terminal where Soloist started."
        await self._store.save(Person(team, user, name=name))
        self._code = ""
        return True, "Paired: you are the operator now. Type /solo help, or just write to me."


def actor(person: Person, name: str = "") -> Actor:
    """Return the person as the house's events name them."""
    return Actor(platform="slack", user=person.user, account=person.team, name=name or person.name, origin=person.role)


def stranger(team: str, user: str, name: str = "") -> Actor:
    """Return somebody this house does not answer to."""
    return Actor(platform="slack", user=user, account=team, name=name, origin=Origin.STRANGER)
