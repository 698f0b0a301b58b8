"""The benches' own arithmetic: what is interpolated, what counts as found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from palimpsest.index.types import Distance
from tests import evaluation
from tests.bench import load, rabitq, rows, servers
from tests.bench.corpora import Corpus, K, copied, synthetic
from tests.bench.curves import Curve, Setting, race
from tests.bench.load import Load
from tests.bench.multivectors_candidates import depths_of
from tests.bench.multivectors_corpora import LENGTH, Sets, TokenCorpus, max_sims, recombined
from tests.bench.report import Result, rate, table


def test_a_rate_at_equal_recall_lies_between_its_neighbours() -> None:
    curve = Curve([Setting(10, 0.9, 400.0), Setting(20, 0.96, 200.0), Setting(40, 0.99, 100.0)])
    assert curve.rate_at(0.96) == pytest.approx(200.0)
    between = curve.rate_at(0.95)
    assert between is not None
    assert 200.0 < between < 400.0
    ef = curve.ef_at(0.95)
    assert ef is not None
    assert 10 < ef < 20


def test_a_recall_out_of_reach_has_no_rate_and_one_below_the_curve_its_first() -> None:
    curve = Curve([Setting(10, 0.9, 400.0), Setting(20, 0.96, 200.0)])
    assert curve.rate_at(0.99) is None
    assert curve.rate_at(0.5) == 400.0


def test_recall_accepts_ties_and_counts_missing_rows_as_lost() -> None:
    base = np.repeat(np.eye(16, dtype=np.float32), 2, axis=0)  # every row twice
    truth = np.arange(K, dtype=np.int64)[None, :]
    corpus = Corpus("twins", Distance.EUCLID, base, base[:1], truth)
    assert corpus.recall(truth) == 1.0
    assert corpus.recall(truth[:, ::-1] + 2) == 1.0  # every other row is equally far
    assert corpus.recall(np.full((1, K), -1)) == 0.0


def test_the_synthetic_corpus_is_reproducible_and_its_truth_exact() -> None:
    corpus = synthetic(2_000, size=32, queries=20)
    again = synthetic(2_000, size=32, queries=20)
    assert np.array_equal(corpus.base, again.base)
    exact = np.argsort(-(corpus.queries @ corpus.base.T), axis=1)[:, :K]
    assert corpus.recall(exact) == 1.0
    assert corpus.recall(corpus.truth) == 1.0


def test_any_number_of_rows_are_real_ones_and_noisy_copies_of_them(tmp_path: Path) -> None:
    drawn = synthetic(300, size=32, queries=20)
    (tmp_path / "text").mkdir()
    for name, array in (
        ("base_f16", drawn.base.astype(np.float16)),
        ("query_f16", drawn.queries.astype(np.float16)),
        ("gt100_i32", drawn.truth.astype(np.int32)),
    ):
        np.save(tmp_path / f"text/v2_{name}.npy", array)
    few, many = copied(tmp_path, 200), copied(tmp_path, 900)
    assert len(few.base) == 200
    np.testing.assert_array_equal(few.base, many.base[:200])
    cosines = (many.base[300:] @ many.base[:300].T).max(axis=1)
    assert 0.85 < cosines.min() < 0.93
    assert 0.98 < cosines.max() < 0.999
    np.testing.assert_allclose(np.linalg.norm(many.base, axis=1), 1, rtol=1e-5)
    for corpus in (few, many):
        exact = np.argsort(-(corpus.queries @ corpus.base.T), axis=1)[:, :K]
        assert corpus.recall(exact) == corpus.recall(corpus.truth) == 1.0


def test_a_race_stops_raising_ef_once_recall_is_enough() -> None:
    corpus = synthetic(2_000, size=32, queries=20)
    tried: list[int] = []

    def exact(ef: int) -> np.ndarray:
        tried.append(ef)
        return corpus.truth

    curves = race({"exact": exact}, corpus, rounds=2)
    assert len(curves["exact"].settings) == 1
    assert len(set(tried)) == 1


def test_the_table_is_markdown_with_one_line_per_result() -> None:
    text = table([Result("a", ">= 2x", "3x", "2.50x", "0.95"), Result("b", "", "", "1 s")])
    lines = text.splitlines()
    assert len(lines) == 4
    assert len({line.count("|") for line in lines}) == 1
    assert (rate(940), rate(21_300), rate(1.2e6)) == ("940/s", "21.3k/s", "1.20M/s")


def test_the_load_generator_keeps_to_its_count_and_its_order() -> None:
    body = b'{"query": [1.0, 2.0], "limit": 2, "params": {"hnsw_ef": 4}}'
    requests = [load.request("POST", "/", body), load.request("GET", "/")]
    with servers.running(servers.asgi("bare_server"), ready="/") as bare:
        answers = load.run(bare.port, requests, Load(3, count=50, keep_bodies=True))
        assert sorted(answers.numbers) == list(range(50))
        assert len(set(answers.bodies)) == 1
        with pytest.raises((RuntimeError, ConnectionError)):
            load.run(bare.port, [load.request("POST", "/", b"{")], Load(1, count=1))


def test_a_prepared_request_carries_the_key_it_is_given() -> None:
    assert b"\r\napi-key: secret\r\n" in load.request("GET", "/", key="secret")
    assert b"api-key" not in load.request("GET", "/")


def token_folder(folder: Path) -> Path:
    """Write a few sets of tokens as the real ones lie there; return the folder."""
    rng, place = np.random.default_rng(5), folder / "ir" / "cranfield"
    place.mkdir(parents=True)
    for which, count, length in (("docs", 30, 150), ("queries", 4, 5)):
        tokens = rng.integers(-127, 128, (count * length, 16), dtype=np.int8)
        np.save(place / f"tok128_{which}_i8.npy", tokens)
        starts = np.arange(count + 1, dtype=np.int32) * length
        np.save(place / f"tok_{which}_offsets_i32.npy", starts)
    return folder


def test_documents_of_topics_are_reproducible_and_their_truth_exact(tmp_path: Path) -> None:
    folder = token_folder(tmp_path)
    corpus, more = recombined(folder, 40, 3), recombined(folder, 1_010, 3)
    (sets,), again = corpus.blocks(), next(more.blocks())
    assert np.array_equal(sets.values, again.values[: len(sets.values)])
    assert len(sets) == 40 and (np.diff(sets.starts) == LENGTH).all()
    np.testing.assert_allclose(np.linalg.norm(sets.values, axis=1), 1, rtol=1e-5)
    for place, best in enumerate(corpus.truth):
        query = corpus.queries.one(place)
        scores = [(query @ sets.one(i).T).max(axis=1).sum() for i in range(len(sets))]
        assert np.argmax(scores) == best[0]
        assert np.array_equal(np.sort(scores)[: -K - 1 : -1], np.array(scores)[best])


def test_what_is_needed_is_where_the_share_is_reached() -> None:
    truth = np.array([np.arange(K)])
    nothing = Sets(np.empty((0, 1), np.float32), np.array([0]))
    exact = np.arange(100, 0, -1, dtype=np.float32)[None]
    corpus = TokenCorpus("ranks", 100, lambda: iter(()), nothing, exact, truth)
    scores = np.zeros((1, 100), dtype=np.float32)
    scores[0, :K] = -np.arange(K) * 5  # number i has so many in front of it as score higher
    scores[0, K:] = -np.arange(100 - K) - 0.5
    needed = corpus.needed(scores, 0.9)
    inside = corpus.inside(scores, np.array([needed - 1, needed]))
    assert inside[0] < 0.9 <= inside[1]
    assert corpus.needed(scores, 0.1) == 1
    assert corpus.kept(np.arange(50)[None]) == 1
    assert corpus.kept(np.arange(1, 50)[None]) == pytest.approx(1 - 10 / exact[0, :K].sum())


def test_scores_of_blocks_are_those_of_all() -> None:
    rng = np.random.default_rng(6)
    values, starts = rng.standard_normal((50, 8)).astype(np.float32), np.array([0, 1, 20, 50])
    whole, queries = Sets(values, starts), Sets(values[:6], np.array([0, 2, 6]))
    parts = [Sets(values[:20], starts[:3]), Sets(values[20:], np.array([0, 30]))]
    found = max_sims(queries, iter(parts))
    np.testing.assert_allclose(found, max_sims(queries, iter([whole])), rtol=1e-6)


def test_documents_come_as_deep_as_their_nearest_token_lies() -> None:
    rng = np.random.default_rng(7)
    values, starts = rng.standard_normal((50, 8)).astype(np.float32), np.array([0, 1, 20, 50])
    documents, queries = Sets(values, starts), Sets(values[30:36] + 1, np.array([0, 2, 6]))
    found = depths_of(queries, documents)
    owners = np.repeat(np.arange(3), np.diff(starts))
    assert found.lengths.tolist() == [2, 4]
    for place in range(2):
        nearest = np.argsort(-(queries.one(place) @ values.T), axis=1)
        for depth in range(1, 51):
            united = {int(owners[token]) for token in nearest[:, :depth].ravel()}
            assert set(np.flatnonzero(found.of[place] <= depth).tolist()) == united


@pytest.mark.skipif(
    evaluation.find("text/corpus.jsonl.gz", "text/v2_base_f16.npy") is None,
    reason="the texts of the evaluation data are not at hand (PALIMPSEST_EVAL_DATA)",
)
def test_a_pass_over_rows_runs_in_a_process_of_its_own() -> None:
    for flags in ((), ("--unsummed",)):
        seconds = rows.once(evaluation.FOLDER, *flags, points=500)
        assert seconds.keys() == {"ingest", "overwrite", "scroll", "open", "first scroll"}
        assert all(each > 0 for each in seconds.values())


def test_other_compressed_graphs_find_what_is_closest() -> None:
    if not rabitq.is_there():
        pytest.skip("rabitqlib has no wheel for this platform")
    corpus = synthetic(1_000, size=64, queries=10)
    for name, index in rabitq.built(corpus):
        assert corpus.recall(rabitq.search_all(index, corpus)(128)) > 0.9, name
        assert rabitq.file_bytes(index) > 1_000 * 64 / 8, name
