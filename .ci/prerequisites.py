"""Say what is missing on this machine before an environment is built, and how to get it."""

import importlib.util
import shutil
import sys
import sysconfig
from pathlib import Path


def missing() -> list[str]:
    """Name each tool that is not here, with the Debian package that brings it."""
    found = []
    if sys.version_info < (3, 11):  # noqa: UP036 - this file tells older ones what is missing
        found.append(f"Python 3.11 or newer (this is {sys.version.split()[0]}); set PYTHON=...")
    if importlib.util.find_spec("ensurepip") is None:
        found.append("the venv module (Debian: apt-get install python3-venv)")
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").is_file():
        found.append("Python's C headers (Debian: apt-get install python3-dev)")
    if shutil.which("g++") is None:
        found.append("a C++20 compiler (Debian: apt-get install g++)")
    return found


if __name__ == "__main__":
    if lines := missing():
        sys.exit("\n".join(["cannot build, this machine lacks:", *("  " + line for line in lines)]))
