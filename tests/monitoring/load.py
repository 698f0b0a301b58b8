"""Everything a server is asked for, once, and a mix of searches and writes again and again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np

from tests.api.replies import result
from tests.api.upgrades import OLD, Upgrade, rotation

KEY, READ_KEY = "k" * 32, "r" * 32
DOCS, SETS, UPGRADED, BUSY = "docs é", "sets", "upgraded", "busy"
TRACED = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
ROWS = np.random.default_rng(5).standard_normal((3_000, OLD)).astype(np.float32)
SPARSE = {"indices": [1, 7], "values": [0.5, 0.25]}
SEAL_ROWS = 1_000
SECONDS = 60.0


class Workload:
    """Of one server; ``http`` shows the key for everything."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http
        self.upgrade = Upgrade(http, UPGRADED, 200)
        self._next = 300  # the id of the next point

    def begin(self) -> None:
        """Make collections, seal one, begin an upgrade, be refused, and take snapshots."""
        self._make_docs()
        self._make_sets()
        self._make_upgrade()
        self._meet_refusals()
        for where in (f"/collections/{SETS}", ""):
            result(self.http.post(f"{where}/snapshots"))
        self._until(lambda: self._info(DOCS)["segments_count"] > 0)

    def go_on(self) -> None:
        """Search in every way, write and delete a little, and move the upgrade on."""
        docs, first = f"/collections/{DOCS}/points", self._next
        near = ROWS[first % 500].tolist()
        tagged = {"must": [{"key": "tag", "match": {"value": "t1"}}]}
        dense = {"query": near, "using": "d", "limit": 5}
        both = [{"query": near, "using": "d", "limit": 9}, {"query": SPARSE, "using": "s"}]
        for body in (
            dense,
            {**dense, "filter": tagged, "with_payload": True},
            {"query": SPARSE, "using": "s", "limit": 3},
            {"prefetch": both, "query": {"fusion": "rrf"}, "limit": 5},
            {"query": {"order_by": "n"}, "limit": 5},
        ):
            result(self.http.post(f"{docs}/query", json=body, headers=TRACED))
        result(self.http.post(f"{docs}/query/batch", json={"searches": [dense, dense]}))
        grouped = {**dense, "group_by": "tag", "group_size": 2}
        result(self.http.post(f"{docs}/query/groups", json=grouped))
        sets = {"query": ROWS[:3].tolist(), "limit": 3}
        result(self.http.post(f"/collections/{SETS}/points/query", json=sets))
        result(self.http.put(f"{docs}?wait=true", json=points(first, 4)))
        result(self.http.post(f"{docs}/delete?wait=true", json={"points": [first]}))
        self._next = first + 4
        vector = (self.upgrade.queries[0] @ rotation()).tolist()
        self.upgrade.found({"query": vector}, "@v2")
        done = (first - 300) // 4
        self.upgrade.migrate(range(100 + done, 101 + done))

    def _make_docs(self) -> None:
        body = {
            "vectors": {"d": {"size": OLD, "distance": "Cosine"}},
            "sparse_vectors": {"s": {}},
            "metadata": {
                "palimpsest": {"seal_rows": SEAL_ROWS, "quiet_rows": 200, "quiet_seconds": 0.5}
            },
        }
        path = f"/collections/{DOCS}"
        result(self.http.put(path, json=body))
        for field in ("tag", "n"):
            kind = "keyword" if field == "tag" else "integer"
            index = {"field_name": field, "field_schema": kind}
            result(self.http.put(f"{path}/index?wait=true", json=index))
        result(self.http.put(f"{path}/points?wait=true", json=points(0, 300)))

    def _make_sets(self) -> None:
        sets = {"size": OLD, "distance": "Dot", "multivector_config": {"comparator": "max_sim"}}
        result(self.http.put(f"/collections/{SETS}", json={"vectors": sets}))
        held = [{"id": i, "vector": ROWS[i : i + 3].tolist()} for i in range(20)]
        result(self.http.put(f"/collections/{SETS}/points?wait=true", json={"points": held}))

    def _make_upgrade(self) -> None:
        vectors = {"size": OLD, "distance": "Cosine"}
        result(self.http.put(f"/collections/{UPGRADED}", json={"vectors": vectors}))
        self.upgrade.fill()
        self.upgrade.declare()
        self.upgrade.migrate(range(100))
        self.upgrade.fit()
        result(self.http.get(f"/collections/{UPGRADED}/backfill/status?version=v2"))

    def _meet_refusals(self) -> None:
        """Be refused for a key, a body, a name, and for rows that come faster than is sealed."""
        assert self.http.get("/collections", headers={"api-key": "wrong"}).status_code == 401
        assert self.http.post(f"/collections/{DOCS}/points/query", json=[]).status_code == 400
        assert self.http.get("/collections/missing").status_code == 404
        waits = {"seal_rows": SEAL_ROWS, "quiet_rows": SEAL_ROWS}
        body = {
            "vectors": {"size": OLD, "distance": "Dot"},
            "hnsw_config": {"ef_construct": 2_000, "m": 64},  # so that the seal is not over yet
            "metadata": {"palimpsest": waits},
        }
        result(self.http.put(f"/collections/{BUSY}", json=body))
        path = f"/collections/{BUSY}/points?wait=true"
        # written down before: the seal is under way for a tenth of a second only
        too_many = json.dumps(points(SEAL_ROWS, 2 * SEAL_ROWS, plain=True)).encode()
        result(self.http.put(path, json=points(0, SEAL_ROWS, plain=True)))
        typed = {"content-type": "application/json"}
        refused = self.http.put(path, content=too_many, headers=typed)
        assert refused.status_code == 429, refused.text

    def _info(self, name: str) -> Any:
        return result(self.http.get(f"/collections/{name}"))

    def _until(self, is_so: Callable[[], bool]) -> None:
        until = time.monotonic() + SECONDS
        while not is_so():
            assert time.monotonic() < until
            time.sleep(0.05)


def points(first: int, n: int, *, plain: bool = False) -> dict[str, Any]:
    """Return the body of an upsert of ``n`` points from an id on."""
    found = []
    for i in range(first, first + n):
        row = ROWS[i % len(ROWS)].tolist()
        vector = row if plain else {"d": row, "s": SPARSE}
        found.append({"id": i, "vector": vector, "payload": {"n": i, "tag": f"t{i % 3}"}})
    return {"points": found}
