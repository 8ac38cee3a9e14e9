"""What a machine reports inside a mail: that ours came back, or what a guest answers to an invitation. Pure, and never raises.

Anybody can write such a mail. A report is worth what it costs to forge it: it is told, with who says so, and decides nothing.

Source: RFC 3464 (delivery status), RFC 3463 (status codes), RFC 5546 3.2.3 (REPLY), RFC 6047 (iTIP by mail)
"""

from __future__ import annotations

import re
from datetime import date, datetime
from email.message import EmailMessage, Message
from typing import Any

import icalendar

from connectors.base import Json

RECIPIENTS_MAX = 20  # of one report; the others are the same story
REASON_MAX = 300  # characters of a server's own words
CALENDAR_MAX = 200_000  # bytes; an answer to an invitation is small
ANSWERS = {"ACCEPTED": "accepted", "DECLINED": "declined", "TENTATIVE": "tentative"}
_CAME_BACK = {"failed", "delayed"}


def undelivered(parts: list[EmailMessage]) -> list[Json]:
    """Return whom a report says a mail did not reach: {"address", "action" (failed, delayed), "status", "reason"}."""
    found: list[Json] = []
    for part in parts:
        if part.get_content_type() != "message/delivery-status":
            continue
        payload = part.get_payload()
        for block in payload if isinstance(payload, list) else []:
            if len(found) < RECIPIENTS_MAX and (row := _recipient(block)):
                found.append(row)
    return found


def _recipient(block: Any) -> Json:
    if not isinstance(block, Message):
        return None
    action = _line(block.get("Action")).lower().partition(" ")[0]
    address = _typed(block.get("Original-Recipient")) or _typed(block.get("Final-Recipient"))
    if action not in _CAME_BACK or "@" not in address:
        return None
    status = re.match(r"\d\.\d{1,3}\.\d{1,3}", _line(block.get("Status")))
    reason = _typed(block.get("Diagnostic-Code"))[:REASON_MAX]
    return {"address": address, "action": action, "status": status[0] if status else "", "reason": reason}


def _typed(value: object) -> str:
    """Return what stands behind the type: ``rfc822; anna@acme.example``, ``smtp; 550 5.1.1 No such user``."""
    kind, semicolon, rest = _line(value).partition(";")
    return rest.strip() if semicolon else kind


def _line(value: object) -> str:
    return re.sub(r"[\x00-\x1f\x7f\s]+", " ", str(value or "")).strip()


def answer(parts: list[EmailMessage]) -> dict[str, Json]:
    """Return what a guest answers: {"event", "who", "answer", "title", "start", "note"}; empty when nobody answers.

    ``start`` is ISO 8601, "" where it cannot be read; for one time of a series it is that time.
    """
    for part in parts:
        if part.get_content_type() not in {"text/calendar", "application/ics"}:
            continue
        content = part.get_payload(decode=True)
        if isinstance(content, bytes) and len(content) <= CALENDAR_MAX and b"REPLY" in content.upper():
            calendar = icalendar.Calendar.from_ical(content)
            if str(calendar.get("method", "")).upper() == "REPLY":
                return _reply(calendar)
    return {}


def _reply(calendar: Any) -> dict[str, Json]:
    for event in calendar.walk("VEVENT"):
        given = event.get("attendee")
        for guest in given if isinstance(given, list) else [given]:
            said = ANSWERS.get(str(getattr(guest, "params", {}).get("PARTSTAT", "")).upper())
            who = re.sub(r"(?i)^mailto:", "", _line(guest))
            if said and "@" in who:
                return {
                    "event": _line(event.get("uid"))[:REASON_MAX], "who": who, "answer": said,
                    "title": _line(event.get("summary"))[:REASON_MAX],
                    "start": _moment(event.get("recurrence-id") or event.get("dtstart")),
                    "note": _line(event.get("comment"))[:REASON_MAX],
                }  # fmt: skip
    return {}


def _moment(value: Any) -> str:
    moment = getattr(value, "dt", None)
    return moment.isoformat() if isinstance(moment, date | datetime) else ""
