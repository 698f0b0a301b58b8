"""The matrix of a chain of versions, AC and AM, and the verdict of each step."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pytest

from palimpsest.index.adapters.compare_chain import Cell, ChainMeasures, chained

QUERIES = 400
WHOLE: Mapping[Cell, float] = {
    (0, 0): 0.3, (1, 0): 0.4, (1, 1): 0.5, (2, 0): 0.2, (2, 1): 0.6, (2, 2): 0.7,
}  # fmt: skip


def measures(
    worth: Mapping[Cell, float], ranked: Mapping[Cell, float] | None = None, absolute: bool = True
) -> ChainMeasures:
    """Return measures of 0 and 1 with the means given: the same queries fail first."""

    def of(means: Mapping[Cell, float]) -> dict[Cell, np.ndarray]:  # type: ignore[type-arg]
        places = np.arange(QUERIES)
        return {cell: (places < mean * QUERIES).astype(float) for cell, mean in means.items()}

    return ChainMeasures(["a", "b", "c"], of(worth), of(ranked or {}), absolute, "found")


def test_ac_and_am_are_those_of_their_definitions() -> None:
    found = chained(measures(WHOLE))
    # Of the pairs (1, 0), (2, 0) and (2, 1) the first and the last beat the older version.
    assert found["ac"] == pytest.approx(2 / 3)
    assert found["am"] == pytest.approx((0.3 + 0.4 + 0.5 + 0.2 + 0.6 + 0.7) / 6)
    assert found["ac_interval"][0] <= found["ac"] <= found["ac_interval"][1]
    assert found["am_interval"][0] < found["am"] < found["am_interval"][1]
    assert found["matrix"][2][1]["value"] == pytest.approx(0.6)
    assert found["matrix"][0][2] == {"value": None, "interval": None}
    assert found["queries"] == QUERIES
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_what_no_adapter_serves_is_named() -> None:
    worth = {cell: mean for cell, mean in WHOLE.items() if cell != (2, 0)}
    found = chained(measures(worth))
    assert (found["ac"], found["am"], found["am_interval"]) == (None, None, None)
    assert "queries of 'c' over rows of 'a'" in found["reasons"][1]
    assert "over rows of 'b'" not in found["reasons"][1]


def test_every_step_has_a_verdict() -> None:
    first, second = chained(measures(WHOLE, {(1, 0): 0.45, (2, 1): 0.5}))["steps"]
    assert (first["old"], first["new"], first["verdict"]) == ("a", "b", "bridge")
    assert first["over_old"]["bridge"]["value"] == pytest.approx(0.1)
    assert first["over_old"]["reindex"]["queries"] == QUERIES
    assert (second["old"], second["new"], second["verdict"]) == ("b", "c", "bridge")


def test_a_step_down_is_not_advised_and_one_too_small_is_not_told() -> None:
    down = {(0, 0): 0.5, (1, 1): 0.3, (2, 2): 0.3025}
    first, second = chained(measures(down))["steps"]
    assert first["verdict"] == "stay"
    assert second["verdict"] == "not enough queries"
    assert second["more_queries"] > 0


def test_queries_that_do_not_count_are_left_out() -> None:
    whole = measures(WHOLE)
    for own in whole.worth.values():
        own[:100] = np.nan
    found = chained(whole)
    assert found["queries"] == found["steps"][0]["over_old"]["reindex"]["queries"] == 300
    assert found["matrix"][0][0]["value"] == pytest.approx(20 / 300)


def test_shares_of_the_newest_answer_give_no_verdict() -> None:
    found = chained(measures(WHOLE, absolute=False))
    assert (found["steps"], found["am"]) == ([], pytest.approx(0.45))
    assert found["assumes"] is not None
