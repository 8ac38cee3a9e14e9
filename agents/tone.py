r"""Tone: how the operator writes, measured on letters that went out, and what the operator said about it. Pure.

A `Manner` is both together, for one client. What the operator said (a fact such as "Never use exclamation marks") holds
always; what was measured holds once it is a habit: most of five letters or more. Letters that the operator changed by
hand count twice. `strays` names what in a draft is not so, one sentence each, with its evidence; nothing is corrected::

    strays("Hi Anna!!", manner_of(desk, "acme"))  # → ("Tone: it has 2 exclamation marks. You said: ...",)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, median, pstdev

from agents.base import Desk, Letter

LETTERS_MIN = 5  # before this many nothing is a habit
LETTERS_MAX = 40  # the newest ones: people change
HABIT_PCT = 80  # of the letters, from which it is one
OWN_COUNTS = 2  # a letter changed by hand says more than one that was only let through
SENTENCES_MIN = 3  # of a draft, before its sentences are called long
LONGER_BY = 1.5  # times the usual, and beyond two standard deviations
SHORTER_PCT = 70  # of the usual length, when the operator said "shorter"
WORDS_SHORT = 90  # of a letter that is to be short, while nothing was measured
KIND = "fact"
PREFIX = "tone/"
"""A rule is a fact of the operator's: listed in /memory, versioned, forgotten like any other."""

GREETINGS = (
    "hello", "hi", "hey", "dear", "good morning", "good day", "hallo", "guten tag", "guten morgen", "moin", "servus",
    "liebe", "lieber", "sehr geehrte", "sehr geehrter", "bonjour", "cher", "chère",
)  # fmt: skip
CLOSINGS = (
    "best regards", "kind regards", "warm regards", "regards", "best wishes", "best", "all the best", "cheers", "thanks",
    "many thanks", "thank you", "yours sincerely", "sincerely", "yours", "take care", "viele grüße", "beste grüße",
    "liebe grüße", "mit freundlichen grüßen", "freundliche grüße", "herzliche grüße", "schöne grüße", "cordialement",
)  # fmt: skip

GENDERED = ("liebe", "sehr geehrte", "cher")

_GREETS = re.compile(rf"\A\s*({'|'.join(sorted(GREETINGS, key=len, reverse=True))})\b", re.IGNORECASE)
_CLOSES = re.compile(
    rf"^\s*({'|'.join(sorted(CLOSINGS, key=len, reverse=True))})[,.!]?\s*$", re.IGNORECASE | re.MULTILINE
)
_EMOJI = re.compile("[\U0001f300-\U0001faff\u2600-\u27bf\u2b50]|(?<!\\w)[:;]-?[)D(P](?!\\w)")
_SHORT_FORM = re.compile(r"\b\w+(?:n['’]t|['’](?:re|ve|ll|d|m))\b|\b(?:it|that|there|what|let)['’]s\b", re.IGNORECASE)
_SIE = re.compile(r"(?<![.!?]\s)(?<!^)\b(?:Sie|Ihnen|Ihre?[mnrs]?)\b", re.MULTILINE)
_DU = re.compile(r"\b(?:du|dir|dich|deine?[mnrs]?|euch|eure?[mnrs]?)\b", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_WORD = re.compile(r"[^\W\d_][\w'’-]*")


@dataclass(frozen=True)
class Rule:
    """Something the operator said about letters.

    Attributes:
        topic: ``exclamation``, ``emoji``, ``contraction``, ``word``, ``greeting``, ``sign-off``, ``address``, ``length``.
        value: What it is about: the word, the greeting; empty where the topic says it all.
        said: The operator's own sentence.
        allowed: It takes an earlier one of the topic back.
    """

    topic: str
    value: str = ""
    said: str = ""
    allowed: bool = False

    @property
    def key(self) -> str:
        """The key of its fact: a newer rule of the same topic replaces the older one."""
        word = "-" + re.sub(r"\W+", "-", self.value.casefold()).strip("-") if self.topic == "word" else ""
        return f"{PREFIX}{self.topic}{word}"


@dataclass(frozen=True)
class Habits:
    """What letters have in common; a field is empty or None where they have nothing.

    Attributes:
        letters: How many were measured.
        own: How many of them the operator changed by hand.
        sentence: The usual words a sentence, and the standard deviation over letters.
        words: The usual words of a whole letter.
        never: Of ``exclamation``, ``emoji``, ``contraction``: what hardly any letter has.
    """

    letters: int = 0
    own: int = 0
    greeting: str = ""
    sign_off: str = ""
    address: str = ""  # "du" or "Sie"
    sentence: tuple[float, float] | None = None
    words: int = 0
    never: frozenset[str] = frozenset()
    shares: dict[str, str] = field(default_factory=dict)  # topic → "90 %"


@dataclass(frozen=True)
class Manner:
    """How a letter to one client should sound."""

    habits: Habits = Habits()
    rules: tuple[Rule, ...] = ()

    def rule(self, topic: str) -> Rule | None:
        """Return what the operator said about a topic."""
        return next((rule for rule in self.rules if rule.topic == topic), None)

    @property
    def greeting(self) -> str:
        """The word to greet with; empty: as the template has it, also where the word would have to know a gender."""
        said = self.rule("greeting")
        word = (said.value if said else self.habits.greeting).casefold()
        return "" if word.startswith(GENDERED) else word.capitalize()

    @property
    def sign_off(self) -> str:
        """How a letter closes; empty: as the template has it."""
        said = self.rule("sign-off")
        return said.value if said else self.habits.sign_off

    @property
    def words(self) -> str:
        """The whole manner in words, for a prompt and for whoever asks; empty when nothing is known."""
        return "\n".join(f"- {row}" for row in (*_rule_rows(self.rules), *_habit_rows(self.habits)))


def manner_of(desk: Desk, client: str = "") -> Manner:
    """Return how letters to a client should sound; for nobody in particular without one."""
    rules: dict[str, Rule] = {}
    facts = [fact for fact in desk.records(KIND) if fact.data.get("client", "") in {"", client}]
    for fact in sorted(facts, key=lambda fact: bool(fact.data.get("client"))):  # what is said of one client comes last
        text = str(fact.data.get("text") or "")
        if fact.key.startswith(PREFIX) or _ORDER.match(text):
            rule = read_rule(text)
            if rule is not None:
                rules[rule.key] = rule
    letters = desk.letters(LETTERS_MAX)
    habits = measure(letters)
    theirs = measure([letter for letter in letters if client and letter.client == client])
    if theirs.letters >= LETTERS_MIN:  # people are greeted each in their own way
        shares = habits.shares | theirs.shares
        habits = replace(
            habits, greeting=theirs.greeting, address=theirs.address, sign_off=theirs.sign_off, shares=shares
        )
    return Manner(habits, tuple(rules.values()))


# ── what was said ─────────────────────────────────────────────────────────────────────────────────────────────────

_NOT = r"\b(?:never|no|not|don['’]t|without|avoid|stop|drop|leave out|skip|keine?)\b"
_ORDER = re.compile(
    rf"\s*(?:please\s+)?(?:{_NOT}|(?:use|write|sign|greet|close|keep|letters?|mails?)\b)", re.IGNORECASE
)
_FINE = re.compile(r"\b(?:fine|ok(?:ay)?|allowed|welcome|again|may use|can use)\b", re.IGNORECASE)
_TOPICS = {
    "exclamation": r"exclamation (?:mark|point)s?|ausrufezeichen",
    "emoji": r"emojis?|smileys?|emoticons?",
    "contraction": r"contractions?|short forms?",
}
_QUOTES = "\"'“”‘’«»„"
_SAY_NOT = re.compile(
    rf"\b(?:never|don['’]t|do not|avoid|stop)\s+(?:say|saying|write|writing|use|using|(?:the )?words?)?\s*(?:the words? )?"
    rf"(?:[{_QUOTES}](?P<quoted>[^{_QUOTES}]{{2,40}})[{_QUOTES}]|(?<=say )(?P<bare>[\w-]+(?: [\w-]+){{0,2}})|(?<=word )(?P<word>[\w-]+))",
    re.IGNORECASE,
)
_SIGN = re.compile(
    rf"\b(?:sign(?:\s+off)?|close|end|finish)\b[^{_QUOTES}:]*?\b(?:with|by)\b:?\s+[{_QUOTES}]?(?P<value>[^{_QUOTES}.!?]{{2,40}})",
    re.IGNORECASE,
)
_GREET = re.compile(
    rf"\b(?:greet|open|start|begin|address)\b.*?\b(?:with|by)\b\s+[{_QUOTES}]?(?P<value>{'|'.join(GREETINGS)})\b",
    re.IGNORECASE,
)
_ADDRESS = re.compile(rf"\b(?:use|say|write|with|per)\s+[{_QUOTES}]?(?P<value>du|sie)\b", re.IGNORECASE)
_LENGTH = re.compile(
    r"\b(?:at most|no more than|max(?:imum)?|under|up to)\s+(?P<value>\d{2,3})\s+words\b", re.IGNORECASE
)
_SHORT = re.compile(
    r"\b(?:write|be|keep|make)\b.*\b(?:short|shorter|brief|briefer|concise)\b|\bshorter (?:letters|mails|e-mails)\b", re.IGNORECASE
)  # fmt: skip


def read_rule(text: str) -> Rule | None:
    """Return what a sentence of the operator's says about letters, or None when it says nothing that is understood."""
    said = text.strip()
    for topic, words in _TOPICS.items():
        if re.search(rf"\b(?:{words})\b", said, re.IGNORECASE):
            forbids = re.search(_NOT, said, re.IGNORECASE) is not None
            return Rule(topic, said=said, allowed=not forbids) if forbids or _FINE.search(said) else None
    if found := _LENGTH.search(said):
        return Rule("length", found["value"], said)
    for topic, pattern in (("greeting", _GREET), ("sign-off", _SIGN), ("address", _ADDRESS)):
        if found := pattern.search(said):
            return Rule(topic, _value(topic, found["value"]), said)
    if found := _SAY_NOT.search(said):
        return Rule("word", (found["quoted"] or found["bare"] or found["word"]).strip(), said)
    return Rule("length", "", said) if _SHORT.search(said) else None


def _value(topic: str, value: str) -> str:
    if topic == "address":
        return "Sie" if value.casefold() == "sie" else "du"
    return re.sub(r"\s+(?:from now on|please|always|in (?:letters|mails))$", "", value.strip(" ,"), flags=re.IGNORECASE)


# ── what was measured ─────────────────────────────────────────────────────────────────────────────────────────────


def measure(letters: Sequence[Letter]) -> Habits:
    """Return what letters have in common, the newest first and no more than `LETTERS_MAX` of them."""
    taken = list(letters)[:LETTERS_MAX]
    counted = [letter.text for letter in taken for _ in range(OWN_COUNTS if letter.edited else 1)]
    if len(taken) < LETTERS_MIN:
        return Habits(len(taken), sum(letter.edited for letter in taken))
    shares: dict[str, str] = {}

    def habit(topic: str, values: Iterable[str]) -> str:
        found = [value for value in values if value]
        most, times = Counter(found).most_common(1)[0] if found else ("", 0)
        if len(found) < LETTERS_MIN or times * 100 < HABIT_PCT * len(found):
            return ""
        shares[topic] = f"{times * 100 // len(found)} %"
        return most

    lacking = {
        topic
        for topic in _TOPICS
        if habit(topic, ["with" if count(topic, t) else "without" for t in counted]) == "without"
    }
    lengths = [size for text in counted if (size := _sentence_words(text))]
    return Habits(
        letters=len(taken),
        own=sum(letter.edited for letter in taken),
        greeting=habit("greeting", map(greets, counted)),
        sign_off=habit("sign-off", map(closes, counted)),
        address=habit("address", map(addresses, counted)),
        sentence=(fmean(lengths), pstdev(lengths)) if lengths else None,
        words=round(median(len(_WORD.findall(text)) for text in counted)),
        never=frozenset(lacking),
        shares=shares,
    )


def greets(text: str) -> str:
    """``"Hi Anna, ..."`` → ``"hi"``; empty without a greeting."""
    found = _GREETS.match(text)
    word = found[1].casefold() if found else ""
    return word.removesuffix("r") if word.startswith(GENDERED[:2]) else word


def closes(text: str) -> str:
    """Return how a letter closes, as it was written, without what stands behind it; empty without a closing."""
    found = list(_CLOSES.finditer(text))
    return found[-1][1] if found else ""


def addresses(text: str) -> str:
    """Return "Sie" or "du" for a German letter that uses one and not the other, else nothing."""
    formal, familiar = bool(_SIE.search(text)), bool(_DU.search(text))
    return "" if formal == familiar else "Sie" if formal else "du"


def count(topic: str, text: str) -> int:
    """Return how often a letter has exclamation marks, emojis or contractions."""
    if topic == "exclamation":
        return text.count("!")
    return len((_EMOJI if topic == "emoji" else _SHORT_FORM).findall(text))


def _sentence_words(text: str) -> float:
    sizes = [len(_WORD.findall(part)) for part in _sentences(text)]
    return fmean(sizes) if sizes else 0.0


def _sentences(text: str) -> list[str]:
    inner = "\n\n".join(text.split("\n\n")[1:-1]) or text  # greeting and signature are no sentences
    return [part for part in _SENTENCE.split(inner) if len(_WORD.findall(part)) > 1]


# ── what strays ───────────────────────────────────────────────────────────────────────────────────────────────────


def strays(text: str, manner: Manner) -> tuple[str, ...]:
    """Return what in a letter is not as the operator writes, one sentence each, what was said before what was measured."""
    return tuple(f"Tone: {each}" for each in (*_against_rules(text, manner), *_against_habits(text, manner)))


def _against_rules(text: str, manner: Manner) -> Iterable[str]:
    for rule in manner.rules:
        wrong = _breach(rule, text, manner.habits) if not rule.allowed else ""
        if wrong:
            yield f"{wrong} You said: {rule.said.rstrip('.')}."


def _breach(rule: Rule, text: str, habits: Habits) -> str:
    match rule.topic:
        case "word":
            times = len(re.findall(rf"(?<!\w){re.escape(rule.value)}(?!\w)", text, re.IGNORECASE))
            return f"it says {rule.value}." if times else ""
        case "length":
            most = int(rule.value) if rule.value else max(round(habits.words * SHORTER_PCT / 100), 20) or WORDS_SHORT
            most = most if rule.value or habits.words else WORDS_SHORT
            words = len(_WORD.findall(text))
            return f"it has {words} words, which should be {most} at most." if words > most else ""
        case "greeting":
            return _other("it does not greet with", rule.value, greets(text))
        case "sign-off":
            return _other("it does not close with", rule.value, closes(text))
        case "address":
            return f"it does not address with {rule.value}." if addresses(text) not in {"", rule.value} else ""
        case topic:
            return f"it has {_several(count(topic, text), topic)}." if count(topic, text) else ""


def _other(words: str, wanted: str, found: str) -> str:
    return f"{words} {wanted}." if found and found.casefold() != wanted.casefold() else ""


def _against_habits(text: str, manner: Manner) -> Iterable[str]:
    habits, ruled = manner.habits, {rule.topic for rule in manner.rules}
    for topic in sorted(habits.never - ruled):
        if number := count(topic, text):
            yield f"it has {_several(number, topic)}; {habits.shares[topic]} of your last letters have none."
    for topic, found, usual in (
        ("greeting", greets(text), habits.greeting.capitalize()),
        ("sign-off", closes(text), habits.sign_off),
        ("address", addresses(text), habits.address),
    ):
        if topic not in ruled and usual and found and found.casefold() != usual.casefold():
            what = {"greeting": "greet with", "sign-off": "close with", "address": "use"}[topic]
            yield f"{habits.shares[topic]} of your last letters {what} {usual}, this one does not."
    if habits.sentence and len(_sentences(text)) >= SENTENCES_MIN:
        mean, spread = habits.sentence
        words = _sentence_words(text)
        if words > max(mean * LONGER_BY, mean + 2 * spread):
            yield f"its sentences have {words:.0f} words; yours have {mean:.0f}."


def _several(number: int, topic: str) -> str:
    names = {"exclamation": "exclamation mark", "emoji": "emoji", "contraction": "contraction"}
    return f"{number} {names[topic]}{'s' if number > 1 else ''}"


# ── in words ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _rule_rows(rules: Iterable[Rule]) -> Iterable[str]:
    return (f"{rule.said.rstrip('.')} (you said so)" for rule in rules if not rule.allowed)


def _habit_rows(habits: Habits) -> Iterable[str]:
    if habits.letters < LETTERS_MIN:
        return
    if habits.greeting:
        yield f"greets with {habits.greeting.capitalize()} ({habits.shares['greeting']} of letters)"
    if habits.sign_off:
        yield f"closes with {habits.sign_off} ({habits.shares['sign-off']})"
    if habits.address:
        yield f"addresses with {habits.address} ({habits.shares['address']})"
    if habits.sentence:
        yield f"about {habits.sentence[0]:.0f} words a sentence, {habits.words} a letter"
    for topic in sorted(habits.never):
        yield f"no {_several(2, topic).partition(' ')[2]} ({habits.shares[topic]} without)"
