"""Nothing is imported while requests are served: what a life needs is there from the start."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.api.served import Server, free_port

C, N, SIZE = "/collections/life", 2_400, 16


class Guarded(Server):
    """A server that notes what it imports once it serves."""

    def __init__(self, data: Path, noted: Path) -> None:
        self.data, self.noted = data, noted
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "tests.api.guarded", "serve"]
        command += ["--port", str(self.port), "--data", str(data)]
        environment = {**os.environ, "IMPORTED_FILE": str(noted)}
        self.process = subprocess.Popen(command, env=environment)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    server = Guarded(tmp_path / "data", tmp_path / "imported")
    try:
        server.wait_until_ready()
        yield server
        assert server.stop() == 0
    finally:
        server.process.kill()
        server.process.wait()


class Life:
    """Requests that have to succeed."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def ask(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        for _ in range(60):  # while rows wait to be sealed
            reply = self.http.request(method, path, json=body, timeout=60)
            if reply.status_code != 429:
                break
            time.sleep(int(reply.headers["retry-after"]))
        assert reply.status_code == status, (method, path, body, reply.text[:500])
        return reply.json().get("result") if reply.content[:1] == b"{" else reply.text

    def wait_until_quiet(self) -> None:
        deadline = time.monotonic() + 60
        while self.ask("GET", C)["status"] != "green" and time.monotonic() < deadline:
            time.sleep(0.1)

    def write(self, rows: Any) -> None:
        self.ask(
            "PUT",
            C,
            {
                "vectors": {"": {"size": SIZE, "distance": "Cosine"}},
                "sparse_vectors": {"s": {"modifier": "idf"}},
                "metadata": {"palimpsest": {"seal_rows": 1_100, "quiet_rows": 64}},
                "optimizers_config": {"deleted_threshold": 0.1},
            },
        )
        fields = {
            "n": "integer",
            "f": "float",
            "k": "keyword",
            "b": "bool",
            "t": {"type": "text", "tokenizer": "word", "stemmer": None, "phrase_matching": True},
            "w": "datetime",
            "u": "uuid",
            "g": "geo",
        }
        for name, kind in fields.items():
            self.ask("PUT", f"{C}/index?wait=true", {"field_name": name, "field_schema": kind})
        for start in range(0, N, 400):
            points = [self.point(one, rows) for one in range(start, start + 400)]
            self.ask("PUT", f"{C}/points?wait=true", {"points": points})

    @staticmethod
    def point(one: int, rows: Any) -> dict[str, Any]:
        return {
            "id": one if one % 7 else f"00000000-0000-4000-8000-{one:012}",
            "vector": {"": rows[one].tolist(), "s": {"indices": [one % 9], "values": [1.5]}},
            "payload": {
                "n": one,
                "f": one / 3,
                "k": f"word {one % 5}",
                "b": one % 2 == 0,
                "t": f"some text of the number {one}, quite häufig",
                "w": f"2026-11-{1 + one % 28:02}T12:00:00Z",
                "u": f"10000000-0000-4000-8000-{one % 50:012}",
                "g": {"lon": one % 90, "lat": one % 45},
                "list": [{"a": one}, {"a": None}],
            },
        }

    def edit(self) -> None:
        some = {"must": {"key": "n", "range": {"lt": 7}}}
        self.ask("POST", f"{C}/points/payload?wait=true", {"payload": {"x": 1}, "filter": some})
        self.ask("PUT", f"{C}/points/payload?wait=true", {"payload": {"x": 1}, "points": [1]})
        self.ask("POST", f"{C}/points/payload/delete?wait=true", {"keys": ["x"], "points": [1]})
        self.ask("POST", f"{C}/points/payload/clear?wait=true", {"points": [2]})
        vectors = {"points": [{"id": 3, "vector": [0.5] * SIZE}]}
        self.ask("PUT", f"{C}/points/vectors?wait=true", vectors)
        self.ask("POST", f"{C}/points/vectors/delete?wait=true", {"points": [4], "vector": ["s"]})
        operations = [{"set_payload": {"payload": {"y": 2}, "points": [5]}}]
        self.ask("POST", f"{C}/points/batch?wait=true", {"operations": operations})
        self.ask("POST", f"{C}/points/delete?wait=true", {"filter": some})

    def read(self, query: list[float]) -> None:
        centre = {"center": {"lon": 1, "lat": 1}, "radius": 1e6}
        conditions: list[dict[str, Any]] = [
            {"key": "n", "range": {"gte": 100}},
            {"key": "k", "match": {"any": ["word 1", "word 2"]}},
            {"key": "t", "match": {"text": "Number text"}},
            {"key": "t", "match": {"phrase": "some text"}},
            {"key": "w", "range": {"gte": "2026-11-05T00:00:00Z"}},
            {"key": "g", "geo_radius": centre},
            {"key": "u", "match": {"value": "10000000-0000-4000-8000-000000000001"}},
            {"nested": {"key": "list", "filter": {"must": {"key": "a", "match": {"value": 7}}}}},
            {"has_id": [8, 9]},
            {"has_vector": "s"},
            {"is_null": {"key": "list[].a"}},
            {"slice": {"total": 3, "index": 1}},
            {"key": "list", "values_count": {"gte": 2}},
        ]
        for condition in conditions:
            body = {"query": query, "filter": {"must": condition}, "with_payload": True}
            self.ask("POST", f"{C}/points/query", body)
            self.ask("POST", f"{C}/points/count", {"filter": {"must_not": condition}})
        near = {"query": query, "limit": 20}
        kinds: list[Any] = [
            query,
            8,
            {"indices": [1], "values": [1]},
            {"nearest": query, "mmr": {"diversity": 0.5}},
            {"recommend": {"positive": [8], "negative": [9]}},
            {"recommend": {"positive": [8], "strategy": "best_score"}},
            {"recommend": {"positive": [8], "strategy": "sum_scores"}},
            {"discover": {"target": 8, "context": [{"positive": 9, "negative": 10}]}},
            {"context": [{"positive": 9, "negative": 10}]},
            {"order_by": "n"},
            {"sample": "random"},
            {
                "relevance_feedback": {
                    "target": query,
                    "feedback": [{"example": 8, "score": 0.9}, {"example": 9, "score": 0.1}],
                    "strategy": {"naive": {"a": 1, "b": 1, "c": 1}},
                }
            },
        ]
        for kind in kinds:
            body = {"query": kind, "with_payload": True, "with_vector": True}
            if isinstance(kind, dict) and "indices" in kind:
                body["using"] = "s"
            self.ask("POST", f"{C}/points/query", body)
        for fusion in ({"fusion": "rrf"}, {"fusion": "dbsf"}, {"formula": {"sum": ["$score", 1]}}):
            self.ask("POST", f"{C}/points/query", {"prefetch": [near, near], "query": fusion})
        decay = {"gauss_decay": {"x": {"datetime_key": "w"}, "scale": 86400}}
        distance = {"geo_distance": {"origin": {"lon": 1, "lat": 1}, "to": "g"}}
        for term in (decay, distance, {"exp": 1}, {"log10": 10}):
            self.ask("POST", f"{C}/points/query", {"prefetch": near, "query": {"formula": term}})
        self.ask("POST", f"{C}/points/query/batch", {"searches": [near, near]})
        self.ask("POST", f"{C}/points/query/groups", {**near, "group_by": "k", "limit": 3})
        self.ask("POST", f"{C}/points/search", {"vector": query, "limit": 3})
        self.ask("POST", f"{C}/points/scroll", {"limit": 50, "order_by": "f"})
        self.ask("POST", f"{C}/points/scroll", {"limit": 500, "with_vector": True})
        self.ask("POST", f"{C}/points", {"ids": [8, 9]})
        self.ask("GET", f"{C}/points/8")
        self.ask("POST", f"{C}/facet", {"key": "k"})
        for using in ("", "s"):
            body = {"sample": 20, "limit": 3, "using": using}
            self.ask("POST", f"{C}/points/search/matrix/pairs", body)

    def upgrade(self, rows: Any) -> None:
        space = {"size": SIZE, "distance": "Cosine", "model": "new"}
        self.ask("PUT", f"{C}/versions/v2", space)
        turned = np.roll(rows, 1, axis=1)
        some = [one for one in range(40, 1_240) if one % 7]
        points = [{"id": one, "vector": {"@v2": turned[one].tolist()}} for one in some]
        self.ask("PUT", f"{C}/points/vectors?wait=true", {"points": points})
        for kind in ("ridge", "procrustes", "low_rank", "mlp", "relative", "auto"):
            self.ask("POST", f"{C}/adapters", {"rows": "v1", "queries": "v2", "kind": kind})
        self.ask("POST", "/collections/life@v2/points/query", {"query": turned[9].tolist()})
        both = {"versions": {"v1": rows[9].tolist(), "v2": turned[9].tolist()}}
        self.ask("POST", f"{C}/points/query", {"query": both})
        asked = {
            "queries": [
                {"v1": rows[one].tolist(), "v2": turned[one].tolist(), "relevant": [one]}
                for one in range(100, 130)
                if one % 7
            ]
        }
        self.http.post(f"{C}/compare", json=asked, timeout=60)
        self.ask("GET", f"{C}/backfill?version=v2&limit=5")
        self.ask("GET", f"{C}/backfill/status?version=v2")
        self.ask("GET", f"{C}/versions")
        self.ask("GET", f"{C}/adapters")
        self.ask("POST", f"{C}/versions/v2/activate", {"force": True})
        self.ask("POST", f"{C}/points/query", {"query": turned[9].tolist()})
        self.ask("POST", f"{C}/versions/v1/activate", {"force": True})

    def administer(self) -> None:
        self.ask("PUT", f"{C}/vectors/late", {"dense": {"size": 2, "distance": "Dot"}})
        self.ask("DELETE", f"{C}/vectors/late")
        self.ask("PATCH", C, {"quantization_config": {"binary": {}}})
        alias = {"create_alias": {"collection_name": "life", "alias_name": "other"}}
        self.ask("POST", "/collections/aliases", {"actions": [alias]})
        for path in ("/", "/metrics", "/telemetry", "/openapi.json", "/docs", "/aliases"):
            self.ask("GET", path)
        self.ask("GET", "/collections/absent", status=404)
        self.ask("POST", f"{C}/points/query", {"query": [1]}, status=400)
        assert self.http.post(f"{C}/points/query", content=b"{").status_code == 400


def test_a_whole_life_imports_nothing(guarded: Guarded, rng: np.random.Generator) -> None:
    rows = rng.standard_normal((N, SIZE), dtype=np.float32)
    with httpx.Client(base_url=guarded.url) as http:
        life = Life(http)
        life.write(rows)
        life.read(rows[5].tolist())
        life.wait_until_quiet()
        life.edit()
        life.read(rows[5].tolist())
        life.upgrade(rows)
        life.administer()
        life.wait_until_quiet()
        life.read(rows[5].tolist())
        life.ask("DELETE", C)
    noted = guarded.noted.read_text().splitlines() if guarded.noted.exists() else []
    assert not noted, "\n".join(sorted(set(noted)))


def test_descriptors_up_to_the_hard_limit_may_be_used(guarded: Guarded) -> None:
    soft, hard = resource.prlimit(guarded.process.pid, resource.RLIMIT_NOFILE)
    assert soft == hard or soft >= 65_536
    assert json.loads(httpx.get(guarded.url).text)["version"]
