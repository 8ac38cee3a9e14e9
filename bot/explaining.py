"""The explain log: what each model was given, what it rested on, how it ended. One JSON line a question.

Lines are redacted before they get here (`agents.llm`). They are for looking after something odd, not for ever: the file
is cut to its newer half when it grows, is in no backup or export, and goes whole when anything is forgotten.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from agents.question import Explained

log = logging.getLogger("soloist.explain")

FILE = "explain.jsonl"  # in the home folder
BYTES_MAX = 8_000_000
TEXT_MAX = 20_000  # characters of one message or answer
LEFT_OUT_SHOWN = 6  # of one question in `/why`; the file has them all
NO_MODEL = "no model is set up"
"""As `agents.llm` says it: a question that went nowhere explains nothing."""


class ExplainLog:
    """Appends to one file. A disk that will not take it costs a line of the log, never an answer."""

    def __init__(self, folder: Path, now: Callable[[], datetime], redact: Callable[[str], str] = str) -> None:
        self._path = folder / FILE
        self._now = now
        self._redact = redact

    def __call__(self, told: Explained) -> None:
        """Keep one question and what became of it; readable by the operator alone."""
        line = {
            "at": self._now().isoformat(), "task": told.task, "purpose": told.purpose, "agent": told.agent,
            "workflow": told.workflow, "origin": told.origin.value, "tier": told.tier, "model": told.model,
            "decision": told.decision, "steps": list(told.steps), "refs": list(told.refs),
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
        beside = self._path.with_suffix(".new")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.writelines(lines[len(lines) // 2 :])
        beside.replace(self._path)

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
    """Return the lines of a task as sentences for `/why`: who was asked, what it was given, what was left out and why."""
    told = []
    for line in several:
        left_out = line.get("left_out") or []
        if line["decision"] == "found":
            told.append(f"{line['agent'] or 'an agent'} asked memory; {_given(line['refs'])}")
        elif line["steps"] != [NO_MODEL]:
            asked = line["model"] or f"a {line['tier']} model"
            told.append(f"{asked} was asked for {line['purpose']!r}: {line['decision']}; {_given(line['refs'])}")
        else:
            continue
        told += [f"left out: {each}" for each in left_out[:LEFT_OUT_SHOWN]]
        if more := len(left_out) - LEFT_OUT_SHOWN:
            told += [f"left out: {more} more, in {FILE}"] if more > 0 else []
    return told


def _given(refs: Sequence[str]) -> str:
    return f"given {', '.join(refs)}" if refs else "given nothing from memory"
