"""Starts real servers quickly: imports the command once, then forks for every line it reads.

Run as ``python -m tests.crash.starter``. A line of input is a JSON list: arguments of the
``palimpsest`` command, answered with the pid of the server it started, or nothing (``[]``),
answered with the wait status of that server once it has ended. Until then its pid is not given to
anyone else, so it can be killed by it. ``Starter`` is the other side.
"""

from __future__ import annotations

import http.client
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

from tests.api.served import free_port
from tests.crash.blind import BLIND

ROOT = Path(__file__).parents[2]
# The command, and what it would import only once it runs: forked servers find it imported.
IMPORTED = (
    "palimpsest.app.cli",
    "anyio._backends._asyncio",
    "numpy.ma",
    "numpy.random",
    "uvicorn.lifespan.on",
    "uvicorn.loops.uvloop",
)
START_SECONDS = 30


class Server:
    """One server, reached at ``port``."""

    def __init__(self, starter: Starter, data: Path) -> None:
        self._starter = starter
        self.port = free_port()
        self.pid = starter.ask(["serve", "--port", str(self.port), "--data", str(data)])

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
        assert self._end(signal.SIGKILL) == -signal.SIGKILL

    def stop(self) -> None:
        """Ask it to end, and wait."""
        assert self._end(signal.SIGTERM) == 0

    def _end(self, how: signal.Signals) -> int:
        os.kill(self.pid, how)
        return os.waitstatus_to_exitcode(self._starter.ask([]))


class Starter:
    """Starts servers one at a time, each killed before the next."""

    def __init__(self, blind: str | None = None, **environment: str) -> None:
        """Start the process that starts servers; ``blind`` says which check to break in them."""
        self._forking = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.starter", *([blind] if blind else [])],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ask(self, line: list[str]) -> int:
        assert self._forking.stdin is not None and self._forking.stdout is not None
        self._forking.stdin.write(json.dumps(line).encode() + b"\n")
        self._forking.stdin.flush()
        return int(self._forking.stdout.readline())

    def close(self) -> None:
        """End it, and with it a server that still runs."""
        self._forking.communicate(timeout=START_SECONDS)


def serve_lines() -> None:
    """Answer lines until the input ends."""
    for name in IMPORTED:
        importlib.import_module(name)
    for blind in sys.argv[1:]:
        BLIND[blind]()
    server = 0
    for line in sys.stdin:
        arguments = json.loads(line)
        if arguments:
            server = os.fork()
            if server == 0:
                become_server(arguments)
            answer = server
        else:
            _, answer = os.waitpid(server, 0)
            server = 0
        print(answer, flush=True)  # noqa: T201
    if server:
        os.kill(server, signal.SIGKILL)
        os.waitpid(server, 0)


def become_server(arguments: list[str]) -> NoReturn:
    from palimpsest.app.cli import main

    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os._exit(main(arguments))


if __name__ == "__main__":
    serve_lines()
