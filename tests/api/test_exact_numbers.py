"""Integers keep their value wherever a request or a payload holds one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import httpx
import pytest

from tests.api.replies import refused, result
from tests.numbers import LARGE

Make = Callable[..., str]
NOW = 1768962487123456789
INDEXES = [
    None,
    "integer",
    "float",
    {"type": "integer", "lookup": False, "range": True},
    {"type": "integer", "lookup": True, "range": False},
]
ORDERED = [*range(-2, 3), 0.5, NOW + 1, float(NOW), *LARGE]  # NOW is among those


def filled(http: httpx.Client, make: Make, values: list[Any], index: Any = None) -> str:
    name = make(vectors={"size": 1, "distance": "Dot"})
    points = [{"id": n, "vector": [1.0], "payload": {"k": each}} for n, each in enumerate(values)]
    half = (len(points) + 1) // 2
    result(http.put(f"/collections/{name}/points?wait=true", json={"points": points[:half]}))
    if index is not None:
        body = {"field_name": "k", "field_schema": index}
        result(http.put(f"/collections/{name}/index?wait=true", json=body))
    if points[half:]:
        result(http.put(f"/collections/{name}/points?wait=true", json={"points": points[half:]}))
    return name


def found(http: httpx.Client, name: str, **kind: Any) -> list[int]:
    body = {"filter": {"must": {"key": "k", **kind}}, "limit": 100}
    points = result(http.post(f"/collections/{name}/points/scroll", json=body))["points"]
    return [point["id"] for point in points]


@pytest.mark.parametrize("index", INDEXES, ids=str)
def test_bounds_are_compared_as_mathematics_does(
    http: httpx.Client, make: Make, index: Any
) -> None:
    name = filled(http, make, ORDERED, index)
    for bound in (*ORDERED, NOW - 1, 2**53 - 1, 2**54 + 2):
        for sign, holds in (
            ("gt", lambda value, bound: value > bound),
            ("gte", lambda value, bound: value >= bound),
            ("lt", lambda value, bound: value < bound),
            ("lte", lambda value, bound: value <= bound),
        ):
            expected = [n for n, value in enumerate(ORDERED) if holds(value, bound)]
            assert found(http, name, range={sign: bound}) == expected, (sign, bound)
    assert found(http, name, range={"gte": NOW, "lte": NOW}) == [ORDERED.index(NOW)]


@pytest.mark.parametrize("index", INDEXES, ids=str)
def test_matches_are_of_integers_alone(http: httpx.Client, make: Make, index: Any) -> None:
    values = [*ORDERED, 1.0, True, "1", [NOW + 5, "x"]]
    name = filled(http, make, values, index)
    for wanted in (1, NOW, NOW + 5, 2**53 + 1, 2**63, -(2**63), 2**64, 10**30):
        same = [n for n, value in enumerate(values) if _holds(value, wanted)]
        assert found(http, name, match={"value": wanted}) == same
        assert found(http, name, match={"any": [wanted, 77]}) == same
        others = [n for n, value in enumerate(values) if _holds_another(value, wanted)]
        assert found(http, name, match={"except": [wanted]}) == others


@pytest.mark.parametrize("index", ["integer", "float"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_an_order_leaves_no_number_out(
    http: httpx.Client, make: Make, index: str, direction: str
) -> None:
    values = [*ORDERED, "x", None, True, [NOW + 2, 2**70, 7], []]
    name = filled(http, make, values, index)
    numbers = [*ORDERED, NOW + 2, 2**70, 7]
    expected = sorted(numbers, reverse=direction == "desc")
    for start in (None, 1, NOW, NOW - 1, float(NOW), 2**63, 10**30, -(2**63), 0.25):
        order = {"key": "k", "direction": direction, "start_from": start}
        body = {"order_by": order, "limit": 100}
        points = result(http.post(f"/collections/{name}/points/scroll", json=body))["points"]
        wanted = [
            one
            for one in expected
            if start is None or (one <= start if direction == "desc" else one >= start)
        ]
        assert [point["order_value"] for point in points] == wanted
        if start is None:
            body = {"query": {"order_by": order}, "limit": 5}
            points = result(http.post(f"/collections/{name}/points/query", json=body))["points"]
            assert [point["order_value"] for point in points] == expected[:5]


def test_facets_and_groups_of_large_integers(http: httpx.Client, make: Make) -> None:
    values = [NOW, NOW + 1, NOW, float(NOW), 2**64 + 1, [NOW + 1, NOW], 1, True, "1", -(2**63)]
    for index in (None, "integer"):
        name = filled(http, make, values, index)
        url = f"/collections/{name}"
        hits = result(http.post(f"{url}/facet", json={"key": "k", "limit": 20}))["hits"]
        assert {repr(hit["value"]): hit["count"] for hit in hits} == {
            repr(NOW): 3, repr(NOW + 1): 2, repr(2**64 + 1): 1, repr(-(2**63)): 1,
            "1": 1, "True": 1, "'1'": 1,
        }  # fmt: skip
        body = {"query": [1.0], "group_by": "k", "limit": 20, "group_size": 5}
        groups = result(http.post(f"{url}/points/query/groups", json=body))["groups"]
        assert {repr(group["id"]): len(group["hits"]) for group in groups} == {
            repr(NOW): 3, repr(NOW + 1): 2, repr(2**64 + 1): 1, repr(-(2**63)): 1, "1": 1, "'1'": 1,
        }  # fmt: skip


FORMULAS: list[tuple[Any, float]] = [
    ({"sum": ["k", {"neg": NOW - 3}]}, 3),
    ({"sum": [{"mult": ["k", 2]}, {"neg": 2 * NOW - 1}]}, 1),
    ({"sum": [{"max": ["k", NOW - 1]}, -NOW]}, 0),
    ({"abs": {"sum": [{"neg": "k"}, NOW + 2]}}, 2),
    ({"lin_decay": {"x": "k", "target": NOW + 1, "scale": 2}}, 0.75),
    ({"exp_decay": {"x": "k", "target": NOW + 2, "scale": 2}}, 0.5),
    ({"gauss_decay": {"x": "k", "target": NOW - 2, "scale": 2}}, 0.5),
    ({"sum": ["missing", -NOW]}, 5),
    ({"div": {"left": 1, "right": 0, "by_zero_default": 2}}, 2),
    ({"key": "k", "range": {"gte": NOW, "lte": NOW}}, 1),
    ({"key": "k", "range": {"gt": NOW}}, 0),
]


@pytest.mark.parametrize(("formula", "score"), FORMULAS, ids=str)
def test_formulas_are_exact_on_integers(
    http: httpx.Client, make: Make, formula: Any, score: float
) -> None:
    name = filled(http, make, [NOW])
    query = {"formula": formula, "defaults": {"missing": NOW + 5}}
    body = {"prefetch": {"query": [1.0]}, "query": query}
    (point,) = result(http.post(f"/collections/{name}/points/query", json=body))["points"]
    assert point["score"] == score


@pytest.mark.parametrize(
    "formula",
    [
        {"mult": [10**300, 10**300]},
        {"sum": [{"sum": [10**308, 10**308]}, 0.5]},
        {"neg": {"sum": [10**308] * 3}},
        {"div": {"left": 1, "right": 0, "by_zero_default": 10**200}},
    ],
    ids=["product", "mixed sum", "sum", "default"],
)
def test_integers_beyond_floats_are_no_score(http: httpx.Client, make: Make, formula: Any) -> None:
    name = filled(http, make, [1])
    body = {"prefetch": {"query": [1.0]}, "query": {"formula": formula}}
    text = refused(http.post(f"/collections/{name}/points/query", json=body), 400)
    assert "non-finite" in text


def test_sums_do_not_depend_on_order(http: httpx.Client, make: Make) -> None:
    name = filled(http, make, [NOW])
    for order in permutations(["k", -NOW, 2]):
        query = {"formula": {"sum": list(order)}}
        body = {"prefetch": {"query": [1.0]}, "query": query}
        (point,) = result(http.post(f"/collections/{name}/points/query", json=body))["points"]
        assert point["score"] == 2


@pytest.mark.parametrize("index", [None, "integer", "keyword"])
def test_a_missing_field_has_no_values(http: httpx.Client, make: Make, index: Any) -> None:
    name = filled(http, make, [1, None, [], [None], [1, 2], "x"], index)
    body = {"points": [{"id": 99, "vector": [1.0], "payload": {"other": 1}}]}
    result(http.put(f"/collections/{name}/points?wait=true", json=body))
    assert found(http, name, values_count={"lt": 1}) == [1, 2, 99]
    assert found(http, name, values_count={"gte": 0, "lte": 1}) == [0, 1, 2, 3, 5, 99]
    assert found(http, name, values_count={"gt": 0}) == [0, 3, 4, 5]
    assert found(http, name, values_count={"lt": 2**70}) == [0, 1, 2, 3, 4, 5, 99]


def _holds(value: Any, wanted: int) -> bool:
    values = value if isinstance(value, list) else [value]
    return any(type(each) is int and each == wanted for each in values)


def _holds_another(value: Any, wanted: int) -> bool:
    values = value if isinstance(value, list) else [value]
    return any(type(each) is not int or each != wanted for each in values)
