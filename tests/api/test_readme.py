"""README's code: every block runs, in its order, on one server.

A block of the kind ``text`` is a drawing or an output, one of the kind ``shell`` needs a container
engine (``tests/unit/test_deploy.py``); any other one runs as it stands, but for the server's
address. What `make` would do is only printed, for it builds and serves.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.api.served import Server

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
ADDRESS = "localhost:6333"  # of the server in README
SECONDS = 600
# curl takes a refusal for a success, and stops a script only when it is told to
CURL = 'set -e\ncurl() { command curl --fail-with-body --silent --show-error "$@"; }\n'
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One block of code, and the line of README it begins on."""

    line: int
    language: str
    code: str


def blocks() -> list[Block]:
    return [
        Block(README.count("\n", 0, found.start()) + 1, found[1], found[2])
        for found in _BLOCK.finditer(README)
    ]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "data")
    server.wait_until_ready()
    yield server
    server.stop()


def run(block: Block, address: str, folder: Path) -> str:
    """Run a block as a program of its own and return what it prints."""
    code = block.code.replace(ADDRESS, address)
    if block.language == "python":
        script = folder / f"line{block.line}.py"
        script.write_text(code)
        command = [sys.executable, "-W", "error::UserWarning", str(script)]
    else:
        command = ["sh", "-c", CURL + code]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "MAKEFLAGS": "n", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"README, line {block.line}: {done.stdout}{done.stderr}"
    return done.stdout


def labelled(line: str) -> str:
    """What a line says on any Python: the passages found are of the one that runs."""
    return line if line.startswith("verdict:") else line.partition(":")[0]


@pytest.mark.skipif(shutil.which("curl") is None, reason="README's blocks need curl")
def test_every_block_runs_in_order(server: Server, tmp_path: Path) -> None:
    told = {
        block.line: run(block, f"127.0.0.1:{server.port}", tmp_path)
        for block in blocks()
        if block.language not in ("text", "shell")
    }
    assert all(printed.strip() for printed in told.values())
    (upgrade,) = (text for text in told.values() if text.startswith("before:"))
    answers = dict(re.findall(r"^(before|bridged|after): (.+)$", upgrade, re.MULTILINE))
    assert all(len(names.split()) == 3 for names in answers.values())
    assert answers["before"] != answers["bridged"]
    assert "logging.Filterer.addFilter" in answers["after"]
    (printed,) = (block.code for block in blocks() if block.code.startswith("before:"))
    assert [*map(labelled, printed.splitlines())] == [*map(labelled, upgrade.splitlines())]


def test_every_block_says_what_it_is() -> None:
    found = blocks()
    assert len(found) * 2 == len(re.findall(r"^```", README, re.MULTILINE))
    assert {block.language for block in found} == {"sh", "shell", "python", "text"}


def test_every_make_target_that_is_named_exists() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"`make ([a-z]+)[ `]", README)
    assert named and set(named) <= set(targets)


def test_parts_of_readme_that_are_linked_exist() -> None:
    headings = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    places = {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings}
    links = re.findall(r"\]\(#([^)]+)\)", README)
    assert links and set(links) <= places
