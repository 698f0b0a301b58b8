"""The code of README and of the documents: every block of a page runs, in its order, on one server.

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
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHOWN = {
    "README.md",
    "versions.md",
    "collections.md",
    "embedders.md",
    "multivectors.md",
    "operate.md",
}  # have blocks that run
ADDRESS = "localhost:6333"  # of the server in them
SECONDS = 600
# curl takes a refusal for a success, and stops a script only when it is told to
CURL = 'set -e\ncurl() { command curl --fail-with-body --silent --show-error "$@"; }\n'
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """One block of code, and the line of its page it begins on."""

    page: str
    line: int
    language: str
    code: str


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(page.name, text.count("\n", 0, found.start()) + 1, found[1], found[2])
        for found in _BLOCK.finditer(text)
    ]


def are_run(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.language not in ("text", "shell")]


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
        env={
            **os.environ,
            "MAKEFLAGS": "n",
            "PYTHONPATH": str(ROOT),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # `palimpsest`
            "XDG_STATE_HOME": str(folder),
        },
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{block.page}, line {block.line}: {done.stdout}{done.stderr}"
    return done.stdout


def labelled(line: str) -> str:
    """What a line says on any Python: the passages found are of the one that runs."""
    return line if line.startswith("verdict:") else line.partition(":")[0]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the blocks need curl")
@pytest.mark.parametrize("page", [page for page in PAGES if are_run(page)], ids=lambda p: p.name)
def test_every_block_runs_in_order(page: Path, server: Server, tmp_path: Path) -> None:
    told = [run(block, f"127.0.0.1:{server.port}", tmp_path) for block in are_run(page)]
    assert all(printed.strip() for printed in told)
    shown = [block.code for block in blocks(page) if block.language == "text"]
    if page.name == "versions.md":
        check_upgrade(*told, *shown)
    if page.name == "multivectors.md":
        assert told == shown


def check_upgrade(upgrade: str, printed: str) -> None:
    """Hold what the script of an upgrade printed against what the page says that it prints."""
    answers = dict(re.findall(r"^(before|bridged|after): (.+)$", upgrade, re.MULTILINE))
    assert all(len(names.split()) == 3 for names in answers.values())
    assert answers["before"] != answers["bridged"]
    assert "logging.Filterer.addFilter" in answers["after"]
    assert [*map(labelled, printed.splitlines())] == [*map(labelled, upgrade.splitlines())]


def test_every_block_says_what_it_is() -> None:
    assert {page.name for page in PAGES if are_run(page)} == SHOWN
    for page in PAGES:
        found = blocks(page)
        assert len(found) * 2 == len(re.findall(r"^```", page.read_text(), re.MULTILINE))
        assert {block.language for block in found} <= {"sh", "shell", "python", "text"}


def test_the_readme_can_be_read_in_one_sitting() -> None:
    assert len(README.splitlines()) <= 200


def test_every_make_target_that_is_named_exists() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"`make ([a-z]+)[ `]", README)
    assert named and set(named) <= set(targets)


def places(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_linked_exists(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
        path, _, part = link.partition("#")
        linked = (page.parent / path) if path else page
        assert linked.exists(), link
        assert not part or part in places(linked), link
