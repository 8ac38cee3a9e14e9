"""Playbooks: the company's habits, one Markdown file each, found by being there.

Ours stand in ``agents/playbooks/``, the operator's own in ``playbooks/`` of the home; theirs of the same name wins.

A file begins with a header in TOML between two lines of ``+++``; what follows is for people. A playbook with ``steps``
becomes a plan; one with ``reply`` is an answer that support may suggest::

    +++
    title = "Welcome a new customer"
    goals = ["onboard a new customer"]        # what the operator says to start it
    hears = ["stripe.checkout.session.completed"]  # or what from outside does
    asks = { client = "Who is the new customer?" }  # what must be known, and how to ask for it

    [[steps]]
    id = "welcome"
    intent = "onboard"
    inputs = { client = "$client", email = "$email" }
    +++

``$name`` is filled in from what is known when the plan is made; an input whose value is unknown and not in ``asks`` is
left out. ``@P5D`` is nine in the morning in five days.
"""

from __future__ import annotations

import logging
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from rapidfuzz import fuzz

from agents.base import Desk, Step
from agents.plan import staff
from agents.slots import Span
from memory.events import Json

FOLDER = Path(__file__).parent / "playbooks"
ALIKE_PCT = 82  # rapidfuzz token_set_ratio from which words name a goal
log = logging.getLogger(__name__)
_HEADER = re.compile(r"\A\+\+\+\n(.*?)\n\+\+\+\n?(.*)\Z", re.DOTALL)


class PlaybookError(ValueError):
    """A playbook cannot be read; the message names the file, what is wrong, and what to do."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"The playbook {path.name} cannot be used: {reason} See agents/playbook.py for the header.")


class PlaybookStep(BaseModel):
    """One step as a playbook writes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    intent: str
    agent: str = ""  # for people: whose intent it is, is looked up
    inputs: dict[str, Any] = Field(default_factory=dict)
    needs: tuple[str, ...] = ()
    gate: Literal["", "ask"] = ""
    on_fail: Literal["stop", "skip", "ask"] = "stop"
    why: str = ""


class Playbook(BaseModel):
    """One habit of the company.

    Attributes:
        goals: How the operator asks for it; the planner compares.
        hears: Kinds of outside items that start it, with ``*``.
        asks: Names that must be known → the question when one is not.
        words: For a reply: what a mail must speak of, each a regular expression; one is enough.
        not_words: And what must not occur, or it is another case.
        risk: Whether a reply may go out within policy ("low") or always wants a look.
        reply: The text of a reply, with ``{name}`` for the client's contact, and what our books know: ``{invoice}``,
            ``{number}``, ``{owed}``, ``{project}``, ``{files}``. Where one of them is not known, it is no reply to this mail.
        language: Of the reply, ``"en"`` or ``"de"``: how it is closed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    title: str
    goals: tuple[str, ...] = ()
    hears: tuple[str, ...] = ()
    asks: dict[str, str] = Field(default_factory=dict)
    steps: tuple[PlaybookStep, ...] = ()
    words: tuple[str, ...] = ()
    not_words: tuple[str, ...] = ()
    risk: Literal["low", "high"] = "high"
    reply: str = ""
    language: Literal["en", "de"] = "en"
    prose: str = ""


def playbooks(own: Path | None = None) -> dict[str, Playbook]:
    """Return every playbook by name (the file's), in alphabetical order.

    Args:
        own: The operator's folder: a playbook there stands in for ours of the same name. One that cannot be read is
            passed over, so that a slip of the pen stops nothing; `broken` says which, and why.
    """
    found = {path.stem: read(path) for path in _files(FOLDER)}
    for path in _files(own) if own else ():
        try:
            found[path.stem] = read(path)
        except PlaybookError as error:
            log.warning("%s", error)
    return dict(sorted(found.items()))


def broken(own: Path) -> list[str]:
    """Return a sentence for each of the operator's playbooks that cannot be read."""
    sentences = []
    for path in _files(own):
        try:
            read(path)
        except PlaybookError as error:
            sentences.append(str(error))
    return sentences


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*.md")) if path.name != "README.md"]


def read(path: Path) -> Playbook:
    """Return one playbook.

    Raises:
        PlaybookError: It has no header, or one that does not fit.
    """
    try:
        parts = _HEADER.match(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise PlaybookError(path, f"it cannot be read ({error}).") from error
    if parts is None:
        raise PlaybookError(path, "it does not begin with a header between two lines of +++.")
    try:
        return Playbook(**{**tomllib.loads(parts[1]), "name": path.stem, "prose": parts[2].strip()})
    except tomllib.TOMLDecodeError as error:
        raise PlaybookError(path, f"its header is no TOML: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PlaybookError(path, f"{where}: {first['msg']}.") from error


def for_item(kind: str, books: Mapping[str, Playbook]) -> Playbook | None:
    """Return the playbook that a kind of outside item starts; the most precise pattern wins."""
    fitting = [(len(p), book) for book in books.values() for p in book.hears if fnmatchcase(kind, p)]
    return max(fitting, key=lambda pair: pair[0])[1] if fitting else None


def for_goal(goal: str, books: Mapping[str, Playbook]) -> tuple[Playbook, ...]:
    """Return the playbooks whose goals are alike to the words, best first; none when nothing is near."""
    scored = [
        (max(fuzz.token_set_ratio(goal.casefold(), each.casefold()) for each in book.goals), book)
        for book in books.values()
        if book.goals
    ]
    near = [(score, book) for score, book in scored if score >= ALIKE_PCT]
    return tuple(book for _, book in sorted(near, key=lambda pair: (-pair[0], pair[1].name)))


@dataclass(frozen=True)
class Filled:
    """A playbook with its names filled in: steps, or what is still to be asked."""

    steps: tuple[Step, ...] = ()
    missing: tuple[str, ...] = field(default=())


def fill(book: Playbook, known: Mapping[str, Json], desk: Desk) -> Filled:
    """Return the steps of a playbook for what is known."""
    missing = tuple(name for name in book.asks if not known.get(name))
    if missing:
        return Filled(missing=missing)
    known_to = staff()
    return Filled(
        tuple(
            Step(
                id=step.id,
                agent=known_to[step.intent].agent if step.intent in known_to else step.agent,
                intent=step.intent,
                inputs=_inputs(step.inputs, known, desk),
                needs=step.needs,
                gate=step.gate,
                on_fail=step.on_fail,
                why=step.why or f"playbook {book.name}: {book.title}",
            )
            for step in book.steps
        )
    )


def _inputs(written: Mapping[str, Any], known: Mapping[str, Json], desk: Desk) -> dict[str, Json]:
    values = {name: _value(value, known, desk) for name, value in written.items()}
    return {name: value for name, value in values.items() if value is not None and value != ""}


def _value(value: Any, known: Mapping[str, Json], desk: Desk) -> Json:
    if not isinstance(value, str):
        return value
    if value.startswith("@"):
        return _nine(Span.read(value[1:]).after(desk.now.astimezone(desk.zone))).isoformat()
    if value.startswith("$") and value[1:].isidentifier():
        return known.get(value[1:])
    return re.sub(r"\$\{(\w+)\}", lambda m: str(known.get(m[1]) or ""), value)


def _nine(moment: datetime) -> datetime:
    return moment.replace(hour=9, minute=0, second=0, microsecond=0)


def suggested(text: str, books: Mapping[str, Playbook]) -> Sequence[Playbook]:
    """Return the replies whose words occur in a mail, the one with most of them first."""
    found = []
    for book in books.values():
        hits = sum(bool(re.search(word, text, re.IGNORECASE)) for word in book.words)
        if hits and book.reply and not any(re.search(word, text, re.IGNORECASE) for word in book.not_words):
            found.append((hits, book))
    return [book for _, book in sorted(found, key=lambda pair: (-pair[0], pair[1].name))]
