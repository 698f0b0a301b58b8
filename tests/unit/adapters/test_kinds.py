"""Every kind behind the protocol: twins, files, speed of the map."""

from __future__ import annotations

import json
from time import perf_counter

import numpy as np
import pytest

from palimpsest.index.adapters.kinds import (
    KINDS,
    Adapter,
    FitOptions,
    Kind,
    Pairs,
    adapter_from_json,
    best,
    bridged_scores,
    fit,
    make_pairs,
    native_scores,
    rescored,
)
from palimpsest.index.types import Distance, Vectors
from tests.oracle import normalise

COSINE, DOT, EUCLID, MANHATTAN = Distance
ROWS_SIZE, QUERIES_SIZE = 24, 32
INNER = [kind for kind in KINDS if kind != "identity"]


def related(
    rng: np.random.Generator, n: int, rows_size: int, queries_size: int, distance: Distance
) -> Pairs:
    """Two noisy looks at the same 16 hidden numbers, the second one bent."""
    hidden = rng.standard_normal((n, 16))
    rows = hidden @ rng.standard_normal((16, rows_size)) + 0.3
    queries = (hidden + 0.4 * np.tanh(2 * hidden)) @ rng.standard_normal((16, queries_size)) - 0.2
    rows += 0.3 * rng.standard_normal(rows.shape)
    queries += 0.3 * rng.standard_normal(queries.shape)
    return make_pairs(rows, queries, distance, distance)


def options_for(kind: Kind, rng: np.random.Generator) -> FitOptions:
    matrix = rng.standard_normal((QUERIES_SIZE, ROWS_SIZE)).astype(np.float32)
    return FitOptions(matrix=matrix if kind == "matrix" else None)


def fitted(kind: Kind, pairs: Pairs, distance: Distance, rng: np.random.Generator) -> Adapter:
    return fit(kind, pairs, distance, distance, options_for(kind, rng))


@pytest.mark.parametrize("distance", [COSINE, DOT])
@pytest.mark.parametrize("kind", INNER)
def test_every_kind_fits_inner_products_and_keeps_its_promises(
    kind: Kind, distance: Distance, rng: np.random.Generator
) -> None:
    pairs = related(rng, 300, ROWS_SIZE, QUERIES_SIZE, distance)
    adapter = fitted(kind, pairs, distance, rng)
    assert (adapter.kind, adapter.rows_size, adapter.queries_size) == (kind, 24, 32)
    vector, shift = adapter.map_query(pairs.queries[0])
    assert vector.shape == (ROWS_SIZE,) and vector.dtype == np.float32
    assert vector.flags.c_contiguous and isinstance(shift, float)
    factors = adapter.row_factors(pairs.rows)
    assert factors.shape == (300,) and factors.dtype == np.float32 and (factors > 0).all()
    assert adapter.scales_rows or (factors == 1).all()
    mapped = adapter.map_rows(pairs.rows)
    assert mapped.shape == (300, QUERIES_SIZE) and mapped.dtype == np.float32
    if distance is COSINE:
        np.testing.assert_allclose(np.linalg.norm(mapped, axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize("kind", ["procrustes", "procrustes_centred", "prefix", "matrix"])
@pytest.mark.parametrize("distance", [EUCLID, MANHATTAN])
def test_kinds_that_map_queries_serve_every_distance(
    kind: Kind, distance: Distance, rng: np.random.Generator
) -> None:
    pairs = related(rng, 300, ROWS_SIZE, QUERIES_SIZE, distance)
    adapter = fitted(kind, pairs, distance, rng)
    assert not adapter.scales_rows and adapter.map_query(pairs.queries[0]).shift == 0.0
    scores = bridged_scores(adapter, pairs.queries[:5], pairs.rows, distance)
    mapped = np.stack([adapter.map_query(query).vector for query in pairs.queries[:5]])
    order = 2 if distance is EUCLID else 1
    plain = [[-np.linalg.norm(row - one, ord=order) for row in pairs.rows] for one in mapped]
    np.testing.assert_allclose(scores, plain, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["ridge", "low_rank"])
@pytest.mark.parametrize("distance", [COSINE, DOT])
def test_a_scaled_mapped_query_scores_as_the_estimated_rows_do(
    kind: Kind, distance: Distance, rng: np.random.Generator
) -> None:
    pairs = related(rng, 300, ROWS_SIZE, QUERIES_SIZE, distance)
    adapter = fitted(kind, pairs, distance, rng)
    scores = bridged_scores(adapter, pairs.queries[:20], pairs.rows, distance)
    plain = pairs.queries[:20] @ adapter.map_rows(pairs.rows).T
    np.testing.assert_allclose(scores, plain, rtol=1e-4, atol=1e-4 * np.abs(plain).max())


@pytest.mark.parametrize("kind", [kind for kind in INNER if kind != "mlp"])
def test_rescoring_with_a_linear_map_changes_nothing(kind: Kind, rng: np.random.Generator) -> None:
    pairs = related(rng, 200, ROWS_SIZE, QUERIES_SIZE, COSINE)
    adapter = fitted(kind, pairs, COSINE, rng)
    assert not adapter.rescores
    scores = bridged_scores(adapter, pairs.queries[:5], pairs.rows, COSINE)
    for query, expected in zip(pairs.queries[:5], scores, strict=True):
        np.testing.assert_allclose(adapter.rescore(query, pairs.rows), expected, atol=1e-5)


def test_a_network_rescores_as_its_estimates_do_and_finds_more(rng: np.random.Generator) -> None:
    hidden = rng.standard_normal((3_000, 6))
    bent = np.hstack([hidden, np.abs(hidden) - 0.8])
    everything = make_pairs(
        hidden @ rng.standard_normal((6, 8)), bent @ rng.standard_normal((12, 24)), COSINE, COSINE
    )
    pairs, held = everything.take(slice(2_000)), everything.take(slice(2_000, None))
    adapter = fit("mlp", pairs, COSINE, COSINE)
    assert adapter.rescores
    plain = held.queries[:50] @ adapter.map_rows(held.rows).T
    candidates = np.tile(np.arange(1_000), (50, 1))
    scores = rescored(adapter, held.queries[:50], held.rows, candidates)
    np.testing.assert_allclose(scores, plain, atol=1e-4)
    kept = adapter.rescoring_factors(held.rows)
    np.testing.assert_allclose(
        adapter.rescore(held.queries[0], held.rows, kept), scores[0], atol=1e-5
    )
    assert np.abs(kept - adapter.row_factors(held.rows)).max() > 0.01
    truth = best(native_scores(held.queries[:50], held.queries, COSINE), 10)
    linear = best(bridged_scores(adapter, held.queries[:50], held.rows, COSINE), 10)
    assert shared(best(scores, 10), truth) > shared(linear, truth) + 0.02


def shared(found: np.ndarray, truth: np.ndarray) -> float:
    return float(np.mean([np.isin(a, b).mean() for a, b in zip(found, truth, strict=True)]))


@pytest.mark.parametrize("kind", INNER)
def test_an_adapter_is_the_same_bit_by_bit_after_it_was_stored(
    kind: Kind, rng: np.random.Generator
) -> None:
    pairs = related(rng, 200, ROWS_SIZE, QUERIES_SIZE, COSINE)
    adapter = fitted(kind, pairs, COSINE, rng)
    arrays = {name: array.copy() for name, array in adapter.arrays().items()}
    again = adapter_from_json(json.loads(json.dumps(adapter.to_json())), arrays)
    assert type(again) is type(adapter) and again.to_json() == adapter.to_json()
    query, rows = pairs.queries[7], pairs.rows
    assert again.map_query(query).vector.tobytes() == adapter.map_query(query).vector.tobytes()
    assert again.map_query(query).shift == adapter.map_query(query).shift
    for name in ("row_factors", "map_rows"):
        assert getattr(again, name)(rows).tobytes() == getattr(adapter, name)(rows).tobytes()
    assert again.rescore(query, rows).tobytes() == adapter.rescore(query, rows).tobytes()


@pytest.mark.parametrize("sizes", [(48, 32), (32, 32), (32, 48)])
def test_a_prefix_compares_what_both_have(sizes: tuple[int, int], rng: np.random.Generator) -> None:
    rows_size, queries_size = sizes
    whole = rng.standard_normal((100, 48)).astype(np.float32)
    pairs = make_pairs(whole[:, :rows_size], whole[:, :queries_size], COSINE, COSINE)
    adapter = fit("identity" if rows_size == queries_size else "prefix", pairs, COSINE, COSINE)
    scores = bridged_scores(adapter, pairs.queries, pairs.rows, COSINE)
    short = normalise(whole[:, :32])
    np.testing.assert_allclose(scores, short @ short.T, atol=1e-5)
    assert adapter.scales_rows == (rows_size > queries_size)


def test_relative_scores_are_cosines_of_cosines_to_anchors(rng: np.random.Generator) -> None:
    pairs = related(rng, 120, ROWS_SIZE, QUERIES_SIZE, COSINE)
    anchors = pairs.take(slice(10))
    adapter = fit("relative", pairs, COSINE, COSINE, FitOptions(anchors=anchors))
    scores = bridged_scores(adapter, pairs.queries, pairs.rows, COSINE)
    described_rows = normalise(pairs.rows @ anchors.rows.T)
    described_queries = normalise(pairs.queries @ anchors.queries.T)
    np.testing.assert_allclose(scores, described_queries @ described_rows.T, atol=2e-3)


def test_a_zero_row_scores_nothing_and_raises_no_warning(rng: np.random.Generator) -> None:
    pairs = related(rng, 100, ROWS_SIZE, QUERIES_SIZE, COSINE)
    zero: Vectors = np.zeros((1, ROWS_SIZE), dtype=np.float32)
    for kind in ("relative", "procrustes", "ridge", "mlp"):
        adapter = fit(kind, pairs, COSINE, COSINE)
        assert np.isfinite(adapter.row_factors(zero)).all()
        assert np.isfinite(adapter.map_rows(zero)).all()
        assert np.isfinite(adapter.rescore(pairs.queries[0], zero)).all()


@pytest.mark.parametrize("kind", ["ridge", "procrustes", "prefix"])
def test_mapping_a_query_takes_microseconds(kind: Kind, rng: np.random.Generator) -> None:
    rows = rng.standard_normal((800, 256))
    queries = rng.standard_normal((800, 384))
    pairs = make_pairs(rows, queries, COSINE, COSINE)
    adapter = fit(kind, pairs, COSINE, COSINE)
    quickest = min(_seconds(adapter, pairs.queries[:100]) for _ in range(20)) / 100
    assert quickest < 40e-6


def _seconds(adapter: Adapter, queries: Vectors) -> float:
    started = perf_counter()
    for query in queries:
        adapter.map_query(query)
    return perf_counter() - started
