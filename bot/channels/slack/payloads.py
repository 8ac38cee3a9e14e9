"""Slack's payloads → small values of ours. Pure and calm: wrong types read as missing."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from bot.channels.slack import plain
from bot.channels.slack.views import FORM, Ticket

Json = Any
DEPTH_MAX = 64  # of nesting; Slack's own payloads stay below 20


class MalformedError(Exception):
    """Signed by Slack, yet nothing that Slack sends."""


@dataclass(frozen=True)
class Sent:
    """A file as an event names it."""

    id: str
    name: str
    url: str
    size: int
    media_type: str


@dataclass(frozen=True)
class Heard:
    """A message or a mention."""

    event_id: str
    kind: str  # "message" or "app_mention"
    team: str
    user: str
    bot: str
    subtype: str
    channel: str
    direct: bool
    ts: str
    thread: str
    text: str
    raw: str
    files: tuple[Sent, ...]


@dataclass(frozen=True)
class Typed:
    """A slash command."""

    event_id: str
    team: str
    user: str
    name: str
    channel: str
    text: str


@dataclass(frozen=True)
class Click:
    """A button or a menu. ``key`` is which option of a menu; ``card`` which card the block says it is."""

    event_id: str
    team: str
    user: str
    name: str
    verb: str
    handle: str
    key: str
    card: str
    channel: str
    thread: str
    ts: str
    trigger: str
    at_home: bool
    ours: bool


@dataclass(frozen=True)
class Submitted:
    """A form."""

    event_id: str
    team: str
    user: str
    name: str
    values: dict[str, Json]
    ticket: Ticket
    first_field: str


def read(body: bytes, content_type: str) -> dict[str, Json]:
    """Return a request body as Slack means it.

    Raises:
        MalformedError: It is not one.
    """
    try:
        text = body.decode("utf-8")
        if content_type.startswith("application/json"):
            found = json.loads(text)
        else:
            form = {
                key: values[0] for key, values in parse_qs(text, keep_blank_values=True, max_num_fields=200).items()
            }
            found = json.loads(form["payload"]) if "payload" in form else form
    except (ValueError, RecursionError) as error:
        raise MalformedError(str(error)) from error
    if not isinstance(found, dict) or not _shaped(found):
        raise MalformedError("not an object of Slack's shape")
    return found


def _shaped(body: dict[str, Json]) -> bool:
    """Whether the parts the library walks into are what it takes them for."""
    for key in ("event", "message", "container", "view", "team", "user", "channel", "enterprise", "function_data"):
        value = body.get(key)
        if value is not None and not isinstance(value, dict | str):
            return False
    if body.get("type") == "event_callback" and not isinstance(body.get("event"), dict):
        return False
    if not isinstance(body.get("type", ""), str) or not isinstance(body.get("command", ""), str):
        return False
    event = body.get("event")
    if event is not None and (not isinstance(event, dict) or not _event_shaped(event)):
        return False
    for key in ("actions", "authorizations"):
        items = body.get(key)
        if items is not None and not (isinstance(items, list) and all(isinstance(item, dict) for item in items)):
            return False
    if body.get("type") == "block_actions" and not body.get("actions"):
        return False
    return _depth(body) <= DEPTH_MAX


def _event_shaped(event: dict[str, Json]) -> bool:
    texts = (
        "type",
        "subtype",
        "user",
        "channel",
        "text",
        "bot_id",
        "ts",
        "thread_ts",
        "team",
        "channel_type",
        "item_user",
    )
    plain_ = all(isinstance(event.get(key, ""), str | None) for key in texts if key not in {"user", "channel"})
    users = all(isinstance(event.get(key, ""), str | dict | None) for key in ("user", "channel"))
    nested = all(
        isinstance(event.get(key, {}), dict | None) for key in ("message", "previous_message", "assistant_thread")
    )
    return plain_ and users and nested


def _depth(value: Json) -> int:
    depth, level = 0, [value]
    while level and depth <= DEPTH_MAX:
        depth += 1
        level = [
            item
            for node in level
            if isinstance(node, dict | list)
            for item in (node.values() if isinstance(node, dict) else node)
        ]
    return depth


def heard(body: dict[str, Json]) -> Heard:
    """Return a message event.

    Raises:
        MalformedError: It names no event id.
    """
    event = _dict(body, "event")
    event_id = text_at(body, "event_id")
    if not event_id:
        raise MalformedError("an event without event_id")
    raw = text_at(event, "text")
    channel = text_at(event, "channel")
    return Heard(
        event_id=event_id,
        kind=text_at(event, "type"),
        # A person from another workspace carries their own team beside ours.
        team=text_at(event, "user_team") or text_at(event, "team") or text_at(body, "team_id"),
        user=text_at(event, "user"),
        bot=text_at(event, "bot_id"),
        subtype=text_at(event, "subtype"),
        channel=channel,
        direct=text_at(event, "channel_type") == "im" or channel.startswith("D"),
        ts=text_at(event, "ts"),
        thread=text_at(event, "thread_ts"),
        text=plain.typed(raw),
        raw=raw,
        files=tuple(_sent(file) for file in _list(event, "files")),
    )


def changed(body: dict[str, Json]) -> Heard | None:
    """Return a message as its writer says it after changing it; None when no person changed its words."""
    event = _dict(body, "event")
    now, before = _dict(event, "message"), _dict(event, "previous_message")
    if text_at(now, "bot_id") or not _dict(now, "edited") or text_at(now, "text") == text_at(before, "text"):
        return None
    return heard(
        {
            **body,
            "event": {
                **now,
                "type": "message",
                "channel": event.get("channel"),
                "channel_type": event.get("channel_type", ""),
            },
        }
    )


def without_mention(raw: str, us: str) -> str:
    """Return what was said to us, without our name in front."""
    return plain.typed(re.sub(rf"<@{re.escape(us)}(\|[^>]*)?>", "", raw, count=1)).strip()


def command(body: dict[str, Json]) -> Typed:
    """Return a slash command."""
    parts = [text_at(body, key) for key in ("trigger_id", "team_id", "user_id", "channel_id", "command", "text")]
    return Typed(
        event_id=_id("command", *parts),
        team=text_at(body, "team_id"),
        user=text_at(body, "user_id"),
        name=text_at(body, "user_name"),
        channel=text_at(body, "channel_id"),
        text=plain.typed(text_at(body, "text")).strip(),
    )


def click(body: dict[str, Json]) -> Click:
    """Return a press.

    Raises:
        MalformedError: There is no action in it.
    """
    actions = _list(body, "actions")
    if not actions:
        raise MalformedError("a press without an action")
    action, user, message = actions[0], _dict(body, "user"), _dict(body, "message")
    verb, _, _ = text_at(action, "action_id").partition(":")
    value, key = text_at(action, "value"), ""
    if verb.endswith("-menu"):
        verb = verb.removesuffix("-menu")
    if chosen := _dict(action, "selected_option"):
        key, _, value = text_at(chosen, "value").partition(" ")
    block = text_at(action, "block_id").split(":")
    app, posted_by = text_at(body, "api_app_id"), text_at(message, "app_id")
    return Click(
        event_id=_id(
            "click",
            text_at(body, "trigger_id"),
            str(action.get("action_ts", "")),
            text_at(user, "id"),
            text_at(action, "action_id"),
            key,
            value,
        ),
        team=text_at(user, "team_id") or text_at(body, "team", "id"),
        user=text_at(user, "id"),
        name=text_at(user, "name") or text_at(user, "username"),
        verb=verb,
        handle=value,
        key=key,
        card=block[1] if block[0] == "card" and len(block) > 1 else "",
        channel=text_at(body, "channel", "id") or text_at(body, "container", "channel_id"),
        thread=text_at(message, "thread_ts") or text_at(body, "container", "thread_ts"),
        ts=text_at(message, "ts") or text_at(body, "container", "message_ts"),
        trigger=text_at(body, "trigger_id"),
        at_home=text_at(body, "container", "type") == "view" or text_at(body, "view", "type") == "home",
        ours=not (app and posted_by and app != posted_by),
    )


def submission(body: dict[str, Json]) -> Submitted:
    """Return a submitted form.

    Raises:
        MalformedError: It is not ours.
    """
    view, user = _dict(body, "view"), _dict(body, "user")
    ticket = Ticket.from_json(text_at(view, "private_metadata"))
    if text_at(view, "callback_id") != FORM or ticket is None:
        raise MalformedError("a form that is not ours")
    values = _dict(_dict(view, "state"), "values")
    blocks = [text_at(block, "block_id") for block in _list(view, "blocks") if text_at(block, "type") == "input"]
    return Submitted(
        event_id=_id("form", text_at(view, "id"), text_at(user, "id"), json.dumps(values, sort_keys=True)),
        team=text_at(user, "team_id") or text_at(body, "team", "id"),
        user=text_at(user, "id"),
        name=text_at(user, "name") or text_at(user, "username"),
        values=values,
        ticket=ticket,
        first_field=blocks[0] if blocks else next(iter(values), ""),
    )


def text_at(body: Json, *path: str) -> str:
    """Return the string at a path, or "" for anything else."""
    for key in path:
        body = body.get(key) if isinstance(body, dict) else None
    return body if isinstance(body, str) else ""


def _dict(body: Json, key: str) -> dict[str, Json]:
    found = body.get(key) if isinstance(body, dict) else None
    return found if isinstance(found, dict) else {}


def _list(body: Json, key: str) -> list[dict[str, Json]]:
    found = body.get(key) if isinstance(body, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _sent(file: dict[str, Json]) -> Sent:
    size = file.get("size")
    return Sent(
        id=text_at(file, "id"),
        name=text_at(file, "name") or "file",
        url=text_at(file, "url_private_download") or text_at(file, "url_private"),
        size=size if isinstance(size, int) else 0,
        media_type=text_at(file, "mimetype") or "application/octet-stream",
    )


def _id(kind: str, *parts: str) -> str:
    """Return a stable id for what Slack gives none: the same for the same payload, however often it comes."""
    return f"{kind}:{hashlib.sha256(json.dumps(parts).encode('utf-8', 'backslashreplace')).hexdigest()[:40]}"
