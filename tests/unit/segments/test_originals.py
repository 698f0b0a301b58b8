"""Copies of vectors as they are kept: read back as near as the form allows, and finite."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.segments.originals import SCALE_BYTES, keep, restore

ROWS = np.array(
    [[1, -2, 0.5], [0, 0, 0], [3e38, -3e38, 1], [1e-30, 2e-30, 0], [2e-43, -2e-43, 1e-45]],
    dtype=np.float32,
)


def test_float32_is_the_rows_themselves_and_none_is_nothing() -> None:
    assert keep(ROWS, "float32") is ROWS and keep(ROWS, "none") is None
    assert restore(ROWS).tobytes() == ROWS.tobytes()


def test_halves_never_become_infinite() -> None:
    kept = keep(ROWS, "float16")
    assert kept is not None and kept.dtype == np.float16
    back = restore(kept)
    assert back.dtype == np.float32 and np.isfinite(back).all()
    assert back[0].tolist() == [1, -2, 0.5] and back[2].tolist() == [65_504, -65_504, 1]


@pytest.mark.filterwarnings("ignore:overflow")
def test_bytes_are_within_half_a_step_of_the_row_whatever_its_size() -> None:
    kept = keep(ROWS, "int8")
    assert kept is not None and kept.shape == (5, SCALE_BYTES + 3) and kept.dtype == np.uint8
    back = restore(kept)
    assert np.isfinite(back).all() and back[1].tolist() == [0, 0, 0]
    steps = np.maximum(np.abs(ROWS.astype(np.float64)).max(axis=1, keepdims=True) / 127, 1.5e-45)
    assert (np.abs(back[:4].astype(np.float64) - ROWS[:4]) <= 0.51 * steps[:4]).all()


@pytest.mark.parametrize("largest", [1e-45, 1.4e-44, 1e-43, 2e-43, 2.6e-43, 1e-42, 1e-38])
def test_rows_next_to_zero_do_not_turn_around(largest: float) -> None:
    row = np.array([[largest, -largest, 0]], dtype=np.float32)
    kept = keep(row, "int8")
    assert kept is not None
    ((ahead, behind, nothing),) = restore(kept).tolist()
    assert ahead >= 0 >= behind and ahead == -behind and nothing == 0
    assert ahead <= 2 * row[0, 0]


def test_exact_copies_are_kept_alike() -> None:
    copies = np.repeat(ROWS[:1], 3, axis=0)
    for originals in ("float16", "int8"):
        kept = keep(copies, originals)  # type: ignore[arg-type]
        assert kept is not None and len({row.tobytes() for row in kept}) == 1
