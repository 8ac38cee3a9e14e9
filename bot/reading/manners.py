"""What is said around a request: politeness, greetings, trailing thanks. And what turns it round: "don't", "if"."""

from __future__ import annotations

import re

from agents.slots.language import codes, language

_LANGUAGES = [language(code) for code in codes()]
_SAID_BEFORE = "".join(rf"|(?:{each.before})\b[\s,!:-]*" for each in _LANGUAGES if each.before)
_SAID_AFTER = "".join(f"|{each.after}" for each in _LANGUAGES if each.after)
_IFS = "".join(f"|{each.condition}" for each in _LANGUAGES if each.condition)
_BEFORE = re.compile(
    r"^\s*(?:(?:hi|hey|hello|ok|okay|so|well|right|now|and|also|oh|yo|please|pls|plz|kindly|soloist|bot)\b[\s,!:-]*"
    r"|(?:can|could|would|will) (?:you|u)(?: please| pls| also| kindly)?\b\s*"
    r"|(?:i(?:'d| would) like (?:you )?to|i want (?:you )?to|i need (?:you )?to|i need to|let'?s|you should|go ahead and)\b\s*"
    rf"|(?:good )?(?:morning|afternoon|evening)\b[\s,!]+{_SAID_BEFORE})+",
    re.IGNORECASE,
)
_AFTER = re.compile(
    rf"(?:[\s,]*(?:please|pls|plz|thanks|thank you|thx|ty|cheers|asap|will you|would you|for me{_SAID_AFTER})[\s.!?]*)+$|[\s.!?…]+$",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"^\W*(?:please )?(?:do not|don['’]?t|dont|never|no need to|not yet|stop (?!sending|all|everything)|you (?:must|should)(?: not|n['’]t)|"
    r"i (?:do not|don['’]?t|dont) want (?:you )?to)\b(?! (?:you )?(?:forget|let me forget|worry|remember|we|i)\b)",
    re.IGNORECASE,
)
_TURNED = [
    (re.compile(each.never, re.IGNORECASE), re.compile(rf"\W*(?:{each.asking})\b", re.IGNORECASE))
    for each in _LANGUAGES
    if each.never
]
"""What turns a request round wherever it stands, and how a question begins in which it does not."""
_IF = re.compile(
    rf"(?:^|[,;]\s*|\b(?:but|and|only)\s+)(?:if|unless|in case|as soon as|whenever|once{_IFS})\s+\w",
    re.IGNORECASE,
)
_LATE_IF = re.compile(rf"\s(?:if|unless|in case|as soon as|provided{_IFS})\s+(?:\w+\s+){{1,}}", re.IGNORECASE)


def bare(text: str) -> str:
    """Return the request without its wrapping; never empty for a text that is not."""
    inner = _AFTER.sub("", _BEFORE.sub("", text)).strip(" ,\t\n")
    return inner or text.strip()


def is_negated(text: str) -> bool:
    """Whether it says what *not* to do."""
    inner = _BEFORE.sub("", text)
    if _NOT.search(inner) is not None:
        return True
    if _IF.search(inner) is not None:
        return False  # "wenn Acme nicht zahlt, ..." is a case, and no "don't"
    return any(never.search(inner) and not asking.match(inner) for never, asking in _TURNED)


def is_conditional(text: str) -> bool:
    """Whether it is a wish for a case that may come, which is a plan and no order."""
    return _IF.search(text) is not None or _LATE_IF.search(text) is not None
