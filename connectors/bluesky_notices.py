"""What people answer on Bluesky, and where they name us: looked for every few minutes, from where the last look ended.

Where it ended is on disk, and moves on only after everything before it is written down; an item that comes twice after a
crash has the same address, and is one. The first look only remembers: what was answered before is known.

Source: https://docs.bsky.app/docs/api/app-bsky-notification-list-notifications
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from connectors.base import Deliver, Incoming, Json, TryLaterError
from connectors.client import Pause
from connectors.durable import keep_note
from connectors.looking import keep_looking

PAGES_MAX = 20  # of 50: what a thousand people said at once is no conversation any more
BEGINNING = "1970-01-01T00:00:00.000Z"  # of an account to which nothing has happened yet
TEXT_MAX = 3_000  # a post has 300 characters; more is somebody's mistake
HEARD = frozenset({"reply", "mention", "quote"})  # the others (like, repost, follow ...) are numbers

Page = Callable[[str], Awaitable[Mapping[str, Json]]]
"""A cursor, empty for the newest page → ``{"notifications": [...], "cursor": ...}``."""


class Notices:
    """One account, and how far its notices were read."""

    def __init__(
        self, page: Page, home: Path, account: str, now: Callable[[], datetime], pause: Pause = asyncio.sleep
    ) -> None:
        self._page = page
        self._account = account
        self._now = now
        self._pause = pause
        self._note = home / "bluesky" / f"read-{hashlib.sha256(account.encode()).hexdigest()[:16]}.json"

    async def run(self, deliver: Deliver) -> None:
        """Look until cancelled.

        Raises:
            RefusedError: Bluesky does not let us in; trying on would not help.
        """
        await keep_looking(lambda: self.look_once(deliver), self._pause)

    async def look_once(self, deliver: Deliver) -> None:
        """Bring what came since the last look, the oldest first; the first look only remembers.

        Raises:
            ConnectorError: Bluesky cannot be read, or an item could not be written down; nothing is forgotten.
        """
        until = self._read()
        fresh = await self._since(until)
        if until:
            for each in reversed(fresh):
                if each["reason"] in HEARD:
                    await self._bring(each, deliver)
        newest = max((str(each["indexedAt"]) for each in fresh), default=until)
        self._keep(newest or BEGINNING)

    async def _since(self, until: str) -> list[dict[str, Any]]:
        """Return every notice of that moment or later, the newest first: several may share one moment."""
        found: list[dict[str, Any]] = []
        cursor = ""
        for _ in range(PAGES_MAX):
            page = await self._page(cursor)
            rows = [each for each in page["notifications"] if _whole(each)]
            fresh = [each for each in rows if str(each["indexedAt"]) >= until]
            found += fresh
            cursor = str(page.get("cursor") or "")
            if not cursor or len(fresh) < len(rows) or not until:
                break
        return found

    async def _bring(self, notice: Mapping[str, Any], deliver: Deliver) -> None:
        author, record = notice["author"], notice["record"]
        item = Incoming(
            service="bluesky",
            account=self._account,
            event_id=str(notice["uri"]),
            kind=f"bluesky.{notice['reason']}",
            at=self._now(),
            data={
                "uri": str(notice["uri"]), "reason": str(notice["reason"]), "about": str(notice.get("reasonSubject") or ""),
                "author": {"did": str(author["did"]), "handle": str(author["handle"]), "name": str(author.get("displayName") or "")},
                "languages": [str(each) for each in (record.get("langs") or ())][:3],
            },
            text=str(record.get("text") or "")[:TEXT_MAX],
        )  # fmt: skip
        try:
            await deliver(item)
        except Exception as error:
            raise TryLaterError(f"An answer on Bluesky could not be written down: {error}") from error

    # ── how far, on disk ──────────────────────────────────────────────────────────────────────────────────────────

    def _read(self) -> str:
        try:
            return str(json.loads(self._note.read_bytes())["until"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""  # never looked, or the note is damaged: then this look is the first

    def _keep(self, until: str) -> None:
        keep_note(self._note, {"until": until})


def _whole(notice: Any) -> bool:
    """Whether a row has what the lexicon promises; another is passed over, for somebody's oddity is not to stop the rest."""
    try:
        return bool(
            isinstance(notice["reason"], str)
            and isinstance(notice["record"], dict)
            and str(notice["uri"]).startswith("at://")
            and notice["author"]["did"]
            and notice["author"]["handle"]
            and datetime.fromisoformat(str(notice["indexedAt"]))
        )
    except (KeyError, TypeError, ValueError):
        return False
