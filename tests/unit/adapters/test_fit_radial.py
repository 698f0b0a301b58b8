"""The network beside the linear map: what bends is found, and progress is told."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.adapters.fit_radial import Draw, fit_radial
from palimpsest.index.adapters.pairs import Pairs
from palimpsest.index.adapters.solving import ridge
from palimpsest.index.adapters.watch import FitCancelled, Watch
from palimpsest.index.types import Distance


def bent(rng: np.random.Generator, n: int = 400) -> Pairs:
    rows = rng.standard_normal((n, 4))
    queries = np.hstack([np.abs(rows), rows[:, :2]])
    return Pairs(rows.astype(np.float32), queries.astype(np.float32))


def error(estimates: np.ndarray, pairs: Pairs) -> float:
    return float(np.square(estimates - pairs.queries).mean())


def test_it_estimates_what_no_linear_map_does(rng: np.random.Generator) -> None:
    pairs = bent(rng)
    fitted, held = pairs.take(slice(300)), pairs.take(slice(300, None))
    affine, shrinkage = ridge(fitted)
    adapter = fit_radial(fitted, affine, shrinkage, Distance.DOT, Draw(128, 1), Watch())
    assert adapter.kind == "mlp" and adapter.layer.weights.shape == (128, 6)
    linear = error(adapter.linear.map_rows(held.rows), held)
    assert error(adapter.map_rows(held.rows), held) < 0.4 * linear


def test_the_same_seed_gives_the_same_network_and_more_units_than_pairs_are_no_more(
    rng: np.random.Generator,
) -> None:
    pairs = bent(rng, 60)
    affine, shrinkage = ridge(pairs)
    one, same, other = (
        fit_radial(pairs, affine, shrinkage, Distance.COSINE, Draw(1_000, seed), Watch())
        for seed in (3, 3, 4)
    )
    assert len(one.units.centres) == 60
    np.testing.assert_array_equal(one.layer.weights, same.layer.weights)
    assert not np.array_equal(one.units.centres, other.units.centres)


def test_exact_copies_among_the_pairs_leave_the_weights_finite(rng: np.random.Generator) -> None:
    pairs = bent(rng, 40)
    copied = Pairs(*(np.repeat(one, 4, axis=0) for one in pairs))
    affine, shrinkage = ridge(copied)
    adapter = fit_radial(copied, affine, shrinkage, Distance.DOT, Draw(160, 0), Watch())
    assert np.isfinite(adapter.layer.weights).all()
    assert np.isfinite(adapter.map_rows(copied.rows)).all()


def test_it_tells_how_far_it_is_and_ends_when_told(rng: np.random.Generator) -> None:
    pairs, told = bent(rng, 60), list[float]()
    affine, shrinkage = ridge(pairs)
    fit_radial(pairs, affine, shrinkage, Distance.DOT, Draw(16, 0), Watch(told.append))
    assert told == sorted(told) and 0 < told[0] and told[-1] == pytest.approx(0.6)
    with pytest.raises(FitCancelled):
        stopped = Watch(cancelled=lambda: True)
        fit_radial(pairs, affine, shrinkage, Distance.DOT, Draw(16, 0), stopped)
