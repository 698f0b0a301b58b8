"""Collections in the middle of an upgrade: two models whose spaces differ by a rotation."""

from __future__ import annotations

from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from tests.api.replies import result

OLD, NEW = 8, 12  # dimensions of v1 and v2
POINTS = 400
HALF = POINTS // 2

Rows = NDArray[np.float32]


def unit(rows: Rows) -> Rows:
    scaled: Rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return scaled


def rotation() -> Rows:
    """A map from v1 to v2 that keeps all inner products."""
    rng = np.random.default_rng(7)
    turned, _ = np.linalg.qr(rng.standard_normal((NEW, NEW)))
    return np.ascontiguousarray(turned[:OLD], dtype=np.float32)


def old_rows(n: int = POINTS, seed: int = 1) -> Rows:
    rng = np.random.default_rng(seed)
    return unit(rng.standard_normal((n, OLD)).astype(np.float32))


class Upgrade:
    """Points 0..n-1 that hold v1, and their vectors in v2."""

    def __init__(self, http: httpx.Client, name: str, n: int = POINTS) -> None:
        self.http = http
        self.name = name
        self.path = f"/collections/{name}"
        self.old = old_rows(n)
        self.new = self.old @ rotation()
        self.queries = old_rows(20, seed=2)

    def fill(self) -> None:
        points = [
            {"id": i, "vector": row.tolist(), "payload": {"n": i, "tag": f"t{i % 3}"}}
            for i, row in enumerate(self.old)
        ]
        result(self.http.put(f"{self.path}/points?wait=true", json={"points": points}))

    def declare(self, version: str = "v2", **body: Any) -> None:
        body = {"size": NEW, "model": "second", **body}
        assert result(self.http.put(f"{self.path}/versions/{version}", json=body)) is True

    def migrate(self, ids: range) -> None:
        """Write the v2 vectors of points, as the pipeline that embeds them anew would."""
        points = [{"id": i, "vector": {"@v2": self.new[i].tolist()}} for i in ids]
        result(self.http.put(f"{self.path}/points/vectors?wait=true", json={"points": points}))

    def fit(self, **body: Any) -> Any:
        body = {"rows": "v1", "queries": "v2", "kind": "ridge", **body}
        return result(self.http.post(f"{self.path}/adapters", json=body))

    def query(self, body: dict[str, Any], where: str = "", **headers: str) -> httpx.Response:
        named = {f"x-palimpsest-{name}": value for name, value in headers.items()}
        path = f"{self.path}{where}/points/query"
        return self.http.post(path, json=body, headers=named)

    def found(self, body: dict[str, Any], where: str = "", **headers: str) -> list[int]:
        points = result(self.query(body, where, **headers))["points"]
        return [point["id"] for point in points]

    def versions(self) -> dict[str, Any]:
        listed = result(self.http.get(f"{self.path}/versions"))["versions"]
        return {one["version"]: one for one in listed}

    def best(self, query: Rows, k: int = 10) -> list[int]:
        """The ids of the points closest to a query given in v1."""
        best: list[int] = np.argsort(-(self.old @ query), kind="stable")[:k].tolist()
        return best
