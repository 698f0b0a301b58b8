"""What is asked of versions wrongly is refused by name, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

from tests.api.replies import refused, result
from tests.api.upgrades import NEW, OLD, Upgrade, old_rows, rotation

UNNAMED = {"vectors": {"size": OLD, "distance": "Cosine"}}
ROWS = old_rows(20, seed=5)
FIRST, SECOND = ROWS.tolist(), (ROWS @ rotation()).tolist()
BOTH = {"v1": FIRST[0], "v2": SECOND[0]}


@pytest.fixture
def upgrade(http: httpx.Client, make: Callable[..., str]) -> Upgrade:
    """Half of the points hold v2, and an adapter finds the others."""
    made = Upgrade(http, make(**UNNAMED))
    made.fill()
    made.declare()
    made.migrate(range(200))
    made.fit()
    return made


@pytest.mark.parametrize(
    ("query", "status", "texts"),
    [
        (
            {"versions": {"v1": SECOND[0], "v2": SECOND[0]}},
            400,
            ("expected dim: 8, got 12", "query.versions.v1", "'@v1' has 8, '@v2' has 12"),
        ),
        (
            {"versions": BOTH, "rescore_version": "v2", "vectors": {"7": FIRST[0]}},
            400,
            ("expected dim: 12, got 8", "query.vectors.7", "'@v2' has 12"),
        ),
        (
            {"versions": BOTH, "rescore_version": "v2", "vectors": {"7": SECOND[0], "07": FIRST}},
            400,
            ("point 7", "twice"),
        ),
        (
            {"versions": BOTH, "rescore_version": "v2", "rescore_limit": 10_001},
            422,
            ("query.rescore_limit", "must be 10000 or smaller"),
        ),
    ],
)
def test_queries_in_several_versions(
    query: dict[str, Any], status: int, texts: tuple[str, ...], upgrade: Upgrade
) -> None:
    text = refused(upgrade.query({"query": query}), status)
    assert all(one in text for one in texts)


def test_a_query_that_is_too_long_for_a_version_in_a_group(upgrade: Upgrade) -> None:
    body = {"query": {"versions": {"v2": FIRST[0]}}, "group_by": "tag"}
    text = refused(upgrade.http.post(f"{upgrade.path}/points/query/groups", json=body), 400)
    assert "query.versions.v2" in text


@pytest.mark.parametrize(
    ("method", "below", "text"),
    [
        ("POST", "versions/v2/activate?vector=text", "unknown field `vector`"),
        ("POST", "versions/v2/activate?force=true", "unknown field `force`"),
        ("POST", "versions/v2/retire?force=true", "unknown field `force`"),
        ("PUT", "versions/v3?size=4", "unknown field `size`"),
        ("POST", "adapters?kind=mlp", "unknown field `kind`"),
        ("POST", "compare?k=3", "unknown field `k`"),
        ("GET", "versions?vector=text", "unknown field `vector`"),
        ("GET", "adapters?vector=text", "unknown field `vector`"),
        ("POST", "versions/v2/activate?timeout=5&timeout=6", "timeout: given 2 times"),
        ("DELETE", "versions/v2?force=true&force=false", "force: given 2 times"),
        ("DELETE", "adapters/v1/v2?vector=&vector=a", "vector: given 2 times"),
        ("GET", "backfill?version=v2&version=v1", "version: given 2 times"),
        ("GET", "backfill/status?version=v2&version=v1", "version: given 2 times"),
    ],
)
def test_query_strings(method: str, below: str, text: str, upgrade: Upgrade) -> None:
    before = upgrade.versions()
    body = {"size": NEW} if method == "PUT" else {} if method == "POST" else None
    reply = upgrade.http.request(method, f"{upgrade.path}/{below}", json=body)
    assert text in refused(reply, 400)
    assert upgrade.versions() == before


@pytest.mark.parametrize("below", ["adapters", "compare", "points/query", "points/query/batch"])
def test_bodies_that_are_not_utf8(below: str, upgrade: Upgrade) -> None:
    body = (
        b'{"rows": "v1\xff", "old": "v1\xff", "using": "v1\xff", "searches": [{"using": "\xff"}]}'
    )
    assert "Format error" in refused(
        upgrade.http.post(f"{upgrade.path}/{below}", content=body), 400
    )


@pytest.mark.parametrize("given", [1, 2, 15])
def test_too_few_queries_to_measure_with(given: int, upgrade: Upgrade) -> None:
    body = {
        "rows": "v1",
        "queries": "v2",
        "kind": "ridge",
        "query_pairs": {"rows": FIRST[:given], "queries": SECOND[:given]},
    }
    text = refused(upgrade.http.post(f"{upgrade.path}/adapters", json=body), 400)
    assert "query_pairs" in text
    assert f"got {given}" in text


def test_as_many_queries_as_are_needed(upgrade: Upgrade) -> None:
    fitted = upgrade.fit(query_pairs={"rows": FIRST[:16], "queries": SECOND[:16]})
    assert fitted["report"]["queries"] == 16


def test_a_comparison_of_too_many(upgrade: Upgrade) -> None:
    body = {"old": "v1", "new": "v2", "queries": {"v1": FIRST, "v2": SECOND}, "k": 101}
    text = refused(upgrade.http.post(f"{upgrade.path}/compare", json=body), 422)
    assert "k: value 101 invalid, must be 100 or smaller" in text


def test_an_alias_of_a_version(upgrade: Upgrade) -> None:
    create = {"alias_name": "other", "collection_name": f"{upgrade.name}@v2"}
    body = {"actions": [{"create_alias": create}]}
    text = refused(upgrade.http.post("/collections/aliases", json=body), 400)
    assert "'other@v2'" in text
    create["collection_name"] = upgrade.name
    result(upgrade.http.post("/collections/aliases", json=body))
    shown = result(upgrade.http.get("/collections/other@v2"))
    assert shown["config"]["params"]["vectors"]["size"] == NEW
    result(
        upgrade.http.post(
            "/collections/aliases", json={"actions": [{"delete_alias": {"alias_name": "other"}}]}
        )
    )


def test_a_version_name_that_is_not_utf8(upgrade: Upgrade) -> None:
    reply = upgrade.http.put(f"{upgrade.path}/versions/%C3%28", json={"size": NEW})
    assert "not UTF-8" in refused(reply, 400)


def test_scores_are_those_of_the_leading_version(
    http: httpx.Client, make: Callable[..., str]
) -> None:
    upgrade = Upgrade(http, make(**UNNAMED))
    upgrade.fill()
    upgrade.declare(distance="Euclid")
    upgrade.migrate(range(400))
    body = {"query": {"versions": {"v1": FIRST[0], "v2": SECOND[0]}}, "limit": 400}
    for where, lead in (("", body), ("@v2", {**body, "score_threshold": 0.9})):
        points = result(upgrade.query(lead, where))["points"]
        exact = np.linalg.norm(upgrade.new - ROWS[0] @ rotation(), axis=1)
        assert points
        for point in points:
            assert point["score"] == pytest.approx(exact[point["id"]], abs=1e-5)
        assert len(points) == (400 if not where else int((exact < 0.9).sum()))
    cosine = result(upgrade.query(body, "@v1"))["points"][0]
    assert cosine["score"] == pytest.approx(float((upgrade.old @ ROWS[0]).max()), abs=1e-5)


def test_deleting_vectors_of_one_version(upgrade: Upgrade) -> None:
    """In the virtual collection the bare name is the version's; in the real one it is all."""
    http, every = upgrade.http, {"ids": [3, 300], "with_vector": ["@v1", "@v2"]}

    def held() -> list[list[str]]:
        points = result(http.post(f"{upgrade.path}/points", json=every))
        return [sorted(one["vector"]) for one in points]

    body = {"points": [3, 300], "vector": [""]}
    result(http.post(f"{upgrade.path}@v2/points/vectors/delete?wait=true", json=body))
    assert held() == [["@v1"], ["@v1"]]
    upgrade.migrate(range(3, 4))
    result(http.post(f"{upgrade.path}/points/vectors/delete?wait=true", json=body))
    assert held() == [[], []]


def test_mapped_rows_are_not_backfilled_and_come_back(upgrade: Upgrade) -> None:
    http, mapped = upgrade.http, f"{upgrade.path}/versions/v1-in-v2"
    consolidate = f"{upgrade.path}/versions/v2/consolidate"
    assert result(http.post(consolidate, json={"rows": "v1"})) == {"points": 200}
    text = refused(http.get(f"{upgrade.path}/backfill?version=v1-in-v2"), 422)
    assert "mapped from version 'v1'" in text
    result(http.post(f"{mapped}/retire", json={}))
    assert upgrade.versions()["v1-in-v2"]["state"] == "retired"
    assert "consolidating 'v1' into 'v2'" in refused(http.post(f"{mapped}/activate", json={}), 409)
    assert result(http.post(consolidate, json={"rows": "v1"})) == {"points": 0}
    assert upgrade.versions()["v1-in-v2"]["state"] == "serving"
