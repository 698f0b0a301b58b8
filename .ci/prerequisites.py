"""Say what is missing on this machine before an environment is built, and how to get it.

Any Python 3 reads this file, so that one that is too old says so: no annotations, no new syntax.
"""

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig


def missing():
    """Name each tool that is not here, with the Debian package that brings it."""
    found = []
    if sys.version_info < (3, 11):  # noqa: UP036 - this file tells older ones what is missing
        version = sys.version.split()[0]
        found.append(
            f"Python 3.11 or newer (this is {version}); name another one: make PYTHON=python3.12"
        )
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        found.append("the venv module (Debian: apt-get install python3-venv)")
    if not os.path.isfile(os.path.join(sysconfig.get_paths()["include"], "Python.h")):
        found.append("Python's C headers (Debian: apt-get install python3-dev)")
    compiler = shlex.split(os.environ.get("CXX") or "g++")
    if shutil.which(compiler[0]) is None:
        found.append(f"a C++ compiler, {compiler[0]} (Debian: apt-get install g++)")
    elif not compiles(compiler):
        found.append(f"a compiler of C++20, which {compiler[0]} is not (g++ 11 or newer is)")
    return found


def compiles(compiler):
    """Tell whether a compiler knows C++20 and has its standard library."""
    source = b"#include <bit>\n#include <span>\nint main() { return std::popcount(0u); }\n"
    command = [*compiler, "-std=c++20", "-fsyntax-only", "-x", "c++", "-"]
    done = subprocess.run(
        command, input=source, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return done.returncode == 0


if __name__ == "__main__":
    lines = missing()
    if lines:
        sys.exit("\n".join(["cannot build, this machine lacks:", *("  " + line for line in lines)]))
