"""How vectors are kept, by their kinds, as it is told."""

from __future__ import annotations

from palimpsest.app.schemas.kept import describe_kept
from palimpsest.index import (
    FDE_PRESETS,
    Distance,
    FdeConfig,
    MultiConfig,
    RecallInfo,
    SparseConfig,
    VectorConfig,
    VectorInfo,
)


def info(recall: RecallInfo | None = None) -> VectorInfo:
    return VectorInfo(9, 5, 0, 4, 1, 2, 1, {}, recall)


def test_each_kind_has_its_place() -> None:
    configs = VectorConfig(3, Distance.DOT), MultiConfig(3, Distance.DOT), SparseConfig("idf")
    told = [describe_kept(config, info()) for config in configs]
    assert [place for place, _ in told] == ["vectors", "multi_vectors", "sparse_vectors"]
    assert told[2][1] == {"encoding": "postings", "modifier": "idf", "segments": 2}


def test_a_dense_vector_says_what_its_segments_find() -> None:
    recall = RecallInfo({"plain": 2}, {4: 1, 2: 1}, 5, 0.987654, None)
    _, told = describe_kept(VectorConfig(3, Distance.MANHATTAN), info(recall))
    assert told["graph"] is None
    assert told["recall"] == {
        "wanted": 0.98,
        "measured": 0.9877,
        "worst": None,
        "decisions": {"plain": 2},
        "bits": {"2": 1, "4": 1},
        "ef": None,
    }


def test_a_multi_vector_says_how_it_is_found_and_read() -> None:
    config = MultiConfig(64, Distance.COSINE, originals="none", token_bits=2, pool=3)
    _, told = describe_kept(config, info())
    assert told["reads"] == "codes"
    assert told["tokens"] == {"bits": 2, "pool": 3}
    fde = told["fde"]
    assert fde is not None
    assert fde["preset"] == "quality"
    assert fde["dimensions"] == FDE_PRESETS["quality"].dimensions(64)
    changed = MultiConfig(64, Distance.COSINE, fde=FdeConfig(2, 8, 3), M=0)
    _, told = describe_kept(changed, info())
    assert told["fde"]["preset"] is None
    assert told["reads"] == "originals"
    assert told["graph"] is None


def test_a_multi_vector_says_by_what_candidates_are_found() -> None:
    recall = RecallInfo({"planned": 2}, {4: 2}, 5, 0.99, 0.8, {"fde": 1, "mean": 1}, 200)
    _, told = describe_kept(MultiConfig(64, Distance.COSINE), info(recall))
    assert told["candidates"] == {"most": 200, "generators": {"fde": 1, "mean": 1}}
    assert told["recall"]["wanted"] == 0.985
    assert told["recall"]["measured"] == 0.99


def test_sets_that_are_compared_by_originals_have_no_codes() -> None:
    _, told = describe_kept(MultiConfig(4, Distance.EUCLID), info())
    assert [told[name] for name in ("fde", "tokens", "graph")] == [None] * 3
    assert told["bits"] == 32
