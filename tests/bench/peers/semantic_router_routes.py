"""semantic-router 1.1.1 on given vectors; runs in the peers' own environment, and imports nothing of ours.

Usage: ``python semantic_router_routes.py FOLDER`` where the folder holds ``asked.json`` (``routes``: name → sentences,
``parts``: name → messages) and ``vectors.npy`` with ``texts.json`` naming its rows. It leaves ``answered.json``: for each
way of adding up and each part, a list of ``[[name, score], ...]`` and of CPU milliseconds, without the embedding.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from semantic_router import IndexedRouter, Route  # type: ignore[import-not-found, unused-ignore]
from semantic_router.encoders import DenseEncoder  # type: ignore[import-not-found, unused-ignore]

WAYS = ("mean", "max", "sum")
TOP_K = 10


def main() -> None:
    """Answer what was asked."""
    folder = Path(sys.argv[1])
    asked = json.loads((folder / "asked.json").read_text())
    rows = np.load(folder / "vectors.npy")
    vectors = dict(zip(json.loads((folder / "texts.json").read_text()), rows.tolist(), strict=True))

    class Given(DenseEncoder):  # type: ignore[misc, unused-ignore]
        name: str = "given"

        def __call__(self, docs: list[Any]) -> list[list[float]]:
            return [vectors[doc] for doc in docs]

        async def acall(self, docs: list[Any]) -> list[list[float]]:
            return self(docs)

    routes = [Route(name=name, utterances=sentences) for name, sentences in asked["routes"].items()]
    answered: dict[str, Any] = {}
    for way in WAYS:
        router = IndexedRouter(encoder=Given(), routes=routes, aggregation=way, top_k=TOP_K)
        answered[way] = {part: _answers(router, texts) for part, texts in asked["parts"].items()}
    (folder / "answered.json").write_text(json.dumps(answered))


def _answers(router: Any, texts: list[str]) -> dict[str, Any]:
    router(texts[0])
    found, cpu = [], []
    for text in texts:
        start = time.process_time()
        choices = router(text, limit=3)
        cpu.append(1000 * (time.process_time() - start))
        found.append([[each.name, each.confidence or 0.0] for each in (choices or []) if each.name])
    return {"found": found, "cpu_ms": cpu}


if __name__ == "__main__":
    main()
