"""Replies: what people answer to our posts, and what we might answer them, in public.

The words come from strangers: they are shown and quoted, and choose neither whom we answer nor what is done. Without a model
a reply is one of a few plain sentences; what fits none of them is told, and nothing is drafted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from agents.base import ActionCall, Agent, Desk, Proposal, Task, Write
from agents.directory import slug
from agents.letter import facts_changed, prompt
from agents.percept import NAME_MAX, line
from memory.events import Json, Origin

TEXT_MAX = 300  # graphemes of a post (app.bsky.feed.post)
REPLIES_PER_THREAD_MAX = 3  # drafted for one person under one post; a longer talk is the operator's own
_QUOTED_MAX = 1_000

_NAME = re.compile(r"[^\W\d_][^\W\d_'’-]{0,29}")  # a first name; a display name may be any words at all
_THANKS = re.compile(
    r"\b(?:thank(?:s| you)|great|love(?:ly)?|nice|congrat\w*|awesome|danke\w*|super|toll\w*|klasse|glückwunsch)\b",
    re.IGNORECASE,
)
_TROUBLE = re.compile(
    r"\b(?:broken|does ?n[o'’]t work|not working|refund|scam|disappoint\w*|terrible|awful|angry|never again|worst"
    r"|kaputt|funktioniert nicht|geht nicht|enttäusch\w*|unverschämt|abzocke|geld zurück)\b", re.IGNORECASE,
)  # fmt: skip
SAYS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "trouble": "I am sorry to hear that, {name}. Please write to {email}, so that I can look into it.",
        "question": "Thank you for asking, {name}. I will look into it and answer you here.",
        "thanks": "Thank you, {name}, that is good to hear!",
    },
    "de": {
        "trouble": "Das tut mir leid, {name}. Bitte schreiben Sie an {email}, damit ich mich darum kümmern kann.",
        "question": "Danke für die Frage, {name}. Ich sehe nach und antworte hier.",
        "thanks": "Vielen Dank, {name}, das freut mich!",
    },
}
"""What is answered without a model, by language and by what the words are."""


class Replies(Agent):
    """Hears what people answer on Bluesky."""

    hears = ("bluesky.*",)
    proposes = ("bluesky.reply",)

    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Show who said what, and propose an answer where there is one to give."""
        item = task.item or {}
        author = item.get("author")
        author = author if isinstance(author, dict) else {}
        handle = line(str(author.get("handle") or ""), NAME_MAX)
        words = line(task.item_text, _QUOTED_MAX)
        uri = str(item.get("uri") or "")
        shown = f"@{handle} on Bluesky ({task.item_kind.partition('.')[2]}):\n> {words}"
        kept = _memory_of(words, handle, uri, str(item.get("about") or uri))
        key = slug(f"bluesky {handle} {item.get('about') or uri}")[-80:].strip("-")
        before = desk.record("ticket", key)
        answered = int(before.data.get("replies", 0)) if before else 0
        if answered >= REPLIES_PER_THREAD_MAX:
            return Proposal(
                say=f"{shown}\nYou answered them {answered} times here; the next answer is yours.", remember=kept
            )
        language = "de" if "de" in (item.get("languages") or ()) else "en"
        sort = _sort(words)
        if not (sort and handle and uri):
            return Proposal(say=f"{shown}\nNothing is drafted.", remember=kept)
        first = line(str(author.get("name") or ""), NAME_MAX).partition(" ")[0]
        name = first if _NAME.fullmatch(first) else f"@{handle}"
        draft = SAYS[language][sort].format(name=name, email=desk.company.get("email") or "me by mail")
        text, reasons = await _worded(draft, words, task.guidance, desk)
        ticket: dict[str, Json] = {
            "client": "", "from": f"@{handle}", "subject": words[:80], "status": "answered", "playbook": "",
            "message_id": "", "references": [], "replies": answered + 1,
        }  # fmt: skip
        call = ActionCall(
            name="bluesky.reply",
            args={"text": text, "uri": uri, "who": f"@{handle}", "language": language},
            writes=(Write(kind="ticket", key=key, data=ticket),),
            needs={f"ticket:{key}": before.version if before else 0},
        )
        return Proposal(say=shown, calls=(call,), confidence_pct=60, reasons=reasons, remember=kept)


def _sort(words: str) -> str:
    """Return what kind of answer it calls for: trouble before a question, a question before thanks; "" for none."""
    if _TROUBLE.search(words):
        return "trouble"
    if "?" in words:
        return "question"
    return "thanks" if _THANKS.search(words) else ""


async def _worded(draft: str, words: str, guidance: str, desk: Desk) -> tuple[str, tuple[str, ...]]:
    """Let a model say it better; it may bring no number, address or link, and no more than fits."""
    wanted = f" The operator wants: {guidance}" if guidance else ""
    ask = f"{prompt('content')}\n\nAnswer a reader's words under our post, at most {TEXT_MAX} characters.{wanted}"
    thought = await desk.think("reply", ask, material=[(Origin.SYSTEM, draft), (Origin.STRANGER, words)])
    better = thought.text.strip()
    if thought.problem or not better or len(better) > TEXT_MAX:
        return draft, ("A plain sentence of mine; edit it before it goes out.",)
    if changed := facts_changed(draft, better, allowed=guidance, may_lose=True):
        return draft, (f"A model's answer was put away, because it changed {changed}.",)
    return better, (f"Written by {thought.model or 'a model'}; it names nothing that you did not.",)


def _memory_of(words: str, handle: str, uri: str, thread: str) -> tuple[Mapping[str, Json], ...]:
    if not words:
        return ()
    return (
        {
            "text": words, "client": "", "speaker": f"@{handle}", "author": f"@{handle}",
            "origin": Origin.STRANGER.value, "thread": thread, "source": uri,
        },
    )  # fmt: skip
