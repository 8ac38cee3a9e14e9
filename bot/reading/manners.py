"""What is said around a request: politeness, greetings, trailing thanks. And what turns it round: "don't", "if"."""

from __future__ import annotations

import re

_BEFORE = re.compile(
    r"^\s*(?:(?:hi|hey|hello|ok|okay|so|well|right|now|and|also|oh|yo|please|pls|plz|kindly|bitte|soloist|bot)\b[\s,!:-]*"
    r"|(?:can|could|would|will) (?:you|u)(?: please| pls| also| kindly)?\b\s*"
    r"|(?:i(?:'d| would) like (?:you )?to|i want (?:you )?to|i need (?:you )?to|i need to|let'?s|you should|go ahead and)\b\s*"
    r"|(?:good )?(?:morning|afternoon|evening)\b[\s,!]+)+",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"(?:[\s,]*(?:please|pls|plz|thanks|thank you|thx|ty|cheers|bitte|danke|asap|will you|would you|for me)[\s.!?]*)+$|[\s.!?…]+$",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"^\W*(?:please )?(?:do not|don['’]?t|dont|never|no need to|not yet|stop (?!sending|all|everything)|you (?:must|should)(?: not|n['’]t)|"
    r"i (?:do not|don['’]?t|dont) want (?:you )?to|kein|nicht)\b(?! (?:you )?(?:forget|let me forget|worry|remember|we|i)\b)",
    re.IGNORECASE,
)
_IF = re.compile(
    r"(?:^|[,;]\s*|\b(?:but|and|only)\s+)(?:if|unless|in case|as soon as|whenever|once|wenn|falls|sobald)\s+\w",
    re.IGNORECASE,
)
_LATE_IF = re.compile(r"\s(?:if|unless|in case|as soon as|provided|wenn|falls|sobald)\s+(?:\w+\s+){1,}", re.IGNORECASE)


def bare(text: str) -> str:
    """Return the request without its wrapping; never empty for a text that is not."""
    inner = _AFTER.sub("", _BEFORE.sub("", text)).strip(" ,\t\n")
    return inner or text.strip()


def is_negated(text: str) -> bool:
    """Whether it says what *not* to do."""
    return _NOT.search(_BEFORE.sub("", text)) is not None


def is_conditional(text: str) -> bool:
    """Whether it is a wish for a case that may come, which is a plan and no order."""
    return _IF.search(text) is not None or _LATE_IF.search(text) is not None
