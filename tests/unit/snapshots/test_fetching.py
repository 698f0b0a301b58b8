"""Snapshots are fetched from servers that were named, at addresses that were looked at."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from palimpsest.app.errors import Refusal
from palimpsest.app.snapshots import fetching
from palimpsest.app.snapshots.fetching import fetch, may_be_asked, resolved
from palimpsest.app.wire.servers import Origin
from palimpsest.index import Incoming, StoreFailed
from palimpsest.index.storage.reserve import anything

TEXT = b"a snapshot" * 500


class Answers(BaseHTTPRequestHandler):
    """Answers by the path; notes what it was asked with."""

    seen: list[tuple[str, str | None, str | None]] = []
    still = threading.Event()  # until when one says nothing

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers.get("api-key"), self.headers.get("host")))
        if self.path.startswith("/away"):
            self.send_response(302)
            self.send_header("location", "/whole")
            self.end_headers()
            return
        if self.path.startswith("/still"):
            self.close_connection = self.still.wait(30)
            return
        self.send_response(200 if "/whole" in self.path or "/short" in self.path else 404)
        more = 5 if "/short" in self.path else 0
        self.send_header("content-length", str(len(TEXT) + more))
        self.end_headers()
        self.wfile.write(TEXT)

    def log_message(self, *_: Any) -> None:
        return None


@contextmanager
def answering() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        Answers.still.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with answering() as port:
        yield port


def fetched(url: str, allowed: tuple[str, ...], tmp_path: Path, most: int = 10_000) -> bytes:
    with Incoming(tmp_path / "x", anything) as file:
        fetch(url, "key", allowed, file, most)
    return (tmp_path / "x").read_bytes()


def test_one_is_fetched_with_the_key(port: int, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{port}/whole?x=%20y"
    assert fetched(url, (f"http://127.0.0.1:{port}",), tmp_path) == TEXT
    assert Answers.seen[-1] == ("/whole?x=%20y", "key", f"127.0.0.1:{port}")


def test_what_is_not_on_the_list_is_not_asked(port: int, tmp_path: Path) -> None:
    before = len(Answers.seen)
    for allowed in (
        (),
        ("http://127.0.0.1:1",),
        (f"https://127.0.0.1:{port}",),
        ("http://127.0.0.1",),
    ):
        with pytest.raises(Refusal, match="PALIMPSEST_SNAPSHOT_ORIGINS"):
            fetched(f"http://127.0.0.1:{port}/whole", allowed, tmp_path)
        (tmp_path / "x").unlink()
    assert len(Answers.seen) == before


@pytest.mark.parametrize("path", ["away", "missing", "short"])
def test_what_is_no_snapshot(path: str, port: int, tmp_path: Path) -> None:
    before = len(Answers.seen)
    with pytest.raises(Refusal, match="could not be fetched"):
        fetched(f"http://127.0.0.1:{port}/{path}", (f"http://127.0.0.1:{port}",), tmp_path)
    assert len(Answers.seen) == before + 1  # no redirect was followed


def test_one_that_is_too_large(port: int, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="PALIMPSEST_SNAPSHOT_LIMIT"):
        fetched(f"http://127.0.0.1:{port}/whole", (f"http://127.0.0.1:{port}",), tmp_path, 4_999)


def test_a_stop_ends_the_wait_for_a_server_that_says_nothing(port: int, tmp_path: Path) -> None:
    url, began = f"http://127.0.0.1:{port}", time.monotonic()
    with Incoming(tmp_path / "x", anything) as file:
        timer = threading.Timer(0.1, file.stop)
        timer.start()
        with pytest.raises(StoreFailed, match="being stopped"):
            fetch(f"{url}/still", None, (url,), file, 10_000)
        timer.join()
        with pytest.raises(StoreFailed, match="being stopped"):  # nor is another one asked
            fetch(f"{url}/still", None, (url,), file, 10_000)
    assert time.monotonic() - began < 20


def test_one_that_comes_too_slowly(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "LATE_SECONDS", 0.0)
    monkeypatch.setattr(fetching, "SLOWEST", 1e12)
    with pytest.raises(Refusal, match="too slowly"):
        fetched(f"http://127.0.0.1:{port}/whole", (f"http://127.0.0.1:{port}",), tmp_path)


@pytest.mark.parametrize(
    ("host", "address", "may"),
    [
        ("backup.example", "93.184.216.34", True),
        ("backup.internal", "10.1.2.3", True),
        ("backup.internal", "fd00::1", True),
        ("evil.example", "127.0.0.1", False),
        ("evil.example", "127.8.8.8", False),
        ("evil.example", "::1", False),
        ("evil.example", "::ffff:127.0.0.1", False),
        ("evil.example", "169.254.169.254", False),
        ("evil.example", "::ffff:169.254.169.254", False),
        ("evil.example", "fe80::1%eth0", False),
        ("evil.example", "0.0.0.0", False),
        ("evil.example", "224.0.0.1", False),
        ("evil.example", "240.0.0.1", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "::1", True),
        ("localhost", "127.0.0.1", True),
        ("localhost", "10.0.0.1", False),
        ("10.0.0.1", "127.0.0.1", False),
    ],
)
def test_which_addresses_a_host_may_have(host: str, address: str, may: bool) -> None:
    assert may_be_asked(host, address) is may


def test_a_name_is_looked_up_once_and_all_its_addresses_count(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        found = ["93.184.216.34"] if host == "one.example" else ["93.184.216.34", "127.0.0.1"]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    connected: list[Any] = []

    def connect(address: Any, timeout: float) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError("nobody")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket, "create_connection", connect)
    assert resolved(Origin("http", "one.example", 80)) == "93.184.216.34"
    with pytest.raises(Refusal, match=r"127\.0\.0\.1"):
        resolved(Origin("http", "two.example", 80))
    asked.clear()
    with pytest.raises(Refusal, match="nobody"):
        fetched("http://one.example/x", ("http://one.example",), tmp_path)
    assert asked == ["one.example"] and connected == [("93.184.216.34", 80)]
