"""Exact searches may be forbidden, and what has no graph is one."""

from __future__ import annotations

import httpx

from tests.api.replies import refused, result

V = [1.0, 2.0, 3.0]


def test_a_vector_without_a_graph_is_an_exact_search(http: httpx.Client) -> None:
    path = "/collections/strict_no_graph"
    space = {"size": 3, "distance": "Dot"}
    vectors = {"a": space, "b": {**space, "hnsw_config": {"m": 0}}}
    strict = {"enabled": True, "search_allow_exact": False}
    result(http.put(path, json={"vectors": vectors, "strict_mode_config": strict}))
    query = {"query": V, "using": "b"}
    found = refused(http.post(f"{path}/points/query", json=query), 400)
    assert "Request is forbidden on 'b' because global vector indexing is disabled" in found
    assert "forbidden" in refused(http.post(f"{path}/points/query", json={"prefetch": query}), 400)
    result(http.post(f"{path}/points/query", json={"query": V, "using": "a"}))
    rescored = {**query, "prefetch": {"query": V, "using": "a"}}
    result(http.post(f"{path}/points/query", json=rescored))
    result(http.delete(path))
