"""A server listens while it opens, drains when it is asked to stop, and ends."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from palimpsest.app.health.life import Stage
from palimpsest.app.health.serving import Server
from palimpsest.app.main import create_app
from palimpsest.app.server import server_config
from palimpsest.app.settings import Settings
from palimpsest.index import Collection, CollectionConfig, Database, StoreFailed
from tests.api.served import free_port

SECONDS = 30


def wait_for(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def running(data: Path, **settings: Any) -> Iterator[tuple[Server, httpx.Client]]:
    """A server in a thread of this process, which hears no signals."""
    chosen = Settings(data=data, port=free_port(), threads=1, **settings)
    app = create_app(chosen, opens=False)
    server = Server(server_config(app, chosen), app.context)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started)
        with httpx.Client(base_url=f"http://127.0.0.1:{chosen.port}", timeout=SECONDS) as client:
            yield server, client
    finally:
        server.should_exit = True
        thread.join(SECONDS)
    assert not thread.is_alive()


def opened(http: httpx.Client) -> bool:
    return http.get("/readyz").status_code == 200


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Databases are opened once it is set."""
    held, real = threading.Event(), Database.open

    def wait_and_open(*args: Any, **kwargs: Any) -> Database:
        assert held.wait(SECONDS)
        return real(*args, **kwargs)

    monkeypatch.setattr(Database, "open", wait_and_open)
    yield held
    held.set()


def test_probes_are_answered_while_it_opens(tmp_path: Path, gate: threading.Event) -> None:
    with running(tmp_path) as (_, http):
        assert http.get("/livez").status_code == http.get("/healthz/").status_code == 200
        reply = http.get("/readyz")
        assert (reply.status_code, reply.text) == (
            503,
            "not ready: the collections are being opened",
        )
        verbose = http.get("/readyz?verbose")
        assert verbose.status_code == 503
        assert verbose.json()["result"]["opened"] is False
        query = ("POST", "/collections/c/points/query")
        assert "palimpsest_ready 0" in http.get("/metrics").text  # which tells how far it is
        for method, path in (("GET", "/"), ("GET", "/collections"), query):
            reply = http.request(method, path, json={"query": [1]} if method == "POST" else None)
            assert reply.status_code == 503
            assert "are being opened" in reply.json()["status"]["error"]
            assert int(reply.headers["retry-after"]) > 0
        gate.set()
        wait_for(lambda: opened(http))
        assert http.get("/collections").status_code == 200


def test_how_far_it_has_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        with Database.open(tmp_path) as database:
            database.create(name, CollectionConfig({}))
    held, real = threading.Event(), Collection.__init__

    def open_slowly(self: Collection, name: str, *args: Any, **kwargs: Any) -> None:
        assert name == "a" or held.wait(SECONDS)
        real(self, name, *args, **kwargs)

    monkeypatch.setattr(Collection, "__init__", open_slowly)
    with running(tmp_path) as (_, http):
        text = "not ready: the collections are being opened (1 of 2 so far)"
        wait_for(lambda: http.get("/readyz").text == text)
        held.set()
        wait_for(lambda: opened(http))


def test_what_cannot_be_opened_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise StoreFailed("Could not open it: odd")

    monkeypatch.setattr(Database, "open", fail)
    with running(tmp_path) as (server, _):
        wait_for(lambda: server.should_exit)
    assert server.failed
    assert [one.getMessage() for one in caplog.records if one.levelname == "ERROR"] == [
        "Could not open it: odd"
    ]
    assert not any(one.exc_info for one in caplog.records)


def test_it_serves_on_while_it_drains_and_says_that_it_is_not_ready(tmp_path: Path) -> None:
    with running(tmp_path, drain_seconds=600) as (server, http):
        wait_for(lambda: opened(http))
        server.handle_exit(signal.SIGTERM, None)
        reply = http.get("/readyz")
        assert (reply.status_code, "asked to stop" in reply.text) == (503, True)
        assert http.get("/livez").status_code == 200
        assert http.get("/readyz?verbose").json()["result"]["draining"] is True
        assert "palimpsest_ready 0.0" in http.get("/metrics").text
        assert http.get("/collections").status_code == 200
        server._drained_at = time.monotonic()
        wait_for(lambda: server.should_exit or not server.servers[0].is_serving())


def test_requests_under_way_end_while_others_are_refused(tmp_path: Path) -> None:
    with running(tmp_path) as (server, http):
        wait_for(lambda: opened(http))
        context, begun, free = server._context, threading.Event(), threading.Event()

        def read() -> list[str]:
            begun.set()
            assert free.wait(SECONDS)
            return []

        http.put("/collections/c", json={"vectors": {"size": 1, "distance": "Dot"}})
        context.database.drop = lambda _: read() or True  # type: ignore[method-assign]
        replies: list[httpx.Response] = []
        slow = threading.Thread(
            target=lambda: replies.append(httpx.delete(f"{http.base_url}/collections/c"))
        )
        slow.start()
        assert begun.wait(SECONDS)
        server.handle_exit(signal.SIGTERM, None)
        wait_for(lambda: context.life.stage is Stage.ENDING)
        assert http.get("/readyz").status_code == 503
        refused = http.get("/collections")
        assert (refused.status_code, refused.headers["connection"]) == (503, "close")
        free.set()
        slow.join(SECONDS)
        assert [reply.status_code for reply in replies] == [200]


@pytest.mark.parametrize(
    ("stage", "status"), [(Stage.OPENING, 0), (Stage.DRAINING, 143), (Stage.ENDING, 143)]
)
def test_when_it_ends_at_once(
    stage: Stage, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []

    def leave(code: int) -> None:
        ended.append(code)
        raise SystemExit

    monkeypatch.setattr("os._exit", leave)
    chosen = Settings(data=tmp_path)
    app = create_app(chosen, opens=False)
    app.context.life.enter(stage)
    with pytest.raises(SystemExit):
        Server(server_config(app, chosen), app.context).handle_exit(signal.SIGTERM, None)
    assert ended == [status]
