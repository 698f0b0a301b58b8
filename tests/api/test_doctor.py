"""The doctor beside a server that writes, seals, compacts and drops: no false alarm, no harm."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import numpy as np
import pytest

from palimpsest.app.cli import main
from tests.api.served import Server, serving
from tests.damage import flip

SIZE = 16
CHECKS, ROUNDS = 10, 20  # beside each other, at least so many
Doctor: TypeAlias = Callable[..., tuple[int, dict[str, Any]]]
LONGEST = 60.0  # seconds until the server has done what is waited for; it takes a second


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Return the command, run in this process: its exit status and its report."""

    def run(data: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        status = main(["doctor", str(data), "--json", *arguments])
        return status, json.loads(capsys.readouterr().out)

    return run


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


def info_of(server: Server) -> dict[str, Any]:
    told: dict[str, Any] = httpx.get(f"{server.url}/collections/c").json()["result"]
    return told


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_beside_a_server_that_writes_there_is_no_false_alarm(
    served: Server, doctor: Doctor
) -> None:
    create(served)
    writing = Writing(served.url)
    writing.start()
    checks = 0
    try:
        while checks < CHECKS or writing.rounds < ROUNDS:
            status, report = doctor(served.data)
            assert writing.error is None
            assert (status, report["mode"], bad(report)) == (0, "online", [])
            checks += 1
    finally:
        writing.end()


def test_damage_beside_a_running_server_is_named_and_a_repair_refused(
    tmp_path: Path, doctor: Doctor
) -> None:
    with serving(tmp_path / "data") as server:
        create(server)
        points = [{"id": n, "vector": [1.0 + n % 9] * SIZE} for n in range(200)]
        httpx.put(f"{server.url}/collections/c/points?wait=true", json={"points": points})
        # a folder is seen before it is listed, and its files before they are whole
        wait_until(lambda: info_of(server)["indexed_vectors_count"] == len(points))
        segments = sorted((server.data / "collections/c/segments").glob("*/codes.npy"))
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
        wait_until(lambda: info_of(server)["palimpsest"]["integrity"]["checked_at"] is not None)
        told = info_of(server)["palimpsest"]["integrity"]
        assert told["bytes_read"] > 0
        assert (told["damaged_files"], told["damaged_rows"], told["findings"]) == (0, 0, [])
        assert told["lost_found"] == {"count": 0, "bytes": 0}
        series = httpx.get(f"{server.url}/metrics").text
        assert 'palimpsest_integrity_damaged{collection="c",kind="file"} 0.0' in series
        assert 'palimpsest_scrub_finished_timestamp_seconds{collection="c"} 0.0' not in series
