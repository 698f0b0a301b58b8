"""A real server in its own process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests import forking

BODY_LIMIT = 4_000_000
START_SECONDS = 60


class Server:
    """One `palimpsest serve` process on a free port.

    It is forked from one that imported the command, where what is asked for allows that.
    """

    def __init__(
        self,
        data: Path,
        *,
        stderr: int | None = None,
        setup: Callable[[], None] | None = None,  # what its process does first
        **environment: str,
    ) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = self._begin(stderr, setup, {**os.environ, **environment})

    def _begin(
        self, stderr: int | None, setup: Callable[[], None] | None, environment: dict[str, str]
    ) -> forking.Process:
        arguments = ["serve", "--port", str(self.port), "--data", str(self.data)]
        if stderr is None and setup is None:
            return forking.start(arguments, environment)
        command = [sys.executable, "-m", "palimpsest.app.cli", *arguments]
        return subprocess.Popen(command, env=environment, stderr=stderr, preexec_fn=setup)

    def wait_until_ready(self) -> None:
        """Wait until requests are to be sent."""
        self._wait("/readyz", lambda reply: reply.status_code == 200)

    def wait_until_open(self) -> None:
        """Wait until requests are answered, though the server may not be ready."""
        self._wait("/readyz", lambda reply: "being opened" not in reply.text)

    def _wait(self, path: str, is_it: Callable[[httpx.Response], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}")
            try:
                if is_it(httpx.get(f"{self.url}{path}")):
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.02)
        raise RuntimeError("the server did not start")

    def stop(self, how: int = signal.SIGTERM) -> int:
        wait_for_version_checks()
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(timeout=START_SECONDS)


@contextmanager
def serving(data: Path, **environment: str) -> Iterator[Server]:
    """A server that is ready, stops cleanly at the end, and is gone whatever happens."""
    running = Server(data, **environment)
    try:
        running.wait_until_ready()
        yield running
        assert running.stop() == 0
    finally:
        running.process.kill()
        running.process.wait()


def wait_for_version_checks() -> None:
    """Let clients finish the request that each makes in a thread of its own when it is created."""
    for thread in threading.enumerate():
        if "_check_compatibility" in thread.name:
            thread.join(START_SECONDS)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
