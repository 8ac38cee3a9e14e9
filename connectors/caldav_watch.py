"""Watches a calendar for what is done to it elsewhere: looks every few minutes, and remembers the last look on disk.

The calendar's own tag says whether anything changed at all, so that a quiet calendar costs one small question. What was
seen moves on only after every change is written down; after a crash the same change has the same id and is one.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from connectors import caldav_events as events
from connectors.base import Deliver, Incoming, TryLaterError
from connectors.caldav_changes import Change, Entry, Look, changes, look
from connectors.caldav_collection import Collection
from connectors.client import Pause
from connectors.durable import keep_note
from connectors.looking import keep_looking

AHEAD = timedelta(days=90)


class Watch:
    """One calendar and how it was last seen."""

    def __init__(
        self,
        collection: Collection,
        home: Path,
        account: str,
        now: Callable[[], datetime],
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._collection = collection
        self._account = account
        self._now = now
        self._pause = pause
        self._note = home / "calendar" / f"seen-{hashlib.sha256(account.encode()).hexdigest()[:16]}.json"
        self._tag = ""
        self._let_go: set[str] = set()  # we are taking these out ourselves

    def let_go(self, uid: str) -> None:
        """That this event goes away is our own doing."""
        self._let_go.add(uid)

    async def run(self, deliver: Deliver) -> None:
        """Look until cancelled.

        Raises:
            RefusedError: The login is wrong, or there is no such calendar; trying on would not help.
        """
        await keep_looking(lambda: self.look_once(deliver), self._pause)

    async def look_once(self, deliver: Deliver) -> None:
        """Bring what was done elsewhere since the last look; the first look only remembers.

        Raises:
            ConnectorError: The calendar cannot be read, or an item could not be written down; nothing is forgotten.
        """
        tag = await self._collection.tag()
        if tag and tag == self._tag:
            return
        now = self._now()
        after = look(await self._collection.between(now, now + AHEAD), now, now + AHEAD)
        before = self._kept()
        if before is not None:
            for change in changes(before, after, now):
                if change.entry.uid not in self._let_go:
                    await self._bring(change, deliver)
        self._keep(after)
        self._let_go &= set(after.entries)
        self._tag = tag

    async def _bring(self, change: Change, deliver: Deliver) -> None:
        told = await self._looked_up(change) if change.kind == "cancelled" else change
        facts = told.facts()
        # The tag of the event's version tells the second move to the same hour from the first.
        said = json.dumps([told.kind, told.entry.etag, facts], sort_keys=True)
        item = Incoming(
            service="calendar",
            account=self._account,
            event_id=f"{told.entry.uid}#{hashlib.sha256(said.encode()).hexdigest()[:24]}",
            kind=f"calendar.{told.kind}",
            at=self._now(),
            data=facts,
            text=told.entry.title,
        )
        try:
            await deliver(item)
        except Exception as error:
            raise TryLaterError(f"A change of the calendar could not be written down: {error}") from error

    async def _looked_up(self, change: Change) -> Change:
        """What is out of sight may be gone, or only far away."""
        kept = await self._collection.find(change.entry.uid)
        if kept is None:
            return change
        meeting = events.meeting_of(kept.content)
        if meeting.repeats or meeting.start <= self._now() + AHEAD:
            return change  # a series without this one time, or an event that is marked as cancelled
        entry = replace(change.entry, etag=kept.etag)
        return Change("moved", entry, (meeting.start, meeting.end), was=change.time)

    # ── the last look, on disk ────────────────────────────────────────────────────────────────────────────────────

    def _kept(self) -> Look | None:
        try:
            note = json.loads(self._note.read_bytes())
            return Look(datetime.fromisoformat(note["until"]), {each.uid: each for each in _entries(note["events"])})
        except (OSError, ValueError, KeyError, TypeError):
            return None  # never looked, or the note is damaged: then this look is the first

    def _keep(self, seen: Look) -> None:
        rows = [
            {
                "uid": each.uid, "title": each.title, "where": each.where, "etag": each.etag, "busy": each.busy,
                "marks": sorted(each.marks),
                "times": [[start.isoformat(), end.isoformat()] for start, end in each.times],
            }
            for each in seen.entries.values()
        ]  # fmt: skip
        keep_note(self._note, {"until": seen.until.isoformat(), "events": rows})


def _entries(rows: list[dict[str, object]]) -> Iterator[Entry]:
    for row in rows:
        times = tuple((datetime.fromisoformat(a), datetime.fromisoformat(b)) for a, b in row["times"])  # type: ignore[attr-defined]
        yield Entry(
            uid=str(row["uid"]),
            title=str(row["title"]),
            where=str(row["where"]),
            etag=str(row["etag"]),
            times=times,
            marks=frozenset(map(str, row["marks"])),  # type: ignore[call-overload]
            busy=bool(row["busy"]),
        )
