"""A calendar as a collection on a CalDAV server: finding it, asking what is in it, writing under conditions.

A new event is written with ``If-None-Match``, a change with ``If-Match``: what somebody else wrote in between is never
overwritten, and a write whose answer was lost is recognised by our own mark in the event.

Source: RFC 4791 (CalDAV), RFC 4918 (WebDAV), RFC 9110 13.1 (conditions); the collection's tag: RFC 6578 sync-token, or
https://github.com/apple/ccs-calendarserver/blob/master/doc/Extensions/caldav-ctag.txt
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urljoin, urlsplit
from xml.etree import ElementTree as ET

from connectors import caldav_events as events
from connectors.base import OutcomeUnknownError, RefusedError, TryLaterError
from connectors.client import Client

DAV, CAL, SERVER = "{DAV:}", "{urn:ietf:params:xml:ns:caldav}", "{http://calendarserver.org/ns/}"

_PROPERTIES = (
    b'<propfind xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:S="http://calendarserver.org/ns/">'
    b"<prop><resourcetype/><displayname/>"
    b"<current-user-principal/><S:getctag/><sync-token/><C:calendar-home-set/><C:supported-calendar-component-set/></prop></propfind>"
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


class Collection:
    """One calendar on one server."""

    def __init__(self, client: Client, url: str) -> None:
        self._client = client
        self._url = url
        self._found = ""

    async def tag(self) -> str:
        """Return what is another text whenever anything in the calendar has changed; "" where the server has none."""
        (own, *_) = await self.properties(await self.home())
        return own.tag

    async def between(self, first: datetime, last: datetime) -> list[Kept]:
        """Return every event that may take place between two moments, and perhaps some around."""
        # A day around for the server, which may not know our zone; the cut is the caller's.
        around = (first - timedelta(days=1), last + timedelta(days=1))
        span = " ".join(
            f'{name}="{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"' for name, at in zip(("start", "end"), around, strict=True)
        )
        return await self._query(f"<C:time-range {span}/>")

    async def find(self, uid: str) -> Kept | None:
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
        home = await self.home()
        answer = await self._client.request("REPORT", home, content=content, headers=headers)
        kept = []
        for response in _xml(answer.content).iter(f"{DAV}response"):
            data = response.find(f".//{CAL}calendar-data")
            if data is not None and data.text:
                href = _inside(home, response.findtext(f"{DAV}href", ""))
                kept.append(Kept(href, response.findtext(f".//{DAV}getetag", ""), data.text.encode()))
        return kept

    async def create(self, uid: str, content: bytes, key: str) -> None:
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

    async def change(self, kept: Kept, content: bytes, key: str, title: str) -> None:
        """Write an event anew where it still is what was read; our own earlier attempt counts as written."""
        headers = {"Content-Type": "text/calendar; charset=utf-8", "If-Match": kept.etag or "*"}
        answer = await self._client.request(
            "PUT", kept.href, content=content, headers=headers, repeatable=True, also=(HTTPStatus.PRECONDITION_FAILED,)
        )
        if answer.status != HTTPStatus.PRECONDITION_FAILED:
            return
        now_there = await self._at(kept.href)
        if now_there is None or events.mark_of(events.read(now_there.content), key) is None:
            raise RefusedError(f"Somebody changed {title!r} at the same moment, so it was left alone. Ask again.")

    async def remove(self, kept: Kept, title: str) -> None:
        """Delete an event where it still is what was read; one that is gone counts as deleted."""
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
            return await self.find(uid)
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
        return urljoin(await self.home(), quote(name, safe="@._-") + ".ics")

    # ── finding the calendar ──────────────────────────────────────────────────────────────────────────────────────

    async def home(self) -> str:
        """Return the calendar's own address: the one given, or the only one of the account it leads to."""
        if self._found:
            return self._found
        place = self._url if self._url.endswith("/") else self._url + "/"
        for _ in range(3):  # the server's root → the person → the folder of calendars
            (own, *inner) = await self.properties(place, depth="1")
            if own.calendar:
                self._found = own.href
                return own.href
            calendars = [each for each in inner if each.calendar]
            if len(calendars) == 1:
                self._found = calendars[0].href
                return self._found
            if calendars:
                names = ", ".join(f"{each.name or 'unnamed'} ({each.href})" for each in calendars)
                raise RefusedError(f"There are several calendars; set CALDAV_URL to the one you mean: {names}.")
            onwards = own.home or own.principal
            if not onwards or onwards == place:
                break
            place = onwards
        raise RefusedError(f"At {self._url} is no calendar. Take the address from your calendar's settings page.")

    async def properties(self, place: str, depth: str = "0") -> list[Place]:
        """Return what an address is, and with ``depth`` 1 what is in it; the place itself comes first."""
        headers = {"Depth": depth, "Content-Type": "application/xml; charset=utf-8"}
        answer = await self._client.request("PROPFIND", place, content=_PROPERTIES, headers=headers)
        found = [_place(each, place) for each in _xml(answer.content).iter(f"{DAV}response")]
        own = urlsplit(place).path.rstrip("/")
        found.sort(key=lambda each: urlsplit(each.href).path.rstrip("/") != own)  # the place itself comes first
        if not found:
            raise RefusedError(f"{place} answers, but not as a calendar server does.")
        return [replace(found[0], href=place), *found[1:]]


@dataclass(frozen=True)
class Place:
    """One answer to the question what an address is."""

    href: str
    name: str
    calendar: bool
    principal: str
    home: str
    tag: str  # another one whenever anything in it has changed; "" where the server has none


def _place(response: ET.Element, base: str) -> Place:
    def inside(path: str) -> str:
        found = response.findtext(f".//{path}/{DAV}href", "").strip()
        return _inside(base, found) if found else ""

    kinds = [each.get("name") for each in response.iter(f"{CAL}comp")]
    return Place(
        href=_inside(base, response.findtext(f"{DAV}href", "")),
        name=response.findtext(f".//{DAV}displayname", "") or "",
        calendar=response.find(f".//{CAL}calendar") is not None and (not kinds or "VEVENT" in kinds),
        principal=inside(f"{DAV}current-user-principal"),
        home=inside(f"{CAL}calendar-home-set"),
        tag=response.findtext(f".//{SERVER}getctag", "") or response.findtext(f".//{DAV}sync-token", ""),
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
