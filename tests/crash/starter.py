"""Real servers that are started quickly, one at a time, and killed."""

from __future__ import annotations

import http.client
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from tests import forking
from tests.api.served import free_port
from tests.crash.blind import BLIND

START_SECONDS = 30


class Server:
    """One server, reached at ``port``."""

    def __init__(self, starter: Starter, data: Path) -> None:
        self.port = free_port()
        self.process = starter.start(["serve", "--port", str(self.port), "--data", str(data)])

    def wait_until_ready(self) -> None:
        """Return once it answers."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_SECONDS)
            try:
                connection.request("GET", "/readyz")
                status = connection.getresponse().status
                if status == 200:
                    return
                assert status == 503  # it is still being opened
            except ConnectionError:
                pass
            finally:
                connection.close()
            time.sleep(0.005)
        raise RuntimeError("the server did not start")

    def kill(self) -> None:
        """End it on the spot. It must not have ended by itself."""
        self.process.kill()
        assert self.process.wait() == -signal.SIGKILL

    def stop(self) -> None:
        """Ask it to end, and wait. It must not have ended by itself."""
        assert self.process.poll() is None
        self.process.terminate()
        assert self.process.wait() == 0


class Starter:
    """Starts servers one at a time, each ended before the next."""

    def __init__(self, blind: str | None = None, **environment: str) -> None:
        """Prepare it.

        Args:
            blind: which check to break in the servers.
            environment: more of their variables.
        """
        first = [] if blind is None else [f"{BLIND[blind].__module__}:{BLIND[blind].__name__}"]
        self._own = forking.Forking(*first, **environment) if first or environment else None
        self._environment = {**os.environ, **environment}
        self._running: forking.Process | None = None

    def start(self, arguments: Sequence[str]) -> forking.Process:
        """Run the command with its output among the errors."""
        self._running = (self._own or forking.shared()).start(arguments, self._environment, (2, 2))
        return self._running

    def end(self) -> None:
        """End a server that still runs."""
        if self._running is not None:
            self._running.kill()
            self._running.wait()

    def close(self) -> None:
        """Start no more, and end a server that still runs."""
        self.end()
        if self._own is not None:
            self._own.close()
