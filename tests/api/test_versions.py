"""Versions of a collection's vectors: declared, seen, written, activated, rolled back, dropped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from qdrant_client import models

from tests.api.replies import refused, result
from tests.api.upgrades import NEW, OLD, POINTS, Upgrade

UNNAMED = {"vectors": {"size": OLD, "distance": "Cosine"}}


@pytest.fixture
def upgrade(http: httpx.Client, make: Callable[..., str]) -> Upgrade:
    """A filled collection of unnamed vectors."""
    made = Upgrade(http, make(**UNNAMED))
    made.fill()
    return made


def test_the_first_version_is_there_undeclared(upgrade: Upgrade) -> None:
    assert upgrade.versions() == {
        "v1": {
            "vector": "",
            "version": "v1",
            "model": None,
            "size": OLD,
            "distance": "Cosine",
            "encoding": "4",
            "state": "active",
            "points": POINTS,
            "coverage": 1.0,
            "bytes_per_vector": pytest.approx(OLD * 4, rel=2),
            "mapped_from": None,
            "drift": None,
        }
    }


def test_a_declared_version_is_a_shadow(upgrade: Upgrade) -> None:
    def told() -> Any:
        found = result(upgrade.http.get(upgrade.path))
        del found["palimpsest"]["disk"]  # a declaration is written down
        return found

    before = told()
    upgrade.declare(encoding="8", distance="Dot")
    assert told() == before
    listed = upgrade.versions()
    assert listed["v1"]["state"] == "active"
    second = listed["v2"]
    assert (second["state"], second["points"], second["coverage"]) == ("shadow", 0, 0.0)
    assert (second["size"], second["distance"], second["encoding"]) == (NEW, "Dot", "8")
    assert second["model"] == "second"


def test_what_is_not_said_is_as_in_the_active_version(
    http: httpx.Client, make: Callable[..., str]
) -> None:
    space = {
        "size": OLD,
        "distance": "Euclid",
        "hnsw_config": {"m": 20},
        "quantization_config": {"scalar": {"type": "int8"}},
    }
    upgrade = Upgrade(http, make(vectors=space))
    upgrade.declare()
    assert (upgrade.versions()["v2"]["distance"], upgrade.versions()["v2"]["encoding"]) == (
        "Euclid",
        "8",
    )
    shown = result(http.get(f"{upgrade.path}@v2"))["config"]["params"]["vectors"]
    assert shown == {**space, "size": NEW}
    models.VectorParams.model_validate(shown)


def test_declaring_the_same_again(upgrade: Upgrade) -> None:
    upgrade.declare(encoding="8", distance="Dot")
    same_again: list[dict[str, Any]] = [{}, {"encoding": 8}, {"distance": "Dot", "encoding": "8"}]
    for same in same_again:
        upgrade.declare(**same)
    result(upgrade.http.put(f"{upgrade.path}/versions/v2", json={"size": NEW}))
    assert len(upgrade.versions()) == 2
    others: list[dict[str, Any]] = [
        {"size": NEW + 1},
        {"distance": "Euclid"},
        {"model": "third"},
        {"encoding": "4"},
        {"quantization_config": {"binary": {}}},
        {"hnsw_config": {"m": 32}},
    ]
    for other in others:
        body = {"size": NEW, "model": "second", **other}
        reply = upgrade.http.put(f"{upgrade.path}/versions/v2", json=body)
        assert "declared already" in refused(reply, 409)
    # The first version may be declared as what it is, and so get its model's name.
    result(upgrade.http.put(f"{upgrade.path}/versions/v1", json={"size": OLD, "model": "first"}))
    assert upgrade.versions()["v1"]["model"] == "first"


@pytest.mark.parametrize(
    ("version", "body", "status", "text"),
    [
        ("v2", {}, 400, "size: Field required"),
        ("v2", {"size": 0}, 422, "size"),
        ("v2", {"size": "8"}, 400, "size"),
        ("v2", {"size": 8, "distance": "cosine"}, 400, "distance"),
        ("v2", {"size": 8, "colour": 1}, 400, "unknown field `colour`"),
        ("v2", {"size": 8, "encoding": "3"}, 400, "encoding"),
        ("v2", {"size": 8, "vector": "text"}, 400, "Not existing vector name error: text"),
        ("v2", {"size": 8, "multivector_config": {}}, 400, "multivector_config.comparator"),
        ("v2", {"size": 8, "fde": {}}, 400, "`fde` is about multi-vectors"),
        (
            "v2",
            {"size": 8, "encoding": "8", "quantization_config": {"binary": {}}},
            400,
            "give one",
        ),
        ("a@b", {"size": 8}, 422, "'@' is not allowed"),
        ("x" * 100, {"size": 8}, 422, "at most 64 bytes"),
    ],
)
def test_declarations_that_are_refused(
    version: str, body: dict[str, Any], status: int, text: str, http: httpx.Client, collection: str
) -> None:
    reply = http.put(f"/collections/{collection}/versions/{version}", json=body)
    assert text in refused(reply, status)
    assert len(result(http.get(f"/collections/{collection}/versions"))["versions"]) == 1


def test_sparse_vectors_have_no_versions(http: httpx.Client, make: Callable[..., str]) -> None:
    path = f"/collections/{make(vectors={}, sparse_vectors={'words': {}})}"
    assert result(http.get(f"{path}/versions")) == {"versions": []}
    reply = http.put(f"{path}/versions/v2", json={"size": 3, "vector": "words"})
    assert "words" in refused(reply, 400)


def test_the_virtual_collection_of_a_version(
    http: httpx.Client, make: Callable[..., str], upgrade: Upgrade
) -> None:
    upgrade.declare()
    name = f"{upgrade.name}@v2"
    assert result(http.get(f"/collections/{name}/exists")) == {"exists": True}
    assert result(http.get(f"/collections/{upgrade.name}@v9/exists")) == {"exists": False}
    refused(http.get(f"/collections/{upgrade.name}@v9"), 404)
    listed = [one["name"] for one in result(http.get("/collections"))["collections"]]
    assert upgrade.name in listed
    assert name not in listed
    described = result(http.get(f"/collections/{name}"))
    assert described["config"]["params"]["vectors"] == {"size": NEW, "distance": "Cosine"}
    assert described["points_count"] == POINTS
    # A map stays a map, and other names in it stay what they are.
    spaces = {"text": {"size": 3, "distance": "Dot"}, "image": {"size": 2, "distance": "Euclid"}}
    named = f"/collections/{make(vectors=spaces)}"
    result(http.put(f"{named}/versions/v2", json={"vector": "text", "size": 5}))
    shown = result(http.get(f"{named}@v2"))["config"]["params"]["vectors"]
    assert shown == {"text": {"size": 5, "distance": "Dot"}, "image": spaces["image"]}
    assert result(http.get(named))["config"]["params"]["vectors"] == spaces


def test_a_virtual_collection_declares_nothing(upgrade: Upgrade) -> None:
    upgrade.declare()
    virtual = f"{upgrade.path}@v2"
    http = upgrade.http
    for reply in (
        http.patch(virtual, json={"metadata": {"a": 1}}),
        http.put(f"{virtual}/vectors/more", json={"dense": {"size": 2, "distance": "Dot"}}),
        http.put(f"{virtual}/versions/v3", json={"size": 3}),
        http.delete(virtual),
    ):
        assert "version 'v2' of collection" in refused(reply, 400)
    assert "not allowed" in refused(http.put(f"{upgrade.path}@v8", json=UNNAMED), 422)
    assert upgrade.versions().keys() == {"v1", "v2"}


def test_vectors_are_written_and_read_by_version(upgrade: Upgrade) -> None:
    upgrade.declare()
    http, path = upgrade.http, upgrade.path
    new = upgrade.new
    # By the name of the version, by the virtual collection, column by column.
    vectors = {"points": [{"id": 0, "vector": {"@v2": new[0].tolist()}}]}
    result(http.put(f"{path}/points/vectors?wait=true", json=vectors))
    vectors = {"points": [{"id": 1, "vector": new[1].tolist()}]}
    result(http.put(f"{path}@v2/points/vectors?wait=true", json=vectors))
    point = {"id": POINTS, "vector": {"@v2": new[2].tolist(), "@v1": upgrade.old[2].tolist()}}
    result(http.put(f"{path}/points?wait=true", json={"points": [point]}))
    batch = {"ids": [POINTS + 1], "vectors": {"@v2": [new[3].tolist()]}}
    result(http.put(f"{path}/points?wait=true", json={"batch": batch}))
    assert upgrade.versions()["v2"]["points"] == 4
    assert upgrade.versions()["v1"]["points"] == POINTS + 1
    body = {"ids": [0, 1], "with_vector": ["@v2"]}
    for record in result(http.post(f"{path}/points", json=body)):
        assert record["vector"]["@v2"] == pytest.approx(new[record["id"]], abs=1e-6)
    # A client that knows nothing of versions sees what it wrote, in the shape it knows.
    for record in result(http.post(f"{path}/points", json={"ids": [0], "with_vector": True})):
        assert record["vector"] == pytest.approx(upgrade.old[0], abs=1e-6)
    for record in result(http.post(f"{path}@v2/points", json={"ids": [0], "with_vector": True})):
        assert record["vector"] == pytest.approx(new[0], abs=1e-6)
    body = {"vector": ["@v2"], "points": [0]}
    result(http.post(f"{path}/points/vectors/delete?wait=true", json=body))
    assert upgrade.versions()["v2"]["points"] == 3
    filter = {"must": [{"has_vector": "@v2"}]}
    assert result(http.post(f"{path}/points/count", json={"filter": filter}))["count"] == 3


def test_counts_are_those_of_the_bare_names(http: httpx.Client, make: Callable[..., str]) -> None:
    quick = {"palimpsest": {"seal_rows": 1024, "quiet_rows": 1, "quiet_seconds": 0.05}}
    upgrade = Upgrade(http, make(**UNNAMED, metadata=quick), 1_500)
    upgrade.fill()
    upgrade.declare()
    settled = wait_until_green(http, upgrade.path)
    upgrade.migrate(range(1_500))
    again = wait_until_green(http, upgrade.path)
    counts = ("indexed_vectors_count", "points_count", "segments_count")
    assert [again[key] for key in counts] == [settled[key] for key in counts]
    assert settled["indexed_vectors_count"] == 1_500
    assert wait_until_green(http, f"{upgrade.path}@v2")["indexed_vectors_count"] == 1_500
    told = result(http.get("/telemetry"))["collections"]["collections"]
    assert 3_000 not in [one["vectors"] for one in told]


def wait_until_green(http: httpx.Client, path: str) -> Any:
    import time

    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        described = result(http.get(path))
        if described["status"] == "green" and described["indexed_vectors_count"]:
            return described
        time.sleep(0.05)
    raise AssertionError(described)


def test_vectors_of_no_version_name_those_there_are(upgrade: Upgrade) -> None:
    upgrade.declare()
    http, path = upgrade.http, upgrade.path
    wrong = {"points": [{"id": 0, "vector": upgrade.new[0].tolist()}]}
    text = refused(http.put(f"{path}/points?wait=true", json=wrong), 400)
    assert f"expected dim: {OLD}, got {NEW}" in text
    told = f"of the versions '@v1' has {OLD}, '@v2' has {NEW} dimensions"
    assert told in text
    text = refused(http.post(f"{path}/points/query", json={"query": [1.0] * 5}), 400)
    assert f"expected dim: {OLD}, got 5" in text
    assert told in text
    unknown = {"points": [{"id": 0, "vector": {"@v7": upgrade.new[0].tolist()}}]}
    text = refused(http.put(f"{path}/points?wait=true", json=unknown), 400)
    assert "Not existing vector name error: @v7" in text
    twice = {"": upgrade.old[0].tolist(), "@v1": upgrade.old[0].tolist()}
    reply = http.put(f"{path}/points?wait=true", json={"points": [{"id": 0, "vector": twice}]})
    assert "are the same one" in refused(reply, 400)


def test_activating_and_rolling_back(upgrade: Upgrade) -> None:
    http, path = upgrade.http, upgrade.path
    upgrade.declare(encoding="float32")
    before = result(http.get(path))
    text = refused(http.post(f"{path}/versions/v2/activate", json={}), 409)
    assert 'POST /collections/{collection_name}/adapters {"rows": "v1", "queries": "v2"}' in text
    assert "force" in text
    assert result(http.get(path)) == before
    upgrade.migrate(range(POINTS))
    assert result(http.post(f"{path}/versions/v2/activate")) is True
    after = result(http.get(path))
    assert after["config"]["params"]["vectors"] == {"size": NEW, "distance": "Cosine"}
    assert {name: one["state"] for name, one in upgrade.versions().items()} == {
        "v1": "serving",
        "v2": "active",
    }
    old, new = upgrade.old[3].tolist(), upgrade.new[3].tolist()
    for body in ({"query": new}, {"query": old, "using": "@v1"}, {"query": new, "using": "@v2"}):
        assert upgrade.found(body)[0] == 3
    assert upgrade.found({"query": old}, "@v1")[0] == 3
    assert result(http.get(f"{path}@v1"))["config"]["params"] == before["config"]["params"]
    # Every point still holds its old vector, so nothing stands against going back.
    assert result(http.post(f"{path}/versions/v1/activate")) is True
    assert result(http.get(path))["config"] == before["config"]
    assert upgrade.found({"query": old})[0] == 3
    assert upgrade.versions()["v2"]["state"] == "serving"


def test_activating_by_force(upgrade: Upgrade) -> None:
    upgrade.declare()
    path = f"{upgrade.path}/versions/v2/activate"
    assert result(upgrade.http.post(path, json={"force": True})) is True
    assert upgrade.versions()["v2"]["state"] == "active"


def test_floors_of_an_activation(upgrade: Upgrade) -> None:
    upgrade.declare()
    upgrade.migrate(range(300))
    upgrade.fit()
    path = f"{upgrade.path}/versions/v2/activate"
    strict = {"coverage_floor": 0.9, "quality_floor": 1.0}
    assert "0.750" in refused(upgrade.http.post(path, json=strict), 409)
    for body, status in (
        ({"coverage_floor": 2}, 422),
        ({"quality_floor": "1"}, 400),
        ({"floor": 1}, 400),
    ):
        refused(upgrade.http.post(path, json=body), status)
    assert result(upgrade.http.post(path, json={"coverage_floor": 0.5})) is True


def test_a_change_of_the_collection_keeps_what_it_does_not_change(upgrade: Upgrade) -> None:
    http, path = upgrade.http, upgrade.path
    upgrade.declare(encoding="float32")
    upgrade.migrate(range(POINTS))
    result(http.post(f"{path}/versions/v2/activate"))
    result(http.patch(path, json={"hnsw_config": {"m": 24}, "metadata": {"owner": "us"}}))
    listed = upgrade.versions()
    assert (listed["v1"]["encoding"], listed["v2"]["encoding"]) == ("4", "float32")
    described = result(http.get(path))["config"]
    assert described["metadata"] == {"owner": "us"}
    assert described["params"]["vectors"]["size"] == NEW
    change = {"vectors": {"": {"quantization_config": {"scalar": {"type": "int8"}}}}}
    result(http.patch(path, json=change))
    assert upgrade.versions()["v2"]["encoding"] == "8"


def test_retiring_and_dropping(upgrade: Upgrade) -> None:
    http, path = upgrade.http, upgrade.path
    upgrade.declare()
    assert "is active" in refused(http.delete(f"{path}/versions/v1"), 409)
    assert "is active" in refused(http.post(f"{path}/versions/v1/retire", json={}), 409)
    upgrade.migrate(range(POINTS - 1))
    result(http.post(f"{path}/versions/v2/activate", json={"force": True}))
    for reply in (http.post(f"{path}/versions/v1/retire"), http.delete(f"{path}/versions/v1")):
        assert "1 points hold no other version" in refused(reply, 409)
    upgrade.migrate(range(POINTS - 1, POINTS))
    assert result(http.post(f"{path}/versions/v1/retire", json={})) is True
    assert upgrade.versions()["v1"]["state"] == "retired"
    assert upgrade.found({"query": upgrade.old[5].tolist()}, "@v1")[0] == 5
    assert result(http.delete(f"{path}/versions/v1")) is True
    assert upgrade.versions().keys() == {"v2"}
    refused(http.get(f"{path}@v1"), 404)
    assert upgrade.found({"query": upgrade.new[5].tolist()})[0] == 5


def test_dropping_by_force(upgrade: Upgrade) -> None:
    upgrade.declare()
    point = {"id": 9_000, "vector": {"@v2": upgrade.new[0].tolist()}}
    result(upgrade.http.put(f"{upgrade.path}/points?wait=true", json={"points": [point]}))
    refused(upgrade.http.delete(f"{upgrade.path}/versions/v2"), 409)
    assert result(upgrade.http.delete(f"{upgrade.path}/versions/v2?force=true")) is True
    assert upgrade.versions().keys() == {"v1"}


@pytest.mark.parametrize(
    ("method", "below", "body", "status"),
    [
        ("POST", "versions/v9/activate", {}, 404),
        ("POST", "versions/v9/retire", {}, 404),
        ("DELETE", "versions/v9", None, 404),
        ("DELETE", "versions/v2?vector=nothing", None, 400),
        ("DELETE", "versions/v2?force=perhaps", None, 400),
        ("DELETE", "versions/v2?forced=true", None, 400),
        ("POST", "versions/v2/retire", {"vector": 1}, 400),
        ("POST", "versions/v2/consolidate", {}, 400),
        ("POST", "versions/v2/consolidate", {"rows": "v9"}, 404),
        ("POST", "versions/v2/consolidate", {"rows": "v1", "more": 1}, 400),
        ("PATCH", "versions/v2", {}, 405),
    ],
)
def test_requests_that_are_refused(
    method: str, below: str, body: Any, status: int, upgrade: Upgrade
) -> None:
    upgrade.declare()
    listed = upgrade.versions()
    refused(upgrade.http.request(method, f"{upgrade.path}/{below}", json=body), status)
    assert upgrade.versions() == listed
    nowhere = upgrade.http.request(method, f"/collections/nowhere/{below}", json=body)
    assert nowhere.status_code in (400, 404, 405)


def test_a_version_of_a_named_vector(http: httpx.Client, make: Callable[..., str]) -> None:
    spaces = {"text": {"size": 2, "distance": "Dot"}, "image": {"size": 3, "distance": "Dot"}}
    path = f"/collections/{make(vectors=spaces)}"
    result(http.put(f"{path}/versions/v2", json={"vector": "text", "size": 4}))
    points = [{"id": i, "vector": {"text": [i, 1], "text@v2": [i, 1, 0, 0]}} for i in range(5)]
    result(http.put(f"{path}/points?wait=true", json={"points": points}))
    activate = {"vector": "text"}
    result(http.post(f"{path}/versions/v2/activate", json=activate))
    assert result(http.get(path))["config"]["params"]["vectors"] == {
        "text": {"size": 4, "distance": "Dot"},
        "image": spaces["image"],
    }
    refused(http.delete(f"{path}/versions/v1"), 400)  # the unnamed vector is not declared
    assert result(http.delete(f"{path}/versions/v1?vector=text")) is True
    listed = result(http.get(f"{path}/versions"))["versions"]
    assert {(one["vector"], one["version"]) for one in listed} == {("text", "v2"), ("image", "v1")}
