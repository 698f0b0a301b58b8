"""Hits as scored points: few digits, valid numbers, versions and payloads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import pytest

from palimpsest.app.schemas.hits import to_hits, to_points
from palimpsest.app.schemas.selectors import PayloadSelector
from palimpsest.index import (
    Answer,
    PointId,
    Record,
    SearchResult,
    SearchStats,
)

HYPHENATED = "936da01f-9abd-4d9d-80c7-02af85c822a8"


NO_PAYLOAD = PayloadSelector(None, default=False)


def search_result(ids: Sequence[PointId], distances: Sequence[float]) -> SearchResult:
    return SearchResult(
        ids=ids,
        seqs=list(range(len(ids))),
        distances=np.array(distances, dtype=np.float32),
        payloads=None,
        vectors=None,
        stats=SearchStats(),
    )


def sent(found: SearchResult) -> Any:
    text = msgspec.json.encode(to_points(found, NO_PAYLOAD, False, True))
    return json.loads(text, parse_constant=pytest.fail)["points"]


def test_scores_have_the_fewest_digits() -> None:
    found = search_result([7, 2**64 - 1, UUID(HYPHENATED)], [-0.1, 0.25, 0])
    assert sent(found) == [
        {"id": 7, "version": 0, "score": 0.1},
        {"id": 2**64 - 1, "version": 1, "score": -0.25},
        {"id": HYPHENATED, "version": 2, "score": 0.0},
    ]
    assert sent(search_result([], [])) == []


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_scores_that_json_cannot_hold_stay_valid(bad: float) -> None:
    rows = sent(search_result([1, 2], [bad, 0.5]))
    assert np.isfinite([row["score"] for row in rows]).all()
    assert rows[1]["score"] == -0.5


def test_hits_of_a_tree() -> None:
    hits = Answer([Record(3, 8, b'{"a":1}')], [float(np.float32(0.1))], [5], whole=True)
    text = msgspec.json.encode(to_hits(hits, PayloadSelector(True, default=False), False))
    row = {"id": 3, "version": 8, "score": 0.1, "payload": {"a": 1}, "order_value": 5}
    assert json.loads(text) == [row]
