"""Pages and feeds → what a person would read. Pure.

What is hidden on the page is left out: nobody reads it, so it can only be meant for machines. The words stay material;
nothing here makes them an order.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import feedparser
import lxml.html  # type: ignore[import-untyped]
from lxml import etree

from connectors.base import RefusedError

TEXT_MAX = 200_000  # characters of one page
ENTRY_MAX = 5_000  # of one entry of a feed
ENTRIES_MAX = 100
TITLE_MAX = 300

_SKIPPED = frozenset(
    ["script", "style", "template", "noscript", "svg", "head", "iframe", "object", "select", "textarea", "math"]
)
_BLOCKS = frozenset(
    [
        "address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "figcaption", "figure", "footer",
        "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section",
        "table", "tr", "ul",
    ]
)  # fmt: skip
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0(?![.\d])|font-size\s*:\s*0(?![.\d])", re.IGNORECASE
)


@dataclass(frozen=True)
class Entry:
    """One entry of a feed."""

    id: str
    title: str
    link: str
    published: str  # ISO 8601, or empty
    text: str


def page(content: bytes, charset: str = "") -> tuple[str, str]:
    """Return title and text of an HTML page, one line a block.

    Raises:
        RefusedError: Nothing in it can be read.
    """
    try:
        parser = lxml.html.HTMLParser(encoding=charset or None, huge_tree=False)
    except LookupError:
        parser = lxml.html.HTMLParser(huge_tree=False)
    try:
        root = lxml.html.document_fromstring(content, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        raise RefusedError("This page holds nothing that can be read.") from None
    title = next((each.text_content() for each in root.iter("title")), "")
    return one_line(title)[:TITLE_MAX], _visible(root)


def _visible(root: Any) -> str:
    """Walk without recursion, because a page may be nested deeper than Python's stack."""
    pieces: list[str] = []
    length, hidden = 0, 0
    for event, node in etree.iterwalk(root, events=("start", "end", "comment", "pi")):
        if event in {"comment", "pi"}:
            piece = "" if hidden else node.tail or ""
        else:
            tag = str(node.tag).lower()
            unseen = _unseen(node, tag)
            edge = "\n" if tag in _BLOCKS else " " if tag in {"td", "th"} else ""
            if event == "start":
                hidden += unseen
                piece = "" if hidden else edge + (node.text or "")
            else:
                hidden -= unseen
                piece = "" if hidden else edge + (node.tail or "")
        pieces.append(piece)
        length += len(piece)
        if length > 4 * TEXT_MAX:  # much of it may be white space
            break
    return tidy("".join(pieces))[:TEXT_MAX]


def _unseen(node: Any, tag: str) -> bool:
    if tag in _SKIPPED or "hidden" in node.attrib or node.get("aria-hidden") == "true":
        return True
    return bool(_HIDDEN.search(node.get("style") or "")) or (tag == "input")


def plain(content: bytes, charset: str = "") -> str:
    """Return text that is no HTML."""
    try:
        text = content.decode(charset or "utf-8", errors="replace")
    except LookupError:
        text = content.decode(errors="replace")
    return _clean(text)[:TEXT_MAX]


def feed(content: bytes) -> tuple[str, list[Entry]]:
    """Return title and entries of an RSS or Atom feed, in its own order.

    Raises:
        RefusedError: It is no feed.
    """
    # A stream, because feedparser takes text for an address or a file's name and opens it.
    found: Any = feedparser.parse(io.BytesIO(content), sanitize_html=True, resolve_relative_uris=False)
    if not found.get("version"):
        raise RefusedError(
            "This is no RSS or Atom feed. Take the address behind the feed's own sign, or read the page."
        )
    entries = [_entry(each) for each in found["entries"][:ENTRIES_MAX]]
    return one_line(str(found["feed"].get("title", "")))[:TITLE_MAX], entries


def _entry(raw: Mapping[str, Any]) -> Entry:
    link = str(raw.get("link", ""))[:2_000]
    html = str(raw["content"][0].get("value", "")) if raw.get("content") else str(raw.get("summary", ""))
    return Entry(
        id=str(raw.get("id") or link)[:2_000],
        title=one_line(str(raw.get("title", "")))[:TITLE_MAX],
        link=link if link.startswith(("https://", "http://")) else "",
        published=_moment(raw.get("published_parsed") or raw.get("updated_parsed")),
        text=_text_of(html)[:ENTRY_MAX],
    )


def _text_of(html: str) -> str:
    if not html.strip():
        return ""
    try:
        return page(html.encode(), "utf-8")[1]
    except RefusedError:
        return ""


def _moment(parsed: Any) -> str:
    try:
        year, month, day, hour, minute, second = (int(part) for part in parsed[:6])
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC).isoformat()
    except (TypeError, ValueError):
        return ""


def tidy(text: str) -> str:
    """Return text with one space between words and at most one empty line between blocks."""
    lines = (re.sub(r"[^\S\n]+", " ", line).strip() for line in _clean(text).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def one_line(text: str) -> str:
    """Return text as one line."""
    return re.sub(r"\s+", " ", _clean(text)).strip()


def _clean(text: str) -> str:
    """Leave out what steers a screen and is not read: controls, and marks that turn the direction of writing."""
    kept = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c for c in kept if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co"})
