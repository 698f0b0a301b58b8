"""Scores of one metric as those of another: there and back, in the same order, at every end."""

from __future__ import annotations

import json
from itertools import product

import numpy as np
import pytest

from palimpsest.index.adapters.estimating import (
    FEWEST,
    Metric,
    ScoreMap,
    best_score,
    converted,
    estimated,
    fit_score_map,
    learn_score_map,
    projected,
    scored,
    usual_length,
)
from palimpsest.index.adapters.kinds import fit, make_pairs
from palimpsest.index.types import Distance

COSINE, DOT, EUCLID, MANHATTAN = Distance


def metric(distance: Distance, query: float = 2.0, rows: float = 3.0) -> Metric:
    return Metric(distance, 16, np.array([query]), rows)


@pytest.mark.parametrize("distance", list(Distance))
def test_scores_come_back_from_their_projections(distance: Distance) -> None:
    known = {COSINE: [-1, 0.25, 1], DOT: [-7, 0, 1e6], EUCLID: [-4.5, -2, -1.1]}
    scores = np.array(known.get(distance, [-16.0, -9, -4]), dtype=np.float32)
    back = scored(projected(scores, metric(distance)), metric(distance))
    np.testing.assert_allclose(back, scores, rtol=1e-5)


@pytest.mark.parametrize(("own", "wanted"), list(product(Distance, Distance)))
def test_conversion_keeps_the_order(own: Distance, wanted: Distance) -> None:
    scores = np.array([0.9, 0.5, 0.1], dtype=np.float32) - (4 if own in (EUCLID, MANHATTAN) else 0)
    found = converted(scores, metric(own), metric(wanted))
    assert found.dtype == np.float32 and (np.diff(found) <= 0).all()
    assert (found <= best_score(wanted)).all()
    if own is wanted is COSINE:
        assert found is scores


def test_queries_and_rows_without_length_give_finite_scores() -> None:
    scores = np.zeros(3, dtype=np.float32)
    for own, wanted in product(Distance, Distance):
        nothing = metric(own, 0.0, 0.0), metric(wanted, 0.0, 0.0)
        assert np.isfinite(converted(scores, *nothing)).all(), (own, wanted)


def test_a_map_goes_on_beyond_its_ends_and_never_decreases() -> None:
    bridged = np.array([[0.9, 0.8, 0.7, 0.6, 0.5]] * 4)
    found = fit_score_map(bridged, bridged * 2 - 1, (1.0, 1.0))
    at = np.array([-5.0, 0.5, 0.7, 0.9, 5.0])
    levels = found.of(at)
    assert (np.diff(levels) > 0).all()
    assert levels[1:4].tolist() == pytest.approx([0.0, 0.4, 0.8])


def test_constant_projections_still_tell_what_is_closer_beyond_them() -> None:
    constant = np.full((3, 4), 0.5)
    levels = fit_score_map(constant, constant, (1.0, 1.0)).of(np.array([0.4, 0.5, 0.6]))
    assert levels[0] < levels[1] < levels[2]


def test_a_map_comes_back_from_json_bit_by_bit(rng: np.random.Generator) -> None:
    bridged = -np.sort(-rng.standard_normal((5, 20)), axis=1)
    found = fit_score_map(bridged, np.tanh(bridged), (0.1 + 0.2, 1e-300))
    back = ScoreMap.from_json(json.loads(json.dumps(found.to_json())))
    np.testing.assert_array_equal(back.bridged, found.bridged)
    np.testing.assert_array_equal(back.native, found.native)
    assert (back.slopes, back.lengths) == (found.slopes, found.lengths)
    for wrong in ({}, {**found.to_json(), "slopes": [1.0]}, {**found.to_json(), "lengths": None}):
        with pytest.raises((LookupError, TypeError, ValueError)):
            ScoreMap.from_json(wrong)


def test_maps_are_learned_of_kinds_that_do_not_estimate_alone(rng: np.random.Generator) -> None:
    rows = rng.standard_normal((200, 8))
    pairs = make_pairs(rows, 5 * rows[:, ::-1], EUCLID, EUCLID)
    fitted, held = pairs.take(slice(120)), pairs.take(slice(120, None))
    turned = fit("procrustes", fitted, EUCLID, EUCLID)
    none = pairs.take(slice(0))
    assert learn_score_map(turned, none, pairs.take(slice(FEWEST - 1)), EUCLID, EUCLID) is None
    assert learn_score_map(turned, none, pairs.take(slice(FEWEST)), EUCLID, EUCLID) is not None
    learned = learn_score_map(turned, held, fitted, EUCLID, EUCLID)
    assert learned is not None
    query = pairs.queries[0]
    own = -np.linalg.norm(pairs.rows - turned.map_query(query).vector, axis=1)
    found = estimated(turned, learned, own.astype(np.float32), EUCLID, query[None])
    assert usual_length(pairs.queries) == pytest.approx(5 * usual_length(pairs.rows))
    assert found.min() < 2 * own.min(), "distances are of the longer vectors"


def test_the_best_score_is_what_a_copy_gets() -> None:
    assert [best_score(one) for one in (COSINE, DOT, EUCLID, MANHATTAN)] == [1, np.inf, 0, 0]
