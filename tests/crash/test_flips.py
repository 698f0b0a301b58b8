"""Bits of a store at rest are turned over; the server answers in time, serves others, and ends.

Many clients ask at a time; ``tests.crash.test_damages`` has more kinds of files, and looks at the
answers. ``PALIMPSEST_DAMAGE_SEED`` says which bits; it is printed.
"""

from __future__ import annotations

import logging
import os
import random
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.replies import result
from tests.api.served import Server
from tests.damage import change, flip_any, settle, swap_cells

TRIALS = 3
SEED = int(os.environ.get("PALIMPSEST_DAMAGE_SEED", str(random.SystemRandom().randrange(10**6))))
POINTS = 400
SIZE = 8
MOST = 5.0  # seconds for any answer; they take milliseconds
ENDS = 20.0  # seconds until a server has stopped
EVERY = {"must_not": [{"has_id": [999_999]}]}
RED = {"must": [{"key": "colour", "match": {"value": "red"}}]}

READS: dict[str, tuple[str, dict[str, Any]]] = {
    "scroll": ("scroll", {"limit": POINTS, "with_vector": True}),
    "filtered scroll": ("scroll", {"limit": 50, "filter": EVERY, "with_vector": True}),
    "filtered page": ("scroll", {"limit": 50, "offset": 100, "filter": RED}),
    "count": ("count", {"filter": RED}),
    "count without index": ("count", {"filter": {"must": [{"key": "n", "range": {"gt": 3}}]}}),
    "query": ("query", {"query": [1.0] * SIZE, "limit": 20}),
    "query with all": (
        "query",
        {"query": [1.0] * SIZE, "limit": 100, "with_payload": True, "with_vector": True},
    ),
    "query by id": ("query", {"query": 5, "limit": 5}),
    "query by ids": (
        "query",
        {"query": {"recommend": {"positive": [3, 4, 5], "strategy": "best_score"}}},
    ),
    "query in a tree": (
        "query",
        {"prefetch": {"query": [1.0] * SIZE, "limit": 30}, "query": {"fusion": "rrf"},
         "with_vector": True},
    ),
    "groups": ("query/groups", {"query": [1.0] * SIZE, "group_by": "colour", "limit": 2}),
    "facet": ("facet", {"key": "colour"}),
    "matrix": ("search/matrix/pairs", {"sample": 20, "limit": 3}),
}  # fmt: skip


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of two equal collections, all of them in their files."""
    data = tmp_path_factory.mktemp("filled")
    server = Server(data)
    try:
        server.wait_until_ready()
        with httpx.Client(base_url=server.url, timeout=60) as http:
            for name in ("good", "hurt"):
                fill(http, name)
        assert server.stop() == 0
    finally:
        server.process.kill()
        server.process.wait()
    for name in ("good", "hurt"):
        settle(store_of(data, name))
    return data


def fill(http: httpx.Client, name: str) -> None:
    draw = random.Random(5)
    result(http.put(f"/collections/{name}", json={"vectors": {"size": SIZE, "distance": "Dot"}}))
    index = {"field_name": "colour", "field_schema": "keyword"}
    result(http.put(f"/collections/{name}/index?wait=true", json=index))
    points = [
        {
            "id": n,
            "vector": [draw.gauss(0, 1) for _ in range(SIZE)],
            "payload": {"colour": ("red", "blue")[n % 2], "n": n, "text": "x" * 50},
        }
        for n in range(POINTS)
    ]
    result(http.put(f"/collections/{name}/points?wait=true", json={"points": points}))
    changed = {"payload": {"again": True}, "points": list(range(0, POINTS, 7))}
    result(http.post(f"/collections/{name}/points/payload?wait=true", json=changed))


def store_of(data: Path, name: str) -> Path:
    return data / "collections" / name / "store.sqlite3"


@pytest.fixture
def data(filled: Path, tmp_path: Path) -> Iterator[Path]:
    copied = tmp_path / "data"
    shutil.copytree(filled, copied)
    yield copied
    shutil.rmtree(copied)


def read(server: Server, name: str, how: str) -> tuple[int, float]:
    """Return the status of a read and how long it took."""
    route, body = READS[how]
    started = time.monotonic()
    url = f"{server.url}/collections/{name}/points/{route}"
    if route == "facet":
        url = f"{server.url}/collections/{name}/facet"
    elif route.startswith("search/matrix"):
        url = f"{server.url}/collections/{name}/points/{route}"
    status = httpx.post(url, json=body, timeout=60).status_code
    return status, time.monotonic() - started


def require_bounded(data: Path, what: str) -> None:
    """Read a damaged collection in every way, and another one meanwhile; then stop the server."""
    server = Server(data)
    try:
        server.wait_until_ready()
        with ThreadPoolExecutor(6) as clients:
            hurt = {how: clients.submit(read, server, "hurt", how) for how in (*READS, *READS)}
            good = {how: clients.submit(read, server, "good", how) for how in READS}
            for how, reading in good.items():
                status, seconds = reading.result()
                assert status == 200, f"{what}: {how} of the other collection is {status}"
                assert seconds < MOST, f"{what}: {how} of the other collection took {seconds}"
            for how, reading in hurt.items():
                status, seconds = reading.result()
                assert status in (200, 400, 404, 500), f"{what}: {how} is {status}"
                assert seconds < MOST, f"{what}: {how} took {seconds}"
        started = time.monotonic()
        assert server.stop() == 0, what
        assert time.monotonic() - started < ENDS, what
    finally:
        server.process.kill()
        server.process.wait()


@pytest.mark.parametrize("trial", range(TRIALS))
def test_a_bit_of_the_store_never_stalls(trial: int, data: Path) -> None:
    draw = random.Random(f"{SEED} {trial}")
    store = store_of(data, "hurt")
    flipped = [flip_any(store, draw) for _ in range(1 + trial % 3)]
    what = f"seed {SEED}, trial {trial}: {', '.join(flipped)}"
    logging.getLogger(__name__).warning(what)
    require_bounded(data, what)


def test_damaged_slots_stall_nobody(data: Path) -> None:
    store = store_of(data, "hurt")
    assert change(store, "UPDATE points SET slots = x'ffffff0000000000' WHERE number % 9 = 0")
    require_bounded(data, "slots")


@pytest.mark.parametrize("name", ["points", "sqlite_autoindex_points_1", "staged"])
def test_cells_out_of_order_stall_nobody(name: str, data: Path) -> None:
    swap_cells(store_of(data, "hurt"), name)
    require_bounded(data, name)


def test_rows_that_are_not_there_stall_nobody(data: Path) -> None:
    store = store_of(data, "hurt")
    assert change(store, "UPDATE points SET number = number + 100000 WHERE number % 9 = 0")
    require_bounded(data, "numbers")
