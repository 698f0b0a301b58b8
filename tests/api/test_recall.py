"""What users see of recall: in the collection, explanations, warnings and metrics."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.api.replies import result
from tests.api.served import serving
from tests.api.test_backlog import until
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


def report(http: httpx.Client, name: str, below: str = "", **body: Any) -> dict[str, Any]:
    """Return what is measured of a collection: with a body by POST."""
    url = f"/collections/{name}/recall{below}"
    found: dict[str, Any] = result(http.post(url, json=body) if body else http.get(url))
    return found


def test_recall_is_measured_when_it_is_asked(three: Any) -> None:
    http, _, _ = three
    found = report(http, "well", "?num=30&top_k=5")
    assert (found["top_k"], found["wanted"], found["exact"], found["complete"]) == (
        *(5, 0.98, False),
        True,
    )
    assert found["rows"]["queries"] == 30 and found["given"] is None
    of = found["found"]
    assert of["low"] <= of["recall"] <= of["high"] and of["recall"] >= 0.95
    assert found["graph"] == {"rows": len(TIGHT), "unreached": 0} and found["lid"]["mean"] > 1
    narrow = report(http, "narrow", queries=TIGHT[:9].tolist(), params={"hnsw_ef": 16})
    assert narrow["given"]["queries"] == 9 and narrow["rows"] is narrow["recent"] is None
    assert narrow["ef"] is None  # so few codes are all scanned


def test_recent_queries_are_asked_again_and_never_shown(three: Any) -> None:
    http, _, _ = three
    for _ in range(8):
        search(http, "well")
    found = report(http, "well")
    assert found["recent"]["queries"] >= 1
    assert set(found["recent"]) == {"queries", "recall", "low", "high", "worst"}


def test_recall_among_points_that_pass_and_of_none(three: Any) -> None:
    http, _, _ = three
    few = {"must": [{"has_id": list(range(40))}]}
    found = report(http, "well", filter=few, num=100)
    assert found["rows"]["queries"] == 40 and found["found"]["recall"] == 1
    nothing = report(http, "well", filter={"must": [{"has_id": [10**9]}]})
    assert nothing["rows"] is None and nothing["complete"]


def test_recall_of_an_empty_collection_and_of_sparse_vectors(three: Any) -> None:
    http, _, _ = three
    body = {"vectors": {"ö.a b": {"size": 4, "distance": "Dot"}}, "sparse_vectors": {"words": {}}}
    result(http.put("/collections/leer", json=body))
    empty = report(http, "leer", "?using=%C3%B6.a%20b")
    assert empty["found"] is None and not empty["exact"]
    sparse = report(http, "leer", "?using=words")
    assert sparse["exact"] and sparse["found"] is None


@pytest.mark.parametrize(
    "below, body, status, text",
    [
        ("?num=0", None, 422, "num"),
        ("?num=-1", None, 400, "num"),
        ("?top_k=101", None, 422, "top_k"),
        ("?ef=5", None, 400, "unknown field `ef`"),
        ("?num=1&num=2", None, 400, "num"),
        ("?using=other", None, 400, "other"),
        ("", {"queries": [[1.0, 2.0]]}, 400, "dimension"),
        ("", {"queries": [5]}, 400, "queries[0]: expected a vector"),
        ("", {"params": {"exact": True}}, 400, "params.exact"),
        ("", {"params": {"hnsw_ef": 0}}, 422, "hnsw_ef"),
        ("?num=5", {"num": 5}, 400, "unknown field `num`"),
        ("", {"filter": {"must": 5}}, 400, "filter"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    three: Any, below: str, body: Any, status: int, text: str
) -> None:
    http, _, _ = three
    url = f"/collections/well/recall{below}"
    reply = http.get(url) if body is None else http.post(url, json=body)
    assert reply.status_code == status, reply.text
    assert text in reply.json()["status"]["error"]


def test_one_measurement_at_a_time(three: Any) -> None:
    http, _, _ = three
    url = str(http.base_url)
    queries = {"queries": TIGHT[:1000].tolist(), "top_k": 100}
    with ThreadPoolExecutor(4) as pool:
        replies = [
            pool.submit(httpx.post, f"{url}/collections/narrow/recall", json=queries, timeout=60)
            for _ in range(4)
        ]
        statuses = [one.result().status_code for one in replies]
        refused = [one.result() for one in replies if one.result().status_code == 429]
    assert set(statuses) == {200, 429}
    assert all(int(one.headers["retry-after"]) >= 1 for one in refused)
    assert report(http, "well", "?num=1")["complete"]  # and the next one is taken


def test_samples_of_real_queries_are_told(three: Any) -> None:
    http, _, _ = three
    series_of = 'palimpsest_recall_samples_total{collection="well",filtered="false",vector=""}'

    def sampled() -> bool:
        search(http, "well")
        return series(http, "palimpsest_recall_samples_total").get(series_of, 0) >= 2

    until(sampled)
    estimates = series(http, "palimpsest_recall_estimate")
    labels = '{collection="well",filtered="false",vector=""}'
    low, mean, high = (
        estimates[f"palimpsest_recall_estimate{name}_ratio{labels}"]
        for name in ("_low", "", "_high")
    )
    assert 0 <= low <= mean <= high <= 1
    counts = series(http, "palimpsest_recall_sample_duration_seconds_count")
    assert counts["palimpsest_recall_sample_duration_seconds_count"] >= 2


def test_a_recall_of_ones_own_is_held_and_shown(three: Any) -> None:
    http, _, _ = three
    fill(http, "roughly", recall=0.7)
    recall, _ = recall_of(http, "roughly")
    assert recall["wanted"] == 0.7 and recall["measured"] >= 0.7
    explained = search(http, "roughly")["explain"]
    assert explained["ef"] >= 0 and (recall["ef"] is None) == (explained["ef"] == 0)
    assert report(http, "roughly", "?num=5")["wanted"] == 0.7
    for wrong in (0.4, 1.0):
        body = {
            "vectors": {"size": 4, "distance": "Dot"},
            "metadata": {"palimpsest": {"recall": wrong}},
        }
        reply = http.put("/collections/wrong", json=body)
        assert reply.status_code == 422 and "recall" in reply.text


def test_strict_mode_holds_for_measurements(three: Any) -> None:
    http, _, _ = three
    body = {
        "vectors": {"size": 4, "distance": "Dot"},
        "strict_mode_config": {"enabled": True, "search_allow_exact": False},
    }
    result(http.put("/collections/strict", json=body))
    reply = http.get("/collections/strict/recall")
    assert reply.status_code == 400 and "Exact search disabled!" in reply.text
