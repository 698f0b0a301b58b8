"""What a server says of its own health: at start, to probes, of damaged collections."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from qdrant_client import QdrantClient

from palimpsest.app.release import RELEASE
from tests import forking
from tests.api.replies import refused, result
from tests.api.served import START_SECONDS, Server, serving
from tests.damage import change

DROP, OVERRIDE, READ_SEARCH = 24, 1, 2  # of prctl: of the capabilities that let root write anywhere
GOOD, BAD, WORSE = "good", "bad", "worse\nfar"


@contextmanager
def asked(
    data: Path, setup: Callable[[], None] | None = None, **environment: str
) -> Iterator[httpx.Client]:
    """A client of a running server, which may never become ready."""
    running = Server(data, setup=setup, **environment)
    try:
        running.wait_until_open()
        with httpx.Client(base_url=running.url, timeout=START_SECONDS) as http:
            yield http
        assert running.stop() == 0
    finally:
        running.process.kill()
        running.process.wait()


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a whole collection, one that lost a segment, and one without a readable store."""
    data = tmp_path_factory.mktemp("damaged")
    with serving(data) as server, httpx.Client(base_url=server.url) as http:
        for name in (GOOD, BAD, WORSE):
            body = {"vectors": {"size": 3, "distance": "Dot"}, "metadata": {"of": name}}
            result(http.put(f"/collections/{quoted(name)}", json=body))
            points = [{"id": n, "vector": [n, 1, 2]} for n in range(7)]
            where = f"/collections/{quoted(name)}/points?wait=true"
            result(http.put(where, json={"points": points}))
        aliases = [{"create_alias": {"collection_name": BAD, "alias_name": "other"}}]
        result(http.post("/collections/aliases", json={"actions": aliases}))
    for name, statement in ((BAD, "UPDATE staged SET crc32 = crc32 + 1"), (WORSE, None)):
        store = data / "collections" / name / "store.sqlite3"
        if statement is None:
            store.write_bytes(b"not a database at all" * 100)
            continue
        connection = sqlite3.connect(store)
        connection.execute(statement)
        connection.commit()
        connection.close()
    return data


def quoted(name: str) -> str:
    return name.replace("\n", "%0A")


def start(
    data: Path, *flags: str, setup: Callable[[], None] | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a server that is expected to end by itself."""
    arguments = ["serve", "--data", str(data), *flags]
    if setup is None:
        return forking.run(*arguments, **environment)
    return subprocess.run(
        [sys.executable, "-m", "palimpsest.app.cli", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
        preexec_fn=setup,
    )


def test_a_damaged_collection_is_red_and_the_others_are_served(damaged: Path) -> None:
    with asked(damaged) as http:
        assert http.get("/readyz").text == "all shards are ready"
        assert result(http.get(f"/collections/{GOOD}"))["status"] == "green"
        for name in (BAD, "other", f"{BAD}@v1"):
            told = result(http.get(f"/collections/{name}"))
            assert told["status"] == "red"
            assert "is damaged" in told["optimizer_status"]["error"]
            assert told["config"]["params"]["vectors"]["size"] == 3
            assert told["config"]["metadata"] == {"of": BAD}
            assert told["points_count"] == 7
        told = result(http.get(f"/collections/{quoted(WORSE)}"))
        assert (told["status"], told["points_count"]) == ("red", None)
        assert "cannot be read either" in told["warnings"][0]["message"]
        text = refused(http.post(f"/collections/{BAD}/points/count", json={}), 500)
        assert "is damaged" in text
        client = QdrantClient(url=str(http.base_url), timeout=START_SECONDS)
        assert client.get_collection(BAD).status == "red"
        client.close()


def test_damage_shows_in_the_verbose_form_and_in_metrics(damaged: Path) -> None:
    with asked(damaged) as http:
        for query in ("verbose", "verbose=1", "verbose=true"):
            reply = http.get(f"/readyz?{query}")
            checks = result(reply)
            assert (checks["ready"], checks["why"]) == (True, None)
            assert (checks["opened"], checks["draining"]) == (True, False)
            assert checks["collections"] == {"total": 3, "green": 1, "red": 2}
            assert set(checks["damaged"]) == set(checks["refusing_writes"]) == {BAD, WORSE}
            assert checks["damaged_aliases"] is None
            assert checks["disk_free_bytes"] > 0
            assert (checks["store_writable"], checks["store_trouble"]) == (True, None)
        assert "checks" not in http.get("/readyz?verbose=false").text
        told = result(http.get("/telemetry"))["collections"]
        assert told["number_of_collections"] == len(told["collections"]) == 3
        assert sum(each["optimizers_status"] == "ok" for each in told["collections"]) == 1
        shown = http.get("/metrics").text.splitlines()
        for line in (
            "palimpsest_ready 1.0",
            "palimpsest_damaged 2.0",
            f'palimpsest_collection_status{{collection="{BAD}",status="red"}} 1.0',
            f'palimpsest_collection_status{{collection="{GOOD}",status="red"}} 0.0',
            f'palimpsest_collection_status{{collection="{GOOD}",status="green"}} 1.0',
            f'palimpsest_collection_refuses_writes{{collection="{BAD}"}} 1.0',
            f'palimpsest_collection_refuses_writes{{collection="{GOOD}"}} 0.0',
        ):
            assert line in shown


def test_a_strict_server_is_not_ready_with_a_damaged_collection(damaged: Path) -> None:
    with asked(damaged, PALIMPSEST_READY="strict") as http:
        for path in ("/readyz", "/readyz?verbose"):
            reply = http.get(path)
            assert reply.status_code == 503
            assert "2 collections cannot be opened" in reply.text
        assert result(http.get(f"/collections/{GOOD}"))["status"] == "green"
        for name in (BAD, quoted(WORSE)):
            assert http.get(f"/collections/{name}/exists").json()["result"]["exists"]


def test_no_collection_that_can_be_read_is_not_ready(damaged: Path, tmp_path: Path) -> None:
    shutil.copytree(damaged, tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "collections" / GOOD)
    with asked(tmp_path / "data") as http:
        reply = http.get("/readyz")
        assert reply.status_code == 503
        assert "no collection can be read" in reply.text
        assert http.get("/livez").status_code == 200
        for name in (BAD, quoted(WORSE)):
            result(http.delete(f"/collections/{name}"))
        assert http.get("/readyz").status_code == 200


def test_damage_that_a_read_meets_turns_a_collection_red(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        body = {"vectors": {"size": 1, "distance": "Dot"}}
        result(httpx.put(f"{server.url}/collections/a", json=body))
        points = [{"id": n, "vector": [1]} for n in range(3)]
        where = f"{server.url}/collections/a/points"
        result(httpx.put(f"{where}?wait=true", json={"points": points}))
    store = tmp_path / "collections" / "a" / "store.sqlite3"
    assert change(store, "UPDATE points SET payload = ? WHERE number = ?", 7, 1)
    with asked(tmp_path) as http:
        assert result(http.get("/collections/a"))["status"] == "green"
        for path in ("/collections/a", "/collections/a@v1"):
            text = refused(http.get(f"{path}/points/1"), 500)
            told = result(http.get("/collections/a"))
            assert (told["status"], told["optimizer_status"]) == ("red", {"error": text})
        assert http.get("/readyz").status_code == 200
        assert result(http.get("/readyz?verbose"))["collections"] == {"total": 1, "red": 1}


def test_the_start_is_logged(damaged: Path) -> None:
    running = Server(damaged, stderr=subprocess.PIPE)
    try:
        running.wait_until_open()
        assert running.stop() == 0
        lines = running.process.communicate()[1].decode().splitlines()
    finally:
        running.process.kill()
        running.process.wait()
    (told,) = [line for line in lines if f"palimpsest {RELEASE} serves" in line]
    assert " INFO " in told
    assert f" {running.url} from {damaged}: 3 collections: 'good' (7 points), 2 more" in told
    errors = [line for line in lines if " ERROR " in line]
    assert len(errors) == 2
    assert "'bad' cannot be" in errors[0] and "'worse\\nfar' cannot be" in errors[1]
    assert all("store.sqlite3" in line for line in errors)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(how: signal.Signals, tmp_path: Path) -> None:
    with serving(tmp_path, PALIMPSEST_DRAIN_SECONDS="600") as running:
        running.process.send_signal(how)
        assert httpx.get(f"{running.url}/livez").status_code == 200
        while httpx.get(f"{running.url}/readyz").status_code == 200:
            pass
        assert result(httpx.get(f"{running.url}/collections")) == {"collections": []}
        running.process.send_signal(how)
        assert running.process.wait(START_SECONDS) == 128 + how
        running.process.returncode = 0  # which `serving` asks for


def test_our_own_version_everywhere_but_at_the_root(http: httpx.Client) -> None:
    assert result(http.get("/telemetry"))["app"]["version"] == RELEASE
    assert http.get("/openapi.json").json()["info"]["version"] == RELEASE
    assert f'version="{RELEASE}"}} 1.0' in http.get("/metrics").text
    assert http.get("/").json()["version"] != RELEASE


def test_a_data_folder_that_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("kept")
    ended = start(file, "--port", "0")
    assert ended.returncode == 1
    assert str(file) in ended.stderr and "Traceback" not in ended.stderr
    assert file.read_text() == "kept"


def test_a_taken_port_touches_nothing(server: Server, tmp_path: Path) -> None:
    ended = start(tmp_path / "new", "--port", str(server.port))
    assert ended.returncode == 1
    assert "address already in use" in ended.stderr and "Traceback" not in ended.stderr
    assert not (tmp_path / "new").exists()


def test_a_host_that_there_is_not(tmp_path: Path) -> None:
    ended = start(tmp_path, "--host", "no.such.host.invalid", PALIMPSEST_API_KEY="k" * 32)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr


def test_no_home_and_no_folder_yet(tmp_path: Path) -> None:
    environment: dict[str, Any] = {"HOME": "/nowhere/at/all"}
    with serving(tmp_path / "a" / "b", **environment) as running:
        assert result(httpx.get(f"{running.url}/collections")) == {"collections": []}


def obey_permissions() -> None:
    """Let root be held to the permissions of files, as others are; for the program run next."""
    if os.getuid() == 0:
        libc = ctypes.CDLL(None)
        for capability in (OVERRIDE, READ_SEARCH):
            assert libc.prctl(DROP, capability, 0, 0, 0) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="drops capabilities of Linux")
def test_folders_that_cannot_be_written(damaged: Path, tmp_path: Path) -> None:
    empty, held = tmp_path / "empty", tmp_path / "held"
    empty.mkdir(mode=0o555)
    shutil.copytree(damaged, held)
    everything = [held, *held.rglob("*")]
    for each in everything:
        each.chmod(0o555 if each.is_dir() else 0o444)
    try:
        for data in (empty, empty / "below"):
            ended = start(data, "--port", "0", setup=obey_permissions)
            assert ended.returncode == 1
            assert "Permission denied" in ended.stderr and "Traceback" not in ended.stderr
            assert str(data) in ended.stderr
        assert list(empty.iterdir()) == []
        with asked(held, obey_permissions) as http:
            good = f"/collections/{GOOD}"
            assert (
                result(http.get(good))["points_count"]
                == result(http.post(f"{good}/points/count", json={}))["count"]
            )
            point = {"points": [{"id": 1, "vector": [1, 2, 3]}]}
            space = {"vectors": {"size": 3, "distance": "Dot"}}
            refused = http.put(f"{good}/points?wait=true", json=point)
            assert refused.status_code == 507
            assert "takes no writes" in refused.json()["status"]["error"]
            refused = http.put("/collections/more", json=space)
            assert refused.status_code == 500
            assert "read and write the data folder" in refused.json()["status"]["error"]
        assert [held, *held.rglob("*")] == everything
    finally:
        for each in everything:
            each.chmod(0o755 if each.is_dir() else 0o644)
