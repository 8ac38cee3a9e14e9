"""Tools of any MCP server, each behind the same gate as everything else.

``connectors.toml`` in the home folder names the servers::

    [mcp.notes]
    command = ["uvx", "notes-server"]           # a program on this machine, or:
    # url = "https://notes.example.com/mcp"
    # headers = { Authorization = "Bearer ..." }
    # env = { NOTES_TOKEN = "..." }
    # oauth = { client = "..." }                # where signing in (``mcp_sign_in.py``) wants an app that you registered

    [mcp.notes.tools]
    search = "reads"                            # what you know about a tool; else it is "outside", asked every time
    add = { risk = "reversible", key = "request_id", roles = { text = "body" }, undo = { tool = "remove", with = { id = "result.id" } } }
    wipe = "off"

Each tool becomes the action ``mcp.notes.search``. What a server says about its own tools (read-only, harmless) decides
nothing; only the file does. Without a word there, a tool is OUTSIDE and PLAIN: one attempt, and then the operator. With
``key``, the named argument carries our stable key, and the tool promises to do nothing twice for it. With ``undo``, the
named tool takes back what this one did, on a card of its own; each of its arguments comes from the call (``call.text``) or
from the answer (``result.id``, ``result.items.0.id``, ``result`` for the whole of it).

What a tool looked like when it was first seen is kept in ``<home>/mcp/<server>.json``. A tool that has changed since is
not used: a changed description or argument may be a changed purpose.

A tool's error answer counts as "it said no". Its words are material and never an order.

Source: https://modelcontextprotocol.io/specification (tools, transports, security), mcp 2.3
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import threading
import time
import unicodedata
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from connectors.base import (
    Action,
    Connector,
    ConnectorError,
    EffectClass,
    Health,
    Json,
    OutcomeUnknownError,
    Param,
    Receipt,
    RefusedError,
    Risk,
    Role,
    TryLaterError,
    Undo,
    Workshop,
)
from connectors.client import Breaker, Monotonic
from connectors.mcp_errand import CALL_S, Errand, Line
from connectors.mcp_servers import LEFT_OUT, Declared, Server, WayBack, read_servers
from connectors.mcp_sign_in import Kept, asking, wants_sign_in
from connectors.oauth_sign_in import Show
from connectors.oauth_way_back import Paste

CONNECT_S = 20.0  # a program may have to start first
TOOLS_MAX = 200  # of one server
TEXT_MAX = 20_000  # characters of an answer that are kept
ITEMS_MAX = 1_000  # parts of an answer that are kept: it goes into history, where nothing is ever thrown away
SHOWN_MAX = 300
NO_RETURN = "once the tool has been called; what it does then is its own affair"
NO_UNDO = "once the tool has been called; no tool is named that takes it back"


_YES_NO = {"true": True, "yes": True, "false": False, "no": False}
_AS_TEXT: Mapping[str, Callable[[str], Any]] = {
    "number": float, "integer": int, "boolean": lambda text: _YES_NO[text.casefold()],
}  # fmt: skip


@dataclass(frozen=True)
class Tool:
    """A tool as it was when it was first seen."""

    name: str
    description: str
    schema: Mapping[str, Json]

    @property
    def digest(self) -> str:
        """What must not change: everything a reader or a caller goes by."""
        whole = json.dumps([self.name, self.description, self.schema], sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(whole.encode()).hexdigest()


class Mcp(Connector):
    """Tools of MCP servers."""

    service = "mcp"
    _made: ClassVar[Mapping[str, Action]] = {}

    def __init__(
        self,
        workshop: Workshop,
        servers: Mapping[str, Server],
        seen: Mapping[str, Mapping[str, Tool]],
        monotonic: Monotonic = time.monotonic,
    ) -> None:
        self._workshop = workshop
        self._servers = servers
        self._seen = seen
        self.breakers = {name: Breaker(name, monotonic=monotonic) for name in servers}
        self._lines = {name: Line(server, workshop) for name, server in servers.items()}

    @classmethod
    def open(cls, values: Mapping[str, str], workshop: Workshop) -> Mcp | None:
        """Read ``connectors.toml``; a server seen for the first time is asked for its tools.

        Raises:
            RefusedError: The file makes no sense.
        """
        del values
        servers = read_servers(workshop.home / "connectors.toml")
        if not servers:
            return None
        seen: dict[str, dict[str, Tool]] = {}
        for server in servers.values():
            kept = _kept(workshop.home, server.name)
            seen[server.name] = kept if kept is not None else _first_sight(workshop, server)
        return _with_tools(cls, servers, seen)(workshop, servers, seen)

    @classmethod
    def actions(cls) -> dict[str, Action]:
        """Return an action for each tool; the bare class has none, because they are only known from a home folder."""
        return dict(cls._made)

    @property
    def account(self) -> str:
        """Which servers."""
        return ", ".join(sorted(self._servers))

    async def health(self) -> Health:
        """Ask each server for its tools, and say which have changed or are new."""
        words, remedies = [], []
        for name, server in self._servers.items():
            errand = self._lines[name].errand()
            try:
                async with asyncio.timeout(CONNECT_S), errand.session() as session:
                    now = await _list(session)
            except Exception as error:  # noqa: BLE001 - whatever it is, this server cannot be used now
                known = errand.why(error)
                words.append(f"{name} does not answer ({known or errand.words(error)})"[:SHOWN_MAX])
                due = str(known).startswith(wants_sign_in(server))
                remedies.append(wants_sign_in(server) if due else f"Check [mcp.{name}] in connectors.toml.")
                continue
            changed = sorted(tool for tool, was in self._seen[name].items() if now.get(tool) != was)
            fresh = sorted(set(now) - set(self._seen[name]))
            words.append(f"{name} has {len(now)} tools")
            if changed or fresh:
                words.append(f"changed: {', '.join(changed) or 'none'}, new: {', '.join(fresh) or 'none'}")
                remedies.append(
                    f"Look at them; to take them as they are, delete {_place(Path(), name)} and start again."
                )
        return Health(ok=not remedies, text="MCP: " + "; ".join(words) + ".", remedy=" ".join(remedies))

    async def call(self, server: Server, tool: str, key: str, arguments: Mapping[str, Json]) -> Receipt:
        """Call one tool, if it is still what it was; a server that failed a few times in a row is let rest.

        Raises:
            RefusedError: It has changed, the arguments do not fit, or it said no.
            TryLaterError: The server does not answer; nothing was called.
            OutcomeUnknownError: It was called and gave no answer.
        """
        breaker = self.breakers[server.name]
        breaker.check()
        try:
            receipt = await self._called(server, tool, key, arguments)
        except RefusedError:
            breaker.succeeded()  # it is alive enough to say no
            raise
        except ConnectorError:
            breaker.failed()
            raise
        breaker.succeeded()
        return receipt

    async def _called(self, server: Server, tool: str, key: str, arguments: Mapping[str, Json]) -> Receipt:
        was = self._seen[server.name][tool]
        declared = server.tools.get(tool) or Declared()
        given = _arguments(was, arguments, declared, key)
        line = self._lines[server.name] if self._servers.get(server.name) == server else Line(server, self._workshop)
        errand, sent = line.errand(), False
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(CONNECT_S):
                    session = await stack.enter_async_context(errand.session())
                    now = (await _list(session)).get(tool)
                _same(server, was, now)
                sent = True
                async with asyncio.timeout(CALL_S):
                    answer = await session.call_tool(tool, given)
                return _receipt(server, tool, answer, line.redactor())
        except Exception as error:  # noqa: BLE001 - a server may answer anything; what matters is whether it was called
            known, words = errand.why(error), errand.words(error)
        if known is not None:
            raise type(known)(str(known)[:SHOWN_MAX])
        told = f"{server.name} did not answer: {words}"[:SHOWN_MAX]
        if sent:
            raise OutcomeUnknownError(told)
        raise TryLaterError(f"{told}. Nothing was called.")


# ── actions ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _with_tools(cls: type[Mcp], servers: Mapping[str, Server], seen: Mapping[str, Mapping[str, Tool]]) -> type[Mcp]:
    """Return the class whose actions are these tools: actions belong to a class, and here the class is made for a home."""
    made: dict[str, Action] = {}
    methods: dict[str, Any] = {}
    for name, tools in seen.items():
        server = servers[name]
        for tool in tools.values():
            declared = server.tools.get(tool.name, Declared())
            if declared is None:
                continue
            one = _action(server, tool, declared, tools)
            if one.name not in made:
                made[one.name] = one
                methods[one.method] = _method(server, tool.name)
    return type(cls.__name__, (cls,), {"__doc__": cls.__doc__, "_made": made, **methods})


def _method(server: Server, tool: str) -> Callable[..., Awaitable[Receipt]]:
    async def method(self: Mcp, *, key: str = "", **arguments: Json) -> Receipt:
        return await self.call(server, tool, key, arguments)

    return method


def _action(server: Server, tool: Tool, declared: Declared, tools: Mapping[str, Tool]) -> Action:
    word = _word(tool.name)
    reads, keyed = declared.risk is Risk.READS, bool(declared.key)
    required = set(tool.schema.get("required") or ())
    params = tuple(
        Param(
            name=name,
            role=declared.roles.get(name, Role.DETAIL),
            required=name in required,
            doc=str(about.get("description", ""))[:SHOWN_MAX] if isinstance(about, dict) else "",
        )
        for name, about in (tool.schema.get("properties") or {}).items()
        if name != declared.key
    )
    return Action(
        name=f"mcp.{server.name}.{word}",
        method=f"tool_{server.name}_{word}",
        risk=declared.risk,
        effect=EffectClass.KEYED if reads or keyed else EffectClass.PLAIN,
        says=f"use the tool {word} of {server.name}",
        params=params,
        no_return=_no_return(declared),
        undo=_undo(server, tool.name, declared.undo, tools) if declared.undo else None,
        delayed=False,
        find=None,
        key_window_s=24 * 3600.0,
        timeout_s=CONNECT_S + CALL_S + 5,
        attempts_max=6 if keyed else 3,
        rate_per_minute=30.0,
        takes_key=keyed,
    )


def _word(tool: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", tool)


def _no_return(declared: Declared) -> str:
    if declared.risk is Risk.READS or declared.undo:
        return ""
    return NO_UNDO if declared.risk is Risk.REVERSIBLE else NO_RETURN


def _undo(server: Server, tool: str, back: WayBack, tools: Mapping[str, Tool]) -> Undo:
    """Return what takes a tool's deed back.

    Raises:
        RefusedError: The file names a tool that is not there, is switched off, or takes other arguments.
    """
    where = f"connectors.toml, [mcp.{server.name}.tools], {tool}"
    other = tools.get(back.tool)
    declared = server.tools.get(back.tool, Declared())
    if other is None or declared is None:
        raise RefusedError(
            f"{where}: its undo is the tool {back.tool!r}, which {server.name} does not have, or is off."
        )
    known, needed = set(other.schema.get("properties") or {}), set(other.schema.get("required") or ()) - {declared.key}
    if wrong := sorted(set(back.arguments) - known) or sorted(needed - set(back.arguments)):
        raise RefusedError(f"{where}: its undo {back.tool!r} takes {', '.join(sorted(known))}; look at {wrong[0]!r}.")
    name = f"mcp.{server.name}.{_word(back.tool)}"
    return lambda arguments, receipt: (name, back.made_of(arguments, receipt.data))


def _place(home: Path, server: str) -> Path:
    return home / "mcp" / f"{server}.json"


def _kept(home: Path, server: str) -> dict[str, Tool] | None:
    try:
        rows = json.loads(_place(home, server).read_text(encoding="utf-8"))
        return {row["name"]: Tool(row["name"], row["description"], row["schema"]) for row in rows}
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, OSError):
        raise RefusedError(
            f"{_place(Path(), server)} in the home folder is damaged. Delete it and start again."
        ) from None


def _first_sight(workshop: Workshop, server: Server) -> dict[str, Tool]:
    """Ask a server for its tools and keep them; an unreachable one has none until the next start.

    In a thread with a loop of its own, because building the house is not async and may happen inside a running loop.
    """
    found: dict[str, Tool] = {}

    async def ask() -> None:
        async with asyncio.timeout(CONNECT_S), Line(server, workshop).errand().session() as session:
            found.update(await _list(session))

    def run() -> None:
        try:
            asyncio.run(ask())
        except Exception:  # noqa: BLE001 - whatever it was, health says that the server does not answer
            found.clear()

    thread = threading.Thread(target=run, name=f"mcp-{server.name}")
    thread.start()
    thread.join()
    if found:
        _keep(workshop.home, server.name, found)
    return found


def _keep(home: Path, server: str, found: Mapping[str, Tool]) -> None:
    place = _place(home, server)
    place.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"name": each.name, "description": each.description, "schema": each.schema} for each in found.values()]
    fresh = place.with_suffix(".new")
    fresh.write_text(json.dumps(rows, indent=1, sort_keys=True), encoding="utf-8")
    fresh.replace(place)


async def sign_in(server: Server, workshop: Workshop, show: Show, paste: Paste) -> int:
    """Let the operator sign in to a server, look at its tools, and return how many it has.

    Raises:
        RefusedError: The operator or the server said no, or it wants no sign-in.
        TryLaterError: Nobody signed in in time, or the server does not answer.
    """
    if not server.may_sign_in:
        raise RefusedError(
            f"[mcp.{server.name}] is a program of this machine or has a fixed header: nothing to sign in to."
        )
    async with asking(server, workshop, show, paste) as signs:
        errand = Errand(server, Line(server, workshop).redact, signs)
        try:
            async with errand.session() as session:
                found = await _list(session)
        except Exception as error:  # noqa: BLE001 - a server may answer anything
            known = errand.why(error) or TryLaterError(f"{server.name} did not answer: {errand.words(error)}")
            raise type(known)(str(known)[:SHOWN_MAX]) from None
    if not Kept(server, workshop).there:
        raise RefusedError(f"{server.name} let Soloist in without a sign-in: it wants none.")
    if found and _kept(workshop.home, server.name) is None:
        _keep(workshop.home, server.name, found)
    return len(found)


# ── talking to a server ───────────────────────────────────────────────────────────────────────────────────────────


async def _list(session: Any) -> dict[str, Tool]:
    found: dict[str, Tool] = {}
    cursor = None
    while len(found) < TOOLS_MAX:
        page = await session.list_tools(cursor=cursor, cache_mode="bypass")
        for each in page.tools:
            # Through JSON, so that what is compared is what is kept.
            schema = json.loads(json.dumps(each.input_schema))
            found[each.name] = Tool(each.name, each.description or "", schema)
        cursor = page.next_cursor
        if not cursor:
            break
    return dict(islice(found.items(), TOOLS_MAX))  # one page alone may hold ten thousand


def _same(server: Server, was: Tool, now: Tool | None) -> None:
    if now is None:
        raise RefusedError(f"{server.name} has no tool {was.name!r} any more, so nothing was called.")
    if now.digest != was.digest:
        raise RefusedError(
            f"The tool {was.name!r} of {server.name} is not what it was when it was first seen, so it was not called. "
            f"Look at it; to take it as it is, delete {_place(Path(), server.name)} in the home folder and start again."
        )


def _arguments(tool: Tool, given: Mapping[str, Json], declared: Declared, key: str) -> dict[str, Any]:
    known = tool.schema.get("properties") or {}
    if unknown := set(given) - set(known):
        raise RefusedError(f"The tool {tool.name!r} takes no {sorted(unknown)[0]!r}.")
    arguments = {name: _number(value, known[name]) for name, value in given.items()}
    if declared.key:
        if declared.key not in known:
            raise RefusedError(
                f"The tool {tool.name!r} takes no {declared.key!r}, which connectors.toml names as its key."
            )
        arguments[declared.key] = hashlib.sha256(key.encode()).hexdigest()[:32]
    if missing := set(tool.schema.get("required") or ()) - set(arguments):
        raise RefusedError(f"The tool {tool.name!r} needs {sorted(missing)[0]!r}.")
    return arguments


def _number(value: Json, about: Any) -> Any:
    """Our JSON has no floats, and the operator types words: a number or a yes travels in it as text."""
    kind = str(about.get("type")) if isinstance(about, dict) else ""
    if kind == "string" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # an id that one tool answers with and another takes
    if not isinstance(value, str) or kind not in _AS_TEXT:
        return value
    try:
        return _AS_TEXT[kind](value)
    except (ValueError, KeyError):
        raise RefusedError(f"{value!r} is not a {kind}.") from None


def _receipt(server: Server, tool: str, answer: Any, redact: Callable[[str], str]) -> Receipt:
    words = "\n".join(each.text for each in answer.content[:ITEMS_MAX] if getattr(each, "type", "") == "text")
    text = _clean(words, redact)
    if answer.is_error:
        raise RefusedError(f"{server.name} would not {tool}: {text[:SHOWN_MAX] or 'it gave no reason'}")
    short = re.sub(r"\s+", " ", text).strip()[:SHOWN_MAX]
    said = f"It answered: {short}" if short else "It answered without words."
    structured = _plain(answer.structured_content, redact, [ITEMS_MAX, TEXT_MAX])
    return Receipt("", f"Called {tool} of {server.name}. {said}", {"text": text, "structured": structured})


def _clean(words: str, redact: Callable[[str], str]) -> str:
    """Return words without our secrets, and without what moves a terminal's cursor; no longer than is kept."""
    # A secret that lies across the cut is still whole when it is looked for.
    known = redact(words[: 2 * TEXT_MAX])[:TEXT_MAX]
    return "".join(c for c in known if c in "\n\t" or unicodedata.category(c) != "Cc")


def _plain(value: Any, redact: Callable[[str], str], left: list[int], depth: int = 0) -> Json:
    """Canonical JSON: floats as text, nothing too deep, and no more than is kept of a text.

    Args:
        value: What a server sent.
        redact: Blanks out our secrets.
        left: How many items, and how many characters, may still be taken; a server's answer goes into history.
        depth: How deep we are.
    """
    left[0] -= 1
    if min(left) < 0 or depth > 12:  # noqa: PLR2004 - deeper than any answer worth reading
        return LEFT_OUT
    if isinstance(value, dict | list):
        room = max(0, left[0])
        if isinstance(value, dict):
            pairs = list(value.items())[:room]
            return {
                _clean(str(name), redact)[:SHOWN_MAX]: _plain(each, redact, left, depth + 1) for name, each in pairs
            }
        return [_plain(each, redact, left, depth + 1) for each in value[:room]]
    if isinstance(value, int | type(None)):
        return value
    words = _clean(str(value), redact)
    left[1] -= len(words)
    return words
