"""A sync fails once: nothing more is written until a restart, and nothing answered is lost.

The server's syncs fail when the test says so (``failing_sync.cpp``, preloaded).
"""

from __future__ import annotations

import errno
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.crash.reading import Client
from tests.crash.starter import Server, Starter

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="preloads a library")

PATH = "/collections/kept"


class Syncs:
    """The folder of a server, and which of its syncs fails."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "disk"
        self._state = tmp_path / "state"
        self._library = tmp_path / "failing_sync.so"
        source = Path(__file__).with_name("failing_sync.cpp")
        flags = ["-std=c++20", "-O1", "-shared", "-fPIC"]
        subprocess.run(["g++", *flags, "-o", str(self._library), str(source)], check=True)
        self._state.write_bytes(bytes(16))

    def fail(self, number: int, error: int) -> None:
        with open(self._state, "r+b") as file:
            file.write(struct.pack("=qq", number, error))

    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": f"{os.environ.get('LD_PRELOAD', '')} {self._library}",
            "FAILING_FOLDER": str(self.folder),
            "FAILING_SYNC": str(self._state),
        }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Syncs:
    return Syncs(tmp_path_factory.mktemp("failing_sync"))


@pytest.fixture(scope="module")
def starting(made: Syncs) -> Iterator[Starter]:
    running = Starter(**made.environment())
    yield running
    running.close()


@pytest.fixture
def syncs(made: Syncs) -> Syncs:
    """An empty folder, and no sync that fails."""
    made.fail(0, 0)
    shutil.rmtree(made.folder, ignore_errors=True)
    return made


@pytest.fixture
def starter(starting: Starter) -> Iterator[Starter]:
    yield starting
    starting.end()


def points(first: int) -> dict[str, Any]:
    return {"points": [{"id": first + i, "vector": {"a": [first, i, 1, 2]}} for i in range(10)]}


def write(client: Client, first: int) -> tuple[int, str]:
    status, text = client.send("PUT", "/points?wait=true", points(first))
    return status, text.decode()


@pytest.mark.parametrize(("error", "status"), [(errno.EIO, 500), (errno.ENOSPC, 507)])
def test_a_failed_sync_ends_writes_until_a_restart(
    error: int, status: int, syncs: Syncs, starter: Starter
) -> None:
    server = Server(starter, syncs.folder)
    server.wait_until_ready()
    with Client(server.port, PATH) as client:
        client.ask("PUT", "", {"vectors": {"a": {"size": 4, "distance": "Dot"}}})
        assert write(client, 0)[0] == 200
        syncs.fail(-1 if error == errno.ENOSPC else 1, error)  # a full disk stays so
        found, text = write(client, 100)
        assert found == status, text
        syncs.fail(0, 0)
        for first in (200, 300):  # the disk syncs again, which proves nothing
            found, text = write(client, first)
            assert found == 500
            assert "No writes are taken" in text and "restart" in text
        assert client.send("POST", "/points/delete", {"points": [1]})[0] == 500
        assert len(client.points()) == 10
        assert client.result("GET", "")["status"] == "red"
    server.kill()
    server = Server(starter, syncs.folder)
    server.wait_until_ready()
    with Client(server.port, PATH) as client:
        assert {*range(10)} <= {*client.points()} <= {*range(10), *range(100, 110)}
        assert write(client, 400)[0] == 200
        assert client.result("GET", "")["status"] == "green"
    server.stop()


def test_a_failed_sync_of_a_segment_ends_writes(syncs: Syncs, starter: Starter) -> None:
    server = Server(starter, syncs.folder)
    server.wait_until_ready()
    restless = {"seal_rows": 64, "quiet_rows": 1_000, "quiet_seconds": 3_600}
    with Client(server.port, PATH) as client:
        body = {
            "vectors": {"a": {"size": 4, "distance": "Dot"}},
            "metadata": {"palimpsest": restless},
        }
        client.ask("PUT", "", body)
        for first in range(0, 60, 10):
            assert write(client, first)[0] == 200
        syncs.fail(3, errno.EIO)  # of the write itself, of the plan, of the segment's first file
        assert write(client, 60)[0] == 200
        for first in range(1_000, 1_200):
            found, text = write(client, first * 10)
            if found != 200:
                break
        found, text = write(client, 100_000)
        assert (found, "No writes are taken" in text) == (500, True)
    server.kill()
    server = Server(starter, syncs.folder)
    server.wait_until_ready()
    with Client(server.port, PATH) as client:
        assert {*range(70)} <= {*client.points()}
        assert write(client, 100_000)[0] == 200
    server.stop()
