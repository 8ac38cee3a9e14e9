"""A message with its values taken out, so that "bill Acme 1,200" and "bill Globex 90 euros" are one sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agents.slots import Slot

MARKS = {
    "money": "_money", "number": "_number", "day": "_day", "moment": "_moment", "time": "_moment", "period": "_period",
    "terms": "_terms", "span": "_span", "every": "_every", "email": "_email", "invoice": "_invoice", "iban": "_iban",
    "percent": "_percent", "vat": "_vat", "url": "_url", "client": "_client",
}  # fmt: skip
"""What words see: one token a kind."""

PLAIN = {
    "money": "500 euros", "number": "12", "day": "Friday", "moment": "Friday at 3 pm", "time": "3 pm",
    "period": "last month", "terms": "net 14", "span": "one hour", "every": "every month",
    "email": "an email address", "invoice": "invoice number 7", "iban": "a bank account", "percent": "ten percent", "vat": "plus VAT",
    "url": "a link", "client": "Acme",
}  # fmt: skip
"""What the embedding model sees: something it has read before."""

KINDS = tuple(MARKS)

SHORT = {
    "w/": "with", "w": "with", "u": "you", "ur": "your", "r": "are", "sth": "something", "sb": "somebody", "mtg": "meeting",
    "mtgs": "meetings", "appt": "appointment", "abt": "about", "msg": "message", "inv": "invoice", "invs": "invoices",
    "bc": "because", "thx": "thanks", "pls": "please", "plz": "please", "tmrw": "tomorrow", "wk": "week", "hrs": "hours",
    "biz": "business", "info": "information", "addr": "address", "tel": "phone", "ppl": "people", "gonna": "going to",
    "wanna": "want to", "gimme": "give me", "lemme": "let me", "dunno": "do not know",
}  # fmt: skip
"""What is typed on a phone, and what the classifier takes it for."""
_SHORT = re.compile(rf"(?<![\w.@'’/])(?:{'|'.join(map(re.escape, sorted(SHORT, key=len, reverse=True)))})(?![\w.@'’/])")


def masked(text: str, spans: Sequence[Slot], marks: dict[str, str] = MARKS) -> str:
    """Return the text with every span replaced, lower case, single spaces."""
    parts, end = [], 0
    for slot in sorted(spans, key=lambda slot: slot.start):
        parts += [text[end : slot.start], " ", marks[slot.kind], " "]
        end = slot.end
    parts.append(text[end:])
    line = re.sub(r"\s+", " ", "".join(parts)).strip().lower()
    return _SHORT.sub(lambda match: SHORT[match[0]], line)


def flags(spans: Sequence[Slot]) -> list[float]:
    """Return one number a kind: whether the message holds such a value."""
    present = {slot.kind for slot in spans}
    return [1.0 if kind in present else 0.0 for kind in KINDS]
