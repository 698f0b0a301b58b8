"""Rows that come faster than they are sealed: who waits, who is refused, and that none is lost."""

from __future__ import annotations

import itertools
import re
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from qdrant_client import QdrantClient

from tests.api.served import Server, serving

SIZE, SEAL_ROWS, BATCH = 48, 1_500, 250
END_SECONDS = 180
ROWS = np.random.default_rng(11).standard_normal((6_000, SIZE)).astype(np.float32)
QUICK = {"ef_construct": 1_000, "m": 32}  # a seal of a second or two
SLOW = {"ef_construct": 2_000, "m": 64, "size": 128, "seal_rows": 3_000}  # of ten
MANY = 1_500  # rows, for which there is no room once one and a half seals wait


def create(server: Server, name: str = "c", **chosen: int) -> None:
    size, seal_rows = chosen.pop("size", SIZE), chosen.pop("seal_rows", SEAL_ROWS)
    declared = {
        "vectors": {"size": size, "distance": "Cosine"},
        "hnsw_config": chosen,
        "metadata": {"palimpsest": {"seal_rows": seal_rows, "quiet_rows": seal_rows}},
    }
    reply = httpx.put(f"{server.url}/collections/{name}", json=declared)
    assert reply.status_code == 200, reply.text


def points(first: int, n: int, size: int = SIZE) -> dict[str, Any]:
    rows = np.resize(ROWS[first % 3_000 :], (n, size)).tolist()
    return {"points": [{"id": first + i, "vector": row} for i, row in enumerate(rows)]}


def metric(server: Server, name: str, collection: str = "c") -> float:
    """Return the sum of a series of a collection."""
    text = httpx.get(f"{server.url}/metrics").text
    found = re.findall(rf'^{name}{{.*collection="{collection}".*}} (\S+)$', text, re.MULTILINE)
    assert found, name
    return sum(map(float, found))


def until(is_so: Callable[[], bool], seconds: float = END_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def state(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{server.url}/collections/c").json()["result"]
    return found


def require_all(server: Server, n: int) -> None:
    """Wait until all is sealed that is to be, and find every point."""
    until(lambda: state(server)["status"] == "green")
    assert state(server)["points_count"] == n
    counted = httpx.post(f"{server.url}/collections/c/points/count", json={"exact": True})
    assert counted.json()["result"]["count"] == n
    ids = {"ids": list(range(0, n, 97)), "with_vector": True}
    found = httpx.post(f"{server.url}/collections/c/points", json=ids).json()["result"]
    assert [one["id"] for one in found] == ids["ids"]


def stuff(server: Server) -> int:
    """Bring nearly as many rows as there is room for, in one part; return how many."""
    create(server, **SLOW)
    came = 0
    for n in (SLOW["seal_rows"] - 10, SLOW["seal_rows"] - 150):
        url, body = f"{server.url}/collections/c/points", points(came, n, SLOW["size"])
        reply = httpx.put(url, json=body, timeout=60)
        assert reply.status_code == 200, reply.text
        came += n
    return came


@contextmanager
def searching(server: Server) -> Iterator[list[int]]:
    """Search all the while; yields the numbers of hits."""
    hits: list[int] = []
    ended = threading.Event()

    def search() -> None:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            while not ended.is_set():
                query = {"query": ROWS[len(hits) % 100].tolist(), "limit": 10}
                reply = client.post("/collections/c/points/query", json=query)
                assert reply.status_code == 200, reply.text
                hits.append(len(reply.json()["result"]["points"]))

    thread = threading.Thread(target=search)
    thread.start()
    try:
        yield hits
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("seconds", ["0", "2"])
def test_a_plain_client_brings_all_its_points(tmp_path: Path, seconds: str) -> None:
    most = 0.0
    with serving(tmp_path, PALIMPSEST_WRITE_WAIT=seconds) as server:
        create(server, **QUICK)
        client = QdrantClient(url=server.url, check_compatibility=False)
        given = {"ids": list(range(len(ROWS))), "batch_size": BATCH}

        def watch() -> None:
            nonlocal most
            while not ended.is_set():
                most = max(most, metric(server, "palimpsest_backlog_rows"))
                time.sleep(0.02)

        ended, watching = threading.Event(), threading.Thread(target=watch)
        watching.start()
        with searching(server) as hits, warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that it was told to come again
            client.upload_collection("c", ROWS, **given, wait=False)
        ended.set()
        watching.join()
        client.close()
        require_all(server, len(ROWS))
        assert SEAL_ROWS < most <= 2 * SEAL_ROWS
        assert hits and hits[-1] == 10
        delayed = metric(server, "palimpsest_writes_delayed_total")
        refused = metric(server, "palimpsest_writes_refused_total")
        assert refused if seconds == "0" else refused + delayed
        assert (metric(server, "palimpsest_writes_delayed_seconds_total") > 0) is (delayed > 0)
        sealed = metric(server, "palimpsest_sealed_rows_total")
        assert len(ROWS) - SEAL_ROWS <= sealed <= len(ROWS)
        assert state(server)["segments_count"] <= 12


def test_what_brings_no_rows_is_not_refused_and_others_are_not_slowed(tmp_path: Path) -> None:
    with serving(tmp_path, PALIMPSEST_WRITE_WAIT="0") as server:
        create(server, "other")
        came = stuff(server)
        collection = f"{server.url}/collections/c"
        told = state(server)
        assert told["status"] == "yellow"
        backlog = told["palimpsest"]["backlog"]
        assert SLOW["seal_rows"] < backlog["rows"] <= backlog["limit"] == 2 * SLOW["seal_rows"]
        body = points(came, MANY, SLOW["size"])
        for path, given in (
            ("/points?wait=false", body),
            ("/points/batch", {"operations": [{"upsert": body}]}),
            ("/points/vectors", points(0, MANY, SLOW["size"])),
        ):
            method = "POST" if path == "/points/batch" else "PUT"
            refused = httpx.request(method, f"{collection}{path}", json=given)
            assert refused.status_code == 429, refused.text
            assert 1 <= int(refused.headers["retry-after"]) <= 60
            text = refused.json()["status"]["error"]
            assert "wait to be sealed" in text and "nothing was changed" in text
        for path, given in (
            ("/points/delete", {"points": [0]}),
            ("/points/payload", {"points": [1], "payload": {"a": 1}}),
            ("/points/vectors/delete", {"points": [2], "vector": [""]}),
            ("/points/batch", {"operations": [{"delete": {"points": [3]}}]}),
        ):
            done = httpx.post(f"{collection}{path}", json=given)
            assert done.status_code == 200, done.text
        small = httpx.put(f"{collection}/points", json=points(came, 1, SLOW["size"]))
        assert small.status_code == 200, small.text
        other = httpx.put(f"{server.url}/collections/other/points", json=points(0, 1_000))
        assert other.status_code == 200, other.text
        assert state(server)["points_count"] == came - 2 + 1
        assert metric(server, "palimpsest_writes_refused_total", "other") == 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_that_was_answered_is_lost_when_it_ends_behind(
    tmp_path: Path, how: signal.Signals
) -> None:
    came: list[int] = []
    numbers = itertools.count(0, BATCH)
    server = Server(tmp_path, PALIMPSEST_WRITE_WAIT="5")
    try:
        server.wait_until_ready()
        create(server, **QUICK)

        def bring() -> None:
            with suppress(httpx.TransportError), httpx.Client(timeout=60) as client:
                for first in numbers:
                    url = f"{server.url}/collections/c/points"
                    reply = client.put(url, json=points(first, BATCH))
                    if reply.status_code == 200:
                        came.append(first)
                    elif reply.status_code == 429:
                        time.sleep(0.1)
                    else:
                        assert reply.status_code == 503, reply.text
                        return

        bringing = [threading.Thread(target=bring) for _ in range(4)]
        for thread in bringing:
            thread.start()
        until(lambda: metric(server, "palimpsest_backlog_rows") > 1.2 * SEAL_ROWS)
        assert server.stop(how) == (0 if how == signal.SIGTERM else -how)
        for thread in bringing:
            thread.join()
    finally:
        server.process.kill()
        server.process.wait()
    with serving(tmp_path) as again:
        until(lambda: state(again)["status"] == "green")
        ids = {"ids": [first + i for first in came for i in range(BATCH)], "with_payload": False}
        found = httpx.post(f"{again.url}/collections/c/points", json=ids, timeout=60)
        assert len(found.json()["result"]) == BATCH * len(came)
