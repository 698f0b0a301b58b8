"""A model that changed without a word, as an operator is told of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.api.replies import result
from tests.unit.adapters.test_drift import ONE, OTHER, SIZE, embedded


def put(http: httpx.Client, name: str, rows: Any, first: int) -> None:
    points = [{"id": first + i, "vector": row} for i, row in enumerate(rows.tolist())]
    result(http.put(f"/collections/{name}/points?wait=true", json={"points": points}))


def told(http: httpx.Client, name: str, wanted: bool) -> list[str]:
    """Return the warnings once they are, or are not, of a changed model; by themselves."""
    until = time.monotonic() + 30
    while True:
        texts = [
            one["message"] for one in result(http.get(f"/collections/{name}")).get("warnings", [])
        ]
        if any("not of the embedding model" in text for text in texts) is wanted:
            return texts
        assert time.monotonic() < until, texts
        time.sleep(0.05)


def test_a_changed_model_is_told_until_a_version_is_declared(
    http: httpx.Client, make: Callable[..., str]
) -> None:
    name = make(vectors={"size": SIZE, "distance": "Cosine"})
    put(http, name, embedded(ONE, 800, 3), 0)
    assert told(http, name, False) == []
    put(http, name, embedded(OTHER, 300, 4), 800)
    (text,) = told(http, name, True)
    assert "declare a version" in text
    (version,) = result(http.get(f"/collections/{name}/versions"))["versions"]
    assert version["drift"]["foreign"] is True
    assert version["drift"]["alike"] < 5 < 12 < version["drift"]["known"]
    metrics = http.get("/metrics").text
    labels = f'{{collection="{name}",vector="",version="v1"}}'
    shuffled = f'{{collection="{name}",version="v1",vector=""}}'
    assert any(f"palimpsest_model_drifted{one} 1.0" in metrics for one in (labels, shuffled))
    declared = {"size": SIZE, "distance": "Cosine"}
    result(http.put(f"/collections/{name}/versions/v2", json=declared))
    assert told(http, name, False) == []
    versions = result(http.get(f"/collections/{name}/versions"))["versions"]
    assert [one["drift"] for one in versions] == [None, None]
