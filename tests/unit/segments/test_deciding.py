"""What is decided of segments made bad on purpose, and that searches then find what they should."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index import (
    Collection,
    CollectionConfig,
    Distance,
    MaintenanceConfig,
    NamedVectors,
    PointBatch,
    SearchRequest,
)
from palimpsest.index.config.vectors import VectorConfig
from palimpsest.index.segments.deciding import DECISIONS, Means, Probed, decide
from palimpsest.index.segments.effort import PLANNED, Effort
from palimpsest.index.segments.probe import Find, ProbeSample, Recall, draw, source_of
from palimpsest.index.segments.sealed import Sealed
from palimpsest.index.types import Rows, Vector, Vectors
from tests import oracle
from tests.conftest import Corpus, OpenCollection, open_collection
from tests.points import batch_of, config_of
from tests.unit.segments.bad import clusters, only, sealed, with_links_cut, with_random_codes

K, WANTED = 10, 0.98


def recall(collection: Collection, base: Vectors, distance: Distance, **asked: object) -> float:
    """Return recall@10 of searches for rows beside those that were sampled."""
    queries = base[np.random.default_rng(11).integers(len(base), size=100)]
    queries = queries + 0.01 * np.random.default_rng(12).standard_normal(queries.shape)
    queries = queries.astype(np.float32)
    truth = oracle.distances(queries, base, distance)
    found = []
    for query in queries:
        result = collection.search(SearchRequest(query, k=K, **asked))  # type: ignore[arg-type]
        found.append([int(one) for one in result.ids])  # type: ignore[arg-type]
    return oracle.recall(found, truth, K)


def decided(segment: Sealed) -> str:
    assert segment.probed is not None
    return segment.probed.decision


def test_text_is_searched_as_planned(collection_of: OpenCollection, corpus: Corpus) -> None:
    segment = sealed(collection_of(config_of(corpus.base.shape[1])), corpus.base)
    assert decided(segment) == "planned" and segment.effort == PLANNED
    assert segment.encoder is not None and segment.encoder.bits == 4
    assert segment.probed is not None and segment.probed.planned.mean >= WANTED


@pytest.mark.parametrize("parts", [2, 7])
def test_a_graph_that_falls_apart_is_not_trusted(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch, corpus: Corpus, parts: int
) -> None:
    with_links_cut(monkeypatch, parts)
    collection = collection_of(config_of(corpus.base.shape[1]))
    segment = sealed(collection, corpus.base)
    assert segment.effort != PLANNED or segment.usual == -math.inf
    assert decided(segment) != "short"
    assert segment.probed is not None and segment.probed.recall.mean >= WANTED
    assert recall(collection, corpus.base, Distance.COSINE) >= WANTED


def test_without_originals_codes_are_scanned_where_the_graph_falls_apart(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch, corpus: Corpus
) -> None:
    with_links_cut(monkeypatch, 3)
    config = config_of(corpus.base.shape[1], originals="none", encoding="8", fixed_encoding=True)
    segment = sealed(collection_of(config), corpus.base)
    assert segment.effort != PLANNED and decided(segment) != "short"
    assert segment.encoder is not None and segment.encoder.bits == 8


def test_codes_that_mean_nothing_are_made_finer(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch, corpus: Corpus
) -> None:
    with_random_codes(monkeypatch, 4)
    collection = collection_of(config_of(corpus.base.shape[1]))
    segment = sealed(collection, corpus.base)
    assert decided(segment) == "bits"
    assert segment.encoder is not None and segment.encoder.bits == 8
    assert segment.codes is not None and segment.codes.shape[1] > corpus.base.shape[1]
    assert recall(collection, corpus.base, Distance.COSINE) >= WANTED


def test_codes_that_were_asked_for_are_kept_and_originals_scanned(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch, corpus: Corpus
) -> None:
    with_random_codes(monkeypatch, 4)
    collection = collection_of(config_of(corpus.base.shape[1], fixed_encoding=True))
    segment = sealed(collection, corpus.base)
    assert decided(segment) == "scan" and segment.effort.scan
    assert segment.encoder is not None and segment.encoder.bits == 4
    assert recall(collection, corpus.base, Distance.COSINE) >= 0.999


def test_one_bit_on_tight_clusters_holds_all_the_same(collection_of: OpenCollection) -> None:
    base = clusters(20, 300, 96)
    collection = collection_of(config_of(96, Distance.EUCLID, encoding="1", fixed_encoding=True))
    segment = sealed(collection, base)
    assert segment.encoder is not None and segment.encoder.bits == 1
    assert segment.probed is not None and segment.probed.recall.mean >= WANTED
    assert recall(collection, base, Distance.EUCLID) >= WANTED


def test_bits_rise_by_four_at_most(collection_of: OpenCollection) -> None:
    base = clusters(20, 300, 96)
    found = {}
    for bits in ("1", "2", "4"):
        config = config_of(96, Distance.EUCLID, encoding=bits, originals="none")
        segment = sealed(collection_of(config), base)
        assert segment.encoder is not None
        found[bits] = segment.encoder.bits
    assert found == {"1": 4, "2": 4, "4": 8}


def test_text_without_originals_gets_the_bits_it_needs(
    collection_of: OpenCollection, corpus: Corpus
) -> None:
    collection = collection_of(config_of(384, originals="none"))
    segment = sealed(collection, corpus.base)
    assert decided(segment) == "bits"
    assert segment.encoder is not None and segment.encoder.bits == 8
    assert recall(collection, corpus.base, Distance.COSINE) >= WANTED


def test_what_cannot_be_held_is_said(collection_of: OpenCollection) -> None:
    config = config_of(96, Distance.EUCLID, encoding="1", originals="none", fixed_encoding=True)
    collection = collection_of(config)
    segment = sealed(collection, clusters(20, 300, 96))
    assert segment.encoder is not None and segment.encoder.bits == 1
    assert decided(segment) == "short"
    state = collection.state().vectors[""].recall
    assert state is not None and state.segments == {"short": 1}
    assert state.recall is not None and state.recall < WANTED


@pytest.mark.parametrize("choices", [{"encoding": "float32"}, {"M": 0}, {"encoding": "8"}])
def test_other_kinds_of_segments_are_probed_too(
    collection_of: OpenCollection, corpus: Corpus, choices: dict[str, object]
) -> None:
    segment = sealed(collection_of(config_of(384, **choices)), corpus.base[:4_000])
    assert decided(segment) == "planned"


def test_exact_searches_need_no_probe(collection_of: OpenCollection, corpus: Corpus) -> None:
    segment = sealed(collection_of(config_of(384, Distance.MANHATTAN)), corpus.base[:2_000])
    assert segment.probed is None and segment.decision == "unprobed"


def test_a_decision_outlives_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, corpus: Corpus
) -> None:
    with_links_cut(monkeypatch, 2)
    collection = open_collection(tmp_path / "c", config_of(384))
    before = sealed(collection, corpus.base)
    collection.close()
    again = open_collection(tmp_path / "c")
    after = only(again)
    assert after.effort == before.effort and after.probed == before.probed
    assert recall(again, corpus.base, Distance.COSINE) >= WANTED
    again.close()


def test_recent_queries_count_as_much_as_rows(
    collection_of: OpenCollection, corpus: Corpus
) -> None:
    collection = collection_of(config_of(384))
    for query in corpus.queries[:200]:
        collection.search(SearchRequest(query))
    segment = sealed(collection, corpus.base)
    assert segment.probed is not None and segment.probed.recent == 25


# The ladder itself, on made-up searches.

ROWS = np.random.default_rng(8).standard_normal((2_000, 16)).astype(np.float32)


@pytest.fixture(scope="module")
def sample() -> ProbeSample:
    drawn = draw(source_of(ROWS, VectorConfig(16, Distance.EUCLID)), [], seed=1)
    assert drawn is not None
    return drawn


def exact(query: Vector, k: int) -> Rows:
    return np.argsort(np.square(ROWS - query).sum(axis=1))[:k].astype(np.uint32)


def nothing(query: Vector, k: int) -> Rows:
    return np.zeros(k, dtype=np.uint32)


def means(
    is_enough: Callable[[Effort, int], bool], tried: list[tuple[Effort, int]], **changes: object
) -> Means:
    def with_bits(bits: int) -> Callable[[Effort], Find]:
        def at(effort: Effort) -> Find:
            tried.append((effort, bits))
            return exact if is_enough(effort, bits) else nothing

        return at

    known: dict[str, object] = {
        "bits": 4,
        "walked": True,
        "keeps_originals": True,
        "fixed": False,
        "resolution": 0.1,
        "with_bits": with_bits,
        **changes,
    }
    return Means(**known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("is_enough", "expected"),
    [
        (lambda effort, bits: True, ("planned", PLANNED, 4)),
        (lambda effort, bits: effort.ef >= 2, ("ef", Effort(2), 4)),
        (lambda effort, bits: effort.ef >= 4, ("ef", Effort(4), 4)),
        (lambda effort, bits: effort.rescoring >= 4, ("rescoring", Effort(4, 4), 4)),
        (lambda effort, bits: bits == 8, ("bits", PLANNED, 8)),
        (lambda effort, bits: effort.ef >= 8, ("rescoring", Effort(8, 8), 4)),
        (lambda effort, bits: effort.scan, ("scan", Effort(scan=True), 4)),
        (lambda effort, bits: False, ("short", PLANNED, 4)),
    ],
)
def test_the_cheapest_that_holds_is_taken(
    sample: ProbeSample, is_enough: Callable[[Effort, int], bool], expected: tuple[str, Effort, int]
) -> None:
    tried: list[tuple[Effort, int]] = []
    found = decide(sample, means(is_enough, tried))
    assert (found.probed.decision, found.effort, found.bits) == expected
    assert tried[0] == (PLANNED, 4)
    assert len(tried) == len(set(tried))


@pytest.mark.parametrize(
    ("changes", "left_out"),
    [
        ({"fixed": True}, lambda effort, bits: bits > 4),
        ({"resolution": 50.0}, lambda effort, bits: bits > 4),
        ({"keeps_originals": False}, lambda effort, bits: effort.rescoring > 1),
        ({"walked": False}, lambda effort, bits: effort.ef > 1),
        ({"bits": 0, "resolution": None}, lambda effort, bits: bits > 0 or effort.rescoring > 1),
        ({"bits": 8}, lambda effort, bits: bits > 8),
        ({"bits": 1}, lambda effort, bits: bits > 5),
    ],
)
def test_what_cannot_help_or_may_not_be_is_not_tried(
    sample: ProbeSample, changes: dict[str, object], left_out: Callable[[Effort, int], bool]
) -> None:
    tried: list[tuple[Effort, int]] = []
    found = decide(sample, means(lambda effort, bits: False, tried, **changes))
    assert found.probed.decision == "short"
    assert len(tried) > 2 and not any(left_out(*one) for one in tried)
    assert tried[-1][0].scan


def test_a_few_queries_that_find_nothing_are_too_many(sample: ProbeSample) -> None:
    lost = {tuple(query) for query in sample.queries[:3].tolist()}

    def mostly(query: Vector, k: int) -> Rows:
        return nothing(query, k) if tuple(query.tolist()) in lost else exact(query, k)

    assert 0.9 < sample.recalls(mostly).mean()
    tried: list[tuple[Effort, int]] = []
    given = means(lambda effort, bits: effort.ef > 1, tried)
    at = given.with_bits(4)
    found = decide(
        sample,
        given._replace(with_bits=lambda bits: lambda e: mostly if e == PLANNED else at(e)),
    )
    assert found.probed.decision == "ef"


@pytest.mark.parametrize(("lost", "decision"), [(1, "planned"), (12, "ef")])
def test_recent_queries_decide_though_rows_are_found(lost: int, decision: str) -> None:
    users = [row for row in np.random.default_rng(3).standard_normal((24, 16)).astype(np.float32)]
    drawn = draw(source_of(ROWS, VectorConfig(16, Distance.EUCLID)), users, seed=1)
    assert drawn is not None and drawn.recent == 24
    missed = {tuple(query.tolist()) for query in users[:lost]}

    def without_one(query: Vector, k: int) -> Rows:
        return exact(query, k)[:-1]  # the last of ten is missed

    def mostly(query: Vector, k: int) -> Rows:
        found = without_one if tuple(query.tolist()) in missed else exact
        return found(query, k)

    given = means(lambda effort, bits: True, [])
    at = given.with_bits(4)
    found = decide(
        drawn, given._replace(with_bits=lambda bits: lambda e: mostly if e == PLANNED else at(e))
    )
    assert found.probed.decision == decision
    assert found.probed.recent == 24


def test_what_was_decided_can_be_read_again(sample: ProbeSample) -> None:
    for is_enough in (lambda effort, bits: True, lambda effort, bits: False):
        probed = decide(sample, means(is_enough, [])).probed
        assert Probed.from_json(probed.to_json()) == probed
        assert Probed.from_json({**probed.to_json(), "later": 1}) == probed
        assert probed.decision in DECISIONS
    assert Probed.from_json(None) is None


def test_compaction_decides_anew(collection_of: OpenCollection, corpus: Corpus) -> None:
    collection = collection_of(config_of(384))
    for start in range(0, 8_000, 2_000):
        some = corpus.base[start : start + 2_000]
        collection.upsert(batch_of(list(range(start, start + 2_000)), some)).result()
        collection.upkeep.seal()
    segments = [part.segment for part in collection.view.vectors[0].sealed]
    assert len(segments) == 4
    assert all(isinstance(one, Sealed) and decided(one) == "planned" for one in segments)
    collection.upkeep.compact()
    assert collection.upkeep.last_error is None
    assert decided(only(collection)) == "planned" and only(collection).n == 8_000


def test_every_column_is_probed_by_rows_of_its_own(
    collection_of: OpenCollection, monkeypatch: pytest.MonkeyPatch, corpus: Corpus
) -> None:
    """As those of versions are: what is decided of one leaves the others as they are."""
    spaces = {
        "text": VectorConfig(384, Distance.COSINE),
        "codes": VectorConfig(384, Distance.COSINE, fixed_encoding=True, encoding="2"),
    }
    with_random_codes(monkeypatch, 2)
    collection = collection_of(
        CollectionConfig(spaces, MaintenanceConfig(quiet_rows=1, quiet_seconds=0.0))
    )
    rows = corpus.base[:4_000]
    named = {name: NamedVectors(np.arange(len(rows)), rows) for name in spaces}
    collection.upsert(PointBatch(list(range(len(rows))), named, [None] * len(rows))).result()
    collection.upkeep.seal()
    found = {}
    for column, vectors in collection.view.vectors.items():
        [part] = vectors.sealed
        assert isinstance(part.segment, Sealed)
        found[collection.config.name_of(column)] = decided(part.segment)
    assert found == {"text": "planned", "codes": "scan"}


@pytest.mark.parametrize("wanted, effort", [(0.8, (0.25, 0.5)), (0.98, (1.0,)), (0.999, None)])
def test_efforts_are_tuned_to_the_recall_that_is_wanted(
    collection_of: OpenCollection, corpus: Corpus, wanted: float, effort: tuple[float, ...] | None
) -> None:
    collection = collection_of(config_of(corpus.base.shape[1], recall=wanted))
    segment = sealed(collection, corpus.base)
    probed = segment.probed
    assert probed is not None and probed.wanted == wanted
    if effort is not None:
        assert segment.effort.ef in effort
    else:
        assert segment.effort != PLANNED or probed.recall.mean >= wanted
    assert decided(segment) in ("planned", "ef") if wanted < 0.99 else True
    assert probed.recall.mean >= wanted - 0.01
    held = collection.state().vectors[""].recall
    assert held is not None and (held.ef is None or held.ef >= 10)


def test_a_segment_is_written_anew_where_more_is_wanted_than_it_holds(
    collection_of: OpenCollection, corpus: Corpus
) -> None:
    collection = collection_of(config_of(corpus.base.shape[1], recall=0.8))
    segment = sealed(collection, corpus.base[:4_000])
    probed = segment.probed
    assert probed is not None
    config = collection.config.dense[""]
    short = replace(segment, probed=probed._replace(recall=Recall(0.9, 0.7)))
    assert not short.is_outdated(config)
    assert short.is_outdated(replace(config, recall=0.95))
    assert not short.is_outdated(replace(config, recall=0.85))  # which it holds
    assert not short.is_outdated(replace(config, recall=0.6))
    # One that was already tried for as much is not tried again.
    tried = replace(segment, probed=probed._replace(recall=Recall(0.9, 0.7), wanted=0.95))
    assert not tried.is_outdated(replace(config, recall=0.95))


def test_a_probe_of_an_earlier_release_was_to_hold_the_default() -> None:
    recall = Recall(0.99, 0.9)
    probed = Probed(1, "planned", recall, recall, 160, 0, None, False, 0.5, 0.9)
    stored = probed.to_json()
    assert Probed.from_json(stored) == probed
    del stored["wanted"], stored["usual"]
    assert Probed.from_json(stored) == probed._replace(wanted=0.98, usual=None)
