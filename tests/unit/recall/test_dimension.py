"""Local intrinsic dimension: what is drawn in d dimensions has about d."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.recall.dimension import local_dimension
from palimpsest.index.types import Distance


@pytest.mark.parametrize("dimension", [2, 8])
def test_a_ball_has_its_dimension(dimension: int) -> None:
    rng = np.random.default_rng(1)
    lengths = np.sort(rng.random((200, 100)) ** (1 / dimension)).astype(np.float32)
    found = [local_dimension(each, Distance.EUCLID) for each in lengths]
    assert np.mean([one for one in found if one]) == pytest.approx(dimension, rel=0.1)


def test_cosines_are_taken_as_distances_between_unit_vectors() -> None:
    lengths = np.linspace(0.1, 1, 100)
    cosines = (lengths**2 / 2 - 1).astype(np.float32)  # negated, as searches give them
    by_cosine = local_dimension(cosines, Distance.COSINE)
    assert by_cosine == pytest.approx(
        local_dimension(lengths.astype(np.float32), Distance.EUCLID), rel=1e-3
    )


def test_where_there_is_none_to_tell() -> None:
    same = np.full(100, 0.5, dtype=np.float32)
    assert local_dimension(same, Distance.EUCLID) is None
    assert local_dimension(np.zeros(100, np.float32), Distance.EUCLID) is None  # copies
    assert local_dimension(-np.ones(100, np.float32), Distance.COSINE) is None
    assert local_dimension(np.arange(19, dtype=np.float32), Distance.EUCLID) is None
    assert local_dimension(-np.arange(100, dtype=np.float32), Distance.DOT) is None
