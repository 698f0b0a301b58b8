"""A real server, in a process of its own, for as long as the demo runs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from palimpsest.app.demo.client import Client
from palimpsest.app.demo.errors import DemoError
from palimpsest.app.options.environment import OTHERS
from palimpsest.app.options.option import PREFIX

HOST = "127.0.0.1"
START_SECONDS = 60
STOP_SECONDS = 30
_POLL_SECONDS = 0.05


@contextmanager
def serving(data: Path, port: int | None) -> Iterator[tuple[subprocess.Popen[bytes], Client]]:
    """Run ``palimpsest serve`` on a data directory; it is stopped on leaving, and by SIGTERM.

    For the main thread.

    Args:
        data: its data directory.
        port: where it listens; None for a free port.

    Raises:
        DemoError: it did not start.
    """
    # It is free at the moment only; where somebody takes it meanwhile the server says so, and ends.
    chosen = free_port(port or 0)
    command = [
        sys.executable,
        "-m",
        "palimpsest.app.cli",
        "serve",
        "--host",
        HOST,
        "--port",
        str(chosen),
    ]
    command += ["--data", str(data), "--log-level", "WARNING"]
    # a key that is set for another server would shut the story out of its own
    server = subprocess.Popen(command, env=environment())
    client = Client(HOST, chosen)
    previous = signal.signal(signal.SIGTERM, _stopper(server))
    try:
        _wait_until_ready(server, client)
        yield server, client
    finally:
        client.close()
        _stop(server)
        signal.signal(signal.SIGTERM, previous)


def environment() -> dict[str, str]:
    """Return ours without the settings in it: they may be those of another server, its keys say."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(PREFIX) or name in OTHERS
    }


def free_port(port: int = 0) -> int:
    """Return a port that nothing listens on at the moment: the one given, any for 0.

    Raises:
        DemoError: the one given is taken, or not for users. A server there might be taken for ours.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # past connections do not count
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise DemoError(
                f"cannot listen on {HOST}:{port} ({error}); give another --port, or none for a "
                "free one"
            ) from error
        return int(probe.getsockname()[1])


def _wait_until_ready(server: subprocess.Popen[bytes], client: Client) -> None:
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        if client.is_ready():
            return
        time.sleep(_POLL_SECONDS)
    raise DemoError(
        f"the server did not start on {client.url}: "
        + (f"it ended with {server.returncode}" if server.poll() is not None else "it hangs")
        + "; what it printed says why"
    )


def _stopper(server: subprocess.Popen[bytes]) -> Callable[..., None]:
    """Return what to do about SIGTERM: stop the server, and leave.

    The server comes first, since an exception out of a signal is lost when it strikes in a
    finalizer: the story then ends at its next call.
    """

    def stop(*_: object) -> None:
        server.terminate()
        raise SystemExit(0)

    return stop


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.send_signal(signal.SIGTERM)
    try:
        server.wait(STOP_SECONDS)
    # It is not left running: its folder is about to be deleted.
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
