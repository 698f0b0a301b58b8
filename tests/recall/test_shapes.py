"""Recall at defaults on shapes of data that collections have, and on drawn ones.

``make shapes`` draws many more, from a seed that it prints, and takes 600,000 rows.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.recall.drawing import drawn
from tests.recall.measuring import measure
from tests.recall.shapes import NAMED, known_items, noisy_copies

DRAWN = int(os.environ.get("PALIMPSEST_SHAPES", "20"))
SEED = int(os.environ.get("PALIMPSEST_SHAPES_SEED", "1"))
COPIES = int(os.environ.get("PALIMPSEST_COPIES", "60000"))
MUST = 0.98  # in the mean of all drawn shapes
MUST_EACH = 0.95
LOST = 0.01  # of known items


@pytest.mark.parametrize("encoding", ["4", "float32"])
@pytest.mark.parametrize("name", list(NAMED))
def test_named_shapes(name: str, encoding: str, tmp_path: Path) -> None:
    shape = NAMED[name](np.random.default_rng(1))
    measured = measure(replace(shape, choices={"encoding": encoding}), tmp_path)
    assert measured.recall >= shape.must, measured


@pytest.mark.parametrize("encoding", ["1", "2", "8"])
@pytest.mark.parametrize("name", ["documents", "plane", "beside copies", "near-duplicates"])
def test_other_encodings(name: str, encoding: str, tmp_path: Path) -> None:
    shape = NAMED[name](np.random.default_rng(2))
    measured = measure(replace(shape, choices={"encoding": encoding}), tmp_path)
    assert measured.recall >= shape.must, measured


def test_drawn_shapes(tmp_path: Path) -> None:
    recalls = {}
    for seed in range(SEED, SEED + DRAWN):
        folder = tmp_path / str(seed)
        folder.mkdir()
        measured = measure(drawn(seed), folder)
        recalls[str(measured)] = measured.recall
    assert [name for name, recall in recalls.items() if recall < MUST_EACH] == []
    assert np.mean(list(recalls.values())) >= MUST


def test_passages_and_noisy_copies(tmp_path: Path) -> None:
    shape = noisy_copies(np.random.default_rng(1), COPIES)
    if shape is None:
        pytest.skip("no passages at hand")
    measured = measure(shape, tmp_path)
    assert measured.recall >= shape.must, measured


def test_known_items_are_not_lost(tmp_path: Path) -> None:
    """What exact search has among its ten, searches at defaults have too."""
    known = known_items()
    if known is None:
        pytest.skip("no passages at hand")
    shape, targets = known
    measured = measure(shape, tmp_path)
    found = [target in ids for target, ids in zip(targets, measured.found, strict=True)]
    best = [target in ids for target, ids in zip(targets, measured.best, strict=True)]
    lost = sum(one and not other for one, other in zip(best, found, strict=True))
    assert sum(best) > 100
    assert lost <= LOST * sum(best), (lost, sum(best))
