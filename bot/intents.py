"""Understanding: what an operator wrote → one intent with typed slots, or a question with buttons.

Control words and commands, then the phrasebook, then patterns, then the classifier; a small model only where these
leave a doubt. Commands and patterns answer at once, also while the classifier is still being trained::

    understanding = Understanding.of(discover(), embedder=lambda: memory.embed.load(folder, int8=True), cache=home / "intents")
    understanding.warm()
    understanding.read("invoice Acme 1,200, net 14", now=now, zone=zone, locale="en_GB", currency="EUR", clients=clients)

How sure it must be depends on what it leads to: .70 to look something up, .75 to do what can be put back, .80 to draw
a card for money or the outside world; so 97 of 100 readings that are acted on are right, what is out of scope counted. From .20 there are three buttons; below, it says so. What is not understood is
never an action.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import re
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from agents.base import Agent, Intent, Risk
from agents.slots import Slot, find_spans
from agents.slots.language import codes, language
from bot.control import CONTROL, EXACT
from bot.reading.fit import Fitted, fit
from bot.reading.hours import values_of
from bot.reading.manners import bare, is_conditional, is_negated
from bot.reading.mask import PLAIN, flags, masked
from bot.reading.names import Directory, proper_names
from bot.reading.phrasebook import Phrasebook
from bot.reading.router import NOBODY, Embedder, Guess, Router, Sample, stamp
from bot.reading.sayings import NOBODYS, SAYINGS
from bot.reading.slips import SHORT, Slip, Spelling, as_typed, mended
from bot.reading.slotkinds import WIDER, slots_of
from bot.reading.split import PARTS_MAX, cuts, spelled_out
from bot.reading.templates import Coded, Shelf, Template, coded, fits, forms, templates
from memory import events
from memory.events import Choice, Json, Understood

TEXT_MAX = 2000  # characters that are understood; a longer message is material, and is asked about
NEEDED = {Risk.READS: 0.70, Risk.REVERSIBLE: 0.75, Risk.OUTSIDE: 0.80, Risk.MONEY: 0.80}
OFFERED = 0.20  # from here three buttons
ENOUGH_TOGETHER = 0.60  # the first three readings together; below, a model may be asked
DOUBTED = 0.70  # how sure the classifier must be of another reading to stop a loose pattern
TRAININGS_MAX = 4  # kept on disk: this house, and others that share its folder
OFFERED_MAX = 200  # questions whose buttons teach when pressed; an older one is still a command
PART_WORDS_MIN = 3  # of a request after a mere comma or "and"; one word less must be surer
LEANING_WORDS_MAX = 4  # "and send it to them" leans on what stands before; a longer part has a thing of its own
PART_SURE = 0.60  # how well each part must be understood to cut it
PART_CLEAR, PART_SHORT = 0.45, 0.80  # the same at a clear break, and where the second part is short
PART_SEEN = 0.35  # both parts are at least this much like requests of two kinds: then it is asked
NO_LEADS = frozenset(
    "hat die der das den was wie in am the a an i we my and it that this with for in on at to from about by of or not but so just no yes ok".split()  # noqa: SIM905
)
"""Words that requests begin with, and that say nothing of whether one begins here."""
BUTTONS = 3
NUMBERED_SURE = 0.90  # "decline 9.2, too cheap" names its card and can be taken back
UNSURE = 0.49  # what a sentence unlike all examples may reach at most: enough for buttons, too little to act
PATIENCE_S = 20.0  # how long a first message waits for the classifier; commands and patterns never do

Model = Callable[[str, type[BaseModel]], Awaitable[Json]]
"""A small model: prompt and schema → JSON valid against it, or None when there is no model or no allowance. It may have
been told the last turns of the conversation besides (`bot.reader`)."""


@dataclass(frozen=True)
class Reading:
    """What a message was taken to mean; `understood` makes the event of it.

    Attributes:
        intent: Empty when nothing may be done; then `ask` says why, and `choices` are the buttons.
        tier: ``command``, ``phrasebook``, ``pattern``, ``local``, ``small``.
        others: Other ways to read it; when `intent` is empty, the likeliest first.
        rest: Further requests in the same message, each to be read as its own.
        score: How much it is like what is known, 0 to 1; what is out of scope is low. For measuring.
        doubt: Why a model might know better: ``""``, ``"unsure"``, ``"missing"``, ``"condition"``.
    """

    intent: str = ""
    slots: dict[str, Json] = field(default_factory=dict)
    confidence_pct: int = 0
    tier: str = "local"
    evidence: tuple[str, ...] = ()
    others: tuple[events.Reading, ...] = ()
    assumed: tuple[str, ...] = ()
    ask: str = ""
    choices: tuple[Choice, ...] = ()
    rest: tuple[str, ...] = ()
    score: float = 0.0
    doubt: str = ""

    def understood(self, order: str) -> Understood:
        """Return the event that answers an order to understand."""
        return Understood(
            order=order, intent=self.intent, slots=self.slots, confidence_pct=self.confidence_pct, tier=self.tier,
            evidence=self.evidence, others=self.others, assumed=self.assumed, ask=self.ask, choices=self.choices,
            rest=self.rest,
        )  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """When, where and among whom something was said."""

    now: datetime
    zone: ZoneInfo
    locale: str
    currency: str
    names: Directory
    at_once: bool = False  # nothing may wait for the classifier
    _spans: dict[str, tuple[Slot, ...]] = field(default_factory=dict, compare=False, repr=False)
    guesses: dict[str, Guess] = field(default_factory=dict, compare=False, repr=False)  # what was made of which words

    def spans(self, text: str) -> list[Slot]:
        """Return typed spans and client names by position; a message is looked through once for all who ask."""
        if text not in self._spans:
            self._spans[text] = tuple(self._found(text))
        return list(self._spans[text])

    def _found(self, text: str) -> list[Slot]:
        found = values_of(text, self.now, self.zone, self.locale)
        named = self.names.find(text, [slot for slot in found if slot.kind in {"email", "url", "invoice"}])
        kept = [slot for slot in found if not any(slot.overlaps(name) for name in named)]
        return sorted([*kept, *named], key=lambda slot: slot.start)

    def coded(self, text: str) -> Coded:
        """Return the text as patterns see it."""
        return coded(text, self.spans(text))

    def is_one(self, kind: str, said: str) -> bool:
        """Whether words are exactly one value of a kind, and nothing beside it."""
        found = find_spans(said, self.now, self.zone, self.locale)
        outside = said[: found[0].start] + said[found[0].end :] if found else ""
        return len(found) == 1 and found[0].kind in WIDER.get(kind, (kind,)) and not outside.strip(" ,.")


FORMS_MAX = 6  # of one language that an intent is learned from; all of them are exact forms
NUMBERED = frozenset({"approve", "reject", "snooze"})
"""What a slip of the finger may still press, where the card's number stands beside it."""


class _NotAtOnceError(Exception):
    """These words need the classifier."""


class _ClosingError(Exception):
    """The house closes in the middle of a training."""


class _ModelReading(BaseModel):
    """What a small model answers: an intent from the list, and for each slot the operator's own words."""

    intent: str
    quotes: dict[str, str] = {}


class Understanding:
    """Reads messages. One for the house; `read` may be called from any thread."""

    def __init__(
        self,
        intents: Iterable[type[Intent]],
        *,
        embedder: Callable[[], Embedder | None] | None = None,
        cache: Path | None = None,
        phrases: Iterable[tuple[str, str]] = (),
        keep: Callable[[str, str], None] | None = None,
    ) -> None:
        """Build it.

        Args:
            intents: Everything an operator can want; ids are unique.
            embedder: Opens the embedding model when it is first needed; None, or returning None: words alone.
            cache: Folder where a training is kept, named by the digest of the declarations.
            phrases: What was learned before: (masked sentence, intent).
            keep: Called with each new (masked sentence, intent), so that it lasts.
        """
        self.intents: dict[str, type[Intent]] = {intent.id(): intent for intent in intents}
        self._commands = {name: i for i in self.intents.values() for name in filter(None, (i.command, i.id()))}
        self._templates = templates(self.intents.values())
        self._shelf = Shelf.of(self._templates)
        self._phrases = Phrasebook(phrases)
        self._offered: dict[str, set[str]] = {}  # a sentence that was asked about → what its buttons offered
        self._keep = keep
        self._open_embedder = embedder
        self._cache = cache
        self._router: Router | None = None
        self._ready = threading.Event()
        self._closing = threading.Event()
        self._started = threading.Lock()
        self._training: threading.Thread | None = None
        self._names: tuple[tuple[tuple[str, str], ...], Directory] = ((), Directory.of(()))
        # Intents that hold somebody's words ("tell Acme that ...") may hold any value in them.
        self._quotes = {
            name: any(
                re.search(r"(?:\bthat|\bto|\babout|\bon|:) \{(\w+)\}$", p)
                and slots_of(i)[p.rpartition("{")[2][:-1]] == "text"
                and not p.endswith("{name}")
                for p in forms(i)
            )
            for name, i in self.intents.items()
        }
        self._denying = {
            name
            for name in self.intents
            if sum(bool(_DENIAL.search(told)) for told in self.sentences(name)) >= DENYING_MIN
        }
        self._negated = {name for name in self.intents if any(map(is_negated, self.sentences(name)))}
        self._spelling = Spelling.of(
            [
                *(p for i in self.intents.values() for p in i.patterns),
                *(each.replace("_", " ") for each in self._commands),
            ],
            (text for name in self.intents for text in self.sentences(name)),
            NOBODYS,
        )
        self._leads = {
            bare(text).split()[0].lower().strip(",:'’")
            for intent in self.intents.values()
            for text in (*intent.examples, *(p for p in forms(intent) if not p.startswith("{")))
            if bare(text).split()
        } - NO_LEADS

    @classmethod
    def of(cls, agents: Mapping[str, type[Agent]], **options: object) -> Understanding:
        """Build it from discovered agents and the house's own control words; options as for the constructor."""
        declared = [intent for agent in agents.values() for intent in agent.intents]
        taken = {intent.id() for intent in declared}
        return cls([*declared, *(intent for intent in CONTROL if intent.id() not in taken)], **options)  # type: ignore[arg-type]

    # ── training ──────────────────────────────────────────────────────────────────────────────────────────────────

    def warm(self) -> None:
        """Start training, or loading what was trained before, in a thread of its own. Twice is once."""
        with self._started:
            if self._training is None:
                self._training = threading.Thread(target=self._train, name="soloist-intents")
                self._training.start()

    def close(self) -> None:
        """Stop a training that is under way, and wait until it has: a process must not end inside of one."""
        self._closing.set()
        if self._training is not None:
            self._training.join()

    def ready(self, timeout_s: float = PATIENCE_S) -> bool:
        """Wait until the classifier can answer; False when it still cannot."""
        self.warm()
        return self._ready.wait(timeout_s) and self._router is not None

    def _train(self) -> None:
        try:
            self._router = self._trained()
        except (_ClosingError, RuntimeError):  # what a library raises that is first needed while the process ends
            if not self._is_closing():
                raise
        finally:
            self._ready.set()

    def _is_closing(self) -> bool:
        """Whether nobody needs the classifier any more; a command may end without closing the house."""
        return self._closing.is_set() or not threading.main_thread().is_alive()

    def _go_on(self, _: str = "") -> None:
        if self._is_closing():
            raise _ClosingError

    def _trained(self) -> Router:
        embedder = self._open_embedder() if self._open_embedder is not None else None
        self._go_on()
        samples, labels = self.training()
        path = None if self._cache is None else self._cache / f"{stamp(samples, labels, embedder)}.npz"
        router = Router.load(path, embedder) if path is not None else None
        if router is None:
            router = Router.train(samples, labels, embedder, tell=self._go_on)
            if path is not None:
                with contextlib.suppress(OSError):  # a full or read-only disk costs the next start its seconds, no more
                    _keep(router, path)
        router.guess(samples[0])  # the first one is slow
        return router

    def training(self) -> tuple[list[Sample], list[str]]:
        """Return what the classifier learns from: examples, patterns, the help line, and what is nobody's."""
        samples, labels = [], []
        for name in self.intents:
            told = self.sentences(name)
            samples += [sample_of(text) for text in told]
            labels += [name] * len(told)
        own = {sample.words for sample in samples}
        strangers = [sample for sample in map(sample_of, NOBODYS) if sample.words not in own]
        return [*samples, *strangers], [*labels, *[NOBODY] * len(strangers)]

    def sentences(self, name: str) -> list[str]:
        """Return every sentence that an intent is learned from; never its checks."""
        intent = self.intents[name]
        told = [*intent.examples, *(spelled(intent, pattern) for pattern in intent.patterns), says(intent)]
        for code in codes():
            told += [spelled(intent, form) for form in _spread(language(code).said.get(name, ()))]
        return [*told, *(text for text in SAYINGS.get(name, ()) if text not in intent.checks)]

    def learn(self, text: str, intent: str, clients: Sequence[tuple[str, str]] = ()) -> None:
        """Take a correction to heart at once: this sentence, with any client and any amount, means this.

        Raises:
            KeyError: No such intent.
            ValueError: It presses a button, which no phrase may come to do; or the sentence is an exact form of its
                own, or holds a no or an if.
        """
        if intent not in self.intents:
            raise KeyError(f"There is no intent {intent!r}; /help lists what there is.")
        if intent in EXACT:
            raise ValueError(
                f"{intent!r} is only taken from its own words or a command; nothing else can be taught to mean it."
            )
        said = _example_scene(clients).coded(bare(text))
        if any(fits(each, said) is not None for each in self._templates if not each.is_loose):
            raise ValueError(
                "These words are an exact form of their own; they cannot be taught to mean something else."
            )
        if is_negated(text) or is_conditional(text):
            raise ValueError("What says not to do something, or only if, cannot be taught to mean that it is done.")
        self._settle(bare(text), intent, self._directory(clients))

    def taught(self) -> list[tuple[str, str]]:
        """Return what was learned by corrections, the oldest first: (masked sentence, intent)."""
        return self._phrases.pairs()

    def unlearn(self, mask: str) -> None:
        """Take a correction back: this sentence is read again as if nobody had said what it means."""
        self._phrases.learn(mask, "")
        if self._keep is not None:
            self._keep(mask, "")

    def _settle(self, text: str, intent: str, names: Directory) -> None:
        mask = sample_of(text, names).words
        self._phrases.learn(mask, intent)
        if self._keep is not None:
            self._keep(mask, intent)

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────

    def read(
        self,
        text: str,
        *,
        now: datetime,
        zone: ZoneInfo,
        locale: str = "en",
        currency: str = "",
        clients: Sequence[tuple[str, str]] = (),
        last: Sequence[str] = (),
    ) -> Reading:
        """Return what a message means. Tokens: none.

        Args:
            text: The operator's words.
            now: An aware moment.
            zone: Where the operator lives.
            locale: ``"en_GB"``: how numbers and dates are written.
            currency: What an amount without a currency is in; stated when it is used.
            clients: (key, name) of the clients on the books.
            last: The operator's last messages, the newest last: "Acme" may answer a question about one of them.
        """
        return self._read(text, self.scene(now, zone, locale, currency, clients), last)

    def _read(self, text: str, scene: Scene, last: Sequence[str]) -> Reading:
        text = text.strip()
        if text in {"?", "??", "?!"}:
            return self._command("/help", scene)
        if not text:
            return Reading(ask="That was empty. What can I do for you? /help shows what I can do.")
        if len(text) > TEXT_MAX:
            return Reading(
                ask=f"That is too long to be a request (over {TEXT_MAX} characters). What shall I do with it?"
            )
        if times := self._spelling.slips_of_time(text):
            return self._told(self._read_right(mended(text, times), scene, last), times)
        return self._read_right(text, scene, last)

    def _read_right(self, text: str, scene: Scene, last: Sequence[str]) -> Reading:
        if re.match(r"[/!]\w", text):
            return self._command(text, scene)
        reading = self._request(text, scene)
        if not reading.intent and last and (completed := self._completed(text, last[-1], scene)):
            return completed
        if reading.doubt in {"", "unsure"} and reading.tier == "local" and not is_negated(text):
            return self._put_right(text, scene, to_a_form=bool(reading.intent)) or reading
        return reading

    def _put_right(self, text: str, scene: Scene, *, to_a_form: bool) -> Reading | None:
        """Read again with slips of the finger put right, as few as will do where all are too many; None where that says no more."""
        inner = bare(text)
        taken = scene.spans(inner)
        names = [name for name in proper_names(inner, taken) if name.start]  # a phone writes the first word large
        found = self._spelling.slips(inner, [*taken, *names], self._is_word)
        for count in (len(found), *range(1, len(found))) if found else ():
            slips = found[:count]
            right = mended(inner, slips)
            if to_a_form and (slips[0].start or self._templated(right, scene) is None):
                continue  # what is read without it is only given up for an exact form: "Aprove 2.1" is nobody's invoice
            reading = self._request(right, scene)
            if (reading.intent and self._may_put_right(reading, slips)) or reading.doubt == "missing":
                return self._told(reading, slips)
        return None

    def _is_word(self, word: str) -> bool:
        known = getattr(self._router.embedder, "is_word", None) if self._router is not None else None
        return known is not None and bool(known(word))

    def _told(self, reading: Reading, slips: Sequence[Slip]) -> Reading:
        """Say what was read as what; words for somebody else, or for memory, stay as they were typed."""
        told = tuple(f"“{slip.said}” read as “{slip.meant}”." for slip in slips)
        if not reading.intent:
            return replace(reading, assumed=(*reading.assumed, *told))
        kinds = slots_of(self.intents[reading.intent])
        slots = {
            name: as_typed(value, slips) if kinds.get(name) == "text" and isinstance(value, str) else value
            for name, value in reading.slots.items()
        }
        return replace(reading, slots=slots, assumed=(*reading.assumed, *told))

    @staticmethod
    def _may_put_right(reading: Reading, slips: Sequence[Slip]) -> bool:
        """A button is only pressed by a word one letter off, and only the one that was named."""
        if reading.intent not in EXACT:
            return True
        named = reading.intent in NUMBERED and re.fullmatch(r"\d+\.\d+(?:\.\d+)?", str(reading.slots.get("card", "")))
        return bool(named) and len(slips) == 1 and slips[0].distance == 1

    def glance(self, text: str, scene: Scene) -> Reading | None:
        """Return what `read` would, where commands and patterns say it beyond doubt; None where it takes more."""
        try:
            reading = self._read(text, replace(scene, at_once=True), ())
        except _NotAtOnceError:
            return None
        return reading if reading.intent and not reading.doubt else None

    def scene(
        self, now: datetime, zone: ZoneInfo, locale: str, currency: str, clients: Sequence[tuple[str, str]]
    ) -> Scene:
        """Return when, where and among whom something is said, for whoever reads values and names themselves."""
        return Scene(now, zone, locale, currency, self._directory(clients))

    async def understand(
        self, text: str, *, model: Model | None = None, before: Sequence[str] = (), **scene: object
    ) -> Reading:
        """Read, and where that leaves a doubt ask a small model, whose every slot must quote the message.

        ``before`` are the operator's own last messages: a slot may quote them as well ("and the same for Globex").
        """
        # A first message may wait for the training; the event loop must not wait with it.
        waits = not self._ready.is_set()
        reading: Reading = await asyncio.to_thread(self.read, text, **scene) if waits else self.read(text, **scene)  # type: ignore[arg-type]
        if model is None or not reading.doubt:
            return reading
        answer = await model(self._prompt(text), _ModelReading)
        return self._from_model(text, answer, reading, before=before, **scene) or reading

    def _directory(self, clients: Sequence[tuple[str, str]]) -> Directory:
        pairs = tuple(clients)
        if self._names[0] != pairs:
            self._names = (pairs, Directory.of(pairs))
        return self._names[1]

    def _command(self, text: str, scene: Scene) -> Reading:
        match = re.match(r"[/!](\w+)(?:@\w+)?[\s:]*(.*)", text, re.DOTALL)
        assert match is not None
        name, said = match[1].lower(), match[2].strip()
        intent = self._commands.get("help" if name == "start" else name)
        if intent is None and (slip := self._slip_of(name)):
            told = f"“/{name}” read as “/{slip}”."
            reading = self._command(f"/{slip} {said}", scene)
            return replace(reading, assumed=(*reading.assumed, told))
        if intent is None:
            near = [
                found[0]
                for found in process.extract(name, sorted(self._commands), scorer=fuzz.ratio, score_cutoff=60, limit=3)
            ]
            return Reading(
                tier="command",
                ask=f"There is no command /{name}." + (" Did you mean one of these?" if near else " /help lists them."),
                choices=tuple(Choice(label=f"/{one}", text=f"/{one} {said}".strip()) for one in near),
            )
        pressed = intent.id() in self._offered.pop(said, ())
        if pressed and not is_conditional(said):
            self._settle(said, intent.id(), scene.names)  # a button under a question was pressed: that is a correction
        sentence = bare(f"{match[1]} {said}")
        if said and not pressed and (found := self._templated(sentence, scene)) and found[0].intent is not intent:
            return self._request(sentence, scene)  # "/who owes me money" is a sentence that begins like a command
        words = self._words_of(intent, name, said, scene)
        fitted = self._fit(intent, said, scene, words)
        return self._filled(intent, fitted, 1.0, "command", (f"command /{name}",))

    def _slip_of(self, name: str) -> str:
        """Return the one command that a name is one letter off; what presses a button or erases is not guessed."""
        near = [key for key in self._commands if OSA.distance(name, key) == 1] if len(name) > SHORT else []
        return near[0] if len(near) == 1 and self._commands[near[0]].id() not in EXACT else ""

    def _words_of(self, intent: type[Intent], name: str, said: str, scene: Scene) -> dict[str, str] | None:
        """Try the intent's own patterns on what follows a command: ``/invoice Acme 1,200``."""
        for template in self._templates:
            if template.intent is not intent:
                continue
            first = template.pattern.split("{")[0].strip()
            for text in (said, f"{name} {said}", f"{first} {said}"):
                words = fits(template, scene.coded(bare(text)))
                if words is not None:
                    return words
        texts = [slot for slot, kind in slots_of(intent).items() if kind == "text" and slot not in {"card", "task"}]
        return {texts[0]: said} if said and len(slots_of(intent)) == 1 and texts else None

    def _request(self, text: str, scene: Scene) -> Reading:
        inner = bare(text)
        if is_negated(text) and not self._is_wish(inner, scene):
            return Reading(
                ask="I read that as something not to do, so I did nothing. To stop everything: /pause. To take back: /undo."
            )
        parts = self._parts(inner, scene)
        if len(parts) == 1:
            return self._torn(inner, scene) or self._one(inner, scene)
        first = self._one(parts[0], scene)
        said = f"Read as {len(parts)} requests: " + " · ".join(parts)
        return replace(first, rest=tuple(parts[1:]), assumed=(*first.assumed, said))

    def _is_wish(self, text: str, scene: Scene) -> bool:
        """Whether a "don't" is a request by itself: "don't publish it" takes it from the queue, "don't send anything" pauses."""
        if re.search(r"\b(?:yet|noch)\b", text, re.IGNORECASE):
            return False  # "don't publish anything yet" is no wish to take something back
        if (found := self._templated(text, scene)) is not None:
            template, words = found
            held = [words[name] for name, kind in template.kinds.items() if kind == "text"]
            rest = functools.reduce(lambda whole, part: whole.replace(part, ""), held, text)
            return is_negated(template.pattern) or not is_negated(rest)  # "merk dir, dass Acme keine Anrufe mag"
        guess = self._guess(text, scene)
        return guess is not None and guess.ranked[0][0] in self._negated and guess.ranked[0][1] > NEEDED[Risk.OUTSIDE]

    def _parts(self, text: str, scene: Scene) -> list[str]:
        """Cut a message where both sides are requests of their own."""
        for left, right, sure in self._cuts(text, scene):
            if self._may_cut(left, right, scene, sure=sure):
                return [left, *self._parts(right, scene)][:PARTS_MAX]
        return [text]

    def _cuts(self, text: str, scene: Scene) -> Iterator[tuple[str, str, bool]]:
        """Yield where a request may begin after another one; "him" and "their" become the one client named before."""
        for left, rest, sure in cuts(text, scene.spans(text)):
            head = bare(rest).split()
            if not head or head[0].lower().strip(",:'’") not in self._leads:
                continue
            right = self._with_name(left, rest, scene)
            if sure or (len(head) >= PART_WORDS_MIN - 1 and not _leans(right)):
                yield left, right, sure  # "it was a duplicate, credit it": the right half leans on the left

    @staticmethod
    def _with_name(left: str, right: str, scene: Scene) -> str:
        """Return the right part with the one client's name that stands on the left, where it names none."""
        named = {slot.text for slot in scene.spans(left) if slot.kind == "client"}
        named = named or {slot.text for slot in proper_names(left, scene.spans(left))}
        if len(named) != 1 or any(slot.kind == "client" for slot in scene.spans(right)):
            return right
        return spelled_out(right, next(iter(named)))

    def _may_cut(self, left: str, right: str, scene: Scene, *, sure: bool) -> bool:
        needed = PART_CLEAR if sure else PART_SURE if len(right.split()) >= PART_WORDS_MIN else PART_SHORT
        first, second = self._glance(left, scene, needed), self._glance(right, scene, needed)
        if first is None or second is None:
            return False
        if first is second and not sure:  # "Petra wants to pay by card, make her a link" is one wish
            if "client" in slots_of(first).values():
                return bool(_clients(right, scene) - _clients(left, scene))
            return None not in (self._templated(left, scene), self._templated(right, scene))
        if self._quotes[first.id()] and not sure:
            # "remind me to call Bob and send the offer" is one reminder; only a clear break makes it two.
            return first.effect is Risk.MONEY
        return True

    def _glance(self, text: str, scene: Scene, needed: float) -> type[Intent] | None:
        """Return the intent that a part has, as surely as is needed."""
        if (found := self._templated(text, scene)) is not None:
            return found[0].intent
        guess = self._guess(text, scene)
        if guess is None or not guess.known or guess.ranked[0][1] < needed:
            return None
        return self.intents[guess.ranked[0][0]]

    def _torn(self, text: str, scene: Scene) -> Reading | None:
        """Ask about what is likely two requests, where it is not clear enough to cut: acting on one would lose the other."""
        if scene.at_once or self._templated(text, scene) is not None:
            return None
        for left, right, _ in self._cuts(text, scene):
            if left.split()[0].lower().strip(",:'’") not in self._leads:
                continue  # "Delta is overdue, chase them": the first half says why
            first, second = self._glance(left, scene, PART_SEEN), self._glance(right, scene, PART_SURE)
            if first is None or second is None or first is second or self._quotes[first.id()]:
                continue
            buttons = self._buttons([(first.id(), 1.0)], left) + self._buttons([(second.id(), 1.0)], right)
            others = tuple(
                events.Reading(
                    intent=each.id(), confidence_pct=round(100 * UNSURE), slots=self._fit(each, part, scene).slots
                )
                for each, part in ((first, left), (second, right))
            )
            return Reading(
                confidence_pct=round(100 * UNSURE), others=others, choices=buttons, score=1.0, evidence=("two requests?",),
                ask="That may be two requests, and I would lose one. Press the first; then send the other by itself.",
            )  # fmt: skip
        return None

    def _one(self, text: str, scene: Scene) -> Reading:
        spans = scene.spans(text)
        mask = masked(text, spans)
        if (known := self._phrases.find(mask)) in self.intents and known not in EXACT:
            intent = self.intents[known]
            return self._filled(intent, self._fit(intent, text, scene), 1.0, "phrasebook", ("you said so before",))
        if (found := self._templated(text, scene)) is not None:
            template, words = found
            held = " ".join(words[name] for name, kind in template.kinds.items() if kind == "text")
            fine = not is_conditional(text) or is_conditional(" " + held) or template.intent.effect is Risk.READS
            if fine and not self._doubted(template, text, scene):
                fitted = self._fit(template.intent, text, scene, words)
                return self._filled(template.intent, fitted, 1.0, "pattern", (f"pattern: {template.pattern}",))
        guess = self._guess(text, scene)
        if guess is None:
            return self._unready()
        reading = self._weighed(text, guess, scene)
        return replace(reading, score=0.0 if reading.doubt == "condition" else guess.score)

    def _doubted(self, template: Template, text: str, scene: Scene) -> bool:
        """Whether the classifier is sure of another reading, or of nobody's, where a pattern's words could be anything."""
        if not (template.is_loose or self._names_nobody(template, text, scene)) or not self._ready.is_set():
            return False
        guess = self._guess(text, scene)
        if guess is None:
            return False
        name, chance = guess.ranked[0]
        if name != template.intent.id() and guess.known and chance > DOUBTED:
            return not self._stands_by_name(template, text, scene)
        return guess.nobody > DOUBTED and not any(slot.kind == "client" for slot in scene.spans(text))

    def _stands_by_name(self, template: Template, text: str, scene: Scene) -> bool:
        """Whether the classifier agrees once it knows which words are a name: "invoice ecme 300"."""
        words = fits(template, scene.coded(text)) or {}
        names = [words[slot] for slot, kind in template.kinds.items() if kind == "client" and slot in words]
        if not names or self._router is None or (start := text.find(names[0])) < 0:
            return False
        name = Slot("client", names[0], start, start + len(names[0]), names[0])
        if any(slot.overlaps(name) for slot in scene.spans(text)):
            return False
        seen = self._router.guess(_sample(text, [*scene.spans(text), name]))
        return seen.known and seen.ranked[0][0] == template.intent.id() and seen.nobody < seen.ranked[0][1]

    @staticmethod
    def _names_nobody(template: Template, text: str, scene: Scene) -> bool:
        """Whether a pattern took words for a client's name that are on no book and are not written like a name."""
        known = any(slot.kind == "client" for slot in scene.spans(text))
        return "client" in template.kinds.values() and not known and not proper_names(text, scene.spans(text))

    def _templated(self, text: str, scene: Scene) -> tuple[Template, dict[str, str]] | None:
        message = scene.coded(text)
        for template in self._shelf.might_fit(message):
            words = fits(template, message)
            if words is not None:
                return template, words
        if message.values:  # "good morning": a word that is a value elsewhere is here what a pattern says
            said = coded(text, ())
            fixed = (each for each in self._shelf.might_fit(said) if not each.kinds)
            return next(((each, {}) for each in fixed if fits(each, said) is not None), None)
        return None

    def _guess(self, text: str, scene: Scene) -> Guess | None:
        if scene.at_once:
            raise _NotAtOnceError
        if not self.ready():
            return None
        assert self._router is not None
        if text not in scene.guesses:
            scene.guesses[text] = self._router.guess(_sample(text, scene.spans(text)))
        return scene.guesses[text]

    def _weighed(self, text: str, guess: Guess, scene: Scene) -> Reading:
        """Hold a guess against what it would lead to."""
        ranked = self._plausible(guess, text, scene)
        name, chance = ranked[0]
        intent = self.intents[name]
        denied = _DENIAL.search(text) and intent.effect is not Risk.READS and name not in self._denying
        if not guess.known or denied:  # "Globex hasn't paid" is no payment
            chance = min(chance, UNSURE)
        fitted = self._fit(intent, text, scene)
        others = (
            events.Reading(intent=name, confidence_pct=round(100 * chance), slots=fitted.slots),
            *(events.Reading(intent=other, confidence_pct=round(100 * p)) for other, p in ranked[1:BUTTONS]),
        )
        evidence = (f"like {name}: {guess.score:.2f}",)
        doubt = "" if sum(p for _, p in ranked[:BUTTONS]) >= ENOUGH_TOGETHER and guess.known else "unsure"
        free = any(kind == "text" for kind in slots_of(intent).values())
        if (
            is_conditional(text)
            and intent.effect is not Risk.READS
            and not (free and not re.match(r"\W*(?:if|when|unless|once|as soon)\b", text, re.IGNORECASE))
        ):
            ask = (
                "I read a condition in that which my books cannot tell. I can wait for a payment, for a yes to a proposal, or "
                'for an answer that does not come: "if Acme has not paid by Friday, remind them". Shall I do one of these now?'
            )
            return Reading(confidence_pct=round(100 * chance), evidence=evidence, others=others, ask=ask,
                           choices=self._buttons(ranked, text), doubt="condition")  # fmt: skip
        if _QUESTION.match(text) and intent.effect is not Risk.READS:
            chance = min(chance, UNSURE)
        if guess.nobody >= chance or chance < OFFERED:
            if chance < OFFERED or guess.nobody > 1 - OFFERED:
                ask = "I do not think I can do that. /help shows what I can do."
                return Reading(
                    confidence_pct=round(100 * chance), evidence=evidence, others=others, ask=ask, doubt=doubt
                )
            chance = min(chance, UNSURE)
        numbered = intent.effect is Risk.REVERSIBLE and "card" in fitted.slots and chance >= NUMBERED_SURE
        if chance < NEEDED[intent.effect] or (name in EXACT and not numbered):
            return Reading(
                confidence_pct=round(100 * chance), evidence=evidence, others=others,
                ask="I am not sure what you mean. One of these?", choices=self._buttons(ranked, text), doubt=doubt,
            )  # fmt: skip
        return replace(
            self._filled(intent, fitted, chance, "local", evidence), others=others if fitted.ask else others[1:]
        )

    def _plausible(self, guess: Guess, text: str, scene: Scene) -> list[tuple[str, float]]:
        """Rank again by what the message holds: less for a value that is needed and not there, or there and homeless."""
        spans = scene.spans(text)
        present = {slot.kind for slot in spans}
        asks = _QUESTION.match(text)  # "is 2026-0001 paid?" notes nothing
        weighed = []
        for name, chance in guess.ranked:
            intent = self.intents[name]
            kinds = slots_of(intent)
            needed = {kind for slot, kind in kinds.items() if intent.model_fields[slot].is_required()} & NEEDS
            takes = {wider for kind in kinds.values() for wider in WIDER.get(kind, ())}
            factors = [1.0 if present & set(WIDER[kind]) else NEEDS_FACTOR for kind in needed - present]
            factors += [ASKED] if asks and intent.effect is not Risk.READS else []
            if not self._quotes[name]:
                factors += [HOMELESS.get(kind, 1.0) for kind in present - takes]
            weighed.append((name, chance * math.prod(factors)))
        total = sum(chance for _, chance in guess.ranked)
        scale = total / sum(chance for _, chance in weighed)
        return sorted(((name, chance * scale) for name, chance in weighed), key=lambda pair: -pair[1])

    def _buttons(self, ranked: Sequence[tuple[str, float]], text: str) -> tuple[Choice, ...]:
        """Return a button for each of the likeliest; pressing one types the command with the same words."""
        buttons = []
        while len(self._offered) >= OFFERED_MAX:
            del self._offered[next(iter(self._offered))]
        for name, _ in ranked[:BUTTONS]:
            intent = self.intents[name]
            said = "" if name in EXACT and not re.search(r"\d", text) else f" {text}"
            if name not in EXACT:
                self._offered.setdefault(text, set()).add(name)
            buttons.append(Choice(label=briefly(intent), text=f"/{intent.command or name}{said}"))
        return tuple(buttons)

    def _fit(self, intent: type[Intent], text: str, scene: Scene, words: dict[str, str] | None = None) -> Fitted:
        return fit(intent, text, scene.spans(text), scene.now, scene.zone, scene.currency, words)

    def _filled(
        self, intent: type[Intent], fitted: Fitted, chance: float, tier: str, evidence: tuple[str, ...]
    ) -> Reading:
        pct = round(100 * chance)
        if fitted.ask:
            one = events.Reading(intent=intent.id(), confidence_pct=pct, slots=fitted.slots)
            return Reading(confidence_pct=pct, tier=tier, evidence=evidence, others=(one,), assumed=fitted.assumed,
                           ask=fitted.ask, doubt="missing")  # fmt: skip
        return Reading(intent.id(), fitted.slots, pct, tier, evidence, assumed=fitted.assumed, score=chance)

    @staticmethod
    def _unready() -> Reading:
        return Reading(ask="I am still warming up. Commands work at once: /help lists them. Say it again in a moment.")

    def _completed(self, text: str, before: str, scene: Scene) -> Reading | None:
        """Read a bare answer ("Acme", "500 euros") together with the request that was asked about."""
        asked = self._command(before, scene) if re.match(r"[/!]\w", before) else self._request(bare(before), scene)
        if asked.intent or asked.doubt != "missing" or len(text.split()) > ANSWER_WORDS_MAX:
            return None
        intent = self.intents[asked.others[0].intent]
        whole = f"{re.sub(r'^[/!]', '', before)} {text}"
        fitted = self._fit(intent, whole, scene, self._answered(intent, asked, text, scene))
        return (
            None
            if fitted.ask
            else self._filled(intent, fitted, asked.confidence_pct / 100, asked.tier, ("answers my question",))
        )

    def _answered(self, intent: type[Intent], asked: Reading, text: str, scene: Scene) -> dict[str, str]:
        open_slots = [
            name for name, kind in slots_of(intent).items()
            if name not in asked.others[0].slots and intent.model_fields[name].is_required()
        ]  # fmt: skip
        if not open_slots:
            return {}
        kind = slots_of(intent)[open_slots[0]]
        fine = kind in {"text", "client"} or scene.is_one(kind, text)
        return {open_slots[0]: text} if fine else {}

    # ── a small model ─────────────────────────────────────────────────────────────────────────────────────────────

    def _prompt(self, text: str) -> str:
        lines = [
            f"- {name}({', '.join(slots_of(intent))}): {(intent.__doc__ or '').strip().splitlines()[0]}"
            for name, intent in self.intents.items()
            if name not in EXACT
        ]
        return (
            "Which one of these does the operator's message ask for? Answer with its name, or with an empty name when none "
            "fits; with make_plan when it takes several steps or depends on something that has not happened. For each slot "
            "that is in the message, quote the message's own words exactly; leave out what is not there.\n\n"
            + "\n".join(lines)
            + f"\n\nMessage: {text}"
        )

    def _from_model(
        self, text: str, answer: Json, reading: Reading, *, before: Sequence[str] = (), **scene: object
    ) -> Reading | None:
        """Quote or reject: a slot counts when its words stand in the message and our own grammar reads them."""
        name = answer.get("intent") if isinstance(answer, dict) else None
        if not isinstance(name, str) or name not in self.intents or name in EXACT:
            return None
        intent = self.intents[name]
        clients = scene.pop("clients", ())
        view = Scene(
            scene["now"], scene["zone"], str(scene.get("locale", "en")), str(scene.get("currency", "")),  # type: ignore[arg-type]
            self._directory(clients),  # type: ignore[arg-type]
        )  # fmt: skip
        kinds = slots_of(intent)
        quotes = {
            slot: words
            for slot, words in dict(answer.get("quotes") or {}).items()
            if slot in kinds
            and isinstance(words, str)
            and words.strip()
            and any(words.casefold() in said.casefold() for said in (text, *before))
            and (kinds[slot] in {"text", "client", "choice", "bool"} or view.is_one(kinds[slot], words))
        }
        if reading.doubt == "condition" and intent.effect is not Risk.READS and intent.id() != "make_plan":
            return None
        borrowed = [words for words in quotes.values() if words.casefold() not in text.casefold()]
        fitted = self._fit(intent, " ".join([bare(text), *borrowed]), view, quotes)
        if fitted.ask:
            return None
        filled = self._filled(intent, fitted, MODEL_SURE, "small", ("a small model, held to your words",))
        if intent.effect is Risk.REVERSIBLE:
            # No card would come between a model's word and our books, so the operator says whether it is meant.
            chosen = self._buttons([(name, MODEL_SURE)], text)
            others = tuple(choice for choice in reading.choices if choice not in chosen)
            return replace(filled, intent="", ask="Do you mean this?", choices=(*chosen, *others)[:BUTTONS])
        return replace(filled, others=reading.others)


ASKED = 0.1  # for what would do something, where the words ask a question
_QUESTION = re.compile(r"(?:is|are|was|were|did|does|has|had)\b|(?:do|have) (?:i|we|you|they)\b", re.IGNORECASE)
"""How a question begins that wants to know, and not to have done; "can you ..." is taken off before."""
MODEL_SURE = 0.80  # as sure as a card needs, and no surer
NEEDS = frozenset({"every", "money", "invoice", "email"})
NEEDS_FACTOR = 0.5  # for each required value that is not in the message
HOMELESS = {
    "every": 0.3,
    "money": 0.5,
    "invoice": 0.4,
    "terms": 0.4,
    "moment": 0.6,
    "day": 0.6,
    "period": 0.8,
    "email": 0.7,
}
"""For each value in the message that the intent has no slot for."""
DENYING_MIN = 2  # sentences that say so, of those an intent is learned from: "Globex has not paid, push them"
_DENIAL = re.compile(
    r"\b(?:not|never|(?:has|have|had|did|does|do|is|are|was|were|wo|ca|should|could|would)n['’]?t)\b", re.IGNORECASE
)
ANSWER_WORDS_MAX = 6  # a longer message is a new request, not an answer


def _spread(forms: Sequence[str]) -> Sequence[str]:
    """Return at most as many forms of one language as an intent has examples, from the whole of them."""
    return forms[:: -(-len(forms) // FORMS_MAX)] if forms else ()


def _clients(text: str, scene: Scene) -> set[str]:
    return {slot.text.casefold() for slot in scene.spans(text) if slot.kind == "client"}


def _leans(part: str) -> bool:
    """Whether a part is about the thing that stands before it, and has none of its own."""
    ends = len(part.split()) <= LEANING_WORDS_MAX and re.search(r"\b(?:it|them|that|this)$", part, re.IGNORECASE)
    return bool(ends) or re.match(r"\w+ (?:it|them)\b", part, re.IGNORECASE) is not None


def says(intent: type[Intent]) -> str:
    """Return what an intent does, in its own first line."""
    return (intent.__doc__ or intent.id().replace("_", " ")).strip().splitlines()[0].rstrip(".")


def briefly(intent: type[Intent]) -> str:
    """Return what an intent does in a few words, for a button on a phone."""
    return re.split(r"[,;:(]| and ", says(intent))[0]


def spelled(intent: type[Intent], pattern: str) -> str:
    """Return a pattern as a sentence, with a value of each kind in its place."""
    kinds = slots_of(intent)
    return re.sub(
        r"\{(\w+)\}",
        lambda match: "12.1" if match[1] in {"card", "task"} else PLAIN.get(kinds[match[1]], "it"),
        pattern,
    )


def sample_of(text: str, names: Directory | None = None) -> Sample:
    """Return an example as the classifier sees it: fixed clock, and names as people write them."""
    inner = bare(text)
    spans = values_of(inner, _EXAMPLE_NOW, _EXAMPLE_ZONE, "en_GB")
    named = (names or _EXAMPLE_NAMES).find(inner, [slot for slot in spans if slot.kind in {"email", "url", "invoice"}])
    kept = [slot for slot in spans if not any(slot.overlaps(name) for name in named)]
    return _sample(inner, [*kept, *named], unknown=names is None)


def _sample(text: str, spans: Sequence[Slot], *, unknown: bool = True) -> Sample:
    """Return a message as the classifier sees it; a name on no book looks to it like one that is on them."""
    known = any(slot.kind == "client" for slot in spans)
    ordered = [*spans, *(proper_names(text, spans)[:1] if unknown and not known else ())]
    ordered.sort(key=lambda slot: slot.start)
    return Sample(masked(text, ordered), masked(text, ordered, PLAIN), tuple(flags(ordered)))


def _keep(router: Router, path: Path) -> None:
    router.save(path)
    kept = sorted(path.parent.glob("*.npz"), key=lambda each: each.stat().st_mtime_ns, reverse=True)
    for old in kept[TRAININGS_MAX:]:
        old.unlink(missing_ok=True)


def _example_scene(clients: Sequence[tuple[str, str]]) -> Scene:
    return Scene(_EXAMPLE_NOW, _EXAMPLE_ZONE, "en_GB", "", Directory.of(clients))


_EXAMPLE_ZONE = ZoneInfo("Europe/Berlin")
_EXAMPLE_NOW = datetime(2026, 11, 19, 10, 0, tzinfo=_EXAMPLE_ZONE)
_EXAMPLE_NAMES = Directory.of(
    (name.lower(), name)
    for name in "Acme Globex Initech Hooli Umbrella Stark Wayne Wonka Cyberdyne Müller Tyrell".split()  # noqa: SIM905
)
"""The companies that examples are written with, in upper or lower case."""
