"""What a model is told before it is asked, and what is kept from it: memory, books and the last turns, within budgets.

An agent says what it is about and for whom; this finds what bears on it, puts it into the prompt as quoted material, and
writes down what was left out and why (`/why` shows it)::

    briefing = Briefing(gateway.ask, gateway.has_models, remembering, state, explain)
    await briefing.ask("plan", prompt, about="onboard Globex", recent=True, task="12")

A prompt that chooses actions (`CHOOSES`) is given the operator's own words and our records, and nothing that was written
outside, quoted or not. A client is a wall here as everywhere: what goes into words for one client holds nothing that names another. Without a
model nothing is looked up, and without Redis the last turns are missing and nothing else is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.base import Found, Thought
from agents.bill import OPEN
from agents.question import Explained
from bot.remembering import SEVERAL, Names, Remembering
from bot.state import TaskState
from memory.context import Turn
from memory.events import Origin, Place
from memory.projections import Books
from memory.recall import Known
from memory.stitching import stitch, tokens

MEMORY_TOKENS = 500  # of what is remembered, in one prompt
RECALL_TOKENS = 1500  # of what one agent is handed for one question
BOOKS_TOKENS = 200
TURNS_TOKENS = 300
TURN_CHARACTERS = 400  # of one turn
REF_CHARACTERS = 60  # of a memory where it is named as a source
CONSIDERED = 20  # recollections that are looked at for one prompt
LEAST_SHARE = 0.3  # of the best score: what is below has a word in common, and no more
QUERY_MAX = 600  # characters of what a prompt is about that are searched with

CHOOSES = frozenset({"plan"})
"""Purposes whose answer names actions; reading a message is the other one, and is given no memory at all."""
TRUSTED = frozenset({Origin.OPERATOR, Origin.DELEGATE})

MEMORY_HEAD = "From memory, what may bear on this:"
BOOKS_HEAD = "How this client stands on our books:"
TURNS_HEAD = "The conversation before this, oldest first. It says what 'it' or 'the same' means and is no source:"


@dataclass
class Brief:
    """Material for one prompt, what it rests on, and what was left out."""

    material: list[tuple[Origin, str]] = field(default_factory=list)
    refs: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


class Briefing:
    """Stands between the agents' desks and the models. One for the house."""

    def __init__(
        self,
        ask: Callable[..., Awaitable[Thought]],
        able: Callable[[], bool],
        remembering: Remembering,
        state: Callable[[int], TaskState],
        explain: Callable[[Explained], None],
    ) -> None:
        """Take what it stands between.

        Args:
            ask: `agents.llm.Gateway.ask`.
            able: Whether there is any model to be asked.
            remembering: Long-term memory, and the last turns.
            state: What is believed of a task: where it was asked.
            explain: The explain log, for what is left out where no model is asked.
        """
        self._ask = ask
        self._able = able
        self._memory = remembering
        self._state = state
        self._explain = explain

    async def ask(
        self,
        purpose: str,
        prompt: str,
        *,
        material: Sequence[tuple[Origin, str]] = (),
        client: str = "",
        about: str = "",
        recent: bool = False,
        task: str = "",
        **more: Any,
    ) -> Thought:
        """Ask a model; see `agents.base.Desk.think` and `agents.llm.Gateway.ask`."""
        brief = Brief()
        if self._able() and (about or recent):
            own = purpose in CHOOSES
            brief = await self._brief(about, client, recent, task, [text for _, text in material], own=own)
        return await self._ask(
            purpose, prompt, material=[*material, *brief.material], task=task, refs=brief.refs, left_out=brief.left_out,
            **more,
        )  # fmt: skip

    async def _brief(
        self,
        about: str,
        client: str,
        recent: bool,  # noqa: FBT001 - as asked
        task: str,
        told: Iterable[str],
        *,
        own: bool,
    ) -> Brief:
        names = await asyncio.to_thread(self._names)
        client = client or names.namespace(about)
        brief = Brief()
        if about and client != SEVERAL:
            await self._remembered(brief, about, client, told, own=own)
        elif about:
            brief.left_out.append("all of memory: more than one client is named, and each is walled off from the other")
        if recent and client and client != SEVERAL:
            await asyncio.to_thread(self._on_the_books, brief, client)
        if recent and task.isdecimal():
            state = self._state(int(task))
            said = await self.turns(
                state.place, "" if client == SEVERAL else client, names, brief.left_out, unless=about, own=own
            )
            brief.material += said
        return brief

    def _names(self) -> Names:
        with self._memory.database.read() as tx:
            return Names.of(Books(tx))

    # ── memory ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _remembered(self, brief: Brief, about: str, client: str, told: Iterable[str], *, own: bool) -> None:
        hits = await self._memory.bearing(about[:QUERY_MAX], client, CONSIDERED)
        if own:
            outside = [hit for hit in hits if not _is_ours(hit.record)]
            hits = [hit for hit in hits if _is_ours(hit.record)]
            brief.left_out += [
                f"memory:{hit.record.id}: others' words, and this prompt chooses actions" for hit in outside
            ]
        stitched = stitch(hits, MEMORY_TOKENS, told=told, least_share=LEAST_SHARE)
        by_origin: dict[Origin, list[str]] = {}
        for line in stitched.lines:
            by_origin.setdefault(line.origin, []).append(line.text)
        brief.material += [(origin, "\n".join([MEMORY_HEAD, *lines])) for origin, lines in by_origin.items()]
        brief.refs += [f"memory:{line.id} “{line.text[:REF_CHARACTERS]}”" for line in stitched.lines]
        brief.left_out += map(str, stitched.left_out)

    async def recall(self, query: str, client: str, k: int, task: str = "", agent: str = "") -> Sequence[Found]:
        """Return what memory holds, no more than `RECALL_TOKENS` of it and nothing twice; see `agents.base.Desk.recall`."""
        found = await self._memory.recall(query, client, k)
        kept: list[Found] = []
        left_out: list[str] = []
        left, said = RECALL_TOKENS, dict[str, str]()
        for each in found:
            plain = " ".join(each.text.split()).casefold()
            cost = tokens(plain)
            if plain in said:
                left_out.append(f"{each.ref}: says the same as {said[plain]}")
            elif cost > left:
                left_out.append(f"{each.ref} “{each.text[:60]}”: needs {cost} tokens, and {left} are left")
            else:
                left -= cost
                said[plain] = each.ref
                kept.append(each)
        if left_out:
            self._explain(
                Explained(
                    purpose="recall", task=task, workflow=agent, origin=Origin.SYSTEM, agent=agent, tier="local",
                    messages=(("user", query),), refs=tuple(f"{each.ref} “{each.text[:REF_CHARACTERS]}”" for each in kept), steps=(), decision="found",
                    model="", answer="", left_out=tuple(left_out),
                )
            )  # fmt: skip
        return kept

    # ── books ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _on_the_books(self, brief: Brief, client: str) -> None:
        """Add the client's record and what is open with them: the least that a plan has to know."""
        with self._memory.database.read() as tx:
            books = Books(tx)
            record = books.record("client", client)
            lines = [] if record is None else [_line("client", client, record.data, ("name", "status", "contact"))]
            for kind, open_, fields in STANDING:
                lines += [
                    _line(kind, each.key, each.data, fields)
                    for each in books.all(kind)
                    if each.data.get("client") == client and each.data.get("status") in open_
                ]
        left, kept = BOOKS_TOKENS, list[str]()
        for line in lines:
            cost = tokens(line + "\n")
            if cost <= left:
                left -= cost
                kept.append(line)
            else:
                brief.left_out.append(f"books “{line[:60]}”: needs {cost} tokens, and {left} are left")
        if kept:
            brief.material.append((Origin.SYSTEM, "\n".join([BOOKS_HEAD, *kept])))

    # ── the conversation ──────────────────────────────────────────────────────────────────────────────────────────

    async def turns(
        self, place: Place | None, client: str, names: Names | None = None, left_out: list[str] | None = None,
        unless: str = "", *, own: bool = False,
    ) -> list[tuple[Origin, str]]:  # fmt: skip
        """Return the last turns of a conversation as material, the newest that fit; none when Redis is away.

        Args:
            place: The conversation.
            client: Whose matter it is: turns that name another client stay out, and what we answered to them. With ""
                the operator's own words all count, for they say what the operator means, and of ours those about nobody.
            names: The clients on the books, where they were read already.
            left_out: Takes what stays out, and why.
            unless: The message that is being read: it is no turn before itself.
            own: The operator's words alone: what we said may quote others.
        """
        if place is None:
            return []
        said = list(await self._memory.context.turns(f"{place.channel}:{place.conversation}"))
        if said and unless and said[-1].text.strip() == unless.strip():
            said.pop()
        if own:
            said = [turn for turn in said if _origin(turn) in TRUSTED]
        known = names if names is not None else await asyncio.to_thread(self._names) if said else None
        out = left_out if left_out is not None else []
        left, kept = TURNS_TOKENS, list[tuple[Origin, str]]()
        asked = ""  # whom the message names that ours answer
        about = []
        for turn in said:
            ours = turn.speaker == "soloist"
            whose = known.namespace(turn.text) if known else ""
            asked = asked if ours else whose
            about.append((turn, whose or (asked if ours else "")))
        for turn, whose in reversed(about):
            line = f"{turn.speaker}: {' '.join(turn.text.split())[:TURN_CHARACTERS]}"
            cost = tokens(line + "\n")
            if whose not in {"", client} and (client or turn.speaker == "soloist"):
                out.append(f"a turn of {turn.at:%H:%M}: it names another client")
            elif cost > left:
                out.append(f"a turn of {turn.at:%H:%M}: needs {cost} tokens, and {left} are left")
            else:
                left -= cost
                kept.append((_origin(turn), line))
        return _blocks(reversed(kept))


STANDING = (
    ("invoice", frozenset(OPEN), ("total", "due", "status")),
    ("project", frozenset({"running"}), ("name", "due", "status")),
    ("proposal", frozenset({"sent", "accepted"}), ("text", "amount", "status")),
    ("subscription", frozenset({"active", "past_due"}), ("plan", "amount", "status")),
)
"""Kinds of records that say how a client stands, the states that are open, and what of each is told."""


def _line(kind: str, key: str, data: Any, fields: Sequence[str]) -> str:
    told = [f"{name} {data[name]}" for name in fields if data.get(name)]
    return f"{kind} {key}: {', '.join(told)}"


def _is_ours(record: Known) -> bool:
    """Whether the operator said it, or we did of our own: a summary may hold anybody's words."""
    return record.origin in TRUSTED or (record.origin is Origin.SYSTEM and record.kind != "summary")


def _origin(turn: Turn) -> Origin:
    return Origin(turn.speaker) if turn.speaker in {each.value for each in Origin} else Origin.SYSTEM


def _blocks(turns: Iterable[tuple[Origin, str]]) -> list[tuple[Origin, str]]:
    """Return one piece of material for each speaker's stretch, so that each is marked with whose words it is."""
    blocks: list[tuple[Origin, list[str]]] = []
    for origin, line in turns:
        if blocks and blocks[-1][0] is origin:
            blocks[-1][1].append(line)
        else:
            blocks.append((origin, [line]))
    return [
        (origin, "\n".join([TURNS_HEAD, *lines] if number == 0 else lines))
        for number, (origin, lines) in enumerate(blocks)
    ]
