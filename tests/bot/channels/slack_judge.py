"""A judge of Block Kit, written from Slack's documentation and not from our renderer: limits, and what an eye sees."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from bot.channels.slack.blocks import Part, Sheet

LOOKALIKES = str.maketrans("аеорсухіјѕАВЕКМНОРСТХο", "aeopcyxijsABEKMHOPCTXo")
PAGE = re.compile(r"Card 12\.1, part \d+ of \d+")
UNSEEN = re.compile(
    r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad\u034f\u180e\u115f\u1160\u3164\U000e0000-\U000e007f\ufe00-\ufe0f]"
)


def size(text: str) -> int:
    """Count as Slack might at worst: UTF-16 units of the escaped text."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return len(escaped.encode("utf-16-le", "surrogatepass")) // 2


def text_object(item: dict[str, Any], most: int) -> str:
    assert item["type"] in {"plain_text", "mrkdwn"}
    assert 1 <= size(item["text"]) <= most, (size(item["text"]), most)
    assert item["text"].strip()
    item["text"].encode()  # no lone surrogates
    return str(item["text"])


def element(item: dict[str, Any]) -> Iterator[str]:
    assert len(item["action_id"]) <= 255
    match item["type"]:
        case "button":
            yield text_object(item["text"], 75)
            assert len(item["value"]) <= 2_000
            assert "url" not in item
            if confirm := item.get("confirm"):
                text_object(confirm["title"], 100)
                text_object(confirm["text"], 300)
                text_object(confirm["confirm"], 30)
                text_object(confirm["deny"], 30)
        case "static_select":
            yield text_object(item["placeholder"], 150)
            assert 1 <= len(item["options"]) <= 100
            for option in item["options"]:
                yield text_object(option["text"], 75)
                assert len(option["value"]) <= 150
        case "plain_text_input":
            assert size(item.get("initial_value", "")) <= 3_000
        case other:
            raise AssertionError(other)


def block(item: dict[str, Any]) -> Iterator[str]:
    assert len(item.get("block_id", "")) <= 255
    match item["type"]:
        case "header":
            yield text_object(item["text"], 150)
        case "section":
            assert "text" in item or item.get("fields")
            if "text" in item:
                yield text_object(item["text"], 3_000)
            assert len(item.get("fields", ())) <= 10
            for field in item.get("fields", ()):
                yield text_object(field, 2_000)
        case "context":
            assert 1 <= len(item["elements"]) <= 10
            for inner in item["elements"]:
                yield text_object(inner, 3_000)
        case "actions":
            assert 1 <= len(item["elements"]) <= 25
            assert len({inner["action_id"] for inner in item["elements"]}) == len(item["elements"])
            for inner in item["elements"]:
                yield from element(inner)
        case "input":
            yield text_object(item["label"], 2_000)
            list(element(item["element"]))
        case "divider":
            pass
        case other:
            raise AssertionError(other)


def message(part: Part) -> list[str]:
    """Hold one message to every limit; return its texts."""
    assert 1 <= len(part.blocks) <= 50
    assert 1 <= size(part.text) <= 4_000
    ids = [item["block_id"] for item in part.blocks if "block_id" in item]
    assert len(ids) == len(set(ids))
    texts = [text for item in part.blocks for text in block(item)]
    assert sum(map(size, texts)) <= 13_200
    return texts


def view(item: dict[str, Any]) -> list[str]:
    """Hold a form or App Home to every limit."""
    assert 1 <= len(item["blocks"]) <= 100
    if item["type"] == "modal":
        for key in ("title", "submit", "close"):
            if key in item:
                text_object(item[key], 24)
        assert len(item["private_metadata"]) <= 3_000
    return [text for inner in item["blocks"] for text in block(inner)]


def everything(sheet: Sheet) -> list[Part]:
    return [*sheet.parts, *sheet.thread]


def seen(sheet: Sheet) -> str:
    """Return what a hurried eye sees: nothing invisible, look-alikes taken for Latin, spaces run together."""
    shown = []
    for part in everything(sheet):
        for item in part.blocks:
            kind = item["type"]
            shown += [f"[{kind}] {text}" for text in block(item)]
    text = "\n".join(shown).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    text = unicodedata.normalize("NFKC", UNSEEN.sub("", text)).translate(LOOKALIKES)
    return re.sub(r"[^\S\n]+", " ", text) + sheet.body.decode("utf-8", "backslashreplace")


def facts(sheet: Sheet) -> str:
    """Return everything that stands in the card's own messages, without the page numbers."""
    texts = (text for part in sheet.parts for item in part.blocks for text in block(item))
    return "\n".join(text for text in texts if not PAGE.fullmatch(text))
