"""Which models *local*, *small* and *large* mean, in order of preference, and which of them rest at the moment.

Everything comes from settings that are handed in::

    tiers = Tiers.read({"MODEL_SMALL": "openai/gpt-4.1-mini, ollama/llama3.2", "OPENAI_API_KEY": "sk-..."})
    tiers.order("small")  # the models to try, best first; large falls to small, small falls to local

A model is named ``provider/model``. The provider decides where the call goes and what it needs: ``openai`` and
``anthropic`` want a key, ``ollama`` runs on the operator's own machine and costs nothing, ``compatible`` is any server
that speaks OpenAI's language, at ``COMPATIBLE_BASE_URL``.

`Breakers` remembers who failed. It has no clock of its own: the caller says what time it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Self

from agents.budget import Price
from connectors.base import Setting

FREE = Price(Decimal(0), Decimal(0))
TIERS = ("large", "small", "local")  # from dear to cheap: failover goes down, never up
TIMEOUT_S = 60.0
AUTH_REST_S = 3600.0  # a refused key is tried again after an hour: there may be credit behind it by then
COOLDOWN_S = 30.0  # after a failure that outlived its retries; doubles up to the next line
COOLDOWN_MAX_S = 900.0

SETTINGS = (
    Setting("MODEL_LOCAL", "Models on your own machine, best first, like ollama/llama3.2; empty: none."),
    Setting(
        "MODEL_SMALL",
        "Cheap models for reading and sorting, best first. Those without a key are left out.",
        default="openai/gpt-4.1-mini,anthropic/claude-haiku-4-5",
    ),
    Setting(
        "MODEL_LARGE",
        "Strong models for writing and planning, best first. Those without a key are left out.",
        default="openai/gpt-4.1,anthropic/claude-sonnet-4-5",
    ),
    Setting("MODEL_TIERS", "Choose the tier by purpose, like: proposal=large,triage=local; empty: as the agents ask."),
    Setting(
        "MODEL_PRICES",
        "Prices of models we do not know, in USD a million tokens in:out, like: compatible/mine=0.10:0.40. "
        "Without a price a model is not used.",
    ),
    Setting("MODEL_TIMEOUT_S", "How long one answer of a model may take, in seconds.", default=f"{TIMEOUT_S:g}"),
    Setting("OPENAI_API_KEY", "Key from platform.openai.com, API keys.", secret=True),
    Setting("OPENAI_BASE_URL", "Where OpenAI answers.", default="https://api.openai.com/v1"),
    Setting("ANTHROPIC_API_KEY", "Key from console.anthropic.com, API keys.", secret=True),
    Setting("ANTHROPIC_BASE_URL", "Where Anthropic answers.", default="https://api.anthropic.com"),
    Setting("OLLAMA_BASE_URL", "Where Ollama listens.", default="http://127.0.0.1:11434"),
    Setting("COMPATIBLE_BASE_URL", "A server that speaks OpenAI's language (vLLM, llama.cpp), with /v1 at the end."),
    Setting("COMPATIBLE_API_KEY", "Its key, where it wants one.", secret=True),
)


class TierError(ValueError):
    """The settings name a model that cannot be understood; the message says which setting and how it should look."""


@dataclass(frozen=True)
class Provider:
    """How a kind of server is reached: its name in litellm, and which settings hold key and address."""

    route: str
    base: str
    key: str = ""
    needs: str = ""  # the setting without which there is nobody to call
    price: Price | None = None


PROVIDERS: Mapping[str, Provider] = {
    "openai": Provider("openai", "OPENAI_BASE_URL", key="OPENAI_API_KEY", needs="OPENAI_API_KEY"),
    "anthropic": Provider("anthropic", "ANTHROPIC_BASE_URL", key="ANTHROPIC_API_KEY", needs="ANTHROPIC_API_KEY"),
    "ollama": Provider("ollama_chat", "OLLAMA_BASE_URL", needs="OLLAMA_BASE_URL", price=FREE),
    "compatible": Provider("openai", "COMPATIBLE_BASE_URL", key="COMPATIBLE_API_KEY", needs="COMPATIBLE_BASE_URL"),
}


@dataclass(frozen=True)
class Model:
    """One model that could be called.

    Attributes:
        name: As the operator wrote it, ``"openai/gpt-4.1-mini"``; what events and cards say.
        route: litellm's name for it.
        key: The secret; never shown, not even by ``repr``.
        setting: Which setting holds the key, or the address where there is none: what the operator has to look at.
        price: The operator's, or nothing for a model at home; None: litellm's price list is asked.
    """

    name: str
    tier: str
    route: str
    key: str = field(default="", repr=False)
    setting: str = ""
    base_url: str = ""
    price: Price | None = None

    @property
    def home_made(self) -> bool:
        """Whether it is some server that speaks OpenAI's language; its models' names say nothing about them."""
        return self.name.startswith("compatible/")

    @property
    def native_schema(self) -> bool:
        """Whether the provider takes a JSON schema; else it is told in words."""
        return not self.home_made

    @property
    def account(self) -> str:
        """Who is asked: a refused key stops every model behind it. Keys change by starting again."""
        return f"{self.name.partition('/')[0]}|{self.base_url}"


@dataclass(frozen=True)
class Tiers:
    """The operator's choice, read once. ``missing`` holds one sentence for each model that cannot be used."""

    models: Mapping[str, tuple[Model, ...]]  # tier → best first
    by_purpose: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    timeout_s: float = TIMEOUT_S

    @classmethod
    def read(cls, values: Mapping[str, str]) -> Self:
        """Read the settings; a name that is absent has its default from `SETTINGS`.

        Raises:
            TierError: A model, price, tier or time is written in a way that makes no sense.
        """
        known = {setting.name: values.get(setting.name, setting.default).strip() for setting in SETTINGS}
        prices = {name: _price(name, text) for name, text in _pairs("MODEL_PRICES", known["MODEL_PRICES"])}
        by_purpose = dict(_pairs("MODEL_TIERS", known["MODEL_TIERS"]))
        for purpose, tier in by_purpose.items():
            if tier not in TIERS:
                raise TierError(f"MODEL_TIERS gives {purpose!r} the tier {tier!r}; there are local, small and large.")
        models: dict[str, tuple[Model, ...]] = {}
        missing: list[str] = []
        for tier in TIERS:
            setting = f"MODEL_{tier.upper()}"
            names = [name.strip() for name in known[setting].split(",") if name.strip()]
            found = [_model(name, tier, setting, known, prices) for name in names]
            models[tier] = tuple(item for item in found if isinstance(item, Model))
            missing += [item for item in found if isinstance(item, str)]
        timeout_s = _seconds("MODEL_TIMEOUT_S", known["MODEL_TIMEOUT_S"])
        return cls(models=models, by_purpose=by_purpose, missing=tuple(missing), timeout_s=timeout_s)

    def tier_for(self, purpose: str, asked: str) -> str:
        """Return the tier for a task: the operator's word for this purpose, else what the agent asked for."""
        tier = self.by_purpose.get(purpose, asked)
        return tier if tier in TIERS else "small"

    def order(self, tier: str) -> tuple[Model, ...]:
        """Return every model to try for a tier, best first: its own, then the cheaper tiers', each once."""
        found: dict[str, Model] = {}
        for step in TIERS[TIERS.index(tier) :]:
            for model in self.models.get(step, ()):
                found.setdefault(model.name, model)
        return tuple(found.values())

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every key in here, for whoever has to keep them out of something."""
        return tuple({model.key for tier in self.models.values() for model in tier if model.key})


class Breakers:
    """Who rests until when. Times are seconds on any steady clock of the caller's."""

    def __init__(self) -> None:
        self._rests: dict[str, tuple[float, str]] = {}
        self._failures: dict[str, int] = {}
        self._refused: dict[str, str] = {}  # account → what the operator is told

    def resting(self, model: Model, now: float) -> str:
        """Return why the model must not be called now, or an empty string when it may be."""
        for key in (model.account, model.name):
            until, why = self._rests.get(key, (0.0, ""))
            if now < until:
                return f"{model.name}: {why}"
        return ""

    def trouble(self, model: Model, now: float) -> str:
        """Return what the operator should know of this model: as `resting`, but a refused key stays one until it works."""
        return self._refused.get(model.account) or self.resting(model, now)

    def blame(self, model: Model, blame: str, now: float, retry_after_s: float = COOLDOWN_S) -> str:
        """Take note of a failed call; ``blame`` is `agents.failure.CallFailedError.blame`.

        Returns:
            A sentence for the operator when this is news that nobody else can mend, else "".
        """
        match blame:
            case "key":  # no call to any model behind it for an hour
                self._rests[model.account] = (now + AUTH_REST_S, f"the provider refused the key in {model.setting}")
                known = model.account in self._refused
                self._refused[model.account] = refused(model)
                return "" if known else refused(model)
            case "wait":
                self._rests[model.name] = (now + retry_after_s, "the provider asked us to wait")
            case "model":  # it failed, retries and all: it rests twice as long each time in a row
                count = self._failures.get(model.name, 0)
                self._failures[model.name] = count + 1
                rest_s = min(COOLDOWN_S * 2 ** min(count, 10), COOLDOWN_MAX_S)
                self._rests[model.name] = (now + rest_s, "it failed a moment ago")
            case _:
                pass  # it answered, only not what we wanted
        return ""

    def answered(self, model: Model) -> None:
        """It works."""
        self._failures.pop(model.name, None)
        self._rests.pop(model.name, None)
        self._rests.pop(model.account, None)
        self._refused.pop(model.account, None)


def refused(model: Model) -> str:
    """Return what the operator is told when a provider does not take the key."""
    provider = model.name.partition("/")[0]
    return (
        f"{provider} at {model.base_url} refused the key in {model.setting}: it is wrong, or there is no credit behind it. "
        "Mend it and start me again; until then I go on without its models."
    )


def _model(name: str, tier: str, setting: str, known: Mapping[str, str], prices: Mapping[str, Price]) -> Model | str:
    kind, slash, rest = name.partition("/")
    provider = PROVIDERS.get(kind)
    if provider is None or not slash or not rest:
        raise TierError(
            f"{setting} names {name!r}. A model is written provider/model, and the provider is one of "
            f"{', '.join(PROVIDERS)}, like openai/gpt-4.1-mini."
        )
    if not known[provider.needs]:
        return f"{name} ({tier}) is not used: {provider.needs} is empty."
    return Model(
        name=name,
        tier=tier,
        route=f"{provider.route}/{rest}",
        key=known[provider.key] if provider.key else "",
        setting=provider.key or provider.base,
        base_url=known[provider.base],
        price=prices.get(name, provider.price),
    )


def _pairs(setting: str, text: str) -> list[tuple[str, str]]:
    pairs = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        left, equals, right = part.rpartition("=")
        if not equals or not left.strip() or not right.strip():
            raise TierError(f"{setting} holds {part!r}; it should look like name=value, several separated by commas.")
        pairs.append((left.strip(), right.strip()))
    return pairs


def _seconds(setting: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise TierError(f"{setting} is {text!r}; it should be a number of seconds above zero, like {TIMEOUT_S:g}.")
    return seconds


def _price(name: str, text: str) -> Price:
    left, _, right = text.partition(":")
    try:
        price = Price(Decimal(left), Decimal(right))
    except InvalidOperation as error:
        raise TierError(f"MODEL_PRICES gives {name} the price {text!r}; it should look like 0.10:0.40.") from error
    if not all(part.is_finite() and part >= 0 for part in (price.usd_in, price.usd_out)):
        raise TierError(f"MODEL_PRICES gives {name} the price {text!r}; a price is zero or more.")
    return price
