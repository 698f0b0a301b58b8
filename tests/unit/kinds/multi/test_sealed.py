"""Segments whose arrays do not fit together are refused, though every checksum is right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palimpsest.index.config.multi import MultiConfig
from palimpsest.index.errors import Damaged
from palimpsest.index.kinds.multi.rows import starts_of
from palimpsest.index.kinds.multi.sealed import MultiSealed, describe
from palimpsest.index.storage.files import write_folder
from palimpsest.index.storage.local import Local
from palimpsest.index.types import Distance

SIZE, N = 3, 4
CONFIG = MultiConfig(SIZE, Distance.DOT)


def arrays() -> dict[str, Any]:
    counts = np.arange(1, N + 1)
    order = np.arange(N, dtype=np.uint64)
    return {
        "ids": order,
        "slots": order + 1,
        "by_slot": np.arange(N, dtype=np.uint32),
        "numbers": np.arange(N, dtype=np.uint32),
        "seqs": order,
        "starts": starts_of(counts),
        "kept": np.arange(counts.sum() * SIZE, dtype=np.float32).reshape(-1, SIZE),
    }


def opened(folder: Path, changed: Callable[[dict[str, Any]], None]) -> MultiSealed:
    held = arrays()
    changed(held)
    target = Local(folder / "segment")
    return MultiSealed.open(
        target,
        write_folder(target, held, {**describe(CONFIG, 0), "candidates": None, "probe": None}),
    )


def test_rows_are_those_written(tmp_path: Path) -> None:
    segment = opened(tmp_path, lambda held: None)
    some = segment.rows_of(np.array([2, 0]))
    assert some.starts.tolist() == [0, 3, 4]
    np.testing.assert_array_equal(some.values, arrays()["kept"][[3, 4, 5, 0]])
    assert not segment.is_outdated(CONFIG)
    assert segment.is_outdated(MultiConfig(SIZE, Distance.DOT, originals="float16"))


@pytest.mark.parametrize(
    "changed",
    [
        lambda held: held.update(starts=held["starts"][:-1]),
        lambda held: held.update(starts=held["starts"].astype(np.int32)),
        lambda held: held.update(starts=np.array([0, 1, 1, 6, 10])),
        lambda held: held.update(kept=held["kept"][1:]),
        lambda held: held.update(kept=held["kept"].astype(np.float64)),
        lambda held: held.update(kept=np.zeros((10, SIZE + 1), np.float32)),
        lambda held: held.update(token_lengths=np.zeros(3, np.float32)),
    ],
)
def test_arrays_that_do_not_fit_are_damage(
    tmp_path: Path, changed: Callable[[dict[str, Any]], None]
) -> None:
    with pytest.raises(Damaged):
        opened(tmp_path, changed)
