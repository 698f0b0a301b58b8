"""Makes what the Dockerfile describes, without a container engine, and tries it.

``make image-check``. Its steps are carried out as they stand in Debian roots made by debootstrap
under build/image; what they make is served from as compose.yaml has it: read-only but for the
volume and /tmp, as the image's user, without capabilities, as the first process of namespaces of
its own. Not tried are the base image itself, its layers, and the limits of memory and CPU.

Needs root, debootstrap, unshare, nsenter, setpriv, ip and a package index.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import yaml

from tests.image import base, dockerfile
from tests.image.building import Build
from tests.image.container import Container

PLACE = dockerfile.ROOT / "build" / "image"
ASKING = Path(__file__).with_name("asking.py").read_text()
STOP_SECONDS = 10.0  # what an engine waits for by itself
COMPILERS = (
    *("gcc*", "g++*", "c++*", "cc", "cc1*", "clang*"),
    *("ld", "ld.[bgl]*", "as", "cmake*", "ninja"),  # ld.so is glibc's
)


def main() -> int:
    """Make and try it; return the status."""
    needed = ("debootstrap", "unshare", "nsenter", "setpriv", "ip", "chroot")
    missing = [name for name in needed if shutil.which(name) is None]
    if os.geteuid() != 0 or missing:
        lacks = missing or ["the rights of root"]
        print(f"the image cannot be made here, this machine lacks: {', '.join(lacks)}")
        return 2
    build, final = dockerfile.read()
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {text}", flush=True)

    command = sys.argv[1] if len(sys.argv) > 1 else None
    try:
        told = base.make(final.base, PLACE / "base", command)
        say(f"in the place of {final.base}: Debian by debootstrap, {told}")
        maker = Build(PLACE / "base", PLACE)
        maker.make(build)
        say("first stage: its steps were carried out")
        root = maker.make(final)
    except base.Unable as error:
        print(f"the image cannot be made here: {error}")
        return 2
    size = int(subprocess.check_output(["du", "-sm", root / "opt"], text=True).split()[0])
    say(f"second stage: its steps were carried out; /opt has {size} MB")
    assert not compilers(root), compilers(root)
    say("no compiler, linker or assembler stands in it")
    serve(final, root, say)
    return 0


def compilers(root: Path) -> list[str]:
    """Return the files of a root that are one."""
    places = [root / each for each in ("bin", "usr/bin", "usr/local/bin", "usr/lib/gcc", "opt")]
    found = (file for place in places for name in COMPILERS for file in place.rglob(name))
    return [str(file) for file in found if file.is_file() and os.access(file, os.X_OK)]


def serve(stage: dockerfile.Stage, root: Path, say: Callable[[str], None]) -> None:
    """Serve from a root twice, and stop it under load. Raises AssertionError."""
    service = yaml.safe_load((dockerfile.ROOT / "compose.yaml").read_text())["services"][
        "palimpsest"
    ]
    assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["tmpfs"] == ["/tmp"]
    keys = {name: secrets.token_hex(32) for name in service["environment"]}
    data = PLACE / "data"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir()
    for turn, what in enumerate(("write", "read")):
        container = Container(stage, root, data, keys)
        try:
            say(f"healthy after {container.wait_until_healthy(30):.1f} s")
            for asked in (what, "read"):
                done = container.run(["python", "-", asked], ASKING)
                assert done.returncode == 0, done.stderr
            say(f"answered: {what}, read")
            if turn == 0:
                check_confinement(container)
                say("its root is read-only, /data and /tmp are not; no rights, no capabilities")
            with ThreadPoolExecutor(1) as pool:
                asking = partial(container.run, ["python", "-", "load"], ASKING, outlives=True)
                loading = pool.submit(asking)
                time.sleep(1.0)
                seconds, status = container.stop(STOP_SECONDS)
                done = loading.result()
            assert status == 0, status
            assert done.returncode == 0, done.stderr  # no reply was an error before the end
            say(f"stopped under load after {seconds:.1f} s, status {status}")
        finally:
            container.end()


def check_confinement(container: Container) -> None:
    """Raise AssertionError where it could do more than it is to."""
    tried = """for folder in / /opt/palimpsest /etc /data /tmp; do
        touch $folder/x 2>/dev/null && echo $folder && rm $folder/x
    done"""
    assert container.run(["sh", "-c", tried]).stdout.split() == ["/data", "/tmp"]
    status = container.run(["cat", "/proc/1/status"]).stdout
    lines = dict(line.split(":\t") for line in status.splitlines() if ":\t" in line)
    assert lines["Uid"].split() == ["10001"] * 4, lines["Uid"]
    assert {int(lines[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")} == {0}, lines
    assert lines["NoNewPrivs"] == "1"


if __name__ == "__main__":
    sys.exit(main())
