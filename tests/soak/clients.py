"""Clients that keep a server at full load, and check what it answers.

Points come from a fixed range of ids and are written again and again, so how many there are swings
around one number: what grows beside them is the server's.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np

from tests.api.leaving import as_text

SIZE, IDS, GROUPS, BATCH = 96, 12_000, 20, 100
NAME = "ж soak"
PATH = f"/collections/{NAME}"
_TEXT = "lorem ipsum " * 20
_SNAPSHOT_SECONDS = 5.0  # between two
_PATIENCE = 300.0  # seconds until a request counts as failed: other programs may keep the disk busy


class Client(threading.Thread):
    """Does one kind of thing, one after another, until it is told to end; then ``error`` says why.

    ``done`` counts requests by status, ``slowest`` is what the slowest of them took, in seconds.
    """

    def __init__(self, url: str, kind: str, seed: int, ids: int) -> None:
        super().__init__(name=f"{kind}-{seed}", daemon=True)
        self._ids = ids
        self.kind, self.done, self.error = kind, Counter[int](), ""
        self.slowest = 0.0
        self.ended = threading.Event()
        self._rng = np.random.default_rng(seed)
        self._http = httpx.Client(base_url=url, timeout=_PATIENCE)
        self._act: Callable[[], None] = getattr(self, f"act_{kind}")

    def run(self) -> None:
        with self._http:
            try:
                while not self.ended.is_set():
                    self._act()
            except Exception as error:
                self.error = f"{self.name}: {error!r}"

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the result; None where rows come too fast, which is waited for."""
        reply = self._sent(method, path, body)
        if reply.status_code == 429:
            self.ended.wait(float(reply.headers["retry-after"]))
            return None
        if reply.status_code != 200:
            raise RuntimeError(f"{method} {path}: {reply.status_code} {reply.text[:500]}")
        return reply.json()["result"]

    def _sent(self, method: str, path: str, body: Any = None) -> httpx.Response:
        begun = time.monotonic()
        reply = self._http.request(method, path, json=body)
        self.slowest = max(self.slowest, time.monotonic() - begun)
        self.done[reply.status_code] += 1
        return reply

    def act_upsert(self) -> None:
        """Write points anew."""
        ids = self._rng.choice(self._ids, BATCH, replace=False).tolist()
        vectors = self._rng.standard_normal((BATCH, SIZE)).astype(np.float32)
        points = [
            {"id": id, "vector": as_text(vector), "payload": payload_of(id)}
            for id, vector in zip(ids, vectors, strict=True)
        ]
        self._ask("PUT", f"{PATH}/points", {"points": points})

    def act_delete(self) -> None:
        """Delete points by ids or by a filter, and change payloads of others."""
        first = int(self._rng.integers(self._ids))
        wanted: dict[str, Any] = {"points": [*range(first, first + 40)]}
        if self._rng.random() < 0.3:
            within = {"gte": first, "lt": first + 40}
            wanted = {"filter": {"must": [{"key": "n", "range": within}]}}
        self._ask("POST", f"{PATH}/points/delete", wanted)
        others = {"must": [{"key": "n", "range": {"gte": first + 40, "lt": first + 60}}]}
        self._ask("POST", f"{PATH}/points/payload", {"payload": {"seen": first}, "filter": others})
        self.ended.wait(0.02)

    def act_query(self) -> None:
        """Search one group, and hold the hits against it."""
        group = int(self._rng.integers(GROUPS))
        body = {
            "query": as_text(self._rng.standard_normal(SIZE).astype(np.float32)),
            "filter": {"must": [{"key": "group", "match": {"value": f"г{group}"}}]},
            "limit": 20,
            "with_payload": True,
        }
        for hit in self._ask("POST", f"{PATH}/points/query", body)["points"]:
            if hit["id"] % GROUPS != group or hit["payload"]["text"] != _TEXT:
                raise RuntimeError(f"a hit of group {group} is {hit}")

    def act_read(self) -> None:
        """Read points in order, the state and the metrics."""
        body = {"limit": 50, "offset": int(self._rng.integers(self._ids)), "with_vector": True}
        for point in self._ask("POST", f"{PATH}/points/scroll", body)["points"]:
            if len(point["vector"]) != SIZE or point["payload"]["n"] != point["id"]:
                raise RuntimeError(f"a point is {point}")
        self._ask("POST", f"{PATH}/points/count", {"exact": True})
        self._ask("GET", PATH)
        if self._http.get("/metrics").status_code != 200:
            raise RuntimeError("there are no metrics")

    def act_snapshot(self) -> None:
        """Make a snapshot now and then, and delete it."""
        made = self._ask("POST", f"{PATH}/snapshots")
        self._ask("DELETE", f"{PATH}/snapshots/{made['name']}")
        self.ended.wait(_SNAPSHOT_SECONDS)


KINDS = ("upsert", "upsert", "delete", "query", "query", "read", "snapshot")


def payload_of(id: int) -> dict[str, Any]:
    """Return the payload of a point."""
    return {"n": id, "group": f"г{id % GROUPS}", "text": _TEXT}


def prepare(url: str, ids: int) -> None:
    """Make the collection, its indexes and all its points. Raises httpx.HTTPStatusError."""
    declared = {
        "vectors": {"size": SIZE, "distance": "Cosine"},
        "metadata": {"palimpsest": {"seal_rows": ids // 4}},
    }
    with httpx.Client(base_url=url, timeout=60) as http:
        http.put(PATH, json=declared).raise_for_status()
        for key, schema in (("group", "keyword"), ("n", "integer")):
            body = {"field_name": key, "field_schema": schema}
            http.put(f"{PATH}/index?wait=true", json=body).raise_for_status()
        rng = np.random.default_rng(0)
        for first in range(0, ids, 1_000):
            points = [
                {
                    "id": id,
                    "vector": as_text(rng.standard_normal(SIZE).astype(np.float32)),
                    "payload": payload_of(id),
                }
                for id in range(first, first + 1_000)
            ]
            while True:
                reply = http.put(f"{PATH}/points", json={"points": points})
                if reply.status_code != 429:
                    break
                time.sleep(float(reply.headers["retry-after"]))
            reply.raise_for_status()


def delete_most(url: str, ids: int) -> None:
    """Delete nine tenths of the points. Raises httpx.HTTPStatusError."""
    gone = [id for id in range(ids) if id % 10]
    with httpx.Client(base_url=url, timeout=60) as http:
        for first in range(0, len(gone), 1_000):
            body = {"points": gone[first : first + 1_000]}
            http.post(f"{PATH}/points/delete", json=body).raise_for_status()
