"""A chat drawn from what the Bot API was sent: text with its entities, keyboards, files. Not Telegram's own client.

The double keeps what a client would be handed; here it is laid out as plainly as a phone lays it out, so that somebody
can look at it. Entities, not our HTML, are drawn: what the platform dropped or changed is dropped and changed here.
"""

from __future__ import annotations

from html import escape
from typing import Any

from tests.counterparts.telegram import Json, TelegramDouble

# Machines without a colour font show boxes; these stand in every one.
SIGNS = str.maketrans({"🗂": "▤", "📄": "▤", "✅": "✔", "❌": "✘", "🚫": "⊘", "⌛": "◔", "💤": "☾", "👁": "◉", "❓": "?"})
TAGS = {"bold": "b", "italic": "i", "code": "code", "pre": "pre", "bot_command": "u", "url": "u"}
STYLE = """
* { box-sizing: border-box; margin: 0 }
body { background: #d6e4ee; font: 15px/1.36 'DejaVu Sans', 'Noto Color Emoji', sans-serif; padding: 18px 14px; width: 100% }
article { max-width: 560px; margin: 0 0 10px; clear: both; overflow: hidden }
article.mine { margin-left: auto; width: fit-content }
.says { background: #fff; border-radius: 12px; padding: 9px 13px; white-space: pre-wrap; overflow-wrap: anywhere;
        box-shadow: 0 1px 1px #0002 }
.mine .says { background: #effdde }
.answers { border-left: 3px solid #3390ec; padding-left: 8px; margin-bottom: 5px; color: #3390ec; font-size: 13px;
           white-space: nowrap; overflow: hidden; text-overflow: ellipsis }
code, pre { font: 13.5px/1.4 'DejaVu Sans Mono', monospace; color: #23588c }
pre { background: #f1f4f7; border-left: 3px solid #8fb6d9; border-radius: 4px; padding: 7px 9px; white-space: pre-wrap; margin: 4px 0 }
.file { display: flex; gap: 10px; align-items: center; color: #23588c } .file b { font-weight: 600 }
.file::before { content: '📄'; font-size: 26px }
.keys { display: grid; gap: 4px; margin-top: 4px }
.keys div { display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; gap: 4px }
.keys span { background: #6f96b1; color: #fff; border-radius: 8px; padding: 9px 4px; text-align: center; font-size: 14px;
             white-space: nowrap; overflow: hidden; text-overflow: ellipsis }
.keys .primary { background: #3390ec } .keys .danger { background: #d14e4e }
"""


def page(telegram: TelegramDouble, chat: int, *, last: int = 0) -> str:
    """Return a chat as a page of its own; the last messages alone when ``last`` says so."""
    shown = "".join(_message(message, telegram.bot_id) for message in telegram.transcript(chat)[-last:])
    return f"<!doctype html><meta charset=utf-8><title>Chat</title><style>{STYLE}</style>{shown}".translate(SIGNS)


def _message(message: Json, bot: int) -> str:
    parts = []
    if answered := message.get("reply_to_message"):
        first = (answered.get("text") or answered.get("caption") or "a file").partition("\n")[0]
        parts.append(f"<div class=answers>{escape(first)}</div>")
    if document := message.get("document"):
        parts.append(f"<div class=file><b>{escape(document['file_name'])}</b> {document['file_size']:,} bytes</div>")
    if "photo" in message:
        parts.append("<div class=file><b>photo</b></div>")
    text, entities = message.get("text", ""), message.get("entities", [])
    if "caption" in message:
        text, entities = message["caption"], message.get("caption_entities", [])
    parts.append(marked(text, entities))
    who = "bot" if message["from"]["id"] == bot else "mine"
    return f"<article class={who}><div class=says>{''.join(parts)}</div>{_keys(message)}</article>"


def _keys(message: Json) -> str:
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    drawn = "".join(f"<div>{''.join(_key(key) for key in row)}</div>" for row in rows)
    return f"<div class=keys>{drawn}</div>" if drawn else ""


def _key(key: dict[str, Any]) -> str:
    return f"<span class='{key.get('style') or ''}'>{escape(key['text'])}</span>"


def marked(text: str, entities: list[Json]) -> str:
    """Return text with its entities as tags. Offsets count UTF-16 units; entities of ours do not overlap."""
    wide = text.encode("utf-16-le")
    drawn, at = [], 0
    for entity in sorted(entities, key=lambda each: int(each["offset"])):
        start, end = int(entity["offset"]) * 2, (int(entity["offset"]) + int(entity["length"])) * 2
        tag = TAGS.get(entity["type"], "span")
        drawn += [
            escape(wide[at:start].decode("utf-16-le")),
            f"<{tag}>",
            escape(wide[start:end].decode("utf-16-le")),
            f"</{tag}>",
        ]
        at = end + 2 * (tag == "pre" and wide[end : end + 2] == b"\n\0")  # a block ends its own line
    return "".join([*drawn, escape(wide[at:].decode("utf-16-le"))])
