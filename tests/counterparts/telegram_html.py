"""The Bot API's HTML, read the way the platform reads it (core.telegram.org/bots/api#html-style), and its own links.

`parse` gives the text an eye sees and its entities, or the platform's error; `detected` adds what every client turns
into something to tap by itself: pages, commands, addresses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

TAGS = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "code": "code", "pre": "pre",
    "a": "text_link", "blockquote": "blockquote", "tg-spoiler": "spoiler", "span": "spoiler",
}  # fmt: skip
NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
ENTITIES_MAX = 100

_TAG = re.compile(r"<(/?)([a-zA-Z0-9-]+)([^<>]*)>")
_PLAIN = re.compile(r"[^<&]+")
_REFERENCE = re.compile(r"&(#x[0-9a-fA-F]+|#[0-9]+|[a-zA-Z]+);")
_LINKS = {
    "url": re.compile(
        r"(?:[a-z]+://[^\s<>]+)|(?:(?<![\w@.-])(?:[\w-]+\.)+[^\W\d_]{2,}(?:[/?#:][^\s<>]*)?)", re.IGNORECASE
    ),
    "bot_command": re.compile(r"(?<!\S)/[a-z0-9_]{1,32}", re.IGNORECASE),
    "email": re.compile(r"[\w.+-]+@(?:[\w-]+\.)+[^\W\d_]{2,}"),
}


class HtmlError(Exception):
    """400: the platform's own words."""


@dataclass
class Parsed:
    """What an eye sees, and how."""

    text: str = ""
    entities: list[dict[str, object]] = field(default_factory=list)


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def parse(source: str) -> Parsed:
    """Return text and entities.

    Raises:
        HtmlError: "can't parse entities: ..." as the platform says it.
    """
    shown: list[str] = []
    length = at = 0
    open_tags: list[tuple[str, int, str]] = []
    entities: list[dict[str, object]] = []
    while at < len(source):
        character = source[at]
        if character == "<":
            tag = _TAG.match(source, at)
            if tag is None or tag.group(2).lower() not in TAGS:
                name = tag.group(2) if tag else source[at + 1 : at + 20].split(" ", maxsplit=1)[0]
                offset = len(source[:at].encode())
                raise HtmlError(f'can\'t parse entities: Unsupported start tag "{name}" at byte offset {offset}')
            name = tag.group(2).lower()
            at = tag.end()
            if not tag.group(1):
                open_tags.append((name, length, tag.group(3)))
                continue
            if not open_tags or open_tags[-1][0] != name:
                raise HtmlError(f"can't parse entities: Unmatched end tag at byte offset {len(source[:at].encode())}")
            _, start, _ = open_tags.pop()
            if length > start:
                entities.append({"type": TAGS[name], "offset": start, "length": length - start})
            continue
        plain = _PLAIN.match(source, at)
        if plain is not None:
            shown.append(plain.group())
            length += units(plain.group())
            at = plain.end()
            continue
        piece = character
        reference = _REFERENCE.match(source, at) if character == "&" else None
        at += 1
        if reference is not None and (decoded := _decoded(reference.group(1))) is not None:
            piece, at = decoded, reference.end()
        shown.append(piece)
        length += units(piece)
    if open_tags:
        raise HtmlError(f"can't parse entities: Can't find end tag corresponding to start tag \"{open_tags[-1][0]}\"")
    return _trimmed("".join(shown), sorted(entities, key=lambda e: (e["offset"], e["length"]))[:ENTITIES_MAX])


def _decoded(name: str) -> str | None:
    if name.startswith("#x"):
        return chr(int(name.removeprefix("#x"), base=16))
    if name.startswith("#"):
        return chr(int(name[1:]))
    return NAMED.get(name)


def _trimmed(text: str, entities: list[dict[str, object]]) -> Parsed:
    """Drop white space at both ends, as the platform does, and move the entities along."""
    body = text.rstrip()
    cut = units(body) - units(body.lstrip())
    body = body.lstrip()
    total = units(body)
    kept = []
    for entity in entities:
        start = max(int(str(entity["offset"])) - cut, 0)
        end = min(int(str(entity["offset"])) + int(str(entity["length"])) - cut, total)
        if end > start:
            kept.append({**entity, "offset": start, "length": end - start})
    return Parsed(body, kept)


def detected(parsed: Parsed) -> list[dict[str, object]]:
    """Return the entities a client would add by itself: nothing inside code."""
    wide = parsed.text.encode("utf-16-le")
    free = bytearray(wide)
    for entity in parsed.entities:
        if entity["type"] in ("code", "pre"):
            start, end = int(str(entity["offset"])) * 2, (int(str(entity["offset"])) + int(str(entity["length"]))) * 2
            free[start:end] = " ".encode("utf-16-le") * ((end - start) // 2)
    text = free.decode("utf-16-le", errors="replace")
    return [
        {"type": kind, "offset": units(text[: match.start()]), "length": units(match.group())}
        for kind, pattern in _LINKS.items()
        for match in pattern.finditer(text)
    ]
