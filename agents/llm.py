"""The only door to litellm: ask a model, within the budget, and never be stopped by one.

::

    gateway = Gateway(tiers, ledger, secrets=secrets)
    thought = await gateway.ask("triage", "Sort this mail.", material=[(Origin.CLIENT, mail)], schema=Sorted, task="12")
    thought.problem  # a sentence when there is no answer; the caller falls back to its template

One `ask` goes down the tier's list. Each model in turn: is the answer in the cache, does it rest, may it be spent
(`agents/budget.py`), then the call, with our own retries. What cannot be answered is a `Thought` with a problem; a
provider's own words never come out of here, because they may repeat a key or a prompt.

litellm is imported on first use, in a thread: three CPU-seconds that neither start nor first answer wait for. Version
1.99.4 exactly: 1.82.7 and 1.82.8 were malicious, 1.102 and later break tools and cache hits in the base install.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import json
import logging
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import Any, Protocol

from pydantic import BaseModel, ValidationError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from agents.base import Thought
from agents.budget import Ledger, Price, Refusal, Reservation, UnpricedModelError, Wanted, Warned, tokens_worst
from agents.quoting import messages, redact
from agents.tiers import Breakers, Model, Tiers
from memory.events import ModelCalled, Origin

log = logging.getLogger(__name__)

ATTEMPTS_MAX = 3  # calls of one model for one question, before the next model is asked
MODELS_MAX = 4  # models asked for one question: an outage must not become a tour of the world
WAIT_MAX_S = 8.0  # a longer "retry after" than this is somebody else's turn
CALLS_AT_ONCE_MAX = 4  # backpressure: one operator does not read faster than this
RETRY_AFTER_S = 20.0  # when a provider says "wait" without saying how long
RETRY_AFTER_MAX_S = 3600.0
CLIENT_ERROR, SERVER_ERROR = 400, 500  # the first HTTP status of each kind
CAUSES_MAX = 10
WRONG_MAX = 5  # complaints about one answer
SCHEMA_TOKENS = 500  # what a provider may add around a schema
JSON_FORM = "Answer with one JSON object and nothing else."
MAX_TOKENS = 1000  # of an answer, when the caller says nothing
CACHE_TTL_S = 24 * 3600.0
TIMEOUT_S = 60.0

_backoff = wait_random_exponential(multiplier=0.5, max=WAIT_MAX_S)

Stream = Callable[[str], Awaitable[None]]
"""Called with the whole answer *so far*, so that a stream which broke can begin again. The caller slows it down."""


class Cache(Protocol):
    """Answers that would be given again. It may lose everything at any time and never raises."""

    async def get(self, key: str) -> str | None:
        """Return what was put, unless it is gone."""
        ...

    async def put(self, key: str, value: str, ttl_s: float) -> None:
        """Keep it for a while."""
        ...


@dataclass(frozen=True)
class Explained:
    """Why an answer is what it is, secrets left out: for the explain log.

    Attributes:
        messages: What was sent, (role, text), the same to every model.
        refs: The memories and records the caller put into it.
        steps: What happened on the way, in order: refusals, failures, failovers.
        decision: How it ended: ``"answered"``, ``"cached"`` or ``"no answer"``.
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


@dataclass(frozen=True)
class _Question:
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

    def key(self, model: Model, sent: Sequence[Mapping[str, str]]) -> str:
        """Return the cache's key: everything the answer depends on."""
        form = self.schema.model_json_schema() if self.schema else None
        parts = [model.route, model.base_url, list(sent), form, self.max_tokens]
        return "answer:" + hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class _Answer:
    text: str
    tokens_in: int
    tokens_out: int
    whole: bool = True


class _CallFailedError(Exception):
    """One call brought no answer. ``charged``: it may be on the bill all the same."""

    def __init__(
        self, what: str, *, again: bool = False, charged: bool = False, key: bool = False, form: bool = False,
        retry_after_s: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__(what)
        self.what = what
        self.again = again
        self.charged = charged
        self.key = key
        self.form = form
        self.retry_after_s = retry_after_s


class _RefusedError(Exception):
    """The budget said no; ``refusal`` has the sentence."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal


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
        notice: Callable[[Warned], None] | None = None,
        timeout_s: float = TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._tiers = tiers
        self._ledger = ledger
        self._secrets = tuple(secrets)
        self._cache = cache
        self._explain = explain
        self._notice = notice
        self._timeout_s = timeout_s
        self._clock = clock
        self._sleep = sleep
        self._breakers = Breakers()
        self._litellm = _Litellm()
        self._calls = asyncio.Semaphore(CALLS_AT_ONCE_MAX)

    def configure(self, tiers: Tiers) -> None:
        """Take new settings; a key that was refused stays so, another key starts afresh."""
        self._tiers = tiers

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
        max_tokens: int = MAX_TOKENS,
        temperature: float = 0.0,
    ) -> Thought:
        """Ask a model; never raises for a model's sake.

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
            max_tokens: The longest answer; the reservation counts on all of it.
            temperature: 0 is deterministic, and may be answered from the cache.

        Returns:
            The answer, or why there is none in `Thought.problem`: then use the template.
        """
        chosen = self._tiers.tier_for(purpose, tier)
        secrets = (*self._secrets, *self._tiers.secrets)
        sent = messages(prompt, material, secrets=secrets, form=JSON_FORM if schema else "")
        question = _Question(
            purpose, chosen, task, workflow, origin, agent, schema, stream, max_tokens, temperature
        )  # fmt: skip
        steps: list[str] = []
        thought, decision = await self._answer(question, sent, steps)
        if self._explain is not None:
            texts = tuple((message["role"], message["content"]) for message in sent)
            answer = redact(thought.text, secrets)
            self._explain(
                Explained(
                    purpose, task, workflow, origin, agent, chosen, texts, tuple(refs), tuple(steps), decision,
                    thought.model, answer,
                )
            )  # fmt: skip
        return thought

    # ── down the list ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _answer(
        self, question: _Question, sent: Sequence[dict[str, str]], steps: list[str]
    ) -> tuple[Thought, str]:
        candidates = self._tiers.order(question.tier)[:MODELS_MAX]
        if not candidates:
            steps.append("no model is set up")
            return Thought(problem="No model is set up, so I go on without one."), "no answer"
        for model in candidates:
            found = await self._cached(question, model, sent)
            if found is not None:
                return found, "cached"
        refusal: Refusal | None = None
        for model in candidates:
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
            except _CallFailedError as error:
                steps.append(f"{model.name}: {error.what}")
                log.warning("%s did not answer for %s: %s.", model.name, question.purpose, error.what)
            else:
                steps.append(f"{model.name}: answered")
                return thought, "answered"
        return Thought(problem=refusal.text if refusal else _no_answer(steps)), "no answer"

    async def _one_model(self, question: _Question, model: Model, sent: Sequence[dict[str, str]]) -> Thought:
        """Ask one model, with retries, and once more when its JSON does not fit."""
        try:
            answer = await self._with_retries(question, model, sent)
            thought = _read(question, model, answer)
            if isinstance(thought, str):
                repair = [*sent, {"role": "assistant", "content": answer.text}, {"role": "user", "content": thought}]
                answer = await self._with_retries(question, model, repair)
                thought = _read(question, model, answer)
        except _CallFailedError as error:
            self._rest(model, error)
            raise
        self._breakers.answered(model)
        if isinstance(thought, str):
            raise _CallFailedError("its JSON did not fit, twice")
        if self._cache is not None and question.temperature == 0:
            await self._cache.put(question.key(model, sent), thought.text, CACHE_TTL_S)
        return thought

    def _rest(self, model: Model, error: _CallFailedError) -> None:
        now = self._clock()
        if error.key:
            self._breakers.key_refused(model, now)
        elif error.retry_after_s is not None:
            self._breakers.rate_limited(model, now, error.retry_after_s)
        elif not error.form:
            self._breakers.failed(model, now)

    async def _cached(self, question: _Question, model: Model, sent: Sequence[dict[str, str]]) -> Thought | None:
        if self._cache is None or question.temperature != 0:
            return None
        text = await self._cache.get(question.key(model, sent))
        thought = _read(question, model, _Answer(text, 0, 0)) if text is not None else None
        if not isinstance(thought, Thought):
            return None
        if question.stream is not None:
            await question.stream(thought.text)
        called = _called(question, model, 0, 0, Decimal(0), cached=True)
        await self._settle(Reservation("", _wanted(question, model, Decimal(0), 0)), called)
        return thought

    # ── one call ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _with_retries(self, question: _Question, model: Model, sent: Sequence[dict[str, str]]) -> _Answer:
        stream = question.stream if question.schema is None else None
        native = model.native_schema
        retrying = AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS_MAX),
            wait=_wait,
            retry=retry_if_exception(_worth_another),
            sleep=self._sleep,
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                try:
                    answer = await self._call(
                        question, model, _with_schema(question, sent, native=native), stream, native=native
                    )
                except _CallFailedError as error:
                    if error.charged:  # it may have begun: what was shown so far is replaced by a whole answer
                        stream = None
                    if error.form and native and question.schema is not None:
                        native, error.again = False, True  # it may not know schemas: it is told in words
                    raise
        if question.stream is not None and stream is None and question.schema is None:
            await question.stream(answer.text)
        return answer

    async def _call(
        self, question: _Question, model: Model, sent: Sequence[dict[str, str]], stream: Stream | None, *, native: bool
    ) -> _Answer:
        """Reserve, call, settle. A call that may have been charged is counted at its worst case."""
        async with self._calls:
            price = model.price or await self._litellm.price(model)
            worst_in = tokens_worst([message["content"] for message in sent])
            worst_in += tokens_worst([_schema_text(question.schema)]) + SCHEMA_TOKENS if question.schema else 0
            worst_usd = price.cost(worst_in, question.max_tokens)
            reserved = await self._ledger.reserve(_wanted(question, model, worst_usd, worst_in + question.max_tokens))
            if isinstance(reserved, Refusal):
                raise _RefusedError(reserved)
            worst = _called(question, model, worst_in, question.max_tokens, worst_usd)
            try:
                answer = await self._listen(question, model, sent, stream, native=native)
            except _CallFailedError as error:
                await (self._settle(reserved, worst) if error.charged else self._ledger.release(reserved))
                raise
            except BaseException:  # cancelled, or the chat is gone: the provider may have worked all the same
                await self._settle(reserved, worst)
                raise
            used = (answer.tokens_in, answer.tokens_out)
            if not any(used):  # a server that does not count: then we do, and never too low
                used = (worst_in, tokens_worst([answer.text]))
            await self._settle(reserved, _called(question, model, *used, price.cost(*used)))
        if not answer.whole:
            raise _CallFailedError(f"its answer was cut off at {question.max_tokens} tokens")
        if not answer.text.strip():
            raise _CallFailedError("its answer was empty")
        return answer

    async def _listen(
        self, question: _Question, model: Model, sent: Sequence[dict[str, str]], stream: Stream | None, *, native: bool
    ) -> _Answer:
        answers = self._litellm.answers(
            question, model, sent, self._timeout_s, streaming=stream is not None, native=native
        )
        answer = _Answer("", 0, 0)
        try:
            async with asyncio.timeout(self._timeout_s), aclosing(answers):
                async for now in answers:
                    if stream is not None and now.text != answer.text:
                        await stream(now.text)
                    answer = now
        except TimeoutError as error:
            raise _CallFailedError(f"no answer within {self._timeout_s:g} s", charged=True) from error
        return answer

    async def _settle(self, reserved: Reservation, called: ModelCalled) -> None:
        for warned in await self._ledger.settle(reserved, called):
            if self._notice is not None:
                self._notice(warned)


class _Litellm:
    """litellm itself, once somebody needs it. Nothing outside this class knows its shapes."""

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
        library = await self.library()
        try:
            info = library.get_model_info(model.route)
        except Exception as error:  # it raises a bare Exception for a model it does not know
            raise UnpricedModelError(model.name) from error
        costs = [info.get("input_cost_per_token"), info.get("output_cost_per_token")]
        if model.home_made or not all(costs):  # the same name elsewhere is another model; zero is not a price
            raise UnpricedModelError(model.name)
        # From its text, so that a float's tail does not enter the books.
        return Price(*(Decimal(str(cost)) * 1_000_000 for cost in costs))

    async def answers(
        self,
        question: _Question,
        model: Model,
        sent: Sequence[dict[str, str]],
        timeout_s: float,
        *,
        streaming: bool,
        native: bool,
    ) -> AsyncGenerator[_Answer]:
        """Yield the answer; with ``streaming``, again and again as it grows."""
        library = await self.library()
        extra: dict[str, Any] = {"response_format": question.schema} if question.schema and native else {}
        if streaming:
            extra |= {"stream": True, "stream_options": {"include_usage": True}}
        begun = False
        try:
            answer = await library.acompletion(
                model=model.route,
                messages=[dict(message) for message in sent],
                api_key=model.key or "none",  # empty, it would take a key it finds in the environment
                api_base=model.base_url,
                max_tokens=question.max_tokens,
                temperature=question.temperature,
                timeout=timeout_s,
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
        except _CallFailedError:
            raise
        except Exception as error:  # litellm's errors have no common base, and bugs below it look the same
            raise (_broken_stream() if begun else _read_failure(error)) from error


async def _growing(chunks: Any) -> AsyncGenerator[_Answer]:
    text, tokens_in, tokens_out, ending = "", 0, 0, None
    async for chunk in chunks:
        usage = getattr(chunk, "usage", None)
        if usage is not None:
            tokens_in, tokens_out = usage.prompt_tokens or 0, usage.completion_tokens or 0
        for choice in chunk.choices:
            ending = choice.finish_reason or ending
            text += choice.delta.content or ""
        yield _Answer(text, tokens_in, tokens_out, whole=ending != "length")
    if ending is None:
        raise _broken_stream()


def _broken_stream() -> _CallFailedError:
    return _CallFailedError("its stream broke off", again=True, charged=True)


def _whole(answer: Any) -> _Answer:
    choice = answer.choices[0]
    usage = getattr(answer, "usage", None)
    return _Answer(
        choice.message.content or "",
        getattr(usage, "prompt_tokens", 0) or 0,
        getattr(usage, "completion_tokens", 0) or 0,
        whole=choice.finish_reason != "length",
    )


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


def _read_failure(error: BaseException) -> _CallFailedError:
    """Say what went wrong in our own words: the provider's may repeat the key or the prompt."""
    response = next((r for e in _chain(error) if (r := _response(e)) is not None), None)
    if response is None:
        names = {type(e).__name__ for e in _chain(error)}
        if names & {"Timeout", "APITimeoutError", "ReadTimeout"}:
            return _CallFailedError("it took too long", charged=True)
        return _CallFailedError(
            "the connection failed", again=True, charged=not names & {"ConnectError", "ConnectTimeout"}
        )
    status = response.status_code
    match status:
        case 401 | 402 | 403:
            return _CallFailedError(f"the provider refused the key ({status})", key=True)
        case 429:
            wait_s = _retry_after_s(response.headers.get("retry-after"))
            return _CallFailedError(
                "the provider asked us to wait (429)", again=wait_s <= WAIT_MAX_S, retry_after_s=wait_s
            )
        case 400 | 422:
            return _CallFailedError(f"the provider did not take the request ({status})", form=True)
        case _:
            what = f"the provider answered {status}"
            return _CallFailedError(what, again=status >= SERVER_ERROR, charged=status < CLIENT_ERROR)


def _response(error: BaseException) -> Any:
    """Return the HTTP response behind an error; litellm makes up a 500 where there was none, so only others count."""
    at_home = type(error).__module__.partition(".")[0] in {"httpx", "openai"}
    response = getattr(error, "response", None) if at_home else None
    return response if hasattr(response, "status_code") else None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(CAUSES_MAX):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


def _retry_after_s(header: str | None) -> float:
    try:
        wait_s = float(header or "")
    except ValueError:
        return RETRY_AFTER_S
    return min(max(wait_s, 0.0), RETRY_AFTER_MAX_S) if isfinite(wait_s) else RETRY_AFTER_S


def _worth_another(error: BaseException) -> bool:
    return isinstance(error, _CallFailedError) and error.again


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    if isinstance(error, _CallFailedError) and error.retry_after_s is not None:
        return error.retry_after_s
    return _backoff(state)


# ── words and numbers ─────────────────────────────────────────────────────────────────────────────────────────────


def _read(question: _Question, model: Model, answer: _Answer) -> Thought | str:
    """Return the thought, or what to tell the model when its JSON does not fit."""
    if question.schema is None:
        return Thought(text=answer.text, model=model.name)
    text = _bare(answer.text)
    try:
        value = question.schema.model_validate_json(text)
    except ValidationError as error:
        # Place and kind only: pydantic's full message repeats the input.
        wrong = [f"{'.'.join(map(str, item['loc'])) or 'all of it'}: {item['type']}" for item in error.errors()]
        return f"That did not fit ({'; '.join(wrong[:WRONG_MAX])}). {_in_words(question.schema)}"
    return Thought(text=text, data=value.model_dump(mode="json"), model=model.name)


def _bare(text: str) -> str:
    """Return JSON without the code fence that some models put around it."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        return text.partition("\n")[2].removesuffix("```").strip()
    return text


def _with_schema(question: _Question, sent: Sequence[dict[str, str]], *, native: bool) -> list[dict[str, str]]:
    """Return the messages, with the schema in words for a server that takes none."""
    if question.schema is None or native:
        return list(sent)
    rule = {"role": "system", "content": f"{sent[0]['content']}\n{_in_words(question.schema)}"}
    return [rule, *sent[1:]]


def _in_words(schema: type[BaseModel]) -> str:
    return f"Answer with one JSON object that fits this schema, and nothing else: {_schema_text(schema)}"


def _schema_text(schema: type[BaseModel]) -> str:
    return json.dumps(schema.model_json_schema(), separators=(",", ":"))


def _wanted(question: _Question, model: Model, usd: Decimal, tokens: int) -> Wanted:
    return Wanted(question.task, question.workflow, question.origin, model.name, usd, tokens)


def _called(
    question: _Question, model: Model, tokens_in: int, tokens_out: int, usd: Decimal, *, cached: bool = False
) -> ModelCalled:
    return ModelCalled(
        model=model.name,
        tier=model.tier,
        purpose=question.purpose,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cost_usd=f"{usd:f}",
        cached=cached,
        agent=question.agent,
    )


def _no_answer(steps: Sequence[str]) -> str:
    return f"No model could answer, so I go on without one ({'; '.join(steps)})."
