"""A model of sentences small enough to be written by hand: each token looks up one row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers

WORDS = ("[PAD]", "[UNK]", "river", "stone", "snow", "größe")
SIZE = 4
ROWS = np.random.default_rng(11).standard_normal((len(WORDS), SIZE)).astype(np.float32)
_FLOAT, _INT = 1, 7  # element types


def write(folder: Path, rows: np.ndarray = ROWS, inputs: tuple[str, ...] | None = None) -> Path:
    """Write a folder with a model, of ``rows``, and its tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(_graph(rows, inputs or ("input_ids", "attention_mask")))
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def _graph(rows: np.ndarray, inputs: tuple[str, ...]) -> bytes:
    """One node, Gather of rows by ids, in the protocol buffers of ONNX."""
    table = b"".join(_number(1, each) for each in rows.shape)
    table += _number(2, _FLOAT) + _part(8, b"rows") + _part(9, rows.astype("<f4").tobytes())
    node = b"".join(
        (
            *(_part(1, b"rows"), _part(1, inputs[0].encode()), _part(2, b"states")),
            _part(4, b"Gather"),
        )
    )
    graph = _part(1, node) + _part(2, b"lookup") + _part(5, table)
    for name in inputs:
        graph += _part(11, _value(name, _INT, ("n", "t")))
    graph += _part(12, _value("states", _FLOAT, ("n", "t", rows.shape[1])))
    return _number(1, 8) + _part(7, graph) + _part(8, _number(2, 13))


def _value(name: str, kind: int, shape: tuple[int | str, ...]) -> bytes:
    sizes = b"".join(
        _part(1, _number(1, each) if isinstance(each, int) else _part(2, each.encode()))
        for each in shape
    )
    return _part(1, name.encode()) + _part(2, _part(1, _number(1, kind) + _part(2, sizes)))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _part(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])
