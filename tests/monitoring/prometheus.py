"""A Prometheus of its own on a free port, with the configuration that the repository ships."""

from __future__ import annotations

import math
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.api.served import free_port

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
START_SECONDS = 60.0
EVERY = "250ms"  # a scrape takes a few milliseconds


def tool(name: str) -> str:
    """Return the path of a program of Debian's package `prometheus`, or skip."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not there: apt-get install prometheus")
    return found


CASES = sorted((ROOT / "tests" / "monitoring").glob("*_test.yml"))


@contextmanager
def checking_rules(folder: Path) -> Iterator[dict[Path, subprocess.Popen[bytes]]]:
    """Have each file of cases checked, all at once; what is said of it is in a file of its name."""
    program, running = tool("promtool"), {}
    try:
        for file in CASES:
            with (folder / file.name).open("wb") as said:
                command = [program, "test", "rules", str(file)]
                running[file] = subprocess.Popen(command, stdout=said, stderr=said)
        yield running
    finally:
        for process in running.values():
            process.kill()
            process.wait()


class Prometheus:
    """One that runs, asked over HTTP."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=30)

    def close(self) -> None:
        self._http.close()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the vector that an expression gives now. Raises AssertionError."""
        reply = self._http.get("/api/v1/query", params={"query": expression}).json()
        assert reply["status"] == "success", (expression, reply)
        found: list[dict[str, Any]] = reply["data"]["result"]
        return found

    def values(self, expression: str) -> list[float]:
        """Return the finite values of an expression."""
        found = [float(one["value"][1]) for one in self.query(expression)]
        return [value for value in found if math.isfinite(value)]

    def exemplars(self, expression: str) -> list[Any]:
        """Return the series with exemplars of the last minutes."""
        now = time.time()
        asked = {"query": expression, "start": str(now - 300), "end": str(now + 1)}
        reply = self._http.get("/api/v1/query_exemplars", params=asked).json()
        found: list[Any] = reply["data"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Return all rules with their health."""
        groups = self._http.get("/api/v1/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def is_ready(self) -> bool:
        try:
            return self._http.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def watching(port: int, key: Path, folder: Path) -> Iterator[Prometheus]:
    """Scrape a server often, as docker/prometheus.yml says but for times and places."""
    config = yaml.safe_load((DOCKER / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": EVERY, "evaluation_interval": EVERY}
    config["rule_files"] = [str(DOCKER / Path(name).name) for name in config["rule_files"]]
    config["scrape_configs"] = config["scrape_configs"][:1]
    (job,) = config["scrape_configs"]
    job["static_configs"][0]["targets"] = [f"127.0.0.1:{port}"]
    job["authorization"]["credentials_file"] = str(key)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    own = free_port()
    command = [
        tool("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{own}",
        "--enable-feature=exemplar-storage",
        "--log.level=error",
    ]
    process = subprocess.Popen(command)
    running = Prometheus(f"http://127.0.0.1:{own}")
    try:
        until = time.monotonic() + START_SECONDS
        while not running.is_ready():
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.1)
        yield running
    finally:
        running.close()
        process.terminate()
        process.wait(START_SECONDS)
