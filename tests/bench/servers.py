"""Servers started for one measurement on a free port of 127.0.0.1, and ended by their own pid."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_SECONDS = 120.0
STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its port, and the seconds from its start to its first ready answer."""

    port: int
    started_in: float
    key: str = ""  # sent with each call

    def call(self, method: str, path: str, body: Any = None, timeout: float = 600.0) -> Any:
        """Send one request outside any measurement; raises RuntimeError unless it answers 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            text = None if body is None else json.dumps(body)
            headers = {"Content-Type": "application/json"}
            if self.key:
                headers["api-key"] = self.key
            connection.request(method, path, text, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:300]!r}")
        return json.loads(content) if content[:1] in b"{[" else content.decode()


def palimpsest(folder: Path) -> list[str]:
    """Return the command that serves `folder`, without its port."""
    return [sys.executable, "-m", "palimpsest.app.cli", "serve", "--data", str(folder)]


def asgi(module: str) -> list[str]:
    """Return the command that runs a server module of this package, without its port."""
    return [sys.executable, "-m", f"tests.bench.{module}"]


@contextlib.contextmanager
def running(command: Sequence[str], ready: str = "/readyz", key: str = "") -> Iterator[Server]:
    """Start a server, with an API key if one is given; wait until `ready` answers 200; end it."""
    port = _free_port()
    with tempfile.TemporaryFile() as log:
        begin = time.perf_counter()
        child = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            stdout=log,
            stderr=log,
            env={**os.environ, "PALIMPSEST_API_KEY": key} if key else None,
        )
        try:
            yield Server(port, _wait_until_ready(child, port, ready, log) - begin, key)
        finally:
            _end(child)


def _wait_until_ready(child: subprocess.Popen[bytes], port: int, path: str, log: Any) -> float:
    deadline = time.perf_counter() + START_SECONDS
    while time.perf_counter() < deadline:
        if child.poll() is not None:
            log.seek(0)
            text = log.read()[-2000:].decode(errors="replace")
            raise RuntimeError(f"the server ended with {child.returncode}:\n{text}")
        with contextlib.suppress(OSError, RuntimeError):
            Server(port, 0.0).call("GET", path, timeout=2.0)
            return time.perf_counter()
        time.sleep(0.01)
    raise TimeoutError(f"the server did not answer {path} within {START_SECONDS:.0f} s")


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
