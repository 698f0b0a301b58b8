"""What a machine lacks is said at once, with what brings it, before anything is built."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECK = ROOT / ".ci" / "prerequisites.py"
NOTHING = "http://127.0.0.1:9/simple"  # the discard port: no package index is there

# What is missing, faked by a statement, and the text that names it.
FAKES = {
    "an old Python": (
        "import sysconfig; sys.version_info = (3, 9)",
        "Python 3.11 or newer (this is 3.",
    ),
    "venv": ("sys.modules['ensurepip'] = None", "apt-get install python3-venv"),
    "headers": (
        "import sysconfig; sysconfig.get_paths = lambda: {'include': '/nonexistent'}",
        "apt-get install python3-dev",
    ),
}


def check(statement: str = "pass", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the check in a Python that a statement has changed."""
    code = f"import sys, runpy; {statement}; runpy.run_path({str(CHECK)!r}, run_name='__main__')"
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_machine_that_has_everything_is_told_nothing() -> None:
    done = check()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("what", FAKES)
def test_what_python_lacks_is_named(what: str) -> None:
    statement, text = FAKES[what]
    done = check(statement)
    assert done.returncode == 1
    first, *lines = done.stderr.splitlines()
    assert first == "cannot build, this machine lacks:"
    assert len(lines) == 1 and text in lines[0]


def test_a_missing_compiler_is_named(tmp_path: Path) -> None:
    done = check(PATH=str(tmp_path), CXX="")
    assert done.returncode == 1 and "apt-get install g++" in done.stderr
    other = check(CXX="no-such-compiler")
    assert other.returncode == 1 and "no-such-compiler" in other.stderr


def test_a_compiler_without_cpp20_is_named(tmp_path: Path) -> None:
    old = tmp_path / "g++"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = check(PATH=f"{tmp_path}:{os.environ['PATH']}", CXX="")
    assert done.returncode == 1 and "C++20, which g++ is not" in done.stderr


def test_all_that_is_missing_is_named_together(tmp_path: Path) -> None:
    statement = "; ".join(each for each, _ in FAKES.values())
    done = check(statement, PATH=str(tmp_path), CXX="")
    assert len(done.stderr.splitlines()) == 1 + len(FAKES) + 1


def test_an_old_python_can_read_the_check() -> None:
    ast.parse(CHECK.read_text(), feature_version=(3, 6))


def make(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [shutil.which("make") or "make", *arguments]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(shutil.which("make") is None, reason="asks make")
def test_make_names_a_missing_python(tmp_path: Path) -> None:
    done = make(f"{tmp_path}/venv/.tools", "PYTHON=no-such-python")
    assert done.returncode != 0
    assert "cannot build, this machine lacks:\n  no-such-python" in done.stderr
    assert not (tmp_path / "venv").exists()


@pytest.mark.skipif(shutil.which("make") is None, reason="asks make")
def test_make_says_that_packages_cannot_be_fetched(tmp_path: Path) -> None:
    done = make(
        f"{tmp_path}/venv/.tools",
        f"PYTHON={sys.executable}",
        PIP_INDEX_URL=NOTHING,
        PIP_EXTRA_INDEX_URL="",
        PIP_CONFIG_FILE=os.devnull,
        PIP_RETRIES="0",
    )
    assert done.returncode != 0
    assert "could not fetch packages: a package index has to be reachable" in done.stderr
    assert not (tmp_path / "venv" / ".tools").exists()
