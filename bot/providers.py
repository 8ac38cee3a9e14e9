"""Who stands behind the models: is the provider there, does it take the key, does it offer what the settings name?

It is asked for its list of models, which costs nothing and asks no model anything::

    findings = await examine_models(Tiers.read(values))  # for `python -m bot doctor`

Sources: https://platform.openai.com/docs/api-reference/models/list, https://docs.anthropic.com/en/api/models-list,
https://github.com/ollama/ollama/blob/main/docs/api.md#list-local-models
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from agents.budget import Allowance, MemoryLedger
from agents.llm import Gateway
from agents.tiers import Model, Tiers, refused
from bot.doctor import Finding
from connectors.base import ConnectorError, Json
from connectors.client import Answer, Client

TIMEOUT_S = 10.0
REFUSED = (401, 402, 403)
ABSENT = 404  # a server of one's own may have no list
OFFERED_SHOWN = 5
ANTHROPIC_VERSION = "2023-06-01"
LISTS = {"openai": "/models", "compatible": "/models", "anthropic": "/v1/models", "ollama": "/api/tags"}


async def examine_models(tiers: Tiers) -> list[Finding]:
    """Return a finding for each provider that is set up, each model it does not offer, and each that has no price."""
    behind: dict[str, list[Model]] = {}
    for tier in tiers.models.values():
        for model in tier:
            behind.setdefault(model.account, []).append(model)
    findings = [Finding(ok=True, what=f"models: {sentence}") for sentence in tiers.missing]
    if not behind:
        findings.append(
            Finding(ok=True, what="models: none is set up; letters come from templates, plans from playbooks.")
        )
        return findings
    for models in behind.values():
        findings += await _provider(models)
    gateway = Gateway(tiers, MemoryLedger(Allowance(), lambda: datetime.now(UTC), ZoneInfo("UTC")))
    findings += [Finding(ok=False, what="models: " + sentence) for sentence in await gateway.unpriced()]
    await gateway.close()
    return findings


async def _provider(models: Sequence[Model]) -> list[Finding]:
    first = models[0]
    kind = first.name.partition("/")[0]
    where = f"{kind} at {first.base_url}"
    client = Client(
        kind, base_url=first.base_url, headers=_headers(first), secrets=[first.key], timeout_s=TIMEOUT_S, tries=1
    )
    try:
        answer = await client.request("GET", first.base_url.rstrip("/") + LISTS[kind], also=(*REFUSED, ABSENT))
        offered = _offered(answer)
    except ConnectorError as error:
        remedy = f"Look at the address in {kind.upper()}_BASE_URL, and whether the server runs."
        return [Finding(ok=False, what=f"models: {where} does not answer: {error}", remedy=remedy)]
    finally:
        await client.close()
    if answer.status in REFUSED:
        return [Finding(ok=False, what=f"models: {refused(first)}")]
    names = ", ".join(f"{model.name.partition('/')[2]} ({model.tier})" for model in models)
    found = [Finding(ok=True, what=f"models: {where} is there{' and takes the key' if first.key else ''}: {names}.")]
    return found + [_absent(model, kind, offered) for model in models if offered and not _is_offered(model, offered)]


def _headers(model: Model) -> Mapping[str, str]:
    if model.name.startswith("anthropic/"):
        return {"x-api-key": model.key, "anthropic-version": ANTHROPIC_VERSION}
    return {"Authorization": f"Bearer {model.key}"} if model.key else {}


def _offered(answer: Answer) -> list[str]:
    """Return the names on the list; none where there is no list to be read."""
    said = answer.json() if answer.status not in (*REFUSED, ABSENT) else {}
    rows = (said.get("data") or said.get("models") or []) if isinstance(said, dict) else []
    return [name for row in rows if isinstance(row, dict) and (name := _name(row))]


def _name(row: Mapping[str, Json]) -> str:
    return str(row.get("id") or row.get("name") or "")


def _is_offered(model: Model, offered: Sequence[str]) -> bool:
    """Whether a name is on the list, whole or as the beginning of a dated one ("claude-haiku-4-5-20251001", "llama3.2:latest")."""
    name = model.name.partition("/")[2]
    return any(each == name or each.startswith((f"{name}-", f"{name}:")) for each in offered)


def _absent(model: Model, kind: str, offered: Sequence[str]) -> Finding:
    name = model.name.partition("/")[2]
    get = f"Run: ollama pull {name}" if kind == "ollama" else f"Name another in MODEL_{model.tier.upper()}"
    some = ", ".join(offered[:OFFERED_SHOWN]) + (" …" if len(offered) > OFFERED_SHOWN else "")
    return Finding(ok=False, what=f"models: {kind} does not offer {name!r}.", remedy=f"{get}. It offers {some}.")
