"""Queries of every kind, as JSON bodies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

V, W, X = [0.4, -0.2, 0.9, 0.1], [-0.5, 0.3, 0.2, 0.8], [0.1, 0.1, -0.7, 0.4]
S = {"indices": [3, 1, 7], "values": [0.5, 1.5, 1.0]}
T = {"indices": [2, 3], "values": [1.0, 0.25]}
UUID2 = "00000020-0000-0000-0000-000000000005"
OSLO = {"must": [{"key": "city", "match": {"value": "Oslo"}}]}
LOW = {"must": {"key": "n", "range": {"lt": 25}}}
EITHER = {"should": [{"key": "n", "range": {"lt": 8}}, {"key": "city", "match": {"value": "Rome"}}]}
HERE = {"lon": 10.0, "lat": 50.0}
NAMES = ["cos", "dot", "euc", "man"]


def recommend(positive: Any, negative: Any = None, strategy: str | None = None) -> dict[str, Any]:
    inside = {"positive": positive, "negative": negative, "strategy": strategy}
    return {"recommend": {key: value for key, value in inside.items() if value is not None}}


def near(using: str, query: Any = None, **more: Any) -> dict[str, Any]:
    if query is None:
        query = S if using in ("sp", "idf") else V
    return {"query": query, "using": using, **more}


def fused(query: Any, *prefetches: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"prefetch": list(prefetches), "query": query, **more}


PAIRS = [{"positive": 3, "negative": W}, {"positive": UUID2, "negative": 10}]
SPARSE_PAIRS = [{"positive": 3, "negative": T}, {"positive": S, "negative": 10}]


def by_vectors(using: str) -> Iterator[dict[str, Any]]:
    dense = using in NAMES
    a, b, pairs = (V, W, PAIRS) if dense else (S, T, SPARSE_PAIRS)
    yield near(using)
    yield near(using, 4, limit=7)
    yield near(using, UUID2, filter=LOW, offset=3)
    yield near(using, {"nearest": a}, limit=60)
    yield near(using, a, filter=EITHER, limit=5)
    for strategy in (None, "average_vector", "best_score", "sum_scores"):
        yield near(using, recommend([1, a], None, strategy), limit=9)
        yield near(using, recommend([1, UUID2], [b, 7], strategy), filter=LOW)
    for strategy in ("best_score", "sum_scores"):
        yield near(using, recommend(None, [b, 7], strategy))
    yield near(using, {"discover": {"target": a, "context": pairs}}, limit=60)
    yield near(using, {"discover": {"target": 4, "context": pairs[0]}}, filter=LOW, offset=2)
    yield near(using, {"context": pairs}, limit=60)
    yield near(using, {"context": pairs[1]}, filter=LOW)
    for diversity in (0, 0.3, 1):
        yield near(using, {"nearest": a, "mmr": {"diversity": diversity, "candidates_limit": 20}})
    yield near(using, {"nearest": 4, "mmr": {}}, limit=6, offset=2, filter=LOW)
    yield near(using, {"nearest": 4, "mmr": {"candidates_limit": 0}})


def fusions() -> Iterator[dict[str, Any]]:
    prefetches = near("cos", limit=15), near("sp", limit=12), near("euc", X, filter=LOW, limit=20)
    kinds: list[Any] = [
        {"fusion": "rrf"},
        {"fusion": "dbsf"},
        {"rrf": {}},
        {"rrf": {"k": 60}},
        {"rrf": {"k": 5, "weights": [1.0, 3.0, 0.5]}},
        {"rrf": {"weights": [0.0, 2.0, -1.0]}},
    ]
    for kind in kinds:
        for more in ({}, {"filter": EITHER}, {"limit": 4, "offset": 3}, {"score_threshold": 0.3}):
            yield fused(kind, *prefetches, **more)
    yield fused({"fusion": "dbsf"}, near("cos", limit=1), near("dot", limit=2))
    yield {"prefetch": prefetches[0], "query": {"fusion": "rrf"}}


def hybrids() -> Iterator[dict[str, Any]]:
    prefetches = near("cos", limit=15), near("sp", 4, limit=12)
    inner = fused({"fusion": "rrf"}, *prefetches, limit=10, filter=LOW)
    for query in (V, 4, recommend([1], [7], "best_score"), {"context": PAIRS}, {"nearest": V}):
        yield fused(query, *prefetches, using="dot")
        yield fused(query, inner, using="euc", filter=EITHER, limit=60)
    yield fused({"nearest": V, "mmr": {"diversity": 0.4}}, inner, using="cos")
    yield fused(V, near("cos", filter={"must": [{"has_id": []}]}), using="dot")
    deep = fused({"fusion": "dbsf"}, inner, near("man", limit=3), limit=30)
    yield fused({"rrf": {"k": 3}}, deep, near("idf"), filter=OSLO)


def feedbacks(using: str) -> Iterator[dict[str, Any]]:
    examples: list[Any] = [{"example": 3, "score": 0.9}, {"example": W, "score": 0.4}]
    examples.append({"example": UUID2, "score": 0.1})
    naive = {"naive": {"a": 0.7, "b": 1.3, "c": 0.4}}
    for few in (examples, examples[:1]):
        given = {"target": 4, "feedback": few, "strategy": naive}
        yield near(using, {"relevance_feedback": given})


def idf_corpora() -> Iterator[dict[str, Any]]:
    params = {"idf": {"corpus": LOW}}
    yield near("idf", params=params)
    yield near("idf", recommend([1, S], [T], "sum_scores"), params=params)
    yield near("idf", params={"idf": "global"})
    yield near("sp", params=params)


ORDERS: list[Any] = [
    "n",
    {"key": "ratio", "direction": "desc"},
    {"key": "n", "start_from": 20},
    {"key": "n", "direction": "desc", "start_from": 12.5},
    {"key": "day", "start_from": "2024-01-12T00:00:00Z"},
    {"key": "many"},
    {"key": "many", "direction": "desc", "start_from": 6},
]

FORMULAS: list[Any] = [
    "$score",
    {"sum": ["$score", {"mult": [0.5, "n"]}, "$score[1]"]},
    {"mult": ["$score[0]", {"key": "city", "match": {"value": "Oslo"}}]},
    {"sum": [{"should": [{"key": "n", "range": {"gt": 20}}, {"has_id": [1, 4]}]}, 1]},
    {"sum": [{"has_vector": "sp"}, {"is_empty": {"key": "ratio"}}]},
    {"div": {"left": "n", "right": {"sum": ["n", 1.5]}}},
    {"div": {"left": 1.5, "right": "n", "by_zero_default": -3.0}},
    {"neg": {"abs": "$score[1]"}},
    {"sqrt": {"max": ["n", "$score"]}},
    {"pow": {"base": {"sum": ["n", 1]}, "exponent": 1.5}},
    {"exp": {"min": ["ratio", 0.2, "$score"]}},
    {"sum": [{"ln": {"sum": ["n", 1]}}, {"log10": {"sum": ["n", 2]}}]},
    {"acosh": {"sum": ["n", 1]}},
    {"geo_distance": {"origin": HERE, "to": "where"}},
    {"lin_decay": {"x": "n", "target": 20, "scale": 8.0, "midpoint": 0.25}},
    {"exp_decay": {"x": {"sum": ["n", "$score"]}, "target": 3}},
    {
        "gauss_decay": {
            "x": {"datetime_key": "day"},
            "target": {"datetime": "2024-01-09T00:00:00Z"},
            "scale": 86400.0 * 5,
        }
    },
    {"mult": [0.0, "missing"]},
    {"sum": []},
    {"mult": []},
]
DEFAULTS = {
    "ratio": 0.7,
    "where": {"lon": 8.0, "lat": 45.0},
    "day": "2024-01-20",
    "$score[1]": -2.5,
}


def formulas() -> Iterator[dict[str, Any]]:
    prefetches = near("cos", limit=15), near("euc", limit=12)
    for formula in FORMULAS:
        asked = fused({"formula": formula, "defaults": DEFAULTS}, *prefetches)
        for more in ({}, {"limit": 3, "offset": 2, "filter": LOW}, {"score_threshold": 0.4}):
            yield {**asked, **more}


REFUSED: list[dict[str, Any]] = [
    fused({"formula": {"ln": {"mult": [-1.0, "n"]}}}, near("cos")),
    fused({"formula": {"sqrt": {"neg": {"sum": ["n", 1]}}}}, near("cos")),
    fused({"formula": {"exp": 1e6}}, near("cos")),
    fused({"formula": {"pow": {"base": 10.0, "exponent": 300.0}}}, near("cos")),
    fused({"formula": {"div": {"left": 1.0, "right": 0.0}}}, near("cos")),
    fused({"formula": "missing"}, near("cos")),
    fused({"formula": "city"}, near("cos")),
    fused({"formula": "tags"}, near("cos", limit=60)),
    fused({"formula": "$scores"}, near("cos")),
    fused({"formula": "$score[-1]"}, near("cos")),
    fused({"formula": "a..b"}, near("cos")),
    fused({"formula": {"max": []}}, near("cos")),
    fused({"formula": {"datetime": "yesterday"}}, near("cos")),
    fused({"formula": {"datetime_key": "city"}}, near("cos")),
    fused({"formula": {"geo_distance": {"origin": HERE, "to": "n"}}}, near("cos")),
    fused({"formula": {"exp_decay": {"x": "n", "midpoint": 1.0}}}, near("cos")),
    fused({"formula": {"lin_decay": {"x": "n", "scale": 0.0}}}, near("cos")),
    {"query": {"formula": "n"}},
    {"query": {"fusion": "rrf"}},
    {"query": {"rrf": {}}},
    fused({"fusion": "rrf"}, near("cos"), using="cos"),
    fused({"rrf": {"k": 0}}, near("cos")),
    fused({"rrf": {"weights": [1.0, 2.0]}}, near("cos")),
    {"prefetch": [near("cos")]},
    fused({"fusion": "rrf"}, {"prefetch": [near("cos")]}),
    {"score_threshold": 0.5},
    {"query": {"order_by": "n"}, "score_threshold": 0.5},
    {"query": V},
    near("absent", V),
    near("cos", S),
    near("sp", V),
    near("cos", [1.0, 2.0]),
    near("cos", 999),
    near("cos", 6),
    near("cos", recommend([])),
    near("cos", recommend(None, [1])),
    near("cos", recommend(None, None, "best_score")),
    near("cos", {"context": []}),
    near("cos", {"discover": {"target": 999, "context": []}}),
    near("cos", {"nearest": V, "mmr": {"candidates_limit": 20_000}}),
    near("cos", limit=0),
    fused({"fusion": "rrf"}, near("cos", limit=0)),
]

GROUPED: list[dict[str, Any]] = [
    near("cos", group_by="city"),
    near("cos", group_by="tags", group_size=2, limit=3),
    near("euc", group_by="tags[]", group_size=50),
    near("sp", group_by="n", limit=4),
    near("dot", 4, group_by="many", filter=LOW),
    near("cos", recommend([1], [7], "best_score"), group_by="city", group_size=1),
    fused({"fusion": "rrf"}, near("cos", limit=3), near("sp", limit=3), group_by="city"),
    near("cos", {"nearest": V, "mmr": {"diversity": 0.6}}, group_by="city"),
    {"group_by": "city"},
    near("cos", group_by="absent"),
    near("cos", group_by="n", limit=2, group_size=2),
    near("euc", group_by="many", limit=1, group_size=5),
    near("dot", group_by="tags", limit=1, group_size=9, filter=LOW),
    near("man", recommend([1], [7], "sum_scores"), group_by="many", limit=1, group_size=3),
    fused({"rrf": {"k": 3}}, near("cos"), near("sp"), group_by="many", limit=2, group_size=2),
]
