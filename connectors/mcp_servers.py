"""The MCP servers of ``connectors.toml``: what the operator says about each, and about its tools. See `connectors.mcp_tools`."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from connectors.base import Json, RefusedError, Risk, Role

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
LEFT_OUT = "(left out)"  # stands where an answer was too long to be kept
_SERVER = re.compile(r"[a-z][a-z0-9_]{0,30}")


_SOURCE = re.compile(r"call\.[^.]+|result(\.[^.]+){0,8}")


@dataclass(frozen=True)
class WayBack:
    """The tool that takes another one's deed back, and where each of its arguments comes from."""

    tool: str
    arguments: Mapping[str, Json]  # name → "call.text", "result.id", "result"; a number or a yes stands for itself

    def made_of(self, call: Mapping[str, Json], result: Mapping[str, Json]) -> dict[str, Json]:
        """Return the arguments.

        Args:
            call: What the first tool was called with.
            result: The data of its receipt: text and structure.

        Raises:
            KeyError: The answer does not hold what is needed, so nothing can be taken back.
        """
        answer = _answer(result)
        return {name: _found(source, call, answer) for name, source in self.arguments.items()}


def _found(source: Json, call: Mapping[str, Json], answer: Json) -> Json:
    if not isinstance(source, str):
        return source
    where, *names = source.split(".")
    value: Json = call if where == "call" else answer
    if where == "result" and names and isinstance(value, dict) and set(value) == {"result"} and names[0] != "result":
        value = _read(value["result"])  # the reference SDK wraps what is no object
    for name in names:
        value = _member(value, name)
    if value in (None, "", LEFT_OUT, {}, []):
        raise KeyError(source)
    return value


def _member(value: Json, name: str) -> Json:
    if isinstance(value, list) and name.isdecimal() and int(name) < len(value):
        return value[int(name)]
    if isinstance(value, dict) and name in value:
        return value[name]
    raise KeyError(name)


def _answer(result: Mapping[str, Json]) -> Json:
    """Return what a tool answered: its structure, else its words, read as JSON where they are some."""
    structured = result.get("structured")
    return _read(result.get("text")) if structured is None else structured


def _read(words: Json) -> Json:
    if not isinstance(words, str):
        return words
    try:
        return json.loads(words, parse_float=str)
    except ValueError:
        return words


@dataclass(frozen=True)
class Declared:
    """What the operator says about one tool."""

    risk: Risk = Risk.OUTSIDE
    key: str = ""  # the argument that carries our stable key
    roles: Mapping[str, Role] = field(default_factory=dict)
    undo: WayBack | None = None


@dataclass(frozen=True)
class Server:
    """One server of ``connectors.toml``."""

    name: str
    command: tuple[str, ...] = ()
    url: str = ""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tools: Mapping[str, Declared | None] = field(default_factory=dict)  # None: off
    oauth: Mapping[str, str] = field(default_factory=dict, repr=False)  # client, secret: who we are where we sign in

    @property
    def may_sign_in(self) -> bool:
        """Whether a sign-in counts for it: it is elsewhere, and no fixed header lets us in."""
        return bool(self.url) and not any(name.casefold() == "authorization" for name in self.headers)

    @property
    def secrets(self) -> list[str]:
        """What the operator gave this server, to be shown nowhere."""
        given = [*self.env.values(), *self.headers.values(), self.oauth.get("secret", "")]
        return [*given, *(each.partition(" ")[2] for each in given)]


def read_servers(path: Path) -> dict[str, Server]:
    """Return the servers of a ``connectors.toml``; none when there is no file.

    Raises:
        RefusedError: A line makes no sense; the message says which.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise RefusedError(f"connectors.toml cannot be read: {error}.") from None
    found = table.get("mcp", {})
    if not isinstance(found, dict) or not all(isinstance(each, dict) for each in found.values()):
        raise RefusedError("connectors.toml: each MCP server is a table of its own, such as [mcp.notes].")
    return {name: _server(name, each) for name, each in found.items()}


def _server(name: str, table: Mapping[str, Any]) -> Server:
    where = f"connectors.toml, [mcp.{name}]"
    if not _SERVER.fullmatch(name):
        raise RefusedError(f"{where}: a name has small letters, digits and _ only.")
    if unknown := set(table) - {"command", "url", "env", "headers", "tools", "oauth"}:
        raise RefusedError(f"{where}: {sorted(unknown)[0]!r} is not known here.")
    command, url = table.get("command", []), table.get("url", "")
    if bool(command) == bool(url):
        raise RefusedError(f"{where}: give either a command or a url.")
    if not isinstance(command, list) or not all(isinstance(part, str) for part in command) or not isinstance(url, str):
        raise RefusedError(f'{where}: a command is a list, such as ["uvx", "notes-server"].')
    parts = urlsplit(url)
    if url and parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise RefusedError(f"{where}: the url must begin with https://.")
    if set(table.get("oauth", {})) - {"client", "secret"} or ("oauth" in table and not table["oauth"].get("client")):
        raise RefusedError(
            f'{where}: oauth is like {{ client = "...", secret = "..." }}, as the server has given it to you.'
        )
    for what in ("env", "headers", "oauth"):
        if not all(isinstance(value, str) for value in table.get(what, {}).values()):
            raise RefusedError(f"{where}: every value of {what} is a text.")
    tools = {tool: _declared(f"{where}, {tool}", said) for tool, said in table.get("tools", {}).items()}
    return Server(
        name, tuple(command), url, table.get("env", {}), table.get("headers", {}), tools, table.get("oauth", {})
    )


def _declared(where: str, said: Any) -> Declared | None:
    if said == "off":
        return None
    table = said if isinstance(said, dict) else {"risk": said}
    try:
        unknown = set(table) - {"risk", "key", "roles", "undo"}
        if unknown:
            raise ValueError(sorted(unknown)[0])
        roles = {str(name): Role(role) for name, role in table.get("roles", {}).items()}
        back = _way_back(where, table["undo"]) if "undo" in table else None
        return Declared(Risk(table.get("risk", Risk.OUTSIDE)), str(table.get("key", "")), roles, back)
    except (ValueError, TypeError, AttributeError) as error:
        risks = ", ".join(Risk)
        raise RefusedError(
            f"{where}: {error}. A tool is {risks}, off, or a table of risk, key, roles and undo."
        ) from None


def _way_back(where: str, said: Any) -> WayBack:
    table = said if isinstance(said, dict) else {"tool": said}
    tool, given = table.get("tool"), table.get("with", {})
    if not isinstance(tool, str) or not isinstance(given, dict) or set(table) - {"tool", "with"}:
        raise RefusedError(f'{where}: an undo is like {{ tool = "remove", with = {{ id = "result.id" }} }}.')
    for name, source in given.items():
        if not isinstance(source, bool | int) and not (isinstance(source, str) and _SOURCE.fullmatch(source)):
            raise RefusedError(
                f"{where}: where the undo's {name!r} comes from is call.NAME (an argument), result.NAME (of the answer) or "
                f"result, not {source!r}."
            )
    return WayBack(tool, given)
