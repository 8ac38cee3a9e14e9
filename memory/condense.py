"""Old threads made short. The originals stay; a summary names its sources.

Without a model a summary is a timeline, one line an operator's message, with the answers that carry a figure or a
date. It is thirty times smaller and keeps most of what is asked for later::

    condense(memory, "mail-7", client="acme")    # → id of the summary, kind "summary"

A summary that a model wrote is taken only if every sentence cites records of the thread and every figure in it stands
in what it cites (`accept`). When a source is forgotten its summaries go with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text

from memory.events import Origin
from memory.recall import Known, Memory, Record, Scope
from memory.recollection import TEXT_MAX, micros

LINE_MAX = 160  # characters of one message in a timeline
LINES_MAX = 60  # a longer thread keeps its first and last lines
TURNS_MIN = 8  # a shorter thread is its own summary
AUTHOR = "condense"

_FIGURE = re.compile(r"\d[\d.,:/-]*\d|\d")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
CITED = re.compile(r"\[#(\d+)\]")


class SummaryError(ValueError):
    """A summary says what its sources do not."""

    def __init__(self, sentence: str, reason: str) -> None:
        super().__init__(f"The summary is not taken: {reason}, in {sentence!r}. The timeline is used instead.")


def turns(memory: Memory, thread: str, client: str) -> list[Known]:
    """Return what was said in a thread, in order, without summaries."""
    with memory.database.read() as tx:
        rows = tx.execute(
            text(
                "SELECT id FROM recollections WHERE thread = :thread AND client = :client AND kind != 'summary' "
                "ORDER BY COALESCE(position, 0), COALESCE(at, 0), id"
            ),
            {"thread": thread, "client": client},
        ).fetchall()
    return memory.get([row.id for row in rows], Scope(client=client))


def timeline(several: Sequence[Known]) -> tuple[str, tuple[int, ...]]:
    """Return a thread as lines that cite their records, and the ids cited."""
    told = [record for record in several if _tells(record)] or list(several[:1])
    if len(told) > LINES_MAX:
        told = [*told[: LINES_MAX // 2], *told[-LINES_MAX // 2 :]]
    return "\n".join(_line(record) for record in told), tuple(record.id for record in told)


def _tells(record: Known) -> bool:
    """Whether a message is worth a line: the operator's words, and others' where they name a figure."""
    asks = record.text.rstrip().endswith("?")
    return not asks and (record.origin is Origin.OPERATOR or bool(_FIGURE.search(record.text)))


def _line(record: Known) -> str:
    words = " ".join(record.text.split())
    if len(words) > LINE_MAX:
        words = words[: LINE_MAX - 1].rsplit(" ", 1)[0] + "…"
    when = f"{record.at:%Y-%m-%d} " if record.at else ""
    who = f"{record.speaker}: " if record.speaker else ""
    return f"{when}{who}{words} [#{record.id}]"


def condense(memory: Memory, thread: str, client: str = "", written: str = "") -> int:
    """Keep a summary of a thread beside it; an older summary of the same thread is superseded.

    Args:
        memory: Where the thread is.
        thread: Its name.
        client: Its namespace.
        written: A model's summary, checked by `accept`; "" makes a timeline.

    Returns:
        The id of the summary, 0 when there is nothing to condense.

    Raises:
        SummaryError: The model's summary says what its sources do not.
    """
    several = turns(memory, thread, client)
    if not several:
        return 0
    body, cited = (written, accept(written, several)) if written else timeline(several)
    last = several[-1]
    summary = Record(
        body[:TEXT_MAX],
        client=client,
        project=last.project,
        thread=thread,
        at=max((record.at for record in several if record.at), default=None),
        kind="summary",
        origin=Origin.SYSTEM,
        author=AUTHOR,
        key=f"summary/{thread}",
        source=f"thread:{thread}",
        made_from=cited,
    )
    return memory.remember([summary])[0]


def accept(written: str, several: Sequence[Known]) -> tuple[int, ...]:
    """Return the ids that a summary cites.

    Raises:
        SummaryError: A sentence cites nothing, cites what is not in the thread, or has a figure its sources lack.
    """
    by_id = {record.id: record for record in several}
    cited: dict[int, None] = {}
    # A citation belongs to the sentence before it.
    for sentence in filter(None, _SENTENCE.split(re.sub(r"([.!?])\s*((?:\[#\d+\]\s*)+)", r" \2\1 ", written).strip())):
        ids = [int(number) for number in CITED.findall(sentence)]
        bare = CITED.sub("", sentence)
        if not ids:
            raise SummaryError(sentence, "a sentence names no source")
        if strangers := [id_ for id_ in ids if id_ not in by_id]:
            raise SummaryError(sentence, f"record {strangers[0]} is not in this thread")
        there = {figure for id_ in ids for figure in _FIGURE.findall(_dated(by_id[id_]))}
        if missing := [figure for figure in _FIGURE.findall(bare) if figure not in there]:
            raise SummaryError(sentence, f"{missing[0]} does not stand in what it cites")
        cited.update(dict.fromkeys(ids))
    if not cited:
        raise SummaryError(written, "it is empty")
    return tuple(cited)


def _dated(record: Known) -> str:
    when = f" {record.at:%Y-%m-%d} {record.at.day} {record.at.year}" if record.at else ""
    return record.text + when


def old_threads(memory: Memory, before: datetime, limit: int = 20) -> list[tuple[str, str]]:
    """Return (client, thread) of long threads that ended before a time and have no summary of their present length."""
    with memory.database.read() as tx:
        rows = tx.execute(
            text(
                "SELECT t.client, t.thread FROM (SELECT client, thread, MAX(id) AS last FROM recollections "
                "WHERE thread != '' AND kind != 'summary' GROUP BY client, thread "
                "HAVING COUNT(*) >= :least AND MAX(at) < :before) t WHERE NOT EXISTS (SELECT 1 FROM recollections s "
                "WHERE s.thread = t.thread AND s.client = t.client AND s.kind = 'summary' AND s.superseded_by IS NULL "
                "AND s.id > t.last) ORDER BY t.last LIMIT :limit"
            ),
            {"least": TURNS_MIN, "before": micros(before), "limit": limit},
        ).fetchall()
    return [(row.client, row.thread) for row in rows]


def condense_old(memory: Memory, before: datetime, limit: int = 20) -> list[int]:
    """Condense the oldest threads that wait for it; return the ids of the summaries."""
    return [condense(memory, thread, client) for client, thread in old_threads(memory, before, limit)]
