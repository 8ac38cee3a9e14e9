"""Manners: how letters should sound, as the operator says it, and what was learnt from the letters that went out.

What is said becomes a fact, so it is listed in /memory, has versions, and can be forgotten; ``tone.py`` reads it.
"""

from __future__ import annotations

import re
from typing import ClassVar

from agents.base import ActionCall, Agent, Desk, Intent, Proposal, Record, Risk, Task, Write, local_day
from agents.directory import look_up, named
from agents.edits import with_edits
from agents.slots import ClientName
from agents.tone import KIND, LETTERS_MAX, LETTERS_MIN, manner_of, read_rule
from memory.events import Json, Origin

_COMMAND = re.compile(r"^\s*[/!]\w+\s*")
HELP = (
    "I can keep: no exclamation marks, no emojis, no contractions, never say '...', sign off with ..., greet with ..., "
    "use du (or Sie), write shorter, at most 120 words."
)


class SetManner(Intent):
    """Say how letters should sound, or ask how they do."""

    effect: ClassVar[Risk] = Risk.REVERSIBLE
    examples: ClassVar[tuple[str, ...]] = (
        "never use exclamation marks",
        "no emojis in my letters",
        "write shorter",
        "keep my mails shorter from now on",
        "sign off with Cheers",
        "close my letters with Best wishes",
        "greet clients with Hi",
        "never say kindly in a mail",
        "don't use the word synergy",
        "avoid contractions in letters",
        "use du with Acme",
        "use Sie in letters to Globex",
        "letters should have at most 120 words",
        "exclamation marks are fine again",
        "how do my letters sound?",
        "what is my tone of voice?",
        "what have you learnt about how I write?",
        "my mails should be briefer",
        "start my e-mails with Good morning",
        "show my writing style",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "no exclamation marks please",
        "sign my letters off with Warm regards",
        "never write 'circle back' in my mails",
        "keep letters short",
        "how do I usually write my letters?",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "write Acme that we are late",
        "remember that Acme prefers short mails",
        "make the post shorter",
        "what do you know about Acme?",
        "sign the contract with Globex",
        "shorten the meeting with Acme",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "never use {rule}",
        "sign off with {rule}",
        "write shorter",
        "how do my letters sound",
        "always sign off with {rule}",
        "sign my mails with {rule}",
    )
    command: ClassVar[str] = "tone"

    rule: str = ""
    client: ClientName | None = None


class Manners(Agent):
    """Keeps how the operator's letters sound."""

    intents = (SetManner,)
    proposes = ("books.write",)

    @with_edits
    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Keep what is said about letters, or tell what is known."""
        wish = task.intent
        assert isinstance(wish, SetManner)
        client = look_up(desk, wish.client).record if wish.client else None
        spoken = (_COMMAND.sub("", task.text), wish.rule)
        said = next((text for text in spoken if read_rule(text)), "")
        if not said or task.origin is not Origin.OPERATOR:
            return _told(desk, client)
        return _kept(said, client, task, desk)


def _kept(said: str, client: Record | None, task: Task, desk: Desk) -> Proposal:
    rule = read_rule(said)
    assert rule is not None
    whose = f"{client.key}/" if client else ""
    key = rule.key.replace("/", f"/{whose}", 1)
    before = desk.record(KIND, key)
    text = said.strip().rstrip(".")
    text = text[0].upper() + text[1:]
    data: dict[str, Json] = {
        "text": text, "client": client.key if client else "", "origin": task.origin.value, "by": task.origin.value,
        "said": local_day(desk).isoformat(),
    }  # fmt: skip
    fields: dict[str, Json] = {"For": named(client) if client else "every letter"}
    if before:
        fields["Before"] = str(before.data["text"])
    call = ActionCall(
        name="books.write",
        args={"summary": f"Noted: {text}", "fields": fields},
        writes=(Write(kind=KIND, key=key, data=data),),
        needs={f"{KIND}:{key}": before.version} if before else {},
        client=client.key if client else "",
    )
    return Proposal(calls=(call,), reasons=("You said so. Drafts are held to it; '/tone' lists what I know.",))


def _told(desk: Desk, client: Record | None) -> Proposal:
    manner = manner_of(desk, client.key if client else "")
    measured = manner.habits.letters
    whom = f"Letters to {named(client)}" if client else "Your letters"
    own = f", {manner.habits.own} of them changed by you" if manner.habits.own else ""
    rows = [f"{whom}, measured on the last {measured}{own}:" if measured else f"{whom}:"]
    rows += manner.words.splitlines()
    if measured < LETTERS_MIN:
        rows.append(
            f"Habits are learnt from {LETTERS_MIN} letters that went out ({LETTERS_MAX} at most); so far {measured}."
        )
    return Proposal(say="\n".join([*rows, HELP]))
