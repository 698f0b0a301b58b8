"""A disk fills up: writes are refused with 507, reads go on, nothing that was answered is lost.

The server runs on a disk whose free space the test sets (``full_disk.cpp``, preloaded).
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from palimpsest.index.storage.reserve import SIZE
from tests.crash.reading import Client, check
from tests.crash.starter import Server, Starter
from tests.crash.test_kill import PATH, begin, run_writers
from tests.crash.writing import Writer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="preloads a library")

PLENTY = 1 << 40
ROOMS = (0, 20_000, 1_000_000)  # bytes: full at once, while logging, while sealing
MINUTE = 60


class Disk:
    """The folder of a server, and how many bytes its files may still grow by."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "disk"
        self._room = tmp_path / "room"
        self._library = tmp_path / "full_disk.so"
        source = Path(__file__).with_name("full_disk.cpp")
        flags = ["-std=c++20", "-O1", "-shared", "-fPIC"]
        subprocess.run(["g++", *flags, "-o", str(self._library), str(source)], check=True)
        self.set_room(PLENTY)

    def set_room(self, room: int) -> None:
        with open(self._room, "r+b" if self._room.exists() else "wb") as file:
            file.write(struct.pack("=q", room))

    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": f"{os.environ.get('LD_PRELOAD', '')} {self._library}",
            "FULL_DISK_FOLDER": str(self.folder),
            "FULL_DISK_ROOM": str(self._room),
        }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Disk:
    return Disk(tmp_path_factory.mktemp("full_disk"))


@pytest.fixture(scope="module")
def starting(made: Disk) -> Iterator[Starter]:
    running = Starter(**made.environment())
    yield running
    running.close()


@pytest.fixture
def disk(made: Disk) -> Disk:
    """The disk, empty."""
    made.set_room(PLENTY)
    shutil.rmtree(made.folder, ignore_errors=True)
    return made


@pytest.fixture
def starter(starting: Starter) -> Iterator[Starter]:
    yield starting
    starting.end()


def fill_up(server: Server, disk: Disk, room: int, writers: list[Writer]) -> None:
    """Write until the disk is full; what was refused must not have been made."""
    disk.set_room(room)
    for thread in run_writers(server, writers):
        thread.join()
    for writer in writers:
        assert writer.refused is not None
        status, text = writer.refused
        assert status == 507
        assert "No space left" in text
        writer.give_up()


def read_all(server: Server, writers: list[Writer], rng: np.random.Generator) -> None:
    with Client(server.port, PATH) as client:
        check(client, writers, rng)


def write_on(server: Server, writers: list[Writer]) -> None:
    """Write what fits into a full disk's log, and what does not; both are answers."""
    with Client(server.port, PATH) as client:
        for writer in writers:
            writer.write_some(client.connection, f"{PATH}/points", 20)


def create_another(server: Server) -> int:
    """Return the status of creating one more collection."""
    space = {"vectors": {"size": 4, "distance": "Dot"}}
    with Client(server.port, "/collections/another") as client:
        return client.send("PUT", "", space)[0]


def wait_until_well(server: Server) -> None:
    """Wait for seals and compactions that failed to be made up for."""
    deadline = time.monotonic() + MINUTE
    with Client(server.port, PATH) as client:
        while (described := client.result("GET", ""))["status"] != "green":
            assert time.monotonic() < deadline, described
            time.sleep(0.1)
        assert described["optimizer_status"] == "ok"


def delete_some(server: Server, writers: list[Writer]) -> None:
    """Delete points by ids and by a filter, and clear payloads: a full disk takes all of it."""
    for writer in writers:
        there = sorted(writer.points, key=str)
        gone, filtered, cleared = there[:40], there[40:70], there[70:100]
        some = [{"has_id": filtered}]
        with Client(server.port, PATH) as client:
            client.ask("POST", "/points/delete?wait=true", {"points": gone})
            client.ask("POST", "/points/delete?wait=true", {"filter": {"must": some}})
            client.ask("POST", "/points/payload/clear?wait=true", {"points": cleared})
        for one in (*gone, *filtered):
            del writer.points[one]
        for one in cleared:
            writer.points[one] = None, writer.points[one][1]


@pytest.mark.parametrize("room", ROOMS)
def test_a_full_disk_takes_deletes(room: int, disk: Disk, starter: Starter) -> None:
    rng = np.random.default_rng(room)
    server = Server(starter, disk.folder)
    server.wait_until_ready()
    writers = begin(server, 0, rng)
    time.sleep(1.5)  # until room is kept
    with Client(server.port, PATH) as client:
        writers[0].write_all(client.connection, f"{PATH}/points")
    assert (disk.folder / "reserve").stat().st_size == SIZE
    fill_up(server, disk, room, writers)
    disk.set_room(0)
    delete_some(server, writers)
    read_all(server, writers, rng)

    server.kill()
    disk.set_room(0)
    server = Server(starter, disk.folder)
    server.wait_until_ready()
    read_all(server, writers, rng)
    disk.set_room(PLENTY)
    time.sleep(1.5)
    with Client(server.port, PATH) as client:
        for writer in writers:
            writer.write_all(client.connection, f"{PATH}/points")
            assert writer.refused is None
    read_all(server, writers, rng)
    server.stop()


@pytest.mark.parametrize("room", ROOMS)
def test_a_full_disk(room: int, disk: Disk, starter: Starter) -> None:
    rng = np.random.default_rng(room)
    server = Server(starter, disk.folder)
    server.wait_until_ready()
    writers = begin(server, 0, rng)
    fill_up(server, disk, room, writers)
    read_all(server, writers, rng)
    write_on(server, writers)
    disk.set_room(0)
    assert create_another(server) == 507
    read_all(server, writers, rng)

    server.kill()
    server = Server(starter, disk.folder)
    server.wait_until_ready()
    read_all(server, writers, rng)
    write_on(server, writers)
    read_all(server, writers, rng)

    disk.set_room(PLENTY)
    with Client(server.port, PATH) as client:
        for writer in writers:
            writer.write_all(client.connection, f"{PATH}/points")
            assert writer.refused is None
    assert create_another(server) == 200
    read_all(server, writers, rng)
    wait_until_well(server)
    read_all(server, writers, rng)
    server.stop()


MANY = 24_000  # points, whose deletion in one transaction needs a log of over 25 MB


EVERY = {"must_not": [{"has_id": [MANY]}]}


def restarted(server: Server, disk: Disk, starter: Starter) -> Server:
    """Start a server again on its collections, for which room is kept from then on."""
    server.stop()
    server = Server(starter, disk.folder)
    server.wait_until_ready()
    assert (disk.folder / "reserve").stat().st_size == SIZE
    return server


def write_many(client: Client, vector: bool, n: int) -> None:
    for first in range(0, n, 2_000):
        points = [
            {"id": one, "vector": [one, 1, 2, 3] if vector else {}, "payload": {"a": "x" * 1_200}}
            for one in range(first, first + 2_000)
        ]
        client.ask("PUT", "/points?wait=true", {"points": points})


def delete_all(client: Client, whose: dict[str, object]) -> None:
    status, reply = client.send("POST", "/points/delete?wait=true", whose)[:2]
    assert status == 200, reply
    assert client.result("POST", "/points/count", {"exact": True})["count"] == 0


@pytest.mark.parametrize(
    "whose", [{"filter": EVERY}, {"points": [*range(MANY)]}], ids=["filter", "ids"]
)
def test_a_full_disk_can_be_emptied(whose: dict[str, object], disk: Disk, starter: Starter) -> None:
    """Though the log of the deletion finds no room, nor within what was kept for deletes."""
    server = Server(starter, disk.folder)
    server.wait_until_ready()
    with Client(server.port, PATH) as client:
        assert client.send("PUT", "", {"vectors": {"size": 4, "distance": "Dot"}})[0] == 200
        write_many(client, True, MANY)
    server = restarted(server, disk, starter)
    disk.set_room(0)
    with Client(server.port, PATH) as client:
        delete_all(client, whose)
    server.kill()
    server = Server(starter, disk.folder)
    server.wait_until_ready()
    with Client(server.port, PATH) as client:
        assert client.result("POST", "/points/count", {"exact": True})["count"] == 0
    server.stop()


def test_a_full_disk_can_be_emptied_though_the_store_has_to_grow(
    disk: Disk, starter: Starter
) -> None:
    """The log holds pages that the database has no room for: it could not be moved there."""
    server = Server(starter, disk.folder)
    server.wait_until_ready()
    with Client(server.port, PATH) as client:
        assert client.send("PUT", "", {"vectors": {"size": 4, "distance": "Dot"}})[0] == 200
    server = restarted(server, disk, starter)
    with Client(server.port, PATH) as client:
        write_many(client, False, MANY // 3)
        disk.set_room(0)  # another program's doing, all at once
        delete_all(client, {"filter": EVERY})
    server.stop()


def test_a_full_disk_shows_until_there_is_room(disk: Disk, starter: Starter) -> None:
    server = Server(starter, disk.folder)
    server.wait_until_ready()
    begin(server, 0, np.random.default_rng(0))
    disk.set_room(0)
    points = [{"id": 10**6 + n, "vector": {}, "payload": {"a": "x" * 20_000}} for n in range(100)]
    deadline = time.monotonic() + MINUTE
    with Client(server.port, PATH) as client:
        while True:  # what is tried in between may fit into the log as it is, which is no lie
            assert client.send("PUT", "/points?wait=true", {"points": points})[0] == 507
            described = client.result("GET", "")
            if described["status"] == "red":
                break
            assert time.monotonic() < deadline, described
        assert "No space left" in described["optimizer_status"]["error"]
    disk.set_room(PLENTY)
    wait_until_well(server)  # though nobody writes


def test_a_start_on_a_full_disk(disk: Disk) -> None:
    disk.set_room(0)
    serve = [
        sys.executable,
        "-m",
        "palimpsest.app.cli",
        "serve",
        "--port",
        "0",
        "--data",
        str(disk.folder),
    ]
    environment = {**os.environ, **disk.environment()}
    server = subprocess.Popen(serve, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        # folders take no room there, so that it starts; a real disk may refuse those as well
        port = port_told_by(server)
        with Client(port, "/collections/new") as client:
            assert client.send("PUT", "", {"vectors": {}})[0] == 507
        with Client(port, "/readyz") as client:
            checks = client.result("GET", "?verbose")
            assert checks["store_writable"] is False
            assert "No space left" in checks["store_trouble"]
        server.terminate()
        server.communicate(timeout=MINUTE)
        assert server.returncode == 0
    finally:
        server.kill()
        server.communicate()


def port_told_by(server: subprocess.Popen[str]) -> int:
    assert server.stderr is not None
    line = next(line for line in server.stderr if " serves " in line)
    return int(line.split(" serves ")[1].split()[0].rpartition(":")[2])
