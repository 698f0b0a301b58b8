"""Trees over the plain twin answer what the client's in-memory mode answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from qdrant_client import QdrantClient, models

from palimpsest.app.errors import Refusal
from palimpsest.app.schemas.analysis import MatrixBody, to_matrix, to_offsets, to_pairs
from palimpsest.app.schemas.searches import GroupsBody, QueryBody
from palimpsest.app.schemas.trees import to_groups, to_tree
from palimpsest.index import (
    Answer,
    Filter,
    HasId,
    InvalidConfig,
    InvalidInput,
    MatrixRequest,
    PalimpsestError,
    answer,
    answer_groups,
    neighbours,
)
from tests.unit.query.cases import (
    GROUPED,
    LOW,
    NAMES,
    ORDERS,
    PAIRS,
    REFUSED,
    by_vectors,
    feedbacks,
    formulas,
    fused,
    fusions,
    hybrids,
    idf_corpora,
    near,
    recommend,
)
from tests.unit.query.corpus import NAME, POINTS, create, grouped, plain, reference, same, text_of
from tests.unit.query.plain import Plain


@pytest.fixture(scope="module")
def local() -> Iterator[QdrantClient]:
    client = reference()
    yield client
    client.close()


@pytest.fixture(scope="module")
def source() -> Plain:
    return plain()


def ask(source: Plain, asked: dict[str, Any]) -> Answer:
    body = msgspec.json.decode(json.dumps(asked), type=QueryBody)
    request, _ = to_tree(body)
    return answer(source, request, lambda name: source)


def expect(local: QdrantClient, asked: dict[str, Any]) -> list[models.ScoredPoint]:
    return local.query_batch_points(NAME, [models.QueryRequest(**asked)])[0].points


def check(local: QdrantClient, source: Plain, asked: dict[str, Any]) -> None:
    theirs = expect(local, asked)
    ours = ask(source, asked)
    assert ours.whole
    same(
        [(record.id, score) for record, score in zip(ours.records, ours.scores, strict=True)],
        [(point.id, point.score) for point in theirs],
    )


@pytest.mark.parametrize("using", [*NAMES, "sp", "idf"])
def test_searches_by_vectors(using: str, local: QdrantClient, source: Plain) -> None:
    for asked in by_vectors(using):
        check(local, source, asked)


@pytest.mark.parametrize("using", NAMES)
def test_feedback(using: str, local: QdrantClient, source: Plain) -> None:
    for asked in feedbacks(using):
        check(local, source, asked)


@pytest.mark.parametrize("kind", [fusions, hybrids, formulas, idf_corpora])
def test_trees(kind: Any, local: QdrantClient, source: Plain) -> None:
    for asked in kind():
        check(local, source, asked)


def test_what_joins_prefetches_is_timed_by_what_it_is(source: Plain) -> None:
    for query, stage in (({"fusion": "rrf"}, "fuse"), ({"formula": "$score"}, "formula")):
        ask(source, fused(query, near("cos", limit=9), near("sp", limit=9)))
        assert source.seconds.pop(stage) > 0
    ask(source, near("cos", limit=9) | {"limit": 9})
    assert not source.seconds


def test_an_id_excludes_its_point_from_the_levels_below(local: QdrantClient, source: Plain) -> None:
    asked = fused(4, near("cos", 7, limit=60), near("sp", limit=60), using="dot", limit=60)
    check(local, source, asked)
    found = {record.id for record in ask(source, asked).records}
    assert 4 not in found and 7 in found  # 7 is an example of one prefetch alone
    among = fused({"fusion": "rrf"}, fused(4, near("cos", limit=60), using="dot"), limit=60)
    assert 4 not in {record.id for record in ask(source, among).records}


def test_orders(local: QdrantClient, source: Plain) -> None:
    for order in ORDERS:
        for more in ({}, {"limit": 60}, {"offset": 4}, {"filter": LOW}):
            asked = {"query": {"order_by": order}, **more}
            ours, theirs = ask(source, asked), expect(local, asked)
            assert list(ours.order_values or ()) == [point.order_value for point in theirs]
            assert ours.scores == [point.score for point in theirs]
    asked = fused({"order_by": "n"}, near("cos", limit=9))
    assert list(ask(source, asked).order_values or ()) == [
        point.order_value for point in expect(local, asked)
    ]


def test_points_by_id_and_at_random(local: QdrantClient, source: Plain) -> None:
    for asked in ({}, {"limit": 60}, {"filter": LOW, "offset": 3}, {"offset": 58}):
        ours = [text_of(record.id) for record in ask(source, asked).records]
        assert ours == [point.id for point in expect(local, asked)]
    sampled = ask(source, {"query": {"sample": "random"}, "limit": 60, "filter": LOW})
    among = {text_of(record.id) for record in sampled.records}
    assert among == {point.id for point in expect(local, {"limit": 60, "filter": LOW})}
    drawn = [ask(source, {"query": {"sample": "random"}, "limit": 20}) for _ in range(2)]
    assert [r.id for r in drawn[0].records] != [r.id for r in drawn[1].records]
    assert len(drawn[0].records) == len({r.id for r in drawn[0].records}) == 20


def test_thresholds(local: QdrantClient, source: Plain) -> None:
    for using in NAMES:
        best = expect(local, near(using))
        for score in (best[4].score, (best[3].score + best[4].score) / 2):
            check(local, source, near(using, score_threshold=score, limit=60))
    for query in (recommend([1], [7], "best_score"), {"context": PAIRS}):
        check(local, source, near("cos", query, score_threshold=-0.05, limit=60))
    check(local, source, near("cos", {"context": PAIRS}, score_threshold=0, limit=60))
    check(local, source, near("sp", score_threshold=1.0))


@pytest.mark.parametrize("asked", REFUSED, ids=str)
def test_refusals(asked: dict[str, Any], local: QdrantClient, source: Plain) -> None:
    with pytest.raises((ValueError, AssertionError)):
        if "prefetch" in asked or "query" in asked or "score_threshold" in asked:
            refuse_locally(local, asked)
    with pytest.raises((PalimpsestError, Refusal)):
        ask(source, asked)


def refuse_locally(local: QdrantClient, asked: dict[str, Any]) -> None:
    if asked.get("limit") == 0:
        local.query_points(NAME, asked["query"], using=asked["using"], limit=0)
    expect(local, asked)


def test_estimates_are_made_exact() -> None:
    sure, rough = plain(), plain(noise=0.02)
    for using in NAMES:
        for query in (recommend([1, 4], [7], "best_score"), {"context": PAIRS}):
            asked = near(using, query)
            exact, found = ask(sure, asked), ask(rough, asked)
            assert [r.id for r in exact.records] == [r.id for r in found.records]
            assert exact.scores == found.scores


@pytest.mark.parametrize("asked", GROUPED, ids=str)
def test_groups(asked: dict[str, Any], local: QdrantClient, source: Plain) -> None:
    theirs = grouped(local, NAME, models.QueryGroupsRequest(**asked))
    request = to_groups(msgspec.json.decode(json.dumps(asked), type=GroupsBody)).request
    ours = answer_groups(source, request, lambda name: source)
    assert {group.key for group in ours} == {group.id for group in theirs}
    for key, hits in ours:
        expected = next(group.hits for group in theirs if group.id == key)
        pairs = zip(hits.records, hits.scores, strict=True)
        same([(r.id, s) for r, s in pairs], [(h.id, h.score) for h in expected])


def test_examples_of_another_collection(local: QdrantClient, source: Plain) -> None:
    create(local, "other")
    places = {"collection": "other", "vector": "dot"}, {"collection": "other"}
    for place in (*places, {"collection": NAME, "vector": "dot"}):
        for query in (4, recommend([1], [7], "best_score"), {"context": PAIRS}):
            asked = near("cos", query, lookup_from=place, limit=60)
            theirs = expect(local, asked)
            request, _ = to_tree(msgspec.json.decode(json.dumps(asked), type=QueryBody))
            other = plain()
            ours = answer(source, request, {NAME: source, "other": other}.__getitem__)
            pairs = zip(ours.records, ours.scores, strict=True)
            same([(r.id, s) for r, s in pairs], [(p.id, p.score) for p in theirs])


@pytest.mark.parametrize("using", [*NAMES, "sp"])
def test_matrix(using: str, local: QdrantClient, source: Plain) -> None:
    theirs = local.search_matrix_pairs(
        NAME, using=using, sample=POINTS, limit=4, query_filter=models.Filter(**LOW)
    ).pairs
    text = json.dumps({"using": using, "sample": POINTS, "limit": 4, "filter": LOW})
    found = neighbours(source, to_matrix(msgspec.json.decode(text, type=MatrixBody)))
    pairs, offsets = to_pairs(found).pairs, to_offsets(found)
    for one in {pair.a for pair in theirs}:
        ours = [(pair.b, pair.score) for pair in pairs if text_of(pair.a) == one]
        same(ours, [(pair.b, pair.score) for pair in theirs if pair.a == one])
    assert len(pairs) == len(theirs)
    assert [pair.a for pair in pairs] == [offsets.ids[row] for row in offsets.offsets_row]
    assert [pair.b for pair in pairs] == [offsets.ids[column] for column in offsets.offsets_col]
    assert [pair.score for pair in pairs] == offsets.scores
    ids = [text_of(one) for one in offsets.ids]
    assert ids == sorted(ids, key=lambda one: (isinstance(one, str), one))


def test_a_matrix_of_one_point_is_empty(source: Plain) -> None:
    one = MatrixRequest("cos", Filter(must=(HasId(frozenset({4})),)))
    assert neighbours(source, one) == ([], [], [])


def test_a_matrix_has_so_many_pairs_at_most(source: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("palimpsest.index.query.matrix.MAX_PAIRS", 20)
    assert neighbours(source, MatrixRequest("cos", sample=10, limit=2)).ids
    with pytest.raises(InvalidConfig, match="10 points with up to 3 others each"):
        neighbours(source, MatrixRequest("cos", sample=10, limit=3))
    with pytest.raises(InvalidConfig, match="must be 20 or smaller"):
        neighbours(source, MatrixRequest("cos", sample=2**64 - 1, limit=2**64 - 1))


def test_diverse_points_are_chosen_from_a_bounded_number(
    source: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("nearest", "groups"):
        monkeypatch.setattr(f"palimpsest.index.query.{module}.MAX_MMR_CANDIDATES", 20)
    asked = near("cos", {"nearest": 4, "mmr": {}}, limit=21)
    with pytest.raises(InvalidInput, match="at most 20 candidates"):
        ask(source, asked)
    few = near("cos", {"nearest": 4, "mmr": {"candidates_limit": 20}}, limit=21)
    assert len(ask(source, few).records) == 20
    text = json.dumps({**asked, "group_by": "n", "limit": POINTS})
    request = to_groups(msgspec.json.decode(text, type=GroupsBody)).request
    assert answer_groups(source, request, lambda name: source)


def test_texts_of_formulas_without_a_finite_value(source: Plain) -> None:
    for formula, text in (
        ({"div": {"left": 1e308, "right": 1e-308}}, r"div\(1e\+308, 1e-308\) produced"),
        ({"exp": 1e9}, r"exp\(1000000000.0\) produced"),
    ):
        with pytest.raises(InvalidInput, match=text):
            ask(source, fused({"formula": formula}, near("cos")))
    huge = {"formula": "$score", "defaults": {"$score": 10**400}}
    with pytest.raises(InvalidInput, match=r"default of \$score as f64 produced"):
        ask(source, fused(huge, near("cos")))
