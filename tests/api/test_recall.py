"""What users see of recall: in the collection, explanations, warnings and metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.api.replies import result
from tests.api.served import serving
from tests.api.test_vectors import is_sealed, wait_for
from tests.unit.segments.bad import clusters

SIZE = 64
TIGHT = clusters(20, 150, SIZE)


def fill(http: httpx.Client, name: str, **own: Any) -> None:
    """Create a collection of tight clusters, and wait until it is sealed."""
    body = {
        "vectors": {"size": SIZE, "distance": "Euclid"},
        "metadata": {"palimpsest": {"seal_rows": len(TIGHT), "quiet_seconds": 3600, **own}},
    }
    result(http.put(f"/collections/{name}", json=body))
    for start in range(0, len(TIGHT), 1_000):
        points = [
            {"id": start + row, "vector": vector.tolist()}
            for row, vector in enumerate(TIGHT[start : start + 1_000])
        ]
        result(http.put(f"/collections/{name}/points?wait=true", json={"points": points}))
    wait_for(http, name, is_sealed)


def recall_of(http: httpx.Client, name: str) -> tuple[dict[str, Any], list[str]]:
    """Return what is shown of the recall of a collection, and its warnings."""
    shown = result(http.get(f"/collections/{name}"))
    texts = [one["message"] for one in shown.get("warnings", [])]
    return shown["palimpsest"]["vectors"][""]["recall"], texts


def search(http: httpx.Client, name: str, **params: Any) -> dict[str, Any]:
    body = {"query": TIGHT[7].tolist(), "limit": 10, "params": params}
    reply = http.post(
        f"/collections/{name}/points/query", json=body, headers={"x-palimpsest-explain": "true"}
    )
    assert reply.status_code == 200
    found: dict[str, Any] = reply.json()
    return found


def series(http: httpx.Client, start: str) -> dict[str, float]:
    lines = http.get("/metrics").text.splitlines()
    found = [line.rsplit(" ", 1) for line in lines if line.startswith(start)]
    return {name: float(value) for name, value in found}


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A client of a server with a collection that is well, one without originals, one of 1 bit."""
    folder = tmp_path_factory.mktemp("recall")
    with serving(folder) as server, httpx.Client(base_url=server.url, timeout=60) as http:
        fill(http, "well")
        fill(http, "bare", originals="none")
        fill(http, "narrow", originals="none", encoding="1")
        yield http, folder, {name: recall_of(http, name) for name in ("well", "bare", "narrow")}


def test_a_collection_says_what_its_segments_find(three: Any) -> None:
    http, _, _ = three
    recall, texts = recall_of(http, "well")
    assert recall["wanted"] == 0.98 and recall["measured"] >= 0.98 and 0.5 <= recall["worst"] <= 1
    assert sum(recall["decisions"].values()) == 1 and "short" not in recall["decisions"]
    assert texts == []


def test_codes_get_more_bits_where_nothing_else_is_kept(three: Any) -> None:
    http, _, _ = three
    recall, _ = recall_of(http, "bare")
    assert recall["bits"] == {"8": 1}
    shown = result(http.get("/collections/bare"))["palimpsest"]["vectors"][""]
    assert (shown["encoding"], shown["bits"]) == ("4", 4)  # what is asked for


def test_an_encoding_that_was_asked_for_is_kept_and_warned_of(three: Any) -> None:
    http, _, _ = three
    recall, texts = recall_of(http, "narrow")
    assert recall["bits"] == {"1": 1} and recall["decisions"] == {"short": 1}
    assert recall["measured"] < 0.98
    [text] = texts
    assert "1 of 1 segments" in text and "encoding of 1 bits was asked for" in text
    assert "`originals`" in text


def test_an_encoding_named_later_is_carried_out(three: Any) -> None:
    http, _, _ = three
    fill(http, "later", originals="none")
    assert recall_of(http, "later")[0]["bits"] == {"8": 1}
    change = {"metadata": {"palimpsest": {"encoding": "4", "originals": "none"}}}
    assert http.patch("/collections/later", json=change).status_code == 200
    wait_for(
        http,
        "later",
        lambda held: (
            held["palimpsest"]["vectors"][""]["recall"]["bits"] == {"4": 1}
            and held["status"] == "green"
        ),
    )


def test_searches_explain_what_was_decided(three: Any) -> None:
    http, _, known = three
    for name in ("well", "bare", "narrow"):
        explained = search(http, name)["explain"]
        assert explained["segments"] == 1
        assert explained["decisions"] == known[name][0]["decisions"]


def test_metrics_count_segments_by_decision(three: Any) -> None:
    http, _, known = three
    decided = series(http, "palimpsest_segments_decided")
    for name in ("well", "bare", "narrow"):
        own = {key: value for key, value in decided.items() if f'collection="{name}"' in key}
        assert len(own) == 7 and sum(own.values()) == 1
    assert (
        decided['palimpsest_segments_decided{collection="narrow",decision="short",vector=""}'] == 1
    )
    measured = series(http, "palimpsest_recall_probed_ratio")
    name = 'palimpsest_recall_probed_ratio{collection="narrow",vector=""}'
    assert measured[name] == pytest.approx(known["narrow"][0]["measured"], abs=1e-4)


def test_decisions_outlive_the_server(three: Any, tmp_path: Path) -> None:
    with serving(tmp_path) as server, httpx.Client(base_url=server.url, timeout=60) as http:
        fill(http, "bare", originals="none")
        before = recall_of(http, "bare")
    with serving(tmp_path) as server, httpx.Client(base_url=server.url, timeout=60) as http:
        assert recall_of(http, "bare") == before
        assert np.isfinite(search(http, "bare")["result"]["points"][0]["score"])


def test_sparse_vectors_have_no_recall_to_show(three: Any) -> None:
    http, _, _ = three
    body = {"vectors": {"size": 4, "distance": "Dot"}, "sparse_vectors": {"words": {}}}
    result(http.put("/collections/words", json=body))
    shown = result(http.get("/collections/words"))["palimpsest"]
    assert "recall" not in shown["sparse_vectors"]["words"]
    names = series(http, "palimpsest_segments_decided")
    assert not any('vector="words"' in name for name in names)
