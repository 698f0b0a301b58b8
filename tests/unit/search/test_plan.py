from __future__ import annotations

import numpy as np
import pytest

from palimpsest.index import Distance, SearchRequest, VectorConfig
from palimpsest.index.config.vectors import MAX_EF
from palimpsest.index.errors import InvalidConfig
from palimpsest.index.search.plan import DEFAULT_EF, resolve

QUERY = np.ones(4, dtype=np.float32)
FOUR_BITS = VectorConfig(4, Distance.COSINE)


def test_defaults_are_resolved_once() -> None:
    plan = resolve(SearchRequest(QUERY), FOUR_BITS)
    assert (plan.fetch, plan.k, plan.offset, plan.exact) == (10, 10, 0, False)
    assert plan.ef == DEFAULT_EF["4"]
    assert 10 <= plan.rescored <= plan.ef


def test_offset_and_left_out_points_are_fetched_too() -> None:
    plan = resolve(SearchRequest(QUERY, k=200, offset=50), FOUR_BITS, without=1)
    assert plan.fetch == 251
    assert plan.ef >= 251


def test_explicit_parameters_are_kept() -> None:
    plan = resolve(SearchRequest(QUERY, ef=64, oversampling=4.0), FOUR_BITS)
    assert (plan.ef, plan.rescored) == (64, 40)
    assert resolve(SearchRequest(QUERY, ef=20, oversampling=9.0), FOUR_BITS).rescored == 20
    assert resolve(SearchRequest(QUERY, rescore=False), FOUR_BITS).rescored == 0


def test_exact_where_asked_for_and_under_manhattan() -> None:
    assert resolve(SearchRequest(QUERY, exact=True), FOUR_BITS).exact
    assert resolve(SearchRequest(QUERY, ignore_codes=True), FOUR_BITS).exact
    assert resolve(SearchRequest(QUERY), VectorConfig(4, Distance.MANHATTAN)).exact


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"k": 0}, "k: expected"),
        ({"offset": -1}, "offset"),
        ({"ef": 0}, "ef"),
        ({"ef": MAX_EF + 1}, "ef"),
        ({"oversampling": 0.5}, "oversampling"),
        ({"oversampling": float("nan")}, "oversampling"),
    ],
)
def test_parameters_out_of_range_are_refused(wrong: dict[str, float], text: str) -> None:
    with pytest.raises(InvalidConfig, match=text):
        resolve(SearchRequest(QUERY, **wrong), FOUR_BITS)  # type: ignore[arg-type]
