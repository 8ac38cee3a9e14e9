"""Research: pages and notes read, condensed, and cited. Nothing is stated without the place it comes from.

Pages and feeds are fetched by a connector that only reads. Without a model the answer is made of the sources' own sentences; a
model's answer is held to its sources by `uncited` and put away when it is not covered.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from agents.base import Agent, Desk, Intent, Proposal, Source, Task
from agents.edits import with_edits
from agents.letter import prompt
from agents.percept import line
from connectors.base import ConnectorError
from memory.events import Json, Origin

PAGES_MAX = 5  # links of one request
SENTENCES = 5  # of an answer without a model
SENTENCE_MAX = 400  # characters; what is longer is no sentence but a page without punctuation
MATERIAL_MAX = 8_000  # characters of one source shown to a model
NOTES_MAX = 6
ENTRIES_MAX = 10  # of a feed in one answer
ENTRY_MAX = 200  # characters of each

_FEED = re.compile(r"(?:/|\b)(?:feed|rss|atom)\b|\.(?:rss|atom|xml)(?:$|[?#])", re.IGNORECASE)
_URL = re.compile(r"https?://[^\s<>\"')\]]+")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-ZÄÖÜ0-9\"'(])|\n+")
_WORD = re.compile(r"\w{3,}")
_CITED = re.compile(r"\[(\d{1,2})\]")
_NUMBER = re.compile(r"\d[\d.,]*\d|\d")
_COMMON = frozenset(
    [
        "the",
        "and",
        "for",
        "are",
        "was",
        "were",
        "with",
        "that",
        "this",
        "from",
        "have",
        "has",
        "had",
        "not",
        "but",
        "you",
        "your",
        "what",
        "who",
        "how",
        "when",
        "where",
        "which",
        "about",
        "into",
        "can",
        "could",
        "would",
        "should",
        "does",
        "did",
        "will",
        "their",
        "they",
        "them",
        "its",
        "our",
        "all",
        "any",
        "more",
        "most",
        "other",
        "some",
        "such",
        "than",
        "then",
        "there",
    ]
)


class LookUp(Intent):
    """Find out something from notes, documents and the pages you name."""

    thinks: ClassVar[str] = "small"
    examples: ClassVar[tuple[str, ...]] = (
        "look up the VAT rules for training in Austria",
        "what does https://example.com/pricing say about refunds?",
        "research competitors of Acme",
        "find out what Globex does",
        "check the web for e-invoicing deadlines",
        "what do our notes say about the Hooli contract?",
        "look into grants for freelancers",
        "search my documents for the hosting agreement",
        "is there anything about late fees in the contract?",
        "find information on the trade fair in May",
        "read https://example.org/faq and tell me the opening times",
        "what is reverse charge?",
        "gather facts about Initech",
        "dig up what we know on pricing",
        "luk up the postal rates",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "look up the notice period in our contract",
        "find out when the new law starts",
        "what does https://example.com/terms say on data?",
        "research good podcasts for designers",
        "search the notes for the server address",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "who is Acme?",
        "summarise https://example.com/news",
        "what's unpaid?",
        "remember that the server is called Bert",
        "what's the weather?",
        "write a post about pricing",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "look up {query}",
        "research {query}",
        "find out {query}",
        "google {query}",
        "look into {query}",
        "find information on {query}",
        "search the web for {query}",
        "read up on {query}",
    )
    asks: ClassVar[dict[str, str]] = {"query": "What shall I look up?"}

    query: str = ""


class Summarise(Intent):
    """Put a page or a text into a few sentences."""

    thinks: ClassVar[str] = "small"
    examples: ClassVar[tuple[str, ...]] = (
        "summarise https://example.com/news",
        "sum up this article: https://example.org/a",
        "give me the gist of https://example.com/report",
        "tl;dr https://example.com/long-read",
        "what's in https://example.net/paper in short?",
        "make a short version of this text",
        "condense the following: our meeting took two hours",
        "summary of this page please https://example.com/x",
        "boil down https://example.com/whitepaper",
        "key points of https://example.com/talk",
        "shorten this for me",
        "summarize the attached notes",
        "read https://example.com/blog and give me five sentences",
        "the main points of this mail, please",
        "sumarise https://example.com",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "please summarise https://example.com/study",
        "give me a summary of https://example.org/post",
        "gist of this text please",
        "tldr https://example.net",
        "what are the key points of https://example.com/guide?",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "look up the VAT rules",
        "what happened yesterday?",
        "report on last week",
        "write a short post",
        "what does our contract say about notice?",
        "shorten the meeting with Acme",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "summarise {what}",
        "summarize {what}",
        "sum up {what}",
        "tl;dr {what}",
        "tldr {what}",
        "summary of {what}",
        "recap {what}",
        "condense {what}",
        "short version of {what}",
    )

    what: str = ""


@dataclass(frozen=True)
class Page:
    """Something read."""

    ref: str
    title: str
    text: str
    origin: Origin
    feed: bool = False  # its text is a line for each entry


class Research(Agent):
    """Reads for the operator; changes nothing."""

    intents = (LookUp, Summarise)

    @with_edits
    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Gather, condense, cite."""
        match task.intent:
            case LookUp() as wish:
                return await _look_up(wish.query or task.text, task, desk)
            case Summarise() as wish:
                return await _summarise(wish.what or task.text, task, desk)
        raise NotImplementedError(f"research does not know {task.intent.id()!r}")


async def _look_up(query: str, task: Task, desk: Desk) -> Proposal:
    pages, problems = await _pages(f"{query} {task.text}", desk)
    bare = _URL.sub("", query).strip(" ?.")
    notes = await desk.recall(bare or query, k=NOTES_MAX)
    pages += [Page(found.ref, "our notes", found.text, found.origin) for found in notes]
    if not pages:
        why = " ".join(problems) or "Nothing in our notes speaks of it."
        return Proposal(say=f"{why} I do not search the open web: name a page, and I read it.")
    return await _answer(bare or query, pages, problems, desk)


async def _summarise(what: str, task: Task, desk: Desk) -> Proposal:
    pages, problems = await _pages(f"{what} {task.text}", desk)
    if not pages and not problems:
        text = re.sub(
            r"^\W*(?:please )?(?:summari[sz]e|sum up|condense|shorten)\b[^:]*:?", "", what, flags=re.IGNORECASE
        ).strip()
        if len(_sentences(text)) < 2:  # noqa: PLR2004 - one sentence is its own summary
            return Proposal(ask="What shall I summarise? Give me a link, or paste the text.")
        pages = [Page("message", "your text", text, Origin.OPERATOR)]
    if not pages:
        return Proposal(problem=" ".join(problems))
    if len(pages) == 1 and pages[0].feed:
        return _newest(pages[0])
    return await _answer("", pages, problems, desk)


def _newest(feed: Page) -> Proposal:
    """A feed is its own summary: what is new, the newest first."""
    rows = feed.text.splitlines()
    return Proposal(
        say="\n".join([f"Newest in {feed.title}:", *(f"- {row}" for row in rows)]),
        results={"text": feed.text, "sources": [feed.ref]},
        sources=(Source(ref=feed.ref, text=feed.title, origin=feed.origin),),
    )


async def _pages(text: str, desk: Desk) -> tuple[list[Page], list[str]]:
    pages, problems = [], []
    for url in list(dict.fromkeys(_URL.findall(text)))[:PAGES_MAX]:
        address = url.rstrip(".,;:!?")
        try:
            if feed := await _feed(address, desk):
                pages.append(feed)
                continue
            receipt = await desk.use("web.fetch", url=address)
        except (ConnectorError, PermissionError) as error:
            problems.append(f"{address} could not be read: {error}")
            continue
        title = str(receipt.data.get("title") or address)
        pages.append(Page(address, title, str(receipt.data.get("text") or ""), Origin.STRANGER))
    return pages, problems


async def _feed(address: str, desk: Desk) -> Page | None:
    """Return a feed's newest entries, one paragraph each; None when the address does not look like one, or is none."""
    if not _FEED.search(address):
        return None
    try:
        receipt = await desk.use("web.feed", url=address)
    except ConnectorError:
        return None  # a page may be called so as well, and then says itself what is wrong
    rows = [_entry(each) for each in receipt.data["entries"][:ENTRIES_MAX]]
    return (
        Page(address, str(receipt.data["title"] or address), "\n".join(rows), Origin.STRANGER, feed=True)
        if rows
        else None
    )


def _entry(entry: Mapping[str, Json]) -> str:
    day = f"{entry['published'][:10]}: " if entry.get("published") else ""
    text = line(str(entry.get("text") or ""), ENTRY_MAX)
    return (
        f"{day}{line(str(entry['title']), ENTRY_MAX)}" + (f". {text}" if text else "") + (f" {entry['link']}".rstrip())
    )


async def _answer(query: str, pages: Sequence[Page], problems: Sequence[str], desk: Desk) -> Proposal:
    reasons: tuple[str, ...] = ()
    ask = f"{prompt('research')}\n\n" + (f"Question: {query}" if query else "Task: summarise the sources.")
    material = [
        (page.origin, f"[{i}] {page.title}\n{page.text[:MATERIAL_MAX]}") for i, page in enumerate(pages, start=1)
    ]
    thought = await desk.think("research", ask, material=material, recent=True)
    text = thought.text.strip()
    if thought.problem or not text:
        text = extract(query, pages)
        reasons = ("No model: these are the sources' own sentences.",)
    elif wrong := uncited(text, pages):
        text = extract(query, pages)
        reasons = (f"A model's answer was put away, because its sources do not cover: {wrong[0]}",)
    listed = "\n".join(
        f"[{i}] {page.title}" + (f" · {page.ref}" if page.ref != page.title else "")
        for i, page in enumerate(pages, start=1)
    )
    note = "".join(f"\n{problem}" for problem in problems)
    return Proposal(
        say=f"{text}\n\nSources:\n{listed}{note}" + "".join(f"\n({reason})" for reason in reasons),
        reasons=reasons,
        results={"text": text, "sources": [page.ref for page in pages]},
        sources=tuple(Source(ref=page.ref, text=page.title, origin=page.origin) for page in pages),
    )


def extract(query: str, pages: Sequence[Page]) -> str:
    """Return the sentences that say most about the query, in the order they stand, each with its source."""
    rows = [(i, j, s) for i, page in enumerate(pages, start=1) for j, s in enumerate(_sentences(page.text))]
    if not rows:
        return "The sources hold no sentences that I can read."
    wanted = _words(query)
    common = Counter(word for _, _, sentence in rows for word in _words(sentence))

    def weight(row: tuple[int, int, str]) -> float:
        words = _words(row[2])
        # With a question, its words count; without one, what the sources speak of most, early sentences first.
        hits = sum(1.0 / common[word] + 1.0 for word in words & wanted)
        theme = sum(common[word] for word in words) / (len(words) + 5)
        return hits * 10 + theme + 1.0 / (1 + row[1])

    best = sorted(sorted(rows, key=weight, reverse=True)[:SENTENCES], key=lambda row: row[:2])
    return "\n".join(f"- {sentence} [{i}]" for i, _, sentence in best)


def uncited(text: str, pages: Sequence[Page]) -> tuple[str, ...]:
    """Return the sentences of an answer that no source covers: none named, none there, or a number it does not hold."""
    wrong = []
    for sentence in _sentences(text):
        named = [int(number) for number in _CITED.findall(sentence)]
        bare = _CITED.sub("", sentence)
        if not _words(bare):
            continue
        if not named or any(not 1 <= number <= len(pages) for number in named):
            wrong.append(sentence)
            continue
        held = " ".join(pages[number - 1].text for number in named)
        if set(_NUMBER.findall(bare)) - set(_NUMBER.findall(held)) or not _words(bare) & _words(held):
            wrong.append(sentence)
    return tuple(wrong)


def _sentences(text: str) -> list[str]:
    # A citation belongs to the sentence before it, on whichever side of the full stop it stands.
    joined = re.sub(r"([.!?])\s*((?:\[\d{1,2}\]\s*)+)", r" \2\1 ", text)
    parts = (part.strip(" \t-*•") for part in _SENTENCE.split(joined))
    return [part[:SENTENCE_MAX] for part in parts if len(_WORD.findall(part)) > 1]


def _words(text: str) -> set[str]:
    return {word for word in _WORD.findall(text.casefold()) if word not in _COMMON}
