"""Starts servers quickly: one process imports the command once, and is forked for each of them.

A server becomes a child of the process that asked for it, as if that had started it: it is left an
orphan at once, and whoever asks adopts orphans, which Linux alone offers. ``python -m
tests.forking`` is the process that is forked; ``start`` asks for a server.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn, TypeAlias

ROOT = Path(__file__).parents[1]
# The command, and what it would import only once it runs: forked servers find it imported.
IMPORTED = (
    "palimpsest.app.cli",
    "palimpsest.app.doctor",
    "palimpsest.app.options.reading",
    "palimpsest.app.server",
    "anyio._backends._asyncio",
    "numpy.ma",
    "numpy.random",
    "uvicorn.lifespan.on",
    "uvicorn.loops.uvloop",
)
ADOPT_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER of prctl
LONGEST = 1 << 20  # bytes of a request
LONGEST_RUN = 60.0  # seconds


class Forked:
    """A child process, with what tests use of ``subprocess.Popen``."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit status if it has ended."""
        if self.returncode is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status once it has ended. Raises subprocess.TimeoutExpired."""
        if self.poll() is None:
            descriptor = os.pidfd_open(self.pid)
            try:
                select.select([descriptor], [], [], timeout)
            finally:
                os.close(descriptor)
        if self.poll() is None:
            raise subprocess.TimeoutExpired("palimpsest", timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, how: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, how)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it on the spot."""
        self.send_signal(signal.SIGKILL)


Process: TypeAlias = "subprocess.Popen[bytes] | Forked"


def start(
    arguments: Sequence[str], environment: Mapping[str, str], output: tuple[int, int] = (1, 2)
) -> Process:
    """Run the ``palimpsest`` command as ``Forking.start`` does, of a process that all share."""
    return shared().start(arguments, environment, output)


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end; return how it ended and what it said."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        process = start(arguments, {**os.environ, **environment}, (out.fileno(), errors.fileno()))
        try:
            status = process.wait(LONGEST_RUN)
        finally:
            process.kill()
            process.wait()
        said = [os.pread(one.fileno(), os.fstat(one.fileno()).st_size, 0) for one in (out, errors)]
    return subprocess.CompletedProcess(arguments, status, said[0].decode(), said[1].decode())


class Forking:
    """A process that is forked for each server."""

    def __init__(self, *first: str, **environment: str) -> None:
        """Start it.

        Args:
            first: functions, as ``module:name``, that it calls before it is forked.
            environment: more of its variables.
        """
        self._one_at_a_time = threading.Lock()
        if sys.platform != "linux":
            return
        ctypes.CDLL(None).prctl(ADOPT_ORPHANS, 1, 0, 0, 0)
        self._asking, answering = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with answering:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forking", *first],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=answering,
            )

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], output: tuple[int, int]
    ) -> Process:
        """Run the ``palimpsest`` command in a process of its own.

        Args:
            arguments: of the command.
            environment: of the process, the whole of it.
            output: descriptors of its output and its errors.
        """
        if sys.platform != "linux":
            command = [sys.executable, "-m", "palimpsest.app.cli", *arguments]
            return subprocess.Popen(command, env=environment, stdout=output[0], stderr=output[1])
        request = {"arguments": arguments, "environment": {**environment}, "folder": os.getcwd()}
        with self._one_at_a_time:
            socket.send_fds(self._asking, [json.dumps(request).encode()], output)
            return Forked(int(self._asking.recv(LONGEST)))

    def close(self) -> None:
        """End it; the servers go on."""
        if sys.platform == "linux":
            self._asking.close()
            self._process.wait()


@functools.cache
def shared() -> Forking:
    """Return the one for plain servers; it ends with this process."""
    forking = Forking()
    atexit.register(forking.close)
    return forking


def serve() -> None:
    """Fork for each request until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # that of a terminal is for those who ask
    for name in IMPORTED:
        importlib.import_module(name)
    for first in sys.argv[1:]:
        module, _, name = first.partition(":")
        getattr(importlib.import_module(module), name)()
    gc.freeze()  # pages that are not touched stay shared
    asked = socket.socket(fileno=0)
    while True:
        text, descriptors, _, _ = socket.recv_fds(asked, LONGEST, 2)
        if not text:
            return
        reading, writing = os.pipe()
        between = os.fork()
        if between == 0:
            pid = os.fork()
            if pid == 0:
                become_server(text, descriptors)
            os.write(writing, b"%d" % pid)
            os._exit(0)
        os.waitpid(between, 0)  # from here on the server has been adopted
        os.close(writing)
        asked.send(os.read(reading, 20))
        for descriptor in (reading, *descriptors):
            os.close(descriptor)


def become_server(text: bytes, descriptors: Sequence[int]) -> NoReturn:
    """Do what the command does, as a process that was started for it."""
    from palimpsest.app.cli import main

    request = json.loads(text)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in zip((nothing, *descriptors), range(3), strict=True):
        os.dup2(source, target)
    os.closerange(3, max(nothing, *descriptors) + 64)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main(request["arguments"]))


if __name__ == "__main__":
    serve()
