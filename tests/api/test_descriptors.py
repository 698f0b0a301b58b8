"""Without descriptors a server refuses, blames no file, and recovers when there are some."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.api.replies import result
from tests.api.served import Server, serving

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").exists() or not hasattr(resource, "prlimit"), reason="Linux only"
)

NAMES = [f"c{n}" for n in range(8)]
POINTS = 50
SIZE = 4
BLAME = ("damage", "restore", "delete")
RECOVERS = 40  # seconds
READS = (
    ("scroll", {"limit": 50, "with_vector": True, "filter": {"must_not": [{"has_id": [9_999]}]}}),
    ("query", {"query": [1.0] * SIZE, "limit": 50, "with_payload": True, "with_vector": True}),
    ("count", {"filter": {"must": [{"key": "n", "range": {"gte": 0}}]}}),
)


class LimitedServer(Server):
    """A server whose limit of open files is set from outside."""

    def __init__(self, data: Path, most: int | None = None) -> None:
        super().__init__(data)
        self.process.kill()
        self.process.wait()

        def limit() -> None:
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            if most is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))

        command = [sys.executable, "-m", "tests.api.limited", "serve"]
        command += ["--port", str(self.port), "--data", str(data)]
        self.process = subprocess.Popen(command, preexec_fn=limit)

    def used(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def limit(self, most: int) -> None:
        hard = resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (most, hard))


@contextmanager
def limited(data: Path, most: int | None = None) -> Iterator[tuple[LimitedServer, httpx.Client]]:
    server = LimitedServer(data, most)
    try:
        server.wait_until_ready()
        with httpx.Client(base_url=server.url, timeout=30) as http:
            yield server, http
        assert server.stop() == 0
    finally:
        server.process.kill()
        server.process.wait()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("descriptors")
    with serving(path) as server, httpx.Client(base_url=server.url, timeout=30) as http:
        for name in NAMES:
            body = {"vectors": {"size": SIZE, "distance": "Dot"}}
            result(http.put(f"/collections/{name}", json=body))
            points = [{"id": n, "vector": [n] * SIZE, "payload": {"n": n}} for n in range(POINTS)]
            result(http.put(f"/collections/{name}/points?wait=true", json={"points": points}))
            index = {"field_name": "n", "field_schema": "integer"}
            result(http.put(f"/collections/{name}/index?wait=true", json=index))
    return path


def require_no_blame(reply: httpx.Response) -> None:
    text = reply.text.lower()
    assert reply.status_code in (200, 503), text
    if reply.status_code == 503:
        assert not any(word in text for word in BLAME), text
        assert "too many open files" in text, text


def require_whole(http: httpx.Client) -> None:
    for name in NAMES:
        for route, body in READS:
            found = result(http.post(f"/collections/{name}/points/{route}", json=body))
            count = found["count"] if route == "count" else len(found["points"])
            assert count == POINTS


def test_a_server_that_runs_out_refuses_and_recovers(data: Path) -> None:
    with limited(data) as (server, http):
        http.get("/healthz")
        server.limit(server.used() + 1)
        refused = 0
        for name in NAMES:
            for route, body in READS:
                reply = http.post(f"/collections/{name}/points/{route}", json=body)
                require_no_blame(reply)
                refused += reply.status_code == 503
            edit = {"points": [{"id": 1, "vector": [1] * SIZE, "payload": {"n": 1}}]}
            require_no_blame(http.put(f"/collections/{name}/points?wait=true", json=edit))
        assert refused
        new = http.put("/collections/new", json={"vectors": {"size": 2, "distance": "Dot"}})
        require_no_blame(new)
        server.limit(1_024)
        require_whole(http)


def test_a_server_that_starts_without_enough_blames_nothing_and_opens_the_rest_later(
    data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with limited(data) as (server, _):
        needed = server.used()
    capfd.readouterr()
    server = LimitedServer(data, needed + 1)  # it starts, and cannot open a collection
    try:
        until, told = time.monotonic() + RECOVERS, ""
        while "cannot be opened" not in told:  # it may have none left to answer a question with
            assert time.monotonic() < until, told
            time.sleep(0.1)
            told += capfd.readouterr().err
        assert "Too many open files" in told
        assert not any(f" {word}" in told for word in BLAME)
        server.limit(1_024)
        server.wait_until_ready()
        with httpx.Client(base_url=server.url, timeout=30) as http:
            until = time.monotonic() + RECOVERS
            while any(http.post(f"/collections/{n}/points/count", json={}).is_error for n in NAMES):
                assert time.monotonic() < until
                time.sleep(0.2)
            require_whole(http)
        assert server.stop() == 0
    finally:
        server.process.kill()
        server.process.wait()
