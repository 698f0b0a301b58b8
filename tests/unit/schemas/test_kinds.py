"""Objects of one kind of query: what each asks for, its bounds; the first known kind counts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from palimpsest.app.errors import Refusal
from palimpsest.app.schemas.kinds import BODIES, OrderByInput, to_kind, to_order
from palimpsest.index import queries


def read(asked: Any) -> Any:
    return to_kind(json.dumps(asked).encode())


def test_no_query_is_none() -> None:
    assert to_kind(b"") is None
    assert to_kind(b"null") is None
    assert read(2**64 - 1).target == 2**64 - 1


def test_a_vector_of_zeros_is_one() -> None:
    assert read({"nearest": [0.0, 0.0]}).target.tolist() == [0.0, 0.0]


def test_orders() -> None:
    assert repr(to_order("é.n")) == repr(queries.OrderBy(("é", "n")))
    found = to_order(OrderByInput("n", "desc", 2**53 + 1))
    assert (found.path, found.descending, found.start_from) == (("n",), True, 2**53 + 1)
    dated = to_order(OrderByInput("n", "asc", "1970-01-01T00:00:01Z"))
    assert dated.start_from == 1_000_000
    with pytest.raises(Refusal, match="start_from"):
        to_order(OrderByInput("n", None, "soon"))


def test_mmr() -> None:
    assert read({"nearest": 1, "mmr": {}}).mmr.diversity == queries.DEFAULT_DIVERSITY
    assert read({"nearest": 1, "mmr": {"diversity": 0}}).mmr.diversity == 0
    assert read({"nearest": 1}).mmr is None
    for wrong in ({"diversity": 1.0001}, {"diversity": -0.5}, {"candidates_limit": 10**6}):
        with pytest.raises(Refusal) as refused:
            read({"nearest": 1, "mmr": wrong})
        assert refused.value.status == 422


def test_one_pair_is_a_list_of_one() -> None:
    pair = {"positive": 1, "negative": [0.0, 1.0]}
    one, many = read({"context": pair}), read({"context": [pair]})
    assert len(one.pairs) == len(many.pairs) == 1
    assert one.pairs[0].positive == 1
    assert read({"context": None}).pairs == ()


def test_weights_of_a_fusion() -> None:
    plain, weighed = read({"rrf": {}}), read({"rrf": {"k": 2**32 - 1, "weights": [0]}})
    assert repr(plain) == repr(queries.Fusion("rrf", queries.DEFAULT_RRF_K, None))
    assert repr(weighed) == repr(queries.Fusion("rrf", 2**32 - 1, (0.0,)))
    with pytest.raises(Refusal):
        read({"rrf": {"k": 2**32}})


@pytest.mark.parametrize(
    ("asked", "status", "text"),
    [
        ({"recommend": {}}, 422, "At least one positive or negative"),
        ({"recommend": {"positive": []}}, 422, "At least one positive or negative"),
        ({"made up": 1, "é": 2}, 400, "got the fields made up, é"),
        ({}, 400, "got the fields none"),
    ],
)
def test_what_is_no_query(asked: Any, status: int, text: str) -> None:
    with pytest.raises(Refusal) as refused:
        read(asked)
    assert refused.value.status == status
    assert text in refused.value.text


def test_every_kind_is_named_as_its_field() -> None:
    assert all(kind in body.__struct_fields__ for kind, body in BODIES.items())
