"""The explain log: what each model was given, what it rested on, how it ended. One JSON line a question.

Lines are redacted before they get here (`agents.llm`). They are for looking after something odd, not for ever: the file
is cut to its newer half when it grows, is in no backup or export, and goes whole when anything is forgotten. A later
question may name who was forgotten: `Masks` knows the names by keyed digests alone, and takes them out of every new line.
"""

from __future__ import annotations

import difflib
import hashlib
import hmac
import json
import logging
import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from agents.question import Explained
from memory.files import write_privately

log = logging.getLogger("soloist.explain")

FILE = "explain.jsonl"  # in the home folder
BYTES_MAX = 8_000_000
TEXT_MAX = 20_000  # characters of one message or answer
MARK = "[forgotten]"
DIGEST_LETTERS = 32
CHANGES_SHOWN = 6  # sentences that a model worded otherwise, in `/why`
CHANGE_MAX = 160  # characters of one
LEFT_OUT_SHOWN = 6  # of one question in `/why`; the file has them all
NO_MODEL = "no model is set up"
"""As `agents.llm` says it: a question that went nowhere explains nothing."""


class Masks:
    """Who and what was forgotten, as keyed digests of the words one after the other; says nothing to whoever reads it."""

    def __init__(self, path: Path, key: bytes) -> None:
        """Take the list's file, and the house's own key."""
        self._path = path
        self._key = key
        self._known: dict[int, set[str]] | None = None  # how many words → digests

    def add(self, several: Sequence[str]) -> None:
        """Put names, addresses and sentences on the list, on disk when this returns."""
        known = self._lines()
        fresh = {(len(words), self._digest(words)) for each in several if (words := _words(each))}
        fresh -= {(count, digest) for count, digests in known.items() for digest in digests}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.writelines(f"{count} {digest}\n" for count, digest in sorted(fresh))
            stream.flush()
            os.fsync(stream.fileno())
        self._known = None

    def __call__(self, text: str) -> str:
        """Return the text without anything on the list, whatever stands between its words."""
        known = self._lines()
        if not known:
            return text
        text = unicodedata.normalize("NFC", text)
        found = list(_WORD.finditer(text))
        plain = [_plain(match[0]) for match in found]
        cuts: list[tuple[int, int]] = []
        at = 0
        while at < len(plain):
            count = next((n for n in sorted(known, reverse=True) if self._is_known(plain[at : at + n], n)), 0)
            if count:
                cuts.append((found[at].start(), found[at + count - 1].end()))
            at += count or 1
        for start, end in reversed(cuts):
            text = text[:start] + MARK + text[end:]
        return text

    def _is_known(self, words: Sequence[str], count: int) -> bool:
        return len(words) == count and self._digest(words) in self._lines()[count]

    def _lines(self) -> dict[int, set[str]]:
        if self._known is None:
            self._known = {}
            text = self._path.read_text(encoding="ascii") if self._path.exists() else ""
            for line in text.split("\n")[:-1]:
                count, _, digest = line.partition(" ")
                self._known.setdefault(int(count), set()).add(digest)
        return self._known

    def _digest(self, words: Sequence[str]) -> str:
        return hmac.new(self._key, " ".join(words).encode(), hashlib.sha256).hexdigest()[:DIGEST_LETTERS]


_WORD = re.compile(r"[^\W_]+")  # as `memory.erased.Strike` tells words apart


def _plain(word: str) -> str:
    return unicodedata.normalize("NFC", word).casefold()


def _words(text: str) -> list[str]:
    return [_plain(match[0]) for match in _WORD.finditer(text)]


class ExplainLog:
    """Appends to one file. A disk that will not take it costs a line of the log, never an answer."""

    def __init__(
        self,
        folder: Path,
        now: Callable[[], datetime],
        redact: Callable[[str], str] = str,
        masks: Callable[[str], str] = str,
    ) -> None:
        """Take where it stands.

        Args:
            folder: The home.
            now: The clock.
            redact: Takes secrets out of a text.
            masks: Takes who was forgotten out of it.
        """
        self._path = folder / FILE
        self._now = now
        self._secrets = redact
        self._masks = masks

    def _redact(self, text: str) -> str:
        return self._masks(self._secrets(text))

    def __call__(self, told: Explained) -> None:
        """Keep one question and what became of it; readable by the operator alone."""
        line = {
            "at": self._now().isoformat(), "task": told.task, "purpose": told.purpose, "agent": told.agent,
            "workflow": told.workflow, "origin": told.origin.value, "tier": told.tier, "model": told.model,
            "decision": told.decision, "steps": list(told.steps), "refs": [self._redact(each) for each in told.refs],
            "left_out": [self._redact(each) for each in told.left_out],
            "messages": [[role, self._redact(text)[:TEXT_MAX]] for role, text in told.messages],
            "answer": self._redact(told.answer)[:TEXT_MAX],
        }  # fmt: skip
        try:
            self._make_room()
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "a", encoding="utf-8") as stream:
                stream.write(json.dumps(line, ensure_ascii=False) + "\n")
        except OSError as error:
            log.warning("The explain log could not be written (%s).", error.strerror)

    def _make_room(self) -> None:
        if not self._path.exists() or self._path.stat().st_size < BYTES_MAX:
            return
        lines = self._path.read_bytes().splitlines(keepends=True)
        write_privately(self._path, b"".join(lines[len(lines) // 2 :]))

    def forget(self) -> None:
        """Let go of all of it: something was forgotten, and its words may stand in a prompt."""
        self._path.unlink(missing_ok=True)

    def of_task(self, task: str) -> list[dict[str, object]]:
        """Return the lines of a task, oldest first."""
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [line for line in map(json.loads, lines) if line["task"] == task]


def why_lines(several: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the lines of a task as sentences for `/why`: who was asked, what was given, what came of it, what was left out."""
    told = []
    for line in several:
        left_out = line.get("left_out") or []
        if line["decision"] == "found":
            told.append(f"{line['agent'] or 'an agent'} asked memory; {_given(line['refs'])}")
        elif line["steps"] != [NO_MODEL]:
            asked = line["model"] or f"a {line['tier']} model"
            went = f" ({'; '.join(line['steps'])})" if line["decision"] == "no answer" else ""
            told.append(f"{asked} was asked for {line['purpose']!r}: {line['decision']}{went}; {_given(line['refs'])}")
            told += _reworded(line)
        else:
            continue
        told += [f"left out: {each}" for each in left_out[:LEFT_OUT_SHOWN]]
        if more := len(left_out) - LEFT_OUT_SHOWN:
            told += [f"left out: {more} more, in {FILE}"] if more > 0 else []
    return told


def _reworded(line: Mapping[str, Any]) -> Iterator[str]:
    """Yield which sentences of our template a model changed: whose words stand in a letter."""
    if not str(line["purpose"]).endswith(": wording") or not line["answer"]:
        return
    template = _sentences(_first_quote(line["messages"]))
    matcher = difflib.SequenceMatcher(a=template, b=(written := _sentences(line["answer"])), autojunk=False)
    changed = [code[1:] for code in matcher.get_opcodes() if code[0] != "equal"]
    for old_from, old_to, new_from, new_to in changed[:CHANGES_SHOWN]:
        old, new = (" ".join(each)[:CHANGE_MAX] for each in (template[old_from:old_to], written[new_from:new_to]))
        yield (
            f"in place of my {old!r} it wrote {new!r}"
            if old and new
            else f"it added {new!r}"
            if new
            else f"it left out {old!r}"
        )
    if not changed:
        yield "it left my template as it was"


def _first_quote(messages: Sequence[Sequence[str]]) -> str:
    """Return the first text that was quoted to a model: of a letter, our template."""
    quoted = next((text for _, text in messages if text.startswith("[[quotes ")), "")
    block = quoted.partition("\n[[end of quotes ")[0]
    return "\n".join(line[2:] for line in block.splitlines()[1:] if line.startswith("> "))


def _sentences(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part.strip()]


def _given(refs: Sequence[str]) -> str:
    return f"given {', '.join(refs)}" if refs else "given nothing from memory"
