"""A model of sentences in a folder, run in this process: an ONNX graph and its tokenizer.

The graph takes ``input_ids``, ``attention_mask`` and perhaps ``token_type_ids``, (n, t) int64 each,
and gives the states of tokens (n, t, d), which are pooled, or vectors (n, d), which are taken as
they are. Both are then of unit length, as models of sentences are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from palimpsest.index.errors import InvalidConfig
from palimpsest.index.types import Vectors

Pooling: TypeAlias = Literal["mean", "cls"]

GRAPH, TOKENIZER = "model.onnx", "tokenizer.json"
_TAKEN = ("input_ids", "attention_mask", "token_type_ids")
_EXTRA = "needs the extra `onnx`: pip install 'palimpsest-server[onnx]'"


class OnnxModel:
    """One loaded model; used by one thread at a time."""

    def __init__(
        self, folder: Path, size: int, *, pooling: Pooling, max_tokens: int, threads: int
    ) -> None:
        """Load the files of a folder.

        Args:
            folder: with ``model.onnx`` and ``tokenizer.json``.
            size: d, numbers of a vector.
            pooling: the mean of the tokens of a text, or its first token.
            max_tokens: of a text; what is beyond them is cut off.
            threads: that one run uses, 0 for one a core.

        Raises:
            InvalidConfig: the extra is not installed, a file is missing or cannot be read, or the
                graph has other inputs or outputs.
        """
        try:
            import onnxruntime
            from tokenizers import Tokenizer
        except ImportError as error:
            raise InvalidConfig(f"A model in a folder {_EXTRA} ({error})") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
            self._graph = onnxruntime.InferenceSession(
                folder / GRAPH, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # both libraries raise what they like
            raise InvalidConfig(
                f"The model in {folder} cannot be loaded, expected {GRAPH} and {TOKENIZER}: {error}"
            ) from None
        self._tokenizer.enable_truncation(max_tokens)
        self._tokenizer.enable_padding()
        self._inputs = [each.name for each in self._graph.get_inputs()]
        self._pooling, self._size = pooling, size
        output = self._graph.get_outputs()[0]
        if not set(self._inputs) <= set(_TAKEN) or len(output.shape) not in (2, 3):
            raise InvalidConfig(
                f"The model in {folder} takes {self._inputs} and gives {output.shape}: expected "
                f"some of {list(_TAKEN)}, and vectors of texts or of tokens"
            )
        if output.shape[-1] != size:
            raise InvalidConfig(
                f"The model in {folder} gives {output.shape[-1]} dimensions: expected {size}"
            )

    def embed(self, texts: Sequence[str]) -> tuple[Vectors, int]:
        """Return (n, d) float32 of unit length, and how many tokens n texts have."""
        encoded = self._tokenizer.encode_batch(list(texts))
        mask = np.array([each.attention_mask for each in encoded], dtype=np.int64)
        given: dict[str, Any] = {
            "input_ids": np.array([each.ids for each in encoded], dtype=np.int64),
            "attention_mask": mask,
            "token_type_ids": np.array([each.type_ids for each in encoded], dtype=np.int64),
        }
        found = self._graph.run(None, {name: given[name] for name in self._inputs})[0]
        vectors = pooled(found, mask, self._pooling) if found.ndim == 3 else found
        return _unit(vectors), int(mask.sum())


def pooled(states: np.ndarray[Any, Any], mask: np.ndarray[Any, Any], pooling: Pooling) -> Vectors:
    """Return one vector (n, d) of the states (n, t, d) of the tokens that a mask (n, t) shows."""
    if pooling == "cls":
        return np.asarray(states[:, 0], dtype=np.float32)
    weights = mask[:, :, None].astype(np.float32)
    summed = (states * weights).sum(axis=1, dtype=np.float32)
    means: Vectors = summed / np.maximum(weights.sum(axis=1), 1)
    return means


def _unit(vectors: np.ndarray[Any, Any]) -> Vectors:
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    units: Vectors = (vectors / np.maximum(lengths, np.finfo(np.float64).tiny)).astype(np.float32)
    return units
