"""The only door to litellm: ask a model, within the budget, and never be stopped by one.

::

    gateway = Gateway(tiers, ledger, secrets=secrets)
    thought = await gateway.ask("triage", "Sort this mail.", material=[(Origin.CLIENT, mail)], schema=Sorted, task="12")
    thought.problem  # a sentence when there is no answer; the caller falls back to its template

One `ask` goes down the tier's list. Each model in turn: is the answer in the cache, does the model rest, may it be
spent (``agents/budget.py``), then the call, with our own retries. What cannot be answered is a `Thought` with a
problem. Beside this file: ``quoting.py`` (what is sent), ``question.py`` (what is asked and read), ``failure.py`` (what
went wrong), ``tiers.py`` (who is asked).

litellm is imported on first use, in a thread: its CPU-seconds are not waited for at start or for the first answer.
Version 1.99.4 exactly: 1.82.7 and 1.82.8 were malicious, 1.102 and later break tools and cache hits.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from typing import Any, Protocol

from pydantic import BaseModel
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from agents.base import Thought
from agents.budget import Ledger, Price, Refusal, Reservation, UnpricedModelError, tokens_worst
from agents.failure import WAIT_MAX_S, CallFailedError, broken_stream, read_failure
from agents.question import JSON_FORM, Answer, Explained, Messages, Question, Stream, in_words
from agents.quoting import messages, redact, unfinished
from agents.tiers import Breakers, Model, Tiers
from memory.events import ModelCalled, Origin

__all__ = ["Cache", "Explained", "Gateway", "Stream"]

log = logging.getLogger(__name__)

ATTEMPTS_MAX = 3  # calls of one model for one question, before the next model is asked
MODELS_MAX = 4  # models asked for one question: an outage must not become a tour of the world
CALLS_AT_ONCE_MAX = 4  # backpressure: one operator does not read faster than this
PROMPT_MAX = 6000  # tokens that a prompt with all it may be told comes to; what is reserved is counted anew each time
MAX_TOKENS = 1000  # of an answer, when the caller says nothing
CACHE_TTL_S = 24 * 3600.0

_backoff = wait_random_exponential(multiplier=0.5, max=WAIT_MAX_S)


class Cache(Protocol):
    """Answers that would be given again. It may lose everything at any time and never raises."""

    async def get(self, key: str) -> str | None:
        """Return what was put, unless it is gone."""
        ...

    async def put(self, key: str, value: str, ttl_s: float) -> None:
        """Keep it for a while."""
        ...


class _RefusedError(Exception):
    """The budget said no; ``refusal`` has the sentence."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal


@dataclass
class _Attempt:
    """A question on its way to one model. What failed in a telling way is done without the next time."""

    question: Question
    model: Model
    sent: Messages
    stream: Stream | None
    native: bool  # the schema goes as a schema, else in words

    def learn(self, error: CallFailedError) -> None:
        if error.charged:  # it may have begun: what was shown so far is replaced by a whole answer
            self.stream = None
        if error.blame == "request" and self.native and self.question.schema is not None:
            self.native, error.again = False, True  # it may not know schemas

    @property
    def messages(self) -> list[dict[str, str]]:
        first, *rest = (dict(message) for message in self.sent)
        if self.question.schema is not None and not self.native:
            first["content"] += "\n" + in_words(self.question.schema)
        return [first, *rest]


class Gateway:
    """Asks models on the agents' behalf. Does nothing by itself: no call, no timer, no task while nobody asks."""

    def __init__(
        self,
        tiers: Tiers,
        ledger: Ledger,
        *,
        secrets: Sequence[str] = (),
        cache: Cache | None = None,
        explain: Callable[[Explained], None] | None = None,
        notice: Callable[[str], None] | None = None,
        timeout_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take what it needs; nothing is called or imported yet.

        Args:
            tiers: Which models.
            ledger: Where every call is reserved and settled.
            secrets: Values that must not leave the house, beside the models' own keys.
            cache: For deterministic answers; None keeps none.
            explain: Told once for each question.
            notice: Told what the operator must know: a warn level of the budget is reached, a key is refused.
            timeout_s: For one call, from the first byte to the last; None: as the settings say.
            clock: Steady seconds.
            sleep: Between retries.
        """
        self._tiers = tiers
        self._ledger = ledger
        self._secrets = tuple(secrets)
        self._cache = cache
        self._explain = explain
        self._notice = notice
        self._given_timeout_s = timeout_s
        self._clock = clock
        self._sleep = sleep
        self._breakers = Breakers()
        self._litellm = _Litellm()
        self._calls = asyncio.Semaphore(CALLS_AT_ONCE_MAX)

    def troubles(self) -> tuple[str, ...]:
        """Return a sentence for each model that cannot be asked now, and one for a key behind several."""
        models = {model.name: model for tier in self._tiers.models.values() for model in tier}
        told = (self._breakers.trouble(model, self._clock()) for model in models.values())
        return tuple(dict.fromkeys(filter(None, told)))

    async def unpriced(self) -> tuple[str, ...]:
        """Return a sentence for each model that is set up and not used, because nobody knows what it costs."""
        found = []
        for model in {model.name: model for tier in self._tiers.models.values() for model in tier}.values():
            try:
                model.price or await self._litellm.price(model)
            except UnpricedModelError as error:
                found.append(str(error))
        return tuple(found)

    def at_most(self, tier: str) -> str:
        """Return what one question to a tier costs at most, in words; "" without a model, or where it is free.

        The price list is looked at only once it is loaded: a plan does not wait for it, and says tokens instead.
        """
        candidates = self._tiers.order(tier)
        if not candidates:
            return ""
        price = candidates[0].price or self._litellm.price_at_hand(candidates[0])
        if price is None:
            return f"{PROMPT_MAX + MAX_TOKENS:,} tokens"
        cost = price.cost(PROMPT_MAX, MAX_TOKENS)
        return f"{cost.quantize(Decimal('0.001'), ROUND_UP)} USD" if cost else ""

    def has_models(self) -> bool:
        """Return whether any model is set up: where none is, nothing need be looked up for it."""
        return any(self._tiers.models.values())

    @property
    def _hidden(self) -> tuple[str, ...]:
        """What must not leave the house, nor stand in a chat."""
        return (*self._secrets, *self._tiers.secrets)

    async def close(self) -> None:
        """Let go of connections."""
        await self._litellm.close()

    async def ask(
        self,
        purpose: str,
        prompt: str,
        *,
        material: Sequence[tuple[Origin, str]] = (),
        schema: type[BaseModel] | None = None,
        tier: str = "small",
        task: str = "",
        origin: Origin = Origin.SYSTEM,
        workflow: str = "",
        agent: str = "",
        stream: Stream | None = None,
        refs: Sequence[str] = (),
        left_out: Sequence[str] = (),
        max_tokens: int = MAX_TOKENS,
        temperature: float = 0.0,
    ) -> Thought:
        """Ask a model; never raises for a model's sake (what ``stream`` itself raises does come out).

        Args:
            purpose: One word for the bill and for MODEL_TIERS: "triage", "proposal".
            prompt: Our own or the operator's words, never anybody else's.
            material: Everybody else's, quoted as such.
            schema: The answer is JSON that fits; `Thought.data` holds it.
            tier: local, small or large; failover goes to cheaper ones.
            task: On whose account; with ``origin``, ``workflow`` and ``agent``, counted in the budget.
            origin: Whose request this is.
            workflow: The playbook, if there is one.
            agent: Who asks.
            stream: Shown the answer while it is being written; not used with a schema.
            refs: Which memories are in the prompt, for the explain log.
            left_out: What was kept out of it, each with the reason, for the same.
            max_tokens: The longest answer; the reservation counts on all of it.
            temperature: 0 is deterministic, and may be answered from the cache.

        Returns:
            The answer, or why there is none in `Thought.problem`: then use the template.
        """
        chosen = self._tiers.tier_for(purpose, tier)
        secrets = self._hidden
        sent = messages(prompt, material, secrets=secrets, form=JSON_FORM if schema else "")
        shown = stream if schema is None else None
        question = Question(purpose, chosen, task, workflow, origin, agent, schema, shown, max_tokens, temperature)
        steps: list[str] = []
        thought, decision = await self._down_the_list(question, sent, steps)
        if self._explain is not None:
            self._explain(
                Explained(
                    purpose=purpose,
                    task=task,
                    workflow=workflow,
                    origin=origin,
                    agent=agent,
                    tier=chosen,
                    messages=tuple((message["role"], message["content"]) for message in sent),
                    refs=tuple(refs),
                    steps=tuple(steps),
                    decision=decision,
                    model=thought.model,
                    answer=redact(thought.text, secrets),
                    left_out=tuple(left_out),
                )
            )
        return thought

    async def _down_the_list(self, question: Question, sent: Messages, steps: list[str]) -> tuple[Thought, str]:
        candidates = self._tiers.order(question.tier)[:MODELS_MAX]
        if not candidates:
            steps.append("no model is set up")
            return Thought(problem="No model is set up, so I go on without one."), "no answer"
        refusal: Refusal | None = None
        for model in candidates:
            kept = await self._cached(question, model, sent)
            if kept is not None:
                return kept, "cached"
            resting = self._breakers.resting(model, self._clock())
            if resting:
                steps.append(resting)
                continue
            try:
                thought = await self._one_model(question, model, sent)
            except _RefusedError as error:
                refusal = error.refusal
                steps.append(f"{model.name}: {refusal.text}")
            except UnpricedModelError as error:
                steps.append(str(error))
            except CallFailedError as error:
                steps.append(f"{model.name}: {error.what}")
                log.warning("%s did not answer for %s: %s.", model.name, question.purpose, error.what)
            else:
                steps.append(f"{model.name}: answered")
                return thought, "answered"
        problem = refusal.text if refusal else f"No model could answer, so I go on without one ({'; '.join(steps)})."
        return Thought(problem=problem), "no answer"

    async def _one_model(self, question: Question, model: Model, sent: Messages) -> Thought:
        """Ask one model, with retries, and once more when its JSON does not fit."""
        try:
            answer = await self._with_retries(question, model, sent)
            thought = question.read(model, answer)
            if isinstance(thought, str):
                repair = [*sent, {"role": "assistant", "content": answer.text}, {"role": "user", "content": thought}]
                thought = question.read(model, await self._with_retries(question, model, repair))
        except CallFailedError as error:
            news = self._breakers.blame(model, error.blame, self._clock(), error.retry_after_s)
            if news and self._notice is not None:
                self._notice(news)
            raise
        self._breakers.answered(model)
        if isinstance(thought, str):
            raise CallFailedError("its JSON did not fit, twice", blame="answer")
        if self._cache is not None and question.deterministic:
            await self._cache.put(question.key(model, sent), thought.text, CACHE_TTL_S)
        return thought

    async def _cached(self, question: Question, model: Model, sent: Messages) -> Thought | None:
        if self._cache is None or not question.deterministic:
            return None
        text = await self._cache.get(question.key(model, sent))
        thought = question.read(model, Answer(text, 0, 0)) if text is not None else None
        if not isinstance(thought, Thought):
            return None
        if question.stream is not None:
            await question.stream(redact(thought.text, self._hidden))
        nothing = Reservation("", question.wanted(model, Decimal(0), 0))
        await self._settle(nothing, question.called(model, (0, 0), Decimal(0), cached=True))
        return thought

    async def _with_retries(self, question: Question, model: Model, sent: Messages) -> Answer:
        attempt = _Attempt(question, model, sent, question.stream, model.native_schema)
        retrying = AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS_MAX),
            wait=_wait,
            retry=retry_if_exception(_worth_another),
            sleep=self._sleep,
            reraise=True,
        )
        async for turn in retrying:
            with turn:
                try:
                    answer = await self._call(attempt)
                except CallFailedError as error:
                    attempt.learn(error)
                    raise
        if question.stream is not None:
            await question.stream(redact(answer.text, self._hidden))
        return answer

    async def _call(self, attempt: _Attempt) -> Answer:
        """Reserve, call, settle. A call that may have been charged is counted at its worst case."""
        question, model = attempt.question, attempt.model
        async with self._calls:
            await self._litellm.library()  # before the clock of the call starts
            price = model.price or await self._litellm.price(model)
            worst = (question.worst_in(attempt.messages), question.max_tokens)
            worst_usd = price.cost(*worst)
            reserved = await self._ledger.reserve(question.wanted(model, worst_usd, sum(worst)))
            if isinstance(reserved, Refusal):
                raise _RefusedError(reserved)
            try:
                answer = await self._listen(attempt)
            except BaseException as error:
                # Cancelled, timed out, broken off, or the chat is gone: the provider may have worked all the same.
                if isinstance(error, CallFailedError) and not error.charged:
                    await self._ledger.release(reserved)
                else:
                    await self._settle(reserved, question.called(model, worst, worst_usd))
                raise
            used = (answer.tokens_in, answer.tokens_out)
            if not any(used):  # a server that does not count: then we do, and never too low
                used = (worst[0], tokens_worst([answer.text]))
            await self._settle(reserved, question.called(model, used, price.cost(*used)))
        if not answer.whole:
            raise CallFailedError(f"its answer was cut off at {question.max_tokens} tokens", blame="answer")
        if not answer.text.strip():
            raise CallFailedError("its answer was empty", blame="answer")
        return answer

    async def _listen(self, attempt: _Attempt) -> Answer:
        answer, shown = Answer("", 0, 0), ""
        timeout_s = self._given_timeout_s or self._tiers.timeout_s
        try:
            async with asyncio.timeout(timeout_s), aclosing(self._litellm.answers(attempt)) as answers:
                async for answer in answers:
                    if attempt.stream is not None and (begun := unfinished(answer.text, self._hidden)) != shown:
                        shown = begun
                        await attempt.stream(shown)
        except TimeoutError as error:
            raise CallFailedError(f"no answer within {timeout_s:g} s", charged=True) from error
        return answer

    async def _settle(self, reserved: Reservation, called: ModelCalled) -> None:
        for warned in await self._ledger.settle(reserved, called):
            if self._notice is not None:
                self._notice(warned.text)


def _worth_another(error: BaseException) -> bool:
    return isinstance(error, CallFailedError) and error.again


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    if isinstance(error, CallFailedError) and error.blame == "wait":
        return error.retry_after_s
    return _backoff(state)


# ── litellm ───────────────────────────────────────────────────────────────────────────────────────────────────────


class _Litellm:
    """litellm itself, once somebody needs it. Nothing above this line knows its shapes."""

    def __init__(self) -> None:
        self._library: Any = None
        self._lock = asyncio.Lock()

    async def library(self) -> Any:
        async with self._lock:
            if self._library is None:
                self._library = await asyncio.to_thread(_import)
        return self._library

    async def close(self) -> None:
        if self._library is None:
            return
        worker = importlib.import_module("litellm.litellm_core_utils.logging_worker").GLOBAL_LOGGING_WORKER
        await worker.flush()  # it counts our calls behind our back; cut short, it complains
        await worker.stop()
        await self._library.close_litellm_async_clients()
        # Closed clients stay in its cache otherwise, and the next gateway of this process would be handed one.
        self._library.in_memory_llm_clients_cache.flush_cache()

    async def price(self, model: Model) -> Price:
        """Return litellm's price.

        Raises:
            UnpricedModelError: It knows none.
        """
        return _price(await self.library(), model)

    def price_at_hand(self, model: Model) -> Price | None:
        """Return litellm's price, None while it is not loaded or knows none."""
        with contextlib.suppress(UnpricedModelError):
            return _price(self._library, model) if self._library is not None else None
        return None

    async def answers(self, attempt: _Attempt) -> AsyncGenerator[Answer]:
        """Yield the answer; while it is streamed, again and again as it grows."""
        library = await self.library()
        question, model, streaming = attempt.question, attempt.model, attempt.stream is not None
        extra: dict[str, Any] = {"response_format": question.schema} if question.schema and attempt.native else {}
        if streaming:
            extra |= {"stream": True, "stream_options": {"include_usage": True}}
        begun = False
        try:
            answer = await library.acompletion(
                model=model.route,
                messages=attempt.messages,
                api_key=model.key or "none",  # empty, it would take a key it finds in the environment
                api_base=model.base_url,
                max_tokens=question.max_tokens,
                temperature=question.temperature,
                max_retries=0,  # retries are ours; below this line there would be more of them, uncounted
                num_retries=0,
                drop_params=True,
                **extra,
            )
            begun = streaming
            if not streaming:
                yield _whole(answer)
                return
            async for grown in _growing(answer):
                yield grown
        except CallFailedError:
            raise
        except Exception as error:  # litellm's errors have no common base, and bugs below it look the same
            raise (broken_stream() if begun else read_failure(error)) from error


def _price(library: Any, model: Model) -> Price:
    try:
        info = library.get_model_info(model.route)
    except Exception as error:  # it raises a bare Exception for a model it does not know
        raise UnpricedModelError(model.name) from error
    costs = [info.get("input_cost_per_token"), info.get("output_cost_per_token")]
    if model.home_made or not all(costs):  # the same name elsewhere is another model; zero is not a price
        raise UnpricedModelError(model.name)
    # From its text, so that a float's tail does not enter the books.
    return Price(*(Decimal(str(cost)) * 1_000_000 for cost in costs))


async def _growing(chunks: Any) -> AsyncGenerator[Answer]:
    text, used, ending = "", (0, 0), None
    async for chunk in chunks:
        used = _used(chunk) or used
        for choice in chunk.choices:
            ending = choice.finish_reason or ending
            text += choice.delta.content or ""
        yield Answer(text, *used, whole=ending != "length")
    if ending is None:
        raise broken_stream()


def _whole(answer: Any) -> Answer:
    choice = answer.choices[0]
    used = _used(answer) or (0, 0)
    return Answer(choice.message.content or "", *used, whole=choice.finish_reason != "length")


def _used(answer: Any) -> tuple[int, int] | None:
    usage = getattr(answer, "usage", None)
    return (usage.prompt_tokens or 0, usage.completion_tokens or 0) if usage is not None else None


def _import() -> Any:
    """Import litellm so that it stays quiet and at home. Runs in a thread."""
    # The environment is read in bot/settings.py alone. This is written, before the import that reads it: otherwise
    # litellm fetches a price list and a list of headers from the network, and loads any .env file that it finds.
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    os.environ["LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS"] = "True"
    os.environ["LITELLM_MODE"] = "PRODUCTION"
    import litellm

    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.disable_aiohttp_transport = True  # httpx closes cleanly; two HTTP clients would be one too many
    # Its loggers repeat prompts and providers' errors. Ours say what happened in our own words.
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(name).disabled = True
    logging.getLogger("openai").setLevel(logging.WARNING)  # its DEBUG holds whole requests
    return litellm
