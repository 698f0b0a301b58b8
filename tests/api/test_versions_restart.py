"""An upgrade outlives its server: stopped in the middle of a fit, killed between two steps."""

from __future__ import annotations

import base64
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.replies import result
from tests.api.served import Server
from tests.api.upgrades import NEW, OLD, POINTS, Upgrade, old_rows, rotation

QUERIES = 32  # kept of a version, at most
STOP_SECONDS = 30  # the grace of running requests, and then some


@contextmanager
def serving(data: Path) -> Iterator[tuple[Server, Upgrade]]:
    server = Server(data)
    try:
        server.wait_until_ready()
        with httpx.Client(base_url=server.url, timeout=60) as http:
            yield server, Upgrade(http, "kept")
    finally:
        server.process.kill()
        server.process.wait()


def created(upgrade: Upgrade) -> None:
    body = {"vectors": {"size": OLD, "distance": "Cosine"}}
    result(upgrade.http.put(upgrade.path, json=body))
    upgrade.fill()
    upgrade.declare(encoding="8")
    upgrade.migrate(range(POINTS // 2))


def seen(upgrade: Upgrade) -> Any:
    """What an upgrade has come to: versions, adapters, answers old and new.

    Once twice as many points hold both versions an adapter is fitted again, so its report is left
    out; so is the memory of versions (``memory``).
    """
    new = [(query @ rotation()).tolist() for query in upgrade.queries]
    exact = {"params": {"exact": True}}
    versions = result(upgrade.http.get(f"{upgrade.path}/versions"))["versions"]
    return (
        [{**one, "bytes_per_vector": None} for one in versions],
        {(one["rows"], one["queries"], one["kind"]) for one in adapters(upgrade)},
        result(upgrade.http.get(upgrade.path))["config"],
        [
            upgrade.found({"query": query.tolist(), "using": "@v1", **exact})
            for query in upgrade.queries
        ],
        [upgrade.found({"query": query, "using": "@v2", **exact}) for query in new],
    )


def memory(upgrade: Upgrade) -> dict[str, Any]:
    """Bytes of a vector by version, as far as queries of late, which end with the server, let."""
    return {
        name: pytest.approx(one["bytes_per_vector"], abs=4 * NEW * QUERIES / one["points"])
        for name, one in upgrade.versions().items()
    }


def held(upgrade: Upgrade) -> dict[str, float]:
    return {name: one["bytes_per_vector"] for name, one in upgrade.versions().items()}


def test_every_step_outlives_a_kill(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, upgrade):
        created(upgrade)
        upgrade.fit()
        before, bytes_ = seen(upgrade), memory(upgrade)
    with serving(tmp_path) as (_, upgrade):
        assert seen(upgrade) == before
        assert held(upgrade) == bytes_
        upgrade.migrate(range(POINTS // 2, POINTS))
        result(upgrade.http.post(f"{upgrade.path}/versions/v2/activate"))
        before, bytes_ = seen(upgrade), memory(upgrade)
    with serving(tmp_path) as (_, upgrade):
        assert seen(upgrade) == before
        assert held(upgrade) == bytes_
        assert upgrade.versions()["v2"]["state"] == "active"
        result(upgrade.http.delete(f"{upgrade.path}/versions/v1"))
    with serving(tmp_path) as (_, upgrade):
        assert upgrade.versions().keys() == {"v2"}
        params = result(upgrade.http.get(upgrade.path))["config"]["params"]
        assert params["vectors"] == {"size": NEW, "distance": "Cosine"}
        assert upgrade.found({"query": upgrade.new[3].tolist()})[0] == 3


def test_stopping_ends_a_fit(tmp_path: Path) -> None:
    rows = old_rows(30_000, seed=4)
    queries = rows @ rotation()

    def packed(vectors: Any) -> list[str]:
        return [base64.b64encode(one.astype("<f4").tobytes()).decode() for one in vectors]

    body = {
        "rows": "v1",
        "queries": "v2",
        "kind": "mlp",
        "pairs": {"rows": packed(rows), "queries": packed(queries)},
        "max_pairs": 30_000,
    }
    with serving(tmp_path) as (server, upgrade):
        created(upgrade)
        path = f"{server.url}{upgrade.path}/adapters"
        ended: list[object] = []

        def fit() -> None:
            try:
                ended.append(httpx.post(path, json=body, timeout=STOP_SECONDS).status_code)
            except httpx.TransportError as error:
                ended.append(error)

        fitting = threading.Thread(target=fit)
        fitting.start()
        while not any(one["state"] == "fitting" for one in adapters(upgrade)):
            assert fitting.is_alive(), ended
            time.sleep(0.01)
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(STOP_SECONDS) == 0
        assert time.monotonic() - started < STOP_SECONDS
        fitting.join()
    with serving(tmp_path) as (_, upgrade):
        # It was finished within the grace of running requests, or nothing came of it.
        assert [one["state"] for one in adapters(upgrade)] == ["fitted"] * (ended == [200])
        assert upgrade.fit()["state"] == "fitted"


def adapters(upgrade: Upgrade) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = result(upgrade.http.get(f"{upgrade.path}/adapters"))["adapters"]
    return listed
