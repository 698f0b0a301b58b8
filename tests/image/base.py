"""A Debian root in the place of the image that the Dockerfile starts from.

It is made by debootstrap from the mirror and with the keys that this machine has for it. The
interpreter is this machine's of the version that the Dockerfile names, copied to where the image
has it, or else Debian's own, which is older.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

# What the extension modules of an interpreter are linked to, as the image has it.
LIBRARIES = (
    *("ca-certificates", "libbz2-1.0", "libexpat1", "libffi8", "liblzma5", "libreadline8"),
    *("libsqlite3-0", "libssl3", "libuuid1", "zlib1g"),
)
DEBIANS_OWN = ("python3", "python3-venv", "python3-dev")
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")


class Unable(Exception):
    """This machine cannot make a root: the text says why."""


def make(image: str, place: Path, command: str | None) -> str:
    """Make the root unless it is there; return which interpreter stands in it.

    Args:
        image: such as ``python:3.13-slim-bookworm``.
        place: a folder; what is not whole in it is made anew.
        command: an interpreter of this machine, which is taken if it is of that version.
    """
    found = re.fullmatch(r"python:(\d+\.\d+)-slim-(\w+)", image)
    if found is None:
        raise Unable(f"no stand-in for {image} is known, only for python:X.Y-slim-CODENAME")
    version, codename = found.groups()
    prefix = _prefix(command or f"python{version}", version)
    told = f"Python {version} of this machine" if prefix else "Debian's own Python"
    done = place.with_suffix(".done")
    if not (done.exists() and done.read_text() == f"{image}, {told}"):
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        _bootstrap(codename, place, () if prefix else DEBIANS_OWN)
        _add_interpreter(prefix, version, place)
        done.write_text(f"{image}, {told}")
    return told


def _prefix(command: str, version: str) -> Path | None:
    """Return where this machine has an interpreter of a version that can be copied."""
    asked = "import sys; print(sys.base_prefix, '%d.%d' % sys.version_info[:2])"
    try:
        told = subprocess.run([command, "-c", asked], capture_output=True, text=True, timeout=60)
    except OSError:
        return None
    words = told.stdout.split()
    # /usr holds all else of a machine too
    return Path(words[0]) if words[1:] == [version] and words[0] != "/usr" else None


def _bootstrap(codename: str, place: Path, packages: tuple[str, ...]) -> None:
    if shutil.which("debootstrap") is None:
        raise Unable("debootstrap is missing: apt-get install debootstrap")
    asked = ["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)"]
    told = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60).stdout
    sources = [line.split() for line in told.splitlines() if line.split()[:1] == [codename]]
    if not sources:
        raise Unable(f"apt of this machine has no source for Debian {codename}")
    _, mirror = sources[0]
    included = ",".join([*LIBRARIES, *packages])
    command = ["debootstrap", "--variant=minbase", f"--include={included}"]
    done = subprocess.run([*command, codename, place, mirror], capture_output=True, text=True)
    if done.returncode != 0:
        raise Unable(f"debootstrap failed: {(done.stderr or done.stdout)[-500:]}")


def _add_interpreter(prefix: Path | None, version: str, place: Path) -> None:
    if prefix is None:
        (place / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    else:
        left = shutil.ignore_patterns("__pycache__", "test", "tests", "*.a")
        for name in (f"lib/python{version}", f"include/python{version}"):
            shutil.copytree(prefix / name, place / "usr/local" / name, ignore=left, symlinks=True)
        for library in prefix.glob("lib/libpython*.so*"):
            shutil.copy2(library, place / "usr/local/lib", follow_symlinks=False)
        shutil.copy2(prefix / "bin" / f"python{version}", place / "usr/local/bin")
        for alias in ("python3", "python"):
            (place / "usr/local/bin" / alias).symlink_to(f"python{version}")
    # A package index may be reached by certificates of this machine alone.
    ours = Path("/") / CERTIFICATES
    if ours.exists() and os.path.getsize(ours):
        shutil.copy2(ours, place / CERTIFICATES)
    subprocess.run(["chroot", place, "ldconfig"], check=True, timeout=60)
