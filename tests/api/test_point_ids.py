"""Ids in every form a client sends, on every route that takes one: one meaning, and never 500."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.replies import refused, result

V = [1.0, 2.0, 3.0]
KNOWN = UUID("550e8400-e29b-41d4-a716-446655440000")


def spellings(one: UUID) -> list[str]:
    """Every form of a UUID that Qdrant's server, or a client of it, writes."""
    plain = [str(one), one.hex, f"urn:uuid:{one}", f"URN:UUID:{one}", f"Urn:Uuid:{one.hex}"]
    plain += [f"{{{one}}}", f"{{{one.hex}}}"]
    return [*plain, *(text.upper() for text in plain)]


SPELLINGS = spellings(KNOWN)


@pytest.fixture(scope="module")
def name(http: httpx.Client) -> Iterator[str]:
    """A collection of two points that point at each other by payload."""
    name = "of-ids"
    body = {"vectors": {"size": 3, "distance": "Euclid"}}
    result(http.put(f"/collections/{name}", json=body))
    points = [
        {"id": str(KNOWN), "vector": V, "payload": {"link": str(KNOWN), "number": 7}},
        {"id": 7, "vector": [3, 2, 1], "payload": {"link": str(KNOWN), "number": 7}},
    ]
    result(http.put(f"/collections/{name}/points?wait=true", json={"points": points}))
    yield name
    http.delete(f"/collections/{name}")


Requests = list[tuple[str, str, Any]]


def reads(one: Any) -> Requests:
    """Every route that takes an id and changes nothing, by the place the id stands in."""
    pair = {"positive": one, "negative": one}
    return [
        ("POST", "/points", {"ids": [one]}),
        ("POST", "/points/scroll", {"offset": one}),
        ("POST", "/points/count", {"filter": {"must": {"has_id": [one]}}}),
        ("POST", "/points/query", {"query": one}),
        ("POST", "/points/query", {"query": {"nearest": one}}),
        ("POST", "/points/query", {"query": {"nearest": one, "mmr": {"diversity": 0.5}}}),
        ("POST", "/points/query", {"query": {"recommend": {"positive": [one], "negative": [7]}}}),
        ("POST", "/points/query", {"query": {"discover": {"target": one, "context": [pair]}}}),
        ("POST", "/points/query", {"query": {"context": pair}}),
        ("POST", "/points/query", {"query": one, "lookup_from": {"collection": "of-ids"}}),
        ("POST", "/points/query", {"prefetch": {"query": one}, "query": {"fusion": "rrf"}}),
        (
            "POST",
            "/points/query",
            {
                "query": {
                    "relevance_feedback": {
                        "target": one,
                        "feedback": [{"example": one, "score": 1}, {"example": 7, "score": 0}],
                        "strategy": {"naive": {"a": 1, "b": 1, "c": 1}},
                    }
                }
            },
        ),
        ("POST", "/points/query/batch", {"searches": [{"query": one}]}),
        ("POST", "/points/query/groups", {"query": one, "group_by": "number"}),
        ("POST", "/points/recommend", {"positive": [one], "limit": 3}),
        ("POST", "/points/discover", {"target": one, "context": [pair], "limit": 3}),
        ("POST", "/facet", {"key": "number", "filter": {"must_not": {"has_id": [one]}}}),
        (
            "POST",
            "/points/search/matrix/pairs",
            {"filter": {"should": [{"has_id": [one]}, {"has_id": [7]}]}},
        ),
    ]


def writes(one: Any) -> Requests:
    """Every route that takes an id and writes what is there already."""
    return [
        (
            "PUT",
            "/points",
            {"points": [{"id": one, "vector": V, "payload": {"number": 7, "link": str(KNOWN)}}]},
        ),
        (
            "PUT",
            "/points",
            {
                "batch": {
                    "ids": [one],
                    "vectors": [V],
                    "payloads": [{"number": 7, "link": str(KNOWN)}],
                }
            },
        ),
        ("PUT", "/points/vectors", {"points": [{"id": one, "vector": V}]}),
        ("POST", "/points/payload", {"points": [one], "payload": {"number": 7}}),
        (
            "PUT",
            "/points/payload",
            {"points": [one], "payload": {"number": 7, "link": str(KNOWN)}},
        ),
        ("POST", "/points/payload/delete", {"points": [one], "keys": ["nothing"]}),
        (
            "POST",
            "/points/batch",
            {"operations": [{"set_payload": {"points": [one], "payload": {"number": 7}}}]},
        ),
    ]


def gone(one: Any) -> Requests:
    """Every route that takes an id and takes something away."""
    return [
        ("POST", "/points/payload/clear", {"points": [one]}),
        ("POST", "/points/vectors/delete", {"points": [one], "vector": [""]}),
        ("POST", "/points/delete", {"points": [one]}),
        ("POST", "/points/batch", {"operations": [{"delete": {"points": [one]}}]}),
    ]


def send(http: httpx.Client, name: str, request: tuple[str, str, Any]) -> httpx.Response:
    method, path, body = request
    content = json.dumps(body, allow_nan=False).encode()
    return http.request(method, f"/collections/{name}{path}?wait=true", content=content)


@pytest.mark.parametrize("place", range(len(reads(7))))
def test_every_spelling_means_the_same_to_reads(place: int, http: httpx.Client, name: str) -> None:
    expected = result(send(http, name, reads(str(KNOWN))[place]))
    for spelling in SPELLINGS:
        assert result(send(http, name, reads(spelling)[place])) == expected


def test_every_spelling_means_the_same_in_paths(http: httpx.Client, name: str) -> None:
    for spelling in SPELLINGS:
        found = result(http.get(f"/collections/{name}/points/{quote(spelling)}"))
        assert found["id"] == str(KNOWN)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_means_the_same_to_writes(
    spelling: str, http: httpx.Client, name: str
) -> None:
    for request in writes(spelling):
        result(send(http, name, request))
    assert result(http.post(f"/collections/{name}/points/count", json={}))["count"] == 2


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_can_be_deleted(spelling: str, http: httpx.Client, collection: str) -> None:
    for request in gone(spelling):
        point = {"id": str(KNOWN), "vector": V}
        path = f"/collections/{collection}/points"
        result(http.put(f"{path}?wait=true", json={"points": [point]}))
        result(send(http, collection, request))
    assert result(http.post(f"{path}/count", json={}))["count"] == 0


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_groups_of_every_spelling_are_looked_up(
    spelling: str, http: httpx.Client, name: str, collection: str
) -> None:
    path = f"/collections/{collection}/points"
    point = {"id": 1, "vector": V, "payload": {"link": spelling}}
    result(http.put(f"{path}?wait=true", json={"points": [point]}))
    body = {"query": V, "group_by": "link", "with_lookup": name}
    (group,) = result(http.post(f"{path}/query/groups", json=body))["groups"]
    assert group["id"] == spelling
    assert group["lookup"]["id"] == str(KNOWN)


NO_IDS: list[Any] = [
    *(-1, 2**64, 2**64 + 1, 10**30, 1.0, 1.5, -0.0, 1e300, True, False, None, "", " ", "7", "-1"),
    *("None", "seven", "urn:uuid:", "{}", f"{{{KNOWN}", f"{KNOWN}}}", f" {KNOWN}", f"{KNOWN} "),
    *(f"uuid:{KNOWN}", f"urn:uuid:{{{KNOWN}}}", str(KNOWN)[:-1], f"{KNOWN}0", "５" * 32, "e" * 31),
    *("\u0000", "\U0001f600", [], {}, [7], {"id": 7}, [[7]], {"num": 7}, {"uuid": str(KNOWN)}),
]


@pytest.mark.parametrize("wrong", NO_IDS, ids=repr)
def test_what_is_no_id_is_400_wherever_only_ids_stand(
    wrong: Any, http: httpx.Client, name: str
) -> None:
    lists = [("POST", "/points", {"ids": [wrong]}), reads(wrong)[2], *writes(wrong), *gone(wrong)]
    for request in lists:
        refused(send(http, name, request), 400)
    if wrong is not None:
        refused(send(http, name, reads(wrong)[1]), 400)  # of scroll, where null is no offset
    assert result(http.post(f"/collections/{name}/points/count", json={}))["count"] == 2


def test_what_is_no_id_in_a_path_is_400(http: httpx.Client, name: str) -> None:
    for wrong in NO_IDS:
        text = wrong if isinstance(wrong, str) else json.dumps(wrong)
        if text.strip("/"):
            reply = http.get(f"/collections/{name}/points/{quote(text, safe='')}")
            if text == "7":
                assert result(reply)["id"] == 7
            else:
                assert "is not a valid point ID" in refused(reply, 400)


SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False)
TEXTS = (
    st.text(max_size=40)
    | st.sampled_from(SPELLINGS)
    | st.uuids().map(spellings).flatmap(st.sampled_from)
    | st.integers().map(str)
    | st.from_regex(r"(?i)(urn:uuid:|\{)?[0-9a-f-]{30,38}\}?", fullmatch=True)
)
ANY = st.recursive(
    SCALARS | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(one=ANY)
def test_no_id_of_any_form_is_ever_500(one: Any, http: httpx.Client, name: str) -> None:
    try:
        json.dumps(one, allow_nan=False).encode()
    except ValueError:
        return  # no JSON
    for request in (*reads(one), *gone({"x": one})):
        reply = send(http, name, request)
        assert reply.status_code in (200, 400, 404, 422), (request, reply.text)
    text = one if isinstance(one, str) else json.dumps(one)
    path = quote(text.encode("utf-8", "replace"), safe="")
    reply = http.get(f"/collections/{name}/points/{path}")
    assert reply.status_code in (200, 400, 404, 405), (text, reply.text)
