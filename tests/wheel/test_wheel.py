"""A wheel installs and serves in a clean environment, without a compiler and without this tree.

``make wheel`` makes the wheels; each is tried with the interpreter that it is for, of those that
``PALIMPSEST_PYTHONS`` names or that are found by name.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from tests.api.served import free_port
from tests.image.asking import ROWS

FOLDER = os.environ.get("PALIMPSEST_WHEELS")
WHEELS = sorted(Path(FOLDER).glob("*.whl")) if FOLDER else []
PYTHONS = os.environ.get("PALIMPSEST_PYTHONS", "").split()
ASKING = Path(__file__).parents[1] / "image" / "asking.py"
START_SECONDS = 60

pytestmark = pytest.mark.skipif(not FOLDER, reason="PALIMPSEST_WHEELS names no folder of wheels")


def interpreter(wheel: Path) -> str:
    """Return an interpreter that a wheel is for, or skip."""
    tag = re.search(r"-cp3(\d+)-", wheel.name)
    assert tag is not None
    version = f"3.{tag[1]}"
    for command in [*PYTHONS, f"python{version}"]:
        asked = [command, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        try:
            told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            continue
        if told.strip() == version:
            return command
    pytest.skip(f"there is no Python {version}")


def test_there_are_wheels() -> None:
    assert WHEELS, f"no wheel in {FOLDER}: make wheel"


@pytest.mark.parametrize("wheel", WHEELS, ids=[wheel.name for wheel in WHEELS])
def test_a_wheel_serves(wheel: Path, tmp_path: Path) -> None:
    assert wheel.name.endswith("-manylinux_2_28_x86_64.whl")
    venv = tmp_path / "venv"
    subprocess.run([interpreter(wheel), "-m", "venv", venv], check=True)
    install = [venv / "bin/pip", "install", "--quiet", "--only-binary", ":all:", wheel.resolve()]
    # Of this machine only its way to a package index: a PATH without a compiler, no PYTHONPATH.
    reach = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    clean = {**reach, "PATH": str(venv / "bin"), "HOME": str(tmp_path)}
    assert shutil.which("g++", path=clean["PATH"]) is None
    subprocess.run(install, check=True, env=clean, cwd=tmp_path)
    where = "import palimpsest.app, palimpsest.index; print(palimpsest.index.__file__)"
    python = str(venv / "bin/python")
    run = {"env": clean, "cwd": tmp_path, "check": True}
    told = subprocess.run([python, "-c", where], capture_output=True, text=True, **run).stdout
    assert Path(told.strip()).is_relative_to(venv)
    serve(venv, clean, tmp_path)


def serve(venv: Path, environment: dict[str, str], folder: Path) -> None:
    """Serve, write, read, and end."""
    port = free_port()
    given = {**environment, "PALIMPSEST_PORT": str(port), "PALIMPSEST_API_KEY": "k" * 32}
    server = subprocess.Popen([venv / "bin/palimpsest", "serve"], env=given, cwd=folder)
    try:
        probe = [venv / "bin/python", "-m", "palimpsest.app.health.probe"]
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run(probe, env=given, cwd=folder, capture_output=True).returncode != 0:
            assert server.poll() is None and time.monotonic() < deadline
            time.sleep(0.2)
        for what in ("write", "read"):
            command = [venv / "bin/python", ASKING, what]
            subprocess.run(command, env=given, cwd=folder, check=True)
        url = f"http://127.0.0.1:{port}/collections/pets"
        asked = urllib.request.Request(url, headers={"api-key": "k" * 32})
        with urllib.request.urlopen(asked, timeout=30) as reply:
            assert json.load(reply)["result"]["points_count"] == ROWS
        server.terminate()
        assert server.wait(10) == 0
    finally:
        server.kill()
