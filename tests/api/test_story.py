"""`palimpsest demo`: the story is told to its end, on a real server that ends with it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from palimpsest.app.cli import main
from palimpsest.app.demo import MIN_PASSAGES
from tests.api.served import free_port

SECONDS = 120
SMALL = ["--passages", "1500"]
FEWEST = str(MIN_PASSAGES)
STEPS = ["v1 alone", "bridged", "10% by demand", "50% by demand", "100% by demand", "v2 alone"]


def test_the_story_is_told_and_its_numbers_are_true() -> None:
    port = free_port()
    told = _demo("--exit", "--port", str(port), *SMALL)
    assert told.returncode == 0, told.stderr
    assert told.stderr == ""
    rows = re.findall(r"^(\w.+?) {2,}(\d+)% +(0\.\d+) +(0\.\d+) +(0\.\d+) ", told.stdout, re.M)
    assert [row[0] for row in rows] == STEPS
    assert [int(row[1]) for row in rows] == [0, 0, 10, 50, 100, 100]
    requests = [float(row[2]) for row in rows]
    assert requests[0] < requests[1] < requests[-1]
    assert rows[-2][2:] == rows[-1][2:]  # activation and the drop change no answer
    example = told.stdout.partition("One question")[2].splitlines()
    right = re.search(r"\(right: (.+)\)$", example[1])
    assert right is not None
    shown = [line.rpartition("  ")[2].strip().split(", ") for line in example[2:5]]
    assert right[1] not in shown[0] and right[1] in shown[1] and right[1] == shown[2][0]
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/readyz")


def test_it_goes_on_serving_a_directory_until_interrupted_and_refuses_it_the_second_time(
    tmp_path: Path,
) -> None:
    port = free_port()
    command = _command("--port", str(port), "--data", str(tmp_path), "--passages", FEWEST)
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert demo.stdout is not None
        line = next(line for line in demo.stdout if "Ctrl-C ends it" in line)
        assert f"http://127.0.0.1:{port}/docs" in line
        place = f"http://127.0.0.1:{port}/collections/docstrings"
        (version,) = httpx.get(f"{place}/versions").json()["result"]["versions"]
        assert (version["version"], version["state"], version["coverage"]) == ("v2", "active", 1)
        near = httpx.post(f"{place}/points/query", json={"query": 0, "limit": 3})
        assert len(near.json()["result"]["points"]) == 3
        demo.send_signal(signal.SIGINT)
        assert demo.wait(SECONDS) == 0
    finally:
        demo.kill()
        demo.communicate()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/readyz")
    again = _demo("--exit", "--data", str(tmp_path), "--passages", FEWEST)
    assert again.returncode == 1
    assert "holds a collection docstrings already" in again.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle_it_takes_its_server_along(how: signal.Signals) -> None:
    port = free_port()
    demo = subprocess.Popen(
        _command("--port", str(port), "--passages", FEWEST), stdout=subprocess.PIPE, text=True
    )
    try:
        assert demo.stdout is not None
        next(line for line in demo.stdout if "A server runs on" in line)
        demo.send_signal(how)
        demo.communicate(timeout=SECONDS)
        assert demo.returncode == (130 if how == signal.SIGINT else 0)
    finally:
        demo.kill()
        demo.communicate()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/readyz")


def test_too_few_passages_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["demo", "--passages", "5"])
    assert left.value.code == 2
    assert "at least 300" in capsys.readouterr().err


def test_a_taken_port_is_refused_before_anything_is_asked_of_who_listens_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        taken.setblocking(False)
        port = taken.getsockname()[1]
        refused = _demo("--exit", "--port", str(port), "--passages", FEWEST)
        with pytest.raises(BlockingIOError):
            taken.accept()
    assert refused.returncode == 1
    assert f"127.0.0.1:{port}" in refused.stderr
    assert "--port" in refused.stderr


def _demo(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(*options), capture_output=True, text=True, timeout=SECONDS, check=False
    )


def _command(*options: str) -> list[str]:
    return [sys.executable, "-m", "palimpsest.app.cli", "demo", *options]
