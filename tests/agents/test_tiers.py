"""Which models a tier means, and who rests."""

from decimal import Decimal

import pytest

from agents.budget import Price
from agents.tiers import (
    AUTH_REST_S,
    COOLDOWN_MAX_S,
    COOLDOWN_S,
    FREE,
    PROVIDERS,
    SETTINGS,
    Breakers,
    Model,
    TierError,
    Tiers,
)

KEYS = {"OPENAI_API_KEY": "key-1", "ANTHROPIC_API_KEY": "key-2"}


def model(name: str = "openai/a", base_url: str = "https://api.example/v1") -> Model:
    return Model(name, "small", name, "key-1", "OPENAI_API_KEY", base_url)


def names(tiers: Tiers, tier: str) -> list[str]:
    return [found.name for found in tiers.order(tier)]


def test_with_nothing_set_there_is_no_model_and_it_is_said_why() -> None:
    tiers = Tiers.read({})

    assert [names(tiers, tier) for tier in ("large", "small", "local")] == [[], [], []]
    assert "openai/gpt-4.1-mini (small) is not used: OPENAI_API_KEY is empty." in tiers.missing


def test_a_key_is_enough_to_begin() -> None:
    tiers = Tiers.read({"OPENAI_API_KEY": "key-1"})

    assert names(tiers, "small") == ["openai/gpt-4.1-mini"]
    assert names(tiers, "large") == ["openai/gpt-4.1", "openai/gpt-4.1-mini"]


def test_failover_goes_down_the_list_and_from_dear_to_cheap() -> None:
    tiers = Tiers.read(
        KEYS | {"MODEL_LOCAL": "ollama/l", "MODEL_SMALL": "anthropic/s, openai/t", "MODEL_LARGE": "openai/x"}
    )

    assert names(tiers, "large") == ["openai/x", "anthropic/s", "openai/t", "ollama/l"]
    assert names(tiers, "small") == ["anthropic/s", "openai/t", "ollama/l"]
    assert names(tiers, "local") == ["ollama/l"], "never up: that would be an unasked-for bill"


def test_a_model_of_two_tiers_is_tried_once() -> None:
    tiers = Tiers.read(KEYS | {"MODEL_SMALL": "openai/a,openai/b", "MODEL_LARGE": "openai/b,openai/a"})

    assert names(tiers, "large") == ["openai/b", "openai/a"]


def test_the_operator_chooses_the_tier_by_purpose() -> None:
    tiers = Tiers.read({"MODEL_TIERS": "proposal=large, triage=local"})

    assert tiers.tier_for("proposal", "small") == "large"
    assert tiers.tier_for("triage", "large") == "local"
    assert tiers.tier_for("letter", "large") == "large"
    assert tiers.tier_for("letter", "enormous") == "small"


def test_each_provider_has_its_route_key_and_address() -> None:
    tiers = Tiers.read(
        KEYS
        | {
            "MODEL_SMALL": "openai/a,anthropic/b,ollama/c:8b,compatible/org/d",
            "COMPATIBLE_BASE_URL": "http://127.0.0.1:8000/v1",
            "MODEL_PRICES": "compatible/org/d=0.10:0.40",
        }
    )

    assert [(found.route, found.key, found.base_url, found.price) for found in tiers.order("small")] == [
        ("openai/a", "key-1", "https://api.openai.com/v1", None),
        ("anthropic/b", "key-2", "https://api.anthropic.com", None),
        ("ollama_chat/c:8b", "", "http://127.0.0.1:11434", FREE),
        ("openai/org/d", "", "http://127.0.0.1:8000/v1", Price(Decimal("0.10"), Decimal("0.40"))),
    ]


def test_a_key_never_shows() -> None:
    tiers = Tiers.read(KEYS)

    assert "key-1" not in repr(tiers)
    assert "key-1" not in tiers.order("small")[0].account
    assert sorted(tiers.secrets) == ["key-1", "key-2"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"MODEL_SMALL": "gpt-4.1"}, "written provider/model"),
        ({"MODEL_SMALL": "openai/"}, "written provider/model"),
        ({"MODEL_LARGE": "gemini/x"}, "MODEL_LARGE names 'gemini/x'"),
        ({"MODEL_TIERS": "draft=huge"}, "local, small and large"),
        ({"MODEL_TIERS": "draft"}, "name=value"),
        ({"MODEL_PRICES": "openai/a=1"}, "0.10:0.40"),
        ({"MODEL_PRICES": "openai/a=cheap:dear"}, "0.10:0.40"),
        ({"MODEL_PRICES": "openai/a=-1:2"}, "zero or more"),
        ({"MODEL_PRICES": "openai/a=NaN:2"}, "zero or more"),
        ({"MODEL_TIMEOUT_S": "soon"}, "number of seconds above zero"),
        ({"MODEL_TIMEOUT_S": "0"}, "number of seconds above zero"),
        ({"MODEL_TIMEOUT_S": "nan"}, "number of seconds above zero"),
    ],
)
def test_what_makes_no_sense_is_said(settings: dict[str, str], says: str) -> None:
    with pytest.raises(TierError, match=says):
        Tiers.read(KEYS | settings)


def test_every_setting_that_a_provider_wants_is_declared() -> None:
    declared = {setting.name: setting for setting in SETTINGS}

    for provider in PROVIDERS.values():
        assert provider.base in declared
        assert provider.needs in declared
        assert not provider.key or declared[provider.key].secret


def test_a_refused_key_stops_every_model_behind_it_and_no_other() -> None:
    breakers = Breakers()
    breakers.blame(model("openai/a"), "key", 0)

    assert "refused the key" in breakers.resting(model("openai/b"), now=1)
    assert breakers.resting(model("anthropic/a"), now=1) == ""
    assert breakers.resting(model("openai/a", base_url="https://other.example"), now=1) == ""
    assert breakers.resting(model("openai/a"), now=AUTH_REST_S) == ""


def test_cooling_down_takes_twice_as_long_each_time_and_never_for_ever() -> None:
    breakers, one, now, waits = Breakers(), model(), 0.0, []
    for _ in range(12):
        breakers.blame(one, "model", now)
        began = now
        while breakers.resting(one, now):
            now += COOLDOWN_S
        waits.append(now - began)

    assert waits[:3] == [COOLDOWN_S, 2 * COOLDOWN_S, 4 * COOLDOWN_S]
    assert max(waits) == COOLDOWN_MAX_S


def test_one_answer_forgives_everything() -> None:
    breakers, one = Breakers(), model()
    breakers.blame(one, "model", 0)
    breakers.blame(one, "model", 0)
    breakers.answered(one)
    assert breakers.resting(one, 1) == ""

    breakers.blame(one, "model", 100)
    assert breakers.resting(one, 100 + COOLDOWN_S) == "", "and it starts again at the shortest"


def test_only_the_model_that_was_limited_waits() -> None:
    breakers = Breakers()
    breakers.blame(model("openai/a"), "wait", 0, 20)

    assert "asked us to wait" in breakers.resting(model("openai/a"), now=19)
    assert breakers.resting(model("openai/a"), now=20) == ""
    assert breakers.resting(model("openai/b"), now=1) == ""
