"""A server in which requests do not end serves other collections, and ends when asked to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx

from palimpsest.app.health.overdue import OVERDUE
from tests.api.replies import result
from tests.api.served import START_SECONDS, Server

BODY = {"filter": {"must": [{"key": "n", "match": {"value": 1}}]}}
GRACE = 2
SOON = 10.0  # seconds, for what takes none


class StuckServer(Server):
    def __init__(self, data: Path) -> None:
        super().__init__(data)
        self.process.kill()
        self.process.wait()
        command = [sys.executable, "-m", "tests.api.stuck", "serve"]
        command += ["--port", str(self.port), "--data", str(data), "--threads", "2"]
        self.process = subprocess.Popen(command, env={**os.environ, "STUCK_GRACE": str(GRACE)})


def test_stuck_requests_stall_neither_other_collections_nor_the_end(tmp_path: Path) -> None:
    server = StuckServer(tmp_path)

    def count(name: str) -> int:
        url = f"{server.url}/collections/{name}/points/count"
        found: int = result(httpx.post(url, json=BODY, timeout=SOON))["count"]
        return found

    def count_stuck() -> None:
        with suppress(httpx.TransportError):
            httpx.post(f"{server.url}/collections/stuck/points/count", json=BODY, timeout=60)

    clients = [threading.Thread(target=count_stuck) for _ in range(6)]
    try:
        server.wait_until_ready()
        for name in ("stuck", "other", "third"):
            result(httpx.put(f"{server.url}/collections/{name}", json={"vectors": {}}))
        for client in clients:
            client.start()
        time.sleep(0.5)
        assert [count("other"), count("third")] == [0, 0]
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(START_SECONDS) == OVERDUE
        for client in clients:
            client.join(SOON)
    finally:
        server.process.kill()
        server.process.wait()
