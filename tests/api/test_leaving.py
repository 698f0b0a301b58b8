"""Work whose client left or whose time is over ends, and keeps nobody waiting."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.api.leaving import as_text, asking, busy, exact_batch, occupied, request_of
from tests.api.served import Server, serving

N, SIZE = 30_000, 128
BATCH = "/collections/c/points/query/batch"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("leaving"), PALIMPSEST_THREADS="2") as running:
        fill(running)
        yield running


def fill(server: Server) -> None:
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((N, SIZE), dtype=np.float32)
    with httpx.Client(base_url=server.url, timeout=60) as http:
        body = {"vectors": {"size": SIZE, "distance": "Euclid"}}
        assert http.put("/collections/c", json=body).status_code == 200
        for start in range(0, N, 5_000):
            points = [
                {"id": n, "vector": as_text(vectors[n]), "payload": {"n": n}}
                for n in range(start, start + 5_000)
            ]
            assert http.put("/collections/c/points", json={"points": points}).status_code == 200
        deadline = time.monotonic() + 60
        while http.get("/collections/c").json()["result"]["status"] != "green":
            assert time.monotonic() < deadline
            time.sleep(0.1)


def long_batch(searches: int) -> bytes:
    queries = np.random.default_rng(2).standard_normal((searches, SIZE)).astype(np.float32)
    return request_of("POST", BATCH, exact_batch(queries))


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


def test_cores_are_free_once_clients_left(server: Server, http: httpx.Client) -> None:
    with occupied(server, [long_batch(300)] * 100):  # about ten seconds of two cores
        pass
    time.sleep(1)
    assert busy(server.process.pid, 1) < 0.3
    started = time.monotonic()
    assert http.post(BATCH, json=exact_batch(np.zeros((3, SIZE), np.float32))).status_code == 200
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (BATCH, exact_batch(np.ones((300, SIZE), np.float32))),
        ("/collections/c/points/query", {"prefetch": [{"query": 1}], "query": 2}),
        ("/collections/c/points/count", {"filter": {"must": [{"key": "n", "range": {"gt": 5}}]}}),
        ("/collections/c/points/scroll", {"filter": {"must": [{"key": "n", "range": {"gt": 5}}]}}),
        ("/collections/c/facet", {"key": "n"}),
        ("/collections/c/points", {"ids": list(range(1_000))}),
    ],
)
def test_a_timeout_holds_while_others_are_served(
    server: Server, http: httpx.Client, path: str, body: object
) -> None:
    with occupied(server, [long_batch(3_000)] * 8):
        started = time.monotonic()
        late = http.post(path, params={"timeout": 1}, json=body)
        seconds = time.monotonic() - started
    assert (late.status_code, seconds < 5) == (408, True), (late.text, seconds)


def test_work_that_timed_out_ends(server: Server, http: httpx.Client) -> None:
    body = exact_batch(np.ones((3_000, SIZE), np.float32))
    assert http.post(BATCH, params={"timeout": 1}, json=body).status_code == 408
    time.sleep(0.5)
    assert busy(server.process.pid, 1) < 0.3


def test_a_measurement_of_recall_ends_with_its_client(server: Server, http: httpx.Client) -> None:
    queries = np.random.default_rng(3).standard_normal((1_000, SIZE)).astype(np.float32)
    body = {"queries": [as_text(query) for query in queries], "top_k": 100}
    brief = {"queries": [as_text(queries[0])], "top_k": 1}

    def asked() -> int:
        return http.post("/collections/c/recall", json=brief).status_code

    with occupied(server, [request_of("POST", "/collections/c/recall?timeout=60", body)]):
        assert asked() == 429
    deadline = time.monotonic() + 10
    while asked() != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_write_is_carried_out_though_its_client_left(server: Server, http: httpx.Client) -> None:
    points = [{"id": N + n, "vector": [0.5] * SIZE} for n in range(1_000)]
    with occupied(server, [long_batch(1_000)] * 4):
        with asking(server, [request_of("PUT", "/collections/c/points", {"points": points})]):
            time.sleep(0.3)  # it waits for a thread
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if http.get(f"/collections/c/points/{N + 999}").status_code == 200:
            break
        time.sleep(0.05)
    assert http.get(f"/collections/c/points/{N + 999}").status_code == 200


def test_a_write_that_was_not_begun_in_time_changes_nothing(
    server: Server, http: httpx.Client
) -> None:
    points = [{"id": 2 * N + n, "vector": [0.5] * SIZE} for n in range(1_000)]
    with occupied(server, [long_batch(3_000)] * 8):
        late = http.put("/collections/c/points", params={"timeout": 1}, json={"points": points})
    assert late.status_code == 408 and "nothing was changed" in late.json()["status"]["error"]
    assert http.get(f"/collections/c/points/{2 * N}").status_code == 404


def test_answers_are_the_same_after_stopped_ones(server: Server, http: httpx.Client) -> None:
    body = exact_batch(np.random.default_rng(5).standard_normal((20, SIZE)).astype(np.float32))
    before = http.post(BATCH, json=body).json()["result"]
    with asking(server, [request_of("POST", BATCH, body)] * 50):
        pass
    assert http.post(BATCH, json=body).json()["result"] == before


def test_a_server_that_is_told_to_stop_does_not_wait_for_searches(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        fill(server)
        with occupied(server, [long_batch(20_000)] * 4):
            started = time.monotonic()
            assert server.stop(signal.SIGTERM) == 0
            assert time.monotonic() - started < 15  # six seconds of grace
