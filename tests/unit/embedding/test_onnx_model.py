"""Models in a folder give what their graph says, whatever texts come together."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palimpsest.index import InvalidConfig, OnnxModel
from palimpsest.index.embedding.onnx_model import pooled
from tests.unit.embedding.tiny import ROWS, SIZE, WORDS, write

OPTIONS: dict[str, Any] = {"pooling": "mean", "max_tokens": 4, "threads": 1}


def expected(words: list[str]) -> np.ndarray:
    mean = ROWS[[WORDS.index(word) for word in words]].mean(axis=0)
    return mean / np.linalg.norm(mean)


def test_means_leave_padding_out(tmp_path: Path) -> None:
    model = OnnxModel(write(tmp_path), SIZE, **OPTIONS)
    vectors, tokens = model.embed(["river", "river stone größe", "no stone no snow beyond"])
    assert tokens == 1 + 3 + 4  # the last is cut
    assert vectors.dtype == np.float32
    assert vectors[0] == pytest.approx(expected(["river"]), abs=1e-6)
    assert vectors[1] == pytest.approx(expected(["river", "stone", "größe"]), abs=1e-6)
    unknown = expected(["[UNK]", "stone", "[UNK]", "snow"])
    assert vectors[2] == pytest.approx(unknown, abs=1e-6)


def test_first_tokens(tmp_path: Path) -> None:
    model = OnnxModel(write(tmp_path), SIZE, **{**OPTIONS, "pooling": "cls"})
    assert model.embed(["snow stone"])[0][0] == pytest.approx(expected(["snow"]), abs=1e-6)


def test_a_text_without_tokens_is_no_division_by_zero(tmp_path: Path) -> None:
    vectors, tokens = OnnxModel(write(tmp_path), SIZE, **OPTIONS).embed(["", "river"])
    assert tokens == 1
    assert not vectors[0].any() and np.isfinite(vectors).all()


def test_pooling() -> None:
    states = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    assert pooled(states, np.array([[1, 1, 0]]), "mean").tolist() == [[2, 3, 4, 5]]
    assert pooled(states, np.array([[1, 1, 1]]), "cls").tolist() == [[0, 1, 2, 3]]


def test_what_cannot_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidConfig, match="cannot be loaded, expected model.onnx"):
        OnnxModel(tmp_path, SIZE, **OPTIONS)
    with pytest.raises(InvalidConfig, match="gives 4 dimensions: expected 5"):
        OnnxModel(write(tmp_path / "a"), 5, **OPTIONS)
    with pytest.raises(InvalidConfig, match="takes \\['pixels'\\]"):
        OnnxModel(write(tmp_path / "b", inputs=("pixels",)), SIZE, **OPTIONS)
    (tmp_path / "a" / "model.onnx").write_bytes(b"torn")
    with pytest.raises(InvalidConfig, match="cannot be loaded"):
        OnnxModel(tmp_path / "a", SIZE, **OPTIONS)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InvalidConfig, match="palimpsest-server\\[onnx\\]"):
        OnnxModel(tmp_path, SIZE, **OPTIONS)
