"""The kind that ``fit_best`` picks, and that what is held out stays unseen."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index.adapters import choosing
from palimpsest.index.adapters.choosing import HeldOut, choose
from palimpsest.index.adapters.kinds import FitOptions, Pairs, best, fit, fit_best, native_scores
from palimpsest.index.errors import InvalidPairs
from palimpsest.index.types import Distance, Vectors
from tests.oracle import normalise

COSINE, DOT, EUCLID, MANHATTAN = Distance


def clustered(rng: np.random.Generator, n: int, size: int) -> Vectors:
    centres = 1.5 * rng.standard_normal((40, size))
    return normalise(
        (centres[rng.integers(40, size=n)] + rng.standard_normal((n, size))).astype(np.float32)
    )


def mixed(rng: np.random.Generator, queries: Vectors, size: int) -> Vectors:
    """Return vectors of a size that stretch and mix those given, with some noise."""
    stretched = queries * np.geomspace(1.0, 0.2, queries.shape[1])
    rows = stretched @ rng.standard_normal((queries.shape[1], size))
    return normalise((rows + 0.05 * rng.standard_normal(rows.shape)).astype(np.float32))


def parted(rows: Vectors, queries: Vectors) -> tuple[Pairs, Pairs]:
    pairs = Pairs(rows, queries)
    return pairs.take(slice(800)), pairs.take(slice(800, None))


def test_models_of_one_space_are_compared_as_they_are(rng: np.random.Generator) -> None:
    queries = clustered(rng, 1_200, 32)
    noisy = normalise(queries + 0.01 * rng.standard_normal(queries.shape).astype(np.float32))
    adapter, table = fit_best(*parted(noisy, queries), COSINE, COSINE)
    assert adapter.kind == "identity"
    recalls = {one.kind: one.recall for one in table}
    assert recalls["identity"] > 0.9 and recalls["procrustes"] > 0.85


def test_a_turned_space_is_turned_back(rng: np.random.Generator) -> None:
    queries = clustered(rng, 1_200, 32)
    turned = queries @ np.linalg.qr(rng.standard_normal((32, 32)))[0].astype(np.float32)
    adapter, table = fit_best(*parted(turned, queries), COSINE, COSINE)
    assert adapter.kind == "procrustes"
    assert {one.kind: one.recall for one in table}["identity"] < 0.2


def test_a_stretched_space_takes_regression(rng: np.random.Generator) -> None:
    queries = clustered(rng, 1_200, 32)
    adapter, table = fit_best(*parted(mixed(rng, queries, 48), queries), COSINE, COSINE)
    assert adapter.kind == "ridge"
    for one in table:
        assert 0.0 <= one.low <= one.recall <= one.high <= 1.0
        assert one.to_json()["kind"] == one.kind


def test_only_kinds_that_serve_the_distance_are_tried(rng: np.random.Generator) -> None:
    queries = clustered(rng, 1_200, 32)
    _, table = fit_best(*parted(mixed(rng, queries, 24), queries), EUCLID, EUCLID)
    assert {one.kind for one in table} == {"prefix", "procrustes", "procrustes_centred"}
    _, table = fit_best(*parted(mixed(rng, queries, 48), queries), EUCLID, EUCLID)
    assert {one.kind for one in table} == {"procrustes", "procrustes_centred"}


def test_the_map_is_that_of_the_fitted_part_alone(rng: np.random.Generator) -> None:
    queries = clustered(rng, 1_200, 32)
    fit_part, held = parted(mixed(rng, queries, 48), queries)
    chosen, _ = fit_best(fit_part, held, COSINE, COSINE)
    alone = fit("ridge", fit_part, COSINE, COSINE)
    assert chosen.kind == "ridge"
    for name, array in alone.arrays().items():
        assert chosen.arrays()[name].tobytes() == array.tobytes()


def test_recalls_are_those_of_exact_lists_without_the_point_itself(
    rng: np.random.Generator,
) -> None:
    queries = clustered(rng, 300, 16)
    fit_part, held = Pairs(queries[:200], queries[:200]), Pairs(queries[200:], queries[200:])
    adapter = fit("identity", fit_part, COSINE, COSINE)
    trial = HeldOut(held, None, COSINE, COSINE)
    assert trial.asked == 100 and (trial.recalls(adapter) == 1.0).all()
    shuffled = Pairs(held.rows[::-1], held.queries)
    recalls = HeldOut(shuffled, None, COSINE, COSINE).recalls(adapter)
    native = native_scores(held.queries, held.queries, COSINE)
    bridged = native_scores(held.queries, shuffled.rows, COSINE)
    plain = []
    for i in range(100):
        others = [j for j in range(100) if j != i]
        truth = sorted(others, key=lambda j: -native[i, j])[:10]
        found = sorted(others, key=lambda j: -bridged[i, j])[:10]
        plain.append(len(set(truth) & set(found)) / 10)
    np.testing.assert_allclose(recalls, plain)


def test_queries_given_in_both_versions_ask_instead(rng: np.random.Generator) -> None:
    queries = clustered(rng, 300, 16)
    held = Pairs(queries[:100], queries[:100])
    asking = Pairs(queries[100:150], queries[100:150])
    trial = HeldOut(held, asking, COSINE, COSINE)
    adapter = fit("identity", held, COSINE, COSINE)
    assert trial.asked == 50 and (trial.recalls(adapter) == 1.0).all()
    options = FitOptions(query_pairs=asking)
    assert fit_best(held, held, COSINE, COSINE, options)[0].kind == "identity"


def test_a_slower_kind_must_be_better_beyond_the_interval(rng: np.random.Generator) -> None:
    quick = rng.uniform(0.3, 0.5, 400)
    draws = rng.integers(400, size=(500, 400))
    noise = rng.normal(0.0, 0.1, 400)
    noise -= noise.mean()
    same, better = quick + noise + 0.001, quick + noise + 0.03
    assert choose([quick, same], [0.0, 0.0], draws) == 0
    assert choose([quick, better], [0.0, 0.0], draws) == 1
    assert choose([quick, better], [0.0, 0.05], draws) == 0
    assert choose([quick, quick + 0.06], [0.0, 0.05], draws) == 1
    assert choose([quick, better, better + 0.001 - noise], [0.0, 0.0, 0.0], draws) == 1


def test_rescoring_is_chosen_only_where_it_finds_far_more(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = rng.standard_normal((2_400, 6))
    bent = np.hstack([hidden, np.abs(hidden) - 0.8])
    rows = normalise((hidden @ rng.standard_normal((6, 8))).astype(np.float32))
    queries = normalise((bent @ rng.standard_normal((12, 24))).astype(np.float32))
    pairs = Pairs(rows, queries)
    parts = pairs.take(slice(2_000)), pairs.take(slice(2_000, None))
    adapter, table = fit_best(*parts, COSINE, COSINE)
    recalls = {one.kind: one.recall for one in table}
    assert recalls["mlp"] > recalls["ridge"] + 0.05 and adapter.kind == "mlp"
    monkeypatch.setattr(choosing, "WORTH_RESCORING", 1.0)
    assert fit_best(*parts, COSINE, COSINE)[0].kind != "mlp"


def test_too_few_held_out_pairs_are_refused(rng: np.random.Generator) -> None:
    queries = clustered(rng, 200, 16)
    fit_part, held = Pairs(queries, queries), Pairs(queries[:15], queries[:15])
    with pytest.raises(InvalidPairs, match="at least 16 are needed, got 15"):
        fit_best(fit_part, held, COSINE, COSINE)


def test_best_are_the_largest_ties_by_position(rng: np.random.Generator) -> None:
    scores = rng.integers(0, 6, size=(30, 50)).astype(np.float32)
    for k in (1, 10, 50, 60):
        plain = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        values = np.take_along_axis(scores, best(scores, k), axis=1)
        assert (values == np.take_along_axis(scores, plain, axis=1)).all()
