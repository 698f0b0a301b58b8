"""Reports on held-out pairs: against plain search, against a larger corpus, and their verdicts."""

from __future__ import annotations

import json

import numpy as np
import pytest

from palimpsest.index.adapters.comparable import UNFITTED
from palimpsest.index.adapters.growth import grown, measured
from palimpsest.index.adapters.joint_score import WEIGHT, fuse
from palimpsest.index.adapters.kinds import Pairs, fit
from palimpsest.index.adapters.measures import overlap
from palimpsest.index.adapters.report import report
from palimpsest.index.adapters.scoring import best, bridged_scores, native_scores
from palimpsest.index.adapters.trial import Cell, run_trial, shares_found
from palimpsest.index.adapters.verdict import ASSUMED
from palimpsest.index.types import Distance, Vectors
from tests.oracle import normalise

COSINE = Distance.COSINE
SIZE = 32


def versions(n: int, noise: float, seed: int = 0, *, d_old: int = 24) -> Pairs:
    """Return points in two versions: the old one sees what the new one does, less clearly."""
    generator = np.random.default_rng(seed)
    scales = (np.arange(1, SIZE + 1) ** -0.5).astype(np.float32)
    new = generator.standard_normal((n, SIZE)).astype(np.float32) * scales
    mix = np.random.default_rng(99).standard_normal((SIZE, d_old)).astype(np.float32)
    old = new @ mix + noise * generator.standard_normal((n, d_old)).astype(np.float32)
    return Pairs(normalise(old), normalise(new))


def reported(pairs: Pairs, fitted: int = 1_000, held: int = 400, points: int = 0) -> dict:  # type: ignore[type-arg]
    adapter = fit("ridge", pairs.take(slice(fitted)), COSINE, COSINE)
    return report(
        adapter,
        pairs.take(slice(fitted, fitted + held)),
        rows_distance=COSINE,
        queries_distance=COSINE,
        points=points,
    )


def without_self(scores: Vectors) -> Vectors:
    np.fill_diagonal(scores, -np.inf)
    return scores


def test_what_is_measured_equals_plain_search() -> None:
    pairs = versions(700, 1.0)
    adapter = fit("ridge", pairs.take(slice(500)), COSINE, COSINE)
    held = pairs.take(slice(500, None))
    found = report(adapter, held, rows_distance=COSINE, queries_distance=COSINE)
    new = best(without_self(native_scores(held.queries, held.queries, COSINE)), 10)
    old = best(without_self(native_scores(held.rows, held.rows, COSINE)), 10)
    bridged = best(without_self(bridged_scores(adapter, held.queries, held.rows, COSINE)), 10)
    assert found["old_old"] == pytest.approx(overlap(old, new).mean())
    assert found["bridged"] == found["arr"] == pytest.approx(overlap(bridged, new).mean())
    low, high = found["bridged_interval"]
    assert low < found["bridged"] < high


@pytest.mark.parametrize("rows_distance", [Distance.EUCLID, Distance.MANHATTAN])
def test_queries_of_their_own_are_measured_under_any_distance(rows_distance: Distance) -> None:
    pairs, asked = versions(600, 0.5), versions(50, 0.5, seed=7)
    adapter = fit("procrustes", pairs.take(slice(400)), rows_distance, COSINE)
    held = pairs.take(slice(400, None))
    found = report(
        adapter, held, query_pairs=asked, rows_distance=rows_distance, queries_distance=COSINE
    )
    new = best(native_scores(asked.queries, held.queries, COSINE), 10)
    old = best(native_scores(asked.rows, held.rows, rows_distance), 10)
    assert (found["queries"], found["queries_of"]) == (50, "queries")
    assert found["old_old"] == pytest.approx(overlap(old, new).mean())


def test_every_cell_of_a_trial_equals_a_plain_loop() -> None:
    pairs = versions(400, 1.0)
    adapter = fit("ridge", pairs.take(slice(300)), COSINE, COSINE)
    trial = run_trial(adapter, pairs.take(slice(300, None)), None, (COSINE, COSINE), 10)
    old, bridged, both = shares_found(trial, seed=3)
    assert old.cells == bridged.cells and both.cells[0] == old.cells[0]
    assert old.cells[0] == bridged.cells[0] == Cell(100, 10, 10)
    order = np.random.default_rng(3).permutation(100)
    several = [
        (cell, shares, "bridged")
        for cell, shares in zip(bridged.cells, bridged.found.T, strict=True)
    ]
    several += [(cell, shares, "old") for cell, shares in zip(old.cells, old.found.T, strict=True)]
    for cell, shares, name in several:
        parts = 100 // cell.rows
        plain = []
        for part in range(parts):
            piece = order[part * cell.rows : (part + 1) * cell.rows]
            new, other = (best(s[:, piece], cell.depth) for s in (trial.new, getattr(trial, name)))
            plain.append(overlap(other, new[:, : cell.k]))
        assert shares == pytest.approx(np.mean(plain, axis=0)), cell


def test_an_adapter_that_rescores_ranks_its_candidates_anew() -> None:
    pairs = versions(900, 1.0)
    adapter = fit("mlp", pairs.take(slice(700)), COSINE, COSINE)
    held = pairs.take(slice(700, None))
    trial = run_trial(adapter, held, None, (COSINE, COSINE), 10)
    linear = bridged_scores(adapter, held.queries, held.rows, COSINE)
    for place in range(0, 200, 20):
        first = np.argsort(-linear[place])[:80]  # 8 times k
        rescored = adapter.rescore(held.queries[place], held.rows[first])
        itself = first == place
        found = trial.bridged[place, first]
        assert found[~itself] == pytest.approx(rescored[~itself], abs=1e-5)
        assert np.delete(trial.bridged[place], first).max() <= found[~itself].min() + 1e-5
    assert adapter.rescores


def test_what_is_expected_of_a_larger_corpus_comes_true() -> None:
    pairs = versions(21_000, 2.0)
    adapter = fit("ridge", pairs.take(slice(1_000)), COSINE, COSINE)
    held, corpus = pairs.take(slice(1_000, 2_000)), pairs.take(slice(1_000, 21_000))
    trial = run_trial(adapter, held, None, (COSINE, COSINE), 10)
    shares = shares_found(trial, 0)
    expected = grown(shares, len(corpus.rows), 0)
    asked = corpus.take(slice(200))
    scores = [
        native_scores(asked.queries, corpus.queries, COSINE),
        native_scores(asked.rows, corpus.rows, COSINE),
        bridged_scores(adapter, asked.queries, corpus.rows, COSINE),
    ]
    new, old, bridged = (best(without_self(one), 200) for one in scores)
    true_old = overlap(old[:, :10], new[:, :10]).mean()
    true_bridged = overlap(bridged[:, :10], new[:, :10]).mean()
    true_cascade = overlap(bridged, new[:, :10]).mean()
    among_few = measured(shares, 0)[:, 0]
    assert expected.old[0] == pytest.approx(true_old, abs=0.05)
    assert expected.bridged[0] == pytest.approx(true_bridged, abs=0.05)
    assert expected.cascade[0] == pytest.approx(true_cascade, abs=0.08)
    deep = best(without_self(scores[1]), 100)
    assert expected.cascade_from_old[0] == pytest.approx(
        overlap(deep, new[:, :10]).mean(), abs=0.08
    )
    assert among_few[1] > true_bridged + 0.1  # what is measured among few promises too much


def test_verdicts_of_versions_that_are_known() -> None:
    same = versions(1_500, 0.0)
    rotation = np.linalg.qr(np.random.default_rng(1).standard_normal((SIZE, SIZE)))[0]
    turned = Pairs(same.queries @ rotation.astype(np.float32), same.queries)
    assert reported(turned)["verdict"] == "stay"
    better = reported(versions(1_500, 0.3))
    assert (better["verdict"], better["assumes"]) == ("compare", ASSUMED)  # if it is better
    assert better["reasons"][0].startswith(ASSUMED)
    unrelated = Pairs(versions(1_500, 0.0, seed=5).rows, same.queries)
    assert reported(unrelated)["verdict"] == "reindex"


def test_a_report_is_json_and_the_same_each_time() -> None:
    pairs = versions(1_400, 1.0)
    found = reported(pairs, points=50_000)
    assert json.loads(json.dumps(found, allow_nan=False)) == found == reported(pairs, points=50_000)
    assert found["expected"]["points"] == 50_000
    assert found["expected"]["bridged"] < found["bridged"]
    assert found["pairs_held_out"] == 400
    assert any("400 held-out pairs only" in one for one in found["reasons"])


def test_scores_are_farther_apart_before_a_merge_that_makes_them_alike() -> None:
    pairs = versions(1_400, 3.0)
    adapter = fit("ridge", pairs.take(slice(1_000)), COSINE, COSINE)
    held, sides = pairs.take(slice(1_000, None)), (COSINE, COSINE)
    raw, merged = (
        report(adapter, held, rows_distance=sides[0], queries_distance=sides[1], merge=merge)["ks"]
        for merge in (None, UNFITTED)
    )
    assert raw["before"] == merged["before"] > 0.1
    assert raw["after"] is None
    assert merged["after"] < 0.01  # by ranks


def test_queries_of_an_older_version_are_advised_to_stay_with_the_rows() -> None:
    pairs = versions(1_400, 0.3)
    adapter = fit("ridge", pairs.take(slice(1_000)), COSINE, COSINE)
    held = pairs.take(slice(1_000, None))
    newer, older = (
        report(adapter, held, rows_distance=COSINE, queries_distance=COSINE, newer=newer)
        for newer in (True, False)
    )
    assert (newer["verdict"], older["verdict"]) == ("compare", "stay")
    assert newer["arr"] == older["arr"]
    assert "declared before" in older["reasons"][1]


def test_judged_queries_of_an_earlier_adapter_decide_for_a_later_one() -> None:
    pairs = versions(1_400, 1.0)
    adapter = fit("ridge", pairs.take(slice(1_000)), COSINE, COSINE)
    known = {"verdict": "both", "queries": 300, "reasons": ["asking by both queries is better"]}
    for held in (400, 3):
        found = report(
            adapter,
            pairs.take(slice(1_000, 1_000 + held)),
            rows_distance=COSINE,
            queries_distance=COSINE,
            known=known,
        )
        assert (found["verdict"], found["assumes"], found["judged"]) == ("both", None, known)


def test_both_queries_are_measured_as_a_search_fuses_them() -> None:
    pairs = versions(700, 1.0)
    adapter = fit("ridge", pairs.take(slice(500)), COSINE, COSINE)
    trial = run_trial(adapter, pairs.take(slice(500, None)), None, (COSINE, COSINE), 10)
    for place in range(0, 200, 40):
        own, other = trial.old[place], trial.bridged[place]
        among = np.union1d(np.argsort(-own)[:64], np.argsort(-other)[:64])
        among = among[among != place]
        fused = fuse(other[among], own[among], WEIGHT)
        assert trial.both[place, among] == pytest.approx(fused)
        assert np.isneginf(np.delete(trial.both[place], among)).all()


@pytest.mark.parametrize("held", [0, 7])
def test_too_few_pairs_are_said_to_tell_nothing(held: int) -> None:
    found = reported(versions(1_000 + held, 0.3), held=held)
    assert (found["verdict"], found["bridging_pays"], found["arr"]) == ("reindex", 0.0, None)
    assert f"only {held} pairs" in found["reasons"][0]
    assert set(found) == set(reported(versions(1_400, 0.3)))


@pytest.mark.parametrize("held", [8, 9, 20, 45])
def test_few_pairs_are_measured(held: int) -> None:
    found = reported(versions(1_000 + held, 0.3), held=held, points=1_000_000)
    assert 0.0 <= found["expected"]["bridged"] <= 1.0
    assert found["k"] == min(10, held // 4)
