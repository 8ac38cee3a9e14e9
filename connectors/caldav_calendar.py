"""A calendar on any CalDAV server: what is on, what is free, book, move, cancel.

An event's id is ours to choose, and it is written with ``If-None-Match``, so booking twice is booking once; a change
is written with ``If-Match`` and leaves the effect's key in the event, so a change whose answer was lost is found done.
A change somebody else made in between is never overwritten.

The server writes to nobody (see ``caldav_events.py``). `Calendar.invitation` makes the iCalendar file to be mailed.

Source: RFC 4791 (CalDAV), RFC 9110 13.1 (conditions), RFC 5546 (invitations).
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urljoin, urlsplit
from xml.etree import ElementTree as ET

from connectors import caldav_events as events
from connectors.base import (
    Connector,
    ConnectorError,
    Detail,
    EffectClass,
    Health,
    Json,
    OutcomeUnknownError,
    Plumbing,
    Receipt,
    Recipients,
    RefusedError,
    Risk,
    Setting,
    Subject,
    TryLaterError,
    When,
    Workshop,
    action,
)
from connectors.caldav_events import Meeting
from connectors.client import Client
from connectors.oauth import Bearer
from connectors.oauth import settings as oauth_settings

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
STRETCH_MAX = timedelta(days=366)
YEARS = 10 * 365 * 24 * 3600.0  # the mark stays in the event, so the key holds as long as the event does
DAV, CAL = "{DAV:}", "{urn:ietf:params:xml:ns:caldav}"

_PROPERTIES = (
    b'<propfind xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><resourcetype/><displayname/>'
    b"<current-user-principal/><C:calendar-home-set/><C:supported-calendar-component-set/></prop></propfind>"
)
_QUERY = (
    '<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/><C:calendar-data/></prop>'
    '<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">{}</C:comp-filter></C:comp-filter>'
    "</C:filter></C:calendar-query>"
)


@dataclass(frozen=True)
class Kept:
    """An event on the server."""

    href: str
    etag: str
    content: bytes


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

    def __init__(self, workshop: Workshop, client: Client, *, url: str, user: str = "", organizer: str = "") -> None:
        self._workshop = workshop
        self._client = client
        self._url = url
        self._user = user
        self._organizer = organizer
        self._collection = ""

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
        return cls(workshop, client, url=url, user=user, organizer=organizer)

    @property
    def account(self) -> str:
        """As whom and where."""
        return f"{self._user}@{urlsplit(self._url).hostname}" if self._user else str(urlsplit(self._url).hostname)

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()

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
        kept = await self._find(event)
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
        await self._create(uid, content, key)
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
        kept = await self._find(event)
        if kept is None:
            raise RefusedError(f"{title!r} is not in the calendar any more, so it cannot be moved.")
        mark = events.mark_of(events.read(kept.content), key)
        if mark is None:
            now = self._workshop.now()
            content, mark = events.moved(kept.content, first, last, now, key=key, occurrence=occurrence)
            await self._change(kept, content, key, title)
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
        kept = await self._find(event)
        copy = self._copy(key)
        if kept is None and not copy:
            raise RefusedError(f"{title!r} is not in the calendar, so there is nothing to cancel.")
        if kept is not None and events.mark_of(events.read(kept.content), key) is None:
            # The copy is on disk before the event goes: an attempt that lost its answer still knows what was there.
            copy = self._keep_copy(key, kept.content)
            if occurrence:
                content = events.without(kept.content, occurrence, self._workshop.now(), key=key)
                await self._change(kept, content, key, title)
            else:
                await self._remove(kept, title)
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
            kept = await self._find(event)
            if kept is None:
                raise RefusedError(f"{title!r} is not in the calendar any more.")
            if events.mark_of(events.read(kept.content), key) is None:
                content = events.with_again(kept.content, occurrence, self._workshop.now(), key=key)
                await self._change(kept, content, key, title)
        else:
            try:
                content = self._workshop.files.get(copy)
            except KeyError as error:
                raise RefusedError(f"{title!r} cannot be put back: {error}") from None
            await self._create(event, content, key)
        return Receipt(
            event, f"Put {title} back, {_when(events.moment(occurrence or start, 'time'))}.", {"event": event}
        )

    async def health(self) -> Health:
        """Find the calendar and ask for its properties."""
        try:
            where = await self._home()
            found = await self._properties(where)
        except RefusedError as error:
            return Health(ok=False, text=str(error), remedy="Check CALDAV_URL, CALDAV_USER and CALDAV_PASSWORD.")
        except ConnectorError as error:
            return Health(ok=False, text=str(error), remedy="Check the network; it is tried again by itself.")
        name = found[0].name if found else ""
        remedy = "" if self._organizer else "Set CALDAV_ORGANIZER to your own address, to invite others."
        return Health(ok=True, text=f"The calendar {name or urlsplit(where).path} answers.", remedy=remedy)

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
        # A day around for the server, which may not know our zone; the cut is ours.
        around = (first - timedelta(days=1), last + timedelta(days=1))
        span = " ".join(
            f'{name}="{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"' for name, at in zip(("start", "end"), around, strict=True)
        )
        kept = await self._query(f"<C:time-range {span}/>")
        return events.occurrences((each.content for each in kept), first, last)

    async def _find(self, uid: str) -> Kept | None:
        """Return the event where we would have put it, else by its id wherever another program put it."""
        href = await self._href(uid)
        answer = await self._client.request("GET", href, also=(HTTPStatus.NOT_FOUND, HTTPStatus.GONE))
        if answer.status == HTTPStatus.OK:
            return Kept(href, answer.headers.get("etag", ""), answer.content)
        words = uid.replace("&", "&amp;").replace("<", "&lt;")
        match = f'<C:prop-filter name="UID"><C:text-match collation="i;octet">{words}</C:text-match></C:prop-filter>'
        # text-match finds substrings (RFC 4791, 9.7.5), so the id is compared again.
        found = [each for each in await self._query(match) if events.meeting_of(each.content).uid == uid]
        return found[0] if found else None

    async def _query(self, condition: str) -> list[Kept]:
        headers = {"Depth": "1", "Content-Type": "application/xml; charset=utf-8"}
        content = _QUERY.format(condition).encode()
        home = await self._home()
        answer = await self._client.request("REPORT", home, content=content, headers=headers)
        kept = []
        for response in _xml(answer.content).iter(f"{DAV}response"):
            data = response.find(f".//{CAL}calendar-data")
            if data is not None and data.text:
                href = _inside(home, response.findtext(f"{DAV}href", ""))
                kept.append(Kept(href, response.findtext(f".//{DAV}getetag", ""), data.text.encode()))
        return kept

    async def _create(self, uid: str, content: bytes, key: str) -> None:
        """Write a new event; one that our own earlier attempt wrote counts as written."""
        href = await self._href(uid)
        headers = {"Content-Type": "text/calendar; charset=utf-8", "If-None-Match": "*"}
        there = (HTTPStatus.PRECONDITION_FAILED, HTTPStatus.CONFLICT)
        answer = await self._client.request("PUT", href, content=content, headers=headers, repeatable=True, also=there)
        if answer.status not in there:
            return
        kept = await self._seen(uid)
        same = kept is not None and (
            events.mark_of(events.read(kept.content), key) is not None
            or events.meeting_of(kept.content) == events.meeting_of(content)
        )
        if not same:
            raise RefusedError(f"Another event with the id {uid} is in the calendar, and was left as it is.")

    async def _change(self, kept: Kept, content: bytes, key: str, title: str) -> None:
        headers = {"Content-Type": "text/calendar; charset=utf-8", "If-Match": kept.etag or "*"}
        answer = await self._client.request(
            "PUT", kept.href, content=content, headers=headers, repeatable=True, also=(HTTPStatus.PRECONDITION_FAILED,)
        )
        if answer.status != HTTPStatus.PRECONDITION_FAILED:
            return
        now_there = await self._at(kept.href)
        if now_there is None or events.mark_of(events.read(now_there.content), key) is None:
            raise RefusedError(f"Somebody changed {title!r} at the same moment, so it was left alone. Ask again.")

    async def _remove(self, kept: Kept, title: str) -> None:
        also = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.PRECONDITION_FAILED)
        answer = await self._client.request(
            "DELETE", kept.href, headers={"If-Match": kept.etag or "*"}, repeatable=True, also=also
        )
        # Behind a first attempt that lost its answer, a 412 may only say that nothing is there any more.
        if answer.status == HTTPStatus.PRECONDITION_FAILED and await self._at(kept.href) is not None:
            raise RefusedError(f"Somebody changed {title!r} at the same moment, so it was left alone. Ask again.")

    async def _seen(self, uid: str) -> Kept | None:
        """Look behind a write: not being able to look leaves the outcome open."""
        try:
            return await self._find(uid)
        except TryLaterError as error:
            raise OutcomeUnknownError(str(error)) from None

    async def _at(self, href: str) -> Kept | None:
        try:
            answer = await self._client.request("GET", href, also=(HTTPStatus.NOT_FOUND, HTTPStatus.GONE))
        except TryLaterError as error:
            raise OutcomeUnknownError(str(error)) from None
        return Kept(href, answer.headers.get("etag", ""), answer.content) if answer.status == HTTPStatus.OK else None

    async def _href(self, uid: str) -> str:
        name = uid if re.fullmatch(r"[A-Za-z0-9@._-]{1,120}", uid) else hashlib.sha256(uid.encode()).hexdigest()
        return urljoin(await self._home(), quote(name, safe="@._-") + ".ics")

    def _copy(self, key: str) -> str:
        path = self._workshop.home / "calendar" / events.digest(key)
        return path.read_text(encoding="ascii") if path.exists() else ""

    def _keep_copy(self, key: str, content: bytes) -> str:
        digest = self._workshop.files.put(content)
        path = self._workshop.home / "calendar" / events.digest(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(digest)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
        return digest

    # ── finding the calendar ──────────────────────────────────────────────────────────────────────────────────────

    async def _home(self) -> str:
        """Return the calendar's own address: the one given, or the only one of the account it leads to."""
        if self._collection:
            return self._collection
        place = self._url if self._url.endswith("/") else self._url + "/"
        for _ in range(3):  # the server's root → the person → the folder of calendars
            (own, *inner) = await self._properties(place, depth="1")
            if own.calendar:
                self._collection = own.href
                return own.href
            calendars = [each for each in inner if each.calendar]
            if len(calendars) == 1:
                self._collection = calendars[0].href
                return self._collection
            if calendars:
                names = ", ".join(f"{each.name or 'unnamed'} ({each.href})" for each in calendars)
                raise RefusedError(f"There are several calendars; set CALDAV_URL to the one you mean: {names}.")
            onwards = own.home or own.principal
            if not onwards or onwards == place:
                break
            place = onwards
        raise RefusedError(f"At {self._url} is no calendar. Take the address from your calendar's settings page.")

    async def _properties(self, place: str, depth: str = "0") -> list[_Place]:
        headers = {"Depth": depth, "Content-Type": "application/xml; charset=utf-8"}
        answer = await self._client.request("PROPFIND", place, content=_PROPERTIES, headers=headers)
        found = [_place(each, place) for each in _xml(answer.content).iter(f"{DAV}response")]
        own = urlsplit(place).path.rstrip("/")
        found.sort(key=lambda each: urlsplit(each.href).path.rstrip("/") != own)  # the place itself comes first
        if not found:
            raise RefusedError(f"{place} answers, but not as a calendar server does.")
        return [replace(found[0], href=place), *found[1:]]


@dataclass(frozen=True)
class _Place:
    """One answer to the question what an address is."""

    href: str
    name: str
    calendar: bool
    principal: str
    home: str


def _place(response: ET.Element, base: str) -> _Place:
    def inside(path: str) -> str:
        found = response.findtext(f".//{path}/{DAV}href", "").strip()
        return _inside(base, found) if found else ""

    kinds = [each.get("name") for each in response.iter(f"{CAL}comp")]
    return _Place(
        href=_inside(base, response.findtext(f"{DAV}href", "")),
        name=response.findtext(f".//{DAV}displayname", "") or "",
        calendar=response.find(f".//{CAL}calendar") is not None and (not kinds or "VEVENT" in kinds),
        principal=inside(f"{DAV}current-user-principal"),
        home=inside(f"{CAL}calendar-home-set"),
    )


def _inside(base: str, href: str) -> str:
    """Return an address the server gave, if it is on the same server: the password goes nowhere else."""
    whole = urljoin(base, href.strip())
    if urlsplit(whole)[:2] != urlsplit(base)[:2]:
        raise RefusedError(
            f"The calendar is at {whole}, another server; set CALDAV_URL to that address if it is yours."
        )
    return whole


def _xml(content: bytes) -> Any:
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise RefusedError("The calendar server answered with XML that declares things of its own; it was not read.")
    try:
        return ET.fromstring(content)  # noqa: S314 - no declarations, and the size is bounded by the client
    except ET.ParseError:
        raise RefusedError("The calendar server answered with something that is not XML. Check CALDAV_URL.") from None


def _when(at: datetime) -> str:
    return f"{at:%a} {at.day} {at:%b %Y, %H:%M}"
