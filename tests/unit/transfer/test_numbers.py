"""Vectors as numbers, of the texts that they come as."""

from __future__ import annotations

import json

import numpy as np
import pytest

from palimpsest.app.transfer.numbers import read_dense, read_dense_rows, read_set, set_text
from palimpsest.app.transfer.rows import dense_text

ROWS = np.random.default_rng(1).standard_normal((3, 5)).astype(np.float32)


def test_texts_and_numbers_are_the_same() -> None:
    for row in ROWS:
        assert (read_dense(dense_text(row.data)) == row).all()
        assert (read_dense(json.dumps(row.tolist()).encode()) == row).all()
    assert (read_dense_rows([dense_text(row.data) for row in ROWS]) == ROWS).all()
    assert (read_set(set_text(ROWS)) == ROWS).all()


@pytest.mark.parametrize("text", [b"[1,", b'"!"', b"[[1]]", b"{}"])
def test_what_is_no_vector(text: bytes) -> None:
    with pytest.raises(ValueError):
        read_dense(text)
    with pytest.raises(ValueError):
        read_dense_rows([text])
    with pytest.raises(ValueError):
        read_set(b"[1]")
