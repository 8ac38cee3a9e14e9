"""Tools: what servers from ``connectors.toml`` can do, used when the operator asks for it by name, and never otherwise.

A tool that the file declares to read only is used at the desk and its answer shown as a quote; every other one is a card.
What goes into a call are the operator's own words: a model may only say which of them belongs where.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, Field, create_model

from agents.base import ActionCall, Agent, Choice, Desk, Intent, Proposal, Risk, Source, Task
from agents.edits import with_edits
from connectors.base import Action, ConnectorError
from memory.events import Json, Origin

NO_TOOLS = "No tools are set up. connectors.toml in the home folder names MCP servers; connectors/README.md shows how."
CHOICES_MAX = 6
ANSWER_MAX = 3000  # characters of a tool's answer that are shown
LISTED_MAX = 40
USUAL = ("text", "query", "content", "body", "message", "title", "name", "note", "input", "url")
"""What the words are, when a tool takes several things and nothing was said: the first of these that it takes."""

_COMMAND = re.compile(r"^\s*[/!]tools?\b\s*", re.IGNORECASE)
_PAIR = re.compile(
    r"(?<!\S)(?P<name>\w+)\s*=\s*(?:\"(?P<quoted>[^\"]*)\"|(?P<bare>[^,;]+?))(?=\s*[,;]|\s+\w+\s*=|\s*$)"
)
_LEAD = re.compile(r"^\W*(?:(?:to|with|for|and|that|a|an|the|note|of|tool|it|saying)\b[\s:,]*)*", re.IGNORECASE)


class UseTool(Intent):
    """Use a tool of a server that is set up, by name."""

    effect: ClassVar[Risk] = Risk.OUTSIDE
    thinks: ClassVar[str] = "small"
    examples: ClassVar[tuple[str, ...]] = (
        "use notes to add buy milk",
        "use the tool notes.add with text buy milk",
        "use the notes tool to search for milk",
        "call the tool search of notes with query milk",
        "which tools do you have?",
        "what MCP tools are connected?",
        "list the tools of the notes server",
        "run the linear tool create_issue with title Broken link",
        "use github to open an issue about the broken link",
        "with the notes server, add a line about the fair",
        "let the tracker tool start the timer",
        "call weather.forecast with city Berlin",
        "use the MCP server notes to wipe everything",
        "show me the connected tools",
        "use tool files.read path=plan.txt",
        "invoke the tool add on the notes server",
    )
    checks: ClassVar[tuple[str, ...]] = (
        "use notes to write down the door code",
        "which MCP servers are set up?",
        "call the tool notes.search query=fair",
        "use the linear tool to create an issue",
        "run the tool wipe of the notes server",
    )
    not_mine: ClassVar[tuple[str, ...]] = (
        "remember the door code is 4711",
        "note on Acme: prefers short mails",
        "look up our refund policy",
        "use du with Acme",
        "what can you do?",
        "add a client called Notes Ltd",
    )
    patterns: ClassVar[tuple[str, ...]] = (
        "use the tool {tool} with {what}",
        "use the tool {tool}",
        "call the tool {tool} with {what}",
        "which tools do you have",
        "list the tools",
        "what tools do you have",
        "which tools are connected",
    )
    command: ClassVar[str] = "tool"
    verbatim: ClassVar[frozenset[str]] = frozenset({"tool", "what"})

    tool: str = ""
    what: str = ""


@dataclass(frozen=True)
class Wanted:
    """A tool that was named, and the words behind it."""

    action: Action
    rest: str


class Tools(Agent):
    """Uses what other servers offer, on the operator's word alone."""

    intents = (UseTool,)
    proposes = ("mcp.*",)

    @with_edits
    async def work(self, task: Task, desk: Desk) -> Proposal:
        """Find the tool that is named, put the words where they belong, and read or propose."""
        wish = task.intent
        assert isinstance(wish, UseTool)
        offered = {_short(action): action for action in desk.tools()}
        if not offered:
            return Proposal(say=NO_TOOLS)
        if task.origin is not Origin.OPERATOR:
            return Proposal(problem="A tool is used on the operator's own word only.")
        words = _COMMAND.sub("", task.text) if task.text else f"{wish.tool} {wish.what}"
        found = _named(words, offered) or _named(f"{wish.tool} {wish.what}", offered)
        if isinstance(found, Proposal):
            return found
        if found is None:
            return _listed(offered)
        arguments = await _arguments(found, desk)
        if isinstance(arguments, Proposal):
            return arguments
        if found.action.risk is Risk.READS:
            return await _read(found.action, arguments, desk)
        call = ActionCall(name=found.action.name, args=dict(arguments))
        server = _short(found.action).partition(".")[0]
        return Proposal(
            calls=(call,), reasons=(f"You asked for it. What it does is up to the server {server}, not to me.",)
        )


def _short(action: Action) -> str:
    return action.name.removeprefix("mcp.")


def _named(words: str, offered: Mapping[str, Action]) -> Wanted | Proposal | None:
    """Return the one tool that the words name, a question where they name a server and no tool, or None."""
    for short, action in offered.items():
        if found := re.search(rf"(?<![\w.]){re.escape(short)}(?![\w.])", words, re.IGNORECASE):
            return Wanted(action, words[found.end() :])
    said = {word.casefold(): spot.end() for spot in re.finditer(r"[\w-]+", words) for word in [spot[0]]}
    servers = [
        server for server in dict.fromkeys(short.partition(".")[0] for short in offered) if server.casefold() in said
    ]
    mine = {s: a for s, a in offered.items() if not servers or s.partition(".")[0] in servers}
    hits = [(said[tool], short) for short in mine if (tool := short.partition(".")[2].casefold()) in said]
    if len(hits) == 1 and (servers or "tool" in said):
        end, short = hits[0]
        return Wanted(offered[short], _without(words[end:], servers))
    if servers and len(mine) == 1:
        (short,) = mine
        return Wanted(offered[short], words[said[servers[0].casefold()] :])
    if servers:
        rest = _LEAD.sub("", words[said[servers[0].casefold()] :])
        return _which(servers[0], list(mine), rest)
    return None


def _without(rest: str, servers: Sequence[str]) -> str:
    """``" of notes with query milk"`` → ``" with query milk"``: where the tool is, is no argument."""
    for server in servers:
        rest = re.sub(
            rf"^\s*(?:of|on|at|from|in)\s+(?:the\s+)?{re.escape(server)}\b(?:\s+server)?", "", rest, flags=re.IGNORECASE
        )
    return rest


def _which(server: str, shorts: Sequence[str], rest: str) -> Proposal:
    return Proposal(
        ask=f"Which tool of {server}?",
        choices=tuple(Choice(label=short, text=f"/tool {short} {rest}".strip()) for short in shorts[:CHOICES_MAX]),
    )


async def _arguments(wanted: Wanted, desk: Desk) -> Mapping[str, Json] | Proposal:
    """Return argument → value, every value as the operator said it, or the question for what is missing."""
    params = {param.name: param for param in wanted.action.params}
    required = [name for name, param in params.items() if param.required]
    pairs = {
        m["name"]: (m["quoted"] if m["quoted"] is not None else m["bare"]).strip() for m in _PAIR.finditer(wanted.rest)
    }
    if unknown := sorted(set(pairs) - set(params)):
        return Proposal(ask=f"{_short(wanted.action)} takes no {unknown[0]!r}. {_form(wanted.action)}")
    given: dict[str, Json] = dict(pairs)
    rest = "" if pairs else _LEAD.sub("", wanted.rest).strip(" .\"'")
    if rest and not given:
        given = _placed(rest, list(params), required) or await _sorted(rest, wanted.action, desk)
    missing = [name for name in required if not given.get(name)]
    if missing or (rest and not given):
        return Proposal(ask=f"What is {' and '.join(missing) or 'what'}? {_form(wanted.action)}")
    return given


def _placed(rest: str, params: Sequence[str], required: Sequence[str]) -> dict[str, Json]:
    """Put the words where they can only belong: behind a name ("query milk"), or into the one thing that is needed."""
    head, _, tail = rest.partition(" ")
    if head.casefold().rstrip(":") in params and tail and len(required) <= 1:
        return {head.casefold().rstrip(":"): tail.strip(" :\"'")}
    if len(required) > 1:
        return {}
    one = required or [name for name in USUAL if name in params] or list(params)
    return {one[0]: rest} if one else {}


async def _sorted(rest: str, action: Action, desk: Desk) -> dict[str, Json]:
    """Let a model say which words belong where; a value that the operator did not say is left out."""
    fields: dict[str, Any] = {param.name: (str, Field(default="", description=param.doc)) for param in action.params}
    schema: type[BaseModel] = create_model("Arguments", **fields)
    ask = f"Put the operator's words into the arguments of the tool {_short(action)}, word for word. Words: {rest}"
    thought = await desk.think("tool", ask, schema=schema)
    data = thought.data if isinstance(thought.data, dict) else {}
    return {name: value for name, value in data.items() if value and str(value).casefold() in rest.casefold()}


def _form(action: Action) -> str:
    """Return how to say it whole: ``Say: /tool notes.add text=…``."""
    needed = " ".join(f"{param.name}=…" for param in action.params if param.required)
    more = ", ".join(param.name for param in action.params if not param.required)
    return f"Say: /tool {_short(action)} {needed}".strip() + (f" (and, if you like: {more})" if more else "")


async def _read(action: Action, arguments: Mapping[str, Json], desk: Desk) -> Proposal:
    try:
        receipt = await desk.use(action.name, **arguments)
    except (ConnectorError, PermissionError) as error:
        return Proposal(problem=str(error))
    text = str(receipt.data.get("text") or receipt.text)
    quoted = "\n".join(f"> {line}" for line in text[:ANSWER_MAX].splitlines()) or "> (nothing)"
    source = Source(ref=f"tool:{_short(action)}", text=text[:ANSWER_MAX], origin=Origin.STRANGER)
    return Proposal(say=f"{_short(action)} answered:\n{quoted}", results={"text": text[:ANSWER_MAX]}, sources=(source,))


def _listed(offered: Mapping[str, Action]) -> Proposal:
    rows = []
    for short, action in sorted(offered.items())[:LISTED_MAX]:
        takes = ", ".join(param.name if param.required else f"{param.name}?" for param in action.params) or "nothing"
        rows.append(f"- {short}: takes {takes}; {'reads' if action.risk is Risk.READS else 'asks first'}")
    return Proposal(say="\n".join(["Tools that are connected:", *rows, "Say: /tool notes.add text=… (for example)."]))
