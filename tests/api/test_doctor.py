"""The doctor beside a server that writes, seals, compacts and drops: no false alarm, no harm."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.api.served import Server, serving
from tests.damage import flip

SIZE = 16


def doctor(data: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    command = [
        sys.executable,
        "-m",
        "palimpsest.app.cli",
        "doctor",
        str(data),
        "--json",
        *arguments,
    ]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return ran.returncode, json.loads(ran.stdout)


def bad(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in report["findings"] if one["severity"] in ("damage", "lost", "unchecked")]


class Writing(threading.Thread):
    """Upserts, deletes, payloads, collections that come and go, for as long as it is wanted."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._client = httpx.Client(base_url=url, timeout=60)
        self._ended = threading.Event()
        self.rounds = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        rng = np.random.default_rng(5)
        try:
            while not self._ended.is_set() and self.rounds < 2_000:
                self._round(rng)
                self.rounds += 1
        except BaseException as error:
            self.error = error

    def _round(self, rng: np.random.Generator) -> None:
        ids = rng.integers(0, 6_000, 300).tolist()
        vectors = rng.standard_normal((len(ids), SIZE)).tolist()
        points = [
            {"id": i, "vector": v, "payload": {"n": i}} for i, v in zip(ids, vectors, strict=True)
        ]
        self._ask("PUT", "/collections/c/points?wait=true", {"points": points})
        self._ask("POST", "/collections/c/points/delete?wait=true", {"points": ids[:40]})
        self._ask(
            "POST",
            "/collections/c/points/payload?wait=true",
            {"payload": {"m": 1}, "points": [i for i in ids[40:60] if i not in ids[:40]]},
        )
        if self.rounds % 5 == 0:
            name = f"/collections/brief{self.rounds % 3}"
            self._ask("PUT", name, {"vectors": {"size": SIZE, "distance": "Dot"}})
            self._ask("PUT", f"{name}/points?wait=true", {"points": points[:50]})
            self._ask("DELETE", name, None)

    def _ask(self, method: str, path: str, body: Any) -> None:
        reply = self._client.request(method, path, json=body)
        assert reply.status_code == 200, reply.text

    def end(self) -> None:
        self._ended.set()
        self.join()
        self._client.close()
        if self.error is not None:
            raise self.error


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with serving(tmp_path_factory.mktemp("doctor") / "data") as server:
        yield server


def create(server: Server) -> None:
    body = {
        "vectors": {"size": SIZE, "distance": "Cosine"},
        "optimizers_config": {"indexing_threshold": 1, "deleted_threshold": 0.05},
    }
    assert httpx.put(f"{server.url}/collections/c", json=body).status_code == 200
    index = {"field_name": "n", "field_schema": "integer"}
    reply = httpx.put(f"{server.url}/collections/c/index?wait=true", json=index)
    assert reply.status_code == 200


def test_beside_a_server_that_writes_there_is_no_false_alarm(served: Server) -> None:
    create(served)
    writing = Writing(served.url)
    writing.start()
    try:
        deadline = time.monotonic() + 25
        checks = 0
        while checks < 6 or (time.monotonic() < deadline and writing.rounds < 60):
            status, report = doctor(served.data)
            assert writing.error is None
            assert report["mode"] == "online"
            assert bad(report) == []
            assert status == 0
            checks += 1
    finally:
        writing.end()
    assert writing.rounds > 5


def test_damage_beside_a_running_server_is_named_and_a_repair_refused(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        create(server)
        points = [{"id": n, "vector": [1.0 + n % 9] * SIZE} for n in range(200)]
        httpx.put(f"{server.url}/collections/c/points?wait=true", json={"points": points})
        deadline = time.monotonic() + 60
        segments: list[Path] = []
        while not segments and time.monotonic() < deadline:
            segments = sorted((server.data / "collections/c/segments").glob("*/codes.npy"))
            time.sleep(0.1)
        flip(segments[0], 8 * segments[0].stat().st_size - 1)
        status, report = doctor(server.data, "--repair")
        assert status == 3
        assert "served by another process" in bad(report)[0]["what"]
        status, report = doctor(server.data, "--collection", "c")
        assert status == 1
        assert [one["file"] for one in bad(report)] == [str(segments[0])]
        assert bad(report)[0]["severity"] == "damage"


def test_integrity_is_told_by_the_collection_and_in_metrics(tmp_path: Path) -> None:
    with serving(tmp_path / "data", PALIMPSEST_SCRUB_DAYS="0.00001") as server:
        create(server)
        points = [{"id": n, "vector": [1.0 + n] * SIZE, "payload": {"n": n}} for n in range(50)]
        httpx.put(f"{server.url}/collections/c/points?wait=true", json={"points": points})
        deadline = time.monotonic() + 30
        told: dict[str, Any] = {"checked_at": None}
        while told["checked_at"] is None and time.monotonic() < deadline:
            time.sleep(0.1)
            reply = httpx.get(f"{server.url}/collections/c").json()["result"]
            told = reply["palimpsest"]["integrity"]
        assert told["checked_at"] is not None and told["bytes_read"] > 0
        assert (told["damaged_files"], told["damaged_rows"], told["findings"]) == (0, 0, [])
        assert told["lost_found"] == {"count": 0, "bytes": 0}
        series = httpx.get(f"{server.url}/metrics").text
        assert 'palimpsest_integrity_damaged{collection="c",kind="file"} 0.0' in series
        assert 'palimpsest_scrub_finished_timestamp_seconds{collection="c"} 0.0' not in series
