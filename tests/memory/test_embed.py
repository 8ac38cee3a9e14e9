"""The embedding model: the export says what the original says, and a missing one is told in a sentence."""

import json
from pathlib import Path

import numpy as np
import pytest

from memory import embed

TEXTS = [
    "yes",
    "Acme pays in 14 days, net, and wants the invoice on paper.",
    "The retainer went from 1,000 to 1,200 EUR in March because two more pages were ordered. " * 6,
    "",
    "Größe 12, naïve café, 東京",
    "word " * 400,
]

try:
    SOURCE = embed._model_folder()
except embed.ExportError:
    SOURCE = None

models = pytest.mark.models
needs_model = pytest.mark.skipif(SOURCE is None, reason="the embedding model is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("models") / "minilm"
    embed.export(target)
    return target


@models
@needs_model
def test_the_export_says_what_sentence_transformers_says_in_a_batch_of_different_lengths(folder) -> None:
    from sentence_transformers import SentenceTransformer

    original = SentenceTransformer(str(SOURCE), device="cpu", local_files_only=True)
    expected = original.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False)
    ours = embed.load(folder).embed(TEXTS)
    assert ours.dtype == np.float32
    assert ours.shape == (len(TEXTS), embed.DIMENSIONS)
    assert np.abs(ours - expected).max() < 2e-6
    assert np.abs(np.linalg.norm(ours, axis=1) - 1).max() < 1e-5


@models
@needs_model
def test_the_parity_test_would_see_a_mask_that_is_ignored(folder) -> None:
    """The twin: padding without its mask, which is what one example tensor for two inputs comes to."""
    model = embed.load(folder)
    alone = model.embed([TEXTS[1]])
    ids = model._tokenizer.encode(TEXTS[1]).ids + [0] * 40
    wrong = model._session.run(
        None, {"input_ids": np.array([ids], np.int64), "attention_mask": np.ones((1, len(ids)), np.int64)}
    )[0]
    assert np.abs(alone - wrong).max() > 1e-3


@models
@needs_model
def test_the_small_model_is_near_and_has_a_stamp_of_its_own(folder) -> None:
    exact, small = embed.load(folder), embed.load(folder, int8=True)
    assert exact.stamp != small.stamp
    assert (exact.embed(TEXTS) * small.embed(TEXTS)).sum(1).min() > 0.8
    assert exact.embed([]).shape == (0, embed.DIMENSIONS)


@models
@needs_model
def test_a_torn_export_is_not_loaded(folder, tmp_path) -> None:
    torn = tmp_path / "minilm"
    torn.mkdir()
    for path in folder.iterdir():
        (torn / path.name).write_bytes(path.read_bytes())
    assert embed.load(torn).dims == embed.DIMENSIONS
    with (torn / embed.FP32).open("rb+") as file:
        file.truncate(1000)
    with pytest.raises(embed.ModelMissingError, match=r"no whole model\.onnx"):
        embed.load(torn)


def test_a_missing_model_is_told_with_what_to_do(tmp_path) -> None:
    with pytest.raises(embed.ModelMissingError, match=r"memory\.embed"):
        embed.load(tmp_path / "nothing")


def test_a_stamp_that_is_no_json_object_is_a_missing_model(tmp_path) -> None:
    for content in (b"", b"[]", b"{}", b'{"sizes": 3}', json.dumps({"sizes": {}, "stamp": "x"}).encode()):
        (tmp_path / embed.STAMP).write_bytes(content)
        with pytest.raises(embed.ModelMissingError):
            embed.load(Path(tmp_path))
