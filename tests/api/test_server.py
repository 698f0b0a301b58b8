"""The process: starting, stopping, restarting, several at once."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from palimpsest.app.cli import main
from tests import forking
from tests.api.replies import result
from tests.api.served import Server, free_port


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_points_outlive_the_process(how: int, tmp_path: Path) -> None:
    first = Server(tmp_path / "data")
    answers: list[Any] = []
    try:
        first.wait_until_ready()
        create = {"vectors": {"size": 2, "distance": "Dot"}, "metadata": {"a": 1}}
        result(httpx.put(f"{first.url}/collections/kept", json=create))
        points = [{"id": i, "vector": [i, 1], "payload": {"i": i}} for i in range(50)]
        path = "/collections/kept/points"
        result(httpx.put(f"{first.url}{path}", json={"points": points}))
        query = {"query": [1, 2], "with_payload": True, "with_vector": True}
        answers.append(result(httpx.post(f"{first.url}{path}/query", json=query)))
        config = result(httpx.get(f"{first.url}/collections/kept"))["config"]
        assert first.stop(how) == (0 if how != signal.SIGKILL else -signal.SIGKILL)
        second = Server(tmp_path / "data")
        try:
            second.wait_until_ready()
            answers.append(result(httpx.post(f"{second.url}{path}/query", json=query)))
            assert result(httpx.get(f"{second.url}/collections/kept"))["config"] == config
            assert second.stop() == 0
        finally:
            second.process.kill()
            second.process.wait()
    finally:
        first.process.kill()
        first.process.wait()
    assert answers[0] == answers[1]
    assert len(answers[0]["points"]) == 10


def test_a_served_directory_is_refused(server: Server) -> None:
    second = forking.run("serve", "--data", str(server.data), "--port", str(free_port()))
    assert second.returncode != 0
    assert "is served by another process" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_taken_port_is_refused(server: Server, tmp_path: Path) -> None:
    second = forking.run("serve", "--data", str(tmp_path), "--port", str(server.port))
    assert second.returncode != 0
    assert "address already in use" in second.stderr


def test_wrong_settings_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--port", "70000"]) == 2
    assert "--port: Input should be" in capsys.readouterr().err
    assert main(["serve", "--log-level", "loud"]) == 2
    assert "--log-level: Input should be" in capsys.readouterr().err


def test_settings_by_environment(tmp_path: Path) -> None:
    running = Server(tmp_path, PALIMPSEST_TITLE="another", PALIMPSEST_VERSION="1.19.0")
    try:
        running.wait_until_ready()
        assert httpx.get(running.url).json() == {"title": "another", "version": "1.19.0"}
    finally:
        running.process.kill()
        running.process.wait()


def test_a_fault_of_the_memory_is_told_in_the_log(tmp_path: Path) -> None:
    running = Server(tmp_path / "data", stderr=subprocess.PIPE)
    try:
        running.wait_until_ready()
        running.process.send_signal(signal.SIGBUS)
        assert running.process.stderr is not None
        with running.process.stderr as stderr:
            log = stderr.read()  # to its end
        assert running.process.wait(60) == -signal.SIGBUS
        assert b"Fatal Python error: Bus error" in log
    finally:
        running.process.kill()
        running.process.wait()
