"""What the operator asks of memory: remember, recall, forget, look through it, put an older version back.

An agent like any other: it reads and proposes. A fact is a canonical record (kind ``fact``), so that it has versions,
an author, an undo, and is in every backup; long-term memory follows it (`bot.remembering`). Forgetting is one action
behind a card that says what will go (`bot.keeper`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar

from agents.base import ActionCall, Agent, Choice, Desk, Intent, Proposal, Source, Task, Write
from agents.directory import slug
from bot.control import Forget, Memory, RecallFact, Remember
from bot.keeper import Keeper, NothingToForgetError
from bot.remembering import FACT, SEVERAL, Names, Remembering
from connectors.base import Json
from memory.erased import MARK
from memory.events import Origin
from memory.line import stamp
from memory.projections import Books, Version
from memory.recall import NO_MODEL, Hit, Hits, Scope

SHOWN = 8  # things told in one answer
TOLD = 5  # of what was found: in a small home the rest is whatever else there is; /why shows it
ALIKE = 0.6  # of the words of the shorter of two notes; from there the older one may be meant
KEY_WORDS_MAX = 4  # in what a note is about: "payment terms", not half a sentence

_OWN = re.compile(
    r"^(?:my|our|the company's)\s+(?P<what>[\w -]+?)\s+(?:is|are|=|changed to|changes to)\s+(?P<value>.+)$",
    re.IGNORECASE,
)
_THEIRS = re.compile(
    r"^(?P<who>.+?)(?:'s|s')\s+(?P<what>[\w -]+?)\s+(?:is|are|=|changed to|changes to)\s+(?P<value>.+)$", re.IGNORECASE
)
_DOES = re.compile(
    r"^(?P<who>.+?)\s+(?P<what>pays|prefers|wants|hates|likes|needs|uses|closes|opens)\s+(?P<value>.+)$", re.IGNORECASE
)
_CHANGING = re.compile(r"^(?:new|current|latest|old)\s+", re.IGNORECASE)
_ASKED = re.compile(r"^(?:please\s+)?remember(?:\s+that)?[:,]?\s+", re.IGNORECASE)
_INSTEAD = re.compile(r"^instead of (?P<key>\S+):\s*(?P<what>.+)$", re.IGNORECASE | re.DOTALL)
_ALSO = re.compile(r"^also:\s*(?P<what>.+)$", re.IGNORECASE | re.DOTALL)
_RESTORE = re.compile(
    r"^(?:restore\s+)?(?P<kind>[a-z_]+)[ :](?P<key>\S+)\s+(?:to\s+)?version\s+(?P<version>\d+)$", re.IGNORECASE
)
_SMALL = frozenset(
    [
        "a",
        "an",
        "the",
        "and",
        "or",
        "of",
        "to",
        "in",
        "on",
        "at",
        "is",
        "are",
        "was",
        "were",
        "be",
        "by",
        "for",
        "with",
        "that",
        "this",
        "it",
        "its",
        "from",
        "as",
        "they",
        "we",
        "i",
    ]
)


class Librarian(Agent):
    """Keeps, finds and forgets what was said."""

    name: ClassVar[str] = "memory"
    intents: ClassVar[tuple[type[Intent], ...]] = (Remember, RecallFact, Memory, Forget)
    proposes: ClassVar[tuple[str, ...]] = ("books.write", "memory.forget")

    def __init__(self, remembering: Remembering, keeper: Keeper) -> None:
        """Take the memory it reads, and what would carry out a forgetting."""
        self._memory = remembering
        self._keeper = keeper

    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Answer, or propose what is to be written or forgotten."""
        match task.intent:
            case Remember(what=what):
                return self._remember(task.guidance or what, task, desk)
            case RecallFact(query=query):
                return await self._recall(query, task.id)
            case Memory(query=query):
                return await self._look(query, task.id)
            case Forget(what=what):
                return await self._forget(what, int(task.id))
            case other:
                return Proposal(problem=f"Memory does not do {other.id()!r}.")

    # ── remember ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _remember(self, said: str, task: Task, desk: Desk) -> Proposal:
        # "/remember remember Acme ..." is what a button of "One of these?" says: the asking is no part of the note.
        what = _ASKED.sub("", said.strip()).rstrip(".")
        if task.origin is not Origin.OPERATOR:
            words: dict[str, Json] = {
                "text": what,
                "origin": task.origin.value,
                "client": SEVERAL,
                "speaker": task.origin.value,
            }
            return Proposal(
                say="Kept as what you said. Only the operator's word makes a fact of it.", remember=(words,)
            )
        with self._memory.database.read() as tx:
            books = Books(tx)
            client = Names.of(books).namespace(what)
            facts = [fact for fact in books.all(FACT) if fact.data.get("text") and fact.data["text"] != MARK]
        key = ""
        if instead := _INSTEAD.match(what):
            key, what = instead["key"], instead["what"]
            client = next((str(fact.data.get("client", "")) for fact in facts if fact.key == key), client)
        elif also := _ALSO.match(what):
            what = also["what"]
        else:
            key = about(what, client)
            alike = [] if key else _alike(what, [fact for fact in facts if fact.data.get("client", "") == client])
            if alike:
                return _which(what, alike)
        before = next((fact for fact in facts if fact.key == key), None) if key else None
        if before is not None and before.data["text"] == what:
            return Proposal(say=f"I know that already, since {before.at:%d %b %Y}.")
        key = key or f"note-{task.id}"
        data: dict[str, Json] = {
            "text": what, "client": client, "origin": task.origin.value, "by": task.origin.value,
            "said": stamp(desk.now)[:10],
        }  # fmt: skip
        summary = f"Noted: {what}."
        if before is not None:
            summary = f"Noted: {what}. Before: {before.data['text']} ({before.at:%d %b %Y})."
        needs = {f"{FACT}:{key}": self._version(key)}
        call = ActionCall(
            name="books.write",
            args={"summary": summary},
            writes=(Write(kind=FACT, key=key, data=data),),
            needs=needs,
            client="" if client == SEVERAL else client,
        )
        return Proposal(calls=(call,), reasons=("You said so.",))

    def _version(self, key: str) -> int:
        with self._memory.database.read() as tx:
            return Books(tx).version(FACT, key)

    # ── recall ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _recall(self, query: str, task: str) -> Proposal:
        await self._memory.context.alive()
        hits = await self._memory.ask(query, Scope(), SHOWN)
        notes = self._notes(hits)
        if not hits:
            return Proposal(say="\n".join([f"I found nothing about {query!r}.", *notes]))
        lines = [f"- {told(hit)}" for hit in hits[:TOLD]]
        if len(hits) > TOLD:
            lines.append(f"{len(hits) - TOLD} more, less like it: /why {task} shows them.")
        sources = tuple(
            Source(
                ref=f"memory:{hit.record.id}", text=f"{hit.record.text[:200]} [{hit.why()}]", origin=hit.record.origin
            )
            for hit in hits
        )
        head = (
            "What I found, best first" if any(_shares(hit) for hit in hits) else "Nothing with these words. The nearest"
        )
        head += f" (/why {task} explains it):"
        return Proposal(say="\n".join([head, *lines, *notes]), sources=sources)

    def _notes(self, hits: Hits) -> list[str]:
        notes = [hits.note] if hits.note else []
        if hits.note == NO_MODEL and self._memory.loading:
            notes = ["The embedding model is still loading: found by words alone."]
        if hits.pending:
            notes.append(f"{hits.pending} newer records are found by their words alone for now.")
        return [*notes, *filter(None, (self._memory.context.note, self._memory.problem))]

    # ── look through, and back ────────────────────────────────────────────────────────────────────────────────────

    async def _look(self, query: str, task: str) -> Proposal:
        words = query.strip()
        if not words:
            return self._overview()
        if back := _RESTORE.match(words):
            return self._restore(back["kind"].lower(), back["key"], int(back["version"]))
        kind, _, key = words.replace(":", " ", 1).partition(" ")
        if key and (shown := self._history(kind.lower(), key.strip())):
            return shown
        return await self._recall(words, task)

    def _overview(self) -> Proposal:
        with self._memory.database.read() as tx:
            facts = [fact for fact in Books(tx).all(FACT) if fact.data.get("text") and fact.data["text"] != MARK]
            rows = tx.exec_driver_sql("SELECT kind, COUNT(*) FROM recollections GROUP BY kind ORDER BY kind").fetchall()
        counts = ", ".join(f"{number} {kind}{'s' * (number != 1)}" for kind, number in rows) or "nothing yet"
        newest = sorted(facts, key=lambda fact: fact.at, reverse=True)[:SHOWN]
        by_client = Counter(str(fact.data.get("client") or "the company") for fact in facts)
        lines = [f"I remember {counts}."]
        if by_client:
            lines.append(
                "Noted: " + ", ".join(f"{number} about {client}" for client, number in sorted(by_client.items()))
            )
        lines += [f"- {fact.data['text']} ({fact.at:%d %b %Y}, fact {fact.key})" for fact in newest]
        lines.append("/memory fact KEY or /memory client KEY shows every version.")
        conflicts = self._memory.memory.conflicts()
        if conflicts:
            lines.append(
                "Unconfirmed, against what you said: " + "; ".join(each.text[:80] for each in conflicts[:SHOWN])
            )
        return Proposal(say="\n".join([*lines, *self._notes(Hits())]))

    def _history(self, kind: str, key: str) -> Proposal | None:
        with self._memory.database.read() as tx:
            versions = Books(tx).versions(kind, key) or Books(tx).versions(kind, slug(key))
        if not versions:
            return None
        lines = [f"{kind} {versions[0].key}, {len(versions)} version{'s' * (len(versions) != 1)}:"]
        earlier: Mapping[str, Json] = {}
        for version in versions:
            changed = "ended" if version.gone else _changes(earlier, version.data)
            lines.append(f"- version {version.version}, {version.at:%d %b %Y %H:%M}, task {version.task}: {changed}")
            earlier = version.data
        choices = tuple(
            Choice(label=f"Restore {version.version}", text=f"/memory {kind} {version.key} version {version.version}")
            for version in versions[-4:-1]
        )
        if choices:
            return Proposal(ask="\n".join(lines), choices=choices)
        return Proposal(say="\n".join(lines))

    def _restore(self, kind: str, key: str, number: int) -> Proposal:
        with self._memory.database.read() as tx:
            versions = Books(tx).versions(kind, key)
        wanted = next((version for version in versions if version.version == number), None)
        if wanted is None:
            return Proposal(problem=f"There is no version {number} of {kind} {key}. /memory {kind} {key} lists them.")
        if kind not in RESTORABLE:
            return Proposal(problem=f"A {kind} is not put back by hand: what changed it is undone instead (/undo).")
        if versions[-1].data == wanted.data and versions[-1].gone == wanted.gone:
            return Proposal(say=f"{kind} {key} stands like version {number} already.")
        summary = f"{kind} {key} is as in version {number} again: {_changes(versions[-1].data, wanted.data)}."
        call = ActionCall(
            name="books.write",
            args={"summary": summary},
            writes=(Write(kind=kind, key=key, data=wanted.data, gone=wanted.gone),),
            needs={f"{kind}:{key}": versions[-1].version},
            client=key if kind == "client" else str(wanted.data.get("client", "")),
        )
        return Proposal(calls=(call,), reasons=(f"Version {number} is of {wanted.at:%d %b %Y}, task {wanted.task}.",))

    # ── forget ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _forget(self, what: str, task: int) -> Proposal:
        try:
            call = await self._keeper.propose(what.strip().rstrip("."), task)
        except NothingToForgetError as error:
            return Proposal(say=str(error))
        return Proposal(calls=(call,), reasons=("You asked. Nothing is gone before you press.",))


RESTORABLE = frozenset({"client", FACT, "project", "preference", "policy_delta"})
"""Kinds that are only said, not done: an invoice or a payment cannot be talked back into an earlier state."""


def about(what: str, client: str) -> str:
    """Return the key of what a note is about where that is clear, else "": the next note of the same key replaces it.

    ``"Acme's payment terms are net 30"`` of client acme → ``"acme/payment-terms"``.
    """
    for pattern in (_OWN, _THEIRS, _DOES):
        found = pattern.match(what)
        if found is None:
            continue
        topic = _CHANGING.sub("", found["what"]).strip()
        if len(topic.split()) > KEY_WORDS_MAX:
            continue
        if pattern is _OWN:
            return f"own/{slug(topic)}"
        if client and client != SEVERAL:
            named = slug(found["who"])
            whose = client if named == client or client.startswith(named) else f"{client}/{named}"
            return f"{whose}/{slug(topic)}"
    return ""


def _alike(what: str, facts: Sequence[Version]) -> list[Version]:
    mine = _words(what)
    scored = []
    for fact in facts:
        theirs = _words(str(fact.data["text"]))
        shared = len(mine & theirs)
        share = shared / max(1, min(len(mine), len(theirs)))
        if share >= ALIKE and shared > 1:
            scored.append((share, fact))
    return [fact for _, fact in sorted(scored, key=lambda pair: (-pair[0], pair[1].key))][:3]


def _words(text: str) -> set[str]:
    return {word.removesuffix("s") for word in re.findall(r"\w+", text.casefold()) if word not in _SMALL}


def _which(what: str, alike: Sequence[Version]) -> Proposal:
    lines = [f"- {fact.data['text']} ({fact.at:%d %b %Y})" for fact in alike]
    choices = [
        Choice(label=f"Replace: {str(fact.data['text'])[:40]}", text=f"/remember instead of {fact.key}: {what}")
        for fact in alike
    ]
    keep = Choice(label="Keep both", text=f"/remember also: {what}")
    return Proposal(ask="\n".join(["Does this replace what I noted before?", *lines]), choices=(*choices, keep))


def _changes(before: Mapping[str, Json], after: Mapping[str, Json]) -> str:
    names = [name for name in (*after, *(set(before) - set(after))) if before.get(name) != after.get(name)]
    parts = [
        f"{name}: {before[name]} → {after.get(name, '')}" if before.get(name) else f"{name}: {after.get(name)}"
        for name in names
    ]
    return " ".join("; ".join(parts).split()) or "nothing changed"


def _shares(hit: Hit) -> bool:
    """Return whether a hit has a word, a name or a time of the question: meaning alone always has a nearest."""
    return not hit.terms.keys().isdisjoint(("words", "who", "whose", "named", "when"))


def as_json(hit: Hit) -> dict[str, Json]:
    """Return one hit for programs: the record, its source, and its score term by term."""
    record = hit.record
    return {
        "id": record.id, "text": record.text, "source": hit.source, "score": round(hit.score, 6),
        "terms": {name: round(value, 6) for name, value in hit.terms.items()}, "client": record.client,
        "kind": record.kind, "speaker": record.speaker, "origin": record.origin.value, "thread": record.thread,
        "position": record.position, "at": record.at.isoformat() if record.at else None,
        "superseded_by": record.superseded_by, "contests": record.contests,
    }  # fmt: skip


def told(hit: Hit) -> str:
    """Return one thing found in one line: what, whose words, when, where to look it up."""
    record = hit.record
    words = " ".join(record.text.split())
    if len(words) > 300:  # noqa: PLR2004 - three lines of a phone
        words = words[:299] + "…"
    about = [f"{record.at:%d %b %Y}"] if record.at else []
    about.append(record.speaker or record.origin.value)
    if record.origin in {Origin.CLIENT, Origin.STRANGER}:
        about.append("their words")
    if record.superseded_by:
        about.append("no longer so")
    if record.contests:
        about.append("disagrees with what you said")
    return f"{words} ({', '.join(about)}; {hit.source})"
