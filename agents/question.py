"""One question to a model: what is asked and for whom, what came back, and what is kept about it. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from pydantic import BaseModel, ValidationError

from agents.base import Thought
from agents.budget import Wanted, tokens_worst
from agents.tiers import Model
from memory.events import ModelCalled, Origin

WRONG_MAX = 5  # complaints about one answer
SCHEMA_TOKENS = 500  # what a provider may add around a schema
JSON_FORM = "Answer with one JSON object and nothing else."

Stream = Callable[[str], Awaitable[None]]
"""Called with the whole answer *so far*, so that a stream which broke can begin again. It returns soon: the time it
takes counts as the model's, so the caller thins out what a chat would not take so fast."""

Messages = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Answer:
    """What came back; ``whole`` is False when it ran into its greatest length."""

    text: str
    tokens_in: int
    tokens_out: int
    whole: bool = True


@dataclass(frozen=True)
class Explained:
    """Why an answer is what it is, secrets left out: for the explain log.

    Attributes:
        messages: What was sent, (role, text), the same to every model.
        refs: The memories and records the caller put into it.
        steps: What happened on the way, in order: refusals, failures, failovers.
        decision: How it ended: ``"answered"``, ``"cached"`` or ``"no answer"``.
        left_out: What bears on it and is not in the prompt, each with the reason.
    """

    purpose: str
    task: str
    workflow: str
    origin: Origin
    agent: str
    tier: str
    messages: tuple[tuple[str, str], ...]
    refs: tuple[str, ...]
    steps: tuple[str, ...]
    decision: str
    model: str
    answer: str
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """What is asked and for whom; the same for every model that is tried."""

    purpose: str
    tier: str
    task: str
    workflow: str
    origin: Origin
    agent: str
    schema: type[BaseModel] | None
    stream: Stream | None
    max_tokens: int
    temperature: float

    @property
    def deterministic(self) -> bool:
        """Whether the answer would be the same again, so that it may come from the cache."""
        return self.temperature == 0

    def key(self, model: Model, sent: Messages) -> str:
        """Return the cache's key: a digest of everything the answer depends on."""
        form = self.schema.model_json_schema() if self.schema else None
        parts = [model.route, model.base_url, list(sent), form, self.max_tokens]
        return "answer:" + hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def worst_in(self, sent: Messages) -> int:
        """Return a number of tokens that the prompt cannot exceed, schema included."""
        worst = tokens_worst(message["content"] for message in sent)
        return worst + (tokens_worst([schema_text(self.schema)]) + SCHEMA_TOKENS if self.schema else 0)

    def wanted(self, model: Model, usd: Decimal, tokens: int) -> Wanted:
        """Return what the ledger is asked for."""
        return Wanted(self.task, self.workflow, self.origin, model.name, usd, tokens)

    def called(self, model: Model, used: tuple[int, int], usd: Decimal, *, cached: bool = False) -> ModelCalled:
        """Return the line of the bill; ``used`` are the tokens in and out."""
        return ModelCalled(
            model=model.name,
            tier=model.tier,
            purpose=self.purpose,
            tokens_in=used[0],
            tokens_out=used[1],
            cost_usd=f"{usd:f}",
            cached=cached,
            agent=self.agent,
        )

    def read(self, model: Model, answer: Answer) -> Thought | str:
        """Return the thought, or what to tell the model when its JSON does not fit."""
        if self.schema is None:
            return Thought(text=answer.text, model=model.name)
        text = _bare(answer.text)
        try:
            value = self.schema.model_validate_json(text)
        except ValidationError as error:
            return f"That did not fit ({_wrong(error, self.schema)}). {in_words(self.schema)}"
        return Thought(text=text, data=value.model_dump(mode="json"), model=model.name)


def in_words(schema: type[BaseModel]) -> str:
    """Return the schema as a sentence, for a server that takes none."""
    return f"Answer with one JSON object that fits this schema, and nothing else: {schema_text(schema)}"


def schema_text(schema: type[BaseModel]) -> str:
    """Return the schema as JSON."""
    return json.dumps(schema.model_json_schema(), separators=(",", ":"))


def _wrong(error: ValidationError, schema: type[BaseModel]) -> str:
    """Say where and how, in our own words.

    The answer may repeat outside text, in its values and even in the names of its fields, and this is said to the
    model with our authority: so only names that the schema knows are named.
    """
    known = schema_text(schema)
    places = []
    for item in error.errors(include_url=False, include_context=False, include_input=False)[:WRONG_MAX]:
        path = [str(part) if isinstance(part, int) or json.dumps(part) in known else "?" for part in item["loc"]]
        places.append(f"{'.'.join(path) or 'all of it'}: {item['type']}")
    return "; ".join(places)


def _bare(text: str) -> str:
    """Return JSON without the code fence that some models put around it."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        return text.partition("\n")[2].removesuffix("```").strip()
    return text
