"""A calendar on any CalDAV server: what is on, what is free, book, move, cancel.

An event's id is ours to choose, and it is written with ``If-None-Match``, so booking twice is booking once; a change
is written with ``If-Match`` and leaves the effect's key in the event, so a change whose answer was lost is found done.
A change somebody else made in between is never overwritten.

The server writes to nobody (see ``caldav_events.py``). `Calendar.invitation` makes the iCalendar file to be mailed.

Source: RFC 4791 (CalDAV), RFC 9110 13.1 (conditions), RFC 5546 (invitations).
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Self
from urllib.parse import urlsplit

from connectors import caldav_events as events
from connectors.base import (
    Connector,
    ConnectorError,
    Deliver,
    Detail,
    EffectClass,
    Health,
    Json,
    Plumbing,
    Receipt,
    Recipients,
    RefusedError,
    Risk,
    Setting,
    Subject,
    When,
    Workshop,
    action,
)
from connectors.caldav_collection import Collection
from connectors.caldav_events import Meeting
from connectors.caldav_watch import Watch
from connectors.client import Client, Pause
from connectors.durable import write_whole
from connectors.oauth import Bearer
from connectors.oauth import settings as oauth_settings

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
STRETCH_MAX = timedelta(days=366)
NOTE_LENGTH = timedelta(minutes=15)  # a note takes no time; so long it is seen in a day's view
_LOGIN = "Check CALDAV_URL, CALDAV_USER and CALDAV_PASSWORD; with OAuth 2: python -m bot sign-in calendar."
YEARS = 10 * 365 * 24 * 3600.0  # the mark stays in the event, so the key holds as long as the event does


def _cancel(arguments: Mapping[str, Json], receipt: Receipt) -> tuple[str, Mapping[str, Json]]:
    again = {"occurrence": arguments["occurrence"]} if arguments.get("occurrence") else {}
    return "calendar.cancel", {
        "event": receipt.ref, "title": arguments["title"], "start": arguments["start"],
        "attendees": arguments.get("attendees") or [], **again,
    }  # fmt: skip


def _move_back(arguments: Mapping[str, Json], receipt: Receipt) -> tuple[str, Mapping[str, Json]]:
    back = {"start": receipt.data["was_start"], "end": receipt.data["was_end"]}
    if arguments.get("occurrence"):
        back["occurrence"] = arguments["occurrence"]
    return "calendar.move", {
        "event": receipt.ref, "title": arguments["title"], "attendees": arguments.get("attendees") or [], **back,
    }  # fmt: skip


def _restore(arguments: Mapping[str, Json], receipt: Receipt) -> tuple[str, Mapping[str, Json]]:
    return "calendar.restore", {
        "event": arguments["event"], "title": arguments["title"], "start": arguments["start"],
        "occurrence": arguments.get("occurrence", ""), "copy": receipt.data.get("copy", ""),
    }  # fmt: skip


def _strike(arguments: Mapping[str, Json], receipt: Receipt) -> tuple[str, Mapping[str, Json]]:
    return "calendar.strike", {"event": receipt.ref, "title": arguments["title"], "when": arguments["when"]}


def _note_again(arguments: Mapping[str, Json], receipt: Receipt) -> tuple[str, Mapping[str, Json]]:
    return "calendar.note", {"event": receipt.ref, "title": arguments["title"], "when": arguments["when"]}


class Calendar(Connector):
    """The operator's calendar."""

    service = "calendar"
    settings = (
        Setting("CALDAV_URL", "Your calendar's CalDAV address, from its settings page (or the server's, with one calendar)"),
        Setting("CALDAV_USER", "Login of the calendar"),
        Setting("CALDAV_PASSWORD", "Its password; most providers want an app password", secret=True),
        Setting("CALDAV_ORGANIZER", "Your own address in invitations; empty: CALDAV_USER, where that is an address"),
        *oauth_settings("CALDAV", "the calendar (Google wants it)"),
    )  # fmt: skip

    def __init__(
        self,
        workshop: Workshop,
        client: Client,
        *,
        url: str,
        user: str = "",
        organizer: str = "",
        bearer: Bearer | None = None,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._bearer = bearer
        self._workshop = workshop
        self._client = client
        self._url = url
        self._user = user
        self._organizer = organizer
        self._collection = Collection(client, url)
        self.watch = Watch(self._collection, workshop.home, self.account, workshop.now, pause)

    @classmethod
    def open(cls, values: Mapping[str, str], workshop: Workshop) -> Self | None:
        """Build the connector, or return None without an address.

        Raises:
            RefusedError: The address makes no sense, or would send the password in the clear.
        """
        url, user = values["CALDAV_URL"].strip(), values["CALDAV_USER"].strip()
        if not url:
            return None
        parts = urlsplit(url)
        if parts.scheme not in {"https", "http"} or not parts.hostname:
            raise RefusedError("CALDAV_URL must be an address such as https://dav.example.com/calendars/me/work/.")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise RefusedError("CALDAV_URL must begin with https://, or the password would travel in the clear.")
        if parts.username or parts.password:
            raise RefusedError("CALDAV_URL must hold no password; use CALDAV_USER and CALDAV_PASSWORD.")
        login = base64.b64encode(f"{user}:{values['CALDAV_PASSWORD']}".encode()).decode()
        bearer = Bearer.of("CALDAV", values, workshop)
        headers = {"Authorization": f"Basic {login}"} if user and bearer is None else {}
        client = Client("The calendar", headers=headers, secrets=[values["CALDAV_PASSWORD"], login], bearer=bearer)
        organizer = values["CALDAV_ORGANIZER"].strip() or (user if "@" in user else "")
        return cls(workshop, client, url=url, user=user, organizer=organizer, bearer=bearer)

    @property
    def account(self) -> str:
        """As whom and where."""
        return f"{self._user}@{urlsplit(self._url).hostname}" if self._user else str(urlsplit(self._url).hostname)

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()

    async def listen(self, deliver: Deliver) -> None:
        """Bring what is done to the calendar elsewhere, as ``calendar.moved``, ``.cancelled`` and ``.clash``."""
        await self.watch.run(deliver)

    # ── looking ───────────────────────────────────────────────────────────────────────────────────────────────────

    @action(Risk.READS, EffectClass.KEYED, says="look up what is taken")
    async def free(self, *, start: When, end: When) -> Receipt:
        """Read which stretches are taken between two moments; everything else is free.

        Args:
            start: ISO 8601 with its distance from UTC; whole days are understood in that zone.
            end: Likewise, at most a year later.

        Returns:
            ``data["busy"]``: a list of event, start, end, title, in order. What is marked as free is left out.

        Raises:
            RefusedError: The times make no sense.
            TryLaterError: The server cannot be asked now.
        """
        busy = [each for each in await self._between(start, end) if each.busy]
        rows = [
            {"event": each.uid, "start": each.start.isoformat(), "end": each.end.isoformat(), "title": each.title}
            for each in busy
        ]
        return Receipt("", f"{len(rows)} times are taken.", {"busy": rows})

    @action(Risk.READS, EffectClass.KEYED, says="look up what is on")
    async def agenda(self, *, start: When, end: When) -> Receipt:
        """Read everything that is on between two moments, recurrences unrolled.

        Args:
            start: As in `free`.
            end: As in `free`.

        Returns:
            ``data["events"]``: a list of event, title, start, end, where, all_day, recurring, busy, in order.

        Raises:
            RefusedError, TryLaterError: As `free`.
        """
        rows = [
            {
                "event": each.uid, "title": each.title, "start": each.start.isoformat(), "end": each.end.isoformat(),
                "where": each.where, "all_day": each.all_day, "recurring": each.recurring, "busy": each.busy,
            }
            for each in await self._between(start, end)
        ]  # fmt: skip
        return Receipt("", f"{len(rows)} events.", {"events": rows})

    @action(Risk.READS, EffectClass.KEYED, says="make an invitation file")
    async def invitation(
        self, *, event: Plumbing, title: Subject = "", start: When = "", end: When = "",
        attendees: Recipients | None = None, where: Detail = "", zone: Detail = "", repeats: Detail = "",
        method: Detail = "REQUEST",
    ) -> Receipt:  # fmt: skip
        """Make the iCalendar file that invites to an event, or calls it off; it is kept in files, to be mailed.

        Args:
            event: The event's id.
            title: What it is about from now on; empty: everything is read from the calendar, as it is there.
            start: As in `book`.
            end: As in `book`.
            attendees: As in `book`.
            where: As in `book`.
            zone: As in `book`.
            repeats: As in `book`.
            method: ``REQUEST`` or ``CANCEL``.

        Returns:
            ``data["attachments"]``: the file as `mail.send` takes it.

        Raises:
            RefusedError: Nobody to invite, no such event, or something makes no sense.
        """
        if method not in {"REQUEST", "CANCEL"}:
            raise RefusedError(f"{method!r} is neither REQUEST nor CANCEL.")
        kept = await self._collection.find(event)
        if title:
            meeting = self._meeting(event, title, start, end, attendees or [], where, zone, repeats)
        elif kept is None:
            raise RefusedError(f"{event} is not in the calendar, so nobody can be invited to it.")
        else:
            meeting = events.meeting_of(kept.content)
        if not meeting.attendees:
            raise RefusedError(f"Nobody is invited to {meeting.title!r}, so there is no invitation.")
        # What changes an invitation counts one further than what is in the calendar (RFC 5546, 2.1.4).
        changes = kept is not None and (bool(title) or method == "CANCEL")
        sequence = (events.sequence_of(kept.content) if kept else 0) + changes
        content = events.compose(meeting, self._workshop.now(), method=method, sequence=sequence)
        attachment = {
            "name": "cancelled.ics" if method == "CANCEL" else "invitation.ics",
            "sha256": self._workshop.files.put(content),
            "size": len(content),
            "media_type": "text/calendar",
        }
        return Receipt("", f"Made the invitation to {meeting.title}.", {"attachments": [attachment]})

    # ── changing ──────────────────────────────────────────────────────────────────────────────────────────────────

    @action(
        Risk.OUTSIDE,
        EffectClass.KEYED,
        says="book a meeting",
        undo=_cancel,
        key_window_s=YEARS,
        timeout_s=60.0,
        rate_per_minute=30,
    )
    async def book(
        self, *, title: Subject, start: When, end: When, key: str, attendees: Recipients | None = None,
        where: Detail = "", zone: Detail = "", repeats: Detail = "", event: Plumbing = "",
    ) -> Receipt:  # fmt: skip
        """Put a meeting into the calendar. Nobody is told by it; invitations are mails.

        Args:
            title: What it is about.
            start: ISO 8601 with its distance from UTC.
            end: Likewise.
            key: Stable key; the calendar gets one event of it.
            attendees: Who comes, by address.
            where: The place or the link.
            zone: IANA name such as Europe/Berlin; needed for a recurrence.
            repeats: Recurrence rule, such as FREQ=WEEKLY;COUNT=10.
            event: The id it shall have; empty: one made from the key.

        Returns:
            ``ref`` the event's id; ``data``: event, start, end, attendees.

        Raises:
            RefusedError: Something makes no sense, or another event has that id.
            TryLaterError: Nothing happened.
            OutcomeUnknownError: It may have happened; the same key may be sent again.
        """
        uid = event or f"{events.digest(key)}@soloist"
        meeting = self._meeting(uid, title, start, end, attendees or [], where, zone, repeats)
        content = events.compose(meeting, self._workshop.now(), key=key)
        await self._collection.create(uid, content, key)
        return Receipt(
            ref=uid,
            text=f"Booked {title}, {_when(meeting.start)} to {meeting.end:%H:%M}.",
            data={
                "event": uid, "start": meeting.start.isoformat(), "end": meeting.end.isoformat(),
                "attendees": list(meeting.attendees), "repeats": repeats,
            },
        )  # fmt: skip

    @action(
        Risk.OUTSIDE,
        EffectClass.KEYED,
        says="move a meeting",
        undo=_move_back,
        key_window_s=YEARS,
        timeout_s=60.0,
        rate_per_minute=30,
    )
    async def move(
        self, *, event: Plumbing, title: Subject, start: When, end: When, key: str,
        attendees: Recipients | None = None, occurrence: When = "",
    ) -> Receipt:  # fmt: skip
        """Give a meeting another time. Nobody is told by it.

        Args:
            event: Its id.
            title: Its title, for the card.
            start: When it begins from now on.
            end: When it ends.
            key: Stable key.
            attendees: Who is invited, for the card.
            occurrence: Of a recurring meeting, the one to move, by when it would begin; empty: all of them.

        Returns:
            ``data``: event, start, end, was_start, was_end.

        Raises:
            RefusedError: There is no such event, or somebody changed it at the same moment.
            TryLaterError, OutcomeUnknownError: As `book`.
        """
        del attendees
        first, last = events.moment(start, "beginning"), events.moment(end, "end")
        if last <= first:
            raise RefusedError(f"{title!r} would end before it begins. Correct the times.")
        kept = await self._collection.find(event)
        if kept is None:
            raise RefusedError(f"{title!r} is not in the calendar any more, so it cannot be moved.")
        mark = events.mark_of(events.read(kept.content), key)
        if mark is None:
            now = self._workshop.now()
            content, mark = events.moved(kept.content, first, last, now, key=key, occurrence=occurrence)
            await self._collection.change(kept, content, key, title)
        return Receipt(
            ref=event,
            text=f"Moved {title} to {_when(first)}.",
            data={
                "event": event, "start": first.isoformat(), "end": last.isoformat(),
                "was_start": mark.was_start, "was_end": mark.was_end,
            },
        )  # fmt: skip

    @action(
        Risk.OUTSIDE,
        EffectClass.KEYED,
        says="cancel a meeting",
        undo=_restore,
        key_window_s=YEARS,
        timeout_s=60.0,
        rate_per_minute=30,
    )
    async def cancel(
        self, *, event: Plumbing, title: Subject, start: When, key: str, attendees: Recipients | None = None,
        occurrence: When = "",
    ) -> Receipt:  # fmt: skip
        """Take a meeting out of the calendar; a copy is kept, so that it can be put back. Nobody is told by it.

        Args:
            event: Its id.
            title: Its title, for the card.
            start: When it would have been, for the card.
            key: Stable key.
            attendees: Who is invited, for the card.
            occurrence: Of a recurring meeting, the one to cancel, by when it would begin; empty: all of them.

        Returns:
            ``data``: event, and copy, the digest of what was there.

        Raises:
            RefusedError: There is no such event, or somebody changed it at the same moment.
            TryLaterError, OutcomeUnknownError: As `book`.
        """
        del attendees
        kept = await self._collection.find(event)
        copy = self._copy(key)
        if kept is None and not copy:
            raise RefusedError(f"{title!r} is not in the calendar, so there is nothing to cancel.")
        if kept is not None and events.mark_of(events.read(kept.content), key) is None:
            # The copy is on disk before the event goes: an attempt that lost its answer still knows what was there.
            copy = self._keep_copy(key, kept.content)
            if occurrence:
                content = events.without(kept.content, occurrence, self._workshop.now(), key=key)
                await self._collection.change(kept, content, key, title)
            else:
                self.watch.let_go(event)
                await self._collection.remove(kept, title)
        at = _when(events.moment(occurrence or start, "time"))
        return Receipt(event, f"Cancelled {title}, {at}.", {"event": event, "copy": copy, "occurrence": occurrence})

    @action(
        Risk.OUTSIDE,
        EffectClass.KEYED,
        says="put a cancelled meeting back",
        undo=_cancel,
        key_window_s=YEARS,
        timeout_s=60.0,
        rate_per_minute=30,
    )
    async def restore(
        self, *, event: Plumbing, title: Subject, start: When, copy: Plumbing, key: str, occurrence: When = "",
    ) -> Receipt:  # fmt: skip
        """Put back what `cancel` took out, as it was.

        Args:
            event: Its id.
            title: Its title, for the card.
            start: When it is, for the card.
            copy: What `cancel` kept.
            key: Stable key.
            occurrence: Of a recurring meeting, the one that was cancelled; empty: all of them.

        Raises:
            RefusedError: The copy is gone, or another event has that id by now.
            TryLaterError, OutcomeUnknownError: As `book`.
        """
        if occurrence:
            kept = await self._collection.find(event)
            if kept is None:
                raise RefusedError(f"{title!r} is not in the calendar any more.")
            if events.mark_of(events.read(kept.content), key) is None:
                content = events.with_again(kept.content, occurrence, self._workshop.now(), key=key)
                await self._collection.change(kept, content, key, title)
        else:
            try:
                content = self._workshop.files.get(copy)
            except KeyError as error:
                raise RefusedError(f"{title!r} cannot be put back: {error}") from None
            await self._collection.create(event, content, key)
        return Receipt(
            event, f"Put {title} back, {_when(events.moment(occurrence or start, 'time'))}.", {"event": event}
        )

    @action(
        Risk.REVERSIBLE,
        EffectClass.KEYED,
        says="note it in your calendar",
        undo=_strike,
        key_window_s=YEARS,
        timeout_s=60.0,
    )
    async def note(self, *, title: Subject, when: When, key: str, event: Plumbing = "") -> Receipt:
        """Put a note for the operator into the calendar: a quarter of an hour that takes no time and invites nobody.

        Args:
            title: What is to be thought of.
            when: ISO 8601 with its distance from UTC.
            key: Stable key; the calendar gets one note of it.
            event: The id it shall have; empty: one made from the key.

        Returns:
            ``ref`` the event's id; ``data``: event, start, end.

        Raises:
            RefusedError: Something makes no sense, or another event has that id.
            TryLaterError, OutcomeUnknownError: As `book`.
        """
        start = events.moment(when, "time")
        uid = event or f"{events.digest(key)}@soloist"
        note = Meeting(uid=uid, title=title, start=start, end=start + NOTE_LENGTH, busy=False)
        events.check(note)
        await self._collection.create(uid, events.compose(note, self._workshop.now(), key=key), key)
        return Receipt(
            ref=uid,
            text=f"In your calendar: {title}, {_when(start)}.",
            data={"event": uid, "start": start.isoformat(), "end": note.end.isoformat()},
        )

    @action(
        Risk.REVERSIBLE,
        EffectClass.KEYED,
        says="take a note out of your calendar",
        undo=_note_again,
        key_window_s=YEARS,
        timeout_s=60.0,
    )
    async def strike(self, *, event: Plumbing, title: Subject, when: When, key: str) -> Receipt:
        """Take a note out of the calendar; one that is gone already is what was wanted.

        Args:
            event: Its id.
            title: What it says, for the card.
            when: When it is, for the card.
            key: Stable key.

        Raises:
            RefusedError: Somebody is invited to it by now, or it was changed at the same moment.
            TryLaterError, OutcomeUnknownError: As `book`.
        """
        del key  # taking out is the same once or twice
        events.moment(when, "time")
        self.watch.let_go(event)
        kept = await self._collection.find(event)
        if kept is None:
            return Receipt(event, f"{title} is not in your calendar any more.", {"event": event})
        if events.meeting_of(kept.content).attendees:
            raise RefusedError(
                f"Somebody is invited to {title!r} by now. Cancel it as a meeting, so that they are told."
            )
        await self._collection.remove(kept, title)
        return Receipt(event, f"Taken out of your calendar: {title}.", {"event": event})

    async def health(self) -> Health:
        """Find the calendar and ask for its properties."""
        try:
            where = await self._collection.home()
            found = await self._collection.properties(where)
        except RefusedError as error:
            return Health(ok=False, text=str(error), remedy=_LOGIN)
        except ConnectorError as error:
            return Health(ok=False, text=str(error), remedy="Check the network; it is tried again by itself.")
        name = found[0].name if found else ""
        remedy = "" if self._organizer else "Set CALDAV_ORGANIZER to your own address, to invite others."
        lasts = self._bearer.lasts() if self._bearer else None
        text = f"The calendar {name or urlsplit(where).path} answers. {lasts or ''}".strip()
        return Health(ok=True, text=text, remedy=str(lasts) if lasts and lasts.soon else remedy)

    # ── small parts ───────────────────────────────────────────────────────────────────────────────────────────────

    def _meeting(
        self, uid: str, title: str, start: str, end: str, attendees: list[str], where: str, zone: str, repeats: str
    ) -> Meeting:
        meeting = Meeting(
            uid=uid,
            title=title,
            start=events.moment(start, "beginning"),
            end=events.moment(end, "end"),
            attendees=tuple(dict.fromkeys(attendees)),
            where=where,
            zone=zone,
            repeats=repeats,
            organizer=self._organizer,
        )
        events.check(meeting)
        return meeting

    async def _between(self, start: str, end: str) -> list[events.Occurrence]:
        first, last = events.moment(start, "beginning"), events.moment(end, "end")
        if not first < last <= first + STRETCH_MAX:
            raise RefusedError(f"From {start} to {end} is no stretch of at most a year.")
        kept = await self._collection.between(first, last)
        return events.occurrences((each.content for each in kept), first, last)

    def _copy(self, key: str) -> str:
        path = self._workshop.home / "calendar" / events.digest(key)
        return path.read_text(encoding="ascii") if path.exists() else ""

    def _keep_copy(self, key: str, content: bytes) -> str:
        digest = self._workshop.files.put(content)
        path = self._workshop.home / "calendar" / events.digest(key)
        write_whole(path, digest.encode())
        return digest


def _when(at: datetime) -> str:
    return f"{at:%a} {at.day} {at:%b %Y, %H:%M}"
