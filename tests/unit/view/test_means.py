"""Sets seen as one vector a point: the same rows, in parts that grow, are sealed, and lose rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pyroaring import BitMap

from palimpsest.index import Distance
from palimpsest.index.adapters.factors import SetMeans
from palimpsest.index.view.means import means_view, points_vectors
from tests.oracle import normalise
from tests.unit.versions.set_upgrade import SIZES, SetUpgrade


@pytest.fixture
def upgrade(tmp_path: Path) -> Iterator[SetUpgrade]:
    made = SetUpgrade(tmp_path / "collection", first="v2", n=60)
    yield made
    made.collection.close()


def plain(upgrade: SetUpgrade) -> np.ndarray:
    sets = [normalise(one) for one in upgrade.made["v2"]]
    return normalise(np.stack([one.mean(axis=0) for one in sets]).astype(np.float32))


def test_parts_of_sets_are_parts_of_their_means(upgrade: SetUpgrade) -> None:
    upgrade.collection.upsert(upgrade.batch("", "v2", range(40))).result()
    upgrade.seal()
    upgrade.collection.upsert(upgrade.batch("", "v2", range(40, 60))).result()
    upgrade.collection.delete([3, 50]).result()
    means, expected = SetMeans(SIZES["v2"], Distance.COSINE), plain(upgrade)
    view = upgrade.collection.view
    vectors = view.vectors[0]
    dense = means_view(vectors, means)
    assert dense.live == 58 and dense.held == vectors.held
    numbers = upgrade.collection.reading().numbers_of(list(range(60)))
    for part, own in zip(dense.parts, (part for part in vectors.parts if part.n), strict=True):
        assert part.key == own.key and part.n == own.n
        rows = np.arange(part.n)
        points = [
            numbers.index(one) for one in part.columns.numbers[rows].tolist() if one in numbers
        ]
        live = part.dead.live_rows(part.n)
        assert part.source.vectors_of(live) == pytest.approx(expected[points], abs=2e-3)
        assert np.array_equal(part.source.find(own.columns.slots[rows]), rows)
    slots = np.concatenate([part.columns.slots[: part.n] for part in vectors.parts])
    found, complete = points_vectors(vectors, slots)
    assert complete and len(found) == 60
    assert not points_vectors(vectors, np.array([10**9], np.uint64))[1]
    only = dense.only(BitMap(vectors.held[:5]))
    assert only.live == 5


def test_means_follow_a_part_that_grows_and_go_with_one_that_is_gone(upgrade: SetUpgrade) -> None:
    means = SetMeans(SIZES["v2"], Distance.COSINE)
    assert means_view(upgrade.collection.view.vectors[0], means).live == 0
    for n in (5, 30):
        upgrade.collection.upsert(upgrade.batch("", "v2", range(n - 5, n))).result()
        means_view(upgrade.collection.view.vectors[0], means)
    (part,) = upgrade.collection.view.vectors[0].growing
    assert means.has(part.key, 10) and means.nbytes >= 10 * SIZES["v2"] * 4
    means.keep(())
    assert not means.has(part.key, 1)
